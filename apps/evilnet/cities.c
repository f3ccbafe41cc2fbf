#include "apps/evilnet/cities.h"

#include <stdlib.h>
#include <string.h>

#include "apps/evilnet/util.h"
#include "schemas/city_window.h"
#include "schemas/post.h"

#define SEEN "seen"
#define USERS "users"

/* --- in: which posts count ---------------------------------------------------------------------------------- */

static int64_t post_time(weir_context *cx, const weir_record *r, void *user)
{
	const struct post *post = weir_value(r);

	(void)cx, (void)user;
	return post ? post->created_at_ms : 0; /* no post: moves no time, and is turned away by has_value */
}

static weir_bytes post_place(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)user;
	return ((const struct post *)weir_value(r))->place;
}

static bool has_value(weir_context *cx, const weir_record *r, void *user)
{
	(void)user;
	if (!weir_value_is_null(r))
		return true;
	weir_dead_letter(cx, r, "null value");
	return false;
}

/* Receive time as ingest put it into a header; INT64_MAX when there is none: then nothing is from the future. */
static int64_t received_ms(const weir_record *r)
{
	weir_bytes text = weir_headers_last(weir_record_headers(r), "received");
	char digits[24], *end;

	if (text.len == 0 || text.len >= sizeof digits)
		return INT64_MAX;
	memcpy(digits, text.data, text.len);
	digits[text.len] = 0;
	long long ms = strtoll(digits, &end, 10);

	return *end ? INT64_MAX : ms;
}

/* length of the place (4, BE) | place | id */
static weir_bytes seen_key(weir_context *cx, const struct post *post)
{
	char *p = weir_alloc(cx, 4 + post->place.len + post->id.len);

	weir_put_be32(p, (int32_t)post->place.len);
	memcpy(p + 4, post->place.data, post->place.len);
	memcpy(p + 4 + post->place.len, post->id.data, post->id.len);
	return weir_bytes_of(p, 4 + post->place.len + post->id.len);
}

/* In any window that may still take posts: a post that comes again need not bring the same time. */
static bool is_repeated(weir_store *seen, weir_bytes key, int64_t time_ms, const struct evilnet_cities *o)
{
	int64_t newest = time_ms / o->window_ms * o->window_ms;
	int64_t oldest = weir_time_sub(time_ms, o->window_ms + o->grace_ms);

	for (int64_t start = newest; start >= 0 && start > oldest; start -= o->window_ms)
		if (!weir_is_null(weir_window_get(seen, key, start, NULL)))
			return true;
	return false;
}

static void accept_post(weir_context *cx, const weir_record *r, void *state, void *user)
{
	const struct evilnet_cities *o = user;
	const struct post *post = weir_value(r);
	weir_store *seen = weir_context_store(cx, SEEN);
	int64_t time_ms = weir_step_time_ms(cx);
	int64_t start_ms = r->timestamp_ms / o->window_ms * o->window_ms;

	(void)state;
	if (!post)
		return;
	if (!weir_bytes_equal(r->key, post->place)) {
		weir_dead_letter(cx, r, "key is not the place");
		return;
	}
	if (weir_time_sub(r->timestamp_ms, o->skew_ms) > received_ms(r)) {
		weir_dead_letter(cx, r, "from the future");
		return;
	}
	weir_bytes key = seen_key(cx, post);

	if (is_repeated(seen, key, time_ms > r->timestamp_ms ? time_ms : r->timestamp_ms, o))
		return;
	time_ms = weir_step_time_seen(cx, r->timestamp_ms);
	if (start_ms <= weir_time_sub(time_ms, o->window_ms + o->grace_ms)) {
		weir_dead_letter(cx, r, "late");
		return;
	}
	weir_window_put(seen, key, weir_bytes_of("", 0), start_ms, r->timestamp_ms);
	weir_forward(cx, r);
}

/* --- counts ----------------------------------------------------------------------------------------------------
 * */

struct city {
	int64_t tweets, retweets, users, upto;
};

/* Far from the ends of the range: nothing overflows by counting on. */
static bool is_count(int64_t n)
{
	return n >= 0 && n < INT64_MAX / 2;
}

static const void *city_decode(weir_context *cx, weir_bytes in, weir_error *err)
{
	if (in.len != 32) {
		weir_fail(err, WEIR_DECODE, "a city's counts have 32 bytes, not %zu", in.len);
		return NULL;
	}
	struct city *city = weir_alloc(cx, sizeof *city);
	const char *p = in.data;

	*city = (struct city){ weir_get_be64(p), weir_get_be64(p + 8), weir_get_be64(p + 16),
			       weir_get_be64(p + 24) };
	if (!is_count(city->tweets) || !is_count(city->retweets) || !is_count(city->users) ||
	    !is_count(city->upto)) {
		weir_fail(err, WEIR_DECODE, "a city's counts are out of range");
		return NULL;
	}
	return city;
}

static weir_bytes city_encode(weir_context *cx, const void *object)
{
	const struct city *city = object;
	char *p = weir_alloc(cx, 32);

	weir_put_be64(p, city->tweets);
	weir_put_be64(p + 8, city->retweets);
	weir_put_be64(p + 16, city->users);
	weir_put_be64(p + 24, city->upto);
	return weir_bytes_of(p, 32);
}

static const weir_serde city_serde = { "city", city_decode, city_encode, sizeof(struct city), false };

static void count_post(weir_context *cx, const weir_record *r, void *aggregate, void *user)
{
	const struct evilnet_cities *o = user;
	const struct post *post = weir_value(r);
	struct city *city = aggregate;

	city->tweets++;
	city->retweets += post->is_retweet;
	city->upto = weir_record_metadata(cx).offset;
	weir_distinct_add(cx, weir_context_store(cx, USERS), r->key, r->window_start_ms, post->author_id,
			  o->users_exact_max, &city->users);
}

static const void *to_city_window(weir_context *cx, const weir_record *r, void *user)
{
	const struct evilnet_cities *o = user;
	const struct city *city = weir_value(r);

	if (!city)
		return NULL;
	struct city_window *w = weir_alloc(cx, sizeof *w);

	*w = (struct city_window){
		.place = r->key,
		.window_start_ms = r->window_start_ms,
		.window_seconds = o->window_ms / 1000,
		.tweets = city->tweets,
		.retweets = city->retweets,
		.users = city->users,
		.upto = city->upto,
	};
	return w;
}

/* --- the graph
 * ---------------------------------------------------------------------------------------------------- */

static bool read_options(const weir_config *cfg, struct evilnet_cities *o, weir_error *err)
{
	*o = (struct evilnet_cities){
		.window_ms = weir_config_ms(cfg, "evilnet.window"),
		.grace_ms = weir_config_ms(cfg, "evilnet.grace"),
		.skew_ms = weir_config_ms(cfg, "evilnet.time.skew.max"),
		.users_exact_max = weir_config_int(cfg, "evilnet.users.exact.max"),
		.rekey = weir_config_bool(cfg, "evilnet.rekey"),
	};
	if (o->window_ms % 1000)
		return weir_fail(err, WEIR_CONFIG, "evilnet.window must be whole seconds");
	if (o->skew_ms > o->grace_ms)
		return weir_fail(err, WEIR_CONFIG,
				 "evilnet.time.skew.max (%lld ms) must not exceed evilnet.grace (%lld ms): one "
				 "clock that runs ahead "
				 "would end windows that others still fill",
				 (long long)o->skew_ms, (long long)o->grace_ms);
	if (weir_config_ms(cfg, "evilnet.retention") < o->window_ms + o->grace_ms)
		return weir_fail(err, WEIR_CONFIG,
				 "evilnet.retention must be at least evilnet.window and evilnet.grace together");
	return true;
}

weir_topology *evilnet_cities(const weir_config *cfg, struct evilnet_cities *o, weir_error *err)
{
	if (!read_options(cfg, o, err))
		return NULL;
	weir_topology *t = weir_topology_new("evilnet");
	weir_window window = { .size_ms = o->window_ms,
			       .grace_ms = o->grace_ms,
			       .retain_ms = weir_config_ms(cfg, "evilnet.retention") };

	weir_add_store(t, SEEN,
		       (weir_store_opts){ .windowed = true,
					  .window_size_ms = o->window_ms,
					  .retain_ms = o->window_ms + o->grace_ms });
	weir_distinct_store(t, USERS, window);
	weir_stream *posts =
		weir_source(t, "posts",
			    (weir_source_opts){ .topic = weir_config_string(cfg, "evilnet.topic"),
						.value = &post_serde,
						.time_ms = post_time,
						.retain_ms = weir_config_ms(cfg, "evilnet.posts.retention") });

	posts = weir_filter(posts, "with-value", has_value, NULL);
	if (o->rekey)
		posts = weir_key_by(posts, "by-place", post_place, NULL);
	posts = weir_process(
		posts, "accepted",
		(weir_processor){ .process = accept_post, .stores = { SEEN }, .keeps_key = true, .user = o });
	weir_table *cities = weir_aggregate(
		posts, EVILNET_CITIES,
		(weir_aggregator){ .value = &city_serde, .add = count_post, .stores = { USERS }, .user = o },
		window);

	weir_sink(weir_map_values(weir_changes(cities), "city-windows", to_city_window, &city_window_serde, o),
		  "metrics",
		  (weir_sink_opts){ .topic = weir_config_string(cfg, "evilnet.metrics.topic"),
				    .key = &weir_windowed_utf8,
				    .value = &city_window_serde });
	return t;
}

/* --- rows out of the store
 * ------------------------------------------------------------------------------------------ */

/* What one partition's worker copies out. */
struct rows {
	weir_bytes place;
	int64_t from_ms, to_ms, window_ms;
	struct web_row *items;
	size_t count, room;
	char *names;
	size_t names_len, names_room;
};

bool evilnet_cities_row(weir_bytes place, int64_t start_ms, weir_bytes value, int64_t window_ms,
			struct city_window *out)
{
	const char *p = value.data;

	if (value.len != 32)
		return false;
	*out = (struct city_window){
		.place = place,
		.window_start_ms = start_ms,
		.window_seconds = window_ms / 1000,
		.tweets = weir_get_be64(p),
		.retweets = weir_get_be64(p + 8),
		.users = weir_get_be64(p + 16),
		.upto = weir_get_be64(p + 24),
	};
	return true;
}

static void keep_row(struct rows *rows, weir_bytes place, const weir_entry *e)
{
	struct city_window w;

	if (!evilnet_cities_row(place, e->start_ms, e->value, rows->window_ms, &w))
		return;
	if (rows->count == rows->room) {
		rows->room = rows->room ? rows->room * 2 : 256;
		rows->items = evilnet_realloc(rows->items, rows->room * sizeof *rows->items);
	}
	if (rows->names_len + place.len > rows->names_room) {
		rows->names_room = rows->names_room * 2 + place.len + 4096;
		rows->names = evilnet_realloc(rows->names, rows->names_room);
	}
	memcpy(rows->names + rows->names_len, place.data, place.len);
	/* The name's place in `names` for now: the buffer may still move. */
	rows->items[rows->count++] = (struct web_row){
		.place = { NULL, place.len },
		.window_start_ms = w.window_start_ms,
		.window_seconds = w.window_seconds,
		.tweets = w.tweets,
		.retweets = w.retweets,
		.users = w.users,
	};
	rows->names_len += place.len;
}

static void collect(weir_store *store, int32_t partition, void *user)
{
	struct rows *rows = user;
	weir_iterator *it = weir_is_null(rows->place)
				    ? weir_window_fetch_all(store, rows->from_ms, rows->to_ms - 1)
				    : weir_window_fetch(store, rows->place, rows->from_ms, rows->to_ms - 1, false);
	weir_entry e;

	(void)partition;
	while (weir_iterator_next(it, &e))
		keep_row(rows, e.key, &e);
	weir_iterator_close(it);
}

static bool source_rows(void *self, weir_bytes place, int64_t from_ms, int64_t to_ms, web_row_fn *fn, void *user,
			weir_error *err)
{
	struct evilnet_store_source *s = self;
	struct rows rows = { .place = place, .from_ms = from_ms, .to_ms = to_ms, .window_ms = s->window_ms };
	bool ok = weir_app_query(s->app, EVILNET_CITIES, collect, &rows, (weir_query_opts){ .key = place }, err);
	const char *name = rows.names;

	for (size_t i = 0; ok && i < rows.count; i++) {
		rows.items[i].place.data = name;
		name += rows.items[i].place.len;
		fn(&rows.items[i], user);
	}
	free(rows.items);
	free(rows.names);
	return ok;
}

static uint64_t source_version(void *self)
{
	const struct evilnet_store_source *s = self;

	return weir_app_commits(s->app);
}

void evilnet_store_source(struct evilnet_store_source *self, struct web_source *source)
{
	*source = (struct web_source){
		.self = self, .rows = source_rows, .version = source_version, .window_ms = self->window_ms
	};
}
