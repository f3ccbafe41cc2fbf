/* What a store hides because it is past retention, one that is restored from the changelog alone hides, too: the
 * time by which it does stands beside the positions. And what has failed moves no such time. */
#include "framework/kafka/embedded.h"
#include "tests/topology/topology_test.h"

#include <weir/table.h>

enum { RETAIN = 100 };

static const weir_driver_opts going_on = {
	.config = (const char *const[][2]){ { "errors.processing", "dead-letter" } }, .config_count = 1
};

/* All that the store shows, as key[start]=value or key[start,end]=value; a new one each time. */
static char *shown(weir_driver *d, const char *name, bool sessions)
{
	weir_store *store = weir_driver_store(d, name, 0);
	weir_iterator *it =
		sessions ? weir_session_find_all(store, 0, INT64_MAX) : weir_window_fetch_all(store, 0, INT64_MAX);
	char *text = calloc(1, 2000);
	size_t used = 0;
	weir_entry e;

	while (weir_iterator_next(it, &e)) {
		used += (size_t)snprintf(text + used, 2000 - used, "%.*s[%lld", (int)e.key.len,
					 (const char *)e.key.data, (long long)e.start_ms);
		if (sessions)
			used += (size_t)snprintf(text + used, 2000 - used, ",%lld", (long long)e.end_ms);
		used += (size_t)snprintf(text + used, 2000 - used, "] ");
	}
	weir_iterator_close(it);
	return text;
}

/* Now, and when the changelog is all that there is. */
static void assert_shown(weir_driver *d, const char *name, bool sessions, const char *want)
{
	for (int restored = 0; restored < 2; restored++) {
		if (restored)
			must(weir_driver_restart(d, true, &err));
		char *text = shown(d, name, sessions);

		if (strcmp(text, want) != 0)
			fail_msg("%s shows \"%s\", wanted \"%s\"", restored ? "restored, it" : "it", text, want);
		free(text);
	}
}

/* "none" makes nothing of the aggregate; everything else is it. */
static const void *newest(weir_context *cx, const weir_record *r, const void *aggregate, void *user)
{
	(void)cx, (void)aggregate, (void)user;
	return weir_bytes_equal(weir_value_bytes(r), weir_str("none")) ? NULL : weir_value(r);
}

static const void *newest_value(weir_context *cx, const weir_record *r, void *user)
{
	return newest(cx, r, NULL, user);
}

static const void *later(weir_context *cx, weir_bytes key, const void *a, const void *b, void *user)
{
	(void)cx, (void)key, (void)a, (void)user;
	return b;
}

static const weir_aggregator kept = { .value = &weir_utf8, .fold = newest, .merge = later };

static bool everything(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)r, (void)user;
	return true;
}

/* --- what is nothing is the newest -----------------------------------------------------------------------------
 * */

static void a_session_of_nothing_moves_the_time_of_the_restored_store(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_aggregate(text_source(t, "in"), "kept", kept, (weir_window){ .gap_ms = 10, .retain_ms = RETAIN });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "a", "1", 5);
	weir_driver_pipe(d, "in", "b", "1", 60);
	assert_shown(d, "kept", true, "a[5,5] b[60,60] ");
	weir_driver_pipe(d, "in", "c", "none", 120);
	assert_shown(d, "kept", true, "b[60,60] ");
	weir_driver_free(d);
}

/* A view of the table wants old values. */
static void a_window_that_came_and_went_moves_the_time_of_the_restored_store(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_table *table = weir_aggregate(text_source(t, "in"), "kept", kept,
					   (weir_window){ .size_ms = 10, .retain_ms = RETAIN });
	weir_table_filter(table, "all", everything, (weir_table_opts){ 0 }, NULL);
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "a", "1", 5);
	weir_driver_pipe(d, "in", "b", "1", 60);
	assert_shown(d, "kept", false, "a[0] b[60] ");
	weir_driver_stop(d, false);
	weir_driver_pipe(d, "in", "c", "1", 120);
	weir_driver_pipe(d, "in", "c", "none", 121);
	must(weir_driver_start(d, NULL, &err));
	assert_shown(d, "kept", false, "b[60] ");
	weir_driver_free(d);
}

/* --- the newest is a deletion, and the cleaner has taken it ----------------------------------------------------
 * */

static void put_it(weir_context *cx, const weir_record *r, void *state, void *user)
{
	bool none = weir_bytes_equal(weir_value_bytes(r), weir_str("none"));
	int64_t ms = r->timestamp_ms;

	(void)state, (void)user;
	weir_window_put(weir_context_store(cx, "windows"), r->key, none ? WEIR_NULL : weir_value_bytes(r), ms, ms);
	weir_session_put(weir_context_store(cx, "sessions"), r->key, none ? WEIR_NULL : weir_value_bytes(r), ms, ms,
			 ms);
}

static weir_topology *putting(void)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = text_source(t, "in");

	weir_add_store(t, "windows",
		       (weir_store_opts){ .windowed = true, .window_size_ms = 10, .retain_ms = RETAIN });
	weir_add_store(t, "sessions", (weir_store_opts){ .sessions = true, .retain_ms = RETAIN });
	weir_process(in, "put", (weir_processor){ .process = put_it, .stores = { "windows", "sessions" } });
	weir_to_table(weir_map_values(in, "or-null", newest_value, NULL, NULL), "versions",
		      (weir_table_opts){ .versioned = true, .history_ms = RETAIN });
	return t;
}

/* Until a deletion that lies in it has been seen, is old enough, and is gone. */
static void clean(weir_driver *d, const char *const *changelogs, size_t n)
{
	for (int round = 0; round < 4; round++) {
		weir_driver_pipe(d, "in", "other", "v", 121 + round);
		for (size_t i = 0; i < n; i++)
			weir__embedded_compact(weir_driver_cluster(d), changelogs[i]);
		weir_driver_advance(d, WEIR_DAYS(2));
	}
}

static void deletions_that_the_cleaner_has_taken_have_moved_the_time(void **state)
{
	static const char *const changelogs[] = { "app-windows-changelog", "app-sessions-changelog",
						  "app-versions-changelog" };
	weir_driver *d = driver(putting(), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", "b", "1", 60);
	weir_driver_pipe(d, "in", "c", "none", 200);
	clean(d, changelogs, LENGTH(changelogs));
	for (size_t i = 0; i < LENGTH(changelogs); i++) {
		weir_driver_record r;

		while (weir_driver_read(d, changelogs[i], &r))
			assert_memory_not_equal(r.key.data, "c", 1);
	}
	assert_shown(d, "windows", false, "other[121] other[122] other[123] other[124] ");
	assert_shown(d, "sessions", true, "other[121,121] other[122,122] other[123,123] other[124,124] ");
	assert_nothing(d, "dead-letters");
	weir_driver_pipe(d, "in", "d", "too late", 99); /* for the versions */
	assert_dead_letter(d, "too late", "late");
	weir_driver_pipe(d, "in", "d", "not late", 100);
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

/* --- what fails has not been -----------------------------------------------------------------------------------
 * */

static void add_good(weir_context *cx, const weir_record *r, void *aggregate, void *user)
{
	(void)user;
	if (weir_bytes_equal(weir_value_bytes(r), weir_str("bad")))
		weir_step_fail(cx, "bad");
	else
		++*(int64_t *)aggregate;
}

static weir_topology *adding(weir_window window)
{
	weir_topology *t = weir_topology_new("app");
	weir_aggregator sum = { .value = &weir_int64, .add = add_good };

	weir_sink(weir_changes(weir_aggregate(text_source(t, "in"), "sums", sum, window)), "out",
		  (weir_sink_opts){ 0 });
	return t;
}

static void an_aggregate_that_fails_moves_no_time_of_its_store(void **state)
{
	weir_driver *d =
		driver(adding((weir_window){ .size_ms = 10, .grace_ms = 80, .retain_ms = RETAIN }), going_on);

	(void)state;
	weir_driver_pipe(d, "in", "a", "good", 5);
	weir_driver_pipe(d, "in", "b", "good", 60);
	weir_driver_pipe(d, "in", "c", "bad", 120);
	assert_shown(d, "sums", false, "a[0] b[60] ");
	weir_driver_pipe(d, "in", "c", "good", 120);
	assert_shown(d, "sums", false, "b[60] c[120] ");
	weir_driver_free(d);
}

static void an_aggregate_that_fails_stays_as_it_was_with_its_time(void **state)
{
	weir_driver *d = driver(adding((weir_window){ 0 }), going_on);

	(void)state;
	weir_driver_pipe(d, "in", "a", "good", 5);
	assert_numbers(d, "out", "a=1@5");
	weir_driver_pipe(d, "in", "a", "bad", 8);
	assert_nothing(d, "out");
	must(weir_driver_restart(d, true, &err));
	weir_driver_pipe(d, "in", "a", "bad", 9);
	assert_nothing(d, "out");
	weir_driver_pipe(d, "in", "a", "good", 7);
	assert_numbers(d, "out", "a=2@7");
	weir_driver_stop(d, false);
	weir_driver_pipe(d, "in", "a", "good", 10); /* in one transaction */
	weir_driver_pipe(d, "in", "b", "bad", 11);
	weir_driver_pipe(d, "in", "a", "bad", 12);
	must(weir_driver_start(d, NULL, &err));
	assert_numbers(d, "out", "a=3@10");
	weir_driver_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_of_nothing_moves_the_time_of_the_restored_store),
		cmocka_unit_test(a_window_that_came_and_went_moves_the_time_of_the_restored_store),
		cmocka_unit_test(deletions_that_the_cleaner_has_taken_have_moved_the_time),
		cmocka_unit_test(an_aggregate_that_fails_moves_no_time_of_its_store),
		cmocka_unit_test(an_aggregate_that_fails_stays_as_it_was_with_its_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
