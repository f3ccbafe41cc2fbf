#ifndef WEIR_DISTINCT_H
#define WEIR_DISTINCT_H
/*
 * How many different members a key has had in a window: exactly up to a limit (one small changelog record for each
 * new member), beyond it by HyperLogLog (standard error 0.81 %), kept in chunks so that a commit writes only those
 * that changed.
 *
 * Lies in a windowed store of its own (weir_distinct_store), whose retention need only span the time in which a
 * window takes records: the count itself belongs into the aggregate. Use inside weir_aggregator.add, with the store
 * among its `stores`.
 */
#include <weir/topology.h>

/** The store; `window` is that of the aggregate, whose size and grace say how long members are kept. */
void weir_distinct_store(weir_topology *t, const char *name, weir_window window);

/** Adds a member to (key, window start); *count is the number of members before and after the call, as the
 * aggregate keeps it. */
void weir_distinct_add(weir_context *cx, weir_store *store, weir_bytes key, int64_t start_ms, weir_bytes member,
		       int64_t exact_max, int64_t *count);

#endif
