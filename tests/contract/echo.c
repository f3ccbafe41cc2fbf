#include "tests/contract/echo.h"

#include <stdlib.h>

/* --- going back to what is committed -------------------------------------------------------------------------- */

static size_t owned(const struct echo *w, bool placed, weir_partition *list)
{
	size_t n = 0;

	for (int32_t p = 0; p < ECHO_PARTITIONS; p++)
		if (w->owns[p] && w->placed[p] == placed)
			list[n++] =
				(weir_partition){ .topic = w->in, .partition = p, .offset = WEIR_OFFSET_BEGINNING };
	return n;
}

static void displace(struct echo *w)
{
	weir_partition list[ECHO_PARTITIONS];
	size_t n = owned(w, true, list);
	weir_error err;

	if (n)
		assert_done(weir_consumer_pause(w->consumer, list, n, &err), err);
	for (int p = 0; p < ECHO_PARTITIONS; p++)
		w->placed[p] = false;
}

/* Puts what is not placed to its committed position, once no open transaction holds that back. */
static void place(struct echo *w)
{
	weir_partition list[ECHO_PARTITIONS];
	size_t n = owned(w, false, list);
	weir_error err;

	if (n == 0)
		return;
	if (!weir_group_committed(w->c->cluster, w->group, list, n, w->c->clock->runs ? 1000 : 0, &err)) {
		assert_true(err.retriable);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (list[i].offset == WEIR_OFFSET_NONE)
			list[i].offset = WEIR_OFFSET_BEGINNING;
		w->placed[list[i].partition] = true;
	}
	assert_done(weir_consumer_seek(w->consumer, list, n, &err), err);
	assert_done(weir_consumer_resume(w->consumer, list, n, &err), err);
	weir_partitions_release(list, n);
}

/* --- transactions --------------------------------------------------------------------------------------------- */

static void drop_producer(struct echo *w)
{
	weir_producer_close(w->producer);
	w->producer = NULL;
	w->ready = w->in_txn = false;
	w->reopened++;
}

/* Whatever has been done since the last commit did not happen. */
static void give_up(struct echo *w, const weir_error *cause)
{
	weir_error err;

	w->aborted++;
	w->failed = false;
	if (cause->fatal || !cause->abort_txn || !weir_producer_abort(w->producer, 30000, &err))
		drop_producer(w);
	w->in_txn = false;
	if (w->consumer)
		displace(w);
}

static void end_txn(struct echo *w)
{
	weir_partition list[ECHO_PARTITIONS];
	size_t n = owned(w, true, list);

	if (!w->in_txn)
		return;
	if (w->failed) {
		give_up(w, &w->error);
		return;
	}
	if (weir_rng_chance(&w->rng, w->abort_chance)) {
		give_up(w, &(weir_error){ .abort_txn = true });
		return;
	}
	for (size_t i = n; i-- > 0;) {
		list[i].offset = weir_consumer_position(w->consumer, w->in, list[i].partition);
		if (list[i].offset == WEIR_OFFSET_NONE)
			list[i] = list[--n];
	}
	if ((n == 0 || weir_producer_send_offsets(w->producer, w->consumer, list, n, 30000, &w->error)) &&
	    weir_producer_commit(w->producer, 30000, &w->error)) {
		w->in_txn = false;
		w->committed++;
	} else {
		give_up(w, &w->error);
	}
}

/* --- callbacks ------------------------------------------------------------------------------------------------ */

static void on_group(weir_consumer *consumer, weir_group_event event, const weir_partition *list, size_t n,
		     void *user)
{
	struct echo *w = user;
	weir_error err;

	if (event == WEIR_GROUP_REVOKED)
		end_txn(w);
	if (event == WEIR_GROUP_LOST && w->in_txn)
		give_up(w, &(weir_error){ .abort_txn = true });
	for (size_t i = 0; i < n; i++) {
		weir_partition p = list[i];

		p.offset = WEIR_OFFSET_BEGINNING;
		if (event == WEIR_GROUP_ASSIGNED) {
			assert_done(weir_consumer_assign(consumer, &p, 1, &err), err);
			assert_done(weir_consumer_pause(consumer, &p, 1, &err), err);
		} else {
			assert_done(weir_consumer_unassign(consumer, &p, 1, &err), err);
		}
		w->owns[p.partition] = event == WEIR_GROUP_ASSIGNED;
		w->placed[p.partition] = false;
	}
}

static bool copy(const weir_kafka_record *record, void *user)
{
	struct echo *w = user;
	weir_produced r = { .topic = w->out,
			    .partition = record->partition,
			    .timestamp_ms = record->timestamp_ms,
			    .key = record->key,
			    .value = record->value };

	assert_true(w->owns[record->partition] && w->placed[record->partition]);
	if (!w->in_txn) {
		if (!weir_producer_begin(w->producer, &w->error)) {
			drop_producer(w);
			displace(w);
			return false;
		}
		w->in_txn = true;
	}
	w->failed = !weir_producer_send(w->producer, &r, &w->error);
	return !w->failed && --w->room > 0;
}

/* --- life ----------------------------------------------------------------------------------------------------- */

static bool open_clients(struct echo *w)
{
	weir_producer_opts opts = { .transactional_id = w->transactional_id,
				    .transaction_timeout_ms = w->transaction_timeout_ms };
	weir_error err;

	if (!w->producer)
		w->producer = weir_producer_open(w->c->cluster, opts, &err);
	assert_done(w->producer, err);
	if (!w->ready)
		w->ready = weir_producer_init(w->producer, 30000, &err);
	if (!w->ready && err.fatal)
		drop_producer(w);
	if (!w->ready)
		return false;
	if (w->consumer)
		return true;
	w->consumer = weir_consumer_open(w->c->cluster,
					 (weir_consumer_opts){ .group = w->group,
							       .client_id = w->transactional_id,
							       .session_timeout_ms = w->session_timeout_ms,
							       .on_group = on_group,
							       .user = w },
					 &err);
	assert_done(w->consumer, err);
	assert_done(weir_consumer_subscribe(w->consumer, &w->in, 1, &err), err);
	for (int p = 0; p < ECHO_PARTITIONS; p++)
		w->owns[p] = w->placed[p] = false;
	return true;
}

void echo_step(struct echo *w, int64_t poll_ms)
{
	weir_error err;

	if (!open_clients(w))
		return;
	place(w);
	w->room = 1 + (int)weir_rng_below(&w->rng, 10);
	if (!weir_consumer_poll(w->consumer, poll_ms, copy, w, &err)) {
		assert_true(err.fatal);
		if (w->in_txn)
			give_up(w, &(weir_error){ .abort_txn = true });
		weir_consumer_close(w->consumer);
		w->consumer = NULL;
		w->reopened++;
		return;
	}
	if (w->in_txn && (w->failed || weir_rng_chance(&w->rng, 0.3)))
		end_txn(w);
}

void echo_close(struct echo *w)
{
	w->abort_chance = 0;
	if (w->consumer)
		end_txn(w);
	weir_consumer_close(w->consumer);
	weir_producer_close(w->producer);
	w->consumer = NULL;
	w->producer = NULL;
	w->ready = w->in_txn = false;
}

/* --- the result ----------------------------------------------------------------------------------------------- */

static bool check_next(const weir_kafka_record *record, void *user)
{
	int *next = user;
	char text[16];

	assert_true(record->value.len < sizeof text);
	memcpy(text, record->value.data, record->value.len);
	text[record->value.len] = 0;
	assert_int_equal(atoi(text), *next);
	++*next;
	return true;
}

void echo_check(struct contract *c, const char *out, int32_t partition, int n)
{
	weir_partition p = { .topic = out, .partition = partition, .offset = WEIR_OFFSET_BEGINNING };
	weir_error err;
	weir_consumer *consumer = weir_consumer_open(c->cluster, (weir_consumer_opts){ 0 }, &err);
	int next = 0;

	assert_done(consumer, err);
	assert_done(weir_consumer_assign(consumer, &p, 1, &err), err);
	for (struct patience w = patience(c);
	     weir_consumer_position(consumer, out, partition) < end_of(c, out, partition) &&
	     patience_left(&w, "the end");)
		assert_done(weir_consumer_poll(consumer, 10, check_next, &next, &err), err);
	assert_int_equal(next, n);
	weir_consumer_close(consumer);
}

static bool count(const weir_kafka_record *record, void *user)
{
	(void)record;
	++*(int64_t *)user;
	return true;
}

int64_t echo_count(struct contract *c, const char *out)
{
	int64_t n = 0, before;
	weir_error err;
	weir_consumer *consumer = weir_consumer_open(c->cluster, (weir_consumer_opts){ 0 }, &err);

	assert_done(consumer, err);
	for (int32_t i = 0; i < ECHO_PARTITIONS; i++) {
		weir_partition p = { .topic = out, .partition = i, .offset = WEIR_OFFSET_BEGINNING };

		assert_done(weir_consumer_assign(consumer, &p, 1, &err), err);
	}
	do {
		before = n;
		assert_done(weir_consumer_poll(consumer, 0, count, &n, &err), err);
	} while (n > before);
	weir_consumer_close(consumer);
	return n;
}
