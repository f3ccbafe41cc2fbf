/* What the group gives and takes, and owning it in the sink. */
#include <stdlib.h>
#include <string.h>

#include "framework/base/alloc.h"
#include "framework/runtime/sink_worker.h"

#define AREA "sink"
#define LOG_INTERVAL_MS 10000

struct sink_partition *weir__sink_partition(struct weir_sink_worker *w, int32_t id)
{
	for (size_t i = 0; i < w->partition_count; i++)
		if (w->partitions[i]->id == id)
			return w->partitions[i];
	return NULL;
}

static weir_partition name_of(const struct weir_sink_worker *w, const struct sink_partition *p, int64_t offset)
{
	return (weir_partition){ .topic = w->topic, .partition = p->id, .offset = offset };
}

/* --- owning --------------------------------------------------------------------------------------------------- */

void weir__sink_hold(struct weir_sink_worker *w, struct sink_partition *p)
{
	weir_partition name = name_of(w, p, WEIR_OFFSET_NONE);
	weir_error failure;

	weir__sink_batch_clear(&p->batch);
	weir__sink_rejects_clear(&p->rejects);
	if (p->ready && !weir_consumer_pause(w->consumer, &name, 1, &failure))
		weir_log_limited(&w->log_partition, LOG_INTERVAL_MS, WEIR_LOG_WARN, AREA,
				 "pause partition=%d error=\"%s\"", (int)p->id, failure.message);
	p->ready = false;
}

void weir__sink_away(struct weir_sink_worker *w, const weir_error *error, const char *what)
{
	for (size_t i = 0; i < w->partition_count; i++)
		weir__sink_hold(w, w->partitions[i]);
	w->connected = false;
	weir__sink_back_off(&w->sink_backoff);
	pthread_mutex_lock(&w->lock);
	w->status.connected = false;
	w->status.error = *error;
	pthread_mutex_unlock(&w->lock);
	if (error->fatal)
		weir__sink_die(w, error);
	else
		weir_log_limited(&w->log_away, LOG_INTERVAL_MS, WEIR_LOG_WARN, AREA,
				 "away while=%s retry_ms=%lld error=\"%s\"", what,
				 (long long)w->sink_backoff.delay_ms, error->message);
}

/* The cluster's fault, not the sink's: this partition alone waits. */
static bool postpone(struct weir_sink_worker *w, struct sink_partition *p, const weir_error *error)
{
	weir__sink_back_off(&p->backoff);
	weir__sink_note(w, error);
	weir_log_limited(&w->log_partition, LOG_INTERVAL_MS, WEIR_LOG_WARN, AREA,
			 "not taken on partition=%d retry_ms=%lld "
			 "error=\"%s\"",
			 (int)p->id, (long long)p->backoff.delay_ms, error->message);
	return false;
}

/* Where to go on. A stored offset that the log does not have means reading from the earliest: never silently, and
 * the sink is told at once, so that it is said once. */
static bool check_offset(struct weir_sink_worker *w, struct sink_partition *p, int64_t stored)
{
	weir_error failure;
	int64_t first;

	if (!weir_offsets_range(w->cluster, w->topic, p->id, &first, &p->end, &failure))
		return postpone(w, p, &failure);
	bool outside = stored != WEIR_OFFSET_NONE && (stored < first || stored > p->end);
	p->stored = stored == WEIR_OFFSET_NONE || outside ? first : stored;
	pthread_mutex_lock(&w->lock);
	p->written = p->stored;
	pthread_mutex_unlock(&w->lock);
	if (!outside)
		return true;
	weir_log(WEIR_LOG_WARN, AREA,
		 "the stored offset lies outside of the log: starting from the earliest topic=%s partition=%d "
		 "offset=%lld first=%lld end=%lld",
		 w->topic, (int)p->id, (long long)stored, (long long)first, (long long)p->end);
	return weir__sink_write(w, p);
}

bool weir__sink_know_cluster(struct weir_sink_worker *w, weir_error *err)
{
	if (!w->cluster_id)
		w->cluster_id = weir__strdup(weir_cluster_id(w->cluster, err));
	return w->cluster_id != NULL;
}

/* Calls the sink's own; *next is its offset. */
static bool own(struct weir_sink_worker *w, struct sink_partition *p, int64_t *next)
{
	weir_error failure;

	if (!weir__sink_know_cluster(w, &failure))
		return postpone(w, p, &failure);
	if (!w->opts.sink->own(w->opts.self, w->cluster_id, w->topic, p->id, next, &failure)) {
		weir__sink_away(w, &failure, "own");
		return false;
	}
	p->owned = true;
	if (!check_offset(w, p, *next))
		return false;
	pthread_mutex_lock(&w->lock);
	w->status.error.code = WEIR_OK;
	pthread_mutex_unlock(&w->lock);
	return true;
}

static void own_late(struct weir_sink_worker *w, struct sink_partition *p)
{
	weir_error failure;
	int64_t next;

	if (!own(w, p, &next))
		return;
	weir_partition name = name_of(w, p, p->stored);
	/* In this order, since a resume may go back to where the pause was. */
	if (!weir_consumer_resume(w->consumer, &name, 1, &failure) ||
	    !weir_consumer_seek(w->consumer, &name, 1, &failure)) {
		weir_consumer_pause(w->consumer, &name, 1, NULL);
		postpone(w, p, &failure);
		return;
	}
	p->ready = true;
}

void weir__sink_own_pending(struct weir_sink_worker *w)
{
	int64_t now = weir__sink_now_ms();

	if (weir_consumer_lost(w->consumer))
		return; /* the event is on its way */
	for (size_t i = 0; i < w->partition_count && w->connected; i++)
		if (!w->partitions[i]->ready && w->partitions[i]->backoff.retry_at_ms <= now)
			own_late(w, w->partitions[i]);
}

/* --- the group ------------------------------------------------------------------------------------------------ */

static struct sink_partition *add_partition(struct weir_sink_worker *w, int32_t id)
{
	struct sink_partition *p = weir__calloc(1, sizeof *p);

	p->id = id;
	p->stored = p->written = p->end = WEIR_OFFSET_NONE;
	p->newest_ms = INT64_MIN;
	weir__sink_batch_init(&p->batch);
	pthread_mutex_lock(&w->lock);
	w->partitions = weir__realloc(w->partitions, (w->partition_count + 1) * sizeof *w->partitions);
	w->partitions[w->partition_count++] = p;
	w->status.partitions = (int32_t)w->partition_count;
	pthread_mutex_unlock(&w->lock);
	return p;
}

static void remove_partition(struct weir_sink_worker *w, struct sink_partition *p)
{
	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < w->partition_count; i++)
		if (w->partitions[i] == p)
			w->partitions[i] = w->partitions[--w->partition_count];
	w->status.partitions = (int32_t)w->partition_count;
	pthread_mutex_unlock(&w->lock);
	weir__sink_batch_release(&p->batch);
	weir__sink_rejects_release(&p->rejects);
	weir__ages_release(&p->ages);
	free(p);
}

/* Reads from where the sink stands; while it cannot be asked, the partition is held at the beginning, and sought
 * later. */
static bool assigned(struct weir_sink_worker *w, int32_t id, weir_error *err)
{
	struct sink_partition *p = weir__sink_partition(w, id);
	int64_t next;

	if (p)
		return true;
	p = add_partition(w, id);
	bool ready = w->connected && own(w, p, &next);
	weir_partition name = name_of(w, p, ready ? p->stored : WEIR_OFFSET_BEGINNING);
	if (!weir_consumer_assign(w->consumer, &name, 1, err) ||
	    (!ready && !weir_consumer_pause(w->consumer, &name, 1, err)))
		return false;
	p->ready = ready;
	return true;
}

static bool revoked(struct weir_sink_worker *w, int32_t id, weir_error *err)
{
	struct sink_partition *p = weir__sink_partition(w, id);

	if (!p)
		return true;
	weir_partition name = name_of(w, p, WEIR_OFFSET_NONE);
	if (p->owned)
		w->opts.sink->disown(w->opts.self, w->topic, id);
	remove_partition(w, p);
	return weir_consumer_unassign(w->consumer, &name, 1, err);
}

static void on_group(weir_consumer *consumer, weir_group_event event, const weir_partition *list, size_t n,
		     void *user)
{
	struct weir_sink_worker *w = user;
	weir_error failure;

	w->consumer = consumer; /* also while it is being opened or closed */
	for (size_t i = 0; i < n; i++) {
		bool ok = event == WEIR_GROUP_ASSIGNED ? assigned(w, list[i].partition, &failure)
						       : revoked(w, list[i].partition, &failure);
		if (!ok) {
			weir__sink_note(w, &failure);
			weir_log(WEIR_LOG_WARN, AREA, "group event=%d topic=%s partition=%d error=\"%s\"",
				 (int)event, w->topic, (int)list[i].partition, failure.message);
			w->consumer_broken = true;
		}
	}
	weir_log(WEIR_LOG_INFO, AREA, "%s topic=%s changed=%zu partitions=%zu",
		 event == WEIR_GROUP_ASSIGNED  ? "assigned"
		 : event == WEIR_GROUP_REVOKED ? "revoked"
					       : "lost",
		 w->topic, n, w->partition_count);
}

/* The log was cut (retention) or made anew while it was read. */
static void on_partition_error(weir_consumer *consumer, const weir_partition *partition, const weir_error *error,
			       void *user)
{
	struct weir_sink_worker *w = user;
	struct sink_partition *p = weir__sink_partition(w, partition->partition);

	(void)consumer;
	if (!p)
		return;
	weir__sink_note(w, error);
	weir_log_limited(&w->log_partition, LOG_INTERVAL_MS, WEIR_LOG_WARN, AREA,
			 "unreadable topic=%s partition=%d error=\"%s\"", w->topic, (int)p->id, error->message);
	/* Owned again, the offset is looked at against the log. */
	weir__sink_hold(w, p);
	weir__sink_back_off(&p->backoff);
}

bool weir__sink_consumer_open(struct weir_sink_worker *w)
{
	const char *topics[] = { w->topic };
	weir_consumer_opts opts = { .group = w->group,
				    .group_instance_id = w->group_instance_id,
				    .on_group = on_group,
				    .on_partition_error = on_partition_error,
				    .user = w,
				    .session_timeout_ms = weir_config_ms(w->cfg, "session.timeout.ms"),
				    .max_poll_interval_ms = weir_config_ms(w->cfg, "max.poll.interval.ms") };
	weir_error failure;

	w->consumer_broken = false;
	w->consumer = weir_consumer_open(w->cluster, opts, &failure);
	if (w->consumer && weir_consumer_subscribe(w->consumer, topics, 1, &failure))
		return true;
	weir__sink_consumer_close(w);
	weir__sink_back_off(&w->consumer_backoff);
	weir__sink_note(w, &failure);
	weir_log_limited(&w->log_consumer, LOG_INTERVAL_MS, WEIR_LOG_WARN, AREA,
			 "consumer retry_ms=%lld error=\"%s\"", (long long)w->consumer_backoff.delay_ms,
			 failure.message);
	return false;
}

void weir__sink_consumer_close(struct weir_sink_worker *w)
{
	weir_consumer_close(w->consumer); /* revokes */
	w->consumer = NULL;
	while (w->partition_count) { /* what the close did not name */
		struct sink_partition *p = w->partitions[0];

		if (p->owned)
			w->opts.sink->disown(w->opts.self, w->topic, p->id);
		remove_partition(w, p);
	}
}
