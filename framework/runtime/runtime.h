#ifndef WEIR_RUNTIME_H
#define WEIR_RUNTIME_H
/*
 * The inside of a running application.
 *
 * An app has workers; a worker is one thread with its own consumer, producer, restorer and tasks, and shares
 * nothing per record. Everything below `struct worker` is touched by its own thread alone; what others may look at
 * is atomic or behind app->mutex.
 *
 * Files: app.c (start, stop, state), settings.c, topics.c (internal topics), worker.c (the loop), group.c
 * (rebalances), anchors.c (what stands for tasks), patterns.c (topics that match), task.c (a task's life),
 * input.c (records in, in time order), commit.c (the transaction), restore.c, services.c (what operators ask
 * for), globals.c (global tables), global_task.c (their contexts, processors before them), positions.c (metadata of
 * committed offsets), query.c (the mailbox), purge.c, caught_up.c, own.c (files and metrics of a task's
 * processors), listener.c, shutdown.c (all instances stop), metrics.c, store_metrics.c.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <weir/app.h>
#include <weir/log.h>

#include "framework/operators/due.h"
#include "framework/operators/operator.h"
#include "framework/runtime/ages.h"
#include "framework/runtime/fencings.h"

struct worker;
struct task;

/* --- settings, read once ----------------------------------------------------------------------------------------
 * */

struct settings {
	const char *application_id;
	const char *dead_letter_topic; /* NULL = none */
	const char *rocksdb_options;   /* NULL = none */
	int64_t commit_interval_us;
	int64_t transaction_timeout_ms, session_timeout_ms, max_poll_interval_ms, metadata_max_age_ms;
	int64_t max_task_idle_ms, task_timeout_ms, emit_interval_ms;
	int64_t future_ms_max; /* 0 = no limit */
	int64_t checkpoint_interval_ms, checkpoint_records;
	int64_t purge_interval_ms, cleanup_delay_ms, recommit_interval_us, query_timeout_ms;
	int64_t memory_bytes_max, state_bytes_max;  /* state: RocksDB */
	int64_t cache_bytes_max;                    /* of one worker */
	int64_t restore_bytes_max;                  /* of all; part of what the caches have */
	int64_t fetch_bytes_max, produce_bytes_max; /* of one client */
	int64_t waiting_bytes_max;                  /* of one worker */
	int64_t record_bytes_max;                   /* what a producer takes */
	int buffered_records_max;
	int workers;
	int16_t replication;
	bool static_membership;
	bool dsl_in_memory; /* stores of which the step does not say where they lie */
	bool stop_on_unreadable, stop_on_refused, stop_on_failure;
	bool store_headers;      /* dsl.store.format=HEADERS */
	bool commit_each_record; /* the driver's */
	/* The driver's, too: what a topic is made like that a sink's route names and that is not there; NULL = it
	 * stops the application. */
	const weir_topic_spec *missing_topics;
};

bool weir__settings_read(struct settings *s, const weir_config *cfg, weir_error *err);

/* --- records waiting in memory (tasks with several inputs)
 * --- */

struct waiting;

/* One partition that a task reads. */
struct input {
	struct task *task;
	const struct graph_topic *graph;
	const char *topic; /* the app's copy */
	int32_t partition;
	uint16_t id; /* of this worker: names the input in delivery tags */
	struct instance *source;
	weir_reset reset;
	int64_t reset_ms;
	int64_t position;  /* behind the last record processed: what a commit sends; -1 = not known yet */
	int64_t committed; /* as last committed */
	int64_t begin;     /* where the source said that reading begins; -1 = not asked */
	int64_t time_ms;   /* greatest timestamp taken; INT64_MIN = none */
	struct waiting *head, *tail;
	int waiting;
	bool internal;    /* a repartition topic */
	bool anchor;      /* of a task with patterns: the first, always empty; what is committed stands there */
	bool matched;     /* found by a pattern */
	bool gone;        /* matched, and could not be read: its topic is to be looked for again */
	bool doubtful;    /* its position lay outside the log: to be checked when it is read again */
	int64_t first;    /* of the log, while doubtful */
	bool paused;      /* by us, because enough is waiting */
	struct ages ages; /* with retain_ms */
	int64_t empty_since_us; /* for max.task.idle.ms; 0 = not empty */
};

/* A digest of a changelog's record, 0 = a deletion. It stands beside positions: it must not change. */
uint64_t weir__record_digest(weir_bytes key, weir_bytes value);

struct task_store {
	struct task *task;
	const struct graph_store *graph;
	weir_store *store;
	const char *changelog; /* topic; NULL = not logged */
	bool writes_changelog;
	enum logged_headers logged_headers;
	struct input *source;  /* its topic is the changelog, up to the committed position; NULL = not so */
	weir_context codec_cx; /* memory for the serde at the store's edges */
	int64_t restore_end;   /* high watermark of the changelog when restoring began */
	int64_t known_end;  /* it has reached as far as this: of a deleted one nobody must begin anew unnoticed */
	int64_t restore_at; /* how far it was at the last look, and since when it stands there, while looked at */
	int64_t restore_looked_us, restore_stuck_us;
	int64_t restore_from;  /* where it began to read */
	int64_t restore_new;   /* what lies before is in the store */
	int64_t restored;      /* records */
	int64_t restored_told; /* to the listener */
	bool restoring;
	int64_t wrote; /* changelog records of the open transaction */
	/* Told beside the committed position: what the changelog had reached before that commit, and how many
	 * records the commit has written; -1 = not told. And how many committed ones have been found there. */
	int64_t reached, written, found;
	/* Digests of the last record: of the open transaction, of that commit, and of those found; 0 = a deletion,
	 * or none. */
	uint64_t wrote_last, written_last, found_last;
	int64_t newest_was;    /* weir__store_newest at that commit; INT64_MIN = not told, or none */
	int64_t doubted;       /* `reached` when the positions seemed too old; -1 = they did not */
	int64_t checkpoint_us; /* when it was last made durable */
};

/*
 *   OPENING -> RESTORING -> RUNNING
 *      ^           |           |
 *      +-----------+-----------+   after an abort, or an outcome not known: everything as committed again
 *
 * From each of them a task may be closed. Its inputs are paused until it runs.
 */
enum task_state { TASK_OPENING, TASK_RESTORING, TASK_RUNNING };

struct weir_timer {
	struct weir_timer *next;
	uint64_t number; /* grows with each time that one is scheduled, or has been called */
	struct instance *instance;
	void *state; /* of whoever has scheduled it: the step, or what is wrapped in it */
	weir_punctuate_fn *fn;
	int64_t interval_ms, due_ms;
	weir_time time;
	bool cancelled;
};

struct own_metric;

struct task {
	weir_context cx; /* first: a context is its task */
	struct worker *worker;
	const struct subtopology *sub;
	int32_t partition;
	char id[24]; /* "0_3" */
	enum task_state state;
	struct input *inputs;
	size_t input_count;
	size_t read_count;          /* without the anchor */
	weir_partition *list;       /* room for all inputs, for whoever needs it within a function */
	struct instance *instances; /* in the order of sub->nodes */
	struct arena instance_memory;
	struct task_store *stores;
	size_t store_count;
	struct input *current; /* of the record being processed; NULL in punctuators and commits */
	struct weir_timer *timers;
	uint64_t timer_number;
	int64_t next_wall_ms; /* earliest wall-clock timer; INT64_MAX = none */
	bool touched;         /* by the open transaction */
	bool stores_open, instances_made;
	bool position_was_committed; /* some input had a committed offset when the task was opened */
	struct own_metric *metrics;  /* the program's */
	char *dir;                   /* for the program's files; NULL = not asked for */
	int64_t opened_us;           /* when it began to open, for task.timeout.ms and logs */
	int64_t try_again_us;
	bool agreed; /* the group's members divide its sub-topology by the same topic, since it is this worker's */
};

enum { TOPIC_NAME_MAX = 249 }; /* Kafka's */

/* A record that the broker refused to take something of. When it comes again: if it was a result, it goes to the
 * dead letters instead, or as the program answers; if it was its dead letter, that is sent bare. */
struct poison {
	struct poison *next;
	const char *topic; /* an input's: lives as long as the app */
	int32_t partition;
	int64_t offset;
	bool bare;
	char reason[200];                 /* of a result that was refused; else "" */
	char refuser[TOPIC_NAME_MAX + 1]; /* the topic that the result was for */
};

/* Partition counts of topics that are written to, asked for once. */
struct written_topic {
	struct written_topic *next;
	int32_t partitions;
	char name[];
};

/* Topics as they match the patterns of sources, in the order of their names. */
struct matches {
	struct match {
		const struct graph_topic *pattern;
		const char *topic; /* as long as the app runs */
		int32_t partitions;
	} * items;
	size_t count;
	int32_t *anchors; /* partitions of them, as topology->subtopologies; 0 = not there, or it has none */
};

struct query;

struct worker {
	weir_app *app;
	int index;
	pthread_t thread;
	bool thread_started;
	weir_consumer *consumer, *restorer;
	weir_producer *producer; /* NULL = not there yet: nothing runs */
	/* The first one, which a thread opens while this worker joins the group and restores. */
	struct {
		pthread_t thread;
		bool has_thread; /* whoever starts the app joins it */
		atomic_int state;
		weir_producer *producer;
		weir_error error;
	} first;
	char id[200]; /* <application.id>-<instance.id>-<index>: transactional id, static member id */
	struct task **tasks;
	size_t task_count;
	uint16_t next_input_id;
	struct matches matches; /* as they were at the last look */
	int64_t next_match_us;
	int64_t next_anchors_us; /* when to look again by what others divide the work */
	weir_error anchors_why;  /* that it is not known yet */
	bool in_transaction;
	bool commit_now;  /* asked for by a callback, or memory is full */
	int64_t begun_us; /* the open transaction */
	int64_t last_commit_us, last_touch_us, last_recommit_us;
	unsigned since_clock;         /* records since the clock was last read */
	struct due_budget due_budget; /* part of what the caches have */
	size_t waiting_bytes;         /* of all inputs' waiting records */
	int kept;                     /* of the poll at work: records that wait for their turn */
	struct fencings fencings;
	struct poison *poison;
	struct refused_row *refused_rows;
	bool row_refused; /* what has failed the open transaction is one of those */
	struct written_topic *written;
	/* Trouble that calls deep inside could not return: handled by the loop. */
	bool failed;        /* the open transaction must be aborted: see error */
	bool stop;          /* and the application ends with that error, or another worker takes its place */
	bool global_failed; /* the reader of global tables, which it steps: no other worker would help */
	weir_error error;
	bool broken_producer; /* it must be made anew */
	int64_t broken_since_us;
	int64_t restore_failing_since_us; /* 0 = it works */
	int64_t restore_told_us;          /* when its progress was last told; 0 = nothing is being restored */
	long long restore_told_records;
	int aborts_in_a_row;
	int64_t aborting_since_us, last_abort_us;
	weir_partition *positions; /* of the commit at work */
	int64_t leave_poll_us;     /* when the poll at work should be left: something is due */
	int64_t next_purge_us, next_look_us;
	int64_t next_cleanup_us, running_since_us; /* of the first worker */
	/* For other threads. */
	_Atomic(struct query *) mailbox;
	struct query *queries; /* taken out of the mailbox, not yet answered */
	atomic_int tasks_not_running;
	int told_not_running; /* as the listener was told last; -1 = no share yet */
	atomic_bool has_share, done;
	weir_histogram *commit_time;
	struct worker_watch *watches;
	struct store_metrics *store_metrics; /* as topology->stores */
	atomic_llong cache_bytes, records, commits, aborts, failures, dead_letters, dropped, restored, restore_left;
	atomic_llong lag;
};

struct app_name {
	struct app_name *next;
	char text[];
};

struct app_topic {
	const struct graph_topic *graph;
	char *name;
	int32_t partitions;
};

struct weir_app {
	weir_topology *topology;
	const weir_config *cfg;
	weir_cluster *cluster;
	weir_clock *clock;
	weir_metrics *metrics;
	bool own_metrics;
	struct settings settings;
	char instance_id[100];
	struct state *state;
	struct app_topic *topics; /* as topology->topics */
	char **changelogs;        /* as topology->stores; NULL = not logged */
	atomic_int *task_counts;  /* as topology->subtopologies; grows with patterns */
	char **anchors;           /* as topology->subtopologies: topic of its own; NULL = it needs none */
	bool *anchors_vary;       /* as topology->subtopologies: with the numbers of partitions */
	bool has_patterns;
	struct app_name *names; /* under mutex: names of topics that have matched */
	struct worker *workers;
	pthread_mutex_t mutex;
	pthread_cond_t changed;   /* queries done, workers ended */
	weir_app_state app_state; /* CREATED, PENDING_SHUTDOWN, NOT_RUNNING or ERROR as set; the rest is derived */
	weir_error error;
	weir_listener listener;
	pthread_mutex_t told_mutex; /* held while the listener is told of a state */
	weir_app_state told;
	struct globals *globals; /* NULL = the topology has none */
	atomic_bool stopping;
	atomic_bool shutdown_wanted;    /* an answer of the listener's; whoever is first to stop sees to it */
	atomic_bool leaves;             /* static members, too, leave the group at the end */
	struct shutdown_call *shutdown; /* NULL = the other instances are not being asked to stop */
	bool begun;                     /* under mutex: weir_app_start was called */
	bool crash;                     /* tests: end without committing or writing anything */
	bool started;                   /* under mutex: topics and workers are there */
	bool threaded;                  /* the workers have threads; else whoever prepared the app steps them */
	struct caught_up *caught_up;
	/* held over calls of the cluster and looks at global tables from outside: an end waits for them */
	pthread_mutex_t caught_up_mutex;
};

/* True on threads of workers, whatever the application. */
extern _Thread_local bool weir__on_worker;

void weir__caught_up_free(weir_app *app);
/** Whether it has started and not ended; from any thread. */
bool weir__app_started(weir_app *app);

static inline int64_t weir__now_us(const weir_app *app)
{
	return app->clock->monotonic_us(app->clock);
}

/* --- app.c ------------------------------------------------------------------------------------------------------
 * */

/** Everything that a start does but the threads: for the driver, which steps the workers itself. */
bool weir__app_prepare(weir_app *app, weir_error *err);
void weir__app_finish(weir_app *app);
/** Stops all workers because of *error; the first one is kept. */
void weir__app_failed(weir_app *app, const weir_error *error);

/* --- listener.c -------------------------------------------------------------------------------------------------
 * */

/** Tells the state, if it has changed. From any thread, without app->mutex. */
void weir__tell_state(weir_app *app);
/** The same of a worker, after it has counted its tasks: only if those, or that it has a share, have changed. */
void weir__tell_state_of(struct worker *w);
/** Of a store with something to restore, from its worker. What it has restored since then is the next batch. */
void weir__tell_restore(struct task_store *s, weir_restore_event event);
/** Of an error that ends a worker (-1: the reader of global tables). True: the worker is to be replaced. Notes, if
 * all instances are to stop. */
bool weir__tell_uncaught(weir_app *app, int worker, const weir_error *error);
/** Whether the listener wants to know about restoring. */
static inline bool weir__restore_is_told(const weir_app *app)
{
	return app->listener.restore != NULL;
}

/* --- shutdown.c -------------------------------------------------------------------------------------------------
 * */

/** The on_member of workers' consumers: who asks all instances to stop is heeded. */
void weir__shutdown_heed(const char *client_id, const char *member_id, const char *topic, int32_t partition,
			 void *worker);
/** Of a worker that ends: true = all other instances are to be asked to stop, and this worker has begun to. */
bool weir__shutdown_begin(weir_app *app);
/** Goes on with it. False: they have stopped, or it is given up. */
bool weir__shutdown_step(weir_app *app, int64_t wait_ms);
void weir__shutdown_end(weir_app *app);
/** For the simulator's crashes: takes the consumer away. NULL = there is none. */
weir_consumer *weir__shutdown_cut_off(weir_app *app);

/* --- topics.c ---------------------------------------------------------------------------------------------------
 * */

/** Partition counts, task counts, internal topics made or checked. */
bool weir__topics_prepare(weir_app *app, weir_error *err);
/** Whether each key comes to the task that has its state, whichever of the topics that match it comes through. */
bool weir__topics_check(weir_app *app, const struct matches *matches, weir_error *err);
/** Gives the application's topics that depend on patterns as many partitions as `matches` want. *grown: some have
 * got more than they had. */
bool weir__topics_widen(weir_app *app, const struct matches *matches, bool *grown, weir_error *err);
/** The topics from outside that the topology reads and writes, and the one for dead letters (may be NULL), made as
 * `like` says where they are missing. */
bool weir__topics_create_external(weir_topology *t, weir_cluster *cluster, const char *dead_letters,
				  weir_topic_spec like, weir_error *err);
struct app_topic *weir__app_topic(weir_app *app, const struct graph_topic *graph);

/* --- anchors.c --------------------------------------------------------------------------------------------------
 * */

/** The topic whose partitions stand for the sub-topology's tasks: the one with the most, or where patterns find
 * topics, one of its own. */
const char *weir__anchor_of(weir_app *app, const struct subtopology *sub);
/** False: members that run already go by others. */
bool weir__anchors_check(weir_app *app, weir_error *err);
/** Before a task reads its positions. False: others divide its sub-topology by another topic, or, retriable, that
 * is not known yet. */
bool weir__anchors_agreed(struct task *t, weir_error *err);

/* --- patterns.c -------------------------------------------------------------------------------------------------
 * */

/** Looks at the cluster. `m` must be empty or of an earlier look; it is as it was on failure. */
bool weir__matches_find(weir_app *app, struct matches *m, weir_error *err);
void weir__matches_free(struct matches *m);
void weir__names_free(weir_app *app);
/** Looks if it is time; asks for a round of rebalancing where tasks should read something else, or there should be
 * more of them. */
void weir__patterns_look(struct worker *w);
/** Within a round: a look, then running tasks change over to what matches now. */
void weir__patterns_round(struct worker *w);

/* --- worker.c ---------------------------------------------------------------------------------------------------
 * */

/** Its producer, and membership of the group. */
bool weir__worker_open(struct worker *w, weir_error *err);
/** The same in parts: a thread begins to open the producer, which takes up to some seconds after a crash; the group
 * is joined; the producer is waited for. */
bool weir__worker_open_begin(struct worker *w, weir_error *err);
bool weir__worker_join_group(struct worker *w, weir_error *err);
bool weir__worker_open_end(struct worker *w, weir_error *err);
/** It has been fenced. True: by another instance with its id, so often that it must end; *err says so. */
bool weir__worker_fenced(struct worker *w, weir_error *err);
/** One turn of the loop: poll, process, punctuate, commit when due. False: the worker is to end (app->error says
 * why, if it failed). */
bool weir__worker_step(struct worker *w, int64_t wait_ms);
void weir__worker_close(struct worker *w);
/** A step was the last one. True: the program wants another worker in its place, and this is now one, at its first
 * step. */
bool weir__worker_replace(struct worker *w);
/** How many of its tasks do not run; also noted for other threads. */
int weir__worker_count_tasks(struct worker *w);
void *weir__worker_main(void *worker);

/* --- group.c ----------------------------------------------------------------------------------------------------
 * */

void weir__on_group(weir_consumer *consumer, weir_group_event event, const weir_partition *list, size_t n,
		    void *worker);
void weir__on_partition_error(weir_consumer *consumer, const weir_partition *p, const weir_error *error,
			      void *worker);

/* --- task.c -----------------------------------------------------------------------------------------------------
 * */

struct task *weir__task_new(struct worker *w, const struct subtopology *sub, int32_t partition);
/** Takes a task that does not run yet a step further. False on an error that ends the worker. */
bool weir__task_advance(struct task *t, weir_error *err);
/** Everything as committed again: state OPENING. */
void weir__task_reset(struct task *t);
/** clean: with the stores checkpointed; else what is not committed is dropped. */
void weir__task_close(struct task *t, bool clean);
/** Whether what matches is something else than what it reads. */
bool weir__task_reads_other(const struct task *t);
/** Makes its inputs by what matches. It must be OPENING, and the inputs not be assigned. */
void weir__task_match(struct task *t);
/** Fills list with this task's inputs; returns how many. */
size_t weir__task_partitions(struct task *t, weir_partition *list);
/** The open transaction touches the task; begins one if none is open. False: the worker has failed. */
bool weir__task_touch(struct task *t);
size_t weir__worker_inputs(struct worker *w);
/** After callbacks: what they have asked of the worker. */
static inline void weir__task_heed(struct task *t)
{
	if (t->cx.commit_requested) {
		t->cx.commit_requested = false;
		t->worker->commit_now = true;
	}
}

/* --- input.c ----------------------------------------------------------------------------------------------------
 * */

/** A record of a task with one input: processed now. False: there can be no transaction for it now, it must come
 * again. */
bool weir__input_process(struct input *in, const weir_kafka_record *record);
/** A record of a task with several: kept until its turn. */
void weir__input_keep(struct input *in, const weir_kafka_record *record);
/** Processes what waits in `t` in order of time, as far as max.task.idle.ms allows. True if something was
 * processed. */
bool weir__task_process_waiting(struct task *t);
void weir__input_forget(struct input *in);

/* --- punctuate.c
 * --- */

void weir__timers_wall(struct task *t, int64_t now_ms);
void weir__timers_stream(struct task *t);
void weir__timers_free(struct task *t);
/** start_ms: NULL = not anchored. */
weir_timer *weir__timer_add(weir_context *cx, const int64_t *start_ms, int64_t interval_ms, weir_time time,
			    weir_punctuate_fn *fn);

/* --- commit.c ---------------------------------------------------------------------------------------------------
 * */

/** Commits the open transaction if there is one. False: it is aborted, and the tasks it had touched are OPENING
 * again (or the worker has
 *  failed for good: w->failed). */
bool weir__commit(struct worker *w);
/** Aborts the open transaction and resets what it had touched. */
void weir__abort(struct worker *w, const weir_error *why);
/** Opens the producer and its transactions (again). */
bool weir__producer_open(struct worker *w, weir_error *err);
/** One for the worker, which is not touched; NULL = failed. From any thread. */
weir_producer *weir__producer_new(struct worker *w, weir_error *err);
void weir__on_delivery(const char *topic, int32_t partition, int64_t offset, uint64_t tag, const weir_error *error,
		       void *worker);
/** A store's on_expired. */
void weir__on_put_expired(void *store);

/** A store's on_refused: the record at work becomes a dead letter, and has changed nothing. */
void weir__on_put_refused(size_t bytes, void *task_store);
/** What is known of a record of `in`; NULL = nothing. */
struct poison *weir__poison_find(const struct worker *w, const struct input *in, int64_t offset);

/* --- restore.c --------------------------------------------------------------------------------------------------
 * */

bool weir__restore_begin(struct task *t, weir_error *err);
/** The consumer for changelogs. */
bool weir__restorer_open(struct worker *w, weir_error *err);
/** Reads a slice for all restoring tasks of the worker; waits so long for the first record. */
bool weir__restore_step(struct worker *w, int64_t wait_ms, weir_error *err);
/** Notes, and now and then logs, how far the worker's stores are from their ends. */
void weir__restore_progress(struct worker *w);
/** True when every store of the task has reached its end. */
bool weir__restore_finished(struct task *t, weir_error *err);
void weir__restore_cancel(struct task *t);

/* --- globals.c --------------------------------------------------------------------------------------------------
 * */

/** Opens the global tables and begins to read them. */
bool weir__globals_open(weir_app *app, weir_error *err);
void weir__globals_close(weir_app *app);
/** Reads on, where the reader has no thread of its own. False: the application is to end. */
bool weir__globals_step(weir_app *app, weir_error *err);
/** They have come to the ends that they found at the start (or there are none). */
bool weir__globals_ready(const weir_app *app);
/** One value, copied into cx's memory; from a worker's thread. */
weir_bytes weir__global_get(weir_context *cx, const struct graph_global *global, weir_bytes key,
			    int64_t *timestamp_ms);
/** Calls fn with the store, locked; from a worker's thread. */
void weir__global_read(weir_context *cx, const struct graph_global *global, weir_global_read_fn *fn, void *user);
/** Calls fn with that store, from any thread. False: there is no such one, or it is not ready. */
bool weir__global_query(weir_app *app, const char *store, weir_query_fn *fn, void *user);
/** For the driver: the store of that name; NULL = there is none. */
weir_store *weir__global_store(weir_app *app, const char *name);
/** For the simulator: whether all that is in their topics has been taken. */
bool weir__globals_at_ends(weir_app *app);
/** For the simulator's crashes: takes the consumer away. NULL = there is none. */
weir_consumer *weir__globals_cut_off(weir_app *app);

/* --- services.c -------------------------------------------------------------------------------------------------
 * */

extern const struct context_ops weir__context_ops;
/** Of a failed send: whether the record itself can never be taken. Else it is the transaction (which another record
 * may have spoilt) or the producer. */
static inline bool weir__record_refused(const weir_error *error)
{
	return error->code == WEIR_USER && !error->abort_txn && !error->fatal;
}

struct letter {
	const weir_kafka_record *source; /* what is sent, as it was read */
	const weir_record *result;       /* without a source (punctuators, results that a commit sends on): this */
	const char *code, *reason;
	bool names_step; /* a header says at which step, with a source too */
	bool unsent;     /* only counted and logged */
};
/** To the dead-letter topic, in the open transaction; counted, as one dropped record as well, and logged. */
void weir__dead_letter(struct task *t, const struct letter *letter);

/** What is to become of what the current step has failed at: whoever is to be asked says so. The application has
 * been stopped, if so. */
weir_answer weir__failure_answer(struct task *t, const weir_record *r, const char *message);
/** What is to become of a record that cannot be read; it has its value as bytes. */
weir_answer weir__unreadable_answer(struct task *t, const weir_record *as_bytes, const char *reason);
/** The record at work, or r where there is none, has had a result for the topic which was refused, or state that is
 * too large: whoever is to be asked says what becomes of it. */
void weir__give_up(struct task *t, const weir_record *r, const char *topic, const char *reason);

/* --- refused.c --------------------------------------------------------------------------------------------------
 * */

/** context_ops.row_refused: the row is told of in the open transaction. */
bool weir__row_refused(weir_context *cx, const weir_record *r);
/** Remembers what cx.released names, and which topic does not take it. */
void weir__row_refuse(struct task *t, const char *topic, const char *reason);
/** Those that have been told of are done with, and so are those of tasks that are another's by now. */
void weir__rows_committed(struct worker *w);
void weir__rows_aborted(struct worker *w);
void weir__rows_free(struct worker *w);

/* --- own.c ------------------------------------------------------------------------------------------------------
 * */

/** context_ops.state_dir and context_ops.metric. */
const char *weir__task_dir(weir_context *cx, weir_error *err);
void *weir__task_metric(weir_context *cx, const weir_metric_def *def, const char *const *label_values);
/** Closes the metrics. */
void weir__task_own_free(struct task *t);

/* --- positions.c ------------------------------------------------------------------------------------------------
 * */

/** The metadata text for a committed offset of `in`; from malloc. */
char *weir__metadata_encode(const struct input *in);
/** Takes times over from metadata: partition time, and what the task's steps have seen. False on what cannot be
 * read or does not fit. */
bool weir__metadata_apply(struct input *in, const char *text, weir_error *err);

/* --- metrics.c --------------------------------------------------------------------------------------------------
 * */

/** Adds the table of a running application's metrics. */
void weir__metrics_describe(weir_metrics *m);
void weir__metrics_register(weir_app *app);
void weir__metrics_unregister(weir_app *app);
/** Looks, now and then, at what changes without the worker's doing. */
void weir__metrics_look(struct worker *w);

/* --- store_metrics.c --------------------------------------------------------------------------------------------
 * */

void weir__store_metrics_describe(weir_metrics *m);
void weir__store_metrics_register(struct worker *w);
void weir__store_metrics_unregister(struct worker *w);
/** Where the worker's partitions of that store count. */
struct store_stats *weir__store_stats(const struct worker *w, const struct graph_store *graph);
/** Between callbacks: looks for iterators that they have left open. */
void weir__store_metrics_look(struct worker *w);

/* --- query.c ----------------------------------------------------------------------------------------------------
 * */

void weir__queries_answer(struct worker *w);

/** Gives up what waits, when the worker ends. */
void weir__queries_refuse(struct worker *w);

/* --- purge.c ----------------------------------------------------------------------------------------------------
 * */

/** Purges what is processed or expired, when it is time. */
void weir__purge(struct worker *w);
/** The same with local state of partitions that are elsewhere by now. */
void weir__cleanup(struct worker *w);

#endif
