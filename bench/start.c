/*
 * How long it takes from main to the first record processed, and whose time that is: weir's, or the Kafka
 * port's (librdkafka's connect, join and first init_transactions, the broker's answers).
 *
 *   bench-start BOOTSTRAP|embedded TOPIC [-X KEY=VALUE]...
 *
 * Runs W1's count on the topic, in a new group with a new state.dir, up to the first record; with `embedded`, on a
 * cluster in memory. Prints one line of key=value.
 */
#include "bench/common/port_meter.h"
#include <weir/weir.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static atomic_llong first_us, first_inside_us;

static int64_t now_us(void)
{
	return weir_clock_system()->monotonic_us(weir_clock_system());
}

static void look(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)r, (void)user;
	if (!first_us) {
		first_inside_us = port_meter_inside_us();
		first_us = now_us();
	}
}

static void ignore(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)r, (void)user;
}

static weir_topology *topology(const char *topic)
{
	weir_topology *t = weir_topology_new("bench-start");
	weir_stream *s = weir_source(t, "in", (weir_source_opts){ .topic = topic, .value = &weir_utf8 });
	weir_window window = { .size_ms = WEIR_MINUTES(5), .grace_ms = WEIR_MINUTES(5) };

	s = weir_peek(s, "first", look, NULL);
	weir_for_each(weir_changes(weir_count(s, "counts", window)), "changes", ignore, NULL);
	return t;
}

static void must(bool ok, const weir_error *err)
{
	if (ok)
		return;
	fprintf(stderr, "bench-start: %s\n", err->message);
	exit(1);
}

static void set(weir_config *cfg, const char *name, const char *value)
{
	weir_error err;

	must(weir_config_set(cfg, name, value, WEIR_FROM_COMMAND_LINE, "argument", &err), &err);
}

static void configure(weir_config *cfg, int argc, char **argv)
{
	char name[200];

	for (int i = 3; i + 1 < argc; i += 2) {
		const char *equals = strchr(argv[i + 1], '=');

		if (strcmp(argv[i], "-X") != 0 || !equals) {
			fprintf(stderr, "bench-start: -X KEY=VALUE wanted, got \"%s %s\"\n", argv[i], argv[i + 1]);
			exit(2);
		}
		snprintf(name, sizeof name, "%.*s", (int)(equals - argv[i + 1]), argv[i + 1]);
		set(cfg, name, equals + 1);
	}
}

static weir_cluster *open_embedded(const char *topic)
{
	weir_cluster *cluster = weir_cluster_embedded((weir_embedded_opts){ .partitions = 4 });
	weir_topic_spec spec = { .name = topic, .partitions = 4 };
	weir_error err;

	must(weir_topics_create(cluster, &spec, 1, &err), &err);
	weir_producer *p = weir_producer_open(cluster, (weir_producer_opts){ 0 }, &err);

	must(p != NULL, &err);
	for (int32_t i = 0; i < 4; i++)
		must(weir_producer_send(p,
					&(weir_produced){ .topic = topic,
							  .partition = i,
							  .timestamp_ms = 1700000000000,
							  .key = weir_str("key"),
							  .value = weir_str("value") },
					&err),
		     &err);
	weir_producer_close(p);
	return cluster;
}

int main(int argc, char **argv)
{
	int64_t begun_us = now_us();
	weir_config *cfg = weir_config_new();
	weir_error err;
	struct rusage u;

	if (argc < 3) {
		fprintf(stderr, "usage: %s BOOTSTRAP|embedded TOPIC [-X KEY=VALUE]...\n", argv[0]);
		return 2;
	}
	weir_log_set(weir_log_stderr, NULL, getenv("WEIR_BENCH_LOG") ? WEIR_LOG_INFO : WEIR_LOG_WARN);
	bool embedded = !strcmp(argv[1], "embedded");

	configure(cfg, argc, argv);
	if (!embedded)
		set(cfg, "bootstrap.servers", argv[1]);
	weir_cluster *real = embedded ? open_embedded(argv[2]) : weir_cluster_open(cfg, &err);

	must(real != NULL, &err);
	if (embedded) /* filling it is no part of a start */
		begun_us = now_us();
	weir_cluster *cluster = port_meter_new(real);
	weir_topology *t = topology(argv[2]);
	weir_app *app = weir_app_new(t, cfg, cluster, (weir_app_opts){ 0 }, &err);

	must(app && weir_app_start(app, &err), &err);
	int64_t main_us = now_us() - begun_us, main_inside_us = port_meter_inside_us();

	while (!first_us) {
		must(weir_app_state_get(app, &err) != WEIR_APP_ERROR, &err);
		usleep(100);
	}
	int64_t total_us = first_us - begun_us, inside_us = main_inside_us + first_inside_us;

	getrusage(RUSAGE_SELF, &u);
	printf("total_ms=%.1f port_ms=%.1f own_ms=%.1f main_own_ms=%.1f worker_own_ms=%.1f cpu_ms=%.1f\n",
	       (double)total_us / 1000, (double)inside_us / 1000, (double)(total_us - inside_us) / 1000,
	       (double)(main_us - main_inside_us) / 1000,
	       (double)(total_us - inside_us - (main_us - main_inside_us)) / 1000,
	       (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
		       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000);
	must(weir_app_stop(app, 60000, &err), &err);
	weir_app_free(app);
	weir_topology_free(t);
	weir_cluster_free(cluster);
	weir_config_free(cfg);
	return 0;
}
