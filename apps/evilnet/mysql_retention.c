#include "apps/evilnet/mysql_retention.h"

#include <mysql.h>
#include <weir/clock.h>

#define BITE_ROWS "500" /* in one transaction: short enough that nobody waits for it */
#define WIDTHS_MAX 64   /* different widths of windows looked at in one go; more come the next time */

struct width {
	int64_t seconds;
	int64_t oldest_ms;
};

/* Both ends of each width come from the primary key, without reading the rows between them. */
static bool find_widths(struct evilnet_db *db, struct width *widths, size_t *count, int64_t *newest_ms,
			weir_error *err)
{
	static const char sql[] = "SELECT window_seconds, MIN(window_start), MAX(window_start) FROM city_windows "
				  "GROUP BY window_seconds";
	MYSQL_STMT *stmt = evilnet_db_statement(db, sql, err);
	MYSQL_TIME oldest, newest;
	MYSQL_BIND columns[3];
	int64_t seconds;
	bool more;

	evilnet_bind_signed(&columns[0], &seconds);
	evilnet_bind_time(&columns[1], &oldest);
	evilnet_bind_time(&columns[2], &newest);
	*count = 0;
	*newest_ms = INT64_MIN;
	if (!stmt || !evilnet_db_query(db, stmt, NULL, columns, err))
		return false;
	for (;;) {
		if (!evilnet_db_fetch(db, stmt, &more, err))
			return false;
		if (!more)
			return true;
		if (evilnet_time_from_db(&newest) > *newest_ms)
			*newest_ms = evilnet_time_from_db(&newest);
		if (*count < WIDTHS_MAX)
			widths[(*count)++] = (struct width){ seconds, evilnet_time_from_db(&oldest) };
	}
}

static bool delete_before(struct evilnet_db *db, int64_t seconds, int64_t before_ms, uint64_t *deleted,
			  weir_error *err)
{
	static const char sql[] = "DELETE FROM city_windows WHERE window_seconds = ? AND window_start < ? "
				  "ORDER BY window_seconds, window_start, place LIMIT " BITE_ROWS;
	MYSQL_STMT *stmt = evilnet_db_statement(db, sql, err);
	MYSQL_BIND params[2];
	MYSQL_TIME before;

	*deleted = 0;
	if (!evilnet_time_to_db(before_ms, &before))
		return true; /* longer ago than a row can lie */
	evilnet_bind_signed(&params[0], &seconds);
	evilnet_bind_time(&params[1], &before);
	if (!stmt || !evilnet_db_execute(db, stmt, params, err))
		return false;
	*deleted = evilnet_db_affected(stmt);
	return true;
}

bool evilnet_db_expire(struct evilnet_db *db, int64_t retention_ms, int64_t budget_ms, weir_error *err)
{
	weir_clock *clock = weir_clock_system();
	int64_t end_us = clock->monotonic_us(clock) + budget_ms * 1000;
	struct width widths[WIDTHS_MAX];
	int64_t newest_ms;
	size_t count;

	if (!find_widths(db, widths, &count, &newest_ms, err))
		return false;
	/* A row from the future must not make the present look old. */
	int64_t now_ms = clock->wall_ms(clock);
	int64_t before_ms = weir_time_sub(newest_ms < now_ms ? newest_ms : now_ms, retention_ms);
	for (size_t i = 0; i < count; i++) {
		uint64_t deleted = widths[i].oldest_ms < before_ms;

		while (deleted && clock->monotonic_us(clock) < end_us)
			if (!delete_before(db, widths[i].seconds, before_ms, &deleted, err))
				return false;
	}
	return true;
}
