#include "apps/evilnet/mysql_rows.h"

#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/evilnet/util.h"

#define SIZES 4
#define ROWS_MAX 256
#define COLUMNS 7
#define TAIL 5 /* parameters behind the rows: `since` in each assignment */

static const size_t sizes[SIZES] = { ROWS_MAX, 64, 8, 1 };

struct evilnet_upsert {
	char *sql[SIZES];
	MYSQL_BIND binds[ROWS_MAX * COLUMNS + TAIL];
	MYSQL_TIME starts[ROWS_MAX];
	uint64_t counts[ROWS_MAX][4];
	int64_t widths[ROWS_MAX];
};

/* --- what a row must be --------------------------------------------------------------------------------------- */

bool evilnet_row_check(const struct city_window *w, weir_error *err)
{
	MYSQL_TIME start;

	if (w->tweets < 0 || w->retweets < 0 || w->users < 0 || w->upto < 0)
		return weir_fail(
			err, WEIR_USER, "a negative count (tweets=%lld retweets=%lld users=%lld upto=%lld)",
			(long long)w->tweets, (long long)w->retweets, (long long)w->users, (long long)w->upto);
	if (w->window_start_ms % 1000 || !evilnet_time_to_db(w->window_start_ms, &start))
		return weir_fail(err, WEIR_USER, "window_start %lld ms is no whole second that DATETIME holds",
				 (long long)w->window_start_ms);
	if (w->window_seconds <= 0 || w->window_seconds > INT32_MAX)
		return weir_fail(err, WEIR_USER, "window_seconds %lld is not from 1 to %d",
				 (long long)w->window_seconds, INT32_MAX);
	/* utf8mb4_bin pads with spaces when it compares: "X " would share the row of "X". */
	if (w->place.len && ((const char *)w->place.data)[w->place.len - 1] == ' ')
		return weir_fail(
			err, WEIR_USER,
			"the place ends in a space, which the table cannot tell from the place without it");
	return true;
}

static int compare_keys(const struct city_window *a, const struct city_window *b)
{
	if (a->window_seconds != b->window_seconds)
		return a->window_seconds < b->window_seconds ? -1 : 1;
	if (a->window_start_ms != b->window_start_ms)
		return a->window_start_ms < b->window_start_ms ? -1 : 1;
	return weir_bytes_compare(a->place, b->place);
}

static int compare_rows(const void *a, const void *b)
{
	const struct evilnet_row *x = a, *y = b;
	int c = compare_keys(&x->window, &y->window);

	return c ? c : (x->index > y->index) - (x->index < y->index);
}

size_t evilnet_rows_coalesce(struct evilnet_row *rows, size_t n)
{
	size_t kept = 0;

	qsort(rows, n, sizeof *rows, compare_rows);
	for (size_t i = 0; i < n; i++) {
		if (!kept || compare_keys(&rows[kept - 1].window, &rows[i].window))
			rows[kept++] = rows[i];
		else if (rows[i].window.upto >= rows[kept - 1].window.upto)
			rows[kept - 1] = rows[i];
	}
	return kept;
}

/* --- statements ----------------------------------------------------------------------------------------------- */

/*
 * Assignments are done from left to right and see what those before them did, so that upto comes behind the counts
 * that are judged by it. updated_at comes last: where upto was replaced the rule still holds (equal), where it was
 * not it still does not. VALUES() is what MySQL and MariaDB both understand.
 */
static char *upsert_sql(size_t rows)
{
	static const char head[] =
		"INSERT INTO city_windows (window_seconds, window_start, place, tweets, retweets, users, upto, "
		"updated_at) VALUES ";
	static const char row[] = "(?,?,?,?,?,?,?,UTC_TIMESTAMP(6))";
	static const char *const columns[TAIL] = { "tweets", "retweets", "users", "upto", "updated_at" };
	size_t size = sizeof head + rows * sizeof row + TAIL * 128 + 64;
	char *sql = evilnet_malloc(size);
	size_t n = (size_t)snprintf(sql, size, "%s", head);

	for (size_t i = 0; i < rows; i++)
		n += (size_t)snprintf(sql + n, size - n, "%s%s", i ? "," : "", row);
	n += (size_t)snprintf(sql + n, size - n, " ON DUPLICATE KEY UPDATE ");
	for (size_t i = 0; i < TAIL; i++)
		n += (size_t)snprintf(sql + n, size - n,
				      "%s%s = IF(VALUES(upto) >= upto OR updated_at < ?, VALUES(%s), %s)",
				      i ? ", " : "", columns[i], columns[i], columns[i]);
	return sql;
}

struct evilnet_upsert *evilnet_upsert_new(void)
{
	struct evilnet_upsert *u = evilnet_malloc(sizeof *u);

	memset(u, 0, sizeof *u);
	for (size_t i = 0; i < SIZES; i++)
		u->sql[i] = upsert_sql(sizes[i]);
	return u;
}

void evilnet_upsert_free(struct evilnet_upsert *u)
{
	for (size_t i = 0; u && i < SIZES; i++)
		free(u->sql[i]);
	free(u);
}

static void bind_row(struct evilnet_upsert *u, size_t i, const struct city_window *w)
{
	MYSQL_BIND *b = &u->binds[i * COLUMNS];

	u->widths[i] = w->window_seconds;
	evilnet_time_to_db(w->window_start_ms, &u->starts[i]); /* checked before */
	u->counts[i][0] = (uint64_t)w->tweets;
	u->counts[i][1] = (uint64_t)w->retweets;
	u->counts[i][2] = (uint64_t)w->users;
	u->counts[i][3] = (uint64_t)w->upto;
	evilnet_bind_signed(&b[0], &u->widths[i]);
	evilnet_bind_time(&b[1], &u->starts[i]);
	evilnet_bind_bytes(&b[2], w->place.data, w->place.len);
	for (size_t c = 0; c < 4; c++)
		evilnet_bind_unsigned(&b[3 + c], &u->counts[i][c]);
}

static bool execute(struct evilnet_upsert *u, struct evilnet_db *db, size_t size_index,
		    const struct evilnet_row *rows, const MYSQL_TIME *since, weir_error *err)
{
	MYSQL_STMT *stmt = evilnet_db_statement(db, u->sql[size_index], err);
	MYSQL_TIME before = *since;
	size_t n = sizes[size_index];

	if (!stmt)
		return false;
	for (size_t i = 0; i < n; i++)
		bind_row(u, i, &rows[i].window);
	for (size_t i = 0; i < TAIL; i++)
		evilnet_bind_time(&u->binds[n * COLUMNS + i], &before);
	return evilnet_db_execute(db, stmt, u->binds, err);
}

bool evilnet_upsert_write(struct evilnet_upsert *u, struct evilnet_db *db, const struct evilnet_row *rows, size_t n,
			  const MYSQL_TIME *since, evilnet_row_refused_fn *refused, void *user, weir_error *err)
{
	for (size_t done = 0; done < n;) {
		weir_error failure;
		size_t s = 0;

		while (sizes[s] > n - done)
			s++;
		size_t k = sizes[s];
		if (!execute(u, db, s, rows + done, since, &failure)) {
			if (!db->refused) {
				if (err)
					*err = failure;
				return false;
			}
			/* Only the statement was taken back, the transaction goes on: halve until the culprit
			 * stands alone. */
			if (k == 1)
				refused(user, &rows[done], failure.message);
			else if (!evilnet_upsert_write(u, db, rows + done, k / 2, since, refused, user, err) ||
				 !evilnet_upsert_write(u, db, rows + done + k / 2, k - k / 2, since, refused, user,
						       err))
				return false;
		}
		done += k;
	}
	return true;
}
