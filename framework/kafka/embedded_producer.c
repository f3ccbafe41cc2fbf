#include "framework/kafka/embedded_client.h"

#include <stdlib.h>
#include <time.h>

#include "framework/base/alloc.h"

/* What the broker's batch around a record adds. */
#define BATCH_BYTES 70
#define REPORTS_MAX 1000

static struct embedded_producer *producer_of(weir_producer *producer)
{
	return (struct embedded_producer *)producer;
}

/* --- reports -------------------------------------------------------------------------------------------------- */

void weir__producer_serve(struct embedded_producer *p)
{
	if (p->reporting)
		return;
	p->reporting = true;
	for (size_t i = 0; i < p->report_count; i++) {
		struct report r = p->reports[i]; /* a callback may send, which may move the array */

		p->opts.on_delivery(r.topic, r.partition, r.offset, r.tag, r.error, p->opts.user);
		free(r.error);
	}
	p->report_count = 0;
	p->reporting = false;
}

static void report(struct embedded_producer *p, const char *topic, int32_t partition, int64_t offset, uint64_t tag,
		   const weir_error *error)
{
	if (!p->opts.on_delivery || (!error && p->opts.delivery_errors_only))
		return;
	WEIR__GROW(p->reports, p->report_count, p->report_room);
	p->reports[p->report_count++] =
		(struct report){ topic, partition, offset, tag, weir__memdup(error, sizeof *error) };
}

/* The record was queued and is not stored: its report says so, and a transaction can only be aborted. */
static void refuse(struct embedded_producer *p, const char *topic, int32_t partition, uint64_t tag,
		   const weir_error *error)
{
	report(p, topic, partition, WEIR_OFFSET_NONE, tag, error);
	if (p->txn)
		weir__producer_to_abort(p, error, NULL);
}

/* --- targets -------------------------------------------------------------------------------------------------- */

static struct target *target_by_name(struct embedded_producer *p, const char *topic)
{
	for (size_t i = 0; i < p->target_count; i++)
		if (p->targets[i].address == topic && !strcmp(p->targets[i].topic->name, topic))
			return &p->targets[i];
	for (size_t i = 0; i < p->target_count; i++)
		if (!strcmp(p->targets[i].topic->name, topic))
			return &p->targets[i];
	return NULL;
}

/* Lock held. */
static void target_drop(struct embedded_producer *p, struct target *t)
{
	weir__topic_unref(t->topic);
	free(t->slots);
	*t = p->targets[--p->target_count];
	p->target_last = 0;
}

/* Lock held. */
static void learn_partitions(struct target *t)
{
	if (t->partitions == t->topic->partitions)
		return;
	t->slots = weir__realloc(t->slots, (size_t)t->topic->partitions * sizeof *t->slots);
	for (; t->partitions < t->topic->partitions; t->partitions++)
		t->slots[t->partitions] = (struct target_slot){ .delivered = WEIR_OFFSET_NONE };
}

static struct target *target_find(struct embedded_producer *p, const char *topic, weir_error *err)
{
	if (p->target_last < p->target_count) {
		struct target *t = &p->targets[p->target_last];

		if (t->address == topic && !strcmp(t->topic->name, topic))
			return t;
	}
	struct target *t = target_by_name(p, topic);

	if (!t) {
		weir__embedded_enter(p->cluster);
		struct topic *found = weir__topic_use(p->cluster, topic, err);

		if (found)
			weir__topic_ref(found);
		if (found) {
			WEIR__GROW(p->targets, p->target_count, p->target_room);
			t = &p->targets[p->target_count++];
			*t = (struct target){ .topic = found };
			learn_partitions(t);
		}
		weir__embedded_leave(p->cluster);
		if (!found)
			return NULL;
	}
	t->address = topic;
	p->target_last = (size_t)(t - p->targets);
	return t;
}

/* --- sending -------------------------------------------------------------------------------------------------- */

static bool may_send(struct embedded_producer *p, weir_error *err)
{
	if (p->state == PRODUCER_IN_TXN || (!p->txn && p->state == PRODUCER_READY))
		return true;
	if (p->state == PRODUCER_TO_ABORT || p->state == PRODUCER_FATAL) {
		if (err)
			*err = p->cause;
		return weir_wrap(err, "send");
	}
	return weir_fail(err, WEIR_USAGE, "send: transactional.id %s: no transaction has begun",
			 p->txn ? p->txn->id : "");
}

static size_t record_bytes(const weir_produced *r)
{
	size_t n = r->key.len + r->value.len;

	for (size_t i = 0; r->headers && i < r->headers->count; i++)
		n += strlen(r->headers->items[i].name) + r->headers->items[i].value.len + 8;
	return n;
}

/* What the broker refuses. The clock is asked only when the record seems to come from the future. */
static bool accepts(struct embedded_producer *p, const struct topic *t, const weir_produced *r, size_t bytes,
		    weir_error *error)
{
	const struct topic_config *config = &t->config;

	if ((int64_t)bytes + BATCH_BYTES > config->message_bytes_max)
		return weir_fail(error, WEIR_USER, "topic %s: a record of %zu bytes; its max.message.bytes is %lld",
				 t->name, bytes, (long long)config->message_bytes_max);
	if (config->compact && !r->key.data)
		return weir_fail(error, WEIR_USER, "topic %s is compacted: a record without a key", t->name);
	if (config->append_time || weir_time_sub(r->timestamp_ms, p->now_ms) <= config->future_ms_max)
		return true;
	p->now_ms = weir__embedded_now(p->cluster);
	return weir_time_sub(r->timestamp_ms, p->now_ms) <= config->future_ms_max ||
	       weir_fail(error, WEIR_USER,
			 "topic %s: invalid timestamp %lld: more than %lld ms ahead of the broker's clock", t->name,
			 (long long)r->timestamp_ms, (long long)config->future_ms_max);
}

/* Appends; lock held. */
static int64_t store(struct embedded_producer *p, struct target *t, int32_t partition, const weir_produced *r)
{
	learn_partitions(t); /* for the next ones */
	struct journal *j = t->topic->journals[partition];
	struct target_slot *slot = &t->slots[partition];
	struct append what = {
		r->timestamp_ms > 0 ? r->timestamp_ms : 1, r->key, r->value, r->headers, p->producer, 0
	};

	if (t->topic->config.append_time)
		what.timestamp_ms = weir__embedded_now(p->cluster);
	if (p->txn) {
		what.flags = ENTRY_TRANSACTIONAL;
		if (!p->txn_used) {
			weir__txn_start(p->cluster, p->txn);
			p->txn_used = true;
		}
		if (slot->txn_serial != p->txn->serial) {
			slot->txn_serial = p->txn->serial;
			weir__txn_add_journal(p->txn, j);
		}
	}
	int64_t offset = weir__journal_append(j, &what);

	slot->delivered = offset + 1;
	if (j->clean_due)
		weir__journal_clean(p->cluster, j);
	return offset;
}

static int32_t partition_of(struct embedded_producer *p, const struct target *t, const weir_produced *r)
{
	if (r->partition >= 0)
		return r->partition;
	if (r->key.data)
		return weir_partition_for_key(r->key, t->partitions);
	return (int32_t)(p->next_any++ % (uint32_t)t->partitions);
}

static bool send_to(struct embedded_producer *p, struct target *t, const weir_produced *r, size_t bytes,
		    weir_error *err)
{
	const char *topic = t->topic->name;
	int32_t partition = partition_of(p, t, r);
	int64_t offset = WEIR_OFFSET_NONE;
	weir_error error;

	if (partition >= t->partitions) {
		pthread_mutex_lock(&p->cluster->lock);
		learn_partitions(t);
		pthread_mutex_unlock(&p->cluster->lock);
	}
	if (partition >= t->partitions)
		return weir_fail(err, WEIR_NOT_FOUND, "send: topic %s: there is no partition %d of %d", topic,
				 partition, t->partitions);
	if (!accepts(p, t->topic, r, bytes, &error)) {
		refuse(p, topic, partition, r->tag, &error);
		return true;
	}
	pthread_mutex_lock(&p->cluster->lock);
	bool owns = !p->txn || weir__producer_owns_txn(p, err), there = !t->topic->deleted;

	if (owns && there)
		offset = store(p, t, partition, r);
	if (!there)
		target_drop(p, t);
	pthread_mutex_unlock(&p->cluster->lock);
	if (owns && there)
		report(p, topic, partition, offset, r->tag, NULL);
	return owns && (there || p->base.ops->send(&p->base, r, err)); /* made anew, perhaps */
}

/* A mishap that a simulation wants here. */
static bool suffer(struct embedded_producer *p, weir_error *error)
{
	enum embedded_fault fault = weir__embedded_fault(p->cluster, EMBEDDED_AT_SEND, p->txn ? p->txn->id : "");

	if (fault == EMBEDDED_FINE)
		return true;
	weir_fail(error, WEIR_KAFKA, "delivery failed (injected)");
	error->fatal = fault == EMBEDDED_FATAL;
	return false;
}

static bool producer_send(weir_producer *producer, const weir_produced *r, weir_error *err)
{
	struct embedded_producer *p = producer_of(producer);
	size_t bytes = record_bytes(r);
	weir_error error;

	if (p->report_count >= REPORTS_MAX)
		weir__producer_serve(p);
	if (!may_send(p, err))
		return false;
	if (bytes > WEIR_RECORD_BYTES_MAX) /* as librdkafka, before it is queued */
		return weir_fail(err, WEIR_USER, "send: topic %s: a record of %zu bytes; at most %d are taken",
				 r->topic, bytes, WEIR_RECORD_BYTES_MAX);
	struct target *t = target_find(p, r->topic, &error);

	if (p->cluster->fault && !suffer(p, &error)) {
		if (error.fatal)
			return weir__producer_break(p, &error, err);
		t = NULL;
	}
	if (t)
		return send_to(p, t, r, bytes, err);
	pthread_mutex_lock(&p->cluster->lock);
	const char *topic = weir__embedded_intern(p->cluster, r->topic);

	pthread_mutex_unlock(&p->cluster->lock);
	refuse(p, topic, r->partition, r->tag, &error);
	return true;
}

/* --- the rest ------------------------------------------------------------------------------------------------- */

static size_t producer_poll(weir_producer *producer, int64_t timeout_ms)
{
	struct embedded_producer *p = producer_of(producer);
	bool idle = p->report_count == 0;

	weir__producer_serve(p);
	/* As a client without news: programs pace themselves by it. */
	if (idle && timeout_ms > 0 && p->cluster->clock->runs)
		nanosleep(&(struct timespec){ timeout_ms / 1000, timeout_ms % 1000 * 1000000 }, NULL);
	return 0;
}

static bool producer_flush(weir_producer *producer, int64_t timeout_ms, weir_error *err)
{
	(void)timeout_ms, (void)err;
	weir__producer_serve(producer_of(producer));
	return true;
}

static int64_t producer_delivered(weir_producer *producer, const char *topic, int32_t partition)
{
	const struct target *t = target_by_name(producer_of(producer), topic);

	return t && partition >= 0 && partition < t->partitions ? t->slots[partition].delivered : WEIR_OFFSET_NONE;
}

void weir__producer_free(struct embedded_producer *p)
{
	weir__embedded_enter(p->cluster);
	for (size_t i = 0; i < p->target_count; i++) {
		weir__topic_unref(p->targets[i].topic);
		free(p->targets[i].slots);
	}
	weir__embedded_leave(p->cluster);
	for (size_t i = 0; i < p->report_count; i++)
		free(p->reports[i].error);
	free(p->targets);
	free(p->reports);
	free(p);
}

static void producer_close(weir_producer *producer)
{
	struct embedded_producer *p = producer_of(producer);

	if (p->state == PRODUCER_IN_TXN || p->state == PRODUCER_TO_ABORT)
		weir__embedded_abort(producer, 0, NULL);
	weir__producer_serve(p);
	weir__producer_free(p);
}

static const struct producer_ops ops = {
	.close = producer_close,
	.send = producer_send,
	.poll = producer_poll,
	.flush = producer_flush,
	.delivered = producer_delivered,
	.init = weir__embedded_init,
	.begin = weir__embedded_begin,
	.send_offsets = weir__embedded_send_offsets,
	.commit = weir__embedded_commit,
	.abort = weir__embedded_abort,
};

weir_producer *weir__embedded_producer_open(weir_cluster *cluster, const weir_producer_opts *opts, weir_error *err)
{
	struct embedded_producer *p = weir__calloc(1, sizeof *p);
	struct embedded *e = weir__embedded(cluster);

	(void)err;
	p->base.ops = &ops;
	p->cluster = e;
	p->opts = *opts;
	if (p->opts.transaction_timeout_ms == 0)
		p->opts.transaction_timeout_ms = e->opts.transaction_timeout_ms;
	p->now_ms = weir__embedded_now(e);
	p->state = opts->transactional_id ? PRODUCER_NEW : PRODUCER_READY;
	weir__embedded_enter(e);
	if (opts->transactional_id)
		p->txn = weir__txn_find(e, opts->transactional_id);
	p->producer = p->txn ? p->txn->producer : e->producers++;
	weir__embedded_leave(e);
	return &p->base;
}
