/*
 * Lists in the format of Kafka's ListSerializer (KIP-466), numbers 4 bytes big-endian:
 *   0 | how many are null | place of each of them | how many in all | the bytes of each that is not null
 * where the inner serde makes as many bytes of each object, as Java knows of those in fixed_bytes(), else
 *   1 | how many in all | of each its length, -1 = null, and its bytes
 */
#include "framework/operators/operator.h"

enum { FIXED, VARIABLE, NULL_ENTRY = -1 };

static size_t fixed_bytes(const weir_serde *inner)
{
	const struct {
		const weir_serde *serde;
		size_t bytes;
	} fixed[] = { { &weir_int16, 2 }, { &weir_int32, 4 },  { &weir_float, 4 },
		      { &weir_int64, 8 }, { &weir_double, 8 }, { &weir_uuid, 36 } };

	for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
		if (fixed[i].serde == inner)
			return fixed[i].bytes;
	return 0;
}

/* --- reading -------------------------------------------------------------------------------------------------- */

struct reading {
	weir_context *cx;
	const weir_serde *inner;
	const char *at;
	size_t left;
	size_t fixed;      /* bytes of each; 0 = their lengths are written */
	const char *nulls; /* places, 4 bytes each */
	size_t null_count;
	const void **items;
	size_t count;
	weir_error *err;
};

static bool ends_early(struct reading *r)
{
	weir_fail(r->err, WEIR_DECODE, "a list that ends too early");
	return false; /* said here, or the compiler thinks that something may have been taken */
}

static bool take(struct reading *r, size_t n, const char **bytes)
{
	if (n > r->left) {
		ends_early(r);
		return false; /* as that does, but gcc sees it at -O2 */
	}
	*bytes = r->at;
	r->at += n;
	r->left -= n;
	return true;
}

static bool take_number(struct reading *r, int32_t *n)
{
	const char *bytes;

	if (!take(r, 4, &bytes))
		return false;
	*n = weir_get_be32(bytes);
	return true;
}

/* How many of something there are that take so many bytes each, at least. */
static bool take_count(struct reading *r, size_t each, size_t without, size_t *count)
{
	int32_t n;

	if (!take_number(r, &n))
		return false;
	if (n < 0)
		return weir_fail(r->err, WEIR_DECODE, "a list of %d entries", (int)n);
	*count = (size_t)n;
	return *count <= without + r->left / each || ends_early(r);
}

/* What comes before the entries. */
static bool take_head(struct reading *r)
{
	const char *strategy;

	if (!take(r, 1, &strategy))
		return false;
	if (*strategy != FIXED && *strategy != VARIABLE)
		return weir_fail(r->err, WEIR_DECODE, "a list of an unknown kind, %u",
				 (unsigned)(unsigned char)*strategy);
	if (*strategy == VARIABLE)
		return take_count(r, 4, 0, &r->count);
	r->fixed = fixed_bytes(r->inner);
	if (!r->fixed)
		return weir_fail(r->err, WEIR_DECODE, "a list of entries of one size, which those of %s are not",
				 r->inner->name);
	return take_count(r, 4, 0, &r->null_count) && take(r, 4 * r->null_count, &r->nulls) &&
	       take_count(r, r->fixed, r->null_count, &r->count);
}

/* One flag for each entry; places beyond the list mean nothing, as in Java. */
static const bool *null_flags(const struct reading *r)
{
	bool *is_null = weir_alloc(r->cx, r->count + 1);

	memset(is_null, false, r->count + 1);
	for (size_t i = 0; i < r->null_count; i++) {
		int32_t place = weir_get_be32(r->nulls + 4 * i);

		if (place >= 0 && (size_t)place < r->count)
			is_null[place] = true;
	}
	return is_null;
}

static bool take_entry(struct reading *r, size_t i, bool is_null)
{
	int32_t len = (int32_t)r->fixed;
	const char *bytes;

	r->items[i] = NULL;
	if (!r->fixed && !take_number(r, &len))
		return false;
	if (is_null || len == NULL_ENTRY)
		return true;
	if (len < 0)
		return weir_fail(r->err, WEIR_DECODE, "a list with an entry of %d bytes", (int)len);
	if (!take(r, (size_t)len, &bytes))
		return false;
	r->items[i] = r->inner->decode(r->cx, weir_bytes_of(bytes, (size_t)len), r->err);
	return r->items[i] || weir_wrap(r->err, "entry %zu of a list", i);
}

const void *weir_list_decode(weir_context *cx, weir_bytes bytes, const weir_serde *inner, weir_error *err)
{
	struct reading r = { .cx = cx, .inner = inner, .at = bytes.data, .left = bytes.len, .err = err };

	if (!take_head(&r))
		return NULL;
	const bool *is_null = null_flags(&r);

	r.items = weir_alloc(cx, (r.count + 1) * sizeof *r.items);
	for (size_t i = 0; i < r.count; i++)
		if (!take_entry(&r, i, is_null[i]))
			return NULL;
	if (r.left) {
		weir_fail(err, WEIR_DECODE, "a list with %zu bytes behind it", r.left);
		return NULL;
	}
	weir_list *list = weir_alloc(cx, sizeof *list);

	*list = (weir_list){ r.items, r.count };
	return list;
}

/* --- writing -------------------------------------------------------------------------------------------------- */

static char *add_number(char *at, size_t n)
{
	weir_put_be32(at, (int32_t)n);
	return at + 4;
}

static char *add_nulls(char *at, const weir_bytes *entries, size_t count, size_t null_count)
{
	at = add_number(at, null_count);
	for (size_t i = 0; i < count; i++)
		if (weir_is_null(entries[i]))
			at = add_number(at, i);
	return at;
}

weir_bytes weir_list_encode(weir_context *cx, const void *object, const weir_serde *inner)
{
	const weir_list *list = object;
	bool fixed = fixed_bytes(inner) != 0;
	weir_bytes *entries = weir_alloc(cx, (list->count + 1) * sizeof *entries);
	size_t null_count = 0, total = 1 + 4;

	for (size_t i = 0; i < list->count; i++) {
		entries[i] = list->items[i] ? inner->encode(cx, list->items[i]) : WEIR_NULL;
		null_count += weir_is_null(entries[i]);
		total += entries[i].len;
	}
	total += fixed ? 4 + 4 * null_count : 4 * list->count;
	if (total > INT32_MAX) {
		weir_stop(cx, "a list of %zu bytes: its format has at most %d", total, INT32_MAX);
		return weir_bytes_of("", 0);
	}
	char *bytes = weir_alloc(cx, total), *at = bytes;

	*at++ = fixed ? FIXED : VARIABLE;
	if (fixed)
		at = add_nulls(at, entries, list->count, null_count);
	at = add_number(at, list->count);
	for (size_t i = 0; i < list->count; i++) {
		if (!fixed)
			at = add_number(at, weir_is_null(entries[i]) ? (size_t)NULL_ENTRY : entries[i].len);
		if (entries[i].len)
			memcpy(at, entries[i].data, entries[i].len);
		at += entries[i].len;
	}
	return weir_bytes_of(bytes, total);
}
