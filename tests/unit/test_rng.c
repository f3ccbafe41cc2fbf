#include <weir/rng.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

/* Values of the authors' own C code. */
static void sequences_are_the_published_ones(void **state)
{
	uint64_t split = 0;
	weir_rng r = { { 1, 2, 3, 4 } };

	(void)state;
	assert_true(weir_splitmix64(&split) == 0xe220a8397b1dcdaf);
	assert_true(weir_splitmix64(&split) == 0x6e789e6aa1b965f4);
	assert_true(weir_splitmix64(&split) == 0x06c45d188009454f);
	assert_true(weir_rng_next(&r) == 11520);
	assert_true(weir_rng_next(&r) == 0);
	assert_true(weir_rng_next(&r) == 1509978240);
	assert_true(weir_rng_next(&r) == 1215971899390074240);
}

static void one_seed_gives_one_sequence(void **state)
{
	weir_rng a = weir_rng_seeded(7), b = weir_rng_seeded(7), c = weir_rng_seeded(8);
	int same = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		uint64_t x = weir_rng_next(&a);

		assert_true(x == weir_rng_next(&b));
		same += x == weir_rng_next(&c);
	}
	assert_int_equal(same, 0);
}

static void a_fork_draws_without_moving_its_parent(void **state)
{
	weir_rng a = weir_rng_seeded(7), b = weir_rng_seeded(7);
	weir_rng fork_a = weir_rng_fork(&a), fork_b = weir_rng_fork(&b);

	(void)state;
	for (int i = 0; i < 10; i++)
		weir_rng_next(&fork_a);
	assert_true(weir_rng_next(&a) == weir_rng_next(&b));
	assert_true(weir_rng_next(&fork_a) != weir_rng_next(&fork_b));
}

static void below_is_even_over_its_range(void **state)
{
	weir_rng r = weir_rng_seeded(1);
	int seen[7] = { 0 };
	double chi2 = 0;

	(void)state;
	for (int i = 0; i < 70000; i++)
		seen[weir_rng_below(&r, 7)]++;
	for (int i = 0; i < 7; i++)
		chi2 += (seen[i] - 10000.0) * (seen[i] - 10000.0) / 10000.0;
	assert_true(chi2 < 22.5); /* 6 degrees of freedom, p = 0.001 */
	assert_int_equal(weir_rng_below(&r, 1), 0);
}

/* With a plain remainder the lowest quarter of 2^64 would be hit twice as often. */
static void below_is_even_for_huge_ranges_too(void **state)
{
	weir_rng r = weir_rng_seeded(2);
	uint64_t n = 3ull << 62;
	int low = 0;

	(void)state;
	for (int i = 0; i < 20000; i++)
		low += weir_rng_below(&r, n) < n / 2;
	assert_true(abs(low - 10000) < 300); /* 4 sigma; a plain remainder gives 12500 */
}

static void between_includes_both_ends(void **state)
{
	weir_rng r = weir_rng_seeded(3);
	int low = 0, high = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		int64_t x = weir_rng_between(&r, -2, 2);

		assert_in_range(x + 2, 0, 4);
		low += x == -2;
		high += x == 2;
	}
	assert_true(low > 100 && high > 100);
	assert_int_equal(weir_rng_between(&r, 5, 5), 5);
	weir_rng_between(&r, INT64_MIN, INT64_MAX); /* the whole range: no overflow, no division by 0 */
}

static void chances_come_out_as_asked(void **state)
{
	weir_rng r = weir_rng_seeded(4);
	int hits = 0;
	double sum = 0;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		double x = weir_rng_double(&r);

		assert_true(x >= 0 && x < 1);
		sum += x;
		hits += weir_rng_chance(&r, 0.1);
	}
	assert_true(fabs(sum / 100000 - 0.5) < 0.005);
	assert_true(abs(hits - 10000) < 400);
	assert_false(weir_rng_chance(&r, 0));
	assert_true(weir_rng_chance(&r, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sequences_are_the_published_ones),
		cmocka_unit_test(one_seed_gives_one_sequence),
		cmocka_unit_test(a_fork_draws_without_moving_its_parent),
		cmocka_unit_test(below_is_even_over_its_range),
		cmocka_unit_test(below_is_even_for_huge_ranges_too),
		cmocka_unit_test(between_includes_both_ends),
		cmocka_unit_test(chances_come_out_as_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
