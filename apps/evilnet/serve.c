/* `evilnet serve`: the dashboard alone, over MySQL. */
#include <stdio.h>
#include <unistd.h>

#include "apps/evilnet/mysql.h"
#include "apps/evilnet/process.h"

static bool is_ready(void *user, weir_error *err)
{
	const struct web_source *source = user;

	return source->rows(source->self, WEIR_NULL, 0, 0, NULL, NULL, err);
}

int evilnet_serve(struct evilnet *e)
{
	struct web_source source;
	weir_error err;

	if (!evilnet_mysql_configured(e->cfg)) {
		fprintf(stderr, "evilnet: serve shows what is in MySQL: set evilnet.mysql.host or "
				"evilnet.mysql.socket (`evilnet run` shows its own "
				"state without MySQL)\n");
		return EVILNET_USAGE;
	}
	struct evilnet_mysql_source *mysql = evilnet_mysql_source_open(e->cfg, &source);
	struct web *web = web_start(
		&(struct web_opts){
			.host = weir_config_string(e->cfg, "web.host"),
			.port = evilnet_config_is_set(e->cfg, "web.port") ? (int)weir_config_int(e->cfg, "web.port")
									  : EVILNET_WEB_PORT,
			.source = &source,
			.ready = is_ready,
			.user = &source,
		},
		&err);

	if (web) {
		fprintf(stderr, "evilnet: dashboard at http://%s:%d/\n", weir_config_string(e->cfg, "web.host"),
			web_port(web));
		evilnet_watch_stop(e);
		while (!*e->stop)
			usleep(50000);
	}
	int code = web ? EVILNET_DONE : evilnet_failed(e, NULL, &err);

	web_stop(web);
	evilnet_mysql_source_close(mysql);
	return code;
}
