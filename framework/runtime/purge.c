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

enum { AGES = 1024 };

/* Remembers how far the input had come at this time; at most AGES entries over retain_ms. */
static void remember_age(struct input *in, int64_t newest_ms, int64_t retain_ms)
{
	struct age *last = in->age_count ? &in->ages[in->age_count - 1] : NULL;

	if (in->committed <= 0 || (last && newest_ms - last->time_ms <= retain_ms / (AGES - 2)))
		return;
	if (!in->ages)
		in->ages = weir__calloc(AGES, sizeof *in->ages);
	if (in->age_count == AGES)
		memmove(in->ages, in->ages + 1, --in->age_count * sizeof *in->ages);
	in->ages[in->age_count++] = (struct age){ in->committed, newest_ms };
}

static int64_t offset_by_age(struct input *in, int64_t before_ms)
{
	size_t n = 0;

	while (n < in->age_count && in->ages[n].time_ms < before_ms)
		n++;
	if (n == 0)
		return 0;
	int64_t offset = in->ages[n - 1].offset;

	memmove(in->ages, in->ages + n, (in->age_count - n) * sizeof *in->ages);
	in->age_count -= n;
	return offset;
}

/* Records older than retain_ms, as far as they are committed. The broker knows the first record that is young
 * enough, which helps after a start; but one from a clock that runs ahead is young for a long time, so what was
 * seen here decides as well. */
static int64_t expired_offset(struct input *in, int64_t retain_ms)
{
	weir_app *app = in->task->worker->app;
	int64_t now_ms = app->clock->wall_ms(app->clock);
	/* A future date must not make the present look old. */
	int64_t newest_ms = in->time_ms < now_ms ? in->time_ms : now_ms;
	int64_t before_ms = weir_time_sub(newest_ms, retain_ms);
	weir_partition p = { .topic = in->topic, .partition = in->partition, .offset = before_ms };
	weir_error err;

	if (in->time_ms == INT64_MIN || before_ms <= 0)
		return 0;
	remember_age(in, newest_ms, retain_ms);
	int64_t offset = offset_by_age(in, before_ms);

	if (weir_offsets_for_times(app->cluster, &p, 1, &err) && p.offset > offset)
		offset = p.offset;
	return offset < in->committed ? offset : in->committed;
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
		if (t->stores[i].changelog && t->stores[i].graph->spec.kind == STORE_WINDOW)
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
