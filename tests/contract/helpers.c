#include "tests/contract/helpers.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define PATIENCE_US 30000000
#define TRIES 2000 /* where the clock stands still */

static void sleep_ms(int64_t ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

const char *fresh(struct contract *c, const char *what)
{
	static char names[64][128]; /* more than a case asks for */
	static unsigned serial;
	char *name = names[serial % 64];

	snprintf(name, sizeof names[0], "%s-%s-%u", c->prefix, what, serial);
	serial++;
	return name;
}

const char *fresh_topic(struct contract *c, int32_t partitions)
{
	/* The records of the cases are old, and the broker may look for such at any moment. */
	static const char *const keep[][2] = { { "retention.ms", "-1" } };
	const char *name = fresh(c, "topic");
	weir_topic_spec spec = { name, partitions, 0, keep, 1 };
	weir_error err;

	assert_done(weir_topics_create(c->cluster, &spec, 1, &err), err);
	return name;
}

void let_pass(struct contract *c, int64_t ms)
{
	if (c->clock->runs)
		sleep_ms(ms);
	else
		((weir_manual_clock *)c->clock)->now_ms += ms;
}

struct patience patience(struct contract *c)
{
	return (struct patience){ c, c->clock->monotonic_us(c->clock) + PATIENCE_US, TRIES };
}

bool patience_left(struct patience *p, const char *what)
{
	bool left = p->c->clock->runs ? p->c->clock->monotonic_us(p->c->clock) < p->until_us : p->tries-- > 0;

	if (!left)
		fail_msg("did not happen in time: %s", what);
	if (p->c->clock->runs)
		sleep_ms(5);
	return true;
}

/* --- producing ------------------------------------------------------------------------------------------------ */

weir_producer *producer_of(struct contract *c, const char *transactional_id)
{
	weir_error err;
	weir_producer *p =
		weir_producer_open(c->cluster, (weir_producer_opts){ .transactional_id = transactional_id }, &err);

	assert_done(p, err);
	if (transactional_id)
		assert_done(weir_producer_init(p, 30000, &err), err);
	return p;
}

void put_at(weir_producer *p, const char *topic, int32_t partition, int64_t timestamp_ms, const char *key,
	    const char *value)
{
	weir_error err;
	weir_produced r = { .topic = topic,
			    .partition = partition,
			    .timestamp_ms = timestamp_ms,
			    .key = weir_str(key),
			    .value = weir_str(value) };

	assert_done(weir_producer_send(p, &r, &err), err);
}

void put(weir_producer *p, const char *topic, int32_t partition, const char *key, const char *value)
{
	put_at(p, topic, partition, 1600000000000, key, value);
}

void flush(weir_producer *p)
{
	weir_error err;

	assert_done(weir_producer_flush(p, 30000, &err), err);
}

void put_numbers(struct contract *c, const char *topic, int32_t partition, int n)
{
	put_range(c, topic, partition, 0, n);
}

void put_range(struct contract *c, const char *topic, int32_t partition, int first, int end)
{
	weir_producer *p = producer_of(c, NULL);
	char text[16];

	for (int i = first; i < end; i++) {
		snprintf(text, sizeof text, "%d", i);
		put(p, topic, partition, text, text);
	}
	flush(p);
	weir_producer_close(p);
}

void begin(weir_producer *p)
{
	weir_error err;

	assert_done(weir_producer_begin(p, &err), err);
}

void commit(weir_producer *p)
{
	weir_error err;

	assert_done(weir_producer_commit(p, 30000, &err), err);
}

void abort_txn(weir_producer *p)
{
	weir_error err;

	assert_done(weir_producer_abort(p, 30000, &err), err);
}

/* --- consuming ------------------------------------------------------------------------------------------------ */

static void text_of(char *to, size_t size, weir_bytes b)
{
	if (!b.data)
		snprintf(to, size, "(null)");
	else
		snprintf(to, size, "%.*s", (int)b.len, (const char *)b.data);
}

static bool note(const weir_kafka_record *record, void *user)
{
	struct reader *r = user;

	assert_true(r->count < SEEN_MAX);
	struct seen *s = &r->seen[r->count++];

	snprintf(s->topic, sizeof s->topic, "%s", record->topic);
	s->partition = record->partition;
	s->offset = record->offset;
	s->timestamp_ms = record->timestamp_ms;
	s->user = record->user;
	text_of(s->key, sizeof s->key, record->key);
	text_of(s->value, sizeof s->value, record->value);
	assert_ptr_equal(record->consumer, r->consumer);
	if (r->on_record && !r->on_record(record, r))
		return false;
	return !r->leave_after || r->count % r->leave_after;
}

static void note_error(weir_consumer *consumer, const weir_partition *partition, const weir_error *error,
		       void *user)
{
	struct reader *r = user;

	(void)consumer;
	r->errors++;
	r->error = *error;
	r->error_partition = *partition;
}

void reader_open(struct contract *c, struct reader *r, bool read_uncommitted)
{
	weir_error err;

	memset(r, 0, sizeof *r);
	r->c = c;
	r->consumer = weir_consumer_open(c->cluster,
					 (weir_consumer_opts){ .read_uncommitted = read_uncommitted,
							       .on_partition_error = note_error,
							       .user = r },
					 &err);
	assert_done(r->consumer, err);
}

void reader_assign(struct reader *r, const char *topic, int32_t partition, int64_t offset)
{
	weir_partition p = { .topic = topic, .partition = partition, .offset = offset };
	weir_error err;

	assert_done(weir_consumer_assign(r->consumer, &p, 1, &err), err);
}

void reader_at(struct contract *c, struct reader *r, const char *topic, int32_t partition, int64_t offset)
{
	reader_open(c, r, false);
	reader_assign(r, topic, partition, offset);
}

void reader_close(struct reader *r)
{
	weir_consumer_close(r->consumer);
}

static void poll_for(struct reader *r, int64_t ms)
{
	weir_error err;

	assert_done(weir_consumer_poll(r->consumer, ms, note, r, &err), err);
}

void reader_poll(struct reader *r)
{
	poll_for(r, 50);
}

void reader_until(struct reader *r, size_t n)
{
	for (struct patience p = patience(r->c); r->count < n && patience_left(&p, "records");)
		reader_poll(r);
}

int64_t position_of(struct reader *r, const char *topic, int32_t partition)
{
	return weir_consumer_position(r->consumer, topic, partition);
}

void reader_until_position(struct reader *r, const char *topic, int32_t partition, int64_t offset)
{
	for (struct patience p = patience(r->c);
	     position_of(r, topic, partition) != offset && patience_left(&p, "position");)
		reader_poll(r);
}

void reader_linger(struct reader *r)
{
	for (int i = 0; i < 10; i++)
		poll_for(r, (r->c->linger_ms ? r->c->linger_ms : 500) / 10);
}

const char *reader_values(struct reader *r)
{
	static char text[65536];
	size_t n = 0;

	text[0] = 0;
	for (size_t i = 0; i < r->count; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i ? " " : "", r->seen[i].value);
	assert_true(n < sizeof text);
	return text;
}

int64_t first_of(struct contract *c, const char *topic, int32_t partition)
{
	int64_t first;
	weir_error err;

	assert_done(weir_offsets_range(c->cluster, topic, partition, &first, NULL, &err), err);
	return first;
}

int64_t end_of(struct contract *c, const char *topic, int32_t partition)
{
	int64_t end;
	weir_error err;

	assert_done(weir_offsets_range(c->cluster, topic, partition, NULL, &end, &err), err);
	return end;
}

int64_t committed_of(struct contract *c, const char *group, const char *topic, int32_t partition, char *metadata,
		     size_t size)
{
	weir_partition p = { .topic = topic, .partition = partition };
	weir_error err;

	assert_done(weir_group_committed(c->cluster, group, &p, 1, 10000, &err), err);
	if (metadata)
		snprintf(metadata, size, "%s", p.metadata ? p.metadata : "");
	weir_partitions_release(&p, 1);
	return p.offset;
}
