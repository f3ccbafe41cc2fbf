#ifndef WEIR_ARENA_H
#define WEIR_ARENA_H
/*
 * Memory that is given back all at once. A block is kept over resets, and grows until it holds all that is wanted
 * between two of them (up to 1 MiB), so that a steady state allocates nothing. Out of memory aborts the process.
 * Not thread-safe. Under the address sanitizer, bytes that are not allocated, or no longer, are poisoned.
 */
#include <stddef.h>
#include <weir/bytes.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define WEIR_ARENA_OPEN(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#define WEIR_ARENA_SHUT(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#else
#define WEIR_ARENA_OPEN(p, n) ((void)(p), (void)(n))
#define WEIR_ARENA_SHUT(p, n) ((void)(p), (void)(n))
#endif

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

void *weir__arena_slow(struct arena *a, size_t n, size_t rounded);

/** n bytes, aligned to 16, not cleared; never NULL. */
static inline void *weir__arena_alloc(struct arena *a, size_t n)
{
	size_t rounded = n ? (n + 15) & ~(size_t)15 : 16;

	if ((size_t)(a->end - a->next) < rounded)
		return weir__arena_slow(a, n, rounded);
	void *p = a->next;
	a->next += rounded;
	WEIR_ARENA_OPEN(p, n);
	return p;
}

/** As weir__arena_alloc, cleared. */
void *weir__arena_zalloc(struct arena *a, size_t n);
/** NULL gives NULL. */
char *weir__arena_strdup(struct arena *a, const char *s);
/** A copy with a NUL byte behind it that is not counted; null gives null. */
weir_bytes weir__arena_copy(struct arena *a, weir_bytes b);
char *weir__arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
