/*
 * Aggregates and tables of at most so many rows. Where commits lie decides which rows are let go of and when. So an
 * aggregate says which record it has begun with: those that a key has had, one after the other, have each record
 * of its topic once. Behind the last commit there are the keys that were used last, and no row is older than its
 * topic.
 */
#include "tests/simulation/tally.h"
#include "tests/simulation/topologies.h"

#include <weir/table.h>

enum { KEYS = 24, FEW = 3, BEGUN = 1 << 20 };

static int64_t number_of(weir_bytes value)
{
	char text[32];

	snprintf(text, sizeof text, "%.*s", (int)value.len, (const char *)value.data);
	return strtoll(text, NULL, 10);
}

/* --- what is built ------------------------------------------------------------------------------- */

/* (the number of the record that it has begun with + 1) * BEGUN + how many there have been */
static int64_t with_one_more(int64_t aggregate, const weir_record *r)
{
	return aggregate ? aggregate + 1 : (number_of(weir_value_bytes(r)) + 1) * BEGUN + 1;
}

static void add(weir_context *cx, const weir_record *r, void *aggregate, void *user)
{
	(void)cx, (void)user;
	*(int64_t *)aggregate = with_one_more(*(int64_t *)aggregate, r);
}

static const void *fold(weir_context *cx, const weir_record *r, const void *aggregate, void *user)
{
	int64_t *next = weir_alloc(cx, sizeof *next);

	(void)user;
	*next = with_one_more(aggregate ? *(const int64_t *)aggregate : 0, r);
	return next;
}

static const void *as_it_is(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)user;
	return weir_value(r);
}

weir_topology *build_limited(void)
{
	weir_topology *t = weir_topology_new("limited");
	weir_stream *in = weir_source(t, "in", (weir_source_opts){ .value = &weir_utf8 });
	weir_window few = { .entries_max = FEW };
	weir_table *added = weir_aggregate(in, "added", (weir_aggregator){ .value = &weir_int64, .add = add }, few);
	weir_table *folded =
		weir_aggregate(in, "folded", (weir_aggregator){ .value = &weir_int64, .fold = fold }, few);
	weir_table *rows = weir_table_source(
		t, "in2",
		(weir_table_source_opts){ .value = &weir_utf8, .store = { .store = "rows", .entries_max = FEW } });
	weir_table *view = weir_table_map_values(rows, "view", as_it_is, &weir_utf8,
						 (weir_table_opts){ .store = "view", .entries_max = FEW }, NULL);

	weir_sink(weir_changes(added), "added-out", (weir_sink_opts){ 0 });
	weir_sink(weir_changes(folded), "folded-out", (weir_sink_opts){ 0 });
	weir_sink(weir_changes(rows), "rows-out", (weir_sink_opts){ 0 });
	weir_sink(weir_changes(view), "view-out", (weir_sink_opts){ 0 });
	return t;
}

void feed_limited(weir_rng *rng, int64_t number, int64_t now_ms, weir_simulation_input *in, void *user)
{
	feed_recent(rng, number, now_ms, in, user);
	if (weir_rng_chance(rng, 0.5))
		return;
	in->topic = "in2";
	if (weir_rng_chance(rng, 0.2))
		in->value = WEIR_NULL;
}

/* --- the topics counted again -------------------------------------------------------------------- */

/* Of a topic, as if each put let go of the row that is over at once: what is there then is there in any case. */
struct key {
	int32_t partition;
	int64_t used, count, newest; /* of the row; number of the last record + 1, 0 = it has deleted the row */
	bool is_there;
};

struct keys {
	struct key all[KEYS];
	int64_t clock;
};

static struct key *key_of(struct keys *keys, const weir_kafka_record *r)
{
	return &keys->all[number_of(weir_bytes_of((const char *)r->key.data + 1, r->key.len - 1)) % KEYS];
}

static int rows_there(const struct keys *keys, int32_t partition, const struct key **oldest)
{
	int n = 0;

	*oldest = NULL;
	for (const struct key *k = keys->all; k < keys->all + KEYS; k++) {
		if (!k->is_there || k->partition != partition)
			continue;
		n++;
		if (!*oldest || k->used < (*oldest)->used)
			*oldest = k;
	}
	return n;
}

static void use(const weir_kafka_record *r, void *user)
{
	struct keys *keys = user;
	struct key *k = key_of(keys, r);
	const struct key *oldest;

	k->partition = r->partition;
	k->used = ++keys->clock;
	k->count++;
	k->is_there = !weir_is_null(r->value);
	k->newest = k->is_there ? number_of(r->value) + 1 : 0;
	if (rows_there(keys, r->partition, &oldest) > FEW)
		keys->all[oldest - keys->all].is_there = false;
}

/* --- aggregates ---------------------------------------------------------------------------------- */

/* As they come out, which they do before they are let go of; that itself nobody is told. */

struct lives {
	struct keys keys; /* to find keys by their names */
	int64_t newest[KEYS], over[KEYS];
	weir_error error;
};

static void take_aggregate(const weir_kafka_record *r, void *user)
{
	struct lives *l = user;
	size_t k = (size_t)(key_of(&l->keys, r) - l->keys.all);
	int64_t last = l->newest[k], next = weir_is_null(r->value) ? 0 : weir_get_be64(r->value.data);

	if (next <= last && !l->error.code)
		weir_fail(&l->error, WEIR_STATE, "\"k%zu\" goes from %lld to %lld", k, (long long)last,
			  (long long)next);
	if (next / BEGUN != last / BEGUN)
		l->over[k] += last % BEGUN;
	l->newest[k] = next;
}

/* *value: WEIR_NULL = there is none. */
static bool read_row(weir_simulation *s, const char *name, const struct keys *keys, size_t k, weir_bytes *value,
		     weir_error *err)
{
	weir_store *store = weir_simulation_store(s, name, keys->all[k].partition);
	char key[16];

	if (!store)
		return weir_fail(err, WEIR_STATE, "there is no store %s/%d", name, (int)keys->all[k].partition);
	snprintf(key, sizeof key, "k%zu", k);
	*value = weir_store_get(store, weir_str(key), NULL);
	return true;
}

static bool check_aggregate(weir_simulation *s, const char *name, const struct keys *keys, const struct lives *l,
			    size_t k, weir_error *err)
{
	const struct key *key = &keys->all[k];
	int64_t counted = l->over[k] + l->newest[k] % BEGUN;
	weir_bytes row;

	if (key->count != counted)
		return weir_fail(err, WEIR_STATE, "\"k%zu\" has come %lld times and is counted %lld times", k,
				 (long long)key->count, (long long)counted);
	if (!key->count)
		return true;
	if (!read_row(s, name, keys, k, &row, err))
		return false;
	if (key->is_there == weir_is_null(row))
		return weir_fail(err, WEIR_STATE, "\"k%zu\" %s", k,
				 key->is_there ? "has been let go of too early" : "should have been let go of");
	return !key->is_there || weir_get_be64(row.data) == l->newest[k] ||
	       weir_fail(err, WEIR_STATE, "\"k%zu\" is %lld, wanted %lld", k, (long long)weir_get_be64(row.data),
			 (long long)l->newest[k]);
}

static bool check_aggregates(weir_simulation *s, const char *name, const char *out, const struct keys *keys,
			     weir_error *err)
{
	struct lives l = { .error.code = WEIR_OK };

	if (!weir_simulation_read(s, out, take_aggregate, &l, err))
		return false;
	if (l.error.code)
		*err = l.error;
	bool ok = !l.error.code;

	for (size_t k = 0; ok && k < KEYS; k++)
		ok = check_aggregate(s, name, keys, &l, k, err);
	return ok || weir_wrap(err, "%s", name);
}

/* --- tables -------------------------------------------------------------------------------------- */

/* Nobody below is told what has been let go of. */
static void take_row(const weir_kafka_record *r, void *user)
{
	key_of(user, r)->newest = weir_is_null(r->value) ? 0 : number_of(r->value) + 1;
}

static bool check_row(weir_simulation *s, const char *name, const struct keys *keys, const struct keys *below,
		      size_t k, weir_error *err)
{
	const struct key *key = &keys->all[k];
	weir_bytes row;

	if (below->all[k].newest != key->newest)
		return weir_fail(err, WEIR_STATE, "those below have %lld of \"k%zu\", wanted %lld",
				 (long long)below->all[k].newest - 1, k, (long long)key->newest - 1);
	if (!key->count)
		return true;
	if (!read_row(s, name, keys, k, &row, err))
		return false;
	if (weir_is_null(row))
		return !key->is_there || strcmp(name, "rows") != 0 ||
		       weir_fail(err, WEIR_STATE, "\"k%zu\" has been let go of too early", k);
	return number_of(row) + 1 == key->newest ||
	       weir_fail(err, WEIR_STATE, "\"k%zu\" is %lld, wanted %lld", k, (long long)number_of(row),
			 (long long)key->newest - 1);
}

static bool check_table(weir_simulation *s, const char *name, const char *out, const struct keys *keys,
			weir_error *err)
{
	struct keys below = { 0 };
	bool ok = weir_simulation_read(s, out, take_row, &below, err);

	for (size_t k = 0; ok && k < KEYS; k++)
		ok = check_row(s, name, keys, &below, k, err);
	for (int32_t p = 0; ok && p < weir_simulation_partitions(s); p++) {
		weir_store *store = weir_simulation_store(s, name, p);
		long long n = store ? (long long)weir_store_count(store) : -1;

		if (n < 0 || n > FEW)
			ok = weir_fail(err, WEIR_STATE, "partition %d has %lld rows, wanted up to %d", (int)p, n,
				       FEW);
	}
	return ok || weir_wrap(err, "%s", name);
}

bool check_limited(weir_simulation *s, void *user, weir_error *err)
{
	struct keys records = { 0 }, rows = { 0 };

	(void)user;
	return weir_simulation_read(s, "in", use, &records, err) &&
	       weir_simulation_read(s, "in2", use, &rows, err) &&
	       check_aggregates(s, "added", "added-out", &records, err) &&
	       check_aggregates(s, "folded", "folded-out", &records, err) &&
	       check_table(s, "rows", "rows-out", &rows, err) && check_table(s, "view", "view-out", &rows, err);
}
