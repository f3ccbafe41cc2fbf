#ifndef WEIR_STATE_WINDOW_KEY_H
#define WEIR_STATE_WINDOW_KEY_H
/*
 * Keys. In the changelog, in the cache and towards users: key, or for windows key | start (8, BE) | seq (4, BE),
 * or for sessions key | end (8, BE) | start (8, BE); versions have key | time (8, BE) in the cache. In RocksDB a
 * tag byte comes first, so that the checkpoint's own record lies in the same family, and where keys have a time
 * (windows their start, sessions their end) the time segment (8, BE), so that a segment is one range and expires
 * as one:
 *
 *   00                                 the checkpoint's record (struct meta)
 *   01 | key                           key-value
 *   01 | key | time                    versions
 *   01 | segment | key | start | seq   windows; segment = start / segment_ms
 *   01 | segment | key | end | start   sessions; segment = end / segment_ms
 *
 * A place in a store is thus (segment, changelog key); the segment is 0 where keys have none.
 */
#include "state/buffer.h"
#include "state/store.h"

enum { TAG_META = 0, TAG_DATA = 1 };

struct place {
	int64_t segment;
	weir_bytes key; /* as in the changelog; null counts as empty */
};

static inline int weir__place_compare(struct place a, struct place b)
{
	if (a.segment != b.segment)
		return a.segment < b.segment ? -1 : 1;
	return weir_bytes_compare(a.key, b.key);
}

static inline void weir__session_key_encode(struct buffer *to, weir_bytes key, int64_t start_ms, int64_t end_ms)
{
	char *p = weir__buffer_reserve(to, key.len + SESSION_SUFFIX);

	if (key.len)
		memcpy(p, key.data, key.len);
	weir_put_be64(p + key.len, end_ms);
	weir_put_be64(p + key.len + 8, start_ms);
	to->len = key.len + SESSION_SUFFIX;
}

static inline void weir__version_key_encode(struct buffer *to, weir_bytes key, int64_t time_ms)
{
	char *p = weir__buffer_reserve(to, key.len + VERSION_SUFFIX);

	if (key.len)
		memcpy(p, key.data, key.len);
	weir_put_be64(p + key.len, time_ms);
	to->len = key.len + VERSION_SUFFIX;
}

static inline void weir__window_key_encode(struct buffer *to, weir_bytes key, int64_t start_ms, uint32_t seq)
{
	char *p = weir__buffer_reserve(to, key.len + WINDOW_SUFFIX);

	if (key.len)
		memcpy(p, key.data, key.len);
	weir_put_be64(p + key.len, start_ms);
	weir_put_be32(p + key.len + 8, (int32_t)seq);
	to->len = key.len + WINDOW_SUFFIX;
}

static inline void weir__disk_key_encode(struct buffer *to, enum store_kind kind, struct place place)
{
	size_t head = weir__store_kind_timed(kind) ? 9 : 1;
	char *p = weir__buffer_reserve(to, head + place.key.len);

	p[0] = TAG_DATA;
	if (head == 9)
		weir_put_be64(p + 1, place.segment);
	if (place.key.len)
		memcpy(p + head, place.key.data, place.key.len);
	to->len = head + place.key.len;
}

/** False if these bytes are no key of such a store. */
static inline bool weir__disk_key_decode(weir_bytes bytes, enum store_kind kind, struct place *place)
{
	size_t head = weir__store_kind_timed(kind) ? 9 : 1;
	const char *p = bytes.data;

	if (bytes.len < head + weir__key_suffix(kind) || p[0] != TAG_DATA)
		return false;
	place->segment = head == 9 ? weir_get_be64(p + 1) : 0;
	place->key = (weir_bytes){ p + head, bytes.len - head };
	return true;
}

#endif
