#ifndef WEIR_STATE_HEADERS_H
#define WEIR_STATE_HEADERS_H
/*
 * Values with headers, as stores that keep them have them in the cache and on disk:
 *   size of the headers (7 bits a byte, the lowest first) | of each: name, 0, length of its value (4, BE; -1 =
 *   null), value | the value itself
 * In the changelog the headers are those of the record.
 */
#include <weir/headers.h>

#include "state/buffer.h"

/* Room for headers that point into a value. Zeroed = empty. */
struct kept_headers {
	weir_header *items;
	size_t capacity;
	weir_headers list;
};

void weir__kept_release(struct kept_headers *room);
/** Into the buffer; headers: NULL = none. The value is not null. */
weir_bytes weir__kept_encode(struct buffer *to, weir_bytes value, const weir_headers *headers);
/** The value itself; null stays null. */
weir_bytes weir__kept_value(weir_bytes kept);
/** The headers, valid as long as `kept` and until the next call with that room; none of null. */
const weir_headers *weir__kept_headers(struct kept_headers *room, weir_bytes kept);

#endif
