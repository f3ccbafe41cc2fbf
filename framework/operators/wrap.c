/* What is put around steps (weir_topology_wrap). Nothing is around a step unless its topology says so: the runtime
 * calls an instance's operator, and that of a wrapped one is a copy whose functions call the wrapper's. */
#include "framework/operators/operator.h"

struct weir_wrapped {
	struct instance *in;
	const weir_wrapper *wrapper;
	const struct operator* inner; /* the step's own */
	struct operator op;
	void *state;  /* the wrapper's; in->state is the step's, as ever */
	bool outside; /* a callback of the wrapper's is running */
	bool begun, ended;
};

const char *weir_wrapped_step(const weir_wrapped *inner)
{
	return inner->in->node->name;
}

const char *weir_wrapped_kind(const weir_wrapped *inner)
{
	return inner->inner->kind;
}

void *weir__callers_state(const struct instance *in)
{
	return in->wrapped && in->wrapped->outside ? in->wrapped->state : in->state;
}

bool weir__callers_state_set(struct instance *in, const void *state)
{
	struct weir_wrapped *w = in->wrapped;

	if (!w)
		return false;
	bool before = w->outside;

	w->outside = state == w->state;
	return before;
}

void weir__callers_back(struct instance *in, bool before)
{
	if (in->wrapped)
		in->wrapped->outside = before;
}

bool weir__is_outside(const struct instance *in)
{
	return in->wrapped && in->wrapped->outside;
}

/* --- from the wrapper to the step ---------------------------------------------------------------- */

void weir_wrapped_init(weir_wrapped *w, weir_context *cx)
{
	bool outside = w->outside;

	w->begun = true;
	w->outside = false;
	if (w->inner->init)
		w->inner->init(w->in, cx);
	w->outside = outside;
}

void weir_wrapped_process(weir_wrapped *w, weir_context *cx, const weir_record *record)
{
	bool outside = w->outside;

	if (cx->failure)
		return;
	w->outside = false;
	w->inner->process(w->in, cx, record);
	w->outside = outside;
}

void weir_wrapped_close(weir_wrapped *w)
{
	bool outside = w->outside;

	w->ended = true;
	w->outside = false;
	if (w->inner->close)
		w->inner->close(w->in);
	w->outside = outside;
}

/* --- from the runtime to the wrapper ------------------------------------------------------------- */

static void wrapped_init(struct instance *in, weir_context *cx)
{
	struct weir_wrapped *w = in->wrapped;

	w->outside = true;
	if (w->wrapper->init)
		w->wrapper->init(cx, w, w->state, w->wrapper->user);
	w->outside = false;
	/* a step of weir's own cannot do without */
	if (!w->begun && (!w->wrapper->init || !weir__is_processor(in->node)))
		weir_wrapped_init(w, cx);
	w->begun = true;
}

static void wrapped_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	struct weir_wrapped *w = in->wrapped;
	bool outside = w->outside;
	uint32_t origin = weir__origin_of(cx, r);

	w->outside = true;
	w->wrapper->process(cx, r, w, w->state, w->wrapper->user);
	w->outside = outside;
	weir__origin_back(cx, r, origin);
}

/* Something around a step above may have given r headers: what is changed because of it has them. */
static void unwrapped_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	uint32_t origin = weir__origin_of(cx, r);

	in->wrapped->inner->process(in, cx, r);
	weir__origin_back(cx, r, origin);
}

static void wrapped_close(struct instance *in)
{
	struct weir_wrapped *w = in->wrapped;

	if (!w->begun) /* init has not come to it */
		return;
	w->outside = true;
	if (w->wrapper->close)
		w->wrapper->close(w, w->state, w->wrapper->user);
	w->outside = false;
	if (!w->ended && (!w->wrapper->close || !weir__is_processor(in->node)))
		weir_wrapped_close(w);
}

/* Those below the wrapper's step may ask while a callback of it runs. */
static bool wrapped_look_up(struct instance *in, weir_context *cx, const weir_record *of, enum table_view view,
			    weir_record *row)
{
	struct weir_wrapped *w = in->wrapped;
	bool outside = w->outside;

	w->outside = false;
	bool found = w->inner->look_up(in, cx, of, view, row);

	w->outside = outside;
	return found;
}

void weir__instance_wrap(struct instance *in, struct arena *a)
{
	const weir_wrapper *wrapper = in->node->wrapper;

	if (!wrapper && (!in->node->topology->wrap_steps || in->op->stands_bare))
		return;
	struct weir_wrapped *w = weir__arena_zalloc(a, sizeof *w);

	*w = (struct weir_wrapped){ .in = in,
				    .wrapper = wrapper,
				    .inner = in->op,
				    .op = *in->op,
				    .state = weir__arena_zalloc(a, (wrapper ? wrapper->state_size : 0) + 1) };
	in->op = &w->op;
	in->wrapped = w;
	w->op.process = wrapper && wrapper->process ? wrapped_process : unwrapped_process;
	if (!wrapper)
		return;
	w->op.init = wrapped_init;
	w->op.close = wrapped_close;
	if (w->op.look_up)
		w->op.look_up = wrapped_look_up;
}

/* --- building ------------------------------------------------------------------------------------ */

const weir_wrapper *weir__wrapper_for(const weir_topology *t, const char *name, const weir_processor *processor)
{
	const weir_wrapper *w = t->wrapper;

	return w && w->wants && !w->wants(name, processor, w->user) ? NULL : w;
}

void weir__stores_use(struct node *n, const char *const *stores)
{
	for (size_t i = 0; i < WEIR_PROCESSOR_STORES_MAX && stores[i]; i++) {
		bool known = false;

		for (size_t j = 0; j < n->store_count; j++)
			known |= strcmp(n->stores[j]->spec.name, stores[i]) == 0;
		if (!known)
			weir__graph_store_use(n, stores[i]);
	}
}

/* When all steps are there: a step's own stores come first. */
static void wrap_steps(weir_topology *t)
{
	for (size_t i = 0; i < t->node_count; i++) {
		struct node *n = t->nodes[i];

		if (n->wrapper || n->op->stands_bare || weir__is_processor(n))
			continue;
		n->wrapper = weir__wrapper_for(t, n->name, NULL);
		if (n->wrapper)
			weir__stores_use(n, n->wrapper->stores);
	}
}

void weir_topology_wrap(weir_topology *t, weir_wrapper wrapper)
{
	bool late = t->node_count || t->wrapper;

	for (size_t i = 0; i < t->global_count; i++)
		late |= t->globals[i]->process != NULL;
	if (late)
		weir__graph_mistake(t, t->name, "it is to be wrapped once, before its first step");
	t->wrapper = weir__arena_copy(&t->arena, weir_bytes_of(&wrapper, sizeof wrapper)).data;
	if (wrapper.steps)
		t->wrap_steps = wrap_steps;
}
