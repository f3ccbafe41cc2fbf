#ifndef EVILNET_SIMULATE_H
#define EVILNET_SIMULATE_H
/*
 * A made-up but life-like stream of posts: Canadian cities by population and time of day, retweet shares that
 * differ by city and drift, authors who come back, posts out of order, late, repeated, and a few from a clock
 * that runs ahead.
 *
 * The same seed, rate and start give the same posts (under the same C library). Time is the stream's own: it
 * begins at start_ms and goes on by what the posts say; whoever wants it paced waits until the clock shows
 * `due_ms`. For a stream with a past, start before now: all that is due comes at once. One thread at a time.
 */
#include "schemas/post.h"

struct simulate_opts {
	uint64_t seed;
	double rate;      /* posts a second, on average; > 0 */
	int64_t start_ms; /* when the stream begins, wall time */
};

struct simulate;
struct simulate *simulate_new(struct simulate_opts opts);
void simulate_free(struct simulate *s);

/** The next post, valid until the next call; *due_ms = when it is received. due_ms never falls. */
const struct post *simulate_next(struct simulate *s, int64_t *due_ms);

#endif
