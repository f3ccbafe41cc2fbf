/* From the cache to disk. Only what is committed may go there. */
#include "state/partition.h"

enum { SORTED_KEPT = 1 << 14 };

struct meta weir__store_meta(const weir_store *store, int64_t offset)
{
	struct meta meta = store->disk.meta;

	meta.offset = offset;
	meta.wall_ms = store->state->clock->wall_ms(store->state->clock);
	meta.start_max = store->times_committed.start_max;
	meta.timestamp_max = store->times_committed.timestamp_max;
	return meta;
}

static bool expired(const weir_store *store, const struct entry *e)
{
	return weir__store_kind_timed(store->spec.kind) &&
	       weir__place_of(store, weir__entry_key(e)).segment < store->segment_live;
}

static void free_scratch(weir_store *store)
{
	free(store->sorted);
	store->sorted = NULL;
	store->sorted_capacity = 0;
}

/* Dirty entries, oldest first, until *bytes of them are collected; *bytes becomes what they take up. Expired ones
 * are dropped. */
static size_t collect(weir_store *store, size_t *bytes, struct sort_span *span)
{
	struct link *head = &store->cache.dirty;
	size_t n = 0, seen = 0;

	for (struct link *l = head->next, *next; l != head && seen < *bytes; l = next) {
		struct entry *e = weir__entry_of(l);

		next = l->next;
		weir_assert(e->state == ENTRY_UNSAVED && e->txn != store->txn); /* committed */
		seen += sizeof *e + e->value_capacity + e->key_len;
		if (expired(store, e)) {
			weir__store_drop(store, e);
			continue;
		}
		if (n == store->sorted_capacity) {
			store->sorted_capacity = n ? 2 * n : 256;
			store->sorted =
				weir__realloc(store->sorted, store->sorted_capacity * sizeof *store->sorted);
		}
		weir__sort_see(span, weir__place_of(store, weir__entry_key(e)));
		store->sorted[n++] = (struct sort_item){ 0, e };
	}
	*bytes = seen;
	return n;
}

/* Writes at least so many bytes of dirty entries, which become clean. */
static bool write_back(weir_store *store, size_t bytes, bool often, const struct meta *meta, weir_error *err)
{
	struct disk_writer w;
	struct sort_span span = { 0 };
	size_t n = collect(store, &bytes, &span);
	enum disk_write_mode mode = weir__disk_write_mode(&store->disk, n, bytes, often);

	if (mode == DISK_FILE)
		weir__entries_sort(store, store->sorted, n, &span);
	else if (!store->spec.logged)
		mode = DISK_ONE_BATCH; /* nothing would complete the half of it */
	weir__disk_write_begin(&w, &store->disk, mode, meta);
	for (size_t i = 0; i < n; i++) {
		const struct entry *e = store->sorted[i].item;

		if (i + 8 < n)
			__builtin_prefetch(store->sorted[i + 8].item);
		weir__disk_write(&w, weir__place_of(store, weir__entry_key(e)), e->timestamp_ms,
				 weir__store_value(store, e));
	}
	if (!weir__disk_write_end(&w, err))
		return false;
	for (size_t i = 0; i < n; i++)
		weir__store_make_clean(store, (struct entry *)store->sorted[i].item);
	if (store->sorted_capacity > SORTED_KEPT)
		free_scratch(store);
	store->version++;
	return true;
}

bool weir__store_checkpoint(weir_store *store, bool durable, weir_error *err)
{
	struct cache *cache = &store->cache;

	/* with an open transaction the offset would claim values that were changed since */
	weir_assert(!store->flushing && weir__list_empty(&cache->changed) && weir__list_empty(&cache->flushed));
	if (weir__state_failed(store->state, err))
		return false;
	if (store->in_memory)
		return true;
	if (store->run.count && !weir__run_write(store, err))
		return false;
	struct meta meta = weir__store_meta(store, store->offset);
	bool news = !weir__list_empty(&cache->dirty) || meta.offset != store->disk.meta.offset ||
		    meta.wall_ms - store->disk.meta.wall_ms > 60000; /* idle, but not stale */
	if (news && !write_back(store, SIZE_MAX, false, &meta, err))
		return false;
	if (durable && atomic_load(&store->family->unflushed) && !weir__disk_flush(&store->disk, err))
		return false;
	if (durable)
		store->unlogged_tail = 0;
	return true;
}

int64_t weir__store_tail(const weir_store *store)
{
	int64_t durable = store->disk.durable_offset;

	if (store->in_memory)
		return 0;
	if (!store->spec.logged)
		return store->unlogged_tail;
	return store->offset < 0 ? 0 : store->offset - (durable < 0 ? 0 : durable);
}

static bool is_evicted(const struct entry *e, const void *user)
{
	const weir_store *store = user;

	return e->state == ENTRY_CLEAN &&
	       weir__key_time(STORE_WINDOW, weir__entry_key(e)) < store->complete_from_ms;
}

/* With duplicates: whole segments go, the oldest first, so that what is younger is there in full. */
static void evict_segments(weir_store *store, size_t bytes)
{
	struct link *head = &store->cache.clean;

	while (weir__store_memory_bytes(store) > bytes && !weir__list_empty(head)) {
		int64_t oldest = INT64_MAX;

		for (struct link *l = head->next; l != head; l = l->next) {
			int64_t start = weir__key_time(STORE_WINDOW, weir__entry_key(weir__entry_of(l)));

			oldest = start < oldest ? start : oldest;
		}
		int64_t end = weir_time_add(oldest - oldest % store->segment_ms, store->segment_ms);

		if (store->complete_from_ms < end)
			store->complete_from_ms = end;
		weir__store_drop_if(store, head, is_evicted);
	}
	weir__cache_trim(&store->cache);
}

/* Second chance: what was used since the hand last came by goes to the end. */
static void evict(weir_store *store, size_t bytes)
{
	struct cache *cache = &store->cache;

	if (store->spec.duplicates) {
		evict_segments(store, bytes);
		return;
	}
	for (size_t n = 2 * cache->count; n && weir__store_memory_bytes(store) > bytes; n--) {
		if (weir__list_empty(&cache->clean))
			break;
		struct entry *e = weir__entry_of(cache->clean.next);
		if (!e->used) {
			weir__cache_remove(cache, e);
			continue;
		}
		e->used = false;
		weir__list_remove(&e->link);
		weir__list_append(&cache->clean, &e->link);
	}
	weir__cache_trim(cache);
}

size_t weir__store_shrink(weir_store *store, size_t bytes)
{
	weir_assert(!store->flushing);
	if (weir__store_memory_bytes(store) <= bytes || store->in_memory || weir__state_failed(store->state, NULL))
		return weir__store_memory_bytes(store);
	if (store->run.count && !weir__run_write(store, NULL))
		return weir__store_memory_bytes(store);
	free_scratch(store);
	evict(store, bytes);
	/* The offset stays: of these keys the changelog is replayed onto newer values, which ends in the same
	 * state. */
	struct meta meta = weir__store_meta(store, store->disk.meta.offset);
	meta.wall_ms = store->disk.meta.wall_ms;
	while (weir__store_memory_bytes(store) > bytes && !weir__list_empty(&store->cache.dirty)) {
		if (!write_back(store, weir__store_memory_bytes(store) - bytes, true, &meta, NULL))
			break;
		free_scratch(store);
		evict(store, bytes);
	}
	return weir__store_memory_bytes(store);
}
