/* Windows with one result each: when they close, each exactly once, with all that they have taken. */
#include "tests/simulation/tally.h"
#include "tests/simulation/topologies.h"

#include <weir/table.h>

enum { SIZE_MS = 5000, GRACE_MS = 3000, GAP_MS = 600, SPANS_MAX = 4096, PARTITIONS_MAX = 64 };

static weir_topology *build(weir_window window)
{
	weir_topology *t = weir_topology_new("closing");
	weir_stream *in = weir_source(t, "in", (weir_source_opts){ .value = &weir_utf8 });

	window.grace_ms = GRACE_MS;
	window.emit_on_close = true;
	weir_sink(weir_changes(weir_count(in, "counts", window)), "out", (weir_sink_opts){ 0 });
	return t;
}

weir_topology *build_closing(void)
{
	return build((weir_window){ .size_ms = SIZE_MS });
}

weir_topology *build_closing_sessions(void)
{
	return build((weir_window){ .gap_ms = GAP_MS });
}

/* The same by a table that waits for them. */
weir_topology *build_suppressed(void)
{
	weir_topology *t = weir_topology_new("suppressed");
	weir_stream *in = weir_source(t, "in", (weir_source_opts){ .value = &weir_utf8 });
	weir_table *counts = weir_count(in, "counts", (weir_window){ .size_ms = SIZE_MS, .grace_ms = GRACE_MS });

	weir_sink(weir_changes(weir_suppress(counts, "final", (weir_suppress_opts){ .until_window_closes = true })),
		  "out", (weir_sink_opts){ 0 });
	return t;
}

void feed_closing(weir_rng *rng, int64_t number, int64_t now_ms, weir_simulation_input *in, void *user)
{
	static char key[16], value[24];
	int64_t late_ms = weir_rng_chance(rng, 0.1) ? 15000 : 4000;

	(void)user;
	snprintf(key, sizeof key, "k%d", (int)weir_rng_below(rng, 9));
	snprintf(value, sizeof value, "%lld", (long long)number);
	*in = (weir_simulation_input){ .topic = "in",
				       .key = weir_str(key),
				       .value = weir_str(value),
				       .timestamp_ms = now_ms - (int64_t)weir_rng_below(rng, (uint64_t)late_ms),
				       .partition = -1 };
}

/* --- counted again ------------------------------------------------------------------------------- */

/* A window or session, [start, last]. */
struct span {
	char key[16];
	int32_t partition;
	int64_t start_ms, last_ms, count;
	bool told;
};

struct recount {
	struct span spans[SPANS_MAX];
	size_t count;
	int64_t seen_ms[PARTITIONS_MAX];
	struct tally wanted, got; /* results by name and number, and letters */
	weir_error error;
};

static void name_of(char *to, const char *key, int64_t start_ms, int64_t last_ms, int64_t count)
{
	snprintf(to, 80, "%s[%lld,%lld]=%lld", key, (long long)start_ms, (long long)last_ms, (long long)count);
}

static void close_spans(struct recount *c, int32_t partition, int64_t open_ms)
{
	char name[80];

	for (size_t i = 0; i < c->count; i++) {
		struct span *s = &c->spans[i];

		if (s->partition != partition || s->told || s->last_ms >= open_ms)
			continue;
		s->told = true;
		name_of(name, s->key, s->start_ms, s->last_ms, s->count);
		++*tally_at(&c->wanted, name);
	}
}

static void put_span(struct recount *c, const struct span *s)
{
	if (c->count < SPANS_MAX)
		c->spans[c->count++] = *s;
	else
		weir_fail(&c->error, WEIR_STATE, "more windows than there is room for");
}

static struct span span_of(const weir_kafka_record *r, int64_t start_ms, int64_t last_ms)
{
	struct span s = { .partition = r->partition, .start_ms = start_ms, .last_ms = last_ms, .count = 1 };

	snprintf(s.key, sizeof s.key, "%.*s", (int)r->key.len, (const char *)r->key.data);
	return s;
}

/* The first moment that is not too old, this record's time included; what ends before has closed. */
static int64_t open_from(struct recount *c, const weir_kafka_record *r, int64_t gap_ms)
{
	int64_t *seen_ms = &c->seen_ms[r->partition];

	if (r->timestamp_ms > *seen_ms)
		*seen_ms = r->timestamp_ms;
	close_spans(c, r->partition, *seen_ms - GRACE_MS - gap_ms);
	return *seen_ms - GRACE_MS - gap_ms;
}

static void expect_window(const weir_kafka_record *r, void *user)
{
	struct recount *c = user;
	int64_t start_ms = r->timestamp_ms / SIZE_MS * SIZE_MS, open_ms = open_from(c, r, 0);
	struct span s = span_of(r, start_ms, start_ms + SIZE_MS - 1);

	if (s.last_ms < open_ms) {
		++*tally_at(&c->wanted, "letters");
		return;
	}
	for (size_t i = 0; i < c->count; i++)
		if (strcmp(c->spans[i].key, s.key) == 0 && c->spans[i].start_ms == start_ms) {
			c->spans[i].count++;
			return;
		}
	put_span(c, &s);
}

/* Those past retention, two gaps and grace, are not found any more. */
static bool joins(const struct recount *c, const struct span *s, const char *key, int64_t ms)
{
	return strcmp(s->key, key) == 0 && s->last_ms >= ms - GAP_MS && s->start_ms <= ms + GAP_MS &&
	       s->last_ms > c->seen_ms[s->partition] - GRACE_MS - 2 * GAP_MS;
}

static void expect_session(const weir_kafka_record *r, void *user)
{
	struct recount *c = user;
	int64_t ms = r->timestamp_ms, open_ms = open_from(c, r, GAP_MS);
	struct span s = span_of(r, ms, ms);
	size_t kept = 0;

	for (size_t i = 0; i < c->count; i++)
		if (joins(c, &c->spans[i], s.key, ms) && s.last_ms < c->spans[i].last_ms)
			s.last_ms = c->spans[i].last_ms;
	if (s.last_ms < open_ms) {
		++*tally_at(&c->wanted, "letters");
		return;
	}
	for (size_t i = 0; i < c->count; i++) {
		struct span with = c->spans[i];

		if (!joins(c, &with, s.key, ms)) {
			c->spans[kept++] = with;
			continue;
		}
		s.start_ms = with.start_ms < s.start_ms ? with.start_ms : s.start_ms;
		s.count += with.count;
	}
	c->count = kept;
	put_span(c, &s);
}

static void take(const weir_kafka_record *r, void *user, bool session)
{
	struct recount *c = user;
	const char *at = (const char *)r->key.data + r->key.len;
	int64_t start_ms = weir_get_be64(at - 8),
		last_ms = session ? weir_get_be64(at - 16) : start_ms + SIZE_MS - 1;
	char key[16], name[80];

	snprintf(key, sizeof key, "%.*s", (int)r->key.len - (session ? 16 : 8), (const char *)r->key.data);
	name_of(name, key, start_ms, last_ms, weir_get_be64(r->value.data));
	++*tally_at(&c->got, name);
}

static void take_window(const weir_kafka_record *r, void *user)
{
	take(r, user, false);
}

static void take_session(const weir_kafka_record *r, void *user)
{
	take(r, user, true);
}

static void count_letter(const weir_kafka_record *r, void *user)
{
	(void)r;
	++*tally_at(&((struct recount *)user)->got, "letters");
}

static bool check(weir_simulation *s, weir_simulation_record_fn *expect, weir_simulation_record_fn *take_result,
		  weir_error *err)
{
	struct recount *c = calloc(1, sizeof *c);

	if (!c)
		abort();
	c->error.code = WEIR_OK;
	bool ok = weir_simulation_read(s, "in", expect, c, err) &&
		  weir_simulation_read(s, "out", take_result, c, err) &&
		  weir_simulation_read(s, "dead-letters", count_letter, c, err) &&
		  tally_same(&c->wanted, &c->got, "out", err);

	if (ok && c->error.code) {
		*err = c->error;
		ok = false;
	}
	tally_release(&c->wanted);
	tally_release(&c->got);
	free(c);
	return ok;
}

bool check_closing(weir_simulation *s, void *user, weir_error *err)
{
	(void)user;
	return check(s, expect_window, take_window, err);
}

bool check_closing_sessions(weir_simulation *s, void *user, weir_error *err)
{
	(void)user;
	return check(s, expect_session, take_session, err);
}
