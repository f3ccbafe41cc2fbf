/* Mistakes of whoever builds a topology: each is told with the name of its step, and all at once. */
#include "tests/topology/topology_test.h"

static const weir_window none = { 0 };

static bool predicate(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)r, (void)user;
	return true;
}

static void process(weir_context *cx, const weir_record *r, void *state, void *user)
{
	(void)state, (void)user;
	weir_forward(cx, r);
}

static void add(weir_context *cx, const weir_record *r, void *aggregate, void *user)
{
	(void)cx, (void)r, (void)aggregate, (void)user;
}

static const void *fold(weir_context *cx, const weir_record *r, const void *aggregate, void *user)
{
	(void)cx, (void)r, (void)user;
	return aggregate;
}

/* --- one mistake each -------------------------------------------------------------------------------------------
 * */

static void space_in_name(weir_topology *t, weir_stream *in)
{
	(void)t;
	weir_filter(in, "bad name", predicate, NULL);
}

static void no_name(weir_topology *t, weir_stream *in)
{
	(void)t;
	weir_sink(in, NULL, (weir_sink_opts){ .topic = "out" });
}

static void empty_name(weir_topology *t, weir_stream *in)
{
	(void)t;
	weir_repartition(in, NULL, (weir_repartition_opts){ 0 });
}

static void name_used_twice(weir_topology *t, weir_stream *in)
{
	(void)t;
	weir_filter(weir_filter(in, "twice", predicate, NULL), "twice", predicate, NULL);
}

static void topic_read_twice(weir_topology *t, weir_stream *in)
{
	(void)in;
	weir_source(t, "again", (weir_source_opts){ .topic = "in" });
}

static void no_predicate(weir_topology *t, weir_stream *in)
{
	(void)t;
	weir_filter_not(in, "filter", NULL, NULL);
}

static void no_map(weir_topology *t, weir_stream *in)
{
	(void)t;
	weir_map_values(in, "map", NULL, NULL, NULL);
}

static void no_key(weir_topology *t, weir_stream *in)
{
	(void)t;
	weir_key_by(in, "key", NULL, NULL);
}

static void no_look(weir_topology *t, weir_stream *in)
{
	(void)t;
	weir_for_each(in, "each", NULL, NULL);
}

static void no_cases(weir_topology *t, weir_stream *in)
{
	(void)t;
	weir_branch(in, "branch", NULL, 0, NULL);
}

static void case_without_name(weir_topology *t, weir_stream *in)
{
	const weir_case cases[] = { { .when = predicate } };
	weir_stream *out[1];

	(void)t;
	weir_branch(in, "branch", cases, 1, out);
}

static void no_process(weir_topology *t, weir_stream *in)
{
	(void)t;
	weir_process(in, "process", (weir_processor){ .state_size = 4 });
}

static void unknown_store(weir_topology *t, weir_stream *in)
{
	(void)t;
	weir_process(in, "process", (weir_processor){ .process = process, .stores = { "nowhere" } });
}

static void unused_store(weir_topology *t, weir_stream *in)
{
	(void)in;
	weir_add_store(t, "unused", (weir_store_opts){ 0 });
}

static void store_used_twice(weir_topology *t, weir_stream *in)
{
	weir_add_store(t, "counts", (weir_store_opts){ 0 });
	weir_count(in, "counts", none);
}

static void store_without_name(weir_topology *t, weir_stream *in)
{
	(void)in;
	weir_add_store(t, NULL, (weir_store_opts){ 0 });
}

static void windowed_store_that_keeps_nothing(weir_topology *t, weir_stream *in)
{
	weir_add_store(t, "store", (weir_store_opts){ .windowed = true });
	weir_process(in, "process", (weir_processor){ .process = process, .stores = { "store" } });
}

static void negative_window(weir_topology *t, weir_stream *in)
{
	(void)t;
	weir_count(in, "counts", (weir_window){ .size_ms = 10, .grace_ms = -1 });
}

static void window_without_size(weir_topology *t, weir_stream *in)
{
	(void)t;
	weir_count(in, "counts", (weir_window){ .grace_ms = 10 });
}

static void gaps_between_windows(weir_topology *t, weir_stream *in)
{
	(void)t;
	weir_count(in, "counts", (weir_window){ .size_ms = 10, .advance_ms = 11 });
}

static void short_retention(weir_topology *t, weir_stream *in)
{
	(void)t;
	weir_count(in, "counts", (weir_window){ .size_ms = 10, .grace_ms = 5, .retain_ms = 14 });
}

static void no_reduce(weir_topology *t, weir_stream *in)
{
	(void)t;
	weir_reduce(in, "reduce", NULL, none, NULL);
}

static void neither_add_nor_fold(weir_topology *t, weir_stream *in)
{
	(void)t;
	weir_aggregate(in, "aggregate", (weir_aggregator){ .value = &weir_int64 }, none);
}

static void add_and_fold(weir_topology *t, weir_stream *in)
{
	(void)t;
	weir_aggregate(in, "aggregate", (weir_aggregator){ .value = &weir_int64, .add = add, .fold = fold }, none);
}

static void add_without_size(weir_topology *t, weir_stream *in)
{
	(void)t;
	weir_aggregate(in, "aggregate", (weir_aggregator){ .value = &weir_utf8, .add = add }, none);
}

static void merge_of_two_serdes(weir_topology *t, weir_stream *in)
{
	weir_merge(in, "merge", weir_source(t, "numbers", (weir_source_opts){ .value = &weir_int64 }));
}

static void merge_of_windows(weir_topology *t, weir_stream *in)
{
	weir_stream *counts = weir_changes(weir_count(in, "counts", (weir_window){ .size_ms = 10 }));

	weir_merge(counts, "merge", weir_source(t, "numbers", (weir_source_opts){ .value = &weir_int64 }));
}

static weir_topology *other;

static void merge_with_another_topology(weir_topology *t, weir_stream *in)
{
	(void)t;
	weir_merge(in, "merge", text_source(other, "elsewhere"));
}

static void windows_repartitioned(weir_topology *t, weir_stream *in)
{
	(void)t;
	weir_repartition(weir_changes(weir_count(in, "counts", (weir_window){ .size_ms = 10 })), "through",
			 (weir_repartition_opts){ 0 });
}

static void windows_counted(weir_topology *t, weir_stream *in)
{
	(void)t;
	weir_count(weir_changes(weir_count(in, "counts", (weir_window){ .size_ms = 10 })), "again", none);
}

static void negative_partitions(weir_topology *t, weir_stream *in)
{
	(void)t;
	weir_repartition(in, "through", (weir_repartition_opts){ .partitions = -1 });
}

static void topic_and_topics(weir_topology *t, weir_stream *in)
{
	const char *topics[] = { "one", "two" };

	(void)in;
	weir_source(t, "second", (weir_source_opts){ .topic = "three", .topics = topics, .topic_count = 2 });
}

static void a_topic_of_several_twice(weir_topology *t, weir_stream *in)
{
	const char *topics[] = { "one", "one" };

	(void)in;
	weir_source(t, "second", (weir_source_opts){ .topics = topics, .topic_count = 2 });
}

static void negative_retention(weir_topology *t, weir_stream *in)
{
	(void)in;
	weir_source(t, "second", (weir_source_opts){ .retain_ms = -1 });
}

static void sessions_that_keep_nothing(weir_topology *t, weir_stream *in)
{
	(void)in;
	weir_add_store(t, "store", (weir_store_opts){ .sessions = true });
}

static void windows_and_sessions_in_one(weir_topology *t, weir_stream *in)
{
	(void)in;
	weir_add_store(t, "store", (weir_store_opts){ .sessions = true, .windowed = true, .retain_ms = 1 });
}

static const struct mistake {
	void (*make)(weir_topology *t, weir_stream *in);
	const char *step, *message;
} mistakes[] = {
	{ space_in_name, "bad name", "letters, digits" },
	{ no_name, "", "letters, digits" },
	{ empty_name, "", "letters, digits" },
	{ name_used_twice, "twice", "another step has this name" },
	{ topic_read_twice, "again", "topic \"in\" is read by step \"in\" already" },
	{ no_predicate, "filter", "no predicate" },
	{ no_map, "map", "no function" },
	{ no_key, "key", "no function" },
	{ no_look, "each", "no function" },
	{ no_cases, "branch", "no cases" },
	{ case_without_name, "", "letters, digits" },
	{ no_process, "process", "no process function" },
	{ unknown_store, "process", "there is no store \"nowhere\"" },
	{ unused_store, "unused", "no step uses this store" },
	{ store_used_twice, "counts", "another store has this name" },
	{ store_without_name, "", "letters, digits" },
	{ windowed_store_that_keeps_nothing, "store", "retain_ms > 0" },
	{ sessions_that_keep_nothing, "store", "retain_ms > 0" },
	{ windows_and_sessions_in_one, "store", "one of windows, sessions and versions" },
	{ negative_window, "counts", "must not be negative" },
	{ window_without_size, "counts", "no size" },
	{ gaps_between_windows, "counts", "windows of 10 ms that advance by 11 ms leave gaps" },
	{ short_retention, "counts", "retain_ms 14 is less than size and grace together, 15" },
	{ no_reduce, "reduce", "no reduce function" },
	{ neither_add_nor_fold, "aggregate", "either add or fold" },
	{ add_and_fold, "aggregate", "either add or fold" },
	{ add_without_size, "aggregate", "must have a size" },
	{ merge_of_two_serdes, "merge", "\"in\" and \"numbers\" have values of different serdes" },
	{ merge_of_windows, "merge", "one of its inputs \"counts\" and \"numbers\" has windows" },
	{ merge_with_another_topology, "merge", "\"elsewhere\" belongs to another topology" },
	{ windows_repartitioned, "through", "\"counts\" has windows" },
	{ windows_counted, "again", "\"counts\" has windows" },
	{ negative_partitions, "through", "-1 partitions" },
	{ topic_and_topics, "second", "both topic and topics" },
	{ a_topic_of_several_twice, "second", "\"one\" is read by step \"second\" already" },
	{ negative_retention, "second", "must not be negative" },
};

static void each_mistake_is_told_with_the_name_of_its_step(void **state)
{
	(void)state;
	other = weir_topology_new("other");
	for (size_t i = 0; i < LENGTH(mistakes); i++) {
		weir_topology *t = weir_topology_new("app");
		char step[64];
		weir_error err = { .code = WEIR_OK };

		mistakes[i].make(t, text_source(t, "in"));
		snprintf(step, sizeof step, "step \"%s\": ", mistakes[i].step);
		if (weir_topology_check(t, &err))
			fail_msg("not noticed: %s", mistakes[i].message);
		assert_int_equal(err.code, WEIR_TOPOLOGY);
		assert_contains(err.message, "topology \"app\"");
		assert_contains(err.message, step);
		assert_contains(err.message, mistakes[i].message);
		weir_topology_free(t);
	}
	weir_topology_free(other);
}

static void an_empty_topology_is_a_mistake(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_error err = { .code = WEIR_OK };

	(void)state;
	assert_false(weir_topology_check(t, &err));
	assert_contains(err.message, "no steps");
	weir_topology_free(t);
}

static void all_mistakes_are_told_at_once(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = text_source(t, "in");
	weir_error err = { .code = WEIR_OK };

	(void)state;
	weir_filter(in, "one", NULL, NULL);
	weir_count(in, "two", (weir_window){ .size_ms = -1 });
	weir_process(in, "three", (weir_processor){ 0 });
	assert_false(weir_topology_check(t, &err));
	assert_contains(err.message, "step \"one\"");
	assert_contains(err.message, "step \"two\"");
	assert_contains(err.message, "step \"three\"");
	/* The driver, and so any start, says the same. */
	assert_null(weir_driver_new(t, (weir_driver_opts){ 0 }, &err));
	assert_contains(err.message, "step \"two\"");
}

static void a_sound_topology_can_be_checked_again_and_grow(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = text_source(t, "in");

	(void)state;
	must(weir_topology_check(t, &err));
	must(weir_topology_check(t, &err));
	weir_sink(in, "out", (weir_sink_opts){ 0 });
	must(weir_topology_check(t, &err));
	weir_topology_free(t);
	weir_topology_free(NULL);
}

/* --- what only the cluster can tell -----------------------------------------------------------------------------
 * */

static void topics_that_feed_one_store_must_have_equally_many_partitions(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_error err = { .code = WEIR_OK };

	(void)state;
	weir_stream *a = text_source(t, "a");
	weir_stream *through = weir_repartition(text_source(t, "b"), "b-by-key", (weir_repartition_opts){ 2 });

	weir_count(weir_merge(a, "both", through), "counts", none);
	assert_null(weir_driver_new(t, (weir_driver_opts){ .partitions = 3 }, &err));
	assert_int_equal(err.code, WEIR_TOPOLOGY);
	assert_contains(err.message, "\"a\" (3 partitions)");
	assert_contains(err.message, "\"app-b-by-key-repartition\" (2)");
	assert_contains(err.message, "store \"counts\"");
}

static void without_a_common_store_they_need_not(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_stream *a = text_source(t, "a");
	weir_stream *through = weir_repartition(text_source(t, "b"), "b-by-key", (weir_repartition_opts){ 2 });

	weir_count(a, "counts", none);
	weir_sink(weir_merge(a, "both", through), "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ .partitions = 3 });

	for (int p = 0; p < 3; p++)
		weir_driver_pipe_record(d, "a", p, weir_str("a"), weir_str("v"), 1, NULL);
	assert_text(d, "out", "a=v@1", "a=v@1", "a=v@1");
	weir_driver_pipe(d, "b", "b", "v", 2);
	assert_text(d, "out", "b=v@2");
	weir_driver_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mistake_is_told_with_the_name_of_its_step),
		cmocka_unit_test(an_empty_topology_is_a_mistake),
		cmocka_unit_test(all_mistakes_are_told_at_once),
		cmocka_unit_test(a_sound_topology_can_be_checked_again_and_grow),
		cmocka_unit_test(topics_that_feed_one_store_must_have_equally_many_partitions),
		cmocka_unit_test(without_a_common_store_they_need_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
