#ifndef WEIR_APP_H
#define WEIR_APP_H
/*
 * Runs a topology: workers (threads), each with its own consumer in the group, its own transactional producer and
 * its own tasks.
 *
 * Calling sequence: weir_app_new -> weir_app_start, once -> the program's own loop, which looks at
 * weir_app_state_get -> weir_app_stop -> weir_app_free; or weir_main, which does all of that. An application runs
 * once: to begin again, make a new one. Threads: all functions may be called from any thread but a worker's: from a
 * callback of the topology weir_app_start, weir_app_stop and weir_app_query are refused.
 */
#include <weir/config.h>
#include <weir/kafka.h>
#include <weir/metrics.h>
#include <weir/topology.h>

typedef struct weir_app weir_app;

/*
 *   CREATED -> REBALANCING <-> RUNNING -> PENDING_SHUTDOWN -> NOT_RUNNING
 *                   |             |
 *                   +-------------+-----> ERROR
 */
typedef enum weir_app_state {
	WEIR_APP_CREATED,
	WEIR_APP_REBALANCING, /* some task of this instance is not ready yet, or nothing is assigned yet */
	WEIR_APP_RUNNING,
	WEIR_APP_PENDING_SHUTDOWN,
	WEIR_APP_NOT_RUNNING,
	WEIR_APP_ERROR,
} weir_app_state;
/** "RUNNING" and so on. Static text. */
const char *weir_app_state_name(weir_app_state state);

typedef enum weir_restore_event {
	WEIR_RESTORE_START,     /* a store that its changelog is to bring up to date: what follows is of it */
	WEIR_RESTORE_BATCH,     /* records have been read */
	WEIR_RESTORE_END,       /* it is up to date */
	WEIR_RESTORE_SUSPENDED, /* no end comes: the task is going, or everything begins anew with another start */
} weir_restore_event;

/* A store on its way, or a partition of a global table's topic. */
typedef struct weir_restore {
	const char *store, *topic; /* topic: the changelog */
	int32_t partition;
	int64_t from, to; /* offsets: where what may be new to the store begins, and behind the last one */
	int64_t at;       /* behind the last one that has been read */
	int64_t records;  /* taken into the store so far */
	int64_t batch;    /* ... since the event before */
} weir_restore;

typedef enum weir_uncaught_answer {
	WEIR_UNCAUGHT_STOP,    /* this instance ends with that error, as without being asked (SHUTDOWN_CLIENT) */
	WEIR_UNCAUGHT_REPLACE, /* the worker begins anew, from what is committed (REPLACE_THREAD) */
	/* All instances of the application end, the others cleanly, with an error that names this one. Its own end
	 * waits for them, in weir_app_stop. Who joins the group before they are gone ends as well. */
	WEIR_UNCAUGHT_SHUTDOWN_APPLICATION,
} weir_uncaught_answer;

/* Told what happens to an application (KafkaStreams.setStateListener, setGlobalStateRestoreListener,
 * setUncaughtExceptionHandler). A function that is NULL is not told. They must return soon, for the worker waits,
 * and may call nothing of the application but weir_app_state_get, weir_app_instance_id and weir_app_metrics. What
 * they are given lasts for the call. */
typedef struct weir_listener {
	/** Each change of the state, in their order, one call at a time; from a worker, or from whoever starts or
	 * stops the application. Short-lived ones may be missing; `before` is what was told last, CREATED at first.
	 */
	void (*state)(weir_app *app, weir_app_state now, weir_app_state before, void *user);
	/** Of a store that has something to restore, the events in order; stores of several workers at once. From
	 * the worker; of global tables from their own thread, the start from whoever starts the application. */
	void (*restore)(weir_app *app, weir_restore_event event, const weir_restore *restore, void *user);
	/** Of an error that ends a worker (KIP-671): what is to be done. Its open transaction is aborted, whatever
	 * the answer; the state is not ERROR yet. From the worker, of several at once. What comes again with its
	 * record, as weir_stop, or with a broken disk fails each new one, too: whoever answers "replace" counts.
	 * worker -1: the reader of global tables, in whose place there is no other: "replace" stops as well.
	 * Not told of a start that fails, whose error weir_app_start returns, nor once the application is being
	 * stopped. */
	weir_uncaught_answer (*uncaught)(weir_app *app, int worker, const weir_error *error, void *user);
	void *user;
} weir_listener;

typedef struct weir_app_opts {
	weir_clock *clock;     /* NULL = the system's */
	weir_metrics *metrics; /* where to register; NULL = its own */
	weir_listener listener;
} weir_app_opts;

/** Checks the topology. topology, cfg (with application.id, and state.dir: ./weir-state unless it is set, "" = no
 * state on disk) and cluster must outlive the app. NULL and *err: a mistake in them, or one of them is NULL. */
weir_app *weir_app_new(weir_topology *topology, const weir_config *cfg, weir_cluster *cluster, weir_app_opts opts,
		       weir_error *err);
/** Opens the state, checks or makes internal topics, starts the workers. False: *err, and the application is in
 * ERROR and can only be freed. A second call is refused and changes nothing. */
bool weir_app_start(weir_app *app, weir_error *err);
/** Commits, leaves the group, closes the state; up to timeout_ms, after which open transactions are left to their
 * time-out. False: *err is why
 *  the app had stopped by itself, or that the time was not enough. Safe to call again. */
bool weir_app_stop(weir_app *app, int64_t timeout_ms, weir_error *err);
/** Whether no worker of it runs (any more), also of one that has failed or was never started. After a stop whose
 * time was not enough it is false: free nothing that a worker may still use, or wait. */
bool weir_app_ended(weir_app *app);
/** Stops it first, and waits for as long as its workers need for that. NULL is let through. */
void weir_app_free(weir_app *app);

/** What tells this instance from the others: instance.id, or what is kept in state.dir for it. Valid from the start
 *  on until weir_app_free. */
const char *weir_app_instance_id(const weir_app *app);
/** The state; with WEIR_APP_ERROR *err (may be NULL) says why. */
weir_app_state weir_app_state_get(weir_app *app, weir_error *err);
/** True once everything that lay in the input topics at the first call is processed and committed, whichever
 * instance did it. */
bool weir_app_caught_up(weir_app *app);
/** Its metrics, or those it was given. */
weir_metrics *weir_app_metrics(weir_app *app);
/** Transactions committed so far: grows whenever results or stores may have changed. */
uint64_t weir_app_commits(weir_app *app);

/* --- queries ----------------------------------------------------------------------------------------------------
 * */

/** Runs on the worker between records, once for each partition of the store that this instance holds: read
 * (store.h), copy, return. There is no context: what it reads are bytes, as the store's serde has written them
 * (weir_count's by weir_int64: weir_get_be64). It puts nothing. */
typedef void weir_query_fn(weir_store *store, int32_t partition, void *user);

typedef struct weir_query_opts {
	/* at once; default: only what is committed, at the latest after the next commit */
	bool read_uncommitted;
	weir_bytes key;     /* not null: only the partition that this key belongs to */
	int64_t timeout_ms; /* 0 = query.timeout.ms */
} weir_query_opts;
/** Of stores, tables and global tables (partition 0), by the store's name. False: no such store, not all partitions
 * of this instance are restored yet (retriable), the time-out (fn is not called any more then), or fn has used the
 * store as what it is not. */
bool weir_app_query(weir_app *app, const char *store, weir_query_fn *fn, void *user, weir_query_opts opts,
		    weir_error *err);

/* --- a whole program
 * --- */

typedef weir_topology *weir_build_fn(void);
/**
 * For a main: options (-b, -c, -X, --create-topics, --describe, --version, --help), configuration, logging to
 * standard error, signals (the first SIGINT or SIGTERM commits and leaves, the second stops at once), run. Returns
 * the exit code: 0 done, 1 failed, 2 wrong usage. application.id defaults to the topology's name.
 */
int weir_main(int argc, char **argv, weir_build_fn *build);
/** The same with a listener of the program's (or metrics, or a clock). opts.listener.user must outlive it. */
int weir_main_with(int argc, char **argv, weir_build_fn *build, weir_app_opts opts);

#endif
