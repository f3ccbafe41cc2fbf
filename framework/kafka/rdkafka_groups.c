/* Consumer groups seen from outside. */
#include "framework/kafka/rdkafka.h"

#include "framework/base/alloc.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	GROUP_TIMEOUT_MS = 30000,
	RETRY_PAUSE_US = 20000,
};

static struct rdk_cluster *rdk(weir_cluster *cluster)
{
	return (struct rdk_cluster *)cluster;
}

static bool group_result(const rd_kafka_group_result_t *result, rd_kafka_resp_err_t fine, weir_error *err)
{
	const rd_kafka_error_t *error = rd_kafka_group_result_error(result);
	const rd_kafka_topic_partition_list_t *partitions = rd_kafka_group_result_partitions(result);

	if (error && rd_kafka_error_code(error) != fine)
		return weir__rdk_fail(err, rd_kafka_error_code(error), "%s", rd_kafka_error_string(error));
	for (int i = 0; partitions && i < partitions->cnt; i++)
		if (partitions->elems[i].err)
			return weir__rdk_fail(err, partitions->elems[i].err, "%s/%d", partitions->elems[i].topic,
					      (int)partitions->elems[i].partition);
	return true;
}

/* --- committed offsets -------------------------------------------------------------------------------------- */

static void take_committed(const rd_kafka_topic_partition_list_t *from, weir_partition *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const rd_kafka_topic_partition_t *p = rd_kafka_topic_partition_list_find(
			(rd_kafka_topic_partition_list_t *)from, list[i].topic, list[i].partition);

		list[i].offset = p && p->offset >= 0 ? p->offset : WEIR_OFFSET_NONE;
		list[i].metadata = NULL;
		if (p && p->metadata_size) {
			list[i].metadata = weir__malloc(p->metadata_size + 1);
			memcpy(list[i].metadata, p->metadata, p->metadata_size);
			list[i].metadata[p->metadata_size] = '\0';
		}
	}
}

static bool committed_once(struct rdk_cluster *c, const char *group, weir_partition *list, size_t n,
			   int64_t timeout_ms, weir_error *err)
{
	rd_kafka_topic_partition_list_t *wanted = weir__rdk_list(list, n, false);
	rd_kafka_ListConsumerGroupOffsets_t *request = rd_kafka_ListConsumerGroupOffsets_new(group, wanted);
	struct rdk_call call;

	weir__rdk_call_begin(&call, c, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, timeout_ms);
	rd_kafka_error_t *refused = rd_kafka_AdminOptions_set_require_stable_offsets(call.options, 1);
	bool done = !refused || weir__rdk_fail_with(err, refused, "stable offsets");
	if (done) {
		rd_kafka_ListConsumerGroupOffsets(call.rk, &request, 1, call.options, call.queue);
		done = weir__rdk_call_wait(&call, err);
	}
	if (done) {
		size_t count;
		const rd_kafka_group_result_t **results = rd_kafka_ListConsumerGroupOffsets_result_groups(
			rd_kafka_event_ListConsumerGroupOffsets_result(call.event), &count);

		done = group_result(results[0], RD_KAFKA_RESP_ERR_NO_ERROR, err);
		if (done)
			take_committed(rd_kafka_group_result_partitions(results[0]), list, n);
	}
	weir__rdk_call_end(&call);
	rd_kafka_ListConsumerGroupOffsets_destroy(request);
	rd_kafka_topic_partition_list_destroy(wanted);
	return done;
}

bool weir__rdk_group_committed(weir_cluster *cluster, const char *group, weir_partition *list, size_t n,
			       int64_t timeout_ms, weir_error *err)
{
	int64_t until = weir_time_add(weir__rdk_now_ms(), timeout_ms);

	if (!n)
		return true;
	for (;;) {
		weir_error passing = { 0 };
		int64_t left = weir_time_sub(until, weir__rdk_now_ms());

		if (left < 1)
			left = 1;
		if (committed_once(rdk(cluster), group, list, n, left < GROUP_TIMEOUT_MS ? left : GROUP_TIMEOUT_MS,
				   &passing))
			return true;
		/* an open transaction holds offsets back, or the coordinator moves */
		if (passing.retriable && weir__rdk_now_ms() < until) {
			usleep(RETRY_PAUSE_US);
			continue;
		}
		if (passing.retriable)
			passing.code = WEIR_TIMEOUT;
		if (err)
			*err = passing;
		return weir_wrap(err, "committed offsets of group %s", group);
	}
}

bool weir__rdk_group_alter(weir_cluster *cluster, const char *group, const weir_partition *list, size_t n,
			   weir_error *err)
{
	if (!n)
		return true;
	rd_kafka_topic_partition_list_t *offsets = weir__rdk_list(list, n, true);
	rd_kafka_AlterConsumerGroupOffsets_t *request = rd_kafka_AlterConsumerGroupOffsets_new(group, offsets);
	struct rdk_call call;

	weir__rdk_call_begin(&call, rdk(cluster), RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS, GROUP_TIMEOUT_MS);
	rd_kafka_AlterConsumerGroupOffsets(call.rk, &request, 1, call.options, call.queue);
	bool done = weir__rdk_call_wait(&call, err);
	if (done) {
		size_t count;
		const rd_kafka_group_result_t **results = rd_kafka_AlterConsumerGroupOffsets_result_groups(
			rd_kafka_event_AlterConsumerGroupOffsets_result(call.event), &count);

		done = group_result(results[0], RD_KAFKA_RESP_ERR_NO_ERROR, err);
	}
	weir__rdk_call_end(&call);
	rd_kafka_AlterConsumerGroupOffsets_destroy(request);
	rd_kafka_topic_partition_list_destroy(offsets);
	return done || weir_wrap(err, "set offsets of group %s", group);
}

/* --- groups ------------------------------------------------------------------------------------------------- */

bool weir__rdk_group_delete(weir_cluster *cluster, const char *group, weir_error *err)
{
	rd_kafka_DeleteGroup_t *request = rd_kafka_DeleteGroup_new(group);
	struct rdk_call call;

	weir__rdk_call_begin(&call, rdk(cluster), RD_KAFKA_ADMIN_OP_DELETEGROUPS, GROUP_TIMEOUT_MS);
	rd_kafka_DeleteGroups(call.rk, &request, 1, call.options, call.queue);
	bool done = weir__rdk_call_wait(&call, err);
	if (done) {
		size_t count;
		const rd_kafka_group_result_t **results =
			rd_kafka_DeleteGroups_result_groups(rd_kafka_event_DeleteGroups_result(call.event), &count);

		done = group_result(results[0], RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND, err);
	}
	weir__rdk_call_end(&call);
	rd_kafka_DeleteGroup_destroy(request);
	return done || weir_wrap(err, "delete group %s", group);
}

void weir__rdk_each_member(const rd_kafka_ConsumerGroupDescription_t *group, weir_member_fn *fn, void *user)
{
	size_t count = rd_kafka_ConsumerGroupDescription_member_count(group);

	for (size_t i = 0; i < count; i++) {
		const rd_kafka_MemberDescription_t *member = rd_kafka_ConsumerGroupDescription_member(group, i);
		const rd_kafka_MemberAssignment_t *assignment = rd_kafka_MemberDescription_assignment(member);
		const rd_kafka_topic_partition_list_t *list =
			assignment ? rd_kafka_MemberAssignment_partitions(assignment) : NULL;
		const char *client = rd_kafka_MemberDescription_client_id(member);
		const char *id = rd_kafka_MemberDescription_consumer_id(member);

		if (!list || !list->cnt)
			fn(client, id, NULL, -1, user);
		for (int j = 0; list && j < list->cnt; j++)
			fn(client, id, list->elems[j].topic, list->elems[j].partition, user);
	}
}

bool weir__rdk_group_describe(weir_cluster *cluster, const char *group, weir_member_fn *fn, void *user,
			      int64_t timeout_ms, weir_error *err)
{
	struct rdk_call call;

	weir__rdk_call_begin(&call, rdk(cluster), RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, timeout_ms);
	rd_kafka_DescribeConsumerGroups(call.rk, &group, 1, call.options, call.queue);
	bool done = weir__rdk_call_wait(&call, err);
	if (done) {
		size_t count;
		const rd_kafka_ConsumerGroupDescription_t **groups = rd_kafka_DescribeConsumerGroups_result_groups(
			rd_kafka_event_DescribeConsumerGroups_result(call.event), &count);
		const rd_kafka_error_t *error = rd_kafka_ConsumerGroupDescription_error(groups[0]);
		rd_kafka_resp_err_t code = error ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR_NO_ERROR;

		const char *assignor = rd_kafka_ConsumerGroupDescription_partition_assignor(groups[0]);

		if (!code && (!assignor || !*assignor || strcmp(assignor, ASSIGNOR) == 0))
			weir__rdk_each_member(groups[0], fn, user);
		else if (code && code != RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND)
			done = weir__rdk_fail(err, code, "%s", rd_kafka_error_string(error));
	}
	weir__rdk_call_end(&call);
	if (!done)
		atomic_store(&rdk(cluster)->described_in_vain, true);
	return done || weir_wrap(err, "describe group %s", group);
}
