#ifndef FUZZ_H
#define FUZZ_H
/*
 * What the fuzz targets share. A target is one file with the function below, which is called with each input and
 * may take it apart with a feed; what must hold is said with weir_assert. Built by clang it is a libFuzzer
 * program, by any other compiler one that runs the inputs it is given (replay.c), which is how the corpora are
 * tests.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/weir.h>

/** The name is libFuzzer's. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is left of an input. */
struct feed {
	const uint8_t *p;
	size_t left;
};

/** The next byte; 0 behind the end. */
static inline unsigned feed_byte(struct feed *f)
{
	if (!f->left)
		return 0;
	f->left--;
	return *f->p++;
}

/** The next n bytes, or what there is of them, as they lie in the input. Never null. */
static inline weir_bytes feed_bytes(struct feed *f, size_t n)
{
	weir_bytes b = { f->p, n < f->left ? n : f->left };

	f->p += b.len;
	f->left -= b.len;
	return b;
}

/** Bytes with their length in front of them, in one byte: 255 = all that is left, 254 = null, 253 = 4096 of the
 * next byte. */
static inline weir_bytes feed_text(struct feed *f)
{
	static uint8_t many[4096];
	unsigned n = feed_byte(f);

	if (n == 254)
		return WEIR_NULL;
	if (n == 253) {
		memset(many, (int)feed_byte(f), sizeof many);
		return weir_bytes_of(many, sizeof many);
	}
	return feed_bytes(f, n == 255 ? f->left : n);
}

/** A time that somebody may have thought up: small steps around a day of 2022, the ends of the range, or any 8
 * bytes. */
static inline int64_t feed_time(struct feed *f)
{
	static const int64_t ends[] = {
		INT64_MAX,           INT64_MIN,      0, -1, 1, INT64_MAX - 1, INT64_MIN + 1, INT64_MAX / 2,
		INT64_MAX - 3600000, 253402300799999
	};
	unsigned how = feed_byte(f);
	uint8_t any[8] = { 0 };

	if (how < 200)
		return INT64_C(1663211185000) + ((int64_t)how - 100) * 60000;
	if (how < 240)
		return ends[how % (sizeof ends / sizeof *ends)];
	weir_bytes b = feed_bytes(f, 8);

	memcpy(any, b.data, b.len);
	return weir_get_be64(any);
}

/** A copy that ends with a NUL, to be freed; nothing behind it can be read unnoticed. */
static inline char *feed_string(weir_bytes b)
{
	char *s = malloc(b.len + 1);

	weir_assert(s);
	if (b.len)
		memcpy(s, b.data, b.len);
	s[b.len] = 0;
	return s;
}

#endif
