/* Global tables: each instance has the whole. */
#include "tests/topology/topology_test.h"

static weir_global *cities;

static const void *with_city(weir_context *cx, const weir_record *r, void *user)
{
	int64_t ms = -1;
	const weir_bytes *city = weir_global_get(cx, *(weir_global **)user, weir_value_bytes(r), &ms);

	return city ? text(cx, "%.*s/%lld", (int)city->len, (const char *)city->data, (long long)ms) : NULL;
}

/* Values are codes of cities; what comes out are their names and times. */
static weir_topology *looking_up(void)
{
	weir_topology *t = weir_topology_new("app");

	cities = weir_global_table(t, "cities", (weir_global_opts){ .value = &weir_utf8 });
	weir_sink(weir_map_values(text_source(t, "in"), "with-city", with_city, &weir_utf8, &cities), "out",
		  (weir_sink_opts){ 0 });
	return t;
}

static void a_record_meets_the_newest_row(void **state)
{
	weir_driver *d = driver(looking_up(), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", "a", "mtl", 10);
	weir_driver_pipe(d, "cities", "mtl", "Montreal", 20);
	weir_driver_pipe(d, "in", "a", "mtl", 11);
	weir_driver_pipe(d, "cities", "mtl", "Laval", 5); /* the order of the topic counts */
	weir_driver_pipe(d, "in", "a", "mtl", 12);
	weir_driver_pipe(d, "cities", "mtl", NULL, 30);
	weir_driver_pipe(d, "in", "a", "mtl", 13);
	weir_driver_pipe(d, "in", "a", NULL, 14);
	assert_text(d, "out", "a=null@10", "a=Montreal/20@11", "a=Laval/5@12", "a=null@13", "a=null@14");
	weir_driver_free(d);
}

static void all_tasks_have_all_of_it(void **state)
{
	weir_driver *d = driver(looking_up(), (weir_driver_opts){ .partitions = 5 });
	int n = 0;

	(void)state;
	for (int i = 0; i < 20; i++) {
		char key[8];

		snprintf(key, sizeof key, "c%d", i);
		weir_driver_pipe(d, "cities", key, "C", 1);
	}
	for (int i = 0; i < 20; i++) {
		char key[8], code[8];

		snprintf(key, sizeof key, "%d", i);
		snprintf(code, sizeof code, "c%d", 19 - i);
		weir_driver_pipe(d, "in", key, code, 2);
	}
	for (const char *got; (got = weir_driver_read_text(d, "out", false, false)); n++)
		assert_contains(got, "=C/1@2");
	assert_int_equal(n, 20);
	weir_driver_free(d);
}

static void first_row(weir_store *store, int32_t partition, void *user)
{
	int64_t ms;
	weir_bytes row = weir_store_get(store, weir_str("a"), &ms);

	assert_int_equal(partition, 0);
	snprintf(user, 16, "%.*s@%lld", (int)row.len, (const char *)row.data, (long long)ms);
}

static void a_topology_may_be_a_global_table_alone(void **state)
{
	weir_topology *t = weir_topology_new("app");
	char row[16];

	(void)state;
	weir_global_table(t, "cities", (weir_global_opts){ .value = &weir_utf8 });
	weir_driver *d = driver(t, (weir_driver_opts){ .partitions = 1 });

	weir_driver_pipe(d, "cities", "a", "A", 1);
	weir_driver_pipe(d, "cities", "a", "B", 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(weir_app_state_get(weir_driver_app(d), NULL), WEIR_APP_RUNNING);
		must(weir_app_query(weir_driver_app(d), "cities", first_row, row, (weir_query_opts){ 0 }, &err));
		assert_string_equal(row, i ? "C@3" : "B@2");
		weir_driver_stop(d, i == 0);
		weir_driver_pipe(d, "cities", "a", "C", 3);
		must(weir_driver_start(d, NULL, &err));
	}
	weir_driver_free(d);
}

static void tasks_run_once_it_has_come_to_the_end(void **state)
{
	for (int on_disk = 0; on_disk < 2; on_disk++)
		for (int crash = 0; crash < 2; crash++) {
			char *dir = temporary_directory();
			weir_driver *d =
				driver(looking_up(), (weir_driver_opts){ .state_dir = on_disk ? dir : NULL });

			weir_driver_pipe(d, "cities", "a", "A", 1);
			weir_driver_pipe(d, "cities", "b", "B", 2);
			weir_driver_stop(d, crash);
			weir_driver_pipe(d, "in", "k", "c", 4);
			weir_driver_pipe(d, "in", "k", "b", 5);
			weir_driver_pipe(d, "cities", "c", "C", 3);
			weir_driver_pipe(d, "cities", "b", NULL, 6);
			must(weir_driver_start(d, NULL, &err));
			weir_driver_pipe(d, "in", "k", "a", 7);
			assert_text(d, "out", "k=C/3@4", "k=null@5", "k=A/1@7");
			weir_driver_free(d);
			remove_directory(dir);
		}
	(void)state;
}

static void what_is_on_disk_is_not_read_again(void **state)
{
	char *dir = temporary_directory();
	weir_driver *d = driver(looking_up(), (weir_driver_opts){ .state_dir = dir });
	weir_partition first = { .topic = "cities", .partition = 0, .offset = 1 };

	(void)state;
	weir_driver_pipe(d, "cities", "a", "A", 1);
	weir_driver_pipe(d, "cities", "b", "B", 2);
	weir_driver_stop(d, false);
	/* Whatever it needs of the beginning must be there: the topic has lost it. */
	must(weir_records_delete(weir_driver_cluster(d), &first, 1, &err));
	must(weir_driver_start(d, NULL, &err));
	weir_driver_pipe(d, "in", "k", "a", 3);
	assert_text(d, "out", "k=A/1@3");
	weir_driver_free(d);
	remove_directory(dir);
}

static void what_is_on_disk_of_another_topic_is_wiped(void **state)
{
	char *dir = temporary_directory();
	weir_driver *d = driver(looking_up(), (weir_driver_opts){ .state_dir = dir });

	(void)state;
	weir_driver_pipe(d, "cities", "a", "A", 1);
	weir_driver_pipe(d, "cities", "b", "B", 2);
	weir_driver_stop(d, false);
	must(weir_topics_delete(weir_driver_cluster(d), (const char *[]){ "cities" }, 1, &err));
	must(weir_driver_start(d, looking_up(), &err)); /* makes the topic anew */
	weir_driver_pipe(d, "in", "k", "a", 3);
	assert_text(d, "out", "k=null@3");
	weir_driver_free(d);
	remove_directory(dir);
}

static void what_is_not_to_be_kept_is_left_out(void **state)
{
	weir_topology *t = weir_topology_new("app");
	char eight[8];

	(void)state;
	cities = weir_global_table(t, "numbers", (weir_global_opts){ .value = &weir_int64, .store.store = "n" });
	text_source(t, "in");
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_put_be64(eight, 7);
	weir_driver_pipe_record(d, "numbers", -1, weir_str("a"), weir_bytes_of(eight, 8), 1, NULL);
	weir_driver_pipe(d, "numbers", "a", "unreadable", 2);
	weir_driver_pipe_record(d, "numbers", -1, WEIR_NULL, weir_bytes_of(eight, 8), 3, NULL);
	assert_int_equal(weir_get_be64(weir_store_get(weir_driver_store(d, "n", 0), weir_str("a"), NULL).data), 7);
	weir_driver_free(d);
}

static void take_value(weir_store *store, int32_t partition, void *user)
{
	weir_bytes b = weir_store_get(store, weir_str("a"), NULL);

	assert_int_equal(partition, 0);
	snprintf(user, 20, "%.*s", (int)b.len, (const char *)b.data);
}

static void it_is_queried_as_other_stores(void **state)
{
	weir_driver *d = driver(looking_up(), (weir_driver_opts){ 0 });
	char value[20] = "";

	(void)state;
	weir_driver_pipe(d, "cities", "a", "A", 1);
	must(weir_app_query(weir_driver_app(d), "cities", take_value, value, (weir_query_opts){ 0 }, &err));
	assert_string_equal(value, "A");
	weir_driver_free(d);
}

static void names_must_be_its_own(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_error why = { .code = WEIR_OK };

	(void)state;
	weir_global_table(t, "twice", (weir_global_opts){ 0 });
	weir_to_table(text_source(t, "twice"), "table", (weir_table_opts){ .store = "twice" });
	assert_false(weir_topology_check(t, &why));
	assert_contains(why.message, "a global table has this name already");
	assert_contains(why.message, "another store has this name already");
	weir_topology_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_meets_the_newest_row),
		cmocka_unit_test(all_tasks_have_all_of_it),
		cmocka_unit_test(a_topology_may_be_a_global_table_alone),
		cmocka_unit_test(tasks_run_once_it_has_come_to_the_end),
		cmocka_unit_test(what_is_on_disk_is_not_read_again),
		cmocka_unit_test(what_is_on_disk_of_another_topic_is_wiped),
		cmocka_unit_test(what_is_not_to_be_kept_is_left_out),
		cmocka_unit_test(it_is_queried_as_other_stores),
		cmocka_unit_test(names_must_be_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
