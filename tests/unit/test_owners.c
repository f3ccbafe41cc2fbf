#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "framework/kafka/owners.h"

enum { SESSION_MS = 9000, SOON_MS = 3000, SELDOM_MS = 60000 };

static struct owner_watch watch_of(uint64_t seed)
{
	struct owner_watch w;

	weir__owners_watch(&w, "group", seed, SESSION_MS);
	return w;
}

/* Looks at the time that is due, and moves the clock there; `owned` partitions of the four have an owner. */
static bool look(struct owner_watch *w, int64_t *now_ms, int32_t owned)
{
	struct owner_look l = { 0 };

	assert_false(weir__owners_due(w, w->next_ms - 1));
	*now_ms = w->next_ms;
	assert_true(weir__owners_due(w, *now_ms));
	weir__look_topic(&l, "posts", 4);
	weir__look_topic(&l, "not there", 0);
	for (int32_t p = 0; p < owned; p++)
		weir__look_owned(&l, "posts", p);
	weir__look_owned(&l, "posts", 4);
	weir__look_owned(&l, "posts", -1);
	weir__look_owned(&l, "other", 3);
	return weir__look_end(&l, w, *now_ms);
}

static void what_has_no_owner_at_two_looks_is_acted_on(void **state)
{
	struct owner_watch w = watch_of(1);
	int64_t now_ms = 1000;

	(void)state;
	assert_false(weir__owners_due(&w, INT64_MAX - 1));
	weir__owners_assigned(&w, now_ms);
	assert_in_range(w.next_ms, now_ms + SOON_MS, now_ms + 2 * SOON_MS);
	assert_false(look(&w, &now_ms, 2));
	assert_string_equal(w.ownerless, "posts/2 posts/3");
	assert_in_range(w.next_ms, now_ms + SOON_MS, now_ms + 2 * SOON_MS);
	assert_true(look(&w, &now_ms, 2));
}

static void what_changes_between_two_looks_is_left_alone(void **state)
{
	struct owner_watch w = watch_of(1);
	int64_t now_ms = 0;

	(void)state;
	weir__owners_assigned(&w, now_ms);
	assert_false(look(&w, &now_ms, 2)); /* others */
	assert_false(look(&w, &now_ms, 3));
	weir__owners_assigned(&w, now_ms); /* another round */
	assert_false(look(&w, &now_ms, 3));
	weir__owners_unknown(&w, now_ms); /* the group was not stable */
	assert_false(look(&w, &now_ms, 3));
	assert_false(look(&w, &now_ms, 4)); /* mended */
	assert_false(look(&w, &now_ms, 3));
}

static void when_all_have_owners_it_looks_seldom(void **state)
{
	struct owner_watch w = watch_of(1);
	int64_t now_ms = 0;

	(void)state;
	weir__owners_assigned(&w, now_ms);
	for (int i = 0; i < 10; i++) {
		assert_false(look(&w, &now_ms, 4));
		assert_in_range(w.next_ms, now_ms + SELDOM_MS, now_ms + 2 * SELDOM_MS);
	}
}

/* Each round costs all members something. */
static void rounds_that_do_not_help_become_rare(void **state)
{
	struct owner_watch w = watch_of(1);
	int64_t now_ms = 0;
	int rounds = 0;

	(void)state;
	weir__owners_assigned(&w, now_ms);
	while (now_ms < 3600000)
		if (look(&w, &now_ms, 0)) {
			rounds++;
			weir__owners_assigned(&w, now_ms);
		}
	assert_in_range(rounds, 6, 15);
	assert_false(look(&w, &now_ms, 4)); /* helped at last: from the beginning again */
	weir__owners_assigned(&w, now_ms);
	assert_in_range(w.next_ms, now_ms + SOON_MS, now_ms + 2 * SOON_MS);
}

static void members_do_not_all_look_at_once(void **state)
{
	int64_t first = INT64_MAX, last = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct owner_watch w = watch_of(seed);

		weir__owners_assigned(&w, 0);
		first = w.next_ms < first ? w.next_ms : first;
		last = w.next_ms > last ? w.next_ms : last;
	}
	assert_true(last - first > SOON_MS / 2);
}

static void a_list_without_end_is_cut_and_still_compared(void **state)
{
	struct owner_watch w = watch_of(1);
	struct owner_look l = { 0 };

	(void)state;
	weir__owners_assigned(&w, 0);
	weir__look_topic(&l, "a-topic-with-a-long-name-that-fills-the-list-soon", 1000);
	assert_false(weir__look_end(&l, &w, w.next_ms));
	assert_int_equal(strlen(w.ownerless), sizeof w.ownerless - 1);
	weir__look_topic(&l, "a-topic-with-a-long-name-that-fills-the-list-soon", 1000);
	assert_true(weir__look_end(&l, &w, w.next_ms));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_has_no_owner_at_two_looks_is_acted_on),
		cmocka_unit_test(what_changes_between_two_looks_is_left_alone),
		cmocka_unit_test(when_all_have_owners_it_looks_seldom),
		cmocka_unit_test(rounds_that_do_not_help_become_rare),
		cmocka_unit_test(members_do_not_all_look_at_once),
		cmocka_unit_test(a_list_without_end_is_cut_and_still_compared),
	};

	return cmocka_run_group_tests_name("partitions without an owner", tests, NULL, NULL);
}
