/*
 * What the record loop costs by itself: one worker over the cluster in memory, no Kafka. CPU is that of the
 * worker's thread from the first record to the last: the poll, the task, the state's cache, the changelog's
 * encoding and the commits, one each second.
 *
 *   bench-record_loop [records in thousands, 2000]
 */
#include "bench/common/generate.h"
#include <weir/weir.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { PARTITIONS = 4 };

static int64_t taken, wanted, begun_ns; /* of the worker's thread, until all are taken */
static atomic_llong cost_ns;

static void must(bool ok, const weir_error *err)
{
	if (ok)
		return;
	fprintf(stderr, "bench-record_loop: %s\n", err->message);
	exit(1);
}

static int64_t thread_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000 + t.tv_nsec;
}

static void look(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)r, (void)user;
	if (!taken++)
		begun_ns = thread_cpu_ns();
	if (taken == wanted)
		cost_ns = thread_cpu_ns() - begun_ns;
}

static bool keep(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)user;
	return weir_value_bytes(r).len > 0;
}

static const void *same(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)user;
	return weir_value(r);
}

/* --- topologies ----------------------------------------------------------------------------------------------- */

static weir_stream *source(weir_topology *t)
{
	return weir_peek(weir_source(t, "in", (weir_source_opts){ .value = &weir_utf8 }), "look", look, NULL);
}

static void nothing(weir_topology *t)
{
	source(t);
}

static void filter_and_map(weir_topology *t)
{
	weir_stream *s = weir_filter(source(t), "kept", keep, NULL);

	weir_sink(weir_map_values(s, "same", same, &weir_utf8, NULL), "out", (weir_sink_opts){ 0 });
}

static void count(weir_topology *t)
{
	weir_sink(weir_changes(weir_count(source(t), "counts", (weir_window){ 0 })), "out", (weir_sink_opts){ 0 });
}

static void windowed_count(weir_topology *t)
{
	weir_window window = { .size_ms = WEIR_MINUTES(5), .grace_ms = WEIR_MINUTES(5) };

	weir_sink(weir_changes(weir_count(source(t), "counts", window)), "out", (weir_sink_opts){ 0 });
}

/* --- one of them ---------------------------------------------------------------------------------------------- */

static void fill(weir_cluster *cluster, int64_t records)
{
	struct generator g;
	struct generated made;
	weir_error err;
	weir_producer *p = weir_producer_open(cluster, (weir_producer_opts){ 0 }, &err);

	must(p != NULL, &err);
	if (!generator_init(&g, "city", 1))
		exit(1);
	for (int64_t i = 0; i < records; i++) {
		generate(&g, i, records, &made);
		must(weir_producer_send(p,
					&(weir_produced){ .topic = "in",
							  .partition = -1,
							  .timestamp_ms = made.timestamp_ms,
							  .key = weir_bytes_of(made.key, made.key_len),
							  .value = weir_bytes_of(made.value, made.value_len) },
					&err),
		     &err);
	}
	generator_release(&g);
	weir_producer_close(p);
}

static void set(weir_config *cfg, const char *name, const char *value)
{
	weir_error err;

	must(weir_config_set(cfg, name, value, WEIR_FROM_DEFAULT, "bench-record_loop", &err), &err);
}

static void run(const char *what, void (*build)(weir_topology *), int64_t records)
{
	weir_cluster *cluster = weir_cluster_embedded((weir_embedded_opts){ .partitions = PARTITIONS });
	weir_topic_spec out = { .name = "out", .partitions = PARTITIONS };
	weir_topology *t = weir_topology_new("bench-record_loop");
	weir_config *cfg = weir_config_new();
	weir_error err;

	set(cfg, "application.id", "bench-record_loop");
	set(cfg, "state.dir", "");
	set(cfg, "commit.interval.ms", "1000");
	must(weir_topics_create(cluster, &out, 1, &err), &err);
	fill(cluster, records);
	build(t);
	taken = 0, wanted = records, cost_ns = 0;
	weir_app *app = weir_app_new(t, cfg, cluster, (weir_app_opts){ 0 }, &err);

	must(app && weir_app_start(app, &err), &err);
	while (!cost_ns) {
		must(weir_app_state_get(app, &err) != WEIR_APP_ERROR, &err);
		usleep(1000);
	}
	must(weir_app_stop(app, 60000, &err), &err);
	printf("%-58s %7.3f CPU-s per million\n", what, (double)cost_ns / 1e3 / (double)records);
	weir_app_free(app);
	weir_topology_free(t);
	weir_config_free(cfg);
	weir_cluster_free(cluster);
}

int main(int argc, char **argv)
{
	int64_t records = (argc > 1 ? atoll(argv[1]) : 2000) * 1000;

	if (records <= 0) {
		fprintf(stderr, "usage: %s [records in thousands, 2000]\n", argv[0]);
		return 2;
	}
	weir_log_set(weir_log_stderr, NULL, WEIR_LOG_WARN);
	run("poll and nothing else", nothing, records);
	run("filter and map", filter_and_map, records);
	run("count of 5k keys", count, records);
	run("windowed count of 5k keys", windowed_count, records);
	return 0;
}
