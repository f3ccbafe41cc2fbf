#include "tests/unit/ingest_fixture.h"

#include <fcntl.h>
#include <weir/clock.h>
#include <weir/log.h>

#include "schemas/post.h"
#include "tests/unit/x_standin.h"

/* X's waits are a hundredth of what they are: see ingest() in the fixture. */

#define TOKEN "AAAAsecret%2Btoken"
#define GET_RULES "GET /2/tweets/search/stream/rules HTTP"
#define POST_RULES "POST /2/tweets/search/stream/rules HTTP"
#define GET_STREAM \
	"GET /2/tweets/search/stream?tweet.fields=created_at,referenced_tweets&place.fields=place_type,full_name," \
	"country_code&expansions=author_id,geo.place_id HTTP"
#define OK "HTTP/1.1 200 OK\r\n"

#define OBJECT_START(id) \
	"{\"data\":{\"author_id\":\"7\",\"created_at\":\"2022-09-15T03:06:25.000Z\",\"geo\":" \
	"{\"place_id\":\"b\"},\"id\":\"" id "\"},\"includes\":{\"places\":[{\"id\":\"a\",\"place_type\":" \
	"\"admin\",\"full_name\":\"Quebec, Canada\"},{\"id\":\"b\",\"place_type\":\"city\",\"full_name\":\"Mon"
#define OBJECT_END \
	"tr\xc3\xa9" \
	"al, Quebec\"}]}}"
#define OBJECT(id) OBJECT_START(id) OBJECT_END "\r\n"

/* The rules are as they should be. */
static const char *const right_rules[] = { "{\"data\":[{\"id\":\"1\",\"value\":\"place_country:CA\"}]}", NULL };
#define RULES_ARE_RIGHT \
	{ \
		GET_RULES, OK, right_rules \
	}
#define THE_END \
	{ \
		NULL, NULL, NULL \
	}

static struct {
	struct fixture f;
	struct x_standin x;
	int wanted; /* so many objects are to be received before the end */
	char log[1 << 16];
	size_t log_len;
} t;

static void keep_log(weir_log_level level, const char *area, const char *line, void *user)
{
	(void)level, (void)area, (void)user;
	t.log_len += (size_t)snprintf(t.log + t.log_len, sizeof t.log - t.log_len, "%s\n", line);
	assert_true(t.log_len < sizeof t.log);
}

/* On the stand-in's thread: what it has sent is to come through, then ingest may end. */
static void stop_when_received(void *unused)
{
	(void)unused;
	for (int i = 0; i < 5000 && weir_counter_value(t.f.stats.received) < (uint64_t)t.wanted; i++)
		usleep(1000);
	__atomic_store_n(&t.f.stop, 1, __ATOMIC_RELAXED);
}

static void prepare(const struct x_answer *script, int wanted)
{
	char url[64];

	memset(&t, 0, sizeof t);
	t.wanted = wanted;
	t.x.script = script;
	t.x.on_call = stop_when_received;
	open_fixture(&t.f, "x");
	x_standin_start(&t.x);
	snprintf(url, sizeof url, "http://127.0.0.1:%d/", t.x.port);
	set(&t.f, "evilnet.x.url", url);
	setenv("EVILNET_BEARER_TOKEN", TOKEN, 1);
	setenv("no_proxy", "*", 1);
	weir_log_set(keep_log, NULL, WEIR_LOG_DEBUG);
}

/* Runs it with what it writes on standard error in the log, too. */
static int run(void)
{
	int ends[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	int code = ingest(&t.f);
	dup2(saved, STDERR_FILENO);
	close(saved);
	while ((n = read(ends[0], t.log + t.log_len, sizeof t.log - 1 - t.log_len)) > 0)
		t.log_len += (size_t)n;
	close(ends[0]);
	x_standin_join(&t.x);
	weir_log_set(NULL, NULL, WEIR_LOG_DEBUG);
	if (t.x.unexpected[0])
		fail_msg("not in the script: %s", t.x.unexpected);
	return code;
}

static void finish(void)
{
	for (int i = 0; i < t.x.count; i++)
		assert_string_equal(t.x.requests[i].authorization, "Bearer " TOKEN);
	if (strstr(t.log, "secret"))
		fail_msg("the token is in the log: %s", t.log);
	close_fixture(&t.f);
}

static int64_t gap_ms(int request)
{
	return t.x.requests[request].at_ms - t.x.requests[request - 1].at_ms;
}

/* The topic's posts are those with these ids, in this order, and all in one city. */
static void assert_posts(const char *ids)
{
	struct seen_all all = read_topic(&t.f, "evilnet.posts");
	weir_clock *clock = weir_clock_system();
	char got[100] = "";

	for (size_t i = 0; i < all.count; i++) {
		struct post post;
		assert_true(post_decode(weir_bytes_of(all.items[i].value, all.items[i].value_len), &post, NULL,
					NULL, NULL));
		snprintf(got + strlen(got), sizeof got - strlen(got), "%.*s ", (int)post.id.len,
			 (const char *)post.id.data);
		assert_string_equal(all.items[i].key, "Montréal, Quebec");
		assert_in_range(clock->wall_ms(clock) - atoll(all.items[i].received), 0, 20000);
	}
	assert_string_equal(got, ids);
	release_seen(&all);
}

static void rules_are_made_to_agree_and_the_stream_is_read(void **state)
{
	static const char *const present[] = {
		"{\"data\":[{\"id\":\"11\",\"value\":\"cats\"},{\"id\":\"12\",\"value\":\"place_country:CA\"}],"
		"\"meta\":{\"result_count\":2}}",
		NULL
	};
	static const char *const changed[] = { "{\"meta\":{\"summary\":{\"deleted\":1,\"not_deleted\":0}}}", NULL };
	static const char *const stream[] = { "\r\n", OBJECT("1"), "\r\n", OBJECT("2") OBJECT("3"),
					      X_CALL, X_SILENCE,   NULL };
	static const struct x_answer script[] = {
		{ GET_RULES, OK, present },
		{ POST_RULES, OK, changed },
		{ POST_RULES, "HTTP/1.1 201 Created\r\n", changed },
		{ GET_STREAM, OK, stream, .chunked = true },
		THE_END,
	};

	(void)state;
	prepare(script, 3);
	set(&t.f, "evilnet.rules", "place_country:CA; place_country:US");
	assert_int_equal(run(), EVILNET_DONE);
	assert_string_equal(t.x.requests[1].body, "{\"delete\":{\"ids\":[\"11\"]}}");
	assert_string_equal(t.x.requests[2].body, "{\"add\":[{\"value\":\"place_country:US\"}]}");
	assert_posts("1 2 3 ");
	assert_int_equal(counted(&t.f, "evilnet_ingest_reconnects_total", NULL), 0);
	finish();
}

static void objects_may_be_parted_anywhere(void **state)
{
	/* within a two-byte character, between CR and LF, several in one piece; once chunked and once not */
	static const char *const stream[] = { OBJECT_START("1") "tr\xc3",
					      X_PAUSE,
					      "\xa9"
					      "al, Quebec\"}]}}\r",
					      X_PAUSE,
					      "\n" OBJECT("2") "{",
					      X_CALL,
					      X_SILENCE,
					      NULL };
	static const struct x_answer script[] = { RULES_ARE_RIGHT,
						  { GET_STREAM, OK, stream, .chunked = true },
						  THE_END };
	static const struct x_answer plain[] = { RULES_ARE_RIGHT, { GET_STREAM, OK, stream }, THE_END };

	(void)state;
	for (int i = 0; i < 2; i++) {
		prepare(i ? plain : script, 2);
		assert_int_equal(run(), EVILNET_DONE);
		assert_posts("1 2 ");
		finish();
	}
}

static void a_stream_that_breaks_is_taken_up_again_with_linear_waits(void **state)
{
	static const char *const cut[] = { OBJECT("1") OBJECT_START("2"), X_PAUSE, X_CUT, NULL };
	static const char *const again[] = { OBJECT("1"), OBJECT("2"), X_CALL, X_SILENCE, NULL };
	static const struct x_answer script[] = {
		RULES_ARE_RIGHT,
		{ GET_STREAM, OK, cut, .chunked = true },
		{ GET_STREAM, NULL, NULL }, /* hangs up at once, four times: 2.5 + 5 + 7.5 + 10 ms and more */
		{ GET_STREAM, NULL, NULL },
		{ GET_STREAM, NULL, NULL },
		{ GET_STREAM, NULL, NULL },
		{ GET_STREAM, OK, again, .chunked = true },
		THE_END,
	};

	(void)state;
	prepare(script, 4);
	assert_int_equal(run(), EVILNET_DONE);
	assert_posts("1 1 2 ");
	assert_true(gap_ms(6) >= 9);
	assert_in_range(t.x.requests[6].at_ms - t.x.requests[2].at_ms, 24, 3000);
	assert_int_equal(counted(&t.f, "evilnet_ingest_reconnects_total", NULL), 5);
	struct seen_all dead = read_topic(&t.f, "evilnet.dead-letters");
	assert_int_equal(dead.count, 1);
	assert_non_null(strstr(dead.items[0].reason, "the connection ended in the middle of it: broken JSON"));
	assert_string_equal(dead.items[0].value, OBJECT_START("2"));
	assert_string_equal(dead.items[0].source, "x");
	release_seen(&dead);
	finish();
}

static void without_a_heartbeat_the_connection_is_given_up(void **state)
{
	/* blank lines keep it alive for longer than the limit of 300 ms; then there is silence */
	static const char *const stream[] = { "\r\n",  X_PAUSE, X_PAUSE,     "\r\n",    X_PAUSE,
					      X_PAUSE, "\r\n",  X_PAUSE,     X_PAUSE,   "\r\n",
					      X_PAUSE, X_PAUSE, OBJECT("1"), X_SILENCE, NULL };
	static const char *const again[] = { OBJECT("2"), X_CALL, X_SILENCE, NULL };
	static const struct x_answer script[] = {
		RULES_ARE_RIGHT,
		{ GET_STREAM, OK, stream, .chunked = true },
		{ GET_STREAM, OK, again, .chunked = true },
		THE_END,
	};

	(void)state;
	prepare(script, 2);
	assert_int_equal(run(), EVILNET_DONE);
	assert_posts("1 2 ");
	assert_in_range(gap_ms(2), 400 + 300, 5000);
	assert_non_null(strstr(t.log, "no heartbeat for 30 s"));
	finish();
}

static void a_server_in_trouble_is_given_time_that_doubles(void **state)
{
	static const char *const stream[] = { "\r\n", X_CUT, NULL };
	static const char *const again[] = { OBJECT("1"), X_CALL, X_SILENCE, NULL };
	static const struct x_answer script[] = {
		{ GET_RULES, "HTTP/1.1 503 Service Unavailable\r\n", NULL },
		RULES_ARE_RIGHT,
		{ GET_STREAM, "HTTP/1.1 503 Service Unavailable\r\n", NULL },
		{ GET_STREAM, "HTTP/1.1 502 Bad Gateway\r\n", NULL },
		{ GET_STREAM, "HTTP/1.1 500 Oh\r\n", NULL },
		{ GET_STREAM, OK, stream, .chunked = true }, /* well again: from the start */
		{ GET_STREAM, "HTTP/1.1 503 Service Unavailable\r\n", NULL },
		{ GET_STREAM, OK, again, .chunked = true },
		THE_END,
	};

	(void)state;
	prepare(script, 1);
	assert_int_equal(run(), EVILNET_DONE);
	assert_in_range(gap_ms(1), 50, 5000); /* 5 s */
	assert_in_range(gap_ms(3), 50, 5000);
	assert_in_range(gap_ms(4), 100, 5000);
	assert_in_range(gap_ms(5), 200, 5000);
	assert_in_range(gap_ms(6), 2, 390);  /* network: 250 ms */
	assert_in_range(gap_ms(7), 50, 390); /* less than the 100 to 400 that would be next */
	assert_posts("1 ");
	assert_non_null(strstr(t.log, "HTTP 503"));
	finish();
}

static void a_rate_limit_is_waited_for_as_x_says(void **state)
{
	static char head[200];
	static const char *const stream[] = { OBJECT("1"), X_CALL, X_SILENCE, NULL };
	static const struct x_answer script[] = {
		RULES_ARE_RIGHT,
		{ GET_STREAM, head, NULL },
		{ GET_STREAM, "HTTP/1.1 429 Too Many Requests\r\nx-rate-limit-reset: 1000\r\n",
		  NULL }, /* long past */
		{ GET_STREAM, "HTTP/1.1 429 Too Many Requests\r\n", NULL },
		{ GET_STREAM, OK, stream, .chunked = true },
		THE_END,
	};

	(void)state;
	snprintf(head, sizeof head, "HTTP/1.1 429 Too Many Requests\r\nX-Rate-Limit-Reset: %lld\r\n",
		 (long long)time(NULL) + 30);
	prepare(script, 1);
	assert_int_equal(run(), EVILNET_DONE);
	assert_in_range(gap_ms(2), 280, 590);  /* 30 s, or a second less */
	assert_in_range(gap_ms(3), 600, 5000); /* 60 s */
	assert_in_range(gap_ms(4), 1200, 5000);
	assert_posts("1 ");
	finish();
}

static void refusals_that_waiting_does_not_mend_end_it(void **state)
{
	static const char *const unauthorized[] = { "{\"title\":\"Unauthorized\",\"status\":401}", NULL };
	static const char *const no_rule[] = {
		"{\"errors\":[{\"value\":\"place_country:CA\",\"title\":\"RuleLimit\"}]}", NULL
	};
	static const char *const none[] = { "{}", NULL };
	static const struct {
		struct x_answer script[4];
		int code;
		const char *says;
	} cases[] = {
		{ { { GET_RULES, "HTTP/1.1 401 Unauthorized\r\n", unauthorized }, THE_END },
		  EVILNET_FAILED,
		  "HTTP 401: the bearer token is not accepted (EVILNET_BEARER_TOKEN, evilnet.token.file): "
		  "{\"title\"" },
		{ { RULES_ARE_RIGHT, { GET_STREAM, "HTTP/1.1 403 Forbidden\r\n", NULL }, THE_END },
		  EVILNET_FAILED,
		  "HTTP 403: this token may not use the filtered stream" },
		{ { { GET_RULES, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n", NULL }, THE_END },
		  EVILNET_FAILED,
		  "HTTP 302" },
		{ { { GET_RULES, OK, none }, { POST_RULES, OK, no_rule }, THE_END },
		  EVILNET_USAGE,
		  "X does not take the rule \"place_country:CA\": RuleLimit" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		prepare(cases[i].script, 0);
		assert_int_equal(run(), cases[i].code);
		if (!strstr(t.log, cases[i].says))
			fail_msg("case %zu: %s", i, t.log);
		finish();
	}
}

static void what_is_no_post_is_counted_and_kept_and_the_stream_goes_on(void **state)
{
	static char huge[(1 << 20) + 3];
	static const char *const stream[] = {
		"{\"errors\":[{\"title\":\"operational-disconnect\",\"detail\":\"bye\"}]}\r\n",
		"nonsense\r\n",
		huge,
		"{\"data\":{\"id\":\"9\"}}\r\n",
		OBJECT("1"),
		X_CALL,
		X_SILENCE,
		NULL,
	};
	static const struct x_answer script[] = { RULES_ARE_RIGHT,
						  { GET_STREAM, OK, stream, .chunked = true },
						  THE_END };

	(void)state;
	memset(huge, 'x', sizeof huge - 2);
	huge[sizeof huge - 2] = '\n';
	prepare(script, 5);
	assert_int_equal(run(), EVILNET_DONE);
	assert_posts("1 ");
	assert_int_equal(counted(&t.f, "evilnet_ingest_dead_letters_total", "unreadable"), 2);
	assert_int_equal(counted(&t.f, "evilnet_ingest_dead_letters_total", "too_long"), 1);
	assert_int_equal(counted(&t.f, "evilnet_ingest_dropped_total", "no_place"), 1);
	struct seen_all dead = read_topic(&t.f, "evilnet.dead-letters");
	assert_int_equal(dead.count, 3);
	release_seen(&dead);
	finish();
}

static void *stop_soon(void *unused)
{
	usleep(200000);
	__atomic_store_n(&t.f.stop, 1, __ATOMIC_RELAXED);
	return unused;
}

static void a_long_wait_ends_when_it_is_told_to(void **state)
{
	static char head[200];
	static const struct x_answer script[] = { { GET_RULES, head, NULL }, THE_END };
	pthread_t thread;

	(void)state;
	snprintf(head, sizeof head, "HTTP/1.1 429 Too Many Requests\r\nx-rate-limit-reset: %lld\r\n",
		 (long long)time(NULL) + 80000);
	prepare(script, 0);
	int64_t start = x_now_ms();
	pthread_create(&thread, NULL, stop_soon, NULL);
	assert_int_equal(run(), EVILNET_DONE);
	pthread_join(thread, NULL);
	assert_in_range(x_now_ms() - start, 200, 200 + 400);
	finish();
}

static void tokens_and_addresses_are_checked_before_anything_is_sent(void **state)
{
	static const struct {
		const char *token, *file, *url, *says;
	} cases[] = {
		{ "", NULL, NULL, "no bearer token" },
		{ "two words", NULL, NULL, "one word of printable ASCII" },
		{ "line\r\nX-Injected: 1", NULL, NULL, "one word of printable ASCII" },
		{ "", "/nowhere", NULL, "evilnet.token.file: /nowhere: No such file" },
		{ "", "/dev/null", NULL, "one word of printable ASCII" },
		{ "", "/dev/zero", NULL, "more than 4096 bytes" },
		{ "good", NULL, "ftp://127.0.0.1", "an address with http:// or https://" },
		{ "good", NULL, "http://[::", "an address with http:// or https://" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		static const struct x_answer script[] = { THE_END };

		prepare(script, 0);
		setenv("EVILNET_BEARER_TOKEN", cases[i].token, 1);
		if (cases[i].file)
			set(&t.f, "evilnet.token.file", cases[i].file);
		if (cases[i].url)
			set(&t.f, "evilnet.x.url", cases[i].url);
		assert_int_equal(run(), EVILNET_USAGE);
		if (!strstr(t.log, cases[i].says))
			fail_msg("case %zu: %s", i, t.log);
		assert_null(strstr(t.log, "Injected"));
		finish();
	}
}

static void the_token_may_stand_in_a_file(void **state)
{
	static const char *const stream[] = { OBJECT("1"), X_CALL, X_SILENCE, NULL };
	static const struct x_answer script[] = { RULES_ARE_RIGHT,
						  { GET_STREAM, OK, stream, .chunked = true },
						  THE_END };
	char path[] = "/tmp/evilnet-token-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, "  " TOKEN "\n", strlen(TOKEN) + 3), strlen(TOKEN) + 3);
	close(fd);
	prepare(script, 1);
	unsetenv("EVILNET_BEARER_TOKEN");
	set(&t.f, "evilnet.token.file", path);
	assert_int_equal(run(), EVILNET_DONE);
	assert_posts("1 ");
	finish();
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_are_made_to_agree_and_the_stream_is_read),
		cmocka_unit_test(objects_may_be_parted_anywhere),
		cmocka_unit_test(a_stream_that_breaks_is_taken_up_again_with_linear_waits),
		cmocka_unit_test(without_a_heartbeat_the_connection_is_given_up),
		cmocka_unit_test(a_server_in_trouble_is_given_time_that_doubles),
		cmocka_unit_test(a_rate_limit_is_waited_for_as_x_says),
		cmocka_unit_test(refusals_that_waiting_does_not_mend_end_it),
		cmocka_unit_test(what_is_no_post_is_counted_and_kept_and_the_stream_goes_on),
		cmocka_unit_test(a_long_wait_ends_when_it_is_told_to),
		cmocka_unit_test(tokens_and_addresses_are_checked_before_anything_is_sent),
		cmocka_unit_test(the_token_may_stand_in_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
