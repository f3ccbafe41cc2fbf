#ifndef WEIR_STATE_BUFFER_H
#define WEIR_STATE_BUFFER_H
/* Bytes that grow and are used again: scratch space for keys and values. Zeroed = empty. */
#include <stdlib.h>
#include <weir/bytes.h>
#include "framework/base/alloc.h"

struct buffer {
	char *data;
	size_t len, capacity;
};

static inline void weir__buffer_release(struct buffer *b)
{
	free(b->data);
	*b = (struct buffer){ 0 };
}

/** Room for `len` bytes in all; what was there is kept. */
static inline char *weir__buffer_reserve(struct buffer *b, size_t len)
{
	if (b->capacity < len) {
		b->capacity = len + len / 2 + 64;
		b->data = weir__realloc(b->data, b->capacity);
	}
	return b->data;
}

static inline void weir__buffer_set(struct buffer *b, weir_bytes bytes)
{
	weir__buffer_reserve(b, bytes.len);
	if (bytes.len)
		memcpy(b->data, bytes.data, bytes.len);
	b->len = bytes.len;
}

/** Never null, also when empty. */
static inline weir_bytes weir__buffer_view(struct buffer *b)
{
	return (weir_bytes){ weir__buffer_reserve(b, 1), b->len };
}

#endif
