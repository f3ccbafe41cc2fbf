/* Looks at the group beside the polls of a consumer: for partitions that no member has (owners.h), and to tell who
 * is there. */
#include "framework/kafka/rdkafka_consumer.h"

#include <stdlib.h>
#include <string.h>

#include <weir/log.h>

enum {
	ANSWER_MS_MAX = 10000,
	STOP_MS_MAX = 1000,
	METADATA_MS_MAX = 1000, /* asked for right after the broker has answered */
	REJOIN_MS = 3000,       /* no assignment has come of it: it is asked for again */
	MEMBERS_PAUSE_MS = 500, /* before it is asked again who is there; doubled each time */
	MEMBERS_PAUSE_MS_MAX = 60000,
};

/* No topic can have a name like that. */
#define NO_TOPIC "weir:rejoin:"

bool weir__rdk_is_no_topic(const char *name)
{
	return strncmp(name, NO_TOPIC, strlen(NO_TOPIC)) == 0;
}

/*
 * Makes librdkafka join again. It has no call for that, but does so when the topics subscribed to change: for one
 * that it knows nothing of it asks the broker, then it joins. Meanwhile the subscription is what it was before.
 *
 * Only for one that is a member: librdkafka (to 2.8 at least) ends the process when the subscription changes so
 * while it joins for the first time.
 */
static void join_again(struct rdk_consumer *c)
{
	char name[64];

	snprintf(name, sizeof name, NO_TOPIC "%llx", (unsigned long long)weir_rng_next(&c->owners.rng));
	rd_kafka_topic_partition_list_t *more = rd_kafka_topic_partition_list_copy(c->subscription);
	rd_kafka_topic_partition_list_add(more, name, RD_KAFKA_PARTITION_UA);
	rd_kafka_resp_err_t code = rd_kafka_subscribe(c->rk, more);

	if (!code)
		code = rd_kafka_subscribe(c->rk, c->subscription);
	if (code)
		weir_log(WEIR_LOG_WARN, "kafka", "group=%s could not be joined again: %s", c->group,
			 rd_kafka_err2str(code));
	rd_kafka_topic_partition_list_destroy(more);
	c->asked_ms = weir__rdk_now_ms();
	c->asked_rounds = 2; /* one may be under way, and not known of here */
}

/*
 * Before its first share, and after the loss of one, it is about to join anyhow. And what has been revoked, or an
 * event that waits, is followed by an assignment: librdkafka would keep the subscription for later.
 */
static void ask_for_round(struct rdk_consumer *c)
{
	if (!c->had_share || !weir__rdk_is_member(c)) {
		c->rejoin_ms = 0;
		return;
	}
	c->rejoin_ms = weir__rdk_now_ms() + (c->in_event ? 0 : REJOIN_MS);
	if (!c->in_event && !c->between && !rd_kafka_queue_length(c->events))
		join_again(c);
}

bool weir__rdk_rejoin(weir_consumer *consumer, weir_error *err)
{
	struct rdk_consumer *c = (struct rdk_consumer *)consumer;

	if (!c->subscription)
		return weir_fail(err, WEIR_USAGE, "rejoin: the consumer has no subscription");
	ask_for_round(c);
	return true;
}

void weir__rdk_rejoin_serve(struct rdk_consumer *c)
{
	if (weir__rdk_now_ms() >= c->rejoin_ms)
		ask_for_round(c);
}

struct self {
	const char *id;
	bool found;
};

static void find_self(const char *client_id, const char *member_id, const char *topic, int32_t partition,
		      void *self)
{
	struct self *s = self;

	(void)client_id, (void)topic, (void)partition;
	s->found |= strcmp(member_id, s->id) == 0;
}

static bool is_among(struct rdk_consumer *c, const rd_kafka_ConsumerGroupDescription_t *group)
{
	struct self self = { .id = rd_kafka_memberid(c->rk) };

	if (!self.id)
		return false;
	weir__rdk_each_member(group, find_self, &self);
	rd_kafka_mem_free(c->rk, (char *)self.id);
	return self.found && weir__rdk_is_member(c);
}

static void note_topics(struct rdk_consumer *c, struct owner_look *look)
{
	for (int i = 0; i < c->subscription->cnt; i++) {
		const char *topic = c->subscription->elems[i].topic;

		weir__look_topic(look, topic,
				 weir__rdk_partitions_within(c->cluster, topic, METADATA_MS_MAX, NULL));
	}
}

static void note_owned(const char *client_id, const char *member_id, const char *topic, int32_t partition,
		       void *user)
{
	(void)client_id;
	(void)member_id;
	if (topic)
		weir__look_owned(user, topic, partition);
}

void weir__rdk_members_changed(struct rdk_consumer *c)
{
	c->members_due = c->on_member != NULL;
	c->members_at_ms = 0;
	c->members_pause_ms = MEMBERS_PAUSE_MS;
}

/* Amid a round, too: then without partitions. */
static void tell_members(struct rdk_consumer *c, const rd_kafka_ConsumerGroupDescription_t *group)
{
	if (group) {
		weir__rdk_each_member(group, c->on_member, c->user);
		return;
	}
	c->members_due = true;
	c->members_at_ms = weir__rdk_now_ms() + c->members_pause_ms;
	if (c->members_pause_ms < MEMBERS_PAUSE_MS_MAX)
		c->members_pause_ms *= 2;
}

static void look_for_ownerless(struct rdk_consumer *c, const rd_kafka_ConsumerGroupDescription_t *group)
{
	struct owner_look look = { 0 };

	if (!group || rd_kafka_ConsumerGroupDescription_state(group) != RD_KAFKA_CONSUMER_GROUP_STATE_STABLE ||
	    !is_among(c, group)) {
		weir__owners_unknown(&c->owners, weir__rdk_now_ms());
		return;
	}
	note_topics(c, &look);
	weir__rdk_each_member(group, note_owned, &look);
	if (weir__look_end(&look, &c->owners, weir__rdk_now_ms()))
		join_again(c);
}

/* NULL: no answer. */
static void answered(struct rdk_consumer *c, rd_kafka_event_t *event)
{
	const rd_kafka_DescribeConsumerGroups_result_t *result =
		event && !rd_kafka_event_error(event) ? rd_kafka_event_DescribeConsumerGroups_result(event) : NULL;
	size_t count = 0;
	const rd_kafka_ConsumerGroupDescription_t **groups =
		result ? rd_kafka_DescribeConsumerGroups_result_groups(result, &count) : NULL;
	const rd_kafka_ConsumerGroupDescription_t *group =
		count == 1 && !rd_kafka_ConsumerGroupDescription_error(groups[0]) ? groups[0] : NULL;

	if (weir__owners_due(&c->owners, weir__rdk_now_ms()))
		look_for_ownerless(c, group);
	if (c->on_member)
		tell_members(c, group);
}

static void look_end(struct rdk_consumer *c)
{
	if (c->looking)
		weir__rdk_call_end(&c->look);
	c->looking = false;
}

/* librdkafka (2.0.2) does not always end while it looks for a group's coordinator. */
void weir__rdk_owners_stop(struct rdk_consumer *c)
{
	if (c->looking)
		c->look.event = rd_kafka_queue_poll(c->look.queue, STOP_MS_MAX);
	look_end(c);
}

static void look(struct rdk_consumer *c, int64_t now_ms)
{
	const char *group = c->group;

	weir__rdk_call_begin(&c->look, c->cluster, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, ANSWER_MS_MAX);
	rd_kafka_DescribeConsumerGroups(c->look.rk, &group, 1, c->look.options, c->look.queue);
	c->looking = true;
	c->look_until_ms = now_ms + ANSWER_MS_MAX;
	c->members_due = false;
}

void weir__rdk_owners_serve(struct rdk_consumer *c)
{
	int64_t now_ms = weir__rdk_now_ms();

	if (!c->looking) {
		if (c->subscription &&
		    ((c->members_due && now_ms >= c->members_at_ms) || weir__owners_due(&c->owners, now_ms)))
			look(c, now_ms);
		return;
	}
	c->look.event = rd_kafka_queue_poll(c->look.queue, 0);
	if (!c->look.event && now_ms < c->look_until_ms)
		return;
	answered(c, c->look.event);
	look_end(c);
}
