#include "framework/operators/operator.h"

struct look {
	weir_each_fn *fn;
	void *user;
};

/* for_each is a peek with nothing below it. */
static void peek_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	const struct look *l = in->node->opts;

	l->fn(cx, r, l->user);
	weir__pass_on(in, cx, r);
}

static const struct operator peek_op = { .kind = "peek", .process = peek_process };
static const struct operator for_each_op = { .kind = "for-each", .process = peek_process };

static struct node *add(weir_stream *s, const char *name, const struct operator* op, struct look l)
{
	struct node *parent = node_of_stream(s);

	if (!l.fn)
		weir__graph_mistake(parent->topology, name, "it has no function");
	return weir__graph_add(parent->topology, parent, name, op, &l, sizeof l);
}

weir_stream *weir_peek(weir_stream *s, const char *name, weir_each_fn *look, void *user)
{
	return stream_of(add(s, name, &peek_op, (struct look){ look, user }));
}

void weir_for_each(weir_stream *s, const char *name, weir_each_fn *look, void *user)
{
	add(s, name, &for_each_op, (struct look){ look, user });
}
