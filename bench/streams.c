/*
 * The workloads that Kafka Streams is measured by, as weir programs:
 *
 *   bench-streams W1..W8 BOOTSTRAP [--in TOPIC] [--out TOPIC] [--serve] [--progress] [-X KEY=VALUE]...
 *
 * W1 windowed count by city, commit each 1000 ms; W2 the same each 100 ms; W3 count of 1 M keys; W4 restore of the
 * store that a W3 before it has left (its application.id as -X, state.dir a new one); W5 filter and map; W6 join of
 * two streams (w6-left, or --in, and w6-right) within 60 s; W7 repartition and count; W8 the newest value of each
 * key (large-in), and no result but the store. Always exactly once. Reads <w>-in from the beginning in a new group,
 * writes <w>-out, ends when everything is processed and committed, and prints one line of key=value; with
 * --progress one a second to standard error as well. With --serve it says "running" once it is, and ends when its
 * standard input does.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static const void *both(weir_context *cx, weir_bytes key, const void *left, const void *right, void *user)
{
	const weir_bytes *l = left, *r = right;
	weir_bytes *out = weir_alloc(cx, sizeof *out);
	char *to = weir_alloc(cx, l->len + 1 + r->len);

	(void)key, (void)user;
	memcpy(to, l->data, l->len);
	to[l->len] = '|';
	memcpy(to + l->len + 1, r->data, r->len);
	*out = weir_bytes_of(to, l->len + 1 + r->len);
	return out;
}

static const void *newest(weir_context *cx, const void *aggregate, const void *value, void *user)
{
	(void)cx, (void)aggregate, (void)user;
	return value;
}

struct workload {
	int w;
	const char *in, *right, *out;
	bool serve, progress;
};

static weir_topology *topology(const struct workload *o)
{
	weir_topology *t = weir_topology_new("bench");
	weir_stream *s = weir_source(t, "in", (weir_source_opts){ .topic = o->in, .value = &weir_utf8 });
	weir_window window = { 0 };

	if (o->w == 1 || o->w == 2)
		window = (weir_window){ .size_ms = WEIR_MINUTES(5), .grace_ms = WEIR_MINUTES(5) };
	if (o->w == 5) {
		s = weir_map_values(weir_filter(s, "kept", keep_device, NULL), "upper", upper_case, &weir_utf8,
				    NULL);
		weir_sink(s, "out", (weir_sink_opts){ .topic = o->out });
		return t;
	}
	if (o->w == 6) {
		weir_stream *right =
			weir_source(t, "right", (weir_source_opts){ .topic = o->right, .value = &weir_utf8 });
		weir_join_window near = { WEIR_SECONDS(60), WEIR_SECONDS(60), WEIR_SECONDS(60) };

		weir_sink(weir_join(s, "joined", right, both, NULL, near, NULL), "out",
			  (weir_sink_opts){ .topic = o->out });
		return t;
	}
	if (o->w == 8) {
		weir_reduce(s, "newest", newest, window, NULL);
		return t;
	}
	if (o->w == 7)
		s = weir_key_by(s, "device", device, NULL);
	weir_sink(weir_changes(weir_count(s, "counts", window)), "out", (weir_sink_opts){ .topic = o->out });
	return t;
}

/* --- configuration ------------------------------------------------------------------------------------------- */

static bool set(weir_config *cfg, const char *pair, weir_error *err)
{
	char name[200];
	const char *equals = strchr(pair, '=');

	if (!equals)
		return weir_fail(err, WEIR_USAGE, "KEY=VALUE wanted, got \"%s\"", pair);
	snprintf(name, sizeof name, "%.*s", (int)(equals - pair), pair);
	return weir_config_set(cfg, name, equals + 1, WEIR_FROM_COMMAND_LINE, "-X", err);
}

static bool set_defaults(weir_config *cfg, int w, const char *bootstrap, weir_error *err)
{
	char id[100], dir[200];
	int64_t now = weir_clock_system()->wall_ms(weir_clock_system());

	snprintf(id, sizeof id, "application.id=weir-W%d-%lld", w, (long long)now);
	snprintf(dir, sizeof dir, "state.dir=/tmp/weir-bench-%lld", (long long)now);
	return set(cfg, id, err) && set(cfg, dir, err) &&
	       weir_config_set(cfg, "bootstrap.servers", bootstrap, WEIR_FROM_COMMAND_LINE, "argument", err) &&
	       set(cfg, w == 2 ? "commit.interval.ms=100" : "commit.interval.ms=1000", err);
}

static bool parse(int argc, char **argv, struct workload *o, weir_config *cfg, weir_error *err)
{
	static const char *const ins[] = { NULL,    "w1-in",   "w1-in", "w3-in",   "w3-in",
					   "w1-in", "w6-left", "w7-in", "large-in" };
	static const char *const outs[] = { NULL,     "w1-out", "w2-out", "w3-out", "w3-out",
					    "w5-out", "w6-out", "w7-out", NULL };

	o->w = argc > 2 && argv[1][0] == 'W' ? atoi(argv[1] + 1) : 0;
	if (o->w < 1 || o->w > 8)
		return weir_fail(err, WEIR_USAGE, "W1 to W8 and BOOTSTRAP wanted");
	o->in = ins[o->w];
	o->right = o->w == 6 ? "w6-right" : NULL;
	o->out = outs[o->w];
	if (!set_defaults(cfg, o->w, argv[2], err))
		return false;
	for (int i = 3; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (!strcmp(argv[i], "--serve")) {
			o->serve = true;
			continue;
		}
		if (!strcmp(argv[i], "--progress")) {
			o->progress = true;
			continue;
		}
		if (value && !strcmp(argv[i], "--in"))
			o->in = value;
		else if (value && !strcmp(argv[i], "--out"))
			o->out = value;
		else if (!value || strcmp(argv[i], "-X") != 0)
			return weir_fail(err, WEIR_USAGE, "what is \"%s\"?", argv[i]);
		else if (!set(cfg, value, err))
			return false;
		i++;
	}
	return true;
}

/* --- measuring ----------------------------------------------------------------------------------------------- */

static double cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* A line of the kernel's account of this process. */
static long status_of(const char *name)
{
	FILE *status = fopen("/proc/self/status", "r");
	size_t len = strlen(name);
	char line[200];
	long n = 0;

	while (status && fgets(line, sizeof line, status))
		if (!strncmp(line, name, len) && line[len] == ':')
			n = atol(line + len + 1);
	if (status)
		fclose(status);
	return n;
}

static int64_t records_of(weir_cluster *cluster, const char *topic)
{
	int64_t total = 0, first, end;
	weir_error err;

	for (int32_t p = 0, n = weir_topic_partitions(cluster, topic, &err); p < n; p++)
		if (weir_offsets_range(cluster, topic, p, &first, &end, &err))
			total += end - first;
	return total;
}

static int64_t input_records(weir_cluster *cluster, const struct workload *o)
{
	return records_of(cluster, o->in) + (o->right ? records_of(cluster, o->right) : 0);
}

struct sum {
	const char *metric;
	double value;
};

static void add_sample(const weir_metric_sample *sample, void *user)
{
	struct sum *s = user;

	if (!strcmp(sample->def->name, s->metric))
		s->value += sample->value;
}

/* Of all workers. */
static double value_of(weir_app *app, const char *metric)
{
	struct sum s = { .metric = metric };

	weir_metrics_each(weir_app_metrics(app), add_sample, &s);
	return s.value;
}

struct times {
	int64_t start_us, first_us, end_us; /* by the monotonic clock */
	int64_t first_epoch_ms;
};

static void report(weir_app *app, int w, int64_t n, const struct times *t)
{
	struct rusage u;
	double wall_s = (double)(t->end_us - t->first_us) / 1e6;

	getrusage(RUSAGE_SELF, &u);
	printf("w=W%d n=%lld records_s=%.0f wall_s=%.3f cpu_s=%.2f cpu_per_M=%.3f rss_mb=%ld start_s=%.3f "
	       "first_epoch_ms=%lld threads=%ld restored=%.0f commits=%.0f aborts=%.0f dead_letters=%.0f\n",
	       w, (long long)n, wall_s > 0 ? (double)n / wall_s : 0, wall_s, cpu_seconds(),
	       cpu_seconds() / ((double)n / 1e6), u.ru_maxrss / 1024, (double)(t->first_us - t->start_us) / 1e6,
	       (long long)t->first_epoch_ms, status_of("Threads"), value_of(app, "weir_restored_records_total"),
	       value_of(app, "weir_commits_total"), value_of(app, "weir_aborts_total"),
	       value_of(app, "weir_dead_letters_total"));
}

/* --- running ------------------------------------------------------------------------------------------------- */

static bool failed(weir_app *app, weir_error *err)
{
	return weir_app_state_get(app, err) == WEIR_APP_ERROR;
}

static void show_progress(weir_app *app, double done, int64_t since_us, int64_t *next_us)
{
	int64_t now_us = weir_clock_system()->monotonic_us(weir_clock_system());

	if (now_us < *next_us)
		return;
	*next_us = now_us + 1000000;
	fprintf(stderr,
		"t_s=%.0f done=%.0f rss_mb=%ld peak_mb=%ld cache_mb=%.0f restored=%.0f commits=%.0f aborts=%.0f\n",
		(double)(now_us - since_us) / 1e6, done, status_of("VmRSS") / 1024, status_of("VmHWM") / 1024,
		value_of(app, "weir_cache_bytes") / (1 << 20), value_of(app, "weir_restored_records_total"),
		value_of(app, "weir_commits_total"), value_of(app, "weir_aborts_total"));
}

static bool process(weir_app *app, const struct workload *o, int64_t n, weir_error *err)
{
	weir_clock *clock = weir_clock_system();
	const char *progress = o->w == 4 ? "weir_restored_records_total" : "weir_records_processed_total";
	int64_t expected = o->w == 7 ? 2 * n : n;
	struct times t = { .start_us = clock->monotonic_us(clock) };
	int64_t next_us = o->progress ? 0 : INT64_MAX;

	if (!weir_app_start(app, err))
		return false;
	for (;;) {
		double done = value_of(app, progress);

		show_progress(app, done, t.start_us, &next_us);

		if (done > 0 && !t.first_us) {
			t.first_us = clock->monotonic_us(clock);
			t.first_epoch_ms = clock->wall_ms(clock);
		}
		if (failed(app, err))
			return false;
		if (o->w == 4 ? weir_app_state_get(app, NULL) == WEIR_APP_RUNNING : done >= (double)expected)
			break;
		usleep(t.first_us ? 5000 : 1000);
	}
	t.end_us = clock->monotonic_us(clock);
	while (o->w != 4 && !weir_app_caught_up(app)) {
		if (failed(app, err))
			return false;
		usleep(20000);
	}
	report(app, o->w, o->w == 4 ? (int64_t)value_of(app, "weir_restored_records_total") : n, &t);
	return true;
}

static bool serve(weir_app *app, const struct workload *o, weir_error *err)
{
	weir_clock *clock = weir_clock_system();
	struct times t = { .start_us = clock->monotonic_us(clock) };
	int64_t next_us = o->progress ? 0 : INT64_MAX;

	if (!weir_app_start(app, err))
		return false;
	while (weir_app_state_get(app, NULL) != WEIR_APP_RUNNING) {
		show_progress(app, 0, t.start_us, &next_us);
		if (failed(app, err))
			return false;
		usleep(1000);
	}
	t.first_us = clock->monotonic_us(clock);
	t.first_epoch_ms = clock->wall_ms(clock);
	printf("running\n");
	fflush(stdout);
	while (getchar() != EOF)
		;
	t.end_us = clock->monotonic_us(clock);
	if (failed(app, err))
		return false;
	report(app, o->w, (int64_t)value_of(app, "weir_records_processed_total"), &t);
	return true;
}

static bool run(weir_config *cfg, weir_cluster *cluster, weir_topology *t, const struct workload *o,
		weir_error *err)
{
	weir_app *app = weir_app_new(t, cfg, cluster, (weir_app_opts){ 0 }, err);

	if (!app)
		return false;
	bool ok = o->serve ? serve(app, o, err) : process(app, o, input_records(cluster, o), err);

	if (ok)
		ok = weir_app_stop(app, 60000, err);
	else
		weir_app_stop(app, 60000, NULL);
	weir_app_free(app);
	return ok;
}

int main(int argc, char **argv)
{
	weir_error err = { .code = WEIR_OK };
	weir_config *cfg = weir_config_new();
	struct workload o = { 0 };

	weir_log_level level = WEIR_LOG_WARN;

	weir_log_level_parse(getenv("WEIR_BENCH_LOG"), &level);
	weir_log_set(weir_log_stderr, NULL, level);
	if (!parse(argc, argv, &o, cfg, &err)) {
		fprintf(stderr, "%s: %s\n", argv[0], err.message);
		return 2;
	}
	weir_cluster *cluster = weir_cluster_open(cfg, &err);
	weir_topology *t = topology(&o);
	bool ok = cluster && run(cfg, cluster, t, &o, &err);

	if (!ok)
		fprintf(stderr, "%s: %s\n", argv[0], err.message);
	weir_topology_free(t);
	weir_cluster_free(cluster);
	weir_config_free(cfg);
	return ok ? 0 : 1;
}
