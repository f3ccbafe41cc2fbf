/* Ingest against a real broker: what it refuses, what a crash of it does, and the recount of what came through. */
#include "tests/integration/real_kafka.h"
#include "tests/unit/ingest_fixture.h"

#include <inttypes.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/clock.h>

#include "schemas/post.h"

#define TOOLS SOURCE_DIR "/tests/integration/"

static char folder[] = "/tmp/evilnet-ingest-XXXXXX";
static int topics_made;

/* Topics of its own for each test. */
static void open_real(struct fixture *f, const char *source, char posts[64], char dead[64])
{
	char metrics[64];

	snprintf(posts, 64, "ingest-%d-%d", (int)getpid(), topics_made++);
	snprintf(dead, 64, "%s-dead", posts);
	snprintf(metrics, sizeof metrics, "%s-metrics", posts);
	open_fixture_on(f, real_cluster(), source);
	set(f, "evilnet.topic", posts);
	set(f, "evilnet.dead.letters.topic", dead);
	set(f, "evilnet.metrics.topic", metrics);
}

static void close_real(struct fixture *f)
{
	const char *const topics[] = { weir_config_string(f->e.cfg, "evilnet.topic"),
				       weir_config_string(f->e.cfg, "evilnet.dead.letters.topic"),
				       weir_config_string(f->e.cfg, "evilnet.metrics.topic") };

	weir_topics_delete(f->e.cluster, topics, 3, NULL);
	close_fixture(f);
}

/* Runs a shell command and gives back the first line that it writes. */
__attribute__((format(printf, 3, 4))) static void shell(char *line, size_t size, const char *format, ...)
{
	char command[2000];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof command, format, args);
	va_end(args);
	FILE *pipe = popen(command, "r");
	assert_non_null(pipe);
	if (!fgets(line, (int)size, pipe))
		line[0] = 0;
	line[strcspn(line, "\n")] = 0;
	while (fgetc(pipe) != EOF)
		;
	int status = pclose(pipe);
	if (status)
		fail_msg("exit code %d: %s", WEXITSTATUS(status), command);
}

/* Rows of a topic by the recount, into a file. */
static void recount(const char *topic, const char *rows)
{
	char line[200];

	shell(line, sizeof line,
	      "kcat -C -b \"$WEIR_TEST_BOOTSTRAP\" -t %s -e -q -f '%%p %%o %%T %%K %%S %%h\\n%%k%%s\\n' >%s/dump "
	      "&& "
	      "python3 " TOOLS "recount.py %s/dump >%s/%s",
	      topic, folder, folder, folder, rows);
}

static void a_real_topic_holds_what_an_embedded_one_does(void **state)
{
	char posts[64], dead[64], source[100], line[200];
	struct fixture f;

	(void)state;
	shell(line, sizeof line, "python3 " TOOLS "make_posts.py --count 20000 --out %s/posts", folder);
	snprintf(source, sizeof source, "file:%s/posts", folder);
	open_real(&f, source, posts, dead);
	assert_int_equal(ingest(&f), EVILNET_DONE);
	uint64_t produced = weir_counter_value(f.stats.produced);
	assert_in_range(produced, 19800, 20000);
	/* one at a time of those that nobody takes */
	assert_true(weir_counter_value(f.stats.refused) >= 1);
	assert_int_equal(weir_counter_value(f.stats.resent), 0);
	recount(posts, "rows");
	struct seen_all real = read_topic(&f, posts);
	struct seen_all letters = read_topic(&f, dead);
	close_real(&f);

	open_fixture(&f, source);
	assert_int_equal(ingest(&f), EVILNET_DONE);
	struct seen_all embedded = read_topic(&f, "evilnet.posts");
	assert_int_equal(letters.count,
			 weir_counter_value(f.stats.unreadable) + weir_counter_value(f.stats.refused));
	close_fixture(&f);
	assert_int_equal(real.count, produced);
	assert_int_equal(embedded.count, produced);
	for (size_t i = 0; i < real.count; i++) {
		const struct seen *a = &real.items[i], *b = &embedded.items[i];

		assert_int_equal(a->partition, b->partition);
		assert_int_equal(a->timestamp_ms, b->timestamp_ms);
		assert_string_equal(a->key, b->key);
		assert_int_equal(a->value_len, b->value_len);
		assert_memory_equal(a->value, b->value, a->value_len);
	}
	shell(line, sizeof line, "awk -F'\\t' '{ sum += $4 } END { print sum }' %s/rows", folder);
	assert_in_range(atoi(line), 19000, produced); /* less what is repeated and late */
	release_seen(&real);
	release_seen(&letters);
	release_seen(&embedded);
}

/* In one batch with a thousand others lie some that only the broker can judge: it refuses the batch. */
static void a_refused_post_does_not_take_its_neighbours_with_it(void **state)
{
	weir_clock *clock = weir_clock_system();
	char posts[64], dead[64], source[100], time[32];
	struct fixture f;

	(void)state;
	snprintf(source, sizeof source, "file:%s/edge", folder);
	FILE *file = fopen(source + 5, "w");
	for (int i = 0; i < 1000; i++) {
		bool edge = i % 250 == 100;
		time_format_rfc3339(clock->wall_ms(clock) + (edge ? WEIR_MINUTES(60) + 50000 : i), time,
				    sizeof time);
		fprintf(file,
			"{\"data\":{\"id\":\"%d\",\"author_id\":\"7\",\"created_at\":\"%s\"},\"includes\":{"
			"\"places\":["
			"{\"place_type\":\"city\",\"full_name\":\"%s\"}]}}\n",
			i, time, edge ? "Edge" : "Regina, Saskatchewan");
	}
	fclose(file);
	open_real(&f, source, posts, dead);
	set(&f, "evilnet.partitions", "1");
	assert_int_equal(ingest(&f), EVILNET_DONE);
	assert_int_equal(weir_counter_value(f.stats.refused), 4);
	assert_int_equal(weir_counter_value(f.stats.produced), 996);
	assert_int_equal(weir_counter_value(f.stats.lost), 0);
	struct seen_all all = read_topic(&f, posts), letters = read_topic(&f, dead);
	assert_int_equal(all.count, 996);
	for (size_t i = 0; i < all.count; i++)
		assert_string_equal(all.items[i].key, "Regina, Saskatchewan");
	assert_int_equal(letters.count, 4);
	for (size_t i = 0; i < letters.count; i++)
		assert_non_null(strstr(letters.items[i].value, "\"Edge\""));
	release_seen(&all);
	release_seen(&letters);
	close_real(&f);
}

static void *crash_and_recover(void *unused)
{
	char line[200];

	sleep(2);
	shell(line, sizeof line, SOURCE_DIR "/tests/services.sh kill kafka 2>&1");
	sleep(2);
	shell(line, sizeof line, SOURCE_DIR "/tests/services.sh start kafka 2>&1");
	return unused;
}

static int compare_values(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;
	int c = strcmp(x->key, y->key);

	if (!c && x->value_len == y->value_len)
		c = memcmp(x->value, y->value, x->value_len);
	return c ? c : (x->value_len > y->value_len) - (x->value_len < y->value_len);
}

static void nothing_is_lost_when_the_broker_is_killed(void **state)
{
	enum { COUNT = 20000 };
	char posts[64], dead[64];
	struct fixture f;
	struct seen_all got, wanted;
	pthread_t thread;
	size_t distinct[2] = { 0 };

	(void)state;
	if (!getenv("WEIR_TEST_DIR")) /* not ours to kill */
		skip();
	open_real(&f, "simulate", posts, dead);
	set(&f, "evilnet.simulate.rate", "2500");
	set(&f, "evilnet.simulate.count", "20000");
	set(&f, "evilnet.simulate.start", "2022-09-15T03:00:00Z");
	pthread_create(&thread, NULL, crash_and_recover, NULL);
	assert_int_equal(ingest(&f), EVILNET_DONE);
	pthread_join(thread, NULL);
	assert_int_equal(weir_counter_value(f.stats.produced), COUNT);
	got = read_topic(&f, posts);
	close_real(&f);

	open_fixture(&f, "simulate"); /* the same without a crash */
	set(&f, "evilnet.simulate.rate", "2500");
	set(&f, "evilnet.simulate.count", "20000");
	set(&f, "evilnet.simulate.start", "2022-09-15T03:00:00Z");
	assert_int_equal(ingest(&f), EVILNET_DONE);
	wanted = read_topic(&f, "evilnet.posts");
	close_fixture(&f);
	struct seen_all *both[] = { &got, &wanted };
	for (int i = 0; i < 2; i++) {
		qsort(both[i]->items, both[i]->count, sizeof *both[i]->items, compare_values);
		for (size_t j = 0; j < both[i]->count; j++)
			distinct[i] += j == 0 || compare_values(&both[i]->items[j - 1], &both[i]->items[j]) != 0;
	}
	assert_int_equal(wanted.count, COUNT);
	assert_true(got.count >= COUNT);
	assert_int_equal(distinct[0], distinct[1]);
	release_seen(&got);
	release_seen(&wanted);
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	char line[10];

	(void)state;
	shell(line, sizeof line, "rm -rf %s", folder);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_real_topic_holds_what_an_embedded_one_does),
		cmocka_unit_test(a_refused_post_does_not_take_its_neighbours_with_it),
		cmocka_unit_test(nothing_is_lost_when_the_broker_is_killed),
	};

	weir_cluster_free(real_cluster()); /* ends the program here when there is none */
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
