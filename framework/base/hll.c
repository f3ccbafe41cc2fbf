#include <weir/hll.h>

#include <math.h>

#include "framework/base/hash.h"

uint64_t weir_hll_hash(weir_bytes b)
{
	return weir__hash(b);
}

void weir_hll_merge(weir_hll *into, const weir_hll *from)
{
	for (unsigned chunk = 0; chunk < WEIR_HLL_CHUNKS; chunk++) {
		uint8_t *a = into->registers + (size_t)chunk * WEIR_HLL_CHUNK_REGISTERS;
		const uint8_t *b = from->registers + (size_t)chunk * WEIR_HLL_CHUNK_REGISTERS;
		uint8_t changed = 0;

		for (unsigned i = 0; i < WEIR_HLL_CHUNK_REGISTERS; i++) {
			uint8_t greater = a[i] > b[i] ? a[i] : b[i];

			changed |= greater ^ a[i];
			a[i] = greater;
		}
		if (changed)
			into->dirty |= UINT64_C(1) << chunk;
	}
}

/*
 * Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017), algorithm 6. sigma corrects
 * for registers never hit, tau for those at the greatest rank, so no range needs a formula of its own.
 */
static double sigma(double x)
{
	double y = 1, z = x, previous;

	if (x == 1)
		return INFINITY;
	do {
		x *= x;
		previous = z;
		z += x * y;
		y += y;
	} while (z != previous);
	return z;
}

static double tau(double x)
{
	double y = 1, z = 1 - x, previous;

	if (x == 0 || x == 1)
		return 0;
	do {
		x = sqrt(x);
		previous = z;
		y *= 0.5;
		z -= (1 - x) * (1 - x) * y;
	} while (z != previous);
	return z / 3;
}

uint64_t weir_hll_estimate(const weir_hll *h)
{
	const double m = WEIR_HLL_REGISTERS;
	unsigned counts[WEIR_HLL_RANK_MAX + 1] = { 0 };

	for (unsigned i = 0; i < WEIR_HLL_REGISTERS; i++)
		counts[h->registers[i]]++;
	double z = m * tau(1 - counts[WEIR_HLL_RANK_MAX] / m);
	for (unsigned rank = WEIR_HLL_RANK_MAX - 1; rank > 0; rank--)
		z = 0.5 * (z + counts[rank]);
	z += m * sigma(counts[0] / m);
	double estimate = m * m / (2 * M_LN2 * z);
	return estimate < 0x1p63 ? (uint64_t)llround(estimate) : UINT64_MAX;
}

/*
 * An encoded chunk. SPARSE: pairs (position, rank) of the registers that are not 0, positions ascending.
 * PACKED: 256 ranks of 6 bits, four in three bytes, lowest bits first. The shorter of the two is written.
 */
enum { SPARSE, PACKED };
#define PACKED_BYTES (WEIR_HLL_CHUNK_REGISTERS * 6 / 8)
_Static_assert(WEIR_HLL_CHUNK_BYTES_MAX == 1 + PACKED_BYTES, "the limit in the header");

static size_t encode_packed(const uint8_t *registers, uint8_t *to)
{
	*to++ = PACKED;
	for (unsigned i = 0; i < WEIR_HLL_CHUNK_REGISTERS; i += 4, to += 3) {
		uint32_t bits = (uint32_t)registers[i] | (uint32_t)registers[i + 1] << 6 |
				(uint32_t)registers[i + 2] << 12 | (uint32_t)registers[i + 3] << 18;

		to[0] = (uint8_t)bits;
		to[1] = (uint8_t)(bits >> 8);
		to[2] = (uint8_t)(bits >> 16);
	}
	return 1 + PACKED_BYTES;
}

size_t weir_hll_chunk_encode(const weir_hll *h, unsigned i, uint8_t *to)
{
	weir_assert(i < WEIR_HLL_CHUNKS);
	const uint8_t *registers = h->registers + (size_t)i * WEIR_HLL_CHUNK_REGISTERS;
	size_t n = 1;

	to[0] = SPARSE;
	for (unsigned r = 0; r < WEIR_HLL_CHUNK_REGISTERS; r++) {
		if (!registers[r])
			continue;
		if (n + 2 > 1 + PACKED_BYTES)
			return encode_packed(registers, to);
		to[n++] = (uint8_t)r;
		to[n++] = registers[r];
	}
	return n;
}

static bool decode_sparse(const uint8_t *p, size_t n, uint8_t *registers)
{
	int last = -1;

	if (n % 2 || n > PACKED_BYTES)
		return false;
	for (; n; n -= 2, p += 2) {
		if (p[0] <= last || !p[1])
			return false;
		last = p[0];
		registers[p[0]] = p[1];
	}
	return true;
}

static bool decode_packed(const uint8_t *p, size_t n, uint8_t *registers)
{
	if (n != PACKED_BYTES)
		return false;
	for (unsigned i = 0; i < WEIR_HLL_CHUNK_REGISTERS; i += 4, p += 3) {
		uint32_t bits = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;

		for (unsigned j = 0; j < 4; j++, bits >>= 6)
			registers[i + j] = bits & 63;
	}
	return true;
}

bool weir_hll_chunk_decode(weir_hll *h, unsigned i, weir_bytes from, weir_error *err)
{
	uint8_t registers[WEIR_HLL_CHUNK_REGISTERS] = { 0 };
	const uint8_t *p = from.data;

	weir_assert(i < WEIR_HLL_CHUNKS);
	bool ok = from.len && ((p[0] == SPARSE && decode_sparse(p + 1, from.len - 1, registers)) ||
			       (p[0] == PACKED && decode_packed(p + 1, from.len - 1, registers)));
	for (unsigned r = 0; ok && r < WEIR_HLL_CHUNK_REGISTERS; r++)
		ok = registers[r] <= WEIR_HLL_RANK_MAX;
	if (!ok)
		return weir_fail(err, WEIR_DECODE,
				 "chunk %u of a distinct-count sketch: %zu bytes that are not one", i, from.len);
	memcpy(h->registers + (size_t)i * WEIR_HLL_CHUNK_REGISTERS, registers, sizeof registers);
	return true;
}
