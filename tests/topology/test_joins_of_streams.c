/*
 * The same records through Kafka Streams and through weir: golden/joins.case holds what Kafka Streams made of them
 * (written by tests/tools/JoinVectors.java). Lines: "case KIND BEFORE AFTER GRACE", "in KEY VALUE TIME", "in2 ...",
 * "wall MS", "out KEY VALUE TIME", "dropped N", "log STORE KEY VALUE TIME" (hexadecimal); ~ is null.
 */
#include "tests/topology/topology_test.h"

struct run {
	weir_driver *d;
	char kind[16], store[80];
	int line, cases, results, logged;
	/* what the changelog of `store` holds, by key */
	struct kept {
		char text[200];
		size_t key_len;
	} rows[500];
	int row_count, row_at;
};

static const char *or_null(const char *text)
{
	return strcmp(text, "~") == 0 ? NULL : text;
}

static const void *plus(weir_context *cx, weir_bytes key, const void *left, const void *right, void *user)
{
	const weir_bytes *l = left, *r = right;

	(void)key, (void)user;
	return text(cx, "%.*s+%.*s", l ? (int)l->len : 1, l ? (const char *)l->data : "~", r ? (int)r->len : 1,
		    r ? (const char *)r->data : "~");
}

static void begin(struct run *run, weir_join_window w)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *left = text_source(t, "in"), *out;
	weir_stream *right = strcmp(run->kind, "self") == 0 ? left : text_source(t, "in2");

	if (strcmp(run->kind, "left") == 0)
		out = weir_left_join(left, "j", right, plus, NULL, w, NULL);
	else if (strcmp(run->kind, "outer") == 0)
		out = weir_outer_join(left, "j", right, plus, NULL, w, NULL);
	else
		out = weir_join(left, "j", right, plus, NULL, w, NULL);
	weir_sink(out, "out", (weir_sink_opts){ 0 });
	weir_driver_free(run->d);
	static const char *const whole[][2] = { { "repartition.purge.interval.ms", "1d" } }; /* changelogs */

	run->d = driver(t, (weir_driver_opts){ .config = whole, .config_count = 1 });
	run->store[0] = 0;
	run->cases++;
}

static void expect(struct run *run, const char *key, const char *value, long long time_ms)
{
	const char *got = weir_driver_read_text(run->d, "out", false, false);
	char want[300];

	snprintf(want, sizeof want, "%s=%s@%lld", strcmp(key, "~") == 0 ? "null" : key, value, time_ms);
	if (!got || strcmp(got, want) != 0)
		fail_msg("joins.case:%d: wanted %s, found %s", run->line, want, got ? got : "no more");
	run->results++;
}

static void no_more(struct run *run)
{
	const char *got = run->d ? weir_driver_read_text(run->d, "out", false, false) : NULL;

	if (got)
		fail_msg("joins.case:%d: wanted no more, found %s", run->line, got);
}

static void expect_dropped(struct run *run, int n)
{
	weir_driver_record r;
	int letters = 0;

	while (weir_driver_read(run->d, "dead-letters", &r))
		letters += !weir_bytes_equal(weir_headers_last(r.headers, "reason"), weir_str("late"));
	if (letters != n)
		fail_msg("joins.case:%d: %d dropped there, %d here", run->line, n, letters);
}

/* --- changelogs ----------------------------------------------------------------------------------------------- */

static size_t put_hex(char *to, size_t size, weir_bytes b)
{
	size_t n = 0;

	for (size_t i = 0; i < b.len; i++)
		n += (size_t)snprintf(to + n, size - n, "%02x", ((const unsigned char *)b.data)[i]);
	return n;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct kept *)a)->text, ((const struct kept *)b)->text);
}

static void read_changelog(struct run *run, const char *store)
{
	char topic[120];
	weir_driver_record r;

	snprintf(topic, sizeof topic, "app-%s-changelog", store);
	snprintf(run->store, sizeof run->store, "%s", store);
	run->row_count = run->row_at = 0;
	while (weir_driver_read(run->d, topic, &r)) {
		struct kept k = { "", 0 };
		int i = 0;

		k.key_len = put_hex(k.text, sizeof k.text, r.key);
		while (i < run->row_count &&
		       (run->rows[i].key_len != k.key_len || memcmp(run->rows[i].text, k.text, k.key_len) != 0))
			i++;
		size_t n = k.key_len + (size_t)snprintf(k.text + k.key_len, sizeof k.text - k.key_len, " ");
		n += put_hex(k.text + n, sizeof k.text - n, r.value);
		snprintf(k.text + n, sizeof k.text - n, " %lld", (long long)r.timestamp_ms);
		assert_true(i < (int)LENGTH(run->rows));
		if (weir_is_null(r.value) && i < run->row_count)
			run->rows[i] = run->rows[--run->row_count];
		else if (!weir_is_null(r.value)) {
			run->rows[i] = k;
			run->row_count += i == run->row_count;
		}
	}
	qsort(run->rows, (size_t)run->row_count, sizeof *run->rows, by_text);
}

static void expect_logged(struct run *run, const char *store, const char *text)
{
	if (strcmp(run->store, store) != 0) {
		assert_int_equal(run->row_at, run->row_count);
		read_changelog(run, store);
	}
	const char *got = run->row_at < run->row_count ? run->rows[run->row_at].text : "no more";

	if (strcmp(got, text) != 0)
		fail_msg("joins.case:%d: store %s: wanted %s, found %s", run->line, store, text, got);
	run->row_at++;
	run->logged++;
}

static void do_line(struct run *run, const char *line)
{
	char topic[8], key[120], value[200], store[80];
	long long a, b, c;
	int n, at;

	if (sscanf(line, "case %15s %lld %lld %lld", run->kind, &a, &b, &c) == 4) {
		assert_int_equal(run->row_at, run->row_count);
		run->row_at = run->row_count = 0;
		begin(run, (weir_join_window){ .before_ms = a, .after_ms = b, .grace_ms = c });
	} else if (sscanf(line, "wall %lld", &a) == 1) {
		no_more(run);
		weir_driver_advance(run->d, a);
	} else if (sscanf(line, "out %79s %199s %lld", key, value, &a) == 3) {
		expect(run, key, value, a);
	} else if (sscanf(line, "log %79s %n", store, &at) == 1) {
		expect_logged(run, store, line + at);
	} else if (sscanf(line, "dropped %d", &n) == 1) {
		no_more(run);
		expect_dropped(run, n);
	} else if (sscanf(line, "%7s %79s %199s %lld", topic, key, value, &a) == 4 && topic[0] == 'i') {
		no_more(run);
		weir_driver_pipe(run->d, topic, or_null(key), or_null(value), a);
	} else {
		fail_msg("joins.case:%d: not understood: %s", run->line, line);
	}
}

static void results_are_those_of_kafka_streams(void **state)
{
	const char *path = getenv("JOINS_CASE"); /* other ones than those in the repository */
	FILE *in = fopen(path ? path : SOURCE_DIR "/tests/topology/golden/joins.case", "r");
	struct run *run = calloc(1, sizeof *run);
	char line[400];

	(void)state;
	assert_non_null(in);
	while (fgets(line, sizeof line, in)) {
		line[strcspn(line, "\n")] = 0;
		run->line++;
		if (*line != '#')
			do_line(run, line);
	}
	fclose(in);
	assert_int_equal(run->row_at, run->row_count);
	assert_true(run->cases >= 40);
	assert_true(run->results > 1000);
	assert_true(run->logged > 500);
	weir_driver_free(run->d);
	free(run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(results_are_those_of_kafka_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
