/* Processors. */
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

static void keeping_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	weir__process_keeping(in, cx, r, process_process);
}

static const struct operator keeping_op = {
	.kind = "process",
	.keeps_time = true,
	.state_size = process_state_size,
	.init = process_init,
	.process = keeping_process,
	.close = process_close,
};

static const struct operator process_op = {
	.kind = "process",
	.keeps_time = true,
	.state_size = process_state_size,
	.init = process_init,
	.process = process_process,
	.close = process_close,
};

static const struct operator apart_op = {
	.kind = "process",
	.forwards_nothing = true,
	.state_size = process_state_size,
	.init = process_init,
	.process = process_process,
	.close = process_close,
};

bool weir__is_processor(const struct node *node)
{
	return node->op == &process_op || node->op == &keeping_op || node->op == &apart_op;
}

/* --- building ------------------------------------------------------------------------------------ */

struct node *weir__process_apart(weir_topology *t, const char *name, const char *store, const weir_serde *value,
				 weir_processor processor)
{
	const weir_wrapper *wrapper = weir__wrapper_for(t, name, &processor);
	struct node *n = weir__arena_zalloc(&t->arena, sizeof *n);
	struct graph_store *own = weir__arena_zalloc(&t->arena, sizeof *own);

	if (!processor.process)
		weir__graph_mistake(t, name, "it has no process function");
	if (processor.stores[0] && (strcmp(processor.stores[0], store) != 0 || processor.stores[1]))
		weir__graph_mistake(t, name, "before a global store there is no other store");
	if (wrapper && wrapper->stores[0])
		weir__graph_mistake(t, name, "what is around it has stores, and it has but its own");
	own->spec.name = store;
	*n = (struct node){
		.id = -1,
		.name = name,
		.op = &apart_op,
		.topology = t,
		.stores = { own },
		.store_count = 1,
		.value = processor.value ? processor.value : value,
		.opts = weir__arena_copy(&t->arena, weir_bytes_of(&processor, sizeof processor)).data,
		.wrapper = wrapper,
		.subtopology = -1,
	};
	return n;
}

weir_stream *weir_process(weir_stream *s, const char *name, weir_processor processor)
{
	weir_topology *t = node_of_stream(s)->topology;
	const weir_wrapper *wrapper = weir__wrapper_for(t, name, &processor);
	bool has_stores = processor.stores[0] || (wrapper && wrapper->stores[0]);
	bool is_keyed = has_stores && !processor.no_repartition && !(t->as & WEIR_AS_PROCESSORS);
	struct node *parent = is_keyed ? weir__keyed_input(node_of_stream(s), name, true) : node_of_stream(s);
	const struct operator* op = processor.keeps_key ? &keeping_op : & process_op;
	struct node *n = weir__graph_add(t, parent, name, op, &processor, sizeof processor);

	if (!processor.process)
		weir__graph_mistake(n->topology, name, "it has no process function");
	weir__stores_use(n, processor.stores);
	if (wrapper)
		weir__stores_use(n, wrapper->stores);
	n->wrapper = wrapper;
	if (processor.value)
		n->value = processor.value;
	if (!processor.keeps_key)
		n->key_changed = n->changes_key = true;
	return stream_of(n);
}
