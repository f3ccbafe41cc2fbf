#ifndef WEIR_ARENA_H
#define WEIR_ARENA_H
/*
 * Memory that is given back all at once. The first block is kept over resets, so that a steady state allocates nothing.
 * Out of memory aborts the process. Not thread-safe.
 */
#include <stddef.h>
#include <weir/bytes.h>

struct arena_block;
struct arena {
	struct arena_block *block; /* the newest */
	char *next, *end;          /* free space in it */
	size_t block_size;
};

/** block_size 0 = 16 KiB. Allocates nothing yet. */
void weir__arena_init(struct arena *a, size_t block_size);
void weir__arena_release(struct arena *a);
/** All that was allocated becomes invalid; one block is kept. */
void weir__arena_reset(struct arena *a);

void *weir__arena_slow(struct arena *a, size_t n);

/** n bytes, aligned to 16, not cleared. */
static inline void *weir__arena_alloc(struct arena *a, size_t n)
{
	size_t rounded = (n + 15) & ~(size_t)15;

	if ((size_t)(a->end - a->next) < rounded)
		return weir__arena_slow(a, rounded);
	void *p = a->next;
	a->next += rounded;
	return p;
}

void *weir__arena_zalloc(struct arena *a, size_t n);
char *weir__arena_strdup(struct arena *a, const char *s);
weir_bytes weir__arena_copy(struct arena *a, weir_bytes b);
char *weir__arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
