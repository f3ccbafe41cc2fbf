/* A left join of a stream with a table. Which row a record meets depends on when both come; but each record comes
 * once, and those of one key meet rows that the key has had, in their order, whatever goes wrong in between. */
#include "tests/simulation/tally.h"
#include "tests/simulation/topologies.h"

#include <weir/join.h>

enum { KEYS = 9, NOTHING = -1 };

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

weir_topology *build_join_table(void)
{
	weir_topology *t = weir_topology_new("join-table");
	weir_stream *in = weir_source(t, "in", (weir_source_opts){ .value = &weir_utf8 });
	weir_table *rows = weir_table_source(t, "in2", (weir_table_source_opts){ .value = &weir_utf8 });

	weir_sink(weir_left_join_table(in, "joined", rows, pair, (weir_join_table_opts){ 0 }, NULL), "out",
		  (weir_sink_opts){ 0 });
	return t;
}

void feed_join_table(weir_rng *rng, int64_t number, int64_t now_ms, weir_simulation_input *in, void *user)
{
	static char key[16], value[24];
	bool row = weir_rng_chance(rng, 0.4);

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

/* The rows of a key in their order, from none; and the first that the next result may have met. */
struct rows {
	long long *numbers;
	size_t count, room, at;
};

struct join_table {
	struct rows rows[KEYS];
	struct tally wanted, got;
	weir_error error;
};

static struct rows *rows_of(struct join_table *c, const weir_kafka_record *r)
{
	return &c->rows[((const char *)r->key.data)[1] - '0'];
}

static long long number_of(weir_bytes b)
{
	char text[32];

	snprintf(text, sizeof text, "%.*s", (int)b.len, b.len ? (const char *)b.data : "");
	return text[0] ? strtoll(text, NULL, 10) : NOTHING;
}

static void add_row(struct rows *rows, long long number)
{
	if (rows->count == rows->room) {
		rows->room = rows->room ? 2 * rows->room : 64;
		rows->numbers = realloc(rows->numbers, rows->room * sizeof *rows->numbers);
		if (!rows->numbers)
			abort();
	}
	rows->numbers[rows->count++] = number;
}

static void take_row(const weir_kafka_record *r, void *user)
{
	add_row(rows_of(user, r), number_of(r->value));
}

static void name_record(char *to, size_t size, const weir_kafka_record *r)
{
	snprintf(to, size, "%.*s:%lld@%lld", (int)r->key.len, (const char *)r->key.data, number_of(r->value),
		 (long long)r->timestamp_ms);
}

static void expect_record(const weir_kafka_record *r, void *user)
{
	char name[80];

	name_record(name, sizeof name, r);
	++*tally_at(&((struct join_table *)user)->wanted, name);
}

static void take_result(const weir_kafka_record *r, void *user)
{
	struct join_table *c = user;
	struct rows *rows = rows_of(c, r);
	const char *plus = memchr(r->value.data, '+', r->value.len);
	weir_bytes seen = { plus + 1, r->value.len - (size_t)(plus + 1 - (const char *)r->value.data) };
	char name[80];

	name_record(name, sizeof name, r);
	++*tally_at(&c->got, name);
	while (rows->at < rows->count && rows->numbers[rows->at] != number_of(seen))
		rows->at++;
	if (rows->at == rows->count && !c->error.code)
		weir_fail(&c->error, WEIR_STATE, "out: %s has met row \"%.*s\", which was not there by then", name,
			  (int)seen.len, (const char *)seen.data);
}

static void count_letter(const weir_kafka_record *r, void *user)
{
	struct join_table *c = user;

	(void)r;
	++*tally_at(&c->got, "dead letter");
}

bool check_join_table(weir_simulation *s, void *user, weir_error *err)
{
	struct join_table c = { .error.code = WEIR_OK };

	(void)user;
	for (int i = 0; i < KEYS; i++)
		add_row(&c.rows[i], NOTHING);
	bool ok = weir_simulation_read(s, "in2", take_row, &c, err) &&
		  weir_simulation_read(s, "in", expect_record, &c, err) &&
		  weir_simulation_read(s, "out", take_result, &c, err) &&
		  weir_simulation_read(s, "dead-letters", count_letter, &c, err) &&
		  tally_same(&c.wanted, &c.got, "out", err);

	if (ok && c.error.code) {
		*err = c.error;
		ok = false;
	}
	for (int i = 0; i < KEYS; i++)
		free(c.rows[i].numbers);
	tally_release(&c.wanted);
	tally_release(&c.got);
	return ok;
}
