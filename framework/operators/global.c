/* Global tables as steps see them; the rows are the runtime's. */
#include "framework/operators/operator.h"

static struct graph_global *global_new(weir_topology *t, const char *name, const weir_global_opts *opts)
{
	struct graph_global *g = weir__arena_zalloc(&t->arena, sizeof *g);

	name = name ? name : "";
	*g = (struct graph_global){
		.id = (int)t->global_count,
		.name = weir__arena_strdup(&t->arena, name),
		.store = weir__arena_strdup(&t->arena, opts->store.store ? opts->store.store : name),
		.topic = weir__arena_strdup(&t->arena, opts->topic ? opts->topic : name),
		.value = opts->value,
		.topic_value = opts->value,
	};
	g->spec = weir__graph_store_spec(t, name, &opts->of);
	g->spec.name = g->store;
	g->spec.ordered |= opts->store.ordered;
	if (opts->store.unlogged)
		weir__graph_mistake(t, name, "its topic is its changelog: it cannot be unlogged");
	if (opts->store.versioned)
		weir__graph_mistake(t, name, "a global table keeps no versions");
	return g;
}

weir_global *weir_global_table(weir_topology *t, const char *name, weir_global_opts opts)
{
	struct graph_global *g = global_new(t, name, &opts);

	if (g->spec.kind != STORE_KEY_VALUE || g->spec.entries_max || g->spec.headers)
		weir__graph_mistake(t, name, "a global table has keys and values: `of` is for weir_global_store");
	weir__graph_store_place(t, name, &g->spec, opts.store.in_memory || opts.of.in_memory, opts.store.on_disk);
	weir__graph_global_add(t, g);
	return (weir_global *)g;
}

weir_global *weir_global_store(weir_topology *t, const char *name, weir_global_opts opts, weir_processor processor)
{
	opts.of.unlogged = true; /* as in Kafka Streams: the topic is there for it */
	struct graph_global *g = global_new(t, name, &opts);

	g->spec.in_memory |= opts.store.in_memory;
	g->process = weir__process_apart(t, g->name, g->store, opts.value, processor);
	g->value = g->process->value;
	weir__graph_global_add(t, g);
	return (weir_global *)g;
}

bool weir__global_look_up(weir_context *cx, const weir_global *global, weir_bytes key, weir_record *row)
{
	const struct graph_global *g = (const struct graph_global *)global;

	*row = (weir_record){ .key = key, .has_encoded = true, .serde = g->value, .cx = cx };
	if (g->spec.kind != STORE_KEY_VALUE)
		weir_stop(cx, "the global store \"%s\" has no keys with a value each: see weir_global_read",
			  g->store);
	else if (!weir_is_null(key))
		row->encoded = cx->ops->global_get(cx, g, key, &row->timestamp_ms);
	return !weir_is_null(row->encoded);
}

const void *weir_global_get(weir_context *cx, const weir_global *global, weir_bytes key, int64_t *timestamp_ms)
{
	weir_record row;

	if (!weir__global_look_up(cx, global, key, &row))
		return NULL;
	if (timestamp_ms)
		*timestamp_ms = row.timestamp_ms;
	return weir_value(&row);
}

void weir_global_read(weir_context *cx, const weir_global *global, weir_global_read_fn *fn, void *user)
{
	cx->ops->global_read(cx, (const struct graph_global *)global, fn, user);
}
