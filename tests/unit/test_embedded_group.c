/* Groups and transactions of the embedded cluster as time passes, by a clock that the test moves. */
#include "tests/contract/helpers.h"

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
	c = (struct contract){ weir_cluster_embedded((weir_embedded_opts){ .clock = &clock_.clock }), "group",
			       &clock_.clock };
	return 0;
}

static int free_cluster(void **state)
{
	(void)state;
	weir_cluster_free(c.cluster);
	return 0;
}

static void poll_all(struct joiner **list, size_t n, int times)
{
	for (int i = 0; i < times; i++)
		for (size_t k = 0; k < n; k++)
			if (list[k]->consumer)
				assert_true(joiner_poll(list[k]));
}

/* --- sessions ------------------------------------------------------------------------------------------------- */

static void a_crashed_member_keeps_its_partitions_until_its_session_ends(void **state)
{
	struct joiner a, b, *both[] = { &a, &b };
	struct joiner_opts opts = { "g", fresh_topic(&c, 4) };

	(void)state;
	joiner_open(&c, &a, opts);
	joiner_open(&c, &b, opts);
	joiners_until(both, (int[]){ 2, 2 }, 2);
	weir__embedded_crash_consumer(b.consumer);
	for (int i = 0; i < 9; i++) {
		let_pass(&c, 1000);
		joiner_poll(&a);
		assert_int_equal(joiner_owned(&a), 2);
	}
	let_pass(&c, 1000);
	poll_all(both, 1, 3);
	assert_int_equal(joiner_owned(&a), 4);
	assert_int_equal(a.lost, 0);
	joiner_close(&a);
}

static void a_rebalance_waits_for_those_who_do_not_poll(void **state)
{
	struct joiner a, b, d, *all[] = { &a, &b, &d }, *active[] = { &a, &d };
	struct joiner_opts opts = { "g", fresh_topic(&c, 6) };

	(void)state;
	joiner_open(&c, &a, opts);
	joiner_open(&c, &b, opts);
	joiners_until(all, (int[]){ 3, 3 }, 2);
	joiner_open(&c, &d, opts);
	for (int i = 0; i < 9; i++) {
		let_pass(&c, 1000);
		poll_all(active, 2, 1);
		assert_int_equal(joiner_owned(&a), 3);
		assert_int_equal(joiner_owned(&d), 0);
	}
	joiners_until(all, (int[]){ 2, 2, 2 }, 3); /* it comes in time */
	assert_int_equal(a.lost + b.lost + d.lost, 0);
	for (size_t i = 0; i < 3; i++)
		joiner_close(all[i]);
}

static void who_was_away_too_long_hears_that_its_partitions_are_lost(void **state)
{
	struct joiner a, b, *both[] = { &a, &b };
	struct joiner_opts opts = { "g", fresh_topic(&c, 4) };

	(void)state;
	joiner_open(&c, &a, opts);
	joiner_open(&c, &b, opts);
	joiners_until(both, (int[]){ 2, 2 }, 2);
	let_pass(&c, 6000);
	joiner_poll(&a);
	let_pass(&c, 6000);
	assert_true(weir_consumer_lost(b.consumer));
	poll_all(both, 1, 3);
	assert_int_equal(joiner_owned(&a), 4);
	joiners_until(both, (int[]){ 2, 2 }, 2); /* it joins again by polling */
	assert_int_equal(b.lost, 1);
	assert_one_owner(both, 2, 4);
	joiner_close(&a);
	joiner_close(&b);
}

static void a_static_member_may_be_away_for_a_session(void **state)
{
	struct joiner a, b, *both[] = { &a, &b };
	const char *topic = fresh_topic(&c, 4);
	struct joiner_opts opts = { "g", topic, .instance = "one" }, other = { "g", topic, .instance = "two" };
	bool owned[PARTITIONS_MAX];

	(void)state;
	joiner_open(&c, &a, opts);
	joiner_open(&c, &b, other);
	joiners_until(both, (int[]){ 2, 2 }, 2);
	memcpy(owned, b.owns, sizeof owned);
	weir__embedded_crash_consumer(b.consumer);
	let_pass(&c, 9000);
	joiner_poll(&a);
	joiner_open(&c, &b, other);
	joiner_poll(&b); /* at once, without anybody else */
	assert_memory_equal(owned, b.owns, sizeof owned);
	joiner_close(&b);
	let_pass(&c, 9000);
	joiner_poll(&a);
	assert_int_equal(joiner_owned(&a), 2);
	let_pass(&c, 1000);
	poll_all(both, 1, 3);
	assert_int_equal(joiner_owned(&a), 4);
	joiner_close(&a);
}

/* --- assignment ----------------------------------------------------------------------------------------------- */

/* Members come, go and crash at random. At no time does a partition have two owners; once all is quiet each has
 * one and shares differ by one at most. */
static void whoever_comes_and_goes_partitions_have_one_owner(void **state)
{
	enum { MEMBERS = 5, PARTITIONS = 11 };
	static struct joiner members[MEMBERS];
	struct joiner *all[MEMBERS];
	struct joiner_opts opts = { "g", fresh_topic(&c, PARTITIONS), fresh_topic(&c, PARTITIONS) };
	weir_rng rng = weir_rng_seeded(3);

	(void)state;
	for (int i = 0; i < MEMBERS; i++)
		all[i] = &members[i];
	for (int step = 0; step < 3000; step++) {
		struct joiner *j = all[weir_rng_below(&rng, MEMBERS)];
		uint64_t what = weir_rng_below(&rng, 100);

		if (!j->consumer && what < 20)
			joiner_open(&c, j, opts);
		else if (j->consumer && what < 3)
			joiner_close(j);
		else if (j->consumer && what < 5) {
			weir__embedded_crash_consumer(j->consumer);
			*j = (struct joiner){ 0 };
		} else if (j->consumer)
			joiner_poll(j);
		clock_.now_ms += (int64_t)weir_rng_below(&rng, 300);
		for (int p = 0; p < PARTITIONS; p++) {
			int owners = 0;

			for (int i = 0; i < MEMBERS; i++)
				owners += all[i]->owns[p] && all[i]->consumer &&
					  !weir_consumer_lost(all[i]->consumer);
			assert_true(owners <= 1);
		}
	}
	for (int i = 0; i < MEMBERS; i++)
		if (!members[i].consumer)
			joiner_open(&c, &members[i], opts);
	for (int i = 0; i < 12; i++) { /* crashed members time out */
		let_pass(&c, 1000);
		poll_all(all, MEMBERS, 4);
	}
	joiners_until(all, (int[]){ -1, -1, -1, -1, -1 }, MEMBERS);
	assert_one_owner(all, MEMBERS, PARTITIONS);
	for (int i = 0; i < MEMBERS; i++)
		assert_in_range(joiner_owned(all[i]), PARTITIONS / MEMBERS, PARTITIONS / MEMBERS + 1);
	for (int i = 0; i < MEMBERS; i++)
		joiner_close(all[i]);
}

static void partitions_move_only_where_they_must(void **state)
{
	struct joiner a, b, d, *all[] = { &a, &b, &d };
	struct joiner_opts opts = { "g", fresh_topic(&c, 9) };
	bool before_a[PARTITIONS_MAX], before_b[PARTITIONS_MAX];

	(void)state;
	joiner_open(&c, &a, opts);
	joiner_open(&c, &b, opts);
	joiners_until(all, (int[]){ -1, -1 }, 2);
	poll_all(all, 2, 6);
	memcpy(before_a, a.owns, sizeof before_a);
	memcpy(before_b, b.owns, sizeof before_b);
	joiner_open(&c, &d, opts);
	joiners_until(all, (int[]){ 3, 3, 3 }, 3);
	for (int p = 0; p < 9; p++) {
		assert_true(!a.owns[p] || before_a[p]);
		assert_true(!b.owns[p] || before_b[p]);
	}
	joiner_close(&d);
	joiners_until(all, (int[]){ -1, -1 }, 2);
	for (size_t i = 0; i < 3; i++)
		joiner_close(all[i]);
}

static void a_topic_that_appears_later_is_assigned(void **state)
{
	weir_topic_spec spec = { .name = "later", .partitions = 2 };
	struct joiner a, *all[] = { &a };
	weir_error err;

	(void)state;
	joiner_open(&c, &a, (struct joiner_opts){ "g", "later" });
	poll_all(all, 1, 3);
	assert_int_equal(joiner_owned(&a), 0);
	assert_done(weir_topics_create(c.cluster, &spec, 1, &err), err);
	joiners_until(all, (int[]){ 2 }, 1);
	assert_done(weir_topics_delete(c.cluster, &spec.name, 1, &err), err);
	joiners_until(all, (int[]){ 0 }, 1);
	assert_int_equal(a.revoked, 1);
	joiner_close(&a);
}

static void assign_but_never_unassign(weir_consumer *consumer, weir_group_event event, const weir_partition *list,
				      size_t n, void *user)
{
	(void)user;
	for (size_t i = 0; i < n && event == WEIR_GROUP_ASSIGNED; i++) {
		weir_partition p = { .topic = list[i].topic, .partition = list[i].partition, .offset = 0 };
		weir_error err;

		assert_done(weir_consumer_assign(consumer, &p, 1, &err), err);
	}
}

static bool count(const weir_kafka_record *record, void *user)
{
	(void)record;
	++*(size_t *)user;
	return true;
}

static void what_is_taken_away_is_not_read_any_more(void **state)
{
	const char *topic = fresh_topic(&c, 2);
	weir_consumer *consumers[2];
	weir_consumer_opts opts = { .group = "g", .on_group = assign_but_never_unassign };
	weir_partition p = { .topic = topic, .partition = 0 };
	size_t records[2] = { 0 };
	weir_error err;

	(void)state;
	for (int i = 0; i < 2; i++) {
		consumers[i] = weir_consumer_open(c.cluster, opts, &err);
		assert_done(consumers[i], err);
		assert_done(weir_consumer_subscribe(consumers[i], &topic, 1, &err), err);
		for (int k = 0; k < 10; k++) /* the first has both, then one */
			for (int m = 0; m <= i; m++)
				assert_done(weir_consumer_poll(consumers[m], 0, count, &records[m], &err), err);
	}
	put_numbers(&c, topic, 0, 10);
	put_numbers(&c, topic, 1, 10);
	for (int m = 0; m < 2; m++) {
		assert_done(weir_consumer_poll(consumers[m], 0, count, &records[m], &err), err);
		assert_int_equal(records[m], 10);
		assert_false(weir_consumer_assign(consumers[m], &p, 1, &err)); /* outside of on_group */
		assert_int_equal(err.code, WEIR_USAGE);
	}
	weir_consumer_close(consumers[0]);
	weir_consumer_close(consumers[1]);
}

/* --- transactions --------------------------------------------------------------------------------------------- */

static void an_open_transaction_of_a_crashed_producer_holds_readers_until_it_times_out(void **state)
{
	const char *topic = fresh_topic(&c, 1);
	weir_producer *plain = producer_of(&c, NULL), *p = producer_of(&c, "t");

	(void)state;
	begin(p);
	put(p, topic, 0, "k", "lost");
	put(plain, topic, 0, "k", "plain");
	weir__embedded_crash_producer(p);
	reader_at(&c, &r, topic, 0, 0);
	let_pass(&c, 9999);
	reader_poll(&r);
	assert_int_equal(r.count, 0);
	let_pass(&c, 1);
	reader_poll(&r);
	assert_string_equal(reader_values(&r), "plain");
	reader_close(&r);
	weir_producer_close(plain);
}

static void pending_offsets_of_a_crashed_producer_go_with_its_transaction(void **state)
{
	const char *topic = fresh_topic(&c, 1);
	weir_producer *p = producer_of(&c, "t");
	weir_partition at = { .topic = topic, .partition = 0, .offset = 5 };
	struct joiner j, *all[] = { &j };
	weir_error err;

	(void)state;
	joiner_open(&c, &j, (struct joiner_opts){ "g", topic });
	joiners_until(all, (int[]){ 1 }, 1);
	begin(p);
	assert_done(weir_producer_send_offsets(p, j.consumer, &at, 1, 0, &err), err);
	weir__embedded_crash_producer(p);
	assert_false(weir_group_committed(c.cluster, "g", &at, 1, 60000,
					  &err)); /* and does not wait: the clock stands */
	let_pass(&c, 10000);
	assert_int_equal(committed_of(&c, "g", topic, 0, NULL, 0), WEIR_OFFSET_NONE);
	joiner_close(&j);
}

static bool may_commit(struct joiner *j, weir_producer *p)
{
	weir_partition at = { .topic = j->topic, .partition = 0, .offset = 5 };
	weir_error err = { 0 };

	begin(p);
	bool may = weir_producer_send_offsets(p, j->consumer, &at, 1, 0, &err);

	assert_int_equal(err.abort_txn, !may);
	abort_txn(p);
	return may;
}

static void only_a_member_of_the_present_generation_may_commit(void **state)
{
	weir_producer *p = producer_of(&c, "t");
	struct joiner_opts opts = { "g", fresh_topic(&c, 2) };
	struct joiner a, b, *both[] = { &a, &b };

	(void)state;
	joiner_open(&c, &a, opts);
	assert_false(may_commit(&a, p)); /* has not joined */
	joiners_until(both, (int[]){ 2 }, 1);
	assert_true(may_commit(&a, p));
	joiner_open(&c, &b, opts);
	joiner_poll(&b);
	assert_true(may_commit(&a, p));  /* the round has begun, the generation is the same */
	assert_false(may_commit(&b, p)); /* is of no generation yet */
	joiners_until(both, (int[]){ 1, 1 }, 2);
	assert_true(may_commit(&a, p) && may_commit(&b, p));
	let_pass(&c, 6000);
	joiner_poll(&a);
	let_pass(&c, 6000);
	assert_false(may_commit(&b, p)); /* put out, although a round without it has not ended */
	assert_true(may_commit(&a, p));
	joiner_close(&a);
	joiner_close(&b);
	weir_producer_close(p);
}

static void committed_offsets_go_with_their_topic(void **state)
{
	weir_partition list[] = { { .topic = fresh_topic(&c, 1), .offset = 3 },
				  { .topic = fresh_topic(&c, 1), .offset = 4 } };
	weir_error err;

	(void)state;
	assert_done(weir_group_alter(c.cluster, "g", list, 2, &err), err);
	assert_done(weir_topics_delete(c.cluster, &list[0].topic, 1, &err), err);
	assert_int_equal(committed_of(&c, "g", list[0].topic, 0, NULL, 0), WEIR_OFFSET_NONE);
	assert_int_equal(committed_of(&c, "g", list[1].topic, 0, NULL, 0), 4);
}

static enum embedded_fault next_fault;
static enum embedded_point next_point;

static enum embedded_fault once(enum embedded_point point, const char *who, void *user)
{
	enum embedded_fault fault = point == next_point ? next_fault : EMBEDDED_FINE;

	(void)who;
	(void)user;
	if (fault)
		next_fault = EMBEDDED_FINE;
	return fault;
}

static void fail_next(enum embedded_point point, enum embedded_fault fault)
{
	weir__embedded_faults(c.cluster, once, NULL, 500);
	next_point = point;
	next_fault = fault;
}

/* A commit is decided before its markers are written (KAFKA-10167). */
static void late_markers_hold_back_records_and_offsets(void **state)
{
	const char *topic = fresh_topic(&c, 1);
	weir_producer *p = producer_of(&c, "t");
	weir_partition at = { .topic = topic, .partition = 0, .offset = 5 };
	struct joiner j, *all[] = { &j };
	weir_error err;

	(void)state;
	joiner_open(&c, &j, (struct joiner_opts){ "g", topic });
	joiners_until(all, (int[]){ 1 }, 1);
	begin(p);
	put(p, topic, 0, "k", "v");
	assert_done(weir_producer_send_offsets(p, j.consumer, &at, 1, 0, &err), err);
	fail_next(EMBEDDED_AT_COMMIT, EMBEDDED_LATE);
	commit(p);
	reader_at(&c, &r, topic, 0, 0);
	reader_poll(&r);
	assert_int_equal(r.count, 0);
	assert_int_equal(end_of(&c, topic, 0), 1);
	assert_false(weir_group_committed(c.cluster, "g", &at, 1, 0, &err));
	assert_int_equal(err.code, WEIR_TIMEOUT);
	let_pass(&c, 500);
	reader_poll(&r);
	assert_int_equal(r.count, 1);
	assert_int_equal(end_of(&c, topic, 0), 2);
	assert_int_equal(committed_of(&c, "g", topic, 0, NULL, 0), 5);
	begin(p);
	put(p, topic, 0, "k", "v");
	fail_next(EMBEDDED_AT_COMMIT, EMBEDDED_LATE);
	commit(p);
	begin(p); /* the next one waits for the markers of the last */
	put(p, topic, 0, "k", "v");
	reader_poll(&r);
	assert_int_equal(r.count, 2);
	abort_txn(p);
	reader_close(&r);
	joiner_close(&j);
	weir_producer_close(p);
}

static void a_commit_without_an_answer_is_of_either_outcome(void **state)
{
	const char *topic = fresh_topic(&c, 1);
	weir_error err;

	(void)state;
	reader_at(&c, &r, topic, 0, 0);
	for (int done = 0; done < 2; done++) {
		weir_producer *p = producer_of(&c, "t");

		begin(p);
		put(p, topic, 0, "k", done ? "done" : "undone");
		fail_next(EMBEDDED_AT_COMMIT, done ? EMBEDDED_DONE : EMBEDDED_UNDONE);
		assert_false(weir_producer_commit(p, 1000, &err));
		assert_false(err.fatal || err.abort_txn);
		assert_int_equal(err.code, WEIR_TIMEOUT);
		weir_producer_close(p);
		weir_producer_close(producer_of(&c, "t")); /* the successor settles it */
		reader_poll(&r);
	}
	assert_string_equal(reader_values(&r), "done");
	reader_close(&r);
}

static void mishaps_carry_the_flags_that_say_what_to_do(void **state)
{
	const char *topic = fresh_topic(&c, 1);
	weir_producer *p = producer_of(&c, "t");
	struct joiner j, *all[] = { &j };
	weir_error err;

	(void)state;
	begin(p);
	put(p, topic, 0, "k", "v");
	fail_next(EMBEDDED_AT_COMMIT, EMBEDDED_ABORTABLE);
	assert_false(weir_producer_commit(p, 1000, &err));
	assert_true(err.abort_txn && !err.fatal);
	abort_txn(p);
	begin(p);
	fail_next(EMBEDDED_AT_SEND, EMBEDDED_ABORTABLE);
	put(p, topic, 0, "k", "v");
	assert_false(weir_producer_commit(p, 1000, &err));
	assert_true(err.abort_txn && !err.fatal);
	fail_next(EMBEDDED_AT_ABORT, EMBEDDED_FATAL);
	abort_txn(p); /* nothing had reached the coordinator: no chance to fail there */
	begin(p);
	put(p, topic, 0, "k", "v");
	assert_false(weir_producer_abort(p, 1000, &err));
	assert_true(err.fatal);
	weir_producer_close(p);
	joiner_open(&c, &j, (struct joiner_opts){ "g", topic });
	joiners_until(all, (int[]){ 1 }, 1);
	fail_next(EMBEDDED_AT_POLL, EMBEDDED_EVICTED);
	joiner_poll(&j);
	assert_int_equal(j.lost, 1);
	assert_int_equal(joiner_owned(&j), 1); /* and has joined again */
	joiner_close(&j);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_cluster, free_cluster)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_crashed_member_keeps_its_partitions_until_its_session_ends),
		TEST(a_rebalance_waits_for_those_who_do_not_poll),
		TEST(who_was_away_too_long_hears_that_its_partitions_are_lost),
		TEST(a_static_member_may_be_away_for_a_session),
		TEST(whoever_comes_and_goes_partitions_have_one_owner),
		TEST(partitions_move_only_where_they_must),
		TEST(a_topic_that_appears_later_is_assigned),
		TEST(what_is_taken_away_is_not_read_any_more),
		TEST(an_open_transaction_of_a_crashed_producer_holds_readers_until_it_times_out),
		TEST(pending_offsets_of_a_crashed_producer_go_with_its_transaction),
		TEST(only_a_member_of_the_present_generation_may_commit),
		TEST(committed_offsets_go_with_their_topic),
		TEST(late_markers_hold_back_records_and_offsets),
		TEST(a_commit_without_an_answer_is_of_either_outcome),
		TEST(mishaps_carry_the_flags_that_say_what_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
