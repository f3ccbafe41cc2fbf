#ifndef WEIR_TOPOLOGY_H
#define WEIR_TOPOLOGY_H
/*
 * The graph of steps that an application runs.
 *
 * Calling sequence: weir_topology_new -> steps -> give it to weir_app_new, weir_driver_new or
 * weir_topology_describe -> weir_topology_free. Every step has a name, unique in the topology; it names stores,
 * internal topics and metrics, so that a changed graph keeps its state. Mistakes do not show at the call: the
 * topology keeps them, and weir_topology_check (which start calls) tells all of them. Handles belong to the
 * topology. Strings, serdes and `user` pointers must outlive it; names are copied. Options are passed by value;
 * zero means the default. Not thread-safe while being built; read-only afterwards.
 */
#include <stdio.h>
#include <weir/processor.h>

typedef struct weir_topology weir_topology;
typedef struct weir_stream weir_stream; /* records, each for itself */
typedef struct weir_table weir_table;   /* the newest value of each key */

/** An empty topology; free it with weir_topology_free. Its name is the default of application.id; NULL =
 * "topology". Never NULL. */
weir_topology *weir_topology_new(const char *name);
/* Kafka Streams' topology.optimization. Off by default: turning them on for an application that has run changes
 * its topics, and with them what it finds of its state. */
enum {
	/* Where several steps with state lie below one step that changes the key, with nothing but steps without
	 * state between, their records go through one repartition topic, right behind the change. It is called
	 * after the first of them (merge.repartition.topics). */
	WEIR_MERGE_REPARTITIONS = 1,
	/* Tables have their topics as changelogs, as with reuse_topic, wherever they can
	 * (reuse.ktable.source.topics). */
	WEIR_REUSE_TABLE_TOPICS = 2,
	/* A stream joined with itself (weir_join) has one store in the place of two equal ones
	 * (single.store.self.join). */
	WEIR_SINGLE_STORE_SELF_JOIN = 4,
};
/** Turns on what is named, before the first step is added. */
void weir_topology_optimize(weir_topology *t, unsigned what);
/* Where weir knowingly does otherwise than Kafka Streams 4.3, because its way loses somebody's data or gives wrong
 * results: docs/conformance.md says of each what differs, and why. Each can be had as it is there. */
enum {
	/* Results on close (emit_on_close): looked for behind the record that has closed their windows, and at most
	 * once in emit.interval.ms of the wall clock; what the retention hides by then never comes. */
	WEIR_AS_CLOSING = 1,
	/* The old value that a suppressed table passes on is the one which its newest value has replaced in the
	 * buffer, not the one that it has passed on before. */
	WEIR_AS_SUPPRESSED_OLD = 2,
	/* A suppressed table looks at what is due after each change, not when it has all changes of a commit. */
	WEIR_AS_SUPPRESSED_EACH = 4,
	/* Sessions are kept for the gap and the grace unless retain_ms says otherwise, sliding windows for twice
	 * the difference and the grace: not the gap, and 2 ms, longer, in which what is just in time may still join
	 * others. */
	WEIR_AS_RETENTION = 8,
	/* In the changelog of versions the newest is not written again behind a late one: compaction, which leaves
	 * a key's last record, takes it once the topic's own time for history is over. */
	WEIR_AS_LATE_VERSIONS = 16,
	/* Where a step fails: a table's row that has failed fails again as the old value of each change to come;
	 * what the row was before stays in what is made of it; the sessions that a record joins are deleted though
	 * it cannot be added. */
	WEIR_AS_FAILED_ROWS = 32,
	/* A processor with stores gets no repartition below a changed key, as with no_repartition. */
	WEIR_AS_PROCESSORS = 64,
	/* WEIR_MERGE_REPARTITIONS does not merge below weir_map_values and weir_flat_map_values. */
	WEIR_AS_MERGED_REPARTITIONS = 128,
	/* The dead letter of a step that fails has neither key nor value once something of its source record has
	 * been sent; of results that a commit sends on it is the record that has changed the row last; of what a
	 * timer has caused it is empty. Each change of state copies its source record then. */
	WEIR_AS_LETTERS = 256,
	/* A topic that comes to match a source's pattern begins as the source's `reset` says, whatever it holds by
	 * then. */
	WEIR_AS_NEW_TOPICS = 512,
	/* A deletion of a row that is not there is passed on by tables from topics and streams and by results of
	 * joins by foreign key, where their store is given no name and nothing but a stream is made of them. */
	WEIR_AS_DELETIONS = 1024,
};
/** Does what is named as Kafka Streams, before the first step is added. Off by default. */
void weir_topology_as_kafka_streams(weir_topology *t, unsigned what);
/** Keys of the program's own that its callbacks read (weir_context_config): weir_main, the test driver and the
 * simulator add them to the configuration, other programs do so themselves (weir_config_add). The table must
 * outlive the topology and the configuration (static storage). */
void weir_topology_config(weir_topology *t, const weir_config_key *keys, size_t n);
/** Puts a wrapper around each processor (weir_process) that is added from now on, and with wrapper.steps around the
 * steps of all other operators: before the first step, once (Kafka Streams' processor.wrapper.class, KIP-1112). */
void weir_topology_wrap(weir_topology *t, weir_wrapper wrapper);
/** Asked at each failure of a step (weir_step_fail), in the place of errors.processing: Kafka Streams'
 * ProcessingExceptionHandler. The last one given holds; NULL = none. */
void weir_topology_on_failure(weir_topology *t, weir_failure_fn *fn, void *user);
/** Asked at each record that cannot be read, in the place of errors.deserialization: Kafka Streams'
 * DeserializationExceptionHandler. The failure's record is as it was read, its value as bytes. Asked for global
 * tables and stores as well, on their own thread and whenever such a record is read, restoring included; its step
 * is the table's name. They have no dead letters: unless the answer is to stop, the record is left out, logged and
 * (what a table restores excepted) counted in weir_dropped_records_total. */
void weir_topology_on_unreadable(weir_topology *t, weir_failure_fn *fn, void *user);
/** Asked at each result that will never be taken, and each change of state that its changelog will not take, in the
 * place of errors.production: Kafka Streams' ProductionExceptionHandler. Where it shows before the result is sent,
 * that result alone is left out. Where it shows later, from the broker or in a store, all of the source record (or
 * of what has waited) is: the transaction is aborted, and the question comes when the record is read again, in its
 * new transaction. Not asked about dead letters, nor about state that a commit or a timer makes too large and what
 * only the broker refuses of their results, which stops the application. */
void weir_topology_on_refused(weir_topology *t, weir_failure_fn *fn, void *user);
/** No application may run it any more. NULL is fine. */
void weir_topology_free(weir_topology *t);
/** False and all mistakes, one a line as far as they fit, with the names of their steps. */
bool weir_topology_check(weir_topology *t, weir_error *err);

typedef enum weir_format { WEIR_TEXT, WEIR_DOT, WEIR_MERMAID, WEIR_JSON } weir_format;
/** Sub-topologies, steps, stores and topics. */
void weir_topology_describe(weir_topology *t, weir_format format, FILE *out);

/* --- in and out -------------------------------------------------------------------------------------------------
 * */

/* By duration (KIP-1106): at the first record that is no older than reset_ms, by the wall clock; where there is
 * none, at the end. */
typedef enum weir_reset {
	WEIR_RESET_EARLIEST,
	WEIR_RESET_LATEST,
	WEIR_RESET_NONE,
	WEIR_RESET_BY_DURATION,
} weir_reset;

typedef struct weir_source_opts {
	const char *topic;       /* NULL = the step's name */
	const weir_serde *value; /* NULL = bytes */
	/** Timestamp of the record in ms; negative = drop it (dead letter). NULL = Kafka's own. It may be called
	 * more than once for a record, and weir_partition_time_ms helps it to guess. Or one of the extractors
	 * below. */
	int64_t (*time_ms)(weir_context *cx, const weir_record *record, void *user);
	void *user;
	weir_reset reset; /* without a committed position: where to begin */
	/* delete records of the topic that are this much older than stream time and committed; 0 = never */
	int64_t retain_ms;
	/* Several topics in the place of `topic`, read by the tasks of one sub-topology: a task has the same
	 * partition of each. Copied. What has state right behind them wants equally many partitions in each. */
	const char *const *topics;
	size_t topic_count;
	int64_t reset_ms; /* of WEIR_RESET_BY_DURATION */
	/* In the place of `topic`: all topics whose whole name matches this extended regular expression (POSIX,
	 * regcomp), and those that come to match it while the application runs: it looks each metadata.max.age.ms.
	 * A topic that is found where tasks have run before is read from its first record, whatever `reset` says
	 * (but not with WEIR_RESET_NONE); one that is gone is read no more. Copied. The application's own internal
	 * topics and its dead letters never match. */
	const char *pattern;
	/* With a pattern: there are at least as many tasks from the start, though nothing may match yet; 0 = 1. */
	int32_t partitions;
} weir_source_opts;
/** The records of a topic, or of several in the order of time (Kafka Streams' stream(Collection), stream(Pattern)).
 * A topic has one source in a topology. */
weir_stream *weir_source(weir_topology *t, const char *name, weir_source_opts opts);

/* Kafka Streams' timestamp extractors, for weir_source_opts.time_ms; `user` is not used. The first three give
 * Kafka's own timestamp, in ms, and differ in what comes of records without one (negative: written by clients older
 * than 0.10). */

/** Stops the application: FailOnInvalidTimestamp. Kafka Streams' default; weir's own (NULL) is the next one. */
int64_t weir_fail_on_invalid_timestamp(weir_context *cx, const weir_record *record, void *user);
/** Makes it a dead letter: LogAndSkipOnInvalidTimestamp. */
int64_t weir_log_and_skip_on_invalid_timestamp(weir_context *cx, const weir_record *record, void *user);
/** Gives it the partition's time, or stops the application where there is none yet:
 * UsePartitionTimeOnInvalidTimestamp (KIP-530). */
int64_t weir_use_partition_time_on_invalid_timestamp(weir_context *cx, const weir_record *record, void *user);
/** The time of day at which the record is processed, whatever its own: WallclockTimestampExtractor. */
int64_t weir_wallclock_timestamp(weir_context *cx, const weir_record *record, void *user);

typedef struct weir_sink_opts {
	const char *topic; /* NULL = the step's name */
	/* windowed ones write key | start (sessions: key | end | start); NULL = windowed streams do so, others
	 * write the key */
	const weir_serde *key;
	/* NULL = as it comes. Another serde than the stream's writes the same objects otherwise: it does not
	 * convert them (weir_map_values does). */
	const weir_serde *value;
	/** Partition for a record; -1 = by the key, any other that is not there stops the application. NULL =
	 * murmur2 of the key (of the inner key, when windowed), as Java clients. */
	int32_t (*partition)(weir_context *cx, const weir_record *record, int32_t partitions, void *user);
	/** Partitions for a record, any number of them (KIP-873), instead of the above: fills in `out`, which has
	 * room for all, and gives how many; 0 = none (dead letter), negative = by the key. */
	int32_t (*multicast)(weir_context *cx, const weir_record *record, int32_t partitions, int32_t *out,
			     void *user);
	/** Topic for a record; it must exist. NULL = the one above. */
	const char *(*route)(weir_context *cx, const weir_record *record, void *user);
	void *user;
} weir_sink_opts;
/** Sends each record to a topic, in the transaction of the commit it belongs to. */
void weir_sink(weir_stream *s, const char *name, weir_sink_opts opts);

/* --- without state ----------------------------------------------------------------------------------------------
 * */

/** Of streams it is asked about null values, too (weir_value gives NULL then). */
typedef bool weir_predicate_fn(weir_context *cx, const weir_record *record, void *user);
/** Keeps the records for which `keep` is true. */
weir_stream *weir_filter(weir_stream *s, const char *name, weir_predicate_fn *keep, void *user);
/** Drops the records for which `drop` is true. */
weir_stream *weir_filter_not(weir_stream *s, const char *name, weir_predicate_fn *drop, void *user);

/** *out is a copy of *in to be changed: weir_set_key, weir_set_value, timestamp_ms. */
typedef void weir_map_fn(weir_context *cx, const weir_record *in, weir_record *out, void *user);
/** `value`: serde of the new values; NULL = as before. The key counts as changed. */
weir_stream *weir_map(weir_stream *s, const char *name, weir_map_fn *map, const weir_serde *value, void *user);

/** Gives the new value's object, from weir_alloc or longer-lived; NULL = a null value. */
typedef const void *weir_map_values_fn(weir_context *cx, const weir_record *record, void *user);
/** Other values under the same keys. `value`: their serde; NULL = as before. */
weir_stream *weir_map_values(weir_stream *s, const char *name, weir_map_values_fn *map, const weir_serde *value,
			     void *user);

/** Calls weir_forward for each record that it makes out of *in, in order; start from a copy of *in. */
typedef void weir_flat_map_fn(weir_context *cx, const weir_record *in, void *user);
/** Any number of records out of each. `value` as in weir_map; the key counts as changed. */
weir_stream *weir_flat_map(weir_stream *s, const char *name, weir_flat_map_fn *map, const weir_serde *value,
			   void *user);

/** The same with the key, and the window, as they are: `map` sets values only (another key stops the
 * application), so no repartition is needed below. */
weir_stream *weir_flat_map_values(weir_stream *s, const char *name, weir_flat_map_fn *map, const weir_serde *value,
				  void *user);

/** The new key: a part of the record, or from weir_alloc, or longer-lived. WEIR_NULL = a null key. */
typedef weir_bytes weir_key_fn(weir_context *cx, const weir_record *record, void *user);
/** The same records under other keys. */
weir_stream *weir_key_by(weir_stream *s, const char *name, weir_key_fn *key, void *user);

/** Both inputs, no order between them. */
weir_stream *weir_merge(weir_stream *a, const char *name, weir_stream *b);

typedef struct weir_case {
	const char *name;        /* of the branch: a step of its own */
	weir_predicate_fn *when; /* NULL = whatever is left */
	void *user;
} weir_case;
/** Each record goes to the first case that holds, or nowhere. Fills out[0..n), which the caller has. */
void weir_branch(weir_stream *s, const char *name, const weir_case *cases, size_t n, weir_stream **out);

typedef void weir_each_fn(weir_context *cx, const weir_record *record, void *user);
/** Looks at each record and passes it on; may run again after an abort. */
weir_stream *weir_peek(weir_stream *s, const char *name, weir_each_fn *look, void *user);
/** The same at the end of a stream. */
void weir_for_each(weir_stream *s, const char *name, weir_each_fn *look, void *user);

typedef struct weir_repartition_opts {
	int32_t partitions; /* 0 = as many as the inputs above have */
	/** Partition for a record; -1 = by the key, which is the default. */
	int32_t (*partition)(weir_context *cx, const weir_record *record, int32_t partitions, void *user);
	void *user;
} weir_repartition_opts;
/** Through the topic <application.id>-<name>-repartition, by key. Put in by itself where a changed key meets a
 * state. Records without a key are dead letters. */
weir_stream *weir_repartition(weir_stream *s, const char *name, weir_repartition_opts opts);

/** The value of a join: `left` and `right` are objects of their serdes, NULL where a left or an outer join has no
 * such side. The result's object, from weir_alloc or longer-lived; NULL = a null value. */
typedef const void *weir_join_fn(weir_context *cx, weir_bytes key, const void *left, const void *right, void *user);

/* --- aggregates -------------------------------------------------------------------------------------------------
 * */

/*
 * Windows of one kind; all zero = none, one aggregate for all records of a key. Stream time is the greatest
 * timestamp that the step has seen, this record's included; what comes too late for all its windows is a dead
 * letter.
 *
 * size_ms        tumbling windows, or hopping ones with advance_ms < size_ms: [start, start + size), aligned to the
 *                epoch. A window takes a record while its end > stream time - grace.
 * gap_ms         sessions: records of a key that are no further apart than that. A session is [first, last], both
 *                included. It takes a record while its end, this record included, >= stream time - grace - gap. One
 *                that grows or joins others is deleted under its old ends and comes again under the new ones.
 *                Results have the session's end as their timestamp. A session past retain_ms joins nothing more.
 * difference_ms  sliding windows (KIP-450), both ends included: for each record the one of that length that ends
 *                with it, and the one that begins 1 ms behind it if others follow within it. A window takes a
 *                record while its end >= stream time - grace. Before the epoch there are none: records earlier
 *                than difference_ms share [0, difference_ms]. Records without a value are dead letters.
 * unlimited      one window for each key, from start_ms to the end of time. Earlier records are dead letters.
 *
 * emit_on_close  (KIP-825; not with unlimited): a window's result is passed on once, when it has closed, that is
 *                when it takes no record any more, instead of at each commit in which it has changed. A session
 *                that has closed may still grow together with an open one, and comes once more then. Windows close
 *                by the time of the step's records: where none come, none close. Results come in the order of their
 *                starts (sessions: of their ends), with the headers of the record that has closed them.
 *                Which is the next is known from a queue in memory, some 50 bytes and the key for each
 *                window; where memory.bytes.max has no room for all, the later part is read from the store again.
 */
typedef struct weir_window {
	int64_t size_ms;
	int64_t advance_ms; /* 0 = size_ms */
	int64_t grace_ms;
	/* how long windows are kept, back from the newest; 0 = size + grace, for sessions twice the gap + grace,
	 * for sliding ones twice the difference + grace + 2 */
	int64_t retain_ms;
	int64_t gap_ms;
	int64_t difference_ms;
	bool unlimited;
	int64_t start_ms; /* unlimited */
	bool emit_on_close;
	/* also without windows: the store has no changelog (Kafka Streams' Materialized.withLoggingDisabled). It is
	 * lost with the local state; an abort or a crash throws it back to its last checkpoint, the position not */
	bool unlogged;
	/* also without windows: the store has no local checkpoint, it is restored whole; or it has one in any case.
	 * Neither: as dsl.store.suppliers.class says */
	bool in_memory, on_disk;
	/* Only without windows: at most so many keys behind a commit, as in weir_table_opts (0 = any number). One
	 * that has been let go of begins anew. */
	int64_t entries_max;
} weir_window;

/* In all aggregates records without a key, or with one of over 512 KiB, are dead letters; without windows, and in
 * sliding ones, those without a value are, too. */

/** Records of each key (and window). Object of its values: int64_t (weir_int64). */
weir_table *weir_count(weir_stream *s, const char *name, weir_window window);

/** The value that stands for both; `aggregate` is an object of the stream's serde. The first record of a key is its
 * first value. In tumbling, hopping and session windows `value` is NULL for a null value, as in Kafka Streams. */
typedef const void *weir_reduce_fn(weir_context *cx, const void *aggregate, const void *value, void *user);
/** One value for all records of a key (and window), of the stream's serde. */
weir_table *weir_reduce(weir_stream *s, const char *name, weir_reduce_fn *reduce, weir_window window, void *user);

/* In windows, the record that add and fold are given has the window's start and end. */
typedef struct weir_aggregator {
	const weir_serde *value; /* of the aggregate */
	/* Fixed size (value->size > 0): the aggregate is changed in place, nothing is encoded per record. init may
	 * be NULL = zero bytes. */
	void (*init)(weir_context *cx, void *aggregate, void *user);
	void (*add)(weir_context *cx, const weir_record *record, void *aggregate, void *user);
	/* Any size: from the old aggregate (NULL at first) to the new (NULL deletes it). */
	const void *(*fold)(weir_context *cx, const weir_record *record, const void *aggregate, void *user);
	/* Sessions only: the aggregate of two that have become one; a is the earlier one's, or what init makes. */
	const void *(*merge)(weir_context *cx, weir_bytes key, const void *a, const void *b, void *user);
	const char *stores[WEIR_PROCESSOR_STORES_MAX]; /* further stores that add and fold use */
	void *user;
} weir_aggregator;
/** Folds the records of each key (and window) into an aggregate. */
weir_table *weir_aggregate(weir_stream *s, const char *name, weir_aggregator aggregator, weir_window window);

/* A stream that goes into an aggregate with others: its records are folded in by add or fold, as in
 * weir_aggregator, whose own are left out then. */
typedef struct weir_cogrouped {
	weir_stream *stream;
	void (*add)(weir_context *cx, const weir_record *record, void *aggregate, void *user);
	const void *(*fold)(weir_context *cx, const weir_record *record, const void *aggregate, void *user);
	void *user; /* of add or fold */
} weir_cogrouped;
/** Folds the records of several streams (at least one) of each key (and window) into one aggregate (KIP-150). Each
 * stream has a time of its own, by which its records are late or not. Not with emit_on_close. */
weir_table *weir_cogroup(const weir_cogrouped *inputs, size_t count, const char *name, weir_aggregator aggregator,
			 weir_window window);

/** The changes of a table as a stream: for each commit the newest value of each key that has changed, with the
 * headers of the record that has changed it last. Windowed keys have their window. */
weir_stream *weir_changes(weir_table *table);

/* --- the low level ----------------------------------------------------------------------------------------------
 * */

/** A step of one's own. With stores, its input is repartitioned first if the key has changed. */
weir_stream *weir_process(weir_stream *s, const char *name, weir_processor processor);

typedef struct weir_store_opts {
	bool windowed;
	bool sessions;          /* a value for each (key, start, end) */
	int64_t window_size_ms; /* windowed: what a start stands for; kept beside the state and checked */
	/* windowed: how long, back from the newest start seen; sessions: from the newest end */
	int64_t retain_ms;
	bool in_memory;     /* no local checkpoint: restored whole from the changelog */
	bool unlogged;      /* no changelog: lost with the local state */
	bool ordered;       /* range reads are frequent */
	bool duplicates;    /* windowed: a put adds a value beside those of its key and start; see store.h */
	bool versioned;     /* keeps versions, each valid from its time on; see store.h */
	int64_t history_ms; /* versioned: how long, back from the greatest time put */
	/* Keys with a value: at most so many (0 = any number), in memory. A put of one more deletes the key whose
	 * last get or put is the longest ago, in the changelog, too (Kafka Streams' Stores.lruMap). Ranges and
	 * prefixes use nothing. After a restart or an abort the order is that of the last puts. */
	int64_t entries_max;
	bool headers; /* keys and values, windows, sessions: keeps the values' headers; see store.h */
} weir_store_opts;
/** A store for processors, by name. */
void weir_add_store(weir_topology *t, const char *name, weir_store_opts opts);
/** Options of RocksDB for one store, a step's or a processor's, on top of `rocksdb.options` (Kafka Streams'
 * RocksDBConfigSetter): in RocksDB's own text form, "compression=kLZ4Compression;block_based_table_factory={
 * block_size=16384}". They say how rows lie on disk: compression, blocks, files, compaction. What weir relies on
 * may not be set - memory (memory.bytes.max), flushes, the write-ahead log, the order of keys -: that is a mistake
 * of the topology, as is an option that this RocksDB does not know. All that may: docs/operations.md. They hold
 * from the next start on, for what is written then; of a store in memory they mean nothing. Copied; the store may
 * be added later. */
void weir_topology_tune_store(weir_topology *t, const char *store, const char *rocksdb_options);
/** A store of one's own kind (see store.h); always with a changelog, from which it is restored whole. */
void weir_add_custom_store(weir_topology *t, const char *name, weir_custom_store custom);

#endif
