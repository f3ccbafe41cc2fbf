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

static void add_count(atomic_llong *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

void weir__dead_letter(struct task *t, const weir_kafka_record *source, const char *code, const char *reason)
{
	struct worker *w = t->worker;
	const char *topic = w->app->settings.dead_letter_topic;
	static weir_log_limit limit;
	char partition[16], offset[24], timestamp[24];

	add_count(&w->dead_letters);
	weir_log_limited(&limit, 60000, WEIR_LOG_WARN, "records",
			 "dead letter topic=%s partition=%d offset=%lld reason=\"%s\"%s",
			 source ? source->topic : "-", source ? (int)source->partition : -1,
			 source ? (long long)source->offset : -1LL, reason,
			 topic ? "" : " (dropped: errors.dead.letter.queue.topic.name is not set)");
	if (!topic || !source)
		return;
	snprintf(partition, sizeof partition, "%d", (int)source->partition);
	snprintf(offset, sizeof offset, "%lld", (long long)source->offset);
	snprintf(timestamp, sizeof timestamp, "%lld", (long long)source->timestamp_ms);
	const weir_header own[] = {
		{ "reason", weir_str(reason) },
		{ "original-timestamp", weir_str(timestamp) },
		{ "__streams.errors.exception", weir_str(code) },
		{ "__streams.errors.message", weir_str(reason) },
		{ "__streams.errors.topic", weir_str(source->topic) },
		{ "__streams.errors.partition", weir_str(partition) },
		{ "__streams.errors.offset", weir_str(offset) },
	};
	enum { OWN = sizeof own / sizeof *own };
	weir_record as_read = { .cx = &t->cx };
	const weir_headers *theirs = weir_record_headers(&as_read);
	weir_header *all = weir_alloc(&t->cx, (theirs->count + OWN) * sizeof *all);

	if (theirs->count)
		memcpy(all, theirs->items, theirs->count * sizeof *all);
	memcpy(all + theirs->count, own, sizeof own);
	weir_headers headers = { all, theirs->count + OWN };
	weir_produced p = {
		.topic = topic,
		.partition = -1,
		.timestamp_ms = weir_now_ms(&t->cx),
		.key = source->key,
		.value = source->value,
		.headers = &headers,
	};

	if (!weir_producer_send(w->producer, &p, &w->error)) {
		weir_wrap(&w->error, "dead letter for %s/%d@%lld to \"%s\"", source->topic, (int)source->partition,
			  (long long)source->offset, topic);
		w->failed = true;
		w->stop |= w->error.code == WEIR_USER; /* even the dead letter is refused */
	}
}

static void service_dead_letter(weir_context *cx, const weir_record *r, const char *reason)
{
	(void)r; /* the letter is the source record as it was read */
	weir__dead_letter((struct task *)cx, cx->source, "USER", reason);
}

static void service_unreadable(weir_context *cx, const weir_record *r, const char *message)
{
	struct task *t = (struct task *)cx;
	const struct settings *s = &t->worker->app->settings;

	(void)r;
	if (s->stop_on_unreadable || !s->dead_letter_topic) {
		weir_stop(cx,
			  "record %s/%d@%lld cannot be read: %s (errors.deserialization=%s, dead-letter topic %s)",
			  cx->source->topic, (int)cx->source->partition, (long long)cx->source->offset, message,
			  s->stop_on_unreadable ? "stop" : "dead-letter",
			  s->dead_letter_topic ? s->dead_letter_topic : "not set");
		return;
	}
	weir__dead_letter(t, cx->source, "DECODE", weir__arena_printf(&cx->arena, "unreadable: %s", message));
}

/* The broker will never take this record. */
static void refused(struct task *t, const char *topic, const weir_error *error)
{
	struct worker *w = t->worker;

	if (w->app->settings.stop_on_refused || !w->app->settings.dead_letter_topic || !t->cx.source) {
		w->failed = true;
		w->error = *error;
		weir_wrap(&w->error, "result of step \"%s\" for topic \"%s\"%s%s", t->cx.current->node->name, topic,
			  t->cx.source ? ", caused by a record of " : "", t->cx.source ? t->cx.source->topic : "");
		w->stop = true;
		return;
	}
	weir__dead_letter(t, t->cx.source, weir_code_name(error->code),
			  weir__arena_printf(&t->cx.arena, "result refused: %s", error->message));
}

static void service_send(weir_context *cx, const char *topic, int32_t partition, const weir_record *r,
			 weir_bytes key)
{
	struct task *t = (struct task *)cx;
	struct worker *w = t->worker;
	const weir_headers *headers = weir_record_headers(r);
	weir_produced p = {
		.topic = topic,
		.partition = partition,
		.timestamp_ms = r->timestamp_ms,
		.key = key,
		.value = weir_value_bytes(r),
		.headers = headers->count ? headers : NULL,
		.tag = tag_of(t),
	};
	weir_error err;

	if (w->failed || weir_producer_send(w->producer, &p, &err))
		return;
	if (err.code == WEIR_USER) {
		refused(t, topic, &err);
		return;
	}
	w->failed = true;
	w->error = err;
}

static int32_t service_partitions(weir_context *cx, const char *topic)
{
	struct worker *w = ((struct task *)cx)->worker;

	for (struct written_topic *known = w->written; known; known = known->next)
		if (strcmp(known->name, topic) == 0)
			return known->partitions;
	weir_error err;
	int32_t n = weir_topic_partitions(w->app->cluster, topic, &err);

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

const struct context_ops weir__context_ops = {
	.dead_letter = service_dead_letter,
	.unreadable = service_unreadable,
	.send = service_send,
	.partitions = service_partitions,
	.repartition_topic = service_repartition_topic,
	.schedule = weir__timer_add,
};
