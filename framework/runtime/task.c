#include <stdio.h>
#include <stdlib.h>

#include "framework/base/alloc.h"
#include "framework/runtime/runtime.h"

enum { RETRY_US = 20000, OFFSETS_TIMEOUT_MS = 100 };

/* --- the serde at a store's edges ---------------------------------------------------------------- */

static weir_bytes codec_encode(const void *object, void *user)
{
	struct task_store *s = user;

	weir__arena_reset(&s->codec_cx.arena);
	return s->graph->value->encode(&s->codec_cx, object);
}

static bool codec_decode(weir_bytes bytes, void *object, void *user)
{
	struct task_store *s = user;
	weir_error err;

	weir__arena_reset(&s->codec_cx.arena);
	const void *decoded = s->graph->value->decode(&s->codec_cx, bytes, &err);

	if (decoded)
		memcpy(object, decoded, s->graph->value->size);
	return decoded != NULL;
}

/* --- made and unmade ----------------------------------------------------------------------------- */

/* With dsl.store.format=HEADERS those of tables and aggregates, too; not those of versions, as in Kafka Streams. */
static enum logged_headers logged_headers(const struct settings *s, const struct graph_store *graph)
{
	bool is_one = graph->owner && !graph->changelog_headers && graph->spec.kind != STORE_VERSIONED;

	return s->store_headers && is_one ? LOGGED_OF_DELETIONS : graph->logged_headers;
}

static void make_store(struct task *t, struct task_store *s, const struct graph_store *graph)
{
	weir_app *app = t->worker->app;
	const char *changelog = app->changelogs[graph->id];

	*s = (struct task_store){ .task = t,
				  .graph = graph,
				  .changelog = changelog,
				  .writes_changelog = changelog != NULL,
				  .logged_headers = logged_headers(&app->settings, graph),
				  .doubted = -1 };
	weir__arena_init(&s->codec_cx.arena, 1024);
}

static void find_source(struct task *t, struct task_store *s)
{
	for (size_t i = 0; s->graph->source_topic && i < t->input_count; i++)
		if (t->inputs[i].graph == s->graph->source_topic) {
			s->source = &t->inputs[i];
			s->changelog = t->inputs[i].topic;
		}
}

/* --- inputs -------------------------------------------------------------------------------------- */

struct input_list {
	struct input *items;
	size_t count;
};

static void list_input(struct input_list *list, const struct graph_topic *graph, const char *topic)
{
	list->items = weir__realloc(list->items, (list->count + 1) * sizeof *list->items);
	list->items[list->count++] = (struct input){ .graph = graph,
						     .topic = topic,
						     .position = -1,
						     .committed = -1,
						     .begin = -1,
						     .internal = graph->kind == TOPIC_REPARTITION,
						     .matched = graph->kind == TOPIC_PATTERN,
						     .time_ms = INT64_MIN };
}

/* What the task is to read, by what matches at present. */
static struct input_list list_inputs(const struct worker *w, const struct subtopology *sub, int32_t partition)
{
	weir_app *app = w->app;
	struct input_list list = { 0 };

	for (size_t i = 0; sub->pattern && i < sub->topic_count; i++)
		if (sub->topics[i]->source == sub->pattern) {
			list_input(&list, sub->topics[i], app->anchors[sub->id]);
			list.items[0].anchor = true;
			list.items[0].matched = false;
		}
	for (size_t i = 0; i < sub->topic_count; i++) {
		const struct app_topic *topic = weir__app_topic(app, sub->topics[i]);

		if (sub->topics[i]->kind != TOPIC_PATTERN && partition < topic->partitions)
			list_input(&list, sub->topics[i], topic->name);
		for (size_t j = 0; sub->topics[i]->kind == TOPIC_PATTERN && j < w->matches.count; j++)
			if (w->matches.items[j].pattern == sub->topics[i] &&
			    partition < w->matches.items[j].partitions)
				list_input(&list, sub->topics[i], w->matches.items[j].topic);
	}
	return list;
}

bool weir__task_reads_other(const struct task *t)
{
	if (!t->sub->pattern)
		return false;
	struct input_list list = list_inputs(t->worker, t->sub, t->partition);
	bool other = list.count != t->input_count;

	for (size_t i = 0; !other && i < list.count; i++)
		other = list.items[i].topic != t->inputs[i].topic || t->inputs[i].gone;
	free(list.items);
	return other;
}

void weir__task_match(struct task *t)
{
	struct input_list list = list_inputs(t->worker, t->sub, t->partition);

	for (size_t i = 0; i < list.count; i++) {
		struct input *in = &list.items[i];
		const weir_source_opts *opts = in->graph->source->opts;

		in->task = t;
		in->partition = t->partition;
		in->reset = opts->reset;
		in->reset_ms = opts->reset_ms;
		in->id = t->worker->next_input_id++;
		for (size_t j = 0; j < t->input_count; j++)
			if (t->inputs[j].topic == in->topic && !t->inputs[j].gone) {
				*in = t->inputs[j];
				t->inputs[j].ages = (struct ages){ 0 };
			}
	}
	for (size_t i = 0; i < t->input_count; i++)
		weir__ages_release(&t->inputs[i].ages);
	free(t->inputs);
	free(t->list);
	t->inputs = list.items;
	t->input_count = list.count;
	t->read_count = list.count - (t->sub->pattern != NULL);
	t->list = weir__calloc(t->input_count + 1, sizeof *t->list);
	for (size_t i = 0; t->stores && i < t->store_count; i++)
		find_source(t, &t->stores[i]);
}

struct task *weir__task_new(struct worker *w, const struct subtopology *sub, int32_t partition)
{
	weir_app *app = w->app;
	struct task *t = weir__calloc(1, sizeof *t);

	*t = (struct task){ .worker = w,
			    .sub = sub,
			    .partition = partition,
			    .next_wall_ms = INT64_MAX,
			    .opened_us = weir__now_us(app) };
	snprintf(t->id, sizeof t->id, "%d_%d", sub->id, (int)partition);
	weir__arena_init(&t->cx.arena, 0);
	weir__arena_init(&t->cx.origins.memory, 0);
	weir__arena_init(&t->instance_memory, 0);
	t->cx.ops = &weir__context_ops;
	t->cx.clock = app->clock;
	t->cx.partition = partition;
	t->cx.due_budget = &w->due_budget;
	t->cx.emit_interval_ms = app->settings.emit_interval_ms;
	t->cx.record_bytes_max = app->settings.record_bytes_max;
	t->cx.stream_time_ms = INT64_MIN;
	t->cx.keeps_sources = app->topology->as & WEIR_AS_LETTERS;
	weir__task_match(t);
	t->stores = weir__calloc(sub->store_count, sizeof *t->stores);
	t->store_count = sub->store_count;
	for (size_t i = 0; i < sub->store_count; i++)
		make_store(t, &t->stores[i], sub->stores[i]);
	for (size_t i = 0; i < sub->store_count; i++)
		find_source(t, &t->stores[i]);
	return t;
}

static weir_store *store_of(struct task *t, const struct graph_store *graph)
{
	for (size_t i = 0; i < t->store_count; i++)
		if (t->stores[i].graph == graph)
			return t->stores[i].store;
	weir_assert(!"a task has the stores of its steps");
	return NULL;
}

static struct instance *instance_of(struct task *t, const struct node *node)
{
	for (size_t i = 0; i < t->sub->node_count; i++)
		if (t->sub->nodes[i] == node)
			return &t->instances[i];
	weir_assert(!"a task has all steps of its sub-topology");
	return NULL;
}

static void make_instances(struct task *t)
{
	struct arena *a = &t->instance_memory;

	weir__arena_reset(a);
	t->instances = weir__arena_zalloc(a, t->sub->node_count * sizeof *t->instances);
	for (size_t i = 0; i < t->sub->node_count; i++) {
		const struct node *n = t->sub->nodes[i];
		size_t size = n->op->state_size ? n->op->state_size(n) : 0;

		t->instances[i] = (struct instance){
			.op = weir__operator_of(n, a),
			.node = n,
			.observed_ms = INT64_MIN,
			.children = weir__arena_alloc(a, (n->child_count + 1) * sizeof(struct instance *)),
			.child_count = n->child_count,
			.looked_up = weir__arena_alloc(a, (n->looked_up_count + 1) * sizeof(struct instance *)),
			.stores = weir__arena_alloc(a, (n->store_count + 1) * sizeof(weir_store *)),
			.state = weir__arena_zalloc(a, size + 1),
		};
		for (size_t j = 0; j < n->store_count; j++)
			t->instances[i].stores[j] = store_of(t, n->stores[j]);
		weir__instance_wrap(&t->instances[i], a);
	}
	for (size_t i = 0; i < t->sub->node_count; i++) {
		const struct node *n = t->sub->nodes[i];

		for (size_t j = 0; j < n->child_count; j++)
			t->instances[i].children[j] = instance_of(t, n->children[j]);
		for (size_t j = 0; j < n->looked_up_count; j++)
			t->instances[i].looked_up[j] = instance_of(t, n->looked_up[j]);
	}
	for (size_t i = 0; i < t->input_count; i++)
		t->inputs[i].source = instance_of(t, t->inputs[i].graph->source);
}

static void unmake_instances(struct task *t)
{
	for (size_t i = 0; t->instances_made && i < t->sub->node_count; i++)
		if (t->instances[i].op->close)
			t->instances[i].op->close(&t->instances[i]);
	t->instances_made = false;
	weir__timers_free(t);
	for (size_t i = 0; i < t->input_count; i++)
		weir__input_forget(&t->inputs[i]);
	weir__arena_reset(&t->cx.arena);
}

size_t weir__task_partitions(struct task *t, weir_partition *list)
{
	for (size_t i = 0; i < t->input_count; i++)
		list[i] = (weir_partition){ .topic = t->inputs[i].topic,
					    .partition = t->inputs[i].partition,
					    .offset = WEIR_OFFSET_BEGINNING,
					    .user = &t->inputs[i] };
	return t->input_count;
}

size_t weir__worker_inputs(struct worker *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->task_count; i++)
		n += w->tasks[i]->input_count;
	return n;
}

bool weir__task_touch(struct task *t)
{
	struct worker *w = t->worker;

	if (w->failed || w->broken_producer)
		return false;
	if (!w->in_transaction) {
		if (!weir_producer_begin(w->producer, &w->error)) {
			w->failed = w->broken_producer = true;
			return false;
		}
		w->in_transaction = true;
		w->begun_us = weir__now_us(w->app);
	}
	t->touched = true;
	w->last_touch_us = weir__now_us(w->app);
	return true;
}

/* --- opening ------------------------------------------------------------------------------------- */

static bool open_stores(struct task *t, weir_error *err)
{
	for (size_t i = 0; i < t->store_count; i++) {
		struct task_store *s = &t->stores[i];

		if (s->store)
			continue;
		struct store_spec spec = s->graph->spec;

		if (spec.codec.size) {
			spec.codec.encode = codec_encode;
			spec.codec.decode = codec_decode;
			spec.codec.user = s;
		}
		if ((s->graph->owner && s->graph->owner->child_count) || s->graph->spec.headers ||
		    s->logged_headers) {
			spec.origin = weir__origin;
			spec.origin_user = &t->cx;
		}
		spec.in_memory |= spec.by_default && t->worker->app->settings.dsl_in_memory;
		spec.on_expired = weir__on_put_expired;
		spec.user = s;
		spec.stats = weir__store_stats(t->worker, s->graph);
		if (s->writes_changelog) {
			spec.record_bytes_max = t->worker->app->settings.record_bytes_max;
			spec.on_refused = weir__on_put_refused;
		}
		s->store = weir__store_open(t->worker->app->state, &spec, t->partition, err);
		if (!s->store)
			return weir_wrap(err, "task %s: store \"%s\"", t->id, spec.name);
		s->checkpoint_us = weir__now_us(t->worker->app);
	}
	t->stores_open = true;
	return true;
}

static bool begin_by_duration(struct input *in, weir_error *err)
{
	weir_app *app = in->task->worker->app;
	int64_t from_ms = app->clock->wall_ms(app->clock) - in->reset_ms;
	weir_partition at = { .topic = in->topic, .partition = in->partition, .offset = from_ms > 0 ? from_ms : 0 };

	if (!weir_offsets_for_times(app->cluster, &at, 1, err))
		return weir_wrap(err, "offset of %s/%d by time", in->topic, (int)in->partition);
	in->begin = at.offset;
	return true;
}

/* Without a committed position: where the source says that reading begins. */
static bool reset_position(struct input *in, weir_error *err)
{
	int64_t first, end;

	/* The anchor is empty. With a committed position there, all topics that matched then have one, too: a topic
	 * without is new, and nothing of it must be left out. */
	bool is_new = in->matched && in->task->inputs[0].committed >= 0 &&
		      !(in->task->worker->app->topology->as & WEIR_AS_NEW_TOPICS);

	if (in->anchor)
		in->begin = 0;
	in->position = in->begin;
	if (in->begin >= 0) /* the end is another by now: what came since must not be left out */
		return true;
	if (in->reset == WEIR_RESET_NONE)
		return weir_fail(err, WEIR_STATE,
				 "no committed position for %s/%d, and its source says not to begin by itself",
				 in->topic, (int)in->partition);
	if (in->reset == WEIR_RESET_BY_DURATION && !is_new) {
		if (!begin_by_duration(in, err))
			return false;
	} else {
		if (!weir_offsets_range(in->task->worker->app->cluster, in->topic, in->partition, &first, &end,
					err))
			return weir_wrap(err, "offsets of %s/%d", in->topic, (int)in->partition);
		in->begin = in->reset == WEIR_RESET_LATEST && !is_new ? end : first;
	}
	in->position = in->begin;
	return true;
}

/* The log's first offset is asked for before the committed one, which only grows: nobody deletes beyond it. */
static bool check_doubtful(struct input *in, weir_error *err)
{
	int64_t first = in->first, end = INT64_MAX;

	if (!in->doubtful)
		return true;
	if (in->committed >= 0 &&
	    !weir_offsets_range(in->task->worker->app->cluster, in->topic, in->partition, NULL, &end, err))
		return weir_wrap(err, "offsets of %s/%d", in->topic, (int)in->partition);
	if (in->committed >= 0 && (in->committed < first || in->committed > end))
		return weir_fail(
			err, WEIR_STATE,
			"the committed position of %s/%d lies outside the log: records are gone that were "
			"not processed; reset the application, or set the group's offsets, to go on: it is "
			"%lld, the log holds %lld to %lld",
			in->topic, (int)in->partition, (long long)in->committed, (long long)first, (long long)end);
	in->doubtful = false;
	return true;
}

static bool first_offsets(struct task *t, weir_error *err)
{
	for (size_t i = 0; i < t->input_count; i++)
		if (t->inputs[i].doubtful &&
		    !weir_offsets_range(t->worker->app->cluster, t->inputs[i].topic, t->inputs[i].partition,
					&t->inputs[i].first, NULL, err))
			return weir_wrap(err, "offsets of %s/%d", t->inputs[i].topic, (int)t->inputs[i].partition);
	return true;
}

/* A topic that matched may have been deleted meanwhile: the task opens with what there is then. */
static bool may_be_gone(struct input *in, weir_error *err)
{
	if (!in->matched || !err || err->code != WEIR_NOT_FOUND)
		return false;
	in->gone = true;
	in->task->worker->next_match_us = 0;
	err->retriable = true;
	return false;
}

static bool read_positions(struct task *t, weir_error *err)
{
	weir_partition *list = t->list;
	struct worker *w = t->worker;
	bool ok = true;

	if (!first_offsets(t, err))
		return false;
	weir__task_partitions(t, list);
	if (!weir_group_committed(w->app->cluster, w->app->settings.application_id, list, t->input_count,
				  OFFSETS_TIMEOUT_MS, err))
		return weir_wrap(err, "task %s: committed positions", t->id);
	t->position_was_committed = false;
	t->cx.stream_time_ms = INT64_MIN;
	for (size_t i = 0; i < t->store_count; i++) {
		t->stores[i].reached = t->stores[i].written = -1;
		t->stores[i].written_last = 0;
		t->stores[i].newest_was = INT64_MIN;
	}
	for (size_t i = 0; i < t->input_count && ok; i++) {
		struct input *in = &t->inputs[i];

		in->committed = list[i].offset;
		in->time_ms = INT64_MIN;
		ok = check_doubtful(in, err);
		if (!ok)
			break;
		if (list[i].offset == WEIR_OFFSET_NONE) {
			ok = reset_position(in, err) || may_be_gone(in, err);
			continue;
		}
		t->position_was_committed = true;
		in->position = list[i].offset;
		ok = weir__metadata_apply(in, list[i].metadata, err);
	}
	weir_partitions_release(list, t->input_count);
	return ok;
}

/* In this order (KAFKA-10167): positions first, then the ends of the changelogs. */
static bool open_task(struct task *t, weir_error *err)
{
	if (!weir__anchors_agreed(t, err) || (!t->stores_open && !open_stores(t, err)))
		return false;
	make_instances(t);
	if (!read_positions(t, err))
		return false;
	if (!weir__restore_begin(t, err))
		return false;
	t->state = TASK_RESTORING;
	return true;
}

static bool check_state_fits(struct task *t, weir_error *err)
{
	for (size_t i = 0; i < t->store_count && !t->position_was_committed; i++) {
		const struct task_store *s = &t->stores[i];

		/* A store that has seen no time has seen no record: its checkpoint is an empty one. */
		if (s->writes_changelog && weir__store_time(s->store) != INT64_MIN)
			return weir_fail(err, WEIR_STATE,
					 "task %s: store \"%s\" has state in \"%s\", but the group \"%s\" has no "
					 "committed position for its input: "
					 "counting again from the start would count twice; reset the application "
					 "(or restore the group's offsets)",
					 t->id, s->graph->spec.name, s->changelog,
					 t->worker->app->settings.application_id);
	}
	return true;
}

static void init_instances(struct task *t)
{
	t->instances_made = true;
	for (size_t i = 0; i < t->sub->node_count; i++) {
		t->cx.current = &t->instances[i];
		if (t->instances[i].op->init)
			t->instances[i].op->init(&t->instances[i], &t->cx);
		t->cx.current = &t->instances[i];
		weir__failed_for_good(&t->cx, "init");
	}
	weir__arena_reset(&t->cx.arena);
	weir__task_heed(t);
	for (size_t i = 0; i < t->store_count && !t->touched; i++)
		if (weir__store_changed(t->stores[i].store))
			weir__task_touch(t);
}

/* What may pass is tried again, up to task.timeout.ms. */
static bool try_again(struct task *t, weir_error *err)
{
	int64_t now_us = weir__now_us(t->worker->app);

	if (!err->retriable || err->fatal)
		return false;
	if (now_us - t->opened_us > t->worker->app->settings.task_timeout_ms * 1000)
		return weir_wrap(err, "given up after task.timeout.ms");
	t->try_again_us = now_us + RETRY_US;
	return true;
}

/* What a seek fails for may be a topic that is gone. */
static bool open_again(struct task *t, weir_error *err)
{
	int64_t opened_us = t->opened_us;

	weir_log(WEIR_LOG_WARN, "task", "%s", err->message);
	err->retriable = true;
	weir__task_reset(t);
	t->opened_us = opened_us;
	t->worker->next_match_us = 0;
	return try_again(t, err);
}

/* So that later a topic without a committed position is known to be new. */
static void commit_first_positions(struct task *t)
{
	for (size_t i = 0; t->sub->pattern && i < t->input_count; i++)
		if (t->inputs[i].committed < 0) {
			weir__task_touch(t);
			t->worker->commit_now = true;
			return;
		}
}

static bool run_task(struct task *t, weir_error *err)
{
	weir_partition *list = t->list;

	if (!check_state_fits(t, err)) {
		/* Unless somebody has committed one since: then this task is another member's by now. */
		bool sure = read_positions(t, NULL) && !t->position_was_committed;

		if (!sure)
			weir__task_reset(t);
		return !sure;
	}
	for (size_t i = 0; i < t->store_count; i++)
		weir__store_newest_was(t->stores[i].store, t->stores[i].newest_was);
	init_instances(t);
	if (t->worker->failed && !t->touched) { /* what init has done belongs to no transaction */
		weir__task_reset(t);
		return true;
	}
	weir__task_partitions(t, list);
	for (size_t i = 0; i < t->input_count; i++) {
		list[i].offset = t->inputs[i].position;
		t->inputs[i].paused = false;
	}
	if (!weir_consumer_seek(t->worker->consumer, list, t->input_count, err) ||
	    !weir_consumer_resume(t->worker->consumer, list, t->input_count, err)) {
		weir_wrap(err, "task %s: go to the committed positions", t->id);
		return t->sub->pattern && open_again(t, err);
	}
	t->state = TASK_RUNNING;
	commit_first_positions(t);
	int64_t restored = 0;

	for (size_t i = 0; i < t->store_count; i++)
		restored += t->stores[i].restored;
	weir_log(WEIR_LOG_INFO, "task", "running task=%s restored=%lld after_ms=%lld", t->id, (long long)restored,
		 (long long)((weir__now_us(t->worker->app) - t->opened_us) / 1000));
	return true;
}

bool weir__task_advance(struct task *t, weir_error *err)
{
	if (t->state == TASK_OPENING) {
		if (weir__now_us(t->worker->app) < t->try_again_us)
			return true;
		if (!open_task(t, err))
			return try_again(t, err);
	}
	if (t->state == TASK_RESTORING && weir__restore_finished(t, err))
		return !t->worker->producer || !weir__globals_ready(t->worker->app) || run_task(t, err);
	return t->state != TASK_RESTORING || err->code == WEIR_OK;
}

/* --- back, and away ------------------------------------------------------------------------------ */

void weir__task_reset(struct task *t)
{
	weir_partition *list = t->list;
	weir_error err;

	weir__restore_cancel(t);
	unmake_instances(t);
	for (size_t i = 0; i < t->store_count; i++)
		if (t->stores[i].store) {
			weir__store_discard(t->stores[i].store);
			t->stores[i].wrote = 0;
			t->stores[i].wrote_last = 0;
		}
	weir__origins_clear(&t->cx.origins);
	weir__task_partitions(t, list);
	if (!weir_consumer_pause(t->worker->consumer, list, t->input_count, &err))
		weir_log(WEIR_LOG_WARN, "task", "pause: %s", err.message);
	t->touched = false;
	t->cx.failed = false;
	t->cx.failure = NULL;
	t->state = TASK_OPENING;
	t->opened_us = weir__now_us(t->worker->app);
	t->try_again_us = 0;
}

void weir__task_close(struct task *t, bool clean)
{
	weir_error err;

	if (t->state == TASK_RUNNING)
		weir_log(WEIR_LOG_INFO, "task", "closed task=%s", t->id);
	weir__restore_cancel(t);
	unmake_instances(t);
	for (size_t i = 0; i < t->store_count; i++) {
		struct task_store *s = &t->stores[i];

		if (s->store && clean && t->state == TASK_RUNNING && !t->touched &&
		    !weir__store_checkpoint(s->store, true, &err))
			weir_log(WEIR_LOG_WARN, "task", "checkpoint at close task=%s store=%s: %s", t->id,
				 s->graph->spec.name, err.message);
		weir__store_close(s->store);
		weir__arena_release(&s->codec_cx.arena);
	}
	weir__task_own_free(t);
	weir__arena_release(&t->cx.arena);
	weir__origins_release(&t->cx.origins);
	weir__arena_release(&t->instance_memory);
	for (size_t i = 0; i < t->input_count; i++)
		weir__ages_release(&t->inputs[i].ages);
	free(t->list);
	free(t->stores);
	free(t->inputs);
	free(t);
}
