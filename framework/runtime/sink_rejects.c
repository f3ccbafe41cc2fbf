#include "framework/runtime/sink_rejects.h"

#include <stdio.h>
#include <stdlib.h>
#include <weir/log.h>

#include "framework/base/alloc.h"

#define ACKNOWLEDGE_MS 10000
#define OWN_HEADERS 7

void weir__sink_rejects_release(struct sink_rejects *r)
{
	weir__sink_rejects_clear(r);
	free(r->indexes);
	free(r->reasons);
	free(r->away);
}

void weir__sink_rejects_add(struct sink_rejects *r, size_t index, const char *reason)
{
	if (r->count == r->capacity) {
		r->capacity = r->capacity ? r->capacity * 2 : 16;
		r->indexes = weir__realloc(r->indexes, r->capacity * sizeof *r->indexes);
		r->reasons = weir__realloc(r->reasons, r->capacity * sizeof *r->reasons);
	}
	r->indexes[r->count] = index;
	r->reasons[r->count++] = weir__strdup(reason);
}

void weir__sink_rejects_clear(struct sink_rejects *r)
{
	for (size_t i = 0; i < r->count; i++)
		free(r->reasons[i]);
	r->count = 0;
}

void weir__sink_rejects_settled(struct sink_rejects *r)
{
	r->away_count = 0;
}

static bool is_away(const struct sink_rejects *r, int64_t offset)
{
	for (size_t i = r->away_count; i-- > 0;)
		if (r->away[i] == offset)
			return true;
	return false;
}

static void delivered(const char *topic, int32_t partition, int64_t offset, uint64_t tag, const weir_error *error,
		      void *user)
{
	struct sink_dead_letters *d = user;
	struct sink_rejects *r = d->rejects;

	(void)topic, (void)partition, (void)offset;
	if (error) {
		d->failure = *error;
		return;
	}
	if (!r)
		return; /* of a round that was given up: it will be sent again */
	if (r->away_count == r->away_capacity) {
		r->away_capacity = r->away_capacity ? r->away_capacity * 2 : 16;
		r->away = weir__realloc(r->away, r->away_capacity * sizeof *r->away);
	}
	r->away[r->away_count++] = (int64_t)tag;
}

/* The same headers as on the dead letters of a topology. */
static bool send_letter(struct sink_dead_letters *d, const weir_kafka_record *record, const char *reason,
			bool with_value, weir_error *err)
{
	const weir_headers *theirs = weir_kafka_record_headers(record);
	weir_header *all = weir__malloc((theirs->count + OWN_HEADERS) * sizeof *all);
	char partition[16], offset[24], timestamp[24];

	snprintf(partition, sizeof partition, "%d", (int)record->partition);
	snprintf(offset, sizeof offset, "%lld", (long long)record->offset);
	snprintf(timestamp, sizeof timestamp, "%lld", (long long)record->timestamp_ms);
	const weir_header own[OWN_HEADERS] = {
		{ "reason", weir_str(reason) },
		{ "original-timestamp", weir_str(timestamp) },
		{ "__streams.errors.exception", weir_str("SINK") },
		{ "__streams.errors.message", weir_str(reason) },
		{ "__streams.errors.topic", weir_str(record->topic) },
		{ "__streams.errors.partition", weir_str(partition) },
		{ "__streams.errors.offset", weir_str(offset) },
	};
	if (theirs->count)
		memcpy(all, theirs->items, theirs->count * sizeof *all);
	memcpy(all + theirs->count, own, sizeof own);
	weir_headers headers = { all, theirs->count + OWN_HEADERS };
	const weir_produced letter = {
		.topic = d->topic,
		.partition = -1,
		.timestamp_ms = weir_clock_system()->wall_ms(weir_clock_system()),
		.key = record->key,
		.value = with_value ? record->value : WEIR_NULL,
		.headers = &headers,
		.tag = (uint64_t)record->offset,
	};
	bool ok = weir_producer_send(d->producer, &letter, err);
	free(all);
	return ok;
}

static bool send_all(struct sink_dead_letters *d, struct sink_rejects *r, size_t *sent, weir_error *err)
{
	static weir_log_limit limit;

	for (size_t i = 0; i < r->count; i++) {
		const weir_kafka_record *record = &d->batch->records[r->indexes[i]];
		weir_error failure;

		if (is_away(r, record->offset))
			continue;
		weir_log_limited(&limit, 60000, WEIR_LOG_WARN, "sink",
				 "record turned away topic=%s partition=%d offset=%lld "
				 "reason=\"%s\"",
				 record->topic, (int)record->partition, (long long)record->offset, r->reasons[i]);
		/* With its headers it may have grown past what the topic takes; where it came from says enough to
		 * find it. */
		if (!send_letter(d, record, r->reasons[i], !d->bare, &failure) &&
		    (failure.code != WEIR_USER || !send_letter(d, record, r->reasons[i], false, &failure))) {
			if (err)
				*err = failure;
			return weir_wrap(err, "dead letter of %s/%d@%lld to %s", record->topic,
					 (int)record->partition, (long long)record->offset, d->topic);
		}
		++*sent;
	}
	return true;
}

bool weir__sink_dead_letters_put(struct sink_dead_letters *d, struct sink_rejects *r,
				 const struct sink_batch *batch, size_t *sent, weir_error *err)
{
	*sent = 0;
	if (!d->producer) {
		weir_producer_opts opts = { .on_delivery = delivered, .user = d };
		d->producer = weir_producer_open(d->cluster, opts, err);
		if (!d->producer)
			return weir_wrap(err, "producer of dead letters");
	}
	d->rejects = r;
	d->batch = batch;
	d->failure = (weir_error){ .code = WEIR_OK };
	bool ok = send_all(d, r, sent, err) && weir_producer_flush(d->producer, ACKNOWLEDGE_MS, err);
	if (ok && d->failure.code != WEIR_OK) {
		ok = false;
		if (err)
			*err = d->failure;
	}
	d->bare = !ok && d->failure.code == WEIR_USER;
	if (!ok) /* what is still under way must not be taken for the next round's */
		weir__sink_dead_letters_close(d);
	d->rejects = NULL;
	d->batch = NULL;
	return ok;
}

void weir__sink_dead_letters_close(struct sink_dead_letters *d)
{
	weir_producer_close(d->producer);
	d->producer = NULL;
}
