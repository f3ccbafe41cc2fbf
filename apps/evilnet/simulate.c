#include "apps/evilnet/simulate.h"

#include <inttypes.h>
#include <math.h>
#include <weir/clock.h>
#include <weir/rng.h>

#include "apps/evilnet/simulate_cities.h"
#include "apps/evilnet/util.h"

#define SNOWFLAKE_EPOCH_MS 1288834974657 /* X's ids count milliseconds from here */

enum { RECENT = 256, ID_BYTES = 24 };

struct city {
	double until;         /* sum of the weights up to and with this city's */
	double retweet_share; /* now */
	double home_share;    /* what it drifts around */
	double authors;       /* how many there are */
};

/* A post with the memory that it lives in. */
struct made {
	struct post post;
	char id[ID_BYTES], author[ID_BYTES];
};

struct simulate {
	struct simulate_opts opts;
	weir_rng rng;
	double now_ms;  /* since start */
	int64_t minute; /* of now, the weights are for it */
	uint64_t count;
	struct made recent[RECENT]; /* the newest lies at (count - 1) % RECENT */
	struct city *cities;
};

/* How much of a city is awake: little at four in the morning, most at eight in the evening. */
static double awake(int64_t now_ms, int utc_minutes)
{
	double hour = (double)((now_ms / 60000 + utc_minutes) % 1440) / 60;

	return 0.55 - 0.45 * cos((hour - 4) / 24 * 2 * M_PI) + 0.1 * sin((hour - 10) / 12 * 2 * M_PI);
}

/* Once a minute: weights by the time of day, shares drift. */
static void turn_minute(struct simulate *s, int64_t now_ms)
{
	double sum = 0;

	for (int i = 0; i < simulate_cities_count; i++) {
		struct city *c = &s->cities[i];
		double step = (weir_rng_double(&s->rng) - 0.5) * 0.04;

		sum += simulate_cities[i].thousands * awake(now_ms, simulate_cities[i].utc_minutes);
		c->until = sum;
		c->retweet_share += (c->home_share - c->retweet_share) * 0.02 + step;
		c->retweet_share = fmin(fmax(c->retweet_share, 0.02), 0.9);
	}
	s->minute = now_ms / 60000;
}

struct simulate *simulate_new(struct simulate_opts opts)
{
	struct simulate *s = evilnet_new(sizeof *s);

	s->opts = opts;
	s->rng = weir_rng_seeded(opts.seed);
	s->minute = -1;
	s->cities = evilnet_new((size_t)simulate_cities_count * sizeof *s->cities);
	for (int i = 0; i < simulate_cities_count; i++) {
		struct city *c = &s->cities[i];

		c->home_share = c->retweet_share = 0.1 + 0.5 * weir_rng_double(&s->rng);
		c->authors = 20 + simulate_cities[i].thousands * 2.5; /* one in four hundred posts at all */
	}
	return s;
}

void simulate_free(struct simulate *s)
{
	if (s)
		free(s->cities);
	free(s);
}

static int pick_city(struct simulate *s)
{
	int low = 0, high = simulate_cities_count - 1;
	double at = weir_rng_double(&s->rng) * s->cities[high].until;

	while (low < high) {
		int middle = (low + high) / 2;

		if (s->cities[middle].until > at)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* How old a post is when it comes in: a second or two, sometimes half a minute, rarely too old for any open window;
 * once in twenty thousand it comes from the future. */
static int64_t pick_age_ms(struct simulate *s)
{
	double kind = weir_rng_double(&s->rng);

	if (kind < 0.00005)
		return -weir_rng_between(&s->rng, 90000, 600000);
	if (kind < 0.001)
		return weir_rng_between(&s->rng, WEIR_MINUTES(20), WEIR_MINUTES(50));
	if (kind < 0.02)
		return weir_rng_between(&s->rng, 3000, 40000);
	return weir_rng_between(&s->rng, 150, 3000);
}

/* The k-th author of a city writes 1/k as often as the first: the logarithm of k is evenly spread. */
static uint64_t pick_author(struct simulate *s, int city)
{
	uint64_t rank = (uint64_t)exp(weir_rng_double(&s->rng) * log(s->cities[city].authors));
	uint64_t state = (uint64_t)city << 32 | rank;

	return weir_splitmix64(&state) % 1000000000000000000;
}

static void make(struct simulate *s, struct made *m, int64_t due_ms)
{
	int city = pick_city(s);
	int64_t created_ms = due_ms - pick_age_ms(s);

	if (created_ms < 0)
		created_ms = 0;
	int64_t since = created_ms > SNOWFLAKE_EPOCH_MS ? created_ms - SNOWFLAKE_EPOCH_MS : 0;
	uint64_t id = (uint64_t)since << 22 | (s->count & 0x3fffff);
	int id_len = snprintf(m->id, sizeof m->id, "%" PRIu64, id);
	int author_len = snprintf(m->author, sizeof m->author, "%" PRIu64, pick_author(s, city));
	m->post = (struct post){
		.id = weir_bytes_of(m->id, (size_t)id_len),
		.author_id = weir_bytes_of(m->author, (size_t)author_len),
		.place = weir_str(simulate_cities[city].name),
		.created_at_ms = created_ms,
		.is_retweet = weir_rng_chance(&s->rng, s->cities[city].retweet_share),
	};
}

const struct post *simulate_next(struct simulate *s, int64_t *due_ms)
{
	/* the gaps of independent events are spread exponentially */
	s->now_ms -= log(1 - weir_rng_double(&s->rng)) * 1000 / s->opts.rate;
	*due_ms = s->opts.start_ms + (int64_t)s->now_ms;
	if (*due_ms / 60000 != s->minute)
		turn_minute(s, *due_ms);

	if (s->count && weir_rng_chance(&s->rng, 0.003)) {
		uint64_t back = weir_rng_below(&s->rng, s->count < RECENT ? s->count : RECENT);
		return &s->recent[(s->count - 1 - back) % RECENT].post;
	}
	struct made *m = &s->recent[s->count++ % RECENT];
	make(s, m, *due_ms);
	return &m->post;
}
