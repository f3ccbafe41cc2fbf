#include "apps/examples/3-page-views/topology.h"
#include "tests/topology/topology_test.h"

static void pages_are_counted_and_failures_go_their_own_way(void **state)
{
	weir_driver *d = driver(page_views(), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "requests", "visitor-1", "/home 200 35", 1000);
	weir_driver_pipe(d, "requests", "visitor-2", "/home?from=mail 200 80", 2000);
	weir_driver_pipe(d, "requests", "visitor-2", "/logo.png 200 3", 3000);
	weir_driver_pipe(d, "requests", "visitor-2", "/home 404 3", 3000);
	weir_driver_pipe(d, "requests", "visitor-3", "/buy 503 9000", 4000);
	weir_driver_pipe(d, "requests", "visitor-1", "/home 200 50", 61000);
	assert_windowed_numbers(d, "page-views", "/home[0]=1@1000", "/home[0]=2@2000", "/home[60000]=1@61000");
	assert_windows(d, "slowest-requests", "/home[0]=/home 200 35@1000", "/home[0]=/home 200 80@2000",
		       "/home[60000]=/home 200 50@61000");
	assert_text(d, "failed-requests", "visitor-3=/buy 503 9000@4000");
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

static void a_line_of_another_format_is_a_dead_letter(void **state)
{
	weir_driver *d = driver(page_views(), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "requests", "visitor-1", "GET /home", 1000);
	weir_driver_pipe(d, "requests", "visitor-1", NULL, 1000);
	assert_dead_letter(d, "GET /home", "unreadable: \"path status milliseconds\" wanted, not \"GET /home\"");
	assert_nothing(d, "page-views");
	weir_driver_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_are_counted_and_failures_go_their_own_way),
		cmocka_unit_test(a_line_of_another_format_is_a_dead_letter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
