#include "tests/topology/topology_test.h"

static char a[] = "a", b[] = "b"; /* first letters, as `user` */

static bool starts_with(weir_context *cx, const weir_record *r, void *user)
{
	weir_bytes value = weir_value_bytes(r);

	(void)cx;
	return value.len > 0 && *(const char *)value.data == *(const char *)user;
}

static void filter_keeps_and_filter_not_drops(void **state)
{
	weir_topology *t = weir_topology_new("filters");
	weir_stream *in = text_source(t, "in");

	(void)state;
	weir_sink(weir_filter(in, "kept", starts_with, a), "with-a", (weir_sink_opts){ 0 });
	weir_sink(weir_filter_not(in, "dropped", starts_with, a), "without-a", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "k", "apple", 1);
	weir_driver_pipe(d, "in", "k", "pear", 2);
	weir_driver_pipe(d, "in", "k", NULL, 3);
	weir_driver_pipe(d, "in", NULL, "avocado", 4);
	assert_text(d, "with-a", "k=apple@1", "null=avocado@4");
	assert_text(d, "without-a", "k=pear@2", "k=null@3");
	weir_driver_free(d);
}

static void swap(weir_context *cx, const weir_record *in, weir_record *out, void *user)
{
	const weir_bytes *value = weir_value(in);

	(void)user;
	assert_ptr_equal(in->cx, cx);
	weir_set_value_bytes(out, in->key);
	weir_set_key(out, value ? *value : WEIR_NULL);
	out->timestamp_ms += 1000;
}

static void map_changes_key_value_and_time(void **state)
{
	weir_topology *t = weir_topology_new("map");

	(void)state;
	weir_sink(weir_map(text_source(t, "in"), "swap", swap, NULL, NULL), "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "k", "v", 5);
	weir_driver_pipe(d, "in", "k", NULL, 6);
	weir_driver_pipe(d, "in", NULL, "v", 7);
	assert_text(d, "out", "v=k@1005", "null=k@1006", "v=null@1007");
	weir_driver_free(d);
}

static void keep(weir_context *cx, const weir_record *in, weir_record *out, void *user)
{
	(void)cx, (void)in, (void)out, (void)user;
}

static const void *length_of(weir_context *cx, const weir_record *r, void *user)
{
	const weir_bytes *value = weir_value(r);
	int64_t *n = weir_alloc(cx, sizeof *n);

	(void)user;
	if (!value)
		return NULL;
	*n = (int64_t)value->len;
	return n;
}

static void a_map_that_keeps_the_value_keeps_its_bytes_under_the_new_serde(void **state)
{
	weir_topology *t = weir_topology_new("map");
	weir_stream *lengths = weir_map_values(text_source(t, "in"), "lengths", length_of, &weir_int64, NULL);

	(void)state;
	weir_sink(weir_map(lengths, "bytes", keep, &weir_raw, NULL), "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "k", "four", 1);
	assert_numbers(d, "out", "k=4@1");
	weir_driver_free(d);
}

static void map_values_gives_objects_of_its_serde_or_null(void **state)
{
	weir_topology *t = weir_topology_new("map-values");
	weir_stream *lengths = weir_map_values(text_source(t, "in"), "lengths", length_of, &weir_int64, NULL);

	(void)state;
	weir_sink(lengths, "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "k", "three", 1);
	weir_driver_pipe(d, "in", "k", "", 2);
	weir_driver_pipe(d, "in", "k", NULL, 3);
	assert_numbers(d, "out", "k=5@1", "k=0@2", "k=null@3");
	weir_driver_free(d);
}

static void letters(weir_context *cx, const weir_record *in, void *user)
{
	const weir_bytes *value = weir_value(in);

	(void)user;
	for (size_t i = 0; value && i < value->len; i++) {
		weir_record out = *in;

		weir_set_key(&out, weir_bytes_of((const char *)value->data + i, 1));
		weir_set_value(&out, text(cx, "%zu", i));
		weir_forward(cx, &out);
	}
}

static void flat_map_gives_none_one_or_many_in_order(void **state)
{
	weir_topology *t = weir_topology_new("flat-map");

	(void)state;
	weir_sink(weir_flat_map(text_source(t, "in"), "letters", letters, NULL, NULL), "out",
		  (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "k", "abc", 1);
	weir_driver_pipe(d, "in", "k", "", 2);
	weir_driver_pipe(d, "in", "k", NULL, 3);
	weir_driver_pipe(d, "in", "k", "d", 4);
	assert_text(d, "out", "a=0@1", "b=1@1", "c=2@1", "d=0@4");
	weir_driver_free(d);
}

/* Half of the number as text, then the number as it is: as the bytes it had. */
static void halved(weir_context *cx, const weir_record *in, void *user)
{
	weir_record out = *in;

	(void)user;
	weir_set_value(&out, text(cx, "%lld", (long long)(*(const int64_t *)weir_value(in) / 2)));
	weir_forward(cx, &out);
	weir_forward(cx, in);
}

static const void *size_of_value(weir_context *cx, const weir_record *r, void *user)
{
	(void)user;
	return text(cx, "%zu bytes", ((const weir_bytes *)weir_value(r))->len);
}

static void flat_maps_read_their_input_and_write_values_of_another_serde(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = weir_source(t, "in", (weir_source_opts){ .value = &weir_int64 });

	(void)state;
	weir_stream *halves = weir_flat_map(in, "halves", halved, &weir_utf8, NULL);

	weir_sink(weir_map_values(halves, "lengths", size_of_value, NULL, NULL), "out", (weir_sink_opts){ 0 });
	weir_sink(weir_map_values(weir_flat_map_values(in, "halves-too", halved, &weir_utf8, NULL), "lengths-too",
				  size_of_value, NULL, NULL),
		  "out-too", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe_record(d, "in", -1, weir_str("k"), weir_bytes_of("\0\0\0\0\0\0\1\0", 8), 1, NULL);
	assert_text(d, "out", "k=3 bytes@1", "k=8 bytes@1");
	assert_text(d, "out-too", "k=3 bytes@1", "k=8 bytes@1");
	weir_driver_free(d);
}

/* Numbers of the value's letters, under the same key; at an "x" under another. */
static void numbers(weir_context *cx, const weir_record *in, void *user)
{
	const weir_bytes *value = weir_value(in);

	(void)user;
	for (size_t i = 0; value && i < value->len; i++) {
		weir_record out = *in;

		weir_set_value(&out, text(cx, "%zu", i));
		if (((const char *)value->data)[i] == 'x')
			out.key = weir_str("another");
		weir_forward(cx, &out);
	}
}

static void flat_map_values_keeps_the_key(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_stream *numbered = weir_flat_map_values(text_source(t, "in"), "numbers", numbers, NULL, NULL);

	weir_sink(numbered, "out", (weir_sink_opts){ 0 });
	weir_count(numbered, "counts", (weir_window){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "k", "ab", 1);
	weir_driver_pipe(d, "in", "k", NULL, 2);
	weir_driver_pipe(d, "in", NULL, "c", 3);
	assert_text(d, "out", "k=0@1", "k=1@1", "null=0@3");
	assert_int_equal(weir_topic_partitions(weir_driver_cluster(d), "app-counts-by-key-repartition", NULL), 0);
	weir_driver_pipe(d, "in", "k", "axb", 4);
	assert_stopped(d, "step \"numbers\" forwards a record with another key");
	assert_nothing(d, "out");
	weir_driver_free(d);
}

static weir_bytes value_as_key(weir_context *cx, const weir_record *r, void *user)
{
	const weir_bytes *value = weir_value(r);

	(void)cx, (void)user;
	return value ? *value : WEIR_NULL;
}

static void key_by_changes_the_key_alone(void **state)
{
	weir_topology *t = weir_topology_new("key-by");

	(void)state;
	weir_sink(weir_key_by(text_source(t, "in"), "by-value", value_as_key, NULL), "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "k", "v", 1);
	weir_driver_pipe(d, "in", "k", NULL, 2);
	assert_text(d, "out", "v=v@1", "null=null@2");
	weir_driver_free(d);
}

static void merge_passes_on_both_inputs(void **state)
{
	weir_topology *t = weir_topology_new("merge");
	weir_stream *left = text_source(t, "left"), *right = text_source(t, "right");

	(void)state;
	weir_sink(weir_merge(left, "both", right), "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "left", "k", "l1", 1);
	weir_driver_pipe(d, "right", "k", "r1", 2);
	weir_driver_pipe(d, "left", "k", "l2", 3);
	assert_text(d, "out", "k=l1@1", "k=r1@2", "k=l2@3");
	weir_driver_free(d);
}

static void a_stream_merged_with_itself_comes_twice(void **state)
{
	weir_topology *t = weir_topology_new("merge");
	weir_stream *in = text_source(t, "in");

	(void)state;
	weir_sink(weir_merge(in, "twice", in), "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "k", "v", 1);
	assert_text(d, "out", "k=v@1", "k=v@1");
	weir_driver_free(d);
}

static weir_topology *branches(bool with_rest)
{
	weir_topology *t = weir_topology_new("branch");
	const weir_case cases[] = {
		{ "first-a", starts_with, a },
		{ "second-a", starts_with, a },
		{ "b", starts_with, b },
		{ "rest", NULL, NULL },
	};
	weir_stream *out[4];

	weir_branch(text_source(t, "in"), "by-letter", cases, with_rest ? 4 : 3, out);
	for (size_t i = 0; i < (with_rest ? 4 : 3); i++) {
		char name[32];

		snprintf(name, sizeof name, "%s-out", cases[i].name);
		weir_sink(out[i], name, (weir_sink_opts){ 0 });
	}
	return t;
}

static void the_first_case_that_holds_gets_the_record(void **state)
{
	weir_driver *d = driver(branches(true), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", "k", "apple", 1);
	weir_driver_pipe(d, "in", "k", "banana", 2);
	weir_driver_pipe(d, "in", "k", "cherry", 3);
	weir_driver_pipe(d, "in", "k", NULL, 4);
	assert_text(d, "first-a-out", "k=apple@1");
	assert_nothing(d, "second-a-out");
	assert_text(d, "b-out", "k=banana@2");
	assert_text(d, "rest-out", "k=cherry@3", "k=null@4");
	weir_driver_free(d);
}

static void without_a_last_case_what_is_left_goes_nowhere(void **state)
{
	weir_driver *d = driver(branches(false), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", "k", "cherry", 1);
	weir_driver_pipe(d, "in", "k", "blueberry", 2);
	assert_nothing(d, "first-a-out");
	assert_text(d, "b-out", "k=blueberry@2");
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

static void note(weir_context *cx, const weir_record *r, void *user)
{
	char *seen = user;
	weir_metadata at = weir_record_metadata(cx);
	size_t n = strlen(seen);

	snprintf(seen + n, 200 - n, "%.*s@%s/%d/%lld ", (int)r->key.len, (const char *)r->key.data, at.topic,
		 (int)at.partition, (long long)at.offset);
}

static void peek_looks_and_passes_on_and_for_each_ends(void **state)
{
	weir_topology *t = weir_topology_new("peek");
	char peeked[200] = "", ended[200] = "";
	weir_stream *in = weir_peek(text_source(t, "in"), "look", note, peeked);

	(void)state;
	weir_sink(in, "out", (weir_sink_opts){ 0 });
	weir_for_each(in, "end", note, ended);
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "a", "v", 1);
	weir_driver_pipe(d, "in", "b", "v", 2);
	assert_text(d, "out", "a=v@1", "b=v@2");
	assert_string_equal(peeked, "a@in/0/0 b@in/0/1 ");
	assert_string_equal(ended, peeked);
	weir_driver_free(d);
}

static weir_topology *all_stateless(void)
{
	weir_topology *t = weir_topology_new("headers");
	weir_stream *s = text_source(t, "in");

	s = weir_map(s, "map", keep, NULL, NULL);
	s = weir_flat_map(s, "letters", letters, NULL, NULL);
	s = weir_key_by(s, "by-value", value_as_key, NULL);
	s = weir_repartition(s, "through", (weir_repartition_opts){ 0 });
	weir_sink(weir_map_values(s, "lengths", length_of, &weir_int64, NULL), "out", (weir_sink_opts){ 0 });
	return t;
}

static void headers_are_carried_along(void **state)
{
	weir_driver *d = driver(all_stateless(), (weir_driver_opts){ 0 });
	const weir_header items[] = { { "trace", weir_str("one") },
				      { "none", WEIR_NULL },
				      { "trace", weir_str("") } };
	weir_driver_record r;

	(void)state;
	weir_driver_pipe_record(d, "in", -1, weir_str("k"), weir_str("ab"), 7, &(weir_headers){ items, 3 });
	for (int i = 0; i < 2; i++) {
		assert_true(weir_driver_read(d, "out", &r));
		assert_int_equal(r.headers->count, 3);
		for (size_t j = 0; j < 3; j++) {
			assert_string_equal(r.headers->items[j].name, items[j].name);
			assert_true(weir_bytes_equal(r.headers->items[j].value, items[j].value));
		}
	}
	weir_driver_free(d);
}

static void with_headers(weir_context *cx, const weir_record *in, weir_record *out, void *user)
{
	weir_header *item = weir_alloc(cx, sizeof *item);
	weir_headers *headers = weir_alloc(cx, sizeof *headers);

	(void)in, (void)user;
	*item = (weir_header){ "made", weir_str("here") };
	*headers = (weir_headers){ item, 1 };
	out->headers = headers;
}

static void a_step_can_set_headers(void **state)
{
	weir_topology *t = weir_topology_new("headers");
	weir_driver_record r;

	(void)state;
	weir_sink(weir_map(text_source(t, "in"), "set", with_headers, NULL, NULL), "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "k", "v", 1);
	assert_true(weir_driver_read(d, "out", &r));
	assert_int_equal(r.headers->count, 1);
	assert_bytes(weir_headers_last(r.headers, "made"), "here");
	weir_driver_free(d);
}

static int64_t number_in_value(weir_context *cx, const weir_record *r, void *user)
{
	const weir_bytes *value = weir_value(r);
	char digits[32];

	(void)cx, (void)user;
	snprintf(digits, sizeof digits, "%.*s", value ? (int)value->len : 0,
		 value ? (const char *)value->data : "");
	return strtoll(digits, NULL, 10);
}

static void a_source_can_say_what_time_a_record_has(void **state)
{
	weir_topology *t = weir_topology_new("time");

	(void)state;
	weir_sink(weir_source(t, "in", (weir_source_opts){ .value = &weir_utf8, .time_ms = number_in_value }),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "k", "1234", 1);
	assert_text(d, "out", "k=1234@1234");
	weir_driver_free(d);
}

static void a_negative_time_makes_a_dead_letter(void **state)
{
	weir_topology *t = weir_topology_new("time");

	(void)state;
	weir_sink(weir_source(t, "in", (weir_source_opts){ .value = &weir_utf8, .time_ms = number_in_value }),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "k", "-1", 5);
	weir_driver_pipe(d, "in", "k", "2", 5);
	assert_dead_letter(d, "-1", "negative timestamp");
	assert_text(d, "out", "k=2@2");
	weir_driver_free(d);
}

struct extractor {
	int64_t (*time_ms)(weir_context *cx, const weir_record *record, void *user);
};

/* No producer of today writes a record without a time: "bad" is taken for one. */
static int64_t bad_has_none(weir_context *cx, const weir_record *record, void *user)
{
	const struct extractor *extractor = user;
	const weir_bytes *value = weir_value(record);
	weir_record r = *record;

	if (value->len == 3 && memcmp(value->data, "bad", 3) == 0)
		r.timestamp_ms = -1;
	return extractor->time_ms(cx, &r, NULL);
}

static weir_driver *timed_by(int64_t (*time_ms)(weir_context *cx, const weir_record *record, void *user))
{
	static struct extractor extractor;
	weir_topology *t = weir_topology_new("time");
	weir_source_opts opts = { .value = &weir_utf8, .time_ms = bad_has_none, .user = &extractor };

	extractor.time_ms = time_ms;
	weir_sink(weir_source(t, "in", opts), "out", (weir_sink_opts){ 0 });
	return driver(t, (weir_driver_opts){ .now_ms = 1000000 });
}

static void a_record_without_a_time_stops_is_skipped_or_is_as_new_as_its_partition(void **state)
{
	weir_driver *d = timed_by(weir_log_and_skip_on_invalid_timestamp);

	(void)state;
	weir_driver_pipe(d, "in", "k", "good", 5);
	weir_driver_pipe(d, "in", "k", "bad", 7);
	assert_text(d, "out", "k=good@5");
	assert_dead_letter(d, "bad", "negative timestamp");
	weir_driver_free(d);

	d = timed_by(weir_use_partition_time_on_invalid_timestamp);
	weir_driver_pipe(d, "in", "k", "good", 5);
	weir_driver_pipe(d, "in", "k", "late", 3);
	weir_driver_pipe(d, "in", "k", "bad", 7);
	assert_text(d, "out", "k=good@5", "k=late@3", "k=bad@5");
	weir_driver_free(d);

	d = timed_by(weir_fail_on_invalid_timestamp);
	weir_driver_pipe(d, "in", "k", "good", 5);
	assert_text(d, "out", "k=good@5");
	weir_driver_pipe(d, "in", "k", "bad", 7);
	assert_stopped(d, "the record at offset 1 of in-0 has no valid timestamp");
	weir_driver_free(d);

	d = timed_by(weir_use_partition_time_on_invalid_timestamp);
	weir_driver_pipe(d, "in", "k", "bad", 7);
	assert_stopped(d, "the partition's time is not known yet");
	weir_driver_free(d);
}

static void a_source_can_take_the_time_of_day(void **state)
{
	weir_driver *d = timed_by(weir_wallclock_timestamp);
	weir_driver_record first, second;

	(void)state;
	weir_driver_pipe(d, "in", "k", "v", 5);
	weir_driver_advance(d, 60000);
	weir_driver_pipe(d, "in", "k", "v", 5);
	assert_true(weir_driver_read(d, "out", &first) && weir_driver_read(d, "out", &second));
	assert_in_range(first.timestamp_ms, 1000000, 1001000);
	assert_in_range(second.timestamp_ms, first.timestamp_ms + 60000, 1061000);
	weir_driver_free(d);
}

static void a_stream_used_twice_gives_the_same_records_to_both(void **state)
{
	weir_topology *t = weir_topology_new("twice");
	weir_stream *in = text_source(t, "in");

	(void)state;
	weir_sink(weir_map(in, "swap", swap, NULL, NULL), "swapped", (weir_sink_opts){ 0 });
	weir_sink(in, "as-it-was", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "k", "v", 1);
	assert_text(d, "swapped", "v=k@1001");
	assert_text(d, "as-it-was", "k=v@1");
	weir_driver_free(d);
}

static void a_list_is_piped_in_its_order_and_each_record_a_step_later(void **state)
{
	static const char *const records[][2] = { { "a", "1" }, { NULL, "2" }, { "a", NULL } };
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_sink(text_source(t, "in"), "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe_list(d, "in", records, LENGTH(records), 100, 7);
	assert_text(d, "out", "a=1@100", "null=2@107", "a=null@114");
	weir_driver_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filter_keeps_and_filter_not_drops),
		cmocka_unit_test(map_changes_key_value_and_time),
		cmocka_unit_test(a_map_that_keeps_the_value_keeps_its_bytes_under_the_new_serde),
		cmocka_unit_test(map_values_gives_objects_of_its_serde_or_null),
		cmocka_unit_test(flat_map_gives_none_one_or_many_in_order),
		cmocka_unit_test(flat_map_values_keeps_the_key),
		cmocka_unit_test(flat_maps_read_their_input_and_write_values_of_another_serde),
		cmocka_unit_test(key_by_changes_the_key_alone),
		cmocka_unit_test(merge_passes_on_both_inputs),
		cmocka_unit_test(a_stream_merged_with_itself_comes_twice),
		cmocka_unit_test(the_first_case_that_holds_gets_the_record),
		cmocka_unit_test(without_a_last_case_what_is_left_goes_nowhere),
		cmocka_unit_test(peek_looks_and_passes_on_and_for_each_ends),
		cmocka_unit_test(headers_are_carried_along),
		cmocka_unit_test(a_step_can_set_headers),
		cmocka_unit_test(a_source_can_say_what_time_a_record_has),
		cmocka_unit_test(a_negative_time_makes_a_dead_letter),
		cmocka_unit_test(a_record_without_a_time_stops_is_skipped_or_is_as_new_as_its_partition),
		cmocka_unit_test(a_source_can_take_the_time_of_day),
		cmocka_unit_test(a_stream_used_twice_gives_the_same_records_to_both),
		cmocka_unit_test(a_list_is_piped_in_its_order_and_each_record_a_step_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
