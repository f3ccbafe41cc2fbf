#ifndef WEIR_RDKAFKA_PRODUCER_H
#define WEIR_RDKAFKA_PRODUCER_H
/* The producer of the librdkafka implementation, shared by rdkafka_producer.c and rdkafka_txn.c. */
#include "framework/kafka/rdkafka.h"

struct rdk_topic {
	const char *address; /* under which it was asked for last */
	char *name;
	rd_kafka_topic_t *rkt; /* its opaque is this topic */
	int64_t *delivered;    /* by partition: behind the last acknowledged record */
	int32_t partitions;    /* entries there */
};

struct rdk_producer {
	weir_producer base;
	struct rdk_cluster *cluster;
	weir_producer_opts opts; /* its strings are those below */
	char *transactional_id;  /* NULL = none */
	char *client_id;
	rd_kafka_t *rk;

	struct rdk_topic **topics;
	size_t topic_count;
	struct rdk_topic *last;
	size_t unacknowledged;

	struct rdk_offsets *offsets; /* made at the first use */
	bool in_transaction;
	bool refused; /* the broker has refused a record of this transaction */
	bool stuck;   /* a call has not come back: nothing but close is left */
};

bool weir__rdk_txn_init(weir_producer *producer, int64_t timeout_ms, weir_error *err);
bool weir__rdk_txn_begin(weir_producer *producer, weir_error *err);
bool weir__rdk_txn_send_offsets(weir_producer *producer, weir_consumer *consumer, const weir_partition *list,
				size_t n, int64_t timeout_ms, weir_error *err);
bool weir__rdk_txn_commit(weir_producer *producer, int64_t timeout_ms, weir_error *err);
bool weir__rdk_txn_abort(weir_producer *producer, int64_t timeout_ms, weir_error *err);

/** Exchanges the client behind the producer for a new one; what is queued fails. The producer needs init again. */
bool weir__rdk_producer_renew(struct rdk_producer *p, weir_error *err);
/** False with *err when the producer is of no use any more. */
bool weir__rdk_producer_usable(struct rdk_producer *p, weir_error *err);

#endif
