#include "state/iterator.h"

/* --- a sorted copy, for a store without an order -------------------------------------------------------------- */

static void collect_entry(weir_iterator *it, struct entry *e)
{
	if (it->sorted_count == it->sorted_capacity) {
		it->sorted_capacity = it->sorted_capacity ? 2 * it->sorted_capacity : 64;
		it->sorted = weir__realloc(it->sorted, it->sorted_capacity * sizeof *it->sorted);
	}
	it->sorted[it->sorted_count++] = (struct sort_item){ 0, e };
}

static void collect(weir_iterator *it, struct link *head, struct sort_span *span)
{
	int64_t unused;

	for (struct link *l = head->next; l != head; l = l->next) {
		struct entry *e = weir__entry_of(l);
		struct place place = weir__place_of(it->store, weir__entry_key(e));

		if (!weir__iterator_in_bounds(it, place) ||
		    weir__iterator_judge(it, place, &unused) != VERDICT_GIVE)
			continue;
		weir__sort_see(span, place);
		collect_entry(it, e);
	}
}

/* One key's rows, as they were put: mostly in order. */
static void collect_group(weir_iterator *it)
{
	struct cache *cache = &it->store->cache;
	weir_bytes key = { it->low.key.data, it->prefix_len };
	struct entry *e = weir__cache_group(cache, key, weir__cache_hash(key));

	for (; e && !weir__cache_none_since(e, it->from_ms); e = weir__cache_put_before(e)) {
		int64_t start = weir__key_time(STORE_WINDOW, weir__entry_key(e));

		if (start >= it->from_ms && start <= it->to_ms)
			collect_entry(it, e);
	}
	for (size_t i = 0, j = it->sorted_count; i + 1 < j; i++) {
		struct sort_item swap = it->sorted[i];

		it->sorted[i] = it->sorted[--j];
		it->sorted[j] = swap;
	}
}

static bool is_sorted(const weir_iterator *it)
{
	for (size_t i = 1; i < it->sorted_count; i++)
		if (weir_bytes_compare(weir__entry_key(it->sorted[i - 1].item),
				       weir__entry_key(it->sorted[i].item)) > 0)
			return false;
	return true;
}

static void sort(weir_iterator *it)
{
	struct cache *cache = &it->store->cache;
	struct sort_span span = { 0 };

	it->sorted_count = 0;
	if (it->store->spec.duplicates && it->shape == SHAPE_ONE_KEY) {
		collect_group(it);
		if (is_sorted(it))
			return;
		for (size_t i = 0; i < it->sorted_count; i++)
			weir__sort_see(&span, weir__place_of(it->store, weir__entry_key(it->sorted[i].item)));
	} else {
		collect(it, &cache->changed, &span);
		collect(it, &cache->flushed, &span);
		collect(it, &cache->dirty, &span);
		if (it->store->in_memory)
			collect(it, &cache->clean, &span);
	}
	weir__entries_sort(it->store, it->sorted, it->sorted_count, &span);
}

static struct entry *sorted_entry(const weir_iterator *it, size_t at)
{
	if (at >= it->sorted_count)
		return NULL;
	return (struct entry *)it->sorted[it->reverse ? it->sorted_count - 1 - at : at].item;
}

static size_t sorted_find(const weir_iterator *it, struct place place)
{
	size_t low = 0, high = it->sorted_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		weir_bytes key = weir__entry_key(sorted_entry(it, middle));
		int c = weir__place_compare(weir__place_of(it->store, key), place);

		if (it->reverse ? c > 0 : c < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* --- either --------------------------------------------------------------------------------------------------- */

static void set_entry(weir_iterator *it, struct entry *e)
{
	if (e && !weir__iterator_in_bounds(it, weir__place_of(it->store, weir__entry_key(e))))
		e = NULL;
	it->entry = e;
	it->entry_done = false;
}

void weir__iterator_cached_seek(weir_iterator *it, struct place place)
{
	if (it->store->spec.ordered) {
		set_entry(it, weir__order_seek(&it->store->order, &it->cursor, place, it->reverse));
		return;
	}
	it->sorted_at = sorted_find(it, place);
	set_entry(it, sorted_entry(it, it->sorted_at));
}

void weir__iterator_cached_step(weir_iterator *it)
{
	if (it->store->spec.ordered)
		set_entry(it, weir__order_step(&it->cursor, it->reverse));
	else
		set_entry(it, sorted_entry(it, ++it->sorted_at));
}

void weir__iterator_cached_open(weir_iterator *it)
{
	if (!it->store->spec.ordered) {
		sort(it);
		it->sorted_at = 0;
		set_entry(it, sorted_entry(it, 0));
		return;
	}
	if (!it->reverse) {
		weir__iterator_cached_seek(it, weir__bound_place(&it->low));
		return;
	}
	struct place last = { INT64_MAX, WEIR_NULL }; /* beyond all */
	weir__iterator_cached_seek(it, it->high_open ? last : weir__bound_place(&it->high));
	/* the upper bound itself is not included */
	if (!it->entry && it->cursor.leaf)
		weir__iterator_cached_step(it);
}
