/* Posts, keyed by city, are counted in windows of five minutes. */
#include <weir/weir.h>

static inline weir_topology *city_counts(void)
{
	weir_topology *t = weir_topology_new("city-counts");
	weir_stream *posts = weir_source(t, "posts", (weir_source_opts){ .value = &weir_utf8 });
	weir_table *counts = weir_count(posts, "counts",
					(weir_window){ .size_ms = WEIR_MINUTES(5),
						       .grace_ms = WEIR_SECONDS(30),
						       .retain_ms = WEIR_HOURS(24) });

	weir_sink(weir_changes(counts), "city-counts",
		  (weir_sink_opts){ .key = &weir_windowed_utf8, .value = &weir_int64 });
	return t;
}
