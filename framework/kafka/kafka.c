#include "framework/kafka/port.h"

#include <stdlib.h>
#include <string.h>

int64_t weir_record_bytes_max(const weir_config *cfg)
{
	const char *set = weir_config_kafka(cfg, "message.max.bytes");

	return set ? atoll(set) : WEIR_RECORD_BYTES_MAX;
}

void weir_partitions_release(weir_partition *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(list[i].metadata);
		list[i].metadata = NULL;
	}
}

weir_bytes weir_headers_last(const weir_headers *headers, const char *name)
{
	for (size_t i = headers ? headers->count : 0; i-- > 0;)
		if (!strcmp(headers->items[i].name, name))
			return headers->items[i].value;
	return WEIR_NULL;
}

const weir_headers *weir_kafka_record_headers(const weir_kafka_record *record)
{
	return record->consumer->ops->headers(record);
}

/* --- cluster -------------------------------------------------------------------------------------------------- */

void weir_cluster_free(weir_cluster *cluster)
{
	if (cluster)
		cluster->ops->free(cluster);
}

const char *weir_cluster_id(weir_cluster *cluster, weir_error *err)
{
	return cluster->ops->id(cluster, err);
}

bool weir_topics_create(weir_cluster *cluster, const weir_topic_spec *specs, size_t n, weir_error *err)
{
	return cluster->ops->topics_create(cluster, specs, n, err);
}

bool weir_topics_delete(weir_cluster *cluster, const char *const *names, size_t n, weir_error *err)
{
	return cluster->ops->topics_delete(cluster, names, n, err);
}

bool weir_topic_widen(weir_cluster *cluster, const char *topic, int32_t partitions, weir_error *err)
{
	return cluster->ops->topic_widen(cluster, topic, partitions, err);
}

int32_t weir_topic_partitions(weir_cluster *cluster, const char *topic, weir_error *err)
{
	return cluster->ops->topic_partitions(cluster, topic, err);
}

bool weir_topic_config(weir_cluster *cluster, const char *topic, const char *name, char *buf, size_t size,
		       weir_error *err)
{
	return cluster->ops->topic_config(cluster, topic, name, buf, size, err);
}

bool weir_topics_each(weir_cluster *cluster, weir_topic_fn *fn, void *user, weir_error *err)
{
	return cluster->ops->topics_each(cluster, fn, user, err);
}

bool weir_offsets_range(weir_cluster *cluster, const char *topic, int32_t partition, int64_t *first, int64_t *end,
			weir_error *err)
{
	int64_t unwanted;

	return cluster->ops->offsets_range(cluster, topic, partition, first ? first : &unwanted,
					   end ? end : &unwanted, err);
}

bool weir_offsets_for_times(weir_cluster *cluster, weir_partition *list, size_t n, weir_error *err)
{
	return cluster->ops->offsets_for_times(cluster, list, n, err);
}

bool weir_records_delete(weir_cluster *cluster, const weir_partition *list, size_t n, weir_error *err)
{
	return cluster->ops->records_delete(cluster, list, n, err);
}

bool weir_group_committed(weir_cluster *cluster, const char *group, weir_partition *list, size_t n,
			  int64_t timeout_ms, weir_error *err)
{
	return cluster->ops->group_committed(cluster, group, list, n, timeout_ms, err);
}

bool weir_group_alter(weir_cluster *cluster, const char *group, const weir_partition *list, size_t n,
		      weir_error *err)
{
	return cluster->ops->group_alter(cluster, group, list, n, err);
}

bool weir_group_delete(weir_cluster *cluster, const char *group, weir_error *err)
{
	return cluster->ops->group_delete(cluster, group, err);
}

bool weir_group_describe(weir_cluster *cluster, const char *group, weir_member_fn *fn, void *user,
			 int64_t timeout_ms, weir_error *err)
{
	return cluster->ops->group_describe(cluster, group, fn, user, timeout_ms, err);
}

/* --- consumer ------------------------------------------------------------------------------------------------- */

weir_consumer *weir_consumer_open(weir_cluster *cluster, weir_consumer_opts opts, weir_error *err)
{
	return cluster->ops->consumer_open(cluster, &opts, err);
}

void weir_consumer_close(weir_consumer *consumer)
{
	if (consumer)
		consumer->ops->close(consumer);
}

void weir_consumer_leave(weir_consumer *consumer)
{
	consumer->ops->leave(consumer);
}

bool weir_consumer_subscribe(weir_consumer *consumer, const char *const *topics, size_t n, weir_error *err)
{
	return consumer->ops->subscribe(consumer, topics, n, err);
}

bool weir_consumer_rejoin(weir_consumer *consumer, weir_error *err)
{
	return consumer->ops->rejoin(consumer, err);
}

bool weir_consumer_assign(weir_consumer *consumer, const weir_partition *list, size_t n, weir_error *err)
{
	return consumer->ops->assign(consumer, list, n, err);
}

bool weir_consumer_unassign(weir_consumer *consumer, const weir_partition *list, size_t n, weir_error *err)
{
	return consumer->ops->unassign(consumer, list, n, err);
}

bool weir_consumer_seek(weir_consumer *consumer, const weir_partition *list, size_t n, weir_error *err)
{
	return consumer->ops->seek(consumer, list, n, err);
}

bool weir_consumer_pause(weir_consumer *consumer, const weir_partition *list, size_t n, weir_error *err)
{
	return consumer->ops->pause(consumer, list, n, err);
}

bool weir_consumer_resume(weir_consumer *consumer, const weir_partition *list, size_t n, weir_error *err)
{
	return consumer->ops->resume(consumer, list, n, err);
}

bool weir_consumer_poll(weir_consumer *consumer, int64_t timeout_ms, weir_record_fn *fn, void *user,
			weir_error *err)
{
	return consumer->ops->poll(consumer, timeout_ms, fn, user, err);
}

int64_t weir_consumer_position(weir_consumer *consumer, const char *topic, int32_t partition)
{
	return consumer->ops->position(consumer, topic, partition);
}

bool weir_consumer_lost(weir_consumer *consumer)
{
	return consumer->ops->lost(consumer);
}

int64_t weir_consumer_lag(weir_consumer *consumer, const char *topic, int32_t partition)
{
	return consumer->ops->lag(consumer, topic, partition);
}

/* --- producer ------------------------------------------------------------------------------------------------- */

weir_producer *weir_producer_open(weir_cluster *cluster, weir_producer_opts opts, weir_error *err)
{
	return cluster->ops->producer_open(cluster, &opts, err);
}

void weir_producer_close(weir_producer *producer)
{
	if (producer)
		producer->ops->close(producer);
}

bool weir_producer_send(weir_producer *producer, const weir_produced *record, weir_error *err)
{
	return producer->ops->send(producer, record, err);
}

size_t weir_producer_poll(weir_producer *producer, int64_t timeout_ms)
{
	return producer->ops->poll(producer, timeout_ms);
}

bool weir_producer_flush(weir_producer *producer, int64_t timeout_ms, weir_error *err)
{
	return producer->ops->flush(producer, timeout_ms, err);
}

int64_t weir_producer_delivered(weir_producer *producer, const char *topic, int32_t partition)
{
	return producer->ops->delivered(producer, topic, partition);
}

bool weir_producer_init(weir_producer *producer, int64_t timeout_ms, weir_error *err)
{
	return producer->ops->init(producer, timeout_ms, err);
}

bool weir_producer_begin(weir_producer *producer, weir_error *err)
{
	return producer->ops->begin(producer, err);
}

bool weir_producer_send_offsets(weir_producer *producer, weir_consumer *consumer, const weir_partition *list,
				size_t n, int64_t timeout_ms, weir_error *err)
{
	return producer->ops->send_offsets(producer, consumer, list, n, timeout_ms, err);
}

bool weir_producer_commit(weir_producer *producer, int64_t timeout_ms, weir_error *err)
{
	return producer->ops->commit(producer, timeout_ms, err);
}

bool weir_producer_abort(weir_producer *producer, int64_t timeout_ms, weir_error *err)
{
	return producer->ops->abort(producer, timeout_ms, err);
}
