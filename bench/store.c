/*
 * What the state store costs by itself: no Kafka, no topology. CPU counts all threads of the process, RocksDB's
 * too.
 *
 *   bench-store [directory]
 */
#include <weir/rng.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include "state/store.h"

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static double started, cpu_started;

static void begin(void)
{
	started = now();
	cpu_started = cpu();
}

static void report(const char *what, int64_t n)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	printf("%-58s %9.0f ns wall %7.3f CPU-s per million  max RSS %ld MB\n", what,
	       (now() - started) * 1e9 / (double)n, (cpu() - cpu_started) * 1e6 / (double)n, u.ru_maxrss / 1024);
	fflush(stdout);
}

static void must(bool done, const weir_error *err)
{
	if (done)
		return;
	fprintf(stderr, "%s\n", err->message);
	exit(1);
}

/* --- a count, as the aggregation keeps it --------------------------------------------------------------------- */

static weir_bytes encode(const void *object, void *user)
{
	static char bytes[8];

	(void)user;
	weir_put_be64(bytes, *(const int64_t *)object);
	return weir_bytes_of(bytes, sizeof bytes);
}

static bool decode(weir_bytes bytes, void *object, void *user)
{
	(void)user;
	if (bytes.len != 8)
		return false;
	*(int64_t *)object = weir_get_be64(bytes.data);
	return true;
}

static bool take(const struct store_change *change, void *user)
{
	*(int64_t *)user += (int64_t)(change->key.len + change->value.len);
	return true;
}

static weir_bytes key_of(uint64_t n)
{
	static char text[32];

	return weir_bytes_of(text, (size_t)snprintf(text, sizeof text, "author-%09" PRIu64, n));
}

/* Keys made beforehand, so that making them is not what is measured. */
static char (*keys)[16];

static void make_keys(uint64_t n)
{
	keys = calloc(n, sizeof *keys);
	for (uint64_t i = 0; i < n; i++)
		memcpy(keys[i], key_of(i).data, 16);
}

static void update(weir_store *store, int64_t updates, uint32_t distinct, size_t bytes_max, const char *what)
{
	weir_rng rng = weir_rng_seeded(1);
	weir_error err = { 0 };
	int64_t taken = 0, offset = 0;

	begin();
	for (int64_t i = 1; i <= updates; i++) {
		bool created;
		weir_bytes key = { keys[weir_rng_below(&rng, distinct)], 16 };
		int64_t *n = weir__store_object(store, key, 0, i, &created);

		++*n;
		if (i % 20000)
			continue;
		weir__store_flush(store, take, &taken);
		weir__store_committed(store, offset += 20000);
		weir__store_shrink(store, bytes_max);
		if (i % 500000 == 0)
			must(weir__store_checkpoint(store, true, &err), &err);
	}
	report(what, updates);
}

static void update_windows(weir_store *store, int64_t updates, uint32_t distinct, const char *what)
{
	weir_rng rng = weir_rng_seeded(1);
	weir_error err = { 0 };
	int64_t taken = 0, offset = 0;

	begin();
	for (int64_t i = 1; i <= updates; i++) {
		bool created;
		int64_t start = i / 1000000 * WEIR_MINUTES(5); /* a million updates a window */
		weir_bytes key = { keys[weir_rng_below(&rng, distinct)], 16 };
		int64_t *n = weir__store_object(store, key, start, start, &created);

		++*n;
		if (i % 20000)
			continue;
		weir__store_flush(store, take, &taken);
		weir__store_committed(store, offset += 20000);
		weir__store_expire(store, start);
		if (i % 500000 == 0)
			must(weir__store_checkpoint(store, true, &err), &err);
	}
	report(what, updates);
}

/* What a commit does: each row that has changed as a record of the changelog. */
static void flush(weir_store *store, uint32_t distinct, const char *what)
{
	int64_t taken = 0;
	bool created;

	for (uint32_t i = 0; i < distinct; i++)
		++*(int64_t *)weir__store_object(store, (weir_bytes){ keys[i], 16 }, 0, i + 1, &created);
	begin();
	weir__store_flush(store, take, &taken);
	report(what, distinct);
	weir__store_committed(store, distinct);
}

static void restore(weir_store *store, int64_t records, uint32_t distinct, bool in_order, const char *what)
{
	weir_rng rng = weir_rng_seeded(2);
	weir_error err = { 0 };
	char value[8];

	begin();
	for (int64_t i = 1; i <= records; i++) {
		uint64_t key = in_order ? (uint64_t)i % distinct : weir_rng_below(&rng, distinct);

		weir_put_be64(value, i);
		weir__store_restore_put(store, (weir_bytes){ keys[key], 16 }, (weir_bytes){ value, 8 }, i);
		if (i % 10000 == 0)
			must(weir__store_restore_done(store, i, &err), &err);
	}
	must(weir__store_checkpoint(store, true, &err), &err);
	report(what, records);
}

static void read_all(weir_store *store, int64_t reads, uint32_t distinct, size_t bytes_max, const char *what)
{
	weir_rng rng = weir_rng_seeded(3);
	int64_t found = 0;

	begin();
	for (int64_t i = 1; i <= reads; i++) {
		weir_bytes key = { keys[weir_rng_below(&rng, distinct)], 16 };

		found += !weir_is_null(weir_store_get(store, key, NULL));
		if (i % 20000 == 0)
			weir__store_shrink(store, bytes_max);
	}
	report(what, reads);
	printf("  %" PRId64 " %% of them found (the keys were restored at random)\n", 100 * found / reads);
}

static void scan(weir_store *store, const char *what)
{
	int64_t n = 0;
	weir_entry e;

	begin();
	weir_iterator *it = weir_store_range(store, WEIR_NULL, WEIR_NULL, false);
	while (weir_iterator_next(it, &e))
		n++;
	weir_iterator_close(it);
	report(what, n);
}

static weir_store *open_store(struct state *state, const char *name, struct store_spec spec)
{
	weir_error err = { 0 };
	weir_store *store;

	spec.name = name;
	spec.logged = true;
	if (!(store = weir__store_open(state, &spec, 0, &err)))
		must(false, &err);
	return store;
}

int main(int argc, char **argv)
{
	weir_error err = { 0 };
	char made[] = "/tmp/weir-bench-XXXXXX";
	const char *dir = argc > 1 ? argv[1] : mkdtemp(made);
	struct state *state = weir__state_open(
		&(struct state_opts){ .dir = dir, .memory_bytes_max = 128 << 20, .clock = weir_clock_system() },
		&err);
	must(state != NULL, &err);
	struct store_spec counts = { .kind = STORE_KEY_VALUE, .codec = { 8, encode, decode, NULL } };
	struct store_spec windows = { .kind = STORE_WINDOW,
				      .retention_ms = WEIR_HOURS(1),
				      .window_size_ms = WEIR_MINUTES(5),
				      .codec = { 8, encode, decode, NULL } };
	struct store_spec plain = { .kind = STORE_KEY_VALUE };
	weir_store *store;

	make_keys(5000000);
	store = open_store(state, "few", counts);
	update(store, 20000000, 5000, SIZE_MAX, "update 5k keys, flush each 20k, checkpoint each 500k");
	weir__store_close(store);
	store = open_store(state, "few-windows", windows);
	update_windows(store, 20000000, 5000, "update 5k keys in windows of 1M updates");
	weir__store_close(store);
	store = open_store(state, "many", counts);
	update(store, 4000000, 1000000, SIZE_MAX, "update 1M keys, all cached");
	weir__store_close(store);
	store = open_store(state, "many-tight", counts);
	update(store, 4000000, 1000000, 32 << 20, "update 1M keys, cache of 32 MB");
	weir__store_close(store);
	store = open_store(state, "flushed", counts);
	flush(store, 1000000, "changelog records of 1M changed keys");
	weir__store_close(store);
	store = open_store(state, "restored", plain);
	restore(store, 5000000, 5000000, true, "restore 5M records, 5M keys in order");
	weir__store_close(store);
	store = open_store(state, "restored-random", plain);
	restore(store, 5000000, 5000000, false, "restore 5M records, 5M keys at random");
	read_all(store, 500000, 5000, 64 << 20, "get of 5k keys");
	scan(store, "scan, per row");
	weir__store_close(store);
	store = open_store(state, "restored-hot", plain);
	restore(store, 5000000, 5000, false, "restore 5M records, 5k keys");
	weir__store_close(store);
	begin();
	weir__state_close(state);
	report("close (of a million)", 1000000);
	free(keys);
	return 0;
}
