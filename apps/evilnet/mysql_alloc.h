#ifndef EVILNET_MYSQL_ALLOC_H
#define EVILNET_MYSQL_ALLOC_H
/* Allocation that cannot fail: out of memory ends the process with a message, as it does in weir. */
#include <stddef.h>

void *evilnet_alloc(size_t n) __attribute__((malloc, returns_nonnull));
/** Room for `count` items of `size` bytes at p, of which *capacity is known; grows by halves at least. */
void *evilnet_grow(void *p, size_t *capacity, size_t count, size_t size) __attribute__((returns_nonnull));

#endif
