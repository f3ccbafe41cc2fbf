/* Tables of versions: late rows, what joins and groups make of them, and streams that meet rows as of their
 * time. */
#include "tests/topology/topology_test.h"

static const weir_table_opts history = { .versioned = true, .history_ms = 100 };

static const void *plus(weir_context *cx, weir_bytes key, const void *left, const void *right, void *user)
{
	const weir_bytes *l = left, *r = right;

	(void)key, (void)user;
	return text(cx, "%.*s+%.*s", l ? (int)l->len : 1, l ? (const char *)l->data : "~", r ? (int)r->len : 1,
		    r ? (const char *)r->data : "~");
}

static weir_table *versions(weir_topology *t, const char *name)
{
	return weir_table_source(t, name, (weir_table_source_opts){ .value = &weir_utf8, .store = history });
}

static weir_topology *rows_only(void)
{
	weir_topology *t = weir_topology_new("app");

	weir_sink(weir_changes(versions(t, "rows")), "out", (weir_sink_opts){ 0 });
	return t;
}

static void late_rows_are_passed_on_and_replace_nothing(void **state)
{
	weir_driver *d = driver(rows_only(), (weir_driver_opts){ 0 });
	weir_store *store = weir_driver_store(d, "rows", 0);

	(void)state;
	weir_driver_pipe(d, "rows", "a", "x", 200);
	weir_driver_pipe(d, "rows", "a", "w", 150);
	weir_driver_pipe(d, "rows", "a", "late", 99);
	weir_driver_pipe(d, "rows", "b", NULL, 210); /* a deletion of what is not there */
	weir_driver_pipe(d, "rows", NULL, "x", 210);
	assert_text(d, "out", "a=x@200", "a=w@150", "b=null@210");
	assert_dead_letter(d, "late", "late");
	assert_dead_letter(d, "x", "null key");
	assert_bytes(weir_versioned_get(store, weir_str("a"), NULL), "x");
	assert_bytes(weir_versioned_get_as_of(store, weir_str("a"), 199, NULL), "w");
	weir_driver_free(d);
}

static weir_topology *as_of(bool left)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = text_source(t, "in");

	weir_sink((left ? weir_left_join_table : weir_join_table)(in, "with", versions(t, "rows"), plus,
								  (weir_join_table_opts){ 0 }, NULL),
		  "out", (weir_sink_opts){ 0 });
	return t;
}

static void a_record_meets_the_row_of_its_time(void **state)
{
	weir_driver *d = driver(as_of(false), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "rows", "a", "x", 100);
	weir_driver_pipe(d, "rows", "a", "y", 150);
	weir_driver_pipe(d, "rows", "a", NULL, 170);
	weir_driver_pipe(d, "in", "a", "1", 149);
	weir_driver_pipe(d, "in", "a", "2", 150);
	weir_driver_pipe(d, "in", "a", "3", 99);
	weir_driver_pipe(d, "in", "a", "4", 180);
	weir_driver_pipe(d, "rows", "a", "late", 120);
	weir_driver_pipe(d, "in", "a", "5", 149);
	assert_text(d, "out", "a=1+x@149", "a=2+y@150", "a=5+late@149");
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

static void before_the_history_there_is_but_the_newest_row(void **state)
{
	weir_driver *d = driver(as_of(true), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "rows", "a", "x", 100);
	weir_driver_pipe(d, "rows", "a", "y", 150);
	weir_driver_pipe(d, "rows", "b", "z", 300);
	weir_driver_pipe(d, "in", "a", "1", 149);
	weir_driver_pipe(d, "in", "a", "2", 160);
	assert_text(d, "out", "a=1+~@149", "a=2+y@160");
	weir_driver_free(d);
}

static void versions_survive_a_crash(void **state)
{
	for (int on_disk = 0; on_disk < 2; on_disk++) {
		char *dir = temporary_directory();
		weir_driver *d = driver(as_of(true), (weir_driver_opts){ .state_dir = on_disk ? dir : NULL });

		(void)state;
		weir_driver_pipe(d, "rows", "a", "x", 100);
		weir_driver_pipe(d, "rows", "a", "z", 150);
		weir_driver_pipe(d, "rows", "a", "y", 120);
		weir_driver_pipe(d, "rows", "a", NULL, 130);
		must(weir_driver_restart(d, true, &err));
		for (int i = 0; i < 5; i++)
			weir_driver_pipe(d, "in", "a", "1", 99 + 12 * i);
		weir_driver_pipe(d, "rows", "a", "late", 49);
		assert_text(d, "out", "a=1+~@99", "a=1+x@111", "a=1+y@123", "a=1+~@135", "a=1+~@147");
		assert_dead_letter(d, "late", "late");
		weir_driver_free(d);
		remove_directory(dir);
	}
}

/* --- with grace ----------------------------------------------------------------------------------------------- */

static weir_topology *waiting(bool left)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = text_source(t, "in");

	weir_sink((left ? weir_left_join_table : weir_join_table)(in, "with", versions(t, "rows"), plus,
								  (weir_join_table_opts){ .grace_ms = 20 }, NULL),
		  "out", (weir_sink_opts){ 0 });
	return t;
}

static void records_wait_for_rows_of_their_time(void **state)
{
	weir_driver *d = driver(waiting(false), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "rows", "a", "x", 100);
	weir_driver_pipe(d, "in", "a", "2", 115);
	weir_driver_pipe(d, "in", "a", "1", 110);
	weir_driver_pipe(d, "in", "b", "none", 112);
	weir_driver_pipe(d, "rows", "a", "late", 112);
	weir_driver_pipe(d, "in", "a", "3", 130);
	assert_text(d, "out", "a=1+x@110");
	weir_driver_pipe(d, "in", "a", "4", 135); /* the last one that 115 waits for */
	assert_text(d, "out", "a=2+late@115");
	weir_driver_pipe(d, "in", "a", "5", 114); /* as late: at once */
	weir_driver_pipe(d, "in", "a", "6", 115);
	assert_text(d, "out", "a=5+late@114", "a=6+late@115");
	weir_driver_pipe(d, "in", "c", "7", 200);
	assert_text(d, "out", "a=3+late@130", "a=4+late@135");
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

/* Of the records that have waited, not of the one that has let time go on. */
static void counts_of_what_has_waited_have_its_headers(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *out = weir_join_table(text_source(t, "in"), "with", versions(t, "rows"), plus,
					   (weir_join_table_opts){ .grace_ms = 20 }, NULL);
	weir_header of_first = { "h", weir_str("first") }, of_last = { "h", weir_str("last") };
	weir_driver_record r;

	(void)state;
	weir_sink(weir_changes(weir_count(out, "counts", (weir_window){ 0 })), "out",
		  (weir_sink_opts){ .value = &weir_int64 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "rows", "a", "x", 100);
	weir_driver_pipe_record(d, "in", -1, weir_str("a"), weir_str("1"), 110, &(weir_headers){ &of_first, 1 });
	weir_driver_pipe_record(d, "in", -1, weir_str("b"), weir_str("2"), 200, &(weir_headers){ &of_last, 1 });
	assert_true(weir_driver_read(d, "out", &r));
	assert_bytes(r.key, "a");
	assert_bytes(weir_headers_last(r.headers, "h"), "first");
	weir_driver_free(d);
}

static void what_waits_keeps_its_headers_and_order(void **state)
{
	weir_driver *d = driver(waiting(true), (weir_driver_opts){ 0 });
	weir_header h[] = { { "h", weir_str("1") }, { "none", WEIR_NULL } };
	weir_headers headers = { h, 2 };
	weir_driver_record r;

	(void)state;
	weir_driver_pipe_record(d, "in", -1, weir_str("a"), weir_str("1"), 100, &headers);
	weir_driver_pipe(d, "in", "a", "2", 100);
	weir_driver_pipe(d, "in", NULL, "no key", 90); /* waits for nothing */
	weir_driver_pipe(d, "in", "z", "3", 120);
	assert_string_equal(weir_driver_read_text(d, "out", false, false), "null=no key+~@90");
	assert_true(weir_driver_read(d, "out", &r));
	assert_bytes(r.value, "1+~");
	assert_int_equal(r.headers->count, 2);
	assert_bytes(weir_headers_last(r.headers, "h"), "1");
	assert_true(weir_is_null(weir_headers_last(r.headers, "none")));
	assert_true(weir_driver_read(d, "out", &r));
	assert_bytes(r.value, "2+~");
	assert_int_equal(r.headers->count, 0);
	weir_driver_free(d);
}

static void what_waits_survives_a_crash(void **state)
{
	for (int on_disk = 0; on_disk < 2; on_disk++) {
		char *dir = temporary_directory();
		weir_driver *d = driver(waiting(true), (weir_driver_opts){ .state_dir = on_disk ? dir : NULL });

		(void)state;
		weir_driver_pipe(d, "in", "a", "1", 100);
		weir_driver_pipe(d, "in", "a", "2", 115);
		must(weir_driver_restart(d, true, &err));
		weir_driver_pipe(d, "in", "a", "3", 100); /* beside the first */
		weir_driver_pipe(d, "in", "a", "late", 94);
		weir_driver_pipe(d, "rows", "a", "x", 90);
		weir_driver_pipe(d, "in", "a", "4", 120);
		assert_text(d, "out", "a=late+~@94", "a=1+x@100", "a=3+x@100");
		weir_driver_free(d);
		remove_directory(dir);
	}
}

static void many_come_due_at_once(void **state)
{
	weir_driver *d = driver(waiting(true), (weir_driver_opts){ 0 });

	(void)state;
	for (int i = 0; i < 1000; i++)
		weir_driver_pipe(d, "in", "a", "x", 1000 + i % 20);
	weir_driver_pipe(d, "in", "a", "x", 1039);
	for (int i = 0; i < 1000; i++) {
		char want[40];

		snprintf(want, sizeof want, "a=x+~@%d", 1000 + i / 50);
		assert_string_equal(weir_driver_read_text(d, "out", false, false), want);
	}
	assert_nothing(d, "out");
	weir_driver_free(d);
}

/* --- what joins and groups take of it ------------------------------------------------------------------------- */

static void by_value(weir_context *cx, const weir_record *in, weir_record *out, void *user)
{
	(void)cx, (void)user;
	weir_set_key(out, weir_value_bytes(in));
}

static bool not_secret(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)user;
	return weir_value_bytes(r).len < 6;
}

static void joins_and_groups_take_the_newest_rows_alone(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_table *rows = weir_table_filter(versions(t, "rows"), "open", not_secret, (weir_table_opts){ 0 }, NULL);
	weir_table *others = weir_table_source(t, "others", (weir_table_source_opts){ .value = &weir_utf8 });
	weir_table *joined =
		weir_table_outer_join(rows, "joined", others, plus, NULL, (weir_table_opts){ 0 }, NULL);
	weir_grouped_table *grouped =
		weir_table_group_by(rows, "grouped", by_value, (weir_group_by_opts){ 0 }, NULL);

	weir_sink(weir_changes(joined), "out", (weir_sink_opts){ 0 });
	weir_sink(weir_changes(weir_grouped_count(grouped, "counts", history)), "counts-out",
		  (weir_sink_opts){ 0 });
	weir_sink(weir_changes(weir_grouped_count(grouped, "plain", (weir_table_opts){ 0 })), "plain-out",
		  (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ .commit_each_record = true });

	(void)state;
	weir_driver_pipe(d, "rows", "a", "x", 200);
	weir_driver_pipe(d, "rows", "a", "w", 150); /* superseded */
	weir_driver_pipe(d, "others", "a", "1", 170);
	weir_driver_pipe(d, "rows", "a", "y", 210);
	weir_driver_pipe(d, "rows", "a", "secret", 220);
	assert_text(d, "out", "a=x+~@200", "a=x+1@200", "a=y+1@210", "a=~+1@220");
	assert_numbers(d, "counts-out", "x=1@200", "x=0@210", "y=1@210", "y=0@220");
	assert_numbers(d, "plain-out", "x=1@200", "x=0@210", "y=1@210", "y=0@220");
	weir_bytes then = weir_versioned_get_as_of(weir_driver_store(d, "counts", 0), weir_str("x"), 205, NULL);

	assert_int_equal(then.len, 8);
	assert_int_equal(weir_get_be64(then.data), 1);
	weir_driver_free(d);
}

/* --- stores --------------------------------------------------------------------------------------------------- */

static void count_versions(weir_context *cx, const weir_record *r, void *state, void *user)
{
	weir_store *store = weir_context_store(cx, "kept");
	weir_record out = *r;
	weir_entry e;
	int n = 0;

	(void)state, (void)user;
	weir_versioned_put(store, r->key, weir_value_bytes(r), r->timestamp_ms);
	weir_iterator *it = weir_versioned_fetch(store, r->key, 0, INT64_MAX, false);

	while (weir_iterator_next(it, &e))
		n++;
	weir_iterator_close(it);
	weir_set_value(&out, text(cx, "%d", n));
	weir_forward(cx, &out);
}

static void a_processor_has_a_store_of_versions(void **state)
{
	weir_topology *t = weir_topology_new("app");

	weir_add_store(t, "kept", (weir_store_opts){ .versioned = true, .history_ms = 50, .in_memory = true });
	weir_sink(weir_process(text_source(t, "in"), "counted",
			       (weir_processor){ .process = count_versions, .stores = { "kept" } }),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", "a", "1", 100);
	weir_driver_pipe(d, "in", "a", "2", 120);
	weir_driver_pipe(d, "in", "b", "3", 160);
	must(weir_driver_restart(d, true, &err));
	weir_driver_pipe(d, "in", "a", "4", 170);
	assert_text(d, "out", "a=1@100", "a=2@120", "b=1@160", "a=2@170");
	weir_driver_free(d);
}

static void the_changelog_is_not_compacted_within_the_history(void **state)
{
	weir_driver *d = driver(rows_only(), (weir_driver_opts){ 0 });
	char value[40];

	(void)state;
	must(weir_topic_config(weir_driver_cluster(d), "app-rows-changelog", "min.compaction.lag.ms", value,
			       sizeof value, &err));
	assert_string_equal(value, "86400100");
	must(weir_topic_config(weir_driver_cluster(d), "app-rows-changelog", "cleanup.policy", value, sizeof value,
			       &err));
	assert_string_equal(value, "compact");
	weir_driver_free(d);
}

static void mistakes_are_told(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_error err = { .code = WEIR_OK };
	weir_table *rows =
		weir_table_source(t, "rows", (weir_table_source_opts){ .store = history, .reuse_topic = true });

	(void)state;
	weir_global_table(t, "world", (weir_global_opts){ .store = history });
	weir_table_filter(rows, "some", not_secret, history, NULL);
	weir_to_table(text_source(t, "in"), "kept", (weir_table_opts){ .history_ms = 1 });
	weir_join_table(text_source(t, "in2"), "longer", versions(t, "rows2"), plus,
			(weir_join_table_opts){ .grace_ms = 101 }, NULL);
	weir_join_table(text_source(t, "in3"), "without",
			weir_table_source(t, "rows3", (weir_table_source_opts){ .value = &weir_utf8 }), plus,
			(weir_join_table_opts){ .grace_ms = 1 }, NULL);
	weir_add_store(t, "store", (weir_store_opts){ .versioned = true, .windowed = true, .retain_ms = 1 });
	assert_false(weir_topology_check(t, &err));
	assert_contains(err.message, "compaction of its topic would take its versions");
	assert_contains(err.message, "a global table keeps no versions");
	assert_contains(err.message, "it has no store: give it a name");
	assert_contains(err.message, "history_ms is for versions");
	assert_contains(err.message, "history_ms must be at least grace_ms");
	assert_contains(err.message, "its table must keep versions");
	weir_topology_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(late_rows_are_passed_on_and_replace_nothing),
		cmocka_unit_test(a_record_meets_the_row_of_its_time),
		cmocka_unit_test(before_the_history_there_is_but_the_newest_row),
		cmocka_unit_test(versions_survive_a_crash),
		cmocka_unit_test(records_wait_for_rows_of_their_time),
		cmocka_unit_test(counts_of_what_has_waited_have_its_headers),
		cmocka_unit_test(what_waits_keeps_its_headers_and_order),
		cmocka_unit_test(what_waits_survives_a_crash),
		cmocka_unit_test(many_come_due_at_once),
		cmocka_unit_test(joins_and_groups_take_the_newest_rows_alone),
		cmocka_unit_test(a_processor_has_a_store_of_versions),
		cmocka_unit_test(the_changelog_is_not_compacted_within_the_history),
		cmocka_unit_test(mistakes_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
