#include "apps/examples/6-views-by-region/topology.h"
#include "tests/topology/topology_test.h"

static void views_are_counted_where_their_users_live_then(void **state)
{
	weir_driver *d = driver(views_by_region(), (weir_driver_opts){ .partitions = 3 });

	(void)state;
	weir_driver_pipe(d, "users", "u1", "Ann, emea", 500);
	weir_driver_pipe(d, "views", "u1", "/home", 1000);
	weir_driver_pipe(d, "views", "u1", "/buy", 2000);
	weir_driver_pipe(d, "users", "u1", "Ann, apac", 2500);
	weir_driver_pipe(d, "views", "u1", "/home", 61000);
	assert_text(d, "views-with-region", "u1=emea /home@1000", "u1=emea /buy@2000", "u1=apac /home@61000");
	weir_driver_pipe(d, "views", "u2", "/home", 3000);
	assert_text(d, "views-with-region", "u2=unknown /home@3000");
	weir_driver_free(d);

	d = driver(views_by_region(), (weir_driver_opts){ 0 });
	weir_driver_pipe(d, "users", "u1", "Ann, emea", 500);
	weir_driver_pipe(d, "users", "u2", "nobody", 500);
	weir_driver_pipe(d, "views", "u1", "/home", 1000);
	weir_driver_pipe(d, "views", "u1", "/buy", 2000);
	weir_driver_pipe(d, "views", "u2", "/home", 3000);
	weir_driver_pipe(d, "views", "u3", "", 3000);
	assert_windowed_numbers(d, "region-views", "emea[0]=1@1000", "emea[0]=2@2000", "unknown[0]=1@3000",
				"unknown[0]=2@3000");
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(views_are_counted_where_their_users_live_then),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
