/* Retention and compaction of the embedded cluster, by a clock that the test moves. */
#include "tests/contract/helpers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/rng.h>

#include "framework/kafka/embedded.h"

#define START_MS 1700000000000

static weir_manual_clock clock_;
static struct contract c;
static struct reader r;

static int make_cluster(void **state)
{
	(void)state;
	weir_manual_clock_init(&clock_, START_MS);
	c = (struct contract){ weir_cluster_embedded((weir_embedded_opts){ .clock = &clock_.clock }), "log",
			       &clock_.clock };
	return 0;
}

static int free_cluster(void **state)
{
	(void)state;
	weir_cluster_free(c.cluster);
	return 0;
}

static const char *topic_with(const char *const (*configs)[2], size_t n)
{
	weir_topic_spec spec = { fresh(&c, "topic"), 1, 0, configs, n };
	weir_error err;

	assert_done(weir_topics_create(c.cluster, &spec, 1, &err), err);
	return spec.name;
}

/* n records of about 1 kB, dated `ms`. */
static void put_kilobytes(weir_producer *p, const char *topic, int n, int64_t ms)
{
	char value[1000];

	memset(value, 'x', sizeof value);
	for (int i = 0; i < n; i++) {
		weir_produced record = { .topic = topic, .timestamp_ms = ms, .key = weir_str("k") };
		weir_error err;

		record.value = weir_bytes_of(value, sizeof value);
		assert_done(weir_producer_send(p, &record, &err), err);
	}
}

static void check_retention(void)
{
	let_pass(&c, WEIR_MINUTES(5));
}

/* --- retention ------------------------------------------------------------------------------------------------ */

static void records_older_than_retention_ms_go(void **state)
{
	static const char *const configs[][2] = { { "retention.ms", "3600000" } };
	const char *topic = topic_with(configs, 1);
	weir_producer *p = producer_of(&c, NULL);

	(void)state;
	put_kilobytes(p, topic, 2000, START_MS - WEIR_HOURS(2));
	put_kilobytes(p, topic, 2000, START_MS);
	assert_int_equal(first_of(&c, topic, 0), 0); /* nobody has looked yet */
	check_retention();
	assert_in_range(first_of(&c, topic, 0), 1000, 2000);
	let_pass(&c, WEIR_HOURS(1));
	assert_int_equal(first_of(&c, topic, 0), 4000); /* the segment that is written to goes as well */
	assert_int_equal(end_of(&c, topic, 0), 4000);
	put_kilobytes(p, topic, 1, clock_.now_ms);
	assert_int_equal(end_of(&c, topic, 0), 4001);
	weir_producer_close(p);
}

static void retention_bytes_keeps_memory_flat(void **state)
{
	static const char *const configs[][2] = { { "retention.bytes", "5000000" }, { "retention.ms", "-1" } };
	const char *topic = topic_with(configs, 2);
	weir_producer *p = producer_of(&c, NULL);
	const struct journal *j = weir__topic_find(weir__embedded(c.cluster), topic)->journals[0];

	(void)state;
	for (int i = 0; i < 30; i++) {
		put_kilobytes(p, topic, 1000, START_MS);
		assert_true(j->bytes < 5000000 + 2 * (1 << 20));
	}
	assert_true(j->bytes > 4500000);
	assert_true(first_of(&c, topic, 0) > 24000);
	weir_producer_close(p);
}

static void nothing_goes_without_the_policy_delete(void **state)
{
	static const char *const configs[][2] = { { "cleanup.policy", "compact" },
						  { "retention.ms", "1000" },
						  { "retention.bytes", "1000" } };
	const char *topic = topic_with(configs, 3);

	(void)state;
	put_numbers(&c, topic, 0, 1000);
	let_pass(&c, WEIR_DAYS(2));
	assert_int_equal(first_of(&c, topic, 0), 0);
	reader_at(&c, &r, topic, 0, 0);
	reader_until(&r, 1000);
	reader_close(&r);
}

static void a_reader_whose_position_was_dropped_is_told(void **state)
{
	static const char *const configs[][2] = { { "retention.ms", "3600000" } };
	const char *topic = topic_with(configs, 1);
	weir_producer *p = producer_of(&c, NULL);

	(void)state;
	put_kilobytes(p, topic, 3000, START_MS);
	reader_at(&c, &r, topic, 0, 0);
	r.leave_after = 100;
	reader_until(&r, 100);
	let_pass(&c, WEIR_HOURS(2));
	put_kilobytes(p, topic, 1, clock_.now_ms);
	reader_poll(&r);
	assert_int_equal(r.errors, 1);
	assert_int_equal(r.error.code, WEIR_STATE);
	assert_int_equal(r.count, 100);
	reader_close(&r);
	weir_producer_close(p);
}

/* --- compaction ----------------------------------------------------------------------------------------------- */

#define KEYS 50

/* What a reader of the topic must end with. */
struct model {
	int values[KEYS]; /* -1 = none */
	int64_t offsets[KEYS];
};

static void put_key(weir_producer *p, const char *topic, int key, int value)
{
	char k[16], v[128];

	snprintf(k, sizeof k, "key-%d", key);
	snprintf(v, sizeof v, "%d%90s", value, "");
	put(p, topic, 0, k, value < 0 ? NULL : v);
}

#define WRITES 150000
static bool never_committed[WRITES]; /* by value: nobody may read it */

static struct model model_read(const char *topic)
{
	struct model m;
	int64_t last = -1;

	memset(&m, -1, sizeof m);
	reader_at(&c, &r, topic, 0, WEIR_OFFSET_BEGINNING);
	r.leave_after = SEEN_MAX / 2;
	do {
		r.count = 0;
		reader_poll(&r);
		for (size_t i = 0; i < r.count; i++) {
			int key = atoi(r.seen[i].key + 4);

			assert_true(r.seen[i].offset > last);
			last = r.seen[i].offset;
			m.values[key] = strcmp(r.seen[i].value, "(null)") ? atoi(r.seen[i].value) : -1;
			m.offsets[key] = r.seen[i].offset;
			assert_false(m.values[key] >= 0 && m.values[key] < WRITES &&
				     never_committed[m.values[key]]);
		}
	} while (r.count);
	reader_close(&r);
	return m;
}

static void compaction_keeps_the_newest_of_each_key_at_its_offset(void **state)
{
	static const char *const configs[][2] = { { "cleanup.policy", "compact" } };
	const char *topic = topic_with(configs, 1);
	weir_producer *p = producer_of(&c, NULL);
	const struct journal *j = weir__topic_find(weir__embedded(c.cluster), topic)->journals[0];
	struct model wanted;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		put_key(p, topic, i % KEYS, i);
		wanted.values[i % KEYS] = i;
		wanted.offsets[i % KEYS] = i;
		assert_true(j->bytes < 4 << 20); /* of 28 MB written */
	}
	struct model got = model_read(topic);

	assert_memory_equal(&wanted, &got, sizeof got);
	assert_int_equal(end_of(&c, topic, 0), 200000);
	assert_int_equal(first_of(&c, topic, 0), 0);
	weir_producer_close(p);
}

static size_t tombstones_read(const char *topic)
{
	size_t n = 0;

	reader_at(&c, &r, topic, 0, WEIR_OFFSET_BEGINNING);
	r.leave_after = SEEN_MAX / 2;
	do {
		r.count = 0;
		reader_poll(&r);
		for (size_t i = 0; i < r.count; i++)
			n += !strcmp(r.seen[i].value, "(null)");
	} while (r.count);
	reader_close(&r);
	return n;
}

static void tombstones_stay_for_delete_retention_ms(void **state)
{
	static const char *const configs[][2] = { { "cleanup.policy", "compact" },
						  { "delete.retention.ms", "60000" } };
	const char *topic = topic_with(configs, 2);
	weir_producer *p = producer_of(&c, NULL);

	(void)state;
	for (int key = 0; key < 10; key++)
		put_key(p, topic, key, 1);
	for (int key = 0; key < 10; key++)
		put_key(p, topic, key, -1);
	for (int round = 0; round < 12; round++) { /* the cleaner sees them in the first */
		for (int i = 0; i < 40000; i++)
			put_key(p, topic, 10 + i % 10, i);
		if (round < 6)
			assert_int_equal(tombstones_read(topic), 10);
		if (round > 7)
			assert_int_equal(tombstones_read(topic), 0);
		let_pass(&c, 10000);
	}
	struct model got = model_read(topic);

	for (int key = 0; key < 20; key++)
		assert_int_equal(got.values[key], key < 10 ? -1 : 39990 + key - 10);
	weir_producer_close(p);
}

static void records_of_an_open_transaction_are_not_cleaned(void **state)
{
	static const char *const configs[][2] = { { "cleanup.policy", "compact" } };
	const char *topic = topic_with(configs, 1);
	weir_producer *p = producer_of(&c, NULL), *t = producer_of(&c, fresh(&c, "txn"));

	(void)state;
	put_key(p, topic, 0, 1);
	begin(t);
	put_key(t, topic, 0, 2);
	for (int i = 0; i < 50000; i++)
		put_key(p, topic, 1 + i % 5, i);
	assert_int_equal(model_read(topic).values[0], 1); /* it may still come to nothing */
	abort_txn(t);
	for (int i = 0; i < 50000; i++)
		put_key(p, topic, 1 + i % 5, i);
	struct model got = model_read(topic);

	assert_int_equal(got.values[0], 1);
	assert_int_equal(got.offsets[0], 0);
	weir_producer_close(p);
	weir_producer_close(t);
}

/* Random writes, in and out of transactions that end either way: what is read last of a key is what was committed
 * last, and readers never go back. */
static void compaction_never_changes_what_a_reader_ends_with(void **state)
{
	static const char *const configs[][2] = { { "cleanup.policy", "compact" },
						  { "delete.retention.ms", "5000" },
						  { "min.cleanable.dirty.ratio", "0.2" } };
	weir_rng rng = weir_rng_seeded(7);
	const char *topic = topic_with(configs, 3);
	weir_producer *p = producer_of(&c, NULL), *t = producer_of(&c, fresh(&c, "txn"));
	struct model wanted, open;
	bool in_txn = false;
	int began = 0;
	static bool in_open[WRITES];

	(void)state;
	memset(&wanted, -1, sizeof wanted);
	for (int i = 0; i < WRITES; i++) {
		int key = (int)weir_rng_below(&rng, KEYS / 2), value = weir_rng_below(&rng, 10) ? i : -1;

		if (i % 100 == 0)
			let_pass(&c, 10);
		if (!in_txn && weir_rng_below(&rng, 200) == 0) {
			begin(t);
			in_txn = true;
			began = i;
			memset(&open, -1, sizeof open);
		}
		if (in_txn &&
		    weir_rng_below(&rng, 2)) { /* a writer to its own half of the keys, so that order is plain */
			put_key(t, topic, KEYS / 2 + key, value);
			open.values[key] = value;
			open.offsets[key] = 1;
			in_open[i] = true;
		} else {
			put_key(p, topic, key, value);
			wanted.values[key] = value;
		}
		if (in_txn && weir_rng_below(&rng, 200) == 0) {
			in_txn = false;
			bool keep = weir_rng_below(&rng, 3);

			for (int k = 0; k < KEYS / 2 && keep; k++)
				if (open.offsets[k] == 1)
					wanted.values[KEYS / 2 + k] = open.values[k];
			(keep ? commit : abort_txn)(t);
			for (int k = began; k <= i && !keep; k++)
				never_committed[k] = in_open[k];
		}
		if (i % 20000 == 0)
			model_read(topic);
	}
	if (in_txn)
		abort_txn(t);
	struct model got = model_read(topic);

	assert_memory_equal(wanted.values, got.values, sizeof got.values);
	assert_true(weir__topic_find(weir__embedded(c.cluster), topic)->journals[0]->bytes < 4 << 20);
	weir_producer_close(p);
	weir_producer_close(t);
}

/* The reader stands before aborted records when the cleaner comes, which forgets that they were aborted. */
static void a_reader_is_not_given_aborted_records_after_a_compaction(void **state)
{
	static const char *const configs[][2] = { { "cleanup.policy", "compact" } };
	const char *topic = topic_with(configs, 1);
	weir_producer *p = producer_of(&c, NULL), *t = producer_of(&c, fresh(&c, "txn"));

	(void)state;
	put_key(p, topic, 0, 1);
	put_key(p, topic, 1, 1);
	begin(t);
	put_key(t, topic, 2, 2);
	abort_txn(t);
	reader_at(&c, &r, topic, 0, 0);
	r.leave_after = 1;
	reader_poll(&r);
	for (int i = 0; i < 50000; i++)
		put_key(p, topic, 3, 3);
	r.leave_after = 1000;
	while (position_of(&r, topic, 0) < end_of(&c, topic, 0)) {
		r.count = 0;
		reader_poll(&r);
		for (size_t i = 0; i < r.count; i++)
			assert_string_not_equal(r.seen[i].key, "key-2");
	}
	assert_int_equal(weir__topic_find(weir__embedded(c.cluster), topic)->journals[0]->aborted_count, 0);
	reader_close(&r);
	weir_producer_close(p);
	weir_producer_close(t);
}

static void a_reader_goes_on_through_a_compaction(void **state)
{
	static const char *const configs[][2] = { { "cleanup.policy", "compact" } };
	const char *topic = topic_with(configs, 1);
	weir_producer *p = producer_of(&c, NULL);
	int64_t last = -1;

	(void)state;
	reader_at(&c, &r, topic, 0, 0);
	r.leave_after = 10;
	for (int i = 0; i < 100000; i++) {
		put_key(p, topic, i % KEYS, i);
		if (i % 100)
			continue;
		r.count = 0;
		reader_poll(&r);
		for (size_t k = 0; k < r.count; k++) {
			assert_true(r.seen[k].offset > last);
			last = r.seen[k].offset;
			assert_int_equal(atoi(r.seen[k].value), last);
		}
	}
	r.leave_after = 1000;
	while (position_of(&r, topic, 0) < 100000) {
		r.count = 0;
		reader_poll(&r);
		assert_true(r.count > 0);
	}
	assert_int_equal(r.errors, 0);
	reader_close(&r);
	weir_producer_close(p);
}

static void compaction_and_retention_work_together(void **state)
{
	static const char *const configs[][2] = { { "cleanup.policy", "compact,delete" },
						  { "retention.ms", "600000" } };
	const char *topic = topic_with(configs, 2);
	weir_producer *p = producer_of(&c, NULL);
	weir_partition at = { .topic = topic, .partition = 0, .offset = 30000 };
	weir_error err;

	(void)state;
	for (int i = 0; i < 50000; i++)
		put_at(p, topic, 0, START_MS, i % 2 ? "a" : "b", "value with some length to it");
	put_at(p, topic, 0, START_MS, "c", "value");
	assert_done(weir_records_delete(c.cluster, &at, 1, &err), err);
	assert_int_equal(first_of(&c, topic, 0), 30000);
	for (int i = 0; i < 50000; i++)
		put_at(p, topic, 0, START_MS + WEIR_MINUTES(20), i % 2 ? "a" : "b", "value with some length to it");
	let_pass(&c, WEIR_MINUTES(15)); /* what is left of the first half is too old */
	assert_true(first_of(&c, topic, 0) > 30000);
	reader_at(&c, &r, topic, 0, WEIR_OFFSET_BEGINNING);
	r.leave_after = 1000;
	while (position_of(&r, topic, 0) != 100001) {
		r.count = 0;
		reader_poll(&r);
	}
	assert_int_equal(r.errors, 0);
	reader_close(&r);
	weir_producer_close(p);
}

/* --- topics --------------------------------------------------------------------------------------------------- */

static void topics_with_impossible_settings_are_refused(void **state)
{
	static const char *const bad[][2] = { { "cleanup.policy", "compact;delete" },
					      { "retention.ms", "a week" },
					      { "retention.ms", "-2" },
					      { "no.such.setting", "1" },
					      { "segment.bytes", "1000" },
					      { "message.timestamp.type", "Now" } };
	weir_error err;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		weir_topic_spec spec = { "bad", 1, 0, &bad[i], 1 };

		assert_false(weir_topics_create(c.cluster, &spec, 1, &err));
		assert_int_equal(err.code, WEIR_CONFIG);
		assert_non_null(strstr(err.message, bad[i][0]));
	}
	assert_false(weir_topics_create(c.cluster, &(weir_topic_spec){ .name = "a/b", .partitions = 1 }, 1, &err));
	assert_false(weir_topics_create(c.cluster, &(weir_topic_spec){ .name = "", .partitions = 1 }, 1, &err));
	assert_false(weir_topics_create(c.cluster, &(weir_topic_spec){ .name = "none" }, 1, &err));
	assert_int_equal(weir_topic_partitions(c.cluster, "none", &err), 0);
}

static void topics_are_made_on_first_use_when_asked_so(void **state)
{
	weir_cluster *cluster =
		weir_cluster_embedded((weir_embedded_opts){ .clock = &clock_.clock, .partitions = 3 });
	struct contract with = { cluster, "auto", &clock_.clock };
	weir_producer *p = producer_of(&with, NULL);
	weir_error err;

	(void)state;
	assert_int_equal(weir_topic_partitions(cluster, "produced", &err), 0);
	put(p, "produced", 2, "k", "v");
	assert_int_equal(weir_topic_partitions(cluster, "produced", &err), 3);
	reader_at(&with, &r, "consumed", 1, 0);
	assert_int_equal(weir_topic_partitions(cluster, "consumed", &err), 3);
	reader_linger(&r);
	assert_int_equal(r.errors, 0);
	reader_close(&r);
	weir_producer_close(p);
	weir_cluster_free(cluster);
}

static void a_reader_of_a_deleted_topic_is_told(void **state)
{
	const char *topic = fresh_topic(&c, 1);
	weir_producer *p = producer_of(&c, NULL);
	weir_error err;

	(void)state;
	put(p, topic, 0, "k", "v");
	put(p, topic, 0, "k", "v");
	reader_at(&c, &r, topic, 0, 0);
	r.leave_after = 1;
	reader_poll(&r);
	assert_done(weir_topics_delete(c.cluster, &topic, 1, &err), err);
	reader_linger(&r);
	assert_int_equal(r.count, 1);
	assert_int_equal(r.errors, 1);
	assert_int_equal(r.error.code, WEIR_NOT_FOUND);
	weir_topic_spec again = { .name = topic, .partitions = 1 };

	assert_done(weir_topics_create(c.cluster, &again, 1, &err), err);
	put(p, topic, 0, "k", "v");
	assert_int_equal(end_of(&c, topic, 0), 1);
	assert_int_equal(weir_producer_delivered(p, topic, 0), 1);
	reader_close(&r);
	weir_producer_close(p);
}

static void the_broker_dates_records_where_the_topic_says_so(void **state)
{
	static const char *const configs[][2] = { { "message.timestamp.type", "LogAppendTime" } };
	const char *topic = topic_with(configs, 1);
	weir_producer *p = producer_of(&c, NULL);

	(void)state;
	let_pass(&c, 12345);
	put_at(p, topic, 0, 1, "k", "v");
	reader_at(&c, &r, topic, 0, 0);
	reader_until(&r, 1);
	assert_int_equal(r.seen[0].timestamp_ms, START_MS + 12345);
	reader_close(&r);
	weir_producer_close(p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_cluster, free_cluster)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(records_older_than_retention_ms_go),
		TEST(retention_bytes_keeps_memory_flat),
		TEST(nothing_goes_without_the_policy_delete),
		TEST(a_reader_whose_position_was_dropped_is_told),
		TEST(compaction_keeps_the_newest_of_each_key_at_its_offset),
		TEST(tombstones_stay_for_delete_retention_ms),
		TEST(records_of_an_open_transaction_are_not_cleaned),
		TEST(compaction_never_changes_what_a_reader_ends_with),
		TEST(a_reader_is_not_given_aborted_records_after_a_compaction),
		TEST(a_reader_goes_on_through_a_compaction),
		TEST(compaction_and_retention_work_together),
		TEST(topics_with_impossible_settings_are_refused),
		TEST(topics_are_made_on_first_use_when_asked_so),
		TEST(a_reader_of_a_deleted_topic_is_told),
		TEST(the_broker_dates_records_where_the_topic_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
