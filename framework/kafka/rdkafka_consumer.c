/*
 * A consumer: opening, polling, positions. Assignment and group events are in rdkafka_group.c.
 *
 * Records come by rd_kafka_consume_callback_queue: one call hands over all that is queued without a copy, and
 * rd_kafka_yield leaves it between two records. (The batch call loses records when partitions are sought
 * meanwhile.) That call cannot serve group events, so the partitions' queues are forwarded to one of our own, and
 * there are two queues to wait for.
 */
#include "framework/kafka/rdkafka_consumer.h"

#include "framework/base/alloc.h"
#include "framework/base/hash.h"
#include <weir/log.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	SESSION_TIMEOUT_MS = 45000,
	POLL_INTERVAL_MS = 300000,
	HEARTBEAT_MS_MAX =
		1000, /* members learn of a rebalance by heartbeat, and a cooperative one has two rounds */
	CLOSE_TIMEOUT_MS = 10000,
	JOIN_TIMEOUT_MS = 3000,
	LEAVE_TIMEOUT_MS = 3000,
	LEAVE_WAIT_MS = 10,
	KEPT_MS_MAX = 10000,
	QUEUE_BYTES = 64 << 20,
	FETCH_BYTES = 50 << 20, /* librdkafka's default */
	WAIT_MS_MAX = 500,      /* librdkafka takes long waits for a stuck application */
	RECORD_BYTES = 600,     /* what a queued record costs librdkafka beside its own bytes */
};

/* --- errors that come with the records ---------------------------------------------------------------------- */

static void partition_failed(struct rdk_consumer *c, const rd_kafka_message_t *m, struct held *h)
{
	weir_error error = { 0 };
	weir_partition partition = {
		.topic = rd_kafka_topic_name(m->rkt),
		.partition = m->partition,
		.offset = h && h->position >= 0 ? h->position : WEIR_OFFSET_NONE,
		.user = h ? h->user : NULL,
	};

	if (!h && m->partition >= 0) /* unassigned meanwhile; without a number: a topic of the subscription */
		return;
	weir__rdk_fail(&error, m->err, "reading %s/%d at offset %lld: %s", partition.topic, (int)m->partition,
		       (long long)partition.offset, rd_kafka_message_errstr(m));
	if (h && error.code == WEIR_STATE) {
		/* of a place that it has been sought away from meanwhile? These errors outlive a seek. */
		if (h->stopped || weir__rdk_is_read(c, h))
			return;
		h->stopped = true;
	}
	if (c->on_partition_error)
		c->on_partition_error(&c->base, &partition, &error, c->user);
	else
		weir_log(WEIR_LOG_WARN, "kafka", "%s", error.message);
}

static void consumer_failed(struct rdk_consumer *c, const rd_kafka_message_t *m)
{
	weir__rdk_fail(&c->failure, m->err, "consumer%s%s: %s", c->group ? " of group " : "",
		       c->group ? c->group : "", rd_kafka_message_errstr(m));
	rd_kafka_yield(c->rk);
}

static void on_error(struct rdk_consumer *c, const rd_kafka_message_t *m)
{
	struct held *h = m->rkt ? weir__held_find(&c->held, m->rkt, m->partition) : NULL;

	switch (m->err) {
	case RD_KAFKA_RESP_ERR__PARTITION_EOF:
		/* The offset tells what lies behind the last record: markers of transactions, aborted records. */
		if (h && m->offset > h->position)
			h->position = m->offset;
		return;
	case RD_KAFKA_RESP_ERR__FATAL:
		weir__rdk_is_fatal(c->rk, &c->failure);
		rd_kafka_yield(c->rk);
		return;
	case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED: /* a LOST event follows */
		weir_log(WEIR_LOG_WARN, "kafka", "%s", rd_kafka_message_errstr(m));
		return;
	case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
		if (c->group)
			consumer_failed(c, m);
		return;
	case RD_KAFKA_RESP_ERR__TRANSPORT:
	case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
		return; /* logged, and tried again */
	default:
		if (m->rkt && weir__rdk_is_no_topic(rd_kafka_topic_name(m->rkt)))
			return;
		if (m->rkt)
			partition_failed(c, m, h);
		else
			consumer_failed(c, m);
	}
}

/* --- records ------------------------------------------------------------------------------------------------ */

/*
 * Before librdkafka 2.2, a broker's thread that has found the fetch queue full sleeps up to a second, whatever is
 * taken from the queue meanwhile. This call changes nothing (the credentials are those it has) and wakes all of
 * them. Done each time that some part of a full queue has been taken.
 */
static void wake_fetchers(struct rdk_consumer *c)
{
	rd_kafka_error_t *error =
		c->must_wake ? rd_kafka_sasl_set_credentials(c->rk, c->sasl_user, c->sasl_password) : NULL;

	if (error)
		rd_kafka_error_destroy(error);
	c->record_bytes = c->taken_records ? c->taken_bytes / c->taken_records : c->record_bytes;
	c->taken_records = 0;
	c->taken_bytes = 0;
}

static void on_message(rd_kafka_message_t *m, void *opaque)
{
	struct rdk_consumer *c = opaque;

	if (m->err) {
		on_error(c, m);
		return;
	}
	struct held *h = weir__held_find(&c->held, m->rkt, m->partition);

	/* not held: unassigned within this poll; behind the position: fetched before a seek */
	if (!h || m->offset < h->position)
		return;
	h->position = m->offset + 1;
	weir_kafka_record record = {
		.topic = h->topic,
		.partition = h->partition,
		.offset = m->offset,
		.timestamp_ms = rd_kafka_message_timestamp(m, NULL),
		.key = weir_bytes_of(m->key, m->key_len),
		.value = weir_bytes_of(m->payload, m->len),
		.user = h->user,
		.consumer = &c->base,
		.handle = m,
	};
	if (!c->on_record(&record, c->on_record_user))
		rd_kafka_yield(c->rk);
	c->taken_bytes += m->len + m->key_len;
	if (++c->taken_records >= c->wake_records || c->taken_bytes >= c->wake_bytes)
		wake_fetchers(c);
}

/* From librdkafka's threads. */
static void on_something(rd_kafka_t *rk, void *opaque)
{
	struct rdk_consumer *c = opaque;

	(void)rk;
	pthread_mutex_lock(&c->lock);
	c->woken = true;
	pthread_cond_signal(&c->something);
	pthread_mutex_unlock(&c->lock);
}

static void forget_wake(struct rdk_consumer *c)
{
	pthread_mutex_lock(&c->lock);
	c->woken = false;
	pthread_mutex_unlock(&c->lock);
}

static void wait_for_something(struct rdk_consumer *c, int64_t timeout_ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	int64_t ns = until.tv_nsec + timeout_ms % 1000 * 1000000;
	until.tv_sec += timeout_ms / 1000 + ns / 1000000000;
	until.tv_nsec = ns % 1000000000;
	pthread_mutex_lock(&c->lock);
	while (!c->woken && pthread_cond_timedwait(&c->something, &c->lock, &until) != ETIMEDOUT)
		;
	pthread_mutex_unlock(&c->lock);
}

/* Group events run their callbacks in here; what comes out are errors. */
static size_t serve_events(struct rdk_consumer *c)
{
	size_t n = 0;

	for (rd_kafka_message_t *m; (m = rd_kafka_consumer_poll(c->rk, 0)); n++) {
		on_message(m, c);
		rd_kafka_message_destroy(m);
	}
	return n;
}

/*
 * librdkafka takes all that is queued before it hands over the first record, and a poll that is left puts the rest
 * back. Meanwhile the queue looks empty to the fetchers, who fill it once more each time: without end, when records
 * come faster than they are processed. So what is much is read to its end while another queue is filled.
 */
static size_t serve_records(struct rdk_consumer *c)
{
	size_t served = 0;

	if (c->serving != c->filling) {
		served = (size_t)rd_kafka_consume_callback_queue(c->serving, 0, on_message, c);
		if (served || rd_kafka_queue_length(c->serving))
			return served;
		c->serving = c->filling;
	}
	size_t n = rd_kafka_queue_length(c->filling);

	if (n >= c->wake_records || n * c->record_bytes >= c->wake_bytes) {
		weir__rdk_swap_queues(c);
		wake_fetchers(c);
	}
	return (size_t)rd_kafka_consume_callback_queue(c->serving, 0, on_message, c);
}

static bool consumer_poll(weir_consumer *consumer, int64_t timeout_ms, weir_record_fn *fn, void *user,
			  weir_error *err)
{
	struct rdk_consumer *c = (struct rdk_consumer *)consumer;
	int64_t until = timeout_ms > 0 ? weir_time_add(weir__rdk_now_ms(), timeout_ms) : 0;

	c->on_record = fn;
	c->on_record_user = user;
	c->failure.code = WEIR_OK;
	if (c->owners.group || c->members_due || c->looking)
		weir__rdk_owners_serve(c);
	if (c->rejoin_ms)
		weir__rdk_rejoin_serve(c);
	for (;;) {
		forget_wake(c);
		size_t served = serve_events(c);

		if (!c->failure.code)
			served += serve_records(c);
		if (served || c->failure.code || timeout_ms <= 0)
			break;
		int64_t left = until - weir__rdk_now_ms();

		if (left <= 0)
			break;
		wait_for_something(c, left < WAIT_MS_MAX ? left : WAIT_MS_MAX);
	}
	if (!c->failure.code && !weir__rdk_is_fatal(c->rk, &c->failure))
		return true;
	if (err)
		*err = c->failure;
	return false;
}

static const weir_headers *record_headers(const weir_kafka_record *record)
{
	struct rdk_consumer *c = (struct rdk_consumer *)record->consumer;
	rd_kafka_headers_t *headers;

	c->headers.count = 0;
	if (rd_kafka_message_headers(record->handle, &headers))
		return &c->headers;
	size_t n = rd_kafka_header_cnt(headers);

	if (n > c->headers_capacity) {
		c->headers_capacity = n;
		c->header_items = weir__realloc(c->header_items, n * sizeof *c->header_items);
		c->headers.items = c->header_items;
	}
	for (size_t i = 0; i < n; i++) {
		const void *value;
		size_t size;

		rd_kafka_header_get_all(headers, i, &c->header_items[i].name, &value, &size);
		c->header_items[i].value = weir_bytes_of(value, size);
	}
	c->headers.count = n;
	return &c->headers;
}

/* --- positions ---------------------------------------------------------------------------------------------- */

static int64_t consumer_position(weir_consumer *consumer, const char *topic, int32_t partition)
{
	struct rdk_consumer *c = (struct rdk_consumer *)consumer;
	const struct held *h = weir__held_named(&c->held, topic, partition);

	return h && h->position >= 0 ? h->position : WEIR_OFFSET_NONE;
}

static int64_t consumer_lag(weir_consumer *consumer, const char *topic, int32_t partition)
{
	struct rdk_consumer *c = (struct rdk_consumer *)consumer;
	const struct held *h = weir__held_named(&c->held, topic, partition);
	int64_t low, high;

	if (!h || h->position < 0 || rd_kafka_get_watermark_offsets(c->rk, topic, partition, &low, &high) ||
	    high < 0)
		return -1;
	return high > h->position ? high - h->position : 0;
}

static bool consumer_lost(weir_consumer *consumer)
{
	struct rdk_consumer *c = (struct rdk_consumer *)consumer;

	/* a static member that another has taken the place of loses all, without an event */
	return rd_kafka_assignment_lost(c->rk) || rd_kafka_fatal_error(c->rk, NULL, 0);
}

rd_kafka_t *weir__rdk_consumer_client(weir_consumer *consumer, const char **group)
{
	struct rdk_consumer *c = (struct rdk_consumer *)consumer;

	*group = c->group;
	return c->rk;
}

/* --- open and close ----------------------------------------------------------------------------------------- */

static void serve_closing(struct rdk_consumer *c, rd_kafka_queue_t *events)
{
	rd_kafka_event_t *event = rd_kafka_queue_poll(events, 50);

	if (!event)
		return;
	if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE)
		weir__rdk_on_rebalance(c->rk, rd_kafka_event_error(event),
				       rd_kafka_event_topic_partition_list(event), c);
	rd_kafka_event_destroy(event);
}

/*
 * Before it knows its member id, librdkafka cannot say to the broker that it leaves, so a member that closes amid
 * its first join would hold up the others until its session is over: whoever leaves behind it waits as long. The
 * first share is therefore waited for, and given back.
 */
static void finish_joining(struct rdk_consumer *c)
{
	int64_t until = weir__rdk_now_ms() + JOIN_TIMEOUT_MS;

	if (!c->subscription)
		return;
	c->on_group = NULL; /* takes no partition of it */
	while (!c->had_share && !rd_kafka_fatal_error(c->rk, NULL, 0)) {
		int64_t left = until - weir__rdk_now_ms();

		if (left <= 0)
			return;
		forget_wake(c);
		if (!serve_events(c))
			wait_for_something(c, left);
	}
}

static bool has_member_id(const struct rdk_consumer *c)
{
	char *id = rd_kafka_memberid(c->rk);
	bool has = id && *id;

	if (id)
		rd_kafka_mem_free(c->rk, id);
	return has;
}

bool weir__rdk_is_member(const struct rdk_consumer *c)
{
	return has_member_id(c) && !rd_kafka_assignment_lost(c->rk) && !rd_kafka_fatal_error(c->rk, NULL, 0);
}

/* A static member that closes says nothing to the broker; one that gives its subscription up leaves. */
static void unsubscribe(struct rdk_consumer *c)
{
	int64_t until = weir__rdk_now_ms() + LEAVE_TIMEOUT_MS;

	rd_kafka_unsubscribe(c->rk);
	while (has_member_id(c) && weir__rdk_now_ms() < until) {
		forget_wake(c);
		if (!serve_events(c))
			wait_for_something(c, LEAVE_WAIT_MS);
	}
}

/*
 * One that librdkafka keeps for later it takes up after the end, which ends the process (2.0.2: an assertion). A
 * static member leaves by this, unless a round is under way: only when there is hardly a doubt about that.
 */
static void forget_subscription(struct rdk_consumer *c)
{
	bool may_be_kept = c->asked_rounds && weir__rdk_now_ms() - c->asked_ms < KEPT_MS_MAX;

	if (may_be_kept && (!c->owners.group || c->asked_rounds == 2))
		rd_kafka_unsubscribe(c->rk);
}

/* As rd_kafka_consumer_close, but not for ever: group events are served, then the group is left. */
static void leave_group(struct rdk_consumer *c)
{
	rd_kafka_queue_t *events = rd_kafka_queue_new(c->rk);
	rd_kafka_error_t *error = rd_kafka_consumer_close_queue(c->rk, events);
	int64_t until = weir__rdk_now_ms() + CLOSE_TIMEOUT_MS;

	if (error)
		rd_kafka_error_destroy(error);
	else
		while (!rd_kafka_consumer_closed(c->rk) && weir__rdk_now_ms() < until)
			serve_closing(c, events);
	if (!error && !rd_kafka_consumer_closed(c->rk))
		weir_log(WEIR_LOG_WARN, "kafka", "group=%s not left in time timeout_ms=%d", c->group,
			 CLOSE_TIMEOUT_MS);
	rd_kafka_queue_destroy(events);
}

/*
 * Before 2.3, freeing a member that has begun to join, but never had a share, ends the process: an assertion about
 * the assignor's state, which comes with the first share. How far it came cannot be asked, so a client without a
 * share is left as it is, out of the group.
 */
static bool must_not_be_freed(const struct rdk_consumer *c)
{
	enum { MENDED_IN = 0x02030000 };

	return c->group && !c->had_share && rd_kafka_version() < MENDED_IN;
}

static void consumer_close(weir_consumer *consumer)
{
	struct rdk_consumer *c = (struct rdk_consumer *)consumer;

	weir__rdk_owners_stop(c);
	if (c->group) {
		if (!c->had_share)
			finish_joining(c);
		if (c->leaves && c->owners.group)
			unsubscribe(c);
		else
			forget_subscription(c);
		leave_group(c);
	}
	bool left_alone = must_not_be_freed(c);

	weir__held_release(&c->held);
	rd_kafka_queue_cb_event_enable(c->events, NULL, NULL);
	rd_kafka_queue_destroy(c->events);
	for (int i = 0; i < 2; i++) {
		rd_kafka_queue_cb_event_enable(c->records[i], NULL, NULL);
		rd_kafka_queue_destroy(c->records[i]);
	}
	if (left_alone)
		return; /* with c, which its callbacks are given */
	rd_kafka_destroy_flags(c->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	pthread_cond_destroy(&c->something);
	pthread_mutex_destroy(&c->lock);
	if (c->subscription)
		rd_kafka_topic_partition_list_destroy(c->subscription);
	free(c->group);
	free(c->header_items);
	free(c);
}

static void consumer_leave(weir_consumer *consumer)
{
	((struct rdk_consumer *)consumer)->leaves = true;
}

static const char *setting(const struct rdk_consumer *c, const char *name)
{
	const char *value = weir_config_kafka(c->cluster->cfg, name);

	return value ? value : "";
}

/* Half of the budget for the queue that is filled, half for the one that is read. */
static void set_queue(struct rdk_consumer *c, struct rdk_conf *cf, int64_t queue_bytes_max)
{
	c->sasl_user = setting(c, "sasl.username");
	c->sasl_password = setting(c, "sasl.password");
	int64_t message = weir_record_bytes_max(c->cluster->cfg);
	int64_t half = (queue_bytes_max > 0 ? queue_bytes_max : QUEUE_BYTES) / 2;
	int64_t kbytes = half / 1024, records = half / RECORD_BYTES;

	kbytes = kbytes < 1 ? 1 : kbytes > 2097151 ? 2097151 : kbytes;
	records = records < 1000 ? 1000 : records > 10000000 ? 10000000 : records;
	weir__rdk_set(cf, "queued.max.messages.kbytes", "%lld", (long long)kbytes);
	weir__rdk_set(cf, "queued.min.messages", "%lld", (long long)records);
	/* One answer may overshoot the queue by that much, and by several times as much when its records are small;
	 * it must be able to bring the largest record. */
	int64_t fetch = half / 8 < FETCH_BYTES ? half / 8 : FETCH_BYTES;
	weir__rdk_set(cf, "fetch.max.bytes", "%lld", (long long)(fetch > message ? fetch : message));
	c->must_wake = !weir__rdk_set_if_known(cf, "fetch.queue.backoff.ms", "5");
	c->wake_records = (size_t)records / 4;
	c->wake_bytes = (size_t)kbytes * 1024 / 4;
}

static struct rdk_conf configure(struct rdk_consumer *c, const weir_consumer_opts *opts)
{
	struct rdk_conf cf = weir__rdk_conf();
	int64_t session_ms = opts->session_timeout_ms > 0 ? opts->session_timeout_ms : SESSION_TIMEOUT_MS;
	int64_t poll_ms = opts->max_poll_interval_ms > 0 ? opts->max_poll_interval_ms : POLL_INTERVAL_MS;
	int64_t heartbeat_ms = session_ms / 4 < HEARTBEAT_MS_MAX ? session_ms / 4 : HEARTBEAT_MS_MAX;

	set_queue(c, &cf, opts->queue_bytes_max);
	weir__rdk_set(&cf, "fetch.wait.max.ms", "50");
	weir__rdk_set(&cf, "fetch.error.backoff.ms", "50");
	weir__rdk_set(&cf, "heartbeat.interval.ms", "%lld", (long long)(heartbeat_ms > 0 ? heartbeat_ms : 1));
	weir__rdk_pass(&cf, c->cluster, opts->client_id);
	weir__rdk_set(&cf, "enable.auto.commit", "false");
	weir__rdk_set(&cf, "enable.auto.offset.store", "false");
	weir__rdk_set(&cf, "auto.offset.reset", "error");
	weir__rdk_set(&cf, "enable.partition.eof", "true");
	weir__rdk_set(&cf, "isolation.level", opts->read_uncommitted ? "read_uncommitted" : "read_committed");
	/* librdkafka assigns partitions only with a group; one that is not subscribed never joins it */
	weir__rdk_set(&cf, "group.id", "%s", opts->group ? opts->group : "weir-no-group");
	if (opts->group) {
		weir__rdk_set(&cf, "partition.assignment.strategy", ASSIGNOR);
		weir__rdk_set(&cf, "session.timeout.ms", "%lld", (long long)session_ms);
		weir__rdk_set(&cf, "max.poll.interval.ms", "%lld",
			      (long long)(poll_ms > session_ms ? poll_ms : session_ms));
		if (opts->group_instance_id)
			weir__rdk_set(&cf, "group.instance.id", "%s", opts->group_instance_id);
		rd_kafka_conf_set_rebalance_cb(cf.conf, weir__rdk_on_rebalance);
	}
	rd_kafka_conf_set_opaque(cf.conf, c);
	return cf;
}

static const struct consumer_ops ops = {
	.close = consumer_close,
	.leave = consumer_leave,
	.subscribe = weir__rdk_subscribe,
	.rejoin = weir__rdk_rejoin,
	.assign = weir__rdk_assign,
	.unassign = weir__rdk_unassign,
	.seek = weir__rdk_seek,
	.pause = weir__rdk_pause,
	.resume = weir__rdk_resume,
	.poll = consumer_poll,
	.position = consumer_position,
	.lost = consumer_lost,
	.lag = consumer_lag,
	.headers = record_headers,
};

static void open_queues(struct rdk_consumer *c)
{
	pthread_condattr_t monotonic;

	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&c->something, &monotonic);
	pthread_condattr_destroy(&monotonic);
	rd_kafka_poll_set_consumer(c->rk);
	c->events = rd_kafka_queue_get_consumer(c->rk);
	rd_kafka_queue_cb_event_enable(c->events, on_something, c);
	for (int i = 0; i < 2; i++) {
		c->records[i] = rd_kafka_queue_new(c->rk);
		rd_kafka_queue_cb_event_enable(c->records[i], on_something, c);
	}
	c->filling = c->serving = c->records[0];
}

weir_consumer *weir__rdk_consumer_open(weir_cluster *cluster, const weir_consumer_opts *opts, weir_error *err)
{
	struct rdk_consumer *c = weir__calloc(1, sizeof *c);

	c->base.ops = &ops;
	c->cluster = (struct rdk_cluster *)cluster;
	c->on_group = opts->on_group;
	c->on_partition_error = opts->on_partition_error;
	c->on_member = opts->on_member;
	c->user = opts->user;
	struct rdk_conf cf = configure(c, opts);
	c->rk = weir__rdk_open(&cf, RD_KAFKA_CONSUMER, err);
	if (!c->rk) {
		free(c);
		return NULL;
	}
	c->group = weir__strdup(opts->group);
	c->owners.rng =
		weir_rng_seeded((uint64_t)(uintptr_t)c ^ (uint64_t)weir__rdk_now_ms()); /* weir__rdk_rejoin */
	if (c->group && opts->group_instance_id)
		weir__owners_watch(&c->owners, c->group,
				   weir__hash(weir_str(opts->group_instance_id)) ^ (uint64_t)weir__rdk_now_ms(),
				   opts->session_timeout_ms > 0 ? opts->session_timeout_ms : SESSION_TIMEOUT_MS);
	open_queues(c);
	return &c->base;
}
