#ifndef WEIR_KAFKA_H
#define WEIR_KAFKA_H
/*
 * Kafka as a port: the whole of what weir asks of a broker, with two implementations - librdkafka against a real
 * cluster, and a log embedded in this process. Programs may use it too (a producer beside the topology, a replay).
 *
 * Calling sequence: a cluster first; consumers and producers from it; all of them closed before the cluster is
 * freed.
 * Threads: a cluster is safe from any thread. A consumer or producer belongs to one thread at a time; its callbacks
 * run on that thread, inside the call that says so.
 * Lists of partitions are arrays of weir_partition owned by the caller; functions copy what they keep.
 */
#include <weir/bytes.h>
#include <weir/clock.h>
#include <weir/config.h>
#include <weir/error.h>
#include <weir/headers.h>

typedef struct weir_cluster weir_cluster;
typedef struct weir_consumer weir_consumer;
typedef struct weir_producer weir_producer;

/* Key, value and headers of a record that a producer takes, unless kafka.message.max.bytes says otherwise. */
#define WEIR_RECORD_BYTES_MAX 1000000
/** The one or the other. */
int64_t weir_record_bytes_max(const weir_config *cfg);

/* Offsets that are not offsets. */
#define WEIR_OFFSET_NONE ((int64_t)-1)      /* nothing committed, not known */
#define WEIR_OFFSET_BEGINNING ((int64_t)-2) /* the first that is there */
#define WEIR_OFFSET_END ((int64_t)-3)       /* behind the last that is there */

typedef struct weir_partition {
	const char *topic;
	int32_t partition;
	int64_t offset;
	/* With committed offsets: text kept beside the offset; NULL = none. Where a function fills it in, it is on
	 * the heap and weir_partitions_release frees it. */
	char *metadata;
	/* Handed back with each record of this partition (set at weir_consumer_assign). */
	void *user;
} weir_partition;

/** Frees the metadata of n partitions (not the array). */
void weir_partitions_release(weir_partition *list, size_t n);

/* A record as read. All of it is borrowed until the callback that it is given to returns. */
typedef struct weir_kafka_record {
	const char *topic;
	int32_t partition;
	int64_t offset;
	int64_t timestamp_ms; /* -1 = the record has none */
	weir_bytes key, value;
	void *user; /* of its partition */
	weir_consumer *consumer;
	const void *handle; /* the implementation's */
} weir_kafka_record;

/** Headers, parsed on first asking; valid as long as the record and until the next call for this consumer. */
const weir_headers *weir_kafka_record_headers(const weir_kafka_record *record);

/* --- cluster and administration ------------------------------------------------------------------ */

/** A real cluster; reads bootstrap.servers, client.id and kafka.* from cfg, which must outlive it. Connects
 *  lazily. */
weir_cluster *weir_cluster_open(const weir_config *cfg, weir_error *err);

typedef struct weir_embedded_opts {
	weir_clock *clock;              /* NULL = the system's */
	int32_t partitions;             /* of topics made by first use; 0 = such topics are an error */
	int64_t session_timeout_ms;     /* 0 = 10 s */
	int64_t transaction_timeout_ms; /* 0 = 10 s */
	int64_t future_ms_max; /* records dated later than now + this are refused as Kafka 4 does; 0 = 1 h */
} weir_embedded_opts;

/** A cluster in memory, gone when it is freed. Retention and compaction run as topics are configured. */
weir_cluster *weir_cluster_embedded(weir_embedded_opts opts);

/** All its consumers and producers must be closed. NULL is fine. */
void weir_cluster_free(weir_cluster *cluster);

/** The cluster's own id, owned by it. */
const char *weir_cluster_id(weir_cluster *cluster, weir_error *err);

typedef struct weir_topic_spec {
	const char *name;
	int32_t partitions;
	int16_t replication;             /* 0 = the broker's default */
	const char *const (*configs)[2]; /* pairs of name, value */
	size_t config_count;
} weir_topic_spec;

/** Makes topics; one that exists is no error and is left as it is. Returns when partitions have leaders. */
bool weir_topics_create(weir_cluster *cluster, const weir_topic_spec *specs, size_t n, weir_error *err);
bool weir_topics_delete(weir_cluster *cluster, const char *const *names, size_t n, weir_error *err);
/** Adds partitions until the topic has so many; one that has as many or more is left as it is, and no error.
 *  Returns when they have leaders. */
bool weir_topic_widen(weir_cluster *cluster, const char *topic, int32_t partitions, weir_error *err);

/** Number of partitions; 0 = no such topic; -1 = failed. Asks the broker each time. */
int32_t weir_topic_partitions(weir_cluster *cluster, const char *topic, weir_error *err);
/** One configuration entry as text into buf; false when it cannot be had. */
bool weir_topic_config(weir_cluster *cluster, const char *topic, const char *name, char *buf, size_t size,
		       weir_error *err);
/** Calls fn for each topic of the cluster, internal ones left out. */
typedef void weir_topic_fn(const char *topic, int32_t partitions, void *user);
bool weir_topics_each(weir_cluster *cluster, weir_topic_fn *fn, void *user, weir_error *err);

/** First offset and end of a partition. The end is the high watermark, as a read_uncommitted reader sees it: an
 *  open transaction may lie below it (KAFKA-10167). Either may be NULL. */
bool weir_offsets_range(weir_cluster *cluster, const char *topic, int32_t partition, int64_t *first, int64_t *end,
			weir_error *err);
/** For each entry: in .offset a time in ms, out the first offset with a timestamp at or after it (or the end). */
bool weir_offsets_for_times(weir_cluster *cluster, weir_partition *list, size_t n, weir_error *err);
/** DeleteRecords: what lies before each .offset is gone. */
bool weir_records_delete(weir_cluster *cluster, const weir_partition *list, size_t n, weir_error *err);

/** Committed offsets of a group, stable ones (waits while a transaction holds some back, KIP-447): fills .offset
 *  (WEIR_OFFSET_NONE = none) and .metadata. */
bool weir_group_committed(weir_cluster *cluster, const char *group, weir_partition *list, size_t n,
			  int64_t timeout_ms, weir_error *err);
/** Sets a group's committed offsets; the group must have no members. */
bool weir_group_alter(weir_cluster *cluster, const char *group, const weir_partition *list, size_t n,
		      weir_error *err);
/** Deletes a group without members; one that does not exist is no error. */
bool weir_group_delete(weir_cluster *cluster, const char *group, weir_error *err);
/** Calls fn for each (member, partition) of the group, partition -1 for a member without any. A group whose way of
 *  assigning no consumer of this library has (Kafka Streams') has no members here. */
typedef void weir_member_fn(const char *client_id, const char *member_id, const char *topic, int32_t partition,
			    void *user);
bool weir_group_describe(weir_cluster *cluster, const char *group, weir_member_fn *fn, void *user,
			 int64_t timeout_ms, weir_error *err);

/* --- consumer ------------------------------------------------------------------------------------ */

typedef enum weir_group_event {
	WEIR_GROUP_ASSIGNED, /* these partitions of the subscribed topics are now this member's */
	WEIR_GROUP_REVOKED,  /* they go to another once the callback is done: commit now */
	WEIR_GROUP_LOST,     /* they are another's already: nothing may be committed for them */
} weir_group_event;

/**
 * Called inside weir_consumer_poll and weir_consumer_close. The lists name partitions of *subscribed* topics only;
 * the callback assigns or unassigns, with weir_consumer_assign / _unassign, these and whatever else belongs to
 * them. Rebalances are cooperative: partitions that are not named stay. A round that changes nothing for this
 * member ends with ASSIGNED and an empty list.
 */
typedef void weir_group_fn(weir_consumer *consumer, weir_group_event event, const weir_partition *list, size_t n,
			   void *user);
/** A partition cannot be read: WEIR_STATE = its position lies outside the log, WEIR_NOT_FOUND = no such topic. */
typedef void weir_partition_error_fn(weir_consumer *consumer, const weir_partition *partition,
				     const weir_error *error, void *user);

typedef struct weir_consumer_opts {
	const char *group;             /* NULL = no group: partitions by weir_consumer_assign alone */
	const char *group_instance_id; /* static membership (KIP-345); NULL = dynamic */
	const char *client_id;         /* NULL = the cluster's */
	bool read_uncommitted;         /* default: read_committed */
	int64_t queue_bytes_max;       /* fetch queue; 0 = 64 MB */
	int64_t session_timeout_ms;    /* 0 = 45 s */
	int64_t max_poll_interval_ms;  /* 0 = 5 min */
	weir_group_fn *on_group;
	weir_partition_error_fn *on_partition_error;
	/* Called in a poll soon after each event of the group, as by weir_group_describe; NULL = nobody asks. */
	weir_member_fn *on_member;
	void *user;
} weir_consumer_opts;

/** Connects lazily. NULL: *err says what of the options or the configuration is wrong. */
weir_consumer *weir_consumer_open(weir_cluster *cluster, weir_consumer_opts opts, weir_error *err);
/** Leaves the group (a static member does not) after on_group(REVOKED) for what is held. NULL is fine. */
void weir_consumer_close(weir_consumer *consumer);
/** The close that follows leaves the group in any case: for a static member that is not to come back soon. */
void weir_consumer_leave(weir_consumer *consumer);

/** Joins the group for these topics, strategy cooperative-sticky. */
bool weir_consumer_subscribe(weir_consumer *consumer, const char *const *topics, size_t n, weir_error *err);
/** Asks for another round of rebalancing; on_group(ASSIGNED) follows in a later poll, be its list empty. It is not
 *  lasting: where the member has no share yet, or has lost it, nothing comes of it. */
bool weir_consumer_rejoin(weir_consumer *consumer, weir_error *err);
/** Adds partitions to what is read, from .offset (a WEIR_OFFSET_* too). With a group: only inside on_group. */
bool weir_consumer_assign(weir_consumer *consumer, const weir_partition *list, size_t n, weir_error *err);
bool weir_consumer_unassign(weir_consumer *consumer, const weir_partition *list, size_t n, weir_error *err);
/** Goes on reading at .offset; what was fetched ahead is dropped. The partitions must be assigned. */
bool weir_consumer_seek(weir_consumer *consumer, const weir_partition *list, size_t n, weir_error *err);
/** A paused partition gives no records; membership goes on. Records fetched ahead are kept or fetched again. */
bool weir_consumer_pause(weir_consumer *consumer, const weir_partition *list, size_t n, weir_error *err);
bool weir_consumer_resume(weir_consumer *consumer, const weir_partition *list, size_t n, weir_error *err);

/** True to go on, false to leave the poll after this record (which counts as taken). */
typedef bool weir_record_fn(const weir_kafka_record *record, void *user);
/**
 * Waits up to timeout_ms for something, then hands over all that is there, in order per partition; serves group
 * events.
 * False: *err says why; err->fatal = close this consumer and open another (fenced, or the client gave up).
 * With a clock that stands still it never waits.
 */
bool weir_consumer_poll(weir_consumer *consumer, int64_t timeout_ms, weir_record_fn *fn, void *user,
			weir_error *err);
/** Where the next record would come from: behind the last one handed over, and behind transaction markers and
 *  aborted records once the reader has passed them. WEIR_OFFSET_NONE before it is known. */
int64_t weir_consumer_position(weir_consumer *consumer, const char *topic, int32_t partition);
/** The membership was lost although no event has been served yet: do not commit. */
bool weir_consumer_lost(weir_consumer *consumer);
/** Records known to lie between position and end of the partition (last fetch); -1 = not known. */
int64_t weir_consumer_lag(weir_consumer *consumer, const char *topic, int32_t partition);

/* --- producer ------------------------------------------------------------------------------------ */

/**
 * Outcome of one produced record, called inside send, poll, flush, commit, abort and close. error == NULL:
 * acknowledged at `offset`.
 * `tag` is what was given to weir_producer_send.
 */
typedef void weir_delivery_fn(const char *topic, int32_t partition, int64_t offset, uint64_t tag,
			      const weir_error *error, void *user);

typedef struct weir_producer_opts {
	const char *transactional_id; /* NULL = no transactions, but idempotent, acks=all */
	const char *client_id;
	int64_t transaction_timeout_ms; /* 0 = 10 s */
	int64_t linger_ms;              /* 0 = 5 ms; in transactions, whose records nobody sees before the
					 * commit, up to 1 s. Flush and commit do not wait for it */
	int64_t queue_bytes_max;        /* 0 = 64 MB */
	weir_delivery_fn *on_delivery;  /* may be NULL */
	bool delivery_errors_only;      /* on_delivery is called for failures alone */
	void *user;
} weir_producer_opts;

/** Connects lazily; with a transactional id call weir_producer_init next. */
weir_producer *weir_producer_open(weir_cluster *cluster, weir_producer_opts opts, weir_error *err);
/** Without transactions: flushes first, up to 10 s. An open transaction is aborted if that is quick, else left to
 *  its time-out. NULL is fine. */
void weir_producer_close(weir_producer *producer);

typedef struct weir_produced {
	const char *topic; /* best a pointer that stays the same: it is looked up by address first */
	int32_t partition; /* -1 = murmur2 of the key as Java clients do it; of a null key: any */
	int64_t timestamp_ms;
	weir_bytes key, value;
	const weir_headers *headers; /* NULL = none */
	uint64_t tag;
} weir_produced;

/** Queues a copy of the record; waits while the queue is full. On failure *err says whether the record itself is at
 *  fault (code USER: too large, refused) or the producer (fatal, abort_txn). A timestamp <= 0 is sent as 1, since
 *  librdkafka takes 0 for "now". */
bool weir_producer_send(weir_producer *producer, const weir_produced *record, weir_error *err);
/** Serves deliveries; waits up to timeout_ms for one. Returns the number of records not yet acknowledged. */
size_t weir_producer_poll(weir_producer *producer, int64_t timeout_ms);
bool weir_producer_flush(weir_producer *producer, int64_t timeout_ms, weir_error *err);
/** Offset behind the last acknowledged record of that partition by this producer; WEIR_OFFSET_NONE = none yet. */
int64_t weir_producer_delivered(weir_producer *producer, const char *topic, int32_t partition);

/* Transactions. After any failure: err->fatal = close the producer and open another with the same id; else
 * err->abort_txn = call abort. A failed commit that is neither has an unknown outcome: close and open another. */
bool weir_producer_init(weir_producer *producer, int64_t timeout_ms, weir_error *err);
bool weir_producer_begin(weir_producer *producer, weir_error *err);
/** Adds positions (with metadata) to the transaction, fenced by the consumer's membership (KIP-447). n > 0. */
bool weir_producer_send_offsets(weir_producer *producer, weir_consumer *consumer, const weir_partition *list,
				size_t n, int64_t timeout_ms, weir_error *err);
bool weir_producer_commit(weir_producer *producer, int64_t timeout_ms, weir_error *err);
bool weir_producer_abort(weir_producer *producer, int64_t timeout_ms, weir_error *err);

/** murmur2 as in Java clients, made positive, modulo `partitions` (BuiltInPartitioner.partitionForKey). */
int32_t weir_partition_for_key(weir_bytes key, int32_t partitions);

#endif
