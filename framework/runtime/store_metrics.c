/* What is done with stores, and the iterators that callbacks have left open (KIP-989). */
#include <stdio.h>
#include <stdlib.h>

#include "framework/base/alloc.h"
#include "framework/runtime/runtime.h"

static const weir_metric_def defs[] = {
	{ "weir_store_gets_total",
	  WEIR_COUNTER,
	  { "worker", "store" },
	  0,
	  "Look-ups of one key of a store, found or not." },
	{ "weir_store_puts_total",
	  WEIR_COUNTER,
	  { "worker", "store" },
	  0,
	  "Values put into a store, or changed in place." },
	{ "weir_store_deletes_total",
	  WEIR_COUNTER,
	  { "worker", "store" },
	  0,
	  "Keys deleted from a store, those that one of so many entries lets go of as well." },
	{ "weir_store_flushed_total",
	  WEIR_COUNTER,
	  { "worker", "store" },
	  0,
	  "Changed keys of a store that commits have given to its changelog and to the steps below." },
	{ "weir_store_iterators_total",
	  WEIR_COUNTER,
	  { "worker", "store" },
	  0,
	  "Iterators opened on a store: ranges, fetches, by weir's own steps too." },
	{ "weir_store_iterators_open",
	  WEIR_GAUGE,
	  { "worker", "store" },
	  0,
	  "Iterators on a store that are open now (KIP-989); more than a few are being left open." },
	{ "weir_store_oldest_iterator_open_since_seconds",
	  WEIR_GAUGE,
	  { "worker", "store" },
	  1e-3,
	  "Since when the oldest iterator that a callback has left open is open, in seconds since 1970, to about a "
	  "second; 0 = there is none." },
	{ "weir_store_iterator_seconds",
	  WEIR_HISTOGRAM,
	  { "worker", "store" },
	  1e-6,
	  "How long iterators were open: of one in 16, and of all that were left open." },
};
enum { WATCHES = 7 }; /* the first ones */

struct store_metrics {
	struct store_stats stats;
	atomic_llong oldest_ms; /* 0 = none is left open */
	size_t warned;          /* of so many left open at once */
	weir_metric_watch *watches[WATCHES];
};

#define READ_COUNT(field) \
	static double read_##field(void *metrics) \
	{ \
		return (double)weir_counter_value(&((struct store_metrics *)metrics)->stats.field); \
	}
READ_COUNT(gets)
READ_COUNT(puts)
READ_COUNT(deletes)
READ_COUNT(flushed)
READ_COUNT(iterators_opened)

static double read_open(void *metrics)
{
	const struct store_stats *stats = &((struct store_metrics *)metrics)->stats;
	uint64_t closed = weir_counter_value(&stats->iterators_closed);
	uint64_t opened = weir_counter_value(&stats->iterators_opened);

	return opened > closed ? (double)(opened - closed) : 0;
}

static double read_oldest(void *metrics)
{
	return (double)atomic_load(&((struct store_metrics *)metrics)->oldest_ms);
}

void weir__store_metrics_describe(weir_metrics *m)
{
	weir_metrics_add(m, defs, sizeof defs / sizeof *defs);
}

void weir__store_metrics_register(struct worker *w)
{
	static weir_metric_read_fn *const reads[WATCHES] = {
		read_gets, read_puts, read_deletes, read_flushed, read_iterators_opened, read_open, read_oldest,
	};
	const weir_topology *t = w->app->topology;
	char index[12];

	snprintf(index, sizeof index, "%d", w->index);
	w->store_metrics = weir__calloc(t->store_count + 1, sizeof *w->store_metrics);
	for (size_t i = 0; i < t->store_count; i++) {
		struct store_metrics *m = &w->store_metrics[i];
		const char *labels[] = { index, t->stores[i]->spec.name };

		m->stats.open_us = weir_histogram_open(w->app->metrics, defs[WATCHES].name, labels);
		for (int j = 0; j < WATCHES; j++)
			m->watches[j] = weir_metric_watch_open(w->app->metrics, defs[j].name, labels, reads[j], m);
	}
}

void weir__store_metrics_unregister(struct worker *w)
{
	for (size_t i = 0; i < w->app->topology->store_count; i++) {
		struct store_metrics *m = &w->store_metrics[i];

		for (int j = 0; j < WATCHES; j++)
			weir_metric_watch_close(w->app->metrics, m->watches[j]);
		weir_histogram_close(w->app->metrics, m->stats.open_us);
	}
	free(w->store_metrics);
}

struct store_stats *weir__store_stats(const struct worker *w, const struct graph_store *graph)
{
	return &w->store_metrics[graph->id].stats;
}

/* Once, and again where they have doubled: what leaks does not stop at one. */
static void warn_of(struct store_metrics *m, const char *store, size_t left, int64_t oldest_ms, int64_t now_ms)
{
	if (left == 0 || left < 2 * m->warned)
		return;
	m->warned = left;
	weir_log(WEIR_LOG_WARN, "store",
		 "iterators left open by a callback: each must be closed by the one that has opened it (a leak of "
		 "memory and files) store=%s open=%zu oldest_ms=%lld",
		 store, left, (long long)(now_ms - oldest_ms));
}

void weir__store_metrics_look(struct worker *w)
{
	const weir_topology *t = w->app->topology;
	int64_t now_ms = w->app->clock->wall_ms(w->app->clock);

	for (size_t id = 0; id < t->store_count; id++) {
		struct store_metrics *m = &w->store_metrics[id];
		int64_t oldest_ms = INT64_MAX, since_ms;
		size_t left = 0;

		if (read_open(m) == 0) {
			atomic_store_explicit(&m->oldest_ms, 0, memory_order_relaxed);
			continue;
		}
		for (size_t i = 0; i < w->task_count; i++)
			for (size_t j = 0; j < w->tasks[i]->store_count; j++) {
				const struct task_store *s = &w->tasks[i]->stores[j];

				if ((size_t)s->graph->id != id || !s->store)
					continue;
				left += weir__store_open_iterators(s->store, &since_ms);
				oldest_ms = since_ms < oldest_ms ? since_ms : oldest_ms;
			}
		atomic_store_explicit(&m->oldest_ms, left ? oldest_ms : 0, memory_order_relaxed);
		warn_of(m, t->stores[id]->spec.name, left, oldest_ms, now_ms);
	}
}
