/*
 * What members of a group divide the work by (group.c), they must agree on: or two have the same task. The anchor
 * of several topics is the one with the most partitions, so it is another one when a topic has got more meanwhile.
 * Whoever starts then looks by which topics those divide it that run already, and does not join them by others.
 * That tells nothing amid a round of rebalancing, and of those who start at the same moment: where numbers of
 * partitions decide, a task begins only after a look at the group at rest, as whose member it has got the task.
 */
#include <stdio.h>

#include "framework/runtime/runtime.h"

const char *weir__anchor_of(weir_app *app, const struct subtopology *sub)
{
	if (app->anchors[sub->id])
		return app->anchors[sub->id];
	for (size_t i = 0; i < sub->topic_count; i++) {
		const struct app_topic *topic = weir__app_topic(app, sub->topics[i]);

		if (topic->partitions == atomic_load(&app->task_counts[sub->id]))
			return topic->name;
	}
	return NULL;
}

enum {
	LOOK_US = 20000, /* a look in vain follows another after that */
	START_MS = 30000,
	WAIT_MS = 5000, /* of a worker, whose other tasks wait meanwhile */
};

struct comparison {
	weir_app *app;
	struct worker *worker;             /* NULL = before it has tasks */
	const struct subtopology *differs; /* NULL = none does */
	char theirs[256];
};

static bool reads(weir_app *app, const struct subtopology *sub, const char *topic)
{
	for (size_t i = 0; i < sub->topic_count; i++)
		if (sub->topics[i]->kind == TOPIC_PATTERN
			    ? weir__graph_matches(sub->topics[i], topic)
			    : strcmp(weir__app_topic(app, sub->topics[i])->name, topic) == 0)
			return true;
	return false;
}

static bool is_ours(weir_app *app, const char *topic)
{
	for (size_t i = 0; i < app->topology->subtopology_count; i++) {
		const char *ours = weir__anchor_of(app, &app->topology->subtopologies[i]);

		if (ours && strcmp(ours, topic) == 0)
			return true;
	}
	return false;
}

/* Of a task that stands in the description, this has come from a group at rest, and is no older than the share that
 * the task came with: a broker tells of no assignments amid a round. */
static void note_task(struct worker *w, const char *topic, int32_t partition)
{
	for (size_t i = 0; i < w->task_count; i++) {
		struct task *t = w->tasks[i];
		const char *anchor = weir__anchor_of(w->app, t->sub);

		t->agreed |= t->partition == partition && anchor && strcmp(anchor, topic) == 0;
	}
}

static void compare(const char *client_id, const char *member_id, const char *topic, int32_t partition, void *user)
{
	struct comparison *c = user;

	(void)client_id, (void)member_id;
	if (!topic || partition < 0)
		return;
	if (c->worker)
		note_task(c->worker, topic, partition);
	for (size_t i = 0; !is_ours(c->app, topic) && i < c->app->topology->subtopology_count; i++) {
		const struct subtopology *sub = &c->app->topology->subtopologies[i];
		const char *ours = weir__anchor_of(c->app, sub);

		if (c->differs || !ours || strcmp(ours, topic) == 0 || !reads(c->app, sub, topic))
			continue;
		c->differs = sub;
		snprintf(c->theirs, sizeof c->theirs, "%s", topic);
	}
}

static bool compared(const struct comparison *c, weir_error *err)
{
	if (!c->differs)
		return true;
	return weir_fail(
		err, WEIR_STATE,
		"members of the group \"%s\" divide sub-topology %d by the partitions of topic \"%s\", this "
		"instance would by those of \"%s\": numbers of partitions, or the topology, have changed, and "
		"both would process the same records; stop all instances, then start them again (killed ones "
		"count until session.timeout.ms is over)",
		c->app->settings.application_id, c->differs->id, c->theirs, weir__anchor_of(c->app, c->differs));
}

bool weir__anchors_check(weir_app *app, weir_error *err)
{
	struct comparison c = { .app = app };
	bool may_differ = app->has_patterns;
	weir_error why;

	for (size_t i = 0; i < app->topology->subtopology_count; i++)
		may_differ |= app->topology->subtopologies[i].topic_count > 1;
	if (!may_differ)
		return true;
	if (!weir_group_describe(app->cluster, app->settings.application_id, compare, &c, START_MS, &why)) {
		weir_log(WEIR_LOG_WARN, "app", "who runs already is not known: %s", why.message);
		return true;
	}
	return compared(&c, err);
}

/* Whoever begins later looks later, when what is this task's stands in the description: of two that look, at
 * least one sees the other. Positions are read after it, so that what somebody who is gone by then has committed
 * counts. */
bool weir__anchors_agreed(struct task *t, weir_error *err)
{
	struct worker *w = t->worker;
	struct comparison c = { .app = w->app, .worker = w };
	int64_t now_us = weir__now_us(w->app);

	if (t->agreed || !w->app->anchors_vary[t->sub->id])
		return true;
	if (now_us >= w->next_anchors_us) { /* for all tasks of the worker */
		w->next_anchors_us = now_us + LOOK_US;
		weir_fail(&w->anchors_why, WEIR_TIMEOUT, "the group does not come to rest");
		w->anchors_why.retriable = true;
		if (!weir_group_describe(w->app->cluster, w->app->settings.application_id, compare, &c, WAIT_MS,
					 &w->anchors_why))
			weir_wrap(&w->anchors_why, "by what the others divide the work is not known");
		else if (!compared(&c, err) || t->agreed)
			return !c.differs;
	}
	if (err)
		*err = w->anchors_why;
	return weir_wrap(err, "task %s", t->id);
}
