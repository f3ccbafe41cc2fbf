/*
 * Has everything that lay in the inputs at the first call been processed? Stage by stage: first the topics from
 * outside; once they are done, what they have put into repartition topics; and so on, as often as the topology has
 * such topics.
 */
#include <stdlib.h>

#include "framework/base/alloc.h"
#include "framework/runtime/runtime.h"

struct caught_up {
	size_t stage;
	weir_partition *list;
	int64_t *ends;
	size_t count;
	bool done;
};

static void forget_list(struct caught_up *c)
{
	free(c->list);
	free(c->ends);
	c->list = NULL;
	c->ends = NULL;
	c->count = 0;
}

void weir__caught_up_free(weir_app *app)
{
	pthread_mutex_lock(&app->caught_up_mutex);
	if (app->caught_up) {
		forget_list(app->caught_up);
		free(app->caught_up);
		app->caught_up = NULL;
	}
	pthread_mutex_unlock(&app->caught_up_mutex);
}

static bool add_ends(weir_app *app, struct caught_up *c, const char *topic, int32_t partitions)
{
	weir_error err;

	for (int32_t p = 0; p < partitions; p++) {
		int64_t first, end;

		if (!weir_offsets_range(app->cluster, topic, p, &first, &end, &err))
			return false;
		if (first == end)
			continue;
		c->list = weir__realloc(c->list, (c->count + 1) * sizeof *c->list);
		c->ends = weir__realloc(c->ends, (c->count + 1) * sizeof *c->ends);
		c->list[c->count] = (weir_partition){ .topic = topic, .partition = p };
		c->ends[c->count++] = end;
	}
	return true;
}

static bool begin_stage(weir_app *app, struct caught_up *c)
{
	enum topic_kind kind = c->stage == 0 ? TOPIC_EXTERNAL : TOPIC_REPARTITION;
	struct matches matches = { 0 };
	bool ok = kind != TOPIC_EXTERNAL || !app->has_patterns || weir__matches_find(app, &matches, NULL);

	forget_list(c);
	for (size_t i = 0; ok && i < app->topology->topic_count; i++)
		if (app->topics[i].graph->kind == kind)
			ok = add_ends(app, c, app->topics[i].name, app->topics[i].partitions);
	for (size_t i = 0; ok && i < matches.count; i++)
		ok = add_ends(app, c, matches.items[i].topic, matches.items[i].partitions);
	weir__matches_free(&matches);
	if (!ok)
		forget_list(c);
	return ok;
}

static bool stage_done(weir_app *app, struct caught_up *c)
{
	weir_error err;
	bool all = true;

	if (c->count == 0)
		return true;
	if (!weir_group_committed(app->cluster, app->settings.application_id, c->list, c->count, 2000, &err))
		return false;
	for (size_t i = 0; i < c->count; i++)
		all &= c->list[i].offset >= c->ends[i];
	weir_partitions_release(c->list, c->count);
	for (size_t i = 0; i < c->count; i++)
		c->list[i].metadata = NULL;
	return all;
}

static bool look(weir_app *app)
{
	size_t stages = 1;

	for (size_t i = 0; i < app->topology->topic_count; i++)
		stages += app->topology->topics[i]->kind == TOPIC_REPARTITION;
	struct caught_up *c = app->caught_up;

	if (!c) {
		c = weir__calloc(1, sizeof *c);
		if (!begin_stage(app, c)) {
			free(c);
			return false;
		}
		app->caught_up = c;
	}
	while (!c->done && stage_done(app, c)) {
		if (++c->stage == stages)
			c->done = true;
		else if (!begin_stage(app, c)) {
			c->stage--; /* the broker does not answer: this stage is looked at again */
			return false;
		}
	}
	return c->done;
}

bool weir_app_caught_up(weir_app *app)
{
	pthread_mutex_lock(&app->caught_up_mutex);
	bool yes = weir__app_started(app) && look(app);

	pthread_mutex_unlock(&app->caught_up_mutex);
	return yes;
}
