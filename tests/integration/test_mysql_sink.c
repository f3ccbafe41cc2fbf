/* The sink by itself, as a worker calls it. */
#include "tests/integration/mysql_fixture.h"

#include <weir/log.h>

#include "schemas/city_window.h"

#define S (&evilnet_mysql_sink_ops)
#define RECORDS_MAX 2000

/* --- records -------------------------------------------------------------------------------------------------- */

static struct {
	unsigned char bytes[RECORDS_MAX][2048];
	weir_kafka_record records[RECORDS_MAX];
	size_t count;
} batch;

static void begin(void)
{
	batch.count = 0;
}

static void add_window(const struct city_window *w)
{
	size_t i = batch.count++;

	assert_true(i < RECORDS_MAX);
	size_t len = city_window_encode(w, batch.bytes[i], sizeof batch.bytes[i]);
	assert_true(len > 0);
	batch.records[i] = (weir_kafka_record){ .topic = TOPIC,
						.offset = (int64_t)i,
						.value = weir_bytes_of(batch.bytes[i], len) };
}

static void add(const char *place, int64_t start_ms, int64_t tweets, int64_t upto)
{
	add_window(&(struct city_window){ .place = weir_str(place),
					  .window_start_ms = start_ms,
					  .window_seconds = 900,
					  .tweets = tweets,
					  .retweets = tweets / 2,
					  .users = tweets,
					  .upto = upto });
}

static struct {
	size_t indexes[RECORDS_MAX];
	char reasons[RECORDS_MAX][400];
	size_t count;
} rejected;

static void reject(void *user, size_t index, const char *reason)
{
	assert_ptr_equal(user, &rejected);
	rejected.indexes[rejected.count] = index;
	snprintf(rejected.reasons[rejected.count++], sizeof *rejected.reasons, "%s", reason);
}

static bool write_batch(struct evilnet_mysql_sink *sink, int32_t partition, int64_t next_offset, weir_error *err)
{
	rejected.count = 0;
	return S->write(sink, TOPIC, partition, batch.records, batch.count, next_offset, reject, &rejected, err);
}

static void must_write(struct evilnet_mysql_sink *sink, int32_t partition, int64_t next_offset)
{
	weir_error err = { 0 };

	fixture_must(write_batch(sink, partition, next_offset, &err), &err);
	assert_int_equal(rejected.count, 0);
}

static struct evilnet_mysql_sink *opened(void)
{
	struct evilnet_mysql_sink *sink = evilnet_mysql_sink_new(cfg);
	weir_error err = { 0 };

	fixture_must(S->open(sink, &err), &err);
	return sink;
}

static int64_t own_in(struct evilnet_mysql_sink *sink, const char *cluster, int32_t partition)
{
	int64_t next = -99;
	weir_error err = { 0 };

	fixture_must(S->own(sink, cluster, TOPIC, partition, &next, &err), &err);
	return next;
}

static int64_t own(struct evilnet_mysql_sink *sink, int32_t partition)
{
	return own_in(sink, CLUSTER, partition);
}

static int64_t position(struct evilnet_mysql_sink *sink, const char *cluster, int32_t partition)
{
	int64_t next = -99;
	weir_error err = { 0 };

	fixture_must(S->position(sink, cluster, TOPIC, partition, &next, &err), &err);
	return next;
}

static void end(struct evilnet_mysql_sink *sink)
{
	S->close(sink);
	evilnet_mysql_sink_free(sink);
}

static int64_t tweets_of(const char *place)
{
	char quoted[400];
	size_t n = 0;

	for (const char *c = place; *c; c++)
		n += (size_t)snprintf(quoted + n, sizeof quoted - n, "%02x", (unsigned char)*c);
	return fixture_number(
		"SELECT tweets FROM city_windows WHERE place = CONVERT(0x%s USING utf8mb4) ORDER BY window_start "
		"LIMIT 1",
		quoted);
}

static int64_t stored_offset(int32_t partition)
{
	return fixture_number("SELECT next_offset FROM sink_offsets WHERE topic = '" TOPIC
			      "' AND partition_id = %d",
			      (int)partition);
}

/* --- tests ---------------------------------------------------------------------------------------------------- */

static void rows_and_the_next_offset_are_stored_together(void **state)
{
	struct evilnet_mysql_sink *sink = opened();

	(void)state;
	assert_int_equal(own(sink, 3), WEIR_OFFSET_NONE);
	begin();
	add("Toronto, Ontario", T0, 7, 41);
	add("Halifax, Nova Scotia", T0 + MINUTES_15, 2, 42);
	must_write(sink, 3, 17);
	assert_int_equal(fixture_rows(), 2);
	assert_int_equal(stored_offset(3), 17);
	assert_int_equal(
		fixture_number("SELECT COUNT(*) FROM city_windows WHERE place = 'Toronto, Ontario' AND "
			       "window_start = '2022-09-15 03:00:00' AND window_seconds = 900 AND tweets = 7 AND "
			       "retweets = 3 AND users = 7 AND upto = 41 AND "
			       "ABS(TIMESTAMPDIFF(SECOND, updated_at, UTC_TIMESTAMP())) < 60"),
		1);
	end(sink);
	sink = opened();
	assert_int_equal(position(sink, CLUSTER, 3), 17);
	assert_int_equal(position(sink, "cluster-B", 3), WEIR_OFFSET_NONE);
	assert_int_equal(position(sink, CLUSTER, 4), WEIR_OFFSET_NONE);
	assert_int_equal(own(sink, 3), 17);
	assert_int_equal(own(sink, 4), WEIR_OFFSET_NONE);
	end(sink);
}

static void places_are_told_apart_byte_by_byte(void **state)
{
	static const char hostile[] = "O'Brien\"; DROP TABLE city_windows;-- <script>";
	struct evilnet_mysql_sink *sink = opened();

	(void)state;
	own(sink, 0);
	begin();
	add("Montréal", T0, 1, 1);
	add("Montreal", T0, 2, 2);
	add("montreal", T0, 3, 3);
	add(hostile, T0, 4, 4);
	add("東京 🗼", T0, 5, 5);
	must_write(sink, 0, 5);
	assert_int_equal(fixture_rows(), 5);
	assert_int_equal(tweets_of("Montréal"), 1);
	assert_int_equal(tweets_of("Montreal"), 2);
	assert_int_equal(tweets_of("montreal"), 3);
	assert_int_equal(tweets_of(hostile), 4);
	assert_int_equal(tweets_of("東京 🗼"), 5);
	end(sink);
}

static void a_row_yields_only_to_one_whose_upto_is_not_smaller(void **state)
{
	struct evilnet_mysql_sink *sink = opened();

	(void)state;
	own(sink, 0);
	begin();
	add("A", T0, 10, 100);
	must_write(sink, 0, 1);
	begin();
	add("A", T0, 9, 99);
	must_write(sink, 0, 2);
	assert_int_equal(tweets_of("A"), 10);
	assert_int_equal(fixture_number("SELECT upto FROM city_windows"), 100);
	int64_t retweets = fixture_number("SELECT retweets FROM city_windows");
	assert_int_equal(retweets, 5);
	begin();
	add("A", T0, 11, 100);
	must_write(sink, 0, 3);
	assert_int_equal(tweets_of("A"), 11);
	begin();
	add("A", T0, 3, 101); /* absolute: may also become less */
	must_write(sink, 0, 4);
	assert_int_equal(tweets_of("A"), 3);
	assert_int_equal(fixture_number("SELECT users FROM city_windows"), 3);
	assert_int_equal(fixture_number("SELECT upto FROM city_windows"), 101);
	end(sink);
}

static void updates_of_one_key_in_a_batch_end_as_if_written_one_by_one(void **state)
{
	struct evilnet_mysql_sink *sink = opened();

	(void)state;
	own(sink, 0);
	begin();
	for (int64_t i = 0; i < 500; i++) {
		add("A", T0, i, i);
		add("B", T0, i, 1000 - i);
		add("C", T0, i, 7);
	}
	must_write(sink, 0, 1500);
	assert_int_equal(fixture_rows(), 3);
	assert_int_equal(tweets_of("A"), 499);
	assert_int_equal(tweets_of("B"), 0);
	assert_int_equal(tweets_of("C"), 499);
	end(sink);
}

static void batches_of_any_size_are_written_whole(void **state)
{
	static const size_t sizes[] = { 1, 2, 7, 8, 9, 63, 64, 65, 255, 256, 257, 1000, 1999 };
	struct evilnet_mysql_sink *sink = opened();
	int64_t total = 0, offset = 0;

	(void)state;
	own(sink, 0);
	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
		begin();
		for (size_t i = 0; i < sizes[s]; i++) {
			char place[40];

			snprintf(place, sizeof place, "size %zu no %zu", sizes[s], i);
			add(place, T0 + (int64_t)(i % 5) * MINUTES_15, (int64_t)i, ++offset);
		}
		must_write(sink, 0, offset);
		total += (int64_t)sizes[s];
		assert_int_equal(fixture_rows(), total);
		assert_int_equal(
			fixture_number("SELECT SUM(tweets) FROM city_windows WHERE place LIKE 'size %zu no %%'",
				       sizes[s]),
			sizes[s] * (sizes[s] - 1) / 2);
	}
	assert_int_equal(fixture_number("SELECT COUNT(DISTINCT place) FROM city_windows"), total);
	end(sink);
}

static void an_owner_with_an_old_epoch_changes_nothing(void **state)
{
	struct evilnet_mysql_sink *zombie = opened(), *owner = opened();
	weir_error err = { 0 };

	(void)state;
	own(zombie, 0);
	begin();
	add("A", T0, 1, 10);
	must_write(zombie, 0, 5);
	assert_int_equal(own(owner, 0), 5);
	begin();
	add("A", T0, 2, 20);
	add("B", T0, 2, 20);
	assert_false(write_batch(zombie, 0, 6, &err));
	assert_int_equal(err.code, WEIR_FENCED);
	assert_int_equal(rejected.count, 0);
	assert_int_equal(fixture_rows(), 1);
	assert_int_equal(tweets_of("A"), 1);
	assert_int_equal(stored_offset(0), 5);
	must_write(owner, 0, 6); /* and leaves no lock behind */
	assert_int_equal(own(zombie, 0), 6);
	must_write(zombie, 0, 7);
	assert_false(write_batch(owner, 0, 8, &err));
	assert_int_equal(err.code, WEIR_FENCED);
	end(zombie);
	end(owner);
}

static void an_epoch_is_not_used_again_when_its_row_was_deleted(void **state)
{
	struct evilnet_mysql_sink *zombie = opened(), *owner = opened();
	weir_error err = { 0 };

	(void)state;
	own(zombie, 0);
	fixture_run("DELETE FROM sink_offsets");
	assert_int_equal(own(owner, 0), WEIR_OFFSET_NONE);
	begin();
	add("A", T0, 1, 1);
	assert_false(write_batch(zombie, 0, 6, &err));
	assert_int_equal(err.code, WEIR_FENCED);
	end(zombie);
	end(owner);
}

static void a_replay_changes_nothing(void **state)
{
	struct evilnet_mysql_sink *sink = opened();

	(void)state;
	own(sink, 0);
	for (int round = 0; round < 2; round++) {
		begin();
		for (int64_t i = 0; i < 300; i++)
			add(i % 2 ? "A" : "B", T0 + i % 3 * MINUTES_15, i, i);
		must_write(sink, 0, 300);
		assert_int_equal(fixture_rows(), 6);
		assert_int_equal(fixture_number("SELECT SUM(tweets) FROM city_windows"),
				 294 + 295 + 296 + 297 + 298 + 299);
		own(sink, 0);
	}
	end(sink);
}

static void a_refused_row_is_named_and_the_rest_can_be_written(void **state)
{
	struct evilnet_mysql_sink *sink = opened();
	char name[400];
	weir_error err = { 0 };

	(void)state;
	own(sink, 0);
	begin();
	for (int64_t i = 0; i < 700; i++) {
		snprintf(name, sizeof name, "place %d", (int)i);
		if (i == 123 || i == 456)
			memset(name, 'x', 191), name[191] = 0;
		if (i == 456)
			name[0] = 'y';
		add(name, T0, i, i);
	}
	assert_false(write_batch(sink, 0, 700, &err));
	assert_int_equal(err.code, WEIR_USER);
	assert_int_equal(rejected.count, 2);
	assert_true(rejected.indexes[0] == 123 || rejected.indexes[1] == 123);
	assert_true(rejected.indexes[0] == 456 || rejected.indexes[1] == 456);
	assert_non_null(strstr(rejected.reasons[0], "place"));
	assert_int_equal(fixture_rows(), 0);
	batch.records[123] = batch.records[0];
	batch.records[456] = batch.records[0];
	must_write(sink, 0, 700);
	assert_int_equal(fixture_rows(), 698);
	memset(name, 'x', 190), name[190] = 0;
	begin();
	add(name, T0, 1, 1);
	for (size_t i = 0; i < 190; i++)
		memcpy(name + 2 * i, "é", 3); /* characters count, not bytes */
	add(name, T0, 1, 1);
	must_write(sink, 0, 701);
	assert_int_equal(fixture_rows(), 700);
	end(sink);
}

static void what_is_no_row_is_rejected_without_asking_the_database(void **state)
{
	struct evilnet_mysql_sink *sink = opened();
	weir_error err = { 0 };

	(void)state;
	own(sink, 0);
	begin();
	add("good", T0, 1, 1);
	add("negative", T0, 1, 1);
	batch.count--;
	add_window(&(struct city_window){
		.place = weir_str("negative"), .window_start_ms = T0, .window_seconds = 900, .tweets = -1 });
	add("ends in a space ", T0, 1, 1);
	add("half a second", T0 + 500, 1, 1);
	add("no width", T0, 1, 1);
	batch.count--;
	add_window(&(struct city_window){ .place = weir_str("no width"), .window_start_ms = T0 });
	add("garbage", T0, 1, 1);
	batch.records[5].value = weir_str("garbage");
	add("null", T0, 1, 1);
	batch.records[6].value = WEIR_NULL;
	add("far away", INT64_MAX / 1000 * 1000, 1, 1);
	assert_false(write_batch(sink, 0, 8, &err));
	assert_int_equal(err.code, WEIR_USER);
	assert_int_equal(rejected.count, 7);
	for (size_t i = 0; i < 7; i++) {
		assert_int_equal(rejected.indexes[i], i + 1);
		assert_true(strlen(rejected.reasons[i]) > 10);
	}
	assert_int_equal(fixture_rows(), 0);
	batch.count = 1;
	must_write(sink, 0, 8);
	batch.count = 0;
	must_write(sink, 0, 9); /* the offset alone */
	assert_int_equal(fixture_rows(), 1);
	assert_int_equal(stored_offset(0), 9);
	end(sink);
}

static void bytes_that_are_no_text_are_refused(void **state)
{
	struct evilnet_mysql_sink *sink = opened();
	weir_error err = { 0 };

	(void)state;
	own(sink, 0);
	begin();
	add("before", T0, 1, 1);
	add("broken \xff\xfe name", T0, 1, 1);
	assert_false(write_batch(sink, 0, 2, &err));
	assert_int_equal(err.code, WEIR_USER);
	assert_int_equal(rejected.count, 1);
	assert_int_equal(rejected.indexes[0], 1);
	end(sink);
}

static void offsets_of_another_cluster_do_not_count(void **state)
{
	struct evilnet_mysql_sink *sink = opened();

	(void)state;
	own(sink, 0);
	own(sink, 1);
	begin();
	add("A", T0, 10, 5000);
	add("old", T0, 10, 5000);
	must_write(sink, 0, 100);
	begin();
	add("B", T0, 10, 6000);
	must_write(sink, 1, 200);
	/* The new cluster's posts begin at offset 0 again: its rows must replace those of the old. */
	assert_int_equal(own_in(sink, "cluster-B", 0), WEIR_OFFSET_NONE);
	begin();
	add("A", T0, 1, 3);
	must_write(sink, 0, 1);
	assert_int_equal(tweets_of("A"), 1);
	/* Among its own the rule stands, also after a partition that was never seen, and one that comes over later.
	 */
	assert_int_equal(own_in(sink, "cluster-B", 1), WEIR_OFFSET_NONE);
	assert_int_equal(own_in(sink, "cluster-B", 2), WEIR_OFFSET_NONE);
	begin();
	add("B", T0, 2, 4);
	must_write(sink, 1, 1);
	begin();
	add("A", T0, 9, 2);
	must_write(sink, 0, 2);
	begin();
	add("B", T0, 9, 3);
	must_write(sink, 1, 2);
	assert_int_equal(tweets_of("A"), 1);
	assert_int_equal(tweets_of("B"), 2);
	assert_int_equal(tweets_of("old"), 10);
	assert_int_equal(own_in(sink, "cluster-B", 0), 2);
	end(sink);
}

static void a_topic_made_anew_replaces_the_rows_of_the_old(void **state)
{
	struct evilnet_mysql_sink *sink = opened();

	(void)state;
	own(sink, 0);
	begin();
	add("A", T0, 10, 5000);
	must_write(sink, 0, 100);
	begin();
	must_write(sink, 0, 0); /* what a worker does when 100 lies outside of the log */
	begin();
	add("A", T0, 1, 3);
	must_write(sink, 0, 1);
	assert_int_equal(tweets_of("A"), 1);
	begin();
	add("A", T0, 9, 2);
	must_write(sink, 0, 2);
	assert_int_equal(tweets_of("A"), 1);
	end(sink);
}

static void a_lost_connection_is_told_and_open_makes_a_new_one(void **state)
{
	struct evilnet_mysql_sink *sink = opened();
	weir_error err = { 0 };

	(void)state;
	own(sink, 0);
	int64_t id = fixture_number(
		"SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID() "
		"ORDER BY id DESC LIMIT 1");
	char sql[60];
	snprintf(sql, sizeof sql, "KILL %lld", (long long)id);
	fixture_run(sql);
	begin();
	add("A", T0, 1, 1);
	assert_false(write_batch(sink, 0, 1, &err));
	assert_int_equal(err.code, WEIR_SINK);
	assert_true(err.retriable);
	assert_int_equal(rejected.count, 0);
	fixture_must(S->open(sink, &err), &err);
	assert_int_equal(own(sink, 0), WEIR_OFFSET_NONE);
	must_write(sink, 0, 1);
	fixture_must(S->open(sink, &err), &err); /* which is good: kept */
	must_write(sink, 0, 2);
	end(sink);
}

static void a_row_locked_by_somebody_else_is_waited_for_and_then_told(void **state)
{
	struct evilnet_mysql_sink *sink = opened();
	weir_error err = { 0 };

	(void)state;
	own(sink, 0);
	begin();
	add("A", T0, 1, 1);
	must_write(sink, 0, 1);
	fixture_run("START TRANSACTION");
	fixture_run("UPDATE city_windows SET tweets = 100");
	begin();
	add("A", T0, 2, 2);
	assert_false(write_batch(sink, 0, 2, &err));
	assert_true(err.retriable);
	assert_int_equal(rejected.count, 0);
	fixture_run("ROLLBACK");
	must_write(sink, 0, 2);
	assert_int_equal(tweets_of("A"), 2);
	end(sink);
}

static void an_owner_that_hangs_in_a_transaction_is_dropped_by_the_server(void **state)
{
	struct evilnet_mysql_sink *sink = opened();
	struct evilnet_db hanging = { 0 };
	weir_error err = { 0 };
	int64_t next = -99;
	int tries = 0;

	(void)state;
	own(sink, 0);
	fixture_must(evilnet_db_open(&hanging, cfg, false, &err), &err);
	fixture_must(evilnet_db_run(&hanging, "START TRANSACTION", &err), &err);
	fixture_must(evilnet_db_run(&hanging, "UPDATE sink_offsets SET next_offset = 77", &err), &err);
	while (!S->own(sink, CLUSTER, TOPIC, 0, &next, &err)) { /* 30 s, as the session was told */
		assert_true(err.retriable);
		assert_true(++tries < 12);
	}
	assert_int_equal(next, WEIR_OFFSET_NONE);
	assert_true(tries > 0);
	begin();
	add("A", T0, 1, 1);
	must_write(sink, 0, 1);
	evilnet_db_close(&hanging);
	end(sink);
}

static void idle_deletes_what_lies_past_the_retention_of_the_newest_window(void **state)
{
	struct evilnet_mysql_sink *sink = opened();
	weir_error err = { 0 };

	(void)state;
	fixture_must(S->idle(sink, &err), &err); /* of nothing, nothing */
	own(sink, 0);
	begin();
	for (int64_t i = 0; i < 1500; i++) {
		char place[40];

		snprintf(place, sizeof place, "old %d", (int)i);
		add(place, T0, 1, i);
	}
	add_window(&(struct city_window){
		.place = weir_str("other width"), .window_start_ms = T0, .window_seconds = 300 });
	add("day", T0 + WEIR_DAYS(1) - MINUTES_15, 1, 1);
	must_write(sink, 0, 1);
	fixture_must(S->idle(sink, &err), &err);
	assert_int_equal(fixture_rows(), 1502); /* a day back from the newest, to the millisecond: none is older */
	begin();
	add("newest", T0 + WEIR_DAYS(1) + MINUTES_15, 1, 1);
	must_write(sink, 0, 2);
	for (int i = 0; i < 100 && fixture_rows() > 2; i++)
		fixture_must(S->idle(sink, &err), &err);
	assert_int_equal(fixture_rows(), 2);
	assert_int_equal(fixture_number("SELECT COUNT(*) FROM city_windows WHERE place IN ('day', 'newest')"), 2);
	/* One from the future would make all others old. */
	begin();
	add("now", weir_clock_system()->wall_ms(weir_clock_system()) / MINUTES_15 * MINUTES_15, 1, 1);
	add("far ahead", 253402214400000, 1, 1); /* the last day of 9999 */
	must_write(sink, 0, 3);
	for (int i = 0; i < 100 && fixture_rows() > 2; i++)
		fixture_must(S->idle(sink, &err), &err);
	for (int i = 0; i < 3; i++)
		fixture_must(S->idle(sink, &err), &err);
	assert_int_equal(fixture_number("SELECT COUNT(*) FROM city_windows WHERE place IN ('now', 'far ahead')"),
			 2);
	assert_int_equal(fixture_rows(), 2);
	end(sink);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(rows_and_the_next_offset_are_stored_together, fresh),
		cmocka_unit_test_setup(places_are_told_apart_byte_by_byte, fresh),
		cmocka_unit_test_setup(a_row_yields_only_to_one_whose_upto_is_not_smaller, fresh),
		cmocka_unit_test_setup(updates_of_one_key_in_a_batch_end_as_if_written_one_by_one, fresh),
		cmocka_unit_test_setup(batches_of_any_size_are_written_whole, fresh),
		cmocka_unit_test_setup(an_owner_with_an_old_epoch_changes_nothing, fresh),
		cmocka_unit_test_setup(an_epoch_is_not_used_again_when_its_row_was_deleted, fresh),
		cmocka_unit_test_setup(a_replay_changes_nothing, fresh),
		cmocka_unit_test_setup(a_refused_row_is_named_and_the_rest_can_be_written, fresh),
		cmocka_unit_test_setup(what_is_no_row_is_rejected_without_asking_the_database, fresh),
		cmocka_unit_test_setup(bytes_that_are_no_text_are_refused, fresh),
		cmocka_unit_test_setup(offsets_of_another_cluster_do_not_count, fresh),
		cmocka_unit_test_setup(a_topic_made_anew_replaces_the_rows_of_the_old, fresh),
		cmocka_unit_test_setup(a_lost_connection_is_told_and_open_makes_a_new_one, fresh),
		cmocka_unit_test_setup(a_row_locked_by_somebody_else_is_waited_for_and_then_told, fresh),
		cmocka_unit_test_setup(an_owner_that_hangs_in_a_transaction_is_dropped_by_the_server, fresh),
		cmocka_unit_test_setup(idle_deletes_what_lies_past_the_retention_of_the_newest_window, fresh),
	};

	return fixture_socket() ? cmocka_run_group_tests(tests, fixture_begin, fixture_finish) : SKIPPED;
}
