#include "framework/base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "framework/base/alloc.h"

struct arena_block {
	struct arena_block *previous;
	size_t size;
	_Alignas(16) char bytes[];
};

void weir__arena_init(struct arena *a, size_t block_size)
{
	*a = (struct arena){ .block_size = block_size ? block_size : 16384 };
}

static void drop_all_but(struct arena *a, const struct arena_block *kept)
{
	for (struct arena_block *b = a->block, *previous; b; b = previous) {
		previous = b->previous;
		if (b != kept)
			free(b);
	}
}

void weir__arena_release(struct arena *a)
{
	drop_all_but(a, NULL);
	weir__arena_init(a, a->block_size);
}

void weir__arena_reset(struct arena *a)
{
	struct arena_block *b = a->block;

	if (!b)
		return;
	if (b->previous) { /* more than one: keep the first, which has the standard size */
		while (b->previous)
			b = b->previous;
		drop_all_but(a, b);
		a->block = b;
	}
	a->next = b->bytes;
	a->end = b->bytes + b->size;
}

void *weir__arena_slow(struct arena *a, size_t n)
{
	size_t size = a->block && n < a->block_size ? a->block_size : (n > a->block_size ? n : a->block_size);
	struct arena_block *b = weir__malloc(sizeof *b + size);

	b->size = size;
	b->previous = a->block;
	a->block = b;
	a->next = b->bytes + n;
	a->end = b->bytes + size;
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
