/* Tables whose changes wait: until windows close, or for a while. */
#include "framework/operators/buffered.h"
#include "framework/runtime/runtime.h"
#include "tests/topology/topology_test.h"

static weir_topology *final_counts(weir_window window, weir_suppress_opts opts)
{
	weir_topology *t = weir_topology_new("suppressed");

	opts.until_window_closes = true;
	weir_sink(weir_changes(weir_suppress(weir_count(text_source(t, "in"), "counts", window), "final", opts)),
		  "out", (weir_sink_opts){ 0 });
	return t;
}

static weir_topology *limited(weir_suppress_opts opts)
{
	weir_topology *t = weir_topology_new("suppressed");
	weir_table *in = weir_table_source(t, "in", (weir_table_source_opts){ .value = &weir_utf8 });

	weir_sink(weir_changes(weir_suppress(in, "slow", opts)), "out", (weir_sink_opts){ 0 });
	return t;
}

static void a_window_comes_once_when_it_has_closed(void **state)
{
	weir_driver *d =
		driver(final_counts((weir_window){ .size_ms = 10, .grace_ms = 5 }, (weir_suppress_opts){ 0 }),
		       (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", "b", "1", 3);
	weir_driver_pipe(d, "in", "a", "2", 8);
	weir_driver_pipe(d, "in", "b", "3", 14);
	weir_driver_pipe(d, "in", "b", "late, but not too late", 9);
	assert_nothing(d, "out");
	weir_driver_pipe(d, "in", "c", "4", 15);
	assert_windowed_numbers(d, "out", "a[0]=1@8", "b[0]=2@9");
	weir_driver_pipe(d, "in", "a", "too late", 9);
	assert_nothing(d, "out");
	weir_driver_free(d);
}

/* However many windows change in a commit, in whatever order: none goes on while a newer value is on its way. */
static void what_one_commit_changes_and_closes_comes_once_and_newest(void **state)
{
	weir_driver *d = driver(final_counts((weir_window){ .size_ms = 10 }, (weir_suppress_opts){ 0 }),
				(weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", "b", "1", 11);
	weir_driver_pipe(d, "in", "a", "2", 12);
	weir_driver_stop(d, false);
	weir_driver_pipe(d, "in", "b", "3", 19);
	weir_driver_pipe(d, "in", "a", "4", 18);
	weir_driver_pipe(d, "in", "b", "5", 40);
	weir_driver_pipe(d, "in", "b", "6", 49);
	must(weir_driver_start(d, NULL, &err));
	assert_windowed_numbers(d, "out", "a[10]=2@18", "b[10]=2@19");
	weir_driver_free(d);
}

static void of_each_key_one_change_comes_in_each_while(void **state)
{
	weir_driver *d = driver(limited((weir_suppress_opts){ .limit_ms = 10 }), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", "a", "1", 1);
	weir_driver_pipe(d, "in", "b", "2", 2);
	weir_driver_pipe(d, "in", "a", "3", 5); /* keeps its place */
	assert_nothing(d, "out");
	weir_driver_pipe(d, "in", "c", "4", 11);
	assert_text(d, "out", "a=3@5");
	weir_driver_pipe(d, "in", "b", NULL, 12);
	assert_text(d, "out", "b=null@12");
	weir_driver_pipe(d, "in", "z", "5", 100);
	assert_text(d, "out", "c=4@11");
	weir_driver_free(d);
}

static void a_full_buffer_lets_the_oldest_go(void **state)
{
	weir_driver *d = driver(limited((weir_suppress_opts){ .limit_ms = 1000, .records_max = 2 }),
				(weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", "b", "1", 5);
	weir_driver_pipe(d, "in", "a", "2", 5);
	weir_driver_pipe(d, "in", "b", "3", 6);
	assert_nothing(d, "out");
	weir_driver_pipe(d, "in", "c", "4", 7);
	assert_text(d, "out", "a=2@5");
	weir_driver_free(d);

	/* 8 + key + 20 + the topic's name + values: 31 a row */
	d = driver(limited((weir_suppress_opts){ .limit_ms = 1000, .bytes_max = 70 }), (weir_driver_opts){ 0 });
	weir_driver_pipe(d, "in", "a", "1", 5);
	weir_driver_pipe(d, "in", "b", "1234", 6);
	assert_nothing(d, "out");
	weir_driver_pipe(d, "in", "a", "12345678", 7);
	assert_text(d, "out", "a=12345678@7");
	weir_driver_free(d);
}

static void a_full_buffer_may_stop_the_application(void **state)
{
	weir_driver *d =
		driver(final_counts((weir_window){ .size_ms = 10 }, (weir_suppress_opts){ .records_max = 1 }),
		       (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", "a", "1", 5);
	weir_driver_pipe(d, "in", "b", "2", 5);
	assert_nothing(d, "out");
	assert_stopped(d, "step \"final\": its buffer is full: 2 records");
	weir_driver_free(d);
}

static void sessions_that_have_grown_into_others_leave_nothing(void **state)
{
	weir_driver *d =
		driver(final_counts((weir_window){ .gap_ms = 10, .grace_ms = 20 }, (weir_suppress_opts){ 0 }),
		       (weir_driver_opts){ 0 });
	weir_driver_record r;

	(void)state;
	weir_driver_pipe(d, "in", "a", "1", 20);
	weir_driver_pipe(d, "in", "a", "2", 40);
	weir_driver_pipe(d, "in", "a", "3", 30);
	weir_driver_pipe(d, "in", "b", "4", 69);
	assert_nothing(d, "out");
	weir_driver_pipe(d, "in", "b", "5", 70); /* the end, 40, <= 70 - 20 - 10 */
	assert_true(weir_driver_read(d, "out", &r));
	assert_int_equal(r.key.len, 1 + 16);
	assert_int_equal(weir_get_be64((const char *)r.key.data + 1), 40);
	assert_int_equal(weir_get_be64((const char *)r.key.data + 9), 20);
	assert_int_equal(weir_get_be64(r.value.data), 3);
	assert_int_equal(r.timestamp_ms, 40);
	assert_false(weir_driver_read(d, "out", &r));
	weir_driver_free(d);
}

/* --- what others see of it ----------------------------------------------------------------------- */

static void group(weir_context *cx, const weir_record *in, weir_record *out, void *user)
{
	(void)cx, (void)in, (void)user;
	weir_set_key(out, weir_str("all"));
}

static int number(const void *object)
{
	const weir_bytes *b = object;
	char digits[20];

	snprintf(digits, sizeof digits, "%.*s", (int)b->len, (const char *)b->data);
	return atoi(digits);
}

static const void *plus(weir_context *cx, const void *aggregate, const void *value, void *user)
{
	(void)user;
	return text(cx, "%d", number(aggregate) + number(value));
}

static const void *minus(weir_context *cx, const void *aggregate, const void *value, void *user)
{
	(void)user;
	return text(cx, "%d", number(aggregate) - number(value));
}

/* The old value of a change is the one that was passed on, not one that nobody has seen. */
/* The task's memory has held one row at a time: else it would have grown. */
static void reading_a_buffer_at_the_start_takes_no_more_memory_for_more_rows(void **state)
{
	weir_driver *d = driver(limited((weir_suppress_opts){ .limit_ms = 1000 }), (weir_driver_opts){ 0 });
	weir_header items[64];
	weir_headers headers = { items, LENGTH(items) };
	size_t before = 0;

	(void)state;
	for (size_t i = 0; i < LENGTH(items); i++)
		items[i] = (weir_header){ "header", weir_str("x") };
	for (int i = 0; i < 300; i++) {
		char key[12];

		snprintf(key, sizeof key, "%d", i);
		weir_driver_pipe_record(d, "in", -1, weir_str(key), weir_str("v"), 10, &headers);
		if (i != 1 && i != 299)
			continue;
		must(weir_driver_restart(d, i == 299, &err));
		const struct task *t = weir_driver_app(d)->workers[0].tasks[0];

		assert_int_equal(t->state, TASK_RUNNING);
		assert_true(before == 0 || before == t->cx.arena.block_size);
		before = t->cx.arena.block_size;
	}
	assert_nothing(d, "out");
	weir_driver_pipe(d, "in", "last", "v", 2000);
	for (int i = 0; i < 300; i++)
		assert_non_null(weir_driver_read_text(d, "out", false, false));
	assert_nothing(d, "out");
	weir_driver_free(d);
}

static void sums_of_a_suppressed_table_are_right(void **state)
{
	weir_topology *t = weir_topology_new("suppressed");
	weir_table *in = weir_table_source(t, "in", (weir_table_source_opts){ .value = &weir_utf8 });
	weir_table *slow = weir_suppress(in, "slow", (weir_suppress_opts){ .limit_ms = 10 });
	weir_grouped_table *grouped = weir_table_group_by(slow, "grouped", group, (weir_group_by_opts){ 0 }, NULL);

	weir_sink(weir_changes(weir_grouped_reduce(grouped, "sum", plus, minus, (weir_table_opts){ 0 }, NULL)),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", "a", "100", 1);
	weir_driver_pipe(d, "in", "b", "1", 11);
	assert_text(d, "out", "all=100@1");
	weir_driver_pipe(d, "in", "a", "7", 12);
	weir_driver_pipe(d, "in", "a", "20", 13);
	weir_driver_pipe(d, "in", "b", "2", 22);
	/* first b, which has waited since 11, then a */
	const char *last = NULL, *got;
	static char kept[100];

	while ((got = weir_driver_read_text(d, "out", false, false))) {
		snprintf(kept, sizeof kept, "%s", got);
		last = kept;
	}
	assert_string_equal(last, "all=22@22");
	weir_driver_free(d);
}

static const void *both(weir_context *cx, weir_bytes key, const void *left, const void *right, void *user)
{
	const weir_bytes *l = left, *r = right;

	(void)key, (void)user;
	return text(cx, "%.*s+%.*s", (int)l->len, (const char *)l->data, r ? (int)r->len : 1,
		    r ? (const char *)r->data : "-");
}

static void a_stream_meets_what_has_been_passed_on(void **state)
{
	weir_topology *t = weir_topology_new("suppressed");
	weir_table *in = weir_table_source(t, "in", (weir_table_source_opts){ .value = &weir_utf8 });
	weir_table *slow = weir_suppress(in, "slow", (weir_suppress_opts){ .limit_ms = 10 });

	weir_sink(weir_left_join_table(text_source(t, "asked"), "joined", slow, both,
				       (weir_join_table_opts){ .value = &weir_utf8 }, NULL),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", "a", "1", 1);
	weir_driver_pipe(d, "asked", "a", "x", 1);
	assert_text(d, "out", "a=x+-@1");
	weir_driver_pipe(d, "in", "b", "2", 11);
	weir_driver_pipe(d, "in", "a", "3", 12);
	weir_driver_pipe(d, "asked", "a", "y", 12);
	assert_text(d, "out", "a=y+1@12");
	weir_driver_free(d);
}

/* --- what survives ------------------------------------------------------------------------------- */

static void the_changelog_is_kafka_streams_own(void **state)
{
	weir_driver *d = driver(limited((weir_suppress_opts){ .limit_ms = 10 }), (weir_driver_opts){ 0 });
	weir_driver_record r;
	struct buffered row;
	weir_context cx = { .partition = 0 };
	weir_header header = { "who", weir_str("me") };

	(void)state;
	weir__arena_init(&cx.arena, 0);
	weir_driver_pipe_record(d, "in", -1, weir_str("a"), weir_str("1"), 1, &(weir_headers){ &header, 1 });
	assert_true(weir_driver_read(d, "suppressed-slow-store-changelog", &r));
	assert_bytes(r.key, "a");
	assert_bytes(weir_headers_last(r.headers, "v"), "\3");
	assert_true(weir__buffered_decode(&cx, r.value, &row));
	assert_true(weir_is_null(row.prior_value));
	assert_bytes(row.new_value, "1");
	assert_bytes(row.topic, "in");
	assert_int_equal(row.time_ms, 1);
	assert_bytes(weir_headers_last(row.headers, "who"), "me");
	weir__arena_release(&cx.arena);
	weir_driver_pipe(d, "in", "a", "2", 100);
	assert_true(weir_driver_read(d, "suppressed-slow-store-changelog", &r));
	assert_true(weir_is_null(r.value));
	assert_int_equal(r.headers->count, 0);
	weir_driver_free(d);
}

static void pipe_many(weir_driver *d, uint64_t seed, bool disturbed)
{
	weir_rng rng = weir_rng_seeded(seed), faults = weir_rng_seeded(seed + 1);
	int64_t now = 1000;

	for (int i = 0; i < 150; i++) {
		char key[8], value[8];

		now += (int64_t)weir_rng_below(&rng, 8);
		snprintf(key, sizeof key, "k%d", (int)weir_rng_below(&rng, 6));
		snprintf(value, sizeof value, "%d", i);
		weir_driver_pipe(d, "in", key, weir_rng_chance(&rng, 0.1) ? NULL : value,
				 now - (int64_t)weir_rng_below(&rng, 20));
		if (disturbed && weir_rng_chance(&faults, 0.1))
			must(weir_driver_restart(d, weir_rng_chance(&faults, 0.5), &err));
	}
}

static void restarts_change_nothing(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++) {
		char *dir = temporary_directory();
		bool final = seed % 2;
		weir_suppress_opts opts = { .limit_ms = 30, .records_max = seed % 3 ? 0 : 3 };
		weir_topology *t[2];

		for (int i = 0; i < 2; i++)
			t[i] = final ? final_counts((weir_window){ .size_ms = 20, .grace_ms = 10 },
						    (weir_suppress_opts){ 0 })
				     : limited(opts);
		weir_driver *calm = driver(t[0], (weir_driver_opts){ 0 });
		weir_driver *disturbed = driver(t[1], (weir_driver_opts){ .state_dir = seed > 2 ? dir : NULL });
		int compared = 0;
		char want[200];

		pipe_many(calm, seed, false);
		pipe_many(disturbed, seed, true);
		for (const char *got; (got = weir_driver_read_text(calm, "out", final, final)); compared++) {
			snprintf(want, sizeof want, "%s", got);
			got = weir_driver_read_text(disturbed, "out", final, final);
			assert_non_null(got);
			assert_string_equal(got, want);
		}
		assert_true(compared > 20);
		assert_null(weir_driver_read_text(disturbed, "out", final, final));
		weir_driver_free(calm);
		weir_driver_free(disturbed);
		remove_directory(dir);
	}
}

static const void *second(weir_context *cx, weir_bytes key, const void *left, const void *right, void *user)
{
	(void)cx, (void)key, (void)left, (void)user;
	return right;
}

static weir_table *versions(weir_topology *t, const char *name)
{
	return weir_table_source(
		t, name,
		(weir_table_source_opts){ .value = &weir_utf8, .store = { .versioned = true, .history_ms = 100 } });
}

/* Kafka Streams refuses tables of versions; a join of such tables is none. */
static void what_is_made_of_versions_can_be_suppressed(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_table *both = weir_table_join(versions(t, "left"), "both", versions(t, "right"), second, NULL,
					   (weir_table_opts){ 0 }, NULL);

	(void)state;
	weir_sink(weir_changes(weir_suppress(both, "slow", (weir_suppress_opts){ .limit_ms = 10 })), "out",
		  (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "left", "a", "l", 100);
	weir_driver_pipe(d, "right", "a", "one", 101);
	weir_driver_pipe(d, "right", "a", "two", 105);
	weir_driver_pipe(d, "right", "a", "late", 103); /* changes nothing */
	assert_nothing(d, "out");
	weir_driver_pipe(d, "left", "b", "l", 120);
	weir_driver_pipe(d, "right", "b", "three", 120);
	assert_text(d, "out", "a=two@105");
	weir_driver_free(d);
}

static void what_makes_no_sense_is_refused(void **state)
{
	weir_topology *t = weir_topology_new("wrong");
	weir_table *in = weir_table_source(t, "in", (weir_table_source_opts){ .value = &weir_utf8 });
	weir_error err;

	(void)state;
	weir_suppress(in, "no-windows", (weir_suppress_opts){ .until_window_closes = true });
	weir_suppress(in, "negative", (weir_suppress_opts){ .limit_ms = -1 });
	weir_suppress(versions(t, "rows"), "versions", (weir_suppress_opts){ .limit_ms = 1 });
	weir_suppress(weir_count(text_source(t, "in2"), "counts", (weir_window){ .size_ms = 5 }), "two-limits",
		      (weir_suppress_opts){ .until_window_closes = true, .limit_ms = 1 });
	assert_false(weir_topology_check(t, &err));
	assert_contains(err.message, "step \"no-windows\": until_window_closes: the table has no windows");
	assert_contains(err.message, "step \"negative\": limits must not be negative");
	assert_contains(err.message, "step \"versions\": a table of versions cannot be suppressed");
	assert_contains(err.message, "step \"two-limits\": it waits for windows to close, or for limit_ms");
	weir_topology_free(t);
}

static void more_than_memory_takes_comes_in_order_and_whole(void **state)
{
	weir_driver *d =
		driver(final_counts((weir_window){ .size_ms = 10 }, (weir_suppress_opts){ 0 }),
		       (weir_driver_opts){ .config = (const char *const[][2]){ { "memory.bytes.max", "16m" } },
					   .config_count = 1 });

	(void)state;
	assert_more_than_memory_takes_in_order(d);
	weir_driver_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_window_comes_once_when_it_has_closed),
		cmocka_unit_test(what_one_commit_changes_and_closes_comes_once_and_newest),
		cmocka_unit_test(of_each_key_one_change_comes_in_each_while),
		cmocka_unit_test(a_full_buffer_lets_the_oldest_go),
		cmocka_unit_test(a_full_buffer_may_stop_the_application),
		cmocka_unit_test(sessions_that_have_grown_into_others_leave_nothing),
		cmocka_unit_test(reading_a_buffer_at_the_start_takes_no_more_memory_for_more_rows),
		cmocka_unit_test(sums_of_a_suppressed_table_are_right),
		cmocka_unit_test(a_stream_meets_what_has_been_passed_on),
		cmocka_unit_test(the_changelog_is_kafka_streams_own),
		cmocka_unit_test(restarts_change_nothing),
		cmocka_unit_test(what_is_made_of_versions_can_be_suppressed),
		cmocka_unit_test(what_makes_no_sense_is_refused),
		cmocka_unit_test(more_than_memory_takes_comes_in_order_and_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
