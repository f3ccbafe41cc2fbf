#include "framework/kafka/rdkafka.h"

#include "framework/base/alloc.h"
#include <weir/log.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What weir's promises rest on: not for kafka.* settings. The text says where else to turn. */
static const char *const own[][2] = {
	{ "bootstrap.servers", "set bootstrap.servers" },
	{ "metadata.broker.list", "set bootstrap.servers" },
	{ "client.id", "set client.id" },
	{ "group.id", "it is the application.id" },
	{ "group.instance.id", "set group.static.membership" },
	{ "group.protocol", "weir's assignment needs the classic protocol" },
	{ "partition.assignment.strategy", "weir assigns by " ASSIGNOR },
	{ "session.timeout.ms", "set session.timeout.ms" },
	{ "max.poll.interval.ms", "set max.poll.interval.ms" },
	{ "enable.auto.commit", "positions are committed with the transaction" },
	{ "enable.auto.offset.store", "positions are committed with the transaction" },
	{ "auto.offset.reset", "a lost position is an error, never a silent reset" },
	{ "enable.partition.eof", "positions depend on it" },
	{ "isolation.level", "each reader has the one it needs" },
	{ "transactional.id", "it is made from application.id and instance.id" },
	{ "transaction.timeout.ms", "set transaction.timeout.ms" },
	{ "enable.idempotence", "records would be lost or doubled without" },
	{ "acks", "records would be lost with less than all" },
	{ "request.required.acks", "records would be lost with less than all" },
	{ "partitioner", "keys go to partitions as Java clients send them" },
	{ "delivery.report.only.error", "positions of changelogs depend on it" },
	{ "allow.auto.create.topics", "weir makes its topics itself" },
};

static void failed(struct rdk_conf *cf, const char *name, const char *why)
{
	if (!cf->failed)
		weir_fail(&cf->error, WEIR_CONFIG, "kafka.%s: %s", name, why);
	cf->failed = true;
}

void weir__rdk_set(struct rdk_conf *cf, const char *name, const char *format, ...)
{
	char *value, why[256];
	va_list args;

	va_start(args, format);
	int n = vasprintf(&value, format, args);
	va_end(args);
	weir_assert(n >= 0);
	if (rd_kafka_conf_set(cf->conf, name, value, why, sizeof why) != RD_KAFKA_CONF_OK)
		failed(cf, name, why);
	free(value);
}

bool weir__rdk_set_if_known(struct rdk_conf *cf, const char *name, const char *value)
{
	char why[256];
	rd_kafka_conf_res_t result = rd_kafka_conf_set(cf->conf, name, value, why, sizeof why);

	if (result == RD_KAFKA_CONF_INVALID)
		failed(cf, name, why);
	return result == RD_KAFKA_CONF_OK;
}

static weir_log_level level_of(int syslog_level, const char *facility, const char *line)
{
	/* "X is a consumer property and will be ignored by this producer": kafka.* goes to all on purpose. */
	if (!strcmp(facility, "CONFWARN") || syslog_level >= 7)
		return WEIR_LOG_DEBUG;
	/* Connections that break are tried again. Each is told of twice: as FAIL, then as the client's ERROR. */
	if (!strcmp(facility, "FAIL") || strstr(line, "brokers are down"))
		return WEIR_LOG_WARN;
	if (!strcmp(facility, "ERROR") && !strstr(line, "Fatal error"))
		return WEIR_LOG_DEBUG;
	if (syslog_level >= 5 || !strcmp(facility, "GETPID")) /* the coordinator is not ready yet */
		return WEIR_LOG_INFO;
	return syslog_level == 4 ? WEIR_LOG_WARN : WEIR_LOG_ERROR;
}

/* From any of librdkafka's threads, also when the object that opened the client is gone: uses nothing of it. */
static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *line)
{
	weir_log(level_of(level, facility, line), "librdkafka", "%s client=%s facility=%s", line,
		 rk ? rd_kafka_name(rk) : "-", facility);
}

struct rdk_conf weir__rdk_conf(void)
{
	struct rdk_conf cf = { .conf = rd_kafka_conf_new() };

	rd_kafka_conf_set_log_cb(cf.conf, on_log);
	/* No error callback: librdkafka then logs such errors, and needs nobody to poll for them. */
	weir__rdk_set(&cf, "log.connection.close", "false");
	weir__rdk_set(&cf, "socket.nagle.disable", "true");
	weir__rdk_set(&cf, "socket.keepalive.enable", "true");
	weir__rdk_set(&cf, "reconnect.backoff.max.ms", "1000");
	weir__rdk_set(&cf, "topic.metadata.propagation.max.ms", "5000");
	return cf;
}

static void pass_one(const char *name, const char *value, void *user)
{
	struct rdk_conf *cf = user;

	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		if (!strcmp(name, own[i][0])) {
			char why[128];

			snprintf(why, sizeof why, "cannot be set: %s", own[i][1]);
			failed(cf, name, why);
			return;
		}
	weir__rdk_set(cf, name, "%s", value);
}

void weir__rdk_pass(struct rdk_conf *cf, const struct rdk_cluster *cluster, const char *client_id)
{
	if (!client_id)
		client_id = weir_config_string(cluster->cfg, "client.id");
	weir_config_each_kafka(cluster->cfg, pass_one, cf);
	weir__rdk_set(cf, "bootstrap.servers", "%s", weir_config_string(cluster->cfg, "bootstrap.servers"));
	weir__rdk_set(cf, "client.id", "%s", client_id ? client_id : "weir");
	weir__rdk_set(cf, "allow.auto.create.topics", "false");
}

rd_kafka_t *weir__rdk_open(struct rdk_conf *cf, rd_kafka_type_t type, weir_error *err)
{
	char why[300];
	rd_kafka_t *rk = cf->failed ? NULL : rd_kafka_new(type, cf->conf, why, sizeof why);

	if (rk)
		return rk;
	rd_kafka_conf_destroy(cf->conf);
	if (!cf->failed)
		weir_fail(err, WEIR_CONFIG, "librdkafka refuses the configuration: %s", why);
	else if (err)
		*err = cf->error;
	return NULL;
}
