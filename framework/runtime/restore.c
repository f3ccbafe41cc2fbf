/*
 * Stores are brought up from their checkpoint by the changelog. Where it ends is asked as a read_uncommitted reader
 * sees it, and it is read read_committed until the position reaches that end: stopping at the last stable offset
 * would miss a transaction whose markers are still being written (KAFKA-10167).
 */
#include <stdio.h>
#include <stdlib.h>

#include "framework/base/canary.h"
#include "framework/runtime/runtime.h"

enum {
	SLICE_RECORDS = 20000,
	DELETE_RETENTION_MS_DEFAULT = 86400000,
	STUCK_LOOK_US = 1000000,
	TELL_US = 1000000,
};

static int64_t delete_retention_ms(struct task_store *s)
{
	char text[32];
	weir_error err;

	if (!weir_topic_config(s->task->worker->app->cluster, s->changelog, "delete.retention.ms", text,
			       sizeof text, &err))
		return DELETE_RETENTION_MS_DEFAULT;
	return strtoll(text, NULL, 10);
}

/* Why the local checkpoint cannot be brought up to date; NULL = it can. */
static const char *stale(struct task_store *s, int64_t first, int64_t end)
{
	int64_t at = weir__store_checkpoint_offset(s->store);

	if (at < 0)
		return NULL;
	if (at > end)
		return "it lies behind the end of the changelog: the topic was made anew";
	if (at < first)
		return "the changelog begins after it";
	int64_t age_ms = weir_now_ms(&s->task->cx) - weir__store_checkpoint_wall_ms(s->store);

	if (age_ms > delete_retention_ms(s))
		return "it is older than delete.retention.ms: compaction may have dropped deletions that it never "
		       "saw";
	return NULL;
}

/* A source's topic as changelog: what the source turned away is no state. */
static bool taken_by_source(struct task_store *s, const weir_kafka_record *record)
{
	const weir_serde *serde = s->graph->value;
	weir_error err;

	if (record->offset >= s->restore_end || record->timestamp_ms < 0)
		return false;
	if (!serde || weir_is_null(record->value))
		return true;
	weir__arena_reset(&s->codec_cx.arena);
	return serde->decode(&s->codec_cx, record->value, &err) != NULL;
}

static bool begin_store(struct task_store *s, weir_error *err)
{
	struct worker *w = s->task->worker;
	int64_t first, end;

	s->restored = s->restored_told = 0;
	if (!s->changelog)
		return true;
	if (!weir_offsets_range(w->app->cluster, s->changelog, s->task->partition, &first, &end, err))
		return weir_wrap(err, "task %s: offsets of the changelog \"%s\"", s->task->id, s->changelog);
	if (end < s->known_end)
		return weir_fail(
			err, WEIR_STATE,
			"task %s: the changelog \"%s\" of store \"%s\" ends at %lld, but had reached %lld: it was "
			"deleted, or has lost records, and with them state; reset the application to count again "
			"from its input",
			s->task->id, s->changelog, s->graph->spec.name, (long long)end, (long long)s->known_end);
	if (s->writes_changelog)
		s->known_end = end;
	if (s->source) /* the rest is processed */
		end = s->source->committed > 0 ? s->source->committed : 0;
	const char *why = stale(s, first, end);

	if (why) {
		weir_log(WEIR_LOG_WARN, "restore",
			 "local state wiped task=%s store=%s checkpoint=%lld first=%lld end=%lld: %s", s->task->id,
			 s->graph->spec.name, (long long)weir__store_checkpoint_offset(s->store), (long long)first,
			 (long long)end, why);
		if (!weir__store_wipe(s->store, err))
			return false;
	}
	int64_t at = weir__store_checkpoint_offset(s->store), from = at > first ? at : first;

	s->found = 0;
	s->found_last = 0;
	s->restore_new = from;
	if (s->reached >= 0 && s->written >= 0 && from > s->reached) /* to count what lies behind it */
		from = s->reached > first ? s->reached : first;
	s->restore_end = end;
	s->restore_from = from;
	if (from >= end)
		return weir__store_restore_done(s->store, end, err);
	weir_partition p = { .topic = s->changelog, .partition = s->task->partition, .offset = from, .user = s };

	if (!weir_consumer_assign(w->restorer, &p, 1, err))
		return weir_wrap(err, "task %s: read the changelog \"%s\"", s->task->id, s->changelog);
	s->restoring = true;
	s->restore_at = -1;
	weir_log(WEIR_LOG_INFO, "restore", "begin task=%s store=%s from=%lld to=%lld checkpoint=%lld", s->task->id,
		 s->graph->spec.name, (long long)s->restore_new, (long long)end, (long long)at);
	weir__tell_restore(s, WEIR_RESTORE_START);
	return true;
}

bool weir__restore_begin(struct task *t, weir_error *err)
{
	for (size_t i = 0; i < t->store_count; i++)
		if (!begin_store(&t->stores[i], err)) {
			weir__restore_cancel(t);
			return false;
		}
	return true;
}

static void stop_reading(struct task_store *s)
{
	weir_partition p = { .topic = s->changelog, .partition = s->task->partition };
	weir_error err;

	if (!s->restoring)
		return;
	if (!weir_consumer_unassign(s->task->worker->restorer, &p, 1, &err))
		weir_log(WEIR_LOG_WARN, "restore", "unassign %s/%d: %s", s->changelog, (int)s->task->partition,
			 err.message);
	s->restoring = false;
}

void weir__restore_cancel(struct task *t)
{
	for (size_t i = 0; i < t->store_count; i++) {
		if (t->stores[i].restoring)
			weir__tell_restore(&t->stores[i], WEIR_RESTORE_SUSPENDED);
		stop_reading(&t->stores[i]);
	}
}

struct slice {
	int left;
	struct worker *worker;
};

static bool take(const weir_kafka_record *record, void *user)
{
	struct slice *slice = user;
	struct task_store *s = record->user;

	if (s->restoring && s->reached >= 0 && record->offset >= s->reached) {
		s->found++;
		s->found_last = weir__record_digest(record->key, record->value);
	}
	if (s->restoring && record->offset >= s->restore_new && !weir_is_null(record->key) &&
	    (!s->source || taken_by_source(s, record))) {
		weir__store_restore_put_headers(s->store, record->key, record->value, record->timestamp_ms,
						s->graph->spec.headers ? weir_kafka_record_headers(record) : NULL);
		s->restored++;
		atomic_fetch_add_explicit(&slice->worker->restored, 1, memory_order_relaxed);
	}
	return --slice->left > 0;
}

bool weir__restorer_open(struct worker *w, weir_error *err)
{
	w->restorer = weir_consumer_open(w->app->cluster,
					 (weir_consumer_opts){
						 .queue_bytes_max = w->app->settings.fetch_bytes_max,
						 .on_partition_error = weir__on_partition_error,
						 .user = w,
					 },
					 err);
	return w->restorer || weir_wrap(err, "open the consumer for changelogs");
}

/* The client has given up: another one, and everything that was being restored begins again. */
static bool new_restorer(struct worker *w, weir_error *err)
{
	for (size_t i = 0; i < w->task_count; i++)
		if (w->tasks[i]->state == TASK_RESTORING)
			weir__task_reset(w->tasks[i]);
	weir_consumer_close(w->restorer);
	w->restorer = NULL;
	return weir__restorer_open(w, err);
}

static void tell_batches(struct worker *w)
{
	for (size_t i = 0; i < w->task_count && weir__restore_is_told(w->app); i++)
		for (size_t j = 0; j < w->tasks[i]->store_count; j++) {
			struct task_store *s = &w->tasks[i]->stores[j];

			if (s->restoring && s->restored != s->restored_told)
				weir__tell_restore(s, WEIR_RESTORE_BATCH);
		}
}

bool weir__restore_step(struct worker *w, int64_t wait_ms, weir_error *err)
{
	struct slice slice = { SLICE_RECORDS, w };

	if (weir_consumer_poll(w->restorer, wait_ms, take, &slice, err)) {
		w->restore_failing_since_us = 0;
		tell_batches(w);
		return true;
	}
	int64_t now_us = weir__now_us(w->app);

	if (!w->restore_failing_since_us)
		w->restore_failing_since_us = now_us;
	if (now_us - w->restore_failing_since_us > w->app->settings.task_timeout_ms * 1000)
		return weir_wrap(err, "restore: given up after task.timeout.ms");
	static weir_log_limit limit;

	weir_log_limited(&limit, 1000, WEIR_LOG_WARN, "restore", "%s", err->message);
	return !err->fatal || new_restorer(w, err);
}

/* An open transaction ends when its producer comes back, or by its timeout; a broker that is away returns. What
 * takes longer than task.timeout.ms is beyond us: a transaction whose markers the broker has lost holds its readers
 * for ever. A pause of our own does not count. */
static bool check_moves(struct task_store *s, int64_t at, weir_error *err)
{
	const weir_app *app = s->task->worker->app;
	int64_t now_us = weir__now_us(app), since_us = now_us - s->restore_looked_us;

	s->restore_looked_us = now_us;
	if (at != s->restore_at) {
		s->restore_at = at;
		s->restore_stuck_us = 0;
		return true;
	}
	s->restore_stuck_us += since_us < STUCK_LOOK_US ? since_us : STUCK_LOOK_US;
	if (s->restore_stuck_us <= app->settings.task_timeout_ms * 1000 + STUCK_LOOK_US)
		return true;
	return weir_fail(err, WEIR_TIMEOUT,
			 "task %s: the changelog \"%s\" gives nothing beyond offset %lld of %lld, for longer than "
			 "task.timeout.ms: the broker does not answer, or a transaction in it never ends "
			 "(kafka-transactions.sh find-hanging)",
			 s->task->id, s->changelog, (long long)at, (long long)s->restore_end);
}

static int64_t left_of(const struct task_store *s)
{
	int64_t at = weir_consumer_position(s->task->worker->restorer, s->changelog, s->task->partition);
	int64_t from = at > s->restore_from ? at : s->restore_from;

	return s->restore_end > from ? s->restore_end - from : 0;
}

static void tell(struct worker *w, size_t stores, int64_t left)
{
	int64_t now_us = weir__now_us(w->app);
	long long restored = atomic_load_explicit(&w->restored, memory_order_relaxed);

	if (w->restore_told_us && now_us - w->restore_told_us < TELL_US)
		return;
	if (w->restore_told_us)
		weir_log(WEIR_LOG_INFO, "restore", "progress stores=%zu left=%lld restored=%lld records_s=%lld",
			 stores, (long long)left, restored,
			 (restored - w->restore_told_records) * 1000000 / (now_us - w->restore_told_us));
	w->restore_told_us = now_us;
	w->restore_told_records = restored;
}

void weir__restore_progress(struct worker *w)
{
	size_t stores = 0;
	int64_t left = 0;

	for (size_t i = 0; i < w->task_count; i++)
		for (size_t j = 0; j < w->tasks[i]->store_count; j++) {
			const struct task_store *s = &w->tasks[i]->stores[j];

			if (!s->restoring)
				continue;
			stores++;
			left += left_of(s);
		}
	atomic_store_explicit(&w->restore_left, left, memory_order_relaxed);
	if (stores)
		tell(w, stores, left);
	else
		w->restore_told_us = 0;
}

/* Compaction may have dropped records of the commit, but not its last one unless that is a deletion. So where
 * another is the last, it is of a later commit, however few there are. */
static bool is_all_of_commit(const struct task_store *s)
{
	return s->found <= s->written &&
	       (s->found == 0 || s->written_last == 0 || s->found_last == s->written_last);
}

/* A commit writes positions and changelogs together. So more committed records than that of these positions has
 * written are of a later one, whose positions the broker no longer knows: it would all be counted twice. The task
 * asks until it is told the same twice: this may be another's task by now, who commits in between. */
static bool positions_fit(struct task *t, struct task_store *s, weir_error *err)
{
	if (s->reached < 0 || s->written < 0 || is_all_of_commit(s) || WEIR__CANARY(BELIEVE_POSITIONS)) {
		s->doubted = -1;
		return true;
	}
	weir_fail(
		err, WEIR_STATE,
		"task %s: the changelog \"%s\" of store \"%s\" goes on behind the committed positions of the group "
		"\"%s\": newer ones are lost, and counting from these would count twice; set the group's "
		"offsets to where they were, or reset the application",
		t->id, s->changelog, s->graph->spec.name, t->worker->app->settings.application_id);
	if (s->doubted == s->reached)
		return false;
	weir_log(WEIR_LOG_WARN, "restore", "%s", err->message);
	err->code = WEIR_OK;
	s->doubted = s->reached;
	weir__task_reset(t);
	return false;
}

bool weir__restore_finished(struct task *t, weir_error *err)
{
	bool all = true;

	err->code = WEIR_OK;
	for (size_t i = 0; i < t->store_count; i++) {
		struct task_store *s = &t->stores[i];

		if (!s->restoring)
			continue;
		int64_t at = weir_consumer_position(t->worker->restorer, s->changelog, t->partition);

		if (WEIR__CANARY(LAST_STABLE) &&
		    weir_consumer_lag(t->worker->restorer, s->changelog, t->partition) == 0)
			s->restore_end = at;
		if (at < s->restore_end) {
			if (!check_moves(s, at, err))
				return false;
			all = false;
			continue;
		}
		stop_reading(s);
		if (s->source)
			at = s->restore_end;
		bool fits = positions_fit(t, s, err);
		bool done = fits && (weir__store_restore_done(s->store, at, err) ||
				     weir_wrap(err, "task %s: restore store \"%s\"", t->id, s->graph->spec.name));

		weir__tell_restore(s, done ? WEIR_RESTORE_END : WEIR_RESTORE_SUSPENDED);
		if (!done)
			return false;
	}
	return all;
}
