#include "framework/operators/operator.h"

static bool is_there(const struct instance *in, weir_context *cx, const char *topic, int32_t partition,
		     int32_t count)
{
	if (partition >= 0 && partition < count)
		return true;
	weir_stop(cx, "step \"%s\" sends to partition %d of topic \"%s\", which has %d", in->node->name,
		  (int)partition, topic, (int)count);
	return false;
}

bool weir__chosen_partition(const struct instance *in, weir_context *cx, const weir_record *r, const char *topic,
			    weir_partition_fn *choose, void *user, int32_t *partition)
{
	int32_t count = cx->ops->partitions(cx, topic);

	*partition = choose(cx, r, count, user);
	return cx->failure || *partition == -1 || is_there(in, cx, topic, *partition, count);
}

/* False: by the key. */
static bool send_to_chosen(struct instance *in, weir_context *cx, const char *topic, const weir_record *r,
			   weir_bytes key)
{
	const weir_sink_opts *opts = in->node->opts;
	int32_t count = cx->ops->partitions(cx, topic), *chosen = weir_alloc(cx, (size_t)count * sizeof *chosen);
	int32_t n = opts->multicast(cx, r, count, chosen, opts->user);

	if (n < 0)
		return false;
	if (cx->failure)
		return true;
	if (n == 0)
		weir_dead_letter(cx, r, "no partition to go to");
	if (n > count)
		weir_stop(cx, "step \"%s\" sends to %d partitions of topic \"%s\", which has %d", in->node->name,
			  (int)n, topic, (int)count);
	for (int32_t i = 0; i < n && n <= count; i++)
		if (is_there(in, cx, topic, chosen[i], count))
			cx->ops->send(cx, topic, chosen[i], r, key);
	return true;
}

static void sink_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	const weir_sink_opts *opts = in->node->opts;
	const char *topic = opts->route ? opts->route(cx, r, opts->user) : opts->topic;
	weir_record out = *r;
	weir_bytes key = r->key;
	int32_t partition = -1;

	if (cx->failure)
		return;
	if (!topic) {
		weir_dead_letter(cx, r, "no topic to go to");
		return;
	}
	if (opts->value && r->serde && opts->value != r->serde && !weir_value_is_null(r)) {
		out.object = weir_value(r);
		out.encoded = WEIR_NULL;
		out.has_encoded = false;
		out.serde = opts->value;
	}
	if (opts->partition && !weir__chosen_partition(in, cx, r, topic, opts->partition, opts->user, &partition))
		return;
	if (weir_has_window(r) && !weir_is_null(r->key) && (!opts->key || opts->key->windowed)) {
		/* As Kafka Streams: by the inner key, so that all windows of a key share a partition. */
		if (partition < 0)
			partition = weir_partition_for_key(r->key, cx->ops->partitions(cx, topic));
		key = weir__windowed_key(cx, r);
	}
	if (!opts->multicast || !send_to_chosen(in, cx, topic, &out, key))
		cx->ops->send(cx, topic, partition, &out, key);
}

const struct operator weir__sink_op = { .kind = "sink", .process = sink_process, .stands_bare = true };

const char *weir__sink_topic(const struct node *node)
{
	const weir_sink_opts *opts = node->opts;

	return opts->route ? NULL : opts->topic;
}

/* What an object of a serde is, as far as that is known: two of the first three have the same. -1 = not known. */
static int object_of(const weir_serde *s)
{
	static const weir_serde *const own[] = { &weir_utf8,  &weir_raw,   &weir_windowed_utf8, &weir_int64,
						 &weir_int32, &weir_int16, &weir_double,        &weir_float,
						 &weir_bool,  &weir_uuid };

	for (int i = 0; i < (int)(sizeof own / sizeof *own); i++)
		if (s == own[i])
			return i < 3 ? 0 : i;
	return -1;
}

/* Whether `to` may be given objects of `from`: false only where it is sure to read them as what they are not. */
static bool may_write(const weir_serde *to, const weir_serde *from)
{
	int to_object = object_of(to), from_object = object_of(from);

	if (to_object >= 0 && from_object >= 0)
		return to_object == from_object;
	return to->size == 0 || from->size == 0 || to->size == from->size;
}

void weir_sink(weir_stream *s, const char *name, weir_sink_opts opts)
{
	struct node *n = weir__graph_add(node_of_stream(s)->topology, node_of_stream(s), name, &weir__sink_op,
					 &opts, sizeof opts);
	weir_sink_opts *kept = (weir_sink_opts *)n->opts; /* ours until the topology runs */

	if (opts.value && n->value && !may_write(opts.value, n->value))
		weir__graph_mistake(
			n->topology, name,
			"its input has values of the serde \"%s\", whose objects \"%s\" cannot write: make "
			"others of them with weir_map_values",
			n->value->name, opts.value->name);
	if (opts.partition && opts.multicast)
		weir__graph_mistake(n->topology, name, "it has two functions for partitions");
	kept->topic = opts.topic ? weir__arena_strdup(&n->topology->arena, opts.topic) : n->name;
}
