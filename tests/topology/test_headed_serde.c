/* Serdes that read and write headers: tests/conformance/cases/headed-*.case compares them with Kafka Streams'. */
#include "tests/topology/topology_test.h"

#include <ctype.h>

/* Text in the letters that a header names: "upper" or, without one, as it is. In stores it lies as it is. */
static const void *plain_decode(weir_context *cx, weir_bytes bytes, weir_error *err)
{
	return weir_utf8.decode(cx, bytes, err);
}

static weir_bytes plain_encode(weir_context *cx, const void *object)
{
	return weir_utf8.encode(cx, object);
}

static weir_bytes mapped(weir_context *cx, weir_bytes from, int (*map)(int))
{
	char *to = weir_alloc(cx, from.len + 1);

	for (size_t i = 0; i < from.len; i++)
		to[i] = (char)map(((const unsigned char *)from.data)[i]);
	return weir_bytes_of(to, from.len);
}

static const void *cased_decode(weir_context *cx, weir_bytes bytes, const weir_headers *headers, weir_error *err)
{
	weir_bytes how = weir_headers_last(headers, "case"), *object = weir_alloc(cx, sizeof *object);

	if (weir_is_null(how)) {
		weir_fail(err, WEIR_DECODE, "no header says in which letters it is");
		return NULL;
	}
	*object = mapped(cx, bytes, tolower);
	return object;
}

static weir_bytes cased_encode(weir_context *cx, const void *object, const weir_headers **headers)
{
	*headers = weir_headers_with(cx, *headers, "case", weir_str("upper"));
	return mapped(cx, *(const weir_bytes *)object, toupper);
}

static const weir_serde cased = { .name = "cased",
				  .decode = plain_decode,
				  .encode = plain_encode,
				  .decode_headers = cased_decode,
				  .encode_headers = cased_encode };

static const weir_header said[] = { { "case", { "lower", 5 } } };
static const weir_headers headers = { said, 1 };

static void pipe_cased(weir_driver *d, const char *topic, const char *key, const char *value, int64_t ms)
{
	weir_driver_pipe_record(d, topic, -1, weir_str(key), weir_str(value), ms, &headers);
}

/* What comes out, and how many headers it has, the last of them. */
static void assert_cased(weir_driver *d, const char *topic, const char *value, size_t count, const char *how)
{
	weir_driver_record r;

	assert_true(weir_driver_read(d, topic, &r));
	assert_bytes(r.value, value);
	assert_int_equal(r.headers->count, count);
	assert_bytes(weir_headers_last(r.headers, "case"), how);
}

static bool is_cased(weir_context *cx, const weir_record *r, void *user)
{
	const weir_bytes *value = weir_value(r);

	(void)cx, (void)user;
	assert_true(!value || islower(*(const char *)value->data));
	return true;
}

static bool has_value(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)user;
	return !weir_value_is_null(r);
}

static weir_bytes by_value(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)user;
	return *(const weir_bytes *)weir_value(r);
}

static void it_reads_and_writes_headers_at_topics_and_through_repartitions(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_stream *in =
		weir_filter(weir_source(t, "in", (weir_source_opts){ .value = &cased }), "lower", is_cased, NULL);

	weir_sink(in, "out", (weir_sink_opts){ 0 });
	weir_stream *some = weir_filter(in, "not-null", has_value, NULL);
	weir_stream *again = weir_repartition(weir_key_by(some, "by-value", by_value, NULL), "again",
					      (weir_repartition_opts){ 0 });

	weir_sink(weir_filter(again, "lower-again", is_cased, NULL), "plain",
		  (weir_sink_opts){ .value = &weir_utf8 });
	weir_sink(again, "again-out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	pipe_cased(d, "in", "k", "Abc", 1);
	assert_cased(d, "out", "ABC", 2, "upper");
	assert_cased(d, "app-again-repartition", "ABC", 2, "upper");
	assert_cased(d, "plain", "abc", 2, "upper");
	assert_cased(d, "again-out", "ABC", 3, "upper");
	weir_driver_pipe(d, "in", "k", "abc", 2);
	assert_dead_letter(d, "abc", "unreadable: no header says in which letters it is");
	pipe_cased(d, "in", "k", NULL, 3);
	weir_driver_record r;

	assert_true(weir_driver_read(d, "out", &r));
	assert_true(weir_is_null(r.value));
	assert_int_equal(r.headers->count, 1);
	assert_nothing(d, "again-out");
	weir_driver_free(d);
}

static const void *both(weir_context *cx, weir_bytes key, const void *left, const void *right, void *user)
{
	const weir_bytes *l = left, *r = right;

	(void)key, (void)user;
	return text(cx, "%.*s+%.*s", (int)l->len, (const char *)l->data, (int)r->len, (const char *)r->data);
}

/* Tables keep what has been read, in bytes of their own. */
static void what_lies_in_tables_is_read_without_headers(void **state)
{
	char *dir = temporary_directory();
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_stream *in = weir_source(t, "in", (weir_source_opts){ .value = &cased });
	weir_table *rows = weir_table_source(t, "rows", (weir_table_source_opts){ .value = &cased });
	weir_global *all = weir_global_table(t, "all", (weir_global_opts){ .value = &cased });
	weir_stream *joined =
		weir_join_table(in, "joined", rows, both, (weir_join_table_opts){ .value = &weir_utf8 }, NULL);

	weir_sink(joined, "out", (weir_sink_opts){ 0 });
	weir_sink(weir_join_global(in, "more", all, by_value, both, (weir_join_table_opts){ .value = &weir_utf8 },
				   NULL),
		  "more-out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ .state_dir = dir });

	pipe_cased(d, "rows", "k", "ROW", 1);
	pipe_cased(d, "all", "v", "ALL", 1);
	pipe_cased(d, "in", "k", "V", 2);
	assert_text(d, "out", "k=v+row@2");
	assert_text(d, "more-out", "k=v+all@2");
	weir_driver_record r;

	assert_true(weir_driver_read(d, "app-rows-changelog", &r));
	assert_bytes(r.value, "row");
	must(weir_driver_restart(d, false, &err));
	pipe_cased(d, "in", "k", "V", 3);
	assert_text(d, "out", "k=v+row@3");
	assert_text(d, "more-out", "k=v+all@3");
	weir_driver_free(d);
	remove_directory(dir);
}

static void a_topic_that_is_its_own_changelog_is_read_without_headers(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_error err = { .code = WEIR_OK };

	(void)state;
	weir_sink(weir_changes(weir_table_source(t, "rows",
						 (weir_table_source_opts){ .value = &cased, .reuse_topic = true })),
		  "out", (weir_sink_opts){ 0 });
	assert_false(weir_topology_check(t, &err));
	assert_contains(err.message, "its topic is its changelog, which is read without headers");
	weir_topology_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_reads_and_writes_headers_at_topics_and_through_repartitions),
		cmocka_unit_test(what_lies_in_tables_is_read_without_headers),
		cmocka_unit_test(a_topic_that_is_its_own_changelog_is_read_without_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
