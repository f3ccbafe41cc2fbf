#include "apps/evilnet/mysql_db.h"

#include <errmsg.h>
#include <mysql.h>
#include <string.h>
#include <time.h>

static bool fail_stmt(struct evilnet_db *db, MYSQL_STMT *stmt, weir_error *err)
{
	return evilnet_db_fail(db, mysql_stmt_errno(stmt), mysql_stmt_sqlstate(stmt), mysql_stmt_error(stmt), err);
}

MYSQL_STMT *evilnet_db_statement(struct evilnet_db *db, const char *sql, weir_error *err)
{
	for (size_t i = 0; i < db->statement_count; i++)
		if (db->statements[i].sql == sql)
			return db->statements[i].stmt;
	weir_assert(db->statement_count < EVILNET_DB_STATEMENTS_MAX);
	MYSQL_STMT *stmt = mysql_stmt_init(db->mysql);
	if (!stmt) {
		evilnet_db_fail(db, CR_OUT_OF_MEMORY, "HY000", "out of memory", err);
		return NULL;
	}
	if (mysql_stmt_prepare(stmt, sql, strlen(sql))) {
		fail_stmt(db, stmt, err);
		mysql_stmt_close(stmt);
		return NULL;
	}
	db->statements[db->statement_count].sql = sql;
	db->statements[db->statement_count++].stmt = stmt;
	return stmt;
}

bool evilnet_db_execute(struct evilnet_db *db, MYSQL_STMT *stmt, MYSQL_BIND *params, weir_error *err)
{
	if ((params && mysql_stmt_bind_param(stmt, params)) || mysql_stmt_execute(stmt))
		return fail_stmt(db, stmt, err);
	return true;
}

bool evilnet_db_query(struct evilnet_db *db, MYSQL_STMT *stmt, MYSQL_BIND *params, MYSQL_BIND *columns,
		      weir_error *err)
{
	if (!evilnet_db_execute(db, stmt, params, err))
		return false;
	if (mysql_stmt_bind_result(stmt, columns) || mysql_stmt_store_result(stmt)) {
		fail_stmt(db, stmt, err);
		evilnet_db_done(stmt);
		return false;
	}
	return true;
}

bool evilnet_db_fetch(struct evilnet_db *db, MYSQL_STMT *stmt, bool *more, weir_error *err)
{
	int result = mysql_stmt_fetch(stmt);

	*more = result == 0;
	if (result == 0)
		return true;
	if (result == MYSQL_DATA_TRUNCATED)
		evilnet_db_fail(db, CR_UNKNOWN_ERROR, "HY000", "a column does not fit what it is read into", err);
	else if (result != MYSQL_NO_DATA)
		fail_stmt(db, stmt, err);
	evilnet_db_done(stmt);
	return result == MYSQL_NO_DATA;
}

void evilnet_db_done(MYSQL_STMT *stmt)
{
	mysql_stmt_free_result(stmt);
}

uint64_t evilnet_db_affected(MYSQL_STMT *stmt)
{
	return mysql_stmt_affected_rows(stmt);
}

void evilnet_bind_bytes(MYSQL_BIND *b, const void *data, size_t len)
{
	*b = (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_STRING, .buffer = (void *)data, .buffer_length = len };
}

void evilnet_bind_signed(MYSQL_BIND *b, int64_t *v)
{
	*b = (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_LONGLONG, .buffer = v };
}

void evilnet_bind_unsigned(MYSQL_BIND *b, uint64_t *v)
{
	*b = (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_LONGLONG, .buffer = v, .is_unsigned = 1 };
}

void evilnet_bind_time(MYSQL_BIND *b, MYSQL_TIME *t)
{
	*b = (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_DATETIME, .buffer = t, .buffer_length = sizeof *t };
}

void evilnet_bind_text_out(MYSQL_BIND *b, char *buf, size_t size, unsigned long *len)
{
	*b = (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_STRING, .buffer = buf, .buffer_length = size, .length = len };
}

bool evilnet_time_to_db(int64_t ms, MYSQL_TIME *t)
{
	int64_t seconds = ms / 1000 - (ms % 1000 < 0);
	time_t at = (time_t)seconds;
	struct tm tm;

	if (!gmtime_r(&at, &tm) || tm.tm_year < 1000 - 1900 || tm.tm_year > 9999 - 1900)
		return false;
	*t = (MYSQL_TIME){ .year = (unsigned)tm.tm_year + 1900,
			   .month = (unsigned)tm.tm_mon + 1,
			   .day = (unsigned)tm.tm_mday,
			   .hour = (unsigned)tm.tm_hour,
			   .minute = (unsigned)tm.tm_min,
			   .second = (unsigned)tm.tm_sec,
			   .second_part = (unsigned long)(ms - seconds * 1000) * 1000,
			   .time_type = MYSQL_TIMESTAMP_DATETIME };
	return true;
}

int64_t evilnet_time_from_db(const MYSQL_TIME *t)
{
	struct tm tm = { .tm_year = (int)t->year - 1900,
			 .tm_mon = (int)t->month - 1,
			 .tm_mday = (int)t->day,
			 .tm_hour = (int)t->hour,
			 .tm_min = (int)t->minute,
			 .tm_sec = (int)t->second };

	return (int64_t)timegm(&tm) * 1000 + (int64_t)(t->second_part / 1000);
}
