#include "framework/base/hash.h"

#include <weir/kafka.h>

/* A transcript of org.apache.kafka.common.utils.Utils.murmur2: records keyed by a Java program and by weir have to
 * meet in the same partition. */
uint32_t weir__murmur2(weir_bytes b)
{
	const uint32_t m = 0x5bd1e995;
	const unsigned char *p = b.data;
	uint32_t h = 0x9747b28cu ^ (uint32_t)b.len;
	size_t left = b.len;

	for (; left >= 4; left -= 4, p += 4) {
		uint32_t k = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;

		k *= m;
		k ^= k >> 24;
		k *= m;
		h *= m;
		h ^= k;
	}
	if (left == 3)
		h ^= (uint32_t)p[2] << 16;
	if (left >= 2)
		h ^= (uint32_t)p[1] << 8;
	if (left >= 1) {
		h ^= p[0];
		h *= m;
	}
	h ^= h >> 13;
	h *= m;
	h ^= h >> 15;
	return h;
}

int32_t weir_partition_for_key(weir_bytes key, int32_t partitions)
{
	weir_assert(partitions > 0);
	return (int32_t)(weir__murmur2(key) & 0x7fffffff) % partitions;
}
