#include "framework/base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "framework/base/alloc.h"

#define GROWN_BYTES_MAX ((size_t)1 << 20)

struct arena_block {
	struct arena_block *previous;
	size_t size;
	_Alignas(16) char bytes[];
};

void weir__arena_init(struct arena *a, size_t block_size)
{
	*a = (struct arena){ .block_size = block_size ? block_size : 16384 };
}

void weir__arena_release(struct arena *a)
{
	for (struct arena_block *b = a->block, *previous; b; b = previous) {
		previous = b->previous;
		free(b);
	}
	weir__arena_init(a, a->block_size);
}

void weir__arena_reset(struct arena *a)
{
	struct arena_block *b = a->block;

	if (!b)
		return;
	if (b->previous) { /* one was too small: make it larger next time */
		weir__arena_release(a);
		if (a->block_size < GROWN_BYTES_MAX)
			a->block_size *= 2;
		return;
	}
	a->next = b->bytes;
	WEIR_ARENA_SHUT(b->bytes, b->size);
}

void *weir__arena_slow(struct arena *a, size_t n, size_t rounded)
{
	size_t size = rounded > a->block_size ? rounded : a->block_size;
	struct arena_block *b = weir__malloc(sizeof *b + size);

	b->size = size;
	b->previous = a->block;
	a->block = b;
	a->next = b->bytes + rounded;
	a->end = b->bytes + size;
	WEIR_ARENA_SHUT(b->bytes, size);
	WEIR_ARENA_OPEN(b->bytes, n);
	return b->bytes;
}

void *weir__arena_zalloc(struct arena *a, size_t n)
{
	return memset(weir__arena_alloc(a, n), 0, n);
}

weir_bytes weir__arena_copy(struct arena *a, weir_bytes b)
{
	if (!b.data)
		return b;
	void *to = weir__arena_alloc(a, b.len + 1);
	memcpy(to, b.data, b.len);
	((char *)to)[b.len] = 0;
	return (weir_bytes){ to, b.len };
}

char *weir__arena_strdup(struct arena *a, const char *s)
{
	return s ? (char *)weir__arena_copy(a, weir_str(s)).data : NULL;
}

char *weir__arena_printf(struct arena *a, const char *format, ...)
{
	va_list args, again;

	va_start(args, format);
	va_copy(again, args);
	int n = vsnprintf(NULL, 0, format, args);
	char *s = weir__arena_alloc(a, (size_t)n + 1);
	vsnprintf(s, (size_t)n + 1, format, again);
	va_end(again);
	va_end(args);
	return s;
}
