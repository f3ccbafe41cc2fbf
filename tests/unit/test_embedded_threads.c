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
		assert_done(weir_group_describe(cluster, "members", ignore_member, &sum, &err), err);
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

/* A consumer that waits is woken by a record: it does not sleep its time-out away. */
static void *put_later(void *user)
{
	struct contract c = { cluster, "threads", weir_clock_system() };

	let_pass(&c, 50);
	put_numbers(&c, user, 0, 1);
	return NULL;
}

static void a_waiting_reader_is_woken_by_a_record(void **state)
{
	struct contract c = { NULL, "threads", weir_clock_system() };
	static struct reader r;
	pthread_t thread;
	weir_error err;

	(void)state;
	c.cluster = cluster = weir_cluster_embedded((weir_embedded_opts){ 0 });
	const char *topic = fresh_topic(&c, 1);

	reader_at(&c, &r, topic, 0, 0);
	r.on_record = NULL;
	pthread_create(&thread, NULL, put_later, (void *)topic);
	int64_t before_us = c.clock->monotonic_us(c.clock);
	struct progress seen = { { -1, -1, -1 }, 0 };

	assert_done(weir_consumer_poll(r.consumer, 20000, check_order, &seen, &err), err);
	assert_int_equal(seen.count, 1);
	assert_true(c.clock->monotonic_us(c.clock) - before_us < 10000000);
	pthread_join(thread, NULL);
	reader_close(&r);
	weir_cluster_free(cluster);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_write_read_join_and_administer_at_once),
		cmocka_unit_test(a_waiting_reader_is_woken_by_a_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
