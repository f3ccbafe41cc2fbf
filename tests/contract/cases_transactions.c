#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/contract/cases.h"

static struct reader r, dirty;

void a_committed_transaction_becomes_visible(struct contract *c)
{
	const char *topic = fresh_topic(c, 1);
	weir_producer *p = producer_of(c, fresh(c, "txn"));

	reader_at(c, &r, topic, 0, 0);
	begin(p);
	put(p, topic, 0, "k", "a");
	put(p, topic, 0, "k", "b");
	commit(p);
	begin(p);
	put(p, topic, 0, "k", "c");
	commit(p);
	reader_until(&r, 3);
	assert_string_equal(reader_values(&r), "a b c");
	assert_int_equal(r.seen[2].offset, 3); /* a marker between */
	reader_close(&r);
	weir_producer_close(p);
}

void an_open_transaction_hides_itself_and_what_follows(struct contract *c)
{
	const char *topic = fresh_topic(c, 1);
	weir_producer *p = producer_of(c, fresh(c, "txn")), *plain = producer_of(c, NULL);

	put(plain, topic, 0, "k", "before");
	flush(plain);
	begin(p);
	put(p, topic, 0, "k", "inside");
	flush(p);
	put(plain, topic, 0, "k", "after");
	flush(plain);
	reader_at(c, &r, topic, 0, 0);
	reader_open(c, &dirty, true);
	reader_assign(&dirty, topic, 0, 0);
	reader_until(&dirty, 3);
	assert_string_equal(reader_values(&dirty), "before inside after");
	reader_until(&r, 1);
	reader_linger(&r);
	assert_string_equal(reader_values(&r), "before");
	assert_int_equal(position_of(&r, topic, 0), 1);
	assert_int_equal(end_of(c, topic, 0), 3); /* the high watermark */
	commit(p);
	reader_until(&r, 3);
	assert_string_equal(reader_values(&r), "before inside after");
	reader_close(&r);
	reader_close(&dirty);
	weir_producer_close(p);
	weir_producer_close(plain);
}

void aborted_records_are_seen_by_uncommitted_readers_only(struct contract *c)
{
	const char *topic = fresh_topic(c, 1);
	weir_producer *p = producer_of(c, fresh(c, "txn"));

	begin(p);
	put(p, topic, 0, "k", "a");
	commit(p);
	begin(p);
	put(p, topic, 0, "k", "b");
	put(p, topic, 0, "k", "c");
	flush(p);
	abort_txn(p);
	begin(p);
	put(p, topic, 0, "k", "d");
	commit(p);
	reader_at(c, &r, topic, 0, 0);
	reader_until(&r, 2);
	assert_string_equal(reader_values(&r), "a d");
	reader_open(c, &dirty, true);
	reader_assign(&dirty, topic, 0, 0);
	reader_until(&dirty, 4);
	assert_string_equal(reader_values(&dirty), "a b c d");
	reader_close(&r);
	reader_close(&dirty);
	weir_producer_close(p);
}

void position_passes_the_markers_up_to_the_end(struct contract *c)
{
	const char *topic = fresh_topic(c, 1);
	weir_producer *p = producer_of(c, fresh(c, "txn"));

	for (int i = 0; i < 3; i++) {
		begin(p);
		put(p, topic, 0, "k", "v");
		commit(p);
	}
	WAIT_UNTIL(c, end_of(c, topic, 0) == 6);
	reader_at(c, &r, topic, 0, 0);
	reader_until(&r, 3);
	reader_until_position(&r, topic, 0, 6);
	assert_int_equal(r.count, 3);
	reader_close(&r);
	weir_producer_close(p);
}

void position_passes_aborted_records_up_to_the_end(struct contract *c)
{
	const char *topic = fresh_topic(c, 1);
	weir_producer *p = producer_of(c, fresh(c, "txn"));

	begin(p);
	for (int i = 0; i < 10; i++)
		put(p, topic, 0, "k", "v");
	flush(p);
	abort_txn(p);
	WAIT_UNTIL(c, end_of(c, topic, 0) == 11);
	reader_at(c, &r, topic, 0, WEIR_OFFSET_BEGINNING);
	reader_until_position(&r, topic, 0, 11);
	assert_int_equal(r.count, 0);
	reader_close(&r);
	weir_producer_close(p);
}

void each_partition_of_a_transaction_gets_one_marker(struct contract *c)
{
	const char *topic = fresh_topic(c, 3);
	weir_producer *p = producer_of(c, fresh(c, "txn"));

	begin(p);
	put(p, topic, 0, "k", "v");
	put(p, topic, 0, "k", "v");
	put(p, topic, 2, "k", "v");
	commit(p);
	WAIT_UNTIL(c, end_of(c, topic, 0) == 3 && end_of(c, topic, 2) == 2);
	assert_int_equal(end_of(c, topic, 1), 0);
	weir_producer_close(p);
}

void of_two_transactions_the_older_holds_readers_back(struct contract *c)
{
	const char *topic = fresh_topic(c, 1);
	weir_producer *older = producer_of(c, fresh(c, "txn")), *newer = producer_of(c, fresh(c, "txn"));

	begin(older);
	put(older, topic, 0, "k", "a");
	flush(older);
	begin(newer);
	put(newer, topic, 0, "k", "b");
	commit(newer);
	reader_at(c, &r, topic, 0, 0);
	reader_linger(&r);
	assert_int_equal(r.count, 0);
	abort_txn(older);
	reader_until(&r, 1);
	reader_linger(&r);
	assert_string_equal(reader_values(&r), "b");
	reader_close(&r);
	weir_producer_close(older);
	weir_producer_close(newer);
}

void init_aborts_what_a_predecessor_left_open(struct contract *c)
{
	const char *topic = fresh_topic(c, 1), *id = fresh(c, "txn");
	weir_producer *old = producer_of(c, id);

	begin(old);
	put(old, topic, 0, "k", "lost");
	flush(old);
	weir_producer *new = producer_of(c, id);

	begin(new);
	put(new, topic, 0, "k", "kept");
	commit(new);
	reader_at(c, &r, topic, 0, 0);
	reader_until(&r, 1);
	assert_string_equal(reader_values(&r), "kept");
	reader_close(&r);
	weir_producer_close(new);
	weir_producer_close(old);
}

void a_fenced_producer_cannot_commit(struct contract *c)
{
	const char *topic = fresh_topic(c, 1), *id = fresh(c, "txn");
	weir_producer *old = producer_of(c, id);
	weir_error err = { 0 };

	begin(old);
	put(old, topic, 0, "k", "lost");
	flush(old);
	weir_producer *new = producer_of(c, id);

	assert_false(weir_producer_commit(old, 30000, &err));
	assert_true(err.fatal);
	assert_false(weir_producer_begin(old, &err)); /* and that is how it stays */
	weir_producer_close(old);
	begin(new);
	commit(new);
	weir_producer_close(new);
}

void an_empty_transaction_commits_and_aborts(struct contract *c)
{
	weir_producer *p = producer_of(c, fresh(c, "txn"));

	begin(p);
	commit(p);
	begin(p);
	abort_txn(p);
	begin(p);
	commit(p);
	weir_producer_close(p);
}

void calls_out_of_order_are_refused(struct contract *c)
{
	const char *topic = fresh_topic(c, 1);
	weir_error err;
	weir_producer *p =
		weir_producer_open(c->cluster, (weir_producer_opts){ .transactional_id = fresh(c, "txn") }, &err);
	weir_produced record = { .topic = topic, .timestamp_ms = 1, .value = weir_str("v") };

	assert_done(p, err);
	assert_false(weir_producer_begin(p, &err));
	assert_done(weir_producer_init(p, 30000, &err), err);
	assert_false(weir_producer_commit(p, 1000, &err));
	assert_false(weir_producer_send(p, &record, &err));
	begin(p);
	assert_false(weir_producer_begin(p, &err));
	assert_done(weir_producer_send(p, &record, &err), err);
	commit(p);
	assert_false(weir_producer_send(p, &record, &err));
	weir_producer_close(p);
}

void a_refused_record_spoils_its_transaction_only(struct contract *c)
{
	const char *topic = fresh_topic(c, 1);
	weir_producer *p = producer_of(c, fresh(c, "txn"));
	weir_error err = { 0 };

	begin(p);
	put(p, topic, 0, "k", "a");
	flush(p);
	put_at(p, topic, 0, c->clock->wall_ms(c->clock) + WEIR_HOURS(5), "k", "b");
	assert_false(weir_producer_commit(p, 30000, &err));
	assert_true(err.abort_txn);
	assert_false(err.fatal);
	abort_txn(p);
	begin(p);
	put(p, topic, 0, "k", "c");
	commit(p);
	reader_at(c, &r, topic, 0, 0);
	reader_until(&r, 1);
	assert_string_equal(reader_values(&r), "c");
	reader_close(&r);
	weir_producer_close(p);
}

/* --- offsets in transactions ---------------------------------------------------------------------------------- */

static void send_offset(weir_producer *p, struct joiner *j, int64_t offset, const char *metadata)
{
	weir_partition at = { .topic = j->topic, .partition = 0, .offset = offset, .metadata = (char *)metadata };
	weir_error err;

	assert_done(weir_producer_send_offsets(p, j->consumer, &at, 1, 30000, &err), err);
}

static void join_alone(struct contract *c, struct joiner *j, const char *topic, const char *instance)
{
	joiner_open(c, j, (struct joiner_opts){ fresh(c, "group"), topic, .instance = instance });
	joiners_until(&j, (int[]){ 1 }, 1);
}

void offsets_are_committed_with_the_transaction_and_their_metadata(struct contract *c)
{
	const char *topic = fresh_topic(c, 2);
	weir_producer *p = producer_of(c, fresh(c, "txn"));
	struct joiner j;
	char metadata[64];
	weir_error err;

	put_numbers(c, topic, 0, 10);
	joiner_open(c, &j, (struct joiner_opts){ fresh(c, "group"), topic });
	joiners_until(&(struct joiner *){ &j }, (int[]){ 2 }, 1);
	assert_int_equal(committed_of(c, j.group, topic, 0, NULL, 0), WEIR_OFFSET_NONE);
	begin(p);
	weir_partition list[] = { { .topic = topic, .partition = 0, .offset = 7, .metadata = (char *)"AgAB==" },
				  { .topic = topic, .partition = 1, .offset = 0 } };

	assert_done(weir_producer_send_offsets(p, j.consumer, list, 2, 30000, &err), err);
	commit(p);
	assert_int_equal(committed_of(c, j.group, topic, 0, metadata, sizeof metadata), 7);
	assert_string_equal(metadata, "AgAB==");
	assert_int_equal(committed_of(c, j.group, topic, 1, metadata, sizeof metadata), 0);
	assert_string_equal(metadata, "");
	joiner_close(&j);
	weir_producer_close(p);
}

void offsets_of_an_aborted_transaction_are_not_committed(struct contract *c)
{
	const char *topic = fresh_topic(c, 1);
	weir_producer *p = producer_of(c, fresh(c, "txn"));
	struct joiner j;

	join_alone(c, &j, topic, NULL);
	put_numbers(c, topic, 0, 10);
	begin(p);
	send_offset(p, &j, 3, NULL);
	commit(p);
	begin(p);
	send_offset(p, &j, 8, NULL);
	abort_txn(p);
	assert_int_equal(committed_of(c, j.group, topic, 0, NULL, 0), 3);
	joiner_close(&j);
	weir_producer_close(p);
}

void offsets_of_an_open_transaction_hold_the_committed_one_back(struct contract *c)
{
	const char *topic = fresh_topic(c, 1);
	weir_producer *p = producer_of(c, fresh(c, "txn"));
	weir_partition at = { .topic = topic, .partition = 0 };
	struct joiner j;
	weir_error err = { 0 };

	join_alone(c, &j, topic, NULL);
	put_numbers(c, topic, 0, 10);
	begin(p);
	send_offset(p, &j, 4, NULL);
	assert_false(weir_group_committed(c->cluster, j.group, &at, 1, 500, &err));
	assert_int_equal(err.code, WEIR_TIMEOUT);
	assert_true(err.retriable);
	commit(p);
	assert_int_equal(committed_of(c, j.group, topic, 0, NULL, 0), 4);
	joiner_close(&j);
	weir_producer_close(p);
}

void offsets_of_a_fenced_member_make_the_transaction_abortable(struct contract *c)
{
	const char *topic = fresh_topic(c, 1), *instance = fresh(c, "instance");
	weir_producer *p = producer_of(c, fresh(c, "txn"));
	weir_partition at = { .topic = topic, .partition = 0, .offset = 5 };
	struct joiner j, successor;
	weir_error err = { 0 };

	join_alone(c, &j, topic, instance);
	put_numbers(c, topic, 0, 10);
	joiner_open(c, &successor, (struct joiner_opts){ j.group, topic, .instance = instance });
	joiners_until(&(struct joiner *){ &successor }, (int[]){ 1 }, 1);
	begin(p);
	put(p, topic, 0, "k", "zombie");
	assert_false(weir_producer_send_offsets(p, j.consumer, &at, 1, 30000, &err));
	assert_true(err.abort_txn);
	assert_false(err.fatal);
	assert_false(weir_producer_commit(p, 30000, &err));
	abort_txn(p);
	assert_int_equal(committed_of(c, j.group, topic, 0, NULL, 0), WEIR_OFFSET_NONE);
	begin(p);
	send_offset(p, &successor, 6, NULL); /* the producer itself is as good as before */
	commit(p);
	assert_int_equal(committed_of(c, j.group, topic, 0, NULL, 0), 6);
	joiner_close(&successor);
	joiner_close(&j);
	weir_producer_close(p);
}

void a_transaction_that_takes_too_long_is_aborted_and_its_producer_fenced(struct contract *c)
{
	const char *topic = fresh_topic(c, 1);
	weir_producer_opts opts = { .transactional_id = fresh(c, "txn"), .transaction_timeout_ms = 2000 };
	weir_producer *plain = producer_of(c, NULL);
	weir_error err = { 0 };
	weir_producer *p = weir_producer_open(c->cluster, opts, &err);

	assert_done(p, err);
	assert_done(weir_producer_init(p, 30000, &err), err);
	begin(p);
	put(p, topic, 0, "k", "late");
	flush(p);
	put(plain, topic, 0, "k", "plain");
	flush(plain);
	let_pass(c, 2001);
	reader_at(c, &r, topic, 0, 0);
	reader_until(&r, 1);
	assert_string_equal(reader_values(&r), "plain");
	assert_false(weir_producer_commit(p, 30000, &err));
	assert_true(err.fatal);
	reader_close(&r);
	weir_producer_close(p);
	weir_producer_close(plain);
}
