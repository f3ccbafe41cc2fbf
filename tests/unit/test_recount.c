/* The tools of the end-to-end test in tests/integration, held against what can be worked out by hand. */
#include "tests/unit/ingest_fixture.h"

#include <sys/wait.h>
#include <unistd.h>

#include "schemas/post.h"

#define TOOLS SOURCE_DIR "/tests/integration/"

static char folder[] = "/tmp/evilnet-recount-XXXXXX";

static const char *path_of(const char *name)
{
	static char paths[4][100];
	static int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof paths[0], "%s/%s", folder, name);
	return path;
}

/* What a shell command writes; its exit code. */
static int output_of(const char *command, char *to, size_t size)
{
	FILE *pipe = popen(command, "r");
	size_t n = fread(to, 1, size - 1, pipe);

	to[n] = 0;
	return WEXITSTATUS(pclose(pipe));
}

static void read_file(const char *path, char *to, size_t size)
{
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	size_t n = fread(to, 1, size - 1, file);
	to[n] = 0;
	fclose(file);
}

/* --- a dump as kcat writes it --------------------------------------------------------------------------------- */

static void dump_record(FILE *to, int partition, int64_t offset, const char *headers, weir_bytes key,
			weir_bytes value)
{
	fprintf(to, "%d %lld 0 %lld %zu %s\n", partition, (long long)offset, key.data ? (long long)key.len : -1LL,
		value.len, headers);
	fwrite(key.data ? key.data : "", 1, key.len, to);
	fwrite(value.data, 1, value.len, to);
	fputc('\n', to);
}

static bool dump_kafka_record(const weir_kafka_record *r, void *file)
{
	weir_bytes received = weir_headers_last(weir_kafka_record_headers(r), "received");
	char headers[64] = "";

	if (received.data)
		snprintf(headers, sizeof headers, "received=%.*s", (int)received.len, (const char *)received.data);
	dump_record(file, r->partition, r->offset, headers, r->key, r->value);
	return true;
}

static void dump_posts(struct fixture *f, const char *path)
{
	FILE *file = fopen(path, "w");
	weir_error err;

	for (int32_t p = 0; p < 6; p++) {
		weir_consumer *consumer = weir_consumer_open(f->e.cluster, (weir_consumer_opts){ 0 }, &err);
		weir_partition from = { .topic = "evilnet.posts", .partition = p, .offset = WEIR_OFFSET_BEGINNING };
		int64_t first, end;

		assert_true(weir_offsets_range(f->e.cluster, "evilnet.posts", p, &first, &end, &err));
		assert_true(weir_consumer_assign(consumer, &from, 1, &err));
		for (int i = 0; weir_consumer_position(consumer, "evilnet.posts", p) < end && i < 1000; i++)
			assert_true(weir_consumer_poll(consumer, 10, dump_kafka_record, file, &err));
		weir_consumer_close(consumer);
	}
	assert_int_equal(fclose(file), 0);
}

/* --- the tests ------------------------------------------------------------------------------------------------ */

static void the_worked_example_comes_out_as_it_must(void **state)
{
	char got[4096], want[4096], command[400];
	struct fixture f;

	(void)state;
	open_fixture(&f, "file:" TOOLS "worked_example.jsonl");
	assert_int_equal(ingest(&f), EVILNET_DONE);
	assert_int_equal(weir_counter_value(f.stats.produced), 13);
	dump_posts(&f, path_of("dump"));
	close_fixture(&f);
	snprintf(command, sizeof command, "python3 " TOOLS "recount.py %s | cut -f 1-6", path_of("dump"));
	assert_int_equal(output_of(command, got, sizeof got), 0);
	read_file(TOOLS "worked_example.rows", want, sizeof want);
	assert_string_equal(got, want);
}

/* What one record of the dump below is, beside a place that is "A" and a key that is the place. */
struct made {
	const char *id, *author;
	int64_t created_ms;
	const char *place, *key, *headers;
	bool retweet, json;
};

#define MINUTE INT64_C(60000)
#define QUARTER (15 * MINUTE)
#define DAY (20000 * 96 * QUARTER) /* 2024-10-04 */

static void dump_made(FILE *to, int partition, int64_t offset, const struct made *m)
{
	const char *place = m->place ? m->place : "A", *key = m->key ? m->key : place;
	struct post post = { weir_str(m->id), weir_str(m->author), weir_str(place), m->created_ms, m->retweet };
	char value[500], time[32];
	size_t n = post_encode(&post, value, sizeof value);

	if (m->json) {
		time_format_rfc3339(m->created_ms, time, sizeof time);
		n = (size_t)snprintf(
			value, sizeof value,
			"{\"place\":\"%s\",\"created_at\":\"%s\",\"id\":\"%s\",\"new\":[1,{}],\"is_retweet\":%s,"
			"\"author_id\":\"%s\"}",
			place, time, m->id, m->retweet ? "true" : "false", m->author);
	}
	dump_record(to, partition, offset, m->headers ? m->headers : "", weir_str(key), weir_bytes_of(value, n));
}

static void every_rule_is_kept_to_the_millisecond(void **state)
{
	static const struct made made[] = {
		{ "1", "a", DAY + 1000 }, /* counted: 2 and 3 are of another id or place */
		{ "1", "a", DAY + 1000 }, /* repeated */
		{ "1", "a", DAY + 2000 }, /* repeated: the time plays no part */
		{ "1", "a", DAY + 1000, .place = "B", .retweet = true },  /* counted */
		{ "2", "a", DAY + QUARTER - 1, .json = true },            /* counted, same author */
		{ "3", "b", DAY + QUARTER },                              /* counted, next window */
		{ "4", "b", DAY, .key = "B" },                            /* key */
		{ "5", "c", DAY + 50 * MINUTE, .headers = "received=1" }, /* future: moves no time */
		{ "6", "c", DAY + 20 * MINUTE - 1 }, /* counted: stream time is 1 ms short of closing */
		{ "7", "c", DAY + QUARTER - 1, .retweet = true }, /* counted into the first window */
		{ "8", "c", DAY + 20 * MINUTE,
		  .headers = "x=y,received=0,received=1728001140000" }, /* counted: see below */
		{ "9", "d", DAY + QUARTER - 1 },                        /* late: the first window is closed now */
		{ "9", "d", DAY + QUARTER - 1 },                        /* late again, not repeated */
		{ "1", "a", DAY + 1000 },                               /* late: nobody remembers it */
		{ "1", "a", DAY + 16 * MINUTE },                        /* counted: its window was another */
		{ "10", "d", DAY + 20 * MINUTE + 1, .headers = "received=1728001140000" }, /* future by 1 ms */
	};
	/* received 1728001140000 = DAY + 19 min: a skew of a minute allows up to 20 */
	char got[4096], command[400];
	FILE *file = fopen(path_of("dump"), "w");

	(void)state;
	assert_int_equal(DAY + 19 * MINUTE, 1728001140000);
	for (size_t i = 0; i < sizeof made / sizeof *made; i++)
		dump_made(file, 2, (int64_t)i, &made[i]);
	dump_record(file, 2, 100, "", weir_str("A"), weir_str("\x81\xa2id")); /* unreadable */
	dump_record(file, 2, 101, "", weir_str("A"),
		    weir_str("{\"id\":\"1\"}\n")); /* unreadable, with a line feed */
	dump_record(file, 2, 102, "", WEIR_NULL, weir_str("{\"id\":\"1\",\"x\":[")); /* unreadable */
	dump_made(file, 0, 5, &(struct made){ "20", "e", DAY + 60 * MINUTE });
	dump_made(file, 1, 7,
		  &(struct made){ "1", "z", DAY + 1000 }); /* partitions have nothing to do with each other */
	fclose(file);
	snprintf(command, sizeof command, "python3 " TOOLS "recount.py --summary %s 2>&1", path_of("dump"));
	assert_int_equal(output_of(command, got, sizeof got), 0);
	assert_string_equal(
		got,
		"{\"records\": 21, \"counted\": 10, \"unreadable\": 3, \"key\": 1, \"future\": 2, \"repeated\": 2, "
		"\"late\": 3}\n"
		"A\t2024-10-04 00:00:00\t900\t4\t1\t3\t7\n"
		"A\t2024-10-04 00:15:00\t900\t4\t0\t3\t14\n"
		"A\t2024-10-04 01:00:00\t900\t1\t0\t1\t5\n"
		"B\t2024-10-04 00:00:00\t900\t1\t1\t1\t3\n");
}

static void a_comparison_finds_what_differs(void **state)
{
	static const char rows[] = "place\twindow_start\twindow_seconds\ttweets\tretweets\tusers\tupto\n"
				   "A\\\\B\\tC\t2024-10-04 00:00:00\t900\t2\t0\t2\t1\n";
	static const char *const bad[] = {
		"A\\\\B\\tC\t2024-10-04 00:00:00\t900\t2\t0\t2\t2\n",
		"A\\\\B\\tC\t2024-10-04 00:00:00\t900\t2\t0\t1\t1\n",
		"A\\\\B\\tC\t2024-10-04 00:00:00\t900\t2\t0\t2\t1\nX\t2024-10-04 00:00:00\t900\t1\t0\t1\t3\n",
		"",
	};
	char got[2000], command[400];
	FILE *file = fopen(path_of("dump"), "w");

	(void)state;
	dump_made(file, 0, 0, &(struct made){ "1", "a", DAY, .place = "A\\B\tC" });
	dump_made(file, 0, 1, &(struct made){ "2", "b", DAY, .place = "A\\B\tC" });
	fclose(file);
	for (int i = -1; i < 4; i++) {
		file = fopen(path_of("rows"), "w");
		fputs(i < 0 ? rows : bad[i], file);
		fclose(file);
		snprintf(command, sizeof command, "python3 " TOOLS "recount.py --rows %s %s 2>&1", path_of("rows"),
			 path_of("dump"));
		assert_int_equal(output_of(command, got, sizeof got), i < 0 ? 0 : 1);
		assert_non_null(strstr(got, i < 0 ? "1 rows expected, 0 differ" : "1 rows expected, 1 differ"));
	}
	/* beyond the limit of exact counting, users may be off by the tolerance, and nothing else may */
	file = fopen(path_of("rows"), "w");
	fputs(bad[1], file);
	fclose(file);
	snprintf(command, sizeof command,
		 "python3 " TOOLS "recount.py --exact-max 1 --tolerance 0.5 --rows %s %s 2>&1", path_of("rows"),
		 path_of("dump"));
	assert_int_equal(output_of(command, got, sizeof got), 0);
}

/* Without keys, in one partition; behind it there are two, each with a stream time of its own. */
static void posts_without_keys_are_counted_by_their_place(void **state)
{
	char got[2000], command[400], value[200], time[32];
	FILE *file = fopen(path_of("dump"), "w");
	const int a = weir_partition_for_key(weir_str("A"), 2);
	char other[] = "B";

	(void)state;
	while (weir_partition_for_key(weir_str(other), 2) == a)
		other[0]++;
	const struct made made[] = {
		{ "1", "a", DAY },
		{ "2", "a", DAY + 60 * MINUTE, .place = other },
		{ "3", "b", DAY + 1 },                 /* late, were it for the one before */
		{ "4", "b", DAY + 1, .place = other }, /* late */
		{ "1", "a", DAY },                     /* repeated */
	};
	for (int i = 0; i < 5; i++) {
		const char *place = made[i].place ? made[i].place : "A";

		time_format_rfc3339(made[i].created_ms, time, sizeof time);
		snprintf(value, sizeof value,
			 "{\"author_id\":\"%s\",\"id\":\"%s\",\"created_at\":\"%s\",\"is_retweet\":false,\"place\":"
			 "\"%s\"}",
			 made[i].author, made[i].id, time, place);
		dump_record(file, 0, i, "", WEIR_NULL, weir_str(value));
	}
	fclose(file);
	snprintf(command, sizeof command, "python3 " TOOLS "recount.py --rekey 2 --summary %s 2>&1",
		 path_of("dump"));
	assert_int_equal(output_of(command, got, sizeof got), 0);
	snprintf(value, sizeof value,
		 "{\"records\": 5, \"counted\": 3, \"unreadable\": 0, \"key\": 0, \"future\": 0, \"repeated\": 1, "
		 "\"late\": 1}\nA\t2024-10-04 00:00:00\t900\t2\t0\t2\t0\n%s",
		 other);
	assert_memory_equal(got, value, strlen(value));
}

static int fate(const char *summary, const char *name)
{
	const char *at = strstr(summary, name);

	return at ? atoi(at + strlen(name) + 3) : -1;
}

static void made_posts_are_the_same_each_time_and_of_every_kind(void **state)
{
	char got[1 << 16], command[400], summary[600];
	struct fixture f;

	(void)state;
	for (int i = 0; i < 2; i++) {
		snprintf(command, sizeof command,
			 "python3 " TOOLS
			 "make_posts.py --count 6000 --crowd 500 --json-form %s --json-count 10 --out %s",
			 path_of(i ? "json2" : "json1"), path_of(i ? "posts2" : "posts1"));
		assert_int_equal(output_of(command, got, sizeof got), 0);
	}
	snprintf(command, sizeof command, "cd %s && cmp posts1 posts2 && cmp json1 json2 && wc -l < posts1",
		 folder);
	assert_int_equal(output_of(command, got, sizeof got), 0);
	assert_int_equal(atoi(got), 6500);

	snprintf(command, sizeof command, "file:%s", path_of("posts1"));
	open_fixture(&f, command);
	assert_int_equal(ingest(&f), EVILNET_DONE);
	int produced = (int)weir_counter_value(f.stats.produced);
	assert_in_range(produced, 6400, 6500);
	assert_true(weir_counter_value(f.stats.unreadable) >= 5);
	assert_true(weir_counter_value(f.stats.refused) >= 1);
	assert_true(weir_counter_value(f.stats.no_place) >= 1);
	assert_true(weir_counter_value(f.stats.not_city) >= 1);
	dump_posts(&f, path_of("dump"));
	close_fixture(&f);
	snprintf(command, sizeof command, "python3 " TOOLS "recount.py --summary %s 2>%s", path_of("dump"),
		 path_of("summary"));
	assert_int_equal(output_of(command, got, sizeof got), 0);
	read_file(path_of("summary"), summary, sizeof summary);
	assert_int_equal(fate(summary, "records"), produced);
	assert_int_equal(fate(summary, "unreadable"), 0);
	assert_int_equal(fate(summary, "key"), 0);
	assert_int_equal(fate(summary, "future"), 0); /* nobody received them */
	if (fate(summary, "repeated") < 10 || fate(summary, "late") < 5)
		fail_msg("%s", summary);
	assert_non_null(strstr(got, "O'Brien\"; DROP TABLE city_windows;-- <script>\t"));
	assert_non_null(strstr(got, "Montréal, Quebec\t"));
	assert_non_null(strstr(got, "Montreal, Quebec\t"));
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	static const char *const names[] = { "dump", "rows", "posts1", "posts2", "json1", "json2", "summary" };

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unlink(path_of(names[i]));
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_worked_example_comes_out_as_it_must),
		cmocka_unit_test(every_rule_is_kept_to_the_millisecond),
		cmocka_unit_test(posts_without_keys_are_counted_by_their_place),
		cmocka_unit_test(a_comparison_finds_what_differs),
		cmocka_unit_test(made_posts_are_the_same_each_time_and_of_every_kind),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
