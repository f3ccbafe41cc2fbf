#include "apps/evilnet/outbox_entry.h"

#include <inttypes.h>
#include <stdio.h>
#include <weir/clock.h>

#include "apps/evilnet/util.h"

#define DEAD_VALUE_MAX ((size_t)256 << 10) /* so much of an object is kept in a dead letter */

void entry_init_post(struct entry *e, const struct post *post, weir_bytes raw, int64_t received_ms)
{
	size_t value_max = post_encoded_max(post);

	*e = (struct entry){
		.bytes = evilnet_malloc(raw.len + value_max),
		.raw_len = raw.len,
		.key_len = post->place.len,
		.timestamp_ms = post->created_at_ms,
		.received_ms = received_ms,
	};
	if (raw.len)
		memcpy(e->bytes, raw.data, raw.len);
	e->value_len = post_encode(post, e->bytes + raw.len, value_max);
	weir_assert(e->value_len > 0);
	e->length = raw.len ? raw.len : e->value_len;
}

void entry_init_dead(struct entry *e, weir_bytes raw, size_t raw_length, const char *reason, int64_t original_ms)
{
	*e = (struct entry){
		.bytes = evilnet_malloc(raw.len),
		.raw_len = raw.len,
		.length = raw_length,
		.timestamp_ms = original_ms,
		.reason = evilnet_strdup(reason),
	};
	if (raw.len)
		memcpy(e->bytes, raw.data, raw.len);
}

void entry_release(struct entry *e)
{
	free(e->bytes);
	free(e->reason);
	*e = (struct entry){ .state = ENTRY_DONE };
}

static weir_header number_header(const char *name, int64_t n, char text[24])
{
	return (weir_header){ name, weir_bytes_of(text, (size_t)snprintf(text, 24, "%" PRId64, n)) };
}

static bool send_post(const struct entry *e, const struct outbox_opts *opts, weir_producer *producer, uint64_t tag,
		      weir_error *err)
{
	const char *end = e->bytes + e->raw_len + e->value_len;
	char received[24];
	weir_header header = number_header("received", e->received_ms, received);
	weir_headers headers = { &header, 1 };

	return weir_producer_send(producer,
				  &(weir_produced){
					  .topic = opts->posts_topic,
					  .partition = -1,
					  .timestamp_ms = e->timestamp_ms,
					  .key = weir_bytes_of(end - e->key_len, e->key_len),
					  .value = weir_bytes_of(end - e->value_len, e->value_len),
					  .headers = e->received_ms >= 0 ? &headers : NULL,
					  .tag = tag,
				  },
				  err);
}

static weir_bytes dead_value(const struct entry *e)
{
	size_t n = e->raw_len ? e->raw_len : e->value_len;

	return e->bare ? WEIR_NULL : weir_bytes_of(e->bytes, n < DEAD_VALUE_MAX ? n : DEAD_VALUE_MAX);
}

static bool send_dead(const struct entry *e, const struct outbox_opts *opts, weir_producer *producer, uint64_t tag,
		      weir_error *err)
{
	weir_clock *clock = weir_clock_system();
	weir_bytes value = dead_value(e);
	char original[24], length[24];
	weir_header items[4] = { { "reason", weir_str(e->reason) }, { "source", weir_str(opts->source) } };
	weir_headers headers = { items, 2 };

	if (e->timestamp_ms >= 0)
		items[headers.count++] = number_header("original-timestamp", e->timestamp_ms, original);
	if (value.len < e->length)
		items[headers.count++] = number_header("original-length", (int64_t)e->length, length);
	return weir_producer_send(producer,
				  &(weir_produced){
					  .topic = opts->dead_letter_topic,
					  .partition = -1,
					  .timestamp_ms = clock->wall_ms(clock),
					  .value = value,
					  .headers = &headers,
					  .tag = tag,
				  },
				  err);
}

bool entry_send(const struct entry *e, const struct outbox_opts *opts, weir_producer *producer, uint64_t tag,
		weir_error *err)
{
	return (e->reason ? send_dead : send_post)(e, opts, producer, tag, err);
}
