#ifndef WEIR_EMBEDDED_H
#define WEIR_EMBEDDED_H
/*
 * The embedded cluster: what a Kafka broker does, in this process and in memory.
 *
 *   cluster    the lock, and what happens because time has passed     topics      and their configuration
 *   journal    one partition's log      retention, compact            admin       offsets, deletion, listing
 *   txn        transaction coordinator  group, offsets, assignor      group coordinator
 *   consumer   assignment, positions    member: its side of a group   fetch       reading
 *   producer   producing                producer_txn: transactions    fault       mishaps on demand (simulations)
 *   past       offsets of earlier commits (simulations)
 *
 * One lock (struct embedded.lock) guards everything but what says otherwise. Callbacks run without it.
 */
#include <pthread.h>

#include "framework/kafka/embedded_group.h"
#include "framework/kafka/embedded_journal.h"
#include "framework/kafka/port.h"

struct embedded_producer;

/** Makes room for one more item in an array that doubles. */
#define WEIR__GROW(items, count, room) \
	do { \
		if ((count) == (room)) { \
			(room) = (room) ? 2 * (room) : 4; \
			(items) = weir__realloc((items), (room) * sizeof *(items)); \
		} \
	} while (0)

/* --- topics --------------------------------------------------------------------------------------------------- */

struct topic_config {
	bool compact, del, append_time;
	int64_t retention_ms, retention_bytes, delete_retention_ms, compaction_lag_ms, segment_bytes;
	int64_t message_bytes_max, future_ms_max;
	double dirty_ratio_min;
};

struct topic {
	const char *name; /* interned */
	int32_t partitions;
	struct journal **journals;
	struct topic_config config;
	char *(*settings)[2]; /* as given */
	size_t setting_count;
	int refs;
	bool deleted;
};

struct topic *weir__topic_ref(struct topic *t);
void weir__topic_unref(struct topic *t);
struct topic *weir__topic_find(struct embedded *e, const char *name);
/** Finds it, or makes it where the cluster makes topics on first use; NULL with *err. */
struct topic *weir__topic_use(struct embedded *e, const char *name, weir_error *err);
struct journal *weir__topic_journal(struct embedded *e, const char *name, int32_t partition, weir_error *err);
bool weir__embedded_topics_create(weir_cluster *cluster, const weir_topic_spec *specs, size_t n, weir_error *err);
bool weir__embedded_topics_delete(weir_cluster *cluster, const char *const *names, size_t n, weir_error *err);
bool weir__embedded_topic_widen(weir_cluster *cluster, const char *topic, int32_t partitions, weir_error *err);
bool weir__embedded_topic_config(weir_cluster *cluster, const char *topic, const char *name, char *buf, size_t size,
				 weir_error *err);
/** Reads one setting into *config; false = unknown name or bad value. */
bool weir__topic_setting_read(struct topic_config *config, const char *name, const char *value);
/** The broker's default of a setting; NULL = no such setting. */
const char *weir__topic_setting_default(const char *name);

/* --- transactions --------------------------------------------------------------------------------------------- */

enum txn_state {
	TXN_EMPTY,
	TXN_ONGOING,
	TXN_COMMITTING, /* decided, the markers are yet to be written */
	TXN_ABORTING,
};

struct txn_offset {
	struct group *group;
	const char *topic; /* interned */
	int32_t partition;
	int64_t offset;
	char *metadata;
};

struct txn {
	struct txn *next;
	char *id;
	uint32_t producer;
	int32_t epoch;
	enum txn_state state;
	int64_t started_ms, timeout_ms;
	int64_t settle_ms;         /* when markers that are late come */
	uint64_t serial;           /* of the present transaction */
	struct journal **journals; /* their topics are kept alive */
	size_t journal_count, journal_room;
	struct txn_offset *offsets;
	size_t offset_count, offset_room;
};

struct txn *weir__txn_find(struct embedded *e, const char *id);
/** A producer takes the id over: aborts what is open, fences whoever had it. Gives the new epoch. */
int32_t weir__txn_take(struct embedded *e, struct txn *t, int64_t timeout_ms);
/** Before a record or an offset is added. */
void weir__txn_start(struct embedded *e, struct txn *t);
void weir__txn_add_journal(struct txn *t, struct journal *j);
void weir__txn_add_offset(struct txn *t, struct group *g, const weir_partition *p, const char *topic);
/** Decides; the markers follow with weir__txn_settle. */
void weir__txn_decide(struct txn *t, bool commit);
void weir__txn_settle(struct embedded *e, struct txn *t);
/** The offsets alone: the group's partition has its marker before the others. */
void weir__txn_settle_offsets(struct embedded *e, struct txn *t);
/** Settles `delay_ms` later. */
void weir__txn_settle_later(struct embedded *e, struct txn *t, int64_t delay_ms);
void weir__txn_sweep(struct embedded *e, int64_t now_ms);
void weir__txns_release(struct embedded *e);

/* --- faults --------------------------------------------------------------------------------------------------- */

/* Where a simulation may interfere. `who` is a transactional id or a consumer's client id. */
enum embedded_point {
	EMBEDDED_AT_SEND,
	EMBEDDED_AT_INIT,
	EMBEDDED_AT_SEND_OFFSETS,
	EMBEDDED_AT_COMMIT,
	EMBEDDED_AT_ABORT,
	EMBEDDED_AT_POLL,
	EMBEDDED_AT_GIVEN_UP, /* partitions have been given up; the consumer joins again, so that others get them */
	EMBEDDED_AT_CLOSE,    /* of a consumer */
	EMBEDDED_AT_COMMITTED, /* a group's offsets are asked for; who = the group */
	EMBEDDED_AT_RANGE,     /* a partition's ends are asked for; who = the topic */
	EMBEDDED_AT_DESCRIBE,  /* a group's members are asked for; who = the group */
};

enum embedded_fault {
	EMBEDDED_FINE,
	EMBEDDED_ABORTABLE, /* send, send_offsets, commit: fails, the transaction must be aborted; poll: fails */
	EMBEDDED_FATAL,     /* fails, the handle is of no use any more; close: as a crash would leave it */
	EMBEDDED_UNDONE, /* init, commit, abort, committed, range, describe: no answer, and it has not been done */
	EMBEDDED_DONE,   /* commit, abort: no answer, but it has been done */
	EMBEDDED_LATE,   /* commit, abort: succeeds, the markers are written later */
	EMBEDDED_DONE_LATE, /* commit, abort: both */
	EMBEDDED_LATE_LOGS, /* commit: as LATE, but the offsets are settled at once */
	EMBEDDED_EVICTED,   /* poll: the member has been put out of its group */
	EMBEDDED_FEW,       /* poll: no more than one record comes */
	EMBEDDED_NONE,      /* poll: none does */
};

/** Called without the lock. */
typedef enum embedded_fault embedded_fault_fn(enum embedded_point point, const char *who, void *user);

/** Asks fn at each point from now on (NULL = no more); late markers come marker_delay_ms later. Before any use. */
void weir__embedded_faults(weir_cluster *cluster, embedded_fault_fn *fn, void *user, int64_t marker_delay_ms);
/** Ends a consumer or producer as a crash does: nothing is left, committed, aborted or reported. */
void weir__embedded_crash_consumer(weir_consumer *consumer);
void weir__embedded_crash_producer(weir_producer *producer);
/**
 * The group's coordinator forgets: what is committed for all of the list is what it was `steps` commits ago.
 * False, and nothing is done, where that is not known, or where none of the changelogs can tell: because they have
 * no record of the commits forgotten, or no longer have all of theirs and of the one before them.
 */
bool weir__embedded_positions_back(weir_cluster *cluster, const char *group, const weir_partition *list, size_t n,
				   const weir_partition *changelogs, size_t changelog_count, size_t steps);
/** An operator sets what was forgotten again, which takes a group without members. */
bool weir__embedded_positions_mend(weir_cluster *cluster, const char *group, weir_error *err);
/** Runs the cleaner over the closed segments of a compacted topic; the last ones are closed at the next record. */
void weir__embedded_compact(weir_cluster *cluster, const char *topic);
enum embedded_fault weir__embedded_fault(struct embedded *e, enum embedded_point point, const char *who);
/** Of a question: false and a retriable *err when there is to be no answer. */
bool weir__embedded_answers(struct embedded *e, enum embedded_point point, const char *who, weir_error *err);

/* --- cluster -------------------------------------------------------------------------------------------------- */

struct embedded {
	weir_cluster base;
	pthread_mutex_t lock;
	pthread_cond_t settled; /* a transaction has ended */
	weir_clock *clock;
	weir_embedded_opts opts;
	char id[32];
	char **names; /* interned */
	size_t name_count, name_room;
	struct topic **topics;
	size_t topic_count, topic_room;
	struct txn *txns;
	struct group **groups;
	size_t group_count, group_room;
	uint32_t producers; /* ids given out */
	uint64_t txn_serial;
	int64_t swept_ms, retained_ms;
	embedded_fault_fn *fault;
	void *fault_user;
	int64_t marker_delay_ms;
};

static inline struct embedded *weir__embedded(weir_cluster *cluster)
{
	return (struct embedded *)cluster;
}

/** Takes the lock and does what is due by the clock. */
void weir__embedded_enter(struct embedded *e);
void weir__embedded_leave(struct embedded *e);
int64_t weir__embedded_now(struct embedded *e);
/** What time brings about: transactions and sessions time out, retention. Lock held. */
void weir__embedded_sweep(struct embedded *e);
/**
 * Waits for `cond`, at most until deadline_us of the monotonic clock and never long enough to miss what time brings
 * about. False = the deadline is over, or the clock stands still. Lock held.
 */
bool weir__embedded_wait(struct embedded *e, pthread_cond_t *cond, int64_t deadline_us);
int64_t weir__embedded_deadline(struct embedded *e, int64_t timeout_ms);
void weir__cond_init(pthread_cond_t *cond);
/** The same pointer for the same name, valid as long as the cluster. */
const char *weir__embedded_intern(struct embedded *e, const char *name);

weir_consumer *weir__embedded_consumer_open(weir_cluster *cluster, const weir_consumer_opts *opts, weir_error *err);
weir_producer *weir__embedded_producer_open(weir_cluster *cluster, const weir_producer_opts *opts, weir_error *err);
int32_t weir__embedded_topic_partitions(weir_cluster *cluster, const char *topic, weir_error *err);
bool weir__embedded_topics_each(weir_cluster *cluster, weir_topic_fn *fn, void *user, weir_error *err);
bool weir__embedded_offsets_range(weir_cluster *cluster, const char *topic, int32_t partition, int64_t *first,
				  int64_t *end, weir_error *err);
bool weir__embedded_offsets_for_times(weir_cluster *cluster, weir_partition *list, size_t n, weir_error *err);
bool weir__embedded_records_delete(weir_cluster *cluster, const weir_partition *list, size_t n, weir_error *err);

#endif
