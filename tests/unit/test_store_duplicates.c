/* Stores whose windows keep every value put: what the joins of streams remember their records by. */
#include <weir/rng.h>

#include "tests/unit/store_fixture.h"

enum { RETENTION = 1000, SEGMENT = 100 };

static struct store_spec rows(void)
{
	return (struct store_spec){
		.kind = STORE_WINDOW, .retention_ms = RETENTION, .segment_ms = SEGMENT, .duplicates = true
	};
}

static int in_memory(void **state)
{
	*state = fixture_new(false, rows());
	return 0;
}

static int on_disk(void **state)
{
	*state = fixture_new(true, rows());
	return 0;
}

static void put_row(struct fixture *f, const char *key, int64_t start_ms, const char *value)
{
	weir_window_put(f->store, weir_str(key), weir_str(value), start_ms, start_ms);
}

static const char *fetched(struct fixture *f, const char *key, int64_t from_ms, int64_t to_ms, bool reverse)
{
	return listed(f, weir_window_fetch(f->store, weir_str(key), from_ms, to_ms, reverse));
}

static void each_value_put_stays_beside_the_others(void **state)
{
	struct fixture *f = *state;

	put_row(f, "a", 10, "1");
	put_row(f, "a", 10, "1");
	put_row(f, "b", 10, "2");
	put_row(f, "a", 5, "3");
	put_row(f, "a", 10, "4");
	put_row(f, "a", 12, "5");
	put_row(f, "aa", 10, "6");
	assert_string_equal(fetched(f, "a", 0, 100, false), "a/5=3 a/10=1 a/10=1 a/10=4 a/12=5 ");
	assert_string_equal(fetched(f, "a", 0, 100, true), "a/12=5 a/10=4 a/10=1 a/10=1 a/5=3 ");
	assert_string_equal(fetched(f, "a", 10, 10, false), "a/10=1 a/10=1 a/10=4 ");
	assert_string_equal(fetched(f, "a", 6, 9, false), "");
	assert_string_equal(fetched(f, "", 0, 100, false), "");
	assert_string_equal(listed(f, weir_window_fetch_all(f->store, 0, 11)),
			    "a/5=3 a/10=1 a/10=1 a/10=4 aa/10=6 b/10=2 ");
	commit(f, 7);
	assert_string_equal(f->flushed, "a/10=1 a/10=1 b/10=2 a/5=3 a/10=4 a/12=5 aa/10=6 ");
}

/* As in Kafka Streams: the changelog has a tombstone of its own. */
static void a_null_value_is_no_row_and_moves_no_time(void **state)
{
	struct fixture *f = *state;
	char key[] = "a\0\0\0\0\0\0\x13\x88\0\0\0\3"; /* 5000, number 3 */

	put_row(f, "a", 10, "1");
	put_row(f, "a", 10, NULL);
	put_row(f, "a", 5000, NULL);
	assert_string_equal(fetched(f, "a", 0, 100, false), "a/10=1 ");
	assert_window(f, "a", 10, NULL);
	commit(f, 3);
	assert_string_equal(f->flushed, "a/10=1 a/10=null a/5000=null ");
	assert_string_equal(fetched(f, "a", 0, 9999, false), "a/10=1 ");
	weir__store_restore_put(f->store, weir_bytes_of(key, sizeof key - 1), WEIR_NULL, 5000);
	assert_true(weir__store_restore_done(f->store, 4, NULL));
	assert_string_equal(fetched(f, "a", 0, 9999, false), "a/10=1 ");
}

static bool note_seq(const struct store_change *c, void *user)
{
	append_text(user, 200, "%d ", weir_get_be32((const char *)c->key.data + c->key.len - 4));
	return true;
}

/* Kafka Streams begins with 1, and again with 1 after each restart, when a row may take another one's place. */
static void rows_are_numbered_beyond_whatever_the_changelog_holds(void **state)
{
	struct fixture *f = *state;
	char numbers[200] = "";

	put_row(f, "a", 10, "1");
	put_row(f, "a", 10, "2");
	assert_true(weir__store_flush(f->store, note_seq, numbers));
	assert_string_equal(numbers, "1 2 ");
	weir__store_committed(f->store, 3);
	weir__store_discard(f->store);
	assert_true(weir__store_restore_done(f->store, 17, NULL));
	numbers[0] = 0;
	put_row(f, "a", 10, "3");
	assert_true(weir__store_flush(f->store, note_seq, numbers));
	assert_string_equal(numbers, "18 ");
}

static void many_rows_of_one_key_are_forgotten_in_time(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 100000; i++)
		put_row(f, "a", i / 200, "1");
	put_row(f, "b", 0, "2");
	put_row(f, "a", 1300, "3");
	commit(f, 100002);
	weir__store_expire(f->store, 1300);
	assert_string_equal(fetched(f, "a", 500, 2000, false), "a/1300=3 ");
	assert_string_equal(fetched(f, "b", 0, 2000, false), "");
	for (int i = 0; i < 100000; i++)
		put_row(f, "a", 1300 + i % 7, "1");
	weir__store_discard(f->store); /* was quadratic once: this test would take minutes */
	assert_false(weir__store_changed(f->store));
}

/* --- against a model ------------------------------------------------------------------------------------------ */

enum { ROWS_MAX = 40000, KEYS = 7 };

struct row {
	char key;
	int64_t start_ms;
	bool committed;
	int64_t offset; /* in the changelog, once flushed */
	char changelog_key[20];
	size_t key_len;
};

static struct model {
	struct fixture *f;
	weir_rng rng;
	uint64_t seed;
	int step;
	struct row rows[ROWS_MAX];
	int count;
	int flushed; /* rows below have an offset */
	int64_t end, now_ms, start_max, start_max_committed;
} m;

static int below(int n)
{
	return (int)weir_rng_below(&m.rng, (uint64_t)n);
}

static void model_put(void)
{
	struct row *r = &m.rows[m.count];
	char value[16];

	m.now_ms += below(12) ? below(8) : below(200);
	*r = (struct row){ .key = (char)('a' + (below(3) ? 0 : below(KEYS))), .start_ms = m.now_ms - below(60) };
	if (below(15) == 0)
		r->start_ms -= below(RETENTION + 100);
	if (r->start_ms < 0)
		r->start_ms = 0;
	snprintf(value, sizeof value, "%d", m.count);
	weir_window_put(m.f->store, weir_bytes_of(&r->key, 1), weir_str(value), r->start_ms, r->start_ms);
	m.count++;
	if (r->start_ms > m.start_max)
		m.start_max = r->start_ms;
}

/* The expected text of a fetch: by start, then in the order of putting, which is that of the array. */
static const char *expected(char key, int64_t from_ms, int64_t to_ms)
{
	static char text[8192];

	text[0] = 0;
	if (from_ms <= m.start_max - RETENTION)
		from_ms = m.start_max - RETENTION + 1;
	for (int64_t at = from_ms; at <= to_ms && at <= m.start_max; at++)
		for (int i = 0; i < m.count; i++)
			if (m.rows[i].key == key && m.rows[i].start_ms == at)
				append_text(text, sizeof text, "%c/%" PRId64 "=%d ", key, at, i);
	return text;
}

static void model_fetch(void)
{
	char key[2] = { (char)('a' + below(KEYS)), 0 };
	int64_t from = m.start_max - below(RETENTION + 50), to = from + below(200);
	const char *got = fetched(m.f, key, from, to, false), *want = expected(key[0], from, to);

	if (strcmp(got, want) != 0)
		fail_msg("seed %" PRIu64 ", step %d: %s from %" PRId64 " to %" PRId64 ":\n%s\nwanted\n%s", m.seed,
			 m.step, key, from, to, got, want);
}

static bool model_flush(const struct store_change *c, void *user)
{
	struct row *r = &m.rows[m.flushed++];

	(void)user;
	r->offset = m.end++;
	r->key_len = c->key.len;
	memcpy(r->changelog_key, c->key.data, c->key.len);
	return true;
}

static void model_commit(void)
{
	assert_true(weir__store_flush(m.f->store, model_flush, NULL));
	assert_int_equal(m.flushed, m.count);
	m.end++; /* the transaction's marker */
	for (int i = 0; i < m.count; i++)
		m.rows[i].committed = true;
	m.start_max_committed = m.start_max;
	weir__store_committed(m.f->store, m.end);
	weir__store_expire(m.f->store, m.start_max);
	if (below(3) == 0)
		checkpoint(m.f, below(2) == 0);
}

static void model_restore(void)
{
	int64_t from = weir__store_checkpoint_offset(m.f->store);
	char value[16];
	int kept = 0;

	for (int i = 0; i < m.count; i++)
		if (m.rows[i].committed)
			m.rows[kept++] = m.rows[i];
	assert_int_equal(kept, m.flushed < kept ? m.flushed : kept);
	m.count = m.flushed = kept;
	m.start_max = m.start_max_committed;
	for (int i = 0; i < m.count; i++)
		if (m.rows[i].offset >= from) {
			snprintf(value, sizeof value, "%d", i);
			weir__store_restore_put(m.f->store,
						weir_bytes_of(m.rows[i].changelog_key, m.rows[i].key_len),
						weir_str(value), m.rows[i].start_ms);
		}
	assert_true(weir__store_restore_done(m.f->store, m.end, NULL));
}

static void model_abort(void)
{
	if (below(2))
		assert_true(weir__store_flush(m.f->store, model_flush, NULL));
	m.end++;
	weir__store_discard(m.f->store);
	model_restore();
}

static void model_reopen(void)
{
	if (below(2)) {
		model_commit();
		checkpoint(m.f, true);
		fixture_close(m.f);
	} else {
		fixture_crash(m.f);
	}
	fixture_open(m.f);
	model_restore();
}

static void run(struct fixture *f, uint64_t seed)
{
	m = (struct model){ .f = f, .seed = seed, .start_max = -1, .start_max_committed = -1 };
	m.rng = weir_rng_seeded(seed);
	for (m.step = 0; m.step < 4000; m.step++) {
		int what = below(200);

		if (what < 120)
			model_put();
		else if (what < 180)
			model_fetch();
		else if (what < 190)
			model_commit();
		else if (what < 195)
			weir__store_shrink(f->store, (size_t)below(20000));
		else if (what < 197)
			model_abort();
		else if (what == 197)
			model_reopen();
	}
}

static void a_store_does_what_the_model_does(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 12; seed++) {
		struct fixture *f = fixture_new(seed % 4 != 0, rows());

		run(f, seed);
		fixture_free(f);
	}
}

#define BOTH(test) \
	{ #test " (memory)", test, in_memory, fixture_drop, NULL }, \
	{ \
#test " (disk)", test, on_disk, fixture_drop, NULL \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(each_value_put_stays_beside_the_others),
		BOTH(a_null_value_is_no_row_and_moves_no_time),
		BOTH(rows_are_numbered_beyond_whatever_the_changelog_holds),
		BOTH(many_rows_of_one_key_are_forgotten_in_time),
		cmocka_unit_test(a_store_does_what_the_model_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
