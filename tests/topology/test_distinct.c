/* How many different members a key has had in a window. */
#include "tests/topology/topology_test.h"

enum { EXACT_MAX = 100 };

static const weir_window hour = { .size_ms = WEIR_HOURS(1), .grace_ms = WEIR_MINUTES(5) };

static void add_member(weir_context *cx, const weir_record *r, void *aggregate, void *user)
{
	const weir_bytes *member = weir_value(r);

	(void)user;
	weir_distinct_add(cx, weir_context_store(cx, "members"), r->key, r->window_start_ms, *member, EXACT_MAX,
			  aggregate);
}

static weir_driver *counting(const char *state_dir)
{
	weir_topology *t = weir_topology_new("app");
	weir_aggregator a = { .value = &weir_int64, .add = add_member, .stores = { "members" } };

	weir_distinct_store(t, "members", hour);
	weir_sink(weir_changes(weir_aggregate(text_source(t, "in"), "distinct", a, hour)), "out",
		  (weir_sink_opts){ 0 });
	return driver(t, (weir_driver_opts){ .state_dir = state_dir });
}

static void pipe_member(weir_driver *d, const char *key, int member, int64_t timestamp_ms)
{
	char name[16];

	snprintf(name, sizeof name, "user-%d", member);
	weir_driver_pipe(d, "in", key, name, timestamp_ms);
}

static int64_t count_of(weir_driver *d, const char *key, int64_t start_ms)
{
	weir_bytes value = weir_window_get(weir_driver_store(d, "distinct", 0), weir_str(key), start_ms, NULL);

	return weir_is_null(value) ? 0 : weir_get_be64(value.data);
}

static int members_stored(weir_driver *d)
{
	weir_iterator *it = weir_window_fetch_all(weir_driver_store(d, "members", 0), 0, INT64_MAX);
	weir_entry e;
	int n = 0;

	while (weir_iterator_next(it, &e))
		n += e.value.len == 0;
	weir_iterator_close(it);
	return n;
}

static void members_count_once_for_each_key_and_window(void **state)
{
	weir_driver *d = counting(NULL);

	(void)state;
	for (int i = 0; i < 3; i++)
		for (int member = 0; member < 10; member++) {
			pipe_member(d, "a", member, 1 + i);
			pipe_member(d, "ab", member / 2, 1 + i);
			pipe_member(d, "", member / 5, 1 + i);
		}
	for (int member = 0; member < 4; member++)
		pipe_member(d, "a", member, WEIR_HOURS(1));
	assert_int_equal(count_of(d, "a", 0), 10);
	assert_int_equal(count_of(d, "ab", 0), 5);
	assert_int_equal(count_of(d, "", 0), 2);
	assert_int_equal(count_of(d, "a", WEIR_HOURS(1)), 4);
	weir_driver_free(d);
}

static void up_to_the_limit_the_count_is_exact_and_beyond_it_goes_on(void **state)
{
	weir_driver *d = counting(NULL);

	(void)state;
	for (int member = 0; member < EXACT_MAX; member++) {
		pipe_member(d, "k", member, 1);
		pipe_member(d, "k", member / 2, 1);
		assert_int_equal(count_of(d, "k", 0), member + 1);
	}
	assert_int_equal(members_stored(d), EXACT_MAX);
	pipe_member(d, "k", 0, 1); /* known: nothing changes at the limit */
	assert_int_equal(count_of(d, "k", 0), EXACT_MAX);
	assert_int_equal(members_stored(d), EXACT_MAX);

	int64_t last = EXACT_MAX;

	for (int member = EXACT_MAX; member < 3 * EXACT_MAX; member++) {
		pipe_member(d, "k", member, 1);
		assert_int_equal(members_stored(d), 0); /* they are a sketch now */
		assert_true(count_of(d, "k", 0) >= last);
		last = count_of(d, "k", 0);
		assert_true(last > EXACT_MAX && llabs(last - (member + 1)) <= 5);
	}
	for (int member = 0; member < 3 * EXACT_MAX; member++)
		pipe_member(d, "k", member, 1);
	assert_int_equal(count_of(d, "k", 0), last);
	weir_driver_free(d);
}

static void the_estimate_of_thirty_thousand_is_within_two_and_a_half_percent(void **state)
{
	weir_driver *d = counting(NULL);

	(void)state;
	weir_driver_stop(d, false);
	for (int member = 0; member < 30000; member++)
		pipe_member(d, "k", member, 1);
	must(weir_driver_start(d, NULL, &err));
	assert_in_range(count_of(d, "k", 0), 30000 * 975 / 1000, 30000 * 1025 / 1000);
	weir_driver_free(d);
}

static void counts_survive_restarts_on_both_sides_of_the_limit(void **state)
{
	for (int on_disk = 0; on_disk < 2; on_disk++) {
		char *dir = temporary_directory();
		weir_driver *d = counting(on_disk ? dir : NULL), *whole = counting(NULL);

		for (int member = 0; member < 2 * EXACT_MAX; member++) {
			if (member % 13 == 0)
				must(weir_driver_restart(d, member % 2, &err));
			pipe_member(d, "k", member, 1);
			pipe_member(d, "k", member / 3, 1);
			pipe_member(whole, "k", member, 1);
			assert_int_equal(count_of(d, "k", 0), count_of(whole, "k", 0));
		}
		weir_driver_free(whole);
		weir_driver_free(d);
		remove_directory(dir);
	}
	(void)state;
}

static int drain(weir_driver *d, const char *topic, size_t *bytes)
{
	weir_driver_record r;
	int n = 0;

	*bytes = 0;
	while (weir_driver_read(d, topic, &r)) {
		*bytes += r.key.len + r.value.len;
		n++;
	}
	return n;
}

static void a_new_member_costs_one_small_record_in_the_changelog(void **state)
{
	weir_driver *d = counting(NULL);
	size_t bytes;

	(void)state;
	pipe_member(d, "k", 0, 1);
	drain(d, "app-members-changelog", &bytes);
	for (int member = 1; member < EXACT_MAX; member++) {
		pipe_member(d, "k", member, 1);
		assert_int_equal(drain(d, "app-members-changelog", &bytes), 1);
		/* length of the key, key, kind, member, window's start, sequence number: and an empty value */
		assert_int_equal(bytes, 4 + 1 + 1 + (member < 10 ? 6 : 7) + 12);
		pipe_member(d, "k", member, 1);
		assert_int_equal(drain(d, "app-members-changelog", &bytes), 0);
	}
	pipe_member(d, "k", EXACT_MAX, 1); /* once: members go, chunks of the sketch come */
	drain(d, "app-members-changelog", &bytes);
	for (int member = EXACT_MAX + 1; member < 3 * EXACT_MAX; member++) {
		pipe_member(d, "k", member, 1);
		assert_true(drain(d, "app-members-changelog", &bytes) <= 1); /* the chunk that it has changed */
	}
	weir_driver_free(d);
}

static void members_are_kept_as_long_as_their_window_takes_records(void **state)
{
	weir_driver *d = counting(NULL);

	(void)state;
	pipe_member(d, "k", 1, WEIR_MINUTES(59));
	pipe_member(d, "k", 2, WEIR_MINUTES(64)); /* the first window is open for another minute */
	pipe_member(d, "k", 1, WEIR_MINUTES(30));
	pipe_member(d, "k", 3, WEIR_MINUTES(31));
	assert_int_equal(count_of(d, "k", 0), 2);
	pipe_member(d, "k", 2, WEIR_MINUTES(65));
	pipe_member(d, "k", 4, WEIR_MINUTES(31));
	assert_dead_letter(d, "user-4", "late");
	assert_int_equal(count_of(d, "k", WEIR_HOURS(1)), 1);
	weir_driver_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_count_once_for_each_key_and_window),
		cmocka_unit_test(up_to_the_limit_the_count_is_exact_and_beyond_it_goes_on),
		cmocka_unit_test(the_estimate_of_thirty_thousand_is_within_two_and_a_half_percent),
		cmocka_unit_test(counts_survive_restarts_on_both_sides_of_the_limit),
		cmocka_unit_test(a_new_member_costs_one_small_record_in_the_changelog),
		cmocka_unit_test(members_are_kept_as_long_as_their_window_takes_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
