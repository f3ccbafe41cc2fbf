#include "tests/topology/topology_test.h"

#include "apps/examples/1-windowed-count/topology.h"

static void a_window_counts_what_falls_into_it(void **state)
{
	weir_driver *d = driver(city_counts(), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "posts", "Montreal", "a", 60000);
	assert_string_equal(weir_driver_read_text(d, "city-counts", true, true), "Montreal[0]=1@60000");
	weir_driver_pipe(d, "posts", "Montreal", "b", 30000);
	weir_driver_pipe(d, "posts", "Toronto", "c", 300000);
	assert_string_equal(weir_driver_read_text(d, "city-counts", true, true), "Montreal[0]=2@60000");
	assert_string_equal(weir_driver_read_text(d, "city-counts", true, true), "Toronto[300000]=1@300000");
	assert_null(weir_driver_read_text(d, "city-counts", true, true));
	weir_driver_free(d);
}

static void a_late_record_goes_to_the_dead_letters_with_its_reason(void **state)
{
	weir_driver *d = driver(city_counts(), (weir_driver_opts){ 0 });
	weir_driver_record r;

	(void)state;
	weir_driver_pipe(d, "posts", "Montreal", "a",
			 330000); /* stream time - grace = 300000: the window [0, 300000) is closed */
	weir_driver_pipe(d, "posts", "Montreal", "late", 299999);
	assert_string_equal(weir_driver_read_text(d, "city-counts", true, true), "Montreal[300000]=1@330000");
	assert_null(weir_driver_read_text(d, "city-counts", true, true));
	assert_true(weir_driver_read(d, "dead-letters", &r));
	assert_bytes(r.value, "late");
	assert_bytes(weir_headers_last(r.headers, "reason"), "late");
	assert_bytes(weir_headers_last(r.headers, "original-timestamp"), "299999");
	weir_driver_free(d);
}

static void lateness_is_judged_the_same_after_a_restart(void **state)
{
	weir_driver *d = driver(city_counts(), (weir_driver_opts){ 0 });
	weir_error err;

	(void)state;
	weir_driver_pipe(d, "posts", "Montreal", "a", 330000);
	for (int crash = 0; crash < 2; crash++) {
		if (!weir_driver_restart(d, crash, &err))
			fail_msg("%s", err.message);
		weir_driver_pipe(d, "posts", "Montreal", "late", 299999);
	}
	assert_string_equal(weir_driver_read_text(d, "city-counts", true, true), "Montreal[300000]=1@330000");
	assert_null(weir_driver_read_text(d, "city-counts", true, true));
	weir_driver_free(d);
}

static void counts_go_on_after_a_crash(void **state)
{
	char *dir = temporary_directory();
	weir_driver *d = driver(city_counts(), (weir_driver_opts){ .partitions = 3, .state_dir = dir });
	weir_error err;

	(void)state;
	for (int i = 1; i <= 20; i++) {
		char want[64];

		weir_driver_pipe(d, "posts", "Montreal", "x", 1000);
		snprintf(want, sizeof want, "Montreal[0]=%d@1000", i);
		assert_string_equal(weir_driver_read_text(d, "city-counts", true, true), want);
		if (i % 3 == 0 && !weir_driver_restart(d, i % 2, &err))
			fail_msg("%s", err.message);
	}
	weir_driver_free(d);
	remove_directory(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_window_counts_what_falls_into_it),
		cmocka_unit_test(a_late_record_goes_to_the_dead_letters_with_its_reason),
		cmocka_unit_test(lateness_is_judged_the_same_after_a_restart),
		cmocka_unit_test(counts_go_on_after_a_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
