#ifndef EVILNET_MYSQL_RETENTION_H
#define EVILNET_MYSQL_RETENTION_H
#include "apps/evilnet/mysql_db.h"

/** Deletes some of the rows whose window began more than retention_ms before the newest window, for about budget_ms
 *  at most. Event time alone counts, so that old data can be replayed. */
bool evilnet_db_expire(struct evilnet_db *db, int64_t retention_ms, int64_t budget_ms, weir_error *err);

#endif
