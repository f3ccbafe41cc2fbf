#ifndef WEIR_STATE_PARTITION_H
#define WEIR_STATE_PARTITION_H
/* A store partition from inside: what store.c, flush.c, checkpoint.c, expire.c, restore.c and iterator.c share. */
#include "state/cache.h"
#include "state/disk.h"
#include "state/headers.h"
#include "state/order.h"
#include "state/run.h"

struct times {
	int64_t start_max;     /* of windows; of sessions the greatest end; INT64_MIN = none */
	int64_t timestamp_max; /* of everything */
};

/* What the last weir__store_object has found, for its undo. */
struct object_before {
	struct entry *entry; /* as it is now */
	struct times times;
	int64_t timestamp_ms;
	uint32_t mark; /* origin or txn */
	uint8_t state;
	bool present;
};

/* All records of the changelog below `offset` are of windows that start at `start_max` or before. */
struct purge_point {
	int64_t offset, start_max;
};
enum { PURGE_POINTS = 128 };

struct weir_store {
	struct store_spec spec;
	int32_t partition;
	struct state *state;
	struct family *family;
	bool in_memory;
	struct disk disk; /* without in_memory */
	struct cache cache;
	struct order order; /* with spec.ordered: of the entries that differ from the disk; without one, of all */
	struct run run;     /* restored, not written yet */
	int64_t run_offset; /* the changelog's next one once it is; -1 = not known yet */
	int64_t segment_ms, segment_live; /* segments below have been dropped */

	uint32_t txn;
	int64_t offset; /* the changelog's next one as of the last commit; -1 = not known */
	/* With duplicates: */
	int64_t complete_from_ms; /* all rows that start here or later are in the cache */
	uint32_t seq;             /* of the last row */
	/* Versions: */
	int64_t restored_max; /* greatest time among what has been restored; INT64_MIN = none */
	int64_t swept_floor;  /* history before this has been looked through, or is being */
	struct buffer sweep;  /* the row to go on with */
	bool sweeping;
	void *custom; /* the user's object */
	int64_t unlogged_tail;
	size_t flushed_count;
	struct times times, times_flushed, times_committed;
	struct object_before before;

	bool flushing;
	struct entry *pinned;               /* being given to a flush function: must not change or go */
	bool pinned_replaced;               /* it is no longer in the cache */
	struct buffer key;                  /* of the window asked for */
	struct buffer value, old;           /* what a flush function is given */
	struct buffer kept;                 /* with spec.headers: a value to be put */
	struct kept_headers found, flushed; /* what a get, or a flush function, is given */
	struct sort_item *sorted;           /* scratch of a checkpoint */
	size_t sorted_capacity;

	struct purge_point purge[PURGE_POINTS];
	size_t purge_count;
	int64_t purged; /* the last answer */

	uint32_t version; /* counts changes, for open iterators */
	weir_iterator *iterators, *spare;
	struct store_stats *stats, own_stats; /* spec.stats, or the other */
};

/* --- misuse.c ------------------------------------------------------------------------------------------------- */

/** The store is not of that kind, or a key is null. Always false. */
bool weir__store_misused(const weir_store *store, enum store_kind wanted) __attribute__((cold));
/** The same for other reasons. */
bool weir__store_misused_as(const weir_store *store, const char *how) __attribute__((cold));

/* Whether it may be used so; if not, that is told. */
static inline bool weir__store_is(const weir_store *store, enum store_kind kind, weir_bytes key)
{
	return (store->spec.kind == kind && !weir_is_null(key)) || weir__store_misused(store, kind);
}

/* --- store.c -------------------------------------------------------------------------------------------------- */

static inline struct place weir__place_of(const weir_store *store, weir_bytes key)
{
	enum store_kind kind = store->spec.kind;
	int64_t segment = weir__store_kind_timed(kind) ? weir__key_time(kind, key) / store->segment_ms : 0;

	return (struct place){ segment, key };
}

/** Windows that start earlier are hidden, as in Kafka Streams (AbstractRocksDBSegmentedBytesStore); INT64_MIN: none
 *  is. */
static inline int64_t weir__store_floor(const weir_store *store, int64_t start_max)
{
	if (start_max == INT64_MIN || store->spec.retention_ms == INT64_MAX) /* for ever */
		return INT64_MIN;
	return weir_time_sub(start_max, store->spec.retention_ms - 1);
}

static inline uint32_t weir__store_hash(const weir_store *store, weir_bytes key)
{
	if (store->spec.duplicates)
		key.len -= WINDOW_SUFFIX;
	return weir__cache_hash(key);
}

/** Makes store->key the key as in the changelog. start_ms: of windows and sessions; end_ms: of sessions. False:
 * past retention, or of a time that is none. */
bool weir__store_key(weir_store *store, weir_bytes key, int64_t start_ms, int64_t end_ms);
/** The value under a key as in the changelog, or null. */
weir_bytes weir__store_read(weir_store *store, weir_bytes key, int64_t *timestamp_ms);
/** What is put is too late for the store: spec.on_expired. */
void weir__store_expired(const weir_store *store);
void weir__store_write(weir_store *store, weir_bytes key, weir_bytes value, int64_t timestamp_ms);
/** The value as the store keeps it: with headers (NULL = none) where it keeps them, in store->kept. */
weir_bytes weir__store_keep(weir_store *store, weir_bytes value, const weir_headers *headers);
/** What the store keeps without the headers, which *headers (may be NULL) gets. */
weir_bytes weir__store_plain(weir_store *store, weir_bytes kept, const weir_headers **headers);
/** Encoded value of an entry, null if it is absent. */
weir_bytes weir__store_value(const weir_store *store, const struct entry *e);
/** Takes note of a window start and a timestamp. */
static inline void weir__times_see(struct times *times, int64_t start_ms, int64_t timestamp_ms)
{
	if (start_ms > times->start_max)
		times->start_max = start_ms;
	if (timestamp_ms > times->timestamp_max)
		times->timestamp_max = timestamp_ms;
}
/** Puts a committed value into a store without a disk. */
void weir__store_put_committed(weir_store *store, weir_bytes key, weir_bytes value, int64_t timestamp_ms);
/** After this, every entry that is left equals what is on disk. */
void weir__store_forget(weir_store *store);

/** Sorts entries by place; `span` has seen them all. */
void weir__entries_sort(const weir_store *store, struct sort_item *items, size_t n, const struct sort_span *span);
/** Takes an entry out of cache and order. */
void weir__store_drop(weir_store *store, struct entry *e);
/** Those of a list for which `goes` (given the store) is true; it must be false for all that has to stay in any
 *  list. */
void weir__store_drop_if(weir_store *store, struct link *head,
			 bool (*goes)(const struct entry *e, const void *store));
/** The entry is like the disk's from now on. */
void weir__store_make_clean(weir_store *store, struct entry *e);

/** Of a store with duplicates: everything below store->offset is restored. */
void weir__rows_restored(weir_store *store);

/** The entry of a row, from disk if need be; NULL: there is none, or the database failed. */
struct entry *weir__store_find(weir_store *store, weir_bytes row);
/** With evicts_at_flush: deletes the one used longest ago if there are too many; NULL: there are not. */
struct entry *weir__store_evict(weir_store *store);
/** Whether a row that the cache does not know is there. */
bool weir__store_on_disk(weir_store *store, weir_bytes row_key);
/** An entry that says something about rows and is none itself: clean, never written, gone at any time. */
struct entry *weir__store_hint(weir_store *store, weir_bytes key, weir_bytes value);

/* --- versions.c ----------------------------------------------------------------------------------------------- */

/** A record of the changelog. */
void weir__version_restore(weir_store *store, weir_bytes key, weir_bytes value, int64_t timestamp_ms);
/** What is known of newest versions is forgotten. */
void weir__versions_forget(weir_store *store);
void weir__versions_expire(weir_store *store);
bool weir__versions_next(weir_iterator *it, weir_entry *entry);

/* --- checkpoint.c --------------------------------------------------------------------------------------------- */

/** The record for a checkpoint at `offset` that is complete now. */
struct meta weir__store_meta(const weir_store *store, int64_t offset);

/* --- restore.c ------------------------------------------------------------------------------------------------ */

/** A row as the changelog has it. */
void weir__restore_row(weir_store *store, weir_bytes row, weir_bytes value, int64_t timestamp_ms);
/** Writes what has been restored and forgets it. False: the database failed. */
bool weir__run_write(weir_store *store, weir_error *err);
void weir__run_release(weir_store *store);

/* --- expire.c ------------------------------------------------------------------------------------------------- */

/** The changelog below `offset` holds no window that starts after start_max. */
void weir__purge_note(weir_store *store, int64_t offset, int64_t start_max);

/* --- iterator.c ----------------------------------------------------------------------------------------------- */

/** Iterators still open give nothing more. */
void weir__iterators_orphan(weir_store *store);

#endif
