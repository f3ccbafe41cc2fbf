#ifndef WEIR_STATE_CACHE_H
#define WEIR_STATE_CACHE_H
/*
 * The hash table of a store partition. An entry is one allocation: header, value (or live object), key. It stays
 * where it is while its values fit; the table holds pointers and grows a few buckets at a time.
 *
 * Each entry is in exactly one list, which says how far its value has got:
 *
 *   changed --flush--> flushed --commit--> dirty --checkpoint--> clean
 *      ^------------------+-------------------+--------------------'   by a change
 *
 * flushed and dirty entries are both ENTRY_UNSAVED: a commit hands one whole list to the other. In a store without
 * a disk there is no dirty: what is committed is clean, and stays.
 */
#include <weir/bytes.h>
#include <weir/error.h>

enum entry_state { ENTRY_CLEAN, ENTRY_CHANGED, ENTRY_UNSAVED };

struct link {
	struct link *prev, *next;
};

/* The value as of the last flush. */
struct saved {
	int64_t timestamp_ms;
	uint32_t len;
	_Alignas(16) char data[];
};

struct entry {
	struct link link; /* first: see weir__entry_of */
	struct entry *chain;
	struct saved *old; /* with keep_old, while changed; NULL = there was none */
	int64_t timestamp_ms;
	uint32_t hash, key_len;
	uint32_t value_len, value_capacity;
	union {
		uint32_t origin; /* while changed: store_change.origin */
		uint32_t txn;    /* while unsaved: of the last flush */
	};
	uint8_t state;
	bool present; /* else deleted or known to be absent */
	bool used;    /* since the clock's hand last passed */
	/* while changed; fresh: with keep_old or a codec, it was nowhere, neither flushed nor on disk; was: it was
	 * present before; blind: nobody has looked whether it was, the disk knows */
	bool fresh : 1, was : 1, blind : 1;
	_Alignas(16) char data[]; /* value (value_capacity), key */
};

struct cache {
	struct entry **buckets, **old_buckets; /* old: being moved */
	uint32_t mask, old_mask;
	uint32_t moved; /* buckets of old below this one are moved */
	size_t count;
	size_t bytes; /* entries and saved values as malloc counts them, and the buckets */
	/* entries of one key, whatever its suffix, follow each other, the one put last before the others */
	bool grouped;
	bool by_use; /* it is known in which order those that are present have been used */
	struct link clean, changed, flushed, dirty;
	struct link uses; /* by use, the latest last: links of struct use */
	size_t use_count;
};

/* With by_use: behind the key of an entry. */
struct use {
	struct link link; /* of cache.uses; NULLs while the entry is absent */
	struct entry *entry;
};

/** grouped: hashes are those of the keys without their suffixes. One of grouped and by_use. */
void weir__cache_init(struct cache *cache, bool grouped, bool by_use);
void weir__cache_release(struct cache *cache);

uint32_t weir__cache_hash(weir_bytes key);
/** NULL if there is none. */
struct entry *weir__cache_find(struct cache *cache, weir_bytes key, uint32_t hash);
/** In a grouped cache: the entry put last of a key given without a suffix; NULL if there is none. */
struct entry *weir__cache_group(struct cache *cache, weir_bytes key, uint32_t hash);
/** Fetches into the processor's cache where a hash's entries begin, or, once that is done, the first of them. */
void weir__cache_expect(struct cache *cache, uint32_t hash, bool again);
/** The one of the same key that was put before it. */
struct entry *weir__cache_put_before(const struct entry *e);
/** Whether neither e nor any put before it starts at start_ms or later. */
bool weir__cache_none_since(const struct entry *e, int64_t start_ms);
/** A new entry, absent and clean, for a key that has none. */
struct entry *weir__cache_insert(struct cache *cache, weir_bytes key, uint32_t hash, size_t value_capacity);
/** A copy with room for a larger value takes its place; the old one is no longer in the cache but must still be
 *  freed. */
struct entry *weir__cache_replace(struct cache *cache, struct entry *e, size_t value_capacity);
void weir__cache_remove(struct cache *cache, struct entry *e);
/**
 * Removes those for which `goes` is true from the chain that e, one of them, is in: of one key with many entries,
 * to remove each by itself would take as long as they are many, squared.
 */
void weir__cache_sweep_chain(struct cache *cache, const struct entry *e,
			     bool (*goes)(const struct entry *e, const void *user), const void *user);
/** With by_use: if it is present the entry is the one used last, else it has no place among them. */
void weir__cache_use(struct cache *cache, struct entry *e);
/** With by_use: the present entry whose last use is the longest ago; NULL if there is none. */
struct entry *weir__cache_least_used(const struct cache *cache);
/** An entry that was replaced. */
void weir__cache_free(struct cache *cache, struct entry *e);
/** Gives back buckets that are no longer wanted. */
void weir__cache_trim(struct cache *cache);

void weir__cache_save_old(struct cache *cache, struct entry *e);
void weir__cache_drop_old(struct cache *cache, struct entry *e);

static inline weir_bytes weir__entry_key(const struct entry *e)
{
	return (weir_bytes){ e->data + e->value_capacity, e->key_len };
}

static inline struct entry *weir__entry_of(struct link *link)
{
	return (struct entry *)link;
}

/* --- lists: circular, the head is a link without entry -------------------------------------------------------- */

static inline void weir__list_init(struct link *head)
{
	head->prev = head->next = head;
}

static inline bool weir__list_empty(const struct link *head)
{
	return head->next == head;
}

static inline void weir__list_remove(struct link *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
}

/** Behind `l`: as the first, if `l` is the head. */
static inline void weir__list_insert_after(struct link *at, struct link *l)
{
	l->prev = at;
	l->next = at->next;
	at->next->prev = l;
	at->next = l;
}

static inline void weir__list_append(struct link *head, struct link *l)
{
	weir__list_insert_after(head->prev, l);
}

/** Moves all of `from` to the end of `to`. */
static inline void weir__list_splice(struct link *to, struct link *from)
{
	if (weir__list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	weir__list_init(from);
}

#endif
