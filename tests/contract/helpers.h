#ifndef CONTRACT_HELPERS_H
#define CONTRACT_HELPERS_H
/* Short hands for the cases. All fail the running test when something takes too long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/contract/kafka_contract.h"

/** A name not used before: topic, group, transactional id. Valid for the rest of the case. */
const char *fresh(struct contract *c, const char *what);
/** A new topic with that many partitions; its name. */
const char *fresh_topic(struct contract *c, int32_t partitions);
/** Lets time pass: the manual clock moves, the real one is waited for. */
void let_pass(struct contract *c, int64_t ms);

/* Fails the test unless *err is as good as empty; prints its message. */
#define assert_done(done, err) \
	do { \
		if (!(done)) \
			fail_msg("%s: %s", #done, (err).message); \
	} while (0)

/* --- patience: waits for what the cluster does in its own time ------------------------------------------------ */

struct patience {
	struct contract *c;
	int64_t until_us;
	int tries;
};
struct patience patience(struct contract *c);
/** True = try again; fails the test when it has taken too long. */
bool patience_left(struct patience *p, const char *what);
#define WAIT_UNTIL(c, cond) \
	for (struct patience p_ = patience(c); !(cond) && patience_left(&p_, #cond);) \
		;

/* --- producing ------------------------------------------------------------------------------------------------ */

/** A producer ready to send (init is done when it has a transactional id). */
weir_producer *producer_of(struct contract *c, const char *transactional_id);
/** Sends text; must be taken. NULL = null. */
void put(weir_producer *p, const char *topic, int32_t partition, const char *key, const char *value);
void put_at(weir_producer *p, const char *topic, int32_t partition, int64_t timestamp_ms, const char *key,
	    const char *value);
/** n records "0", "1", ... to that partition, acknowledged. */
void put_numbers(struct contract *c, const char *topic, int32_t partition, int n);
/** The same from `first` to the one before `end`. */
void put_range(struct contract *c, const char *topic, int32_t partition, int first, int end);
void flush(weir_producer *p);
void begin(weir_producer *p);
void commit(weir_producer *p);
void abort_txn(weir_producer *p);

/* --- consuming ------------------------------------------------------------------------------------------------ */

#define SEEN_MAX 4096
struct seen {
	char topic[128];
	int32_t partition;
	int64_t offset, timestamp_ms;
	char key[64], value[64]; /* "(null)" for null */
	void *user;
};

/* A consumer with all that it was given, in order. */
struct reader {
	struct contract *c;
	weir_consumer *consumer;
	struct seen seen[SEEN_MAX];
	size_t count;
	size_t leave_after;        /* leave each poll after so many records; 0 = do not */
	weir_record_fn *on_record; /* called after noting; NULL = go on */
	size_t errors;             /* calls of on_partition_error, and the last one */
	weir_error error;
	weir_partition error_partition;
};

/** Without a group. */
void reader_open(struct contract *c, struct reader *r, bool read_uncommitted);
void reader_assign(struct reader *r, const char *topic, int32_t partition, int64_t offset);
/** reader_open + reader_assign. */
void reader_at(struct contract *c, struct reader *r, const char *topic, int32_t partition, int64_t offset);
void reader_close(struct reader *r);
void reader_poll(struct reader *r);
/** Polls until it has been given n records in all. */
void reader_until(struct reader *r, size_t n);
/** Polls until the position of the partition is `offset`. */
void reader_until_position(struct reader *r, const char *topic, int32_t partition, int64_t offset);
/** Polls long enough for more to come if anything was to come. */
void reader_linger(struct reader *r);
/** All values in order with a space between: "a b c". */
const char *reader_values(struct reader *r);
int64_t position_of(struct reader *r, const char *topic, int32_t partition);

int64_t first_of(struct contract *c, const char *topic, int32_t partition);
int64_t end_of(struct contract *c, const char *topic, int32_t partition);
/** Committed offset of a partition; metadata (may be NULL) gets a copy, "" = none. */
int64_t committed_of(struct contract *c, const char *group, const char *topic, int32_t partition, char *metadata,
		     size_t size);

/* --- groups --------------------------------------------------------------------------------------------------- */

#define PARTITIONS_MAX 16
/* A group member that reads `topic` by subscription and `companion` (may be NULL) beside it. */
struct joiner {
	struct contract *c;
	weir_consumer *consumer;
	const char *topic, *companion, *group;
	bool owns[PARTITIONS_MAX];
	int assigned, revoked, lost; /* events */
	size_t count;                /* records */
	int per_topic[2];
	int64_t next[2][PARTITIONS_MAX]; /* offset to come; records out of order fail the test */
	weir_producer *committer;        /* commits what it has read when partitions are revoked; NULL = does not */
	bool fenced;
	void (*while_revoked)(
		void *user); /* called before the first revoked partitions are given up; may be NULL */
	void *user;
};

struct joiner_opts {
	const char *group, *topic, *companion, *instance;
	int64_t session_timeout_ms;
	weir_producer *committer;
};

void joiner_open(struct contract *c, struct joiner *j, struct joiner_opts opts);
void joiner_close(struct joiner *j);
/** One poll; false = failed fatally (j->fenced set). */
bool joiner_poll(struct joiner *j);
int joiner_owned(const struct joiner *j);
/** Polls all of them until they own `each` partitions (in order; -1 = do not care), and some more polls. */
void joiners_until(struct joiner **list, const int *each, size_t n);
/** Each partition has exactly one owner. */
void assert_one_owner(struct joiner **list, size_t n, int32_t partitions);
/** Commits what the member has read, by the producer, in a transaction of its own. */
bool joiner_commit(struct joiner *j, weir_producer *p, weir_error *err);

#endif
