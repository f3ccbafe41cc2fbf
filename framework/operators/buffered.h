#ifndef WEIR_BUFFERED_H
#define WEIR_BUFFERED_H
/*
 * A change of a table that waits, as Kafka Streams' buffers keep it in their changelogs (BufferValue, version 3,
 * which a header names): the record that has made it - time (8), offset (8), topic, partition (4), headers -, the
 * values prior, old and new, the time by which it waits (8). All numbers BE; topic and values behind their length
 * (4), -1 = null, for old -2 = the same as prior.
 *
 * weir's changes come of rows, not of a record: their offset is -1.
 */
#include "framework/operators/operator.h"

struct buffered {
	int64_t timestamp_ms;
	weir_bytes topic;
	int32_t partition;
	const weir_headers *headers;
	weir_bytes prior_value; /* as it was passed on last; null = there was none */
	weir_bytes old_value;   /* before the newest change */
	weir_bytes new_value;   /* null = deleted */
	int64_t time_ms;
};

weir_bytes weir__buffered_encode(weir_context *cx, const struct buffered *row);
/** False: it has another form. What it holds lies in `bytes`, but for headers. */
bool weir__buffered_decode(weir_context *cx, weir_bytes bytes, struct buffered *row);
/** The memory that Kafka Streams takes for it, by its own account. */
int64_t weir__buffered_size(const struct buffered *row);

extern const weir_headers weir__buffered_headers;

#endif
