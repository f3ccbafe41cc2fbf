/* Records that cannot be read, and results that the broker will never take. */
#include "tests/topology/topology_test.h"

#define PAIRS(...) \
	.config = (const char *const[][2]){ __VA_ARGS__ }, \
	.config_count = LENGTH(((const char *const[][2]){ __VA_ARGS__ }))

/* --- unreadable -------------------------------------------------------------------------------------------------
 * */

static weir_topology *numbers(void)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = weir_source(t, "in", (weir_source_opts){ .value = &weir_int64 });

	weir_sink(in, "out", (weir_sink_opts){ 0 });
	return t;
}

static void pipe_number(weir_driver *d, int64_t n)
{
	char bytes[8];

	weir_put_be64(bytes, n);
	weir_driver_pipe_record(d, "in", -1, weir_str("k"), weir_bytes_of(bytes, 8), 1, NULL);
}

static void an_unreadable_value_is_a_dead_letter_and_the_rest_goes_on(void **state)
{
	weir_driver *d = driver(numbers(), (weir_driver_opts){ 0 });
	weir_driver_record r;

	(void)state;
	pipe_number(d, 1);
	weir_driver_pipe(d, "in", "k", "bad", 77);
	weir_driver_pipe(d, "in", "k", NULL, 3);
	pipe_number(d, 2);
	assert_numbers(d, "out", "k=1@1", "k=null@3", "k=2@1");
	assert_true(weir_driver_read(d, "dead-letters", &r));
	assert_bytes(r.value, "bad");
	assert_bytes(weir_headers_last(r.headers, "reason"), "unreadable: a number of 8 bytes wanted, 3 found");
	assert_bytes(weir_headers_last(r.headers, "__streams.errors.exception"), "DECODE");
	assert_bytes(weir_headers_last(r.headers, "__streams.errors.offset"), "1");
	assert_bytes(weir_headers_last(r.headers, "original-timestamp"), "77");
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

static void an_unreadable_value_can_stop_the_application(void **state)
{
	weir_driver *d = driver(numbers(), (weir_driver_opts){ PAIRS({ "errors.deserialization", "stop" }) });

	(void)state;
	pipe_number(d, 1);
	weir_driver_pipe(d, "in", "k", "bad", 2);
	pipe_number(d, 3);
	assert_stopped(d, "in/0@1");
	assert_stopped(d, "a number of 8 bytes wanted, 3 found");
	assert_numbers(d, "out", "k=1@1");
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

static void without_a_dead_letter_topic_an_unreadable_value_stops(void **state)
{
	weir_driver *d =
		driver(numbers(), (weir_driver_opts){ PAIRS({ "errors.dead.letter.queue.topic.name", "" }) });

	(void)state;
	weir_driver_pipe(d, "in", "k", "bad", 2);
	assert_stopped(d, "dead-letter topic not set");
	assert_nothing(d, "out");
	weir_driver_free(d);
}

/* --- too large --------------------------------------------------------------------------------------------------
 * */

/* A value "<n>" becomes n bytes. */
static const void *inflate(weir_context *cx, const weir_record *r, void *user)
{
	const weir_bytes *value = weir_value(r);
	weir_bytes *large = weir_alloc(cx, sizeof *large);

	(void)user;
	size_t n = (size_t)atoi(text(cx, "%.*s", (int)value->len, (const char *)value->data)->data);
	char *bytes = weir_alloc(cx, n + 1);

	memset(bytes, 'x', n);
	*large = weir_bytes_of(bytes, n);
	return large;
}

static weir_topology *inflating(void)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = text_source(t, "in");

	weir_sink(weir_map_values(in, "inflate", inflate, NULL, NULL), "out", (weir_sink_opts){ 0 });
	weir_sink(in, "copy", (weir_sink_opts){ 0 });
	return t;
}

static void a_result_too_large_to_send_makes_its_source_a_dead_letter(void **state)
{
	weir_driver *d = driver(inflating(), (weir_driver_opts){ 0 });
	weir_driver_record r;

	(void)state;
	weir_driver_pipe(d, "in", "k", "3", 1);
	weir_driver_pipe(d, "in", "k", "2000000", 2);
	weir_driver_pipe(d, "in", "k", "4", 3);
	assert_text(d, "out", "k=xxx@1", "k=xxxx@3");
	assert_text(d, "copy", "k=3@1", "k=2000000@2", "k=4@3");
	assert_true(weir_driver_read(d, "dead-letters", &r));
	assert_bytes(r.value, "2000000");
	assert_memory_equal(weir_headers_last(r.headers, "reason").data, "result refused: ", 16);
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

static void a_result_too_large_can_stop_the_application(void **state)
{
	weir_driver *d = driver(inflating(), (weir_driver_opts){ PAIRS({ "errors.production", "stop" }) });

	(void)state;
	weir_driver_pipe(d, "in", "k", "3", 1);
	weir_driver_pipe(d, "in", "k", "2000000", 2);
	assert_stopped(d, "step \"out\"");
	assert_stopped(d, "topic \"out\"");
	assert_text(d, "out", "k=xxx@1");
	assert_text(d, "copy", "k=3@1");
	weir_driver_free(d);
}

/* --- refused by the broker, which is known only at the delivery -------------------------------------------------
 * */

static const char *route_small(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)r, (void)user;
	return "small";
}

static weir_driver *to_small_topic(weir_driver_opts opts)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = text_source(t, "in");

	weir_sink(weir_map_values(in, "inflate", inflate, NULL, NULL), "out",
		  (weir_sink_opts){ .route = route_small });
	weir_sink(in, "copy", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, opts);
	const char *const config[][2] = { { "max.message.bytes", "1000" }, { "retention.ms", "-1" } };
	weir_topic_spec spec = { .name = "small", .partitions = 1, .configs = config, .config_count = 2 };

	must(weir_topics_create(weir_driver_cluster(d), &spec, 1, &err));
	return d;
}

static void what_the_broker_refuses_is_a_dead_letter_and_nothing_comes_twice(void **state)
{
	weir_driver *d = to_small_topic((weir_driver_opts){ 0 });

	(void)state;
	weir_driver_stop(d, false);
	weir_driver_pipe(d, "in", "k", "1", 1);
	weir_driver_pipe(d, "in", "k", "2000", 2);
	weir_driver_pipe(d, "in", "k", "2", 3);
	weir_driver_pipe(d, "in", "k", "3000", 4);
	weir_driver_pipe(d, "in", "k", "3", 5);
	must(weir_driver_start(d, NULL, &err));
	assert_text(d, "small", "k=x@1", "k=xx@3", "k=xxx@5");
	/* The whole record is given up, not only its result that was refused. */
	assert_text(d, "copy", "k=1@1", "k=2@3", "k=3@5");
	for (int i = 2; i < 4; i++) {
		weir_driver_record r;

		assert_true(weir_driver_read(d, "dead-letters", &r));
		assert_int_equal(r.value.len, 4);
		assert_int_equal(*(const char *)r.value.data, '0' + i);
		assert_memory_equal(weir_headers_last(r.headers, "reason").data, "result refused: ", 16);
	}
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

static void what_the_broker_refuses_can_stop_the_application(void **state)
{
	weir_driver *d = to_small_topic((weir_driver_opts){ PAIRS({ "errors.production", "stop" }) });

	(void)state;
	weir_driver_pipe(d, "in", "k", "1", 1);
	weir_driver_pipe(d, "in", "k", "2000", 2);
	assert_stopped(d, "small/0");
	assert_text(d, "small", "k=x@1");
	assert_text(d, "copy", "k=1@1");
	weir_driver_free(d);
}

/* --- state ------------------------------------------------------------------------------------------------------
 * */

static const void *inflate_fold(weir_context *cx, const weir_record *r, const void *aggregate, void *user)
{
	(void)aggregate;
	return inflate(cx, r, user);
}

static weir_topology *large_state(void)
{
	weir_topology *t = weir_topology_new("app");
	weir_aggregator a = { .value = &weir_utf8, .fold = inflate_fold };
	weir_stream *in = text_source(t, "in");

	weir_sink(in, "copy", (weir_sink_opts){ 0 });
	weir_sink(weir_changes(weir_aggregate(in, "large", a, (weir_window){ 0 })), "out", (weir_sink_opts){ 0 });
	return t;
}

static void what_makes_state_too_large_for_its_changelog_is_a_dead_letter_and_changes_nothing(void **state)
{
	weir_driver *d = driver(large_state(), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_stop(d, false);
	weir_driver_pipe(d, "in", "k", "5", 1);
	weir_driver_pipe(d, "in", "k", "2000000", 2);
	weir_driver_pipe(d, "in", "l", "3", 3);
	weir_driver_pipe(d, "in", "k", "1000000", 4); /* and the key */
	must(weir_driver_start(d, NULL, &err));
	assert_text(d, "out", "k=xxxxx@1", "l=xxx@3");
	assert_text(d, "copy", "k=5@1", "l=3@3");
	assert_dead_letter(d, "2000000",
			   "result refused: store \"large\": a record of 2000001 bytes for its changelog; "
			   "at most 1000000 are taken");
	assert_dead_letter(d, "1000000",
			   "result refused: store \"large\": a record of 1000001 bytes for its changelog; "
			   "at most 1000000 are taken");
	assert_nothing(d, "dead-letters");
	weir_driver_pipe(d, "in", "k", "4", 5);
	assert_text(d, "out", "k=xxxx@5");
	weir_driver_free(d);
}

static void how_large_state_may_be_goes_by_the_producers_setting(void **state)
{
	weir_driver *d = driver(large_state(), (weir_driver_opts){ PAIRS({ "kafka.message.max.bytes", "2000" }) });

	(void)state;
	weir_driver_pipe(d, "in", "k", "2000", 1);
	assert_dead_letter(
		d, "2000",
		"result refused: store \"large\": a record of 2001 bytes for its changelog; at most 2000 "
		"are taken");
	weir_driver_pipe(d, "in", "k", "3", 2);
	assert_text(d, "out", "k=xxx@2");
	weir_driver_free(d);
}

static void what_makes_state_too_large_can_stop_the_application(void **state)
{
	weir_driver *d = driver(large_state(), (weir_driver_opts){ PAIRS({ "errors.production", "stop" }) });

	(void)state;
	weir_driver_pipe(d, "in", "k", "2000000", 2);
	assert_stopped(d, "store \"large\": a record of 2000001 bytes");
	/* Nor can it go on until the topology is mended. */
	assert_false(weir_driver_restart(d, true, NULL));
	weir_driver_free(d);
}

static const void *inflate_count(weir_context *cx, const weir_record *r, void *user)
{
	weir_record as_text = *r;

	weir_set_value(&as_text, text(cx, "%lld", *(const long long *)weir_value(r) < 3 ? 3LL : 2000000LL));
	return inflate(cx, &as_text, user);
}

static weir_topology *inflating_counts(void)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *counts = weir_changes(weir_count(text_source(t, "in"), "counts", (weir_window){ 0 }));

	weir_sink(weir_map_values(counts, "inflate", inflate_count, &weir_utf8, NULL), "out",
		  (weir_sink_opts){ 0 });
	return t;
}

static void a_result_of_a_commit_that_is_refused_is_a_dead_letter_that_names_the_step(void **state)
{
	weir_driver *d = driver(inflating_counts(), (weir_driver_opts){ 0 });
	weir_driver_record r;

	(void)state;
	for (int i = 1; i <= 3; i++)
		weir_driver_pipe(d, "in", "k", "v", i);
	weir_driver_pipe(d, "in", "l", "v", 4);
	assert_text(d, "out", "k=xxx@1", "k=xxx@2", "l=xxx@4");
	assert_true(weir_driver_read(d, "dead-letters", &r));
	assert_bytes(r.key, "k");
	assert_true(weir_is_null(r.value));
	assert_bytes(weir_headers_last(r.headers, "step"), "out");
	assert_bytes(weir_headers_last(r.headers, "original-length"), "2000000");
	assert_bytes(weir_headers_last(r.headers, "original-timestamp"), "3");
	assert_memory_equal(weir_headers_last(r.headers, "reason").data, "result refused: ", 16);
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

static void a_result_of_a_commit_that_is_refused_can_stop_the_application(void **state)
{
	weir_driver *d = driver(inflating_counts(), (weir_driver_opts){ PAIRS({ "errors.production", "stop" }) });

	(void)state;
	for (int i = 1; i <= 3; i++)
		weir_driver_pipe(d, "in", "k", "v", i);
	assert_stopped(d, "result of step \"out\"");
	assert_text(d, "out", "k=xxx@1", "k=xxx@2");
	weir_driver_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unreadable_value_is_a_dead_letter_and_the_rest_goes_on),
		cmocka_unit_test(an_unreadable_value_can_stop_the_application),
		cmocka_unit_test(without_a_dead_letter_topic_an_unreadable_value_stops),
		cmocka_unit_test(a_result_too_large_to_send_makes_its_source_a_dead_letter),
		cmocka_unit_test(a_result_too_large_can_stop_the_application),
		cmocka_unit_test(what_the_broker_refuses_is_a_dead_letter_and_nothing_comes_twice),
		cmocka_unit_test(what_the_broker_refuses_can_stop_the_application),
		cmocka_unit_test(what_makes_state_too_large_for_its_changelog_is_a_dead_letter_and_changes_nothing),
		cmocka_unit_test(how_large_state_may_be_goes_by_the_producers_setting),
		cmocka_unit_test(what_makes_state_too_large_can_stop_the_application),
		cmocka_unit_test(a_result_of_a_commit_that_is_refused_is_a_dead_letter_that_names_the_step),
		cmocka_unit_test(a_result_of_a_commit_that_is_refused_can_stop_the_application),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
