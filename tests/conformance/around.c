/*
 * What is put around the steps of all operators: as in Around.java. It says what enters each step, "enter STEP KIND
 * KEY VALUE TIME [HEADER=VALUE...]", and does what `config __around=` lists:
 *
 *   drop     each fifth record does not reach the step
 *   change   each third has "!" behind its value, where that is text and no change of a table
 *   time     each sixth comes 1 ms later (not for tables with a cache, which there give a deletion the time of its
 *            record)
 *   headers  all get a header (not for what waits, which has there the headers that it came in with)
 *   forward  each fourth is followed by one of the wrapper's own, where its value is text
 *   tick     a timer around a merge says "tick STEP KIND CALL of RECORDS TIME"
 */
#include "tests/conformance/conformance.h"

struct around {
	int64_t records, ticks;
	const char *step, *kind; /* of the case */
	const struct graph *g;
};

static bool is_one_of(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(word, *list) == 0)
			return true;
	return false;
}

static bool does(const struct around *a, const char *what)
{
	return strstr(a->g->around, what) != NULL;
}

static bool is_table_step(const struct around *a)
{
	return strncmp(a->kind, "table-", 6) == 0 || strcmp(a->kind, "suppress") == 0 ||
	       strcmp(a->kind, "foreign-subscribe") == 0 || strcmp(a->kind, "foreign-changes") == 0;
}

/* Bytes of weir's own in internal topics. */
static bool has_text(const struct around *a)
{
	return strncmp(a->kind, "foreign-re", 10) != 0 && strcmp(a->kind, "table-aggregate") != 0;
}

/* The case's step that one of weir's belongs to: the longest name that it begins with. */
static const char *case_step(const struct graph *g, const char *name)
{
	const char *best = NULL;

	for (const struct step *s = g->c->steps; s; s = s->next) {
		size_t n = strlen(s->name);

		if (strncmp(name, s->name, n) == 0 && (!name[n] || name[n] == '-') && (!best || n > strlen(best)))
			best = s->name;
	}
	return best ? best : name;
}

/* A name for all that are one processor there. */
static const char *common_kind(const char *kind)
{
	static const char *const aggregates[] = { "count", "reduce", "aggregate", NULL };
	static const char *const grouped[] = { "table-count",    "table-reduce",      "grouped-count",
					       "grouped-reduce", "grouped-aggregate", NULL };

	return is_one_of(kind, aggregates)             ? "aggregate"
	       : is_one_of(kind, grouped)              ? "table-aggregate"
	       : strcmp(kind, "join-table-grace") == 0 ? "join-table"
						       : kind;
}

static void tick(weir_context *cx, int64_t time_ms, void *state)
{
	struct around *a = state;

	(void)cx;
	text_add(a->g->trace, "tick %s %s %lld of %lld %lld\n", a->step, a->kind, (long long)++a->ticks,
		 (long long)a->records, (long long)time_ms);
}

static void init(weir_context *cx, weir_wrapped *inner, void *state, void *user)
{
	struct around *a = state;

	a->g = user;
	a->step = case_step(a->g, weir_wrapped_step(inner));
	a->kind = common_kind(weir_wrapped_kind(inner));
	weir_wrapped_init(inner, cx);
	if (does(a, "tick") && strcmp(a->kind, "merge") == 0)
		weir_schedule(cx, 37, WEIR_STREAM_TIME, tick);
}

static void tell(const struct around *a, const weir_record *r)
{
	const weir_headers *headers = weir_record_headers(r);
	struct text *out = a->g->trace;

	text_add(out, "enter %s %s ", a->step, a->kind);
	text_add_bytes(out, r->key);
	if (weir_has_window(r))
		text_add(out, "@%lld", (long long)r->window_start_ms);
	if (r->session)
		text_add(out, "-%lld", (long long)r->window_end_ms);
	text_add(out, " ");
	if (has_text(a))
		text_add_bytes(out, weir_str(value_text(r)));
	else
		text_add(out, "-");
	text_add(out, " %lld", (long long)r->timestamp_ms);
	for (size_t i = 0; i < headers->count; i++) {
		text_add(out, " %s=", headers->items[i].name);
		text_add_bytes(out, headers->items[i].value);
	}
	text_add(out, "\n");
}

static const weir_headers *one_more(weir_context *cx, const struct around *a, const weir_record *r)
{
	const weir_headers *had = weir_record_headers(r);
	weir_headers *headers = weir_alloc(cx, sizeof *headers);
	weir_header *items = weir_alloc(cx, (had->count + 1) * sizeof *items);

	if (had->count)
		memcpy(items, had->items, had->count * sizeof *items);
	items[had->count] = (weir_header){ format(cx, "around-%s", a->step),
					   weir_str(format(cx, "%lld", (long long)a->records)) };
	*headers = (weir_headers){ items, had->count + 1 };
	return headers;
}

static void forward_behind(weir_context *cx, const struct around *a, const weir_record *r)
{
	static const char *const kinds[] = {
		"filter", "peek",         "map-values",       "merge",           "case", "map", "key-by",
		"join",   "table-filter", "table-map-values", "flat-map-values", NULL
	};
	weir_record out = *r;

	if (!is_one_of(a->kind, kinds) || r->serde == &weir_int64)
		return;
	weir_set_value(&out, text_object(cx, "behind"));
	out.old_object = NULL;
	out.old_encoded = WEIR_NULL;
	out.superseded = false;
	weir_forward(cx, &out);
}

static void process(weir_context *cx, const weir_record *r, weir_wrapped *inner, void *state, void *user)
{
	struct around *a = state;
	weir_record out = *r;

	(void)user;
	a->records++;
	tell(a, r);
	if (does(a, "headers"))
		out.headers = one_more(cx, a, r);
	if (does(a, "change") && a->records % 3 == 0 && !is_table_step(a) && has_text(a) &&
	    r->serde != &weir_int64 && !weir_value_is_null(r))
		weir_wrapped_set_value(&out, text_object(cx, format(cx, "%s!", value_text(r))));
	if (does(a, "time") && a->records % 6 == 0)
		out.timestamp_ms++;
	if (!does(a, "drop") || a->records % 5)
		weir_wrapped_process(inner, cx, &out);
	if (does(a, "forward") && a->records % 4 == 0 && !weir_value_is_null(r))
		forward_behind(cx, a, &out);
}

void wrap_steps(struct graph *g, const char *what)
{
	g->around = what ? what : "";
	weir_topology_wrap(g->t, (weir_wrapper){ .state_size = sizeof(struct around),
						 .init = init,
						 .process = process,
						 .steps = true,
						 .user = g });
}
