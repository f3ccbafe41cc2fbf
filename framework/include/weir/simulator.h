#ifndef WEIR_SIMULATOR_H
#define WEIR_SIMULATOR_H
/*
 * A topology under a hostile sky: several instances with several workers each, over the embedded log, on a clock of
 * their own, in one thread. One seed decides everything - who is stepped when, what comes in, and what goes wrong:
 * crashes in the middle of any call to the cluster, workers that stand still while others take their place, lost
 * and late answers, disks that break, clocks that jump. The same seed does the same again.
 *
 * Once all input is in, the faults end; when everything has settled the simulator checks what must hold for every
 * topology: positions at the ends, no task missing, each store equal to what its changelog holds. Then `check` says
 * what the topology at hand must have made of its input, usually by counting the input log again.
 *
 *	static void feed(weir_rng *rng, int64_t number, int64_t now_ms, weir_simulation_input *in, void *user)
 *	{ ... in->topic = "posts"; in->key = ...; }
 *	static bool check(weir_simulation *s, void *user, weir_error *err)
 *	{ ... weir_simulation_read(s, "posts", count, ...); weir_simulation_read(s, "city-counts", compare, ...); }
 *
 *	for (uint64_t seed = 1; seed <= 1000; seed++) {
 *		weir_simulation_opts opts = { .seed = seed, .feed = feed, .check = check };
 *
 *		if (!weir_simulate(city_counts(), opts, NULL, &err))
 *			printf("seed %llu: %s\n", seed, err.message);
 *	}
 *
 * Callbacks of the topology must be as deterministic as the simulator: no clock but weir_now_ms, no random numbers
 * but from a seed, nothing that survives a crash outside of stores.
 */
#include <weir/rng.h>
#include <weir/topology.h>

typedef struct weir_simulation weir_simulation;

typedef struct weir_simulation_input {
	const char *topic;
	weir_bytes key, value;
	int64_t timestamp_ms;
	int32_t partition; /* -1 = by key, which is what it is when feed is called */
} weir_simulation_input;

/** Fills in record `number` (from 0); what it points to must last until the next call. */
typedef void weir_simulation_feed_fn(weir_rng *rng, int64_t number, int64_t now_ms, weir_simulation_input *in,
				     void *user);
/** Whether the outcome is right; else *err says what is not. */
typedef bool weir_simulation_check_fn(weir_simulation *s, void *user, weir_error *err);

typedef struct weir_simulation_opts {
	uint64_t seed;
	int64_t records;        /* of input; 0 = 400 */
	int32_t partitions;     /* of all topics; 0 = the seed says */
	int instances, workers; /* 0 = the seed says; workers: of each instance */
	weir_simulation_feed_fn *feed;
	weir_simulation_check_fn *check; /* may be NULL */
	void *user;
	const char *state_dir;          /* stores on disk below it, in folders that are removed; NULL = in memory */
	bool calm;                      /* no faults: what the topology does by itself */
	const char *const (*config)[2]; /* pairs of name, value */
	size_t config_count;
} weir_simulation_opts;

#define WEIR_SIMULATION_FAULTS_MAX 48

typedef struct weir_simulation_report {
	uint64_t digest; /* of all that has happened: the same for the same seed */
	int64_t steps, virtual_ms, commits, aborts, records, restored;
	int64_t shut_down; /* instances that have stopped because another has asked for it */
	int64_t mended;    /* times that an operator has set positions right, which an instance had refused */
	const char *fault_names[WEIR_SIMULATION_FAULTS_MAX]; /* NULL behind the last */
	int64_t fault_counts[WEIR_SIMULATION_FAULTS_MAX];    /* injected */
} weir_simulation_report;

/** Takes the topology over and frees it. *report (may be NULL) is added to, its digest replaced. False: *err says
 * what
 *  went wrong; the seed repeats it. */
bool weir_simulate(weir_topology *topology, weir_simulation_opts opts, weir_simulation_report *report,
		   weir_error *err);

/* --- for check ---------------------------------------------------------------------------------------------------
 * */

typedef void weir_simulation_record_fn(const weir_kafka_record *record, void *user);
/** Every committed record of the topic, in order in each partition. False if it cannot be read to its end. */
bool weir_simulation_read(weir_simulation *s, const char *topic, weir_simulation_record_fn *fn, void *user,
			  weir_error *err);
/** A store's partition, wherever it is held; NULL if it is not. For reading. */
weir_store *weir_simulation_store(weir_simulation *s, const char *name, int32_t partition);
/** A global table or store as an instance has it; instances count from 0. NULL: there is no such one. */
weir_store *weir_simulation_global(weir_simulation *s, int instance, const char *name);
/** Of all topics, where opts.partitions has left it to the seed. */
int32_t weir_simulation_partitions(const weir_simulation *s);
/** The cluster behind it, for what is not offered here. */
weir_cluster *weir_simulation_cluster(weir_simulation *s);

#endif
