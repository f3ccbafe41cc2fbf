#ifndef WEIR_PROCESSOR_H
#define WEIR_PROCESSOR_H
/*
 * What a callback can do, and the low level under every operator (Kafka Streams' Processor API).
 *
 * Threads: all callbacks of one task run on one thread at a time; nothing here may be called from elsewhere.
 * Memory: what a callback is given is borrowed until it returns; what it passes on comes from weir_alloc or lives
 * longer.
 */
#include <weir/config.h>
#include <weir/metrics.h>
#include <weir/record.h>
#include <weir/store.h>

/** Hands a record to every step below this one; they have run when it returns. The record is a copy of one that the
 * step was given, with other fields, or begins with weir_record_begin. In process, in punctuators and in
 * weir_flat_map. */
void weir_forward(weir_context *cx, const weir_record *record);
/** ... to the step of that name alone; where there is none below, the application stops. */
void weir_forward_to(weir_context *cx, const char *step, const weir_record *record);

/** The store of that name, which the step must have declared (`stores`), or the application stops; never NULL. In
 * every callback from init on; it may be kept in the processor's state, and lasts as long as that. */
weir_store *weir_context_store(weir_context *cx, const char *name);

/** Greatest timestamp that this task has taken for processing; INT64_MIN before the first. Never goes back, also
 * over restarts. */
int64_t weir_stream_time_ms(const weir_context *cx);
/** Greatest timestamp taken from the partition which the record being processed comes from; INT64_MIN before the
 * first, and in punctuators. In a source's time_ms: of the records before this one. Kept with the committed
 * offsets, as in Kafka Streams. */
int64_t weir_partition_time_ms(const weir_context *cx);
/** A step's own stream time: the greatest of what it has been told here, over restarts too (it is kept with the
 * committed offsets). For steps that do not let every record move their time. Gives that greatest time,
 * timestamp_ms included. */
int64_t weir_step_time_seen(weir_context *cx, int64_t timestamp_ms);
/** The same without telling anything; INT64_MIN before the first. */
int64_t weir_step_time_ms(const weir_context *cx);
/** Wall clock, as the application's clock has it. */
int64_t weir_now_ms(const weir_context *cx);

typedef struct weir_metadata {
	const char *topic;
	int32_t partition;
	int64_t offset;
} weir_metadata;
/** Where the record being processed comes from; topic NULL in punctuators, in results that a commit sends on, and
 * in what has waited in a join or for its window to close. */
weir_metadata weir_record_metadata(const weir_context *cx);
/** The task's partition: that of each of its inputs, and of its stores. */
int32_t weir_task_partition(const weir_context *cx);
/** "2_0": the sub-topology's number and the partition. Lives as long as the task. */
const char *weir_task_id(const weir_context *cx);

/* --- the application around the task ----------------------------------------------------------------------------
 * */

/** application.id. Lives as long as the application. */
const char *weir_application_id(const weir_context *cx);
/** The application's configuration, for the getters of config.h (Kafka Streams' appConfigs). Keys of the program's
 * own are in it if it has them in its table (weir_topology_config, weir_config_add). Lives as long as the
 * application. */
const weir_config *weir_context_config(const weir_context *cx);
/** A directory for files of the task's own, made when it is first asked for; <state.dir>/<application.id>/tasks/
 * <task>. What lies in it is the program's: no commit, abort or restore touches it, it stays behind when the task
 * moves to another instance, and is what it was then when the task comes back. So only what can be made anew at any
 * time belongs there. NULL and *err (may be NULL): state.dir is not set, or the directory cannot be made. Lives as
 * long as the task. */
const char *weir_state_dir(weir_context *cx, weir_error *err);

/*
 * Metrics of the program's own (Kafka Streams' StreamsMetrics), shown with weir's (weir_app_metrics), one for each
 * task: ask for them in init, keep the handles in the state, update them with the functions of metrics.h. One of
 * the labels of `def` must be "task" and one may be "step": weir fills them in; label_values are the others, in
 * order (NULL when there are none). `def` must outlive the registry (static storage); a name that another
 * definition has is a bug. Asked for again it is the same handle: after an abort, too, so that counts go on. What
 * an abort has undone stays counted. A handle lives until the task is closed here, when its series goes, and must
 * not be closed.
 */
weir_counter *weir_task_counter(weir_context *cx, const weir_metric_def *def, const char *const *label_values);
weir_gauge *weir_task_gauge(weir_context *cx, const weir_metric_def *def, const char *const *label_values);
weir_histogram *weir_task_histogram(weir_context *cx, const weir_metric_def *def, const char *const *label_values);

/* --- what is to become of a record ------------------------------------------------------------------------------
 * */

/** Sends the source record being processed to the dead-letter topic, with the reason in its headers, in the same
 * transaction; where there is none (punctuators, results that a commit sends on), `record` itself. Without such a
 * topic it is counted (weir_dead_letters_total, weir_dropped_records_total) and logged. The caller drops the
 * record. `reason` is for people and for filters: keep it short and fixed. */
void weir_dead_letter(weir_context *cx, const weir_record *record, const char *reason);
/** The step fails at what it has been given: an exception in Kafka Streams. The callback returns right after it;
 * what it has put and forwarded before stays, what it returns and forwards then counts for nothing, and of its
 * record nothing goes on below this step. Steps above go on, unaware of it. What becomes of the record is decided
 * by weir_topology_on_failure or errors.processing, once the callback has returned. For all callbacks of steps that
 * are given records or make them, and for punctuators; in init and timestamp extractors it stops the application.
 * An `add` or `subtract` that works in place must fail before it changes the aggregate. `format` as for printf; at
 * most 300 bytes are kept. (Processing exceptions: KIP-1033.) */
void weir_step_fail(weir_context *cx, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Stops the application with that error: for what must not go on. */
void weir_stop(weir_context *cx, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Asks for a commit soon after the current record. */
void weir_request_commit(weir_context *cx);

typedef enum weir_answer {
	WEIR_ANSWER_STOP,        /* the application stops with the failure as its error; nothing is committed */
	WEIR_ANSWER_DEAD_LETTER, /* it goes on; what has failed is a dead letter, see weir_dead_letter */
	WEIR_ANSWER_SKIP,        /* it goes on; nothing is sent, but counted (weir_dead_letters_total) and logged */
} weir_answer;

/* Lasts as long as the call. */
typedef struct weir_failure {
	const char *step;    /* NULL where it is not known any more: refused only after it was sent */
	const char *message; /* the dead letter's reason; as in weir_step_fail */
	/* What the step was given; NULL in punctuators. A result that is refused; one that was sent before: the
	 * source record, its value as bytes. */
	const weir_record *record;
	/* As it was read, where the record comes from; topic NULL in punctuators, in results that a commit sends
	 * on, and in what has waited */
	weir_metadata source;
	weir_bytes source_key, source_value;
	const char *topic; /* that does not take it, changelogs among them; NULL unless something is refused */
} weir_failure;
/** What is to become of it; on the task's thread, so that several may ask at once. It must not forward, and not
 * touch stores. What it answers is part of the record's transaction: where that is aborted, it is asked again. */
typedef weir_answer weir_failure_fn(weir_context *cx, const weir_failure *failure, void *user);

typedef enum weir_time { WEIR_STREAM_TIME, WEIR_WALL_CLOCK_TIME } weir_time;
typedef struct weir_timer weir_timer;
typedef void weir_punctuate_fn(weir_context *cx, int64_t time_ms, void *state);
/** Calls fn every interval_ms of that time, from init on: wall clock first after one interval; stream time first
 * with the first record, then as it passes multiples of the interval. Missed calls are collapsed into one. `state`
 * is the processor's. Ends with the task or weir_cancel. In init, process and punctuators. An interval that is not
 * positive, or no fn, stops the application and gives NULL. */
weir_timer *weir_schedule(weir_context *cx, int64_t interval_ms, weir_time time, weir_punctuate_fn *fn);
/** The same at start_ms and each interval_ms after it (KIP-1146), whenever it is scheduled: where start_ms has
 * passed by then, from the next of these times on. A task that knows no stream time yet waits for start_ms; if its
 * first record is later, it calls with that. A negative start_ms stops the application and gives NULL. */
weir_timer *weir_schedule_at(weir_context *cx, int64_t start_ms, int64_t interval_ms, weir_time time,
			     weir_punctuate_fn *fn);
/** The timer calls no more, and its handle is of no use any more; may be called from within its own callback. NULL
 * is fine. */
void weir_cancel(weir_timer *timer);

#define WEIR_PROCESSOR_STORES_MAX 8

/* A step of one's own. One `state` of state_size zeroed bytes a task; after a crash or an abort it is made anew, so
 * whatever must last belongs into a store. */
typedef struct weir_processor {
	size_t state_size;
	void (*init)(weir_context *cx, void *state, void *user); /* may be NULL */
	void (*process)(weir_context *cx, const weir_record *record, void *state, void *user);
	/* may be NULL; must not touch stores */
	void (*close)(void *state, void *user);
	const char *stores[WEIR_PROCESSOR_STORES_MAX]; /* names, as in weir_add_store */
	const weir_serde *value;                       /* of what it passes on; NULL = as its input */
	/* It passes on no other key than that of the record it is given (Kafka Streams' processValues), else the
	 * application stops: no repartition is needed below. Nor may its timers do so, where it is not seen. */
	bool keeps_key;
	/* With stores, below a changed key: none is put in before it, as in Kafka Streams. Its stores then hold
	 * what comes in the partitions that the records have lain in before, whatever their keys. */
	bool no_repartition;
	void *user;
} weir_processor;

/* A step within a wrapper: of one task, as long as its state. */
typedef struct weir_wrapped weir_wrapped;

/* What is put around processors, and with `steps` around all other steps (weir_topology_wrap). A function that is
 * NULL leaves the step's as it is; one that is given has the step's called, or not, by those below. Whatever a
 * processor may do in a callback a wrapper may do in its own: timers that it schedules get its own state, what it
 * forwards goes to the steps below, and weir_step_fail fails for the step. Records of tables are changes, with the
 * old value where somebody below wants it (has_old); their keys, and those of steps that keep theirs, must stay. */
typedef struct weir_wrapper {
	size_t state_size; /* of its own state: as in weir_processor, one for each task and step */
	void (*init)(weir_context *cx, weir_wrapped *inner, void *state, void *user);
	void (*process)(weir_context *cx, const weir_record *record, weir_wrapped *inner, void *state, void *user);
	void (*close)(weir_wrapped *inner, void *state, void *user);
	/* Which; NULL = all. `processor` is NULL for steps that are none. While the topology is built, those at its
	 * end. */
	bool (*wants)(const char *step, const weir_processor *processor, void *user);
	const char *stores[WEIR_PROCESSOR_STORES_MAX]; /* that it uses beside the step's; added before that */
	/* Around the steps of all other operators, too, as in Kafka Streams: but for sources, sinks and the ends of
	 * cogroups, which are given no records. A join of two streams is three steps, of which each is wrapped, and
	 * so on: those that weir_topology_describe names. */
	bool steps;
	void *user;
} weir_wrapper;
/** The name of its step. */
const char *weir_wrapped_step(const weir_wrapped *inner);
/** What its step is: "process", "filter", "count", as in weir_topology_describe. */
const char *weir_wrapped_kind(const weir_wrapped *inner);
/** Calls its init, if it has one. In the wrapper's init, once; of steps that are no processors it is called in any
 * case, at the latest behind that. */
void weir_wrapped_init(weir_wrapped *inner, weir_context *cx);
/** Has it process a record: the one that the wrapper was given, or another. In process, and in punctuators. */
void weir_wrapped_process(weir_wrapped *inner, weir_context *cx, const weir_record *record);
/** Calls its close, if it has one. In the wrapper's close, once; as with init. */
void weir_wrapped_close(weir_wrapped *inner);
/** Another value for a copy of a record that a step is given, an object of the serde that its values have there
 * (NULL = null); weir_set_value is for what the step passes on. */
static inline void weir_wrapped_set_value(weir_record *r, const void *object)
{
	r->object = object;
	r->encoded = WEIR_NULL;
	r->has_encoded = object == NULL;
}

#endif
