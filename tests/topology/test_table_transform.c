/* Tables whose values are changed by a transformer: a function with a state, stores and timers. */
#include "tests/topology/topology_test.h"

/* What a task's transformer has lived through. */
static int inits, closes, asked;

static weir_topology *without_calls(weir_table **people)
{
	weir_topology *t = weir_topology_new("app");

	inits = closes = asked = 0;
	*people = weir_table_source(t, "people", (weir_table_source_opts){ .value = &weir_utf8 });
	return t;
}

static weir_topology *with_calls(weir_table **people)
{
	weir_topology *t = without_calls(people);

	weir_add_store(t, "calls", (weir_store_opts){ 0 });
	return t;
}

/* "value#n", n = how often the key has been asked for. */
static const void *numbered(weir_context *cx, const weir_record *r, void *state, void *user)
{
	weir_store *calls = weir_context_store(cx, "calls");
	weir_bytes old = weir_store_get(calls, r->key, NULL);
	const weir_bytes *v = weir_value(r);
	int64_t n = weir_is_null(old) ? 1 : weir_get_be64(old.data) + 1;
	char now[8];

	(void)state, (void)user;
	asked++;
	weir_put_be64(now, n);
	weir_store_put(calls, r->key, weir_bytes_of(now, sizeof now), r->timestamp_ms);
	return v ? text(cx, "%.*s#%d", (int)v->len, (const char *)v->data, (int)n) : text(cx, "none#%d", (int)n);
}

static const weir_value_transformer with_store = { .transform = numbered, .stores = { "calls" } };

static weir_driver *driver_of(weir_topology *t, weir_table *table)
{
	weir_sink(weir_changes(table), "out", (weir_sink_opts){ 0 });
	return driver(t, (weir_driver_opts){ 0 });
}

static void a_transformer_has_stores_which_outlive_a_crash(void **state)
{
	weir_table *people;
	weir_topology *t = with_calls(&people);
	weir_driver *d =
		driver_of(t, weir_table_transform_values(people, "numbered", with_store, (weir_table_opts){ 0 }));

	(void)state;
	weir_driver_pipe(d, "people", "a", "Ann", 1);
	weir_driver_pipe(d, "people", "b", "Bob", 2);
	weir_driver_pipe(d, "people", "a", "Anna", 3);
	assert_text(d, "out", "a=Ann#1@1", "b=Bob#1@2", "a=Anna#2@3");
	must(weir_driver_restart(d, true, &err));
	weir_driver_pipe(d, "people", "a", "Annabel", 4);
	assert_text(d, "out", "a=Annabel#3@4");
	weir_driver_free(d);
}

static void it_is_asked_about_deletions_too_and_may_make_rows_of_them(void **state)
{
	for (int stored = 0; stored < 2; stored++) {
		weir_table *people;
		weir_topology *t = with_calls(&people);
		weir_table_opts opts = { .store = stored ? "numbered-store" : NULL };
		weir_driver *d = driver_of(t, weir_table_transform_values(people, "numbered", with_store, opts));

		weir_driver_pipe(d, "people", "a", "Ann", 1);
		weir_driver_pipe(d, "people", "a", NULL, 2);
		assert_text(d, "out", "a=Ann#1@1", "a=none#2@2");
		assert_int_equal(asked, 2);
		weir_driver_free(d);
	}
	(void)state;
}

static void by_value(weir_context *cx, const weir_record *in, weir_record *out, void *user)
{
	(void)cx, (void)user;
	weir_set_key(out, weir_value_bytes(in));
}

static void old_values_are_asked_for_only_if_a_step_below_wants_them(void **state)
{
	for (int stored = 0; stored < 2; stored++) {
		weir_table *people;
		weir_topology *t = with_calls(&people);
		weir_table_opts opts = { .store = stored ? "numbered-store" : NULL };
		weir_table *table = weir_table_transform_values(people, "numbered", with_store, opts);
		weir_group_by_opts as_is = { 0 };

		weir_grouped_count(weir_table_group_by(table, "groups", by_value, as_is, NULL), "counts",
				   (weir_table_opts){ 0 });
		weir_driver *d = driver_of(t, table);
		weir_driver_pipe(d, "people", "a", "Ann", 1);
		weir_driver_pipe(d, "people", "a", "Anna", 2);
		weir_driver_pipe(d, "people", "a", "Bob", 3);
		assert_int_equal(asked, stored ? 3 : 6);
		weir_driver_free(d);
	}
	(void)state;
}

/* --- look-ups ------------------------------------------------------------------------------------------------- */

static const void *dated(weir_context *cx, const weir_record *r, void *state, void *user)
{
	(void)state, (void)user;
	asked++;
	return text(cx, "%s at %d, %d headers", weir_value(r) ? "row" : "none", (int)r->timestamp_ms,
		    (int)weir_record_headers(r)->count);
}

static const void *right_alone(weir_context *cx, weir_bytes key, const void *left, const void *right, void *user)
{
	(void)cx, (void)key, (void)left, (void)user;
	return right;
}

static void a_look_up_asks_again_and_about_rows_that_are_not_there(void **state)
{
	weir_table *people;
	weir_topology *t = without_calls(&people);
	weir_table *table = weir_table_transform_values(
		people, "dated", (weir_value_transformer){ .transform = dated }, (weir_table_opts){ 0 });
	weir_header header = { "h", weir_str("1") };

	(void)state;
	weir_sink(weir_join_table(text_source(t, "in"), "joined", table, right_alone,
				  (weir_join_table_opts){ .value = &weir_utf8 }, NULL),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "people", "a", "Ann", 5);
	assert_int_equal(asked, 1);
	weir_driver_pipe_record(d, "in", -1, weir_str("a"), weir_str("x"), 9, &(weir_headers){ &header, 1 });
	weir_driver_pipe(d, "in", "b", "x", 10);
	assert_text(d, "out", "a=row at 5, 0 headers@9", "b=none at -1, 0 headers@10");
	assert_int_equal(asked, 3);
	weir_driver_free(d);
}

static void with_a_store_a_look_up_asks_the_store(void **state)
{
	weir_table *people;
	weir_topology *t = without_calls(&people);
	weir_table *table =
		weir_table_transform_values(people, "dated", (weir_value_transformer){ .transform = dated },
					    (weir_table_opts){ .store = "dated-store" });

	(void)state;
	weir_sink(weir_join_table(text_source(t, "in"), "joined", table, right_alone,
				  (weir_join_table_opts){ .value = &weir_utf8 }, NULL),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "people", "a", "Ann", 5);
	weir_driver_pipe(d, "in", "a", "x", 9);
	weir_driver_pipe(d, "in", "b", "x", 10);
	assert_text(d, "out", "a=row at 5, 0 headers@9");
	assert_int_equal(asked, 1);
	weir_driver_free(d);
}

/* --- its life ------------------------------------------------------------------------------------------------- */

struct lived {
	int rows, ticks;
};

static void tick(weir_context *cx, int64_t time_ms, void *state)
{
	(void)cx, (void)time_ms;
	((struct lived *)state)->ticks++;
}

static void begin(weir_context *cx, void *state, void *user)
{
	assert_int_equal(((struct lived *)state)->rows, 0);
	inits++;
	*(weir_timer **)user = weir_schedule(cx, 10, WEIR_WALL_CLOCK_TIME, tick);
}

static void end(void *state, void *user)
{
	(void)state, (void)user;
	closes++;
}

static const void *lives(weir_context *cx, const weir_record *r, void *state, void *user)
{
	struct lived *l = state;
	int64_t *n = weir_alloc(cx, sizeof *n);

	(void)r, (void)user;
	*n = 100 * ++l->rows + l->ticks;
	return n;
}

static void it_has_a_state_and_timers_made_anew_with_the_task(void **state)
{
	weir_table *people;
	weir_topology *t = without_calls(&people);
	weir_timer *timer;
	weir_value_transformer how = { .state_size = sizeof(struct lived),
				       .init = begin,
				       .transform = lives,
				       .close = end,
				       .value = &weir_int64,
				       .user = &timer };
	weir_driver *d = driver_of(t, weir_table_transform_values(people, "lives", how, (weir_table_opts){ 0 }));

	(void)state;
	weir_driver_pipe(d, "people", "a", "x", 1);
	weir_driver_advance(d, 10);
	weir_driver_advance(d, 10);
	weir_driver_pipe(d, "people", "b", "x", 2);
	assert_numbers(d, "out", "a=100@1", "b=202@2");
	must(weir_driver_restart(d, false, &err));
	weir_driver_pipe(d, "people", "c", "x", 3);
	assert_numbers(d, "out", "c=100@3");
	weir_driver_free(d);
	assert_int_equal(inits, 2);
	assert_int_equal(closes, 2);
}

static const void *forwards(weir_context *cx, const weir_record *r, void *state, void *user)
{
	(void)state, (void)user;
	weir_forward(cx, r);
	return weir_value(r);
}

static void it_cannot_forward(void **state)
{
	weir_table *people;
	weir_topology *t = without_calls(&people);
	weir_value_transformer how = { .transform = forwards };
	weir_driver *d = driver_of(t, weir_table_transform_values(people, "forwards", how, (weir_table_opts){ 0 }));

	(void)state;
	weir_driver_pipe(d, "people", "a", "x", 1);
	assert_stopped(d, "step \"forwards\" forwards a record");
	assert_nothing(d, "out");
	weir_driver_free(d);
}

static void what_is_wrong_with_it_comes_out_at_the_start(void **state)
{
	weir_table *people;
	weir_topology *t = without_calls(&people);
	weir_error err;

	(void)state;
	weir_table_transform_values(people, "nothing", (weir_value_transformer){ 0 }, (weir_table_opts){ 0 });
	weir_table_transform_values(people, "lost",
				    (weir_value_transformer){ .transform = forwards, .stores = { "gone" } },
				    (weir_table_opts){ 0 });
	assert_false(weir_topology_check(t, &err));
	assert_contains(err.message, "nothing");
	assert_contains(err.message, "there is no store \"gone\"");
	weir_topology_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_transformer_has_stores_which_outlive_a_crash),
		cmocka_unit_test(it_is_asked_about_deletions_too_and_may_make_rows_of_them),
		cmocka_unit_test(old_values_are_asked_for_only_if_a_step_below_wants_them),
		cmocka_unit_test(a_look_up_asks_again_and_about_rows_that_are_not_there),
		cmocka_unit_test(with_a_store_a_look_up_asks_the_store),
		cmocka_unit_test(it_has_a_state_and_timers_made_anew_with_the_task),
		cmocka_unit_test(it_cannot_forward),
		cmocka_unit_test(what_is_wrong_with_it_comes_out_at_the_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
