/* After Austin Appleby's MurmurHash3, which is in the public domain. */
#include "framework/base/murmur3.h"

static const uint64_t C1 = 0x87c37b91114253d5, C2 = 0x4cf5ad432745937f;

enum { SEED = 104729, BLOCK = 16 };

static uint64_t rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

/* Up to 8 bytes, the first the lowest. */
static uint64_t little_endian(const unsigned char *p, size_t n)
{
	uint64_t x = 0;

	for (size_t i = 0; i < n; i++)
		x |= (uint64_t)p[i] << (8 * i);
	return x;
}

static uint64_t mix_first(uint64_t k)
{
	return rotate(k * C1, 31) * C2;
}

static uint64_t mix_second(uint64_t k)
{
	return rotate(k * C2, 33) * C1;
}

static uint64_t finish(uint64_t h)
{
	h = (h ^ h >> 33) * 0xff51afd7ed558ccd;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53;
	return h ^ h >> 33;
}

void weir__murmur3(weir_bytes bytes, unsigned char out[MURMUR3_BYTES])
{
	const unsigned char *p = bytes.data;
	size_t left = bytes.len;
	uint64_t h1 = SEED, h2 = SEED;

	for (; left >= BLOCK; left -= BLOCK, p += BLOCK) {
		h1 = (rotate(h1 ^ mix_first(little_endian(p, 8)), 27) + h2) * 5 + 0x52dce729;
		h2 = (rotate(h2 ^ mix_second(little_endian(p + 8, 8)), 31) + h1) * 5 + 0x38495ab5;
	}
	if (left > 8)
		h2 ^= mix_second(little_endian(p + 8, left - 8));
	if (left > 0)
		h1 ^= mix_first(little_endian(p, left < 8 ? left : 8));
	h1 ^= bytes.len;
	h2 ^= bytes.len;
	h1 += h2;
	h2 += h1;
	h1 = finish(h1);
	h2 = finish(h2);
	h1 += h2;
	h2 += h1;
	weir_put_be64(out, (int64_t)h1);
	weir_put_be64(out + 8, (int64_t)h2);
}
