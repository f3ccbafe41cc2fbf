#include <weir/hll.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <weir/rng.h>

#define SIGMA 0.008125 /* 1.04 / sqrt(16384) */

static weir_hll *sketch(void)
{
	return calloc(1, sizeof(weir_hll));
}

static void an_empty_sketch_counts_nothing(void **state)
{
	weir_hll *h = sketch();

	(void)state;
	assert_int_equal(weir_hll_estimate(h), 0);
	assert_true(h->dirty == 0);
	free(h);
}

static void the_same_thing_counts_once(void **state)
{
	weir_hll *h = sketch();

	(void)state;
	assert_true(weir_hll_add(h, weir_hll_hash(weir_str("ann"))));
	for (int i = 0; i < 100; i++)
		assert_false(weir_hll_add(h, weir_hll_hash(weir_str("ann"))));
	assert_int_equal(weir_hll_estimate(h), 1);
	assert_true(weir_hll_add(h, weir_hll_hash(weir_str("bob"))));
	assert_int_equal(weir_hll_estimate(h), 2);
	free(h);
}

/* Ends of the range of hashes: the greatest rank has no bit behind the index. */
static void every_hash_has_a_register_and_a_rank(void **state)
{
	weir_hll *h = sketch();

	(void)state;
	weir_hll_add(h, 0);
	assert_int_equal(h->registers[0], WEIR_HLL_RANK_MAX);
	weir_hll_add(h, UINT64_MAX);
	assert_int_equal(h->registers[WEIR_HLL_REGISTERS - 1], 1);
	weir_hll_add(h, UINT64_C(1) << 50 | 1);
	assert_int_equal(h->registers[1], 50);
	assert_true(h->dirty == (1 | UINT64_C(1) << 63));
	memset(h->registers, WEIR_HLL_RANK_MAX, sizeof h->registers);
	assert_true(weir_hll_estimate(h) == UINT64_MAX);
	free(h);
}

/* One run in 370 may lie beyond 3 sigma; of what is tried here, at most one in 50 may, none beyond 5, and the mean
 * must lie as near as 20 runs can bring it. Seeded, so it either always holds or never. */
static void estimates_are_within_their_error_and_without_bias(void **state)
{
	static const int stops[] = { 1,     2,     3,      5,      10,     20,     50,     100,    200,
				     500,   1000,  2000,   5000,   10000,  20000,  30000,  40000,  50000,
				     60000, 80000, 100000, 150000, 200000, 300000, 500000, 700000, 1000000 };
	enum { STOPS = sizeof stops / sizeof *stops, RUNS = 20 };
	double sums[STOPS] = { 0 };
	int outside = 0;
	weir_hll *h = sketch();

	(void)state;
	for (int run = 0; run < RUNS; run++) {
		uint64_t base = (uint64_t)run << 32;
		int n = 0;

		memset(h, 0, sizeof *h);
		for (int s = 0; s < STOPS; s++) {
			for (; n < stops[s]; n++) {
				uint64_t id = base + (uint64_t)n;

				weir_hll_add(h, weir_hll_hash((weir_bytes){ &id, sizeof id }));
			}
			/* A whole number cannot be nearer than half. */
			double error = ((double)weir_hll_estimate(h) - n) / n;
			assert_true(fabs(error) <= 5 * SIGMA + 0.5 / n);
			outside += fabs(error) > 3 * SIGMA + 0.5 / n;
			sums[s] += error;
		}
	}
	assert_true(outside <= STOPS * RUNS / 50);
	for (int s = 0; s < STOPS; s++)
		assert_true(fabs(sums[s] / RUNS) <= 3 * SIGMA / sqrt(RUNS) + 0.5 / stops[s]);
	free(h);
}

/* From empty to full, the ends included, where registers at 0 and at the greatest rank have corrections of their
 * own. */
static void a_register_that_rises_never_lowers_the_estimate(void **state)
{
	weir_rng r = weir_rng_seeded(8);
	weir_hll *h = sketch();
	uint64_t before = 0;

	(void)state;
	for (int rank = 1; rank <= WEIR_HLL_RANK_MAX; rank++) {
		for (int i = 0; i < WEIR_HLL_REGISTERS; i++) {
			h->registers[i] = (uint8_t)rank;
			if (i != WEIR_HLL_REGISTERS - 1 && weir_rng_below(&r, 1000))
				continue;
			uint64_t now = weir_hll_estimate(h);
			assert_true(now >= before);
			before = now;
		}
	}
	assert_true(before == UINT64_MAX);
	free(h);
}

static void a_merge_is_the_sketch_of_the_union_in_any_order(void **state)
{
	weir_rng r = weir_rng_seeded(5);
	weir_hll *a = sketch(), *b = sketch(), *ab = sketch(), *ba = sketch(), *both = sketch();

	(void)state;
	for (int i = 0; i < 30000; i++) {
		uint64_t x = weir_rng_next(&r);

		if (i % 3 != 0)
			weir_hll_add(a, x);
		if (i % 3 != 1)
			weir_hll_add(b, x);
		weir_hll_add(both, x);
	}
	weir_hll_merge(ab, a);
	weir_hll_merge(ab, b);
	weir_hll_merge(ba, b);
	weir_hll_merge(ba, a);
	weir_hll_merge(ba, a);
	assert_memory_equal(ab->registers, both->registers, sizeof both->registers);
	assert_memory_equal(ba->registers, both->registers, sizeof both->registers);
	free(a), free(b), free(ab), free(ba), free(both);
}

static void a_merge_dirties_exactly_the_chunks_that_change(void **state)
{
	weir_hll *a = sketch(), *b = sketch();

	(void)state;
	weir_hll_add(a, UINT64_C(3) << 58 | 1);
	weir_hll_add(b, UINT64_C(3) << 58 | 1); /* the same: chunk 3 stays */
	weir_hll_add(b, UINT64_C(7) << 58);
	a->dirty = 0;
	weir_hll_merge(a, b);
	assert_true(a->dirty == UINT64_C(1) << 7);
	free(a), free(b);
}

static void copy_by_chunks(weir_hll *to, const weir_hll *from, uint64_t which, size_t *bytes)
{
	uint8_t buf[WEIR_HLL_CHUNK_BYTES_MAX];

	for (unsigned i = 0; i < WEIR_HLL_CHUNKS; i++) {
		if (!(which >> i & 1))
			continue;
		size_t n = weir_hll_chunk_encode(from, i, buf);
		assert_in_range(n, 1, sizeof buf);
		assert_true(weir_hll_chunk_decode(to, i, (weir_bytes){ buf, n }, NULL));
		*bytes += n;
	}
}

static void chunks_come_back_as_they_were_for_sketches_of_any_size(void **state)
{
	weir_rng r = weir_rng_seeded(6);
	weir_hll *h = sketch(), *copy = sketch();
	size_t bytes = 0;

	(void)state;
	for (int n = 0, stop = 1; stop <= 1000000; stop *= 10) {
		for (; n < stop; n++)
			weir_hll_add(h, weir_rng_next(&r));
		bytes = 0;
		memset(copy->registers, 0x2a, sizeof copy->registers); /* what was there before is replaced */
		copy_by_chunks(copy, h, UINT64_MAX, &bytes);
		assert_memory_equal(copy->registers, h->registers, sizeof h->registers);
		if (stop == 10)
			assert_int_equal(bytes, 64 + 2 * 10);
	}
	assert_int_equal(bytes, 64 * WEIR_HLL_CHUNK_BYTES_MAX);
	assert_true(copy->dirty == 0);
	free(h), free(copy);
}

static void storing_the_dirty_chunks_alone_is_enough(void **state)
{
	weir_rng r = weir_rng_seeded(7);
	weir_hll *h = sketch(), *stored = sketch();
	size_t bytes = 0;

	(void)state;
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 40; i++)
			weir_hll_add(h, weir_rng_next(&r));
		copy_by_chunks(stored, h, h->dirty, &bytes);
		h->dirty = 0;
		assert_memory_equal(stored->registers, h->registers, sizeof h->registers);
	}
	free(h), free(stored);
}

static void bytes_that_are_no_chunk_are_refused_and_change_nothing(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
		{ "", 0 },           { "\2", 1 }, /* no such form */
		{ "\0\1", 2 },                    /* half a pair */
		{ "\0\1\0", 3 },                  /* rank 0 */
		{ "\0\1\64", 3 },                 /* rank 52 */
		{ "\0\1\1\1\1", 5 },              /* the same position twice */
		{ "\0\2\1\1\1", 5 },              /* out of order */
		{ "\1\1\1\1", 4 },                /* packed, too short */
	};
	uint8_t packed[1 + 192];
	weir_hll *h = sketch(), *before = sketch();
	weir_error err = { 0 };

	(void)state;
	weir_hll_add(h, 12345);
	*before = *h;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_false(weir_hll_chunk_decode(h, 0, (weir_bytes){ bad[i].bytes, bad[i].len }, &err));
		assert_int_equal(err.code, WEIR_DECODE);
	}
	memset(packed, 0xff, sizeof packed); /* rank 63 */
	packed[0] = 1;
	assert_false(weir_hll_chunk_decode(h, 0, (weir_bytes){ packed, sizeof packed }, &err));
	assert_false(weir_hll_chunk_decode(h, 0, WEIR_NULL, NULL));
	assert_memory_equal(h, before, sizeof *h);
	free(h), free(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_sketch_counts_nothing),
		cmocka_unit_test(the_same_thing_counts_once),
		cmocka_unit_test(every_hash_has_a_register_and_a_rank),
		cmocka_unit_test(estimates_are_within_their_error_and_without_bias),
		cmocka_unit_test(a_register_that_rises_never_lowers_the_estimate),
		cmocka_unit_test(a_merge_is_the_sketch_of_the_union_in_any_order),
		cmocka_unit_test(a_merge_dirties_exactly_the_chunks_that_change),
		cmocka_unit_test(chunks_come_back_as_they_were_for_sketches_of_any_size),
		cmocka_unit_test(storing_the_dirty_chunks_alone_is_enough),
		cmocka_unit_test(bytes_that_are_no_chunk_are_refused_and_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
