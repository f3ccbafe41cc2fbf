#ifndef FUZZ_CITIES_H
#define FUZZ_CITIES_H
/* EvilNet's topology in the test driver, and records into it. */
#include "apps/evilnet/cities.h"
#include "apps/evilnet/evilnet.h"
#include "schemas/post.h"
#include "tests/fuzz/fuzz.h"

struct cities {
	weir_config *cfg;
	struct evilnet_cities options;
	weir_driver *d;
};

/** Small windows and few exact users, so that all of it is reached soon; `rekey` puts the repartition in front. */
static inline void cities_open(struct cities *c, bool rekey)
{
	const char *const pairs[][2] = { { "evilnet.users.exact.max", "16" },
					 { "evilnet.retention", "1h" },
					 { "evilnet.rekey", rekey ? "true" : "false" } };
	weir_error err = { .code = WEIR_OK };

	*c = (struct cities){ .cfg = weir_config_new() };
	evilnet_config_keys(c->cfg);
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
		weir_assert(weir_config_set(c->cfg, pairs[i][0], pairs[i][1], WEIR_FROM_FILE, "fuzz", &err));
	weir_topology *t = evilnet_cities(c->cfg, &c->options, &err);

	weir_assert(t);
	c->d = weir_driver_new(t, (weir_driver_opts){ .now_ms = 1663211185000 }, &err);
	weir_assert(c->d);
}

static inline void cities_close(struct cities *c)
{
	weir_driver_free(c->d);
	weir_config_free(c->cfg);
}

/** A post made of the input: few places, ids and authors, so that they meet. It is in *post; the bytes lie in
 * `buf`. */
static inline weir_bytes cities_post(struct feed *f, struct post *post, char *buf, size_t size)
{
	static const char *const places[] = { "Montreal, Quebec", "Toronto, Ontario", "\xc3\x89t\xc3\xa9", "x" };
	static char id[16], author[16];
	unsigned what = feed_byte(f), who = feed_byte(f);

	snprintf(id, sizeof id, "%u", what >> 2);
	snprintf(author, sizeof author, "%u", who);
	*post = (struct post){ .id = weir_str(id),
			       .author_id = weir_str(author),
			       .place = weir_str(places[what & 3]),
			       .created_at_ms = feed_time(f),
			       .is_retweet = who & 1 };
	return weir_bytes_of(buf, post_encode(post, buf, size));
}

/** Headers of the input in items, which has room for 3. */
static inline weir_headers cities_headers(struct feed *f, weir_header *items)
{
	static const char *const names[] = { "received", "reason", "", "x" };
	static char values[3][24];
	weir_headers h = { items, feed_byte(f) & 3 };

	for (size_t i = 0; i < h.count; i++) {
		unsigned how = feed_byte(f);

		items[i].name = names[how & 3];
		if (how & 4) {
			snprintf(values[i], sizeof values[i], "%lld", (long long)feed_time(f));
			items[i].value = weir_str(values[i]);
		} else {
			items[i].value = feed_text(f);
		}
	}
	return h;
}

#endif
