#include "framework/operators/operator.h"

struct filter {
	weir_predicate_fn *predicate;
	void *user;
	bool keep_if;
};

static void filter_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	const struct filter *f = in->node->opts;

	if (f->predicate(cx, r, f->user) == f->keep_if)
		weir__pass_on(in, cx, r);
}

static const struct operator filter_op = { .kind = "filter", .process = filter_process };

static weir_stream *add(weir_stream *s, const char *name, struct filter f)
{
	struct node *parent = node_of_stream(s);

	if (!f.predicate)
		weir__graph_mistake(parent->topology, name, "it has no predicate");
	return stream_of(weir__graph_add(parent->topology, parent, name, &filter_op, &f, sizeof f));
}

weir_stream *weir_filter(weir_stream *s, const char *name, weir_predicate_fn *keep, void *user)
{
	return add(s, name, (struct filter){ keep, user, true });
}

weir_stream *weir_filter_not(weir_stream *s, const char *name, weir_predicate_fn *drop, void *user)
{
	return add(s, name, (struct filter){ drop, user, false });
}
