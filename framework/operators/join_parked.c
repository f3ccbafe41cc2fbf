/*
 * What waits for a partner in a left or outer join, of both sides, in the order of time. Keys and values are Kafka
 * Streams': time (8, BE) | side (1: 1 = left) | key, and a list (ListSerde) of side (1) | value; so are the rules
 * by which a row comes out.
 */
#include <inttypes.h>

#include "framework/operators/join.h"

enum { KEY_HEAD = 9, LIST_OF_ANY_SIZES = 1, LIST_HEAD = 5 };

static weir_bytes parked_key(weir_context *cx, int64_t timestamp_ms, bool left, weir_bytes key)
{
	char *p = weir_alloc(cx, KEY_HEAD + key.len);

	weir_put_be64(p, timestamp_ms);
	p[8] = left;
	memcpy(p + KEY_HEAD, key.data, key.len);
	return weir_bytes_of(p, KEY_HEAD + key.len);
}

void weir__join_park(struct instance *side, weir_context *cx, const weir_record *r)
{
	const struct stream_join *j = side->node->opts;
	struct join_times *times = weir__join_times(side);
	weir_bytes key = parked_key(cx, r->timestamp_ms, !j->is_right, r->key), value = weir_value_bytes(r);
	weir_bytes old = weir_store_get(side->stores[JOIN_PARKED], key, NULL);
	size_t head = old.len >= LIST_HEAD ? old.len : LIST_HEAD;
	char *list = weir_alloc(cx, head + 4 + 1 + value.len);

	if (old.len >= LIST_HEAD)
		memcpy(list, old.data, old.len);
	else
		memcpy(list, (const char[LIST_HEAD]){ LIST_OF_ANY_SIZES }, LIST_HEAD);
	weir_put_be32(list + 1, weir_get_be32(list + 1) + 1);
	weir_put_be32(list + head, (int32_t)value.len + 1);
	list[head + 4] = !j->is_right;
	if (value.len)
		memcpy(list + head + 5, value.data, value.len);
	weir_store_put(side->stores[JOIN_PARKED], key, weir_bytes_of(list, head + 5 + value.len), r->timestamp_ms);
	if (r->timestamp_ms < times->parked_min_ms)
		times->parked_min_ms = r->timestamp_ms;
}

void weir__join_unpark_other(struct instance *side, weir_context *cx, const weir_record *r, int64_t timestamp_ms)
{
	const struct stream_join *j = side->node->opts;

	weir__store_delete_if_there(side->stores[JOIN_PARKED], parked_key(cx, timestamp_ms, j->is_right, r->key),
				    r->timestamp_ms);
}

/* --- coming out ---------------------------------------------------------------------------------- */

struct parked {
	int64_t timestamp_ms;
	bool left;
	weir_bytes key;
};

static struct parked parked_of(weir_bytes key)
{
	const char *p = key.data;

	return (struct parked){ weir_get_be64(p), p[8] != 0, { p + KEY_HEAD, key.len - KEY_HEAD } };
}

static void pass_one_on(struct instance *side, weir_context *cx, const weir_record *r, const struct parked *p,
			const weir_record *row)
{
	const struct stream_join *j = side->node->opts;
	const void *value = weir_value(row);
	bool is_mine = p->left != j->is_right;
	weir_record out = weir__joined(side, cx, r, p->key, is_mine ? value : NULL, is_mine ? NULL : value);

	out.timestamp_ms = p->timestamp_ms;
	weir__pass_on(side, cx, &out);
	if (cx->failure)
		weir__failed(side, cx, row, row->timestamp_ms);
}

/* Passes on each of the list, which stands under `key`, alone. */
static void pass_on(struct instance *side, weir_context *cx, const weir_record *r, const struct parked *p,
		    weir_bytes key, weir_bytes list)
{
	const struct stream_join *j = side->node->opts;
	const char *at = (const char *)list.data + LIST_HEAD, *end = (const char *)list.data + list.len;
	struct released what = { .step = side->children[0], .key = key };

	for (; end - at >= 5; what.number++) {
		int32_t len = weir_get_be32(at);

		if (len < 1 || len > end - at - 4)
			break;
		weir_record row = { .key = p->key,
				    .timestamp_ms = p->timestamp_ms,
				    .encoded = { at + 5, (size_t)len - 1 },
				    .has_encoded = true,
				    .serde = p->left ? j->left_value : j->right_value,
				    .headers = r->headers,
				    .cx = cx };

		if (weir__release_begin(cx, &what, &row)) {
			pass_one_on(side, cx, r, p, &row);
			weir__release_end(cx);
		}
		at += 4 + len;
	}
	if (at != end)
		weir_stop(cx,
			  "step \"%s\": a record that waits for a partner cannot be read: its store holds a list "
			  "of another form",
			  side->node->name);
}

static bool is_open(const struct stream_join *j, const struct parked *p, int64_t time_ms)
{
	int64_t ahead = p->left ? j->window.after_ms : j->window.before_ms;

	return weir_time_add(weir_time_add(p->timestamp_ms, ahead), j->window.grace_ms) >= time_ms;
}

static int64_t newest_parked(weir_store *store)
{
	weir_iterator *it = weir_store_range(store, WEIR_NULL, WEIR_NULL, true);
	weir_entry e;
	int64_t ms = weir_iterator_next(it, &e) ? parked_of(e.key).timestamp_ms : INT64_MAX;

	weir_iterator_close(it);
	return ms;
}

/* Goes through what is parked until both sides' windows are open; what has come out is deleted afterwards. Like
 * Kafka Streams it takes for the least time the last one that it has looked at. */
static void take_closed(struct instance *side, weir_context *cx, const weir_record *r)
{
	const struct stream_join *j = side->node->opts;
	struct join_times *times = weir__join_times(side);
	weir_store *store = side->stores[JOIN_PARKED];
	weir_iterator *it = weir_store_range(store, WEIR_NULL, WEIR_NULL, false);
	bool left_open = false, right_open = false;
	weir_bytes *gone = NULL;
	size_t n = 0, room = 0;
	weir_entry e;

	while (weir_iterator_next(it, &e)) {
		struct parked p = parked_of(e.key);

		times->parked_min_ms = p.timestamp_ms;
		if (left_open && right_open)
			break;
		if (is_open(j, &p, weir__join_time(side))) {
			left_open |= p.left;
			right_open |= !p.left;
			/* the second of a list is looked at as well */
			if (left_open && right_open && weir_get_be32((const char *)e.value.data + 1) > 1)
				break;
			if (j->right_alone)
				continue;
			/* There is one side only: all that follow are open as well. */
			times->parked_min_ms = newest_parked(store);
			break;
		}
		if (n == room) {
			weir_bytes *more = weir_alloc(cx, (room = room ? 2 * room : 64) * sizeof *more);

			if (n)
				memcpy(more, gone, n * sizeof *more);
			gone = more;
		}
		gone[n++] = weir__arena_copy(&cx->arena, e.key);
		p.key = parked_of(gone[n - 1]).key;
		pass_on(side, cx, r, &p, gone[n - 1], e.value);
	}
	weir_iterator_close(it);
	for (size_t i = 0; i < n; i++)
		weir_store_put(store, gone[i], WEIR_NULL, r->timestamp_ms);
}

/* What comes out, and what becomes of it, is not the fault of the record that has let time go on. Headers are that
 * record's, as in Kafka Streams. */
static void take_closed_without_source(struct instance *side, weir_context *cx, const weir_record *r)
{
	const weir_kafka_record *source = cx->source;
	weir_record as_now = *r;

	if (source)
		weir__origin(cx); /* it is asked before it is hidden */
	as_now.headers = weir_record_headers(r);
	cx->source = NULL;
	take_closed(side, cx, &as_now);
	cx->source = source;
}

void weir__join_look_at_parked(struct instance *side, weir_context *cx, const weir_record *r)
{
	const struct stream_join *j = side->node->opts;
	struct join_times *times = weir__join_times(side);
	int64_t ahead = j->is_right ? j->window.before_ms : j->window.after_ms;
	int64_t wait = weir_time_add(ahead, j->window.grace_ms);

	/* Unknown: Kafka Streams' sum overflows then, if it waits at all. */
	if (times->parked_min_ms == INT64_MAX ? wait <= 0
					      : weir_time_add(times->parked_min_ms, wait) >= weir__join_time(side))
		return;
	int64_t now_ms = weir_now_ms(cx);

	if (now_ms < times->next_look_ms)
		return;
	times->next_look_ms = weir_time_add(now_ms, cx->emit_interval_ms);
	times->parked_min_ms = INT64_MAX;
	take_closed_without_source(side, cx, r);
}

void weir__join_parked_init(struct instance *side)
{
	weir_iterator *it = weir_store_range(side->stores[JOIN_PARKED], WEIR_NULL, WEIR_NULL, false);
	weir_entry e;

	weir__join_times(side)->parked_min_ms =
		weir_iterator_next(it, &e) ? parked_of(e.key).timestamp_ms : INT64_MAX;
	weir_iterator_close(it);
}
