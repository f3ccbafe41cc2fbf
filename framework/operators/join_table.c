/*
 * Joins of a stream with a table, or with a global one: a record finds the row as it is when the record's turn has
 * come; changes of the table cause nothing. The rules are those of Kafka Streams' KStreamKTableJoinProcessor.
 */
#include <weir/join.h>

#include "framework/operators/operator.h"

struct table_join {
	weir_join_fn *join;
	weir_key_fn *key; /* of the row, in a global table */
	const weir_global *global;
	void *user;
	bool left_alone; /* what finds no row is a result */
};

static bool find(struct instance *in, weir_context *cx, const weir_record *r, weir_bytes key, weir_record *row)
{
	const struct table_join *j = in->node->opts;

	if (weir_is_null(key))
		return false;
	return j->global ? weir__global_look_up(cx, j->global, key, row)
			 : weir__look_up(in->looked_up[0], cx, r, TABLE_NEWEST, row);
}

static void table_join_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	const struct table_join *j = in->node->opts;
	weir_record row, out = *r;

	if (weir_value_is_null(r)) {
		weir_dead_letter(cx, r, "null value");
		return;
	}
	weir_bytes key = j->key ? j->key(cx, r, j->user) : r->key;

	if (weir_is_null(key) && !j->left_alone) { /* KIP-962 */
		weir_dead_letter(cx, r, j->key ? "null join key" : "null key");
		return;
	}
	bool found = find(in, cx, r, key, &row);

	if (!found && !j->left_alone)
		return;
	weir_set_value(&out, j->join(cx, r->key, weir_value(r), found ? weir_value(&row) : NULL, j->user));
	weir__pass_on(in, cx, &out);
}

static const struct operator table_op = { .kind = "join-table", .process = table_join_process };
static const struct operator global_op = { .kind = "join-global", .process = table_join_process };

static struct node *add(struct node *from, const char *name, const struct table_join *j, const weir_serde *value)
{
	struct node *n =
		weir__graph_add(from->topology, from, name, j->global ? &global_op : &table_op, j, sizeof *j);

	if (!j->join)
		weir__graph_mistake(n->topology, name, "it has no function");
	if (value)
		n->value = value;
	return n;
}

static weir_stream *add_table(weir_stream *stream, const char *name, weir_table *table_, const struct table_join *j,
			      weir_join_table_opts opts)
{
	struct node *from = node_of_stream(stream), *table = node_of_table(table_);

	if (from->windowed != table->windowed)
		weir__graph_mistake(from->topology, name, "one of its inputs has windows, the other has not");
	struct node *n =
		add(from->windowed ? from : weir__keyed_input(from, name, j->left_alone), name, j, opts.value);

	weir__graph_look_up(n, table);
	return stream_of(n);
}

static weir_stream *add_global(weir_stream *stream, const char *name, const struct table_join *j,
			       weir_join_table_opts opts)
{
	struct node *n = add(node_of_stream(stream), name, j, opts.value);

	if (!j->key)
		weir__graph_mistake(n->topology, name, "it has no function for the key");
	return stream_of(n);
}

weir_stream *weir_join_table(weir_stream *stream, const char *name, weir_table *table, weir_join_fn *join,
			     weir_join_table_opts opts, void *user)
{
	return add_table(stream, name, table, &(struct table_join){ .join = join, .user = user }, opts);
}

weir_stream *weir_left_join_table(weir_stream *stream, const char *name, weir_table *table, weir_join_fn *join,
				  weir_join_table_opts opts, void *user)
{
	struct table_join j = { .join = join, .user = user, .left_alone = true };

	return add_table(stream, name, table, &j, opts);
}

weir_stream *weir_join_global(weir_stream *stream, const char *name, const weir_global *global, weir_key_fn *key,
			      weir_join_fn *join, weir_join_table_opts opts, void *user)
{
	struct table_join j = { .join = join, .key = key, .global = global, .user = user };

	return add_global(stream, name, &j, opts);
}

weir_stream *weir_left_join_global(weir_stream *stream, const char *name, const weir_global *global,
				   weir_key_fn *key, weir_join_fn *join, weir_join_table_opts opts, void *user)
{
	struct table_join j = { .join = join, .key = key, .global = global, .user = user, .left_alone = true };

	return add_global(stream, name, &j, opts);
}
