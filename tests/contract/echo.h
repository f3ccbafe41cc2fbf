#ifndef CONTRACT_ECHO_H
#define CONTRACT_ECHO_H
/*
 * A worker that copies one topic into another exactly once, whatever happens to it: the smallest program that
 * uses all of the port as weir's runtime does. It commits by transaction, starts where the group has committed,
 * and after an abort or an unknown outcome goes back there. What it does next is drawn from its own random
 * numbers.
 */
#include <weir/rng.h>

#include "tests/contract/helpers.h"

#define ECHO_PARTITIONS 6

struct echo {
	struct contract *c;
	const char *in, *out, *group, *transactional_id;
	int64_t session_timeout_ms, transaction_timeout_ms;
	double abort_chance;
	weir_rng rng;
	weir_consumer *consumer; /* NULL = to be opened */
	weir_producer *producer;
	bool ready; /* init has been done */
	bool in_txn, failed, lost;
	bool owns[ECHO_PARTITIONS];
	bool placed[ECHO_PARTITIONS]; /* reading from the committed position on */
	int room;                     /* records that the poll may still take */
	weir_error error;
	long committed, aborted, reopened, crashes;
};

/** Opens what is not open, polls once, ends the transaction perhaps. */
void echo_step(struct echo *w, int64_t poll_ms);
/** Closes in good order. */
void echo_close(struct echo *w);

/** Fails unless partition p of `out` holds "0" to "n-1" in order, once each, for a reader of committed records. */
void echo_check(struct contract *c, const char *out, int32_t partition, int n);
/** Committed records in all partitions of `out` so far. */
int64_t echo_count(struct contract *c, const char *out);

#endif
