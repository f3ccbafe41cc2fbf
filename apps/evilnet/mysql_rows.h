#ifndef EVILNET_MYSQL_ROWS_H
#define EVILNET_MYSQL_ROWS_H
/* Rows of city_windows on their way into the table, under the rule that a row yields only to one whose upto is not
 * smaller. */
#include "apps/evilnet/mysql_db.h"
#include "schemas/city_window.h"

struct evilnet_row {
	struct city_window window;
	size_t index; /* the caller's: which record it came from */
};

/** What the table could not hold, or would hold as something else, and no server would say so. False: *err says
 *  what. */
bool evilnet_row_check(const struct city_window *window, weir_error *err);

/** Sorts by the table's key, so that two writers never wait for each other crosswise, and leaves of several rows of
 *  one key the one that would win if all were written in the given order. Returns how many are left. */
size_t evilnet_rows_coalesce(struct evilnet_row *rows, size_t n);

/** A row that the database refuses; called for each, and the others go on. */
typedef void evilnet_row_refused_fn(void *user, const struct evilnet_row *row, const char *reason);

struct evilnet_upsert;
/** Its statements belong to the connection that it is used with first: one is wanted for each evilnet_db. */
struct evilnet_upsert *evilnet_upsert_new(void);
void evilnet_upsert_free(struct evilnet_upsert *upsert);
/** Writes coalesced rows inside the caller's transaction. Rows last written before *since (of another log) yield to
 *  any. False: the transaction is to be rolled back; what the database refuses is no failure. */
bool evilnet_upsert_write(struct evilnet_upsert *upsert, struct evilnet_db *db, const struct evilnet_row *rows,
			  size_t n, const struct st_mysql_time *since, evilnet_row_refused_fn *refused, void *user,
			  weir_error *err);

#endif
