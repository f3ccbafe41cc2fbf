#ifndef WEIR_STORE_H
#define WEIR_STORE_H
/*
 * State stores as a processor sees them: one partition of one store, reached by weir_context_store.
 *
 * Threads: only inside callbacks of the task that owns it, or of a query (read-only).
 * Lifetime: bytes that a get or an iterator gives are borrowed until the next call on the same store.
 * Errors: a failing disk is no concern of a callback: the call gives null and the worker stops before it commits.
 * So does wrong use: functions of another kind of store, a null key, headers where none are kept. In a query it
 * makes the query fail. Iterators are never NULL.
 * Isolation: a callback sees its own writes at once; others see them once the transaction is committed.
 */
#include <weir/headers.h>

typedef struct weir_store weir_store;
typedef struct weir_iterator weir_iterator;

/* --- key-value ----------------------------------------------------------------------------------- */

/** The value, or null. *timestamp_ms (may be NULL) gets the time it was put with. */
weir_bytes weir_store_get(weir_store *store, weir_bytes key, int64_t *timestamp_ms);
/** Puts a copy; a null value deletes the key. The key must not be null. Of all puts: key and value together must
 *  fit into a record of the changelog (kafka.message.max.bytes); else the transaction is done again without the
 *  record at work, which becomes a dead letter (from a timer or init: the application stops). */
void weir_store_put(weir_store *store, weir_bytes key, weir_bytes value, int64_t timestamp_ms);
/** Puts it if there is none; gives the value that is there, valid until the next call on the store, or null: it was
 * put. */
weir_bytes weir_store_put_if_absent(weir_store *store, weir_bytes key, weir_bytes value, int64_t timestamp_ms);

/** Keys from `from` to `to`, both inclusive, null = open; unsigned byte order, or backwards. The store must have
 *  been added as `ordered` if this is to be cheap. No other write to the store while the iterator is open. */
weir_iterator *weir_store_range(weir_store *store, weir_bytes from, weir_bytes to, bool reverse);
/** Keys, about how many; of windows and sessions each counts, of versions each as well. A store on disk counts what
 * lies there, and that is no younger than checkpoint.interval.ms; one in memory what it holds. */
int64_t weir_store_count(weir_store *store);
/** Keys that begin with `prefix`. */
weir_iterator *weir_store_prefix(weir_store *store, weir_bytes prefix);
/** The same backwards. */
weir_iterator *weir_store_prefix_reverse(weir_store *store, weir_bytes prefix);

typedef struct weir_entry {
	weir_bytes key, value;
	int64_t timestamp_ms;
	int64_t start_ms; /* of the window or session, or from when on it is valid; 0 in a key-value store */
	int64_t end_ms;   /* of the session; from when on a version is no longer valid; else 0 */
	const weir_headers *headers; /* in a store that keeps them; else NULL */
} weir_entry;

/** The next entry; false at the end. What it gives is valid until the next call on the iterator. */
bool weir_iterator_next(weir_iterator *it, weir_entry *entry);
/** What the next call of weir_iterator_next gives, without going on. */
bool weir_iterator_peek(weir_iterator *it, weir_entry *entry);
/** Each iterator must be closed, in the callback that has opened it: one that is left open holds memory, and files
 * of a store on disk. Such ones are logged as a warning and shown as metrics (weir_store_iterators_open,
 * weir_store_oldest_iterator_open_since_seconds: KIP-989). */
void weir_iterator_close(weir_iterator *it);

/* --- windows: a value for each (key, start) ------------------------------------------------------ */

/* In a store with duplicates a put adds a value to those that the window has, and a null value does nothing; they
 * are read by weir_window_fetch and weir_window_fetch_all, by time and then in the order in which they were put
 * (weir_window_get gives null). */

/** The value of the window, valid until the next call on the store, and its time; null when there is none. */
weir_bytes weir_window_get(weir_store *store, weir_bytes key, int64_t start_ms, int64_t *timestamp_ms);
/** A window past the store's retention is not stored. A null value deletes. */
void weir_window_put(weir_store *store, weir_bytes key, weir_bytes value, int64_t start_ms, int64_t timestamp_ms);
/** Windows of one key with from_ms <= start <= to_ms, by start. */
weir_iterator *weir_window_fetch(weir_store *store, weir_bytes key, int64_t from_ms, int64_t to_ms, bool reverse);
/** Windows of all keys with from_ms <= start <= to_ms; by time segment, then by key, then by start. */
weir_iterator *weir_window_fetch_all(weir_store *store, int64_t from_ms, int64_t to_ms);
/** The same backwards. */
weir_iterator *weir_window_fetch_all_reverse(weir_store *store, int64_t from_ms, int64_t to_ms);
/** The same of the keys from `from` to `to`, both inclusive, null = open. */
weir_iterator *weir_window_fetch_keys(weir_store *store, weir_bytes from, weir_bytes to, int64_t from_ms,
				      int64_t to_ms, bool reverse);
/** Windows of all keys that begin with `prefix` whose start is start_ms; by key. */
weir_iterator *weir_window_prefix(weir_store *store, weir_bytes prefix, int64_t start_ms);

/* --- sessions: a value for each (key, start, end), both inclusive -------------------------------- */

/** The value of that very session, or null. */
weir_bytes weir_session_get(weir_store *store, weir_bytes key, int64_t start_ms, int64_t end_ms,
			    int64_t *timestamp_ms);
/** A session that ends past the store's retention is not stored. A null value deletes. */
void weir_session_put(weir_store *store, weir_bytes key, weir_bytes value, int64_t start_ms, int64_t end_ms,
		      int64_t timestamp_ms);
/** Sessions of one key with end >= earliest_end_ms and start <= latest_start_ms; by end, then by start. */
weir_iterator *weir_session_find(weir_store *store, weir_bytes key, int64_t earliest_end_ms,
				 int64_t latest_start_ms, bool reverse);
/** Sessions of all keys with earliest_end_ms <= end <= latest_end_ms; by time segment, then by key, then by end. */
weir_iterator *weir_session_find_all(weir_store *store, int64_t earliest_end_ms, int64_t latest_end_ms);
/** The same backwards. */
weir_iterator *weir_session_find_all_reverse(weir_store *store, int64_t earliest_end_ms, int64_t latest_end_ms);
/** Sessions of the keys from `from` to `to`, both inclusive, null = open, with end >= earliest_end_ms and start <=
 * latest_start_ms; in the same order. */
weir_iterator *weir_session_find_keys(weir_store *store, weir_bytes from, weir_bytes to, int64_t earliest_end_ms,
				      int64_t latest_start_ms, bool reverse);

/* --- headers: of the values in keys and values, windows, sessions (KIP-1271) ------------------------------------
 *
 * A store added with `headers` keeps those that a value is put with, in its changelog as headers of the record.
 * Iterators give them; the functions above put without headers, and get without looking at them. A deletion has in
 * the changelog the headers of the record that has caused it. */

/** weir_store_put with headers; NULL = none. Copied. */
void weir_store_put_headers(weir_store *store, weir_bytes key, weir_bytes value, int64_t timestamp_ms,
			    const weir_headers *headers);
/** weir_store_get; *headers gets the value's headers, none where there is no value, valid as long as that is. */
weir_bytes weir_store_get_headers(weir_store *store, weir_bytes key, int64_t *timestamp_ms,
				  const weir_headers **headers);
/** weir_window_put with headers. */
void weir_window_put_headers(weir_store *store, weir_bytes key, weir_bytes value, int64_t start_ms,
			     int64_t timestamp_ms, const weir_headers *headers);
/** weir_window_get with headers. */
weir_bytes weir_window_get_headers(weir_store *store, weir_bytes key, int64_t start_ms, int64_t *timestamp_ms,
				   const weir_headers **headers);
/** weir_session_put with headers. */
void weir_session_put_headers(weir_store *store, weir_bytes key, weir_bytes value, int64_t start_ms, int64_t end_ms,
			      int64_t timestamp_ms, const weir_headers *headers);
/** weir_session_get with headers. */
weir_bytes weir_session_get_headers(weir_store *store, weir_bytes key, int64_t start_ms, int64_t end_ms,
				    int64_t *timestamp_ms, const weir_headers **headers);

/* --- versions: the values that a key has had, each from its time on until the next one's (KIP-889) ---------------
 *
 * A store of versions keeps a history: from the greatest time that has been put, history_ms back (both ends
 * included). Within it, what was valid at any time is found exactly; older values may be gone, but for the
 * newest one of a key. A key has at most one version with a time: putting another replaces it. A deletion is a
 * version as well. */

enum { WEIR_LATEST = -1 };
#define WEIR_NOT_PUT INT64_MIN

/** Puts a version, wherever in the history it belongs; a null value: the key is deleted from then on. Gives the
 * time of the version that follows, WEIR_LATEST if there is none, or WEIR_NOT_PUT: its time is before the
 * history, or negative. */
int64_t weir_versioned_put(weir_store *store, weir_bytes key, weir_bytes value, int64_t timestamp_ms);
/** The newest version, and its time; null if the key is not there, or deleted. */
weir_bytes weir_versioned_get(weir_store *store, weir_bytes key, int64_t *timestamp_ms);
/** The version that was valid then. Null also when that is before the history, unless the newest one is as old. */
weir_bytes weir_versioned_get_as_of(weir_store *store, weir_bytes key, int64_t as_of_ms, int64_t *timestamp_ms);
/** Puts a deletion, and gives what was valid then (valid until the next call on the store); null, and nothing is
 * put, before the history. */
weir_bytes weir_versioned_delete(weir_store *store, weir_bytes key, int64_t as_of_ms, int64_t *timestamp_ms);
/** The versions of one key that were valid at some time from from_ms to to_ms (both included), by time; without
 * deletions (KIP-968). Entries have start_ms, and end_ms, which is WEIR_LATEST for the newest. */
weir_iterator *weir_versioned_fetch(weir_store *store, weir_bytes key, int64_t from_ms, int64_t to_ms,
				    bool reverse);

/* --- stores of one's own -----------------------------------------------------------------------------------------
 *
 * An object of any form, one for each partition (weir_add_custom_store). Steps find it by weir_custom_object and do
 * with it what they like. What it must know again after a restart they put into its changelog. After an abort it is
 * closed, a new one is opened and restored: so it never shows what was not committed, if all changes are put. */

typedef struct weir_custom_store {
	/* An empty one. */
	void *(*open)(int32_t partition, void *user);
	/* What was put, in order, the newest of each key at least; a null value is a deletion. */
	void (*restore)(void *object, weir_bytes key, weir_bytes value, int64_t timestamp_ms, void *user);
	void (*close)(void *object, void *user); /* may be NULL */
	void *user;
} weir_custom_store;

/** The object; from a query, too, which must not change it. */
void *weir_custom_object(const weir_store *store);
/** Puts into the changelog, in this transaction, as weir_store_put; of each key the last of a commit is written. */
void weir_custom_put(weir_store *store, weir_bytes key, weir_bytes value, int64_t timestamp_ms);

#endif
