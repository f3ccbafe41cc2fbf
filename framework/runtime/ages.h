#ifndef WEIR_AGES_H
#define WEIR_AGES_H
/* How old what lies before an offset is, as a reader of a log has seen it: for deleting it by event time. */
#include <stddef.h>
#include <weir/clock.h>
#include <weir/kafka.h>

/* Everything before `offset` had been read when the newest time seen was `time_ms`. */
struct age {
	int64_t offset, time_ms;
};

/* Oldest first; all zero is empty. */
struct ages {
	struct age *items;
	size_t count;
};

void weir__ages_release(struct ages *ages);

/** The offset before which everything is older than retain_ms and has been read; 0 = nothing is. `read`: the
 *  partition and the offset behind what has been read; newest_ms: the greatest timestamp there, INT64_MIN = none.
 *  Called now and then, it remembers what it was told. */
int64_t weir__ages_expired(struct ages *ages, const weir_partition *read, int64_t newest_ms, int64_t retain_ms,
			   weir_cluster *cluster, weir_clock *clock);

#endif
