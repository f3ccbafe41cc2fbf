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

/** Stable. `spare` has room for n / 2 items. */
void weir__sort(struct sort_item *items, struct sort_item *spare, size_t n,
		int (*compare)(const void *a, const void *b, const void *user), const void *user);

/* What the prefixes are taken from: the bits of the segment that differ, then the key behind the bytes that all
 * have in common. Zeroed; each place is seen before the first prefix is asked for. */
struct sort_span {
	int64_t segment_min, segment_max;
	size_t common, seen;
	weir_bytes first; /* must stay valid */
};

static inline void weir__sort_see(struct sort_span *span, struct place place)
{
	if (span->seen++ == 0) {
		*span = (struct sort_span){ place.segment, place.segment, place.key.len, 1, place.key };
		return;
	}
	if (place.segment < span->segment_min)
		span->segment_min = place.segment;
	if (place.segment > span->segment_max)
		span->segment_max = place.segment;
	size_t n = span->common < place.key.len ? span->common : place.key.len, i = n;
	if (n && memcmp(span->first.data, place.key.data, n) != 0)
		for (i = 0; ((const char *)span->first.data)[i] == ((const char *)place.key.data)[i];)
			i++;
	span->common = i;
}

/** In the order of weir__place_compare, except that different places may have the same. */
static inline uint64_t weir__sort_prefix(const struct sort_span *span, struct place place)
{
	uint64_t range = (uint64_t)span->segment_max - (uint64_t)span->segment_min;
	unsigned bits = range ? 64 - (unsigned)__builtin_clzll(range) : 0;
	uint64_t segment = (uint64_t)place.segment - (uint64_t)span->segment_min, bytes = 0;
	const unsigned char *p = (const unsigned char *)place.key.data + span->common;
	size_t len = place.key.len - span->common;

	if (len >= 8)
		bytes = (uint64_t)weir_get_be64(p);
	else
		for (size_t i = 0; i < len; i++)
			bytes |= (uint64_t)p[i] << (56 - 8 * i);
	if (bits == 0)
		return bytes;
	if (bits == 64)
		return segment;
	return segment << (64 - bits) | bytes >> bits;
}

#endif
