/*
 * Hostile records into a topology of weir's own steps: windows of all kinds, folds, a repartition,
 * punctuators of both times. A punctuator is called at most once a record and once a step of the clock, whatever
 * the times say (CVE-2026-111496 of Kafka Streams), and the application goes on, over crashes too.
 */
#include "tests/fuzz/fuzz.h"

static int64_t ticks;

static void tick(weir_context *cx, int64_t time_ms, void *state)
{
	(void)cx, (void)time_ms, (void)state;
	ticks++;
}

static void start_ticking(weir_context *cx, void *state, void *user)
{
	(void)state, (void)user;
	weir_schedule(cx, 7, WEIR_STREAM_TIME, tick);
	weir_schedule(cx, 1000, WEIR_WALL_CLOCK_TIME, tick);
}

/* A record without a key goes no further: that is the windows' to refuse. */
static void remember(weir_context *cx, const weir_record *r, void *state, void *user)
{
	(void)state, (void)user;
	weir_step_time_seen(cx, r->timestamp_ms);
	if (!weir_is_null(r->key))
		weir_window_put(weir_context_store(cx, "last"), r->key, weir_value_bytes(r), r->timestamp_ms,
				r->timestamp_ms);
	weir_forward(cx, r);
}

/* The time that a value of 8 bytes names, whatever it is. */
static int64_t named_time(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)user;
	return r->encoded.len == 8 ? weir_get_be64(r->encoded.data) : r->timestamp_ms;
}

static weir_bytes by_value(weir_context *cx, const weir_record *r, void *user)
{
	weir_bytes value = weir_value_bytes(r);

	(void)cx, (void)user;
	return weir_bytes_of(value.data, value.len < 3 ? value.len : 3);
}

static const void *longer(weir_context *cx, const void *a, const void *b, void *user)
{
	(void)cx, (void)user;
	return ((const weir_bytes *)a)->len >= ((const weir_bytes *)b)->len ? a : b;
}

static void back_in_time(weir_context *cx, const weir_record *in, weir_record *out, void *user)
{
	(void)cx, (void)user;
	out->timestamp_ms = weir_time_sub(in->timestamp_ms, 90000);
}

static weir_topology *build(void)
{
	weir_topology *t = weir_topology_new("app");
	weir_window hopping = { .size_ms = 60000, .advance_ms = 7000, .grace_ms = 1000 };
	weir_window day = { .size_ms = WEIR_DAYS(1), .grace_ms = WEIR_HOURS(1), .retain_ms = INT64_MAX };

	weir_add_store(t, "last",
		       (weir_store_opts){ .windowed = true, .window_size_ms = 1000, .retain_ms = 100000 });
	weir_stream *in = weir_source(t, "in", (weir_source_opts){ .value = &weir_utf8, .time_ms = named_time });

	in = weir_process(
		in, "remember",
		(weir_processor){
			.init = start_ticking, .process = remember, .stores = { "last" }, .keeps_key = true });
	weir_sink(weir_changes(weir_count(in, "hops", hopping)), "hops-out", (weir_sink_opts){ 0 });
	weir_sink(weir_changes(weir_reduce(in, "longest", longer, day, NULL)), "longest-out",
		  (weir_sink_opts){ 0 });
	weir_count(in, "sessions", (weir_window){ .gap_ms = 60000, .grace_ms = 1000 });
	weir_count(in, "long-sessions", (weir_window){ .gap_ms = INT64_MAX / 2, .grace_ms = INT64_MAX });
	weir_reduce(in, "sliding", longer, (weir_window){ .difference_ms = 90000, .grace_ms = 60000 }, NULL);
	weir_count(in, "wide-sliding", (weir_window){ .difference_ms = INT64_MAX / 2, .grace_ms = INT64_MAX });
	weir_count(in, "unlimited", (weir_window){ .unlimited = true, .start_ms = 1663211185000 });
	in = weir_key_by(weir_map(in, "earlier", back_in_time, NULL, NULL), "by-value", by_value, NULL);
	weir_sink(weir_changes(weir_count(in, "again", hopping)), "again-out", (weir_sink_opts){ 0 });
	return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct feed f = { data, size };
	weir_error err = { .code = WEIR_OK };
	weir_driver *d = weir_driver_new(build(), (weir_driver_opts){ .now_ms = 1663211185000 }, &err);
	int64_t turns = 1;

	weir_assert(d);
	ticks = 0;
	while (f.left && turns < 200) {
		unsigned how = feed_byte(&f);

		if (how == 0xff) {
			weir_assert(weir_driver_restart(d, feed_byte(&f) & 1, &err));
		} else if (how == 0xfe) {
			weir_driver_advance(d, feed_byte(&f) * 1000);
		} else {
			weir_bytes key = feed_text(&f), value = feed_text(&f);

			weir_driver_pipe_record(d, "in", 0, key, value, feed_time(&f), NULL);
		}
		turns++;
	}
	if (weir_app_state_get(weir_driver_app(d), &err) != WEIR_APP_RUNNING)
		fprintf(stderr, "stopped: %s\n", err.message);
	weir_assert(weir_app_state_get(weir_driver_app(d), NULL) == WEIR_APP_RUNNING);
	weir_assert(ticks <= 3 * turns);
	weir_driver_free(d);
	return 0;
}
