#include "bench/common/generate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BEGIN_MS INT64_C(1767225600000) /* 2026-01-01T00:00:00Z */
#define HOUR_MS INT64_C(3600000)

enum { CITIES = 5000, DEVICES = 20000, DISORDER_MS = 3000, VALUE_BYTES = 120, LARGE_BYTES = 1000 };

static uint64_t next(struct generator *g)
{
	uint64_t z = g->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint32_t generate_below(struct generator *g, uint32_t n)
{
	return (uint32_t)((next(g) >> 1) % n);
}

double generate_unit(struct generator *g)
{
	return (double)(next(g) >> 11) * 0x1.0p-53;
}

double *generate_zipf(uint32_t n)
{
	double *cumulated = malloc(n * sizeof *cumulated), total = 0;

	if (!cumulated)
		abort();
	for (uint32_t i = 0; i < n; i++)
		cumulated[i] = total += 1.0 / (i + 1);
	for (uint32_t i = 0; i < n; i++)
		cumulated[i] /= total;
	return cumulated;
}

uint32_t generate_rank(const double *cumulated, uint32_t n, double unit)
{
	uint32_t low = 0, high = n - 1;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (cumulated[middle] < unit)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t generate_key(char *to, const char *prefix, uint32_t number, int digits)
{
	return (size_t)snprintf(to, KEY_MAX, "%s%0*" PRIu32, prefix, digits, number);
}

size_t generate_value(struct generator *g, const char *key, int64_t timestamp_ms, char *to)
{
	static const char pad[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz";
	uint32_t device = generate_below(g, DEVICES), temperature = generate_below(g, 400);
	int n = snprintf(to, VALUE_MAX,
			 "{\"dev\":\"d%05" PRIu32 "\",\"key\":\"%s\",\"t\":%" PRId64 ",\"temp\":\"%" PRIu32
			 ".%" PRIu32 "\",\"note\":\"",
			 device, key, timestamp_ms, temperature / 10, temperature % 10);
	int room = VALUE_BYTES - 2 - n;

	if (room > (int)sizeof pad - 1)
		room = sizeof pad - 1;
	n += snprintf(to + n, (size_t)(VALUE_MAX - n), "%.*s\"}", room > 0 ? room : 0, pad);
	return (size_t)n;
}

bool generator_init(struct generator *g, const char *kind, uint64_t seed)
{
	long n = strchr(kind, ':') ? atol(strchr(kind, ':') + 1) : 1000000;

	*g = (struct generator){ .state = seed };
	if (!strcmp(kind, "city")) {
		g->prefix = "city-";
		g->digits = 4;
		g->keys = CITIES;
		g->zipf = generate_zipf(CITIES);
	} else if (!strncmp(kind, "user", 4) || !strncmp(kind, "each:", 5) || !strncmp(kind, "large:", 6)) {
		g->prefix = "user-";
		g->digits = 7;
		g->keys = (uint32_t)n;
		g->in_turn = *kind != 'u';
		g->value_bytes = *kind == 'l' ? LARGE_BYTES : 0;
		return n > 0 && n <= 9999999;
	} else if (!strcmp(kind, "k")) {
		g->prefix = "k-";
		g->digits = 6;
		g->keys = 100000;
	}
	return g->prefix != NULL;
}

void generator_release(struct generator *g)
{
	free(g->zipf);
}

void generate(struct generator *g, int64_t i, int64_t total, struct generated *out)
{
	out->timestamp_ms = BEGIN_MS + i * HOUR_MS / total + generate_below(g, DISORDER_MS);
	uint32_t key = g->in_turn && i < g->keys ? (uint32_t)i
		       : g->zipf                 ? generate_rank(g->zipf, g->keys, generate_unit(g))
						 : generate_below(g, g->keys);

	out->key_len = generate_key(out->key, g->prefix, key, g->digits);
	out->value_len = generate_value(g, out->key, out->timestamp_ms, out->value);
	while (out->value_len < g->value_bytes)
		out->value[out->value_len++] = (char)('a' + generate_below(g, 26));
}
