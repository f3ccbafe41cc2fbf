/* Processors that fail, and what is put around processors: as in Failing.java and Wrapping.java. */
#include "tests/conformance/conformance.h"

/* --- wrapped -------------------------------------------------------------------------------------------------- */

struct around {
	int64_t records, ticks;
};

static void tick_around(weir_context *cx, int64_t time_ms, void *state)
{
	struct around *a = state;
	weir_record r = { .key = weir_str("around"), .timestamp_ms = time_ms, .cx = cx };

	weir_set_value_bytes(
		&r, weir_str(format(cx, "tick %lld of %lld", (long long)++a->ticks, (long long)a->records)));
	weir_forward(cx, &r);
}

static void init_around(weir_context *cx, weir_wrapped *inner, void *state, void *user)
{
	(void)state, (void)user;
	weir_wrapped_init(inner, cx);
	weir_schedule(cx, 37, WEIR_STREAM_TIME, tick_around);
}

/* Numbers what comes in by a header, leaves out each fifth, and has each third followed by a record of its own. */
static void process_around(weir_context *cx, const weir_record *r, weir_wrapped *inner, void *state, void *user)
{
	struct around *a = state;
	const weir_headers *had = weir_record_headers(r);
	weir_header *items = weir_alloc(cx, (had->count + 1) * sizeof *items);
	weir_headers headers = { items, had->count + 1 };
	weir_record numbered = *r;

	(void)user;
	if (had->count)
		memcpy(items, had->items, had->count * sizeof *items);
	items[had->count] = (weir_header){ "number", weir_str(format(cx, "%lld", (long long)++a->records)) };
	numbered.headers = &headers;
	if (a->records % 5)
		weir_wrapped_process(inner, cx, &numbered);
	if (a->records % 3)
		return;
	weir_set_value(&numbered, text_object(cx, "behind"));
	weir_forward(cx, &numbered);
}

void wrap(weir_topology *t)
{
	weir_topology_wrap(t, (weir_wrapper){ .state_size = sizeof(struct around),
					      .init = init_around,
					      .process = process_around });
}

/* --- failing -------------------------------------------------------------------------------------------------- */

struct faulty {
	const char *store, *where;
};

/* Puts and passes on what was there before; where the value has `where` it fails then, and passes nothing more. */
static void put_and_fail(weir_context *cx, const weir_record *r, void *state, void *user)
{
	const struct faulty *f = user;
	weir_store *store = weir_context_store(cx, f->store);
	const char *value = value_text(r);
	weir_record out = *r;

	(void)state;
	if (weir_is_null(r->key))
		return;
	weir_bytes old = weir_store_get(store, r->key, NULL);

	weir_set_value(&out, text_object(cx, shown(bytes_text(cx, old))));
	weir_store_put(store, r->key, weir_value_bytes(r), r->timestamp_ms);
	weir_forward(cx, &out);
	if (value && strstr(value, f->where))
		weir_step_fail(cx, "no %s", f->where);
	weir_set_value(&out, text_object(cx, "went on"));
	weir_forward(cx, &out);
}

static void build_faulty(struct graph *g, const struct step *s)
{
	struct faulty *f = weir__arena_alloc(&g->arena, sizeof *f);
	weir_processor p = {
		.process = put_and_fail, .stores = { s->name }, .value = &weir_utf8, .keeps_key = true, .user = f
	};

	*f = (struct faulty){ s->name, step_option(s, "where") };
	weir_add_store(g->t, s->name, (weir_store_opts){ 0 });
	graph_put_stream(g, s->name, weir_process(input(g, s, 0)->stream, s->name, p), &weir_utf8);
}

struct ticking {
	int64_t interval_ms, nth;
	weir_time time;
};

struct ticker {
	const struct ticking *how;
	int64_t start_ms, ticks;
};

/* Passes a tick on; every nth fails then, and passes nothing more. */
static void tick_and_fail(weir_context *cx, int64_t time_ms, void *state)
{
	struct ticker *ticker = state;
	weir_record r = { .key = weir_str("tick"), .timestamp_ms = time_ms - ticker->start_ms, .cx = cx };

	weir_set_value_bytes(&r, weir_str("tick"));
	weir_forward(cx, &r);
	if (++ticker->ticks % ticker->how->nth == 0)
		weir_step_fail(cx, "no tick %lld", (long long)ticker->ticks);
	weir_set_value_bytes(&r, weir_str("went on"));
	weir_forward(cx, &r);
}

static void start_ticking(weir_context *cx, void *state, void *user)
{
	struct ticker *ticker = state;

	ticker->how = user;
	ticker->start_ms = ticker->how->time == WEIR_WALL_CLOCK_TIME ? weir_now_ms(cx) : 0;
	weir_schedule(cx, ticker->how->interval_ms, ticker->how->time, tick_and_fail);
}

static void pass_on(weir_context *cx, const weir_record *r, void *state, void *user)
{
	(void)state, (void)user;
	weir_forward(cx, r);
}

static void build_faulty_tick(struct graph *g, const struct step *s)
{
	struct ticking *how = weir__arena_alloc(&g->arena, sizeof *how);
	const char *time = step_option(s, "time");
	struct named *in = input(g, s, 0);
	weir_processor p = {
		.state_size = sizeof(struct ticker), .init = start_ticking, .process = pass_on, .user = how
	};

	*how = (struct ticking){ step_number(s, "interval", 0), step_number(s, "nth", 1),
				 time && strcmp(time, "wall") == 0 ? WEIR_WALL_CLOCK_TIME : WEIR_STREAM_TIME };
	graph_put_stream(g, s->name, weir_process(in->stream, s->name, p), in->value);
}

const struct builder failing_builders[] = {
	{ "faulty", build_faulty },
	{ "faulty-tick", build_faulty_tick },
	{ NULL, NULL },
};
