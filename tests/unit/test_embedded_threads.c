/* The embedded cluster under many threads at once; worth most under the thread sanitizer (preset tsan). */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/contract/helpers.h"

#define WRITERS 3
#define READERS 2
#define RECORDS 30000 /* a writer */

static weir_cluster *cluster;
static atomic_bool done;

/* Writer i keeps to partition i % 2 and its own key; values count up. One in three writes in transactions. */
static void *write_records(void *user)
{
	int id = *(int *)user;
	weir_clock *clock = weir_clock_system();
	struct contract c = { cluster, "threads", clock };
	char transactional_id[16], key[16], value[32];

	snprintf(transactional_id, sizeof transactional_id, "txn-%d", id);
	snprintf(key, sizeof key, "%d", id);
	weir_producer *p = producer_of(&c, id % 3 == 2 ? transactional_id : NULL);

	for (int i = 0; i < RECORDS; i++) {
		if (id % 3 == 2 && i % 100 == 0)
			begin(p);
		snprintf(value, sizeof value, "%d", i);
		put_at(p, "shared", id % 2, clock->wall_ms(clock), key, value);
		if (id % 3 == 2 && i % 100 == 99)
			commit(p);
	}
	weir_producer_close(p);
	return NULL;
}

struct progress {
	int last[WRITERS];
	size_t count;
};

static bool check_order(const weir_kafka_record *record, void *user)
{
	struct progress *seen = user;
	int id = *(const char *)record->key.data - '0';
	char text[16] = { 0 };

	memcpy(text, record->value.data, record->value.len);
	assert_true(atoi(text) > seen->last[id]);
	seen->last[id] = atoi(text);
	seen->count++;
	return true;
}

static bool all_seen(const struct progress *seen)
{
	for (int i = 0; i < WRITERS; i++)
		if (seen->last[i] != RECORDS - 1)
			return false;
	return true;
}

/* Reads both partitions to the last value of each writer: compaction may leave out all but that. */
static void *read_records(void *user)
{
	weir_error err;
	weir_consumer *consumer = weir_consumer_open(cluster, (weir_consumer_opts){ 0 }, &err);
	struct progress *seen = user;

	assert_done(consumer, err);
	for (int32_t i = 0; i < 2; i++) {
		weir_partition p = { .topic = "shared", .partition = i, .offset = WEIR_OFFSET_BEGINNING };

		assert_done(weir_consumer_assign(consumer, &p, 1, &err), err);
	}
	while (!all_seen(seen))
		assert_done(weir_consumer_poll(consumer, 100, check_order, seen, &err), err);
	weir_consumer_close(consumer);
	return NULL;
}

static void ignore_topic(const char *topic, int32_t partitions, void *user)
{
	(void)topic;
	*(int *)user += partitions;
}

static void ignore_member(const char *client_id, const char *member_id, const char *topic, int32_t partition,
			  void *user)
{
	(void)client_id;
	(void)member_id;
	(void)topic;
	*(int *)user += partition;
}

/* Topics come and go, and questions are asked, beside all that. */
static void *administer(void *user)
{
	const char *name = "passing";
	weir_topic_spec spec = { .name = name, .partitions = 4 };
	int sum = 0;

	(void)user;
	while (!atomic_load(&done)) {
		int64_t first, end;
		weir_error err;

		assert_done(weir_topics_create(cluster, &spec, 1, &err), err);
		assert_done(weir_topics_each(cluster, ignore_topic, &sum, &err), err);
		assert_done(weir_group_describe(cluster, "members", ignore_member, &sum, 10000, &err), err);
		assert_done(weir_offsets_range(cluster, "shared", 0, &first, &end, &err), err);
		assert_true(first <= end);
		assert_done(weir_topics_delete(cluster, &name, 1, &err), err);
	}
	return NULL;
}

static void *join_and_leave(void *user)
{
	struct contract c = { cluster, "threads", weir_clock_system() };
	struct joiner j;

	(void)user;
	while (!atomic_load(&done)) {
		joiner_open(&c, &j, (struct joiner_opts){ "members", "watched" });
		for (int i = 0; i < 20; i++)
			joiner_poll(&j);
		joiner_close(&j);
	}
	return NULL;
}

static void threads_write_read_join_and_administer_at_once(void **state)
{
	static const char *const configs[][2] = { { "cleanup.policy", "compact" } };
	weir_topic_spec specs[] = { { "shared", 2, 0, configs, 1 }, { .name = "watched", .partitions = 4 } };
	static struct progress seen[READERS];
	pthread_t writers[WRITERS], readers[READERS], others[4];
	int ids[WRITERS];
	weir_error err;

	(void)state;
	cluster = weir_cluster_embedded((weir_embedded_opts){ 0 });
	assert_done(weir_topics_create(cluster, specs, 2, &err), err);
	for (int i = 0; i < WRITERS; i++) {
		ids[i] = i;
		pthread_create(&writers[i], NULL, write_records, &ids[i]);
	}
	for (int i = 0; i < READERS; i++) {
		for (int k = 0; k < WRITERS; k++)
			seen[i].last[k] = -1;
		pthread_create(&readers[i], NULL, read_records, &seen[i]);
	}
	pthread_create(&others[0], NULL, administer, NULL);
	for (int i = 1; i < 4; i++)
		pthread_create(&others[i], NULL, join_and_leave, NULL);
	for (int i = 0; i < WRITERS; i++)
		pthread_join(writers[i], NULL);
	for (int i = 0; i < READERS; i++)
		pthread_join(readers[i], NULL);
	atomic_store(&done, true);
	for (int i = 0; i < 4; i++)
		pthread_join(others[i], NULL);
	assert_true(seen[0].count >= WRITERS);
	weir_cluster_free(cluster);
}

/* --- who waits is woken: without it, each wait of the following would last until the next look at the clock --- */

#define ROUNDS 40
#define PING_PONG_US 4000000 /* half of what sleeping would take */

struct player {
	struct contract c;
	const char *from, *to;
	bool begins;
};

static bool take_one(const weir_kafka_record *record, void *user)
{
	(void)record;
	++*(int *)user;
	return true;
}

static void *play(void *user)
{
	struct player *player = user;
	weir_producer *p = producer_of(&player->c, NULL);
	weir_error err;
	weir_consumer *consumer = weir_consumer_open(cluster, (weir_consumer_opts){ 0 }, &err);
	weir_partition from = { .topic = player->from, .partition = 0, .offset = 0 };
	int taken = 0;

	assert_done(consumer, err);
	assert_done(weir_consumer_assign(consumer, &from, 1, &err), err);
	if (player->begins)
		put(p, player->to, 0, "k", "ball");
	while (taken < ROUNDS) {
		int before = taken;

		assert_done(weir_consumer_poll(consumer, 20000, take_one, &taken, &err), err);
		if (taken > before)
			put(p, player->to, 0, "k", "ball");
	}
	weir_consumer_close(consumer);
	weir_producer_close(p);
	return NULL;
}

static void a_waiting_reader_is_woken_by_a_record(void **state)
{
	struct contract c = { NULL, "threads", weir_clock_system() };
	pthread_t thread;

	(void)state;
	c.cluster = cluster = weir_cluster_embedded((weir_embedded_opts){ .partitions = 1 });
	struct player ping = { c, "pong", "ping", true }, pong = { c, "ping", "pong", false };
	int64_t before_us = c.clock->monotonic_us(c.clock);

	pthread_create(&thread, NULL, play, &pong);
	play(&ping);
	pthread_join(thread, NULL);
	assert_in_range(c.clock->monotonic_us(c.clock) - before_us, 0, PING_PONG_US);
	weir_cluster_free(cluster);
}

static pthread_barrier_t barrier;

static void *commit_rounds(void *user)
{
	struct contract *c = user;
	weir_producer *p = producer_of(c, "committer");
	struct joiner j, *all[] = { &j };

	joiner_open(c, &j, (struct joiner_opts){ "members", "watched" });
	joiners_until(all, (int[]){ 1 }, 1);
	for (int i = 0; i < ROUNDS; i++) {
		weir_partition at = { .topic = "watched", .partition = 0, .offset = i };
		weir_error err;

		begin(p);
		assert_done(weir_producer_send_offsets(p, j.consumer, &at, 1, 1000, &err), err);
		pthread_barrier_wait(&barrier);
		let_pass(c, 2); /* the other waits by now */
		commit(p);
		pthread_barrier_wait(&barrier);
	}
	joiner_close(&j);
	weir_producer_close(p);
	return NULL;
}

static void who_waits_for_a_committed_offset_is_woken_by_the_commit(void **state)
{
	struct contract c = { NULL, "threads", weir_clock_system() };
	pthread_t thread;

	(void)state;
	c.cluster = cluster = weir_cluster_embedded((weir_embedded_opts){ .partitions = 1 });
	pthread_barrier_init(&barrier, NULL, 2);
	pthread_create(&thread, NULL, commit_rounds, &c);
	int64_t before_us = c.clock->monotonic_us(c.clock);

	for (int i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&barrier);
		assert_int_equal(committed_of(&c, "members", "watched", 0, NULL, 0), i);
		pthread_barrier_wait(&barrier);
	}
	assert_in_range(c.clock->monotonic_us(c.clock) - before_us, 0, ROUNDS * 50000);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&barrier);
	weir_cluster_free(cluster);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_write_read_join_and_administer_at_once),
		cmocka_unit_test(a_waiting_reader_is_woken_by_a_record),
		cmocka_unit_test(who_waits_for_a_committed_offset_is_woken_by_the_commit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
