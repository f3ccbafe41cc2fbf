#include "apps/examples/4-alerts/topology.h"
#include "tests/topology/topology_test.h"

enum { NOW_MS = 1000000000 };

static weir_driver *watching(void)
{
	return driver(silence_alerts(), (weir_driver_opts){ .now_ms = NOW_MS });
}

static void a_sensor_that_falls_silent_makes_one_alert_and_one_when_it_is_back(void **state)
{
	weir_driver *d = watching();
	const char *found;

	(void)state;
	weir_driver_pipe(d, "reports", "cellar", "21", NOW_MS);
	weir_driver_advance(d, WEIR_SECONDS(50));
	weir_driver_pipe(d, "reports", "attic", "25", NOW_MS + WEIR_SECONDS(50));
	assert_nothing(d, "alerts");
	weir_driver_advance(d, WEIR_SECONDS(20));
	found = weir_driver_read_text(d, "alerts", false, false);
	assert_non_null(found);
	assert_contains(found, "cellar=silent since 1000000000@");
	weir_driver_advance(d, WEIR_SECONDS(30));
	assert_nothing(d, "alerts");
	weir_driver_pipe(d, "reports", "cellar", "22", NOW_MS + WEIR_SECONDS(100));
	assert_text(d, "alerts", "cellar=back@1000100000");
	weir_driver_advance(d, WEIR_SECONDS(40));
	found = weir_driver_read_text(d, "alerts", false, false);
	assert_non_null(found);
	assert_contains(found, "attic=silent since 1000050000@");
	assert_nothing(d, "alerts");
	weir_driver_free(d);
}

static void silence_goes_on_through_a_restart(void **state)
{
	for (int crash = 0; crash < 2; crash++) {
		weir_driver *d = watching();
		const char *found;

		weir_driver_pipe(d, "reports", "cellar", "21", NOW_MS);
		must(weir_driver_restart(d, crash, &err));
		weir_driver_advance(d, WEIR_SECONDS(75));
		found = weir_driver_read_text(d, "alerts", false, false);
		assert_non_null(found);
		assert_contains(found, "cellar=silent since 1000000000@");
		must(weir_driver_restart(d, crash, &err));
		weir_driver_advance(d, WEIR_SECONDS(75));
		assert_nothing(d, "alerts");
		weir_driver_free(d);
	}
	(void)state;
}

static void many_silent_sensors_all_make_their_alert(void **state)
{
	weir_driver *d = watching();
	int alerts = 0;

	(void)state;
	for (int i = 0; i < 250; i++) {
		char name[16];

		snprintf(name, sizeof name, "sensor-%d", i);
		weir_driver_pipe(d, "reports", name, "1", NOW_MS);
	}
	for (int i = 0; i < 12; i++)
		weir_driver_advance(d, WEIR_SECONDS(10));
	while (weir_driver_read_text(d, "alerts", false, false))
		alerts++;
	assert_int_equal(alerts, 250);
	weir_driver_free(d);
}

static void a_report_without_a_sensor_is_a_dead_letter(void **state)
{
	weir_driver *d = watching();

	(void)state;
	weir_driver_pipe(d, "reports", NULL, "21", NOW_MS);
	assert_dead_letter(d, "21", "no sensor");
	weir_driver_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sensor_that_falls_silent_makes_one_alert_and_one_when_it_is_back),
		cmocka_unit_test(silence_goes_on_through_a_restart),
		cmocka_unit_test(many_silent_sensors_all_make_their_alert),
		cmocka_unit_test(a_report_without_a_sensor_is_a_dead_letter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
