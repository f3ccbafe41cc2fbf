/* The transaction of a store: what has changed is given out, then counts as committed. */
#include "state/partition.h"

/* Encoded values are copied: the same codec may be used again before the function returns. */
static struct store_change describe(weir_store *store, const struct entry *e)
{
	const struct store_codec *codec = &store->spec.codec;
	struct store_change c = { .key = weir__entry_key(e), .timestamp_ms = e->timestamp_ms, .origin = e->origin };

	if (store->spec.kind == STORE_VERSIONED) {
		c.value = e->timestamp_ms == VERSION_DELETED ? WEIR_NULL : weir__store_value(store, e);
		c.timestamp_ms = weir__key_time(STORE_VERSIONED, c.key);
		c.key.len -= VERSION_SUFFIX;
		return c;
	}

	if (store->spec.headers) {
		weir_bytes kept = weir__store_value(store, e);

		c.value = weir__kept_value(kept);
		c.headers = weir__kept_headers(&store->flushed, kept);
		return c;
	}
	if (!codec->size) {
		c.value = weir__store_value(store, e);
		c.old = e->old ? (weir_bytes){ e->old->data, e->old->len } : WEIR_NULL;
		return c;
	}
	if (e->present) {
		weir__buffer_set(&store->value, codec->encode(e->data, codec->user));
		c.value = weir__buffer_view(&store->value);
		c.object = e->data;
	}
	if (e->old) {
		weir__buffer_set(&store->old, codec->encode(e->old->data, codec->user));
		c.old = weir__buffer_view(&store->old);
	}
	return c;
}

/* It was not there and is not: nobody is told. */
static bool was_nothing(weir_store *store, const struct entry *e)
{
	const struct store_spec *spec = &store->spec;

	if (e->present || spec->leaves_nothing_out || !(spec->keep_old || spec->leaves_out))
		return false;
	if (spec->keep_old)
		return !e->old;
	return !e->was && !(e->blind && weir__store_on_disk(store, weir__entry_key(e)));
}

static bool forget_entry(weir_store *store, struct entry *e)
{
	if (!e->fresh) { /* but the disk may still have it */
		e->state = ENTRY_UNSAVED;
		e->txn = store->txn;
		weir__list_remove(&e->link);
		weir__list_append(&store->cache.flushed, &e->link);
		store->flushed_count++;
		return true;
	}
	store->version++;
	weir__store_make_clean(store, e);
	if (store->in_memory)
		weir__store_drop(store, e);
	return true;
}

static bool flush_entry(weir_store *store, struct entry *e, bool evicted, store_flush_fn *fn, void *user)
{
	struct cache *cache = &store->cache;
	struct saved *old = e->old;

	if (was_nothing(store, e))
		return forget_entry(store, e);
	struct store_change c = describe(store, e);

	c.evicted = evicted;
	weir_counter_add_single(&store->stats->flushed, 1);
	__builtin_prefetch(e->link.next);
	/* From here on a change is a new one. */
	e->old = NULL;
	e->state = ENTRY_UNSAVED;
	e->txn = store->txn;
	weir__list_remove(&e->link);
	weir__list_append(&cache->flushed, &e->link);
	store->flushed_count++;
	store->pinned = e;
	store->pinned_replaced = false;
	bool go_on = fn(&c, user);
	store->pinned = NULL;
	if (!store->pinned_replaced && !go_on) {
		e->state = ENTRY_CHANGED;
		e->origin = c.origin;
		weir__list_remove(&e->link);
		weir__list_insert_after(&cache->changed, &e->link);
		store->flushed_count--;
		e->old = old;
		return false;
	}
	if (old) {
		struct entry dead = { .old = old };
		weir__cache_drop_old(cache, &dead);
	}
	if (store->pinned_replaced)
		weir__cache_free(cache, e);
	return go_on;
}

/* Deletions come first: so whoever restores the store, and drops what is too much as the records come, as Kafka
 * Streams does, never has too many. */
static void put_deletions_first(struct cache *cache)
{
	struct link *last = &cache->changed;

	for (struct link *l = last->next, *next; l != &cache->changed; l = next) {
		next = l->next;
		if (weir__entry_of(l)->present)
			continue;
		weir__list_remove(l);
		weir__list_insert_after(last, l);
		last = l;
	}
}

bool weir__store_flush(weir_store *store, store_flush_fn *fn, void *user)
{
	bool go_on = true;

	weir_assert(!store->flushing);
	store->flushing = true;
	if (store->cache.by_use)
		put_deletions_first(&store->cache);
	while (go_on && !weir__list_empty(&store->cache.changed))
		go_on = flush_entry(store, weir__entry_of(store->cache.changed.next), false, fn, user);
	for (struct entry *e; go_on && (e = weir__store_evict(store));)
		go_on = flush_entry(store, e, true, fn, user);
	store->flushing = false;
	if (go_on)
		store->times_flushed = store->times;
	return go_on;
}

void weir__store_committed(weir_store *store, int64_t next_offset)
{
	struct cache *cache = &store->cache;

	weir_assert(!store->flushing);
	store->times_committed = store->times_flushed;
	if (next_offset >= 0) {
		store->offset = next_offset;
		weir__purge_note(store, next_offset, store->times_committed.start_max);
	}
	if (!store->spec.logged)
		store->unlogged_tail += (int64_t)store->flushed_count;
	store->flushed_count = 0;
	store->txn++;
	if (!store->in_memory) {
		weir__list_splice(&cache->dirty, &cache->flushed);
		return;
	}
	while (!weir__list_empty(&cache->flushed)) {
		struct entry *e = weir__entry_of(cache->flushed.next);

		if (!e->present || store->spec.kind == STORE_CUSTOM) {
			weir__store_drop(store, e);
			continue;
		}
		weir__store_make_clean(store, e);
	}
}
