/* Several streams in one aggregate. */
#include "tests/topology/topology_test.h"

static const void *list(weir_context *cx, const weir_record *r, const void *aggregate, void *user)
{
	const weir_bytes *old = aggregate, *value = weir_value(r);

	return text(cx, "%.*s%s%.*s", old ? (int)old->len : 0, old ? (const char *)old->data : "",
		    (const char *)user, value ? (int)value->len : 0, value ? (const char *)value->data : "");
}

static const void *join_lists(weir_context *cx, weir_bytes key, const void *a, const void *b, void *user)
{
	const weir_bytes *x = a, *y = b;

	(void)key, (void)user;
	return text(cx, "%.*s|%.*s", (int)x->len, (const char *)x->data, (int)y->len, (const char *)y->data);
}

static weir_bytes first_letter(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)user;
	return weir_bytes_of(((const weir_bytes *)weir_value(r))->data, 1);
}

/* Orders by "+", payments by "-"; behind a new key if `rekeyed`. */
static weir_topology *accounts(weir_window window, bool rekeyed)
{
	weir_topology *t = weir_topology_new("accounts");
	weir_stream *payments = text_source(t, "payments");
	weir_cogrouped inputs[] = {
		{ .stream = text_source(t, "orders"), .fold = list, .user = (char *)"+" },
		{ .stream = rekeyed ? weir_key_by(payments, "letter", first_letter, NULL) : payments,
		  .fold = list,
		  .user = (char *)"-" },
	};
	weir_aggregator a = { .value = &weir_utf8, .merge = join_lists };

	weir_sink(weir_changes(weir_cogroup(inputs, 2, "accounts", a, window)), "out", (weir_sink_opts){ 0 });
	return t;
}

static void each_stream_is_folded_in_its_own_way(void **state)
{
	weir_driver *d = driver(accounts((weir_window){ 0 }, false), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "orders", "a", "1", 5);
	weir_driver_pipe(d, "payments", "a", "2", 3);
	weir_driver_pipe(d, "payments", "b", "3", 4);
	weir_driver_pipe(d, "orders", "b", NULL, 4);
	assert_text(d, "out", "a=+1@5", "a=+1-2@5", "b=-3@4");
	weir_driver_free(d);
}

static void a_stream_with_a_new_key_is_repartitioned_alone(void **state)
{
	weir_driver *d = driver(accounts((weir_window){ 0 }, true), (weir_driver_opts){ .partitions = 3 });

	(void)state;
	weir_driver_pipe(d, "orders", "a", "1", 5);
	weir_driver_pipe(d, "payments", "x", "a2", 7);
	assert_text(d, "out", "a=+1@5", "a=+1-a2@7");
	weir_driver_free(d);
}

static void windows_are_late_by_the_time_of_each_stream(void **state)
{
	weir_driver *d = driver(accounts((weir_window){ .size_ms = 10, .grace_ms = 100, .retain_ms = 1000 }, false),
				(weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "orders", "a", "1", 200);
	weir_driver_pipe(d, "payments", "a", "2", 5);
	weir_driver_pipe(d, "orders", "a", "late", 5);
	assert_windows(d, "out", "a[200]=+1@200", "a[0]=-2@5");
	assert_dead_letter(d, "late", "late");
	weir_driver_free(d);
}

static void sessions_of_all_streams_grow_together(void **state)
{
	weir_driver *d =
		driver(accounts((weir_window){ .gap_ms = 10, .grace_ms = 100 }, false), (weir_driver_opts){ 0 });
	weir_driver_record r;

	(void)state;
	weir_driver_pipe(d, "orders", "a", "1", 20);
	weir_driver_pipe(d, "payments", "a", "2", 40);
	weir_driver_pipe(d, "orders", "a", "3", 30);
	for (int i = 0; i < 5; i++)
		assert_true(weir_driver_read(d, "out", &r));
	assert_bytes(r.value, "+1|-2+3");
	assert_int_equal(r.timestamp_ms, 40);
	assert_false(weir_driver_read(d, "out", &r));
	weir_driver_free(d);
}

static void count_up(weir_context *cx, const weir_record *r, void *aggregate, void *user)
{
	(void)cx, (void)r;
	*(int64_t *)aggregate += *(const int64_t *)user;
}

static void aggregates_of_fixed_size_are_changed_in_place_and_survive(void **state)
{
	static int64_t one = 1, hundred = 100;
	weir_topology *t = weir_topology_new("counts");
	weir_cogrouped inputs[] = {
		{ .stream = text_source(t, "in"), .add = count_up, .user = &one },
		{ .stream = text_source(t, "in2"), .add = count_up, .user = &hundred },
	};
	weir_aggregator a = { .value = &weir_int64 };

	weir_sink(weir_changes(weir_suppress(weir_cogroup(inputs, 2, "counts", a, (weir_window){ .size_ms = 10 }),
					     "final", (weir_suppress_opts){ .until_window_closes = true })),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", "a", "x", 1);
	weir_driver_pipe(d, "in2", "a", "x", 2);
	must(weir_driver_restart(d, true, &err));
	weir_driver_pipe(d, "in", "a", "x", 3);
	assert_nothing(d, "out");
	weir_driver_pipe(d, "in2", "b", "x", 10);
	assert_windowed_numbers(d, "out", "a[0]=102@3");
	weir_driver_free(d);
}

static void what_makes_no_sense_is_refused(void **state)
{
	weir_topology *t = weir_topology_new("wrong");
	weir_cogrouped inputs[] = { { .stream = text_source(t, "in"), .fold = list, .user = (char *)"" },
				    { .stream = text_source(t, "in2"), .add = count_up } };
	weir_aggregator a = { .value = &weir_utf8, .fold = list };
	weir_error err;

	(void)state;
	weir_cogroup(inputs, 2, "mixed", a, (weir_window){ .gap_ms = 5, .emit_on_close = true });
	assert_false(weir_topology_check(t, &err));
	assert_contains(err.message, "step \"mixed\": either all inputs have add or all have fold");
	assert_contains(err.message, "step \"mixed\": add and fold belong to the inputs");
	assert_contains(err.message, "step \"mixed\": sessions grow together: their aggregator has a merge");
	assert_contains(err.message, "step \"mixed\": emit_on_close: each of its inputs has a time of its own");
	weir_topology_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_stream_is_folded_in_its_own_way),
		cmocka_unit_test(a_stream_with_a_new_key_is_repartitioned_alone),
		cmocka_unit_test(windows_are_late_by_the_time_of_each_stream),
		cmocka_unit_test(sessions_of_all_streams_grow_together),
		cmocka_unit_test(aggregates_of_fixed_size_are_changed_in_place_and_survive),
		cmocka_unit_test(what_makes_no_sense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
