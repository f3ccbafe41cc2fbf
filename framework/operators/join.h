#ifndef WEIR_OPERATORS_JOIN_H
#define WEIR_OPERATORS_JOIN_H
/* What the steps of a join of two streams share. */
#include <weir/join.h>

#include "framework/operators/operator.h"

struct stream_join {
	weir_join_fn *join;
	void *user;
	weir_join_window window;
	const weir_serde *left_value, *right_value;
	bool left_alone, right_alone; /* what has no partner is a result */
	bool is_right;                /* the side that this step is */
};

/* A side's stores. */
enum { JOIN_OWN, JOIN_OTHER, JOIN_PARKED };

/* Of both sides: the state of the step below them. Their time is that step's, too. */
struct join_times {
	int64_t parked_min_ms; /* no later than what is parked, as far as is known; INT64_MAX = unknown */
	int64_t next_look_ms;  /* wall clock */
};

/** A record that has the values of both sides; one may be NULL. */
weir_record weir__joined(struct instance *side, weir_context *cx, const weir_record *r, weir_bytes key,
			 const void *mine, const void *other);

/** Keeps r, of this side, until it finds a partner or its window has closed. */
void weir__join_park(struct instance *side, weir_context *cx, const weir_record *r);
/** Those of the other side with r's key and that time have found a partner, r: they are not to come alone. */
void weir__join_unpark_other(struct instance *side, weir_context *cx, const weir_record *r, int64_t timestamp_ms);
/** What has waited long enough comes alone; r is the record at work. */
void weir__join_look_at_parked(struct instance *side, weir_context *cx, const weir_record *r);
/** The state below as it was before a restart. */
void weir__join_parked_init(struct instance *side);

static inline struct join_times *weir__join_times(const struct instance *side)
{
	return side->children[0]->state;
}

static inline int64_t weir__join_time(const struct instance *side)
{
	return side->children[0]->observed_ms;
}

#endif
