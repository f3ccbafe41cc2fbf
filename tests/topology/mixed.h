#ifndef MIXED_H
#define MIXED_H
/* A topology with every kind of state, records made from a seed, and a model of what its stores must hold. */
#include "tests/topology/topology_test.h"

static const weir_window minutes = { .size_ms = WEIR_MINUTES(1), .grace_ms = WEIR_HOURS(1) };

static inline weir_bytes first_letter(weir_context *cx, const weir_record *r, void *user)
{
	const weir_bytes *value = weir_value(r);

	(void)cx, (void)user;
	return weir_bytes_of(value->data, 1);
}

static inline const void *longest(weir_context *cx, const void *aggregate, const void *value, void *user)
{
	const weir_bytes *a = aggregate, *b = value;

	(void)cx, (void)user;
	return b->len > a->len ? b : a;
}

static inline void remember(weir_context *cx, const weir_record *r, void *state, void *user)
{
	weir_store *store = weir_context_store(cx, "seen");
	weir_bytes count = weir_store_get(store, r->key, NULL);
	char next[8];

	(void)state, (void)user;
	weir_put_be64(next, weir_is_null(count) ? 1 : weir_get_be64(count.data) + 1);
	weir_store_put(store, r->key, weir_bytes_of(next, 8), r->timestamp_ms);
	weir_forward(cx, r);
}

/* Every kind of state: a processor's store, a repartition, windows in place, a reduction. */
static inline weir_topology *mixed(void)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = text_source(t, "in");

	weir_add_store(t, "seen", (weir_store_opts){ 0 });
	weir_stream *s = weir_process(
		in, "remember", (weir_processor){ .process = remember, .stores = { "seen" }, .keeps_key = true });
	weir_stream *by_letter = weir_key_by(s, "by-letter", first_letter, NULL);

	weir_sink(s, "copy", (weir_sink_opts){ 0 });
	weir_count(by_letter, "letters", minutes);
	weir_sink(weir_changes(weir_reduce(s, "longest", longest, (weir_window){ 0 }, NULL)), "longest-out",
		  (weir_sink_opts){ 0 });
	return t;
}

enum { KEYS = 7, LETTERS = 5, MINUTES = 4, PARTITIONS = 3 };

/* What the stores must hold. */
struct model {
	int64_t seen[KEYS], letters[LETTERS][MINUTES], records;
	size_t longest[KEYS];
};

static inline unsigned draw(unsigned *seed, unsigned below)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 8) % below;
}

static inline void pipe_one(weir_driver *d, struct model *m, unsigned *seed)
{
	unsigned key = draw(seed, KEYS), letter = draw(seed, LETTERS), minute = draw(seed, MINUTES);
	size_t length = 1 + draw(seed, 20);
	char name[2] = { (char)('A' + key), 0 }, value[32] = "";

	memset(value, (int)('a' + letter), length);
	weir_driver_pipe(d, "in", name, value, WEIR_MINUTES(minute) + 1 + draw(seed, 59000));
	m->records++;
	m->seen[key]++;
	m->letters[letter][minute]++;
	m->longest[key] = length > m->longest[key] ? length : m->longest[key];
}

static inline weir_store *store_of(weir_driver *d, const char *name, char key)
{
	weir_store *store = weir_driver_store(d, name, weir_partition_for_key(weir_bytes_of(&key, 1), PARTITIONS));

	assert_non_null(store);
	return store;
}

static inline int64_t count_in(weir_bytes value)
{
	return weir_is_null(value) ? 0 : weir_get_be64(value.data);
}

static inline void assert_model(weir_driver *d, const struct model *m)
{
	for (int i = 0; i < KEYS; i++) {
		char key = (char)('A' + i);

		assert_int_equal(count_in(weir_store_get(store_of(d, "seen", key), weir_bytes_of(&key, 1), NULL)),
				 m->seen[i]);
		assert_int_equal(weir_store_get(store_of(d, "longest", key), weir_bytes_of(&key, 1), NULL).len,
				 m->longest[i]);
	}
	for (int i = 0; i < LETTERS; i++)
		for (int j = 0; j < MINUTES; j++) {
			char key = (char)('a' + i);

			assert_int_equal(count_in(weir_window_get(store_of(d, "letters", key),
								  weir_bytes_of(&key, 1), WEIR_MINUTES(j), NULL)),
					 m->letters[i][j]);
		}
}

#endif
