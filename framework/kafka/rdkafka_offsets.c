/*
 * rd_kafka_send_offsets_to_transaction waits without an end of its own, and there are answers after which nobody
 * ever wakes it (2.0.2: the group's coordinator is lost for good). So it runs on a thread that may be left
 * behind. It calls nothing back, unlike commit and abort, whose deliveries must run on the caller's thread - and
 * these keep their time.
 */
#include "framework/kafka/rdkafka.h"

#include "framework/base/alloc.h"
#include <weir/log.h>

#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum { GRACE_MS = 2000 }; /* librdkafka's own time-out should come first: its error says more */

enum state { IDLE, ASKED, RUNNING, DONE, QUIT };

struct rdk_offsets {
	rd_kafka_t *rk;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum state state;
	bool abandoned; /* the owner is gone: all is the thread's */
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_consumer_group_metadata_t *group;
	int64_t timeout_ms;
	rd_kafka_error_t *error;
};

static void release(struct rdk_offsets *o)
{
	pthread_cond_destroy(&o->changed);
	pthread_mutex_destroy(&o->lock);
	free(o);
}

static void destroy_all(struct rdk_offsets *o)
{
	weir_log(WEIR_LOG_WARN, "kafka", "client=%s came back from sending offsets, too late: destroyed",
		 rd_kafka_name(o->rk));
	if (o->error)
		rd_kafka_error_destroy(o->error);
	rd_kafka_destroy(o->rk);
	release(o);
}

static void *run(void *user)
{
	struct rdk_offsets *o = user;

	pthread_mutex_lock(&o->lock);
	for (;;) {
		while (o->state != ASKED && o->state != QUIT)
			pthread_cond_wait(&o->changed, &o->lock);
		if (o->state == QUIT)
			break;
		o->state = RUNNING;
		pthread_mutex_unlock(&o->lock);
		rd_kafka_error_t *error =
			rd_kafka_send_offsets_to_transaction(o->rk, o->list, o->group, (int)o->timeout_ms);

		rd_kafka_topic_partition_list_destroy(o->list);
		rd_kafka_consumer_group_metadata_destroy(o->group);
		pthread_mutex_lock(&o->lock);
		o->error = error;
		o->state = DONE;
		if (o->abandoned) {
			pthread_mutex_unlock(&o->lock);
			destroy_all(o);
			return NULL;
		}
		pthread_cond_broadcast(&o->changed);
	}
	pthread_mutex_unlock(&o->lock);
	return NULL;
}

struct rdk_offsets *weir__rdk_offsets_new(rd_kafka_t *rk)
{
	struct rdk_offsets *o = weir__calloc(1, sizeof *o);
	pthread_condattr_t monotonic;

	o->rk = rk;
	pthread_mutex_init(&o->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&o->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	weir_assert(pthread_create(&o->thread, NULL, run, o) == 0);
	return o;
}

bool weir__rdk_offsets_send(struct rdk_offsets *o, rd_kafka_topic_partition_list_t *list,
			    rd_kafka_consumer_group_metadata_t *group, int64_t timeout_ms, rd_kafka_error_t **error)
{
	struct timespec until;
	int64_t wait_ms = timeout_ms + GRACE_MS;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += wait_ms / 1000;
	until.tv_nsec += wait_ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&o->lock);
	weir_assert(o->state == IDLE);
	o->list = list;
	o->group = group;
	o->timeout_ms = timeout_ms;
	o->state = ASKED;
	pthread_cond_broadcast(&o->changed);
	while (o->state != DONE && pthread_cond_timedwait(&o->changed, &o->lock, &until) != ETIMEDOUT)
		;
	bool answered = o->state == DONE;
	if (answered) {
		*error = o->error;
		o->error = NULL;
		o->state = IDLE;
	}
	pthread_mutex_unlock(&o->lock);
	return answered;
}

bool weir__rdk_offsets_free(struct rdk_offsets *o)
{
	if (!o)
		return false;
	pthread_t thread = o->thread; /* o may be gone once the lock is given back */

	pthread_mutex_lock(&o->lock);
	bool busy = o->state == ASKED || o->state == RUNNING;

	if (busy) {
		o->abandoned = true;
	} else {
		if (o->error)
			rd_kafka_error_destroy(o->error);
		o->state = QUIT;
		pthread_cond_broadcast(&o->changed);
	}
	pthread_mutex_unlock(&o->lock);
	if (busy) {
		pthread_detach(thread);
		return true;
	}
	pthread_join(thread, NULL);
	release(o);
	return false;
}
