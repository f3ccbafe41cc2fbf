/* Queues of rows that wait for their time: whatever their memory, what comes out is what a sorted store holds. */
#include <weir/rng.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "framework/operators/due.h"

enum { TIMES = 40, KEYS = 60, ROWS = TIMES * KEYS };

/* Row i of time i / KEYS and key i % KEYS: by number they are in order. */
static bool stored[ROWS];

static void add(struct due_queue *q, int row)
{
	char key[16];

	snprintf(key, sizeof key, "%04d", row % KEYS);
	weir__due_add(q, (struct due){ .time_ms = row / KEYS, .key = weir_str(key) });
}

static int row_of(const struct due *d)
{
	char key[16] = { 0 };

	assert_int_equal(d->key.len, 4);
	memcpy(key, d->key.data, 4);
	return (int)d->time_ms * KEYS + atoi(key);
}

static const struct due *first_due(struct due_queue *q, int until_ms)
{
	if (weir__due_wants_more(q, until_ms)) {
		int64_t from_ms = weir__due_read_begin(q);

		for (int row = (int)from_ms * KEYS; row < ROWS; row++)
			if (stored[row])
				add(q, row);
		weir__due_read_end(q);
	}
	const struct due *first = weir__due_first(q);

	return first && first->time_ms <= until_ms ? first : NULL;
}

/* All that is due comes, in order, once; `kept`: rows stay in the store, as closed windows do. */
static int take_due(struct due_queue *q, int next, int until_ms, bool kept)
{
	const struct due *first;

	while ((first = first_due(q, until_ms))) {
		int row = row_of(first);

		for (; next < row; next++)
			assert_false(stored[next]);
		assert_int_equal(row, next);
		assert_true(stored[row]);
		stored[row] = kept;
		next++;
		weir__due_drop(q);
	}
	for (; next < (until_ms + 1) * KEYS; next++)
		assert_false(stored[next]);
	return next;
}

static void come_and_go(weir_rng *r, size_t bytes_max, size_t queues, bool kept)
{
	struct due_budget budget = { .bytes_max = bytes_max, .queues = queues - 1 };
	size_t share = bytes_max / queues, least = 1200; /* of a few rows */
	struct due_queue q = { 0 };
	int next = 0;

	memset(stored, 0, sizeof stored);
	weir__due_init(&q, &budget);
	for (int now_ms = 0; now_ms < TIMES; now_ms++) {
		for (int i = 0; i < 150; i++) {
			int row = next + (int)weir_rng_below(r, (uint64_t)(ROWS - next));

			stored[row] = true;
			add(&q, row); /* some of them again */
			assert_int_equal(budget.bytes, q.bytes);
			assert_true(q.bytes <= (share > least ? share : least));
		}
		next = take_due(&q, next, now_ms, kept);
	}
	assert_int_equal(next, ROWS);
	assert_null(first_due(&q, TIMES));
	weir__due_release(&q);
	assert_int_equal(budget.bytes, 0);
	assert_int_equal(budget.queues, queues - 1);
}

static void rows_come_in_order_whatever_the_memory(void **state)
{
	static const size_t sizes[] = { 0, 5000, 20000, 1 << 20 };

	(void)state;
	for (uint64_t seed = 1; seed <= 25; seed++)
		for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
			weir_rng r = weir_rng_seeded(seed);

			come_and_go(&r, sizes[i], 1 + seed % 2, seed % 3 == 0);
		}
}

/* A queue that all ask for at the same moment, again and again, stays small without forgetting anything. */
static void copies_take_no_memory(void **state)
{
	struct due_budget budget = { .bytes_max = 2000 };
	struct due_queue q = { 0 };

	(void)state;
	weir__due_init(&q, &budget);
	for (int i = 0; i < 1000; i++)
		add(&q, i % 3);
	assert_false(q.has_horizon);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(row_of(weir__due_first(&q)), i);
		weir__due_drop(&q);
	}
	assert_null(weir__due_first(&q));
	weir__due_release(&q);
}

/* Queues come: nobody keeps what was its share while there were fewer, though it has nothing to do. */
static void idle_queues_give_up_what_others_have_a_right_to(void **state)
{
	enum { QUEUES = 5, BYTES_MAX = 100000 };
	struct due_budget budget = { .bytes_max = BYTES_MAX };
	struct due_queue queues[QUEUES] = { 0 };

	(void)state;
	memset(stored, 0, sizeof stored);
	for (size_t n = 1; n <= QUEUES; n++) {
		weir__due_init(&queues[n - 1], &budget);
		for (size_t i = 0; i < n; i++)
			assert_true(queues[i].bytes <= BYTES_MAX / n);
		assert_true(budget.bytes <= BYTES_MAX);
		for (int row = 0; row < ROWS; row++)
			add(&queues[n - 1], row);
		assert_true(queues[n - 1].has_horizon);
		assert_true(queues[n - 1].bytes > BYTES_MAX / n / 4);
	}
	weir__due_release(&queues[2]); /* from the middle */
	for (int row = 0; row < ROWS; row++)
		stored[row] = true;
	for (size_t i = 0; i < QUEUES; i++)
		if (i != 2) /* what they have forgotten comes all the same */
			assert_int_equal(take_due(&queues[i], 0, TIMES - 1, true), ROWS);
	for (size_t i = 0; i < QUEUES; i++)
		weir__due_release(&queues[i]);
	assert_int_equal(budget.bytes, 0);
	assert_null(budget.first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_come_in_order_whatever_the_memory),
		cmocka_unit_test(copies_take_no_memory),
		cmocka_unit_test(idle_queues_give_up_what_others_have_a_right_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
