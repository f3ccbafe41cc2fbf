/* What nobody needs any more is deleted by event time and behind commits, since the broker's own retention goes by
 * its wall clock. */
#include <stdlib.h>

#include "framework/base/alloc.h"
#include "framework/runtime/runtime.h"

struct list {
	weir_partition *items;
	size_t count;
};

static void add(struct list *list, const char *topic, int32_t partition, int64_t offset)
{
	if (offset <= 0)
		return;
	list->items = weir__realloc(list->items, (list->count + 1) * sizeof *list->items);
	list->items[list->count++] = (weir_partition){ .topic = topic, .partition = partition, .offset = offset };
}

/* Records older than retain_ms, as far as they are committed. */
static int64_t expired_offset(struct input *in, int64_t retain_ms)
{
	weir_app *app = in->task->worker->app;
	weir_partition read = { .topic = in->topic, .partition = in->partition, .offset = in->committed };

	return weir__ages_expired(&in->ages, &read, in->time_ms, retain_ms, app->cluster, app->clock);
}

static void collect(struct task *t, struct list *list)
{
	for (size_t i = 0; i < t->input_count; i++) {
		struct input *in = &t->inputs[i];
		const weir_source_opts *opts = in->source->node->opts;

		for (size_t j = 0; j < t->sub->topic_count; j++)
			if (t->sub->topics[j]->source == in->source->node &&
			    t->sub->topics[j]->kind == TOPIC_REPARTITION)
				add(list, in->topic, in->partition, in->committed);
		if (opts->retain_ms)
			add(list, in->topic, in->partition, expired_offset(in, opts->retain_ms));
	}
	for (size_t i = 0; i < t->store_count; i++)
		if (t->stores[i].changelog && weir__store_kind_timed(t->stores[i].graph->spec.kind))
			add(list, t->stores[i].changelog, t->partition,
			    weir__store_purge_offset(t->stores[i].store, weir__store_time(t->stores[i].store)));
}

void weir__purge(struct worker *w)
{
	int64_t now_us = weir__now_us(w->app);
	struct list list = { 0 };
	weir_error err;

	if (now_us < w->next_purge_us)
		return;
	w->next_purge_us = now_us + w->app->settings.purge_interval_ms * 1000;
	for (size_t i = 0; i < w->task_count; i++)
		if (w->tasks[i]->state == TASK_RUNNING)
			collect(w->tasks[i], &list);
	if (list.count && !weir_records_delete(w->app->cluster, list.items, list.count, &err))
		weir_log(WEIR_LOG_WARN, "purge", "delete records: %s", err.message);
	free(list.items);
}

enum { CLEANUP_LOOK_US = 500000 };

/* Counted from when the instance has come to rest: while a group gathers, or a cluster is away, it may be that
 * partitions come back. */
void weir__cleanup(struct worker *w)
{
	weir_app *app = w->app;
	int64_t now_us = weir__now_us(app), delay_ms = app->settings.cleanup_delay_ms;
	weir_error err;

	if (w->index != 0 || now_us < w->next_cleanup_us)
		return;
	w->next_cleanup_us = now_us + CLEANUP_LOOK_US;
	if (weir_app_state_get(app, NULL) != WEIR_APP_RUNNING)
		w->running_since_us = now_us;
	if (now_us - w->running_since_us < delay_ms * 1000)
		return;
	int n = weir__state_cleanup(app->state, delay_ms, &err);

	if (n < 0)
		weir_log(WEIR_LOG_WARN, "state", "clean up: %s", err.message);
	else if (n > 0)
		weir_log(WEIR_LOG_INFO, "state", "removed local state of partitions that are elsewhere stores=%d",
			 n);
}
