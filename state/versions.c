/*
 * Versions of keys (KIP-889). Each version is a row of its own, key | time; it lasts until the next one of its key
 * begins. A deletion is a version, too. So what a store holds is a set of rows, and replaying the changelog ends
 * in the same set, whatever order it is in and wherever one begins.
 *
 * The time of a key's newest row is kept in the cache, as a hint: an entry under key | -1, which is never written.
 *
 * Versions that had ended when the history begins are seen by nobody. They are taken out by a sweep that goes on a
 * little with each commit: of a key the oldest first and all at once, so that no older version comes back when the
 * deletion behind it is gone.
 */
#include "state/iterator.h"

enum { NONE = -1, SWEEP_ROWS = 1000 };

static int64_t history_begin(const weir_store *store)
{
	int64_t newest = store->times.timestamp_max;

	if (newest == INT64_MIN || store->spec.retention_ms == INT64_MAX)
		return INT64_MIN;
	return weir_time_sub(newest, store->spec.retention_ms);
}

static weir_bytes row_of(weir_store *store, weir_bytes key, int64_t time_ms)
{
	weir__version_key_encode(&store->key, key, time_ms);
	return weir__buffer_view(&store->key);
}

/* The first row in that direction; NONE: there is no such one. */
static int64_t first_time(weir_store *store, weir_bytes key, int64_t from_ms, int64_t to_ms, bool reverse)
{
	weir_iterator *it = weir__versions_rows(store, key, from_ms, to_ms, reverse);
	weir_entry e;
	int64_t ms = weir_iterator_next(it, &e) ? e.start_ms : NONE;

	weir_iterator_close(it);
	return ms;
}

/* --- hints ---------------------------------------------------------------------------------------------------- */

static struct entry *find_hint(weir_store *store, weir_bytes key)
{
	weir_bytes hint = row_of(store, key, -1);
	struct entry *e = store->in_memory ? NULL : weir__cache_find(&store->cache, hint, weir__cache_hash(hint));

	if (e)
		e->used = true;
	return e;
}

static int64_t newest_time(weir_store *store, weir_bytes key)
{
	const struct entry *known = find_hint(store, key);
	char bytes[8];

	if (known)
		return weir_get_be64(known->data);
	int64_t ms = first_time(store, key, 0, INT64_MAX, true);

	weir_put_be64(bytes, ms);
	if (!store->in_memory)
		weir__store_hint(store, row_of(store, key, -1), weir_bytes_of(bytes, sizeof bytes));
	return ms;
}

static bool is_hint(const struct entry *e, const void *store)
{
	(void)store;
	return weir__key_time(STORE_VERSIONED, weir__entry_key(e)) < 0;
}

void weir__versions_forget(weir_store *store)
{
	store->restored_max = store->swept_floor = INT64_MIN;
	store->sweeping = false;
	if (store->spec.kind == STORE_VERSIONED)
		weir__store_drop_if(store, &store->cache.clean, is_hint);
}

/* --- what a processor calls ----------------------------------------------------------------------------------- */

static weir_bytes read_version(weir_store *store, weir_bytes key, int64_t time_ms, int64_t *timestamp_ms)
{
	const struct entry *e = time_ms < 0 ? NULL : weir__store_find(store, row_of(store, key, time_ms));

	weir_counter_add_single(&store->stats->gets, 1);
	if (!e || e->timestamp_ms == VERSION_DELETED)
		return WEIR_NULL;
	if (timestamp_ms)
		*timestamp_ms = time_ms;
	return weir__store_value(store, e);
}

weir_bytes weir_versioned_get(weir_store *store, weir_bytes key, int64_t *timestamp_ms)
{
	if (!weir__store_is(store, STORE_VERSIONED, key))
		return WEIR_NULL;
	return read_version(store, key, newest_time(store, key), timestamp_ms);
}

weir_bytes weir_versioned_get_as_of(weir_store *store, weir_bytes key, int64_t as_of_ms, int64_t *timestamp_ms)
{
	if (!weir__store_is(store, STORE_VERSIONED, key))
		return WEIR_NULL;
	int64_t ms = newest_time(store, key);

	if (ms > as_of_ms)
		ms = as_of_ms < history_begin(store) ? NONE : first_time(store, key, 0, as_of_ms, true);
	return read_version(store, key, ms, timestamp_ms);
}

/* Compaction of the changelog leaves the last record of a key: that must be the newest version. */
static void log_again(weir_store *store, weir_bytes key, int64_t time_ms)
{
	weir_bytes row = row_of(store, key, time_ms);
	struct entry *e = weir__store_find(store, row);

	if (!e)
		return; /* the database failed */
	weir__store_write(store, row, weir__store_value(store, e), e->timestamp_ms);
	e = weir__store_find(store, row);
	if (!e || e->state != ENTRY_CHANGED)
		return;
	weir__list_remove(&e->link);
	weir__list_append(&store->cache.changed, &e->link);
}

int64_t weir_versioned_put(weir_store *store, weir_bytes key, weir_bytes value, int64_t timestamp_ms)
{
	bool deletes = weir_is_null(value);

	if (!weir__store_is(store, STORE_VERSIONED, key))
		return WEIR_NOT_PUT;
	if (timestamp_ms < 0 || timestamp_ms < history_begin(store)) {
		weir__store_expired(store);
		return WEIR_NOT_PUT;
	}
	int64_t newest = newest_time(store, key), next = WEIR_LATEST;

	if (timestamp_ms < newest)
		next = first_time(store, key, timestamp_ms + 1, INT64_MAX, false);
	weir__times_see(&store->times, INT64_MIN, timestamp_ms);
	weir__store_write(store, row_of(store, key, timestamp_ms), deletes ? weir_bytes_of("", 0) : value,
			  deletes ? VERSION_DELETED : timestamp_ms);
	if (timestamp_ms < newest) {
		if (!store->spec.late_last)
			log_again(store, key, newest);
		return next;
	}
	struct entry *hint = find_hint(store, key);

	if (hint)
		weir_put_be64(hint->data, timestamp_ms);
	return WEIR_LATEST;
}

weir_bytes weir_versioned_delete(weir_store *store, weir_bytes key, int64_t as_of_ms, int64_t *timestamp_ms)
{
	if (as_of_ms < 0 || as_of_ms < history_begin(store)) {
		weir__store_expired(store);
		return WEIR_NULL;
	}
	weir_bytes old = weir_versioned_get_as_of(store, key, as_of_ms, timestamp_ms);
	bool was = !weir_is_null(old);

	weir__buffer_set(&store->value, old);
	weir_versioned_put(store, key, WEIR_NULL, as_of_ms);
	return was ? weir__buffer_view(&store->value) : WEIR_NULL;
}

/* --- several versions of a key -------------------------------------------------------------------------------- */

static void add_time(weir_iterator *it, int64_t ms)
{
	if (it->time_count == it->time_capacity) {
		it->time_capacity = it->time_capacity ? 2 * it->time_capacity : 16;
		it->times = weir__realloc(it->times, it->time_capacity * sizeof *it->times);
	}
	it->times[it->time_count++] = ms;
}

/* The rows in question, and the time of the one behind them. */
static void collect_times(weir_iterator *it, weir_bytes key, int64_t from_ms, int64_t to_ms)
{
	weir_iterator *rows = weir__versions_rows(it->store, key, from_ms, INT64_MAX, false);
	weir_entry e;
	int64_t end_ms = WEIR_LATEST;

	while (end_ms == WEIR_LATEST && weir_iterator_next(rows, &e))
		if (e.start_ms > to_ms)
			end_ms = e.start_ms;
		else
			add_time(it, e.start_ms);
	weir_iterator_close(rows);
	add_time(it, end_ms);
	it->time_count--;
}

weir_iterator *weir_versioned_fetch(weir_store *store, weir_bytes key, int64_t from_ms, int64_t to_ms, bool reverse)
{
	if (!weir__store_is(store, STORE_VERSIONED, key))
		return weir__iterator_nothing();
	weir_iterator *it = weir__iterator_make(store, SHAPE_VERSIONS, reverse);
	int64_t begin = history_begin(store), first;

	weir__buffer_set(&it->low.key, key);
	if (to_ms < begin) { /* the newest is there for ever */
		first = newest_time(store, key);
	} else {
		from_ms = from_ms > begin ? from_ms : begin;
		first = first_time(store, key, 0, from_ms, true);
		if (first == NONE)
			first = from_ms;
	}
	if (from_ms <= to_ms)
		collect_times(it, key, first, to_ms);
	return it;
}

bool weir__versions_next(weir_iterator *it, weir_entry *entry)
{
	while (it->time_at < it->time_count && !weir__state_failed(it->store->state, NULL)) {
		size_t i = it->reverse ? it->time_count - 1 - it->time_at : it->time_at;
		weir_bytes key = weir__buffer_view(&it->low.key);

		it->time_at++;
		*entry = (weir_entry){ .key = key, .start_ms = it->times[i], .end_ms = it->times[i + 1] };
		entry->value = read_version(it->store, key, entry->start_ms, &entry->timestamp_ms);
		if (!weir_is_null(entry->value))
			return true;
	}
	return false;
}

/* --- from the changelog --------------------------------------------------------------------------------------- */

void weir__version_restore(weir_store *store, weir_bytes key, weir_bytes value, int64_t timestamp_ms)
{
	int64_t history_ms = store->spec.retention_ms;
	bool deletes = weir_is_null(value);

	if (weir_is_null(key) || timestamp_ms < 0)
		return;
	/* Kafka Streams also writes what its store did not take. */
	if (store->restored_max != INT64_MIN && history_ms != INT64_MAX &&
	    timestamp_ms < weir_time_sub(store->restored_max, history_ms))
		return;
	if (timestamp_ms > store->restored_max)
		store->restored_max = timestamp_ms;
	weir__times_see(&store->times, INT64_MIN, timestamp_ms);
	weir__restore_row(store, row_of(store, key, timestamp_ms), deletes ? weir_bytes_of("", 0) : value,
			  deletes ? VERSION_DELETED : timestamp_ms);
}

/* --- the sweep ------------------------------------------------------------------------------------------------ */

struct doomed {
	int64_t *times; /* of rows, oldest first */
	size_t count, room;
};

static bool is_saved(weir_store *store, weir_bytes row)
{
	const struct entry *e = weir__cache_find(&store->cache, row, weir__cache_hash(row));

	return !e || e->state == ENTRY_CLEAN;
}

/* What had ended at `floor`: all but the last before it, and that as well if it says that the key is deleted. */
static void find_doomed(weir_store *store, weir_bytes key, int64_t floor, struct doomed *d)
{
	weir_iterator *it = weir__versions_rows(store, key, 0, floor, false);
	bool last_deletes = false;
	weir_entry e;

	while (weir_iterator_next(it, &e)) {
		if (d->count == d->room) {
			d->room = d->room ? 2 * d->room : 16;
			d->times = weir__realloc(d->times, d->room * sizeof *d->times);
		}
		d->times[d->count++] = e.start_ms;
		last_deletes = e.timestamp_ms == VERSION_DELETED;
	}
	weir_iterator_close(it);
	if (d->count && !last_deletes)
		d->count--;
	/* what is not on disk yet stays, and what is younger with it */
	for (size_t i = 0; i < d->count; i++)
		if (!is_saved(store, row_of(store, key, d->times[i])))
			d->count = i;
}

static void drop_row(weir_store *store, struct disk_writer *w, weir_bytes row)
{
	struct entry *e = weir__cache_find(&store->cache, row, weir__cache_hash(row));

	if (e)
		weir__store_drop(store, e);
	if (w)
		weir__disk_write(w, weir__place_of(store, row), 0, WEIR_NULL);
}

static void drop_doomed(weir_store *store, weir_bytes key, const struct doomed *d)
{
	struct meta meta = weir__store_meta(store, store->disk.meta.offset);
	struct disk_writer w;

	meta.wall_ms = store->disk.meta.wall_ms;
	if (!store->in_memory)
		weir__disk_write_begin(&w, &store->disk, DISK_ONE_BATCH, &meta);
	for (size_t i = 0; i < d->count; i++)
		drop_row(store, store->in_memory ? NULL : &w, row_of(store, key, d->times[i]));
	if (!store->in_memory)
		weir__disk_write_end(&w, NULL); /* an error sticks */
	store->version++;
}

static void sweep_key(weir_store *store, weir_bytes key, int64_t floor)
{
	struct doomed d = { 0 };

	find_doomed(store, key, floor, &d);
	if (d.count)
		drop_doomed(store, key, &d);
	free(d.times);
}

/* Goes through some rows; with each key of which something may have ended it is done at once. */
static void sweep_some(weir_store *store, int64_t floor)
{
	weir_iterator *it = weir__store_versions(store, weir__buffer_view(&store->sweep));
	struct buffer key = { 0 };
	bool same = false, done = false;
	weir_entry e;
	int rows = 0;

	while (rows++ < SWEEP_ROWS && (store->sweeping = weir_iterator_next(it, &e))) {
		same = same && weir_bytes_equal(e.key, weir__buffer_view(&key));
		if (!same) {
			weir__buffer_set(&key, e.key);
			done = false;
		}
		weir__version_key_encode(&store->sweep, weir__buffer_view(&key), e.start_ms);
		if (!done && e.start_ms <= floor && (same || e.timestamp_ms == VERSION_DELETED)) {
			sweep_key(store, weir__buffer_view(&key), floor);
			done = true;
		}
		same = true;
	}
	weir_iterator_close(it);
	weir__buffer_release(&key);
}

void weir__versions_expire(weir_store *store)
{
	int64_t floor = history_begin(store), step = store->spec.retention_ms / 4 + 1;

	if (floor <= 0 || weir__state_failed(store->state, NULL))
		return;
	if (!store->sweeping) {
		if (weir_time_sub(floor, store->swept_floor) < step)
			return;
		store->sweeping = true;
		store->sweep.len = 0;
		store->swept_floor = floor;
	}
	sweep_some(store, store->swept_floor);
}
