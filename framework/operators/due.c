#include "framework/operators/due.h"

#include <stdlib.h>

#include "framework/base/alloc.h"

static int compare(const struct due *a, const struct due *b)
{
	if (a->time_ms != b->time_ms)
		return a->time_ms < b->time_ms ? -1 : 1;
	int by_key = weir_bytes_compare(a->key, b->key);

	if (by_key || a->start_ms == b->start_ms)
		return by_key;
	return a->start_ms < b->start_ms ? -1 : 1;
}

/* --- memory -------------------------------------------------------------------------------------------------- */

enum { ALLOCATION_BYTES = 16, LEAST_ITEMS = 8 };

static void account(struct due_queue *q, size_t before, size_t after)
{
	q->bytes += after - before;
	q->budget->bytes += after - before;
}

static size_t key_bytes(const struct due *d)
{
	return d->key.len + ALLOCATION_BYTES;
}

static void free_key(struct due_queue *q, const struct due *d)
{
	account(q, key_bytes(d), 0);
	free((void *)d->key.data);
}

static struct due copy(struct due_queue *q, struct due due)
{
	char *key = weir__malloc(due.key.len + 1);

	if (due.key.len)
		memcpy(key, due.key.data, due.key.len);
	due.key.data = key;
	account(q, 0, key_bytes(&due));
	return due;
}

static void set_room(struct due_queue *q, size_t room)
{
	account(q, q->room * sizeof *q->items, room * sizeof *q->items);
	q->items = weir__realloc(q->items, room * sizeof *q->items);
	q->room = room;
}

static int compare_items(const void *a, const void *b)
{
	return compare(a, b);
}

static void drop_copies(struct due_queue *q)
{
	size_t n = 1;

	for (size_t i = 1; i < q->count; i++)
		if (compare(&q->items[i], &q->items[n - 1]) == 0)
			free_key(q, &q->items[i]);
		else
			q->items[n++] = q->items[i];
	q->count = n;
}

/* Forgets the later half. What is sorted is a heap as well. */
static void forget_some(struct due_queue *q)
{
	size_t keep;

	qsort(q->items, q->count, sizeof *q->items, compare_items);
	drop_copies(q);
	keep = q->count / 2 > LEAST_ITEMS / 2 ? q->count / 2 : LEAST_ITEMS / 2;
	if (q->count > keep) {
		if (q->has_horizon)
			free_key(q, &q->horizon);
		q->has_horizon = true;
		q->horizon = q->items[keep];
		for (size_t i = keep + 1; i < q->count; i++)
			free_key(q, &q->items[i]);
		q->count = keep;
	}
	set_room(q, q->count);
}

static bool has_too_much(const struct due_queue *q)
{
	return q->count > LEAST_ITEMS && q->bytes > q->budget->bytes_max / q->budget->queues;
}

void weir__due_init(struct due_queue *q, struct due_budget *budget)
{
	q->budget = budget;
	q->next = budget->first;
	budget->first = q;
	budget->queues++;
	for (struct due_queue *other = q->next; other; other = other->next)
		while (has_too_much(other))
			forget_some(other);
}

/* --- rows ---------------------------------------------------------------------------------------------------- */

void weir__due_add(struct due_queue *q, struct due due)
{
	size_t at;

	if ((q->has_horizon && compare(&due, &q->horizon) >= 0) || (q->has_from && compare(&due, &q->from) < 0))
		return;
	due = copy(q, due);
	if (q->count == q->room)
		set_room(q, q->room ? q->room + q->room / 2 + 1 : LEAST_ITEMS);
	at = q->count++;
	for (; at && compare(&due, &q->items[(at - 1) / 2]) < 0; at = (at - 1) / 2)
		q->items[at] = q->items[(at - 1) / 2];
	q->items[at] = due;
	if (has_too_much(q))
		forget_some(q);
}

static void drop_first(struct due_queue *q)
{
	struct due last = q->items[--q->count];
	size_t at = 0;

	for (size_t child; (child = 2 * at + 1) < q->count; at = child) {
		if (child + 1 < q->count && compare(&q->items[child + 1], &q->items[child]) < 0)
			child++;
		if (compare(&last, &q->items[child]) <= 0)
			break;
		q->items[at] = q->items[child];
	}
	q->items[at] = last;
}

void weir__due_drop(struct due_queue *q)
{
	struct due first = q->items[0];

	drop_first(q);
	while (q->count && compare(&first, &q->items[0]) == 0) {
		free_key(q, &q->items[0]);
		drop_first(q);
	}
	free_key(q, &first);
}

int64_t weir__due_read_begin(struct due_queue *q)
{
	q->has_from = true;
	q->from = q->horizon;
	q->has_horizon = false;
	return q->from.time_ms;
}

void weir__due_read_end(struct due_queue *q)
{
	q->has_from = false;
	free_key(q, &q->from);
}

void weir__due_release(struct due_queue *q)
{
	if (!q->budget)
		return;
	for (size_t i = 0; i < q->count; i++)
		free_key(q, &q->items[i]);
	if (q->has_horizon)
		free_key(q, &q->horizon);
	if (q->has_from)
		free_key(q, &q->from);
	account(q, q->room * sizeof *q->items, 0);
	free(q->items);
	q->budget->queues--;
	struct due_queue **at = &q->budget->first;

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	*q = (struct due_queue){ 0 };
}
