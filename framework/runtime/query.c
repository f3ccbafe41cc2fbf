/* Queries are answered by the workers themselves, between records: no lock in the hot path. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "framework/base/alloc.h"
#include "framework/runtime/runtime.h"

/* One for each worker; shared by the asking thread and the worker. */
struct query {
	struct query *next;
	const char *store; /* the topology's */
	weir_query_fn *fn;
	void *user;
	int32_t partition; /* -1 = all */
	bool read_uncommitted;
	atomic_int references;
	pthread_mutex_t mutex; /* held while fn runs: a cancelled query is never in the middle of it */
	bool cancelled;
	/* by the worker: */
	atomic_bool answered;
	bool not_ready;
};

static void unref(struct query *q)
{
	if (atomic_fetch_sub(&q->references, 1) != 1)
		return;
	pthread_mutex_destroy(&q->mutex);
	free(q);
}

static void post(struct worker *w, struct query *q)
{
	q->next = atomic_load(&w->mailbox);
	while (!atomic_compare_exchange_weak(&w->mailbox, &q->next, q))
		;
}

static void answer(struct worker *w, struct query *q, bool ended)
{
	pthread_mutex_lock(&q->mutex);
	for (size_t i = 0; i < w->task_count && !q->cancelled; i++)
		for (size_t j = 0; j < w->tasks[i]->store_count; j++) {
			const struct task *t = w->tasks[i];

			if (strcmp(t->stores[j].graph->spec.name, q->store) != 0 ||
			    (q->partition >= 0 && t->partition != q->partition))
				continue;
			if (t->state == TASK_RUNNING)
				q->fn(t->stores[j].store, t->partition, q->user);
			else
				q->not_ready = true;
		}
	q->not_ready |= ended;
	pthread_mutex_unlock(&q->mutex);
	pthread_mutex_lock(&w->app->mutex);
	q->answered = true;
	pthread_cond_broadcast(&w->app->changed);
	pthread_mutex_unlock(&w->app->mutex);
	unref(q);
}

static void take_mail(struct worker *w)
{
	if (!atomic_load_explicit(&w->mailbox, memory_order_relaxed))
		return;
	struct query *newest = atomic_exchange(&w->mailbox, NULL);

	while (newest) { /* onto the list, oldest first is of no matter */
		struct query *next = newest->next;

		newest->next = w->queries;
		w->queries = newest;
		newest = next;
	}
}

void weir__queries_answer(struct worker *w)
{
	take_mail(w);
	for (struct query **at = &w->queries; *at;) {
		struct query *q = *at;

		if (!q->read_uncommitted && w->in_transaction) { /* right after the commit */
			at = &q->next;
			continue;
		}
		*at = q->next;
		answer(w, q, false);
	}
}

void weir__queries_refuse(struct worker *w)
{
	take_mail(w);
	while (w->queries) {
		struct query *q = w->queries;

		w->queries = q->next;
		answer(w, q, true);
	}
}

static struct timespec deadline(int64_t timeout_ms)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += timeout_ms / 1000;
	t.tv_nsec += timeout_ms % 1000 * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return t;
}

/* Waits for all; false: the time was not enough. */
static bool wait_for_all(weir_app *app, struct query **queries, int64_t timeout_ms)
{
	struct timespec until = deadline(timeout_ms);
	bool all = false, late = false;

	pthread_mutex_lock(&app->mutex);
	while (!all && !late) {
		all = true;
		for (int i = 0; i < app->settings.workers; i++)
			all &= queries[i]->answered || atomic_load(&app->workers[i].done);
		if (!all)
			late = pthread_cond_timedwait(&app->changed, &app->mutex, &until) == ETIMEDOUT;
	}
	pthread_mutex_unlock(&app->mutex);
	return all;
}

static struct query *query_new(const struct graph_store *store, int32_t partition, weir_query_fn *fn, void *user,
			       bool read_uncommitted)
{
	struct query *q = weir__calloc(1, sizeof *q);

	*q = (struct query){ .store = store->spec.name,
			     .fn = fn,
			     .user = user,
			     .partition = partition,
			     .read_uncommitted = read_uncommitted };
	atomic_init(&q->references, 2);
	pthread_mutex_init(&q->mutex, NULL);
	return q;
}

bool weir_app_query(weir_app *app, const char *name, weir_query_fn *fn, void *user, weir_query_opts opts,
		    weir_error *err)
{
	const struct graph_store *store = weir__graph_store_find(app->topology, name);

	if (!store)
		return weir_fail(err, WEIR_NOT_FOUND, "there is no store \"%s\"", name);
	if (!app->started)
		return weir_fail(err, WEIR_CLOSED, "the application does not run");
	int32_t partition = weir_is_null(opts.key)
				    ? -1
				    : weir_partition_for_key(opts.key, app->task_counts[store->subtopology]);
	struct query **queries = weir__calloc((size_t)app->settings.workers, sizeof(struct query *));
	int64_t timeout_ms = opts.timeout_ms ? opts.timeout_ms : app->settings.query_timeout_ms;
	bool not_ready = false;

	for (int i = 0; i < app->settings.workers; i++) {
		queries[i] = query_new(store, partition, fn, user, opts.read_uncommitted);
		post(&app->workers[i], queries[i]);
		if (!app->workers[i].thread_started) /* the driver: this thread is the worker's */
			weir__queries_answer(&app->workers[i]);
	}
	bool in_time = wait_for_all(app, queries, timeout_ms);

	for (int i = 0; i < app->settings.workers; i++) {
		pthread_mutex_lock(&queries[i]->mutex);
		queries[i]->cancelled = true;
		not_ready |= queries[i]->not_ready || !queries[i]->answered;
		pthread_mutex_unlock(&queries[i]->mutex);
		unref(queries[i]);
	}
	free(queries);
	if (!in_time)
		weir_fail(err, WEIR_TIMEOUT, "store \"%s\" did not answer within %lld ms", name,
			  (long long)timeout_ms);
	else if (not_ready)
		weir_fail(err, WEIR_STORE, "store \"%s\" is not ready on this instance yet", name);
	else
		return true;
	if (err)
		err->retriable = true;
	return false;
}
