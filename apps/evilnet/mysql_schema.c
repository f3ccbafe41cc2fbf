#include "apps/evilnet/mysql_schema.h"

#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/log.h>

#include "apps/evilnet/mysql.h"
#include "apps/evilnet/mysql_db.h"

#define AREA "mysql"

/* --- cutting a file into statements --------------------------------------------------------------------------- */

/* The end of the quoted text or comment that begins at p; p itself when none does. */
static const char *skip_opaque(const char *p)
{
	if (p[0] == '#' || (p[0] == '-' && p[1] == '-' && (p[2] == ' ' || p[2] == '\t' || p[2] == '\n' || !p[2])))
		return p + strcspn(p, "\n");
	if (p[0] == '/' && p[1] == '*') {
		const char *end = strstr(p + 2, "*/");
		return end ? end + 2 : p + strlen(p);
	}
	if (*p != '\'' && *p != '"' && *p != '`')
		return p;
	char quote = *p++;
	for (; *p && *p != quote; p++)
		if (*p == '\\' && quote != '`' && p[1])
			p++;
	return *p ? p + 1 : p; /* a doubled quote is the end of one text and the start of the next */
}

static const char *skip_blank(const char *p)
{
	for (;;) {
		const char *next = p + strspn(p, " \t\r\n");
		if (*next == '-' || *next == '#' || *next == '/')
			next = skip_opaque(next);
		if (next == p)
			return p;
		p = next;
	}
}

bool evilnet_sql_next(const char **sql, const char **statement, size_t *len)
{
	const char *start = skip_blank(*sql), *p = start;

	while (*start == ';')
		start = p = skip_blank(start + 1);
	while (*p && *p != ';') {
		const char *next = skip_opaque(p);
		p = next == p ? p + 1 : next;
	}
	*sql = *p ? p + 1 : p;
	while (p > start && strchr(" \t\r\n", p[-1]))
		p--;
	*statement = start;
	*len = (size_t)(p - start);
	return *len > 0;
}

/* --- applying ------------------------------------------------------------------------------------------------- */

static bool run_file(struct evilnet_db *db, const struct evilnet_migration *m, weir_error *err)
{
	const char *at = m->sql, *statement;
	char record[200];
	size_t len;

	while (evilnet_sql_next(&at, &statement, &len)) {
		char *text = strndup(statement, len);
		bool ok = text && evilnet_db_run(db, text, err);

		free(text);
		if (!text)
			return weir_fail(err, WEIR_SINK, "out of memory");
		if (!ok)
			return weir_wrap(err, "migration %s", m->name);
	}
	snprintf(record, sizeof record,
		 "INSERT INTO schema_migrations (number, name, applied_at) VALUES (%d, '%s', UTC_TIMESTAMP(6))",
		 m->number, m->name);
	if (!evilnet_db_run(db, record, err))
		return weir_wrap(err, "migration %s", m->name);
	weir_log(WEIR_LOG_INFO, AREA, "migration applied name=%s", m->name);
	return true;
}

static bool applied_number(struct evilnet_db *db, int64_t *number, weir_error *err)
{
	return evilnet_db_number(db, "SELECT MAX(number) FROM schema_migrations", 0, number, err);
}

static bool not_newer(int64_t number, weir_error *err)
{
	if (number <= (int64_t)evilnet_migrations_count)
		return true;
	weir_fail(err, WEIR_STATE,
		  "the tables have been migrated to %lld by a newer EvilNet, this one knows migrations up to %zu: "
		  "run the newer one",
		  (long long)number, evilnet_migrations_count);
	if (err)
		err->fatal = true;
	return false;
}

/* Under the lock. */
static bool apply_missing(struct evilnet_db *db, weir_error *err)
{
	int64_t number;

	if (!evilnet_db_run(db,
			    "CREATE TABLE IF NOT EXISTS schema_migrations (number INT NOT NULL PRIMARY KEY, "
			    "name VARCHAR(100) NOT NULL, applied_at DATETIME(6) NOT NULL) ENGINE = InnoDB",
			    err) ||
	    !applied_number(db, &number, err) || !not_newer(number, err))
		return false;
	for (size_t i = (size_t)number; i < evilnet_migrations_count; i++)
		if (!run_file(db, &evilnet_migrations[i], err))
			return false;
	return true;
}

bool evilnet_db_migrate(struct evilnet_db *db, weir_error *err)
{
	int64_t number = 0, locked;

	/* The usual case takes no lock, and needs no right to make tables. */
	if (applied_number(db, &number, NULL)) {
		if (number == (int64_t)evilnet_migrations_count)
			return true;
		if (!not_newer(number, err))
			return false;
	}
	/* The lock is the whole server's, hence the database in its name, and ends with the connection at the
	 * latest. */
	static const char lock[] = "SELECT GET_LOCK(CONCAT('evilnet-', LEFT(SHA2(DATABASE(), 256), 40)), 10)";
	static const char unlock[] = "DO RELEASE_LOCK(CONCAT('evilnet-', LEFT(SHA2(DATABASE(), 256), 40)))";
	if (!evilnet_db_number(db, lock, 0, &locked, err))
		return false;
	if (locked != 1) {
		weir_fail(err, WEIR_SINK, "%s: another process has been changing the tables for 10 s", db->where);
		if (err)
			err->retriable = true;
		return false;
	}
	bool ok = apply_missing(db, err);
	evilnet_db_run(db, unlock, NULL);
	return ok;
}

bool evilnet_mysql_migrate(const weir_config *cfg, weir_error *err)
{
	struct evilnet_db db = { 0 };
	bool ok = evilnet_db_open(&db, cfg, true, err) && evilnet_db_migrate(&db, err);

	evilnet_db_close(&db);
	return ok;
}
