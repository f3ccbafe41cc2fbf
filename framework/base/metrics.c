#include "framework/base/metrics.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include <weir/error.h>

#include "framework/base/alloc.h"

weir_metrics *weir_metrics_new(void)
{
	weir_metrics *m = weir__calloc(1, sizeof *m);

	pthread_mutex_init(&m->lock, NULL);
	return m;
}

static void free_series(struct series *s)
{
	for (size_t i = 0; i < s->family->labels; i++)
		free(s->values[i]);
	free(s);
}

static void free_family(struct family *f)
{
	for (struct series *s = f->first, *next; s; s = next) {
		next = s->next;
		for (struct series *o = s->older, *older; o; o = older) {
			older = o->older;
			free_series(o);
		}
		free_series(s);
	}
	free(f);
}

void weir_metrics_free(weir_metrics *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->count; i++)
		free_family(m->families[i]);
	free(m->families);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

static bool is_name(const char *s)
{
	if (!isalpha((unsigned char)*s) && *s != '_')
		return false;
	while (isalnum((unsigned char)*s) || *s == '_')
		s++;
	return !*s;
}

static bool ends_in(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

size_t weir__metric_labels(const weir_metric_def *def)
{
	size_t n = 0;

	while (n < WEIR_METRIC_LABELS_MAX && def->labels[n])
		n++;
	return n;
}

static struct family *find_family(const weir_metrics *m, const char *name)
{
	for (size_t i = 0; i < m->count; i++)
		if (strcmp(m->families[i]->def->name, name) == 0)
			return m->families[i];
	return NULL;
}

void weir_metrics_add(weir_metrics *m, const weir_metric_def *defs, size_t n)
{
	pthread_mutex_lock(&m->lock);
	m->families = weir__realloc(m->families, (m->count + n) * sizeof(struct family *));
	for (size_t i = 0; i < n; i++) {
		const struct family *known = find_family(m, defs[i].name);
		struct family *f;

		weir_assert(!known || known->def == &defs[i]);
		if (known)
			continue;
		weir_assert(is_name(defs[i].name) && defs[i].help);
		weir_assert((defs[i].kind == WEIR_COUNTER) == ends_in(defs[i].name, "_total"));
		f = weir__calloc(1, sizeof *f);
		f->def = &defs[i];
		f->labels = weir__metric_labels(f->def);
		for (size_t l = 0; l < f->labels; l++)
			weir_assert(is_name(defs[i].labels[l]));
		m->families[m->count++] = f;
	}
	pthread_mutex_unlock(&m->lock);
}

static bool has_values(const struct series *s, const char *const *values)
{
	for (size_t i = 0; i < s->family->labels; i++)
		if (strcmp(s->values[i], values[i]) != 0)
			return false;
	return true;
}

/* The link that points to the series with these values, or the one behind the last. */
static struct series **find_series(struct family *f, const char *const *values)
{
	struct series **link = &f->first;

	while (*link && !has_values(*link, values))
		link = &(*link)->next;
	return link;
}

static struct series *new_series(struct family *f, const char *const *values)
{
	static const size_t sizes[] = { sizeof(weir_counter), sizeof(weir_gauge), sizeof(weir_histogram) };
	struct series *s = weir__calloc(1, offsetof(struct series, handle) + sizes[f->def->kind]);

	s->family = f;
	s->refs = 1;
	for (size_t i = 0; i < f->labels; i++)
		s->values[i] = weir__strdup(values[i]);
	return s;
}

static void *open_handle(weir_metrics *m, const char *name, const char *const *values, weir_metric_kind kind)
{
	pthread_mutex_lock(&m->lock);
	struct family *f = find_family(m, name);
	weir_assert(f && f->def->kind == kind && (values || !f->labels));
	struct series **link = find_series(f, values);
	if (*link) {
		weir_assert(!(*link)->read); /* watched and counted: one series cannot be both */
		(*link)->refs++;
	} else {
		*link = new_series(f, values);
	}
	void *handle = &(*link)->handle;
	pthread_mutex_unlock(&m->lock);
	return handle;
}

weir_counter *weir_counter_open(weir_metrics *m, const char *name, const char *const *label_values)
{
	return open_handle(m, name, label_values, WEIR_COUNTER);
}

weir_gauge *weir_gauge_open(weir_metrics *m, const char *name, const char *const *label_values)
{
	return open_handle(m, name, label_values, WEIR_GAUGE);
}

weir_histogram *weir_histogram_open(weir_metrics *m, const char *name, const char *const *label_values)
{
	return open_handle(m, name, label_values, WEIR_HISTOGRAM);
}

weir_metric_watch *weir_metric_watch_open(weir_metrics *m, const char *name, const char *const *label_values,
					  weir_metric_read_fn *fn, void *user)
{
	pthread_mutex_lock(&m->lock);
	struct family *f = find_family(m, name);
	weir_assert(f && f->def->kind != WEIR_HISTOGRAM && (label_values || !f->labels));
	struct series **link = find_series(f, label_values);
	struct series *s = new_series(f, label_values);
	weir_assert(!*link || (*link)->read);
	s->read = fn;
	s->user = user;
	s->older = *link;
	if (s->older) {
		s->next = s->older->next;
		s->older->next = NULL;
	}
	*link = s;
	pthread_mutex_unlock(&m->lock);
	return (weir_metric_watch *)s;
}

/* Takes s out of its family, and puts the watch that it hid in its place. */
static void unlink_series(struct series *s)
{
	struct series **link = find_series(s->family, (const char *const *)s->values);

	if (*link == s) {
		*link = s->older ? s->older : s->next;
		if (s->older)
			s->older->next = s->next;
		return;
	}
	struct series *newer = *link;
	while (newer->older != s)
		newer = newer->older;
	newer->older = s->older;
}

static void close_series(weir_metrics *m, struct series *s)
{
	pthread_mutex_lock(&m->lock);
	if (--s->refs == 0) {
		unlink_series(s);
		free_series(s);
	}
	pthread_mutex_unlock(&m->lock);
}

static void close_handle(weir_metrics *m, void *handle)
{
	if (handle)
		close_series(m, (struct series *)((char *)handle - offsetof(struct series, handle)));
}

void weir_counter_close(weir_metrics *m, weir_counter *c)
{
	close_handle(m, c);
}

void weir_gauge_close(weir_metrics *m, weir_gauge *g)
{
	close_handle(m, g);
}

void weir_histogram_close(weir_metrics *m, weir_histogram *h)
{
	close_handle(m, h);
}

void weir_metric_watch_close(weir_metrics *m, weir_metric_watch *w)
{
	if (w)
		close_series(m, (struct series *)w);
}

static double value_of(const struct series *s)
{
	const weir_metric_def *def = s->family->def;
	double value;

	if (s->read)
		value = s->read(s->user);
	else if (def->kind == WEIR_COUNTER)
		value = (double)weir_counter_value(&s->handle.counter);
	else if (def->kind == WEIR_GAUGE)
		value = weir_gauge_value(&s->handle.gauge);
	else
		value = (double)__atomic_load_n(&s->handle.histogram.sum, __ATOMIC_RELAXED);
	return def->scale != 0 ? value * def->scale : value;
}

void weir_metrics_each(weir_metrics *m, weir_metric_sample_fn *fn, void *user)
{
	pthread_mutex_lock(&m->lock);
	for (size_t i = 0; i < m->count; i++) {
		const struct family *f = m->families[i];

		for (const struct series *s = f->first; s; s = s->next) {
			weir_metric_sample sample = {
				.def = f->def,
				.label_values = (const char *const *)s->values,
				.value = value_of(s),
				.histogram = f->def->kind == WEIR_HISTOGRAM ? &s->handle.histogram : NULL,
			};

			fn(&sample, user);
		}
	}
	pthread_mutex_unlock(&m->lock);
}

double weir_metrics_value(weir_metrics *m, const char *name, const char *const *label_values)
{
	double value = NAN;

	pthread_mutex_lock(&m->lock);
	struct family *f = find_family(m, name);
	weir_assert(!f || label_values || !f->labels);
	const struct series *s = f ? *find_series(f, label_values) : NULL;
	if (s)
		value = value_of(s);
	pthread_mutex_unlock(&m->lock);
	return value;
}

uint64_t weir__histogram_bucket_end(unsigned i)
{
	const unsigned sub = 1 << WEIR_HISTOGRAM_SUB_BITS;

	if (i <= sub)
		return i;
	if (i == WEIR_HISTOGRAM_BUCKETS - 1)
		return UINT64_MAX;
	unsigned shift = (i - 1) / sub - 1;
	return (uint64_t)((i - 1) % sub + sub + 1) << shift;
}

uint64_t weir_histogram_count(const weir_histogram *h)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < WEIR_HISTOGRAM_BUCKETS; i++)
		count += __atomic_load_n(&h->buckets[i], __ATOMIC_RELAXED);
	return count;
}

uint64_t weir_histogram_quantile(const weir_histogram *h, double q)
{
	uint64_t count = weir_histogram_count(h), seen = 0;
	uint64_t rank = (uint64_t)ceil(q * (double)count);

	if (count == 0)
		return 0;
	if (rank == 0)
		rank = 1;
	for (unsigned i = 0; i < WEIR_HISTOGRAM_BUCKETS - 1; i++) {
		seen += __atomic_load_n(&h->buckets[i], __ATOMIC_RELAXED);
		if (seen >= rank)
			return weir__histogram_bucket_end(i);
	}
	return UINT64_C(1) << WEIR_HISTOGRAM_TOP_BIT; /* at least */
}
