#ifndef WEIR_STATE_STORE_H
#define WEIR_STATE_STORE_H
/*
 * State of tasks. The truth is the changelog; RocksDB is a fuzzy checkpoint of it; what has changed since lies in
 * the store's cache, and what the open transaction has changed lies nowhere else.
 *
 * Life of a store partition, all on its worker's thread:
 *   open (takes the lease) -> checkpoint offset -> restore_put ... restore_done -> [ get/put ... -> flush ->
 *   (commit of the Kafka transaction) -> committed -> checkpoint when due ] ... -> close
 *   after an abort: discard -> checkpoint offset -> restore ...
 * Only weir__state_* is safe from any thread.
 */
#include <weir/error.h>
#include <weir/metrics.h>
#include <weir/store.h>
#include <weir/clock.h>

/* --- the instance's database ---------------------------------------------------------------------------------- */

struct state;

struct state_opts {
	const char *dir; /* the database lies in <dir>/rocksdb; NULL = no disk: every store is kept in memory */
	int64_t memory_bytes_max; /* for block cache and memtables together */
	/* What stores that are being restored may hold together until it is written; it counts as their memory
	 * (weir__store_memory_bytes). 0 = half of memory_bytes_max, 64 MB at most. */
	int64_t restore_bytes_max;
	weir_clock *clock;
	/* Of RocksDB, as its rocksdb_get_options_from_string takes them, and of them those that
	 * weir__rocksdb_options_check lets pass; NULL = none. */
	const char *rocksdb_options;
	/* ... of one store, on top of these; NULL = none, or nobody has any. What it gives must last as long as the
	 * state. */
	const char *(*rocksdb_options_of)(const char *store, void *user);
	void *user;
};

/** Whether such options may be set, for all stores or for one: they must be known to RocksDB, and leave alone what
 * weir relies on (memory, flushes, order of keys). False: *err (WEIR_CONFIG) says which may not, and why. */
bool weir__rocksdb_options_check(const char *text, bool of_store, weir_error *err);

/** Opens or makes the database; the directory is locked, a second process is refused by name. */
struct state *weir__state_open(const struct state_opts *opts, weir_error *err);
/** All stores must be closed. Flushes. NULL is fine. */
void weir__state_close(struct state *state);
/** Closes as a crash would leave it: nothing in memory reaches the disk any more. For tests and the simulator. */
void weir__state_close_dirty(struct state *state);
/** True once the database has given an error: all workers must stop; *err says which. */
bool weir__state_failed(struct state *state, weir_error *err);
/** For tests and the simulator: the disk breaks after so many more writes; 0 = now, as if a read had failed;
 *  negative = it does not. */
void weir__state_break_after(struct state *state, int writes);
/** Memory that the database holds now: block cache, memtables, table readers. */
int64_t weir__state_memory_bytes(struct state *state);
/** Removes from the disk what belongs to partitions that nobody has held for idle_ms. How many; -1 = the database
 *  has failed. */
int weir__state_cleanup(struct state *state, int64_t idle_ms, weir_error *err);
/** A small value that outlives the process (instance id, cluster id), under a name; buf gets a terminated string.
 *  False if there is none. */
bool weir__state_note_get(struct state *state, const char *name, char *buf, size_t size);
bool weir__state_note_put(struct state *state, const char *name, const char *value, weir_error *err);

/* --- stores --------------------------------------------------------------------------------------------------- */

enum store_kind {
	STORE_KEY_VALUE,
	/* Key in the changelog and below, as Kafka Streams': */
	STORE_WINDOW,  /* key | start (8, BE) | seq (4, BE) */
	STORE_SESSION, /* key | end (8, BE) | start (8, BE) */
	/* Versions of a key, each from its time on. In the changelog they are records of that key with that
	 * timestamp; in the cache and below rows of their own, key | time (8, BE): see versions.c. */
	STORE_VERSIONED,
	/* An object of the user's: only what the open transaction has put is here, and goes with the commit. */
	STORE_CUSTOM,
	STORE_NONE, /* weir__store_none */
};

/* Live form of a value of fixed size, changed in place; bytes only at the edges. */
struct store_codec {
	size_t size;
	/* Encoded bytes of *object, valid until the next call with the same user. */
	weir_bytes (*encode)(const void *object, void *user);
	/* Fills *object (size bytes); false if the bytes cannot be read. */
	bool (*decode)(weir_bytes bytes, void *object, void *user);
	void *user;
};

/* What is counted of a store. Those of several partitions may count in one place, if one thread has them all;
 * others may look at any time. */
struct store_stats {
	weir_counter gets;    /* of one key, found or not */
	weir_counter puts;    /* of a value; changes in place, too */
	weir_counter deletes; /* what a store of so many entries lets go of, too */
	weir_counter flushed; /* keys given out by flushes */
	weir_counter iterators_opened, iterators_closed;
	weir_histogram *open_us; /* of one iterator in so many: from its opening to its closing; NULL = not kept */
};

struct store_spec {
	const char *name;
	enum store_kind kind;
	/* windows: reads hide what starts at (greatest start seen) - retention or before (INT64_MAX: nothing);
	 * sessions: by their ends; versions: as of earlier than (greatest time seen) - retention only the
	 * newest is seen, and nothing is put */
	int64_t retention_ms;
	int64_t segment_ms;     /* windows: 0 = max(retention / 2, 60 s), as Kafka Streams */
	int64_t window_size_ms; /* kept beside the data: another size is refused at open (WEIR_STATE) */
	bool in_memory;         /* no checkpoint: restored whole */
	bool by_default;        /* the step says nothing: whoever opens it says whether it is in memory */
	bool logged;            /* has a changelog; else its checkpoint is its only life */
	/* Keys and values in memory: at most so many, 0 = any number. A put of one more deletes the key whose last
	 * use (get, put) is the longest ago. What is restored is taken as it comes. */
	int64_t entries_max;
	/* Instead of at the put, what is too much goes at the end of each flush, marked as evicted: a put is always
	 * given out, whatever becomes of it. Then with a codec and keep_old as well. */
	bool evicts_at_flush;
	/* Keys and values, windows, sessions: of values as bytes the headers are kept, too. */
	bool headers;
	bool ordered; /* an ordered index over cached keys: range reads are cheap */
	/* flush leaves out what was not there at the last flush and is not now; so it does with keep_old */
	bool leaves_out;
	bool keep_old;           /* flush gives the value as of the last flush, too */
	bool leaves_nothing_out; /* flush gives that all the same */
	bool late_last;          /* versions: the newest is not written to the changelog again behind a late one */
	bool duplicates; /* windows: a put adds a row beside those of its key and start, told apart by seq */
	struct store_codec codec;        /* size 0 = values are bytes */
	const weir_custom_store *custom; /* of STORE_CUSTOM */
	/* What store_change.origin is to be of a change made now; NULL = 0. */
	uint32_t (*origin)(void *user);
	void *origin_user;
	/* Of a key as in the changelog and a value; 0 = any. A put of more does nothing but tell. */
	int64_t record_bytes_max;
	void (*on_refused)(size_t bytes, void *user);
	/* A put of a window or session past retention, which only the changelog gets, as in Kafka Streams, or of a
	 * version before the history, which is none. NULL = nobody is told. */
	void (*on_expired)(void *user);
	void *user;
	struct store_stats *stats; /* must outlive the store; NULL = nobody looks */
};

/** Where wrong use of stores is told on this thread, once; NULL: the state fails by it, so that no more is
 * committed. */
void weir__store_misuse_to(weir_error *err);
/** It must not be committed. */
void weir__store_changed_by_query(weir_store *store);
/** Grows with each change of a value. */
uint32_t weir__store_version(const weir_store *store);
/** Stands in for a store that a step may not use, on this thread: it holds and takes nothing. */
weir_store *weir__store_none(void);

/** Opens partition `partition` of the store; the spec is copied, its strings and codec must outlive the store.
 *  Fails with `retriable` while another worker of this process holds the lease. */
weir_store *weir__store_open(struct state *state, const struct store_spec *spec, int32_t partition,
			     weir_error *err);
/** Gives the lease back; what was not checkpointed is dropped. NULL is fine. */
void weir__store_close(weir_store *store);
const struct store_spec *weir__store_spec(const weir_store *store);

/** Changelog offset up to which the checkpoint is complete (where restoring begins), or -1: none, restore from the
 *  first. */
int64_t weir__store_checkpoint_offset(const weir_store *store);
/** Wall time at which that checkpoint was written; -1 = none. */
int64_t weir__store_checkpoint_wall_ms(const weir_store *store);
/** Greatest time seen (window start or timestamp) as kept with the checkpoint; INT64_MIN = none. */
int64_t weir__store_time(const weir_store *store);
/** The time by which a store of windows, sessions or versions hides what is past retention, as of the last flush;
 * INT64_MIN = none. The changelog need not have it: what came and went between two flushes is not there, and
 * compaction drops deletions. */
int64_t weir__store_newest(const weir_store *store);
/** It was that, at least, at the commit up to which all has been restored. */
void weir__store_newest_was(weir_store *store, int64_t ms);
/** Drops all state of this partition, also on disk. */
bool weir__store_wipe(weir_store *store, weir_error *err);

/** One record of the changelog, in order: encoded key and value as there; a null value is a deletion. */
void weir__store_restore_put(weir_store *store, weir_bytes key, weir_bytes value, int64_t timestamp_ms);
/** The same with the record's headers, for a store that keeps them. */
void weir__store_restore_put_headers(weir_store *store, weir_bytes key, weir_bytes value, int64_t timestamp_ms,
				     const weir_headers *headers);
/** Everything before next_offset has been put: writes what is pending. Called now and then, and at the end. */
bool weir__store_restore_done(weir_store *store, int64_t next_offset, weir_error *err);

/** In place: the object of that key (start_ms for windows), made of zero bytes with *created = true if there is
 *  none. It counts as changed now; its timestamp becomes max(old, timestamp_ms). Valid until the next call on the
 *  store. Only with a codec.
 *  NULL: a window past retention. */
void *weir__store_object(weir_store *store, weir_bytes key, int64_t start_ms, int64_t timestamp_ms, bool *created);

/** As if the last call of weir__store_object had not been, with the entry's timestamp and the store's times; the
 * bytes of an object that was there must be as they were. Right after it, before anything else is done with the
 * store. */
void weir__store_object_undo(weir_store *store);

/** Deletes a key of a key-value store if it is there; it leaves no trace of having looked. */
void weir__store_delete_if_there(weir_store *store, weir_bytes key, int64_t timestamp_ms);

/** The value as of the last flush (what the flush at work has not given out yet is not seen), valid until the next
 *  call on the store; null when there was none. start_ms: of windows and sessions; end_ms: of sessions. Only with
 *  keep_old. */
weir_bytes weir__store_get_flushed(weir_store *store, weir_bytes key, int64_t start_ms, int64_t end_ms,
				   int64_t *timestamp_ms);

/** With duplicates: that key's rows are to be read or put soon, by the `distance`th record from now (2 comes before
 *  1); fetches the way to the last of them into the processor's cache. */
void weir__store_expect_rows(weir_store *store, weir_bytes key, int distance);

struct store_change {
	weir_bytes key;   /* as in the changelog: with window start and seq */
	weir_bytes value; /* encoded; null = deleted */
	weir_bytes old;   /* with keep_old: encoded, as of the last flush; null = there was none */
	int64_t timestamp_ms;
	const void *object;          /* live form, with a codec; NULL when deleted */
	const weir_headers *headers; /* of the value, in a store that keeps them; else NULL */
	uint32_t origin;             /* as spec.origin has had it at the last change */
	bool evicted;                /* with evicts_at_flush: nobody has deleted it */
};
/**
 * Gives each key changed since the last flush once, in the order in which they first changed, with its newest
 * value; fn may write to other stores, and to this one (then the key comes again in this same flush). Deletions of
 * keys that did not exist at the last flush and never reached the changelog come too, unless with leaves_out or
 * keep_old. fn false = stop: the flush fails and false is returned.
 */
typedef bool store_flush_fn(const struct store_change *change, void *user);
bool weir__store_flush(weir_store *store, store_flush_fn *fn, void *user);
/** True if something has changed since the last flush. */
bool weir__store_changed(const weir_store *store);

/** The transaction that holds the last flush is committed; the changelog's next offset is `next_offset` (-1 =
 *  unchanged). */
void weir__store_committed(weir_store *store, int64_t next_offset);
/** Writes committed values and the offset to RocksDB in one batch, at a commit boundary; with `durable` flushes the
 *  family to disk as well. */
bool weir__store_checkpoint(weir_store *store, bool durable, weir_error *err);
/** Committed changelog records that the durable checkpoint does not have yet. */
int64_t weir__store_tail(const weir_store *store);
/** Forgets everything that is not in RocksDB, committed or not. The store must be restored from its checkpoint
 *  offset. */
void weir__store_discard(weir_store *store);

/** Bytes held by cache and indexes. */
size_t weir__store_memory_bytes(const weir_store *store);
/** Brings the cache down to about `bytes`: drops what is clean; writes back what is committed and untouched by the
 *  open transaction. Returns what is held afterwards: more than asked when the rest is uncommitted (commit early
 *  then). */
size_t weir__store_shrink(weir_store *store, size_t bytes);

/** At a commit boundary. Windows and sessions: drops segments that lie wholly before `stream_time_ms` - retention,
 *  from cache and disk. Versions: drops some of those that had ended by then. Cheap if there is none. */
void weir__store_expire(weir_store *store, int64_t stream_time_ms);
/** Windows and sessions: the changelog offset below which every record has expired (DeleteRecords may cut there);
 *  -1 = nothing new. */
int64_t weir__store_purge_offset(weir_store *store, int64_t stream_time_ms);

/* What a version that says that its key is deleted has for a timestamp, as a row. */
enum { VERSION_DELETED = -1 };
/** All rows of a store of versions from one on (key | time; null = the first): entries with key, start_ms (the
 * time) and value, or timestamp_ms VERSION_DELETED. Of those that had ended before the history some may be
 * gone. */
weir_iterator *weir__store_versions(weir_store *store, weir_bytes from);

/** How many iterators are open; *since_ms gets the wall time since when the oldest is, INT64_MAX = none. Called
 * between callbacks, which ought to have closed them. How long each has been open is known from the first such look
 * on. */
size_t weir__store_open_iterators(weir_store *store, int64_t *since_ms);

/** Keys (estimate) and bytes on disk, for metrics. */
void weir__store_size(weir_store *store, int64_t *keys, int64_t *disk_bytes);

/** Whether keys of such a store have a time, by which they expire. */
static inline bool weir__store_kind_timed(enum store_kind kind)
{
	return kind == STORE_WINDOW || kind == STORE_SESSION;
}

enum { WINDOW_SUFFIX = 12, SESSION_SUFFIX = 16, VERSION_SUFFIX = 8 };

/** What stands behind the user's key. */
static inline size_t weir__key_suffix(enum store_kind kind)
{
	static const unsigned char suffixes[] = { [STORE_WINDOW] = WINDOW_SUFFIX,
						  [STORE_SESSION] = SESSION_SUFFIX,
						  [STORE_VERSIONED] = VERSION_SUFFIX,
						  [STORE_CUSTOM] = 0 };

	return suffixes[kind];
}

/** The time of a key that has one: a window's start, a session's end, a version's time. Never negative. */
static inline int64_t weir__key_time(enum store_kind kind, weir_bytes changelog_key)
{
	return weir_get_be64((const char *)changelog_key.data + changelog_key.len - weir__key_suffix(kind));
}

/** The fields of a session store's changelog key. False if it is too short. */
static inline bool weir__session_key_split(weir_bytes changelog_key, weir_bytes *key, int64_t *start_ms,
					   int64_t *end_ms)
{
	if (changelog_key.len < 16)
		return false;
	*key = (weir_bytes){ changelog_key.data, changelog_key.len - 16 };
	*end_ms = weir_get_be64((const char *)changelog_key.data + key->len);
	*start_ms = weir_get_be64((const char *)changelog_key.data + key->len + 8);
	return true;
}

/** The two fields of a window store's changelog key. False if it is too short. */
static inline bool weir__window_key_split(weir_bytes changelog_key, weir_bytes *key, int64_t *start_ms)
{
	if (changelog_key.len < 12)
		return false;
	*key = (weir_bytes){ changelog_key.data, changelog_key.len - 12 };
	*start_ms = weir_get_be64((const char *)changelog_key.data + key->len);
	return true;
}

#endif
