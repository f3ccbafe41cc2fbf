#include "tests/topology/topology_test.h"

enum { PARTITIONS = 4 };

static weir_topology *counting(void)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = text_source(t, "in");

	weir_count(in, "counts", (weir_window){ 0 });
	weir_count(in, "by-minute", (weir_window){ .size_ms = WEIR_MINUTES(1), .retain_ms = WEIR_HOURS(1) });
	return t;
}

struct answer {
	unsigned partitions; /* asked, as bits */
	int calls;
	int64_t sum;
	weir_bytes key;
};

static void look_up(weir_store *store, int32_t partition, void *user)
{
	struct answer *a = user;
	weir_bytes value = weir_store_get(store, a->key, NULL);

	a->partitions |= 1u << partition;
	a->calls++;
	a->sum += weir_is_null(value) ? 0 : weir_get_be64(value.data);
}

static void sum_all(weir_store *store, int32_t partition, void *user)
{
	struct answer *a = user;
	weir_iterator *it = weir_store_range(store, WEIR_NULL, WEIR_NULL, false);
	weir_entry e;

	a->partitions |= 1u << partition;
	a->calls++;
	while (weir_iterator_next(it, &e))
		a->sum += weir_get_be64(e.value.data);
	weir_iterator_close(it);
}

static void sum_windows(weir_store *store, int32_t partition, void *user)
{
	struct answer *a = user;
	weir_iterator *it = weir_window_fetch(store, a->key, 0, INT64_MAX, false);
	weir_entry e;

	(void)partition;
	while (weir_iterator_next(it, &e)) {
		assert_int_equal(e.start_ms % WEIR_MINUTES(1), 0);
		a->calls++;
		a->sum += weir_get_be64(e.value.data);
	}
	weir_iterator_close(it);
}

static weir_driver *filled(const char *state_dir)
{
	weir_driver *d = driver(counting(), (weir_driver_opts){ .partitions = PARTITIONS, .state_dir = state_dir });

	for (int i = 0; i < 40; i++) {
		char key[8];

		snprintf(key, sizeof key, "k%d", i % 10);
		weir_driver_pipe(d, "in", key, "v", WEIR_MINUTES(i));
	}
	return d;
}

static void a_query_with_a_key_asks_its_partition_alone(void **state)
{
	weir_driver *d = filled(NULL);

	(void)state;
	for (int i = 0; i < 10; i++) {
		char key[8];

		snprintf(key, sizeof key, "k%d", i);
		struct answer a = { .key = weir_str(key) };

		must(weir_app_query(weir_driver_app(d), "counts", look_up, &a, (weir_query_opts){ .key = a.key },
				    &err));
		assert_int_equal(a.calls, 1);
		assert_int_equal(a.partitions, 1u << weir_partition_for_key(a.key, PARTITIONS));
		assert_int_equal(a.sum, 4);
	}
	weir_driver_free(d);
}

static void a_query_without_a_key_asks_all_partitions_once(void **state)
{
	weir_driver *d = filled(NULL);

	(void)state;
	for (int uncommitted = 0; uncommitted < 2; uncommitted++) {
		struct answer a = { 0 };

		must(weir_app_query(weir_driver_app(d), "counts", sum_all, &a,
				    (weir_query_opts){ .read_uncommitted = uncommitted }, &err));
		assert_int_equal(a.calls, PARTITIONS);
		assert_int_equal(a.partitions, (1u << PARTITIONS) - 1);
		assert_int_equal(a.sum, 40);
	}
	weir_driver_free(d);
}

static void windows_can_be_queried_and_so_can_what_was_restored(void **state)
{
	char *dir = temporary_directory();

	for (int on_disk = 0; on_disk < 2; on_disk++) {
		weir_driver *d = filled(on_disk ? dir : NULL);

		for (int crash = -1; crash < 2; crash++) {
			struct answer a = { .key = weir_str("k3") };

			if (crash >= 0)
				must(weir_driver_restart(d, crash, &err));
			must(weir_app_query(weir_driver_app(d), "by-minute", sum_windows, &a,
					    (weir_query_opts){ .key = a.key }, &err));
			assert_int_equal(a.calls, 4);
			assert_int_equal(a.sum, 4);
		}
		weir_driver_free(d);
	}
	(void)state;
	remove_directory(dir);
}

static void a_store_that_is_not_there_is_an_error(void **state)
{
	weir_driver *d = filled(NULL);
	struct answer a = { 0 };
	weir_error err = { .code = WEIR_OK };

	(void)state;
	assert_false(weir_app_query(weir_driver_app(d), "nothing", sum_all, &a, (weir_query_opts){ 0 }, &err));
	assert_int_equal(err.code, WEIR_NOT_FOUND);
	assert_contains(err.message, "\"nothing\"");
	assert_int_equal(a.calls, 0);
	weir_driver_free(d);
}

static void an_application_that_does_not_run_answers_nothing(void **state)
{
	weir_topology *t = counting();
	weir_config *cfg = weir_config_new();
	weir_cluster *cluster = weir_cluster_embedded((weir_embedded_opts){ .partitions = 1 });
	struct answer a = { 0 };
	weir_error why = { .code = WEIR_OK };

	(void)state;
	must(weir_config_set(cfg, "application.id", "app", WEIR_FROM_COMMAND_LINE, "test", &err));
	must(weir_config_set(cfg, "state.dir", "", WEIR_FROM_COMMAND_LINE, "test", &err));
	weir_app *app = weir_app_new(t, cfg, cluster, (weir_app_opts){ 0 }, &why);

	assert_non_null(app);
	assert_false(weir_app_query(app, "counts", sum_all, &a, (weir_query_opts){ 0 }, &why));
	assert_int_equal(why.code, WEIR_CLOSED);
	assert_int_equal(a.calls, 0);
	weir_app_free(app);
	weir_cluster_free(cluster);
	weir_config_free(cfg);
	weir_topology_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_query_with_a_key_asks_its_partition_alone),
		cmocka_unit_test(a_query_without_a_key_asks_all_partitions_once),
		cmocka_unit_test(windows_can_be_queried_and_so_can_what_was_restored),
		cmocka_unit_test(a_store_that_is_not_there_is_an_error),
		cmocka_unit_test(an_application_that_does_not_run_answers_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
