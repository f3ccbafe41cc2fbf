#ifndef CONFORMANCE_H
#define CONFORMANCE_H
/*
 * The differential test against Kafka Streams: a case file is read, input is made from a seed, a topology is built
 * by the file's lines and run under the test driver, and what it did is written down as a trace. Kafka Streams'
 * trace of the same case and seed must be the same, line by line. README.md says how to add a case or an operator.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/rng.h>
#include <weir/weir.h>

#include "framework/base/alloc.h"
#include "framework/base/arena.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

enum { INPUTS_MAX = 8, OPTIONS_MAX = 24 };

/** Ends the program: a case file or the command line is wrong. */
void fatal(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* --- text.c: growing text ------------------------------------------------------------------------------------- */

struct text {
	char *s; /* NULL = empty */
	size_t len, room;
};

void text_add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** ~ is null, "" is empty; what is not printable, and % ~ ", as %XX. */
void text_add_bytes(struct text *t, weir_bytes b);
/** The reverse, into the arena. */
weir_bytes bytes_of_text(struct arena *a, const char *text);
/** What the file has. */
void text_add_file(struct text *t, const char *path);
void text_release(struct text *t);
/** The next line of *at, without its end, cut off in place; NULL at the end. */
char *next_line(char **at);
/** Cuts a line into words, in place. */
size_t split(char *line, char **words, size_t max);

/* --- case.c --------------------------------------------------------------------------------------------------- */

/* One line: OP NAME [INPUT...] [OPTION=VALUE...] */
struct step {
	const char *op, *name;
	const char *inputs[INPUTS_MAX];
	size_t input_count;
	const char *options[OPTIONS_MAX][2];
	size_t option_count;
	struct step *next;
};

struct test_case {
	char *name, *text;
	struct step *steps;
	struct step gen, config; /* the options of all such lines */
	unsigned as;             /* WEIR_AS_... */
	struct test_case *next;
};

extern const char *as_names[]; /* of bits of struct test_case.as; NULL at the end */
struct test_case *case_read(const char *directory, const char *name);
/** The same of lines that are no file. */
struct test_case *case_of(const char *name, const char *text);
void case_free(struct test_case *c);
/** NULL if it is not there. */
const char *step_option(const struct step *s, const char *name);
int64_t step_number(const struct step *s, const char *name, int64_t otherwise);

/* --- coverage.c ----------------------------------------------------------------------------------------------- */

/* While `conformance -c` looks through the cases, these note what there is to be covered, and whether the case has
 * it; at other times they do nothing. */
void cover(bool here, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** All of `names`, of which the case has `chosen` (NULL = none); each behind the words `what`. */
void cover_choice(const char *what, const char *const *names, size_t n, const char *chosen);
/** Builds all of the cases, and prints what is in too few of them; returns how much that is. */
int coverage_check(struct test_case *const *cases, size_t count);

/* --- generate.c ----------------------------------------------------------------------------------------------- */

/** The input of a seed: lines "in TOPIC KEY VALUE TIMESTAMP [HEADER=VALUE...]" and "wall MS". */
void generate(const struct test_case *c, uint64_t seed, struct text *out);

/* --- functions.c ---------------------------------------------------------------------------------------------- */

/* What steps call by name, "name" or "name:argument", as in kafka-streams/.../Functions.java; all see keys and
 * values as text, of a number its digits. Results come from weir_alloc or are arguments. */
struct bound;
typedef const char *three_fn(weir_context *cx, const char *key, const char *a, const char *b, const char *argument);
struct bound {
	bool (*test)(const char *key, const char *value, const char *argument);
	const char *(*map)(weir_context *cx, const char *key, const char *value, const char *argument);
	three_fn *three; /* joiner: key, left, right; folder: key, value, aggregate; reducer: -, aggregate, value */
	void (*many)(weir_context *cx, const char *value, void (*each)(weir_context *cx, const char *one, void *to),
		     void *to);
	const char *argument;
	bool fails; /* a predicate, where the argument is in the value */
};

/** The answer of a predicate, as weir_predicate_fn; `bound` is its struct bound. */
bool tested(weir_context *cx, const weir_record *r, void *bound);

struct graph;
/** `kind`: "predicate", "mapper", "joiner", "folder", "reducer", "many". Lives as long as the graph. */
struct bound *bind(struct graph *g, const char *kind, const char *name);
const char *shown(const char *s);
const char *format(weir_context *cx, const char *how, ...) __attribute__((format(printf, 2, 3)));

/* --- steps.c, windows.c, tables.c, joins.c, processors.c, serdes.c -------------------------------------------- */

struct named {
	const char *name;
	weir_stream *stream;
	weir_table *table; /* one of the two */
	const weir_serde *value;
	struct named *next;
};

struct graph {
	weir_topology *t;
	struct named *nodes;
	struct arena arena;
	struct text *trace; /* peeking steps write here */
	const char *outputs[64];
	size_t output_count;
	bool has_keys; /* those of "context" */
	const struct test_case *c;
	const char *around; /* what a wrapper does: around.c */
};

/* A graph is freed after its topology. */
struct graph *graph_build(const struct test_case *c, struct text *trace);
void graph_free(struct graph *g);

typedef void build_fn(struct graph *g, const struct step *s);
struct builder {
	const char *op;
	build_fn *build;
};
extern const struct builder stream_builders[], window_builders[], table_builders[], join_builders[],
	processor_builders[], versioned_builders[], serde_builders[], failing_builders[];

/** The first of the operators that are built by the same function, or read the same options. */
const char *family_of(const char *op);
struct named *graph_put_stream(struct graph *g, const char *name, weir_stream *stream, const weir_serde *value);
struct named *graph_put_table(struct graph *g, const char *name, weir_table *table, const weir_serde *value);
struct named *graph_get(struct graph *g, const char *name);
/** Input i of the step. */
struct named *input(struct graph *g, const struct step *s, size_t i);
/** A topic that is written. */
void graph_output(struct graph *g, const char *topic);

/** Puts around each processor what Wrapping.java does: failing.c. */
void wrap(weir_topology *t);
/** Puts around each step what Around.java does: around.c. */
void wrap_steps(struct graph *g, const char *what);

/* Records as the functions see them. */
const char *key_text(const weir_record *r);
const char *value_text(const weir_record *r);
const char *bytes_text(weir_context *cx, weir_bytes b);
/** An object of weir_utf8; NULL of NULL. */
const void *text_object(weir_context *cx, const char *s);
/** The text of an object of `serde`. */
const char *object_text(weir_context *cx, const void *object, const weir_serde *serde);

/* --- versioned.c ---------------------------------------------------------------------------------------------- */

/** Appends what is valid within the store's history, as lines "store NAME KEY@FROM-TO VALUE FROM". */
void versions_list(weir_store *store, const char *name, struct text *lines,
		   void (*add_value)(struct text *out, weir_bytes value, const weir_serde *serde),
		   const weir_serde *serde);

/* --- trace.c -------------------------------------------------------------------------------------------------- */

/** Runs `input` (as generate writes it) and appends to *out, between "run CASE SEED" and "end", the input with
 * what came of it: "out TOPIC KEY VALUE TIMESTAMP [HEADER=VALUE...]", the same as "via" for topics of
 * repartitions, "peek ...", "dropped N"; where the case names a topic for dead letters "letter KEY VALUE
 * topic=... partition=... offset=... message=..." for those of steps that fail; in the end "store
 * NAME KEY VALUE TIMESTAMP" for what the stores hold, and "log TOPIC KEY VALUE TIMESTAMP" for the last record of
 * each key of a changelog. */
void trace_run(const struct test_case *c, uint64_t seed, const char *input, struct text *out);
/* Other ways to the same end. */
struct trace_way {
	int32_t partitions; /* of topics; 0 = 1 */
	bool batch;         /* all of the input lies there before the application starts */
	bool restarts;      /* it ends twice on the way, cleanly and as in a crash */
};
/** The same by such a way. */
void trace_run_by(const struct test_case *c, uint64_t seed, const char *input, struct trace_way way,
		  struct text *out);
/** From now on weir's stores are on disk, in this folder, which is emptied after each run. */
void trace_on_disk(const char *dir);

/* --- main.c --------------------------------------------------------------------------------------------------- */

/* What the two sides make of an input, ready to compare. */
struct both {
	struct text want, got;
};

/** Tells Kafka Streams' side of a case that is no file. */
void other_define(const char *name, const char *text);
struct both ask_both(const struct test_case *c, uint64_t seed, const char *input);
bool same(const struct both *b);
void both_release(struct both *b);
/** Prints the first line that differs, and the input before it. */
void explain(const struct text *want, const struct text *got);
/** Leaves out of the input what the difference does not need, and prints the rest. */
void shrink(const struct test_case *c, uint64_t seed, const char *input);

#endif
