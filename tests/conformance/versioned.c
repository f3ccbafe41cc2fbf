/* Stores of versions; the same names as in kafka-streams/.../Versions.java. */
#include "tests/conformance/conformance.h"

#include "state/store.h"

struct with_versions {
	const char *store;
	int64_t back_ms;
};

static const char *shown_version(weir_context *cx, weir_bytes value, int64_t ms)
{
	return weir_is_null(value) ? "~" : format(cx, "%s@%lld", bytes_text(cx, value), (long long)ms);
}

static void work_with_versions(weir_context *cx, const weir_record *r, void *state, void *user)
{
	const struct with_versions *w = user;
	weir_store *store = weir_context_store(cx, w->store);
	weir_record out = *r;
	const char *value = value_text(r), *said;
	int64_t ms = 0;

	(void)state;
	if (weir_is_null(r->key))
		return;
	if (!value) {
		weir_bytes old = weir_versioned_delete(store, r->key, r->timestamp_ms, &ms);

		said = format(cx, "deleted:%s", shown_version(cx, old, ms));
	} else if (strlen(value) % 2 == 1) {
		weir_bytes put = weir_str(strcmp(value, "d") == 0 ? NULL : value);

		said = format(cx, "put:%lld", (long long)weir_versioned_put(store, r->key, put, r->timestamp_ms));
	} else {
		weir_bytes was = weir_versioned_get_as_of(store, r->key, r->timestamp_ms - w->back_ms, &ms);
		const char *then = shown_version(cx, was, ms);
		weir_bytes is = weir_versioned_get(store, r->key, &ms);

		said = format(cx, "was:%s,is:%s", then, shown_version(cx, is, ms));
	}
	weir_set_value(&out, text_object(cx, said));
	weir_forward(cx, &out);
}

static void build_with_versions(struct graph *g, const struct step *s)
{
	struct with_versions *w = weir__arena_alloc(&g->arena, sizeof *w);

	*w = (struct with_versions){ s->name, step_number(s, "back", 0) };
	weir_add_store(g->t, s->name,
		       (weir_store_opts){ .versioned = true, .history_ms = step_number(s, "history", 0) });
	weir_processor p = { .process = work_with_versions, .stores = { s->name }, .value = &weir_utf8, .user = w };

	graph_put_stream(g, s->name, weir_process(input(g, s, 0)->stream, s->name, p), &weir_utf8);
}

const struct builder versioned_builders[] = {
	{ "with-versions", build_with_versions },
	{ NULL, NULL },
};

static void list_key(weir_store *store, const char *name, weir_bytes key, struct text *lines,
		     void (*add_value)(struct text *out, weir_bytes value, const weir_serde *serde),
		     const weir_serde *serde)
{
	int64_t history_ms = weir__store_spec(store)->retention_ms;
	weir_iterator *it =
		weir_versioned_fetch(store, key, weir__store_time(store) - history_ms, INT64_MAX, false);
	weir_entry e;

	while (weir_iterator_next(it, &e)) {
		text_add(lines, "store %s ", name);
		text_add_bytes(lines, key);
		text_add(lines, "@%lld-%lld ", (long long)e.start_ms, (long long)e.end_ms);
		add_value(lines, e.value, serde);
		text_add(lines, " %lld\n", (long long)e.start_ms);
	}
	weir_iterator_close(it);
}

void versions_list(weir_store *store, const char *name, struct text *lines,
		   void (*add_value)(struct text *out, weir_bytes value, const weir_serde *serde),
		   const weir_serde *serde)
{
	weir_iterator *it = weir__store_versions(store, WEIR_NULL);
	weir_bytes *keys = NULL;
	struct arena arena;
	size_t n = 0;
	weir_entry e;

	weir__arena_init(&arena, 0);
	while (weir_iterator_next(it, &e)) {
		bool known = false;

		for (size_t i = 0; i < n; i++)
			known |= weir_bytes_equal(keys[i], e.key);
		if (known)
			continue;
		keys = weir__realloc(keys, (n + 1) * sizeof *keys);
		keys[n++] = weir__arena_copy(&arena, e.key);
	}
	weir_iterator_close(it);
	for (size_t i = 0; i < n; i++)
		list_key(store, name, keys[i], lines, add_value, serde);
	free(keys);
	weir__arena_release(&arena);
}
