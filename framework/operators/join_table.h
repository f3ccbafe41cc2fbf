#ifndef WEIR_OPERATORS_JOIN_TABLE_H
#define WEIR_OPERATORS_JOIN_TABLE_H
/* What a join of a stream with a table and the records that wait for their time share. */
#include <weir/join.h>

#include "framework/operators/operator.h"

/* State of a join with grace. */
struct join_waiting {
	int64_t min_ms;     /* of what waits; INT64_MAX = nothing does */
	uint32_t number;    /* of the last record that was put */
	struct arena arena; /* of what has waited, while it goes on */
};

/** The record meets its row now. */
void weir__table_join_one(struct instance *in, weir_context *cx, const weir_record *r);

/** The step's state as it was before a restart. */
void weir__join_buffer_init(struct instance *in);
void weir__join_buffer_close(struct instance *in);
/** Keeps r, which has a key and a value, until its time plus grace_ms has come on the stream; then, or at once if
 * it is as late, it meets its row, and so do all that have waited as long. */
void weir__join_buffer_take(struct instance *in, weir_context *cx, const weir_record *r, int64_t grace_ms);

#endif
