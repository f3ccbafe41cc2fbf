#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "framework/runtime/fencings.h"

#define SECOND INT64_C(1000000)

enum { SESSION_S = 6 };

static bool fenced(struct fencings *f, int64_t now_s)
{
	return weir__fenced_by_twin(f, now_s * SECOND, SESSION_S * SECOND);
}

static void commit(struct fencings *f, int64_t now_s)
{
	weir__fencings_done(f, now_s * SECOND, SESSION_S * SECOND);
}

static void who_is_fenced_twice_at_work_has_a_twin(void **state)
{
	struct fencings f = { 0 };

	(void)state;
	for (int64_t s = 90; s < 100; s++)
		commit(&f, s);
	assert_false(fenced(&f, 100));
	for (int64_t s = 101; s < 110; s++)
		commit(&f, s);
	assert_true(fenced(&f, 110));
}

static void who_is_fenced_now_and_then_has_none(void **state)
{
	struct fencings f = { 0 };

	(void)state;
	for (int64_t s = 100; s < 1000; s++) {
		commit(&f, s);
		if (s % 60 == 0)
			assert_false(fenced(&f, s));
	}
}

/* Of a real cluster: a broker restarted five times in a minute, each time for longer than the session. */
static void who_is_fenced_after_outages_has_none(void **state)
{
	struct fencings f = { 0 };

	(void)state;
	for (int64_t s = 100; s < 1000; s += 12) {
		commit(&f, s - SESSION_S);
		assert_false(fenced(&f, s));
	}
}

/* Of a real cluster, too: what lay ready before the outage is committed as soon as it is over. */
static void who_is_fenced_after_outages_behind_a_commit_has_none(void **state)
{
	struct fencings f = { 0 };

	(void)state;
	for (int64_t s = 100; s < 1000; s += 15) {
		commit(&f, s);
		assert_false(fenced(&f, s + 1));
	}
}

/* Two instances that have nothing to do: neither ever commits. */
static void who_is_fenced_all_the_time_has_a_twin_with_or_without_work(void **state)
{
	struct fencings f = { 0 };
	int times = 0;

	(void)state;
	for (int64_t s = 100; !fenced(&f, s); s += 2)
		assert_true(++times < 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_fenced_twice_at_work_has_a_twin),
		cmocka_unit_test(who_is_fenced_now_and_then_has_none),
		cmocka_unit_test(who_is_fenced_after_outages_has_none),
		cmocka_unit_test(who_is_fenced_after_outages_behind_a_commit_has_none),
		cmocka_unit_test(who_is_fenced_all_the_time_has_a_twin_with_or_without_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
