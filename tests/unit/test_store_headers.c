/* Stores that keep the headers of their values. */
#include "state/disk.h"
#include "state/headers.h"
#include "tests/unit/store_fixture.h"

static const weir_header some[] = { { "a", { "1", 1 } }, { "b", { NULL, 0 } }, { "a", { "", 0 } } };
static const weir_headers three = { some, 3 };

static struct store_spec spec_of(enum store_kind kind)
{
	return (struct store_spec){ .kind = kind,
				    .headers = true,
				    .window_size_ms = kind == STORE_WINDOW ? 10 : 0,
				    .retention_ms = 1000000 };
}

#define SETUP(name, disk, kind) \
	static int name(void **state) \
	{ \
		*state = fixture_new(disk, spec_of(kind)); \
		return 0; \
	}
SETUP(keys_in_memory, false, STORE_KEY_VALUE)
SETUP(keys_on_disk, true, STORE_KEY_VALUE)
SETUP(windows_in_memory, false, STORE_WINDOW)
SETUP(windows_on_disk, true, STORE_WINDOW)
SETUP(sessions_in_memory, false, STORE_SESSION)
SETUP(sessions_on_disk, true, STORE_SESSION)

/* "a=1 b=null a= " */
static const char *headers_text(const weir_headers *headers)
{
	static char text[4096];

	text[0] = 0;
	for (size_t i = 0; i < headers->count; i++)
		append_text(text, sizeof text, "%s=%.*s ", headers->items[i].name, TEXT(headers->items[i].value));
	return text;
}

static const char *const wanted = "a=1 b=null a= ";

/* --- the form of values --------------------------------------------------------------------------------------- */

static void assert_kept(weir_bytes value, const weir_headers *headers)
{
	struct kept_headers room = { 0 };
	struct buffer b = { 0 };
	weir_bytes kept = weir__kept_encode(&b, value, headers);
	const weir_headers *got = weir__kept_headers(&room, kept);

	assert_true(weir_bytes_equal(weir__kept_value(kept), value));
	assert_int_equal(got->count, headers ? headers->count : 0);
	for (size_t i = 0; i < got->count; i++) {
		assert_string_equal(got->items[i].name, headers->items[i].name);
		assert_true(weir_bytes_equal(got->items[i].value, headers->items[i].value));
	}
	weir__kept_release(&room);
	weir__buffer_release(&b);
}

static void values_come_back_with_their_headers(void **state)
{
	static char large[70000];
	weir_header many[100];

	(void)state;
	assert_kept(weir_str("value"), NULL);
	assert_kept(weir_str(""), &three);
	assert_kept(weir_str("value"), &three);
	assert_kept(weir_bytes_of(large, sizeof large), &three);
	for (size_t i = 0; i < 100; i++)
		many[i] = (weir_header){ i % 2 ? "" : "name", weir_bytes_of(large, i * 700) };
	for (size_t n = 0; n <= 100; n += 5)
		assert_kept(weir_str("value"), &(weir_headers){ many, n });
	assert_true(weir_is_null(weir__kept_value(WEIR_NULL)));
}

/* --- keys and values ------------------------------------------------------------------------------------------ */

static void assert_with_headers(struct fixture *f, const char *key, const char *value, const char *headers)
{
	const weir_headers *got = NULL;
	int64_t ms = 0;

	assert_value(weir_store_get_headers(f->store, weir_str(key), &ms, &got), value);
	assert_string_equal(headers_text(got), headers);
	if (value)
		assert_int_equal(ms, 7);
}

static void put_with(struct fixture *f, const char *key, const char *value, const weir_headers *headers)
{
	weir_store_put_headers(f->store, weir_str(key), weir_str(value), 7, headers);
}

static void a_value_is_got_with_the_headers_it_was_put_with(void **state)
{
	struct fixture *f = *state;

	put_with(f, "k", "one", &three);
	put(f, "l", "two");
	assert_with_headers(f, "k", "one", wanted);
	assert_with_headers(f, "l", "two", "");
	assert_with_headers(f, "m", NULL, "");
	assert_get(f, "k", "one");
	put(f, "k", "three");
	assert_with_headers(f, "k", "three", "");
	put_with(f, "l", NULL, &three);
	assert_with_headers(f, "l", NULL, "");
}

static void they_outlive_checkpoints_and_what_leaves_the_cache(void **state)
{
	struct fixture *f = *state;
	weir_entry e;

	put_with(f, "a", "1", &three);
	put(f, "b", "2");
	commit(f, 2);
	checkpoint(f, true);
	weir__store_shrink(f->store, 0);
	put_with(f, "c", "3", &three);
	weir_iterator *it = weir_store_range(f->store, WEIR_NULL, WEIR_NULL, false);

	assert_true(weir_iterator_next(it, &e));
	assert_value(e.value, "1");
	assert_string_equal(headers_text(e.headers), wanted);
	assert_true(weir_iterator_next(it, &e));
	assert_value(e.value, "2");
	assert_int_equal(e.headers->count, 0);
	assert_true(weir_iterator_next(it, &e));
	assert_value(e.value, "3");
	assert_string_equal(headers_text(e.headers), wanted);
	assert_false(weir_iterator_next(it, &e));
	weir_iterator_close(it);
	assert_with_headers(f, "a", "1", wanted);
}

static bool note_headers(const struct store_change *c, void *user)
{
	struct fixture *f = user;

	append_text(f->flushed, sizeof f->flushed, "%.*s=%.*s{%s} ", TEXT(c->key), TEXT(c->value),
		    headers_text(c->headers));
	return true;
}

static void a_flush_gives_them_beside_the_value(void **state)
{
	struct fixture *f = *state;

	put_with(f, "a", "1", &three);
	put(f, "b", "2");
	put_with(f, "c", "3", &three);
	put(f, "c", NULL);
	assert_true(weir__store_flush(f->store, note_headers, f));
	assert_string_equal(f->flushed, "a=1{a=1 b=null a= } b=2{} c=null{} ");
}

static void restored_values_have_those_of_the_changelogs_records(void **state)
{
	struct fixture *f = *state;

	weir__store_restore_put_headers(f->store, weir_str("a"), weir_str("1"), 7, &three);
	weir__store_restore_put(f->store, weir_str("b"), weir_str("2"), 7);
	weir__store_restore_put_headers(f->store, weir_str("c"), weir_str("3"), 7, &three);
	weir__store_restore_put_headers(f->store, weir_str("c"), WEIR_NULL, 7, &three);
	assert_true(weir__store_restore_done(f->store, 4, NULL));
	assert_with_headers(f, "a", "1", wanted);
	assert_with_headers(f, "b", "2", "");
	assert_with_headers(f, "c", NULL, "");
}

/* --- windows and sessions ------------------------------------------------------------------------------------- */

static void windows_keep_them(void **state)
{
	struct fixture *f = *state;
	const weir_headers *got = NULL;
	weir_bytes k = weir_str("k");
	weir_entry e;

	weir_window_put_headers(f->store, k, weir_str("one"), 10, 12, &three);
	weir_window_put(f->store, k, weir_str("two"), 20, 22);
	commit(f, 2);
	checkpoint(f, true);
	weir__store_shrink(f->store, 0);
	assert_value(weir_window_get_headers(f->store, k, 10, NULL, &got), "one");
	assert_string_equal(headers_text(got), wanted);
	assert_value(weir_window_get_headers(f->store, k, 20, NULL, &got), "two");
	assert_int_equal(got->count, 0);
	assert_value(weir_window_get_headers(f->store, k, 30, NULL, &got), NULL);
	assert_int_equal(got->count, 0);
	assert_window(f, "k", 10, "one");
	weir_iterator *it = weir_window_fetch(f->store, k, 0, 100, false);

	assert_true(weir_iterator_next(it, &e));
	assert_value(e.value, "one");
	assert_string_equal(headers_text(e.headers), wanted);
	weir_iterator_close(it);
}

static void sessions_keep_them(void **state)
{
	struct fixture *f = *state;
	const weir_headers *got = NULL;
	weir_bytes k = weir_str("k");
	weir_entry e;

	weir_session_put_headers(f->store, k, weir_str("one"), 10, 20, 12, &three);
	weir_session_put(f->store, k, weir_str("two"), 30, 40, 22);
	assert_true(weir__store_flush(f->store, note_change, f));
	weir__store_committed(f->store, 2);
	checkpoint(f, true);
	weir__store_shrink(f->store, 0);
	assert_value(weir_session_get_headers(f->store, k, 10, 20, NULL, &got), "one");
	assert_string_equal(headers_text(got), wanted);
	assert_value(weir_session_get_headers(f->store, k, 30, 40, NULL, &got), "two");
	assert_int_equal(got->count, 0);
	assert_value(weir_session_get(f->store, k, 10, 20, NULL), "one");
	weir_iterator *it = weir_session_find(f->store, k, 0, 100, false);

	assert_true(weir_iterator_next(it, &e));
	assert_value(e.value, "one");
	assert_string_equal(headers_text(e.headers), wanted);
	weir_iterator_close(it);
}

static void rows_beside_each_other_have_their_own(void **state)
{
	struct store_spec spec = spec_of(STORE_WINDOW);
	weir_entry e;

	(void)state;
	spec.duplicates = true;
	struct fixture *f = fixture_new(true, spec);

	weir_window_put_headers(f->store, weir_str("k"), weir_str("one"), 10, 10, &three);
	weir_window_put_headers(f->store, weir_str("k"), weir_str("two"), 10, 10, NULL);
	weir_iterator *it = weir_window_fetch(f->store, weir_str("k"), 0, 100, false);

	assert_true(weir_iterator_next(it, &e));
	assert_value(e.value, "one");
	assert_string_equal(headers_text(e.headers), wanted);
	assert_true(weir_iterator_next(it, &e));
	assert_value(e.value, "two");
	assert_int_equal(e.headers->count, 0);
	weir_iterator_close(it);
	fixture_free(f);
}

/* --- another topology ----------------------------------------------------------------------------------------- */

static void state_with_or_without_headers_is_wiped_if_it_is_wanted_otherwise(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		put(f, "a", "1");
		commit(f, 1);
		checkpoint(f, true);
		fixture_close(f);
		f->spec.headers = !f->spec.headers;
		fixture_open(f);
		assert_int_equal(weir__store_checkpoint_offset(f->store), -1);
		assert_get(f, "a", NULL);
		weir__store_restore_put(f->store, weir_str("a"), weir_str("1"), 7);
		assert_true(weir__store_restore_done(f->store, 1, NULL));
		assert_get(f, "a", "1");
		checkpoint(f, true);
		fixture_close(f);
		fixture_open(f); /* and stays */
		assert_int_equal(weir__store_checkpoint_offset(f->store), 1);
		assert_get(f, "a", "1");
	}
}

static void without_a_changelog_it_is_refused(void **state)
{
	struct fixture *f = *state;
	weir_error err = { 0 };

	put(f, "a", "1");
	commit(f, 1);
	checkpoint(f, true);
	weir__store_close(f->store);
	f->spec.headers = f->spec.logged = false;
	assert_null(weir__store_open(f->state, &f->spec, 0, &err));
	assert_int_equal(err.code, WEIR_STATE);
	assert_non_null(strstr(err.message, "holds values with headers on disk, the topology wants them without"));
	f->spec.headers = true;
	fixture_open(f);
	assert_get(f, "a", "1");
}

#define BOTH(test, kind) \
	cmocka_unit_test_setup_teardown(test, kind##_in_memory, fixture_drop), \
		cmocka_unit_test_setup_teardown(test, kind##_on_disk, fixture_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_come_back_with_their_headers),
		BOTH(a_value_is_got_with_the_headers_it_was_put_with, keys),
		BOTH(they_outlive_checkpoints_and_what_leaves_the_cache, keys),
		BOTH(a_flush_gives_them_beside_the_value, keys),
		BOTH(restored_values_have_those_of_the_changelogs_records, keys),
		BOTH(windows_keep_them, windows),
		BOTH(sessions_keep_them, sessions),
		cmocka_unit_test(rows_beside_each_other_have_their_own),
		cmocka_unit_test_setup_teardown(state_with_or_without_headers_is_wiped_if_it_is_wanted_otherwise,
						keys_on_disk, fixture_drop),
		cmocka_unit_test_setup_teardown(without_a_changelog_it_is_refused, keys_on_disk, fixture_drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
