/* Joins of streams; the same names as in kafka-streams/.../Joins.java. */
#include "tests/conformance/conformance.h"

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

static weir_join_table_opts opts_of(const struct step *s)
{
	return (weir_join_table_opts){ .value = &weir_utf8, .grace_ms = step_number(s, "grace", 0) };
}

static void build_join_table(struct graph *g, const struct step *s)
{
	bool left = strcmp(s->op, "left-join-table") == 0;

	graph_put_stream(g, s->name,
			 (left ? weir_left_join_table : weir_join_table)(input(g, s, 0)->stream, s->name,
									 input(g, s, 1)->table, join, opts_of(s),
									 joining_of(g, s)),
			 &weir_utf8);
}

static void build_global(struct graph *g, const struct step *s)
{
	weir_global_opts opts = { .topic = step_option(s, "topic"), .value = &weir_utf8 };

	graph_put_table(g, s->name, (weir_table *)weir_global_table(g->t, s->name, opts), &weir_utf8);
}

static weir_bytes row_key(weir_context *cx, const weir_record *r, void *user)
{
	const struct bound *b = ((const struct joining *)user)->key;

	return weir_str(b->map(cx, key_text(r), value_text(r), b->argument));
}

static void build_join_global(struct graph *g, const struct step *s)
{
	bool left = strcmp(s->op, "left-join-global") == 0;
	struct joining *j = joining_of(g, s);

	j->key = bind(g, "mapper", step_option(s, "key"));
	graph_put_stream(g, s->name,
			 (left ? weir_left_join_global : weir_join_global)(input(g, s, 0)->stream, s->name,
									   (weir_global *)input(g, s, 1)->table,
									   row_key, join, opts_of(s), j),
			 &weir_utf8);
}

/* --- of two streams ------------------------------------------------------------------------------------------- */

static void build_stream_join(struct graph *g, const struct step *s)
{
	weir_join_window window = { .before_ms = step_number(s, "before", 0),
				    .after_ms = step_number(s, "after", 0),
				    .grace_ms = step_number(s, "grace", 0) };
	weir_stream *(*make)(weir_stream *, const char *, weir_stream *, weir_join_fn *, const weir_serde *,
			     weir_join_window, void *) = strcmp(s->op, "stream-left-join") == 0    ? weir_left_join
							 : strcmp(s->op, "stream-outer-join") == 0 ? weir_outer_join
												   : weir_join;

	graph_put_stream(g, s->name,
			 make(input(g, s, 0)->stream, s->name, input(g, s, 1)->stream, join, &weir_utf8, window,
			      joining_of(g, s)),
			 &weir_utf8);
}

const struct builder join_builders[] = {
	{ "stream-join", build_stream_join },
	{ "stream-left-join", build_stream_join },
	{ "stream-outer-join", build_stream_join },
	{ "join-table", build_join_table },
	{ "left-join-table", build_join_table },
	{ "global-table", build_global },
	{ "join-global", build_join_global },
	{ "left-join-global", build_join_global },
	{ NULL, NULL },
};
