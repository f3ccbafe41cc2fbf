#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "framework/base/alloc.h"
#include "framework/base/log_prefix.h"
#include "framework/base/canary.h"
#include "framework/runtime/runtime.h"

enum {
	CLOCK_EVERY = 16,    /* records between two looks at the clock */
	MEMORY_EVERY = 4096, /* records between two looks at the caches' size */
	IDLE_US = 1000000,   /* without records: positions behind markers are committed */
	WAIT_MS = 50,        /* longest wait in a poll: bounds how long a query waits */
	RESTORE_WAIT_MS = 20,
};

#define FAR_MS WEIR_DAYS(36500) /* a timer this far away is not waited for */

/* To one topic of each sub-topology, its anchor. Where all is global there is none, and nothing to wait for. */
static bool subscribe(struct worker *w, weir_error *err)
{
	weir_app *app = w->app;

	if (app->topology->subtopology_count == 0) {
		atomic_store(&w->has_share, true);
		return true;
	}
	const char **anchors = weir__calloc(app->topology->subtopology_count, sizeof *anchors);

	for (size_t i = 0; i < app->topology->subtopology_count; i++)
		anchors[i] = weir__anchor_of(app, &app->topology->subtopologies[i]);
	bool ok = weir_consumer_subscribe(w->consumer, anchors, app->topology->subtopology_count, err);

	free(anchors);
	return ok;
}

static bool open_consumers(struct worker *w, weir_error *err)
{
	weir_app *app = w->app;
	const struct settings *s = &app->settings;

	w->consumer = weir_consumer_open(app->cluster,
					 (weir_consumer_opts){
						 .group = s->application_id,
						 .group_instance_id = s->static_membership ? w->id : NULL,
						 .client_id = weir_config_string(app->cfg, "application.server"),
						 .queue_bytes_max = s->fetch_bytes_max,
						 .session_timeout_ms = s->session_timeout_ms,
						 .max_poll_interval_ms = s->max_poll_interval_ms,
						 .on_group = weir__on_group,
						 .on_partition_error = weir__on_partition_error,
						 .on_member = weir__shutdown_heed,
						 .user = w,
					 },
					 err);
	if (!w->consumer)
		return weir_wrap(err, "open the consumer");
	return (w->restorer || weir__restorer_open(w, err)) &&
	       (subscribe(w, err) || weir_wrap(err, "join the group"));
}

static void set_up(struct worker *w)
{
	snprintf(w->id, sizeof w->id, "%s-%s-%d", w->app->settings.application_id, w->app->instance_id, w->index);
	w->last_commit_us = w->last_recommit_us = w->last_touch_us = weir__now_us(w->app);
	w->next_purge_us = w->last_commit_us + w->app->settings.purge_interval_ms * 1000;
	w->running_since_us = w->last_commit_us;
}

bool weir__worker_open(struct worker *w, weir_error *err)
{
	set_up(w);
	return weir__producer_open(w, err) && open_consumers(w, err);
}

/* --- the first producer, beside everything else --------------------------------------------------- */

enum { FIRST_TAKEN, FIRST_OPENING, FIRST_OPEN, FIRST_FAILED };

static void *open_first(void *worker)
{
	struct worker *w = worker;

	weir__log_prefix("worker=%d", w->index);
	w->first.producer = weir__producer_new(w, &w->first.error);
	atomic_store_explicit(&w->first.state, w->first.producer ? FIRST_OPEN : FIRST_FAILED, memory_order_release);
	return NULL;
}

bool weir__worker_open_begin(struct worker *w, weir_error *err)
{
	set_up(w);
	atomic_store(&w->first.state, FIRST_OPENING);
	int e = pthread_create(&w->first.thread, NULL, open_first, w);

	w->first.has_thread = e == 0;
	if (!e)
		return true;
	atomic_store(&w->first.state, FIRST_TAKEN);
	return weir_fail(err, WEIR_IO, "start a thread: %s", strerror(e));
}

bool weir__worker_join_group(struct worker *w, weir_error *err)
{
	return open_consumers(w, err);
}

bool weir__worker_open_end(struct worker *w, weir_error *err)
{
	if (!w->first.has_thread)
		return true;
	pthread_join(w->first.thread, NULL);
	w->first.has_thread = false;
	if (atomic_load(&w->first.state) != FIRST_FAILED)
		return true;
	if (err)
		*err = w->first.error;
	return false;
}

/* Of the worker's thread. False: it is not there yet. */
static bool take_first(struct worker *w)
{
	int state = atomic_load_explicit(&w->first.state, memory_order_acquire);

	if (state == FIRST_OPEN) {
		w->producer = w->first.producer;
		atomic_store(&w->first.state, FIRST_TAKEN);
	}
	return state != FIRST_OPENING;
}

static void worker_stop(struct worker *w, const weir_error *err)
{
	if (w->stop)
		return;
	w->failed = w->stop = true;
	w->error = *err;
}

/* --- records ------------------------------------------------------------------------------------- */

static int64_t commit_due_us(const struct worker *w)
{
	return w->in_transaction ? w->last_commit_us + w->app->settings.commit_interval_us : INT64_MAX;
}

static void watch_memory(struct worker *w)
{
	size_t total = 0, max = (size_t)w->app->settings.cache_bytes_max;

	for (size_t i = 0; i < w->task_count; i++)
		for (size_t j = 0; j < w->tasks[i]->store_count; j++)
			total += w->tasks[i]->stores[j].store
					 ? weir__store_memory_bytes(w->tasks[i]->stores[j].store)
					 : 0;
	if (total + w->due_budget.bytes > max) /* the commit makes room, and checks again */
		w->commit_now = true;
}

/* What the poll has handed over counts as taken: a record for which there is no transaction is read again. */
static bool give_back(struct input *in, const weir_kafka_record *record)
{
	struct worker *w = in->task->worker;
	weir_partition p = { .topic = in->topic, .partition = in->partition, .offset = record->offset, .user = in };
	weir_error err;

	if (!weir_consumer_seek(w->consumer, &p, 1, &err)) {
		weir_wrap(&err, "go back to a record that could not be processed");
		worker_stop(w, &err);
	}
	return false;
}

static bool on_record(const weir_kafka_record *record, void *user)
{
	struct worker *w = user;
	struct input *in = record->user;

	/* Not running: the record comes again when the task goes to its positions. Before the position: fetched
	 * ahead of a seek. */
	if (!in || in->task->state != TASK_RUNNING || record->offset < in->position)
		return true;
	if (in->task->read_count > 1) {
		weir__input_keep(in, record);
		w->kept++;
	} else if (!weir__input_process(in, record)) {
		return !WEIR__CANARY(SKIP_UNTAKEN) && give_back(in, record);
	} else if (w->app->settings.commit_each_record) {
		w->commit_now = true;
	}
	if (w->failed || in->task->cx.failed || w->commit_now || w->kept >= w->app->settings.buffered_records_max)
		return false;
	if (++w->since_clock % CLOCK_EVERY)
		return true;
	if (w->since_clock % MEMORY_EVERY == 0)
		watch_memory(w);
	int64_t now_us = weir__now_us(w->app);

	return now_us < w->leave_poll_us && now_us < commit_due_us(w);
}

/* --- one turn ------------------------------------------------------------------------------------ */

struct survey {
	bool some_run, some_not, some_restore, some_wait;
	unsigned since_clock; /* of the worker, before the poll */
	int64_t timer_us;     /* when the next wall-clock timer is due */
};

int weir__worker_count_tasks(struct worker *w)
{
	int not_running = 0;

	for (size_t i = 0; i < w->task_count; i++)
		not_running += w->tasks[i]->state != TASK_RUNNING;
	atomic_store_explicit(&w->tasks_not_running, not_running, memory_order_relaxed);
	return not_running;
}

static struct survey survey(struct worker *w)
{
	struct survey s = { .timer_us = INT64_MAX, .since_clock = w->since_clock };
	int64_t now_us = weir__now_us(w->app), now_ms = w->app->clock->wall_ms(w->app->clock);

	s.some_not = weir__worker_count_tasks(w) > 0;
	for (size_t i = 0; i < w->task_count; i++) {
		const struct task *t = w->tasks[i];

		s.some_run |= t->state == TASK_RUNNING;
		s.some_restore |= t->state == TASK_RESTORING;
		for (size_t j = 0; j < t->input_count; j++)
			s.some_wait |= t->inputs[j].head != NULL;
		if (t->next_wall_ms != INT64_MAX) {
			int64_t in_ms = t->next_wall_ms > now_ms ? t->next_wall_ms - now_ms : 0;
			int64_t at_us = in_ms < FAR_MS ? now_us + in_ms * 1000 : INT64_MAX;

			s.timer_us = at_us < s.timer_us ? at_us : s.timer_us;
		}
	}
	return s;
}

static int64_t wait_for(struct worker *w, const struct survey *s, int64_t wait_ms)
{
	int64_t now_us = weir__now_us(w->app), due_us = commit_due_us(w);

	due_us = s->timer_us < due_us ? s->timer_us : due_us;
	w->leave_poll_us = due_us;
	if (s->some_restore)
		return 0;
	if (s->some_wait || (s->some_not && wait_ms > 5))
		wait_ms = wait_ms > 5 ? 5 : wait_ms;
	if (due_us <= now_us)
		return 0;
	int64_t until_ms = (due_us - now_us) / 1000;

	return until_ms < wait_ms ? until_ms : wait_ms;
}

/* How long to wait for a changelog's records: not while there are others to process, and with tasks that run only
 * so long that nobody sees it. Without any wait the worker turns round and round until the next fetch is there. */
static int64_t restore_wait_ms(const struct worker *w, const struct survey *s)
{
	if (!s->some_run)
		return RESTORE_WAIT_MS;
	return w->since_clock == s->since_clock && !w->kept && !w->commit_now ? 1 : 0;
}

static void advance_tasks(struct worker *w, const struct survey *s)
{
	weir_error err = { .code = WEIR_OK };

	if (s->some_restore && !weir__restore_step(w, restore_wait_ms(w, s), &err)) {
		worker_stop(w, &err);
		return;
	}
	for (size_t i = 0; i < w->task_count && !w->stop; i++)
		if (w->tasks[i]->state != TASK_RUNNING && !weir__task_advance(w->tasks[i], &err))
			worker_stop(w, &err);
	weir__restore_progress(w);
}

/* Positions that only markers have moved, and those that the broker would forget (it expires offsets of topics that
 * the group does not subscribe to), are committed as well. */
static void commit_idle_positions(struct worker *w)
{
	int64_t now_us = weir__now_us(w->app);
	bool all = now_us - w->last_recommit_us >= w->app->settings.recommit_interval_us;

	if (w->failed || (!all && now_us - w->last_touch_us < IDLE_US))
		return;
	w->last_touch_us = now_us;
	if (all)
		w->last_recommit_us = now_us;
	for (size_t i = 0; i < w->task_count; i++) {
		struct task *t = w->tasks[i];

		for (size_t j = 0; t->state == TASK_RUNNING && j < t->input_count; j++) {
			struct input *in = &t->inputs[j];

			if (all || (!in->head && weir_consumer_position(w->consumer, in->topic, in->partition) >
							 (in->committed >= 0 ? in->committed : in->begin))) {
				weir__task_touch(t);
				w->commit_now = true;
				break;
			}
		}
	}
}

/* A producer that is of no use any more is made anew; until then nothing is processed. False while there is none.
 * */
static bool mend_producer(struct worker *w)
{
	weir_error err;
	int64_t now_us = weir__now_us(w->app);

	if (!w->broken_producer)
		return true;
	if (!w->broken_since_us)
		w->broken_since_us = now_us;
	if (weir__producer_open(w, &err)) {
		w->broken_since_us = 0;
		weir_log(WEIR_LOG_INFO, "commit", "new producer id=%s", w->id);
		return true;
	}
	w->broken_producer = true;
	if (now_us - w->broken_since_us > w->app->settings.task_timeout_ms * 1000) {
		weir_wrap(&err, "given up after task.timeout.ms");
		worker_stop(w, &err);
	} else {
		weir_log(WEIR_LOG_WARN, "commit", "%s", err.message);
	}
	return false;
}

/* Trouble that came up in the middle of something. */
static void mend(struct worker *w)
{
	for (size_t i = 0; i < w->task_count; i++)
		if (w->tasks[i]->cx.failed) {
			weir_error err = w->tasks[i]->cx.error;

			weir_wrap(&err, "task %s", w->tasks[i]->id);
			worker_stop(w, &err);
		}
	if (!w->failed)
		return;
	if (w->in_transaction)
		weir__abort(w, &w->error);
	else if (w->error.fatal)
		w->broken_producer = true;
	w->failed = w->stop;
}

bool weir__worker_fenced(struct worker *w, weir_error *err)
{
	if (!weir__fenced_by_twin(&w->fencings, weir__now_us(w->app), w->app->settings.session_timeout_ms * 1000))
		return false;
	weir_fail(err, WEIR_FENCED,
		  "fenced again and again under the id \"%s\": another running instance has the same instance.id; "
		  "give each its own",
		  w->id);
	return true;
}

/* The client has given up, or another member has taken the place: begin again as a new member. */
static bool new_consumer(struct worker *w, const weir_error *why)
{
	weir_error err = *why;

	weir_log(WEIR_LOG_WARN, "group", "consumer closed: %s", why->message);
	weir__abort(w, why);
	while (w->task_count)
		weir__task_close(w->tasks[--w->task_count], false);
	weir_consumer_close(w->consumer);
	w->consumer = NULL;
	if (why->code == WEIR_FENCED && weir__worker_fenced(w, &err)) {
		worker_stop(w, &err);
		return false;
	}
	weir_consumer_close(w->restorer);
	w->restorer = NULL;
	if (open_consumers(w, &err))
		return true;
	worker_stop(w, &err);
	return false;
}

bool weir__worker_step(struct worker *w, int64_t wait_ms)
{
	weir_error err;

	if (take_first(w) && !mend_producer(w))
		return !w->stop;
	if (!weir__globals_step(w->app, &err)) {
		w->global_failed = true;
		worker_stop(w, &err);
		return false;
	}
	struct survey s = survey(w);

	weir__tell_state_of(w);
	w->kept = 0;
	if (!weir_consumer_poll(w->consumer, wait_for(w, &s, wait_ms), on_record, w, &err)) {
		if (!err.fatal)
			weir_log(WEIR_LOG_WARN, "poll", "%s", err.message);
		else if (!new_consumer(w, &err))
			return false;
	}
	if (w->broken_producer) { /* by a rebalance inside the poll: nothing goes on before its end is known */
		mend(w);
		return !w->stop;
	}
	for (size_t i = 0; i < w->task_count && !w->failed; i++)
		if (w->tasks[i]->state == TASK_RUNNING && w->tasks[i]->read_count > 1)
			weir__task_process_waiting(w->tasks[i]);
	if (w->producer)
		weir_producer_poll(w->producer, 0);
	if (s.some_not && !w->failed)
		advance_tasks(w, &s);
	int64_t now_ms = w->app->clock->wall_ms(w->app->clock);

	for (size_t i = 0; i < w->task_count && !w->failed; i++)
		if (w->tasks[i]->state == TASK_RUNNING)
			weir__timers_wall(w->tasks[i], now_ms);
	commit_idle_positions(w);
	mend(w);
	if (!w->stop && (w->commit_now || weir__now_us(w->app) >= commit_due_us(w)))
		weir__commit(w);
	mend(w);
	if (!w->stop)
		weir__patterns_look(w);
	weir__queries_answer(w);
	weir__metrics_look(w);
	if (!w->stop) {
		weir__purge(w);
		weir__cleanup(w);
	}
	return !w->stop;
}

/* --- the thread ---------------------------------------------------------------------------------- */

void weir__worker_close(struct worker *w)
{
	while (!take_first(w))
		usleep(1000);
	if (w->consumer && !w->stop && !w->app->crash)
		weir__commit(w);
	if (w->in_transaction && !w->app->crash) {
		weir_error why = w->error;

		weir__abort(w, &why);
	}
	if (w->consumer && atomic_load(&w->app->leaves))
		weir_consumer_leave(w->consumer);
	weir_consumer_close(w->consumer); /* REVOKED: closes its tasks */
	w->consumer = NULL;
	while (w->task_count)
		weir__task_close(w->tasks[--w->task_count], false);
	weir_consumer_close(w->restorer);
	weir_producer_close(w->producer);
	w->restorer = NULL;
	w->producer = NULL;
	weir__queries_refuse(w);
	for (struct poison *p = w->poison, *next; p; p = next) {
		next = p->next;
		free(p);
	}
	weir__rows_free(w);
	for (struct written_topic *t = w->written, *next; t; t = next) {
		next = t->next;
		free(t);
	}
	free(w->tasks);
	free(w->positions);
	weir__matches_free(&w->matches);
	w->poison = NULL;
	w->written = NULL;
	w->tasks = NULL;
	w->positions = NULL;
}

/* As a new member of the group; nothing is left of the old worker but what it has counted. Its id is the same: the
 * producer, made in the first step, settles what the old one may have left open. */
static bool begin_anew(struct worker *w, weir_error *err)
{
	weir__worker_close(w);
	w->failed = w->stop = w->commit_now = w->row_refused = false;
	w->error = (weir_error){ .code = WEIR_OK };
	w->kept = w->aborts_in_a_row = 0;
	w->restore_failing_since_us = w->restore_told_us = 0;
	w->broken_producer = true;
	w->broken_since_us = 0;
	atomic_store(&w->has_share, false);
	weir__worker_count_tasks(w);
	set_up(w);
	return open_consumers(w, err);
}

bool weir__worker_replace(struct worker *w)
{
	weir_app *app = w->app;
	weir_error err;

	while (w->stop && !app->crash && !atomic_load_explicit(&app->stopping, memory_order_acquire)) {
		atomic_fetch_add_explicit(&w->failures, 1, memory_order_relaxed);
		if (!weir__tell_uncaught(app, w->global_failed ? -1 : w->index, &w->error) || w->global_failed)
			return false;
		weir_log(WEIR_LOG_ERROR, "app", "worker replaced: %s", w->error.message);
		if (begin_anew(w, &err))
			return true;
		worker_stop(w, &err);
		if (app->threaded)
			usleep(100000);
	}
	return false;
}

_Thread_local bool weir__on_worker;

void *weir__worker_main(void *worker)
{
	struct worker *w = worker;

	weir__on_worker = true;
	weir__log_prefix("worker=%d", w->index);
	while (!atomic_load_explicit(&w->app->stopping, memory_order_acquire)) {
		if (!weir__worker_step(w, WAIT_MS) && !weir__worker_replace(w))
			break;
		if (w->broken_producer)
			usleep(100000);
	}
	if (w->stop)
		weir__app_failed(w->app, &w->error);
	bool asks = weir__shutdown_begin(w->app); /* before it goes: one round for both */

	weir__worker_close(w);
	while (asks && weir__shutdown_step(w->app, WAIT_MS))
		;
	if (asks)
		weir__shutdown_end(w->app);
	pthread_mutex_lock(&w->app->mutex);
	atomic_store(&w->done, true);
	pthread_cond_broadcast(&w->app->changed);
	pthread_mutex_unlock(&w->app->mutex);
	weir__queries_refuse(w); /* that came before it was done */
	return NULL;
}
