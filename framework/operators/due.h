#ifndef WEIR_DUE_H
#define WEIR_DUE_H
/*
 * Rows of a store that wait for their time, the earliest first: by time, then by key, then by start. It lives in
 * memory alone and is made anew from the store when the step starts. {0} is an empty one.
 */
#include <weir/bytes.h>

struct due {
	int64_t time_ms, start_ms;
	weir_bytes key;
};

struct due_queue {
	struct due *items; /* a heap */
	size_t count, room;
};

/** Copies the key. The same may be added more than once. */
void weir__due_add(struct due_queue *q, struct due due);
/** NULL: it is empty. Valid until the queue changes. */
static inline const struct due *weir__due_first(const struct due_queue *q)
{
	return q->count ? q->items : NULL;
}
/** Takes the first out, and all that are equal to it. */
void weir__due_drop(struct due_queue *q);
void weir__due_release(struct due_queue *q);

#endif
