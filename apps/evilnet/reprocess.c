/*
 * `evilnet reprocess`: the past, computed again from the posts' topic, whole windows, to the end seen at the start.
 *
 * The same topology runs again, on a cluster in this process into which the posts are copied, so that nothing of
 * the live application is touched: no group, no state, no topic. The rows that come out are written under the
 * `upto` rule; for that, offsets of the copy are turned into offsets of the topic.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/log.h>

#include "apps/evilnet/mysql.h"
#include "apps/evilnet/process.h"
#include "apps/evilnet/util.h"

#define END_MS 253402300799000 /* 9999-12-31T23:59:59Z: no row lies behind it */

enum { AHEAD_MAX = 200000, WRITE_ROWS = 500, LOOK_US = 20000, WRITE_TRIES = 60 };

/* One partition of the posts' topic. */
struct part {
	int64_t from, end; /* what is read: from <= offset < end */
	int64_t at;        /* the next to be copied */
	int64_t *offsets;  /* in the topic, of each record in the copy */
	size_t count, room;
};

struct reprocess {
	struct evilnet *e;
	const char *topic;
	int32_t partitions;
	struct part *parts;
	int64_t from_ms; /* start of the first window */
	int64_t window_ms;
	weir_cluster *copy;
	weir_config *cfg; /* of the application on the copy */
	weir_consumer *reader;
	weir_producer *writer;
	struct evilnet_cities options;
	weir_topology *topology;
	weir_app *app;
	struct evilnet_mysql_reprocess *run;
	int64_t copied, total, written, refused;
	weir_error *err;
	bool failed;
};

/* --- what is to be read
 * ------------------------------------------------------------------------------------------- */

/* Windows begin at from_ms; posts of earlier ones are read too, as far back as one may be repeated. What decides
 * about lateness lies behind the first post of a window that it could close, so nothing before that is needed. */
static bool find_range(struct reprocess *r)
{
	weir_cluster *cluster = r->e->cluster;
	int64_t since_ms = weir_config_ms(r->e->cfg, "evilnet.reprocess.since");
	weir_clock *clock = weir_clock_system();
	int64_t from_ms = clock->wall_ms(clock) - since_ms;

	from_ms = from_ms > 0 ? from_ms : 0;
	r->window_ms = weir_config_ms(r->e->cfg, "evilnet.window");
	r->from_ms = from_ms / r->window_ms * r->window_ms;
	r->partitions = weir_topic_partitions(cluster, r->topic, r->err);
	if (r->partitions < 0)
		return false;
	if (r->partitions == 0)
		return weir_fail(r->err, WEIR_NOT_FOUND, "topic \"%s\" does not exist", r->topic);
	r->parts = evilnet_new((size_t)r->partitions * sizeof *r->parts);
	int64_t read_from_ms = r->from_ms - r->window_ms - weir_config_ms(r->e->cfg, "evilnet.grace");

	for (int32_t p = 0; p < r->partitions; p++) {
		weir_partition at = { .topic = r->topic,
				      .partition = p,
				      .offset = read_from_ms > 0 ? read_from_ms : 0 };
		int64_t first;

		if (!weir_offsets_range(cluster, r->topic, p, &first, &r->parts[p].end, r->err) ||
		    !weir_offsets_for_times(cluster, &at, 1, r->err))
			return false;
		r->parts[p].from = r->parts[p].at = at.offset > first ? at.offset : first;
		if (r->parts[p].from < r->parts[p].end)
			r->total += r->parts[p].end - r->parts[p].from;
	}
	return true;
}

/* --- the copy
 * ------------------------------------------------------------------------------------------------------ */

static bool set(struct reprocess *r, const char *name, const char *value)
{
	return weir_config_set(r->cfg, name, value, WEIR_FROM_COMMAND_LINE, "reprocess", r->err);
}

static void take_over(const weir_config_key *key, const char *value, weir_config_source source, const char *where,
		      void *user)
{
	struct reprocess *r = user;

	(void)source, (void)where;
	if (value && strncmp(key->name, "evilnet.", 8) == 0 && !key->secret)
		r->failed |= !set(r, key->name, value);
}

static bool start_copy(struct reprocess *r)
{
	const char *bare[][2] = {
		{ "application.id", "evilnet-reprocess" },
		{ "instance.id", "reprocess" },
		{ "state.dir", "" },
		{ "commit.interval.ms", "200" },
		{ "errors.dead.letter.queue.topic.name",
		  weir_config_string(r->e->cfg, "evilnet.dead.letters.topic") },
	};
	char partitions[16];

	r->copy = weir_cluster_embedded((weir_embedded_opts){ .future_ms_max = INT64_MAX });
	r->cfg = weir_config_new();
	evilnet_config_keys(r->cfg);
	weir_config_each(r->e->cfg, take_over, r);
	snprintf(partitions, sizeof partitions, "%" PRId32, r->partitions);
	for (size_t i = 0; i < sizeof bare / sizeof *bare && !r->failed; i++)
		r->failed |= !set(r, bare[i][0], bare[i][1]);
	/* The copy keeps every post until it is processed; see keep_small. */
	if (r->failed || !set(r, "evilnet.partitions", partitions) || !set(r, "evilnet.posts.retention", "36500d"))
		return false;
	struct evilnet on_copy = { .cfg = r->cfg, .cluster = r->copy, .stop = r->e->stop };

	r->topology = evilnet_cities(r->cfg, &r->options, r->err);
	if (!r->topology || !evilnet_topics_ensure(&on_copy, r->err))
		return false;
	r->writer = weir_producer_open(r->copy, (weir_producer_opts){ 0 }, r->err);
	r->app = r->writer ? weir_app_new(r->topology, r->cfg, r->copy, (weir_app_opts){ 0 }, r->err) : NULL;
	return r->app && weir_app_start(r->app, r->err);
}

static bool copy_record(const weir_kafka_record *record, void *user)
{
	struct reprocess *r = user;
	struct part *part = &r->parts[record->partition];
	weir_produced out = {
		.topic = r->topic,
		.partition = record->partition,
		.timestamp_ms = record->timestamp_ms,
		.key = record->key,
		.value = record->value,
		.headers = weir_kafka_record_headers(record),
	};

	if (record->offset >= part->end)
		return true;
	if (part->count == part->room) {
		part->room = part->room ? part->room * 2 : 4096;
		part->offsets = evilnet_realloc(part->offsets, part->room * sizeof *part->offsets);
	}
	part->offsets[part->count++] = record->offset;
	if (!weir_producer_send(r->writer, &out, r->err)) {
		r->failed = true;
		return false;
	}
	return ++r->copied % 1000 != 0;
}

/* Waits while the topology is far behind, and deletes what it has committed. */
static bool keep_small(struct reprocess *r)
{
	weir_partition *list = evilnet_new((size_t)r->partitions * sizeof *list);
	int64_t waiting = INT64_MAX;

	for (int32_t p = 0; p < r->partitions; p++)
		list[p] = (weir_partition){ .topic = r->topic, .partition = p };
	while (!*r->e->stop && waiting > AHEAD_MAX) {
		if (weir_app_state_get(r->app, r->err) == WEIR_APP_ERROR)
			r->failed = true;
		weir_error err;

		if (r->failed ||
		    !weir_group_committed(r->copy, "evilnet-reprocess", list, (size_t)r->partitions, 1000, &err))
			break;
		waiting = 0;
		for (int32_t p = 0; p < r->partitions; p++)
			waiting += (int64_t)r->parts[p].count - (list[p].offset > 0 ? list[p].offset : 0);
		weir_partitions_release(list, (size_t)r->partitions);
		for (int32_t p = 0; p < r->partitions; p++) {
			list[p].metadata = NULL;
			if (list[p].offset > 0)
				weir_records_delete(r->copy, &list[p], 1, NULL);
		}
		if (waiting > AHEAD_MAX)
			usleep(LOOK_US);
	}
	free(list);
	return !r->failed;
}

static bool read_to_end(const struct reprocess *r)
{
	for (int32_t p = 0; p < r->partitions; p++) {
		const struct part *part = &r->parts[p];
		int64_t at = weir_consumer_position(r->reader, r->topic, p);

		/* Behind the last record there may be markers of transactions: the position passes them. */
		if (part->from < part->end && at < part->end)
			return false;
	}
	return true;
}

static bool copy_posts(struct reprocess *r)
{
	weir_clock *clock = weir_clock_system();
	int64_t told_ms = clock->wall_ms(clock);

	evilnet_watch_stop(r->e);
	r->reader = weir_consumer_open(r->e->cluster, (weir_consumer_opts){ 0 }, r->err);
	for (int32_t p = 0; r->reader && p < r->partitions; p++) {
		weir_partition at = { .topic = r->topic, .partition = p, .offset = r->parts[p].from };

		if (r->parts[p].from < r->parts[p].end && !weir_consumer_assign(r->reader, &at, 1, r->err))
			return false;
	}
	while (r->reader && !*r->e->stop && !r->failed && !read_to_end(r)) {
		if (!weir_consumer_poll(r->reader, 50, copy_record, r, r->err))
			return false;
		weir_producer_poll(r->writer, 0);
		if (r->copied % 50000 < 1000 && !keep_small(r))
			return false;
		if (clock->wall_ms(clock) - told_ms > 10000) {
			told_ms = clock->wall_ms(clock);
			weir_log(WEIR_LOG_INFO, "reprocess", "read=%" PRId64 " of=%" PRId64, r->copied, r->total);
		}
	}
	return r->reader && !r->failed && weir_producer_flush(r->writer, 60000, r->err);
}

static bool wait_for_topology(struct reprocess *r)
{
	while (!*r->e->stop && !weir_app_caught_up(r->app)) {
		if (weir_app_state_get(r->app, r->err) == WEIR_APP_ERROR)
			return false;
		usleep(LOOK_US);
	}
	return !*r->e->stop || weir_fail(r->err, WEIR_CLOSED, "stopped before the end: no row was changed");
}

/* --- the rows
 * ------------------------------------------------------------------------------------------------------ */

struct batch {
	struct reprocess *r;
	struct city_window rows[WRITE_ROWS];
	char *names[WRITE_ROWS];
	size_t count;
};

static bool write_span(struct batch *b, size_t from, size_t n)
{
	struct reprocess *r = b->r;

	for (int i = 0; i < WRITE_TRIES; i++) {
		if (evilnet_mysql_reprocess_write(r->run, b->rows + from, n, r->err)) {
			r->written += (int64_t)n;
			return true;
		}
		if (!r->err->retriable)
			break;
		usleep(500000);
	}
	if (r->err->code != WEIR_USER)
		return false;
	/* A row that the database refuses is none for the sink either: the others need not wait for it. */
	if (n > 1)
		return write_span(b, from, n / 2) && write_span(b, from + n / 2, n - n / 2);
	weir_log(WEIR_LOG_WARN, "reprocess", "left out: %s", r->err->message);
	r->refused++;
	return true;
}

static bool write_batch(struct batch *b)
{
	bool ok = b->count == 0 || write_span(b, 0, b->count);

	for (size_t i = 0; i < b->count; i++)
		free(b->names[i]);
	b->count = 0;
	b->r->failed |= !ok;
	return ok;
}

/* A row of the store, by the copy's offsets, into one by the topic's. */
static void collect(weir_store *store, int32_t partition, void *user)
{
	struct batch *b = user;
	struct reprocess *r = b->r;
	weir_iterator *it = weir_window_fetch_all(store, r->from_ms, INT64_MAX);
	weir_entry e;

	while (!r->failed && weir_iterator_next(it, &e)) {
		struct city_window *w = &b->rows[b->count];

		if (!evilnet_cities_row(e.key, e.start_ms, e.value, r->window_ms, w))
			continue;
		b->names[b->count] = evilnet_strndup(e.key.data, e.key.len);
		w->place.data = b->names[b->count++];
		w->upto = r->parts[partition].offsets[w->upto];
		if (b->count == WRITE_ROWS)
			write_batch(b);
	}
	weir_iterator_close(it);
}

static bool write_rows(struct reprocess *r, int64_t *deleted)
{
	struct batch *b = evilnet_new(sizeof *b);
	int64_t *ends = evilnet_new((size_t)r->partitions * sizeof *ends);
	struct evilnet_mysql_range range = { .window_seconds = r->window_ms / 1000,
					     .from_ms = r->from_ms,
					     .to_ms = END_MS / r->window_ms * r->window_ms,
					     .ends = ends,
					     .partitions = r->partitions };

	for (int32_t p = 0; p < r->partitions; p++)
		ends[p] = r->parts[p].end;
	b->r = r;
	r->run = evilnet_mysql_reprocess_begin(r->e->cfg, &range, r->err);
	bool ok = r->run && weir_app_query(r->app, EVILNET_CITIES, collect, b,
					   (weir_query_opts){ .timeout_ms = 600000 }, r->err);

	ok = ok && !r->failed && write_batch(b);
	ok = ok && evilnet_mysql_reprocess_finish(r->run, deleted, r->err);
	free(b);
	free(ends);
	return ok;
}

static void release(struct reprocess *r)
{
	evilnet_mysql_reprocess_end(r->run);
	weir_consumer_close(r->reader);
	weir_producer_close(r->writer);
	if (r->app) {
		weir_app_stop(r->app, 30000, NULL);
		weir_app_free(r->app);
	}
	weir_topology_free(r->topology);
	weir_cluster_free(r->copy);
	weir_config_free(r->cfg);
	for (int32_t p = 0; r->parts && p < r->partitions; p++)
		free(r->parts[p].offsets);
	free(r->parts);
}

int evilnet_reprocess(struct evilnet *e)
{
	weir_error err = { .code = WEIR_OK };
	struct reprocess r = { .e = e, .topic = weir_config_string(e->cfg, "evilnet.topic"), .err = &err };
	int64_t deleted = 0;

	if (!evilnet_mysql_configured(e->cfg) || weir_config_bool(e->cfg, "evilnet.rekey")) {
		fprintf(stderr, "evilnet: reprocess %s\n",
			evilnet_mysql_configured(e->cfg)
				? "does not work with evilnet.rekey: rows then go by offsets of a topic that is "
				  "purged"
				: "replaces rows in MySQL: set evilnet.mysql.host or evilnet.mysql.socket");
		return EVILNET_USAGE;
	}
	e->cluster = weir_cluster_open(e->cfg, &err);
	bool ok = e->cluster && find_range(&r) && start_copy(&r) && copy_posts(&r) && wait_for_topology(&r) &&
		  write_rows(&r, &deleted);

	release(&r);
	weir_cluster_free(e->cluster);
	e->cluster = NULL;
	if (ok)
		printf("reprocessed %" PRId64 " posts: %" PRId64 " rows written, %" PRId64 " deleted, %" PRId64
		       " refused by MySQL\n",
		       r.copied, r.written, deleted, r.refused);
	return ok ? EVILNET_DONE : evilnet_failed(e, "reprocess", &err);
}
