#include "framework/driver/simulator.h"

#include <stdio.h>
#include <stdlib.h>

#include "framework/base/alloc.h"

enum { PARTITIONS_MAX = 64 };

/* --- settled? ----------------------------------------------------------------------------------------------------
 * */

struct place_at {
	int32_t partition;
	int64_t at, end;
};

static bool all_run(weir_simulation *s)
{
	size_t tasks = 0, wanted = 0;

	for (int i = 0; i < s->instance_count; i++) {
		weir_app *app = s->instances[i].app;

		for (int j = 0; app && j < app->settings.workers; j++) {
			const struct worker *w = &app->workers[j];

			tasks += w->task_count;
			if (w->in_transaction || w->broken_producer)
				return false;
			for (size_t k = 0; k < w->task_count; k++)
				if (w->tasks[k]->state != TASK_RUNNING)
					return false;
		}
		if (!app || app->shutdown)
			return false;
		size_t known = 0;

		for (size_t k = 0; k < s->topology->subtopology_count; k++)
			known += (size_t)atomic_load(&app->task_counts[k]);
		wanted =
			known > wanted ? known : wanted; /* those that patterns have brought not all know at once */
	}
	return tasks == wanted;
}

/* Of one topic: NULL = its positions are at the ends. */
static const char *behind_in(weir_simulation *s, const char *topic, int32_t partitions, struct place_at *where)
{
	const char *group = s->instances[0].app->settings.application_id;
	weir_error err;

	for (where->partition = 0; where->partition < partitions; where->partition++) {
		weir_partition p = { .topic = topic, .partition = where->partition };

		if (!weir_group_committed(s->cluster, group, &p, 1, 0, &err) ||
		    !weir_offsets_range(s->cluster, topic, where->partition, NULL, &where->end, &err))
			return topic;
		where->at = p.offset;
		weir_partitions_release(&p, 1);
		if (where->at != where->end && !(where->at == WEIR_OFFSET_NONE && where->end == 0))
			return topic;
	}
	return NULL;
}

/* NULL = all positions are at the ends; else the topic of one that is not. */
static const char *behind(weir_simulation *s, struct place_at *where)
{
	weir_app *app = s->instances[0].app;
	struct matches matches = { 0 };
	const char *found = NULL;

	for (size_t i = 0; !found && i < s->topology->topic_count; i++)
		if (app->topics[i].graph->kind != TOPIC_PATTERN)
			found = behind_in(s, app->topics[i].name, app->topics[i].partitions, where);
	if (found || !app->has_patterns)
		return found;
	if (!weir__matches_find(app, &matches, NULL))
		return "?";
	for (size_t i = 0; !found && i < matches.count; i++)
		found = behind_in(s, matches.items[i].topic, matches.items[i].partitions, where);
	weir__matches_free(&matches);
	return found;
}

/* Markers that are late, and transactions of the dead. */
static bool some_open(weir_simulation *s)
{
	const struct embedded *e = weir__embedded(s->cluster);

	for (size_t i = 0; i < e->topic_count; i++)
		for (int32_t p = 0; p < e->topics[i]->partitions; p++)
			if (e->topics[i]->journals[p]->open_count)
				return true;
	return false;
}

/* Of all instances, whose global tables are there beside the tasks. */
static bool globals_behind(weir_simulation *s)
{
	for (int i = 0; i < s->instance_count; i++)
		if (s->instances[i].app && !weir__globals_at_ends(s->instances[i].app))
			return true;
	return false;
}

bool weir__sim_settled(weir_simulation *s)
{
	struct place_at where;

	return all_run(s) && !some_open(s) && !behind(s, &where) && !globals_behind(s);
}

void weir__sim_tell_unsettled(weir_simulation *s)
{
	struct place_at where = { -1, -1, -1 };
	const char *topic = s->instances[0].app ? behind(s, &where) : "?";

	if (topic)
		weir__sim_fail(s, "it does not settle: %s/%d is committed up to %lld of %lld", topic,
			       (int)where.partition, (long long)where.at, (long long)where.end);
	else if (some_open(s))
		weir__sim_fail(s, "it does not settle: a transaction stays open");
	else if (globals_behind(s))
		weir__sim_fail(s, "it does not settle: a global table does not come to its end");
	else
		weir__sim_fail(s, "it does not settle: not all tasks run");
}

/* --- reading -----------------------------------------------------------------------------------------------------
 * */

struct reading {
	weir_simulation_record_fn *fn;
	void *user;
};

static bool read_one(const weir_kafka_record *record, void *user)
{
	struct reading *r = user;

	r->fn(record, r->user);
	return true;
}

static bool read_partition(weir_simulation *s, const char *topic, int32_t partition, struct reading *r,
			   weir_error *err)
{
	weir_partition p = { .topic = topic, .partition = partition, .offset = WEIR_OFFSET_BEGINNING };
	weir_consumer *c = weir_consumer_open(s->cluster, (weir_consumer_opts){ .client_id = "check" }, err);
	int64_t end;
	bool ok = c && weir_offsets_range(s->cluster, topic, partition, NULL, &end, err) &&
		  weir_consumer_assign(c, &p, 1, err) && weir_consumer_poll(c, 0, read_one, r, err);

	/* A transaction that is still open now is one that nobody will end. */
	if (ok && end > 0 && weir_consumer_position(c, topic, partition) != end)
		ok = weir_fail(err, WEIR_STATE, "%s/%d can be read up to %lld of %lld: a transaction is left open",
			       topic, (int)partition, (long long)weir_consumer_position(c, topic, partition),
			       (long long)end);
	weir_consumer_close(c);
	return ok;
}

bool weir_simulation_read(weir_simulation *s, const char *topic, weir_simulation_record_fn *fn, void *user,
			  weir_error *err)
{
	struct reading r = { fn, user };
	int32_t n = weir_topic_partitions(s->cluster, topic, err);
	bool ok = n >= 0;

	for (int32_t p = 0; ok && p < n; p++)
		ok = read_partition(s, topic, p, &r, err);
	return ok;
}

static struct task_store *find_store(weir_simulation *s, const char *name, int32_t partition)
{
	for (int i = 0; i < s->instance_count; i++) {
		weir_app *app = s->instances[i].app;

		for (int j = 0; app && j < app->settings.workers; j++)
			for (size_t k = 0; k < app->workers[j].task_count; k++) {
				struct task *t = app->workers[j].tasks[k];

				for (size_t l = 0; t->partition == partition && l < t->store_count; l++)
					if (strcmp(t->stores[l].graph->spec.name, name) == 0)
						return &t->stores[l];
			}
	}
	return NULL;
}

weir_store *weir_simulation_store(weir_simulation *s, const char *name, int32_t partition)
{
	struct task_store *found = find_store(s, name, partition);

	return found ? found->store : NULL;
}

/* --- stores and changelogs ---------------------------------------------------------------------------------------
 * */

struct row {
	char *key, *value; /* on the heap */
	size_t key_len, value_len;
	int64_t timestamp_ms;
	size_t order;
	bool deleted;
};

struct rows {
	struct row *items;
	size_t count, room;
};

static void rows_add(struct rows *rows, weir_bytes key, weir_bytes value, int64_t timestamp_ms)
{
	WEIR__GROW(rows->items, rows->count, rows->room);
	rows->items[rows->count] = (struct row){
		.key = memcpy(weir__malloc(key.len + 1), key.data, key.len),
		.value = weir__malloc(value.len + 1),
		.key_len = key.len,
		.value_len = value.len,
		.timestamp_ms = timestamp_ms,
		.order = rows->count,
		.deleted = weir_is_null(value),
	};
	if (value.len)
		memcpy(rows->items[rows->count].value, value.data, value.len);
	rows->count++;
}

static void rows_free(struct rows *rows)
{
	for (size_t i = 0; i < rows->count; i++) {
		free(rows->items[i].key);
		free(rows->items[i].value);
	}
	free(rows->items);
}

static int compare_keys(const struct row *a, const struct row *b)
{
	return weir_bytes_compare(weir_bytes_of(a->key, a->key_len), weir_bytes_of(b->key, b->key_len));
}

static int compare_rows(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int c = compare_keys(x, y);

	return c ? c : (x->order > y->order) - (x->order < y->order);
}

static void add_record(const weir_kafka_record *record, void *user)
{
	rows_add(user, record->key, record->value, record->timestamp_ms);
}

/* --- versions: each a row under key | time; a deletion is one without a value --- */

static void add_version(struct rows *rows, weir_bytes key, weir_bytes value, int64_t time_ms)
{
	char *row = weir__malloc(key.len + VERSION_SUFFIX);

	if (key.len)
		memcpy(row, key.data, key.len);
	weir_put_be64(row + key.len, time_ms);
	rows_add(rows, weir_bytes_of(row, key.len + VERSION_SUFFIX), value, time_ms);
	free(row);
}

static void add_version_record(const weir_kafka_record *record, void *user)
{
	add_version(user, record->key, record->value, record->timestamp_ms);
}

static void read_versions(struct rows *rows, weir_store *store)
{
	weir_iterator *it = weir__store_versions(store, WEIR_NULL);
	weir_entry e;

	while (weir_iterator_next(it, &e))
		add_version(rows, e.key, e.timestamp_ms == VERSION_DELETED ? WEIR_NULL : e.value, e.start_ms);
	weir_iterator_close(it);
}

static bool same_key(const struct row *a, const struct row *b)
{
	return a->key_len == b->key_len && memcmp(a->key, b->key, a->key_len - VERSION_SUFFIX) == 0;
}

/* By key and then by time, whatever other keys begin with one. */
static int compare_versions(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->key_len != y->key_len)
		return x->key_len < y->key_len ? -1 : 1;
	return compare_rows(a, b);
}

/* Sorted, without what nobody sees, by the newest time that the store has seen at least: versions that had ended
 * when the history begins, and deletions behind nothing. */
static void visible_versions(struct rows *rows, const struct store_spec *spec, int64_t seen_ms)
{
	size_t kept = 0;

	for (size_t i = 0; i < rows->count; i++)
		seen_ms = rows->items[i].timestamp_ms > seen_ms ? rows->items[i].timestamp_ms : seen_ms;
	int64_t begin = weir_time_sub(seen_ms, spec->retention_ms);

	if (rows->count)
		qsort(rows->items, rows->count, sizeof *rows->items, compare_versions);
	for (size_t i = 0; i < rows->count; i++) {
		struct row *r = &rows->items[i];
		bool is_newest = i + 1 == rows->count || !same_key(r, r + 1);
		bool replaced = !is_newest && r[0].timestamp_ms == r[1].timestamp_ms;
		bool gone = !is_newest && r[1].timestamp_ms <= begin;
		bool first = kept == 0 || !same_key(&rows->items[kept - 1], r);

		if (!replaced && !gone && !(first && r->deleted)) {
			rows->items[kept++] = *r;
			continue;
		}
		free(r->key);
		free(r->value);
	}
	rows->count = kept;
}

/* --- all kinds --- */

static void read_store(struct rows *rows, weir_store *store)
{
	enum store_kind kind = weir__store_spec(store)->kind;
	weir_iterator *it = kind == STORE_WINDOW    ? weir_window_fetch_all(store, 0, INT64_MAX)
			    : kind == STORE_SESSION ? weir_session_find_all(store, 0, INT64_MAX)
						    : weir_store_range(store, WEIR_NULL, WEIR_NULL, false);
	weir_entry e;

	while (weir_iterator_next(it, &e)) {
		/* a window's key is a view of the changelog's, which goes on behind it */
		rows_add(rows, (weir_bytes){ e.key.data, e.key.len + weir__key_suffix(kind) }, e.value,
			 e.timestamp_ms);
	}
	weir_iterator_close(it);
}

static int64_t time_of(const struct row *r, enum store_kind kind)
{
	return weir__key_time(kind, weir_bytes_of(r->key, r->key_len));
}

/* Sorted, the newest of each key, without what is deleted or past retention. */
static void newest(struct rows *rows, const struct store_spec *spec, int64_t seen_ms)
{
	bool timed = weir__store_kind_timed(spec->kind);
	size_t kept = 0;

	if (rows->count == 0)
		return;
	qsort(rows->items, rows->count, sizeof *rows->items, compare_rows);
	for (size_t i = 0; timed && i < rows->count; i++) {
		int64_t time_ms = time_of(&rows->items[i], spec->kind);

		seen_ms = time_ms > seen_ms ? time_ms : seen_ms;
	}
	for (size_t i = 0; i < rows->count; i++) {
		struct row *r = &rows->items[i];
		bool last = i + 1 == rows->count || compare_keys(r, r + 1) != 0;
		bool gone = timed && spec->retention_ms != INT64_MAX &&
			    time_of(r, spec->kind) <= weir_time_sub(seen_ms, spec->retention_ms);

		if (last && !r->deleted && !gone) {
			rows->items[kept++] = *r;
			continue;
		}
		free(r->key);
		free(r->value);
	}
	rows->count = kept;
}

static bool same(const struct row *a, const struct row *b)
{
	return compare_keys(a, b) == 0 && a->deleted == b->deleted && a->timestamp_ms == b->timestamp_ms &&
	       weir_bytes_equal(weir_bytes_of(a->value, a->value_len), weir_bytes_of(b->value, b->value_len));
}

static bool compare(const struct rows *store, const struct rows *log, const char *name, int32_t partition,
		    weir_error *err)
{
	size_t i = 0;

	while (i < store->count && i < log->count && same(&store->items[i], &log->items[i]))
		i++;
	if (i == store->count && i == log->count)
		return true;
	const struct row *a = i < store->count ? &store->items[i] : NULL,
			 *b = i < log->count ? &log->items[i] : NULL;

	return weir_fail(err, WEIR_STATE,
			 "store %s/%d has %zu entries, its changelog %zu; they differ at entry %zu: "
			 "\"%.*s\" (%zu bytes, time %lld) and \"%.*s\" (%zu bytes, time %lld)",
			 name, (int)partition, store->count, log->count, i, a ? (int)a->key_len : 0,
			 a ? a->key : "", a ? a->value_len : 0, a ? (long long)a->timestamp_ms : -1LL,
			 b ? (int)b->key_len : 0, b ? b->key : "", b ? b->value_len : 0,
			 b ? (long long)b->timestamp_ms : -1LL);
}

/* What had been seen at the last check is so now: it is the same store, or one that was restored since. */
static bool check_newest(weir_simulation *s, size_t at, const char *name, int64_t newest_ms, weir_error *err)
{
	while (s->newest_room <= at) {
		s->newest = weir__realloc(s->newest, (s->newest_room + 1) * sizeof *s->newest);
		s->newest[s->newest_room++] = INT64_MIN;
	}
	int64_t before_ms = s->newest[at];

	s->newest[at] = newest_ms;
	return newest_ms >= before_ms ||
	       weir_fail(err, WEIR_STATE, "store %s hides by %lld what is past retention, and had by %lld", name,
			 (long long)newest_ms, (long long)before_ms);
}

static bool check_store(weir_simulation *s, const struct graph_store *graph, int32_t partition, weir_error *err)
{
	struct task_store *ts = find_store(s, graph->spec.name, partition);
	struct rows log = { 0 }, store = { 0 };
	bool versions = graph->spec.kind == STORE_VERSIONED;
	struct reading r = { versions ? add_version_record : add_record, &log };

	if (!ts)
		return weir_fail(err, WEIR_STATE, "nobody holds store %s/%d", graph->spec.name, (int)partition);
	if (!ts->changelog || graph->spec.kind == STORE_CUSTOM) /* an object of the user's */
		return true;
	bool ok = read_partition(s, ts->changelog, partition, &r, err);

	(versions ? read_versions : read_store)(&store, ts->store);
	int64_t seen_ms = weir__store_newest(ts->store);

	(versions ? visible_versions : newest)(&log, weir__store_spec(ts->store), seen_ms);
	(versions ? visible_versions : newest)(&store, weir__store_spec(ts->store), seen_ms);
	ok = ok &&
	     check_newest(s, (size_t)graph->id * PARTITIONS_MAX + (size_t)partition, graph->spec.name, seen_ms,
			  err) &&
	     compare(&store, &log, graph->spec.name, partition, err);
	rows_free(&log);
	rows_free(&store);
	return ok;
}

bool weir__sim_check_stores(weir_simulation *s, weir_error *err)
{
	const weir_app *app = s->instances[0].app;

	for (size_t i = 0; i < s->topology->store_count; i++) {
		const struct graph_store *store = s->topology->stores[i];

		for (int32_t p = 0; p < app->task_counts[store->subtopology]; p++)
			if (!check_store(s, store, p, err))
				return false;
	}
	return true;
}
