#ifndef WEIR_EMBEDDED_GROUP_H
#define WEIR_EMBEDDED_GROUP_H
/* Consumer groups as the coordinator sees them, and their committed offsets. Guarded by the cluster's lock. */
#include <weir/kafka.h>

struct embedded;
struct embedded_consumer;
struct past;
struct txn;

struct place {
	const char *topic; /* interned */
	int32_t partition;
};

struct places {
	struct place *items; /* sorted by name and partition */
	size_t count, room;
};

struct committed {
	int64_t offset;
	char *metadata;
	int pending;       /* open transactions that hold a newer one */
	struct past *past; /* what it was before; NULL = not kept */
};

struct group_topic {
	const char *name; /* interned */
	struct committed *partitions;
	int32_t count;
};

/*
 *            subscribe                    all have joined
 *   EMPTY ---------------> JOINING ----------------------------> STABLE
 *     ^                      ^  |                                  |
 *     |  the last one gone   |  |   a member comes, goes, times    |
 *     +----------------------|--+   out or has given up partitions |
 *                            +-------------------------------------+
 */
enum group_state {
	GROUP_EMPTY,
	GROUP_JOINING,
	GROUP_STABLE,
};

struct member {
	struct group *group;
	struct embedded_consumer *consumer; /* NULL: a static member that is away */
	char *id, *instance, *client_id;
	const char **topics; /* interned */
	size_t topic_count;
	int32_t generation;     /* -1 = of none yet */
	struct places assigned; /* by the coordinator in this generation */
	struct places owned;    /* what the consumer has been told and has not given up */
	int64_t seen_ms, session_ms, busy_ms_max;
	bool busy;            /* in on_group, which may take longer than a session */
	bool joined;          /* waits for the others to join */
	bool out_of_date;     /* a generation that the consumer has not acted on */
	bool evicted, fenced; /* no longer of the group; the consumer frees it */
};

struct group {
	char *name;
	int32_t generation;
	enum group_state state;
	struct member **members;
	size_t count, room;
	struct group_topic *topics;
	size_t topic_count;
	uint64_t serial; /* of member ids */
};

struct group *weir__group_find(struct embedded *e, const char *name, bool make);
void weir__group_free(struct group *g);
/** Makes the consumer a member; a static id takes its former member's place. */
struct member *weir__group_join(struct embedded *e, struct group *g, struct embedded_consumer *c);
void weir__member_leave(struct embedded *e, struct member *m);
void weir__member_free(struct member *m);
/** Puts a member out of its group. */
void weir__member_evict(struct embedded *e, struct member *m);
/** The member has acted on everything: it joins a round that is under way. */
void weir__member_rejoin(struct embedded *e, struct member *m);
/** Begins a round; members join it at their next poll. */
void weir__group_rebalance(struct embedded *e, struct group *g);
void weir__group_sweep(struct embedded *e, struct group *g, int64_t now_ms);
/** Whether `consumer` may commit: else *err, abort_txn set. */
bool weir__member_may_commit(const struct member *m, weir_error *err);
/** A topic came or went: groups that want it rebalance. */
void weir__groups_topic_changed(struct embedded *e, const char *topic);

/** Sets .assigned of all members: balanced, sticky; what another still owns is left out until it is given up. */
void weir__group_assign(struct embedded *e, struct group *g);

void weir__places_add(struct places *list, const char *topic, int32_t partition);
bool weir__places_have(const struct places *list, const char *topic, int32_t partition);
void weir__places_copy(struct places *to, const struct places *from);
/** Adds to *to what lies in a and not in b. */
void weir__places_minus(struct places *to, const struct places *a, const struct places *b);
void weir__places_release(struct places *list);

struct committed *weir__group_offset(struct embedded *e, struct group *g, const char *topic, int32_t partition,
				     bool make);
void weir__committed_set(struct committed *c, int64_t offset, const char *metadata);
/** Remembers what transaction `t`, whose markers are not written yet, has just committed. */
void weir__past_add(struct committed *c, const struct txn *t);
void weir__past_free(struct past *past);
void weir__groups_forget_topic(struct embedded *e, const char *topic);
bool weir__embedded_group_committed(weir_cluster *cluster, const char *group, weir_partition *list, size_t n,
				    int64_t timeout_ms, weir_error *err);
bool weir__embedded_group_alter(weir_cluster *cluster, const char *group, const weir_partition *list, size_t n,
				weir_error *err);
bool weir__embedded_group_delete(weir_cluster *cluster, const char *group, weir_error *err);
/** Calls fn for each (member, partition). Lock held; given up for fn. */
void weir__group_tell(struct embedded *e, const struct group *g, weir_member_fn *fn, void *user);
bool weir__embedded_group_describe(weir_cluster *cluster, const char *group, weir_member_fn *fn, void *user,
				   int64_t timeout_ms, weir_error *err);

#endif
