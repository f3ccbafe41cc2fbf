/*
 * What its context asks for is answered as for a task, of a worker of its own that has neither consumer nor
 * producer: names, configuration, files, metrics. The rest is here: there is no transaction, and no time.
 */
#include "framework/runtime/global_task.h"

#include <stdio.h>
#include <stdlib.h>

#include "framework/base/alloc.h"

struct global_task {
	struct task task; /* first: its context is this */
	struct worker worker;
	struct instance instance; /* of its processor; without one only its name is used */
	struct node named;
	weir_store *stores[1];
	const struct graph_global *graph;
	struct context_ops ops;
};

/* --- what it asks for ----------------------------------------------------------------------------- */

static void left_out(const weir_context *cx, const char *reason)
{
	weir_metadata at = weir_record_metadata(cx);
	static weir_log_limit limit;

	weir_log_limited(&limit, 60000, WEIR_LOG_WARN, "global",
			 "record left out step=%s topic=%s partition=%d offset=%lld: %s", cx->current->node->name,
			 at.topic ? at.topic : "-", (int)at.partition, (long long)at.offset, reason);
}

static void ask_dead_letter(weir_context *cx, const weir_record *r, const char *reason)
{
	(void)r;
	left_out(cx, reason);
}

static void ask_failed(weir_context *cx, const weir_record *r, const char *message, int64_t now_ms)
{
	(void)now_ms;
	if (weir__failure_answer((struct task *)cx, r, message) != WEIR_ANSWER_STOP)
		left_out(cx, message);
}

static weir_timer *ask_schedule(weir_context *cx, const int64_t *start_ms, int64_t interval_ms, weir_time time,
				weir_punctuate_fn *fn)
{
	(void)start_ms, (void)interval_ms, (void)time, (void)fn;
	weir_stop(cx, "step \"%s\" schedules a timer: before a global store there is no time",
		  cx->current->node->name);
	return NULL;
}

static weir_bytes ask_global_get(weir_context *cx, const struct graph_global *graph, weir_bytes key,
				 int64_t *timestamp_ms)
{
	struct global_task *p = (struct global_task *)cx;

	if (graph != p->graph)
		return weir__global_get(cx, graph, key, timestamp_ms);
	return weir__arena_copy(&cx->arena, weir_store_get(p->stores[0], key, timestamp_ms)); /* it is locked */
}

static void ask_global_read(weir_context *cx, const struct graph_global *graph, weir_global_read_fn *fn, void *user)
{
	struct global_task *p = (struct global_task *)cx;

	if (graph != p->graph)
		weir__global_read(cx, graph, fn, user);
	else
		fn(p->stores[0], user);
}

/* --- its life ------------------------------------------------------------------------------------- */

static void make(struct global_task *p, weir_app *app)
{
	struct task *t = &p->task;
	p->worker.app = app;
	t->worker = &p->worker;
	snprintf(t->id, sizeof t->id, "global_%d", p->graph->id);
	weir__arena_init(&t->cx.arena, 0);
	weir__arena_init(&t->cx.origins.memory, 0);
	weir__arena_init(&t->instance_memory, 0);
	p->ops = weir__context_ops;
	p->ops.dead_letter = ask_dead_letter;
	p->ops.failed = ask_failed;
	p->ops.schedule = ask_schedule;
	p->ops.global_get = ask_global_get;
	p->ops.global_read = ask_global_read;
	t->cx.ops = &p->ops;
	t->cx.clock = app->clock;
	t->cx.stream_time_ms = INT64_MIN;
	t->cx.record_bytes_max = app->settings.record_bytes_max;
	p->named.name = p->graph->name;
	p->instance =
		(struct instance){ .node = p->graph->process ? p->graph->process : &p->named, .stores = p->stores };
	t->cx.current = &p->instance;
}

static void make_processor(struct global_task *p)
{
	const struct node *n = p->graph->process;
	size_t size = n->op->state_size(n);

	p->instance.op = n->op;
	p->instance.observed_ms = INT64_MIN;
	p->instance.state = weir__arena_zalloc(&p->task.instance_memory, size + 1);
	weir__instance_wrap(&p->instance, &p->task.instance_memory);
	p->instance.op->init(&p->instance, &p->task.cx);
	p->task.cx.current = &p->instance;
	weir__failed_for_good(&p->task.cx, "init");
}

static bool goes_on(struct global_task *p, weir_error *err)
{
	weir_context *cx = &p->task.cx;

	weir__arena_reset(&cx->arena);
	cx->commit_requested = false;
	if (!cx->failed)
		return true;
	if (err)
		*err = cx->error;
	return false;
}

struct global_task *weir__global_task_new(weir_app *app, const struct graph_global *graph, weir_store *store,
					  weir_error *err)
{
	struct global_task *p = weir__calloc(1, sizeof *p);

	p->graph = graph;
	p->stores[0] = store;
	make(p, app);
	if (graph->process)
		make_processor(p);
	if (goes_on(p, err))
		return p;
	weir__global_task_free(p);
	return NULL;
}

weir_context *weir__global_task_context(struct global_task *p)
{
	return &p->task.cx;
}

bool weir__global_task_unreadable(struct global_task *p, const weir_kafka_record *record, weir_error *err)
{
	weir_context *cx = &p->task.cx;
	weir_record r = { .key = record->key,
			  .timestamp_ms = record->timestamp_ms,
			  .encoded = record->value,
			  .has_encoded = true,
			  .cx = cx };

	cx->source = record;
	weir_answer what = weir__unreadable_answer(&p->task, &r,
						   weir__arena_printf(&cx->arena, "unreadable: %s", err->message));

	cx->source = NULL;
	if (!goes_on(p, err)) /* the handler has stopped it */
		return false;
	return what != WEIR_ANSWER_STOP ||
	       weir_wrap(err,
			 "record %s/%d@%lld of a global table cannot be read (as the topology's handler has "
			 "answered)",
			 record->topic, (int)record->partition, (long long)record->offset);
}

bool weir__global_task_process(struct global_task *p, const weir_kafka_record *record, const void *object,
			       weir_error *err)
{
	weir_context *cx = &p->task.cx;
	weir_record r = {
		.key = record->key,
		.timestamp_ms = record->timestamp_ms,
		.encoded = record->value,
		.has_encoded = true,
		.object = object,
		.serde = p->graph->topic_value,
		.cx = cx,
	};

	if (object && r.serde->decode_headers) { /* without the headers these bytes are nothing */
		r.encoded = WEIR_NULL;
		r.has_encoded = false;
	}
	cx->source = record;
	weir__process(&p->instance, cx, &r);
	cx->source = NULL;
	return goes_on(p, err);
}

void weir__global_task_free(struct global_task *p)
{
	if (!p)
		return;
	if (p->instance.op)
		p->instance.op->close(&p->instance);
	weir__task_own_free(&p->task);
	weir__arena_release(&p->task.cx.arena);
	weir__origins_release(&p->task.cx.origins);
	weir__arena_release(&p->task.instance_memory);
	free(p);
}
