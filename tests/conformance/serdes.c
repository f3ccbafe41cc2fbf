/* Serdes that have no text of their own; the same names as in kafka-streams/.../SerdeSteps.java. */
#include "tests/conformance/conformance.h"

WEIR_LIST_SERDE(texts, weir_utf8);
WEIR_LIST_SERDE(longs, weir_int64);
WEIR_LIST_SERDE(shorts, weir_int16);
WEIR_LIST_SERDE(booleans, weir_bool);
WEIR_LIST_SERDE(lists, texts);

static const struct {
	const char *of;
	const weir_serde *serde;
} kinds[] = { { "text", &texts },
	      { "longs", &longs },
	      { "shorts", &shorts },
	      { "booleans", &booleans },
	      { "lists", &lists } };

static const weir_serde *serde_of(const struct step *s)
{
	const weir_serde *found = NULL;

	for (size_t i = 0; i < LENGTH(kinds); i++) {
		bool is = strcmp(kinds[i].of, step_option(s, "of")) == 0;

		cover(is, "list of %s", kinds[i].of);
		if (is)
			found = kinds[i].serde;
	}
	if (found)
		return found;
	fatal("no list of \"%s\"", step_option(s, "of"));
}

static const weir_list *list_of(weir_context *cx, const void **items, size_t count)
{
	weir_list *list = weir_alloc(cx, sizeof *list);

	*list = (weir_list){ items, count };
	return list;
}

/* What a letter becomes in a list; d is null. */
static const void *entry_of(weir_context *cx, char letter, const weir_serde *list)
{
	const void **twice = weir_alloc(cx, 2 * sizeof *twice);
	int64_t *number = weir_alloc(cx, sizeof *number);

	if (letter == 'd')
		return NULL;
	twice[0] = twice[1] = text_object(cx, format(cx, "%c", letter));
	*number = letter;
	if (list == &texts)
		return twice[0];
	if (list == &lists)
		return list_of(cx, twice, 2);
	if (list == &shorts)
		*(int16_t *)number = (int16_t)-letter;
	if (list == &booleans)
		*(bool *)number = letter % 2 == 1;
	return number;
}

static const void *to_list(weir_context *cx, const weir_record *r, void *user)
{
	const char *value = value_text(r);
	size_t n = value ? strlen(value) : 0;
	const void **items = weir_alloc(cx, (n + 1) * sizeof *items);

	for (size_t i = 0; i < n; i++)
		items[i] = entry_of(cx, value[i], user);
	return value ? list_of(cx, items, n) : NULL;
}

static const char *list_text(weir_context *cx, const weir_list *list, const weir_serde *serde)
{
	const char *all = "";

	for (size_t i = 0; i < list->count; i++) {
		const void *item = list->items[i];
		const char *one = !item                ? "~"
				  : serde == &texts    ? object_text(cx, item, &weir_utf8)
				  : serde == &longs    ? object_text(cx, item, &weir_int64)
				  : serde == &shorts   ? format(cx, "%d", *(const int16_t *)item)
				  : serde == &booleans ? (*(const bool *)item ? "true" : "false")
						       : list_text(cx, item, &texts);

		all = format(cx, "%s%s%s", all, i ? "," : "", one);
	}
	return format(cx, "[%s]", all);
}

static const void *of_list(weir_context *cx, const weir_record *r, void *user)
{
	const weir_list *list = weir_value(r);

	return list ? text_object(cx, list_text(cx, list, user)) : NULL;
}

static void build_to_list(struct graph *g, const struct step *s)
{
	const weir_serde *serde = serde_of(s);

	graph_put_stream(g, s->name,
			 weir_map_values(input(g, s, 0)->stream, s->name, to_list, serde, (void *)serde), serde);
}

static void build_of_list(struct graph *g, const struct step *s)
{
	struct named *in = input(g, s, 0);

	graph_put_stream(g, s->name, weir_map_values(in->stream, s->name, of_list, &weir_utf8, (void *)in->value),
			 &weir_utf8);
}

static const void *nothing(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)r, (void)user;
	return NULL;
}

static void build_to_void(struct graph *g, const struct step *s)
{
	graph_put_stream(g, s->name, weir_map_values(input(g, s, 0)->stream, s->name, nothing, &weir_void, NULL),
			 &weir_void);
}

/* --- headers -------------------------------------------------------------------------------------------------- */

static const void *text_decode(weir_context *cx, weir_bytes bytes, weir_error *err)
{
	return weir_utf8.decode(cx, bytes, err);
}

static weir_bytes text_encode(weir_context *cx, const void *object)
{
	return weir_utf8.encode(cx, object);
}

/* Text, the length and how many headers there are. */
static const void *headed_decode(weir_context *cx, weir_bytes bytes, const weir_headers *headers, weir_error *err)
{
	(void)err;
	return text_object(cx, format(cx, "%.*s/%s/%zu", (int)bytes.len, (const char *)bytes.data,
				      shown(bytes_text(cx, weir_headers_last(headers, "length"))), headers->count));
}

static weir_bytes headed_encode(weir_context *cx, const void *object, const weir_headers **headers)
{
	weir_bytes text = weir_utf8.encode(cx, object);

	*headers = weir_headers_with(cx, *headers, "length", weir_str(format(cx, "%zu", text.len)));
	return text;
}

static const weir_serde headed = { .name = "headed",
				   .decode = text_decode,
				   .encode = text_encode,
				   .decode_headers = headed_decode,
				   .encode_headers = headed_encode };

static void build_headed_source(struct graph *g, const struct step *s)
{
	weir_source_opts opts = { .value = &headed };

	graph_put_stream(g, s->name, weir_source(g->t, s->name, opts), &headed);
}

static const void *same_value(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)user;
	return weir_value(r);
}

static void build_to_headed(struct graph *g, const struct step *s)
{
	graph_put_stream(g, s->name, weir_map_values(input(g, s, 0)->stream, s->name, same_value, &headed, NULL),
			 &headed);
}

const struct builder serde_builders[] = {
	{ "headed-source", build_headed_source },
	{ "to-headed", build_to_headed },
	{ "to-list", build_to_list },
	{ "of-list", build_of_list },
	{ "to-void", build_to_void },
	{ NULL, NULL },
};
