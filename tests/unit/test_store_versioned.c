/*
 * Stores of versions: single calls by name, and random steps, each compared with a model that forgets nothing: for
 * each key and time what was put there, as the open transaction sees it and as committed, and a changelog in
 * memory that the broker compacts.
 *
 *   unit-test_store_versioned [first seed [seeds [steps]]]
 */
#include <weir/rng.h>

#include "state/disk.h"
#include "tests/unit/store_fixture.h"

enum { HISTORY = 100 };

static int in_memory(void **state)
{
	*state = fixture_new(false, (struct store_spec){ .kind = STORE_VERSIONED, .retention_ms = HISTORY });
	return 0;
}

static int on_disk(void **state)
{
	*state = fixture_new(true, (struct store_spec){ .kind = STORE_VERSIONED, .retention_ms = HISTORY });
	return 0;
}

static int free_it(void **state)
{
	fixture_free(*state);
	return 0;
}

static int64_t put_at(struct fixture *f, const char *key, const char *value, int64_t ms)
{
	return weir_versioned_put(f->store, weir_str(key), weir_str(value), ms);
}

static void assert_as_of(struct fixture *f, const char *key, int64_t ms, const char *wanted, int64_t wanted_ms)
{
	int64_t from = -7;

	assert_value(weir_versioned_get_as_of(f->store, weir_str(key), ms, &from), wanted);
	assert_int_equal(from, wanted ? wanted_ms : -7);
}

static void assert_newest(struct fixture *f, const char *key, const char *wanted, int64_t wanted_ms)
{
	int64_t from = -7;

	assert_value(weir_versioned_get(f->store, weir_str(key), &from), wanted);
	assert_int_equal(from, wanted ? wanted_ms : -7);
}

static void a_version_lasts_until_the_next_one(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(put_at(f, "k", "a", 100), WEIR_LATEST);
	assert_int_equal(put_at(f, "k", "c", 180), WEIR_LATEST);
	assert_int_equal(put_at(f, "k", "b", 150), 180); /* late */
	assert_as_of(f, "k", 99, NULL, 0);
	assert_as_of(f, "k", 100, "a", 100);
	assert_as_of(f, "k", 149, "a", 100);
	assert_as_of(f, "k", 150, "b", 150);
	assert_as_of(f, "k", 1000, "c", 180);
	assert_newest(f, "k", "c", 180);
	assert_newest(f, "kk", NULL, 0);
}

static void a_version_is_replaced_by_one_of_its_time(void **state)
{
	struct fixture *f = *state;

	put_at(f, "k", "a", 100);
	put_at(f, "k", "b", 120);
	assert_int_equal(put_at(f, "k", "A", 100), 120);
	assert_int_equal(put_at(f, "k", "B", 120), WEIR_LATEST);
	assert_as_of(f, "k", 110, "A", 100);
	assert_newest(f, "k", "B", 120);
}

static void a_deletion_is_a_version(void **state)
{
	struct fixture *f = *state;
	int64_t ms = 0;

	put_at(f, "k", "a", 100);
	assert_int_equal(put_at(f, "k", NULL, 120), WEIR_LATEST);
	assert_newest(f, "k", NULL, 0);
	assert_as_of(f, "k", 119, "a", 100);
	assert_as_of(f, "k", 120, NULL, 0);
	assert_int_equal(put_at(f, "k", "b", 110), 120);
	assert_newest(f, "k", NULL, 0);
	assert_value(weir_versioned_delete(f->store, weir_str("k"), 115, &ms), "b");
	assert_int_equal(ms, 110);
	assert_as_of(f, "k", 117, NULL, 0);
	assert_value(weir_versioned_delete(f->store, weir_str("k"), 117, &ms), NULL);
}

static void before_the_history_only_the_newest_is_seen_and_nothing_is_put(void **state)
{
	struct fixture *f = *state;

	put_at(f, "k", "a", 100);
	put_at(f, "k", "b", 150);
	put_at(f, "other", "x", 251);
	assert_int_equal(put_at(f, "k", "c", 150), WEIR_NOT_PUT);
	assert_int_equal(put_at(f, "k", "c", -1), WEIR_NOT_PUT);
	assert_as_of(f, "k", 149, NULL, 0);
	assert_as_of(f, "k", 150, "b", 150);
	assert_int_equal(put_at(f, "k", "c", 151), WEIR_LATEST);
	assert_as_of(f, "k", 150, NULL, 0);
	assert_value(weir_versioned_delete(f->store, weir_str("k"), 150, NULL), NULL);
	assert_newest(f, "k", "c", 151);
}

static const char *fetched(struct fixture *f, int64_t from_ms, int64_t to_ms, bool reverse)
{
	weir_iterator *it = weir_versioned_fetch(f->store, weir_str("k"), from_ms, to_ms, reverse);
	static char text[400];
	weir_entry e;

	text[0] = 0;
	while (weir_iterator_next(it, &e)) {
		assert_int_equal(e.start_ms, e.timestamp_ms);
		append_text(text, sizeof text, "%.*s=%.*s/%" PRId64 "-%" PRId64 " ", TEXT(e.key), TEXT(e.value),
			    e.start_ms, e.end_ms);
	}
	weir_iterator_close(it);
	return text;
}

static void versions_of_a_key_come_by_time(void **state)
{
	struct fixture *f = *state;

	put_at(f, "k", "a", 100);
	put_at(f, "k", NULL, 120);
	put_at(f, "k", "b", 130);
	put_at(f, "k", "c", 150);
	put_at(f, "k2", "x", 140);
	assert_string_equal(fetched(f, 0, 999, false), "k=a/100-120 k=b/130-150 k=c/150--1 ");
	assert_string_equal(fetched(f, 0, 999, true), "k=c/150--1 k=b/130-150 k=a/100-120 ");
	assert_string_equal(fetched(f, 119, 130, false), "k=a/100-120 k=b/130-150 ");
	assert_string_equal(fetched(f, 120, 129, false), "");
	assert_string_equal(fetched(f, 160, 170, false), "k=c/150--1 ");
	assert_string_equal(fetched(f, 170, 160, false), "");
	put_at(f, "k2", "x", 240);
	assert_string_equal(fetched(f, 0, 999, false), "k=b/130-150 k=c/150--1 ");
	put_at(f, "k2", "x", 400);
	assert_string_equal(fetched(f, 0, 200, false), "k=c/150--1 "); /* the newest is there for ever */
}

static void the_newest_version_is_the_last_in_the_changelog(void **state)
{
	struct fixture *f = *state;

	put_at(f, "k", "a", 100);
	put_at(f, "k", "c", 150);
	put_at(f, "j", "x", 160);
	put_at(f, "k", "b", 120);
	commit(f, 10);
	assert_string_equal(f->flushed, "k=a j=x k=b k=c ");
	put_at(f, "k", NULL, 130);
	commit(f, 20);
	assert_string_equal(f->flushed, "k=null k=c ");
	put_at(f, "j", NULL, 170);
	commit(f, 30);
	assert_string_equal(f->flushed, "j=null ");
}

static void state_of_another_kind_is_refused(void **state)
{
	struct fixture *f = *state;
	weir_error err = { 0 };

	put_at(f, "k", "a", 100);
	commit(f, 1);
	checkpoint(f, true);
	weir__store_close(f->store);
	f->spec.kind = STORE_KEY_VALUE;
	f->store = weir__store_open(f->state, &f->spec, 0, &err);
	assert_null(f->store);
	assert_non_null(strstr(err.message, "holds versions on disk, the topology wants keys and values"));
	assert_int_equal(err.code, WEIR_STATE);
}

static size_t rows_of(struct fixture *f)
{
	int64_t keys, bytes;

	weir__store_size(f->store, &keys, &bytes);
	return (size_t)keys;
}

static void what_had_ended_goes_in_time(void **state)
{
	struct fixture *f = *state;
	bool disk = f->dir[0];

	for (int i = 0; i < 100; i++)
		put_at(f, "k", "a", 100 + i);
	put_at(f, "gone", "a", 100);
	put_at(f, "gone", NULL, 110);
	put_at(f, "stays", "a", 100);
	put_at(f, "other", "a", 310);
	commit(f, 200);
	checkpoint(f, true);
	for (int i = 0; i < 3; i++)
		weir__store_expire(f->store, 0);
	checkpoint(f, true);
	if (disk) { /* what is counted is what the database guesses: look for the rows themselves */
		fixture_close(f);
		fixture_open(f);
		weir__store_restore_done(f->store, 200, NULL);
		put_at(f, "new", "a", 150); /* before the history: no change */
	} else {
		assert_int_equal(rows_of(f), 3);
	}
	assert_newest(f, "k", "a", 199);
	assert_newest(f, "gone", NULL, 0);
	assert_newest(f, "stays", "a", 100);
	assert_string_equal(fetched(f, 0, 999, false), "k=a/199--1 ");
}

/* --- random steps --------------------------------------------------------------------------------------------- */

enum { KEYS = 13, TIMES = 4000, RECORDS_MAX = 60000, NOTHING = 0, DELETED = -1 };

enum outcome { PENDING, COMMITTED, ABORTED };

struct record {
	int key, time;
	int64_t value;
	enum outcome outcome;
	bool compacted;
};

static struct model {
	struct fixture *f;
	weir_rng rng;
	uint64_t seed;
	int steps, step, now;
	int64_t live[KEYS][TIMES], committed[KEYS][TIMES]; /* NOTHING, DELETED, or a number */
	int observed, observed_committed;
	int64_t next_value;
	struct record log[RECORDS_MAX];
	int log_end, log_committed, durable;
} m;

#define check(cond) \
	do { \
		if (!(cond)) \
			fail_msg("seed %" PRIu64 ", step %d: not so: %s", m.seed, m.step, #cond); \
	} while (0)

static int below(int n)
{
	return (int)weir_rng_below(&m.rng, (uint64_t)n);
}

static bool one_in(int n)
{
	return below(n) == 0;
}

/* Short keys of few different bytes: many begin others, and the bytes of times. */
static weir_bytes key_of(int n)
{
	static const char *const keys[KEYS] = { "",
						"a",
						"\0",
						"\xff",
						"aa",
						"a\0",
						"a\0\0\0\0\0\0\0\0",
						"\0\0",
						"\xff\xff",
						"a\0\0\0\0\0\0\1",
						"b",
						"a\0\0\0\0\0\0\1\1",
						"a\xff" };
	static const size_t lengths[KEYS] = { 0, 1, 1, 1, 2, 2, 9, 2, 2, 8, 1, 9, 2 };

	return (weir_bytes){ keys[n], lengths[n] };
}

static weir_bytes text_of(int64_t value)
{
	static char text[128];
	int len = snprintf(text, sizeof text, "%" PRId64, value);

	if (value <= 0)
		return WEIR_NULL;
	for (int64_t fill = value * 7 % 60; fill > 0; fill--)
		text[len++] = '.';
	return (weir_bytes){ text, value % 50 == 7 ? 0 : (size_t)len };
}

static int floor_of_history(void)
{
	return m.observed < 0 ? INT32_MIN : m.observed - HISTORY;
}

static int newest(int key)
{
	int t = m.observed;

	while (t >= 0 && m.live[key][t] == NOTHING)
		t--;
	return t;
}

/* The time of the version that is to be seen; -1 = none. */
static int seen_as_of(int key, int as_of)
{
	int t = as_of < m.observed ? as_of : m.observed;

	while (t >= 0 && m.live[key][t] == NOTHING)
		t--;
	if (t < 0 || m.live[key][t] == DELETED || (as_of < floor_of_history() && t != newest(key)))
		return -1;
	return t;
}

static int next_after(int key, int t)
{
	for (t++; t <= m.observed; t++)
		if (m.live[key][t] != NOTHING)
			return t;
	return -1;
}

static void check_as_of(int key, int as_of)
{
	int t = seen_as_of(key, as_of);
	int64_t ms = -7;
	weir_bytes got = weir_versioned_get_as_of(m.f->store, key_of(key), as_of, &ms);

	check(weir_is_null(got) == (t < 0));
	check(t < 0 || (weir_bytes_equal(got, text_of(m.live[key][t])) && ms == t));
	if (one_in(2))
		return;
	t = newest(key);
	got = weir_versioned_get(m.f->store, key_of(key), &ms);
	check(weir_is_null(got) == (t < 0 || m.live[key][t] == DELETED));
	check(weir_is_null(got) || (weir_bytes_equal(got, text_of(m.live[key][t])) && ms == t));
}

static void check_fetch(int key)
{
	int floor = floor_of_history(), from = m.observed - below(2 * HISTORY), to = from + below(HISTORY) - 5;
	bool reverse = one_in(2);
	weir_iterator *it = weir_versioned_fetch(m.f->store, key_of(key), from, to, reverse);
	int t = reverse ? m.observed : 0;
	weir_entry e, seen;

	for (;;) {
		bool looks = one_in(3), found = looks && weir_iterator_peek(it, &seen);
		bool given = weir_iterator_next(it, &e);

		check(!looks || (found == given && (!given || seen.start_ms == e.start_ms)));
		if (!given)
			break;
		for (;; t += reverse ? -1 : 1) {
			check(t >= 0 && t <= m.observed);
			int end = next_after(key, t);
			bool there = m.live[key][t] > 0 && t <= to && (end < 0 || end > from) && from <= to &&
				     (to < floor ? end < 0 : end < 0 || end > floor);

			if (there)
				break;
		}
		check(e.start_ms == t && e.end_ms == next_after(key, t) && e.timestamp_ms == t);
		check(weir_bytes_equal(e.value, text_of(m.live[key][t])) && weir_bytes_equal(e.key, key_of(key)));
		t += reverse ? -1 : 1;
	}
	weir_iterator_close(it);
	for (; t >= 0 && t <= m.observed; t += reverse ? -1 : 1) {
		int end = next_after(key, t);

		check(!(m.live[key][t] > 0 && t <= to && (end < 0 || end > from) && from <= to &&
			(to < floor ? end < 0 : end < 0 || end > floor)));
	}
}

static void check_everything(void)
{
	for (int key = 0; key < KEYS; key++) {
		for (int i = 0; i < 6; i++)
			check_as_of(key, m.now - below(2 * HISTORY));
		check_as_of(key, TIMES);
		check_fetch(key);
	}
}

static void step_put(bool delete)
{
	int key = below(KEYS), t = m.now - (one_in(2) ? 0 : below(HISTORY + 30));

	if (one_in(3))
		m.now += below(one_in(40) ? HISTORY : 6);
	if (m.now >= TIMES || t < 0)
		return;
	int64_t value = delete || one_in(6) ? DELETED : ++m.next_value, ms = -7;
	bool taken = t >= floor_of_history();
	int before = seen_as_of(key, t);

	if (delete) {
		int64_t old_value = before >= 0 ? m.live[key][before] : DELETED;
		weir_bytes old = weir_versioned_delete(m.f->store, key_of(key), t, &ms);

		check(weir_bytes_equal(old, text_of(taken ? old_value : DELETED)));
	} else {
		ms = weir_versioned_put(m.f->store, key_of(key), text_of(value), t);
		check(ms == (taken ? next_after(key, t) : INT64_MIN));
	}
	if (!taken)
		return;
	m.live[key][t] = value;
	if (t > m.observed)
		m.observed = t;
}

/* --- transactions --- */

static bool take_change(const struct store_change *c, void *user)
{
	int key = 0;

	(void)user;
	while (!weir_bytes_equal(key_of(key), c->key))
		check(++key < KEYS);
	check(c->timestamp_ms >= 0 && c->timestamp_ms < TIMES);
	int64_t value = m.live[key][c->timestamp_ms];

	check(value != NOTHING && weir_bytes_equal(text_of(value), c->value) &&
	      weir_is_null(c->value) == (value == DELETED));
	m.log[m.log_end++] = (struct record){ .key = key, .time = (int)c->timestamp_ms, .value = value };
	return true;
}

static void end_transaction(enum outcome outcome)
{
	for (int i = m.log_committed; i < m.log_end; i++) {
		struct record *r = &m.log[i];

		r->outcome = outcome;
		if (outcome != COMMITTED)
			continue;
		m.committed[r->key][r->time] = r->value;
		if (r->time > m.observed_committed)
			m.observed_committed = r->time;
	}
	m.log[m.log_end++] = (struct record){ .outcome = ABORTED };
	m.log_committed = m.log_end;
}

/* What compaction leaves of a key must be its newest version. */
static void check_last_records(void)
{
	int last[KEYS], greatest[KEYS];

	for (int i = 0; i < KEYS; i++)
		last[i] = greatest[i] = -1;
	for (int i = 0; i < m.log_end; i++) {
		const struct record *r = &m.log[i];

		if (r->outcome != COMMITTED)
			continue;
		last[r->key] = r->time;
		greatest[r->key] = r->time > greatest[r->key] ? r->time : greatest[r->key];
	}
	for (int i = 0; i < KEYS; i++)
		check(last[i] == greatest[i]);
}

static void step_commit(void)
{
	check(weir__store_flush(m.f->store, take_change, NULL));
	check(memcmp(m.live, m.committed, sizeof m.live) == 0 || m.log_end > m.log_committed);
	end_transaction(COMMITTED);
	check(memcmp(m.live, m.committed, sizeof m.live) == 0);
	weir__store_committed(m.f->store, m.log_end);
	if (one_in(2))
		weir__store_expire(m.f->store, 0);
	if (one_in(20))
		check_last_records();
}

static void step_checkpoint(void)
{
	bool durable = one_in(3);

	step_commit();
	check(weir__store_checkpoint(m.f->store, durable, NULL));
	if (durable && m.f->dir[0])
		m.durable = m.log_committed;
}

/* The broker's cleaner: of what is older than the history no more than the last record of each key. */
static void step_compact(void)
{
	bool replaced[KEYS] = { false };
	int end = 0, floor = m.observed_committed - HISTORY;

	while (end < m.log_committed && (m.log[end].outcome != COMMITTED || m.log[end].time < floor))
		end++;
	while (end-- > 0) {
		struct record *r = &m.log[end];

		if (r->outcome != COMMITTED)
			continue;
		r->compacted |= replaced[r->key];
		replaced[r->key] = true;
	}
}

/* --- disasters --- */

static void crash(void);

static void restore(void)
{
	int from = (int)weir__store_checkpoint_offset(m.f->store);
	int die_at = one_in(4) ? 1 + below(m.log_end - (from < 0 ? 0 : from) + 1) : -1;

	for (int i = from < 0 ? 0 : from; i < m.log_end; i++) {
		const struct record *r = &m.log[i];

		if (r->outcome == COMMITTED && !r->compacted)
			weir__store_restore_put(m.f->store, key_of(r->key), text_of(r->value), r->time);
		if (one_in(20))
			check(weir__store_restore_done(m.f->store, i + 1, NULL));
		if (--die_at == 0) {
			crash();
			return;
		}
	}
	check(weir__store_restore_done(m.f->store, m.log_end, NULL));
	memcpy(m.live, m.committed, sizeof m.live);
	m.observed = m.observed_committed;
	m.log_committed = m.log_end;
	if (one_in(2))
		check_everything();
}

static void open_again(void)
{
	fixture_open(m.f);
	m.f->state->file_rows_min = (size_t)(1 + below(60));
	m.f->state->batch_bytes_max = (size_t)(1 + below(1000));
}

static void memtable_flush(void)
{
	if (m.f->dir[0])
		rocksdb_flush_cf(m.f->state->db, m.f->state->flush_options, m.f->state->families->handle,
				 &(char *){ NULL });
}

static void crash(void)
{
	fixture_crash(m.f);
	open_again();
	check(weir__store_checkpoint_offset(m.f->store) >= m.durable);
	restore();
}

static void step_crash(void)
{
	if (one_in(2))
		check(weir__store_flush(m.f->store, take_change, NULL));
	end_transaction(one_in(2) ? COMMITTED : ABORTED);
	crash();
}

static void step_disk_failure(void)
{
	bool shrink = one_in(2);

	if (!m.f->dir[0])
		return;
	step_commit();
	m.f->state->writes_left = below(6);
	if (shrink)
		weir__store_shrink(m.f->store, 0);
	else if (one_in(2))
		weir__store_expire(m.f->store, 0);
	else
		(void)!weir__store_checkpoint(m.f->store, one_in(2), NULL);
	if (one_in(2))
		memtable_flush();
	end_transaction(ABORTED);
	crash();
}

static void step_abort(void)
{
	if (one_in(2))
		check(weir__store_flush(m.f->store, take_change, NULL));
	end_transaction(ABORTED);
	weir__store_discard(m.f->store);
	restore();
}

static void step_shrink(void)
{
	weir__store_shrink(m.f->store, weir__store_memory_bytes(m.f->store) * (size_t)below(1000) / 1000);
}

static void random_step(void)
{
	int dice = below(1000);

	if (dice < 500)
		step_put(dice < 30);
	else if (dice < 780)
		check_as_of(below(KEYS), m.now - below(2 * HISTORY));
	else if (dice < 840)
		check_fetch(below(KEYS));
	else if (dice < 900)
		step_commit();
	else if (dice < 930)
		step_checkpoint();
	else if (dice < 960)
		step_shrink();
	else if (dice < 970)
		step_compact();
	else if (dice < 976)
		check_everything();
	else if (dice < 980)
		step_disk_failure();
	else if (dice < 986)
		memtable_flush();
	else if (dice < 993)
		step_abort();
	else
		step_crash();
}

static void run_seed(uint64_t seed)
{
	int steps = m.steps;

	memset(&m, 0, sizeof m);
	m.seed = seed;
	m.steps = steps;
	m.rng = weir_rng_seeded(seed);
	m.observed = m.observed_committed = m.durable = -1;
	m.f = fixture_new(seed % 4 != 0, (struct store_spec){ .kind = STORE_VERSIONED, .retention_ms = HISTORY });
	for (m.step = 0; m.step < m.steps && m.log_end < RECORDS_MAX - 10000; m.step++)
		random_step();
	step_crash();
	check_everything();
	fixture_free(m.f);
}

static uint64_t first_seed = 1;
static int seeds = 12;

static void a_store_does_what_the_model_does(void **state)
{
	(void)state;
	for (uint64_t seed = first_seed; seed < first_seed + (uint64_t)seeds; seed++)
		run_seed(seed);
}

#define BOTH(test) \
	cmocka_unit_test_setup_teardown(test, in_memory, free_it), \
		cmocka_unit_test_setup_teardown(test, on_disk, free_it)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		BOTH(a_version_lasts_until_the_next_one),
		BOTH(a_version_is_replaced_by_one_of_its_time),
		BOTH(a_deletion_is_a_version),
		BOTH(before_the_history_only_the_newest_is_seen_and_nothing_is_put),
		BOTH(versions_of_a_key_come_by_time),
		BOTH(the_newest_version_is_the_last_in_the_changelog),
		BOTH(what_had_ended_goes_in_time),
		cmocka_unit_test_setup_teardown(state_of_another_kind_is_refused, on_disk, free_it),
		cmocka_unit_test(a_store_does_what_the_model_does),
	};

	first_seed = argc > 1 ? strtoull(argv[1], NULL, 10) : first_seed;
	seeds = argc > 2 ? atoi(argv[2]) : seeds;
	m.steps = argc > 3 ? atoi(argv[3]) : 2500;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
