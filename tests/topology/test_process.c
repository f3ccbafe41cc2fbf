#include "tests/topology/topology_test.h"

/* --- state and stores ------------------------------------------------------------------------------------------
 * */

struct memory {
	int calls;
	weir_timer *timer;
};

static void number_calls(weir_context *cx, const weir_record *r, void *state, void *user)
{
	struct memory *m = state;
	weir_record out = *r;

	(void)user;
	weir_set_value(&out, text(cx, "call %d of partition %d", ++m->calls, (int)weir_task_partition(cx)));
	weir_forward(cx, &out);
}

static void each_task_has_a_state_of_its_own_that_begins_with_zeros(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_sink(weir_process(text_source(t, "in"), "number",
			       (weir_processor){ .state_size = sizeof(struct memory), .process = number_calls }),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ .partitions = 2 });

	weir_driver_pipe_record(d, "in", 0, weir_str("k"), weir_str("v"), 1, NULL);
	assert_text(d, "out", "k=call 1 of partition 0@1");
	weir_driver_pipe_record(d, "in", 1, weir_str("k"), weir_str("v"), 1, NULL);
	assert_text(d, "out", "k=call 1 of partition 1@1");
	weir_driver_pipe_record(d, "in", 0, weir_str("k"), weir_str("v"), 1, NULL);
	assert_text(d, "out", "k=call 2 of partition 0@1");
	must(weir_driver_restart(d, false, &err));
	weir_driver_pipe_record(d, "in", 0, weir_str("k"), weir_str("v"), 1, NULL);
	assert_text(d, "out", "k=call 1 of partition 0@1");
	weir_driver_free(d);
}

static void pass_length_on(weir_context *cx, const weir_record *r, void *state, void *user)
{
	int64_t *length = weir_alloc(cx, sizeof *length);
	weir_record out = *r;

	(void)state, (void)user;
	*length = (int64_t)weir_value_bytes(r).len;
	weir_set_value(&out, length);
	weir_forward(cx, &out);
	assert_bytes(weir_value_bytes(r), "four"); /* what came in is as it was */
}

static void a_step_passes_on_values_of_its_own_serde(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_sink(weir_process(text_source(t, "in"), "length",
			       (weir_processor){ .process = pass_length_on, .value = &weir_int64 }),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "k", "four", 1);
	assert_numbers(d, "out", "k=4@1");
	weir_driver_free(d);
}

/* Passes a value on only if the key has not had it last: "-" forgets. */
static void only_news(weir_context *cx, const weir_record *r, void *state, void *user)
{
	weir_store *last = weir_context_store(cx, user);
	weir_bytes value = weir_value_bytes(r);
	int64_t ms = 0;
	weir_bytes old = weir_store_get(last, r->key, &ms);

	(void)state;
	if (weir_bytes_equal(old, value)) {
		assert_true(ms <= r->timestamp_ms);
		return;
	}
	weir_store_put(last, r->key, weir_bytes_equal(value, weir_str("-")) ? WEIR_NULL : value, r->timestamp_ms);
	weir_forward(cx, r);
}

static char last_name[] = "last";

static weir_topology *news(weir_store_opts opts)
{
	weir_topology *t = weir_topology_new("app");

	weir_add_store(t, last_name, opts);
	weir_sink(
		weir_process(text_source(t, "in"), "news",
			     (weir_processor){ .process = only_news, .stores = { last_name }, .user = last_name }),
		"out", (weir_sink_opts){ 0 });
	return t;
}

static void a_processor_reads_its_own_writes_and_they_outlive_it(void **state)
{
	char *dir = temporary_directory();
	const weir_store_opts kinds[] = { { 0 }, { .in_memory = true }, { .ordered = true } };

	for (size_t i = 0; i < LENGTH(kinds) * 2; i++) {
		weir_driver *d = driver(news(kinds[i / 2]), (weir_driver_opts){ .state_dir = i % 2 ? dir : NULL });

		weir_driver_pipe(d, "in", "k", "a", 1);
		weir_driver_pipe(d, "in", "k", "a", 2);
		weir_driver_pipe(d, "in", "k", "b", 3);
		weir_driver_pipe(d, "in", "gone", "x", 3);
		weir_driver_pipe(d, "in", "gone", "-", 4);
		assert_text(d, "out", "k=a@1", "k=b@3", "gone=x@3", "gone=-@4");
		for (int crash = 0; crash < 2; crash++) {
			must(weir_driver_restart(d, crash, &err));
			weir_driver_pipe(d, "in", "k", "b", 5);
			assert_nothing(d, "out");
			weir_driver_pipe(d, "in", "gone", "x", 5);
			weir_driver_pipe(d, "in", "gone", "-", 5);
			assert_text(d, "out", "gone=x@5", "gone=-@5");
		}
		weir_driver_free(d);
		remove_directory(dir);
		dir = temporary_directory();
	}
	(void)state;
	remove_directory(dir);
}

static void an_unlogged_store_lives_as_long_as_the_local_state(void **state)
{
	weir_driver *d = driver(news((weir_store_opts){ .unlogged = true }), (weir_driver_opts){ 0 });

	(void)state;
	assert_int_equal(partitions_of(d, "app-last-changelog"), 0);
	weir_driver_pipe(d, "in", "k", "a", 1);
	weir_driver_pipe(d, "in", "k", "a", 2);
	assert_text(d, "out", "k=a@1");
	must(weir_driver_restart(d, false, &err)); /* in memory: gone */
	weir_driver_pipe(d, "in", "k", "a", 3);
	assert_text(d, "out", "k=a@3");
	weir_driver_free(d);

	char *dir = temporary_directory();

	d = driver(news((weir_store_opts){ .unlogged = true }), (weir_driver_opts){ .state_dir = dir });
	weir_driver_pipe(d, "in", "k", "a", 1);
	must(weir_driver_restart(d, false, &err));
	weir_driver_pipe(d, "in", "k", "a", 2);
	assert_text(d, "out", "k=a@1");
	weir_driver_free(d);
	remove_directory(dir);
}

static void list_range(weir_context *cx, const weir_record *r, void *state, void *user)
{
	weir_store *store = weir_context_store(cx, last_name);
	weir_entry e;

	(void)state, (void)user;
	weir_store_put(store, r->key, weir_value_bytes(r), r->timestamp_ms);
	weir_iterator *it = weir_store_range(store, weir_str("b"), weir_str("d"), false);

	while (weir_iterator_next(it, &e)) {
		weir_record out = *r;

		weir_set_key(&out, e.key);
		weir_set_value_bytes(&out, e.value);
		weir_forward(cx, &out);
	}
	weir_iterator_close(it);
}

static void a_range_sees_what_was_just_put(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_add_store(t, last_name, (weir_store_opts){ .ordered = true });
	weir_sink(weir_process(text_source(t, "in"), "list",
			       (weir_processor){ .process = list_range, .stores = { last_name } }),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "c", "3", 1);
	assert_text(d, "out", "c=3@1");
	weir_driver_pipe(d, "in", "a", "1", 2);
	assert_text(d, "out", "c=3@2");
	weir_driver_pipe(d, "in", "b", "2", 3);
	assert_text(d, "out", "b=2@3", "c=3@3");
	weir_driver_pipe(d, "in", "e", "5", 4);
	assert_text(d, "out", "b=2@4", "c=3@4");
	weir_driver_free(d);
}

static void put_in_table_of(weir_context *cx, const weir_record *r, void *state, void *user)
{
	weir_bytes count = weir_store_get(weir_context_store(cx, "counts"), r->key, NULL);
	weir_record out = *r;

	(void)state, (void)user;
	weir_set_value(&out, text(cx, "%lld", weir_is_null(count) ? 0LL : (long long)weir_get_be64(count.data)));
	weir_forward(cx, &out);
}

static void a_processor_can_read_the_store_of_an_aggregate(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_count(text_source(t, "in"), "counts", (weir_window){ 0 });
	weir_sink(weir_process(text_source(t, "ask"), "look",
			       (weir_processor){ .process = put_in_table_of, .stores = { "counts" } }),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ .partitions = 3 });

	weir_driver_pipe(d, "in", "k", "v", 1);
	weir_driver_pipe(d, "in", "k", "v", 2);
	weir_driver_pipe(d, "ask", "k", "?", 3);
	weir_driver_pipe(d, "ask", "other", "?", 3);
	const char *first = weir_driver_read_text(d, "out", false, false);

	assert_string_equal(first, strchr(first, 'k') == first ? "k=2@3" : "other=0@3");
	first = weir_driver_read_text(d, "out", false, false);
	assert_string_equal(first, strchr(first, 'k') == first ? "k=2@3" : "other=0@3");
	weir_driver_free(d);
}

/* --- forwarding -------------------------------------------------------------------------------------------------
 * */

static void by_value(weir_context *cx, const weir_record *r, void *state, void *user)
{
	const weir_bytes *value = weir_value(r);

	(void)state, (void)user;
	if (weir_bytes_equal(*value, weir_str("all")))
		weir_forward(cx, r);
	else
		weir_forward_to(cx, text(cx, "%.*s", (int)value->len, (const char *)value->data)->data, r);
}

static weir_driver *forwarding(void)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *s = weir_process(text_source(t, "in"), "by-value", (weir_processor){ .process = by_value });

	weir_sink(s, "left", (weir_sink_opts){ 0 });
	weir_sink(s, "right", (weir_sink_opts){ 0 });
	return driver(t, (weir_driver_opts){ 0 });
}

static void forward_goes_to_all_below_and_forward_to_to_one(void **state)
{
	weir_driver *d = forwarding();

	(void)state;
	weir_driver_pipe(d, "in", "k", "left", 1);
	weir_driver_pipe(d, "in", "k", "all", 2);
	weir_driver_pipe(d, "in", "k", "right", 3);
	assert_text(d, "left", "k=left@1", "k=all@2");
	assert_text(d, "right", "k=all@2", "k=right@3");
	weir_driver_free(d);
}

static void forwarding_to_a_step_that_is_not_below_stops_and_names_both(void **state)
{
	weir_driver *d = forwarding();

	(void)state;
	weir_driver_pipe(d, "in", "k", "nowhere", 1);
	assert_stopped(d, "\"by-value\"");
	assert_stopped(d, "\"nowhere\"");
	assert_nothing(d, "left");
	weir_driver_free(d);
}

static void pass_on(weir_context *cx, const weir_record *r, void *state, void *user)
{
	(void)state, (void)user;
	weir_forward(cx, r);
}

static void value_as_key(weir_context *cx, const weir_record *r, void *state, void *user)
{
	weir_record out = *r;

	(void)state, (void)user;
	weir_set_key(&out, weir_value_bytes(r));
	weir_forward(cx, &out);
}

static void a_processor_that_is_to_keep_the_key_and_does_not_stops(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *s = text_source(t, "in");

	(void)state;
	/* Another below it may change the key, and the key is kept again behind that. */
	s = weir_process(s, "same", (weir_processor){ .process = pass_on, .keeps_key = true });
	s = weir_process(s, "free", (weir_processor){ .process = value_as_key });
	s = weir_process(s, "keeps", (weir_processor){ .process = value_as_key, .keeps_key = true });
	weir_sink(s, "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "k", "v", 1);
	assert_text(d, "out", "v=v@1");
	weir_driver_free(d);

	t = weir_topology_new("app");
	s = weir_process(text_source(t, "in"), "keeps",
			 (weir_processor){ .process = value_as_key, .keeps_key = true });
	weir_sink(s, "out", (weir_sink_opts){ 0 });
	d = driver(t, (weir_driver_opts){ 0 });
	weir_driver_pipe(d, "in", "v", "v", 1);
	assert_text(d, "out", "v=v@1");
	weir_driver_pipe(d, "in", "k", "v", 2);
	assert_stopped(d, "step \"keeps\" forwards a record with another key");
	assert_nothing(d, "out");
	weir_driver_free(d);
}

/* --- life -------------------------------------------------------------------------------------------------------
 * */

static void greet(weir_context *cx, void *state, void *user)
{
	weir_record r = { .key = weir_str("init"), .timestamp_ms = 77, .cx = cx };
	weir_metadata at = weir_record_metadata(cx);

	(void)state;
	assert_null(at.topic);
	weir_set_value_bytes(&r, weir_str("hello"));
	weir_store_put(weir_context_store(cx, last_name), weir_str("greeted"), weir_str("yes"), 77);
	weir_forward(cx, &r);
	++*(int *)user;
}

static void count_close(void *state, void *user)
{
	(void)state;
	*(int *)user += 100;
}

static void ignore(weir_context *cx, const weir_record *r, void *state, void *user)
{
	(void)cx, (void)r, (void)state, (void)user;
}

static void init_may_use_stores_and_forward(void **state)
{
	weir_topology *t = weir_topology_new("app");
	char *dir = temporary_directory();
	int calls = 0;

	(void)state;
	weir_add_store(t, last_name, (weir_store_opts){ 0 });
	weir_sink(weir_process(text_source(t, "in"), "greet",
			       (weir_processor){ .init = greet,
						 .process = ignore,
						 .close = count_close,
						 .stores = { last_name },
						 .user = &calls }),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ .state_dir = dir });

	assert_text(d, "out", "init=hello@77");
	assert_int_equal(calls, 1);
	must(weir_driver_restart(d, false, &err));
	assert_text(d, "out", "init=hello@77");
	assert_int_equal(calls, 102);
	assert_bytes(weir_store_get(weir_driver_store(d, last_name, 0), weir_str("greeted"), NULL), "yes");
	weir_driver_free(d);
	assert_int_equal(calls, 202);
	remove_directory(dir);
}

static void put_in_init(weir_context *cx, void *state, void *user)
{
	(void)state, (void)user;
	weir_store_put(weir_context_store(cx, last_name), weir_str("k"), weir_str("v"), 1);
}

static void a_store_written_in_init_alone_is_committed_too(void **state)
{
	weir_topology *t = weir_topology_new("app");
	char *dir = temporary_directory();
	int64_t first, end;

	(void)state;
	weir_add_store(t, last_name, (weir_store_opts){ 0 });
	weir_process(text_source(t, "in"), "writer",
		     (weir_processor){ .init = put_in_init, .process = ignore, .stores = { last_name } });
	weir_driver *d = driver(t, (weir_driver_opts){ .state_dir = dir });

	must(weir_offsets_range(weir_driver_cluster(d), "app-last-changelog", 0, &first, &end, &err));
	assert_true(end > 0);
	must(weir_driver_restart(d, false, &err));
	assert_bytes(weir_store_get(weir_driver_store(d, last_name, 0), weir_str("k"), NULL), "v");
	weir_driver_free(d);
	remove_directory(dir);
}

/* --- stop and dead letters --------------------------------------------------------------------------------------
 * */

static void stop_at(weir_context *cx, const weir_record *r, void *state, void *user)
{
	const weir_bytes *value = weir_value(r);

	(void)state, (void)user;
	weir_forward(cx, r);
	if (value && weir_bytes_equal(*value, weir_str("stop")))
		weir_stop(cx, "the value \"%s\" must not come", "stop");
}

static void weir_stop_ends_the_application_and_nothing_of_that_commit_is_seen(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_sink(weir_process(text_source(t, "in"), "stopper", (weir_processor){ .process = stop_at }), "out",
		  (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "k", "go", 1);
	weir_driver_pipe(d, "in", "k", "stop", 2);
	assert_stopped(d, "the value \"stop\" must not come");
	assert_stopped(d, "task 0_0");
	weir_driver_pipe(d, "in", "k", "after", 3);
	assert_text(d, "out", "k=go@1");
	weir_driver_free(d);
}

static void stop_in_init(weir_context *cx, void *state, void *user)
{
	(void)state, (void)user;
	weir_stop(cx, "not today");
}

static void weir_stop_in_init_refuses_to_start(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_error err = { .code = WEIR_OK };

	(void)state;
	weir_process(text_source(t, "in"), "stopper", (weir_processor){ .init = stop_in_init, .process = ignore });
	assert_null(weir_driver_new(t, (weir_driver_opts){ 0 }, &err));
	assert_contains(err.message, "not today");
}

static void stop_on_result(weir_context *cx, const weir_record *r, void *state, void *user)
{
	(void)state, (void)user;
	if (*(const int64_t *)weir_value(r) == 2)
		weir_stop(cx, "two is too many");
	weir_forward(cx, r);
}

static void weir_stop_while_a_commit_sends_results_on_aborts_that_commit(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_table *counts = weir_count(text_source(t, "in"), "counts", (weir_window){ 0 });

	(void)state;
	weir_sink(weir_process(weir_changes(counts), "stopper", (weir_processor){ .process = stop_on_result }),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "k", "v", 1);
	weir_driver_pipe(d, "in", "k", "v", 2);
	assert_stopped(d, "two is too many");
	assert_numbers(d, "out", "k=1@1");
	weir_driver_free(d);
}

static void refuse(weir_context *cx, const weir_record *r, void *state, void *user)
{
	(void)state;
	weir_dead_letter(cx, r, user);
}

static char no_use[] = "of no use";

static void a_dead_letter_is_the_source_record_as_it_was_read(void **state)
{
	weir_topology *t = weir_topology_new("app");
	const weir_header item = { "trace", weir_str("one") };
	weir_driver_record r;

	(void)state;
	weir_process(text_source(t, "in"), "refuse", (weir_processor){ .process = refuse, .user = no_use });
	weir_driver *d = driver(t, (weir_driver_opts){ .partitions = 2, .now_ms = 5000000 });

	weir_driver_pipe_record(d, "in", 1, weir_str("k"), weir_str("first"), 1, NULL);
	weir_driver_pipe_record(d, "in", 1, weir_str("k"), WEIR_NULL, 1234, &(weir_headers){ &item, 1 });
	assert_dead_letter(d, "first", "of no use");
	assert_true(weir_driver_read(d, "dead-letters", &r));
	assert_bytes(r.key, "k");
	assert_true(weir_is_null(r.value));
	assert_true(r.timestamp_ms >= 5000000); /* the wall clock's */
	assert_bytes(weir_headers_last(r.headers, "trace"), "one");
	assert_bytes(weir_headers_last(r.headers, "reason"), "of no use");
	assert_bytes(weir_headers_last(r.headers, "original-timestamp"), "1234");
	assert_bytes(weir_headers_last(r.headers, "__streams.errors.message"), "of no use");
	assert_bytes(weir_headers_last(r.headers, "__streams.errors.topic"), "in");
	assert_bytes(weir_headers_last(r.headers, "__streams.errors.partition"), "1");
	assert_bytes(weir_headers_last(r.headers, "__streams.errors.offset"), "1");
	assert_int_equal(r.headers->count, 8);
	weir_driver_free(d);
}

static void a_result_without_a_source_record_is_the_dead_letter_itself(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_table *counts =
		weir_count(text_source(t, "in"), "counts", (weir_window){ .size_ms = 10, .grace_ms = 100 });
	weir_driver_record r;

	(void)state;
	weir_process(weir_changes(counts), "refuse", (weir_processor){ .process = refuse, .user = no_use });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "k", "v", 25);
	assert_true(weir_driver_read(d, "dead-letters", &r));
	assert_bytes(r.key, "k");
	assert_int_equal(r.value.len, 8);
	assert_int_equal(weir_get_be64(r.value.data), 1);
	assert_bytes(weir_headers_last(r.headers, "reason"), "of no use");
	assert_bytes(weir_headers_last(r.headers, "original-timestamp"), "25");
	assert_bytes(weir_headers_last(r.headers, "step"), "refuse");
	assert_bytes(weir_headers_last(r.headers, "window-start"), "20");
	assert_true(weir_is_null(weir_headers_last(r.headers, "__streams.errors.topic")));
	weir_driver_free(d);
}

static void without_a_dead_letter_topic_they_are_counted(void **state)
{
	weir_topology *t = weir_topology_new("app");
	static const char *const config[][2] = { { "errors.dead.letter.queue.topic.name", "" } };

	(void)state;
	weir_process(text_source(t, "in"), "refuse", (weir_processor){ .process = refuse, .user = no_use });
	weir_driver *d = driver(t, (weir_driver_opts){ .config = config, .config_count = 1 });

	weir_driver_pipe(d, "in", "k", "v", 1);
	assert_int_equal(weir_app_state_get(weir_driver_app(d), NULL), WEIR_APP_RUNNING);
	assert_int_equal(partitions_of(d, "dead-letters"), 0);

	assert_true(weir_metrics_value(weir_app_metrics(weir_driver_app(d)), "weir_dead_letters_total",
				       (const char *const[]){ "0" }) == 1.0);
	weir_driver_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_step_passes_on_values_of_its_own_serde),
		cmocka_unit_test(each_task_has_a_state_of_its_own_that_begins_with_zeros),
		cmocka_unit_test(a_processor_reads_its_own_writes_and_they_outlive_it),
		cmocka_unit_test(an_unlogged_store_lives_as_long_as_the_local_state),
		cmocka_unit_test(a_range_sees_what_was_just_put),
		cmocka_unit_test(a_processor_can_read_the_store_of_an_aggregate),
		cmocka_unit_test(forward_goes_to_all_below_and_forward_to_to_one),
		cmocka_unit_test(forwarding_to_a_step_that_is_not_below_stops_and_names_both),
		cmocka_unit_test(a_processor_that_is_to_keep_the_key_and_does_not_stops),
		cmocka_unit_test(init_may_use_stores_and_forward),
		cmocka_unit_test(a_store_written_in_init_alone_is_committed_too),
		cmocka_unit_test(weir_stop_ends_the_application_and_nothing_of_that_commit_is_seen),
		cmocka_unit_test(weir_stop_in_init_refuses_to_start),
		cmocka_unit_test(weir_stop_while_a_commit_sends_results_on_aborts_that_commit),
		cmocka_unit_test(a_dead_letter_is_the_source_record_as_it_was_read),
		cmocka_unit_test(a_result_without_a_source_record_is_the_dead_letter_itself),
		cmocka_unit_test(without_a_dead_letter_topic_they_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
