/* Validation, and the split into sub-topologies: what is connected by steps or by stores runs as one task. */
#include "framework/topology/graph.h"

/* Union-find over nodes first, then stores; the root of a set is its smallest number. */
static int find(int *up, int i)
{
	while (up[i] != i)
		i = up[i] = up[up[i]];
	return i;
}

static void unite(int *up, int a, int b)
{
	a = find(up, a);
	b = find(up, b);
	if (a < b)
		up[b] = a;
	else
		up[a] = b;
}

static int *connected(weir_topology *t)
{
	size_t total = t->node_count + t->store_count;
	int *up = weir__arena_alloc(&t->arena, (total + 1) * sizeof *up);

	for (size_t i = 0; i < total; i++)
		up[i] = (int)i;
	for (size_t i = 0; i < t->node_count; i++) {
		struct node *n = t->nodes[i];

		for (size_t j = 0; j < n->child_count; j++)
			unite(up, n->id, n->children[j]->id);
		for (size_t j = 0; j < n->looked_up_count; j++)
			unite(up, n->id, n->looked_up[j]->id);
		for (size_t j = 0; j < n->store_count; j++)
			unite(up, n->id, (int)t->node_count + n->stores[j]->id);
	}
	return up;
}

static void add_node(weir_topology *t, struct subtopology *s, struct node *n)
{
	n->subtopology = s->id;
	weir__graph_append(t, (void ***)&s->nodes, &s->node_count, n);
	for (size_t i = 0; i < n->store_count; i++) {
		struct graph_store *store = n->stores[i];

		if (store->subtopology >= 0)
			continue;
		store->subtopology = s->id;
		weir__graph_append(t, (void ***)&s->stores, &s->store_count, store);
	}
}

/* Steps that have been moved may stand before their inputs: puts them behind, and changes nothing else. */
static void put_in_order(weir_topology *t)
{
	struct node **sorted = weir__arena_alloc(&t->arena, (t->node_count + 1) * sizeof(struct node *));
	size_t n = 0;

	for (size_t i = 0; i < t->node_count; i++)
		t->nodes[i]->placed = false;
	while (n < t->node_count) {
		size_t before = n;

		for (size_t i = 0; i < t->node_count; i++) {
			struct node *node = t->nodes[i];
			bool ready = !node->placed;

			for (size_t j = 0; j < node->parent_count; j++)
				ready &= node->parents[j]->placed;
			if (!ready)
				continue;
			node->placed = true;
			sorted[n++] = node;
		}
		weir_assert(n > before);
	}
	if (n)
		memcpy(t->nodes, sorted, n * sizeof *sorted);
	for (size_t i = 0; i < n; i++)
		t->nodes[i]->id = (int)i;
}

static void split(weir_topology *t)
{
	int *up = connected(t);
	struct subtopology **of_root = weir__arena_zalloc(&t->arena, (t->node_count + 1) * sizeof *of_root);

	t->subtopologies = weir__arena_zalloc(&t->arena, (t->node_count + 1) * sizeof *t->subtopologies);
	t->subtopology_count = 0;
	for (size_t i = 0; i < t->store_count; i++)
		t->stores[i]->subtopology = -1;
	/* A step's inputs exist before it does, so the order of ids is an order of the graph. */
	for (size_t i = 0; i < t->node_count; i++) {
		int root = find(up, (int)i);

		if (!of_root[root]) {
			of_root[root] = &t->subtopologies[t->subtopology_count];
			of_root[root]->id = (int)t->subtopology_count++;
		}
		add_node(t, of_root[root], t->nodes[i]);
	}
	for (size_t i = 0; i < t->topic_count; i++) {
		struct subtopology *s = &t->subtopologies[t->topics[i]->source->subtopology];

		weir__graph_append(t, (void ***)&s->topics, &s->topic_count, t->topics[i]);
		if (t->topics[i]->kind == TOPIC_PATTERN && !s->pattern)
			s->pattern = t->topics[i]->source;
	}
}

bool weir__graph_finish(weir_topology *t, weir_error *err)
{
	if (!t->finished) {
		t->finished = true;
		if (t->node_count == 0 && t->global_count == 0)
			weir__graph_mistake(t, t->name, "the topology has no steps");
		if (t->wrap_steps)
			t->wrap_steps(t);
		put_in_order(t);
		split(t);
		weir__graph_patterns_check(t);
		weir__graph_tunings_check(t);
		for (size_t i = 0; i < t->store_count; i++)
			if (t->stores[i]->subtopology < 0)
				weir__graph_mistake(t, t->stores[i]->spec.name, "no step uses this store");
		for (size_t i = 0; i < t->subtopology_count; i++)
			if (t->subtopologies[i].topic_count == 0)
				weir__graph_mistake(t, t->subtopologies[i].nodes[0]->name,
						    "it has no source above it");
	}
	if (t->mistakes)
		return weir_fail(err, WEIR_TOPOLOGY, "topology \"%s\" is not valid:\n%s", t->name, t->mistakes);
	weir__graph_found_sound(t);
	return true;
}

bool weir_topology_check(weir_topology *t, weir_error *err)
{
	return t ? weir__graph_finish(t, err) : weir_fail(err, WEIR_USAGE, "the topology is NULL");
}
