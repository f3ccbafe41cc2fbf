#ifndef WEIR_OPERATOR_H
#define WEIR_OPERATOR_H
/*
 * An operator is one const struct of functions in one small file; a task holds an instance of each step of its
 * sub-topology. Operators know nothing of Kafka or of commits: what they need of the runtime comes through the
 * context.
 */
#include "framework/topology/graph.h"

struct instance {
	const struct operator* op;
	const struct node *node;
	struct instance **children;
	size_t child_count;
	struct instance **looked_up; /* in the order of node->looked_up */
	weir_store **stores;         /* in the order of node->stores */
	void *state;                 /* op->state_size bytes, zeroed, aligned to 16 */
	/* Greatest timestamp this step has seen (INT64_MIN = none): kept over restarts with the committed offsets.
	 * */
	int64_t observed_ms;
	struct weir_wrapped *wrapped; /* NULL = nothing is around it: see wrap.c */
};

/* How far a table's row has got. */
enum table_view {
	TABLE_NEWEST, /* with all that has been done to it: what a record meets that comes now */
	/* As the steps below the table have been told: while a commit sends changes on one after another, those
	 * still to come are not seen. So each change finds the others' rows as they were passed on, and old and new
	 * of what is made of two tables fit together. */
	TABLE_PASSED_ON,
	/* As it was at of->timestamp_ms: in a table of versions. In others the newest. */
	TABLE_AS_OF,
};

struct operator
{
	const char *kind; /* "filter" */
	/* A record with this key is to come, as the `distance`th one: what is kept of the key may be fetched into
	 * the processor's cache. NULL: nothing is. */
	void (*expect)(struct instance * in, weir_bytes key, int distance);
	bool keeps_time;                               /* it uses observed_ms */
	bool forwards_nothing;                         /* its callbacks must not: what they give goes on */
	bool stands_bare;                              /* nothing is put around it: no counterpart is a processor */
	bool has_copies_forwarded;                     /* its callback forwards copies of its record */
	size_t (*state_size)(const struct node *node); /* NULL = 0 */
	void (*init)(struct instance * in, weir_context * cx);
	void (*process)(struct instance * in, weir_context * cx, const weir_record *r);
	/* A change of the step's own store, at a commit: pass it on. */
	void (*changed)(struct instance * in, weir_context * cx, const struct store_change *change);
	/* At a commit, before the step's own store is flushed, if it has changed: all steps above have passed on
	 * what they had to. */
	void (*settle)(struct instance * in, weir_context * cx);
	/* Tables: the row with of->key and its window: by weir__look_up alone. */
	bool (*look_up)(struct instance * in, weir_context * cx, const weir_record *of, enum table_view view,
			weir_record *row);
	void (*close)(struct instance * in);
	/* Results on close: all windows closed by then have been given; -1 = none has. In Kafka Streams' terms, and
	 * kept under the store's name as there. */
	int64_t (*closed_until)(const struct instance *in);
	/* So it was told by the last commit, which may have been Kafka Streams'. Before init. */
	void (*closed_before)(struct instance * in, int64_t ms);
};

/* The runtime's services. */
struct context_ops {
	void (*dead_letter)(weir_context *cx, const weir_record *r, const char *reason);
	/* Counted as Kafka Streams' dropped-records-total: so many times. A dead letter is none by itself. */
	void (*dropped)(weir_context *cx, int times);
	/* cx->current has failed at r (NULL: in a punctuator, now_ms): whoever is to be asked decides. */
	void (*failed)(weir_context *cx, const weir_record *r, const char *message, int64_t now_ms);
	/* A source record whose value cannot be read: dead letter or stop, as configured. */
	void (*unreadable)(weir_context *cx, const weir_record *r, const char *message);
	/* To a topic; partition -1 = by key. */
	void (*send)(weir_context *cx, const char *topic, int32_t partition, const weir_record *r, weir_bytes key);
	int32_t (*partitions)(weir_context *cx, const char *topic);
	/* Full name of an internal topic: "<application.id>-<name>-repartition". */
	const char *(*repartition_topic)(weir_context *cx, const char *name);
	/* The topic that the task reads; of several the first. */
	const char *(*input_topic)(weir_context *cx);
	/* Of the partition that the record at work comes from; INT64_MIN = none yet, or there is no such record. */
	int64_t (*partition_time)(const weir_context *cx);
	/* The value of a key, copied for the record at work; null = there is none. */
	weir_bytes (*global_get)(weir_context *cx, const struct graph_global *global, weir_bytes key,
				 int64_t *timestamp_ms);
	/* Calls fn with the store, locked. */
	void (*global_read)(weir_context *cx, const struct graph_global *global, weir_global_read_fn *fn,
			    void *user);
	/* start_ms: NULL = not anchored. */
	weir_timer *(*schedule)(weir_context *cx, const int64_t *start_ms, int64_t interval_ms, weir_time time,
				weir_punctuate_fn *fn);
	const char *(*task_id)(const weir_context *cx);
	const weir_config *(*config)(const weir_context *cx);
	const char *(*state_dir)(weir_context *cx, weir_error *err);
	/* What cx->released names, r, is not to go on, and what is to become of it has been done. */
	bool (*row_refused)(weir_context *cx, const weir_record *r);
	/* The handle of a metric of the program's own, of def's kind. */
	void *(*metric)(weir_context *cx, const weir_metric_def *def, const char *const *label_values);
};

/* A record that has changed a store. */
struct origin {
	weir_headers headers;
	const weir_kafka_record *source; /* WEIR_AS_LETTERS; without key and value if something of it was sent */
};

/* Headers of the records that have changed stores since the last commit, so that the results which it sends on have
 * those of the record that has changed them last, as in Kafka Streams. */
struct origins {
	struct arena memory;
	const struct origin **list;
	uint32_t count, room;
	uint32_t now; /* of what is at work: 1 + its place in the list, 0 = none, or ORIGIN_UNKNOWN */
	size_t bytes; /* about what it holds */
};

enum { ORIGINS_MAX = 1 << 24 };
#define ORIGIN_UNKNOWN UINT32_MAX /* the source has not been asked yet */

struct due_budget;

/* A row of a step's store that has waited and comes out, with no record of its own at work. */
struct released {
	const struct instance *step;
	weir_bytes key;    /* the row's, in the store */
	uint32_t number;   /* of several in the row */
	const char *topic; /* whose record it was; NULL = not known */
	int32_t partition;
	int64_t offset;
	const struct released *outer;
};

struct weir_context {
	struct arena arena; /* reset after each record */
	const struct context_ops *ops;
	struct instance *current; /* the step whose callback runs */
	/* The step that is given a record and must pass on nothing with another key; NULL = none */
	const struct instance *keeping;
	weir_bytes kept_key;
	const weir_kafka_record *source;    /* NULL in punctuators and while a commit sends changes on */
	const weir_headers *source_headers; /* the source's, where it cannot be asked any more; else NULL */
	const struct released *released;    /* NULL = none */
	struct origins origins;
	bool keeps_sources;      /* WEIR_AS_LETTERS */
	bool sent;               /* something of the record at work has been sent: see letters.c */
	struct passing *passing; /* the innermost step at work; NULL without WEIR_AS_LETTERS */
	int64_t stream_time_ms;
	struct due_budget *due_budget; /* the worker's */
	int64_t emit_interval_ms;      /* wall clock, between two looks at what waits for its window to close */
	int64_t record_bytes_max;      /* what a producer takes */
	weir_clock *clock;
	int32_t partition;
	bool commit_requested;
	/* The step at work has failed (weir_step_fail), and why: nothing of it goes on, see weir__failed. NULL =
	 * it has not. */
	const char *failure;
	bool failed; /* stop: see error */
	weir_error error;
};

/** Runs fn, which is the step's, with a record whose key it must keep: forwarding another stops the application. */
static inline void weir__process_keeping(struct instance *in, weir_context *cx, const weir_record *r,
					 void (*fn)(struct instance *in, weir_context *cx, const weir_record *r))
{
	const struct instance *keeping = cx->keeping;
	weir_bytes kept_key = cx->kept_key;

	cx->keeping = in;
	cx->kept_key = r->key;
	fn(in, cx, r);
	cx->keeping = keeping;
	cx->kept_key = kept_key;
}

/** `in` has failed at r: that is decided about, and over. NULL: at what no record has caused. */
void weir__failed(struct instance *in, weir_context *cx, const weir_record *r, int64_t now_ms);

/** A dead letter that counts as so many dropped records: as Kafka Streams counts what it does not tell otherwise;
 * weir_dead_letter counts one. */
void weir__dead_letter_as(weir_context *cx, const weir_record *r, const char *reason, int times);
/** Counts what is no dead letter. */
void weir__dropped(weir_context *cx, int times);

/** Where nobody can decide about it: the application stops. */
void weir__failed_for_good(weir_context *cx, const char *what);

/** What a table was, computed again for its old value, has failed: it did so when it was new, and was never passed
 * on. So there is no old value, and nothing has failed now. (WEIR_AS_FAILED_ROWS: it has, if the old value is
 * wanted.) */
bool weir__old_failed(const struct instance *in, weir_context *cx, bool old_wanted);

/** A change's new row has failed. True: the change goes on without it, for somebody below wants old values
 * (old_wanted): what the row was is part of something there, and once this one is the old row, nobody can tell any
 * more what that was. It has been told about then, and is over. Else nothing goes on. */
bool weir__goes_on_without(struct instance *in, weir_context *cx, const weir_record *change, bool old_wanted);

/** Runs a step. A callback that fails leaves its message in cx->failure and returns; from there on nothing of the
 * step is passed on, sent or put into tables, and here it ends. */
static inline void weir__process(struct instance *in, weir_context *cx, const weir_record *r)
{
	cx->current = in;
	in->op->process(in, cx, r);
	if (__builtin_expect(cx->failure != NULL, 0))
		weir__failed(in, cx, r, r->timestamp_ms);
}

/** Whether `what` (WEIR_AS_...) is to be done as in Kafka Streams. */
static inline bool weir__as(const struct instance *in, unsigned what)
{
	return in->node->topology->as & what;
}

/** Hands r to every child of `in`, unless `in` has failed; `in` is the current step again afterwards. */
static inline void weir__pass_on(struct instance *in, weir_context *cx, const weir_record *r)
{
	if (__builtin_expect(cx->failure != NULL, 0))
		return;
	for (size_t i = 0; i < in->child_count; i++)
		weir__process(in->children[i], cx, r);
	cx->current = in;
}

/* A key goes into the changelog with a window behind it, and into results: one that is as large as the broker just
 * takes would stop the application there. */
enum { KEY_BYTES_MAX = 1 << 19 };

/* A count, which wraps as Java's long does: a changelog may hold any number. */
static inline void weir__count_by(void *count, int64_t by)
{
	int64_t *n = count;

	(void)!__builtin_add_overflow(*n, by, n);
}

static inline void weir__time_seen(struct instance *in, int64_t timestamp_ms)
{
	if (timestamp_ms > in->observed_ms)
		in->observed_ms = timestamp_ms;
}

/** Around what comes of a row that has waited, `r`, while cx->source is NULL. False: it has become a dead letter,
 * since it makes state too large; there is no end then. `what` must last. */
bool weir__release_begin(weir_context *cx, struct released *what, const weir_record *r);
void weir__release_end(weir_context *cx);

/** store_spec.origin; user is the context. */
uint32_t weir__origin(void *context);
/** What is passed on from now on, with no source, has these headers: until cx->origins.now is set to 0. What is
 * changed from now on has them, too. */
void weir__origin_set(weir_context *cx, const weir_headers *headers);
/** A step may have given r headers of its own: what r changes has them, until weir__origin_back, which is given
 * what this returns. */
static inline uint32_t weir__origin_of(weir_context *cx, const weir_record *r)
{
	uint32_t before = cx->origins.now;

	if (__builtin_expect(r->headers != NULL, 0))
		weir__origin_set(cx, r->headers);
	return before;
}
static inline void weir__origin_back(weir_context *cx, const weir_record *r, uint32_t before)
{
	if (__builtin_expect(r->headers != NULL, 0))
		cx->origins.now = before;
}
/** Those of cx->origins.now. */
const weir_headers *weir__origin_headers(const weir_context *cx);
/** With keeps_sources: the record at work, or what has changed what a commit sends on; NULL = neither. */
const weir_kafka_record *weir__origin_source(const weir_context *cx);
/** The source of a dead letter as in Kafka Streams. */
const weir_kafka_record *weir__letter_source(weir_context *cx, int64_t timestamp_ms);
/** What an instance of n runs: n->op, or with WEIR_AS_LETTERS a copy in the arena that notes what is sent. */
const struct operator* weir__operator_of(const struct node *n, struct arena *a);
/** The step at work passes something on to one child alone. */
void weir__passes_anew(weir_context *cx);
/** Nothing that a store has changed is waiting any more. */
void weir__origins_clear(struct origins *o);
void weir__origins_release(struct origins *o);

/** A copy of *r whose values, once set, are of the step's serde. */
weir_record weir__copy_for(const struct instance *in, const weir_record *r);

/* --- what is around steps: wrap.c --------------------------------------------------------------------------------
 * */

/** What is to be around a step called `name`; NULL = nothing. `processor`: NULL = a step of weir's own. */
const weir_wrapper *weir__wrapper_for(const weir_topology *t, const char *name, const weir_processor *processor);
/** Has the step use these stores, too. */
void weir__stores_use(struct node *n, const char *const *stores);
/** Whether weir_process has made it, or weir__process_apart. */
bool weir__is_processor(const struct node *node);
/** Puts node->wrapper around an instance, when all else of it is made. */
void weir__instance_wrap(struct instance *in, struct arena *a);
/** The state of whoever's callback runs, the step's or its wrapper's: timers that it schedules get that. */
void *weir__callers_state(const struct instance *in);
/** A callback of that state's owner is to run; until weir__callers_back, which is given what this returns. */
bool weir__callers_state_set(struct instance *in, const void *state);
void weir__callers_back(struct instance *in, bool before);
/** Whether it is the wrapper's callback that runs. */
bool weir__is_outside(const struct instance *in);

/* --- tables -----------------------------------------------------------------------------------------------------
 * */

/*
 * A table is a step whose records are changes: the new value, and with has_old the old one (null = there was no
 * row). Where it has a store it passes changes on when that is flushed, once for each key; else it makes them of
 * those that come in. Whoever reads a table only when asked something else names it with weir__graph_look_up, and
 * then finds its rows here.
 */

/** The row of `table` with of->key (and of's window); false = there is none. *row lasts as long as the record at
 * work. */
bool weir__look_up(struct instance *table, weir_context *cx, const weir_record *of, enum table_view view,
		   weir_record *row);
/** The change's old value as a record of its own; false = null, or not known. */
bool weir__old_of(const weir_record *change, weir_record *old);
/** The same for the new value. */
bool weir__new_of(const weir_record *change, weir_record *new_one);
/** Changes of the table carry the old value from now on: it is kept in the store that the table lives in, or in
 * those that it is made of. While the graph is built. */
void weir__table_keep_old(struct node *table);

/** The history of a table that keeps versions, or is computed from such a one: what it passes on may be superseded.
 * Negative: it keeps none. */
int64_t weir__table_history_ms(const struct node *table);

/** A processor that is a step of no stream: it has that store alone, and forwards nothing. `value`: of the records
 * that it is given. */
struct node *weir__process_apart(weir_topology *t, const char *name, const char *store, const weir_serde *value,
				 weir_processor processor);

/** The row of a global table; false = there is none, or the key is null. */
bool weir__global_look_up(weir_context *cx, const weir_global *global, weir_bytes key, weir_record *row);

/* For operators of tables with a store, which is their first. */

/** Puts r's value into the store under r's key, or deletes that; deleting what is not there is nothing at all. A
 * store of versions gets all, and what it has taken is passed on at once. */
void weir__table_put(struct instance *in, weir_context *cx, const weir_record *r);
/** op->changed: passes the change on, with old and new value. Not called for stores of versions. */
void weir__table_changed(struct instance *in, weir_context *cx, const struct store_change *change);
/** op->look_up in the store. */
bool weir__table_look_up(struct instance *in, weir_context *cx, const weir_record *of, enum table_view view,
			 weir_record *row);
/** Gives a step a store for its table, called as the step where opts has no name. */
void weir__table_store_add(struct node *n, weir_table_opts opts);
/** The same for a table that can be computed: only if opts has a name. False: it has none. */
bool weir__table_store_of_view(struct node *n, weir_table_opts opts);

/** The key together with its window: as sinks write it. */
weir_bytes weir__windowed_key(weir_context *cx, const weir_record *r);

typedef int32_t weir_partition_fn(weir_context *cx, const weir_record *record, int32_t partitions, void *user);
/** The partition (-1 = by the key) that a callback chooses. False: it is wrong, and the application stops. */
bool weir__chosen_partition(const struct instance *in, weir_context *cx, const weir_record *r, const char *topic,
			    weir_partition_fn *choose, void *user, int32_t *partition);

extern const struct operator weir__sink_op;
/** The topic that a sink writes to; NULL when each record says where. */
const char *weir__sink_topic(const struct node *node);

/** Decodes what `in`, a source, has been given and finds its timestamp. False: turned away, and told to whom it
 * concerns. */
bool weir__source_take(struct instance *in, weir_context *cx, weir_record *r);

/** The stream that a stateful step called `name` reads: `s`, or what comes out of a repartition topic put in
 * between where the key has changed. It passes null keys on only if `null_keys`; without a repartition
 * they come in any case. */
struct node *weir__keyed_input(struct node *s, const char *name, bool null_keys);
/** The same with another name than <name>-by-key for the repartition. */
struct node *weir__keyed_input_through(struct node *s, const char *name, const char *through, bool null_keys);

/** `n` joins what has no key with nothing (KIP-962): repartitions above it, however far, keep such records, as in
 * Kafka Streams, also those from which they do not come to it. */
void weir__null_keys_want(struct node *n);

/** The step that reads the internal topic which `writer` fills; the topic is called after it. */
struct node *weir__repartition_read(struct node *writer, const char *name, const weir_serde *value,
				    int32_t partitions);

#endif
