#ifndef WEIR_FENCINGS_H
#define WEIR_FENCINGS_H
/* Whether it is another running instance with our id that fences us. */
#include <stdbool.h>
#include <stdint.h>

/* All zero at first. */
struct fencings {
	int64_t since_us;
	int points;
	int64_t done_us, outage_us; /* when a commit last went through; and the first after a long time without */
};

/** A commit has gone through. session_us: the time after which the group gives up a member. */
void weir__fencings_done(struct fencings *f, int64_t now_us, int64_t session_us);

/** A worker has been fenced; true when that happens so often that its id must have two owners. After an outage it
 *  can be fenced by itself: a request of its own that it no longer waited for reaches the broker behind a newer
 *  one, and what it was about to commit may go through before it hears of that. So who was at work all the time
 *  counts for more. */
bool weir__fenced_by_twin(struct fencings *f, int64_t now_us, int64_t session_us);

#endif
