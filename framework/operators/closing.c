/*
 * Windows whose results come once, when they close (KIP-825). Which ones are open is known from a queue, so that a
 * record that closes none costs next to nothing; nothing waits for a clock. Closed windows come before the record
 * that has closed them is looked at: with it, the store may hide them. (WEIR_AS_CLOSING: behind it, now and then.)
 */
#include "framework/operators/aggregate.h"
#include "framework/operators/due.h"

/* Times in the queue are starts; of sessions, a moment in them: they grow without a word to the queue. */
struct closing {
	struct due_queue open;
	/* WEIR_AS_CLOSING: */
	bool has_looked;
	int64_t looked_ms;    /* the step's time at the last look */
	int64_t next_look_ms; /* of the wall clock */
};

static bool looks_behind(const struct instance *in)
{
	return weir__as(in, WEIR_AS_CLOSING);
}

/* The step's time up to which closed windows have been passed on. */
static int64_t passed_on_ms(const struct instance *in)
{
	const struct closing *c = in->state;

	if (!looks_behind(in))
		return in->observed_ms;
	return c->has_looked ? c->looked_ms : INT64_MIN;
}

/* The last time in the queue whose window is closed when the step's time is that. */
static int64_t closed_ms(const struct instance *in, int64_t observed_ms)
{
	const struct aggregate *a = in->node->opts;
	const weir_window *w = &a->window;
	int64_t ms = weir_time_sub(observed_ms, w->grace_ms);

	if (a->kind == WINDOW_TIME)
		return weir_time_sub(ms, w->size_ms);
	/* both ends belong to these */
	return weir_time_sub(weir_time_sub(ms, a->kind == WINDOW_SESSION ? w->gap_ms : w->difference_ms), 1);
}

void weir__closing_add(struct instance *in, weir_bytes key, int64_t time_ms)
{
	const struct aggregate *a = in->node->opts;
	struct closing *c = in->state;

	if (a->window.emit_on_close)
		weir__due_add(&c->open, (struct due){ .time_ms = time_ms, .key = key });
}

static void emit(struct instance *in, weir_context *cx, weir_record *out, weir_bytes value)
{
	out->encoded = weir__arena_copy(&cx->arena, value);
	out->has_encoded = true;
	weir__pass_on(in, cx, out);
}

static void emit_window(struct instance *in, weir_context *cx, weir_record *out, int64_t start_ms)
{
	const struct aggregate *a = in->node->opts;
	weir_bytes value = weir_window_get(in->stores[0], out->key, start_ms, &out->timestamp_ms);

	if (weir_is_null(value))
		return; /* deleted in the meantime */
	out->window_start_ms = start_ms;
	out->window_end_ms = weir_time_add(start_ms, a->window.size_ms);
	emit(in, cx, out, value);
}

/* The session that holds that moment, if it is closed; if it has grown beyond it, it takes its turn by its end. */
static void emit_session(struct instance *in, weir_context *cx, weir_record *out, int64_t time_ms)
{
	struct closing *c = in->state;
	weir_iterator *it = weir_session_find(in->stores[0], out->key, time_ms, time_ms, false);
	weir_entry e;
	bool found = weir_iterator_next(it, &e);

	if (found && e.end_ms != time_ms) {
		weir__due_add(&c->open, (struct due){ .time_ms = e.end_ms, .key = out->key });
		found = false;
	}
	weir_bytes value = found ? weir__arena_copy(&cx->arena, e.value) : WEIR_NULL;

	weir_iterator_close(it);
	if (!found)
		return;
	out->session = true;
	out->window_start_ms = e.start_ms;
	out->window_end_ms = out->timestamp_ms = e.end_ms;
	emit(in, cx, out, value);
}

static void add_of_store(struct instance *in, int64_t from_ms)
{
	const struct aggregate *a = in->node->opts;
	weir_iterator *it = a->kind == WINDOW_SESSION ? weir_session_find_all(in->stores[0], from_ms, INT64_MAX)
						      : weir_window_fetch_all(in->stores[0], from_ms, INT64_MAX);
	weir_entry e;

	while (weir_iterator_next(it, &e))
		weir__closing_add(in, e.key, a->kind == WINDOW_SESSION ? e.end_ms : e.start_ms);
	weir_iterator_close(it);
}

/* NULL: none is closed. */
static const struct due *first_closed(struct instance *in, int64_t until_ms)
{
	struct due_queue *q = &((struct closing *)in->state)->open;
	const struct due *first;

	if (weir__due_wants_more(q, until_ms)) {
		add_of_store(in, weir__due_read_begin(q));
		weir__due_read_end(q);
	}
	first = weir__due_first(q);
	return first && first->time_ms <= until_ms ? first : NULL;
}

static void emit_closed(struct instance *in, weir_context *cx, const weir_record *r)
{
	const struct aggregate *a = in->node->opts;
	struct closing *c = in->state;
	const weir_kafka_record *source = cx->source;
	int64_t until_ms = closed_ms(in, in->observed_ms);

	if (!first_closed(in, until_ms))
		return;
	weir__origin(cx); /* the source is asked before it is hidden */
	for (const struct due *first; (first = first_closed(in, until_ms));) {
		int64_t time_ms = first->time_ms;
		weir_record out = { .key = weir__arena_copy(&cx->arena, first->key),
				    .serde = in->node->value,
				    .has_old = in->node->stores[0]->spec.keep_old,
				    .headers = weir_record_headers(r),
				    .cx = cx };

		weir__due_drop(&c->open);
		/* What becomes of a result is not the fault of the record that has let time go on. */
		cx->source = NULL;
		if (a->kind == WINDOW_SESSION)
			emit_session(in, cx, &out, time_ms);
		else
			emit_window(in, cx, &out, time_ms);
		cx->source = source;
		if (cx->failed)
			return;
	}
}

void weir__closing_before_record(struct instance *in, weir_context *cx, const weir_record *r)
{
	if (!looks_behind(in))
		emit_closed(in, cx, r);
}

/* Kafka Streams' sliding windows do not look behind what comes too late for all, nor in the first window. */
static bool passes_by(const struct instance *in, const weir_record *r)
{
	const struct aggregate *a = in->node->opts;
	int64_t difference_ms = a->window.difference_ms;

	return a->kind == WINDOW_SLIDING &&
	       (r->timestamp_ms < difference_ms ||
		weir_time_add(r->timestamp_ms, difference_ms) < weir_time_sub(in->observed_ms, a->window.grace_ms));
}

void weir__closing_behind_record(struct instance *in, weir_context *cx, const weir_record *r)
{
	struct closing *c = in->state;

	if (!looks_behind(in) || cx->failure || passes_by(in, r) || weir_now_ms(cx) < c->next_look_ms)
		return;
	c->next_look_ms = weir_time_add(weir_now_ms(cx), cx->emit_interval_ms);
	if (closed_ms(in, in->observed_ms) < 0)
		return;
	emit_closed(in, cx, r);
	c->has_looked = true;
	c->looked_ms = in->observed_ms;
}

/* --- beside the positions ------------------------------------------------------------------------ */

/* From the step's time to what Kafka Streams calls the window close time. */
static int64_t close_delay(const struct aggregate *a)
{
	return a->kind == WINDOW_SESSION ? weir_time_add(a->window.grace_ms, a->window.gap_ms) : a->window.grace_ms;
}

int64_t weir__closing_until(const struct instance *in)
{
	const struct aggregate *a = in->node->opts;

	if (!a->window.emit_on_close)
		return -1;
	int64_t ms = passed_on_ms(in);

	return ms == INT64_MIN || closed_ms(in, ms) < 0 ? -1 : weir_time_sub(ms, close_delay(a));
}

/* Kafka Streams had seen that much time at least, though it does not say so. */
void weir__closing_before(struct instance *in, int64_t ms)
{
	const struct aggregate *a = in->node->opts;

	struct closing *c = in->state;

	if (!a->window.emit_on_close || ms < 0)
		return;
	c->has_looked = true;
	c->looked_ms = weir_time_add(ms, close_delay(a));
	weir__time_seen(in, c->looked_ms);
}

/* --- life ---------------------------------------------------------------------------------------- */

size_t weir__closing_size(const struct node *node)
{
	return ((const struct aggregate *)node->opts)->window.emit_on_close ? sizeof(struct closing) : 0;
}

void weir__closing_init(struct instance *in, weir_context *cx)
{
	const struct aggregate *a = in->node->opts;

	if (!a->window.emit_on_close)
		return;
	int64_t from_ms = weir_time_add(closed_ms(in, passed_on_ms(in)), 1);

	weir__due_init(&((struct closing *)in->state)->open, cx->due_budget);
	add_of_store(in, from_ms > 0 ? from_ms : 0);
}

void weir__closing_release(struct instance *in)
{
	if (weir__closing_size(in->node))
		weir__due_release(&((struct closing *)in->state)->open);
}
