/* map, map_values, flat_map, flat_map_values and key_by: each makes a record out of a record. */
#include "framework/operators/operator.h"

struct map {
	union {
		weir_map_fn *record;
		weir_map_values_fn *value;
		weir_flat_map_fn *many;
		weir_key_fn *key;
	} fn;
	void *user;
};

weir_record weir__copy_for(const struct instance *in, const weir_record *r)
{
	weir_record out = *r;

	if (out.serde != in->node->value) {
		/* Until it is set anew, the value stays readable: as the bytes it had. */
		out.encoded = weir_value_bytes(r);
		out.has_encoded = true;
		out.object = NULL;
		out.serde = in->node->value;
	}
	return out;
}

static void map_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	const struct map *m = in->node->opts;
	weir_record out = weir__copy_for(in, r);

	out.window_start_ms = out.window_end_ms = 0;
	out.session = false;
	m->fn.record(cx, r, &out, m->user);
	uint32_t origin = weir__origin_of(cx, &out);

	weir__pass_on(in, cx, &out);
	weir__origin_back(cx, &out, origin);
}

static void map_values_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	const struct map *m = in->node->opts;
	weir_record out = *r;

	out.serde = in->node->value;
	weir_set_value(&out, m->fn.value(cx, r, m->user));
	weir__pass_on(in, cx, &out);
}

static void flat_map_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	const struct map *m = in->node->opts;
	weir_record out = *r; /* with the serde that it has come with: weir_forward sees to the rest */

	out.window_start_ms = out.window_end_ms = 0;
	out.session = false;
	m->fn.many(cx, &out, m->user);
}

static void make_values(struct instance *in, weir_context *cx, const weir_record *r)
{
	const struct map *m = in->node->opts;

	m->fn.many(cx, r, m->user);
}

static void flat_map_values_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	weir__process_keeping(in, cx, r, make_values);
}

static void key_by_process(struct instance *in, weir_context *cx, const weir_record *r)
{
	const struct map *m = in->node->opts;
	weir_record out = *r;

	weir_set_key(&out, m->fn.key(cx, r, m->user));
	weir__pass_on(in, cx, &out);
}

static const struct operator map_op = { .kind = "map", .process = map_process };
static const struct operator map_values_op = { .kind = "map-values", .process = map_values_process };
static const struct operator flat_map_op = { .kind = "flat-map",
					     .has_copies_forwarded = true,
					     .process = flat_map_process };
static const struct operator flat_map_values_op = { .kind = "flat-map-values",
						    .has_copies_forwarded = true,
						    .process = flat_map_values_process };
static const struct operator key_by_op = { .kind = "key-by", .process = key_by_process };

static struct node *add(weir_stream *s, const char *name, const struct operator* op, struct map m, bool changes_key)
{
	struct node *parent = node_of_stream(s);
	struct node *n = weir__graph_add(parent->topology, parent, name, op, &m, sizeof m);

	if (!m.fn.record) /* whichever it is: pointers to functions are of one size */
		weir__graph_mistake(n->topology, name, "it has no function");

	if (changes_key) {
		n->key_changed = n->changes_key = true;
		n->windowed = false;
	}
	return n;
}

static weir_stream *with_value(struct node *n, const weir_serde *value)
{
	if (value)
		n->value = value;
	return stream_of(n);
}

weir_stream *weir_map(weir_stream *s, const char *name, weir_map_fn *map, const weir_serde *value, void *user)
{
	return with_value(add(s, name, &map_op, (struct map){ .fn.record = map, .user = user }, true), value);
}

weir_stream *weir_map_values(weir_stream *s, const char *name, weir_map_values_fn *map, const weir_serde *value,
			     void *user)
{
	return with_value(add(s, name, &map_values_op, (struct map){ .fn.value = map, .user = user }, false),
			  value);
}

weir_stream *weir_flat_map(weir_stream *s, const char *name, weir_flat_map_fn *map, const weir_serde *value,
			   void *user)
{
	return with_value(add(s, name, &flat_map_op, (struct map){ .fn.many = map, .user = user }, true), value);
}

weir_stream *weir_flat_map_values(weir_stream *s, const char *name, weir_flat_map_fn *map, const weir_serde *value,
				  void *user)
{
	return with_value(add(s, name, &flat_map_values_op, (struct map){ .fn.many = map, .user = user }, false),
			  value);
}

weir_stream *weir_key_by(weir_stream *s, const char *name, weir_key_fn *key, void *user)
{
	return stream_of(add(s, name, &key_by_op, (struct map){ .fn.key = key, .user = user }, true));
}
