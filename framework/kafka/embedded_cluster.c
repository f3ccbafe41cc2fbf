#include "framework/kafka/embedded.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "framework/base/alloc.h"

/* As log.retention.check.interval.ms. */
#define RETENTION_CHECK_MS WEIR_MINUTES(5)
/* A waiting thread looks at the clock this often: deadlines may appear while it waits. */
#define WAIT_SLICE_US 100000

int64_t weir__embedded_now(struct embedded *e)
{
	return e->clock->wall_ms(e->clock);
}

static void sweep_retention(struct embedded *e, int64_t now_ms)
{
	e->retained_ms = now_ms;
	for (size_t i = 0; i < e->topic_count; i++)
		for (int32_t p = 0; p < e->topics[i]->partitions; p++)
			weir__journal_retain(e->topics[i]->journals[p], true, now_ms);
}

void weir__embedded_sweep(struct embedded *e)
{
	int64_t now_ms = weir__embedded_now(e);

	if (now_ms == e->swept_ms)
		return;
	e->swept_ms = now_ms;
	weir__txn_sweep(e, now_ms);
	for (size_t i = 0; i < e->group_count; i++)
		weir__group_sweep(e, e->groups[i], now_ms);
	if (now_ms - e->retained_ms >= RETENTION_CHECK_MS || now_ms < e->retained_ms)
		sweep_retention(e, now_ms);
}

void weir__embedded_enter(struct embedded *e)
{
	pthread_mutex_lock(&e->lock);
	weir__embedded_sweep(e);
}

void weir__embedded_leave(struct embedded *e)
{
	pthread_mutex_unlock(&e->lock);
}

int64_t weir__embedded_deadline(struct embedded *e, int64_t timeout_ms)
{
	int64_t now_us = e->clock->monotonic_us(e->clock);

	return timeout_ms > INT64_MAX / 1000 ? INT64_MAX : weir_time_add(now_us, timeout_ms * 1000);
}

bool weir__embedded_wait(struct embedded *e, pthread_cond_t *cond, int64_t deadline_us)
{
	int64_t left_us = weir_time_sub(deadline_us, e->clock->monotonic_us(e->clock));
	struct timespec until;

	if (left_us <= 0 || !e->clock->runs)
		return false;
	if (left_us > WAIT_SLICE_US)
		left_us = WAIT_SLICE_US;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (until.tv_nsec + left_us * 1000) / 1000000000;
	until.tv_nsec = (until.tv_nsec + left_us * 1000) % 1000000000;
	pthread_cond_timedwait(cond, &e->lock, &until);
	weir__embedded_sweep(e);
	return true;
}

void weir__cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

const char *weir__embedded_intern(struct embedded *e, const char *name)
{
	for (size_t i = 0; i < e->name_count; i++)
		if (e->names[i] == name || !strcmp(e->names[i], name))
			return e->names[i];
	WEIR__GROW(e->names, e->name_count, e->name_room);
	return e->names[e->name_count++] = weir__strdup(name);
}

static const char *cluster_id(weir_cluster *cluster, weir_error *err)
{
	(void)err;
	return weir__embedded(cluster)->id;
}

static void cluster_free(weir_cluster *cluster)
{
	struct embedded *e = weir__embedded(cluster);

	weir__txns_release(e);
	for (size_t i = 0; i < e->group_count; i++)
		weir__group_free(e->groups[i]);
	for (size_t i = 0; i < e->topic_count; i++) {
		weir_assert(e->topics[i]->refs == 1); /* else a consumer or producer is open */
		weir__topic_unref(e->topics[i]);
	}
	for (size_t i = 0; i < e->name_count; i++)
		free(e->names[i]);
	free(e->groups);
	free(e->topics);
	free(e->names);
	pthread_cond_destroy(&e->settled);
	pthread_mutex_destroy(&e->lock);
	free(e);
}

static const struct cluster_ops ops = {
	.free = cluster_free,
	.id = cluster_id,
	.topics_create = weir__embedded_topics_create,
	.topics_delete = weir__embedded_topics_delete,
	.topic_widen = weir__embedded_topic_widen,
	.topic_partitions = weir__embedded_topic_partitions,
	.topic_config = weir__embedded_topic_config,
	.topics_each = weir__embedded_topics_each,
	.offsets_range = weir__embedded_offsets_range,
	.offsets_for_times = weir__embedded_offsets_for_times,
	.records_delete = weir__embedded_records_delete,
	.group_committed = weir__embedded_group_committed,
	.group_alter = weir__embedded_group_alter,
	.group_delete = weir__embedded_group_delete,
	.group_describe = weir__embedded_group_describe,
	.consumer_open = weir__embedded_consumer_open,
	.producer_open = weir__embedded_producer_open,
};

weir_cluster *weir_cluster_embedded(weir_embedded_opts opts)
{
	static atomic_uint clusters;
	struct embedded *e = weir__calloc(1, sizeof *e);
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	/* Held for less than a microsecond as a rule: spinning a little beats sleeping. */
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(&e->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	weir__cond_init(&e->settled);
	e->base.ops = &ops;
	e->clock = opts.clock ? opts.clock : weir_clock_system();
	e->opts = opts;
	e->opts.session_timeout_ms = opts.session_timeout_ms ? opts.session_timeout_ms : WEIR_SECONDS(10);
	e->opts.transaction_timeout_ms =
		opts.transaction_timeout_ms ? opts.transaction_timeout_ms : WEIR_SECONDS(10);
	e->opts.future_ms_max = opts.future_ms_max ? opts.future_ms_max : WEIR_HOURS(1);
	e->retained_ms = e->swept_ms = weir__embedded_now(e);
	/* Like a real one, never that of an earlier cluster: state kept on disk must not be taken for this
	 * one's. */
	snprintf(e->id, sizeof e->id, "embedded-%llx-%x-%x", (unsigned long long)weir__embedded_now(e),
		 (unsigned)getpid(), atomic_fetch_add(&clusters, 1));
	return &e->base;
}
