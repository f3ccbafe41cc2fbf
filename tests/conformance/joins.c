/* Joins of streams; the same names as in kafka-streams/.../Joins.java. */
#include "tests/conformance/conformance.h"

#include "framework/topology/graph.h"

struct joining {
	struct bound *join, *key;
	const weir_serde *left, *right;
};

static const void *join(weir_context *cx, weir_bytes key, const void *left, const void *right, void *user)
{
	const struct joining *j = user;

	return text_object(cx, j->join->three(cx, bytes_text(cx, key), object_text(cx, left, j->left),
					      object_text(cx, right, j->right), j->join->argument));
}

static struct joining *joining_of(struct graph *g, const struct step *s)
{
	struct joining *j = weir__arena_zalloc(&g->arena, sizeof *j);

	j->join = bind(g, "joiner", step_option(s, "fn"));
	j->left = input(g, s, 0)->value;
	j->right = input(g, s, 1)->value;
	return j;
}

static void build_join_table(struct graph *g, const struct step *s)
{
	weir_join_table_opts opts = { .value = &weir_utf8, .grace_ms = step_number(s, "grace", 0) };
	bool left = strcmp(s->op, "left-join-table") == 0;

	graph_put_stream(g, s->name,
			 (left ? weir_left_join_table : weir_join_table)(input(g, s, 0)->stream, s->name,
									 input(g, s, 1)->table, join, opts,
									 joining_of(g, s)),
			 &weir_utf8);
}

static void build_global(struct graph *g, const struct step *s)
{
	weir_global_opts opts = { .topic = step_option(s, "topic"), .value = &weir_utf8 };

	graph_put_table(g, s->name, (weir_table *)weir_global_table(g->t, s->name, opts), &weir_utf8);
}

static weir_bytes row_key(weir_context *cx, const weir_record *r, void *user)
{
	const struct bound *b = ((const struct joining *)user)->key;

	return weir_str(b->map(cx, key_text(r), value_text(r), b->argument));
}

static void build_join_global(struct graph *g, const struct step *s)
{
	weir_join_table_opts opts = { .value = &weir_utf8 };
	bool left = strcmp(s->op, "left-join-global") == 0;
	struct joining *j = joining_of(g, s);

	j->key = bind(g, "mapper", step_option(s, "key"));
	graph_put_stream(g, s->name,
			 (left ? weir_left_join_global : weir_join_global)(input(g, s, 0)->stream, s->name,
									   (weir_global *)input(g, s, 1)->table,
									   row_key, join, opts, j),
			 &weir_utf8);
}

/* --- a processor before a global store ------------------------------------------------------------------------ */

struct before_store {
	const char *store;
	struct bound *key;
	int64_t size_ms; /* of windows and sessions */
	bool sessions, versions, headers;
};

static weir_bytes get_row(const struct before_store *b, weir_store *store, const char *key, int64_t start)
{
	return b->sessions   ? weir_session_get(store, weir_str(key), start, start + b->size_ms, NULL)
	       : b->size_ms  ? weir_window_get(store, weir_str(key), start, NULL)
	       : b->versions ? weir_versioned_get(store, weir_str(key), NULL)
			     : weir_store_get(store, weir_str(key), NULL);
}

static void set_row(const struct before_store *b, weir_store *store, const char *key, const char *row,
		    int64_t start, const weir_record *r)
{
	weir_bytes k = weir_str(key), value = weir_str(row);
	int64_t ms = r->timestamp_ms;

	if (b->sessions)
		weir_session_put(store, k, value, start, start + b->size_ms, ms);
	else if (b->size_ms)
		weir_window_put(store, k, value, start, ms);
	else if (b->versions)
		weir_versioned_put(store, k, value, ms);
	else if (b->headers)
		weir_store_put_headers(store, k, value, ms, weir_record_headers(r));
	else
		weir_store_put(store, k, value, ms);
}

/* The row of a key made of the record: how many times, the newest value, and where it lay. */
static void put_row(weir_context *cx, const weir_record *r, void *state, void *user)
{
	const struct before_store *b = user;
	weir_store *store = weir_context_store(cx, b->store);
	const char *key = b->key->map(cx, key_text(r), value_text(r), b->key->argument), *value = value_text(r);
	int64_t start = b->size_ms ? r->timestamp_ms - r->timestamp_ms % b->size_ms : 0;
	weir_metadata m = weir_record_metadata(cx);

	(void)state;
	if (!key)
		key = "none";
	if (!value) {
		set_row(b, store, key, NULL, start, r);
		return;
	}
	weir_bytes old = get_row(b, store, key, start);
	int n = weir_is_null(old) ? 1 : atoi(bytes_text(cx, old)) + 1;
	const char *row = format(cx, "%d:%s:%s/%d/%lld", n, value, m.topic, (int)m.partition, (long long)m.offset);

	set_row(b, store, key, row, start, r);
}

static void build_global_store(struct graph *g, const struct step *s)
{
	struct before_store *b = weir__arena_alloc(&g->arena, sizeof *b);
	weir_global_opts opts = { .topic = step_option(s, "topic"), .value = &weir_utf8 };
	weir_processor p = { .process = put_row, .user = b };

	*b = (struct before_store){ .store = s->name,
				    .key = bind(g, "mapper", step_option(s, "key")),
				    .size_ms = step_number(s, "size", 0),
				    .sessions = step_number(s, "sessions", 0) != 0,
				    .versions = step_option(s, "history") != NULL,
				    .headers = step_number(s, "headers", 0) != 0 };
	opts.of = (weir_store_opts){ .windowed = b->size_ms && !b->sessions,
				     .sessions = b->sessions,
				     .window_size_ms = b->sessions ? 0 : b->size_ms,
				     .retain_ms = step_number(s, "retain", 0),
				     .versioned = b->versions,
				     .history_ms = step_number(s, "history", 0),
				     .headers = b->headers,
				     .entries_max = step_number(s, "max", 0) };
	graph_put_table(g, s->name, (weir_table *)weir_global_store(g->t, s->name, opts, p), &weir_utf8);
}

struct telling {
	const struct graph_global *global;
	int64_t back_ms;
};

struct reading {
	weir_context *cx;
	const struct telling *how;
	const weir_record *r;
	const char *all;
};

static const char *row_text(weir_context *cx, weir_bytes row, int64_t ms)
{
	return weir_is_null(row) ? "~" : format(cx, "%s@%lld", bytes_text(cx, row), (long long)ms);
}

static void read_versions(weir_store *store, struct reading *r)
{
	int64_t ms = 0;
	weir_bytes row = weir_versioned_get_as_of(store, r->r->key, r->r->timestamp_ms - r->how->back_ms, &ms);
	const char *then = row_text(r->cx, row, ms);

	row = weir_versioned_get(store, r->r->key, &ms);
	r->all = format(r->cx, "%s,%s", then, row_text(r->cx, row, ms));
}

static void read_with_headers(weir_store *store, struct reading *r)
{
	const weir_headers *headers;
	int64_t ms = 0;
	weir_bytes row = weir_store_get_headers(store, r->r->key, &ms, &headers);

	r->all = row_text(r->cx, row, ms);
	for (size_t i = 0; !weir_is_null(row) && i < headers->count; i++)
		r->all = format(r->cx, "%s,%s=%s", r->all, headers->items[i].name,
				shown(bytes_text(r->cx, headers->items[i].value)));
}

/* What there is of the key. */
static void read_rows(weir_store *store, void *user)
{
	struct reading *r = user;
	const struct store_spec *spec = &r->how->global->spec;
	weir_entry e;

	if (spec->kind == STORE_VERSIONED) {
		read_versions(store, r);
		return;
	}
	if (spec->headers) {
		read_with_headers(store, r);
		return;
	}
	weir_iterator *it = spec->kind == STORE_SESSION ? weir_session_find(store, r->r->key, 0, INT64_MAX, false)
							: weir_window_fetch(store, r->r->key, 0, INT64_MAX, false);

	while (weir_iterator_next(it, &e))
		r->all = format(r->cx, "%s%lld=%s;", r->all, (long long)e.start_ms, bytes_text(r->cx, e.value));
	weir_iterator_close(it);
}

static void tell_rows(weir_context *cx, const weir_record *r, void *state, void *user)
{
	const struct telling *how = user;
	struct reading reading = { cx, how, r, "" };
	weir_record out = *r;

	(void)state;
	if (!weir_is_null(r->key))
		weir_global_read(cx, (const weir_global *)how->global, read_rows, &reading);
	weir_set_value(&out, text_object(cx, reading.all));
	weir_forward(cx, &out);
}

/* The row of the record's key, as a processor finds it. */
static void tell_row(weir_context *cx, const weir_record *r, void *state, void *user)
{
	const weir_global *global = (const weir_global *)((const struct telling *)user)->global;
	int64_t ms = 0;
	const weir_bytes *row = weir_global_get(cx, global, r->key, &ms);
	weir_record out = *r;

	(void)state;
	weir_set_value(&out, text_object(cx, row_text(cx, row ? *row : WEIR_NULL, ms)));
	weir_forward(cx, &out);
}

static void build_tell_global(struct graph *g, const struct step *s)
{
	struct telling *how = weir__arena_alloc(&g->arena, sizeof *how);

	*how = (struct telling){ (const struct graph_global *)input(g, s, 1)->table, step_number(s, "back", 0) };
	bool plain = how->global->spec.kind == STORE_KEY_VALUE && !how->global->spec.headers;
	weir_processor p = {
		.process = plain ? tell_row : tell_rows, .value = &weir_utf8, .keeps_key = true, .user = how
	};

	graph_put_stream(g, s->name, weir_process(input(g, s, 0)->stream, s->name, p), &weir_utf8);
}

/* --- of two streams ------------------------------------------------------------------------------------------- */

static void build_stream_join(struct graph *g, const struct step *s)
{
	const char *store = step_option(s, "store");
	weir_join_window window = { .before_ms = step_number(s, "before", 0),
				    .after_ms = step_number(s, "after", 0),
				    .grace_ms = step_number(s, "grace", 0),
				    .in_memory = store && strcmp(store, "memory") == 0,
				    .on_disk = store && strcmp(store, "disk") == 0 };
	weir_stream *(*make)(weir_stream *, const char *, weir_stream *, weir_join_fn *, const weir_serde *,
			     weir_join_window, void *) = strcmp(s->op, "stream-left-join") == 0    ? weir_left_join
							 : strcmp(s->op, "stream-outer-join") == 0 ? weir_outer_join
												   : weir_join;

	graph_put_stream(g, s->name,
			 make(input(g, s, 0)->stream, s->name, input(g, s, 1)->stream, join, &weir_utf8, window,
			      joining_of(g, s)),
			 &weir_utf8);
}

const struct builder join_builders[] = {
	{ "stream-join", build_stream_join },
	{ "stream-left-join", build_stream_join },
	{ "stream-outer-join", build_stream_join },
	{ "join-table", build_join_table },
	{ "left-join-table", build_join_table },
	{ "global-table", build_global },
	{ "global-store", build_global_store },
	{ "tell-global", build_tell_global },
	{ "join-global", build_join_global },
	{ "left-join-global", build_join_global },
	{ NULL, NULL },
};
