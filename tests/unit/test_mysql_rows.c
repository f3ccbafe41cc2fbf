/* What EvilNet does for MySQL before it asks any server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "apps/evilnet/evilnet.h"
#include "apps/evilnet/mysql.h"
#include "apps/evilnet/mysql_rows.h"
#include "apps/evilnet/mysql_schema.h"

/* --- statements ----------------------------------------------------------------------------------------------- */

static void check_statements(const char *sql, const char *const *expected)
{
	const char *statement;
	size_t len;

	for (; *expected; expected++) {
		char got[400];

		assert_true(evilnet_sql_next(&sql, &statement, &len));
		snprintf(got, sizeof got, "%.*s", (int)len, statement);
		assert_string_equal(got, *expected);
	}
	assert_false(evilnet_sql_next(&sql, &statement, &len));
	assert_false(evilnet_sql_next(&sql, &statement, &len));
}

#define STATEMENTS(sql, ...) check_statements(sql, (const char *const[]){ __VA_ARGS__, NULL })

static void a_file_is_cut_at_its_semicolons(void **state)
{
	(void)state;
	STATEMENTS("SELECT 1; SELECT 2;", "SELECT 1", "SELECT 2");
	STATEMENTS("\n SELECT 1 \n;;; ;\tSELECT\n2", "SELECT 1", "SELECT\n2");
	STATEMENTS("", NULL);
	STATEMENTS(" \n ; ;\n", NULL);
}

static void semicolons_in_quotes_and_comments_do_not_cut(void **state)
{
	(void)state;
	STATEMENTS("SELECT ';' ; SELECT \"a;b\"", "SELECT ';'", "SELECT \"a;b\"");
	STATEMENTS("SELECT 'it''s;' ; SELECT 'it\\';s'; 3", "SELECT 'it''s;'", "SELECT 'it\\';s'", "3");
	STATEMENTS("SELECT `a;\\`; 2", "SELECT `a;\\`", "2");
	STATEMENTS("-- one; two\nSELECT 1 -- three; 'four\n, 2; # five; six\n3", "SELECT 1 -- three; 'four\n, 2",
		   "3");
	STATEMENTS("/* a; b */ SELECT /* c; ' */ 1; SELECT 1-1--1;", "SELECT /* c; ' */ 1", "SELECT 1-1--1");
	STATEMENTS("-- nothing but a comment;", NULL);
	STATEMENTS("SELECT 1; /* not closed ;", "SELECT 1");
}

static void the_program_carries_its_migrations_in_order(void **state)
{
	(void)state;
	assert_true(evilnet_migrations_count >= 3);
	for (size_t i = 0; i < evilnet_migrations_count; i++) {
		const char *sql = evilnet_migrations[i].sql, *statement;
		size_t len;

		assert_int_equal(evilnet_migrations[i].number, i + 1);
		assert_int_equal(atoi(evilnet_migrations[i].name), i + 1);
		assert_true(evilnet_sql_next(&sql, &statement, &len));
		assert_memory_equal(statement, "CREATE", 6);
	}
}

/* --- rows ----------------------------------------------------------------------------------------------------- */

static struct evilnet_row row(size_t index, const char *place, int64_t start_ms, int64_t tweets, int64_t upto)
{
	return (struct evilnet_row){ .index = index,
				     .window = { .place = weir_str(place),
						 .window_start_ms = start_ms,
						 .window_seconds = 900,
						 .tweets = tweets,
						 .upto = upto } };
}

static void of_one_key_the_row_with_the_greatest_upto_is_left_and_of_equals_the_last(void **state)
{
	struct evilnet_row rows[] = {
		row(0, "B", 1000, 1, 5), row(1, "A", 2000, 2, 9), row(2, "B", 1000, 3, 7),  row(3, "A", 1000, 4, 1),
		row(4, "B", 1000, 5, 6), row(5, "A", 2000, 6, 9), row(6, "AB", 1000, 7, 0),
	};

	(void)state;
	rows[6].window.window_seconds = 300;
	assert_int_equal(evilnet_rows_coalesce(rows, 7), 4);
	assert_int_equal(rows[0].window.tweets, 7); /* in the order of the table's key */
	assert_int_equal(rows[1].window.tweets, 4);
	assert_int_equal(rows[2].window.tweets, 3);
	assert_int_equal(rows[2].index, 2);
	assert_int_equal(rows[3].window.tweets, 6);
	assert_int_equal(evilnet_rows_coalesce(rows, 0), 0);
}

static void check_row(struct city_window w, const char *mistake)
{
	weir_error err = { 0 };

	assert_int_equal(evilnet_row_check(&w, &err), mistake == NULL);
	if (mistake)
		assert_non_null(strstr(err.message, mistake));
}

static void a_row_that_the_table_would_hold_as_something_else_is_refused(void **state)
{
	struct city_window good = row(0, "Toronto", 1663210800000, 1, 1).window, w;

	(void)state;
	check_row(good, NULL);
	w = good, w.users = -1;
	check_row(w, "negative");
	w = good, w.upto = -1;
	check_row(w, "negative");
	w = good, w.window_start_ms += 1;
	check_row(w, "whole second");
	w = good, w.window_start_ms = INT64_MAX / 1000 * 1000;
	check_row(w, "whole second");
	w = good, w.window_start_ms = -1000;
	check_row(w, NULL); /* 1969 */
	w = good, w.window_seconds = 0;
	check_row(w, "window_seconds");
	w = good, w.window_seconds = (int64_t)INT32_MAX + 1;
	check_row(w, "window_seconds");
	w = good, w.place = weir_str("Toronto ");
	check_row(w, "space");
	w = good, w.place = weir_str(" Toronto");
	check_row(w, NULL);
}

static void without_host_or_socket_there_is_no_mysql(void **state)
{
	weir_config *cfg = weir_config_new();
	weir_error err = { 0 };

	(void)state;
	evilnet_config_keys(cfg);
	assert_false(evilnet_mysql_configured(cfg));
	assert_false(evilnet_mysql_migrate(cfg, &err));
	assert_int_equal(err.code, WEIR_CONFIG);
	assert_non_null(strstr(err.message, "evilnet.mysql.host"));
	assert_true(weir_config_set(cfg, "evilnet.mysql.host", "", WEIR_FROM_FILE, "test", &err));
	assert_false(evilnet_mysql_configured(cfg));
	assert_true(weir_config_set(cfg, "evilnet.mysql.socket", "/run/mysqld.sock", WEIR_FROM_FILE, "test", &err));
	assert_true(evilnet_mysql_configured(cfg));
	weir_config_free(cfg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_cut_at_its_semicolons),
		cmocka_unit_test(semicolons_in_quotes_and_comments_do_not_cut),
		cmocka_unit_test(the_program_carries_its_migrations_in_order),
		cmocka_unit_test(of_one_key_the_row_with_the_greatest_upto_is_left_and_of_equals_the_last),
		cmocka_unit_test(a_row_that_the_table_would_hold_as_something_else_is_refused),
		cmocka_unit_test(without_host_or_socket_there_is_no_mysql),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
