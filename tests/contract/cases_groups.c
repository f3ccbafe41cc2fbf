#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/contract/cases.h"

void a_lone_member_gets_all_partitions(struct contract *c)
{
	const char *topic = fresh_topic(c, 4);
	struct joiner j, *all[] = { &j };

	for (int32_t p = 0; p < 4; p++)
		put_numbers(c, topic, p, 25);
	joiner_open(c, &j, (struct joiner_opts){ fresh(c, "group"), topic });
	joiners_until(all, (int[]){ 4 }, 1);
	assert_false(weir_consumer_lost(j.consumer));
	for (struct patience w = patience(c); j.count < 100 && patience_left(&w, "records");)
		joiner_poll(&j);
	assert_int_equal(j.assigned, 1);
	joiner_close(&j);
	assert_int_equal(j.revoked, 1);
	assert_int_equal(joiner_owned(&j), 0);
}

void two_members_share_the_anchor_and_read_the_companion(struct contract *c)
{
	const char *anchor = fresh_topic(c, 4), *companion = fresh_topic(c, 4);
	struct joiner a, b, *both[] = { &a, &b };
	struct joiner_opts opts = { fresh(c, "group"), anchor, companion };

	joiner_open(c, &a, opts);
	joiner_open(c, &b, opts);
	joiners_until(both, (int[]){ 2, 2 }, 2);
	assert_one_owner(both, 2, 4);
	for (int32_t p = 0; p < 4; p++) {
		put_numbers(c, anchor, p, 10);
		put_numbers(c, companion, p, 20);
	}
	for (struct patience w = patience(c); a.count + b.count < 120 && patience_left(&w, "records");) {
		joiner_poll(&a);
		joiner_poll(&b);
	}
	assert_int_equal(a.per_topic[0], 20);
	assert_int_equal(a.per_topic[1], 40);
	assert_int_equal(b.per_topic[0], 20);
	assert_int_equal(b.per_topic[1], 40);
	joiner_close(&a);
	joiner_close(&b);
}

static size_t counted(struct joiner **list, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += list[i]->count;
	return count;
}

/* Each commits what it has read when it gives a partition up: nobody may read a record again or miss one. */
void a_third_member_comes_and_goes_without_loss(struct contract *c)
{
	const char *anchor = fresh_topic(c, 6), *companion = fresh_topic(c, 6);
	struct joiner a, b, d, *all[] = { &a, &b, &d };
	struct joiner_opts opts = { fresh(c, "group"), anchor, companion };
	weir_producer *committers[3];
	struct joiner *list[] = { &a, &b, &d };

	for (int i = 0; i < 3; i++)
		committers[i] = producer_of(c, fresh(c, "txn"));
	for (int32_t p = 0; p < 6; p++) {
		put_numbers(c, anchor, p, 50);
		put_numbers(c, companion, p, 50);
	}
	for (int i = 0; i < 2; i++) {
		opts.committer = committers[i];
		joiner_open(c, list[i], opts);
	}
	joiners_until(all, (int[]){ 3, 3 }, 2);
	opts.committer = committers[2];
	joiner_open(c, &d, opts);
	joiners_until(all, (int[]){ 2, 2, 2 }, 3);
	assert_one_owner(all, 3, 6);
	for (int32_t p = 0; p < 6; p++)
		put_numbers(c, anchor, p, 50);
	for (struct patience w = patience(c); counted(all, 3) < 900 && patience_left(&w, "records");)
		for (int i = 0; i < 3; i++)
			joiner_poll(all[i]);
	joiner_close(&d);
	joiners_until(all, (int[]){ 3, 3 }, 2);
	assert_one_owner(all, 2, 6);
	for (int i = 0; i < 40; i++) {
		joiner_poll(&a);
		joiner_poll(&b);
	}
	assert_int_equal(counted(all, 3), 900);
	assert_int_equal(a.lost + b.lost + d.lost, 0);
	joiner_close(&a);
	joiner_close(&b);
	for (int i = 0; i < 3; i++)
		weir_producer_close(committers[i]);
}

void close_gives_the_partitions_to_those_who_stay(struct contract *c)
{
	const char *topic = fresh_topic(c, 3);
	struct joiner a, b, *both[] = { &a, &b };
	struct joiner_opts opts = { fresh(c, "group"), topic };

	joiner_open(c, &a, opts);
	joiners_until(both, (int[]){ 3 }, 1);
	joiner_open(c, &b, opts);
	for (struct patience w = patience(c); joiner_owned(&a) + joiner_owned(&b) < 3 || joiner_owned(&b) == 0;) {
		joiner_poll(&a);
		joiner_poll(&b);
		patience_left(&w, "assignment");
	}
	assert_int_equal(a.lost + b.lost, 0);
	joiner_close(&a);
	joiners_until(&both[1], (int[]){ 3 }, 1);
	joiner_close(&b);
}

/* --- static members ------------------------------------------------------------------------------------------- */

void a_static_member_comes_back_unnoticed(struct contract *c)
{
	const char *topic = fresh_topic(c, 4), *group = fresh(c, "group");
	struct joiner_opts opts[2] = {
		{ group, topic, .instance = fresh(c, "instance"), .session_timeout_ms = 20000 },
		{ group, topic, .instance = fresh(c, "instance"), .session_timeout_ms = 20000 }
	};
	struct joiner a, b, *both[] = { &a, &b };
	bool owned[PARTITIONS_MAX];

	joiner_open(c, &a, opts[0]);
	joiner_open(c, &b, opts[1]);
	joiners_until(both, (int[]){ 2, 2 }, 2);
	for (int i = 0; i < 5; i++)
		assert_true(joiner_poll(&a) && joiner_poll(&b));
	int events = a.assigned + a.revoked;

	memcpy(owned, b.owns, sizeof owned);
	joiner_close(&b);
	for (int i = 0; i < 10; i++)
		joiner_poll(&a);
	assert_int_equal(joiner_owned(&a), 2);
	joiner_open(c, &b, opts[1]);
	joiners_until(both, (int[]){ 2, 2 }, 2);
	assert_memory_equal(owned, b.owns, sizeof owned);
	assert_int_equal(a.assigned + a.revoked, events);
	assert_int_equal(a.lost, 0);
	joiner_close(&a);
	joiner_close(&b);
}

void a_static_member_is_fenced_by_its_successor(struct contract *c)
{
	const char *topic = fresh_topic(c, 2);
	struct joiner_opts opts = { fresh(c, "group"), topic, .instance = fresh(c, "instance") };
	struct joiner old, new, *list[] = { &old, &new };

	joiner_open(c, &old, opts);
	joiners_until(list, (int[]){ 2 }, 1);
	joiner_open(c, &new, opts);
	for (struct patience w = patience(c); !(old.fenced && joiner_owned(&new) == 2);) {
		if (!old.fenced)
			joiner_poll(&old);
		joiner_poll(&new);
		patience_left(&w, "fencing");
	}
	assert_true(weir_consumer_lost(old.consumer));
	assert_false(weir_consumer_lost(new.consumer));
	joiner_close(&old);
	joiner_poll(&new);
	assert_int_equal(joiner_owned(&new), 2);
	joiner_close(&new);
}

struct between_rounds {
	struct contract *c;
	struct joiner_opts opts;
	struct joiner old, back, other;
};

/* As if its process had been killed here, and begun again at once. */
static void come_back(void *user)
{
	struct between_rounds *t = user;

	joiner_open(t->c, &t->back, t->opts);
	for (struct patience w = patience(t->c); !joiner_owned(&t->back) && patience_left(&w, "first share");) {
		joiner_poll(&t->back);
		joiner_poll(&t->other);
	}
}

/*
 * It has given up half of its partitions, but nobody hears that from it: the group takes its successor for the
 * member that it was, and sees no reason for the round in which the other would get them.
 */
void a_static_member_back_between_two_rounds_leaves_nothing_ownerless(struct contract *c)
{
	const char *topic = fresh_topic(c, 4), *group = fresh(c, "group");
	static struct between_rounds t;
	struct joiner *both[] = { &t.back, &t.other };

	t = (struct between_rounds){ c, .opts = { group, topic, .instance = fresh(c, "instance"),
						  .session_timeout_ms = 6000 } };
	joiner_open(c, &t.old, t.opts);
	joiners_until((struct joiner *[]){ &t.old }, (int[]){ 4 }, 1);
	t.old.while_revoked = come_back;
	t.old.user = &t;
	joiner_open(
		c, &t.other,
		(struct joiner_opts){ group, topic, .instance = fresh(c, "instance"), .session_timeout_ms = 6000 });
	for (struct patience w = patience(c); !t.old.fenced && patience_left(&w, "fencing");)
		if (joiner_poll(&t.old) && !t.back.consumer)
			joiner_poll(&t.other);
	joiner_close(&t.old);
	for (struct patience w = patience(c); joiner_owned(&t.back) + joiner_owned(&t.other) < 4;) {
		assert_true(joiner_poll(&t.back) && joiner_poll(&t.other));
		patience_left(&w, "an owner of each partition");
		let_pass(c, 10);
	}
	joiners_until(both, (int[]){ 2, 2 }, 2);
	assert_one_owner(both, 2, 4);
	assert_int_equal(t.back.lost + t.other.lost, 0);
	joiner_close(&t.back);
	joiner_close(&t.other);
}

/* --- membership lost ------------------------------------------------------------------------------------------ */

void a_member_that_does_not_poll_loses_its_membership(struct contract *c)
{
	const char *topic = fresh_topic(c, 2);
	struct joiner_opts opts = { fresh(c, "group"), topic, .session_timeout_ms = 6000 };
	weir_producer *p = producer_of(c, fresh(c, "txn"));
	weir_partition at = { .topic = topic, .partition = 0, .offset = 1 };
	struct joiner j, *list[] = { &j };
	weir_error err = { 0 };

	put_numbers(c, topic, 0, 5);
	joiner_open(c, &j, opts);
	joiners_until(list, (int[]){ 2 }, 1);
	assert_false(weir_consumer_lost(j.consumer));
	let_pass(c, 6000);
	WAIT_UNTIL(c, weir_consumer_lost(j.consumer));
	begin(p);
	put(p, topic, 1, "k", "zombie");
	assert_false(weir_producer_send_offsets(p, j.consumer, &at, 1, 30000, &err));
	assert_true(err.abort_txn);
	assert_false(err.fatal);
	abort_txn(p);
	for (struct patience w = patience(c); !(j.lost && joiner_owned(&j) == 2) && patience_left(&w, "rejoining");)
		joiner_poll(&j);
	assert_int_equal(j.lost, 1);
	assert_int_equal(j.revoked, 0);
	assert_false(weir_consumer_lost(j.consumer));
	begin(p);
	assert_done(weir_producer_send_offsets(p, j.consumer, &at, 1, 30000, &err), err);
	commit(p);
	assert_int_equal(committed_of(c, j.group, topic, 0, NULL, 0), 1);
	joiner_close(&j);
	weir_producer_close(p);
}

/* --- administration ------------------------------------------------------------------------------------------- */

struct listed {
	const char *topic;
	int members[3], owners[4]; /* by client id web-1, web-2; by partition */
	char ids[2][128];
	int rows;
};

static void note_member(const char *client_id, const char *member_id, const char *topic, int32_t partition,
			void *user)
{
	struct listed *l = user;
	int i = !strcmp(client_id, "web-1:80") ? 0 : !strcmp(client_id, "web-2:80") ? 1 : 2;

	l->rows++;
	l->members[i]++;
	assert_true(strlen(member_id) > 0);
	if (i < 2)
		snprintf(l->ids[i], sizeof l->ids[i], "%s", member_id);
	if (partition >= 0) {
		assert_string_equal(topic, l->topic);
		assert_in_range(partition, 0, 3);
		l->owners[partition]++;
	}
}

static void assign_all(weir_consumer *consumer, weir_group_event event, const weir_partition *list, size_t n,
		       void *user)
{
	int *owned = user;

	(void)consumer;
	(void)list;
	*owned += event == WEIR_GROUP_ASSIGNED ? (int)n : -(int)n;
}

static bool ignore(const weir_kafka_record *record, void *user)
{
	(void)record;
	(void)user;
	return true;
}

/* As an application does that is started again with one input more. */
void what_a_static_member_wants_newly_it_gets(struct contract *c)
{
	const char *topics[] = { fresh_topic(c, 2), fresh_topic(c, 3) }, *group = fresh(c, "group");
	const char *instance = fresh(c, "instance");

	for (size_t n = 1; n <= 2; n++) {
		int owned = 0;
		weir_error err;
		weir_consumer_opts opts = { .group = group,
					    .group_instance_id = instance,
					    .session_timeout_ms = 6000,
					    .on_group = assign_all,
					    .user = &owned };
		weir_consumer *consumer = weir_consumer_open(c->cluster, opts, &err);

		assert_done(consumer, err);
		assert_done(weir_consumer_subscribe(consumer, topics, n, &err), err);
		for (struct patience w = patience(c);
		     owned < (n == 1 ? 2 : 5) && patience_left(&w, "all partitions");) {
			assert_done(weir_consumer_poll(consumer, 20, ignore, NULL, &err), err);
			let_pass(c, 10);
		}
		weir_consumer_close(consumer);
	}
}

/* Reads `first` of what it has, and in the next round `second` as well, of which the group knows nothing. */
struct changing { /* user pointers are other ones in the second round */
	const char *first, *second;
	int rounds, first_records, second_records;
	bool again;
};

static void change(weir_consumer *consumer, weir_group_event event, const weir_partition *list, size_t n,
		   void *user)
{
	struct changing *ch = user;
	weir_error err;

	if (event != WEIR_GROUP_ASSIGNED) {
		if (ch->again)
			assert_done(
				weir_consumer_unassign(consumer, &(weir_partition){ .topic = ch->second }, 1, &err),
				err);
		assert_done(weir_consumer_unassign(consumer, list, n, &err), err);
		return;
	}
	if (ch->rounds++ == 0) {
		weir_partition p = { .topic = ch->first,
				     .offset = WEIR_OFFSET_BEGINNING,
				     .user = &ch->second_records };

		assert_int_equal(n, 1);
		assert_done(weir_consumer_assign(consumer, &p, 1, &err), err);
		return;
	}
	assert_int_equal(n, 0);
	if (ch->again)
		return;
	ch->again = true;
	weir_partition both[] = {
		{ .topic = ch->first, .offset = 5, .user = &ch->first_records },
		{ .topic = ch->second, .offset = WEIR_OFFSET_BEGINNING, .user = &ch->second_records },
	};

	assert_done(weir_consumer_unassign(consumer, both, 1, &err), err);
	assert_done(weir_consumer_assign(consumer, both, 2, &err), err);
	assert_done(weir_consumer_pause(consumer, both, 2, &err), err);
}

static bool count_by_user(const weir_kafka_record *record, void *user)
{
	(void)user;
	++*(int *)record->user;
	return true;
}

void a_member_asks_for_a_round_and_changes_in_it_what_it_reads(struct contract *c)
{
	struct changing ch = { .first = fresh_topic(c, 1), .second = fresh_topic(c, 1) };
	const char *subscribed[] = { ch.first };
	weir_error err;
	weir_consumer_opts opts = { .group = fresh(c, "group"), .on_group = change, .user = &ch };

	put_numbers(c, ch.first, 0, 10);
	put_numbers(c, ch.second, 0, 7);
	weir_consumer *consumer = weir_consumer_open(c->cluster, opts, &err);

	assert_done(consumer, err);
	assert_done(weir_consumer_subscribe(consumer, subscribed, 1, &err), err);
	for (struct patience w = patience(c); ch.second_records < 10 && patience_left(&w, "the first topic");) {
		assert_done(weir_consumer_poll(consumer, 20, count_by_user, NULL, &err), err);
		let_pass(c, 10);
	}
	assert_int_equal(ch.rounds, 1);
	ch.second_records = 0;
	assert_done(weir_consumer_rejoin(consumer, &err), err);
	for (struct patience w = patience(c); ch.rounds < 2 && patience_left(&w, "another round");) {
		assert_done(weir_consumer_poll(consumer, 20, count_by_user, NULL, &err), err);
		let_pass(c, 10);
	}
	assert_int_equal(ch.first_records + ch.second_records, 0); /* paused */
	weir_partition both[] = { { .topic = ch.first, .offset = 6 }, { .topic = ch.second, .offset = 0 } };

	assert_done(weir_consumer_seek(consumer, both, 2, &err), err);
	assert_done(weir_consumer_resume(consumer, both, 2, &err), err);
	for (struct patience w = patience(c);
	     (ch.first_records < 4 || ch.second_records < 7) && patience_left(&w, "both topics");) {
		assert_done(weir_consumer_poll(consumer, 20, count_by_user, NULL, &err), err);
		let_pass(c, 10);
	}
	assert_int_equal(ch.first_records, 4);
	assert_int_equal(ch.second_records, 7);
	weir_consumer_close(consumer);
}

void partitions_added_to_a_topic_are_read_and_assigned(struct contract *c)
{
	const char *topic = fresh_topic(c, 2), *group = fresh(c, "group");
	int owned = 0;
	weir_error err;
	weir_consumer_opts opts = { .group = group, .on_group = assign_all, .user = &owned };
	weir_consumer *consumer = weir_consumer_open(c->cluster, opts, &err);

	assert_done(consumer, err);
	assert_done(weir_consumer_subscribe(consumer, &topic, 1, &err), err);
	for (struct patience w = patience(c); owned < 2 && patience_left(&w, "two partitions");) {
		assert_done(weir_consumer_poll(consumer, 20, ignore, NULL, &err), err);
		let_pass(c, 10);
	}
	assert_done(weir_topic_widen(c->cluster, topic, 5, &err), err);
	assert_int_equal(weir_topic_partitions(c->cluster, topic, &err), 5);
	assert_done(weir_topic_widen(c->cluster, topic, 4, &err), err); /* has more already */
	assert_int_equal(weir_topic_partitions(c->cluster, topic, &err), 5);
	assert_false(weir_topic_widen(c->cluster, fresh(c, "nowhere"), 4, &err));
	put_numbers(c, topic, 4, 3);
	assert_int_equal(end_of(c, topic, 4), 3);
	assert_done(weir_consumer_rejoin(consumer, &err), err);
	for (struct patience w = patience(c); owned < 5 && patience_left(&w, "five partitions");) {
		assert_done(weir_consumer_poll(consumer, 20, ignore, NULL, &err), err);
		let_pass(c, 10);
	}
	weir_consumer_close(consumer);
}

void a_group_can_be_described(struct contract *c)
{
	const char *topic = fresh_topic(c, 4), *group = fresh(c, "group");
	const char *ids[] = { "web-1:80", "web-2:80" };
	struct listed listed = { topic, { 0 }, { 0 }, { "", "" }, 0 };
	weir_consumer *consumers[2];
	int owned[2] = { 0 };
	weir_error err;

	assert_done(weir_group_describe(c->cluster, group, note_member, &listed, 10000, &err), err);
	assert_int_equal(listed.rows, 0);
	for (int i = 0; i < 2; i++) {
		weir_consumer_opts opts = {
			.group = group, .client_id = ids[i], .on_group = assign_all, .user = &owned[i]
		};

		consumers[i] = weir_consumer_open(c->cluster, opts, &err);
		assert_done(consumers[i], err);
		assert_done(weir_consumer_subscribe(consumers[i], &topic, 1, &err), err);
	}
	for (struct patience w = patience(c); !(owned[0] == 2 && owned[1] == 2) && patience_left(&w, "assignment");)
		for (int i = 0; i < 2; i++)
			assert_done(weir_consumer_poll(consumers[i], 20, ignore, NULL, &err), err);
	assert_done(weir_group_describe(c->cluster, group, note_member, &listed, 10000, &err), err);
	assert_int_equal(listed.members[0], 2);
	assert_int_equal(listed.members[1], 2);
	assert_int_equal(listed.members[2], 0);
	assert_string_not_equal(listed.ids[0], listed.ids[1]);
	for (int i = 0; i < 4; i++)
		assert_int_equal(listed.owners[i], 1);
	weir_consumer_close(consumers[0]);
	weir_consumer_close(consumers[1]);
}

/*
 * A member that has stopped reading a partition is sought while an event waits to be served: what must be done for
 * the seek must not pass for its answer to the event, by which another would get what it still has.
 */
void a_seek_from_outside_the_log_does_not_answer_an_event(struct contract *c)
{
	const char *topic = fresh_topic(c, 2), *group = fresh(c, "group");
	weir_partition outside[] = { { .topic = topic, .partition = 0, .offset = 100 },
				     { .topic = topic, .partition = 1, .offset = 100 } };
	struct joiner a, b, *both[] = { &a, &b };
	weir_error err;

	put_numbers(c, topic, 0, 10);
	put_numbers(c, topic, 1, 10);
	assert_done(weir_group_alter(c->cluster, group, outside, 2, &err), err);
	joiner_open(c, &a, (struct joiner_opts){ group, topic });
	joiners_until(both, (int[]){ 2 }, 1);
	for (int i = 0; i < 100; i++) { /* until it has heard that there is nothing */
		joiner_poll(&a);
		let_pass(c, 1);
	}
	joiner_open(c, &b, (struct joiner_opts){ group, topic });
	for (int i = 0; i < 100; i++) {
		joiner_poll(&b);
		let_pass(c, 10);
	}
	for (int p = 0; p < 2; p++) {
		outside[p].offset = a.next[0][p] = 5;
		assert_done(weir_consumer_seek(a.consumer, &outside[p], 1, &err), err);
	}
	for (int i = 0; i < 100; i++) {
		joiner_poll(&b);
		let_pass(c, 10);
	}
	assert_int_equal(joiner_owned(&b), 0);
	joiners_until(both, (int[]){ 1, 1 }, 2);
	assert_one_owner(both, 2, 2);
	for (struct patience w = patience(c); a.count < 5 && patience_left(&w, "records behind the seek");) {
		joiner_poll(&a);
		joiner_poll(&b);
		let_pass(c, 10);
	}
	assert_int_equal(a.count, 5);
	assert_int_equal(a.lost + b.lost, 0);
	joiner_close(&a);
	joiner_close(&b);
}

/* Rows of one other member; the lists come one after the other, without a word between. */
struct heard {
	int rows, of_second;
};

static void hear(const char *client_id, const char *member_id, const char *topic, int32_t partition, void *user)
{
	struct heard *h = user;

	(void)topic, (void)partition;
	assert_true(strlen(member_id) > 0);
	h->rows++;
	h->of_second += !strcmp(client_id, "second");
}

void members_are_told_of_after_each_event(struct contract *c)
{
	const char *topic = fresh_topic(c, 1), *group = fresh(c, "group");
	struct heard heard[2] = { { 0 }, { 0 } };
	weir_consumer *consumers[2];
	weir_error err;

	for (int i = 0; i < 2; i++) {
		weir_consumer_opts opts = {
			.group = group, .client_id = i ? "second" : "first", .on_member = hear, .user = &heard[i]
		};

		consumers[i] = weir_consumer_open(c->cluster, opts, &err);
		assert_done(consumers[i], err);
		assert_done(weir_consumer_subscribe(consumers[i], &topic, 1, &err), err);
		for (struct patience w = patience(c); !heard[i].rows && patience_left(&w, "a list of members");)
			for (int k = 0; k <= i; k++)
				assert_done(weir_consumer_poll(consumers[k], 20, ignore, NULL, &err), err);
	}
	/* the one partition stays where it is */
	for (struct patience w = patience(c); !heard[0].of_second && patience_left(&w, "the other member");)
		for (int k = 0; k < 2; k++)
			assert_done(weir_consumer_poll(consumers[k], 20, ignore, NULL, &err), err);
	assert_true(heard[1].of_second > 0);
	int rows = heard[0].rows;

	for (int i = 0; i < 40; i++) /* nothing happens, so nothing is told */
		for (int k = 0; k < 2; k++)
			assert_done(weir_consumer_poll(consumers[k], 5, ignore, NULL, &err), err);
	assert_in_range(heard[0].rows, rows, rows + 4); /* of what was on its way */
	weir_consumer_close(consumers[1]);
	weir_consumer_close(consumers[0]);
}

void a_static_member_can_leave_for_good(struct contract *c)
{
	const char *topic = fresh_topic(c, 4), *group = fresh(c, "group");
	struct joiner_opts opts = { group, topic, .instance = fresh(c, "instance"), .session_timeout_ms = 600000 };
	struct listed listed = { topic, { 0 }, { 0 }, { "", "" }, 0 };
	struct joiner a, b, *both[] = { &a, &b };
	weir_error err;

	joiner_open(c, &a, opts);
	joiner_open(c, &b, (struct joiner_opts){ group, topic });
	joiners_until(both, (int[]){ 2, 2 }, 2);
	int revoked = a.revoked;

	weir_consumer_leave(a.consumer);
	joiner_close(&a);
	assert_int_equal(joiner_owned(&a), 0);
	assert_int_equal(a.revoked, revoked + 1);
	joiners_until(&both[1], (int[]){ 4 }, 1); /* long before its session would be over */
	assert_done(weir_group_describe(c->cluster, group, note_member, &listed, 10000, &err), err);
	assert_int_equal(listed.rows, 4);
	joiner_open(c, &a, opts);
	joiners_until(both, (int[]){ 2, 2 }, 2);
	assert_int_equal(a.lost + b.lost, 0);
	weir_consumer_leave(a.consumer);
	joiner_close(&a);
	joiner_close(&b);
}

void committed_offsets_can_be_set_and_deleted(struct contract *c)
{
	const char *topic = fresh_topic(c, 2), *group = fresh(c, "group");
	weir_partition list[] = { { .topic = topic, .partition = 0, .offset = 3, .metadata = (char *)"note" },
				  { .topic = topic, .partition = 1, .offset = 4 } };
	char metadata[32];
	weir_error err;

	put_numbers(c, topic, 0, 5);
	put_numbers(c, topic, 1, 5);
	assert_int_equal(committed_of(c, group, topic, 0, NULL, 0), WEIR_OFFSET_NONE);
	assert_done(weir_group_delete(c->cluster, group, &err), err);
	assert_done(weir_group_alter(c->cluster, group, list, 2, &err), err);
	assert_int_equal(committed_of(c, group, topic, 0, metadata, sizeof metadata), 3);
	assert_string_equal(metadata, "note");
	assert_int_equal(committed_of(c, group, topic, 1, NULL, 0), 4);
	list[0].offset = 1;
	assert_done(weir_group_alter(c->cluster, group, list, 1, &err), err);
	assert_int_equal(committed_of(c, group, topic, 0, NULL, 0), 1);
	assert_int_equal(committed_of(c, group, topic, 1, NULL, 0), 4);
	assert_done(weir_group_delete(c->cluster, group, &err), err);
	assert_int_equal(committed_of(c, group, topic, 0, NULL, 0), WEIR_OFFSET_NONE);
}

void a_group_with_members_is_not_altered(struct contract *c)
{
	const char *topic = fresh_topic(c, 1);
	weir_partition at = { .topic = topic, .partition = 0, .offset = 3 };
	struct joiner j, *list[] = { &j };
	weir_error err = { 0 };

	put_numbers(c, topic, 0, 5);
	joiner_open(c, &j, (struct joiner_opts){ fresh(c, "group"), topic });
	joiners_until(list, (int[]){ 1 }, 1);
	assert_false(weir_group_alter(c->cluster, j.group, &at, 1, &err));
	assert_false(weir_group_delete(c->cluster, j.group, &err));
	assert_int_equal(committed_of(c, j.group, topic, 0, NULL, 0), WEIR_OFFSET_NONE);
	joiner_close(&j);
	assert_done(weir_group_alter(c->cluster, j.group, &at, 1, &err), err);
}
