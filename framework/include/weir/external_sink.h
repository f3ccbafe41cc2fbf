#ifndef WEIR_EXTERNAL_SINK_H
#define WEIR_EXTERNAL_SINK_H
/*
 * Exactly once into a system outside Kafka, without XA: a sink worker reads a committed topic (read_committed) in a
 * group of its own and hands batches to the sink, which stores the rows and the next offset of their partition in
 * ONE transaction of its own. The stored offset, not the group's, says where to go on. Ownership is fenced by an
 * epoch that each new owner raises. A system that is away stops the sink, with back-off, never the topology that
 * fills the topic.
 */
#include <weir/config.h>
#include <weir/kafka.h>

/* What a sink must do. All functions are called on the sink worker's thread. */
typedef struct weir_external_sink {
	const char *name;
	/** Connects; called again after a failure, and then finds out whether a connection that is still there is
	 *  good. False: retried with back-off, unless err->fatal, which stops the worker. */
	bool (*open)(void *self, weir_error *err);
	/** This worker owns the partition now: raises its epoch, so that older owners can write no more, and gives
	 *  the next offset as stored; WEIR_OFFSET_NONE = none. `cluster_id` tells whether the offset belongs to
	 *  this cluster's topic at all. */
	bool (*own)(void *self, const char *cluster_id, const char *topic, int32_t partition, int64_t *next_offset,
		    weir_error *err);
	/** The next offset as stored, of a partition that may be another worker's: reads and changes nothing.
	 *  WEIR_OFFSET_NONE = none, or another cluster's. Asked while weir_sink_worker_caught_up is waited for. */
	bool (*position)(void *self, const char *cluster_id, const char *topic, int32_t partition,
			 int64_t *next_offset, weir_error *err);
	/** Writes n records of one partition and next_offset in one transaction; n may be 0, then only the offset
	 *  moves. False: nothing is written, or it is not known whether (a commit without an answer): own is called
	 *  again and tells how far it came. Code FENCED = another owner has raised the epoch (own is called again,
	 *  with back-off, if the partition is still assigned); anything else but fatal = the sink counts as away:
	 *  open is called again, with back-off.
	 *  Records that can never be written: reject(reject_user, index, reason) for each, then nothing is written
	 *  and it returns false with code USER. The worker puts them away as dead letters and calls write again
	 *  with the rest, at once: what is rejected is acknowledged elsewhere before the offset behind it is
	 *  stored. Records and their headers are borrowed until write returns. */
	bool (*write)(void *self, const char *topic, int32_t partition, const weir_kafka_record *records, size_t n,
		      int64_t next_offset, void (*reject)(void *reject_user, size_t index, const char *reason),
		      void *reject_user, weir_error *err);
	/** The partition is another's, or about to be; its epoch is left as it is. Not called for what was never
	 *  owned. */
	void (*disown)(void *self, const char *topic, int32_t partition);
	/** Called about every `idle_interval_ms` between batches: housekeeping in small bites. May be NULL. */
	bool (*idle)(void *self, weir_error *err);
	void (*close)(void *self);
} weir_external_sink;

typedef struct weir_sink_worker_opts {
	const weir_external_sink *sink;
	void *self;
	const char *topic;
	const char *group; /* e.g. "<application.id>-mysql" */
	/* Static membership: one worker at a time may have this id in the group; who comes back with it within
	 * session.timeout.ms gets its partitions again without a rebalance. NULL = dynamic. */
	const char *group_instance_id;
	/* Rejected records go there with their reason; NULL = they stop the worker. */
	const char *dead_letter_topic;
	/* Delete records of the topic that are this much older than its newest, by their timestamps, and written;
	 * 0 = never. Looked at every repartition.purge.interval.ms. */
	int64_t retain_ms;
	size_t batch_records_max; /* 0 = 1000 */
	int64_t idle_interval_ms; /* 0 = 10 s */
} weir_sink_worker_opts;

typedef struct weir_sink_worker weir_sink_worker;

/** Starts the worker's thread. cluster and cfg must outlive it. */
weir_sink_worker *weir_sink_worker_start(weir_cluster *cluster, const weir_config *cfg, weir_sink_worker_opts opts,
					 weir_error *err);
/** Finishes the batch in hand, leaves the group, closes the sink. NULL is fine. */
void weir_sink_worker_stop(weir_sink_worker *worker);

typedef struct weir_sink_status {
	bool connected, stopped;   /* stopped: for good, see error */
	int32_t partitions;        /* owned */
	int64_t records, rejected; /* written so far, and turned away */
	int64_t lag;               /* records not yet written; -1 = not known */
	uint64_t version;          /* grows with each batch written */
	weir_error error;          /* the last one; code OK = none */
} weir_sink_status;
/** From any thread. */
void weir_sink_worker_status(weir_sink_worker *worker, weir_sink_status *status);
/** From any thread: true once everything that lay in the topic when this was first called is written, whichever
 *  worker of the group has done it. Never true of a topic that is not there, nor after this worker has stopped for
 *  good. For --exit-at-end. */
bool weir_sink_worker_caught_up(weir_sink_worker *worker);

#endif
