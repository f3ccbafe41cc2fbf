/* Cards that somebody tries out: a few small payments, then a large one, all within one session, which is looked at
 * once, when nothing can be added to it any more. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <weir/weir.h>

enum { SMALL_CENTS = 500, LARGE_CENTS = 30000, SMALL_ONES = 3 };

/* A payment is its cents, as text: "1250". */
static inline const void *cents_decode(weir_context *cx, weir_bytes bytes, weir_error *err)
{
	int64_t *cents = weir_alloc(cx, sizeof *cents);
	char text[32], *end;

	snprintf(text, sizeof text, "%.*s", (int)bytes.len, (const char *)bytes.data);
	*cents = strtoll(text, &end, 10);
	if (end != text && *end == 0 && *cents >= 0)
		return cents;
	weir_fail(err, WEIR_DECODE, "\"%s\" is no amount", text);
	return NULL;
}

static inline weir_bytes cents_encode(weir_context *cx, const void *object)
{
	return *weir_text(cx, "%" PRId64, *(const int64_t *)object);
}

static const weir_serde cents_serde = { "cents", cents_decode, cents_encode, sizeof(int64_t), false };

/* What is known of a session. */
struct burst {
	int32_t payments, small;
	int64_t largest_cents;
};

static inline const void *burst_decode(weir_context *cx, weir_bytes bytes, weir_error *err)
{
	struct burst *b = weir_alloc(cx, sizeof *b);

	if (bytes.len == sizeof *b)
		return memcpy(b, bytes.data, sizeof *b);
	weir_fail(err, WEIR_DECODE, "%zu bytes wanted, %zu found", sizeof *b, bytes.len);
	return NULL;
}

/* Good enough where all instances are alike; else big-endian numbers (example 5). */
static inline weir_bytes burst_encode(weir_context *cx, const void *object)
{
	return weir_bytes_of(memcpy(weir_alloc(cx, sizeof(struct burst)), object, sizeof(struct burst)),
			     sizeof(struct burst));
}

static const weir_serde burst_serde = { "burst", burst_decode, burst_encode, sizeof(struct burst), false };

static inline void add_payment(weir_context *cx, const weir_record *r, void *aggregate, void *user)
{
	struct burst *b = aggregate;
	const int64_t *cents = weir_value(r);

	(void)cx, (void)user;
	if (!cents) /* in windows, null values reach the aggregate */
		return;
	b->payments++;
	b->small += *cents <= SMALL_CENTS;
	b->largest_cents = *cents > b->largest_cents ? *cents : b->largest_cents;
}

static inline const void *join_bursts(weir_context *cx, weir_bytes key, const void *a, const void *b, void *user)
{
	const struct burst *x = a, *y = b;
	struct burst *both = weir_alloc(cx, sizeof *both);

	(void)key, (void)user;
	*both = (struct burst){ x->payments + y->payments, x->small + y->small,
				x->largest_cents > y->largest_cents ? x->largest_cents : y->largest_cents };
	return both;
}

static inline bool is_suspicious(weir_context *cx, const weir_record *r, void *user)
{
	const struct burst *b = weir_value(r);

	(void)cx, (void)user;
	return b && b->small >= SMALL_ONES && b->largest_cents >= LARGE_CENTS;
}

static inline const void *in_words(weir_context *cx, const weir_record *r, void *user)
{
	const struct burst *b = weir_value(r);

	(void)user;
	return weir_text(cx, "%d payments, %d of them small, the largest %.2f", b->payments, b->small,
			 (double)b->largest_cents / 100);
}

static inline weir_topology *card_fraud(void)
{
	weir_topology *t = weir_topology_new("card-fraud");
	weir_stream *payments = weir_source(t, "payments", (weir_source_opts){ .value = &cents_serde });
	weir_aggregator bursts = { .value = &burst_serde, .add = add_payment, .merge = join_bursts };
	weir_window window = { .gap_ms = WEIR_MINUTES(10), .grace_ms = WEIR_MINUTES(1) };
	weir_table *sessions = weir_aggregate(payments, "sessions", bursts, window);
	weir_table *ended = weir_suppress(sessions, "ended", (weir_suppress_opts){ .until_window_closes = true });
	weir_stream *suspicious = weir_filter(weir_changes(ended), "suspicious", is_suspicious, NULL);

	weir_sink(weir_map_values(suspicious, "in-words", in_words, &weir_utf8, NULL), "alerts",
		  (weir_sink_opts){ 0 });
	return t;
}
