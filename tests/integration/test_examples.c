/* The examples as programs of their own, against a real broker; and killed while they work. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <cmocka.h>

#include <weir/weir.h>

#include "tests/integration/real_kafka.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

enum { PATIENCE_MS = 60000, LINES = 150000, KILLS = 6, FINDINGS_MAX = 64 };

static weir_cluster *cluster;
static char directory[] = "/tmp/weir-examples-XXXXXX";

#define must(call) \
	do { \
		weir_error err = { .code = WEIR_OK }; \
		if (!(call)) \
			fail_msg("%s: %s", #call, err.message); \
	} while (0)

#define WAIT_UNTIL(condition) \
	do { \
		for (int ms_ = 0; !(condition); ms_ += 10) { \
			if (ms_ >= PATIENCE_MS) \
				fail_msg("this does not come: %s", #condition); \
			usleep(10000); \
		} \
	} while (0)

/* --- topics -----------------------------------------------------------------------------------------------------
 * */

static int32_t partitions_of(const char *topic)
{
	weir_error err;

	return weir_topic_partitions(cluster, topic, &err);
}

/* As if nobody had ever run the example: its topics, of which the first are its inputs, are new. */
static void begin(const char *const *topics, size_t n, size_t inputs)
{
	for (size_t i = 0; i < n; i++) {
		if (partitions_of(topics[i]) == 0)
			continue;
		must(weir_topics_delete(cluster, &topics[i], 1, &err));
		WAIT_UNTIL(partitions_of(topics[i]) == 0);
	}
	for (size_t i = 0; i < inputs; i++) {
		weir_topic_spec spec = { .name = topics[i], .partitions = 3 };

		must(weir_topics_create(cluster, &spec, 1, &err));
	}
}

static weir_producer *producer(void)
{
	weir_producer *p;

	must((p = weir_producer_open(cluster, (weir_producer_opts){ 0 }, &err)) != NULL);
	return p;
}

static void put(weir_producer *p, const char *topic, const char *key, const char *value, int64_t timestamp_ms)
{
	weir_produced r = { .topic = topic,
			    .partition = -1,
			    .timestamp_ms = timestamp_ms,
			    .key = weir_str(key),
			    .value = weir_str(value) };

	must(weir_producer_send(p, &r, &err));
}

static void flush(weir_producer *p)
{
	must(weir_producer_flush(p, PATIENCE_MS, &err));
	weir_producer_close(p);
}

/* What stands behind a key, in bytes: nothing, the start of a window, both ends of a session. */
enum { PLAIN = 0, WINDOW = 8, SESSION = 16 };

/* The newest value of each key, committed: key and value as text, numbers of 8 bytes written out. */
struct findings {
	size_t count;
	struct {
		char key[80], value[80];
	} of[FINDINGS_MAX];
	size_t behind; /* each key */
	bool number;
};

static bool find(const weir_kafka_record *r, void *user)
{
	struct findings *f = user;
	char key[80], value[80];
	size_t len = r->key.len - (r->key.len ? f->behind : 0), i = 0;

	snprintf(key, sizeof key, "%.*s", (int)len, (const char *)r->key.data);
	if (f->number)
		snprintf(value, sizeof value, "%lld", (long long)weir_get_be64(r->value.data));
	else
		snprintf(value, sizeof value, "%.*s", (int)r->value.len, (const char *)r->value.data);
	while (i < f->count && strcmp(f->of[i].key, key) != 0)
		i++;
	assert_true(i < FINDINGS_MAX);
	f->count += i == f->count;
	memcpy(f->of[i].key, key, sizeof key);
	memcpy(f->of[i].value, value, sizeof value);
	return true;
}

static struct findings read_topic(const char *topic, size_t behind, bool number)
{
	struct findings f = { .behind = behind, .number = number };
	weir_consumer *c;
	int32_t partitions = partitions_of(topic);

	assert_true(partitions > 0);
	must((c = weir_consumer_open(cluster, (weir_consumer_opts){ 0 }, &err)) != NULL);
	for (int32_t p = 0; p < partitions; p++) {
		weir_partition at = { .topic = topic, .partition = p, .offset = WEIR_OFFSET_BEGINNING };
		int64_t first, end;

		must(weir_offsets_range(cluster, topic, p, &first, &end, &err));
		must(weir_consumer_assign(c, &at, 1, &err));
		while (first < end && weir_consumer_position(c, topic, p) < end)
			must(weir_consumer_poll(c, 100, find, &f, &err));
	}
	weir_consumer_close(c);
	return f;
}

static const char *value_of(const struct findings *f, const char *key)
{
	for (size_t i = 0; i < f->count; i++)
		if (strcmp(f->of[i].key, key) == 0)
			return f->of[i].value;
	return "nothing";
}

/* --- programs ---------------------------------------------------------------------------------------------------
 * */

/* build/.../example-<name>. */
static void path_of(const char *name, char program[600])
{
	ssize_t length = readlink("/proc/self/exe", program, 500);

	assert_true(length > 0);
	program[length] = 0;
	*strrchr(program, '/') = 0; /* the folder of the tests */
	snprintf(strrchr(program, '/'), 100, "/example-%s", name);
}

/* Runs it with a state directory of the test's own; `more` ends with NULL. */
static pid_t run(const char *name, const char *application, const char *const *more)
{
	char program[600], state[200], id[200];
	const char *args[32] = {
		program, "-b", getenv("WEIR_TEST_BOOTSTRAP"), "-X", state, "-X", id, "--create-topics=3"
	};
	size_t n = 8;

	path_of(name, program);
	snprintf(state, sizeof state, "state.dir=%s", directory);
	snprintf(id, sizeof id, "application.id=%s", application);
	for (; *more; more++)
		args[n++] = *more;
	pid_t pid = fork();

	if (pid == 0) {
		char log[300];
		int fd;

		snprintf(log, sizeof log, "%s/%s.log", directory, name);
		if ((fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600)) >= 0)
			dup2(fd, STDERR_FILENO);
		execv(program, (char *const *)args);
		_exit(127);
	}
	assert_true(pid > 0);
	return pid;
}

static int ended(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void run_to_the_end(const char *name, const char *application)
{
	const char *const more[] = { "--exit-at-end", "-X", "errors.dead.letter.queue.topic.name=example-letters",
				     NULL };

	assert_int_equal(ended(run(name, application, more)), 0);
}

static const char *application(const char *what)
{
	static char name[100];
	char prefix[60];

	snprintf(name, sizeof name, "%s-%s", real_prefix(prefix, sizeof prefix), what);
	return name;
}

/* --- tests ------------------------------------------------------------------------------------------------------
 * */

static int64_t now_ms(void)
{
	return weir_clock_system()->wall_ms(weir_clock_system());
}

static void example_1_counts_cities(void **state)
{
	static const char *const topics[] = { "posts", "city-counts", "example-letters" };

	(void)state;
	begin(topics, LENGTH(topics), 1);
	weir_producer *p = producer();
	int64_t start_ms = now_ms() / WEIR_MINUTES(5) * WEIR_MINUTES(5);

	put(p, "posts", "Montreal", "hello", start_ms);
	put(p, "posts", "Montreal", "bonjour", start_ms + 1);
	put(p, "posts", "Toronto", "hi", start_ms);
	put(p, "posts", NULL, "from nowhere", start_ms);
	flush(p);
	run_to_the_end("1-windowed-count", application("counts"));
	struct findings f = read_topic("city-counts", WINDOW, true);

	assert_int_equal(f.count, 2);
	assert_string_equal(value_of(&f, "Montreal"), "2");
	assert_string_equal(value_of(&f, "Toronto"), "1");
	f = read_topic("example-letters", PLAIN, false);
	assert_string_equal(value_of(&f, ""), "from nowhere");
}

static void example_2_counts_words(void **state)
{
	static const char *const topics[] = { "lines", "word-counts" };

	(void)state;
	begin(topics, LENGTH(topics), 1);
	weir_producer *p = producer();

	put(p, "lines", NULL, "To be, or not to be", now_ms());
	put(p, "lines", NULL, "that is the question", now_ms());
	flush(p);
	run_to_the_end("2-word-count", application("words"));
	struct findings f = read_topic("word-counts", PLAIN, true);

	assert_int_equal(f.count, 8);
	assert_string_equal(value_of(&f, "be"), "2");
	assert_string_equal(value_of(&f, "question"), "1");
}

static void example_3_watches_pages(void **state)
{
	static const char *const topics[] = { "requests", "failed-requests", "page-views", "slowest-requests" };

	(void)state;
	begin(topics, LENGTH(topics), 1);
	weir_producer *p = producer();
	int64_t start_ms = now_ms() / WEIR_MINUTES(1) * WEIR_MINUTES(1);

	put(p, "requests", "v1", "/home 200 35", start_ms);
	put(p, "requests", "v2", "/home?x=1 200 80", start_ms);
	put(p, "requests", "v2", "/buy 503 9000", start_ms);
	flush(p);
	run_to_the_end("3-page-views", application("pages"));
	struct findings f = read_topic("page-views", WINDOW, true);

	assert_string_equal(value_of(&f, "/home"), "2");
	f = read_topic("slowest-requests", WINDOW, false);
	assert_string_equal(value_of(&f, "/home"), "/home 200 80");
	f = read_topic("failed-requests", PLAIN, false);
	assert_string_equal(value_of(&f, "v2"), "/buy 503 9000");
}

static void example_4_tells_of_silence(void **state)
{
	static const char *const topics[] = { "reports", "alerts" }, *const none[] = { NULL };

	(void)state;
	begin(topics, LENGTH(topics), 2);
	weir_producer *p = producer();

	put(p, "reports", "cellar", "21", now_ms() - WEIR_MINUTES(2));
	flush(p);
	pid_t pid = run("4-alerts", application("alerts"), none);
	struct findings f;

	WAIT_UNTIL((f = read_topic("alerts", PLAIN, false)).count == 1);
	assert_int_equal(strncmp(value_of(&f, "cellar"), "silent since ", 13), 0);
	kill(pid, SIGTERM);
	assert_int_equal(ended(pid), 0);
}

static void example_5_averages(void **state)
{
	static const char *const topics[] = { "temperatures", "average-temperatures" };

	(void)state;
	begin(topics, LENGTH(topics), 1);
	weir_producer *p = producer();

	put(p, "temperatures", "Dorval", "20", now_ms());
	put(p, "temperatures", "Dorval", "21.5", now_ms());
	flush(p);
	run_to_the_end("5-hopping-average", application("averages"));
	struct findings f = read_topic("average-temperatures", WINDOW, false);

	assert_int_equal(f.count, 1);
	assert_true(strcmp(value_of(&f, "Dorval"), "20.75") == 0 || strcmp(value_of(&f, "Dorval"), "21.50") == 0);
}

static void example_6_counts_where_users_live(void **state)
{
	static const char *const topics[] = { "views", "users", "views-with-region", "region-views" };

	(void)state;
	begin(topics, LENGTH(topics), 2);
	weir_producer *p = producer();
	int64_t start_ms = now_ms() / WEIR_MINUTES(1) * WEIR_MINUTES(1);

	put(p, "users", "u1", "Ann, emea", start_ms - 1000);
	put(p, "users", "u2", "Bo, apac", start_ms - 1000);
	put(p, "views", "u1", "/home", start_ms);
	put(p, "views", "u1", "/buy", start_ms + 1);
	put(p, "views", "u2", "/home", start_ms + 2);
	put(p, "views", "u3", "/home", start_ms + 3);
	flush(p);
	run_to_the_end("6-views-by-region", application("regions"));
	struct findings f = read_topic("region-views", WINDOW, true);

	assert_int_equal(f.count, 3);
	assert_string_equal(value_of(&f, "emea"), "2");
	assert_string_equal(value_of(&f, "apac"), "1");
	assert_string_equal(value_of(&f, "unknown"), "1");
}

static void example_7_ranks_words(void **state)
{
	static const char *const topics[] = { "lines", "top-words" };

	(void)state;
	begin(topics, LENGTH(topics), 1);
	weir_producer *p = producer();

	put(p, "lines", NULL, "to be or not to be", now_ms());
	put(p, "lines", NULL, "to", now_ms());
	flush(p);
	run_to_the_end("7-top-words", application("ranks"));
	struct findings f = read_topic("top-words", PLAIN, false);

	assert_int_equal(f.count, 1);
	assert_memory_equal(value_of(&f, "top"), "to 3\nbe 2\n", 10);
}

static void example_8_tells_of_cards_tried_out(void **state)
{
	static const char *const topics[] = { "payments", "alerts" };

	(void)state;
	begin(topics, LENGTH(topics), 1);
	weir_producer *p = producer();
	int64_t start_ms = now_ms() - WEIR_MINUTES(60);

	put(p, "payments", "stolen", "120", start_ms);
	put(p, "payments", "stolen", "80", start_ms + WEIR_MINUTES(9));
	put(p, "payments", "stolen", "310", start_ms + WEIR_MINUTES(18));
	put(p, "payments", "stolen", "61200", start_ms + WEIR_MINUTES(20));
	put(p, "payments", "used", "9900", start_ms);
	put(p, "payments", "stolen", "7", start_ms + WEIR_MINUTES(40)); /* ends the session; and one that goes on */
	put(p, "payments", "stolen", "8", start_ms + WEIR_MINUTES(41));
	put(p, "payments", "stolen", "9", start_ms + WEIR_MINUTES(42));
	put(p, "payments", "stolen", "50000", start_ms + WEIR_MINUTES(43));
	flush(p);
	run_to_the_end("8-card-fraud", application("cards"));
	struct findings f = read_topic("alerts", SESSION, false);

	assert_int_equal(f.count, 1);
	assert_string_equal(value_of(&f, "stolen"), "4 payments, 3 of them small, the largest 612.00");
}

/* It is asked until it says so much; then its input ends, and it leaves. */
static void example_9_answers_while_it_counts(void **state)
{
	static const char *const topics[] = { "posts", "cities", "city-totals" };
	char program[600], command[1200], found[100] = "";

	(void)state;
	path_of("9-totals-asked-for", program);
	begin(topics, LENGTH(topics), 1);
	weir_producer *p = producer();

	put(p, "posts", "YUL", "hello", now_ms());
	put(p, "posts", "YUL", "bonjour", now_ms());
	put(p, "posts", "YYZ", "hi", now_ms());
	flush(p);
	snprintf(command, sizeof command,
		 "export WEIR_APPLICATION_ID='%s' WEIR_STATE_DIR='%s/9' found='%s/found'; rm -f \"$found\"; "
		 "for i in $(seq 600); do [ -s \"$found\" ] && break; echo YUL; sleep 0.1; done | "
		 "'%s' '%s' | grep --line-buffered 'YUL: 2' >\"$found\"; "
		 "head -1 \"$found\"",
		 application("asked"), directory, directory, program, getenv("WEIR_TEST_BOOTSTRAP"));
	FILE *out = popen(command, "r");

	assert_non_null(out);
	assert_non_null(fgets(found, sizeof found, out));
	assert_string_equal(found, "YUL: 2\n");
	assert_int_equal(pclose(out), 0);
	struct findings f = read_topic("city-totals", PLAIN, true);

	assert_string_equal(value_of(&f, "YUL"), "2");
	assert_string_equal(value_of(&f, "YYZ"), "1");
}

static int64_t end_of(const char *topic)
{
	int64_t sum = 0;

	for (int32_t p = 0, n = partitions_of(topic); p < n; p++) {
		int64_t first, end;

		must(weir_offsets_range(cluster, topic, p, &first, &end, &err));
		sum += end;
	}
	return sum;
}

static void put_lines(void)
{
	weir_producer *p = producer();

	for (int i = 0; i < LINES; i++) {
		char line[80];

		snprintf(line, sizeof line, "line w%d x%d", i % 10, i % 7);
		put(p, "lines", NULL, line, now_ms());
	}
	flush(p);
}

static void a_program_killed_again_and_again_counts_exactly(void **state)
{
	static const char *const topics[] = { "lines", "word-counts" };
	static const char *const more[] = { "-X", "group.static.membership=true",
					    "-X", "commit.interval.ms=50ms",
					    "-X", "buffered.records.per.partition=100",
					    NULL };
	char group[100], number[20];
	struct findings f;

	(void)state;
	begin(topics, LENGTH(topics), 2);
	put_lines();
	snprintf(group, sizeof group, "%s", application("killed"));
	for (int i = 0; i < KILLS; i++) {
		int64_t before = end_of("word-counts");
		pid_t pid = run("2-word-count", group, more);

		/* a while after its first results: each time another one */
		WAIT_UNTIL(end_of("word-counts") > before || i > 0);
		usleep((useconds_t)(20000 + 137000 * i));
		kill(pid, SIGKILL);
		assert_int_equal(ended(pid), 128 + SIGKILL);
		if (i > 0)
			continue;
		f = read_topic("word-counts", PLAIN, true);
		assert_in_range(atoi(value_of(&f, "line")), 0, LINES - 1); /* or it was no test */
	}
	run_to_the_end("2-word-count", group);
	f = read_topic("word-counts", PLAIN, true);
	snprintf(number, sizeof number, "%d", LINES);
	assert_string_equal(value_of(&f, "line"), number);
	for (int i = 0; i < 17; i++) {
		char word[8];
		int each = i < 10 ? 10 : 7, rest = i < 10 ? i : i - 10;

		snprintf(word, sizeof word, "%c%d", i < 10 ? 'w' : 'x', rest);
		snprintf(number, sizeof number, "%d", LINES / each + (rest < LINES % each));
		assert_string_equal(value_of(&f, word), number);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(example_1_counts_cities),
		cmocka_unit_test(example_2_counts_words),
		cmocka_unit_test(example_3_watches_pages),
		cmocka_unit_test(example_4_tells_of_silence),
		cmocka_unit_test(example_5_averages),
		cmocka_unit_test(example_6_counts_where_users_live),
		cmocka_unit_test(example_7_ranks_words),
		cmocka_unit_test(example_8_tells_of_cards_tried_out),
		cmocka_unit_test(example_9_answers_while_it_counts),
		cmocka_unit_test(a_program_killed_again_and_again_counts_exactly),
	};
	char command[100];

	cluster = real_cluster();
	if (!mkdtemp(directory))
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	weir_cluster_free(cluster);
	snprintf(command, sizeof command, "rm -rf '%s'", directory);
	if (!failed)
		failed = system(command);
	return failed;
}
