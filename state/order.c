#include "state/order.h"

#include "framework/base/alloc.h"

/* --- comparing ------------------------------------------------------------------------------------------------ */

static struct place place_of(const struct order *order, const struct entry *e)
{
	weir_bytes key = weir__entry_key(e);

	return (struct place){
		weir__store_kind_timed(order->kind) ? weir__key_time(order->kind, key) / order->segment_ms : 0, key
	};
}

static struct order_slot slot_for(struct place place, void *below)
{
	struct order_slot slot = { place.segment, 0, below };
	const unsigned char *p = place.key.data;

	if (place.key.len >= 8)
		slot.prefix = (uint64_t)weir_get_be64(p);
	else
		for (size_t i = 0; i < place.key.len; i++)
			slot.prefix |= (uint64_t)p[i] << (56 - 8 * i);
	return slot;
}

static const struct entry *least_below(const struct order_node *node, unsigned at)
{
	while (!node->leaf) {
		node = node->slots[at].below;
		at = 0;
	}
	return node->slots[at].below;
}

/* `wanted` is the slot of `place`, against slot `at` of the node. */
static int compare(const struct order *order, const struct order_slot *wanted, struct place place,
		   const struct order_node *node, unsigned at)
{
	const struct order_slot *slot = &node->slots[at];

	if (wanted->segment != slot->segment)
		return wanted->segment < slot->segment ? -1 : 1;
	if (wanted->prefix != slot->prefix)
		return wanted->prefix < slot->prefix ? -1 : 1;
	/* an inner slot may be that of an entry that has gone: what is there now may lie in a later segment */
	return weir__place_compare(place, place_of(order, least_below(node, at)));
}

/* How many slots are below the place, or not above it. */
static unsigned count_below(const struct order *order, const struct order_node *node,
			    const struct order_slot *wanted, struct place place, bool or_equal)
{
	unsigned low = 0, high = node->count;

	while (low < high) {
		unsigned middle = (low + high) / 2;
		int c = compare(order, wanted, place, node, middle);

		if (c > 0 || (c == 0 && or_equal))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The child in which the place is or would be. What lies below all goes into the first. */
static unsigned child_for(const struct order *order, const struct order_node *node, const struct order_slot *wanted,
			  struct place place)
{
	unsigned n = count_below(order, node, wanted, place, true);

	return n ? n - 1 : 0;
}

/* --- inserting ------------------------------------------------------------------------------------------------ */

static struct order_node *make(struct order *order, bool leaf)
{
	struct order_node *node = weir__malloc(sizeof *node);

	node->count = 0;
	node->leaf = leaf;
	node->prev = node->next = NULL;
	order->bytes += sizeof *node;
	return node;
}

static void insert_slot(struct order_node *node, unsigned at, struct order_slot slot)
{
	memmove(node->slots + at + 1, node->slots + at, (node->count - at) * sizeof slot);
	node->slots[at] = slot;
	node->count++;
}

/* Moves the upper part of a full node into a new one: half of it, or nothing when it grows at the end. */
static struct order_node *split(struct order *order, struct order_node *node, unsigned at)
{
	struct order_node *right = make(order, node->leaf);
	unsigned keep = at == node->count ? node->count - 1 : node->count / 2;

	right->count = node->count - keep;
	memcpy(right->slots, node->slots + keep, right->count * sizeof *right->slots);
	node->count = keep;
	if (!node->leaf)
		return right;
	right->prev = node;
	right->next = node->next;
	if (right->next)
		right->next->prev = right;
	node->next = right;
	return right;
}

/* Returns the node that has been split off to the right of `node`, or NULL. */
static struct order_node *insert(struct order *order, struct order_node *node, const struct order_slot *slot,
				 struct place place)
{
	struct order_slot new = *slot;
	unsigned at;

	if (node->leaf) {
		at = count_below(order, node, slot, place, false);
	} else {
		unsigned child = child_for(order, node, slot, place);
		struct order_node *right = insert(order, node->slots[child].below, slot, place);

		if (!right)
			return NULL;
		new = right->slots[0];
		new.below = right;
		at = child + 1;
	}
	struct order_node *right = NULL, *to = node;
	if (node->count == ORDER_FANOUT) {
		right = split(order, node, at);
		if (at > node->count) {
			at -= node->count;
			to = right;
		}
	}
	insert_slot(to, at, new);
	return right;
}

void weir__order_insert(struct order *order, struct entry *e)
{
	struct place place = place_of(order, e);
	struct order_slot slot = slot_for(place, e);

	if (!order->root)
		order->root = make(order, true);
	struct order_node *left = order->root, *right = insert(order, left, &slot, place);
	if (!right)
		return;
	order->root = make(order, false);
	order->root->slots[0] = left->slots[0];
	order->root->slots[0].below = left;
	order->root->slots[1] = right->slots[0];
	order->root->slots[1].below = right;
	order->root->count = 2;
}

/* --- removing ------------------------------------------------------------------------------------------------- */

static void free_node(struct order *order, struct order_node *node)
{
	if (node->prev)
		node->prev->next = node->next;
	if (node->next)
		node->next->prev = node->prev;
	order->bytes -= sizeof *node;
	free(node);
}

/* Returns true if the node is empty now. */
static bool remove_below(struct order *order, struct order_node *node, const struct order_slot *slot,
			 struct place place)
{
	unsigned at;

	if (node->leaf) {
		at = count_below(order, node, slot, place, false);
		weir_assert(at < node->count && node->slots[at].below == slot->below);
	} else {
		at = child_for(order, node, slot, place);
		if (!remove_below(order, node->slots[at].below, slot, place))
			return false;
		free_node(order, node->slots[at].below);
	}
	memmove(node->slots + at, node->slots + at + 1, (node->count - at - 1) * sizeof *node->slots);
	return --node->count == 0;
}

void weir__order_remove(struct order *order, const struct entry *e)
{
	struct place place = place_of(order, e);
	struct order_slot slot = slot_for(place, (void *)e);

	weir_assert(order->root);
	if (remove_below(order, order->root, &slot, place)) {
		free_node(order, order->root);
		order->root = NULL;
		return;
	}
	while (!order->root->leaf && order->root->count == 1) {
		struct order_node *root = order->root;

		order->root = root->slots[0].below;
		free_node(order, root);
	}
}

static void free_below(struct order *order, struct order_node *node)
{
	for (unsigned i = 0; !node->leaf && i < node->count; i++)
		free_below(order, node->slots[i].below);
	node->prev = node->next = NULL;
	free_node(order, node);
}

void weir__order_clear(struct order *order)
{
	if (order->root)
		free_below(order, order->root);
	order->root = NULL;
}

/* --- finding -------------------------------------------------------------------------------------------------- */

static struct order_node *leaf_for(const struct order *order, const struct order_slot *slot, struct place place)
{
	struct order_node *node = order->root;

	while (!node->leaf)
		node = node->slots[child_for(order, node, slot, place)].below;
	return node;
}

void weir__order_replace(struct order *order, const struct entry *from, struct entry *to)
{
	struct place place = place_of(order, from);
	struct order_slot slot = slot_for(place, to);

	weir_assert(order->root);
	struct order_node *leaf = leaf_for(order, &slot, place);
	unsigned at = count_below(order, leaf, &slot, place, false);
	weir_assert(at < leaf->count && leaf->slots[at].below == from);
	leaf->slots[at].below = to;
}

static struct entry *entry_at(struct order_cursor *cursor)
{
	return cursor->leaf && cursor->at < cursor->leaf->count ? cursor->leaf->slots[cursor->at].below : NULL;
}

struct entry *weir__order_seek(const struct order *order, struct order_cursor *cursor, struct place place,
			       bool backwards)
{
	struct order_slot slot = slot_for(place, NULL);

	*cursor = (struct order_cursor){ 0 };
	if (!order->root)
		return NULL;
	cursor->leaf = leaf_for(order, &slot, place);
	cursor->at = count_below(order, cursor->leaf, &slot, place, backwards);
	if (backwards)
		return weir__order_step(cursor, true);
	if (cursor->at == cursor->leaf->count)
		*cursor = (struct order_cursor){ cursor->leaf->next, 0 };
	return entry_at(cursor);
}

struct entry *weir__order_step(struct order_cursor *cursor, bool backwards)
{
	if (!cursor->leaf)
		return NULL;
	if (backwards) {
		if (cursor->at == 0) {
			cursor->leaf = cursor->leaf->prev;
			cursor->at = cursor->leaf ? cursor->leaf->count : 1;
		}
		cursor->at--;
	} else if (++cursor->at == cursor->leaf->count) {
		*cursor = (struct order_cursor){ cursor->leaf->next, 0 };
	}
	return entry_at(cursor);
}
