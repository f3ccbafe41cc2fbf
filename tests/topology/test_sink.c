#include "tests/topology/topology_test.h"

static const weir_window five_minutes = { .size_ms = WEIR_MINUTES(5), .grace_ms = WEIR_MINUTES(1) };

static int64_t number_of(const weir_record *r)
{
	weir_bytes value = weir_value_bytes(r);
	char digits[32];

	snprintf(digits, sizeof digits, "%.*s", (int)value.len, value.len ? (const char *)value.data : "");
	return strtoll(digits, NULL, 10);
}

static const char *by_first_letter(weir_context *cx, const weir_record *r, void *user)
{
	weir_bytes value = weir_value_bytes(r);
	char *topic = weir_alloc(cx, 8);

	(void)user;
	if (value.len == 0)
		return NULL;
	snprintf(topic, 8, "out-%c", *(const char *)value.data);
	return topic;
}

static void a_route_chooses_the_topic_of_each_record(void **state)
{
	weir_topology *t = weir_topology_new("route");

	(void)state;
	weir_sink(text_source(t, "in"), "out", (weir_sink_opts){ .route = by_first_letter });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "k", "apple", 1);
	weir_driver_pipe(d, "in", "k", "banana", 2);
	weir_driver_pipe(d, "in", "k", "avocado", 3);
	weir_driver_pipe(d, "in", "k", "", 4);
	assert_text(d, "out-a", "k=apple@1", "k=avocado@3");
	assert_text(d, "out-b", "k=banana@2");
	assert_dead_letter(d, "", "no topic to go to");
	weir_driver_free(d);
}

static const char *by_key_and_window(weir_context *cx, const weir_record *r, void *user)
{
	char *topic = weir_alloc(cx, 80);

	(void)user;
	snprintf(topic, 80, "%.*s-%lld", (int)r->key.len, (const char *)r->key.data,
		 (long long)(r->window_start_ms / five_minutes.size_ms));
	return topic;
}

static void a_route_of_windows_names_topics_that_nobody_has_made(void **state)
{
	weir_topology *t = weir_topology_new("route");

	(void)state;
	weir_sink(weir_changes(weir_count(text_source(t, "in"), "counts", five_minutes)), "out",
		  (weir_sink_opts){ .route = by_key_and_window });
	weir_driver *d = driver(t, (weir_driver_opts){ .partitions = 3 });
	weir_error err;

	weir_driver_pipe(d, "in", "a", "v", 1);
	weir_driver_pipe(d, "in", "b", "v", 1);
	weir_driver_pipe(d, "in", "a", "v", WEIR_MINUTES(5));
	weir_driver_pipe(d, "in", "a", "v", 2);
	assert_windowed_numbers(d, "a-0", "a[0]=1@1", "a[0]=2@2");
	assert_windowed_numbers(d, "b-0", "b[0]=1@1");
	assert_windowed_numbers(d, "a-1", "a[300000]=1@300000");
	assert_int_equal(weir_topic_partitions(weir_driver_cluster(d), "a-1", &err), 3);
	weir_driver_free(d);
}

static int32_t to_the_last(weir_context *cx, const weir_record *r, int32_t partitions, void *user)
{
	(void)cx, (void)r, (void)user;
	return partitions - 1;
}

static int32_t to_the_ends(weir_context *cx, const weir_record *r, int32_t partitions, int32_t *out, void *user)
{
	(void)cx, (void)r, (void)user;
	out[0] = 0;
	out[1] = partitions - 1;
	return 2;
}

static void so_does_a_route_beside_a_partitioner(void **state)
{
	weir_topology *t = weir_topology_new("route");
	weir_stream *in = text_source(t, "in");
	weir_driver_record r;

	(void)state;
	weir_sink(in, "one", (weir_sink_opts){ .route = by_first_letter, .partition = to_the_last });
	weir_sink(in, "many", (weir_sink_opts){ .route = by_first_letter, .multicast = to_the_ends });
	weir_driver *d = driver(t, (weir_driver_opts){ .partitions = 4 });
	int records[4] = { 0 };

	weir_driver_pipe(d, "in", "k", "apple", 1);
	weir_driver_pipe(d, "in", "k", "avocado", 2);
	while (weir_driver_read(d, "out-a", &r))
		records[r.partition]++;
	assert_int_equal(records[0], 2);
	assert_int_equal(records[3], 4);
	assert_int_equal(records[1] + records[2], 0);
	weir_driver_free(d);
}

static int32_t by_number(weir_context *cx, const weir_record *r, int32_t partitions, void *user)
{
	(void)cx, (void)user;
	assert_int_equal(partitions, 4);
	return (int32_t)number_of(r);
}

static weir_driver *partitioned(void)
{
	weir_topology *t = weir_topology_new("partitioner");

	weir_sink(text_source(t, "in"), "out", (weir_sink_opts){ .partition = by_number });
	return driver(t, (weir_driver_opts){ .partitions = 4 });
}

static void a_partitioner_chooses_the_partition_and_minus_one_leaves_it_to_the_key(void **state)
{
	weir_driver *d = partitioned();
	weir_driver_record r;

	(void)state;
	weir_driver_pipe(d, "in", "k", "3", 1);
	assert_true(weir_driver_read(d, "out", &r));
	assert_int_equal(r.partition, 3);
	weir_driver_pipe(d, "in", "k", "0", 1);
	assert_true(weir_driver_read(d, "out", &r));
	assert_int_equal(r.partition, 0);
	weir_driver_pipe(d, "in", "key", "-1", 1);
	assert_true(weir_driver_read(d, "out", &r));
	assert_int_equal(r.partition, weir_partition_for_key(weir_str("key"), 4));
	weir_driver_free(d);
}

/* "02": partitions 0 and 2; "" = none; "k" = by the key. */
static int32_t by_digits(weir_context *cx, const weir_record *r, int32_t partitions, int32_t *out, void *user)
{
	weir_bytes value = weir_value_bytes(r);
	const char *digits = value.data;

	(void)cx, (void)user;
	assert_int_equal(partitions, 4);
	if (value.len && digits[0] == 'k')
		return -1;
	for (size_t i = 0; i < value.len; i++)
		out[i] = digits[i] - '0';
	return (int32_t)value.len;
}

static void a_record_may_go_to_several_partitions_or_to_none(void **state)
{
	weir_topology *t = weir_topology_new("multicast");
	weir_driver_record r;

	(void)state;
	weir_sink(text_source(t, "in"), "out", (weir_sink_opts){ .multicast = by_digits });
	weir_driver *d = driver(t, (weir_driver_opts){ .partitions = 4 });

	weir_driver_pipe(d, "in", "a", "02", 1);
	weir_driver_pipe(d, "in", "a", "", 2);
	weir_driver_pipe(d, "in", "a", "k", 3);
	static const int partitions[] = { 0, 2 };

	for (size_t i = 0; i < LENGTH(partitions); i++) {
		do
			assert_true(weir_driver_read(d, "out", &r));
		while (r.timestamp_ms == 3);
		assert_int_equal(r.partition, partitions[i]);
		assert_bytes(r.value, "02");
	}
	assert_dead_letter(d, "", "no partition to go to");
	weir_driver_pipe(d, "in", "a", "4", 4);
	assert_stopped(d, "\"out\" sends to partition 4 of topic \"out\", which has 4");
	weir_driver_free(d);
}

static void two_functions_for_partitions_are_a_mistake(void **state)
{
	weir_topology *t = weir_topology_new("multicast");
	weir_error why = { .code = WEIR_OK };

	(void)state;
	weir_sink(text_source(t, "in"), "out", (weir_sink_opts){ .multicast = by_digits, .partition = by_number });
	assert_false(weir_topology_check(t, &why));
	assert_contains(why.message, "two functions for partitions");
	weir_topology_free(t);
}

static void a_partition_that_is_not_there_stops_and_names_the_step(void **state)
{
	static const char *const numbers[] = { "4", "-2" };

	(void)state;
	for (size_t i = 0; i < LENGTH(numbers); i++) {
		weir_driver *d = partitioned();

		weir_driver_pipe(d, "in", "k", numbers[i], 1);
		assert_stopped(d, "step \"out\"");
		assert_stopped(d, numbers[i]);
		assert_nothing(d, "out");
		weir_driver_free(d);
	}
}

static void all_windows_of_a_key_share_a_partition(void **state)
{
	weir_topology *t = weir_topology_new("windowed");
	static const char *const keys[] = { "Montreal", "Toronto", "", "Saint-Jean", "x" };
	weir_driver_record r;
	int records = 0;

	(void)state;
	weir_sink(weir_changes(weir_count(text_source(t, "in"), "counts", five_minutes)), "out",
		  (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ .partitions = 7 });

	for (size_t i = 0; i < LENGTH(keys) * 4; i++)
		weir_driver_pipe(d, "in", keys[i % LENGTH(keys)], "v",
				 WEIR_MINUTES(5) * (int64_t)(i / LENGTH(keys)));
	while (weir_driver_read(d, "out", &r)) {
		weir_bytes inner = weir_bytes_of(r.key.data, r.key.len - 8);

		assert_int_equal(r.partition, weir_partition_for_key(inner, 7));
		records++;
	}
	assert_int_equal(records, LENGTH(keys) * 4);
	weir_driver_free(d);
}

static void a_windowed_key_is_key_and_start(void **state)
{
	weir_topology *t = weir_topology_new("windowed");
	weir_driver_record r;
	static const unsigned char want[] = { 'm', 't', 'l', 0, 0, 1, 0xa2, 0x14, 0xb, 0x13, 0xc0 };

	(void)state;
	weir_sink(weir_changes(weir_count(text_source(t, "in"), "counts", five_minutes)), "out",
		  (weir_sink_opts){ .key = &weir_windowed_utf8 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });
	int64_t start_ms = weir_get_be64(want + 3);

	assert_int_equal(start_ms % WEIR_MINUTES(5), 0);
	weir_driver_pipe(d, "in", "mtl", "v", start_ms + WEIR_MINUTES(4));
	assert_true(weir_driver_read(d, "out", &r));
	assert_int_equal(r.key.len, sizeof want);
	assert_memory_equal(r.key.data, want, sizeof want);
	assert_int_equal(r.timestamp_ms, start_ms + WEIR_MINUTES(4));
	weir_driver_free(d);
}

static void another_key_serde_leaves_the_window_out(void **state)
{
	weir_topology *t = weir_topology_new("windowed");

	(void)state;
	weir_sink(weir_changes(weir_count(text_source(t, "in"), "counts", five_minutes)), "out",
		  (weir_sink_opts){ .key = &weir_utf8 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "k", "v", WEIR_MINUTES(12));
	assert_numbers(d, "out", "k=1@720000");
	weir_driver_free(d);
}

static const void *decode_hex(weir_context *cx, weir_bytes bytes, weir_error *err)
{
	int64_t *n = weir_alloc(cx, sizeof *n);
	char digits[20];

	(void)err;
	snprintf(digits, sizeof digits, "%.*s", (int)bytes.len, (const char *)bytes.data);
	*n = strtoll(digits, NULL, 16);
	return n;
}

static weir_bytes encode_hex(weir_context *cx, const void *object)
{
	char *to = weir_alloc(cx, 20);

	snprintf(to, 20, "%llx", (long long)*(const int64_t *)object);
	return weir_str(to);
}

static const weir_serde hex = { "hex", decode_hex, encode_hex, sizeof(int64_t), false };

static void the_sinks_serde_writes_the_object(void **state)
{
	weir_topology *t = weir_topology_new("serde");

	(void)state;
	weir_stream *in = weir_source(t, "in", (weir_source_opts){ .value = &hex });

	weir_sink(in, "numbers", (weir_sink_opts){ .value = &weir_int64 });
	weir_sink(in, "as-it-came", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "k", "ff", 1);
	weir_driver_pipe(d, "in", "k", NULL, 2);
	assert_numbers(d, "numbers", "k=255@1", "k=null@2");
	assert_text(d, "as-it-came", "k=ff@1", "k=null@2");
	weir_driver_free(d);
}

static void a_topic_can_have_another_name_than_its_step(void **state)
{
	weir_topology *t = weir_topology_new("names");

	(void)state;
	weir_stream *in = weir_source(t, "step-in", (weir_source_opts){ .topic = "topic-in" });

	weir_sink(in, "step-out", (weir_sink_opts){ .topic = "topic-out" });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "topic-in", "k", "v", 1);
	assert_text(d, "topic-out", "k=v@1");
	weir_driver_free(d);
}

static void two_sinks_may_write_to_one_topic(void **state)
{
	weir_topology *t = weir_topology_new("names");
	weir_stream *in = text_source(t, "in");

	(void)state;
	weir_sink(in, "first", (weir_sink_opts){ .topic = "out" });
	weir_sink(in, "second", (weir_sink_opts){ .topic = "out" });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "k", "v", 1);
	assert_text(d, "out", "k=v@1", "k=v@1");
	weir_driver_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_route_chooses_the_topic_of_each_record),
		cmocka_unit_test(a_route_of_windows_names_topics_that_nobody_has_made),
		cmocka_unit_test(so_does_a_route_beside_a_partitioner),
		cmocka_unit_test(a_partitioner_chooses_the_partition_and_minus_one_leaves_it_to_the_key),
		cmocka_unit_test(a_record_may_go_to_several_partitions_or_to_none),
		cmocka_unit_test(two_functions_for_partitions_are_a_mistake),
		cmocka_unit_test(a_partition_that_is_not_there_stops_and_names_the_step),
		cmocka_unit_test(all_windows_of_a_key_share_a_partition),
		cmocka_unit_test(a_windowed_key_is_key_and_start),
		cmocka_unit_test(another_key_serde_leaves_the_window_out),
		cmocka_unit_test(the_sinks_serde_writes_the_object),
		cmocka_unit_test(a_topic_can_have_another_name_than_its_step),
		cmocka_unit_test(two_sinks_may_write_to_one_topic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
