#include "tests/unit/store_fixture.h"

enum { RETENTION = 1000, SEGMENT = 100, SIZE = 10 };

static struct store_spec windows(void)
{
	return (struct store_spec){
		.kind = STORE_WINDOW, .retention_ms = RETENTION, .segment_ms = SEGMENT, .window_size_ms = SIZE
	};
}

static int in_memory(void **state)
{
	*state = fixture_new(false, windows());
	return 0;
}

static int on_disk(void **state)
{
	*state = fixture_new(true, windows());
	return 0;
}

static void put_window(struct fixture *f, const char *key, int64_t start_ms, const char *value)
{
	weir_window_put(f->store, weir_str(key), weir_str(value), start_ms, start_ms + 1);
}

static const char *fetched(struct fixture *f, const char *key, int64_t from_ms, int64_t to_ms, bool reverse)
{
	return listed(f, weir_window_fetch(f->store, weir_str(key), from_ms, to_ms, reverse));
}

static void each_window_of_a_key_has_its_value(void **state)
{
	struct fixture *f = *state;

	put_window(f, "a", 10, "1");
	put_window(f, "a", 20, "2");
	put_window(f, "b", 10, "3");
	assert_window(f, "a", 10, "1");
	assert_window(f, "a", 20, "2");
	assert_window(f, "b", 10, "3");
	assert_window(f, "b", 20, NULL);
	commit(f, 3);
	assert_string_equal(f->flushed, "a/10=1 a/20=2 b/10=3 ");
}

static void the_changelog_key_is_that_of_kafka_streams(void **state)
{
	static const unsigned char wanted[] = { 'm', 't', 'l', 0, 0, 1, 0xa2, 0x0e, 0xa4, 0xa1, 0x80, 0, 0, 0, 0 };
	struct fixture *f = *state;

	weir__store_restore_put(f->store, weir_bytes_of(wanted, sizeof wanted), weir_str("2"), 5);
	assert_true(weir__store_restore_done(f->store, 1, NULL));
	assert_window(f, "mtl", 0x1a20ea4a180, "2");
}

static void a_window_past_retention_is_seen_by_the_changelog_alone(void **state)
{
	struct fixture *f = *state;

	put_window(f, "a", 100, "1");
	put_window(f, "a", 1099, "2");
	assert_window(f, "a", 100, "1");
	put_window(f, "b", 1100, "3");
	assert_window(f, "a", 100, NULL);
	put_window(f, "c", 100, "late");
	put_window(f, "c", 101, "in time");
	assert_window(f, "c", 100, NULL);
	assert_window(f, "c", 101, "in time");
	assert_string_equal(listed(f, weir_window_fetch_all(f->store, 0, INT64_MAX)),
			    "c/101=in time a/1099=2 b/1100=3 ");
	commit(f, 5);
	assert_string_equal(f->flushed, "a/100=1 a/1099=2 b/1100=3 c/100=late c/101=in time ");
}

static void a_negative_start_is_not_stored(void **state)
{
	struct fixture *f = *state;

	put_window(f, "a", -1, "1");
	assert_window(f, "a", -1, NULL);
	assert_false(weir__store_changed(f->store));
}

static void windows_of_one_key_come_by_start(void **state)
{
	struct fixture *f = *state;

	for (int64_t start = 10; start <= 600; start += 90) {
		char value[8];

		snprintf(value, sizeof value, "%d", (int)start);
		put_window(f, "a", start, value);
		put_window(f, "aa", start, "other");
		weir_window_put(f->store, weir_bytes_of("a\0", 2), weir_str("other"), start, start);
	}
	commit(f, 3);
	checkpoint(f, false);
	weir__store_shrink(f->store, 0);
	put_window(f, "a", 100, NULL);
	put_window(f, "a", 190, "new");
	put_window(f, "a", 195, "more");
	assert_string_equal(fetched(f, "a", 0, INT64_MAX, false),
			    "a/10=10 a/190=new a/195=more a/280=280 a/370=370 a/460=460 a/550=550 ");
	assert_string_equal(fetched(f, "a", 0, INT64_MAX, true),
			    "a/550=550 a/460=460 a/370=370 a/280=280 a/195=more a/190=new a/10=10 ");
	assert_string_equal(fetched(f, "a", 191, 370, false), "a/195=more a/280=280 a/370=370 ");
	assert_string_equal(fetched(f, "a", 191, 369, true), "a/280=280 a/195=more ");
	assert_string_equal(fetched(f, "a", 371, 370, false), "");
	assert_string_equal(fetched(f, "none", 0, 1000, false), "");
}

static void all_windows_come_by_segment_then_key_then_start(void **state)
{
	struct fixture *f = *state;

	put_window(f, "b", 110, "1");
	put_window(f, "a", 250, "2");
	put_window(f, "a", 120, "3");
	commit(f, 3);
	checkpoint(f, false);
	weir__store_shrink(f->store, 0);
	put_window(f, "a", 110, "4");
	assert_string_equal(listed(f, weir_window_fetch_all(f->store, 0, 1000)),
			    "a/110=4 a/120=3 b/110=1 a/250=2 ");
	assert_string_equal(listed(f, weir_window_fetch_all(f->store, 111, 250)), "a/120=3 a/250=2 ");
	assert_string_equal(listed(f, weir_window_fetch_all(f->store, 300, 1000)), "");
}

static void a_prefix_within_one_window_gives_its_keys(void **state)
{
	struct fixture *f = *state;

	put_window(f, "paris|x", 100, "1");
	put_window(f, "paris|y", 110, "2");
	put_window(f, "rome|x", 110, "3");
	commit(f, 3);
	checkpoint(f, false);
	put_window(f, "paris|z", 110, "4");
	weir_window_put(f->store, weir_str("pa"), weir_str("5"), 110, 110);
	assert_string_equal(listed(f, weir_window_prefix(f->store, weir_str("paris|"), 110)),
			    "paris|y/110=2 paris|z/110=4 ");
	/* the start of "pa" goes on like this prefix, its key does not */
	assert_string_equal(listed(f, weir_window_prefix(f->store, weir_bytes_of("pa\0\0", 4), 110)), "");
}

static void expired_segments_go_from_cache_and_disk(void **state)
{
	struct fixture *f = *state;
	int64_t keys, bytes;

	put_window(f, "a", 10, "1");
	put_window(f, "a", 110, "2");
	commit(f, 2);
	checkpoint(f, true);
	put_window(f, "a", 1250, "3");
	weir__store_expire(f->store, 5000); /* not committed: nothing may go */
	weir__store_discard(f->store);
	if (f->dir[0])
		assert_window(f, "a", 10, "1");
	put_window(f, "a", 110, "2");
	put_window(f, "a", 1250, "3");
	commit(f, 4);
	weir__store_expire(f->store, 5000);
	assert_window(f, "a", 10, NULL);
	assert_window(f, "a", 1250, "3");
	checkpoint(f, true);
	weir__store_size(f->store, &keys, &bytes);
	assert_string_equal(listed(f, weir_window_fetch_all(f->store, 0, INT64_MAX)), "a/1250=3 ");
	if (!f->dir[0])
		assert_int_equal(keys, 1);
}

static void the_interval_kept_on_disk_wins_over_a_changed_one(void **state)
{
	struct fixture *f = *state;

	put_window(f, "a", 250, "1");
	commit(f, 1);
	checkpoint(f, true);
	fixture_close(f);
	f->spec.segment_ms = 7;
	fixture_open(f);
	assert_window(f, "a", 250, "1");
	put_window(f, "a", 260, "2");
	assert_string_equal(fetched(f, "a", 0, 1000, false), "a/250=1 a/260=2 ");
}

static void a_late_window_may_open_a_segment_below_those_on_disk(void **state)
{
	struct fixture *f = *state;

	put_window(f, "a", 550, "1");
	commit(f, 1);
	checkpoint(f, false);
	put_window(f, "a", 50, "2");
	commit(f, 2);
	checkpoint(f, false);
	weir__store_shrink(f->store, 0);
	assert_window(f, "a", 50, "2");
	fixture_close(f);
	fixture_open(f);
	assert_window(f, "a", 50, "2");
	assert_window(f, "a", 550, "1");
}

static void another_window_size_is_refused(void **state)
{
	struct fixture *f = *state;
	weir_error err = { 0 };

	put_window(f, "a", 250, "1");
	commit(f, 1);
	checkpoint(f, false);
	weir__store_close(f->store);
	f->spec.window_size_ms = 20;
	f->store = weir__store_open(f->state, &f->spec, 0, &err);
	assert_null(f->store);
	assert_int_equal(err.code, WEIR_STATE);
	assert_false(err.retriable);
	f->spec.window_size_ms = SIZE;
	f->store = weir__store_open(f->state, &f->spec, 0, &err);
	assert_non_null(f->store);
}

static void the_changelog_may_be_cut_below_what_has_expired_and_is_durable(void **state)
{
	struct fixture *f = *state;

	put_window(f, "a", 100, "1");
	commit(f, 10);
	put_window(f, "a", 500, "1");
	commit(f, 20);
	put_window(f, "a", 1090, "1");
	commit(f, 30);
	assert_int_equal(weir__store_purge_offset(f->store, 1090), -1);
	put_window(f, "a", 1300, "1");
	commit(f, 40);
	if (f->dir[0])
		assert_int_equal(weir__store_purge_offset(f->store, 5000), -1);
	checkpoint(f, true);
	assert_int_equal(weir__store_purge_offset(f->store, 5000), 10);
	assert_int_equal(weir__store_purge_offset(f->store, 5000), -1);
	put_window(f, "a", 2000, "1");
	commit(f, 50);
	checkpoint(f, true);
	assert_int_equal(weir__store_purge_offset(f->store, 1400), -1);
	assert_int_equal(weir__store_purge_offset(f->store, 2000), 20);
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
		BOTH(each_window_of_a_key_has_its_value),
		BOTH(the_changelog_key_is_that_of_kafka_streams),
		BOTH(a_window_past_retention_is_seen_by_the_changelog_alone),
		BOTH(a_negative_start_is_not_stored),
		BOTH(windows_of_one_key_come_by_start),
		BOTH(all_windows_come_by_segment_then_key_then_start),
		BOTH(a_prefix_within_one_window_gives_its_keys),
		BOTH(expired_segments_go_from_cache_and_disk),
		ON_DISK(the_interval_kept_on_disk_wins_over_a_changed_one),
		ON_DISK(a_late_window_may_open_a_segment_below_those_on_disk),
		ON_DISK(another_window_size_is_refused),
		BOTH(the_changelog_may_be_cut_below_what_has_expired_and_is_durable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
