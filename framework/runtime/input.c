/* Records in: at once where a task has one input, by time where it has several. */
#include <stdlib.h>

#include "framework/base/alloc.h"
#include "framework/runtime/runtime.h"

/* A copy of a record, with its headers. */
struct waiting {
	struct waiting *next;
	size_t size;
	weir_kafka_record record;
	int64_t time_ms; /* of the first one: as the source's extractor has it; decides the order */
	weir_headers headers;
	_Alignas(16) char bytes[];
};

/* One bad clock must not end every window. What lies in internal topics has been let through before. */
static bool is_future(const struct input *in, int64_t timestamp_ms)
{
	int64_t ahead_ms = in->task->worker->app->settings.future_ms_max;

	return ahead_ms && !in->internal && timestamp_ms > weir_time_add(weir_now_ms(&in->task->cx), ahead_ms);
}

static void take(struct input *in, const weir_record *r)
{
	struct task *t = in->task;

	if (is_future(in, r->timestamp_ms)) {
		weir_dead_letter(&t->cx, r, "future timestamp");
		return;
	}
	if (r->timestamp_ms > in->time_ms)
		in->time_ms = r->timestamp_ms;
	if (r->timestamp_ms > t->cx.stream_time_ms)
		t->cx.stream_time_ms = r->timestamp_ms;
	in->source->op->process(in->source, &t->cx, r);
}

static void through_topology(struct input *in, const weir_kafka_record *record, const weir_headers *headers)
{
	struct task *t = in->task;
	weir_record r = {
		.key = record->key,
		.timestamp_ms = record->timestamp_ms,
		.encoded = record->value,
		.has_encoded = true,
		.headers = headers,
		.cx = &t->cx,
	};

	t->current = in;
	t->cx.source = record;
	t->cx.source_headers = headers;
	t->cx.origins.now = ORIGIN_UNKNOWN;
	t->cx.sent = false;
	const struct poison *poison = weir__poison_find(t->worker, in, record->offset);

	if (poison && poison->reason[0]) {
		t->cx.current = in->source;
		weir__give_up(t, &r, poison->refuser, poison->reason);
	} else if (weir__source_take(in->source, &t->cx, &r)) {
		take(in, &r);
	}
	t->cx.source = NULL;
	t->cx.source_headers = NULL;
	t->cx.origins.now = 0;
	t->current = NULL;
	in->position = record->offset + 1;
	weir__arena_reset(&t->cx.arena);
	if (t->timers)
		weir__timers_stream(t);
	weir__task_heed(t);
}

bool weir__input_process(struct input *in, const weir_kafka_record *record)
{
	struct task *t = in->task;

	if (!t->touched && !weir__task_touch(t))
		return false;
	through_topology(in, record, NULL);
	atomic_store_explicit(&t->worker->records,
			      atomic_load_explicit(&t->worker->records, memory_order_relaxed) + 1,
			      memory_order_relaxed);
	return true;
}

static size_t headers_size(const weir_headers *h)
{
	size_t n = h->count * sizeof(weir_header);

	for (size_t i = 0; i < h->count; i++)
		n += strlen(h->items[i].name) + 1 + h->items[i].value.len;
	return n;
}

static weir_bytes put(char **at, weir_bytes b)
{
	if (weir_is_null(b))
		return b;
	char *to = *at;

	if (b.len)
		memcpy(to, b.data, b.len);
	*at += b.len;
	return (weir_bytes){ to, b.len };
}

static struct waiting *copy_record(const weir_kafka_record *record)
{
	const weir_headers *h = weir_kafka_record_headers(record);
	size_t size = sizeof(struct waiting) + headers_size(h) + record->key.len + record->value.len + 1;
	struct waiting *w = weir__malloc(size);
	weir_header *items = (weir_header *)(void *)w->bytes;
	char *at = w->bytes + h->count * sizeof *items;

	*w = (struct waiting){ .size = size, .record = *record, .headers = { items, h->count } };
	for (size_t i = 0; i < h->count; i++) {
		items[i].name = put(&at, weir_bytes_of(h->items[i].name, strlen(h->items[i].name) + 1)).data;
		items[i].value = put(&at, h->items[i].value);
	}
	w->record.key = put(&at, record->key);
	w->record.value = put(&at, record->value);
	return w;
}

/* The time that decides a record's turn: its extractor's, if the source has one. It is asked when the record is the
 * first of its input, for then all before it have made the partition's time. */
static int64_t turn_of(struct input *in, const struct waiting *w)
{
	const weir_source_opts *opts = in->source->node->opts;
	struct task *t = in->task;

	if (!opts->time_ms)
		return w->record.timestamp_ms;
	weir_record r = {
		.key = w->record.key,
		.timestamp_ms = w->record.timestamp_ms,
		.encoded = w->record.value,
		.has_encoded = true,
		.serde = in->source->node->value,
		.headers = &w->headers,
		.cx = &t->cx,
	};
	weir_error err;

	if (r.serde && !weir_is_null(r.encoded) &&
	    !(r.object = weir_serde_read(r.serde, &t->cx, r.encoded, &w->headers, &err)))
		return w->record.timestamp_ms; /* it will be turned away when its turn comes */
	t->current = in;
	t->cx.source = &w->record;
	t->cx.source_headers = &w->headers;
	t->cx.current = in->source;
	int64_t ms = opts->time_ms(&t->cx, &r, opts->user);

	weir__failed_for_good(&t->cx, "timestamp extractor");

	t->current = NULL;
	t->cx.source = NULL;
	t->cx.source_headers = NULL;
	weir__arena_reset(&t->cx.arena);
	return ms;
}

void weir__input_keep(struct input *in, const weir_kafka_record *record)
{
	struct waiting *w = copy_record(record);

	if (in->tail)
		in->tail->next = w;
	else
		in->head = w;
	in->tail = w;
	if (in->head == w)
		w->time_ms = turn_of(in, w);
	in->waiting++;
	in->task->worker->waiting_bytes += w->size;
	in->empty_since_us = 0;
}

void weir__input_forget(struct input *in)
{
	for (struct waiting *w = in->head, *next; w; w = next) {
		next = w->next;
		in->task->worker->waiting_bytes -= w->size;
		free(w);
	}
	in->head = in->tail = NULL;
	in->waiting = 0;
	in->empty_since_us = 0;
}

/* librdkafka drops what it has fetched of a partition that is paused, and fetches it again later: only when memory
 * is short. */
static bool is_full(const struct input *in)
{
	const struct worker *w = in->task->worker;
	size_t bytes_max = (size_t)w->app->settings.waiting_bytes_max;

	return in->waiting > w->app->settings.buffered_records_max &&
	       w->waiting_bytes > (in->paused ? bytes_max / 2 : bytes_max);
}

static void set_paused(struct input *in, bool pause)
{
	weir_partition p = { .topic = in->topic, .partition = in->partition, .user = in };
	weir_error err;

	if (in->paused == pause)
		return;
	if (!(pause ? weir_consumer_pause : weir_consumer_resume)(in->task->worker->consumer, &p, 1, &err))
		weir_log(WEIR_LOG_WARN, "input", "%s: %s", pause ? "pause" : "resume", err.message);
	else
		in->paused = pause;
}

/* An empty input holds the task up while it may still have something older: KIP-695. */
static bool must_wait_for(struct input *in, int64_t now_us)
{
	const struct worker *w = in->task->worker;
	int64_t idle_ms = w->app->settings.max_task_idle_ms;
	int64_t lag = weir_consumer_lag(w->consumer, in->topic, in->partition);

	if (in->empty_since_us == 0)
		in->empty_since_us = now_us;
	if (lag != 0) /* fetched soon, or not known yet */
		return true;
	return now_us - in->empty_since_us < idle_ms * 1000;
}

static struct input *whose_turn(struct task *t)
{
	struct input *first = NULL;
	bool some_empty = false;

	for (size_t i = 0; i < t->input_count; i++) {
		struct input *in = &t->inputs[i];

		if (!in->head)
			some_empty |= !in->anchor;
		else if (!first || in->head->time_ms < first->head->time_ms)
			first = in;
	}
	if (!first || !some_empty)
		return first;
	int64_t now_us = weir__now_us(t->worker->app);

	for (size_t i = 0; i < t->input_count; i++)
		if (!t->inputs[i].head && !t->inputs[i].anchor && must_wait_for(&t->inputs[i], now_us))
			return NULL;
	return first;
}

/* The state of many keys is all over the memory: what the next records need is on its way while this one is
 * processed. */
static void expect(struct input *in, const struct waiting *next)
{
	const struct operator* op = in->source->op;

	for (int distance = 1; op->expect && next && distance <= 2; distance++, next = next->next)
		if (!weir_is_null(next->record.key))
			op->expect(in->source, next->record.key, distance);
}

bool weir__task_process_waiting(struct task *t)
{
	struct worker *w = t->worker;
	int limit = w->app->settings.buffered_records_max, done = 0;
	struct input *in;

	while (done < limit && !w->failed && !t->cx.failed && (in = whose_turn(t)) != NULL) {
		if (!t->touched && !weir__task_touch(t))
			break;
		struct waiting *record = in->head;

		in->head = record->next;
		if (!in->head)
			in->tail = NULL;
		in->waiting--;
		w->waiting_bytes -= record->size;
		expect(in, record->next);
		through_topology(in, &record->record, &record->headers);
		free(record);
		if (in->head && !w->failed && !t->cx.failed)
			in->head->time_ms = turn_of(in, in->head);
		atomic_fetch_add_explicit(&w->records, 1, memory_order_relaxed);
		done++;
		w->commit_now |= w->app->settings.commit_each_record;
		if (w->commit_now)
			break;
	}
	for (size_t i = 0; i < t->input_count; i++)
		set_paused(&t->inputs[i], is_full(&t->inputs[i]));
	return done > 0;
}
