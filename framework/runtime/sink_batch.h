#ifndef WEIR_SINK_BATCH_H
#define WEIR_SINK_BATCH_H
/* Records of one partition, copied so that they outlive the poll that gave them; they can be asked for headers as
 * before. */
#include <weir/kafka.h>

#include "framework/base/arena.h"

struct sink_batch {
	struct arena arena;
	weir_kafka_record *records;
	size_t count, capacity;
	size_t bytes; /* of keys and values */
};

void weir__sink_batch_init(struct sink_batch *b);
void weir__sink_batch_release(struct sink_batch *b);
/** Empties it; memory is kept for the next. */
void weir__sink_batch_clear(struct sink_batch *b);
/** `topic` must outlive the batch: the record's own name of it may not. */
void weir__sink_batch_add(struct sink_batch *b, const weir_kafka_record *record, const char *topic);
/** Takes out the records at these n indexes, in any order. */
void weir__sink_batch_remove(struct sink_batch *b, const size_t *indexes, size_t n);

#endif
