#ifndef INGEST_FIXTURE_H
#define INGEST_FIXTURE_H
/* For tests of ingest: a configuration, a cluster in this process, and what lies in a topic afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include <weir/config.h>
#include <weir/kafka.h>

#include "apps/evilnet/evilnet.h"
#include "apps/evilnet/ingest.h"
#include "apps/evilnet/ingest_stats.h"

struct fixture {
	struct evilnet e;
	sig_atomic_t stop;
	int64_t stopped_us; /* when it was set, where a test asks */
	weir_metrics *metrics;
	struct ingest_stats stats; /* held open, so that they outlive ingest */
};

static inline void set(struct fixture *f, const char *name, const char *value)
{
	weir_error err;

	if (!weir_config_set(f->e.cfg, name, value, WEIR_FROM_COMMAND_LINE, "test", &err))
		fail_msg("%s", err.message);
}

/* On that cluster, which is the fixture's then. */
static inline void open_fixture_on(struct fixture *f, weir_cluster *cluster, const char *source)
{
	*f = (struct fixture){ .metrics = weir_metrics_new() };
	f->e.cfg = weir_config_new();
	evilnet_config_keys(f->e.cfg);
	f->e.cluster = cluster;
	f->e.stop = &f->stop;
	ingest_stats_open(&f->stats, f->metrics);
	if (source)
		set(f, "evilnet.source", source);
}

static inline void open_fixture(struct fixture *f, const char *source)
{
	open_fixture_on(f, weir_cluster_embedded((weir_embedded_opts){ 0 }), source);
}

static inline void close_fixture(struct fixture *f)
{
	ingest_stats_close(&f->stats);
	weir_cluster_free(f->e.cluster);
	weir_config_free(f->e.cfg);
	weir_metrics_free(f->metrics);
}

static inline int ingest(struct fixture *f)
{
	return ingest_run(&f->e,
			  (struct ingest_opts){ .metrics = f->metrics, .make_topics = true, .x_time_scale = 0.01 });
}

static inline int counted(struct fixture *f, const char *name, const char *label)
{
	return (int)weir_metrics_value(f->metrics, name, label ? (const char *const[]){ label } : NULL);
}

/* A record, copied. Texts end with a NUL; NULL where there is none. */
struct seen {
	int32_t partition;
	int64_t timestamp_ms;
	char *key, *value;
	size_t value_len;
	char *received, *reason, *source, *original_timestamp, *original_length;
};

struct seen_all {
	struct seen *items;
	size_t count;
};

static inline char *copy(weir_bytes b)
{
	char *text = b.data ? calloc(1, b.len + 1) : NULL;

	if (text)
		memcpy(text, b.data, b.len);
	return text;
}

static inline bool keep_record(const weir_kafka_record *r, void *user)
{
	struct seen_all *all = user;
	const weir_headers *h = weir_kafka_record_headers(r);

	all->items = realloc(all->items, (all->count + 1) * sizeof *all->items);
	all->items[all->count++] = (struct seen){
		.partition = r->partition,
		.timestamp_ms = r->timestamp_ms,
		.key = copy(r->key),
		.value = copy(r->value),
		.value_len = r->value.len,
		.received = copy(weir_headers_last(h, "received")),
		.reason = copy(weir_headers_last(h, "reason")),
		.source = copy(weir_headers_last(h, "source")),
		.original_timestamp = copy(weir_headers_last(h, "original-timestamp")),
		.original_length = copy(weir_headers_last(h, "original-length")),
	};
	return true;
}

/* All that lies in a topic, partition by partition. */
static inline struct seen_all read_topic(struct fixture *f, const char *topic)
{
	struct seen_all all = { 0 };
	weir_error err;
	int32_t partitions = weir_topic_partitions(f->e.cluster, topic, &err);

	for (int32_t p = 0; p < partitions; p++) {
		weir_consumer *consumer = weir_consumer_open(f->e.cluster, (weir_consumer_opts){ 0 }, &err);
		weir_partition from = { .topic = topic, .partition = p, .offset = WEIR_OFFSET_BEGINNING };
		int64_t first, end;

		assert_non_null(consumer);
		assert_true(weir_offsets_range(f->e.cluster, topic, p, &first, &end, &err));
		assert_true(weir_consumer_assign(consumer, &from, 1, &err));
		for (time_t until = time(NULL) + 60; weir_consumer_position(consumer, topic, p) < end;) {
			assert_true(weir_consumer_poll(consumer, 10, keep_record, &all, &err));
			assert_true(time(NULL) < until); /* a part of it is no answer */
		}
		weir_consumer_close(consumer);
	}
	return all;
}

static inline void release_seen(struct seen_all *all)
{
	for (size_t i = 0; i < all->count; i++) {
		struct seen *s = &all->items[i];
		free(s->key), free(s->value), free(s->received), free(s->reason), free(s->source);
		free(s->original_timestamp), free(s->original_length);
	}
	free(all->items);
}

#endif
