/*
 * Tables grouped by another key: the step that groups sends the old and the new row of each change to the
 * partitions of their groups, in Kafka Streams' format of changes (KIP-904); the aggregates behind the repartition
 * topic take the old row out and put the new one in.
 */
#include "framework/operators/operator.h"

/* --- the group's key ------------------------------------------------------------------------------ */

struct grouping {
	weir_map_fn *map;
	void *user;
};

/* The last byte of a change: what lies before it. With both the new value comes first, behind its length. */
enum { CHANGE_OLD = 0, CHANGE_NEW = 1, CHANGE_BOTH = 2, CHANGE_LATEST = 3 };

enum { VARINT_MAX = 5 };

/* Kafka's: 7 bits a byte, zigzag. */
static size_t put_varint(unsigned char *to, uint32_t n)
{
	uint64_t v = (uint64_t)n << 1;
	size_t len = 0;

	for (; v >= 0x80; v >>= 7)
		to[len++] = (unsigned char)(v | 0x80);
	to[len++] = (unsigned char)v;
	return len;
}

static bool get_varint(weir_bytes *from, uint32_t *n)
{
	const unsigned char *p = from->data;
	uint64_t v = 0;

	for (size_t i = 0; i < VARINT_MAX && i < from->len; i++) {
		v |= (uint64_t)(p[i] & 0x7f) << (7 * i);
		if (p[i] & 0x80)
			continue;
		*n = (uint32_t)(v >> 1);
		*from = (weir_bytes){ p + i + 1, from->len - i - 1 };
		return (v & 1) == 0;
	}
	return false;
}

static void append(unsigned char **at, weir_bytes b)
{
	if (b.len)
		memcpy(*at, b.data, b.len);
	*at += b.len;
}

static weir_bytes encode_change(weir_context *cx, const weir_record *is, const weir_record *was)
{
	weir_bytes new_value = is ? weir_value_bytes(is) : WEIR_NULL,
		   old_value = was ? weir_value_bytes(was) : WEIR_NULL;
	unsigned char *bytes = weir_alloc(cx, VARINT_MAX + new_value.len + old_value.len + 1), *at = bytes;

	if (is && was)
		at += put_varint(at, (uint32_t)new_value.len);
	append(&at, new_value);
	append(&at, old_value);
	*at++ = is && was ? CHANGE_BOTH : is ? CHANGE_NEW : CHANGE_OLD;
	return weir_bytes_of(bytes, (size_t)(at - bytes));
}

static void send_change(struct instance *in, weir_context *cx, const weir_record *is, const weir_record *was)
{
	const weir_record *any = is ? is : was;
	weir_record out = { .key = any->key,
			    .timestamp_ms = any->timestamp_ms,
			    .encoded = encode_change(cx, is, was),
			    .has_encoded = true,
			    .headers = any->headers,
			    .cx = cx };

	cx->ops->send(cx, cx->ops->repartition_topic(cx, in->node->name), -1, &out, out.key);
}

/* The row under its group's key; false: it is in no group. */
static bool regroup(struct instance *in, weir_context *cx, const weir_record *row, weir_record *out)
{
	const struct grouping *g = in->node->opts;

	*out = weir__copy_for(in, row);
	out->window_start_ms = out->window_end_ms = 0;
	out->session = false;
	g->map(cx, row, out, g->user);
	out->timestamp_ms = row->timestamp_ms;
	return !weir_is_null(out->key) && !weir_value_is_null(out);
}

/* Only so large do they go apart, as before KIP-904: every reader understands that, too. */
static bool fit_together(const weir_context *cx, const weir_record *is, const weir_record *was)
{
	size_t bytes = is->key.len + weir_value_bytes(is).len + weir_value_bytes(was).len + VARINT_MAX + 1;

	return bytes <= (size_t)cx->record_bytes_max;
}

static void group_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	weir_record row, is, was;

	if (r->superseded) /* KIP-914 */
		return;
	bool has_new = weir__new_of(r, &row) && regroup(in, cx, &row, &is);
	bool failed = cx->failure != NULL;

	if (failed && !weir__goes_on_without(in, cx, r, true))
		return;
	has_new &= !failed;
	bool has_old = weir__old_of(r, &row) && regroup(in, cx, &row, &was);

	has_old &= !weir__old_failed(in, cx, true);
	if (has_new && has_old && weir_bytes_equal(is.key, was.key) && fit_together(cx, &is, &was)) {
		send_change(in, cx, &is, &was);
		return;
	}
	if (has_old)
		send_change(in, cx, NULL, &was);
	if (has_new)
		send_change(in, cx, &is, NULL);
}

static const struct operator group_op = { .kind = "table-group", .process = group_process };

struct weir_grouped_table {
	struct node *read;
	const weir_serde *value;
};

static weir_grouped_table *grouped_or_nothing(weir_grouped_table *g)
{
	if (g)
		return g;
	struct node *nothing = weir__graph_nothing();
	weir_grouped_table *none = weir__arena_zalloc(&nothing->topology->arena, sizeof *none);

	none->read = nothing;
	return none;
}

weir_grouped_table *weir_table_group_by(weir_table *table, const char *name, weir_map_fn *map,
					weir_group_by_opts opts, void *user)
{
	struct node *parent = node_of_table(table);
	weir_topology *t = parent->topology;
	weir_grouped_table *grouped = weir__arena_zalloc(&t->arena, sizeof *grouped);
	struct grouping g = { map, user };
	struct node *writer = weir__graph_add(
		t, parent, weir__arena_printf(&t->arena, "%s-write", name ? name : ""), &group_op, &g, sizeof g);

	if (!map)
		weir__graph_mistake(t, name, "it has no function");
	writer->value = opts.value ? opts.value : parent->value;
	weir__table_keep_old(parent);
	grouped->value = writer->value;
	/* What lies in the topic are changes: the aggregates take them apart. */
	grouped->read = weir__repartition_read(writer, name, NULL, opts.partitions);
	return grouped;
}

/* --- aggregates ----------------------------------------------------------------------------------- */

struct aggregate {
	weir_table_aggregator aggregator;
	const weir_serde *rows;
	/* reduce: */
	weir_reduce_fn *add, *subtract;
};

static bool decode_change(weir_bytes b, weir_bytes *new_value, weir_bytes *old_value)
{
	if (b.len < 1)
		return false;
	unsigned kind = ((const unsigned char *)b.data)[--b.len];

	*new_value = *old_value = WEIR_NULL;
	if (kind >= CHANGE_LATEST) { /* of a versioned table: one more byte says whether it is the newest version */
		if (kind > CHANGE_LATEST + CHANGE_BOTH || b.len < 1)
			return false;
		b.len--;
		kind -= CHANGE_LATEST;
	}
	if (kind == CHANGE_BOTH) {
		uint32_t len;

		if (!get_varint(&b, &len) || len > b.len)
			return false;
		*new_value = weir_bytes_of(b.data, len);
		*old_value = weir_bytes_of((const char *)b.data + len, b.len - len);
		return true;
	}
	*(kind == CHANGE_NEW ? new_value : old_value) = weir_bytes_of(b.data, b.len);
	return true;
}

/* A row out of a change; false: there is none, or it cannot be read (then *readable is false). */
static bool row_of(struct instance *in, weir_context *cx, const weir_record *r, weir_bytes value, weir_record *row,
		   bool *readable)
{
	const struct aggregate *a = in->node->opts;
	weir_error err;

	if (weir_is_null(value))
		return false;
	*row = *r;
	row->encoded = value;
	row->object = NULL;
	row->serde = a->rows;
	if (!a->rows || (row->object = a->rows->decode(cx, value, &err)))
		return true;
	if (*readable)
		cx->ops->unreadable(cx, r, err.message);
	return *readable = false;
}

static const void *without(const struct aggregate *a, weir_context *cx, const weir_record *row,
			   const void *aggregate)
{
	return a->subtract ? a->subtract(cx, aggregate, weir_value(row), a->aggregator.user)
			   : a->aggregator.unfold(cx, row, aggregate, a->aggregator.user);
}

static const void *with(const struct aggregate *a, weir_context *cx, const weir_record *row, const void *aggregate)
{
	if (!a->add)
		return a->aggregator.fold(cx, row, aggregate, a->aggregator.user);
	return aggregate ? a->add(cx, aggregate, weir_value(row), a->aggregator.user) : weir_value(row);
}

static void change_by_fold(struct instance *in, weir_context *cx, const weir_record *r, const weir_record *is,
			   const weir_record *was)
{
	const struct aggregate *a = in->node->opts;
	int64_t ms = r->timestamp_ms;
	weir_record stored, result = { .key = r->key, .cx = cx };
	bool there = weir__table_look_up(in, cx, r, TABLE_NEWEST, &stored);
	const void *aggregate = there ? weir_value(&stored) : NULL;

	if (was && aggregate)
		aggregate = without(a, cx, was, aggregate);
	if (is)
		aggregate = with(a, cx, is, aggregate);
	weir_set_value(&result, aggregate);
	/* the time of a row that goes is that of the change: as in Kafka Streams, whose caches keep none for it */
	const struct store_spec *spec = &in->node->stores[0]->spec;
	bool keeps_time = aggregate || spec->kind == STORE_VERSIONED || spec->entries_max;
	result.timestamp_ms = there && keeps_time && stored.timestamp_ms > ms ? stored.timestamp_ms : ms;
	weir__table_put(in, cx, &result);
}

/* Versions are not changed in place: the next one begins as a copy. */
static void change_copy(struct instance *in, weir_context *cx, const weir_record *r, const weir_record *is,
			const weir_record *was)
{
	const weir_table_aggregator *a = &((const struct aggregate *)in->node->opts)->aggregator;
	weir_record stored, result = { .key = r->key, .timestamp_ms = r->timestamp_ms, .cx = cx };
	bool there = weir__table_look_up(in, cx, r, TABLE_NEWEST, &stored);

	if (!is && !there)
		return;
	void *object = weir__arena_zalloc(&cx->arena, a->value->size);

	if (there)
		memcpy(object, weir_value(&stored), a->value->size);
	else if (a->init)
		a->init(cx, object, a->user);
	if (was && there)
		a->subtract(cx, was, object, a->user);
	if (is)
		a->add(cx, is, object, a->user);
	weir_set_value(&result, object);
	if (there && stored.timestamp_ms > result.timestamp_ms)
		result.timestamp_ms = stored.timestamp_ms;
	weir__table_put(in, cx, &result);
}

static void change_in_place(struct instance *in, weir_context *cx, const weir_record *r, const weir_record *is,
			    const weir_record *was)
{
	const weir_table_aggregator *a = &((const struct aggregate *)in->node->opts)->aggregator;
	bool created = false;

	if (!is && weir_is_null(weir_store_get(in->stores[0], r->key, NULL))) {
		/* nothing that it could be taken out of; but it may be that it has been let go of */
		if (in->node->stores[0]->spec.leaves_nothing_out)
			weir_store_put(in->stores[0], r->key, WEIR_NULL, r->timestamp_ms);
		return;
	}
	void *object = weir__store_object(in->stores[0], r->key, 0, r->timestamp_ms, &created), *kept = NULL;

	if (!object)
		return;
	if (created && a->init)
		a->init(cx, object, a->user);
	if (was && is && !created) /* one of both alone is no change */
		kept = memcpy(weir_alloc(cx, a->value->size), object, a->value->size);
	if (was && !created)
		a->subtract(cx, was, object, a->user);
	if (is && !cx->failure)
		a->add(cx, is, object, a->user);
	if (!cx->failure)
		return;
	if (kept)
		memcpy(object, kept, a->value->size);
	weir__store_object_undo(in->stores[0]);
}

static void aggregate_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	const struct aggregate *a = in->node->opts;
	weir_bytes new_value, old_value;
	weir_record is, was;
	bool readable = true;

	if (weir_is_null(r->key)) {
		weir_dead_letter(cx, r, "null key");
		return;
	}
	if (!decode_change(r->encoded, &new_value, &old_value)) {
		cx->ops->unreadable(cx, r, "not a change of a table");
		return;
	}
	bool has_new = row_of(in, cx, r, new_value, &is, &readable);
	bool has_old = row_of(in, cx, r, old_value, &was, &readable);

	if (!readable)
		return;
	if (a->aggregator.add && in->node->stores[0]->spec.kind == STORE_VERSIONED)
		change_copy(in, cx, r, has_new ? &is : NULL, has_old ? &was : NULL);
	else if (a->aggregator.add)
		change_in_place(in, cx, r, has_new ? &is : NULL, has_old ? &was : NULL);
	else
		change_by_fold(in, cx, r, has_new ? &is : NULL, has_old ? &was : NULL);
}

#define AGGREGATE(kind_) \
	{ \
		.kind = kind_, .process = aggregate_process, .changed = weir__table_changed, \
		.look_up = weir__table_look_up \
	}
static const struct operator count_op = AGGREGATE("table-count");
static const struct operator reduce_op = AGGREGATE("table-reduce");
static const struct operator aggregate_op = AGGREGATE("table-aggregate");

static weir_table *add(weir_grouped_table *g, const char *name, const struct operator* op, struct aggregate a,
		       weir_table_opts opts)
{
	a.rows = g->value;
	struct node *n = weir__graph_add(g->read->topology, g->read, name, op, &a, sizeof a);

	n->value = a.aggregator.value;
	weir__table_store_add(n, opts);
	if (a.aggregator.add && n->value && !opts.versioned)
		n->stores[0]->spec.codec.size = n->value->size;
	return table_of(n);
}

static void count_add(weir_context *cx, const weir_record *r, void *aggregate, void *user)
{
	(void)cx, (void)r, (void)user;
	weir__count_by(aggregate, 1);
}

static void count_subtract(weir_context *cx, const weir_record *r, void *aggregate, void *user)
{
	(void)cx, (void)r, (void)user;
	weir__count_by(aggregate, -1);
}

weir_table *weir_grouped_count(weir_grouped_table *g, const char *name, weir_table_opts opts)
{
	struct aggregate a = { .aggregator = {
				       .value = &weir_int64, .add = count_add, .subtract = count_subtract } };

	return add(grouped_or_nothing(g), name, &count_op, a, opts);
}

weir_table *weir_grouped_reduce(weir_grouped_table *g, const char *name, weir_reduce_fn *add_value,
				weir_reduce_fn *subtract_value, weir_table_opts opts, void *user)
{
	g = grouped_or_nothing(g);
	struct aggregate a = { .aggregator = { .value = g->value, .user = user },
			       .add = add_value,
			       .subtract = subtract_value };

	if (!add_value || !subtract_value)
		weir__graph_mistake(g->read->topology, name, "it has no function to add or to subtract");
	return add(g, name, &reduce_op, a, opts);
}

weir_table *weir_grouped_aggregate(weir_grouped_table *g, const char *name, weir_table_aggregator aggregator,
				   weir_table_opts opts)
{
	g = grouped_or_nothing(g);
	weir_topology *t = g->read->topology;
	bool in_place = aggregator.add && aggregator.subtract, by_fold = aggregator.fold && aggregator.unfold;

	if (in_place == by_fold || !aggregator.add != !aggregator.subtract ||
	    !aggregator.fold != !aggregator.unfold)
		weir__graph_mistake(t, name, "an aggregator has either add and subtract, or fold and unfold");
	if (aggregator.add && (!aggregator.value || aggregator.value->size == 0))
		weir__graph_mistake(t, name, "add changes aggregates in place: their serde must have a size");
	return add(g, name, &aggregate_op, (struct aggregate){ .aggregator = aggregator }, opts);
}
