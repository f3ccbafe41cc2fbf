#include "apps/evilnet/sink_metrics.h"

#include "apps/evilnet/util.h"

#define NAME(what) "evilnet_mysql_" what

static const weir_metric_def defs[] = {
	{ NAME("connected"), WEIR_GAUGE, .help = "Whether the sink is connected to MySQL." },
	{ NAME("partitions"), WEIR_GAUGE, .help = "Partitions of results that this instance writes." },
	{ NAME("rows_total"), WEIR_COUNTER, .help = "Records of results written to MySQL." },
	{ NAME("rejected_total"), WEIR_COUNTER,
	  .help = "Records of results that MySQL refused: in the dead letters." },
	{ NAME("lag_records"), WEIR_GAUGE, .help = "Records of results not yet written; -1 = not known." },
};

enum { METRICS = sizeof defs / sizeof *defs };

struct sink_metrics {
	weir_metrics *metrics;
	weir_metric_watch *watches[METRICS];
};

static weir_sink_status status_of(void *worker)
{
	weir_sink_status status;

	weir_sink_worker_status(worker, &status);
	return status;
}

static double read_connected(void *worker)
{
	return status_of(worker).connected;
}

static double read_partitions(void *worker)
{
	return status_of(worker).partitions;
}

static double read_rows(void *worker)
{
	return (double)status_of(worker).records;
}

static double read_rejected(void *worker)
{
	return (double)status_of(worker).rejected;
}

static double read_lag(void *worker)
{
	return (double)status_of(worker).lag;
}

void sink_metrics_describe(weir_metrics *m)
{
	weir_metrics_add(m, defs, METRICS);
}

struct sink_metrics *sink_metrics_open(weir_metrics *m, weir_sink_worker *worker)
{
	static weir_metric_read_fn *const reads[METRICS] = { read_connected, read_partitions, read_rows,
							     read_rejected, read_lag };
	struct sink_metrics *s = evilnet_malloc(sizeof *s);

	sink_metrics_describe(m);
	s->metrics = m;
	for (int i = 0; i < METRICS; i++)
		s->watches[i] = weir_metric_watch_open(m, defs[i].name, NULL, reads[i], worker);
	return s;
}

void sink_metrics_close(struct sink_metrics *s)
{
	for (int i = 0; s && i < METRICS; i++)
		weir_metric_watch_close(s->metrics, s->watches[i]);
	free(s);
}
