#include "tests/unit/store_fixture.h"

/* A live object that is encoded as decimal text, so that bytes and object cannot be confused. */
struct count {
	int64_t n;
	int64_t spare;
};

static weir_bytes encode(const void *object, void *user)
{
	static char text[32];
	const struct count *c = object;

	(void)user;
	snprintf(text, sizeof text, "%" PRId64, c->n);
	return weir_str(text);
}

static bool decode(weir_bytes bytes, void *object, void *user)
{
	char text[32];

	(void)user;
	if (bytes.len == 0 || bytes.len >= sizeof text)
		return false;
	memcpy(text, bytes.data, bytes.len);
	text[bytes.len] = 0;
	*(struct count *)object = (struct count){ .n = strtoll(text, NULL, 10) };
	return true;
}

static struct store_spec counts(enum store_kind kind)
{
	return (struct store_spec){ .kind = kind,
				    .retention_ms = 1000,
				    .segment_ms = 100,
				    .keep_old = true,
				    .codec = { sizeof(struct count), encode, decode, NULL } };
}

static int in_memory(void **state)
{
	*state = fixture_new(false, counts(STORE_KEY_VALUE));
	return 0;
}

static int on_disk(void **state)
{
	*state = fixture_new(true, counts(STORE_KEY_VALUE));
	return 0;
}

static int windows_on_disk(void **state)
{
	*state = fixture_new(true, counts(STORE_WINDOW));
	return 0;
}

static void add(struct fixture *f, const char *key, int64_t start_ms, int64_t n, bool wanted_created)
{
	bool created;
	struct count *c = weir__store_object(f->store, weir_str(key), start_ms, 5, &created);

	assert_non_null(c);
	assert_int_equal(created, wanted_created);
	c->n += n;
}

static void an_object_is_made_of_zero_bytes_and_changed_in_place(void **state)
{
	struct fixture *f = *state;

	add(f, "a", 0, 1, true);
	add(f, "a", 0, 2, false);
	assert_get(f, "a", "3");
	flush(f);
	assert_string_equal(f->flushed, "a=3(null) ");
}

static void an_object_comes_back_from_disk(void **state)
{
	struct fixture *f = *state;

	add(f, "a", 0, 41, true);
	commit(f, 1);
	checkpoint(f, true);
	fixture_crash(f);
	fixture_open(f);
	add(f, "a", 0, 1, false);
	commit(f, 2);
	assert_string_equal(f->flushed, "a=42(41) ");
}

static void a_deleted_object_is_made_anew(void **state)
{
	struct fixture *f = *state;

	add(f, "a", 0, 41, true);
	commit(f, 1);
	put(f, "a", NULL);
	add(f, "a", 0, 1, true);
	flush(f);
	assert_string_equal(f->flushed, "a=1(41) ");
}

static void what_is_undone_leaves_no_trace(void **state)
{
	struct fixture *f = *state;

	add(f, "a", 0, 1, true);
	weir__store_object_undo(f->store);
	assert_get(f, "a", NULL);
	assert_false(weir__store_changed(f->store));
	commit(f, 1);
	assert_string_equal(f->flushed, "");
	add(f, "a", 0, 2, true);
	add(f, "b", 0, 3, true);
	commit(f, 2);
	assert_string_equal(f->flushed, "a=2(null) b=3(null) ");
}

static void what_was_deleted_before_is_deleted_again(void **state)
{
	struct fixture *f = *state;

	add(f, "a", 0, 41, true);
	add(f, "b", 0, 42, true);
	commit(f, 1);
	put(f, "a", NULL);
	add(f, "a", 0, 1, true);
	weir__store_object_undo(f->store);
	assert_get(f, "a", NULL);
	put(f, "b", NULL);
	commit(f, 2);
	assert_string_equal(f->flushed, "a=null(41) b=null(42) ");
	add(f, "b", 0, 1, true); /* deleted, and the disk does not know yet */
	weir__store_object_undo(f->store);
	commit(f, 3);
	assert_get(f, "b", NULL);
	if (!f->dir[0])
		return;
	checkpoint(f, true);
	fixture_crash(f);
	fixture_open(f);
	assert_get(f, "a", NULL);
	assert_get(f, "b", NULL);
}

static void an_object_at(struct fixture *f, const char *key, int64_t start_ms, int64_t timestamp_ms)
{
	bool created;

	assert_non_null(weir__store_object(f->store, weir_str(key), start_ms, timestamp_ms, &created));
}

static void assert_object(struct fixture *f, const char *key, const char *value, int64_t timestamp_ms)
{
	int64_t found_ms;

	assert_value(weir_store_get(f->store, weir_str(key), &found_ms), value);
	assert_int_equal(found_ms, timestamp_ms);
}

/* Whether it was flushed, committed, on disk, or has changed since. */
static void what_was_there_is_as_it_was(void **state)
{
	struct fixture *f = *state;

	add(f, "a", 0, 41, true);
	an_object_at(f, "a", 0, 50);
	weir__store_object_undo(f->store);
	assert_object(f, "a", "41", 5);
	for (int step = 0; step < 3; step++) {
		if (step == 0)
			flush(f);
		else if (step == 1)
			weir__store_committed(f->store, 1);
		else
			checkpoint(f, true);
		an_object_at(f, "a", 0, 50);
		weir__store_object_undo(f->store);
		assert_false(weir__store_changed(f->store));
		assert_object(f, "a", "41", 5);
		assert_int_equal(weir__store_time(f->store), 5);
	}
	commit(f, 2);
	assert_string_equal(f->flushed, "");
	add(f, "a", 0, 1, false);
	commit(f, 3);
	assert_string_equal(f->flushed, "a=42(41) ");
	checkpoint(f, true);
	fixture_crash(f);
	fixture_open(f);
	if (f->dir[0])
		assert_object(f, "a", "42", 5);
}

static void an_undone_window_hides_none(void **state)
{
	struct fixture *f = *state;

	add(f, "a", 100, 1, true);
	an_object_at(f, "b", 2000, 2000);
	assert_window(f, "a", 100, NULL);
	weir__store_object_undo(f->store);
	assert_window(f, "a", 100, "1");
	assert_window(f, "b", 2000, NULL);
	commit(f, 1);
	assert_string_equal(f->flushed, "a/100=1(null) ");
}

static void its_timestamp_is_the_greatest(void **state)
{
	struct fixture *f = *state;
	int64_t timestamp;
	bool created;

	weir__store_object(f->store, weir_str("a"), 0, 50, &created);
	weir__store_object(f->store, weir_str("a"), 0, 40, &created);
	weir_store_get(f->store, weir_str("a"), &timestamp);
	assert_int_equal(timestamp, 50);
}

static void bytes_that_cannot_be_decoded_stop_the_workers(void **state)
{
	struct fixture *f = *state;
	weir_error err = { 0 };

	weir__store_restore_put(f->store, weir_str("a"), weir_str(""), 5);
	weir__store_restore_done(f->store, 1, NULL);
	assert_true(weir_is_null(weir_store_get(f->store, weir_str("a"), NULL)));
	assert_true(weir__state_failed(f->state, &err));
	assert_non_null(strstr(err.message, "counts/0"));
	assert_false(weir__store_checkpoint(f->store, false, NULL));
}

static void windows_hold_objects_too(void **state)
{
	struct fixture *f = *state;
	bool created;

	add(f, "a", 500, 1, true);
	add(f, "a", 600, 2, true);
	commit(f, 2);
	checkpoint(f, false);
	weir__store_shrink(f->store, 0);
	add(f, "a", 500, 3, false);
	add(f, "a", 2000, 5, true);
	assert_null(weir__store_object(f->store, weir_str("a"), 500, 5, &created));
	assert_window(f, "a", 2000, "5");
	commit(f, 3);
	assert_string_equal(f->flushed, "a/500=4(1) a/2000=5(null) ");
	assert_string_equal(listed(f, weir_window_fetch_all(f->store, 0, INT64_MAX)), "a/2000=5 ");
}

static bool overwrite_codec_buffer(const struct store_change *c, void *user)
{
	struct fixture *f = user;

	encode(&(struct count){ .n = 999 }, NULL);
	assert_int_equal(((const struct count *)c->object)->n, 7);
	return note_change(c, f);
}

static void a_flush_function_may_use_the_same_codec(void **state)
{
	struct fixture *f = *state;

	add(f, "a", 0, 7, true);
	assert_true(weir__store_flush(f->store, overwrite_codec_buffer, f));
	assert_string_equal(f->flushed, "a=7(null) ");
}

#define IN_MEMORY(test) \
	{ \
#test " (memory)", test, in_memory, fixture_drop, NULL \
	}
#define ON_DISK(test) \
	{ \
#test " (disk)", test, on_disk, fixture_drop, NULL \
	}
#define BOTH(test) IN_MEMORY(test), ON_DISK(test)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(an_object_is_made_of_zero_bytes_and_changed_in_place),
		ON_DISK(an_object_comes_back_from_disk),
		BOTH(a_deleted_object_is_made_anew),
		BOTH(what_is_undone_leaves_no_trace),
		BOTH(what_was_deleted_before_is_deleted_again),
		BOTH(what_was_there_is_as_it_was),
		cmocka_unit_test_setup_teardown(an_undone_window_hides_none, windows_on_disk, fixture_drop),
		BOTH(its_timestamp_is_the_greatest),
		BOTH(bytes_that_cannot_be_decoded_stop_the_workers),
		cmocka_unit_test_setup_teardown(windows_hold_objects_too, windows_on_disk, fixture_drop),
		BOTH(a_flush_function_may_use_the_same_codec),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
