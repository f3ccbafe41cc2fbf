#include <stdio.h>
#include <weir/log.h>

#include "apps/evilnet/evilnet.h"

/* A topic that is there is used as it is; what would lose data, or count by the wrong clock, is said. */
static void check_config(weir_cluster *cluster, const char *topic, const char *name, const char *wanted,
			 const char *because)
{
	char value[64];

	if (weir_topic_config(cluster, topic, name, value, sizeof value, NULL) && strcmp(value, wanted) != 0)
		weir_log(WEIR_LOG_WARN, "topics", "%s topic=%s config=%s wanted=%s got=%s", because, topic, name,
			 wanted, value);
}

bool evilnet_topics_ensure(struct evilnet *e, weir_error *err)
{
	/* Event time is the posts' own, and what is old is purged by it: the broker's retention goes by the
	 * wall clock, and would delete a replay of old posts, and its results, within minutes. */
	static const char *const posts[][2] = {
		{ "cleanup.policy", "delete" },
		{ "retention.ms", "-1" },
		{ "message.timestamp.type", "CreateTime" },
	};
	/* The newest result of a city's window is all that counts. It is dated as its posts are, and those that the
	 * posts' topic has taken must not be refused here. */
	static const char *const metrics[][2] = {
		{ "cleanup.policy", "compact,delete" },
		{ "retention.ms", "-1" },
		{ "message.timestamp.type", "CreateTime" },
		{ "message.timestamp.after.max.ms", "9223372036854775807" },
	};
	int32_t partitions = (int32_t)weir_config_int(e->cfg, "evilnet.partitions");
	weir_topic_spec specs[] = {
		{ weir_config_string(e->cfg, "evilnet.topic"), partitions, 0, posts, 3 },
		{ weir_config_string(e->cfg, "evilnet.metrics.topic"), partitions, 0, metrics, 4 },
		{ weir_config_string(e->cfg, "evilnet.dead.letters.topic"), partitions, 0, NULL, 0 },
	};
	char ahead_ms[32];

	if (!weir_topics_create(e->cluster, specs, 1, err))
		return weir_wrap(err, "EvilNet's topic of posts");
	/* Kafka before 3.6 has no such setting, and refuses nothing by its date. */
	if (!weir_topic_config(e->cluster, specs[0].name, specs[1].configs[3][0], ahead_ms, sizeof ahead_ms, NULL))
		specs[1].config_count = 3;
	if (!weir_topics_create(e->cluster, specs + 1, 2, err))
		return weir_wrap(err, "EvilNet's topics of results and dead letters");
	for (int i = 0; i < 2; i++) {
		check_config(e->cluster, specs[i].name, "retention.ms", "-1",
			     "the broker will delete old records by the wall clock");
		check_config(e->cluster, specs[i].name, "message.timestamp.type", "CreateTime",
			     "the broker puts its own time in place of the posts'");
	}
	return true;
}
