#include "apps/examples/7-top-words/topology.h"
#include "tests/topology/topology_test.h"

static void the_words_said_most_come_first(void **state)
{
	weir_driver *d = driver(top_words(), (weir_driver_opts){ .partitions = 3, .commit_each_record = true });

	(void)state;
	weir_driver_pipe(d, "lines", NULL, "be", 1);
	weir_driver_pipe(d, "lines", NULL, "to", 2);
	weir_driver_pipe(d, "lines", NULL, "or", 3);
	weir_driver_pipe(d, "lines", NULL, "to", 4);
	weir_driver_pipe(d, "lines", NULL, "or", 5);
	weir_driver_pipe(d, "lines", NULL, "or", 6);
	assert_text(d, "top-words", "top=be 1\n@1", "top=to 1\nbe 1\n@2", "top=or 1\nto 1\nbe 1\n@3",
		    "top=to 2\nor 1\nbe 1\n@4", "top=or 2\nto 2\nbe 1\n@5", "top=or 3\nto 2\nbe 1\n@6");
	weir_driver_free(d);
}

/* The newest result. */
static const char *last(weir_driver *d)
{
	static char text[8000];
	weir_driver_record r;

	text[0] = 0;
	while (weir_driver_read(d, "top-words", &r))
		snprintf(text, sizeof text, "%.*s", (int)r.value.len, (const char *)r.value.data);
	return text;
}

static void what_is_at_the_bottom_falls_out_and_may_come_back(void **state)
{
	weir_driver *d = driver(top_words(), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "lines", NULL, "a b c d e f g h i j; a b c d e f g h i j", 1);
	weir_driver_pipe(d, "lines", NULL, "k", 2);
	assert_null(strstr(last(d), "k 1"));
	weir_driver_pipe(d, "lines", NULL, "k k", 3);
	assert_memory_equal(last(d), "k 3\n", 4);
	weir_driver_pipe(d, "lines", NULL, "a b c d e f g h i j", 4);
	weir_driver_pipe(d, "lines", NULL, "a b c d e f g h i j", 5);
	assert_null(strstr(last(d), "k"));
	weir_driver_pipe(d, "lines", NULL, "k k", 6);
	assert_memory_equal(last(d), "k 5\n", 4);
	weir_driver_free(d);
}

static void a_word_of_any_length_is_ranked(void **state)
{
	weir_driver *d = driver(top_words(), (weir_driver_opts){ 0 });
	char word[5001];

	(void)state;
	memset(word, 'x', sizeof word - 1);
	word[sizeof word - 1] = 0;
	weir_driver_pipe(d, "lines", NULL, word, 1);
	weir_driver_pipe(d, "lines", NULL, word, 2);
	weir_driver_pipe(d, "lines", NULL, "", 3);
	assert_string_equal(last(d) + sizeof word - 1, " 2\n");
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_words_said_most_come_first),
		cmocka_unit_test(what_is_at_the_bottom_falls_out_and_may_come_back),
		cmocka_unit_test(a_word_of_any_length_is_ranked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
