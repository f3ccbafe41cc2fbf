/* Which record has changed what a commit sends on: only its headers are kept, and only if it has some. */
#include <stdlib.h>
#include <string.h>

#include "framework/base/alloc.h"
#include "framework/operators/operator.h"

static const weir_kafka_record *copy_source(struct origins *o, const weir_kafka_record *from, bool sent)
{
	weir_kafka_record *to = weir__arena_zalloc(&o->memory, sizeof *to);

	to->topic = from->topic ? weir__arena_strdup(&o->memory, from->topic) : NULL;
	to->partition = from->partition;
	to->offset = from->offset;
	to->timestamp_ms = from->timestamp_ms;
	if (!sent) {
		to->key = weir__arena_copy(&o->memory, from->key);
		to->value = weir__arena_copy(&o->memory, from->value);
		o->bytes += from->key.len + from->value.len;
	}
	o->bytes += sizeof *to;
	return to;
}

static struct origin *copy(struct origins *o, const weir_headers *from)
{
	struct origin *to = weir__arena_zalloc(&o->memory, sizeof *to);
	weir_header *items = weir__arena_alloc(&o->memory, (from->count + 1) * sizeof *items);

	for (size_t i = 0; i < from->count; i++) {
		items[i] = (weir_header){ weir__arena_strdup(&o->memory, from->items[i].name),
					  weir__arena_copy(&o->memory, from->items[i].value) };
		o->bytes += sizeof *items + strlen(items[i].name) + 1 + items[i].value.len;
	}
	o->bytes += sizeof *to + sizeof *o->list;
	to->headers = (weir_headers){ items, from->count };
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

static uint32_t add(weir_context *cx, const weir_headers *headers, const weir_kafka_record *source)
{
	struct origins *o = &cx->origins;

	if ((headers->count == 0 && !source) || o->count == ORIGINS_MAX)
		return 0;
	/* one record may ask more than once */
	if (o->count && !source && same(&o->list[o->count - 1]->headers, headers))
		return o->count;
	if (o->count == o->room) {
		o->room = o->room ? 2 * o->room : 64;
		o->list = weir__realloc(o->list, o->room * sizeof *o->list);
	}
	struct origin *added = copy(o, headers);

	if (source)
		added->source = copy_source(o, source, cx->sent);
	o->list[o->count] = added;
	return ++o->count;
}

const weir_kafka_record *weir__origin_source(const weir_context *cx)
{
	const struct origins *o = &cx->origins;

	if (!cx->keeps_sources || cx->source)
		return cx->keeps_sources ? cx->source : NULL;
	return o->now && o->now <= o->count ? o->list[o->now - 1]->source : NULL;
}

static __attribute__((noinline)) uint32_t learn(weir_context *cx, const weir_headers *headers)
{
	return cx->origins.now = add(cx, headers, weir__origin_source(cx));
}

uint32_t weir__origin(void *context)
{
	weir_context *cx = context;
	const weir_headers *headers = cx->source_headers;

	if (cx->origins.now != ORIGIN_UNKNOWN)
		return cx->keeps_sources ? learn(cx, weir__origin_headers(cx)) : cx->origins.now;
	if (!headers)
		headers = weir_kafka_record_headers(cx->source);
	if (headers->count == 0 && !cx->keeps_sources) /* most records */
		return cx->origins.now = 0;
	return learn(cx, headers);
}

void weir__origin_set(weir_context *cx, const weir_headers *headers)
{
	cx->origins.now = add(cx, headers, weir__origin_source(cx));
}

const weir_headers *weir__origin_headers(const weir_context *cx)
{
	static const weir_headers none;
	const struct origins *o = &cx->origins;

	return o->now && o->now <= o->count ? &o->list[o->now - 1]->headers : &none;
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
