#ifndef WEIR_DRIVER_H
#define WEIR_DRIVER_H
/*
 * A topology under test: the real worker over the embedded log, on a clock that stands still, in the calling
 * thread. What goes in comes out before the call returns.
 *
 * Calling sequence: weir_driver_new -> pipe and advance, read what has come out, look into stores -> stop and start
 * for what a crash or a new version would do -> weir_driver_free. All in one thread. Dead letters are in the topic
 * "dead-letters", unless opts.config names another (errors.dead.letter.queue.topic.name). Topics need not be made:
 * they are there, with opts.partitions each; those that a sink's `route` names from the first record on. A topology
 * that fails stops, which weir_driver_app's state tells; what is piped then waits for the next start.
 */
#include <weir/app.h>

typedef struct weir_driver weir_driver;

typedef struct weir_driver_opts {
	int32_t partitions;             /* of topics; 0 = 1 */
	int64_t now_ms;                 /* wall clock at the start; 0 = 2024-01-01T00:00:00Z */
	const char *state_dir;          /* NULL = stores in memory */
	const char *const (*config)[2]; /* pairs of name, value (weir_config_print tells the names) */
	size_t config_count;
	/* A commit after each record, those of repartition topics too, as Kafka Streams' TopologyTestDriver
	 * does; else one for all that a call has led to, or what is due. */
	bool commit_each_record;
	weir_listener listener; /* of each application that it runs */
} weir_driver_opts;

/** Takes the topology over, and frees it, whatever comes of it. NULL and *err when it is not valid. */
weir_driver *weir_driver_new(weir_topology *topology, weir_driver_opts opts, weir_error *err);
/** Stops, frees the topology too. NULL is fine. */
void weir_driver_free(weir_driver *d);

/** One record into a topic, processed and committed when this returns; text, value NULL = null. Partition by key.
 * Of a topic or a partition that is not there, while it runs: the application stops, with an error that says so. */
void weir_driver_pipe(weir_driver *d, const char *topic, const char *key, const char *value, int64_t timestamp_ms);
/** n records one after the other, pairs of key and value as text; the first is dated start_ms, each next one
 * advance_ms later. */
void weir_driver_pipe_list(weir_driver *d, const char *topic, const char *const (*records)[2], size_t n,
			   int64_t start_ms, int64_t advance_ms);
/** One with bytes, headers and a partition (-1 = by key). */
void weir_driver_pipe_record(weir_driver *d, const char *topic, int32_t partition, weir_bytes key, weir_bytes value,
			     int64_t timestamp_ms, const weir_headers *headers);
/** Moves the wall clock; punctuators run as due. */
void weir_driver_advance(weir_driver *d, int64_t ms);

typedef struct weir_driver_record {
	weir_bytes key, value;
	int64_t timestamp_ms;
	int32_t partition;
	const weir_headers *headers;
} weir_driver_record;
/** The next committed record of a topic not read yet, oldest first by partition; false if there is none. Valid
 * until the next call. */
bool weir_driver_read(weir_driver *d, const char *topic, weir_driver_record *out);
/** The same as text "key=value@timestamp" (windowed keys as key[start]; 8-byte values as a number if `number`);
 * NULL if there is none. */
const char *weir_driver_read_text(weir_driver *d, const char *topic, bool windowed, bool number);

/** A store's partition for reading; NULL if there is none. Valid until the next call of another kind. */
weir_store *weir_driver_store(weir_driver *d, const char *name, int32_t partition);
typedef void weir_driver_store_fn(const char *name, int32_t partition, weir_store *store, void *user);
/** Each partition of each store, as weir_driver_store gives it; global ones last. */
void weir_driver_stores_each(weir_driver *d, weir_driver_store_fn *fn, void *user);
/** Ends the application as a crash would (nothing is committed or written any more) or cleanly. The cluster stays:
 * what is piped now waits for the next start. */
void weir_driver_stop(weir_driver *d, bool crash);
/** Starts it again; with another topology (taken over, whatever comes of it), as a new version of the program
 * would have it, or NULL = the same. False and *err when it is refused: it is stopped then,
 * and may be tried again. */
bool weir_driver_start(weir_driver *d, weir_topology *topology, weir_error *err);
/** Stop and start. */
bool weir_driver_restart(weir_driver *d, bool crash, weir_error *err);
/** The cluster behind it, for what is not offered here. */
weir_cluster *weir_driver_cluster(weir_driver *d);
/** The application that runs; NULL while it is stopped. Its state says whether it has stopped by itself. */
weir_app *weir_driver_app(weir_driver *d);

#endif
