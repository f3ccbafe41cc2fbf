#include "apps/examples/5-hopping-average/topology.h"
#include "tests/topology/topology_test.h"

static void each_minute_has_the_average_of_five(void **state)
{
	weir_driver *d = driver(hopping_averages(), (weir_driver_opts){ 0 });
	int64_t ten = WEIR_MINUTES(10);

	(void)state;
	weir_driver_pipe(d, "temperatures", "Dorval", "20", ten);
	assert_windows(d, "average-temperatures", "Dorval[360000]=20.00@600000", "Dorval[420000]=20.00@600000",
		       "Dorval[480000]=20.00@600000", "Dorval[540000]=20.00@600000", "Dorval[600000]=20.00@600000");
	weir_driver_pipe(d, "temperatures", "Dorval", "21.5", ten + WEIR_MINUTES(3));
	assert_windows(d, "average-temperatures", "Dorval[540000]=20.75@780000", "Dorval[600000]=20.75@780000",
		       "Dorval[660000]=21.50@780000", "Dorval[720000]=21.50@780000", "Dorval[780000]=21.50@780000");
	weir_driver_free(d);
}

static void what_is_no_number_is_a_dead_letter_and_null_changes_nothing(void **state)
{
	weir_driver *d = driver(hopping_averages(), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "temperatures", "Dorval", "warm", 1);
	weir_driver_pipe(d, "temperatures", "Dorval", "nan", 1);
	assert_dead_letter(d, "warm", "unreadable: \"warm\" is no number");
	assert_dead_letter(d, "nan", "unreadable: \"nan\" is no number");
	weir_driver_pipe(d, "temperatures", "Dorval", "10", 1);
	weir_driver_pipe(d, "temperatures", "Dorval", NULL, 2);
	assert_windows(d, "average-temperatures", "Dorval[0]=10.00@1", "Dorval[0]=10.00@2");
	weir_driver_free(d);
}

static void sums_are_exact_after_a_crash(void **state)
{
	char *dir = temporary_directory();
	weir_driver *d = driver(hopping_averages(), (weir_driver_opts){ .state_dir = dir });

	(void)state;
	weir_driver_pipe(d, "temperatures", "Dorval", "1", 1);
	weir_driver_pipe(d, "temperatures", "Dorval", "2", 2);
	must(weir_driver_restart(d, true, &err));
	weir_driver_pipe(d, "temperatures", "Dorval", "6", 3);
	assert_windows(d, "average-temperatures", "Dorval[0]=1.00@1", "Dorval[0]=1.50@2", "Dorval[0]=3.00@3");
	weir_driver_free(d);
	remove_directory(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_minute_has_the_average_of_five),
		cmocka_unit_test(what_is_no_number_is_a_dead_letter_and_null_changes_nothing),
		cmocka_unit_test(sums_are_exact_after_a_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
