/*
 * The workloads that Kafka Streams is measured by, as weir programs:
 *
 *   bench-streams W1|W2|W3|W5|W7 BOOTSTRAP [-X KEY=VALUE]...
 *
 * W1 windowed count by city, commit each 1000 ms; W2 the same each 100 ms; W3 count of 1 M keys; W4 restore of the
 * store that a W3 before it has left (its application.id as -X, state.dir a new one); W5 filter and map; W7
 * repartition and count. Always exactly once. Reads <w>-in from the beginning in a new group, writes <w>-out, ends
 * when everything is processed and committed, and prints one line of key=value.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include <weir/weir.h>

static bool keep_device(weir_context *cx, const weir_record *r, void *user)
{
	weir_bytes v = weir_value_bytes(r);

	(void)cx, (void)user;
	return v.len > 13 && ((const char *)v.data)[13] != '0';
}

static const void *upper_case(weir_context *cx, const weir_record *r, void *user)
{
	weir_bytes v = weir_value_bytes(r), *out = weir_alloc(cx, sizeof *out);
	char *to = weir_alloc(cx, v.len);

	(void)user;
	for (size_t i = 0; i < v.len; i++)
		to[i] = (char)toupper(((const unsigned char *)v.data)[i]);
	*out = weir_bytes_of(to, v.len);
	return out;
}

static weir_bytes device(weir_context *cx, const weir_record *r, void *user)
{
	weir_bytes v = weir_value_bytes(r);

	(void)cx, (void)user;
	return weir_bytes_of((const char *)v.data + 8, 6);
}

static weir_topology *topology(int w)
{
	weir_topology *t = weir_topology_new("bench");
	const char *in = w == 3 || w == 4 ? "w3-in" : w == 7 ? "w7-in" : "w1-in";
	static const char *const outs[] = {
		NULL, "w1-out", "w2-out", "w3-out", "w3-out", "w5-out", NULL, "w7-out"
	};
	weir_stream *s = weir_source(t, "in", (weir_source_opts){ .topic = in, .value = &weir_utf8 });
	weir_window window = { 0 };

	if (w == 1 || w == 2)
		window = (weir_window){ .size_ms = WEIR_MINUTES(5), .grace_ms = WEIR_MINUTES(5) };
	if (w == 5) {
		s = weir_map_values(weir_filter(s, "kept", keep_device, NULL), "upper", upper_case, &weir_utf8,
				    NULL);
		weir_sink(s, "out", (weir_sink_opts){ .topic = outs[w] });
		return t;
	}
	if (w == 7)
		s = weir_key_by(s, "device", device, NULL);
	weir_sink(weir_changes(weir_count(s, "counts", window)), "out", (weir_sink_opts){ .topic = outs[w] });
	return t;
}

static double cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int64_t input_records(weir_cluster *cluster, int w)
{
	const char *in = w == 3 || w == 4 ? "w3-in" : w == 7 ? "w7-in" : "w1-in";
	int64_t total = 0, first, end;
	weir_error err;

	for (int32_t p = 0, n = weir_topic_partitions(cluster, in, &err); p < n; p++)
		if (weir_offsets_range(cluster, in, p, &first, &end, &err))
			total += end - first;
	return total;
}

static bool set(weir_config *cfg, const char *pair, weir_error *err)
{
	char name[200];
	const char *equals = strchr(pair, '=');

	if (!equals)
		return weir_fail(err, WEIR_USAGE, "KEY=VALUE wanted, got \"%s\"", pair);
	snprintf(name, sizeof name, "%.*s", (int)(equals - pair), pair);
	return weir_config_set(cfg, name, equals + 1, WEIR_FROM_COMMAND_LINE, "-X", err);
}

static bool make_config(weir_config *cfg, int argc, char **argv, int w, weir_error *err)
{
	char id[100], dir[200];
	int64_t now = weir_clock_system()->wall_ms(weir_clock_system());

	snprintf(id, sizeof id, "application.id=weir-W%d-%lld", w, (long long)now);
	snprintf(dir, sizeof dir, "state.dir=/tmp/weir-bench-%lld", (long long)now);
	bool ok = set(cfg, id, err) && set(cfg, dir, err) &&
		  weir_config_set(cfg, "bootstrap.servers", argv[2], WEIR_FROM_COMMAND_LINE, "argument", err) &&
		  set(cfg, w == 2 ? "commit.interval.ms=100" : "commit.interval.ms=1000", err);

	for (int i = 3; ok && i + 1 < argc; i += 2)
		ok = set(cfg, argv[i + 1], err);
	return ok;
}

static double value_of(weir_app *app, const char *metric)
{
	const char *labels[] = { "0" };

	return weir_metrics_value(weir_app_metrics(app), metric, labels);
}

static void report(weir_app *app, int w, int64_t n, double first_s, double end_s)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	if (w == 4)
		n = (int64_t)value_of(app, "weir_restored_records_total");
	printf("w=W%d n=%lld records_s=%.0f cpu_s=%.2f cpu_per_M=%.3f rss_mb=%ld start_s=%.3f restored=%.0f "
	       "commits=%.0f aborts=%.0f "
	       "dead_letters=%.0f\n",
	       w, (long long)n, (double)n / (end_s - first_s), cpu_seconds(), cpu_seconds() / ((double)n / 1e6),
	       u.ru_maxrss / 1024, first_s, value_of(app, "weir_restored_records_total"),
	       value_of(app, "weir_commits_total"), value_of(app, "weir_aborts_total"),
	       value_of(app, "weir_dead_letters_total"));
}

static bool run(weir_config *cfg, weir_cluster *cluster, weir_topology *t, int w, weir_error *err)
{
	weir_clock *clock = weir_clock_system();
	int64_t start_us = clock->monotonic_us(clock), first_us = 0;
	weir_app *app = weir_app_new(t, cfg, cluster, (weir_app_opts){ 0 }, err);
	int64_t n = input_records(cluster, w);
	int64_t expected = w == 7 ? 2 * n : n;

	if (!app || !weir_app_start(app, err))
		return false;
	const char *progress = w == 4 ? "weir_restored_records_total" : "weir_records_processed_total";

	for (;;) {
		double done = value_of(app, progress);

		if (done > 0 && !first_us)
			first_us = clock->monotonic_us(clock);
		if (weir_app_state_get(app, err) == WEIR_APP_ERROR)
			return false;
		if (w == 4 ? weir_app_state_get(app, err) == WEIR_APP_RUNNING : done >= (double)expected)
			break;
		usleep(5000);
	}
	int64_t end_us = clock->monotonic_us(clock);

	while (w != 4 && !weir_app_caught_up(app))
		usleep(20000);
	report(app, w, n, (double)(first_us - start_us) / 1e6, (double)(end_us - start_us) / 1e6);
	bool ok = weir_app_stop(app, 60000, err);

	weir_app_free(app);
	return ok;
}

int main(int argc, char **argv)
{
	weir_error err = { .code = WEIR_OK };
	weir_config *cfg = weir_config_new();
	int w = argc > 2 && argv[1][0] == 'W' ? atoi(argv[1] + 1) : 0;

	if (w < 1 || w > 7 || w == 6) {
		fprintf(stderr, "usage: %s W1|W2|W3|W4|W5|W7 BOOTSTRAP [-X KEY=VALUE]...\n", argv[0]);
		return 2;
	}
	if (getenv("WEIR_BENCH_LOG"))
		weir_log_set(weir_log_stderr, NULL, WEIR_LOG_INFO);
	weir_cluster *cluster = make_config(cfg, argc, argv, w, &err) ? weir_cluster_open(cfg, &err) : NULL;
	weir_topology *t = topology(w);
	bool ok = cluster && run(cfg, cluster, t, w, &err);

	if (!ok)
		fprintf(stderr, "%s: %s\n", argv[0], err.message);
	weir_topology_free(t);
	weir_cluster_free(cluster);
	weir_config_free(cfg);
	return ok ? 0 : 1;
}
