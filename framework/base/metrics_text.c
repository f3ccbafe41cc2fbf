/* Metrics as text: for Prometheus, and the table for the documents. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

#include "framework/base/alloc.h"
#include "framework/base/metrics.h"

struct text {
	char *bytes;
	size_t len, size;
	const weir_metric_def *last; /* whose HELP and TYPE have been written */
};

static void reserve(struct text *t, size_t n)
{
	if (t->size - t->len >= n)
		return;
	t->size = t->size * 2 + n;
	t->bytes = weir__realloc(t->bytes, t->size);
}

static void put(struct text *t, const char *s)
{
	size_t n = strlen(s);

	reserve(t, n);
	memcpy(t->bytes + t->len, s, n);
	t->len += n;
}

__attribute__((format(printf, 2, 3))) static void putf(struct text *t, const char *format, ...)
{
	char buf[64];
	va_list args;

	va_start(args, format);
	vsnprintf(buf, sizeof buf, format, args); /* numbers only: it fits */
	va_end(args);
	put(t, buf);
}

/* HELP escapes \ and line feed; a label value the quote too. */
static void put_escaped(struct text *t, const char *s, const char *escaped)
{
	reserve(t, 2 * strlen(s));
	for (; *s; s++) {
		if (strchr(escaped, *s))
			t->bytes[t->len++] = '\\';
		t->bytes[t->len++] = *s;
		if (*s == '\n')
			t->bytes[t->len - 1] = 'n';
	}
}

static void put_number(struct text *t, double value)
{
	if (isnan(value))
		put(t, "NaN");
	else if (isinf(value))
		put(t, value > 0 ? "+Inf" : "-Inf");
	else
		putf(t, "%.15g", value);
}

static void put_name_and_labels(struct text *t, const weir_metric_sample *s, const char *suffix, const double *le)
{
	size_t labels = weir__metric_labels(s->def);

	put(t, s->def->name);
	put(t, suffix);
	if (labels || le)
		put(t, "{");
	for (size_t i = 0; i < labels; i++) {
		put(t, i ? "," : "");
		put(t, s->def->labels[i]);
		put(t, "=\"");
		put_escaped(t, s->label_values[i], "\\\"\n");
		put(t, "\"");
	}
	if (le) {
		put(t, labels ? ",le=\"" : "le=\"");
		put_number(t, *le);
		put(t, "\"");
	}
	put(t, labels || le ? "} " : " ");
}

static void put_count(struct text *t, const weir_metric_sample *s, const char *suffix, const double *le, uint64_t n)
{
	put_name_and_labels(t, s, suffix, le);
	putf(t, "%" PRIu64 "\n", n);
}

static void put_histogram(struct text *t, const weir_metric_sample *s)
{
	const double scale = s->def->scale != 0 ? s->def->scale : 1;
	const double infinity = INFINITY;
	uint64_t count = 0, end = 64;

	for (unsigned i = 0; i < WEIR_HISTOGRAM_BUCKETS; i++) {
		count += __atomic_load_n(&s->histogram->buckets[i], __ATOMIC_RELAXED);
		if (weir__histogram_bucket_end(i) != end || end > UINT64_C(1) << 26)
			continue;
		double le = (double)end * scale;
		put_count(t, s, "_bucket", &le, count);
		end *= 2;
	}
	put_count(t, s, "_bucket", &infinity, count);
	put_name_and_labels(t, s, "_sum", NULL);
	put_number(t, s->value);
	put(t, "\n");
	put_count(t, s, "_count", NULL, count);
}

static const char *const kind_names[] = { "counter", "gauge", "histogram" };

static void put_sample(const weir_metric_sample *s, void *user)
{
	struct text *t = user;

	if (t->last != s->def) {
		t->last = s->def;
		put(t, "# HELP ");
		put(t, s->def->name);
		put(t, " ");
		put_escaped(t, s->def->help, "\\\n");
		put(t, "\n# TYPE ");
		put(t, s->def->name);
		put(t, " ");
		put(t, kind_names[s->def->kind]);
		put(t, "\n");
	}
	if (s->histogram) {
		put_histogram(t, s);
		return;
	}
	put_name_and_labels(t, s, "", NULL);
	put_number(t, s->value);
	put(t, "\n");
}

void weir_metrics_write(weir_metrics *m, weir_write_fn *write, void *to)
{
	struct text t = { 0 };

	/* A slow reader must not hold up whoever opens or closes handles. */
	weir_metrics_each(m, put_sample, &t);
	if (t.len)
		write(to, t.bytes, t.len);
	free(t.bytes);
}

void weir_metrics_print_markdown(weir_metrics *m, FILE *to)
{
	pthread_mutex_lock(&m->lock);
	fputs("| Metric | Kind | Labels | Meaning |\n| --- | --- | --- | --- |\n", to);
	for (size_t i = 0; i < m->count; i++) {
		const struct family *f = m->families[i];

		fprintf(to, "| `%s` | %s |", f->def->name, kind_names[f->def->kind]);
		for (size_t l = 0; l < f->labels; l++)
			fprintf(to, "%s `%s`", l ? "," : "", f->def->labels[l]);
		fputs(" | ", to);
		for (const char *c = f->def->help; *c; c++)
			fprintf(to, *c == '|' ? "\\%c" : "%c", *c);
		fputs(" |\n", to);
	}
	pthread_mutex_unlock(&m->lock);
}
