#include "framework/kafka/embedded_client.h"

void weir__embedded_faults(weir_cluster *cluster, embedded_fault_fn *fn, void *user, int64_t marker_delay_ms)
{
	struct embedded *e = weir__embedded(cluster);

	e->fault = fn;
	e->fault_user = user;
	e->marker_delay_ms = marker_delay_ms;
}

enum embedded_fault weir__embedded_fault(struct embedded *e, enum embedded_point point, const char *who)
{
	return e->fault ? e->fault(point, who, e->fault_user) : EMBEDDED_FINE;
}

bool weir__embedded_answers(struct embedded *e, enum embedded_point point, const char *who, weir_error *err)
{
	if (weir__embedded_fault(e, point, who) == EMBEDDED_FINE)
		return true;
	weir_fail(err, WEIR_TIMEOUT, "%s: no answer (injected)", who);
	if (err)
		err->retriable = true;
	return false;
}

void weir__embedded_compact(weir_cluster *cluster, const char *topic)
{
	struct embedded *e = weir__embedded(cluster);

	weir__embedded_enter(e);
	struct topic *t = weir__topic_find(e, topic);

	for (int32_t p = 0; t && t->config.compact && p < t->partitions; p++) {
		weir__journal_clean(e, t->journals[p]);
		t->journals[p]->roll_next = true; /* what is there now, the next time */
	}
	weir__embedded_leave(e);
}

/* The member stays, without anybody behind it, until its session times out. */
void weir__embedded_crash_consumer(weir_consumer *consumer)
{
	struct embedded_consumer *c = (struct embedded_consumer *)consumer;

	weir__embedded_enter(c->cluster);
	if (c->member) {
		c->member->consumer = NULL;
		if (c->member->evicted || c->member->fenced)
			weir__member_free(c->member);
		c->member = NULL;
	}
	weir__embedded_leave(c->cluster);
	weir__consumer_free(c);
}

/* Its transaction stays open until it times out or the id is taken over. */
void weir__embedded_crash_producer(weir_producer *producer)
{
	weir__producer_free((struct embedded_producer *)producer);
}
