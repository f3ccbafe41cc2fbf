#ifndef WEIR_METRICS_INTERNAL_H
#define WEIR_METRICS_INTERNAL_H
/*
 * The inside of the registry, shared by metrics*.c.
 */
#include <pthread.h>
#include <stddef.h>

#include <weir/metrics.h>

struct series {
	struct series *next;
	struct series *older; /* a watch with the same label values that this one hides */
	struct family *family;
	unsigned refs;
	char *values[WEIR_METRIC_LABELS_MAX];
	weir_metric_read_fn *read; /* NULL = a handle */
	void *user;
	union {
		weir_counter counter;
		weir_gauge gauge;
		weir_histogram histogram;
	} handle; /* last: only as much of it as the kind needs is allocated */
};

struct family {
	const weir_metric_def *def;
	size_t labels;
	struct series *first;
};

struct weir_metrics {
	pthread_mutex_t lock;
	struct family **families;
	size_t count;
};

size_t weir__metric_labels(const weir_metric_def *def);
/** The greatest value that bucket i takes. */
uint64_t weir__histogram_bucket_end(unsigned i);

#endif
