#ifndef WEIR_DUE_H
#define WEIR_DUE_H
/*
 * Rows of a store that wait for their time, the earliest first: by time, then by key, then by start. It lives in
 * memory alone and is made anew from the store when the step starts. It has a share of its worker's memory: of
 * what outgrows that, the later half is forgotten, and read from the store again once all before it has gone.
 */
#include <weir/bytes.h>

struct due {
	int64_t time_ms, start_ms;
	weir_bytes key;
};

/* What the queues of one worker, which alone uses it, may hold together. */
struct due_queue;
struct due_budget {
	size_t bytes_max, bytes;
	size_t queues;
	struct due_queue *first;
};

struct due_queue {
	struct due_budget *budget;
	struct due_queue *next; /* of the budget's */
	struct due *items;      /* a heap */
	size_t count, room, bytes;
	/* From here on rows are in the store only. */
	bool has_horizon;
	struct due horizon;
	/* What is read from the store begins here: what is before has gone. */
	bool has_from;
	struct due from;
};

/** *q is zeroed and stays where it is; *budget outlives it. Shares become smaller, and so do the other queues. */
void weir__due_init(struct due_queue *q, struct due_budget *budget);
/** Copies the key. The same may be added more than once. The row is in the store, or will be before any is read
 * from it. */
void weir__due_add(struct due_queue *q, struct due due);
/** The queue is empty, but the store has rows up to until_ms that it has forgotten: whoever owns it adds the
 * store's rows between _begin, which says from what time on, and _end. */
static inline bool weir__due_wants_more(const struct due_queue *q, int64_t until_ms)
{
	return q->count == 0 && q->has_horizon && q->horizon.time_ms <= until_ms;
}
int64_t weir__due_read_begin(struct due_queue *q);
void weir__due_read_end(struct due_queue *q);
/** NULL: it is empty. Valid until the queue changes. */
static inline const struct due *weir__due_first(const struct due_queue *q)
{
	return q->count ? q->items : NULL;
}
/** Takes the first out, and all that are equal to it. */
void weir__due_drop(struct due_queue *q);
void weir__due_release(struct due_queue *q);

#endif
