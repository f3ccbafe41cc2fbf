#ifndef WEIR_RDKAFKA_H
#define WEIR_RDKAFKA_H
/*
 * What the librdkafka implementation of the port shares between its files. Only framework/kafka/rdkafka_*.c
 * includes it.
 *
 * librdkafka 2.0.2 (Debian 12) to 2.8 (Debian 13) are served by the same code; where one needs something the
 * other does not, the code asks the library, not its version.
 */
#include "framework/kafka/port.h"

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>

#define ASSIGNOR "cooperative-sticky" /* of all consumers in groups */

struct rdk_cluster {
	weir_cluster base;
	const weir_config *cfg;
	/* Administration, look-ups. A consumer that reads uncommitted: its end of a log is the high watermark. */
	rd_kafka_t *admin;
	pthread_mutex_t lock;
	char *id;
	atomic_bool described_in_vain; /* a description of a group has failed: see cluster_free */
};

static inline int64_t weir__rdk_now_ms(void)
{
	return weir_clock_system()->monotonic_us(weir_clock_system()) / 1000;
}

/* --- errors: rdkafka_error.c -------------------------------------------------------------------------------- */

weir_code weir__rdk_code(rd_kafka_resp_err_t code);
/** Whether the error passes by itself, for calls that return no error object to ask. */
bool weir__rdk_passes(rd_kafka_resp_err_t code);
/** "<formatted>: <librdkafka's text>", with code and the retriable flag. Always returns false. */
bool weir__rdk_fail(weir_error *err, rd_kafka_resp_err_t code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/** The same from an error object, which it frees, with all flags. */
bool weir__rdk_fail_with(weir_error *err, rd_kafka_error_t *error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/** If the client has raised a fatal error: fills *err with it and returns true. */
bool weir__rdk_is_fatal(rd_kafka_t *rk, weir_error *err);

/* --- configuration: rdkafka_conf.c -------------------------------------------------------------------------- */

/* A configuration in the making; the first mistake sticks and comes out at weir__rdk_open. */
struct rdk_conf {
	rd_kafka_conf_t *conf;
	bool failed;
	weir_error error;
};

/**
 * With weir's defaults for every kind of client. Values set before weir__rdk_pass may be changed by the user's
 * kafka.* settings, those set after it may not.
 */
struct rdk_conf weir__rdk_conf(void);
void weir__rdk_set(struct rdk_conf *cf, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/** False when this librdkafka has no such property. */
bool weir__rdk_set_if_known(struct rdk_conf *cf, const char *name, const char *value);
/** The kafka.* settings, then brokers and client id (NULL = the cluster's). */
void weir__rdk_pass(struct rdk_conf *cf, const struct rdk_cluster *cluster, const char *client_id);
/** The client, or NULL; cf is used up. */
rd_kafka_t *weir__rdk_open(struct rdk_conf *cf, rd_kafka_type_t type, weir_error *err);

/* --- the parts ---------------------------------------------------------------------------------------------- */

extern const struct cluster_ops weir__rdk_cluster_ops; /* rdkafka_cluster.c */

/* rdkafka_admin.c, rdkafka_groups.c: the functions of the table, as described in <weir/kafka.h> */
bool weir__rdk_topics_create(weir_cluster *cluster, const weir_topic_spec *specs, size_t n, weir_error *err);
bool weir__rdk_topics_delete(weir_cluster *cluster, const char *const *names, size_t n, weir_error *err);
bool weir__rdk_topic_widen(weir_cluster *cluster, const char *topic, int32_t partitions, weir_error *err);
int32_t weir__rdk_topic_partitions(weir_cluster *cluster, const char *topic, weir_error *err);
bool weir__rdk_topic_config(weir_cluster *cluster, const char *topic, const char *name, char *buf, size_t size,
			    weir_error *err);
bool weir__rdk_topics_each(weir_cluster *cluster, weir_topic_fn *fn, void *user, weir_error *err);
bool weir__rdk_offsets_range(weir_cluster *cluster, const char *topic, int32_t partition, int64_t *first,
			     int64_t *end, weir_error *err);
bool weir__rdk_offsets_for_times(weir_cluster *cluster, weir_partition *list, size_t n, weir_error *err);
bool weir__rdk_records_delete(weir_cluster *cluster, const weir_partition *list, size_t n, weir_error *err);
bool weir__rdk_group_committed(weir_cluster *cluster, const char *group, weir_partition *list, size_t n,
			       int64_t timeout_ms, weir_error *err);
bool weir__rdk_group_alter(weir_cluster *cluster, const char *group, const weir_partition *list, size_t n,
			   weir_error *err);
bool weir__rdk_group_delete(weir_cluster *cluster, const char *group, weir_error *err);
bool weir__rdk_group_describe(weir_cluster *cluster, const char *group, weir_member_fn *fn, void *user,
			      int64_t timeout_ms, weir_error *err);
/** As weir__rdk_topic_partitions, but waits so long at most. */
int32_t weir__rdk_partitions_within(struct rdk_cluster *c, const char *topic, int timeout_ms, weir_error *err);
/** What rdkafka_groups.c makes of a description: as weir_group_describe. */
void weir__rdk_each_member(const rd_kafka_ConsumerGroupDescription_t *group, weir_member_fn *fn, void *user);
weir_consumer *weir__rdk_consumer_open(weir_cluster *cluster, const weir_consumer_opts *opts, weir_error *err);
weir_producer *weir__rdk_producer_open(weir_cluster *cluster, const weir_producer_opts *opts, weir_error *err);

/** librdkafka's name for one of WEIR_OFFSET_*; an offset stays itself. */
int64_t weir__rdk_offset(int64_t offset);
/** A list with the offsets (and metadata, where `metadata`) of n partitions. */
rd_kafka_topic_partition_list_t *weir__rdk_list(const weir_partition *list, size_t n, bool metadata);

/* One admin request: rdkafka_admin.c */
struct rdk_call {
	rd_kafka_t *rk;
	rd_kafka_queue_t *queue;
	rd_kafka_AdminOptions_t *options;
	rd_kafka_event_t *event;
	int64_t timeout_ms;
};
void weir__rdk_call_begin(struct rdk_call *call, struct rdk_cluster *cluster, rd_kafka_admin_op_t op,
			  int64_t timeout_ms);
/** Waits for the answer: call->event. False = none, or the request as a whole failed. */
bool weir__rdk_call_wait(struct rdk_call *call, weir_error *err);
void weir__rdk_call_end(struct rdk_call *call);

/** The client behind a consumer of this implementation, for the group's metadata. */
rd_kafka_t *weir__rdk_consumer_client(weir_consumer *consumer, const char **group);

/* rd_kafka_send_offsets_to_transaction on a thread of its own: rdkafka_offsets.c */
struct rdk_offsets;
struct rdk_offsets *weir__rdk_offsets_new(rd_kafka_t *rk);
/** Takes both objects. False: no answer in time, the producer is of no more use; else *error is the call's. */
bool weir__rdk_offsets_send(struct rdk_offsets *o, rd_kafka_topic_partition_list_t *list,
			    rd_kafka_consumer_group_metadata_t *group, int64_t timeout_ms,
			    rd_kafka_error_t **error);
/** True: the call has not come back yet; the thread destroys the client should it ever do so. NULL is fine. */
bool weir__rdk_offsets_free(struct rdk_offsets *o);

#endif
