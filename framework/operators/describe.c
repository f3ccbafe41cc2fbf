/* The graph in words and pictures: text, dot, mermaid, JSON. All four walk the same data. */
#include "framework/operators/operator.h"
#include "framework/topology/graph.h"

/* The topic that a step reads behind `before`; NULL: the first one, or there are no more. */
static const struct graph_topic *next_topic(const weir_topology *t, const struct node *n,
					    const struct graph_topic *before)
{
	size_t i = 0;

	while (before && t->topics[i++] != before)
		;
	for (; i < t->topic_count; i++)
		if (t->topics[i]->source == n)
			return t->topics[i];
	return NULL;
}

static const struct graph_topic *topic_of(const weir_topology *t, const struct node *n)
{
	return next_topic(t, n, NULL);
}

/* The topic that a step writes to: a sink's, or a repartition's. */
static const char *written_topic(const weir_topology *t, const struct node *n)
{
	for (size_t i = 0; i < t->topic_count; i++)
		if (t->topics[i]->writer == n)
			return t->topics[i]->name;
	if (n->op != &weir__sink_op)
		return NULL;
	const char *topic = weir__sink_topic(n);

	return topic ? topic : "(by record)";
}

static void describe_text(weir_topology *t, FILE *out)
{
	fprintf(out, "topology %s\n", t->name);
	for (size_t i = 0; i < t->subtopology_count; i++) {
		const struct subtopology *sub = &t->subtopologies[i];

		fprintf(out, "\nsub-topology %d\n", sub->id);
		for (size_t j = 0; j < sub->node_count; j++) {
			const struct node *n = sub->nodes[j];
			const struct graph_topic *topic = topic_of(t, n);

			fprintf(out, "  %s (%s)", n->name, n->op->kind);
			if (topic)
				fprintf(out, " reads %s%s", topic->name,
					topic->kind == TOPIC_REPARTITION ? " [repartition]"
					: topic->kind == TOPIC_PATTERN   ? " [pattern]"
									 : "");
			while (topic && (topic = next_topic(t, n, topic)) != NULL)
				fprintf(out, ", %s", topic->name);
			if (written_topic(t, n))
				fprintf(out, " writes %s", written_topic(t, n));
			for (size_t k = 0; k < n->store_count; k++)
				fprintf(out, "%s%s", k ? ", " : " stores ", n->stores[k]->spec.name);
			for (size_t k = 0; k < n->looked_up_count; k++)
				fprintf(out, "%s%s", k ? ", " : " looks up ", n->looked_up[k]->name);
			for (size_t k = 0; k < n->child_count; k++)
				fprintf(out, "%s%s", k ? ", " : "\n    --> ", n->children[k]->name);
			fputc('\n', out);
		}
	}
	for (size_t i = 0; i < t->global_count; i++)
		fprintf(out, "%s  %s reads %s store %s%s\n", i ? "" : "\nglobal tables\n", t->globals[i]->name,
			t->globals[i]->topic, t->globals[i]->store,
			t->globals[i]->process ? " through its processor" : "");
}

static void describe_dot(weir_topology *t, FILE *out)
{
	fprintf(out, "digraph \"%s\" {\n\trankdir=LR;\n\tnode [shape=box, style=rounded];\n", t->name);
	for (size_t i = 0; i < t->subtopology_count; i++) {
		const struct subtopology *sub = &t->subtopologies[i];

		fprintf(out, "\tsubgraph cluster_%d {\n\t\tlabel=\"sub-topology %d\";\n", sub->id, sub->id);
		for (size_t j = 0; j < sub->node_count; j++)
			fprintf(out, "\t\tn%d [label=\"%s\\n%s\"];\n", sub->nodes[j]->id, sub->nodes[j]->name,
				sub->nodes[j]->op->kind);
		for (size_t j = 0; j < sub->store_count; j++)
			fprintf(out, "\t\ts%d [label=\"%s\", shape=cylinder];\n", sub->stores[j]->id,
				sub->stores[j]->spec.name);
		fprintf(out, "\t}\n");
	}
	for (size_t i = 0; i < t->node_count; i++) {
		const struct node *n = t->nodes[i];

		for (const struct graph_topic *topic = topic_of(t, n); topic; topic = next_topic(t, n, topic))
			fprintf(out, "\t\"t:%s\" [label=\"%s\", shape=cds];\n\t\"t:%s\" -> n%d;\n", topic->name,
				topic->name, topic->name, n->id);
		if (written_topic(t, n))
			fprintf(out, "\t\"t:%s\" [label=\"%s\", shape=cds];\n\tn%d -> \"t:%s\";\n",
				written_topic(t, n), written_topic(t, n), n->id, written_topic(t, n));
		for (size_t j = 0; j < n->child_count; j++)
			fprintf(out, "\tn%d -> n%d;\n", n->id, n->children[j]->id);
		for (size_t j = 0; j < n->store_count; j++)
			fprintf(out, "\tn%d -> s%d [dir=both, style=dashed];\n", n->id, n->stores[j]->id);
		for (size_t j = 0; j < n->looked_up_count; j++)
			fprintf(out, "\tn%d -> n%d [style=dotted];\n", n->looked_up[j]->id, n->id);
	}
	for (size_t i = 0; i < t->global_count; i++)
		fprintf(out,
			"\tg%d [label=\"%s\", shape=cylinder];\n\t\"t:%s\" [label=\"%s\", shape=cds];\n"
			"\t\"t:%s\" -> g%d;\n",
			t->globals[i]->id, t->globals[i]->name, t->globals[i]->topic, t->globals[i]->topic,
			t->globals[i]->topic, t->globals[i]->id);
	fprintf(out, "}\n");
}

/* Mermaid has no names with every character, so topics go by the step that reads or writes them. */
static void describe_mermaid(weir_topology *t, FILE *out)
{
	fprintf(out, "flowchart LR\n");
	for (size_t i = 0; i < t->subtopology_count; i++) {
		const struct subtopology *sub = &t->subtopologies[i];

		fprintf(out, "\tsubgraph sub%d[\"sub-topology %d\"]\n", sub->id, sub->id);
		for (size_t j = 0; j < sub->node_count; j++)
			fprintf(out, "\t\tn%d(\"%s<br/>%s\")\n", sub->nodes[j]->id, sub->nodes[j]->name,
				sub->nodes[j]->op->kind);
		for (size_t j = 0; j < sub->store_count; j++)
			fprintf(out, "\t\ts%d[(\"%s\")]\n", sub->stores[j]->id, sub->stores[j]->spec.name);
		fprintf(out, "\tend\n");
	}
	for (size_t i = 0; i < t->node_count; i++) {
		const struct node *n = t->nodes[i];
		const struct graph_topic *topic = topic_of(t, n);

		if (topic)
			fprintf(out, "\tr%d>\"%s\"] --> n%d\n", n->id, topic->name, n->id);
		for (int k = 2; topic && (topic = next_topic(t, n, topic)) != NULL; k++)
			fprintf(out, "\tr%d_%d>\"%s\"] --> n%d\n", n->id, k, topic->name, n->id);
		if (written_topic(t, n))
			fprintf(out, "\tn%d --> w%d>\"%s\"]\n", n->id, n->id, written_topic(t, n));
		for (size_t j = 0; j < n->child_count; j++)
			fprintf(out, "\tn%d --> n%d\n", n->id, n->children[j]->id);
		for (size_t j = 0; j < n->store_count; j++)
			fprintf(out, "\tn%d -.- s%d\n", n->id, n->stores[j]->id);
		for (size_t j = 0; j < n->looked_up_count; j++)
			fprintf(out, "\tn%d -.-> n%d\n", n->looked_up[j]->id, n->id);
	}
	for (size_t i = 0; i < t->global_count; i++)
		fprintf(out, "\tgt%d>\"%s\"] --> g%d[(\"%s\")]\n", t->globals[i]->id, t->globals[i]->topic,
			t->globals[i]->id, t->globals[i]->name);
}

/* Names of steps and stores need no escaping; topics' names are Kafka's, which need none either. */
static void describe_json(weir_topology *t, FILE *out)
{
	fprintf(out, "{\"name\":\"%s\",\"steps\":[", t->name);
	for (size_t i = 0; i < t->node_count; i++) {
		const struct node *n = t->nodes[i];
		const struct graph_topic *topic = topic_of(t, n);

		fprintf(out, "%s{\"name\":\"%s\",\"kind\":\"%s\",\"subtopology\":%d", i ? "," : "", n->name,
			n->op->kind, n->subtopology);
		if (topic)
			fprintf(out, ",\"reads\":\"%s\"", topic->name);
		for (int k = 0; topic && (topic = next_topic(t, n, topic)) != NULL; k++)
			fprintf(out, "%s\"%s\"%s", k ? "," : ",\"reads_too\":[", topic->name,
				next_topic(t, n, topic) ? "" : "]");
		if (written_topic(t, n))
			fprintf(out, ",\"writes\":\"%s\"", written_topic(t, n));
		fprintf(out, ",\"stores\":[");
		for (size_t j = 0; j < n->store_count; j++)
			fprintf(out, "%s\"%s\"", j ? "," : "", n->stores[j]->spec.name);
		if (n->looked_up_count)
			fprintf(out, "],\"looks_up\":[");
		for (size_t j = 0; j < n->looked_up_count; j++)
			fprintf(out, "%s\"%s\"", j ? "," : "", n->looked_up[j]->name);
		fprintf(out, "],\"to\":[");
		for (size_t j = 0; j < n->child_count; j++)
			fprintf(out, "%s\"%s\"", j ? "," : "", n->children[j]->name);
		fprintf(out, "]}");
	}
	fprintf(out, "],\"stores\":[");
	for (size_t i = 0; i < t->store_count; i++)
		fprintf(out, "%s{\"name\":\"%s\",\"windowed\":%s,%s\"logged\":%s}", i ? "," : "",
			t->stores[i]->spec.name, weir__store_kind_timed(t->stores[i]->spec.kind) ? "true" : "false",
			t->stores[i]->spec.kind == STORE_VERSIONED ? "\"versioned\":true," : "",
			t->stores[i]->spec.logged ? "true" : "false");
	for (size_t i = 0; i < t->global_count; i++)
		fprintf(out, "%s{\"name\":\"%s\",\"reads\":\"%s\",\"store\":\"%s\"%s}", i ? "," : "],\"globals\":[",
			t->globals[i]->name, t->globals[i]->topic, t->globals[i]->store,
			t->globals[i]->process ? ",\"processor\":true" : "");
	fprintf(out, "]}\n");
}

void weir_topology_describe(weir_topology *t, weir_format format, FILE *out)
{
	static void (*const describe[])(weir_topology *, FILE *) = { describe_text, describe_dot, describe_mermaid,
								     describe_json };

	weir_assert(t && out && format <= WEIR_JSON && "a topology, a format and a file are given");
	weir__graph_finish(t, NULL); /* one with mistakes can be looked at, too */
	describe[format](t, out);
}
