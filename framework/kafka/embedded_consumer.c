#include "framework/kafka/embedded_client.h"

#include <stdlib.h>

#include "framework/base/alloc.h"
#include "framework/base/hash.h"

#define QUEUE_BYTES_MAX (INT64_C(64) << 20)

static struct embedded_consumer *consumer_of(weir_consumer *consumer)
{
	return (struct embedded_consumer *)consumer;
}

void weir__consumer_wake(struct embedded_consumer *c)
{
	if (c->waiting)
		pthread_cond_signal(&c->wake);
}

struct part *weir__consumer_part(struct embedded_consumer *c, const char *topic, int32_t partition)
{
	for (size_t i = 0; i < c->part_count; i++)
		if (c->parts[i]->partition == partition && !strcmp(c->parts[i]->name, topic))
			return c->parts[i];
	return NULL;
}

/* --- assignment ----------------------------------------------------------------------------------------------- */

static void forget_place(struct part *p)
{
	weir__segment_unref(p->segment);
	p->segment = NULL;
	p->version++;
}

static void add(struct embedded_consumer *c, const weir_partition *from)
{
	struct part *p = weir__calloc(1, sizeof *p);
	struct topic *t = weir__topic_use(c->cluster, from->topic, NULL);

	*p = (struct part){ .consumer = c,
			    .name = weir__strdup(from->topic),
			    .partition = from->partition,
			    .user = from->user,
			    .position = from->offset,
			    .known_end = -1 };
	if (t && from->partition < t->partitions) {
		p->topic = weir__topic_ref(t);
		p->journal = t->journals[from->partition];
		p->next_reader = p->journal->readers;
		p->journal->readers = p;
	}
	WEIR__GROW(c->parts, c->part_count, c->part_room);
	c->parts[c->part_count++] = p;
	c->parts_version++;
}

static void drop_at(struct embedded_consumer *c, size_t i)
{
	struct part *p = c->parts[i];

	memmove(c->parts + i, c->parts + i + 1, (--c->part_count - i) * sizeof(struct part *));
	c->parts_version++;
	if (p->journal) {
		struct part **link = &p->journal->readers;

		while (*link != p)
			link = &(*link)->next_reader;
		*link = p->next_reader;
	}
	forget_place(p);
	p->next_reader = c->retired; /* a run of it may be under way: freed by the next poll */
	c->retired = p;
}

void weir__consumer_bury(struct embedded_consumer *c)
{
	while (c->retired) {
		struct part *p = c->retired;

		c->retired = p->next_reader;
		weir__topic_unref(p->topic);
		free(p->name);
		free(p);
	}
}

void weir__consumer_drop(struct embedded_consumer *c, const struct places *list)
{
	for (size_t i = c->part_count; i-- > 0;)
		for (size_t k = 0; k < list->count; k++)
			if (c->parts[i]->partition == list->items[k].partition &&
			    !strcmp(c->parts[i]->name, list->items[k].topic)) {
				drop_at(c, i);
				break;
			}
}

static bool list_check(struct embedded_consumer *c, const weir_partition *list, size_t n, bool assigned,
		       const char *what, weir_error *err)
{
	for (size_t i = 0; i < n; i++) {
		if (!!weir__consumer_part(c, list[i].topic, list[i].partition) != assigned)
			return weir_fail(err, WEIR_USAGE, "%s %s/%d: it is %s", what, list[i].topic,
					 list[i].partition, assigned ? "not assigned" : "assigned already");
	}
	return true;
}

static bool place_check(const struct embedded_consumer *c, const char *what, weir_error *err)
{
	if (!c->opts.group || c->in_callback)
		return true;
	return weir_fail(err, WEIR_USAGE, "%s: a member of a group (%s) may do so inside on_group only", what,
			 c->opts.group);
}

static bool offsets_check(const weir_partition *list, size_t n, const char *what, weir_error *err)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].partition < 0 || (list[i].offset < 0 && list[i].offset != WEIR_OFFSET_BEGINNING &&
					      list[i].offset != WEIR_OFFSET_END))
			return weir_fail(err, WEIR_USAGE, "%s %s/%d: offset %lld", what, list[i].topic,
					 list[i].partition, (long long)list[i].offset);
	return true;
}

static bool assign(weir_consumer *consumer, const weir_partition *list, size_t n, weir_error *err)
{
	struct embedded_consumer *c = consumer_of(consumer);

	if (!place_check(c, "assign", err) || !offsets_check(list, n, "assign", err) ||
	    !list_check(c, list, n, false, "assign", err))
		return false;
	weir__embedded_enter(c->cluster);
	for (size_t i = 0; i < n; i++)
		add(c, &list[i]);
	weir__embedded_leave(c->cluster);
	return true;
}

static bool unassign(weir_consumer *consumer, const weir_partition *list, size_t n, weir_error *err)
{
	struct embedded_consumer *c = consumer_of(consumer);

	if (!place_check(c, "unassign", err) || !list_check(c, list, n, true, "unassign", err))
		return false;
	weir__embedded_enter(c->cluster);
	for (size_t i = 0; i < n; i++)
		for (size_t k = c->part_count; k-- > 0;)
			if (c->parts[k]->partition == list[i].partition &&
			    !strcmp(c->parts[k]->name, list[i].topic)) {
				drop_at(c, k);
				break;
			}
	weir__embedded_leave(c->cluster);
	return true;
}

/* --- positions ------------------------------------------------------------------------------------------------ */

static bool seek(weir_consumer *consumer, const weir_partition *list, size_t n, weir_error *err)
{
	struct embedded_consumer *c = consumer_of(consumer);

	if (!offsets_check(list, n, "seek", err) || !list_check(c, list, n, true, "seek", err))
		return false;
	weir__embedded_enter(c->cluster);
	for (size_t i = 0; i < n; i++) {
		struct part *p = weir__consumer_part(c, list[i].topic, list[i].partition);

		forget_place(p);
		p->position = list[i].offset;
		p->stopped = false;
	}
	weir__embedded_leave(c->cluster);
	return true;
}

static bool set_paused(weir_consumer *consumer, const weir_partition *list, size_t n, bool paused, weir_error *err)
{
	struct embedded_consumer *c = consumer_of(consumer);

	if (!list_check(c, list, n, true, paused ? "pause" : "resume", err))
		return false;
	for (size_t i = 0; i < n; i++) { /* read by others only while this one waits in a poll: no lock */
		struct part *p = weir__consumer_part(c, list[i].topic, list[i].partition);

		p->paused = paused;
		p->version++;
	}
	return true;
}

static bool pause_parts(weir_consumer *consumer, const weir_partition *list, size_t n, weir_error *err)
{
	return set_paused(consumer, list, n, true, err);
}

static bool resume_parts(weir_consumer *consumer, const weir_partition *list, size_t n, weir_error *err)
{
	return set_paused(consumer, list, n, false, err);
}

static int64_t position(weir_consumer *consumer, const char *topic, int32_t partition)
{
	const struct part *p = weir__consumer_part(consumer_of(consumer), topic, partition);

	return p && p->position >= 0 ? p->position : WEIR_OFFSET_NONE;
}

static int64_t lag(weir_consumer *consumer, const char *topic, int32_t partition)
{
	const struct part *p = weir__consumer_part(consumer_of(consumer), topic, partition);

	if (!p || p->known_end < 0 || p->position < 0)
		return -1;
	return p->known_end > p->position ? p->known_end - p->position : 0;
}

/* --- group and life cycle ------------------------------------------------------------------------------------- */

static bool subscribe(weir_consumer *consumer, const char *const *topics, size_t n, weir_error *err)
{
	struct embedded_consumer *c = consumer_of(consumer);

	if (!c->opts.group)
		return weir_fail(err, WEIR_USAGE, "subscribe: the consumer has no group");
	if (n == 0)
		return weir_fail(err, WEIR_USAGE, "subscribe: group %s: no topics", c->opts.group);
	weir__embedded_enter(c->cluster);
	c->topics = weir__realloc(c->topics, n * sizeof *c->topics);
	for (size_t i = 0; i < n; i++)
		c->topics[i] = weir__embedded_intern(c->cluster, topics[i]);
	free(c->topic_missing);
	c->topic_missing = weir__calloc(n, sizeof *c->topic_missing);
	c->topic_count = n;
	c->subscription_changed = true;
	weir__embedded_leave(c->cluster);
	return true;
}

static bool rejoin(weir_consumer *consumer, weir_error *err)
{
	struct embedded_consumer *c = consumer_of(consumer);

	if (!c->topics)
		return weir_fail(err, WEIR_USAGE, "rejoin: the consumer has no subscription");
	weir__embedded_enter(c->cluster);
	c->subscription_changed = true;
	weir__embedded_leave(c->cluster);
	return true;
}

static bool lost(weir_consumer *consumer)
{
	struct embedded_consumer *c = consumer_of(consumer);

	weir__embedded_enter(c->cluster);
	bool gone = c->broken || (c->member && (c->member->evicted || c->member->fenced));

	weir__embedded_leave(c->cluster);
	return gone;
}

void weir__consumer_free(struct embedded_consumer *c)
{
	weir__embedded_enter(c->cluster);
	while (c->part_count)
		drop_at(c, c->part_count - 1);
	weir__consumer_bury(c);
	weir__embedded_leave(c->cluster);
	pthread_cond_destroy(&c->wake);
	free(c->parts);
	free(c->topics);
	free(c->topic_missing);
	free(c->aborted);
	free(c->headers);
	free(c->client_id);
	free(c->instance);
	free((char *)c->opts.group);
	free(c);
}

static void consumer_close(weir_consumer *consumer)
{
	struct embedded_consumer *c = consumer_of(consumer);

	if (weir__embedded_fault(c->cluster, EMBEDDED_AT_CLOSE, c->client_id) == EMBEDDED_FATAL) {
		weir__embedded_crash_consumer(consumer);
		return;
	}
	weir__embedded_enter(c->cluster);
	weir__consumer_leave(c);
	weir__embedded_leave(c->cluster);
	weir__consumer_free(c);
}

static void consumer_leave(weir_consumer *consumer)
{
	consumer_of(consumer)->leaves = true;
}

static const struct consumer_ops ops = {
	.close = consumer_close,
	.leave = consumer_leave,
	.subscribe = subscribe,
	.rejoin = rejoin,
	.assign = assign,
	.unassign = unassign,
	.seek = seek,
	.pause = pause_parts,
	.resume = resume_parts,
	.poll = weir__embedded_poll,
	.position = position,
	.lost = lost,
	.lag = lag,
	.headers = weir__embedded_headers,
};

weir_consumer *weir__embedded_consumer_open(weir_cluster *cluster, const weir_consumer_opts *opts, weir_error *err)
{
	struct embedded_consumer *c = weir__calloc(1, sizeof *c);

	(void)err;
	c->base.ops = &ops;
	c->cluster = weir__embedded(cluster);
	c->opts = *opts;
	c->opts.group = weir__strdup(opts->group);
	c->instance = weir__strdup(opts->group_instance_id);
	c->client_id = weir__strdup(opts->client_id ? opts->client_id : "weir");
	if (c->opts.session_timeout_ms == 0)
		c->opts.session_timeout_ms = c->cluster->opts.session_timeout_ms;
	if (c->opts.max_poll_interval_ms == 0)
		c->opts.max_poll_interval_ms = WEIR_MINUTES(5);
	if (c->opts.queue_bytes_max == 0)
		c->opts.queue_bytes_max = QUEUE_BYTES_MAX;
	weir__cond_init(&c->wake);
	if (opts->group && c->instance)
		weir__owners_watch(&c->owners, c->opts.group, weir__hash(weir_str(c->instance)),
				   c->opts.session_timeout_ms);
	if (opts->group) {
		weir__embedded_enter(c->cluster);
		c->group = weir__group_find(c->cluster, opts->group, true);
		weir__embedded_leave(c->cluster);
	}
	return &c->base;
}
