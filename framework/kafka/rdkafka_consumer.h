#ifndef WEIR_RDKAFKA_CONSUMER_H
#define WEIR_RDKAFKA_CONSUMER_H
/* The consumer of the librdkafka implementation: rdkafka_consumer.c, rdkafka_group.c, rdkafka_owners.c. */
#include "framework/kafka/owners.h"
#include "framework/kafka/rdkafka_held.h"

struct rdk_consumer {
	weir_consumer base;
	struct rdk_cluster *cluster;
	rd_kafka_t *rk;
	rd_kafka_queue_t *records[2];
	rd_kafka_queue_t *filling; /* that of the two that the partitions' queues are forwarded to */
	rd_kafka_queue_t *serving; /* that which is read */
	rd_kafka_queue_t *events;  /* all the rest: group events, errors of no partition */
	pthread_mutex_t lock;
	pthread_cond_t something;
	bool woken;  /* one of the two queues was empty and is not any more */
	char *group; /* NULL = none */
	weir_group_fn *on_group;
	weir_partition_error_fn *on_partition_error;
	weir_member_fn *on_member;
	void *user;

	struct held_set held;
	weir_record_fn *on_record;
	void *on_record_user;
	weir_error failure; /* of the poll that runs; code OK = none */

	weir_headers headers; /* of the record asked last; items = header_items */
	weir_header *header_items;
	size_t headers_capacity;

	rd_kafka_topic_partition_list_t *subscription; /* NULL = not subscribed */
	bool had_share;                                /* of the group: an assignment, be it empty */
	/* Inside on_group: what is assigned and unassigned is gathered, and done in one step when it returns. */
	bool in_event;
	rd_kafka_topic_partition_list_t *added, *removed;
	bool between;      /* what was revoked is gone; an assignment is to follow */
	int64_t rejoin_ms; /* a round has been asked for: when to do so again; 0 = it has not */
	int64_t asked_ms;  /* when librdkafka was given another subscription, */
	int asked_rounds;  /* and after how many assignments it has made it its own */

	/* Waking librdkafka's fetchers, where it does not wake them itself. */
	bool must_wake;
	size_t wake_records, wake_bytes, taken_records, taken_bytes;
	size_t record_bytes; /* of a record, on an average of the last ones */
	const char *sasl_user, *sasl_password;

	bool leaves; /* though it is static */

	struct owner_watch owners;
	bool members_due;                        /* on_member is to be told since the last event, */
	int64_t members_at_ms, members_pause_ms; /* not before that; longer where the group cannot be described */
	bool looking;                            /* the group has been asked for, by `look` */
	struct rdk_call look;
	int64_t look_until_ms;
};

/** The other queue is filled from now on. */
void weir__rdk_swap_queues(struct rdk_consumer *c);
void weir__rdk_on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list,
			    void *opaque);
/** Whether librdkafka still reads the partition: it takes a seek to where it is. */
bool weir__rdk_is_read(struct rdk_consumer *c, const struct held *h);
bool weir__rdk_subscribe(weir_consumer *consumer, const char *const *topics, size_t n, weir_error *err);
bool weir__rdk_assign(weir_consumer *consumer, const weir_partition *list, size_t n, weir_error *err);
bool weir__rdk_unassign(weir_consumer *consumer, const weir_partition *list, size_t n, weir_error *err);
bool weir__rdk_seek(weir_consumer *consumer, const weir_partition *list, size_t n, weir_error *err);
bool weir__rdk_pause(weir_consumer *consumer, const weir_partition *list, size_t n, weir_error *err);
bool weir__rdk_resume(weir_consumer *consumer, const weir_partition *list, size_t n, weir_error *err);

/** Looks for partitions without an owner, and who is there, when it is time; never waits long. */
void weir__rdk_owners_serve(struct rdk_consumer *c);
void weir__rdk_owners_stop(struct rdk_consumer *c);
/** An event of the group has been served. */
void weir__rdk_members_changed(struct rdk_consumer *c);
/** As far as librdkafka knows. */
bool weir__rdk_is_member(const struct rdk_consumer *c);
bool weir__rdk_rejoin(weir_consumer *consumer, weir_error *err);
/** Asks again, where rejoin_ms says so. */
void weir__rdk_rejoin_serve(struct rdk_consumer *c);
/** A name that was only made up to join the group again. */
bool weir__rdk_is_no_topic(const char *name);

#endif
