/* Joins of two tables by key. */
#include "tests/topology/topology_test.h"

static const void *both(weir_context *cx, weir_bytes key, const void *left, const void *right, void *user)
{
	const weir_bytes none = weir_str("-"), *l = left ? left : &none, *r = right ? right : &none;

	(void)key, (void)user;
	return text(cx, "%.*s+%.*s", (int)l->len, (const char *)l->data, (int)r->len, (const char *)r->data);
}

typedef weir_table *join_fn(weir_table *left, const char *name, weir_table *right, weir_join_fn *join,
			    const weir_serde *value, weir_table_opts opts, void *user);

static weir_table *table(weir_topology *t, const char *name)
{
	return weir_table_source(t, name, (weir_table_source_opts){ .value = &weir_utf8 });
}

static weir_topology *joining(join_fn *join, const char *store)
{
	weir_topology *t = weir_topology_new("app");
	weir_table *left = table(t, "left"), *right = table(t, "right");
	weir_table_opts opts = { .store = store };

	weir_sink(weir_changes(join(left, "joined", right, both, NULL, opts, NULL)), "out", (weir_sink_opts){ 0 });
	return t;
}

static void an_inner_join_has_the_keys_of_both(void **state)
{
	for (int i = 0; i < 2; i++) {
		weir_driver *d = driver(joining(weir_table_join, i ? "results" : NULL), (weir_driver_opts){ 0 });

		weir_driver_pipe(d, "left", "a", "L1", 1);
		weir_driver_pipe(d, "right", "b", "R1", 2);
		assert_nothing(d, "out");
		weir_driver_pipe(d, "right", "a", "R2", 3);
		weir_driver_pipe(d, "left", "a", "L2", 2);
		weir_driver_pipe(d, "right", "a", NULL, 4);
		weir_driver_pipe(d, "left", "a", "L3", 5); /* nothing to say */
		weir_driver_pipe(d, "right", "a", "R3", 6);
		weir_driver_pipe(d, "left", "a", NULL, 5);
		weir_driver_pipe(d, "left", "b", NULL, 7); /* was not there */
		assert_text(d, "out", "a=L1+R2@3", "a=L2+R2@3", "a=null@4", "a=L3+R3@6", "a=null@6");
		weir_driver_free(d);
	}
	(void)state;
}

static void a_left_join_has_the_keys_of_the_left(void **state)
{
	for (int i = 0; i < 2; i++) {
		weir_driver *d =
			driver(joining(weir_table_left_join, i ? "results" : NULL), (weir_driver_opts){ 0 });

		weir_driver_pipe(d, "right", "a", "R1", 1);
		assert_nothing(d, "out");
		weir_driver_pipe(d, "left", "a", "L1", 2);
		weir_driver_pipe(d, "right", "a", NULL, 3);
		weir_driver_pipe(d, "left", "b", "L2", 4);
		weir_driver_pipe(d, "right", "b", "R2", 3);
		weir_driver_pipe(d, "left", "b", NULL, 5);
		assert_text(d, "out", "a=L1+R1@2", "a=L1+-@3", "b=L2+-@4", "b=L2+R2@4", "b=null@5");
		weir_driver_free(d);
	}
	(void)state;
}

static void an_outer_join_has_the_keys_of_either(void **state)
{
	for (int i = 0; i < 2; i++) {
		weir_driver *d =
			driver(joining(weir_table_outer_join, i ? "results" : NULL), (weir_driver_opts){ 0 });

		weir_driver_pipe(d, "right", "a", "R1", 1);
		weir_driver_pipe(d, "left", "a", "L1", 2);
		weir_driver_pipe(d, "right", "a", NULL, 3);
		weir_driver_pipe(d, "left", "a", NULL, 4);
		weir_driver_pipe(d, "left", "a", NULL, 5); /* was not there */
		assert_text(d, "out", "a=-+R1@1", "a=L1+R1@2", "a=L1+-@3", "a=null@4");
		weir_driver_free(d);
	}
	(void)state;
}

static void a_result_in_a_store_is_queried_and_survives(void **state)
{
	weir_driver *d = driver(joining(weir_table_join, "results"), (weir_driver_opts){ 0 });
	int64_t ms = 0;

	(void)state;
	weir_driver_pipe(d, "left", "a", "L", 8);
	weir_driver_pipe(d, "right", "a", "R", 9);
	must(weir_driver_restart(d, true, &err));
	assert_bytes(weir_store_get(weir_driver_store(d, "results", 0), weir_str("a"), &ms), "L+R");
	assert_int_equal(ms, 9);
	weir_driver_pipe(d, "left", "a", "M", 10);
	assert_text(d, "out", "a=L+R@9", "a=M+R@10");
	weir_driver_free(d);
}

static bool ends_with_one(weir_context *cx, const weir_record *r, void *user)
{
	const weir_bytes *v = weir_value(r);

	(void)cx, (void)user;
	return v->len && ((const char *)v->data)[v->len - 1] == '1';
}

static void joins_of_joins_and_of_views_find_their_rows(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_table *ones = weir_table_filter(table(t, "left"), "ones", ends_with_one, (weir_table_opts){ 0 }, NULL);
	weir_table *first =
		weir_table_join(ones, "first", table(t, "right"), both, NULL, (weir_table_opts){ 0 }, NULL);
	weir_table *second =
		weir_table_left_join(table(t, "third"), "second", first, both, NULL, (weir_table_opts){ 0 }, NULL);

	(void)state;
	weir_sink(weir_changes(second), "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "third", "a", "T", 1);
	weir_driver_pipe(d, "left", "a", "L1", 2);
	weir_driver_pipe(d, "right", "a", "R", 3);
	weir_driver_pipe(d, "third", "a", "U", 4);
	weir_driver_pipe(d, "left", "a", "L2", 5);
	weir_driver_pipe(d, "third", "a", NULL, 6);
	assert_text(d, "out", "a=T+-@1", "a=T+L1+R@3", "a=U+L1+R@4", "a=U+-@5", "a=null@6");
	weir_driver_free(d);
}

static void a_table_joins_what_is_made_of_it(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_table *left = table(t, "left");
	weir_table *ones = weir_table_filter(left, "ones", ends_with_one, (weir_table_opts){ 0 }, NULL);

	(void)state;
	weir_sink(weir_changes(weir_table_join(left, "joined", ones, both, NULL,
					       (weir_table_opts){ .store = "results" }, NULL)),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "left", "a", "L1", 1);
	weir_driver_pipe(d, "left", "a", "L2", 2);
	assert_text(d, "out", "a=L1+L1@1", "a=null@2");
	weir_driver_free(d);
}

/* Both sides change within one commit. */
static void old_and_new_of_a_result_fit_what_was_passed_on(void **state)
{
	weir_driver *d = driver(joining(weir_table_left_join, NULL), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "left", "a", "L1", 1);
	weir_driver_pipe(d, "right", "a", "R1", 2);
	weir_driver_stop(d, false);
	weir_driver_pipe(d, "left", "a", "L2", 3);
	weir_driver_pipe(d, "right", "a", "R2", 4);
	must(weir_driver_start(d, NULL, &err));
	assert_text(d, "out", "a=L1+-@1", "a=L1+R1@2", "a=L2+R1@3", "a=L2+R2@4");
	weir_driver_free(d);
}

static const void *sum(weir_context *cx, weir_bytes key, const void *left, const void *right, void *user)
{
	int64_t *n = weir_alloc(cx, sizeof *n);

	(void)key, (void)user;
	*n = 100 * *(const int64_t *)left + *(const int64_t *)right;
	return n;
}

static void tables_of_windows_join_window_by_window(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_window ten = { .size_ms = 10, .grace_ms = 1000 };
	weir_table *a = weir_count(text_source(t, "a"), "as", ten), *b = weir_count(text_source(t, "b"), "bs", ten);

	(void)state;
	weir_sink(weir_changes(weir_table_join(a, "joined", b, sum, &weir_int64, (weir_table_opts){ 0 }, NULL)),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "a", "k", "1", 1);
	weir_driver_pipe(d, "b", "k", "2", 15);
	weir_driver_pipe(d, "b", "k", "3", 2);
	weir_driver_pipe(d, "a", "k", "4", 12);
	weir_driver_pipe(d, "a", "k", "5", 13);
	assert_windowed_numbers(d, "out", "k[0]=101@2", "k[10]=101@15", "k[10]=201@15");
	weir_driver_free(d);
}

static void the_topics_below_both_must_have_equally_many_partitions(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *through = weir_repartition(text_source(t, "in"), "through", (weir_repartition_opts){ 3 });
	weir_error why = { .code = WEIR_OK };

	(void)state;
	weir_table_join(table(t, "left"), "joined", weir_to_table(through, "right", (weir_table_opts){ 0 }), both,
			NULL, (weir_table_opts){ 0 }, NULL);
	assert_null(weir_driver_new(t, (weir_driver_opts){ 0 }, &why));
	assert_contains(why.message, "equally many");
	assert_contains(why.message, "\"left\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_inner_join_has_the_keys_of_both),
		cmocka_unit_test(a_left_join_has_the_keys_of_the_left),
		cmocka_unit_test(an_outer_join_has_the_keys_of_either),
		cmocka_unit_test(a_result_in_a_store_is_queried_and_survives),
		cmocka_unit_test(joins_of_joins_and_of_views_find_their_rows),
		cmocka_unit_test(a_table_joins_what_is_made_of_it),
		cmocka_unit_test(old_and_new_of_a_result_fit_what_was_passed_on),
		cmocka_unit_test(tables_of_windows_join_window_by_window),
		cmocka_unit_test(the_topics_below_both_must_have_equally_many_partitions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
