#include "framework/operators/operator.h"

/* False: the partitioner is wrong, and the application stops. */
static bool chosen_partition(const struct instance *in, weir_context *cx, const weir_record *r, const char *topic,
			     int32_t *partition)
{
	const weir_sink_opts *opts = in->node->opts;
	int32_t count = cx->ops->partitions(cx, topic);

	*partition = opts->partition(cx, r, count, opts->user);
	if (*partition >= -1 && *partition < count)
		return true;
	weir_stop(cx, "step \"%s\" sends to partition %d of topic \"%s\", which has %d", in->node->name,
		  (int)*partition, topic, (int)count);
	return false;
}

static void sink_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	const weir_sink_opts *opts = in->node->opts;
	const char *topic = opts->route ? opts->route(cx, r, opts->user) : opts->topic;
	weir_record out = *r;
	weir_bytes key = r->key;
	int32_t partition = -1;

	if (!topic) {
		weir_dead_letter(cx, r, "no topic to go to");
		return;
	}
	if (opts->value && r->serde && opts->value != r->serde && !weir_value_is_null(r)) {
		out.encoded = opts->value->encode(cx, weir_value(r));
		out.has_encoded = true;
	}
	if (opts->partition && !chosen_partition(in, cx, r, topic, &partition))
		return;
	if (weir_has_window(r) && !weir_is_null(r->key) && (!opts->key || opts->key->windowed)) {
		/* As Kafka Streams: by the inner key, so that all windows of a key share a partition. */
		if (partition < 0)
			partition = weir_partition_for_key(r->key, cx->ops->partitions(cx, topic));
		key = weir__windowed_key(cx, r);
	}
	cx->ops->send(cx, topic, partition, &out, key);
}

const struct operator weir__sink_op = { .kind = "sink", .process = sink_process };

const char *weir__sink_topic(const struct node *node)
{
	const weir_sink_opts *opts = node->opts;

	return opts->route ? NULL : opts->topic;
}

void weir_sink(weir_stream *s, const char *name, weir_sink_opts opts)
{
	struct node *n = weir__graph_add(node_of_stream(s)->topology, node_of_stream(s), name, &weir__sink_op,
					 &opts, sizeof opts);
	weir_sink_opts *kept = (weir_sink_opts *)n->opts; /* ours until the topology runs */

	kept->topic = opts.topic ? weir__arena_strdup(&n->topology->arena, opts.topic) : n->name;
}
