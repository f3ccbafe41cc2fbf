/*
 * Several streams folded into one aggregate for each key (KIP-150). Each stream has a step of its own, with a
 * time of its own, by which its records are late or not; the store, and what is passed on, belong to the step that
 * has the name.
 */
#include "framework/operators/aggregate.h"

static const struct operator input_op = {
	.kind = "cogroup-input",
	.keeps_time = true,
	.process = weir__aggregate_process,
};

/* Its inputs write into its store and pass nothing on. */
static void cogroup_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	(void)in, (void)cx, (void)r;
	weir_assert(!"inputs of a cogroup pass nothing on");
}

static const struct operator cogroup_op = {
	.kind = "cogroup",
	.stands_bare = true,
	.process = cogroup_process,
	.changed = weir__table_changed,
	.look_up = weir__table_look_up,
};

bool weir__is_cogroup_input(const struct node *node)
{
	return node->op == &input_op;
}

static void check(weir_topology *t, const char *name, const weir_cogrouped *inputs, size_t n,
		  const weir_aggregator *a, const weir_window *window)
{
	bool in_place = inputs[0].add != NULL;

	for (size_t i = 0; i < n; i++)
		if (!inputs[i].add == !inputs[i].fold || (inputs[i].add != NULL) != in_place)
			weir__graph_mistake(t, name, "either all inputs have add or all have fold");
	if (a->add || a->fold)
		weir__graph_mistake(t, name, "add and fold belong to the inputs");
	if (in_place && (!a->value || a->value->size == 0))
		weir__graph_mistake(t, name, "add changes aggregates in place: their serde must have a size");
	if (window->gap_ms && !a->merge)
		weir__graph_mistake(t, name, "sessions grow together: their aggregator has a merge");
	if (window->emit_on_close)
		weir__graph_mistake(t, name, "emit_on_close: each of its inputs has a time of its own");
}

static struct node *add_input(const weir_cogrouped *input, const char *name, size_t i, struct aggregate a)
{
	weir_topology *t = node_of_stream(input->stream)->topology;
	const char *step = weir__arena_printf(&t->arena, "%s-cogroup-agg-%zu", name, i);
	struct node *from =
		weir__keyed_input_through(node_of_stream(input->stream), step,
					  weir__arena_printf(&t->arena, "%s-by-key-%zu", name, i), false);

	a.aggregator.add = input->add;
	a.aggregator.fold = input->fold;
	a.user = input->user;
	struct node *n = weir__graph_add(t, from, step, &input_op, &a, sizeof a);

	n->value = a.aggregator.value;
	return n;
}

weir_table *weir_cogroup(const weir_cogrouped *inputs, size_t count, const char *name, weir_aggregator aggregator,
			 weir_window window)
{
	static const weir_cogrouped none = { 0 };
	bool empty = !inputs || count == 0;

	inputs = empty ? &none : inputs;
	count = empty ? 1 : count;
	weir_topology *t = node_of_stream(inputs[0].stream)->topology;
	struct aggregate a = { .aggregator = aggregator, .window = window };
	struct node *n = NULL, **made = weir__arena_alloc(&t->arena, count * sizeof(struct node *));

	name = weir__arena_strdup(&t->arena, name ? name : "");
	check(t, name, inputs, count, &aggregator, &window);
	a.window.emit_on_close = false;
	a.kind = weir__window_check(t, name, &a.window);
	a.takes_null_values = a.kind != WINDOW_NONE && a.kind != WINDOW_SLIDING;
	for (size_t i = 0; i < count; i++) {
		made[i] = add_input(&inputs[i], name, i, a);
		if (n)
			weir__graph_connect(made[i], n);
		else
			n = weir__graph_add(t, made[i], name, &cogroup_op, NULL, 0);
	}
	n->windowed = a.kind != WINDOW_NONE;
	a.aggregator.add = inputs[0].add;
	struct store_spec spec = weir__aggregate_store_spec(&a, aggregator.value);

	weir__graph_store_place(t, name, &spec, window.in_memory, window.on_disk);
	struct graph_store *store = weir__graph_store_add(t, name, &spec, aggregator.value);

	store->owner = n;
	n->stores[n->store_count++] = store;
	for (size_t i = 0; i < count; i++) {
		made[i]->windowed = n->windowed;
		made[i]->stores[made[i]->store_count++] = store;
		for (size_t j = 0; j < WEIR_PROCESSOR_STORES_MAX && aggregator.stores[j]; j++)
			weir__graph_store_use(made[i], aggregator.stores[j]);
	}
	return table_of(n);
}
