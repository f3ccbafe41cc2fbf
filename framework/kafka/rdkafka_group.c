/*
 * Which partitions a consumer reads, and from where.
 *
 * librdkafka remembers on its own where to go on after it has stopped fetching (it does so around every
 * rebalance, and at a pause), and in 2.0.2 that memory can be wrong after a seek: a transaction marker fetched
 * before the seek still moves it. Our own position is the truth, so after each of these the partitions are sought
 * to it. That costs nothing (what was fetched ahead is dropped anyway) and wakes the fetchers, which otherwise
 * sleep up to a second.
 */
#include "framework/kafka/rdkafka_consumer.h"

#include "framework/base/alloc.h"
#include <weir/log.h>

#include <stdlib.h>
#include <unistd.h>

enum {
	SEEK_TIMEOUT_MS = 5000,
	SEEK_PAUSE_US = 2000,
	READY_MS_MAX = 500,
};

/* 2.0.2 takes the milliseconds for microseconds */
#define SEEK_TIMEOUT (rd_kafka_version() < 0x02010000 ? SEEK_TIMEOUT_MS * 1000 : SEEK_TIMEOUT_MS)

static bool not_held(const weir_partition *p, weir_error *err)
{
	return weir_fail(err, WEIR_USAGE, "%s/%d is not assigned", p->topic, (int)p->partition);
}

static bool all_held(const struct rdk_consumer *c, const weir_partition *list, size_t n, weir_error *err)
{
	for (size_t i = 0; i < n; i++)
		if (!weir__held_named(&c->held, list[i].topic, list[i].partition))
			return not_held(&list[i], err);
	return true;
}

/* Assigned in the event that is being served: librdkafka does not know of it yet. */
static rd_kafka_topic_partition_t *just_added(const struct rdk_consumer *c, const struct held *h)
{
	return c->in_event ? rd_kafka_topic_partition_list_find(c->added, h->topic, h->partition) : NULL;
}

static rd_kafka_topic_partition_t *append(rd_kafka_topic_partition_list_t *list, const struct held *h)
{
	rd_kafka_topic_partition_t *p = rd_kafka_topic_partition_list_add(list, h->topic, h->partition);

	p->offset = h->position;
	return p;
}

/* Without waiting: the order of the requests is kept, and what comes before one is dropped at once. */
static void seek_all(struct rdk_consumer *c, const rd_kafka_topic_partition_list_t *except)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)c->held.count);

	for (size_t i = 0; i < c->held.count; i++) {
		const struct held *h = c->held.items[i];

		if (!h->stopped && !rd_kafka_topic_partition_list_find((rd_kafka_topic_partition_list_t *)except,
								       h->topic, h->partition))
			append(list, h);
	}
	rd_kafka_error_t *error = list->cnt ? rd_kafka_seek_partitions(c->rk, list, 0) : NULL;

	if (error)
		rd_kafka_error_destroy(error);
	rd_kafka_topic_partition_list_destroy(list);
}

/* librdkafka keeps a partition paused over unassigning it; the next to assign it expects it to be read. */
static void let_go(struct rdk_consumer *c, const struct held *h, rd_kafka_topic_partition_list_t *removed)
{
	append(removed, h);
	if (!h->paused)
		return;
	rd_kafka_topic_partition_list_t *one = rd_kafka_topic_partition_list_new(1);

	append(one, h);
	rd_kafka_resume_partitions(c->rk, one);
	rd_kafka_topic_partition_list_destroy(one);
}

/* --- librdkafka's assignment -------------------------------------------------------------------------------- */

static void forward(struct rdk_consumer *c, const char *topic, int32_t partition)
{
	rd_kafka_queue_t *queue = rd_kafka_queue_get_partition(c->rk, topic, partition);

	rd_kafka_queue_forward(queue, c->filling);
	rd_kafka_queue_destroy(queue);
}

void weir__rdk_swap_queues(struct rdk_consumer *c)
{
	c->filling = c->filling == c->records[0] ? c->records[1] : c->records[0];
	for (size_t i = 0; i < c->held.count; i++)
		if (!c->held.items[i]->stopped)
			forward(c, c->held.items[i]->topic, c->held.items[i]->partition);
}

static rd_kafka_error_t *add(struct rdk_consumer *c, rd_kafka_topic_partition_list_t *list)
{
	for (int i = 0; i < list->cnt; i++)
		forward(c, list->elems[i].topic, list->elems[i].partition);
	return rd_kafka_incremental_assign(c->rk, list);
}

/*
 * Stopping a partition also ends the forwarding of its queue, some time after the call. A forwarding set
 * meanwhile would be undone, so this waits: requests to a partition are done in order, and a seek, though it
 * fails, is answered.
 */
static rd_kafka_error_t *take_away(struct rdk_consumer *c, rd_kafka_topic_partition_list_t *list)
{
	rd_kafka_error_t *error = rd_kafka_incremental_unassign(c->rk, list);

	if (!error && list->cnt)
		error = rd_kafka_seek_partitions(c->rk, list, SEEK_TIMEOUT);
	return error;
}

/* --- group events ------------------------------------------------------------------------------------------- */

static void call_application(struct rdk_consumer *c, weir_group_event event,
			     const rd_kafka_topic_partition_list_t *list)
{
	if (!c->on_group)
		return;
	size_t n = (size_t)list->cnt;
	weir_partition *partitions = weir__calloc(n ? n : 1, sizeof *partitions);

	for (size_t i = 0; i < n; i++) {
		const struct held *h = weir__held_named(&c->held, list->elems[i].topic, list->elems[i].partition);

		partitions[i] = (weir_partition){
			.topic = list->elems[i].topic,
			.partition = list->elems[i].partition,
			.offset = h && h->position >= 0 ? h->position : WEIR_OFFSET_NONE,
			.user = h ? h->user : NULL,
		};
	}
	c->on_group(&c->base, event, partitions, n, c->user);
	free(partitions);
}

static void unassign_left_over(struct rdk_consumer *c, const rd_kafka_topic_partition_list_t *list)
{
	for (int i = 0; i < list->cnt; i++) {
		struct held *h = weir__held_named(&c->held, list->elems[i].topic, list->elems[i].partition);

		if (h) {
			let_go(c, h, c->removed);
			weir__held_remove(&c->held, h);
		}
	}
}

static void settle(rd_kafka_error_t *error, const char *what)
{
	if (!error)
		return;
	weir_log(WEIR_LOG_ERROR, "kafka", "%s: %s", what, rd_kafka_error_string(error));
	rd_kafka_error_destroy(error);
}

static void pause_added(struct rdk_consumer *c)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

	for (int i = 0; i < c->added->cnt; i++) {
		const struct held *h =
			weir__held_named(&c->held, c->added->elems[i].topic, c->added->elems[i].partition);

		if (h && h->paused)
			append(list, h);
	}
	if (list->cnt)
		rd_kafka_pause_partitions(c->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
}

/* With the rest, when the event is answered. */
static void start_in_event(struct rdk_consumer *c, struct held *h)
{
	h->stopped = h->restarts = false;
	append(c->removed, h);
	append(c->added, h);
}

static void start_those_due(struct rdk_consumer *c)
{
	for (size_t i = 0; i < c->held.count; i++)
		if (c->held.items[i]->restarts)
			start_in_event(c, c->held.items[i]);
}

void weir__rdk_on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list,
			    void *opaque)
{
	struct rdk_consumer *c = opaque;
	bool assigned = code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;

	if (!assigned && code != RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS)
		weir_log(WEIR_LOG_ERROR, "kafka", "group=%s rebalance failed: %s", c->group,
			 rd_kafka_err2str(code));
	c->in_event = true;
	c->had_share |= assigned;
	c->between = !assigned;
	if (assigned) {
		c->rejoin_ms = 0;
		c->asked_rounds -= c->asked_rounds > 0;
		weir__owners_assigned(&c->owners, weir__rdk_now_ms());
	}
	c->added = rd_kafka_topic_partition_list_new(list->cnt);
	c->removed = rd_kafka_topic_partition_list_new(list->cnt);
	call_application(c,
			 assigned                       ? WEIR_GROUP_ASSIGNED
			 : rd_kafka_assignment_lost(rk) ? WEIR_GROUP_LOST
							: WEIR_GROUP_REVOKED,
			 list);
	if (!assigned)
		unassign_left_over(c, list);
	if (assigned)
		start_those_due(c);
	c->in_event = false;

	/* librdkafka waits for the call that answers the event, be the list empty */
	if (!assigned || c->removed->cnt)
		settle(c->added->cnt ? take_away(c, c->removed) : rd_kafka_incremental_unassign(rk, c->removed),
		       "unassign");
	if (assigned || c->added->cnt)
		settle(add(c, c->added), "assign");
	pause_added(c);
	seek_all(c, c->added);
	rd_kafka_topic_partition_list_destroy(c->added);
	rd_kafka_topic_partition_list_destroy(c->removed);
	c->added = c->removed = NULL;
	weir__rdk_members_changed(c);
}

bool weir__rdk_subscribe(weir_consumer *consumer, const char *const *topics, size_t n, weir_error *err)
{
	struct rdk_consumer *c = (struct rdk_consumer *)consumer;

	if (!c->group)
		return weir_fail(err, WEIR_USAGE, "subscribe: the consumer has no group");
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)n);

	for (size_t i = 0; i < n; i++)
		rd_kafka_topic_partition_list_add(list, topics[i], RD_KAFKA_PARTITION_UA);
	rd_kafka_resp_err_t code = rd_kafka_subscribe(c->rk, list);

	if (code) {
		rd_kafka_topic_partition_list_destroy(list);
	} else {
		if (c->subscription)
			rd_kafka_topic_partition_list_destroy(c->subscription);
		c->subscription = list;
	}
	return !code || weir__rdk_fail(err, code, "subscribe, group %s", c->group);
}

/* --- places to begin ---------------------------------------------------------------------------------------- */

/*
 * In librdkafka's terms. The end is looked up now: librdkafka would do it when it has found the leader, and leave
 * out what came until then.
 */
static bool place_of(struct rdk_consumer *c, const weir_partition *p, int64_t *place, weir_error *err)
{
	int64_t first;

	if (p->partition < 0 || p->offset == WEIR_OFFSET_NONE || p->offset < WEIR_OFFSET_END)
		return weir_fail(err, WEIR_USAGE, "%s/%d: %lld is no place to begin", p->topic, (int)p->partition,
				 (long long)p->offset);
	if (p->offset == WEIR_OFFSET_END)
		return weir__rdk_offsets_range(&c->cluster->base, p->topic, p->partition, &first, place, err);
	*place = weir__rdk_offset(p->offset);
	return true;
}

/* --- assignment --------------------------------------------------------------------------------------------- */

static bool hold(struct rdk_consumer *c, const weir_partition *p, rd_kafka_topic_partition_list_t *added,
		 weir_error *err)
{
	int64_t place;

	if (weir__held_named(&c->held, p->topic, p->partition))
		return weir_fail(err, WEIR_USAGE, "it is assigned already");
	if (!place_of(c, p, &place, err))
		return false;
	rd_kafka_topic_t *rkt = rd_kafka_topic_new(c->rk, p->topic, NULL);

	if (!rkt)
		return weir__rdk_fail(err, rd_kafka_last_error(), "topic \"%s\"", p->topic);
	append(added, weir__held_add(&c->held, rkt, p, place));
	return true;
}

bool weir__rdk_assign(weir_consumer *consumer, const weir_partition *list, size_t n, weir_error *err)
{
	struct rdk_consumer *c = (struct rdk_consumer *)consumer;

	if (!n)
		return true;
	if (c->group && !c->in_event)
		return weir_fail(err, WEIR_USAGE, "assign: with a group only inside on_group");
	rd_kafka_topic_partition_list_t *added = c->in_event ? c->added : rd_kafka_topic_partition_list_new((int)n);
	bool done = true;

	for (size_t i = 0; done && i < n; i++)
		done = hold(c, &list[i], added, err) ||
		       weir_wrap(err, "assign %s/%d", list[i].topic, (int)list[i].partition);
	if (c->in_event)
		return done;
	/* what came before a mistake is assigned: the set of the held and librdkafka's stay the same */
	rd_kafka_error_t *error = add(c, added);

	rd_kafka_topic_partition_list_destroy(added);
	if (error && done)
		return weir__rdk_fail_with(err, error, "assign %s/%d and others", list[0].topic,
					   (int)list[0].partition);
	if (error)
		rd_kafka_error_destroy(error);
	return done;
}

bool weir__rdk_unassign(weir_consumer *consumer, const weir_partition *list, size_t n, weir_error *err)
{
	struct rdk_consumer *c = (struct rdk_consumer *)consumer;

	if (!n)
		return true;
	if (c->group && !c->in_event)
		return weir_fail(err, WEIR_USAGE, "unassign: with a group only inside on_group");
	if (!all_held(c, list, n, err))
		return false;
	rd_kafka_topic_partition_list_t *removed =
		c->in_event ? c->removed : rd_kafka_topic_partition_list_new((int)n);

	for (size_t i = 0; i < n; i++) {
		struct held *h = weir__held_named(&c->held, list[i].topic, list[i].partition);

		if (just_added(c, h))
			rd_kafka_topic_partition_list_del(c->added, h->topic, h->partition);
		else
			let_go(c, h, removed);
		weir__held_remove(&c->held, h);
	}
	if (c->in_event)
		return true;
	rd_kafka_error_t *error = take_away(c, removed);

	rd_kafka_topic_partition_list_destroy(removed);
	return !error || weir__rdk_fail_with(err, error, "unassign %zu partitions", n);
}

/* --- positions ---------------------------------------------------------------------------------------------- */

/*
 * librdkafka stops fetching a partition for good at some errors, and then does not seek it either: it must be taken
 * away and given again. Of a group's member librdkafka takes that for the answer to an event that has not been
 * served yet, so it is done inside the next one.
 */
static bool start_again(struct rdk_consumer *c, struct held *h, weir_error *err)
{
	if (c->in_event) {
		start_in_event(c, h);
		return true;
	}
	h->stopped = h->restarts = c->group != NULL;
	if (h->restarts)
		return weir__rdk_rejoin(&c->base, err);
	rd_kafka_topic_partition_list_t *one = rd_kafka_topic_partition_list_new(1);

	append(one, h);
	rd_kafka_error_t *error = take_away(c, one);
	if (!error)
		error = add(c, one);
	rd_kafka_topic_partition_list_destroy(one);
	return !error || weir__rdk_fail_with(err, error, "seek %s/%d", h->topic, (int)h->partition);
}

static bool start_all_again(struct rdk_consumer *c, rd_kafka_topic_partition_list_t *list, weir_error *err)
{
	bool done = true;

	for (int i = 0; done && i < list->cnt; i++)
		done = start_again(c, weir__held_named(&c->held, list->elems[i].topic, list->elems[i].partition),
				   err);
	return done;
}

/* Leaves in the list what is still to be sought. A partition assigned a moment ago is not ready for it at once. */
static rd_kafka_resp_err_t seek_once(struct rdk_consumer *c, rd_kafka_topic_partition_list_t *list)
{
	rd_kafka_error_t *error = rd_kafka_seek_partitions(c->rk, list, SEEK_TIMEOUT);
	rd_kafka_resp_err_t code = error ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR_NO_ERROR;

	if (error) {
		rd_kafka_error_destroy(error);
		return code;
	}
	for (int i = list->cnt; i-- > 0;)
		if (!list->elems[i].err)
			rd_kafka_topic_partition_list_del_by_idx(list, i);
		else
			code = list->elems[i].err;
	return code;
}

static bool wait_until_read(struct rdk_consumer *c, rd_kafka_topic_partition_list_t *list, weir_error *err)
{
	int64_t until = weir__rdk_now_ms() + SEEK_TIMEOUT_MS;
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

	while (list->cnt && weir__rdk_now_ms() < until && (code = seek_once(c, list)))
		usleep(SEEK_PAUSE_US);
	return !list->cnt || weir__rdk_fail(err, code, "seek %s/%d to %lld", list->elems[0].topic,
					    (int)list->elems[0].partition, (long long)list->elems[0].offset);
}

/* A partition that stays unready has stopped, by an error that nobody has been told of yet. */
static bool seek_list(struct rdk_consumer *c, rd_kafka_topic_partition_list_t *list, weir_error *err)
{
	int64_t until = weir__rdk_now_ms() + READY_MS_MAX;

	while (list->cnt) {
		rd_kafka_resp_err_t code = seek_once(c, list);

		if (!list->cnt)
			break;
		if (code != RD_KAFKA_RESP_ERR__STATE && code != RD_KAFKA_RESP_ERR__PREV_IN_PROGRESS)
			return weir__rdk_fail(err, code, "seek %s/%d to %lld", list->elems[0].topic,
					      (int)list->elems[0].partition, (long long)list->elems[0].offset);
		if (weir__rdk_now_ms() > until)
			return start_all_again(c, list, err) &&
			       (c->in_event || c->group || wait_until_read(c, list, err));
		usleep(SEEK_PAUSE_US);
	}
	return true;
}

bool weir__rdk_is_read(struct rdk_consumer *c, const struct held *h)
{
	rd_kafka_topic_partition_list_t *one = rd_kafka_topic_partition_list_new(1);

	append(one, h);
	seek_once(c, one);
	bool is_read = one->cnt == 0;

	rd_kafka_topic_partition_list_destroy(one);
	return is_read;
}

bool weir__rdk_seek(weir_consumer *consumer, const weir_partition *list, size_t n, weir_error *err)
{
	struct rdk_consumer *c = (struct rdk_consumer *)consumer;
	bool done = true;

	if (!all_held(c, list, n, err))
		return false;
	rd_kafka_topic_partition_list_t *sought = rd_kafka_topic_partition_list_new((int)n);

	for (size_t i = 0; done && i < n; i++) {
		struct held *h = weir__held_named(&c->held, list[i].topic, list[i].partition);
		rd_kafka_topic_partition_t *new = just_added(c, h);

		if (!place_of(c, &list[i], &h->position, err)) {
			done = weir_wrap(err, "seek");
			break;
		}
		if (new)
			new->offset = h->position;
		else if (h->stopped)
			done = start_again(c, h, err);
		else
			append(sought, h);
	}
	done = done && seek_list(c, sought, err);
	rd_kafka_topic_partition_list_destroy(sought);
	return done;
}

static bool pause_or_resume(struct rdk_consumer *c, const weir_partition *list, size_t n, bool pause,
			    weir_error *err)
{
	if (!all_held(c, list, n, err))
		return false;
	rd_kafka_topic_partition_list_t *changed = rd_kafka_topic_partition_list_new((int)n);

	for (size_t i = 0; i < n; i++) {
		struct held *h = weir__held_named(&c->held, list[i].topic, list[i].partition);

		if (h->paused != pause && !just_added(c, h))
			append(changed, h);
		h->paused = pause;
	}
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

	if (changed->cnt && pause) {
		code = rd_kafka_pause_partitions(c->rk, changed);
	} else if (changed->cnt) {
		code = rd_kafka_resume_partitions(c->rk, changed);
		rd_kafka_error_t *error = code ? NULL : rd_kafka_seek_partitions(c->rk, changed, 0);

		if (error)
			rd_kafka_error_destroy(error);
	}
	rd_kafka_topic_partition_list_destroy(changed);
	return !code || weir__rdk_fail(err, code, "%s %s/%d and others", pause ? "pause" : "resume", list[0].topic,
				       (int)list[0].partition);
}

bool weir__rdk_pause(weir_consumer *consumer, const weir_partition *list, size_t n, weir_error *err)
{
	return pause_or_resume((struct rdk_consumer *)consumer, list, n, true, err);
}

bool weir__rdk_resume(weir_consumer *consumer, const weir_partition *list, size_t n, weir_error *err)
{
	return pause_or_resume((struct rdk_consumer *)consumer, list, n, false, err);
}
