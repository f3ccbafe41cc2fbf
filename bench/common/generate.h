#ifndef BENCH_GENERATE_H
#define BENCH_GENERATE_H
/*
 * The records of the workloads, the same on every machine: splitmix64 from a fixed seed. A key is one of `keys`,
 * uniform or by Zipf's law (s = 1); a value is JSON of about 120 bytes. Event time runs over an hour with up to
 * 3 s of disorder.
 */
#include <stdbool.h>
#include <weir/bytes.h>

enum { VALUE_MAX = 1100, KEY_MAX = 24, FIELD_DIGITS_MAX = 10 };

struct generator {
	uint64_t state;
	const char *prefix; /* of the keys */
	int digits;         /* of the number behind it */
	uint32_t keys;
	double *zipf;       /* cumulated; NULL = uniform */
	bool in_turn;       /* each key once, then at random */
	size_t value_bytes; /* at least */
};

struct generated {
	int64_t timestamp_ms;
	char key[KEY_MAX], value[VALUE_MAX];
	size_t key_len, value_len;
};

/** `kind`: city (5,000 of them, by Zipf's law), user (1,000,000), k (100,000), or user:N; each:N: the
 * keys of user:N, each once before any comes again; large:N: the same with values of 1000 bytes. False: no such
 * kind. */
bool generator_init(struct generator *g, const char *kind, uint64_t seed);
void generator_release(struct generator *g);

/** The next record of `total`, number i of them. */
void generate(struct generator *g, int64_t i, int64_t total, struct generated *out);

/* Its parts, for programs with keys or times of their own. */
uint32_t generate_below(struct generator *g, uint32_t n);
double generate_unit(struct generator *g);
/** Cumulated shares of Zipf's law over n ranks; free() it. */
double *generate_zipf(uint32_t n);
/** The rank for a number in [0, 1). */
uint32_t generate_rank(const double *cumulated, uint32_t n, double unit);
size_t generate_key(char *to, const char *prefix, uint32_t number, int digits);
size_t generate_value(struct generator *g, const char *key, int64_t timestamp_ms, char *to);

#endif
