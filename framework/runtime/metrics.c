/* What a running application shows. The workers count; whoever reads the metrics looks. */
#include <stdio.h>
#include <stdlib.h>

#include "framework/base/alloc.h"
#include "framework/runtime/runtime.h"

static const weir_metric_def defs[] = {
	{ "weir_records_processed_total", WEIR_COUNTER, { "worker" }, 0, "Records taken from input topics." },
	{ "weir_commits_total", WEIR_COUNTER, { "worker" }, 0, "Transactions committed." },
	{ "weir_aborts_total",
	  WEIR_COUNTER,
	  { "worker" },
	  0,
	  "Transactions aborted; what they had touched was read again as committed." },
	{ "weir_worker_failures_total",
	  WEIR_COUNTER,
	  { "worker" },
	  0,
	  "Errors that ended the worker: another took its place, or the instance stopped." },
	{ "weir_dead_letters_total",
	  WEIR_COUNTER,
	  { "worker" },
	  0,
	  "Records that went to the dead-letter topic, or were dropped where there is none." },
	{ "weir_dropped_records_total",
	  WEIR_COUNTER,
	  { "worker" },
	  0,
	  "How often a step, a window or a store has not taken a record: as Kafka Streams' dropped-records-total "
	  "counts." },
	{ "weir_restored_records_total",
	  WEIR_COUNTER,
	  { "worker" },
	  0,
	  "Changelog records read to bring stores up to date." },
	{ "weir_restore_remaining_records",
	  WEIR_GAUGE,
	  { "worker" },
	  0,
	  "Changelog records still to be read for the stores that are being brought up to date." },
	{ "weir_cache_bytes", WEIR_GAUGE, { "worker" }, 0, "Memory of the stores' caches, as of the last commit." },
	{ "weir_lag_records",
	  WEIR_GAUGE,
	  { "worker" },
	  0,
	  "Records of the input topics that running tasks have yet to process, as of the last fetches." },
	{ "weir_tasks_not_running", WEIR_GAUGE, { "worker" }, 0, "Tasks that are opening or restoring." },
	{ "weir_commit_seconds",
	  WEIR_HISTOGRAM,
	  { "worker" },
	  1e-6,
	  "Duration of a commit, from the flush of the caches on." },
	{ "weir_state",
	  WEIR_GAUGE,
	  { NULL },
	  0,
	  "State of the application: 0 created, 1 rebalancing, 2 running, 3 shutting down, 4 not running, 5 "
	  "error." },
};

enum { WORKER_WATCHES = 11, APP_WATCHES = 1, LOOK_US = 1000000 };

struct worker_watch {
	weir_metric_watch *all[WORKER_WATCHES + APP_WATCHES];
};

#define READ_COUNT(field) \
	static double read_##field(void *worker) \
	{ \
		return (double)atomic_load(&((struct worker *)worker)->field); \
	}
READ_COUNT(records)
READ_COUNT(commits)
READ_COUNT(aborts)
READ_COUNT(failures)
READ_COUNT(dead_letters)
READ_COUNT(dropped)
READ_COUNT(restored)
READ_COUNT(restore_left)
READ_COUNT(cache_bytes)
READ_COUNT(lag)
READ_COUNT(tasks_not_running)

static double read_state(void *app)
{
	return weir_app_state_get(app, NULL);
}

void weir__metrics_look(struct worker *w)
{
	int64_t now_us = weir__now_us(w->app), lag = 0;

	if (now_us < w->next_look_us)
		return;
	w->next_look_us = now_us + LOOK_US;
	for (size_t i = 0; i < w->task_count; i++) {
		const struct task *t = w->tasks[i];

		for (size_t j = 0; t->state == TASK_RUNNING && j < t->input_count; j++) {
			const struct input *in = &t->inputs[j];
			int64_t behind = weir_consumer_lag(w->consumer, in->topic, in->partition);

			lag += (behind > 0 ? behind : 0) + in->waiting;
		}
	}
	atomic_store_explicit(&w->lag, lag, memory_order_relaxed);
	weir__store_metrics_look(w);
	weir__restore_progress(w);
}

void weir__metrics_describe(weir_metrics *m)
{
	weir_metrics_add(m, defs, sizeof defs / sizeof *defs);
	weir__store_metrics_describe(m);
}

void weir__metrics_register(weir_app *app)
{
	static weir_metric_read_fn *const reads[WORKER_WATCHES] = {
		read_records,           read_commits,  read_aborts,       read_failures,    read_dead_letters,
		read_dropped,           read_restored, read_restore_left, read_cache_bytes, read_lag,
		read_tasks_not_running,
	};

	weir__metrics_describe(app->metrics);
	for (int i = 0; i < app->settings.workers; i++) {
		struct worker *w = &app->workers[i];
		char index[12];
		const char *labels[] = { index };

		snprintf(index, sizeof index, "%d", i);
		w->commit_time = weir_histogram_open(app->metrics, "weir_commit_seconds", labels);
		w->watches = weir__calloc(1, sizeof *w->watches);
		for (int j = 0; j < WORKER_WATCHES; j++)
			w->watches->all[j] =
				weir_metric_watch_open(app->metrics, defs[j].name, labels, reads[j], w);
		if (i == 0)
			w->watches->all[WORKER_WATCHES] =
				weir_metric_watch_open(app->metrics, "weir_state", NULL, read_state, app);
		weir__store_metrics_register(w);
	}
}

void weir__metrics_unregister(weir_app *app)
{
	for (int i = 0; i < app->settings.workers; i++) {
		struct worker *w = &app->workers[i];

		for (int j = 0; j < WORKER_WATCHES + APP_WATCHES; j++)
			weir_metric_watch_close(app->metrics, w->watches->all[j]);
		weir_histogram_close(app->metrics, w->commit_time);
		weir__store_metrics_unregister(w);
		free(w->watches);
	}
}
