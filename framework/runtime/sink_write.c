/* One batch into the sink. */
#include "framework/runtime/sink_worker.h"

#define LOG_INTERVAL_MS 10000
#define AREA "sink"

static void reject(void *user, size_t index, const char *reason)
{
	struct sink_partition *p = user;

	weir_assert(index < p->batch.count);
	weir__sink_rejects_add(&p->rejects, index, reason);
}

static bool held_by_cluster(struct weir_sink_worker *w, struct sink_partition *p, weir_log_limit *limit,
			    const char *what, const weir_error *error)
{
	weir__sink_hold(w, p);
	weir__sink_back_off(&p->backoff);
	weir__sink_note(w, error);
	weir_log_limited(limit, LOG_INTERVAL_MS, WEIR_LOG_WARN, AREA,
			 "%s topic=%s partition=%d retry_ms=%lld error=\"%s\"", what, w->topic, (int)p->id,
			 (long long)p->backoff.delay_ms, error->message);
	return false;
}

/* Puts away what the sink has turned away, and takes it out of the batch. */
static bool put_away(struct weir_sink_worker *w, struct sink_partition *p)
{
	struct sink_rejects *r = &p->rejects;
	weir_error failure;
	size_t sent;

	if (!w->dead_letter_topic) {
		const weir_kafka_record *record = &p->batch.records[r->indexes[0]];

		weir_fail(&failure, WEIR_USER,
			  "%s turned away %s/%d@%lld, and there is no topic for dead letters: %s",
			  w->opts.sink->name, w->topic, (int)p->id, (long long)record->offset, r->reasons[0]);
		weir__sink_hold(w, p);
		weir__sink_die(w, &failure);
		return false;
	}
	bool ok = weir__sink_dead_letters_put(&w->dead_letters, r, &p->batch, &sent, &failure);
	if (!ok)
		return held_by_cluster(w, p, &w->log_partition, "dead letters", &failure);
	pthread_mutex_lock(&w->lock);
	w->status.rejected += (int64_t)sent;
	pthread_mutex_unlock(&w->lock);
	weir__sink_batch_remove(&p->batch, r->indexes, r->count);
	return true;
}

/* Records and offset are stored. */
static void stored(struct weir_sink_worker *w, struct sink_partition *p, int64_t next_offset)
{
	weir__sink_rejects_settled(&p->rejects);
	w->sink_backoff = p->backoff = (struct sink_backoff){ 0 };
	p->stored = next_offset;
	p->wrote_at_ms = weir__sink_now_ms();
	for (size_t i = 0; i < p->batch.count; i++)
		if (p->batch.records[i].timestamp_ms > p->newest_ms)
			p->newest_ms = p->batch.records[i].timestamp_ms;
	pthread_mutex_lock(&w->lock);
	p->written = next_offset;
	w->status.records += (int64_t)p->batch.count;
	w->status.version += p->batch.count > 0;
	w->status.error.code = WEIR_OK;
	pthread_mutex_unlock(&w->lock);
	weir__sink_batch_clear(&p->batch);
}

/* Behind the last record in hand, and behind the markers that the consumer has passed since. */
static int64_t next_offset_of(struct weir_sink_worker *w, const struct sink_partition *p)
{
	int64_t next = p->batch.count ? p->batch.records[p->batch.count - 1].offset + 1 : p->written;
	int64_t position = p->ready ? weir_consumer_position(w->consumer, w->topic, p->id) : next;

	return position > next ? position : next;
}

bool weir__sink_write(struct weir_sink_worker *w, struct sink_partition *p)
{
	int64_t next_offset = next_offset_of(w, p);

	for (;;) {
		weir_error failure = { .code = WEIR_OK };

		weir__sink_rejects_clear(&p->rejects);
		if (w->opts.sink->write(w->opts.self, w->topic, p->id, p->batch.records, p->batch.count,
					next_offset, reject, p, &failure)) {
			stored(w, p, next_offset);
			return true;
		}
		if (failure.code == WEIR_USER && p->rejects.count) {
			if (!put_away(w, p))
				return false;
			continue; /* at once, with the rest: each round has fewer */
		}
		if (failure.code == WEIR_FENCED)
			return held_by_cluster(w, p, &w->log_fenced, "fenced", &failure);
		weir__sink_away(w, &failure, "write");
		return false;
	}
}
