#include "framework/runtime/ages.h"

#include <stdlib.h>
#include <string.h>

#include "framework/base/alloc.h"

enum { AGES = 1024 };

void weir__ages_release(struct ages *ages)
{
	free(ages->items);
	*ages = (struct ages){ 0 };
}

/* Remembers how far the reader had come at this time; at most AGES entries over retain_ms. */
static void remember(struct ages *ages, int64_t offset, int64_t newest_ms, int64_t retain_ms)
{
	const struct age *last = ages->count ? &ages->items[ages->count - 1] : NULL;

	if (offset <= 0 || (last && weir_time_sub(newest_ms, last->time_ms) <= retain_ms / (AGES - 2)))
		return;
	if (!ages->items)
		ages->items = weir__calloc(AGES, sizeof *ages->items);
	if (ages->count == AGES)
		memmove(ages->items, ages->items + 1, --ages->count * sizeof *ages->items);
	ages->items[ages->count++] = (struct age){ offset, newest_ms };
}

static int64_t offset_before(struct ages *ages, int64_t before_ms)
{
	size_t n = 0;

	while (n < ages->count && ages->items[n].time_ms < before_ms)
		n++;
	if (n == 0)
		return 0;
	int64_t offset = ages->items[n - 1].offset;

	memmove(ages->items, ages->items + n, (ages->count - n) * sizeof *ages->items);
	ages->count -= n;
	return offset;
}

int64_t weir__ages_expired(struct ages *ages, const weir_partition *read, int64_t newest_ms, int64_t retain_ms,
			   weir_cluster *cluster, weir_clock *clock)
{
	int64_t now_ms = clock->wall_ms(clock);

	if (newest_ms == INT64_MIN)
		return 0;
	if (newest_ms > now_ms)
		newest_ms = now_ms; /* a date in the future must not make the present look old */
	weir_partition young = *read;

	young.offset = weir_time_sub(newest_ms, retain_ms);
	if (young.offset <= 0)
		return 0;
	remember(ages, read->offset, newest_ms, retain_ms);
	/* The broker knows the first record that is young enough, which helps after a start; but one from a clock
	 * that runs ahead is young for a long time, so what was seen here decides as well. */
	int64_t offset = offset_before(ages, young.offset);
	weir_error err;

	if (weir_offsets_for_times(cluster, &young, 1, &err) && young.offset > offset)
		offset = young.offset;
	return offset < read->offset ? offset : read->offset;
}
