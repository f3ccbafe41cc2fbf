/* Workers are threads: each has its stores, all share the database, and partitions go from one to the other. */
#include <pthread.h>
#include <stdatomic.h>
#include "tests/unit/store_fixture.h"

enum { WORKERS = 4, PARTITIONS = 3, TURNS = 60, KEYS = 200 };

static struct fixture *f;
static atomic_int refused;

static int64_t number(weir_bytes value)
{
	return weir_is_null(value) ? 0 : weir_get_be64(value.data);
}

static weir_bytes key_of(int key, char text[16])
{
	return weir_bytes_of(text, (size_t)snprintf(text, 16, "%d", key));
}

static bool take(const struct store_change *change, void *user)
{
	(void)change;
	(void)user;
	return true;
}

/* Adds one to each key, and lets the next worker have the partition. */
static void take_a_turn(int32_t partition, int turn)
{
	struct store_spec spec = f->spec;
	weir_error err = { 0 };
	weir_store *store;
	char text[16], value[8];

	spec.name = "shared";
	while (!(store = weir__store_open(f->state, &spec, partition, &err))) {
		if (!err.retriable)
			abort();
		atomic_fetch_add(&refused, 1);
		sched_yield();
	}
	for (int key = 0; key < KEYS; key++) {
		weir_put_be64(value, number(weir_store_get(store, key_of(key, text), NULL)) + 1);
		weir_store_put(store, key_of(key, text), weir_bytes_of(value, 8), 1);
	}
	if (!weir__store_flush(store, take, NULL))
		abort();
	weir__store_committed(
		store, weir__store_checkpoint_offset(store) < 0 ? 1 : weir__store_checkpoint_offset(store) + 1);
	if (turn % 7 == 0)
		weir__store_shrink(store, 0);
	if (!weir__store_checkpoint(store, turn % 5 == 0, NULL))
		abort();
	weir__store_close(store);
}

static void *work(void *unused)
{
	for (int turn = 0; turn < TURNS; turn++)
		for (int32_t partition = 0; partition < PARTITIONS; partition++)
			take_a_turn(partition, turn);
	return unused;
}

static void a_partition_goes_from_worker_to_worker_without_loss(void **state)
{
	pthread_t threads[WORKERS];
	char text[16];

	(void)state;
	f = fixture_new(true, (struct store_spec){ .kind = STORE_KEY_VALUE });
	for (int i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, NULL), 0);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	assert_false(weir__state_failed(f->state, NULL));
	f->spec.name = "shared";
	fixture_close(f);
	fixture_open(f);
	for (int32_t partition = 0; partition < PARTITIONS; partition++) {
		weir__store_close(f->store);
		f->store = weir__store_open(f->state, &f->spec, partition, NULL);
		assert_non_null(f->store);
		assert_int_equal(weir__store_checkpoint_offset(f->store), WORKERS * TURNS);
		for (int key = 0; key < KEYS; key++)
			assert_int_equal(number(weir_store_get(f->store, key_of(key, text), NULL)),
					 WORKERS * TURNS);
	}
	print_message("%d times a partition was still held\n", atomic_load(&refused));
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_partition_goes_from_worker_to_worker_without_loss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
