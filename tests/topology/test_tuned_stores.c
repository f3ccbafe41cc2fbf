/* RocksDB's options by the configuration and by the topology (the options themselves: unit/test_tuning). */
#include <glob.h>

#include "tests/topology/topology_test.h"

static weir_topology *counting(const char *store, const char *options)
{
	weir_topology *t = weir_topology_new("app");

	if (store)
		weir_topology_tune_store(t, store, options);
	weir_count(text_source(t, "in"), "counts", (weir_window){ 0 });
	weir_to_table(text_source(t, "rows"), "table", (weir_table_opts){ 0 });
	return t;
}

/* Of RocksDB's OPTIONS file, the newest: what stands behind the section's name. */
static void read_section(const char *dir, const char *section, char *text, size_t size)
{
	char pattern[200];
	glob_t found;

	snprintf(pattern, sizeof pattern, "%s/app/rocksdb/OPTIONS-*[0-9]", dir);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	FILE *f = fopen(found.gl_pathv[found.gl_pathc - 1], "r");
	static char all[200000];

	assert_non_null(f);
	all[fread(all, 1, sizeof all - 1, f)] = 0;
	fclose(f);
	globfree(&found);
	const char *at = strstr(all, section);
	assert_non_null(at);
	snprintf(text, size, "%s", at + strlen(section));
	char *end = strstr(text, "\n[");
	if (end)
		*end = 0;
}

static void stores_have_the_options_of_all_and_their_own(void **state)
{
	const char *const config[][2] = { { "rocksdb.options", "compression=kSnappyCompression" } };
	char *dir = temporary_directory(), text[20000];
	weir_driver *d = driver(counting("counts", "target_file_size_base=1234567"),
				(weir_driver_opts){ .state_dir = dir, .config = config, .config_count = 1 });

	(void)state;
	weir_driver_pipe(d, "in", "a", "x", 1);
	must(weir_driver_restart(d, false, &err));
	weir_driver_pipe(d, "in", "a", "y", 2);
	read_section(dir, "[CFOptions \"counts/0\"]", text, sizeof text);
	assert_contains(text, "compression=kSnappyCompression\n");
	assert_contains(text, "target_file_size_base=1234567\n");
	read_section(dir, "[CFOptions \"table/0\"]", text, sizeof text);
	assert_contains(text, "compression=kSnappyCompression\n");
	assert_null(strstr(text, "target_file_size_base=1234567\n"));
	weir_driver_free(d);
	remove_directory(dir);
}

static void a_bad_option_of_the_configuration_is_refused_at_the_start(void **state)
{
	const char *const config[][2] = { { "rocksdb.options", "write_buffer_size=1" } };
	weir_error err = { .code = WEIR_OK };

	(void)state;
	assert_null(weir_driver_new(counting(NULL, NULL), (weir_driver_opts){ .config = config, .config_count = 1 },
				    &err));
	assert_contains(err.message, "rocksdb.options: write_buffer_size may not be set: memory is shared out by "
				     "memory.bytes.max");
}

static void a_bad_option_of_a_store_is_a_mistake_of_the_topology(void **state)
{
	static const struct {
		const char *store, *options, *why;
	} bad[] = {
		{ "counts", "comparator=mine", "\"counts\": RocksDB's options: comparator may not be set" },
		{ "counts", "compression=kNone", "\"counts\": RocksDB's options: " },
		{ "count", "compression=kNoCompression",
		  "\"count\": RocksDB's options are of a store that is not there" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(bad); i++) {
		weir_topology *t = counting(bad[i].store, bad[i].options);
		weir_error err = { .code = WEIR_OK };

		assert_false(weir_topology_check(t, &err));
		assert_contains(err.message, bad[i].why);
		weir_topology_free(t);
	}
	weir_topology *t = counting("counts", "");
	weir_error err;

	weir_topology_tune_store(t, "counts", "");
	assert_false(weir_topology_check(t, &err));
	assert_contains(err.message, "\"counts\": its RocksDB options are set already");
	weir_topology_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stores_have_the_options_of_all_and_their_own),
		cmocka_unit_test(a_bad_option_of_the_configuration_is_refused_at_the_start),
		cmocka_unit_test(a_bad_option_of_a_store_is_a_mistake_of_the_topology),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
