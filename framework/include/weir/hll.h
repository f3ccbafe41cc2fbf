#ifndef WEIR_HLL_H
#define WEIR_HLL_H
/*
 * HyperLogLog: how many different things were seen, in 16 KB whatever their number; standard error 0.81 %.
 *
 * A sketch is a plain value: zeroed memory is an empty one, memcpy copies it, nothing is to be freed. Adding and
 * merging take a maximum per register, so they may come in any order and twice. The 16384 registers are seen as 64
 * chunks of 256, each with a bit in `dirty`, so that a store need write only what has changed; a small sketch has
 * mostly empty chunks. Not thread-safe.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/bytes.h>
#include <weir/error.h>

#define WEIR_HLL_PRECISION 14
#define WEIR_HLL_REGISTERS (1 << WEIR_HLL_PRECISION)
#define WEIR_HLL_CHUNKS 64
#define WEIR_HLL_CHUNK_REGISTERS (WEIR_HLL_REGISTERS / WEIR_HLL_CHUNKS)
#define WEIR_HLL_RANK_MAX (64 - WEIR_HLL_PRECISION + 1)
/* Of an encoded chunk. */
#define WEIR_HLL_CHUNK_BYTES_MAX 193

typedef struct weir_hll {
	uint64_t dirty; /* bit i: chunk i has changed since its bit was cleared, by whoever stores the chunks */
	uint8_t registers[WEIR_HLL_REGISTERS];
} weir_hll;

/** The hash that sketches are fed with: XXH3, 64 bits. Null hashes as empty. */
uint64_t weir_hll_hash(weir_bytes b);

/** Counts what has this hash; all 64 bits of it must be well mixed. True if the sketch has changed. */
static inline bool weir_hll_add(weir_hll *h, uint64_t hash)
{
	uint32_t i = (uint32_t)(hash >> (64 - WEIR_HLL_PRECISION));
	/* Rank: position of the first 1 in the bits behind the index; a guard bit ends the search. */
	uint64_t rest = hash << WEIR_HLL_PRECISION | UINT64_C(1) << (WEIR_HLL_PRECISION - 1);
	uint8_t rank = (uint8_t)(__builtin_clzll(rest) + 1);

	if (rank <= h->registers[i])
		return false;
	h->registers[i] = rank;
	h->dirty |= UINT64_C(1) << (i / WEIR_HLL_CHUNK_REGISTERS);
	return true;
}

/** `into` becomes the sketch of the union; its changed chunks become dirty. */
void weir_hll_merge(weir_hll *into, const weir_hll *from);

/** The number of different hashes added, estimated without bias (Ertl's improved raw estimator). Reads all
 *  registers: some ten microseconds. */
uint64_t weir_hll_estimate(const weir_hll *h);

/** Writes chunk i (0..63) compactly to `to`, which has room for WEIR_HLL_CHUNK_BYTES_MAX; returns the length, at
 *  least 1. Leaves `dirty` alone. */
size_t weir_hll_chunk_encode(const weir_hll *h, unsigned i, uint8_t *to);

/** Replaces chunk i by one that was encoded; `dirty` stays. Fails with WEIR_DECODE, the sketch unchanged, on bytes
 *  that no encoder has written. */
bool weir_hll_chunk_decode(weir_hll *h, unsigned i, weir_bytes from, weir_error *err);

#endif
