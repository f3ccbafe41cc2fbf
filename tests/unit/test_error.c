#include <weir/error.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "framework/base/alloc.h"

static void a_failure_fills_in_code_and_message_and_clears_the_flags(void **state)
{
	weir_error err = { .fatal = true, .retriable = true, .abort_txn = true };

	(void)state;
	assert_false(weir_fail(&err, WEIR_STORE, "open %s: %d", "/x", 5));
	assert_int_equal(err.code, WEIR_STORE);
	assert_string_equal(err.message, "open /x: 5");
	assert_false(err.fatal || err.retriable || err.abort_txn);
}

static void without_a_place_for_it_an_error_is_just_false(void **state)
{
	(void)state;
	assert_false(weir_fail(NULL, WEIR_STORE, "x"));
	assert_false(weir_wrap(NULL, "x"));
}

static void wrapping_puts_context_in_front_and_keeps_code_and_flags(void **state)
{
	weir_error err;

	(void)state;
	weir_fail(&err, WEIR_KAFKA, "timed out");
	err.retriable = true;
	assert_false(weir_wrap(&err, "task %s", "0_3"));
	assert_false(weir_wrap(&err, "worker %d", 1));
	assert_string_equal(err.message, "worker 1: task 0_3: timed out");
	assert_int_equal(err.code, WEIR_KAFKA);
	assert_true(err.retriable);
}

static void long_messages_are_cut_and_end(void **state)
{
	weir_error err;
	char text[1000];

	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = 0;
	weir_fail(&err, WEIR_IO, "%s", text);
	assert_int_equal(strlen(err.message), sizeof err.message - 1);
	weir_wrap(&err, "y");
	assert_int_equal(strlen(err.message), sizeof err.message - 1);
	assert_memory_equal(err.message, "y: xxx", 6);
	weir_wrap(&err, "%s", text);
	assert_int_equal(strlen(err.message), sizeof err.message - 1);
}

static void every_code_has_a_name(void **state)
{
	(void)state;
	assert_string_equal(weir_code_name(WEIR_OK), "OK");
	assert_string_equal(weir_code_name(WEIR_FENCED), "FENCED");
	assert_string_equal(weir_code_name(WEIR_USER), "USER");
	assert_string_equal(weir_code_name((weir_code)1000), "?");
	assert_string_equal(weir_code_name((weir_code)-1), "?");
}

/* What the sanitizers do by default is to end the process before weir sees the failure. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void)
{
	return "allocator_may_return_null=1";
}

/* Runs fn in a child; returns its wait status and what it wrote to standard error. */
static int in_child(void (*fn)(void), char *said, size_t size)
{
	int ends[2], status;
	size_t at = 0;
	ssize_t n;

	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();
	if (child == 0) {
		signal(SIGABRT, SIG_DFL);
		dup2(ends[1], STDERR_FILENO);
		fn();
		_exit(0);
	}
	close(ends[1]);
	while ((n = read(ends[0], said + at, size - 1 - at)) > 0)
		at += (size_t)n;
	said[at] = 0;
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void break_an_invariant(void)
{
	weir_assert(1 + 1 == 3);
}

static void a_broken_invariant_ends_the_process_and_says_where(void **state)
{
	char said[4096];
	int status = in_child(break_an_invariant, said, sizeof said);

	(void)state;
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_non_null(strstr(said, "test_error.c:"));
	assert_non_null(strstr(said, "broken invariant: 1 + 1 == 3"));
}

static volatile size_t far_too_much = SIZE_MAX / 2;

static void want_too_much(void)
{
	(void)weir__malloc(far_too_much);
}

static void grow_too_much(void)
{
	(void)weir__realloc(NULL, far_too_much);
}

static void overflow_a_count(void)
{
	(void)weir__calloc(far_too_much, 16);
}

static void out_of_memory_ends_the_process_with_a_message(void **state)
{
	void (*const ways[])(void) = { want_too_much, grow_too_much, overflow_a_count };

	(void)state;
	for (int i = 0; i < 3; i++) {
		char said[4096];
		int status = in_child(ways[i], said, sizeof said);

		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
		assert_non_null(strstr(said, "weir: out of memory ("));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failure_fills_in_code_and_message_and_clears_the_flags),
		cmocka_unit_test(without_a_place_for_it_an_error_is_just_false),
		cmocka_unit_test(wrapping_puts_context_in_front_and_keeps_code_and_flags),
		cmocka_unit_test(long_messages_are_cut_and_end),
		cmocka_unit_test(every_code_has_a_name),
		cmocka_unit_test(a_broken_invariant_ends_the_process_and_says_where),
		cmocka_unit_test(out_of_memory_ends_the_process_with_a_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
