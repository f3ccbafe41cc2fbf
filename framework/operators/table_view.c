/* filter, filter_not and map_values of tables: computed from the table above, or kept in a store of their own. */
#include "framework/operators/operator.h"

struct view {
	weir_predicate_fn *predicate;
	bool keep_if;
	weir_map_values_fn *map;
	void *user;
	bool has_store;
	bool versioned; /* the table above */
};

/* What *row, a record of the table above, is here; false = no row. */
static bool compute(struct instance *in, weir_context *cx, weir_record *row)
{
	const struct view *v = in->node->opts;

	if (v->predicate)
		return v->predicate(cx, row, v->user) == v->keep_if;
	const void *object = v->map(cx, row, v->user);

	weir_set_value(row, object);
	return object != NULL;
}

/* A row that a filter does not let pass and did not before, in a store of so many entries, which would tell that it
 * is deleted. (Kafka Streams' filters look, its other views do not.) */
static bool is_left_out(struct instance *in, weir_bytes key)
{
	return in->node->stores[0]->spec.entries_max && weir_is_null(weir_store_get(in->stores[0], key, NULL));
}

static void view_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	const struct view *v = in->node->opts;
	weir_record out, old, row = *r;

	bool is = weir__new_of(r, &out) && compute(in, cx, &out);

	if (v->has_store) {
		bool tells = is || !v->predicate || !is_left_out(in, r->key);

		weir_set_value(&row, NULL);
		if (tells)
			weir__table_put(in, cx, is ? &out : &row);
		return;
	}
	bool failed = cx->failure != NULL;

	if (failed && !weir__goes_on_without(in, cx, r, in->node->old_wanted))
		return;
	is &= !failed;
	bool was = weir__old_of(r, &old) && compute(in, cx, &old);

	was &= !weir__old_failed(in, cx, in->node->old_wanted);
	if (failed && !was)
		return;
	if (v->predicate && r->has_old && !is && !was && !v->versioned)
		return;
	if (is) {
		row = out;
	} else {
		weir_set_value(&row, NULL);
	}
	row.has_old = r->has_old;
	row.old_object = was ? old.object : NULL;
	row.old_encoded = was && old.has_encoded ? old.encoded : WEIR_NULL;
	weir__pass_on(in, cx, &row);
}

static bool view_look_up(struct instance *in, weir_context *cx, const weir_record *of, enum table_view view,
			 weir_record *row)
{
	const struct view *v = in->node->opts;

	if (v->has_store)
		return weir__table_look_up(in, cx, of, view, row);
	return weir__look_up(in->looked_up[0], cx, of, view, row) && compute(in, cx, row);
}

#define VIEW(kind_) \
	{ \
		.kind = kind_, .process = view_process, .changed = weir__table_changed, .look_up = view_look_up \
	}
static const struct operator filter_op = VIEW("table-filter");
static const struct operator map_values_op = VIEW("table-map-values");

static weir_table *add(weir_table *table, const char *name, struct view v, const weir_serde *value,
		       weir_table_opts opts)
{
	struct node *parent = node_of_table(table);
	weir_topology *t = parent->topology;

	v.has_store = opts.store != NULL;
	v.versioned = weir__table_history_ms(parent) >= 0;
	struct node *n = weir__graph_add(t, parent, name, v.map ? &map_values_op : &filter_op, &v, sizeof v);

	if (!v.predicate && !v.map)
		weir__graph_mistake(t, name, "it has no function");
	if (value)
		n->value = value;
	weir__graph_look_up(n, parent);
	weir__table_store_of_view(n, opts);
	weir__table_keep_old(parent);
	return table_of(n);
}

weir_table *weir_table_filter(weir_table *table, const char *name, weir_predicate_fn *keep, weir_table_opts opts,
			      void *user)
{
	return add(table, name, (struct view){ .predicate = keep, .keep_if = true, .user = user }, NULL, opts);
}

weir_table *weir_table_filter_not(weir_table *table, const char *name, weir_predicate_fn *drop,
				  weir_table_opts opts, void *user)
{
	return add(table, name, (struct view){ .predicate = drop, .keep_if = false, .user = user }, NULL, opts);
}

weir_table *weir_table_map_values(weir_table *table, const char *name, weir_map_values_fn *map,
				  const weir_serde *value, weir_table_opts opts, void *user)
{
	return add(table, name, (struct view){ .map = map, .user = user }, value, opts);
}
