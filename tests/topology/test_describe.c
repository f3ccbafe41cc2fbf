/* A topology with a bit of everything, in the four formats: compared with tests/topology/golden/describe.*
 * (WEIR_TEST_UPDATE=1 writes them anew: look at the difference before it is committed). */
#include "tests/topology/topology_test.h"

static bool predicate(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)r, (void)user;
	return true;
}

static weir_bytes key(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)user;
	return r->key;
}

static void process(weir_context *cx, const weir_record *r, void *state, void *user)
{
	(void)state, (void)user;
	weir_forward(cx, r);
}

static const char *route(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)r, (void)user;
	return "somewhere";
}

static weir_topology *shop(void)
{
	weir_topology *t = weir_topology_new("shop");
	weir_stream *orders = text_source(t, "orders");
	weir_stream *visits = weir_source(t, "visits", (weir_source_opts){ .topic = "shop.visits" });
	const weir_case cases[] = { { "large", predicate, NULL }, { "small", NULL, NULL } };
	weir_stream *by_size[2];

	weir_add_store(t, "seen", (weir_store_opts){ .unlogged = true });
	weir_branch(orders, "by-size", cases, 2, by_size);
	weir_sink(by_size[0], "large-orders", (weir_sink_opts){ .route = route });
	weir_table *counts = weir_count(weir_key_by(by_size[1], "by-customer", key, NULL), "counts",
					(weir_window){ .size_ms = WEIR_MINUTES(5) });

	weir_sink(weir_changes(counts), "counts-out", (weir_sink_opts){ .topic = "shop.counts" });
	weir_process(visits, "watch", (weir_processor){ .process = process, .stores = { "seen", "counts" } });
	return t;
}

static char *description(weir_topology *t, weir_format format)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	must(weir_topology_check(t, &err));
	weir_topology_describe(t, format, out);
	fclose(out);
	weir_topology_free(t);
	return text;
}

static char *described(weir_format format)
{
	return description(shop(), format);
}

static weir_topology *three_in_one(void)
{
	static const char *const topics[] = { "x", "y", "z" };
	weir_topology *t = weir_topology_new("app");

	weir_sink(weir_source(t, "in", (weir_source_opts){ .topics = topics, .topic_count = 3 }), "out",
		  (weir_sink_opts){ 0 });
	return t;
}

static void all_topics_of_a_source_are_shown(void **state)
{
	static const struct {
		weir_format format;
		const char *parts[3];
	} wanted[] = {
		{ WEIR_TEXT, { "reads x, y, z\n", "", "" } },
		{ WEIR_DOT, { "\"t:x\" -> n0", "\"t:y\" -> n0", "\"t:z\" -> n0" } },
		{ WEIR_MERMAID, { "r0>\"x\"] --> n0", "r0_2>\"y\"] --> n0", "r0_3>\"z\"] --> n0" } },
		{ WEIR_JSON, { "\"reads\":\"x\",\"reads_too\":[\"y\",\"z\"]", "", "" } },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(wanted); i++) {
		char *got = description(three_in_one(), wanted[i].format);

		for (size_t j = 0; j < LENGTH(wanted[i].parts); j++)
			if (!strstr(got, wanted[i].parts[j]))
				fail_msg("\"%s\" is not in: %s", wanted[i].parts[j], got);
		free(got);
	}
}

static char *golden(const char *path)
{
	char *text = calloc(1, 65536);
	FILE *in = fopen(path, "r");

	if (!in)
		fail_msg("%s is not there", path);
	size_t n = fread(text, 1, 65535, in);

	assert_true(n > 0);
	fclose(in);
	return text;
}

static void compare(weir_format format, const char *suffix)
{
	char *got = described(format), path[300];

	snprintf(path, sizeof path, "%s/tests/topology/golden/describe.%s", SOURCE_DIR, suffix);
	if (getenv("WEIR_TEST_UPDATE")) {
		FILE *out = fopen(path, "w");

		assert_non_null(out);
		fputs(got, out);
		fclose(out);
	}
	char *want = golden(path);

	if (strcmp(got, want) != 0)
		fail_msg("%s differs; found:\n%s", path, got);
	free(want);
	free(got);
}

static void as_text(void **state)
{
	(void)state;
	compare(WEIR_TEXT, "txt");
}

static void as_dot(void **state)
{
	(void)state;
	compare(WEIR_DOT, "dot");
}

static void as_mermaid(void **state)
{
	(void)state;
	compare(WEIR_MERMAID, "mmd");
}

static void as_json(void **state)
{
	(void)state;
	compare(WEIR_JSON, "json");
}

static void one_with_mistakes_can_be_looked_at_too(void **state)
{
	weir_topology *t = weir_topology_new("app");
	char *text = NULL;
	size_t size;

	(void)state;
	weir_filter(text_source(t, "in"), "no-predicate", NULL, NULL);
	for (weir_format format = WEIR_TEXT; format <= WEIR_JSON; format++) {
		FILE *out = open_memstream(&text, &size);

		weir_topology_describe(t, format, out);
		fclose(out);
		assert_contains(text, "no-predicate");
		free(text);
	}
	weir_topology_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_topics_of_a_source_are_shown),
		cmocka_unit_test(as_text),
		cmocka_unit_test(as_dot),
		cmocka_unit_test(as_mermaid),
		cmocka_unit_test(as_json),
		cmocka_unit_test(one_with_mistakes_can_be_looked_at_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
