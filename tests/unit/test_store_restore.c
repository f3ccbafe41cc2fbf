/* What a store that is being restored takes up, and writes. */
#include "state/partition.h"
#include "tests/unit/store_fixture.h"

enum { STORES = 4, MANY = 150000, SOME = 1000 };

static void restore(weir_store *store, int first, int n)
{
	char key[16];

	for (int i = first; i < first + n; i++) {
		snprintf(key, sizeof key, "key-%07d", i);
		weir__store_restore_put(store, weir_str(key), weir_str("12345678"), 1);
	}
}

static void stores_that_share_the_memory_later_on_still_write_many_rows_at_once(void **state)
{
	struct fixture *f = fixture_new(true, (struct store_spec){ .kind = STORE_KEY_VALUE });
	weir_store *others[STORES - 1];
	weir_error err;

	(void)state;
	restore(f->store, 0, MANY); /* all of the memory is its own: its table grows */
	for (int32_t i = 0; i < STORES - 1; i++) {
		others[i] = weir__store_open(f->state, &f->spec, i + 1, &err);
		assert_non_null(others[i]);
		restore(others[i], 0, 1);
	}
	restore(f->store, MANY, MANY); /* down to its share */
	uint32_t writes = f->store->disk.writes;

	restore(f->store, 2 * MANY, SOME);
	assert_true(f->store->disk.writes - writes <= 1);
	assert_true(weir__store_restore_done(f->store, 2 * MANY + SOME, &err));
	assert_true(weir__store_checkpoint(f->store, true, &err));
	assert_get(f, "key-0000000", "12345678");
	assert_get(f, "key-0300999", "12345678");
	for (int i = 0; i < STORES - 1; i++) {
		assert_true(weir__store_restore_done(others[i], 1, &err));
		weir__store_close(others[i]);
	}
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stores_that_share_the_memory_later_on_still_write_many_rows_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
