/* A producer: opening, sending, deliveries. Transactions are in rdkafka_txn.c. */
#include "framework/kafka/rdkafka_producer.h"

#include "framework/base/alloc.h"
#include <weir/log.h>

#include <stdlib.h>
#include <string.h>

enum {
	TRANSACTION_TIMEOUT_MS = 10000,
	LINGER_MS = 5,
	TXN_LINGER_MS = 1000,
	QUEUE_BYTES = 64 << 20,
	RECORD_BYTES = 400, /* what a queued record costs librdkafka beside its own bytes */
	FULL_WAIT_MS = 20,
	FULL_FLUSH_MS = 5,
	CLOSE_FLUSH_MS = 10000,
	CLOSE_ABORT_MS = 2000,
	PURGE_WAIT_MS = 1000,
};

/* There is a client, and nothing hangs in it. */
static bool usable(const struct rdk_producer *p)
{
	return p->rk && !p->stuck;
}

bool weir__rdk_producer_usable(struct rdk_producer *p, weir_error *err)
{
	if (!p->rk)
		weir_fail(err, WEIR_CLOSED, "transactional id %s: no client", p->transactional_id);
	else if (!p->stuck)
		return !weir__rdk_is_fatal(p->rk, err);
	else
		weir_fail(err, WEIR_TIMEOUT, "%s: sending offsets has not come back", rd_kafka_name(p->rk));
	if (err)
		err->fatal = true;
	return false;
}

/* --- topics ------------------------------------------------------------------------------------------------- */

static bool topic_open(struct rdk_producer *p, struct rdk_topic *t, const char *name, weir_error *err)
{
	rd_kafka_topic_conf_t *conf = rd_kafka_default_topic_conf_dup(p->rk);

	rd_kafka_topic_conf_set_opaque(conf, t);
	t->rkt = rd_kafka_topic_new(p->rk, name, conf);
	if (t->rkt)
		return true;
	rd_kafka_resp_err_t code = rd_kafka_last_error();

	rd_kafka_topic_conf_destroy(conf);
	return weir__rdk_fail(err, code, "topic \"%s\"", name);
}

static struct rdk_topic *topic_new(struct rdk_producer *p, const char *name, weir_error *err)
{
	struct rdk_topic *t = weir__calloc(1, sizeof *t);

	if (!topic_open(p, t, name, err)) {
		free(t);
		return NULL;
	}
	t->name = weir__strdup(name);
	t->address = name;
	p->topics = weir__realloc(p->topics, (p->topic_count + 1) * sizeof *p->topics);
	p->topics[p->topic_count++] = t;
	return t;
}

/* By address first: it mostly is the caller's constant. The text decides, since a buffer can be used again. */
static struct rdk_topic *topic_find(struct rdk_producer *p, const char *name)
{
	for (size_t i = 0; i < p->topic_count; i++)
		if (p->topics[i]->address == name && !strcmp(p->topics[i]->name, name))
			return p->topics[i];
	for (size_t i = 0; i < p->topic_count; i++)
		if (!strcmp(p->topics[i]->name, name)) {
			p->topics[i]->address = name;
			return p->topics[i];
		}
	return NULL;
}

static struct rdk_topic *topic_of(struct rdk_producer *p, const char *name, weir_error *err)
{
	struct rdk_topic *t = p->last;

	if (t && t->address == name && !strcmp(t->name, name))
		return t;
	t = topic_find(p, name);
	if (!t)
		t = topic_new(p, name, err);
	if (t)
		p->last = t;
	return t;
}

/* --- deliveries --------------------------------------------------------------------------------------------- */

static void note_delivered(struct rdk_topic *t, int32_t partition, int64_t offset)
{
	if (partition >= t->partitions) {
		t->delivered = weir__realloc(t->delivered, ((size_t)partition + 1) * sizeof *t->delivered);
		for (int32_t i = t->partitions; i <= partition; i++)
			t->delivered[i] = WEIR_OFFSET_NONE;
		t->partitions = partition + 1;
	}
	if (offset + 1 > t->delivered[partition])
		t->delivered[partition] = offset + 1;
}

static void not_delivered(struct rdk_producer *p, const struct rdk_topic *t, const rd_kafka_message_t *m)
{
	weir_error error = { 0 };

	if (weir__rdk_code(m->err) == WEIR_USER)
		p->refused = true;
	if (!p->opts.on_delivery)
		return;
	weir__rdk_fail(&error, m->err, "record for %s/%d (%zu bytes) not delivered", t->name, (int)m->partition,
		       m->len + m->key_len);
	error.fatal = rd_kafka_fatal_error(p->rk, NULL, 0) != RD_KAFKA_RESP_ERR_NO_ERROR;
	error.abort_txn = p->in_transaction && !error.fatal;
	p->opts.on_delivery(t->name, m->partition, WEIR_OFFSET_NONE, (uint64_t)(uintptr_t)m->_private, &error,
			    p->opts.user);
}

static void on_delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
	struct rdk_producer *p = opaque;
	struct rdk_topic *t = rd_kafka_topic_opaque(m->rkt);

	(void)rk;
	p->unacknowledged--;
	if (m->err) {
		not_delivered(p, t, m);
		return;
	}
	if (m->offset >= 0) /* a broker that has the record already does not tell where */
		note_delivered(t, m->partition, m->offset);
	if (p->opts.on_delivery && !p->opts.delivery_errors_only)
		p->opts.on_delivery(t->name, m->partition, m->offset >= 0 ? m->offset : WEIR_OFFSET_NONE,
				    (uint64_t)(uintptr_t)m->_private, NULL, p->opts.user);
}

static int64_t producer_delivered(weir_producer *producer, const char *topic, int32_t partition)
{
	const struct rdk_topic *t = topic_find((struct rdk_producer *)producer, topic);

	return t && partition >= 0 && partition < t->partitions ? t->delivered[partition] : WEIR_OFFSET_NONE;
}

static int milliseconds(int64_t timeout_ms)
{
	return timeout_ms < 0 ? 0 : timeout_ms > INT32_MAX ? INT32_MAX : (int)timeout_ms;
}

static size_t producer_poll(weir_producer *producer, int64_t timeout_ms)
{
	struct rdk_producer *p = (struct rdk_producer *)producer;

	if (usable(p))
		rd_kafka_poll(p->rk, p->unacknowledged ? milliseconds(timeout_ms) : 0);
	return p->unacknowledged;
}

static bool producer_flush(weir_producer *producer, int64_t timeout_ms, weir_error *err)
{
	struct rdk_producer *p = (struct rdk_producer *)producer;

	if (!usable(p))
		return weir__rdk_producer_usable(p, err);
	rd_kafka_resp_err_t code = rd_kafka_flush(p->rk, milliseconds(timeout_ms));

	if (code)
		return weir__rdk_fail(err, code, "flush: %zu records not acknowledged", p->unacknowledged);
	return weir__rdk_producer_usable(p, err);
}

/* --- sending ------------------------------------------------------------------------------------------------ */

static rd_kafka_headers_t *copy_headers(const weir_headers *headers)
{
	rd_kafka_headers_t *copy = rd_kafka_headers_new(headers->count);

	for (size_t i = 0; i < headers->count; i++)
		rd_kafka_header_add(copy, headers->items[i].name, -1, headers->items[i].value.data,
				    (ssize_t)headers->items[i].value.len);
	return copy;
}

static rd_kafka_resp_err_t produce(struct rdk_producer *p, const struct rdk_topic *t, const weir_produced *r)
{
	int64_t timestamp_ms = r->timestamp_ms > 0 ? r->timestamp_ms : 1;
	int32_t partition = r->partition >= 0 ? r->partition : RD_KAFKA_PARTITION_UA;

	if (!r->headers || !r->headers->count)
		return rd_kafka_producev(p->rk, RD_KAFKA_V_RKT(t->rkt), RD_KAFKA_V_PARTITION(partition),
					 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
					 RD_KAFKA_V_KEY(r->key.data, r->key.len),
					 RD_KAFKA_V_VALUE((void *)(uintptr_t)r->value.data, r->value.len),
					 RD_KAFKA_V_TIMESTAMP(timestamp_ms),
					 RD_KAFKA_V_OPAQUE((void *)(uintptr_t)r->tag), RD_KAFKA_V_END);
	rd_kafka_headers_t *headers = copy_headers(r->headers);
	rd_kafka_resp_err_t code =
		rd_kafka_producev(p->rk, RD_KAFKA_V_RKT(t->rkt), RD_KAFKA_V_PARTITION(partition),
				  RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(r->key.data, r->key.len),
				  RD_KAFKA_V_VALUE((void *)(uintptr_t)r->value.data, r->value.len),
				  RD_KAFKA_V_TIMESTAMP(timestamp_ms), RD_KAFKA_V_OPAQUE((void *)(uintptr_t)r->tag),
				  RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);

	if (code)
		rd_kafka_headers_destroy(headers);
	return code;
}

static bool producer_send(weir_producer *producer, const weir_produced *r, weir_error *err)
{
	struct rdk_producer *p = (struct rdk_producer *)producer;
	rd_kafka_resp_err_t code;

	if (!usable(p))
		return weir__rdk_producer_usable(p, err);
	struct rdk_topic *t = topic_of(p, r->topic, err);

	if (!t)
		return false;
	/* A full queue empties in the end: what cannot be delivered times out. When nothing is on its way, it is
	 * full of batches that are not, and would wait for the linger time. */
	while ((code = produce(p, t, r)) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
		if (!rd_kafka_poll(p->rk, FULL_WAIT_MS))
			rd_kafka_flush(p->rk, FULL_FLUSH_MS);
	if (!code) {
		p->unacknowledged++;
		return true;
	}
	if (!weir__rdk_producer_usable(p, err))
		return weir_wrap(err, "send to %s", t->name);
	weir__rdk_fail(err, code, "send to %s/%d, key of %zu and value of %zu bytes", t->name, (int)r->partition,
		       r->key.len, r->value.len);
	if (err && p->transactional_id && code == RD_KAFKA_RESP_ERR__STATE)
		err->abort_txn = p->in_transaction;
	return false;
}

/* --- open and close ----------------------------------------------------------------------------------------- */

/* What is still queued or under way is given up, and its deliveries are served as failed. */
static void give_up_rest(struct rdk_producer *p)
{
	int64_t until = weir__rdk_now_ms() + PURGE_WAIT_MS;

	if (!p->unacknowledged)
		return;
	rd_kafka_purge(p->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	while (p->unacknowledged && weir__rdk_now_ms() < until)
		rd_kafka_poll(p->rk, 10);
}

static void finish(struct rdk_producer *p)
{
	if (p->stuck)
		return;
	if (!p->transactional_id) {
		rd_kafka_flush(p->rk, CLOSE_FLUSH_MS);
	} else if (p->in_transaction && !rd_kafka_fatal_error(p->rk, NULL, 0)) {
		rd_kafka_error_t *error = rd_kafka_abort_transaction(p->rk, CLOSE_ABORT_MS);

		if (error) {
			weir_log(WEIR_LOG_WARN, "kafka", "transactional.id=%s left open at close: %s",
				 p->transactional_id, rd_kafka_error_string(error));
			rd_kafka_error_destroy(error);
		}
	}
	give_up_rest(p);
}

static void client_close(struct rdk_producer *p)
{
	if (p->stuck)
		rd_kafka_purge(p->rk,
			       RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
	for (size_t i = 0; i < p->topic_count; i++) {
		if (p->topics[i]->rkt)
			rd_kafka_topic_destroy(p->topics[i]->rkt);
		p->topics[i]->rkt = NULL;
	}
	if (!weir__rdk_offsets_free(p->offsets))
		rd_kafka_destroy(p->rk);
	p->offsets = NULL;
	p->rk = NULL;
}

static void producer_free(struct rdk_producer *p)
{
	for (size_t i = 0; i < p->topic_count; i++) {
		free(p->topics[i]->name);
		free(p->topics[i]->delivered);
		free(p->topics[i]);
	}
	free(p->topics);
	free(p->transactional_id);
	free(p->client_id);
	free(p);
}

static void producer_close(weir_producer *producer)
{
	struct rdk_producer *p = (struct rdk_producer *)producer;

	if (p->rk) {
		finish(p);
		client_close(p);
	}
	producer_free(p);
}

/*
 * Nobody sees what is in a transaction before its commit, which flushes: so it waits until a batch is full. Were it
 * to wait for less, librdkafka 2.0.2 would turn round and round: a partition has one request on its way, and while
 * a record behind it is older than the linger time, the broker's thread polls its socket with a timeout of 0. On a
 * busy machine that took the broker's own time, which made requests slower still (ten times the CPU for W5).
 */
static int64_t linger_ms(const weir_producer_opts *opts)
{
	int64_t most_ms =
		(opts->transaction_timeout_ms > 0 ? opts->transaction_timeout_ms : TRANSACTION_TIMEOUT_MS) / 4;

	if (opts->linger_ms > 0)
		return opts->linger_ms;
	if (!opts->transactional_id)
		return LINGER_MS;
	return most_ms < TXN_LINGER_MS ? most_ms : TXN_LINGER_MS;
}

/* What is on its way is there twice, as records and in its request. The largest record must fit, or it would never
 * find room. */
static int64_t queue_kbytes(const struct rdk_producer *p, int64_t bytes)
{
	int64_t half = bytes / 2, kbytes = (half > weir_record_bytes_max(p->cluster->cfg) ? half : bytes) / 1024;

	return kbytes < 1 ? 1 : kbytes > INT32_MAX ? INT32_MAX : kbytes;
}

static struct rdk_conf configure(struct rdk_producer *p)
{
	const weir_producer_opts *opts = &p->opts;
	struct rdk_conf cf = weir__rdk_conf();
	int64_t bytes = opts->queue_bytes_max > 0 ? opts->queue_bytes_max : QUEUE_BYTES;
	int64_t records = bytes / RECORD_BYTES > 1000 ? bytes / RECORD_BYTES : 1000;

	weir__rdk_set(&cf, "linger.ms", "%lld", (long long)linger_ms(opts));
	weir__rdk_set(&cf, "queue.buffering.max.kbytes", "%lld", (long long)queue_kbytes(p, bytes));
	weir__rdk_set(&cf, "queue.buffering.max.messages", "%lld", (long long)(records > INT32_MAX ? 0 : records));
	weir__rdk_pass(&cf, p->cluster, opts->client_id);
	weir__rdk_set(&cf, "enable.idempotence", "true");
	weir__rdk_set(&cf, "acks", "all");
	weir__rdk_set(&cf, "partitioner", "murmur2_random"); /* Java's for keys; any for none */
	if (opts->transactional_id) {
		int64_t timeout_ms =
			opts->transaction_timeout_ms > 0 ? opts->transaction_timeout_ms : TRANSACTION_TIMEOUT_MS;

		weir__rdk_set(&cf, "transactional.id", "%s", opts->transactional_id);
		weir__rdk_set(&cf, "transaction.timeout.ms", "%lld", (long long)timeout_ms);
	}
	rd_kafka_conf_set_dr_msg_cb(cf.conf, on_delivered);
	rd_kafka_conf_set_opaque(cf.conf, p);
	return cf;
}

static bool client_open(struct rdk_producer *p, weir_error *err)
{
	struct rdk_conf cf = configure(p);

	p->rk = weir__rdk_open(&cf, RD_KAFKA_PRODUCER, err);
	return p->rk != NULL;
}

bool weir__rdk_producer_renew(struct rdk_producer *p, weir_error *err)
{
	bool done;

	give_up_rest(p);
	client_close(p);
	p->unacknowledged = 0;
	done = client_open(p, err);
	for (size_t i = 0; done && i < p->topic_count; i++)
		done = topic_open(p, p->topics[i], p->topics[i]->name, err);
	return done;
}

static const struct producer_ops ops = {
	.close = producer_close,
	.send = producer_send,
	.poll = producer_poll,
	.flush = producer_flush,
	.delivered = producer_delivered,
	.init = weir__rdk_txn_init,
	.begin = weir__rdk_txn_begin,
	.send_offsets = weir__rdk_txn_send_offsets,
	.commit = weir__rdk_txn_commit,
	.abort = weir__rdk_txn_abort,
};

weir_producer *weir__rdk_producer_open(weir_cluster *cluster, const weir_producer_opts *opts, weir_error *err)
{
	struct rdk_producer *p = weir__calloc(1, sizeof *p);

	p->base.ops = &ops;
	p->cluster = (struct rdk_cluster *)cluster;
	p->opts = *opts;
	p->opts.transactional_id = p->transactional_id = weir__strdup(opts->transactional_id);
	p->opts.client_id = p->client_id = weir__strdup(opts->client_id);
	if (!client_open(p, err)) {
		producer_free(p);
		return NULL;
	}
	return &p->base;
}
