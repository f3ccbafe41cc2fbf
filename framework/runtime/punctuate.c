#include <stdlib.h>

#include "framework/base/alloc.h"
#include "framework/runtime/runtime.h"

/* Missed calls are collapsed into this one; the rhythm stays. */
static void move_on(struct weir_timer *timer, int64_t now_ms)
{
	int64_t missed = weir_time_sub(now_ms, timer->due_ms) / timer->interval_ms;
	int64_t skip;

	if (__builtin_mul_overflow(weir_time_add(missed, 1), timer->interval_ms, &skip))
		skip = INT64_MAX;
	timer->due_ms = weir_time_add(timer->due_ms, skip);
}

weir_timer *weir__timer_add(weir_context *cx, const int64_t *start_ms, int64_t interval_ms, weir_time time,
			    weir_punctuate_fn *fn)
{
	struct task *t = (struct task *)cx;
	struct weir_timer *timer = weir__calloc(1, sizeof *timer);
	int64_t now_ms = time == WEIR_STREAM_TIME ? cx->stream_time_ms : weir_now_ms(cx);

	weir_assert(interval_ms > 0);
	*timer = (struct weir_timer){
		.next = t->timers,
		.number = ++t->timer_number,
		.instance = cx->current,
		.state = weir__callers_state(cx->current),
		.fn = fn,
		.interval_ms = interval_ms,
		/* stream time: with the next record, and then at multiples of the interval, as Kafka Streams */
		.due_ms = start_ms                   ? *start_ms
			  : time == WEIR_STREAM_TIME ? 0
						     : weir_time_add(now_ms, interval_ms),
		.time = time,
	};
	if (start_ms && *start_ms < now_ms)
		move_on(timer, now_ms);
	t->timers = timer;
	if (time == WEIR_WALL_CLOCK_TIME && timer->due_ms < t->next_wall_ms)
		t->next_wall_ms = timer->due_ms;
	return timer;
}

void weir_cancel(weir_timer *timer)
{
	if (timer)
		timer->cancelled = true; /* freed later: its callback may be running */
}

void weir__timers_free(struct task *t)
{
	for (struct weir_timer *timer = t->timers, *next; timer; timer = next) {
		next = timer->next;
		free(timer);
	}
	t->timers = NULL;
	t->next_wall_ms = INT64_MAX;
}

static void free_cancelled(struct task *t)
{
	for (struct weir_timer **at = &t->timers; *at;) {
		struct weir_timer *timer = *at;

		if (!timer->cancelled) {
			at = &timer->next;
			continue;
		}
		*at = timer->next;
		free(timer);
	}
}

/* The one that has been due the longest, as in Kafka Streams; of equals that which has waited the longest. None
 * that was scheduled after `number`: a timer that schedules others must come to an end. */
static struct weir_timer *next_due(const struct task *t, weir_time time, int64_t now_ms, uint64_t number)
{
	struct weir_timer *next = NULL;

	for (struct weir_timer *timer = t->timers; timer; timer = timer->next) {
		/* At the end of time a timer has no next call. */
		if (timer->cancelled || timer->time != time || timer->due_ms > now_ms ||
		    timer->due_ms == INT64_MAX || timer->number > number)
			continue;
		if (!next || timer->due_ms < next->due_ms ||
		    (timer->due_ms == next->due_ms && timer->number < next->number))
			next = timer;
	}
	return next;
}

static void run_due(struct task *t, weir_time time, int64_t now_ms)
{
	uint64_t number = t->timer_number;

	for (struct weir_timer *timer; (timer = next_due(t, time, now_ms, number));) {
		if (t->cx.failed || !weir__task_touch(t))
			return;
		move_on(timer, now_ms);
		t->cx.source = NULL;
		t->cx.current = timer->instance;
		bool before = weir__callers_state_set(timer->instance, timer->state);

		timer->fn(&t->cx, now_ms, timer->state);
		weir__callers_back(timer->instance, before);
		timer->number = ++t->timer_number;
		if (t->cx.failure)
			weir__failed(timer->instance, &t->cx, NULL, now_ms);
		weir__arena_reset(&t->cx.arena);
		weir__task_heed(t);
	}
	free_cancelled(t);
}

void weir__timers_wall(struct task *t, int64_t now_ms)
{
	if (now_ms < t->next_wall_ms)
		return;
	run_due(t, WEIR_WALL_CLOCK_TIME, now_ms);
	t->next_wall_ms = INT64_MAX;
	for (struct weir_timer *timer = t->timers; timer; timer = timer->next)
		if (!timer->cancelled && timer->time == WEIR_WALL_CLOCK_TIME && timer->due_ms < t->next_wall_ms)
			t->next_wall_ms = timer->due_ms;
}

void weir__timers_stream(struct task *t)
{
	if (t->timers && t->cx.stream_time_ms != INT64_MIN)
		run_due(t, WEIR_STREAM_TIME, t->cx.stream_time_ms);
}
