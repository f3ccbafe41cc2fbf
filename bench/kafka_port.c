/*
 * What the Kafka port costs by itself, on a real cluster: records are loaded once, then read, copied, and copied
 * exactly once. CPU is the whole process's, librdkafka's threads too; the broker's is not in it.
 *
 *   bench-kafka_port load|consume|copy|exact [records in thousands, 1000] [queue_bytes_max in MB, 64] [commit ms,
 * 100]
 *
 * The cluster is WEIR_TEST_BOOTSTRAP, the topics are bench-in and bench-out. Values have 120 bytes, keys 10 or
 * so.
 */
#include <weir/kafka.h>
#include <weir/log.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define PARTITIONS 4

struct bench {
	weir_cluster *cluster;
	weir_producer *producer; /* NULL = only read */
	int64_t wanted, n, bytes;
	int64_t commit_ms, commit_at_us;
	bool begun;
	double first_at;
};

static void die(const weir_error *err)
{
	fprintf(stderr, "%s\n", err->message);
	exit(1);
}

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

static long peak_mb(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss / 1024;
}

static weir_cluster *connect_cluster(void)
{
	const char *bootstrap = getenv("WEIR_TEST_BOOTSTRAP");
	weir_config *cfg = weir_config_new();
	weir_error err;

	if (!bootstrap) {
		fprintf(stderr, "WEIR_TEST_BOOTSTRAP is not set; eval \"$(tests/services.sh start kafka)\"\n");
		exit(1);
	}
	weir_log_set(weir_log_stderr, NULL, WEIR_LOG_WARN);
	if (!weir_config_set(cfg, "bootstrap.servers", bootstrap, WEIR_FROM_ENVIRONMENT, "WEIR_TEST_BOOTSTRAP",
			     &err))
		die(&err);
	weir_cluster *cluster = weir_cluster_open(cfg, &err);

	if (!cluster)
		die(&err);
	return cluster;
}

static void make_topic(weir_cluster *cluster, const char *name)
{
	static const char *const keep[][2] = { { "retention.ms", "-1" } };
	weir_topic_spec spec = { name, PARTITIONS, 0, keep, 1 };
	weir_error err;

	if (!weir_topics_create(cluster, &spec, 1, &err))
		die(&err);
}

/* --- load ---------------------------------------------------------------------------------------------------- */

static void load(weir_cluster *cluster, int64_t records)
{
	char key[24], value[121];
	weir_error err;
	weir_producer *p = weir_producer_open(cluster, (weir_producer_opts){ .linger_ms = 50 }, &err);

	if (!p)
		die(&err);
	make_topic(cluster, "bench-in");
	memset(value, 'v', sizeof value);
	double begun = now(), begun_cpu = cpu();

	for (int64_t i = 0; i < records; i++) {
		snprintf(key, sizeof key, "key-%" PRId64, i * 7919 % 100000);
		weir_produced r = { .topic = "bench-in",
				    .partition = -1,
				    .timestamp_ms = 1700000000000 + i,
				    .key = weir_str(key),
				    .value = weir_bytes_of(value, 120) };

		if (!weir_producer_send(p, &r, &err))
			die(&err);
		if (i % 1000 == 0)
			weir_producer_poll(p, 0);
	}
	if (!weir_producer_flush(p, 120000, &err))
		die(&err);
	printf("load: records=%" PRId64 " records/s=%.0f cpu-s/M=%.3f rss=%ld MB\n", records,
	       (double)records / (now() - begun), (cpu() - begun_cpu) * 1e6 / (double)records, peak_mb());
	weir_producer_close(p);
}

/* --- read, copy ---------------------------------------------------------------------------------------------- */

static void finish_txn(struct bench *b, weir_consumer *consumer)
{
	weir_partition list[PARTITIONS];
	size_t n = 0;
	weir_error err;

	for (int32_t p = 0; p < PARTITIONS; p++) {
		int64_t at = weir_consumer_position(consumer, "bench-in", p);

		if (at >= 0)
			list[n++] = (weir_partition){ .topic = "bench-in", .partition = p, .offset = at };
	}
	if (!weir_producer_send_offsets(b->producer, consumer, list, n, 30000, &err) ||
	    !weir_producer_commit(b->producer, 30000, &err))
		die(&err);
	b->begun = false;
}

static bool take(const weir_kafka_record *r, void *user)
{
	struct bench *b = user;
	weir_error err;

	if (!b->n++)
		b->first_at = now();
	b->bytes += (int64_t)(r->key.len + r->value.len);
	if (b->producer) {
		weir_produced out = { .topic = "bench-out",
				      .partition = r->partition,
				      .timestamp_ms = r->timestamp_ms,
				      .key = r->key,
				      .value = r->value };

		if (b->commit_ms && !b->begun && !weir_producer_begin(b->producer, &err))
			die(&err);
		b->begun = true;
		if (!weir_producer_send(b->producer, &out, &err))
			die(&err);
		if (b->commit_ms && !(b->n & 255) &&
		    weir_clock_system()->monotonic_us(weir_clock_system()) >= b->commit_at_us)
			return false;
	}
	return b->n < b->wanted;
}

static void on_group(weir_consumer *consumer, weir_group_event event, const weir_partition *list, size_t n,
		     void *user)
{
	weir_error err;

	(void)user;
	for (size_t i = 0; i < n; i++) {
		weir_partition p = list[i];

		p.offset = WEIR_OFFSET_BEGINNING;
		if (!(event == WEIR_GROUP_ASSIGNED ? weir_consumer_assign : weir_consumer_unassign)(consumer, &p, 1,
												    &err))
			die(&err);
	}
}

static weir_consumer *open_consumer(struct bench *b, int64_t queue_bytes)
{
	static char group[64];
	const char *topic = "bench-in";
	weir_error err;

	if (b->commit_ms)
		snprintf(group, sizeof group, "bench-%lld", (long long)time(NULL));
	weir_consumer_opts opts = { .group = b->commit_ms ? group : NULL,
				    .queue_bytes_max = queue_bytes,
				    .on_group = b->commit_ms ? on_group : NULL };
	weir_consumer *consumer = weir_consumer_open(b->cluster, opts, &err);

	if (!consumer)
		die(&err);
	if (b->commit_ms) {
		if (!weir_consumer_subscribe(consumer, &topic, 1, &err))
			die(&err);
		return consumer;
	}
	for (int32_t p = 0; p < PARTITIONS; p++)
		on_group(consumer, WEIR_GROUP_ASSIGNED, &(weir_partition){ .topic = topic, .partition = p }, 1,
			 NULL);
	return consumer;
}

static void open_producer(struct bench *b, int64_t queue_bytes)
{
	char id[64];
	weir_error err;

	snprintf(id, sizeof id, "bench-%lld", (long long)time(NULL));
	b->producer = weir_producer_open(b->cluster,
					 (weir_producer_opts){ .transactional_id = b->commit_ms ? id : NULL,
							       .linger_ms = 50,
							       .queue_bytes_max = queue_bytes,
							       .transaction_timeout_ms = 60000 },
					 &err);
	if (!b->producer || (b->commit_ms && !weir_producer_init(b->producer, 30000, &err)))
		die(&err);
}

static void run(struct bench *b, const char *what, int64_t queue_bytes)
{
	weir_error err;

	make_topic(b->cluster, "bench-out");
	if (strcmp(what, "consume"))
		open_producer(b, queue_bytes);
	weir_consumer *consumer = open_consumer(b, queue_bytes);
	double begun_cpu = cpu();

	while (b->n < b->wanted) {
		b->commit_at_us = weir_clock_system()->monotonic_us(weir_clock_system()) + b->commit_ms * 1000;
		do {
			if (!weir_consumer_poll(consumer, 100, take, b, &err))
				die(&err);
			if (b->producer)
				weir_producer_poll(b->producer, 0);
		} while (b->n < b->wanted &&
			 weir_clock_system()->monotonic_us(weir_clock_system()) < b->commit_at_us);
		if (b->commit_ms && b->begun)
			finish_txn(b, consumer);
	}
	if (b->producer && !weir_producer_flush(b->producer, 60000, &err))
		die(&err);
	printf("%s: records=%" PRId64 " records/s=%.0f cpu-s/M=%.3f rss=%ld MB\n", what, b->n,
	       (double)b->n / (now() - b->first_at), (cpu() - begun_cpu) * 1e6 / (double)b->n, peak_mb());
	weir_consumer_close(consumer);
	weir_producer_close(b->producer);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	struct bench b = { .wanted = (argc > 2 ? atol(argv[2]) : 1000) * 1000L };
	int64_t queue_bytes = (int64_t)(argc > 3 ? atol(argv[3]) : 64) << 20;

	if (!strcmp(what, "exact"))
		b.commit_ms = argc > 4 ? atol(argv[4]) : 100;
	b.cluster = connect_cluster();
	if (!strcmp(what, "load"))
		load(b.cluster, b.wanted);
	else if (!strcmp(what, "consume") || !strcmp(what, "copy") || !strcmp(what, "exact"))
		run(&b, what, queue_bytes);
	else
		fprintf(stderr,
			"usage: bench-kafka_port load|consume|copy|exact [thousands [queue MB [commit ms]]]\n");
	weir_cluster_free(b.cluster);
	return 0;
}
