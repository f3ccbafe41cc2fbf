#ifndef EVILNET_UTIL_H
#define EVILNET_UTIL_H
/* Allocation that cannot fail: without memory there is nothing sensible left to do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void *evilnet_realloc(void *p, size_t n)
{
	p = realloc(p, n ? n : 1);
	if (!p) {
		fprintf(stderr, "evilnet: out of memory (%zu bytes wanted)\n", n);
		abort();
	}
	return p;
}

static inline void *evilnet_malloc(size_t n)
{
	return evilnet_realloc(NULL, n);
}

/** p with room for `count` items of `size` bytes, *capacity of which it has now; never smaller than it was. */
static inline void *evilnet_grow(void *p, size_t *capacity, size_t count, size_t size)
{
	if (p && count <= *capacity)
		return p;
	size_t wanted = *capacity + *capacity / 2;

	*capacity = wanted > count ? wanted : count > 16 ? count : 16;
	return evilnet_realloc(p, *capacity * size);
}

/** Cleared. */
static inline void *evilnet_new(size_t n)
{
	return memset(evilnet_malloc(n), 0, n);
}

/** A copy with a NUL behind it; NULL gives NULL. */
static inline char *evilnet_strndup(const char *s, size_t n)
{
	if (!s)
		return NULL;
	char *copy = evilnet_malloc(n + 1);
	memcpy(copy, s, n);
	copy[n] = 0;
	return copy;
}

static inline char *evilnet_strdup(const char *s)
{
	return evilnet_strndup(s, s ? strlen(s) : 0);
}

#endif
