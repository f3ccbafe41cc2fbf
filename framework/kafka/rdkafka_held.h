#ifndef WEIR_RDKAFKA_HELD_H
#define WEIR_RDKAFKA_HELD_H
/*
 * The partitions that a consumer reads. Each record finds its partition here, by the address of librdkafka's
 * topic and a number, mostly the same as the record before.
 */
#include "framework/kafka/rdkafka.h"

struct held {
	/* A reference of our own: the address cannot come to mean another topic while the partition is held. */
	rd_kafka_topic_t *rkt;
	int32_t partition;
	const char *topic; /* the topic's own text */
	void *user;
	/* Offset of the next record, or where reading begins, in librdkafka's terms (logical ones are negative). */
	int64_t position;
	bool paused;
	bool stopped;  /* librdkafka has given up reading it until it is assigned again */
	bool restarts; /* and is to be, in the next event */
};

struct held_set {
	struct held **items;
	size_t count, capacity;
	struct held **slots; /* open addressing, a power of two, at most half full */
	size_t slot_count;
	struct held *last; /* what was found last */
};

struct held *weir__held_find_slow(const struct held_set *set, const rd_kafka_topic_t *rkt, int32_t partition);
/** By name, which takes longer. NULL = not held. */
struct held *weir__held_named(const struct held_set *set, const char *topic, int32_t partition);
/** Adds, to be read from `position`; takes the reference rkt. */
struct held *weir__held_add(struct held_set *set, rd_kafka_topic_t *rkt, const weir_partition *partition,
			    int64_t position);
void weir__held_remove(struct held_set *set, struct held *h);
void weir__held_release(struct held_set *set);

/** NULL = not held. */
static inline struct held *weir__held_find(struct held_set *set, const rd_kafka_topic_t *rkt, int32_t partition)
{
	struct held *h = set->last;

	if (h && h->rkt == rkt && h->partition == partition)
		return h;
	return set->last = weir__held_find_slow(set, rkt, partition);
}

#endif
