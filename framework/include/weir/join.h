#ifndef WEIR_JOIN_H
#define WEIR_JOIN_H
/*
 * Joins of streams: of two streams within a window, of a stream with a table. (Joins of tables: table.h.)
 *
 * Both sides are joined by key, so their topics must have equally many partitions, which is checked at start, and
 * partitioners that agree, which cannot be. Where a side's key has changed, a repartition is put in; its topic has
 * as many partitions as the other side's. Rules of topology.h hold: handles belong to the topology, mistakes come
 * out at start. `value`: serde of the results; NULL = the left side's.
 */
#include <weir/table.h>

/* A record of the right side belongs to one of the left that is dated t if t - before <= its time <= t + after. */
typedef struct weir_join_window {
	int64_t before_ms, after_ms; /* one may be negative, if together they are not */
	int64_t grace_ms;            /* how much longer one waits for records that are late */
	/* The stores have no local checkpoint, they are restored whole; or they have one in any case. Neither: as
	 * dsl.store.suppliers.class says. */
	bool in_memory, on_disk;
} weir_join_window;

/**
 * Pairs of records of one key that lie within the window of each other, as Kafka Streams makes them: a pair comes
 * with the later of its records to be processed, and is dated by the later date. Each side is kept for before +
 * after + grace, counted back from the newest date on that side (in stores of their own, <name>-this-join-store and
 * <name>-other-join-store); what is late finds what is still there. Dead letters: null keys, null values, and what
 * is too late both to find a partner and to be kept for one ("late").
 *
 * A stream joined with itself has two equal stores, or with WEIR_SINGLE_STORE_SELF_JOIN the first of them alone.
 * Headers are those of the record that a result comes with.
 */
weir_stream *weir_join(weir_stream *left, const char *name, weir_stream *right, weir_join_fn *join,
		       const weir_serde *value, weir_join_window window, void *user);

/**
 * And the records of the left side that find no partner, with a right value of NULL and dated by themselves: once
 * window and grace have passed, by the newest date on either side, with the next record that comes, and at most
 * once each emit.interval.ms (of the wall clock; both as in Kafka Streams). Those without a key come at once.
 *
 * Stores: <name>-this-join-store, <name>-outer-other-join-store, and <name>-left-shared-join-store for what waits.
 */
weir_stream *weir_left_join(weir_stream *left, const char *name, weir_stream *right, weir_join_fn *join,
			    const weir_serde *value, weir_join_window window, void *user);

/**
 * And those of the right side as well, with a left value of NULL.
 *
 * Stores: <name>-outer-this-join-store, <name>-outer-other-join-store, <name>-outer-shared-join-store.
 */
weir_stream *weir_outer_join(weir_stream *left, const char *name, weir_stream *right, weir_join_fn *join,
			     const weir_serde *value, weir_join_window window, void *user);

/* --- with a table -----------------------------------------------------------------------------------------------
 * The stream's record triggers, and finds the row of its key as it is then; what the table has been told is there,
 * whether committed or not. A change of the table causes nothing. Records of stream and table are taken in the
 * order of their timestamps (max.task.idle.ms). A result has the key, timestamp and headers of the stream's record.
 * Dead letters: null values, and null keys but in a left join. */

typedef struct weir_join_table_opts {
	const weir_serde *value; /* of the results; NULL = the stream's */
	/* A table of versions, whose history is as long: records wait for rows of their time to come (KIP-923), in
	 * the store <name>-Buffer, until the newest date of the stream is so much later; then they go on, by time.
	 * What is as late when it comes goes on at once, and so does what has no key. Not for global tables. */
	int64_t grace_ms;
} weir_join_table_opts;
/** The records for which the table, of whatever kind, has a row. Of a table of versions it is the row that was
 * valid at the record's time (before its history: the newest, if that is as old). Stream and table of windows
 * are joined by window, too. */
weir_stream *weir_join_table(weir_stream *stream, const char *name, weir_table *table, weir_join_fn *join,
			     weir_join_table_opts opts, void *user);
/** All records; without a row, or without a key (KIP-962), `right` is NULL. */
weir_stream *weir_left_join_table(weir_stream *stream, const char *name, weir_table *table, weir_join_fn *join,
				  weir_join_table_opts opts, void *user);

/** The same with a global table: `key` gives the row's key and sees no null values; `join` is given the stream's
 * key. Partitions do not matter, nor do the table's times. A record for which `key` gives null is a dead letter
 * ("null join key"). */
weir_stream *weir_join_global(weir_stream *stream, const char *name, const weir_global *global, weir_key_fn *key,
			      weir_join_fn *join, weir_join_table_opts opts, void *user);
/** All records; without a row, or where `key` gives null, `right` is NULL. */
weir_stream *weir_left_join_global(weir_stream *stream, const char *name, const weir_global *global,
				   weir_key_fn *key, weir_join_fn *join, weir_join_table_opts opts, void *user);

#endif
