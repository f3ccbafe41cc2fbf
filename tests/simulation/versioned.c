/*
 * A table of versions: each row that is not older than the history is passed on once; groups count the newest
 * version of each key, by time and not by offset; a stream meets rows that were valid at its records' times, at
 * once and after a grace, for which just those records wait in the end that are no older.
 */
#include "tests/simulation/tally.h"
#include "tests/simulation/topologies.h"

#include <weir/join.h>

enum { KEYS = 9, GROUPS = 5, PARTITIONS_MAX = 64, HISTORY_MS = 15000, GRACE_MS = 6000 };

static const void *pair(weir_context *cx, weir_bytes key, const void *left, const void *right, void *user)
{
	const weir_bytes *l = left, *r = right;
	weir_bytes *object = weir_alloc(cx, sizeof *object);
	char *to = weir_alloc(cx, 60);

	(void)key, (void)user;
	snprintf(to, 60, "%.*s+%.*s", (int)l->len, (const char *)l->data, r ? (int)r->len : 0,
		 r ? (const char *)r->data : "");
	*object = weir_str(to);
	return object;
}

static long long number_of(weir_bytes b)
{
	char text[32];

	snprintf(text, sizeof text, "%.*s", (int)b.len, b.len ? (const char *)b.data : "");
	return strtoll(text, NULL, 10);
}

static void by_group(weir_context *cx, const weir_record *in, weir_record *out, void *user)
{
	char *group = weir_alloc(cx, 8);

	(void)user;
	snprintf(group, 8, "g%d", (int)(number_of(weir_value_bytes(in)) % GROUPS));
	weir_set_key(out, weir_str(group));
}

weir_topology *build_versioned(void)
{
	weir_topology *t = weir_topology_new("versioned");
	weir_stream *in = weir_source(t, "in", (weir_source_opts){ .value = &weir_utf8 });
	weir_table *rows = weir_table_source(
		t, "in2",
		(weir_table_source_opts){ .value = &weir_utf8,
					  .store = { .versioned = true, .history_ms = HISTORY_MS } });
	weir_grouped_table *grouped =
		weir_table_group_by(rows, "grouped", by_group, (weir_group_by_opts){ 0 }, NULL);

	weir_sink(weir_changes(rows), "rows", (weir_sink_opts){ 0 });
	weir_sink(weir_changes(weir_grouped_count(grouped, "counts", (weir_table_opts){ 0 })), "groups",
		  (weir_sink_opts){ 0 });
	weir_sink(weir_left_join_table(in, "joined", rows, pair, (weir_join_table_opts){ 0 }, NULL), "out",
		  (weir_sink_opts){ 0 });
	weir_sink(weir_left_join_table(in, "waited", rows, pair, (weir_join_table_opts){ .grace_ms = GRACE_MS },
				       NULL),
		  "later", (weir_sink_opts){ 0 });
	return t;
}

void feed_versioned(weir_rng *rng, int64_t number, int64_t now_ms, weir_simulation_input *in, void *user)
{
	static char key[16], value[24];
	bool row = weir_rng_chance(rng, 0.6);

	(void)user;
	snprintf(key, sizeof key, "k%d", (int)weir_rng_below(rng, KEYS));
	snprintf(value, sizeof value, "%lld", (long long)number);
	*in = (weir_simulation_input){ .topic = row ? "in2" : "in",
				       .key = weir_str(key),
				       .value = row && weir_rng_chance(rng, 0.2) ? WEIR_NULL : weir_str(value),
				       .timestamp_ms = now_ms - (int64_t)weir_rng_below(rng, 20000),
				       .partition = -1 };
}

/* --- the recount ------------------------------------------------------------------------------------------------
 * */

struct version {
	char key;
	long long number; /* -1 = deleted */
	int64_t timestamp_ms;
};

struct versioned {
	struct version *versions; /* those that were taken, in the order of the topic */
	size_t count, room;
	int64_t seen_ms[PARTITIONS_MAX], newest_ms[PARTITIONS_MAX]; /* of in2, of in */
	struct tally wanted, got;
	weir_error error;
};

static void name_record(char *to, size_t size, const char *what, const weir_kafka_record *r)
{
	snprintf(to, size, "%s %.*s=%lld@%lld", what, (int)r->key.len, (const char *)r->key.data,
		 weir_is_null(r->value) ? -1LL : number_of(r->value), (long long)r->timestamp_ms);
}

static void take_row(const weir_kafka_record *r, void *user)
{
	struct versioned *c = user;
	int64_t *seen = &c->seen_ms[r->partition];
	char name[80];

	if (r->timestamp_ms < *seen - HISTORY_MS) {
		++*tally_at(&c->wanted, "dead letter");
		return;
	}
	*seen = r->timestamp_ms > *seen ? r->timestamp_ms : *seen;
	name_record(name, sizeof name, "row", r);
	++*tally_at(&c->wanted, name);
	if (c->count == c->room) {
		c->room = c->room ? 2 * c->room : 64;
		c->versions = realloc(c->versions, c->room * sizeof *c->versions);
		if (!c->versions)
			abort();
	}
	c->versions[c->count++] =
		(struct version){ ((const char *)r->key.data)[1], weir_is_null(r->value) ? -1 : number_of(r->value),
				  r->timestamp_ms };
}

static void count_row(const weir_kafka_record *r, void *user)
{
	char name[80];

	name_record(name, sizeof name, "row", r);
	++*tally_at(&((struct versioned *)user)->got, name);
}

static void expect_groups(struct versioned *c)
{
	for (char key = '0'; key < '0' + KEYS; key++) {
		const struct version *newest = NULL;
		char name[16];

		for (size_t i = 0; i < c->count; i++) {
			const struct version *v = &c->versions[i];

			if (v->key == key && (!newest || v->timestamp_ms >= newest->timestamp_ms))
				newest = v;
		}
		if (!newest || newest->number < 0)
			continue;
		snprintf(name, sizeof name, "group g%d", (int)(newest->number % GROUPS));
		++*tally_at(&c->wanted, name);
	}
}

static void take_group(const weir_kafka_record *r, void *user)
{
	char name[16];

	snprintf(name, sizeof name, "group %.*s", (int)r->key.len, (const char *)r->key.data);
	*tally_at(&((struct versioned *)user)->got, name) =
		weir_is_null(r->value) ? 0 : weir_get_be64(r->value.data);
}

static void see_time(const weir_kafka_record *r, void *user)
{
	int64_t *newest = &((struct versioned *)user)->newest_ms[r->partition];

	*newest = r->timestamp_ms > *newest ? r->timestamp_ms : *newest;
}

static void expect_record(const weir_kafka_record *r, void *user)
{
	struct versioned *c = user;
	char name[80];

	name_record(name, sizeof name, "record", r);
	++*tally_at(&c->wanted, name);
	name_record(name, sizeof name, "waited", r);
	*tally_at(&c->wanted, name) += r->timestamp_ms <= c->newest_ms[r->partition] - GRACE_MS;
}

/* The row is one of the key that was valid then, unless one comes later in the topic that takes its place. */
static void check_row(struct versioned *c, const weir_kafka_record *r, long long number)
{
	char key = ((const char *)r->key.data)[1];
	size_t met = 0;

	while (met < c->count && (c->versions[met].key != key || c->versions[met].number != number))
		met++;
	bool ok = met < c->count && c->versions[met].timestamp_ms <= r->timestamp_ms;

	for (size_t i = 0; ok && i < met; i++)
		ok = c->versions[i].key != key || c->versions[i].timestamp_ms > r->timestamp_ms ||
		     c->versions[i].timestamp_ms <= c->versions[met].timestamp_ms;
	if (!ok && !c->error.code)
		weir_fail(&c->error, WEIR_STATE, "out: k%c@%lld has met row %lld, which was not valid then", key,
			  (long long)r->timestamp_ms, number);
}

static void take_pair(const weir_kafka_record *r, struct versioned *c, const char *what)
{
	const char *plus = memchr(r->value.data, '+', r->value.len);
	size_t rest = r->value.len - (size_t)(plus + 1 - (const char *)r->value.data);
	char name[80];

	name_record(name, sizeof name, what, r);
	++*tally_at(&c->got, name);
	if (rest)
		check_row(c, r, number_of((weir_bytes){ plus + 1, rest }));
}

static void take_result(const weir_kafka_record *r, void *user)
{
	take_pair(r, user, "record");
}

static void take_later(const weir_kafka_record *r, void *user)
{
	take_pair(r, user, "waited");
}

static void count_letter(const weir_kafka_record *r, void *user)
{
	(void)r;
	++*tally_at(&((struct versioned *)user)->got, "dead letter");
}

bool check_versioned(weir_simulation *s, void *user, weir_error *err)
{
	struct versioned c = { .error.code = WEIR_OK };

	(void)user;
	bool ok = weir_simulation_read(s, "in2", take_row, &c, err);

	expect_groups(&c);
	ok = ok && weir_simulation_read(s, "in", see_time, &c, err) &&
	     weir_simulation_read(s, "in", expect_record, &c, err) &&
	     weir_simulation_read(s, "rows", count_row, &c, err) &&
	     weir_simulation_read(s, "groups", take_group, &c, err) &&
	     weir_simulation_read(s, "out", take_result, &c, err) &&
	     weir_simulation_read(s, "later", take_later, &c, err) &&
	     weir_simulation_read(s, "dead-letters", count_letter, &c, err) &&
	     tally_same(&c.wanted, &c.got, "out", err);
	if (ok && c.error.code) {
		*err = c.error;
		ok = false;
	}
	free(c.versions);
	tally_release(&c.wanted);
	tally_release(&c.got);
	return ok;
}
