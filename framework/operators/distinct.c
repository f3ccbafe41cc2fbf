/*
 * The store's keys are length of the key (4, BE) | key | kind | rest: no key's entries can be mistaken for
 * another's. Kind 1 with a member (exact), kind 2 with the number of a chunk of the sketch.
 *
 * Each count is exact until it reaches exact_max; the next new member turns all members into a sketch (they are
 * deleted) and from then on the count is the sketch's estimate, which never goes back.
 */
#include <weir/distinct.h>

#include <stdio.h>
#include <weir/hll.h>

#include "framework/operators/operator.h"

enum { KIND_MEMBER = 1, KIND_CHUNK = 2 };

void weir_distinct_store(weir_topology *t, const char *name, weir_window window)
{
	weir_add_store(t, name,
		       (weir_store_opts){
			       .windowed = true,
			       .window_size_ms = window.size_ms,
			       .retain_ms = weir_time_add(window.size_ms, window.grace_ms),
		       });
}

static weir_bytes entry_key(weir_context *cx, weir_bytes key, char kind, weir_bytes rest)
{
	char *p = weir_alloc(cx, 4 + key.len + 1 + rest.len);

	weir_put_be32(p, (int32_t)key.len);
	memcpy(p + 4, key.data, key.len);
	p[4 + key.len] = kind;
	if (rest.len)
		memcpy(p + 5 + key.len, rest.data, rest.len);
	return weir_bytes_of(p, 5 + key.len + rest.len);
}

static void chunk_put(weir_context *cx, weir_store *store, weir_bytes key, int64_t start_ms, const weir_hll *h,
		      unsigned i)
{
	uint8_t *bytes = weir_alloc(cx, WEIR_HLL_CHUNK_BYTES_MAX);
	char number = (char)i;

	weir_window_put(store, entry_key(cx, key, KIND_CHUNK, weir_bytes_of(&number, 1)),
			weir_bytes_of(bytes, weir_hll_chunk_encode(h, i, bytes)), start_ms, start_ms);
}

static weir_hll *sketch_get(weir_context *cx, weir_store *store, weir_bytes key, int64_t start_ms)
{
	weir_hll *h = weir_alloc(cx, sizeof *h);
	weir_error err;

	memset(h, 0, sizeof *h);
	for (unsigned i = 0; i < WEIR_HLL_CHUNKS; i++) {
		char number = (char)i;
		weir_bytes chunk = weir_window_get(store, entry_key(cx, key, KIND_CHUNK, weir_bytes_of(&number, 1)),
						   start_ms, NULL);

		if (!weir_is_null(chunk) && !weir_hll_chunk_decode(h, i, chunk, &err))
			weir_stop(cx, "distinct count: chunk %u of a sketch cannot be read: %s", i, err.message);
	}
	return h;
}

/* Members become a sketch. */
static weir_hll *sketch_from_members(weir_context *cx, weir_store *store, weir_bytes key, int64_t start_ms,
				     int64_t count)
{
	weir_hll *h = weir_alloc(cx, sizeof *h);
	weir_bytes prefix = entry_key(cx, key, KIND_MEMBER, WEIR_NULL);
	weir_bytes *members = weir_alloc(cx, (size_t)count * sizeof *members);
	weir_iterator *it = weir_window_prefix(store, prefix, start_ms);
	weir_entry e;
	int64_t n = 0;

	memset(h, 0, sizeof *h);
	while (n < count && weir_iterator_next(it, &e)) {
		members[n] = weir__arena_copy(&cx->arena, e.key);
		weir_hll_add(h, weir_hll_hash(weir_bytes_of((const char *)members[n].data + prefix.len,
							    members[n].len - prefix.len)));
		n++;
	}
	weir_iterator_close(it);
	for (int64_t i = 0; i < n; i++)
		weir_window_put(store, members[i], WEIR_NULL, start_ms, start_ms);
	return h;
}

void weir_distinct_add(weir_context *cx, weir_store *store, weir_bytes key, int64_t start_ms, weir_bytes member,
		       int64_t exact_max, int64_t *count)
{
	weir_hll *h;

	if (*count <= exact_max) {
		weir_bytes entry = entry_key(cx, key, KIND_MEMBER, member);

		if (!weir_is_null(weir_window_get(store, entry, start_ms, NULL)))
			return;
		if (*count < exact_max) {
			weir_window_put(store, entry, weir_bytes_of("", 0), start_ms, start_ms);
			++*count;
			return;
		}
		h = sketch_from_members(cx, store, key, start_ms, *count);
		h->dirty = UINT64_MAX; /* empty chunks, too: their presence is no state */
	} else {
		h = sketch_get(cx, store, key, start_ms);
		h->dirty = 0;
	}
	weir_hll_add(h, weir_hll_hash(member));
	if (!h->dirty)
		return;
	for (unsigned i = 0; i < WEIR_HLL_CHUNKS; i++)
		if (h->dirty >> i & 1)
			chunk_put(cx, store, key, start_ms, h, i);
	int64_t estimate = (int64_t)weir_hll_estimate(h);

	/* Above exact_max for good, which is how the next call knows; and a count never goes back. */
	if (estimate <= exact_max)
		estimate = exact_max + 1;
	if (estimate > *count)
		*count = estimate;
}
