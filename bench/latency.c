/*
 * How old a record is when its effect can be read: paced records into one topic, W1's counts read (read_committed)
 * from another, while an application runs between them (bench-streams --serve, or Kafka Streams' twin).
 *
 *   bench-latency BOOTSTRAP IN OUT RECORDS-A-SECOND WARM-UP-S RUN-S
 *
 * For each record sent in the seconds after the warm-up: the time from its timestamp, taken at the send, until
 * the first count that includes it was handed over by the poll. Counts include records in the order in which they
 * were sent, key by key and window by window. Prints one line of key=value, times in ms.
 *
 * A burst each millisecond, the partitions in turn, cities by Zipf's law among those of the partition. Both clocks
 * are this machine's.
 */
#include "bench/common/generate.h"
#include <weir/kafka.h>
#include <weir/log.h>
#include <weir/processor.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	PARTITIONS = 4,
	CITIES = 5000,
	WINDOWS_MAX = 8,
	TAIL_S = 2, /* goes on after the run, as before it */
	GIVE_UP_S = 30,
	BUCKET_US = 100,
	BUCKETS = 600000, /* a minute */
};

#define WINDOW_MS WEIR_MINUTES(5)

/* The records of a city in a window, in the order sent. */
struct sequence {
	int64_t *sent_us;
	size_t count, capacity, seen;
};

struct latency {
	weir_cluster *cluster;
	const char *in, *out;
	int64_t rate, begin_us, end_us; /* of the run */
	int64_t first_window;
	pthread_mutex_t lock; /* for what follows */
	struct sequence sent[CITIES][WINDOWS_MAX];
	int64_t in_run;
	bool all_sent;
	/* of the reader */
	int64_t seen_in_run, outputs;
	uint32_t *buckets;
	int64_t behind_us_max; /* of the sender */
};

static void must(bool ok, const weir_error *err)
{
	if (ok)
		return;
	fprintf(stderr, "bench-latency: %s\n", err->message);
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

struct cities {
	uint32_t of[CITIES], count;
	double *zipf;
};

static void share_cities(struct cities *shares)
{
	char key[KEY_MAX];

	memset(shares, 0, PARTITIONS * sizeof *shares);
	for (uint32_t c = 0; c < CITIES; c++) {
		size_t n = generate_key(key, "city-", c, 4);
		struct cities *share = &shares[weir_partition_for_key(weir_bytes_of(key, n), PARTITIONS)];

		share->of[share->count++] = c;
	}
	for (int p = 0; p < PARTITIONS; p++)
		shares[p].zipf = generate_zipf(shares[p].count);
}

static void note_sent(struct latency *l, uint32_t city, int64_t ms, int64_t us)
{
	pthread_mutex_lock(&l->lock);
	struct sequence *s = &l->sent[city][(ms / WINDOW_MS - l->first_window) % WINDOWS_MAX];

	if (s->count == s->capacity) {
		s->capacity = s->capacity ? 2 * s->capacity : 64;
		if (!(s->sent_us = realloc(s->sent_us, s->capacity * sizeof *s->sent_us)))
			abort();
	}
	s->sent_us[s->count++] = us;
	l->in_run += us >= l->begin_us && us < l->end_us;
	pthread_mutex_unlock(&l->lock);
}

static void send_one(struct latency *l, weir_producer *p, struct generator *g, const struct cities *share,
		     int32_t partition)
{
	char key[KEY_MAX], value[VALUE_MAX];
	uint32_t city = share->of[generate_rank(share->zipf, share->count, generate_unit(g))];
	size_t key_len = generate_key(key, "city-", city, 4);
	int64_t ms = now_ms();
	weir_error err;
	weir_produced r = {
		.topic = l->in, .partition = partition, .timestamp_ms = ms, .key = weir_bytes_of(key, key_len)
	};

	r.value = weir_bytes_of(value, generate_value(g, key, ms, value));
	note_sent(l, city, ms, now_us());
	must(weir_producer_send(p, &r, &err), &err);
}

static void *sender(void *latency)
{
	struct latency *l = latency;
	struct generator g = { .state = 1 };
	struct cities *shares = malloc(PARTITIONS * sizeof *shares);
	weir_error err;
	weir_producer *p = weir_producer_open(l->cluster, (weir_producer_opts){ .linger_ms = 1 }, &err);
	int64_t start = now_us(), stop = l->end_us + TAIL_S * 1000000, sent = 0;

	must(p && shares, &err);
	share_cities(shares);
	for (int64_t now = start; now < stop; now = now_us()) {
		int64_t due = (now - start) * l->rate / 1000000;
		int64_t behind = now - start - sent * 1000000 / l->rate;

		if (now >= l->begin_us && now < l->end_us && behind > l->behind_us_max)
			l->behind_us_max = behind;
		for (; sent < due; sent++)
			send_one(l, p, &g, &shares[sent % PARTITIONS], (int32_t)(sent % PARTITIONS));
		weir_producer_poll(p, 0);
		usleep(1000);
	}
	must(weir_producer_flush(p, GIVE_UP_S * 1000, &err), &err);
	weir_producer_close(p);
	for (int i = 0; i < PARTITIONS; i++)
		free(shares[i].zipf);
	free(shares);
	pthread_mutex_lock(&l->lock);
	l->all_sent = true;
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

/* --- reading ------------------------------------------------------------------------------------------------- */

static bool take(const weir_kafka_record *r, void *user)
{
	struct latency *l = user;
	int64_t now = now_us(), count = weir_get_be64(r->value.data);
	const char *key = r->key.data;
	uint32_t city = (uint32_t)strtoul((char[]){ key[5], key[6], key[7], key[8], 0 }, NULL, 10);
	int64_t start_ms = weir_get_be64(key + r->key.len - 8);

	l->outputs++;
	pthread_mutex_lock(&l->lock);
	struct sequence *s = &l->sent[city][(start_ms / WINDOW_MS - l->first_window) % WINDOWS_MAX];

	for (; s->seen < (size_t)count && s->seen < s->count; s->seen++) {
		int64_t sent = s->sent_us[s->seen];

		if (sent < l->begin_us || sent >= l->end_us)
			continue;
		int64_t bucket = (now - sent) / BUCKET_US;

		l->buckets[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
		l->seen_in_run++;
	}
	pthread_mutex_unlock(&l->lock);
	return true;
}

static bool seen_all(struct latency *l)
{
	pthread_mutex_lock(&l->lock);
	bool all = l->all_sent && l->seen_in_run == l->in_run;

	pthread_mutex_unlock(&l->lock);
	return all;
}

static void read_outputs(struct latency *l, weir_consumer *consumer)
{
	int64_t give_up = l->end_us + (TAIL_S + GIVE_UP_S) * 1000000LL;
	weir_error err;

	while (!seen_all(l) && now_us() < give_up)
		must(weir_consumer_poll(consumer, 100, take, l, &err), &err);
}

static double quantile(const struct latency *l, double q)
{
	int64_t at = 0, wanted = (int64_t)(q * (double)l->seen_in_run);

	for (int i = 0; i < BUCKETS; i++)
		if ((at += l->buckets[i]) > wanted || (at && at == l->seen_in_run))
			return (double)(i + 1) * BUCKET_US / 1000;
	return 0;
}

static weir_consumer *open_reader(struct latency *l)
{
	weir_error err;
	weir_consumer *consumer = weir_consumer_open(l->cluster, (weir_consumer_opts){ 0 }, &err);

	must(consumer != NULL, &err);
	for (int32_t p = 0; p < PARTITIONS; p++)
		must(weir_consumer_assign(
			     consumer,
			     &(weir_partition){ .topic = l->out, .partition = p, .offset = WEIR_OFFSET_BEGINNING },
			     1, &err),
		     &err);
	must(weir_consumer_poll(consumer, 500, take, l, &err), &err);
	return consumer;
}

static struct latency latency;

int main(int argc, char **argv)
{
	weir_config *cfg = weir_config_new();
	struct latency *l = &latency;
	weir_error err;
	pthread_t thread;

	if (argc != 7) {
		fprintf(stderr, "usage: %s BOOTSTRAP IN OUT RATE WARM-UP-S RUN-S\n", argv[0]);
		return 2;
	}
	weir_log_set(weir_log_stderr, NULL, WEIR_LOG_WARN);
	must(weir_config_set(cfg, "bootstrap.servers", argv[1], WEIR_FROM_COMMAND_LINE, "argument", &err), &err);
	l->cluster = weir_cluster_open(cfg, &err);
	must(l->cluster != NULL, &err);
	l->in = argv[2];
	l->out = argv[3];
	l->rate = atoll(argv[4]);
	l->first_window = now_ms() / WINDOW_MS;
	l->buckets = calloc(BUCKETS, sizeof *l->buckets);
	pthread_mutex_init(&l->lock, NULL);
	weir_consumer *consumer = open_reader(l);

	l->begin_us = now_us() + atoll(argv[5]) * 1000000;
	l->end_us = l->begin_us + atoll(argv[6]) * 1000000;
	if (!l->buckets || pthread_create(&thread, NULL, sender, l) != 0)
		abort();
	read_outputs(l, consumer);
	pthread_join(thread, NULL);
	printf("sent=%" PRId64 " seen=%" PRId64 " outputs=%" PRId64
	       " p50_ms=%.1f p90_ms=%.1f p99_ms=%.1f p999_ms=%.1f max_ms=%.1f sender_behind_ms=%.1f\n",
	       l->in_run, l->seen_in_run, l->outputs, quantile(l, 0.5), quantile(l, 0.9), quantile(l, 0.99),
	       quantile(l, 0.999), quantile(l, 1), (double)l->behind_us_max / 1000);
	bool all = l->seen_in_run == l->in_run;

	weir_consumer_close(consumer);
	for (int c = 0; c < CITIES; c++)
		for (int w = 0; w < WINDOWS_MAX; w++)
			free(l->sent[c][w].sent_us);
	free(l->buckets);
	weir_cluster_free(l->cluster);
	weir_config_free(cfg);
	return all ? 0 : 1;
}
