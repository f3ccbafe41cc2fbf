#include "framework/operators/operator.h"

struct branch {
	const weir_case *cases;
	size_t count;
};

/* The cases are the branch's children, in order. */
static void branch_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	const struct branch *b = in->node->opts;

	for (size_t i = 0; i < b->count; i++) {
		bool is = !b->cases[i].when || b->cases[i].when(cx, r, b->cases[i].user);

		if (cx->failure)
			return;
		if (!is)
			continue;
		weir__process(in->children[i], cx, r);
		cx->current = in;
		return;
	}
}

static void case_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	weir__pass_on(in, cx, r);
}

static const struct operator branch_op = { .kind = "branch", .process = branch_process };
static const struct operator case_op = { .kind = "case", .process = case_process };

void weir_branch(weir_stream *s, const char *name, const weir_case *cases, size_t n, weir_stream **out)
{
	struct node *parent = node_of_stream(s);
	weir_topology *t = parent->topology;
	bool whole = cases && out;

	size_t given = n;

	n = whole ? n : 0;
	struct branch b = { weir__arena_copy(&t->arena,
					     weir_bytes_of(whole ? cases : &(weir_case){ 0 }, n * sizeof *cases))
				    .data,
			    n };
	struct node *branch = weir__graph_add(t, parent, name, &branch_op, &b, sizeof b);

	if (!whole && given)
		weir__graph_mistake(t, name, "its cases, or where they go, are NULL");
	else if (!given)
		weir__graph_mistake(t, name, "it has no cases");
	for (size_t i = 0; i < n; i++)
		out[i] = stream_of(weir__graph_add(t, branch, cases[i].name, &case_op, NULL, 0));
}
