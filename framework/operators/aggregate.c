/* count, reduce and aggregate, plain or in windows; what a window is of which kind is the matter of each kind. */
#include "framework/operators/aggregate.h"

static void count_add(weir_context *cx, const weir_record *r, void *aggregate, void *user)
{
	(void)cx, (void)r, (void)user;
	weir__count_by(aggregate, 1);
}

static const void *count_merge(weir_context *cx, weir_bytes key, const void *x, const void *y, void *user)
{
	int64_t *n = weir_alloc(cx, sizeof *n);

	(void)key, (void)user;
	*n = *(const int64_t *)x + *(const int64_t *)y;
	return n;
}

/* Folds r into the aggregate of (key, start); false: the store does not take that window any more. */
static bool add_in_place(struct instance *in, weir_context *cx, const weir_record *r, int64_t start_ms)
{
	const struct aggregate *a = in->node->opts;
	bool created = false;
	void *object = weir__store_object(in->stores[0], r->key, start_ms, r->timestamp_ms, &created);

	if (!object)
		return false;
	if (created && a->aggregator.init)
		a->aggregator.init(cx, object, a->aggregator.user);
	if (!cx->failure)
		a->aggregator.add(cx, r, object, a->user);
	if (cx->failure)
		weir__store_object_undo(in->stores[0]);
	else if (created)
		weir__closing_add(in, r->key, start_ms);
	return true;
}

static const void *fold(const struct aggregate *a, weir_context *cx, const weir_record *r, const void *old)
{
	if (!a->reduce)
		return a->aggregator.fold(cx, r, old, a->user);
	return old ? a->reduce(cx, old, weir_value(r), a->aggregator.user) : weir_value(r);
}

static void add_by_fold(struct instance *in, weir_context *cx, const weir_record *r, int64_t start_ms)
{
	const struct aggregate *a = in->node->opts;
	const weir_serde *serde = in->node->value;
	bool windowed = a->kind != WINDOW_NONE;
	int64_t old_ms = INT64_MIN;
	weir_bytes old = windowed ? weir_window_get(in->stores[0], r->key, start_ms, &old_ms)
				  : weir_store_get(in->stores[0], r->key, &old_ms);
	weir_record stored = {
		.encoded = weir__arena_copy(&cx->arena, old), .has_encoded = true, .serde = serde, .cx = cx
	};
	weir_record result = { .serde = serde, .cx = cx };

	weir_set_value(&result, fold(a, cx, r, weir_value(&stored)));
	if (cx->failure)
		return;
	weir_bytes value = weir_value_bytes(&result);

	/* Nothing to delete: no tombstone, as in Kafka Streams where it has a cache: not with results on close. */
	if (weir_is_null(value) && weir_is_null(old) && !in->node->stores[0]->spec.leaves_nothing_out)
		return;
	if (weir_is_null(old) && !weir_is_null(value))
		weir__closing_add(in, r->key, start_ms);
	/* Kafka Streams' caches, too, send a tombstone with the time of the record that has caused it; before an
	 * LRU map it has none. */
	bool newest = !weir_is_null(value) || a->window.entries_max > 0;
	int64_t ms = old_ms > r->timestamp_ms && newest ? old_ms : r->timestamp_ms;

	if (windowed)
		weir_window_put(in->stores[0], r->key, value, start_ms, ms);
	else
		weir_store_put(in->stores[0], r->key, value, ms);
}

/* --- an aggregate on its way ---------------------------------------------------------------------------------- */

const void *weir__aggregate_first(const struct aggregate *a, weir_context *cx)
{
	const weir_aggregator *g = &a->aggregator;

	if (!g->add)
		return NULL;
	void *object = weir_alloc(cx, g->value->size);

	memset(object, 0, g->value->size);
	if (g->init)
		g->init(cx, object, g->user);
	return object;
}

const void *weir__aggregate_add(const struct aggregate *a, weir_context *cx, const weir_record *r, const void *old)
{
	const weir_aggregator *g = &a->aggregator;

	if (!g->add)
		return fold(a, cx, r, old);
	void *object = weir_alloc(cx, g->value->size);

	memcpy(object, old ? old : weir__aggregate_first(a, cx), g->value->size);
	g->add(cx, r, object, a->user);
	return object;
}

const void *weir__aggregate_merge(const struct aggregate *a, weir_context *cx, weir_bytes key, const void *x,
				  const void *y)
{
	if (!x || !y)
		return x ? x : y;
	return a->reduce ? a->reduce(cx, x, y, a->aggregator.user)
			 : a->aggregator.merge(cx, key, x, y, a->aggregator.user);
}

const void *weir__aggregate_read(struct instance *in, weir_context *cx, weir_bytes stored)
{
	weir_record r = { .encoded = weir__arena_copy(&cx->arena, stored),
			  .has_encoded = true,
			  .serde = in->node->value,
			  .cx = cx };

	return weir_value(&r);
}

weir_bytes weir__aggregate_write(struct instance *in, weir_context *cx, const void *aggregate)
{
	weir_record r = { .serde = in->node->value, .object = aggregate, .cx = cx };

	return weir_value_bytes(&r);
}

/* --- records in ----------------------------------------------------------------------------------------------- */

static bool add_to(struct instance *in, weir_context *cx, const weir_record *r, int64_t start_ms)
{
	const struct aggregate *a = in->node->opts;

	if (a->aggregator.add)
		return add_in_place(in, cx, r, start_ms);
	add_by_fold(in, cx, r, start_ms);
	return true;
}

/* Tumbling and hopping windows. */
static void add_to_windows(struct instance *in, weir_context *cx, const weir_record *r)
{
	const struct aggregate *a = in->node->opts;
	/* Starts up to here are closed (end <= stream time - grace, said so that no end lies behind all time). */
	int64_t closed_ms = weir_time_sub(weir_time_sub(in->observed_ms, a->window.grace_ms), a->window.size_ms);
	int64_t advance = a->window.advance_ms, first = r->timestamp_ms - a->window.size_ms + advance;
	weir_record in_window = *r; /* what add and fold see: with its window */
	int64_t start = (first > 0 ? first : 0) / advance * advance, last = r->timestamp_ms;
	bool taken = false;
	int closed = 0;

	for (; start <= closed_ms && start <= last; start += advance)
		closed++;
	for (; start <= last; start += advance) {
		in_window.window_start_ms = start;
		in_window.window_end_ms = weir_time_add(start, a->window.size_ms);
		taken |= add_to(in, cx, &in_window, start);
		if (start > last - advance || cx->failure) /* no overflow: last is not negative */
			break;
	}
	if (!taken)
		weir__dead_letter_as(cx, r, "late", closed);
	else if (closed)
		weir__dropped(cx, closed);
}

static void add_to_unlimited(struct instance *in, weir_context *cx, const weir_record *r)
{
	const struct aggregate *a = in->node->opts;
	weir_record in_window = *r;

	if (r->timestamp_ms < a->window.start_ms) {
		weir__dead_letter_as(cx, r, "before the first window", 0);
		return;
	}
	in_window.window_start_ms = a->window.start_ms;
	in_window.window_end_ms = INT64_MAX;
	add_to(in, cx, &in_window, a->window.start_ms);
}

void weir__aggregate_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	const struct aggregate *a = in->node->opts;

	if (weir_is_null(r->key)) {
		weir_dead_letter(cx, r, "null key");
		return;
	}
	if (r->key.len > KEY_BYTES_MAX) {
		weir_dead_letter(cx, r, "key too long");
		return;
	}
	if (!a->takes_null_values && weir_value_is_null(r)) {
		weir_dead_letter(cx, r, "null value");
		return;
	}
	if (a->kind != WINDOW_NONE && r->timestamp_ms < 0) { /* a step above has set it */
		weir_dead_letter(cx, r, "negative timestamp");
		return;
	}
	if (a->kind != WINDOW_NONE)
		weir__time_seen(in, r->timestamp_ms); /* before any test, by the record itself */
	if (a->window.emit_on_close)
		weir__closing_before_record(in, cx, r);
	switch (a->kind) {
	case WINDOW_NONE:
		add_to(in, cx, r, 0);
		break;
	case WINDOW_TIME:
		add_to_windows(in, cx, r);
		break;
	case WINDOW_SESSION:
		weir__session_process(in, cx, r);
		break;
	case WINDOW_SLIDING:
		weir__sliding_process(in, cx, r);
		break;
	case WINDOW_UNLIMITED:
		add_to_unlimited(in, cx, r);
		break;
	}
	if (a->window.emit_on_close)
		weir__closing_behind_record(in, cx, r);
}

static void aggregate_changed(struct instance *in, weir_context *cx, const struct store_change *change)
{
	if (!((const struct aggregate *)in->node->opts)->window.emit_on_close)
		weir__table_changed(in, cx, change);
}

/* Where results come when windows close, nothing is passed on at a commit. */
static bool aggregate_look_up(struct instance *in, weir_context *cx, const weir_record *of, enum table_view view,
			      weir_record *row)
{
	if (((const struct aggregate *)in->node->opts)->window.emit_on_close)
		view = TABLE_NEWEST;
	return weir__table_look_up(in, cx, of, view, row);
}

#define AGGREGATE(kind_) \
	{ \
		.kind = kind_, .keeps_time = true, .state_size = weir__closing_size, .init = weir__closing_init, \
		.process = weir__aggregate_process, .changed = aggregate_changed, .look_up = aggregate_look_up, \
		.close = weir__closing_release, .closed_until = weir__closing_until, \
		.closed_before = weir__closing_before \
	}
static const struct operator count_op = AGGREGATE("count");
static const struct operator reduce_op = AGGREGATE("reduce");
static const struct operator aggregate_op = AGGREGATE("aggregate");

int64_t weir__aggregate_grace(const struct node *node)
{
	const struct aggregate *a = node->opts;

	bool is_one = node->op == &count_op || node->op == &reduce_op || node->op == &aggregate_op ||
		      weir__is_cogroup_input(node);

	if (!is_one || a->kind == WINDOW_NONE)
		return -1;
	return a->kind == WINDOW_SESSION ? weir_time_add(a->window.grace_ms, a->window.gap_ms) : a->window.grace_ms;
}

struct store_spec weir__aggregate_store_spec(const struct aggregate *a, const weir_serde *value)
{
	struct store_spec spec = {
		.kind = a->kind == WINDOW_NONE      ? STORE_KEY_VALUE
			: a->kind == WINDOW_SESSION ? STORE_SESSION
						    : STORE_WINDOW,
		.retention_ms = a->window.retain_ms,
		.window_size_ms = a->window.size_ms,
		.logged = !a->window.unlogged,
		/* each record reads a range of them, and what is found goes from one window to another */
		.ordered = a->kind == WINDOW_SESSION || a->kind == WINDOW_SLIDING,
		/* a session that has come and gone since the last commit is nobody's business */
		.leaves_out = true,
		.keep_old = a->kind == WINDOW_SESSION,
		/* Kafka Streams has no cache there; what is not there may have been let go of */
		.leaves_nothing_out = a->window.emit_on_close || a->window.entries_max > 0,
		.entries_max = a->window.entries_max,
		.evicts_at_flush = a->window.entries_max > 0,
	};

	if (!spec.ordered && a->aggregator.add && value)
		spec.codec.size = value->size;
	return spec;
}

static weir_table *add(weir_stream *s, const char *name, const struct operator* op, struct aggregate a,
		       const weir_serde *value)
{
	struct node *input = weir__keyed_input(node_of_stream(s), name, false);
	weir_topology *t = input->topology;

	a.user = a.aggregator.user;
	a.kind = weir__window_check(t, name, &a.window);
	a.takes_null_values = a.kind != WINDOW_NONE && a.kind != WINDOW_SLIDING;
	struct node *n = weir__graph_add(t, input, name, op, &a, sizeof a);

	n->value = value;
	n->windowed = a.kind != WINDOW_NONE;
	struct store_spec spec = weir__aggregate_store_spec(&a, value);

	weir__graph_store_place(t, name, &spec, a.window.in_memory, a.window.on_disk);
	struct graph_store *store = weir__graph_store_add(t, name, &spec, value);

	store->owner = n;
	n->stores[n->store_count++] = store;
	for (size_t i = 0; i < WEIR_PROCESSOR_STORES_MAX && a.aggregator.stores[i]; i++)
		weir__graph_store_use(n, a.aggregator.stores[i]);
	return table_of(n);
}

weir_table *weir_count(weir_stream *s, const char *name, weir_window window)
{
	struct aggregate a = { .aggregator = { .value = &weir_int64, .add = count_add, .merge = count_merge },
			       .window = window };

	return add(s, name, &count_op, a, &weir_int64);
}

weir_table *weir_reduce(weir_stream *s, const char *name, weir_reduce_fn *reduce, weir_window window, void *user)
{
	struct aggregate a = { .aggregator.user = user, .window = window, .reduce = reduce };

	if (!reduce)
		weir__graph_mistake(node_of_stream(s)->topology, name, "it has no reduce function");
	return add(s, name, &reduce_op, a, node_of_stream(s)->value);
}

weir_table *weir_aggregate(weir_stream *s, const char *name, weir_aggregator aggregator, weir_window window)
{
	struct aggregate a = { .aggregator = aggregator, .window = window };
	weir_topology *t = node_of_stream(s)->topology;

	if (!aggregator.add == !aggregator.fold)
		weir__graph_mistake(t, name, "an aggregator has either add or fold");
	if (aggregator.add && (!aggregator.value || aggregator.value->size == 0))
		weir__graph_mistake(t, name, "add changes aggregates in place: their serde must have a size");
	if (window.gap_ms && !aggregator.merge)
		weir__graph_mistake(t, name, "sessions grow together: their aggregator has a merge");
	return add(s, name, &aggregate_op, a, aggregator.value);
}

weir_stream *weir_changes(weir_table *table)
{
	return stream_of(node_of_table(table));
}
