/* The small values: bytes, clocks, allocation. */
#include <weir/bytes.h>
#include <weir/clock.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "framework/base/alloc.h"

static void null_is_not_empty(void **state)
{
	(void)state;
	assert_true(weir_is_null(WEIR_NULL));
	assert_true(weir_is_null(weir_str(NULL)));
	assert_false(weir_is_null(weir_str("")));
	assert_int_equal(weir_bytes_of(NULL, 5).len, 0);
	assert_false(weir_bytes_equal(WEIR_NULL, weir_str("")));
	assert_true(weir_bytes_equal(WEIR_NULL, WEIR_NULL));
	assert_int_equal(weir_bytes_compare(WEIR_NULL, weir_str("")), 0);
}

static void bytes_are_equal_by_content(void **state)
{
	char other[] = "abc";

	(void)state;
	assert_true(weir_bytes_equal(weir_str("abc"), weir_str(other)));
	assert_false(weir_bytes_equal(weir_str("abc"), weir_str("abd")));
	assert_false(weir_bytes_equal(weir_str("abc"), weir_str("ab")));
	assert_true(weir_bytes_equal(weir_str(""), weir_bytes_of("x", 0)));
}

static void order_is_by_unsigned_byte_and_a_prefix_comes_first(void **state)
{
	static const weir_bytes sorted[] = {
		{ "", 0 },  { "\0", 1 },   { "\0\0", 2 }, { "a", 1 },    { "a\0", 2 },      { "ab", 2 },
		{ "b", 1 }, { "\x7f", 1 }, { "\x80", 1 }, { "\xff", 1 }, { "\xff\xff", 2 },
	};
	const int n = sizeof sorted / sizeof *sorted;

	(void)state;
	for (int i = 0; i < n; i++) {
		for (int j = 0; j < n; j++) {
			int c = weir_bytes_compare(sorted[i], sorted[j]);

			assert_int_equal((c > 0) - (c < 0), (i > j) - (i < j));
		}
	}
}

static void big_endian_numbers_come_back_and_lie_as_java_writes_them(void **state)
{
	static const int64_t longs[] = { 0, 1, -1, 255, 256, INT64_MAX, INT64_MIN, 1732475465123 };
	static const int32_t ints[] = { 0, 1, -1, 255, 256, INT32_MAX, INT32_MIN };
	unsigned char buf[8];

	(void)state;
	for (size_t i = 0; i < sizeof longs / sizeof *longs; i++) {
		weir_put_be64(buf, longs[i]);
		assert_true(weir_get_be64(buf) == longs[i]);
	}
	for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) {
		weir_put_be32(buf, ints[i]);
		assert_int_equal(weir_get_be32(buf), ints[i]);
	}
	weir_put_be64(buf, 0x0102030405060708);
	assert_memory_equal(buf, "\1\2\3\4\5\6\7\10", 8);
	weir_put_be32(buf, -2);
	assert_memory_equal(buf, "\xff\xff\xff\xfe", 4);
}

static void a_manual_clock_stands_until_it_is_moved(void **state)
{
	weir_manual_clock manual;
	weir_clock *clock = &manual.clock;

	(void)state;
	weir_manual_clock_init(&manual, 1000);
	assert_false(clock->runs);
	assert_int_equal(clock->wall_ms(clock), 1000);
	assert_int_equal(clock->monotonic_us(clock), 1000000);
	manual.now_ms += 5;
	assert_int_equal(clock->wall_ms(clock), 1005);
	assert_int_equal(clock->monotonic_us(clock), 1005000);
}

static void the_systems_clock_runs_forward(void **state)
{
	weir_clock *clock = weir_clock_system();

	(void)state;
	assert_true(clock->runs);
	assert_true(clock->wall_ms(clock) > INT64_C(1700000000000));
	int64_t before = clock->monotonic_us(clock);
	for (int i = 0; i < 1000; i++) {
		int64_t now = clock->monotonic_us(clock);

		assert_true(now >= before);
		before = now;
	}
}

static void time_arithmetic_stops_at_the_ends_of_the_range(void **state)
{
	(void)state;
	assert_true(weir_time_add(1, 2) == 3);
	assert_true(weir_time_add(INT64_MAX, 1) == INT64_MAX);
	assert_true(weir_time_add(INT64_MIN, -1) == INT64_MIN);
	assert_true(weir_time_add(INT64_MAX, INT64_MIN) == -1);
	assert_true(weir_time_sub(5, 7) == -2);
	assert_true(weir_time_sub(INT64_MIN, 1) == INT64_MIN);
	assert_true(weir_time_sub(INT64_MAX, -1) == INT64_MAX);
	assert_true(weir_time_sub(0, INT64_MIN) == INT64_MAX);
	assert_true(WEIR_DAYS(30) == INT64_C(2592000000));
}

static void allocated_copies_are_the_callers(void **state)
{
	char *s = weir__strdup("abc"), *f = weir__asprintf("%s/%d", "x", 300);
	void *m = weir__memdup("a\0b", 3), *nothing = weir__malloc(0);
	char *zeros = weir__calloc(4, 25);

	(void)state;
	assert_string_equal(s, "abc");
	assert_string_equal(f, "x/300");
	assert_memory_equal(m, "a\0b", 3);
	assert_non_null(nothing);
	for (int i = 0; i < 100; i++)
		assert_int_equal(zeros[i], 0);
	zeros = weir__realloc(zeros, 1000);
	assert_int_equal(zeros[99], 0);
	assert_null(weir__strdup(NULL));
	assert_null(weir__memdup(NULL, 0));
	free(s), free(f), free(m), free(nothing), free(zeros);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(null_is_not_empty),
		cmocka_unit_test(bytes_are_equal_by_content),
		cmocka_unit_test(order_is_by_unsigned_byte_and_a_prefix_comes_first),
		cmocka_unit_test(big_endian_numbers_come_back_and_lie_as_java_writes_them),
		cmocka_unit_test(a_manual_clock_stands_until_it_is_moved),
		cmocka_unit_test(the_systems_clock_runs_forward),
		cmocka_unit_test(time_arithmetic_stops_at_the_ends_of_the_range),
		cmocka_unit_test(allocated_copies_are_the_callers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
