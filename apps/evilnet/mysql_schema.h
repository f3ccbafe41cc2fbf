#ifndef EVILNET_MYSQL_SCHEMA_H
#define EVILNET_MYSQL_SCHEMA_H
/* The migrations, which the build takes from schemas/mysql/NNN_*.sql, and how a file of them is cut into
 * statements. */
#include <stdbool.h>
#include <stddef.h>

struct evilnet_migration {
	int number; /* 1, 2, ... without a gap */
	const char *name;
	const char *sql;
};
extern const struct evilnet_migration evilnet_migrations[];
extern const size_t evilnet_migrations_count;

/** The next statement of *sql, without comments around it and without its semicolon; *sql moves behind it. False:
 *  none is left. Semicolons inside quotes and comments do not end it. */
bool evilnet_sql_next(const char **sql, const char **statement, size_t *len);

#endif
