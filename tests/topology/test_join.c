/* Joins of two streams. What they make of each record is compared with Kafka Streams in test_joins_of_streams.c. */
#include "tests/topology/topology_test.h"

static const weir_join_window window = { .before_ms = 10, .after_ms = 10, .grace_ms = 5 };

static const void *plus(weir_context *cx, weir_bytes key, const void *left, const void *right, void *user)
{
	const weir_bytes *l = left, *r = right;

	(void)key, (void)user;
	return text(cx, "%.*s+%.*s", l ? (int)l->len : 1, l ? (const char *)l->data : "-", r ? (int)r->len : 1,
		    r ? (const char *)r->data : "-");
}

static weir_topology *joined(weir_stream *(*join)(weir_stream *, const char *, weir_stream *, weir_join_fn *,
						  const weir_serde *, weir_join_window, void *))
{
	weir_topology *t = weir_topology_new("app");

	weir_sink(join(text_source(t, "views"), "with", text_source(t, "clicks"), plus, NULL, window, NULL), "out",
		  (weir_sink_opts){ 0 });
	return t;
}

static void pairs_come_with_their_second_record(void **state)
{
	weir_driver *d = driver(joined(weir_join), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "views", "a", "v1", 100);
	weir_driver_pipe(d, "views", "b", "v2", 100);
	assert_nothing(d, "out");
	weir_driver_pipe(d, "clicks", "a", "c1", 110);
	assert_text(d, "out", "a=v1+c1@110");
	weir_driver_pipe(d, "clicks", "a", "c2", 111);
	assert_nothing(d, "out");
	weir_driver_pipe(d, "views", "a", "v3", 105);
	assert_text(d, "out", "a=v3+c1@110", "a=v3+c2@111");
	weir_driver_pipe(d, "clicks", "a", "c3", 95);
	assert_text(d, "out", "a=v1+c3@100", "a=v3+c3@105");
	weir_driver_free(d);
}

static void what_has_no_key_or_value_is_a_dead_letter(void **state)
{
	weir_driver *d = driver(joined(weir_left_join), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "views", NULL, "v1", 100);
	assert_text(d, "out", "null=v1+-@100");
	weir_driver_pipe(d, "clicks", NULL, "c1", 100);
	assert_dead_letter(d, "c1", "null key");
	weir_driver_pipe(d, "views", "a", NULL, 100);
	assert_dead_letter(d, "", "null value");
	assert_nothing(d, "out");
	weir_driver_free(d);
}

static void what_is_too_late_to_be_kept_is_a_dead_letter_if_it_finds_nothing(void **state)
{
	weir_driver *d = driver(joined(weir_join), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "views", "a", "v1", 1000);
	weir_driver_pipe(d, "views", "a", "v2", 976);
	weir_driver_pipe(d, "views", "a", "v3", 975);
	assert_dead_letter(d, "v3", "late");
	weir_driver_pipe(d, "clicks", "a", "c1", 970);
	assert_text(d, "out", "a=v2+c1@976");
	weir_driver_free(d);
}

static void what_waits_comes_once_its_window_has_closed(void **state)
{
	weir_driver *d = driver(joined(weir_outer_join), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "views", "a", "v1", 100);
	weir_driver_pipe(d, "clicks", "b", "c1", 101);
	weir_driver_pipe(d, "views", "c", "v2", 115);
	assert_nothing(d, "out");
	weir_driver_pipe(d, "clicks", "c", "c2", 116);
	assert_text(d, "out", "a=v1+-@100", "c=v2+c2@116");
	weir_driver_pipe(d, "views", "x", "v3", 500);
	assert_text(d, "out", "b=-+c1@101");
	weir_driver_free(d);
}

static void refuse_what_is_alone(weir_context *cx, const weir_record *r, void *user)
{
	const weir_bytes *value = weir_value(r);

	(void)user;
	if (((const char *)value->data)[value->len - 1] == '-') {
		assert_null(weir_record_metadata(cx).topic);
		weir_dead_letter(cx, r, "alone");
	} else {
		assert_non_null(weir_record_metadata(cx).topic);
	}
}

/* Not the record that has let time go on, whose own pair comes nevertheless. */
static void what_waited_is_the_dead_letter_when_it_is_refused(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *out =
		weir_left_join(text_source(t, "views"), "with", text_source(t, "clicks"), plus, NULL, window, NULL);
	weir_header h = { "h", weir_str("of the last") };
	weir_driver_record letter;

	(void)state;
	weir_for_each(out, "look", refuse_what_is_alone, NULL);
	weir_table *counts = weir_count(out, "counts", (weir_window){ 0 });

	weir_sink(weir_changes(counts), "out", (weir_sink_opts){ .value = &weir_int64 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "views", "a", "v1", 100);
	weir_driver_pipe(d, "clicks", "b", "c1", 130);
	weir_driver_pipe_record(d, "views", -1, weir_str("b"), weir_str("v2"), 131, &(weir_headers){ &h, 1 });
	assert_true(weir_driver_read(d, "dead-letters", &letter));
	assert_bytes(letter.key, "a");
	assert_bytes(letter.value, "v1+-");
	assert_true(weir_is_null(weir_headers_last(letter.headers, "__streams.errors.topic")));
	assert_bytes(weir_headers_last(letter.headers, "original-timestamp"), "100");
	assert_nothing(d, "dead-letters");
	assert_numbers(d, "out", "a=1@100", "b=1@131");
	weir_driver_free(d);
}

static void it_is_looked_for_at_most_each_emit_interval(void **state)
{
	static const char *const config[][2] = { { "emit.interval.ms", "5s" } };
	weir_driver *d = driver(joined(weir_left_join), (weir_driver_opts){ .config = config, .config_count = 1 });

	(void)state;
	weir_driver_pipe(d, "views", "a", "v1", 100); /* looks, and finds nothing */
	weir_driver_pipe(d, "views", "a", "v2", 200);
	assert_nothing(d, "out");
	weir_driver_advance(d, 5000);
	weir_driver_pipe(d, "views", "a", "v3", 201);
	assert_text(d, "out", "a=v1+-@100");
	weir_driver_free(d);
}

static void both_sides_and_what_waits_survive(bool crash, bool in_memory)
{
	char *dir = temporary_directory();
	weir_driver *d = driver(joined(weir_outer_join), (weir_driver_opts){ .state_dir = in_memory ? NULL : dir });

	weir_driver_pipe(d, "views", "a", "v1", 100);
	weir_driver_pipe(d, "views", "b", "v2", 100);
	weir_driver_pipe(d, "views", "b", "v2", 100);
	weir_driver_pipe(d, "clicks", "c", "c1", 101);
	must(weir_driver_restart(d, crash, &err));
	weir_driver_pipe(d, "clicks", "b", "c2", 105);
	assert_text(d, "out", "b=v2+c2@105", "b=v2+c2@105");
	must(weir_driver_restart(d, crash, &err));
	weir_driver_pipe(d, "views", "b", "v2", 100);
	assert_text(d, "out", "b=v2+c2@105");
	weir_driver_pipe(d, "views", "x", "v3", 500);
	assert_text(d, "out", "a=v1+-@100", "c=-+c1@101");
	must(weir_driver_restart(d, crash, &err));
	weir_driver_pipe(d, "views", "x", "v4", 700);
	assert_text(d, "out", "x=v3+-@500");
	weir_driver_free(d);
	remove_directory(dir);
}

static void both_sides_and_what_waits_survive_a_restart(void **state)
{
	(void)state;
	both_sides_and_what_waits_survive(false, false);
	both_sides_and_what_waits_survive(false, true);
}

static void both_sides_and_what_waits_survive_a_crash(void **state)
{
	(void)state;
	both_sides_and_what_waits_survive(true, false);
	both_sides_and_what_waits_survive(true, true);
}

/* Reads what lies on disk alone, and what lies on both sides of a checkpoint. */
static void a_side_on_disk_is_found(void **state)
{
	static const char *const config[][2] = { { "checkpoint.interval.ms", "1s" } };
	char *dir = temporary_directory();
	weir_driver *d = driver(joined(weir_join),
				(weir_driver_opts){ .state_dir = dir, .config = config, .config_count = 1 });

	(void)state;
	weir_driver_pipe(d, "views", "a", "v1", 100);
	weir_driver_advance(d, 2000);
	weir_driver_pipe(d, "views", "a", "v2", 99);
	must(weir_driver_restart(d, false, &err));
	weir_driver_pipe(d, "views", "a", "v3", 100);
	weir_driver_pipe(d, "views", "a", "v4", 101);
	weir_driver_pipe(d, "clicks", "a", "c1", 100);
	assert_text(d, "out", "a=v2+c1@100", "a=v1+c1@100", "a=v3+c1@100", "a=v4+c1@101");
	weir_driver_free(d);
	remove_directory(dir);
}

/* --- keys and partitions ----------------------------------------------------------------------------------------
 * */

static weir_bytes by_first_letter(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)user;
	return weir_bytes_of(weir_value_bytes(r).data, 1);
}

static void a_side_whose_key_has_changed_is_repartitioned_as_the_other_side_is(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *left = weir_key_by(
		weir_repartition(text_source(t, "views"), "few", (weir_repartition_opts){ .partitions = 2 }),
		"by-letter", by_first_letter, NULL);

	(void)state;
	weir_sink(weir_join(left, "with", text_source(t, "clicks"), plus, NULL, window, NULL), "out",
		  (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ .partitions = 5 });

	assert_int_equal(partitions_of(d, "app-few-repartition"), 2);
	assert_int_equal(partitions_of(d, "app-with-left-repartition"), 5);
	assert_int_equal(partitions_of(d, "app-with-this-join-store-changelog"), 5);
	for (int i = 0; i < 8; i++) {
		char view[] = { (char)('a' + i), 0 };

		weir_driver_pipe(d, "views", "k", view, 100);
		weir_driver_pipe(d, "clicks", view, "c", 100);
	}
	int n = 0;

	while (weir_driver_read_text(d, "out", false, false))
		n++;
	assert_int_equal(n, 8);
	weir_driver_free(d);
}

static void sides_with_unequal_partitions_are_refused(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *left =
		weir_repartition(text_source(t, "views"), "few", (weir_repartition_opts){ .partitions = 2 });
	weir_error err = { .code = WEIR_OK };

	(void)state;
	weir_sink(weir_join(left, "with", text_source(t, "clicks"), plus, NULL, window, NULL), "out",
		  (weir_sink_opts){ 0 });
	assert_null(weir_driver_new(t, (weir_driver_opts){ .partitions = 3 }, &err));
	assert_contains(err.message, "app-few-repartition\" (2 partitions) and \"clicks\" (3)");
}

static void mistakes_come_out(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *a = text_source(t, "a"), *b = text_source(t, "b");
	weir_error err = { .code = WEIR_OK };

	(void)state;
	weir_join(a, "no-function", b, NULL, NULL, window, NULL);
	weir_join(a, "negative", b, plus, NULL, (weir_join_window){ .before_ms = -5, .after_ms = 4 }, NULL);
	weir_join(a, "grace", b, plus, NULL, (weir_join_window){ .grace_ms = -1 }, NULL);
	weir_join(a, "fine", b, plus, NULL, (weir_join_window){ .before_ms = -5, .after_ms = 5 }, NULL);
	assert_false(weir_topology_check(t, &err));
	assert_contains(err.message, "\"no-function\": it has no function");
	assert_contains(err.message, "\"negative\": before_ms and after_ms together must not be negative");
	assert_contains(err.message, "\"grace\": grace_ms must not be negative");
	assert_null(strstr(err.message, "fine"));
	weir_topology_free(t);
}

/* How many partitions the changelogs of both sides have, after the same results. */
static void join_with_itself(unsigned optimize, int this_partitions, int other_partitions)
{
	weir_topology *t = weir_topology_new("app");

	weir_topology_optimize(t, optimize);
	weir_stream *s = text_source(t, "in");
	weir_error err = { .code = WEIR_OK };

	weir_sink(weir_join(s, "with", s, plus, NULL, window, NULL), "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });
	weir_cluster *cluster = weir_driver_cluster(d);

	weir_driver_pipe(d, "in", "a", "1", 100);
	assert_text(d, "out", "a=1+1@100");
	weir_driver_pipe(d, "in", "a", "2", 105);
	assert_text(d, "out", "a=2+1@105", "a=1+2@105", "a=2+2@105");
	assert_int_equal(weir_topic_partitions(cluster, "app-with-this-join-store-changelog", &err),
			 this_partitions);
	assert_int_equal(weir_topic_partitions(cluster, "app-with-other-join-store-changelog", &err),
			 other_partitions);
	weir_driver_free(d);
}

static void a_stream_joined_with_itself_has_two_stores_or_one(void **state)
{
	(void)state;
	join_with_itself(0, 1, 1);
	join_with_itself(WEIR_SINGLE_STORE_SELF_JOIN, 1, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_come_with_their_second_record),
		cmocka_unit_test(what_has_no_key_or_value_is_a_dead_letter),
		cmocka_unit_test(what_is_too_late_to_be_kept_is_a_dead_letter_if_it_finds_nothing),
		cmocka_unit_test(what_waits_comes_once_its_window_has_closed),
		cmocka_unit_test(what_waited_is_the_dead_letter_when_it_is_refused),
		cmocka_unit_test(it_is_looked_for_at_most_each_emit_interval),
		cmocka_unit_test(both_sides_and_what_waits_survive_a_restart),
		cmocka_unit_test(both_sides_and_what_waits_survive_a_crash),
		cmocka_unit_test(a_side_on_disk_is_found),
		cmocka_unit_test(a_side_whose_key_has_changed_is_repartitioned_as_the_other_side_is),
		cmocka_unit_test(sides_with_unequal_partitions_are_refused),
		cmocka_unit_test(mistakes_come_out),
		cmocka_unit_test(a_stream_joined_with_itself_has_two_stores_or_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
