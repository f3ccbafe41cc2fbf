/*
 * Global tables: one reader an instance, with a consumer of its own outside the group, follows all partitions of
 * their topics. Tasks run once it has come to the ends that it found at the start. The topic is the changelog; how
 * far each partition has been taken is noted beside the store after each checkpoint, so that a note never claims
 * more than the store has: what lies behind it is put again, which ends in the same state.
 *
 * Not so where a processor makes the rows of the records: it must be given each record once. Such a store is not
 * logged, so that it is checkpointed as a whole, under the sum of all positions. The notes are written before, and
 * have the positions of this checkpoint and of the one before, each with its sum: the store's says which hold.
 *
 * The reader has a thread, or is stepped by the workers where those are stepped (driver, simulator). A table's lock
 * is held while a row is read or put.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "framework/base/alloc.h"
#include "framework/base/log_prefix.h"
#include "framework/runtime/global_task.h"

struct global;

struct global_partition {
	struct global *global;
	int32_t partition;
	int64_t end;      /* of the topic when reading began */
	int64_t position; /* behind the last record put */
	/* Until all are ready, if there is something: for the listener. */
	bool restoring;
	int64_t from, restored, restored_told;
	int64_t saved; /* position of the last checkpoint */
};

struct global {
	const struct graph_global *graph;
	weir_store *store;
	pthread_mutex_t lock;
	struct global_partition *parts;
	int32_t count;
	struct global_task *task;
	bool processes; /* else the records are the rows */
	int64_t saved;  /* offset of the last checkpoint */
	bool changed;   /* since the last checkpoint */
	int64_t checkpoint_us;
};

struct globals {
	weir_app *app;
	pthread_t thread;
	bool thread_started;
	weir_consumer *consumer;
	struct global *items;
	size_t count;
	bool at_work; /* being stepped: by a worker that stands still in the middle of it */
	atomic_bool ready, stopping;
	bool failed;
	weir_error error;
	int64_t failing_since_us; /* 0 = it works */
};

/* --- where it begins ------------------------------------------------------------------------------ */

static char *note_name(const struct global_partition *p)
{
	return weir__asprintf("global.%s.%d", p->global->graph->store, (int)p->partition);
}

enum { NOTE_BYTES = 100 };

/* "OFFSET:POSITION OFFSET:POSITION", of two checkpoints; -1 = neither is the store's. */
static int64_t position_at(const char *note, int64_t offset)
{
	long long offsets[2], positions[2];

	if (sscanf(note, "%lld:%lld %lld:%lld", &offsets[0], &positions[0], &offsets[1], &positions[1]) != 4)
		return -1;
	return offsets[1] == offset ? positions[1] : offsets[0] == offset ? positions[0] : -1;
}

/* -1 = there is none. */
static int64_t noted(struct globals *g, const struct global_partition *p)
{
	char *name = note_name(p), text[NOTE_BYTES];
	int64_t offset = weir__store_checkpoint_offset(p->global->store);
	bool is = offset >= 0 && weir__state_note_get(g->app->state, name, text, sizeof text);

	free(name);
	if (!is)
		return -1;
	if (p->global->graph->process)
		return position_at(text, offset);
	return strchr(text, ':') ? -1 : strtoll(text, NULL, 10);
}

static bool note_put(struct globals *g, const struct global_partition *p, int64_t offset, weir_error *err)
{
	char *name = note_name(p), text[NOTE_BYTES];

	if (p->global->processes)
		snprintf(text, sizeof text, "%lld:%lld %lld:%lld", (long long)p->global->saved, (long long)p->saved,
			 (long long)offset, (long long)p->position);
	else
		snprintf(text, sizeof text, "%lld", (long long)p->position);
	bool ok = weir__state_note_put(g->app->state, name, text, err);

	free(name);
	return ok;
}

static bool notes_put(struct globals *g, const struct global *global, int64_t offset, weir_error *err)
{
	for (int32_t i = 0; i < global->count; i++)
		if (!note_put(g, &global->parts[i], offset, err))
			return false;
	return true;
}

/* It may have been made by a processor which there was then, or without the one that there is now. */
static bool made_otherwise(struct globals *g, const struct global *global)
{
	bool any = false, all = true;

	for (int32_t i = 0; i < global->count; i++) {
		bool is = noted(g, &global->parts[i]) >= 0;

		any |= is;
		all &= is;
	}
	return weir__store_checkpoint_offset(global->store) >= 0 && (global->graph->process ? !all : !any);
}

/* How old what is on disk may be. A topic that is not compacted drops nothing but its beginning. */
static int64_t age_ms_max(struct globals *g, const struct global *global)
{
	const char *topic = global->graph->topic;
	char text[64];

	if (weir_topic_config(g->app->cluster, topic, "cleanup.policy", text, sizeof text, NULL) &&
	    !strstr(text, "compact"))
		return INT64_MAX;
	return weir_topic_config(g->app->cluster, topic, "delete.retention.ms", text, sizeof text, NULL)
		       ? strtoll(text, NULL, 10)
		       : WEIR_DAYS(1);
}

/* Why what is on disk cannot be brought up to date; NULL = it can. */
static const char *stale(struct globals *g, struct global *global)
{
	int64_t wall_ms = weir__store_checkpoint_wall_ms(global->store);

	if (wall_ms >= 0 && g->app->clock->wall_ms(g->app->clock) - wall_ms > age_ms_max(g, global))
		return "it is older than delete.retention.ms: compaction may have dropped deletions that it never "
		       "saw";
	if (made_otherwise(g, global))
		return "nothing says how much of the topic it has";
	for (int32_t i = 0; i < global->count; i++) {
		const struct global_partition *p = &global->parts[i];
		int64_t at = noted(g, p);

		if (at > p->end)
			return "it lies behind the end of the topic: that was made anew";
		if (at >= 0 && at < p->position)
			return "the topic begins after it";
	}
	return NULL;
}

static bool find_positions(struct globals *g, struct global *global, weir_error *err)
{
	const char *topic = global->graph->topic;

	for (int32_t i = 0; i < global->count; i++) {
		struct global_partition *p = &global->parts[i];

		*p = (struct global_partition){ .global = global, .partition = i };
		if (!weir_offsets_range(g->app->cluster, topic, i, &p->position, &p->end, err))
			return weir_wrap(err, "offsets of %s/%d", topic, (int)i);
	}
	const char *why = stale(g, global);

	if (why) {
		weir_log(WEIR_LOG_WARN, "global", "local state wiped table=%s: %s", global->graph->store, why);
		return weir__store_wipe(global->store, err);
	}
	for (int32_t i = 0; i < global->count; i++) {
		int64_t at = noted(g, &global->parts[i]);

		if (at >= 0)
			global->parts[i].position = at;
	}
	return true;
}

/* Grows with each record, as a changelog's offset does. */
static int64_t taken(const struct global *global)
{
	int64_t sum = 0;

	for (int32_t i = 0; i < global->count; i++)
		sum += global->parts[i].position;
	return sum;
}

/* There is no restoring: from the first record on it is as it will be. */
static bool open_process(struct global *global, weir_error *err)
{
	if (!weir__store_restore_done(global->store, taken(global), err))
		return false;
	global->changed = true; /* notes are to be there for what has just been written */
	global->saved = taken(global);
	for (int32_t i = 0; i < global->count; i++)
		global->parts[i].saved = global->parts[i].position;
	return true;
}

static void count_dropped(void *app)
{
	atomic_fetch_add_explicit(&((weir_app *)app)->workers[0].dropped, 1, memory_order_relaxed);
}

static bool open_one(struct globals *g, struct global *global, weir_error *err)
{
	const struct graph_global *graph = global->graph;
	struct store_spec spec = graph->spec;

	spec.on_expired = count_dropped;
	spec.user = g->app;
	global->count = weir_topic_partitions(g->app->cluster, graph->topic, err);
	if (global->count < 0)
		return weir_wrap(err, "partitions of topic \"%s\"", graph->topic);
	if (global->count == 0)
		return weir_fail(err, WEIR_NOT_FOUND, "topic \"%s\" of the global table \"%s\" does not exist",
				 graph->topic, graph->name);
	global->parts = weir__calloc((size_t)global->count, sizeof *global->parts);
	global->checkpoint_us = weir__now_us(g->app);
	spec.in_memory |= spec.by_default && g->app->settings.dsl_in_memory;
	global->store = weir__store_open(g->app->state, &spec, 0, err);
	if (!global->store)
		return weir_wrap(err, "global table \"%s\"", graph->name);
	if (!find_positions(g, global, err) || (graph->process && !open_process(global, err)))
		return false;
	global->task = weir__global_task_new(g->app, graph, global->store, err);
	global->processes = global->task && graph->process;
	return global->task != NULL;
}

/* --- who wants to know ---------------------------------------------------------------------------- */

static void tell(struct globals *g, struct global_partition *p, weir_restore_event event)
{
	weir_app *app = g->app;
	weir_restore r = {
		.store = p->global->graph->store,
		.topic = p->global->graph->topic,
		.partition = p->partition,
		.from = p->from,
		.to = p->end,
		.at = p->position,
		.records = p->restored,
		.batch = p->restored - p->restored_told,
	};

	p->restored_told = p->restored;
	if (app->listener.restore)
		app->listener.restore(app, event, &r, app->listener.user);
}

static void tell_start(struct globals *g)
{
	for (size_t i = 0; i < g->count; i++)
		for (int32_t j = 0; j < g->items[i].count; j++) {
			struct global_partition *p = &g->items[i].parts[j];

			p->from = p->position;
			p->restoring = p->position < p->end;
			if (p->restoring)
				tell(g, p, WEIR_RESTORE_START);
		}
}

/* Of those that are being restored; batches where there is something new. */
static void tell_all(struct globals *g, struct global *global, weir_restore_event event)
{
	for (int32_t i = 0; i < global->count; i++) {
		struct global_partition *p = &global->parts[i];

		if (p->restoring && (event != WEIR_RESTORE_BATCH || p->restored != p->restored_told))
			tell(g, p, event);
		if (event != WEIR_RESTORE_BATCH)
			p->restoring = false;
	}
}

/* --- reading -------------------------------------------------------------------------------------- */

static void fail(struct globals *g, const weir_error *err)
{
	if (g->failed)
		return;
	g->failed = true;
	g->error = *err;
}

static void on_partition_error(weir_consumer *consumer, const weir_partition *p, const weir_error *error,
			       void *user)
{
	struct globals *g = user;
	weir_error err = *error;

	(void)consumer;
	weir_wrap(&err, "global table's topic %s/%d (it begins anew at the next start)", p->topic,
		  (int)p->partition);
	fail(g, &err);
}

static bool readable(struct global *global, const weir_kafka_record *record, const void **object, weir_error *err)
{
	const weir_serde *serde = global->graph->topic_value;
	weir_context *cx = weir__global_task_context(global->task);

	*object = NULL;
	if (!serde || weir_is_null(record->value))
		return true;
	weir__arena_reset(&cx->arena);
	*object = serde->decode_headers
			  ? serde->decode_headers(cx, record->value, weir_kafka_record_headers(record), err)
			  : serde->decode(cx, record->value, err);
	return *object != NULL;
}

/* Of what cannot be read the topology's handler says so, or the configuration. */
static bool may_leave_out(struct globals *g, struct global *global, const weir_kafka_record *record,
			  weir_error *err)
{
	if (g->app->topology->on_unreadable.fn)
		return weir__global_task_unreadable(global->task, record, err);
	return !g->app->settings.stop_on_unreadable ||
	       weir_wrap(err, "record %s/%d@%lld of a global table cannot be read (errors.deserialization=stop)",
			 record->topic, (int)record->partition, (long long)record->offset);
}

/* Null keys of tables, and what cannot be read: there is no transaction here that a dead letter could go with. */
static bool wanted(struct globals *g, struct global *global, const weir_kafka_record *record, const void **object)
{
	weir_error err = { .message = "null key" };
	static weir_log_limit limit;
	bool has_key = global->processes || !weir_is_null(record->key);

	if (has_key && readable(global, record, object, &err))
		return true;
	if (has_key && !may_leave_out(g, global, record, &err)) {
		fail(g, &err);
		return false;
	}
	/* What Kafka Streams restores it does not count, but what it processes again. */
	if (global->processes || atomic_load_explicit(&g->ready, memory_order_relaxed))
		count_dropped(g->app);
	weir_log_limited(&limit, 60000, WEIR_LOG_WARN, "global",
			 "record left out topic=%s partition=%d offset=%lld: %s", record->topic,
			 (int)record->partition, (long long)record->offset, err.message);
	return false;
}

/* A serde that wants a record's headers cannot read its bytes out of the store. */
static weir_bytes bytes_to_keep(struct global *global, const weir_kafka_record *record, const void *object)
{
	const weir_serde *serde = global->graph->topic_value;

	return object && serde->decode_headers ? serde->encode(weir__global_task_context(global->task), object)
					       : record->value;
}

static void take(struct globals *g, struct global *global, const weir_kafka_record *record, const void *object)
{
	weir_error err = { .code = WEIR_OK };

	if (global->processes) {
		if (!weir__global_task_process(global->task, record, object, &err))
			fail(g, &err);
	} else if (!atomic_load_explicit(&g->ready, memory_order_relaxed)) {
		weir__store_restore_put(global->store, record->key, bytes_to_keep(global, record, object),
					record->timestamp_ms);
	} else {
		weir_store_put(global->store, record->key, bytes_to_keep(global, record, object),
			       record->timestamp_ms);
	}
}

static bool on_record(const weir_kafka_record *record, void *user)
{
	struct globals *g = user;
	struct global_partition *p = record->user;
	struct global *global = p->global;
	const void *object;

	if (record->offset < p->position)
		return true;
	pthread_mutex_lock(&global->lock);
	if (wanted(g, global, record, &object)) {
		take(g, global, record, object);
		p->restored += p->restoring;
	}
	pthread_mutex_unlock(&global->lock);
	if (g->failed)
		return false; /* it has not been taken, or not as a whole */
	p->position = record->offset + 1;
	global->changed = true;
	return !atomic_load_explicit(&g->stopping, memory_order_relaxed);
}

/* Behind markers, too. */
static void take_positions(struct globals *g, struct global *global)
{
	for (int32_t i = 0; i < global->count; i++) {
		struct global_partition *p = &global->parts[i];
		int64_t at = weir_consumer_position(g->consumer, global->graph->topic, i);

		p->position = at > p->position ? at : p->position;
	}
}

static bool ignore_change(const struct store_change *change, void *user)
{
	(void)change, (void)user;
	return true;
}

/* What is in a committed log is committed. */
static void commit_puts(struct global *global)
{
	weir__store_flush(global->store, ignore_change, NULL);
	weir__store_committed(global->store, taken(global));
}

/* What is past retention. On disk only behind a checkpoint, which has the time that hides it: what begins again at
 * the one before finds all that there was then. */
static void expire(struct global *global)
{
	const struct store_spec *spec = weir__store_spec(global->store);

	if (weir__store_kind_timed(spec->kind) || spec->kind == STORE_VERSIONED)
		weir__store_expire(global->store, weir__store_time(global->store));
}

static bool checkpoint(struct globals *g, struct global *global, weir_error *err)
{
	int64_t offset = taken(global);

	global->checkpoint_us = weir__now_us(g->app);
	if (weir__store_changed(global->store) || global->processes)
		commit_puts(global);
	if (weir__store_spec(global->store)->in_memory)
		expire(global);
	if (!global->changed || weir__store_spec(global->store)->in_memory)
		return true;
	global->changed = false;
	if (!global->processes)
		return weir__store_checkpoint(global->store, true, err) && notes_put(g, global, offset, err);
	if (!notes_put(g, global, offset, err) || !weir__store_checkpoint(global->store, true, err))
		return false;
	global->saved = offset;
	for (int32_t i = 0; i < global->count; i++)
		global->parts[i].saved = global->parts[i].position;
	expire(global);
	return true;
}

/* Of a processor's store nothing may go to disk before all of it does. */
static bool keep_memory(struct globals *g, struct global *global, weir_error *err)
{
	size_t bytes = (size_t)g->app->settings.memory_bytes_max / 16 / g->count;

	if (global->processes && weir__store_memory_bytes(global->store) > bytes && !checkpoint(g, global, err))
		return false;
	weir__store_shrink(global->store, bytes);
	return true;
}

static bool at_the_ends(const struct globals *g)
{
	for (size_t i = 0; i < g->count; i++)
		for (int32_t j = 0; j < g->items[i].count; j++)
			if (g->items[i].parts[j].position < g->items[i].parts[j].end)
				return false;
	return true;
}

static bool become_ready(struct globals *g, weir_error *err)
{
	if (!at_the_ends(g))
		return true;
	for (size_t i = 0; i < g->count; i++) {
		struct global *global = &g->items[i];
		bool restored = global->processes || weir__store_restore_done(global->store, taken(global), err);

		if (!restored || !checkpoint(g, global, err))
			return false;
		weir_log(WEIR_LOG_INFO, "global", "ready table=%s", global->graph->name);
		tell_all(g, global, WEIR_RESTORE_END);
	}
	atomic_store_explicit(&g->ready, true, memory_order_release);
	return true;
}

static bool settle(struct globals *g, struct global *global, weir_error *err)
{
	const struct settings *s = &g->app->settings;

	if (weir__store_changed(global->store)) {
		commit_puts(global);
		if (!keep_memory(g, global, err))
			return false;
	}
	if (weir__store_tail(global->store) < s->checkpoint_records &&
	    weir__now_us(g->app) - global->checkpoint_us < s->checkpoint_interval_ms * 1000)
		return true;
	return checkpoint(g, global, err);
}

static bool after_poll(struct globals *g, weir_error *err)
{
	bool ready = atomic_load_explicit(&g->ready, memory_order_relaxed);

	for (size_t i = 0; i < g->count; i++)
		take_positions(g, &g->items[i]);
	for (size_t i = 0; i < g->count && !ready; i++)
		tell_all(g, &g->items[i], WEIR_RESTORE_BATCH);
	for (size_t i = 0; i < g->count; i++) {
		struct global *global = &g->items[i];
		bool ok = true;

		if (!ready && !global->processes)
			continue;
		pthread_mutex_lock(&global->lock);
		ok = settle(g, global, err);
		pthread_mutex_unlock(&global->lock);
		if (!ok)
			return false;
	}
	return ready || become_ready(g, err);
}

static bool open_consumer(struct globals *g, weir_error *err)
{
	g->consumer = weir_consumer_open(g->app->cluster,
					 (weir_consumer_opts){
						 .queue_bytes_max = g->app->settings.fetch_bytes_max,
						 .on_partition_error = on_partition_error,
						 .user = g,
					 },
					 err);
	if (!g->consumer)
		return weir_wrap(err, "open the consumer for global tables");
	for (size_t i = 0; i < g->count; i++)
		for (int32_t j = 0; j < g->items[i].count; j++) {
			struct global_partition *p = &g->items[i].parts[j];
			weir_partition at = {
				.topic = g->items[i].graph->topic, .partition = j, .offset = p->position, .user = p
			};

			if (!weir_consumer_assign(g->consumer, &at, 1, err))
				return weir_wrap(err, "read the topic \"%s\" of a global table", at.topic);
		}
	return true;
}

/* A poll that fails is tried again, up to task.timeout.ms. */
static bool poll_failed(struct globals *g, weir_error *err)
{
	int64_t now_us = weir__now_us(g->app);

	if (!g->failing_since_us)
		g->failing_since_us = now_us;
	if (now_us - g->failing_since_us > g->app->settings.task_timeout_ms * 1000)
		return weir_wrap(err, "global tables: given up after task.timeout.ms");
	weir_log(WEIR_LOG_WARN, "global", "%s", err->message);
	if (!err->fatal)
		return true;
	weir_consumer_close(g->consumer);
	g->consumer = NULL;
	return open_consumer(g, err);
}

static bool step(struct globals *g, int64_t wait_ms, weir_error *err)
{
	if (weir_consumer_poll(g->consumer, wait_ms, on_record, g, err))
		g->failing_since_us = 0;
	else if (!poll_failed(g, err))
		return false;
	if (!g->failed)
		return after_poll(g, err);
	*err = g->error;
	return false;
}

bool weir__globals_step(weir_app *app, weir_error *err)
{
	struct globals *g = app->globals;

	if (!g || g->thread_started || g->at_work)
		return true;
	g->at_work = true;
	bool ok = step(g, 0, err);

	g->at_work = false;
	return ok;
}

/* --- life ----------------------------------------------------------------------------------------- */

static void *run(void *globals)
{
	struct globals *g = globals;
	weir_error err = { .code = WEIR_OK };

	weir__log_prefix("global");
	weir__on_worker = true;
	while (!atomic_load_explicit(&g->stopping, memory_order_acquire))
		if (!step(g, 100, &err)) {
			weir__tell_uncaught(g->app, -1, &err);
			weir__app_failed(g->app, &err);
			break;
		}
	return NULL;
}

bool weir__globals_open(weir_app *app, weir_error *err)
{
	const weir_topology *t = app->topology;

	if (t->global_count == 0)
		return true;
	struct globals *g = app->globals = weir__calloc(1, sizeof *g);

	g->app = app;
	g->items = weir__calloc(t->global_count, sizeof *g->items);
	for (; g->count < t->global_count; g->count++) {
		g->items[g->count].graph = t->globals[g->count];
		pthread_mutex_init(&g->items[g->count].lock, NULL);
	}
	for (size_t i = 0; i < g->count; i++)
		if (!open_one(g, &g->items[i], err))
			return false;
	if (!open_consumer(g, err))
		return false;
	tell_start(g);
	if (!app->threaded)
		return true;
	int e = pthread_create(&g->thread, NULL, run, g);

	g->thread_started = e == 0;
	return e == 0 || weir_fail(err, WEIR_IO, "start the thread of the global tables: error %d", e);
}

/* What it holds may be kept. */
static bool is_whole(const struct globals *g, const struct global *global)
{
	if (global->graph->process)
		return global->processes && !g->failed;
	return global->store && atomic_load(&g->ready);
}

void weir__globals_close(weir_app *app)
{
	struct globals *g = app->globals;
	weir_error err;

	if (!g)
		return;
	atomic_store_explicit(&g->stopping, true, memory_order_release);
	if (g->thread_started)
		pthread_join(g->thread, NULL);
	weir_consumer_close(g->consumer);
	for (size_t i = 0; i < g->count; i++) {
		struct global *global = &g->items[i];

		tell_all(g, global, WEIR_RESTORE_SUSPENDED);
		if (is_whole(g, global) && !app->crash && !checkpoint(g, global, &err))
			weir_log(WEIR_LOG_WARN, "global", "checkpoint at close table=%s: %s", global->graph->name,
				 err.message);
		weir__global_task_free(global->task);
		weir__store_close(global->store);
		pthread_mutex_destroy(&global->lock);
		free(global->parts);
	}
	free(g->items);
	free(g);
	app->globals = NULL;
}

weir_consumer *weir__globals_cut_off(weir_app *app)
{
	weir_consumer *consumer = app->globals ? app->globals->consumer : NULL;

	if (app->globals)
		app->globals->consumer = NULL;
	return consumer;
}

bool weir__globals_at_ends(weir_app *app)
{
	const struct globals *g = app->globals;
	int64_t end;

	for (size_t i = 0; g && i < g->count; i++)
		for (int32_t j = 0; j < g->items[i].count; j++)
			if (!weir_offsets_range(app->cluster, g->items[i].graph->topic, j, NULL, &end, NULL) ||
			    g->items[i].parts[j].position < end)
				return false;
	return true;
}

/* --- looked at ------------------------------------------------------------------------------------ */

bool weir__globals_ready(const weir_app *app)
{
	return !app->globals || atomic_load_explicit(&app->globals->ready, memory_order_acquire);
}

weir_bytes weir__global_get(weir_context *cx, const struct graph_global *graph, weir_bytes key,
			    int64_t *timestamp_ms)
{
	struct globals *g = ((struct task *)cx)->worker->app->globals;
	struct global *global = &g->items[graph->id];

	pthread_mutex_lock(&global->lock);
	weir_bytes value = weir__arena_copy(&cx->arena, weir_store_get(global->store, key, timestamp_ms));

	pthread_mutex_unlock(&global->lock);
	return value;
}

void weir__global_read(weir_context *cx, const struct graph_global *graph, weir_global_read_fn *fn, void *user)
{
	struct globals *g = ((struct task *)cx)->worker->app->globals;
	struct global *global = &g->items[graph->id];

	pthread_mutex_lock(&global->lock);
	fn(global->store, user);
	pthread_mutex_unlock(&global->lock);
}

static struct global *find(weir_app *app, const char *store)
{
	struct globals *g = app->globals;

	for (size_t i = 0; g && i < g->count; i++)
		if (strcmp(g->items[i].graph->store, store) == 0)
			return &g->items[i];
	return NULL;
}

weir_store *weir__global_store(weir_app *app, const char *name)
{
	struct global *global = find(app, name);

	return global ? global->store : NULL;
}

bool weir__global_query(weir_app *app, const char *store, weir_query_fn *fn, void *user)
{
	struct global *global = find(app, store);

	if (!global || !weir__globals_ready(app))
		return false;
	pthread_mutex_lock(&global->lock);
	fn(global->store, 0, user);
	pthread_mutex_unlock(&global->lock);
	return true;
}
