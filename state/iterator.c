#include "state/iterator.h"

/* --- what is asked for ---------------------------------------------------------------------------------------- */

bool weir__iterator_in_bounds(weir_iterator *it, struct place place)
{
	return weir__place_compare(place, weir__bound_place(&it->low)) >= 0 &&
	       (it->high_open || weir__place_compare(place, weir__bound_place(&it->high)) < 0);
}

/* In each segment the windows of one key lie between the keys of the two bounds, and there may be other keys among
 * them. */
static enum verdict judge_one_key(weir_iterator *it, struct place place, int64_t *jump_segment)
{
	if (weir_bytes_compare(place.key, weir__buffer_view(&it->low.key)) < 0) {
		*jump_segment = it->reverse ? place.segment - 1 : place.segment;
		return VERDICT_JUMP;
	}
	if (weir_bytes_compare(place.key, weir__buffer_view(&it->high.key)) >= 0) {
		*jump_segment = it->reverse ? place.segment : place.segment + 1;
		return VERDICT_JUMP;
	}
	enum store_kind kind = it->store->spec.kind;
	size_t len = it->prefix_len;
	if (place.key.len != len + weir__key_suffix(kind) || memcmp(place.key.data, it->low.key.data, len) != 0)
		return VERDICT_SKIP;
	if (kind == STORE_SESSION && weir_get_be64((const char *)place.key.data + len + 8) > it->latest_ms)
		return VERDICT_SKIP;
	return VERDICT_GIVE;
}

enum verdict weir__iterator_judge(weir_iterator *it, struct place place, int64_t *jump_segment)
{
	if (it->shape == SHAPE_ALL)
		return VERDICT_GIVE;
	if (it->shape == SHAPE_ONE_KEY)
		return judge_one_key(it, place, jump_segment);
	enum store_kind kind = it->store->spec.kind;
	int64_t start = weir__key_time(kind, place.key);
	/* the bytes of a start may look like the rest of a prefix */
	size_t len = place.key.len - weir__key_suffix(kind);
	weir_bytes key = { place.key.data, len };

	if (len < it->prefix_len || start < it->from_ms || start > it->to_ms)
		return VERDICT_SKIP;
	if (!it->keys_bounded)
		return VERDICT_GIVE;
	if (weir_bytes_compare(key, weir__buffer_view(&it->key_low)) < 0 ||
	    (!it->keys_open && weir_bytes_compare(key, weir__buffer_view(&it->key_high)) > 0))
		return VERDICT_SKIP;
	return kind == STORE_SESSION && weir_get_be64((const char *)key.data + len + 8) > it->latest_ms
		       ? VERDICT_SKIP
		       : VERDICT_GIVE;
}

/* --- merging -------------------------------------------------------------------------------------------------- */

static void find_place(weir_iterator *it)
{
	if (it->store->run.count)
		weir__run_write(it->store, NULL);
	weir__iterator_cached_open(it);
	if (!it->started || it->writes != it->store->disk.writes)
		weir__iterator_disk_open(it);
	it->version = it->store->version;
	if (!it->started)
		return;
	/* what has been given is not given again */
	struct place last = weir__bound_place(&it->last);
	weir__iterator_cached_seek(it, last);
	weir__iterator_disk_seek(it, last);
	it->entry_done =
		it->entry && weir__place_compare(weir__place_of(it->store, weir__entry_key(it->entry)), last) == 0;
	it->disk_done = it->disk_valid && weir__place_compare(it->disk_place, last) == 0;
}

static void step(weir_iterator *it)
{
	if (it->entry_done)
		weir__iterator_cached_step(it);
	if (it->disk_done)
		weir__iterator_disk_step(it);
}

/* The next place of either side; *cached is its entry if it is in the cache. */
static bool merge(weir_iterator *it, struct place *place, struct entry **cached)
{
	struct place p = { 0 };
	int c = -1;

	if (!it->entry && !it->disk_valid)
		return false;
	if (it->entry)
		p = weir__place_of(it->store, weir__entry_key(it->entry));
	if (!it->entry)
		c = 1;
	else if (it->disk_valid)
		c = it->reverse ? weir__place_compare(it->disk_place, p) : weir__place_compare(p, it->disk_place);
	it->entry_done = c <= 0;
	it->disk_done = it->disk_valid && c >= 0;
	*cached = c <= 0 ? it->entry : NULL;
	*place = c <= 0 ? p : it->disk_place;
	return true;
}

static void jump(weir_iterator *it, int64_t segment)
{
	struct bound *to = it->reverse ? &it->high : &it->low;
	struct place place = { segment, weir__buffer_view(&to->key) };

	weir__iterator_cached_seek(it, place);
	weir__iterator_disk_seek(it, place);
}

static bool read_value(weir_iterator *it, const struct entry *e, weir_entry *out)
{
	weir_bytes stored;

	if (e) {
		out->value = weir__store_value(it->store, e);
		out->timestamp_ms = e->timestamp_ms;
		return e->present;
	}
	stored.data = rocksdb_iter_value(it->disk, &stored.len);
	if (weir__row_decode(stored, &out->value, &out->timestamp_ms))
		return true;
	return weir__state_fail(it->store->state, NULL, "read a range of", it->store->family->name,
				"a row is too short");
}

static bool find_next(weir_iterator *it, struct place *place, weir_entry *out)
{
	int64_t jump_segment = 0;
	struct entry *e;

	for (step(it); merge(it, place, &e);) {
		enum verdict verdict = weir__iterator_judge(it, *place, &jump_segment);

		if (verdict == VERDICT_GIVE && read_value(it, e, out))
			return true;
		if (verdict == VERDICT_JUMP)
			jump(it, jump_segment);
		else
			step(it);
	}
	return false;
}

/* Without `goes_on` the same entry comes again. */
static bool give(weir_iterator *it, weir_entry *entry, bool goes_on)
{
	struct place place;

	entry->headers = NULL;
	if (it->store && it->shape == SHAPE_VERSIONS) {
		size_t at = it->time_at;
		bool given = weir__versions_next(it, entry);

		it->time_at = goes_on ? it->time_at : at;
		return given;
	}
	if (!it->store || it->nothing || weir__state_failed(it->store->state, NULL))
		return false;
	if (!it->started || it->version != it->store->version)
		find_place(it);
	if (!find_next(it, &place, entry))
		return false;
	if (goes_on) {
		it->started = true;
		it->last.segment = place.segment;
		weir__buffer_set(&it->last.key, place.key);
	} else {
		it->entry_done = it->disk_done = false;
	}
	entry->key = place.key;
	entry->start_ms = entry->end_ms = 0;
	if (it->store->spec.headers) {
		entry->headers = weir__kept_headers(&it->found, entry->value);
		entry->value = weir__kept_value(entry->value);
	}
	if (it->store->spec.kind == STORE_VERSIONED) {
		entry->start_ms = weir__key_time(STORE_VERSIONED, place.key);
		entry->key.len -= VERSION_SUFFIX;
	} else if (it->store->spec.kind == STORE_WINDOW)
		weir__window_key_split(place.key, &entry->key, &entry->start_ms);
	else if (it->store->spec.kind == STORE_SESSION)
		weir__session_key_split(place.key, &entry->key, &entry->start_ms, &entry->end_ms);
	return true;
}

bool weir_iterator_next(weir_iterator *it, weir_entry *entry)
{
	return give(it, entry, true);
}

bool weir_iterator_peek(weir_iterator *it, weir_entry *entry)
{
	return give(it, entry, false);
}

/* --- making and closing --------------------------------------------------------------------------------------- */

/* The clock costs as much as a small range: it is asked once in so many. */
enum { TIMED_EVERY = 16 };

static int64_t now_us(const weir_store *store)
{
	return store->state->clock->monotonic_us(store->state->clock);
}

static void note_opened(weir_iterator *it)
{
	struct store_stats *stats = it->store->stats;
	bool timed = stats->open_us && weir_counter_value(&stats->iterators_opened) % TIMED_EVERY == 0;

	weir_counter_add_single(&stats->iterators_opened, 1);
	it->opened_us = timed ? now_us(it->store) : 0;
}

static void note_closed(const weir_iterator *it)
{
	struct store_stats *stats = it->store->stats;

	weir_counter_add_single(&stats->iterators_closed, 1);
	if (it->opened_us && stats->open_us)
		weir_histogram_record_single(stats->open_us, (uint64_t)(now_us(it->store) - it->opened_us));
}

size_t weir__store_open_iterators(weir_store *store, int64_t *since_ms)
{
	size_t n = 0;

	*since_ms = INT64_MAX;
	if (!store->iterators)
		return 0;
	int64_t us = now_us(store), wall_ms = store->state->clock->wall_ms(store->state->clock);

	for (weir_iterator *it = store->iterators; it; it = it->next, n++) {
		if (!it->opened_us)
			it->opened_us = us;
		int64_t since = wall_ms - (us - it->opened_us) / 1000;

		if (since < *since_ms)
			*since_ms = since;
	}
	return n;
}

weir_iterator *weir__iterator_make(weir_store *store, enum shape shape, bool reverse)
{
	weir_iterator *it = store->spare;

	if (it)
		store->spare = it->next;
	else
		it = weir__calloc(1, sizeof *it);
	it->store = store;
	note_opened(it);
	it->shape = shape;
	it->reverse = reverse;
	it->started = it->high_open = it->nothing = it->entry_done = it->disk_done = false;
	it->low.segment = it->high.segment = 0;
	it->low.key.len = it->high.key.len = it->prefix_len = 0;
	it->time_count = it->time_at = 0;
	it->keys_bounded = false;
	it->next = store->iterators;
	store->iterators = it;
	return it;
}

static void free_iterator(weir_iterator *it)
{
	struct buffer *buffers[] = { &it->low.key,  &it->high.key,  &it->last.key,  &it->key_low,
				     &it->disk_low, &it->disk_high, &it->disk_seek, &it->key_high };

	for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
		weir__buffer_release(buffers[i]);
	if (it->disk_options)
		rocksdb_readoptions_destroy(it->disk_options);
	weir__kept_release(&it->found);
	free(it->sorted);
	free(it->times);
	free(it);
}

void weir_iterator_close(weir_iterator *it)
{
	if (!it)
		return;
	weir__iterator_disk_close(it);
	if (!it->store) {
		free_iterator(it);
		return;
	}
	note_closed(it);
	weir_iterator **at = &it->store->iterators;
	while (*at != it)
		at = &(*at)->next;
	*at = it->next;
	it->next = it->store->spare;
	it->store->spare = it;
}

void weir__iterators_orphan(weir_store *store)
{
	for (weir_iterator *it; (it = store->iterators);) {
		store->iterators = it->next;
		note_closed(it);
		weir__iterator_disk_close(it);
		it->store = NULL; /* freed when it is closed */
	}
	for (weir_iterator *it; (it = store->spare);) {
		store->spare = it->next;
		free_iterator(it);
	}
}

/* --- the kinds of ranges -------------------------------------------------------------------------------------- */

weir_iterator *weir__iterator_nothing(void)
{
	return weir__calloc(1, sizeof(weir_iterator));
}

/* The least key greater than all that begin with `prefix`; false: there is none. */
static bool prefix_end(struct buffer *to, weir_bytes prefix)
{
	weir__buffer_set(to, prefix);
	while (to->len && (unsigned char)to->data[to->len - 1] == 0xff)
		to->len--;
	if (to->len)
		to->data[to->len - 1]++;
	return to->len > 0;
}

/* The least key greater than this one. */
static void key_after(struct buffer *key)
{
	weir__buffer_reserve(key, key->len + 1)[key->len] = 0;
	key->len++;
}

weir_iterator *weir_store_range(weir_store *store, weir_bytes from, weir_bytes to, bool reverse)
{
	if (!weir__store_is(store, STORE_KEY_VALUE, weir_str("")))
		return weir__iterator_nothing();
	weir_iterator *it = weir__iterator_make(store, SHAPE_ALL, reverse);

	weir__buffer_set(&it->low.key, from);
	weir__buffer_set(&it->high.key, to);
	key_after(&it->high.key);
	it->high_open = weir_is_null(to);
	return it;
}

static weir_iterator *prefix_of(weir_store *store, weir_bytes prefix, bool reverse)
{
	if (!weir__store_is(store, STORE_KEY_VALUE, weir_str("")))
		return weir__iterator_nothing();
	weir_iterator *it = weir__iterator_make(store, SHAPE_ALL, reverse);

	weir__buffer_set(&it->low.key, prefix);
	it->high_open = !prefix_end(&it->high.key, prefix);
	return it;
}

weir_iterator *weir_store_prefix(weir_store *store, weir_bytes prefix)
{
	return prefix_of(store, prefix, false);
}

weir_iterator *weir_store_prefix_reverse(weir_store *store, weir_bytes prefix)
{
	return prefix_of(store, prefix, true);
}

/* Of the starts (sessions: ends) only those that can be seen. False: none, and the bounds hold nothing. */
static bool set_starts(weir_iterator *it, int64_t from_ms, int64_t to_ms)
{
	const weir_store *store = it->store;
	int64_t newest = store->times.start_max, floor = weir__store_floor(store, newest);

	floor = floor > 0 ? floor : 0;
	it->from_ms = from_ms > floor ? from_ms : floor;
	it->to_ms = to_ms < newest ? to_ms : newest;
	it->nothing = it->to_ms < it->from_ms;
	if (it->nothing)
		return false;
	it->low.segment = it->from_ms / store->segment_ms;
	it->high.segment = it->to_ms / store->segment_ms;
	return true;
}

weir_iterator *weir_window_fetch(weir_store *store, weir_bytes key, int64_t from_ms, int64_t to_ms, bool reverse)
{
	if (!weir__store_is(store, STORE_WINDOW, key))
		return weir__iterator_nothing();
	weir_iterator *it = weir__iterator_make(store, SHAPE_ONE_KEY, reverse);

	if (!set_starts(it, from_ms, to_ms))
		return it;
	it->prefix_len = key.len;
	weir__window_key_encode(&it->low.key, key, it->from_ms, 0);
	weir__window_key_encode(&it->high.key, key, it->to_ms, UINT32_MAX);
	key_after(&it->high.key);
	return it;
}

static weir_iterator *fetch_all(weir_store *store, int64_t from_ms, int64_t to_ms, bool reverse)
{
	if (!weir__store_is(store, STORE_WINDOW, weir_str("")))
		return weir__iterator_nothing();
	weir_iterator *it = weir__iterator_make(store, SHAPE_STARTS, reverse);

	if (set_starts(it, from_ms, to_ms))
		it->high.segment++;
	return it;
}

weir_iterator *weir_window_fetch_all(weir_store *store, int64_t from_ms, int64_t to_ms)
{
	return fetch_all(store, from_ms, to_ms, false);
}

weir_iterator *weir_window_fetch_all_reverse(weir_store *store, int64_t from_ms, int64_t to_ms)
{
	return fetch_all(store, from_ms, to_ms, true);
}

static void bound_keys(weir_iterator *it, weir_bytes from, weir_bytes to)
{
	it->keys_bounded = true;
	it->keys_open = weir_is_null(to);
	weir__buffer_set(&it->key_low, from);
	weir__buffer_set(&it->key_high, to);
}

weir_iterator *weir_window_fetch_keys(weir_store *store, weir_bytes from, weir_bytes to, int64_t from_ms,
				      int64_t to_ms, bool reverse)
{
	weir_iterator *it = fetch_all(store, from_ms, to_ms, reverse);

	bound_keys(it, from, to);
	return it;
}

weir_iterator *weir_window_prefix(weir_store *store, weir_bytes prefix, int64_t start_ms)
{
	if (!weir__store_is(store, STORE_WINDOW, weir_str("")))
		return weir__iterator_nothing();
	weir_iterator *it = weir__iterator_make(store, SHAPE_STARTS, false);

	if (!set_starts(it, start_ms, start_ms))
		return it;
	it->prefix_len = prefix.len;
	weir__buffer_set(&it->low.key, prefix);
	if (!prefix_end(&it->high.key, prefix))
		it->high.segment++;
	return it;
}

weir_iterator *weir_session_find(weir_store *store, weir_bytes key, int64_t earliest_end_ms,
				 int64_t latest_start_ms, bool reverse)
{
	if (!weir__store_is(store, STORE_SESSION, key))
		return weir__iterator_nothing();
	weir_iterator *it = weir__iterator_make(store, SHAPE_ONE_KEY, reverse);

	it->latest_ms = latest_start_ms;
	if (!set_starts(it, earliest_end_ms, INT64_MAX))
		return it;
	it->prefix_len = key.len;
	weir__session_key_encode(&it->low.key, key, 0, it->from_ms);
	weir__session_key_encode(&it->high.key, key, INT64_MAX, it->to_ms);
	key_after(&it->high.key);
	return it;
}

weir_iterator *weir__versions_rows(weir_store *store, weir_bytes key, int64_t from_ms, int64_t to_ms, bool reverse)
{
	weir_iterator *it = weir__iterator_make(store, SHAPE_ONE_KEY, reverse);
	int64_t newest = store->times.timestamp_max;

	it->from_ms = from_ms > 0 ? from_ms : 0;
	/* no further than there are any: behind them other keys that begin like this one would have to be passed */
	it->to_ms = to_ms < newest ? to_ms : newest;
	it->nothing = it->to_ms < it->from_ms;
	it->prefix_len = key.len;
	weir__version_key_encode(&it->low.key, key, it->from_ms);
	weir__version_key_encode(&it->high.key, key, it->to_ms);
	key_after(&it->high.key);
	return it;
}

weir_iterator *weir__store_versions(weir_store *store, weir_bytes from)
{
	weir_iterator *it = weir__iterator_make(store, SHAPE_ALL, false);

	weir__buffer_set(&it->low.key, from);
	it->high_open = true;
	return it;
}

static weir_iterator *find_all(weir_store *store, int64_t earliest_end_ms, int64_t latest_end_ms, bool reverse)
{
	if (!weir__store_is(store, STORE_SESSION, weir_str("")))
		return weir__iterator_nothing();
	weir_iterator *it = weir__iterator_make(store, SHAPE_STARTS, reverse);

	if (set_starts(it, earliest_end_ms, latest_end_ms))
		it->high.segment++;
	return it;
}

weir_iterator *weir_session_find_all(weir_store *store, int64_t earliest_end_ms, int64_t latest_end_ms)
{
	return find_all(store, earliest_end_ms, latest_end_ms, false);
}

weir_iterator *weir_session_find_all_reverse(weir_store *store, int64_t earliest_end_ms, int64_t latest_end_ms)
{
	return find_all(store, earliest_end_ms, latest_end_ms, true);
}

weir_iterator *weir_session_find_keys(weir_store *store, weir_bytes from, weir_bytes to, int64_t earliest_end_ms,
				      int64_t latest_start_ms, bool reverse)
{
	weir_iterator *it = find_all(store, earliest_end_ms, INT64_MAX, reverse);

	bound_keys(it, from, to);
	it->latest_ms = latest_start_ms;
	return it;
}
