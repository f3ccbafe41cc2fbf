#ifndef WEIR_STATE_RUN_H
#define WEIR_STATE_RUN_H
/*
 * Records of a changelog on their way to disk. Repeated keys meet in a hash table; what is left is sorted and
 * written. Rows lie one after the other in a few large blocks, which are used again for the next run.
 */
#include "state/sort.h"

struct run_row {
	int64_t timestamp_ms;
	uint32_t key_len, value_len, value_capacity;
	bool deleted;
	bool replaced; /* by a row with more room */
	char data[];   /* value (value_capacity), key */
};

struct run_block {
	char *data;
	size_t size, used;
};

struct run_pending;

struct run {
	/* Open addressing by hash, which is in `prefix`; the array is used again to sort the rows. */
	struct sort_item *slots;
	size_t slot_mask, count;
	struct run_block *blocks;
	size_t block_count, block_at; /* blocks behind block_at are empty */
	size_t bytes;                 /* of rows and slots */
	struct run_pending *pending;  /* small ones that were put last, a ring; they are not among the rows yet */
	unsigned pending_begin, pending_end;
};

/** The newest value of the key; null = a deletion. It counts once weir__run_settle was called. */
void weir__run_put(struct run *run, weir_bytes key, weir_bytes value, int64_t timestamp_ms);
/** What is still on its way gets among the rows. */
void weir__run_settle(struct run *run);
/** The rows, all settled, one of each key, in the order in which they came; `n` of them. To be sorted in place.
 *  After this, only weir__run_reset and weir__run_free. */
struct sort_item *weir__run_rows(struct run *run, size_t *n);
/** Forgets the rows and keeps the memory. */
void weir__run_reset(struct run *run);
void weir__run_free(struct run *run);

static inline weir_bytes weir__run_key(const struct run_row *row)
{
	return (weir_bytes){ row->data + row->value_capacity, row->key_len };
}

static inline weir_bytes weir__run_value(const struct run_row *row)
{
	return row->deleted ? WEIR_NULL : (weir_bytes){ row->data, row->value_len };
}

#endif
