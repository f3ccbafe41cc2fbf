/*
 * What members of a group divide the work by (group.c), they must agree on: or two have the same task. The anchor
 * of several topics is the one with the most partitions, so it is another one when a topic has got more meanwhile.
 * Whoever starts then looks by which topics those divide it that run already, and does not join them by others.
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

struct comparison {
	weir_app *app;
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

static void compare(const char *client_id, const char *member_id, const char *topic, int32_t partition, void *user)
{
	struct comparison *c = user;

	(void)client_id, (void)member_id;
	for (size_t i = 0; topic && partition >= 0 && i < c->app->topology->subtopology_count; i++) {
		const struct subtopology *sub = &c->app->topology->subtopologies[i];
		const char *ours = weir__anchor_of(c->app, sub);

		if (c->differs || !ours || strcmp(ours, topic) == 0 || !reads(c->app, sub, topic))
			continue;
		c->differs = sub;
		snprintf(c->theirs, sizeof c->theirs, "%s", topic);
	}
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
	if (!weir_group_describe(app->cluster, app->settings.application_id, compare, &c, &why)) {
		weir_log(WEIR_LOG_WARN, "app", "who runs already is not known: %s", why.message);
		return true;
	}
	if (!c.differs)
		return true;
	return weir_fail(
		err, WEIR_STATE,
		"members of the group \"%s\" divide sub-topology %d by the partitions of topic \"%s\", this "
		"instance would by those of \"%s\": numbers of partitions, or the topology, have changed, and "
		"both would process the same records; stop all instances, then start them again (killed ones "
		"count until session.timeout.ms is over)",
		app->settings.application_id, c.differs->id, c.theirs, weir__anchor_of(app, c.differs));
}
