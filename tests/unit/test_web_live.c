#include "tests/unit/web_http.h"
#include "web/server.h"

static int open_example(void **state)
{
	struct site *site = malloc(sizeof *site);

	site_open(site, example, sizeof example / sizeof *example, "2022-09-15T03:45:00Z");
	*state = site;
	return 0;
}

static int close_site(void **state)
{
	site_close(*state);
	free(*state);
	return 0;
}

struct stream {
	int fd;
	char text[1 << 18];
	size_t len;
};

static struct stream *stream_open(const struct site *site, const char *query)
{
	struct stream *s = calloc(1, sizeof *s);
	char request[300];

	s->fd = dial(site->port);
	snprintf(request, sizeof request,
		 "GET /api/live%s HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n", query);
	say(s->fd, request);
	return s;
}

static void stream_close(struct stream *s)
{
	close(s->fd);
	free(s);
}

/* Reads up to and with the next `until`, gives what came before it in s->text; false: the stream ended. */
static bool stream_read(struct stream *s, const char *until)
{
	s->len = 0;
	for (;;) {
		if (recv(s->fd, s->text + s->len, 1, 0) != 1)
			return false;
		s->text[++s->len] = '\0';
		if (s->len >= strlen(until) && strcmp(s->text + s->len - strlen(until), until) == 0)
			return true;
		assert_true(s->len < sizeof s->text - 1);
	}
}

/* The next event that is not a beat: its name ("" for a snapshot) and its data. */
static json_t *next_event(struct stream *s, const char *name)
{
	char want[40];

	snprintf(want, sizeof want, "%s%s%sdata: ", *name ? "event: " : "", name, *name ? "\n" : "");
	do
		assert_true(stream_read(s, "\n\n"));
	while (strncmp(s->text, "event: beat\n", 12) == 0 || strncmp(s->text, "retry:", 6) == 0);
	if (strncmp(s->text, want, strlen(want)) != 0)
		fail_msg("want %s, got %.100s", want, s->text);
	json_t *json = json_loads(s->text + strlen(want), 0, NULL);
	assert_non_null(json);
	return json;
}

static void expect_total(struct stream *s, json_int_t tweets)
{
	json_t *json = next_event(s, "");

	assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "total"), "tweets")), tweets);
	json_decref(json);
}

static void change(struct site *site, int extra)
{
	atomic_store(&site->extra, extra);
	atomic_fetch_add(&site->version, 1);
}

static void a_client_gets_the_snapshot_at_once_and_a_new_one_after_each_change(void **state)
{
	struct site *site = *state;
	struct stream *s = stream_open(site, "");

	assert_true(stream_read(s, "\r\n\r\n"));
	assert_non_null(strstr(s->text, "HTTP/1.1 200 "));
	assert_non_null(strstr(s->text, "Content-Type: text/event-stream\r\n"));
	assert_null(strstr(s->text, "Content-Length"));
	expect_total(s, 13);
	change(site, 1);
	expect_total(s, 13 + 11);
	change(site, 2);
	expect_total(s, 13 + 22);
	stream_close(s);
}

static void time_alone_moves_the_windows(void **state)
{
	struct site *site = *state;
	struct stream *s = stream_open(site, "");

	assert_true(stream_read(s, "\r\n\r\n"));
	expect_total(s, 13);
	atomic_store(&site->now_ms, ms_of("2022-09-15T04:15:00Z")); /* 03:00 is over an hour old by now */
	expect_total(s, 10);
	atomic_store(&site->now_ms, ms_of("2022-09-15T03:45:00Z"));
	expect_total(s, 13);
	stream_close(s);
}

static void a_change_that_alters_nothing_is_not_sent(void **state)
{
	struct site *site = *state;
	struct stream *s = stream_open(site, "");

	assert_true(stream_read(s, "\r\n\r\n"));
	expect_total(s, 13);
	int reads = atomic_load(&site->reads);
	atomic_fetch_add(&site->version, 1);
	while (atomic_load(&site->reads) == reads)
		pause_ms(5);
	change(site, 3);
	expect_total(s, 13 + 33); /* the very next message, not a second 13 */
	stream_close(s);
}

static void many_clients_share_one_reading_of_the_source(void **state)
{
	enum { CLIENTS = 20 };
	struct site *site = *state;
	struct stream *s[CLIENTS];

	for (int i = 0; i < CLIENTS; i++) {
		s[i] = stream_open(site, "");
		assert_true(stream_read(s[i], "\r\n\r\n"));
		expect_total(s[i], 13);
	}
	int reads = atomic_load(&site->reads);
	change(site, 1);
	for (int i = 0; i < CLIENTS; i++)
		expect_total(s[i], 24);
	assert_int_equal(atomic_load(&site->reads), reads + 1);
	for (int i = 0; i < CLIENTS; i++)
		stream_close(s[i]);
}

static void a_city_and_a_past_moment_can_be_followed(void **state)
{
	struct stream *s = stream_open(*state, "?at=2022-09-15T03:29:00Z&since=20m&place=Toronto%2C%20Ontario");

	assert_true(stream_read(s, "\r\n\r\n"));
	json_t *json = next_event(s, ""), *focus = json_object_get(json, "focus");
	assert_string_equal(json_string_value(json_object_get(json, "at")), "2022-09-15T03:29:00Z");
	assert_true(json_is_false(json_object_get(json, "live")));
	assert_string_equal(json_string_value(json_object_get(focus, "place")), "Toronto, Ontario");
	json_t *points = json_object_get(focus, "points");
	assert_int_equal(json_array_size(points), 2);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(points, 1), "retweets")), 1);
	json_decref(json);
	stream_close(s);
	s = stream_open(*state, "?place=Atlantis");
	assert_true(stream_read(s, "\r\n\r\n"));
	json = next_event(s, "");
	assert_true(json_is_false(json_object_get(json_object_get(json, "focus"), "known")));
	json_decref(json);
	stream_close(s);
}

static void a_source_that_goes_away_is_told_and_comes_back_by_itself(void **state)
{
	struct site *site = *state;
	struct stream *s = stream_open(site, "");

	assert_true(stream_read(s, "\r\n\r\n"));
	expect_total(s, 13);
	atomic_store(&site->away, true);
	atomic_fetch_add(&site->version, 1);
	json_t *json = next_event(s, "away");
	assert_non_null(json_object_get(json, "error"));
	assert_null(strstr(s->text, "secret.example"));
	json_decref(json);
	atomic_store(&site->away, false);
	expect_total(s, 13);
	stream_close(s);
}

static void clients_over_the_limit_are_refused_and_those_that_left_make_room(void **state)
{
	struct site *site = *state;
	struct stream *s[WEB_LIVE_CLIENTS_MAX];
	struct answer a;

	for (int i = 0; i < WEB_LIVE_CLIENTS_MAX; i++) {
		s[i] = stream_open(site, "");
		assert_true(stream_read(s[i], "\r\n\r\n"));
		expect_total(s[i], 13);
	}
	a = get(site, "/api/live");
	assert_int_equal(a.status, 503);
	assert_non_null(strstr(a.head, "Retry-After: 2\r\n"));
	assert_non_null(strstr(a.body, "\"error\""));
	forget(&a);
	json_decref(get_json(site, "/api/cities", 200)); /* others are served all the same */
	for (int i = 0; i < WEB_LIVE_CLIENTS_MAX; i++)
		stream_close(s[i]);
	/* each refusal makes the server write to all, which shows that they are gone */
	for (int tries = 0;; tries++) {
		struct stream *late = stream_open(site, "");
		assert_true(stream_read(late, "\r\n"));
		bool in = strstr(late->text, " 200 ");
		stream_close(late);
		if (in)
			break;
		assert_true(tries < 200);
		pause_ms(20);
	}
}

static void clients_that_do_not_read_hold_up_nobody(void **state)
{
	enum { SLEEPERS = 40, CHANGES = 3 };
	struct site *site = *state;
	int sleepers[SLEEPERS];
	struct stream *s = stream_open(site, "");

	for (int i = 0; i < SLEEPERS; i++) {
		sleepers[i] = dial(site->port);
		setsockopt(sleepers[i], SOL_SOCKET, SO_RCVBUF, &(int){ 1024 }, sizeof(int));
		say(sleepers[i],
		    "GET /api/live?since=90d HTTP/1.1\r\nHost: x\r\n\r\n"); /* a long message, never read */
	}
	assert_true(stream_read(s, "\r\n\r\n"));
	expect_total(s, 13);
	for (int i = 1; i <= CHANGES; i++) {
		change(site, i);
		expect_total(s, 13 + 11 * i);
		json_decref(get_json(site, "/api/top", 200));
	}
	for (int i = 0; i < SLEEPERS; i++)
		close(sleepers[i]);
	stream_close(s);
}

static void stopping_ends_the_streams_within_a_second(void **state)
{
	(void)state;
	enum { CLIENTS = 10 };
	struct stream *s[CLIENTS];
	struct site site;
	struct timespec from, to;

	site_open(&site, example, sizeof example / sizeof *example, "2022-09-15T03:45:00Z");
	for (int i = 0; i < CLIENTS; i++) {
		s[i] = stream_open(&site, "");
		assert_true(stream_read(s[i], "\r\n\r\n"));
		expect_total(s[i], 13);
	}
	clock_gettime(CLOCK_MONOTONIC, &from);
	web_stop(site.web);
	clock_gettime(CLOCK_MONOTONIC, &to);
	assert_true((to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000 < 1000);
	for (int i = 0; i < CLIENTS; i++) {
		assert_false(stream_read(s[i], "\n\n"));
		stream_close(s[i]);
	}
}

/* each has a server of its own: one cannot see when a client of the one before has left */
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_example, close_site)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_client_gets_the_snapshot_at_once_and_a_new_one_after_each_change),
		TEST(time_alone_moves_the_windows),
		TEST(a_change_that_alters_nothing_is_not_sent),
		TEST(many_clients_share_one_reading_of_the_source),
		TEST(a_city_and_a_past_moment_can_be_followed),
		TEST(a_source_that_goes_away_is_told_and_comes_back_by_itself),
		TEST(clients_over_the_limit_are_refused_and_those_that_left_make_room),
		TEST(clients_that_do_not_read_hold_up_nobody),
		TEST(stopping_ends_the_streams_within_a_second),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
