#ifndef WEIR_STATE_ITERATOR_H
#define WEIR_STATE_ITERATOR_H
/*
 * Ranges: what lies in the cache and what lies on disk, merged by place; the cache wins, its deletions hide.
 *
 * On the cache's side only entries that differ from the disk count; without a disk all do. A write while an
 * iterator is open makes it look for its place anew, so that it never meets memory that is gone.
 */
#include "state/partition.h"

enum shape {
	SHAPE_ALL,     /* all in the bounds */
	SHAPE_ONE_KEY, /* windows of one key; sessions of one key that start at latest_ms or before */
	/* windows with from_ms <= start <= to_ms, of keys at least as long as a prefix; sessions by their ends */
	SHAPE_STARTS,
	SHAPE_VERSIONS, /* of one key: their times are known already */
};

/* A place that owns its bytes. */
struct bound {
	int64_t segment;
	struct buffer key;
};

struct weir_iterator {
	weir_iterator *next; /* of the open ones, or of the spare ones */
	weir_store *store;   /* NULL: the store is closed */
	int64_t opened_us;   /* 0 = not noted */
	enum shape shape;
	bool reverse;
	int64_t from_ms, to_ms, latest_ms;
	size_t prefix_len;
	struct buffer key_low, key_high; /* SHAPE_STARTS: of keys, both included */
	bool keys_bounded, keys_open;    /* whether there are such bounds; no upper one */
	struct bound low,
		high; /* included, not included; for SHAPE_ONE_KEY their keys are those of each segment, too */
	bool high_open;
	bool nothing; /* the bounds hold nothing */

	bool started; /* last is the place given last */
	struct bound last;
	uint32_t version, writes; /* of cache and disk, when the place was looked for */

	/* the cache's side: over the store's order, or over a sorted copy */
	struct entry *entry; /* NULL: none is left */
	bool entry_done;     /* it has been looked at */
	struct order_cursor cursor;
	struct sort_item *sorted;
	size_t sorted_count, sorted_capacity, sorted_at; /* at counts in the direction of the iterator */

	/* versions: their times, and one more, when the last one ended (WEIR_LATEST: not yet) */
	int64_t *times;
	size_t time_count, time_capacity, time_at;

	struct kept_headers found; /* with spec.headers: what has been given */

	/* the disk's side */
	rocksdb_iterator_t *disk;
	rocksdb_readoptions_t *disk_options;
	struct buffer disk_low, disk_high, disk_seek;
	struct place disk_place;
	bool disk_valid, disk_done;
};

enum verdict { VERDICT_GIVE, VERDICT_SKIP, VERDICT_JUMP };

/** Versions of one key, those that say it is deleted as well, dated from_ms to to_ms: start_ms is the time, and
 *  timestamp_ms VERSION_DELETED or anything else. */
weir_iterator *weir__versions_rows(weir_store *store, weir_bytes key, int64_t from_ms, int64_t to_ms, bool reverse);
/** One that gives nothing yet. */
weir_iterator *weir__iterator_make(weir_store *store, enum shape shape, bool reverse);
/** One of no store, which gives nothing. */
weir_iterator *weir__iterator_nothing(void);

/** Whether an entry at that place is asked for; if not and the next one may be far, *jump_segment is where the key
 *  of the bound is to be looked for. */
enum verdict weir__iterator_judge(weir_iterator *it, struct place place, int64_t *jump_segment);
bool weir__iterator_in_bounds(weir_iterator *it, struct place place);

static inline struct place weir__bound_place(struct bound *b)
{
	return (struct place){ b->segment, weir__buffer_view(&b->key) };
}

/* Both sides have: open (at the first one, or anew), seek (to the place or the next beyond it), step. */
void weir__iterator_cached_open(weir_iterator *it);
void weir__iterator_cached_seek(weir_iterator *it, struct place place);
void weir__iterator_cached_step(weir_iterator *it);

void weir__iterator_disk_open(weir_iterator *it);
void weir__iterator_disk_seek(weir_iterator *it, struct place place);
void weir__iterator_disk_step(weir_iterator *it);
void weir__iterator_disk_close(weir_iterator *it);

#endif
