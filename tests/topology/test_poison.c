/*
 * Poison at every edge: whatever stands in a record's key, value, headers or timestamp, it is counted or becomes a
 * dead letter with a reason, in the transaction of its position, and the application goes on.
 */
#include "framework/kafka/embedded.h"
#include "tests/topology/topology_test.h"

enum { NOW_MS = 1000000, MIB = 1 << 20 };

#define PAIRS(...) \
	.config = (const char *const[][2]){ __VA_ARGS__ }, \
	.config_count = LENGTH(((const char *const[][2]){ __VA_ARGS__ }))

static void goes_on(weir_driver *d)
{
	weir_error err = { .code = WEIR_OK };

	if (weir_app_state_get(weir_driver_app(d), &err) != WEIR_APP_RUNNING)
		fail_msg("%s", err.message);
}

/* --- dates ---------------------------------------------------------------------------------------------------- */

static int64_t time_in_value(weir_context *cx, const weir_record *r, void *user)
{
	const weir_bytes *value = weir_value(r);

	(void)user;
	return strtoll(text(cx, "%.*s", (int)value->len, (const char *)value->data)->data, NULL, 10);
}

static weir_topology *counting(bool by_value)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = weir_source(
		t, "in", (weir_source_opts){ .value = &weir_utf8, .time_ms = by_value ? time_in_value : NULL });

	weir_sink(weir_changes(weir_count(in, "counts", (weir_window){ .size_ms = 1000 })), "out",
		  (weir_sink_opts){ 0 });
	return t;
}

#define LIMIT "max.future.record.timestamp.difference.ms"

static void a_record_dated_too_far_ahead_is_a_dead_letter_and_moves_no_time(void **state)
{
	static const int64_t times[] = { INT64_MAX, INT64_MAX - 1, INT64_MAX / 2, NOW_MS + WEIR_HOURS(2) };
	weir_driver *d = driver(counting(false), (weir_driver_opts){ .now_ms = NOW_MS, PAIRS({ LIMIT, "1h" }) });

	(void)state;
	weir_driver_pipe(d, "in", "k", "a", NOW_MS);
	for (size_t i = 0; i < LENGTH(times); i++) {
		char want[32];
		weir_driver_record r;

		weir_driver_pipe(d, "in", "k", "ahead", times[i]);
		assert_true(weir_driver_read(d, "dead-letters", &r));
		assert_bytes(weir_headers_last(r.headers, "reason"), "future timestamp");
		snprintf(want, sizeof want, "%lld", (long long)times[i]);
		assert_bytes(weir_headers_last(r.headers, "original-timestamp"), want);
		assert_bytes(r.value, "ahead");
		must(weir_driver_restart(d, i % 2, &err));
	}
	/* Their windows are open as before. */
	weir_driver_pipe(d, "in", "k", "b", NOW_MS + 999);
	assert_windowed_numbers(d, "out", "k[1000000]=1@1000000", "k[1000000]=2@1000999");
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

static void up_to_the_limit_a_date_ahead_is_taken(void **state)
{
	weir_driver *d =
		driver(counting(false), (weir_driver_opts){ .now_ms = NOW_MS, PAIRS({ LIMIT, "500000000ms" }) });

	(void)state;
	weir_driver_pipe(d, "in", "k", "a", NOW_MS + 500000000);
	assert_windowed_numbers(d, "out", "k[501000000]=1@501000000");
	weir_driver_pipe(d, "in", "k", "b", NOW_MS + 2 * 500000000);
	assert_dead_letter(d, "b", "future timestamp");
	/* The clock is what it is measured by. */
	weir_driver_advance(d, 500000000);
	weir_driver_pipe(d, "in", "k", "c", NOW_MS + 2 * 500000000);
	assert_windowed_numbers(d, "out", "k[1001000000]=1@1001000000");
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

static void without_a_limit_any_date_is_taken(void **state)
{
	weir_driver *d = driver(counting(false), (weir_driver_opts){ .now_ms = NOW_MS });

	(void)state;
	weir_driver_pipe(d, "in", "k", "a", INT64_MAX / 2);
	assert_windowed_numbers(d, "out", "k[4611686018427387000]=1@4611686018427387903");
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

static void a_date_out_of_the_value_is_judged_as_well(void **state)
{
	weir_driver *d = driver(counting(true), (weir_driver_opts){ .now_ms = NOW_MS, PAIRS({ LIMIT, "1h" }) });

	(void)state;
	weir_driver_pipe(d, "in", "k", "9223372036854775807", NOW_MS);
	weir_driver_pipe(d, "in", "k", "-9223372036854775808", NOW_MS);
	weir_driver_pipe(d, "in", "k", "-1", NOW_MS);
	weir_driver_pipe(d, "in", "k", "0", INT64_MAX);
	assert_dead_letter(d, "9223372036854775807", "future timestamp");
	assert_dead_letter(d, "-9223372036854775808", "negative timestamp");
	assert_dead_letter(d, "-1", "negative timestamp");
	assert_windowed_numbers(d, "out", "k[0]=1@1"); /* a producer sends 1 for 0 */
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

static void a_future_record_does_not_hold_up_the_other_input(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *a = text_source(t, "a"), *b = text_source(t, "b");

	(void)state;
	weir_sink(weir_changes(weir_count(weir_merge(a, "both", b), "counts", (weir_window){ .size_ms = 1000 })),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ .now_ms = NOW_MS, PAIRS({ LIMIT, "1h" }) });

	weir_driver_pipe(d, "a", "k", "ahead", INT64_MAX);
	weir_driver_pipe(d, "b", "k", "x", 5);
	weir_driver_pipe(d, "a", "k", "y", 6);
	assert_dead_letter(d, "ahead", "future timestamp");
	assert_windowed_numbers(d, "out", "k[0]=1@5", "k[0]=2@6");
	weir_driver_free(d);
}

/* --- keys ----------------------------------------------------------------------------------------------------- */

static char *filled(size_t n, char c)
{
	char *bytes = malloc(n);

	assert_non_null(bytes);
	memset(bytes, c, n);
	return bytes;
}

static void keys_of_any_kind_are_counted_or_told(void **state)
{
	char *large = filled(MIB, 'x');
	weir_driver *d = driver(counting(false), (weir_driver_opts){ 0 });
	weir_driver_record r;

	(void)state;
	weir_driver_pipe(d, "in", NULL, "no key", 1);
	assert_dead_letter(d, "no key", "null key");
	weir_driver_pipe(d, "in", "", "empty", 2);
	assert_windowed_numbers(d, "out", "[0]=1@2");
	weir_driver_pipe_record(d, "in", -1, weir_bytes_of("\0\xff\r\n", 4), weir_str("v"), 3, NULL);
	assert_true(weir_driver_read(d, "out", &r));
	assert_int_equal(r.key.len, 12);
	assert_memory_equal(r.key.data, "\0\xff\r\n", 4);
	weir_driver_pipe_record(d, "in", -1, weir_bytes_of(large, MIB / 2), weir_str("v"), 4, NULL);
	assert_true(weir_driver_read(d, "out", &r));
	assert_int_equal(r.key.len, MIB / 2 + 8);
	/* Larger ones would pass as input, but with a window behind them not as changelog. */
	weir_driver_pipe_record(d, "in", -1, weir_bytes_of(large, MIB / 2 + 1), weir_str("long"), 5, NULL);
	assert_dead_letter(d, "long", "key too long");
	weir_driver_pipe_record(d, "in", -1, weir_bytes_of(large, 999000), weir_str("v"), 6, NULL);
	assert_true(weir_driver_read(d, "dead-letters", &r));
	assert_bytes(weir_headers_last(r.headers, "reason"), "key too long");
	assert_nothing(d, "dead-letters");
	assert_nothing(d, "out");
	goes_on(d);
	weir_driver_free(d);
	free(large);
}

/* --- values and headers --------------------------------------------------------------------------------------- */

static weir_topology *numbers(void)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = weir_source(t, "in", (weir_source_opts){ .value = &weir_int64 });

	weir_sink(weir_changes(weir_count(in, "counts", (weir_window){ 0 })), "out", (weir_sink_opts){ 0 });
	return t;
}

#define UNREADABLE(n) "unreadable: a number of 8 bytes wanted, " n " found"

static void large_values_are_dead_letters_with_all_that_fits(void **state)
{
	char *large = filled(MIB, 'x');
	weir_driver *d = driver(numbers(), (weir_driver_opts){ 0 });
	weir_driver_record r;

	(void)state;
	weir_driver_pipe_record(d, "in", -1, weir_str("k"), weir_bytes_of("", 0), 1, NULL);
	assert_dead_letter(d, "", UNREADABLE("0"));
	weir_driver_pipe_record(d, "in", -1, weir_str("k"), weir_bytes_of(large, 900000), 1, NULL);
	assert_true(weir_driver_read(d, "dead-letters", &r));
	assert_bytes(weir_headers_last(r.headers, "reason"), UNREADABLE("900000"));
	assert_int_equal(r.value.len, 900000);
	assert_true(weir_is_null(weir_headers_last(r.headers, "original-length")));
	/* With the reason beside it this one is larger than a producer sends. */
	weir_driver_pipe_record(d, "in", -1, weir_str("k"), weir_bytes_of(large, 999990), 1, NULL);
	assert_true(weir_driver_read(d, "dead-letters", &r));
	assert_bytes(weir_headers_last(r.headers, "reason"), UNREADABLE("999990"));
	assert_bytes(weir_headers_last(r.headers, "original-length"), "999990");
	assert_bytes(weir_headers_last(r.headers, "__streams.errors.offset"), "2");
	assert_true(weir_is_null(r.value));
	assert_bytes(r.key, "k");
	weir_driver_pipe_record(d, "in", -1, weir_bytes_of(large, 999980), weir_str("bad"), 1, NULL);
	assert_true(weir_driver_read(d, "dead-letters", &r));
	assert_bytes(weir_headers_last(r.headers, "original-length"), "3");
	assert_true(weir_is_null(r.key));
	assert_nothing(d, "dead-letters");
	goes_on(d);
	weir_driver_free(d);
	free(large);
}

static void headers_are_carried_and_cannot_pass_for_the_reason(void **state)
{
	char *large = filled(MIB, 'h');
	const weir_header small[] = { { "reason", weir_str("all is well") },
				      { "", weir_bytes_of("\0\xff", 2) },
				      { "null", WEIR_NULL },
				      { "__streams.errors.offset", weir_str("12345") } };
	const weir_header huge[] = { { "h", weir_bytes_of(large, 999900) } };
	weir_driver *d = driver(numbers(), (weir_driver_opts){ 0 });
	weir_driver_record r;

	(void)state;
	weir_driver_pipe_record(d, "in", -1, weir_str("k"), weir_str("bad"), 1, &(weir_headers){ small, 4 });
	assert_true(weir_driver_read(d, "dead-letters", &r));
	assert_bytes(weir_headers_last(r.headers, "reason"), UNREADABLE("3"));
	assert_bytes(weir_headers_last(r.headers, "__streams.errors.offset"), "0");
	assert_bytes(r.headers->items[0].value, "all is well");
	assert_int_equal(r.headers->items[1].value.len, 2);
	assert_true(weir_is_null(weir_headers_last(r.headers, "null")));
	weir_driver_pipe_record(d, "in", -1, weir_str("k"), weir_str("bad"), 1, &(weir_headers){ huge, 1 });
	assert_true(weir_driver_read(d, "dead-letters", &r));
	assert_bytes(weir_headers_last(r.headers, "reason"), UNREADABLE("3"));
	assert_true(weir_is_null(weir_headers_last(r.headers, "h")));
	assert_bytes(r.key, "k");
	goes_on(d);
	weir_driver_free(d);
	free(large);
}

/* --- refused only by the broker ------------------------------------------------------------------------------- */

static weir_driver *with_small_letters(const char *bytes_max)
{
	const char *const config[][2] = { { "max.message.bytes", bytes_max }, { "retention.ms", "-1" } };
	weir_topic_spec spec = { .name = "small", .partitions = 1, .configs = config, .config_count = 2 };
	weir_driver *d = driver(numbers(), (weir_driver_opts){ 0 });
	const char *const letters = "dead-letters";

	weir_driver_stop(d, false);
	must(weir_topics_delete(weir_driver_cluster(d), &letters, 1, &err));
	spec.name = letters;
	must(weir_topics_create(weir_driver_cluster(d), &spec, 1, &err));
	must(weir_driver_start(d, NULL, &err));
	return d;
}

static void pipe_number(weir_driver *d, const char *key)
{
	weir_driver_pipe_record(d, "in", -1, weir_str(key), weir_bytes_of("\0\0\0\0\0\0\0\1", 8), 1, NULL);
}

static void a_dead_letter_that_the_broker_refuses_comes_bare_and_nothing_is_counted_twice(void **state)
{
	char *large = filled(5000, 'x');
	weir_driver *d = with_small_letters("2000");
	weir_driver_record r;

	(void)state;
	weir_driver_stop(d, false);
	pipe_number(d, "a");
	weir_driver_pipe_record(d, "in", -1, weir_str("k"), weir_bytes_of(large, 5000), 1, NULL);
	pipe_number(d, "a");
	weir_driver_pipe_record(d, "in", -1, weir_str("k"), weir_bytes_of(large, 4000), 1, NULL);
	weir_driver_pipe(d, "in", "k", "bad", 1);
	must(weir_driver_start(d, NULL, &err));
	goes_on(d);
	assert_numbers(d, "out", "a=2@1");
	for (int i = 0; i < 2; i++) {
		assert_true(weir_driver_read(d, "dead-letters", &r));
		assert_true(weir_is_null(r.value));
		assert_bytes(weir_headers_last(r.headers, "original-length"), i ? "4000" : "5000");
		assert_memory_equal(weir_headers_last(r.headers, "reason").data, "unreadable: ", 12);
	}
	assert_dead_letter(d, "bad", UNREADABLE("3"));
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
	free(large);
}

static void a_topic_that_takes_not_even_a_bare_letter_stops_the_application(void **state)
{
	weir_driver *d = with_small_letters("100");

	(void)state;
	pipe_number(d, "a");
	weir_driver_pipe(d, "in", "k", "bad", 1);
	assert_stopped(d, "dead-letters/0");
	assert_numbers(d, "out", "a=1@1");
	weir_driver_free(d);
}

/* --- one transaction ------------------------------------------------------------------------------------------ */

struct trouble {
	int commits; /* so many fail */
	enum embedded_fault how;
};

static enum embedded_fault fail_commits(enum embedded_point point, const char *who, void *user)
{
	struct trouble *trouble = user;

	if (point != EMBEDDED_AT_COMMIT || strncmp(who, "app-", 4) != 0 || trouble->commits == 0)
		return EMBEDDED_FINE;
	trouble->commits--;
	return trouble->how;
}

static size_t lying_in(weir_driver *d, const char *topic)
{
	int64_t first, end;

	must(weir_offsets_range(weir_driver_cluster(d), topic, 0, &first, &end, &err));
	return (size_t)(end - first);
}

static void a_dead_letter_is_there_if_and_only_if_its_transaction_is_committed(void **state)
{
	static const enum embedded_fault kinds[] = { EMBEDDED_ABORTABLE, EMBEDDED_FATAL, EMBEDDED_UNDONE,
						     EMBEDDED_DONE };

	(void)state;
	for (size_t i = 0; i < LENGTH(kinds); i++) {
		weir_driver *d = driver(numbers(), (weir_driver_opts){ 0 });
		struct trouble trouble = { 3, kinds[i] };

		weir__embedded_faults(weir_driver_cluster(d), fail_commits, &trouble, 0);
		pipe_number(d, "a");
		weir_driver_pipe(d, "in", "k", "bad", 1);
		weir_driver_pipe(d, "in", NULL, "12345678", 1);
		assert_int_equal(trouble.commits, 0);
		assert_dead_letter(d, "bad", UNREADABLE("3"));
		assert_dead_letter(d, "12345678", "null key");
		assert_nothing(d, "dead-letters");
		/* Those of transactions that failed lie there, and no reader of committed records sees them. */
		if (kinds[i] != EMBEDDED_DONE)
			assert_true(lying_in(d, "dead-letters") + lying_in(d, "out") > 4);
		assert_numbers(d, "out", "a=1@1");
		goes_on(d);
		weir_driver_free(d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_dated_too_far_ahead_is_a_dead_letter_and_moves_no_time),
		cmocka_unit_test(up_to_the_limit_a_date_ahead_is_taken),
		cmocka_unit_test(without_a_limit_any_date_is_taken),
		cmocka_unit_test(a_date_out_of_the_value_is_judged_as_well),
		cmocka_unit_test(a_future_record_does_not_hold_up_the_other_input),
		cmocka_unit_test(keys_of_any_kind_are_counted_or_told),
		cmocka_unit_test(large_values_are_dead_letters_with_all_that_fits),
		cmocka_unit_test(headers_are_carried_and_cannot_pass_for_the_reason),
		cmocka_unit_test(a_dead_letter_that_the_broker_refuses_comes_bare_and_nothing_is_counted_twice),
		cmocka_unit_test(a_topic_that_takes_not_even_a_bare_letter_stops_the_application),
		cmocka_unit_test(a_dead_letter_is_there_if_and_only_if_its_transaction_is_committed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
