#include "apps/evilnet/mysql.h"

#include <mysql.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "apps/evilnet/util.h"
#include "apps/evilnet/mysql_db.h"
#include "schemas/post.h"

#define CONNECTIONS 4
#define WAIT_SECONDS 5      /* for a free connection */
#define RETRY_MS 1000       /* after a connection was refused, nobody tries again for so long */
#define VERSION_KEEP_MS 100 /* however many ask */
#define PLACE_BYTES_MAX (POST_PLACE_CHARS_MAX * 4)

struct evilnet_mysql_source {
	const weir_config *cfg;
	int64_t window_ms;
	pthread_mutex_t lock;
	pthread_cond_t freed;
	struct evilnet_db dbs[CONNECTIONS];
	bool busy[CONNECTIONS];
	int64_t retry_at_ms; /* until then *failure answers for the server */
	weir_error failure;
	uint64_t version; /* what was last given out, and of what */
	int64_t seen;
	int64_t version_until_ms;
	bool version_asked; /* one thread is asking */
};

static int64_t now_ms(void)
{
	weir_clock *clock = weir_clock_system();

	return clock->monotonic_us(clock) / 1000;
}

/* --- connections ---------------------------------------------------------------------------------------------- */

static int take_free(struct evilnet_mysql_source *source)
{
	int found = -1;

	for (int i = 0; i < CONNECTIONS; i++) /* best one that is open already */
		if (!source->busy[i] && (found < 0 || source->dbs[i].mysql))
			found = i;
	if (found >= 0)
		source->busy[found] = true;
	return found;
}

static struct evilnet_db *borrow(struct evilnet_mysql_source *source, weir_error *err)
{
	struct timespec end;
	int found;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += WAIT_SECONDS;
	pthread_mutex_lock(&source->lock);
	while ((found = take_free(source)) < 0)
		if (pthread_cond_timedwait(&source->freed, &source->lock, &end))
			break;
	pthread_mutex_unlock(&source->lock);
	if (found >= 0)
		return &source->dbs[found];
	weir_fail(err, WEIR_TIMEOUT, "all %d connections to MySQL have been busy for %d s", CONNECTIONS,
		  WAIT_SECONDS);
	if (err)
		err->retriable = true;
	return NULL;
}

static void give_back(struct evilnet_mysql_source *source, struct evilnet_db *db)
{
	if (db->lost)
		evilnet_db_close(db);
	pthread_mutex_lock(&source->lock);
	source->busy[db - source->dbs] = false;
	pthread_cond_signal(&source->freed);
	pthread_mutex_unlock(&source->lock);
}

/* Connects the borrowed one; while the server is away only one try a RETRY_MS is made, the others fail at once. */
static bool ensure_open(struct evilnet_mysql_source *source, struct evilnet_db *db, weir_error *err)
{
	weir_error failure;

	if (db->mysql && !db->lost)
		return true;
	pthread_mutex_lock(&source->lock);
	bool wait = now_ms() < source->retry_at_ms;
	if (wait && err)
		*err = source->failure;
	pthread_mutex_unlock(&source->lock);
	if (wait)
		return false;
	if (evilnet_db_open(db, source->cfg, false, &failure))
		return true;
	pthread_mutex_lock(&source->lock);
	source->retry_at_ms = now_ms() + RETRY_MS;
	source->failure = failure;
	pthread_mutex_unlock(&source->lock);
	if (err)
		*err = failure;
	return false;
}

/* --- rows ----------------------------------------------------------------------------------------------------- */

struct question {
	weir_bytes place;
	int64_t window_seconds;
	MYSQL_TIME from, to;
};

struct answer {
	char place[PLACE_BYTES_MAX];
	unsigned long place_len;
	MYSQL_TIME start;
	int64_t window_seconds, tweets, retweets, users;
};

/* To the second, upwards: a window begins at whole seconds, so that from <= start < to stays what it says. */
static void bind_moment(MYSQL_TIME *t, int64_t ms)
{
	int64_t up = weir_time_add(ms, 999);
	int64_t seconds = up / 1000 - (up % 1000 < 0);

	if (!evilnet_time_to_db(seconds * 1000, t)) /* beyond DATETIME's end or begin: all the same for any row */
		evilnet_time_to_db(ms < 0 ? -30610224000000 : 253402300799000, t);
}

static bool ask(struct evilnet_db *db, struct question *q, struct answer *a, MYSQL_STMT **stmt, weir_error *err)
{
#define SELECT \
	"SELECT place, window_start, window_seconds, tweets, retweets, users FROM city_windows " \
	"WHERE window_seconds = ? AND window_start >= ? AND window_start < ?"
	static const char of_all[] = SELECT;
	static const char of_one[] = SELECT " AND place = ?";
#undef SELECT
	MYSQL_BIND params[4], columns[6];

	*stmt = evilnet_db_statement(db, weir_is_null(q->place) ? of_all : of_one, err);
	evilnet_bind_signed(&params[0], &q->window_seconds);
	evilnet_bind_time(&params[1], &q->from);
	evilnet_bind_time(&params[2], &q->to);
	evilnet_bind_bytes(&params[3], q->place.data, q->place.len);
	evilnet_bind_text_out(&columns[0], a->place, sizeof a->place, &a->place_len);
	evilnet_bind_time(&columns[1], &a->start);
	evilnet_bind_signed(&columns[2], &a->window_seconds);
	evilnet_bind_signed(&columns[3], &a->tweets);
	evilnet_bind_signed(&columns[4], &a->retweets);
	evilnet_bind_signed(&columns[5], &a->users);
	return *stmt && evilnet_db_query(db, *stmt, params, columns, err);
}

static bool hand_over(struct evilnet_db *db, MYSQL_STMT *stmt, const struct question *q, const struct answer *a,
		      web_row_fn *fn, void *user, weir_error *err)
{
	for (bool more;;) {
		if (!evilnet_db_fetch(db, stmt, &more, err))
			return false;
		if (!more)
			return true;
		struct web_row row = { .place = weir_bytes_of(a->place, a->place_len),
				       .window_start_ms = evilnet_time_from_db(&a->start),
				       .window_seconds = a->window_seconds,
				       .tweets = a->tweets,
				       .retweets = a->retweets,
				       .users = a->users };
		/* The table compares with trailing spaces left out. */
		if (weir_is_null(q->place) || weir_bytes_equal(q->place, row.place))
			fn(&row, user);
	}
}

static bool source_rows(void *self, weir_bytes place, int64_t from_ms, int64_t to_ms, web_row_fn *fn, void *user,
			weir_error *err)
{
	struct evilnet_mysql_source *source = self;
	struct question q = { .place = place, .window_seconds = source->window_ms / 1000 };
	struct answer a;
	MYSQL_STMT *stmt;
	weir_error failure;

	if (!weir_is_null(place) && (utf8_length(place) > POST_PLACE_CHARS_MAX || from_ms >= to_ms))
		return true; /* no text, or too long: no such place, which the server would call an error */
	bind_moment(&q.from, from_ms);
	bind_moment(&q.to, to_ms);
	struct evilnet_db *db = borrow(source, err);
	if (!db)
		return false;
	bool kept = db->mysql && !db->lost; /* the server may have closed it in the meantime: one more try, nothing
					       is handed over yet */
	bool ok = ensure_open(source, db, &failure) && ask(db, &q, &a, &stmt, &failure);
	if (!ok && kept && db->lost)
		ok = ensure_open(source, db, &failure) && ask(db, &q, &a, &stmt, &failure);
	ok = ok && hand_over(db, stmt, &q, &a, fn, user, &failure);
	give_back(source, db);
	if (!ok && err)
		*err = failure;
	return ok;
}

/* --- version -------------------------------------------------------------------------------------------------- */

static bool ask_batches(struct evilnet_mysql_source *source, int64_t *batches)
{
	static const char sql[] = "SELECT CAST(COALESCE(SUM(batches), 0) AS SIGNED) FROM sink_offsets";
	struct evilnet_db *db = borrow(source, NULL);

	if (!db)
		return false;
	bool kept = db->mysql && !db->lost;
	bool ok = ensure_open(source, db, NULL) && evilnet_db_number(db, sql, 0, batches, NULL);
	if (!ok && kept && db->lost)
		ok = ensure_open(source, db, NULL) && evilnet_db_number(db, sql, 0, batches, NULL);
	give_back(source, db);
	return ok;
}

/* The table's number may fall (reset, another database): what is given out only grows. */
static uint64_t source_version(void *self)
{
	struct evilnet_mysql_source *source = self;
	int64_t batches = 0;

	pthread_mutex_lock(&source->lock);
	bool mine = !source->version_asked && now_ms() >= source->version_until_ms;
	source->version_asked |= mine;
	uint64_t version = source->version;
	pthread_mutex_unlock(&source->lock);
	if (!mine)
		return version;
	bool known = ask_batches(source, &batches);
	pthread_mutex_lock(&source->lock);
	if (known && (batches != source->seen || !source->version)) {
		source->version++;
		source->seen = batches;
	}
	version = source->version;
	source->version_asked = false;
	source->version_until_ms = now_ms() + VERSION_KEEP_MS;
	pthread_mutex_unlock(&source->lock);
	return version;
}

/* --- opening -------------------------------------------------------------------------------------------------- */

struct evilnet_mysql_source *evilnet_mysql_source_open(const weir_config *cfg, struct web_source *to)
{
	struct evilnet_mysql_source *source = evilnet_malloc(sizeof *source);
	pthread_condattr_t attr;

	*source = (struct evilnet_mysql_source){ .cfg = cfg, .window_ms = weir_config_ms(cfg, "evilnet.window") };
	pthread_mutex_init(&source->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&source->freed, &attr);
	pthread_condattr_destroy(&attr);
	*to = (struct web_source){
		.self = source, .rows = source_rows, .version = source_version, .window_ms = source->window_ms
	};
	return source;
}

void evilnet_mysql_source_close(struct evilnet_mysql_source *source)
{
	if (!source)
		return;
	for (int i = 0; i < CONNECTIONS; i++)
		evilnet_db_close(&source->dbs[i]);
	pthread_cond_destroy(&source->freed);
	pthread_mutex_destroy(&source->lock);
	free(source);
}
