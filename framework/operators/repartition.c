/* A repartition is two steps with a topic between them: the first ends one sub-topology, the second begins another.
 * */
#include "framework/operators/operator.h"

struct writer {
	const char *name;
	bool keeps_null_keys; /* what comes behind it decides about them */
};

static void writer_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	const struct writer *w = in->node->opts;

	if (weir_is_null(r->key) && !w->keeps_null_keys)
		weir_dead_letter(cx, r, "null key");
	else
		cx->ops->send(cx, cx->ops->repartition_topic(cx, w->name), -1, r, r->key);
}

static const struct operator writer_op = { .kind = "repartition", .process = writer_process };

struct node *weir__repartition_read(struct node *writer, const char *name, const weir_serde *value,
				    int32_t partitions)
{
	weir_topology *t = writer->topology;

	if (partitions < 0)
		weir__graph_mistake(t, name, "it cannot have %d partitions", (int)partitions);
	/* Internal topics are read as any source is; the topic's kind tells them apart. */
	weir_stream *read = weir_source(t, name, (weir_source_opts){ .value = value });
	struct graph_topic *topic = t->topics[t->topic_count - 1];

	topic->kind = TOPIC_REPARTITION;
	topic->writer = writer;
	topic->partitions_wanted = partitions;
	return node_of_stream(read);
}

static weir_stream *repartition(weir_stream *s, const char *name, weir_repartition_opts opts, bool keeps_null_keys)
{
	struct node *parent = node_of_stream(s);
	weir_topology *t = parent->topology;
	struct writer w = { weir__arena_strdup(&t->arena, name ? name : ""), keeps_null_keys };
	struct node *writer = weir__graph_add(t, parent, weir__arena_printf(&t->arena, "%s-write", w.name),
					      &writer_op, &w, sizeof w);

	if (parent->windowed)
		weir__graph_mistake(t, name, "its input \"%s\" has windows: give it a key first (weir_key_by)",
				    parent->name);
	return stream_of(weir__repartition_read(writer, name, parent->value, opts.partitions));
}

weir_stream *weir_repartition(weir_stream *s, const char *name, weir_repartition_opts opts)
{
	return repartition(s, name, opts, false);
}

struct node *weir__keyed_input(struct node *s, const char *name)
{
	if (s->windowed)
		weir__graph_mistake(s->topology, name,
				    "its input \"%s\" has windows: give it a key first (weir_key_by)", s->name);
	if (!s->key_changed)
		return s;
	char *through = weir__arena_printf(&s->topology->arena, "%s-by-key", name ? name : "");

	return node_of_stream(repartition(stream_of(s), through, (weir_repartition_opts){ 0 }, true));
}
