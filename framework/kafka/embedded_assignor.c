#include "framework/kafka/embedded.h"

#include <stdlib.h>

#include "framework/base/alloc.h"

/*
 * Cooperative-sticky: each member keeps what it owns; what nobody has goes to whoever has least; then partitions
 * move from members with most to members with least until they differ by one at most (as far as subscriptions
 * allow). What one member owns and another shall have is given to neither in this generation: its owner gives it up
 * first.
 */

/* --- lists of partitions -------------------------------------------------------------------------------------- */

static int compare(const struct place *a, const char *topic, int32_t partition)
{
	int c = a->topic == topic ? 0 : strcmp(a->topic, topic);

	return c ? c : (a->partition > partition) - (a->partition < partition);
}

static size_t place_index(const struct places *list, const char *topic, int32_t partition)
{
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (compare(&list->items[middle], topic, partition) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool weir__places_have(const struct places *list, const char *topic, int32_t partition)
{
	size_t i = place_index(list, topic, partition);

	return i < list->count && compare(&list->items[i], topic, partition) == 0;
}

void weir__places_add(struct places *list, const char *topic, int32_t partition)
{
	size_t i = place_index(list, topic, partition);

	WEIR__GROW(list->items, list->count, list->room);
	memmove(list->items + i + 1, list->items + i, (list->count - i) * sizeof *list->items);
	list->items[i] = (struct place){ topic, partition };
	list->count++;
}

static void remove_at(struct places *list, size_t i)
{
	list->count--;
	memmove(list->items + i, list->items + i + 1, (list->count - i) * sizeof *list->items);
}

void weir__places_copy(struct places *to, const struct places *from)
{
	to->count = 0;
	for (size_t i = 0; i < from->count; i++)
		weir__places_add(to, from->items[i].topic, from->items[i].partition);
}

void weir__places_minus(struct places *to, const struct places *a, const struct places *b)
{
	for (size_t i = 0; i < a->count; i++)
		if (!weir__places_have(b, a->items[i].topic, a->items[i].partition))
			weir__places_add(to, a->items[i].topic, a->items[i].partition);
}

void weir__places_release(struct places *list)
{
	free(list->items);
	*list = (struct places){ 0 };
}

/* --- assignment ----------------------------------------------------------------------------------------------- */

static bool wants(const struct member *m, const char *topic)
{
	for (size_t i = 0; i < m->topic_count; i++)
		if (m->topics[i] == topic)
			return true;
	return false;
}

/* The member with the fewest partitions of those that want the topic; NULL = nobody does. */
static struct member *least(const struct group *g, const char *topic)
{
	struct member *found = NULL;

	for (size_t i = 0; i < g->count; i++) {
		struct member *m = g->members[i];

		if (wants(m, topic) && (!found || m->assigned.count < found->assigned.count))
			found = m;
	}
	return found;
}

static struct member *holder(const struct group *g, const char *topic, int32_t partition)
{
	for (size_t i = 0; i < g->count; i++)
		if (weir__places_have(&g->members[i]->assigned, topic, partition))
			return g->members[i];
	return NULL;
}

static void keep_owned(struct embedded *e, struct group *g)
{
	for (size_t i = 0; i < g->count; i++) {
		struct member *m = g->members[i];

		m->assigned.count = 0;
		for (size_t k = 0; k < m->owned.count; k++) {
			const struct place *p = &m->owned.items[k];
			const struct topic *t = weir__topic_find(e, p->topic);

			if (t && p->partition < t->partitions && wants(m, p->topic))
				weir__places_add(&m->assigned, p->topic, p->partition);
		}
	}
}

static void give_free(struct embedded *e, struct group *g)
{
	for (size_t i = 0; i < e->topic_count; i++)
		for (int32_t p = 0; p < e->topics[i]->partitions; p++) {
			const char *topic = e->topics[i]->name;
			struct member *to = holder(g, topic, p) ? NULL : least(g, topic);

			if (to)
				weir__places_add(&to->assigned, topic, p);
		}
}

/* Moves one partition of m to somebody who has at least two less; false = nothing to move. */
static bool relieve(struct group *g, struct member *m)
{
	for (size_t k = m->assigned.count; k-- > 0;) {
		struct place p = m->assigned.items[k];
		struct member *to = least(g, p.topic);

		if (to->assigned.count + 1 < m->assigned.count) {
			remove_at(&m->assigned, k);
			weir__places_add(&to->assigned, p.topic, p.partition);
			return true;
		}
	}
	return false;
}

static void balance(struct group *g)
{
	bool moved = true;

	while (moved) { /* ends: each move makes the sum of squares smaller */
		moved = false;
		for (size_t i = 0; i < g->count; i++)
			moved |= relieve(g, g->members[i]);
	}
}

static bool owned_by_another(const struct group *g, const struct member *m, const struct place *p)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->members[i] != m && weir__places_have(&g->members[i]->owned, p->topic, p->partition))
			return true;
	return false;
}

static void withhold_owned(struct group *g)
{
	for (size_t i = 0; i < g->count; i++) {
		struct places *assigned = &g->members[i]->assigned;

		for (size_t k = assigned->count; k-- > 0;)
			if (owned_by_another(g, g->members[i], &assigned->items[k]))
				remove_at(assigned, k);
	}
}

void weir__group_assign(struct embedded *e, struct group *g)
{
	keep_owned(e, g);
	give_free(e, g);
	balance(g);
	withhold_owned(g);
}
