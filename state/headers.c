#include "state/headers.h"

#include <weir/error.h>

enum { SIZE_MAX_BYTES = 10, NO_VALUE = -1 };

void weir__kept_release(struct kept_headers *room)
{
	free(room->items);
	*room = (struct kept_headers){ 0 };
}

static char *add_size(char *at, size_t size)
{
	for (; size > 127; size >>= 7)
		*at++ = (char)(size | 128);
	*at++ = (char)size;
	return at;
}

static char *add_bytes(char *at, const void *bytes, size_t len)
{
	if (len)
		memcpy(at, bytes, len);
	return at + len;
}

weir_bytes weir__kept_encode(struct buffer *to, weir_bytes value, const weir_headers *headers)
{
	size_t size = 0, count = headers ? headers->count : 0;

	for (size_t i = 0; i < count; i++)
		size += strlen(headers->items[i].name) + 1 + 4 + headers->items[i].value.len;
	char *start = weir__buffer_reserve(to, SIZE_MAX_BYTES + size + value.len), *at = add_size(start, size);

	for (size_t i = 0; i < count; i++) {
		const weir_header *h = &headers->items[i];

		at = add_bytes(at, h->name, strlen(h->name) + 1);
		weir_put_be32(at, weir_is_null(h->value) ? NO_VALUE : (int32_t)h->value.len);
		at = add_bytes(at + 4, h->value.data, h->value.len);
	}
	to->len = (size_t)(add_bytes(at, value.data, value.len) - start);
	return weir__buffer_view(to);
}

/* Where the headers begin, and how long they are. What is kept was made above. */
static const char *headers_of(weir_bytes kept, size_t *size)
{
	const unsigned char *at = kept.data, *end = at + kept.len;
	unsigned char byte;
	int shift = 0;

	*size = 0;
	do {
		weir_assert(at < end && shift < 64);
		byte = *at++;
		*size |= (size_t)(byte & 127) << shift;
		shift += 7;
	} while (byte & 128);
	weir_assert(*size <= (size_t)(end - at));
	return (const char *)at;
}

weir_bytes weir__kept_value(weir_bytes kept)
{
	size_t size;

	if (weir_is_null(kept))
		return WEIR_NULL;
	const char *value = headers_of(kept, &size) + size;

	return weir_bytes_of(value, kept.len - (size_t)(value - (const char *)kept.data));
}

static void add_header(struct kept_headers *room, weir_header header)
{
	if (room->list.count == room->capacity) {
		room->capacity = room->capacity ? 2 * room->capacity : 8;
		room->items = weir__realloc(room->items, room->capacity * sizeof *room->items);
	}
	room->items[room->list.count++] = header;
}

const weir_headers *weir__kept_headers(struct kept_headers *room, weir_bytes kept)
{
	size_t size = 0;
	const char *at = weir_is_null(kept) ? NULL : headers_of(kept, &size), *end = at + size;

	room->list = (weir_headers){ 0 };
	while (at < end) {
		const char *name = at, *value = name + strlen(name) + 1 + 4;
		int32_t len = weir_get_be32(value - 4);

		add_header(room,
			   (weir_header){ name, len == NO_VALUE ? WEIR_NULL : weir_bytes_of(value, (size_t)len) });
		at = value + (len == NO_VALUE ? 0 : len);
	}
	weir_assert(at == end);
	room->list.items = room->items;
	return &room->list;
}
