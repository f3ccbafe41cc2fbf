/* Tables: a join of two, one of them with its topic as changelog, and the results grouped by another key; and a
 * join by a foreign key. */
#include "tests/simulation/tally.h"
#include "tests/simulation/topologies.h"

#include <weir/table.h>

enum { GROUPS = 5, NO_PARTNER = 999 };

/* A result's number tells both sides; a group's sum tells how many there are as well. */
static int64_t result_of(int64_t left, int64_t right)
{
	return 1000000000 + left * 1000 + right;
}

static int64_t left_of(int64_t result)
{
	return result / 1000 % 1000000;
}

static const void *pair(weir_context *cx, weir_bytes key, const void *left, const void *right, void *user)
{
	int64_t *n = weir_alloc(cx, sizeof *n);

	(void)key, (void)user;
	*n = result_of(*(const int64_t *)left, right ? *(const int64_t *)right : NO_PARTNER);
	return n;
}

static void group_name(char *to, int64_t result)
{
	snprintf(to, 16, "g%d", (int)(left_of(result) % GROUPS));
}

static void by_left(weir_context *cx, const weir_record *in, weir_record *out, void *user)
{
	char *key = weir_alloc(cx, 16);

	(void)user;
	group_name(key, *(const int64_t *)weir_value(in));
	weir_set_key(out, weir_str(key));
}

static void add(weir_context *cx, const weir_record *r, void *aggregate, void *user)
{
	(void)cx, (void)user;
	*(int64_t *)aggregate += *(const int64_t *)weir_value(r);
}

static void subtract(weir_context *cx, const weir_record *r, void *aggregate, void *user)
{
	(void)cx, (void)user;
	*(int64_t *)aggregate -= *(const int64_t *)weir_value(r);
}

weir_topology *build_tables(void)
{
	weir_topology *t = weir_topology_new("tables");
	weir_table *left = weir_table_source(t, "in", (weir_table_source_opts){ .value = &weir_int64 });
	weir_table *right =
		weir_table_source(t, "in2", (weir_table_source_opts){ .value = &weir_int64, .reuse_topic = true });
	weir_table *joined = weir_table_left_join(left, "joined", right, pair, NULL, (weir_table_opts){ 0 }, NULL);
	weir_grouped_table *grouped =
		weir_table_group_by(joined, "by-left", by_left, (weir_group_by_opts){ 0 }, NULL);
	weir_table_aggregator sums = { .value = &weir_int64, .add = add, .subtract = subtract };

	weir_sink(weir_changes(joined), "out", (weir_sink_opts){ 0 });
	weir_sink(weir_changes(weir_grouped_aggregate(grouped, "sums", sums, (weir_table_opts){ 0 })), "sums-out",
		  (weir_sink_opts){ 0 });
	return t;
}

void feed_tables(weir_rng *rng, int64_t number, int64_t now_ms, weir_simulation_input *in, void *user)
{
	static char key[16], value[8];
	bool right = weir_rng_chance(rng, 0.4);

	(void)user;
	snprintf(key, sizeof key, "k%d", (int)weir_rng_below(rng, 9));
	weir_put_be64(value, right ? number % NO_PARTNER : number);
	*in = (weir_simulation_input){ .topic = right ? "in2" : "in",
				       .key = weir_str(key),
				       .value = weir_rng_chance(rng, 0.2) ? WEIR_NULL : weir_bytes_of(value, 8),
				       .timestamp_ms = now_ms - (int64_t)weir_rng_below(rng, 20000),
				       .partition = -1 };
}

/* Numbers are kept plus one: 0 is none. */
static void take_newest(const weir_kafka_record *r, void *user)
{
	char name[40];

	snprintf(name, sizeof name, "%.*s", (int)r->key.len, (const char *)r->key.data);
	*tally_at(user, name) = weir_is_null(r->value) ? 0 : weir_get_be64(r->value.data) + 1;
}

bool check_tables(weir_simulation *s, void *user, weir_error *err)
{
	struct tally left = { 0 }, right = { 0 }, wanted = { 0 }, got = { 0 }, sums_wanted = { 0 },
		     sums_got = { 0 };
	bool ok = weir_simulation_read(s, "in", take_newest, &left, err) &&
		  weir_simulation_read(s, "in2", take_newest, &right, err) &&
		  weir_simulation_read(s, "out", take_newest, &got, err) &&
		  weir_simulation_read(s, "sums-out", take_newest, &sums_got, err);

	(void)user;
	for (size_t i = 0; i < left.count; i++) {
		const struct tally_entry *e = &left.entries[i];
		int64_t partner = *tally_at(&right, e->name);
		char group[16];

		if (e->number == 0)
			continue;
		int64_t result = result_of(e->number - 1, partner ? partner - 1 : NO_PARTNER);

		*tally_at(&wanted, e->name) = result + 1;
		group_name(group, result);
		*tally_at(&sums_wanted, group) += result;
	}
	for (size_t i = 0; i < sums_got.count; i++) /* an empty group's sum is 0 */
		if (sums_got.entries[i].number)
			sums_got.entries[i].number--;
	ok = ok && tally_same(&wanted, &got, "out", err) && tally_same(&sums_wanted, &sums_got, "sums-out", err);
	tally_release(&left);
	tally_release(&right);
	tally_release(&wanted);
	tally_release(&got);
	tally_release(&sums_wanted);
	tally_release(&sums_got);
	return ok;
}

/* --- by a foreign key --------------------------------------------------------------------------------------------
 * */

/* Of a left row's number; every tenth has none. */
static bool foreign_name(char *to, int64_t left)
{
	snprintf(to, 16, "k%d", (int)(left / 10 % 9));
	return left % 10 != 0;
}

static weir_bytes foreign_key(weir_context *cx, const weir_record *r, void *user)
{
	char *key = weir_alloc(cx, 16);

	(void)user;
	return foreign_name(key, *(const int64_t *)weir_value(r)) ? weir_str(key) : WEIR_NULL;
}

weir_topology *build_foreign(void)
{
	weir_topology *t = weir_topology_new("foreign");
	weir_table *left = weir_table_source(t, "in", (weir_table_source_opts){ .value = &weir_int64 });
	weir_table *right = weir_table_source(t, "in2", (weir_table_source_opts){ .value = &weir_int64 });

	weir_sink(weir_changes(weir_table_left_join_foreign(left, "joined", right, foreign_key, pair,
							    (weir_foreign_opts){ 0 }, NULL)),
		  "out", (weir_sink_opts){ 0 });
	return t;
}

bool check_foreign(weir_simulation *s, void *user, weir_error *err)
{
	struct tally left = { 0 }, right = { 0 }, wanted = { 0 }, got = { 0 };
	bool ok = weir_simulation_read(s, "in", take_newest, &left, err) &&
		  weir_simulation_read(s, "in2", take_newest, &right, err) &&
		  weir_simulation_read(s, "out", take_newest, &got, err);

	(void)user;
	for (size_t i = 0; i < left.count; i++) {
		const struct tally_entry *e = &left.entries[i];
		char key[16];

		if (e->number == 0)
			continue;
		int64_t partner = foreign_name(key, e->number - 1) ? *tally_at(&right, key) : 0;

		*tally_at(&wanted, e->name) = result_of(e->number - 1, partner ? partner - 1 : NO_PARTNER) + 1;
	}
	ok = ok && tally_same(&wanted, &got, "out", err);
	tally_release(&left);
	tally_release(&right);
	tally_release(&wanted);
	tally_release(&got);
	return ok;
}
