#include "framework/runtime/sink_worker.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "framework/base/alloc.h"
#include "framework/base/log_prefix.h"

#define AREA "sink"
#define BACKOFF_MS_MIN 100
#define BACKOFF_MS_MAX 10000
#define POLL_MS 100 /* the longest that a stop waits for a poll */
#define BATCH_RECORDS 1000
#define BATCH_BYTES ((size_t)4 << 20)
#define IDLE_MS 10000
#define LAG_MS 1000
#define QUIET_MS 1000 /* without records, until a position that has moved without any is stored */
#define OTHERS_MS 100
#define LOG_INTERVAL_MS 10000

int64_t weir__sink_now_ms(void)
{
	weir_clock *clock = weir_clock_system();

	return clock->monotonic_us(clock) / 1000;
}

void weir__sink_back_off(struct sink_backoff *b)
{
	b->delay_ms = b->delay_ms ? b->delay_ms * 2 : BACKOFF_MS_MIN;
	if (b->delay_ms > BACKOFF_MS_MAX)
		b->delay_ms = BACKOFF_MS_MAX;
	b->retry_at_ms = weir__sink_now_ms() + b->delay_ms;
}

void weir__sink_die(struct weir_sink_worker *w, const weir_error *error)
{
	weir_log(WEIR_LOG_ERROR, AREA, "stopped for good error=\"%s\"", error->message);
	pthread_mutex_lock(&w->lock);
	w->status.stopped = true;
	w->status.error = *error;
	pthread_mutex_unlock(&w->lock);
}

/* --- one turn ------------------------------------------------------------------------------------------------- */

static void set_connected(struct weir_sink_worker *w, bool connected)
{
	pthread_mutex_lock(&w->lock);
	w->status.connected = connected;
	pthread_mutex_unlock(&w->lock);
}

static void connect_sink(struct weir_sink_worker *w)
{
	weir_error failure;

	if (w->sink_backoff.retry_at_ms > weir__sink_now_ms())
		return;
	if (!w->opts.sink->open(w->opts.self, &failure)) {
		weir__sink_away(w, &failure, "open");
		return;
	}
	w->connected = true;
	set_connected(w, true);
}

static bool take(const weir_kafka_record *record, void *user)
{
	struct weir_sink_worker *w = user;
	struct sink_partition *p = weir__sink_partition(w, record->partition);

	if (!p || !p->ready || record->offset < p->stored)
		return true; /* sought once the sink is back */
	weir__sink_batch_add(&p->batch, record, w->topic);
	w->batch_full = p->batch.count >= w->opts.batch_records_max || p->batch.bytes >= BATCH_BYTES;
	return !w->batch_full;
}

/* No longer than until something is to be tried again. */
static int64_t poll_wait_ms(const struct weir_sink_worker *w)
{
	int64_t now = weir__sink_now_ms(), until = now + POLL_MS;

	if (!w->connected && w->sink_backoff.retry_at_ms < until)
		until = w->sink_backoff.retry_at_ms;
	for (size_t i = 0; i < w->partition_count; i++)
		if (w->connected && !w->partitions[i]->ready && w->partitions[i]->backoff.retry_at_ms < until)
			until = w->partitions[i]->backoff.retry_at_ms;
	return until > now ? until - now : 1;
}

static void poll_records(struct weir_sink_worker *w)
{
	weir_error failure;

	w->batch_full = false;
	bool ok = weir_consumer_poll(w->consumer, poll_wait_ms(w), take, w, &failure);
	if (ok && !w->consumer_broken) {
		w->consumer_backoff = (struct sink_backoff){ 0 };
		return;
	}
	weir__sink_back_off(&w->consumer_backoff);
	if (!ok) {
		weir__sink_note(w, &failure);
		weir_log_limited(&w->log_consumer, LOG_INTERVAL_MS, WEIR_LOG_WARN, AREA, "poll error=\"%s\"",
				 failure.message);
	}
	if (w->consumer_broken || failure.fatal)
		weir__sink_consumer_close(w);
}

static void write_batches(struct weir_sink_worker *w)
{
	for (size_t i = 0; i < w->partition_count; i++) {
		struct sink_partition *p = w->partitions[i];

		if (p->batch.count && p->ready)
			weir__sink_write(w, p);
		if (!p->ready || p->batch.count)
			continue;
		int64_t position = weir_consumer_position(w->consumer, w->topic, p->id);
		if (position <= p->written)
			continue;
		pthread_mutex_lock(&w->lock);
		p->written = position;
		pthread_mutex_unlock(&w->lock);
	}
}

/* Stores positions that only markers have moved: so that a log which is cut behind them is not taken for a loss,
 * and that other workers see how far this one is. */
static void store_positions(struct weir_sink_worker *w, int64_t quiet_ms)
{
	int64_t now = weir__sink_now_ms();

	for (size_t i = 0; i < w->partition_count && w->connected; i++) {
		struct sink_partition *p = w->partitions[i];

		if (p->ready && p->written > p->stored && now - p->wrote_at_ms >= quiet_ms)
			weir__sink_write(w, p);
	}
}

static bool is_due(int64_t *at_ms, int64_t now, int64_t interval_ms)
{
	if (now < *at_ms)
		return false;
	*at_ms = now + interval_ms;
	return true;
}

static void keep_house(struct weir_sink_worker *w)
{
	int64_t now = weir__sink_now_ms();
	weir_error failure;

	if (is_due(&w->lag_at_ms, now, LAG_MS))
		weir__sink_update_lag(w);
	if (!w->connected)
		return;
	store_positions(w, QUIET_MS);
	if (w->opts.retain_ms &&
	    is_due(&w->purge_at_ms, now, weir_config_ms(w->cfg, "repartition.purge.interval.ms")))
		weir__sink_purge(w);
	if (w->connected && is_due(&w->others_at_ms, now, OTHERS_MS) && !weir__sink_ask_others(w, &failure))
		weir__sink_away(w, &failure, "position");
	if (w->connected && w->opts.sink->idle && is_due(&w->idle_at_ms, now, w->opts.idle_interval_ms) &&
	    !w->opts.sink->idle(w->opts.self, &failure))
		weir__sink_away(w, &failure, "idle");
}

static bool going_on(struct weir_sink_worker *w)
{
	return !atomic_load(&w->stopping) && !w->status.stopped; /* only this thread sets it */
}

static void turn(struct weir_sink_worker *w)
{
	if (!w->consumer) {
		int64_t wait = w->consumer_backoff.retry_at_ms - weir__sink_now_ms();

		if (wait > 0) {
			if (wait > POLL_MS)
				wait = POLL_MS;
			nanosleep(&(struct timespec){ .tv_nsec = wait * 1000000 }, NULL);
			return;
		}
		if (!weir__sink_consumer_open(w))
			return;
	}
	if (!w->connected)
		connect_sink(w);
	if (w->connected)
		weir__sink_own_pending(w);
	poll_records(w);
	if (w->consumer && w->connected)
		write_batches(w);
	if (w->consumer)
		keep_house(w);
}

static void *run(void *user)
{
	struct weir_sink_worker *w = user;

	weir__log_prefix("sink=%s", w->opts.sink->name);
	while (going_on(w))
		turn(w);
	if (w->connected && w->consumer)
		store_positions(w, 0);
	weir__sink_consumer_close(w);
	weir__sink_dead_letters_close(&w->dead_letters);
	w->opts.sink->close(w->opts.self);
	set_connected(w, false);
	return NULL;
}

/* --- starting and stopping ------------------------------------------------------------------------------------ */

static void release(struct weir_sink_worker *w)
{
	pthread_mutex_destroy(&w->lock);
	free(w->targets);
	free(w->partitions);
	free(w->cluster_id);
	free(w->others);
	free(w->dead_letter_topic);
	free(w->group_instance_id);
	free(w->group);
	free(w->topic);
	free(w);
}

weir_sink_worker *weir_sink_worker_start(weir_cluster *cluster, const weir_config *cfg, weir_sink_worker_opts opts,
					 weir_error *err)
{
	struct weir_sink_worker *w = weir__calloc(1, sizeof *w);

	weir_assert(opts.sink && opts.topic && opts.group);
	w->cluster = cluster;
	w->cfg = cfg;
	w->opts = opts;
	if (!w->opts.batch_records_max)
		w->opts.batch_records_max = BATCH_RECORDS;
	if (!w->opts.idle_interval_ms)
		w->opts.idle_interval_ms = IDLE_MS;
	w->topic = weir__strdup(opts.topic);
	w->group = weir__strdup(opts.group);
	w->group_instance_id = weir__strdup(opts.group_instance_id);
	w->dead_letter_topic = weir__strdup(opts.dead_letter_topic);
	w->dead_letters = (struct sink_dead_letters){ .cluster = cluster, .topic = w->dead_letter_topic };
	w->status.lag = -1;
	pthread_mutex_init(&w->lock, NULL);
	int failed = pthread_create(&w->thread, NULL, run, w);
	if (!failed)
		return w;
	weir_fail(err, WEIR_IO, "thread of sink %s: %s", opts.sink->name, strerror(failed));
	release(w);
	return NULL;
}

void weir_sink_worker_stop(weir_sink_worker *w)
{
	if (!w)
		return;
	atomic_store(&w->stopping, true);
	pthread_join(w->thread, NULL);
	release(w);
}
