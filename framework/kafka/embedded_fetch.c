#include "framework/kafka/embedded_client.h"

#include <stdlib.h>

#include "framework/base/alloc.h"

/* What one partition gives before it is another's turn. */
#define TURN_BYTES (256u << 10)

struct fetch {
	struct embedded_consumer *c;
	weir_record_fn *fn;
	void *user;
	bool go_on;   /* the application has not left the poll */
	bool touched; /* something was handed over */
	int64_t bytes;
	int64_t records_left;
};

/* Entries of one segment that may be read without the lock. */
struct run {
	const struct segment *segment;
	uint32_t from, to;
	int64_t limit; /* first offset not to be read */
};

/* --- headers -------------------------------------------------------------------------------------------------- */

const weir_headers *weir__embedded_headers(const weir_kafka_record *record)
{
	static const weir_headers none;
	struct embedded_consumer *c = (struct embedded_consumer *)record->consumer;
	const struct entry *e = record->handle;

	if (!e->headers_len)
		return &none;
	const unsigned char *at = weir__entry_headers(e);
	size_t n = (size_t)weir_get_be32(at);

	if (n > c->header_room) {
		c->headers = weir__realloc(c->headers, n * sizeof *c->headers);
		c->header_room = n;
	}
	at += 4;
	for (size_t i = 0; i < n; i++) {
		int32_t name_len = weir_get_be32(at), value_len = weir_get_be32(at + 4);
		const unsigned char *value = at + 8 + name_len + 1;

		c->headers[i].name = (const char *)at + 8;
		c->headers[i].value = value_len < 0 ? WEIR_NULL : (weir_bytes){ value, (size_t)value_len };
		at = value + (value_len > 0 ? value_len : 0);
	}
	c->header_list = (weir_headers){ c->headers, n };
	return &c->header_list;
}

/* --- handing over --------------------------------------------------------------------------------------------- */

static bool is_handed_out(const struct embedded_consumer *c, const struct entry *e, int64_t offset)
{
	if (e->flags & ENTRY_MARKER)
		return false;
	return !(e->flags & ENTRY_TRANSACTIONAL) || c->aborted_count == 0 ||
	       !weir__span_covers(c->aborted, c->aborted_count, e->producer, offset);
}

/* Without the lock. Gives where it stopped; a callback may seek, pause or unassign the partition that is read. */
static uint32_t hand_over(struct fetch *f, struct part *p, const struct run *run)
{
	weir_kafka_record record = { .topic = p->topic->name, .partition = p->partition, .user = p->user };
	uint64_t version = p->version;
	uint32_t at = run->from;

	record.consumer = &f->c->base;
	while (at < run->to && f->go_on && p->version == version) {
		const struct entry *e = weir__entry_at(run->segment, at);
		int64_t offset = run->segment->base + e->delta;

		if (offset >= run->limit)
			break;
		at += weir__entry_size(e);
		p->position = offset + 1;
		if (!is_handed_out(f->c, e, offset))
			continue;
		record.offset = offset;
		record.timestamp_ms = e->timestamp_ms;
		record.key = weir__entry_key(e);
		record.value = weir__entry_value(e);
		record.handle = e;
		f->touched = true;
		f->go_on = f->fn(&record, f->user) && --f->records_left > 0;
	}
	return at;
}

/* Copies the aborted transactions between the position and the limit: the run is read without the lock. */
static void note_aborted(struct embedded_consumer *c, const struct journal *j, int64_t from, int64_t limit)
{
	c->aborted_count = 0;
	if (c->opts.read_uncommitted)
		return;
	for (size_t i = 0; i < j->aborted_count; i++) {
		if (j->aborted[i].last < from || j->aborted[i].first >= limit)
			continue;
		WEIR__GROW(c->aborted, c->aborted_count, c->aborted_room);
		c->aborted[c->aborted_count++] = j->aborted[i];
	}
}

/* --- finding what to hand over -------------------------------------------------------------------------------- */

static void stop(struct embedded_consumer *c, struct part *p, const weir_error *error)
{
	weir_partition where = {
		.topic = p->name, .partition = p->partition, .offset = p->position, .user = p->user
	};

	p->stopped = true;
	pthread_mutex_unlock(&c->cluster->lock);
	if (c->opts.on_partition_error)
		c->opts.on_partition_error(&c->base, &where, error, c->opts.user);
	pthread_mutex_lock(&c->cluster->lock);
}

static int64_t limit_of(const struct embedded_consumer *c, const struct journal *j)
{
	return c->opts.read_uncommitted ? j->end : weir__journal_stable_end(j);
}

/* A broker's answer tells the ends of all partitions, also of those for whose records it had no room. */
static void hear_of_ends(struct embedded_consumer *c)
{
	for (size_t i = 0; i < c->part_count; i++)
		if (c->parts[i]->journal && !c->parts[i]->topic->deleted)
			c->parts[i]->known_end = limit_of(c, c->parts[i]->journal);
}

/* Whether the partition can be read; else it is stopped and the application told. Sets *limit. */
static bool check(struct fetch *f, struct part *p, int64_t *limit)
{
	struct journal *j = p->journal;
	weir_error error;

	if (!j || p->topic->deleted) {
		weir_fail(&error, WEIR_NOT_FOUND, "%s/%d: there is no such partition", p->name, p->partition);
		f->touched = true;
		stop(f->c, p, &error);
		return false;
	}
	*limit = limit_of(f->c, j);
	if (p->paused)
		return false;
	if (p->position == WEIR_OFFSET_BEGINNING)
		p->position = j->start;
	if (p->position == WEIR_OFFSET_END)
		p->position = *limit;
	if (p->position >= j->start && p->position <= j->end)
		return true;
	weir_fail(&error, WEIR_STATE, "%s/%d: position %lld lies outside the log, which holds %lld to %lld",
		  p->name, p->partition, (long long)p->position, (long long)j->start, (long long)j->end);
	f->touched = true;
	stop(f->c, p, &error);
	return false;
}

/* Moves on to the segment that holds the position; false = nothing to read. */
static bool find_place(struct part *p)
{
	struct segment *s = p->segment;

	if (s && s->detached) {
		weir__segment_unref(s);
		s = p->segment = NULL;
	}
	if (!s)
		s = p->segment = weir__journal_find(p->journal, p->position, &p->at);
	if (s && p->at == s->used) {
		struct segment *next = weir__journal_next(p->journal, s);

		if (!next)
			return false;
		weir__segment_unref(s);
		p->segment = next;
		p->at = 0;
	}
	return p->segment;
}

/* One turn of one partition. Lock held, given up for callbacks. True = it may have more. */
static bool take_turn(struct fetch *f, struct part *p)
{
	int64_t limit;

	if (p->stopped || !check(f, p, &limit) || p->position >= limit || !find_place(p))
		return false;
	struct segment *s = p->segment;
	struct run run = { s, p->at, s->used, limit };

	if (run.to - run.from > TURN_BYTES) /* cut at an entry's end */
		for (run.to = run.from; run.to - run.from < TURN_BYTES;)
			run.to += weir__entry_size(weir__entry_at(s, run.to));
	note_aborted(f->c, p->journal, p->position, limit);
	s->refs++;
	pthread_mutex_unlock(&f->c->cluster->lock);
	uint32_t at = hand_over(f, p, &run);

	pthread_mutex_lock(&f->c->cluster->lock);
	weir__segment_unref(s);
	p->at = at; /* of no meaning when the callback has sought: there is no segment then */
	f->bytes += at - run.from;
	return at > run.from;
}

/* Partitions take turns until nothing is left or as much was given as a fetch queue holds. */
static void fetch_all(struct fetch *f)
{
	struct embedded_consumer *c = f->c;
	size_t idle = 0;

	if (f->go_on)
		hear_of_ends(c);
	while (f->go_on && idle < c->part_count && f->bytes < c->opts.queue_bytes_max) {
		uint64_t version = c->parts_version;

		if (c->cursor >= c->part_count)
			c->cursor = 0;
		idle = take_turn(f, c->parts[c->cursor]) ? 0 : idle + 1;
		if (f->go_on && version == c->parts_version)
			c->cursor++; /* who was left early goes on next time */
		if (version != c->parts_version)
			idle = 0;
	}
}

/* A mishap that a simulation wants here; false = the poll fails. */
static bool suffer(struct fetch *f, weir_error *err)
{
	struct embedded_consumer *c = f->c;
	enum embedded_fault fault = weir__embedded_fault(c->cluster, EMBEDDED_AT_POLL, c->client_id);

	f->records_left = fault == EMBEDDED_NONE ? 0 : fault == EMBEDDED_FEW ? 1 : INT64_MAX;
	f->go_on = fault != EMBEDDED_NONE;
	if (fault == EMBEDDED_ABORTABLE)
		return weir_fail(err, WEIR_KAFKA, "no answer (injected)");

	if (fault == EMBEDDED_EVICTED) {
		weir__embedded_enter(c->cluster);
		if (c->member && !c->member->evicted && !c->member->fenced)
			weir__member_evict(c->cluster, c->member);
		weir__embedded_leave(c->cluster);
	}
	if (fault == EMBEDDED_FATAL && !c->broken)
		weir__consumer_give_up(c);
	if (c->broken && err)
		*err = c->cause;
	return !c->broken;
}

bool weir__embedded_poll(weir_consumer *consumer, int64_t timeout_ms, weir_record_fn *fn, void *user,
			 weir_error *err)
{
	struct embedded_consumer *c = (struct embedded_consumer *)consumer;
	struct embedded *e = c->cluster;
	struct fetch f = { .c = c, .fn = fn, .user = user };
	bool waited = true, fine = true;

	if (!suffer(&f, err))
		return weir_wrap(err, "poll");
	weir__embedded_enter(e);
	int64_t deadline_us = weir__embedded_deadline(e, timeout_ms);

	while (waited) {
		weir__consumer_bury(c);
		fine = weir__consumer_serve_group(c, &f.touched, err);
		if (fine)
			fetch_all(&f);
		if (!fine || f.touched)
			break;
		c->waiting = true;
		waited = weir__embedded_wait(e, &c->wake, deadline_us);
		c->waiting = false;
	}
	if (c->member)
		c->member->seen_ms = weir__embedded_now(e);
	weir__embedded_leave(e);
	return fine;
}
