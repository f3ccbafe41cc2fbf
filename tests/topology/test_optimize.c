/* What weir_topology_optimize makes of a graph: the same results over fewer topics. */
#include "tests/topology/topology_test.h"

static weir_bytes first_letter(weir_context *cx, const weir_record *r, void *user)
{
	const weir_bytes *v = weir_value(r);

	(void)cx, (void)user;
	return v->len ? weir_bytes_of(v->data, 1) : WEIR_NULL;
}

static bool is_long(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)user;
	return ((const weir_bytes *)weir_value(r))->len > 3;
}

static const void *length(weir_context *cx, const weir_record *r, void *user)
{
	int64_t *n = weir_alloc(cx, sizeof *n);

	(void)user;
	*n = (int64_t)((const weir_bytes *)weir_value(r))->len;
	return n;
}

static const void *sum(weir_context *cx, const void *aggregate, const void *value, void *user)
{
	int64_t *n = weir_alloc(cx, sizeof *n);

	(void)user;
	*n = *(const int64_t *)aggregate + *(const int64_t *)value;
	return n;
}

/* Below one key: all, the long ones, and the lengths of those. */
static weir_topology *three_below(unsigned what)
{
	weir_topology *t = weir_topology_new("app");

	weir_topology_optimize(t, what);
	weir_stream *by_letter = weir_key_by(text_source(t, "in"), "by-letter", first_letter, NULL);
	weir_stream *longs = weir_filter(by_letter, "longs", is_long, NULL);
	weir_stream *lengths = weir_map_values(longs, "lengths", length, &weir_int64, NULL);

	weir_sink(weir_changes(weir_count(longs, "long-count", (weir_window){ 0 })), "longs-out",
		  (weir_sink_opts){ 0 });
	weir_sink(weir_changes(weir_reduce(lengths, "length-sum", sum, (weir_window){ 0 }, NULL)), "lengths-out",
		  (weir_sink_opts){ 0 });
	weir_sink(weir_changes(weir_count(by_letter, "count", (weir_window){ 0 })), "out", (weir_sink_opts){ 0 });
	return t;
}

static void one_repartition_serves_all_steps_with_state_below_a_changed_key(void **state)
{
	for (unsigned what = 0; what < 2; what++) {
		weir_driver *d = driver(three_below(what ? WEIR_MERGE_REPARTITIONS : 0),
					(weir_driver_opts){ .partitions = 2 });

		weir_driver_pipe(d, "in", "x", "ant", 1);
		weir_driver_pipe(d, "in", "y", "anteater", 2);
		weir_driver_pipe(d, "in", "z", "aardvark", 3);
		assert_numbers(d, "out", "a=1@1", "a=2@2", "a=3@3");
		assert_numbers(d, "longs-out", "a=1@2", "a=2@3");
		assert_numbers(d, "lengths-out", "a=8@2", "a=16@3");
		assert_int_equal(partitions_of(d, "app-long-count-by-key-repartition"), 2);
		assert_int_equal(partitions_of(d, "app-length-sum-by-key-repartition"), what ? 0 : 2);
		assert_int_equal(partitions_of(d, "app-count-by-key-repartition"), what ? 0 : 2);
		must(weir_driver_restart(d, true, &err));
		weir_driver_pipe(d, "in", "z", "asp", 4);
		assert_numbers(d, "out", "a=4@4");
		weir_driver_free(d);
	}
	(void)state;
}

static void a_single_step_with_state_keeps_its_repartition_where_it_is(void **state)
{
	weir_topology *t = weir_topology_new("app");
	char text_of[2000] = "";

	(void)state;
	weir_topology_optimize(t, WEIR_MERGE_REPARTITIONS);
	weir_stream *by_letter = weir_key_by(text_source(t, "in"), "by-letter", first_letter, NULL);

	weir_count(weir_filter(by_letter, "longs", is_long, NULL), "count", (weir_window){ 0 });
	FILE *out = fmemopen(text_of, sizeof text_of, "w");

	weir_topology_describe(t, WEIR_TEXT, out);
	fclose(out);
	assert_contains(text_of, "longs (filter)\n    --> count-by-key-write");
	weir_topology_free(t);
}

static void another_change_of_the_key_has_its_own(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_topology_optimize(t, WEIR_MERGE_REPARTITIONS);
	weir_stream *by_letter = weir_key_by(text_source(t, "in"), "by-letter", first_letter, NULL);

	weir_count(by_letter, "a", (weir_window){ 0 });
	weir_count(by_letter, "b", (weir_window){ 0 });
	weir_stream *again = weir_key_by(by_letter, "again", first_letter, NULL);

	weir_count(again, "c", (weir_window){ 0 });
	weir_count(again, "d", (weir_window){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "x", "ant", 1);
	assert_int_equal(partitions_of(d, "app-a-by-key-repartition"), 1);
	assert_int_equal(partitions_of(d, "app-b-by-key-repartition"), 0);
	assert_int_equal(partitions_of(d, "app-c-by-key-repartition"), 1);
	assert_int_equal(partitions_of(d, "app-d-by-key-repartition"), 0);
	for (const char *name = "abcd"; *name; name++) {
		char store[2] = { *name, 0 };

		assert_int_equal(
			weir_get_be64(weir_store_get(weir_driver_store(d, store, 0), weir_str("a"), NULL).data), 1);
	}
	weir_driver_free(d);
}

static int32_t always_the_last(weir_context *cx, const weir_record *r, int32_t partitions, void *user)
{
	(void)cx, (void)r, (void)user;
	return partitions - 1;
}

static void a_repartition_may_have_a_partitioner_of_its_own(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_driver_record r;

	(void)state;
	weir_repartition(text_source(t, "in"), "through",
			 (weir_repartition_opts){ .partitions = 5, .partition = always_the_last });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	for (int i = 0; i < 5; i++) {
		weir_driver_pipe(d, "in", i % 2 ? "a" : "b", "v", i);
		assert_true(weir_driver_read(d, "app-through-repartition", &r));
		assert_int_equal(r.partition, 4);
	}
	weir_driver_free(d);
}

static void tables_have_their_topics_as_changelogs_where_they_can(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_topology_optimize(t, WEIR_REUSE_TABLE_TOPICS);
	weir_table_source(t, "people", (weir_table_source_opts){ .value = &weir_utf8 });
	weir_table_source(t, "unlogged", (weir_table_source_opts){ .store.unlogged = true });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "people", "a", "Ann", 1);
	must(weir_driver_restart(d, true, &err));
	assert_bytes(weir_store_get(weir_driver_store(d, "people", 0), weir_str("a"), NULL), "Ann");
	assert_int_equal(partitions_of(d, "app-people-changelog"), 0);
	weir_driver_free(d);
}

static void it_is_asked_for_before_the_first_step(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_error why = { .code = WEIR_OK };

	(void)state;
	text_source(t, "in");
	weir_topology_optimize(t, WEIR_MERGE_REPARTITIONS);
	assert_false(weir_topology_check(t, &why));
	assert_contains(why.message, "before its first step");
	weir_topology_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_repartition_serves_all_steps_with_state_below_a_changed_key),
		cmocka_unit_test(a_single_step_with_state_keeps_its_repartition_where_it_is),
		cmocka_unit_test(another_change_of_the_key_has_its_own),
		cmocka_unit_test(a_repartition_may_have_a_partitioner_of_its_own),
		cmocka_unit_test(tables_have_their_topics_as_changelogs_where_they_can),
		cmocka_unit_test(it_is_asked_for_before_the_first_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
