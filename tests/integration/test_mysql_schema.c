#include "tests/integration/mysql_fixture.h"

#include <sys/wait.h>
#include <weir/log.h>

#include "apps/evilnet/mysql_schema.h"

static int64_t tables(void)
{
	return fixture_number("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()");
}

static void a_missing_database_is_made_with_all_its_tables(void **state)
{
	weir_error err = { 0 };

	(void)state;
	fixture_must(evilnet_db_open(&fixture_db, cfg, true, &err), &err);
	fixture_drop();
	fixture_must(evilnet_mysql_migrate(cfg, &err), &err);
	fixture_must(evilnet_db_open(&fixture_db, cfg, false, &err), &err);
	assert_int_equal(tables(), 6);
	assert_int_equal(fixture_number("SELECT COUNT(*) FROM schema_migrations"), evilnet_migrations_count);
}

static void migrating_again_changes_nothing(void **state)
{
	weir_error err = { 0 };

	(void)state;
	fixture_fresh();
	fixture_run(
		"INSERT INTO city_windows VALUES ('x', '2022-09-15 03:00:00', 900, 1, 0, 1, 5, UTC_TIMESTAMP(6))");
	fixture_must(evilnet_mysql_migrate(cfg, &err), &err);
	assert_int_equal(fixture_rows(), 1);
	assert_int_equal(fixture_number("SELECT COUNT(*) FROM schema_migrations"), evilnet_migrations_count);
}

static void a_migration_that_broke_off_is_taken_up_again(void **state)
{
	weir_error err = { 0 };

	(void)state;
	fixture_fresh();
	fixture_run("DROP VIEW users");
	fixture_run("DELETE FROM schema_migrations WHERE number > 1");
	fixture_must(evilnet_mysql_migrate(cfg, &err), &err);
	assert_int_equal(tables(), 6);
	assert_int_equal(fixture_number("SELECT COUNT(*) FROM schema_migrations"), evilnet_migrations_count);
}

static void several_processes_can_migrate_at_once(void **state)
{
	pid_t pids[4];
	weir_error err = { 0 };

	(void)state;
	for (int round = 0; round < 3; round++) {
		fixture_must(evilnet_db_open(&fixture_db, cfg, true, &err), &err);
		fixture_drop();
		for (int i = 0; i < 4; i++) {
			pids[i] = fork();
			if (!pids[i]) {
				if (evilnet_mysql_migrate(cfg, &err))
					_exit(0);
				fprintf(stderr, "%s\n", err.message);
				_exit(1);
			}
		}
		for (int i = 0; i < 4; i++) {
			int status;

			assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
			assert_int_equal(status, 0);
		}
		fixture_must(evilnet_db_open(&fixture_db, cfg, false, &err), &err);
		assert_int_equal(tables(), 6);
		assert_int_equal(fixture_number("SELECT COUNT(*) FROM schema_migrations"),
				 evilnet_migrations_count);
	}
}

static void tables_of_a_newer_program_are_refused_for_good(void **state)
{
	weir_error err = { 0 };

	(void)state;
	fixture_fresh();
	fixture_run("INSERT INTO schema_migrations VALUES (1000, 'of tomorrow', UTC_TIMESTAMP(6))");
	assert_false(evilnet_mysql_migrate(cfg, &err));
	assert_int_equal(err.code, WEIR_STATE);
	assert_true(err.fatal);
	assert_non_null(strstr(err.message, "newer"));
}

static void a_table_in_the_way_of_a_view_is_named(void **state)
{
	weir_error err = { 0 };

	(void)state;
	fixture_fresh();
	fixture_run("DROP VIEW tweets");
	fixture_run("CREATE TABLE tweets (place VARCHAR(100), count INT, time DATETIME)");
	fixture_run("DELETE FROM schema_migrations WHERE number = 3");
	assert_false(evilnet_mysql_migrate(cfg, &err));
	assert_non_null(strstr(err.message, "003_views"));
	assert_non_null(strstr(err.message, "tweets"));
	assert_false(err.fatal); /* whoever renames the table need not restart anything */
}

static void the_table_is_as_promised(void **state)
{
	(void)state;
	fixture_fresh();
	assert_int_equal(
		fixture_number(
			"SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() AND "
			"table_name = 'city_windows' AND column_name = 'place' AND character_maximum_length = 190 "
			"AND collation_name = 'utf8mb4_bin'"),
		1);
	assert_int_equal(
		fixture_number(
			"SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() AND "
			"table_name = 'city_windows' AND column_name IN ('tweets', 'retweets', 'users', 'upto') "
			"AND column_type LIKE 'bigint%%unsigned'"),
		4);
	assert_int_equal(
		fixture_number("SELECT GROUP_CONCAT(column_name ORDER BY ordinal_position) = "
			       "'window_seconds,window_start,place' FROM information_schema.key_column_usage "
			       "WHERE table_schema = DATABASE() AND table_name = 'city_windows' AND "
			       "constraint_name = 'PRIMARY'"),
		1);
}

static void the_original_tables_are_there_as_views(void **state)
{
	(void)state;
	fixture_fresh();
	fixture_run("INSERT INTO city_windows VALUES ('Toronto, Ontario', '2022-09-15 03:00:00', 900, 7, 3, 5, 1, "
		    "UTC_TIMESTAMP(6))");
	assert_int_equal(fixture_number("SELECT `count` FROM tweets WHERE place = 'Toronto, Ontario'"), 7);
	assert_int_equal(fixture_number("SELECT `count` FROM retweets WHERE `time` = '2022-09-15 03:00:00'"), 3);
	assert_int_equal(fixture_number("SELECT `count` FROM users"), 5);
}

static void a_server_that_is_away_is_a_failure_to_retry(void **state)
{
	weir_config *away = fixture_config("/nonexistent/socket");
	weir_error err = { 0 };

	(void)state;
	assert_false(evilnet_mysql_migrate(away, &err));
	assert_true(err.retriable);
	assert_false(err.fatal);
	assert_non_null(strstr(err.message, "/nonexistent/socket"));
	weir_config_free(away);
}

static void a_password_file_that_is_missing_is_named(void **state)
{
	weir_config *other = fixture_config("/nonexistent/socket");
	weir_error err = { 0 };

	(void)state;
	fixture_set(other, "evilnet.mysql.password.file", "/nonexistent/password");
	assert_false(evilnet_mysql_migrate(other, &err));
	assert_int_equal(err.code, WEIR_CONFIG);
	assert_non_null(strstr(err.message, "/nonexistent/password"));
	weir_config_free(other);
}

static void log_in(const weir_config *as, bool can, const char *user)
{
	struct evilnet_db db = { 0 };
	weir_error err = { 0 };

	assert_int_equal(evilnet_db_open(&db, as, false, &err), can);
	if (!can) {
		assert_null(strstr(err.message, "s3cret"));
		assert_non_null(strstr(err.message, user));
	}
	evilnet_db_close(&db);
}

static void the_password_comes_from_the_file_or_the_environment(void **state)
{
	weir_config *as = fixture_config(weir_config_string(cfg, "evilnet.mysql.socket"));
	char path[] = "/tmp/weir-password-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	fixture_fresh();
	fixture_run("DROP USER IF EXISTS weir_test@localhost");
	fixture_run("CREATE USER weir_test@localhost IDENTIFIED BY 's3cret'");
	fixture_run("GRANT SELECT ON *.* TO weir_test@localhost");
	assert_int_equal(write(fd, "s3cret\n", 7), 7);
	close(fd);
	fixture_set(as, "evilnet.mysql.user", "weir_test");
	log_in(as, false, "weir_test");
	fixture_set(as, "evilnet.mysql.password.file", path);
	log_in(as, true, "weir_test");
	setenv("EVILNET_MYSQL_PASSWORD", "s3cret wrong", 1);
	log_in(as, false, "weir_test");
	setenv("EVILNET_MYSQL_PASSWORD", "s3cret", 1);
	fixture_set(as, "evilnet.mysql.password.file", "/nonexistent");
	log_in(as, true, "weir_test");
	unsetenv("EVILNET_MYSQL_PASSWORD");
	unlink(path);
	fixture_run("DROP USER weir_test@localhost");
	weir_config_free(as);
}

static void a_user_without_the_right_to_make_tables_can_use_them(void **state)
{
	weir_config *as = fixture_config(weir_config_string(cfg, "evilnet.mysql.socket"));
	char sql[200];
	weir_error err = { 0 };

	(void)state;
	fixture_fresh();
	fixture_run("DROP USER IF EXISTS weir_rows@localhost");
	fixture_run("CREATE USER weir_rows@localhost");
	snprintf(sql, sizeof sql, "GRANT SELECT, INSERT, UPDATE, DELETE ON `%s`.* TO weir_rows@localhost",
		 weir_config_string(cfg, "evilnet.mysql.database"));
	fixture_run(sql);
	fixture_set(as, "evilnet.mysql.user", "weir_rows");
	fixture_must(evilnet_mysql_migrate(as, &err), &err);
	fixture_set(as, "evilnet.mysql.database", "weir_not_to_be_made");
	assert_false(evilnet_mysql_migrate(as, &err));
	fixture_run("DROP USER weir_rows@localhost");
	weir_config_free(as);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_missing_database_is_made_with_all_its_tables),
		cmocka_unit_test(migrating_again_changes_nothing),
		cmocka_unit_test(a_migration_that_broke_off_is_taken_up_again),
		cmocka_unit_test(several_processes_can_migrate_at_once),
		cmocka_unit_test(tables_of_a_newer_program_are_refused_for_good),
		cmocka_unit_test(a_table_in_the_way_of_a_view_is_named),
		cmocka_unit_test(the_table_is_as_promised),
		cmocka_unit_test(the_original_tables_are_there_as_views),
		cmocka_unit_test(a_server_that_is_away_is_a_failure_to_retry),
		cmocka_unit_test(a_password_file_that_is_missing_is_named),
		cmocka_unit_test(the_password_comes_from_the_file_or_the_environment),
		cmocka_unit_test(a_user_without_the_right_to_make_tables_can_use_them),
	};

	return fixture_socket() ? cmocka_run_group_tests(tests, fixture_begin, fixture_finish) : SKIPPED;
}
