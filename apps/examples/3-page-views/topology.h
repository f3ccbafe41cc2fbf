/*
 * A web server's log, record by record: failures go to a topic of their own; pages (not images, scripts, ...) are
 * counted each minute, and the slowest answer of each page is kept.
 */
#include <stdio.h>
#include <weir/weir.h>

/* One line of the log: "/path 200 35", path, status, milliseconds. */
struct request {
	char path[200];
	int status, took_ms;
};

static inline const void *request_decode(weir_context *cx, weir_bytes line, weir_error *err)
{
	struct request *r = weir_alloc(cx, sizeof *r);
	char text[256];

	snprintf(text, sizeof text, "%.*s", (int)line.len, (const char *)line.data);
	if (sscanf(text, "%199s %d %d", r->path, &r->status, &r->took_ms) == 3)
		return r;
	weir_fail(err, WEIR_DECODE, "\"path status milliseconds\" wanted, not \"%.60s\"", text);
	return NULL;
}

static inline weir_bytes request_encode(weir_context *cx, const void *object)
{
	const struct request *r = object;

	return *weir_text(cx, "%s %d %d", r->path, r->status, r->took_ms);
}

static const weir_serde request_serde = { "request", request_decode, request_encode, sizeof(struct request),
					  false };

static inline bool failed(weir_context *cx, const weir_record *record, void *user)
{
	const struct request *r = weir_value(record);

	(void)cx, (void)user;
	return r && r->status >= 500;
}

static inline bool is_page(weir_context *cx, const weir_record *record, void *user)
{
	const struct request *r = weir_value(record);

	(void)cx, (void)user;
	return r && r->status < 400 && !strchr(r->path, '.');
}

/* The key is the page; what follows a question mark makes no other page. */
static inline void by_page(weir_context *cx, const weir_record *in, weir_record *out, void *user)
{
	struct request *r = weir_alloc(cx, sizeof *r);

	(void)user;
	memcpy(r, weir_value(in), sizeof *r);
	r->path[strcspn(r->path, "?")] = 0;
	weir_set_key(out, weir_str(r->path));
	weir_set_value(out, r);
}

static inline const void *slower(weir_context *cx, const void *aggregate, const void *value, void *user)
{
	const struct request *a = aggregate, *b = value;

	(void)cx, (void)user;
	return b->took_ms > a->took_ms ? b : a;
}

static inline weir_topology *page_views(void)
{
	static const weir_case kinds[] = { { "failures", failed, NULL }, { "pages", is_page, NULL } };
	static const weir_window minute = { .size_ms = WEIR_MINUTES(1), .grace_ms = WEIR_SECONDS(10) };
	weir_topology *t = weir_topology_new("page-views");
	weir_stream *kind[2];

	weir_branch(weir_source(t, "requests", (weir_source_opts){ .value = &request_serde }), "kinds", kinds, 2,
		    kind);
	weir_sink(kind[0], "failed-requests", (weir_sink_opts){ 0 });
	/* Repartitioned once for both tables. */
	weir_stream *pages = weir_repartition(weir_map(kind[1], "by-page", by_page, NULL, NULL), "page-requests",
					      (weir_repartition_opts){ 0 });

	weir_sink(weir_changes(weir_count(pages, "views", minute)), "page-views", (weir_sink_opts){ 0 });
	weir_sink(weir_changes(weir_reduce(pages, "slowest", slower, minute, NULL)), "slowest-requests",
		  (weir_sink_opts){ 0 });
	return t;
}
