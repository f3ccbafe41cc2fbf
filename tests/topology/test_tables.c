/* Tables from topics and streams, and what is computed from one table. */
#include "tests/topology/topology_test.h"

static weir_table *people(weir_topology *t)
{
	return weir_table_source(t, "people", (weir_table_source_opts){ .value = &weir_utf8 });
}

/* A driver over a topology whose table goes to the topic "out". */
static weir_driver *driver_of(weir_topology *t, weir_table *table)
{
	weir_sink(weir_changes(table), "out", (weir_sink_opts){ 0 });
	return driver(t, (weir_driver_opts){ 0 });
}

static bool is_long(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)user;
	return ((const weir_bytes *)weir_value(r))->len > 3;
}

static const void *doubled(weir_context *cx, const weir_record *r, void *user)
{
	const weir_bytes *v = weir_value(r);

	(void)user;
	if (v->len == 0)
		return NULL;
	return text(cx, "%.*s%.*s", (int)v->len, (const char *)v->data, (int)v->len, (const char *)v->data);
}

static const void *length(weir_context *cx, const weir_record *r, void *user)
{
	int64_t *n = weir_alloc(cx, sizeof *n);

	(void)user;
	*n = (int64_t)((const weir_bytes *)weir_value(r))->len;
	return n;
}

/* --- from topics ------------------------------------------------------------------------------------------------
 * */

static void a_table_takes_the_newest_value_of_each_key(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_driver *d = driver_of(t, people(t));
	int64_t ms = 0;

	(void)state;
	weir_driver_pipe(d, "people", "a", "Ann", 1);
	weir_driver_pipe(d, "people", "b", "Bob", 2);
	weir_driver_pipe(d, "people", "a", "Anna", 3);
	weir_driver_pipe(d, "people", "b", NULL, 4);
	assert_text(d, "out", "a=Ann@1", "b=Bob@2", "a=Anna@3", "b=null@4");
	assert_bytes(weir_store_get(weir_driver_store(d, "people", 0), weir_str("a"), &ms), "Anna");
	assert_int_equal(ms, 3);
	assert_true(weir_is_null(weir_store_get(weir_driver_store(d, "people", 0), weir_str("b"), &ms)));
	weir_driver_free(d);
}

static void the_order_of_the_topic_counts_not_the_timestamps(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_driver *d = driver_of(t, people(t));

	(void)state;
	weir_driver_pipe(d, "people", "a", "new", 10);
	weir_driver_pipe(d, "people", "a", "old", 5);
	assert_text(d, "out", "a=new@10", "a=old@5");
	weir_driver_free(d);
}

static void records_without_a_key_are_dead_letters(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_driver *d = driver_of(t, people(t));

	(void)state;
	weir_driver_pipe(d, "people", NULL, "nobody", 1);
	weir_driver_pipe(d, "people", "", "empty", 2);
	assert_text(d, "out", "=empty@2");
	assert_dead_letter(d, "nobody", "null key");
	weir_driver_free(d);
}

static void what_is_not_there_cannot_be_deleted(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_driver *d = driver_of(t, people(t));

	(void)state;
	weir_driver_pipe(d, "people", "a", NULL, 1);
	weir_driver_pipe(d, "people", "a", "Ann", 2);
	weir_driver_pipe(d, "people", "a", NULL, 3);
	weir_driver_pipe(d, "people", "a", NULL, 4);
	assert_text(d, "out", "a=Ann@2", "a=null@3");
	weir_driver_free(d);
}

static weir_bytes value_as_key(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)user;
	return weir_value_bytes(r);
}

static void a_stream_becomes_a_table(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_driver *d = driver_of(t, weir_to_table(text_source(t, "in"), "newest", (weir_table_opts){ 0 }));

	weir_driver_pipe(d, "in", "a", "x", 1);
	weir_driver_pipe(d, "in", "a", NULL, 2);
	weir_driver_pipe(d, "in", NULL, "y", 3);
	assert_text(d, "out", "a=x@1", "a=null@2");
	assert_dead_letter(d, "y", "null key");
	weir_driver_free(d);
}

static void a_stream_with_another_key_is_repartitioned_before_it_becomes_a_table(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *s = weir_key_by(text_source(t, "in"), "by-value", value_as_key, NULL);

	(void)state;
	weir_driver *d = driver_of(t, weir_to_table(s, "newest", (weir_table_opts){ 0 }));

	weir_driver_pipe(d, "in", "a", "x", 1);
	assert_text(d, "app-newest-repartition", "x=x@1");
	assert_text(d, "out", "x=x@1");
	weir_driver_free(d);
}

/* --- views ------------------------------------------------------------------------------------------------------
 * */

static void a_filtered_table_has_the_rows_that_are_kept(void **state)
{
	for (int with_store = 0; with_store < 2; with_store++) {
		weir_topology *t = weir_topology_new("app");
		weir_table_opts opts = { .store = with_store ? "long-ones" : NULL };
		weir_driver *d = driver_of(t, weir_table_filter(people(t), "long", is_long, opts, NULL));

		weir_driver_pipe(d, "people", "a", "Ann", 1); /* neither new nor old: nothing to say */
		weir_driver_pipe(d, "people", "b", "Barbara", 2);
		weir_driver_pipe(d, "people", "b", "Bob", 3);
		weir_driver_pipe(d, "people", "b", "Bertha", 4);
		weir_driver_pipe(d, "people", "b", NULL, 5);
		weir_driver_pipe(d, "people", "a", NULL, 6);
		assert_text(d, "out", "b=Barbara@2", "b=null@3", "b=Bertha@4", "b=null@5");
		weir_driver_free(d);
	}
	(void)state;
}

static void filter_not_keeps_the_others(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_driver *d =
		driver_of(t, weir_table_filter_not(people(t), "short", is_long, (weir_table_opts){ 0 }, NULL));

	weir_driver_pipe(d, "people", "a", "Ann", 1);
	weir_driver_pipe(d, "people", "a", "Anna", 2);
	weir_driver_pipe(d, "people", "b", "Barbara", 3);
	assert_text(d, "out", "a=Ann@1", "a=null@2");
	weir_driver_free(d);
}

static void mapped_values_may_be_of_another_kind_and_null_is_no_row(void **state)
{
	for (int with_store = 0; with_store < 2; with_store++) {
		weir_topology *t = weir_topology_new("app");
		weir_table_opts opts = { .store = with_store ? "lengths" : NULL };
		weir_table *twice = weir_table_map_values(people(t), "twice", doubled, NULL, opts, NULL);
		weir_table *lengths =
			weir_table_map_values(twice, "length", length, &weir_int64, (weir_table_opts){ 0 }, NULL);
		weir_driver *d = driver_of(t, lengths);

		weir_driver_pipe(d, "people", "a", "Ann", 1);
		weir_driver_pipe(d, "people", "a", "Anna", 2);
		weir_driver_pipe(d, "people", "a", "", 3);
		assert_numbers(d, "out", "a=6@1", "a=8@2", "a=null@3");
		weir_driver_free(d);
	}
	(void)state;
}

static void a_view_with_a_store_is_queried_by_its_name(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_table_opts opts = { .store = "long-ones" };
	weir_driver *d = driver_of(t, weir_table_filter(people(t), "long", is_long, opts, NULL));
	int64_t ms = 0;

	(void)state;
	weir_driver_pipe(d, "people", "a", "Anna", 7);
	assert_bytes(weir_store_get(weir_driver_store(d, "long-ones", 0), weir_str("a"), &ms), "Anna");
	assert_int_equal(ms, 7);
	must(weir_driver_restart(d, true, &err)); /* restored from its own changelog */
	assert_bytes(weir_store_get(weir_driver_store(d, "long-ones", 0), weir_str("a"), &ms), "Anna");
	weir_driver_free(d);
}

static bool is_odd(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)user;
	return *(const int64_t *)weir_value(r) % 2 != 0;
}

static void windowed_aggregates_are_tables_too(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_window ten = { .size_ms = 10, .grace_ms = 1000 };

	(void)state;
	weir_sink(weir_changes(weir_table_filter(weir_count(text_source(t, "in"), "counts", ten), "odd", is_odd,
						 (weir_table_opts){ 0 }, NULL)),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "a", "1", 1);
	weir_driver_pipe(d, "in", "a", "2", 2);
	weir_driver_pipe(d, "in", "a", "3", 15);
	weir_driver_pipe(d, "in", "a", "4", 4);
	assert_windowed_numbers(d, "out", "a[0]=1@1", "a[0]=null@2", "a[10]=1@15", "a[0]=3@4");
	weir_driver_free(d);
}

/* --- commits ----------------------------------------------------------------------------------------------------
 * */

static void within_a_commit_only_the_newest_of_a_key_is_passed_on(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_driver *d = driver_of(t, weir_table_filter(people(t), "long", is_long, (weir_table_opts){ 0 }, NULL));

	(void)state;
	weir_driver_pipe(d, "people", "a", "Anna", 1);
	weir_driver_pipe(d, "people", "b", "Barbara", 1);
	weir_driver_stop(d, false);
	weir_driver_pipe(d, "people", "a", "Al", 2);
	weir_driver_pipe(d, "people", "a", "Annabel", 3);
	weir_driver_pipe(d, "people", "b", "Bertha", 4);
	weir_driver_pipe(d, "people", "b", "Bo", 5);
	weir_driver_pipe(d, "people", "c", "Christopher", 6);
	weir_driver_pipe(d, "people", "c", NULL, 7);
	must(weir_driver_start(d, NULL, &err));
	assert_text(d, "out", "a=Anna@1", "b=Barbara@1", "a=Annabel@3", "b=null@5");
	assert_nothing(d, "out");
	weir_driver_free(d);
}

/* --- the topic as its own changelog -----------------------------------------------------------------------------
 * */

static weir_topology *reusing(void)
{
	weir_topology *t = weir_topology_new("app");
	weir_table *table = weir_table_source(
		t, "people", (weir_table_source_opts){ .value = &weir_int64, .reuse_topic = true });

	weir_sink(weir_changes(table), "out", (weir_sink_opts){ 0 });
	return t;
}

static void put_number(weir_driver *d, const char *key, int64_t n, int64_t ms)
{
	char bytes[8];

	weir_put_be64(bytes, n);
	weir_driver_pipe_record(d, "people", -1, weir_str(key), weir_bytes_of(bytes, 8), ms, NULL);
}

static int64_t number_of(weir_driver *d, const char *key)
{
	weir_bytes b = weir_store_get(weir_driver_store(d, "people", 0), weir_str(key), NULL);

	return weir_is_null(b) ? -1 : weir_get_be64(b.data);
}

static void a_topic_that_is_its_own_changelog_restores_what_was_taken_of_it(void **state)
{
	for (int on_disk = 0; on_disk < 2; on_disk++)
		for (int crash = 0; crash < 2; crash++) {
			char *dir = temporary_directory();
			weir_driver *d = driver(reusing(), (weir_driver_opts){ .state_dir = on_disk ? dir : NULL });

			put_number(d, "a", 1, 1);
			put_number(d, "b", 2, 2);
			put_number(d, "a", 3, 3);
			weir_driver_pipe(d, "people", "a", "unreadable", 4);
			weir_driver_pipe(d, "people", NULL, "nobody", 5);
			weir_driver_pipe(d, "people", "b", NULL, 6);
			assert_int_equal(partitions_of(d, "app-people-changelog"), 0);
			weir_driver_stop(d, crash);
			put_number(d, "c", 7, 7); /* processed, not restored: it goes downstream */
			must(weir_driver_start(d, NULL, &err));
			assert_int_equal(number_of(d, "a"), 3);
			assert_int_equal(number_of(d, "b"), -1);
			assert_int_equal(number_of(d, "c"), 7);
			assert_numbers(d, "out", "a=1@1", "b=2@2", "a=3@3", "b=null@6", "c=7@7");
			weir_driver_free(d);
			remove_directory(dir);
		}
	(void)state;
}

static void a_lost_disk_is_restored_from_the_source_topic(void **state)
{
	weir_driver *d = driver(reusing(), (weir_driver_opts){ 0 });
	const char *const worker[] = { "0" };

	(void)state;
	for (int i = 0; i < 10; i++)
		put_number(d, i % 2 ? "a" : "b", i, 1 + i);
	must(weir_driver_restart(d, true, &err));
	assert_true(weir_metrics_value(weir_app_metrics(weir_driver_app(d)), "weir_restored_records_total",
				       worker) == 10);
	assert_int_equal(number_of(d, "a"), 9);
	assert_int_equal(number_of(d, "b"), 8);
	weir_driver_free(d);
}

static weir_topology *of_two_rows(void)
{
	weir_topology *t = weir_topology_new("app");
	weir_table *few = weir_table_source(
		t, "people", (weir_table_source_opts){ .value = &weir_utf8, .store.entries_max = 2 });
	weir_table *lengths =
		weir_table_map_values(few, "lengths", length, &weir_int64, (weir_table_opts){ 0 }, NULL);

	weir_sink(weir_changes(few), "out", (weir_sink_opts){ 0 });
	weir_sink(weir_changes(lengths), "lengths-out", (weir_sink_opts){ 0 });
	return t;
}

static void what_a_table_of_so_many_rows_lets_go_of_is_told_to_its_changelog_alone(void **state)
{
	weir_driver *d = driver(of_two_rows(), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "people", "a", "Ann", 1);
	weir_driver_pipe(d, "people", "b", "Bo", 2);
	weir_driver_pipe(d, "people", "c", "Cleo", 3);
	assert_true(weir_is_null(weir_store_get(weir_driver_store(d, "people", 0), weir_str("a"), NULL)));
	assert_text(d, "app-people-changelog", "a=Ann@1", "b=Bo@2", "c=Cleo@3", "a=null@3");
	must(weir_driver_restart(d, true, &err));
	assert_int_equal(weir_store_count(weir_driver_store(d, "people", 0)), 2);
	weir_driver_pipe(d, "people", "d", "Di", 4);
	weir_driver_pipe(d, "people", "a", NULL, 5); /* those below still have it */
	assert_text(d, "app-people-changelog", "d=Di@4", "b=null@4", "a=null@5");
	assert_text(d, "out", "a=Ann@1", "b=Bo@2", "c=Cleo@3", "d=Di@4", "a=null@5");
	assert_numbers(d, "lengths-out", "a=3@1", "b=2@2", "c=4@3", "d=2@4", "a=null@5");
	weir_driver_free(d);
}

static void between_commits_there_may_be_more_rows(void **state)
{
	weir_driver *d = driver(of_two_rows(), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_stop(d, false);
	for (const char *k = "abca"; *k; k++)
		weir_driver_pipe(d, "people", (char[]){ *k, 0 }, "Ann", 1);
	must(weir_driver_start(d, NULL, &err));
	assert_text(d, "out", "b=Ann@1", "c=Ann@1", "a=Ann@1");
	assert_text(d, "app-people-changelog", "b=Ann@1", "c=Ann@1", "a=Ann@1", "b=null@1");
	weir_driver_free(d);
}

static void assert_refused(weir_topology *t, const char *why)
{
	weir_error err = { .code = WEIR_OK };

	assert_false(weir_topology_check(t, &err));
	assert_contains(err.message, why);
	weir_topology_free(t);
}

static void how_many_rows_is_for_tables_without_windows_versions_and_buffers(void **state)
{
	weir_table_opts view = { .entries_max = 2 }, stored = { .store = "kept", .entries_max = 2 };
	weir_table_source_opts refused[] = {
		{ .store = { .versioned = true, .history_ms = 9, .entries_max = 2 } },
		{ .store.entries_max = -1 },
		{ .store.entries_max = 2, .reuse_topic = true },
	};
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_table_filter(people(t), "view", is_long, view, NULL);
	assert_refused(t, "\"view\": it has no store: give it a name");
	t = weir_topology_new("app");
	weir_suppress(people(t), "later", (weir_suppress_opts){ .limit_ms = 10, .store = stored });
	assert_refused(t, "\"later\": a buffer lets go of nothing by itself: records_max, not entries_max");
	t = weir_topology_new("app");
	weir_count(text_source(t, "in"), "counts", (weir_window){ .size_ms = 10, .entries_max = 2 });
	assert_refused(t, "\"counts\": entries_max is not for windows, and not negative");
	for (size_t i = 0; i < LENGTH(refused); i++) {
		t = weir_topology_new("app");
		weir_table_source(t, "rows", refused[i]);
		assert_refused(t, i < 2 ? "\"rows\": entries_max is not for versions, and not negative"
					: "\"rows\": its topic is its changelog, which must be told what goes");
	}
}

static void mistakes_are_told(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_error why = { .code = WEIR_OK };

	(void)state;
	weir_table_filter(people(t), "nothing", NULL, (weir_table_opts){ .in_memory = true }, NULL);
	weir_table_source(t, "other", (weir_table_source_opts){ .reuse_topic = true, .store.unlogged = true });
	assert_false(weir_topology_check(t, &why));
	assert_contains(why.message, "\"nothing\": it has no function");
	assert_contains(why.message, "\"nothing\": it has no store: give it a name");
	assert_contains(why.message, "\"other\": its topic is its changelog");
	weir_topology_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_takes_the_newest_value_of_each_key),
		cmocka_unit_test(the_order_of_the_topic_counts_not_the_timestamps),
		cmocka_unit_test(records_without_a_key_are_dead_letters),
		cmocka_unit_test(what_is_not_there_cannot_be_deleted),
		cmocka_unit_test(a_stream_becomes_a_table),
		cmocka_unit_test(a_stream_with_another_key_is_repartitioned_before_it_becomes_a_table),
		cmocka_unit_test(a_filtered_table_has_the_rows_that_are_kept),
		cmocka_unit_test(filter_not_keeps_the_others),
		cmocka_unit_test(mapped_values_may_be_of_another_kind_and_null_is_no_row),
		cmocka_unit_test(a_view_with_a_store_is_queried_by_its_name),
		cmocka_unit_test(windowed_aggregates_are_tables_too),
		cmocka_unit_test(within_a_commit_only_the_newest_of_a_key_is_passed_on),
		cmocka_unit_test(a_topic_that_is_its_own_changelog_restores_what_was_taken_of_it),
		cmocka_unit_test(a_lost_disk_is_restored_from_the_source_topic),
		cmocka_unit_test(what_a_table_of_so_many_rows_lets_go_of_is_told_to_its_changelog_alone),
		cmocka_unit_test(between_commits_there_may_be_more_rows),
		cmocka_unit_test(how_many_rows_is_for_tables_without_windows_versions_and_buffers),
		cmocka_unit_test(mistakes_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
