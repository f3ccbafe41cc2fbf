/* Each operator, option, function and kind of store must be in two cases at least: `conformance -c` looks. */
#include "tests/conformance/conformance.h"

#include "framework/topology/graph.h"

enum { CASES_LEAST = 2 };

struct thing {
	char *what;
	const struct test_case *last;
	int cases;
};

static struct {
	const struct test_case *now; /* the case that is being looked through; NULL = none is */
	struct thing *things;
	size_t count;
} coverage;

static struct thing *thing_of(const char *what)
{
	for (size_t i = 0; i < coverage.count; i++)
		if (strcmp(coverage.things[i].what, what) == 0)
			return &coverage.things[i];
	coverage.things = weir__realloc(coverage.things, (coverage.count + 1) * sizeof *coverage.things);
	coverage.things[coverage.count] = (struct thing){ .what = weir__strdup(what) };
	return &coverage.things[coverage.count++];
}

void cover(bool here, const char *format, ...)
{
	char what[200];
	va_list args;

	if (!coverage.now)
		return;
	va_start(args, format);
	vsnprintf(what, sizeof what, format, args);
	va_end(args);
	struct thing *t = thing_of(what);

	if (here && t->last != coverage.now) {
		t->last = coverage.now;
		t->cases++;
	}
}

void cover_choice(const char *what, const char *const *names, size_t n, const char *chosen)
{
	for (size_t i = 0; i < n; i++)
		cover(chosen && strcmp(names[i], chosen) == 0, "%s%s", what, names[i]);
}

/* --- stores --------------------------------------------------------------------------------------------------- */

static const char *kind_of(const struct store_spec *s)
{
	return s->kind == STORE_VERSIONED                 ? "versions"
	       : s->kind == STORE_SESSION                 ? "sessions"
	       : s->kind == STORE_WINDOW && s->duplicates ? "windows with duplicates"
	       : s->kind == STORE_WINDOW                  ? "windows"
	       : s->entries_max && s->evicts_at_flush     ? "at most so many rows of a table"
	       : s->entries_max                           ? "at most so many keys"
							  : "values";
}

/* Which kinds there are at all: without a changelog, in memory, with headers. */
static const struct {
	const char *name;
	bool global, unlogged, in_memory, headers;
} kinds[] = {
	{ "values", true, true, true, true },
	{ "windows", true, true, true, true },
	{ "windows with duplicates", .in_memory = true },
	{ "sessions", true, true, true, true },
	{ "versions", .global = true },
	{ "at most so many keys", .global = true },
	{ "at most so many rows of a table", .unlogged = true },
};

static void cover_store(const struct store_spec *s, bool global)
{
	for (size_t i = 0; i < LENGTH(kinds); i++) {
		const char *name = kinds[i].name;
		bool is = strcmp(kind_of(s), name) == 0;

		if (global && kinds[i].global)
			cover(is, "global store of %s", name);
		if (global)
			continue;
		cover(is, "store of %s", name);
		if (kinds[i].unlogged)
			cover(is && !s->logged, "store of %s, without a changelog", name);
		if (kinds[i].in_memory)
			cover(is && s->in_memory, "store of %s, in memory", name);
		if (kinds[i].headers)
			cover(is && s->headers, "store of %s, with headers", name);
	}
}

static void cover_case(const struct test_case *c)
{
	static const char *const configs[] = { "topology.optimization", "processor.wrapper.class", "store",
					       "deserialization.exception.handler",
					       "processing.exception.handler" };
	struct text trace = { 0 };

	coverage.now = c;
	struct graph *g = graph_build(c, &trace);

	for (size_t i = 0; i < g->t->store_count; i++)
		cover_store(&g->t->stores[i]->spec, false);
	for (size_t i = 0; i < g->t->global_count; i++)
		cover_store(&g->t->globals[i]->spec, true);
	for (size_t i = 0; i < LENGTH(configs); i++)
		cover(step_option(&c->config, configs[i]) != NULL, "config %s", configs[i]);
	weir_topology_free(g->t);
	graph_free(g);
	text_release(&trace);
}

/* --- all of it ------------------------------------------------------------------------------------------------ */

int coverage_check(struct test_case *const *cases, size_t count)
{
	int thin = 0;

	for (size_t i = 0; i < count; i++)
		cover_case(cases[i]);
	for (size_t i = 0; i < coverage.count; i++) {
		const struct thing *t = &coverage.things[i];

		if (t->cases < CASES_LEAST && ++thin)
			printf("%s: in %d case%s, %d wanted%s%s\n", t->what, t->cases, t->cases == 1 ? "" : "s",
			       CASES_LEAST, t->last ? "; in " : "", t->last ? t->last->name : "");
	}
	printf("%zu things in %zu cases: %d of them are in fewer than %d\n", coverage.count, count, thin,
	       CASES_LEAST);
	for (size_t i = 0; i < coverage.count; i++)
		free(coverage.things[i].what);
	free(coverage.things);
	return thin;
}
