#ifndef WEIR_DRIVER_SIMULATOR_H
#define WEIR_DRIVER_SIMULATOR_H
/*
 * simulator.c (the turns, instances coming and going), simulator_faults.c (what goes wrong), simulator_shutdown.c
 * (all instances stop because one asks for it), simulator_check.c.
 *
 * A crash at a call: from that call on nothing that the instance does reaches cluster or disk; its stack unwinds
 * through failing calls, then it is thrown away. So a crash between two calls is the same as one at the second, and
 * the runtime needs no points of its own for it.
 *
 * A pause at a call: while worker A is inside it, the simulator goes on with everybody else, and comes back.
 */
#include <weir/simulator.h>

#include "framework/kafka/embedded.h"
#include "framework/runtime/runtime.h"

enum { INSTANCES_MAX = 4, WORKERS_MAX = 4 };

/* Name, chance each time that it could happen (of calls; of turns), and for calls: where and what. */
#define SIM_CALL_FAULTS(X) \
	X(SEND_FAILS, "send-fails", 0.0005, EMBEDDED_AT_SEND, EMBEDDED_ABORTABLE) \
	X(SEND_FATAL, "send-fatal", 0.0003, EMBEDDED_AT_SEND, EMBEDDED_FATAL) \
	X(INIT_UNDONE, "init-unanswered", 0.2, EMBEDDED_AT_INIT, EMBEDDED_UNDONE) \
	X(INIT_FATAL, "init-fatal", 0.1, EMBEDDED_AT_INIT, EMBEDDED_FATAL) \
	X(OFFSETS_FAIL, "send-offsets-fails", 0.02, EMBEDDED_AT_SEND_OFFSETS, EMBEDDED_ABORTABLE) \
	X(OFFSETS_FATAL, "send-offsets-fatal", 0.01, EMBEDDED_AT_SEND_OFFSETS, EMBEDDED_FATAL) \
	X(COMMIT_FAILS, "commit-fails", 0.03, EMBEDDED_AT_COMMIT, EMBEDDED_ABORTABLE) \
	X(COMMIT_FATAL, "commit-fatal", 0.02, EMBEDDED_AT_COMMIT, EMBEDDED_FATAL) \
	X(COMMIT_UNDONE, "commit-unanswered-undone", 0.03, EMBEDDED_AT_COMMIT, EMBEDDED_UNDONE) \
	X(COMMIT_DONE, "commit-unanswered-done", 0.03, EMBEDDED_AT_COMMIT, EMBEDDED_DONE) \
	X(COMMIT_DONE_LATE, "commit-unanswered-late", 0.03, EMBEDDED_AT_COMMIT, EMBEDDED_DONE_LATE) \
	X(COMMIT_LATE, "commit-late-markers", 0.1, EMBEDDED_AT_COMMIT, EMBEDDED_LATE) \
	X(COMMIT_LATE_LOGS, "commit-late-log-markers", 0.1, EMBEDDED_AT_COMMIT, EMBEDDED_LATE_LOGS) \
	X(ABORT_FATAL, "abort-fatal", 0.1, EMBEDDED_AT_ABORT, EMBEDDED_FATAL) \
	X(ABORT_UNDONE, "abort-unanswered-undone", 0.1, EMBEDDED_AT_ABORT, EMBEDDED_UNDONE) \
	X(ABORT_DONE, "abort-unanswered-done", 0.1, EMBEDDED_AT_ABORT, EMBEDDED_DONE) \
	X(ABORT_LATE, "abort-late-markers", 0.2, EMBEDDED_AT_ABORT, EMBEDDED_LATE) \
	X(EVICTED, "evicted", 0.001, EMBEDDED_AT_POLL, EMBEDDED_EVICTED) \
	X(POLL_FAILS, "poll-fails", 0.01, EMBEDDED_AT_POLL, EMBEDDED_ABORTABLE) \
	X(POLL_FATAL, "poll-fatal", 0.0005, EMBEDDED_AT_POLL, EMBEDDED_FATAL) \
	X(POLL_FEW, "poll-one-record", 0.2, EMBEDDED_AT_POLL, EMBEDDED_FEW) \
	X(POLL_NONE, "poll-nothing", 0.1, EMBEDDED_AT_POLL, EMBEDDED_NONE) \
	X(GIVEN_UP_FATAL, "given-up-fatal", 0.06, EMBEDDED_AT_GIVEN_UP, EMBEDDED_FATAL) \
	X(COMMITTED_FAILS, "committed-unanswered", 0.1, EMBEDDED_AT_COMMITTED, EMBEDDED_UNDONE) \
	X(RANGE_FAILS, "offsets-unanswered", 0.05, EMBEDDED_AT_RANGE, EMBEDDED_UNDONE)

#define SIM_OTHER_FAULTS(X) \
	X(CRASH_AT_CALL, "crash-at-call", 0.0015) \
	X(DISK_BREAKS_AT_CALL, "disk-breaks-at-call", 0.002) \
	X(CRASH, "crash", 0.001) \
	X(LOSE_STATE, "state-lost", 0.3)      /* of crashes and stops */ \
	X(NEW_ID, "another-instance-id", 0.3) /* of those */ \
	X(STOP, "stop", 0.001) \
	X(PAUSE, "pause", 0.001) \
	X(PAUSE_AT_CALL, "pause-at-call", 0.002) \
	X(LONG_PAUSE, "long-pause", 0.3) /* of both */ \
	X(CLOCK_JUMP, "clock-jump", 0.0005) \
	X(CLOCK_SKEW, "wall-clock-skew", 0.0005) \
	X(COMPACT, "compaction", 0.002) \
	X(DISK_BREAKS, "disk-breaks", 0.1) \
	X(OLD_POSITIONS, "old-positions", 0.02) /* of questions for committed ones */ \
	X(WORKER_ERROR, "worker-error", 0.0008) /* another worker takes its place */ \
	X(SHUTDOWN, "shutdown", 0.2)            /* or, so often, all instances are asked to stop */

enum sim_fault {
#define X(id, name, chance, point, fault) SIM_##id,
	SIM_CALL_FAULTS(X)
#undef X
#define X(id, name, chance) SIM_##id,
		SIM_OTHER_FAULTS(X)
#undef X
			SIM_FAULTS
};

struct sim_clock {
	weir_clock clock;
	const weir_simulation *sim;
	int64_t skew_ms; /* of the wall */
};

struct sim_worker {
	int64_t asleep_until_ms;
};

struct sim_instance {
	int number, life; /* life: counts new ids */
	weir_app *app;    /* NULL = down */
	weir_config *cfg;
	struct sim_clock clock;
	struct sim_worker workers[WORKERS_MAX];
	const struct worker *stepping; /* NULL while it starts or stops */
	char id[32];
	char *dir; /* NULL = in memory */
	bool lose_state;
	bool dead;        /* nothing of it reaches anybody any more */
	bool disk_broken; /* it will stop by itself */
	int busy;         /* its code is on the stack */
	int64_t start_at_ms;
	int starts;
	int64_t steps;
	struct { /* when it has asked all others to stop */
		int64_t since_ms;
		int starts[INSTANCES_MAX];
		int64_t steps[INSTANCES_MAX];
	} asked;
};

struct weir_simulation {
	weir_simulation_opts opts;
	weir_simulation_report report;
	weir_topology *topology;
	weir_rng rng, fault_rng, feed_rng;
	weir_rng shutdown_rng; /* of its own: a seed does what it did before there were any, up to its first */
	double chances[SIM_FAULTS];
	bool calm;
	int64_t now_ms, started_ms;
	struct sim_clock broker_clock;
	weir_cluster *cluster;
	weir_producer *producer;
	struct sim_instance instances[INSTANCES_MAX];
	struct sim_instance *current; /* whose code runs; NULL = the simulator's own */
	int depth;                    /* of pauses at calls */
	int instance_count, worker_count;
	int32_t partitions;
	int64_t fed;
	int64_t step_ms_max;
	int64_t delete_retention_ms;
	int64_t commit_ms, checkpoint_ms, cache_bytes;
	bool static_membership;
	int64_t old_positions; /* since an operator has looked */
	bool positions_lost;   /* an instance has said so: an operator is at work */
	int64_t *newest;       /* of each store's partitions, weir__store_newest at the last check */
	size_t newest_room;
	bool failed;
	weir_error error;
};

/* simulator.c */
void weir__sim_turn(weir_simulation *s);
void weir__sim_fail(weir_simulation *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void weir__sim_note(weir_simulation *s, uint64_t what);
/** A pause in the middle of what it does must find none of its workers ready to go on. */
void weir__sim_put_to_sleep(struct sim_instance *in, int64_t until_ms);

/* simulator_faults.c */
void weir__sim_faults_plan(weir_simulation *s);
/** Whether it is to happen now; counts it. */
bool weir__sim_happens(weir_simulation *s, enum sim_fault fault);
enum embedded_fault weir__sim_at_call(enum embedded_point point, const char *who, void *simulation);

/* simulator_shutdown.c */
/** Of an instance with a worker that has failed: whether it asks all others to stop now. Its workers are closed. */
bool weir__sim_shutdown_begin(weir_simulation *s, struct sim_instance *in);
/** False: it has done so, or has died. */
bool weir__sim_shutdown_step(weir_simulation *s, struct sim_instance *in);

/* simulator_check.c */
/** Whether every task runs, and everything is read and committed. */
bool weir__sim_settled(weir_simulation *s);
void weir__sim_tell_unsettled(weir_simulation *s);
bool weir__sim_check_stores(weir_simulation *s, weir_error *err);

#endif
