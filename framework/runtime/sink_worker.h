#ifndef WEIR_SINK_WORKER_H
#define WEIR_SINK_WORKER_H
/* The inside of a sink worker, shared by sink_*.c. */
#include <pthread.h>
#include <stdatomic.h>
#include <weir/external_sink.h>
#include <weir/log.h>

#include "framework/runtime/ages.h"
#include "framework/runtime/sink_batch.h"
#include "framework/runtime/sink_rejects.h"

/* Waiting longer after each failure, 100 ms to 10 s. */
struct sink_backoff {
	int64_t retry_at_ms; /* monotonic; 0 = at once */
	int64_t delay_ms;    /* the last one; 0 = all is well */
};

/* A partition that the group has given this worker. */
struct sink_partition {
	int32_t id;
	bool owned;      /* own() has been called and disown() has not */
	bool ready;      /* its records are taken; else it is paused until own() succeeds */
	int64_t stored;  /* next offset as the sink has it */
	int64_t written; /* behind what is written: further than `stored` where only markers lie between (under the
			    lock) */
	int64_t end;     /* of the log, last known */
	int64_t wrote_at_ms;
	int64_t newest_ms; /* greatest timestamp written; INT64_MIN = none */
	struct ages ages;  /* with retain_ms */
	struct sink_backoff backoff;
	struct sink_batch batch;
	struct sink_rejects rejects;
};

struct weir_sink_worker {
	weir_cluster *cluster;
	const weir_config *cfg;
	weir_sink_worker_opts opts;
	char *topic, *group, *group_instance_id, *dead_letter_topic;
	pthread_t thread;
	atomic_bool stopping;

	/* The thread's own. */
	weir_consumer *consumer;
	struct sink_backoff consumer_backoff, sink_backoff;
	bool connected, batch_full;
	bool consumer_broken; /* it must be closed and made anew */
	char *cluster_id;
	struct sink_partition **partitions; /* changed under the lock */
	size_t partition_count;
	struct sink_dead_letters dead_letters;
	int64_t idle_at_ms, lag_at_ms, others_at_ms, purge_at_ms;
	weir_log_limit log_away, log_consumer, log_fenced, log_partition;

	/* For other threads, under the lock. */
	pthread_mutex_t lock;
	weir_sink_status status;
	int64_t *targets; /* of caught_up: the end of each partition at its first call; 0 = nothing lay there */
	int64_t *others;  /* the stored offsets of those that are not this worker's */
	int32_t target_count;
};

int64_t weir__sink_now_ms(void);
void weir__sink_back_off(struct sink_backoff *b);

/** The error becomes the status's. */
void weir__sink_note(struct weir_sink_worker *w, const weir_error *error);
/** For good. */
void weir__sink_die(struct weir_sink_worker *w, const weir_error *error);

/* sink_group.c: the consumer, what the group gives and takes, and owning it in the sink. */
bool weir__sink_consumer_open(struct weir_sink_worker *w);
void weir__sink_consumer_close(struct weir_sink_worker *w);
struct sink_partition *weir__sink_partition(struct weir_sink_worker *w, int32_t id);
/** Fills cluster_id in, at first use. */
bool weir__sink_know_cluster(struct weir_sink_worker *w, weir_error *err);
/** Calls own for what is assigned and not ready, as far as its back-off allows. */
void weir__sink_own_pending(struct weir_sink_worker *w);
/** Stops taking the partition's records; what is in hand is let go and will be read again. */
void weir__sink_hold(struct weir_sink_worker *w, struct sink_partition *p);
/** The sink is away: holds all partitions. */
void weir__sink_away(struct weir_sink_worker *w, const weir_error *error, const char *what);

/* sink_write.c */
/** Writes the partition's batch, or the offset alone when it is empty. False: the partition is held, or the sink
 *  away. */
bool weir__sink_write(struct weir_sink_worker *w, struct sink_partition *p);

/* sink_purge.c */
/** Deletes what is written and older than retain_ms. */
void weir__sink_purge(struct weir_sink_worker *w);

/* sink_status.c */
void weir__sink_update_lag(struct weir_sink_worker *w);
/** Asks the sink how far the other workers' partitions are, as far as caught_up wants to know. */
bool weir__sink_ask_others(struct weir_sink_worker *w, weir_error *err);

#endif
