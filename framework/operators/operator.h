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
	weir_store **stores; /* in the order of node->stores */
	void *state;         /* op->state_size bytes, zeroed, aligned to 16 */
	/* Greatest timestamp this step has seen (INT64_MIN = none): kept over restarts with the committed offsets.
	 * */
	int64_t observed_ms;
};

struct operator
{
	const char *kind;                              /* "filter" */
	bool keeps_time;                               /* it uses observed_ms */
	size_t (*state_size)(const struct node *node); /* NULL = 0 */
	void (*init)(struct instance * in, weir_context * cx);
	void (*process)(struct instance * in, weir_context * cx, const weir_record *r);
	/* A change of the step's own store, at a commit: pass it on. */
	void (*changed)(struct instance * in, weir_context * cx, const struct store_change *change);
	void (*close)(struct instance * in);
};

/* The runtime's services. */
struct context_ops {
	void (*dead_letter)(weir_context *cx, const weir_record *r, const char *reason);
	/* A source record whose value cannot be read: dead letter or stop, as configured. */
	void (*unreadable)(weir_context *cx, const weir_record *r, const char *message);
	/* To a topic; partition -1 = by key. */
	void (*send)(weir_context *cx, const char *topic, int32_t partition, const weir_record *r, weir_bytes key);
	int32_t (*partitions)(weir_context *cx, const char *topic);
	/* Full name of an internal topic: "<application.id>-<name>-repartition". */
	const char *(*repartition_topic)(weir_context *cx, const char *name);
	weir_timer *(*schedule)(weir_context *cx, int64_t interval_ms, weir_time time, weir_punctuate_fn *fn);
};

struct weir_context {
	struct arena arena; /* reset after each record */
	const struct context_ops *ops;
	struct instance *current;        /* the step whose callback runs */
	const weir_kafka_record *source; /* NULL in punctuators and while a commit sends changes on */
	int64_t stream_time_ms;
	weir_clock *clock;
	int32_t partition;
	bool commit_requested;
	bool failed; /* stop: see error */
	weir_error error;
};

/** Hands r to every child of `in`; `in` is the current step again afterwards. */
static inline void weir__pass_on(struct instance *in, weir_context *cx, const weir_record *r)
{
	for (size_t i = 0; i < in->child_count; i++) {
		struct instance *child = in->children[i];

		cx->current = child;
		child->op->process(child, cx, r);
	}
	cx->current = in;
}

static inline void weir__time_seen(struct instance *in, int64_t timestamp_ms)
{
	if (timestamp_ms > in->observed_ms)
		in->observed_ms = timestamp_ms;
}

extern const struct operator weir__sink_op;
/** The topic that a sink writes to; NULL when each record says where. */
const char *weir__sink_topic(const struct node *node);

/** Decodes what `in`, a source, has been given and finds its timestamp. False: turned away, and told to whom it
 * concerns. */
bool weir__source_take(struct instance *in, weir_context *cx, weir_record *r);

/** The stream that a stateful step called `name` reads: `s`, or what comes out of a repartition topic put in
 * between where the key has changed. */
struct node *weir__keyed_input(struct node *s, const char *name);

#endif
