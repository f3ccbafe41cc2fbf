/*
 * A store of at most so many keys, with headers: how often each key has come since it has come into the store. What
 * is there depends on the order of all puts of a partition, which must outlive whatever goes wrong.
 */
#include "tests/simulation/tally.h"
#include "tests/simulation/topologies.h"

#include <weir/topology.h>

enum { KEYS = 24, RECENT = 3, PARTITIONS_MAX = 64 };

/* A number that ends with 0 takes its key away. */
static bool takes_away(weir_bytes value)
{
	return ((const char *)value.data)[value.len - 1] == '0';
}

static void see(weir_context *cx, const weir_record *r, void *state, void *user)
{
	weir_store *store = weir_context_store(cx, "recent");
	const weir_headers *headers;
	weir_bytes *object = weir_alloc(cx, sizeof *object),
		   old = weir_store_get_headers(store, r->key, NULL, &headers);
	char *text = weir_alloc(cx, 32);
	weir_record out = *r;

	(void)state, (void)user;
	if (!weir_bytes_equal(old, weir_headers_last(headers, "count")))
		weir_stop(cx, "a value without its header");
	snprintf(text, 32, "%d", weir_is_null(old) ? 1 : 1 + atoi((const char *)old.data));
	*object = weir_bytes_of(text, strlen(text) + 1);
	weir_header count = { "count", *object };

	if (takes_away(weir_value_bytes(r)))
		weir_store_put(store, r->key, WEIR_NULL, r->timestamp_ms);
	else
		weir_store_put_headers(store, r->key, *object, r->timestamp_ms, &(weir_headers){ &count, 1 });
	weir_set_value(&out, object);
	weir_forward(cx, &out);
}

weir_topology *build_recent(void)
{
	weir_topology *t = weir_topology_new("recent");
	weir_stream *in = weir_source(t, "in", (weir_source_opts){ .value = &weir_utf8 });

	weir_add_store(t, "recent", (weir_store_opts){ .entries_max = RECENT, .headers = true });
	weir_sink(weir_process(in, "see",
			       (weir_processor){ .process = see, .stores = { "recent" }, .keeps_key = true }),
		  "out", (weir_sink_opts){ 0 });
	return t;
}

void feed_recent(weir_rng *rng, int64_t n, int64_t now_ms, weir_simulation_input *in, void *user)
{
	static char key[16], value[24];

	(void)user;
	snprintf(key, sizeof key, "k%d", (int)(weir_rng_below(rng, KEYS) * weir_rng_below(rng, KEYS) / KEYS));
	snprintf(value, sizeof value, "%lld", (long long)n);
	*in = (weir_simulation_input){ .topic = "in",
				       .key = weir_str(key),
				       .value = weir_str(value),
				       .timestamp_ms = now_ms,
				       .partition = -1 };
}

/* Of each partition its keys, the one that came last at the end. */
struct recent {
	struct list {
		char keys[RECENT + 1][16];
		int counts[RECENT + 1], count;
	} lists[PARTITIONS_MAX];
	struct tally wanted, got;
};

static void take_out(struct list *l, int i)
{
	l->count--;
	memmove(l->keys + i, l->keys + i + 1, (size_t)(l->count - i) * sizeof *l->keys);
	memmove(l->counts + i, l->counts + i + 1, (size_t)(l->count - i) * sizeof *l->counts);
}

/* How often the key has come. */
static int came(struct list *l, const char *key, bool goes)
{
	int i = 0, n = 1;

	while (i < l->count && strcmp(l->keys[i], key) != 0)
		i++;
	if (i < l->count) {
		n = l->counts[i] + 1;
		take_out(l, i);
	}
	if (goes)
		return n;
	snprintf(l->keys[l->count], sizeof *l->keys, "%s", key);
	l->counts[l->count++] = n;
	if (l->count > RECENT)
		take_out(l, 0);
	return n;
}

static void expect_count(const weir_kafka_record *r, void *user)
{
	struct recent *c = user;
	char key[16], name[80];

	snprintf(key, sizeof key, "%.*s", (int)r->key.len, (const char *)r->key.data);
	snprintf(name, sizeof name, "%s=%d", key,
		 came(&c->lists[r->partition % PARTITIONS_MAX], key, takes_away(r->value)));
	++*tally_at(&c->wanted, name);
}

static void take_count(const weir_kafka_record *r, void *user)
{
	char name[80];

	snprintf(name, sizeof name, "%.*s=%s", (int)r->key.len, (const char *)r->key.data,
		 (const char *)r->value.data);
	++*tally_at(&((struct recent *)user)->got, name);
}

static bool check_store(weir_simulation *s, const struct recent *c, int32_t partition, weir_error *err)
{
	weir_store *store = weir_simulation_store(s, "recent", partition);
	const struct list *l = &c->lists[partition];

	if (!store || weir_store_count(store) != l->count)
		return weir_fail(err, WEIR_STATE, "store recent/%d: %lld keys, wanted %d", (int)partition,
				 store ? (long long)weir_store_count(store) : -1, l->count);
	for (int i = 0; i < l->count; i++) {
		weir_bytes value = weir_store_get(store, weir_str(l->keys[i]), NULL);

		if (weir_is_null(value) || atoi(value.data) != l->counts[i])
			return weir_fail(err, WEIR_STATE, "store recent/%d: \"%s\" is %s, wanted %d",
					 (int)partition, l->keys[i],
					 weir_is_null(value) ? "not there" : (const char *)value.data,
					 l->counts[i]);
	}
	return true;
}

bool check_recent(weir_simulation *s, void *user, weir_error *err)
{
	struct recent *c = calloc(1, sizeof *c);

	(void)user;
	if (!c)
		abort();
	bool ok = weir_simulation_read(s, "in", expect_count, c, err) &&
		  weir_simulation_read(s, "out", take_count, c, err) && tally_same(&c->wanted, &c->got, "out", err);

	for (int32_t i = 0; ok && i < weir_simulation_partitions(s); i++)
		ok = check_store(s, c, i, err);
	tally_release(&c->wanted);
	tally_release(&c->got);
	free(c);
	return ok;
}
