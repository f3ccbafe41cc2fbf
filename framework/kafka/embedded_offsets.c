#include "framework/kafka/embedded.h"

#include <stdlib.h>

#include "framework/base/alloc.h"

static struct group_topic *topic_of(struct group *g, const char *interned)
{
	for (size_t i = 0; i < g->topic_count; i++)
		if (g->topics[i].name == interned)
			return &g->topics[i];
	return NULL;
}

struct committed *weir__group_offset(struct embedded *e, struct group *g, const char *topic, int32_t partition,
				     bool make)
{
	const char *name = weir__embedded_intern(e, topic);
	struct group_topic *t = topic_of(g, name);

	if (!t && make) {
		g->topics = weir__realloc(g->topics, (g->topic_count + 1) * sizeof *g->topics);
		t = &g->topics[g->topic_count++];
		*t = (struct group_topic){ .name = name };
	}
	if (!t || partition < 0)
		return NULL;
	if (partition >= t->count) {
		if (!make)
			return NULL;
		t->partitions = weir__realloc(t->partitions, (size_t)(partition + 1) * sizeof *t->partitions);
		while (t->count <= partition)
			t->partitions[t->count++] = (struct committed){ .offset = WEIR_OFFSET_NONE };
	}
	return &t->partitions[partition];
}

void weir__committed_set(struct committed *c, int64_t offset, const char *metadata)
{
	free(c->metadata);
	c->offset = offset;
	c->metadata = metadata && *metadata ? weir__strdup(metadata) : NULL;
}

static void committed_release(struct committed *c)
{
	free(c->metadata);
	weir__past_free(c->past);
}

static void topic_release(struct group_topic *t)
{
	for (int32_t p = 0; p < t->count; p++)
		committed_release(&t->partitions[p]);
	free(t->partitions);
}

static void forget_all(struct group *g)
{
	for (size_t i = 0; i < g->topic_count; i++)
		topic_release(&g->topics[i]);
	g->topic_count = 0;
}

void weir__groups_forget_topic(struct embedded *e, const char *topic)
{
	for (size_t i = 0; i < e->group_count; i++) {
		struct group *g = e->groups[i];
		struct group_topic *t = topic_of(g, topic);

		if (!t)
			continue;
		topic_release(t);
		*t = g->topics[--g->topic_count];
	}
}

struct group *weir__group_find(struct embedded *e, const char *name, bool make)
{
	for (size_t i = 0; i < e->group_count; i++)
		if (!strcmp(e->groups[i]->name, name))
			return e->groups[i];
	if (!make)
		return NULL;
	struct group *g = weir__calloc(1, sizeof *g);

	g->name = weir__strdup(name);
	WEIR__GROW(e->groups, e->group_count, e->group_room);
	return e->groups[e->group_count++] = g;
}

void weir__group_free(struct group *g)
{
	for (size_t i = 0; i < g->count; i++) {
		weir_assert(!g->members[i]->consumer); /* else it is still open */
		weir__member_free(g->members[i]);
	}
	forget_all(g);
	free(g->topics);
	free(g->members);
	free(g->name);
	free(g);
}

/* --- administration ------------------------------------------------------------------------------------------- */

/* The first of the list that an open transaction holds back; NULL = none. */
static const weir_partition *first_pending(struct embedded *e, struct group *g, const weir_partition *list,
					   size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct committed *c = weir__group_offset(e, g, list[i].topic, list[i].partition, false);

		if (c && c->pending)
			return &list[i];
	}
	return NULL;
}

bool weir__embedded_group_committed(weir_cluster *cluster, const char *group, weir_partition *list, size_t n,
				    int64_t timeout_ms, weir_error *err)
{
	struct embedded *e = weir__embedded(cluster);

	if (!weir__embedded_answers(e, EMBEDDED_AT_COMMITTED, group, err))
		return false;
	weir__embedded_enter(e);
	int64_t deadline_us = weir__embedded_deadline(e, timeout_ms);
	struct group *g = weir__group_find(e, group, false);
	const weir_partition *pending = NULL;

	while (g && (pending = first_pending(e, g, list, n)) && weir__embedded_wait(e, &e->settled, deadline_us))
		;
	for (size_t i = 0; i < n && !pending; i++) {
		const struct committed *c =
			g ? weir__group_offset(e, g, list[i].topic, list[i].partition, false) : NULL;

		list[i].offset = c ? c->offset : WEIR_OFFSET_NONE;
		list[i].metadata = c ? weir__strdup(c->metadata) : NULL;
	}
	if (pending) {
		weir_fail(err, WEIR_TIMEOUT,
			  "group %s: committed offset of %s/%d: an open transaction holds it back", group,
			  pending->topic, pending->partition);
		if (err)
			err->retriable = true;
	}
	weir__embedded_leave(e);
	return !pending;
}

static bool set_all(struct embedded *e, struct group *g, const weir_partition *list, size_t n, weir_error *err)
{
	for (size_t i = 0; i < n; i++) {
		if (!weir__topic_journal(e, list[i].topic, list[i].partition, err))
			return weir_wrap(err, "group %s", g->name);
		if (list[i].offset < 0)
			return weir_fail(err, WEIR_USAGE, "group %s: offset %lld for %s/%d", g->name,
					 (long long)list[i].offset, list[i].topic, list[i].partition);
	}
	for (size_t i = 0; i < n; i++) {
		struct committed *c = weir__group_offset(e, g, list[i].topic, list[i].partition, true);

		weir__committed_set(c, list[i].offset, list[i].metadata);
		weir__past_free(c->past);
		c->past = NULL;
	}
	return true;
}

bool weir__embedded_group_alter(weir_cluster *cluster, const char *group, const weir_partition *list, size_t n,
				weir_error *err)
{
	struct embedded *e = weir__embedded(cluster);

	weir__embedded_enter(e);
	struct group *g = weir__group_find(e, group, true);
	bool done = g->count ? weir_fail(err, WEIR_KAFKA, "group %s: offsets cannot be set, it has %zu members",
					 group, g->count)
			     : set_all(e, g, list, n, err);

	weir__embedded_leave(e);
	return done;
}

bool weir__embedded_group_delete(weir_cluster *cluster, const char *group, weir_error *err)
{
	struct embedded *e = weir__embedded(cluster);
	bool done = true;

	weir__embedded_enter(e);
	struct group *g = weir__group_find(e, group, false);

	if (g && g->count)
		done = weir_fail(err, WEIR_KAFKA, "group %s: cannot be deleted, it has %zu members", group,
				 g->count);
	else if (g)
		forget_all(g);
	weir__embedded_leave(e);
	return done;
}

struct described {
	char *client_id, *member_id;
	const char *topic;
	int32_t partition;
};

void weir__group_tell(struct embedded *e, const struct group *g, weir_member_fn *fn, void *user)
{
	struct described *rows = NULL;
	size_t count = 0, room = 0;
	bool rest = g->state == GROUP_STABLE; /* as Kafka: amid a round nobody has anything */

	for (size_t i = 0; i < g->count; i++) {
		const struct member *m = g->members[i];
		size_t k = 0;

		do {
			bool has = rest && k < m->assigned.count;

			WEIR__GROW(rows, count, room);
			rows[count++] = (struct described){ weir__strdup(m->client_id), weir__strdup(m->id),
							    has ? m->assigned.items[k].topic : NULL,
							    has ? m->assigned.items[k].partition : -1 };
		} while (rest && ++k < m->assigned.count);
	}
	pthread_mutex_unlock(&e->lock);
	for (size_t i = 0; i < count; i++) { /* without the lock: fn may ask the cluster */
		fn(rows[i].client_id, rows[i].member_id, rows[i].topic, rows[i].partition, user);
		free(rows[i].client_id);
		free(rows[i].member_id);
	}
	free(rows);
	pthread_mutex_lock(&e->lock);
}

bool weir__embedded_group_describe(weir_cluster *cluster, const char *group, weir_member_fn *fn, void *user,
				   int64_t timeout_ms, weir_error *err)
{
	struct embedded *e = weir__embedded(cluster);

	(void)timeout_ms;
	if (!weir__embedded_answers(e, EMBEDDED_AT_DESCRIBE, group, err))
		return false;
	weir__embedded_enter(e);
	struct group *g = weir__group_find(e, group, false);

	if (g)
		weir__group_tell(e, g, fn, user);
	weir__embedded_leave(e);
	return true;
}
