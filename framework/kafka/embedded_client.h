#ifndef WEIR_EMBEDDED_CLIENT_H
#define WEIR_EMBEDDED_CLIENT_H
/* The consumers and producers of the embedded cluster. Each belongs to one thread at a time. */
#include "framework/kafka/embedded.h"
#include "framework/kafka/owners.h"

/* --- consumer ------------------------------------------------------------------------------------------------- */

/* A partition that a consumer reads. */
struct part {
	struct part *next_reader; /* of its journal */
	struct embedded_consumer *consumer;
	struct topic *topic; /* a reference; NULL: there is none */
	struct journal *journal;
	char *name;
	int32_t partition;
	void *user;
	int64_t position;        /* a WEIR_OFFSET_* until it is known */
	int64_t known_end;       /* -1 = not known */
	struct segment *segment; /* a reference: entry `at` is the next to look at */
	uint32_t at;
	uint64_t version; /* moves when reading must not simply go on */
	bool paused, stopped;
};

struct embedded_consumer {
	weir_consumer base;
	struct embedded *cluster;
	weir_consumer_opts opts;
	char *client_id, *instance;
	struct group *group;
	struct member *member;
	const char **topics; /* subscribed to, interned; NULL = not subscribed */
	size_t topic_count;
	bool *topic_missing; /* has been reported as not there */
	bool subscription_changed, in_callback;
	bool members_due; /* on_member is to be told since the last event */
	bool leaves;      /* though it is static */
	struct owner_watch owners;
	bool broken; /* fenced, or given up: fatal */
	weir_error cause;
	struct part **parts;
	size_t part_count, part_room;
	uint64_t parts_version;
	size_t cursor;        /* whose turn it is */
	struct part *retired; /* unassigned while being read (linked by next_reader) */
	pthread_cond_t wake;
	bool waiting;
	struct span *aborted; /* of the run that is being handed over */
	size_t aborted_count, aborted_room;
	weir_header *headers;
	size_t header_room;
	weir_headers header_list;
};

void weir__consumer_free(struct embedded_consumer *c);
bool weir__embedded_poll(weir_consumer *consumer, int64_t timeout_ms, weir_record_fn *fn, void *user,
			 weir_error *err);
const weir_headers *weir__embedded_headers(const weir_kafka_record *record);
struct part *weir__consumer_part(struct embedded_consumer *c, const char *topic, int32_t partition);
void weir__consumer_drop(struct embedded_consumer *c, const struct places *list);
void weir__consumer_bury(struct embedded_consumer *c);
/** Serves group events; false = fenced. *served is set when a callback ran. Lock held; given up for callbacks. */
bool weir__consumer_serve_group(struct embedded_consumer *c, bool *served, weir_error *err);
/** The callback for what is held, then out of the group. */
void weir__consumer_leave(struct embedded_consumer *c);
/** Its client is of no use any more, as a simulation wants it: each poll says so from now on. */
void weir__consumer_give_up(struct embedded_consumer *c);
/** Wakes the consumer if it waits in a poll. */
void weir__consumer_wake(struct embedded_consumer *c);

/* --- producer ------------------------------------------------------------------------------------------------- */

enum producer_state {
	PRODUCER_NEW,   /* transactional, before init */
	PRODUCER_READY, /* not transactional: always */
	PRODUCER_IN_TXN,
	PRODUCER_TO_ABORT,
	PRODUCER_FATAL,
};

/* What a producer knows of a topic that it writes to. */
struct target {
	const char *address; /* of the name as last given */
	struct topic *topic; /* a reference */
	int32_t partitions;  /* that it is known to have; all have a slot */
	struct target_slot {
		int64_t delivered;
		uint64_t txn_serial; /* the transaction that has this partition already */
	} * slots;
};

struct report {
	const char *topic; /* interned */
	int32_t partition;
	int64_t offset;
	uint64_t tag;
	weir_error *error; /* on the heap */
};

struct embedded_producer {
	weir_producer base;
	struct embedded *cluster;
	weir_producer_opts opts;
	enum producer_state state;
	weir_error cause; /* of TO_ABORT and FATAL */
	struct txn *txn;  /* NULL = not transactional */
	int32_t epoch;
	uint32_t producer;
	uint32_t next_any;
	bool txn_used;  /* the transaction has reached the coordinator */
	int64_t now_ms; /* not later than now */
	struct target *targets;
	size_t target_count, target_room;
	size_t target_last;
	struct report *reports;
	size_t report_count, report_room;
	bool reporting;
};

void weir__producer_free(struct embedded_producer *p);
void weir__producer_serve(struct embedded_producer *p);
/** From now on all calls fail. Sets *err, flagged so; false. */
bool weir__producer_break(struct embedded_producer *p, const weir_error *cause, weir_error *err);
/** The transaction can only be aborted now. Sets *err, flagged so; false. */
bool weir__producer_to_abort(struct embedded_producer *p, const weir_error *cause, weir_error *err);
/** Whether the transactional id is still this producer's; else it is fatal. */
bool weir__producer_owns_txn(struct embedded_producer *p, weir_error *err);
bool weir__embedded_init(weir_producer *producer, int64_t timeout_ms, weir_error *err);
bool weir__embedded_begin(weir_producer *producer, weir_error *err);
bool weir__embedded_send_offsets(weir_producer *producer, weir_consumer *consumer, const weir_partition *list,
				 size_t n, int64_t timeout_ms, weir_error *err);
bool weir__embedded_commit(weir_producer *producer, int64_t timeout_ms, weir_error *err);
bool weir__embedded_abort(weir_producer *producer, int64_t timeout_ms, weir_error *err);

#endif
