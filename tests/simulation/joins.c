/* An outer join of two streams. Each pair within the window comes once; each record without a partner comes alone,
 * or waits in the store for what does. */
#include "tests/simulation/tally.h"
#include "tests/simulation/topologies.h"

#include <weir/join.h>

enum { BEFORE_MS = 4000, AFTER_MS = 5000, GRACE_MS = 3000, STEP_MS = 100, DISORDER_MS = 1500, KEYS = 40 };

static const void *pair(weir_context *cx, weir_bytes key, const void *left, const void *right, void *user)
{
	const weir_bytes *l = left, *r = right;
	weir_bytes *object = weir_alloc(cx, sizeof *object);
	char *to = weir_alloc(cx, 60);

	(void)key, (void)user;
	snprintf(to, 60, "%.*s+%.*s", l ? (int)l->len : 0, l ? (const char *)l->data : "", r ? (int)r->len : 0,
		 r ? (const char *)r->data : "");
	*object = weir_str(to);
	return object;
}

weir_topology *build_joined(void)
{
	weir_topology *t = weir_topology_new("joined");
	weir_stream *left = weir_source(t, "in", (weir_source_opts){ .value = &weir_utf8 });
	weir_stream *right = weir_source(t, "in2", (weir_source_opts){ .value = &weir_utf8 });
	weir_join_window window = { .before_ms = BEFORE_MS, .after_ms = AFTER_MS, .grace_ms = GRACE_MS };

	weir_sink(weir_outer_join(left, "j", right, pair, NULL, window, NULL), "out", (weir_sink_opts){ 0 });
	return t;
}

/* Time goes by the number, so that windows close within a run however fast it is. */
void feed_joined(weir_rng *rng, int64_t number, int64_t now_ms, weir_simulation_input *in, void *user)
{
	static char key[16], value[24];

	(void)now_ms, (void)user;
	snprintf(key, sizeof key, "k%d", (int)weir_rng_below(rng, KEYS));
	snprintf(value, sizeof value, "%lld", (long long)number);
	*in = (weir_simulation_input){ .topic = weir_rng_chance(rng, 0.5) ? "in" : "in2",
				       .key = weir_str(key),
				       .value = weir_str(value),
				       .timestamp_ms = 1700000000000 + number * STEP_MS -
						       (int64_t)weir_rng_below(rng, DISORDER_MS),
				       .partition = -1 };
}

/* --- the recount ------------------------------------------------------------------------------------------------
 * */

struct seen {
	char key[16], value[24];
	int64_t timestamp_ms;
	bool paired;
};

struct side {
	struct seen *records;
	size_t count, room;
};

struct joined {
	struct side sides[2], *reading;
	struct tally wanted, got, letters;
};

static void take_input(const weir_kafka_record *r, void *user)
{
	struct side *side = ((struct joined *)user)->reading;

	if (side->count == side->room) {
		side->room = side->room ? 2 * side->room : 256;
		side->records = realloc(side->records, side->room * sizeof *side->records);
		if (!side->records)
			abort();
	}
	struct seen *s = &side->records[side->count++];

	snprintf(s->key, sizeof s->key, "%.*s", (int)r->key.len, (const char *)r->key.data);
	snprintf(s->value, sizeof s->value, "%.*s", (int)r->value.len, (const char *)r->value.data);
	s->timestamp_ms = r->timestamp_ms;
	s->paired = false;
}

static void want(struct joined *c, const char *left, const char *right, int64_t timestamp_ms)
{
	char name[80];

	snprintf(name, sizeof name, "%s+%s@%lld", left, right, (long long)timestamp_ms);
	++*tally_at(&c->wanted, name);
}

static void expect_all(struct joined *c)
{
	struct side *left = &c->sides[0], *right = &c->sides[1];

	for (size_t i = 0; i < left->count; i++)
		for (size_t j = 0; j < right->count; j++) {
			struct seen *l = &left->records[i], *r = &right->records[j];
			int64_t apart = r->timestamp_ms - l->timestamp_ms;

			if (strcmp(l->key, r->key) != 0 || apart < -BEFORE_MS || apart > AFTER_MS)
				continue;
			l->paired = r->paired = true;
			want(c, l->value, r->value, apart > 0 ? r->timestamp_ms : l->timestamp_ms);
		}
	for (size_t i = 0; i < left->count; i++)
		if (!left->records[i].paired)
			want(c, left->records[i].value, "", left->records[i].timestamp_ms);
	for (size_t i = 0; i < right->count; i++)
		if (!right->records[i].paired)
			want(c, "", right->records[i].value, right->records[i].timestamp_ms);
}

static void take_result(const weir_kafka_record *r, void *user)
{
	struct joined *c = user;
	char name[80];

	snprintf(name, sizeof name, "%.*s@%lld", (int)r->value.len, (const char *)r->value.data,
		 (long long)r->timestamp_ms);
	++*tally_at(&c->got, name);
}

static void take_letter(const weir_kafka_record *r, void *user)
{
	struct joined *c = user;
	weir_bytes why = weir_headers_last(weir_kafka_record_headers(r), "reason");
	char name[80];

	snprintf(name, sizeof name, "%.*s", (int)why.len, (const char *)why.data);
	++*tally_at(&c->letters, name);
}

/* Key: time (8) | 1 = left (1) | key; value: 01 | count (4) | length (4), 1 = left (1) | value ... */
static void take_parked(struct joined *c, const weir_entry *e)
{
	const char *key = e->key.data, *at = (const char *)e->value.data + 5;

	for (int32_t i = 0, n = weir_get_be32((const char *)e->value.data + 1); i < n; i++) {
		int32_t len = weir_get_be32(at) - 1;
		char name[80];

		snprintf(name, sizeof name, "%s%.*s%s@%lld", key[8] ? "" : "+", (int)len, at + 5, key[8] ? "+" : "",
			 (long long)weir_get_be64(key));
		++*tally_at(&c->got, name);
		at += 5 + len;
	}
}

static bool read_parked(struct joined *c, weir_simulation *s, weir_error *err)
{
	for (int32_t p = 0; p < weir_simulation_partitions(s); p++) {
		weir_store *store = weir_simulation_store(s, "j-outer-shared-join-store", p);
		weir_entry e;

		if (!store)
			return weir_fail(err, WEIR_STATE, "nobody holds what waits in partition %d", (int)p);
		weir_iterator *it = weir_store_range(store, WEIR_NULL, WEIR_NULL, false);

		while (weir_iterator_next(it, &e))
			take_parked(c, &e);
		weir_iterator_close(it);
	}
	return true;
}

bool check_joined(weir_simulation *s, void *user, weir_error *err)
{
	struct joined c = { .reading = &c.sides[0] };
	struct tally none = { 0 };
	bool ok = weir_simulation_read(s, "in", take_input, &c, err);

	(void)user;
	c.reading = &c.sides[1];
	ok = ok && weir_simulation_read(s, "in2", take_input, &c, err) &&
	     weir_simulation_read(s, "out", take_result, &c, err) &&
	     weir_simulation_read(s, "dead-letters", take_letter, &c, err) && read_parked(&c, s, err);
	if (ok)
		expect_all(&c);
	ok = ok && tally_same(&c.wanted, &c.got, "out", err) && tally_same(&none, &c.letters, "dead-letters", err);
	free(c.sides[0].records);
	free(c.sides[1].records);
	tally_release(&c.wanted);
	tally_release(&c.got);
	tally_release(&c.letters);
	tally_release(&none);
	return ok;
}
