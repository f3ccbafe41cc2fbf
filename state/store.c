/* A store partition: open, close, and what a processor does with single keys. */
#include "state/partition.h"

#include <inttypes.h>
#include <weir/log.h>

static void close_custom(weir_store *store)
{
	const weir_custom_store *custom = store->spec.custom;

	if (custom && custom->close && store->custom)
		custom->close(store->custom, custom->user);
	store->custom = NULL;
}

/* --- open and close ------------------------------------------------------------------------------------------- */

weir_store *weir__store_open(struct state *state, const struct store_spec *spec, int32_t partition, weir_error *err)
{
	weir_store *store = weir__calloc(1, sizeof *store);

	weir_assert(spec->kind != STORE_VERSIONED || !(spec->codec.size || spec->keep_old));
	weir_assert(!spec->entries_max || (spec->kind == STORE_KEY_VALUE && spec->in_memory &&
					   (spec->evicts_at_flush || (!spec->codec.size && !spec->keep_old))));
	weir_assert(!spec->headers || (spec->kind <= STORE_SESSION && !spec->codec.size && !spec->keep_old));
	store->spec = *spec;
	store->stats = spec->stats ? spec->stats : &store->own_stats;
	store->spec.ordered |= spec->kind == STORE_VERSIONED;
	store->partition = partition;
	store->state = state;
	store->in_memory = spec->in_memory || !state->db;
	store->family = weir__family_take(state, spec->name, partition, !store->in_memory, store, err);
	if (!store->family) {
		free(store);
		return NULL;
	}
	bool opened =
		weir__disk_open(&store->disk, state, store->in_memory ? NULL : store->family, store, spec, err);
	weir__cache_init(&store->cache, spec->duplicates, spec->entries_max > 0);
	store->order = (struct order){ .kind = spec->kind, .segment_ms = store->disk.meta.segment_ms };
	store->segment_ms = store->disk.meta.segment_ms;
	store->txn = 1;
	store->purged = -1;
	weir__store_forget(store);
	weir__purge_note(store, store->offset, store->times.start_max);
	if (opened)
		return store;
	weir__store_close(store);
	return NULL;
}

void weir__store_close(weir_store *store)
{
	if (!store)
		return;
	weir_assert(!store->flushing);
	weir__iterators_orphan(store);
	weir__run_release(store);
	weir__disk_release(&store->disk);
	weir__order_clear(&store->order);
	weir__cache_release(&store->cache);
	weir__family_give(store->state, store->family);
	weir__buffer_release(&store->key);
	weir__buffer_release(&store->value);
	weir__buffer_release(&store->old);
	weir__buffer_release(&store->kept);
	weir__kept_release(&store->found);
	weir__kept_release(&store->flushed);
	weir__buffer_release(&store->sweep);
	close_custom(store);
	free(store->sorted);
	free(store);
}

void weir__store_forget(weir_store *store)
{
	struct link *unsaved[] = { &store->cache.changed, &store->cache.flushed, &store->cache.dirty,
				   store->in_memory ? &store->cache.clean : NULL };

	weir__order_clear(&store->order);
	/* the newest first: with duplicates they are the first in their chains */
	for (size_t i = 0; i < sizeof unsaved / sizeof *unsaved; i++)
		while (unsaved[i] && !weir__list_empty(unsaved[i]))
			weir__cache_remove(&store->cache, weir__entry_of(unsaved[i]->prev));
	weir__versions_forget(store);
	close_custom(store);
	if (store->spec.custom)
		store->custom = store->spec.custom->open(store->partition, store->spec.custom->user);
	weir__cache_trim(&store->cache);
	weir__run_release(store);
	store->offset = store->disk.meta.offset;
	store->times = (struct times){ store->disk.meta.start_max, store->disk.meta.timestamp_max };
	store->times_flushed = store->times_committed = store->times;
	store->flushed_count = 0;
	store->version++;
}

void weir__store_discard(weir_store *store)
{
	weir_assert(!store->flushing);
	weir__store_forget(store);
	store->txn++;
}

bool weir__store_wipe(weir_store *store, weir_error *err)
{
	weir_assert(!store->flushing);
	if (!store->in_memory && !weir__disk_wipe(&store->disk, err))
		return false;
	while (!weir__list_empty(&store->cache.clean))
		weir__cache_remove(&store->cache, weir__entry_of(store->cache.clean.next));
	weir__store_discard(store);
	store->segment_live = 0;
	store->complete_from_ms = 0;
	store->purge_count = 0;
	store->purged = -1;
	store->unlogged_tail = 0;
	return true;
}

/* --- facts ---------------------------------------------------------------------------------------------------- */

const struct store_spec *weir__store_spec(const weir_store *store)
{
	return &store->spec;
}

int64_t weir__store_checkpoint_offset(const weir_store *store)
{
	return store->disk.meta.offset;
}

int64_t weir__store_checkpoint_wall_ms(const weir_store *store)
{
	return store->disk.meta.wall_ms;
}

int64_t weir__store_time(const weir_store *store)
{
	return store->times.timestamp_max > store->times.start_max ? store->times.timestamp_max
								   : store->times.start_max;
}

int64_t weir__store_newest(const weir_store *store)
{
	return store->spec.kind == STORE_VERSIONED        ? store->times_flushed.timestamp_max
	       : weir__store_kind_timed(store->spec.kind) ? store->times_flushed.start_max
							  : INT64_MIN;
}

void weir__store_newest_was(weir_store *store, int64_t ms)
{
	weir_assert(!weir__store_changed(store));
	if (store->spec.kind == STORE_VERSIONED)
		weir__times_see(&store->times, INT64_MIN, ms);
	else if (weir__store_kind_timed(store->spec.kind))
		weir__times_see(&store->times, ms, INT64_MIN);
	store->times_flushed = store->times_committed = store->times;
}

bool weir__store_changed(const weir_store *store)
{
	return !weir__list_empty(&store->cache.changed);
}

size_t weir__store_memory_bytes(const weir_store *store)
{
	return store->cache.bytes + store->order.bytes + store->run.bytes +
	       store->sorted_capacity * sizeof *store->sorted;
}

void weir__store_size(weir_store *store, int64_t *keys, int64_t *disk_bytes)
{
	*keys = (int64_t)(store->cache.by_use ? store->cache.use_count : store->cache.count);
	*disk_bytes = 0;
	if (!store->in_memory)
		weir__disk_size(&store->disk, keys, disk_bytes);
}

/* --- entries -------------------------------------------------------------------------------------------------- */

weir_bytes weir__store_value(const weir_store *store, const struct entry *e)
{
	if (!e->present)
		return WEIR_NULL;
	if (store->spec.codec.size)
		return store->spec.codec.encode(e->data, store->spec.codec.user);
	return (weir_bytes){ e->data, e->value_len };
}

static int compare_entries(const void *a, const void *b, const void *user)
{
	return weir__place_compare(weir__place_of(user, weir__entry_key(a)),
				   weir__place_of(user, weir__entry_key(b)));
}

void weir__entries_sort(const weir_store *store, struct sort_item *items, size_t n, const struct sort_span *span)
{
	struct sort_item *spare = weir__malloc((n / 2 + 1) * sizeof *spare);

	for (size_t i = 0; i < n; i++)
		items[i].prefix = weir__sort_prefix(span, weir__place_of(store, weir__entry_key(items[i].item)));
	weir__sort(items, spare, n, compare_entries, store);
	free(spare);
}

static bool in_order(const weir_store *store, const struct entry *e)
{
	return store->spec.ordered && (store->in_memory || e->state != ENTRY_CLEAN);
}

static struct entry *insert(weir_store *store, weir_bytes key, uint32_t hash, size_t room)
{
	struct entry *e = weir__cache_insert(&store->cache, key, hash, room);

	if (in_order(store, e))
		weir__order_insert(&store->order, e);
	return e;
}

void weir__store_drop(weir_store *store, struct entry *e)
{
	if (in_order(store, e))
		weir__order_remove(&store->order, e);
	weir__cache_remove(&store->cache, e);
}

void weir__store_drop_if(weir_store *store, struct link *head,
			 bool (*goes)(const struct entry *e, const void *user))
{
	for (struct link *kept = head, *l; (l = kept->next) != head;) {
		struct entry *e = weir__entry_of(l);

		if (!goes(e, store))
			kept = l;
		else if (store->spec.duplicates)
			weir__cache_sweep_chain(&store->cache, e, goes, store);
		else
			weir__store_drop(store, e);
	}
}

void weir__store_make_clean(weir_store *store, struct entry *e)
{
	bool was_in_order = in_order(store, e);

	e->state = ENTRY_CLEAN;
	if (was_in_order && !in_order(store, e))
		weir__order_remove(&store->order, e);
	weir__list_remove(&e->link);
	weir__list_append(&store->cache.clean, &e->link);
}

/* The value goes in; the entry has room for it. */
static void set_value(weir_store *store, struct entry *e, weir_bytes value, int64_t timestamp_ms)
{
	const struct store_codec *codec = &store->spec.codec;

	e->timestamp_ms = timestamp_ms;
	e->present = !weir_is_null(value);
	if (store->cache.by_use)
		weir__cache_use(&store->cache, e);
	if (!e->present) {
		e->value_len = 0;
		return;
	}
	if (!codec->size) {
		if (value.len)
			memmove(e->data, value.data, value.len); /* may come from this very entry */
		e->value_len = (uint32_t)value.len;
		return;
	}
	e->value_len = (uint32_t)codec->size;
	if (codec->decode(value, e->data, codec->user))
		return;
	e->present = false;
	weir__state_fail(store->state, NULL, "read a value of", store->family->name, "the codec refuses its bytes");
}

static size_t room_for(const weir_store *store, weir_bytes value)
{
	return store->spec.codec.size ? store->spec.codec.size : value.len;
}

static bool may_be_on_disk(const weir_store *store, struct place place)
{
	const struct disk *disk = &store->disk;

	if (store->in_memory || !disk->rows)
		return false;
	if (!weir__store_kind_timed(store->spec.kind))
		return true;
	/* A window that starts after all that was ever written is new: no need to look. */
	return place.segment >= disk->segment_min &&
	       weir__key_time(store->spec.kind, place.key) <= disk->meta.start_max;
}

/* From disk into the cache, also when there is nothing. NULL: the database failed. */
static struct entry *load(weir_store *store, weir_bytes key, uint32_t hash)
{
	struct place place = weir__place_of(store, key);
	struct row row = { 0 };

	if (store->run.count && !weir__run_write(store, NULL))
		return NULL;
	if (may_be_on_disk(store, place) && !weir__disk_get(&store->disk, place, &row))
		return NULL;
	struct entry *e = insert(store, key, hash, room_for(store, row.value));
	set_value(store, e, row.value, row.timestamp_ms);
	weir__row_release(&row);
	return atomic_load_explicit(&store->state->failed, memory_order_relaxed) ? NULL : e;
}

/* NULL: there is none, or the database failed. */
static struct entry *find(weir_store *store, weir_bytes key, uint32_t hash)
{
	struct entry *e = weir__cache_find(&store->cache, key, hash);

	if (!e && !store->in_memory)
		e = load(store, key, hash);
	if (e)
		e->used = true;
	return e;
}

struct entry *weir__store_find(weir_store *store, weir_bytes row)
{
	struct entry *e = find(store, row, weir__store_hash(store, row));

	return e && e->present ? e : NULL;
}

static struct entry *replace(weir_store *store, struct entry *e, size_t room)
{
	/* what grows once may grow again */
	size_t slack = e->value_capacity && !store->spec.codec.size ? room / 4 : 0;
	/* the old value goes with it */
	struct entry *n =
		weir__cache_replace(&store->cache, e, room + slack > e->value_len ? room + slack : e->value_len);

	if (in_order(store, e))
		weir__order_replace(&store->order, e, n);
	if (e == store->pinned)
		store->pinned_replaced = true;
	else
		weir__cache_free(&store->cache, e);
	return n;
}

static uint32_t origin(const weir_store *store)
{
	return store->spec.origin ? store->spec.origin(store->spec.origin_user) : 0;
}

/* The entry is about to change, to a value that wants so much room. */
static struct entry *change(weir_store *store, struct entry *e, size_t room)
{
	store->version++;
	if (e->value_capacity < room || e == store->pinned)
		e = replace(store, e, room);
	if (e->state == ENTRY_CHANGED) {
		e->origin = origin(store);
		if (store->cache.by_use) { /* the changelog tells, as far as it can, what was used last */
			weir__list_remove(&e->link);
			weir__list_append(&store->cache.changed, &e->link);
		}
		return e;
	}
	if (store->spec.keep_old && e->present)
		weir__cache_save_old(&store->cache, e);
	e->fresh = (store->spec.keep_old || store->spec.codec.size) && !e->present && e->state == ENTRY_CLEAN;
	e->was = e->present;
	e->blind = false;
	bool was_in_order = in_order(store, e);
	e->state = ENTRY_CHANGED;
	e->origin = origin(store);
	if (!was_in_order && in_order(store, e))
		weir__order_insert(&store->order, e);
	weir__list_remove(&e->link);
	weir__list_append(&store->cache.changed, &e->link);
	return e;
}

static bool refused(const weir_store *store, weir_bytes key, weir_bytes value)
{
	const struct store_spec *spec = &store->spec;
	size_t bytes = key.len + value.len - (spec->kind == STORE_VERSIONED ? VERSION_SUFFIX : 0);

	if (!spec->record_bytes_max || bytes <= (size_t)spec->record_bytes_max)
		return false;
	spec->on_refused(bytes, spec->user);
	return true;
}

void weir__store_write(weir_store *store, weir_bytes key, weir_bytes value, int64_t timestamp_ms)
{
	if (refused(store, key, value))
		return;
	uint32_t hash = weir__store_hash(store, key);
	struct entry *e =
		store->spec.keep_old ? find(store, key, hash) : weir__cache_find(&store->cache, key, hash);
	size_t room = room_for(store, value);
	bool blind = !e && !store->in_memory;

	weir_counter_add_single(weir_is_null(value) ? &store->stats->deletes : &store->stats->puts, 1);
	if (!e)
		e = insert(store, key, hash, room);
	e = change(store, e, room);
	e->blind |= blind;
	e->used = true;
	set_value(store, e, value, timestamp_ms);
}

struct entry *weir__store_evict(weir_store *store)
{
	if (!store->spec.evicts_at_flush || store->cache.use_count <= (size_t)store->spec.entries_max)
		return NULL;
	struct entry *e = change(store, weir__cache_least_used(&store->cache), 0);

	set_value(store, e, WEIR_NULL, store->times.timestamp_max);
	return e;
}

struct entry *weir__store_hint(weir_store *store, weir_bytes key, weir_bytes value)
{
	struct entry *e = insert(store, key, weir__store_hash(store, key), value.len);

	set_value(store, e, value, 0);
	e->used = true;
	return e;
}

void weir__store_put_committed(weir_store *store, weir_bytes key, weir_bytes value, int64_t timestamp_ms)
{
	uint32_t hash = weir__store_hash(store, key);
	struct entry *e = weir__cache_find(&store->cache, key, hash);
	size_t room = room_for(store, value);

	store->version++;
	if (weir_is_null(value)) {
		if (e)
			weir__store_drop(store, e);
		return;
	}
	if (!e)
		e = insert(store, key, hash, room);
	else if (e->value_capacity < room)
		e = replace(store, e, room);
	set_value(store, e, value, timestamp_ms);
}

/* --- rows beside each other ----------------------------------------------------------------------------------- */

void weir__rows_restored(weir_store *store)
{
	/* Each row has been a record of the changelog: so none has a number beyond it, whoever wrote it. */
	store->seq = store->offset > 0 ? (uint32_t)store->offset : 0;
	if (!store->in_memory && store->times.start_max >= store->complete_from_ms)
		store->complete_from_ms = weir_time_add(store->times.start_max, 1);
}

void weir__store_expired(const weir_store *store)
{
	if (store->spec.on_expired)
		store->spec.on_expired(store->spec.user);
}

/* As in Kafka Streams the changelog has one past retention as well, which nobody sees; and of a null value, which
 * is no row and moves no time, a tombstone under a key of its own. */
static void add_row(weir_store *store, weir_bytes key, weir_bytes value, int64_t start_ms, int64_t timestamp_ms)
{
	weir_assert(store->spec.kind == STORE_WINDOW && !weir_is_null(key));
	if (start_ms < 0)
		return;
	if (!weir_is_null(value)) {
		if (start_ms < weir__store_floor(store, store->times.start_max))
			weir__store_expired(store);
		weir__times_see(&store->times, start_ms, timestamp_ms);
	}
	store->seq = (store->seq + 1) & INT32_MAX;
	weir__window_key_encode(&store->key, key, start_ms, store->seq);
	weir_bytes row = weir__buffer_view(&store->key);
	if (refused(store, row, value))
		return;
	struct entry *e = insert(store, row, weir__store_hash(store, row), value.len);

	weir_counter_add_single(&store->stats->puts, 1);
	set_value(store, change(store, e, value.len), value, timestamp_ms);
}

/* --- what a processor calls ----------------------------------------------------------------------------------- */

weir_bytes weir__store_read(weir_store *store, weir_bytes key, int64_t *timestamp_ms)
{
	struct entry *e = find(store, key, weir__cache_hash(key));

	weir_counter_add_single(&store->stats->gets, 1);
	if (!e || !e->present)
		return WEIR_NULL;
	if (store->cache.by_use)
		weir__cache_use(&store->cache, e);
	if (timestamp_ms)
		*timestamp_ms = e->timestamp_ms;
	return weir__store_value(store, e);
}

static weir_bytes get_flushed(weir_store *store, weir_bytes key, int64_t *timestamp_ms)
{
	struct entry *e = find(store, key, weir__cache_hash(key));

	if (!e || e->state != ENTRY_CHANGED)
		return weir__store_read(store, key, timestamp_ms);
	weir_counter_add_single(&store->stats->gets, 1);
	if (!e->old)
		return WEIR_NULL;
	*timestamp_ms = e->old->timestamp_ms;
	if (store->spec.codec.size)
		return store->spec.codec.encode(e->old->data, store->spec.codec.user);
	return (weir_bytes){ e->old->data, e->old->len };
}

weir_bytes weir__store_keep(weir_store *store, weir_bytes value, const weir_headers *headers)
{
	if (headers && !store->spec.headers)
		weir__store_misused_as(store, "it keeps no headers");
	return store->spec.headers && !weir_is_null(value) ? weir__kept_encode(&store->kept, value, headers)
							   : value;
}

weir_bytes weir__store_plain(weir_store *store, weir_bytes kept, const weir_headers **headers)
{
	static const weir_headers none;

	if (headers && !store->spec.headers) {
		weir__store_misused_as(store, "it keeps no headers");
		*headers = &none;
	} else if (headers) {
		*headers = weir__kept_headers(&store->found, kept);
	}
	return store->spec.headers ? weir__kept_value(kept) : kept;
}

static weir_bytes get(weir_store *store, weir_bytes key, int64_t *timestamp_ms, const weir_headers **headers)
{
	weir_bytes kept = WEIR_NULL;

	if (weir__store_is(store, STORE_KEY_VALUE, key))
		kept = weir__store_read(store, key, timestamp_ms);
	return weir__store_plain(store, kept, headers);
}

weir_bytes weir_store_get(weir_store *store, weir_bytes key, int64_t *timestamp_ms)
{
	return get(store, key, timestamp_ms, NULL);
}

weir_bytes weir_store_get_headers(weir_store *store, weir_bytes key, int64_t *timestamp_ms,
				  const weir_headers **headers)
{
	return get(store, key, timestamp_ms, headers);
}

/* Deletes what is too much. */
static void make_room(weir_store *store, int64_t timestamp_ms)
{
	for (size_t n = store->cache.use_count; n > (size_t)store->spec.entries_max; n--) {
		weir_bytes least_used = weir__entry_key(weir__cache_least_used(&store->cache));

		weir__store_write(store, least_used, WEIR_NULL, timestamp_ms);
	}
}

static void put(weir_store *store, weir_bytes key, weir_bytes value, int64_t timestamp_ms,
		const weir_headers *headers)
{
	if (!weir__store_is(store, STORE_KEY_VALUE, key))
		return;
	weir__times_see(&store->times, INT64_MIN, timestamp_ms);
	weir__store_write(store, key, weir__store_keep(store, value, headers), timestamp_ms);
	if (store->cache.by_use && !store->spec.evicts_at_flush)
		make_room(store, timestamp_ms);
}

void weir_store_put(weir_store *store, weir_bytes key, weir_bytes value, int64_t timestamp_ms)
{
	put(store, key, value, timestamp_ms, NULL);
}

weir_bytes weir_store_put_if_absent(weir_store *store, weir_bytes key, weir_bytes value, int64_t timestamp_ms)
{
	weir_bytes there = get(store, key, NULL, NULL);

	if (weir_is_null(there))
		put(store, key, value, timestamp_ms, NULL);
	return there;
}

void weir_store_put_headers(weir_store *store, weir_bytes key, weir_bytes value, int64_t timestamp_ms,
			    const weir_headers *headers)
{
	put(store, key, value, timestamp_ms, headers);
}

bool weir__store_key(weir_store *store, weir_bytes key, int64_t start_ms, int64_t end_ms)
{
	enum store_kind kind = store->spec.kind;

	weir_assert(!weir_is_null(key));
	if (kind == STORE_KEY_VALUE) {
		weir__buffer_set(&store->key, key);
		return true;
	}
	if (kind == STORE_SESSION)
		weir__session_key_encode(&store->key, key, start_ms, end_ms);
	else
		weir__window_key_encode(&store->key, key, start_ms, 0);
	return start_ms >= 0 &&
	       (kind == STORE_SESSION ? end_ms : start_ms) >= weir__store_floor(store, store->times.start_max);
}

void weir__store_expect_rows(weir_store *store, weir_bytes key, int distance)
{
	weir__cache_expect(&store->cache, weir__cache_hash(key), distance <= 1);
}

bool weir__store_on_disk(weir_store *store, weir_bytes row_key)
{
	struct place place = weir__place_of(store, row_key);
	struct row row = { 0 };

	if (store->run.count)
		weir__run_write(store, NULL);
	if (!may_be_on_disk(store, place))
		return false;
	bool there = weir__disk_get(&store->disk, place, &row) && !weir_is_null(row.value);

	weir__row_release(&row);
	return there;
}

void weir__store_delete_if_there(weir_store *store, weir_bytes key, int64_t timestamp_ms)
{
	struct entry *e = weir__cache_find(&store->cache, key, weir__cache_hash(key));

	weir_assert(store->spec.kind == STORE_KEY_VALUE);
	if (e ? e->present : weir__store_on_disk(store, key))
		weir_store_put(store, key, WEIR_NULL, timestamp_ms);
}

int64_t weir_store_count(weir_store *store)
{
	int64_t keys, bytes;

	weir__store_size(store, &keys, &bytes);
	return keys;
}

void *weir_custom_object(const weir_store *store)
{
	weir_assert(store->spec.kind == STORE_CUSTOM);
	return store->custom;
}

void weir_custom_put(weir_store *store, weir_bytes key, weir_bytes value, int64_t timestamp_ms)
{
	if (!weir__store_is(store, STORE_CUSTOM, key))
		return;
	weir__times_see(&store->times, INT64_MIN, timestamp_ms);
	weir__store_write(store, key, value, timestamp_ms);
}

/* False: past retention. Else store->key is the changelog key. */
static bool window_key(weir_store *store, weir_bytes key, int64_t start_ms)
{
	weir_assert(store->spec.kind == STORE_WINDOW);
	return weir__store_key(store, key, start_ms, 0);
}

static weir_bytes get_window(weir_store *store, weir_bytes key, int64_t start_ms, int64_t *timestamp_ms,
			     const weir_headers **headers)
{
	weir_bytes kept = WEIR_NULL;

	if (weir__store_is(store, STORE_WINDOW, key) && !store->spec.duplicates && window_key(store, key, start_ms))
		kept = weir__store_read(store, weir__buffer_view(&store->key), timestamp_ms);
	return weir__store_plain(store, kept, headers);
}

weir_bytes weir_window_get(weir_store *store, weir_bytes key, int64_t start_ms, int64_t *timestamp_ms)
{
	return get_window(store, key, start_ms, timestamp_ms, NULL);
}

weir_bytes weir_window_get_headers(weir_store *store, weir_bytes key, int64_t start_ms, int64_t *timestamp_ms,
				   const weir_headers **headers)
{
	return get_window(store, key, start_ms, timestamp_ms, headers);
}

static void put_window(weir_store *store, weir_bytes key, weir_bytes value, int64_t start_ms, int64_t timestamp_ms,
		       const weir_headers *headers)
{
	if (!weir__store_is(store, STORE_WINDOW, key))
		return;
	value = weir__store_keep(store, value, headers);
	if (store->spec.duplicates) {
		add_row(store, key, value, start_ms, timestamp_ms);
		return;
	}
	if (start_ms < 0)
		return;
	if (!window_key(store, key, start_ms))
		weir__store_expired(store);
	weir__times_see(&store->times, start_ms, timestamp_ms);
	weir__store_write(store, weir__buffer_view(&store->key), value, timestamp_ms);
}

void weir_window_put(weir_store *store, weir_bytes key, weir_bytes value, int64_t start_ms, int64_t timestamp_ms)
{
	put_window(store, key, value, start_ms, timestamp_ms, NULL);
}

void weir_window_put_headers(weir_store *store, weir_bytes key, weir_bytes value, int64_t start_ms,
			     int64_t timestamp_ms, const weir_headers *headers)
{
	put_window(store, key, value, start_ms, timestamp_ms, headers);
}

weir_bytes weir__store_get_flushed(weir_store *store, weir_bytes key, int64_t start_ms, int64_t end_ms,
				   int64_t *timestamp_ms)
{
	weir_assert(store->spec.keep_old);
	if (!weir__store_key(store, key, start_ms, end_ms))
		return WEIR_NULL;
	return get_flushed(store, weir__buffer_view(&store->key), timestamp_ms);
}

void *weir__store_object(weir_store *store, weir_bytes key, int64_t start_ms, int64_t timestamp_ms, bool *created)
{
	size_t size = store->spec.codec.size;

	weir_assert(size > 0);
	if (store->spec.kind == STORE_WINDOW) {
		if (!window_key(store, key, start_ms))
			return NULL;
		key = weir__buffer_view(&store->key);
	} else {
		weir_assert(!weir_is_null(key));
		start_ms = INT64_MIN;
	}
	struct object_before *before = &store->before;
	uint32_t hash = weir__cache_hash(key);
	struct entry *e = find(store, key, hash);
	if (!e && !store->in_memory)
		return NULL; /* the database failed */
	if (!e)
		e = insert(store, key, hash, size);
	before->times = store->times;
	before->timestamp_ms = e->timestamp_ms;
	before->mark = e->txn;
	before->state = e->state;
	before->present = e->present;
	weir__times_see(&store->times, start_ms, timestamp_ms);
	before->entry = e = change(store, e, size);
	*created = !e->present;
	weir_counter_add_single(&store->stats->puts, 1);
	if (!e->present) {
		memset(e->data, 0, size);
		e->value_len = (uint32_t)size;
		e->present = true;
		e->timestamp_ms = timestamp_ms;
	} else if (timestamp_ms > e->timestamp_ms) {
		e->timestamp_ms = timestamp_ms;
	}
	if (store->cache.by_use)
		weir__cache_use(&store->cache, e);
	return e->data;
}

/* Back into the list that it came from. */
static void take_back(weir_store *store, struct entry *e, const struct object_before *b)
{
	weir__cache_drop_old(&store->cache, e);
	if (b->state == ENTRY_CLEAN) {
		weir__store_make_clean(store, e);
		if (store->in_memory && !e->present)
			weir__store_drop(store, e);
		return;
	}
	e->state = b->state;
	weir__list_remove(&e->link);
	weir__list_append(b->mark == store->txn ? &store->cache.flushed : &store->cache.dirty, &e->link);
}

void weir__store_object_undo(weir_store *store)
{
	struct object_before b = store->before;
	struct entry *e = b.entry;

	weir_assert(e && e->present && e->state == ENTRY_CHANGED);
	store->before.entry = NULL;
	store->version++;
	store->times = b.times;
	e->timestamp_ms = b.timestamp_ms;
	e->txn = b.mark; /* or the origin */
	e->present = b.present;
	if (!e->present) {
		e->value_len = 0;
		if (store->cache.by_use)
			weir__cache_use(&store->cache, e);
	}
	if (b.state != ENTRY_CHANGED)
		take_back(store, e, &b);
}
