#include "state/cache.h"

#include <malloc.h>
#include <stdlib.h>
#include "framework/base/alloc.h"
#include "framework/base/hash.h"
#include "state/window_key.h"

enum { BUCKETS_MIN = 64, MOVE_EACH = 4, MALLOC_HEAD = 8 };

static size_t held(void *p)
{
	return malloc_usable_size(p) + MALLOC_HEAD;
}

uint32_t weir__cache_hash(weir_bytes key)
{
	return (uint32_t)weir__hash(key);
}

void weir__cache_init(struct cache *cache, bool grouped, bool by_use)
{
	weir_assert(!(grouped && by_use));
	*cache = (struct cache){ .mask = BUCKETS_MIN - 1, .grouped = grouped, .by_use = by_use };
	cache->buckets = weir__calloc(BUCKETS_MIN, sizeof *cache->buckets);
	cache->bytes = BUCKETS_MIN * sizeof *cache->buckets;
	weir__list_init(&cache->clean);
	weir__list_init(&cache->changed);
	weir__list_init(&cache->flushed);
	weir__list_init(&cache->dirty);
	weir__list_init(&cache->uses);
}

static void free_list(struct link *head)
{
	for (struct link *l = head->next, *next; l != head; l = next) {
		next = l->next;
		free(weir__entry_of(l)->old);
		free(l);
	}
}

void weir__cache_release(struct cache *cache)
{
	free_list(&cache->clean);
	free_list(&cache->changed);
	free_list(&cache->flushed);
	free_list(&cache->dirty);
	free(cache->buckets);
	free(cache->old_buckets);
	*cache = (struct cache){ 0 };
}

/* --- buckets -------------------------------------------------------------------------------------------------- */

static struct entry **bucket(struct cache *cache, uint32_t hash)
{
	uint32_t old = hash & cache->old_mask;

	if (cache->old_buckets && old >= cache->moved)
		return &cache->old_buckets[old];
	return &cache->buckets[hash & cache->mask];
}

static struct entry *reversed(struct entry *chain)
{
	struct entry *done = NULL;

	for (struct entry *next; chain; chain = next) {
		next = chain->chain;
		chain->chain = done;
		done = chain;
	}
	return done;
}

static void move_buckets(struct cache *cache, uint32_t n)
{
	for (; n && cache->moved <= cache->old_mask; n--, cache->moved++) {
		struct entry *chain = cache->old_buckets[cache->moved];

		if (cache->grouped) /* moving turns it round */
			chain = reversed(chain);
		for (struct entry *e = chain, *next; e; e = next) {
			struct entry **to = &cache->buckets[e->hash & cache->mask];

			next = e->chain;
			e->chain = *to;
			*to = e;
		}
	}
	if (cache->moved <= cache->old_mask)
		return;
	cache->bytes -= ((size_t)cache->old_mask + 1) * sizeof *cache->old_buckets;
	free(cache->old_buckets);
	cache->old_buckets = NULL;
	cache->old_mask = 0;
}

static void resize(struct cache *cache, size_t buckets)
{
	if (cache->old_buckets)
		move_buckets(cache, UINT32_MAX);
	cache->old_buckets = cache->buckets;
	cache->old_mask = cache->mask;
	cache->moved = 0;
	cache->buckets = weir__calloc(buckets, sizeof *cache->buckets);
	cache->bytes += buckets * sizeof *cache->buckets;
	cache->mask = (uint32_t)(buckets - 1);
}

void weir__cache_trim(struct cache *cache)
{
	size_t buckets = (size_t)cache->mask + 1;

	if (buckets <= 1024 || cache->count > buckets / 8)
		return;
	while (buckets > BUCKETS_MIN && cache->count <= buckets / 4)
		buckets /= 2;
	resize(cache, buckets);
	move_buckets(cache, UINT32_MAX);
}

struct entry *weir__cache_find(struct cache *cache, weir_bytes key, uint32_t hash)
{
	struct entry *e = *bucket(cache, hash);

	while (e && (e->hash != hash || e->key_len != key.len ||
		     memcmp(e->data + e->value_capacity, key.data, key.len) != 0))
		e = e->chain;
	return e;
}

/* --- groups --------------------------------------------------------------------------------------------------- */

static bool in_group(const struct entry *e, weir_bytes key, uint32_t hash)
{
	return e->hash == hash && e->key_len == key.len + WINDOW_SUFFIX &&
	       memcmp(e->data + e->value_capacity, key.data, key.len) == 0;
}

struct entry *weir__cache_group(struct cache *cache, weir_bytes key, uint32_t hash)
{
	struct entry *e = *bucket(cache, hash);

	while (e && !in_group(e, key, hash))
		e = e->chain;
	return e;
}

void weir__cache_expect(struct cache *cache, uint32_t hash, bool again)
{
	struct entry **b = bucket(cache, hash);

	if (!again) {
		__builtin_prefetch(b);
		return;
	}
	const char *e = (const char *)*b;
	__builtin_prefetch(e);
	if (e) /* a key that lies behind a value of the usual size */
		__builtin_prefetch(e + 192);
}

struct entry *weir__cache_put_before(const struct entry *e)
{
	weir_bytes key = { e->data + e->value_capacity, e->key_len - WINDOW_SUFFIX };

	return e->chain && in_group(e->chain, key, e->hash) ? e->chain : NULL;
}

/* Behind the key. */
static int64_t latest_of(const struct entry *e)
{
	return weir_get_be64(e->data + e->value_capacity + e->key_len);
}

bool weir__cache_none_since(const struct entry *e, int64_t start_ms)
{
	return latest_of(e) < start_ms;
}

/* Where a new entry goes in the chain: in front of those of its key. */
static struct entry **place_in_group(struct entry **chain, struct entry *new)
{
	weir_bytes key = { new->data + new->value_capacity, new->key_len - WINDOW_SUFFIX };
	char *behind = new->data + new->value_capacity + new->key_len;
	int64_t latest = weir_get_be64(behind - WINDOW_SUFFIX);
	struct entry **at = chain;

	while (*at && !in_group(*at, key, new->hash))
		at = &(*at)->chain;
	if (*at && latest_of(*at) > latest)
		latest = latest_of(*at);
	weir_put_be64(behind, latest);
	return *at ? at : chain;
}

/* --- use ------------------------------------------------------------------------------------------------------ */

enum { USE_ROOM = sizeof(struct use) + _Alignof(struct use) - 1 };

static struct use *use_of(const struct entry *e)
{
	size_t behind = (size_t)e->value_capacity + e->key_len, align = _Alignof(struct use);

	return (struct use *)(e->data + (behind + align - 1) / align * align);
}

static void forget_use(struct cache *cache, struct entry *e)
{
	struct link *link = &use_of(e)->link;

	if (!link->next)
		return;
	weir__list_remove(link);
	link->next = link->prev = NULL;
	cache->use_count--;
}

void weir__cache_use(struct cache *cache, struct entry *e)
{
	forget_use(cache, e);
	if (!e->present)
		return;
	weir__list_append(&cache->uses, &use_of(e)->link);
	cache->use_count++;
}

struct entry *weir__cache_least_used(const struct cache *cache)
{
	return weir__list_empty(&cache->uses) ? NULL : ((struct use *)cache->uses.next)->entry;
}

/* --- entries -------------------------------------------------------------------------------------------------- */

static struct entry *make(struct cache *cache, weir_bytes key, uint32_t hash, size_t value_capacity)
{
	weir_assert(key.len < UINT32_MAX && value_capacity < UINT32_MAX - 16);
	value_capacity = (value_capacity + 15) & ~(size_t)15;
	size_t behind = cache->grouped ? sizeof(int64_t) : cache->by_use ? USE_ROOM : 0;
	struct entry *e = weir__malloc(sizeof *e + value_capacity + key.len + behind);

	memset(e, 0, sizeof *e);
	e->hash = hash;
	e->key_len = (uint32_t)key.len;
	e->value_capacity = (uint32_t)value_capacity;
	memcpy(e->data + value_capacity, key.data, key.len);
	if (cache->by_use)
		*use_of(e) = (struct use){ .entry = e };
	cache->bytes += held(e);
	return e;
}

struct entry *weir__cache_insert(struct cache *cache, weir_bytes key, uint32_t hash, size_t value_capacity)
{
	struct entry *e = make(cache, key, hash, value_capacity);

	if (cache->old_buckets)
		move_buckets(cache, MOVE_EACH);
	else if (cache->count > cache->mask && cache->mask < UINT32_MAX / 2)
		resize(cache, 2 * ((size_t)cache->mask + 1));
	struct entry **b = bucket(cache, hash);
	if (cache->grouped)
		b = place_in_group(b, e);
	e->chain = *b;
	*b = e;
	weir__list_append(&cache->clean, &e->link);
	cache->count++;
	return e;
}

static struct entry **place_of(struct cache *cache, struct entry *e)
{
	struct entry **at = bucket(cache, e->hash);

	while (*at != e)
		at = &(*at)->chain;
	return at;
}

struct entry *weir__cache_replace(struct cache *cache, struct entry *e, size_t value_capacity)
{
	weir_assert(value_capacity >= e->value_len && !cache->grouped); /* rows do not change */
	struct entry *n = make(cache, weir__entry_key(e), e->hash, value_capacity);

	*place_of(cache, e) = n;
	n->chain = e->chain;
	weir__list_insert_after(&e->link, &n->link);
	weir__list_remove(&e->link);
	n->old = e->old;
	e->old = NULL;
	n->timestamp_ms = e->timestamp_ms;
	n->txn = e->txn; /* or the origin */
	n->state = e->state;
	n->present = e->present;
	n->fresh = e->fresh;
	n->was = e->was;
	n->blind = e->blind;
	n->used = true;
	n->value_len = e->value_len;
	if (n->value_len)
		memcpy(n->data, e->data, n->value_len);
	if (cache->by_use && use_of(e)->link.next) {
		weir__list_insert_after(&use_of(e)->link, &use_of(n)->link);
		cache->use_count++;
		forget_use(cache, e);
	}
	return n;
}

void weir__cache_free(struct cache *cache, struct entry *e)
{
	weir__cache_drop_old(cache, e);
	cache->bytes -= held(e);
	free(e);
}

void weir__cache_remove(struct cache *cache, struct entry *e)
{
	*place_of(cache, e) = e->chain;
	weir__list_remove(&e->link);
	if (cache->by_use)
		forget_use(cache, e);
	cache->count--;
	weir__cache_free(cache, e);
}

void weir__cache_sweep_chain(struct cache *cache, const struct entry *e,
			     bool (*goes)(const struct entry *e, const void *user), const void *user)
{
	struct entry **at = bucket(cache, e->hash);

	for (struct entry *gone; (gone = *at);) {
		if (!goes(gone, user)) {
			at = &gone->chain;
			continue;
		}
		*at = gone->chain;
		weir__list_remove(&gone->link);
		cache->count--;
		weir__cache_free(cache, gone);
	}
}

void weir__cache_save_old(struct cache *cache, struct entry *e)
{
	struct saved *old = weir__malloc(sizeof *old + e->value_len);

	old->timestamp_ms = e->timestamp_ms;
	old->len = e->value_len;
	if (e->value_len)
		memcpy(old->data, e->data, e->value_len);
	cache->bytes += held(old);
	e->old = old;
}

void weir__cache_drop_old(struct cache *cache, struct entry *e)
{
	if (!e->old)
		return;
	cache->bytes -= held(e->old);
	free(e->old);
	e->old = NULL;
}
