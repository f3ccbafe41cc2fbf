/*
 * Session windows: a record joins all sessions of its key that lie within the gap of it. Each of them is deleted,
 * and one that spans them all takes their place.
 */
#include "framework/operators/aggregate.h"

struct session {
	struct session *next;
	int64_t start_ms, end_ms;
};

/* The sessions that the record joins, in the order of their ends. *span becomes what all of them and the record
 * span, *aggregate what they hold together. */
static struct session *find(struct instance *in, weir_context *cx, const weir_record *r, struct session *span,
			    const void **aggregate)
{
	const struct aggregate *a = in->node->opts;
	int64_t gap_ms = a->window.gap_ms;
	struct session *first = NULL, **last = &first;
	weir_iterator *it = weir_session_find(in->stores[0], r->key, weir_time_sub(r->timestamp_ms, gap_ms),
					      weir_time_add(r->timestamp_ms, gap_ms), false);
	weir_entry e;

	while (weir_iterator_next(it, &e)) {
		struct session *s = *last = weir_alloc(cx, sizeof *s);

		*s = (struct session){ .start_ms = e.start_ms, .end_ms = e.end_ms };
		last = &s->next;
		if (s->start_ms < span->start_ms)
			span->start_ms = s->start_ms;
		if (s->end_ms > span->end_ms)
			span->end_ms = s->end_ms;
		*aggregate =
			weir__aggregate_merge(a, cx, r->key, *aggregate, weir__aggregate_read(in, cx, e.value));
	}
	weir_iterator_close(it);
	return first;
}

static void delete_joined(struct instance *in, const weir_record *r, const struct session *joined)
{
	for (const struct session *s = joined; s; s = s->next)
		weir_session_put(in->stores[0], r->key, WEIR_NULL, s->start_ms, s->end_ms, r->timestamp_ms);
}

void weir__session_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	const struct aggregate *a = in->node->opts;
	struct session span = { .start_ms = r->timestamp_ms, .end_ms = r->timestamp_ms };
	const void *aggregate = weir__aggregate_first(a, cx);
	struct session *joined = find(in, cx, r, &span, &aggregate);

	int64_t open_ms = weir_time_sub(weir_time_sub(in->observed_ms, a->window.grace_ms), a->window.gap_ms);
	bool is_new = true;

	if (span.end_ms < open_ms) {
		weir_dead_letter(cx, r, "late");
		return;
	}
	weir_record in_session = *r;

	in_session.window_start_ms = span.start_ms;
	in_session.window_end_ms = span.end_ms;
	in_session.session = true;
	if (weir__as(in, WEIR_AS_FAILED_ROWS) && span.start_ms < span.end_ms)
		delete_joined(in, r, joined);
	aggregate = weir__aggregate_add(a, cx, &in_session, aggregate);
	if (cx->failure)
		return;
	weir_bytes value = weir__aggregate_write(in, cx, aggregate);

	for (struct session *s = joined; s; s = s->next)
		is_new &= s->end_ms < open_ms;
	if (is_new) /* a closed one that is open again, too */
		weir__closing_add(in, r->key, r->timestamp_ms);
	for (struct session *s = joined; s; s = s->next)
		if (s->start_ms != span.start_ms || s->end_ms != span.end_ms)
			weir_session_put(in->stores[0], r->key, WEIR_NULL, s->start_ms, s->end_ms, r->timestamp_ms);
	weir_session_put(in->stores[0], r->key, value, span.start_ms, span.end_ms, r->timestamp_ms);
}
