/* What operators ask of the runtime. */
#include <stdio.h>
#include <stdlib.h>

#include "framework/base/alloc.h"
#include "framework/runtime/runtime.h"

/* Names the source record in a delivery: input id + 1 | offset; 0 = none. */
static uint64_t tag_of(const struct task *t)
{
	if (!t->current || !t->cx.source)
		return 0;
	return (uint64_t)(t->current->id + 1) << 48 | ((uint64_t)t->cx.source->offset & UINT64_C(0xffffffffffff));
}

static void add_count(atomic_llong *counter, int n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* A callback outside of records (init) may be the first to need the transaction. */
static bool may_send(struct task *t)
{
	return t->touched || weir__task_touch(t);
}

enum { OWN_HEADERS_MAX = 10, NUMBER_BYTES = 24, BARE_KEY_BYTES_MAX = 1000 };

static weir_bytes number(weir_context *cx, int64_t n)
{
	char *text = weir_alloc(cx, NUMBER_BYTES);

	snprintf(text, NUMBER_BYTES, "%lld", (long long)n);
	return weir_str(text);
}

static size_t place_headers(weir_context *cx, weir_header *own, const char *topic, int32_t partition,
			    int64_t offset)
{
	own[0] = (weir_header){ "__streams.errors.topic", weir_str(topic) };
	own[1] = (weir_header){ "__streams.errors.partition", number(cx, partition) };
	own[2] = (weir_header){ "__streams.errors.offset", number(cx, offset) };
	return 3;
}

/* What tells of the record and of the reason; *own holds OWN_HEADERS_MAX. */
static size_t own_headers(weir_context *cx, const struct letter *l, weir_header *own)
{
	size_t n = 0;

	own[n++] = (weir_header){ "reason", weir_str(l->reason) };
	own[n++] = (weir_header){ "original-timestamp",
				  number(cx, l->source ? l->source->timestamp_ms : l->result->timestamp_ms) };
	own[n++] = (weir_header){ "__streams.errors.exception", weir_str(l->code) };
	own[n++] = (weir_header){ "__streams.errors.message", weir_str(l->reason) };
	if (l->source) {
		n += place_headers(cx, own + n, l->source->topic, l->source->partition, l->source->offset);
		if (l->names_step)
			own[n++] = (weir_header){ "step", weir_str(cx->current->node->name) };
		return n;
	}
	own[n++] = (weir_header){ "step", weir_str(cx->current->node->name) };
	if (weir_has_window(l->result))
		own[n++] = (weir_header){ "window-start", number(cx, l->result->window_start_ms) };
	if (cx->released && cx->released->topic)
		n += place_headers(cx, own + n, cx->released->topic, cx->released->partition, cx->released->offset);
	return n;
}

static void note_letter(struct worker *w, const struct letter *l)
{
	static weir_log_limit limit;

	add_count(&w->dead_letters, 1);
	weir_log_limited(
		&limit, 60000, WEIR_LOG_WARN, "records",
		"dead letter topic=%s partition=%d offset=%lld reason=\"%s\"%s",
		l->source && l->source->topic ? l->source->topic : "-", l->source ? (int)l->source->partition : -1,
		l->source ? (long long)l->source->offset : -1LL, l->reason,
		w->app->settings.dead_letter_topic ? ""
						   : " (dropped: errors.dead.letter.queue.topic.name is not set)");
}

/* With what it says of itself, a letter may be larger than a broker takes although its record was not. A bare one
 * has neither value nor the record's own headers: where it came from says enough to find it. */
static bool send_letter(struct task *t, const struct letter *l, bool bare, weir_error *err)
{
	weir_record as_read = { .cx = &t->cx };
	const weir_headers *theirs = weir_record_headers(l->source ? &as_read : l->result);
	size_t n = bare ? 0 : theirs->count;
	weir_header *all = weir_alloc(&t->cx, (n + OWN_HEADERS_MAX) * sizeof *all);
	weir_produced p = {
		.topic = t->worker->app->settings.dead_letter_topic,
		.partition = -1,
		.timestamp_ms = weir_now_ms(&t->cx),
		.key = l->source ? l->source->key : l->result->key,
		.value = l->source ? l->source->value : weir_value_bytes(l->result),
		.tag = l->source ? tag_of(t) : 0,
	};

	if (n)
		memcpy(all, theirs->items, n * sizeof *all);
	n += own_headers(&t->cx, l, all + n);
	if (bare) {
		all[n++] = (weir_header){ "original-length", number(&t->cx, (int64_t)p.value.len) };
		p.value = WEIR_NULL;
		if (p.key.len > BARE_KEY_BYTES_MAX)
			p.key = WEIR_NULL;
	}
	p.headers = &(weir_headers){ all, n };
	return weir_producer_send(t->worker->producer, &p, err);
}

/* The broker has refused the letter with its value before. */
static bool wants_bare(const struct task *t, const struct letter *l)
{
	const struct poison *p =
		l->source && t->current ? weir__poison_find(t->worker, t->current, l->source->offset) : NULL;

	return p && p->bare;
}

static void put_letter(struct task *t, const struct letter *l)
{
	struct worker *w = t->worker;
	bool bare = wants_bare(t, l);
	weir_error err;

	note_letter(w, l);
	if (l->unsent)
		return;
	if (!w->app->settings.dead_letter_topic || !may_send(t) || send_letter(t, l, bare, &err) ||
	    (!bare && weir__record_refused(&err) && send_letter(t, l, true, &err)))
		return;
	w->error = err;
	weir_wrap(&w->error, "dead letter for %s/%d@%lld to \"%s\"",
		  l->source && l->source->topic ? l->source->topic : "-",
		  l->source ? (int)l->source->partition : -1, l->source ? (long long)l->source->offset : -1LL,
		  w->app->settings.dead_letter_topic);
	w->failed = true;
	w->stop |= weir__record_refused(&w->error); /* even the bare letter */
}

void weir__dead_letter(struct task *t, const struct letter *l)
{
	put_letter(t, l);
	add_count(&t->worker->dropped, 1);
}

static void service_dead_letter(weir_context *cx, const weir_record *r, const char *reason)
{
	put_letter((struct task *)cx,
		   &(struct letter){ .source = cx->source, .result = r, .code = "USER", .reason = reason });
}

static void service_dropped(weir_context *cx, int times)
{
	add_count(&((struct task *)cx)->worker->dropped, times);
}

void weir__on_put_expired(void *store)
{
	add_count(&((struct task_store *)store)->task->worker->dropped, 1);
}

/* Asks the handler or, without one, the configuration, which may want to stop. */
static weir_answer ask(struct task *t, const struct failure_handler *handler, weir_failure failure, bool stop)
{
	const weir_kafka_record *source = t->cx.source;
	const char *before = t->cx.failure;

	if (!handler->fn)
		return stop || !t->worker->app->settings.dead_letter_topic ? WEIR_ANSWER_STOP
									   : WEIR_ANSWER_DEAD_LETTER;
	failure.source = weir_record_metadata(&t->cx);
	failure.source_key = source ? source->key : WEIR_NULL;
	failure.source_value = source ? source->value : WEIR_NULL;
	weir_answer what = handler->fn(&t->cx, &failure, handler->user);

	t->cx.failure = before; /* the handler's own failure is none */
	return what;
}

weir_answer weir__failure_answer(struct task *t, const weir_record *r, const char *message)
{
	const struct settings *s = &t->worker->app->settings;
	weir_context *cx = &t->cx;
	weir_answer what = ask(t, &t->worker->app->topology->on_failure,
			       (weir_failure){ .step = cx->current->node->name, .message = message, .record = r },
			       s->stop_on_failure);

	if (what == WEIR_ANSWER_STOP) {
		weir_metadata at = weir_record_metadata(cx);

		weir_stop(cx, "step \"%s\" has failed at %s/%d@%lld: %s (%s)", cx->current->node->name,
			  at.topic ? at.topic : "-", (int)at.partition, (long long)at.offset, message,
			  t->worker->app->topology->on_failure.fn ? "as the topology's handler has answered"
			  : s->stop_on_failure                    ? "errors.processing=stop"
					       : "errors.processing=dead-letter, dead-letter topic not set");
	}
	return what;
}

static void service_failed(weir_context *cx, const weir_record *r, const char *message, int64_t now_ms)
{
	struct task *t = (struct task *)cx;
	const weir_record nothing = { .timestamp_ms = now_ms, .headers = &(weir_headers){ 0 }, .cx = cx };
	weir_answer what = weir__failure_answer(t, r, message);

	if (what == WEIR_ANSWER_STOP)
		return;
	weir__dead_letter(
		t, &(struct letter){ .source = cx->keeps_sources
						       ? weir__letter_source(cx, r ? r->timestamp_ms : now_ms)
						       : cx->source,
				     .result = r ? r : &nothing,
				     .code = "PROCESSING",
				     .reason = message,
				     .names_step = true,
				     .unsent = what == WEIR_ANSWER_SKIP });
}

static void stop_unreadable(struct task *t, const char *message)
{
	const struct settings *s = &t->worker->app->settings;
	const weir_kafka_record *source = t->cx.source;
	const char *why = weir__arena_printf(&t->cx.arena, "errors.deserialization=%s, dead-letter topic %s",
					     s->stop_on_unreadable ? "stop" : "dead-letter",
					     s->dead_letter_topic ? s->dead_letter_topic : "not set");

	weir_stop(&t->cx, "record %s/%d@%lld cannot be read: %s (%s)", source->topic, (int)source->partition,
		  (long long)source->offset, message,
		  t->worker->app->topology->on_unreadable.fn ? "as the topology's handler has answered" : why);
}

weir_answer weir__unreadable_answer(struct task *t, const weir_record *as_bytes, const char *reason)
{
	return ask(t, &t->worker->app->topology->on_unreadable,
		   (weir_failure){ .step = t->cx.current->node->name, .message = reason, .record = as_bytes },
		   t->worker->app->settings.stop_on_unreadable);
}

static void service_unreadable(weir_context *cx, const weir_record *r, const char *message)
{
	struct task *t = (struct task *)cx;
	const char *reason = weir__arena_printf(&cx->arena, "unreadable: %s", message);
	weir_record as_bytes = { .key = r->key,
				 .timestamp_ms = r->timestamp_ms,
				 .encoded = weir_value_bytes(r),
				 .has_encoded = true,
				 .headers = r->headers,
				 .cx = cx };
	weir_answer what = weir__unreadable_answer(t, &as_bytes, reason);

	if (what == WEIR_ANSWER_STOP)
		stop_unreadable(t, message);
	else
		weir__dead_letter(t, &(struct letter){ .source = cx->source,
						       .code = "DECODE",
						       .reason = reason,
						       .unsent = what == WEIR_ANSWER_SKIP });
}

static weir_answer ask_refused(struct task *t, weir_failure failure)
{
	return ask(t, &t->worker->app->topology->on_refused, failure, t->worker->app->settings.stop_on_refused);
}

void weir__give_up(struct task *t, const weir_record *r, const char *topic, const char *reason)
{
	weir_metadata at = weir_record_metadata(&t->cx);
	weir_answer what = ask_refused(t, (weir_failure){ .message = reason, .record = r, .topic = topic });

	if (what == WEIR_ANSWER_STOP)
		weir_stop(&t->cx,
			  "topic \"%s\" does not take what comes of a record of step \"%s\" at %s/%d@%lld: %s "
			  "(as the topology's handler has answered)",
			  topic, t->cx.current->node->name, at.topic ? at.topic : "-", (int)at.partition,
			  (long long)at.offset, reason);
	else
		weir__dead_letter(t, &(struct letter){ .source = t->cx.source,
						       .result = r,
						       .code = "USER",
						       .reason = reason,
						       .unsent = what == WEIR_ANSWER_SKIP });
}

/* The broker will never take this record. */
static void refused(struct task *t, const char *topic, const weir_record *result, const weir_error *error)
{
	struct worker *w = t->worker;
	const char *reason = weir__arena_printf(&t->cx.arena, "result refused: %s", error->message);
	weir_answer what = ask_refused(t, (weir_failure){ .step = t->cx.current->node->name,
							  .message = reason,
							  .record = result,
							  .topic = topic });

	if (what == WEIR_ANSWER_STOP) {
		w->failed = true;
		w->error = *error;
		weir_wrap(&w->error, "result of step \"%s\" for topic \"%s\"%s%s", t->cx.current->node->name, topic,
			  t->cx.source ? ", caused by a record of " : "", t->cx.source ? t->cx.source->topic : "");
		w->stop = true;
		return;
	}
	weir__dead_letter(t, &(struct letter){ .source = t->cx.source,
					       .result = result,
					       .code = weir_code_name(error->code),
					       .reason = reason,
					       .unsent = what == WEIR_ANSWER_SKIP });
}

/* The bytes for a topic; *headers may get more. */
static weir_bytes written(weir_context *cx, const weir_record *r, const weir_headers **headers)
{
	if (!r->serde || !r->serde->encode_headers)
		return weir_value_bytes(r);
	const void *object = weir_value(r);

	return object ? r->serde->encode_headers(cx, object, headers) : WEIR_NULL;
}

static void service_send(weir_context *cx, const char *topic, int32_t partition, const weir_record *r,
			 weir_bytes key)
{
	struct task *t = (struct task *)cx;
	struct worker *w = t->worker;
	const weir_headers *headers = weir_record_headers(r);
	weir_bytes value = written(cx, r, &headers);
	weir_produced p = {
		.topic = topic,
		.partition = partition,
		.timestamp_ms = r->timestamp_ms,
		.key = key,
		.value = value,
		.headers = headers->count ? headers : NULL,
		.tag = tag_of(t),
	};
	weir_error err;

	cx->sent |= !cx->failure;
	if (cx->failure || w->failed || !may_send(t) || weir_producer_send(w->producer, &p, &err))
		return;
	if (weir__record_refused(&err)) {
		refused(t, topic, r, &err);
		return;
	}
	w->failed = true;
	w->error = err;
}

/* As weir_topic_partitions. */
static int32_t partitions_of(weir_app *app, const char *topic, weir_error *err)
{
	int32_t n = weir_topic_partitions(app->cluster, topic, err);

	if (n != 0 || !app->settings.missing_topics)
		return n;
	weir_topic_spec spec = *app->settings.missing_topics;

	spec.name = topic;
	return weir_topics_create(app->cluster, &spec, 1, err) ? spec.partitions : -1;
}

static int32_t service_partitions(weir_context *cx, const char *topic)
{
	struct worker *w = ((struct task *)cx)->worker;

	for (struct written_topic *known = w->written; known; known = known->next)
		if (strcmp(known->name, topic) == 0)
			return known->partitions;
	weir_error err;
	int32_t n = partitions_of(w->app, topic, &err);

	if (n <= 0) {
		if (n == 0)
			weir_fail(&err, WEIR_NOT_FOUND, "topic \"%s\" does not exist", topic);
		w->failed = true;
		w->error = err;
		weir_wrap(&w->error, "step \"%s\"", cx->current->node->name);
		w->stop = n == 0;
		return 1;
	}
	struct written_topic *known = weir__malloc(sizeof *known + strlen(topic) + 1);

	known->next = w->written;
	known->partitions = n;
	memcpy(known->name, topic, strlen(topic) + 1);
	w->written = known;
	return n;
}

static const char *service_repartition_topic(weir_context *cx, const char *name)
{
	weir_app *app = ((struct task *)cx)->worker->app;

	for (size_t i = 0; i < app->topology->topic_count; i++)
		if (app->topics[i].graph->writer == cx->current->node)
			return app->topics[i].name;
	weir_assert(!"a repartition step has its topic");
	return name;
}

static const char *service_input_topic(weir_context *cx)
{
	const struct task *t = (struct task *)cx;

	for (size_t i = 0; i < t->input_count; i++)
		if (!t->inputs[i].anchor)
			return t->inputs[i].topic;
	return "";
}

static int64_t service_partition_time(const weir_context *cx)
{
	const struct task *t = (const struct task *)cx;

	return t->current ? t->current->time_ms : INT64_MIN;
}

static const char *service_task_id(const weir_context *cx)
{
	return ((const struct task *)cx)->id;
}

static const weir_config *service_config(const weir_context *cx)
{
	return ((const struct task *)cx)->worker->app->cfg;
}

const struct context_ops weir__context_ops = {
	.dead_letter = service_dead_letter,
	.dropped = service_dropped,
	.failed = service_failed,
	.unreadable = service_unreadable,
	.send = service_send,
	.partitions = service_partitions,
	.repartition_topic = service_repartition_topic,
	.input_topic = service_input_topic,
	.partition_time = service_partition_time,
	.global_get = weir__global_get,
	.global_read = weir__global_read,
	.schedule = weir__timer_add,
	.task_id = service_task_id,
	.config = service_config,
	.state_dir = weir__task_dir,
	.metric = weir__task_metric,
	.row_refused = weir__row_refused,
};
