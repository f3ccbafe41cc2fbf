#ifndef BESIDE_H
#define BESIDE_H
/* What stands beside committed offsets, as Kafka Streams' TopicPartitionMetadata and ProcessorMetadata read and
 * write it: base64 of 2 | time (8) | count (4) and so many times length (4), name, number (8). What follows is not
 * read. */
#include "tests/topology/topology_test.h"

enum { BESIDE_BYTES_MAX = 4096 };

static const char beside_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static inline size_t beside_decode(const char *text, unsigned char *to)
{
	size_t bits = 0, n = 0;
	unsigned v = 0;

	for (; *text && *text != '='; text++) {
		const char *digit = strchr(beside_digits, *text);

		assert_non_null(digit);
		v = v << 6 | (unsigned)(digit - beside_digits);
		bits += 6;
		if (bits >= 8)
			to[n++] = (unsigned char)(v >> (bits -= 8));
	}
	return n;
}

/* For the caller to free. */
static inline char *beside_encode(const unsigned char *from, size_t n)
{
	char *text = calloc(n * 2 + 8, 1), *to = text;
	size_t bits = 0;
	unsigned v = 0;

	for (size_t i = 0; i < n; i++) {
		v = v << 8 | from[i];
		for (bits += 8; bits >= 6; bits -= 6)
			*to++ = beside_digits[v >> (bits - 6) & 63];
	}
	if (bits)
		*to++ = beside_digits[v << (6 - bits) & 63];
	while ((to - text) % 4)
		*to++ = '=';
	return text;
}

/* Where the pairs end that Kafka Streams reads; *number of the one called `name`, -1 = it is not there. */
static inline size_t beside_pairs(const unsigned char *bytes, size_t n, const char *name, int64_t *number)
{
	size_t at = 13;

	*number = -1;
	assert_true(n >= 13);
	for (int32_t i = 0, pairs = weir_get_be32(bytes + 9); i < pairs; i++) {
		size_t length = (size_t)weir_get_be32(bytes + at);

		assert_true(at + 12 + length <= n);
		if (length == strlen(name) && memcmp(bytes + at + 4, name, length) == 0)
			*number = weir_get_be64(bytes + at + 4 + length);
		at += 12 + length;
	}
	return at;
}

static inline int64_t beside_number(const char *metadata, const char *name)
{
	unsigned char bytes[BESIDE_BYTES_MAX];
	int64_t number;

	beside_pairs(bytes, beside_decode(metadata, bytes), name, &number);
	return number;
}

/* The same as Kafka Streams writes it again, with what it has read. For the caller to free. */
static inline char *beside_again(const char *metadata)
{
	unsigned char bytes[BESIDE_BYTES_MAX];
	int64_t number;

	return beside_encode(bytes, beside_pairs(bytes, beside_decode(metadata, bytes), "", &number));
}

/* Its own, of an aggregate's store: windows that close by then have come. For the caller to free. */
static inline char *beside_last_emitted(int64_t time_ms, const char *store, int64_t close_ms)
{
	unsigned char bytes[BESIDE_BYTES_MAX] = { 2 };
	size_t length = strlen(store);

	weir_put_be64(bytes + 1, time_ms);
	weir_put_be32(bytes + 9, 1);
	weir_put_be32(bytes + 13, (int32_t)length);
	memcpy(bytes + 17, store, length);
	weir_put_be64(bytes + 17 + length, close_ms);
	return beside_encode(bytes, 25 + length);
}

#endif
