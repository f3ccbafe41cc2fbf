/* What is put around processors (weir_topology_wrap); tests/conformance/cases/wrapped.case compares it with Kafka
 * Streams'. */
#include "tests/topology/topology_test.h"

static char trace[2000];

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...)
{
	size_t n = strlen(trace);
	va_list args;

	va_start(args, format);
	vsnprintf(trace + n, sizeof trace - n, format, args);
	va_end(args);
}

#define assert_trace(want) \
	do { \
		assert_string_equal(trace, want); \
		trace[0] = 0; \
	} while (0)

/* --- a processor and a wrapper that say what is called ---------------------------------------------------------
 * */

struct counted {
	char name[3]; /* odd: what follows must be aligned all the same */
	int64_t calls;
};

static void inner_tick(weir_context *cx, int64_t time_ms, void *state)
{
	struct counted *c = state;

	(void)cx;
	note("%s ticks at %lld, call %lld; ", c->name, (long long)time_ms, (long long)++c->calls);
}

static void inner_init(weir_context *cx, void *state, void *user)
{
	struct counted *c = state;

	assert_int_equal((uintptr_t)state % 16, 0);
	assert_int_equal(c->calls, 0);
	snprintf(c->name, sizeof c->name, "%s", (const char *)user);
	note("%s begins; ", c->name);
	weir_schedule(cx, 10, WEIR_STREAM_TIME, inner_tick);
}

static void inner_process(weir_context *cx, const weir_record *r, void *state, void *user)
{
	struct counted *c = state;

	(void)user;
	assert_string_equal(c->name, user);
	note("%s call %lld; ", c->name, (long long)++c->calls);
	weir_forward(cx, r);
}

static void inner_close(void *state, void *user)
{
	(void)user;
	note("%s ends; ", ((struct counted *)state)->name);
}

/* Timers that a wrapper's timer schedules are the wrapper's as well. */
static void outer_tick_again(weir_context *cx, int64_t time_ms, void *state)
{
	struct counted *c = state;

	(void)cx;
	note("around %s again at %lld; ", c->name, (long long)time_ms);
}

static void outer_tick(weir_context *cx, int64_t time_ms, void *state)
{
	struct counted *c = state;

	note("around %s at %lld; ", c->name, (long long)time_ms);
	if (c->calls++ == 0)
		weir_schedule(cx, 1000, WEIR_WALL_CLOCK_TIME, outer_tick_again);
}

static void outer_init(weir_context *cx, weir_wrapped *inner, void *state, void *user)
{
	struct counted *c = state;

	assert_int_equal((uintptr_t)state % 16, 0);
	snprintf(c->name, sizeof c->name, "%s", weir_wrapped_step(inner));
	note("%s begins around %s; ", (const char *)user, c->name);
	weir_wrapped_init(inner, cx);
	weir_schedule(cx, 100, WEIR_WALL_CLOCK_TIME, outer_tick);
}

/* "twice" and "never" say how often. */
static void outer_process(weir_context *cx, const weir_record *r, weir_wrapped *inner, void *state, void *user)
{
	(void)user;
	assert_string_equal(((struct counted *)state)->name, weir_wrapped_step(inner));
	if (weir_bytes_equal(weir_value_bytes(r), weir_str("bad")))
		weir_step_fail(cx, "no");
	if (!weir_bytes_equal(weir_value_bytes(r), weir_str("never")))
		weir_wrapped_process(inner, cx, r);
	if (weir_bytes_equal(weir_value_bytes(r), weir_str("twice")))
		weir_wrapped_process(inner, cx, r);
}

static void outer_close(weir_wrapped *inner, void *state, void *user)
{
	weir_wrapped_close(inner);
	note("%s ends around %s; ", (const char *)user, ((struct counted *)state)->name);
}

static char a_name[] = "a", b_name[] = "b", wrapper_name[] = "wrapper";

static const weir_wrapper all_of_it = { .state_size = sizeof(struct counted),
					.init = outer_init,
					.process = outer_process,
					.close = outer_close,
					.user = wrapper_name };

static weir_stream *counted(weir_stream *s, char *name)
{
	return weir_process(s, name,
			    (weir_processor){ .state_size = sizeof(struct counted),
					      .init = inner_init,
					      .process = inner_process,
					      .close = inner_close,
					      .user = name });
}

static weir_topology *wrapped(weir_wrapper wrapper)
{
	weir_topology *t = weir_topology_new("app");

	weir_topology_wrap(t, wrapper);
	weir_sink(counted(counted(text_source(t, "in"), a_name), b_name), "out", (weir_sink_opts){ 0 });
	trace[0] = 0;
	return t;
}

static void each_processor_has_one_around_it_from_its_init_to_its_close(void **state)
{
	weir_driver *d = driver(wrapped(all_of_it), (weir_driver_opts){ 0 });

	(void)state;
	assert_trace("wrapper begins around a; a begins; wrapper begins around b; b begins; ");
	weir_driver_pipe(d, "in", "k", "v", 1);
	assert_trace("a call 1; b call 1; a ticks at 1, call 2; b ticks at 1, call 2; ");
	weir_driver_pipe(d, "in", "k", "never", 2);
	assert_trace("");
	weir_driver_pipe(d, "in", "k", "twice", 3);
	assert_trace("a call 3; b call 3; b call 4; a call 4; b call 5; b call 6; ");
	assert_text(d, "out", "k=v@1", "k=twice@3", "k=twice@3", "k=twice@3", "k=twice@3");
	weir_driver_advance(d, 100);
	assert_int_equal(strlen(trace), 2 * strlen("around a at 1704067200100; "));
	assert_contains(trace, "around a at ");
	assert_contains(trace, "around b at ");
	trace[0] = 0;
	weir_driver_advance(d, 1000);
	assert_contains(trace, "around a again at ");
	assert_contains(trace, "around b again at ");
	trace[0] = 0;
	weir_driver_free(d);
	assert_trace("a ends; wrapper ends around a; b ends; wrapper ends around b; ");
}

static void what_a_wrapper_has_not_is_as_without_it(void **state)
{
	weir_driver *d = driver(wrapped((weir_wrapper){ .user = NULL }), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", "k", "v", 1);
	assert_text(d, "out", "k=v@1");
	weir_driver_free(d);
	assert_trace("a begins; b begins; a call 1; b call 1; a ticks at 1, call 2; b ticks at 1, call 2; a ends; "
		     "b ends; ");
}

static bool only_b(const char *step, const weir_processor *processor, void *user)
{
	(void)user;
	assert_ptr_equal(processor->process, inner_process);
	return strcmp(step, "b") == 0;
}

static void a_wrapper_takes_what_it_wants(void **state)
{
	weir_wrapper wrapper = all_of_it;

	(void)state;
	wrapper.wants = only_b;
	weir_driver *d = driver(wrapped(wrapper), (weir_driver_opts){ 0 });

	assert_trace("a begins; wrapper begins around b; b begins; ");
	weir_driver_pipe(d, "in", "k", "never", 1);
	assert_trace("a call 1; a ticks at 1, call 2; b ticks at 1, call 1; ");
	weir_driver_free(d);
}

static void a_wrapper_that_fails_fails_for_its_step(void **state)
{
	static const char *const config[][2] = { { "errors.processing", "dead-letter" } };
	weir_driver *d = driver(wrapped(all_of_it), (weir_driver_opts){ .config = config, .config_count = 1 });

	(void)state;
	weir_driver_pipe(d, "in", "k", "bad", 1);
	assert_nothing(d, "out");
	assert_dead_letter(d, "bad", "no");
	weir_driver_free(d);
}

/* --- with stores -----------------------------------------------------------------------------------------------
 * */

static char own[] = "own", common[] = "common";

/* How often the key has come, in a store of the wrapper's. */
static void count_calls(weir_context *cx, const weir_record *r, weir_wrapped *inner, void *state, void *user)
{
	weir_store *store = weir_context_store(cx, common);
	weir_bytes old = weir_store_get(store, r->key, NULL);
	char bytes[8];

	(void)state, (void)user;
	weir_put_be64(bytes, (old.len == 8 ? weir_get_be64(old.data) : 0) + 1);
	weir_store_put(store, r->key, weir_bytes_of(bytes, 8), r->timestamp_ms);
	weir_wrapped_process(inner, cx, r);
}

static void keep_value(weir_context *cx, const weir_record *r, void *state, void *user)
{
	(void)state, (void)user;
	weir_store_put(weir_context_store(cx, own), r->key, weir_value_bytes(r), r->timestamp_ms);
	weir_forward(cx, r);
}

static weir_bytes value_as_key(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)user;
	return weir_value_bytes(r);
}

static void a_wrapper_may_bring_stores_and_wants_its_records_by_key_then(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_topology_wrap(t, (weir_wrapper){ .process = count_calls, .stores = { common } });
	weir_add_store(t, own, (weir_store_opts){ 0 });
	weir_add_store(t, common, (weir_store_opts){ 0 });
	weir_stream *in = text_source(t, "in");

	weir_process(in, "first",
		     (weir_processor){ .process = keep_value, .stores = { own, common }, .keeps_key = true });
	weir_sink(weir_process(weir_key_by(in, "by-value", value_as_key, NULL), "second",
			       (weir_processor){ .process = inner_process,
						 .state_size = sizeof(struct counted),
						 .init = inner_init,
						 .user = a_name }),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	assert_int_equal(partitions_of(d, "app-second-by-key-repartition"), 1);
	weir_driver_pipe(d, "in", "k", "v", 1);
	assert_text(d, "out", "v=v@1");
	weir_store *store = weir_driver_store(d, common, 0);

	assert_int_equal(weir_get_be64(weir_store_get(store, weir_str("k"), NULL).data), 1);
	assert_int_equal(weir_get_be64(weir_store_get(store, weir_str("v"), NULL).data), 1);
	assert_bytes(weir_store_get(weir_driver_store(d, own, 0), weir_str("k"), NULL), "v");
	weir_driver_free(d);
}

/* --- around the steps of all operators --------------------------------------------------------------------------
 * */

static void tell_step(weir_context *cx, const weir_record *r, weir_wrapped *inner, void *state, void *user)
{
	(void)state, (void)user;
	note("%s(%s) ", weir_wrapped_step(inner), weir_wrapped_kind(inner));
	weir_wrapped_process(inner, cx, r);
}

static bool is_text(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)user;
	return !weir_bytes_equal(weir_value_bytes(r), weir_str("no"));
}

static weir_topology *counting(weir_wrapper wrapper)
{
	weir_topology *t = weir_topology_new("app");

	weir_topology_wrap(t, wrapper);
	weir_table *counts =
		weir_count(weir_filter(text_source(t, "in"), "some", is_text, NULL), "counts", (weir_window){ 0 });

	weir_sink(counted(weir_changes(counts), a_name), "out", (weir_sink_opts){ .value = &weir_int64 });
	trace[0] = 0;
	return t;
}

static void with_steps_it_is_around_all_but_sources_and_sinks(void **state)
{
	weir_driver *d =
		driver(counting((weir_wrapper){ .process = tell_step, .steps = true }), (weir_driver_opts){ 0 });

	(void)state;
	assert_trace("a begins; ");
	weir_driver_pipe(d, "in", "k", "v", 1);
	assert_trace("some(filter) counts(count) a ticks at 1, call 1; a(process) a call 2; ");
	weir_driver_pipe(d, "in", "k", "no", 2);
	assert_trace("some(filter) ");
	weir_driver_free(d);
	assert_trace("a ends; ");
}

static bool only_counts(const char *step, const weir_processor *processor, void *user)
{
	(void)user;
	assert_int_equal(processor != NULL, strcmp(step, "a") == 0);
	return strcmp(step, "counts") == 0;
}

/* Another value, twice, then one of its own to those below, past the store. */
static void count_otherwise(weir_context *cx, const weir_record *r, weir_wrapped *inner, void *state, void *user)
{
	weir_record other = *r;
	weir_bytes *value = weir_alloc(cx, sizeof *value);
	int64_t *n = weir_alloc(cx, sizeof *n);

	(void)user;
	*value = weir_str("other");
	weir_wrapped_set_value(&other, value);
	assert_bytes(weir_value_bytes(&other), "other");
	weir_wrapped_process(inner, cx, &other);
	weir_wrapped_process(inner, cx, r);
	other = *r;
	*n = -(++*(int64_t *)state);
	weir_set_value(&other, n);
	weir_forward(cx, &other);
}

/* It leaves out the step's init and close, which a step of weir's own cannot do without. */
static void calls_nothing(weir_context *cx, weir_wrapped *inner, void *state, void *user)
{
	(void)cx, (void)inner, (void)state, (void)user;
}

static void closes_nothing(weir_wrapped *inner, void *state, void *user)
{
	(void)inner, (void)state, (void)user;
}

static void it_may_change_repeat_and_forward_around_a_table(void **state)
{
	weir_driver *d = driver(counting((weir_wrapper){ .state_size = sizeof(int64_t),
							 .init = calls_nothing,
							 .process = count_otherwise,
							 .close = closes_nothing,
							 .wants = only_counts,
							 .steps = true }),
				(weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", "k", "v", 1);
	assert_numbers(d, "out", "k=-1@1", "k=2@1");
	weir_driver_pipe(d, "in", "k", "v", 2);
	assert_numbers(d, "out", "k=-2@2", "k=4@2");
	weir_driver_free(d);
	trace[0] = 0;
}

/* How many records have come to each step, in one store of all of them; windows that wait have their own init and
 * close. */
static void steps_may_get_stores_of_a_wrapper(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_topology_wrap(t, (weir_wrapper){ .init = calls_nothing,
					      .process = count_calls,
					      .close = closes_nothing,
					      .stores = { common },
					      .steps = true });
	weir_add_store(t, common, (weir_store_opts){ 0 });
	weir_window window = { .size_ms = 10, .retain_ms = 1000, .emit_on_close = true };

	weir_sink(weir_changes(
			  weir_count(weir_filter(text_source(t, "in"), "some", is_text, NULL), "counts", window)),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "k", "v", 1);
	weir_driver_pipe(d, "in", "k", "no", 2);
	weir_driver_pipe(d, "in", "k", "v", 20);
	weir_store *store = weir_driver_store(d, common, 0);

	assert_int_equal(weir_get_be64(weir_store_get(store, weir_str("k"), NULL).data), 5);
	weir_driver_free(d);
}

static const void *give_and_forward(weir_context *cx, const weir_record *r, void *state, void *user)
{
	(void)state, (void)user;
	weir_forward(cx, r);
	return weir_value(r);
}

static void forward_behind(weir_context *cx, const weir_record *r, weir_wrapped *inner, void *state, void *user)
{
	(void)state;
	if (user)
		weir_wrapped_process(inner, cx, r);
	weir_forward(cx, r);
}

static weir_driver *transforming(void *inner_runs)
{
	weir_topology *t = weir_topology_new("app");

	weir_topology_wrap(t, (weir_wrapper){ .process = forward_behind, .steps = true, .user = inner_runs });
	weir_table *rows = weir_to_table(text_source(t, "in"), "rows", (weir_table_opts){ 0 });

	weir_sink(weir_changes(weir_table_transform_values(
			  rows, "given", (weir_value_transformer){ .transform = give_and_forward },
			  (weir_table_opts){ 0 })),
		  "out", (weir_sink_opts){ 0 });
	return driver(t, (weir_driver_opts){ 0 });
}

static void it_may_forward_where_the_step_must_not(void **state)
{
	weir_driver *d = transforming(NULL);
	weir_error err = { .code = WEIR_OK };

	(void)state;
	weir_driver_pipe(d, "in", "k", "v", 1);
	assert_text(d, "out", "k=v@1");
	weir_driver_free(d);
	d = transforming(a_name);
	weir_driver_pipe(d, "in", "k", "v", 1);
	assert_int_equal(weir_app_state_get(weir_driver_app(d), &err), WEIR_APP_ERROR);
	assert_contains(err.message, "step \"given\" forwards a record: it can only give values");
	weir_driver_free(d);
}

static void a_wrapper_comes_once_and_before_the_first_step(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_error err = { .code = WEIR_OK };

	(void)state;
	weir_topology_wrap(t, all_of_it);
	weir_topology_wrap(t, all_of_it);
	weir_sink(text_source(t, "in"), "out", (weir_sink_opts){ 0 });
	assert_false(weir_topology_check(t, &err));
	assert_contains(err.message, "it is to be wrapped once, before its first step");
	weir_topology_free(t);
	t = weir_topology_new("app");
	weir_sink(text_source(t, "in"), "out", (weir_sink_opts){ 0 });
	weir_topology_wrap(t, all_of_it);
	assert_false(weir_topology_check(t, &err));
	weir_topology_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_processor_has_one_around_it_from_its_init_to_its_close),
		cmocka_unit_test(what_a_wrapper_has_not_is_as_without_it),
		cmocka_unit_test(a_wrapper_takes_what_it_wants),
		cmocka_unit_test(a_wrapper_that_fails_fails_for_its_step),
		cmocka_unit_test(a_wrapper_may_bring_stores_and_wants_its_records_by_key_then),
		cmocka_unit_test(with_steps_it_is_around_all_but_sources_and_sinks),
		cmocka_unit_test(it_may_change_repeat_and_forward_around_a_table),
		cmocka_unit_test(steps_may_get_stores_of_a_wrapper),
		cmocka_unit_test(it_may_forward_where_the_step_must_not),
		cmocka_unit_test(a_wrapper_comes_once_and_before_the_first_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
