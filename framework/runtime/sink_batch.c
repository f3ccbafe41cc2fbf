#include "framework/runtime/sink_batch.h"

#include <stdlib.h>

#include "framework/base/alloc.h"
#include "framework/kafka/port.h"

/* A copied record's handle is its headers; its consumer is this, which only knows how to give them back. */
static const weir_headers *kept_headers(const weir_kafka_record *record)
{
	return record->handle;
}

static const struct consumer_ops reader_ops = { .headers = kept_headers };
static weir_consumer reader = { &reader_ops };

void weir__sink_batch_init(struct sink_batch *b)
{
	*b = (struct sink_batch){ 0 };
	weir__arena_init(&b->arena, 0);
}

void weir__sink_batch_release(struct sink_batch *b)
{
	weir__arena_release(&b->arena);
	free(b->records);
}

void weir__sink_batch_clear(struct sink_batch *b)
{
	weir__arena_reset(&b->arena);
	b->count = b->bytes = 0;
}

static const weir_headers *copy_headers(struct arena *a, const weir_headers *from)
{
	weir_headers *to = weir__arena_alloc(a, sizeof *to);
	weir_header *items = from->count ? weir__arena_alloc(a, from->count * sizeof *items) : NULL;

	for (size_t i = 0; i < from->count; i++)
		items[i] = (weir_header){ weir__arena_strdup(a, from->items[i].name),
					  weir__arena_copy(a, from->items[i].value) };
	*to = (weir_headers){ items, from->count };
	return to;
}

void weir__sink_batch_add(struct sink_batch *b, const weir_kafka_record *record, const char *topic)
{
	if (b->count == b->capacity) {
		b->capacity = b->capacity ? b->capacity * 2 : 64;
		b->records = weir__realloc(b->records, b->capacity * sizeof *b->records);
	}
	weir_kafka_record *copy = &b->records[b->count++];
	*copy = *record;
	copy->topic = topic;
	copy->key = weir__arena_copy(&b->arena, record->key);
	copy->value = weir__arena_copy(&b->arena, record->value);
	copy->handle = copy_headers(&b->arena, weir_kafka_record_headers(record));
	copy->consumer = &reader;
	copy->user = NULL;
	b->bytes += record->key.len + record->value.len;
}

void weir__sink_batch_remove(struct sink_batch *b, const size_t *indexes, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		b->records[indexes[i]].consumer = NULL;
	for (size_t i = 0; i < b->count; i++)
		if (b->records[i].consumer)
			b->records[kept++] = b->records[i];
	b->count = kept;
}
