#include "apps/examples/8-card-fraud/topology.h"
#include "tests/topology/topology_test.h"

static void pay(weir_driver *d, const char *card, const char *cents, int64_t minute)
{
	weir_driver_pipe(d, "payments", card, cents, WEIR_MINUTES(minute));
}

/* The next alert's card and words. */
static void assert_alert(weir_driver *d, const char *card, const char *words)
{
	weir_driver_record r;

	assert_true(weir_driver_read(d, "alerts", &r));
	assert_bytes(weir_bytes_of(r.key.data, r.key.len - 16), card);
	assert_bytes(r.value, words);
}

static void a_card_that_is_tried_out_makes_one_alert_when_the_session_has_ended(void **state)
{
	weir_driver *d = driver(card_fraud(), (weir_driver_opts){ 0 });

	(void)state;
	pay(d, "card-1", "120", 100);
	pay(d, "card-2", "9900", 101);
	pay(d, "card-1", "80", 102);
	pay(d, "card-1", "61200", 111);
	pay(d, "card-1", "310", 103); /* out of order: it makes two sessions one */
	assert_nothing(d, "alerts");
	must(weir_driver_restart(d, true, &err));
	pay(d, "card-2", "100", 122);
	assert_alert(d, "card-1", "4 payments, 3 of them small, the largest 612.00");
	pay(d, "card-2", "100", 200);
	assert_nothing(d, "alerts");
	weir_driver_free(d);
}

static void payments_far_apart_are_no_session(void **state)
{
	weir_driver *d = driver(card_fraud(), (weir_driver_opts){ 0 });

	(void)state;
	for (int i = 0; i < 3; i++)
		pay(d, "card-1", "100", 100 + 11 * i);
	pay(d, "card-1", "61200", 140);
	pay(d, "card-2", "1", 500);
	assert_nothing(d, "alerts");
	weir_driver_free(d);
}

static void what_is_no_amount_is_a_dead_letter(void **state)
{
	weir_driver *d = driver(card_fraud(), (weir_driver_opts){ 0 });

	(void)state;
	pay(d, "card-1", "much", 100);
	assert_dead_letter(d, "much", "unreadable: \"much\" is no amount");
	weir_driver_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_card_that_is_tried_out_makes_one_alert_when_the_session_has_ended),
		cmocka_unit_test(payments_far_apart_are_no_session),
		cmocka_unit_test(what_is_no_amount_is_a_dead_letter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
