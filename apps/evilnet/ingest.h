#ifndef EVILNET_INGEST_H
#define EVILNET_INGEST_H
/*
 * The pipeline of `evilnet ingest`: source -> post -> Kafka, on the calling thread.
 *
 * Usable beside a topology in one process (`demo`): a thread of its own calls ingest_run with its own struct
 * evilnet, whose cfg names the source and whose cluster is shared.
 */
#include <weir/metrics.h>

#include "apps/evilnet/evilnet.h"

struct ingest_opts {
	weir_metrics *metrics; /* where to count; NULL = its own */
	bool make_topics;      /* evilnet_topics_ensure, once the source is open */
	double x_time_scale;   /* for tests: X's waits are multiplied by it; 0 = 1 */
};

/** Runs until the source ends or *e->stop is set, then waits until all is acknowledged; once the flag is set,
 *  for 15 s at most. e->cluster must be open. Returns an exit code; errors have been told on standard error. */
int ingest_run(struct evilnet *e, struct ingest_opts opts);

#endif
