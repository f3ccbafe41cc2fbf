#ifndef WEIR_ALLOC_H
#define WEIR_ALLOC_H
/* Allocation that cannot fail: out of memory ends the process with a message (there is nothing sensible left to
 * do). */
#include <stddef.h>

void *weir__malloc(size_t n) __attribute__((malloc, returns_nonnull));
void *weir__calloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *weir__realloc(void *p, size_t n) __attribute__((returns_nonnull));
/** NULL gives NULL. */
char *weir__strdup(const char *s);
void *weir__memdup(const void *from, size_t n);
/** A formatted string on the heap. */
char *weir__asprintf(const char *format, ...) __attribute__((format(printf, 1, 2), malloc, returns_nonnull));

#endif
