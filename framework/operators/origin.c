/* Which record has changed what a commit sends on: only its headers are kept, and only if it has some. */
#include <stdlib.h>
#include <string.h>

#include "framework/base/alloc.h"
#include "framework/operators/operator.h"

static const weir_headers *copy(struct origins *o, const weir_headers *from)
{
	weir_headers *to = weir__arena_alloc(&o->memory, sizeof *to);
	weir_header *items = weir__arena_alloc(&o->memory, from->count * sizeof *items);

	for (size_t i = 0; i < from->count; i++) {
		items[i] = (weir_header){ weir__arena_strdup(&o->memory, from->items[i].name),
					  weir__arena_copy(&o->memory, from->items[i].value) };
		o->bytes += sizeof *items + strlen(items[i].name) + 1 + items[i].value.len;
	}
	o->bytes += sizeof *to + sizeof *o->list;
	*to = (weir_headers){ items, from->count };
	return to;
}

static bool same(const weir_headers *a, const weir_headers *b)
{
	bool same = a->count == b->count;

	for (size_t i = 0; same && i < a->count; i++)
		same = strcmp(a->items[i].name, b->items[i].name) == 0 &&
		       weir_bytes_equal(a->items[i].value, b->items[i].value);
	return same;
}

uint32_t weir__origin(void *context)
{
	weir_context *cx = context;
	struct origins *o = &cx->origins;

	if (o->now != ORIGIN_UNKNOWN)
		return o->now;
	const weir_headers *headers =
		cx->source_headers ? cx->source_headers : weir_kafka_record_headers(cx->source);

	if (headers->count == 0 || o->count == ORIGINS_MAX)
		return o->now = 0;
	if (o->count && same(o->list[o->count - 1], headers)) /* one record may ask more than once */
		return o->now = o->count;
	if (o->count == o->room) {
		o->room = o->room ? 2 * o->room : 64;
		o->list = weir__realloc(o->list, o->room * sizeof *o->list);
	}
	o->list[o->count] = copy(o, headers);
	return o->now = ++o->count;
}

void weir__origin_set(weir_context *cx, const weir_headers *headers)
{
	const weir_headers *source_headers = cx->source_headers;

	cx->source_headers = headers;
	cx->origins.now = ORIGIN_UNKNOWN;
	weir__origin(cx);
	cx->source_headers = source_headers;
}

const weir_headers *weir__origin_headers(const weir_context *cx)
{
	static const weir_headers none;
	const struct origins *o = &cx->origins;

	return o->now && o->now <= o->count ? o->list[o->now - 1] : &none;
}

void weir__origins_clear(struct origins *o)
{
	o->count = 0;
	o->now = 0;
	o->bytes = 0;
	weir__arena_reset(&o->memory);
}

void weir__origins_release(struct origins *o)
{
	weir__arena_release(&o->memory);
	free(o->list);
}
