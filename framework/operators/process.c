/* Processors, and what is put around them. */
#include "framework/operators/operator.h"

struct process {
	weir_processor inner;
	const weir_wrapper *wrapper; /* NULL = none */
};

/* in->state of a wrapped one; both states follow. In a callback in->state is the state of whoever is called: timers
 * that it schedules get that. */
struct weir_wrapped {
	struct instance *in;
	void *wrappers, *inners;
};

static size_t round_up(size_t n)
{
	return (n + 15) / 16 * 16;
}

static size_t process_state_size(const struct node *node)
{
	const struct process *p = node->opts;

	if (!p->wrapper)
		return p->inner.state_size;
	return round_up(sizeof(struct weir_wrapped)) + round_up(p->wrapper->state_size) + p->inner.state_size;
}

static void process_init(struct instance *in, weir_context *cx)
{
	const weir_processor *p = &((const struct process *)in->node->opts)->inner;

	if (p->init)
		p->init(cx, in->state, p->user);
}

static void process_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	const weir_processor *p = &((const struct process *)in->node->opts)->inner;

	p->process(cx, r, in->state, p->user);
}

static void process_close(struct instance *in)
{
	const weir_processor *p = &((const struct process *)in->node->opts)->inner;

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

/* --- wrapped ------------------------------------------------------------------------------------- */

const char *weir_wrapped_step(const weir_wrapped *inner)
{
	return inner->in->node->name;
}

void weir_wrapped_init(weir_wrapped *inner, weir_context *cx)
{
	void *callers = inner->in->state;

	inner->in->state = inner->inners;
	process_init(inner->in, cx);
	inner->in->state = callers;
}

void weir_wrapped_process(weir_wrapped *inner, weir_context *cx, const weir_record *record)
{
	void *callers = inner->in->state;

	if (cx->failure)
		return;
	inner->in->state = inner->inners;
	process_process(inner->in, cx, record);
	inner->in->state = callers;
}

void weir_wrapped_close(weir_wrapped *inner)
{
	void *callers = inner->in->state;

	inner->in->state = inner->inners;
	process_close(inner->in);
	inner->in->state = callers;
}

static const weir_wrapper *wrapper_of(const struct instance *in)
{
	return ((const struct process *)in->node->opts)->wrapper;
}

static void wrapped_init(struct instance *in, weir_context *cx)
{
	const weir_wrapper *wrapper = wrapper_of(in);
	struct weir_wrapped *w = in->state;
	char *at = in->state;

	w->in = in;
	w->wrappers = at + round_up(sizeof *w);
	w->inners = (char *)w->wrappers + round_up(wrapper->state_size);
	in->state = w->wrappers;
	if (wrapper->init)
		wrapper->init(cx, w, w->wrappers, wrapper->user);
	else
		weir_wrapped_init(w, cx);
	in->state = w;
}

static void wrapped_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	const weir_wrapper *wrapper = wrapper_of(in);
	struct weir_wrapped *w = in->state;

	in->state = w->wrappers;
	if (wrapper->process)
		wrapper->process(cx, r, w, w->wrappers, wrapper->user);
	else
		weir_wrapped_process(w, cx, r);
	in->state = w;
}

static void wrapped_close(struct instance *in)
{
	const weir_wrapper *wrapper = wrapper_of(in);
	struct weir_wrapped *w = in->state;

	if (!w->in) /* init has not come to it */
		return;
	in->state = w->wrappers;
	if (wrapper->close)
		wrapper->close(w, w->wrappers, wrapper->user);
	else
		weir_wrapped_close(w);
	in->state = w;
}

static const struct operator wrapped_op = {
	.kind = "process",
	.keeps_time = true,
	.state_size = process_state_size,
	.init = wrapped_init,
	.process = wrapped_process,
	.close = wrapped_close,
};

/* --- building ------------------------------------------------------------------------------------ */

static void use_stores(struct node *n, const char *const *stores)
{
	for (size_t i = 0; i < WEIR_PROCESSOR_STORES_MAX && stores[i]; i++) {
		bool known = false;

		for (size_t j = 0; j < n->store_count; j++)
			known |= strcmp(n->stores[j]->spec.name, stores[i]) == 0;
		if (!known)
			weir__graph_store_use(n, stores[i]);
	}
}

/* What is around a processor called `name`; NULL = nothing. */
static const weir_wrapper *wrapper_for(const weir_topology *t, const char *name, const weir_processor *processor)
{
	const weir_wrapper *w = t->wrapper;

	return w && w->wants && !w->wants(name, processor, w->user) ? NULL : w;
}

struct node *weir__process_apart(weir_topology *t, const char *name, const char *store, const weir_serde *value,
				 weir_processor processor)
{
	static const struct operator apart_op = {
		.kind = "process",
		.forwards_nothing = true,
		.state_size = process_state_size,
		.init = process_init,
		.process = process_process,
		.close = process_close,
	};
	static const struct operator wrapped_apart_op = {
		.kind = "process",
		.forwards_nothing = true,
		.state_size = process_state_size,
		.init = wrapped_init,
		.process = wrapped_process,
		.close = wrapped_close,
	};
	struct process p = { .inner = processor, .wrapper = wrapper_for(t, name, &processor) };
	struct node *n = weir__arena_zalloc(&t->arena, sizeof *n);
	struct graph_store *own = weir__arena_zalloc(&t->arena, sizeof *own);

	if (!processor.process)
		weir__graph_mistake(t, name, "it has no process function");
	if (processor.stores[0] && (strcmp(processor.stores[0], store) != 0 || processor.stores[1]))
		weir__graph_mistake(t, name, "before a global store there is no other store");
	if (p.wrapper && p.wrapper->stores[0])
		weir__graph_mistake(t, name, "what is around it has stores, and it has but its own");
	own->spec.name = store;
	*n = (struct node){
		.id = -1,
		.name = name,
		.op = p.wrapper ? &wrapped_apart_op : &apart_op,
		.topology = t,
		.stores = { own },
		.store_count = 1,
		.value = processor.value ? processor.value : value,
		.opts = weir__arena_copy(&t->arena, weir_bytes_of(&p, sizeof p)).data,
		.subtopology = -1,
	};
	return n;
}

weir_stream *weir_process(weir_stream *s, const char *name, weir_processor processor)
{
	weir_topology *t = node_of_stream(s)->topology;
	struct process p = { .inner = processor, .wrapper = wrapper_for(t, name, &processor) };
	bool has_stores = processor.stores[0] || (p.wrapper && p.wrapper->stores[0]);
	bool is_keyed = has_stores && !processor.no_repartition && !(t->as & WEIR_AS_PROCESSORS);
	struct node *parent = is_keyed ? weir__keyed_input(node_of_stream(s), name, true) : node_of_stream(s);
	const struct operator* op = p.wrapper ? &wrapped_op : processor.keeps_key ? &keeping_op : & process_op;
	struct node *n = weir__graph_add(t, parent, name, op, &p, sizeof p);

	if (!processor.process)
		weir__graph_mistake(n->topology, name, "it has no process function");
	use_stores(n, processor.stores);
	if (p.wrapper)
		use_stores(n, p.wrapper->stores);
	if (processor.value)
		n->value = processor.value;
	if (!processor.keeps_key)
		n->key_changed = n->changes_key = true;
	return stream_of(n);
}
