/*
 * Joins of two tables where a row of the left names a key of the right (KIP-213). Both may lie in different tasks,
 * so both ways lead through a topic:
 *
 *   left --> subscribe ==registration==> receive --> respond ==response==> join --> result
 *                                right --> foreign --^
 *
 * A left row subscribes to its foreign key, in the task that has that key, with a hash of its value. That task
 * keeps subscriptions, and answers now and with each change of the right row. An answer is stale when the left
 * row's value has another hash by now: another one is on its way.
 */
#include "framework/operators/foreign.h"

struct foreign {
	weir_key_fn *key;
	weir_join_fn *join;
	weir_foreign_opts opts;
	const weir_serde *right; /* of its values */
	bool left_alone;
	void *user;
};

/* --- the left table's side ------------------------------------------------------------------------ */

static int32_t partition_of(struct instance *in, weir_context *cx, const char *topic, weir_bytes foreign_key)
{
	const struct foreign *f = in->node->opts;

	if (!f->opts.partition || weir_is_null(foreign_key))
		return -1;
	int32_t count = cx->ops->partitions(cx, topic), p = f->opts.partition(cx, foreign_key, count, f->user);

	if (p < -1 || p >= count)
		weir_stop(cx, "step \"%s\" sends to partition %d of topic \"%s\", which has %d", in->node->name,
			  (int)p, topic, (int)count);
	return p;
}

static void subscribe(struct instance *in, weir_context *cx, const weir_record *change, weir_bytes foreign_key,
		      struct subscription s, enum foreign_instruction instruction)
{
	const char *topic = cx->ops->repartition_topic(cx, in->node->name);

	s.instruction = instruction;
	weir_record out = {
		.key = foreign_key,
		.timestamp_ms = change->timestamp_ms,
		.encoded = weir__subscription_encode(cx, &s),
		.has_encoded = true,
		.headers = change->headers,
		.cx = cx,
	};

	cx->ops->send(cx, topic, partition_of(in, cx, topic, foreign_key), &out, foreign_key);
}

/* Null also for a key that is too long to be kept together with the row's, which goes beside it as well. */
static weir_bytes foreign_key_of(weir_context *cx, const struct foreign *f, const weir_record *row, bool *too_long)
{
	weir_bytes key = f->key(cx, row, f->user);

	*too_long = !weir_is_null(key) && key.len + 2 * row->key.len > KEY_BYTES_MAX;
	return *too_long ? WEIR_NULL : key;
}

static void subscribe_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	const struct foreign *f = in->node->opts;
	weir_record is, was;
	bool has_new = weir__new_of(r, &is), has_old = weir__old_of(r, &was), was_too_long, too_long = false;
	weir_bytes new_key = has_new ? foreign_key_of(cx, f, &is, &too_long) : WEIR_NULL;
	bool failed = cx->failure != NULL;

	/* Else the row's deletion would not find its subscription, and the result would stay for ever. A left join
	 * answers that in any case. */
	if (failed && (f->left_alone || !weir__goes_on_without(in, cx, r, true)))
		return;
	if (failed)
		new_key = WEIR_NULL;
	weir_bytes old_key = has_old ? foreign_key_of(cx, f, &was, &was_too_long) : WEIR_NULL;

	if (weir__old_failed(in, cx, true))
		old_key = WEIR_NULL;
	bool subscribed = !weir_is_null(old_key), subscribes = !weir_is_null(new_key);
	bool moves = subscribed && !weir_bytes_equal(old_key, new_key);
	struct subscription s = {
		.hash = weir__foreign_hash(has_new ? &is : NULL),
		.key = r->key,
		.partition = cx->partition,
	};

	if (r->superseded)
		weir__dropped(cx, 1);
	if ((!has_new && !has_old) || r->superseded)
		return;
	if (too_long)
		weir_dead_letter(cx, &is, "key too long");
	if (f->left_alone) { /* an answer is wanted in any case, also to a deletion and where there is no key */
		if (moves)
			subscribe(in, cx, r, old_key, s, FOREIGN_DELETE);
		subscribe(in, cx, r, new_key, s, FOREIGN_PROPAGATE_NULL);
		return;
	}
	if (has_new && !subscribes && !too_long && !failed)
		weir_dead_letter(cx, &is, "null foreign key");
	if (subscribes) {
		if (moves) /* the task of the new key answers; without a row there, the old result must go */
			subscribe(in, cx, r, old_key, s, FOREIGN_DELETE);
		subscribe(in, cx, r, new_key, s, moves ? FOREIGN_PROPAGATE_NULL : FOREIGN_PROPAGATE);
	} else if (subscribed) {
		subscribe(in, cx, r, old_key, s, FOREIGN_DELETE_AND_PROPAGATE);
	}
}

/* --- the right table's side ----------------------------------------------------------------------- */

/* Because of `cause`. Sends as `in`'s child, which is the step that writes responses. `buffer` has room for the
 * response. */
static void respond(struct instance *in, weir_context *cx, const weir_record *cause, const struct subscription *s,
		    weir_bytes value, int64_t timestamp_ms, unsigned char *buffer)
{
	struct foreign_response response = { .hash = s->hash, .value = value };
	int32_t partition = s->partition;
	weir_record out = {
		.key = s->key,
		.timestamp_ms = timestamp_ms,
		.encoded = weir__response_encode(&response, buffer),
		.has_encoded = true,
		.headers = cause->headers,
		.cx = cx,
	};

	cx->current = in->children[0];
	const char *topic = cx->ops->repartition_topic(cx, cx->current->node->name);

	if (partition >= cx->ops->partitions(cx, topic)) /* somebody else wrote that: by the key then */
		partition = -1;
	cx->ops->send(cx, topic, partition, &out, s->key);
	cx->current = in;
}

static void receive_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	bool has_key = !weir_is_null(r->key);
	struct subscription s;
	weir_record row;

	if (!weir__subscription_decode(r->encoded, &s)) {
		cx->ops->unreadable(cx, r, "not a subscription of a foreign-key join");
		return;
	}
	if (!has_key && s.instruction != FOREIGN_PROPAGATE_NULL) {
		weir_dead_letter(cx, r, "null foreign key");
		return;
	}
	bool deletes = s.instruction == FOREIGN_DELETE || s.instruction == FOREIGN_DELETE_AND_PROPAGATE;

	if (has_key)
		weir_store_put(in->stores[0], weir__subscription_key(cx, r->key, s.key),
			       deletes ? WEIR_NULL : r->encoded, r->timestamp_ms);
	bool has_row = has_key && weir__look_up(in->looked_up[0], cx, r, TABLE_PASSED_ON, &row);
	int64_t ms = has_row && row.timestamp_ms > r->timestamp_ms ? row.timestamp_ms : r->timestamp_ms;

	if (s.instruction == FOREIGN_DELETE || (s.instruction == FOREIGN_PROPAGATE && !has_row))
		return;
	weir_bytes value = has_row && !deletes ? weir_value_bytes(&row) : WEIR_NULL;

	respond(in, cx, r, &s, value, ms, weir_alloc(cx, RESPONSE_HEAD_MAX + value.len));
}

static void foreign_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	weir_bytes prefix = weir__subscription_key(cx, r->key, WEIR_NULL), value = weir_value_bytes(r);
	unsigned char *buffer = weir_alloc(cx, RESPONSE_HEAD_MAX + value.len);
	weir_iterator *it = weir_store_prefix(in->stores[0], prefix);
	struct subscription s;
	weir_entry e;

	if (r->superseded)
		weir__dropped(cx, 1);
	while (!r->superseded && weir_iterator_next(it, &e))
		if (weir__subscription_decode(e.value, &s))
			respond(in, cx, r, &s, value, r->timestamp_ms, buffer);
	weir_iterator_close(it);
}

static void respond_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	(void)in, (void)cx, (void)r; /* see respond */
}

/* --- and back ------------------------------------------------------------------------------------- */

static bool same_hash(struct foreign_hash a, struct foreign_hash b)
{
	return a.is == b.is && (!a.is || memcmp(a.bytes, b.bytes, MURMUR3_BYTES) == 0);
}

static void join_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	const struct foreign *f = in->node->opts;
	struct foreign_response response;
	const void *object = NULL;
	weir_record left, out = *r;

	if (weir_is_null(r->key) || !weir__response_decode(r->encoded, &response)) {
		cx->ops->unreadable(cx, r, "not a response of a foreign-key join");
		return;
	}
	bool has_left = weir__look_up(in->looked_up[0], cx, r, TABLE_PASSED_ON, &left);

	if (!same_hash(response.hash, weir__foreign_hash(has_left ? &left : NULL))) { /* stale */
		weir__dropped(cx, 1);
		return;
	}
	if (has_left && (f->left_alone || !weir_is_null(response.value))) {
		weir_record right = {
			.key = r->key, .encoded = response.value, .has_encoded = true, .serde = f->right, .cx = cx
		};

		object = f->join(cx, r->key, weir_value(&left), weir_value(&right), f->user);
	}
	weir_set_value(&out, object);
	weir__pass_on(in, cx, &out);
}

static void result_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	weir__table_put(in, cx, r);
}

static const struct operator subscribe_op = { .kind = "foreign-subscribe", .process = subscribe_process };
static const struct operator receive_op = { .kind = "foreign-receive", .process = receive_process };
static const struct operator foreign_op = { .kind = "foreign-changes", .process = foreign_process };
static const struct operator respond_op = { .kind = "foreign-respond",
					    .process = respond_process,
					    .stands_bare = true };
static const struct operator join_op = { .kind = "foreign-response", .process = join_process };
static const struct operator result_op = {
	.kind = "foreign-join",
	.process = result_process,
	.changed = weir__table_changed,
	.look_up = weir__table_look_up,
};

/* --- the graph ------------------------------------------------------------------------------------ */

struct plan {
	weir_topology *t;
	const char *name;
	const struct foreign *f;
};

static struct node *step(const struct plan *p, struct node *parent, const char *suffix, const struct operator* op)
{
	char *name = weir__arena_printf(&p->t->arena, "%s-%s", p->name, suffix);

	return weir__graph_add(p->t, parent, name, op, p->f, sizeof *p->f);
}

/* The topic <application.id>-<name>-<suffix>-topic, with as many partitions as those below `table`. */
static struct node *through(const struct plan *p, struct node *writer, const char *suffix, struct node *table)
{
	char *name = weir__arena_printf(&p->t->arena, "%s-%s", p->name, suffix);
	struct node *read = weir__repartition_read(writer, name, NULL, 0);
	struct graph_topic *topic = p->t->topics[p->t->topic_count - 1];

	topic->suffix = "topic";
	topic->like = table;
	return read;
}

/* Returns the step that writes responses. */
static struct node *build_right_side(const struct plan *p, struct node *registrations, struct node *right)
{
	struct store_spec spec = { .kind = STORE_KEY_VALUE, .logged = true, .ordered = true, .by_default = true };
	char *store = weir__arena_printf(&p->t->arena, "%s-subscription-store", p->name);
	struct node *receive = step(p, registrations, "receive", &receive_op);

	weir__graph_store_add(p->t, store, &spec, NULL)->logged_headers = LOGGED_OF_ALL;
	weir__graph_store_use(receive, store);
	weir__graph_look_up(receive, right);
	struct node *changes = step(p, right, "foreign", &foreign_op);

	weir__graph_store_use(changes, store);
	struct node *respond = step(p, receive, "respond", &respond_op);

	weir__graph_connect(changes, respond);
	return respond;
}

static weir_table *add(weir_table *left_table, const char *name, weir_table *right_table, struct foreign f)
{
	struct node *left = node_of_table(left_table), *right = node_of_table(right_table);
	struct plan p = { left->topology, name ? name : "", &f };

	if (!f.key || !f.join)
		weir__graph_mistake(p.t, name, "it has no function for the foreign key, or for the join");
	if (left->windowed || right->windowed)
		weir__graph_mistake(p.t, name, "tables of windows have no foreign keys");
	if (right->topology != p.t) {
		weir__graph_mistake(p.t, name, "the table \"%s\" belongs to another topology", right->name);
		return left_table;
	}
	f.right = right->value;
	struct node *subscriber = step(&p, left, "subscribe", &subscribe_op);
	struct node *registrations = through(&p, subscriber, "subscription-registration", right);
	struct node *respond = build_right_side(&p, registrations, right);
	struct node *responses = through(&p, respond, "subscription-response", left);
	struct node *join = step(&p, responses, "response", &join_op);

	join->value = f.opts.value ? f.opts.value : left->value;
	weir__graph_look_up(join, left);
	struct node *n = weir__graph_add(p.t, join, name, &result_op, NULL, 0);

	weir__table_store_add(n, f.opts.store);
	weir__table_keep_old(left);
	weir__table_keep_old(right);
	return table_of(n);
}

weir_table *weir_table_join_foreign(weir_table *left, const char *name, weir_table *right, weir_key_fn *foreign_key,
				    weir_join_fn *join, weir_foreign_opts opts, void *user)
{
	return add(left, name, right,
		   (struct foreign){ .key = foreign_key, .join = join, .opts = opts, .user = user });
}

weir_table *weir_table_left_join_foreign(weir_table *left, const char *name, weir_table *right,
					 weir_key_fn *foreign_key, weir_join_fn *join, weir_foreign_opts opts,
					 void *user)
{
	return add(left, name, right,
		   (struct foreign){
			   .key = foreign_key, .join = join, .opts = opts, .left_alone = true, .user = user });
}
