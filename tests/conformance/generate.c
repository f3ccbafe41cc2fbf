/*
 * Random input that is likely to find what differs: time goes on in small steps of a case's scale, with large
 * gaps, records out of order, late ones, equal timestamps, and timestamps at window edges; keys are few, so that
 * they meet; some keys and values are null, some records have headers. Each seed has its own mix.
 */
#include "tests/conformance/conformance.h"

struct mix {
	weir_rng rng;
	const char *topics[8];
	size_t topic_count;
	int64_t now, edge, late, gap, wall;
	bool distinct; /* no two records have the same time */
	int64_t used[64];
	size_t used_count;
	double null_key, null_value, headers, out_of_order, gaps;
	int keys;
	const char *values;
};

static void find_topics(struct mix *m, const struct test_case *c)
{
	for (const struct step *s = c->steps; s; s = s->next) {
		if (s->input_count || strcmp(s->op, "store") == 0 || m->topic_count + 2 > LENGTH(m->topics))
			continue;
		m->topics[m->topic_count++] = step_option(s, "topic") ? step_option(s, "topic") : s->name;
		if (step_option(s, "and"))
			m->topics[m->topic_count++] = step_option(s, "and");
	}
	if (m->topic_count == 0)
		fatal("case %s reads no topic", c->name);
}

static struct mix mix_of(const struct test_case *c, uint64_t seed)
{
	struct mix m = { .rng = weir_rng_seeded(seed) };
	const struct step *g = &c->gen;
	static const double often[] = { 0, 0.05, 0.15, 0.4 };

	find_topics(&m, c);
	m.edge = step_number(g, "edge", 10);
	m.late = step_number(g, "late", 4 * m.edge);
	m.gap = step_number(g, "gap", 8 * m.edge);
	m.wall = step_number(g, "wall", 0);
	m.null_key = (double)step_number(g, "null-key", 7) / 100 * (double)weir_rng_below(&m.rng, 3);
	m.null_value = (double)step_number(g, "null-value", 10) / 100 * (double)weir_rng_below(&m.rng, 3);
	m.headers = often[weir_rng_below(&m.rng, 4)];
	m.out_of_order = often[weir_rng_below(&m.rng, 4)];
	m.gaps = often[weir_rng_below(&m.rng, 3)];
	m.distinct = step_number(g, "distinct", 0) != 0;
	m.keys = (int)weir_rng_between(&m.rng, 1, step_number(g, "keys", 4));
	m.values = step_option(g, "values") ? step_option(g, "values") : "mixed";
	m.now = step_number(g, "start", 10 * m.edge) + weir_rng_between(&m.rng, 0, m.edge);
	return m;
}

static int64_t next_time(struct mix *m)
{
	weir_rng *r = &m->rng;
	int64_t at;

	if (weir_rng_chance(r, m->gaps))
		m->now += weir_rng_between(r, m->edge, m->gap);
	else if (weir_rng_chance(r, 0.8)) /* else the same again */
		m->now += weir_rng_between(r, 0, m->edge / 3 + 1);
	at = m->now;
	if (weir_rng_chance(r, m->out_of_order))
		at -= weir_rng_between(r, 0, m->late);
	if (weir_rng_chance(r, 0.2)) { /* at an edge, or one beside it */
		at = at / m->edge * m->edge + weir_rng_between(r, -1, 1);
	}
	at = at > 1 ? at : 1;
	for (size_t i = 0; m->distinct && i < m->used_count; i++)
		if (m->used[i] == at) {
			at++;
			i = SIZE_MAX; /* from the first again */
		}
	if (m->used_count < LENGTH(m->used))
		m->used[m->used_count++] = at;
	return at;
}

/* "5", "b7" (begins with a key, for foreign keys), "d", "", "xyz". */
static void add_value(struct mix *m, struct text *out)
{
	weir_rng *r = &m->rng;
	int digit = (int)weir_rng_below(r, 10), letter = 'a' + (int)weir_rng_below(r, 4);
	bool foreign = strcmp(m->values, "foreign") == 0, numbers = strcmp(m->values, "numbers") == 0;

	if (weir_rng_chance(r, m->null_value))
		text_add(out, "~");
	else if (strcmp(m->values, "longs") == 0 && weir_rng_chance(r, 0.8)) /* as Kafka has them; else not such */
		text_add(out, "%%00%%00%%00%%00%%00%%00%%00%%%02x", digit);
	else if (numbers || (!foreign && weir_rng_chance(r, 0.5)))
		text_add(out, "%d", digit);
	else if (foreign || weir_rng_chance(r, 0.6))
		text_add(out, "%c%d", letter, digit);
	else if (weir_rng_chance(r, 0.6))
		text_add(out, "d");
	else if (weir_rng_chance(r, 0.3))
		text_add(out, "\"\"");
	else
		text_add(out, "%c%c%c", letter, letter, 'a' + digit);
}

static void add_headers(struct mix *m, struct text *out)
{
	weir_rng *r = &m->rng;

	if (!weir_rng_chance(r, m->headers))
		return;
	for (int n = (int)weir_rng_between(r, 1, 2); n; n--) {
		text_add(out, " h%d=", (int)weir_rng_below(r, 3));
		text_add(out, weir_rng_chance(r, 0.1) ? "~" : "x%d", (int)weir_rng_below(r, 100));
	}
}

void generate(const struct test_case *c, uint64_t seed, struct text *out)
{
	struct mix m = mix_of(c, seed);
	int64_t records = step_number(&c->gen, "records", 30);

	for (int64_t i = 0; i < records; i++) {
		if (m.wall && weir_rng_chance(&m.rng, 0.3))
			text_add(out, "wall %lld\n", (long long)weir_rng_between(&m.rng, 1, m.wall));
		text_add(out, "in %s ", m.topics[weir_rng_below(&m.rng, m.topic_count)]);
		if (weir_rng_chance(&m.rng, m.null_key))
			text_add(out, "~ ");
		else
			text_add(out, "%c ", 'a' + (int)weir_rng_below(&m.rng, (uint64_t)m.keys));
		add_value(&m, out);
		text_add(out, " %lld", (long long)next_time(&m));
		add_headers(&m, out);
		text_add(out, "\n");
	}
}
