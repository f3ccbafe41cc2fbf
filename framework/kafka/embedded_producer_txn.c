#include "framework/kafka/embedded_client.h"

bool weir__producer_to_abort(struct embedded_producer *p, const weir_error *cause, weir_error *err)
{
	p->state = PRODUCER_TO_ABORT;
	p->cause = *cause;
	p->cause.abort_txn = true;
	if (err)
		*err = p->cause;
	return false;
}

bool weir__producer_break(struct embedded_producer *p, const weir_error *cause, weir_error *err)
{
	p->state = PRODUCER_FATAL;
	p->cause = *cause;
	p->cause.fatal = true;
	if (err)
		*err = p->cause;
	return false;
}

bool weir__producer_owns_txn(struct embedded_producer *p, weir_error *err)
{
	weir_error error;

	if (p->txn->epoch == p->epoch)
		return true;
	weir_fail(&error, WEIR_FENCED,
		  "transactional.id %s: another producer has it, or the transaction took longer than %lld ms",
		  p->txn->id, (long long)p->opts.transaction_timeout_ms);
	return weir__producer_break(p, &error, err);
}

/* Whether the call `what` is allowed in this state. */
static bool allowed(struct embedded_producer *p, const char *what, enum producer_state wanted, weir_error *err)
{
	static const char *const states[] = { "before init", "outside of a transaction", "in a transaction",
					      "in a transaction that must be aborted", "after a fatal error" };

	if (!p->txn)
		return weir_fail(err, WEIR_USAGE, "%s: the producer has no transactional.id", what);
	if (p->state == wanted)
		return true;
	if (p->state == PRODUCER_FATAL || (p->state == PRODUCER_TO_ABORT && wanted == PRODUCER_IN_TXN)) {
		if (err)
			*err = p->cause;
		return weir_wrap(err, "%s", what);
	}
	return weir_fail(err, WEIR_USAGE, "%s: transactional.id %s: not to be called %s", what, p->txn->id,
			 states[p->state]);
}

/* Fails as a simulation wants it. Without an answer the outcome is not known, and the producer is done for. */
static bool fail_as(struct embedded_producer *p, enum embedded_fault fault, const char *what, weir_error *err)
{
	weir_error error;

	weir_fail(&error, WEIR_KAFKA, "%s: transactional.id %s (injected)", what, p->txn->id);
	if (fault == EMBEDDED_ABORTABLE)
		return weir__producer_to_abort(p, &error, err);
	if (fault == EMBEDDED_FATAL)
		return weir__producer_break(p, &error, err);
	if (p->state != PRODUCER_NEW)
		weir__producer_break(p, &error, NULL);
	weir_fail(err, WEIR_TIMEOUT, "%s: transactional.id %s: no answer (injected)", what, p->txn->id);
	if (err && p->state == PRODUCER_NEW)
		err->retriable = true;
	return false;
}

static bool suffer(struct embedded_producer *p, enum embedded_point point, const char *what, weir_error *err)
{
	enum embedded_fault fault = weir__embedded_fault(p->cluster, point, p->txn->id);

	return fault == EMBEDDED_FINE || fail_as(p, fault, what, err);
}

bool weir__embedded_init(weir_producer *producer, int64_t timeout_ms, weir_error *err)
{
	struct embedded_producer *p = (struct embedded_producer *)producer;

	(void)timeout_ms;
	if (!allowed(p, "init", PRODUCER_NEW, err) || !suffer(p, EMBEDDED_AT_INIT, "init", err))
		return false;
	weir__embedded_enter(p->cluster);
	p->epoch = weir__txn_take(p->cluster, p->txn, p->opts.transaction_timeout_ms);
	weir__embedded_leave(p->cluster);
	p->state = PRODUCER_READY;
	return true;
}

/* Local, as in a client: nothing is told to the coordinator, and a fenced producer does not learn of it. */
bool weir__embedded_begin(weir_producer *producer, weir_error *err)
{
	struct embedded_producer *p = (struct embedded_producer *)producer;

	if (!allowed(p, "begin", PRODUCER_READY, err))
		return false;
	p->state = PRODUCER_IN_TXN;
	p->txn_used = false;
	return true;
}

/* Adds the offsets; lock held. */
static bool add_offsets(struct embedded_producer *p, struct embedded_consumer *c, const weir_partition *list,
			size_t n, weir_error *err)
{
	struct embedded *e = p->cluster;
	weir_error error;

	if (!weir__producer_owns_txn(p, err))
		return false;
	if (!weir__member_may_commit(c->member, &error))
		return weir__producer_to_abort(p, &error, err);
	for (size_t i = 0; i < n; i++)
		if (!weir__topic_journal(e, list[i].topic, list[i].partition, &error))
			return weir__producer_to_abort(p, &error, err);
	weir__txn_start(e, p->txn);
	p->txn_used = true;
	for (size_t i = 0; i < n; i++) {
		weir__group_offset(e, c->group, list[i].topic, list[i].partition, true)->pending++;
		weir__txn_add_offset(p->txn, c->group, &list[i], weir__embedded_intern(e, list[i].topic));
	}
	return true;
}

bool weir__embedded_send_offsets(weir_producer *producer, weir_consumer *consumer, const weir_partition *list,
				 size_t n, int64_t timeout_ms, weir_error *err)
{
	struct embedded_producer *p = (struct embedded_producer *)producer;
	struct embedded_consumer *c = (struct embedded_consumer *)consumer;

	(void)timeout_ms;
	if (!allowed(p, "send_offsets", PRODUCER_IN_TXN, err))
		return false;
	if (!c->group || n == 0)
		return weir_fail(err, WEIR_USAGE, "send_offsets: %s",
				 c->group ? "no offsets" : "a consumer without a group");
	for (size_t i = 0; i < n; i++)
		if (list[i].offset < 0)
			return weir_fail(err, WEIR_USAGE, "send_offsets: offset %lld for %s/%d",
					 (long long)list[i].offset, list[i].topic, list[i].partition);
	if (!suffer(p, EMBEDDED_AT_SEND_OFFSETS, "send_offsets", err))
		return false;
	weir__embedded_enter(p->cluster);
	bool done = add_offsets(p, c, list, n, err);

	weir__embedded_leave(p->cluster);
	return done || weir_wrap(err, "send_offsets of group %s", c->group->name);
}

/* Ends the transaction at the coordinator; one that it has never heard of ends without it (and without fencing). */
static bool end(struct embedded_producer *p, bool commit, weir_error *err)
{
	enum embedded_fault fault = EMBEDDED_FINE;
	const char *what = commit ? "commit" : "abort";
	bool done = true;

	if (p->txn_used) {
		fault = weir__embedded_fault(p->cluster, commit ? EMBEDDED_AT_COMMIT : EMBEDDED_AT_ABORT,
					     p->txn->id);
		if (fault == EMBEDDED_ABORTABLE || fault == EMBEDDED_FATAL || fault == EMBEDDED_UNDONE)
			return fail_as(p, fault, what, err);
		weir__embedded_enter(p->cluster);
		done = weir__producer_owns_txn(p, err);
		if (done)
			weir__txn_decide(p->txn, commit);
		if (done && fault == EMBEDDED_LATE_LOGS)
			weir__txn_settle_offsets(p->cluster, p->txn);
		if (done && (fault == EMBEDDED_LATE || fault == EMBEDDED_DONE_LATE || fault == EMBEDDED_LATE_LOGS))
			weir__txn_settle_later(p->cluster, p->txn, p->cluster->marker_delay_ms);
		else if (done)
			weir__txn_settle(p->cluster, p->txn);
		weir__embedded_leave(p->cluster);
	}
	if (!done)
		return weir_wrap(err, "%s", what);
	p->state = PRODUCER_READY;
	return (fault != EMBEDDED_DONE && fault != EMBEDDED_DONE_LATE) || fail_as(p, fault, what, err);
}

bool weir__embedded_commit(weir_producer *producer, int64_t timeout_ms, weir_error *err)
{
	struct embedded_producer *p = (struct embedded_producer *)producer;

	(void)timeout_ms;
	weir__producer_serve(p);
	return allowed(p, "commit", PRODUCER_IN_TXN, err) && end(p, true, err);
}

bool weir__embedded_abort(weir_producer *producer, int64_t timeout_ms, weir_error *err)
{
	struct embedded_producer *p = (struct embedded_producer *)producer;

	(void)timeout_ms;
	weir__producer_serve(p);
	return allowed(p, "abort", p->state == PRODUCER_TO_ABORT ? PRODUCER_TO_ABORT : PRODUCER_IN_TXN, err) &&
	       end(p, false, err);
}
