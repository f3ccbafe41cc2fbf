#ifndef WEIR_MURMUR3_H
#define WEIR_MURMUR3_H
#include <weir/bytes.h>

enum { MURMUR3_BYTES = 16 };

/** MurmurHash3, x64, 128 bits, with the seed and in the byte order (two big-endian longs) that Kafka Streams has in
 * the topics of foreign-key joins. */
void weir__murmur3(weir_bytes bytes, unsigned char out[MURMUR3_BYTES]);

#endif
