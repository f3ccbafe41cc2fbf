#ifndef WEIR_METRICS_H
#define WEIR_METRICS_H
/*
 * Counters, gauges and histograms with labels, and their text for Prometheus.
 *
 * Calling sequence: describe metrics in a static table -> weir_metrics_add -> open a handle for each set of label
 * values -> update it -> close it when what it counts is gone from here (a task that moved to another instance).
 * Threads: a registry is safe from any thread. Updating a handle takes no lock and a few nanoseconds; the functions
 * ending in _single are for handles that one thread alone updates, and cheaper still. Handles must not be used once
 * closed.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef enum weir_metric_kind {
	WEIR_COUNTER,   /* only grows; its name ends in _total */
	WEIR_GAUGE,     /* goes up and down */
	WEIR_HISTOGRAM, /* distribution of whole numbers: durations in microseconds, sizes in bytes */
} weir_metric_kind;

#define WEIR_METRIC_LABELS_MAX 4

typedef struct weir_metric_def {
	const char *name; /* as Prometheus wants it: base unit in it, "weir_commit_seconds" */
	weir_metric_kind kind;
	const char *labels[WEIR_METRIC_LABELS_MAX]; /* names of its labels; fewer end with NULL */
	double scale;     /* what is shown = recorded number * scale (microseconds as seconds: 1e-6); 0 = 1 */
	const char *help; /* one sentence */
} weir_metric_def;

typedef struct weir_metrics weir_metrics;

/** An empty registry. */
weir_metrics *weir_metrics_new(void);
/** Frees handles that are still open too. NULL is fine. */
void weir_metrics_free(weir_metrics *m);

/** Adds a table of n metrics; it must outlive m (static storage). A name or label that Prometheus would refuse, or
 *  a name that is there already, is a bug; the same table again is not. */
void weir_metrics_add(weir_metrics *m, const weir_metric_def *defs, size_t n);

/* Handles. Their fields are for the functions below alone. */
typedef struct weir_counter {
	uint64_t value;
} weir_counter;

typedef struct weir_gauge {
	uint64_t bits; /* a double's */
} weir_gauge;

/* Log-linear buckets: 16 to each doubling, so that a value is known to 6 %; 0 has its own, the last has no end. */
#define WEIR_HISTOGRAM_SUB_BITS 4
#define WEIR_HISTOGRAM_TOP_BIT 40
#define WEIR_HISTOGRAM_BUCKETS \
	(2 + ((WEIR_HISTOGRAM_TOP_BIT - WEIR_HISTOGRAM_SUB_BITS + 1) << WEIR_HISTOGRAM_SUB_BITS))

typedef struct weir_histogram {
	uint64_t sum;
	uint64_t buckets[WEIR_HISTOGRAM_BUCKETS];
} weir_histogram;

/**
 * The handle for these label values, in the order of the definition's labels (copied; NULL when it has none). Asked
 * for again it is the same one; it lives until it was closed as often as opened. A name that is not in a table, or
 * is of another kind, is a bug.
 */
weir_counter *weir_counter_open(weir_metrics *m, const char *name, const char *const *label_values);
weir_gauge *weir_gauge_open(weir_metrics *m, const char *name, const char *const *label_values);
weir_histogram *weir_histogram_open(weir_metrics *m, const char *name, const char *const *label_values);
/** NULL is fine. */
void weir_counter_close(weir_metrics *m, weir_counter *c);
void weir_gauge_close(weir_metrics *m, weir_gauge *g);
void weir_histogram_close(weir_metrics *m, weir_histogram *h);

/** A counter or gauge whose value is asked for when it is shown, under the registry's lock: fn must be quick and
 *  must not call the registry. Once weir_metric_watch_close has returned, fn runs no more. Of several with the same
 *  label values the newest is shown. */
typedef double weir_metric_read_fn(void *user);
typedef struct weir_metric_watch weir_metric_watch;
weir_metric_watch *weir_metric_watch_open(weir_metrics *m, const char *name, const char *const *label_values,
					  weir_metric_read_fn *fn, void *user);
/** NULL is fine. */
void weir_metric_watch_close(weir_metrics *m, weir_metric_watch *w);

/** From any thread. */
static inline void weir_counter_add(weir_counter *c, uint64_t n)
{
	__atomic_fetch_add(&c->value, n, __ATOMIC_RELAXED);
}

/** From the one thread that updates it. */
static inline void weir_counter_add_single(weir_counter *c, uint64_t n)
{
	__atomic_store_n(&c->value, __atomic_load_n(&c->value, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

/** What was added so far. */
static inline uint64_t weir_counter_value(const weir_counter *c)
{
	return __atomic_load_n(&c->value, __ATOMIC_RELAXED);
}

/** From any thread. */
static inline void weir_gauge_set(weir_gauge *g, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof bits);
	__atomic_store_n(&g->bits, bits, __ATOMIC_RELAXED);
}

/** What was set last; 0 at first. */
static inline double weir_gauge_value(const weir_gauge *g)
{
	uint64_t bits = __atomic_load_n(&g->bits, __ATOMIC_RELAXED);
	double value;

	memcpy(&value, &bits, sizeof value);
	return value;
}

/* Bucket of a value. Buckets hold their upper end, so that a power of two ends one: Prometheus' "le". */
static inline unsigned weir_histogram_bucket(uint64_t value)
{
	if (value == 0)
		return 0;
	uint64_t v = value - 1;
	if (v < 1 << WEIR_HISTOGRAM_SUB_BITS)
		return 1 + (unsigned)v;
	unsigned top = 63 - (unsigned)__builtin_clzll(v);
	if (top >= WEIR_HISTOGRAM_TOP_BIT)
		return WEIR_HISTOGRAM_BUCKETS - 1;
	unsigned shift = top - WEIR_HISTOGRAM_SUB_BITS;
	return 1 + (shift << WEIR_HISTOGRAM_SUB_BITS) + (unsigned)(v >> shift);
}

/** From any thread. */
static inline void weir_histogram_record(weir_histogram *h, uint64_t value)
{
	__atomic_fetch_add(&h->buckets[weir_histogram_bucket(value)], 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&h->sum, value, __ATOMIC_RELAXED);
}

/** From the one thread that updates it. */
static inline void weir_histogram_record_single(weir_histogram *h, uint64_t value)
{
	uint64_t *bucket = &h->buckets[weir_histogram_bucket(value)];

	__atomic_store_n(bucket, __atomic_load_n(bucket, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&h->sum, __atomic_load_n(&h->sum, __ATOMIC_RELAXED) + value, __ATOMIC_RELAXED);
}

/** Number of values recorded. */
uint64_t weir_histogram_count(const weir_histogram *h);
/** The value at or below which the share q (0..1) of all values lies (0.99: the 99th percentile), unscaled and at
 *  most 6 % above the true one; 0 when there are none. */
uint64_t weir_histogram_quantile(const weir_histogram *h, double q);

/* One series as weir_metrics_each shows it. */
typedef struct weir_metric_sample {
	const weir_metric_def *def;
	const char *const *label_values;
	double value;                    /* scaled; of a histogram the sum */
	const weir_histogram *histogram; /* NULL unless it is one */
} weir_metric_sample;
typedef void weir_metric_sample_fn(const weir_metric_sample *sample, void *user);
/** Calls fn for each open series, metric by metric in the order of their tables, under the registry's lock: fn must
 *  not call the registry. What it is given is borrowed until it returns. */
void weir_metrics_each(weir_metrics *m, weir_metric_sample_fn *fn, void *user);

/** The present value of one series, as in weir_metric_sample; NaN when there is none. */
double weir_metrics_value(weir_metrics *m, const char *name, const char *const *label_values);

/** Where text goes, piece by piece; a piece is borrowed until the call returns. */
typedef void weir_write_fn(void *to, const char *text, size_t len);
/** The text that Prometheus scrapes (send it as `text/plain; version=0.0.4`). Histograms get a bucket a doubling,
 *  from 64 to 2^26 unscaled (microseconds: to 67 s). The text is made under the registry's lock and written after
 *  it. */
void weir_metrics_write(weir_metrics *m, weir_write_fn *write, void *to);

/** A Markdown table of all metrics: name, kind, labels, meaning. */
void weir_metrics_print_markdown(weir_metrics *m, FILE *to);

#endif
