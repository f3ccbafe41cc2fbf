/* Steps of the low level, as in kafka-streams/.../Processors.java: timers, stores and their iterators. */
#include "tests/conformance/conformance.h"

/* --- timers --------------------------------------------------------------------------------------------------- */

struct ticking {
	int64_t interval_ms, times; /* 0 = for ever */
	weir_time time;
	int64_t anchor_ms; /* wall clock: from the start of the task */
	bool anchored, with_record;
};

struct ticker {
	const struct ticking *how;
	int64_t start_ms, ticks;
	weir_timer *timer;
};

static void tick(weir_context *cx, int64_t time_ms, void *state)
{
	struct ticker *ticker = state;
	weir_record r = { .key = weir_str("tick"), .timestamp_ms = time_ms - ticker->start_ms, .cx = cx };

	weir_set_value_bytes(&r, weir_str("tick"));
	weir_forward(cx, &r);
	if (++ticker->ticks == ticker->how->times)
		weir_cancel(ticker->timer);
}

static void schedule(weir_context *cx, struct ticker *ticker)
{
	const struct ticking *how = ticker->how;
	int64_t from = ticker->start_ms + how->anchor_ms;

	ticker->timer = how->anchored ? weir_schedule_at(cx, from, how->interval_ms, how->time, tick)
				      : weir_schedule(cx, how->interval_ms, how->time, tick);
}

static void start_ticking(weir_context *cx, void *state, void *user)
{
	struct ticker *ticker = state;

	ticker->how = user;
	ticker->start_ms = ticker->how->time == WEIR_WALL_CLOCK_TIME ? weir_now_ms(cx) : 0;
	if (!ticker->how->with_record)
		schedule(cx, ticker);
}

static void pass_on(weir_context *cx, const weir_record *r, void *state, void *user)
{
	struct ticker *ticker = state;

	(void)user;
	weir_forward(cx, r);
	if (!ticker->timer && ticker->ticks == 0)
		schedule(cx, ticker);
}

static void build_tick(struct graph *g, const struct step *s)
{
	struct ticking *how = weir__arena_alloc(&g->arena, sizeof *how);
	const char *time = step_option(s, "time");
	struct named *in = input(g, s, 0);

	cover(!time, "tick time=stream");
	*how = (struct ticking){ .interval_ms = step_number(s, "interval", 0),
				 .times = step_number(s, "times", 0),
				 .time = time && strcmp(time, "wall") == 0 ? WEIR_WALL_CLOCK_TIME
									   : WEIR_STREAM_TIME,
				 .anchor_ms = step_number(s, "from", 0),
				 .anchored = step_option(s, "from") != NULL,
				 .with_record = step_number(s, "with-record", 0) != 0 };
	weir_processor p = {
		.state_size = sizeof(struct ticker), .init = start_ticking, .process = pass_on, .user = how
	};

	graph_put_stream(g, s->name, weir_process(in->stream, s->name, p), in->value);
}

/* --- the context ---------------------------------------------------------------------------------------------- */

/* Where a record comes from, and the task's time. Offsets of internal topics are not told: markers have some. */
static void inspect(weir_context *cx, const weir_record *r, void *state, void *user)
{
	weir_metadata m = weir_record_metadata(cx);
	long long offset = strncmp(m.topic, "app-", 4) == 0 ? -1 : (long long)m.offset;
	weir_record out = *r;

	(void)state, (void)user;
	weir_set_value(&out, text_object(cx, format(cx, "%s/%d/%lld/%lld", m.topic, (int)m.partition, offset,
						    (long long)weir_stream_time_ms(cx))));
	weir_forward(cx, &out);
}

static void build_inspect(struct graph *g, const struct step *s)
{
	weir_processor p = { .process = inspect, .value = &weir_utf8, .keeps_key = true };

	graph_put_stream(g, s->name, weir_process(input(g, s, 0)->stream, s->name, p), &weir_utf8);
}

static const weir_metric_def told_def = {
	"conformance_told_total", WEIR_COUNTER, { "task", "step" }, 0, "Records that have been told.",
};

static void open_told(weir_context *cx, void *state, void *user)
{
	(void)user;
	*(weir_counter **)state = weir_task_counter(cx, &told_def, NULL);
}

/* The application around it: names, a setting of the program's own, a metric of the step's own. */
static void tell_context(weir_context *cx, const weir_record *r, void *state, void *user)
{
	weir_counter *told = *(weir_counter **)state;
	weir_record out = *r;

	(void)user;
	weir_counter_add_single(told, 1);
	weir_set_value(&out,
		       text_object(cx, format(cx, "%s/%s/%s/%s/%llu", weir_application_id(cx), weir_task_id(cx),
					      weir_config_string(weir_context_config(cx), "conformance.word"),
					      weir_config_string(weir_context_config(cx), "conformance.unset"),
					      (unsigned long long)weir_counter_value(told))));
	weir_forward(cx, &out);
}

static void build_context(struct graph *g, const struct step *s)
{
	static const weir_config_key keys[] = {
		{ "conformance.word", WEIR_CONFIG_STRING, NULL, .help = "For the step to tell." },
		{ "conformance.unset", WEIR_CONFIG_STRING, "none", .help = "For the step to miss." },
	};
	weir_processor p = { .state_size = sizeof(weir_counter *),
			     .init = open_told,
			     .process = tell_context,
			     .value = &weir_utf8,
			     .keeps_key = true };

	if (!g->has_keys)
		weir_topology_config(g->t, keys, LENGTH(keys));
	g->has_keys = true;
	graph_put_stream(g, s->name, weir_process(input(g, s, 0)->stream, s->name, p), &weir_utf8);
}

struct forwarding {
	struct bound *p;
	const char *yes, *no;
};

/* To one of the steps below, or, where there is no value, to all. */
static void forward_to(weir_context *cx, const weir_record *r, void *state, void *user)
{
	const struct forwarding *f = user;

	(void)state;
	if (!value_text(r))
		weir_forward(cx, r);
	else
		weir_forward_to(cx, f->p->test(key_text(r), value_text(r), f->p->argument) ? f->yes : f->no, r);
}

static void build_forward_to(struct graph *g, const struct step *s)
{
	struct forwarding *f = weir__arena_alloc(&g->arena, sizeof *f);
	weir_processor p = { .process = forward_to, .value = &weir_utf8, .user = f };

	*f = (struct forwarding){ bind(g, "predicate", step_option(s, "fn")), step_option(s, "yes"),
				  step_option(s, "no") };
	graph_put_stream(g, s->name, weir_process(input(g, s, 0)->stream, s->name, p), &weir_utf8);
}

/* --- stores --------------------------------------------------------------------------------------------------- */

struct with_store {
	const char *store, *fn;
	int64_t size_ms, gap_ms, back_ms;
};

enum { KEYS = 1, STARTS = 2 };

/* What an iterator gives, by KEYS, STARTS or both. */
static const char *entries(weir_context *cx, weir_iterator *it, int by)
{
	const char *all = "";
	weir_entry e;

	while (weir_iterator_next(it, &e)) {
		if (by & KEYS)
			all = format(cx, "%s%s", all, bytes_text(cx, e.key));
		if (by == (KEYS | STARTS))
			all = format(cx, "%s/", all);
		if (by & STARTS)
			all = format(cx, "%s%lld", all, (long long)e.start_ms);
		all = format(cx, "%s=%s@%lld;", all, bytes_text(cx, e.value), (long long)e.timestamp_ms);
	}
	weir_iterator_close(it);
	return all;
}

static const char *before(weir_context *cx, weir_bytes old, int64_t ms)
{
	return weir_is_null(old) ? "~" : format(cx, "%s@%lld", bytes_text(cx, old), (long long)ms);
}

static const char *in_windows(weir_context *cx, const struct with_store *w, weir_store *store, const weir_record *r)
{
	int64_t ms = r->timestamp_ms, start = ms - ms % w->size_ms, old_ms = 0;
	int64_t from = ms > w->back_ms ? ms - w->back_ms : 0;
	weir_bytes old = weir_window_get(store, r->key, start, &old_ms);
	const char *seen = before(cx, old, old_ms);
	bool backward = strstr(w->fn, "backward") != NULL;

	weir_window_put(store, r->key, weir_value_bytes(r), start, ms);
	if (strcmp(w->fn, "put") == 0)
		return seen;
	if (strcmp(w->fn, "fetch-all") == 0)
		return entries(cx, weir_window_fetch_all(store, from, ms), KEYS | STARTS);
	if (strcmp(w->fn, "fetch-all-backward") == 0)
		return entries(cx, weir_window_fetch_all_reverse(store, from, ms), KEYS | STARTS);
	if (strncmp(w->fn, "fetch-keys", 10) == 0)
		return entries(cx, weir_window_fetch_keys(store, weir_str("b"), weir_str("c"), from, ms, backward),
			       KEYS | STARTS);
	if (strcmp(w->fn, "fetch-up-to") == 0)
		return entries(cx, weir_window_fetch_keys(store, WEIR_NULL, weir_str("b"), from, ms, false),
			       KEYS | STARTS);
	return entries(cx, weir_window_fetch(store, r->key, from, ms, backward), STARTS);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sessions of several keys: those from b to c that touch the record, or all that end near it. */
static const char *other_sessions(weir_context *cx, const struct with_store *w, weir_store *store, int64_t ms)
{
	int64_t earliest = ms > w->gap_ms ? ms - w->gap_ms : 0;
	bool backwards = strstr(w->fn, "backward") != NULL;
	weir_iterator *it = strncmp(w->fn, "find-keys", 9) == 0
				    ? weir_session_find_keys(store, weir_str("b"), weir_str("c"), earliest,
							     ms + w->gap_ms, backwards)
				    : weir_session_find_all(store, earliest, ms + w->gap_ms);
	const char *all[64], *seen = "";
	size_t n = 0;
	weir_entry e;

	while (weir_iterator_next(it, &e) && n < LENGTH(all))
		all[n++] = format(cx, "%s/%lld-%lld=%s;", bytes_text(cx, e.key), (long long)e.start_ms,
				  (long long)e.end_ms, bytes_text(cx, e.value));
	weir_iterator_close(it);
	if (strcmp(w->fn, "find-all") == 0) /* Kafka Streams' order in memory is another */
		qsort(all, n, sizeof *all, by_text);
	for (size_t i = 0; i < n; i++)
		seen = format(cx, "%s%s", seen, all[i]);
	return seen;
}

/* The record makes one session of those that it touches, told as they were. */
static const char *in_sessions(weir_context *cx, const struct with_store *w, weir_store *store,
			       const weir_record *r)
{
	int64_t start = r->timestamp_ms, end = start, starts[64], ends[64];
	bool backwards = strcmp(w->fn, "find-backward") == 0;
	weir_iterator *it = weir_session_find(store, r->key, start - w->gap_ms, start + w->gap_ms, backwards);
	const char *seen = "";
	size_t n = 0;
	weir_entry e;

	while (weir_iterator_next(it, &e) && n < LENGTH(starts)) {
		seen = format(cx, "%s%lld-%lld=%s;", seen, (long long)e.start_ms, (long long)e.end_ms,
			      bytes_text(cx, e.value));
		starts[n] = e.start_ms;
		ends[n++] = e.end_ms;
	}
	weir_iterator_close(it);
	for (size_t i = 0; i < n; i++) {
		start = starts[i] < start ? starts[i] : start;
		end = ends[i] > end ? ends[i] : end;
		weir_session_put(store, r->key, WEIR_NULL, starts[i], ends[i], r->timestamp_ms);
	}
	weir_session_put(store, r->key, weir_value_bytes(r), start, end, r->timestamp_ms);
	if (strcmp(w->fn, "find") != 0 && strcmp(w->fn, "find-backward") != 0)
		return other_sessions(cx, w, store, r->timestamp_ms);
	weir_bytes now = weir_session_get(store, r->key, start, end, NULL);

	return format(cx, "%s%s", seen, weir_is_null(now) ? "~" : bytes_text(cx, now));
}

static const char *in_duplicates(weir_context *cx, const struct with_store *w, weir_store *store,
				 const weir_record *r)
{
	int64_t ms = r->timestamp_ms, from = ms > w->back_ms ? ms - w->back_ms : 0;

	weir_window_put(store, r->key, weir_value_bytes(r), ms, ms);
	weir_iterator *it = weir_window_fetch(store, r->key, from, ms, false);
	const char *all = "";
	weir_entry e;

	while (weir_iterator_next(it, &e))
		all = format(cx, "%s%lld=%s;", all, (long long)e.start_ms, bytes_text(cx, e.value));
	weir_iterator_close(it);
	return all;
}

static const char *in_values(weir_context *cx, const struct with_store *w, weir_store *store, const weir_record *r)
{
	int64_t old_ms = 0;
	weir_bytes old = weir_store_get(store, r->key, &old_ms);
	const char *seen = before(cx, old, old_ms), *fn = w->fn;

	if (strcmp(fn, "absent") == 0) {
		if (weir_is_null(old))
			weir_store_put(store, r->key, weir_value_bytes(r), r->timestamp_ms);
		return seen;
	}
	weir_store_put(store, r->key, weir_value_bytes(r), r->timestamp_ms);
	if (strcmp(fn, "put") == 0)
		return seen;
	if (strcmp(fn, "prefix") == 0)
		return entries(cx, weir_store_prefix(store, weir_str("a")), KEYS);
	bool reverse = strncmp(fn, "reverse", 7) == 0;
	const char *from = strcmp(fn, "range") == 0 || strcmp(fn, "range-open") == 0 ? "b" : NULL;
	const char *to = strcmp(fn, "range") == 0 ? "d" : strcmp(fn, "reverse-range") == 0 ? "c" : NULL;

	return entries(cx, weir_store_range(store, weir_str(from), weir_str(to), reverse), KEYS);
}

static void work_with_store(weir_context *cx, const weir_record *r, void *state, void *user)
{
	const struct with_store *w = user;
	weir_store *store = weir_context_store(cx, w->store);
	weir_record out = *r;

	(void)state;
	if (weir_is_null(r->key))
		return;
	weir_set_value(&out, text_object(cx, strcmp(w->fn, "duplicates") == 0 ? in_duplicates(cx, w, store, r)
					     : w->size_ms                     ? in_windows(cx, w, store, r)
					     : w->gap_ms                      ? in_sessions(cx, w, store, r)
									      : in_values(cx, w, store, r)));
	weir_forward(cx, &out);
}

/* What `fn` may be: of a store of values, of windows, of sessions. */
static const char *const store_functions[] = {
	"put",
	"absent",
	"all",
	"reverse-all",
	"range",
	"range-open",
	"reverse-range",
	"prefix",
	"put in windows",
	"fetch",
	"fetch-backward",
	"fetch-all",
	"fetch-all-backward",
	"fetch-keys",
	"fetch-keys-backward",
	"fetch-up-to",
	"duplicates",
	"find",
	"find-backward",
	"find-keys",
	"find-keys-backward",
	"find-all",
};

static void cover_with_store(const struct with_store *w)
{
	bool windows = w->size_ms && strcmp(w->fn, "put") == 0, known = false;

	for (size_t i = 0; i < LENGTH(store_functions); i++)
		known |= strcmp(store_functions[i], w->fn) == 0;
	if (!known)
		fatal("with-store has no function \"%s\"", w->fn);
	cover_choice("with-store fn=", store_functions, LENGTH(store_functions),
		     windows ? "put in windows" : w->fn);
}

static void build_with_store(struct graph *g, const struct step *s)
{
	struct with_store *w = weir__arena_alloc(&g->arena, sizeof *w);
	const char *log = step_option(s, "log");

	*w = (struct with_store){ s->name, step_option(s, "fn"), step_number(s, "size", 0),
				  step_number(s, "gap", 0), step_number(s, "back", 0) };
	cover_with_store(w);
	weir_add_store(g->t, s->name,
		       (weir_store_opts){ .windowed = w->size_ms != 0,
					  .window_size_ms = w->size_ms,
					  .sessions = w->gap_ms != 0,
					  .duplicates = strcmp(w->fn, "duplicates") == 0,
					  .retain_ms = step_number(s, "retain", 0),
					  .unlogged = log && strcmp(log, "off") == 0,
					  .ordered = true });
	weir_processor p = { .process = work_with_store,
			     .stores = { s->name },
			     .value = &weir_utf8,
			     .no_repartition = !step_option(s, "repartition"),
			     .user = w };

	graph_put_stream(g, s->name, weir_process(input(g, s, 0)->stream, s->name, p), &weir_utf8);
}

/* A store of at most `max` entries: gets where `fn` is true, else puts, and tells what it holds then. */
static void use_lru(weir_context *cx, const weir_record *r, void *state, void *user)
{
	const struct forwarding *f = user;
	weir_store *store = weir_context_store(cx, f->yes);
	weir_record out = *r;
	const char *seen = "put;";
	weir_entry e;

	(void)state;
	if (weir_is_null(r->key))
		return;
	if (f->p->test(key_text(r), value_text(r), f->p->argument))
		seen = format(cx, "%s;", before(cx, weir_store_get(store, r->key, NULL), 0));
	else
		weir_store_put(store, r->key, weir_value_bytes(r), r->timestamp_ms);
	weir_iterator *it = weir_store_range(store, WEIR_NULL, WEIR_NULL, false);

	while (weir_iterator_next(it, &e))
		seen = format(cx, "%s%s=%s;", seen, bytes_text(cx, e.key), bytes_text(cx, e.value));
	weir_iterator_close(it);
	weir_set_value(&out, text_object(cx, format(cx, "%s%lld", seen, (long long)weir_store_count(store))));
	weir_forward(cx, &out);
}

static void build_lru(struct graph *g, const struct step *s)
{
	struct forwarding *f = weir__arena_alloc(&g->arena, sizeof *f);
	weir_processor p = { .process = use_lru, .stores = { s->name }, .value = &weir_utf8, .user = f };

	*f = (struct forwarding){ bind(g, "predicate", step_option(s, "fn")), s->name, NULL };
	weir_add_store(g->t, s->name, (weir_store_opts){ .entries_max = step_number(s, "max", 0) });
	graph_put_stream(g, s->name, weir_process(input(g, s, 0)->stream, s->name, p), &weir_utf8);
}

/* --- headers of values ---------------------------------------------------------------------------------------- */

struct with_headers {
	const char *store;
	struct bound *without; /* what it holds of is put without headers */
	int64_t size_ms;       /* of windows and sessions */
	bool sessions;
};

static const char *headers_shown(weir_context *cx, const weir_headers *headers)
{
	const char *all = "{";

	for (size_t i = 0; i < headers->count; i++)
		all = format(cx, "%s%s=%s;", all, headers->items[i].name,
			     shown(bytes_text(cx, headers->items[i].value)));
	return format(cx, "%s}", all);
}

/* What there was at that place. */
static const char *kept_before(weir_context *cx, const struct with_headers *w, weir_store *store,
			       const weir_record *r, int64_t start)
{
	const weir_headers *headers;
	int64_t ms = 0;
	weir_bytes old =
		w->sessions  ? weir_session_get_headers(store, r->key, start, start + w->size_ms, NULL, &headers)
		: w->size_ms ? weir_window_get_headers(store, r->key, start, &ms, &headers)
			     : weir_store_get_headers(store, r->key, &ms, &headers);

	return weir_is_null(old) ? "~" : format(cx, "%s%s", before(cx, old, ms), headers_shown(cx, headers));
}

static void put_kept(const struct with_headers *w, weir_store *store, const weir_record *r, int64_t start)
{
	bool without = w->without->test(key_text(r), value_text(r), w->without->argument);
	const weir_headers *headers = without ? NULL : weir_record_headers(r);
	weir_bytes value = weir_value_bytes(r);

	if (w->sessions)
		weir_session_put_headers(store, r->key, value, start, start + w->size_ms, r->timestamp_ms, headers);
	else if (w->size_ms)
		weir_window_put_headers(store, r->key, value, start, r->timestamp_ms, headers);
	else
		weir_store_put_headers(store, r->key, value, r->timestamp_ms, headers);
}

static void work_with_headers(weir_context *cx, const weir_record *r, void *state, void *user)
{
	const struct with_headers *w = user;
	weir_store *store = weir_context_store(cx, w->store);
	int64_t start = w->size_ms ? r->timestamp_ms - r->timestamp_ms % w->size_ms : 0;
	weir_record out = *r;
	weir_entry e;

	(void)state;
	if (weir_is_null(r->key))
		return;
	const char *all = kept_before(cx, w, store, r, start);

	put_kept(w, store, r, start);
	weir_iterator *it = w->sessions  ? weir_session_find(store, r->key, 0, r->timestamp_ms, false)
			    : w->size_ms ? weir_window_fetch(store, r->key, 0, r->timestamp_ms, false)
					 : weir_store_range(store, WEIR_NULL, WEIR_NULL, false);

	while (weir_iterator_next(it, &e))
		all = format(cx, "%s,%s=%s%s", all,
			     w->size_ms ? format(cx, "%lld", (long long)e.start_ms) : bytes_text(cx, e.key),
			     bytes_text(cx, e.value), headers_shown(cx, e.headers));
	weir_iterator_close(it);
	weir_set_value(&out, text_object(cx, all));
	weir_forward(cx, &out);
}

/* Where `fn` is true the record goes on with headers of its own. */
static void set_headers(weir_context *cx, const weir_record *r, void *state, void *user)
{
	const struct bound *p = user;
	weir_header *own = weir_alloc(cx, sizeof *own);
	weir_headers *headers = weir_alloc(cx, sizeof *headers);
	weir_record out = *r;

	(void)state;
	*own = (weir_header){ "own", weir_value_bytes(r) };
	*headers = (weir_headers){ own, 1 };
	if (p->test(key_text(r), value_text(r), p->argument))
		out.headers = headers;
	weir_forward(cx, &out);
}

static void build_set_headers(struct graph *g, const struct step *s)
{
	weir_processor p = { .process = set_headers,
			     .value = &weir_utf8,
			     .keeps_key = true,
			     .user = bind(g, "predicate", step_option(s, "fn")) };

	graph_put_stream(g, s->name, weir_process(input(g, s, 0)->stream, s->name, p), &weir_utf8);
}

static void build_with_headers(struct graph *g, const struct step *s)
{
	struct with_headers *w = weir__arena_alloc(&g->arena, sizeof *w);
	weir_processor p = { .process = work_with_headers, .stores = { s->name }, .value = &weir_utf8, .user = w };

	*w = (struct with_headers){ s->name, bind(g, "predicate", step_option(s, "without")),
				    step_number(s, "size", 0), step_number(s, "sessions", 0) != 0 };
	weir_add_store(g->t, s->name,
		       (weir_store_opts){ .windowed = w->size_ms && !w->sessions,
					  .sessions = w->sessions,
					  .window_size_ms = w->size_ms,
					  .retain_ms = step_number(s, "retain", 0),
					  .headers = true });
	graph_put_stream(g, s->name, weir_process(input(g, s, 0)->stream, s->name, p), &weir_utf8);
}

const struct builder processor_builders[] = {
	{ "tick", build_tick },
	{ "with-store", build_with_store },
	{ "lru", build_lru },
	{ "with-headers", build_with_headers },
	{ "set-headers", build_set_headers },
	{ "inspect", build_inspect },
	{ "context", build_context },
	{ "forward-to", build_forward_to },
	{ NULL, NULL },
};
