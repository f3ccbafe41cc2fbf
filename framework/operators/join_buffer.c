/*
 * The stream's side of a join with grace (KIP-923): records wait, in the order of time, until no row of their time
 * is awaited any more. Keys and values of the store are Kafka Streams' (RocksDBTimeOrderedKeyValueBuffer), though
 * its own restore cannot read them:
 *
 *   key    0 (1) | time (8, BE) | key | number (4, BE)
 *   value  time | offset (8 each) | length, topic | partition (4) | headers: count (4), each length, name,
 *          length, value | -1 | -1 (4 each: no earlier values) | length, value | 0 (8)
 *
 * Numbers tell records of one key and time apart; they go on from the greatest that waits.
 */
#include "framework/operators/join_table.h"

enum { KEY_HEAD = 9, KEY_TAIL = 4, VALUE_TAIL = 8, SLICE = 256 };

/* --- bytes --------------------------------------------------------------------------------------------------- */

static weir_bytes waiting_key(weir_context *cx, int64_t timestamp_ms, weir_bytes key, uint32_t number)
{
	char *p = weir_alloc(cx, KEY_HEAD + key.len + KEY_TAIL);

	p[0] = 0;
	weir_put_be64(p + 1, timestamp_ms);
	if (key.len)
		memcpy(p + KEY_HEAD, key.data, key.len);
	weir_put_be32(p + KEY_HEAD + key.len, (int32_t)number);
	return weir_bytes_of(p, KEY_HEAD + key.len + KEY_TAIL);
}

static char *put_text(char *p, weir_bytes b)
{
	weir_put_be32(p, weir_is_null(b) ? -1 : (int32_t)b.len);
	if (b.len)
		memcpy(p + 4, b.data, b.len);
	return p + 4 + b.len;
}

static weir_bytes waiting_value(weir_context *cx, const weir_record *r)
{
	const weir_headers *headers = weir_record_headers(r);
	weir_metadata from = weir_record_metadata(cx);
	weir_bytes value = weir_value_bytes(r), topic = weir_str(from.topic ? from.topic : "");
	size_t size = 8 + 8 + 4 + topic.len + 4 + 4 + 4 + 4 + 4 + value.len + VALUE_TAIL;

	for (size_t i = 0; i < headers->count; i++)
		size += 4 + strlen(headers->items[i].name) + 4 + headers->items[i].value.len;
	char *bytes = weir_alloc(cx, size), *p = bytes;

	weir_put_be64(p, r->timestamp_ms);
	weir_put_be64(p + 8, from.offset);
	p = put_text(p + 16, topic);
	weir_put_be32(p, from.partition);
	weir_put_be32(p + 4, (int32_t)headers->count);
	p += 8;
	for (size_t i = 0; i < headers->count; i++) {
		p = put_text(p, weir_str(headers->items[i].name));
		p = put_text(p, headers->items[i].value);
	}
	p = put_text(p, WEIR_NULL);
	p = put_text(p, WEIR_NULL);
	p = put_text(p, value);
	memset(p, 0, VALUE_TAIL);
	return weir_bytes_of(bytes, size);
}

/* What is left to read; data is NULL once it was too short. */
static bool take(weir_bytes *from, size_t n, weir_bytes *taken)
{
	if (!from->data || from->len < n) {
		*from = WEIR_NULL;
		return false;
	}
	*taken = (weir_bytes){ from->data, n };
	*from = (weir_bytes){ (const char *)from->data + n, from->len - n };
	return true;
}

static int32_t take_number(weir_bytes *from)
{
	weir_bytes b;

	return take(from, 4, &b) ? weir_get_be32(b.data) : -1;
}

static weir_bytes take_text(weir_bytes *from)
{
	int32_t len = take_number(from);
	weir_bytes b = WEIR_NULL;

	if (len >= 0)
		take(from, (size_t)len, &b);
	return b;
}

static bool take_headers(weir_context *cx, weir_bytes *from, weir_headers *headers)
{
	int32_t count = take_number(from);

	if (!from->data || count < 0 || (size_t)count > from->len / 8)
		return false;
	weir_header *items = weir_alloc(cx, ((size_t)count + 1) * sizeof *items);

	for (int32_t i = 0; i < count && from->data; i++) {
		weir_bytes name = weir__arena_copy(&cx->arena, take_text(from));

		items[i] =
			(weir_header){ name.data ? name.data : "", weir__arena_copy(&cx->arena, take_text(from)) };
	}
	*headers = (weir_headers){ items, (size_t)count };
	return from->data != NULL;
}

static bool read_waiting(struct instance *in, weir_context *cx, const weir_entry *e, weir_record *r,
			 struct released *what)
{
	weir_headers *headers = weir_alloc(cx, sizeof *headers);
	weir_bytes from = e->value, head;

	if (e->key.len < KEY_HEAD + KEY_TAIL || !take(&from, 16, &head))
		return false;
	weir_bytes topic = take_text(&from);

	*what = (struct released){ .step = in,
				   .key = weir__arena_copy(&cx->arena, e->key),
				   .topic = topic.len ? weir__arena_printf(&cx->arena, "%.*s", (int)topic.len,
									   (const char *)topic.data)
						      : NULL,
				   .partition = take_number(&from),
				   .offset = weir_get_be64((const char *)head.data + 8) };
	if (!take_headers(cx, &from, headers))
		return false;
	take_text(&from);
	take_number(&from); /* an old value like the one before it is -2 */
	weir_bytes value = take_text(&from),
		   key = { (const char *)e->key.data + KEY_HEAD, e->key.len - KEY_HEAD - KEY_TAIL };

	*r = (weir_record){ .key = weir__arena_copy(&cx->arena, key),
			    .timestamp_ms = weir_get_be64((const char *)e->key.data + 1),
			    .encoded = weir__arena_copy(&cx->arena, value),
			    .has_encoded = true,
			    .serde = in->node->parents[0]->value,
			    .headers = headers,
			    .cx = cx };
	return from.data && from.len == VALUE_TAIL && !weir_is_null(value);
}

/* --- waiting and going on ------------------------------------------------------------------------------------ */

void weir__join_buffer_init(struct instance *in)
{
	struct join_waiting *w = in->state;
	weir_iterator *it = weir_store_range(in->stores[0], WEIR_NULL, WEIR_NULL, false);
	weir_entry e;

	*w = (struct join_waiting){ .min_ms = INT64_MAX };
	weir__arena_init(&w->arena, 0);
	while (weir_iterator_next(it, &e)) {
		if (e.key.len < KEY_HEAD + KEY_TAIL)
			continue;
		uint32_t number = (uint32_t)weir_get_be32((const char *)e.key.data + e.key.len - KEY_TAIL);

		if (w->min_ms == INT64_MAX)
			w->min_ms = weir_get_be64((const char *)e.key.data + 1);
		w->number = number > w->number ? number : w->number;
	}
	weir_iterator_close(it);
}

void weir__join_buffer_close(struct instance *in)
{
	weir__arena_release(&((struct join_waiting *)in->state)->arena);
}

/* Some of those that are due. False: none is left. */
static bool go_on_with_some(struct instance *in, weir_context *cx, int64_t due_ms)
{
	struct join_waiting *w = in->state;
	weir_iterator *it = weir_store_range(in->stores[0], WEIR_NULL, WEIR_NULL, false);
	weir_bytes gone[SLICE];
	size_t n = 0;
	weir_entry e;

	w->min_ms = INT64_MAX;
	while (weir_iterator_next(it, &e)) {
		struct released what;
		weir_record r;

		if (!read_waiting(in, cx, &e, &r, &what)) {
			weir_stop(cx, "step \"%s\": a record that waits cannot be read: another form",
				  in->node->name);
			break;
		}
		if (r.timestamp_ms > due_ms || n == SLICE) {
			w->min_ms = r.timestamp_ms;
			break;
		}
		gone[n++] = what.key;
		weir__origin_set(cx, r.headers); /* of what this row changes below */
		if (!weir__release_begin(cx, &what, &r))
			continue;
		weir__table_join_one(in, cx, &r);
		if (cx->failure)
			weir__failed(in, cx, &r, r.timestamp_ms);
		weir__release_end(cx);
	}
	weir_iterator_close(it);
	for (size_t i = 0; i < n; i++)
		weir_store_put(in->stores[0], gone[i], WEIR_NULL, weir_get_be64((const char *)gone[i].data + 1));
	return w->min_ms <= due_ms && !cx->failed;
}

/* They may be many: what they make does not stay in memory until the record at work is done. */
static bool go_on_in_own_memory(struct instance *in, weir_context *cx, int64_t due_ms)
{
	struct join_waiting *w = in->state;
	struct arena of_record = cx->arena;

	cx->arena = w->arena;
	bool more = go_on_with_some(in, cx, due_ms);

	weir__arena_reset(&cx->arena);
	w->arena = cx->arena;
	cx->arena = of_record;
	return more;
}

void weir__join_buffer_take(struct instance *in, weir_context *cx, const weir_record *r, int64_t grace_ms)
{
	struct join_waiting *w = in->state;
	const weir_kafka_record *source = cx->source;

	weir__time_seen(in, r->timestamp_ms);
	int64_t due_ms = weir_time_sub(in->observed_ms, grace_ms);

	if (r->timestamp_ms < due_ms || r->timestamp_ms < 0) { /* too late to wait */
		weir__table_join_one(in, cx, r);
		return;
	}
	w->number = (w->number + 1) & INT32_MAX;
	weir_store_put(in->stores[0], waiting_key(cx, r->timestamp_ms, r->key, w->number), waiting_value(cx, r),
		       r->timestamp_ms);
	w->min_ms = r->timestamp_ms < w->min_ms ? r->timestamp_ms : w->min_ms;
	uint32_t origin = weir__origin(cx);

	cx->source = NULL; /* what goes on now comes from others */
	while (w->min_ms <= due_ms && go_on_in_own_memory(in, cx, due_ms))
		;
	cx->source = source;
	cx->origins.now = origin;
}
