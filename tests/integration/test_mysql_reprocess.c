/* What reprocess and reset do to the rows. */
#include "tests/integration/mysql_fixture.h"

#define PARTITIONS 4

static void have(const char *place, int64_t start_ms, int64_t tweets, int64_t upto)
{
	char sql[400];

	snprintf(sql, sizeof sql,
		 "INSERT INTO city_windows VALUES ('%s', DATE_ADD('1970-01-01', INTERVAL %lld SECOND), 900, %lld, "
		 "0, "
		 "1, %lld, UTC_TIMESTAMP(6))",
		 place, (long long)(start_ms / 1000), (long long)tweets, (long long)upto);
	fixture_run(sql);
}

static int64_t tweets_of(const char *place)
{
	return fixture_number("SELECT tweets FROM city_windows WHERE place = '%s'", place);
}

static struct evilnet_mysql_reprocess *begin(int64_t from_ms, int64_t to_ms, const int64_t *ends)
{
	struct evilnet_mysql_range range = {
		.window_seconds = 900, .from_ms = from_ms, .to_ms = to_ms, .ends = ends, .partitions = PARTITIONS
	};
	weir_error err = { 0 };
	struct evilnet_mysql_reprocess *run = evilnet_mysql_reprocess_begin(cfg, &range, &err);

	fixture_must(run, &err);
	return run;
}

static int64_t finish_run(struct evilnet_mysql_reprocess *run)
{
	int64_t deleted = -1;
	weir_error err = { 0 };

	fixture_must(evilnet_mysql_reprocess_finish(run, &deleted, &err), &err);
	evilnet_mysql_reprocess_end(run);
	return deleted;
}

static const int64_t end_1000[PARTITIONS] = { 1000, 1000, 1000, 1000 };

static void rows_are_written_under_the_upto_rule(void **state)
{
	struct city_window rows[] = {
		fixture_window("wrong", T0, 5, 900),
		fixture_window("live is further", T0, 5, 900),
		fixture_window("missing", T0, 5, 900),
	};
	weir_error err = { 0 };

	(void)state;
	have("wrong", T0, 99, 900);
	have("live is further", T0, 7, 1200);
	struct evilnet_mysql_reprocess *run = begin(T0, T0 + 4 * MINUTES_15, end_1000);
	fixture_must(evilnet_mysql_reprocess_write(run, rows, 3, &err), &err);
	assert_int_equal(finish_run(run), 0);
	assert_int_equal(tweets_of("wrong"), 5);
	assert_int_equal(tweets_of("live is further"), 7);
	assert_int_equal(tweets_of("missing"), 5);
}

static void rows_that_were_not_produced_are_deleted_below_the_end_alone(void **state)
{
	weir_error err = { 0 };

	(void)state;
	have("ghost", T0, 1, 999);
	have("live", T0, 1, 1000); /* a post behind the end is in it */
	have("produced", T0, 1, 10);
	have("before the range", T0 - MINUTES_15, 1, 1);
	have("first of the range", T0, 1, 1);
	have("last of the range", T0 + 3 * MINUTES_15, 1, 1);
	have("behind the range", T0 + 4 * MINUTES_15, 1, 1);
	fixture_run("INSERT INTO city_windows VALUES ('other width', '2022-09-15 03:00:00', 300, 1, 1, 1, 1, "
		    "UTC_TIMESTAMP(6))");
	struct evilnet_mysql_reprocess *run = begin(T0, T0 + 4 * MINUTES_15, end_1000);
	struct city_window row = fixture_window("produced", T0, 3, 10);
	fixture_must(evilnet_mysql_reprocess_write(run, &row, 1, &err), &err);
	assert_int_equal(finish_run(run), 3);
	assert_int_equal(fixture_rows(), 5);
	assert_int_equal(
		fixture_number("SELECT COUNT(*) FROM city_windows WHERE place IN ('ghost', 'first of the range', "
			       "'last of the range')"),
		0);
	assert_int_equal(tweets_of("produced"), 3);
}

static void a_place_is_judged_by_the_end_of_its_own_partition(void **state)
{
	int64_t ends[PARTITIONS];
	char place[40];

	(void)state;
	for (int i = 0; i < 40; i++) {
		snprintf(place, sizeof place, "place %d", i);
		have(place, T0, i, 500);
	}
	int32_t spared = weir_partition_for_key(weir_str("place 7"), PARTITIONS);
	int64_t expected = 0;
	for (int32_t i = 0; i < PARTITIONS; i++)
		ends[i] = i == spared ? 500 : 501;
	for (int i = 0; i < 40; i++) {
		snprintf(place, sizeof place, "place %d", i);
		expected += weir_partition_for_key(weir_str(place), PARTITIONS) != spared;
	}
	assert_int_equal(finish_run(begin(T0, T0 + MINUTES_15, ends)), expected);
	assert_int_equal(fixture_rows(), 40 - expected);
	assert_int_equal(tweets_of("place 7"), 7);
}

static void a_great_range_is_written_and_cleaned_in_small_transactions(void **state)
{
	enum { PLACES = 700, WINDOWS = 5 };
	static struct city_window rows[PLACES * WINDOWS];
	static char names[PLACES][24];
	weir_error err = { 0 };
	size_t n = 0;

	(void)state;
	fixture_run("INSERT INTO city_windows SELECT CONCAT('place ', s.seq), DATE_ADD('2022-09-15 03:00:00', "
		    "INTERVAL w.seq * 15 MINUTE), 900, 1, 1, 1, 1, UTC_TIMESTAMP(6) FROM " NUMBERS " s, " NUMBERS
		    " w WHERE s.seq < 1400 AND w.seq < 5");
	for (int i = 0; i < PLACES; i++)
		snprintf(names[i], sizeof names[i], "place %d", 2 * i);
	for (int w = 0; w < WINDOWS; w++)
		for (int i = 0; i < PLACES; i++)
			rows[n++] = fixture_window(names[i], T0 + w * MINUTES_15, 2, 2);
	struct evilnet_mysql_reprocess *run = begin(T0, T0 + WINDOWS * MINUTES_15, end_1000);
	fixture_must(evilnet_mysql_reprocess_write(run, rows, 1300, &err), &err);
	fixture_must(evilnet_mysql_reprocess_write(run, rows, n, &err),
		     &err); /* what is written twice counts once */
	assert_int_equal(finish_run(run), PLACES * WINDOWS);
	assert_int_equal(fixture_rows(), PLACES * WINDOWS);
	assert_int_equal(fixture_number("SELECT COUNT(*) FROM city_windows WHERE tweets = 2"), PLACES * WINDOWS);
}

static void a_row_outside_of_the_range_is_a_mistake(void **state)
{
	struct city_window rows[] = { fixture_window("in", T0, 1, 1),
				      fixture_window("out", T0 + MINUTES_15, 1, 1) };
	struct evilnet_mysql_reprocess *run = begin(T0, T0 + MINUTES_15, end_1000);
	weir_error err = { 0 };

	(void)state;
	assert_false(evilnet_mysql_reprocess_write(run, rows, 2, &err));
	assert_int_equal(err.code, WEIR_USER);
	assert_non_null(strstr(err.message, "out"));
	evilnet_mysql_reprocess_end(run);
	assert_int_equal(fixture_rows(), 0);
}

static void a_row_that_the_database_refuses_is_named(void **state)
{
	char name[300];
	struct evilnet_mysql_reprocess *run = begin(T0, T0 + MINUTES_15, end_1000);
	weir_error err = { 0 };

	(void)state;
	memset(name, 'n', 191), name[191] = 0;
	struct city_window rows[] = { fixture_window("good", T0, 1, 1), fixture_window(name, T0, 1, 1) };
	assert_false(evilnet_mysql_reprocess_write(run, rows, 2, &err));
	assert_int_equal(err.code, WEIR_USER);
	assert_non_null(strstr(err.message, "nnnn"));
	assert_int_equal(fixture_rows(), 0);
	fixture_must(evilnet_mysql_reprocess_write(run, rows, 1, &err), &err);
	evilnet_mysql_reprocess_end(run);
	assert_int_equal(fixture_rows(), 1);
}

static void a_lost_connection_is_made_again_at_the_next_call(void **state)
{
	struct evilnet_mysql_reprocess *run = begin(T0, T0 + MINUTES_15, end_1000);
	struct city_window row = fixture_window("A", T0, 1, 1);
	weir_error err = { 0 };
	char sql[60];

	(void)state;
	have("ghost", T0, 1, 1);
	int64_t id = fixture_number("SELECT MAX(id) FROM information_schema.processlist WHERE db = DATABASE() AND "
				    "id <> CONNECTION_ID()");
	snprintf(sql, sizeof sql, "KILL %lld", (long long)id);
	fixture_run(sql);
	fixture_must(evilnet_mysql_reprocess_write(run, &row, 1, &err), &err);
	assert_int_equal(finish_run(run), 1);
	assert_int_equal(fixture_rows(), 1);
}

static void a_dashboard_sees_that_rows_have_changed(void **state)
{
	struct evilnet_mysql_reprocess *run = begin(T0, T0 + MINUTES_15, end_1000);
	struct city_window row = fixture_window("A", T0, 1, 1);
	struct web_source web;
	struct evilnet_mysql_source *source = evilnet_mysql_source_open(cfg, &web);
	weir_error err = { 0 };

	(void)state;
	uint64_t before = web.version(web.self);
	assert_true(before > 0);
	fixture_must(evilnet_mysql_reprocess_write(run, &row, 1, &err), &err);
	usleep(120000);
	assert_true(web.version(web.self) > before);
	finish_run(run);
	evilnet_mysql_source_close(source);
}

static bool never_rejected;

static void reject(void *user, size_t index, const char *reason)
{
	(void)user, (void)index, (void)reason;
	never_rejected = false;
}

static void reset_deletes_all_and_fences_who_still_writes(void **state)
{
	const weir_external_sink *ops = &evilnet_mysql_sink_ops;
	struct evilnet_mysql_sink *sink = evilnet_mysql_sink_new(cfg);
	unsigned char bytes[200];
	weir_error err = { 0 };
	int64_t next, deleted;

	(void)state;
	fixture_run(
		"INSERT INTO city_windows SELECT CONCAT('place ', seq), '2022-09-15 03:00:00', 900, 1, 1, 1, 1, "
		"UTC_TIMESTAMP(6) FROM " NUMBERS " n WHERE seq < 2500");
	fixture_must(ops->open(sink, &err) && ops->own(sink, CLUSTER, TOPIC, 0, &next, &err), &err);
	struct city_window row = fixture_window("A", T0, 1, 1);
	weir_kafka_record record = { .value = weir_bytes_of(bytes, city_window_encode(&row, bytes, sizeof bytes)) };
	fixture_must(ops->write(sink, TOPIC, 0, &record, 1, 70, reject, NULL, &err), &err);
	fixture_must(evilnet_mysql_reset(cfg, &deleted, &err), &err);
	assert_int_equal(deleted, 2501);
	assert_int_equal(fixture_rows(), 0);
	never_rejected = true;
	assert_false(ops->write(sink, TOPIC, 0, &record, 1, 71, reject, NULL, &err));
	assert_int_equal(err.code, WEIR_FENCED);
	assert_true(never_rejected);
	assert_int_equal(fixture_rows(), 0);
	assert_true(ops->own(sink, CLUSTER, TOPIC, 0, &next, &err));
	assert_int_equal(next, WEIR_OFFSET_NONE);
	fixture_must(evilnet_mysql_reset(cfg, &deleted, &err), &err);
	assert_int_equal(deleted, 0);
	ops->close(sink);
	evilnet_mysql_sink_free(sink);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(rows_are_written_under_the_upto_rule, fresh),
		cmocka_unit_test_setup(rows_that_were_not_produced_are_deleted_below_the_end_alone, fresh),
		cmocka_unit_test_setup(a_place_is_judged_by_the_end_of_its_own_partition, fresh),
		cmocka_unit_test_setup(a_great_range_is_written_and_cleaned_in_small_transactions, fresh),
		cmocka_unit_test_setup(a_row_outside_of_the_range_is_a_mistake, fresh),
		cmocka_unit_test_setup(a_row_that_the_database_refuses_is_named, fresh),
		cmocka_unit_test_setup(a_lost_connection_is_made_again_at_the_next_call, fresh),
		cmocka_unit_test_setup(a_dashboard_sees_that_rows_have_changed, fresh),
		cmocka_unit_test_setup(reset_deletes_all_and_fences_who_still_writes, fresh),
	};

	return fixture_socket() ? cmocka_run_group_tests(tests, fixture_begin, fixture_finish) : SKIPPED;
}
