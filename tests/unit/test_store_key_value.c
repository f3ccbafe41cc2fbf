#include "tests/unit/store_fixture.h"

/* Each test runs over memory and over RocksDB: *state is the fixture. */
static int in_memory(void **state)
{
	*state = fixture_new(false, (struct store_spec){ .kind = STORE_KEY_VALUE });
	return 0;
}

static int on_disk(void **state)
{
	*state = fixture_new(true, (struct store_spec){ .kind = STORE_KEY_VALUE });
	return 0;
}

static int on_disk_with_old(void **state)
{
	*state = fixture_new(true, (struct store_spec){ .kind = STORE_KEY_VALUE, .keep_old = true });
	return 0;
}

static int in_memory_with_old(void **state)
{
	*state = fixture_new(false, (struct store_spec){ .kind = STORE_KEY_VALUE, .keep_old = true });
	return 0;
}

static void what_was_put_is_got_with_its_timestamp(void **state)
{
	struct fixture *f = *state;
	int64_t timestamp = 0;

	assert_get(f, "a", NULL);
	weir_store_put(f->store, weir_str("a"), weir_str("one"), 42);
	assert_value(weir_store_get(f->store, weir_str("a"), &timestamp), "one");
	assert_int_equal(timestamp, 42);
	assert_get(f, "b", NULL);
}

static void an_empty_value_is_not_null(void **state)
{
	struct fixture *f = *state;

	put(f, "a", "");
	put(f, "", "of the empty key");
	commit(f, 2);
	checkpoint(f, true);
	weir__store_shrink(f->store, 0);
	assert_get(f, "a", "");
	assert_get(f, "", "of the empty key");
}

static void a_null_value_deletes(void **state)
{
	struct fixture *f = *state;

	put(f, "a", "1");
	commit(f, 1);
	checkpoint(f, false);
	put(f, "a", NULL);
	assert_get(f, "a", NULL);
	commit(f, 2);
	assert_string_equal(f->flushed, "a=null ");
	assert_get(f, "a", NULL);
	checkpoint(f, false);
	weir__store_shrink(f->store, 0);
	assert_get(f, "a", NULL);
}

static void values_may_grow_and_shrink(void **state)
{
	struct fixture *f = *state;
	char text[300];

	for (size_t n = 0; n < sizeof text - 1; n += 37) {
		memset(text, 'a' + (int)(n % 26), n);
		text[n] = 0;
		put(f, "k", text);
		assert_get(f, "k", text);
	}
	put(f, "k", "small");
	assert_get(f, "k", "small");
}

static void a_value_may_be_put_back_under_its_own_key(void **state)
{
	struct fixture *f = *state;
	weir_bytes value;

	put(f, "k", "0123456789");
	value = weir_store_get(f->store, weir_str("k"), NULL);
	weir_store_put(f->store, weir_str("k"), (weir_bytes){ (const char *)value.data + 3, 4 }, 1);
	assert_get(f, "k", "3456");
}

static void a_flush_gives_each_changed_key_once_in_order_of_first_change(void **state)
{
	struct fixture *f = *state;

	put(f, "b", "1");
	put(f, "a", "2");
	put(f, "b", "3");
	put(f, "c", NULL);
	assert_true(weir__store_changed(f->store));
	flush(f);
	assert_string_equal(f->flushed, "b=3 a=2 c=null ");
	assert_false(weir__store_changed(f->store));
	flush(f);
	assert_string_equal(f->flushed, "");
	put(f, "a", "4");
	flush(f);
	assert_string_equal(f->flushed, "a=4 ");
}

static void a_flush_gives_the_value_as_of_the_last_flush(void **state)
{
	struct fixture *f = *state;

	put(f, "a", "1");
	put(f, "a", "2");
	commit(f, 1);
	assert_string_equal(f->flushed, "a=2(null) ");
	checkpoint(f, false);
	weir__store_shrink(f->store, 0);
	put(f, "a", "3");
	put(f, "a", "4");
	flush(f);
	assert_string_equal(f->flushed, "a=4(2) ");
	put(f, "a", NULL);
	commit(f, 2);
	assert_string_equal(f->flushed, "a=null(4) ");
	put(f, "a", "5");
	flush(f);
	assert_string_equal(f->flushed, "a=5(null) ");
}

struct rewriting {
	struct fixture *f;
	int calls;
};

static bool rewrite_once(const struct store_change *c, void *user)
{
	struct rewriting *r = user;

	if (r->calls++ == 0) {
		put(r->f, "a", "a much longer value that cannot lie where the old one lay");
		put(r->f, "b", "2");
	}
	return note_change(c, r->f); /* what it was given has not changed */
}

static void a_flush_function_may_write_to_the_store(void **state)
{
	struct rewriting r = { .f = *state };

	put(r.f, "a", "1");
	assert_true(weir__store_flush(r.f->store, rewrite_once, &r));
	assert_string_equal(r.f->flushed, "a=1 a=a much longer value that cannot lie where the old one lay b=2 ");
}

static bool refuse_b(const struct store_change *c, void *user)
{
	return weir_bytes_equal(c->key, weir_str("b")) ? false : note_change(c, user);
}

static void a_flush_that_is_stopped_keeps_the_rest_changed(void **state)
{
	struct fixture *f = *state;

	put(f, "a", "1");
	put(f, "b", "2");
	put(f, "c", "3");
	assert_false(weir__store_flush(f->store, refuse_b, f));
	assert_string_equal(f->flushed, "a=1 ");
	assert_true(weir__store_changed(f->store));
	flush(f);
	assert_string_equal(f->flushed, "b=2 c=3 ");
}

static void ranges_are_in_byte_order_and_see_own_writes(void **state)
{
	struct fixture *f = *state;

	put(f, "b", "1");
	put(f, "d", "2");
	put(f, "\xff", "3");
	put(f, "c", "4");
	commit(f, 4);
	checkpoint(f, false);
	weir__store_shrink(f->store, 0);
	put(f, "a", "5");
	put(f, "c", "6");
	put(f, "d", NULL);
	assert_string_equal(listed(f, weir_store_range(f->store, WEIR_NULL, WEIR_NULL, false)),
			    "a=5 b=1 c=6 \xff=3 ");
	assert_string_equal(listed(f, weir_store_range(f->store, WEIR_NULL, WEIR_NULL, true)),
			    "\xff=3 c=6 b=1 a=5 ");
	assert_string_equal(listed(f, weir_store_range(f->store, weir_str("b"), weir_str("c"), false)), "b=1 c=6 ");
	assert_string_equal(listed(f, weir_store_range(f->store, weir_str("aa"), weir_str("d"), true)), "c=6 b=1 ");
	assert_string_equal(listed(f, weir_store_range(f->store, weir_str("c"), weir_str("b"), false)), "");
}

static void a_prefix_gives_the_keys_that_begin_with_it(void **state)
{
	struct fixture *f = *state;

	put(f, "ab", "1");
	put(f, "a", "2");
	commit(f, 2);
	checkpoint(f, false);
	put(f, "abc", "3");
	put(f, "ac", "4");
	put(f,
	    "\xff\xff"
	    "x",
	    "5");
	assert_string_equal(listed(f, weir_store_prefix(f->store, weir_str("ab"))), "ab=1 abc=3 ");
	assert_string_equal(listed(f, weir_store_prefix(f->store, weir_str("\xff"))), "\xff\xff"
										      "x=5 ");
	assert_string_equal(listed(f, weir_store_prefix(f->store, weir_str(""))), "a=2 ab=1 abc=3 ac=4 \xff\xff"
										  "x=5 ");
}

static void assert_peeked(weir_iterator *it, const char *key, const char *value)
{
	weir_entry e;

	assert_true(weir_iterator_peek(it, &e));
	assert_value(e.key, key);
	assert_value(e.value, value);
}

static void what_is_peeked_at_comes_next_or_what_was_put_before_it(void **state)
{
	struct fixture *f = *state;
	weir_entry e;

	put(f, "a", "1");
	put(f, "c", "3");
	commit(f, 2);
	checkpoint(f, true);
	put(f, "d", "4");
	weir_iterator *it = weir_store_range(f->store, WEIR_NULL, WEIR_NULL, false);
	assert_peeked(it, "a", "1");
	assert_peeked(it, "a", "1");
	assert_get(f, "c", "3"); /* reading does not disturb it */
	assert_true(weir_iterator_next(it, &e));
	assert_value(e.key, "a");
	assert_peeked(it, "c", "3");
	put(f, "b", "2");
	assert_peeked(it, "b", "2");
	assert_true(weir_iterator_next(it, &e));
	assert_value(e.key, "b");
	assert_peeked(it, "c", "3");
	put(f, "c", NULL);
	assert_true(weir_iterator_next(it, &e));
	assert_value(e.key, "d");
	assert_false(weir_iterator_peek(it, &e));
	assert_false(weir_iterator_next(it, &e));
	put(f, "e", "5");
	assert_peeked(it, "e", "5");
	weir_iterator_close(it);

	it = weir_store_range(f->store, WEIR_NULL, WEIR_NULL, true);
	for (int i = 0; i < 3; i++) {
		assert_true(weir_iterator_peek(it, &e));
		assert_true(weir_iterator_next(it, &e));
	}
	assert_peeked(it, "a", "1");
	weir_iterator_close(it);
}

static void a_value_is_put_if_there_is_none(void **state)
{
	struct fixture *f = *state;

	assert_value(weir_store_put_if_absent(f->store, weir_str("a"), weir_str("1"), 7), NULL);
	assert_value(weir_store_put_if_absent(f->store, weir_str("a"), weir_str("2"), 8), "1");
	assert_get(f, "a", "1");
	put(f, "a", NULL);
	assert_value(weir_store_put_if_absent(f->store, weir_str("a"), weir_str("3"), 9), NULL);
	assert_get(f, "a", "3");
}

static void an_iterator_outlives_writes_a_checkpoint_and_its_store(void **state)
{
	struct fixture *f = *state;
	weir_iterator *it;
	weir_entry e;

	put(f, "a", "1");
	put(f, "b", "2");
	put(f, "d", "3");
	it = weir_store_range(f->store, WEIR_NULL, WEIR_NULL, false);
	assert_true(weir_iterator_next(it, &e));
	assert_value(e.key, "a");
	put(f, "c", "a new one");
	put(f, "b", "another value, longer than the one before it was");
	assert_true(weir_iterator_next(it, &e));
	assert_value(e.value, "another value, longer than the one before it was");
	commit(f, 1);
	checkpoint(f, false);
	weir__store_shrink(f->store, 0);
	assert_true(weir_iterator_next(it, &e));
	assert_value(e.key, "c");
	weir__store_close(f->store);
	assert_false(weir_iterator_next(it, &e));
	weir_iterator_close(it);
	f->store = NULL;
	fixture_open(f);
}

static void many_keys_are_all_found(void **state)
{
	struct fixture *f = *state;
	char key[16], value[16];

	for (int i = 0; i < 5000; i++) {
		snprintf(key, sizeof key, "k%d", i);
		snprintf(value, sizeof value, "%d", i * 3);
		put(f, key, value);
	}
	for (int i = 0; i < 5000; i++) {
		snprintf(key, sizeof key, "k%d", i);
		snprintf(value, sizeof value, "%d", i * 3);
		assert_get(f, key, value);
	}
}

static void discard_takes_back_what_is_not_on_disk(void **state)
{
	struct fixture *f = *state;

	put(f, "a", "1");
	commit(f, 1);
	checkpoint(f, false);
	assert_int_equal(weir__store_checkpoint_offset(f->store), 1);
	put(f, "b", "committed, not written");
	commit(f, 2);
	put(f, "a", "2");
	flush(f);
	put(f, "c", "3");
	weir__store_discard(f->store);
	assert_int_equal(weir__store_checkpoint_offset(f->store), 1);
	assert_get(f, "a", "1");
	assert_get(f, "b", NULL);
	assert_get(f, "c", NULL);
}

static void a_crash_leaves_the_durable_checkpoint(void **state)
{
	struct fixture *f = *state;

	put(f, "a", "1");
	commit(f, 1);
	checkpoint(f, true);
	assert_int_equal(weir__store_tail(f->store), 0);
	put(f, "b", "2");
	commit(f, 2);
	checkpoint(f, false);
	assert_int_equal(weir__store_tail(f->store), 1);
	put(f, "c", "3");
	flush(f);
	fixture_crash(f);
	fixture_open(f);
	assert_int_equal(weir__store_checkpoint_offset(f->store), 1);
	assert_int_equal(weir__store_checkpoint_wall_ms(f->store), 1000000);
	assert_get(f, "a", "1");
	assert_get(f, "b", NULL);
	weir__store_restore_put(f->store, weir_str("b"), weir_str("2"), 9);
	assert_true(weir__store_restore_done(f->store, 2, NULL));
	assert_get(f, "b", "2");
	assert_get(f, "c", NULL);
	assert_int_equal(weir__store_time(f->store), 9);
}

static void closing_the_state_makes_checkpoints_durable(void **state)
{
	struct fixture *f = *state;

	put(f, "a", "1");
	commit(f, 1);
	checkpoint(f, false);
	fixture_close(f);
	fixture_open(f);
	assert_int_equal(weir__store_checkpoint_offset(f->store), 1);
	assert_get(f, "a", "1");
}

static void shrinking_writes_back_what_is_committed_and_keeps_the_offset(void **state)
{
	struct fixture *f = *state;

	put(f, "a", "1");
	put(f, "b", "1");
	commit(f, 2);
	put(f, "a", "2");
	weir__store_shrink(f->store, 0);
	assert_int_equal(weir__store_checkpoint_offset(f->store), -1);
	weir__store_discard(f->store);
	assert_get(f, "a", NULL);
	assert_get(f, "b", "1");
}

static void a_partition_is_held_by_one_store_at_a_time(void **state)
{
	struct fixture *f = *state;
	weir_error err = { 0 };
	weir_store *other;

	assert_null(weir__store_open(f->state, &f->spec, 0, &err));
	assert_true(err.retriable);
	assert_non_null(strstr(err.message, "counts"));
	other = weir__store_open(f->state, &f->spec, 1, &err);
	assert_non_null(other);
	weir__store_close(other);
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
		BOTH(what_was_put_is_got_with_its_timestamp),
		BOTH(an_empty_value_is_not_null),
		BOTH(a_null_value_deletes),
		BOTH(values_may_grow_and_shrink),
		BOTH(a_value_may_be_put_back_under_its_own_key),
		BOTH(a_flush_gives_each_changed_key_once_in_order_of_first_change),
		cmocka_unit_test_setup_teardown(a_flush_gives_the_value_as_of_the_last_flush, on_disk_with_old,
						fixture_drop),
		cmocka_unit_test_setup_teardown(a_flush_gives_the_value_as_of_the_last_flush, in_memory_with_old,
						fixture_drop),
		BOTH(a_flush_function_may_write_to_the_store),
		BOTH(a_flush_that_is_stopped_keeps_the_rest_changed),
		BOTH(ranges_are_in_byte_order_and_see_own_writes),
		BOTH(a_prefix_gives_the_keys_that_begin_with_it),
		BOTH(an_iterator_outlives_writes_a_checkpoint_and_its_store),
		BOTH(what_is_peeked_at_comes_next_or_what_was_put_before_it),
		BOTH(a_value_is_put_if_there_is_none),
		BOTH(many_keys_are_all_found),
		ON_DISK(discard_takes_back_what_is_not_on_disk),
		ON_DISK(a_crash_leaves_the_durable_checkpoint),
		ON_DISK(closing_the_state_makes_checkpoints_durable),
		ON_DISK(shrinking_writes_back_what_is_committed_and_keeps_the_offset),
		BOTH(a_partition_is_held_by_one_store_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
