/* Windows past retention. */
#include "state/partition.h"

/* Only what is committed counts: an aborted transaction must not have cost a window. */
static int64_t floor_for(const weir_store *store, int64_t stream_time_ms)
{
	int64_t seen = store->times_committed.start_max;

	return weir__store_floor(store, stream_time_ms < seen ? stream_time_ms : seen);
}

static bool has_expired(const struct entry *e, const void *user)
{
	const weir_store *store = user;

	return weir__place_of(store, weir__entry_key(e)).segment < store->segment_live &&
	       (e->state == ENTRY_CLEAN || (e->state == ENTRY_UNSAVED && e->txn != store->txn));
}

void weir__store_expire(weir_store *store, int64_t stream_time_ms)
{
	if (store->spec.kind == STORE_VERSIONED) {
		weir__versions_expire(store);
		return;
	}
	weir_assert(weir__store_kind_timed(store->spec.kind) && !store->flushing);
	int64_t floor = floor_for(store, stream_time_ms);
	int64_t live = floor > 0 ? floor / store->segment_ms : 0;

	if (live <= store->segment_live)
		return;
	store->segment_live = live;
	store->version++;
	/* Changed and flushed ones still have to reach the changelog; they are dropped when they would be
	 * written. */
	weir__store_drop_if(store, &store->cache.clean, has_expired);
	weir__store_drop_if(store, &store->cache.dirty, has_expired);
	weir__cache_trim(&store->cache);
	if (store->in_memory || !store->disk.rows || store->disk.segment_min >= live)
		return;
	struct meta meta = weir__store_meta(store, store->disk.meta.offset);
	meta.wall_ms = store->disk.meta.wall_ms;
	weir__disk_drop_below(&store->disk, live, &meta, NULL); /* an error sticks */
}

/* --- how far the changelog may be cut ------------------------------------------------------------------------- */

void weir__purge_note(weir_store *store, int64_t offset, int64_t start_max)
{
	struct purge_point *points = store->purge, *last = points + store->purge_count - 1;

	if (!weir__store_kind_timed(store->spec.kind) || offset < 0 || start_max == INT64_MIN)
		return;
	/* A point may always be moved on, which only makes it coarser: so a few dozen cover the retention. */
	if (store->purge_count > 1 &&
	    start_max < weir_time_add(last[-1].start_max, store->spec.retention_ms / (PURGE_POINTS / 4))) {
		*last = (struct purge_point){ offset, start_max };
		return;
	}
	if (store->purge_count == PURGE_POINTS) {
		for (size_t i = 0; i < PURGE_POINTS / 2; i++)
			points[i] = points[2 * i + 1];
		store->purge_count /= 2;
	}
	points[store->purge_count++] = (struct purge_point){ offset, start_max };
}

int64_t weir__store_purge_offset(weir_store *store, int64_t stream_time_ms)
{
	int64_t floor = floor_for(store, stream_time_ms), offset = -1;
	size_t n = 0;

	while (n < store->purge_count && store->purge[n].start_max < floor)
		offset = store->purge[n++].offset;
	/* A crash must find what it restores from. */
	if (!store->in_memory && offset > store->disk.durable_offset)
		offset = store->disk.durable_offset;
	if (n > 1) { /* the last that has expired is kept: it may not have been used in full */
		memmove(store->purge, store->purge + n - 1, (store->purge_count - n + 1) * sizeof *store->purge);
		store->purge_count -= n - 1;
	}
	if (offset <= store->purged || offset <= 0)
		return -1;
	return store->purged = offset;
}
