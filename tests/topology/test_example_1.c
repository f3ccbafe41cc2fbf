#include "apps/examples/1-windowed-count/topology.h"
#include "tests/topology/topology_test.h"

static void cities_are_counted(void **state)
{
	weir_driver *d = driver(city_counts(), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "posts", "Montreal", "hello", 60000);
	weir_driver_pipe(d, "posts", "Montreal", "bonjour", 30000);
	assert_windowed_numbers(d, "city-counts", "Montreal[0]=1@60000", "Montreal[0]=2@60000");
	weir_driver_free(d);
}

int main(void)
{
	return cmocka_run_group_tests(((struct CMUnitTest[]){ cmocka_unit_test(cities_are_counted) }), NULL, NULL);
}
