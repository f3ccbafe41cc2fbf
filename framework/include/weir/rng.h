#ifndef WEIR_RNG_H
#define WEIR_RNG_H
/*
 * Random numbers from a seed: xoshiro256** (Blackman, Vigna), the same sequence on every machine. Not for secrets.
 *
 * A generator is a small value that its owner keeps; there is no global one, so that a simulation with a seed
 * repeats itself exactly. Not thread-safe: each thread has its own (weir_rng_fork).
 */
#include <stdbool.h>
#include <stdint.h>

typedef struct weir_rng {
	uint64_t s[4];
} weir_rng;

/** splitmix64: moves *state on and gives the next number of its sequence. Spreads a poor seed over 64 bits. */
static inline uint64_t weir_splitmix64(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/** Any seed will do, 0 too. */
static inline weir_rng weir_rng_seeded(uint64_t seed)
{
	weir_rng r;

	for (int i = 0; i < 4; i++)
		r.s[i] = weir_splitmix64(&seed);
	return r;
}

/** 64 random bits. */
static inline uint64_t weir_rng_next(weir_rng *r)
{
	uint64_t *s = r->s;
	uint64_t x = s[1] * 5;
	uint64_t result = (x << 7 | x >> 57) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = s[3] << 45 | s[3] >> 19;
	return result;
}

/** A generator of its own for a part (a thread, a simulated node): what the part draws does not shift what others
 *  draw. */
static inline weir_rng weir_rng_fork(weir_rng *r)
{
	return weir_rng_seeded(weir_rng_next(r));
}

/** From 0 to n - 1, each equally likely; n > 0. */
static inline uint64_t weir_rng_below(weir_rng *r, uint64_t n)
{
	uint64_t unfair = -n % n; /* so many numbers at the bottom would make some remainders likelier */
	uint64_t x;

	do {
		x = weir_rng_next(r);
	} while (x < unfair);
	return x % n;
}

/** From low to high, both included; low <= high. */
static inline int64_t weir_rng_between(weir_rng *r, int64_t low, int64_t high)
{
	uint64_t n = (uint64_t)high - (uint64_t)low + 1;

	return (int64_t)((uint64_t)low + (n ? weir_rng_below(r, n) : weir_rng_next(r)));
}

/** From 0 (included) to 1 (not), 53 random bits. */
static inline double weir_rng_double(weir_rng *r)
{
	return (double)(weir_rng_next(r) >> 11) * 0x1p-53;
}

/** True with probability p. */
static inline bool weir_rng_chance(weir_rng *r, double p)
{
	return weir_rng_double(r) < p;
}

#endif
