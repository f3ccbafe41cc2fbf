#include "tests/unit/ingest_fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>
#include <weir/clock.h>

#include "schemas/post.h"

/* A file with this text, under a name of its own. */
static const char *file_of(const char *text, size_t len)
{
	static char source[64];
	int fd;

	snprintf(source, sizeof source, "file:/tmp/evilnet-test-XXXXXX");
	fd = mkstemp(source + 5);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
	return source;
}

static void remove_file(const char *source)
{
	unlink(source + 5);
}

#define POST(id, author, time, retweet, place) \
	"{\"data\":{\"id\":\"" id "\",\"author_id\":\"" author "\",\"created_at\":\"" time "\"" retweet "}," \
	"\"includes\":{\"places\":[{\"id\":\"p\",\"place_type\":\"city\",\"full_name\":\"" place "\"}]}}\n"
#define RETWEET ",\"referenced_tweets\":[{\"type\":\"retweeted\",\"id\":\"9\"}]"

static void *no_alloc(void *user, size_t n)
{
	(void)user, (void)n;
	fail();
	return NULL;
}

static struct post post_of(const struct seen *s)
{
	struct post post;
	weir_error err;

	if (!post_decode(weir_bytes_of(s->value, s->value_len), &post, no_alloc, NULL, &err))
		fail_msg("%s", err.message);
	return post;
}

static void posts_of_a_file_reach_the_topic_as_the_contract_says(void **state)
{
	static const char text[] = POST("1", "7", "2022-09-15T03:06:25.000Z", "", "Montréal, Quebec")
		POST("2", "8", "2022-09-15T03:10:28.5Z", RETWEET, "Toronto, Ontario") "\r\n";
	const char *source = file_of(text, sizeof text - 1);
	struct fixture f;

	(void)state;
	open_fixture(&f, source);
	assert_int_equal(ingest(&f), EVILNET_DONE);
	struct seen_all all = read_topic(&f, "evilnet.posts");
	assert_int_equal(all.count, 2);
	for (size_t i = 0; i < 2; i++) {
		struct post post = post_of(&all.items[i]);
		const struct seen *s = &all.items[i];
		bool montreal = weir_bytes_equal(post.id, weir_str("1"));

		assert_string_equal(s->key, montreal ? "Montréal, Quebec" : "Toronto, Ontario");
		assert_true(weir_bytes_equal(post.place, weir_str(s->key)));
		assert_int_equal(s->partition, weir_partition_for_key(weir_str(s->key), 6));
		assert_int_equal(s->timestamp_ms, montreal ? 1663211185000 : 1663211428500);
		assert_int_equal(post.created_at_ms, s->timestamp_ms);
		assert_int_equal(post.is_retweet, !montreal);
		assert_null(s->received); /* nobody received it */
	}
	assert_int_equal(counted(&f, "evilnet_ingest_produced_total", NULL), 2);
	release_seen(&all);
	remove_file(source);
	close_fixture(&f);
}

static void what_cannot_be_used_goes_to_the_dead_letters_and_the_rest_goes_on(void **state)
{
	static const char head[] =
		"{\"data\":oops}\n" POST("1", "7", "2022-09-15T03:06:25.000Z", "",
					 "Montréal, Quebec") POST("2", "7", "yesterday", "", "Montréal, Quebec")
			POST("3", "", "2022-09-15T03:06:25Z", "", "Montréal, Quebec") "{\"data\":{\"id\":\"4\"}}\n";
	const size_t long_line = (1 << 20) + 1;
	char *text = malloc(sizeof head + long_line + 1000);
	struct fixture f;
	int found = 0;

	(void)state;
	memcpy(text, head, sizeof head - 1);
	memset(text + sizeof head - 1, 'x', long_line);
	size_t n = sizeof head - 1 + long_line;
	n += (size_t)snprintf(text + n, 1000, "\n%s",
			      POST("5", "7", "2022-09-15T03:06:26Z", "", "Montréal, Quebec"));
	const char *source = file_of(text, n);
	open_fixture(&f, source);
	assert_int_equal(ingest(&f), EVILNET_DONE);

	struct seen_all posts = read_topic(&f, "evilnet.posts"), dead = read_topic(&f, "evilnet.dead-letters");
	assert_int_equal(posts.count, 2);
	assert_int_equal(dead.count, 4);
	for (size_t i = 0; i < dead.count; i++) {
		const struct seen *s = &dead.items[i];
		weir_clock *clock = weir_clock_system();

		assert_string_equal(s->source, source);
		assert_in_range(clock->wall_ms(clock) - s->timestamp_ms, 0, 60000);
		if (strstr(s->reason, "broken JSON")) {
			assert_string_equal(s->value, "{\"data\":oops}");
			assert_null(s->original_timestamp);
			found |= 1;
		} else if (strstr(s->reason, "created_at is no")) {
			assert_non_null(strstr(s->value, "\"yesterday\""));
			assert_null(s->original_timestamp);
			found |= 2;
		} else if (strstr(s->reason, "author_id is empty")) {
			assert_string_equal(s->original_timestamp, "1663211185000");
			found |= 4;
		} else if (strstr(s->reason, "an object of 1048577 bytes")) {
			assert_int_equal(s->value_len, 256 << 10);
			assert_string_equal(s->original_length, "1048577");
			found |= 8;
		}
	}
	assert_int_equal(found, 15);
	assert_int_equal(counted(&f, "evilnet_ingest_received_total", NULL), 7);
	assert_int_equal(counted(&f, "evilnet_ingest_kept_total", NULL), 2);
	assert_int_equal(counted(&f, "evilnet_ingest_dropped_total", "no_place"), 1);
	assert_int_equal(counted(&f, "evilnet_ingest_dead_letters_total", "unreadable"), 3);
	assert_int_equal(counted(&f, "evilnet_ingest_dead_letters_total", "too_long"), 1);
	release_seen(&posts);
	release_seen(&dead);
	free(text);
	remove_file(source);
	close_fixture(&f);
}

/* The embedded cluster refuses it as Kafka 4 does. */
static void posts_that_the_broker_refuses_are_dead_letters(void **state)
{
	weir_clock *clock = weir_clock_system();
	int64_t now = clock->wall_ms(clock);
	char text[2000], soon[32], far[32], edge[32];
	struct fixture f;
	size_t n;

	(void)state;
	time_format_rfc3339(now + 50 * 60000, soon, sizeof soon);
	time_format_rfc3339(now + 70 * 60000, far, sizeof far);
	time_format_rfc3339(now + 60 * 60000 + 30000, edge, sizeof edge); /* ours to try, the broker's to refuse */
	n = 0;
	const char *const times[] = { soon, far, edge };
	for (int i = 0; i < 3; i++)
		n += (size_t)snprintf(
			text + n, sizeof text - n,
			"{\"data\":{\"id\":\"%d\",\"author_id\":\"7\",\"created_at\":\"%s\"},\"includes\":"
			"{\"places\":[{\"place_type\":\"city\",\"full_name\":\"Regina, Saskatchewan\"}]}}\n",
			i, times[i]);
	const char *source = file_of(text, n);
	open_fixture(&f, source);
	assert_int_equal(ingest(&f), EVILNET_DONE);
	struct seen_all posts = read_topic(&f, "evilnet.posts"), dead = read_topic(&f, "evilnet.dead-letters");
	assert_int_equal(posts.count, 1);
	assert_int_equal(posts.items[0].timestamp_ms, now + 50 * 60000);
	assert_int_equal(dead.count, 2);
	for (int i = 0; i < 2; i++) {
		bool is_edge = strstr(dead.items[i].value, edge);
		assert_int_equal(atoll(dead.items[i].original_timestamp),
				 now + (is_edge ? 60 * 60000 + 30000 : 70 * 60000));
		assert_non_null(strstr(dead.items[i].reason,
				       is_edge ? "timestamp" : " s ahead, topic evilnet.posts takes 3600 s"));
		assert_non_null(strstr(dead.items[i].value, "Regina"));
	}
	assert_int_equal(counted(&f, "evilnet_ingest_dead_letters_total", "refused"), 2);
	assert_int_equal(counted(&f, "evilnet_ingest_produced_total", NULL), 1);
	release_seen(&posts);
	release_seen(&dead);
	remove_file(source);
	close_fixture(&f);
}

static void the_last_line_needs_no_line_feed_and_standard_input_will_do(void **state)
{
	static const char text[] = POST("1", "7", "2022-09-15T03:06:25.000Z", "", "Montréal, Quebec");
	int ends[2], saved = dup(STDIN_FILENO);
	struct fixture f;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], text, sizeof text - 2), sizeof text - 2);
	close(ends[1]);
	dup2(ends[0], STDIN_FILENO);
	close(ends[0]);
	open_fixture(&f, "-");
	f.e.exit_at_end = true;
	assert_int_equal(ingest(&f), EVILNET_DONE);
	dup2(saved, STDIN_FILENO);
	close(saved);
	assert_int_equal(counted(&f, "evilnet_ingest_produced_total", NULL), 1);
	close_fixture(&f);
}

static void a_replay_keeps_its_pace(void **state)
{
	/* six seconds of event time, thirty times as fast */
	static const char text[] = POST("1", "7", "2022-09-15T03:06:25Z", "", "x")
		POST("2", "7", "2022-09-15T03:06:24Z", "", "x") POST("3", "7", "2022-09-15T03:06:31Z", "", "x");
	const char *source = file_of(text, sizeof text - 1);
	struct fixture f;
	weir_clock *clock = weir_clock_system();

	(void)state;
	open_fixture(&f, source);
	set(&f, "evilnet.replay.speed", "30");
	int64_t start = clock->monotonic_us(clock);
	assert_int_equal(ingest(&f), EVILNET_DONE);
	assert_in_range((clock->monotonic_us(clock) - start) / 1000, 195, 1500);
	assert_int_equal(counted(&f, "evilnet_ingest_produced_total", NULL), 3);
	remove_file(source);
	close_fixture(&f);
}

static void a_bad_clock_or_a_long_silence_does_not_hold_a_replay(void **state)
{
	/* At pace, the third would take three days, the fifth two years, and the sixth a day. */
	static const char text[] = POST("1", "7", "2022-09-15T03:06:25Z", "", "x")
		POST("2", "7", "2022-09-15T03:06:26Z", "", "x") POST("3", "7", "2022-12-15T03:06:31Z", "", "x")
		POST("4", "7", "2022-09-15T03:06:28Z", "", "x") POST("5", "7", "2099-09-15T03:06:28Z", "", "x")
		POST("6", "7", "2022-10-15T03:00:00Z", "", "x") POST("7", "7", "2022-10-15T03:00:01Z", "", "x")
		POST("8", "7", "2022-10-15T03:00:04Z", "", "x");
	const char *source = file_of(text, sizeof text - 1);
	struct fixture f;
	weir_clock *clock = weir_clock_system();

	(void)state;
	open_fixture(&f, source);
	set(&f, "evilnet.replay.speed", "30");
	int64_t start = clock->monotonic_us(clock);
	assert_int_equal(ingest(&f), EVILNET_DONE);
	assert_in_range((clock->monotonic_us(clock) - start) / 1000, 195, 1500); /* three seconds and three */
	assert_int_equal(counted(&f, "evilnet_ingest_produced_total", NULL), 7);
	remove_file(source);
	close_fixture(&f);
}

static void the_simulator_is_repeatable_and_says_when_it_received(void **state)
{
	struct seen_all all[2];
	struct fixture f;

	(void)state;
	for (int round = 0; round < 2; round++) {
		open_fixture(&f, "simulate");
		set(&f, "evilnet.simulate.count", "3000");
		set(&f, "evilnet.simulate.rate", "1000");
		set(&f, "evilnet.simulate.start", "2022-09-15T03:00:00Z");
		set(&f, "evilnet.simulate.backfill", "1h");
		f.e.exit_at_end = true;
		assert_int_equal(ingest(&f), EVILNET_DONE);
		all[round] = read_topic(&f, "evilnet.posts");
		assert_int_equal(all[round].count, 3000);
		close_fixture(&f);
	}
	for (size_t i = 0; i < 3000; i++) {
		const struct seen *a = &all[0].items[i], *b = &all[1].items[i];
		int64_t received = atoll(a->received);

		assert_string_equal(a->key, b->key);
		assert_int_equal(a->value_len, b->value_len);
		assert_memory_equal(a->value, b->value, a->value_len);
		assert_string_equal(a->received, b->received);
		assert_in_range(received, 1663207200000, 1663207206000); /* 02:00Z and a few seconds */
		assert_in_range(a->timestamp_ms, received - 60 * 60000, received + 60 * 60000);
	}
	release_seen(&all[0]);
	release_seen(&all[1]);
}

static void the_simulator_keeps_its_rate(void **state)
{
	weir_clock *clock = weir_clock_system();
	struct fixture f;

	(void)state;
	open_fixture(&f, "simulate");
	set(&f, "evilnet.simulate.count", "600");
	set(&f, "evilnet.simulate.rate", "1000");
	int64_t start = clock->monotonic_us(clock);
	assert_int_equal(ingest(&f), EVILNET_DONE);
	assert_in_range((clock->monotonic_us(clock) - start) / 1000, 450, 3000);
	close_fixture(&f);
}

static void *stop_when_the_past_is_made_up(void *user)
{
	struct fixture *f = user;

	while (counted(f, "evilnet_ingest_received_total", NULL) < 800)
		nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
	f->stopped_us = weir_clock_system()->monotonic_us(weir_clock_system());
	__atomic_store_n(&f->stop, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void the_stop_flag_ends_it_and_what_was_taken_is_there(void **state)
{
	weir_clock *clock = weir_clock_system();
	struct fixture f;
	pthread_t thread;

	(void)state;
	open_fixture(&f, "simulate");
	set(&f, "evilnet.simulate.rate", "100");
	set(&f, "evilnet.simulate.backfill", "10s");
	pthread_create(&thread, NULL, stop_when_the_past_is_made_up, &f);
	assert_int_equal(ingest(&f), EVILNET_DONE);
	pthread_join(thread, NULL);
	assert_in_range((clock->monotonic_us(clock) - f.stopped_us) / 1000, 0, 1000);
	struct seen_all all = read_topic(&f, "evilnet.posts");
	assert_true(all.count >= 800);
	assert_int_equal(all.count, counted(&f, "evilnet_ingest_received_total", NULL));
	release_seen(&all);
	close_fixture(&f);
}

/* Without its message on standard error. */
static int ingest_quietly(struct fixture *f)
{
	int saved = dup(STDERR_FILENO), nowhere = open("/dev/null", O_WRONLY);

	dup2(nowhere, STDERR_FILENO);
	int code = ingest(f);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(nowhere);
	return code;
}

static void wrong_configuration_is_refused_as_such(void **state)
{
	static const struct {
		const char *source, *key, *value;
		int code;
	} cases[] = {
		{ NULL, NULL, NULL, EVILNET_USAGE },
		{ "twitter", NULL, NULL, EVILNET_USAGE },
		{ "file:", NULL, NULL, EVILNET_USAGE },
		{ "file:/nowhere/at/all", NULL, NULL, EVILNET_FAILED },
		{ "file:/tmp", NULL, NULL, EVILNET_FAILED }, /* a folder */
		{ "file:/dev/null", "evilnet.replay.speed", "0", EVILNET_USAGE },
		{ "file:/dev/null", "evilnet.replay.speed", "fast", EVILNET_USAGE },
		{ "file:/dev/null", "evilnet.replay.speed", "nan", EVILNET_USAGE },
		{ "file:/dev/null", "evilnet.retweet.types", "liked", EVILNET_USAGE },
		{ "simulate", "evilnet.simulate.start", "soon", EVILNET_USAGE },
		{ "simulate", NULL, NULL, EVILNET_USAGE }, /* with --exit-at-end */
		{ "file:/dev/null", NULL, NULL, EVILNET_DONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct fixture f;

		open_fixture(&f, cases[i].source);
		f.e.exit_at_end = true;
		if (cases[i].key)
			set(&f, cases[i].key, cases[i].value);
		if (cases[i].key && strcmp(cases[i].key, "evilnet.simulate.start") == 0)
			f.e.exit_at_end = false;
		int code = ingest_quietly(&f);
		if (code != cases[i].code)
			fail_msg("case %zu gives %d", i, code);
		close_fixture(&f);
	}
}

static void the_topics_are_made_with_their_configuration_and_left_as_they_are(void **state)
{
	struct fixture f;
	weir_error err;
	char value[64];

	(void)state;
	open_fixture(&f, NULL);
	set(&f, "evilnet.partitions", "3");
	set(&f, "evilnet.topic", "posts.ca");
	for (int i = 0; i < 2; i++) {
		assert_true(evilnet_topics_ensure(&f.e, &err));
		assert_int_equal(weir_topic_partitions(f.e.cluster, "posts.ca", &err), 3);
		assert_int_equal(weir_topic_partitions(f.e.cluster, "evilnet.metrics", &err), 3);
		assert_int_equal(weir_topic_partitions(f.e.cluster, "evilnet.dead-letters", &err), 3);
		set(&f, "evilnet.partitions", "5");
	}
	assert_true(weir_topic_config(f.e.cluster, "posts.ca", "retention.ms", value, sizeof value, &err));
	assert_string_equal(value, "-1");
	assert_true(weir_topic_config(f.e.cluster, "evilnet.metrics", "cleanup.policy", value, sizeof value, &err));
	assert_string_equal(value, "compact,delete");
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(posts_of_a_file_reach_the_topic_as_the_contract_says),
		cmocka_unit_test(what_cannot_be_used_goes_to_the_dead_letters_and_the_rest_goes_on),
		cmocka_unit_test(posts_that_the_broker_refuses_are_dead_letters),
		cmocka_unit_test(the_last_line_needs_no_line_feed_and_standard_input_will_do),
		cmocka_unit_test(a_replay_keeps_its_pace),
		cmocka_unit_test(a_bad_clock_or_a_long_silence_does_not_hold_a_replay),
		cmocka_unit_test(the_simulator_is_repeatable_and_says_when_it_received),
		cmocka_unit_test(the_simulator_keeps_its_rate),
		cmocka_unit_test(the_stop_flag_ends_it_and_what_was_taken_is_there),
		cmocka_unit_test(the_topics_are_made_with_their_configuration_and_left_as_they_are),
		cmocka_unit_test(wrong_configuration_is_refused_as_such),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
