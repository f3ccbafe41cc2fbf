/*
 * One instance asks all of the application to stop (KIP-671, SHUTDOWN_APPLICATION). Kafka Streams tells the others
 * in what members say when they join; librdkafka leaves no room for that. So whoever asks has one more member join
 * the group, the caller, whose client.id says so. Its coming brings a round of rebalancing about, and behind each
 * round everybody looks who is there (on_member of the consumers). It takes partitions as any member does, but does
 * nothing with them. When nobody but callers is left it goes, or after a while. Static members leave, too, as they
 * do not otherwise: or nobody could tell them from some that run, and who starts again would find the caller there.
 */
#include <stdio.h>
#include <stdlib.h>

#include "framework/base/alloc.h"
#include "framework/base/canary.h"
#include "framework/runtime/runtime.h"

#define CALLER "weir-shutdown-application:"

enum {
	SESSION_MS_MAX = 10000, /* a caller that is killed must not stop those for long who start again */
	LOOK_US = 200000,
	DESCRIBE_MS = 5000,
	PATIENCE_MS = 15000, /* beside a session: a round waits for dead members until theirs are over */
};

struct shutdown_call {
	weir_consumer *consumer;
	int64_t until_us, next_look_us;
	bool joined;
	bool failed; /* the last try to join */
};

static bool is_caller(const char *client_id)
{
	return client_id && strncmp(client_id, CALLER, strlen(CALLER)) == 0;
}

void weir__shutdown_heed(const char *client_id, const char *member_id, const char *topic, int32_t partition,
			 void *worker)
{
	weir_app *app = ((struct worker *)worker)->app;
	weir_error err;

	(void)member_id, (void)topic, (void)partition;
	if (!is_caller(client_id) || atomic_load(&app->stopping) || WEIR__CANARY(IGNORE_SHUTDOWN))
		return;
	weir_fail(&err, WEIR_CLOSED, "instance \"%s\" has asked all instances of the application to stop",
		  client_id + strlen(CALLER));
	atomic_store(&app->leaves, true);
	weir__app_failed(app, &err);
}

static void on_group(weir_consumer *consumer, weir_group_event event, const weir_partition *list, size_t n,
		     void *call)
{
	(void)consumer, (void)list, (void)n;
	((struct shutdown_call *)call)->joined = event == WEIR_GROUP_ASSIGNED;
}

static bool join(weir_app *app, struct shutdown_call *c, weir_error *err)
{
	const struct settings *s = &app->settings;
	const char *anchor = weir__anchor_of(app, &app->topology->subtopologies[0]);
	char client_id[sizeof app->instance_id + sizeof CALLER];
	bool briefly = s->session_timeout_ms > SESSION_MS_MAX && !c->failed; /* if the broker allows it */

	snprintf(client_id, sizeof client_id, "%s%s", CALLER, app->instance_id);
	c->joined = false;
	c->consumer = weir_consumer_open(
		app->cluster,
		(weir_consumer_opts){ .group = s->application_id,
				      .client_id = client_id,
				      .session_timeout_ms = briefly ? SESSION_MS_MAX : s->session_timeout_ms,
				      .max_poll_interval_ms = s->max_poll_interval_ms,
				      .on_group = on_group,
				      .user = c },
		err);
	return c->consumer && weir_consumer_subscribe(c->consumer, &anchor, 1, err);
}

bool weir__shutdown_begin(weir_app *app)
{
	weir_error err;

	if (app->crash || !atomic_exchange(&app->shutdown_wanted, false) || app->topology->subtopology_count == 0)
		return false; /* without a source there is no group */
	weir_log(WEIR_LOG_ERROR, "app", "asks all instances to stop application=%s instance=%s",
		 app->settings.application_id, app->instance_id);
	struct shutdown_call *c = app->shutdown = weir__calloc(1, sizeof *c);

	c->until_us = weir__now_us(app) + (app->settings.session_timeout_ms + PATIENCE_MS) * 1000;
	if (join(app, c, &err))
		return true;
	weir_log(WEIR_LOG_ERROR, "app", "the other instances cannot be asked to stop: %s", err.message);
	weir__shutdown_end(app);
	return false;
}

static bool ignore(const weir_kafka_record *record, void *user)
{
	(void)record, (void)user;
	return true;
}

static void count_other(const char *client_id, const char *member_id, const char *topic, int32_t partition,
			void *others)
{
	(void)member_id, (void)topic, (void)partition;
	*(int *)others += !is_caller(client_id);
}

/* What is not known counts as some. */
static bool others_are_left(weir_app *app)
{
	weir_error err;
	int others = 0;

	if (weir_group_describe(app->cluster, app->settings.application_id, count_other, &others, DESCRIBE_MS,
				&err))
		return others > 0;
	weir_log(WEIR_LOG_WARN, "app", "who has not stopped yet is not known: %s", err.message);
	return true;
}

bool weir__shutdown_step(weir_app *app, int64_t wait_ms)
{
	struct shutdown_call *c = app->shutdown;
	weir_error err;

	if (weir__now_us(app) >= c->until_us) {
		weir_log(WEIR_LOG_ERROR, "app", "not all instances have stopped within session.timeout.ms");
		return false;
	}
	if (!weir_consumer_poll(c->consumer, wait_ms, ignore, NULL, &err)) {
		weir_log(WEIR_LOG_WARN, "app", "asking the other instances to stop: %s", err.message);
		if (c->joined && !err.fatal)
			return true;
		weir_consumer_close(c->consumer);
		c->failed = true;
		return join(app, c, &err);
	}
	if (!c->joined || weir__now_us(app) < c->next_look_us)
		return true;
	c->next_look_us = weir__now_us(app) + LOOK_US;
	return others_are_left(app);
}

void weir__shutdown_end(weir_app *app)
{
	if (!app->shutdown)
		return;
	weir_consumer_close(app->shutdown->consumer);
	free(app->shutdown);
	app->shutdown = NULL;
}

weir_consumer *weir__shutdown_cut_off(weir_app *app)
{
	struct shutdown_call *c = app->shutdown;
	weir_consumer *consumer = c ? c->consumer : NULL;

	if (c)
		c->consumer = NULL;
	return consumer;
}
