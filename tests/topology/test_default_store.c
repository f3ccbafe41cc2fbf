/* Where stores lie of which the step says nothing (dsl.store.suppliers.class): what is in memory is restored after
 * a clean end. */
#include "tests/topology/topology_test.h"

static const void *both(weir_context *cx, weir_bytes key, const void *left, const void *right, void *user)
{
	(void)cx, (void)key, (void)user;
	return left ? left : right;
}

static weir_bytes key_of(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)user;
	return r->key;
}

static bool all(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)r, (void)user;
	return true;
}

static void keep(weir_context *cx, const weir_record *r, void *state, void *user)
{
	(void)state, (void)user;
	weir_store_put(weir_context_store(cx, "kept"), r->key, weir_str("x"), r->timestamp_ms);
}

static weir_topology *all_kinds(void)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = text_source(t, "in");
	weir_table *table = weir_to_table(in, "table", (weir_table_opts){ 0 });
	weir_join_window window = { .before_ms = 10, .after_ms = 10 };
	weir_join_window window_on_disk = { .before_ms = 10, .after_ms = 10, .on_disk = true };

	weir_to_table(in, "table-on-disk", (weir_table_opts){ .on_disk = true });
	weir_to_table(in, "versions", (weir_table_opts){ .versioned = true, .history_ms = 1000 });
	weir_table_filter(table, "view", all, (weir_table_opts){ .store = "view" }, NULL);
	weir_count(in, "count", (weir_window){ 0 });
	weir_count(in, "count-on-disk", (weir_window){ .on_disk = true });
	weir_count(in, "windows", (weir_window){ .size_ms = 10 });
	weir_count(in, "windows-on-disk", (weir_window){ .size_ms = 10, .on_disk = true });
	weir_table_join_foreign(table, "foreign", table, key_of, both, (weir_foreign_opts){ .store = { 0 } }, NULL);
	weir_sink(weir_left_join(in, "join", in, both, NULL, window, NULL), "joined", (weir_sink_opts){ 0 });
	weir_sink(weir_join(in, "join-on-disk", in, both, NULL, window_on_disk, NULL), "joined-on-disk",
		  (weir_sink_opts){ 0 });
	weir_add_store(t, "kept", (weir_store_opts){ 0 });
	weir_process(in, "keep", (weir_processor){ .process = keep, .stores = { "kept" } });
	weir_global_table(t, "global", (weir_global_opts){ .value = &weir_utf8 });
	weir_global_table(t, "global-on-disk", (weir_global_opts){ .value = &weir_utf8, .store.on_disk = true });
	return t;
}

enum { NAMES_SIZE = 1000 };

static void note_restored(weir_app *app, weir_restore_event event, const weir_restore *restore, void *user)
{
	char *names = user;
	size_t used = strlen(names);

	(void)app;
	if (event == WEIR_RESTORE_END && restore->records > 0)
		snprintf(names + used, NAMES_SIZE - used, "%s ", restore->store);
}

/* The stores that have to be restored after a clean end; a name more than once where there are several like it. */
static void restored_after_a_clean_end(const char *where, char *names)
{
	const char *const config[][2] = { { "dsl.store.suppliers.class", where } };
	char *dir = temporary_directory();
	weir_driver *d =
		driver(all_kinds(), (weir_driver_opts){ .state_dir = dir,
							.config = config,
							.config_count = where ? 1 : 0,
							.listener = { .restore = note_restored, .user = names } });

	weir_driver_pipe(d, "global", "a", "1", 1);
	weir_driver_pipe(d, "global-on-disk", "a", "1", 1);
	weir_driver_pipe(d, "in", "a", "1", 1);
	weir_driver_pipe(d, "in", "b", "2", 2);
	*names = 0;
	must(weir_driver_restart(d, false, &err));
	weir_driver_pipe(d, "in", "a", "3", 3);
	weir_driver_free(d);
	remove_directory(dir);
}

static void assert_restored(const char *names, bool all_of_the_dsl)
{
	static const char *const dsl[] = { "table",
					   "view",
					   "count",
					   "windows",
					   "foreign",
					   "foreign-subscription-store",
					   "join-this-join-store",
					   "join-outer-other-join-store",
					   "global" };
	static const char *const others[] = { "table-on-disk",
					      "versions",
					      "count-on-disk",
					      "windows-on-disk",
					      "join-on-disk-this-join-store",
					      "join-on-disk-other-join-store",
					      "kept",
					      "global-on-disk" };
	char padded[NAMES_SIZE + 1], name[100];

	snprintf(padded, sizeof padded, " %s", names);
	for (size_t i = 0; i < LENGTH(dsl); i++) {
		snprintf(name, sizeof name, " %s ", dsl[i]);
		if (!strstr(padded, name) == all_of_the_dsl)
			fail_msg("%s: restored were%s", dsl[i], padded);
	}
	for (size_t i = 0; i < LENGTH(others); i++) {
		snprintf(name, sizeof name, " %s ", others[i]);
		if (strstr(padded, name))
			fail_msg("%s: restored were%s", others[i], padded);
	}
}

static void stores_of_the_dsl_lie_where_the_configuration_says(void **state)
{
	char names[NAMES_SIZE];

	(void)state;
	restored_after_a_clean_end("in_memory", names);
	assert_restored(names, true);
	restored_after_a_clean_end(
		"org.apache.kafka.streams.state.BuiltInDslStoreSuppliers$InMemoryDslStoreSuppliers", names);
	assert_restored(names, true);
	restored_after_a_clean_end("rocksDB", names);
	assert_restored(names, false);
	restored_after_a_clean_end(NULL, names);
	assert_restored(names, false);
}

static void a_store_is_in_memory_or_on_disk(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_error err = { .code = WEIR_OK };

	(void)state;
	weir_count(text_source(t, "in"), "count", (weir_window){ .in_memory = true, .on_disk = true });
	assert_false(weir_topology_check(t, &err));
	assert_contains(err.message, "\"count\": its store is in memory or on disk, not both");
	weir_topology_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stores_of_the_dsl_lie_where_the_configuration_says),
		cmocka_unit_test(a_store_is_in_memory_or_on_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
