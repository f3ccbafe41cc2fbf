/*
 * Ranges: what lies in the cache and what lies on disk, merged by place; the cache wins, its deletions hide.
 *
 * On disk's side only entries that differ from it count; without a disk all do. A write while an iterator is open
 * makes it look for its place anew, so that it never meets memory that is gone.
 */
#include "state/partition.h"

enum shape {
	EVERYTHING, /* in the bounds */
	ONE_KEY,    /* windows of one key */
	STARTS,	    /* windows with from_ms <= start <= to_ms */
};

/* A place that owns its bytes. */
struct bound {
	int64_t segment;
	struct buffer key;
};

struct weir_iterator {
	weir_iterator *next; /* of the open ones, or of the spare ones */
	weir_store *store;   /* NULL: the store is closed */
	enum shape shape;
	bool reverse;
	int64_t from_ms, to_ms;
	struct buffer wanted;	/* the key, or its prefix */
	struct bound low, high; /* included, not included */
	bool high_open;

	bool started; /* last is the place last looked at */
	struct bound last;
	uint32_t version, writes;

	struct sort_item *cached;			 /* entries in the bounds, in order */
	size_t cached_count, cached_capacity, cached_at; /* at: in the order of the iteration */
	bool cached_done;				 /* the entry there has been looked at */

	rocksdb_iterator_t *disk;
	rocksdb_readoptions_t *disk_options;
	struct buffer disk_low, disk_high, seek;
	struct place disk_place;
	bool disk_valid, disk_done;
};

static struct place place_in(struct bound *b)
{
	return (struct place){ b->segment, weir__buffer_view(&b->key) };
}

/* --- what is wanted ------------------------------------------------------------------------------------------- */

enum verdict { GIVE, SKIP, SEEK };

/* ONE_KEY: the place is not of this key, or not of these starts. Far from them a jump is worth it. */
static enum verdict judge_one_key(weir_iterator *it, struct place place, struct bound *target)
{
	weir_bytes key = weir__buffer_view(&it->wanted);
	struct buffer low = { 0 }, high = { 0 };

	if (place.key.len == key.len + WINDOW_SUFFIX && memcmp(place.key.data, key.data, key.len) == 0) {
		int64_t start = weir__window_start(place.key);

		if (start >= it->from_ms && start <= it->to_ms)
			return GIVE;
	}
	weir__window_key_encode(&low, key, it->from_ms, 0);
	weir__window_key_encode(&high, key, it->to_ms, UINT32_MAX);
	bool below = weir_bytes_compare(place.key, weir__buffer_view(&low)) < 0;
	bool above = weir_bytes_compare(place.key, weir__buffer_view(&high)) > 0;
	target->segment = place.segment;
	if (it->reverse && below)
		target->segment--;
	else if (!it->reverse && above)
		target->segment++;
	weir__buffer_set(&target->key, weir__buffer_view(it->reverse ? &high : &low));
	weir__buffer_release(&low);
	weir__buffer_release(&high);
	return below || above ? SEEK : SKIP;
}

static enum verdict judge(weir_iterator *it, struct place place, struct bound *target)
{
	if (it->shape == EVERYTHING)
		return GIVE;
	if (it->shape == ONE_KEY)
		return judge_one_key(it, place, target);
	int64_t start = weir__window_start(place.key);
	/* the bytes of a start may look like the rest of a prefix */
	bool whole = place.key.len - WINDOW_SUFFIX >= it->wanted.len;
	return whole && start >= it->from_ms && start <= it->to_ms ? GIVE : SKIP;
}

static bool in_bounds(weir_iterator *it, struct place place)
{
	return weir__place_compare(place, place_in(&it->low)) >= 0 &&
	       (it->high_open || weir__place_compare(place, place_in(&it->high)) < 0);
}

/* --- the cache's side ----------------------------------------------------------------------------------------- */

static int compare_entries(const void *a, const void *b, const void *user)
{
	return weir__place_compare(weir__place_of(user, weir__entry_key(a)),
				   weir__place_of(user, weir__entry_key(b)));
}

static void collect(weir_iterator *it, struct link *head)
{
	struct bound unused = { 0 };

	for (struct link *l = head->next; l != head; l = l->next) {
		struct entry *e = weir__entry_of(l);
		struct place place = weir__place_of(it->store, weir__entry_key(e));

		if (!in_bounds(it, place) || judge(it, place, &unused) != GIVE)
			continue;
		if (it->cached_count == it->cached_capacity) {
			it->cached_capacity = it->cached_capacity ? 2 * it->cached_capacity : 64;
			it->cached = weir__realloc(it->cached, it->cached_capacity * sizeof *it->cached);
		}
		uint64_t prefix =
			weir__sort_prefix(place, 0, INT64_MAX); /* of the segment alone, if there is one */
		it->cached[it->cached_count++] = (struct sort_item){ prefix, e };
	}
	weir__buffer_release(&unused.key);
}

static void collect_cached(weir_iterator *it)
{
	struct cache *cache = &it->store->cache;
	struct sort_item *spare;

	it->cached_count = 0;
	collect(it, &cache->changed);
	collect(it, &cache->flushed);
	collect(it, &cache->dirty);
	if (it->store->in_memory)
		collect(it, &cache->clean);
	spare = weir__malloc((it->cached_count / 2 + 1) * sizeof *spare);
	weir__sort(it->cached, spare, it->cached_count, compare_entries, it->store);
	free(spare);
}

static struct entry *cached_entry(weir_iterator *it)
{
	if (it->cached_at >= it->cached_count)
		return NULL;
	return (struct entry *)it->cached[it->reverse ? it->cached_count - 1 - it->cached_at : it->cached_at].item;
}

/* To the first entry at `place` or beyond it, in the iterator's direction. */
static void cached_seek(weir_iterator *it, struct place place)
{
	size_t low = 0, high = it->cached_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2, i = it->reverse ? it->cached_count - 1 - middle : middle;
		weir_bytes key = weir__entry_key(it->cached[i].item);
		int c = weir__place_compare(weir__place_of(it->store, key), place);

		if (it->reverse ? c > 0 : c < 0)
			low = middle + 1;
		else
			high = middle;
	}
	it->cached_at = low;
	it->cached_done = false;
}

/* --- the disk's side ------------------------------------------------------------------------------------------ */

static void disk_read_place(weir_iterator *it)
{
	weir_bytes key;
	char *message = NULL;

	it->disk_done = false;
	it->disk_valid = rocksdb_iter_valid(it->disk);
	if (it->disk_valid) {
		key.data = rocksdb_iter_key(it->disk, &key.len);
		it->disk_valid = weir__disk_key_decode(key, it->store->spec.kind, &it->disk_place);
		return;
	}
	rocksdb_iter_get_error(it->disk, &message);
	if (message)
		weir__state_fail(it->store->state, NULL, "read a range of", it->store->family->name, message);
	rocksdb_free(message);
}

static void disk_seek(weir_iterator *it, struct place place)
{
	if (!it->disk)
		return;
	weir__disk_key_encode(&it->seek, it->store->spec.kind, place);
	if (it->reverse)
		rocksdb_iter_seek_for_prev(it->disk, it->seek.data, it->seek.len);
	else
		rocksdb_iter_seek(it->disk, it->seek.data, it->seek.len);
	disk_read_place(it);
}

static void disk_open(weir_iterator *it)
{
	struct disk *disk = &it->store->disk;
	static const char past_all[] = { TAG_DATA + 1 };

	if (it->disk)
		rocksdb_iter_destroy(it->disk);
	it->disk = NULL;
	it->disk_valid = false;
	it->writes = disk->writes;
	if (it->store->in_memory || !disk->rows)
		return;
	if (!it->disk_options)
		it->disk_options = rocksdb_readoptions_create();
	weir__disk_key_encode(&it->disk_low, it->store->spec.kind, place_in(&it->low));
	if (it->high_open)
		weir__buffer_set(&it->disk_high, weir_bytes_of(past_all, sizeof past_all));
	else
		weir__disk_key_encode(&it->disk_high, it->store->spec.kind, place_in(&it->high));
	rocksdb_readoptions_set_iterate_lower_bound(it->disk_options, it->disk_low.data, it->disk_low.len);
	rocksdb_readoptions_set_iterate_upper_bound(it->disk_options, it->disk_high.data, it->disk_high.len);
	it->disk = rocksdb_create_iterator_cf(disk->state->db, it->disk_options, disk->family->handle);
}

static void disk_advance(weir_iterator *it)
{
	if (it->reverse)
		rocksdb_iter_prev(it->disk);
	else
		rocksdb_iter_next(it->disk);
	disk_read_place(it);
}

/* --- both ----------------------------------------------------------------------------------------------------- */

static void to_the_first(weir_iterator *it)
{
	it->cached_at = 0;
	it->cached_done = false;
	if (!it->disk)
		return;
	if (it->reverse)
		rocksdb_iter_seek_to_last(it->disk);
	else
		rocksdb_iter_seek_to_first(it->disk);
	disk_read_place(it);
}

/* To the place last looked at, which is not to be given again. */
static void to_the_last(weir_iterator *it)
{
	struct place last = place_in(&it->last);
	struct entry *e;

	cached_seek(it, last);
	disk_seek(it, last);
	e = cached_entry(it);
	it->cached_done = e && weir__place_compare(weir__place_of(it->store, weir__entry_key(e)), last) == 0;
	it->disk_done = it->disk_valid && weir__place_compare(it->disk_place, last) == 0;
}

static void find_place(weir_iterator *it)
{
	if (it->store->run.count)
		weir__run_write(it->store, NULL);
	collect_cached(it);
	if (!it->disk || it->writes != it->store->disk.writes)
		disk_open(it);
	if (it->started)
		to_the_last(it);
	else
		to_the_first(it);
	it->version = it->store->version;
}

static void step(weir_iterator *it)
{
	if (it->cached_done) {
		it->cached_at++;
		it->cached_done = false;
	}
	if (it->disk_done)
		disk_advance(it);
}

/* The next place in either; *cached is its entry if it is in the cache. */
static bool merge(weir_iterator *it, struct place *place, struct entry **cached)
{
	struct entry *e = cached_entry(it);
	struct place p = { 0 };
	int c;

	if (!e && !it->disk_valid)
		return false;
	if (e)
		p = weir__place_of(it->store, weir__entry_key(e));
	c = !e ? 1 : !it->disk_valid ? -1 : weir__place_compare(p, it->disk_place);
	if (e && it->disk_valid && it->reverse)
		c = -c;
	it->cached_done = c <= 0;
	it->disk_done = it->disk_valid && c >= 0;
	*cached = c <= 0 ? e : NULL;
	*place = c <= 0 ? p : it->disk_place;
	return true;
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

bool weir_iterator_next(weir_iterator *it, weir_entry *entry)
{
	struct bound target = { 0 };
	struct place place;
	struct entry *e;
	bool found = false;

	if (!it->store || weir__state_failed(it->store->state, NULL))
		return false;
	if (!it->started || it->version != it->store->version)
		find_place(it);
	for (step(it); !found && merge(it, &place, &e);) {
		enum verdict verdict = judge(it, place, &target);

		if (verdict == GIVE)
			found = read_value(it, e, entry);
		if (found)
			break;
		if (verdict == SEEK) {
			cached_seek(it, place_in(&target));
			disk_seek(it, place_in(&target));
		} else {
			step(it);
		}
	}
	weir__buffer_release(&target.key);
	if (!found)
		return false;
	it->started = true;
	it->last.segment = place.segment;
	weir__buffer_set(&it->last.key, place.key);
	entry->start_ms = it->store->spec.kind == STORE_WINDOW ? weir__window_start(place.key) : 0;
	entry->key = it->store->spec.kind == STORE_WINDOW
			     ? (weir_bytes){ place.key.data, place.key.len - WINDOW_SUFFIX }
			     : place.key;
	return true;
}

/* --- making and closing --------------------------------------------------------------------------------------- */

static weir_iterator *make(weir_store *store, enum shape shape, bool reverse)
{
	weir_iterator *it = store->spare;

	if (it)
		store->spare = it->next;
	else
		it = weir__calloc(1, sizeof *it);
	it->store = store;
	it->shape = shape;
	it->reverse = reverse;
	it->started = it->high_open = false;
	it->low.segment = it->high.segment = 0;
	it->low.key.len = it->high.key.len = it->wanted.len = 0;
	it->next = store->iterators;
	store->iterators = it;
	return it;
}

static void free_iterator(weir_iterator *it)
{
	struct buffer *buffers[] = { &it->wanted,   &it->low.key,   &it->high.key, &it->last.key,
				     &it->disk_low, &it->disk_high, &it->seek };

	for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
		weir__buffer_release(buffers[i]);
	if (it->disk_options)
		rocksdb_readoptions_destroy(it->disk_options);
	free(it->cached);
	free(it);
}

static void close_disk(weir_iterator *it)
{
	if (it->disk)
		rocksdb_iter_destroy(it->disk);
	it->disk = NULL;
	it->disk_valid = false;
}

void weir_iterator_close(weir_iterator *it)
{
	if (!it)
		return;
	close_disk(it);
	if (!it->store) {
		free_iterator(it);
		return;
	}
	for (weir_iterator **at = &it->store->iterators; *at; at = &(*at)->next)
		if (*at == it) {
			*at = it->next;
			break;
		}
	it->next = it->store->spare;
	it->store->spare = it;
}

void weir__iterators_orphan(weir_store *store)
{
	for (weir_iterator *it; (it = store->iterators);) {
		store->iterators = it->next;
		close_disk(it);
		it->store = NULL; /* freed when it is closed */
	}
	for (weir_iterator *it; (it = store->spare);) {
		store->spare = it->next;
		free_iterator(it);
	}
}

/* The least key that is greater than all that begin with `prefix`; false: there is none. */
static bool prefix_end(struct buffer *to, weir_bytes prefix)
{
	weir__buffer_set(to, prefix);
	while (to->len && (unsigned char)to->data[to->len - 1] == 0xff)
		to->len--;
	if (to->len)
		to->data[to->len - 1]++;
	return to->len > 0;
}

weir_iterator *weir_store_range(weir_store *store, weir_bytes from, weir_bytes to, bool reverse)
{
	weir_assert(store->spec.kind == STORE_KEY_VALUE);
	weir_iterator *it = make(store, EVERYTHING, reverse);

	weir__buffer_set(&it->low.key, from);
	it->high_open = weir_is_null(to);
	weir__buffer_reserve(&it->high.key, to.len + 1);
	weir__buffer_set(&it->high.key, to);
	it->high.key.data[it->high.key.len++] = 0; /* the least key after `to` */
	return it;
}

weir_iterator *weir_store_prefix(weir_store *store, weir_bytes prefix)
{
	weir_assert(store->spec.kind == STORE_KEY_VALUE);
	weir_iterator *it = make(store, EVERYTHING, false);

	weir__buffer_set(&it->low.key, prefix);
	it->high_open = !prefix_end(&it->high.key, prefix);
	return it;
}

static weir_iterator *make_windows(weir_store *store, enum shape shape, int64_t from_ms, int64_t to_ms,
				   bool reverse)
{
	weir_assert(store->spec.kind == STORE_WINDOW);
	weir_iterator *it = make(store, shape, reverse);
	int64_t floor = weir__store_floor(store, store->times.start_max);

	floor = floor > 0 ? floor : 0;
	it->from_ms = from_ms > floor ? from_ms : floor;
	it->to_ms = to_ms < store->times.start_max ? to_ms : store->times.start_max;
	if (it->to_ms < it->from_ms) { /* nothing: low = high */
		it->to_ms = it->from_ms - 1;
		it->shape = EVERYTHING;
	}
	it->low.segment = it->from_ms / store->segment_ms;
	it->high.segment = it->to_ms / store->segment_ms;
	return it;
}

weir_iterator *weir_window_fetch(weir_store *store, weir_bytes key, int64_t from_ms, int64_t to_ms, bool reverse)
{
	weir_assert(!weir_is_null(key));
	weir_iterator *it = make_windows(store, ONE_KEY, from_ms, to_ms, reverse);

	if (it->shape != ONE_KEY) {
		it->high.segment = it->low.segment;
		return it;
	}
	weir__buffer_set(&it->wanted, key);
	weir__window_key_encode(&it->low.key, key, it->from_ms, 0);
	weir__buffer_reserve(&it->high.key, key.len + WINDOW_SUFFIX + 1);
	weir__window_key_encode(&it->high.key, key, it->to_ms, UINT32_MAX);
	it->high.key.data[it->high.key.len++] = 0;
	return it;
}

weir_iterator *weir_window_fetch_all(weir_store *store, int64_t from_ms, int64_t to_ms)
{
	weir_iterator *it = make_windows(store, STARTS, from_ms, to_ms, false);

	it->high.segment = it->shape == STARTS ? it->high.segment + 1 : it->low.segment;
	return it;
}

weir_iterator *weir_window_prefix(weir_store *store, weir_bytes prefix, int64_t start_ms)
{
	weir_iterator *it = make_windows(store, STARTS, start_ms, start_ms, false);

	if (it->shape != STARTS) {
		it->high.segment = it->low.segment;
		return it;
	}
	weir__buffer_set(&it->wanted, prefix);
	weir__buffer_set(&it->low.key, prefix);
	if (!prefix_end(&it->high.key, prefix))
		it->high.segment++;
	return it;
}
