/* Stores of processors: those of sessions, ranges of keys over time, and stores of one's own kind. */
#include "tests/topology/topology_test.h"

/* --- sessions and windows ------------------------------------------------------------------------------------ */

static void put_session(weir_context *cx, const weir_record *r, void *state, void *user)
{
	const weir_bytes *v = weir_value(r);

	(void)state, (void)user;
	weir_session_put(weir_context_store(cx, "sessions"), r->key, *v, r->timestamp_ms - 5, r->timestamp_ms,
			 r->timestamp_ms);
	weir_window_put(weir_context_store(cx, "windows"), r->key, *v, r->timestamp_ms - r->timestamp_ms % 10,
			r->timestamp_ms);
}

static weir_topology *sessions_and_windows(void)
{
	weir_topology *t = weir_topology_new("app");

	weir_add_store(t, "sessions", (weir_store_opts){ .sessions = true, .retain_ms = 100000 });
	weir_add_store(t, "windows",
		       (weir_store_opts){ .windowed = true, .window_size_ms = 10, .retain_ms = 100000 });
	weir_process(text_source(t, "in"), "put",
		     (weir_processor){ .process = put_session, .stores = { "sessions", "windows" } });
	return t;
}

static const char *entries(weir_iterator *it)
{
	static char all[400];
	weir_entry e;

	all[0] = 0;
	while (weir_iterator_next(it, &e))
		snprintf(all + strlen(all), sizeof all - strlen(all), "%.*s[%d]=%.*s ", (int)e.key.len,
			 e.key.len ? (const char *)e.key.data : "", (int)e.start_ms, (int)e.value.len,
			 (const char *)e.value.data);
	weir_iterator_close(it);
	return all;
}

static void keys_are_ranged_over_time_forth_and_back(void **state)
{
	for (int on_disk = 0; on_disk < 2; on_disk++) {
		char *dir = temporary_directory();
		weir_driver *d =
			driver(sessions_and_windows(), (weir_driver_opts){ .state_dir = on_disk ? dir : NULL });

		(void)state;
		weir_driver_pipe(d, "in", "a", "1", 10);
		weir_driver_pipe(d, "in", "b", "2", 15);
		weir_driver_pipe(d, "in", "bb", "3", 20);
		weir_driver_pipe(d, "in", "c", "4", 25);
		weir_driver_pipe(d, "in", "b", "5", 35);
		weir_driver_pipe(d, "in", "", "6", 36);
		must(weir_driver_restart(d, true, &err));
		weir_store *windows = weir_driver_store(d, "windows", 0),
			   *sessions = weir_driver_store(d, "sessions", 0);
		weir_bytes b = weir_str("b"), bb = weir_str("bb");

		assert_string_equal(entries(weir_window_fetch_keys(windows, b, bb, 0, 100, false)),
				    "b[10]=2 b[30]=5 bb[20]=3 ");
		assert_string_equal(entries(weir_window_fetch_keys(windows, b, bb, 11, 100, true)),
				    "bb[20]=3 b[30]=5 ");
		assert_string_equal(entries(weir_window_fetch_keys(windows, WEIR_NULL, b, 10, 30, false)),
				    "[30]=6 a[10]=1 b[10]=2 b[30]=5 ");
		assert_string_equal(entries(weir_window_fetch_keys(windows, bb, WEIR_NULL, 10, 30, true)),
				    "c[20]=4 bb[20]=3 ");
		assert_string_equal(entries(weir_session_find_keys(sessions, b, bb, 0, 20, false)),
				    "b[10]=2 bb[15]=3 ");
		assert_string_equal(entries(weir_session_find_keys(sessions, b, WEIR_NULL, 21, 100, true)),
				    "c[20]=4 b[30]=5 ");
		assert_string_equal(entries(weir_session_find_all_reverse(sessions, 15, 25)),
				    "c[20]=4 bb[15]=3 b[10]=2 ");
		assert_string_equal(entries(weir_session_find_keys(sessions, bb, b, 0, 100, false)), "");
		assert_true(weir_store_count(windows) >= 6);
		weir_driver_free(d);
		remove_directory(dir);
	}
}

/* --- a store of one's own: a set of numbers, and their sum ---------------------------------------------------- */

struct numbers {
	int64_t value[26], sum; /* by first letter */
	int32_t partition;
};

static struct counters {
	int opened, closed;
} counters;

static void *numbers_open(int32_t partition, void *user)
{
	struct numbers *n = calloc(1, sizeof *n);

	assert_non_null(n);
	n->partition = partition;
	((struct counters *)user)->opened++;
	return n;
}

static void set_number(struct numbers *n, weir_bytes key, weir_bytes value)
{
	char text[20];
	int64_t *at = &n->value[((const char *)key.data)[0] - 'a'];

	snprintf(text, sizeof text, "%.*s", (int)value.len, value.len ? (const char *)value.data : "");
	n->sum -= *at;
	*at = atoll(text);
	n->sum += *at;
}

static void numbers_restore(void *object, weir_bytes key, weir_bytes value, int64_t timestamp_ms, void *user)
{
	(void)timestamp_ms, (void)user;
	set_number(object, key, value);
}

static void numbers_close(void *object, void *user)
{
	((struct counters *)user)->closed++;
	free(object);
}

static void add_number(weir_context *cx, const weir_record *r, void *state, void *user)
{
	weir_store *store = weir_context_store(cx, "numbers");
	struct numbers *n = weir_custom_object(store);
	weir_record out = *r;

	(void)state, (void)user;
	assert_int_equal(n->partition, weir_task_partition(cx));
	set_number(n, r->key, weir_value_bytes(r));
	weir_custom_put(store, r->key, weir_value_bytes(r), r->timestamp_ms);
	weir_set_value(&out, text(cx, "sum %d", (int)n->sum));
	weir_forward(cx, &out);
}

static weir_topology *summing(void)
{
	weir_topology *t = weir_topology_new("app");

	weir_add_custom_store(t, "numbers",
			      (weir_custom_store){ .open = numbers_open,
						   .restore = numbers_restore,
						   .close = numbers_close,
						   .user = &counters });
	weir_sink(weir_process(text_source(t, "in"), "sum",
			       (weir_processor){ .process = add_number, .stores = { "numbers" } }),
		  "out", (weir_sink_opts){ 0 });
	return t;
}

static void a_store_of_ones_own_is_restored_from_its_changelog(void **state)
{
	counters = (struct counters){ 0 };
	weir_driver *d = driver(summing(), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", "a", "1", 10);
	weir_driver_pipe(d, "in", "b", "2", 20);
	weir_driver_pipe(d, "in", "a", "5", 30);
	assert_text(d, "out", "a=sum 1@10", "b=sum 3@20", "a=sum 7@30");
	assert_text(d, "app-numbers-changelog", "a=1@10", "b=2@20", "a=5@30");
	must(weir_driver_restart(d, true, &err));
	weir_driver_pipe(d, "in", "b", NULL, 40);
	assert_text(d, "out", "b=sum 5@40");
	must(weir_driver_restart(d, false, &err));
	weir_driver_pipe(d, "in", "c", "1", 50);
	assert_text(d, "out", "c=sum 6@50");
	assert_int_equal(((struct numbers *)weir_custom_object(weir_driver_store(d, "numbers", 0)))->sum, 6);
	weir_driver_free(d);
	assert_int_equal(counters.opened, counters.closed);
}

/* --- at most so many ----------------------------------------------------------------------------------------- */

static bool stop_once;

static void put_recent(weir_context *cx, const weir_record *r, void *state, void *user)
{
	(void)state, (void)user;
	weir_store_put(weir_context_store(cx, "recent"), r->key, weir_value_bytes(r), r->timestamp_ms);
	if (stop_once)
		weir_stop(cx, "undone");
	stop_once = false;
}

static weir_topology *recent(int64_t max)
{
	weir_topology *t = weir_topology_new("app");

	weir_add_store(t, "recent", (weir_store_opts){ .entries_max = max });
	weir_process(text_source(t, "in"), "put",
		     (weir_processor){ .process = put_recent, .stores = { "recent" } });
	return t;
}

static const char *all_recent(weir_driver *d)
{
	return entries(weir_store_range(weir_driver_store(d, "recent", 0), WEIR_NULL, WEIR_NULL, false));
}

static void of_the_keys_the_least_recently_used_goes(void **state)
{
	weir_driver *d = driver(recent(2), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", "a", "1", 10);
	weir_driver_pipe(d, "in", "b", "2", 20);
	weir_driver_pipe(d, "in", "a", "3", 30);
	weir_driver_pipe(d, "in", "c", "4", 40);
	assert_string_equal(all_recent(d), "a[0]=3 c[0]=4 ");
	assert_text(d, "app-recent-changelog", "a=1@10", "b=2@20", "a=3@30", "b=null@40", "c=4@40");
	must(weir_driver_restart(d, true, &err));
	assert_string_equal(all_recent(d), "a[0]=3 c[0]=4 ");
	weir_driver_pipe(d, "in", "d", "5", 50);
	assert_string_equal(all_recent(d), "c[0]=4 d[0]=5 ");
	stop_once = true; /* what it has put and deleted is undone, and done again */
	weir_driver_pipe(d, "in", "e", "6", 60);
	assert_stopped(d, "undone");
	must(weir_driver_restart(d, false, &err));
	assert_string_equal(all_recent(d), "d[0]=5 e[0]=6 ");
	assert_text(d, "app-recent-changelog", "a=null@50", "d=5@50", "c=null@60", "e=6@60");
	weir_driver_free(d);
}

static void of_fewer_from_now_on_the_next_put_keeps_as_many(void **state)
{
	weir_driver *d = driver(recent(4), (weir_driver_opts){ 0 });

	(void)state;
	for (const char *k = "abcd"; *k; k++)
		weir_driver_pipe(d, "in", (char[]){ *k, 0 }, "1", 10);
	weir_driver_stop(d, false);
	must(weir_driver_start(d, recent(2), &err));
	weir_driver_pipe(d, "in", "e", "1", 20);
	assert_string_equal(all_recent(d), "d[0]=1 e[0]=1 ");
	weir_driver_free(d);
}

/* --- headers of values --------------------------------------------------------------------------------------- */

static const char *headers_text(const weir_headers *headers)
{
	static char all[200];

	all[0] = 0;
	for (size_t i = 0; i < headers->count; i++)
		snprintf(all + strlen(all), sizeof all - strlen(all), "%s=%.*s ", headers->items[i].name,
			 (int)headers->items[i].value.len, (const char *)headers->items[i].value.data);
	return all;
}

/* What was there goes on, with its own headers; what has come is kept with its. */
static void put_kept(weir_context *cx, const weir_record *r, void *state, void *user)
{
	weir_store *store = weir_context_store(cx, "kept");
	const weir_headers *headers;
	weir_record out = *r;
	weir_bytes old = weir_store_get_headers(store, r->key, &out.timestamp_ms, &headers);

	(void)state, (void)user;
	if (!weir_is_null(old)) {
		weir_set_value(&out, text(cx, "%.*s with %s", (int)old.len, (const char *)old.data,
					  headers_text(headers)));
		weir_forward(cx, &out);
	}
	weir_store_put_headers(store, r->key, weir_value_bytes(r), r->timestamp_ms, weir_record_headers(r));
}

static weir_topology *keeping(bool headers, weir_processor how)
{
	weir_topology *t = weir_topology_new("app");

	how.stores[0] = "kept";
	how.value = &weir_utf8;
	weir_add_store(t, "kept", (weir_store_opts){ .headers = headers });
	weir_sink(weir_process(text_source(t, "in"), "keep", how), "out", (weir_sink_opts){ 0 });
	return t;
}

static void pipe_with(weir_driver *d, const char *key, const char *value, int64_t ms, const char *header)
{
	weir_header one = { "h", weir_str(header) };

	weir_driver_pipe_record(d, "in", -1, weir_str(key), weir_str(value), ms,
				&(weir_headers){ &one, header ? 1 : 0 });
}

/* The next record of the changelog. */
static void assert_logged(weir_driver *d, const char *value, const char *headers)
{
	weir_driver_record r;

	assert_true(weir_driver_read(d, "app-kept-changelog", &r));
	assert_int_equal(weir_is_null(r.value), !value);
	if (value)
		assert_bytes(r.value, value);
	assert_string_equal(headers_text(r.headers), headers);
}

static void values_keep_their_headers_in_the_changelog_too(void **state)
{
	for (int on_disk = 0; on_disk < 2; on_disk++) {
		char *dir = temporary_directory();
		weir_driver *d = driver(keeping(true, (weir_processor){ .process = put_kept }),
					(weir_driver_opts){ .state_dir = on_disk ? dir : NULL });

		pipe_with(d, "a", "1", 10, "x");
		assert_logged(d, "1", "h=x ");
		pipe_with(d, "a", "2", 20, NULL);
		assert_logged(d, "2", "");
		pipe_with(d, "a", "3", 30, "y");
		assert_logged(d, "3", "h=y ");
		assert_text(d, "out", "a=1 with h=x @10", "a=2 with @20");
		must(weir_driver_restart(d, true, &err));
		pipe_with(d, "a", NULL, 40, "gone");
		assert_text(d, "out", "a=3 with h=y @30");
		assert_logged(d, NULL, "h=gone "); /* of the record that deletes */
		pipe_with(d, "a", "5", 50, "z");
		assert_nothing(d, "out");
		weir_driver_free(d);
		remove_directory(dir);
	}
	(void)state;
}

static void put_without(weir_context *cx, const weir_record *r, void *state, void *user)
{
	weir_store *store = weir_context_store(cx, "kept");
	weir_record out = *r;
	weir_bytes old = weir_store_get(store, r->key, &out.timestamp_ms);

	(void)state, (void)user;
	weir_set_value_bytes(&out, old);
	weir_forward(cx, &out);
	weir_store_put(store, r->key, weir_value_bytes(r), r->timestamp_ms);
}

/* Nothing of the old form is read in the new one: the state is restored from the changelog. */
static void a_store_may_begin_to_keep_headers_and_stop(void **state)
{
	char *dir = temporary_directory();
	weir_processor without = { .process = put_without }, with = { .process = put_kept };
	weir_driver *d = driver(keeping(false, without), (weir_driver_opts){ .state_dir = dir });

	(void)state;
	pipe_with(d, "a", "1", 10, "x");
	weir_driver_stop(d, false);
	must(weir_driver_start(d, keeping(true, with), &err));
	pipe_with(d, "a", "2", 20, "y");
	weir_driver_stop(d, false);
	must(weir_driver_start(d, keeping(false, without), &err));
	pipe_with(d, "a", "3", 30, "z");
	assert_text(d, "out", "a=null@10", "a=1 with @10", "a=2@20");
	weir_driver_free(d);
	remove_directory(dir);
}

static void mistakes_are_told(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_error err = { .code = WEIR_OK };

	(void)state;
	weir_add_custom_store(t, "numbers", (weir_custom_store){ .open = numbers_open });
	assert_false(weir_topology_check(t, &err));
	assert_contains(err.message, "functions to open and to restore");
	weir_topology_free(t);
	t = weir_topology_new("app");
	weir_add_store(t, "recent", (weir_store_opts){ .entries_max = 3, .sessions = true, .retain_ms = 10 });
	weir_add_store(t, "none", (weir_store_opts){ .entries_max = -1 });
	weir_add_store(t, "versions", (weir_store_opts){ .headers = true, .versioned = true, .history_ms = 10 });
	assert_false(weir_topology_check(t, &err));
	assert_contains(err.message, "\"recent\": entries_max is for keys and values");
	assert_contains(err.message, "\"none\": entries_max is for keys and values");
	assert_contains(err.message, "versions have no headers");
	weir_topology_free(t);
}

static void name_store(const char *name, int32_t partition, weir_store *store, void *user)
{
	char *names = user;
	size_t used = strlen(names);

	snprintf(names + used, 200 - used, "%s/%d:%d ", name, (int)partition, (int)weir_store_count(store));
}

static void a_driver_tells_all_stores(void **state)
{
	weir_topology *t = sessions_and_windows();
	char names[200] = "";

	(void)state;
	weir_global_table(t, "global", (weir_global_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ .partitions = 2 });

	weir_driver_pipe_record(d, "in", 1, weir_str("a"), weir_str("1"), 10, NULL);
	weir_driver_pipe(d, "global", "a", "1", 1);
	weir_driver_stores_each(d, name_store, names);
	assert_string_equal(names, "sessions/0:0 windows/0:0 sessions/1:1 windows/1:1 global/0:1 ");
	weir_driver_stop(d, false);
	names[0] = 0;
	weir_driver_stores_each(d, name_store, names);
	assert_string_equal(names, "");
	weir_driver_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_ranged_over_time_forth_and_back),
		cmocka_unit_test(a_driver_tells_all_stores),
		cmocka_unit_test(a_store_of_ones_own_is_restored_from_its_changelog),
		cmocka_unit_test(of_the_keys_the_least_recently_used_goes),
		cmocka_unit_test(of_fewer_from_now_on_the_next_put_keeps_as_many),
		cmocka_unit_test(values_keep_their_headers_in_the_changelog_too),
		cmocka_unit_test(a_store_may_begin_to_keep_headers_and_stop),
		cmocka_unit_test(mistakes_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
