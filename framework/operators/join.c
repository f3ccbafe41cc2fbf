/*
 * Joins of two streams. Each side is a step of its own, which keeps its records in a window store and looks for
 * partners in the other's; the step that has the join's name gets what both make of it. The rules are those of
 * Kafka Streams' KStreamKStreamJoin and KStreamJoinWindow.
 */
#include "framework/operators/join.h"

weir_record weir__joined(struct instance *side, weir_context *cx, const weir_record *r, weir_bytes key,
			 const void *mine, const void *other)
{
	const struct stream_join *j = side->node->opts;
	weir_record out = *r;

	out.key = key;
	weir_set_value(&out, j->is_right ? j->join(cx, key, other, mine, j->user)
					 : j->join(cx, key, mine, other, j->user));
	return out;
}

static void alone(struct instance *in, weir_context *cx, const weir_record *r)
{
	weir_record out = weir__joined(in, cx, r, r->key, weir_value(r), NULL);

	weir__pass_on(in, cx, &out);
}

/* Passes on the pairs that r makes, as the left or the right one; false = there are none. */
static bool pairs(struct instance *in, weir_context *cx, const weir_record *r, weir_store *others, bool as_right)
{
	const struct stream_join *j = in->node->opts;
	int64_t before = as_right ? j->window.after_ms : j->window.before_ms;
	int64_t after = as_right ? j->window.before_ms : j->window.after_ms;
	int64_t from = weir_time_sub(r->timestamp_ms, before), to = weir_time_add(r->timestamp_ms, after);
	weir_iterator *it = weir_window_fetch(others, r->key, from > 0 ? from : 0, to > 0 ? to : 0, false);
	weir_entry e;
	bool any = false;

	while (!cx->failure && weir_iterator_next(it, &e)) {
		weir_record other = { .encoded = e.value,
				      .has_encoded = true,
				      .serde = as_right ? j->left_value : j->right_value,
				      .cx = cx };
		const void *mine = weir_value(r), *its = weir_value(&other);
		weir_record out = *r;

		any = true;
		if (j->left_alone)
			weir__join_unpark_other(in, cx, r, e.start_ms);
		weir_set_value(&out, as_right ? j->join(cx, r->key, its, mine, j->user)
					      : j->join(cx, r->key, mine, its, j->user));
		if (e.start_ms > out.timestamp_ms)
			out.timestamp_ms = e.start_ms;
		weir__pass_on(in, cx, &out);
	}
	weir_iterator_close(it);
	return any;
}

/* What has paired is no longer wanted when it comes too late to be kept; else nobody will ever see it. The store
 * counts it in any case. */
static void keep(struct instance *in, weir_context *cx, const weir_record *r, bool has_come)
{
	const struct store_spec *spec = &in->node->stores[JOIN_OWN]->spec;

	if (!has_come &&
	    r->timestamp_ms <= weir_time_sub(weir__store_time(in->stores[JOIN_OWN]), spec->retention_ms))
		weir__dead_letter_as(cx, r, "late", 0);
	weir_window_put(in->stores[JOIN_OWN], r->key, weir_value_bytes(r), r->timestamp_ms, r->timestamp_ms);
}

static const char *refused(const weir_record *r)
{
	if (weir_is_null(r->key))
		return "null key";
	if (weir_value_is_null(r))
		return "null value";
	if (r->key.len > KEY_BYTES_MAX)
		return "key too long";
	return r->timestamp_ms < 0 ? "negative timestamp" : NULL; /* a step above has set it */
}

/* Kafka Streams' stores do not keep null values, but their changelogs tell of them. */
static bool is_refused(struct instance *in, weir_context *cx, const weir_record *r)
{
	const char *why = refused(r);

	if (!why)
		return false;
	weir_dead_letter(cx, r, why);
	if (!weir_is_null(r->key) && r->key.len <= KEY_BYTES_MAX && weir_value_is_null(r))
		weir_window_put(in->stores[JOIN_OWN], r->key, WEIR_NULL, r->timestamp_ms, r->timestamp_ms);
	return true;
}

static void side_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	const struct stream_join *j = in->node->opts;
	bool goes_alone = j->is_right ? j->right_alone : j->left_alone;

	weir__time_seen(in->children[0], r->timestamp_ms);
	if (goes_alone && weir_is_null(r->key) && !weir_value_is_null(r)) {
		alone(in, cx, r);
		return;
	}
	if (is_refused(in, cx, r))
		return;
	if (j->left_alone && r->timestamp_ms == weir__join_time(in))
		weir__join_look_at_parked(in, cx, r);
	bool paired = pairs(in, cx, r, in->stores[JOIN_OTHER], j->is_right);

	if (!paired && goes_alone) {
		int64_t after = j->is_right ? j->window.before_ms : j->window.after_ms;

		/* Closed already but for the grace: Kafka Streams does not wait for that. */
		if (weir_time_add(r->timestamp_ms, after) < weir__join_time(in))
			alone(in, cx, r);
		else
			weir__join_park(in, cx, r);
	}
	keep(in, cx, r, paired || goes_alone);
}

static void side_expect(struct instance *in, weir_bytes key, int distance)
{
	weir__store_expect_rows(in->stores[JOIN_OWN], key, distance);
	weir__store_expect_rows(in->stores[JOIN_OTHER], key, distance);
}

/* One store for both sides, and the same results in the same order as with two: first the record as the left one
 * of pairs, then, itself among them, as the right one. Like Kafka Streams it pairs a record with itself 1 ms less
 * long than the store would take it. */
static void self_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	weir_store *store = in->stores[JOIN_OWN];
	int64_t retention_ms = in->node->stores[JOIN_OWN]->spec.retention_ms, time_ms = weir__store_time(store);
	int64_t seen_ms = r->timestamp_ms > time_ms ? r->timestamp_ms : time_ms;

	if (is_refused(in, cx, r))
		return;
	bool with_itself = r->timestamp_ms > weir_time_add(weir_time_sub(seen_ms, retention_ms), 1);
	bool paired = pairs(in, cx, r, store, false);

	if (with_itself)
		keep(in, cx, r, paired);
	pairs(in, cx, r, store, true);
	if (!with_itself)
		keep(in, cx, r, paired);
}

static void join_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	weir__pass_on(in, cx, r);
}

static void side_init(struct instance *in, weir_context *cx)
{
	const struct stream_join *j = in->node->opts;

	(void)cx;
	if (j->left_alone && !j->is_right)
		weir__join_parked_init(in);
}

static size_t join_state_size(const struct node *node)
{
	(void)node;
	return sizeof(struct join_times);
}

static const struct operator this_op = {
	.kind = "join-this", .init = side_init, .process = side_process, .expect = side_expect
};
static const struct operator other_op = {
	.kind = "join-other", .init = side_init, .process = side_process, .expect = side_expect
};
static const struct operator join_op = {
	.kind = "join", .keeps_time = true, .state_size = join_state_size, .process = join_process
};
static const struct operator self_op = { .kind = "self-join", .process = self_process };

/* --- building ------------------------------------------------------------------------------------ */

static bool check_window(weir_topology *t, const char *name, const weir_join_window *w)
{
	if (w->grace_ms < 0)
		weir__graph_mistake(t, name, "grace_ms must not be negative");
	else if (weir_time_add(w->before_ms, w->after_ms) < 0)
		weir__graph_mistake(t, name, "before_ms and after_ms together must not be negative");
	else
		return true;
	return false;
}

static struct node *keyed(struct node *side, const char *name, const char *which, bool goes_alone)
{
	return weir__keyed_input_through(
		side, name, weir__arena_printf(&side->topology->arena, "%s-%s", name, which), goes_alone);
}

static struct graph_store *add_store(weir_topology *t, const char *name, const char *suffix,
				     const struct store_spec *spec, const weir_serde *value)
{
	return weir__graph_store_add(t, weir__arena_printf(&t->arena, "%s-%s-join-store", name, suffix), spec,
				     value);
}

static struct graph_store *add_rows(weir_topology *t, const char *name, const char *suffix,
				    const weir_join_window *w, const weir_serde *value)
{
	int64_t size = weir_time_add(w->before_ms, w->after_ms);
	struct store_spec spec = { .kind = STORE_WINDOW,
				   .retention_ms = weir_time_add(size, w->grace_ms),
				   .logged = true,
				   .duplicates = true };

	weir__graph_store_place(t, name, &spec, w->in_memory, w->on_disk);
	struct graph_store *rows = add_store(t, name, suffix, &spec, value);

	rows->logged_headers = LOGGED_OF_ALL;
	return rows;
}

static struct node *add_side(struct node *from, const char *name, const char *suffix, const struct stream_join *j,
			     const weir_serde *value)
{
	weir_topology *t = from->topology;
	struct node *n = weir__graph_add(t, from, weir__arena_printf(&t->arena, "%s-%s-join", name, suffix),
					 j->is_right ? &other_op : &this_op, j, sizeof *j);

	n->value = value;
	return n;
}

static weir_stream *add_self(struct node *from, const char *name, struct stream_join *j, const weir_serde *value)
{
	struct node *input = keyed(from, name, "left", false);
	struct node *n = weir__graph_add(input->topology, input, name, &self_op, j, sizeof *j);

	n->value = value;
	n->stores[n->store_count++] = add_rows(n->topology, name, "this", &j->window, j->left_value);
	return stream_of(n);
}

static weir_stream *add(weir_stream *left_stream, const char *name, weir_stream *right_stream, struct stream_join j,
			const weir_serde *value)
{
	struct node *left = node_of_stream(left_stream), *right = node_of_stream(right_stream);
	weir_topology *t = left->topology;

	name = weir__arena_strdup(&t->arena, name ? name : "");
	value = value ? value : left->value;
	j.left_value = left->value;
	j.right_value = right->value;
	if (!j.join)
		weir__graph_mistake(t, name, "it has no function");
	if (!check_window(t, name, &j.window))
		j.window = (weir_join_window){ 0 };
	if (left == right && !j.left_alone && t->optimize & WEIR_SINGLE_STORE_SELF_JOIN)
		return add_self(left, name, &j, value);

	const char *this_name = j.right_alone ? "outer-this" : "this";
	const char *other_name = j.left_alone ? "outer-other" : "other";
	struct node *this_side = add_side(keyed(left, name, "left", j.left_alone), name, this_name, &j, value);
	j.is_right = true;
	struct node *other_side = add_side(keyed(right, name, "right", j.right_alone), name, other_name, &j, value);
	struct node *n = weir__graph_add(t, this_side, name, &join_op, NULL, 0);

	weir__graph_connect(other_side, n);
	if (j.left_alone)
		weir__null_keys_want(n);
	struct graph_store *this_rows = add_rows(t, name, this_name, &j.window, j.left_value);
	struct graph_store *other_rows = add_rows(t, name, other_name, &j.window, j.right_value);
	this_side->stores[JOIN_OWN] = other_side->stores[JOIN_OTHER] = this_rows;
	this_side->stores[JOIN_OTHER] = other_side->stores[JOIN_OWN] = other_rows;
	this_side->store_count = other_side->store_count = 2;
	if (j.left_alone) {
		struct store_spec parked = { .kind = STORE_KEY_VALUE, .logged = true, .ordered = true };

		weir__graph_store_place(t, name, &parked, j.window.in_memory, j.window.on_disk);
		this_side->stores[JOIN_PARKED] = other_side->stores[JOIN_PARKED] =
			add_store(t, name, j.right_alone ? "outer-shared" : "left-shared", &parked, NULL);
		this_side->store_count = other_side->store_count = 3;
	}
	return stream_of(n);
}

weir_stream *weir_join(weir_stream *left, const char *name, weir_stream *right, weir_join_fn *join,
		       const weir_serde *value, weir_join_window window, void *user)
{
	return add(left, name, right, (struct stream_join){ .join = join, .user = user, .window = window }, value);
}

weir_stream *weir_left_join(weir_stream *left, const char *name, weir_stream *right, weir_join_fn *join,
			    const weir_serde *value, weir_join_window window, void *user)
{
	struct stream_join j = { .join = join, .user = user, .window = window, .left_alone = true };

	return add(left, name, right, j, value);
}

weir_stream *weir_outer_join(weir_stream *left, const char *name, weir_stream *right, weir_join_fn *join,
			     const weir_serde *value, weir_join_window window, void *user)
{
	struct stream_join j = {
		.join = join, .user = user, .window = window, .left_alone = true, .right_alone = true
	};

	return add(left, name, right, j, value);
}
