#include "apps/evilnet/ingest_stats.h"

#define NAME(what) "evilnet_ingest_" what

static const weir_metric_def defs[] = {
	{ NAME("received_total"), WEIR_COUNTER, .help = "Objects taken from the source." },
	{ NAME("kept_total"), WEIR_COUNTER, .help = "Of these, posts from a city." },
	{ NAME("dropped_total"),
	  WEIR_COUNTER,
	  { "reason" },
	  .help = "Of these, left out: no place, or not a city." },
	{ NAME("produced_total"), WEIR_COUNTER, .help = "Posts that Kafka has acknowledged." },
	{ NAME("dead_letters_total"),
	  WEIR_COUNTER,
	  { "reason" },
	  .help = "Dead letters: unreadable, too long, or refused by the broker." },
	{ NAME("resent_total"), WEIR_COUNTER, .help = "Records sent again after a failed delivery." },
	{ NAME("lost_total"), WEIR_COUNTER,
	  .help = "Dead letters that the broker refused as well, even without their value." },
	{ NAME("reconnects_total"), WEIR_COUNTER, .help = "Connections to X that had to be made again." },
	{ NAME("pending_records"), WEIR_GAUGE, .help = "Records not yet acknowledged." },
	{ NAME("pending_bytes"), WEIR_GAUGE, .help = "Bytes of records not yet acknowledged." },
};

static weir_counter *labelled(weir_metrics *m, const char *name, const char *value)
{
	return weir_counter_open(m, name, (const char *const[]){ value });
}

void ingest_stats_describe(weir_metrics *m)
{
	weir_metrics_add(m, defs, sizeof defs / sizeof *defs);
}

void ingest_stats_open(struct ingest_stats *stats, weir_metrics *m)
{
	ingest_stats_describe(m);
	*stats = (struct ingest_stats){
		.metrics = m,
		.received = weir_counter_open(m, NAME("received_total"), NULL),
		.kept = weir_counter_open(m, NAME("kept_total"), NULL),
		.no_place = labelled(m, NAME("dropped_total"), "no_place"),
		.not_city = labelled(m, NAME("dropped_total"), "not_city"),
		.produced = weir_counter_open(m, NAME("produced_total"), NULL),
		.unreadable = labelled(m, NAME("dead_letters_total"), "unreadable"),
		.too_long = labelled(m, NAME("dead_letters_total"), "too_long"),
		.refused = labelled(m, NAME("dead_letters_total"), "refused"),
		.resent = weir_counter_open(m, NAME("resent_total"), NULL),
		.lost = weir_counter_open(m, NAME("lost_total"), NULL),
		.reconnects = weir_counter_open(m, NAME("reconnects_total"), NULL),
		.pending = weir_gauge_open(m, NAME("pending_records"), NULL),
		.pending_bytes = weir_gauge_open(m, NAME("pending_bytes"), NULL),
	};
}

void ingest_stats_close(struct ingest_stats *s)
{
	weir_counter *const counters[] = { s->received, s->kept,       s->no_place,  s->not_city,
					   s->produced, s->unreadable, s->too_long,  s->refused,
					   s->resent,   s->lost,       s->reconnects };

	for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
		weir_counter_close(s->metrics, counters[i]);
	weir_gauge_close(s->metrics, s->pending);
	weir_gauge_close(s->metrics, s->pending_bytes);
}
