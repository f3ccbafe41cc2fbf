/*
 * Windows and sessions whose aggregate is often nothing, the newest as well: what came and went between two commits
 * is in no changelog, but moves the time by which the store hides what is past retention. The windows that it shows
 * are counted again by that rule; the sessions are compared with their changelog, as all stores are.
 */
#include "tests/simulation/tally.h"
#include "tests/simulation/topologies.h"

#include <weir/clock.h>
#include <weir/table.h>

enum { KEYS = 4, SIZE_MS = 500, GRACE_MS = 1000, RETAIN_MS = 2000, GAP_MS = 300, WINDOWS_MAX = 4096 };

static bool is_none(weir_bytes value)
{
	return value.len > 0 && ((const char *)value.data)[value.len - 1] < '6';
}

static const void *newest(weir_context *cx, const weir_record *r, const void *aggregate, void *user)
{
	(void)cx, (void)aggregate, (void)user;
	return is_none(weir_value_bytes(r)) ? NULL : weir_value(r);
}

static const void *later(weir_context *cx, weir_bytes key, const void *a, const void *b, void *user)
{
	(void)cx, (void)key, (void)a, (void)user;
	return b;
}

static bool everything(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)r, (void)user;
	return true;
}

weir_topology *build_hidden(void)
{
	weir_topology *t = weir_topology_new("hidden");
	weir_stream *in = weir_source(t, "in", (weir_source_opts){ .value = &weir_utf8 });
	weir_aggregator last = { .value = &weir_utf8, .fold = newest, .merge = later };
	weir_table *windows =
		weir_aggregate(in, "windows", last,
			       (weir_window){ .size_ms = SIZE_MS, .grace_ms = GRACE_MS, .retain_ms = RETAIN_MS });

	/* which wants old values, and so has what came and went left out */
	weir_table_filter(windows, "all", everything, (weir_table_opts){ 0 }, NULL);
	weir_aggregate(in, "sessions", last,
		       (weir_window){ .gap_ms = GAP_MS, .grace_ms = GRACE_MS, .retain_ms = RETAIN_MS });
	return t;
}

void feed_hidden(weir_rng *rng, int64_t number, int64_t now_ms, weir_simulation_input *in, void *user)
{
	static char key[16], value[24];
	int64_t ahead_ms = weir_rng_chance(rng, 0.1) ? (int64_t)weir_rng_below(rng, 3000) : 0;

	(void)user;
	snprintf(key, sizeof key, "k%d", (int)weir_rng_below(rng, KEYS));
	snprintf(value, sizeof value, "%lld", (long long)number);
	*in = (weir_simulation_input){ .topic = "in",
				       .key = weir_str(key),
				       .value = weir_str(value),
				       .timestamp_ms = now_ms + ahead_ms - (int64_t)weir_rng_below(rng, 1500),
				       .partition = -1 };
}

/* --- counted again ------------------------------------------------------------------------------- */

struct window {
	char key[16], value[24];
	int64_t start_ms;
	int32_t partition;
};

struct recount {
	struct window all[WINDOWS_MAX];
	size_t count;
	int64_t seen_ms[64], start_max[64]; /* of each partition */
	struct tally wanted, got;
	bool full;
};

static struct window *find(struct recount *c, const struct window *like)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->all[i].start_ms == like->start_ms && strcmp(c->all[i].key, like->key) == 0)
			return &c->all[i];
	return NULL;
}

static void expect(const weir_kafka_record *r, void *user)
{
	struct recount *c = user;
	int64_t *seen_ms = &c->seen_ms[r->partition], *start_max = &c->start_max[r->partition];
	struct window w = { .start_ms = r->timestamp_ms / SIZE_MS * SIZE_MS, .partition = r->partition };

	*seen_ms = r->timestamp_ms > *seen_ms ? r->timestamp_ms : *seen_ms;
	snprintf(w.key, sizeof w.key, "%.*s", (int)r->key.len, (const char *)r->key.data);
	snprintf(w.value, sizeof w.value, "%.*s", (int)r->value.len, (const char *)r->value.data);
	struct window *was = find(c, &w);

	if (w.start_ms + SIZE_MS <= *seen_ms - GRACE_MS || (!was && is_none(r->value)))
		return;
	*start_max = w.start_ms > *start_max ? w.start_ms : *start_max;
	if (is_none(r->value))
		*was = c->all[--c->count];
	else if (was)
		*was = w;
	else if (c->count < WINDOWS_MAX)
		c->all[c->count++] = w;
	else
		c->full = true;
}

static void note(struct tally *t, const char *key, int key_len, int64_t start_ms, int64_t value)
{
	char name[64];

	snprintf(name, sizeof name, "%.*s[%lld]", key_len, key, (long long)start_ms);
	*tally_at(t, name) = value + 1;
}

static void take(weir_simulation *s, struct recount *c)
{
	for (int32_t p = 0; p < weir_simulation_partitions(s); p++) {
		weir_iterator *it = weir_window_fetch_all(weir_simulation_store(s, "windows", p), 0, INT64_MAX);
		weir_entry e;

		while (weir_iterator_next(it, &e)) {
			char value[24];

			snprintf(value, sizeof value, "%.*s", (int)e.value.len, (const char *)e.value.data);
			note(&c->got, e.key.data, (int)e.key.len, e.start_ms, strtoll(value, NULL, 10));
		}
		weir_iterator_close(it);
	}
}

bool check_hidden(weir_simulation *s, void *user, weir_error *err)
{
	struct recount *c = calloc(1, sizeof *c);

	(void)user;
	bool ok = weir_simulation_read(s, "in", expect, c, err);

	for (size_t i = 0; i < c->count; i++) {
		const struct window *w = &c->all[i];

		if (w->start_ms > c->start_max[w->partition] - RETAIN_MS)
			note(&c->wanted, w->key, (int)strlen(w->key), w->start_ms, strtoll(w->value, NULL, 10));
	}
	take(s, c);
	ok = ok && (!c->full || weir_fail(err, WEIR_STATE, "more windows than there is room for")) &&
	     tally_same(&c->wanted, &c->got, "hidden", err);
	tally_release(&c->wanted);
	tally_release(&c->got);
	free(c);
	return ok;
}
