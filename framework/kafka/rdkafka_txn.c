/* Transactions of a producer. librdkafka's errors say what is to be done: retry, abort, or a new producer. */
#include "framework/kafka/rdkafka_producer.h"

enum { FLUSH_MS_MAX = 1000 };

static bool usable_in_txn(struct rdk_producer *p, weir_error *err)
{
	if (!p->transactional_id)
		return weir_fail(err, WEIR_USAGE, "the producer has no transactional id");
	return weir__rdk_producer_usable(p, err);
}

static int milliseconds(int64_t timeout_ms)
{
	return timeout_ms < 0 ? 0 : timeout_ms > INT32_MAX ? INT32_MAX : (int)timeout_ms;
}

bool weir__rdk_txn_init(weir_producer *producer, int64_t timeout_ms, weir_error *err)
{
	struct rdk_producer *p = (struct rdk_producer *)producer;

	if (!usable_in_txn(p, err))
		return false;
	rd_kafka_error_t *error = rd_kafka_init_transactions(p->rk, milliseconds(timeout_ms));

	return !error || weir__rdk_fail_with(err, error, "transactional id %s: init", p->transactional_id);
}

bool weir__rdk_txn_begin(weir_producer *producer, weir_error *err)
{
	struct rdk_producer *p = (struct rdk_producer *)producer;

	if (!usable_in_txn(p, err))
		return false;
	rd_kafka_error_t *error = rd_kafka_begin_transaction(p->rk);

	if (error)
		return weir__rdk_fail_with(err, error, "transactional id %s: begin", p->transactional_id);
	p->in_transaction = true;
	p->refused = false;
	return true;
}

/* A transaction without a member behind it would not be fenced: any generation of the group could commit. */
static rd_kafka_consumer_group_metadata_t *membership(struct rdk_producer *p, weir_consumer *consumer,
						      weir_error *err)
{
	const char *group;
	rd_kafka_t *rk = weir__rdk_consumer_client(consumer, &group);

	if (!group) {
		weir_fail(err, WEIR_USAGE, "send offsets: the consumer has no group");
		return NULL;
	}
	char *member = rd_kafka_memberid(rk);
	bool is_member = member && *member && !rd_kafka_assignment_lost(rk);

	if (member)
		rd_kafka_mem_free(rk, member);
	rd_kafka_consumer_group_metadata_t *metadata = is_member ? rd_kafka_consumer_group_metadata(rk) : NULL;

	if (!metadata) {
		weir_fail(err, WEIR_FENCED, "transactional id %s: send offsets: no longer a member of group %s",
			  p->transactional_id, group);
		if (err)
			err->abort_txn = true;
	}
	return metadata;
}

bool weir__rdk_txn_send_offsets(weir_producer *producer, weir_consumer *consumer, const weir_partition *list,
				size_t n, int64_t timeout_ms, weir_error *err)
{
	struct rdk_producer *p = (struct rdk_producer *)producer;

	if (!usable_in_txn(p, err))
		return false;
	weir_assert(n > 0); /* librdkafka sends nothing for an empty list, and nothing is fenced then */
	rd_kafka_consumer_group_metadata_t *metadata = membership(p, consumer, err);

	if (!metadata)
		return false;
	if (!p->offsets)
		p->offsets = weir__rdk_offsets_new(p->rk);
	rd_kafka_error_t *error = NULL;

	if (!weir__rdk_offsets_send(p->offsets, weir__rdk_list(list, n, true), metadata, milliseconds(timeout_ms),
				    &error)) {
		p->stuck = true;
		return weir__rdk_producer_usable(p, err);
	}
	if (!error)
		return true;
	bool timed_out = rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__TIMED_OUT;

	weir__rdk_fail_with(err, error, "transactional id %s: send offsets", p->transactional_id);
	if (err && timed_out && !err->fatal)
		err->abort_txn = true; /* whether they are in the transaction is not known */
	return false;
}

bool weir__rdk_txn_commit(weir_producer *producer, int64_t timeout_ms, weir_error *err)
{
	struct rdk_producer *p = (struct rdk_producer *)producer;

	if (!usable_in_txn(p, err))
		return false;
	rd_kafka_error_t *error = rd_kafka_commit_transaction(p->rk, milliseconds(timeout_ms));

	if (error)
		return weir__rdk_fail_with(err, error, "transactional id %s: commit", p->transactional_id);
	p->in_transaction = false;
	return true;
}

/*
 * librdkafka has counted a refused record in the partition's sequence, the broker has not: the next transaction
 * would fail at its first record of that partition, to be aborted too. Only a new producer id begins the count
 * anew.
 */
static bool start_afresh(struct rdk_producer *p, int64_t timeout_ms, weir_error *err)
{
	p->refused = false;
	if (weir__rdk_producer_renew(p, err) && weir__rdk_txn_init(&p->base, timeout_ms, err))
		return true;
	if (err)
		err->fatal = true;
	return weir_wrap(err, "after a refused record");
}

bool weir__rdk_txn_abort(weir_producer *producer, int64_t timeout_ms, weir_error *err)
{
	struct rdk_producer *p = (struct rdk_producer *)producer;

	if (!usable_in_txn(p, err))
		return false;
	/*
	 * An abort while the first record of a partition is on its way finds a broker that does not know of the
	 * transaction yet, and ends fatally (one in four, shortly after a commit). So let them arrive.
	 */
	if (p->unacknowledged)
		rd_kafka_flush(p->rk, milliseconds(timeout_ms < FLUSH_MS_MAX ? timeout_ms : FLUSH_MS_MAX));
	rd_kafka_error_t *error = rd_kafka_abort_transaction(p->rk, milliseconds(timeout_ms));

	if (error)
		return weir__rdk_fail_with(err, error, "transactional id %s: abort", p->transactional_id);
	p->in_transaction = false;
	return !p->refused || start_afresh(p, timeout_ms, err);
}
