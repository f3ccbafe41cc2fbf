/* W1's windowed count over the embedded cluster, in one worker: tests/unit/record_path.sh counts instructions. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <weir/weir.h>

enum { KEYS = 50 };

static void must(bool ok, const weir_error *err)
{
	if (ok)
		return;
	fprintf(stderr, "record-path: %s\n", err->message);
	exit(1);
}

static weir_topology *topology(void)
{
	weir_topology *t = weir_topology_new("record-path");
	weir_window window = { .size_ms = WEIR_MINUTES(5), .grace_ms = WEIR_MINUTES(5) };
	weir_stream *s = weir_source(t, "in", (weir_source_opts){ .value = &weir_utf8 });

	weir_sink(weir_changes(weir_count(s, "counts", window)), "out", (weir_sink_opts){ 0 });
	return t;
}

static void fill(weir_cluster *cluster, int records)
{
	char key[16], value[121];
	weir_error err;
	weir_producer *p = weir_producer_open(cluster, (weir_producer_opts){ 0 }, &err);

	must(p != NULL, &err);
	snprintf(value, sizeof value, "%120s", "");
	for (int i = 0; i < records; i++) {
		snprintf(key, sizeof key, "city-%04d", i % KEYS);
		weir_produced r = { .topic = "in",
				    .partition = -1,
				    .timestamp_ms = 1700000000000 + i,
				    .key = weir_str(key),
				    .value = weir_str(value) };

		must(weir_producer_send(p, &r, &err), &err);
	}
	weir_producer_close(p);
}

int main(int argc, char **argv)
{
	static const char *const worker[] = { "0" };
	int records = argc > 1 ? atoi(argv[1]) : 0;
	weir_cluster *cluster = weir_cluster_embedded((weir_embedded_opts){ .partitions = 1 });
	weir_topic_spec out = { .name = "out", .partitions = 1 };
	weir_config *cfg = weir_config_new();
	weir_topology *t = topology();
	weir_error err;

	must(weir_config_set(cfg, "application.id", "record-path", WEIR_FROM_DEFAULT, "record-path", &err) &&
		     weir_config_set(cfg, "state.dir", "", WEIR_FROM_DEFAULT, "record-path", &err) &&
		     weir_topics_create(cluster, &out, 1, &err),
	     &err);
	fill(cluster, records);
	weir_app *app = weir_app_new(t, cfg, cluster, (weir_app_opts){ 0 }, &err);

	must(app && weir_app_start(app, &err), &err);
	while (weir_metrics_value(weir_app_metrics(app), "weir_records_processed_total", worker) < records) {
		must(weir_app_state_get(app, &err) != WEIR_APP_ERROR, &err);
		usleep(1000);
	}
	must(weir_app_stop(app, 60000, &err), &err);
	weir_app_free(app);
	weir_topology_free(t);
	weir_cluster_free(cluster);
	weir_config_free(cfg);
	return 0;
}
