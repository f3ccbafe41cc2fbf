#ifndef EVILNET_MYSQL_DB_H
#define EVILNET_MYSQL_DB_H
/*
 * One connection, as the mysql_*.c files share it. Statements are prepared once a connection; reconnecting is
 * always an explicit evilnet_db_open, so that nobody goes on in a transaction that is gone. Not thread-safe.
 */
#include <weir/config.h>
#include <weir/error.h>

struct st_mysql;      /* MYSQL */
struct st_mysql_stmt; /* MYSQL_STMT */
struct st_mysql_bind; /* MYSQL_BIND */
struct st_mysql_time; /* MYSQL_TIME */

enum { EVILNET_DB_STATEMENTS_MAX = 16 };

struct evilnet_db {
	struct st_mysql *mysql; /* NULL = not connected */
	struct {
		const char *sql; /* compared by address */
		struct st_mysql_stmt *stmt;
	} statements[EVILNET_DB_STATEMENTS_MAX];
	size_t statement_count;
	char where[300]; /* "MySQL at host:port", for messages */
	/* About the last failure: */
	bool lost;       /* the connection is of no more use */
	bool refused;    /* the values themselves cannot be stored; anything else may work later */
	bool contended;  /* deadlock or lock wait: the same transaction may work at once */
	unsigned number; /* the server's or the client library's */
};

/** Tells *err, and the fields above, what went wrong. Returns false. */
bool evilnet_db_fail(struct evilnet_db *db, unsigned number, const char *state, const char *text, weir_error *err);

/** Connects; closes what was open before. `create`: makes the database if it is not there and the user may. */
bool evilnet_db_open(struct evilnet_db *db, const weir_config *cfg, bool create, weir_error *err);
void evilnet_db_close(struct evilnet_db *db);
/** True when the connection is there and the server answers. */
bool evilnet_db_alive(struct evilnet_db *db);

/** Runs one statement without parameters; what it returns is dropped. */
bool evilnet_db_run(struct evilnet_db *db, const char *sql, weir_error *err);
/** The same; *number gets the first column of the first row, `none` when there is no row or it is NULL. */
bool evilnet_db_number(struct evilnet_db *db, const char *sql, int64_t none, int64_t *number, weir_error *err);
/** Takes back the open transaction, if any; failures do not matter. */
void evilnet_db_rollback(struct evilnet_db *db);

/** The prepared statement of this text, whose address must stay valid; prepared at first use. NULL: failed. */
struct st_mysql_stmt *evilnet_db_statement(struct evilnet_db *db, const char *sql, weir_error *err);
/** Executes it with as many parameters as it has. */
bool evilnet_db_execute(struct evilnet_db *db, struct st_mysql_stmt *stmt, struct st_mysql_bind *params,
			weir_error *err);
/** Executes it and brings the whole result here, bound to `columns` (not NULL, fixed sizes); then evilnet_db_fetch
 *  until *more is false, or evilnet_db_done before that. */
bool evilnet_db_query(struct evilnet_db *db, struct st_mysql_stmt *stmt, struct st_mysql_bind *params,
		      struct st_mysql_bind *columns, weir_error *err);
bool evilnet_db_fetch(struct evilnet_db *db, struct st_mysql_stmt *stmt, bool *more, weir_error *err);
void evilnet_db_done(struct st_mysql_stmt *stmt);
/** Rows that the last execution changed. */
uint64_t evilnet_db_affected(struct st_mysql_stmt *stmt);

/* Parameters and result columns. What they point to must stay until the statement is executed (or fetched). */
void evilnet_bind_bytes(struct st_mysql_bind *b, const void *data, size_t len);
void evilnet_bind_signed(struct st_mysql_bind *b, int64_t *v);
void evilnet_bind_unsigned(struct st_mysql_bind *b, uint64_t *v);
void evilnet_bind_time(struct st_mysql_bind *b, struct st_mysql_time *t);
/** A text column of at most `size` bytes; *len gets its length. */
void evilnet_bind_text_out(struct st_mysql_bind *b, char *buf, size_t size, unsigned long *len);

/** UTC; false when it lies outside of what DATETIME holds (years 1000 to 9999). Milliseconds are kept. */
bool evilnet_time_to_db(int64_t ms, struct st_mysql_time *t);
int64_t evilnet_time_from_db(const struct st_mysql_time *t);

/** Brings the tables up to date over an open connection (mysql_schema.c). */
bool evilnet_db_migrate(struct evilnet_db *db, weir_error *err);

#endif
