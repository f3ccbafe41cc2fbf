#ifndef EVILNET_MYSQL_H
#define EVILNET_MYSQL_H
/*
 * EvilNet's side of MySQL (or MariaDB): the sink that fills city_windows, the source that the dashboard reads, and
 * what reprocess and reset do to the rows. All of it is configured by evilnet.mysql.*; the password comes from the
 * environment's EVILNET_MYSQL_PASSWORD, else from evilnet.mysql.password.file. The tables are made and changed by
 * the program itself.
 */
#include <weir/config.h>
#include <weir/external_sink.h>

#include "schemas/city_window.h"
#include "web/web.h"

/** Whether a host or a socket is set: without either, MySQL is not used. */
bool evilnet_mysql_configured(const weir_config *cfg);

/** Makes the database, if it is not there and the user may, and brings its tables up to date. Safe to call from
 *  several processes at once, and again. A failure is retriable, except err->fatal: the tables are those of a newer
 *  EvilNet. */
bool evilnet_mysql_migrate(const weir_config *cfg, weir_error *err);

/* --- the sink, for weir_sink_worker_start --------------------------------------------------------------------- */

struct evilnet_mysql_sink;
/** Give it to the worker together with evilnet_mysql_sink_ops. cfg must outlive it. Connects only when the worker
 *  asks. */
struct evilnet_mysql_sink *evilnet_mysql_sink_new(const weir_config *cfg);
/** Only when the worker is stopped. NULL is fine. */
void evilnet_mysql_sink_free(struct evilnet_mysql_sink *sink);
extern const weir_external_sink evilnet_mysql_sink_ops;

/* --- the dashboard's rows ------------------------------------------------------------------------------------- */

struct evilnet_mysql_source;
/** Fills *source, which is safe from any thread and holds a few connections, made when they are first wanted. It
 *  only reads; while the tables are not there, or MySQL is away, its calls say so. cfg must outlive it. */
struct evilnet_mysql_source *evilnet_mysql_source_open(const weir_config *cfg, struct web_source *source);
/** Only when no call is under way any more. NULL is fine. */
void evilnet_mysql_source_close(struct evilnet_mysql_source *source);

/* --- reprocess and reset -------------------------------------------------------------------------------------- */

struct evilnet_mysql_range {
	int64_t window_seconds;
	int64_t from_ms, to_ms; /* windows with from_ms <= start < to_ms */
	const int64_t *ends;    /* of each partition of the posts' topic: the end that reprocess reads to */
	int32_t partitions;
};

/* One run: begin, write as often as wanted, finish. For one thread. */
struct evilnet_mysql_reprocess;
/** Connects, with the tables made. The range is copied. NULL: failed. */
struct evilnet_mysql_reprocess *
evilnet_mysql_reprocess_begin(const weir_config *cfg, const struct evilnet_mysql_range *range, weir_error *err);
/** Writes rows under the `upto` rule and remembers them as produced. One outside the range, or that the database
 *  refuses, is an error (code USER) that names it. Retriable: call it again with the same rows. */
bool evilnet_mysql_reprocess_write(struct evilnet_mysql_reprocess *run, const struct city_window *rows, size_t n,
				   weir_error *err);
/** Deletes the rows of the range that were not produced and whose upto lies below the end of their place's
 *  partition. *deleted (may be NULL) gets their number. Retriable. */
bool evilnet_mysql_reprocess_finish(struct evilnet_mysql_reprocess *run, int64_t *deleted, weir_error *err);
/** NULL is fine. */
void evilnet_mysql_reprocess_end(struct evilnet_mysql_reprocess *run);

/** Deletes all rows, and makes the sink begin at its topic's earliest; sinks that still run can write nothing from
 *  before. The tables stay. *deleted may be NULL. */
bool evilnet_mysql_reset(const weir_config *cfg, int64_t *deleted, weir_error *err);

#endif
