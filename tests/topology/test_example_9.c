#include "tests/topology/topology_test.h"

#include "apps/examples/9-totals-asked-for/topology.h"

static void a_city_is_told_with_its_name_and_its_posts(void **state)
{
	weir_driver *d = driver(city_totals(), (weir_driver_opts){ .partitions = 3 });
	struct city city;

	(void)state;
	weir_driver_pipe(d, "cities", "YUL", "Montreal", 1);
	weir_driver_pipe(d, "posts", "YUL", "hello", 1);
	weir_driver_pipe(d, "posts", "YUL", "bonjour", 2);
	weir_driver_pipe(d, "posts", "YYZ", "hi", 3);
	must(ask(weir_driver_app(d), "YUL", &city, &err));
	assert_string_equal(city.name, "Montreal");
	assert_int_equal(city.posts, 2);
	must(ask(weir_driver_app(d), "YYZ", &city, &err)); /* its name has not come yet */
	assert_string_equal(city.name, "YYZ");
	assert_int_equal(city.posts, 1);
	must(ask(weir_driver_app(d), "nowhere", &city, &err));
	assert_int_equal(city.posts, 0);
	assert_numbers(d, "city-totals", "YUL=1@1", "YUL=2@2", "YYZ=1@3");
	must(weir_driver_restart(d, true, &err));
	must(ask(weir_driver_app(d), "YUL", &city, &err));
	assert_int_equal(city.posts, 2);
	weir_driver_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_city_is_told_with_its_name_and_its_posts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
