#include "framework/kafka/embedded.h"

#include <stdlib.h>

/* Aborted transactions that lie wholly before `offset` are of no interest to anybody. */
static void forget_aborted(struct journal *j, int64_t offset)
{
	size_t kept = 0;

	for (size_t i = 0; i < j->aborted_count; i++)
		if (j->aborted[i].last >= offset)
			j->aborted[kept++] = j->aborted[i];
	j->aborted_count = kept;
}

/* Drops the first n segments. */
static void drop(struct journal *j, size_t n)
{
	if (n == 0)
		return;
	int64_t start = n < j->count ? j->segments[n]->base : j->end;

	weir__journal_splice(j, 0, n, NULL, 0);
	if (start > j->start)
		j->start = start;
	if (j->cleaned_to < j->start)
		j->cleaned_to = j->start;
	j->cleaned_bytes = 0;
	for (size_t i = 0; i < j->count && j->segments[i]->last < j->cleaned_to; i++)
		j->cleaned_bytes += j->segments[i]->used;
	forget_aborted(j, j->start);
}

void weir__journal_truncate_front(struct journal *j, int64_t offset)
{
	size_t n = 0;

	if (offset <= j->start)
		return;
	j->start = offset;
	while (n < j->count && j->segments[n]->last < offset)
		n++;
	drop(j, n);
}

void weir__journal_retain(struct journal *j, bool by_time, int64_t now_ms)
{
	const struct topic_config *config = &j->topic->config;
	int64_t bytes = j->bytes;
	size_t n = 0;

	if (!config->del)
		return;
	/* As the broker: whole segments, from the front, up to the first that stays. By size the last one stays
	 * always. */
	while (n < j->count) {
		const struct segment *s = j->segments[n];
		bool old = by_time && config->retention_ms >= 0 &&
			   weir_time_sub(now_ms, s->timestamp_max_ms) > config->retention_ms;
		bool large = config->retention_bytes >= 0 && n + 1 < j->count &&
			     bytes - s->used >= config->retention_bytes;

		if (!old && !large)
			break;
		bytes -= s->used;
		n++;
	}
	drop(j, n);
}
