#ifndef EVILNET_OUTBOX_H
#define EVILNET_OUTBOX_H
/*
 * What is on its way to Kafka. A record leaves memory only once it is acknowledged: a delivery that fails is
 * sent again, in the order in which records came; a post that the broker refuses goes to the dead letters
 * instead.
 *
 * A broker refuses batches, not records: one post from the future takes its neighbours with it. So what was
 * refused is tried again in ever smaller parts, until the culprit stands alone; and what is plainly too far
 * ahead for the topic is not sent at all.
 *
 * Calling sequence: open -> post / dead_letter while it is not full, serve in between -> flush -> close. One
 * thread at a time.
 */
#include <weir/kafka.h>

#include "apps/evilnet/ingest_stats.h"
#include "schemas/post.h"

struct outbox_opts {
	weir_cluster *cluster;
	const char *posts_topic, *dead_letter_topic;
	const char *source; /* told in dead letters */
	int64_t bytes_max;  /* of records that wait for acknowledgement */
	struct ingest_stats *stats;
};

struct outbox;

/** What opts points to must outlive it. */
struct outbox *outbox_open(struct outbox_opts opts, weir_error *err);
/** Gives its producer's last records up to 10 s; false: *err says how much has not been acknowledged even so,
 *  and why if that is known. NULL is fine. */
bool outbox_close(struct outbox *o, weir_error *err);

/** Takes a copy of a post; `raw` is the object it was read from, for the dead letters, or null. received_ms -1
 *  = not known. */
void outbox_post(struct outbox *o, const struct post *post, weir_bytes raw, int64_t received_ms);
/** Takes a copy of what is no post; original_ms -1 = not known. raw_length: its true length, if raw is only its
 *  head. */
void outbox_dead_letter(struct outbox *o, weir_bytes raw, size_t raw_length, const char *reason,
			int64_t original_ms);

/** Serves deliveries, for up to wait_ms if there are none, and sends again what has failed. */
void outbox_serve(struct outbox *o, int64_t wait_ms);
/** Nothing more should be put in until something is acknowledged. */
bool outbox_full(const struct outbox *o);
size_t outbox_pending(const struct outbox *o);
/** Serves until all is acknowledged, at most for timeout_ms. */
bool outbox_flush(struct outbox *o, int64_t timeout_ms);

#endif
