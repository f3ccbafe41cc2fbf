#include "framework/operators/buffered.h"

enum { NULL_LENGTH = -1, SAME_AS_PRIOR = -2, FIXED_BYTES = 8 + 8 + 4 + 4 + 4 + 3 * 4 + 8 };

const weir_headers weir__buffered_headers = { (weir_header[]){ { "v", { "\3", 1 } } }, 1 };

static bool old_is_prior(const struct buffered *row)
{
	return !weir_is_null(row->old_value) && !weir_is_null(row->prior_value) &&
	       weir_bytes_equal(row->old_value, row->prior_value);
}

static char *put_value(char *to, weir_bytes value)
{
	weir_put_be32(to, weir_is_null(value) ? NULL_LENGTH : (int32_t)value.len);
	if (value.len)
		memcpy(to + 4, value.data, value.len);
	return to + 4 + value.len;
}

static size_t header_bytes(const weir_headers *headers)
{
	size_t n = 0;

	for (size_t i = 0; i < headers->count; i++)
		n += strlen(headers->items[i].name) + headers->items[i].value.len;
	return n;
}

weir_bytes weir__buffered_encode(weir_context *cx, const struct buffered *row)
{
	const weir_headers *headers = row->headers;
	char *bytes = weir_alloc(cx, FIXED_BYTES + row->topic.len + row->prior_value.len + row->old_value.len +
					     row->new_value.len + header_bytes(headers) + 8 * headers->count);
	char *at = bytes + 16;

	weir_put_be64(bytes, row->timestamp_ms);
	weir_put_be64(bytes + 8, -1);
	at = put_value(at, row->topic);
	weir_put_be32(at, row->partition);
	weir_put_be32(at + 4, (int32_t)headers->count);
	at += 8;
	for (size_t i = 0; i < headers->count; i++) {
		at = put_value(at, weir_str(headers->items[i].name));
		at = put_value(at, headers->items[i].value);
	}
	at = put_value(at, row->prior_value);
	if (old_is_prior(row)) {
		weir_put_be32(at, SAME_AS_PRIOR);
		at += 4;
	} else {
		at = put_value(at, row->old_value);
	}
	at = put_value(at, row->new_value);
	weir_put_be64(at, row->time_ms);
	return weir_bytes_of(bytes, (size_t)(at + 8 - bytes));
}

/* --- reading ------------------------------------------------------------------------------------- */

struct reader {
	const char *at;
	size_t left;
	bool bad;
};

static const char *take(struct reader *r, size_t n)
{
	const char *p = r->at;

	if (r->bad || n > r->left) {
		r->bad = true;
		return NULL;
	}
	r->at += n;
	r->left -= n;
	return p;
}

static int32_t take_number(struct reader *r)
{
	const char *p = take(r, 4);

	return p ? weir_get_be32(p) : NULL_LENGTH;
}

static int64_t take_long(struct reader *r)
{
	const char *p = take(r, 8);

	return p ? weir_get_be64(p) : 0;
}

static weir_bytes take_bytes(struct reader *r, int32_t length)
{
	if (length < NULL_LENGTH)
		r->bad = true;
	if (r->bad || length < 0)
		return WEIR_NULL;
	const char *p = take(r, (size_t)length);

	return p ? weir_bytes_of(p, (size_t)length) : WEIR_NULL;
}

static const weir_headers *take_headers(struct reader *r, weir_context *cx)
{
	static const weir_headers none;
	int32_t n = take_number(r);

	r->bad |= n > 0 && (size_t)n > r->left / 8;
	if (n <= 0 || r->bad)
		return &none;
	weir_headers *to = weir_alloc(cx, sizeof *to);
	weir_header *items = weir_alloc(cx, (size_t)n * sizeof *items);

	for (int32_t i = 0; i < n; i++) {
		weir_bytes name = take_bytes(r, take_number(r));

		items[i].name = weir__arena_copy(&cx->arena, weir_is_null(name) ? weir_str("") : name).data;
		items[i].value = take_bytes(r, take_number(r));
	}
	*to = (weir_headers){ items, (size_t)n };
	return to;
}

bool weir__buffered_decode(weir_context *cx, weir_bytes bytes, struct buffered *row)
{
	struct reader r = { bytes.data, bytes.len, weir_is_null(bytes) };

	*row = (struct buffered){ .timestamp_ms = take_long(&r) };
	take_long(&r);
	row->topic = take_bytes(&r, take_number(&r));
	row->partition = take_number(&r);
	row->headers = take_headers(&r, cx);
	row->prior_value = take_bytes(&r, take_number(&r));
	int32_t old = take_number(&r);

	row->old_value = old == SAME_AS_PRIOR ? row->prior_value : take_bytes(&r, old);
	row->new_value = take_bytes(&r, take_number(&r));
	row->time_ms = take_long(&r);
	return !r.bad && r.left == 0;
}

int64_t weir__buffered_size(const struct buffered *row)
{
	size_t values = row->prior_value.len + row->new_value.len + (old_is_prior(row) ? 0 : row->old_value.len);

	return (int64_t)(8 + 8 + row->topic.len + 4 + header_bytes(row->headers) + values);
}
