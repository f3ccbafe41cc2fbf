#include "framework/kafka/embedded.h"

#include <stdlib.h>

#include "framework/base/alloc.h"

struct txn *weir__txn_find(struct embedded *e, const char *id)
{
	struct txn *t = e->txns;

	while (t && strcmp(t->id, id) != 0)
		t = t->next;
	if (!t) {
		t = weir__calloc(1, sizeof *t);
		*t = (struct txn){
			.next = e->txns, .id = weir__strdup(id), .producer = e->producers++, .epoch = -1
		};
		e->txns = t;
	}
	return t;
}

void weir__txn_start(struct embedded *e, struct txn *t)
{
	weir__txn_settle(e, t); /* of the one before, if its markers were late */
	if (t->state == TXN_ONGOING)
		return;
	t->state = TXN_ONGOING;
	t->started_ms = weir__embedded_now(e);
	t->serial = ++e->txn_serial;
}

void weir__txn_add_journal(struct txn *t, struct journal *j)
{
	weir__topic_ref(j->topic);
	WEIR__GROW(t->journals, t->journal_count, t->journal_room);
	t->journals[t->journal_count++] = j;
	weir__journal_open_span(j, t->producer);
}

void weir__txn_add_offset(struct txn *t, struct group *g, const weir_partition *p, const char *topic)
{
	WEIR__GROW(t->offsets, t->offset_count, t->offset_room);
	t->offsets[t->offset_count++] = (struct txn_offset){
		.group = g,
		.topic = topic,
		.partition = p->partition,
		.offset = p->offset,
		.metadata = weir__strdup(p->metadata),
	};
}

void weir__txn_decide(struct txn *t, bool commit)
{
	weir_assert(t->state == TXN_ONGOING);
	t->state = commit ? TXN_COMMITTING : TXN_ABORTING;
}

void weir__txn_settle_offsets(struct embedded *e, struct txn *t)
{
	bool commit = t->state == TXN_COMMITTING;

	for (size_t i = 0; i < t->offset_count; i++) {
		struct txn_offset *o = &t->offsets[i];
		struct committed *c = weir__group_offset(e, o->group, o->topic, o->partition, false);

		if (c) { /* else group or topic have been deleted meanwhile */
			c->pending -= c->pending > 0;
			if (commit)
				weir__committed_set(c, o->offset, o->metadata);
			if (commit && e->fault)
				weir__past_add(c, t);
		}
		free(o->metadata);
	}
	t->offset_count = 0;
}

void weir__txn_settle(struct embedded *e, struct txn *t)
{
	bool commit = t->state == TXN_COMMITTING;

	if (!commit && t->state != TXN_ABORTING)
		return;
	int64_t now_ms = weir__embedded_now(e);

	weir__txn_settle_offsets(e, t);
	for (size_t i = 0; i < t->journal_count; i++) {
		weir__journal_close_span(t->journals[i], t->producer, commit, now_ms);
		weir__topic_unref(t->journals[i]->topic);
	}
	t->journal_count = 0;
	t->state = TXN_EMPTY;
	pthread_cond_broadcast(&e->settled);
}

void weir__txn_settle_later(struct embedded *e, struct txn *t, int64_t delay_ms)
{
	t->settle_ms = weir_time_add(weir__embedded_now(e), delay_ms);
}

static void abort_open(struct embedded *e, struct txn *t)
{
	if (t->state == TXN_ONGOING)
		weir__txn_decide(t, false);
	weir__txn_settle(e, t);
}

int32_t weir__txn_take(struct embedded *e, struct txn *t, int64_t timeout_ms)
{
	abort_open(e, t);
	t->timeout_ms = timeout_ms;
	return ++t->epoch;
}

void weir__txn_sweep(struct embedded *e, int64_t now_ms)
{
	for (struct txn *t = e->txns; t; t = t->next)
		if (t->state == TXN_ONGOING && weir_time_sub(now_ms, t->started_ms) >= t->timeout_ms) {
			t->epoch++; /* its producer is fenced */
			abort_open(e, t);
		} else if (t->state != TXN_ONGOING && now_ms >= t->settle_ms) {
			weir__txn_settle(e, t);
		}
}

void weir__txns_release(struct embedded *e)
{
	for (struct txn *t = e->txns, *next; t; t = next) {
		next = t->next;
		abort_open(e, t);
		free(t->journals);
		free(t->offsets);
		free(t->id);
		free(t);
	}
}
