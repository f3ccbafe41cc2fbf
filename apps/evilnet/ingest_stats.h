#ifndef EVILNET_INGEST_STATS_H
#define EVILNET_INGEST_STATS_H
#include <weir/metrics.h>

/* What ingest counts: updated by its own thread, read by anyone. */
struct ingest_stats {
	weir_metrics *metrics;
	weir_counter *received, *kept, *no_place, *not_city;
	weir_counter *produced;                        /* posts acknowledged */
	weir_counter *unreadable, *too_long, *refused; /* dead letters, acknowledged or not */
	weir_counter *resent, *lost, *reconnects;
	weir_gauge *pending, *pending_bytes;
};

/** Adds the table of ingest's metrics. */
void ingest_stats_describe(weir_metrics *metrics);
/** Opens the handles in a registry, which must outlive them. */
void ingest_stats_open(struct ingest_stats *stats, weir_metrics *metrics);
void ingest_stats_close(struct ingest_stats *stats);

static inline void ingest_count(weir_counter *c)
{
	weir_counter_add_single(c, 1);
}

#endif
