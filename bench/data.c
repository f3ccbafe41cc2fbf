/*
 * The workloads' topics on a real cluster: filled, and summed up.
 *
 *   bench-data BOOTSTRAP load TOPIC KIND SEED RECORDS PARTITIONS   does nothing when it holds that many already
 *   bench-data BOOTSTRAP digest TOPIC                              committed records, as a line of key=value
 *   bench-data BOOTSTRAP create TOPIC PARTITIONS
 *   bench-data BOOTSTRAP drop TOPIC...
 *   bench-data BOOTSTRAP clean APPLICATION-ID                      its group and internal topics
 *   bench-data BOOTSTRAP lag GROUP TOPIC                           records behind the group's committed positions
 *
 * KIND: city, user, user:N, each:N, large:N, k (bench/common/generate.h).
 *
 * A digest does not depend on the order. Of a topic of counts (values of 8 bytes): keys, the sum of the greatest
 * value of each key, and the sum of fnv1a64(key) * that value. Of others: the sum of fnv1a64(key) * 31 +
 * fnv1a64(value) over the records.
 */
#include "bench/common/generate.h"
#include <weir/kafka.h>
#include <weir/log.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(bool ok, const weir_error *err)
{
	if (ok)
		return;
	fprintf(stderr, "bench-data: %s\n", err->message);
	exit(1);
}

static int64_t records_in(weir_cluster *cluster, const char *topic)
{
	weir_error err;
	int32_t partitions = weir_topic_partitions(cluster, topic, &err);
	int64_t first, end, total = 0;

	must(partitions >= 0, &err);
	for (int32_t p = 0; p < partitions; p++) {
		must(weir_offsets_range(cluster, topic, p, &first, &end, &err), &err);
		total += end - first;
	}
	return total;
}

/* --- load ---------------------------------------------------------------------------------------------------- */

static void create(weir_cluster *cluster, const char *topic, int32_t partitions)
{
	/* the records are as old as their event time */
	static const char *const keep[][2] = { { "retention.ms", "-1" } };
	weir_topic_spec spec = { topic, partitions, 0, keep, 1 };
	weir_error err;

	must(weir_topics_create(cluster, &spec, 1, &err), &err);
}

static void fill(weir_cluster *cluster, const char *topic, struct generator *g, int64_t records)
{
	struct generated r;
	weir_error err;
	weir_producer *p = weir_producer_open(cluster, (weir_producer_opts){ .linger_ms = 20 }, &err);

	must(p != NULL, &err);
	for (int64_t i = 0; i < records; i++) {
		generate(g, i, records, &r);
		weir_produced out = { .topic = topic,
				      .partition = -1,
				      .timestamp_ms = r.timestamp_ms,
				      .key = weir_bytes_of(r.key, r.key_len),
				      .value = weir_bytes_of(r.value, r.value_len) };

		must(weir_producer_send(p, &out, &err), &err);
		if (i % 1000 == 0)
			weir_producer_poll(p, 0);
	}
	must(weir_producer_flush(p, 120000, &err), &err);
	weir_producer_close(p);
}

static void load(weir_cluster *cluster, char **argv)
{
	const char *topic = argv[0];
	int64_t records = atoll(argv[3]), have;
	struct generator g;
	weir_error err;

	if (!generator_init(&g, argv[1], strtoull(argv[2], NULL, 10))) {
		fprintf(stderr, "bench-data: no kind of records \"%s\"\n", argv[1]);
		exit(2);
	}
	have = records_in(cluster, topic);
	if (have == records) {
		generator_release(&g);
		return;
	}
	if (have) { /* of a load that was broken off */
		must(weir_topics_delete(cluster, (const char *const *)argv, 1, &err), &err);
		while (weir_topic_partitions(cluster, topic, &err) > 0)
			;
	}
	create(cluster, topic, (int32_t)atoi(argv[4]));
	fill(cluster, topic, &g, records);
	generator_release(&g);
	printf("topic=%s loaded=%" PRId64 "\n", topic, records_in(cluster, topic));
}

/* --- digest -------------------------------------------------------------------------------------------------- */

struct count {
	uint64_t key; /* its hash */
	uint64_t value;
};

struct digest {
	struct count *counts;
	size_t count_count, capacity;
	uint64_t sum_of_others;
	int64_t records, others;
};

static uint64_t fnv1a64(weir_bytes b)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < b.len; i++)
		hash = (hash ^ ((const unsigned char *)b.data)[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static bool take(const weir_kafka_record *r, void *user)
{
	struct digest *d = user;

	d->records++;
	if (r->value.len != 8) {
		d->others++;
		d->sum_of_others += fnv1a64(r->key) * 31 + fnv1a64(r->value);
		return true;
	}
	if (d->count_count == d->capacity) {
		d->capacity = d->capacity ? 2 * d->capacity : 1 << 16;
		if (!(d->counts = realloc(d->counts, d->capacity * sizeof *d->counts)))
			abort();
	}
	d->counts[d->count_count++] = (struct count){ fnv1a64(r->key), (uint64_t)weir_get_be64(r->value.data) };
	return true;
}

static int by_key_then_value(const void *a, const void *b)
{
	const struct count *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->value < y->value ? -1 : x->value > y->value;
}

static void read_all(weir_cluster *cluster, const char *topic, struct digest *d)
{
	weir_error err;
	int32_t n = weir_topic_partitions(cluster, topic, &err);
	weir_consumer *consumer = weir_consumer_open(cluster, (weir_consumer_opts){ 0 }, &err);
	int64_t first, *ends = calloc((size_t)n + 1, sizeof *ends);

	must(n > 0 && consumer && ends, &err);
	for (int32_t p = 0; p < n; p++) {
		weir_partition one = { .topic = topic, .partition = p, .offset = WEIR_OFFSET_BEGINNING };

		must(weir_offsets_range(cluster, topic, p, &first, &ends[p], &err), &err);
		must(weir_consumer_assign(consumer, &one, 1, &err), &err);
	}
	for (int32_t done = 0; done < n;) {
		must(weir_consumer_poll(consumer, 100, take, d, &err), &err);
		while (done < n && weir_consumer_position(consumer, topic, done) >= ends[done])
			done++;
	}
	weir_consumer_close(consumer);
	free(ends);
}

static void digest(weir_cluster *cluster, const char *topic)
{
	struct digest d = { 0 };
	int64_t keys = 0;
	uint64_t sum = 0, digest = 0;

	read_all(cluster, topic, &d);
	qsort(d.counts, d.count_count, sizeof *d.counts, by_key_then_value);
	for (size_t i = 0; i < d.count_count; i++) {
		if (i + 1 < d.count_count && d.counts[i].key == d.counts[i + 1].key)
			continue; /* only the greatest */
		keys++;
		sum += d.counts[i].value;
		digest += d.counts[i].key * d.counts[i].value;
	}
	if (d.others)
		printf("topic=%s outputs=%" PRId64 " digest=%016" PRIx64 "\n", topic, d.records, d.sum_of_others);
	else
		printf("topic=%s outputs=%" PRId64 " keys=%" PRId64 " sum=%" PRIu64 " digest=%016" PRIx64 "\n",
		       topic, d.records, keys, sum, digest);
	free(d.counts);
}

/* --- the rest ------------------------------------------------------------------------------------------------ */

struct found {
	const char *application_id;
	char *names[64];
	size_t count;
};

static void find_internal(const char *topic, int32_t partitions, void *user)
{
	struct found *f = user;
	size_t n = strlen(f->application_id);

	(void)partitions;
	if (!strncmp(topic, f->application_id, n) && topic[n] == '-' && f->count < 64)
		f->names[f->count++] = strdup(topic);
}

static void clean(weir_cluster *cluster, const char *application_id)
{
	struct found f = { .application_id = application_id };
	weir_error err;

	must(weir_topics_each(cluster, find_internal, &f, &err), &err);
	if (f.count)
		must(weir_topics_delete(cluster, (const char *const *)f.names, f.count, &err), &err);
	for (size_t i = 0; i < f.count; i++)
		free(f.names[i]);
	must(weir_group_delete(cluster, application_id, &err), &err);
}

static void lag(weir_cluster *cluster, const char *group, const char *topic)
{
	weir_error err;
	int32_t n = weir_topic_partitions(cluster, topic, &err);
	int64_t first, end, behind = 0;

	must(n > 0, &err);
	for (int32_t p = 0; p < n; p++) {
		weir_partition one = { .topic = topic, .partition = p };

		must(weir_offsets_range(cluster, topic, p, &first, &end, &err) &&
			     weir_group_committed(cluster, group, &one, 1, 30000, &err),
		     &err);
		behind += end - (one.offset > first ? one.offset : first);
		weir_partitions_release(&one, 1);
	}
	printf("%" PRId64 "\n", behind);
}

static bool run(weir_cluster *cluster, const char *what, int argc, char **argv)
{
	weir_error err;

	if (!strcmp(what, "load") && argc == 5)
		load(cluster, argv);
	else if (!strcmp(what, "digest") && argc == 1)
		digest(cluster, argv[0]);
	else if (!strcmp(what, "create") && argc == 2)
		create(cluster, argv[0], (int32_t)atoi(argv[1]));
	else if (!strcmp(what, "drop") && argc > 0)
		must(weir_topics_delete(cluster, (const char *const *)argv, (size_t)argc, &err), &err);
	else if (!strcmp(what, "clean") && argc == 1)
		clean(cluster, argv[0]);
	else if (!strcmp(what, "lag") && argc == 2)
		lag(cluster, argv[0], argv[1]);
	else
		return false;
	return true;
}

int main(int argc, char **argv)
{
	weir_config *cfg = weir_config_new();
	weir_error err;

	weir_log_set(weir_log_stderr, NULL, WEIR_LOG_WARN);
	if (argc < 4) {
		fprintf(stderr, "usage: %s BOOTSTRAP load|digest|create|drop|clean|lag ARGUMENTS...\n", argv[0]);
		return 2;
	}
	must(weir_config_set(cfg, "bootstrap.servers", argv[1], WEIR_FROM_COMMAND_LINE, "argument", &err) &&
		     weir_config_set(cfg, "kafka.batch.size", "65536", WEIR_FROM_DEFAULT, "bench-data", &err),
	     &err);
	weir_cluster *cluster = weir_cluster_open(cfg, &err);

	must(cluster != NULL, &err);
	if (!run(cluster, argv[2], argc - 3, argv + 3)) {
		fprintf(stderr, "%s: wrong arguments for %s\n", argv[0], argv[2]);
		return 2;
	}
	weir_cluster_free(cluster);
	weir_config_free(cfg);
	return 0;
}
