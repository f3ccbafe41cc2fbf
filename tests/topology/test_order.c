/* Tasks with several inputs take records in the order of time. */
#include "framework/runtime/runtime.h"
#include "tests/topology/topology_test.h"

#define PAIRS(...) \
	.config = (const char *const[][2]){ __VA_ARGS__ }, \
	.config_count = LENGTH(((const char *const[][2]){ __VA_ARGS__ }))

static int64_t number_in_value(weir_context *cx, const weir_record *r, void *user)
{
	const weir_bytes *value = weir_value(r);

	(void)user;
	return strtoll(text(cx, "%.*s", (int)value->len, (const char *)value->data)->data, NULL, 10);
}

static weir_topology *merging(bool by_value)
{
	weir_topology *t = weir_topology_new("app");
	weir_source_opts opts = { .value = &weir_utf8, .time_ms = by_value ? number_in_value : NULL };
	weir_stream *left = weir_source(t, "left", opts), *right = weir_source(t, "right", opts);

	weir_sink(weir_merge(left, "both", right), "out", (weir_sink_opts){ 0 });
	return t;
}

static void what_waits_in_several_topics_comes_in_order_of_time(void **state)
{
	weir_driver *d = driver(merging(false), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_stop(d, false);
	for (int i = 0; i < 3; i++)
		weir_driver_pipe(d, "left", "l", "", 10 + 20 * i);
	for (int i = 0; i < 3; i++)
		weir_driver_pipe(d, "right", "r", "", 25 + 10 * i);
	weir_driver_pipe(d, "right", "r", "", 5); /* within a topic the order of offsets counts */
	must(weir_driver_start(d, NULL, &err));
	assert_text(d, "out", "l=@10", "r=@25", "l=@30", "r=@35", "r=@45", "r=@5", "l=@50");
	weir_driver_free(d);
}

static void the_time_that_counts_is_the_one_that_the_source_says(void **state)
{
	weir_driver *d = driver(merging(true), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_stop(d, false);
	weir_driver_pipe(d, "left", "l", "300", 1);
	weir_driver_pipe(d, "left", "l", "400", 2);
	weir_driver_pipe(d, "right", "r", "-1", 3);
	weir_driver_pipe(d, "right", "r", "350", 4);
	must(weir_driver_start(d, NULL, &err));
	assert_text(d, "out", "l=300@300", "r=350@350", "l=400@400");
	assert_dead_letter(d, "-1", "negative timestamp");
	weir_driver_free(d);
}

/* "later" is 100 ms after the newest of its partition. */
static int64_t number_or_later(weir_context *cx, const weir_record *r, void *user)
{
	int64_t ms = number_in_value(cx, r, user);

	return ms ? ms : weir_partition_time_ms(cx) + 100;
}

static void a_time_that_is_guessed_from_the_partition_counts_all_before_it(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_source_opts opts = { .value = &weir_utf8, .time_ms = number_or_later };
	weir_stream *left = weir_source(t, "left", opts), *right = weir_source(t, "right", opts);

	(void)state;
	weir_sink(weir_merge(left, "both", right), "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_stop(d, false);
	weir_driver_pipe(d, "left", "l", "300", 1);
	weir_driver_pipe(d, "left", "l", "later", 2);
	weir_driver_pipe(d, "left", "l", "later", 3);
	weir_driver_pipe(d, "right", "r", "350", 4);
	weir_driver_pipe(d, "right", "r", "450", 5);
	must(weir_driver_start(d, NULL, &err));
	assert_text(d, "out", "l=300@300", "r=350@350", "l=later@400", "r=450@450", "l=later@500");
	weir_driver_stop(d, false);
	must(weir_driver_start(d, NULL, &err));
	weir_driver_pipe(d, "right", "r", "460", 6);
	weir_driver_pipe(d, "left", "l", "later", 7);
	assert_text(d, "out", "r=460@460", "l=later@600");
	weir_driver_free(d);
}

static void a_source_of_several_topics_takes_them_in_order_of_time(void **state)
{
	weir_topology *t = weir_topology_new("app");
	const char *topics[] = { "left", "right" };
	weir_source_opts opts = { .value = &weir_utf8, .topics = topics, .topic_count = LENGTH(topics) };
	weir_stream *both = weir_source(t, "both", opts);

	(void)state;
	topics[0] = topics[1] = NULL; /* they were the call's */
	weir_sink(both, "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_stop(d, false);
	for (int i = 0; i < 3; i++)
		weir_driver_pipe(d, "left", "l", "", 10 + 20 * i);
	for (int i = 0; i < 3; i++)
		weir_driver_pipe(d, "right", "r", "", 25 + 10 * i);
	must(weir_driver_start(d, NULL, &err));
	assert_text(d, "out", "l=@10", "r=@25", "l=@30", "r=@35", "r=@45", "l=@50");
	must(weir_driver_restart(d, true, &err));
	weir_driver_pipe(d, "right", "r", "", 60);
	weir_driver_pipe(d, "left", "l", "", 70);
	assert_text(d, "out", "r=@60", "l=@70");
	weir_driver_free(d);
}

static void records_of_the_same_time_come_one_topic_after_the_other(void **state)
{
	weir_driver *d = driver(merging(false), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_stop(d, false);
	for (int i = 0; i < 2; i++) {
		weir_driver_pipe(d, "right", "r", "", 7);
		weir_driver_pipe(d, "left", "l", "", 7);
	}
	must(weir_driver_start(d, NULL, &err));
	assert_text(d, "out", "l=@7", "l=@7", "r=@7", "r=@7");
	weir_driver_free(d);
}

static void an_input_known_to_be_empty_is_not_waited_for(void **state)
{
	weir_driver *d = driver(merging(false), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "left", "l", "", 100);
	assert_text(d, "out", "l=@100");
	weir_driver_pipe(d, "right", "r", "", 50);
	assert_text(d, "out", "r=@50");
	weir_driver_free(d);
}

static void max_task_idle_ms_waits_for_empty_inputs(void **state)
{
	weir_driver *d = driver(merging(false), (weir_driver_opts){ PAIRS({ "max.task.idle.ms", "5s" }) });

	(void)state;
	weir_driver_pipe(d, "left", "l", "", 100);
	weir_driver_advance(d, 4900);
	assert_nothing(d, "out");
	weir_driver_pipe(d, "right", "r", "", 50); /* in time, and older */
	assert_text(d, "out", "r=@50");
	weir_driver_advance(d, 4900);
	assert_nothing(d, "out");
	weir_driver_advance(d, 200);
	assert_text(d, "out", "l=@100");
	weir_driver_free(d);
}

static double lag(weir_driver *d)
{
	return weir_metrics_value(weir_app_metrics(weir_driver_app(d)), "weir_lag_records",
				  (const char *const[]){ "0" });
}

static void what_waits_counts_as_lag(void **state)
{
	weir_driver *d = driver(merging(false), (weir_driver_opts){ PAIRS({ "max.task.idle.ms", "5s" }) });

	(void)state;
	weir_driver_pipe(d, "left", "l", "", 100);
	weir_driver_advance(d, 2000);
	assert_true(lag(d) == 1);
	weir_driver_advance(d, 5000);
	assert_text(d, "out", "l=@100");
	assert_true(lag(d) == 0);
	weir_driver_free(d);
}

static void more_than_is_buffered_still_comes_in_order_and_whole(void **state)
{
	/* A megabyte for records that wait, and all on the left, which are more, wait for those on the right. */
	weir_driver *d =
		driver(merging(false), (weir_driver_opts){ PAIRS({ "buffered.records.per.partition", "10" },
								 { "memory.bytes.max", "16m" }) });
	static char large[8000];
	weir_driver_record r;
	int64_t last_ms = 0;

	(void)state;
	memset(large, 'x', sizeof large - 1);
	weir_driver_stop(d, false);
	for (int i = 0; i < 500; i++) {
		weir_driver_pipe(d, "left", "l", large, 10000 + 3 * i);
		weir_driver_pipe(d, "right", "r", large, 1000 + 3 * i);
	}
	must(weir_driver_start(d, NULL, &err));
	for (int i = 0; i < 1000; i++) {
		assert_true(weir_driver_read(d, "out", &r));
		assert_true(r.timestamp_ms >= last_ms);
		last_ms = r.timestamp_ms;
	}
	assert_nothing(d, "out");
	weir_driver_free(d);
}

static void what_waits_keeps_its_headers_and_nulls(void **state)
{
	weir_driver *d = driver(merging(false), (weir_driver_opts){ PAIRS({ "max.task.idle.ms", "5s" }) });
	const weir_header items[] = { { "a", weir_str("1") }, { "b", WEIR_NULL }, { "c", weir_str("") } };
	weir_driver_record r;

	(void)state;
	weir_driver_pipe_record(d, "left", -1, WEIR_NULL, WEIR_NULL, 100, &(weir_headers){ items, 3 });
	assert_nothing(d, "out");
	weir_driver_advance(d, 5100);
	assert_true(weir_driver_read(d, "out", &r));
	assert_true(weir_is_null(r.key));
	assert_true(weir_is_null(r.value));
	assert_int_equal(r.headers->count, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(r.headers->items[i].name, items[i].name);
		assert_true(weir_bytes_equal(r.headers->items[i].value, items[i].value));
	}
	weir_driver_free(d);
}

static void what_waited_at_a_crash_comes_again_and_once(void **state)
{
	for (int crash = 0; crash < 2; crash++) {
		weir_driver *d = driver(merging(false), (weir_driver_opts){ PAIRS({ "max.task.idle.ms", "5s" }) });

		weir_driver_pipe(d, "left", "l", "", 100);
		must(weir_driver_restart(d, crash, &err));
		weir_driver_pipe(d, "right", "r", "", 50);
		weir_driver_advance(d, 5100);
		assert_text(d, "out", "r=@50", "l=@100");
		weir_driver_free(d);
	}
	(void)state;
}

/* An input that is paused is fetched anew later: that is for want of memory alone. */
static void what_waits_pauses_its_input_only_where_memory_is_short(void **state)
{
	enum { FEW = 100, BIG = 40000 };
	char *value = malloc(BIG + 1);

	(void)state;
	assert_non_null(value);
	memset(value, 'v', BIG);
	for (int big = 0; big < 2; big++) {
		weir_driver *d =
			driver(merging(false), (weir_driver_opts){ PAIRS({ "max.task.idle.ms", "5s" },
									 { "buffered.records.per.partition", "10" },
									 { "memory.bytes.max", "16m" }) });

		value[big ? BIG : 1] = '\0';
		weir_driver_stop(d, false);
		for (int i = 0; i < FEW; i++)
			weir_driver_pipe(d, "left", "l", value, 1);
		must(weir_driver_start(d, NULL, &err));
		const struct task *task = weir_driver_app(d)->workers[0].tasks[0];
		bool paused = false;

		for (size_t i = 0; i < task->input_count; i++)
			paused |= task->inputs[i].paused;
		assert_int_equal(paused, big);
		weir_driver_advance(d, 6000);
		for (int i = 0; i < FEW; i++) {
			weir_driver_record r;

			assert_true(weir_driver_read(d, "out", &r));
			assert_int_equal(r.value.len, strlen(value));
		}
		assert_nothing(d, "out");
		weir_driver_free(d);
		memset(value, 'v', BIG);
	}
	free(value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_waits_in_several_topics_comes_in_order_of_time),
		cmocka_unit_test(a_time_that_is_guessed_from_the_partition_counts_all_before_it),
		cmocka_unit_test(a_source_of_several_topics_takes_them_in_order_of_time),
		cmocka_unit_test(the_time_that_counts_is_the_one_that_the_source_says),
		cmocka_unit_test(records_of_the_same_time_come_one_topic_after_the_other),
		cmocka_unit_test(an_input_known_to_be_empty_is_not_waited_for),
		cmocka_unit_test(max_task_idle_ms_waits_for_empty_inputs),
		cmocka_unit_test(what_waits_pauses_its_input_only_where_memory_is_short),
		cmocka_unit_test(what_waits_counts_as_lag),
		cmocka_unit_test(more_than_is_buffered_still_comes_in_order_and_whole),
		cmocka_unit_test(what_waits_keeps_its_headers_and_nulls),
		cmocka_unit_test(what_waited_at_a_crash_comes_again_and_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
