/* What the group says. The subscription names one topic for each sub-topology, its anchor; each of its partitions
 * stands for a task. */
#include <stdlib.h>

#include "framework/base/alloc.h"
#include "framework/runtime/runtime.h"

static const struct subtopology *subtopology_of(weir_app *app, const char *topic)
{
	for (size_t i = 0; i < app->topology->topic_count; i++)
		if (strcmp(app->topics[i].name, topic) == 0)
			return &app->topology->subtopologies[app->topics[i].graph->source->subtopology];
	for (size_t i = 0; i < app->topology->subtopology_count; i++)
		if (app->anchors[i] && strcmp(app->anchors[i], topic) == 0)
			return &app->topology->subtopologies[i];
	return NULL;
}

static size_t find_task(struct worker *w, const struct subtopology *sub, int32_t partition)
{
	for (size_t i = 0; i < w->task_count; i++)
		if (w->tasks[i]->sub == sub && w->tasks[i]->partition == partition)
			return i;
	return SIZE_MAX;
}

/* A partition of an input that has come since the start: neither the other topics nor the changelogs are known to
 * have it. A start looks at all of them. */
static bool is_unknown(struct worker *w, const struct subtopology *sub, const weir_partition *anchor)
{
	int32_t known = atomic_load(&w->app->task_counts[sub->id]);

	if (sub->pattern || anchor->partition < known)
		return false;
	weir_fail(
		&w->error, WEIR_STATE,
		"topic \"%s\" has more partitions than the %d with which this instance has started: start it again",
		anchor->topic, (int)known);
	w->failed = w->stop = true;
	return true;
}

static void assigned(struct worker *w, const weir_partition *anchor)
{
	const struct subtopology *sub = subtopology_of(w->app, anchor->topic);

	if (!sub || find_task(w, sub, anchor->partition) != SIZE_MAX || is_unknown(w, sub, anchor))
		return;
	if (anchor->partition >= atomic_load(&w->app->task_counts[sub->id])) /* another has widened the anchor */
		atomic_store(&w->app->task_counts[sub->id], anchor->partition + 1);
	struct task *t = weir__task_new(w, sub, anchor->partition);
	size_t n = weir__task_partitions(t, t->list);

	w->tasks = weir__realloc(w->tasks, (w->task_count + 1) * sizeof *w->tasks);
	w->tasks[w->task_count++] = t;
	/* Paused until its state is there: then it goes to its committed positions. */
	if (!weir_consumer_assign(w->consumer, t->list, n, &w->error) ||
	    !weir_consumer_pause(w->consumer, t->list, n, &w->error)) {
		weir_wrap(&w->error, "assign task %s", t->id);
		w->failed = w->stop = true;
	}
}

static void taken_away(struct worker *w, const weir_partition *anchor, bool clean)
{
	const struct subtopology *sub = subtopology_of(w->app, anchor->topic);
	size_t i = sub ? find_task(w, sub, anchor->partition) : SIZE_MAX;

	if (i == SIZE_MAX)
		return;
	struct task *t = w->tasks[i];
	size_t n = weir__task_partitions(t, t->list);

	w->tasks[i] = w->tasks[--w->task_count];
	if (!weir_consumer_unassign(w->consumer, t->list, n, &w->error)) {
		weir_wrap(&w->error, "unassign task %s", t->id);
		w->failed = w->stop = true;
	}
	weir__task_close(t, clean);
}

void weir__on_group(weir_consumer *consumer, weir_group_event event, const weir_partition *list, size_t n,
		    void *worker)
{
	struct worker *w = worker;
	weir_error why;

	(void)consumer;
	weir_log(WEIR_LOG_INFO, "group", "%s tasks=%zu",
		 event == WEIR_GROUP_ASSIGNED  ? "assigned"
		 : event == WEIR_GROUP_REVOKED ? "revoked"
					       : "lost",
		 n);
	if (event == WEIR_GROUP_REVOKED && !w->app->crash)
		weir__commit(w);
	if (event == WEIR_GROUP_LOST) {
		weir_fail(&why, WEIR_FENCED, "the membership of the group is lost");
		weir__abort(w, &why);
	}
	if (event == WEIR_GROUP_ASSIGNED && w->app->has_patterns && !w->stop)
		weir__patterns_round(w);
	w->next_anchors_us = 0;
	for (size_t i = 0; i < n; i++)
		if (event == WEIR_GROUP_ASSIGNED)
			assigned(w, &list[i]);
		else
			taken_away(w, &list[i], event == WEIR_GROUP_REVOKED && !w->app->crash);
	weir__worker_count_tasks(w); /* before it has a share: or it would pass for running for a moment */
	atomic_store(&w->has_share, true);
}

static void changelog_out_of_range(struct worker *w, struct task_store *s, const weir_error *error)
{
	weir_error err;

	weir_log(WEIR_LOG_WARN, "restore", "the changelog has moved on; restoring again task=%s store=%s: %s",
		 s->task->id, s->graph->spec.name, error->message);
	weir__restore_cancel(s->task);
	if (!weir__store_wipe(s->store, &err)) {
		w->failed = true;
		w->error = err;
		w->stop = true;
	}
	weir__task_reset(s->task);
}

/* Either records are gone, or another member has the task by now, has committed and deleted what is done, and we
 * have not heard of it. What is committed at present tells: task.c: check_doubtful. */
static void position_out_of_range(struct worker *w, struct input *in, const weir_error *error)
{
	weir_log(WEIR_LOG_WARN, "group", "reading again from the committed position task=%s: %s", in->task->id,
		 error->message);
	in->doubtful = true;
	if (!in->task->touched) {
		weir__task_reset(in->task);
		return;
	}
	w->failed = true;
	w->error = *error;
}

void weir__on_partition_error(weir_consumer *consumer, const weir_partition *p, const weir_error *error,
			      void *worker)
{
	struct worker *w = worker;

	if (consumer == w->restorer && error->code == WEIR_STATE && p->user) {
		changelog_out_of_range(w, p->user, error);
		return;
	}
	if (error->code == WEIR_STATE && p->user) {
		position_out_of_range(w, p->user, error);
		return;
	}
	struct input *in = consumer == w->consumer ? p->user : NULL;

	if (error->code == WEIR_NOT_FOUND && in && in->matched) {
		weir_log(WEIR_LOG_INFO, "group", "a topic that matched cannot be read: %s", error->message);
		in->gone = true;
		w->next_match_us = 0;
		return;
	}
	w->failed = true;
	w->error = *error;
	w->stop = true;
}
