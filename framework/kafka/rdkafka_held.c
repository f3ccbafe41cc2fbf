#include "framework/kafka/rdkafka_held.h"

#include "framework/base/alloc.h"

#include <stdlib.h>
#include <string.h>

static size_t slot_of(const struct held_set *set, const rd_kafka_topic_t *rkt, int32_t partition)
{
	uint64_t x = ((uint64_t)(uintptr_t)rkt >> 4) + (uint64_t)(uint32_t)partition * UINT64_C(0x9e3779b97f4a7c15);

	x ^= x >> 29;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	return (size_t)(x >> 32) & (set->slot_count - 1);
}

struct held *weir__held_find_slow(const struct held_set *set, const rd_kafka_topic_t *rkt, int32_t partition)
{
	if (!set->count)
		return NULL;
	for (size_t i = slot_of(set, rkt, partition); set->slots[i]; i = (i + 1) & (set->slot_count - 1))
		if (set->slots[i]->rkt == rkt && set->slots[i]->partition == partition)
			return set->slots[i];
	return NULL;
}

struct held *weir__held_named(const struct held_set *set, const char *topic, int32_t partition)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->items[i]->partition == partition && !strcmp(set->items[i]->topic, topic))
			return set->items[i];
	return NULL;
}

/* Partitions come and go rarely: the table is made anew each time. */
static void rebuild(struct held_set *set)
{
	set->last = NULL;
	while (set->slot_count < 2 * set->count || !set->slot_count)
		set->slot_count = set->slot_count ? 2 * set->slot_count : 16;
	set->slots = weir__realloc(set->slots, set->slot_count * sizeof *set->slots);
	memset(set->slots, 0, set->slot_count * sizeof *set->slots);
	for (size_t i = 0; i < set->count; i++) {
		struct held *h = set->items[i];
		size_t at = slot_of(set, h->rkt, h->partition);

		while (set->slots[at])
			at = (at + 1) & (set->slot_count - 1);
		set->slots[at] = h;
	}
}

struct held *weir__held_add(struct held_set *set, rd_kafka_topic_t *rkt, const weir_partition *partition,
			    int64_t position)
{
	struct held *h = weir__calloc(1, sizeof *h);

	*h = (struct held){
		.rkt = rkt,
		.partition = partition->partition,
		.topic = rd_kafka_topic_name(rkt),
		.user = partition->user,
		.position = position,
	};
	if (set->count == set->capacity) {
		set->capacity = set->capacity ? 2 * set->capacity : 16;
		set->items = weir__realloc(set->items, set->capacity * sizeof *set->items);
	}
	set->items[set->count++] = h;
	rebuild(set);
	return h;
}

void weir__held_remove(struct held_set *set, struct held *h)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->items[i] == h) {
			set->items[i] = set->items[--set->count];
			rebuild(set);
			rd_kafka_topic_destroy(h->rkt);
			free(h);
			return;
		}
}

void weir__held_release(struct held_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		rd_kafka_topic_destroy(set->items[i]->rkt);
		free(set->items[i]);
	}
	free(set->items);
	free(set->slots);
	*set = (struct held_set){ 0 };
}
