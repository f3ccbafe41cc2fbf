#include "framework/kafka/embedded_client.h"

#include <stdlib.h>

#include "framework/base/alloc.h"

/* Segments grow from one to the next up to a size that thousands of partitions can afford. */
#define SEGMENT_BYTES_MIN 4096u
#define SEGMENT_BYTES_MAX (1u << 20)

struct segment *weir__segment_new(int64_t base, size_t capacity)
{
	struct segment *s = weir__malloc(sizeof *s + capacity);

	*s = (struct segment){ .base = base, .last = base - 1, .capacity = (uint32_t)capacity, .refs = 1 };
	s->timestamp_max_ms = -1;
	return s;
}

void weir__segment_unref(struct segment *s)
{
	if (s && --s->refs == 0)
		free(s);
}

void weir__journal_init(struct journal *j, struct topic *topic, int32_t partition)
{
	*j = (struct journal){ .topic = topic, .partition = partition };
}

void weir__journal_release(struct journal *j)
{
	for (size_t i = 0; i < j->count; i++) {
		j->segments[i]->detached = true;
		weir__segment_unref(j->segments[i]);
	}
	free(j->segments);
	free(j->open);
	free(j->aborted);
}

void weir__journal_splice(struct journal *j, size_t from, size_t to, struct segment *const *with, size_t n)
{
	for (size_t i = from; i < to; i++) {
		j->bytes -= j->segments[i]->used;
		j->segments[i]->detached = true;
		weir__segment_unref(j->segments[i]);
	}
	while (j->room < j->count - (to - from) + n) {
		j->room = j->room ? 2 * j->room : 4;
		j->segments = weir__realloc(j->segments, j->room * sizeof *j->segments);
	}
	memmove(j->segments + from + n, j->segments + to, (j->count - to) * sizeof *j->segments);
	for (size_t i = 0; i < n; i++) {
		j->segments[from + i] = with[i];
		j->bytes += with[i]->used;
	}
	j->count = j->count - (to - from) + n;
}

/* --- appending ------------------------------------------------------------------------------------------------ */

static size_t headers_size(const weir_headers *headers)
{
	size_t n = headers && headers->count ? 4 : 0;

	for (size_t i = 0; n && i < headers->count; i++) {
		const weir_header *h = &headers->items[i];

		n += 8 + strlen(h->name) + 1 + (h->value.data ? h->value.len : 0);
	}
	return n;
}

/* count, then for each: length of the name, of the value (-1 = null), the name with its NUL, the value. */
static unsigned char *headers_write(unsigned char *to, const weir_headers *headers)
{
	weir_put_be32(to, (int32_t)headers->count);
	to += 4;
	for (size_t i = 0; i < headers->count; i++) {
		const weir_header *h = &headers->items[i];
		size_t name_len = strlen(h->name);

		weir_put_be32(to, (int32_t)name_len);
		weir_put_be32(to + 4, h->value.data ? (int32_t)h->value.len : -1);
		memcpy(to + 8, h->name, name_len + 1);
		to += 8 + name_len + 1;
		if (h->value.data && h->value.len)
			to = (unsigned char *)memcpy(to, h->value.data, h->value.len) + h->value.len;
	}
	return to;
}

static struct segment *roll(struct journal *j, size_t need)
{
	struct segment *last = j->count ? j->segments[j->count - 1] : NULL;
	size_t capacity = last ? 2 * (size_t)last->capacity : SEGMENT_BYTES_MIN;
	size_t most = SEGMENT_BYTES_MAX;

	if ((int64_t)most > j->topic->config.segment_bytes)
		most = (size_t)j->topic->config.segment_bytes;
	if (capacity > most)
		capacity = most;
	if (capacity < need)
		capacity = need;
	struct segment *s = weir__segment_new(j->end, capacity);
	weir__journal_splice(j, j->count, j->count, &s, 1);
	weir__journal_retain(j, false, 0);
	j->clean_due = weir__journal_clean_due(j);
	return s;
}

/* A reader's limit has moved: those that wait for it go on. */
static void wake_readers(struct journal *j)
{
	int64_t stable_end = j->readers ? weir__journal_stable_end(j) : 0;

	for (struct part *p = j->readers; p; p = p->next_reader) {
		if (!p->consumer->waiting || p->paused || p->stopped)
			continue;
		int64_t limit = p->consumer->opts.read_uncommitted ? j->end : stable_end;
		if (limit > p->position)
			weir__consumer_wake(p->consumer);
	}
}

int64_t weir__journal_append(struct journal *j, const struct append *what)
{
	weir_bytes key = weir_bytes_of(what->key.data, what->key.len);
	weir_bytes value = weir_bytes_of(what->value.data, what->value.len);
	size_t headers_len = headers_size(what->headers);
	size_t size = (sizeof(struct entry) + key.len + value.len + headers_len + 7) & ~(size_t)7;
	struct segment *s = j->count ? j->segments[j->count - 1] : NULL;

	if (!s || j->roll_next || s->capacity - s->used < size)
		s = roll(j, size);
	j->roll_next = false;
	struct entry *e = (struct entry *)(void *)(s->bytes + s->used);
	unsigned char *to = e->bytes;

	*e = (struct entry){ .timestamp_ms = what->timestamp_ms,
			     .delta = (uint32_t)(j->end - s->base),
			     .producer = what->producer,
			     .key_len = key.data ? (int32_t)key.len : -1,
			     .value_len = value.data ? (int32_t)value.len : -1,
			     .headers_len = (uint32_t)headers_len,
			     .flags = what->flags };
	if (key.len)
		memcpy(to, key.data, key.len);
	to += key.len;
	if (value.len)
		memcpy(to, value.data, value.len);
	to += value.len;
	if (headers_len)
		headers_write(to, what->headers);
	s->used += (uint32_t)size;
	s->last = j->end;
	if (what->timestamp_ms > s->timestamp_max_ms)
		s->timestamp_max_ms = what->timestamp_ms;
	j->bytes += (int64_t)size;
	j->end++;
	wake_readers(j);
	return j->end - 1;
}

/* --- transactions --------------------------------------------------------------------------------------------- */

int64_t weir__journal_stable_end(const struct journal *j)
{
	int64_t end = j->end;

	for (size_t i = 0; i < j->open_count; i++)
		if (j->open[i].first < end)
			end = j->open[i].first;
	return end;
}

void weir__journal_open_span(struct journal *j, uint32_t producer)
{
	WEIR__GROW(j->open, j->open_count, j->open_room);
	j->open[j->open_count++] = (struct span){ producer, j->end, INT64_MAX };
}

void weir__journal_close_span(struct journal *j, uint32_t producer, bool committed, int64_t now_ms)
{
	size_t i = 0;

	while (i < j->open_count && j->open[i].producer != producer)
		i++;
	weir_assert(i < j->open_count);
	struct span span = j->open[i];

	j->open[i] = j->open[--j->open_count];
	span.last = j->end;
	if (!committed) {
		WEIR__GROW(j->aborted, j->aborted_count, j->aborted_room);
		j->aborted[j->aborted_count++] = span;
	}
	weir__journal_append(j, &(struct append){ .timestamp_ms = now_ms,
						  .producer = producer,
						  .flags = ENTRY_TRANSACTIONAL | ENTRY_MARKER });
}

bool weir__span_covers(const struct span *spans, size_t n, uint32_t producer, int64_t offset)
{
	for (size_t i = 0; i < n; i++)
		if (spans[i].producer == producer && spans[i].first <= offset && offset < spans[i].last)
			return true;
	return false;
}

/* --- finding -------------------------------------------------------------------------------------------------- */

/* Index of the first segment that ends at or behind `offset`. */
static size_t segment_index(const struct journal *j, int64_t offset)
{
	size_t low = 0, high = j->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (j->segments[middle]->last < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct segment *weir__journal_find(struct journal *j, int64_t offset, uint32_t *at)
{
	size_t i = segment_index(j, offset);

	if (i == j->count)
		return NULL;
	struct segment *s = j->segments[i];
	uint32_t to = 0;

	while (to < s->used && s->base + weir__entry_at(s, to)->delta < offset)
		to += weir__entry_size(weir__entry_at(s, to));
	*at = to;
	s->refs++;
	return s;
}

struct segment *weir__journal_next(struct journal *j, const struct segment *s)
{
	size_t i = segment_index(j, s->last + 1);

	if (i == j->count)
		return NULL;
	j->segments[i]->refs++;
	return j->segments[i];
}

int64_t weir__journal_offset_for(const struct journal *j, int64_t ms)
{
	for (size_t i = 0; i < j->count; i++) {
		const struct segment *s = j->segments[i];

		if (s->timestamp_max_ms < ms)
			continue;
		for (uint32_t at = 0; at < s->used; at += weir__entry_size(weir__entry_at(s, at))) {
			const struct entry *e = weir__entry_at(s, at);

			if (e->timestamp_ms >= ms && s->base + e->delta >= j->start)
				return s->base + e->delta;
		}
	}
	return j->end;
}
