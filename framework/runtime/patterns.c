/*
 * Sources of all topics that match a pattern.
 *
 * Which topics there are a member sees when it looks, so two need not agree at any moment. What they must agree on
 * is who has which task: a sub-topology with patterns has an anchor of its own, an empty topic
 * "<application.id>-<source>-anchor" whose partitions stand for the tasks. Whoever has task i reads partition i of
 * each topic that matches as it sees it now, and nobody else does. A member that has not seen a topic yet reads
 * less for a while; what is committed for the topic stays, and is where it goes on.
 *
 * A worker looks each metadata.max.age.ms, and in each round of rebalancing. What it reads it may change within a
 * round only (<weir/kafka.h>), so it asks for one; as in it all members look, they change over together. A topic
 * wider than the anchor widens it first, with the changelogs that have a partition for each task.
 *
 * The anchor's partition is the task's first input: the task's own metadata are committed there, also where nothing
 * matches. A task commits its first positions at once; so if the anchor has a committed position and a topic has
 * none, the topic is new.
 */
#include <stdlib.h>
#include <string.h>

#include "framework/base/alloc.h"
#include "framework/runtime/runtime.h"

enum { SOON_US = 200000 }; /* after a look that failed, or while a topic that matches cannot be read */

void weir__names_free(weir_app *app)
{
	for (struct app_name *n = app->names, *next; n; n = next) {
		next = n->next;
		free(n);
	}
	app->names = NULL;
}

/* The same pointer each time. */
static const char *keep_name(weir_app *app, const char *text)
{
	pthread_mutex_lock(&app->mutex);
	struct app_name *n = app->names;

	while (n && strcmp(n->text, text) != 0)
		n = n->next;
	if (!n) {
		n = weir__malloc(sizeof *n + strlen(text) + 1);
		memcpy(n->text, text, strlen(text) + 1);
		n->next = app->names;
		app->names = n;
	}
	pthread_mutex_unlock(&app->mutex);
	return n->text;
}

/* --- looking ------------------------------------------------------------------------------------- */

struct look {
	weir_app *app;
	struct matches found;
	weir_error error;
};

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

/* Of this application: reading them once more would go round in a circle. */
static bool is_own(const weir_app *app, const char *topic)
{
	size_t n = strlen(app->settings.application_id);
	const char *letters = app->settings.dead_letter_topic;

	if (letters && strcmp(topic, letters) == 0)
		return true;
	for (size_t i = 0; i < app->topology->topic_count; i++)
		if (app->topics[i].graph->kind == TOPIC_REPARTITION && strcmp(app->topics[i].name, topic) == 0)
			return true;
	return strncmp(topic, app->settings.application_id, n) == 0 && topic[n] == '-' &&
	       (ends_with(topic, "-repartition") || ends_with(topic, "-changelog") || ends_with(topic, "-anchor"));
}

static void note_topic(const char *topic, int32_t partitions, void *user)
{
	struct look *l = user;
	const weir_topology *t = l->app->topology;
	const struct graph_topic *pattern = NULL;

	for (size_t i = 0; i < t->subtopology_count; i++)
		if (l->app->anchors[i] && strcmp(l->app->anchors[i], topic) == 0)
			l->found.anchors[i] = partitions;
	if (partitions <= 0 || is_own(l->app, topic))
		return;
	for (size_t i = 0; i < t->topic_count; i++) {
		if (t->topics[i]->kind != TOPIC_PATTERN || !weir__graph_matches(t->topics[i], topic))
			continue;
		if (pattern && !l->error.code)
			weir_fail(&l->error, WEIR_TOPOLOGY,
				  "topic \"%s\" matches the patterns of two steps, \"%s\" and \"%s\": a topic has "
				  "one source",
				  topic, pattern->source->name, t->topics[i]->source->name);
		pattern = t->topics[i];
	}
	if (!pattern)
		return;
	l->found.items = weir__realloc(l->found.items, (l->found.count + 1) * sizeof *l->found.items);
	l->found.items[l->found.count++] = (struct match){ pattern, keep_name(l->app, topic), partitions };
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct match *)a)->topic, ((const struct match *)b)->topic);
}

void weir__matches_free(struct matches *m)
{
	free(m->items);
	free(m->anchors);
	*m = (struct matches){ 0 };
}

bool weir__matches_find(weir_app *app, struct matches *m, weir_error *err)
{
	struct look l = { .app = app };

	l.found.anchors = weir__calloc(app->topology->subtopology_count, sizeof *l.found.anchors);
	bool ok =
		weir_topics_each(app->cluster, note_topic, &l, err) || weir_wrap(err, "look for topics that match");

	if (ok && l.error.code) {
		ok = false;
		if (err)
			*err = l.error;
	}
	if (!ok) {
		weir__matches_free(&l.found);
		return false;
	}
	if (l.found.count)
		qsort(l.found.items, l.found.count, sizeof *l.found.items, by_name);
	weir__matches_free(m);
	*m = l.found;
	return true;
}

/* --- in the loop --------------------------------------------------------------------------------- */

static void failed(struct worker *w, const weir_error *error)
{
	if (error->retriable && !error->fatal) {
		weir_log(WEIR_LOG_WARN, "patterns", "%s", error->message);
		w->next_match_us = weir__now_us(w->app) + SOON_US;
		return;
	}
	w->failed = w->stop = true;
	w->error = *error;
}

/* Of what the tasks have been given, some is not what matches now. */
static bool some_read_other(const struct worker *w)
{
	for (size_t i = 0; i < w->task_count; i++)
		if (weir__task_reads_other(w->tasks[i]))
			return true;
	return false;
}

static bool some_gone(const struct worker *w)
{
	for (size_t i = 0; i < w->task_count; i++)
		for (size_t j = 0; j < w->tasks[i]->input_count; j++)
			if (w->tasks[i]->inputs[j].gone)
				return true;
	return false;
}

static bool has_grown(const struct worker *w, const int32_t *before)
{
	for (size_t i = 0; before && i < w->app->topology->subtopology_count; i++)
		if (w->matches.anchors[i] > before[i])
			return true;
	return false;
}

void weir__patterns_look(struct worker *w)
{
	weir_app *app = w->app;
	int64_t now_us = weir__now_us(app);
	weir_error err = { .code = WEIR_OK };
	struct matches before = w->matches;
	bool grown = false;

	if (!app->has_patterns || now_us < w->next_match_us || !atomic_load(&w->has_share))
		return;
	w->next_match_us = now_us + app->settings.metadata_max_age_ms * 1000;
	w->matches = (struct matches){ 0 };
	if (!weir__matches_find(app, &w->matches, &err) || !weir__topics_widen(app, &w->matches, &grown, &err)) {
		if (w->matches.items || w->matches.anchors)
			weir__matches_free(&w->matches);
		w->matches = before;
		failed(w, &err);
		return;
	}
	if (grown || has_grown(w, before.anchors) || some_read_other(w)) {
		weir_log(WEIR_LOG_INFO, "patterns", "other topics match: asking for a round of rebalancing");
		if (!weir_consumer_rejoin(w->consumer, &err))
			failed(w, &err);
	}
	weir__matches_free(&before);
	if (some_gone(w) && w->next_match_us > now_us + SOON_US)
		w->next_match_us = now_us + SOON_US;
}

/* --- in a round ---------------------------------------------------------------------------------- */

/* One that has grown meanwhile has done so too late for this round: the next look is to find it so. */
static void keep_anchors(struct matches *now, struct matches *before)
{
	int32_t *anchors = before->anchors;

	if (!anchors)
		return;
	before->anchors = now->anchors;
	now->anchors = anchors;
}

static void change_over(struct task *t)
{
	struct worker *w = t->worker;
	weir_consumer *c = w->consumer;

	weir__task_reset(t);
	if (weir_consumer_unassign(c, t->list, weir__task_partitions(t, t->list), &w->error)) {
		weir__task_match(t);
		size_t n = weir__task_partitions(t, t->list);

		if (weir_consumer_assign(c, t->list, n, &w->error) &&
		    weir_consumer_pause(c, t->list, n, &w->error)) {
			weir_log(WEIR_LOG_INFO, "patterns", "reads what matches now task=%s topics=%zu", t->id,
				 t->read_count);
			return;
		}
	}
	weir_wrap(&w->error, "task %s: change over to other topics", t->id);
	w->failed = w->stop = true;
}

void weir__patterns_round(struct worker *w)
{
	weir_error err = { .code = WEIR_OK };
	struct matches before = w->matches;

	w->matches = (struct matches){ 0 };
	if (!weir__matches_find(w->app, &w->matches, &err)) {
		w->matches = before;
		before = (struct matches){ 0 };
		failed(w, &err);
	} else if (!weir__topics_check(w->app, &w->matches, &err)) {
		/* the next look widens what may be widened, or ends it */
		weir__matches_free(&w->matches);
		w->matches = before;
		before = (struct matches){ 0 };
		w->next_match_us = 0;
	} else {
		keep_anchors(&w->matches, &before);
	}
	weir__matches_free(&before);
	if (w->stop || !some_read_other(w))
		return;
	if (!w->app->crash)
		weir__commit(w);
	for (size_t i = 0; i < w->task_count && !w->stop; i++)
		if (!w->tasks[i]->touched && weir__task_reads_other(w->tasks[i]))
			change_over(w->tasks[i]);
}
