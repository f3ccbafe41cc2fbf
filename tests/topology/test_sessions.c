/* Session windows: what joins, what goes, what is late, and what survives. */
#include "tests/topology/topology_test.h"

enum { GAP = 10 };

static weir_topology *sessions(int64_t grace_ms)
{
	weir_topology *t = weir_topology_new("sessions");

	weir_sink(weir_changes(weir_count(text_source(t, "in"), "counts",
					  (weir_window){ .gap_ms = GAP, .grace_ms = grace_ms })),
		  "out", (weir_sink_opts){ 0 });
	return t;
}

/* Exactly these: "key[start,end]=number@timestamp". */
static void holds_sessions(weir_driver *d, const char *const *want, size_t n, int line)
{
	for (size_t i = 0; i <= n; i++) {
		weir_driver_record r;
		char got[100] = "no more", value[24] = "null";

		if (weir_driver_read(d, "out", &r)) {
			const char *at = (const char *)r.key.data + r.key.len - 16;

			if (!weir_is_null(r.value))
				snprintf(value, sizeof value, "%lld", (long long)weir_get_be64(r.value.data));
			snprintf(got, sizeof got, "%.*s[%lld,%lld]=%s@%lld", (int)(r.key.len - 16),
				 (const char *)r.key.data, (long long)weir_get_be64(at + 8),
				 (long long)weir_get_be64(at), value, (long long)r.timestamp_ms);
		}
		if (strcmp(got, i < n ? want[i] : "no more") == 0)
			continue;
		print_error("record %zu: wanted %s, found %s\n", i, i < n ? want[i] : "no more", got);
		_fail(__FILE__, line);
	}
}

#define assert_sessions(d, ...) \
	do { \
		const char *const want_[] = { __VA_ARGS__ }; \
		holds_sessions(d, want_, LENGTH(want_), __LINE__); \
	} while (0)

static void records_within_the_gap_are_one_session(void **state)
{
	weir_driver *d = driver(sessions(100), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", "k", "a", 20);
	assert_sessions(d, "k[20,20]=1@20");
	weir_driver_pipe(d, "in", "k", "b", 30); /* the gap belongs to it */
	assert_sessions(d, "k[20,20]=null@20", "k[20,30]=2@30");
	weir_driver_pipe(d, "in", "k", "c", 25);
	assert_sessions(d, "k[20,30]=3@30");
	weir_driver_pipe(d, "in", "other", "d", 25);
	assert_sessions(d, "other[25,25]=1@25");
	weir_driver_pipe(d, "in", "k", "e", 41);
	assert_sessions(d, "k[41,41]=1@41");
	weir_driver_pipe(d, "in", "k", "f", 10);
	assert_sessions(d, "k[20,30]=null@30", "k[10,30]=4@30");
	weir_driver_free(d);
}

static void a_record_between_sessions_makes_them_one(void **state)
{
	weir_driver *d = driver(sessions(100), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", "k", "a", 1);
	weir_driver_pipe(d, "in", "k", "b", 20);
	assert_sessions(d, "k[1,1]=1@1", "k[20,20]=1@20");
	weir_driver_pipe(d, "in", "k", "c", 10);
	assert_sessions(d, "k[1,1]=null@1", "k[20,20]=null@20", "k[1,20]=3@20");
	weir_driver_free(d);
}

/* dropped iff the end, this record included, < stream time - grace - gap */
static void what_is_late_is_a_dead_letter(void **state)
{
	weir_driver *d = driver(sessions(5), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", "other", "a", 100);
	assert_sessions(d, "other[100,100]=1@100");
	weir_driver_pipe(d, "in", "k", "late", 84);
	assert_nothing(d, "out");
	assert_dead_letter(d, "late", "late");
	weir_driver_pipe(d, "in", "k", "in time", 85);
	assert_sessions(d, "k[85,85]=1@85");
	weir_driver_pipe(d, "in", "k", "no longer late", 76); /* it joins one that is not */
	assert_sessions(d, "k[85,85]=null@85", "k[76,85]=2@85");
	must(weir_driver_restart(d, true, &err));
	weir_driver_pipe(d, "in", "l", "still late", 84);
	assert_nothing(d, "out");
	assert_dead_letter(d, "still late", "late");
	weir_driver_free(d);
}

static void what_comes_and_goes_between_commits_is_not_told(void **state)
{
	weir_driver *d = driver(sessions(100), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_stop(d, false);
	for (int i = 0; i < 50; i++)
		weir_driver_pipe(d, "in", "k", "v", 1 + 3 * i);
	must(weir_driver_start(d, NULL, &err));
	assert_sessions(d, "k[1,148]=50@148");
	/* nor does the changelog hold more */
	weir_driver_record r;
	assert_true(weir_driver_read(d, "sessions-counts-changelog", &r));
	assert_int_equal(r.timestamp_ms, 148);
	assert_int_equal(r.key.len, 1 + 16);
	assert_int_equal(weir_get_be64((const char *)r.key.data + 1), 148);
	assert_int_equal(weir_get_be64((const char *)r.key.data + 9), 1);
	assert_false(weir_driver_read(d, "sessions-counts-changelog", &r));
	weir_driver_free(d);
}

/* Each final session against the records that lie within the gap of each other. */
static void sessions_are_exact_through_crashes_and_restarts(void **state)
{
	enum { KEYS = 3, SPAN = 2000, RECORDS = 400 };

	(void)state;
	for (int on_disk = 0; on_disk < 2; on_disk++) {
		char *dir = temporary_directory();
		weir_driver *d =
			driver(sessions(10 * SPAN), (weir_driver_opts){ .state_dir = on_disk ? dir : NULL });
		static int count[KEYS][SPAN];
		weir_rng rng;

		memset(count, 0, sizeof count);
		rng = weir_rng_seeded(7);
		for (int i = 0; i < RECORDS; i++) {
			int key = (int)weir_rng_below(&rng, KEYS), at = 1 + (int)weir_rng_below(&rng, SPAN - 1);
			char name[] = { (char)('a' + key), 0 };

			count[key][at]++;
			weir_driver_pipe(d, "in", name, "v", at);
			if (weir_rng_below(&rng, 25) == 0)
				weir_driver_advance(d, WEIR_MINUTES(6)); /* a checkpoint is due */
			if (weir_rng_below(&rng, 25) == 0)
				must(weir_driver_restart(d, weir_rng_below(&rng, 2), &err));
		}
		weir_store *store = weir_driver_store(d, "counts", 0);

		for (int key = 0; key < KEYS; key++) {
			char name[] = { (char)('a' + key), 0 };
			weir_iterator *it = weir_session_find(store, weir_str(name), 0, SPAN, false);
			weir_entry e;

			for (int start = 0, end, n; start < SPAN; start = end + 1) {
				while (start < SPAN && !count[key][start])
					start++;
				if (start == SPAN)
					break;
				end = start;
				n = 0;
				for (int at = start; at < SPAN && at <= end + GAP; at++)
					if (count[key][at]) {
						end = at;
						n += count[key][at];
					}
				assert_true(weir_iterator_next(it, &e));
				assert_int_equal(e.start_ms, start);
				assert_int_equal(e.end_ms, end);
				assert_int_equal(weir_get_be64(e.value.data), n);
			}
			assert_false(weir_iterator_next(it, &e));
			weir_iterator_close(it);
		}
		weir_driver_free(d);
		remove_directory(dir);
	}
}

/* --- other aggregates ----------------------------------------------------------------------------------------- */

static const void *join_words(weir_context *cx, const void *a, const void *b, void *user)
{
	const weir_bytes *x = a, *y = b;

	(void)user;
	return text(cx, "%.*s %.*s", (int)x->len, (const char *)x->data, (int)y->len, (const char *)y->data);
}

static const void *join_sessions(weir_context *cx, weir_bytes key, const void *a, const void *b, void *user)
{
	(void)key;
	return join_words(cx, a, b, user);
}

static const void *append_word(weir_context *cx, const weir_record *r, const void *old, void *user)
{
	const weir_bytes *word = weir_value(r), *x = old;

	(void)user;
	assert_true(r->session && r->window_start_ms <= r->timestamp_ms && r->window_end_ms >= r->timestamp_ms);
	return x ? text(cx, "%.*s %.*s", (int)x->len, (const char *)x->data, (int)word->len,
			(const char *)word->data)
		 : word;
}

static void sessions_merge_in_the_order_of_their_ends(void **state)
{
	for (int reduces = 0; reduces < 2; reduces++) {
		weir_topology *t = weir_topology_new("sessions");
		weir_stream *in = text_source(t, "in");
		weir_window window = { .gap_ms = GAP, .grace_ms = 100 };
		weir_table *words = reduces ? weir_reduce(in, "words", join_words, window, NULL)
					    : weir_aggregate(in, "words",
							     (weir_aggregator){ .value = &weir_utf8,
										.fold = append_word,
										.merge = join_sessions },
							     window);

		weir_sink(weir_changes(words), "out", (weir_sink_opts){ .key = &weir_utf8 });
		weir_driver *d = driver(t, (weir_driver_opts){ 0 });

		weir_driver_pipe(d, "in", "k", "b", 20);
		weir_driver_pipe(d, "in", "k", "a", 5);
		assert_text(d, "out", "k=b@20", "k=a@5");
		weir_driver_pipe(d, "in", "k", "c", 13);
		assert_text(d, "out", "k=null@5", "k=null@20", "k=a b c@20");
		weir_driver_free(d);
	}
	(void)state;
}

static void a_session_without_a_merge_is_a_mistake(void **state)
{
	weir_topology *t = weir_topology_new("sessions");
	weir_error err;

	(void)state;
	weir_aggregate(text_source(t, "in"), "words", (weir_aggregator){ .value = &weir_utf8, .fold = append_word },
		       (weir_window){ .gap_ms = 1 });
	weir_count(text_source(t, "in2"), "both", (weir_window){ .gap_ms = 1, .size_ms = 1 });
	weir_count(text_source(t, "in3"), "short", (weir_window){ .gap_ms = 5, .grace_ms = 1, .retain_ms = 5 });
	assert_false(weir_topology_check(t, &err));
	assert_contains(err.message, "a merge");
	assert_contains(err.message, "one of size_ms, gap_ms");
	assert_contains(err.message, "retain_ms 5 is less than gap and grace together, 6");
	weir_topology_free(t);
}

/* --- unlimited ------------------------------------------------------------------------------------------------ */

static void an_unlimited_window_takes_all_from_its_start_on(void **state)
{
	weir_topology *t = weir_topology_new("unlimited");

	(void)state;
	weir_sink(weir_changes(weir_count(text_source(t, "in"), "counts",
					  (weir_window){ .unlimited = true, .start_ms = 50 })),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "k", "a", 50);
	weir_driver_pipe(d, "in", "k", "b", WEIR_DAYS(10000));
	weir_driver_pipe(d, "in", "k", "early", 49);
	weir_driver_pipe(d, "in", "k", "c", 60);
	must(weir_driver_restart(d, true, &err));
	weir_driver_pipe(d, "in", "k", "d", 70);
	assert_windowed_numbers(d, "out", "k[50]=1@50", "k[50]=2@864000000000", "k[50]=3@864000000000",
				"k[50]=4@864000000000");
	assert_dead_letter(d, "early", "before the first window");
	weir_driver_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_within_the_gap_are_one_session),
		cmocka_unit_test(a_record_between_sessions_makes_them_one),
		cmocka_unit_test(what_is_late_is_a_dead_letter),
		cmocka_unit_test(what_comes_and_goes_between_commits_is_not_told),
		cmocka_unit_test(sessions_are_exact_through_crashes_and_restarts),
		cmocka_unit_test(sessions_merge_in_the_order_of_their_ends),
		cmocka_unit_test(a_session_without_a_merge_is_a_mistake),
		cmocka_unit_test(an_unlimited_window_takes_all_from_its_start_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
