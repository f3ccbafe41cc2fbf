/* Aggregates, plain and in windows; the same names as in kafka-streams/.../Windows.java. */
#include "tests/conformance/conformance.h"

static weir_stream *stream_in(struct graph *g, const struct step *s)
{
	return input(g, s, 0)->stream;
}

/* size=, gap=, difference= or unlimited=1 say which kind; emit=close that results come when windows close. */
static weir_window window_of(const struct step *s)
{
	const char *emit = step_option(s, "emit"), *log = step_option(s, "log"), *store = step_option(s, "store");
	static const char *const kinds[] = { "tumbling", "hopping", "sliding", "session", "no" };
	const char *kind = step_option(s, "advance")      ? "hopping"
			   : step_option(s, "size")       ? "tumbling"
			   : step_option(s, "difference") ? "sliding"
			   : step_option(s, "gap")        ? "session"
			   : step_option(s, "unlimited")  ? NULL
							  : "no";

	for (size_t i = 0; i < LENGTH(kinds); i++) {
		bool is = kind && strcmp(kind, kinds[i]) == 0;

		cover(is, "%s in %s windows", s->op, kinds[i]);
		if (i < LENGTH(kinds) - 1)
			cover(is && emit, "emit=close of %s windows", kinds[i]);
	}
	return (weir_window){
		.size_ms = step_number(s, "size", 0),
		.advance_ms = step_number(s, "advance", 0),
		.gap_ms = step_number(s, "gap", 0),
		.difference_ms = step_number(s, "difference", 0),
		.unlimited = step_number(s, "unlimited", 0) != 0,
		.start_ms = step_number(s, "start", 0),
		.grace_ms = step_number(s, "grace", 0),
		.retain_ms = step_number(s, "retain", 0),
		.emit_on_close = emit && strcmp(emit, "close") == 0,
		.unlogged = log && strcmp(log, "off") == 0,
		.entries_max = step_number(s, "max", 0),
		.in_memory = store && strcmp(store, "memory") == 0,
		.on_disk = store && strcmp(store, "disk") == 0,
	};
}

static void build_count(struct graph *g, const struct step *s)
{
	graph_put_table(g, s->name, weir_count(stream_in(g, s), s->name, window_of(s)), &weir_int64);
}

static const void *reduce(weir_context *cx, const void *aggregate, const void *value, void *user)
{
	const struct bound *b = user;

	return text_object(cx, b->three(cx, NULL, object_text(cx, aggregate, &weir_utf8),
					object_text(cx, value, &weir_utf8), b->argument));
}

static void build_reduce(struct graph *g, const struct step *s)
{
	struct bound *b = bind(g, "reducer", step_option(s, "fn"));

	graph_put_table(g, s->name, weir_reduce(stream_in(g, s), s->name, reduce, window_of(s), b), &weir_utf8);
}

struct aggregating {
	struct bound *fold, *merge;
};

static const void *fold(weir_context *cx, const weir_record *r, const void *aggregate, void *user)
{
	const struct bound *b = ((const struct aggregating *)user)->fold;

	return text_object(
		cx, b->three(cx, key_text(r), value_text(r), object_text(cx, aggregate, &weir_utf8), b->argument));
}

static const void *merge(weir_context *cx, weir_bytes key, const void *a, const void *b, void *user)
{
	const struct bound *m = ((const struct aggregating *)user)->merge;

	return text_object(cx, m->three(cx, bytes_text(cx, key), object_text(cx, a, &weir_utf8),
					object_text(cx, b, &weir_utf8), m->argument));
}

static weir_aggregator aggregator_of(struct graph *g, const struct step *s, const char *folder)
{
	struct aggregating *a = weir__arena_zalloc(&g->arena, sizeof *a);
	weir_aggregator made = { .value = &weir_utf8, .fold = fold, .user = a };

	a->fold = bind(g, "folder", folder);
	if (step_option(s, "merge")) {
		a->merge = bind(g, "reducer", step_option(s, "merge"));
		made.merge = merge;
	}
	return made;
}

static void build_aggregate(struct graph *g, const struct step *s)
{
	weir_aggregator a = aggregator_of(g, s, step_option(s, "fn"));

	graph_put_table(g, s->name, weir_aggregate(stream_in(g, s), s->name, a, window_of(s)), &weir_utf8);
}

/* Input i is folded by the function fn<i>=. */
static void build_cogroup(struct graph *g, const struct step *s)
{
	weir_cogrouped inputs[INPUTS_MAX];
	weir_aggregator a = { .value = &weir_utf8 };

	for (size_t i = 0; i < s->input_count; i++) {
		char option[8];

		snprintf(option, sizeof option, "fn%zu", i);
		weir_aggregator one = aggregator_of(g, s, step_option(s, option));

		inputs[i] = (weir_cogrouped){ input(g, s, i)->stream, NULL, one.fold, one.user };
		a.merge = one.merge;
		a.user = one.user;
	}
	graph_put_table(g, s->name, weir_cogroup(inputs, s->input_count, s->name, a, window_of(s)), &weir_utf8);
}

static void build_suppress(struct graph *g, const struct step *s)
{
	weir_suppress_opts opts = { .until_window_closes = step_option(s, "until") != NULL,
				    .limit_ms = step_number(s, "limit", 0),
				    .records_max = step_number(s, "records", 0),
				    .bytes_max = step_number(s, "bytes", 0) };

	graph_put_table(g, s->name, weir_suppress(input(g, s, 0)->table, s->name, opts), input(g, s, 0)->value);
}

const struct builder window_builders[] = {
	{ "count", build_count },     { "reduce", build_reduce },     { "aggregate", build_aggregate },
	{ "cogroup", build_cogroup }, { "suppress", build_suppress }, { NULL, NULL },
};
