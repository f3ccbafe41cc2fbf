/* `evilnet ingest`: the pipeline with its topics, and with health and metrics over HTTP where web.port is set. */
#include <stdio.h>

#include "apps/evilnet/ingest.h"
#include "web/web.h"

static void show_metrics(void *metrics, void (*write)(void *to, const char *text, size_t len), void *to)
{
	weir_metrics_write(metrics, write, to);
}

/* *web stays NULL where none is wanted. */
static bool start_web(const weir_config *cfg, weir_metrics *metrics, struct web **web, weir_error *err)
{
	if (weir_config_source_of(cfg, "web.port", NULL) == WEIR_FROM_DEFAULT)
		return true;
	*web = web_start(
		&(struct web_opts){
			.host = weir_config_string(cfg, "web.host"),
			.port = (int)weir_config_int(cfg, "web.port"),
			.metrics = show_metrics,
			.user = metrics,
		},
		err);
	return *web;
}

int evilnet_ingest(struct evilnet *e)
{
	bool own = !e->cluster;
	weir_metrics *metrics = weir_metrics_new();
	struct web *web = NULL;
	weir_error err = { 0 };
	int code;

	if (own)
		e->cluster = weir_cluster_open(e->cfg, &err);
	if (e->cluster && start_web(e->cfg, metrics, &web, &err))
		code = ingest_run(e, (struct ingest_opts){ .metrics = metrics, .make_topics = true });
	else
		code = evilnet_failed(e, "ingest", &err);
	web_stop(web);
	if (own) {
		weir_cluster_free(e->cluster);
		e->cluster = NULL;
	}
	weir_metrics_free(metrics);
	return code;
}
