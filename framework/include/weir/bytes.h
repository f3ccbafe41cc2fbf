#ifndef WEIR_BYTES_H
#define WEIR_BYTES_H
/*
 * A borrowed view of bytes, passed by value.
 *
 * data == NULL is Kafka's null, which is not the same as an empty value (data != NULL, len == 0).
 * Nothing here allocates; who owns the bytes is said where a view is handed over. The general rule:
 * whatever a callback is given is borrowed until it returns.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct weir_bytes {
	const void *data;
	size_t len;
} weir_bytes;

#define WEIR_NULL ((weir_bytes){ NULL, 0 })

/** A view of `len` bytes at `data`; a NULL `data` gives null whatever `len` says. */
static inline weir_bytes weir_bytes_of(const void *data, size_t len)
{
	return (weir_bytes){ data, data ? len : 0 };
}

/** A view of a NUL-terminated string, without its terminator; NULL gives null. */
static inline weir_bytes weir_str(const char *s)
{
	return (weir_bytes){ s, s ? strlen(s) : 0 };
}

/** True of null alone; an empty value is not null. */
static inline bool weir_is_null(weir_bytes b)
{
	return b.data == NULL;
}

/** Same length and bytes; null equals only null. */
static inline bool weir_bytes_equal(weir_bytes a, weir_bytes b)
{
	if (a.len != b.len || (a.data == NULL) != (b.data == NULL))
		return false;
	return a.len == 0 || memcmp(a.data, b.data, a.len) == 0;
}

/** Unsigned byte order, a prefix before what it begins; null counts as empty. The order of every range read. */
static inline int weir_bytes_compare(weir_bytes a, weir_bytes b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n ? memcmp(a.data, b.data, n) : 0;

	return c ? c : (a.len > b.len) - (a.len < b.len);
}

/* Big-endian integers, as Kafka Streams lays them into keys and values. Whole words: gcc keeps loops over bytes. */

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define WEIR__BE64(u) __builtin_bswap64(u)
#define WEIR__BE32(u) __builtin_bswap32(u)
#else
#define WEIR__BE64(u) (u)
#define WEIR__BE32(u) (u)
#endif

/** 8 bytes. */
static inline void weir_put_be64(void *to, int64_t v)
{
	uint64_t u = WEIR__BE64((uint64_t)v);

	memcpy(to, &u, sizeof u);
}

/** Reads what weir_put_be64 wrote. */
static inline int64_t weir_get_be64(const void *from)
{
	uint64_t u;

	memcpy(&u, from, sizeof u);
	return (int64_t)WEIR__BE64(u);
}

/** 4 bytes. */
static inline void weir_put_be32(void *to, int32_t v)
{
	uint32_t u = WEIR__BE32((uint32_t)v);

	memcpy(to, &u, sizeof u);
}

/** Reads what weir_put_be32 wrote. */
static inline int32_t weir_get_be32(const void *from)
{
	uint32_t u;

	memcpy(&u, from, sizeof u);
	return (int32_t)WEIR__BE32(u);
}

#endif
