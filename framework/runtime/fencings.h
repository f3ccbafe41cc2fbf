#ifndef WEIR_FENCINGS_H
#define WEIR_FENCINGS_H
/* Whether it is another running instance with our id that fences us. */
#include <stdbool.h>
#include <stdint.h>

/* All zero at first. */
struct fencings {
	int64_t since_us;
	int points;
};

/** A worker has been fenced; true when that happens so often that its id must have two owners. After an outage it
 *  can be fenced by itself: a request of its own that it no longer waited for reaches the broker behind a newer
 *  one. So who was at work a moment ago counts for more. done_us: when a commit of it last went through;
 *  session_us: the time after which the group gives up a member. */
bool weir__fenced_by_twin(struct fencings *f, int64_t now_us, int64_t done_us, int64_t session_us);

#endif
