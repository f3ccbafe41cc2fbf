/* Temperatures of weather stations: each minute the average of the last five. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <weir/weir.h>

/* Numbers as people write them: "21.5". */
static inline const void *decimal_decode(weir_context *cx, weir_bytes bytes, weir_error *err)
{
	double *number = weir_alloc(cx, sizeof *number);
	char text[64], *end;

	snprintf(text, sizeof text, "%.*s", (int)bytes.len, (const char *)bytes.data);
	*number = strtod(text, &end);
	if (end != text && *end == 0 && isfinite(*number))
		return number;
	weir_fail(err, WEIR_DECODE, "\"%s\" is no number", text);
	return NULL;
}

static inline weir_bytes decimal_encode(weir_context *cx, const void *object)
{
	return *weir_text(cx, "%.2f", *(const double *)object);
}

static const weir_serde decimal = { "decimal", decimal_decode, decimal_encode, sizeof(double), false };

/* The aggregate: changed in place in the store's cache. */
struct sum {
	int64_t count;
	double total;
};

/* These are its bytes in the changelog and on disk, once a commit. */
static inline const void *sum_decode(weir_context *cx, weir_bytes bytes, weir_error *err)
{
	struct sum *s = weir_alloc(cx, sizeof *s);

	if (bytes.len != 16) {
		weir_fail(err, WEIR_DECODE, "a sum of 16 bytes wanted, %zu found", bytes.len);
		return NULL;
	}
	int64_t bits = weir_get_be64((const char *)bytes.data + 8);

	s->count = weir_get_be64(bytes.data);
	memcpy(&s->total, &bits, 8);
	return s;
}

static inline weir_bytes sum_encode(weir_context *cx, const void *object)
{
	const struct sum *s = object;
	char *bytes = weir_alloc(cx, 16);
	int64_t bits;

	memcpy(&bits, &s->total, 8);
	weir_put_be64(bytes, s->count);
	weir_put_be64(bytes + 8, bits);
	return weir_bytes_of(bytes, 16);
}

static const weir_serde sum_serde = { "sum", sum_decode, sum_encode, sizeof(struct sum), false };

static inline void add_temperature(weir_context *cx, const weir_record *r, void *aggregate, void *user)
{
	struct sum *s = aggregate;
	const double *temperature = weir_value(r);

	(void)cx, (void)user;
	if (!temperature) /* in windows, null values reach the aggregate */
		return;
	s->count++;
	s->total += *temperature;
}

static inline const void *average(weir_context *cx, const weir_record *r, void *user)
{
	const struct sum *s = weir_value(r);
	double *result = weir_alloc(cx, sizeof *result);

	(void)user;
	if (s->count == 0)
		return NULL;
	*result = s->total / (double)s->count;
	return result;
}

static inline weir_topology *hopping_averages(void)
{
	weir_topology *t = weir_topology_new("hopping-averages");
	weir_stream *readings = weir_source(t, "temperatures", (weir_source_opts){ .value = &decimal });
	weir_table *sums = weir_aggregate(
		readings, "sums", (weir_aggregator){ .value = &sum_serde, .add = add_temperature },
		(weir_window){
			.size_ms = WEIR_MINUTES(5), .advance_ms = WEIR_MINUTES(1), .grace_ms = WEIR_SECONDS(30) });
	weir_stream *averages = weir_map_values(weir_changes(sums), "averages", average, &decimal, NULL);

	weir_sink(averages, "average-temperatures", (weir_sink_opts){ .key = &weir_windowed_utf8 });
	return t;
}
