#ifndef WEIR_STATE_SORT_H
#define WEIR_STATE_SORT_H
/* Sorting pointers by a 64-bit prefix of their keys kept beside them; equal prefixes are told apart by
 * `compare`. */
#include <stdint.h>
#include "state/window_key.h"

struct sort_item {
	uint64_t prefix;
	const void *item;
};

/** Stable. `spare` has room for n items. */
void weir__sort(struct sort_item *items, struct sort_item *spare, size_t n,
		int (*compare)(const void *a, const void *b, const void *user), const void *user);

/** Prefix of places whose segments lie in segment_min ... segment_max: in the order of weir__place_compare. */
static inline uint64_t weir__sort_prefix(struct place place, int64_t segment_min, int64_t segment_max)
{
	uint64_t range = (uint64_t)segment_max - (uint64_t)segment_min;
	unsigned bits = range ? 64 - (unsigned)__builtin_clzll(range) : 0;
	uint64_t segment = (uint64_t)place.segment - (uint64_t)segment_min, bytes = 0;

	if (place.key.len >= 8)
		bytes = (uint64_t)weir_get_be64(place.key.data);
	else
		for (size_t i = 0; i < place.key.len; i++)
			bytes |= (uint64_t)((const unsigned char *)place.key.data)[i] << (56 - 8 * i);
	if (bits == 0)
		return bytes;
	if (bits == 64)
		return segment;
	return segment << (64 - bits) | bytes >> bits;
}

#endif
