#ifndef WEIR_EMBEDDED_H
#define WEIR_EMBEDDED_H
/*
 * The embedded cluster: what a Kafka broker does, in this process and in memory.
 *
 *   embedded_cluster.c    the cluster, its lock, its sweep (what happens because time has passed)
 *   embedded_topics.c     topics and their configuration        embedded_admin.c      offsets, deletion, listing
 *   embedded_journal.c    one partition's log                   embedded_retention.c  what falls off its front
 *   embedded_compact.c    the cleaner of compacted topics       embedded_txn.c        transaction coordinator
 *   embedded_group.c      group coordinator                     embedded_offsets.c    committed offsets
 *   embedded_assignor.c   who gets which partition              embedded_member.c     a consumer's side of its group
 *   embedded_consumer.c   assignment and positions              embedded_fetch.c      reading
 *   embedded_producer.c   producing                             embedded_producer_txn.c  its transactions
 *   embedded_fault.c      mishaps on demand, for simulations
 *
 * One lock (struct embedded.lock) guards everything but what says otherwise. Callbacks run without it. Bytes of a segment
 * below `used` never change, so a reader that holds a reference reads them without the lock.
 */
#include <pthread.h>

#include "framework/kafka/port.h"

struct embedded;
struct embedded_consumer;
struct journal;
struct txn;

/* --- one partition's log ------------------------------------------------------------------------------------------ */

enum entry_flag {
	ENTRY_TRANSACTIONAL = 1,
	ENTRY_MARKER = 2,  /* the end of a transaction: takes an offset, is never handed out */
	ENTRY_HORIZON = 4, /* a tombstone that the cleaner has seen; `producer` = second from which it may go */
};

struct entry {
	int64_t timestamp_ms;
	uint32_t delta; /* offset - base of the segment */
	uint32_t producer;
	int32_t key_len, value_len; /* -1 = null */
	uint32_t headers_len;
	uint32_t flags;
	unsigned char bytes[]; /* key, value, headers; the next entry begins at a multiple of 8 */
};

struct segment {
	int64_t base, last; /* offsets; last < base = empty */
	int64_t timestamp_max_ms;
	uint32_t used, capacity;
	int refs;
	bool detached; /* not in its journal any more: readers look for their place again */
	_Alignas(8) unsigned char bytes[];
};

/* Offsets first..last of a transaction by `producer`; last is its marker. */
struct span {
	uint32_t producer;
	int64_t first, last;
};

struct journal {
	struct topic *topic;
	int32_t partition;
	struct segment **segments; /* by offset; the last one is appended to */
	size_t count, room;
	int64_t start, end;        /* first offset; next offset (= high watermark) */
	int64_t bytes;             /* used by entries */
	int64_t cleaned_to, cleaned_bytes;
	bool cleaning, clean_due;
	struct span *open; /* transactions without a marker yet */
	size_t open_count, open_room;
	struct span *aborted;
	size_t aborted_count, aborted_room;
	struct part *readers; /* those that have it assigned */
};

struct append {
	int64_t timestamp_ms;
	weir_bytes key, value;
	const weir_headers *headers;
	uint32_t producer;
	uint32_t flags;
};

static inline const struct entry *weir__entry_at(const struct segment *s, uint32_t at)
{
	return (const struct entry *)(const void *)(s->bytes + at);
}

static inline uint32_t weir__entry_size(const struct entry *e)
{
	uint32_t n = (uint32_t)sizeof *e + e->headers_len;

	n += e->key_len > 0 ? (uint32_t)e->key_len : 0;
	n += e->value_len > 0 ? (uint32_t)e->value_len : 0;
	return (n + 7) & ~7u;
}

static inline weir_bytes weir__entry_key(const struct entry *e)
{
	return e->key_len < 0 ? WEIR_NULL : (weir_bytes){ e->bytes, (size_t)e->key_len };
}

static inline weir_bytes weir__entry_value(const struct entry *e)
{
	size_t at = e->key_len > 0 ? (size_t)e->key_len : 0;

	return e->value_len < 0 ? WEIR_NULL : (weir_bytes){ e->bytes + at, (size_t)e->value_len };
}

static inline const unsigned char *weir__entry_headers(const struct entry *e)
{
	return e->bytes + (e->key_len > 0 ? e->key_len : 0) + (e->value_len > 0 ? e->value_len : 0);
}

void weir__journal_init(struct journal *j, struct topic *topic, int32_t partition);
void weir__journal_release(struct journal *j);
/** Appends one record and wakes readers; gives its offset. */
int64_t weir__journal_append(struct journal *j, const struct append *what);
/** First offset that an open transaction holds back, else the end. */
int64_t weir__journal_stable_end(const struct journal *j);
/** Where reading at `offset` begins: the segment (a reference is taken) and byte; NULL = nothing there yet. */
struct segment *weir__journal_find(struct journal *j, int64_t offset, uint32_t *at);
/** The segment behind `s`, with a reference; NULL when s is the last. */
struct segment *weir__journal_next(struct journal *j, const struct segment *s);
/** First offset with a timestamp at or after `ms`, else the end. */
int64_t weir__journal_offset_for(const struct journal *j, int64_t ms);
/** A transaction begins here: readers of committed data stop before it until it is closed. */
void weir__journal_open_span(struct journal *j, uint32_t producer);
/** Writes the marker. */
void weir__journal_close_span(struct journal *j, uint32_t producer, bool committed, int64_t now_ms);
/** Whether `offset` of `producer` belongs to an aborted transaction. */
bool weir__span_covers(const struct span *spans, size_t n, uint32_t producer, int64_t offset);
void weir__segment_unref(struct segment *s);
struct segment *weir__segment_new(int64_t base, size_t capacity);
/** Takes segments from..to-1 out of the list and puts n others there. */
void weir__journal_splice(struct journal *j, size_t from, size_t to, struct segment *const *with, size_t n);

/** Drops what lies before `offset`. */
void weir__journal_truncate_front(struct journal *j, int64_t offset);
/** retention.bytes, and by_time retention.ms too. */
void weir__journal_retain(struct journal *j, bool by_time, int64_t now_ms);
/** Whether enough is uncleaned for the cleaner to be worth its work. */
bool weir__journal_clean_due(const struct journal *j);
/** Cleans a compacted journal. Lock held, given up while at work. The topic must be kept alive by the caller. */
void weir__journal_clean(struct embedded *e, struct journal *j);

/* --- topics ------------------------------------------------------------------------------------------------------- */

struct topic_config {
	bool compact, del, append_time;
	int64_t retention_ms, retention_bytes, delete_retention_ms, compaction_lag_ms, segment_bytes;
	int64_t message_bytes_max, future_ms_max;
	double dirty_ratio_min;
};

struct topic {
	const char *name; /* interned */
	int32_t partitions;
	struct journal *journals;
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
bool weir__embedded_topic_config(weir_cluster *cluster, const char *topic, const char *name, char *buf, size_t size,
				 weir_error *err);
/** Reads one setting into *config; false = unknown name or bad value. */
bool weir__topic_setting_read(struct topic_config *config, const char *name, const char *value);
/** The broker's default of a setting; NULL = no such setting. */
const char *weir__topic_setting_default(const char *name);

/* --- transactions ------------------------------------------------------------------------------------------------- */

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
	int64_t settle_ms; /* when markers that are late come */
	uint64_t serial;   /* of the present transaction */
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
/** Settles `delay_ms` later. */
void weir__txn_settle_later(struct embedded *e, struct txn *t, int64_t delay_ms);
void weir__txn_sweep(struct embedded *e, int64_t now_ms);
void weir__txns_release(struct embedded *e);

/* --- groups ------------------------------------------------------------------------------------------------------- */

struct place {
	const char *topic; /* interned */
	int32_t partition;
};

struct places {
	struct place *items; /* sorted by name and partition */
	size_t count, room;
};

struct committed {
	int64_t offset;
	char *metadata;
	int pending; /* open transactions that hold a newer one */
};

struct group_topic {
	const char *name; /* interned */
	struct committed *partitions;
	int32_t count;
};

/*
 *            subscribe                    all have joined
 *   EMPTY ---------------> JOINING ----------------------------> STABLE
 *     ^                      ^  |                                  |
 *     |  the last one gone   |  |   a member comes, goes, times    |
 *     +----------------------|--+   out or has given up partitions |
 *                            +-------------------------------------+
 */
enum group_state {
	GROUP_EMPTY,
	GROUP_JOINING,
	GROUP_STABLE,
};

struct member {
	struct group *group;
	struct embedded_consumer *consumer; /* NULL: a static member that is away */
	char *id, *instance, *client_id;
	const char **topics; /* interned */
	size_t topic_count;
	int32_t generation;     /* -1 = of none yet */
	struct places assigned; /* by the coordinator in this generation */
	struct places owned;    /* what the consumer has been told and has not given up */
	int64_t seen_ms, session_ms, busy_ms_max;
	bool busy;              /* in on_group, which may take longer than a session */
	bool joined;            /* waits for the others to join */
	bool out_of_date;       /* a generation that the consumer has not acted on */
	bool evicted, fenced;   /* no longer of the group; the consumer frees it */
};

struct group {
	char *name;
	int32_t generation;
	enum group_state state;
	struct member **members;
	size_t count, room;
	struct group_topic *topics;
	size_t topic_count;
	uint64_t serial; /* of member ids */
};

struct group *weir__group_find(struct embedded *e, const char *name, bool make);
void weir__group_free(struct group *g);
/** Makes the consumer a member; a static id takes its former member's place. */
struct member *weir__group_join(struct embedded *e, struct group *g, struct embedded_consumer *c);
void weir__member_leave(struct embedded *e, struct member *m);
void weir__member_free(struct member *m);
/** The member has acted on everything: it joins a round that is under way. */
void weir__member_rejoin(struct embedded *e, struct member *m);
/** Begins a round; members join it at their next poll. */
void weir__group_rebalance(struct embedded *e, struct group *g);
void weir__group_sweep(struct embedded *e, struct group *g, int64_t now_ms);
/** Whether `consumer` may commit: else *err, abort_txn set. */
bool weir__member_may_commit(const struct member *m, weir_error *err);
/** A topic came or went: groups that want it rebalance. */
void weir__groups_topic_changed(struct embedded *e, const char *topic);

/** Sets .assigned of all members: balanced, sticky; what another still owns is left out until it is given up. */
void weir__group_assign(struct embedded *e, struct group *g);

void weir__places_add(struct places *list, const char *topic, int32_t partition);
bool weir__places_have(const struct places *list, const char *topic, int32_t partition);
void weir__places_copy(struct places *to, const struct places *from);
/** Adds to *to what lies in a and not in b. */
void weir__places_minus(struct places *to, const struct places *a, const struct places *b);
void weir__places_release(struct places *list);

struct committed *weir__group_offset(struct embedded *e, struct group *g, const char *topic, int32_t partition, bool make);
void weir__committed_set(struct committed *c, int64_t offset, const char *metadata);
void weir__groups_forget_topic(struct embedded *e, const char *topic);
bool weir__embedded_group_committed(weir_cluster *cluster, const char *group, weir_partition *list, size_t n,
				    int64_t timeout_ms, weir_error *err);
bool weir__embedded_group_alter(weir_cluster *cluster, const char *group, const weir_partition *list, size_t n,
				weir_error *err);
bool weir__embedded_group_delete(weir_cluster *cluster, const char *group, weir_error *err);
bool weir__embedded_group_describe(weir_cluster *cluster, const char *group, weir_member_fn *fn, void *user,
				   weir_error *err);

/* --- consumer ----------------------------------------------------------------------------------------------------- */

/* A partition that a consumer reads. */
struct part {
	struct part *next_reader; /* of its journal */
	struct embedded_consumer *consumer;
	struct topic *topic;      /* a reference; NULL: there is none */
	struct journal *journal;
	char *name;
	int32_t partition;
	void *user;
	int64_t position;  /* a WEIR_OFFSET_* until it is known */
	int64_t known_end; /* -1 = not known */
	struct segment *segment; /* a reference: entry `at` is the next to look at */
	uint32_t at;
	uint64_t version;  /* moves when reading must not simply go on */
	bool paused, stopped;
};

struct embedded_consumer {
	weir_consumer base;
	struct embedded *cluster;
	weir_consumer_opts opts;
	char *client_id, *instance;
	struct group *group;
	struct member *member;
	const char **topics; /* subscribed to, interned; NULL = not subscribed */
	size_t topic_count;
	bool *topic_missing; /* has been reported as not there */
	bool subscription_changed, in_callback;
	bool broken; /* fenced, or given up: fatal */
	weir_error cause;
	struct part **parts;
	size_t part_count, part_room;
	uint64_t parts_version;
	size_t cursor; /* whose turn it is */
	struct part *retired; /* unassigned while being read (linked by next_reader) */
	pthread_cond_t wake;
	bool waiting;
	struct span *aborted; /* of the run that is being handed over */
	size_t aborted_count, aborted_room;
	weir_header *headers;
	size_t header_room;
	weir_headers header_list;
};

weir_consumer *weir__embedded_consumer_open(weir_cluster *cluster, const weir_consumer_opts *opts, weir_error *err);
bool weir__embedded_poll(weir_consumer *consumer, int64_t timeout_ms, weir_record_fn *fn, void *user, weir_error *err);
const weir_headers *weir__embedded_headers(const weir_kafka_record *record);
struct part *weir__consumer_part(struct embedded_consumer *c, const char *topic, int32_t partition);
void weir__consumer_drop(struct embedded_consumer *c, const struct places *list);
void weir__consumer_bury(struct embedded_consumer *c);
/** Serves group events; false = fenced. *served is set when a callback ran. Lock held; given up for callbacks. */
bool weir__consumer_serve_group(struct embedded_consumer *c, bool *served, weir_error *err);
/** The callback for what is held, then out of the group. */
void weir__consumer_leave(struct embedded_consumer *c);
/** Wakes the consumer if it waits in a poll. */
void weir__consumer_wake(struct embedded_consumer *c);

/* --- producer ----------------------------------------------------------------------------------------------------- */

enum producer_state {
	PRODUCER_NEW,   /* transactional, before init */
	PRODUCER_READY, /* not transactional: always */
	PRODUCER_IN_TXN,
	PRODUCER_TO_ABORT,
	PRODUCER_FATAL,
};

/* What a producer knows of a topic that it writes to. */
struct target {
	const char *address; /* of the name as last given */
	struct topic *topic; /* a reference */
	struct target_slot {
		int64_t delivered;
		uint64_t txn_serial; /* the transaction that has this partition already */
	} *slots;
};

struct report {
	const char *topic; /* interned */
	int32_t partition;
	int64_t offset;
	uint64_t tag;
	weir_error *error; /* on the heap */
};

struct embedded_producer {
	weir_producer base;
	struct embedded *cluster;
	weir_producer_opts opts;
	enum producer_state state;
	weir_error cause; /* of TO_ABORT and FATAL */
	struct txn *txn;  /* NULL = not transactional */
	int32_t epoch;
	uint32_t producer;
	uint32_t next_any;
	bool txn_used; /* the transaction has reached the coordinator */
	int64_t now_ms; /* not later than now */
	struct target *targets;
	size_t target_count, target_room;
	size_t target_last;
	struct report *reports;
	size_t report_count, report_room;
	bool reporting;
};

weir_producer *weir__embedded_producer_open(weir_cluster *cluster, const weir_producer_opts *opts, weir_error *err);
void weir__producer_serve(struct embedded_producer *p);
/** From now on all calls fail. Sets *err, flagged so; false. */
bool weir__producer_break(struct embedded_producer *p, const weir_error *cause, weir_error *err);
/** The transaction can only be aborted now. Sets *err, flagged so; false. */
bool weir__producer_to_abort(struct embedded_producer *p, const weir_error *cause, weir_error *err);
/** Whether the transactional id is still this producer's; else it is fatal. */
bool weir__producer_owns_txn(struct embedded_producer *p, weir_error *err);
bool weir__embedded_init(weir_producer *producer, int64_t timeout_ms, weir_error *err);
bool weir__embedded_begin(weir_producer *producer, weir_error *err);
bool weir__embedded_send_offsets(weir_producer *producer, weir_consumer *consumer, const weir_partition *list,
				 size_t n, int64_t timeout_ms, weir_error *err);
bool weir__embedded_commit(weir_producer *producer, int64_t timeout_ms, weir_error *err);
bool weir__embedded_abort(weir_producer *producer, int64_t timeout_ms, weir_error *err);

/* --- faults ------------------------------------------------------------------------------------------------------- */

/* Where a simulation may interfere. `who` is a transactional id or a consumer's client id. */
enum embedded_point {
	EMBEDDED_AT_SEND,
	EMBEDDED_AT_INIT,
	EMBEDDED_AT_SEND_OFFSETS,
	EMBEDDED_AT_COMMIT,
	EMBEDDED_AT_ABORT,
	EMBEDDED_AT_POLL,
};

enum embedded_fault {
	EMBEDDED_FINE,
	EMBEDDED_ABORTABLE,   /* send, send_offsets, commit: fails, the transaction must be aborted */
	EMBEDDED_FATAL,       /* all: fails, the handle is of no use any more */
	EMBEDDED_UNDONE,      /* init, commit, abort: no answer, and it has not been done */
	EMBEDDED_DONE,        /* commit, abort: no answer, but it has been done */
	EMBEDDED_LATE,        /* commit, abort: succeeds, the markers are written later */
	EMBEDDED_EVICTED,     /* poll: the member has been put out of its group */
};

/** Called without the lock. */
typedef enum embedded_fault embedded_fault_fn(enum embedded_point point, const char *who, void *user);

/** Asks fn at each point from now on (NULL = no more); late markers come marker_delay_ms later. Before any use. */
void weir__embedded_faults(weir_cluster *cluster, embedded_fault_fn *fn, void *user, int64_t marker_delay_ms);
/** Ends a consumer or producer as a crash does: nothing is left, committed, aborted or reported. */
void weir__embedded_crash_consumer(weir_consumer *consumer);
void weir__embedded_crash_producer(weir_producer *producer);
enum embedded_fault weir__embedded_fault(struct embedded *e, enum embedded_point point, const char *who);
/** Puts a consumer out of its group. */
void weir__member_evict(struct embedded *e, struct member *m);
void weir__consumer_free(struct embedded_consumer *c);
void weir__producer_free(struct embedded_producer *p);

/* --- cluster ------------------------------------------------------------------------------------------------------ */

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

int32_t weir__embedded_topic_partitions(weir_cluster *cluster, const char *topic, weir_error *err);
bool weir__embedded_topics_each(weir_cluster *cluster, weir_topic_fn *fn, void *user, weir_error *err);
bool weir__embedded_offsets_range(weir_cluster *cluster, const char *topic, int32_t partition, int64_t *first,
				  int64_t *end, weir_error *err);
bool weir__embedded_offsets_for_times(weir_cluster *cluster, weir_partition *list, size_t n, weir_error *err);
bool weir__embedded_records_delete(weir_cluster *cluster, const weir_partition *list, size_t n, weir_error *err);

/** Makes room for one more item in an array that doubles. */
#define WEIR__GROW(items, count, room)                                                                                 \
	do {                                                                                                           \
		if ((count) == (room)) {                                                                               \
			(room) = (room) ? 2 * (room) : 4;                                                              \
			(items) = weir__realloc((items), (room) * sizeof *(items));                                    \
		}                                                                                                      \
	} while (0)

#endif
