#include "apps/evilnet/x_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "apps/evilnet/x_backoff.h"

/* The bodies that make `present` into `wanted`; NULL stands for nothing to do. */
static void agree(const char *wanted, const char *present, const char *delete, const char *add)
{
	weir_error err = { 0 };
	struct x_rules *rules = x_rules_new(wanted, &err);
	char *next, *got;

	assert_non_null(rules);
	assert_true(x_rules_take_present(rules, weir_str(present), &next, &err));
	assert_null(next);
	got = x_rules_delete_body(rules);
	if (delete)
		assert_string_equal(got ? got : "nothing", delete);
	else
		assert_null(got);
	free(got);
	got = x_rules_add_body(rules);
	if (add)
		assert_string_equal(got ? got : "nothing", add);
	else
		assert_null(got);
	free(got);
	x_rules_free(rules);
}

static void missing_rules_are_added_and_others_deleted(void **state)
{
	(void)state;
	agree("place_country:CA", "{\"meta\":{\"sent\":\"2022-09-15T03:10:28Z\"}}", NULL,
	      "{\"add\":[{\"value\":\"place_country:CA\"}]}");
	agree("place_country:CA", "{\"data\":[{\"id\":\"7\",\"value\":\"place_country:CA\"}]}", NULL, NULL);
	agree("place_country:CA",
	      "{\"data\":[{\"id\":\"7\",\"value\":\"cat\"},{\"id\":\"8\",\"value\":\"dog\",\"tag\":\"x\"}]}",
	      "{\"delete\":{\"ids\":[\"7\",\"8\"]}}", "{\"add\":[{\"value\":\"place_country:CA\"}]}");
	agree(" place_country:CA ; place_country:US;;place_country:CA",
	      "{\"data\":[{\"id\":\"7\",\"value\":\"place_country:US\"},{\"id\":\"8\",\"value\":\"dog\"}]}",
	      "{\"delete\":{\"ids\":[\"8\"]}}", "{\"add\":[{\"value\":\"place_country:CA\"}]}");
	agree("\"quoted\" \\ rule", "{}", NULL, "{\"add\":[{\"value\":\"\\\"quoted\\\" \\\\ rule\"}]}");
}

static void rules_that_come_in_pages_are_all_seen(void **state)
{
	weir_error err;
	struct x_rules *rules = x_rules_new("a;b", &err);
	char *next;

	(void)state;
	assert_true(x_rules_take_present(
		rules, weir_str("{\"data\":[{\"id\":\"1\",\"value\":\"a\"}],\"meta\":{\"next_token\":\"p2\"}}"),
		&next, &err));
	assert_string_equal(next, "p2");
	free(next);
	assert_true(
		x_rules_take_present(rules, weir_str("{\"data\":[{\"id\":\"2\",\"value\":\"b\"}]}"), &next, &err));
	assert_null(next);
	assert_null(x_rules_add_body(rules));
	assert_null(x_rules_delete_body(rules));
	x_rules_free(rules);
}

static void answers_that_are_no_rules_are_refused(void **state)
{
	static const char *const answers[] = { "", "[]", "<html>", "{\"data\":" };
	weir_error err = { 0 };
	struct x_rules *rules = x_rules_new("a", &err);
	char *next;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_false(x_rules_take_present(rules, weir_str(answers[i]), &next, &err));
	assert_int_equal(err.code, WEIR_DECODE);
	x_rules_free(rules);
	assert_null(x_rules_new("", &err));
	assert_null(x_rules_new(" ; ", &err));
	assert_null(x_rules_new(NULL, &err));
	assert_int_equal(err.code, WEIR_CONFIG);
	assert_null(x_rules_new("place:\xff", &err));
}

static void a_rule_that_x_does_not_take_is_named(void **state)
{
	weir_error err = { 0 };

	(void)state;
	assert_true(x_rules_check_added(weir_str("{\"data\":[{\"id\":\"1\",\"value\":\"a\"}],\"meta\":{}}"), &err));
	assert_true(x_rules_check_added(weir_str("{\"errors\":[{\"title\":\"DuplicateRule\",\"value\":\"a\"}]}"),
					&err));
	assert_false(x_rules_check_added(
		weir_str(
			"{\"errors\":[{\"title\":\"DuplicateRule\",\"value\":\"a\"},{\"value\":\"place_cuntry:CA\","
			"\"title\":\"UnprocessableEntity\",\"details\":[\"no such operator\"]}]}"),
		&err));
	assert_string_equal(err.message,
			    "X does not take the rule \"place_cuntry:CA\": UnprocessableEntity no such operator");
	assert_int_equal(err.code, WEIR_CONFIG);
}

static void waits_grow_as_x_documents_it(void **state)
{
	struct x_backoff b = { 0 };

	(void)state;
	assert_int_equal(x_backoff_next_ms(&b, X_NETWORK), 250);
	assert_int_equal(x_backoff_next_ms(&b, X_NETWORK), 500);
	for (int i = 3; i <= 64; i++)
		assert_int_equal(x_backoff_next_ms(&b, X_NETWORK), 250 * i);
	assert_int_equal(x_backoff_next_ms(&b, X_NETWORK), 16000);
	for (int64_t wait = 5000; wait <= 320000; wait *= 2)
		assert_int_equal(x_backoff_next_ms(&b, X_SERVER), wait);
	assert_int_equal(x_backoff_next_ms(&b, X_SERVER), 320000);
	assert_int_equal(x_backoff_next_ms(&b, X_RATE_LIMITED), 60000);
	assert_int_equal(x_backoff_next_ms(&b, X_RATE_LIMITED), 120000);
	assert_int_equal(x_backoff_next_ms(&b, X_NETWORK), 16000);
	x_backoff_reset(&b);
	assert_int_equal(x_backoff_next_ms(&b, X_NETWORK), 250);
	assert_int_equal(x_backoff_next_ms(&b, X_SERVER), 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(missing_rules_are_added_and_others_deleted),
		cmocka_unit_test(rules_that_come_in_pages_are_all_seen),
		cmocka_unit_test(answers_that_are_no_rules_are_refused),
		cmocka_unit_test(a_rule_that_x_does_not_take_is_named),
		cmocka_unit_test(waits_grow_as_x_documents_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
