#include "framework/kafka/embedded.h"

#include <stdlib.h>

#include "framework/base/alloc.h"

int32_t weir__embedded_topic_partitions(weir_cluster *cluster, const char *topic, weir_error *err)
{
	struct embedded *e = weir__embedded(cluster);

	(void)err;
	weir__embedded_enter(e);
	const struct topic *t = weir__topic_find(e, topic);
	int32_t partitions = t ? t->partitions : 0;

	weir__embedded_leave(e);
	return partitions;
}

bool weir__embedded_topics_each(weir_cluster *cluster, weir_topic_fn *fn, void *user, weir_error *err)
{
	struct embedded *e = weir__embedded(cluster);

	(void)err;
	weir__embedded_enter(e);
	size_t n = e->topic_count;
	const char **names = weir__calloc(n, sizeof *names);
	int32_t *partitions = weir__calloc(n, sizeof *partitions);

	for (size_t i = 0; i < n; i++) {
		names[i] = e->topics[i]->name;
		partitions[i] = e->topics[i]->partitions;
	}
	weir__embedded_leave(e);
	for (size_t i = 0; i < n; i++) /* without the lock: fn may ask the cluster */
		fn(names[i], partitions[i], user);
	free(names);
	free(partitions);
	return true;
}

bool weir__embedded_offsets_range(weir_cluster *cluster, const char *topic, int32_t partition, int64_t *first,
				  int64_t *end, weir_error *err)
{
	struct embedded *e = weir__embedded(cluster);

	if (!weir__embedded_answers(e, EMBEDDED_AT_RANGE, topic, err))
		return false;
	weir__embedded_enter(e);
	const struct journal *j = weir__topic_journal(e, topic, partition, err);

	if (j && first)
		*first = j->start;
	if (j && end)
		*end = j->end;
	weir__embedded_leave(e);
	return j;
}

bool weir__embedded_offsets_for_times(weir_cluster *cluster, weir_partition *list, size_t n, weir_error *err)
{
	struct embedded *e = weir__embedded(cluster);
	bool done = true;

	weir__embedded_enter(e);
	for (size_t i = 0; i < n && done; i++) {
		const struct journal *j = weir__topic_journal(e, list[i].topic, list[i].partition, err);

		done = j;
		if (done)
			list[i].offset = weir__journal_offset_for(j, list[i].offset);
	}
	weir__embedded_leave(e);
	return done;
}

static bool delete_before(struct embedded *e, const weir_partition *p, weir_error *err)
{
	struct journal *j = weir__topic_journal(e, p->topic, p->partition, err);
	int64_t offset = p->offset;

	if (!j)
		return false;
	if (offset == WEIR_OFFSET_END)
		offset = j->end;
	if (!j->topic->config.del)
		return weir_fail(err, WEIR_KAFKA, "delete records of %s/%d: its cleanup.policy has no 'delete'",
				 p->topic, p->partition);
	if (offset < 0 || offset > j->end)
		return weir_fail(err, WEIR_STATE, "delete records of %s/%d before %lld: its end is %lld", p->topic,
				 p->partition, (long long)offset, (long long)j->end);
	weir__journal_truncate_front(j, offset);
	return true;
}

bool weir__embedded_records_delete(weir_cluster *cluster, const weir_partition *list, size_t n, weir_error *err)
{
	struct embedded *e = weir__embedded(cluster);
	bool done = true;

	weir__embedded_enter(e);
	for (size_t i = 0; i < n; i++) /* one that fails does not keep the others from it */
		done &= delete_before(e, &list[i], done ? err : NULL);
	weir__embedded_leave(e);
	return done;
}
