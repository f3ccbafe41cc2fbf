#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "framework/base/alloc.h"
#include "framework/runtime/runtime.h"

const char *weir_app_state_name(weir_app_state state)
{
	static const char *const names[] = { "CREATED",          "REBALANCING", "RUNNING",
					     "PENDING_SHUTDOWN", "NOT_RUNNING", "ERROR" };

	return names[state];
}

weir_app *weir_app_new(weir_topology *topology, const weir_config *cfg, weir_cluster *cluster, weir_app_opts opts,
		       weir_error *err)
{
	struct settings settings;

	if (!topology || !cfg || !cluster)
		return weir_fail(err, WEIR_USAGE,
				 "an application has a topology, a configuration and a cluster: %s is NULL",
				 !topology ? "the topology"
				 : !cfg    ? "the configuration"
					   : "the cluster"),
		       NULL;
	if (!weir__settings_read(&settings, cfg, err) || !weir__graph_finish(topology, err) ||
	    !weir__graph_check_keys(topology, cfg, err))
		return NULL;
	weir_app *app = weir__calloc(1, sizeof *app);

	atomic_fetch_add(&topology->app_count, 1);
	app->topology = topology;
	app->cfg = cfg;
	app->cluster = cluster;
	app->clock = opts.clock ? opts.clock : weir_clock_system();
	app->own_metrics = opts.metrics == NULL;
	app->metrics = opts.metrics ? opts.metrics : weir_metrics_new();
	app->listener = opts.listener;
	app->settings = settings;
	app->workers = weir__calloc((size_t)settings.workers, sizeof *app->workers);
	for (int i = 0; i < settings.workers; i++) {
		app->workers[i].app = app;
		app->workers[i].index = i;
		app->workers[i].told_not_running = -1;
		app->workers[i].due_budget.bytes_max = (size_t)settings.cache_bytes_max / 8;
	}
	pthread_mutex_init(&app->mutex, NULL);
	pthread_mutex_init(&app->caught_up_mutex, NULL);
	pthread_mutex_init(&app->told_mutex, NULL);
	pthread_cond_init(&app->changed, NULL);
	weir__metrics_register(app);
	return app;
}

/* An id made once and kept with the state, so that an instance that comes back is the same one. */
static bool find_instance_id(weir_app *app, weir_error *err)
{
	const char *set = weir_config_string(app->cfg, "instance.id");
	unsigned char r[16];

	if (set && *set) {
		snprintf(app->instance_id, sizeof app->instance_id, "%s", set);
		return true;
	}
	if (weir__state_note_get(app->state, "instance.id", app->instance_id, sizeof app->instance_id))
		return true;
	if (getrandom(r, sizeof r, 0) != sizeof r)
		return weir_fail(err, WEIR_IO, "no random numbers for an instance.id: %s", strerror(errno));
	snprintf(app->instance_id, sizeof app->instance_id,
		 "%02x%02x%02x%02x-%02x%02x-4%x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", r[0], r[1], r[2], r[3],
		 r[4], r[5], r[6] & 15, r[7], (r[8] & 0x3f) | 0x80, r[9], r[10], r[11], r[12], r[13], r[14], r[15]);
	return weir__state_note_put(app->state, "instance.id", app->instance_id, err);
}

const char *weir_app_instance_id(const weir_app *app)
{
	return app->instance_id;
}

/* Every directory of the path. */
static bool make_directory(char *path, weir_error *err)
{
	for (char *at = path + 1;; at++) {
		if (*at && *at != '/')
			continue;
		char kept = *at;

		*at = 0;
		if (mkdir(path, 0755) != 0 && errno != EEXIST)
			return weir_fail(err, WEIR_IO, "state.dir: make directory %s: %s", path, strerror(errno));
		*at = kept;
		if (!kept)
			return true;
	}
}

static bool open_state(weir_app *app, weir_error *err)
{
	const char *base = weir_config_string(app->cfg, "state.dir");
	char *dir = base && *base ? weir__asprintf("%s/%s", base, app->settings.application_id) : NULL;
	bool ok = !dir || make_directory(dir, err);

	if (ok) {
		struct state_opts opts = { .dir = dir,
					   .memory_bytes_max = app->settings.state_bytes_max,
					   .restore_bytes_max = app->settings.restore_bytes_max,
					   .clock = app->clock,
					   .rocksdb_options = app->settings.rocksdb_options,
					   .rocksdb_options_of = weir__graph_tuning_of,
					   .user = app->topology };

		app->state = weir__state_open(&opts, err);
		ok = app->state != NULL;
	}
	free(dir);
	return ok && find_instance_id(app, err);
}

/* Another cluster's state would be taken for this one's: its offsets mean nothing here. */
static bool check_cluster(weir_app *app, weir_error *err)
{
	char known[100];
	const char *id = weir_cluster_id(app->cluster, err);

	if (!id)
		return weir_wrap(err, "ask the cluster for its id");
	if (!weir__state_note_get(app->state, "cluster.id", known, sizeof known))
		return weir__state_note_put(app->state, "cluster.id", id, err);
	if (strcmp(known, id) != 0)
		return weir_fail(err, WEIR_STATE,
				 "the state in state.dir (%s) belongs to the cluster \"%s\", this one is \"%s\": "
				 "use another state.dir",
				 weir_config_string(app->cfg, "state.dir"), known, id);
	return true;
}

static void set_started(weir_app *app, bool started)
{
	pthread_mutex_lock(&app->mutex);
	app->started = started;
	pthread_mutex_unlock(&app->mutex);
}

bool weir__app_started(weir_app *app)
{
	pthread_mutex_lock(&app->mutex);
	bool started = app->started;

	pthread_mutex_unlock(&app->mutex);
	return started;
}

typedef bool worker_fn(struct worker *w, weir_error *err);

static bool each_worker(weir_app *app, worker_fn *fn, weir_error *err)
{
	for (int i = 0; i < app->settings.workers; i++)
		if (!fn(&app->workers[i], err))
			return weir_wrap(err, "worker %d", i);
	return true;
}

bool weir__app_prepare(weir_app *app, weir_error *err)
{
	if (!open_state(app, err) || !check_cluster(app, err) ||
	    (app->threaded && !each_worker(app, weir__worker_open_begin, err)) || !weir__topics_prepare(app, err) ||
	    !weir__anchors_check(app, err) || !weir__globals_open(app, err) ||
	    !each_worker(app, app->threaded ? weir__worker_join_group : weir__worker_open, err))
		return false;
	set_started(app, true);
	weir__tell_state(app);
	return true;
}

/* Also after a failure, which is then the one that is told. */
static bool producers_opened(weir_app *app, bool ok, weir_error *err)
{
	weir_error ignored;

	for (int i = 0; i < app->settings.workers; i++) {
		weir_error *to = ok ? err : &ignored;

		if (!weir__worker_open_end(&app->workers[i], to))
			ok = weir_wrap(to, "worker %d", i);
	}
	return ok;
}

void weir__app_finish(weir_app *app)
{
	set_started(app, false); /* nobody from outside looks at what follows any more */
	weir__caught_up_free(app);
	weir__shutdown_end(app);
	weir__globals_close(app);
	for (size_t i = 0; app->topics && i < app->topology->topic_count; i++)
		free(app->topics[i].name);
	for (size_t i = 0; app->changelogs && i < app->topology->store_count; i++)
		free(app->changelogs[i]);
	free(app->topics);
	free(app->changelogs);
	free(app->task_counts);
	for (size_t i = 0; app->anchors && i < app->topology->subtopology_count; i++)
		free(app->anchors[i]);
	free(app->anchors);
	free(app->anchors_vary);
	weir__names_free(app);
	app->anchors = NULL;
	app->anchors_vary = NULL;
	app->topics = NULL;
	app->changelogs = NULL;
	app->task_counts = NULL;
	if (app->crash && app->state)
		weir__state_close_dirty(app->state);
	else
		weir__state_close(app->state);
	app->state = NULL;
}

/* A worker that waits for itself waits for ever. */
static bool not_on_worker(const char *what, weir_error *err)
{
	return !weir__on_worker || weir_fail(err, WEIR_USAGE, "%s is called from a callback", what);
}

static bool begin_once(weir_app *app, weir_error *err)
{
	if (!app)
		return weir_fail(err, WEIR_USAGE, "the application is NULL");
	if (!not_on_worker("weir_app_start", err))
		return false;
	pthread_mutex_lock(&app->mutex);
	bool begun = app->begun || atomic_load(&app->stopping);

	app->begun = true;
	pthread_mutex_unlock(&app->mutex);
	return !begun ||
	       weir_fail(err, WEIR_USAGE,
			 "the application has been started or stopped before: it runs once, make a new one");
}

bool weir_app_start(weir_app *app, weir_error *err)
{
	if (!begin_once(app, err))
		return false;
	app->threaded = true;
	bool ok = weir__app_prepare(app, err);

	for (int i = 0; ok && i < app->settings.workers; i++) {
		int e = pthread_create(&app->workers[i].thread, NULL, weir__worker_main, &app->workers[i]);

		app->workers[i].thread_started = e == 0;
		if (e)
			ok = weir_fail(err, WEIR_IO, "start a worker's thread: %s", strerror(e));
	}
	ok = producers_opened(app, ok, err);
	if (ok) {
		weir_log(WEIR_LOG_INFO, "app", "started application=%s instance=%s workers=%d",
			 app->settings.application_id, app->instance_id, app->settings.workers);
		return true;
	}
	pthread_mutex_lock(&app->mutex);
	app->app_state = WEIR_APP_ERROR;
	if (err)
		app->error = *err;
	pthread_mutex_unlock(&app->mutex);
	weir__tell_state(app);
	atomic_store(&app->stopping, true); /* workers that have begun */
	return false;
}

void weir__app_failed(weir_app *app, const weir_error *error)
{
	pthread_mutex_lock(&app->mutex);
	if (app->app_state != WEIR_APP_ERROR) {
		app->app_state = WEIR_APP_ERROR;
		app->error = *error;
		weir_log(WEIR_LOG_ERROR, "app", "stopped: %s", error->message);
	}
	pthread_mutex_unlock(&app->mutex);
	weir__tell_state(app);
	atomic_store(&app->stopping, true);
}

static bool all_done(const weir_app *app)
{
	for (int i = 0; i < app->settings.workers; i++)
		if (app->workers[i].thread_started && !atomic_load(&app->workers[i].done))
			return false;
	return true;
}

bool weir_app_ended(weir_app *app)
{
	pthread_mutex_lock(&app->mutex);
	bool ended = all_done(app);

	pthread_mutex_unlock(&app->mutex);
	return ended;
}

/* Joins the workers; false: some are still busy after timeout_ms. */
static bool join_workers(weir_app *app, int64_t timeout_ms)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += timeout_ms % 1000 * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&app->mutex);
	while (!all_done(app) && pthread_cond_timedwait(&app->changed, &app->mutex, &until) != ETIMEDOUT)
		;
	bool done = all_done(app);

	pthread_mutex_unlock(&app->mutex);
	for (int i = 0; done && i < app->settings.workers; i++)
		if (app->workers[i].thread_started) {
			pthread_join(app->workers[i].thread, NULL);
			app->workers[i].thread_started = false;
		}
	return done;
}

bool weir_app_stop(weir_app *app, int64_t timeout_ms, weir_error *err)
{
	if (!app)
		return weir_fail(err, WEIR_USAGE, "the application is NULL");
	if (!not_on_worker("weir_app_stop", err))
		return false;
	pthread_mutex_lock(&app->mutex);
	if (app->app_state == WEIR_APP_CREATED)
		app->app_state = app->started ? WEIR_APP_PENDING_SHUTDOWN : WEIR_APP_NOT_RUNNING;
	pthread_mutex_unlock(&app->mutex);
	weir__tell_state(app);
	atomic_store_explicit(&app->stopping, true, memory_order_release);
	if (!join_workers(app, timeout_ms))
		return weir_app_state_get(app, err) != WEIR_APP_ERROR &&
		       weir_fail(err, WEIR_TIMEOUT, "the workers have not ended within %lld ms",
				 (long long)timeout_ms);
	for (int i = 0; i < app->settings.workers; i++)
		if (!atomic_load(&app->workers[i].done))
			weir__worker_close(&app->workers[i]); /* its thread never began */
	weir__app_finish(app);
	pthread_mutex_lock(&app->mutex);
	bool ok = app->app_state != WEIR_APP_ERROR;

	if (ok)
		app->app_state = WEIR_APP_NOT_RUNNING;
	else if (err)
		*err = app->error;
	pthread_mutex_unlock(&app->mutex);
	weir__tell_state(app);
	return ok;
}

void weir_app_free(weir_app *app)
{
	if (!app)
		return;
	weir_assert(!weir__on_worker && "an application is not freed from a callback");
	if (app->app_state != WEIR_APP_NOT_RUNNING)
		weir_app_stop(app, INT32_MAX, NULL);
	atomic_fetch_sub(&app->topology->app_count, 1);
	weir__metrics_unregister(app);
	if (app->own_metrics)
		weir_metrics_free(app->metrics);
	pthread_mutex_destroy(&app->mutex);
	pthread_mutex_destroy(&app->caught_up_mutex);
	pthread_mutex_destroy(&app->told_mutex);
	pthread_cond_destroy(&app->changed);
	free(app->workers);
	free(app);
}

weir_app_state weir_app_state_get(weir_app *app, weir_error *err)
{
	pthread_mutex_lock(&app->mutex);
	weir_app_state state = app->app_state;
	bool started = app->started;

	if (state == WEIR_APP_ERROR && err)
		*err = app->error;
	pthread_mutex_unlock(&app->mutex);
	if (state != WEIR_APP_CREATED || !started)
		return state;
	bool share = false;
	int not_running = 0;

	for (int i = 0; i < app->settings.workers; i++) {
		share |= atomic_load(&app->workers[i].has_share);
		not_running += atomic_load(&app->workers[i].tasks_not_running);
	}
	return share && not_running == 0 ? WEIR_APP_RUNNING : WEIR_APP_REBALANCING;
}

weir_metrics *weir_app_metrics(weir_app *app)
{
	return app->metrics;
}

uint64_t weir_app_commits(weir_app *app)
{
	uint64_t n = 0;

	for (int i = 0; i < app->settings.workers; i++)
		n += (uint64_t)atomic_load(&app->workers[i].commits);
	return n;
}
