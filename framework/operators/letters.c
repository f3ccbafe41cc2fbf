/*
 * Dead letters as in Kafka Streams (WEIR_AS_LETTERS). There a record that is passed on has a context, which takes
 * over what is known of the source record; whoever sends the record to a topic frees that, in this context alone.
 * The same record passed on stays in its context, but for steps that keep the key (FixedKeyProcessor), which make
 * it anew; any other one has a new one, which all share that it goes to.
 */
#include "framework/operators/operator.h"

/* A step at work. */
struct passing {
	const struct instance *step;
	bool makes_anew; /* what it passes on counts as another record in any case */
	const weir_record *given;
	bool sent; /* something of what the step has passed on last, if that is another record */
	struct passing *outer;
};

struct noting {
	struct operator op;
	bool makes_anew;
	void (*process)(struct instance *in, weir_context *cx, const weir_record *r);
};

static void process(struct instance *in, weir_context *cx, const weir_record *r)
{
	const struct noting *noting = (const struct noting *)in->op;
	struct passing *outer = cx->passing, mine = { in, noting->makes_anew, r, false, outer };
	bool is_other = !outer || outer->makes_anew || outer->given != r, before = cx->sent;

	if (outer && is_other && in != outer->step->children[0])
		cx->sent = outer->sent; /* its brothers have been given it before */
	cx->passing = &mine;
	noting->process(in, cx, r);
	if (cx->failure)
		weir__failed(in, cx, r, r->timestamp_ms);
	cx->passing = outer;
	if (outer && is_other)
		outer->sent = cx->sent;
	if (is_other)
		cx->sent = before;
}

static bool makes_anew(const struct node *n)
{
	const char *kind = n->op->kind;

	return strcmp(kind, "filter") == 0 || strcmp(kind, "peek") == 0 ||
	       (strcmp(kind, "process") == 0 && !n->changes_key);
}

const struct operator* weir__operator_of(const struct node *n, struct arena *a)
{
	if (!(n->topology->as & WEIR_AS_LETTERS))
		return n->op;
	struct noting *noting = weir__arena_alloc(a, sizeof *noting);

	*noting = (struct noting){ *n->op, makes_anew(n), n->op->process };
	noting->op.process = process;
	return &noting->op;
}

void weir__passes_anew(weir_context *cx)
{
	if (cx->passing)
		cx->passing->sent = cx->sent;
}

const weir_kafka_record *weir__letter_source(weir_context *cx, int64_t timestamp_ms)
{
	const weir_kafka_record *from = weir__origin_source(cx);
	weir_kafka_record *to = weir__arena_zalloc(&cx->arena, sizeof *to);

	*to = from ? *from : (weir_kafka_record){ .partition = -1, .offset = -1, .timestamp_ms = timestamp_ms };
	if (cx->sent)
		to->key = to->value = WEIR_NULL;
	return to;
}
