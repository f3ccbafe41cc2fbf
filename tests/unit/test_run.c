/* Records of a changelog on their way to disk: what is put last of a key is what is left of it. */
#include <weir/rng.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "state/run.h"

enum { KEYS = 700, PUTS = 20000 };

/* What must be left of each key: the number put last; 0 = a deletion, negative = it was never put. */
static int expected[KEYS];

static void make_value(int number, char *to, size_t size)
{
	/* some are too large to be kept pending */
	snprintf(to, size, number % 7 ? "%d" : "%d and %0200d", number, 0);
}

static void put(struct run *run, int key, int number)
{
	char name[20], value[300];

	snprintf(name, sizeof name, "key %d", key);
	make_value(number, value, sizeof value);
	weir__run_put(run, weir_str(name), number ? weir_str(value) : WEIR_NULL, 1000 + number);
	expected[key] = number;
}

static void check_row(const struct run_row *row)
{
	char name[20], value[300];
	weir_bytes key = weir__run_key(row), got = weir__run_value(row);

	snprintf(name, sizeof name, "%.*s", (int)key.len, (const char *)key.data);
	int k = atoi(name + 4);
	assert_in_range(k, 0, KEYS - 1);
	assert_int_equal(row->timestamp_ms, 1000 + expected[k]);
	make_value(expected[k], value, sizeof value);
	if (expected[k] == 0)
		assert_true(weir_is_null(got));
	else
		assert_true(weir_bytes_equal(got, weir_str(value)));
	expected[k] = -1; /* each comes once */
}

static void fill_and_check(struct run *run, weir_rng *rng)
{
	size_t n, put_keys = 0;

	memset(expected, 0xff, sizeof expected);
	for (int i = 1; i <= PUTS; i++) /* a few keys come again at once */
		put(run, (int)weir_rng_below(rng, i % 3 ? KEYS : 5), weir_rng_below(rng, 10) ? i : 0);
	weir__run_settle(run);
	for (int i = 0; i < KEYS; i++)
		put_keys += expected[i] >= 0;
	struct sort_item *rows = weir__run_rows(run, &n);

	assert_int_equal(n, put_keys);
	for (size_t i = 0; i < n; i++)
		check_row(rows[i].item);
}

static void the_last_of_each_key_is_left_whatever_their_sizes(void **state)
{
	struct run run = { 0 };
	weir_rng rng = weir_rng_seeded(11);

	(void)state;
	fill_and_check(&run, &rng);
	weir__run_reset(&run);
	fill_and_check(&run, &rng);
	weir__run_free(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_of_each_key_is_left_whatever_their_sizes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
