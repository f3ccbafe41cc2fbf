#include "framework/kafka/owners.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/clock.h>
#include <weir/log.h>

#include "framework/base/alloc.h"
#include "framework/base/canary.h"

enum {
	SOON_MS_MIN = 1000,
	SOON_MS_MAX = 5000,
	SELDOM_MS = 60000,
	DOUBLINGS_MAX = 6, /* of the pause, when rounds do not help */
};

void weir__owners_watch(struct owner_watch *w, const char *group, uint64_t seed, int64_t session_ms)
{
	int64_t soon_ms = session_ms / 3;

	*w = (struct owner_watch){ .group = group,
				   .rng = weir_rng_seeded(seed),
				   .soon_ms = soon_ms < SOON_MS_MIN   ? SOON_MS_MIN
					      : soon_ms > SOON_MS_MAX ? SOON_MS_MAX
								      : soon_ms,
				   .next_ms = INT64_MAX };
}

/* Not all members at the same time: the first to ask does it for all. */
static void look_in(struct owner_watch *w, int64_t now_ms, int64_t pause_ms)
{
	w->next_ms = weir_time_add(now_ms, weir_rng_between(&w->rng, pause_ms, 2 * pause_ms));
}

static int64_t pause_of(const struct owner_watch *w)
{
	return w->soon_ms << (w->asked < DOUBLINGS_MAX ? w->asked : DOUBLINGS_MAX);
}

void weir__owners_unknown(struct owner_watch *w, int64_t now_ms)
{
	w->ownerless[0] = '\0';
	look_in(w, now_ms, pause_of(w));
}

void weir__owners_assigned(struct owner_watch *w, int64_t now_ms)
{
	if (w->group)
		weir__owners_unknown(w, now_ms);
}

void weir__look_topic(struct owner_look *l, const char *topic, int32_t partitions)
{
	if (partitions <= 0)
		return;
	l->topics = weir__realloc(l->topics, (l->count + 1) * sizeof *l->topics);
	l->topics[l->count++] =
		(struct looked_at){ topic, partitions, weir__calloc((size_t)partitions, sizeof(bool)) };
}

void weir__look_owned(struct owner_look *l, const char *topic, int32_t partition)
{
	for (size_t i = 0; i < l->count; i++)
		if (partition >= 0 && partition < l->topics[i].partitions && !strcmp(l->topics[i].topic, topic))
			l->topics[i].owned[partition] = true;
}

/* "posts/1 posts/4 ..." as far as there is room. */
static void list_ownerless(const struct owner_look *l, char *to, size_t size)
{
	size_t used = 0;

	to[0] = '\0';
	for (size_t i = 0; i < l->count; i++)
		for (int32_t p = 0; p < l->topics[i].partitions; p++) {
			if (l->topics[i].owned[p] || used >= size)
				continue;
			used += (size_t)snprintf(to + used, size - used, "%s%s/%d", used ? " " : "",
						 l->topics[i].topic, (int)p);
		}
}

bool weir__look_end(struct owner_look *l, struct owner_watch *w, int64_t now_ms)
{
	char ownerless[sizeof w->ownerless];

	list_ownerless(l, ownerless, sizeof ownerless);
	for (size_t i = 0; i < l->count; i++)
		free(l->topics[i].owned);
	free(l->topics);
	*l = (struct owner_look){ 0 };
	if (!ownerless[0]) {
		w->asked = 0;
		w->ownerless[0] = '\0';
		look_in(w, now_ms, SELDOM_MS);
		return false;
	}
	bool ask = !strcmp(ownerless, w->ownerless) && !WEIR__CANARY(LEAVE_OWNERLESS);

	if (ask) {
		weir_log(WEIR_LOG_WARN, "kafka",
			 "group=%s is stable, but no member has %s: asking for another round of rebalancing",
			 w->group, ownerless);
		w->asked++;
		ownerless[0] = '\0'; /* after the round two looks again */
	}
	memcpy(w->ownerless, ownerless, sizeof ownerless);
	look_in(w, now_ms, pause_of(w));
	return ask;
}
