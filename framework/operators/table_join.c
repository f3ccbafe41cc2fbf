/*
 * Joins of two tables by key. Each side is a step of its own, which finds the other table's row; the step that has
 * the join's name gets what both make of it. A change of one side meets the other's row as it was passed on, so
 * that the old value of a result is what was passed on before.
 */
#include "framework/operators/operator.h"

struct join {
	weir_join_fn *join;
	void *user;
	/* Rows without a partner are results. */
	bool left_alone, right_alone;
	bool is_right; /* the side that this step is */
	bool has_store;
};

/* NULL: no result, or a null value. */
static const void *joined(weir_context *cx, const struct join *j, const weir_record *left, const weir_record *right)
{
	const weir_record *any = left ? left : right;

	if ((!left && !j->right_alone) || (!right && !j->left_alone) || !any)
		return NULL;
	return j->join(cx, any->key, left ? weir_value(left) : NULL, right ? weir_value(right) : NULL, j->user);
}

static const void *with_other(weir_context *cx, const struct join *j, const weir_record *mine,
			      const weir_record *other)
{
	return j->is_right ? joined(cx, j, other, mine) : joined(cx, j, mine, other);
}

static void side_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	const struct join *j = in->node->opts;
	weir_record is, was, other, out = *r;

	if (r->superseded) { /* KIP-914 */
		weir__dropped(cx, 1);
		return;
	}
	bool has_new = weir__new_of(r, &is), has_old = weir__old_of(r, &was);
	bool has_other = weir__look_up(in->looked_up[0], cx, r, TABLE_PASSED_ON, &other);
	bool may_be_alone = j->is_right ? j->right_alone : j->left_alone;

	if (!has_other && (!may_be_alone || (!has_new && !has_old)))
		return;
	if (has_other && other.timestamp_ms > out.timestamp_ms)
		out.timestamp_ms = other.timestamp_ms;
	weir_set_value(&out, with_other(cx, j, has_new ? &is : NULL, has_other ? &other : NULL));
	bool failed = cx->failure != NULL;

	if (failed && !weir__goes_on_without(in, cx, r, !j->has_store && in->node->children[0]->old_wanted))
		return;
	if (failed)
		weir_set_value(&out, NULL);
	out.old_object = with_other(cx, j, has_old ? &was : NULL, has_other ? &other : NULL);
	if (weir__old_failed(in, cx, in->node->children[0]->old_wanted))
		out.old_object = NULL;
	if (failed && !out.old_object)
		return;
	out.old_encoded = WEIR_NULL;
	weir__pass_on(in, cx, &out);
}

static void join_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	const struct join *j = in->node->opts;

	if (j->has_store)
		weir__table_put(in, cx, r);
	else
		weir__pass_on(in, cx, r);
}

static bool join_look_up(struct instance *in, weir_context *cx, const weir_record *of, enum table_view view,
			 weir_record *row)
{
	const struct join *j = in->node->opts;
	weir_record left, right;

	if (j->has_store)
		return weir__table_look_up(in, cx, of, view, row);
	view = view == TABLE_AS_OF ? TABLE_NEWEST : view; /* no history of pairs, as in Kafka Streams */
	bool has_left = weir__look_up(in->looked_up[0], cx, of, view, &left);
	bool has_right = weir__look_up(in->looked_up[1], cx, of, view, &right);

	if (!has_left && !has_right)
		return false;
	*row = has_left ? left : right;
	if (has_right && right.timestamp_ms > row->timestamp_ms)
		row->timestamp_ms = right.timestamp_ms;
	weir_set_value(row, joined(cx, j, has_left ? &left : NULL, has_right ? &right : NULL));
	return row->object != NULL;
}

static const struct operator left_op = { .kind = "table-join-left", .process = side_process };
static const struct operator right_op = { .kind = "table-join-right", .process = side_process };
static const struct operator join_op = {
	.kind = "table-join",
	.process = join_process,
	.changed = weir__table_changed,
	.look_up = join_look_up,
};

static struct node *add_side(struct node *from, struct node *other, const char *name, const struct join *j,
			     const weir_serde *value)
{
	weir_topology *t = from->topology;
	char *side = weir__arena_printf(&t->arena, "%s-%s", name ? name : "", j->is_right ? "right" : "left");
	struct node *n = weir__graph_add(t, from, side, j->is_right ? &right_op : &left_op, j, sizeof *j);

	n->value = value;
	weir__graph_look_up(n, other);
	return n;
}

static weir_table *add(weir_table *left_table, const char *name, weir_table *right_table, struct join j,
		       const weir_serde *value, weir_table_opts opts)
{
	struct node *left = node_of_table(left_table), *right = node_of_table(right_table);
	weir_topology *t = left->topology;

	if (!j.join)
		weir__graph_mistake(t, name, "it has no function");
	if (left->windowed != right->windowed)
		weir__graph_mistake(t, name, "one of its tables has windows, the other has not");
	value = value ? value : left->value;
	j.has_store = opts.store != NULL;
	struct node *from_left = add_side(left, right, name, &j, value);

	j.is_right = true;
	struct node *from_right = add_side(right, left, name, &j, value);

	struct node *n = weir__graph_add(t, from_left, name, &join_op, &j, sizeof j);

	n->value = value;
	weir__graph_connect(from_right, n);
	weir__graph_look_up(n, left);
	weir__graph_look_up(n, right);
	weir__table_store_of_view(n, opts);
	weir__table_keep_old(left);
	weir__table_keep_old(right);
	return table_of(n);
}

weir_table *weir_table_join(weir_table *left, const char *name, weir_table *right, weir_join_fn *join,
			    const weir_serde *value, weir_table_opts opts, void *user)
{
	return add(left, name, right, (struct join){ .join = join, .user = user }, value, opts);
}

weir_table *weir_table_left_join(weir_table *left, const char *name, weir_table *right, weir_join_fn *join,
				 const weir_serde *value, weir_table_opts opts, void *user)
{
	return add(left, name, right, (struct join){ .join = join, .user = user, .left_alone = true }, value, opts);
}

weir_table *weir_table_outer_join(weir_table *left, const char *name, weir_table *right, weir_join_fn *join,
				  const weir_serde *value, weir_table_opts opts, void *user)
{
	struct join j = { .join = join, .user = user, .left_alone = true, .right_alone = true };

	return add(left, name, right, j, value, opts);
}
