#include "tests/topology/topology_test.h"

static const weir_window no_windows = { 0 };
static const weir_window tumbling = { .size_ms = 10, .grace_ms = 1000 };
static const weir_window hopping = { .size_ms = 10, .advance_ms = 5, .grace_ms = 1000 };

static weir_driver *driver_of(weir_topology *t, weir_table *table)
{
	weir_sink(weir_changes(table), "out", (weir_sink_opts){ 0 });
	return driver(t, (weir_driver_opts){ 0 });
}

/* --- count ------------------------------------------------------------------------------------------------------
 * */

static weir_driver *counting(weir_window window)
{
	weir_topology *t = weir_topology_new("app");

	return driver_of(t, weir_count(text_source(t, "in"), "counts", window));
}

static void count_counts_the_records_of_each_key(void **state)
{
	weir_driver *d = counting(no_windows);

	(void)state;
	weir_driver_pipe(d, "in", "a", "v", 1);
	weir_driver_pipe(d, "in", "b", "v", 2);
	weir_driver_pipe(d, "in", "a", "v", 3);
	assert_numbers(d, "out", "a=1@1", "b=1@2", "a=2@3");
	weir_driver_free(d);
}

static void a_result_has_the_greatest_time_of_its_records(void **state)
{
	weir_driver *d = counting(no_windows);

	(void)state;
	weir_driver_pipe(d, "in", "a", "v", 100);
	weir_driver_pipe(d, "in", "a", "v", 50);
	weir_driver_pipe(d, "in", "a", "v", 101);
	assert_numbers(d, "out", "a=1@100", "a=2@100", "a=3@101");
	weir_driver_free(d);
}

static void without_windows_null_keys_and_null_values_are_dead_letters(void **state)
{
	weir_driver *d = counting(no_windows);

	(void)state;
	weir_driver_pipe(d, "in", NULL, "no key", 1);
	weir_driver_pipe(d, "in", "a", NULL, 2);
	weir_driver_pipe(d, "in", "", "empty key", 3);
	weir_driver_pipe(d, "in", "a", "", 4);
	assert_numbers(d, "out", "=1@3", "a=1@4");
	assert_dead_letter(d, "no key", "null key");
	assert_dead_letter(d, "", "null value");
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

static void in_windows_null_values_count_and_null_keys_are_dead_letters(void **state)
{
	weir_driver *d = counting(tumbling);

	(void)state;
	weir_driver_pipe(d, "in", NULL, "no key", 1);
	weir_driver_pipe(d, "in", "a", NULL, 2);
	assert_windowed_numbers(d, "out", "a[0]=1@2");
	assert_dead_letter(d, "no key", "null key");
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

static void a_commit_passes_on_the_newest_value_of_each_key(void **state)
{
	weir_driver *d = counting(tumbling);

	(void)state;
	weir_driver_stop(d, false);
	for (int i = 0; i < 7; i++)
		weir_driver_pipe(d, "in", i % 2 ? "a" : "b", "v", 10 + i);
	must(weir_driver_start(d, NULL, &err));
	assert_windowed_numbers(d, "out", "b[10]=4@16", "a[10]=3@15");
	weir_driver_free(d);
}

/* --- reduce -----------------------------------------------------------------------------------------------------
 * */

static const void *join(weir_context *cx, const void *aggregate, const void *value, void *user)
{
	const weir_bytes *a = aggregate, *b = value;

	return text(cx, "%.*s%s%.*s", (int)a->len, (const char *)a->data, (const char *)user, (int)b->len,
		    (const char *)b->data);
}

static char plus[] = "+";

static void reduce_begins_with_the_first_value(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_driver *d = driver_of(t, weir_reduce(text_source(t, "in"), "all", join, no_windows, plus));

	weir_driver_pipe(d, "in", "k", "a", 1);
	weir_driver_pipe(d, "in", "k", "b", 2);
	weir_driver_pipe(d, "in", "other", "x", 3);
	weir_driver_pipe(d, "in", "k", NULL, 4);
	weir_driver_pipe(d, "in", "k", "", 5);
	assert_text(d, "out", "k=a@1", "k=a+b@2", "other=x@3", "k=a+b+@5");
	assert_dead_letter(d, "", "null value");
	weir_driver_free(d);
}

static void reduce_works_in_tumbling_windows(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_driver *d = driver_of(t, weir_reduce(text_source(t, "in"), "all", join, tumbling, plus));

	weir_driver_pipe(d, "in", "k", "a", 1);
	weir_driver_pipe(d, "in", "k", "b", 11);
	weir_driver_pipe(d, "in", "k", "c", 9);
	assert_windows(d, "out", "k[0]=a@1", "k[10]=b@11", "k[0]=a+c@9");
	weir_driver_free(d);
}

static void reduce_works_in_hopping_windows(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_driver *d = driver_of(t, weir_reduce(text_source(t, "in"), "all", join, hopping, plus));

	weir_driver_pipe(d, "in", "k", "a", 12);
	assert_windows(d, "out", "k[5]=a@12", "k[10]=a@12");
	weir_driver_pipe(d, "in", "k", "b", 9);
	assert_windows(d, "out", "k[0]=b@9", "k[5]=a+b@12");
	weir_driver_free(d);
}

/* --- aggregate in place -----------------------------------------------------------------------------------------
 * */

struct spread {
	int64_t start_ms, end_ms; /* of the window, as add has seen it */
	int32_t least, most;
	int32_t count;
};

static const void *spread_decode(weir_context *cx, weir_bytes bytes, weir_error *err)
{
	struct spread *s = weir_alloc(cx, sizeof *s);

	memset(s, 0, sizeof *s);
	if (bytes.len < 200 && sscanf(text(cx, "%.*s", (int)bytes.len, (const char *)bytes.data)->data, "%d..%d/%d",
				      &s->least, &s->most, &s->count) == 3)
		return s;
	weir_fail(err, WEIR_DECODE, "no spread");
	return NULL;
}

static weir_bytes spread_encode(weir_context *cx, const void *object)
{
	const struct spread *s = object;

	return *text(cx, "%d..%d/%d", (int)s->least, (int)s->most, (int)s->count);
}

static const weir_serde spread_serde = { "spread", spread_decode, spread_encode, sizeof(struct spread), false };

static void spread_init(weir_context *cx, void *aggregate, void *user)
{
	struct spread *s = aggregate;

	(void)cx;
	assert_int_equal(s->count, 0);
	s->least = INT32_MAX;
	s->most = INT32_MIN;
	++*(int *)user;
}

static void spread_add(weir_context *cx, const weir_record *r, void *aggregate, void *user)
{
	struct spread *s = aggregate;
	const weir_bytes *value = weir_value(r);
	int32_t n = value ? atoi(text(cx, "%.*s", (int)value->len, (const char *)value->data)->data) : 0;

	(void)user;
	s->least = n < s->least ? n : s->least;
	s->most = n > s->most ? n : s->most;
	s->count++;
	if (s->count == 1) {
		s->start_ms = r->window_start_ms;
		s->end_ms = r->window_end_ms;
	}
	assert_int_equal(s->start_ms, r->window_start_ms);
	assert_int_equal(s->end_ms, r->window_end_ms);
}

static weir_driver *spreading(weir_window window, int *inits)
{
	weir_topology *t = weir_topology_new("app");
	weir_aggregator a = { .value = &spread_serde, .init = spread_init, .add = spread_add, .user = inits };

	return driver_of(t, weir_aggregate(text_source(t, "in"), "spreads", a, window));
}

static void an_aggregate_in_place_keeps_a_struct(void **state)
{
	int inits = 0;
	weir_driver *d = spreading(no_windows, &inits);

	(void)state;
	weir_driver_pipe(d, "in", "k", "5", 1);
	weir_driver_pipe(d, "in", "k", "-3", 2);
	weir_driver_pipe(d, "in", "other", "7", 3);
	weir_driver_pipe(d, "in", "k", "4", 4);
	assert_text(d, "out", "k=5..5/1@1", "k=-3..5/2@2", "other=7..7/1@3", "k=-3..5/3@4");
	assert_int_equal(inits, 2);
	weir_driver_free(d);
}

static void an_aggregate_in_place_works_in_windows(void **state)
{
	int inits = 0;
	weir_driver *d = spreading(hopping, &inits);

	(void)state;
	weir_driver_pipe(d, "in", "k", "1", 7);
	weir_driver_pipe(d, "in", "k", "9", 12);
	assert_windows(d, "out", "k[0]=1..1/1@7", "k[5]=1..1/1@7", "k[5]=1..9/2@12", "k[10]=9..9/1@12");
	assert_int_equal(inits, 3);
	weir_driver_free(d);
}

static void the_first_window_of_all_has_a_start_and_an_end(void **state)
{
	int inits = 0;
	weir_driver *d = spreading(tumbling, &inits);

	(void)state;
	weir_driver_pipe(d, "in", "k", "1", 3);
	weir_driver_pipe(d, "in", "k", "2", 4);
	assert_windows(d, "out", "k[0]=1..1/1@3", "k[0]=1..2/2@4");
	weir_driver_free(d);
}

/* --- aggregate by fold ------------------------------------------------------------------------------------------
 * */

/* Collects values; "-" deletes all. */
static const void *collect(weir_context *cx, const weir_record *r, const void *aggregate, void *user)
{
	const weir_bytes *value = weir_value(r), *old = aggregate;

	(void)user;
	if (value && weir_bytes_equal(*value, weir_str("-")))
		return NULL;
	weir_bytes add = value ? *value : weir_str("(null)");

	if (!old)
		return text(cx, "%lld:%.*s", (long long)r->window_start_ms, (int)add.len, (const char *)add.data);
	return text(cx, "%.*s,%.*s", (int)old->len, (const char *)old->data, (int)add.len, (const char *)add.data);
}

static weir_driver *collecting(weir_window window)
{
	weir_topology *t = weir_topology_new("app");
	weir_aggregator a = { .value = &weir_utf8, .fold = collect };

	return driver_of(t, weir_aggregate(text_source(t, "in"), "lists", a, window));
}

static void a_fold_grows_as_it_likes(void **state)
{
	weir_driver *d = collecting(no_windows);

	(void)state;
	weir_driver_pipe(d, "in", "k", "a", 1);
	weir_driver_pipe(d, "in", "k", "bcdefghijklmnopqrstuvwxyz", 2);
	weir_driver_pipe(d, "in", "k", "c", 3);
	assert_text(d, "out", "k=0:a@1", "k=0:a,bcdefghijklmnopqrstuvwxyz@2",
		    "k=0:a,bcdefghijklmnopqrstuvwxyz,c@3");
	weir_driver_free(d);
}

static void a_fold_to_null_deletes_and_begins_anew(void **state)
{
	weir_driver *d = collecting(no_windows);

	(void)state;
	weir_driver_pipe(d, "in", "k", "a", 1);
	weir_driver_pipe(d, "in", "k", "-", 2);
	assert_true(weir_is_null(weir_store_get(weir_driver_store(d, "lists", 0), weir_str("k"), NULL)));
	weir_driver_pipe(d, "in", "k", "b", 3);
	assert_text(d, "out", "k=0:a@1", "k=null@2", "k=0:b@3");
	weir_driver_free(d);
}

static void a_fold_works_in_windows_and_sees_null_values(void **state)
{
	weir_driver *d = collecting(hopping);

	(void)state;
	weir_driver_pipe(d, "in", "k", "a", 7);
	weir_driver_pipe(d, "in", "k", NULL, 8);
	weir_driver_pipe(d, "in", "k", "-", 12);
	assert_windows(d, "out", "k[0]=0:a@7", "k[5]=5:a@7", "k[0]=0:a,(null)@8", "k[5]=5:a,(null)@8",
		       "k[5]=null@12"); /* nothing was there in k[10] */
	weir_driver_free(d);
}

static void tables_can_feed_further_steps(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_table *first = weir_count(text_source(t, "in"), "first", no_windows);
	weir_table *second = weir_count(weir_changes(first), "second", no_windows);

	(void)state;
	weir_sink(weir_changes(first), "first-out", (weir_sink_opts){ 0 });
	weir_driver *d = driver_of(t, second);

	weir_driver_pipe(d, "in", "k", "v", 5);
	weir_driver_pipe(d, "in", "k", "v", 3);
	assert_numbers(d, "first-out", "k=1@5", "k=2@5");
	assert_numbers(d, "out", "k=1@5", "k=2@5");
	weir_driver_free(d);
}

static void pipe_with_header(weir_driver *d, const char *key, const char *header)
{
	weir_header item = { "h", weir_str(header) };

	weir_driver_pipe_record(d, "in", -1, weir_str(key), weir_str("v"), 1,
				&(weir_headers){ &item, header != NULL });
}

static void assert_header(weir_driver *d, const char *key, int64_t count, const char *header)
{
	weir_driver_record r;

	assert_true(weir_driver_read(d, "out", &r));
	assert_bytes(r.key, key);
	assert_int_equal(weir_get_be64(r.value.data), count);
	assert_int_equal(r.headers->count, header != NULL);
	if (header)
		assert_bytes(weir_headers_last(r.headers, "h"), header);
}

static void a_result_has_the_headers_of_the_record_that_changed_it_last(void **state)
{
	weir_driver *d = counting(no_windows);

	(void)state;
	weir_driver_stop(d, false); /* so that one commit has them all */
	pipe_with_header(d, "a", "a1");
	pipe_with_header(d, "b", "b1");
	pipe_with_header(d, "c", NULL);
	pipe_with_header(d, "a", NULL);
	pipe_with_header(d, "b", "b2");
	pipe_with_header(d, "c", "c2");
	must(weir_driver_start(d, NULL, &err));
	assert_header(d, "a", 2, NULL);
	assert_header(d, "b", 2, "b2");
	assert_header(d, "c", 2, "c2");
	pipe_with_header(d, "b", NULL); /* nothing is left of the last commit */
	assert_header(d, "b", 3, NULL);
	weir_driver_free(d);
}

/* Its checkpoints are all that there is: after a clean end the last of them is of the end itself. */
static void without_a_changelog_a_crash_takes_what_came_after_the_checkpoint(void **state)
{
	char *dir = temporary_directory();
	weir_topology *t = weir_topology_new("app");
	weir_table *counts = weir_count(text_source(t, "in"), "counts", (weir_window){ .unlogged = true });

	(void)state;
	weir_sink(weir_changes(counts), "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ .state_dir = dir });

	assert_int_equal(partitions_of(d, "app-counts-changelog"), 0);
	weir_driver_pipe(d, "in", "a", "v", 1);
	weir_driver_pipe(d, "in", "a", "v", 2);
	must(weir_driver_restart(d, false, &err));
	weir_driver_pipe(d, "in", "a", "v", 3);
	must(weir_driver_restart(d, true, &err));
	weir_driver_pipe(d, "in", "a", "v", 4);
	assert_numbers(d, "out", "a=1@1", "a=2@2", "a=3@3", "a=3@4");
	weir_driver_free(d);
	remove_directory(dir);
}

/* --- in memory --------------------------------------------------------------------------------------------------
 * */

static void note_restored(weir_app *app, weir_restore_event event, const weir_restore *restore, void *user)
{
	(void)app;
	if (event == WEIR_RESTORE_END)
		*(int64_t *)user += restore->records;
}

static const void *left_and_right(weir_context *cx, weir_bytes key, const void *left, const void *right, void *user)
{
	const weir_bytes *a = left, *b = right;

	(void)key, (void)user;
	return text(cx, "%.*s+%.*s", a ? (int)a->len : 0, a ? (const char *)a->data : "", b ? (int)b->len : 0,
		    b ? (const char *)b->data : "");
}

static weir_topology *kept_by(bool in_memory)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = text_source(t, "in"), *other = text_source(t, "other");
	weir_window plain = { .in_memory = in_memory }, sessions = { .gap_ms = 10, .in_memory = in_memory };
	weir_join_window near = { .before_ms = 10, .after_ms = 10, .in_memory = in_memory };

	weir_sink(weir_changes(weir_count(in, "counts", plain)), "count", (weir_sink_opts){ 0 });
	weir_sink(weir_changes(weir_count(in, "sessions", sessions)), "session", (weir_sink_opts){ 0 });
	weir_sink(weir_outer_join(in, "joined", other, left_and_right, NULL, near, NULL), "pair",
		  (weir_sink_opts){ 0 });
	return t;
}

/* How many records a clean stop leaves to be restored: of each store the rows of both keys. */
static int64_t restored_after(bool in_memory)
{
	char *dir = temporary_directory();
	int64_t restored = 0;
	weir_driver *d = driver(kept_by(in_memory),
				(weir_driver_opts){ .state_dir = dir,
						    .commit_each_record = true,
						    .listener = { .restore = note_restored, .user = &restored } });
	weir_error err;

	weir_driver_pipe(d, "in", "a", "v1", 100);
	weir_driver_pipe(d, "in", "b", "v2", 101);
	if (!weir_driver_restart(d, false, &err))
		fail_msg("%s", err.message);
	int64_t after = restored;

	weir_driver_pipe(d, "in", "a", "v3", 102);
	weir_driver_pipe(d, "other", "b", "o1", 103);
	assert_numbers(d, "count", "a=1@100", "b=1@101", "a=2@102");
	assert_text(d, "pair", "b=v2+o1@103");
	weir_driver_free(d);
	remove_directory(dir);
	return after;
}

static void aggregates_and_joins_in_memory_are_restored_whole(void **state)
{
	(void)state;
	assert_int_equal(restored_after(false), 0);
	assert_int_equal(restored_after(true), 2 + 2 + 2 + 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aggregates_and_joins_in_memory_are_restored_whole),
		cmocka_unit_test(count_counts_the_records_of_each_key),
		cmocka_unit_test(a_result_has_the_greatest_time_of_its_records),
		cmocka_unit_test(without_windows_null_keys_and_null_values_are_dead_letters),
		cmocka_unit_test(in_windows_null_values_count_and_null_keys_are_dead_letters),
		cmocka_unit_test(a_commit_passes_on_the_newest_value_of_each_key),
		cmocka_unit_test(reduce_begins_with_the_first_value),
		cmocka_unit_test(reduce_works_in_tumbling_windows),
		cmocka_unit_test(reduce_works_in_hopping_windows),
		cmocka_unit_test(an_aggregate_in_place_keeps_a_struct),
		cmocka_unit_test(an_aggregate_in_place_works_in_windows),
		cmocka_unit_test(the_first_window_of_all_has_a_start_and_an_end),
		cmocka_unit_test(a_fold_grows_as_it_likes),
		cmocka_unit_test(a_fold_to_null_deletes_and_begins_anew),
		cmocka_unit_test(a_fold_works_in_windows_and_sees_null_values),
		cmocka_unit_test(tables_can_feed_further_steps),
		cmocka_unit_test(a_result_has_the_headers_of_the_record_that_changed_it_last),
		cmocka_unit_test(without_a_changelog_a_crash_takes_what_came_after_the_checkpoint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
