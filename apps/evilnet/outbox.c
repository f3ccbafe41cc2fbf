#include "apps/evilnet/outbox.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include <weir/clock.h>
#include <weir/log.h>

#include "apps/evilnet/outbox_entry.h"
#include "apps/evilnet/util.h"

enum {
	ENTRIES_FIRST = 1024,
	ENTRIES_MAX =
		1 << 16, /* fewer than the 100,000 that librdkafka's queue takes, so that sending never waits */
	RETRY_MS = 500,
	LOG_EVERY_MS = 60000,
	CLOCKS_APART_MS = 60000, /* how far our clock and the broker's may differ */
};

/* Entries are numbered; number n lies at n modulo the ring's size. The number is the delivery's tag. */
struct outbox {
	struct outbox_opts opts;
	int64_t ahead_max_ms; /* the topic takes no post dated further ahead of the broker's clock */
	weir_producer *producer;
	bool broken; /* the producer must be made anew */
	struct entry *ring;
	uint64_t size, head, tail;
	size_t bytes;
	size_t sent, waiting, suspects; /* entries in these states, or with this mark */
	size_t wave;                    /* so many suspects are tried together; 0 = none yet */
	bool wave_failed;               /* the last wave was refused, in part at least */
	int64_t retry_ms;               /* when what waits is due */
	weir_error last;                /* why the last delivery failed */
	weir_log_limit refused_limit, failed_limit, lost_limit;
};

static int64_t now_ms(void)
{
	weir_clock *clock = weir_clock_system();

	return clock->monotonic_us(clock) / 1000;
}

static struct entry *entry_at(const struct outbox *o, uint64_t number)
{
	return &o->ring[number & (o->size - 1)];
}

static void set_state(struct outbox *o, struct entry *e, enum entry_state state)
{
	o->sent += (state == ENTRY_SENT) - (e->state == ENTRY_SENT);
	o->waiting += (state == ENTRY_WAITING) - (e->state == ENTRY_WAITING);
	e->state = state;
}

static void finish(struct outbox *o, struct entry *e)
{
	o->bytes -= e->raw_len + e->value_len;
	o->suspects -= e->suspect;
	set_state(o, e, ENTRY_DONE);
	entry_release(e);
	while (o->head < o->tail && entry_at(o, o->head)->state == ENTRY_DONE)
		o->head++;
}

static void wait_to_be_sent(struct outbox *o, struct entry *e, int64_t delay_ms)
{
	int64_t due_ms = now_ms() + delay_ms;

	if (!o->waiting || due_ms < o->retry_ms)
		o->retry_ms = due_ms;
	set_state(o, e, ENTRY_WAITING);
}

static void make_dead(struct outbox *o, struct entry *e, const char *reason)
{
	weir_log_limited(&o->refused_limit, LOG_EVERY_MS, WEIR_LOG_WARN, "ingest",
			 "a post that Kafka does not take is a dead letter now reason=\"%s\" refused=%" PRIu64,
			 reason, weir_counter_value(o->opts.stats->refused) + 1);
	ingest_count(o->opts.stats->refused);
	e->reason = evilnet_strdup(reason);
}

/* The broker will never take this record as it is. */
static void refuse(struct outbox *o, struct entry *e, const weir_error *why)
{
	o->wave_failed = true;
	if (!e->alone) {
		o->suspects += !e->suspect;
		e->suspect = true;
	} else if (!e->reason) {
		make_dead(o, e, why->message);
	} else if (!e->bare) {
		e->bare = true;
	} else {
		weir_log_limited(&o->lost_limit, LOG_EVERY_MS, WEIR_LOG_ERROR, "ingest",
				 "a dead letter is lost, Kafka refuses even that reason=\"%s\"", why->message);
		ingest_count(o->opts.stats->lost);
		finish(o, e);
		return;
	}
	wait_to_be_sent(o, e, 0);
}

static void failed(struct outbox *o, struct entry *e, const weir_error *why)
{
	if (why->code == WEIR_USER) {
		refuse(o, e, why);
		return;
	}
	weir_log_limited(&o->failed_limit, LOG_EVERY_MS, WEIR_LOG_WARN, "ingest",
			 "a record was not delivered and is sent again reason=\"%s\" pending=%zu", why->message,
			 outbox_pending(o));
	o->last = *why;
	o->broken |= why->fatal;
	wait_to_be_sent(o, e, RETRY_MS);
}

static void on_delivery(const char *topic, int32_t partition, int64_t offset, uint64_t tag, const weir_error *error,
			void *user)
{
	struct outbox *o = user;
	struct entry *e = entry_at(o, tag);

	(void)topic, (void)partition, (void)offset;
	weir_assert(tag >= o->head && tag < o->tail && e->state == ENTRY_SENT);
	if (error) {
		failed(o, e, error);
		return;
	}
	if (!e->reason)
		ingest_count(o->opts.stats->produced);
	finish(o, e);
}

static void send_entry(struct outbox *o, uint64_t number)
{
	struct entry *e = entry_at(o, number);
	weir_error err = { 0 };

	if (e->tried)
		ingest_count(o->opts.stats->resent);
	e->tried = true;
	set_state(o, e, ENTRY_SENT);
	if (!entry_send(e, &o->opts, o->producer, number, &err))
		failed(o, e, &err);
}

static void grow(struct outbox *o)
{
	uint64_t old_size = o->size;
	struct entry *old = o->ring;

	o->size = old_size ? old_size * 2 : ENTRIES_FIRST;
	o->ring = evilnet_new(o->size * sizeof *o->ring);
	for (uint64_t n = o->head; n < o->tail; n++)
		*entry_at(o, n) = old[n & (old_size - 1)];
	free(old);
}

static struct entry *next_entry(struct outbox *o)
{
	if (o->tail - o->head == o->size)
		grow(o);
	return entry_at(o, o->tail);
}

/* The next entry is filled in: sends it, unless others must go first. */
static void put(struct outbox *o)
{
	uint64_t number = o->tail++;
	struct entry *e = entry_at(o, number);

	o->bytes += e->raw_len + e->value_len;
	if (o->broken || o->suspects)
		wait_to_be_sent(o, e, o->broken ? RETRY_MS : 0);
	else
		send_entry(o, number);
}

void outbox_post(struct outbox *o, const struct post *post, weir_bytes raw, int64_t received_ms)
{
	weir_clock *clock = weir_clock_system();
	int64_t ahead_ms = weir_time_sub(post->created_at_ms, clock->wall_ms(clock));
	struct entry *e = next_entry(o);

	entry_init_post(e, post, raw, received_ms);
	if (weir_time_sub(ahead_ms, CLOCKS_APART_MS) > o->ahead_max_ms) {
		char reason[160];
		snprintf(reason, sizeof reason, "dated %" PRId64 " s ahead, topic %s takes %" PRId64 " s",
			 ahead_ms / 1000, o->opts.posts_topic, o->ahead_max_ms / 1000);
		make_dead(o, e, reason);
	}
	put(o);
}

void outbox_dead_letter(struct outbox *o, weir_bytes raw, size_t raw_length, const char *reason,
			int64_t original_ms)
{
	entry_init_dead(next_entry(o), raw, raw_length, reason, original_ms);
	put(o);
}

static bool open_producer(struct outbox *o, weir_error *err)
{
	/* The outbox is the bound; the queue behind it is a little wider, for headers and the like. */
	o->producer = weir_producer_open(o->opts.cluster,
					 (weir_producer_opts){
						 .queue_bytes_max = o->opts.bytes_max + ENTRIES_MAX * (int64_t)1024,
						 .on_delivery = on_delivery,
						 .user = o,
					 },
					 err);
	o->broken = !o->producer;
	return o->producer;
}

/* Kafka before 4.0 takes any; if it cannot be asked, it refuses by itself. */
static int64_t ahead_max(const struct outbox_opts *opts)
{
	char text[32], *end;

	if (!weir_topic_config(opts->cluster, opts->posts_topic, "message.timestamp.after.max.ms", text,
			       sizeof text, NULL))
		return INT64_MAX;
	int64_t ms = strtoll(text, &end, 10);
	return end > text && !*end && ms >= 0 ? ms : INT64_MAX;
}

struct outbox *outbox_open(struct outbox_opts opts, weir_error *err)
{
	struct outbox *o = evilnet_new(sizeof *o);

	o->opts = opts;
	o->ahead_max_ms = ahead_max(&opts);
	if (open_producer(o, err))
		return o;
	free(o);
	return NULL;
}

bool outbox_close(struct outbox *o, weir_error *err)
{
	if (!o)
		return true;
	weir_producer_close(o->producer); /* serves deliveries, too */
	size_t left = outbox_pending(o);
	if (left)
		weir_fail(err, WEIR_KAFKA, "%zu records were not acknowledged%s%s", left, o->last.code ? ": " : "",
			  o->last.message);
	for (uint64_t n = o->head; n < o->tail; n++)
		entry_release(entry_at(o, n));
	free(o->ring);
	free(o);
	return left == 0;
}

/* A producer that has given up takes what it holds with it: all of that is sent again by a new one. */
static void replace_producer(struct outbox *o)
{
	weir_error err = { 0 };

	weir_producer_close(o->producer);
	o->producer = NULL;
	for (uint64_t n = o->head; n < o->tail; n++)
		if (entry_at(o, n)->state == ENTRY_SENT)
			wait_to_be_sent(o, entry_at(o, n), 0);
	if (open_producer(o, &err))
		return;
	o->last = err;
	o->retry_ms = now_ms() + RETRY_MS;
	weir_log_limited(&o->failed_limit, LOG_EVERY_MS, WEIR_LOG_ERROR, "ingest", "no producer reason=\"%s\"",
			 err.message);
}

/* Hands over up to `max` of the entries that wait and are suspects, or are not. */
static void send_waiting(struct outbox *o, bool suspects, size_t max)
{
	bool alone = max == 1;

	for (uint64_t n = o->head; n < o->tail && o->waiting && max && !o->broken; n++) {
		struct entry *e = entry_at(o, n);

		if (e->state != ENTRY_WAITING || e->suspect != suspects)
			continue;
		max--;
		e->alone = alone;
		send_entry(o, n);
	}
}

/*
 * Who spoils the batch? Suspects are sent in waves, with nothing else under way: a wave that is taken lets the
 * next be twice as large, one that is refused makes it half. A wave of one tells. So k culprits among n cost
 * about k log n waves.
 */
static void try_suspects(struct outbox *o)
{
	if (o->sent)
		return;
	if (!o->wave)
		o->wave = o->suspects;
	else if (!o->wave_failed && o->wave < ENTRIES_MAX)
		o->wave *= 2;
	if (o->wave_failed && o->wave > 1)
		o->wave /= 2;
	o->wave_failed = false;
	send_waiting(o, true, o->wave < o->suspects ? o->wave : o->suspects);
}

static void send_what_waits(struct outbox *o)
{
	if (o->suspects) {
		try_suspects(o);
	} else {
		o->wave = 0;
		send_waiting(o, false, SIZE_MAX);
	}
}

void outbox_serve(struct outbox *o, int64_t wait_ms)
{
	if (o->producer)
		weir_producer_poll(o->producer, wait_ms);
	else
		nanosleep(&(struct timespec){ wait_ms / 1000, wait_ms % 1000 * 1000000 }, NULL);
	if ((o->waiting || o->broken) && now_ms() >= o->retry_ms) {
		if (o->broken)
			replace_producer(o);
		if (o->producer)
			send_what_waits(o);
	}
	weir_gauge_set(o->opts.stats->pending, (double)outbox_pending(o));
	weir_gauge_set(o->opts.stats->pending_bytes, (double)o->bytes);
}

bool outbox_full(const struct outbox *o)
{
	return outbox_pending(o) >= ENTRIES_MAX || o->bytes >= (size_t)o->opts.bytes_max;
}

size_t outbox_pending(const struct outbox *o)
{
	return (size_t)(o->tail - o->head);
}

bool outbox_flush(struct outbox *o, int64_t timeout_ms)
{
	int64_t end_ms = now_ms() + timeout_ms;

	while (outbox_pending(o) && now_ms() < end_ms)
		outbox_serve(o, 20);
	return outbox_pending(o) == 0;
}
