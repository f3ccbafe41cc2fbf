#include "apps/evilnet/mysql.h"

#include <mysql.h>
#include <stdlib.h>
#include <string.h>

#include "apps/evilnet/util.h"
#include "apps/evilnet/mysql_db.h"
#include "apps/evilnet/mysql_rows.h"
#include "schemas/post.h"

#define ROWS_PER_TRANSACTION 1000
#define PAGE "1000"
#define CONTENDED_TRIES 10
#define PLACE_BYTES_MAX (POST_PLACE_CHARS_MAX * 4)

/* Keys of rows that were produced: a table of what they hash to, with the keys themselves beside it. */
struct produced {
	struct produced_key {
		int64_t start_ms;
		char *place;
		size_t len;
	} *keys;
	size_t count, capacity;
	uint32_t *slots; /* index + 1; 0 = free */
	size_t slot_count;
};

struct evilnet_mysql_reprocess {
	const weir_config *cfg;
	struct evilnet_mysql_range range;
	int64_t *ends;
	struct evilnet_db db;
	struct evilnet_upsert *upsert;
	struct evilnet_row *rows;
	size_t rows_capacity;
	MYSQL_TIME since;
	struct produced produced;
	weir_error refused;
};

/* --- produced keys -------------------------------------------------------------------------------------------- */

static size_t slot_of(const struct produced *p, int64_t start_ms, weir_bytes place)
{
	uint64_t h = 1469598103934665603u ^ (uint64_t)start_ms; /* FNV-1a */

	for (size_t i = 0; i < place.len; i++)
		h = (h ^ ((const unsigned char *)place.data)[i]) * 1099511628211u;
	h ^= h >> 32;
	for (size_t at = h & (p->slot_count - 1);; at = (at + 1) & (p->slot_count - 1)) {
		if (!p->slots[at])
			return at;
		const struct produced_key *k = &p->keys[p->slots[at] - 1];
		if (k->start_ms == start_ms && weir_bytes_equal(weir_bytes_of(k->place, k->len), place))
			return at;
	}
}

static void rehash(struct produced *p)
{
	free(p->slots);
	p->slot_count = p->slot_count ? p->slot_count * 2 : 1024;
	p->slots = evilnet_malloc(p->slot_count * sizeof *p->slots);
	memset(p->slots, 0, p->slot_count * sizeof *p->slots);
	for (size_t i = 0; i < p->count; i++)
		p->slots[slot_of(p, p->keys[i].start_ms, weir_bytes_of(p->keys[i].place, p->keys[i].len))] =
			(uint32_t)i + 1;
}

static void remember(struct produced *p, int64_t start_ms, weir_bytes place)
{
	if (p->count * 2 >= p->slot_count)
		rehash(p);
	size_t at = slot_of(p, start_ms, place);
	if (p->slots[at])
		return;
	p->keys = evilnet_grow(p->keys, &p->capacity, p->count + 1, sizeof *p->keys);
	p->keys[p->count++] =
		(struct produced_key){ start_ms, memcpy(evilnet_malloc(place.len), place.data, place.len),
				       place.len };
	p->slots[at] = (uint32_t)p->count;
}

static bool was_produced(const struct produced *p, int64_t start_ms, weir_bytes place)
{
	return p->slot_count && p->slots[slot_of(p, start_ms, place)];
}

/* --- begin and end -------------------------------------------------------------------------------------------- */

/* Rows from before this moment are of another log, as the sink found out: they yield to any, as they do there. */
static bool read_since(struct evilnet_db *db, const weir_config *cfg, MYSQL_TIME *since, weir_error *err)
{
	static const char sql[] =
		"SELECT COALESCE(MIN(since), CAST('1970-01-01 00:00:00' AS DATETIME(6))) FROM sink_offsets "
		"WHERE topic = ?";
	const char *topic = weir_config_string(cfg, "evilnet.metrics.topic");
	MYSQL_STMT *stmt = evilnet_db_statement(db, sql, err);
	MYSQL_BIND param, column;
	bool more;

	evilnet_bind_bytes(&param, topic, strlen(topic));
	evilnet_bind_time(&column, since);
	if (!stmt || !evilnet_db_query(db, stmt, &param, &column, err) || !evilnet_db_fetch(db, stmt, &more, err))
		return false;
	evilnet_db_done(stmt);
	return true;
}

static bool ensure_open(struct evilnet_mysql_reprocess *run, weir_error *err)
{
	return evilnet_db_alive(&run->db) ||
	       (evilnet_db_open(&run->db, run->cfg, true, err) && evilnet_db_migrate(&run->db, err) &&
		read_since(&run->db, run->cfg, &run->since, err));
}

struct evilnet_mysql_reprocess *
evilnet_mysql_reprocess_begin(const weir_config *cfg, const struct evilnet_mysql_range *range, weir_error *err)
{
	struct evilnet_mysql_reprocess *run = evilnet_malloc(sizeof *run);
	size_t size = (size_t)range->partitions * sizeof *run->ends;

	*run = (struct evilnet_mysql_reprocess){ .cfg = cfg, .range = *range, .upsert = evilnet_upsert_new() };
	run->ends = memcpy(evilnet_malloc(size), range->ends, size);
	if (ensure_open(run, err))
		return run;
	evilnet_mysql_reprocess_end(run);
	return NULL;
}

void evilnet_mysql_reprocess_end(struct evilnet_mysql_reprocess *run)
{
	if (!run)
		return;
	evilnet_db_close(&run->db);
	evilnet_upsert_free(run->upsert);
	for (size_t i = 0; i < run->produced.count; i++)
		free(run->produced.keys[i].place);
	free(run->produced.keys);
	free(run->produced.slots);
	free(run->rows);
	free(run->ends);
	free(run);
}

/* --- transactions --------------------------------------------------------------------------------------------- */

/* So that a dashboard sees that rows have changed; '#' is in no topic's name. */
static bool touch(struct evilnet_db *db, weir_error *err)
{
	return evilnet_db_run(
		db,
		"INSERT INTO sink_offsets (topic, partition_id, cluster_id, epoch, batches, since, updated_at) "
		"VALUES ('#reprocess', 0, '', 0, 1, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)) "
		"ON DUPLICATE KEY UPDATE batches = batches + 1, updated_at = UTC_TIMESTAMP(6)",
		err);
}

/* Runs `body` in a transaction, again when others were at the same rows. */
static bool transaction(struct evilnet_db *db, bool (*body)(void *user, weir_error *err), void *user,
			weir_error *err)
{
	weir_error failure;

	for (int tries = CONTENDED_TRIES;; tries--) {
		if (evilnet_db_run(db, "START TRANSACTION", &failure) && body(user, &failure) &&
		    touch(db, &failure) && evilnet_db_run(db, "COMMIT", &failure))
			return true;
		bool again = db->contended && tries > 1;
		evilnet_db_rollback(db);
		db->contended = false;
		if (again)
			continue;
		if (err)
			*err = failure;
		return false;
	}
}

/* --- writing -------------------------------------------------------------------------------------------------- */

static void keep_refused(void *user, const struct evilnet_row *row, const char *reason)
{
	struct evilnet_mysql_reprocess *run = user;

	weir_fail(&run->refused, WEIR_USER, "row of %.*s: %s", (int)row->window.place.len,
		  (const char *)row->window.place.data, reason);
}

struct span {
	struct evilnet_mysql_reprocess *run;
	const struct evilnet_row *rows;
	size_t n;
};

static bool write_span(void *user, weir_error *err)
{
	struct span *s = user;
	struct evilnet_mysql_reprocess *run = s->run;

	run->refused.code = WEIR_OK;
	if (!evilnet_upsert_write(run->upsert, &run->db, s->rows, s->n, &run->since, keep_refused, run, err))
		return false;
	if (run->refused.code == WEIR_OK)
		return true;
	if (err)
		*err = run->refused;
	return false;
}

static bool take_rows(struct evilnet_mysql_reprocess *run, const struct city_window *rows, size_t n,
		      weir_error *err)
{
	run->rows = evilnet_grow(run->rows, &run->rows_capacity, n, sizeof *run->rows);
	for (size_t i = 0; i < n; i++) {
		const struct city_window *w = &rows[i];

		if (!evilnet_row_check(w, err))
			return weir_wrap(err, "row of %.*s", (int)w->place.len, (const char *)w->place.data);
		if (w->window_seconds != run->range.window_seconds || w->window_start_ms < run->range.from_ms ||
		    w->window_start_ms >= run->range.to_ms)
			return weir_fail(err, WEIR_USER,
					 "row of %.*s: window %lld (%lld s) lies outside of what is reprocessed",
					 (int)w->place.len, (const char *)w->place.data,
					 (long long)w->window_start_ms, (long long)w->window_seconds);
		run->rows[i] = (struct evilnet_row){ *w, i };
	}
	return true;
}

bool evilnet_mysql_reprocess_write(struct evilnet_mysql_reprocess *run, const struct city_window *rows, size_t n,
				   weir_error *err)
{
	if (!take_rows(run, rows, n, err) || !ensure_open(run, err))
		return false;
	n = evilnet_rows_coalesce(run->rows, n);
	for (size_t done = 0; done < n; done += ROWS_PER_TRANSACTION) {
		size_t k = n - done < ROWS_PER_TRANSACTION ? n - done : ROWS_PER_TRANSACTION;

		if (!transaction(&run->db, write_span, &(struct span){ run, run->rows + done, k }, err))
			return false;
		for (size_t i = done; i < done + k; i++)
			remember(&run->produced, run->rows[i].window.window_start_ms, run->rows[i].window.place);
	}
	return true;
}

/* --- deleting ------------------------------------------------------------------------------------------------- */

/* One page of the table in the order of its key, and how far the walk has come. */
struct walk {
	struct evilnet_mysql_reprocess *run;
	MYSQL_TIME start, to; /* the row last seen, and the end */
	char place[PLACE_BYTES_MAX];
	unsigned long place_len;
	uint64_t upto;
	struct victim {
		MYSQL_TIME start;
		uint64_t upto;
		char *place;
		size_t len;
	} *victims;
	size_t count, capacity;
	uint64_t deleted;
};

static bool is_stale(const struct evilnet_mysql_reprocess *run, const struct walk *w)
{
	weir_bytes place = weir_bytes_of(w->place, w->place_len);
	int32_t partition = weir_partition_for_key(place, run->range.partitions);

	return !was_produced(&run->produced, evilnet_time_from_db(&w->start), place) &&
	       w->upto < (uint64_t)(run->ends[partition] > 0 ? run->ends[partition] : 0);
}

/* *seen gets the number of rows read; 0 = the range is through. */
static bool read_page(struct walk *w, size_t *seen, weir_error *err)
{
	static const char sql[] =
		"SELECT window_start, place, upto FROM city_windows WHERE window_seconds = ? AND window_start < ? "
		"AND (window_start > ? OR (window_start = ? AND place > ?)) AND window_start >= ? "
		"ORDER BY window_start, place LIMIT " PAGE;
	MYSQL_STMT *stmt = evilnet_db_statement(&w->run->db, sql, err);
	MYSQL_TIME after = w->start;
	char after_place[PLACE_BYTES_MAX];
	size_t after_len = w->place_len;
	MYSQL_BIND params[6], columns[3];

	memcpy(after_place, w->place, after_len);
	evilnet_bind_signed(&params[0], &w->run->range.window_seconds);
	evilnet_bind_time(&params[1], &w->to);
	evilnet_bind_time(&params[2], &after);
	evilnet_bind_time(&params[3], &after);
	evilnet_bind_bytes(&params[4], after_place, after_len);
	evilnet_bind_time(&params[5], &after);
	evilnet_bind_time(&columns[0], &w->start);
	evilnet_bind_text_out(&columns[1], w->place, sizeof w->place, &w->place_len);
	evilnet_bind_unsigned(&columns[2], &w->upto);
	*seen = 0;
	if (!stmt || !evilnet_db_query(&w->run->db, stmt, params, columns, err))
		return false;
	for (bool more;; ++*seen) {
		if (!evilnet_db_fetch(&w->run->db, stmt, &more, err))
			return false;
		if (!more)
			return true;
		if (!is_stale(w->run, w))
			continue;
		w->victims = evilnet_grow(w->victims, &w->capacity, w->count + 1, sizeof *w->victims);
		char *place = memcpy(evilnet_malloc(w->place_len), w->place, w->place_len);
		w->victims[w->count++] = (struct victim){ w->start, w->upto, place, w->place_len };
	}
}

/* A row that live traffic has changed since it was read stays. */
static bool delete_victims(void *user, weir_error *err)
{
	static const char sql[] = "DELETE FROM city_windows WHERE window_seconds = ? AND window_start = ? AND "
				  "place = ? AND upto <= ?";
	struct walk *w = user;
	MYSQL_STMT *stmt = evilnet_db_statement(&w->run->db, sql, err);
	MYSQL_BIND params[4];

	if (!stmt)
		return false;
	w->deleted = 0;
	for (size_t i = 0; i < w->count; i++) {
		struct victim *v = &w->victims[i];

		evilnet_bind_signed(&params[0], &w->run->range.window_seconds);
		evilnet_bind_time(&params[1], &v->start);
		evilnet_bind_bytes(&params[2], v->place, v->len);
		evilnet_bind_unsigned(&params[3], &v->upto);
		if (!evilnet_db_execute(&w->run->db, stmt, params, err))
			return false;
		w->deleted += evilnet_db_affected(stmt);
	}
	return true;
}

static void drop_victims(struct walk *w)
{
	for (size_t i = 0; i < w->count; i++)
		free(w->victims[i].place);
	w->count = 0;
}

bool evilnet_mysql_reprocess_finish(struct evilnet_mysql_reprocess *run, int64_t *deleted, weir_error *err)
{
	struct walk w = { .run = run };
	int64_t total = 0;
	size_t seen = 1;
	bool ok = ensure_open(run, err);

	/* The walk begins behind the empty place of the first window, which no row has. */
	if (!evilnet_time_to_db(run->range.from_ms, &w.start) || !evilnet_time_to_db(run->range.to_ms, &w.to))
		ok = weir_fail(err, WEIR_USER, "the range to reprocess lies outside of what DATETIME holds");
	while (ok && seen) {
		ok = read_page(&w, &seen, err) && (!w.count || transaction(&run->db, delete_victims, &w, err));
		total += ok && w.count ? (int64_t)w.deleted : 0;
		drop_victims(&w);
	}
	free(w.victims);
	if (ok && deleted)
		*deleted = total;
	return ok;
}

/* --- reset ---------------------------------------------------------------------------------------------------- */

struct reset {
	struct evilnet_db *db;
	uint64_t deleted;
};

/* The epoch is raised and the offset forgotten, rather than the row deleted: a sink that still runs is fenced by
 * it. */
static bool forget_offsets(void *user, weir_error *err)
{
	struct reset *r = user;

	return evilnet_db_run(
		r->db,
		"UPDATE sink_offsets SET epoch = epoch + 1, next_offset = NULL, batches = batches + 1, "
		"updated_at = UTC_TIMESTAMP(6)",
		err);
}

static bool delete_some(void *user, weir_error *err)
{
	struct reset *r = user;
	MYSQL_STMT *stmt = evilnet_db_statement(
		r->db, "DELETE FROM city_windows ORDER BY window_seconds, window_start, place LIMIT " PAGE, err);

	if (!stmt || !evilnet_db_execute(r->db, stmt, NULL, err))
		return false;
	r->deleted = evilnet_db_affected(stmt);
	return true;
}

bool evilnet_mysql_reset(const weir_config *cfg, int64_t *deleted, weir_error *err)
{
	struct evilnet_db db = { 0 };
	struct reset r = { &db, 1 };
	int64_t total = 0;
	bool ok = evilnet_db_open(&db, cfg, true, err) && evilnet_db_migrate(&db, err) &&
		  transaction(&db, forget_offsets, &r, err);

	while (ok && r.deleted) {
		ok = transaction(&db, delete_some, &r, err);
		total += ok ? (int64_t)r.deleted : 0;
	}
	evilnet_db_close(&db);
	if (ok && deleted)
		*deleted = total;
	return ok;
}
