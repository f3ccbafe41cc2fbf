/* Partition counts of everything, and the internal topics: made at start, or checked if they are there. */
#include <stdio.h>
#include <stdlib.h>

#include "framework/base/alloc.h"
#include "framework/runtime/runtime.h"

struct app_topic *weir__app_topic(weir_app *app, const struct graph_topic *graph)
{
	for (size_t i = 0; i < app->topology->topic_count; i++)
		if (app->topics[i].graph == graph)
			return &app->topics[i];
	return NULL;
}

/* Most partitions of the topics that match; where none does, as many as there are tasks or are wanted. */
static int32_t pattern_count(const struct graph_topic *g, const struct matches *matches)
{
	int32_t most = 0, anchor = matches->anchors[g->source->subtopology];

	for (size_t i = 0; i < matches->count; i++)
		if (matches->items[i].pattern == g && matches->items[i].partitions > most)
			most = matches->items[i].partitions;
	if (most == 0)
		most = anchor;
	most = most > g->partitions_wanted ? most : g->partitions_wanted;
	return most > 0 ? most : 1;
}

static bool external_counts(weir_app *app, const struct matches *matches, weir_error *err)
{
	for (size_t i = 0; i < app->topology->topic_count; i++) {
		struct app_topic *topic = &app->topics[i];

		if (topic->graph->kind == TOPIC_PATTERN)
			topic->partitions = pattern_count(topic->graph, matches);
		if (topic->graph->kind != TOPIC_EXTERNAL)
			continue;
		topic->partitions = weir_topic_partitions(app->cluster, topic->name, err);
		if (topic->partitions < 0)
			return weir_wrap(err, "partitions of topic \"%s\"", topic->name);
		if (topic->partitions == 0)
			return weir_fail(err, WEIR_NOT_FOUND,
					 "topic \"%s\", which step \"%s\" reads, does not exist", topic->name,
					 topic->graph->source->name);
	}
	return true;
}

/* Takes one more topic into `most`; false: it is not known yet, and all must be. */
static bool count_in(int32_t partitions, bool all, int32_t *most)
{
	*most = partitions > *most ? partitions : *most;
	return partitions > 0 || !all;
}

/* Most partitions among the topics of a sub-topology; 0 while one of them is not known, or (not all) none. */
static int32_t most_partitions(weir_app *app, const struct subtopology *sub, bool all)
{
	int32_t most = 0;

	for (size_t i = 0; i < sub->topic_count; i++)
		if (!count_in(weir__app_topic(app, sub->topics[i])->partitions, all, &most))
			return 0;
	return most;
}

/* Most partitions among the topics above a step; 0 while one of them is not known, or (not all) none. */
static int32_t most_above(weir_app *app, const struct node *n, bool all)
{
	int32_t most = 0;

	for (size_t i = 0; i < app->topology->topic_count; i++)
		if (app->topics[i].graph->source == n && !count_in(app->topics[i].partitions, all, &most))
			return 0;
	for (size_t i = 0; i < n->parent_count; i++)
		if (!count_in(most_above(app, n->parents[i], all), all, &most))
			return 0;
	return most;
}

static bool below_pattern(const weir_app *app, const struct graph_topic *g)
{
	const struct node *above = g->like ? g->like : g->writer;

	return above && app->topology->subtopologies[above->subtopology].pattern;
}

/* Patterns may match other topics each time: what has been made by what they matched keeps its number. */
static bool counts_kept(weir_app *app, weir_error *err)
{
	for (size_t i = 0; i < app->topology->topic_count; i++) {
		struct app_topic *topic = &app->topics[i];

		if (topic->graph->kind != TOPIC_REPARTITION || topic->graph->partitions_wanted ||
		    !below_pattern(app, topic->graph))
			continue;
		topic->partitions = weir_topic_partitions(app->cluster, topic->name, err);
		if (topic->partitions < 0)
			return weir_wrap(err, "partitions of topic \"%s\"", topic->name);
	}
	return true;
}

static int32_t wanted_partitions(weir_app *app, const struct graph_topic *g, bool all)
{
	if (g->partitions_wanted)
		return g->partitions_wanted;
	return g->like ? most_above(app, g->like, all)
		       : most_partitions(app, &app->topology->subtopologies[g->writer->subtopology], all);
}

/* Whether each topic's records reach a step that reads or writes the store. */
static bool *feeding(weir_app *app, const struct graph_store *store)
{
	weir_topology *t = app->topology;
	bool *above = weir__calloc(t->node_count, sizeof *above);
	bool *topics = weir__calloc(t->topic_count, sizeof *topics);

	for (size_t i = t->node_count; i-- > 0;) { /* a step's inputs have lower numbers */
		const struct node *n = t->nodes[i];

		above[i] |= weir__graph_reads(n, store);
		for (size_t j = 0; above[i] && j < n->parent_count; j++)
			above[n->parents[j]->id] = true;
	}
	for (size_t i = 0; i < t->topic_count; i++)
		topics[i] = above[t->topics[i]->source->id];
	free(above);
	return topics;
}

static bool may_choose(const struct app_topic *topic)
{
	const struct graph_topic *g = topic->graph;

	return g->kind == TOPIC_REPARTITION && g->partitions_wanted == 0 && !g->like;
}

/* Of topics that must have equally many, those that may choose go by the others, or else by the largest. */
static void match_counts(weir_app *app, bool by_largest)
{
	for (size_t s = 0; s < app->topology->store_count; s++) {
		bool *feeds = feeding(app, app->topology->stores[s]);
		int32_t wanted = 0, most = 0;

		for (size_t i = 0; i < app->topology->topic_count; i++) {
			const struct app_topic *topic = &app->topics[i];

			if (feeds[i] && !may_choose(topic))
				wanted = topic->graph->partitions_wanted ? topic->graph->partitions_wanted
									 : topic->partitions;
			if (feeds[i] && topic->partitions > most)
				most = topic->partitions;
		}
		for (size_t i = 0; i < app->topology->topic_count; i++)
			if (feeds[i] && may_choose(&app->topics[i]) && (wanted || by_largest))
				app->topics[i].partitions = wanted ? wanted : most;
		free(feeds);
	}
}

/* Where a step's inputs come out of its own repartition, as of a stream merged with what lies behind it, the topics
 * wait for each other: of those that are known the most counts, as in Kafka Streams. Counts only grow, up to the
 * largest input, so that the order of the topics does not matter and there is an end. */
static void loop_counts(weir_app *app)
{
	size_t n = app->topology->topic_count;
	bool *open = weir__calloc(n, sizeof *open), grown = true;

	for (size_t i = 0; i < n; i++)
		open[i] = app->topics[i].partitions == 0;
	while (grown) {
		grown = false;
		for (size_t i = 0; i < n; i++) {
			int32_t wanted = open[i] ? wanted_partitions(app, app->topics[i].graph, false) : 0;

			if (wanted <= app->topics[i].partitions)
				continue;
			app->topics[i].partitions = wanted;
			grown = true;
		}
	}
	free(open);
}

/* A repartition topic has as many partitions as what it is joined with, or else as the inputs of the step that
 * fills it, which may come out of another one. */
static void repartition_counts(weir_app *app)
{
	weir_topology *t = app->topology;

	match_counts(app, false);
	for (size_t round = 0; round <= t->topic_count; round++)
		for (size_t i = 0; i < t->topic_count; i++) {
			struct app_topic *topic = &app->topics[i];

			if (topic->partitions == 0)
				topic->partitions = wanted_partitions(app, topic->graph, true);
		}
	loop_counts(app);
	/* What is written to has a step above it that reads, and so in the end a topic from outside. */
	for (size_t i = 0; i < t->topic_count; i++)
		weir_assert(app->topics[i].partitions > 0);
	match_counts(app, true);
}

/* Records of one key must reach the same task whichever topic they come through, or each would find its own part of
 * the store. */
static bool check_inputs_of(weir_app *app, const struct graph_store *store, weir_error *err)
{
	weir_topology *t = app->topology;
	bool *feeds = feeding(app, store), ok = true;
	const struct app_topic *first = NULL;

	for (size_t i = 0; i < t->topic_count && ok; i++) {
		const struct app_topic *topic = &app->topics[i];

		if (!feeds[i])
			continue;
		if (!first)
			first = topic;
		else if (first->partitions != topic->partitions)
			ok = weir_fail(
				err, WEIR_TOPOLOGY,
				"topics \"%s\" (%d partitions) and \"%s\" (%d) feed store \"%s\", so they must "
				"have equally many: put one through weir_repartition",
				first->name, (int)first->partitions, topic->name, (int)topic->partitions,
				store->spec.name);
	}
	free(feeds);
	return ok;
}

static bool check_co_partitioning(weir_app *app, weir_error *err)
{
	for (size_t i = 0; i < app->topology->store_count; i++)
		if (!check_inputs_of(app, app->topology->stores[i], err))
			return false;
	return true;
}

/* What was let into the application must get into its own topics, whatever its date. Kafka 4 refuses what is dated
 * more than an hour ahead; before 3.6 there was no such setting, and asking for it would fail. */
static size_t add_any_date(weir_app *app, const char *(*configs)[2], size_t n)
{
	const char *outside = app->names ? app->names->text : NULL; /* one that has matched */
	char text[32];

	for (size_t i = 0; !outside && i < app->topology->topic_count; i++)
		if (app->topics[i].graph->kind == TOPIC_EXTERNAL)
			outside = app->topics[i].name;
	if (!outside ||
	    !weir_topic_config(app->cluster, outside, "message.timestamp.after.max.ms", text, sizeof text, NULL))
		return n;
	configs[n][0] = "message.timestamp.after.max.ms";
	configs[n][1] = "9223372036854775807";
	return n + 1;
}

enum { CONFIGS_MAX = 4 };

static bool create(weir_app *app, const char *name, int32_t partitions, const char *const (*wanted)[2], size_t n,
		   weir_error *err)
{
	const char *configs[CONFIGS_MAX][2];

	weir_assert(n < CONFIGS_MAX);
	memcpy(configs, wanted, n * sizeof *configs);
	n = add_any_date(app, configs, n);
	weir_topic_spec spec = { name, partitions, app->settings.replication, (const char *const(*)[2])configs, n };

	if (!weir_topics_create(app->cluster, &spec, 1, err))
		return weir_wrap(err, "create topic \"%s\"", name);
	weir_log(WEIR_LOG_INFO, "topics", "topic created name=%s partitions=%d", name, (int)partitions);
	return true;
}

/* Of a store whose tasks go by a pattern: keys would have to move. */
static bool is_empty(weir_app *app, const char *changelog, int32_t partitions, weir_error *err)
{
	for (int32_t p = 0; p < partitions; p++) {
		int64_t end;

		if (!weir_offsets_range(app->cluster, changelog, p, NULL, &end, err))
			return weir_wrap(err, "offsets of %s/%d", changelog, (int)p);
		if (end > 0)
			return weir_fail(err, WEIR_STATE,
					 "topic \"%s\" holds state in %d partitions, and a topic with more has "
					 "come to match: put them through weir_repartition, or reset the "
					 "application to go on with the new number",
					 changelog, (int)partitions);
	}
	return true;
}

/* A changelog with a partition for each task: more tasks, more partitions. */
static bool widen_changelog(weir_app *app, const char *name, int32_t there, int32_t partitions,
			    const struct graph_store *store, weir_error *err)
{
	bool *feeds = feeding(app, store), by_pattern = false;

	for (size_t i = 0; i < app->topology->topic_count; i++)
		by_pattern |= feeds[i] && app->topology->topics[i]->kind == TOPIC_PATTERN &&
			      app->topology->topics[i]->source->subtopology == store->subtopology;
	free(feeds);
	if (by_pattern && !is_empty(app, name, there, err))
		return false;
	weir_log(WEIR_LOG_INFO, "topics", "topic widened name=%s partitions=%d", name, (int)partitions);
	return weir_topic_widen(app->cluster, name, partitions, err) || weir_wrap(err, "widen topic \"%s\"", name);
}

/* widens: the store, where the number may grow; NULL = it must be as it was. */
static bool make_or_check(weir_app *app, const char *name, int32_t partitions, const char *const (*configs)[2],
			  size_t config_count, const struct graph_store *widens, weir_error *err)
{
	int32_t there = weir_topic_partitions(app->cluster, name, err);

	if (there < 0)
		return weir_wrap(err, "partitions of topic \"%s\"", name);
	if (there == 0) {
		if (!create(app, name, partitions, configs, config_count, err))
			return false;
		there = partitions;
	}
	if (widens && there < partitions)
		return widen_changelog(app, name, there, partitions, widens, err);
	if (!widens && there != partitions)
		return weir_fail(err, WEIR_STATE,
				 "topic \"%s\" has %d partitions, but the topology wants %d: the number of "
				 "partitions of an input "
				 "has changed; reset the application to go on with the new number",
				 name, (int)there, (int)partitions);
	return true;
}

static bool must_exist(weir_app *app, const char *name, const char *what, weir_error *err)
{
	int32_t n = weir_topic_partitions(app->cluster, name, err);

	if (n < 0)
		return weir_wrap(err, "partitions of topic \"%s\"", name);
	return n > 0 || weir_fail(err, WEIR_NOT_FOUND, "topic \"%s\", %s, does not exist", name, what);
}

static bool check_written(weir_app *app, weir_error *err)
{
	char what[160];

	for (size_t i = 0; i < app->topology->node_count; i++) {
		const struct node *n = app->topology->nodes[i];
		const char *topic = n->op == &weir__sink_op ? weir__sink_topic(n) : NULL;

		snprintf(what, sizeof what, "which step \"%s\" writes to", n->name);
		if (topic && !must_exist(app, topic, what, err))
			return false;
	}
	return !app->settings.dead_letter_topic ||
	       must_exist(app, app->settings.dead_letter_topic, "errors.dead.letter.queue.topic.name", err);
}

/* purged by weir, not by the broker, which would compare event time with its wall clock */
static const char *const window_changelog[][2] = { { "cleanup.policy", "compact,delete" },
						   { "retention.ms", "-1" } };
/* with duplicates no key comes twice: there is nothing to compact, as in Kafka Streams */
static const char *const duplicates_changelog[][2] = { { "cleanup.policy", "delete" }, { "retention.ms", "-1" } };
static const char *const changelog[][2] = { { "cleanup.policy", "compact" } };
/* the history, and a day more: as in Kafka Streams */
enum { COMPACTION_LAG_MORE_MS = 86400000 };

static const char *const repartition[][2] = {
	{ "cleanup.policy", "delete" },
	{ "retention.ms", "-1" },
	{ "segment.bytes", "52428800" },
};

static bool make_changelog(weir_app *app, const char *name, const struct graph_store *s, weir_error *err)
{
	int32_t partitions = app->task_counts[s->subtopology];
	const struct graph_store *widens = app->anchors[s->subtopology] ? s : NULL;
	bool windowed = weir__store_kind_timed(s->spec.kind);
	char lag[24];
	const char *const versions_changelog[][2] = { { "cleanup.policy", "compact" },
						      { "min.compaction.lag.ms", lag } };

	if (s->spec.kind == STORE_VERSIONED) {
		snprintf(lag, sizeof lag, "%lld",
			 (long long)weir_time_add(s->spec.retention_ms, COMPACTION_LAG_MORE_MS));
		return make_or_check(app, name, partitions, versions_changelog, 2, widens, err);
	}
	return make_or_check(app, name, partitions,
			     s->spec.duplicates ? duplicates_changelog
			     : windowed         ? window_changelog
						: changelog,
			     windowed ? 2 : 1, widens, err);
}

static bool make_changelogs(weir_app *app, const struct subtopology *sub, weir_error *err)
{
	for (size_t i = 0; i < app->topology->store_count; i++)
		if (app->topology->stores[i]->subtopology == sub->id && app->changelogs[i] &&
		    !make_changelog(app, app->changelogs[i], app->topology->stores[i], err))
			return false;
	return true;
}

/* --- patterns ------------------------------------------------------------------------------------ */

/* nothing is ever written there */
static const char *const anchor[][2] = { { "cleanup.policy", "delete" }, { "retention.ms", "-1" } };

static bool make_anchor(weir_app *app, const struct subtopology *sub, int32_t there, weir_error *err)
{
	const char *name = app->anchors[sub->id];
	int32_t wanted = atomic_load(&app->task_counts[sub->id]);

	if (there == 0)
		return create(app, name, wanted, anchor, 2, err);
	if (there >= wanted)
		return true;
	weir_log(WEIR_LOG_INFO, "topics", "topic widened name=%s partitions=%d", name, (int)wanted);
	return weir_topic_widen(app->cluster, name, wanted, err) || weir_wrap(err, "widen topic \"%s\"", name);
}

static bool check_feeding(weir_app *app, const struct graph_store *store, const struct matches *matches,
			  weir_error *err)
{
	bool *feeds = feeding(app, store), ok = true;
	int32_t tasks = atomic_load(&app->task_counts[store->subtopology]);

	for (size_t i = 0; ok && i < matches->count; i++)
		for (size_t j = 0; ok && j < app->topology->topic_count; j++)
			if (feeds[j] && matches->items[i].pattern == app->topology->topics[j] &&
			    store->subtopology == matches->items[i].pattern->source->subtopology &&
			    matches->items[i].partitions != tasks)
				ok = weir_fail(err, WEIR_TOPOLOGY,
					       "topic \"%s\", which step \"%s\" matches, has %d partitions, and "
					       "feeds store \"%s\", which has %d: all must have equally many, put "
					       "them through weir_repartition",
					       matches->items[i].topic, matches->items[i].pattern->source->name,
					       (int)matches->items[i].partitions, store->spec.name, (int)tasks);
	free(feeds);
	return ok;
}

bool weir__topics_check(weir_app *app, const struct matches *matches, weir_error *err)
{
	for (size_t i = 0; i < app->topology->store_count; i++)
		if (!check_feeding(app, app->topology->stores[i], matches, err))
			return false;
	return true;
}

/* Grows only; workers may do so at the same time. */
static bool raise_count(atomic_int *count, int32_t to)
{
	int was = atomic_load(count);

	while (was < to)
		if (atomic_compare_exchange_weak(count, &was, to))
			return true;
	return false;
}

bool weir__topics_widen(weir_app *app, const struct matches *matches, bool *grown, weir_error *err)
{
	for (size_t i = 0; i < app->topology->subtopology_count; i++) {
		const struct subtopology *sub = &app->topology->subtopologies[i];
		int32_t tasks = 0, there = matches->anchors[i];

		for (size_t j = 0; j < sub->topic_count; j++) {
			int32_t n =
				sub->topics[j]->kind == TOPIC_PATTERN ? pattern_count(sub->topics[j], matches) : 0;

			tasks = n > tasks ? n : tasks;
		}
		if (!sub->pattern)
			continue;
		raise_count(&app->task_counts[i], there > tasks ? there : tasks);
		tasks = atomic_load(&app->task_counts[i]);
		if (tasks <= there)
			continue;
		*grown = true;
		if (!weir__topics_check(app, matches, err) || !make_changelogs(app, sub, err) ||
		    !make_anchor(app, sub, there, err))
			return false;
	}
	return weir__topics_check(app, matches, err);
}

static void name_topics(weir_app *app)
{
	weir_topology *t = app->topology;
	const char *id = app->settings.application_id;

	app->topics = weir__calloc(t->topic_count, sizeof *app->topics);
	app->changelogs = weir__calloc(t->store_count, sizeof *app->changelogs);
	app->task_counts = weir__calloc(t->subtopology_count, sizeof *app->task_counts);
	app->anchors = weir__calloc(t->subtopology_count, sizeof *app->anchors);
	app->anchors_vary = weir__calloc(t->subtopology_count, sizeof *app->anchors_vary);
	for (size_t i = 0; i < t->topic_count; i++) {
		const struct graph_topic *g = t->topics[i];

		app->topics[i].graph = g;
		app->topics[i].name =
			g->kind == TOPIC_REPARTITION
				? weir__asprintf("%s-%s-%s", id, g->name, g->suffix ? g->suffix : "repartition")
				: weir__strdup(g->name);
	}
	for (size_t i = 0; i < t->store_count; i++)
		if (t->stores[i]->spec.logged && !t->stores[i]->source_topic)
			app->changelogs[i] = weir__asprintf("%s-%s-changelog", id, t->stores[i]->spec.name);
	for (size_t i = 0; i < t->subtopology_count; i++)
		if (t->subtopologies[i].pattern) {
			app->anchors[i] = weir__asprintf("%s-%s-anchor", id, t->subtopologies[i].pattern->name);
			app->has_patterns = true;
		}
}

/* Not where all topics have equally many for a store's sake, nor where all are the application's own. */
static bool anchor_varies(weir_app *app, const struct subtopology *sub)
{
	bool external = false, equal = false;

	for (size_t i = 0; i < sub->topic_count; i++)
		external |= sub->topics[i]->kind == TOPIC_EXTERNAL;
	if (app->anchors[sub->id] || !external || sub->topic_count < 2)
		return false;
	for (size_t i = 0; i < sub->store_count && !equal; i++) {
		bool *feeds = feeding(app, sub->stores[i]);

		equal = true;
		for (size_t j = 0; j < app->topology->topic_count; j++)
			equal &= feeds[j] || app->topology->topics[j]->source->subtopology != sub->id;
		free(feeds);
	}
	return !equal;
}

static bool prepare(weir_app *app, const struct matches *matches, weir_error *err)
{
	weir_topology *t = app->topology;

	if (!external_counts(app, matches, err) || !check_written(app, err) || !counts_kept(app, err))
		return false;
	repartition_counts(app);
	if (!check_co_partitioning(app, err))
		return false;
	for (size_t i = 0; i < t->subtopology_count; i++) {
		app->task_counts[i] = most_partitions(app, &t->subtopologies[i], true);
		app->anchors_vary[i] = anchor_varies(app, &t->subtopologies[i]);
		if (app->anchors[i])
			raise_count(&app->task_counts[i], matches->anchors[i]);
	}
	if (app->has_patterns && !weir__topics_check(app, matches, err))
		return false;
	for (size_t i = 0; i < t->topic_count; i++)
		if (app->topics[i].graph->kind == TOPIC_REPARTITION &&
		    !make_or_check(app, app->topics[i].name, app->topics[i].partitions, repartition, 3, NULL, err))
			return false;
	for (size_t i = 0; i < t->subtopology_count; i++)
		if (!make_changelogs(app, &t->subtopologies[i], err) ||
		    (app->anchors[i] && !make_anchor(app, &t->subtopologies[i], matches->anchors[i], err)))
			return false;
	return true;
}

bool weir__topics_prepare(weir_app *app, weir_error *err)
{
	struct matches matches = { 0 };

	name_topics(app);
	bool ok = (!app->has_patterns || weir__matches_find(app, &matches, err)) && prepare(app, &matches, err);

	weir__matches_free(&matches);
	return ok;
}

static bool create_one(weir_cluster *cluster, const char *name, weir_topic_spec like, weir_error *err)
{
	like.name = name;
	return !name || !*name || weir_topics_create(cluster, &like, 1, err) ||
	       weir_wrap(err, "create topic \"%s\"", name);
}

bool weir__topics_create_external(weir_topology *t, weir_cluster *cluster, const char *dead_letters,
				  weir_topic_spec like, weir_error *err)
{
	if (!create_one(cluster, dead_letters, like, err))
		return false;
	for (size_t i = 0; i < t->topic_count; i++)
		if (t->topics[i]->kind == TOPIC_EXTERNAL && !create_one(cluster, t->topics[i]->name, like, err))
			return false;
	for (size_t i = 0; i < t->global_count; i++)
		if (!create_one(cluster, t->globals[i]->topic, like, err))
			return false;
	for (size_t i = 0; i < t->node_count; i++)
		if (t->nodes[i]->op == &weir__sink_op &&
		    !create_one(cluster, weir__sink_topic(t->nodes[i]), like, err))
			return false;
	return true;
}
