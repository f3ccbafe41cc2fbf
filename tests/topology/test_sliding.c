/* Sliding windows (KIP-450). */
#include "tests/topology/topology_test.h"

static weir_topology *sliding(int64_t difference_ms, int64_t grace_ms)
{
	weir_topology *t = weir_topology_new("sliding");

	weir_sink(weir_changes(weir_count(text_source(t, "in"), "counts",
					  (weir_window){ .difference_ms = difference_ms, .grace_ms = grace_ms })),
		  "out", (weir_sink_opts){ 0 });
	return t;
}

static void each_record_ends_a_window_and_begins_one_for_those_behind_it(void **state)
{
	weir_driver *d = driver(sliding(10, 100), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", "k", "a", 20);
	assert_windowed_numbers(d, "out", "k[10]=1@20");
	weir_driver_pipe(d, "in", "k", "b", 25);
	assert_windowed_numbers(d, "out", "k[21]=1@25", "k[15]=2@25");
	weir_driver_pipe(d, "in", "k", "c", 31); /* a no longer, b still */
	assert_windowed_numbers(d, "out", "k[21]=2@31", "k[26]=1@31");
	weir_driver_pipe(d, "in", "k", "again", 31);
	assert_windowed_numbers(d, "out", "k[26]=2@31", "k[21]=3@31");
	weir_driver_pipe(d, "in", "k", "out of order", 22);
	assert_windowed_numbers(d, "out", "k[21]=4@31", "k[15]=3@25", "k[12]=2@22", "k[23]=3@31");
	weir_driver_free(d);
}

static void records_near_the_epoch_share_a_window(void **state)
{
	weir_driver *d = driver(sliding(10, 100), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", "k", "a", 3);
	weir_driver_pipe(d, "in", "k", "b", 5);
	assert_windowed_numbers(d, "out", "k[0]=1@3", "k[4]=1@5", "k[0]=2@5");
	weir_driver_free(d);
}

static void a_record_too_late_for_all_its_windows_is_a_dead_letter(void **state)
{
	weir_driver *d = driver(sliding(10, 5), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", "other", "a", 100);
	weir_driver_pipe(d, "in", "k", "late", 84);           /* 84 + 10 < 100 - 5 */
	weir_driver_pipe(d, "in", "k", "no window left", 90); /* [80, 90] is closed */
	weir_driver_pipe(d, "in", "k", "in time", 95);
	weir_driver_pipe(d, "in", "k", NULL, 99);
	assert_windowed_numbers(d, "out", "other[90]=1@100", "k[85]=1@95");
	assert_dead_letter(d, "late", "late");
	assert_dead_letter(d, "no window left", "late");
	weir_driver_free(d);
}

/* A record that is just in time still follows the one before it, however near that is to the retention. */
static void a_late_record_finds_the_one_before_it(void **state)
{
	weir_driver *d = driver(sliding(10, 12), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", "k", "a", 141);
	weir_driver_pipe(d, "in", "k", "b", 162);
	weir_driver_pipe(d, "in", "k", "c", 163);
	assert_windowed_numbers(d, "out", "k[131]=1@141", "k[152]=1@162", "k[163]=1@163", "k[153]=2@163");
	weir_driver_pipe(d, "in", "k", "late", 143);
	assert_windowed_numbers(d, "out", "k[142]=1@143");
	weir_driver_free(d);
}

enum { SPAN = 1500, DIFFERENCE = 20 };

static int records_in(const int *count, int from, int to)
{
	int n = 0;

	for (int at = from; at <= to && at < SPAN; at++)
		n += count[at];
	return n;
}

/* Whether a window of that start must exist: it ends with a record, or begins behind one. */
static bool wanted(const int *count, int start)
{
	if (start == 0)
		return records_in(count, 0, DIFFERENCE) > 0;
	if (start + DIFFERENCE < SPAN && count[start + DIFFERENCE])
		return true;
	return count[start - 1] && records_in(count, start, start + DIFFERENCE);
}

static void windows_hold_what_falls_into_them_whatever_the_order(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 6; seed++) {
		char *dir = temporary_directory();
		weir_driver *d = driver(sliding(DIFFERENCE, 10 * SPAN),
					(weir_driver_opts){ .state_dir = seed % 2 ? dir : NULL });
		static int count[SPAN];
		weir_rng rng;

		memset(count, 0, sizeof count);
		rng = weir_rng_seeded(seed);
		for (int i = 0; i < 200; i++) {
			int at = (int)1 + (int)weir_rng_below(&rng, seed < 3 ? 60 : SPAN - 1);

			count[at]++;
			weir_driver_pipe(d, "in", "k", "v", at);
			if (weir_rng_below(&rng, 20) == 0)
				weir_driver_advance(d, WEIR_MINUTES(6));
			if (weir_rng_below(&rng, 20) == 0)
				must(weir_driver_restart(d, weir_rng_below(&rng, 2), &err));
		}
		weir_iterator *it =
			weir_window_fetch(weir_driver_store(d, "counts", 0), weir_str("k"), 0, SPAN, false);
		weir_entry e;

		for (int start = 0; start < SPAN; start++) {
			if (!wanted(count, start))
				continue;
			assert_true(weir_iterator_next(it, &e));
			assert_int_equal(e.start_ms, start);
			assert_int_equal(weir_get_be64(e.value.data), records_in(count, start, start + DIFFERENCE));
		}
		assert_false(weir_iterator_next(it, &e));
		weir_iterator_close(it);
		weir_driver_free(d);
		remove_directory(dir);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_record_ends_a_window_and_begins_one_for_those_behind_it),
		cmocka_unit_test(records_near_the_epoch_share_a_window),
		cmocka_unit_test(a_record_too_late_for_all_its_windows_is_a_dead_letter),
		cmocka_unit_test(a_late_record_finds_the_one_before_it),
		cmocka_unit_test(windows_hold_what_falls_into_them_whatever_the_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
