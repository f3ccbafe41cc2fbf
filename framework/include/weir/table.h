#ifndef WEIR_TABLE_H
#define WEIR_TABLE_H
/*
 * Tables: the newest value of each key (Kafka Streams' KTable). weir_count, weir_reduce and weir_aggregate make
 * tables of streams; those here come from topics, from streams and from other tables.
 *
 * A table passes on changes, the new value of a key with the old one. Where it has a store it does so at a commit,
 * once for each key that has changed, with the headers of the record that has changed it last; a table without a
 * store of its own (a view: filter, map_values, a join) is computed from those above it and passes on what they
 * do. A null value is a deletion, and what is not there cannot be deleted: nothing is passed on then. weir_changes
 * makes a stream of a table.
 *
 * Tables of versions (`versioned`; KIP-889, KIP-914) keep what each row was over time. They pass each change on at
 * once, deletions of what is not there as well, with its headers. A row that comes late takes its place in the
 * history and does not replace a newer one: it is passed on as superseded, through filters and map_values that
 * have no store of their own, which makes them tables of versions, too. Joins of tables and weir_table_group_by
 * leave it out; a stream joined with the table sees it. One that is older than the history is a dead letter
 * ("late").
 *
 * Stores are queried by name as all others (weir_app_query, weir_driver_store). Rules of topology.h hold for all
 * functions here: handles belong to the topology, mistakes come out at start, zero means the default.
 */
#include <weir/topology.h>

/* Where a table lives. */
typedef struct weir_table_opts {
	/* Name of the store, and of its changelog. NULL = the step's name; for filters, map_values and joins: no
	 * store, the table is computed when it is asked for. */
	const char *store;
	bool in_memory;     /* no local checkpoint: restored whole */
	bool on_disk;       /* with one in any case; neither: as dsl.store.suppliers.class says, versions on disk */
	bool unlogged;      /* no changelog: lost with the local state */
	bool ordered;       /* range reads are frequent */
	bool versioned;     /* keeps the versions of rows, each valid from its time on; read as in store.h */
	int64_t history_ms; /* versioned: how long, back from the greatest time put */
	/* At most so many rows are kept behind a commit (0 = any number), in memory; those whose last put or look
	 * is the longest ago are let go of (Kafka Streams' Stores.lruMap). Nobody below is told: joins do not find
	 * them any more, their next change has no old value - so that an aggregate of the table has them twice -,
	 * deletions are passed on whether there is a row or not (but by filters), and a group that has been let go
	 * of begins anew with the next row put in. Not of versions, and not of suppressed tables. */
	int64_t entries_max;
} weir_table_opts;

typedef struct weir_table_source_opts {
	const char *topic;       /* NULL = the step's name */
	const weir_serde *value; /* NULL = bytes */
	/** Timestamp of the record in ms; negative = drop it (dead letter). NULL = Kafka's own. */
	int64_t (*time_ms)(weir_context *cx, const weir_record *record, void *user);
	void *user;
	weir_reset reset;
	weir_table_opts store;
	/* The topic is the changelog: nothing is written beside it, and the store is restored from it up to the
	 * committed position (Kafka Streams' reuse.ktable.source.topics). It must be compacted, never shortened by
	 * age. Without time_ms; not for versions. */
	bool reuse_topic;
	int64_t reset_ms; /* of WEIR_RESET_BY_DURATION */
} weir_table_source_opts;
/** The records of a topic as a table: each puts its value under its key, in the order of the topic whatever
 * their timestamps (but for versions); a null value deletes. Null keys are dead letters. The topic is read by a
 * step `<name>-source`. */
weir_table *weir_table_source(weir_topology *t, const char *name, weir_table_source_opts opts);

/** The newest value of each key of a stream (KIP-523), as in weir_table_source. Repartitioned first if the key has
 * changed. */
weir_table *weir_to_table(weir_stream *s, const char *name, weir_table_opts opts);

/** The rows for which `keep` is true. It sees new and old values, each as a record of its own, is not asked about
 * null, and must not depend on anything else. */
weir_table *weir_table_filter(weir_table *table, const char *name, weir_predicate_fn *keep, weir_table_opts opts,
			      void *user);
/** The rows for which `drop` is false. */
weir_table *weir_table_filter_not(weir_table *table, const char *name, weir_predicate_fn *drop,
				  weir_table_opts opts, void *user);
/** Other values under the same keys. `map` sees new and old values, as in weir_table_filter, and is not asked about
 * null; a NULL from it is no row. `value`: serde of the new values; NULL = as before. */
weir_table *weir_table_map_values(weir_table *table, const char *name, weir_map_values_fn *map,
				  const weir_serde *value, weir_table_opts opts, void *user);

/* How values become others, with a state of its own (as a processor's) and stores. */
typedef struct weir_value_transformer {
	size_t state_size;
	void (*init)(weir_context *cx, void *state, void *user); /* may be NULL */
	/** The row's new value, from weir_alloc or longer-lived; NULL = no row. The row's value may be null: it has
	 * gone, or, with the timestamp -1, a step below looks for one that is not there. */
	const void *(*transform)(weir_context *cx, const weir_record *row, void *state, void *user);
	/* may be NULL; must not touch stores */
	void (*close)(void *state, void *user);
	const char *stores[WEIR_PROCESSOR_STORES_MAX]; /* names, as in weir_add_store */
	const weir_serde *value;                       /* of the new values; NULL = as before */
	void *user;
} weir_value_transformer;
/** Other values under the same keys, by a function that may use stores and timers (Kafka Streams' transformValues).
 * With a store of the table's own it is asked once for each change. Without one it is asked again whenever a step
 * below looks a row up, and for the old value of each change if a step below wants that: so it should give equal
 * values for equal rows, or the table should have a store. It cannot forward records: that stops the
 * application. */
weir_table *weir_table_transform_values(weir_table *table, const char *name, weir_value_transformer transformer,
					weir_table_opts opts);

/* --- joins of tables --------------------------------------------------------------------------------------------
 * By key, and by window where both tables have windows. Each change of either side makes a new result with what the
 * other side has been told last; where a result goes away, a null value is passed on. A result has the greater of
 * both timestamps. The topics below both tables must have equally many partitions. `value`: serde of the results;
 * NULL = the left table's. */

/** The keys that both tables have. */
weir_table *weir_table_join(weir_table *left, const char *name, weir_table *right, weir_join_fn *join,
			    const weir_serde *value, weir_table_opts opts, void *user);
/** All keys of the left table; without a partner, `right` is NULL. */
weir_table *weir_table_left_join(weir_table *left, const char *name, weir_table *right, weir_join_fn *join,
				 const weir_serde *value, weir_table_opts opts, void *user);
/** The keys that either has; the other side is NULL. */
weir_table *weir_table_outer_join(weir_table *left, const char *name, weir_table *right, weir_join_fn *join,
				  const weir_serde *value, weir_table_opts opts, void *user);

/* --- fewer changes ----------------------------------------------------------------------------------------------
 * Changes wait in a buffer, of each key the newest, and go on when their time has come: by the time of the table's
 * changes, so where none come, none go. The buffer is a store, in Kafka Streams' format; in which order its rows
 * are due is known from a queue in memory, some 50 bytes and the key for each row. What is joined with the table,
 * or otherwise looks at it, sees what has been passed on. */

typedef struct weir_suppress_opts {
	/* Of windows: one result each, when it takes no record any more (stream time, of the changes, >= end +
	 * grace, for sessions + gap). Windows deleted by then leave nothing. */
	bool until_window_closes;
	/* Else: at most one change of a key in so much stream time, counted from its first change. */
	int64_t limit_ms;
	/* What may wait; 0 = any number. Bytes are Kafka Streams' count: keys, values, and for each row 28 and the
	 * name of the topic. */
	int64_t records_max, bytes_max;
	/* A full buffer stops the application; else it lets go of what has waited longest. Always so with
	 * until_window_closes. */
	bool stop_when_full;
	weir_table_opts store; /* its name: NULL = <name>-store */
} weir_suppress_opts;
/** The table with fewer changes (Kafka Streams' suppress). A table of versions is refused as a mistake of the
 * topology (KIP-914); what a join makes of such tables, or a view that is stored without versions, is not. A change
 * that is too large for the changelog, together with the values before it, is a dead letter, and its row does not
 * come. */
weir_table *weir_suppress(weir_table *table, const char *name, weir_suppress_opts opts);

/* --- tables grouped by another key ------------------------------------------------------------------------------
 * Rows are sent to their groups through the topic <application.id>-<name>-repartition, old and new value of a
 * change as Kafka Streams writes them (KIP-904). */

/** A table whose rows are grouped by another key (Kafka Streams' KGroupedTable). Any number of aggregates. */
typedef struct weir_grouped_table weir_grouped_table;

typedef struct weir_group_by_opts {
	const weir_serde *value; /* of the values that `map` sets; NULL = the table's */
	int32_t partitions;      /* of the repartition topic; 0 = as many as the inputs above have */
} weir_group_by_opts;
/** `map` sets the group's key, and another value if wanted; with a null key or value the row is in no group. It
 * sees new and old values, each as a record of its own, and must not depend on anything else. */
weir_grouped_table *weir_table_group_by(weir_table *table, const char *name, weir_map_fn *map,
					weir_group_by_opts opts, void *user);

/** Rows of each group; of a group that has become empty, 0. */
weir_table *weir_grouped_count(weir_grouped_table *grouped, const char *name, weir_table_opts opts);

/** The value that stands for all rows of a group: the first row is the first value; subtract takes the old value of
 * a row out, before add puts the new one in. NULL from either deletes the group's value. */
weir_table *weir_grouped_reduce(weir_grouped_table *grouped, const char *name, weir_reduce_fn *add,
				weir_reduce_fn *subtract, weir_table_opts opts, void *user);

/* Of a row's change, the old value is taken out first, if there is an aggregate, then the new one is put in. The
 * record has the group's key and the row's value. */
typedef struct weir_table_aggregator {
	const weir_serde *value; /* of the aggregate */
	/* Fixed size (value->size > 0): the aggregate is changed in place. init may be NULL = zero bytes. */
	void (*init)(weir_context *cx, void *aggregate, void *user);
	void (*add)(weir_context *cx, const weir_record *row, void *aggregate, void *user);
	void (*subtract)(weir_context *cx, const weir_record *row, void *aggregate, void *user);
	/* Any size: from the old aggregate (fold: NULL at first) to the new (NULL deletes it). */
	const void *(*fold)(weir_context *cx, const weir_record *row, const void *aggregate, void *user);
	const void *(*unfold)(weir_context *cx, const weir_record *row, const void *aggregate, void *user);
	void *user;
} weir_table_aggregator;
/** Folds the rows of each group into an aggregate. */
weir_table *weir_grouped_aggregate(weir_grouped_table *grouped, const char *name, weir_table_aggregator aggregator,
				   weir_table_opts opts);

/* --- joins by a foreign key -------------------------------------------------------------------------------------
 * A row of the left table names a key of the right one; any number of rows may name the same (KIP-213). The tables'
 * topics may have different numbers of partitions. Rows subscribe to their foreign keys, and are answered, through
 * the topics <application.id>-<name>-subscription-registration-topic and -subscription-response-topic, in Kafka
 * Streams' formats; subscriptions are kept in the store `<name>-subscription-store`. So a result comes some commits
 * after what caused it; one that its row has outrun is dropped. A result has the greater of both timestamps, or
 * that of the right row's change. */

typedef struct weir_foreign_opts {
	const weir_serde *value; /* of the results; NULL = the left table's */
	weir_table_opts store;   /* of the results, which always have one */
	/** Where the topics below the right table have a key, if not where Java clients put it; -1 = there. */
	int32_t (*partition)(weir_context *cx, weir_bytes foreign_key, int32_t partitions, void *user);
} weir_foreign_opts;
/** The rows of the left table for which there is a row on the right. `foreign_key` gives the key, null = none (dead
 * letter); it sees new and old values, and must not depend on anything else. `join` is given the left row's key. */
weir_table *weir_table_join_foreign(weir_table *left, const char *name, weir_table *right, weir_key_fn *foreign_key,
				    weir_join_fn *join, weir_foreign_opts opts, void *user);
/** All rows of the left table; without a foreign key or a row of it, `right` is NULL. */
weir_table *weir_table_left_join_foreign(weir_table *left, const char *name, weir_table *right,
					 weir_key_fn *foreign_key, weir_join_fn *join, weir_foreign_opts opts,
					 void *user);

/* --- global tables ----------------------------------------------------------------------------------------------
 * Each instance has the whole of a global table, all partitions of its topic, which is also its changelog. Its
 * tasks run once the table has come to the ends that it found at the start; from then on it is followed as the
 * records come, without regard to the tasks' times. It passes nothing on: it is looked at. What lies in the topic
 * without a key, or cannot be read, is left out and logged; of the latter the program may be asked
 * (weir_topology_on_unreadable). */

typedef struct weir_global weir_global;

typedef struct weir_global_opts {
	const char *topic;       /* NULL = the name */
	const weir_serde *value; /* NULL = bytes */
	weir_table_opts store;   /* name: NULL = the table's; one partition, 0. Not `unlogged` or `versioned`. */
	/* Of weir_global_store: what kind of store, as in weir_add_store; without a changelog in any case. */
	weir_store_opts of;
} weir_global_opts;
/** The topic as a global table (Kafka Streams' GlobalKTable). The handle belongs to the topology. */
weir_global *weir_global_table(weir_topology *t, const char *name, weir_global_opts opts);

/*
 * A processor of one's own before a global store (Kafka Streams' addGlobalStore). The records of the topic are not
 * its rows: `processor` is given each of them, null keys too, and puts into the store what it likes (by
 * weir_context_store, with the store's name). The store has no changelog: where it is not on disk, the processor
 * makes it again from the beginning of the topic. Each record counts once: what is on disk says how far it has got.
 *
 * The processor runs apart from all tasks, one for each instance. It forwards nothing and sets no timers (either
 * stops the application), has no times of a task or step, and no store but its own; weir_global_get finds other
 * global tables as they happen to be then. weir_request_commit does nothing. Its task is called "global_<n>", its
 * partition is 0. It has no transaction: what would be a dead letter, a failure of its own (weir_step_fail) too,
 * is logged and not sent.
 */

/** opts.value: of the topic's values; processor.value: of those in the store, as weir_global_get and joins give
 * them (NULL = as the topic's). processor.stores names nothing, or the store. A wrapper (weir_topology_wrap) is put
 * around it, too, and must have no stores then. The handle belongs to the topology. */
weir_global *weir_global_store(weir_topology *t, const char *name, weir_global_opts opts, weir_processor processor);

/** In any callback: the value's object, NULL if there is none; it lasts as long as the record at work.
 * *timestamp_ms (may be NULL) gets its time. */
const void *weir_global_get(weir_context *cx, const weir_global *global, weir_bytes key, int64_t *timestamp_ms);

typedef void weir_global_read_fn(weir_store *store, void *user);
/** In any callback: `fn` reads what it likes of it (store.h): ranges, windows, sessions, versions. Nothing is put
 * meanwhile: it is to be quick, to put nothing, to look at no other global table, and to copy (weir_alloc). */
void weir_global_read(weir_context *cx, const weir_global *global, weir_global_read_fn *fn, void *user);

#endif
