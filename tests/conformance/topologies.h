#ifndef CONFORMANCE_TOPOLOGIES_H
#define CONFORMANCE_TOPOLOGIES_H
/*
 * Random topologies: cases that nobody has written. topologies.c has the grammar, random.c runs them.
 */
#include "tests/conformance/conformance.h"

enum { MADE_MAX = 64, NAME_MAX_LEN = 12, WORDS_MAX = 240 };

/* What a step gives, by bits of topologies.c. */
struct type {
	uint64_t is;
	unsigned sources, topics; /* from outside; internal ones by which it comes into its sub-topology */
	int store;                /* which one it is a view of */
	int size;                 /* of its windows */
	double records, length;   /* at most about so many of one record, so long a value */
};

struct made {
	const char *op; /* NULL = a branch of the step that is its input */
	char name[NAME_MAX_LEN], options[WORDS_MAX];
	size_t inputs[2], input_count;
	struct type type;
	bool gone;
};

struct topology {
	struct made made[MADE_MAX];
	size_t count;
	char gen[WORDS_MAX], config[WORDS_MAX];
};

/* What the topologies of a run must do without. */
enum without {
	WITHOUT_NOTHING = 0,
	WITHOUT_OWN_STATE = 1,   /* steps that know something which no store has */
	WITHOUT_STREAM_TIME = 2, /* steps that look at how far time has come */
};

/** The topology of a seed. */
void topology_make(struct topology *t, uint64_t seed, unsigned without);
/** The lines of its case. */
void topology_text(const struct topology *t, struct text *out);
/** Takes a step out, and all that is made of it; false if it was no longer there. */
bool topology_remove(struct topology *t, size_t step);
/** Takes a step out, and gives those below it its input instead; false where that would be something else. */
bool topology_bypass(struct topology *t, size_t step);
size_t topology_size(const struct topology *t);
/** After a removal: grouped tables are still aggregated. */
bool topology_runs(const struct topology *t);

/** The topologies of n seeds from that one on, each with so many inputs, through both sides (`live`), or through
 * weir alone, which must make the same of them by other ways. How many went wrong. */
int random_topologies(uint64_t seed, int n, int inputs, bool live);

#endif
