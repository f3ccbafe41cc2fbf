#include "apps/examples/2-word-count/topology.h"
#include "tests/topology/topology_test.h"

static void words_are_counted_whatever_line_they_stand_in(void **state)
{
	weir_driver *d = driver(word_counts(), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "lines", NULL, "To be, or not to be.", 1);
	assert_numbers(d, "word-counts", "to=2@1", "be=2@1", "or=1@1", "not=1@1");
	weir_driver_pipe(d, "lines", "hamlet", "  \xc3\x80 propos: NOT", 2);
	assert_numbers(d, "word-counts", "\xc3\x80=1@2", "propos=1@2", "not=2@2");
	weir_driver_pipe(d, "lines", NULL, "...", 3);
	weir_driver_pipe(d, "lines", NULL, "", 4);
	weir_driver_pipe(d, "lines", NULL, NULL, 5);
	assert_nothing(d, "word-counts");
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

static void a_word_has_one_count_in_all_partitions(void **state)
{
	weir_driver *d = driver(word_counts(), (weir_driver_opts){ .partitions = 4 });
	const char *last = NULL;
	char *kept = NULL;

	(void)state;
	for (int i = 0; i < 8; i++)
		weir_driver_pipe_record(d, "lines", i % 4, WEIR_NULL, weir_str("weir"), 1, NULL);
	while ((last = weir_driver_read_text(d, "word-counts", false, true)) != NULL) {
		free(kept);
		kept = strdup(last);
	}
	assert_string_equal(kept, "weir=8@1");
	free(kept);
	weir_driver_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_counted_whatever_line_they_stand_in),
		cmocka_unit_test(a_word_has_one_count_in_all_partitions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
