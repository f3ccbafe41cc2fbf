/*
 * Page views by region: who looks at a page is in the stream, where they live is in a table. Each view is counted
 * where its user lived when it was made.
 */
#include <string.h>
#include <weir/weir.h>

/* Of a user, "Ann, emea": the region, one word. */
static inline weir_bytes region_of(const weir_bytes *user)
{
	const char *comma = user->len ? memrchr(user->data, ',', user->len) : NULL;
	size_t at = comma ? (size_t)(comma - (const char *)user->data) + 1 : user->len;

	while (at < user->len && ((const char *)user->data)[at] == ' ')
		at++;
	return at < user->len ? weir_bytes_of((const char *)user->data + at, user->len - at) : weir_str("unknown");
}

/* A view with its region, "emea /home"; `user` is NULL for somebody who is not in the table. */
static inline const void *with_region(weir_context *cx, weir_bytes key, const void *view, const void *user,
				      void *argument)
{
	weir_bytes region = user ? region_of(user) : weir_str("unknown"), page = *(const weir_bytes *)view;

	(void)key, (void)argument;
	return weir_text(cx, "%.*s %.*s", (int)region.len, (const char *)region.data, (int)page.len,
			 (const char *)page.data);
}

static inline weir_bytes by_region(weir_context *cx, const weir_record *view, void *user)
{
	weir_bytes text = weir_value_bytes(view);

	(void)cx, (void)user;
	return weir_bytes_of(text.data,
			     (size_t)((const char *)memchr(text.data, ' ', text.len) - (const char *)text.data));
}

static inline weir_topology *views_by_region(void)
{
	weir_topology *t = weir_topology_new("views-by-region");
	weir_stream *views = weir_source(t, "views", (weir_source_opts){ .value = &weir_utf8 });
	weir_table *users = weir_table_source(t, "users", (weir_table_source_opts){ .value = &weir_utf8 });
	/* Both topics have the user as their key, and must have equally many partitions. */
	weir_stream *located =
		weir_left_join_table(views, "located-views", users, with_region, (weir_join_table_opts){ 0 }, NULL);
	weir_window minute = { .size_ms = WEIR_MINUTES(1), .grace_ms = WEIR_SECONDS(10) };

	weir_sink(located, "views-with-region", (weir_sink_opts){ 0 });
	weir_sink(weir_changes(weir_count(weir_key_by(located, "by-region", by_region, NULL), "counts", minute)),
		  "region-views", (weir_sink_opts){ 0 });
	return t;
}
