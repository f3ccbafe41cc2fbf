/*
 * Sliding windows (KIP-450): both ends belong to a window, and a window exists where records make a difference.
 * Each record has one that ends with it (its left one), and one that begins right behind it (its right one) if
 * others follow within it. A new record is added to the windows that hold its time; those that it gives rise to
 * begin with what a neighbour holds. Follows Kafka Streams' KStreamSlidingWindowAggregate, whose words these are.
 */
#include "framework/operators/aggregate.h"

struct window {
	struct window *next;
	int64_t start_ms;
	int64_t max_ms; /* of its records */
	const void *aggregate;
};

/* A record at work. */
struct slide {
	struct instance *in;
	const struct aggregate *a;
	weir_context *cx;
	const weir_record *r;
	int64_t time_ms, difference_ms, close_ms;
	struct window *windows; /* found, that may hold the record or begin behind it */
	bool taken;
	int closed; /* windows that it comes too late for */
};

static bool exists(const struct slide *s, int64_t start_ms)
{
	for (const struct window *w = s->windows; w; w = w->next)
		if (w->start_ms == start_ms)
			return true;
	return false;
}

static void put(struct slide *s, int64_t start_ms, const void *aggregate, int64_t max_ms)
{
	if (s->cx->failure)
		return;
	weir_bytes value = weir__aggregate_write(s->in, s->cx, aggregate);

	if (!exists(s, start_ms)) {
		if (weir_is_null(value) && !s->a->window.emit_on_close)
			return; /* nothing to delete: see add_by_fold */
		if (!weir_is_null(value))
			weir__closing_add(s->in, s->r->key, start_ms);
	}
	/* a tombstone has the time of the record that has caused it */
	weir_window_put(s->in->stores[0], s->r->key, value, start_ms, weir_is_null(value) ? s->time_ms : max_ms);
}

/* The record is added to the window of that start, which holds `old`. */
static void update(struct slide *s, int64_t start_ms, const void *old, int64_t old_ms)
{
	weir_record in_window = *s->r;

	if (s->cx->failure)
		return;
	in_window.window_start_ms = start_ms;
	in_window.window_end_ms = weir_time_add(start_ms, s->difference_ms);
	if (in_window.window_end_ms < s->close_ms) {
		s->closed++;
		return;
	}
	s->taken = true;
	put(s, start_ms, weir__aggregate_add(s->a, s->cx, &in_window, old),
	    old && old_ms > s->time_ms ? old_ms : s->time_ms);
}

static void update_window(struct slide *s, const struct window *w)
{
	update(s, w->start_ms, w->aggregate, w->max_ms);
}

static void begin(struct slide *s, int64_t start_ms)
{
	update(s, start_ms, weir__aggregate_first(s->a, s->cx), s->time_ms);
}

/* The windows of the record's key that start at from_ms to 1 ms behind it. The newest that ends before it is the
 * last that matters. Of early records Kafka Streams updates the windows in the order of time, of others against it.
 */
static void find(struct slide *s, int64_t from_ms, bool newest_first)
{
	struct window **last = &s->windows;
	weir_iterator *it =
		weir_window_fetch(s->in->stores[0], s->r->key, from_ms, weir_time_add(s->time_ms, 1), newest_first);
	weir_entry e;

	while (weir_iterator_next(it, &e)) {
		struct window *w = *last = weir_alloc(s->cx, sizeof *w);

		*w = (struct window){ .start_ms = e.start_ms,
				      .max_ms = e.timestamp_ms,
				      .aggregate = weir__aggregate_read(s->in, s->cx, e.value) };
		last = &w->next;
		if (weir_time_add(e.start_ms, s->difference_ms) < s->time_ms)
			break;
	}
	weir_iterator_close(it);
}

/* What records behind this one hold makes its right window; `of` = NULL: there are none. */
static void make_right(struct slide *s, const struct window *of)
{
	int64_t start_ms = weir_time_add(s->time_ms, 1);

	if (of && of->max_ms > s->time_ms && !exists(s, start_ms))
		put(s, start_ms, of->aggregate, of->max_ms);
}

/* The right window of the record before this one now has one in it. */
static void make_right_of_previous(struct slide *s, int64_t previous_ms)
{
	int64_t start_ms = weir_time_add(previous_ms, 1);

	if (!exists(s, start_ms) && weir_time_add(start_ms, s->difference_ms) >= s->time_ms)
		begin(s, start_ms);
}

/* A window before the epoch there is none: records that early share [0, difference]. */
static void process_early(struct slide *s)
{
	const struct window *shared = NULL, *right = NULL;
	bool previous = false;

	find(s, 0, false);
	for (const struct window *w = s->windows; w; w = w->next) {
		if (w->start_ms == 0) {
			shared = w;
		} else if (w->start_ms <= s->time_ms) {
			right = w;
			update_window(s, w);
		}
	}
	if (shared)
		previous = shared->max_ms < s->time_ms;
	make_right(s, right || !shared || shared->max_ms <= s->time_ms ? right : shared);
	if (previous && !exists(s, shared->max_ms + 1))
		begin(s, shared->max_ms + 1);
	if (shared)
		update_window(s, shared);
	else
		begin(s, 0);
}

static void process(struct slide *s)
{
	int64_t left_ms = s->time_ms - s->difference_ms, twice_ms = left_ms - s->difference_ms, previous_ms = -1;
	const struct window *left = NULL, *right = NULL;
	bool left_exists = false;

	find(s, twice_ms > 0 ? twice_ms : 0, true);
	for (const struct window *w = s->windows; w; w = w->next) {
		if (w->start_ms > s->time_ms)
			continue; /* its own right window */
		if (w->start_ms >= left_ms)
			update_window(s, w);
		if (w->start_ms > left_ms) {
			right = right ? right : w;
		} else if (w->start_ms == left_ms) {
			left_exists = true;
			if (w->max_ms >= s->time_ms)
				return; /* another record has this time: all windows are there */
			previous_ms = w->max_ms;
		} else {
			left = w;
			previous_ms = w->max_ms;
		}
	}
	if (previous_ms >= 0)
		make_right_of_previous(s, previous_ms);
	if (!left_exists && previous_ms >= left_ms && left)
		update(s, left_ms, left->aggregate, s->time_ms);
	else if (!left_exists)
		begin(s, left_ms);
	make_right(s, right);
}

void weir__sliding_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	const struct aggregate *a = in->node->opts;
	struct slide s = { .in = in,
			   .a = a,
			   .cx = cx,
			   .r = r,
			   .time_ms = r->timestamp_ms,
			   .difference_ms = a->window.difference_ms,
			   .close_ms = weir_time_sub(in->observed_ms, a->window.grace_ms) };

	if (weir_time_add(s.time_ms, s.difference_ms) >= s.close_ms) {
		if (s.time_ms < s.difference_ms)
			process_early(&s);
		else
			process(&s);
	} else {
		s.closed = 1;
	}
	if (!s.taken)
		weir__dead_letter_as(cx, r, "late", s.closed);
	else if (s.closed)
		weir__dropped(cx, s.closed);
}
