/* What other threads see of a sink worker. */
#include <stdlib.h>
#include <string.h>

#include "framework/base/alloc.h"
#include "framework/runtime/sink_worker.h"

void weir__sink_note(struct weir_sink_worker *w, const weir_error *error)
{
	pthread_mutex_lock(&w->lock);
	w->status.error = *error;
	pthread_mutex_unlock(&w->lock);
}

void weir_sink_worker_status(weir_sink_worker *w, weir_sink_status *status)
{
	pthread_mutex_lock(&w->lock);
	*status = w->status;
	pthread_mutex_unlock(&w->lock);
}

/* A partition that is held is not read either: its end must be asked for. */
static int64_t lag_of(struct weir_sink_worker *w, struct sink_partition *p)
{
	int64_t first, ahead = p->ready ? weir_consumer_lag(w->consumer, w->topic, p->id) : -1;
	int64_t position = p->ready ? weir_consumer_position(w->consumer, w->topic, p->id) : WEIR_OFFSET_NONE;

	if (ahead >= 0 && position >= p->written)
		return ahead + position - p->written;
	if (!weir_offsets_range(w->cluster, w->topic, p->id, &first, &p->end, NULL))
		return -1;
	int64_t from = p->written < first ? first : p->written;
	return p->end > from ? p->end - from : 0;
}

void weir__sink_update_lag(struct weir_sink_worker *w)
{
	int64_t lag = 0;

	for (size_t i = 0; i < w->partition_count && lag >= 0; i++) {
		int64_t one = lag_of(w, w->partitions[i]);
		lag = one < 0 ? -1 : lag + one;
	}
	pthread_mutex_lock(&w->lock);
	w->status.lag = lag;
	pthread_mutex_unlock(&w->lock);
}

/* --- caught up ------------------------------------------------------------------------------------------------ */

static bool set_targets(struct weir_sink_worker *w)
{
	int32_t n = weir_topic_partitions(w->cluster, w->topic, NULL);
	int64_t *targets = n > 0 ? weir__malloc((size_t)n * sizeof *targets) : NULL;
	int64_t first;

	for (int32_t i = 0; i < n; i++) {
		if (!weir_offsets_range(w->cluster, w->topic, i, &first, &targets[i], NULL)) {
			free(targets);
			return false;
		}
		if (targets[i] == first)
			targets[i] = 0; /* nothing lies there */
	}
	if (n <= 0)
		return false;
	pthread_mutex_lock(&w->lock);
	if (!w->targets) {
		w->targets = targets;
		w->others = weir__calloc((size_t)n, sizeof *w->others);
		w->target_count = n;
		targets = NULL;
	}
	pthread_mutex_unlock(&w->lock);
	free(targets);
	return true;
}

bool weir__sink_ask_others(struct weir_sink_worker *w, weir_error *err)
{
	pthread_mutex_lock(&w->lock);
	int32_t n = w->targets ? w->target_count : 0;
	pthread_mutex_unlock(&w->lock);
	if (n && !weir__sink_know_cluster(w, NULL))
		return true;              /* the cluster's fault, not the sink's: the next time */
	for (int32_t i = 0; i < n; i++) { /* targets stay as they are once they are there */
		int64_t next;

		if (weir__sink_partition(w, i) || w->others[i] >= w->targets[i])
			continue;
		if (!w->opts.sink->position(w->opts.self, w->cluster_id, w->topic, i, &next, err))
			return false;
		pthread_mutex_lock(&w->lock);
		w->others[i] = next;
		pthread_mutex_unlock(&w->lock);
	}
	return true;
}

bool weir_sink_worker_caught_up(weir_sink_worker *w)
{
	pthread_mutex_lock(&w->lock);
	bool known = w->targets != NULL;
	pthread_mutex_unlock(&w->lock);
	if (!known && !set_targets(w))
		return false;
	pthread_mutex_lock(&w->lock);
	bool done = !w->status.stopped;
	for (int32_t i = 0; i < w->target_count && done; i++) {
		struct sink_partition *p = weir__sink_partition(w, i);

		done = (p ? p->written : w->others[i]) >= w->targets[i];
	}
	pthread_mutex_unlock(&w->lock);
	return done;
}
