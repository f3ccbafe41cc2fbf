#ifndef WEIR_STATE_RESTORE_H
#define WEIR_STATE_RESTORE_H
/*
 * Records of a changelog on their way to disk. Repeated keys meet in a hash table; what is left is sorted and
 * written. Rows lie one after the other in a few large blocks and are forgotten all at once.
 */
#include "state/sort.h"

struct run_row {
	int64_t timestamp_ms;
	uint32_t hash, key_len, value_len, value_capacity;
	bool deleted;
	char data[]; /* value (value_capacity), key */
};

struct run {
	struct sort_item
		*slots; /* open addressing by hash (in prefix); packed and sorted when the run is written */
	size_t slot_mask, count;
	char **blocks;
	size_t block_count, block_size, block_used; /* of the last */
	size_t bytes;                               /* of blocks and slots */
};

/** Writes what has been restored and forgets it. False: the database failed. */
bool weir__run_write(weir_store *store, weir_error *err);
void weir__run_release(weir_store *store);

#endif
