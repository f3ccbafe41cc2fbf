#ifndef EVILNET_SINK_METRICS_H
#define EVILNET_SINK_METRICS_H
/* What `process` shows of its sink into MySQL. */
#include <weir/external_sink.h>
#include <weir/metrics.h>

struct sink_metrics;

/** Adds the table of the sink's metrics. */
void sink_metrics_describe(weir_metrics *metrics);
/** Shows `worker` in a registry; both must outlive what is returned. */
struct sink_metrics *sink_metrics_open(weir_metrics *metrics, weir_sink_worker *worker);
/** NULL is fine. */
void sink_metrics_close(struct sink_metrics *metrics);

#endif
