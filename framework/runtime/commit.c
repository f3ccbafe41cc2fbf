/*
 * A commit: flush the caches (which sends changelog and result records) -> send the positions of every task that
 * the transaction has touched, changed or not -> commit -> only then may anything of it go to RocksDB. Whatever
 * goes wrong ends in one place: abort, and everything that was touched is read anew as committed.
 */
#include <stdio.h>
#include <stdlib.h>

#include "framework/base/alloc.h"
#include "framework/base/canary.h"
#include "framework/runtime/runtime.h"

enum { INIT_TIMEOUT_MS = 60000, COMMIT_TIMEOUT_MS = 60000 };

struct poison *weir__poison_find(const struct worker *w, const struct input *in, int64_t offset)
{
	struct poison *p = w->poison;

	while (p && (p->topic != in->topic || p->partition != in->partition || p->offset != offset))
		p = p->next;
	return p;
}

static struct poison *poison_of(struct worker *w, const struct input *in, int64_t offset)
{
	struct poison *p = weir__poison_find(w, in, offset);

	if (p)
		return p;
	p = weir__calloc(1, sizeof *p);
	*p = (struct poison){ .next = w->poison, .topic = in->topic, .partition = in->partition, .offset = offset };
	return w->poison = p;
}

static const struct input *input_of(const struct worker *w, uint64_t tag)
{
	uint16_t id = (uint16_t)((tag >> 48) - 1);

	for (size_t i = 0; tag && i < w->task_count; i++)
		for (size_t j = 0; j < w->tasks[i]->input_count; j++)
			if (w->tasks[i]->inputs[j].id == id)
				return &w->tasks[i]->inputs[j];
	return NULL;
}

/* When what has caused it comes again, either the program is asked (weir_topology_on_refused), or it is a dead
 * letter. */
static bool goes_on_without(const struct worker *w, bool is_letter)
{
	const struct settings *s = &w->app->settings;

	return w->app->topology->on_refused.fn || (s->dead_letter_topic && (!s->stop_on_refused || is_letter));
}

static void note_refused(struct poison *p, const char *topic, const char *message)
{
	snprintf(p->reason, sizeof p->reason, "result refused: %.180s", message);
	snprintf(p->refuser, sizeof p->refuser, "%s", topic);
}

void weir__on_delivery(const char *topic, int32_t partition, int64_t offset, uint64_t tag, const weir_error *error,
		       void *worker)
{
	struct worker *w = worker;

	(void)offset;
	if (!error || error->code != WEIR_USER)
		return; /* what is not the record's fault shows at the commit */
	const struct settings *s = &w->app->settings;
	const struct input *in = input_of(w, tag);
	bool is_letter = s->dead_letter_topic && strcmp(topic, s->dead_letter_topic) == 0;

	w->failed = true;
	w->error = *error;
	w->error.abort_txn = true;
	weir_wrap(&w->error, "a record for %s/%d is refused", topic, (int)partition);
	if (!in || !goes_on_without(w, is_letter)) {
		w->stop = true;
		return;
	}
	struct poison *p = poison_of(w, in, (int64_t)(tag & UINT64_C(0xffffffffffff)));

	if (!is_letter)
		note_refused(p, topic, error->message);
	else if (p->bare)
		w->stop = true; /* not even that */
	else
		p->bare = true;
}

/* The transaction is undone, so that nothing is left of what the record has done before, and below. */
void weir__on_put_refused(size_t bytes, void *task_store)
{
	const struct task_store *store = task_store;
	struct task *t = store->task;
	struct worker *w = t->worker;
	const struct settings *s = &w->app->settings;

	const struct released *row = t->cx.source ? NULL : t->cx.released;

	/* Of rows that come out together all are found in one go. */
	if (w->failed && !(row && w->row_refused))
		return;
	weir_fail(&w->error, WEIR_USER,
		  "store \"%s\": a record of %zu bytes for its changelog; at most %lld are taken",
		  store->graph->spec.name, bytes, (long long)s->record_bytes_max);
	w->error.abort_txn = true;
	w->failed = true;
	if ((!t->cx.source && !row) || !goes_on_without(w, false)) {
		w->stop = true;
		return;
	}
	if (row) {
		w->row_refused = true;
		weir__row_refuse(t, store->changelog, w->error.message);
		return;
	}
	note_refused(poison_of(w, t->current, t->cx.source->offset), store->changelog, w->error.message);
}

weir_producer *weir__producer_new(struct worker *w, weir_error *err)
{
	const struct settings *s = &w->app->settings;
	weir_producer *p = weir_producer_open(w->app->cluster,
					      (weir_producer_opts){
						      .transactional_id = w->id,
						      .transaction_timeout_ms = s->transaction_timeout_ms,
						      .queue_bytes_max = s->produce_bytes_max,
						      .on_delivery = weir__on_delivery,
						      .delivery_errors_only = true,
						      .user = w,
					      },
					      err);

	if (!p) {
		weir_wrap(err, "open the producer");
		return NULL;
	}
	if (weir_producer_init(p, INIT_TIMEOUT_MS, err))
		return p;
	weir_wrap(err, "initialise transactions as \"%s\"", w->id);
	weir_producer_close(p);
	return NULL;
}

bool weir__producer_open(struct worker *w, weir_error *err)
{
	weir_producer_close(w->producer);
	w->broken_producer = false;
	w->in_transaction = false;
	w->producer = weir__producer_new(w, err);
	return w->producer != NULL;
}

/* --- flush --------------------------------------------------------------------------------------- */

struct flush {
	struct task *task;
	struct task_store *store;
	struct instance *owner;
};

/* In the changelog: those of the record that has made the change. */
static const weir_headers *cause_of(weir_context *cx, const struct store_change *change)
{
	cx->origins.now = change->origin;
	const weir_headers *headers = weir__origin_headers(cx);
	cx->origins.now = 0;
	return headers->count ? headers : NULL;
}

static const weir_headers *headers_of(weir_context *cx, const struct task_store *s,
				      const struct store_change *change)
{
	bool is_deletion = weir_is_null(change->value);

	if (s->graph->spec.headers ? is_deletion
				   : s->logged_headers == LOGGED_OF_ALL ||
					     (is_deletion && s->logged_headers == LOGGED_OF_DELETIONS))
		return cause_of(cx, change);
	if (s->graph->spec.headers)
		return change->headers;
	return is_deletion ? NULL : s->graph->changelog_headers;
}

static bool flush_change(const struct store_change *change, void *user)
{
	struct flush *f = user;
	struct task *t = f->task;
	struct worker *w = t->worker;

	if (f->store->writes_changelog) {
		weir_produced p = { .topic = f->store->changelog,
				    .partition = t->partition,
				    .timestamp_ms = change->timestamp_ms,
				    .key = change->key,
				    .value = change->value,
				    .headers = headers_of(&t->cx, f->store, change) };

		if (!weir_producer_send(w->producer, &p, &w->error)) {
			weir_wrap(&w->error, "changelog of store \"%s\"", f->store->graph->spec.name);
			w->stop |= weir__record_refused(&w->error); /* state without its changelog would be lost */
			w->failed = true;
			return false;
		}
		f->store->wrote++;
		f->store->wrote_last = weir__record_digest(change->key, change->value);
	}
	if (f->owner && f->owner->op->changed && f->owner->child_count && !change->evicted) {
		struct store_change kept = *change;

		/* A step below may use the same store, and with it the memory that the encoded value lies in. */
		kept.value = weir__arena_copy(&t->cx.arena, change->value);
		kept.old = weir__arena_copy(&t->cx.arena, change->old);
		t->cx.current = f->owner;
		t->cx.origins.now = change->origin;
		t->cx.sent = false;
		f->owner->op->changed(f->owner, &t->cx, &kept);
		if (t->cx.failure)
			weir__failed(f->owner, &t->cx, NULL, change->timestamp_ms);
		t->cx.origins.now = 0;
		weir__arena_reset(&t->cx.arena);
	}
	return !w->failed && !t->cx.failed;
}

static struct instance *owner_of(struct task *t, const struct graph_store *graph)
{
	if (graph->spec.kind == STORE_VERSIONED) /* has passed on what was put */
		return NULL;
	for (size_t i = 0; graph->owner && i < t->sub->node_count; i++)
		if (t->sub->nodes[i] == graph->owner)
			return &t->instances[i];
	return NULL;
}

/* Stores in the order of the graph; again while steps below have changed one above. */
static bool flush_task(struct task *t)
{
	for (bool again = true; again;) {
		again = false;
		for (size_t i = 0; i < t->store_count; i++) {
			struct flush f = { t, &t->stores[i], owner_of(t, t->stores[i].graph) };

			if (!weir__store_changed(t->stores[i].store))
				continue;
			again = true;
			if (f.owner && f.owner->op->settle) {
				t->cx.current = f.owner;
				f.owner->op->settle(f.owner, &t->cx);
				if (t->cx.failure)
					weir__failed(f.owner, &t->cx, NULL, weir_now_ms(&t->cx));
				weir__arena_reset(&t->cx.arena);
			}
			if (t->cx.failed || !weir__store_flush(t->stores[i].store, flush_change, &f))
				return false;
		}
	}
	return true;
}

/* --- positions ----------------------------------------------------------------------------------- */

/* Behind what is processed, and behind transaction markers that the consumer has passed, so that lag goes to 0. */
static int64_t position_of(struct input *in)
{
	int64_t read = in->head ? -1 : weir_consumer_position(in->task->worker->consumer, in->topic, in->partition);

	if (read > in->position)
		in->position = read;
	return in->position;
}

static bool send_positions(struct worker *w, weir_error *err)
{
	w->positions = weir__realloc(w->positions, (weir__worker_inputs(w) + 1) * sizeof *w->positions);
	weir_partition *list = w->positions;
	size_t n = 0;

	for (size_t i = 0; i < w->task_count; i++) {
		struct task *t = w->tasks[i];

		for (size_t j = 0; t->touched && j < t->input_count; j++)
			list[n++] = (weir_partition){
				.topic = t->inputs[j].topic,
				.partition = t->inputs[j].partition,
				.offset = position_of(&t->inputs[j]),
				.metadata = weir__metadata_encode(&t->inputs[j]),
			};
	}
	/* A task revoked in the middle of an abort may leave a transaction without a task: nothing may be committed
	 * then. */
	bool ok = n > 0 ? weir_producer_send_offsets(w->producer, w->consumer, list, n,
						     w->app->settings.transaction_timeout_ms, err)
			: weir_fail(err, WEIR_KAFKA, "the transaction has no positions");

	if (n == 0 && err)
		err->abort_txn = true;
	weir_partitions_release(list, n);
	return ok || weir_wrap(err, "send positions to the transaction");
}

/* --- after it ------------------------------------------------------------------------------------ */

static bool checkpoint_due(const struct task_store *s, int64_t now_us)
{
	const struct settings *set = &s->task->worker->app->settings;

	return weir__store_tail(s->store) >= set->checkpoint_records ||
	       now_us - s->checkpoint_us >= set->checkpoint_interval_ms * 1000;
}

static void committed_store(struct task_store *s, int64_t now_us)
{
	struct worker *w = s->task->worker;
	int64_t next = s->source  ? s->source->committed
		       : s->wrote ? weir_producer_delivered(w->producer, s->changelog, s->task->partition)
				  : -1;
	weir_error err;

	weir__store_committed(s->store, next);
	s->wrote = 0;
	s->wrote_last = 0;
	if (!s->source && next > s->known_end)
		s->known_end = next;
	if (weir__store_kind_timed(s->graph->spec.kind) || s->graph->spec.kind == STORE_VERSIONED)
		weir__store_expire(s->store, weir__store_time(s->store));
	if (!checkpoint_due(s, now_us))
		return;
	s->checkpoint_us = now_us;
	if (!weir__store_checkpoint(s->store, true, &err)) {
		w->failed = true;
		w->error = err;
		w->stop = true;
	}
}

static void keep_within_memory(struct worker *w)
{
	size_t total = 0, origins = 0, max = (size_t)w->app->settings.cache_bytes_max;

	for (size_t i = 0; i < w->task_count; i++)
		origins += w->tasks[i]->cx.origins.bytes;
	for (size_t i = 0; i < w->task_count; i++)
		for (size_t j = 0; j < w->tasks[i]->store_count; j++)
			if (w->tasks[i]->stores[j].store)
				total += weir__store_memory_bytes(w->tasks[i]->stores[j].store);
	/* They are never more than an eighth of it, or of a few rows each. */
	max -= w->due_budget.bytes < max / 2 ? w->due_budget.bytes : max / 2;
	if (total > max) {
		size_t held = 0;

		/* Each gives up its share, and some more so that this is not to be done again at once. */
		for (size_t i = 0; i < w->task_count; i++)
			for (size_t j = 0; j < w->tasks[i]->store_count; j++) {
				weir_store *store = w->tasks[i]->stores[j].store;

				if (store)
					held += weir__store_shrink(
						store, (size_t)((double)weir__store_memory_bytes(store) *
								(double)max / (double)total * 0.75));
			}
		total = held;
	}
	total += origins;
	if (total > max && w->in_transaction)
		w->commit_now = true; /* the rest is uncommitted */
	atomic_store_explicit(&w->cache_bytes, (long long)(total + w->due_budget.bytes), memory_order_relaxed);
}

/* Records that are behind us, or another's by now. */
static void forget_poison(struct worker *w)
{
	for (struct poison **at = &w->poison; *at;) {
		struct poison *p = *at;
		bool wanted = false;

		for (size_t i = 0; i < w->task_count; i++)
			for (size_t j = 0; j < w->tasks[i]->input_count; j++) {
				const struct input *in = &w->tasks[i]->inputs[j];

				wanted |= in->topic == p->topic && in->partition == p->partition &&
					  in->committed <= p->offset;
			}
		if (wanted) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		free(p);
	}
}

static void committed(struct worker *w)
{
	int64_t now_us = weir__now_us(w->app);

	w->in_transaction = false;
	w->aborts_in_a_row = 0;
	weir__fencings_done(&w->fencings, now_us, w->app->settings.session_timeout_ms * 1000);
	atomic_fetch_add_explicit(&w->commits, 1, memory_order_relaxed);
	weir_histogram_record_single(w->commit_time, (uint64_t)(now_us - w->last_commit_us));
	for (size_t i = 0; i < w->task_count; i++) {
		struct task *t = w->tasks[i];

		if (!t->touched)
			continue;
		t->touched = false;
		weir__origins_clear(&t->cx.origins);
		for (size_t j = 0; j < t->input_count; j++)
			t->inputs[j].committed = t->inputs[j].position;
		for (size_t j = 0; j < t->store_count; j++)
			committed_store(&t->stores[j], now_us);
	}
	forget_poison(w);
	weir__rows_committed(w);
	keep_within_memory(w);
	weir_error err;

	if (!w->failed && weir__state_failed(w->app->state, &err)) {
		w->failed = true;
		w->error = err;
		w->stop = true;
	}
}

/* --- when it fails ------------------------------------------------------------------------------- */

static void fenced(struct worker *w)
{
	int64_t now_us = weir__now_us(w->app);

	if (now_us - w->begun_us >= w->app->settings.transaction_timeout_ms * 1000)
		return; /* this was the broker, which ends transactions that last too long */
	if (weir__worker_fenced(w, &w->error))
		w->failed = w->stop = true;
}

enum { ABORTS_MIN = 5, CALM_US = 60000000 };

/* One abort is a matter of course (a rebalance); many in a row are not: wait longer each time, and in the end give
 * up. What lies far back is not of the same trouble: this worker may have had nothing to do since. */
static void back_off(struct worker *w, const weir_error *why)
{
	int64_t now_us = weir__now_us(w->app), timeout_us = w->app->settings.task_timeout_ms * 1000;

	if (now_us - w->last_abort_us > timeout_us + CALM_US)
		w->aborts_in_a_row = 0;
	w->last_abort_us = now_us;
	if (w->aborts_in_a_row++ == 0)
		w->aborting_since_us = now_us;
	for (size_t i = 0; i < w->task_count; i++)
		if (w->aborts_in_a_row > 2 && w->tasks[i]->state == TASK_OPENING)
			w->tasks[i]->try_again_us =
				now_us + (w->aborts_in_a_row > 20 ? 1000000 : w->aborts_in_a_row * 50000);
	if (!w->stop && w->aborts_in_a_row >= ABORTS_MIN && now_us - w->aborting_since_us > timeout_us) {
		w->failed = w->stop = true;
		w->error = *why;
		weir_wrap(&w->error, "%d transactions in a row have failed, for longer than task.timeout.ms",
			  w->aborts_in_a_row);
	}
}

static bool ignore_change(const struct store_change *change, void *user)
{
	(void)change, (void)user;
	return true;
}

static void reset_or_sing(struct task *t)
{
	if (!WEIR__CANARY(KEEP_AFTER_ABORT)) {
		weir__task_reset(t);
		return;
	}
	weir_partition *list = t->list;

	weir__task_partitions(t, list);
	for (size_t i = 0; i < t->input_count; i++)
		if (t->inputs[i].committed >= 0)
			list[i].offset = t->inputs[i].position = t->inputs[i].committed;
	weir_consumer_seek(t->worker->consumer, list, t->input_count, NULL);
	for (size_t i = 0; i < t->store_count; i++) {
		weir__store_flush(t->stores[i].store, ignore_change, NULL);
		weir__store_committed(t->stores[i].store, -1);
	}
	t->touched = false;
}

void weir__abort(struct worker *w, const weir_error *why)
{
	weir_error err = *why;

	if (!w->in_transaction)
		return;
	weir_log(WEIR_LOG_WARN, "commit", "transaction aborted: %s", why->message);
	atomic_fetch_add_explicit(&w->aborts, 1, memory_order_relaxed);
	w->in_transaction = false;
	weir__rows_aborted(w);
	/* An outcome that is not known, and an abort that fails, end the producer: a new one with its id settles
	 * the transaction (init waits for it). */
	w->broken_producer =
		why->fatal || !weir_producer_abort(w->producer, w->app->settings.transaction_timeout_ms, &err);
	for (size_t i = 0; i < w->task_count; i++)
		if (w->tasks[i]->touched)
			reset_or_sing(w->tasks[i]);
	if (err.code == WEIR_FENCED && err.fatal)
		fenced(w);
	back_off(w, why);
}

/* The topology's own error ends the worker; its transaction is never committed. */
static bool stopped_by_topology(struct worker *w)
{
	for (size_t i = 0; i < w->task_count; i++) {
		struct task *t = w->tasks[i];

		if (!t->cx.failed)
			continue;
		w->failed = true;
		w->error = t->cx.error;
		weir_wrap(&w->error, "task %s", t->id);
		w->stop = true;
		return true;
	}
	return false;
}

static void write_early(struct worker *w)
{
	for (size_t i = 0; i < w->task_count; i++)
		for (size_t j = 0; w->tasks[i]->touched && j < w->tasks[i]->store_count; j++) {
			struct task_store *s = &w->tasks[i]->stores[j];

			weir__store_committed(s->store, s->wrote
								? weir_producer_delivered(w->producer, s->changelog,
											  w->tasks[i]->partition)
								: -1);
			weir__store_checkpoint(s->store, true, NULL);
		}
}

/* At least as much time for records as for the commit before them, up to ten intervals: where a commit takes longer
 * than its interval, the next would be due at once, and few records would be all that lies between two. But the
 * broker aborts what lasts longer than transaction.timeout.ms. */
static void put_off_next(struct worker *w)
{
	const struct settings *settings = &w->app->settings;
	int64_t now_us = weir__now_us(w->app), interval_us = settings->commit_interval_us;
	int64_t most_us = settings->transaction_timeout_ms * 1000 / 4;
	int64_t least_us = now_us - w->last_commit_us;

	least_us = least_us < 10 * interval_us ? least_us : 10 * interval_us;
	least_us = least_us < most_us ? least_us : most_us;
	if (w->last_commit_us + interval_us < now_us + least_us)
		w->last_commit_us = now_us + least_us - interval_us;
}

bool weir__commit(struct worker *w)
{
	weir_error err = { .code = WEIR_OK };
	bool ok = true;

	w->commit_now = false;
	w->last_commit_us = weir__now_us(w->app);
	if (!w->in_transaction)
		return true;
	if (w->failed || stopped_by_topology(w)) {
		ok = false;
		err = w->error;
	} else if (weir_consumer_lost(w->consumer)) {
		ok = weir_fail(&err, WEIR_FENCED, "the membership of the group is lost");
	}
	for (size_t i = 0; ok && i < w->task_count; i++)
		if (w->tasks[i]->touched && !flush_task(w->tasks[i])) {
			if (!w->failed)
				stopped_by_topology(w);
			ok = false;
			err = w->error;
		}
	/* A store that cannot read gives null: what was made of that must not be committed. */
	if (ok && !WEIR__CANARY(TRUST_DISK) && weir__state_failed(w->app->state, &err)) {
		ok = false;
		w->stop = true;
		w->error = err;
	}
	if (ok && WEIR__CANARY(WRITE_BEFORE_COMMIT))
		write_early(w);
	ok = ok && (WEIR__CANARY(NO_POSITIONS) || send_positions(w, &err));
	if (ok && !weir_producer_commit(w->producer, COMMIT_TIMEOUT_MS, &err)) {
		ok = false;
		err.fatal |= !err.abort_txn; /* its outcome is not known */
	}
	if (ok) {
		committed(w);
		put_off_next(w);
		return !w->failed;
	}
	/* What only broke the producer or the transaction is mended by the abort; what came from the topology or
	 * the state is not. */
	weir__abort(w, &err);
	put_off_next(w);
	w->failed = w->stop;
	return false;
}
