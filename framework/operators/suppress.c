/*
 * Changes of a table that wait in a buffer, newest value only, until their time has come. The buffer is a
 * key-value store of rows in Kafka Streams' format (BufferValue, version 3); in what order they are due is known
 * from a queue in memory. Changes come at a commit, of all tables above, before anything of the buffer goes on: so
 * no row goes on while a newer value of it is still on its way.
 */
#include "framework/operators/aggregate.h"
#include "framework/operators/buffered.h"
#include "framework/operators/due.h"

struct suppress {
	weir_suppress_opts opts;
	int64_t wait_ms; /* the limit, or the windows' grace */
	/* of the windows above */
	bool session;
	int64_t window_size_ms;
	bool logged;
};

struct waiting {
	struct due_queue queue;
	int64_t records, bytes; /* as Kafka Streams counts them */
};

static int64_t bytes_of(weir_bytes key, const struct buffered *row)
{
	return 8 + (int64_t)key.len + weir__buffered_size(row);
}

/* --- in ------------------------------------------------------------------------------------------ */

static void start_waiting(struct instance *in, weir_bytes key, const struct buffered *row)
{
	struct waiting *w = in->state;

	weir__due_add(&w->queue, (struct due){ .time_ms = row->time_ms, .key = key });
	w->records++;
	w->bytes += bytes_of(key, row);
}

/* False: it is not in the buffer; or it cannot be read, and the application stops. */
static bool find(struct instance *in, weir_context *cx, weir_bytes key, struct buffered *row)
{
	weir_bytes stored = weir_store_get(in->stores[0], key, NULL);

	if (weir_is_null(stored))
		return false;
	if (weir__buffered_decode(cx, weir__arena_copy(&cx->arena, stored), row))
		return true;
	weir_stop(cx,
		  "step \"%s\": a row of store \"%s\" cannot be read: it has another form than Kafka Streams' 3",
		  in->node->name, in->node->stores[0]->spec.name);
	return false;
}

/* Whoever waits keeps its place. */
static void suppress_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	const struct suppress *s = in->node->opts;
	struct waiting *w = in->state;
	weir_bytes key = in->node->windowed ? weir__windowed_key(cx, r) : r->key;
	struct buffered before, row = {
		.timestamp_ms = r->timestamp_ms,
		.time_ms = s->opts.until_window_closes ? r->window_end_ms : r->timestamp_ms,
		.topic = weir_str(cx->ops->input_topic(cx)),
		.partition = cx->partition,
		.headers = weir_record_headers(r),
		.new_value = weir_value_bytes(r),
	};
	weir_record old;
	bool waits = find(in, cx, key, &before);

	if (cx->failed)
		return;
	weir__time_seen(in, r->timestamp_ms);
	if (weir__old_of(r, &old))
		row.old_value = weir_value_bytes(&old);
	row.prior_value = waits ? before.prior_value : row.old_value;
	if (waits)
		row.time_ms = before.time_ms;
	weir_bytes value = weir__buffered_encode(cx, &row);

	if (s->logged && key.len + value.len > (size_t)cx->record_bytes_max) {
		/* An older value must not take the place of this one: nothing comes then. */
		weir_dead_letter(cx, r, "too large to wait");
		row.new_value = WEIR_NULL;
		value = weir__buffered_encode(cx, &row);
		if (key.len + value.len > (size_t)cx->record_bytes_max)
			row.prior_value = row.old_value = WEIR_NULL;
		value = weir__buffered_encode(cx, &row);
	}
	weir_store_put(in->stores[0], key, value, r->timestamp_ms);
	if (waits)
		w->bytes += bytes_of(key, &row) - bytes_of(key, &before);
	else
		start_waiting(in, key, &row);
}

/* --- out ----------------------------------------------------------------------------------------- */

static void set_key(const struct suppress *s, bool windowed, weir_record *r, weir_bytes key)
{
	const char *end = (const char *)key.data + key.len;
	size_t suffix = !windowed ? 0 : s->session ? 16 : 8;

	r->key = weir_bytes_of(key.data, key.len - suffix);
	if (!windowed)
		return;
	r->window_start_ms = weir_get_be64(end - 8);
	r->session = s->session;
	r->window_end_ms =
		s->session ? weir_get_be64(end - 16) : weir_time_add(r->window_start_ms, s->window_size_ms);
}

/* Old is what was passed on before. */
static void emit_first(struct instance *in, weir_context *cx)
{
	const struct suppress *s = in->node->opts;
	struct waiting *w = in->state;
	weir_bytes key = weir__arena_copy(&cx->arena, weir__due_first(&w->queue)->key);
	weir_record out = { .has_old = true, .has_encoded = true, .serde = in->node->value, .cx = cx };
	struct buffered row;

	weir__due_drop(&w->queue);
	if (!find(in, cx, key, &row))
		return;
	w->records--;
	w->bytes -= bytes_of(key, &row);
	weir_store_put(in->stores[0], key, WEIR_NULL, row.timestamp_ms);
	if (weir_is_null(row.new_value) && s->opts.until_window_closes)
		return;
	set_key(s, in->node->windowed, &out, key);
	out.timestamp_ms = row.timestamp_ms;
	out.encoded = row.new_value;
	out.old_encoded = weir__as(in, WEIR_AS_SUPPRESSED_OLD) ? row.old_value : row.prior_value;
	out.headers = row.headers;
	uint32_t origin = cx->origins.now;

	weir__origin_set(cx, row.headers);
	weir__pass_on(in, cx, &out);
	cx->origins.now = origin;
}

/* Of rows that have been read once before: the time is what they end with. */
static void read_forgotten(struct instance *in)
{
	struct waiting *w = in->state;
	weir_iterator *it = weir_store_range(in->stores[0], WEIR_NULL, WEIR_NULL, false);
	weir_entry e;

	weir__due_read_begin(&w->queue);
	while (weir_iterator_next(it, &e))
		weir__due_add(&w->queue,
			      (struct due){ .time_ms = weir_get_be64((const char *)e.value.data + e.value.len - 8),
					    .key = e.key });
	weir__due_read_end(&w->queue);
	weir_iterator_close(it);
}

static const struct due *first_due(struct instance *in, int64_t until_ms)
{
	struct waiting *w = in->state;

	if (weir__due_wants_more(&w->queue, until_ms))
		read_forgotten(in);
	return weir__due_first(&w->queue);
}

static bool is_full(const struct suppress *s, const struct waiting *w)
{
	return (s->opts.records_max && w->records > s->opts.records_max) ||
	       (s->opts.bytes_max && w->bytes > s->opts.bytes_max);
}

/* In_commit: nothing lies in the arena but what this makes. */
static void emit_due(struct instance *in, weir_context *cx, bool in_commit)
{
	const struct suppress *s = in->node->opts;
	struct waiting *w = in->state;
	int64_t until_ms = weir_time_sub(in->observed_ms, s->wait_ms);

	while (!cx->failed) {
		bool must = is_full(s, w) && !s->opts.stop_when_full;
		const struct due *first = first_due(in, must ? INT64_MAX : until_ms);

		if (!first || (first->time_ms > until_ms && !must))
			break;
		emit_first(in, cx);
		if (in_commit)
			weir__arena_reset(&cx->arena);
	}
	if (!cx->failed && is_full(s, w))
		weir_stop(cx,
			  "step \"%s\": its buffer is full: %lld records and %lld bytes wait, "
			  "records_max is %lld, bytes_max %lld (0 = any)",
			  in->node->name, (long long)w->records, (long long)w->bytes,
			  (long long)s->opts.records_max, (long long)s->opts.bytes_max);
}

static void suppress_settle(struct instance *in, weir_context *cx)
{
	emit_due(in, cx, true);
}

/* WEIR_AS_SUPPRESSED_EACH. */
static void suppress_each(struct instance *in, weir_context *cx, const weir_record *r)
{
	suppress_process(in, cx, r);
	emit_due(in, cx, false);
}

/* What waits is still what was passed on last. */
static bool suppress_look_up(struct instance *in, weir_context *cx, const weir_record *of, enum table_view view,
			     weir_record *row)
{
	struct buffered waiting;

	(void)view;
	if (!find(in, cx, in->node->windowed ? weir__windowed_key(cx, of) : of->key, &waiting))
		return weir__look_up(in->looked_up[0], cx, of, TABLE_PASSED_ON, row);
	if (weir_is_null(waiting.prior_value))
		return false;
	*row = (weir_record){
		.key = of->key,
		.timestamp_ms = -1, /* not known */
		.window_start_ms = of->window_start_ms,
		.window_end_ms = of->window_end_ms,
		.session = of->session,
		.encoded = waiting.prior_value,
		.has_encoded = true,
		.serde = in->node->value,
		.cx = cx,
	};
	return true;
}

/* --- life ---------------------------------------------------------------------------------------- */

static size_t suppress_state_size(const struct node *node)
{
	(void)node;
	return sizeof(struct waiting);
}

static void suppress_init(struct instance *in, weir_context *cx)
{
	const struct suppress *s = in->node->opts;
	weir_iterator *it = weir_store_range(in->stores[0], WEIR_NULL, WEIR_NULL, false);
	size_t suffix = !in->node->windowed ? 0 : s->session ? 16 : 8;
	struct buffered row;
	weir_entry e;

	weir__due_init(&((struct waiting *)in->state)->queue, cx->due_budget);
	while (!cx->failed && weir_iterator_next(it, &e)) {
		if (e.key.len >= suffix && weir__buffered_decode(cx, e.value, &row))
			start_waiting(in, e.key, &row);
		else
			weir_stop(cx,
				  "step \"%s\": a row of store \"%s\" cannot be read: it has another form than "
				  "Kafka Streams' 3",
				  in->node->name, in->node->stores[0]->spec.name);
		weir__arena_reset(&cx->arena); /* there may be many */
	}
	weir_iterator_close(it);
}

static void suppress_close(struct instance *in)
{
	weir__due_release(&((struct waiting *)in->state)->queue);
}

#define SUPPRESS(process_) \
	{ \
		.kind = "suppress", .keeps_time = true, .state_size = suppress_state_size, .init = suppress_init, \
		.process = process_, .settle = suppress_settle, .look_up = suppress_look_up, \
		.close = suppress_close \
	}
static const struct operator suppress_op = SUPPRESS(suppress_process);
static const struct operator each_op = SUPPRESS(suppress_each);

/* --- building ------------------------------------------------------------------------------------ */

/* The store of windows that the table is made of. */
static const struct store_spec *windows_of(const struct node *n)
{
	if (n->store_count && n->stores[0]->owner == n && weir__store_kind_timed(n->stores[0]->spec.kind))
		return &n->stores[0]->spec;
	for (size_t i = 0; i < n->parent_count; i++) {
		const struct store_spec *found = windows_of(n->parents[i]);

		if (found)
			return found;
	}
	return NULL;
}

/* The longest of those above; -1 = a way up that has none. */
static int64_t grace_of(const struct node *n)
{
	int64_t longest = weir__aggregate_grace(n);

	if (longest >= 0)
		return longest;
	for (size_t i = 0; i < n->parent_count; i++) {
		int64_t grace = grace_of(n->parents[i]);

		if (grace < 0)
			return -1;
		longest = grace > longest ? grace : longest;
	}
	return longest;
}

static void check_opts(weir_topology *t, const char *name, const weir_suppress_opts *opts)
{
	if (opts->limit_ms < 0 || opts->records_max < 0 || opts->bytes_max < 0)
		weir__graph_mistake(t, name, "limits must not be negative");
	if (opts->until_window_closes && opts->limit_ms)
		weir__graph_mistake(t, name, "it waits for windows to close, or for limit_ms, not for both");
}

weir_table *weir_suppress(weir_table *table, const char *name, weir_suppress_opts opts)
{
	struct node *parent = node_of_table(table);
	weir_topology *t = parent->topology;
	struct suppress s = { .opts = opts, .wait_ms = opts.limit_ms, .logged = !opts.store.unlogged };
	const struct store_spec *windows = parent->windowed ? windows_of(parent) : NULL;

	check_opts(t, name, &opts);
	if (opts.store.entries_max)
		weir__graph_mistake(t, name, "a buffer lets go of nothing by itself: records_max, not entries_max");
	if (weir__table_history_ms(parent) >= 0)
		weir__graph_mistake(t, name, "a table of versions cannot be suppressed");
	if (windows) {
		s.session = windows->kind == STORE_SESSION;
		s.window_size_ms = windows->window_size_ms;
	}
	if (opts.until_window_closes) {
		s.opts.stop_when_full = true; /* what has not closed must not come */
		s.wait_ms = parent->windowed ? grace_of(parent) : -1;
		if (s.wait_ms < 0)
			weir__graph_mistake(t, name, "until_window_closes: the table has no windows");
	}
	const struct operator* op = t->as & WEIR_AS_SUPPRESSED_EACH ? &each_op : & suppress_op;
	struct node *n = weir__graph_add(t, parent, name, op, &s, sizeof s);

	weir__graph_look_up(n, parent);
	weir__table_keep_old(parent);
	if (!opts.store.store)
		opts.store.store = weir__arena_printf(&t->arena, "%s-store", name ? name : "");
	weir__table_store_add(n, opts.store);
	n->stores[0]->value = NULL;
	n->stores[0]->spec.leaves_out = false; /* the changelog hears of what has not stayed for a commit, too */
	n->stores[0]->changelog_headers = &weir__buffered_headers;
	return table_of(n);
}
