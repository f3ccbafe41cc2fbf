#include "framework/kafka/rdkafka.h"

#include "framework/base/alloc.h"

#include <stdlib.h>
#include <time.h>

#include <weir/log.h>

enum { ID_TIMEOUT_MS = 10000, DESTROY_S = 3 };

static void *destroy(void *rk)
{
	rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	return NULL;
}

static bool destroyed_in_time(struct rdk_cluster *c)
{
	struct timespec until;
	pthread_t thread;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += DESTROY_S;
	if (pthread_create(&thread, NULL, destroy, c->admin) != 0) {
		destroy(c->admin);
		return true;
	}
	if (pthread_timedjoin_np(thread, NULL, &until) == 0)
		return true;
	pthread_detach(thread);
	return false;
}

/*
 * After a description of a group that has failed librdkafka (2.0.2) mostly never comes back from this - its main
 * thread waits for a lock that nobody gives back - and sometimes ends the process: an assertion about what it had
 * been waiting for. So the client is left as it is then.
 */
static void cluster_free(weir_cluster *cluster)
{
	struct rdk_cluster *c = (struct rdk_cluster *)cluster;

	if (atomic_load(&c->described_in_vain) || !destroyed_in_time(c))
		weir_log(WEIR_LOG_WARN, "kafka", "a client that does not end is left as it is");
	pthread_mutex_destroy(&c->lock);
	free(c->id);
	free(c);
}

/* The id comes with metadata. To wait for it does not make the client connect before its next look around, a second
 * after it was made; to ask for metadata does. */
static char *ask_id(rd_kafka_t *rk)
{
	const struct rd_kafka_metadata *metadata;

	if (rd_kafka_metadata(rk, 0, NULL, &metadata, ID_TIMEOUT_MS))
		return NULL;
	rd_kafka_metadata_destroy(metadata);
	return rd_kafka_clusterid(rk, ID_TIMEOUT_MS);
}

static const char *cluster_id(weir_cluster *cluster, weir_error *err)
{
	struct rdk_cluster *c = (struct rdk_cluster *)cluster;

	pthread_mutex_lock(&c->lock);
	if (!c->id) {
		char *id = ask_id(c->admin);

		c->id = weir__strdup(id);
		if (id)
			rd_kafka_mem_free(c->admin, id);
	}
	const char *id = c->id;
	pthread_mutex_unlock(&c->lock);
	if (!id)
		weir__rdk_fail(err, RD_KAFKA_RESP_ERR__TIMED_OUT, "id of the cluster at %s",
			       weir_config_string(c->cfg, "bootstrap.servers"));
	return id;
}

const struct cluster_ops weir__rdk_cluster_ops = {
	.free = cluster_free,
	.id = cluster_id,
	.topics_create = weir__rdk_topics_create,
	.topics_delete = weir__rdk_topics_delete,
	.topic_widen = weir__rdk_topic_widen,
	.topic_partitions = weir__rdk_topic_partitions,
	.topic_config = weir__rdk_topic_config,
	.topics_each = weir__rdk_topics_each,
	.offsets_range = weir__rdk_offsets_range,
	.offsets_for_times = weir__rdk_offsets_for_times,
	.records_delete = weir__rdk_records_delete,
	.group_committed = weir__rdk_group_committed,
	.group_alter = weir__rdk_group_alter,
	.group_delete = weir__rdk_group_delete,
	.group_describe = weir__rdk_group_describe,
	.consumer_open = weir__rdk_consumer_open,
	.producer_open = weir__rdk_producer_open,
};

weir_cluster *weir_cluster_open(const weir_config *cfg, weir_error *err)
{
	struct rdk_cluster *c = weir__calloc(1, sizeof *c);

	c->base.ops = &weir__rdk_cluster_ops;
	c->cfg = cfg;
	struct rdk_conf cf = weir__rdk_conf();
	weir__rdk_pass(&cf, c, NULL);
	weir__rdk_set(&cf, "isolation.level", "read_uncommitted");
	/* It never joins a group. But asked for a group's offsets while the coordinator moves or loads, librdkafka
	 * (2.0.2 to 2.15, issue 5040) turns to the client's own group, and crashes where there is none. */
	const char *group = weir_config_string(cfg, "application.id");

	weir__rdk_set(&cf, "group.id", "%s", group && *group ? group : "weir");
	c->admin = weir__rdk_open(&cf, RD_KAFKA_CONSUMER, err);
	if (!c->admin) {
		free(c);
		return NULL;
	}
	pthread_mutex_init(&c->lock, NULL);
	return &c->base;
}
