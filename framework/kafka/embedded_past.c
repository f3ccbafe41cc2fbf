/*
 * Committed offsets as they were before, for simulations: a group coordinator that reads only a part of its log
 * gives back positions of an earlier commit. Kept where mishaps are asked for; the log itself would have them.
 */
#include <stdlib.h>

#include "framework/base/alloc.h"
#include "framework/kafka/embedded.h"

enum { VERSIONS_MAX = 6 };

struct wrote {
	const struct journal *journal; /* to be compared only */
	int64_t first;                 /* of the transaction's records there */
};

struct version {
	int64_t offset;
	char *metadata;
	struct wrote *wrote; /* by the transaction that committed it */
	size_t wrote_count;
};

struct past {
	struct version versions[VERSIONS_MAX]; /* the newest last */
	size_t count;
	bool gone_back; /* what is committed is not the newest */
};

static void version_release(struct version *v)
{
	free(v->metadata);
	free(v->wrote);
}

void weir__past_free(struct past *past)
{
	for (size_t i = 0; past && i < past->count; i++)
		version_release(&past->versions[i]);
	free(past);
}

static int64_t begin_in(const struct journal *j, uint32_t producer)
{
	for (size_t i = 0; i < j->open_count; i++)
		if (j->open[i].producer == producer)
			return j->open[i].first;
	return j->end;
}

void weir__past_add(struct committed *c, const struct txn *t)
{
	if (c->past && c->past->gone_back) { /* what came on top of old ones is no sequel */
		weir__past_free(c->past);
		c->past = NULL;
	}
	if (!c->past)
		c->past = weir__calloc(1, sizeof *c->past);
	struct past *past = c->past;

	if (past->count == VERSIONS_MAX) {
		version_release(&past->versions[0]);
		memmove(past->versions, past->versions + 1, --past->count * sizeof *past->versions);
	}
	struct version *v = &past->versions[past->count++];

	*v = (struct version){ .offset = c->offset, .metadata = weir__strdup(c->metadata) };
	v->wrote = weir__calloc(t->journal_count + 1, sizeof *v->wrote);
	for (size_t i = 0; i < t->journal_count; i++)
		v->wrote[v->wrote_count++] =
			(struct wrote){ t->journals[i], begin_in(t->journals[i], t->producer) };
}

/* Whether all that the newest `steps` + 1 versions have written there is, and the newest `steps` have. */
static bool shows(const struct past *past, size_t steps, const struct journal *j)
{
	bool written = false;

	for (size_t i = past->count - 1 - steps; i < past->count; i++)
		for (size_t k = 0; k < past->versions[i].wrote_count; k++) {
			const struct wrote *w = &past->versions[i].wrote[k];

			if (w->journal != j)
				continue;
			if (w->first < j->start)
				return false;
			written |= i > past->count - 1 - steps;
		}
	return written;
}

static bool can_go_back(struct embedded *e, struct group *g, const weir_partition *list, size_t n, size_t steps)
{
	for (size_t i = 0; i < n; i++) {
		const struct committed *c = weir__group_offset(e, g, list[i].topic, list[i].partition, false);

		if (!c || c->pending || !c->past || c->past->gone_back || c->past->count <= steps)
			return false;
	}
	return n > 0;
}

bool weir__embedded_positions_back(weir_cluster *cluster, const char *group, const weir_partition *list, size_t n,
				   const weir_partition *changelogs, size_t changelog_count, size_t steps)
{
	struct embedded *e = weir__embedded(cluster);
	bool shown = false;

	weir__embedded_enter(e);
	struct group *g = weir__group_find(e, group, true);
	bool can = can_go_back(e, g, list, n, steps);

	for (size_t i = 0; can && i < changelog_count && !shown; i++) {
		struct committed *c = weir__group_offset(e, g, list[0].topic, list[0].partition, false);
		struct journal *j = weir__topic_journal(e, changelogs[i].topic, changelogs[i].partition, NULL);

		shown = j && shows(c->past, steps, j);
	}
	for (size_t i = 0; can && shown && i < n; i++) {
		struct committed *c = weir__group_offset(e, g, list[i].topic, list[i].partition, false);
		const struct version *v = &c->past->versions[c->past->count - 1 - steps];

		weir__committed_set(c, v->offset, v->metadata);
		c->past->gone_back = true;
	}
	weir__embedded_leave(e);
	return can && shown;
}

static void come_forward(struct committed *c)
{
	if (!c->past || !c->past->gone_back)
		return;
	const struct version *v = &c->past->versions[c->past->count - 1];

	weir__committed_set(c, v->offset, v->metadata);
	c->past->gone_back = false;
}

bool weir__embedded_positions_mend(weir_cluster *cluster, const char *group, weir_error *err)
{
	struct embedded *e = weir__embedded(cluster);
	bool empty;

	weir__embedded_enter(e);
	struct group *g = weir__group_find(e, group, true);

	empty = g->count == 0;
	if (!empty)
		weir_fail(err, WEIR_KAFKA, "group %s: offsets cannot be set, it has %zu members", group, g->count);
	for (size_t i = 0; empty && i < g->topic_count; i++)
		for (int32_t p = 0; p < g->topics[i].count; p++)
			come_forward(&g->topics[i].partitions[p]);
	weir__embedded_leave(e);
	return empty;
}
