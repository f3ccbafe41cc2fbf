#ifndef WEIR_AGGREGATE_H
#define WEIR_AGGREGATE_H
/* What the files of the aggregates share: aggregate.c (plain, tumbling, hopping, unlimited), session.c,
 * sliding.c, closing.c, cogroup.c. */
#include "framework/operators/operator.h"

enum window_kind { WINDOW_NONE, WINDOW_TIME, WINDOW_SESSION, WINDOW_SLIDING, WINDOW_UNLIMITED };

struct aggregate {
	weir_aggregator aggregator;
	void *user;         /* of add and fold */
	weir_window window; /* with its defaults filled in; size_ms: what a start stands for */
	enum window_kind kind;
	/* windowed aggregates do, plain and sliding ones do not: as in Kafka Streams' code */
	bool takes_null_values;
	/* reduce: */
	weir_reduce_fn *reduce;
};

/** Fills in defaults; mistakes are kept in the topology. */
enum window_kind weir__window_check(weir_topology *t, const char *name, weir_window *w);

/*
 * An aggregate on its way from the store and back: an object of the step's serde in the record's memory, NULL =
 * none. None of these changes what it is given.
 */

/** Of no record. */
const void *weir__aggregate_first(const struct aggregate *a, weir_context *cx);
/** With one record more. */
const void *weir__aggregate_add(const struct aggregate *a, weir_context *cx, const weir_record *r, const void *old);
/** Of two sessions. */
const void *weir__aggregate_merge(const struct aggregate *a, weir_context *cx, weir_bytes key, const void *x,
				  const void *y);
/** A copy of what the store gave. */
const void *weir__aggregate_read(struct instance *in, weir_context *cx, weir_bytes stored);
weir_bytes weir__aggregate_write(struct instance *in, weir_context *cx, const void *aggregate);

/** How long its windows take late records, a gap of sessions included; -1 = it is no aggregate in windows. */
int64_t weir__aggregate_grace(const struct node *node);

void weir__aggregate_process(struct instance *in, weir_context *cx, const weir_record *r);
struct store_spec weir__aggregate_store_spec(const struct aggregate *a, const weir_serde *value);
/** Whether it is one of the inputs of a cogroup, which have a struct aggregate for their options, too. */
bool weir__is_cogroup_input(const struct node *node);

/* One record with a key, its time not negative and noted. */
void weir__session_process(struct instance *in, weir_context *cx, const weir_record *r);
void weir__sliding_process(struct instance *in, weir_context *cx, const weir_record *r);

/* Results when windows close; of other aggregates all of this does nothing. */

/** A window is new: its start, or a moment of a session. */
void weir__closing_add(struct instance *in, weir_bytes key, int64_t time_ms);
/** Passes on what has closed by the step's time, which r, still to be looked at, may have moved. */
void weir__closing_before_record(struct instance *in, weir_context *cx, const weir_record *r);
void weir__closing_behind_record(struct instance *in, weir_context *cx, const weir_record *r);
size_t weir__closing_size(const struct node *node);
void weir__closing_init(struct instance *in, weir_context *cx);
void weir__closing_release(struct instance *in);
/** op->closed_until, op->closed_before. */
int64_t weir__closing_until(const struct instance *in);
void weir__closing_before(struct instance *in, int64_t ms);

#endif
