/*
 * Joins of a stream with a table, or with a global one: a record finds the row as it is when the record's turn has
 * come, or as it was at the record's time in a table of versions; changes of the table cause nothing. The rules
 * are those of Kafka Streams' KStreamKTableJoinProcessor.
 */
#include "framework/operators/join_table.h"

struct table_join {
	weir_join_fn *join;
	weir_key_fn *key; /* of the row, in a global table */
	const weir_global *global;
	void *user;
	bool left_alone; /* what finds no row is a result */
	int64_t grace_ms;
};

static bool find(struct instance *in, weir_context *cx, const weir_record *r, weir_bytes key, weir_record *row)
{
	const struct table_join *j = in->node->opts;

	if (weir_is_null(key))
		return false;
	return j->global ? weir__global_look_up(cx, j->global, key, row)
			 : weir__look_up(in->looked_up[0], cx, r, TABLE_AS_OF, row);
}

void weir__table_join_one(struct instance *in, weir_context *cx, const weir_record *r)
{
	const struct table_join *j = in->node->opts;
	weir_bytes key = j->key ? j->key(cx, r, j->user) : r->key;
	weir_record row, out = *r;
	bool found = find(in, cx, r, key, &row);

	if (!found && !j->left_alone)
		return;
	weir_set_value(&out, j->join(cx, r->key, weir_value(r), found ? weir_value(&row) : NULL, j->user));
	weir__pass_on(in, cx, &out);
}

static void table_join_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	const struct table_join *j = in->node->opts;

	if (weir_value_is_null(r)) {
		weir_dead_letter(cx, r, "null value");
		return;
	}
	weir_bytes key = j->key ? j->key(cx, r, j->user) : r->key;

	if (weir_is_null(key) && !j->left_alone) { /* KIP-962 */
		weir_dead_letter(cx, r, j->key ? "null join key" : "null key");
		return;
	}
	if (j->grace_ms && !weir_is_null(key))
		weir__join_buffer_take(in, cx, r, j->grace_ms);
	else
		weir__table_join_one(in, cx, r);
}

static size_t waiting_size(const struct node *node)
{
	(void)node;
	return sizeof(struct join_waiting);
}

static void waiting_init(struct instance *in, weir_context *cx)
{
	(void)cx;
	weir__join_buffer_init(in);
}

static const struct operator grace_op = { .kind = "join-table-grace",
					  .keeps_time = true,
					  .state_size = waiting_size,
					  .init = waiting_init,
					  .process = table_join_process,
					  .close = weir__join_buffer_close };
static const struct operator table_op = { .kind = "join-table", .process = table_join_process };
static const struct operator global_op = { .kind = "join-global", .process = table_join_process };

static struct node *add(struct node *from, const char *name, const struct table_join *j, const weir_serde *value)
{
	struct node *n = weir__graph_add(from->topology, from, name,
					 j->global     ? &global_op
					 : j->grace_ms ? &grace_op
						       : &table_op,
					 j, sizeof *j);

	if (!j->join)
		weir__graph_mistake(n->topology, name, "it has no function");
	if (value)
		n->value = value;
	return n;
}

/* Records wait for rows of their time: so long the table must know them. */
static void add_buffer(struct node *n, const struct node *table, int64_t grace_ms)
{
	weir_topology *t = n->topology;
	struct store_spec spec = { .kind = STORE_KEY_VALUE, .logged = true, .ordered = true };
	int64_t history_ms = weir__table_history_ms(table);

	if (grace_ms < 0)
		weir__graph_mistake(t, n->name, "grace_ms must not be negative");
	else if (history_ms < 0)
		weir__graph_mistake(t, n->name, "to wait for rows, its table must keep versions");
	else if (history_ms < grace_ms)
		weir__graph_mistake(t, n->name, "the table's history_ms must be at least grace_ms");
	n->stores[n->store_count++] =
		weir__graph_store_add(t, weir__arena_printf(&t->arena, "%s-Buffer", n->name), &spec, NULL);
}

static weir_stream *add_table(weir_stream *stream, const char *name, weir_table *table_, struct table_join *j,
			      weir_join_table_opts opts)
{
	struct node *from = node_of_stream(stream), *table = node_of_table(table_);

	if (from->windowed != table->windowed)
		weir__graph_mistake(from->topology, name, "one of its inputs has windows, the other has not");
	j->grace_ms = opts.grace_ms;
	struct node *n =
		add(from->windowed ? from : weir__keyed_input(from, name, j->left_alone), name, j, opts.value);

	if (opts.grace_ms)
		add_buffer(n, table, opts.grace_ms);
	weir__graph_look_up(n, table);
	if (j->left_alone)
		weir__null_keys_want(n);
	return stream_of(n);
}

static weir_stream *add_global(weir_stream *stream, const char *name, const struct table_join *j,
			       weir_join_table_opts opts)
{
	struct node *n = add(node_of_stream(stream), name, j, opts.value);

	if (j->left_alone)
		weir__null_keys_want(n);
	if (opts.grace_ms)
		weir__graph_mistake(n->topology, name,
				    "a global table keeps no versions: there is nothing to wait for");
	if (!j->global)
		weir__graph_mistake(n->topology, name, "its global table is NULL");
	else if (((const struct graph_global *)j->global)->spec.kind != STORE_KEY_VALUE)
		weir__graph_mistake(n->topology, name, "a global store that it joins has keys with a value each");
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
