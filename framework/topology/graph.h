#ifndef WEIR_GRAPH_H
#define WEIR_GRAPH_H
/*
 * The graph as data. Builder calls only append to it; validation, sub-topologies, description and execution read
 * it. weir_stream and weir_table are views of the same node: which one a caller holds is a matter of the interface
 * alone.
 */
#include <stdatomic.h>
#include <weir/table.h>

#include "framework/base/arena.h"
#include "state/store.h"

struct operator; /* framework/operators/operator.h */
struct node;

/* Which records of a store's changelog have the headers of the record that has caused them. */
enum logged_headers { LOGGED_NONE, LOGGED_OF_DELETIONS, LOGGED_OF_ALL };

/* A store of the topology; its spec's codec is filled in per task (it needs a serde and memory). */
struct graph_store {
	int id;
	struct store_spec spec;
	const weir_serde *value; /* NULL = bytes */
	struct node *owner;      /* the step that sends its changes on at a commit; NULL = a processor's store */
	/* Its changelog is the topic that its step's only input reads: nothing else is written. NULL = not so. */
	const struct graph_topic *source_topic;
	const weir_headers *changelog_headers; /* of its records that have a value; NULL = none */
	enum logged_headers logged_headers;
	int subtopology;
};

enum { NODE_STORES_MAX = WEIR_PROCESSOR_STORES_MAX + 1, NODE_LOOKED_UP_MAX = 2 };

struct node {
	int id;
	const char *name;
	const struct operator* op;
	struct weir_topology *topology;
	struct node **parents, **children;
	size_t parent_count, child_count;
	struct graph_store *stores[NODE_STORES_MAX]; /* own store first, if the step has one */
	size_t store_count;
	/* Tables whose rows it reads: not inputs, but in the same sub-topology. */
	struct node *looked_up[NODE_LOOKED_UP_MAX];
	size_t looked_up_count;
	const weir_serde *value;     /* of what it passes on; NULL = bytes */
	bool windowed;               /* its records carry a window */
	bool key_changed;            /* a repartition is needed before state */
	bool changes_key;            /* by this step itself */
	bool placed;                 /* for put_in_order */
	bool is_nothing;             /* weir__graph_nothing; not among the topology's */
	bool old_wanted;             /* of a table: something below asks for old values */
	bool looked_into;            /* ... or for its rows */
	bool store_unnamed;          /* its store is called as the step */
	bool null_keys_wanted;       /* something below, behind topics as well, passes null keys on */
	struct node *rekeyed;        /* the writer of the repartition that the steps with state below it share */
	const void *opts;            /* the operator's, in the topology's arena */
	const weir_wrapper *wrapper; /* around it; NULL = nothing */
	int subtopology;
};

enum topic_kind { TOPIC_EXTERNAL, TOPIC_REPARTITION, TOPIC_PATTERN };

/* A topic that the topology reads; or a pattern: all topics that it matches. */
struct graph_topic {
	/* Of the step, for internal ones: the full name depends on application.id. Of a pattern: its text. */
	const char *name;
	struct regex *regex; /* of a pattern */
	enum topic_kind kind;
	struct node *source;
	int32_t partitions_wanted; /* repartition: 0 = as the inputs above; pattern: at least so many */
	struct node *writer;       /* repartition: the step that fills it */
	const char *suffix;        /* of its full name; NULL = "repartition" */
	struct node *like;         /* as many partitions as the topics above this step; NULL = above the writer */
};

/* A table of which each instance has the whole; weir_global is this. */
struct graph_global {
	int id;
	const char *name, *store, *topic;
	const weir_serde *value; /* NULL = bytes */
	struct store_spec spec;
	const struct node *process;    /* makes its rows of the records; NULL = they are the rows */
	const weir_serde *topic_value; /* of the records; NULL = bytes */
};

struct subtopology {
	int id;
	struct node **nodes; /* parents before children */
	size_t node_count;
	struct graph_topic **topics;
	size_t topic_count;
	const struct node *pattern;  /* its first source of topics that match a pattern; NULL = it has none */
	struct graph_store **stores; /* those of steps above come first */
	size_t store_count;
};

/* fn NULL = the configuration decides. */
struct failure_handler {
	weir_failure_fn *fn;
	void *user;
};

/* RocksDB's options of one store. */
struct tuning {
	const char *store, *options;
};

struct weir_topology {
	struct arena arena;
	const char *name;
	struct node **nodes;
	size_t node_count;
	struct graph_store **stores;
	size_t store_count;
	struct graph_topic **topics;
	size_t topic_count;
	struct graph_global **globals;
	size_t global_count;
	struct regex *regexes;        /* of all patterns */
	const weir_config_key **keys; /* the program's own */
	size_t key_count;
	struct tuning **tunings;
	size_t tuning_count;
	const weir_wrapper *wrapper; /* NULL = none */
	/* Puts it around the steps that are no processors; NULL = they stay as they are. */
	void (*wrap_steps)(struct weir_topology *t);
	struct failure_handler on_failure, on_unreadable, on_refused;
	struct subtopology *subtopologies; /* by weir__graph_finish */
	size_t subtopology_count;
	unsigned optimize;
	unsigned as;    /* WEIR_AS_... */
	char *mistakes; /* one a line */
	bool finished;
	bool taken;           /* by a driver or a simulation, which frees it */
	atomic_int app_count; /* that have it: it does not change any more */
};

/** False: it is NULL, or taken already. */
bool weir__graph_take(weir_topology *t, weir_error *err);
/** The topology that this thread has begun last, and that has not been found sound or freed; NULL = none. */
weir_topology *weir__graph_begun(void);
void weir__graph_found_sound(const weir_topology *t);
/** Stands in for a stream or a table that is NULL: the step that goes on from it remembers a mistake. */
struct node *weir__graph_nothing(void);

/** Adds an element to a growing array of pointers in the topology's arena. */
void weir__graph_append(weir_topology *t, void ***array, size_t *count, void *element);

/** A new step below `parent` (NULL for sources): value serde and flags are taken over from it; opts (size bytes)
 * are copied. Checks the name. */
struct node *weir__graph_add(weir_topology *t, struct node *parent, const char *name, const struct operator* op,
			     const void *opts, size_t size);
/** One more input of a step. */
void weir__graph_connect(struct node *parent, struct node *child);
/** `child` has another input in the place of `from`. */
void weir__graph_move(struct node *child, struct node *from, struct node *to);
/** The step reads rows of that table, and runs in the same tasks. */
void weir__graph_look_up(struct node *n, struct node *table);
/** Whether it finds what is in that store: in its own ones, or in those below the tables that it looks up. */
bool weir__graph_reads(const struct node *n, const struct graph_store *store);
/** Remembers a mistake of the builder. */
void weir__graph_mistake(weir_topology *t, const char *step, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
struct graph_store *weir__graph_store_add(weir_topology *t, const char *name, const struct store_spec *spec,
					  const weir_serde *value);
/** What a store of a processor's is to be; mistakes are remembered. */
/** RocksDB's options of that store, NULL = none of its own; `user` is the topology. */
const char *weir__graph_tuning_of(const char *store, void *user);
/** Notes mistakes in them, once all stores are there. */
void weir__graph_tunings_check(weir_topology *t);
/** Where a store of the DSL's lies: in memory, on disk, or, if the step says neither, as dsl.store.suppliers.class
 * has it; stores of versions on disk then, as in Kafka Streams. */
void weir__graph_store_place(weir_topology *t, const char *step, struct store_spec *spec, bool in_memory,
			     bool on_disk);
/** ... of a processor. */
struct store_spec weir__graph_store_spec(weir_topology *t, const char *name, const weir_store_opts *opts);
struct graph_store *weir__graph_store_find(const weir_topology *t, const char *name);
/** Connects a step with a store by name, which must have been added. */
void weir__graph_store_use(struct node *node, const char *store_name);
void weir__graph_global_add(weir_topology *t, struct graph_global *global);
struct graph_topic *weir__graph_topic_add(weir_topology *t, const char *name, enum topic_kind kind,
					  struct node *source);

/** The same for a pattern, which the caller's memory may hold. */
struct graph_topic *weir__graph_pattern_add(weir_topology *t, const char *pattern, struct node *source);
/** Whether the whole name matches that pattern. From any thread. */
bool weir__graph_matches(const struct graph_topic *pattern, const char *topic);
/** Those that match topics which the topology reads by name are mistakes. */
void weir__graph_patterns_check(weir_topology *t);
void weir__graph_patterns_free(weir_topology *t);

/** Adds the program's own keys to cfg, where they are not in it. */
void weir__graph_add_keys(const weir_topology *t, weir_config *cfg);
/** False: cfg lacks one of them. */
bool weir__graph_check_keys(const weir_topology *t, const weir_config *cfg, weir_error *err);

/** Splits into sub-topologies and orders them; false with all mistakes. Idempotent. */
bool weir__graph_finish(weir_topology *t, weir_error *err);

static inline struct node *node_of_stream(weir_stream *s)
{
	return s ? (struct node *)s : weir__graph_nothing();
}
static inline weir_stream *stream_of(struct node *n)
{
	return (weir_stream *)n;
}
static inline struct node *node_of_table(weir_table *t)
{
	return t ? (struct node *)t : weir__graph_nothing();
}
static inline weir_table *table_of(struct node *n)
{
	return (weir_table *)n;
}

#endif
