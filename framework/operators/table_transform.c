/* transform_values of tables: map_values with a state and stores, which may give another value each time. */
#include "framework/operators/operator.h"

struct transform {
	weir_value_transformer how; /* first: its state_size is the step's */
	bool has_store;
};

static size_t transform_state_size(const struct node *node)
{
	return ((const struct transform *)node->opts)->how.state_size;
}

static void transform_init(struct instance *in, weir_context *cx)
{
	const weir_value_transformer *how = in->node->opts;

	if (how->init)
		how->init(cx, in->state, how->user);
}

static void transform_close(struct instance *in)
{
	const weir_value_transformer *how = in->node->opts;

	if (how->close)
		how->close(in->state, how->user);
}

/* *row, a record of the table above or one without a value, becomes what it is here. */
static void transform(struct instance *in, weir_context *cx, weir_record *row)
{
	const weir_value_transformer *how = in->node->opts;

	weir_set_value(row, how->transform(cx, row, in->state, how->user));
}

static weir_record without_value(const weir_record *r)
{
	weir_record row = *r;

	row.object = row.old_object = NULL;
	row.encoded = row.old_encoded = WEIR_NULL;
	row.has_encoded = true;
	row.has_old = false;
	return row;
}

static void transform_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	weir_record out, old;

	if (!weir__new_of(r, &out))
		out = without_value(r);
	transform(in, cx, &out);
	if (((const struct transform *)in->node->opts)->has_store) {
		weir__table_put(in, cx, &out);
		return;
	}
	bool failed = cx->failure != NULL;

	if (failed && !weir__goes_on_without(in, cx, r, in->node->old_wanted))
		return;
	if (failed)
		weir_set_value(&out, NULL);
	/* Not if nobody wants it: a transformer may count how often it is asked. */
	out.has_old = in->node->old_wanted && r->has_old;
	if (out.has_old) {
		if (!weir__old_of(r, &old))
			old = without_value(r);
		transform(in, cx, &old);
		out.old_object = weir__old_failed(in, cx, true) ? NULL : old.object;
	}
	if (failed && !out.old_object)
		return;
	weir__pass_on(in, cx, &out);
}

static bool transform_look_up(struct instance *in, weir_context *cx, const weir_record *of, enum table_view view,
			      weir_record *row)
{
	static const weir_headers none = { 0 };

	if (((const struct transform *)in->node->opts)->has_store)
		return weir__table_look_up(in, cx, of, view, row);
	if (!weir__look_up(in->looked_up[0], cx, of, view, row)) {
		*row = without_value(of);
		row->timestamp_ms = -1;
	}
	row->headers = &none;
	transform(in, cx, row);
	row->headers = NULL;
	return row->object != NULL;
}

static const struct operator transform_op = {
	.kind = "table-transform-values",
	.forwards_nothing = true,
	.state_size = transform_state_size,
	.init = transform_init,
	.process = transform_process,
	.changed = weir__table_changed,
	.look_up = transform_look_up,
	.close = transform_close,
};

weir_table *weir_table_transform_values(weir_table *table, const char *name, weir_value_transformer transformer,
					weir_table_opts opts)
{
	struct node *parent = node_of_table(table);
	struct transform how = { .how = transformer, .has_store = opts.store != NULL };
	struct node *n = weir__graph_add(parent->topology, parent, name, &transform_op, &how, sizeof how);

	if (!transformer.transform)
		weir__graph_mistake(n->topology, name, "it has no function");
	if (transformer.value)
		n->value = transformer.value;
	weir__graph_look_up(n, parent);
	weir__table_store_of_view(n, opts);
	for (size_t i = 0; i < WEIR_PROCESSOR_STORES_MAX && transformer.stores[i]; i++)
		weir__graph_store_use(n, transformer.stores[i]);
	return table_of(n);
}
