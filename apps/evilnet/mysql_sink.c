#include "apps/evilnet/mysql.h"

#include <mysql.h>
#include <mysqld_error.h>
#include <stdlib.h>
#include <string.h>
#include <weir/log.h>

#include "apps/evilnet/util.h"
#include "apps/evilnet/mysql_db.h"
#include "apps/evilnet/mysql_retention.h"
#include "apps/evilnet/mysql_rows.h"

#define AREA "mysql"
#define CONTENDED_TRIES 4
#define EXPIRE_BUDGET_MS 100
#define CLUSTER_ID_MAX 190

/* One partition that the worker owns, as its row in sink_offsets stood when this owner last wrote it. */
struct owned {
	char *topic;
	int32_t partition;
	uint64_t epoch;
	int64_t next_offset;
	MYSQL_TIME since;
};

struct refusal {
	size_t index;
	char *reason;
};

struct evilnet_mysql_sink {
	const weir_config *cfg;
	struct evilnet_db db;
	struct evilnet_upsert *upsert;
	struct owned *owned;
	size_t owned_count, owned_capacity;
	struct evilnet_row *rows;
	size_t rows_capacity;
	struct refusal *refusals; /* of the batch in hand */
	size_t refusal_count, refusal_capacity;
};

struct evilnet_mysql_sink *evilnet_mysql_sink_new(const weir_config *cfg)
{
	struct evilnet_mysql_sink *sink = evilnet_malloc(sizeof *sink);

	*sink = (struct evilnet_mysql_sink){ .cfg = cfg, .upsert = evilnet_upsert_new() };
	return sink;
}

static void forget_refusals(struct evilnet_mysql_sink *sink)
{
	for (size_t i = 0; i < sink->refusal_count; i++)
		free(sink->refusals[i].reason);
	sink->refusal_count = 0;
}

static void forget_owned(struct evilnet_mysql_sink *sink)
{
	for (size_t i = 0; i < sink->owned_count; i++)
		free(sink->owned[i].topic);
	sink->owned_count = 0;
}

void evilnet_mysql_sink_free(struct evilnet_mysql_sink *sink)
{
	if (!sink)
		return;
	evilnet_db_close(&sink->db);
	evilnet_upsert_free(sink->upsert);
	forget_owned(sink);
	forget_refusals(sink);
	free(sink->owned);
	free(sink->refusals);
	free(sink->rows);
	free(sink);
}

static bool sink_open(void *self, weir_error *err)
{
	struct evilnet_mysql_sink *sink = self;
	weir_error failure;

	if (evilnet_db_alive(&sink->db))
		return true;
	if (evilnet_db_open(&sink->db, sink->cfg, true, &failure) && evilnet_db_migrate(&sink->db, &failure)) {
		weir_log(WEIR_LOG_INFO, AREA, "connected server=\"%s\" version=%s", sink->db.where,
			 mysql_get_server_info(sink->db.mysql));
		return true;
	}
	failure.fatal = failure.fatal || failure.code == WEIR_CONFIG;
	evilnet_db_close(&sink->db);
	if (err)
		*err = failure;
	return false;
}

static void sink_close(void *self)
{
	struct evilnet_mysql_sink *sink = self;

	evilnet_db_close(&sink->db);
	forget_owned(sink);
}

/* --- owning --------------------------------------------------------------------------------------------------- */

static struct owned *find_owned(struct evilnet_mysql_sink *sink, const char *topic, int32_t partition)
{
	for (size_t i = 0; i < sink->owned_count; i++)
		if (sink->owned[i].partition == partition && !strcmp(sink->owned[i].topic, topic))
			return &sink->owned[i];
	return NULL;
}

static void sink_disown(void *self, const char *topic, int32_t partition)
{
	struct evilnet_mysql_sink *sink = self;
	struct owned *o = find_owned(sink, topic, partition);

	if (!o)
		return;
	free(o->topic);
	*o = sink->owned[--sink->owned_count];
}

static void bind_name(MYSQL_BIND *b, const char *topic, int64_t *partition)
{
	evilnet_bind_bytes(&b[0], topic, strlen(topic));
	evilnet_bind_signed(&b[1], partition);
}

/* The row of a partition in sink_offsets. */
struct offset_row {
	bool found;
	uint64_t epoch;
	int64_t next_offset;
	char cluster_id[CLUSTER_ID_MAX * 4 + 1];
	MYSQL_TIME since, now;
};

static bool read_row(struct evilnet_db *db, const char *topic, int64_t partition, struct offset_row *row,
		     weir_error *err)
{
	static const char sql[] =
		"SELECT epoch, COALESCE(next_offset, -1), cluster_id, since, UTC_TIMESTAMP(6) FROM sink_offsets "
		"WHERE topic = ? AND partition_id = ? FOR UPDATE";
	MYSQL_STMT *stmt = evilnet_db_statement(db, sql, err);
	MYSQL_BIND params[2], columns[5];
	unsigned long len;

	bind_name(params, topic, &partition);
	evilnet_bind_unsigned(&columns[0], &row->epoch);
	evilnet_bind_signed(&columns[1], &row->next_offset);
	evilnet_bind_text_out(&columns[2], row->cluster_id, sizeof row->cluster_id - 1, &len);
	evilnet_bind_time(&columns[3], &row->since);
	evilnet_bind_time(&columns[4], &row->now);
	if (!stmt || !evilnet_db_query(db, stmt, params, columns, err) ||
	    !evilnet_db_fetch(db, stmt, &row->found, err))
		return false;
	if (row->found) {
		row->cluster_id[len] = 0;
		evilnet_db_done(stmt);
	}
	return true;
}

/* A partition seen for the first time. Its rows may be there all the same: of another cluster when the other
 * partitions are, else (more partitions than before, rows by reprocess) of this one. */
static bool invent_row(struct evilnet_db *db, const char *topic, const char *cluster_id, struct offset_row *row,
		       weir_error *err)
{
	static const char sql[] =
		"SELECT CAST(COALESCE(SUM(cluster_id <> ?), 0) AS SIGNED), "
		"COALESCE(MAX(since), CAST('1970-01-01 00:00:00' AS DATETIME(6))), UTC_TIMESTAMP(6) "
		"FROM sink_offsets WHERE topic = ?";
	MYSQL_STMT *stmt = evilnet_db_statement(db, sql, err);
	MYSQL_BIND params[2], columns[3];
	int64_t foreign;
	bool more;

	evilnet_bind_bytes(&params[0], cluster_id, strlen(cluster_id));
	evilnet_bind_bytes(&params[1], topic, strlen(topic));
	evilnet_bind_signed(&columns[0], &foreign);
	evilnet_bind_time(&columns[1], &row->since);
	evilnet_bind_time(&columns[2], &row->now);
	if (!stmt || !evilnet_db_query(db, stmt, params, columns, err) || !evilnet_db_fetch(db, stmt, &more, err))
		return false;
	evilnet_db_done(stmt);
	row->epoch = 0;
	row->next_offset = WEIR_OFFSET_NONE;
	if (foreign)
		row->since = row->now;
	return true;
}

/* An epoch is never used twice, not even after somebody has deleted the row: hence the clock. */
static void raise_epoch(struct offset_row *row)
{
	uint64_t by_clock = (uint64_t)evilnet_time_from_db(&row->now) * 1000 + row->now.second_part % 1000;

	row->epoch = row->epoch >= by_clock ? row->epoch + 1 : by_clock;
}

static bool write_row(struct evilnet_db *db, const char *topic, int64_t partition, const char *cluster_id,
		      struct offset_row *row, weir_error *err)
{
	static const char insert[] =
		"INSERT INTO sink_offsets (cluster_id, epoch, next_offset, since, topic, partition_id, batches, "
		"updated_at) VALUES (?, ?, NULLIF(?, -1), ?, ?, ?, 0, UTC_TIMESTAMP(6))";
	static const char update[] =
		"UPDATE sink_offsets SET cluster_id = ?, epoch = ?, next_offset = NULLIF(?, -1), since = ?, "
		"updated_at = UTC_TIMESTAMP(6) WHERE topic = ? AND partition_id = ?";
	MYSQL_STMT *stmt = evilnet_db_statement(db, row->found ? update : insert, err);
	MYSQL_BIND params[6];

	evilnet_bind_bytes(&params[0], cluster_id, strlen(cluster_id));
	evilnet_bind_unsigned(&params[1], &row->epoch);
	evilnet_bind_signed(&params[2], &row->next_offset);
	evilnet_bind_time(&params[3], &row->since);
	bind_name(&params[4], topic, &partition);
	return stmt && evilnet_db_execute(db, stmt, params, err);
}

static bool take_over(struct evilnet_mysql_sink *sink, const char *cluster_id, const char *topic, int32_t partition,
		      struct offset_row *row, weir_error *err)
{
	struct evilnet_db *db = &sink->db;

	if (!evilnet_db_run(db, "START TRANSACTION", err) || !read_row(db, topic, partition, row, err))
		return false;
	if (!row->found && !invent_row(db, topic, cluster_id, row, err))
		return false;
	bool foreign = row->found && strcmp(row->cluster_id, cluster_id) != 0;
	int64_t before = row->next_offset;
	if (foreign) {
		row->next_offset = WEIR_OFFSET_NONE;
		row->since = row->now;
	}
	raise_epoch(row);
	if (!write_row(db, topic, partition, cluster_id, row, err) || !evilnet_db_run(db, "COMMIT", err))
		return false;
	if (foreign)
		weir_log(WEIR_LOG_WARN, AREA,
			 "the stored offset is of another cluster: starting from the earliest topic=%s "
			 "partition=%d offset=%lld stored_cluster=%s cluster=%s",
			 topic, (int)partition, (long long)before, row->cluster_id, cluster_id);
	return true;
}

static bool sink_own(void *self, const char *cluster_id, const char *topic, int32_t partition, int64_t *next_offset,
		     weir_error *err)
{
	struct evilnet_mysql_sink *sink = self;
	struct offset_row row = { 0 };

	sink_disown(sink, topic, partition);
	if (strlen(cluster_id) > CLUSTER_ID_MAX)
		return weir_fail(err, WEIR_SINK, "the cluster's id has over %d bytes: %s", CLUSTER_ID_MAX,
				 cluster_id);
	if (!take_over(sink, cluster_id, topic, partition, &row, err)) {
		evilnet_db_rollback(&sink->db);
		return weir_wrap(err, "own %s/%d", topic, (int)partition);
	}
	sink->owned = evilnet_grow(sink->owned, &sink->owned_capacity, sink->owned_count + 1, sizeof *sink->owned);
	struct owned *o = &sink->owned[sink->owned_count++];
	*o = (struct owned){
		.partition = partition, .epoch = row.epoch, .next_offset = row.next_offset, .since = row.since
	};
	size_t len = strlen(topic) + 1;
	o->topic = memcpy(evilnet_malloc(len), topic, len);
	*next_offset = row.next_offset;
	return true;
}

static bool sink_position(void *self, const char *cluster_id, const char *topic, int32_t partition,
			  int64_t *next_offset, weir_error *err)
{
	static const char sql[] = "SELECT COALESCE(MAX(next_offset), -1) FROM sink_offsets WHERE topic = ? AND "
				  "partition_id = ? AND cluster_id = ?";
	struct evilnet_mysql_sink *sink = self;
	MYSQL_STMT *stmt = evilnet_db_statement(&sink->db, sql, err);
	MYSQL_BIND params[3], column;
	int64_t number = partition;
	bool more;

	bind_name(params, topic, &number);
	evilnet_bind_bytes(&params[2], cluster_id, strlen(cluster_id));
	evilnet_bind_signed(&column, next_offset);
	if (!stmt || !evilnet_db_query(&sink->db, stmt, params, &column, err) ||
	    !evilnet_db_fetch(&sink->db, stmt, &more, err))
		return false;
	evilnet_db_done(stmt);
	return true;
}

/* --- writing -------------------------------------------------------------------------------------------------- */

static void keep_refusal(struct evilnet_mysql_sink *sink, size_t index, const char *reason)
{
	sink->refusals = evilnet_grow(sink->refusals, &sink->refusal_capacity, sink->refusal_count + 1,
				      sizeof *sink->refusals);
	size_t len = strlen(reason) + 1;
	sink->refusals[sink->refusal_count++] = (struct refusal){ index, memcpy(evilnet_malloc(len), reason, len) };
}

static void row_refused(void *user, const struct evilnet_row *row, const char *reason)
{
	keep_refusal(user, row->index, reason);
}

/* Records to rows; those that are none are kept as refusals. */
static size_t read_records(struct evilnet_mysql_sink *sink, const weir_kafka_record *records, size_t n)
{
	size_t count = 0;

	sink->rows = evilnet_grow(sink->rows, &sink->rows_capacity, n, sizeof *sink->rows);
	for (size_t i = 0; i < n; i++) {
		struct evilnet_row *row = &sink->rows[count];
		weir_error failure;

		row->index = i;
		if (weir_is_null(records[i].value))
			keep_refusal(sink, i, "the record has no value");
		else if (!city_window_decode(records[i].value, &row->window, &failure) ||
			 !evilnet_row_check(&row->window, &failure))
			keep_refusal(sink, i, failure.message);
		else
			count++;
	}
	return evilnet_rows_coalesce(sink->rows, count);
}

/* Moves the offset on, if this owner's epoch still stands; the row stays locked until the transaction ends. */
static bool move_offset(struct evilnet_mysql_sink *sink, struct owned *o, int64_t next_offset, bool rows,
			weir_error *err)
{
	static const char sql[] =
		"UPDATE sink_offsets SET since = ?, next_offset = ?, batches = batches + ?, "
		"updated_at = UTC_TIMESTAMP(6) WHERE epoch = ? AND topic = ? AND partition_id = ?";
	MYSQL_STMT *stmt = evilnet_db_statement(&sink->db, sql, err);
	int64_t partition = o->partition, batches = rows;
	MYSQL_BIND params[6];

	evilnet_bind_time(&params[0], &o->since);
	evilnet_bind_signed(&params[1], &next_offset);
	evilnet_bind_signed(&params[2], &batches);
	evilnet_bind_unsigned(&params[3], &o->epoch);
	bind_name(&params[4], o->topic, &partition);
	if (!stmt || !evilnet_db_execute(&sink->db, stmt, params, err))
		return false;
	if (evilnet_db_affected(stmt) == 1)
		return true;
	return weir_fail(err, WEIR_FENCED, "%s: another owner has taken over %s/%d", sink->db.where, o->topic,
			 (int)o->partition);
}

static bool read_clock(struct evilnet_db *db, MYSQL_TIME *now, weir_error *err)
{
	MYSQL_STMT *stmt = evilnet_db_statement(db, "SELECT UTC_TIMESTAMP(6)", err);
	MYSQL_BIND column;
	bool more;

	evilnet_bind_time(&column, now);
	if (!stmt || !evilnet_db_query(db, stmt, NULL, &column, err) || !evilnet_db_fetch(db, stmt, &more, err))
		return false;
	evilnet_db_done(stmt);
	return true;
}

static bool write_once(struct evilnet_mysql_sink *sink, struct owned *o, size_t rows, int64_t next_offset,
		       weir_error *err)
{
	struct evilnet_db *db = &sink->db;

	if (!evilnet_db_run(db, "START TRANSACTION", err))
		return false;
	/* An offset that goes back: the topic was made anew, and the offsets in the rows that are there mean
	 * nothing any more. */
	if (next_offset < o->next_offset && !read_clock(db, &o->since, err))
		return false;
	if (!move_offset(sink, o, next_offset, rows > 0, err) ||
	    !evilnet_upsert_write(sink->upsert, db, sink->rows, rows, &o->since, row_refused, sink, err))
		return false;
	if (sink->refusal_count)
		return weir_fail(err, WEIR_USER, "%s refuses %zu of the records", db->where, sink->refusal_count);
	if (!evilnet_db_run(db, "COMMIT", err))
		return false;
	o->next_offset = next_offset;
	return true;
}

static bool write_rows(struct evilnet_mysql_sink *sink, struct owned *o, size_t rows, int64_t next_offset,
		       weir_error *err)
{
	MYSQL_TIME since = o->since;

	for (int tries = CONTENDED_TRIES;; tries--) {
		if (write_once(sink, o, rows, next_offset, err))
			return true;
		/* After a deadlock at once; who has waited for a lock in vain would only wait again, and polls
		 * nobody meanwhile. */
		bool again = sink->db.contended && sink->db.number != ER_LOCK_WAIT_TIMEOUT && tries > 1;
		evilnet_db_rollback(&sink->db);
		sink->db.contended = false;
		o->since = since;
		if (!again)
			return false;
		forget_refusals(sink); /* they come again */
	}
}

static bool sink_write(void *self, const char *topic, int32_t partition, const weir_kafka_record *records, size_t n,
		       int64_t next_offset, void (*reject)(void *reject_user, size_t index, const char *reason),
		       void *reject_user, weir_error *err)
{
	struct evilnet_mysql_sink *sink = self;
	struct owned *o = find_owned(sink, topic, partition);
	weir_error failure = { 0 };

	if (!o)
		return weir_fail(err, WEIR_FENCED, "%s/%d is not owned", topic, (int)partition);
	forget_refusals(sink);
	size_t rows = read_records(sink, records, n);
	bool ok = sink->refusal_count
			  ? weir_fail(&failure, WEIR_USER, "%zu of the records are no rows", sink->refusal_count)
			  : write_rows(sink, o, rows, next_offset, &failure);
	if (!ok && failure.code == WEIR_USER)
		for (size_t i = 0; i < sink->refusal_count; i++)
			reject(reject_user, sink->refusals[i].index, sink->refusals[i].reason);
	forget_refusals(sink);
	if (!ok && err)
		*err = failure;
	return ok;
}

static bool sink_idle(void *self, weir_error *err)
{
	struct evilnet_mysql_sink *sink = self;
	static weir_log_limit limit;
	weir_error failure;

	if (evilnet_db_expire(&sink->db, weir_config_ms(sink->cfg, "evilnet.retention"), EXPIRE_BUDGET_MS,
			      &failure))
		return true;
	evilnet_db_rollback(&sink->db);
	if (!sink->db.lost) { /* the next time then; new rows need not wait for old ones to go */
		weir_log_limited(&limit, 60000, WEIR_LOG_WARN, AREA,
				 "rows past the retention not deleted error=\"%s\"", failure.message);
		return true;
	}
	if (err)
		*err = failure;
	return false;
}

const weir_external_sink evilnet_mysql_sink_ops = {
	.name = "mysql",
	.open = sink_open,
	.own = sink_own,
	.position = sink_position,
	.write = sink_write,
	.disown = sink_disown,
	.idle = sink_idle,
	.close = sink_close,
};
