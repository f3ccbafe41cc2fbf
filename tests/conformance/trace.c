#include "tests/conformance/conformance.h"

#include "framework/topology/graph.h"

/* The last record of each key of the changelogs, as lines "TOPIC KEY" and " VALUE TIMESTAMP". */
struct last {
	char *key, *rest;
};

struct run {
	const struct test_case *c;
	struct graph *g;
	weir_driver *d;
	struct text *out;
	struct arena arena;
	char **changelogs;
	struct last *last;
	size_t last_count, last_room;
};

static bool start(struct run *r)
{
	const char *pairs[OPTIONS_MAX][2];
	size_t n = 0;
	weir_error err = { .code = WEIR_OK };

	for (size_t i = 0; i < r->c->config.option_count; i++)
		if (strcmp(r->c->config.options[i][0], "store") != 0) {
			pairs[n][0] = r->c->config.options[i][0];
			pairs[n++][1] = r->c->config.options[i][1];
		}
	r->d = weir_driver_new(r->g->t,
			       (weir_driver_opts){ .config = (const char *const(*)[2])pairs,
						   .config_count = n,
						   .commit_each_record = true },
			       &err);
	if (!r->d)
		text_add(r->out, "failed %s\n", err.message);
	return r->d != NULL;
}

/* --- in ------------------------------------------------------------------------------------------------------- */

static void pipe_in(struct run *r, char **words, size_t n)
{
	weir_header items[8];
	weir_headers headers = { items, 0 };

	for (size_t i = 5; i < n && headers.count < LENGTH(items); i++) {
		char *equals = strchr(words[i], '=');

		*equals = 0;
		items[headers.count++] = (weir_header){ words[i], bytes_of_text(&r->arena, equals + 1) };
	}
	weir_driver_pipe_record(r->d, words[1], -1, bytes_of_text(&r->arena, words[2]),
				bytes_of_text(&r->arena, words[3]), atoll(words[4]), &headers);
}

/* --- out ------------------------------------------------------------------------------------------------------ */

static void add_record(struct text *out, const weir_driver_record *r)
{
	text_add_bytes(out, r->key);
	text_add(out, " ");
	text_add_bytes(out, r->value);
	text_add(out, " %lld", (long long)r->timestamp_ms);
	for (size_t i = 0; i < r->headers->count; i++) {
		text_add(out, " %s=", r->headers->items[i].name);
		text_add_bytes(out, r->headers->items[i].value);
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void note_last(struct run *r, const char *topic, const weir_driver_record *record)
{
	struct text key = { 0 }, rest = { 0 };
	struct last *found = NULL;

	text_add(&key, "%s ", topic);
	text_add_bytes(&key, record->key);
	text_add(&rest, " ");
	text_add_bytes(&rest, record->value);
	text_add(&rest, " %lld", (long long)record->timestamp_ms);
	for (size_t i = 0; i < r->last_count && !found; i++)
		if (strcmp(r->last[i].key, key.s) == 0)
			found = &r->last[i];
	if (found) {
		free(found->rest);
		free(key.s);
		found->rest = rest.s;
		return;
	}
	if (r->last_count == r->last_room) {
		r->last_room = r->last_room ? 2 * r->last_room : 64;
		r->last = weir__realloc(r->last, r->last_room * sizeof *r->last);
	}
	r->last[r->last_count++] = (struct last){ key.s, rest.s };
}

/* What has come out since the last time. */
static void tell(struct run *r)
{
	weir_driver_record record;
	int dropped = 0;
	weir_error err = { .code = WEIR_OK };

	qsort(r->g->outputs, r->g->output_count, sizeof *r->g->outputs, by_text);
	for (size_t i = 0; i < r->g->output_count; i++)
		while (weir_driver_read(r->d, r->g->outputs[i], &record)) {
			text_add(r->out, "out %s ", r->g->outputs[i]);
			add_record(r->out, &record);
			text_add(r->out, "\n");
		}
	for (char **topic = r->changelogs; *topic; topic++)
		while (weir_driver_read(r->d, *topic, &record))
			note_last(r, *topic, &record);
	while (weir_driver_read(r->d, "dead-letters", &record))
		dropped++;
	if (dropped)
		text_add(r->out, "dropped %d\n", dropped);
	if (weir_app_state_get(weir_driver_app(r->d), &err) == WEIR_APP_ERROR)
		text_add(r->out, "failed %s\n", err.message);
}

/* --- in the end ----------------------------------------------------------------------------------------------- */

static void add_value(struct text *out, weir_bytes value, const weir_serde *serde)
{
	if (serde == &weir_int64 && value.len == 8)
		text_add(out, "%lld", (long long)weir_get_be64(value.data));
	else
		text_add_bytes(out, value);
}

static void list_store(struct run *r, const char *name, bool windowed, const weir_serde *value, struct text *lines)
{
	weir_store *store = weir_driver_store(r->d, name, 0);
	weir_iterator *it = windowed ? weir_window_fetch_all(store, 0, INT64_MAX)
				     : weir_store_range(store, WEIR_NULL, WEIR_NULL, false);
	weir_entry e;

	while (weir_iterator_next(it, &e)) {
		text_add(lines, "store %s ", name);
		text_add_bytes(lines, e.key);
		if (windowed)
			text_add(lines, "@%lld", (long long)e.start_ms);
		text_add(lines, " ");
		add_value(lines, e.value, value);
		text_add(lines, " %lld\n", (long long)e.timestamp_ms);
	}
	weir_iterator_close(it);
}

/* Those of foreign-key joins hold what has no text of its own; their changelogs are compared byte by byte. */
static bool is_listed(const char *store)
{
	const char *suffix = strstr(store, "-subscription-store");

	return !suffix || suffix[strlen("-subscription-store")];
}

/* The lines of a text, sorted, to the end of the trace. */
static void add_sorted(struct run *r, struct text *lines)
{
	char **all = NULL, *at = lines->s, *line;
	size_t n = 0;

	while ((line = next_line(&at))) {
		all = weir__realloc(all, (n + 1) * sizeof *all);
		all[n++] = line;
	}
	if (n)
		qsort(all, n, sizeof *all, by_text);
	for (size_t i = 0; i < n; i++)
		text_add(r->out, "%s\n", all[i]);
	free(all);
	text_release(lines);
}

static void finish(struct run *r)
{
	const weir_topology *t = r->g->t;
	struct text lines = { 0 };

	for (size_t i = 0; i < t->store_count; i++) {
		const struct store_spec *spec = &t->stores[i]->spec;

		if (is_listed(spec->name))
			list_store(r, spec->name, spec->kind == STORE_WINDOW, t->stores[i]->value, &lines);
	}
	for (size_t i = 0; i < t->global_count; i++)
		list_store(r, t->globals[i]->store, false, t->globals[i]->value, &lines);
	add_sorted(r, &lines);
	for (size_t i = 0; i < r->last_count; i++)
		text_add(&lines, "log %s%s\n", r->last[i].key, r->last[i].rest);
	add_sorted(r, &lines);
}

static void find_changelogs(struct run *r)
{
	const weir_topology *t = r->g->t;
	size_t n = 0;

	r->changelogs = weir__calloc(t->store_count + 1, sizeof *r->changelogs);
	for (size_t i = 0; i < t->store_count; i++) {
		struct text name = { 0 };

		text_add(&name, "app-%s-changelog", t->stores[i]->spec.name);
		if (t->stores[i]->spec.logged)
			r->changelogs[n++] = name.s;
		else
			free(name.s);
	}
	qsort(r->changelogs, n, sizeof *r->changelogs, by_text);
}

static void release(struct run *r)
{
	for (size_t i = 0; i < r->last_count; i++) {
		free(r->last[i].key);
		free(r->last[i].rest);
	}
	free(r->last);
	for (char **name = r->changelogs; name && *name; name++)
		free(*name);
	free(r->changelogs);
	weir__arena_release(&r->arena);
}

static void run_lines(struct run *r, const char *input)
{
	char *copy = weir__strdup(input), *at = copy, *line, *words[32];

	while ((line = next_line(&at))) {
		text_add(r->out, "%s\n", line);
		size_t n = split(line, words, LENGTH(words));

		if (strcmp(words[0], "wall") == 0)
			weir_driver_advance(r->d, atoll(words[1]));
		else
			pipe_in(r, words, n);
		weir__arena_reset(&r->arena);
		tell(r);
	}
	free(copy);
}

void trace_run(const struct test_case *c, uint64_t seed, const char *input, struct text *out)
{
	struct run r = { .c = c, .out = out };

	text_add(out, "run %s %llu\n", c->name, (unsigned long long)seed);
	weir__arena_init(&r.arena, 0);
	r.g = graph_build(c, out);
	if (start(&r)) {
		find_changelogs(&r);
		run_lines(&r, input);
		finish(&r);
		weir_driver_free(r.d);
	}
	graph_free(r.g);
	release(&r);
	text_add(out, "end\n");
}

/* "drops": what is counted as dropped; "headers": those of the outputs. */
static bool may_differ(const struct test_case *c, const char *what)
{
	return step_option(&c->differs, what) != NULL;
}

struct text trace_comparable(const struct test_case *c, const char *trace)
{
	struct text out = { 0 };
	char *copy = weir__strdup(trace), *at = copy, *line;

	while ((line = next_line(&at))) {
		if (may_differ(c, "drops") && strncmp(line, "dropped ", 8) == 0)
			continue;
		if (may_differ(c, "headers") && strncmp(line, "out ", 4) == 0) {
			char *end = line;

			for (int spaces = 0; *end; end++)
				if (*end == ' ' && ++spaces == 5)
					break;
			*end = 0;
		}
		text_add(&out, "%s\n", line);
	}
	free(copy);
	return out;
}
