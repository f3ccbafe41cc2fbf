/* A repartition is two steps with a topic between them: the first ends one sub-topology, the second begins another.
 * */
#include "framework/operators/operator.h"

struct writer {
	weir_repartition_opts opts;
	bool keeps_null_keys; /* what comes behind it decides about them; else they are dead letters here */
};

static void writer_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	const struct writer *w = in->node->opts;
	const char *topic = cx->ops->repartition_topic(cx, in->node->name);
	int32_t partition = -1;

	if (weir_is_null(r->key) && !w->keeps_null_keys && !in->node->null_keys_wanted)
		weir__dead_letter_as(cx, r, "null key", 0);
	else if (!w->opts.partition ||
		 weir__chosen_partition(in, cx, r, topic, w->opts.partition, w->opts.user, &partition))
		cx->ops->send(cx, topic, partition, r, r->key);
}

static const struct operator writer_op = { .kind = "repartition", .process = writer_process };

struct node *weir__repartition_read(struct node *writer, const char *name, const weir_serde *value,
				    int32_t partitions)
{
	weir_topology *t = writer->topology;

	if (partitions < 0)
		weir__graph_mistake(t, name, "it cannot have %d partitions", (int)partitions);
	/* Internal topics are read as any source is; the topic's kind tells them apart. */
	weir_stream *read = weir_source(t, name, (weir_source_opts){ .value = value });
	struct graph_topic *topic = t->topics[t->topic_count - 1];

	topic->kind = TOPIC_REPARTITION;
	topic->writer = writer;
	topic->partitions_wanted = partitions;
	return node_of_stream(read);
}

static weir_stream *repartition(weir_stream *s, const char *name, weir_repartition_opts opts, bool keeps_null_keys)
{
	struct node *parent = node_of_stream(s);
	weir_topology *t = parent->topology;
	struct writer w = { opts, keeps_null_keys };
	struct node *writer = weir__graph_add(
		t, parent, weir__arena_printf(&t->arena, "%s-write", name ? name : ""), &writer_op, &w, sizeof w);

	if (parent->windowed)
		weir__graph_mistake(t, name, "its input \"%s\" has windows: give it a key first (weir_key_by)",
				    parent->name);
	return stream_of(weir__repartition_read(writer, name, parent->value, opts.partitions));
}

weir_stream *weir_repartition(weir_stream *s, const char *name, weir_repartition_opts opts)
{
	return repartition(s, name, opts, false);
}

void weir__null_keys_want(struct node *n)
{
	const weir_topology *t = n->topology;

	if (n->null_keys_wanted)
		return;
	n->null_keys_wanted = true;
	for (size_t i = 0; i < n->parent_count; i++)
		weir__null_keys_want(n->parents[i]);
	for (size_t i = 0; i < t->topic_count; i++)
		if (t->topics[i]->source == n && t->topics[i]->writer)
			weir__null_keys_want(t->topics[i]->writer);
}

/* --- one repartition for all that lies below a changed key (WEIR_MERGE_REPARTITIONS) --------------- */

/* What Kafka Streams does not merge below. */
static bool changes_value(const struct node *s)
{
	const char *kind = s->op->kind;

	return strcmp(kind, "map-values") == 0 || strcmp(kind, "flat-map-values") == 0 ||
	       strcmp(kind, "process") == 0;
}

/* The step that has changed the key, if nothing but steps of one input lie between; NULL = another repartition has
 * been put in between since, or it cannot be told. */
static struct node *key_changer(struct node *s)
{
	bool all = !(s->topology->as & WEIR_AS_MERGED_REPARTITIONS);

	while (s && !s->changes_key)
		s = s->key_changed && s->parent_count == 1 && (all || !changes_value(s)) ? s->parents[0] : NULL;
	return s;
}

/* It branches off behind a repartition that was moved up after it had been made. */
static bool keyed_by_now(const struct node *s)
{
	while (!s->changes_key && s->key_changed && s->parent_count == 1)
		s = s->parents[0];
	return !s->key_changed;
}

static struct node *reader_of(const struct node *writer)
{
	const weir_topology *t = writer->topology;

	for (size_t i = 0; i < t->topic_count; i++)
		if (t->topics[i]->writer == writer)
			return t->topics[i]->source;
	return NULL;
}

/* What leads from the changer to s gets its records behind the repartition. */
static void move_behind(struct node *s, struct node *changer, struct node *read)
{
	for (; s != changer && s != read; s = s->parents[0]) {
		s->key_changed = false;
		if (s->parents[0] != changer)
			continue;
		weir__graph_move(s, changer, read);
		break;
	}
}

/* The repartition that was put in for the first step with state is moved up to the changed key. */
static void move_up(struct node *changer, struct node *read)
{
	struct node *writer = changer->rekeyed, *from = writer->parents[0];

	if (from == changer)
		return;
	while (read->child_count)
		weir__graph_move(read->children[0], read, from);
	weir__graph_move(writer, from, changer);
	writer->value = read->value = changer->value;
	move_behind(from, changer, read);
}

/* Another step that needs null keys shares the repartition: those that do not turn them away by themselves. */
static void keep_null_keys(struct node *writer, bool null_keys)
{
	struct writer w = *(const struct writer *)writer->opts;

	w.keeps_null_keys |= null_keys;
	writer->opts = memcpy(weir__arena_alloc(&writer->topology->arena, sizeof w), &w, sizeof w);
}

struct node *weir__keyed_input(struct node *s, const char *name, bool null_keys)
{
	return weir__keyed_input_through(
		s, name, weir__arena_printf(&s->topology->arena, "%s-by-key", name ? name : ""), null_keys);
}

struct node *weir__keyed_input_through(struct node *s, const char *name, const char *through, bool null_keys)
{
	weir_topology *t = s->topology;
	struct node *changer = t->optimize & WEIR_MERGE_REPARTITIONS ? key_changer(s) : NULL;

	if (s->windowed)
		weir__graph_mistake(t, name, "its input \"%s\" has windows: give it a key first (weir_key_by)",
				    s->name);
	if (!s->key_changed || (t->optimize & WEIR_MERGE_REPARTITIONS && keyed_by_now(s)))
		return s;
	if (changer && changer->rekeyed) {
		struct node *read = reader_of(changer->rekeyed);

		keep_null_keys(changer->rekeyed, null_keys);
		move_up(changer, read);
		move_behind(s, changer, read);
		return s == changer ? read : s;
	}
	weir_stream *read = repartition(stream_of(s), through, (weir_repartition_opts){ 0 }, null_keys);

	if (changer)
		changer->rekeyed = t->topics[t->topic_count - 1]->writer;
	return node_of_stream(read);
}
