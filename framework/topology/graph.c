#include "framework/topology/graph.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "framework/base/alloc.h"
#include "framework/base/config_table.h"

static _Thread_local weir_topology *begun;

weir_topology *weir_topology_new(const char *name)
{
	weir_topology *t = weir__calloc(1, sizeof *t);

	weir__arena_init(&t->arena, 0);
	t->name = weir__arena_strdup(&t->arena, name ? name : "topology");
	begun = t;
	return t;
}

weir_topology *weir__graph_begun(void)
{
	return begun;
}

void weir__graph_found_sound(const weir_topology *t)
{
	if (begun == t)
		begun = NULL;
}

bool weir__graph_take(weir_topology *t, weir_error *err)
{
	if (!t)
		return weir_fail(err, WEIR_USAGE, "the topology is NULL");
	if (t->taken)
		return weir_fail(
			err, WEIR_USAGE,
			"topology \"%s\" has been taken over by another driver or simulation: build it anew",
			t->name);
	t->taken = true;
	return true;
}

/* Who runs it reads it without a lock. */
static void must_not_run(const weir_topology *t)
{
	weir_assert(t && "a step is added to a topology that is NULL");
	weir_assert(atomic_load(&t->app_count) == 0 && "a topology is built before an application has it");
}

void weir_topology_optimize(weir_topology *t, unsigned what)
{
	if (t->node_count)
		weir__graph_mistake(t, t->name, "it is to be optimized before its first step");
	t->optimize |= what;
}

void weir_topology_as_kafka_streams(weir_topology *t, unsigned what)
{
	if (t->node_count)
		weir__graph_mistake(t, t->name, "what is to be as in Kafka Streams is said before its first step");
	t->as |= what;
}

void weir_topology_config(weir_topology *t, const weir_config_key *keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		weir__graph_append(t, (void ***)&t->keys, &t->key_count, (void *)&keys[i]);
}

void weir_topology_on_failure(weir_topology *t, weir_failure_fn *fn, void *user)
{
	t->on_failure = (struct failure_handler){ fn, user };
}

void weir_topology_on_unreadable(weir_topology *t, weir_failure_fn *fn, void *user)
{
	t->on_unreadable = (struct failure_handler){ fn, user };
}

void weir_topology_on_refused(weir_topology *t, weir_failure_fn *fn, void *user)
{
	t->on_refused = (struct failure_handler){ fn, user };
}

void weir__graph_add_keys(const weir_topology *t, weir_config *cfg)
{
	for (size_t i = 0; i < t->key_count; i++)
		if (!weir__config_find(cfg, t->keys[i]->name))
			weir_config_add(cfg, t->keys[i], 1);
}

bool weir__graph_check_keys(const weir_topology *t, const weir_config *cfg, weir_error *err)
{
	for (size_t i = 0; i < t->key_count; i++) {
		const struct config_entry *e = weir__config_find(cfg, t->keys[i]->name);

		if (!e || e->key->type != t->keys[i]->type)
			return weir_fail(err, WEIR_CONFIG,
					 "topology \"%s\" reads the key \"%s\", which %s: add its table with "
					 "weir_config_add",
					 t->name, t->keys[i]->name,
					 e ? "is of another type in the configuration" : "the configuration lacks");
	}
	return true;
}

void weir_topology_free(weir_topology *t)
{
	if (!t)
		return;
	weir_assert(atomic_load(&t->app_count) == 0 && "a topology is freed after the applications that run it");
	if (begun == t)
		begun = NULL;
	free(t->mistakes);
	weir__graph_patterns_free(t);
	weir__arena_release(&t->arena);
	free(t);
}

void weir__graph_mistake(weir_topology *t, const char *step, const char *format, ...)
{
	char text[300];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	char *all = weir__asprintf("%s%sstep \"%s\": %s", t->mistakes ? t->mistakes : "", t->mistakes ? "\n" : "",
				   step ? step : "", text);
	free(t->mistakes);
	t->mistakes = all;
}

void weir__graph_append(weir_topology *t, void ***array, size_t *count, void *element)
{
	/* Grows at powers of two; the old copy stays in the arena. */
	if ((*count & (*count - 1)) == 0) {
		void **more = weir__arena_alloc(&t->arena, (*count ? *count * 2 : 1) * sizeof *more);

		if (*count)
			memcpy(more, *array, *count * sizeof *more);
		*array = more;
	}
	(*array)[(*count)++] = element;
}

static bool name_is_good(const char *name)
{
	size_t n = strlen(name);

	/* What Kafka takes in a topic's name: internal topics carry it. */
	return n > 0 && n <= 100 &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == n;
}

#define STORE_NAME_RULE "a store's name has 1 to 100 letters, digits, '.', '_' or '-'"

static bool store_name_is_taken(const weir_topology *t, const char *name)
{
	for (size_t i = 0; i < t->global_count; i++)
		if (strcmp(t->globals[i]->store, name) == 0)
			return true;
	return weir__graph_store_find(t, name) != NULL;
}

static void check_name(weir_topology *t, const char *name)
{
	if (!name_is_good(name))
		weir__graph_mistake(t, name, "a name has 1 to 100 letters, digits, '.', '_' or '-'");
	for (size_t i = 0; i < t->node_count; i++)
		if (strcmp(t->nodes[i]->name, name) == 0)
			weir__graph_mistake(t, name, "another step has this name already");
	for (size_t i = 0; i < t->global_count; i++)
		if (strcmp(t->globals[i]->name, name) == 0)
			weir__graph_mistake(t, name, "a global table has this name already");
}

void weir__graph_connect(struct node *parent, struct node *child)
{
	weir_topology *t = child->topology;

	if (parent->is_nothing) {
		weir__graph_mistake(t, child->name, "its input is NULL");
		return;
	}
	if (parent->topology != t) {
		weir__graph_mistake(t, child->name, "its input \"%s\" belongs to another topology", parent->name);
		return;
	}
	weir__graph_append(t, (void ***)&child->parents, &child->parent_count, parent);
	weir__graph_append(t, (void ***)&parent->children, &parent->child_count, child);
}

void weir__graph_move(struct node *child, struct node *from, struct node *to)
{
	size_t kept = 0;

	for (size_t i = 0; i < child->parent_count; i++)
		if (child->parents[i] == from)
			child->parents[i] = to;
	for (size_t i = 0; i < from->child_count; i++)
		if (from->children[i] != child)
			from->children[kept++] = from->children[i];
	from->child_count = kept;
	weir__graph_append(child->topology, (void ***)&to->children, &to->child_count, child);
}

void weir__graph_look_up(struct node *n, struct node *table)
{
	if (table->is_nothing) {
		weir__graph_mistake(n->topology, n->name, "its table is NULL");
		return;
	}
	if (table->topology != n->topology) {
		weir__graph_mistake(n->topology, n->name, "the table \"%s\" belongs to another topology",
				    table->name);
		return;
	}
	weir_assert(n->looked_up_count < NODE_LOOKED_UP_MAX);
	n->looked_up[n->looked_up_count++] = table;
	table->looked_into = true;
}

bool weir__graph_reads(const struct node *n, const struct graph_store *store)
{
	for (size_t i = 0; i < n->store_count; i++)
		if (n->stores[i] == store)
			return true;
	for (size_t i = 0; i < n->looked_up_count; i++)
		if (weir__graph_reads(n->looked_up[i], store))
			return true;
	return false;
}

struct node *weir__graph_add(weir_topology *t, struct node *parent, const char *name, const struct operator* op,
			     const void *opts, size_t size)
{
	name = name ? name : "";
	must_not_run(t);
	check_name(t, name);
	struct node *n = weir__arena_zalloc(&t->arena, sizeof *n);

	n->id = (int)t->node_count;
	n->name = weir__arena_strdup(&t->arena, name);
	n->op = op;
	n->topology = t;
	n->opts = size ? weir__arena_copy(&t->arena, weir_bytes_of(opts, size)).data : NULL;
	n->subtopology = -1;
	t->finished = false;
	weir__graph_append(t, (void ***)&t->nodes, &t->node_count, n);
	if (parent) {
		n->value = parent->value;
		n->windowed = parent->windowed;
		n->key_changed = parent->key_changed;
		weir__graph_connect(parent, n);
	}
	return n;
}

void weir__graph_global_add(weir_topology *t, struct graph_global *global)
{
	must_not_run(t);
	check_name(t, global->name);
	if (!name_is_good(global->store))
		weir__graph_mistake(t, global->store, STORE_NAME_RULE);
	if (store_name_is_taken(t, global->store))
		weir__graph_mistake(t, global->store, "another store has this name already");
	weir__graph_append(t, (void ***)&t->globals, &t->global_count, global);
}

struct graph_store *weir__graph_store_find(const weir_topology *t, const char *name)
{
	for (size_t i = 0; i < t->store_count; i++)
		if (strcmp(t->stores[i]->spec.name, name) == 0)
			return t->stores[i];
	return NULL;
}

struct graph_store *weir__graph_store_add(weir_topology *t, const char *name, const struct store_spec *spec,
					  const weir_serde *value)
{
	name = name ? name : "";
	must_not_run(t);
	if (!name_is_good(name))
		weir__graph_mistake(t, name, STORE_NAME_RULE);
	if (store_name_is_taken(t, name))
		weir__graph_mistake(t, name, "another store has this name already");
	struct graph_store *s = weir__arena_zalloc(&t->arena, sizeof *s);

	s->id = (int)t->store_count;
	s->spec = *spec;
	s->spec.name = weir__arena_strdup(&t->arena, name);
	s->value = value;
	s->subtopology = -1;
	weir__graph_append(t, (void ***)&t->stores, &t->store_count, s);
	return s;
}

void weir__graph_store_use(struct node *node, const char *store_name)
{
	struct graph_store *s = weir__graph_store_find(node->topology, store_name);

	if (node->store_count == NODE_STORES_MAX)
		weir__graph_mistake(node->topology, node->name, "it uses more than %d stores", NODE_STORES_MAX);
	else if (!s)
		weir__graph_mistake(node->topology, node->name,
				    "there is no store \"%s\": add it before the steps that use it", store_name);
	else
		node->stores[node->store_count++] = s;
}

struct graph_topic *weir__graph_topic_add(weir_topology *t, const char *name, enum topic_kind kind,
					  struct node *source)
{
	for (size_t i = 0; i < t->topic_count; i++)
		if (t->topics[i]->kind == kind && strcmp(t->topics[i]->name, name) == 0)
			weir__graph_mistake(t, source->name,
					    "topic \"%s\" is read by step \"%s\" already: use that stream twice",
					    name, t->topics[i]->source->name);
	struct graph_topic *topic = weir__arena_zalloc(&t->arena, sizeof *topic);

	*topic =
		(struct graph_topic){ .name = weir__arena_strdup(&t->arena, name), .kind = kind, .source = source };
	weir__graph_append(t, (void ***)&t->topics, &t->topic_count, topic);
	return topic;
}

void weir__graph_store_place(weir_topology *t, const char *step, struct store_spec *spec, bool in_memory,
			     bool on_disk)
{
	if (on_disk && (in_memory || spec->entries_max))
		weir__graph_mistake(t, step ? step : "", "its store is in memory or on disk, not both");
	spec->in_memory = in_memory || spec->entries_max > 0;
	spec->by_default = !spec->in_memory && !on_disk && spec->kind != STORE_VERSIONED;
}

struct store_spec weir__graph_store_spec(weir_topology *t, const char *name, const weir_store_opts *opts)
{
	struct store_spec spec = {
		.kind = opts->sessions    ? STORE_SESSION
			: opts->windowed  ? STORE_WINDOW
			: opts->versioned ? STORE_VERSIONED
					  : STORE_KEY_VALUE,
		.retention_ms = opts->versioned ? opts->history_ms : opts->retain_ms,
		.window_size_ms = opts->window_size_ms,
		.in_memory = opts->in_memory || opts->entries_max > 0,
		.logged = !opts->unlogged,
		.entries_max = opts->entries_max,
		.headers = opts->headers,
		.ordered = opts->ordered,
		.duplicates = opts->duplicates,
		.late_last = t->as & WEIR_AS_LATE_VERSIONS,
	};

	if ((opts->windowed || opts->sessions) && opts->retain_ms <= 0)
		weir__graph_mistake(t, name, "a store of windows or sessions needs retain_ms > 0");
	if (opts->windowed + opts->sessions + opts->versioned > 1)
		weir__graph_mistake(t, name, "a store has one of windows, sessions and versions");
	if (opts->history_ms < 0)
		weir__graph_mistake(t, name, "history_ms must not be negative");
	if (opts->entries_max < 0 || (opts->entries_max && (opts->windowed || opts->sessions || opts->versioned)))
		weir__graph_mistake(t, name, "entries_max is for keys and values, and not negative");
	if (opts->headers && opts->versioned)
		weir__graph_mistake(t, name, "versions have no headers");
	if (opts->duplicates && !opts->windowed)
		weir__graph_mistake(t, name, "only a windowed store can have duplicates");
	if (opts->duplicates && opts->unlogged && !opts->in_memory)
		weir__graph_mistake(
			t, name, "a store with duplicates on disk needs its changelog, by which it numbers them");
	return spec;
}

void weir_add_store(weir_topology *t, const char *name, weir_store_opts opts)
{
	struct store_spec spec = weir__graph_store_spec(t, name, &opts);

	weir__graph_store_add(t, name, &spec, NULL);
}

/* --- RocksDB's options ----------------------------------------------------------------------------- */

void weir_topology_tune_store(weir_topology *t, const char *store, const char *rocksdb_options)
{
	struct tuning *one = weir__arena_alloc(&t->arena, sizeof *one);

	*one = (struct tuning){ weir__arena_strdup(&t->arena, store ? store : ""),
				weir__arena_strdup(&t->arena, rocksdb_options ? rocksdb_options : "") };
	weir__graph_append(t, (void ***)&t->tunings, &t->tuning_count, one);
}

const char *weir__graph_tuning_of(const char *store, void *user)
{
	const weir_topology *t = user;

	for (size_t i = 0; i < t->tuning_count; i++)
		if (strcmp(t->tunings[i]->store, store) == 0)
			return t->tunings[i]->options;
	return NULL;
}

void weir__graph_tunings_check(weir_topology *t)
{
	for (size_t i = 0; i < t->tuning_count; i++) {
		const struct tuning *one = t->tunings[i];
		weir_error err;

		if (!store_name_is_taken(t, one->store))
			weir__graph_mistake(t, one->store, "RocksDB's options are of a store that is not there");
		if (weir__graph_tuning_of(one->store, t) != one->options)
			weir__graph_mistake(t, one->store, "its RocksDB options are set already");
		if (!weir__rocksdb_options_check(one->options, true, &err))
			weir__graph_mistake(t, one->store, "RocksDB's options: %s", err.message);
	}
}

void weir_add_custom_store(weir_topology *t, const char *name, weir_custom_store custom)
{
	struct store_spec spec = {
		.kind = STORE_CUSTOM,
		.in_memory = true,
		.logged = true,
		.custom = weir__arena_copy(&t->arena, weir_bytes_of(&custom, sizeof custom)).data
	};

	if (!custom.open || !custom.restore)
		weir__graph_mistake(t, name, "a store of one's own has functions to open and to restore it");
	weir__graph_store_add(t, name, &spec, NULL);
}
