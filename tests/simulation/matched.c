/*
 * All topics that match a pattern: at first there is none, then one after another comes while things go wrong.
 * Counted per key, and passed on one by one; each record must show exactly once, whichever topic it came through
 * and whoever had seen that topic by then.
 */
#include "tests/simulation/tally.h"
#include "tests/simulation/topologies.h"

#include <weir/table.h>

static const char *const topics[] = { "in-a", "in-b", "in-c", "in-d" };

enum { TOPICS = sizeof topics / sizeof *topics, EACH = 90 /* records until the next topic */ };

weir_topology *build_matched(void)
{
	weir_topology *t = weir_topology_new("matched");
	weir_stream *in = weir_source(t, "in", (weir_source_opts){ .value = &weir_utf8, .pattern = "in-[a-z]" });

	weir_sink(weir_changes(weir_count(in, "counts", (weir_window){ 0 })), "out", (weir_sink_opts){ 0 });
	weir_sink(in, "copies", (weir_sink_opts){ 0 });
	return t;
}

void feed_matched(weir_rng *rng, int64_t number, int64_t now_ms, weir_simulation_input *in, void *user)
{
	static char key[16], value[24];
	int64_t there = number / EACH + 1;

	(void)user;
	snprintf(key, sizeof key, "k%d", (int)weir_rng_below(rng, 9));
	snprintf(value, sizeof value, "%lld", (long long)number);
	*in = (weir_simulation_input){
		.topic = topics[weir_rng_below(rng, (uint64_t)(there < TOPICS ? there : TOPICS))],
		.key = weir_str(key),
		.value = weir_str(value),
		.timestamp_ms = now_ms - (int64_t)weir_rng_below(rng, 20000),
		.partition = -1,
	};
}

struct recount {
	struct tally counts, copies, counts_got, copies_got;
};

static void name_of(char *to, size_t size, weir_bytes text)
{
	snprintf(to, size, "%.*s", (int)text.len, (const char *)text.data);
}

static void expect(const weir_kafka_record *r, void *user)
{
	struct recount *c = user;
	char name[80];

	name_of(name, sizeof name, r->key);
	++*tally_at(&c->counts, name);
	name_of(name, sizeof name, r->value);
	++*tally_at(&c->copies, name);
}

static void take_count(const weir_kafka_record *r, void *user)
{
	struct recount *c = user;
	char name[80];

	name_of(name, sizeof name, r->key);
	*tally_at(&c->counts_got, name) = weir_get_be64(r->value.data);
}

static void take_copy(const weir_kafka_record *r, void *user)
{
	struct recount *c = user;
	char name[80];

	name_of(name, sizeof name, r->value);
	++*tally_at(&c->copies_got, name);
}

bool check_matched(weir_simulation *s, void *user, weir_error *err)
{
	struct recount c = { 0 };
	bool ok = true;

	(void)user;
	for (int i = 0; ok && i < TOPICS; i++) /* short runs do not come to all of them */
		ok = weir_topic_partitions(weir_simulation_cluster(s), topics[i], err) <= 0 ||
		     weir_simulation_read(s, topics[i], expect, &c, err);
	ok = ok && weir_simulation_read(s, "out", take_count, &c, err) &&
	     weir_simulation_read(s, "copies", take_copy, &c, err) &&
	     tally_same(&c.counts, &c.counts_got, "out", err) &&
	     tally_same(&c.copies, &c.copies_got, "copies", err);
	tally_release(&c.counts);
	tally_release(&c.copies);
	tally_release(&c.counts_got);
	tally_release(&c.copies_got);
	return ok;
}
