#include "framework/kafka/embedded_client.h"

#include <stdio.h>
#include <stdlib.h>

#include "framework/base/alloc.h"

void weir__member_free(struct member *m)
{
	if (!m)
		return;
	weir__places_release(&m->assigned);
	weir__places_release(&m->owned);
	free(m->topics);
	free(m->id);
	free(m->instance);
	free(m->client_id);
	free(m);
}

static void wake_members(struct group *g)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->members[i]->consumer)
			weir__consumer_wake(g->members[i]->consumer);
}

static void finish_round(struct embedded *e, struct group *g)
{
	g->generation++;
	g->state = GROUP_STABLE;
	weir__group_assign(e, g);
	for (size_t i = 0; i < g->count; i++) {
		struct member *m = g->members[i];

		m->generation = g->generation;
		m->joined = false;
		m->out_of_date = true;
	}
	wake_members(g);
}

static void finish_if_all_joined(struct embedded *e, struct group *g)
{
	if (g->state != GROUP_JOINING)
		return;
	for (size_t i = 0; i < g->count; i++)
		if (!g->members[i]->joined)
			return;
	finish_round(e, g);
}

void weir__group_rebalance(struct embedded *e, struct group *g)
{
	if (g->count == 0) {
		if (g->state != GROUP_EMPTY)
			g->generation++;
		g->state = GROUP_EMPTY;
		return;
	}
	g->state = GROUP_JOINING;
	wake_members(g);
	finish_if_all_joined(e, g);
}

void weir__member_rejoin(struct embedded *e, struct member *m)
{
	m->joined = true;
	finish_if_all_joined(e, m->group);
}

/* Out of the list; the round that waits for it goes on, or one begins. */
static void detach(struct embedded *e, struct member *m)
{
	struct group *g = m->group;
	size_t i = 0;

	while (g->members[i] != m)
		i++;
	g->count--;
	memmove(g->members + i, g->members + i + 1, (g->count - i) * sizeof *g->members);
	weir__group_rebalance(e, g);
}

void weir__member_leave(struct embedded *e, struct member *m)
{
	if (!m->evicted && !m->fenced)
		detach(e, m);
	weir__member_free(m);
}

void weir__member_evict(struct embedded *e, struct member *m)
{
	m->evicted = true;
	if (m->consumer)
		weir__consumer_wake(m->consumer);
	detach(e, m);
	if (!m->consumer) /* else the consumer frees it */
		weir__member_free(m);
}

void weir__group_sweep(struct embedded *e, struct group *g, int64_t now_ms)
{
	for (size_t i = g->count; i-- > 0;) {
		struct member *m = g->members[i];

		if (weir_time_sub(now_ms, m->seen_ms) >= (m->busy ? m->busy_ms_max : m->session_ms))
			weir__member_evict(e, m);
	}
}

static struct member *member_new(struct embedded *e, struct group *g, struct embedded_consumer *c)
{
	struct member *m = weir__calloc(1, sizeof *m);

	m->group = g;
	m->consumer = c;
	m->id = weir__asprintf("%s-%llu", c->client_id, (unsigned long long)++g->serial);
	m->instance = weir__strdup(c->instance);
	m->client_id = weir__strdup(c->client_id);
	m->topics = weir__memdup(c->topics, c->topic_count * sizeof *c->topics);
	m->topic_count = c->topic_count;
	m->generation = -1;
	m->seen_ms = weir__embedded_now(e);
	m->session_ms = c->opts.session_timeout_ms;
	m->busy_ms_max = c->opts.max_poll_interval_ms;
	return m;
}

/*
 * The same static id comes (back): it gets what its predecessor had, and who does not know of it notices nothing.
 * As in Kafka that is so, too, when the predecessor had given something up and not said so yet, or when the new one
 * wants other topics: nobody has those until the next round, which owners.h sees to.
 */
static void take_over(struct embedded *e, struct member *m, struct member **place)
{
	struct member *old = *place;
	struct group *g = m->group;
	bool quiet = g->state == GROUP_STABLE;

	*place = m;
	if (quiet) {
		m->generation = g->generation;
		m->out_of_date = true;
		weir__places_copy(&m->assigned, &old->assigned);
	}
	old->fenced = true;
	if (old->consumer)
		weir__consumer_wake(old->consumer);
	else
		weir__member_free(old);
	if (!quiet) {
		m->joined = true;
		weir__group_rebalance(e, g);
	}
}

struct member *weir__group_join(struct embedded *e, struct group *g, struct embedded_consumer *c)
{
	struct member *m = member_new(e, g, c);

	for (size_t i = 0; m->instance && i < g->count; i++)
		if (g->members[i]->instance && !strcmp(g->members[i]->instance, m->instance)) {
			take_over(e, m, &g->members[i]);
			return m;
		}
	WEIR__GROW(g->members, g->count, g->room);
	g->members[g->count++] = m;
	m->joined = true;
	weir__group_rebalance(e, g);
	return m;
}

bool weir__member_may_commit(const struct member *m, weir_error *err)
{
	const char *why = NULL;

	if (!m)
		why = "the consumer is not a member of a group";
	else if (m->fenced)
		why = "another consumer with this group.instance.id has taken its place";
	else if (m->evicted)
		why = "the member has been put out of the group (session timed out)";
	else if (m->generation != m->group->generation)
		why = "the generation of the group is another by now";
	if (!why)
		return true;
	weir_fail(err, WEIR_FENCED, "%s", why);
	if (err)
		err->abort_txn = true;
	return false;
}

void weir__groups_topic_changed(struct embedded *e, const char *topic)
{
	for (size_t i = 0; i < e->group_count; i++) {
		struct group *g = e->groups[i];
		bool wanted = false;

		for (size_t k = 0; k < g->count; k++)
			for (size_t t = 0; t < g->members[k]->topic_count; t++)
				wanted |= g->members[k]->topics[t] == topic;
		if (wanted)
			weir__group_rebalance(e, g);
	}
}
