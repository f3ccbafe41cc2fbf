/* Stores of at most so many entries: the least recently used goes. */
#include <weir/rng.h>

#include "tests/unit/store_fixture.h"

static struct fixture *lru(int64_t max)
{
	return fixture_new(false,
			   (struct store_spec){ .kind = STORE_KEY_VALUE, .in_memory = true, .entries_max = max });
}

static int of_three(void **state)
{
	*state = lru(3);
	return 0;
}

static int of_three_in_order(void **state)
{
	*state = fixture_new(
		false, (struct store_spec){
			       .kind = STORE_KEY_VALUE, .in_memory = true, .ordered = true, .entries_max = 3 });
	return 0;
}

static const char *all(struct fixture *f)
{
	return listed(f, weir_store_range(f->store, WEIR_NULL, WEIR_NULL, false));
}

static void put_all(struct fixture *f, const char *keys)
{
	for (; *keys; keys++)
		put(f, (char[]){ *keys, 0 }, "v");
}

static void one_more_than_there_may_be_deletes_the_one_put_first(void **state)
{
	struct fixture *f = *state;

	put_all(f, "abcd");
	assert_string_equal(all(f), "b=v c=v d=v ");
	assert_int_equal(weir_store_count(f->store), 3);
	commit(f, 4);
	assert_string_equal(f->flushed, "a=null b=v c=v d=v ");
	put_all(f, "e");
	commit(f, 6);
	assert_string_equal(f->flushed, "b=null e=v ");
	assert_int_equal(weir_store_count(f->store), 3);
}

static void a_get_and_a_put_are_uses(void **state)
{
	struct fixture *f = *state;

	put_all(f, "abc");
	assert_get(f, "a", "v");
	put(f, "b", "a much longer value, for which the entry has no room");
	put_all(f, "d");
	assert_get(f, "c", NULL);
	put_all(f, "e");
	assert_get(f, "a", NULL);
	assert_get(f, "b", "a much longer value, for which the entry has no room");
}

static void ranges_and_what_is_not_there_use_nothing(void **state)
{
	struct fixture *f = *state;

	put_all(f, "abc");
	assert_string_equal(all(f), "a=v b=v c=v ");
	assert_get(f, "x", NULL);
	put_all(f, "d");
	assert_string_equal(all(f), "b=v c=v d=v ");
}

static void a_deletion_makes_room(void **state)
{
	struct fixture *f = *state;

	put_all(f, "abc");
	put(f, "b", NULL);
	assert_int_equal(weir_store_count(f->store), 2);
	put_all(f, "d");
	assert_string_equal(all(f), "a=v c=v d=v ");
	put_all(f, "b");
	assert_string_equal(all(f), "b=v c=v d=v ");
}

static bool keep_time(const struct store_change *c, void *user)
{
	if (weir_is_null(c->value))
		*(int64_t *)user = c->timestamp_ms;
	return true;
}

static void an_eviction_has_the_time_of_the_put_that_caused_it(void **state)
{
	struct fixture *f = *state;
	int64_t ms = 0;

	put_all(f, "abc");
	commit(f, 3);
	weir_store_put(f->store, weir_str("d"), weir_str("v"), 99);
	assert_true(weir__store_flush(f->store, keep_time, &ms));
	assert_int_equal(ms, 99);
}

static bool stop(const struct store_change *c, void *user)
{
	(void)c, (void)user;
	return false;
}

static void refuse(size_t bytes, void *user)
{
	(void)bytes;
	++*(int *)user;
}

static void what_is_refused_deletes_nothing(void **state)
{
	int refused = 0;
	struct fixture *f = fixture_new(false, (struct store_spec){ .kind = STORE_KEY_VALUE,
								    .in_memory = true,
								    .entries_max = 1,
								    .record_bytes_max = 8,
								    .on_refused = refuse,
								    .user = &refused });

	(void)state;
	put(f, "a", "v");
	put(f, "b", "too large a value");
	assert_int_equal(refused, 1);
	assert_string_equal(all(f), "a=v ");
	fixture_free(f);
}

static void a_flush_that_stops_loses_nothing(void **state)
{
	struct fixture *f = *state;

	put_all(f, "abcd");
	assert_false(weir__store_flush(f->store, stop, NULL));
	flush(f);
	assert_string_equal(f->flushed, "a=null b=v c=v d=v ");
}

/* --- at the end of a flush ------------------------------------------------------------------------------------ */

static int of_two_at_a_flush(void **state)
{
	*state = fixture_new(false, (struct store_spec){ .kind = STORE_KEY_VALUE,
							 .in_memory = true,
							 .entries_max = 2,
							 .evicts_at_flush = true,
							 .keep_old = true,
							 .leaves_nothing_out = true });
	return 0;
}

static void what_is_too_much_at_a_flush_is_given_out_and_then_goes(void **state)
{
	struct fixture *f = *state;

	put_all(f, "abc");
	assert_string_equal(all(f), "a=v b=v c=v ");
	commit(f, 4);
	assert_string_equal(f->flushed, "a=v(null) b=v(null) c=v(null) a=null(v) ");
	assert_int_equal(weir_store_count(f->store), 2);
	assert_get(f, "b", "v");
	put(f, "a", "w");
	commit(f, 6);
	assert_string_equal(f->flushed, "a=w(null) c=null(v) ");
	put(f, "c", NULL);
	put(f, "b", NULL);
	commit(f, 8);
	assert_string_equal(f->flushed, "c=null(null) b=null(v) ");
	assert_string_equal(all(f), "a=w ");
}

static bool note_evicted(const struct store_change *c, void *user)
{
	append_text(user, 100, "%.*s%s ", TEXT(c->key), c->evicted ? "-" : "");
	assert_true(!c->evicted || weir_is_null(c->value));
	return true;
}

static void it_is_known_what_nobody_has_deleted(void **state)
{
	struct fixture *f = *state;
	char noted[100] = "";

	put_all(f, "abcd");
	put(f, "d", NULL);
	assert_true(weir__store_flush(f->store, note_evicted, noted));
	assert_string_equal(noted, "d a b c a- ");
}

static bool stop_at_evicted(const struct store_change *c, void *user)
{
	(void)user;
	return !c->evicted;
}

static void a_flush_that_stops_there_goes_on_there(void **state)
{
	struct fixture *f = *state;

	put_all(f, "abc");
	assert_false(weir__store_flush(f->store, stop_at_evicted, NULL));
	weir__store_discard(f->store);
	assert_string_equal(all(f), "");
	put_all(f, "xyz");
	commit(f, 3);
	assert_string_equal(f->flushed, "x=v(null) y=v(null) z=v(null) x=null(v) ");
}

static weir_bytes encode_number(const void *object, void *user)
{
	weir_put_be64(user, *(const int64_t *)object);
	return weir_bytes_of(user, 8);
}

static bool decode_number(weir_bytes bytes, void *object, void *user)
{
	(void)user;
	*(int64_t *)object = bytes.len == 8 ? weir_get_be64(bytes.data) : 0;
	return bytes.len == 8;
}

static void count_one(struct fixture *f, const char *key, int64_t wanted)
{
	bool created;
	int64_t *n = weir__store_object(f->store, weir_str(key), 0, 1, &created);

	assert_int_equal(++*n, wanted);
	assert_int_equal(created, wanted == 1);
}

static void objects_are_used_by_their_changes_and_begin_anew(void **state)
{
	char bytes[8];
	struct store_codec codec = { sizeof(int64_t), encode_number, decode_number, bytes };
	struct fixture *f = fixture_new(false, (struct store_spec){ .kind = STORE_KEY_VALUE,
								    .in_memory = true,
								    .entries_max = 2,
								    .evicts_at_flush = true,
								    .leaves_nothing_out = true,
								    .codec = codec });

	(void)state;
	count_one(f, "a", 1);
	count_one(f, "b", 1);
	commit(f, 2);
	count_one(f, "a", 2);
	count_one(f, "c", 1);
	commit(f, 5); /* b is gone */
	count_one(f, "b", 1);
	weir__store_object_undo(f->store);
	commit(f, 6);
	assert_int_equal(weir_store_count(f->store), 2);
	count_one(f, "a", 3);
	count_one(f, "b", 1);
	commit(f, 8); /* c is gone */
	count_one(f, "a", 4);
	count_one(f, "c", 1);
	fixture_free(f);
}

/* --- what is restored ----------------------------------------------------------------------------------------- */

static void restore(struct fixture *f, const char *key, const char *value)
{
	weir__store_restore_put(f->store, weir_str(key), weir_str(value), 7);
}

static void restored_to(struct fixture *f, int64_t next_offset)
{
	assert_true(weir__store_restore_done(f->store, next_offset, NULL));
}

static void restored_entries_are_in_the_order_of_the_changelog(void **state)
{
	struct fixture *f = *state;

	restore(f, "a", "v");
	restore(f, "b", "v");
	restore(f, "c", "v");
	restore(f, "a", "w");
	restored_to(f, 4);
	put_all(f, "d");
	assert_string_equal(all(f), "a=w c=v d=v ");
}

static void the_changelog_is_in_the_order_of_the_last_puts(void **state)
{
	struct fixture *f = *state;

	put_all(f, "abca");
	flush(f);
	assert_string_equal(f->flushed, "b=v c=v a=v ");
}

static void more_than_there_may_be_by_now_is_deleted_with_the_next_put(void **state)
{
	struct fixture *f = *state;

	for (const char *k = "abcde"; *k; k++)
		restore(f, (char[]){ *k, 0 }, "v");
	restored_to(f, 5);
	assert_int_equal(weir_store_count(f->store), 5);
	put_all(f, "f");
	assert_string_equal(all(f), "d=v e=v f=v ");
	commit(f, 9);
	assert_string_equal(f->flushed, "a=null b=null c=null f=v ");
}

static void an_abort_leaves_nothing(void **state)
{
	struct fixture *f = *state;

	put_all(f, "abcd");
	weir__store_discard(f->store);
	assert_string_equal(all(f), "");
	assert_int_equal(weir_store_count(f->store), 0);
	put_all(f, "xyz");
	assert_string_equal(all(f), "x=v y=v z=v ");
}

/* --- against a plain list ------------------------------------------------------------------------------------- */

enum { KEYS = 12, MAX = 5 };

/* What the store should hold, by use, and what came of its changelog. */
struct model {
	int keys[KEYS + 1], values[KEYS + 1]; /* the latest last */
	int count;
	int log[KEYS]; /* value + 1; 0 = none */
	int log_count;
	int most;                 /* in the changelog at once, record by record */
	int order[KEYS], ordered; /* keys of the changelog by their last records */
};

static int place(const struct model *m, int key)
{
	int i = 0;

	while (i < m->count && m->keys[i] != key)
		i++;
	return i;
}

static void take_out(struct model *m, int i)
{
	m->count--;
	memmove(m->keys + i, m->keys + i + 1, (size_t)(m->count - i) * sizeof *m->keys);
	memmove(m->values + i, m->values + i + 1, (size_t)(m->count - i) * sizeof *m->values);
}

static void add(struct model *m, int key, int value)
{
	int i = place(m, key);

	if (i < m->count)
		take_out(m, i);
	m->keys[m->count] = key;
	m->values[m->count++] = value;
	if (m->count > MAX)
		take_out(m, 0);
}

static bool log_change(const struct store_change *c, void *user)
{
	struct model *m = user;
	int key = *(const unsigned char *)c->key.data, to = 0;

	m->log_count -= m->log[key] != 0;
	m->log[key] = weir_is_null(c->value) ? 0 : 1 + *(const unsigned char *)c->value.data;
	m->log_count += m->log[key] != 0;
	m->most = m->log_count > m->most ? m->log_count : m->most;
	for (int i = 0; i < m->ordered; i++)
		if (m->order[i] != key)
			m->order[to++] = m->order[i];
	m->ordered = to;
	if (m->log[key])
		m->order[m->ordered++] = key;
	return true;
}

static weir_bytes byte_of(const unsigned char *b)
{
	return weir_bytes_of(b, 1);
}

static void check(struct fixture *f, const struct model *m)
{
	weir_iterator *it = weir_store_range(f->store, WEIR_NULL, WEIR_NULL, false);
	weir_entry e;
	int n = 0;

	while (weir_iterator_next(it, &e)) {
		int i = place(m, *(const unsigned char *)e.key.data);

		assert_true(i < m->count);
		assert_int_equal(*(const unsigned char *)e.value.data, m->values[i]);
		n++;
	}
	weir_iterator_close(it);
	assert_int_equal(n, m->count);
	assert_int_equal(weir_store_count(f->store), m->count);
}

/* As after a crash: from the changelog alone. The order is that of its records. */
static void start_again(struct fixture *f, struct model *m)
{
	fixture_crash(f);
	fixture_open(f);
	m->count = 0;
	for (int i = 0; i < m->ordered; i++) {
		unsigned char key = (unsigned char)m->order[i], value = (unsigned char)(m->log[key] - 1);

		weir__store_restore_put(f->store, byte_of(&key), byte_of(&value), 7);
		add(m, key, value);
	}
	restored_to(f, 1);
}

static void one_step(struct fixture *f, struct model *m, weir_rng *rng)
{
	unsigned char key = (unsigned char)weir_rng_below(rng, KEYS),
		      value = (unsigned char)weir_rng_below(rng, 100);
	int at = place(m, key);

	switch (weir_rng_below(rng, 16)) {
	case 0:
		assert_true(weir__store_flush(f->store, log_change, m));
		weir__store_committed(f->store, 1);
		break;
	case 1:
		if (weir_rng_below(rng, 8) == 0)
			start_again(f, m);
		break;
	case 2:
	case 3:
		weir_store_put(f->store, byte_of(&key), WEIR_NULL, 7);
		if (at < m->count)
			take_out(m, at);
		break;
	case 4:
	case 5:
	case 6:
	case 7:
		assert_int_equal(weir_is_null(weir_store_get(f->store, byte_of(&key), NULL)), at == m->count);
		if (at < m->count)
			add(m, key, m->values[at]);
		break;
	default:
		weir_store_put(f->store, byte_of(&key), byte_of(&value), 7);
		add(m, key, value);
	}
	check(f, m);
}

static void it_holds_what_a_plain_list_holds(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct fixture *f = lru(MAX);
		struct model m = { .count = 0 };
		weir_rng rng = weir_rng_seeded(seed);

		for (int i = 0; i < 300; i++)
			one_step(f, &m, &rng);
		assert_true(m.most <= MAX); /* whoever drops as records come, never has to */
		fixture_free(f);
	}
}

#define OF_THREE(test) \
	cmocka_unit_test_setup_teardown(test, of_three, fixture_drop), \
		cmocka_unit_test_setup_teardown(test, of_three_in_order, fixture_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_too_much_at_a_flush_is_given_out_and_then_goes,
						of_two_at_a_flush, fixture_drop),
		cmocka_unit_test_setup_teardown(it_is_known_what_nobody_has_deleted, of_two_at_a_flush,
						fixture_drop),
		cmocka_unit_test_setup_teardown(a_flush_that_stops_there_goes_on_there, of_two_at_a_flush,
						fixture_drop),
		cmocka_unit_test(objects_are_used_by_their_changes_and_begin_anew),
		OF_THREE(one_more_than_there_may_be_deletes_the_one_put_first),
		OF_THREE(a_get_and_a_put_are_uses),
		OF_THREE(ranges_and_what_is_not_there_use_nothing),
		OF_THREE(a_deletion_makes_room),
		OF_THREE(an_eviction_has_the_time_of_the_put_that_caused_it),
		OF_THREE(a_flush_that_stops_loses_nothing),
		cmocka_unit_test(what_is_refused_deletes_nothing),
		OF_THREE(restored_entries_are_in_the_order_of_the_changelog),
		OF_THREE(the_changelog_is_in_the_order_of_the_last_puts),
		OF_THREE(more_than_there_may_be_by_now_is_deleted_with_the_next_put),
		OF_THREE(an_abort_leaves_nothing),
		cmocka_unit_test(it_holds_what_a_plain_list_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
