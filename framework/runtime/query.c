/* Queries are answered by the workers themselves, between records: no lock in the hot path. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "framework/base/alloc.h"
#include "framework/runtime/runtime.h"

/* Shared by the asking thread and the workers. */
struct question {
	const char *store; /* the topology's */
	weir_query_fn *fn;
	void *user;
	int32_t partition; /* -1 = all */
	bool read_uncommitted;
	atomic_int references;
	pthread_mutex_t mutex; /* held while fn runs: one worker at a time, and never once it is cancelled */
	bool cancelled, not_ready;
	weir_error misuse; /* of a store, by fn; code OK = none */
	int unanswered;    /* workers; under the app's mutex */
};

/* A question in one worker's mailbox. */
struct query {
	struct query *next;
	struct question *q;
};

static void unref(struct question *q)
{
	if (atomic_fetch_sub(&q->references, 1) != 1)
		return;
	pthread_mutex_destroy(&q->mutex);
	free(q);
}

static void post(struct worker *w, struct question *q)
{
	struct query *mail = weir__malloc(sizeof *mail);

	mail->q = q;
	mail->next = atomic_load(&w->mailbox);
	while (!atomic_compare_exchange_weak(&w->mailbox, &mail->next, mail))
		;
}

/* What fn may do, and does not, is told in *misuse. A change that it has made is in the store: that must not be
 * committed, so the application stops. */
static void look_at(weir_store *store, int32_t partition, weir_query_fn *fn, void *user, weir_error *misuse)
{
	uint32_t version = weir__store_version(store);

	weir__store_misuse_to(misuse);
	fn(store, partition, user);
	weir__store_misuse_to(NULL);
	if (weir__store_version(store) == version)
		return;
	weir__store_changed_by_query(store);
	weir_fail(misuse, WEIR_USAGE, "a query has put into the store \"%s\": the application stops",
		  weir__store_spec(store)->name);
}

static void ask_task(struct task *t, struct question *q)
{
	for (size_t i = 0; i < t->store_count; i++) {
		if (strcmp(t->stores[i].graph->spec.name, q->store) != 0 ||
		    (q->partition >= 0 && t->partition != q->partition))
			continue;
		if (t->state == TASK_RUNNING)
			look_at(t->stores[i].store, t->partition, q->fn, q->user, &q->misuse);
		else
			q->not_ready = true;
	}
}

static void answer(struct worker *w, struct query *mail, bool ended)
{
	struct question *q = mail->q;

	pthread_mutex_lock(&q->mutex);
	for (size_t i = 0; i < w->task_count && !q->cancelled; i++)
		ask_task(w->tasks[i], q);
	q->not_ready |= ended;
	pthread_mutex_unlock(&q->mutex);
	pthread_mutex_lock(&w->app->mutex);
	q->unanswered--;
	pthread_cond_broadcast(&w->app->changed);
	pthread_mutex_unlock(&w->app->mutex);
	free(mail);
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

		if (!q->q->read_uncommitted && w->in_transaction) { /* right after the commit */
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

/* Waits for all workers; false: the time was not enough. */
static bool wait_for_all(weir_app *app, const struct question *q, int64_t timeout_ms)
{
	struct timespec until = deadline(timeout_ms);
	bool late = false;

	pthread_mutex_lock(&app->mutex);
	while (q->unanswered && !late)
		late = pthread_cond_timedwait(&app->changed, &app->mutex, &until) == ETIMEDOUT;
	bool all = !q->unanswered;

	pthread_mutex_unlock(&app->mutex);
	return all;
}

static struct question *question_new(weir_app *app, const struct graph_store *store, weir_query_fn *fn, void *user,
				     weir_query_opts opts, int workers)
{
	struct question *q = weir__calloc(1, sizeof *q);

	*q = (struct question){
		.store = store->spec.name,
		.fn = fn,
		.user = user,
		.partition = weir_is_null(opts.key)
				     ? -1
				     : weir_partition_for_key(opts.key, app->task_counts[store->subtopology]),
		.read_uncommitted = opts.read_uncommitted,
		.not_ready = workers < app->settings.workers,
		.unanswered = workers,
	};
	atomic_init(&q->references, workers + 1);
	pthread_mutex_init(&q->mutex, NULL);
	return q;
}

/* To every worker that has not ended: such a one answers, or refuses when it ends. NULL: there is none. Under the
 * app's mutex, so that none ends meanwhile. */
static struct question *ask(weir_app *app, const struct graph_store *store, weir_query_fn *fn, void *user,
			    weir_query_opts opts)
{
	int alive = 0;

	for (int i = 0; app->started && i < app->settings.workers; i++)
		alive += !atomic_load(&app->workers[i].done);
	if (alive == 0)
		return NULL;
	struct question *q = question_new(app, store, fn, user, opts, alive);

	for (int i = 0; i < app->settings.workers; i++)
		if (!atomic_load(&app->workers[i].done))
			post(&app->workers[i], q);
	return q;
}

struct look {
	weir_query_fn *fn;
	void *user;
	weir_error misuse;
};

static void look(weir_store *store, int32_t partition, void *user)
{
	struct look *l = user;

	look_at(store, partition, l->fn, l->user, &l->misuse);
}

/* No worker has it: it is read here, under its lock. */
static bool query_global(weir_app *app, const char *name, weir_query_fn *fn, void *user, weir_error *err)
{
	const weir_topology *t = app->topology;
	struct look l = { fn, user, { .code = WEIR_OK } };
	bool is = false;

	for (size_t i = 0; i < t->global_count; i++)
		is |= strcmp(t->globals[i]->store, name) == 0;
	if (!is)
		return weir_fail(err, WEIR_NOT_FOUND, "there is no store \"%s\"", name);
	pthread_mutex_lock(&app->caught_up_mutex); /* an end waits for it */
	bool started = weir__app_started(app), answered = started && weir__global_query(app, name, look, &l);

	pthread_mutex_unlock(&app->caught_up_mutex);
	if (answered && l.misuse.code != WEIR_OK && err)
		*err = l.misuse;
	if (answered)
		return l.misuse.code == WEIR_OK;
	if (!started)
		return weir_fail(err, WEIR_CLOSED, "the application does not run");
	weir_fail(err, WEIR_STORE, "store \"%s\" is not ready on this instance yet", name);
	if (err)
		err->retriable = true;
	return false;
}

bool weir_app_query(weir_app *app, const char *name, weir_query_fn *fn, void *user, weir_query_opts opts,
		    weir_error *err)
{
	if (!app || !name || !fn)
		return weir_fail(err, WEIR_USAGE, "a query has an application, a store's name and a function");
	if (weir__on_worker)
		return weir_fail(err, WEIR_USAGE, "weir_app_query is called from a callback");
	const struct graph_store *store = weir__graph_store_find(app->topology, name);
	int64_t timeout_ms = opts.timeout_ms ? opts.timeout_ms : app->settings.query_timeout_ms;

	if (!store)
		return query_global(app, name, fn, user, err);
	pthread_mutex_lock(&app->mutex);
	struct question *q = ask(app, store, fn, user, opts);

	pthread_mutex_unlock(&app->mutex);
	if (!q)
		return weir_fail(err, WEIR_CLOSED, "the application does not run");
	for (int i = 0; !app->threaded && i < app->settings.workers; i++)
		weir__queries_answer(&app->workers[i]); /* this thread is the workers' */
	bool in_time = wait_for_all(app, q, timeout_ms);

	pthread_mutex_lock(&q->mutex);
	q->cancelled = true;
	bool ready = !q->not_ready;
	weir_error misuse = q->misuse;

	pthread_mutex_unlock(&q->mutex);
	unref(q);
	if (in_time && misuse.code != WEIR_OK) {
		if (err)
			*err = misuse;
		return false;
	}
	if (in_time && ready)
		return true;
	if (!in_time)
		weir_fail(err, WEIR_TIMEOUT, "store \"%s\" did not answer within %lld ms", name,
			  (long long)timeout_ms);
	else
		weir_fail(err, WEIR_STORE, "store \"%s\" is not ready on this instance yet", name);
	if (err)
		err->retriable = true;
	return false;
}
