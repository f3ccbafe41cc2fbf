/* `evilnet process`, `run` and `demo`: the topology, with the sink into MySQL where that is configured and the
 * dashboard where it is wanted. */
#include "apps/evilnet/process.h"

#include <stdio.h>
#include <unistd.h>

#include "apps/evilnet/mysql.h"
#include "apps/evilnet/sink_metrics.h"

enum { STOP_TIMEOUT_MS = 30000, LOOK_US = 50000 };

struct process {
	struct evilnet *e;
	struct evilnet_cities options;
	weir_topology *topology;
	weir_app *app;
	struct evilnet_mysql_sink *sink;
	weir_sink_worker *sink_worker;
	struct sink_metrics *sink_metrics;
	struct evilnet_mysql_source *mysql_source;
	struct evilnet_store_source store_source;
	struct web_source source;
	struct web *web;
};

static bool is_ready(void *user, weir_error *err)
{
	struct process *p = user;
	weir_error why = { .code = WEIR_OK };
	weir_app_state state = weir_app_state_get(p->app, &why);
	weir_sink_status status;

	if (state != WEIR_APP_RUNNING)
		return weir_fail(err, WEIR_CLOSED, "%s%s%s", weir_app_state_name(state), why.code ? ": " : "",
				 why.message);
	if (!p->sink_worker)
		return true;
	weir_sink_worker_status(p->sink_worker, &status);
	return status.connected || weir_fail(err, WEIR_SINK, "MySQL is away: %s", status.error.message);
}

static void show_metrics(void *user, void (*write)(void *to, const char *text, size_t len), void *to)
{
	struct process *p = user;

	weir_metrics_write(weir_app_metrics(p->app), write, to);
}

static bool start_sink(struct process *p, weir_error *err)
{
	const weir_config *cfg = p->e->cfg;
	char group[300], instance[500];

	if (!evilnet_mysql_configured(cfg))
		return true;
	p->sink = evilnet_mysql_sink_new(cfg);
	snprintf(group, sizeof group, "%s-mysql", weir_config_string(cfg, "application.id"));
	snprintf(instance, sizeof instance, "%s-%s", group, weir_app_instance_id(p->app));
	p->sink_worker = weir_sink_worker_start(
		p->e->cluster, cfg,
		(weir_sink_worker_opts){
			.sink = &evilnet_mysql_sink_ops,
			.self = p->sink,
			.topic = weir_config_string(cfg, "evilnet.metrics.topic"),
			.group = group,
			.group_instance_id = weir_config_bool(cfg, "group.static.membership") ? instance : NULL,
			.dead_letter_topic = weir_config_string(cfg, "evilnet.dead.letters.topic"),
			.retain_ms = weir_config_ms(cfg, "evilnet.retention"),
		},
		err);
	if (!p->sink_worker)
		return false;
	p->sink_metrics = sink_metrics_open(weir_app_metrics(p->app), p->sink_worker);
	return true;
}

static bool start_web(struct process *p, bool dashboard, weir_error *err)
{
	const weir_config *cfg = p->e->cfg;
	struct web_opts opts = {
		.host = weir_config_string(cfg, "web.host"),
		.port = (int)weir_config_int(cfg, "web.port"),
		.ready = is_ready,
		.metrics = show_metrics,
		.user = p,
	};

	if (dashboard) {
		if (evilnet_mysql_configured(cfg)) {
			p->mysql_source = evilnet_mysql_source_open(cfg, &p->source);
		} else {
			p->store_source = (struct evilnet_store_source){ p->app, p->options.window_ms };
			evilnet_store_source(&p->store_source, &p->source);
		}
		opts.source = &p->source;
	}
	if (!dashboard && !evilnet_config_is_set(cfg, "web.port"))
		return true;
	if (!evilnet_config_is_set(cfg, "web.port"))
		opts.port = EVILNET_WEB_PORT;
	p->web = web_start(&opts, err);
	if (p->web)
		fprintf(stderr, "evilnet: %s at http://%s:%d/\n", dashboard ? "dashboard" : "health and metrics",
			opts.host, web_port(p->web));
	return p->web != NULL;
}

static bool start(struct process *p, bool dashboard, weir_error *err)
{
	struct evilnet *e = p->e;

	/* Ten seconds, not Kafka's 45: no garbage collector holds up a heartbeat, and after a crash the group waits
	 * this long. */
	if (!evilnet_config_default(e->cfg, "session.timeout.ms", "10s", err) ||
	    !evilnet_config_default(e->cfg, "errors.dead.letter.queue.topic.name",
				    weir_config_string(e->cfg, "evilnet.dead.letters.topic"), err))
		return false;
	p->topology = evilnet_cities(e->cfg, &p->options, err);
	if (!p->topology || !evilnet_topics_ensure(e, err))
		return false;
	p->app = weir_app_new(p->topology, e->cfg, e->cluster, (weir_app_opts){ 0 }, err);
	return p->app && weir_app_start(p->app, err) && start_sink(p, err) && start_web(p, dashboard, err);
}

static bool at_end(struct process *p)
{
	return p->e->exit_at_end && weir_app_caught_up(p->app) &&
	       (!p->sink_worker || weir_sink_worker_caught_up(p->sink_worker));
}

/* Until told to stop, done, or broken. */
static bool wait_for_end(struct process *p, weir_error *err)
{
	weir_sink_status status = { .stopped = false };

	evilnet_watch_stop(p->e);
	while (!*p->e->stop && !at_end(p)) {
		if (weir_app_state_get(p->app, err) == WEIR_APP_ERROR)
			return false;
		if (p->sink_worker)
			weir_sink_worker_status(p->sink_worker, &status);
		if (status.stopped) {
			*err = status.error;
			return weir_wrap(err, "the sink into MySQL has stopped");
		}
		usleep(LOOK_US);
	}
	return true;
}

static bool stop(struct process *p, weir_error *err)
{
	bool ok = !p->app || weir_app_stop(p->app, STOP_TIMEOUT_MS, err);

	web_stop(p->web);
	sink_metrics_close(p->sink_metrics);
	weir_sink_worker_stop(p->sink_worker);
	evilnet_mysql_sink_free(p->sink);
	evilnet_mysql_source_close(p->mysql_source);
	if (!p->app || weir_app_ended(p->app)) {
		weir_app_free(p->app);
		weir_topology_free(p->topology);
	} else {
		p->e->cluster = NULL; /* a worker may still use all of it, and the process ends */
	}
	return ok;
}

int evilnet_process_run(struct evilnet *e, bool dashboard)
{
	struct process p = { .e = e };
	weir_error err = { .code = WEIR_OK };
	bool ok = start(&p, dashboard, &err) && wait_for_end(&p, &err);
	weir_error at_stop;

	if (!stop(&p, &at_stop) && ok) {
		ok = false;
		err = at_stop;
	}
	return ok ? EVILNET_DONE : evilnet_failed(e, NULL, &err);
}

static int with_cluster(struct evilnet *e, bool dashboard)
{
	weir_error err;

	e->cluster = weir_cluster_open(e->cfg, &err);
	int code = e->cluster ? evilnet_process_run(e, dashboard) : evilnet_failed(e, NULL, &err);

	weir_cluster_free(e->cluster);
	e->cluster = NULL;
	return code;
}

int evilnet_process(struct evilnet *e)
{
	return with_cluster(e, false);
}

int evilnet_run(struct evilnet *e)
{
	return with_cluster(e, true);
}
