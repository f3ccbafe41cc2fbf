#include "state/run.h"

#include <stddef.h>
#include <weir/error.h>
#include "framework/base/hash.h"

enum { SLOTS_MIN = 1024, BLOCK_SIZE = 1 << 20, PENDING = 16, PENDING_BYTES = 96 };

/* Slots and rows are all over the memory: what is put is kept for a few records more, until its slot, and then the
 * row there, have come into the processor's cache. A third of the time of a restore was waiting for them. */
struct run_pending {
	uint64_t hash;
	int64_t timestamp_ms;
	uint32_t key_len, value_len;
	bool deleted;
	char data[PENDING_BYTES]; /* key, value */
};

static size_t row_size(size_t value_capacity, size_t key_len)
{
	return (offsetof(struct run_row, data) + value_capacity + key_len + 7) & ~(size_t)7;
}

static struct run_row *allocate(struct run *run, size_t n)
{
	struct run_block *block = run->blocks + run->block_at;

	while (run->block_at < run->block_count && block->used + n > block->size) {
		run->block_at++;
		block++;
	}
	if (run->block_at == run->block_count) {
		size_t size = n > BLOCK_SIZE ? n : BLOCK_SIZE;

		run->blocks = weir__realloc(run->blocks, ++run->block_count * sizeof *run->blocks);
		block = run->blocks + run->block_at;
		*block = (struct run_block){ weir__malloc(size), size, 0 };
	}
	struct run_row *row = (struct run_row *)(void *)(block->data + block->used);
	block->used += n;
	run->bytes += n;
	return row;
}

static void grow(struct run *run)
{
	size_t slots = run->slots ? 2 * (run->slot_mask + 1) : SLOTS_MIN;
	struct sort_item *old = run->slots;
	size_t old_slots = old ? run->slot_mask + 1 : 0;

	run->slots = weir__calloc(slots, sizeof *run->slots);
	run->slot_mask = slots - 1;
	for (size_t i = 0; i < old_slots; i++) {
		if (!old[i].item)
			continue;
		size_t at = old[i].prefix & run->slot_mask;
		while (run->slots[at].item)
			at = (at + 1) & run->slot_mask;
		run->slots[at] = old[i];
	}
	run->bytes += (slots - old_slots) * sizeof *run->slots;
	free(old);
}

static struct sort_item *slot_of(struct run *run, weir_bytes key, uint64_t hash)
{
	size_t at = hash & run->slot_mask;

	for (; run->slots[at].item; at = (at + 1) & run->slot_mask)
		if (run->slots[at].prefix == hash && weir_bytes_equal(weir__run_key(run->slots[at].item), key))
			break;
	return &run->slots[at];
}

static void insert(struct run *run, uint64_t hash, weir_bytes key, weir_bytes value, int64_t timestamp_ms)
{
	if (run->count >= run->slot_mask / 4 * 3)
		grow(run);
	struct sort_item *slot = slot_of(run, key, hash);
	struct run_row *row = (struct run_row *)slot->item;
	if (!row || row->value_capacity < value.len) {
		if (row)
			row->replaced = true;
		else
			run->count++;
		row = allocate(run, row_size(value.len, key.len));
		*row = (struct run_row){ .key_len = (uint32_t)key.len, .value_capacity = (uint32_t)value.len };
		if (key.len)
			memcpy(row->data + value.len, key.data, key.len);
		*slot = (struct sort_item){ hash, row };
	}
	row->timestamp_ms = timestamp_ms;
	row->deleted = weir_is_null(value);
	row->value_len = (uint32_t)value.len;
	if (value.len)
		memcpy(row->data, value.data, value.len);
}

static void settle_first(struct run *run)
{
	const struct run_pending *p = &run->pending[run->pending_begin++ % PENDING];

	insert(run, p->hash, (weir_bytes){ p->data, p->key_len },
	       p->deleted ? WEIR_NULL : (weir_bytes){ p->data + p->key_len, p->value_len }, p->timestamp_ms);
}

void weir__run_settle(struct run *run)
{
	while (run->pending_begin != run->pending_end)
		settle_first(run);
}

void weir__run_put(struct run *run, weir_bytes key, weir_bytes value, int64_t timestamp_ms)
{
	uint64_t hash = weir__hash(key);

	weir_assert(key.len < UINT32_MAX && value.len < UINT32_MAX);
	if (!run->slots)
		grow(run);
	if (!run->pending)
		run->pending = weir__malloc(PENDING * sizeof *run->pending);
	if (key.len > PENDING_BYTES || value.len > PENDING_BYTES - key.len) {
		weir__run_settle(run);
		insert(run, hash, key, value, timestamp_ms);
		return;
	}
	if (run->pending_end - run->pending_begin == PENDING)
		settle_first(run);
	struct run_pending *p = &run->pending[run->pending_end++ % PENDING];
	p->hash = hash;
	p->timestamp_ms = timestamp_ms;
	p->key_len = (uint32_t)key.len;
	p->value_len = (uint32_t)value.len;
	p->deleted = weir_is_null(value);
	if (key.len)
		memcpy(p->data, key.data, key.len);
	if (value.len)
		memcpy(p->data + key.len, value.data, value.len);
	__builtin_prefetch(&run->slots[hash & run->slot_mask]);
	if (run->pending_end - run->pending_begin < PENDING / 2)
		return;
	uint64_t older = run->pending[(run->pending_end - PENDING / 2) % PENDING].hash;
	const char *row = run->slots[older & run->slot_mask].item;
	__builtin_prefetch(row);
	if (row)
		__builtin_prefetch(row + 40); /* its key */
}

/* By the blocks, not by the slots: memory is then read from one end to the other. */
struct sort_item *weir__run_rows(struct run *run, size_t *n)
{
	*n = 0;
	weir__run_settle(run); /* memory may run short in the middle of a restore */
	for (size_t i = 0; i < run->block_count; i++)
		for (size_t at = 0; at < run->blocks[i].used;) {
			const struct run_row *row = (const void *)(run->blocks[i].data + at);

			if (!row->replaced)
				run->slots[(*n)++] = (struct sort_item){ 0, row };
			at += row_size(row->value_capacity, row->key_len);
		}
	weir_assert(*n == run->count);
	return run->slots;
}

void weir__run_reset(struct run *run)
{
	for (size_t i = 0; i < run->block_count; i++)
		run->blocks[i].used = 0;
	if (run->slots)
		memset(run->slots, 0, (run->slot_mask + 1) * sizeof *run->slots);
	run->count = run->block_at = 0;
	run->pending_begin = run->pending_end = 0;
	run->bytes = run->slots ? (run->slot_mask + 1) * sizeof *run->slots : 0;
}

void weir__run_free(struct run *run)
{
	for (size_t i = 0; i < run->block_count; i++)
		free(run->blocks[i].data);
	free(run->blocks);
	free(run->slots);
	free(run->pending);
	*run = (struct run){ 0 };
}
