/*
 * From the kill of an application to its first new result: paced records into one topic, counts of them read
 * (read_committed) from another, and in between bench-streams W3 --serve, or Kafka Streams' twin, which is killed.
 *
 *   bench-recovery BOOTSTRAP IN OUT KEYS RECORDS-A-SECOND LOAD-S PID
 *
 * KEYS are spread as kind each:KEYS (bench/common/generate.h) has them. Besides, each partition is sent a probe
 * every PROBE_MS: a key that there never was before, so that its count is 1, and comes once. The count of one that
 * was sent after the kill can only be the new process's. LOAD-S seconds after the first probe's count was seen PID
 * is killed by SIGKILL; whoever started it starts it again. Ends when all probes have been seen, the last of
 * them younger than CAUGHT_UP_MS.
 *
 * Prints "killed" at the kill, then one line of key=value, times in ms from the kill: first_ms until the first
 * count of a probe sent after it, all_ms until there was one of each partition, caught_up_ms until counts are as
 * young as they should be. Exit code 1 when a probe was counted twice, or not at all.
 */
#include "bench/common/generate.h"
#include <weir/kafka.h>
#include <weir/log.h>

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	PARTITIONS_MAX = 64,
	PROBE_MS = 10,
	PROBES_MAX = 100 * 600, /* of a partition: ten minutes */
	CAUGHT_UP_MS = 500,
	GIVE_UP_S = 300,
};

struct probe {
	int64_t sent_us;
	uint32_t seen;
};

struct recovery {
	weir_cluster *cluster;
	const char *in, *out;
	uint32_t keys;
	int64_t rate, load_us;
	pid_t pid;
	int32_t partitions;
	int64_t began_ms;     /* tells the probes of this run from those of others */
	atomic_bool enough;   /* nothing more is to be sent */
	pthread_mutex_t lock; /* for what follows */
	struct probe *probes[PARTITIONS_MAX];
	uint32_t sent[PARTITIONS_MAX];
	int64_t records_sent;
	/* of the reader */
	int64_t first_seen_us, killed_us, first_us, all_us, caught_up_us;
	int64_t new_us[PARTITIONS_MAX]; /* first count of a probe sent after the kill */
	int64_t seen, wrong, killed_epoch_ms;
};

static void must(bool ok, const weir_error *err)
{
	if (ok)
		return;
	fprintf(stderr, "bench-recovery: %s\n", err->message);
	exit(1);
}

static int64_t now_us(void)
{
	return weir_clock_system()->monotonic_us(weir_clock_system());
}

static int64_t now_ms(void)
{
	return weir_clock_system()->wall_ms(weir_clock_system());
}

/* --- sending ------------------------------------------------------------------------------------------------- */

static void send_one(struct recovery *c, weir_producer *p, struct generator *g)
{
	char key[KEY_MAX], value[VALUE_MAX];
	size_t n = generate_key(key, "user-", generate_below(g, c->keys), 7);
	int64_t ms = now_ms();
	weir_error err;
	weir_produced r = { .topic = c->in, .partition = -1, .timestamp_ms = ms, .key = weir_bytes_of(key, n) };

	r.value = weir_bytes_of(value, generate_value(g, key, ms, value));
	must(weir_producer_send(p, &r, &err), &err);
}

static void send_probes(struct recovery *c, weir_producer *p)
{
	char key[64];
	weir_error err;

	for (int32_t i = 0; i < c->partitions && c->sent[i] < PROBES_MAX; i++) {
		int n = snprintf(key, sizeof key, "probe-%" PRId64 "-%d-%" PRIu32, c->began_ms, (int)i, c->sent[i]);
		weir_produced r = { .topic = c->in,
				    .partition = i,
				    .timestamp_ms = now_ms(),
				    .key = weir_bytes_of(key, (size_t)n),
				    .value = weir_str("probe") };

		pthread_mutex_lock(&c->lock);
		c->probes[i][c->sent[i]++].sent_us = now_us();
		pthread_mutex_unlock(&c->lock);
		must(weir_producer_send(p, &r, &err), &err);
	}
}

static void *sender(void *recovery)
{
	struct recovery *c = recovery;
	struct generator g = { .state = (uint64_t)c->began_ms };
	weir_error err;
	weir_producer *p = weir_producer_open(c->cluster, (weir_producer_opts){ .linger_ms = 1 }, &err);
	int64_t start = now_us(), sent = 0, next_probe_us = start;

	must(p != NULL, &err);
	while (!atomic_load(&c->enough)) {
		int64_t now = now_us(), due = (now - start) * c->rate / 1000000;

		for (; sent < due; sent++)
			send_one(c, p, &g);
		if (now >= next_probe_us) {
			send_probes(c, p);
			next_probe_us += PROBE_MS * 1000;
		}
		weir_producer_poll(p, 0);
		usleep(1000);
	}
	must(weir_producer_flush(p, GIVE_UP_S * 1000, &err), &err);
	weir_producer_close(p);
	c->records_sent = sent;
	return NULL;
}

/* --- reading ------------------------------------------------------------------------------------------------- */

static void note_new(struct recovery *c, int32_t partition, int64_t sent, int64_t now)
{
	bool all = true;

	if (!c->first_us)
		c->first_us = now;
	if (!c->new_us[partition])
		c->new_us[partition] = now;
	for (int32_t i = 0; i < c->partitions; i++)
		all &= c->new_us[i] != 0;
	if (all && !c->all_us)
		c->all_us = now;
	if (c->all_us && !c->caught_up_us && now - sent < CAUGHT_UP_MS * 1000)
		c->caught_up_us = now;
}

static bool take(const weir_kafka_record *r, void *user)
{
	struct recovery *c = user;
	char key[64] = { 0 };
	int64_t began, now = now_us();
	uint32_t number;
	int partition;

	if (r->key.len >= sizeof key)
		return true;
	memcpy(key, r->key.data, r->key.len);
	if (sscanf(key, "probe-%" SCNd64 "-%d-%" SCNu32, &began, &partition, &number) != 3 || began != c->began_ms)
		return true;
	pthread_mutex_lock(&c->lock);
	struct probe *probe = &c->probes[partition][number];

	c->seen += probe->seen == 0;
	c->wrong += probe->seen++ > 0 || r->value.len != 8 || weir_get_be64(r->value.data) != 1;
	if (!c->first_seen_us)
		c->first_seen_us = now;
	if (c->killed_us && probe->sent_us > c->killed_us)
		note_new(c, partition, probe->sent_us, now);
	pthread_mutex_unlock(&c->lock);
	return true;
}

static void kill_when_due(struct recovery *c)
{
	if (c->killed_us || !c->first_seen_us || now_us() - c->first_seen_us < c->load_us)
		return;
	c->killed_epoch_ms = now_ms();
	c->killed_us = now_us();
	if (kill(c->pid, SIGKILL) != 0) {
		perror("bench-recovery: kill");
		exit(1);
	}
	printf("killed\n");
	fflush(stdout);
}

static int64_t missing(struct recovery *c)
{
	int64_t n = 0;

	pthread_mutex_lock(&c->lock);
	for (int32_t i = 0; i < c->partitions; i++)
		n += c->sent[i];
	n -= c->seen;
	pthread_mutex_unlock(&c->lock);
	return n;
}

static void read_counts(struct recovery *c, weir_consumer *consumer)
{
	int64_t give_up_us = now_us() + GIVE_UP_S * INT64_C(1000000);
	weir_error err;

	while (now_us() < give_up_us) {
		must(weir_consumer_poll(consumer, 2, take, c, &err), &err);
		kill_when_due(c);
		if (c->caught_up_us)
			atomic_store(&c->enough, true);
		if (c->caught_up_us && missing(c) == 0)
			break;
	}
	atomic_store(&c->enough, true);
}

static weir_consumer *open_reader(struct recovery *c)
{
	weir_error err;
	weir_consumer *consumer = weir_consumer_open(c->cluster, (weir_consumer_opts){ 0 }, &err);

	must(consumer != NULL, &err);
	for (int32_t i = 0; i < weir_topic_partitions(c->cluster, c->out, &err); i++) {
		weir_partition p = { .topic = c->out, .partition = i };

		must(weir_offsets_range(c->cluster, c->out, i, NULL, &p.offset, &err), &err);
		must(weir_consumer_assign(consumer, &p, 1, &err), &err);
	}
	return consumer;
}

static bool report(struct recovery *c)
{
	int64_t lost = missing(c);

	printf("records=%" PRId64 " probes=%" PRId64 " wrong=%" PRId64 " missing=%" PRId64
	       " killed_epoch_ms=%" PRId64 " first_ms=%" PRId64 " all_ms=%" PRId64 " caught_up_ms=%" PRId64 "\n",
	       c->records_sent, c->seen, c->wrong, lost, c->killed_epoch_ms,
	       c->first_us ? (c->first_us - c->killed_us) / 1000 : -1,
	       c->all_us ? (c->all_us - c->killed_us) / 1000 : -1,
	       c->caught_up_us ? (c->caught_up_us - c->killed_us) / 1000 : -1);
	return c->caught_up_us && !lost && !c->wrong;
}

static struct recovery recovery;

int main(int argc, char **argv)
{
	weir_config *cfg = weir_config_new();
	struct recovery *c = &recovery;
	weir_error err;
	pthread_t thread;

	if (argc != 8) {
		fprintf(stderr, "usage: %s BOOTSTRAP IN OUT KEYS RECORDS-A-SECOND LOAD-S PID\n", argv[0]);
		return 2;
	}
	weir_log_set(weir_log_stderr, NULL, WEIR_LOG_WARN);
	must(weir_config_set(cfg, "bootstrap.servers", argv[1], WEIR_FROM_COMMAND_LINE, "argument", &err), &err);
	c->cluster = weir_cluster_open(cfg, &err);
	must(c->cluster != NULL, &err);
	*c = (struct recovery){ .cluster = c->cluster,
				.in = argv[2],
				.out = argv[3],
				.keys = (uint32_t)atol(argv[4]),
				.rate = atoll(argv[5]),
				.load_us = atoll(argv[6]) * 1000000,
				.pid = (pid_t)atol(argv[7]),
				.began_ms = now_ms() };
	c->partitions = weir_topic_partitions(c->cluster, c->in, &err);
	must(c->partitions > 0 && c->partitions <= PARTITIONS_MAX && c->keys > 0 && c->pid > 1, &err);
	for (int32_t i = 0; i < c->partitions; i++)
		if (!(c->probes[i] = calloc(PROBES_MAX, sizeof *c->probes[i])))
			abort();
	pthread_mutex_init(&c->lock, NULL);
	weir_consumer *consumer = open_reader(c);

	if (pthread_create(&thread, NULL, sender, c) != 0)
		abort();
	read_counts(c, consumer);
	pthread_join(thread, NULL);
	bool right = report(c);

	weir_consumer_close(consumer);
	for (int32_t i = 0; i < c->partitions; i++)
		free(c->probes[i]);
	weir_cluster_free(c->cluster);
	weir_config_free(cfg);
	return right ? 0 : 1;
}
