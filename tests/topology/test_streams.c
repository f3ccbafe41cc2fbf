/*
 * The same records through Kafka Streams and through weir: golden/streams.case holds what Kafka Streams made of
 * them (written by tests/tools/StreamsVectors.java). Lines: "case KIND SIZE ADVANCE GRACE", "in KEY VALUE TIME",
 * "wall MS", "out KEY VALUE TIME", "dropped N"; ~ is null.
 */
#include "tests/topology/topology_test.h"

struct run {
	weir_driver *d;
	char kind[16];
	bool number, windowed, hopping;
	/* when the processor began; how much of the wall clock is to have passed since */
	int64_t start_ms, wall_ms;
	int64_t now_ms; /* as the processor has last seen it */
	int line, cases, results;
};

/* --- the same steps ---------------------------------------------------------------------------------------------
 * */

static const void *join(weir_context *cx, const void *aggregate, const void *value, void *user)
{
	const weir_bytes *a = aggregate, *b = value;

	(void)user;
	return text(cx, "%.*s+%.*s", (int)a->len, (const char *)a->data, (int)b->len, (const char *)b->data);
}

static const void *fold(weir_context *cx, const weir_record *r, const void *aggregate, void *user)
{
	const weir_bytes *value = weir_value(r), *old = aggregate;

	(void)user;
	if (value && weir_bytes_equal(*value, weir_str("d")))
		return NULL;
	return text(cx, "%.*s%s%.*s", old ? (int)old->len : 0, old ? (const char *)old->data : "", old ? "," : "",
		    value ? (int)value->len : 1, value ? (const char *)value->data : "?");
}

struct ticking {
	int64_t interval_ms;
	weir_time time;
	struct run *run;
};

static void tick(weir_context *cx, int64_t time_ms, void *state)
{
	const struct ticking *const *how = state;
	weir_record r = { .key = weir_str("tick"),
			  .timestamp_ms =
				  (*how)->time == WEIR_WALL_CLOCK_TIME ? time_ms - (*how)->run->start_ms : time_ms,
			  .cx = cx };

	weir_set_value_bytes(&r, weir_str("tick"));
	weir_forward(cx, &r);
}

static void start_ticking(weir_context *cx, void *state, void *user)
{
	const struct ticking *how = user;

	*(const struct ticking **)state = how;
	how->run->start_ms = weir_now_ms(cx);
	weir_schedule(cx, how->interval_ms, how->time, tick);
}

static void pass_on(weir_context *cx, const weir_record *r, void *state, void *user)
{
	struct run *run = ((const struct ticking *)user)->run;

	(void)state;
	run->now_ms = weir_now_ms(cx);
	if (!weir_bytes_equal(r->key, weir_str("what time is it?")))
		weir_forward(cx, r);
}

static weir_stream *steps(struct run *run, weir_stream *in, weir_window window, struct ticking *ticking)
{
	const char *kind = run->kind;

	if (strcmp(kind, "count") == 0)
		return weir_changes(weir_count(in, "step", window));
	if (strcmp(kind, "reduce") == 0)
		return weir_changes(weir_reduce(in, "step", join, window, NULL));
	if (strcmp(kind, "fold") == 0)
		return weir_changes(
			weir_aggregate(in, "step", (weir_aggregator){ .value = &weir_utf8, .fold = fold }, window));
	*ticking =
		(struct ticking){ window.size_ms,
				  strcmp(kind, "tick-stream") == 0 ? WEIR_STREAM_TIME : WEIR_WALL_CLOCK_TIME, run };
	return weir_process(in, "step",
			    (weir_processor){ .state_size = sizeof(struct ticking *),
					      .init = start_ticking,
					      .process = pass_on,
					      .user = ticking });
}

static void begin(struct run *run, weir_window window)
{
	static struct ticking ticking;
	weir_topology *t = weir_topology_new("app");

	run->number = strcmp(run->kind, "count") == 0;
	run->windowed = window.size_ms && strncmp(run->kind, "tick", 4) != 0;
	run->hopping = run->windowed && window.advance_ms < window.size_ms;
	run->wall_ms = 0;
	run->cases++;
	weir_sink(steps(run, text_source(t, "in"), window, &ticking), "out", (weir_sink_opts){ 0 });
	run->d = driver(t, (weir_driver_opts){ 0 });
}

/* --- the same records -------------------------------------------------------------------------------------------
 * */

/* To the same point of the wall clock, counted from the processor's beginning. */
static void advance(struct run *run, int64_t ms)
{
	run->wall_ms += ms;
	weir_driver_pipe(run->d, "in", "what time is it?", "", 1);
	if (run->start_ms + run->wall_ms > run->now_ms)
		weir_driver_advance(run->d, run->start_ms + run->wall_ms - run->now_ms);
}

static const char *or_null(const char *text)
{
	return strcmp(text, "~") == 0 ? NULL : text;
}

static void expect(struct run *run, const char *key, const char *value, long long time_ms)
{
	const char *got = weir_driver_read_text(run->d, "out", run->windowed, run->number);
	char want[300];

	snprintf(want, sizeof want, "%s=%s@%lld", key, strcmp(value, "~") == 0 ? "null" : value, time_ms);
	if (!got || strcmp(got, want) != 0)
		fail_msg("streams.case:%d: wanted %s, found %s", run->line, want, got ? got : "no more");
	run->results++;
}

static void no_more(struct run *run)
{
	const char *got = run->d ? weir_driver_read_text(run->d, "out", run->windowed, run->number) : NULL;

	if (got)
		fail_msg("streams.case:%d: wanted no more, found %s", run->line, got);
}

/* Kafka Streams counts each window that it skips; weir makes one dead letter if all are. */
static void expect_dropped(struct run *run, int n)
{
	weir_driver_record r;
	int letters = 0;

	while (weir_driver_read(run->d, "dead-letters", &r))
		letters++;
	if (run->hopping ? letters > n : letters != n)
		fail_msg("streams.case:%d: %d dropped there, %d here", run->line, n, letters);
}

static void do_line(struct run *run, const char *line)
{
	char key[80], value[200];
	long long a, b, c;
	int n;

	if (sscanf(line, "case %15s %lld %lld %lld", run->kind, &a, &b, &c) == 4) {
		begin(run, (weir_window){ .size_ms = a, .advance_ms = b, .grace_ms = c });
	} else if (sscanf(line, "in %79s %199s %lld", key, value, &a) == 3) {
		no_more(run);
		weir_driver_pipe(run->d, "in", or_null(key), or_null(value), a);
	} else if (sscanf(line, "wall %lld", &a) == 1) {
		no_more(run);
		advance(run, a);
	} else if (sscanf(line, "out %79s %199s %lld", key, value, &a) == 3) {
		expect(run, strcmp(key, "~") == 0 ? "null" : key, value, a);
	} else if (sscanf(line, "dropped %d", &n) == 1) {
		no_more(run);
		expect_dropped(run, n);
		weir_driver_free(run->d);
		run->d = NULL;
	} else {
		fail_msg("streams.case:%d: not understood: %s", run->line, line);
	}
}

static void results_are_those_of_kafka_streams(void **state)
{
	FILE *in = fopen(SOURCE_DIR "/tests/topology/golden/streams.case", "r");
	struct run run = { 0 };
	char line[400];

	(void)state;
	assert_non_null(in);
	while (fgets(line, sizeof line, in)) {
		run.line++;
		if (*line != '#')
			do_line(&run, line);
	}
	fclose(in);
	assert_null(run.d);
	assert_int_equal(run.cases, 20);
	assert_true(run.results > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(results_are_those_of_kafka_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
