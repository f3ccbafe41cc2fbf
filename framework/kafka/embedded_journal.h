#ifndef WEIR_EMBEDDED_JOURNAL_H
#define WEIR_EMBEDDED_JOURNAL_H
/*
 * One partition's log in memory: segments of entries. All of it is guarded by the cluster's lock, but bytes of a
 * segment below `used` never change: a reader that holds a reference reads them without it.
 */
#include <weir/kafka.h>

struct embedded;
struct part;
struct topic;

enum entry_flag {
	ENTRY_TRANSACTIONAL = 1,
	ENTRY_MARKER = 2,  /* the end of a transaction: takes an offset, is never handed out */
	ENTRY_HORIZON = 4, /* a tombstone that the cleaner has seen; `producer` = second from which it may go */
};

struct entry {
	int64_t timestamp_ms;
	uint32_t delta; /* offset - base of the segment */
	uint32_t producer;
	int32_t key_len, value_len; /* -1 = null */
	uint32_t headers_len;
	uint32_t flags;
	unsigned char bytes[]; /* key, value, headers; the next entry begins at a multiple of 8 */
};

struct segment {
	int64_t base, last; /* offsets; last < base = empty */
	int64_t timestamp_max_ms;
	uint32_t used, capacity;
	int refs;
	bool detached; /* not in its journal any more: readers look for their place again */
	_Alignas(8) unsigned char bytes[];
};

/* Offsets first..last of a transaction by `producer`; last is its marker. */
struct span {
	uint32_t producer;
	int64_t first, last;
};

struct journal {
	struct topic *topic;
	int32_t partition;
	struct segment **segments; /* by offset; the last one is appended to */
	size_t count, room;
	int64_t start, end; /* first offset; next offset (= high watermark) */
	int64_t bytes;      /* used by entries */
	int64_t cleaned_to, cleaned_bytes;
	bool cleaning, clean_due;
	bool roll_next;    /* the next record begins a segment */
	struct span *open; /* transactions without a marker yet */
	size_t open_count, open_room;
	struct span *aborted;
	size_t aborted_count, aborted_room;
	struct part *readers; /* those that have it assigned */
};

struct append {
	int64_t timestamp_ms;
	weir_bytes key, value;
	const weir_headers *headers;
	uint32_t producer;
	uint32_t flags;
};

static inline const struct entry *weir__entry_at(const struct segment *s, uint32_t at)
{
	return (const struct entry *)(const void *)(s->bytes + at);
}

static inline uint32_t weir__entry_size(const struct entry *e)
{
	uint32_t n = (uint32_t)sizeof *e + e->headers_len;

	n += e->key_len > 0 ? (uint32_t)e->key_len : 0;
	n += e->value_len > 0 ? (uint32_t)e->value_len : 0;
	return (n + 7) & ~7u;
}

static inline weir_bytes weir__entry_key(const struct entry *e)
{
	return e->key_len < 0 ? WEIR_NULL : (weir_bytes){ e->bytes, (size_t)e->key_len };
}

static inline weir_bytes weir__entry_value(const struct entry *e)
{
	size_t at = e->key_len > 0 ? (size_t)e->key_len : 0;

	return e->value_len < 0 ? WEIR_NULL : (weir_bytes){ e->bytes + at, (size_t)e->value_len };
}

static inline const unsigned char *weir__entry_headers(const struct entry *e)
{
	return e->bytes + (e->key_len > 0 ? e->key_len : 0) + (e->value_len > 0 ? e->value_len : 0);
}

void weir__journal_init(struct journal *j, struct topic *topic, int32_t partition);
void weir__journal_release(struct journal *j);
/** Appends one record and wakes readers; gives its offset. */
int64_t weir__journal_append(struct journal *j, const struct append *what);
/** First offset that an open transaction holds back, else the end. */
int64_t weir__journal_stable_end(const struct journal *j);
/** Where reading at `offset` begins: the segment (a reference is taken) and byte; NULL = nothing there yet. */
struct segment *weir__journal_find(struct journal *j, int64_t offset, uint32_t *at);
/** The segment behind `s`, with a reference; NULL when s is the last. */
struct segment *weir__journal_next(struct journal *j, const struct segment *s);
/** First offset with a timestamp at or after `ms`, else the end. */
int64_t weir__journal_offset_for(const struct journal *j, int64_t ms);
/** A transaction begins here: readers of committed data stop before it until it is closed. */
void weir__journal_open_span(struct journal *j, uint32_t producer);
/** Writes the marker. */
void weir__journal_close_span(struct journal *j, uint32_t producer, bool committed, int64_t now_ms);
/** Whether `offset` of `producer` belongs to an aborted transaction. */
bool weir__span_covers(const struct span *spans, size_t n, uint32_t producer, int64_t offset);
void weir__segment_unref(struct segment *s);
struct segment *weir__segment_new(int64_t base, size_t capacity);
/** Takes segments from..to-1 out of the list and puts n others there. */
void weir__journal_splice(struct journal *j, size_t from, size_t to, struct segment *const *with, size_t n);

/** Drops what lies before `offset`. */
void weir__journal_truncate_front(struct journal *j, int64_t offset);
/** retention.bytes, and by_time retention.ms too. */
void weir__journal_retain(struct journal *j, bool by_time, int64_t now_ms);
/** Whether enough is uncleaned for the cleaner to be worth its work. */
bool weir__journal_clean_due(const struct journal *j);
/** Cleans a compacted journal. Lock held, given up while at work. The topic must be kept alive by the caller. */
void weir__journal_clean(struct embedded *e, struct journal *j);

#endif
