#include <weir/rng.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "state/order.h"

enum { ENTRIES = 3000 };

static struct order order;
static struct entry *entries[ENTRIES]; /* in order */
static bool inside[ENTRIES];

static struct place place_of(const struct entry *e)
{
	weir_bytes key = weir__entry_key(e);

	return (struct place){ order.kind == STORE_WINDOW ? weir__key_time(order.kind, key) / order.segment_ms : 0,
			       key };
}

static int compare_entries(const void *a, const void *b)
{
	return weir__place_compare(place_of(*(struct entry *const *)a), place_of(*(struct entry *const *)b));
}

/* Short keys of few different bytes, so that many share a prefix and many begin others. */
static int make_entries(void **state, enum store_kind kind)
{
	static struct cache cache;
	weir_rng rng = weir_rng_seeded(7);

	order = (struct order){ .kind = kind, .segment_ms = 100 };
	weir__cache_init(&cache, false, false);
	for (int i = 0; i < ENTRIES;) {
		char key[24 + WINDOW_SUFFIX];
		size_t len = weir_rng_below(&rng, 24);

		for (size_t k = 0; k < len; k++)
			key[k] = "\0\0\0a\xff"[weir_rng_below(&rng, 5)];
		if (kind == STORE_WINDOW) {
			weir_put_be64(key + len, (int64_t)weir_rng_below(&rng, 1000));
			weir_put_be32(key + len + 8, 0);
			len += WINDOW_SUFFIX;
		}
		weir_bytes bytes = { key, len };
		if (!weir__cache_find(&cache, bytes, weir__cache_hash(bytes)))
			entries[i++] = weir__cache_insert(&cache, bytes, weir__cache_hash(bytes), 0);
	}
	qsort(entries, ENTRIES, sizeof *entries, compare_entries);
	memset(inside, 0, sizeof inside);
	*state = &cache;
	return 0;
}

static int make_keys(void **state)
{
	return make_entries(state, STORE_KEY_VALUE);
}

static int make_windows(void **state)
{
	return make_entries(state, STORE_WINDOW);
}

static int free_entries(void **state)
{
	weir__cache_release(*state);
	return 0;
}

static void check_all(void)
{
	struct order_cursor cursor;
	struct place first = { INT64_MIN, WEIR_NULL }, last = { INT64_MAX, WEIR_NULL };
	struct entry *e = weir__order_seek(&order, &cursor, first, false);

	for (int i = 0; i < ENTRIES; i++) {
		if (!inside[i])
			continue;
		assert_ptr_equal(e, entries[i]);
		e = weir__order_step(&cursor, false);
	}
	assert_null(e);
	e = weir__order_seek(&order, &cursor, last, true);
	for (int i = ENTRIES - 1; i >= 0; i--) {
		if (!inside[i])
			continue;
		assert_ptr_equal(e, entries[i]);
		e = weir__order_step(&cursor, true);
	}
	assert_null(e);
}

static void check_seek(int at)
{
	struct order_cursor cursor;
	struct place place = place_of(entries[at]);
	int up = at, down = at;

	while (up < ENTRIES && !inside[up])
		up++;
	while (down >= 0 && !inside[down])
		down--;
	assert_ptr_equal(weir__order_seek(&order, &cursor, place, false), up < ENTRIES ? entries[up] : NULL);
	assert_ptr_equal(weir__order_seek(&order, &cursor, place, true), down >= 0 ? entries[down] : NULL);
}

static void entries_come_and_go_and_stay_in_order(void **state)
{
	weir_rng rng = weir_rng_seeded(8);

	(void)state;
	for (int step = 0; step < 100000; step++) {
		/* fuller in some thousands of steps, emptier in others */
		bool insert = weir_rng_below(&rng, 10) < (step / 8000 % 2 ? 2 : 8);
		int at = (int)weir_rng_below(&rng, ENTRIES);

		if (insert && !inside[at])
			weir__order_insert(&order, entries[at]);
		else if (!insert && inside[at])
			weir__order_remove(&order, entries[at]);
		inside[at] = insert;
		check_seek((int)weir_rng_below(&rng, ENTRIES));
		if (step % 1000 == 0)
			check_all();
	}
	weir__order_clear(&order);
	assert_int_equal(order.bytes, 0);
}

static void what_is_emptied_gives_its_memory_back(void **state)
{
	(void)state;
	for (int i = 0; i < ENTRIES; i++)
		weir__order_insert(&order, entries[i]);
	assert_true(order.bytes <
		    (size_t)ENTRIES * sizeof(struct order_slot) * 3 / 2); /* in order: nodes are full */
	for (int i = ENTRIES - 1; i >= 0; i--)
		weir__order_remove(&order, entries[i]);
	assert_int_equal(order.bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(entries_come_and_go_and_stay_in_order, make_keys, free_entries),
		cmocka_unit_test_setup_teardown(entries_come_and_go_and_stay_in_order, make_windows, free_entries),
		cmocka_unit_test_setup_teardown(what_is_emptied_gives_its_memory_back, make_windows, free_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
