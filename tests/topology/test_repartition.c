#include "tests/topology/topology_test.h"

static weir_bytes value_as_key(weir_context *cx, const weir_record *r, void *user)
{
	const weir_bytes *value = weir_value(r);

	(void)cx, (void)user;
	return value ? *value : WEIR_NULL;
}

static int64_t first_of(weir_driver *d, const char *topic, int64_t *end)
{
	int64_t first;

	must(weir_offsets_range(weir_driver_cluster(d), topic, 0, &first, end, &err));
	return first;
}

static void an_explicit_repartition_has_as_many_partitions_as_asked_for(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_driver_record r;

	(void)state;
	weir_stream *through = weir_repartition(weir_key_by(text_source(t, "in"), "by-value", value_as_key, NULL),
						"through", (weir_repartition_opts){ .partitions = 5 });

	weir_sink(through, "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ .partitions = 2 });

	assert_int_equal(partitions_of(d, "app-through-repartition"), 5);
	for (int i = 0; i < 20; i++) {
		char value[8];

		snprintf(value, sizeof value, "v%d", i);
		weir_driver_pipe(d, "in", "k", value, i);
		assert_true(weir_driver_read(d, "app-through-repartition", &r));
		assert_bytes(r.key, value);
		assert_int_equal(r.partition, weir_partition_for_key(r.key, 5));
		assert_int_equal(r.timestamp_ms, i > 0 ? i : 1);
		assert_true(weir_driver_read(d, "out", &r));
		assert_bytes(r.value, value);
	}
	weir_driver_free(d);
}

static void a_count_behind_a_changed_key_repartitions_by_itself(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_stream *keyed = weir_key_by(text_source(t, "in"), "by-value", value_as_key, NULL);

	weir_sink(weir_changes(weir_count(keyed, "counts", (weir_window){ 0 })), "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ .partitions = 3 });

	assert_int_equal(partitions_of(d, "app-counts-by-key-repartition"), 3);
	assert_int_equal(partitions_of(d, "app-counts-changelog"), 3);
	/* Different keys, so different partitions: only by the new key can they meet. */
	weir_driver_pipe(d, "in", "a", "v", 1);
	weir_driver_pipe(d, "in", "b", "v", 2);
	weir_driver_pipe(d, "in", "c", "v", 3);
	assert_numbers(d, "out", "v=1@1", "v=2@2", "v=3@3");
	weir_driver_pipe(d, "in", "d", "w", 4);
	assert_numbers(d, "out", "w=1@4");
	weir_driver_free(d);
}

static bool everything(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)r, (void)user;
	return true;
}

static const void *same(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)user;
	return weir_value(r);
}

static void steps_that_keep_the_key_need_no_repartition(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_stream *s = weir_filter(text_source(t, "in"), "all", everything, NULL);

	s = weir_map_values(s, "same", same, NULL, NULL);
	weir_sink(weir_changes(weir_count(s, "counts", (weir_window){ 0 })), "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	assert_int_equal(partitions_of(d, "app-counts-by-key-repartition"), 0);
	weir_driver_pipe(d, "in", "k", "v", 1);
	assert_numbers(d, "out", "k=1@1");
	weir_driver_free(d);
}

static void a_merge_with_one_changed_key_repartitions_both(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_stream *changed = weir_key_by(text_source(t, "a"), "by-value", value_as_key, NULL);
	weir_stream *both = weir_merge(text_source(t, "b"), "both", changed);

	weir_sink(weir_changes(weir_count(both, "counts", (weir_window){ 0 })), "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ .partitions = 4 });

	assert_int_equal(partitions_of(d, "app-counts-by-key-repartition"), 4);
	weir_driver_pipe(d, "a", "x", "k", 1);
	weir_driver_pipe(d, "b", "k", "v", 2);
	assert_numbers(d, "out", "k=1@1", "k=2@2");
	weir_driver_free(d);
}

static void null_values_pass_through_and_null_keys_are_dead_letters(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_sink(weir_repartition(text_source(t, "in"), "through", (weir_repartition_opts){ 0 }), "out",
		  (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", NULL, "v", 1);
	weir_driver_pipe(d, "in", "k", NULL, 2);
	weir_driver_pipe(d, "in", NULL, NULL, 3);
	assert_text(d, "out", "k=null@2");
	assert_dead_letter(d, "v", "null key");
	weir_driver_free(d);
}

static const void *left_or_none(weir_context *cx, weir_bytes key, const void *left, const void *right, void *user)
{
	(void)cx, (void)key, (void)right, (void)user;
	return left;
}

static weir_bytes null_key(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)r, (void)user;
	return WEIR_NULL;
}

static void a_repartition_put_in_passes_null_keys_on_only_to_joins_that_want_them(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_stream *changed = weir_key_by(text_source(t, "in"), "no-key", null_key, NULL);
	weir_table *rows = weir_table_source(t, "rows", (weir_table_source_opts){ 0 });

	weir_count(changed, "counts", (weir_window){ 0 });
	weir_sink(weir_left_join_table(changed, "joined", rows, left_or_none, (weir_join_table_opts){ 0 }, NULL),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });
	weir_driver_record r;

	weir_driver_pipe(d, "in", "k", "v", 1);
	assert_text(d, "out", "null=v@1");
	assert_dead_letter(d, "v", "null key"); /* the source's record: it is known where it came from */
	assert_true(weir_driver_read(d, "app-joined-by-key-repartition", &r));
	assert_false(weir_driver_read(d, "app-counts-by-key-repartition", &r));
	weir_driver_free(d);
}

/* Whatever lies between: here a repartition of one's own, another key, and an aggregate's changes. */
static void null_keys_go_on_if_a_left_join_lies_anywhere_below(void **state)
{
	for (int left = 0; left < 2; left++) {
		weir_topology *t = weir_topology_new("app");
		weir_stream *changed = weir_key_by(text_source(t, "in"), "no-key", null_key, NULL);
		weir_stream *again = weir_repartition(changed, "again", (weir_repartition_opts){ 0 });
		weir_global *rows = weir_global_table(t, "rows", (weir_global_opts){ 0 });
		weir_stream *counts = weir_changes(weir_count(again, "counts", (weir_window){ 0 }));

		weir_sink(again, "out", (weir_sink_opts){ 0 });
		weir_sink((left ? weir_left_join_global : weir_join_global)(counts, "joined", rows, null_key,
									    left_or_none,
									    (weir_join_table_opts){ 0 }, NULL),
			  "joined-out", (weir_sink_opts){ 0 });
		weir_driver *d = driver(t, (weir_driver_opts){ 0 });

		weir_driver_pipe(d, "in", "k", "v", 1);
		if (left)
			assert_text(d, "out", "null=v@1");
		else
			assert_nothing(d, "out");
		assert_dead_letter(d, "v", "null key"); /* of the count, or before its topic */
		weir_driver_free(d);
	}
	(void)state;
}

/* Counts of how often a count has come up: two changes of key, one behind the other. */
static weir_bytes count_as_key(weir_context *cx, const weir_record *r, void *user)
{
	char *key = weir_alloc(cx, 24);

	(void)user;
	snprintf(key, 24, "%lld", (long long)*(const int64_t *)weir_value(r));
	return weir_str(key);
}

static void repartitions_can_follow_each_other(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_stream *words = weir_key_by(text_source(t, "in"), "by-value", value_as_key, NULL);
	weir_table *counts = weir_count(words, "counts", (weir_window){ 0 });
	weir_stream *by_count = weir_key_by(weir_changes(counts), "by-count", count_as_key, NULL);

	weir_sink(weir_changes(weir_count(by_count, "histogram", (weir_window){ 0 })), "out",
		  (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ .partitions = 2 });

	weir_driver_pipe(d, "in", "1", "a", 1);
	assert_numbers(d, "out", "1=1@1");
	weir_driver_pipe(d, "in", "2", "a", 2);
	assert_numbers(d, "out", "2=1@2");
	weir_driver_pipe(d, "in", "3", "b", 3);
	assert_numbers(d, "out", "1=2@3");
	weir_driver_free(d);
}

static void a_stream_is_merged_with_what_lies_behind_its_own_repartition(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = text_source(t, "in");
	weir_stream *again = weir_repartition(weir_key_by(in, "by-value", value_as_key, NULL), "again",
					      (weir_repartition_opts){ 0 });
	weir_stream *both = weir_merge(in, "both", again);

	(void)state;
	weir_sink(weir_changes(weir_count(both, "counts", (weir_window){ 0 })), "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ .partitions = 3 });

	assert_int_equal(partitions_of(d, "app-again-repartition"), 3);
	assert_int_equal(partitions_of(d, "app-counts-changelog"), 3);
	weir_driver_pipe(d, "in", "a", "b", 1);
	weir_driver_pipe(d, "in", "b", "b", 2);
	weir_driver_pipe(d, "in", "b", "a", 3);
	assert_numbers(d, "out", "a=1@1", "a=2@3", "b=1@1", "b=2@2", "b=3@2", "b=4@3"); /* by partition */
	weir_driver_stop(d, true);
	weir_driver_pipe(d, "in", "a", "a", 4);
	must(weir_driver_start(d, NULL, &err));
	assert_numbers(d, "out", "a=3@4", "a=4@4");
	weir_driver_free(d);
}

static void repartitions_that_wait_for_each_other_have_as_many_partitions_as_the_largest_input(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *few = text_source(t, "few");
	weir_stream *many =
		weir_repartition(text_source(t, "in"), "many", (weir_repartition_opts){ .partitions = 5 });
	/* the task of `few` writes x and reads y, that of `many` reads x and writes y */
	weir_stream *x = weir_repartition(few, "x", (weir_repartition_opts){ 0 });
	weir_stream *y = weir_repartition(weir_merge(many, "many-and-x", x), "y", (weir_repartition_opts){ 0 });

	(void)state;
	weir_sink(weir_merge(few, "few-and-y", y), "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ .partitions = 2 });

	assert_int_equal(partitions_of(d, "app-x-repartition"), 5);
	assert_int_equal(partitions_of(d, "app-y-repartition"), 5);
	weir_driver_pipe(d, "few", "k", "v", 1);
	assert_text(d, "out", "k=v@1", "k=v@1");
	weir_driver_pipe(d, "in", "k", "w", 2);
	assert_text(d, "out", "k=w@2");
	weir_driver_free(d);
}

static void a_loop_of_repartitions_that_feeds_a_store_unevenly_is_refused(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = text_source(t, "in");
	weir_stream *again = weir_repartition(in, "again", (weir_repartition_opts){ .partitions = 5 });
	weir_error err = { .code = WEIR_OK };

	(void)state;
	weir_sink(weir_changes(weir_count(weir_merge(in, "both", again), "counts", (weir_window){ 0 })), "out",
		  (weir_sink_opts){ 0 });
	assert_null(weir_driver_new(t, (weir_driver_opts){ .partitions = 3 }, &err));
	assert_contains(err.message, "\"in\" (3 partitions) and \"app-again-repartition\" (5)");
}

static void a_repartition_topic_is_purged_behind_the_commit(void **state)
{
	weir_topology *t = weir_topology_new("app");
	int64_t end;

	(void)state;
	weir_sink(weir_repartition(text_source(t, "in"), "through", (weir_repartition_opts){ 0 }), "out",
		  (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	for (int i = 0; i < 50; i++)
		weir_driver_pipe(d, "in", "k", "v", 1);
	assert_int_equal(first_of(d, "app-through-repartition", &end), 0);
	assert_true(end >= 50);
	weir_driver_advance(d, WEIR_SECONDS(31));
	assert_int_equal(first_of(d, "app-through-repartition", &end), end);
	/* What others filled is theirs. */
	assert_int_equal(first_of(d, "in", &end), 0);
	weir_driver_pipe(d, "in", "k", "after", 2);
	for (int i = 0; i < 50; i++)
		assert_string_equal(weir_driver_read_text(d, "out", false, false), "k=v@1");
	assert_text(d, "out", "k=after@2");
	weir_driver_free(d);
}

static void look_away(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)r, (void)user;
}

static weir_topology *retaining(void)
{
	weir_topology *t = weir_topology_new("app");

	weir_for_each(weir_source(t, "in", (weir_source_opts){ .retain_ms = WEIR_HOURS(1) }), "end", look_away,
		      NULL);
	return t;
}

static void a_source_deletes_what_is_older_than_it_retains(void **state)
{
	weir_driver *d = driver(retaining(), (weir_driver_opts){ 0 });
	int64_t end;

	(void)state;
	for (int i = 0; i <= 120; i++)
		weir_driver_pipe(d, "in", "k", "v", WEIR_MINUTES(i));
	assert_int_equal(first_of(d, "in", &end), 0);
	weir_driver_advance(d, WEIR_SECONDS(31));
	/* Minute 120 is the newest, minute 60 is exactly an hour older and stays. */
	assert_int_equal(first_of(d, "in", &end), 60);
	assert_int_equal(end, 121);
	weir_driver_advance(d, WEIR_DAYS(1)); /* time without records deletes nothing */
	assert_int_equal(first_of(d, "in", &end), 60);
	weir_driver_free(d);
}

static void a_future_date_does_not_make_the_present_look_old(void **state)
{
	int64_t now_ms = 1704067200000, end;
	weir_driver *d = driver(retaining(), (weir_driver_opts){ .now_ms = now_ms });

	(void)state;
	weir_driver_pipe(d, "in", "k", "old", now_ms - WEIR_HOURS(2));
	weir_driver_pipe(d, "in", "k", "present", now_ms);
	weir_driver_pipe(d, "in", "k", "future", now_ms + WEIR_DAYS(365));
	weir_driver_advance(d, WEIR_SECONDS(31));
	assert_int_equal(first_of(d, "in", &end), 1);
	weir_driver_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_explicit_repartition_has_as_many_partitions_as_asked_for),
		cmocka_unit_test(a_count_behind_a_changed_key_repartitions_by_itself),
		cmocka_unit_test(steps_that_keep_the_key_need_no_repartition),
		cmocka_unit_test(a_merge_with_one_changed_key_repartitions_both),
		cmocka_unit_test(null_values_pass_through_and_null_keys_are_dead_letters),
		cmocka_unit_test(a_repartition_put_in_passes_null_keys_on_only_to_joins_that_want_them),
		cmocka_unit_test(null_keys_go_on_if_a_left_join_lies_anywhere_below),
		cmocka_unit_test(repartitions_can_follow_each_other),
		cmocka_unit_test(a_stream_is_merged_with_what_lies_behind_its_own_repartition),
		cmocka_unit_test(
			repartitions_that_wait_for_each_other_have_as_many_partitions_as_the_largest_input),
		cmocka_unit_test(a_loop_of_repartitions_that_feeds_a_store_unevenly_is_refused),
		cmocka_unit_test(a_repartition_topic_is_purged_behind_the_commit),
		cmocka_unit_test(a_source_deletes_what_is_older_than_it_retains),
		cmocka_unit_test(a_future_date_does_not_make_the_present_look_old),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
