#include "framework/operators/operator.h"

static void source_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	weir__pass_on(in, cx, r);
}

static void source_expect(struct instance *in, weir_bytes key, int distance)
{
	struct instance *child = in->child_count == 1 ? in->children[0] : NULL;

	if (child && child->op->expect)
		child->op->expect(child, key, distance);
}

static const struct operator source_op = {
	.kind = "source", .process = source_process, .expect = source_expect, .stands_bare = true
};

bool weir__source_take(struct instance *in, weir_context *cx, weir_record *r)
{
	const weir_source_opts *opts = in->node->opts;

	cx->current = in;
	r->serde = in->node->value;
	/* Here and not on first asking: a value that cannot be read must be found before any step has acted on its
	 * record. */
	if (r->serde && r->serde != &weir_raw && r->serde != &weir_utf8 && !weir_is_null(r->encoded)) {
		weir_error err;

		r->object = r->serde->decode_headers
				    ? r->serde->decode_headers(cx, r->encoded, weir_record_headers(r), &err)
				    : r->serde->decode(cx, r->encoded, &err);
		if (!r->object) {
			cx->ops->unreadable(cx, r, err.message);
			return false;
		}
		if (r->serde->decode_headers) { /* without the headers these bytes are nothing */
			r->encoded = WEIR_NULL;
			r->has_encoded = false;
		}
	}
	if (opts->time_ms) {
		r->timestamp_ms = opts->time_ms(cx, r, opts->user);
		weir__failed_for_good(cx, "timestamp extractor");
		if (cx->failed)
			return false;
	}
	if (r->timestamp_ms < 0) {
		weir_dead_letter(cx, r, "negative timestamp");
		return false;
	}
	return true;
}

weir_stream *weir_source(weir_topology *t, const char *name, weir_source_opts opts)
{
	const char *const *topics = opts.topics;

	const char *pattern = opts.pattern;

	opts.topics = NULL; /* the caller's, for the call alone */
	opts.pattern = NULL;
	struct node *n = weir__graph_add(t, NULL, name, &source_op, &opts, sizeof opts);

	n->value = opts.value;
	if (opts.retain_ms < 0)
		weir__graph_mistake(t, name, "retain_ms must not be negative");
	if (opts.reset_ms < 0 || (opts.reset_ms && opts.reset != WEIR_RESET_BY_DURATION))
		weir__graph_mistake(t, name, "reset_ms is for WEIR_RESET_BY_DURATION, and not negative");
	if (opts.topic_count && opts.topic)
		weir__graph_mistake(t, name, "it has both topic and topics");
	for (size_t i = 0; i < opts.topic_count; i++)
		weir__graph_topic_add(t, topics[i], TOPIC_EXTERNAL, n);
	if (opts.partitions < 0 || (opts.partitions && !pattern))
		weir__graph_mistake(t, name, "partitions is for a pattern, and not negative");
	if (pattern && (opts.topic_count || opts.topic || opts.retain_ms))
		weir__graph_mistake(t, name, "with a pattern it has neither topic nor topics nor retain_ms");
	if (pattern)
		weir__graph_pattern_add(t, pattern, n)->partitions_wanted = opts.partitions;
	else if (opts.topic_count == 0)
		weir__graph_topic_add(t, opts.topic ? opts.topic : n->name, TOPIC_EXTERNAL, n);
	return stream_of(n);
}
