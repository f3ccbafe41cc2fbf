/* Records of the sink's topic that are written and past retain_ms are deleted, by event time (see purge.c). */
#include <stdlib.h>

#include "framework/base/alloc.h"
#include "framework/runtime/sink_worker.h"

void weir__sink_purge(struct weir_sink_worker *w)
{
	weir_partition *list = weir__calloc(w->partition_count + 1, sizeof *list);
	size_t n = 0;
	weir_error err;

	for (size_t i = 0; i < w->partition_count; i++) {
		struct sink_partition *p = w->partitions[i];
		weir_partition at = { .topic = w->topic, .partition = p->id, .offset = p->stored };

		if (!p->ready)
			continue;
		at.offset = weir__ages_expired(&p->ages, &at, p->newest_ms, w->opts.retain_ms, w->cluster,
					       weir_clock_system());
		if (at.offset > 0)
			list[n++] = at;
	}
	if (n && !weir_records_delete(w->cluster, list, n, &err))
		weir_log(WEIR_LOG_WARN, "sink", "delete records of %s: %s", w->topic, err.message);
	free(list);
}
