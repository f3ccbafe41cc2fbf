/* Joins of a stream with a table, and with a global one. */
#include "tests/topology/topology_test.h"

static const void *plus(weir_context *cx, weir_bytes key, const void *left, const void *right, void *user)
{
	const weir_bytes *l = left, *r = right;

	(void)user;
	return text(cx, "%.*s:%.*s+%.*s", key.data ? (int)key.len : 1, key.data ? (const char *)key.data : "~",
		    (int)l->len, (const char *)l->data, r ? (int)r->len : 1, r ? (const char *)r->data : "~");
}

static weir_table *table(weir_topology *t, const char *name)
{
	return weir_table_source(t, name, (weir_table_source_opts){ .value = &weir_utf8 });
}

static weir_topology *joining(bool left)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = text_source(t, "in");
	weir_table *rows = table(t, "rows");

	weir_sink((left ? weir_left_join_table : weir_join_table)(in, "with", rows, plus,
								  (weir_join_table_opts){ 0 }, NULL),
		  "out", (weir_sink_opts){ 0 });
	return t;
}

static void a_record_meets_the_row_that_is_there_then(void **state)
{
	weir_driver *d = driver(joining(false), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", "a", "1", 10);
	weir_driver_pipe(d, "rows", "a", "x", 20);
	assert_nothing(d, "out"); /* a row causes nothing */
	weir_driver_pipe(d, "in", "a", "2", 5);
	weir_driver_pipe(d, "rows", "a", "y", 7); /* the order of the topic counts */
	weir_driver_pipe(d, "in", "a", "3", 30);
	weir_driver_pipe(d, "rows", "a", NULL, 40);
	weir_driver_pipe(d, "in", "a", "4", 50);
	assert_text(d, "out", "a=a:2+x@5", "a=a:3+y@30");
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

static void a_left_join_does_without(void **state)
{
	weir_driver *d = driver(joining(true), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", "a", "1", 10);
	weir_driver_pipe(d, "rows", "a", "x", 20);
	weir_driver_pipe(d, "in", "a", "2", 30);
	weir_driver_pipe(d, "in", NULL, "3", 40);
	assert_text(d, "out", "a=a:1+~@10", "a=a:2+x@30", "null=~:3+~@40");
	assert_nothing(d, "dead-letters");
	weir_driver_pipe(d, "in", "a", NULL, 50);
	assert_dead_letter(d, "", "null value");
	weir_driver_free(d);
}

static void what_has_no_key_or_value_is_a_dead_letter(void **state)
{
	weir_driver *d = driver(joining(false), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", NULL, "1", 10);
	weir_driver_pipe(d, "in", "a", NULL, 20);
	weir_driver_pipe(d, "in", NULL, NULL, 30);
	assert_dead_letter(d, "1", "null key");
	assert_dead_letter(d, "", "null value");
	assert_dead_letter(d, "", "null value");
	assert_nothing(d, "out");
	weir_driver_free(d);
}

static void records_are_taken_by_time(void **state)
{
	weir_driver *d = driver(joining(true), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_stop(d, false);
	for (int i = 1; i <= 3; i++) /* the row's topic comes last, but for its time */
		weir_driver_pipe(d, "in", "a", (char[]){ (char)('0' + i), 0 }, 10 * i);
	weir_driver_pipe(d, "rows", "a", "x", 15);
	weir_driver_pipe(d, "rows", "a", "y", 25);
	must(weir_driver_start(d, joining(true), &err));
	assert_text(d, "out", "a=a:1+~@10", "a=a:2+x@20", "a=a:3+y@30");
	weir_driver_free(d);
}

static void rows_survive_a_crash(void **state)
{
	for (int on_disk = 0; on_disk < 2; on_disk++) {
		char *dir = temporary_directory();
		weir_driver *d = driver(joining(false), (weir_driver_opts){ .state_dir = on_disk ? dir : NULL });

		(void)state;
		weir_driver_pipe(d, "rows", "a", "x", 10);
		must(weir_driver_restart(d, true, &err));
		weir_driver_pipe(d, "in", "a", "1", 20);
		assert_text(d, "out", "a=a:1+x@20");
		weir_driver_free(d);
		remove_directory(dir);
	}
}

/* --- tables of all kinds ----------------------------------------------------------------------------- */

static bool not_secret(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)user;
	return weir_value_bytes(r).len < 6;
}

static const void *number(weir_context *cx, weir_bytes key, const void *left, const void *right, void *user)
{
	const int64_t *n = right;
	int64_t *out = weir_alloc(cx, sizeof *out);

	(void)key, (void)left, (void)user;
	*out = n ? 10 * *n : -1;
	return out;
}

static void tables_without_a_store_are_computed(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = text_source(t, "in");
	weir_table *seen = weir_table_filter(table(t, "rows"), "seen", not_secret, (weir_table_opts){ 0 }, NULL);
	weir_table *both =
		weir_table_join(seen, "both", table(t, "more"), plus, NULL, (weir_table_opts){ 0 }, NULL);

	(void)state;
	weir_sink(weir_left_join_table(in, "with", both, plus, (weir_join_table_opts){ 0 }, NULL), "out",
		  (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "rows", "a", "x", 10);
	weir_driver_pipe(d, "in", "a", "1", 20);
	weir_driver_pipe(d, "more", "a", "y", 30);
	weir_driver_pipe(d, "in", "a", "2", 40);
	weir_driver_pipe(d, "rows", "a", "secret", 50);
	weir_driver_pipe(d, "in", "a", "3", 60);
	assert_text(d, "out", "a=a:1+~@20", "a=a:2+a:x+y@40", "a=a:3+~@60");
	weir_driver_free(d);
}

static void a_record_is_counted_before_it_meets_the_count(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = text_source(t, "in");
	weir_table *counts = weir_count(in, "counts", (weir_window){ 0 });

	(void)state;
	weir_sink(weir_left_join_table(in, "with", counts, number, (weir_join_table_opts){ .value = &weir_int64 },
				       NULL),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "a", "1", 10);
	weir_driver_pipe(d, "in", "b", "1", 20);
	weir_driver_pipe(d, "in", "a", "1", 30);
	assert_numbers(d, "out", "a=10@10", "b=10@20", "a=20@30");
	weir_driver_free(d);
}

static void windows_meet_the_same_windows(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_window window = { .size_ms = 10, .grace_ms = 100 };
	weir_table *as = weir_count(text_source(t, "a"), "as", window);
	weir_table *bs = weir_count(text_source(t, "b"), "bs", window);

	(void)state;
	weir_sink(weir_left_join_table(weir_changes(as), "with", bs, number, (weir_join_table_opts){ 0 }, NULL),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "b", "k", "1", 12);
	weir_driver_pipe(d, "a", "k", "1", 9);
	weir_driver_pipe(d, "a", "k", "1", 13);
	assert_windowed_numbers(d, "out", "k[0]=-1@9", "k[10]=10@13");
	weir_driver_free(d);
}

/* --- keys and partitions ----------------------------------------------------------------------------- */

static weir_bytes by_value(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)user;
	return weir_value_bytes(r);
}

static void a_changed_key_leads_through_a_repartition_as_wide_as_the_table(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *few =
		weir_repartition(text_source(t, "in"), "few", (weir_repartition_opts){ .partitions = 2 });
	weir_stream *keyed = weir_key_by(few, "by-value", by_value, NULL);

	(void)state;
	weir_sink(weir_join_table(keyed, "with", table(t, "rows"), plus, (weir_join_table_opts){ 0 }, NULL), "out",
		  (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ .partitions = 5 });

	assert_int_equal(partitions_of(d, "app-with-by-key-repartition"), 5);
	for (int i = 0; i < 8; i++) {
		char key[] = { (char)('a' + i), 0 };

		weir_driver_pipe(d, "rows", key, "x", 10);
		weir_driver_pipe(d, "in", "k", key, 20);
	}
	int n = 0;

	while (weir_driver_read_text(d, "out", false, false))
		n++;
	assert_int_equal(n, 8);
	weir_driver_free(d);
}

static void unequal_partitions_are_refused(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *few =
		weir_repartition(text_source(t, "in"), "few", (weir_repartition_opts){ .partitions = 2 });
	weir_error err = { .code = WEIR_OK };

	(void)state;
	weir_sink(weir_join_table(few, "with", table(t, "rows"), plus, (weir_join_table_opts){ 0 }, NULL), "out",
		  (weir_sink_opts){ 0 });
	assert_null(weir_driver_new(t, (weir_driver_opts){ .partitions = 3 }, &err));
	assert_contains(err.message, "app-few-repartition\" (2 partitions)");
}

static void mistakes_come_out(void **state)
{
	weir_topology *t = weir_topology_new("app"), *other = weir_topology_new("other");
	weir_stream *in = text_source(t, "in");
	weir_table *rows = table(t, "rows"), *windows = weir_count(in, "windows", (weir_window){ .size_ms = 5 });
	weir_global *all = weir_global_table(t, "all", (weir_global_opts){ 0 });
	weir_join_table_opts opts = { 0 };
	weir_error err = { .code = WEIR_OK };

	(void)state;
	weir_join_table(in, "no-function", rows, NULL, opts, NULL);
	weir_join_table(in, "windows-with", windows, plus, opts, NULL);
	weir_join_table(in, "far", table(other, "rows"), plus, opts, NULL);
	weir_join_global(in, "no-key", all, NULL, plus, opts, NULL);
	weir_join_table(in, "fine", rows, plus, opts, NULL);
	assert_false(weir_topology_check(t, &err));
	assert_contains(err.message, "\"no-function\": it has no function");
	assert_contains(err.message, "\"windows-with\": one of its inputs has windows, the other has not");
	assert_contains(err.message, "\"far\": the table \"rows\" belongs to another topology");
	assert_contains(err.message, "\"no-key\": it has no function for the key");
	assert_null(strstr(err.message, "fine"));
	weir_topology_free(t);
	weir_topology_free(other);
}

/* --- global tables ----------------------------------------------------------------------------- */

/* The value up to a colon; without one, null. */
static weir_bytes code(weir_context *cx, const weir_record *r, void *user)
{
	const weir_bytes *v = weir_value(r);
	const char *colon = v->len ? memchr(v->data, ':', v->len) : NULL;

	(void)cx, (void)user;
	return colon ? weir_bytes_of(v->data, (size_t)(colon - (const char *)v->data)) : WEIR_NULL;
}

static weir_topology *joining_global(bool left)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = text_source(t, "in");
	weir_global *all = weir_global_table(t, "all", (weir_global_opts){ .value = &weir_utf8 });

	weir_sink((left ? weir_left_join_global : weir_join_global)(in, "with", all, code, plus,
								    (weir_join_table_opts){ 0 }, NULL),
		  "out", (weir_sink_opts){ 0 });
	return t;
}

static void a_record_meets_the_row_that_it_names(void **state)
{
	weir_driver *d = driver(joining_global(false), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", "a", "mtl:0", 5);
	weir_driver_pipe(d, "all", "mtl", "Montreal", 10);
	weir_driver_pipe(d, "in", "a", "mtl:1", 20);
	weir_driver_pipe(d, "in", NULL, "mtl:2", 30); /* its own key does not matter */
	weir_driver_pipe(d, "in", "a", "par:3", 40);
	assert_text(d, "out", "a=a:mtl:1+Montreal@20", "null=~:mtl:2+Montreal@30");
	assert_nothing(d, "dead-letters");
	weir_driver_pipe(d, "in", "a", "none", 50);
	weir_driver_pipe(d, "in", "a", NULL, 60);
	assert_dead_letter(d, "none", "null join key");
	assert_dead_letter(d, "", "null value");
	weir_driver_free(d);
}

static void a_left_join_does_without_a_row_and_without_its_key(void **state)
{
	weir_driver *d = driver(joining_global(true), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "all", "mtl", "Montreal", 10);
	weir_driver_pipe(d, "in", "a", "mtl:1", 20);
	weir_driver_pipe(d, "in", "a", "par:2", 30);
	weir_driver_pipe(d, "in", "a", "none", 40);
	weir_driver_pipe(d, "in", NULL, "none", 50);
	assert_text(d, "out", "a=a:mtl:1+Montreal@20", "a=a:par:2+~@30", "a=a:none+~@40", "null=~:none+~@50");
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_meets_the_row_that_is_there_then),
		cmocka_unit_test(a_left_join_does_without),
		cmocka_unit_test(what_has_no_key_or_value_is_a_dead_letter),
		cmocka_unit_test(records_are_taken_by_time),
		cmocka_unit_test(rows_survive_a_crash),
		cmocka_unit_test(tables_without_a_store_are_computed),
		cmocka_unit_test(a_record_is_counted_before_it_meets_the_count),
		cmocka_unit_test(windows_meet_the_same_windows),
		cmocka_unit_test(a_changed_key_leads_through_a_repartition_as_wide_as_the_table),
		cmocka_unit_test(unequal_partitions_are_refused),
		cmocka_unit_test(mistakes_come_out),
		cmocka_unit_test(a_record_meets_the_row_that_it_names),
		cmocka_unit_test(a_left_join_does_without_a_row_and_without_its_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
