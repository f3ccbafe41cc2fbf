/* A store of one's own that numbers the records of each key: whatever goes wrong, each number is given once. */
#include "tests/simulation/tally.h"
#include "tests/simulation/topologies.h"

#include <weir/topology.h>

enum { KEYS = 9 };

static void *open_numbers(int32_t partition, void *user)
{
	long long *numbers = calloc(KEYS, sizeof *numbers);

	(void)partition, (void)user;
	if (!numbers)
		abort();
	return numbers;
}

static void restore_number(void *object, weir_bytes key, weir_bytes value, int64_t timestamp_ms, void *user)
{
	char text[32];

	(void)timestamp_ms, (void)user;
	snprintf(text, sizeof text, "%.*s", (int)value.len, (const char *)value.data);
	((long long *)object)[((const char *)key.data)[1] - '0'] = strtoll(text, NULL, 10);
}

static void close_numbers(void *object, void *user)
{
	(void)user;
	free(object);
}

static void number(weir_context *cx, const weir_record *r, void *state, void *user)
{
	weir_store *store = weir_context_store(cx, "numbers");
	long long *numbers = weir_custom_object(store);
	weir_bytes *object = weir_alloc(cx, sizeof *object);
	char *text = weir_alloc(cx, 32);
	weir_record out = *r;

	(void)state, (void)user;
	snprintf(text, 32, "%lld", ++numbers[((const char *)r->key.data)[1] - '0']);
	*object = weir_str(text);
	weir_custom_put(store, r->key, *object, r->timestamp_ms);
	weir_set_value(&out, object);
	weir_forward(cx, &out);
}

weir_topology *build_custom(void)
{
	weir_topology *t = weir_topology_new("custom");
	weir_stream *in = weir_source(t, "in", (weir_source_opts){ .value = &weir_utf8 });

	weir_add_custom_store(
		t, "numbers",
		(weir_custom_store){ .open = open_numbers, .restore = restore_number, .close = close_numbers });
	weir_sink(weir_process(in, "number", (weir_processor){ .process = number, .stores = { "numbers" } }), "out",
		  (weir_sink_opts){ 0 });
	return t;
}

void feed_custom(weir_rng *rng, int64_t n, int64_t now_ms, weir_simulation_input *in, void *user)
{
	static char key[16], value[24];

	(void)user;
	snprintf(key, sizeof key, "k%d", (int)weir_rng_below(rng, KEYS));
	snprintf(value, sizeof value, "%lld", (long long)n);
	*in = (weir_simulation_input){ .topic = "in",
				       .key = weir_str(key),
				       .value = weir_str(value),
				       .timestamp_ms = now_ms,
				       .partition = -1 };
}

struct numbered {
	struct tally counts, wanted, got;
};

static void expect_number(const weir_kafka_record *r, void *user)
{
	struct numbered *c = user;
	char name[80];

	snprintf(name, sizeof name, "%.*s", (int)r->key.len, (const char *)r->key.data);
	long long n = ++*tally_at(&c->counts, name);

	snprintf(name, sizeof name, "%.*s=%lld", (int)r->key.len, (const char *)r->key.data, n);
	++*tally_at(&c->wanted, name);
}

static void take_number(const weir_kafka_record *r, void *user)
{
	char name[80];

	snprintf(name, sizeof name, "%.*s=%.*s", (int)r->key.len, (const char *)r->key.data, (int)r->value.len,
		 (const char *)r->value.data);
	++*tally_at(&((struct numbered *)user)->got, name);
}

bool check_custom(weir_simulation *s, void *user, weir_error *err)
{
	struct numbered c = { 0 };

	(void)user;
	bool ok = weir_simulation_read(s, "in", expect_number, &c, err) &&
		  weir_simulation_read(s, "out", take_number, &c, err) && tally_same(&c.wanted, &c.got, "out", err);

	tally_release(&c.counts);
	tally_release(&c.wanted);
	tally_release(&c.got);
	return ok;
}
