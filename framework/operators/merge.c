#include "framework/operators/operator.h"

static void merge_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	weir__pass_on(in, cx, r);
}

static const struct operator merge_op = { .kind = "merge", .process = merge_process };

weir_stream *weir_merge(weir_stream *a, const char *name, weir_stream *b)
{
	struct node *left = node_of_stream(a), *right = node_of_stream(b);
	struct node *n = weir__graph_add(left->topology, left, name, &merge_op, NULL, 0);

	weir__graph_connect(right, n);
	n->key_changed |= right->key_changed;
	if (left->value != right->value)
		weir__graph_mistake(n->topology, name,
				    "its inputs \"%s\" and \"%s\" have values of different serdes", left->name,
				    right->name);
	if (left->windowed != right->windowed)
		weir__graph_mistake(n->topology, name,
				    "one of its inputs \"%s\" and \"%s\" has windows, the other has not",
				    left->name, right->name);
	return stream_of(n);
}
