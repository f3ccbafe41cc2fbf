#include "state/partition.h"

#include "framework/base/hash.h"

enum { SLOTS_MIN = 1024, BLOCK_SIZE = 1 << 20 };

/* --- collecting ----------------------------------------------------------------------------------------------- */

static void *allocate(struct run *run, size_t n)
{
	n = (n + 7) & ~(size_t)7;
	if (run->block_used + n > run->block_size) {
		run->block_size = n > BLOCK_SIZE ? n : BLOCK_SIZE;
		run->blocks = weir__realloc(run->blocks, (run->block_count + 1) * sizeof *run->blocks);
		run->blocks[run->block_count++] = weir__malloc(run->block_size);
		run->block_used = 0;
		run->bytes += run->block_size;
	}
	void *p = run->blocks[run->block_count - 1] + run->block_used;
	run->block_used += n;
	return p;
}

static void grow(struct run *run)
{
	size_t slots = run->slots ? 2 * (run->slot_mask + 1) : SLOTS_MIN;
	struct sort_item *old = run->slots;
	size_t old_slots = old ? run->slot_mask + 1 : 0;

	run->slots = weir__calloc(slots, sizeof *run->slots);
	run->slot_mask = slots - 1;
	for (size_t i = 0; i < old_slots; i++) {
		if (!old[i].item)
			continue;
		size_t at = old[i].prefix & run->slot_mask;
		while (run->slots[at].item)
			at = (at + 1) & run->slot_mask;
		run->slots[at] = old[i];
	}
	run->bytes += (slots - old_slots) * sizeof *run->slots;
	free(old);
}

static struct sort_item *slot_of(struct run *run, weir_bytes key, uint64_t hash)
{
	size_t at = hash & run->slot_mask;

	for (; run->slots[at].item; at = (at + 1) & run->slot_mask) {
		const struct run_row *row = run->slots[at].item;

		if (run->slots[at].prefix == hash && row->key_len == key.len &&
		    memcmp(row->data + row->value_capacity, key.data, key.len) == 0)
			break;
	}
	return &run->slots[at];
}

static void run_put(struct run *run, weir_bytes key, weir_bytes value, int64_t timestamp_ms)
{
	uint64_t hash = weir__hash(key);

	if (run->count >= run->slot_mask / 2)
		grow(run);
	struct sort_item *slot = slot_of(run, key, hash);
	struct run_row *row = (struct run_row *)slot->item;
	if (!row || row->value_capacity < value.len) {
		run->count += !row;
		row = allocate(run, sizeof *row + value.len + key.len);
		row->key_len = (uint32_t)key.len;
		row->value_capacity = (uint32_t)value.len;
		memcpy(row->data + value.len, key.data, key.len);
		*slot = (struct sort_item){ hash, row };
	}
	row->timestamp_ms = timestamp_ms;
	row->deleted = weir_is_null(value);
	row->value_len = (uint32_t)value.len;
	if (value.len)
		memcpy(row->data, value.data, value.len);
}

void weir__run_release(weir_store *store)
{
	struct run *run = &store->run;

	if (run->slots)
		atomic_fetch_sub(&store->state->restoring, 1);
	for (size_t i = 0; i < run->block_count; i++)
		free(run->blocks[i]);
	free(run->blocks);
	free(run->slots);
	*run = (struct run){ 0 };
	store->run_offset = -1;
}

/* --- writing -------------------------------------------------------------------------------------------------- */

static weir_bytes row_key(const struct run_row *row)
{
	return (weir_bytes){ row->data + row->value_capacity, row->key_len };
}

static int compare_rows(const void *a, const void *b, const void *user)
{
	return weir__place_compare(weir__place_of(user, row_key(a)), weir__place_of(user, row_key(b)));
}

static void sort_run(weir_store *store)
{
	struct run *run = &store->run;
	struct sort_item *spare = weir__malloc((run->count / 2 + 1) * sizeof *spare);
	struct sort_span span = { 0 };
	size_t n = 0;

	for (size_t i = 0; i <= run->slot_mask; i++) {
		const struct run_row *row = run->slots[i].item;

		if (!row)
			continue;
		weir__sort_see(&span, weir__place_of(store, row_key(row)));
		run->slots[n++] = (struct sort_item){ 0, row };
	}
	for (size_t i = 0; i < n; i++)
		run->slots[i].prefix = weir__sort_prefix(&span, weir__place_of(store, row_key(run->slots[i].item)));
	weir__sort(run->slots, spare, n, compare_rows, store);
	free(spare);
}

bool weir__run_write(weir_store *store, weir_error *err)
{
	struct run *run = &store->run;
	struct disk_writer w;
	/* without an offset, more of the same changelog is to come: what is on disk is then newer than its record
	 * says */
	struct meta meta =
		weir__store_meta(store, store->run_offset >= 0 ? store->run_offset : store->disk.meta.offset);

	if (store->run_offset < 0)
		meta.wall_ms = store->disk.meta.wall_ms;
	if (run->count)
		sort_run(store);
	weir__disk_write_begin(&w, &store->disk,
			       run->count >= store->state->file_rows_min ? DISK_FILE : DISK_BATCHES, &meta);
	for (size_t i = 0; i < run->count; i++) {
		const struct run_row *row = run->slots[i].item;
		struct place place = weir__place_of(store, row_key(row));

		if (place.segment >= store->segment_live)
			weir__disk_write(&w, place, row->timestamp_ms,
					 row->deleted ? WEIR_NULL : (weir_bytes){ row->data, row->value_len });
	}
	weir__run_release(store);
	return weir__disk_write_end(&w, err);
}

/* --- the contract --------------------------------------------------------------------------------------------- */

static size_t run_bytes_max(const struct state *state)
{
	int stores = atomic_load(&((struct state *)state)->restoring);

	return (size_t)(state->restore_bytes_max / (stores > 0 ? stores : 1));
}

/* What is read from disk must not be older than what was restored. */
static void drop_cached(weir_store *store, weir_bytes key)
{
	struct entry *e = store->cache.count ? weir__cache_find(&store->cache, key, weir__cache_hash(key)) : NULL;

	if (!e)
		return;
	weir_assert(e->state == ENTRY_CLEAN);
	weir__cache_remove(&store->cache, e);
}

void weir__store_restore_put(weir_store *store, weir_bytes key, weir_bytes value, int64_t timestamp_ms)
{
	bool windows = store->spec.kind == STORE_WINDOW;
	int64_t start_ms = INT64_MIN;

	if (weir_is_null(key) || (windows && key.len < WINDOW_SUFFIX))
		return; /* no key of such a store: nobody could read it */
	if (windows && (start_ms = weir__window_start(key)) < 0)
		return;
	weir__times_see(&store->times, start_ms, timestamp_ms);
	if (windows && (start_ms < weir__store_floor(store, store->times.start_max) ||
			start_ms / store->segment_ms < store->segment_live))
		return;
	if (store->in_memory) {
		weir__store_put_committed(store, key, value, timestamp_ms);
		return;
	}
	drop_cached(store, key);
	if (!store->run.slots)
		atomic_fetch_add(&store->state->restoring, 1);
	run_put(&store->run, key, value, timestamp_ms);
	if (store->run.bytes < run_bytes_max(store->state))
		return;
	store->times_committed = store->times_flushed = store->times;
	weir__run_write(store, NULL); /* an error sticks and comes out at restore_done */
}

bool weir__store_restore_done(weir_store *store, int64_t next_offset, weir_error *err)
{
	weir_assert(weir__list_empty(&store->cache.changed) && weir__list_empty(&store->cache.flushed));
	store->times_flushed = store->times_committed = store->times;
	store->offset = next_offset;
	weir__purge_note(store, next_offset, store->times.start_max);
	if (weir__state_failed(store->state, err))
		return false;
	if (store->in_memory)
		return true;
	/* More may come, and repeat what is pending: it is written when it is many, or when somebody wants to
	 * know. */
	store->run_offset = next_offset;
	return store->run.count > 0 || weir__run_write(store, err);
}
