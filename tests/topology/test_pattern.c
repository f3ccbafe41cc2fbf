/* Sources of all topics that match a pattern. */
#include "framework/runtime/runtime.h"
#include "tests/topology/topology_test.h"

#define PATTERN "orders-[a-z]+"

static weir_topology *copying(weir_source_opts opts)
{
	weir_topology *t = weir_topology_new("app");

	opts.value = &weir_utf8;
	weir_sink(weir_source(t, "orders", opts), "out", (weir_sink_opts){ 0 });
	return t;
}

static weir_topology *counting(void)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = weir_source(t, "orders", (weir_source_opts){ .pattern = PATTERN });

	weir_sink(weir_changes(weir_count(in, "counts", (weir_window){ 0 })), "out", (weir_sink_opts){ 0 });
	return t;
}

static void make(weir_driver *d, const char *name, int32_t partitions)
{
	static const char *const forever[][2] = { { "retention.ms", "-1" } };
	weir_topic_spec spec = { .name = name, .partitions = partitions, .configs = forever, .config_count = 1 };

	must(weir_topics_create(weir_driver_cluster(d), &spec, 1, &err));
}

static void put(weir_driver *d, const char *topic, int32_t partition, const char *key, const char *value,
		int64_t ms)
{
	weir_driver_pipe_record(d, topic, partition, weir_str(key), weir_str(value), ms, NULL);
}

/* Until the next look at which topics there are. */
static void let_look(weir_driver *d)
{
	weir_driver_advance(d, WEIR_MINUTES(6));
}

static void topics_that_match_are_read_when_they_come(void **state)
{
	weir_driver *d = driver(copying((weir_source_opts){ .pattern = PATTERN }), (weir_driver_opts){ 0 });

	(void)state;
	assert_nothing(d, "out");
	weir_driver_pipe(d, "orders-a", "k", "1", 10);
	weir_driver_pipe(d, "orders-b", "k", "2", 20);
	weir_driver_pipe(d, "orders-a", "k", "3", 30);
	weir_driver_pipe(d, "orders-1", "k", "no", 40);    /* no letter */
	weir_driver_pipe(d, "my-orders-a", "k", "no", 40); /* the whole name counts */
	weir_driver_pipe(d, "orders-ax1", "k", "no", 40);
	assert_text(d, "out", "k=1@10", "k=2@20", "k=3@30");
	weir_driver_free(d);
}

static void what_is_there_at_the_start_is_read_in_order_of_time(void **state)
{
	weir_driver *d = driver(copying((weir_source_opts){ .pattern = PATTERN }), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_stop(d, false);
	weir_driver_pipe(d, "orders-b", "b", "1", 20);
	weir_driver_pipe(d, "orders-b", "b", "2", 40);
	weir_driver_pipe(d, "orders-a", "a", "1", 10);
	weir_driver_pipe(d, "orders-a", "a", "2", 30);
	must(weir_driver_start(d, NULL, &err));
	assert_text(d, "out", "a=1@10", "b=1@20", "a=2@30", "b=2@40");
	weir_driver_free(d);
}

static void state_lives_on_when_a_topic_comes(void **state)
{
	weir_driver *d = driver(counting(), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "orders-a", "k", "", 10);
	weir_driver_pipe(d, "orders-b", "k", "", 20);
	must(weir_driver_restart(d, true, &err));
	weir_driver_pipe(d, "orders-c", "k", "", 30);
	weir_driver_pipe(d, "orders-a", "k", "", 40);
	assert_numbers(d, "out", "k=1@10", "k=2@20", "k=3@30", "k=4@40");
	weir_driver_free(d);
}

static void a_topic_that_is_gone_is_read_no_more_and_a_new_one_of_its_name_from_its_first_record(void **state)
{
	weir_driver *d = driver(counting(), (weir_driver_opts){ 0 });
	const char *a = "orders-a";

	(void)state;
	weir_driver_pipe(d, "orders-a", "k", "", 10);
	weir_driver_pipe(d, "orders-a", "k", "", 11);
	weir_driver_pipe(d, "orders-b", "k", "", 20);
	must(weir_topics_delete(weir_driver_cluster(d), &a, 1, &err));
	let_look(d);
	assert_int_equal(weir_app_state_get(weir_driver_app(d), NULL), WEIR_APP_RUNNING);
	weir_driver_pipe(d, "orders-b", "k", "", 30);
	weir_driver_pipe(d, "orders-a", "k", "", 40);
	assert_numbers(d, "out", "k=1@10", "k=2@11", "k=3@20", "k=4@30", "k=5@40");
	weir_driver_free(d);
}

static void a_wider_topic_brings_more_tasks(void **state)
{
	weir_driver *d = driver(copying((weir_source_opts){ .pattern = PATTERN }), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "orders-a", "k", "1", 10);
	make(d, "orders-wide", 3);
	for (int32_t p = 0; p < 3; p++)
		put(d, "orders-wide", p, "w", "2", 20 + p);
	let_look(d);
	assert_int_equal(weir_topic_partitions(weir_driver_cluster(d), "app-orders-anchor", NULL), 3);
	assert_int_equal(weir_driver_app(d)->workers[0].task_count, 3);
	put(d, "orders-wide", 2, "w", "3", 30);
	weir_driver_record r;
	int64_t times = 0;

	for (int i = 0; i < 5; i++) {
		assert_true(weir_driver_read(d, "out", &r)); /* tasks take turns as they like */
		times += r.timestamp_ms;
	}
	assert_false(weir_driver_read(d, "out", &r));
	assert_int_equal(times, 10 + 20 + 21 + 22 + 30);
	must(weir_driver_restart(d, true, &err));
	assert_int_equal(weir_driver_app(d)->workers[0].task_count, 3);
	weir_driver_free(d);
}

static void stores_without_state_get_as_many_partitions_as_the_first_topic(void **state)
{
	weir_driver *d = driver(counting(), (weir_driver_opts){ .partitions = 4 });

	(void)state;
	assert_int_equal(weir_topic_partitions(weir_driver_cluster(d), "app-counts-changelog", NULL), 1);
	for (int32_t p = 0; p < 4; p++)
		put(d, "orders-a", p, "k", "", p);
	assert_int_equal(weir_topic_partitions(weir_driver_cluster(d), "app-counts-changelog", NULL), 4);
	for (int32_t p = 0; p < 4; p++)
		assert_non_null(weir_driver_store(d, "counts", p));
	must(weir_driver_restart(d, true, &err));
	put(d, "orders-b", 3, "k", "", 10);
	assert_int_equal(weir_app_state_get(weir_driver_app(d), NULL), WEIR_APP_RUNNING);
	weir_driver_free(d);
}

static void keys_are_not_torn_apart_by_topics_of_another_width(void **state)
{
	weir_driver *d = driver(counting(), (weir_driver_opts){ .partitions = 2 });
	weir_error err;

	(void)state;
	put(d, "orders-a", 0, "k", "", 1);
	make(d, "orders-narrow", 1);
	let_look(d);
	assert_stopped(
		d,
		"\"orders-narrow\", which step \"orders\" matches, has 1 partitions, and feeds store \"counts\"");
	weir_driver_free(d);

	d = driver(counting(), (weir_driver_opts){ .partitions = 2 });
	put(d, "orders-a", 0, "k", "", 1);
	make(d, "orders-wide", 3);
	let_look(d);
	assert_stopped(d,
		       "\"orders-a\", which step \"orders\" matches, has 2 partitions, and feeds store \"counts\"");
	assert_false(weir_driver_start(d, NULL, &err));
	assert_contains(err.message, "has 2 partitions, and feeds store \"counts\"");
	/* alone it would leave behind what the state is of */
	assert_true(weir_topics_delete(weir_driver_cluster(d), (const char *[]){ "orders-a" }, 1, &err));
	assert_false(weir_driver_start(d, NULL, &err));
	assert_contains(err.message, "holds state in 2 partitions");
	weir_driver_free(d);
}

static void by_latest_only_what_was_there_before_is_left_out(void **state)
{
	weir_source_opts latest = { .pattern = PATTERN, .reset = WEIR_RESET_LATEST };
	weir_driver *d = driver(copying((weir_source_opts){ .topic = "other" }), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "orders-a", "k", "no", 1);
	weir_driver_pipe(d, "orders-a", "k", "no", 2);
	must(weir_driver_start(d, copying(latest), &err));
	weir_driver_pipe(d, "orders-a", "k", "1", 3);
	weir_driver_stop(d, true);
	weir_driver_pipe(d, "orders-a", "k", "2", 4);
	weir_driver_pipe(d, "orders-b", "k", "3", 5);
	must(weir_driver_start(d, NULL, &err));
	weir_driver_pipe(d, "orders-c", "k", "4", 6);
	assert_text(d, "out", "k=1@3", "k=2@4", "k=3@5", "k=4@6");
	weir_driver_free(d);
}

static void as_in_kafka_streams_new_topics_begin_at_the_latest_too(void **state)
{
	weir_source_opts latest = { .pattern = PATTERN, .reset = WEIR_RESET_LATEST };
	weir_topology *t = weir_topology_new("app");
	weir_driver *d = driver(copying((weir_source_opts){ .topic = "other" }), (weir_driver_opts){ 0 });

	(void)state;
	weir_topology_as_kafka_streams(t, WEIR_AS_NEW_TOPICS);
	weir_sink(weir_source(t, "all", latest), "out", (weir_sink_opts){ 0 });
	weir_driver_pipe(d, "orders-a", "k", "no", 1);
	must(weir_driver_start(d, t, &err));
	weir_driver_pipe(d, "orders-a", "k", "1", 2);
	weir_driver_stop(d, true);
	weir_driver_pipe(d, "orders-a", "k", "2", 3);
	weir_driver_pipe(d, "orders-b", "k", "no", 4);
	must(weir_driver_start(d, NULL, &err));
	weir_driver_pipe(d, "orders-b", "k", "3", 5);
	assert_text(d, "out", "k=1@2", "k=2@3", "k=3@5");
	weir_driver_free(d);
}

static weir_topology *two_patterns(void)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *a = weir_source(t, "a", (weir_source_opts){ .pattern = "orders-[a-m]+" });
	weir_stream *b = weir_source(t, "b", (weir_source_opts){ .pattern = "orders-[m-z]+" });

	weir_sink(weir_merge(a, "both", b), "out", (weir_sink_opts){ 0 });
	return t;
}

static void a_topic_that_two_patterns_match_stops_the_application(void **state)
{
	weir_driver *d = driver(two_patterns(), (weir_driver_opts){ 0 });
	weir_error err;

	(void)state;
	weir_driver_pipe(d, "orders-a", "k", "1", 1);
	weir_driver_pipe(d, "orders-z", "k", "2", 2);
	assert_text(d, "out", "k=1@1", "k=2@2");
	weir_driver_pipe(d, "orders-m", "k", "3", 3);
	assert_stopped(d, "topic \"orders-m\" matches the patterns of two steps, \"a\" and \"b\"");
	assert_false(weir_driver_restart(d, false, &err));
	assert_contains(err.message, "matches the patterns of two steps");
	weir_driver_free(d);
}

static void own_topics_never_match(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = weir_source(t, "in", (weir_source_opts){ .pattern = "(app|dead|orders).*" });
	weir_stream *keyed = weir_repartition(in, "again", (weir_repartition_opts){ 0 });

	weir_sink(weir_changes(weir_count(keyed, "counts", (weir_window){ 0 })), "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "orders-a", "k", "1", 1);
	weir_driver_pipe(d, "orders-a", "k", "1", 1);
	let_look(d);
	must(weir_driver_restart(d, false, &err));
	assert_numbers(d, "out", "k=1@1", "k=2@1");
	weir_driver_free(d);
}

static void tick(weir_context *cx, int64_t time_ms, void *state)
{
	(void)state;
	weir_forward(cx, &(weir_record){ .key = weir_str("tick"), .timestamp_ms = time_ms, .cx = cx });
}

static void start_ticking(weir_context *cx, void *state, void *user)
{
	(void)state, (void)user;
	weir_schedule(cx, WEIR_SECONDS(10), WEIR_WALL_CLOCK_TIME, tick);
}

static void drop(weir_context *cx, const weir_record *r, void *state, void *user)
{
	(void)cx, (void)r, (void)state, (void)user;
}

static void a_task_without_topics_runs_its_timers_and_commits(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = weir_source(t, "orders", (weir_source_opts){ .pattern = PATTERN, .partitions = 2 });
	weir_processor p = { .init = start_ticking, .process = drop };

	weir_sink(weir_process(in, "ticking", p), "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ .now_ms = 1000000 });

	(void)state;
	assert_int_equal(weir_driver_app(d)->workers[0].task_count, 2);
	weir_driver_advance(d, WEIR_SECONDS(11));
	weir_driver_record r;
	int n = 0;

	while (weir_driver_read(d, "out", &r))
		n++;
	assert_int_equal(n, 2);
	weir_driver_free(d);
}

static void a_dead_letter_names_the_topic_it_came_from(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_source_opts opts = { .pattern = PATTERN, .value = &weir_int64 };

	weir_sink(weir_source(t, "orders", opts), "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });
	weir_driver_record r;

	(void)state;
	weir_driver_pipe(d, "orders-a", "k", "", 1); /* makes it several topics */
	assert_true(weir_driver_read(d, "dead-letters", &r));
	weir_driver_pipe(d, "orders-b", "k", "no number", 1);
	assert_true(weir_driver_read(d, "dead-letters", &r));
	bool found = false;

	for (size_t i = 0; i < r.headers->count; i++)
		found |= weir_bytes_equal(r.headers->items[i].value, weir_str("orders-b"));
	assert_true(found);
	weir_driver_free(d);
}

static void assert_mistake(weir_topology *t, const char *message)
{
	weir_error err;

	assert_false(weir_topology_check(t, &err));
	assert_contains(err.message, message);
	weir_topology_free(t);
}

static void mistakes_are_told(void **state)
{
	weir_topology *t = copying((weir_source_opts){ .pattern = "(" });

	(void)state;
	assert_mistake(t, "step \"orders\": the pattern \"(\": ");
	assert_mistake(copying((weir_source_opts){ .pattern = "a", .topic = "b" }), "neither topic nor topics");
	assert_mistake(copying((weir_source_opts){ .partitions = 3 }), "partitions is for a pattern");
	t = copying((weir_source_opts){ .pattern = PATTERN });
	weir_source(t, "orders-x", (weir_source_opts){ 0 });
	assert_mistake(t, "its pattern matches topic \"orders-x\", which step \"orders-x\" reads already");
	t = copying((weir_source_opts){ .pattern = PATTERN });
	weir_global_table(t, "global", (weir_global_opts){ .topic = "orders-x" });
	assert_mistake(t,
		       "its pattern matches topic \"orders-x\", which the global table \"global\" reads already");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(topics_that_match_are_read_when_they_come),
		cmocka_unit_test(what_is_there_at_the_start_is_read_in_order_of_time),
		cmocka_unit_test(state_lives_on_when_a_topic_comes),
		cmocka_unit_test(
			a_topic_that_is_gone_is_read_no_more_and_a_new_one_of_its_name_from_its_first_record),
		cmocka_unit_test(a_wider_topic_brings_more_tasks),
		cmocka_unit_test(stores_without_state_get_as_many_partitions_as_the_first_topic),
		cmocka_unit_test(keys_are_not_torn_apart_by_topics_of_another_width),
		cmocka_unit_test(by_latest_only_what_was_there_before_is_left_out),
		cmocka_unit_test(as_in_kafka_streams_new_topics_begin_at_the_latest_too),
		cmocka_unit_test(a_topic_that_two_patterns_match_stops_the_application),
		cmocka_unit_test(own_topics_never_match),
		cmocka_unit_test(a_task_without_topics_runs_its_timers_and_commits),
		cmocka_unit_test(a_dead_letter_names_the_topic_it_came_from),
		cmocka_unit_test(mistakes_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
