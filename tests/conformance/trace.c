#include <ftw.h>

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
	char **changelogs, **repartitions;
	struct last *last;
	size_t last_count, last_room;
	long long dropped;
	struct trace_way way;
};

/* NULL = stores in memory. */
static const char *state_dir;

void trace_on_disk(const char *dir)
{
	state_dir = dir;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type;
	return at->level ? remove(path) : 0;
}

/* What weir has otherwise, or as its way. */
static bool is_theirs(const char *config)
{
	return strcmp(config, "store") == 0 || strncmp(config, "__", 2) == 0 ||
	       strcmp(config, "processor.wrapper.class") == 0 || strcmp(config, "topology.optimization") == 0 ||
	       strcmp(config, "statestore.cache.max.bytes") == 0 || strstr(config, "exception.handler");
}

static bool start(struct run *r)
{
	const char *pairs[OPTIONS_MAX + 1][2] = { { "errors.processing", "dead-letter" } };
	size_t n = 1;
	weir_error err = { .code = WEIR_OK };

	for (size_t i = 0; i < r->c->config.option_count; i++)
		if (!is_theirs(r->c->config.options[i][0])) {
			pairs[n][0] = r->c->config.options[i][0];
			pairs[n++][1] = r->c->config.options[i][1];
		}
	r->d = weir_driver_new(r->g->t,
			       (weir_driver_opts){ .config = (const char *const(*)[2])pairs,
						   .config_count = n,
						   .state_dir = state_dir,
						   .partitions = r->way.partitions,
						   .commit_each_record = !r->way.batch },
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

static void add_headers(struct text *out, const weir_headers *headers)
{
	for (size_t i = 0; i < headers->count; i++) {
		text_add(out, " %s=", headers->items[i].name);
		text_add_bytes(out, headers->items[i].value);
	}
}

static void add_record(struct text *out, const weir_driver_record *r)
{
	text_add_bytes(out, r->key);
	text_add(out, " ");
	text_add_bytes(out, r->value);
	text_add(out, " %lld", (long long)r->timestamp_ms);
	add_headers(out, r->headers);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The store whose changelog the topic is. */
static const struct store_spec *logged_in(const struct run *r, const char *topic)
{
	static const struct store_spec none;
	const weir_topology *t = r->g->t;

	for (size_t i = 0; i < t->store_count; i++) {
		const char *name = t->stores[i]->spec.name;

		if (strncmp(topic, "app-", 4) == 0 && strncmp(topic + 4, name, strlen(name)) == 0 &&
		    strcmp(topic + 4 + strlen(name), "-changelog") == 0)
			return &t->stores[i]->spec;
	}
	return &none;
}

/* The changelog of a suppressed table's buffer: its records have the time at which they are written. */
static bool is_of_buffer(const struct run *r, const char *topic)
{
	char name[200];

	for (const struct step *s = r->c->steps; s; s = s->next) {
		snprintf(name, sizeof name, "app-%s-store-changelog", s->name);
		if (strcmp(s->op, "suppress") == 0 && strcmp(topic, name) == 0)
			return true;
	}
	return false;
}

static bool ends_with(const char *name, const char *suffix)
{
	size_t n = strlen(suffix), len = strlen(name);

	return len > n && strcmp(name + len - n, suffix) == 0;
}

static void note(struct run *r, struct text key, struct text rest)
{
	struct last *found = NULL;

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

/* A record of a changelog. Kafka Streams gives that of a join's buffer no times: the broker sets them. Of versions
 * each is told, and with WEIR_AS_LATE_VERSIONS, without which weir writes the newest again, the last one, too. */
static void note_last(struct run *r, const char *topic, const weir_driver_record *record)
{
	bool of_versions = logged_in(r, topic)->kind == STORE_VERSIONED;

	for (int last = 0; last <= (of_versions && r->c->as & WEIR_AS_LATE_VERSIONS); last++) {
		struct text key = { 0 }, rest = { 0 };

		text_add(&key, "%s ", topic);
		text_add_bytes(&key, record->key);
		if (of_versions && !last)
			text_add(&key, "@%lld", (long long)record->timestamp_ms);
		text_add(&rest, " ");
		text_add_bytes(&rest, record->value);
		if (is_of_buffer(r, topic))
			text_add(&rest, " -");
		else
			text_add(&rest, " %lld",
				 ends_with(topic, "-Buffer-changelog") ? -1LL : (long long)record->timestamp_ms);
		if (logged_in(r, topic)->headers ||
		    (step_option(&r->c->config, "__log-headers") && !is_of_buffer(r, topic)))
			add_headers(&rest, record->headers);
		note(r, key, rest);
	}
}

static void tell_topic(struct run *r, const char *what, const char *topic)
{
	weir_driver_record record;

	while (weir_driver_read(r->d, topic, &record)) {
		text_add(r->out, "%s %s ", what, topic);
		add_record(r->out, &record);
		text_add(r->out, "\n");
	}
}

/* A dead letter whose step has failed; the others are none in Kafka Streams. Offsets of internal
 * topics are not told: markers have some. */
static void tell_letter(struct run *r, const weir_driver_record *letter)
{
	static const char *const told[] = { "topic", "partition", "offset", "message" };
	const weir_headers *h = letter->headers;
	weir_bytes topic = weir_headers_last(h, "__streams.errors.topic");
	bool internal = topic.len > 4 && memcmp(topic.data, "app-", 4) == 0;
	char name[64];

	if (!weir_bytes_equal(weir_headers_last(h, "__streams.errors.exception"), weir_str("PROCESSING")))
		return;
	text_add(r->out, "letter ");
	text_add_bytes(r->out, letter->key);
	text_add(r->out, " ");
	text_add_bytes(r->out, letter->value);
	for (size_t i = 0; i < LENGTH(told); i++) {
		snprintf(name, sizeof name, "__streams.errors.%s", told[i]);
		weir_bytes value = weir_headers_last(h, name);

		if (weir_is_null(value) || (internal && strcmp(told[i], "offset") == 0))
			continue;
		text_add(r->out, " %s=", told[i]);
		text_add_bytes(r->out, value);
	}
	text_add(r->out, "\n");
}

static void tell_letters(struct run *r)
{
	const char *topic = step_option(&r->c->config, "errors.dead.letter.queue.topic.name");
	weir_driver_record letter;

	while (topic && weir_driver_read(r->d, topic, &letter))
		tell_letter(r, &letter);
}

static void tell_dropped(struct run *r)
{
	long long n = (long long)weir_metrics_value(weir_app_metrics(weir_driver_app(r->d)),
						    "weir_dropped_records_total", (const char *[]){ "0" });

	if (n > r->dropped)
		text_add(r->out, "dropped %lld\n", n - r->dropped);
	r->dropped = n;
}

/* What has come out since the last time. */
static void tell(struct run *r)
{
	weir_driver_record record;
	weir_error err = { .code = WEIR_OK };

	qsort(r->g->outputs, r->g->output_count, sizeof *r->g->outputs, by_text);
	for (size_t i = 0; i < r->g->output_count; i++)
		tell_topic(r, "out", r->g->outputs[i]);
	for (char **topic = r->repartitions; *topic; topic++)
		tell_topic(r, "via", *topic);
	for (char **topic = r->changelogs; *topic; topic++)
		while (weir_driver_read(r->d, *topic, &record))
			note_last(r, *topic, &record);
	tell_letters(r);
	tell_dropped(r);
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

/* `timed`: values have a time of their own. */
static void list_partition(struct run *r, const char *name, int32_t partition, enum store_kind kind, bool timed,
			   const weir_serde *value, struct text *lines)
{
	weir_store *store = weir_driver_store(r->d, name, partition);
	weir_iterator *it = kind == STORE_WINDOW    ? weir_window_fetch_all(store, 0, INT64_MAX)
			    : kind == STORE_SESSION ? weir_session_find_all(store, 0, INT64_MAX)
						    : weir_store_range(store, WEIR_NULL, WEIR_NULL, false);
	weir_entry e;

	while (weir_iterator_next(it, &e)) {
		text_add(lines, "store %s ", name);
		text_add_bytes(lines, e.key);
		if (kind != STORE_KEY_VALUE)
			text_add(lines, "@%lld", (long long)e.start_ms);
		if (kind == STORE_SESSION)
			text_add(lines, "-%lld", (long long)e.end_ms);
		text_add(lines, " ");
		add_value(lines, e.value, value);
		if (timed)
			text_add(lines, " %lld\n", (long long)e.timestamp_ms);
		else
			text_add(lines, " -\n");
	}
	weir_iterator_close(it);
}

static void list_store(struct run *r, const char *name, enum store_kind kind, bool timed, const weir_serde *value,
		       struct text *lines)
{
	for (int32_t p = 0; p == 0 || (p < r->way.partitions && weir_driver_store(r->d, name, p)); p++)
		list_partition(r, name, p, kind, timed, value, lines);
}

/* Some hold what has no text of its own; their changelogs are compared byte by byte. */
static bool is_listed(const struct run *r, const char *store)
{
	char changelog[200];

	snprintf(changelog, sizeof changelog, "app-%s-changelog", store);
	return !ends_with(store, "-subscription-store") && !ends_with(store, "-shared-join-store") &&
	       !ends_with(store, "-Buffer") && !is_of_buffer(r, changelog);
}

/* Kafka Streams has none there. */
static bool is_ours_alone(const struct run *r, const char *store)
{
	for (const struct step *s = r->c->steps; s; s = s->next) {
		const char *option = step_option(s, "store");

		if (option && strcmp(option, "none") == 0 && strcmp(s->name, store) == 0)
			return true;
	}
	return false;
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

		if (spec->kind == STORE_VERSIONED)
			versions_list(weir_driver_store(r->d, spec->name, 0), spec->name, &lines, add_value,
				      t->stores[i]->value);
		else if (is_listed(r, spec->name) && !is_ours_alone(r, spec->name))
			list_store(r, spec->name, spec->kind,
				   spec->kind != STORE_SESSION && !spec->duplicates &&
					   (!spec->entries_max || spec->evicts_at_flush) && !spec->headers,
				   t->stores[i]->value, &lines);
	}
	for (size_t i = 0; i < t->global_count; i++) {
		const struct store_spec *spec = &t->globals[i]->spec;

		if (spec->kind != STORE_VERSIONED) /* Kafka Streams does not tell the keys of such */
			list_partition(r, t->globals[i]->store, 0, spec->kind,
				       spec->kind != STORE_SESSION && !spec->headers, t->globals[i]->value, &lines);
	}
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
		if (t->stores[i]->spec.logged && !is_ours_alone(r, t->stores[i]->spec.name))
			r->changelogs[n++] = name.s;
		else
			free(name.s);
	}
	qsort(r->changelogs, n, sizeof *r->changelogs, by_text);
}

static void find_repartitions(struct run *r)
{
	const weir_topology *t = r->g->t;
	size_t n = 0;

	r->repartitions = weir__calloc(t->topic_count + 1, sizeof *r->repartitions);
	for (size_t i = 0; i < t->topic_count; i++) {
		const struct graph_topic *topic = t->topics[i];
		struct text name = { 0 };

		if (topic->kind != TOPIC_REPARTITION)
			continue;
		text_add(&name, "app-%s-%s", topic->name, topic->suffix ? topic->suffix : "repartition");
		r->repartitions[n++] = name.s;
	}
	qsort(r->repartitions, n, sizeof *r->repartitions, by_text);
}

static void free_list(char **names)
{
	for (char **name = names; name && *name; name++)
		free(*name);
	free(names);
}

static void release(struct run *r)
{
	for (size_t i = 0; i < r->last_count; i++) {
		free(r->last[i].key);
		free(r->last[i].rest);
	}
	free(r->last);
	free_list(r->changelogs);
	free_list(r->repartitions);
	weir__arena_release(&r->arena);
}

/* What it has counted is gone with it. */
static void restart(struct run *r, bool crash)
{
	weir_error err = { .code = WEIR_OK };

	if (!weir_driver_restart(r->d, crash, &err))
		text_add(r->out, "failed %s\n", err.message);
	r->dropped = 0;
}

static void run_lines(struct run *r, const char *input)
{
	char *copy = weir__strdup(input), *at = copy, *line, *words[32];
	weir_error err = { .code = WEIR_OK };
	size_t n = 0, len = strlen(input);
	int restarts = 0;

	if (r->way.batch)
		weir_driver_stop(r->d, false);
	while ((line = next_line(&at))) {
		text_add(r->out, "%s\n", line);
		n = split(line, words, LENGTH(words));
		if (strcmp(words[0], "wall") == 0)
			weir_driver_advance(r->d, atoll(words[1]));
		else
			pipe_in(r, words, n);
		weir__arena_reset(&r->arena);
		if (r->way.batch)
			continue;
		tell(r);
		if (r->way.restarts && (size_t)(line - copy) > len * (size_t)(restarts + 1) / 3 && restarts < 2)
			restart(r, restarts++ == 1);
	}
	free(copy);
	if (!r->way.batch)
		return;
	if (!weir_driver_start(r->d, NULL, &err))
		text_add(r->out, "failed %s\n", err.message);
	tell(r);
}

void trace_run(const struct test_case *c, uint64_t seed, const char *input, struct text *out)
{
	trace_run_by(c, seed, input, (struct trace_way){ 0 }, out);
}

void trace_run_by(const struct test_case *c, uint64_t seed, const char *input, struct trace_way way,
		  struct text *out)
{
	struct run r = { .c = c, .out = out, .way = way };

	text_add(out, "run %s %llu\n", c->name, (unsigned long long)seed);
	weir__arena_init(&r.arena, 0);
	r.g = graph_build(c, out);
	if (start(&r)) {
		find_changelogs(&r);
		find_repartitions(&r);
		run_lines(&r, input);
		finish(&r);
		weir_driver_free(r.d);
	}
	graph_free(r.g);
	release(&r);
	if (state_dir && nftw(state_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
		fatal("%s cannot be emptied", state_dir);
	text_add(out, "end\n");
}
