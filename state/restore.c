/* The changelog's records on their way in. */
#include "state/partition.h"

static int compare_rows(const void *a, const void *b, const void *user)
{
	return weir__place_compare(weir__place_of(user, weir__run_key(a)), weir__place_of(user, weir__run_key(b)));
}

static struct sort_item *sort_rows(weir_store *store, size_t *n)
{
	struct sort_item *rows = weir__run_rows(&store->run, n);
	struct sort_item *spare = weir__malloc((*n / 2 + 1) * sizeof *spare);
	struct sort_span span = { 0 };

	for (size_t i = 0; i < *n; i++)
		weir__sort_see(&span, weir__place_of(store, weir__run_key(rows[i].item)));
	for (size_t i = 0; i < *n; i++)
		rows[i].prefix = weir__sort_prefix(&span, weir__place_of(store, weir__run_key(rows[i].item)));
	weir__sort(rows, spare, *n, compare_rows, store);
	free(spare);
	return rows;
}

static bool write_rows(weir_store *store, weir_error *err)
{
	struct disk_writer w;
	size_t n = 0;
	/* without an offset more of the changelog is to come: what is on disk is then newer than its record says */
	bool complete = store->run_offset >= 0;
	struct meta meta = weir__store_meta(store, complete ? store->run_offset : store->disk.meta.offset);
	struct sort_item *rows = sort_rows(store, &n);

	if (!complete)
		meta.wall_ms = store->disk.meta.wall_ms;
	weir__disk_write_begin(&w, &store->disk, weir__disk_write_mode(&store->disk, n, store->run.bytes, false),
			       &meta);
	for (size_t i = 0; i < n; i++) {
		const struct run_row *row = rows[i].item;
		struct place place = weir__place_of(store, weir__run_key(row));

		if (i + 8 < n)
			__builtin_prefetch(rows[i + 8].item);
		if (place.segment >= store->segment_live)
			weir__disk_write(&w, place, row->timestamp_ms, weir__run_value(row));
	}
	return weir__disk_write_end(&w, err);
}

void weir__run_release(weir_store *store)
{
	if (store->run.slots)
		atomic_fetch_sub(&store->state->restoring, 1);
	weir__run_free(&store->run);
	store->run_offset = -1;
}

bool weir__run_write(weir_store *store, weir_error *err)
{
	bool done = write_rows(store, err);

	weir__run_release(store);
	return done;
}

/* --- the contract --------------------------------------------------------------------------------------------- */

enum { RUN_BYTES_MIN = 256 << 10 };

static size_t run_bytes_max(const weir_store *store)
{
	struct state *state = store->state;
	int stores = atomic_load_explicit(&state->restoring, memory_order_relaxed);
	size_t each = (size_t)(state->restore_bytes_max / (stores > 0 ? stores : 1));

	return each > RUN_BYTES_MIN ? each : RUN_BYTES_MIN;
}

/* What is read from disk must not be older than what was restored. */
static void drop_cached(weir_store *store, weir_bytes key)
{
	struct entry *e =
		store->cache.count ? weir__cache_find(&store->cache, key, weir__store_hash(store, key)) : NULL;

	if (!e)
		return;
	weir_assert(e->state == ENTRY_CLEAN);
	weir__cache_remove(&store->cache, e);
}

static void put_for_disk(weir_store *store, weir_bytes key, weir_bytes value, int64_t timestamp_ms)
{
	drop_cached(store, key);
	if (!store->run.slots)
		atomic_fetch_add(&store->state->restoring, 1);
	weir__run_put(&store->run, key, value, timestamp_ms);
	if (store->run.bytes < run_bytes_max(store))
		return;
	weir__run_settle(&store->run);
	store->run_offset = -1;
	store->times_committed = store->times_flushed = store->times;
	write_rows(store, NULL); /* an error sticks and comes out at restore_done */
	weir__run_reset(&store->run);
	/* Its table may be of a time when fewer stores shared the memory: empty, it would pass for full, and each
	 * record would be a write of its own. */
	if (store->run.bytes > run_bytes_max(store) / 2)
		weir__run_release(store);
}

void weir__restore_row(weir_store *store, weir_bytes row, weir_bytes value, int64_t timestamp_ms)
{
	if (store->in_memory)
		weir__store_put_committed(store, row, value, timestamp_ms);
	else
		put_for_disk(store, row, value, timestamp_ms);
}

/* Whether a changelog's key is one that such a store writes; nobody could read another. */
static bool is_key(enum store_kind kind, weir_bytes key)
{
	if (weir_is_null(key) || key.len < weir__key_suffix(kind))
		return false;
	if (weir__store_kind_timed(kind) && weir__key_time(kind, key) < 0)
		return false;
	weir_bytes inner;
	int64_t start_ms, end_ms;

	return kind != STORE_SESSION ||
	       (weir__session_key_split(key, &inner, &start_ms, &end_ms) && start_ms >= 0 && start_ms <= end_ms);
}

void weir__store_restore_put(weir_store *store, weir_bytes key, weir_bytes value, int64_t timestamp_ms)
{
	weir__store_restore_put_headers(store, key, value, timestamp_ms, NULL);
}

void weir__store_restore_put_headers(weir_store *store, weir_bytes key, weir_bytes value, int64_t timestamp_ms,
				     const weir_headers *headers)
{
	bool windows = weir__store_kind_timed(store->spec.kind);
	int64_t start_ms = INT64_MIN;

	if (store->spec.kind == STORE_VERSIONED) {
		weir__version_restore(store, key, value, timestamp_ms);
		return;
	}
	if (store->spec.kind == STORE_CUSTOM) {
		weir__times_see(&store->times, INT64_MIN, timestamp_ms);
		store->spec.custom->restore(store->custom, key, value, timestamp_ms, store->spec.custom->user);
		return;
	}
	if (!is_key(store->spec.kind, key))
		return;
	if (store->spec.duplicates && weir_is_null(value))
		return; /* it was no row, and has moved no time */
	if (windows)
		start_ms = weir__key_time(store->spec.kind, key);
	weir__times_see(&store->times, start_ms, timestamp_ms);
	if (windows && (start_ms < weir__store_floor(store, store->times.start_max) ||
			start_ms / store->segment_ms < store->segment_live))
		return;
	weir__restore_row(store, key, weir__store_keep(store, value, headers), timestamp_ms);
}

bool weir__store_restore_done(weir_store *store, int64_t next_offset, weir_error *err)
{
	weir_assert(weir__list_empty(&store->cache.changed) && weir__list_empty(&store->cache.flushed));
	weir__run_settle(&store->run);
	store->times_flushed = store->times_committed = store->times;
	store->offset = next_offset;
	weir__rows_restored(store);
	weir__purge_note(store, next_offset, store->times.start_max);
	if (weir__state_failed(store->state, err))
		return false;
	if (store->in_memory)
		return true;
	/* More may come and replace what is pending: that is written when it is many, or when somebody asks. */
	store->run_offset = next_offset;
	return store->run.count > 0 || weir__run_write(store, err);
}
