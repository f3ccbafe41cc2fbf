#include "framework/kafka/embedded.h"

#include <stdlib.h>

#include "framework/base/alloc.h"
#include "framework/base/hash.h"

/*
 * The cleaner, as Kafka's: from what was written since the last time it learns the newest offset of each key, then
 * it copies all closed segments without the records that a newer one replaces. Tombstones stay for
 * delete.retention.ms after they were first seen by it. It works on references to closed segments, without the
 * cluster's lock.
 */
#define DIRTY_BYTES_MIN 65536
#define CLEAN_SEGMENT_BYTES (1u << 20)

struct newest {
	const struct entry *entry;
	int64_t offset;
};

struct cleaning {
	struct segment **from;
	size_t from_count, dirty; /* from[dirty] is the first not cleaned before */
	int64_t start, now_ms, delete_retention_ms;
	struct span *aborted;
	size_t aborted_count;
	struct newest *table;
	size_t mask;
	struct segment **to;
	size_t to_count, to_room;
	size_t left; /* bytes of `from` not copied yet */
};

bool weir__journal_clean_due(const struct journal *j)
{
	if (!j->topic->config.compact || j->cleaning || j->count < 2)
		return false;
	int64_t closed = j->bytes - j->segments[j->count - 1]->used, dirty = closed - j->cleaned_bytes;

	return dirty >= DIRTY_BYTES_MIN && (double)dirty >= j->topic->config.dirty_ratio_min * (double)closed;
}

/* --- which record of a key is the newest ---------------------------------------------------------------------- */

static struct newest *slot_of(const struct cleaning *c, weir_bytes key)
{
	size_t i = weir__hash(key) & c->mask;

	while (c->table[i].entry && !weir_bytes_equal(weir__entry_key(c->table[i].entry), key))
		i = (i + 1) & c->mask;
	return &c->table[i];
}

static bool is_data(const struct cleaning *c, const struct entry *e, int64_t offset)
{
	if (offset < c->start || e->flags & ENTRY_MARKER)
		return false;
	return !(e->flags & ENTRY_TRANSACTIONAL) ||
	       !weir__span_covers(c->aborted, c->aborted_count, e->producer, offset);
}

static void learn(struct cleaning *c)
{
	size_t entries = 0;

	for (size_t i = c->dirty; i < c->from_count; i++)
		entries += (size_t)(c->from[i]->last - c->from[i]->base + 1);
	for (c->mask = 64; c->mask < 2 * entries; c->mask *= 2)
		;
	c->table = weir__calloc(c->mask, sizeof *c->table);
	c->mask--;
	for (size_t i = c->dirty; i < c->from_count; i++) {
		const struct segment *s = c->from[i];

		for (uint32_t at = 0; at < s->used; at += weir__entry_size(weir__entry_at(s, at))) {
			const struct entry *e = weir__entry_at(s, at);

			if (is_data(c, e, s->base + e->delta))
				*slot_of(c, weir__entry_key(e)) = (struct newest){ e, s->base + e->delta };
		}
	}
}

/* --- copying -------------------------------------------------------------------------------------------------- */

static uint32_t horizon_s(const struct cleaning *c)
{
	int64_t s = weir_time_add(c->now_ms, c->delete_retention_ms) / 1000 + 1;

	return s > UINT32_MAX ? UINT32_MAX : (uint32_t)s;
}

static bool survives(const struct cleaning *c, const struct entry *e, int64_t offset)
{
	if (!is_data(c, e, offset))
		return false;
	const struct newest *newest = slot_of(c, weir__entry_key(e));

	if (newest->entry && newest->offset > offset)
		return false;
	return !(e->flags & ENTRY_HORIZON) || c->now_ms / 1000 < e->producer;
}

static void copy(struct cleaning *c, const struct entry *e, int64_t offset)
{
	struct segment *s = c->to_count ? c->to[c->to_count - 1] : NULL;
	uint32_t size = weir__entry_size(e);

	if (!s || s->capacity - s->used < size || offset - s->base > UINT32_MAX) {
		size_t capacity = c->left < CLEAN_SEGMENT_BYTES ? c->left : CLEAN_SEGMENT_BYTES;

		s = weir__segment_new(offset, capacity < size ? size : capacity);
		WEIR__GROW(c->to, c->to_count, c->to_room);
		c->to[c->to_count++] = s;
	}
	struct entry *kept = memcpy(s->bytes + s->used, e, size);

	kept->delta = (uint32_t)(offset - s->base);
	kept->flags &= ENTRY_HORIZON; /* committed it is */
	if (e->value_len < 0 && !(e->flags & ENTRY_HORIZON)) {
		kept->flags = ENTRY_HORIZON;
		kept->producer = horizon_s(c);
	}
	s->used += size;
	s->last = offset;
	if (e->timestamp_ms > s->timestamp_max_ms)
		s->timestamp_max_ms = e->timestamp_ms;
}

static void copy_survivors(struct cleaning *c)
{
	for (size_t i = 0; i < c->from_count; i++)
		c->left += c->from[i]->used;
	for (size_t i = 0; i < c->from_count; i++) {
		const struct segment *s = c->from[i];

		for (uint32_t at = 0; at < s->used; at += weir__entry_size(weir__entry_at(s, at))) {
			const struct entry *e = weir__entry_at(s, at);

			if (survives(c, e, s->base + e->delta))
				copy(c, e, s->base + e->delta);
			c->left -= weir__entry_size(e);
		}
	}
	for (size_t i = 0; i < c->to_count; i++) {
		struct segment *s = c->to[i];

		s->capacity = s->used;
		c->to[i] = weir__realloc(s, sizeof *s + s->used);
	}
}

/* --- under the lock ------------------------------------------------------------------------------------------- */

static void take(struct cleaning *c, struct journal *j, int64_t now_ms)
{
	int64_t stable_end = weir__journal_stable_end(j);
	size_t n = 0;

	while (n + 1 < j->count && j->segments[n]->last < stable_end &&
	       weir_time_add(j->segments[n]->timestamp_max_ms, j->topic->config.compaction_lag_ms) <= now_ms)
		n++;
	*c = (struct cleaning){ .from_count = n,
				.start = j->start,
				.now_ms = now_ms,
				.delete_retention_ms = j->topic->config.delete_retention_ms,
				.aborted_count = j->aborted_count };
	c->from = weir__memdup(n ? j->segments : NULL, n * sizeof(struct segment *));
	c->aborted = weir__memdup(j->aborted, j->aborted_count * sizeof *j->aborted);
	for (size_t i = 0; i < n; i++) {
		c->from[i]->refs++;
		c->dirty += c->from[i]->last < j->cleaned_to;
	}
}

/* Puts the result in place of what is still there of its source: meanwhile the front may have been dropped. */
static void put(struct cleaning *c, struct journal *j)
{
	size_t gone = 0, unwanted = 0;

	while (gone < c->from_count && c->from[gone]->detached)
		gone++;
	while (unwanted < c->to_count && (gone == c->from_count || c->to[unwanted]->last < j->start))
		weir__segment_unref(c->to[unwanted++]);
	weir__journal_splice(j, 0, c->from_count - gone, c->to + unwanted, c->to_count - unwanted);
	if (gone == c->from_count)
		return;
	j->cleaned_to = c->from[c->from_count - 1]->last + 1;
	j->cleaned_bytes = 0;
	for (size_t i = unwanted; i < c->to_count; i++)
		j->cleaned_bytes += c->to[i]->used;
	size_t kept = 0;

	for (size_t i = 0; i < j->aborted_count; i++)
		if (j->aborted[i].last >= j->cleaned_to)
			j->aborted[kept++] = j->aborted[i];
	j->aborted_count = kept;
}

void weir__journal_clean(struct embedded *e, struct journal *j)
{
	struct cleaning c;

	if (j->cleaning)
		return;
	j->clean_due = false;
	take(&c, j, weir__embedded_now(e));
	if (c.dirty < c.from_count) {
		j->cleaning = true;
		pthread_mutex_unlock(&e->lock);
		learn(&c);
		copy_survivors(&c);
		pthread_mutex_lock(&e->lock);
		j->cleaning = false;
		put(&c, j);
	}
	for (size_t i = 0; i < c.from_count; i++)
		weir__segment_unref(c.from[i]);
	free(c.table);
	free(c.from);
	free(c.to);
	free(c.aborted);
}
