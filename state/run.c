#include "state/run.h"

#include <stddef.h>
#include <weir/error.h>
#include "framework/base/hash.h"

enum { SLOTS_MIN = 1024, BLOCK_SIZE = 1 << 20 };

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

void weir__run_put(struct run *run, weir_bytes key, weir_bytes value, int64_t timestamp_ms)
{
	uint64_t hash = weir__hash(key);

	weir_assert(key.len < UINT32_MAX && value.len < UINT32_MAX);
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

/* By the blocks, not by the slots: memory is then read from one end to the other. */
struct sort_item *weir__run_rows(struct run *run, size_t *n)
{
	*n = 0;
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
	run->bytes = run->slots ? (run->slot_mask + 1) * sizeof *run->slots : 0;
}

void weir__run_free(struct run *run)
{
	for (size_t i = 0; i < run->block_count; i++)
		free(run->blocks[i].data);
	free(run->blocks);
	free(run->slots);
	*run = (struct run){ 0 };
}
