#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/contract/cases.h"

static struct reader r;

void records_come_back_in_order_with_their_offsets(struct contract *c)
{
	const char *topic = fresh_topic(c, 1);

	put_numbers(c, topic, 0, 1000);
	reader_at(c, &r, topic, 0, WEIR_OFFSET_BEGINNING);
	reader_until(&r, 1000);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(r.seen[i].offset, i);
		assert_int_equal(atoi(r.seen[i].value), i);
		assert_string_equal(r.seen[i].key, r.seen[i].value);
		assert_string_equal(r.seen[i].topic, topic);
	}
	reader_linger(&r);
	assert_int_equal(r.count, 1000);
	reader_close(&r);
}

void null_and_empty_keys_and_values_are_told_apart(struct contract *c)
{
	const char *topic = fresh_topic(c, 1);
	weir_producer *p = producer_of(c, NULL);

	put(p, topic, 0, NULL, "value");
	put(p, topic, 0, "key", NULL);
	put(p, topic, 0, "", "");
	put(p, topic, 0, NULL, NULL);
	flush(p);
	weir_producer_close(p);
	reader_at(c, &r, topic, 0, 0);
	reader_until(&r, 4);
	assert_string_equal(r.seen[0].key, "(null)");
	assert_string_equal(r.seen[0].value, "value");
	assert_string_equal(r.seen[1].key, "key");
	assert_string_equal(r.seen[1].value, "(null)");
	assert_string_equal(r.seen[2].key, "");
	assert_string_equal(r.seen[2].value, "");
	assert_string_equal(r.seen[3].key, "(null)");
	assert_string_equal(r.seen[3].value, "(null)");
	reader_close(&r);
}

/* --- headers -------------------------------------------------------------------------------------------------- */

static bool check_headers(const weir_kafka_record *record, void *user)
{
	const weir_headers *h = weir_kafka_record_headers(record);

	(void)user;
	assert_int_equal(h->count, 4);
	assert_string_equal(h->items[0].name, "colour");
	assert_true(weir_bytes_equal(h->items[0].value, weir_str("red")));
	assert_string_equal(h->items[1].name, "none");
	assert_true(weir_is_null(h->items[1].value));
	assert_string_equal(h->items[2].name, "colour");
	assert_string_equal(h->items[3].name, "empty");
	assert_false(weir_is_null(h->items[3].value));
	assert_int_equal(h->items[3].value.len, 0);
	assert_true(weir_bytes_equal(weir_headers_last(h, "colour"), weir_bytes_of("bl\0e", 4)));
	assert_true(weir_is_null(weir_headers_last(h, "size")));
	return true;
}

void headers_come_back_in_order_with_repeats_and_nulls(struct contract *c)
{
	const weir_header items[] = { { "colour", weir_str("red") },
				      { "none", WEIR_NULL },
				      { "colour", weir_bytes_of("bl\0e", 4) },
				      { "empty", weir_str("") } };
	const weir_headers headers = { items, 4 };
	const char *topic = fresh_topic(c, 1);
	weir_producer *p = producer_of(c, NULL);
	weir_produced record = { .topic = topic, .timestamp_ms = 5, .value = weir_str("v"), .headers = &headers };
	weir_error err;

	assert_done(weir_producer_send(p, &record, &err), err);
	assert_done(weir_producer_send(p, &record, &err), err);
	flush(p);
	weir_producer_close(p);
	reader_at(c, &r, topic, 0, 0);
	r.on_record = check_headers;
	reader_until(&r, 2);
	reader_close(&r);
}

static bool check_no_headers(const weir_kafka_record *record, void *user)
{
	(void)user;
	assert_int_equal(weir_kafka_record_headers(record)->count, 0);
	assert_true(weir_is_null(weir_headers_last(weir_kafka_record_headers(record), "colour")));
	return true;
}

void a_record_without_headers_has_none(struct contract *c)
{
	const char *topic = fresh_topic(c, 1);

	put_numbers(c, topic, 0, 2);
	reader_at(c, &r, topic, 0, 0);
	r.on_record = check_no_headers;
	reader_until(&r, 2);
	reader_close(&r);
}

void timestamps_come_back_and_zero_becomes_one(struct contract *c)
{
	const char *topic = fresh_topic(c, 1);
	weir_producer *p = producer_of(c, NULL);

	put_at(p, topic, 0, 1234567890123, "k", "a");
	put_at(p, topic, 0, 0, "k", "b");
	put_at(p, topic, 0, 7, "k", "c");
	flush(p);
	weir_producer_close(p);
	reader_at(c, &r, topic, 0, 0);
	reader_until(&r, 3);
	assert_int_equal(r.seen[0].timestamp_ms, 1234567890123);
	assert_int_equal(r.seen[1].timestamp_ms, 1);
	assert_int_equal(r.seen[2].timestamp_ms, 7);
	reader_close(&r);
}

void keyed_records_go_to_the_partition_of_their_key(struct contract *c)
{
	const char *topic = fresh_topic(c, 7);
	weir_producer *p = producer_of(c, NULL);
	char key[16];

	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof key, "key-%d", i);
		put(p, topic, -1, key, "v");
	}
	flush(p);
	weir_producer_close(p);
	reader_open(c, &r, false);
	for (int32_t i = 0; i < 7; i++)
		reader_assign(&r, topic, i, 0);
	reader_until(&r, 100);
	for (int i = 0; i < 100; i++)
		assert_int_equal(r.seen[i].partition, weir_partition_for_key(weir_str(r.seen[i].key), 7));
	reader_close(&r);
}

/* --- deliveries ----------------------------------------------------------------------------------------------- */

static struct deliveries {
	int done, failed;
	uint64_t tags; /* sum */
	int64_t last_offset;
	char topic[128];
	weir_error error;
} deliveries;

static void note_delivery(const char *topic, int32_t partition, int64_t offset, uint64_t tag,
			  const weir_error *error, void *user)
{
	struct deliveries *d = user;

	assert_int_equal(partition, 0);
	snprintf(d->topic, sizeof d->topic, "%s", topic);
	d->tags += tag;
	if (error) {
		d->failed++;
		d->error = *error;
	} else {
		d->done++;
		d->last_offset = offset;
	}
}

static weir_producer *noting_producer(struct contract *c, bool errors_only)
{
	weir_error err;
	weir_producer *p = weir_producer_open(c->cluster,
					      (weir_producer_opts){ .on_delivery = note_delivery,
								    .delivery_errors_only = errors_only,
								    .user = &deliveries },
					      &err);

	assert_done(p, err);
	memset(&deliveries, 0, sizeof deliveries);
	return p;
}

static void put_tagged(weir_producer *p, const char *topic, int64_t timestamp_ms, uint64_t tag)
{
	weir_produced record = { .topic = topic, .timestamp_ms = timestamp_ms, .value = weir_str("v"), .tag = tag };
	weir_error err;

	assert_done(weir_producer_send(p, &record, &err), err);
}

void deliveries_tell_offset_and_tag(struct contract *c)
{
	const char *topic = fresh_topic(c, 1);
	weir_producer *p = noting_producer(c, false);

	for (uint64_t i = 1; i <= 10; i++)
		put_tagged(p, topic, 1, i);
	WAIT_UNTIL(c, weir_producer_poll(p, 10) == 0);
	assert_int_equal(deliveries.done, 10);
	assert_int_equal(deliveries.tags, 55);
	assert_int_equal(deliveries.last_offset, 9);
	assert_string_equal(deliveries.topic, topic);
	weir_producer_close(p);
}

void only_failures_are_reported_when_asked_so(struct contract *c)
{
	const char *topic = fresh_topic(c, 1);
	weir_producer *p = noting_producer(c, true);

	put_tagged(p, topic, 1, 1);
	flush(p);
	put_tagged(p, topic, c->clock->wall_ms(c->clock) + WEIR_HOURS(3), 2);
	flush(p);
	weir_producer_close(p);
	assert_int_equal(deliveries.done, 0);
	assert_int_equal(deliveries.failed, 1);
	assert_int_equal(deliveries.tags, 2);
}

void the_producer_knows_how_far_it_has_delivered(struct contract *c)
{
	const char *topic = fresh_topic(c, 2);
	weir_producer *p = producer_of(c, NULL);

	put_numbers(c, topic, 1, 5);
	assert_int_equal(weir_producer_delivered(p, topic, 1), WEIR_OFFSET_NONE);
	put(p, topic, 1, "k", "v");
	put(p, topic, 1, "k", "v");
	flush(p);
	assert_int_equal(weir_producer_delivered(p, topic, 1), 7);
	assert_int_equal(weir_producer_delivered(p, topic, 0), WEIR_OFFSET_NONE);
	weir_producer_close(p);
}

/* --- refusals ------------------------------------------------------------------------------------------------- */

void a_record_from_the_future_is_refused(struct contract *c)
{
	const char *topic = fresh_topic(c, 1);
	weir_producer *p = noting_producer(c, false);
	int64_t now_ms = c->clock->wall_ms(c->clock);

	put_tagged(p, topic, now_ms + WEIR_MINUTES(50), 1);
	flush(p);
	assert_int_equal(deliveries.done, 1);
	put_tagged(p, topic, now_ms + WEIR_MINUTES(90), 2);
	flush(p);
	assert_int_equal(deliveries.failed, 1);
	assert_int_equal(deliveries.error.code, WEIR_USER);
	assert_false(deliveries.error.fatal);
	put_tagged(p, topic, now_ms, 3); /* the producer goes on */
	flush(p);
	assert_int_equal(deliveries.done, 2);
	assert_int_equal(end_of(c, topic, 0), 2);
	weir_producer_close(p);
}

void a_topic_can_be_told_to_take_any_date(struct contract *c)
{
	static const char *const configs[][2] = { { "message.timestamp.after.max.ms", "9223372036854775807" },
						  { "retention.ms", "-1" } };
	static const int64_t dates[] = { INT64_MAX, INT64_MAX - 1, INT64_MAX / 2, 1, INT64_MAX };
	weir_topic_spec spec = { fresh(c, "any-date"), 1, 0, configs, 2 };
	weir_producer *p = noting_producer(c, false);
	weir_error err;

	assert_done(weir_topics_create(c->cluster, &spec, 1, &err), err);
	for (int i = 0; i < 5; i++)
		put_tagged(p, spec.name, dates[i], (uint64_t)i);
	flush(p);
	assert_int_equal(deliveries.done, 5);
	weir_producer_close(p);
	reader_at(c, &r, spec.name, 0, 0);
	reader_until(&r, 5);
	for (int i = 0; i < 5; i++)
		assert_int_equal(r.seen[i].timestamp_ms, dates[i]);
	reader_close(&r);
}

void a_record_that_is_too_large_is_refused_at_once(struct contract *c)
{
	const char *topic = fresh_topic(c, 1);
	weir_producer *p = noting_producer(c, false);
	size_t size = 1100000;
	char *large = calloc(1, size);
	weir_produced record = { .topic = topic, .timestamp_ms = 1, .value = { large, size } };
	weir_error err;

	assert_false(weir_producer_send(p, &record, &err));
	assert_int_equal(err.code, WEIR_USER);
	assert_false(err.fatal || err.abort_txn);
	record.value.len = 900000;
	assert_done(weir_producer_send(p, &record, &err), err);
	flush(p);
	assert_int_equal(deliveries.done, 1);
	assert_int_equal(deliveries.failed, 0);
	weir_producer_close(p);
	free(large);
}

enum { ANY_BYTES = 900000 };

/* Byte i of what is sent: all values, in no order that a text has. */
static char any_byte(size_t i, size_t shift)
{
	return (char)((i * 167 + i / 256 + shift) & 255);
}

static bool are_any_bytes(weir_bytes b, size_t len, size_t shift)
{
	for (size_t i = 0; i < b.len; i++)
		if (((const char *)b.data)[i] != any_byte(i, shift))
			return false;
	return b.len == len;
}

static bool check_large(const weir_kafka_record *record, void *user)
{
	const weir_headers *h = weir_kafka_record_headers(record);
	bool large_value = record->offset == 0;

	(void)user;
	assert_true(are_any_bytes(record->key, large_value ? 1000 : ANY_BYTES, 1));
	assert_true(are_any_bytes(record->value, large_value ? ANY_BYTES : 1000, 2));
	assert_int_equal(h->count, 1);
	assert_true(are_any_bytes(h->items[0].value, 30000, 3));
	return true;
}

void large_records_of_any_bytes_come_back_as_they_went(struct contract *c)
{
	const char *topic = fresh_topic(c, 1);
	weir_producer *p = noting_producer(c, false);
	char *bytes[3];
	weir_error err;

	for (size_t n = 0; n < 3; n++) {
		bytes[n] = malloc(ANY_BYTES);
		for (size_t i = 0; i < ANY_BYTES; i++)
			bytes[n][i] = any_byte(i, n + 1);
	}
	weir_header header = { "\xff\n", { bytes[2], 30000 } };
	weir_produced record = { .topic = topic, .timestamp_ms = 1, .headers = &(weir_headers){ &header, 1 } };

	for (int large_value = 1; large_value >= 0; large_value--) {
		record.key = weir_bytes_of(bytes[0], large_value ? 1000 : ANY_BYTES);
		record.value = weir_bytes_of(bytes[1], large_value ? ANY_BYTES : 1000);
		assert_done(weir_producer_send(p, &record, &err), err);
		flush(p); /* or both would go in one batch, which is too large */
	}
	weir_producer_close(p);
	reader_at(c, &r, topic, 0, 0);
	r.on_record = check_large;
	reader_until(&r, 2);
	reader_close(&r);
	for (size_t n = 0; n < 3; n++)
		free(bytes[n]);
}

void a_compacted_topic_refuses_a_record_without_a_key(struct contract *c)
{
	static const char *const configs[][2] = { { "cleanup.policy", "compact" } };
	weir_topic_spec spec = { fresh(c, "compacted"), 1, 0, configs, 1 };
	weir_producer *p = noting_producer(c, false);
	weir_error err;

	assert_done(weir_topics_create(c->cluster, &spec, 1, &err), err);
	put_tagged(p, spec.name, 1, 1);
	flush(p);
	assert_int_equal(deliveries.failed, 1);
	assert_int_equal(deliveries.error.code, WEIR_USER);
	put(p, spec.name, 0, "k", "v");
	put(p, spec.name, 0, "k", NULL);
	flush(p);
	assert_int_equal(deliveries.done, 2);
	weir_producer_close(p);
}
