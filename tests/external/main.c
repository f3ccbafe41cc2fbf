/* A program outside the tree: a record goes through an embedded cluster and is counted. Says "hello" if all is
 * well. */
#include <stdio.h>
#include <string.h>

#include <weir/config.h>
#include <weir/hll.h>
#include <weir/kafka.h>
#include <weir/log.h>
#include <weir/metrics.h>
#include <weir/rng.h>

static const weir_metric_def defs[] = {
	{ "stranger_records_total", WEIR_COUNTER, { "topic" }, 0, "Records read." },
};

struct reader {
	weir_counter *records;
	weir_hll values;
	char last[64];
};

static bool take(const weir_kafka_record *record, void *user)
{
	struct reader *reader = user;

	weir_counter_add_single(reader->records, 1);
	weir_hll_add(&reader->values, weir_hll_hash(record->value));
	snprintf(reader->last, sizeof reader->last, "%.*s", (int)record->value.len,
		 (const char *)record->value.data);
	return true;
}

static bool produce(weir_cluster *cluster, weir_error *err)
{
	weir_producer *producer = weir_producer_open(cluster, (weir_producer_opts){ 0 }, err);
	weir_produced record = {
		.topic = "greetings", .partition = -1, .timestamp_ms = 1, .value = weir_str("hello")
	};
	bool ok =
		producer && weir_producer_send(producer, &record, err) && weir_producer_flush(producer, 5000, err);

	weir_producer_close(producer);
	return ok;
}

static bool consume(weir_cluster *cluster, struct reader *reader, weir_error *err)
{
	weir_consumer *consumer = weir_consumer_open(cluster, (weir_consumer_opts){ 0 }, err);
	weir_partition from = { .topic = "greetings", .partition = 0, .offset = WEIR_OFFSET_BEGINNING };
	bool ok = consumer && weir_consumer_assign(consumer, &from, 1, err);

	for (int i = 0; ok && i < 100 && !reader->last[0]; i++)
		ok = weir_consumer_poll(consumer, 50, take, reader, err);
	weir_consumer_close(consumer);
	return ok;
}

int main(void)
{
	static struct reader reader;
	weir_error err = { 0 };
	weir_config *cfg = weir_config_new();
	weir_metrics *metrics = weir_metrics_new();
	weir_cluster *cluster = weir_cluster_embedded((weir_embedded_opts){ .partitions = 1 });
	const char *labels[] = { "greetings" };

	weir_log_set(weir_log_stderr, NULL, WEIR_LOG_WARN);
	weir_metrics_add(metrics, defs, 1);
	reader.records = weir_counter_open(metrics, "stranger_records_total", labels);
	bool ok = weir_config_check(cfg, &err) && produce(cluster, &err) && consume(cluster, &reader, &err);
	if (!ok)
		fprintf(stderr, "%s\n", err.message);
	ok = ok && weir_metrics_value(metrics, "stranger_records_total", labels) == 1 &&
	     weir_hll_estimate(&reader.values) == 1;
	puts(ok ? reader.last : "failed");
	weir_cluster_free(cluster);
	weir_metrics_free(metrics);
	weir_config_free(cfg);
	return !ok;
}
