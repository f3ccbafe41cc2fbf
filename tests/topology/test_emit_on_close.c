/* Windows with one result each, when they have closed (KIP-825). */
#include "tests/topology/beside.h"

static weir_topology *counting(weir_window window)
{
	weir_topology *t = weir_topology_new("closing");

	window.emit_on_close = true;
	weir_sink(weir_changes(weir_count(text_source(t, "in"), "counts", window)), "out", (weir_sink_opts){ 0 });
	return t;
}

static weir_driver *driving(weir_window window)
{
	return driver(counting(window), (weir_driver_opts){ 0 });
}

static void a_window_has_one_result_once_it_has_closed(void **state)
{
	weir_driver *d = driving((weir_window){ .size_ms = 10, .grace_ms = 5 });

	(void)state;
	weir_driver_pipe(d, "in", "a", "1", 3);
	weir_driver_pipe(d, "in", "b", "2", 8);
	weir_driver_pipe(d, "in", "a", "3", 14);
	weir_driver_pipe(d, "in", "a", "late, but not too late", 9);
	assert_nothing(d, "out");
	weir_driver_pipe(d, "in", "c", "4", 15);
	assert_windowed_numbers(d, "out", "a[0]=2@9", "b[0]=1@8");
	weir_driver_pipe(d, "in", "a", "too late", 9);
	weir_driver_pipe(d, "in", "a", "5", 24);
	assert_nothing(d, "out");
	assert_dead_letter(d, "too late", "late");
	weir_driver_free(d);
}

/* With the record that closes them the windows are past the default retention: they come all the same. */
static void windows_come_however_far_time_leaps(void **state)
{
	weir_driver *d = driving((weir_window){ .size_ms = 10, .grace_ms = 5 });

	(void)state;
	weir_driver_pipe(d, "in", "b", "1", 3);
	weir_driver_pipe(d, "in", "a", "2", 12);
	weir_driver_pipe(d, "in", "a", "3", 1000000000);
	assert_windowed_numbers(d, "out", "b[0]=1@3", "a[10]=1@12");
	weir_driver_free(d);
}

static void hopping_windows_close_one_after_the_other(void **state)
{
	weir_driver *d = driving((weir_window){ .size_ms = 10, .advance_ms = 5 });

	(void)state;
	weir_driver_pipe(d, "in", "a", "1", 7);
	weir_driver_pipe(d, "in", "a", "2", 11);
	assert_windowed_numbers(d, "out", "a[0]=1@7");
	weir_driver_pipe(d, "in", "b", "3", 30);
	assert_windowed_numbers(d, "out", "a[5]=2@11", "a[10]=1@11");
	weir_driver_free(d);
}

/* The next result: "key[start,end]=number@timestamp", or "none". */
static const char *session(weir_driver *d)
{
	static char got[100];
	weir_driver_record r;

	if (!weir_driver_read(d, "out", &r))
		return "none";
	const char *end = (const char *)r.key.data + r.key.len - 16;

	snprintf(got, sizeof got, "%.*s[%lld,%lld]=%lld@%lld", (int)r.key.len - 16, (const char *)r.key.data,
		 (long long)weir_get_be64(end + 8), (long long)weir_get_be64(end),
		 (long long)weir_get_be64(r.value.data), (long long)r.timestamp_ms);
	return got;
}

static void a_session_has_one_result_however_often_it_has_grown(void **state)
{
	weir_driver *d = driving((weir_window){ .gap_ms = 10, .grace_ms = 20 });

	(void)state;
	weir_driver_pipe(d, "in", "a", "1", 20);
	weir_driver_pipe(d, "in", "a", "2", 40);
	weir_driver_pipe(d, "in", "a", "3", 30); /* one of two */
	weir_driver_pipe(d, "in", "b", "4", 70);
	assert_string_equal(session(d), "none"); /* closed is what ends before 70 - 20 - 10 */
	weir_driver_pipe(d, "in", "b", "5", 71);
	assert_string_equal(session(d), "a[20,40]=3@40");
	assert_string_equal(session(d), "none");
	weir_driver_free(d);
}

static void a_session_that_has_closed_comes_again_when_an_open_one_joins_it(void **state)
{
	weir_driver *d = driving((weir_window){ .gap_ms = 10, .grace_ms = 0 });

	(void)state;
	weir_driver_pipe(d, "in", "a", "1", 20);
	weir_driver_pipe(d, "in", "b", "2", 31);
	assert_string_equal(session(d), "a[20,20]=1@20");
	weir_driver_pipe(d, "in", "a", "3", 30);
	weir_driver_pipe(d, "in", "b", "4", 50);
	assert_string_equal(session(d), "a[20,30]=2@30");
	assert_string_equal(session(d), "b[31,31]=1@31");
	assert_string_equal(session(d), "none");
	weir_driver_free(d);
}

/* Kept no longer than it must be, it is still there when it closes. */
static void sessions_come_however_short_their_retention(void **state)
{
	weir_driver *d = driving((weir_window){ .gap_ms = 10, .grace_ms = 5, .retain_ms = 15 });

	(void)state;
	weir_driver_pipe(d, "in", "a", "1", 7);
	weir_driver_pipe(d, "in", "b", "2", 22);
	assert_string_equal(session(d), "none");
	weir_driver_pipe(d, "in", "c", "3", INT64_C(1) << 40);
	assert_string_equal(session(d), "a[7,7]=1@7");
	assert_string_equal(session(d), "b[22,22]=1@22");
	weir_driver_free(d);
}

static void sliding_windows_close_behind_their_end(void **state)
{
	weir_driver *d = driving((weir_window){ .difference_ms = 10, .grace_ms = 5 });

	(void)state;
	weir_driver_pipe(d, "in", "a", "1", 20);
	weir_driver_pipe(d, "in", "a", "2", 25); /* closed is what ends before 25 - 5 */
	assert_nothing(d, "out");
	weir_driver_pipe(d, "in", "b", "3", 26);
	assert_windowed_numbers(d, "out", "a[10]=1@20");
	weir_driver_pipe(d, "in", "b", "4", 100);
	assert_windowed_numbers(d, "out", "a[15]=2@25", "b[16]=1@26", "a[21]=1@25");
	weir_driver_free(d);
}

static void results_have_the_headers_of_the_record_that_closes_their_window(void **state)
{
	weir_driver *d = driving((weir_window){ .size_ms = 10 });
	weir_header one = { "who", weir_str("first") }, two = { "who", weir_str("second") };
	weir_driver_record r;

	(void)state;
	weir_driver_pipe_record(d, "in", -1, weir_str("a"), weir_str("1"), 1, &(weir_headers){ &one, 1 });
	weir_driver_pipe_record(d, "in", -1, weir_str("a"), weir_str("2"), 11, &(weir_headers){ &two, 1 });
	assert_true(weir_driver_read(d, "out", &r));
	assert_int_equal(r.headers->count, 1);
	assert_bytes(r.headers->items[0].value, "second");
	weir_driver_free(d);
}

static void open_windows_survive_restarts_and_closed_ones_do_not_come_again(void **state)
{
	(void)state;
	for (int crash = 0; crash < 2; crash++) {
		char *dir = temporary_directory();
		weir_driver *d = driver(counting((weir_window){ .size_ms = 10 }),
					(weir_driver_opts){ .state_dir = crash ? dir : NULL });

		weir_driver_pipe(d, "in", "a", "1", 1);
		weir_driver_pipe(d, "in", "b", "2", 11);
		must(weir_driver_restart(d, crash, &err));
		weir_driver_pipe(d, "in", "b", "3", 12);
		must(weir_driver_restart(d, crash, &err));
		weir_driver_pipe(d, "in", "c", "4", 25);
		assert_windowed_numbers(d, "out", "a[0]=1@1", "b[10]=2@12");
		must(weir_driver_restart(d, crash, &err));
		weir_driver_pipe(d, "in", "c", "5", 30);
		assert_windowed_numbers(d, "out", "c[20]=1@25");
		weir_driver_free(d);
		remove_directory(dir);
	}
}

static const void *any(weir_context *cx, weir_bytes key, const void *left, const void *right, void *user)
{
	(void)key, (void)user;
	return text(cx, "%lld+%lld", left ? *(const long long *)left : -1, right ? *(const long long *)right : -1);
}

/* As in Kafka Streams: the other side's row is what its store holds. */
/* --- taken over, and given back ---------------------------------------------------------------------------- */

static weir_topology *counting_as_there(void)
{
	weir_window window = { .size_ms = 10, .grace_ms = 5, .retain_ms = 1000, .emit_on_close = true };
	weir_topology *t = weir_topology_new("closing");

	weir_topology_as_kafka_streams(t, WEIR_AS_CLOSING);
	weir_sink(weir_changes(weir_count(text_source(t, "in"), "counts", window)), "out", (weir_sink_opts){ 0 });
	return t;
}

static void as_in_kafka_streams_what_has_closed_waits_for_the_next_look_also_over_restarts(void **state)
{
	static const char *const config[][2] = { { "emit.interval.ms", "1000" } };

	(void)state;
	for (int crash = 0; crash < 2; crash++) {
		weir_driver *d =
			driver(counting_as_there(), (weir_driver_opts){ .config = config, .config_count = 1 });

		weir_driver_pipe(d, "in", "a", "1", 3);
		weir_driver_pipe(d, "in", "a", "2", 15);
		assert_nothing(d, "out");
		must(weir_driver_restart(d, crash, &err));
		weir_driver_pipe(d, "in", "b", "3", 16);
		assert_windowed_numbers(d, "out", "a[0]=1@3");
		weir_driver_pipe(d, "in", "b", "4", 25);
		assert_nothing(d, "out");
		weir_driver_advance(d, 1000);
		assert_nothing(d, "out");
		weir_driver_pipe(d, "in", "b", "5", 26);
		assert_windowed_numbers(d, "out", "a[10]=1@15", "b[10]=1@16");
		must(weir_driver_restart(d, crash, &err));
		weir_driver_pipe(d, "in", "b", "6", 27);
		assert_nothing(d, "out");
		weir_driver_free(d);
	}
}

static void set_beside(weir_driver *d, const char *metadata)
{
	weir_partition at = { .topic = "in", .partition = 0 };

	must(weir_group_committed(weir_driver_cluster(d), "closing", &at, 1, 1000, &err));
	weir_partitions_release(&at, 1);
	at.metadata = (char *)metadata;
	must(weir_group_alter(weir_driver_cluster(d), "closing", &at, 1, &err));
}

static int64_t last_emitted(weir_driver *d)
{
	weir_partition at = { .topic = "in", .partition = 0 };

	must(weir_group_committed(weir_driver_cluster(d), "closing", &at, 1, 1000, &err));
	int64_t ms = beside_number(at.metadata, "counts");

	weir_partitions_release(&at, 1);
	return ms;
}

/* Of each kind: what is told for Kafka Streams is its window close time, once a window can have closed. */
static void how_far_results_have_come_stands_where_kafka_streams_looks_for_it(void **state)
{
	static const struct {
		weir_window window;
		int64_t first_ms; /* the least time to tell */
		int64_t delay_ms;
	} kinds[] = {
		{ { .size_ms = 10, .grace_ms = 5 }, 15, 5 },
		{ { .size_ms = 10, .advance_ms = 5 }, 10, 0 },
		{ { .difference_ms = 10, .grace_ms = 5 }, 16, 5 },
		{ { .gap_ms = 10, .grace_ms = 5 }, 16, 15 },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(kinds); i++) {
		weir_driver *d = driving(kinds[i].window);

		weir_driver_pipe(d, "in", "a", "1", kinds[i].first_ms - 1);
		assert_int_equal(last_emitted(d), -1);
		weir_driver_pipe(d, "in", "a", "1", kinds[i].first_ms);
		assert_int_equal(last_emitted(d), kinds[i].first_ms - kinds[i].delay_ms);
		weir_driver_pipe(d, "in", "a", "1", 1000);
		weir_driver_pipe(d, "in", "a", "late", 500);
		assert_int_equal(last_emitted(d), 1000 - kinds[i].delay_ms);
		weir_driver_free(d);
	}
	/* else nobody is to be told */
	weir_topology *t = weir_topology_new("closing");

	weir_count(text_source(t, "in"), "counts", (weir_window){ .size_ms = 10 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "a", "1", 1000);
	assert_int_equal(last_emitted(d), -1);
	weir_driver_free(d);
}

/* Kafka Streams looks once a second: windows may have closed that it has not given yet. And what it took for
 * late is late here, too: else its window would come again. */
static void taken_over_no_window_comes_twice_and_none_is_left_out(void **state)
{
	weir_driver *d = driving((weir_window){ .size_ms = 10, .retain_ms = 1000 });
	char *beside = beside_last_emitted(45, "counts", 30);

	(void)state;
	for (int ms = 0; ms < 50; ms += 10)
		weir_driver_pipe(d, "in", "a", "1", ms + 5);
	assert_windowed_numbers(d, "out", "a[0]=1@5", "a[10]=1@15", "a[20]=1@25", "a[30]=1@35");
	weir_driver_stop(d, false);
	set_beside(d, beside);
	must(weir_driver_start(d, NULL, &err));
	weir_driver_pipe(d, "in", "a", "late", 21);
	assert_dead_letter(d, "late", "late");
	assert_nothing(d, "out");
	weir_driver_pipe(d, "in", "a", "1", 32); /* what has not come may still grow */
	weir_driver_pipe(d, "in", "a", "1", 51);
	assert_windowed_numbers(d, "out", "a[30]=2@35", "a[40]=1@45");
	assert_int_equal(last_emitted(d), 51);
	weir_driver_free(d);
	free(beside);
}

static void sessions_taken_over_come_once_each(void **state)
{
	weir_driver *d = driving((weir_window){ .gap_ms = 10, .retain_ms = 1000 });
	char *beside = beside_last_emitted(60, "counts", 31);

	(void)state;
	weir_driver_pipe(d, "in", "a", "1", 30);
	weir_driver_pipe(d, "in", "b", "1", 31);
	weir_driver_pipe(d, "in", "c", "1", 60);
	assert_string_equal(session(d), "a[30,30]=1@30");
	assert_string_equal(session(d), "b[31,31]=1@31");
	weir_driver_stop(d, false);
	set_beside(d, beside);
	must(weir_driver_start(d, NULL, &err));
	weir_driver_pipe(d, "in", "c", "1", 70);
	assert_string_equal(session(d), "b[31,31]=1@31");
	assert_string_equal(session(d), "none");
	weir_driver_free(d);
	free(beside);
}

static void closed_windows_meet_what_the_other_table_holds(void **state)
{
	weir_topology *t = weir_topology_new("joined");
	weir_window closing = { .size_ms = 10, .emit_on_close = true };
	weir_table *left = weir_count(text_source(t, "left"), "left-counts", closing);
	weir_table *right = weir_count(text_source(t, "right"), "right-counts", (weir_window){ .size_ms = 10 });

	weir_sink(weir_changes(
			  weir_table_left_join(left, "both", right, any, &weir_utf8, (weir_table_opts){ 0 }, NULL)),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "left", "a", "1", 1);
	weir_driver_pipe(d, "left", "b", "2", 1);
	weir_driver_pipe(d, "right", "b", "3", 2);
	assert_windows(d, "out", "b[0]=1+1@2");
	weir_driver_pipe(d, "left", "a", "4", 11);
	assert_windows(d, "out", "a[0]=1+-1@1", "b[0]=1+1@2");
	weir_driver_free(d);
}

static void what_never_closes_is_refused(void **state)
{
	weir_topology *t = weir_topology_new("wrong");
	weir_error err;

	(void)state;
	weir_count(text_source(t, "in"), "plain", (weir_window){ .emit_on_close = true });
	weir_count(text_source(t, "in2"), "unlimited", (weir_window){ .unlimited = true, .emit_on_close = true });
	assert_false(weir_topology_check(t, &err));
	assert_contains(err.message, "step \"plain\": emit_on_close: it has no window that closes");
	assert_contains(err.message, "step \"unlimited\": emit_on_close: it has no window that closes");
	weir_topology_free(t);
}

static void more_than_memory_takes_comes_in_order_and_whole(void **state)
{
	weir_driver *d =
		driver(counting((weir_window){ .size_ms = 10 }),
		       (weir_driver_opts){ .config = (const char *const[][2]){ { "memory.bytes.max", "16m" } },
					   .config_count = 1 });

	(void)state;
	assert_more_than_memory_takes_in_order(d);
	weir_driver_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_window_has_one_result_once_it_has_closed),
		cmocka_unit_test(windows_come_however_far_time_leaps),
		cmocka_unit_test(hopping_windows_close_one_after_the_other),
		cmocka_unit_test(a_session_has_one_result_however_often_it_has_grown),
		cmocka_unit_test(a_session_that_has_closed_comes_again_when_an_open_one_joins_it),
		cmocka_unit_test(sessions_come_however_short_their_retention),
		cmocka_unit_test(sliding_windows_close_behind_their_end),
		cmocka_unit_test(results_have_the_headers_of_the_record_that_closes_their_window),
		cmocka_unit_test(open_windows_survive_restarts_and_closed_ones_do_not_come_again),
		cmocka_unit_test(as_in_kafka_streams_what_has_closed_waits_for_the_next_look_also_over_restarts),
		cmocka_unit_test(how_far_results_have_come_stands_where_kafka_streams_looks_for_it),
		cmocka_unit_test(taken_over_no_window_comes_twice_and_none_is_left_out),
		cmocka_unit_test(sessions_taken_over_come_once_each),
		cmocka_unit_test(closed_windows_meet_what_the_other_table_holds),
		cmocka_unit_test(what_never_closes_is_refused),
		cmocka_unit_test(more_than_memory_takes_comes_in_order_and_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
