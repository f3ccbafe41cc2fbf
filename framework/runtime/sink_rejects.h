#ifndef WEIR_SINK_REJECTS_H
#define WEIR_SINK_REJECTS_H
/*
 * What an external sink turned away: collected while it writes, then put into the dead-letter topic and
 * acknowledged there, all before the offset behind them is stored. A record that is put away already is not sent
 * again when its batch is.
 */
#include <weir/kafka.h>

#include "framework/runtime/sink_batch.h"

/* Of one partition. */
struct sink_rejects {
	size_t *indexes; /* into the batch in hand */
	char **reasons;
	size_t count, capacity;
	int64_t *away; /* offsets acknowledged as dead letters and not yet behind the stored offset */
	size_t away_count, away_capacity;
};

void weir__sink_rejects_release(struct sink_rejects *r);
void weir__sink_rejects_add(struct sink_rejects *r, size_t index, const char *reason);
/** Before each call of the sink's write. */
void weir__sink_rejects_clear(struct sink_rejects *r);
/** The offset is stored: what was put away is behind it. */
void weir__sink_rejects_settled(struct sink_rejects *r);

/* Where dead letters go; one for all partitions of a worker. */
struct sink_dead_letters {
	weir_cluster *cluster;
	const char *topic;
	weir_producer *producer;      /* opened at the first letter */
	struct sink_rejects *rejects; /* while sending */
	const struct sink_batch *batch;
	weir_error failure;
	bool bare; /* the broker found a letter too large: the next round goes without values */
};

/** Sends letters for all rejects that are not away yet and waits for their acknowledgement; *sent gets their
 *  number. False: some may be missing; the same call again sends only those. */
bool weir__sink_dead_letters_put(struct sink_dead_letters *d, struct sink_rejects *r,
				 const struct sink_batch *batch, size_t *sent, weir_error *err);
void weir__sink_dead_letters_close(struct sink_dead_letters *d);

#endif
