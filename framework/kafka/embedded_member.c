#include "framework/kafka/embedded_client.h"

#include <stdlib.h>

#include "framework/base/alloc.h"

/* Runs on_group without the lock. Partitions that are taken away and that it has not let go of are dropped. */
static void tell(struct embedded_consumer *c, weir_group_event event, const struct places *list)
{
	if (list->count == 0 && event != WEIR_GROUP_ASSIGNED)
		return;
	weir_partition *partitions = weir__calloc(list->count + 1, sizeof *partitions);

	for (size_t i = 0; i < list->count; i++)
		partitions[i] = (weir_partition){ .topic = list->items[i].topic,
						  .partition = list->items[i].partition,
						  .offset = WEIR_OFFSET_NONE };
	c->in_callback = c->member->busy = true;
	pthread_mutex_unlock(&c->cluster->lock);
	if (c->opts.on_group)
		c->opts.on_group(&c->base, event, partitions, list->count, c->opts.user);
	free(partitions);
	pthread_mutex_lock(&c->cluster->lock);
	c->in_callback = c->member->busy = false;
	c->member->seen_ms = weir__embedded_now(c->cluster);
	if (event != WEIR_GROUP_ASSIGNED)
		weir__consumer_drop(c, list);
	c->members_due = c->opts.on_member != NULL;
}

/* The membership is gone: what was held is somebody else's. */
static bool lose(struct embedded_consumer *c, weir_error *err)
{
	struct member *m = c->member;
	bool fenced = m->fenced;

	tell(c, WEIR_GROUP_LOST, &m->owned);
	c->member = NULL;
	weir__member_free(m);
	if (!fenced)
		return true;
	c->broken = true;
	weir_fail(&c->cause, WEIR_FENCED, "group %s: another consumer has taken the place of group.instance.id %s",
		  c->opts.group, c->instance);
	c->cause.fatal = true;
	if (err)
		*err = c->cause;
	return false;
}

void weir__consumer_give_up(struct embedded_consumer *c)
{
	c->broken = true;
	weir_fail(&c->cause, WEIR_KAFKA, "the client has given up (injected)");
	c->cause.fatal = true;
}

/* So that others get what it has given up: unless it does not live to say so. */
static void join_again(struct embedded_consumer *c, struct member *m)
{
	pthread_mutex_unlock(&c->cluster->lock);
	bool gone = weir__embedded_fault(c->cluster, EMBEDDED_AT_GIVEN_UP, c->client_id) == EMBEDDED_FATAL;

	pthread_mutex_lock(&c->cluster->lock);
	if (gone) {
		weir__consumer_give_up(c);
	} else if (!m->evicted && !m->fenced) {
		m->joined = true;
		weir__group_rebalance(c->cluster, m->group);
	}
}

/* Gives up what the generation takes away, takes what it gives. */
static void act_on_generation(struct embedded_consumer *c, struct member *m)
{
	struct places revoked = { 0 }, added = { 0 };
	bool gave_up = false;

	m->out_of_date = false;
	weir__owners_assigned(&c->owners, weir__embedded_now(c->cluster));
	weir__places_minus(&revoked, &m->owned, &m->assigned);
	weir__places_minus(&added, &m->assigned, &m->owned);
	if (revoked.count) {
		struct places kept = { 0 };

		tell(c, WEIR_GROUP_REVOKED, &revoked);
		weir__places_minus(&kept, &m->owned, &revoked);
		weir__places_release(&m->owned);
		m->owned = kept;
		gave_up = true;
	}
	if ((added.count || !revoked.count) && !m->evicted && !m->fenced) {
		for (size_t i = 0; i < added.count; i++)
			weir__places_add(&m->owned, added.items[i].topic, added.items[i].partition);
		tell(c, WEIR_GROUP_ASSIGNED, &added);
	}
	weir__places_release(&revoked);
	weir__places_release(&added);
	if (gave_up && !m->evicted && !m->fenced)
		join_again(c, m);
}

/* Topics of the subscription that are not there: reported once. */
static void report_missing(struct embedded_consumer *c)
{
	for (size_t i = 0; i < c->topic_count; i++) {
		weir_partition p = { .topic = c->topics[i], .partition = -1, .offset = WEIR_OFFSET_NONE };
		weir_error error;

		if (c->topic_missing[i] || weir__topic_use(c->cluster, c->topics[i], &error))
			continue;
		c->topic_missing[i] = true;
		pthread_mutex_unlock(&c->cluster->lock);
		if (c->opts.on_partition_error)
			c->opts.on_partition_error(&c->base, &p, &error, c->opts.user);
		pthread_mutex_lock(&c->cluster->lock);
	}
}

static void resubscribe(struct embedded_consumer *c, struct member *m)
{
	free(m->topics);
	m->topics = weir__memdup(c->topics, c->topic_count * sizeof *c->topics);
	m->topic_count = c->topic_count;
	m->joined = true;
	weir__group_rebalance(c->cluster, m->group);
}

/* Whether a partition that this member wants is nobody's, and it is time to do something about that. */
static bool must_ask(struct embedded_consumer *c, const struct group *g)
{
	int64_t now_ms = weir__embedded_now(c->cluster);
	struct owner_look look = { 0 };

	if (!weir__owners_due(&c->owners, now_ms))
		return false;
	if (g->state != GROUP_STABLE) {
		weir__owners_unknown(&c->owners, now_ms);
		return false;
	}
	for (size_t i = 0; i < c->topic_count; i++) {
		const struct topic *t = weir__topic_find(c->cluster, c->topics[i]);

		weir__look_topic(&look, c->topics[i], t ? t->partitions : 0);
	}
	for (size_t i = 0; i < g->count; i++)
		for (size_t k = 0; k < g->members[i]->assigned.count; k++)
			weir__look_owned(&look, g->members[i]->assigned.items[k].topic,
					 g->members[i]->assigned.items[k].partition);
	return weir__look_end(&look, &c->owners, now_ms);
}

bool weir__consumer_serve_group(struct embedded_consumer *c, bool *served, weir_error *err)
{
	struct embedded *e = c->cluster;

	if (!c->topics)
		return true;
	report_missing(c);
	if (c->members_due) {
		c->members_due = false;
		weir__group_tell(e, c->group, c->opts.on_member, c->opts.user);
	}
	for (;;) {
		struct member *m = c->member;

		if (m && (m->evicted || m->fenced)) {
			*served = true;
			if (!lose(c, err))
				return false;
			continue;
		}
		if (!m) {
			c->subscription_changed = false;
			m = c->member = weir__group_join(e, c->group, c);
		}
		m->seen_ms = weir__embedded_now(e);
		if (m->out_of_date) {
			act_on_generation(c, m);
			*served = true;
			if (!c->broken)
				continue;
			if (err)
				*err = c->cause;
			return false;
		}
		if (c->subscription_changed || must_ask(c, m->group)) {
			c->subscription_changed = false;
			resubscribe(c, m);
			continue;
		}
		if (m->group->state == GROUP_JOINING && !m->joined) {
			weir__member_rejoin(e, m);
			continue;
		}
		return true;
	}
}

void weir__consumer_leave(struct embedded_consumer *c)
{
	struct member *m = c->member;

	if (!m)
		return;
	if (!m->evicted && !m->fenced)
		tell(c, WEIR_GROUP_REVOKED, &m->owned);
	if (m->evicted || m->fenced) {
		lose(c, NULL);
		return;
	}
	c->member = NULL;
	m->consumer = NULL;
	if (!m->instance || c->leaves)
		weir__member_leave(c->cluster, m);
}
