#include "apps/evilnet/mysql_alloc.h"

#include <stdio.h>
#include <stdlib.h>

static void out_of_memory(size_t n)
{
	fprintf(stderr, "evilnet: out of memory (%zu bytes wanted)\n", n);
	abort();
}

void *evilnet_alloc(size_t n)
{
	void *p = malloc(n ? n : 1);

	if (!p)
		out_of_memory(n);
	return p;
}

void *evilnet_grow(void *p, size_t *capacity, size_t count, size_t size)
{
	if (p && count <= *capacity)
		return p;
	size_t wanted = *capacity + *capacity / 2;
	if (wanted < count)
		wanted = count;
	if (wanted < 16)
		wanted = 16;
	p = realloc(p, wanted * size);
	if (!p)
		out_of_memory(wanted * size);
	*capacity = wanted;
	return p;
}
