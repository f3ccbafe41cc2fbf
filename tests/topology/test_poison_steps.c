/*
 * Poison beyond the sources: records as large as a producer takes, with empty keys, none, or any bytes, through
 * every kind of step that keeps or passes on what it was given. The application goes on, and what is lost is told.
 */
#include "tests/topology/topology_test.h"

enum { LARGEST = WEIR_RECORD_BYTES_MAX };

static void goes_on(weir_driver *d)
{
	weir_error err = { .code = WEIR_OK };

	if (weir_app_state_get(weir_driver_app(d), &err) != WEIR_APP_RUNNING)
		fail_msg("%s", err.message);
}

static char *filled(size_t n)
{
	char *bytes = malloc(n);

	assert_non_null(bytes);
	memset(bytes, 'x', n);
	return bytes;
}

/* Returns how many there were; each says why. */
static int letters(weir_driver *d)
{
	weir_driver_record r;
	int n = 0;

	for (; weir_driver_read(d, "dead-letters", &r); n++)
		assert_true(weir_headers_last(r.headers, "reason").len > 0);
	return n;
}

static void read_all(weir_driver *d, const char *topic)
{
	weir_driver_record r;

	while (weir_driver_read(d, topic, &r))
		;
}

/* Large ones, of each size that makes a difference, then odd ones; each `many` times. */
static void pipe_poison(weir_driver *d, const char *topic, int many)
{
	static const size_t keys[] = { 1, 450000, 1 << 19, (1 << 19) + 1, 999000 };
	static const size_t lacking[] = { 0, 12, 17, 500000, 1, 11, 13, 15, 16, 18, 22, 23, 40 };
	const weir_header headers[] = { { "", WEIR_NULL }, { "h", weir_bytes_of("\0\xff\n", 3) } };
	char *bytes = filled(LARGEST);
	int64_t time_ms = 1000;

	for (size_t i = 0; i < LENGTH(keys); i++)
		for (size_t j = 0; j < (i == 0 ? LENGTH(lacking) : 4); j++) {
			if (keys[i] + lacking[j] > LARGEST)
				continue;
			for (int k = 0; k < many; k++)
				weir_driver_pipe_record(d, topic, -1, weir_bytes_of(bytes, keys[i]),
							weir_bytes_of(bytes, LARGEST - keys[i] - lacking[j]),
							time_ms, NULL);
			goes_on(d);
		}
	for (int k = 0; k < many; k++) {
		weir_driver_pipe_record(d, topic, -1, weir_bytes_of("", 0), weir_bytes_of("", 0), time_ms,
					&(weir_headers){ headers, 2 });
		weir_driver_pipe_record(d, topic, -1, WEIR_NULL, weir_str("no key"), time_ms, NULL);
		weir_driver_pipe_record(d, topic, -1, weir_bytes_of("\0\xff\xfe", 3), WEIR_NULL, time_ms, NULL);
		weir_driver_pipe_record(d, topic, -1, WEIR_NULL, WEIR_NULL, time_ms, NULL);
	}
	goes_on(d);
	free(bytes);
}

/* --- streams ----------------------------------------------------------------------------------------------- */

static const void *lengths(weir_context *cx, weir_bytes key, const void *left, const void *right, void *user)
{
	const weir_bytes *l = left, *r = right;

	(void)key, (void)user;
	return text(cx, "%zd+%zd", l ? (ssize_t)l->len : -1, r ? (ssize_t)r->len : -1);
}

static const void *joined(weir_context *cx, weir_bytes key, const void *left, const void *right, void *user)
{
	const weir_bytes *l = left, *r = right;
	weir_bytes *both = weir_alloc(cx, sizeof *both);
	char *bytes = weir_alloc(cx, (l ? l->len : 0) + (r ? r->len : 0) + 1);

	(void)key, (void)user;
	*both = weir_bytes_of(bytes, 0);
	if (l) {
		memcpy(bytes, l->data, l->len);
		both->len = l->len;
	}
	if (r) {
		memcpy(bytes + both->len, r->data, r->len);
		both->len += r->len;
	}
	return both;
}

static const void *appended(weir_context *cx, const void *a, const void *b, void *user)
{
	return joined(cx, WEIR_NULL, a, b, user);
}

static void joins_of_streams_go_on(void **state)
{
	weir_join_window w = { .before_ms = 1000, .after_ms = 1000 };

	(void)state;
	for (int kind = 0; kind < 4; kind++) {
		weir_topology *t = weir_topology_new("app");
		weir_stream *a = text_source(t, "a"), *b = kind == 3 ? a : text_source(t, "b");
		weir_stream *out = kind == 1   ? weir_left_join(a, "j", b, lengths, NULL, w, NULL)
				   : kind == 2 ? weir_outer_join(a, "j", b, lengths, NULL, w, NULL)
					       : weir_join(a, "j", b, lengths, NULL, w, NULL);

		weir_sink(out, "out", (weir_sink_opts){ 0 });
		weir_driver *d = driver(t, (weir_driver_opts){ 0 });

		pipe_poison(d, "a", 1);
		if (kind != 3)
			pipe_poison(d, "b", 1);
		assert_true(letters(d) > 0);
		read_all(d, "out");
		weir_driver_pipe(d, "a", "k", "12", 1001);
		if (kind == 3)
			assert_text(d, "out", "k=2+2@1001");
		else
			weir_driver_pipe(d, "b", "k", "123", 1002);
		if (kind != 3)
			assert_text(d, "out", "k=2+3@1002");
		weir_driver_free(d);
	}
}

/* Two that fit each alone. */
static void a_result_larger_than_both_its_sides_is_told(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_join_window w = { .before_ms = 1000, .after_ms = 1000 };
	char *bytes = filled(LARGEST);
	weir_driver_record r;

	(void)state;
	weir_sink(weir_join(text_source(t, "a"), "j", text_source(t, "b"), joined, NULL, w, NULL), "out",
		  (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe_record(d, "a", -1, weir_str("k"), weir_bytes_of(bytes, 600000), 1, NULL);
	weir_driver_pipe_record(d, "b", -1, weir_str("k"), weir_bytes_of(bytes, 600000), 1, NULL);
	weir_driver_pipe(d, "b", "k", "", 1);
	assert_true(weir_driver_read(d, "out", &r));
	assert_int_equal(r.value.len, 600000);
	assert_true(weir_driver_read(d, "dead-letters", &r));
	assert_bytes(weir_headers_last(r.headers, "__streams.errors.topic"), "b");
	assert_memory_equal(weir_headers_last(r.headers, "reason").data, "result refused: ", 16);
	assert_nothing(d, "dead-letters");
	assert_nothing(d, "out");
	weir_driver_free(d);
	free(bytes);
}

/* In an outer join those of one key and time wait together, in one list. */
static void those_that_wait_together_for_a_partner_outgrow_no_changelog(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_join_window w = { .before_ms = 1000, .after_ms = 1000 };
	char *bytes = filled(LARGEST);

	(void)state;
	weir_sink(weir_outer_join(text_source(t, "a"), "j", text_source(t, "b"), lengths, NULL, w, NULL), "out",
		  (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_stop(d, false);
	for (int i = 0; i < 7; i++)
		weir_driver_pipe_record(d, "a", -1, weir_str("k"), weir_bytes_of(bytes, 300000), 1, NULL);
	must(weir_driver_start(d, NULL, &err));
	goes_on(d);
	assert_int_equal(letters(d), 4);
	must(weir_driver_restart(d, true, &err));
	weir_driver_pipe(d, "b", "other", "1", 5000);
	weir_driver_advance(d, 2000);
	weir_driver_pipe(d, "b", "other", "1", 5001);
	assert_text(d, "out", "k=300000+-1@1", "k=300000+-1@1", "k=300000+-1@1");
	assert_int_equal(letters(d), 0);
	weir_driver_free(d);
	free(bytes);
}

static const void *left_of(weir_context *cx, weir_bytes key, const void *left, const void *right, void *user)
{
	(void)cx, (void)key, (void)user;
	return left ? left : right;
}

static const void *counted(weir_context *cx, const void *a, const void *b, void *user)
{
	int64_t *calls = user;

	++*calls;
	return appended(cx, a, b, NULL);
}

static void is_letter(const weir_driver_record *r, size_t len, const char *step, const char *time_ms)
{
	assert_bytes(r->key, "k");
	assert_int_equal(r->value.len, len);
	assert_bytes(weir_headers_last(r->headers, "step"), step);
	assert_bytes(weir_headers_last(r->headers, "original-timestamp"), time_ms);
	assert_memory_equal(weir_headers_last(r->headers, "reason").data, "result refused: store \"all\"", 27);
}

/* They are of no record at work: nobody else's is to become a letter for them, or to be lost with them. */
static void what_comes_alone_too_large_for_the_state_below_is_told(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_join_window w = { .before_ms = 1000, .after_ms = 1000 };
	int64_t calls = 0;
	weir_stream *alone = weir_left_join(text_source(t, "a"), "j", text_source(t, "b"), left_of, NULL, w, NULL);
	char *bytes = filled(LARGEST);
	weir_driver_record r;

	(void)state;
	weir_sink(weir_changes(weir_reduce(alone, "all", counted, (weir_window){ 0 }, &calls)), "out",
		  (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe_record(d, "a", -1, weir_str("k"), weir_bytes_of(bytes, 600000), 1, NULL);
	for (int i = 0; i < 12; i++) /* those of one time wait in one row */
		weir_driver_pipe_record(d, "a", -1, weir_str("k"), weir_bytes_of(bytes, 450000 + (size_t)i),
					2 + i / 2, NULL);
	weir_driver_pipe(d, "a", "k", "x", 9);
	weir_driver_advance(d, 2000);
	calls = 0;
	weir_driver_pipe(d, "a", "l", "1", 5000);
	goes_on(d);
	assert_int_equal(calls, 12 + 1 + 1); /* all are found at once; then those that fit once more */
	for (int i = 0; i < 12; i++) {
		assert_true(weir_driver_read(d, "dead-letters", &r));
		is_letter(&r, 450000 + (size_t)i, "j", (const char[]){ (char)('2' + i / 2), 0 });
	}
	assert_nothing(d, "dead-letters");
	assert_true(weir_driver_read(d, "out", &r));
	assert_int_equal(r.value.len, 600001);
	assert_nothing(d, "out");
	must(weir_driver_restart(d, true, &err));
	weir_driver_pipe(d, "a", "k", "y", 10000);
	weir_driver_advance(d, 2000);
	weir_driver_pipe(d, "a", "m", "1", 20000);
	assert_true(weir_driver_read(d, "out", &r));
	assert_bytes(r.key, "l"); /* and it is not lost */
	assert_true(weir_driver_read(d, "out", &r));
	assert_int_equal(r.value.len, 600002);
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
	free(bytes);
}

/* What has waited for a row of its time says where it came from. */
static void what_has_waited_for_a_table_and_is_too_large_is_told(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = text_source(t, "in");
	weir_table *rows =
		weir_table_source(t, "rows",
				  (weir_table_source_opts){ .value = &weir_utf8,
							    .store = { .versioned = true, .history_ms = 1000 } });
	weir_stream *with =
		weir_left_join_table(in, "with", rows, left_of, (weir_join_table_opts){ .grace_ms = 100 }, NULL);
	char *bytes = filled(LARGEST);
	weir_driver_record r;

	(void)state;
	weir_sink(weir_changes(weir_reduce(with, "all", appended, (weir_window){ 0 }, NULL)), "out",
		  (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe_record(d, "in", -1, weir_str("k"), weir_bytes_of(bytes, 600000), 1, NULL);
	weir_driver_pipe_record(d, "in", -1, weir_str("k"), weir_bytes_of(bytes, 500000), 2, NULL);
	weir_driver_pipe(d, "in", "k", "x", 3);
	weir_driver_pipe(d, "in", "l", "1", 5000);
	goes_on(d);
	assert_true(weir_driver_read(d, "dead-letters", &r));
	is_letter(&r, 500000, "with", "2");
	assert_bytes(weir_headers_last(r.headers, "__streams.errors.topic"), "in");
	assert_bytes(weir_headers_last(r.headers, "__streams.errors.partition"), "0");
	assert_bytes(weir_headers_last(r.headers, "__streams.errors.offset"), "1");
	assert_nothing(d, "dead-letters");
	assert_true(weir_driver_read(d, "out", &r));
	assert_int_equal(r.value.len, 600001);
	weir_driver_free(d);
	free(bytes);
}

static void what_comes_alone_too_large_stops_where_letters_are_not_wanted(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *alone = weir_left_join(text_source(t, "a"), "j", text_source(t, "b"), left_of, NULL,
					    (weir_join_window){ .after_ms = 1000 }, NULL);
	char *bytes = filled(LARGEST);
	weir_error err = { .code = WEIR_OK };

	(void)state;
	weir_sink(weir_changes(weir_reduce(alone, "all", appended, (weir_window){ 0 }, NULL)), "out",
		  (weir_sink_opts){ 0 });
	const char *const stop[][2] = { { "errors.production", "stop" } };
	weir_driver *d = driver(t, (weir_driver_opts){ .config = stop, .config_count = 1 });

	for (int i = 0; i < 2; i++)
		weir_driver_pipe_record(d, "a", -1, weir_str("k"), weir_bytes_of(bytes, 600000), i + 1, NULL);
	weir_driver_advance(d, 2000);
	weir_driver_pipe(d, "a", "l", "1", 5000);
	assert_int_not_equal(weir_app_state_get(weir_driver_app(d), &err), WEIR_APP_RUNNING);
	assert_contains(err.message, "store \"all\": a record of");
	weir_driver_free(d);
	free(bytes);
}

/* --- windows and folds ------------------------------------------------------------------------------------- */

static void windows_of_all_kinds_go_on(void **state)
{
	static const weir_window windows[] = { { 0 },
					       { .size_ms = 1000 },
					       { .size_ms = 2000, .advance_ms = 1000 },
					       { .gap_ms = 1000 },
					       { .difference_ms = 1000 },
					       { .unlimited = true } };

	(void)state;
	for (size_t i = 0; i < LENGTH(windows); i++) {
		weir_topology *t = weir_topology_new("app");

		weir_sink(weir_changes(weir_reduce(text_source(t, "in"), "all", appended, windows[i], NULL)), "out",
			  (weir_sink_opts){ 0 });
		weir_driver *d = driver(t, (weir_driver_opts){ 0 });

		pipe_poison(d, "in", 2);
		assert_true(letters(d) > 0);
		must(weir_driver_restart(d, true, &err));
		goes_on(d);
		read_all(d, "out");
		weir_driver_pipe(d, "in", "sane", "a", 1000);
		weir_driver_record r;

		assert_true(weir_driver_read(d, "out", &r));
		assert_bytes(r.value, "a");
		assert_int_equal(letters(d), 0);
		weir_driver_free(d);
	}
}

/* --- tables ------------------------------------------------------------------------------------------------ */

static weir_table *table(weir_topology *t, const char *name)
{
	return weir_table_source(t, name, (weir_table_source_opts){ .value = &weir_utf8 });
}

static void tables_and_their_joins_go_on(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_table *a = table(t, "a"), *b = table(t, "b");

	(void)state;
	weir_sink(weir_changes(weir_table_outer_join(a, "j", b, joined, NULL, (weir_table_opts){ .store = "kept" },
						     NULL)),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	pipe_poison(d, "a", 1);
	assert_true(letters(d) > 0);
	read_all(d, "out");
	weir_driver_pipe(d, "a", "k", "1", 2000);
	weir_driver_pipe(d, "b", "k", "2", 2000);
	assert_text(d, "out", "k=1@2000", "k=12@2000");
	weir_driver_free(d);
}

static void by_first(weir_context *cx, const weir_record *in, weir_record *out, void *user)
{
	const weir_bytes *v = weir_value(in);

	(void)cx, (void)user;
	*out = *in;
	out->key = weir_bytes_of(v->data, v->len < 1 ? v->len : 1);
}

static void grouped_tables_go_on(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_sink(weir_changes(weir_grouped_count(
			  weir_table_group_by(table(t, "in"), "g", by_first, (weir_group_by_opts){ 0 }, NULL),
			  "counts", (weir_table_opts){ 0 })),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	pipe_poison(d, "in", 1);
	assert_true(letters(d) > 0);
	read_all(d, "out");
	weir_driver_pipe(d, "in", "k", "y1", 2000);
	weir_driver_pipe(d, "in", "l", "y2", 2000);
	weir_driver_pipe(d, "in", "k", "z", 2000);
	assert_numbers(d, "out", "y=1@2000", "y=2@2000", "y=1@2000", "z=1@2000");
	weir_driver_free(d);
}

/* Old and new row go to their group in one record, if that is not too large. */
static void large_rows_of_a_group_are_neither_lost_nor_doubled(void **state)
{
	weir_topology *t = weir_topology_new("app");
	char *bytes = filled(LARGEST);

	(void)state;
	weir_sink(weir_changes(weir_grouped_count(
			  weir_table_group_by(table(t, "in"), "g", by_first, (weir_group_by_opts){ 0 }, NULL),
			  "counts", (weir_table_opts){ 0 })),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe_record(d, "in", -1, weir_str("a"), weir_bytes_of(bytes, 700000), 1, NULL);
	weir_driver_pipe_record(d, "in", -1, weir_str("b"), weir_bytes_of(bytes, 700000), 2, NULL);
	weir_driver_pipe_record(d, "in", -1, weir_str("a"), weir_bytes_of(bytes, 700001), 3, NULL);
	weir_driver_pipe(d, "in", "a", NULL, 4);
	goes_on(d);
	assert_int_equal(letters(d), 0);
	assert_numbers(d, "out", "x=1@1", "x=2@2", "x=2@3", "x=1@4");
	weir_driver_free(d);
	free(bytes);
}

static weir_bytes whole_value(weir_context *cx, const weir_record *r, void *user)
{
	const weir_bytes *v = weir_value(r);

	(void)cx, (void)user;
	return v ? *v : WEIR_NULL;
}

static void foreign_key_joins_go_on(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_sink(weir_changes(weir_table_left_join_foreign(table(t, "left"), "j", table(t, "right"), whole_value,
							    lengths, (weir_foreign_opts){ 0 }, NULL)),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "left", "early", "x", 1);
	pipe_poison(d, "left", 1);
	pipe_poison(d, "right", 1);
	assert_true(letters(d) > 0);
	read_all(d, "out");
	weir_driver_pipe(d, "right", "r", "abc", 2000);
	weir_driver_pipe(d, "left", "l", "r", 2001);
	assert_text(d, "out", "l=1+3@2001");
	weir_driver_free(d);
}

/* --- topics in between ------------------------------------------------------------------------------------- */

static void repartition_topics_go_on(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = weir_key_by(text_source(t, "in"), "by-value", whole_value, NULL);

	(void)state;
	weir_sink(weir_changes(weir_count(in, "counts", (weir_window){ .size_ms = 1000 })), "out",
		  (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	pipe_poison(d, "in", 1);
	assert_true(letters(d) > 0);
	read_all(d, "out");
	weir_driver_pipe(d, "in", "k", "v", 1000);
	assert_windowed_numbers(d, "out", "v[1000]=1@1000");
	weir_driver_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(joins_of_streams_go_on),
		cmocka_unit_test(a_result_larger_than_both_its_sides_is_told),
		cmocka_unit_test(those_that_wait_together_for_a_partner_outgrow_no_changelog),
		cmocka_unit_test(what_comes_alone_too_large_for_the_state_below_is_told),
		cmocka_unit_test(what_has_waited_for_a_table_and_is_too_large_is_told),
		cmocka_unit_test(what_comes_alone_too_large_stops_where_letters_are_not_wanted),
		cmocka_unit_test(windows_of_all_kinds_go_on),
		cmocka_unit_test(tables_and_their_joins_go_on),
		cmocka_unit_test(grouped_tables_go_on),
		cmocka_unit_test(large_rows_of_a_group_are_neither_lost_nor_doubled),
		cmocka_unit_test(foreign_key_joins_go_on),
		cmocka_unit_test(repartition_topics_go_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
