#ifndef MYSQL_FIXTURE_H
#define MYSQL_FIXTURE_H
/* What the MySQL tests share: a database of its own for each program, its configuration, questions with one number
 * as answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <weir/log.h>

#include "apps/evilnet/evilnet.h"
#include "apps/evilnet/mysql.h"
#include "apps/evilnet/mysql_db.h"

#define SKIPPED 77
#define CLUSTER "cluster-A"
#define TOPIC "evilnet.metrics"
#define T0 INT64_C(1663210800000) /* 2022-09-15 03:00:00 */
#define MINUTES_15 INT64_C(900000)

/* A table of the numbers from 0 to 9999, for any server. */
#define DIGITS \
	"(SELECT 0 d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL " \
	"SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)"
#define NUMBERS \
	"(SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d AS seq FROM " DIGITS " a, " DIGITS " b, " DIGITS \
	" c, " DIGITS " e)"

static weir_config *cfg;             /* names a database that only this process uses */
static struct evilnet_db fixture_db; /* beside what is tested */

static inline const char *fixture_socket(void)
{
	const char *socket = getenv("WEIR_TEST_MYSQL_SOCKET");

	if (!socket || !*socket)
		fprintf(stderr, "skipped: WEIR_TEST_MYSQL_SOCKET is not set (tests/services.sh start mysql)\n");
	return socket && *socket ? socket : NULL;
}

static inline void fixture_set(weir_config *c, const char *name, const char *value)
{
	weir_error err;

	if (!weir_config_set(c, name, value, WEIR_FROM_COMMAND_LINE, "test", &err))
		fail_msg("%s", err.message);
}

/* Configured for a database that only this process uses. */
static inline weir_config *fixture_config(const char *socket)
{
	weir_config *c = weir_config_new();
	char database[64];

	evilnet_config_keys(c);
	snprintf(database, sizeof database, "weir_test_%d", (int)getpid());
	fixture_set(c, "evilnet.mysql.socket", socket);
	fixture_set(c, "evilnet.mysql.user", "root");
	fixture_set(c, "evilnet.mysql.database", database);
	return c;
}

static inline void fixture_must(bool ok, const weir_error *err)
{
	if (!ok)
		fail_msg("%s", err->message);
}

static inline void fixture_run(const char *sql)
{
	weir_error err = { 0 };

	fixture_must(evilnet_db_run(&fixture_db, sql, &err), &err);
}

__attribute__((format(printf, 1, 2))) static inline int64_t fixture_number(const char *format, ...)
{
	char sql[4096];
	weir_error err = { 0 };
	int64_t number;
	va_list args;

	va_start(args, format);
	vsnprintf(sql, sizeof sql, format, args);
	va_end(args);
	fixture_must(evilnet_db_number(&fixture_db, sql, -1, &number, &err), &err);
	return number;
}

static inline int64_t fixture_rows(void)
{
	return fixture_number("SELECT COUNT(*) FROM city_windows");
}

static inline void fixture_drop(void)
{
	char sql[128];

	if (!fixture_db.mysql)
		return;
	snprintf(sql, sizeof sql, "DROP DATABASE IF EXISTS `%s`",
		 weir_config_string(cfg, "evilnet.mysql.database"));
	evilnet_db_run(&fixture_db, sql, NULL);
}

/* An empty database with up-to-date tables, and fixture_db in it. */
static inline void fixture_fresh(void)
{
	weir_error err = { 0 };

	fixture_must(evilnet_db_open(&fixture_db, cfg, true, &err), &err);
	fixture_drop();
	fixture_must(evilnet_mysql_migrate(cfg, &err), &err);
	fixture_must(evilnet_db_open(&fixture_db, cfg, false, &err), &err);
	fixture_run("SET SESSION wait_timeout = 600");
}

/* --- what cmocka calls around a program's tests, and before each ------------------------------------------- */

static inline int fixture_begin(void **state)
{
	(void)state;
	weir_log_set(weir_log_stderr, NULL, WEIR_LOG_WARN);
	cfg = fixture_config(getenv("WEIR_TEST_MYSQL_SOCKET"));
	return 0;
}

static inline int fresh(void **state)
{
	(void)state;
	fixture_fresh();
	return 0;
}

static inline int fixture_finish(void **state)
{
	(void)state;
	fixture_drop();
	evilnet_db_close(&fixture_db);
	weir_config_free(cfg);
	return 0;
}

static inline struct city_window fixture_window(const char *place, int64_t start_ms, int64_t tweets, int64_t upto)
{
	return (struct city_window){ .place = weir_str(place),
				     .window_start_ms = start_ms,
				     .window_seconds = 900,
				     .tweets = tweets,
				     .retweets = tweets / 2,
				     .users = tweets / 3 + 1,
				     .upto = upto };
}

#endif
