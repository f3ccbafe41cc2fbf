/* The dashboard's rows. */
#include "tests/integration/mysql_fixture.h"

#include <pthread.h>

static struct web_source web;
static struct evilnet_mysql_source *source;

struct seen {
	size_t count;
	int64_t tweets, retweets, users, first_ms, last_ms;
	char places[400];
};

static void see(const struct web_row *row, void *user)
{
	struct seen *s = user;

	s->tweets += row->tweets;
	s->retweets += row->retweets;
	s->users += row->users;
	if (!s->count || row->window_start_ms < s->first_ms)
		s->first_ms = row->window_start_ms;
	if (!s->count || row->window_start_ms > s->last_ms)
		s->last_ms = row->window_start_ms;
	assert_int_equal(row->window_seconds, 900);
	size_t len = strlen(s->places);
	snprintf(s->places + len, sizeof s->places - len, "[%.*s]", (int)row->place.len,
		 (const char *)row->place.data);
	s->count++;
}

static struct seen ask(weir_bytes place, int64_t from_ms, int64_t to_ms)
{
	struct seen s = { 0 };
	weir_error err = { 0 };

	fixture_must(web.rows(web.self, place, from_ms, to_ms, see, &s, &err), &err);
	assert_int_equal(err.code, WEIR_OK);
	return s;
}

static void rows_of_all_places_in_the_range_are_given(void **state)
{
	(void)state;
	struct seen s = ask(WEIR_NULL, T0, T0 + 3 * MINUTES_15);
	assert_int_equal(s.count, 3);
	assert_int_equal(s.tweets, 1 + 2 + 4);
	assert_int_equal(s.first_ms, T0);
	assert_int_equal(s.last_ms, T0 + 2 * MINUTES_15);
	assert_int_equal(ask(WEIR_NULL, T0 + 1, T0 + 2 * MINUTES_15).tweets, 2);
	assert_int_equal(ask(WEIR_NULL, T0 + MINUTES_15, T0 + MINUTES_15 + 1).tweets, 2);
	assert_int_equal(ask(WEIR_NULL, T0, T0).count, 0);
	assert_int_equal(ask(WEIR_NULL, INT64_MIN, INT64_MAX).count, 4);
	assert_int_equal(ask(WEIR_NULL, INT64_MAX, INT64_MIN).count, 0);
}

static void rows_of_one_place_are_its_alone(void **state)
{
	(void)state;
	struct seen s = ask(weir_str("Montréal"), INT64_MIN, INT64_MAX);
	assert_int_equal(s.count, 2);
	assert_int_equal(s.tweets, 1 + 8);
	assert_int_equal(s.retweets, 3);
	assert_int_equal(ask(weir_str("Montreal"), INT64_MIN, INT64_MAX).tweets, 2);
	assert_int_equal(ask(weir_str("O'Brien\"; DROP TABLE city_windows;-- <script>"), 0, INT64_MAX).tweets, 4);
	assert_int_equal(ask(weir_str("MONTREAL"), 0, INT64_MAX).count, 0);
}

static void a_place_that_cannot_be_there_is_no_error(void **state)
{
	char name[1000];

	(void)state;
	memset(name, 'x', sizeof name);
	assert_int_equal(ask(weir_str(""), 0, INT64_MAX).count, 0);
	assert_int_equal(ask(weir_str("Montreal "), 0, INT64_MAX).count,
			 0); /* the table's comparison would find it */
	assert_int_equal(ask(weir_str("\xff\xfe"), 0, INT64_MAX).count, 0);
	assert_int_equal(ask(weir_bytes_of(name, sizeof name), 0, INT64_MAX).count, 0);
	assert_int_equal(ask(weir_bytes_of("Mont\0real", 9), 0, INT64_MAX).count, 0);
	assert_int_equal(ask(weir_str("' OR '1'='1"), 0, INT64_MAX).count, 0);
}

static void other_widths_of_windows_are_left_out(void **state)
{
	(void)state;
	fixture_run("INSERT INTO city_windows VALUES ('Montreal', '2022-09-15 03:00:00', 300, 99, 99, 99, 1, "
		    "UTC_TIMESTAMP(6))");
	assert_int_equal(ask(weir_str("Montreal"), 0, INT64_MAX).tweets, 2);
	fixture_run("DELETE FROM city_windows WHERE window_seconds = 300");
}

static uint64_t version_now(void)
{
	usleep(120000); /* an answer is kept for 100 ms */
	return web.version(web.self);
}

static void the_version_grows_when_rows_may_have_changed(void **state)
{
	(void)state;
	fixture_run("INSERT INTO sink_offsets VALUES ('t', 0, 'c', 1, 1, 10, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))");
	uint64_t first = version_now();
	assert_true(first > 0);
	assert_int_equal(version_now(), first);
	fixture_run("UPDATE sink_offsets SET batches = batches + 1");
	uint64_t second = version_now();
	assert_true(second > first);
	fixture_run("UPDATE sink_offsets SET batches = 0"); /* somebody reset all */
	uint64_t third = version_now();
	assert_true(third > second);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(web.version(web.self), third);
	fixture_run("DELETE FROM sink_offsets");
}

static void a_connection_that_the_server_closed_is_made_again(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ask(WEIR_NULL, 0, INT64_MAX).count, 4);
		for (;;) {
			int64_t id = fixture_number(
				"SELECT MIN(id) FROM information_schema.processlist WHERE db = DATABASE() AND "
				"id <> CONNECTION_ID() AND command <> 'Killed'");
			char sql[60];

			if (id < 0)
				break;
			snprintf(sql, sizeof sql, "KILL %lld", (long long)id);
			evilnet_db_run(&fixture_db, sql, NULL); /* it may have ended meanwhile */
		}
	}
	assert_true(version_now() > 0);
}

static void *ask_often(void *unused)
{
	for (int i = 0; i < 200; i++) {
		struct seen s = { 0 };

		if (!web.rows(web.self, i % 2 ? WEIR_NULL : weir_str("Montreal"), 0, INT64_MAX, see, &s, NULL) ||
		    s.count != (i % 2 ? 4u : 1u) || !web.version(web.self))
			return unused;
	}
	return NULL;
}

static void many_threads_can_ask_at_once(void **state)
{
	pthread_t threads[16];
	void *failed;

	(void)state;
	assert_true(version_now() > 0);
	for (size_t i = 0; i < 16; i++)
		pthread_create(&threads[i], NULL, ask_often, &web);
	for (size_t i = 0; i < 16; i++) {
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	assert_in_range(fixture_number("SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE()"),
			1, 5);
}

static void a_server_that_is_away_is_told_at_once(void **state)
{
	weir_config *away = fixture_config("/nonexistent/socket");
	struct web_source none;
	struct evilnet_mysql_source *s = evilnet_mysql_source_open(away, &none);
	weir_error err = { 0 };

	(void)state;
	for (int i = 0; i < 3; i++) {
		err.code = WEIR_OK;
		assert_false(none.rows(none.self, WEIR_NULL, 0, 1, see, NULL, &err));
		assert_int_equal(err.code, WEIR_SINK);
		assert_non_null(strstr(err.message, "/nonexistent/socket"));
	}
	assert_int_equal(none.version(none.self), 0);
	evilnet_mysql_source_close(s);
	weir_config_free(away);
}

static void before_there_are_tables_it_says_so(void **state)
{
	weir_config *other = fixture_config(weir_config_string(cfg, "evilnet.mysql.socket"));
	struct web_source empty;
	weir_error err = { 0 };

	(void)state;
	fixture_set(other, "evilnet.mysql.database", "mysql");
	struct evilnet_mysql_source *s = evilnet_mysql_source_open(other, &empty);
	assert_false(empty.rows(empty.self, WEIR_NULL, 0, 1, see, NULL, &err));
	assert_non_null(strstr(err.message, "city_windows"));
	evilnet_mysql_source_close(s);
	weir_config_free(other);
}

static int start(void **state)
{
	(void)state;
	cfg = fixture_config(getenv("WEIR_TEST_MYSQL_SOCKET"));
	fixture_fresh();
	fixture_run("INSERT INTO city_windows VALUES "
		    "('Montréal', '2022-09-15 03:00:00', 900, 1, 1, 1, 1, UTC_TIMESTAMP(6)),"
		    "('Montreal', '2022-09-15 03:15:00', 900, 2, 0, 2, 1, UTC_TIMESTAMP(6)),"
		    "('O''Brien\"; DROP TABLE city_windows;-- <script>', '2022-09-15 03:30:00', 900, 4, 0, 1, 1, "
		    "UTC_TIMESTAMP(6)),"
		    "('Montréal', '2022-09-15 04:30:00', 900, 8, 2, 3, 1, UTC_TIMESTAMP(6))");
	source = evilnet_mysql_source_open(cfg, &web);
	assert_int_equal(web.window_ms, MINUTES_15);
	return 0;
}

static int finish(void **state)
{
	(void)state;
	evilnet_mysql_source_close(source);
	return fixture_finish(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_of_all_places_in_the_range_are_given),
		cmocka_unit_test(rows_of_one_place_are_its_alone),
		cmocka_unit_test(a_place_that_cannot_be_there_is_no_error),
		cmocka_unit_test(other_widths_of_windows_are_left_out),
		cmocka_unit_test(the_version_grows_when_rows_may_have_changed),
		cmocka_unit_test(a_connection_that_the_server_closed_is_made_again),
		cmocka_unit_test(many_threads_can_ask_at_once),
		cmocka_unit_test(a_server_that_is_away_is_told_at_once),
		cmocka_unit_test(before_there_are_tables_it_says_so),
	};

	return fixture_socket() ? cmocka_run_group_tests(tests, start, finish) : SKIPPED;
}
