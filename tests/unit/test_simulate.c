#include "apps/evilnet/simulate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define NOON 1663171200000 /* 2022-09-14T16:00:00Z, noon in Toronto */

static struct simulate *at_noon(uint64_t seed, double rate)
{
	return simulate_new((struct simulate_opts){ .seed = seed, .rate = rate, .start_ms = NOON });
}

static void the_same_seed_gives_the_same_posts(void **state)
{
	struct simulate *a = at_noon(7, 50), *b = at_noon(7, 50), *c = at_noon(8, 50);
	int different = 0;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		int64_t due_a, due_b, due_c;
		const struct post *p = simulate_next(a, &due_a), *q = simulate_next(b, &due_b),
				  *r = simulate_next(c, &due_c);

		assert_int_equal(due_a, due_b);
		assert_true(weir_bytes_equal(p->id, q->id) && weir_bytes_equal(p->author_id, q->author_id));
		assert_true(weir_bytes_equal(p->place, q->place));
		assert_int_equal(p->created_at_ms, q->created_at_ms);
		assert_int_equal(p->is_retweet, q->is_retweet);
		different += !weir_bytes_equal(p->author_id, r->author_id);
	}
	assert_true(different > 15000);
	simulate_free(a);
	simulate_free(b);
	simulate_free(c);
}

static void every_post_is_good_and_due_times_never_fall(void **state)
{
	struct simulate *s = at_noon(1, 1000);
	int64_t last = NOON;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		int64_t due;
		const struct post *p = simulate_next(s, &due);
		weir_error err;

		if (!post_check(p, &err))
			fail_msg("%s", err.message);
		assert_true(due >= last);
		last = due;
	}
	/* a thousand a second for a hundred seconds, give or take */
	assert_in_range(last - NOON, 98000, 102000);
	simulate_free(s);
}

static int compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, 20);
}

static void some_posts_are_repeated_late_out_of_order_or_from_the_future(void **state)
{
	enum { N = 200000 };
	struct simulate *s = at_noon(1, 100);
	char(*ids)[20] = calloc(N, 20);
	int late = 0, future = 0, backwards = 0, repeated = 0;
	int64_t last = 0;

	(void)state;
	for (int i = 0; i < N; i++) {
		int64_t due;
		const struct post *p = simulate_next(s, &due);

		assert_true(p->id.len < 20);
		memcpy(ids[i], p->id.data, p->id.len);
		late += due - p->created_at_ms >= 20 * 60000;
		future += p->created_at_ms - due > 60000;
		assert_true(p->created_at_ms - due < 3600000); /* Kafka takes it */
		backwards += p->created_at_ms < last;
		last = p->created_at_ms;
	}
	qsort(ids, N, 20, compare_ids);
	for (int i = 1; i < N; i++)
		repeated += memcmp(ids[i - 1], ids[i], 20) == 0;
	assert_in_range(late, N / 2000, N / 500);
	assert_in_range(future, 1, 40);
	assert_in_range(repeated, N / 1000, N / 100);
	assert_true(backwards > N / 10);
	free(ids);
	simulate_free(s);
}

struct city_count {
	int posts, retweets;
};

static struct city_count count_city(const char *city, int64_t start_ms, int *authors)
{
	enum { N = 60000, AUTHORS = 65536 };
	struct simulate *s = simulate_new((struct simulate_opts){ .seed = 3, .rate = 100, .start_ms = start_ms });
	struct city_count count = { 0 };
	char *seen = calloc(1, AUTHORS);

	for (int i = 0; i < N; i++) {
		int64_t due;
		const struct post *p = simulate_next(s, &due);
		uint32_t hash = 2166136261;

		if (!weir_bytes_equal(p->place, weir_str(city)))
			continue;
		count.posts++;
		count.retweets += p->is_retweet;
		for (size_t j = 0; j < p->author_id.len; j++)
			hash = (hash ^ ((const unsigned char *)p->author_id.data)[j]) * 16777619;
		seen[hash % AUTHORS] = 1;
	}
	for (int i = 0; authors && i < AUTHORS; i++)
		*authors += seen[i];
	free(seen);
	simulate_free(s);
	return count;
}

static void big_cities_write_more_and_authors_come_back(void **state)
{
	int authors = 0;
	struct city_count toronto = count_city("Toronto, Ontario", NOON, &authors);
	struct city_count guelph = count_city("Guelph, Ontario", NOON, NULL);
	struct city_count iqaluit = count_city("Iqaluit, Nunavut", NOON, NULL);

	(void)state;
	assert_true(toronto.posts > 10 * guelph.posts);
	assert_true(guelph.posts > 5 * iqaluit.posts);
	assert_in_range(authors, toronto.posts / 20, toronto.posts * 3 / 4);
	assert_in_range(toronto.retweets, toronto.posts / 50, toronto.posts * 9 / 10);
}

static void a_city_sleeps_while_another_is_awake(void **state)
{
	/* 05:00Z: one at night in Halifax, nine in the evening in Vancouver; 13:00Z: nine and five, mornings */
	const int64_t five = 1663131600000, one = five + 8 * 3600000;
	struct city_count east[2] = { count_city("Halifax, Nova Scotia", five, NULL),
				      count_city("Halifax, Nova Scotia", one, NULL) };
	struct city_count west[2] = { count_city("Vancouver, British Columbia", five, NULL),
				      count_city("Vancouver, British Columbia", one, NULL) };

	(void)state;
	assert_true(west[0].posts * east[1].posts > 4 * west[1].posts * east[0].posts);
}

static void a_stream_may_begin_in_the_past_and_catch_up(void **state)
{
	const int64_t backfill_ms = 60 * 60000;
	struct simulate *s =
		simulate_new((struct simulate_opts){ .seed = 1, .rate = 50, .start_ms = NOON - backfill_ms });
	int64_t due = 0, n = 0;

	(void)state;
	while (simulate_next(s, &due), due < NOON)
		n++;
	assert_in_range(n, 50 * 3600 - 3000, 50 * 3600 + 3000);
	simulate_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_seed_gives_the_same_posts),
		cmocka_unit_test(every_post_is_good_and_due_times_never_fall),
		cmocka_unit_test(some_posts_are_repeated_late_out_of_order_or_from_the_future),
		cmocka_unit_test(big_cities_write_more_and_authors_come_back),
		cmocka_unit_test(a_city_sleeps_while_another_is_awake),
		cmocka_unit_test(a_stream_may_begin_in_the_past_and_catch_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
