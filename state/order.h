#ifndef WEIR_STATE_ORDER_H
#define WEIR_STATE_ORDER_H
/*
 * Entries of a cache in the order of their places: a B+ tree of pointers, the start of each key kept beside them.
 * Nodes are never merged, only given back when they are empty: entries come and go by whole checkpoints and
 * segments.
 */
#include "state/cache.h"
#include "state/window_key.h"

enum { ORDER_FANOUT = 32 };

struct order_slot {
	int64_t segment;
	uint64_t
		prefix; /* of the key; in an inner node: of one that is not above any below, but above all before */
	void *below;    /* node or entry */
};

struct order_node {
	unsigned count;
	bool leaf;
	struct order_node *prev, *next; /* of leaves */
	struct order_slot slots[ORDER_FANOUT];
};

struct order {
	enum store_kind kind;
	int64_t segment_ms;
	struct order_node *root; /* NULL: empty */
	size_t bytes;
};

/* A place between entries that is valid until the order changes. */
struct order_cursor {
	struct order_node *leaf;
	unsigned at;
};

void weir__order_insert(struct order *order, struct entry *e);
void weir__order_remove(struct order *order, const struct entry *e);
/** `to` has the same key. */
void weir__order_replace(struct order *order, const struct entry *from, struct entry *to);
void weir__order_clear(struct order *order);

/** The first entry at `place` or after it; backwards the last at it or before. NULL: none. */
struct entry *weir__order_seek(const struct order *order, struct order_cursor *cursor, struct place place,
			       bool backwards);
struct entry *weir__order_step(struct order_cursor *cursor, bool backwards);

#endif
