/*
 * Workers that copy a topic exactly once, on the embedded cluster: with seeds, a clock of their own and every
 * mishap that the cluster can be asked for; and on threads with the real clock, where they come, go and crash.
 * WEIR_SEEDS=n tries n seeds, WEIR_SEED=s one of them.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "framework/kafka/embedded.h"
#include "tests/contract/echo.h"

#define START_MS 1700000000000
#define RECORDS 400 /* a partition */
#define RECORDS_ON_THREADS 1000
#define WORKERS 3

static void make_topics(struct contract *c)
{
	static const char *const keep[][2] = { { "retention.ms", "-1" } }; /* hours pass, and the records are old */
	weir_topic_spec specs[] = { { "in", ECHO_PARTITIONS, 0, keep, 1 }, { "out", ECHO_PARTITIONS, 0, keep, 1 } };
	weir_error err;

	assert_done(weir_topics_create(c->cluster, specs, 2, &err), err);
}

static void crash(struct echo *w)
{
	if (w->consumer)
		weir__embedded_crash_consumer(w->consumer);
	if (w->producer)
		weir__embedded_crash_producer(w->producer);
	w->consumer = NULL;
	w->producer = NULL;
	w->ready = w->in_txn = w->failed = false;
	w->crashes++;
}

static struct echo worker(struct contract *c, weir_rng *rng, const char *id)
{
	return (struct echo){ .c = c,
			      .in = "in",
			      .out = "out",
			      .group = "echo",
			      .transactional_id = id,
			      .abort_chance = 0.1,
			      .rng = weir_rng_fork(rng) };
}

/* --- with seeds ----------------------------------------------------------------------------------------------- */

struct mishaps {
	weir_rng rng;
	bool quiet;
	int injected;
};

static enum embedded_fault mishap(enum embedded_point point, const char *who, void *user)
{
	struct mishaps *m = user;
	static const struct {
		double chance;
		enum embedded_fault faults[5];
		size_t count;
	} table[] = {
		[EMBEDDED_AT_SEND] = { 0.001, { EMBEDDED_ABORTABLE, EMBEDDED_FATAL }, 2 },
		[EMBEDDED_AT_INIT] = { 0.2, { EMBEDDED_UNDONE, EMBEDDED_FATAL }, 2 },
		[EMBEDDED_AT_SEND_OFFSETS] = { 0.05, { EMBEDDED_ABORTABLE, EMBEDDED_FATAL }, 2 },
		[EMBEDDED_AT_COMMIT] = { 0.3,
					 { EMBEDDED_ABORTABLE, EMBEDDED_FATAL, EMBEDDED_UNDONE, EMBEDDED_DONE,
					   EMBEDDED_LATE },
					 5 },
		[EMBEDDED_AT_ABORT] = { 0.3, { EMBEDDED_FATAL, EMBEDDED_UNDONE, EMBEDDED_DONE, EMBEDDED_LATE }, 4 },
		[EMBEDDED_AT_POLL] = { 0.003, { EMBEDDED_EVICTED, EMBEDDED_FATAL }, 2 },
		[EMBEDDED_AT_CLOSE] = { 0.1, { EMBEDDED_FATAL }, 1 },
		[EMBEDDED_AT_COMMITTED] = { 0 },
		[EMBEDDED_AT_RANGE] = { 0 },
		[EMBEDDED_AT_DESCRIBE] = { 0 },
	};

	(void)who;
	if (m->quiet || !weir_rng_chance(&m->rng, table[point].chance))
		return EMBEDDED_FINE;
	m->injected++;
	return table[point].faults[weir_rng_below(&m->rng, table[point].count)];
}

/* The input comes bit by bit. */
struct feed {
	weir_producer *producer;
	int sent[ECHO_PARTITIONS];
};

static void feed_some(struct feed *f, int32_t partition, int n)
{
	char text[16];

	for (; n > 0 && f->sent[partition] < RECORDS; n--) {
		snprintf(text, sizeof text, "%d", f->sent[partition]++);
		put(f->producer, "in", partition, text, text);
	}
}

/* One worker does something, or something is done to it. */
static void disturb(struct echo *w, weir_rng *rng, weir_manual_clock *clock)
{
	static const char *const spare[] = { "again-0", "again-1", "again-2", "again-3" };

	if (weir_rng_chance(rng, 0.01)) {
		crash(w);
		if (weir_rng_chance(rng, 0.5)) /* comes back as somebody else */
			w->transactional_id = spare[weir_rng_below(rng, 4)];
	} else if (weir_rng_chance(rng, 0.01)) {
		echo_close(w);
		w->abort_chance = 0.1;
	} else {
		echo_step(w, 0);
	}
	clock->now_ms += weir_rng_chance(rng, 0.005) ? 12000 : (int64_t)weir_rng_below(rng, 200);
}

static void run_seed(uint64_t seed)
{
	weir_rng rng = weir_rng_seeded(seed);
	struct mishaps mishaps = { .rng = weir_rng_fork(&rng) };
	weir_manual_clock clock;
	struct contract c = { .prefix = "echo", .clock = &clock.clock };
	struct echo workers[WORKERS];
	static const char *const ids[WORKERS] = { "w0", "w1", "w2" };
	int steps = 0;

	weir_manual_clock_init(&clock, START_MS);
	c.cluster = weir_cluster_embedded((weir_embedded_opts){ .clock = &clock.clock });
	weir__embedded_faults(c.cluster, mishap, &mishaps, 500);
	make_topics(&c);
	for (int i = 0; i < WORKERS; i++)
		workers[i] = worker(&c, &rng, ids[i]);
	struct feed feed = { producer_of(&c, NULL), { 0 } };

	for (; steps < 4000; steps++) {
		disturb(&workers[weir_rng_below(&rng, WORKERS)], &rng, &clock);
		mishaps.quiet = true;
		feed_some(&feed, (int32_t)weir_rng_below(&rng, ECHO_PARTITIONS), (int)weir_rng_below(&rng, 3));
		mishaps.quiet = false;
	}
	mishaps.quiet = true;
	for (int32_t p = 0; p < ECHO_PARTITIONS; p++)
		feed_some(&feed, p, RECORDS);
	weir_producer_close(feed.producer);
	for (; echo_count(&c, "out") < ECHO_PARTITIONS * RECORDS && steps < 9000; steps++) {
		echo_step(&workers[steps % WORKERS], 0);
		clock.now_ms += 50;
	}
	assert_true(mishaps.injected > 0);
	for (int i = 0; i < WORKERS; i++)
		echo_close(&workers[i]);
	clock.now_ms += 1000; /* markers that are late */
	for (int32_t p = 0; p < ECHO_PARTITIONS; p++)
		echo_check(&c, "out", p, RECORDS);
	weir_cluster_free(c.cluster);
}

static uint64_t seed_now; /* 0 = done */

static void each_record_is_copied_once_whatever_happens(void **state)
{
	const char *one = getenv("WEIR_SEED"), *many = getenv("WEIR_SEEDS");
	uint64_t first = one ? strtoull(one, NULL, 10) : 1, n = one ? 1 : many ? strtoull(many, NULL, 10) : 20;

	(void)state;
	for (uint64_t seed = first; seed < first + n; seed++) {
		seed_now = seed;
		run_seed(seed);
	}
	seed_now = 0;
}

static int tell_seed(void **state)
{
	(void)state;
	if (seed_now)
		fprintf(stderr, "failed with WEIR_SEED=%llu\n", (unsigned long long)seed_now);
	return 0;
}

/* --- on threads ----------------------------------------------------------------------------------------------- */

static atomic_bool done;

static void *run_worker(void *user)
{
	struct echo *w = user;

	for (int step = 1; !atomic_load(&done); step++) {
		echo_step(w, 5);
		if (step % 200 == 0)
			crash(w);
		else if (step % 77 == 0)
			echo_close(w);
		w->abort_chance = 0.1;
	}
	echo_close(w);
	return NULL;
}

static void *run_writer(void *user)
{
	struct contract *c = user;

	weir_producer *p = producer_of(c, NULL);
	char text[16];

	for (int i = 0; i < RECORDS_ON_THREADS; i++) {
		snprintf(text, sizeof text, "%d", i);
		for (int32_t k = 0; k < ECHO_PARTITIONS; k++)
			put(p, "in", k, text, text);
		if (i % 2)
			weir_producer_poll(p, 1); /* which takes a while: no news come */
	}
	weir_producer_close(p);
	return NULL;
}

static void workers_on_threads_copy_each_record_once(void **state)
{
	weir_rng rng = weir_rng_seeded(1);
	struct contract c = { .prefix = "echo", .clock = weir_clock_system() };
	struct echo workers[WORKERS];
	static const char *const ids[WORKERS] = { "w0", "w1", "w2" };
	pthread_t threads[WORKERS], writer;

	(void)state;
	c.cluster = weir_cluster_embedded((weir_embedded_opts){ 0 });
	make_topics(&c);
	pthread_create(&writer, NULL, run_writer, &c);
	for (int i = 0; i < WORKERS; i++) {
		workers[i] = worker(&c, &rng, ids[i]);
		workers[i].session_timeout_ms = workers[i].transaction_timeout_ms = 400;
		pthread_create(&threads[i], NULL, run_worker, &workers[i]);
	}
	WAIT_UNTIL(&c, echo_count(&c, "out") == ECHO_PARTITIONS * RECORDS_ON_THREADS);
	atomic_store(&done, true);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	pthread_join(writer, NULL);
	assert_true(workers[0].crashes + workers[1].crashes + workers[2].crashes > 0);
	for (int32_t p = 0; p < ECHO_PARTITIONS; p++)
		echo_check(&c, "out", p, RECORDS_ON_THREADS);
	weir_cluster_free(c.cluster);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(each_record_is_copied_once_whatever_happens, tell_seed),
		cmocka_unit_test(workers_on_threads_copy_each_record_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
