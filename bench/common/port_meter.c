#include "bench/common/port_meter.h"

#include "framework/kafka/port.h"

#include <stdlib.h>

static _Thread_local int64_t inside_us, since_us; /* since_us 0 = outside */
static _Thread_local int records;                 /* being taken */

struct cluster {
	weir_cluster base;
	weir_cluster *real;
};

struct consumer {
	weir_consumer base;
	weir_consumer *real;
	weir_consumer_opts opts;
};

struct producer {
	weir_producer base;
	weir_producer *real;
	weir_producer_opts opts;
};

static int64_t now_us(void)
{
	return weir_clock_system()->monotonic_us(weir_clock_system());
}

static void enter(void)
{
	since_us = now_us();
}

static void leave(void)
{
	inside_us += now_us() - since_us;
	since_us = 0;
}

int64_t port_meter_inside_us(void)
{
	return inside_us;
}

bool port_meter_takes_record(void)
{
	return records > 0 && !since_us;
}

/* Defines name(parameters), which passes on to the same function of the object behind. */
#define FORWARD(kind, result, name, parameters, arguments) \
	static result kind##_##name parameters \
	{ \
		enter(); \
		result r = ((struct kind *)self)->real->ops->name arguments; \
		leave(); \
		return r; \
	}
#define REAL (((struct cluster *)self)->real)
#define REAL_CONSUMER(c) (((struct consumer *)(c))->real)
#define REAL_PRODUCER (((struct producer *)self)->real)

/* --- consumer ------------------------------------------------------------------------------------------------ */

static void on_group(weir_consumer *real, weir_group_event event, const weir_partition *list, size_t n, void *user)
{
	struct consumer *c = user;

	(void)real;
	leave();
	c->opts.on_group(&c->base, event, list, n, c->opts.user);
	enter();
}

static void on_partition_error(weir_consumer *real, const weir_partition *partition, const weir_error *error,
			       void *user)
{
	struct consumer *c = user;

	(void)real;
	leave();
	c->opts.on_partition_error(&c->base, partition, error, c->opts.user);
	enter();
}

static void on_member(const char *client_id, const char *member_id, const char *topic, int32_t partition,
		      void *user)
{
	struct consumer *c = user;

	leave();
	c->opts.on_member(client_id, member_id, topic, partition, c->opts.user);
	enter();
}

struct taker {
	weir_record_fn *fn;
	void *user;
};

static bool take(const weir_kafka_record *record, void *user)
{
	struct taker *t = user;

	leave();
	records++;
	bool more = t->fn(record, t->user);

	records--;
	enter();
	return more;
}

static bool consumer_poll(weir_consumer *self, int64_t timeout_ms, weir_record_fn *fn, void *user, weir_error *err)
{
	struct taker t = { fn, user };

	enter();
	bool ok = weir_consumer_poll(REAL_CONSUMER(self), timeout_ms, take, &t, err);

	leave();
	return ok;
}

static void consumer_close(weir_consumer *self)
{
	enter();
	weir_consumer_close(REAL_CONSUMER(self));
	leave();
	free(self);
}

static void consumer_leave(weir_consumer *self)
{
	weir_consumer_leave(REAL_CONSUMER(self));
}

FORWARD(consumer, bool, subscribe, (weir_consumer * self, const char *const *topics, size_t n, weir_error *err),
	(REAL_CONSUMER(self), topics, n, err))
FORWARD(consumer, bool, assign, (weir_consumer * self, const weir_partition *list, size_t n, weir_error *err),
	(REAL_CONSUMER(self), list, n, err))
FORWARD(consumer, bool, unassign, (weir_consumer * self, const weir_partition *list, size_t n, weir_error *err),
	(REAL_CONSUMER(self), list, n, err))
FORWARD(consumer, bool, seek, (weir_consumer * self, const weir_partition *list, size_t n, weir_error *err),
	(REAL_CONSUMER(self), list, n, err))
FORWARD(consumer, bool, pause, (weir_consumer * self, const weir_partition *list, size_t n, weir_error *err),
	(REAL_CONSUMER(self), list, n, err))
FORWARD(consumer, bool, resume, (weir_consumer * self, const weir_partition *list, size_t n, weir_error *err),
	(REAL_CONSUMER(self), list, n, err))
FORWARD(consumer, int64_t, position, (weir_consumer * self, const char *topic, int32_t partition),
	(REAL_CONSUMER(self), topic, partition))
FORWARD(consumer, bool, lost, (weir_consumer * self), (REAL_CONSUMER(self)))
FORWARD(consumer, int64_t, lag, (weir_consumer * self, const char *topic, int32_t partition),
	(REAL_CONSUMER(self), topic, partition))

/* Records name the consumer behind, which gives their headers; .headers is never asked for here. */
static const struct consumer_ops consumer_ops = {
	.close = consumer_close,
	.leave = consumer_leave,
	.subscribe = consumer_subscribe,
	.assign = consumer_assign,
	.unassign = consumer_unassign,
	.seek = consumer_seek,
	.pause = consumer_pause,
	.resume = consumer_resume,
	.poll = consumer_poll,
	.position = consumer_position,
	.lost = consumer_lost,
	.lag = consumer_lag,
};

static weir_consumer *cluster_consumer_open(weir_cluster *self, const weir_consumer_opts *opts, weir_error *err)
{
	struct consumer *c = calloc(1, sizeof *c);
	weir_consumer_opts passed = *opts;

	if (!c)
		abort();
	c->base.ops = &consumer_ops;
	c->opts = *opts;
	passed.user = c;
	passed.on_group = opts->on_group ? on_group : NULL;
	passed.on_partition_error = opts->on_partition_error ? on_partition_error : NULL;
	passed.on_member = opts->on_member ? on_member : NULL;
	enter();
	c->real = weir_consumer_open(REAL, passed, err);
	leave();
	if (c->real)
		return &c->base;
	free(c);
	return NULL;
}

/* --- producer ------------------------------------------------------------------------------------------------ */

static void on_delivery(const char *topic, int32_t partition, int64_t offset, uint64_t tag, const weir_error *error,
			void *user)
{
	struct producer *p = user;

	leave();
	p->opts.on_delivery(topic, partition, offset, tag, error, p->opts.user);
	enter();
}

static void producer_close(weir_producer *self)
{
	enter();
	weir_producer_close(REAL_PRODUCER);
	leave();
	free(self);
}

FORWARD(producer, bool, send, (weir_producer * self, const weir_produced *record, weir_error *err),
	(REAL_PRODUCER, record, err))
FORWARD(producer, size_t, poll, (weir_producer * self, int64_t timeout_ms), (REAL_PRODUCER, timeout_ms))
FORWARD(producer, bool, flush, (weir_producer * self, int64_t timeout_ms, weir_error *err),
	(REAL_PRODUCER, timeout_ms, err))
FORWARD(producer, int64_t, delivered, (weir_producer * self, const char *topic, int32_t partition),
	(REAL_PRODUCER, topic, partition))
FORWARD(producer, bool, init, (weir_producer * self, int64_t timeout_ms, weir_error *err),
	(REAL_PRODUCER, timeout_ms, err))
FORWARD(producer, bool, begin, (weir_producer * self, weir_error *err), (REAL_PRODUCER, err))
FORWARD(producer, bool, send_offsets,
	(weir_producer * self, weir_consumer *consumer, const weir_partition *list, size_t n, int64_t timeout_ms,
	 weir_error *err),
	(REAL_PRODUCER, REAL_CONSUMER(consumer), list, n, timeout_ms, err))
FORWARD(producer, bool, commit, (weir_producer * self, int64_t timeout_ms, weir_error *err),
	(REAL_PRODUCER, timeout_ms, err))
FORWARD(producer, bool, abort, (weir_producer * self, int64_t timeout_ms, weir_error *err),
	(REAL_PRODUCER, timeout_ms, err))

static const struct producer_ops producer_ops = {
	.close = producer_close,
	.send = producer_send,
	.poll = producer_poll,
	.flush = producer_flush,
	.delivered = producer_delivered,
	.init = producer_init,
	.begin = producer_begin,
	.send_offsets = producer_send_offsets,
	.commit = producer_commit,
	.abort = producer_abort,
};

static weir_producer *cluster_producer_open(weir_cluster *self, const weir_producer_opts *opts, weir_error *err)
{
	struct producer *p = calloc(1, sizeof *p);
	weir_producer_opts passed = *opts;

	if (!p)
		abort();
	p->base.ops = &producer_ops;
	p->opts = *opts;
	passed.user = p;
	passed.on_delivery = opts->on_delivery ? on_delivery : NULL;
	enter();
	p->real = weir_producer_open(REAL, passed, err);
	leave();
	if (p->real)
		return &p->base;
	free(p);
	return NULL;
}

/* --- cluster ------------------------------------------------------------------------------------------------- */

static void cluster_free(weir_cluster *self)
{
	weir_cluster_free(REAL);
	free(self);
}

FORWARD(cluster, const char *, id, (weir_cluster * self, weir_error *err), (REAL, err))
FORWARD(cluster, bool, topics_create,
	(weir_cluster * self, const weir_topic_spec *specs, size_t n, weir_error *err), (REAL, specs, n, err))
FORWARD(cluster, bool, topics_delete, (weir_cluster * self, const char *const *names, size_t n, weir_error *err),
	(REAL, names, n, err))
FORWARD(cluster, int32_t, topic_partitions, (weir_cluster * self, const char *topic, weir_error *err),
	(REAL, topic, err))
FORWARD(cluster, bool, topic_config,
	(weir_cluster * self, const char *topic, const char *name, char *buf, size_t size, weir_error *err),
	(REAL, topic, name, buf, size, err))
FORWARD(cluster, bool, topics_each, (weir_cluster * self, weir_topic_fn *fn, void *user, weir_error *err),
	(REAL, fn, user, err))
FORWARD(cluster, bool, offsets_range,
	(weir_cluster * self, const char *topic, int32_t partition, int64_t *first, int64_t *end, weir_error *err),
	(REAL, topic, partition, first, end, err))
FORWARD(cluster, bool, offsets_for_times, (weir_cluster * self, weir_partition *list, size_t n, weir_error *err),
	(REAL, list, n, err))
FORWARD(cluster, bool, records_delete, (weir_cluster * self, const weir_partition *list, size_t n, weir_error *err),
	(REAL, list, n, err))
FORWARD(cluster, bool, group_committed,
	(weir_cluster * self, const char *group, weir_partition *list, size_t n, int64_t timeout_ms,
	 weir_error *err),
	(REAL, group, list, n, timeout_ms, err))
FORWARD(cluster, bool, group_alter,
	(weir_cluster * self, const char *group, const weir_partition *list, size_t n, weir_error *err),
	(REAL, group, list, n, err))
FORWARD(cluster, bool, group_delete, (weir_cluster * self, const char *group, weir_error *err), (REAL, group, err))
FORWARD(cluster, bool, group_describe,
	(weir_cluster * self, const char *group, weir_member_fn *fn, void *user, int64_t timeout_ms,
	 weir_error *err),
	(REAL, group, fn, user, timeout_ms, err))

static const struct cluster_ops cluster_ops = {
	.free = cluster_free,
	.id = cluster_id,
	.topics_create = cluster_topics_create,
	.topics_delete = cluster_topics_delete,
	.topic_partitions = cluster_topic_partitions,
	.topic_config = cluster_topic_config,
	.topics_each = cluster_topics_each,
	.offsets_range = cluster_offsets_range,
	.offsets_for_times = cluster_offsets_for_times,
	.records_delete = cluster_records_delete,
	.group_committed = cluster_group_committed,
	.group_alter = cluster_group_alter,
	.group_delete = cluster_group_delete,
	.group_describe = cluster_group_describe,
	.consumer_open = cluster_consumer_open,
	.producer_open = cluster_producer_open,
};

weir_cluster *port_meter_new(weir_cluster *real)
{
	struct cluster *c = calloc(1, sizeof *c);

	if (!c)
		abort();
	c->base.ops = &cluster_ops;
	c->real = real;
	return &c->base;
}
