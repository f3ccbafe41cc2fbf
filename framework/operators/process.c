#include "framework/operators/operator.h"

static size_t process_state_size(const struct node *node)
{
	return ((const weir_processor *)node->opts)->state_size;
}

static void process_init(struct instance *in, weir_context *cx)
{
	const weir_processor *p = in->node->opts;

	if (p->init)
		p->init(cx, in->state, p->user);
}

static void process_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	const weir_processor *p = in->node->opts;

	p->process(cx, r, in->state, p->user);
}

static void process_close(struct instance *in)
{
	const weir_processor *p = in->node->opts;

	if (p->close)
		p->close(in->state, p->user);
}

static const struct operator process_op = {
	.kind = "process",
	.keeps_time = true,
	.state_size = process_state_size,
	.init = process_init,
	.process = process_process,
	.close = process_close,
};

weir_stream *weir_process(weir_stream *s, const char *name, weir_processor processor)
{
	bool has_stores = processor.stores[0] != NULL;
	struct node *parent = has_stores ? weir__keyed_input(node_of_stream(s), name, true) : node_of_stream(s);
	struct node *n = weir__graph_add(parent->topology, parent, name, &process_op, &processor, sizeof processor);

	if (!processor.process)
		weir__graph_mistake(n->topology, name, "it has no process function");
	for (size_t i = 0; i < WEIR_PROCESSOR_STORES_MAX && processor.stores[i]; i++)
		weir__graph_store_use(n, processor.stores[i]);
	if (processor.value)
		n->value = processor.value;
	if (!processor.keeps_key)
		n->key_changed = n->changes_key = true;
	return stream_of(n);
}
