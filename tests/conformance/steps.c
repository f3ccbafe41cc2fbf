/* What a line of a case builds, by its first word: the same names as in kafka-streams/.../Steps.java. */
#include <ctype.h>

#include "tests/conformance/conformance.h"

/* --- the graph ------------------------------------------------------------------------------------------------ */

static struct named *put_named(struct graph *g, struct named node)
{
	struct named *n = weir__arena_alloc(&g->arena, sizeof *n);

	*n = node;
	n->name = weir__arena_strdup(&g->arena, node.name);
	n->next = g->nodes;
	g->nodes = n;
	return n;
}

struct named *graph_put_stream(struct graph *g, const char *name, weir_stream *stream, const weir_serde *value)
{
	return put_named(g, (struct named){ .name = name, .stream = stream, .value = value });
}

struct named *graph_put_table(struct graph *g, const char *name, weir_table *table, const weir_serde *value)
{
	return put_named(g, (struct named){ .name = name, .table = table, .value = value });
}

struct named *graph_get(struct graph *g, const char *name)
{
	for (struct named *n = g->nodes; n; n = n->next)
		if (strcmp(n->name, name) == 0)
			return n;
	fatal("no step \"%s\" above", name);
}

struct named *input(struct graph *g, const struct step *s, size_t i)
{
	if (i >= s->input_count)
		fatal("step \"%s\" needs %zu inputs", s->name, i + 1);
	return graph_get(g, s->inputs[i]);
}

void graph_output(struct graph *g, const char *topic)
{
	for (size_t i = 0; i < g->output_count; i++)
		if (strcmp(g->outputs[i], topic) == 0)
			return;
	g->outputs[g->output_count++] = weir__arena_strdup(&g->arena, topic);
}

static weir_stream *stream_in(struct graph *g, const struct step *s)
{
	return input(g, s, 0)->stream;
}

/* --- records as text ------------------------------------------------------------------------------------------ */

const char *bytes_text(weir_context *cx, weir_bytes b)
{
	return weir_is_null(b) ? NULL : format(cx, "%.*s", (int)b.len, (const char *)b.data);
}

const char *object_text(weir_context *cx, const void *object, const weir_serde *serde)
{
	if (!object)
		return NULL;
	if (serde == &weir_int64)
		return format(cx, "%lld", (long long)*(const int64_t *)object);
	return bytes_text(cx, *(const weir_bytes *)object);
}

const char *key_text(const weir_record *r)
{
	return bytes_text(r->cx, r->key);
}

const char *value_text(const weir_record *r)
{
	return object_text(r->cx, weir_value(r), r->serde);
}

const void *text_object(weir_context *cx, const char *s)
{
	weir_bytes *object = weir_alloc(cx, sizeof *object);

	*object = weir_str(s);
	return s ? object : NULL;
}

/* --- streams -------------------------------------------------------------------------------------------------- */

/* A number in the value is the time after *user; else the record's own; "d" turns away. */
static int64_t time_from_value(weir_context *cx, const weir_record *r, void *user)
{
	const char *v = value_text(r);

	(void)cx;
	if (v && strcmp(v, "d") == 0)
		return -1;
	return v && *v && strspn(v, "0123456789") == strlen(v) ? *(int64_t *)user + atoll(v) : r->timestamp_ms;
}

/* The same, but "d" is as new as the newest record of its partition, if there is one. */
static int64_t time_or_partition_time(weir_context *cx, const weir_record *r, void *user)
{
	int64_t ms = time_from_value(cx, r, user);

	return ms < 0 ? weir_partition_time_ms(cx) : ms;
}

static void build_source(struct graph *g, const struct step *s)
{
	const char *values = step_option(s, "values");
	const weir_serde *value = !values                          ? &weir_utf8
				  : strcmp(values, "numbers") == 0 ? &weir_int64
				  : strcmp(values, "void") == 0    ? &weir_void
								   : &weir_utf8;
	weir_source_opts opts = { .topic = step_option(s, "topic"), .value = value };
	int64_t *before = weir__arena_alloc(&g->arena, sizeof *before);
	const char *topics[2];

	if (step_option(s, "pattern")) { /* topic and and= are names that match, for the input */
		opts.topic = NULL;
		opts.pattern = step_option(s, "pattern");
	} else if (step_option(s, "and")) {
		topics[0] = opts.topic;
		topics[1] = step_option(s, "and");
		opts.topic = NULL;
		opts.topics = topics;
		opts.topic_count = LENGTH(topics);
	}
	*before = step_number(s, "time-from-value", 0);
	if (*before) {
		opts.time_ms = step_option(s, "guess") ? time_or_partition_time : time_from_value;
		opts.user = before;
	}
	graph_put_stream(g, s->name, weir_source(g->t, s->name, opts), value);
}

static void build_filter(struct graph *g, const struct step *s)
{
	struct bound *p = bind(g, "predicate", step_option(s, "fn"));
	bool not = strcmp(s->op, "filter-not") == 0;
	weir_stream *made = (not ? weir_filter_not : weir_filter)(stream_in(g, s), s->name, tested, p);

	graph_put_stream(g, s->name, made, input(g, s, 0)->value);
}

struct mapping {
	struct bound *key, *value;
};

static const char *mapped(const struct bound *b, weir_context *cx, const weir_record *r)
{
	return b->map(cx, key_text(r), value_text(r), b->argument);
}

static void map(weir_context *cx, const weir_record *in, weir_record *out, void *user)
{
	const struct mapping *m = user;
	const void *value = text_object(cx, mapped(m->value, cx, in));

	weir_set_key(out, weir_str(mapped(m->key, cx, in)));
	weir_set_value(out, value);
}

static void build_map(struct graph *g, const struct step *s)
{
	struct mapping *m = weir__arena_alloc(&g->arena, sizeof *m);
	const char *key = step_option(s, "key"), *value = step_option(s, "value");

	m->key = bind(g, "mapper", key ? key : "key");
	m->value = bind(g, "mapper", value ? value : "same");
	graph_put_stream(g, s->name, weir_map(stream_in(g, s), s->name, map, &weir_utf8, m), &weir_utf8);
}

static const void *map_value(weir_context *cx, const weir_record *r, void *user)
{
	return text_object(cx, mapped(user, cx, r));
}

static void build_map_values(struct graph *g, const struct step *s)
{
	struct bound *f = bind(g, "mapper", step_option(s, "fn"));

	graph_put_stream(g, s->name, weir_map_values(stream_in(g, s), s->name, map_value, &weir_utf8, f),
			 &weir_utf8);
}

struct many {
	struct bound *f;
	bool values; /* the key stays, each is a value; else each is a key */
	const weir_record *in;
};

static void make_one(weir_context *cx, const char *one, void *to)
{
	const struct many *m = to;
	weir_record out = *m->in;

	if (m->values) {
		weir_set_value(&out, text_object(cx, one));
	} else {
		weir_set_key(&out, weir_str(one));
		weir_set_value(&out, text_object(cx, value_text(m->in)));
	}
	weir_forward(cx, &out);
}

static void make_many(weir_context *cx, const weir_record *in, void *user)
{
	struct many *m = user;

	m->in = in;
	m->f->many(cx, value_text(in), make_one, m);
}

static struct many *many_of(struct graph *g, const struct step *s, bool values)
{
	struct many *m = weir__arena_alloc(&g->arena, sizeof *m);

	*m = (struct many){ bind(g, "many", step_option(s, "fn")), values, NULL };
	return m;
}

static void build_flat_map(struct graph *g, const struct step *s)
{
	graph_put_stream(g, s->name,
			 weir_flat_map(stream_in(g, s), s->name, make_many, &weir_utf8, many_of(g, s, false)),
			 &weir_utf8);
}

static void build_flat_map_values(struct graph *g, const struct step *s)
{
	graph_put_stream(g, s->name,
			 weir_flat_map_values(stream_in(g, s), s->name, make_many, &weir_utf8, many_of(g, s, true)),
			 &weir_utf8);
}

static weir_bytes new_key(weir_context *cx, const weir_record *r, void *user)
{
	return weir_str(mapped(user, cx, r));
}

static void build_key_by(struct graph *g, const struct step *s)
{
	struct bound *f = bind(g, "mapper", step_option(s, "fn"));

	graph_put_stream(g, s->name, weir_key_by(stream_in(g, s), s->name, new_key, f), input(g, s, 0)->value);
}

static void build_merge(struct graph *g, const struct step *s)
{
	graph_put_stream(g, s->name, weir_merge(stream_in(g, s), s->name, input(g, s, 1)->stream),
			 input(g, s, 0)->value);
}

static void build_branch(struct graph *g, const struct step *s)
{
	weir_case cases[OPTIONS_MAX];
	weir_stream *out[OPTIONS_MAX];
	const char *rest = step_option(s, "default");
	size_t n = 0;

	for (size_t i = 0; i < s->option_count; i++)
		if (strcmp(s->options[i][0], "default") != 0)
			cases[n++] =
				(weir_case){ s->options[i][0], tested, bind(g, "predicate", s->options[i][1]) };
	if (rest)
		cases[n++] = (weir_case){ .name = rest };
	weir_branch(stream_in(g, s), s->name, cases, n, out);
	for (size_t i = 0; i < n; i++)
		graph_put_stream(g, cases[i].name, out[i], input(g, s, 0)->value);
}

struct peeking {
	const char *name;
	struct text *trace;
};

static void peek(weir_context *cx, const weir_record *r, void *user)
{
	const struct peeking *p = user;

	(void)cx;
	text_add(p->trace, "peek %s ", p->name);
	text_add_bytes(p->trace, weir_str(key_text(r)));
	text_add(p->trace, " ");
	text_add_bytes(p->trace, weir_str(value_text(r)));
	text_add(p->trace, "\n");
}

static void build_peek(struct graph *g, const struct step *s)
{
	struct peeking *p = weir__arena_alloc(&g->arena, sizeof *p);

	*p = (struct peeking){ s->name, g->trace };
	if (strcmp(s->op, "for-each") == 0)
		weir_for_each(stream_in(g, s), s->name, peek, p);
	else
		graph_put_stream(g, s->name, weir_peek(stream_in(g, s), s->name, peek, p), input(g, s, 0)->value);
}

static void build_repartition(struct graph *g, const struct step *s)
{
	graph_put_stream(g, s->name, weir_repartition(stream_in(g, s), s->name, (weir_repartition_opts){ 0 }),
			 input(g, s, 0)->value);
}

static void build_to_stream(struct graph *g, const struct step *s)
{
	graph_put_stream(g, s->name, weir_changes(input(g, s, 0)->table), input(g, s, 0)->value);
}

struct routing {
	struct bound *p;
	const char *yes, *no;
};

static const char *route(weir_context *cx, const weir_record *r, void *user)
{
	const struct routing *to = user;

	(void)cx;
	return to->p->test(key_text(r), value_text(r), to->p->argument) ? to->yes : to->no;
}

/* One partition or none: a topic has no more here. */
static int32_t partition_if(weir_context *cx, const weir_record *r, int32_t partitions, int32_t *out, void *user)
{
	(void)partitions;
	out[0] = 0;
	return tested(cx, r, user);
}

static void build_sink(struct graph *g, const struct step *s)
{
	struct named *in = input(g, s, 0);
	weir_stream *stream = in->table ? weir_changes(in->table) : in->stream;
	weir_sink_opts opts = { .topic = step_option(s, "topic") };
	struct routing *to = weir__arena_alloc(&g->arena, sizeof *to);

	graph_output(g, opts.topic ? opts.topic : s->name);
	if (step_option(s, "partition-if")) {
		opts.multicast = partition_if;
		opts.user = bind(g, "predicate", step_option(s, "partition-if"));
	}
	if (step_option(s, "route")) {
		*to = (struct routing){ bind(g, "predicate", step_option(s, "route")), s->name,
					step_option(s, "else") };
		graph_output(g, to->no);
		opts.route = route;
		opts.user = to;
	}
	weir_sink(stream, s->name, opts);
}

const struct builder stream_builders[] = {
	{ "source", build_source },
	{ "filter", build_filter },
	{ "filter-not", build_filter },
	{ "map", build_map },
	{ "map-values", build_map_values },
	{ "flat-map", build_flat_map },
	{ "flat-map-values", build_flat_map_values },
	{ "key-by", build_key_by },
	{ "merge", build_merge },
	{ "branch", build_branch },
	{ "peek", build_peek },
	{ "for-each", build_peek },
	{ "repartition", build_repartition },
	{ "to-stream", build_to_stream },
	{ "sink", build_sink },
	{ NULL, NULL },
};

/* --- a case --------------------------------------------------------------------------------------------------- */

static const struct builder *const tables[] = { stream_builders, window_builders,    table_builders,
						join_builders,   processor_builders, versioned_builders,
						serde_builders,  failing_builders };

static build_fn *builder_of(const char *op)
{
	build_fn *found = NULL;

	for (size_t i = 0; i < LENGTH(tables); i++)
		for (const struct builder *b = tables[i]; b->op; b++) {
			bool is = strcmp(b->op, op) == 0;

			cover(is, "operator %s", b->op);
			if (is)
				found = b->build;
		}
	if (!found)
		fatal("no operator \"%s\"", op);
	return found;
}

const char *family_of(const char *op)
{
	for (size_t i = 0; i < LENGTH(tables); i++)
		for (const struct builder *b = tables[i], *first = b; b->op; b++) {
			if (strcmp(b->op, op) != 0)
				continue;
			if (tables[i] == window_builders && strcmp(op, "suppress") != 0)
				return "aggregate";
			while (first->build != b->build)
				first++;
			return first->op;
		}
	fatal("no operator \"%s\"", op);
}

/* By Kafka Streams' names. */
static void optimize(struct graph *g, const char *what)
{
	bool all = what && strcmp(what, "all") == 0;

	if (all || (what && strstr(what, "merge.repartition.topics")))
		weir_topology_optimize(g->t, WEIR_MERGE_REPARTITIONS);
	if (all || (what && strstr(what, "reuse.ktable.source.topics")))
		weir_topology_optimize(g->t, WEIR_REUSE_TABLE_TOPICS);
	if (all || (what && strstr(what, "single.store.self.join")))
		weir_topology_optimize(g->t, WEIR_SINGLE_STORE_SELF_JOIN);
}

struct graph *graph_build(const struct test_case *c, struct text *trace)
{
	struct graph *g = weir__calloc(1, sizeof *g);

	weir__arena_init(&g->arena, 0);
	g->t = weir_topology_new("app");
	g->trace = trace;
	optimize(g, step_option(&c->config, "topology.optimization"));
	weir_topology_as_kafka_streams(g->t, c->as);
	g->c = c;
	const char *wrapper = step_option(&c->config, "processor.wrapper.class");

	if (wrapper && strcmp(wrapper, "conformance.Around") == 0)
		wrap_steps(g, step_option(&c->config, "__around"));
	else if (wrapper)
		wrap(g->t);
	for (const struct step *s = c->steps; s; s = s->next)
		builder_of(s->op)(g, s);
	return g;
}

void graph_free(struct graph *g)
{
	weir__arena_release(&g->arena);
	free(g);
}
