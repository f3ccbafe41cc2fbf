/*
 * A global store with a processor before it, on each instance: whatever is lost, in the end each has counted each
 * record of the topic once. Beside it a stream that looks rows up, which waits for them at each start.
 */
#include "tests/simulation/tally.h"
#include "tests/simulation/topologies.h"

#include <weir/table.h>

enum { KEYS = 9, KEYS_MAX = 16 };

/* A number that ends with 0 takes its key away. */
static bool takes_away(weir_bytes value)
{
	return ((const char *)value.data)[value.len - 1] == '0';
}

/* "how many since it was taken away:the last number" */
static void count_event(weir_context *cx, const weir_record *r, void *state, void *user)
{
	weir_store *store = weir_context_store(cx, "seen");
	weir_bytes value = weir_value_bytes(r), old = weir_store_get(store, r->key, NULL);
	char text[64];

	(void)state, (void)user;
	int n = snprintf(text, sizeof text, "%d:%.*s", weir_is_null(old) ? 1 : atoi(old.data) + 1, (int)value.len,
			 (const char *)value.data);

	weir_store_put(store, r->key, takes_away(value) ? WEIR_NULL : weir_bytes_of(text, (size_t)n),
		       r->timestamp_ms);
}

static weir_global *seen;

static const void *look_up(weir_context *cx, const weir_record *r, void *user)
{
	const weir_bytes *row = weir_global_get(cx, seen, r->key, NULL);

	(void)user;
	if (row && atoi(row->data) < 1)
		weir_stop(cx, "a row that the processor has not made");
	return weir_value(r);
}

weir_topology *build_global_store(void)
{
	weir_topology *t = weir_topology_new("global-store");

	seen = weir_global_store(t, "seen", (weir_global_opts){ .topic = "events", .value = &weir_utf8 },
				 (weir_processor){ .process = count_event });
	weir_stream *in = weir_source(t, "in", (weir_source_opts){ .value = &weir_utf8 });

	weir_sink(weir_map_values(in, "look-up", look_up, &weir_utf8, NULL), "out", (weir_sink_opts){ 0 });
	return t;
}

void feed_global_store(weir_rng *rng, int64_t number, int64_t now_ms, weir_simulation_input *in, void *user)
{
	feed_numbers(rng, number, now_ms, in, user);
	if (weir_rng_chance(rng, 0.7))
		in->topic = "events";
}

struct recount {
	char rows[KEYS_MAX][64]; /* "" = none */
	struct tally wanted, got;
};

static void expect_event(const weir_kafka_record *r, void *user)
{
	char *row = ((struct recount *)user)->rows[((const char *)r->key.data)[1] - '0'];
	int before = *row ? atoi(row) : 0;

	*row = 0;
	if (!takes_away(r->value))
		snprintf(row, sizeof((struct recount *)0)->rows[0], "%d:%.*s", before + 1, (int)r->value.len,
			 (const char *)r->value.data);
}

static void count(struct tally *t, const weir_kafka_record *r)
{
	char name[40];

	snprintf(name, sizeof name, "%.*s", (int)r->value.len, (const char *)r->value.data);
	++*tally_at(t, name);
}

static void expect_one(const weir_kafka_record *r, void *user)
{
	count(&((struct recount *)user)->wanted, r);
}

static void take_one(const weir_kafka_record *r, void *user)
{
	count(&((struct recount *)user)->got, r);
}

static bool check_rows(const struct recount *c, weir_store *store, int instance, weir_error *err)
{
	char key[16];
	int there = 0;

	for (int i = 0; i < KEYS; i++) {
		snprintf(key, sizeof key, "k%d", i);
		weir_bytes row = weir_store_get(store, weir_str(key), NULL);

		there += c->rows[i][0] != 0;
		if (c->rows[i][0] ? !weir_bytes_equal(row, weir_str(c->rows[i])) : !weir_is_null(row))
			return weir_fail(err, WEIR_STATE, "instance %d: \"%s\" is %.*s, wanted %s", instance, key,
					 weir_is_null(row) ? 4 : (int)row.len,
					 weir_is_null(row) ? "none" : (const char *)row.data,
					 c->rows[i][0] ? c->rows[i] : "none");
	}
	weir_iterator *it = weir_store_range(store, WEIR_NULL, WEIR_NULL, false);
	weir_entry e;

	while (weir_iterator_next(it, &e))
		there--;
	weir_iterator_close(it);
	return there == 0 ||
	       weir_fail(err, WEIR_STATE, "instance %d has %d rows more than wanted", instance, -there);
}

bool check_global_store(weir_simulation *s, void *user, weir_error *err)
{
	struct recount c = { 0 };
	weir_store *store;

	(void)user;
	bool ok = weir_simulation_read(s, "events", expect_event, &c, err) &&
		  weir_simulation_read(s, "in", expect_one, &c, err) &&
		  weir_simulation_read(s, "out", take_one, &c, err) && tally_same(&c.wanted, &c.got, "out", err);

	for (int i = 0; ok && (store = weir_simulation_global(s, i, "seen")); i++)
		ok = check_rows(&c, store, i, err);
	if (ok && !weir_simulation_global(s, 0, "seen"))
		ok = weir_fail(err, WEIR_STATE, "there is no store \"seen\"");
	tally_release(&c.wanted);
	tally_release(&c.got);
	return ok;
}
