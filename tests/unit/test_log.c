#include <weir/log.h>

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "framework/base/log_prefix.h"

static struct {
	int lines;
	weir_log_level level;
	char area[32];
	char line[2048];
} seen;

static void keep(weir_log_level level, const char *area, const char *line, void *user)
{
	assert_ptr_equal(user, &seen);
	seen.lines++;
	seen.level = level;
	snprintf(seen.area, sizeof seen.area, "%s", area);
	snprintf(seen.line, sizeof seen.line, "%s", line);
}

static int listen(void **state)
{
	(void)state;
	memset(&seen, 0, sizeof seen);
	weir_log_set(keep, &seen, WEIR_LOG_DEBUG);
	weir__log_prefix(NULL);
	return 0;
}

static int be_silent(void **state)
{
	(void)state;
	weir_log_set(NULL, NULL, WEIR_LOG_DEBUG);
	weir__log_prefix(NULL);
	return 0;
}

static void a_line_reaches_the_callback_with_level_and_area(void **state)
{
	(void)state;
	weir_log(WEIR_LOG_WARN, "restore", "store is behind store=%s lag=%d", "counts", 7);
	assert_int_equal(seen.lines, 1);
	assert_int_equal(seen.level, WEIR_LOG_WARN);
	assert_string_equal(seen.area, "restore");
	assert_string_equal(seen.line, "store is behind store=counts lag=7");
}

static void without_a_callback_nothing_happens(void **state)
{
	(void)state;
	weir_log_set(NULL, NULL, WEIR_LOG_DEBUG);
	weir_log(WEIR_LOG_ERROR, "x", "y");
	assert_int_equal(seen.lines, 0);
}

static void lines_below_the_least_level_are_dropped(void **state)
{
	(void)state;
	weir_log_set(keep, &seen, WEIR_LOG_WARN);
	weir_log(WEIR_LOG_INFO, "x", "no");
	assert_int_equal(seen.lines, 0);
	weir_log(WEIR_LOG_WARN, "x", "yes");
	assert_int_equal(seen.lines, 1);
}

static void *log_elsewhere(void *unused)
{
	weir_log(WEIR_LOG_INFO, "x", "from another thread");
	return unused;
}

static void the_prefix_is_the_threads_own(void **state)
{
	pthread_t thread;

	(void)state;
	weir__log_prefix("worker=%d task=%s", 0, "0_3");
	weir_log(WEIR_LOG_INFO, "task", "opened");
	assert_string_equal(seen.line, "opened worker=0 task=0_3");
	pthread_create(&thread, NULL, log_elsewhere, NULL);
	pthread_join(thread, NULL);
	assert_string_equal(seen.line, "from another thread");
	weir__log_prefix(NULL);
	weir_log(WEIR_LOG_INFO, "task", "closed");
	assert_string_equal(seen.line, "closed");
}

static void a_long_line_is_cut_visibly_and_keeps_its_prefix(void **state)
{
	char text[3000];

	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = 0;
	weir__log_prefix("worker=1");
	weir_log(WEIR_LOG_INFO, "x", "%s", text);
	assert_int_equal(strlen(seen.line), 1023);
	assert_string_equal(seen.line + 1023 - 13, "x... worker=1");
}

static void control_characters_cannot_forge_a_line(void **state)
{
	(void)state;
	weir_log(WEIR_LOG_INFO, "x", "value=%s", "a\n2026 ERROR forged\x1b[31m");
	assert_string_equal(seen.line, "value=a 2026 ERROR forged [31m");
}

static void a_limited_line_says_how_many_were_held_back(void **state)
{
	weir_log_limit limit = { 0 };

	(void)state;
	for (int i = 0; i < 100; i++)
		weir_log_limited(&limit, 3600000, WEIR_LOG_WARN, "x", "late n=%d", i);
	assert_int_equal(seen.lines, 1);
	assert_string_equal(seen.line, "late n=0");
	limit.next_ms = 0; /* an hour later */
	weir_log_limited(&limit, 3600000, WEIR_LOG_WARN, "x", "late n=%d", 100);
	assert_int_equal(seen.lines, 2);
	assert_string_equal(seen.line, "late n=100 held_back=99");
}

static void levels_are_read_by_name(void **state)
{
	weir_log_level level = WEIR_LOG_DEBUG;

	(void)state;
	assert_true(weir_log_level_parse("error", &level));
	assert_int_equal(level, WEIR_LOG_ERROR);
	assert_true(weir_log_level_parse("debug", &level));
	assert_int_equal(level, WEIR_LOG_DEBUG);
	assert_false(weir_log_level_parse("loud", &level));
	assert_false(weir_log_level_parse(NULL, &level));
	assert_int_equal(level, WEIR_LOG_DEBUG);
}

static void the_ready_callback_writes_a_dated_line_to_standard_error(void **state)
{
	char text[200] = "";
	int ends[2], year, ms, saved = dup(STDERR_FILENO);

	(void)state;
	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	weir_log_stderr(WEIR_LOG_WARN, "restore", "done n=1", NULL);
	dup2(saved, STDERR_FILENO);
	close(ends[1]);
	assert_true(read(ends[0], text, sizeof text - 1) > 0);
	close(ends[0]);
	close(saved);
	assert_int_equal(sscanf(text, "%d-%*d-%*dT%*d:%*d:%*d.%dZ", &year, &ms), 2);
	assert_true(year >= 2024 && ms < 1000);
	assert_string_equal(text + strlen("2026-11-24T19:11:05.123"), "Z WARN restore done n=1\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_line_reaches_the_callback_with_level_and_area, listen),
		cmocka_unit_test_setup(without_a_callback_nothing_happens, listen),
		cmocka_unit_test_setup(lines_below_the_least_level_are_dropped, listen),
		cmocka_unit_test_setup(the_prefix_is_the_threads_own, listen),
		cmocka_unit_test_setup(a_long_line_is_cut_visibly_and_keeps_its_prefix, listen),
		cmocka_unit_test_setup(control_characters_cannot_forge_a_line, listen),
		cmocka_unit_test_setup(a_limited_line_says_how_many_were_held_back, listen),
		cmocka_unit_test(levels_are_read_by_name),
		cmocka_unit_test(the_ready_callback_writes_a_dated_line_to_standard_error),
	};

	return cmocka_run_group_tests(tests, listen, be_silent);
}
