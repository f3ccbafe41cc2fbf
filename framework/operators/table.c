/* What tables have in common, and those that come from topics and streams. */
#include "framework/operators/operator.h"

/* --- records and rows ----------------------------------------------------------------------------- */

bool weir__old_of(const weir_record *change, weir_record *old)
{
	if (!change->has_old || (!change->old_object && weir_is_null(change->old_encoded)))
		return false;
	*old = *change;
	old->object = change->old_object;
	old->encoded = change->old_encoded;
	old->has_encoded = !weir_is_null(change->old_encoded);
	old->old_object = NULL;
	old->old_encoded = WEIR_NULL;
	old->has_old = false;
	return true;
}

bool weir__new_of(const weir_record *change, weir_record *new_one)
{
	if (weir_value_is_null(change))
		return false;
	*new_one = *change;
	new_one->old_object = NULL;
	new_one->old_encoded = WEIR_NULL;
	new_one->has_old = false;
	return true;
}

bool weir__goes_on_without(struct instance *in, weir_context *cx, const weir_record *change, bool old_wanted)
{
	if (!old_wanted || !change->has_old || weir__as(in, WEIR_AS_FAILED_ROWS))
		return false;
	weir__failed(in, cx, change, change->timestamp_ms);
	return !cx->failed;
}

bool weir__old_failed(const struct instance *in, weir_context *cx, bool old_wanted)
{
	bool failed = cx->failure != NULL;

	if (!old_wanted || !weir__as(in, WEIR_AS_FAILED_ROWS))
		cx->failure = NULL;
	return failed;
}

bool weir__look_up(struct instance *table, weir_context *cx, const weir_record *of, enum table_view view,
		   weir_record *row)
{
	struct instance *before = cx->current;

	cx->current = table;
	bool found = table->op->look_up(table, cx, of, view, row);
	cx->current = before;
	return found;
}

void weir__table_keep_old(struct node *table)
{
	table->old_wanted = true;
	if (table->store_count && table->stores[0]->owner == table && table->op->changed) {
		table->stores[0]->spec.keep_old = table->stores[0]->spec.kind != STORE_VERSIONED;
		return;
	}
	for (size_t i = 0; i < table->looked_up_count; i++)
		weir__table_keep_old(table->looked_up[i]);
}

int64_t weir__table_history_ms(const struct node *table)
{
	if (table->store_count && table->stores[0]->owner == table)
		return table->stores[0]->spec.kind == STORE_VERSIONED ? table->stores[0]->spec.retention_ms : -1;
	/* a join is none */
	return table->looked_up_count == 1 ? weir__table_history_ms(table->looked_up[0]) : -1;
}

/* --- with a store --------------------------------------------------------------------------------- */

void weir__table_store_add(struct node *n, weir_table_opts opts)
{
	struct store_spec spec = {
		.kind = opts.versioned ? STORE_VERSIONED : STORE_KEY_VALUE,
		.retention_ms = opts.history_ms,
		.logged = !opts.unlogged,
		.ordered = opts.ordered,
		.entries_max = opts.entries_max,
		.late_last = n->topology->as & WEIR_AS_LATE_VERSIONS,
		.evicts_at_flush = opts.entries_max > 0,
		/* as Kafka Streams without a store: see passes_deletions */
		.leaves_out = !opts.versioned && (opts.store || !(n->topology->as & WEIR_AS_DELETIONS)),
		/* what is not there may have been let go of: those below are told that it is deleted */
		.leaves_nothing_out = opts.entries_max > 0,
	};

	weir__graph_store_place(n->topology, n->name, &spec, opts.in_memory, opts.on_disk);
	struct graph_store *store =
		weir__graph_store_add(n->topology, opts.store ? opts.store : n->name, &spec, n->value);

	if (opts.history_ms < 0 || (opts.history_ms && !opts.versioned))
		weir__graph_mistake(n->topology, n->name, "history_ms is for versions, and not negative");
	if (opts.entries_max < 0 || (opts.entries_max && opts.versioned))
		weir__graph_mistake(n->topology, n->name, "entries_max is not for versions, and not negative");
	store->owner = n;
	n->store_unnamed = !opts.store;
	n->stores[n->store_count++] = store;
}

bool weir__table_store_of_view(struct node *n, weir_table_opts opts)
{
	if (opts.store && n->windowed)
		weir__graph_mistake(n->topology, n->name, "a table of windows cannot have another store");
	else if (opts.store)
		weir__table_store_add(n, opts);
	else if (opts.in_memory || opts.on_disk || opts.unlogged || opts.ordered || opts.versioned ||
		 opts.entries_max)
		weir__graph_mistake(n->topology, n->name, "it has no store: give it a name");
	return opts.store != NULL;
}

static void put_version(struct instance *in, weir_context *cx, const weir_record *r)
{
	weir_record out = *r;

	out.old_object = NULL;
	out.old_encoded = weir__arena_copy(&cx->arena, weir_versioned_get(in->stores[0], r->key, NULL));
	out.has_old = true;
	int64_t until = weir_versioned_put(in->stores[0], r->key, weir_value_bytes(r), r->timestamp_ms);

	if (until == WEIR_NOT_PUT) {
		/* the store has counted it */
		weir__dead_letter_as(cx, r, r->timestamp_ms < 0 ? "negative timestamp" : "late", 0);
		return;
	}
	out.superseded = until != WEIR_LATEST;
	weir__pass_on(in, cx, &out);
}

/* As where Kafka Streams has no store. */
static bool passes_deletions(const struct node *n)
{
	return n->topology->as & WEIR_AS_DELETIONS && n->store_unnamed && !n->old_wanted && !n->looked_into;
}

void weir__table_put(struct instance *in, weir_context *cx, const weir_record *r)
{
	if (cx->failure)
		return;
	weir_bytes value = weir_value_bytes(r);

	if (in->node->stores[0]->spec.kind == STORE_VERSIONED) {
		put_version(in, cx, r);
		return;
	}
	if (weir_is_null(value) && !in->node->stores[0]->spec.leaves_nothing_out && !passes_deletions(in->node) &&
	    weir_is_null(weir_store_get(in->stores[0], r->key, NULL)))
		return;
	weir_store_put(in->stores[0], r->key, value, r->timestamp_ms);
}

void weir__table_changed(struct instance *in, weir_context *cx, const struct store_change *change)
{
	const struct store_spec *spec = &in->node->stores[0]->spec;
	weir_record r = {
		.key = change->key,
		.timestamp_ms = change->timestamp_ms,
		.encoded = change->value,
		.has_encoded = true,
		.object = change->object,
		.serde = in->node->value,
		.old_encoded = change->old,
		.has_old = spec->keep_old,
		.cx = cx,
	};

	if (spec->kind == STORE_SESSION) {
		weir__session_key_split(change->key, &r.key, &r.window_start_ms, &r.window_end_ms);
		r.session = true;
		r.timestamp_ms = r.window_end_ms; /* the row has the time of the record that changed it last */
	} else if (spec->kind == STORE_WINDOW) {
		weir__window_key_split(change->key, &r.key, &r.window_start_ms);
		r.window_end_ms = weir_time_add(r.window_start_ms, spec->window_size_ms);
	}
	if (spec->keep_old && !spec->leaves_nothing_out && weir_is_null(change->value) && weir_is_null(change->old))
		return; /* made and deleted again in between */
	weir__pass_on(in, cx, &r);
}

bool weir__table_look_up(struct instance *in, weir_context *cx, const weir_record *of, enum table_view view,
			 weir_record *row)
{
	enum store_kind kind = in->node->stores[0]->spec.kind;
	weir_store *store = in->stores[0];
	int64_t ms = 0;
	weir_bytes value;

	if (kind == STORE_VERSIONED)
		value = view == TABLE_AS_OF ? weir_versioned_get_as_of(store, of->key, of->timestamp_ms, &ms)
					    : weir_versioned_get(store, of->key, &ms);
	else if (view == TABLE_PASSED_ON)
		value = weir__store_get_flushed(store, of->key, of->window_start_ms, of->window_end_ms, &ms);
	else if (kind == STORE_SESSION)
		value = weir_session_get(store, of->key, of->window_start_ms, of->window_end_ms, &ms);
	else
		value = kind == STORE_WINDOW ? weir_window_get(store, of->key, of->window_start_ms, &ms)
					     : weir_store_get(store, of->key, &ms);
	if (weir_is_null(value))
		return false;
	*row = (weir_record){
		.key = of->key,
		.timestamp_ms = kind == STORE_SESSION ? of->window_end_ms : ms,
		.window_start_ms = of->window_start_ms,
		.window_end_ms = of->window_end_ms,
		.session = of->session,
		.encoded = weir__arena_copy(&cx->arena, value),
		.has_encoded = true,
		.serde = in->node->value,
		.cx = cx,
	};
	return true;
}

/* --- from a topic, from a stream ------------------------------------------------------------------ */

static void to_table_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	if (weir_is_null(r->key))
		weir_dead_letter(cx, r, "null key");
	else
		weir__table_put(in, cx, r);
}

static const struct operator to_table_op = {
	.kind = "table",
	.process = to_table_process,
	.changed = weir__table_changed,
	.look_up = weir__table_look_up,
};

weir_table *weir_to_table(weir_stream *s, const char *name, weir_table_opts opts)
{
	weir_topology *t = node_of_stream(s)->topology;
	size_t topics = t->topic_count;
	struct node *input = weir__keyed_input(node_of_stream(s), name, false);

	if (t->topic_count > topics) /* Kafka Streams calls it after the table */
		t->topics[topics]->name = weir__arena_strdup(&t->arena, name ? name : "");
	struct node *n = weir__graph_add(t, input, name, &to_table_op, NULL, 0);

	weir__table_store_add(n, opts);
	return table_of(n);
}

weir_table *weir_table_source(weir_topology *t, const char *name, weir_table_source_opts opts)
{
	char *source = weir__arena_printf(&t->arena, "%s-source", name ? name : "");
	weir_stream *s = weir_source(t, source,
				     (weir_source_opts){
					     .topic = opts.topic ? opts.topic
						      : name     ? name
								 : "",
					     .value = opts.value,
					     .time_ms = opts.time_ms,
					     .user = opts.user,
					     .reset = opts.reset,
					     .reset_ms = opts.reset_ms,
				     });
	weir_table *table = weir_to_table(s, name, opts.store);

	if (!opts.reuse_topic &&
	    !(t->optimize & WEIR_REUSE_TABLE_TOPICS && !opts.time_ms && !opts.store.unlogged &&
	      !opts.store.versioned && !opts.store.entries_max && !(opts.value && opts.value->decode_headers)))
		return table;
	if (opts.value && opts.value->decode_headers)
		weir__graph_mistake(t, name, "its topic is its changelog, which is read without headers");
	if (opts.time_ms)
		weir__graph_mistake(t, name,
				    "a topic that is its own changelog has Kafka's timestamps: no time_ms");
	if (opts.store.entries_max)
		weir__graph_mistake(t, name,
				    "its topic is its changelog, which must be told what goes: no entries_max");
	if (opts.store.unlogged)
		weir__graph_mistake(t, name, "its topic is its changelog: it cannot be unlogged");
	if (opts.store.versioned)
		weir__graph_mistake(t, name,
				    "compaction of its topic would take its versions: it cannot be its changelog");
	node_of_table(table)->stores[0]->source_topic = t->topics[t->topic_count - 1];
	return table;
}
