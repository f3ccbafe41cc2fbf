/* Topics, offsets and records. Each call makes its request, waits for the answer and leaves nothing behind. */
#include "framework/kafka/rdkafka.h"

#include "framework/base/alloc.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	ADMIN_TIMEOUT_MS = 30000,
	REQUEST_TIMEOUT_MS = 300000,
	LEAST_WAIT_MS =
		1000, /* for a broker that is there; each request given up is one that librdkafka still holds */
	POLL_PAUSE_US = 20000, /* between looks at metadata that is spreading */
};

static struct rdk_cluster *rdk(weir_cluster *cluster)
{
	return (struct rdk_cluster *)cluster;
}

int64_t weir__rdk_offset(int64_t offset)
{
	switch (offset) {
	case WEIR_OFFSET_NONE:
		return RD_KAFKA_OFFSET_INVALID;
	case WEIR_OFFSET_BEGINNING:
		return RD_KAFKA_OFFSET_BEGINNING;
	case WEIR_OFFSET_END:
		return RD_KAFKA_OFFSET_END;
	default:
		return offset;
	}
}

rd_kafka_topic_partition_list_t *weir__rdk_list(const weir_partition *list, size_t n, bool metadata)
{
	rd_kafka_topic_partition_list_t *out = rd_kafka_topic_partition_list_new((int)n);

	for (size_t i = 0; i < n; i++) {
		rd_kafka_topic_partition_t *p =
			rd_kafka_topic_partition_list_add(out, list[i].topic, list[i].partition);

		p->offset = weir__rdk_offset(list[i].offset);
		if (metadata && list[i].metadata) {
			p->metadata_size = strlen(list[i].metadata);
			p->metadata = weir__memdup(list[i].metadata, p->metadata_size);
		}
	}
	return out;
}

/* --- one admin request -------------------------------------------------------------------------------------- */

void weir__rdk_call_begin(struct rdk_call *call, struct rdk_cluster *cluster, rd_kafka_admin_op_t op,
			  int64_t timeout_ms)
{
	char why[128];

	*call = (struct rdk_call){
		.rk = cluster->admin,
		.queue = rd_kafka_queue_new(cluster->admin),
		.options = rd_kafka_AdminOptions_new(cluster->admin, op),
		.timeout_ms = timeout_ms > LEAST_WAIT_MS ? timeout_ms : LEAST_WAIT_MS,
	};
	rd_kafka_AdminOptions_set_request_timeout(call->options, REQUEST_TIMEOUT_MS, why, sizeof why);
}

/*
 * The time-out is kept here, not by librdkafka: 2.0.2 ends the process (an assertion) when a request to a group's
 * coordinator times out shortly before the coordinator is found. A request given up goes on until its own end, and
 * its answer is thrown away.
 */
bool weir__rdk_call_wait(struct rdk_call *call, weir_error *err)
{
	call->event = rd_kafka_queue_poll(call->queue, (int)call->timeout_ms);
	if (!call->event)
		return weir__rdk_fail(err, RD_KAFKA_RESP_ERR__TIMED_OUT, "no answer from the brokers");
	rd_kafka_resp_err_t code = rd_kafka_event_error(call->event);

	return !code || weir__rdk_fail(err, code, "%s", rd_kafka_event_error_string(call->event));
}

void weir__rdk_call_end(struct rdk_call *call)
{
	if (call->event)
		rd_kafka_event_destroy(call->event);
	rd_kafka_AdminOptions_destroy(call->options);
	rd_kafka_queue_destroy(call->queue);
}

/* The brokers finish their part of an operation before they answer. */
static void wait_for_brokers(struct rdk_call *call)
{
	char why[128];

	rd_kafka_AdminOptions_set_operation_timeout(call->options, ADMIN_TIMEOUT_MS / 2, why, sizeof why);
}

static bool topic_results(const rd_kafka_topic_result_t **results, size_t n, rd_kafka_resp_err_t fine,
			  const char *what, weir_error *err)
{
	for (size_t i = 0; i < n; i++) {
		rd_kafka_resp_err_t code = rd_kafka_topic_result_error(results[i]);
		const char *text = rd_kafka_topic_result_error_string(results[i]);

		if (code && code != fine)
			return weir__rdk_fail(err, code, "%s topic %s: %s", what,
					      rd_kafka_topic_result_name(results[i]), text ? text : "refused");
	}
	return true;
}

/* --- metadata ----------------------------------------------------------------------------------------------- */

struct topic_state {
	int32_t partitions; /* 0 = no such topic */
	bool led;           /* each has a leader */
};

static bool topic_state(struct rdk_cluster *c, const char *topic, int timeout_ms, struct topic_state *state,
			weir_error *err)
{
	rd_kafka_topic_t *rkt = rd_kafka_topic_new(c->admin, topic, NULL);
	if (!rkt)
		return weir__rdk_fail(err, rd_kafka_last_error(), "topic \"%s\"", topic);
	const struct rd_kafka_metadata *md;
	rd_kafka_resp_err_t code = rd_kafka_metadata(c->admin, 0, rkt, &md, timeout_ms);
	rd_kafka_topic_destroy(rkt);
	if (code)
		return weir__rdk_fail(err, code, "metadata of topic %s", topic);

	*state = (struct topic_state){ .led = true };
	code = md->topic_cnt == 1 ? md->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
	if (!code) {
		state->partitions = md->topics[0].partition_cnt;
		for (int i = 0; i < md->topics[0].partition_cnt; i++)
			if (md->topics[0].partitions[i].err || md->topics[0].partitions[i].leader < 0)
				state->led = false;
	}
	rd_kafka_metadata_destroy(md);
	if (code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE)
		state->led = false;
	else if (code && code != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
		return weir__rdk_fail(err, code, "metadata of topic %s", topic);
	return true;
}

int32_t weir__rdk_partitions_within(struct rdk_cluster *c, const char *topic, int timeout_ms, weir_error *err)
{
	struct topic_state state;

	return topic_state(c, topic, timeout_ms, &state, err) ? state.partitions : -1;
}

int32_t weir__rdk_topic_partitions(weir_cluster *cluster, const char *topic, weir_error *err)
{
	return weir__rdk_partitions_within(rdk(cluster), topic, ADMIN_TIMEOUT_MS, err);
}

/* Metadata spreads from the controller to the brokers a little after the request is answered. At least so many
 * partitions; 0 = the topic is gone. */
static bool wait_until(struct rdk_cluster *c, const char *topic, int32_t partitions, weir_error *err)
{
	int64_t until = weir__rdk_now_ms() + ADMIN_TIMEOUT_MS;

	for (;;) {
		struct topic_state state;
		weir_error passing = { 0 };
		bool known = topic_state(c, topic, ADMIN_TIMEOUT_MS, &state, &passing);

		if (known && (partitions ? state.partitions >= partitions && state.led : state.partitions == 0))
			return true;
		if (!known && !passing.retriable) {
			if (err)
				*err = passing;
			return false;
		}
		if (weir__rdk_now_ms() > until)
			return weir_fail(err, WEIR_TIMEOUT, "topic %s is not %s after %d s", topic,
					 partitions ? "ready" : "gone", ADMIN_TIMEOUT_MS / 1000);
		usleep(POLL_PAUSE_US);
	}
}

bool weir__rdk_topics_each(weir_cluster *cluster, weir_topic_fn *fn, void *user, weir_error *err)
{
	const struct rd_kafka_metadata *md;
	rd_kafka_resp_err_t code = rd_kafka_metadata(rdk(cluster)->admin, 1, NULL, &md, ADMIN_TIMEOUT_MS);

	if (code)
		return weir__rdk_fail(err, code, "list of topics");
	for (int i = 0; i < md->topic_cnt; i++)
		/* librdkafka does not pass on the mark of internal topics; Kafka's own all begin so */
		if (!md->topics[i].err && strncmp(md->topics[i].topic, "__", 2) != 0)
			fn(md->topics[i].topic, md->topics[i].partition_cnt, user);
	rd_kafka_metadata_destroy(md);
	return true;
}

/* --- topics ------------------------------------------------------------------------------------------------- */

static rd_kafka_NewTopic_t *new_topic(const weir_topic_spec *spec, weir_error *err)
{
	char why[256];
	rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(
		spec->name, spec->partitions, spec->replication ? spec->replication : -1, why, sizeof why);

	if (!topic) {
		weir_fail(err, WEIR_USAGE, "make topic \"%s\": %s", spec->name, why);
		return NULL;
	}
	for (size_t i = 0; i < spec->config_count; i++) {
		rd_kafka_resp_err_t code =
			rd_kafka_NewTopic_set_config(topic, spec->configs[i][0], spec->configs[i][1]);

		if (code) {
			weir__rdk_fail(err, code, "make topic %s: config %s", spec->name, spec->configs[i][0]);
			rd_kafka_NewTopic_destroy(topic);
			return NULL;
		}
	}
	return topic;
}

static bool topics_request(struct rdk_cluster *c, rd_kafka_NewTopic_t **topics, size_t n, weir_error *err)
{
	struct rdk_call call;

	weir__rdk_call_begin(&call, c, RD_KAFKA_ADMIN_OP_CREATETOPICS, ADMIN_TIMEOUT_MS);
	wait_for_brokers(&call);
	rd_kafka_CreateTopics(c->admin, topics, n, call.options, call.queue);
	bool done = weir__rdk_call_wait(&call, err) || weir_wrap(err, "make topics");
	if (done) {
		size_t count;
		const rd_kafka_topic_result_t **results =
			rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(call.event), &count);

		done = topic_results(results, count, RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS, "make", err);
	}
	weir__rdk_call_end(&call);
	return done;
}

bool weir__rdk_topics_create(weir_cluster *cluster, const weir_topic_spec *specs, size_t n, weir_error *err)
{
	if (!n)
		return true;
	rd_kafka_NewTopic_t **topics = weir__calloc(n, sizeof *topics);
	size_t made = 0;
	bool done = true;

	for (; done && made < n; made += done)
		done = (topics[made] = new_topic(&specs[made], err)) != NULL;
	done = done && topics_request(rdk(cluster), topics, n, err);
	rd_kafka_NewTopic_destroy_array(topics, made);
	free(topics);
	for (size_t i = 0; done && i < n; i++)
		done = wait_until(rdk(cluster), specs[i].name, 1, err);
	return done;
}

bool weir__rdk_topics_delete(weir_cluster *cluster, const char *const *names, size_t n, weir_error *err)
{
	if (!n)
		return true;
	rd_kafka_DeleteTopic_t **topics = weir__calloc(n, sizeof *topics);
	struct rdk_call call;

	for (size_t i = 0; i < n; i++)
		topics[i] = rd_kafka_DeleteTopic_new(names[i]);
	weir__rdk_call_begin(&call, rdk(cluster), RD_KAFKA_ADMIN_OP_DELETETOPICS, ADMIN_TIMEOUT_MS);
	wait_for_brokers(&call);
	rd_kafka_DeleteTopics(call.rk, topics, n, call.options, call.queue);
	bool done = weir__rdk_call_wait(&call, err) || weir_wrap(err, "delete topics");
	if (done) {
		size_t count;
		const rd_kafka_topic_result_t **results =
			rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(call.event), &count);

		done = topic_results(results, count, RD_KAFKA_RESP_ERR_NO_ERROR, "delete", err);
	}
	weir__rdk_call_end(&call);
	rd_kafka_DeleteTopic_destroy_array(topics, n);
	free(topics);
	for (size_t i = 0; done && i < n; i++)
		done = wait_until(rdk(cluster), names[i], 0, err);
	return done;
}

static bool widen_request(struct rdk_cluster *c, const char *topic, int32_t partitions, weir_error *err)
{
	char why[256];
	struct rdk_call call;
	rd_kafka_NewPartitions_t *request = rd_kafka_NewPartitions_new(topic, (size_t)partitions, why, sizeof why);

	if (!request)
		return weir_fail(err, WEIR_USAGE, "widen topic \"%s\": %s", topic, why);
	weir__rdk_call_begin(&call, c, RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, ADMIN_TIMEOUT_MS);
	wait_for_brokers(&call);
	rd_kafka_CreatePartitions(call.rk, &request, 1, call.options, call.queue);
	bool done = weir__rdk_call_wait(&call, err) || weir_wrap(err, "widen topic %s", topic);
	if (done) {
		size_t count;
		const rd_kafka_topic_result_t **results = rd_kafka_CreatePartitions_result_topics(
			rd_kafka_event_CreatePartitions_result(call.event), &count);

		/* another has been quicker: how many there are is looked at behind this */
		done = topic_results(results, count, RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, "widen", err);
	}
	weir__rdk_call_end(&call);
	rd_kafka_NewPartitions_destroy(request);
	return done;
}

bool weir__rdk_topic_widen(weir_cluster *cluster, const char *topic, int32_t partitions, weir_error *err)
{
	struct topic_state state;

	if (!topic_state(rdk(cluster), topic, ADMIN_TIMEOUT_MS, &state, err))
		return false;
	if (state.partitions == 0)
		return weir_fail(err, WEIR_NOT_FOUND, "widen topic %s: there is none", topic);
	return state.partitions >= partitions || (widen_request(rdk(cluster), topic, partitions, err) &&
						  wait_until(rdk(cluster), topic, partitions, err));
}

static bool find_entry(const rd_kafka_ConfigResource_t *resource, const char *name, char *buf, size_t size)
{
	size_t count;
	const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);

	for (size_t i = 0; i < count; i++) {
		const char *value = rd_kafka_ConfigEntry_value(entries[i]);

		if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), name) != 0 || !value || strlen(value) >= size)
			continue;
		memcpy(buf, value, strlen(value) + 1);
		return true;
	}
	return false;
}

bool weir__rdk_topic_config(weir_cluster *cluster, const char *topic, const char *name, char *buf, size_t size,
			    weir_error *err)
{
	rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
	struct rdk_call call;

	weir__rdk_call_begin(&call, rdk(cluster), RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, ADMIN_TIMEOUT_MS);
	rd_kafka_DescribeConfigs(call.rk, &resource, 1, call.options, call.queue);
	bool done = weir__rdk_call_wait(&call, err) || weir_wrap(err, "configuration of topic %s", topic);
	if (done) {
		size_t count;
		const rd_kafka_ConfigResource_t **results = rd_kafka_DescribeConfigs_result_resources(
			rd_kafka_event_DescribeConfigs_result(call.event), &count);
		rd_kafka_resp_err_t code =
			count ? rd_kafka_ConfigResource_error(results[0]) : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;

		if (code)
			done = weir__rdk_fail(err, code, "configuration of topic %s", topic);
		else
			done = find_entry(results[0], name, buf, size) ||
			       weir_fail(err, WEIR_NOT_FOUND,
					 "topic %s has no configuration %s that fits %zu bytes", topic, name, size);
	}
	weir__rdk_call_end(&call);
	rd_kafka_ConfigResource_destroy(resource);
	return done;
}

/* --- offsets ------------------------------------------------------------------------------------------------ */

/* Answers by a broker that leads the partition no more, or not yet, pass once librdkafka has fresh metadata. */
static bool try_again(rd_kafka_resp_err_t code, int64_t until)
{
	if (!weir__rdk_passes(code) || weir__rdk_now_ms() > until)
		return false;
	usleep(POLL_PAUSE_US);
	return true;
}

bool weir__rdk_offsets_range(weir_cluster *cluster, const char *topic, int32_t partition, int64_t *first,
			     int64_t *end, weir_error *err)
{
	int64_t until = weir__rdk_now_ms() + ADMIN_TIMEOUT_MS;
	rd_kafka_resp_err_t code;

	do
		code = rd_kafka_query_watermark_offsets(rdk(cluster)->admin, topic, partition, first, end,
							ADMIN_TIMEOUT_MS);
	while (try_again(code, until));
	return !code || weir__rdk_fail(err, code, "offsets of %s/%d", topic, (int)partition);
}

bool weir__rdk_offsets_for_times(weir_cluster *cluster, weir_partition *list, size_t n, weir_error *err)
{
	if (!n)
		return true;
	rd_kafka_topic_partition_list_t *times = rd_kafka_topic_partition_list_new((int)n);

	for (size_t i = 0; i < n; i++)
		rd_kafka_topic_partition_list_add(times, list[i].topic, list[i].partition)->offset = list[i].offset;
	int64_t until = weir__rdk_now_ms() + ADMIN_TIMEOUT_MS;
	rd_kafka_resp_err_t code;

	do
		code = rd_kafka_offsets_for_times(rdk(cluster)->admin, times, ADMIN_TIMEOUT_MS);
	while (try_again(code, until));
	bool done = !code || weir__rdk_fail(err, code, "offsets by time");

	for (size_t i = 0; done && i < n; i++) {
		const rd_kafka_topic_partition_t *found =
			rd_kafka_topic_partition_list_find(times, list[i].topic, list[i].partition);
		int64_t first;

		if (found->err)
			done = weir__rdk_fail(err, found->err, "offset by time of %s/%d", list[i].topic,
					      (int)list[i].partition);
		else if (found->offset >= 0)
			list[i].offset = found->offset;
		else /* nothing so late */
			done = weir__rdk_offsets_range(cluster, list[i].topic, list[i].partition, &first,
						       &list[i].offset, err);
	}
	rd_kafka_topic_partition_list_destroy(times);
	return done;
}

bool weir__rdk_records_delete(weir_cluster *cluster, const weir_partition *list, size_t n, weir_error *err)
{
	if (!n)
		return true;
	rd_kafka_topic_partition_list_t *before = weir__rdk_list(list, n, false);
	rd_kafka_DeleteRecords_t *request = rd_kafka_DeleteRecords_new(before);
	struct rdk_call call;

	weir__rdk_call_begin(&call, rdk(cluster), RD_KAFKA_ADMIN_OP_DELETERECORDS, ADMIN_TIMEOUT_MS);
	wait_for_brokers(&call);
	rd_kafka_DeleteRecords(call.rk, &request, 1, call.options, call.queue);
	bool done = weir__rdk_call_wait(&call, err) || weir_wrap(err, "delete records");
	if (done) {
		const rd_kafka_topic_partition_list_t *results =
			rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(call.event));

		for (int i = 0; done && i < results->cnt; i++)
			if (results->elems[i].err)
				done = weir__rdk_fail(err, results->elems[i].err, "delete records of %s/%d",
						      results->elems[i].topic, (int)results->elems[i].partition);
	}
	weir__rdk_call_end(&call);
	rd_kafka_DeleteRecords_destroy(request);
	rd_kafka_topic_partition_list_destroy(before);
	return done;
}
