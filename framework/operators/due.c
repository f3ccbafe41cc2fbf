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

void weir__due_add(struct due_queue *q, struct due due)
{
	char *key = weir__malloc(due.key.len + 1);
	size_t at = q->count;

	if (due.key.len)
		memcpy(key, due.key.data, due.key.len);
	due.key.data = key;
	if (q->count == q->room) {
		q->room = q->room ? 2 * q->room : 64;
		q->items = weir__realloc(q->items, q->room * sizeof *q->items);
	}
	for (q->count++; at && compare(&due, &q->items[(at - 1) / 2]) < 0; at = (at - 1) / 2)
		q->items[at] = q->items[(at - 1) / 2];
	q->items[at] = due;
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
		free((void *)q->items[0].key.data);
		drop_first(q);
	}
	free((void *)first.key.data);
}

void weir__due_release(struct due_queue *q)
{
	for (size_t i = 0; i < q->count; i++)
		free((void *)q->items[i].key.data);
	free(q->items);
	*q = (struct due_queue){ 0 };
}
