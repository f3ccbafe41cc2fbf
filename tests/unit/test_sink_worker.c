/* The sink worker between the embedded cluster and a system in memory that fails in all the ways that one can. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>
#include <weir/external_sink.h>

/* The topics and the group have names of their own for each test, since a real cluster outlasts it. */
static char topic_name[64], letters_name[64], group_name[64];

#define PARTITIONS 4
#define IDS_MAX 20000
#define PATIENCE_MS 30000

static weir_cluster *cluster;
static weir_config *cfg;
static weir_producer *producer;

/* --- the system outside --------------------------------------------------------------------------------------- */

/* What several sinks share, as a database is shared. */
static struct {
	pthread_mutex_t lock;
	char cluster_id[100];
	int64_t epochs[PARTITIONS];
	/* the tests look at these while workers run */
	_Atomic int64_t next[PARTITIONS];
	_Atomic int counts[IDS_MAX]; /* how often each id was written */
	_Atomic int64_t written;
	_Atomic int calls, opens, owns, backwards;
	/* faults */
	_Atomic bool away, refuse_for_good;
	_Atomic int fail_every, unknown_every, fence_every; /* 0 = never */
} outside = { .lock = PTHREAD_MUTEX_INITIALIZER };

struct sink {
	int64_t epochs[PARTITIONS];
	bool owned[PARTITIONS];
	bool open, closed;
};

static bool sink_open(void *self, weir_error *err)
{
	struct sink *s = self;

	pthread_mutex_lock(&outside.lock);
	outside.opens++;
	s->open = !outside.away;
	pthread_mutex_unlock(&outside.lock);
	if (s->open)
		return true;
	weir_fail(err, WEIR_SINK, "away");
	err->fatal = outside.refuse_for_good;
	return false;
}

static bool sink_own(void *self, const char *cluster_id, const char *topic, int32_t partition, int64_t *next,
		     weir_error *err)
{
	struct sink *s = self;

	assert_string_equal(topic, topic_name);
	assert_true(s->open);
	pthread_mutex_lock(&outside.lock);
	bool away = outside.away;
	if (!away) {
		outside.owns++;
		s->epochs[partition] = ++outside.epochs[partition];
		s->owned[partition] = true;
		*next = outside.next[partition];
		snprintf(outside.cluster_id, sizeof outside.cluster_id, "%s", cluster_id);
	}
	pthread_mutex_unlock(&outside.lock);
	return !away || weir_fail(err, WEIR_SINK, "away");
}

static bool sink_position(void *self, const char *cluster_id, const char *topic, int32_t partition, int64_t *next,
			  weir_error *err)
{
	struct sink *s = self;

	(void)cluster_id;
	assert_string_equal(topic, topic_name);
	assert_true(s->open && !s->owned[partition]);
	*next = outside.next[partition];
	return !outside.away || weir_fail(err, WEIR_SINK, "away");
}

static bool due(int every)
{
	return every && outside.calls % every == 0;
}

static void apply(int32_t partition, const weir_kafka_record *records, size_t n, int64_t next_offset)
{
	for (size_t i = 0; i < n; i++) {
		int id = atoi(records[i].value.data);

		assert_in_range(id, 0, IDS_MAX - 1);
		outside.counts[id]++;
		outside.written++;
	}
	outside.backwards += next_offset < outside.next[partition];
	outside.next[partition] = next_offset;
}

/* Values that begin with "bad" can never be written. */
static size_t reject_bad(const weir_kafka_record *records, size_t n,
			 void (*reject)(void *user, size_t index, const char *reason), void *user)
{
	size_t bad = 0;

	for (size_t i = 0; i < n; i++) {
		if (records[i].value.len < 3 || memcmp(records[i].value.data, "bad", 3) != 0)
			continue;
		reject(user, i, "it is bad");
		bad++;
	}
	return bad;
}

static bool sink_write(void *self, const char *topic, int32_t partition, const weir_kafka_record *records, size_t n,
		       int64_t next_offset, void (*reject)(void *user, size_t index, const char *reason),
		       void *user, weir_error *err)
{
	struct sink *s = self;
	bool ok = false;

	assert_string_equal(topic, topic_name);
	assert_true(s->open && s->owned[partition]);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(records[i].partition, partition);
		assert_true(records[i].offset < next_offset && (!i || records[i].offset > records[i - 1].offset));
	}
	if (reject_bad(records, n, reject, user))
		return weir_fail(err, WEIR_USER, "bad records");
	pthread_mutex_lock(&outside.lock);
	outside.calls++;
	if (due(outside.fence_every))
		outside.epochs[partition]++; /* a rival */
	if (outside.away || due(outside.fail_every)) {
		weir_fail(err, WEIR_SINK, "broken off");
	} else if (s->epochs[partition] != outside.epochs[partition]) {
		weir_fail(err, WEIR_FENCED, "fenced");
	} else {
		apply(partition, records, n, next_offset);
		ok = !due(outside.unknown_every) || weir_fail(err, WEIR_SINK, "no answer to the commit");
	}
	pthread_mutex_unlock(&outside.lock);
	return ok;
}

static void sink_disown(void *self, const char *topic, int32_t partition)
{
	struct sink *s = self;

	assert_string_equal(topic, topic_name);
	assert_true(s->owned[partition]);
	s->owned[partition] = false;
}

static bool sink_idle(void *self, weir_error *err)
{
	(void)self;
	return !outside.away || weir_fail(err, WEIR_SINK, "away");
}

static void sink_close(void *self)
{
	struct sink *s = self;

	for (int i = 0; i < PARTITIONS; i++)
		assert_false(s->owned[i]);
	s->closed = true;
}

static const weir_external_sink ops = {
	.name = "memory",
	.open = sink_open,
	.own = sink_own,
	.position = sink_position,
	.write = sink_write,
	.disown = sink_disown,
	.idle = sink_idle,
	.close = sink_close,
};

/* --- short hands ---------------------------------------------------------------------------------------------- */

static void must(bool ok, const weir_error *err)
{
	if (!ok)
		fail_msg("%s", err->message);
}

static weir_sink_worker *start_with(struct sink *s, weir_sink_worker_opts opts)
{
	weir_error err = { 0 };

	*s = (struct sink){ 0 };
	opts.sink = &ops;
	opts.self = s;
	opts.topic = topic_name;
	opts.group = group_name;
	opts.dead_letter_topic = letters_name;
	opts.batch_records_max = 100;
	opts.idle_interval_ms = 50;
	weir_sink_worker *w = weir_sink_worker_start(cluster, cfg, opts, &err);
	must(w, &err);
	return w;
}

static weir_sink_worker *start_as(struct sink *s, const char *instance)
{
	return start_with(s, (weir_sink_worker_opts){ .group_instance_id = instance });
}

static weir_sink_worker *start(struct sink *s)
{
	return start_as(s, NULL);
}

static void stop(weir_sink_worker *w, const struct sink *s)
{
	weir_sink_worker_stop(w);
	assert_true(s->closed);
}

static void put_at(int32_t partition, const char *value, int64_t timestamp_ms)
{
	static const weir_header theirs = { "trace", { "abc", 3 } };
	weir_error err = { 0 };

	must(weir_producer_send(producer,
				&(weir_produced){ .topic = topic_name,
						  .partition = partition,
						  .timestamp_ms = timestamp_ms,
						  .key = weir_str("key"),
						  .value = weir_str(value),
						  .headers = &(weir_headers){ &theirs, 1 } },
				&err),
	     &err);
}

static void put(int32_t partition, const char *value)
{
	put_at(partition, value, 1234);
}

static void put_ids(int from, int to)
{
	weir_error err = { 0 };
	char value[16];

	for (int id = from; id < to; id++) {
		snprintf(value, sizeof value, "%d", id);
		put(id % PARTITIONS, value);
	}
	must(weir_producer_flush(producer, 10000, &err), &err);
}

static int64_t now_ms(void)
{
	return weir_clock_system()->monotonic_us(weir_clock_system()) / 1000;
}

#define WAIT_UNTIL(cond) \
	for (int64_t end_ = now_ms() + PATIENCE_MS; !(cond); usleep(1000)) \
		if (now_ms() > end_) \
	fail_msg("waited in vain for " #cond)

static int64_t written(void)
{
	return outside.written;
}

static void set_away(bool away)
{
	outside.away = away;
}

static weir_sink_status status_of(weir_sink_worker *w)
{
	weir_sink_status status;

	weir_sink_worker_status(w, &status);
	return status;
}

static void assert_each_written_once(int from, int to)
{
	for (int id = from; id < to; id++)
		if (outside.counts[id] != 1)
			fail_msg("id %d was written %d times", id, outside.counts[id]);
}

/* --- tests ---------------------------------------------------------------------------------------------------- */

static void what_lies_in_the_topic_is_written_once(void **state)
{
	weir_error err = { 0 };
	struct sink s;

	(void)state;
	put_ids(0, 5000);
	weir_sink_worker *w = start(&s);
	WAIT_UNTIL(weir_sink_worker_caught_up(w));
	assert_int_equal(written(), 5000);
	put_ids(5000, 6000);
	WAIT_UNTIL(written() == 6000);
	assert_each_written_once(0, 6000);
	weir_sink_status status = status_of(w);
	assert_true(status.connected && !status.stopped);
	assert_int_equal(status.partitions, PARTITIONS);
	assert_int_equal(status.records, 6000);
	assert_int_equal(status.rejected, 0);
	assert_true(status.version >= 4);
	assert_int_equal(status.error.code, WEIR_OK);
	WAIT_UNTIL(status_of(w).lag == 0);
	assert_string_equal(outside.cluster_id, weir_cluster_id(cluster, &err));
	stop(w, &s);
	w = start(&s); /* goes on from where the sink stands */
	put_ids(6000, 6100);
	WAIT_UNTIL(written() == 6100);
	assert_each_written_once(0, 6100);
	stop(w, &s);
}

static void faults_neither_lose_nor_double_anything(void **state)
{
	struct sink s;

	(void)state;
	outside.fail_every = 7;
	outside.unknown_every = 11;
	outside.fence_every = 13;
	weir_sink_worker *w = start(&s);
	for (int i = 0; i < 15; i++) {
		put_ids(i * 600, (i + 1) * 600);
		usleep(20000);
	}
	WAIT_UNTIL(written() >= 9000);
	outside.fail_every = outside.unknown_every = outside.fence_every = 0;
	WAIT_UNTIL(weir_sink_worker_caught_up(w));
	assert_int_equal(written(), 9000);
	assert_each_written_once(0, 9000);
	assert_int_equal(outside.backwards, 0);
	assert_true(outside.owns > PARTITIONS);
	stop(w, &s);
}

static void workers_share_the_partitions_and_take_over_from_one_that_leaves(void **state)
{
	struct sink a, b;

	(void)state;
	weir_sink_worker *first = start(&a);
	put_ids(0, 2000);
	WAIT_UNTIL(written() > 0);
	weir_sink_worker *second = start(&b);
	WAIT_UNTIL(status_of(first).partitions == 2 && status_of(second).partitions == 2);
	put_ids(2000, 4000);
	WAIT_UNTIL(weir_sink_worker_caught_up(first) && weir_sink_worker_caught_up(second));
	assert_int_equal(written(), 4000);
	assert_true(status_of(first).records > 0 && status_of(second).records > 0);
	stop(first, &a);
	put_ids(4000, 5000);
	WAIT_UNTIL(written() == 5000);
	WAIT_UNTIL(status_of(second).partitions == PARTITIONS);
	assert_each_written_once(0, 5000);
	stop(second, &b);
}

static void one_that_comes_back_with_its_id_gets_its_partitions_and_no_other_notices(void **state)
{
	struct sink a, b;

	(void)state;
	weir_sink_worker *first = start_as(&a, "first"), *second = start_as(&b, "second");
	WAIT_UNTIL(status_of(first).partitions == 2 && status_of(second).partitions == 2);
	put_ids(0, 2000);
	WAIT_UNTIL(weir_sink_worker_caught_up(first) && weir_sink_worker_caught_up(second));
	int owns = outside.owns;
	stop(first, &a);
	put_ids(2000, 4000);
	first = start_as(&a, "first");
	WAIT_UNTIL(written() == 4000);
	assert_each_written_once(0, 4000);
	assert_int_equal(outside.owns, owns + 2);
	assert_int_equal(status_of(first).partitions, 2);
	assert_int_equal(status_of(second).partitions, 2);
	stop(first, &a);
	stop(second, &b);
}

static void caught_up_waits_for_the_other_members_too(void **state)
{
	struct sink a, b;

	(void)state;
	weir_sink_worker *first = start(&a);
	weir_sink_worker *second = start(&b);
	WAIT_UNTIL(status_of(first).partitions == 2 && status_of(second).partitions == 2);
	set_away(true);
	put_ids(0, 100);
	assert_false(weir_sink_worker_caught_up(first));
	assert_false(weir_sink_worker_caught_up(second));
	set_away(false);
	WAIT_UNTIL(weir_sink_worker_caught_up(first));
	assert_each_written_once(0, 100);
	stop(first, &a);
	put_ids(100, 101); /* came later: not asked for */
	WAIT_UNTIL(weir_sink_worker_caught_up(second));
	stop(second, &b);
}

static void a_sink_that_is_away_is_waited_for(void **state)
{
	struct sink s;

	(void)state;
	set_away(true);
	put_ids(0, 1000);
	weir_sink_worker *w = start(&s);
	WAIT_UNTIL(status_of(w).partitions == PARTITIONS && outside.opens > 1);
	assert_false(status_of(w).connected);
	assert_int_equal(status_of(w).error.code, WEIR_SINK);
	WAIT_UNTIL(status_of(w).lag == 1000);
	set_away(false);
	WAIT_UNTIL(written() == 1000);
	WAIT_UNTIL(status_of(w).error.code == WEIR_OK && status_of(w).connected);
	set_away(true);
	put_ids(1000, 3000);
	WAIT_UNTIL(!status_of(w).connected);
	WAIT_UNTIL(status_of(w).lag == 2000);
	int opens = outside.opens;
	usleep(1000000); /* 100, 200, 400 ms: not more */
	assert_in_range(outside.opens - opens, 1, 5);
	assert_int_equal(status_of(w).partitions, PARTITIONS); /* its membership stands */
	set_away(false);
	WAIT_UNTIL(written() == 3000);
	assert_each_written_once(0, 3000);
	stop(w, &s);
}

static void a_sink_that_refuses_for_good_stops_the_worker_and_leaves_the_group(void **state)
{
	struct sink bad, good;

	(void)state;
	put_ids(0, 100);
	set_away(true);
	outside.refuse_for_good = true;
	weir_sink_worker *w = start(&bad);
	WAIT_UNTIL(status_of(w).stopped);
	assert_string_equal(status_of(w).error.message, "away");
	assert_false(weir_sink_worker_caught_up(w));
	outside.refuse_for_good = false;
	set_away(false);
	weir_sink_worker *other = start(&good);
	WAIT_UNTIL(weir_sink_worker_caught_up(other));
	assert_each_written_once(0, 100);
	stop(w, &bad);
	stop(other, &good);
}

/* --- dead letters --------------------------------------------------------------------------------------------- */

struct letters {
	int count;
	bool correct;
};

static bool is(const weir_headers *headers, const char *name, const char *value)
{
	return weir_bytes_equal(weir_headers_last(headers, name), weir_str(value));
}

static bool see_letter(const weir_kafka_record *r, void *user)
{
	struct letters *l = user;
	const weir_headers *headers = weir_kafka_record_headers(r);

	l->count++;
	l->correct = l->correct && is(headers, "reason", "it is bad") &&
		     is(headers, "original-timestamp", "1234") && is(headers, "trace", "abc") &&
		     is(headers, "__streams.errors.topic", topic_name) &&
		     weir_bytes_equal(r->key, weir_str("key")) && !memcmp(r->value.data, "bad", 3) &&
		     r->timestamp_ms > 1600000000000;
	return true;
}

static struct letters read_letters(void)
{
	struct letters l = { .correct = true };
	weir_error err = { 0 };
	weir_consumer *c = weir_consumer_open(cluster, (weir_consumer_opts){ 0 }, &err);
	weir_partition all = { .topic = letters_name, .partition = 0, .offset = WEIR_OFFSET_BEGINNING };
	int64_t first, end;

	must(c && weir_consumer_assign(c, &all, 1, &err), &err);
	must(weir_offsets_range(cluster, letters_name, 0, &first, &end, &err), &err);
	WAIT_UNTIL(weir_consumer_poll(c, 0, see_letter, &l, &err) &&
		   weir_consumer_position(c, letters_name, 0) >= end);
	weir_consumer_close(c);
	return l;
}

static void a_rejected_record_becomes_a_dead_letter_and_the_rest_is_written(void **state)
{
	struct sink s;

	(void)state;
	put_ids(0, 50);
	put(0, "bad one");
	put(1, "bad two");
	put(1, "bad three");
	put_ids(50, 100);
	weir_sink_worker *w = start(&s);
	WAIT_UNTIL(weir_sink_worker_caught_up(w));
	assert_each_written_once(0, 100);
	assert_int_equal(status_of(w).records, 100);
	assert_int_equal(status_of(w).rejected, 3);
	struct letters l = read_letters();
	assert_int_equal(l.count, 3);
	assert_true(l.correct);
	for (int i = 0; i < 250; i++) /* a batch of nothing but such */
		put(2, "bad again");
	put_ids(100, 101);
	WAIT_UNTIL(status_of(w).rejected == 253 && outside.counts[100] == 1);
	assert_int_equal(read_letters().count, 253);
	stop(w, &s);
}

static void a_dead_letter_is_sent_once_although_its_batch_is_tried_again(void **state)
{
	struct sink s;

	(void)state;
	put_ids(0, 40);
	put(0, "bad one");
	put_ids(40, 44);
	outside.fail_every = 1;
	weir_sink_worker *w = start(&s);
	WAIT_UNTIL(outside.calls >= 3);
	assert_int_equal(written(), 0);
	outside.fail_every = 0;
	WAIT_UNTIL(weir_sink_worker_caught_up(w));
	assert_each_written_once(0, 44);
	assert_int_equal(read_letters().count, 1);
	assert_int_equal(status_of(w).rejected, 1);
	stop(w, &s);
}

static void without_a_topic_for_dead_letters_a_rejected_record_stops_the_worker(void **state)
{
	weir_sink_worker_opts opts = { .sink = &ops, .topic = topic_name, .group = group_name };
	struct sink s = { 0 };
	weir_error err = { 0 };
	char expected[80];

	(void)state;
	put_ids(0, 8);
	put(3, "bad one");
	must(weir_producer_flush(producer, 10000, &err), &err);
	opts.self = &s;
	weir_sink_worker *w = weir_sink_worker_start(cluster, cfg, opts, &err);
	WAIT_UNTIL(status_of(w).stopped);
	snprintf(expected, sizeof expected, "%s/3@2", topic_name);
	assert_non_null(strstr(status_of(w).error.message, expected));
	assert_non_null(strstr(status_of(w).error.message, "it is bad"));
	assert_true(outside.next[3] <= 2); /* never behind it */
	stop(w, &s);
}

/* --- offsets -------------------------------------------------------------------------------------------------- */

static void a_stored_offset_outside_of_the_log_means_the_earliest(void **state)
{
	weir_partition cut[] = { { .topic = topic_name, .partition = 1, .offset = 10 } };
	weir_error err = { 0 };
	struct sink s;

	(void)state;
	put_ids(0, 100);
	must(weir_records_delete(cluster, cut, 1, &err), &err);
	outside.next[0] = 1000; /* behind the end: the topic was made anew */
	outside.next[1] = 3;    /* before the first: retention was faster */
	outside.next[2] = 25;   /* the end itself is in the log */
	weir_sink_worker *w = start(&s);
	WAIT_UNTIL(weir_sink_worker_caught_up(w));
	for (int id = 0; id < 100; id++)
		assert_int_equal(outside.counts[id], id % 4 == 2 ? 0 : id % 4 == 1 ? id / 4 >= 10 : 1);
	assert_int_equal(outside.backwards, 1); /* the sink was told */
	stop(w, &s);
}

static void a_log_that_is_cut_while_the_sink_is_away_is_read_from_what_is_left(void **state)
{
	weir_error err = { 0 };
	struct sink s;

	(void)state;
	weir_sink_worker *w = start(&s);
	put_ids(0, 100);
	WAIT_UNTIL(written() == 100);
	set_away(true);
	put_ids(100, 300);
	WAIT_UNTIL(!status_of(w).connected);
	for (int32_t p = 0; p < PARTITIONS; p++)
		must(weir_records_delete(cluster,
					 &(weir_partition){ .topic = topic_name, .partition = p, .offset = 50 }, 1,
					 &err),
		     &err);
	set_away(false);
	WAIT_UNTIL(weir_sink_worker_caught_up(w));
	assert_each_written_once(0, 100);
	assert_each_written_once(200, 300);
	assert_int_equal(written(), 200);
	stop(w, &s);
}

static int64_t first_offset(int32_t partition)
{
	int64_t first, end;
	weir_error err = { 0 };

	must(weir_offsets_range(cluster, topic_name, partition, &first, &end, &err), &err);
	return first;
}

static void what_is_written_and_past_its_time_is_deleted(void **state)
{
	enum { HOUR_MS = 3600000, RETAIN_MS = 2 * HOUR_MS };
	weir_error err = { 0 };
	struct sink s;

	(void)state;
	must(weir_config_set(cfg, "repartition.purge.interval.ms", "1s", WEIR_FROM_COMMAND_LINE, "test", &err),
	     &err);
	put_at(0, "0", HOUR_MS);
	put_at(0, "1", 2 * HOUR_MS);
	put_at(0, "2", 3 * HOUR_MS + 1); /* the first one is too old now, and it alone */
	put_at(1, "3", HOUR_MS);
	must(weir_producer_flush(producer, 10000, &err), &err);
	set_away(true);
	weir_sink_worker *w = start_with(&s, (weir_sink_worker_opts){ .retain_ms = RETAIN_MS });
	usleep(1200000);
	assert_int_equal(first_offset(0), 0); /* not written yet */
	set_away(false);
	WAIT_UNTIL(first_offset(0) == 1 && weir_sink_worker_caught_up(w));
	stop(w, &s);
	assert_int_equal(first_offset(1), 0); /* nothing is newer there */
	assert_each_written_once(0, 4);
}

static void aborted_records_are_not_written_and_markers_do_not_hold_back(void **state)
{
	weir_error err = { 0 };
	struct sink s;
	weir_producer *txn = weir_producer_open(cluster, (weir_producer_opts){ .transactional_id = "t" }, &err);
	weir_producer *plain = producer;
	int64_t first, end;

	(void)state;
	must(txn && weir_producer_init(txn, 10000, &err), &err);
	producer = txn;
	for (int round = 0; round < 10; round++) {
		must(weir_producer_begin(txn, &err), &err);
		put_ids(round * 40, round * 40 + 40);
		must(round % 2 ? weir_producer_abort(txn, 10000, &err) : weir_producer_commit(txn, 10000, &err),
		     &err);
	}
	producer = plain;
	weir_sink_worker *w = start(&s);
	WAIT_UNTIL(weir_sink_worker_caught_up(w));
	assert_int_equal(written(), 200);
	for (int id = 0; id < 400; id++)
		assert_int_equal(outside.counts[id], id / 40 % 2 ? 0 : 1);
	/* The stored offset follows, so that a log cut behind the markers is not taken for a loss. */
	must(weir_offsets_range(cluster, topic_name, 0, &first, &end, &err), &err);
	WAIT_UNTIL(outside.next[0] == end);
	must(weir_producer_begin(txn, &err), &err);
	producer = txn;
	put_ids(400, 440);
	producer = plain;
	usleep(50000);
	assert_int_equal(written(), 200); /* not before the commit */
	must(weir_producer_commit(txn, 10000, &err), &err);
	WAIT_UNTIL(written() == 240);
	weir_producer_close(txn);
	stop(w, &s);
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void a_record_is_written_soon_after_it_was_produced(void **state)
{
	enum { N = 200 };
	int64_t waits[N];
	struct sink s;

	(void)state;
	weir_sink_worker *w = start(&s);
	WAIT_UNTIL(status_of(w).partitions == PARTITIONS);
	for (int i = 0; i < N; i++) {
		int64_t begin = weir_clock_system()->monotonic_us(weir_clock_system());

		put_ids(i, i + 1);
		while (written() <= i)
			usleep(100);
		waits[i] = weir_clock_system()->monotonic_us(weir_clock_system()) - begin;
	}
	qsort(waits, N, sizeof *waits, by_value);
	if (waits[N * 95 / 100] > 100000) /* us; usually below 2000 */
		fail_msg("95 of 100 records took up to %lld us", (long long)waits[N * 95 / 100]);
	stop(w, &s);
}

static void stopping_does_not_wait_for_a_sink_that_is_away(void **state)
{
	struct sink s;

	(void)state;
	set_away(true);
	weir_sink_worker *w = start(&s);
	usleep(300000);
	int64_t begin = now_ms();
	stop(w, &s);
	assert_true(now_ms() - begin < 2000);
}

/* --- running -------------------------------------------------------------------------------------------------- */

#ifdef AGAINST_KAFKA /* tests/integration/test_sink_worker_kafka.c */
static weir_cluster *open_cluster(weir_error *err)
{
	if (!weir_config_set(cfg, "bootstrap.servers", getenv("WEIR_TEST_BOOTSTRAP"), WEIR_FROM_COMMAND_LINE,
			     "test", err))
		return NULL;
	return weir_cluster_open(cfg, err);
}
#else
static weir_cluster *open_cluster(weir_error *err)
{
	(void)err;
	return weir_cluster_embedded((weir_embedded_opts){ 0 });
}
#endif

static int set_up(void **state)
{
	static int tests;
	weir_error err = { 0 };

	(void)state;
	memset((char *)&outside + sizeof outside.lock, 0, sizeof outside - sizeof outside.lock);
	for (int i = 0; i < PARTITIONS; i++)
		outside.next[i] = WEIR_OFFSET_NONE;
	snprintf(topic_name, sizeof topic_name, "results-%d-%d", (int)getpid(), ++tests);
	snprintf(letters_name, sizeof letters_name, "dead-letters-%d-%d", (int)getpid(), tests);
	snprintf(group_name, sizeof group_name, "sink-%d-%d", (int)getpid(), tests);
	/* the records are old, and a broker may look for such at any moment */
	static const char *const keep[][2] = { { "retention.ms", "-1" } };
	weir_topic_spec topics[] = { { topic_name, PARTITIONS, 0, keep, 1 }, { letters_name, 1, 0, keep, 1 } };
	cfg = weir_config_new();
	cluster = open_cluster(&err);
	must(cluster, &err);
	must(weir_topics_create(cluster, topics, 2, &err), &err);
	producer = weir_producer_open(cluster, (weir_producer_opts){ 0 }, &err);
	must(producer, &err);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	weir_producer_close(producer);
	weir_cluster_free(cluster);
	weir_config_free(cfg);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_lies_in_the_topic_is_written_once),
		TEST(faults_neither_lose_nor_double_anything),
		TEST(workers_share_the_partitions_and_take_over_from_one_that_leaves),
		TEST(one_that_comes_back_with_its_id_gets_its_partitions_and_no_other_notices),
		TEST(caught_up_waits_for_the_other_members_too),
		TEST(a_sink_that_is_away_is_waited_for),
		TEST(a_sink_that_refuses_for_good_stops_the_worker_and_leaves_the_group),
		TEST(a_rejected_record_becomes_a_dead_letter_and_the_rest_is_written),
		TEST(a_dead_letter_is_sent_once_although_its_batch_is_tried_again),
		TEST(without_a_topic_for_dead_letters_a_rejected_record_stops_the_worker),
		TEST(a_stored_offset_outside_of_the_log_means_the_earliest),
		TEST(a_log_that_is_cut_while_the_sink_is_away_is_read_from_what_is_left),
		TEST(what_is_written_and_past_its_time_is_deleted),
		TEST(aborted_records_are_not_written_and_markers_do_not_hold_back),
		TEST(a_record_is_written_soon_after_it_was_produced),
		TEST(stopping_does_not_wait_for_a_sink_that_is_away),
	};

#ifdef AGAINST_KAFKA
	if (!getenv("WEIR_TEST_BOOTSTRAP")) {
		fprintf(stderr, "skipped: WEIR_TEST_BOOTSTRAP is not set (tests/services.sh start kafka)\n");
		return 77;
	}
#endif
	return cmocka_run_group_tests(tests, NULL, NULL);
}
