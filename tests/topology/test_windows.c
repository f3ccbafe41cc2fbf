/* Which windows a record falls into, until when they take it, and how long they are kept. */
#include "tests/topology/topology_test.h"

static weir_driver *counting(weir_window window)
{
	weir_topology *t = weir_topology_new("app");

	weir_sink(weir_changes(weir_count(text_source(t, "in"), "counts", window)), "out", (weir_sink_opts){ 0 });
	return driver(t, (weir_driver_opts){ 0 });
}

static void pipe_at(weir_driver *d, int64_t timestamp_ms)
{
	char value[24];

	snprintf(value, sizeof value, "%lld", (long long)timestamp_ms);
	weir_driver_pipe(d, "in", "k", value, timestamp_ms);
}

static void the_start_belongs_to_a_window_and_the_end_does_not(void **state)
{
	weir_driver *d = counting((weir_window){ .size_ms = 10, .grace_ms = 100 });

	(void)state;
	pipe_at(d, 10);
	pipe_at(d, 19);
	pipe_at(d, 20);
	pipe_at(d, 9);
	assert_windowed_numbers(d, "out", "k[10]=1@10", "k[10]=2@19", "k[20]=1@20", "k[0]=1@9");
	weir_driver_free(d);
}

static void a_window_closes_when_stream_time_reaches_its_end_and_grace(void **state)
{
	weir_driver *d = counting((weir_window){ .size_ms = 10, .grace_ms = 5 });

	(void)state;
	pipe_at(d, 14); /* 14 - 5 < 10: the first window is open */
	pipe_at(d, 9);
	pipe_at(d, 15); /* 15 - 5 = 10: it is closed */
	pipe_at(d, 9);
	pipe_at(d, 10);
	assert_windowed_numbers(d, "out", "k[10]=1@14", "k[0]=1@9", "k[10]=2@15", "k[10]=3@15");
	assert_dead_letter(d, "9", "late");
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

static void without_grace_a_window_closes_at_its_end(void **state)
{
	weir_driver *d = counting((weir_window){ .size_ms = 10 });

	(void)state;
	pipe_at(d, 9);
	pipe_at(d, 2);
	pipe_at(d, 10);
	pipe_at(d, 9);
	assert_windowed_numbers(d, "out", "k[0]=1@9", "k[0]=2@9", "k[10]=1@10");
	assert_dead_letter(d, "9", "late");
	weir_driver_free(d);
}

static void stream_time_is_that_of_the_step_and_of_all_keys(void **state)
{
	weir_driver *d = counting((weir_window){ .size_ms = 10 });

	(void)state;
	weir_driver_pipe(d, "in", "other", "v", 10);
	weir_driver_pipe(d, "in", NULL, "without a key, so the step does not see its time", 1000);
	pipe_at(d, 9);
	pipe_at(d, 11);
	assert_windowed_numbers(d, "out", "other[10]=1@10", "k[10]=1@11");
	weir_driver_free(d);
}

static void hopping_windows_begin_at_zero(void **state)
{
	weir_driver *d = counting((weir_window){ .size_ms = 10, .advance_ms = 3, .grace_ms = 100 });

	(void)state;
	pipe_at(d, 1); /* Kafka's 0 means "now": 1 is the least time a record can have */
	assert_windowed_numbers(d, "out", "k[0]=1@1");
	pipe_at(d, 5);
	assert_windowed_numbers(d, "out", "k[0]=2@5", "k[3]=1@5");
	pipe_at(d, 10);
	assert_windowed_numbers(d, "out", "k[3]=2@10", "k[6]=1@10", "k[9]=1@10");
	pipe_at(d, 12);
	assert_windowed_numbers(d, "out", "k[3]=3@12", "k[6]=2@12", "k[9]=2@12", "k[12]=1@12");
	weir_driver_free(d);
}

static void hopping_windows_close_one_by_one(void **state)
{
	weir_driver *d = counting((weir_window){ .size_ms = 10, .advance_ms = 5 });

	(void)state;
	pipe_at(d, 11);
	assert_windowed_numbers(d, "out", "k[5]=1@11", "k[10]=1@11");
	pipe_at(d, 9); /* [0, 10) is closed, [5, 15) is open: no dead letter */
	assert_windowed_numbers(d, "out", "k[5]=2@11");
	pipe_at(d, 4);
	assert_nothing(d, "out");
	assert_dead_letter(d, "4", "late");
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

static void to_negative_time(weir_context *cx, const weir_record *r, void *state, void *user)
{
	weir_record out = *r;

	(void)state, (void)user;
	out.timestamp_ms = -1;
	weir_forward(cx, &out);
}

static void a_step_that_sets_a_negative_time_makes_a_dead_letter(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_processor early = { .process = to_negative_time, .keeps_key = true };

	(void)state;
	weir_count(weir_process(text_source(t, "in"), "early", early), "counts", (weir_window){ .size_ms = 10 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	pipe_at(d, 5);
	assert_dead_letter(d, "5", "negative timestamp");
	weir_driver_free(d);
}

static void the_end_of_time_is_an_ordinary_time(void **state)
{
	weir_driver *d = counting((weir_window){
		.size_ms = WEIR_MINUTES(5), .advance_ms = WEIR_MINUTES(2), .grace_ms = WEIR_MINUTES(1) });
	weir_driver_record r;
	int windows = 0;

	(void)state;
	pipe_at(d, 1000);
	assert_windowed_numbers(d, "out", "k[0]=1@1000");
	pipe_at(d, INT64_MAX);
	while (weir_driver_read(d, "out", &r)) {
		int64_t start_ms = weir_get_be64((const char *)r.key.data + 1);

		assert_true(start_ms > INT64_MAX - WEIR_MINUTES(5));
		assert_int_equal(start_ms % WEIR_MINUTES(2), 0);
		windows++;
	}
	assert_in_range(windows, 2, 3);
	pipe_at(d, 2000);
	assert_nothing(d, "out");
	assert_dead_letter(d, "2000", "late");
	weir_driver_free(d);
}

/* Gives how often the newest result was counted, of windows that hold timestamp_ms; 0 = none came. */
static int64_t counted_at(weir_driver *d, int64_t timestamp_ms, int64_t size_ms)
{
	weir_driver_record r;
	int64_t count = 0;

	while (weir_driver_read(d, "out", &r)) {
		int64_t start_ms = weir_get_be64((const char *)r.key.data + 1);

		assert_in_range(start_ms, timestamp_ms - size_ms < 0 ? 0 : timestamp_ms - size_ms + 1,
				timestamp_ms);
		count = weir_get_be64(r.value.data);
	}
	return count;
}

static void windows_of_any_size_hold_the_ends_of_time_over_restarts(void **state)
{
	static const struct {
		weir_window window;
		bool open_for_ever;
	} kinds[] = {
		{ { .size_ms = 1 }, false },
		{ { .size_ms = 10 }, false },
		{ { .size_ms = 10, .advance_ms = 3 }, false },
		{ { .size_ms = 10, .advance_ms = 3, .grace_ms = INT64_MAX }, true },
		{ { .size_ms = 10, .retain_ms = INT64_MAX }, false },
		{ { .size_ms = WEIR_DAYS(1), .advance_ms = WEIR_HOURS(7), .grace_ms = WEIR_DAYS(1) }, false },
		{ { .size_ms = INT64_MAX }, false },
		{ { .size_ms = INT64_MAX, .grace_ms = INT64_MAX, .retain_ms = INT64_MAX }, true },
		{ { .size_ms = INT64_MAX / 2, .advance_ms = INT64_MAX / 3, .grace_ms = INT64_MAX / 2 }, false },
	};
	static const int64_t times[] = { 1, INT64_MAX / 2, INT64_MAX - 1, INT64_MAX };

	(void)state;
	for (size_t k = 0; k < LENGTH(kinds); k++) {
		weir_driver *d = counting(kinds[k].window);

		for (size_t i = 0; i < LENGTH(times); i++) {
			pipe_at(d, times[i]);
			int64_t first = counted_at(d, times[i], kinds[k].window.size_ms);

			assert_true(first >= 1);
			must(weir_driver_restart(d, i % 2, &err));
			pipe_at(d, times[i]);
			assert_int_equal(counted_at(d, times[i], kinds[k].window.size_ms), first + 1);
		}
		assert_nothing(d, "dead-letters");
		pipe_at(d, 1);
		if (kinds[k].open_for_ever)
			assert_true(counted_at(d, 1, kinds[k].window.size_ms) >= 3);
		else
			assert_dead_letter(d, "1", "late");
		assert_nothing(d, "dead-letters");
		weir_driver_free(d);
	}
}

static void windows_without_a_size_hold_the_ends_of_time_too(void **state)
{
	static const weir_window kinds[] = { { .gap_ms = 10 },
					     { .gap_ms = INT64_MAX / 2, .grace_ms = 5 },
					     { .gap_ms = INT64_MAX, .grace_ms = INT64_MAX },
					     { .difference_ms = 10 },
					     { .difference_ms = INT64_MAX / 2, .grace_ms = 5 },
					     { .difference_ms = INT64_MAX, .grace_ms = INT64_MAX },
					     { .unlimited = true } };
	static const int64_t times[] = { 1, INT64_MAX / 2, INT64_MAX - 1, INT64_MAX };

	(void)state;
	for (size_t k = 0; k < LENGTH(kinds); k++) {
		weir_driver *d = counting(kinds[k]);
		weir_driver_record r;

		for (size_t i = 0; i < LENGTH(times); i++) {
			pipe_at(d, times[i]);
			assert_true(weir_driver_read(d, "out", &r));
			must(weir_driver_restart(d, i % 2, &err));
			pipe_at(d, times[i]);
			bool twice = false;

			while (weir_driver_read(d, "out", &r))
				twice |= !weir_is_null(r.value) && weir_get_be64(r.value.data) >= 2;
			assert_true(twice);
		}
		assert_nothing(d, "dead-letters");
		weir_driver_free(d);
	}
}

static const weir_window kept_for_an_hour = { .size_ms = WEIR_MINUTES(1), .retain_ms = WEIR_HOURS(1) };

static int64_t count_in(weir_driver *d, int64_t start_ms)
{
	weir_bytes value = weir_window_get(weir_driver_store(d, "counts", 0), weir_str("k"), start_ms, NULL);

	return weir_is_null(value) ? 0 : weir_get_be64(value.data);
}

static void closed_windows_can_be_read_as_long_as_they_are_retained(void **state)
{
	weir_driver *d = counting(kept_for_an_hour);

	(void)state;
	pipe_at(d, WEIR_MINUTES(1));
	pipe_at(d, WEIR_MINUTES(1) + 1);
	pipe_at(d, WEIR_MINUTES(60));
	assert_int_equal(count_in(d, WEIR_MINUTES(1)), 2);
	pipe_at(d, WEIR_MINUTES(61));
	assert_int_equal(count_in(d, WEIR_MINUTES(1)), 0);
	assert_int_equal(count_in(d, WEIR_MINUTES(60)), 1);
	weir_driver_free(d);
}

static void expired_windows_leave_the_changelog_too(void **state)
{
	char *dir = temporary_directory();

	for (int on_disk = 0; on_disk < 2; on_disk++) {
		weir_topology *t = weir_topology_new("app");
		int64_t first, end;

		weir_sink(weir_changes(weir_count(text_source(t, "in"), "counts", kept_for_an_hour)), "out",
			  (weir_sink_opts){ 0 });
		weir_driver *d = driver(t, (weir_driver_opts){ .state_dir = on_disk ? dir : NULL });

		for (int i = 0; i < 599; i++)
			pipe_at(d, WEIR_MINUTES(i));
		/* On disk only what a checkpoint has may go: checkpoint.interval.ms, and then a commit. */
		weir_driver_advance(d, WEIR_MINUTES(6));
		pipe_at(d, WEIR_MINUTES(599));
		weir_driver_advance(d, WEIR_SECONDS(31));
		must(weir_offsets_range(weir_driver_cluster(d), "app-counts-changelog", 0, &first, &end, &err));
		assert_true(first > 0); /* an hour of ten is still wanted */
		assert_true(end - first < 2 * 600);
		for (int crash = 0; crash < 2; crash++) {
			must(weir_driver_restart(d, crash, &err));
			for (int i = 540; i < 600; i++)
				assert_int_equal(count_in(d, WEIR_MINUTES(i)), 1);
			assert_int_equal(count_in(d, WEIR_MINUTES(538)), 0);
		}
		weir_driver_free(d);
	}
	(void)state;
	remove_directory(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_start_belongs_to_a_window_and_the_end_does_not),
		cmocka_unit_test(a_window_closes_when_stream_time_reaches_its_end_and_grace),
		cmocka_unit_test(without_grace_a_window_closes_at_its_end),
		cmocka_unit_test(stream_time_is_that_of_the_step_and_of_all_keys),
		cmocka_unit_test(hopping_windows_begin_at_zero),
		cmocka_unit_test(hopping_windows_close_one_by_one),
		cmocka_unit_test(a_step_that_sets_a_negative_time_makes_a_dead_letter),
		cmocka_unit_test(the_end_of_time_is_an_ordinary_time),
		cmocka_unit_test(windows_of_any_size_hold_the_ends_of_time_over_restarts),
		cmocka_unit_test(windows_without_a_size_hold_the_ends_of_time_too),
		cmocka_unit_test(closed_windows_can_be_read_as_long_as_they_are_retained),
		cmocka_unit_test(expired_windows_leave_the_changelog_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
