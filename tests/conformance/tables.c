/* Tables; the same names as in kafka-streams/.../Tables.java. */
#include "tests/conformance/conformance.h"

static weir_table *table_in(struct graph *g, const struct step *s, size_t i)
{
	return input(g, s, i)->table;
}

static weir_table_opts opts_of(const struct step *s)
{
	const char *log = step_option(s, "log"), *history = step_option(s, "history");

	return (weir_table_opts){ .entries_max = step_number(s, "max", 0),
				  .unlogged = log && strcmp(log, "off") == 0,
				  .versioned = history != NULL,
				  .history_ms = history ? atoll(history) : 0 };
}

/* Views have a store only if they are given one. */
static weir_table_opts view_opts_of(const struct step *s)
{
	const char *store = step_option(s, "store");
	weir_table_opts opts = store ? opts_of(s) : (weir_table_opts){ 0 };

	opts.store = store;
	return opts;
}

static void build_table(struct graph *g, const struct step *s)
{
	weir_table_source_opts opts = { .topic = step_option(s, "topic"), .value = &weir_utf8 };

	opts.store = opts_of(s);
	graph_put_table(g, s->name, weir_table_source(g->t, s->name, opts), &weir_utf8);
}

static void build_to_table(struct graph *g, const struct step *s)
{
	struct named *in = input(g, s, 0);

	graph_put_table(g, s->name, weir_to_table(in->stream, s->name, opts_of(s)), in->value);
}

/* --- views ---------------------------------------------------------------------------------------------------- */

static void build_filter(struct graph *g, const struct step *s)
{
	struct bound *p = bind(g, "predicate", step_option(s, "fn"));
	bool not = strcmp(s->op, "table-filter-not") == 0;

	graph_put_table(g, s->name,
			(not ? weir_table_filter_not : weir_table_filter)(table_in(g, s, 0), s->name, tested,
									  view_opts_of(s), p),
			input(g, s, 0)->value);
}

static const void *map_value(weir_context *cx, const weir_record *r, void *user)
{
	const struct bound *b = user;

	return text_object(cx, b->map(cx, key_text(r), value_text(r), b->argument));
}

static void build_map_values(struct graph *g, const struct step *s)
{
	struct bound *f = bind(g, "mapper", step_option(s, "fn"));

	graph_put_table(
		g, s->name,
		weir_table_map_values(table_in(g, s, 0), s->name, map_value, &weir_utf8, view_opts_of(s), f),
		&weir_utf8);
}

/* Values with, behind them, how often the key's row has been asked for so far, which a store knows. */
struct transforming {
	struct bound *map;
	const char *calls; /* NULL = they are not counted */
};

static const void *transform_value(weir_context *cx, const weir_record *r, void *state, void *user)
{
	const struct transforming *f = user;
	const char *value = f->map->map(cx, key_text(r), value_text(r), f->map->argument);

	(void)state;
	if (!f->calls)
		return text_object(cx, value);
	weir_store *store = weir_context_store(cx, f->calls);
	weir_bytes old = weir_store_get(store, r->key, NULL);
	const char *calls = format(cx, "%d", weir_is_null(old) ? 1 : atoi(bytes_text(cx, old)) + 1);

	weir_store_put(store, r->key, weir_str(calls), r->timestamp_ms);
	return text_object(cx, value ? format(cx, "%s#%s", value, calls) : NULL);
}

static void build_transform_values(struct graph *g, const struct step *s)
{
	struct transforming *f = weir__arena_alloc(&g->arena, sizeof *f);
	weir_value_transformer how = { .transform = transform_value, .value = &weir_utf8, .user = f };

	*f = (struct transforming){ bind(g, "mapper", step_option(s, "fn")), step_option(s, "calls") };
	if (f->calls)
		weir_add_store(g->t, f->calls, (weir_store_opts){ .ordered = true });
	how.stores[0] = f->calls;
	graph_put_table(g, s->name, weir_table_transform_values(table_in(g, s, 0), s->name, how, view_opts_of(s)),
			&weir_utf8);
}

/* --- joins ---------------------------------------------------------------------------------------------------- */

struct joining {
	struct bound *join, *key;
	const weir_serde *left, *right;
};

static const void *join(weir_context *cx, weir_bytes key, const void *left, const void *right, void *user)
{
	const struct joining *j = user;

	return text_object(cx, j->join->three(cx, bytes_text(cx, key), object_text(cx, left, j->left),
					      object_text(cx, right, j->right), j->join->argument));
}

static struct joining *joining_of(struct graph *g, const struct step *s)
{
	struct joining *j = weir__arena_zalloc(&g->arena, sizeof *j);

	j->join = bind(g, "joiner", step_option(s, "fn"));
	j->left = input(g, s, 0)->value;
	j->right = input(g, s, 1)->value;
	return j;
}

static void build_join(struct graph *g, const struct step *s)
{
	weir_table *(*make)(weir_table *, const char *, weir_table *, weir_join_fn *, const weir_serde *,
			    weir_table_opts, void *) = strcmp(s->op, "table-left-join") == 0 ? weir_table_left_join
						       : strcmp(s->op, "table-outer-join") == 0
							       ? weir_table_outer_join
							       : weir_table_join;

	graph_put_table(g, s->name,
			make(table_in(g, s, 0), s->name, table_in(g, s, 1), join, &weir_utf8, view_opts_of(s),
			     joining_of(g, s)),
			&weir_utf8);
}

static weir_bytes foreign_key(weir_context *cx, const weir_record *r, void *user)
{
	const struct bound *b = ((const struct joining *)user)->key;

	return weir_str(b->map(cx, key_text(r), value_text(r), b->argument));
}

static void build_foreign(struct graph *g, const struct step *s)
{
	struct joining *j = joining_of(g, s);
	weir_foreign_opts opts = { .value = &weir_utf8, .store = opts_of(s) };
	bool left = strcmp(s->op, "foreign-left-join") == 0;

	j->key = bind(g, "mapper", step_option(s, "key"));
	graph_put_table(g, s->name,
			(left ? weir_table_left_join_foreign : weir_table_join_foreign)(
				table_in(g, s, 0), s->name, table_in(g, s, 1), foreign_key, join, opts, j),
			&weir_utf8);
}

/* --- groups --------------------------------------------------------------------------------------------------- */

struct grouping {
	struct bound *key, *value;
	weir_grouped_table *grouped;
};

static void regroup(weir_context *cx, const weir_record *in, weir_record *out, void *user)
{
	const struct grouping *m = user;
	const char *k = key_text(in), *v = value_text(in);

	weir_set_key(out, weir_str(m->key->map(cx, k, v, m->key->argument)));
	weir_set_value(out, text_object(cx, m->value->map(cx, k, v, m->value->argument)));
}

/* Aggregates find it by the step's name: it is kept as a table, which nobody else may use. */
static void build_group(struct graph *g, const struct step *s)
{
	struct grouping *m = weir__arena_zalloc(&g->arena, sizeof *m);
	const char *key = step_option(s, "key"), *value = step_option(s, "value");

	m->key = bind(g, "mapper", key ? key : "key");
	m->value = bind(g, "mapper", value ? value : "same");
	m->grouped = weir_table_group_by(table_in(g, s, 0), s->name, regroup,
					 (weir_group_by_opts){ .value = &weir_utf8 }, m);
	graph_put_table(g, s->name, (weir_table *)m, &weir_utf8);
}

static weir_grouped_table *grouped_in(struct graph *g, const struct step *s)
{
	return ((struct grouping *)table_in(g, s, 0))->grouped;
}

static void build_group_count(struct graph *g, const struct step *s)
{
	graph_put_table(g, s->name, weir_grouped_count(grouped_in(g, s), s->name, opts_of(s)), &weir_int64);
}

struct both_ways {
	struct bound *add, *subtract;
};

static struct both_ways *both_ways_of(struct graph *g, const struct step *s, const char *kind)
{
	struct both_ways *b = weir__arena_zalloc(&g->arena, sizeof *b);

	b->add = bind(g, kind, step_option(s, "fn"));
	b->subtract = bind(g, kind, step_option(s, "minus"));
	return b;
}

static const void *reduce(weir_context *cx, const struct bound *b, const void *aggregate, const void *value)
{
	return text_object(cx, b->three(cx, NULL, object_text(cx, aggregate, &weir_utf8),
					object_text(cx, value, &weir_utf8), b->argument));
}

static const void *reduce_add(weir_context *cx, const void *aggregate, const void *value, void *user)
{
	return reduce(cx, ((const struct both_ways *)user)->add, aggregate, value);
}

static const void *reduce_subtract(weir_context *cx, const void *aggregate, const void *value, void *user)
{
	return reduce(cx, ((const struct both_ways *)user)->subtract, aggregate, value);
}

static void build_group_reduce(struct graph *g, const struct step *s)
{
	graph_put_table(g, s->name,
			weir_grouped_reduce(grouped_in(g, s), s->name, reduce_add, reduce_subtract, opts_of(s),
					    both_ways_of(g, s, "reducer")),
			&weir_utf8);
}

static const void *fold(weir_context *cx, const weir_record *r, const void *aggregate, const struct bound *b)
{
	return text_object(
		cx, b->three(cx, key_text(r), value_text(r), object_text(cx, aggregate, &weir_utf8), b->argument));
}

static const void *fold_add(weir_context *cx, const weir_record *r, const void *aggregate, void *user)
{
	return fold(cx, r, aggregate, ((const struct both_ways *)user)->add);
}

static const void *fold_subtract(weir_context *cx, const weir_record *r, const void *aggregate, void *user)
{
	return fold(cx, r, aggregate, ((const struct both_ways *)user)->subtract);
}

static void build_group_aggregate(struct graph *g, const struct step *s)
{
	weir_table_aggregator a = {
		.value = &weir_utf8, .fold = fold_add, .unfold = fold_subtract, .user = both_ways_of(g, s, "folder")
	};

	graph_put_table(g, s->name, weir_grouped_aggregate(grouped_in(g, s), s->name, a, opts_of(s)), &weir_utf8);
}

const struct builder table_builders[] = {
	{ "table", build_table },
	{ "to-table", build_to_table },
	{ "table-filter", build_filter },
	{ "table-filter-not", build_filter },
	{ "table-map-values", build_map_values },
	{ "table-transform-values", build_transform_values },
	{ "table-join", build_join },
	{ "table-left-join", build_join },
	{ "table-outer-join", build_join },
	{ "foreign-join", build_foreign },
	{ "foreign-left-join", build_foreign },
	{ "group-table", build_group },
	{ "group-count", build_group_count },
	{ "group-reduce", build_group_reduce },
	{ "group-aggregate", build_group_aggregate },
	{ NULL, NULL },
};
