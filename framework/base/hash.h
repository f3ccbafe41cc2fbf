#ifndef WEIR_HASH_H
#define WEIR_HASH_H
/*
 * Two hashes: a fast one for tables in memory and sketches, and Kafka's for the choice of a partition.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <weir/bytes.h>

/** XXH3, 64 bits. The same on every machine and in every version (sketches in a changelog depend on it). Null
 *  hashes as empty. */
static inline uint64_t weir__hash(weir_bytes b)
{
	return XXH3_64bits(b.data ? b.data : "", b.len);
}

/** murmur2 with the seed and byte order of Kafka's Java client. Null hashes as empty. */
uint32_t weir__murmur2(weir_bytes b);

#endif
