#ifndef TOPOLOGIES_H
#define TOPOLOGIES_H
/* What is simulated: each topology with what goes in, and an independent recount of what must come out. */
#include <weir/simulator.h>

struct simulated {
	const char *name;
	weir_topology *(*build)(void);
	weir_simulation_feed_fn *feed;
	weir_simulation_check_fn *check;
	const char *config[2]; /* name and value of a key that it wants; NULL = none */
};

extern const struct simulated simulated[];
extern const size_t simulated_count;

/* topologies.c: "k<0 to 8>" and the number, into "in" */
weir_simulation_feed_fn feed_numbers;

/* tables.c */
weir_topology *build_tables(void);
weir_simulation_feed_fn feed_tables;
weir_simulation_check_fn check_tables;
weir_topology *build_foreign(void);
weir_simulation_check_fn check_foreign;

/* joins.c */
weir_topology *build_joined(void);
weir_simulation_feed_fn feed_joined;
weir_simulation_check_fn check_joined;

/* join_table.c */
weir_topology *build_join_table(void);
weir_simulation_feed_fn feed_join_table;
weir_simulation_check_fn check_join_table;

/* closing.c */
weir_topology *build_closing(void);
weir_topology *build_closing_sessions(void);
weir_topology *build_suppressed(void);
weir_simulation_feed_fn feed_closing;
weir_simulation_check_fn check_closing, check_closing_sessions;

/* failing.c */
weir_topology *build_failing(void);
weir_simulation_check_fn check_failing;

/* custom.c */
weir_topology *build_custom(void);
weir_simulation_feed_fn feed_custom;
weir_simulation_check_fn check_custom;

/* matched.c */
weir_topology *build_matched(void);
weir_simulation_feed_fn feed_matched;
weir_simulation_check_fn check_matched;

/* recent.c */
weir_topology *build_recent(void);
weir_simulation_feed_fn feed_recent;
weir_simulation_check_fn check_recent;

/* global_store.c */
weir_topology *build_global_store(void);
weir_simulation_feed_fn feed_global_store;
weir_simulation_check_fn check_global_store;

/* hidden.c */
weir_topology *build_hidden(void);
weir_simulation_feed_fn feed_hidden;
weir_simulation_check_fn check_hidden;

/* versioned.c */
weir_topology *build_versioned(void);
weir_simulation_feed_fn feed_versioned;
weir_simulation_check_fn check_versioned;

/* limited.c */
weir_topology *build_limited(void);
weir_simulation_feed_fn feed_limited;
weir_simulation_check_fn check_limited;

#endif
