#ifndef WEIR_OWNERS_H
#define WEIR_OWNERS_H
/*
 * Partitions that no member of a group has.
 *
 * A cooperative rebalance moves a partition in two rounds: in the first its owner gives it up, and joins again,
 * so that in the second another gets it. A static member that is killed in between and comes back is given its
 * share of the first round, and the group stays as it is (KIP-345): there is no second round until something else
 * brings one about. The same befalls what a static member wants newly when it comes back.
 *
 * So static members look at times who has what, and ask for a round when the same partitions had no owner at two
 * looks while the group was stable. A member looks soon after each round of its own (who comes back has one), then
 * seldom. Both implementations of the port do so; when to look and when to act is decided here.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/rng.h>

struct owner_watch {
	const char *group; /* NULL = does not watch */
	weir_rng rng;
	int64_t soon_ms;     /* a look follows another by once to twice that */
	int64_t next_ms;     /* when to look */
	int asked;           /* rounds, since each partition had an owner */
	char ownerless[256]; /* at the last look; "" = none */
};

/** `group` must stay. */
void weir__owners_watch(struct owner_watch *w, const char *group, uint64_t seed, int64_t session_ms);
/** A round is over, this member has its share. */
void weir__owners_assigned(struct owner_watch *w, int64_t now_ms);
static inline bool weir__owners_due(const struct owner_watch *w, int64_t now_ms)
{
	return w->group && now_ms >= w->next_ms;
}
/** A look in vain: the group could not be asked, or was not stable. */
void weir__owners_unknown(struct owner_watch *w, int64_t now_ms);

/* A look: the topics first, then who has what. Zeroed at the beginning. */
struct owner_look {
	struct looked_at {
		const char *topic;
		int32_t partitions;
		bool *owned;
	} * topics;
	size_t count;
};
/** `topic` must stay until the end. */
void weir__look_topic(struct owner_look *l, const char *topic, int32_t partitions);
void weir__look_owned(struct owner_look *l, const char *topic, int32_t partition);
/** Ends the look. True: a round must be asked for (which has been logged). */
bool weir__look_end(struct owner_look *l, struct owner_watch *w, int64_t now_ms);

#endif
