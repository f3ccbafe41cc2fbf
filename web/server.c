#include "web/server.h"

#include <civetweb.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <weir/clock.h>
#include <weir/log.h>
#include "web/json.h"
#include "web/sockets.h"
#include "web/text.h"

#define DRAIN_MS 300 /* how long answers under way may take when the server stops */

static const char safety_headers[] =
	"Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'\r\n"
	"X-Content-Type-Options: nosniff\r\n"
	"Referrer-Policy: same-origin\r\n"
	"Cross-Origin-Opener-Policy: same-origin\r\n"
	"Connection: close\r\n";

int64_t web_now_ms(const struct web *web)
{
	struct timespec now;

	if (web->opts.now_ms)
		return web->opts.now_ms(web->opts.user);
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool web_write(const struct web_request *rq, const void *data, size_t len)
{
	return mg_write(rq->conn, data, len) == (int)len;
}

static void begin(struct web_text *t, int status, const char *type)
{
	time_t now = time(NULL);
	struct tm utc;
	char date[64];

	gmtime_r(&now, &utc);
	strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &utc);
	web_text_format(t, "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\n%s", status,
			mg_get_response_code_text(NULL, status), date, type, safety_headers);
}

int web_reply(const struct web_request *rq, int status, const char *type, const void *body, size_t len,
	      const char *more)
{
	struct web_text text = { 0 };

	begin(&text, status, type);
	web_text_format(&text, "%s", more ? more : "Cache-Control: no-store\r\n");
	if (status != 304)
		web_text_format(&text, "Content-Length: %zu\r\n", len);
	web_text_puts(&text, "\r\n");
	if (!rq->head && status != 304)
		web_text_add(&text, body, len);
	web_write(rq, text.data, text.len);
	web_text_release(&text);
	return status;
}

bool web_begin_stream(const struct web_request *rq, const char *type)
{
	struct web_text text = { 0 };

	begin(&text, 200, type);
	web_text_puts(&text, "Cache-Control: no-store\r\nX-Accel-Buffering: no\r\n\r\n");
	bool ok = web_write(rq, text.data, text.len);
	web_text_release(&text);
	return ok;
}

int web_reply_text(const struct web_request *rq, int status, const char *text)
{
	return web_reply(rq, status, "text/plain; charset=utf-8", text, strlen(text), NULL);
}

int web_reply_json(const struct web_request *rq, int status, char *json)
{
	web_reply(rq, status, "application/json; charset=utf-8", json, strlen(json), NULL);
	free(json);
	return status;
}

int web_reply_error(const struct web_request *rq, int status, const char *message)
{
	return web_reply_json(rq, status, web_json_error(message));
}

void web_log_away(const weir_error *why)
{
	static weir_log_limit limit;

	weir_log_limited(&limit, 10000, WEIR_LOG_WARN, "web", "the source of the dashboard's rows is away: %s",
			 why->message);
}

int web_reply_away(const struct web_request *rq, const weir_error *why)
{
	web_log_away(why);
	return web_reply_error(rq, 503, "the data are away for the moment");
}

static int readyz(const struct web_request *rq)
{
	const struct web_opts *opts = &rq->web->opts;
	weir_error err = { 0 };
	bool any;

	bool ready = (!opts->ready || opts->ready(opts->user, &err)) &&
		     (!opts->source || web_place_known(opts->source, weir_str(""), 1, &any, &err));
	if (ready)
		return web_reply_text(rq, 200, "ready\n");
	struct web_text text = { 0 };
	web_text_format(&text, "not ready: %s\n", err.message);
	web_reply_text(rq, 503, text.data);
	web_text_release(&text);
	return 503;
}

static void append(void *to, const char *text, size_t len)
{
	web_text_add(to, text, len);
}

static int metrics(const struct web_request *rq)
{
	const struct web_opts *opts = &rq->web->opts;
	struct web_text text = { 0 };

	if (opts->metrics)
		opts->metrics(opts->user, append, &text);
	web_reply(rq, 200, "text/plain; version=0.0.4; charset=utf-8", text.data, text.len, NULL);
	web_text_release(&text);
	return 200;
}

static bool starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

int web_route(const struct web_request *rq)
{
	if (strcmp(rq->path, "/healthz") == 0)
		return web_reply_text(rq, 200, "ok\n");
	if (strcmp(rq->path, "/readyz") == 0)
		return readyz(rq);
	if (strcmp(rq->path, "/metrics") == 0)
		return metrics(rq);
	if (!rq->web->opts.source)
		return web_reply_text(rq, 404, "not found: only /healthz, /readyz and /metrics are served here\n");
	if (strcmp(rq->path, "/api/live") == 0)
		return web_live(rq);
	if (starts_with(rq->path, "/api/"))
		return web_api(rq);
	if (starts_with(rq->path, "/static/") || strcmp(rq->path, "/favicon.ico") == 0)
		return web_static(rq);
	return web_page(rq);
}

static struct web_request request_of(struct mg_connection *conn)
{
	const struct mg_request_info *info = mg_get_request_info(conn);

	return (struct web_request){
		.web = info->user_data,
		.conn = conn,
		.path = info->local_uri_raw ? info->local_uri_raw : "",
		.query = info->query_string ? info->query_string : "",
		.head = info->request_method && strcmp(info->request_method, "HEAD") == 0,
	};
}

static int begin_request(struct mg_connection *conn)
{
	struct web_request rq = request_of(conn);
	const char *method = mg_get_request_info(conn)->request_method;
	int status;

	mg_disable_connection_keep_alive(
		conn); /* and so CivetWeb does not wait for the rest of a body that nobody wants */
	atomic_fetch_add(&rq.web->handlers, 1);
	if (!rq.head && strcmp(method, "GET") != 0) {
		char *json = web_json_error("only GET and HEAD are answered here");
		status = web_reply(&rq, 405, "application/json; charset=utf-8", json, strlen(json),
				   "Allow: GET, HEAD\r\n");
		free(json);
	} else {
		status = web_route(&rq);
	}
	atomic_fetch_sub(&rq.web->handlers, 1);
	return status;
}

/* What CivetWeb refuses itself: a broken request line, headers that are too long, a timeout. */
static int refused(struct mg_connection *conn, int status, const char *message)
{
	struct web_request rq = request_of(conn);

	mg_disable_connection_keep_alive(conn);
	if (status < 400)
		return 1;
	web_reply_error(&rq, status, message);
	return 0;
}

static int log_message(const struct mg_connection *conn, const char *message)
{
	static weir_log_limit limit;

	(void)conn;
	weir_log_limited(&limit, 1000, WEIR_LOG_DEBUG, "web", "civetweb: %s", message);
	return 1;
}

static bool start_civetweb(struct web *web, weir_error *err)
{
	char ports[300], threads[16], request_size[16], timeout[16], text[200] = "";
	bool v6 = strchr(web->host, ':') && web->host[0] != '[';

	snprintf(ports, sizeof ports, v6 ? "[%s]:%d" : "%s:%d", web->host, web->opts.port);
	snprintf(threads, sizeof threads, "%d", (web->opts.source ? WEB_LIVE_CLIENTS_MAX : 0) + WEB_SPARE_THREADS);
	snprintf(request_size, sizeof request_size, "%d", WEB_REQUEST_BYTES_MAX);
	snprintf(timeout, sizeof timeout, "%d", WEB_CLIENT_TIMEOUT_MS);
	/* clang-format off */
	const char *options[] = {
		"listening_ports", ports, "num_threads", threads,
		"max_request_size", request_size, "request_timeout_ms", timeout,
		"enable_keep_alive", "no", "tcp_nodelay", "1",
		"decode_url", "no", "enable_auth_domain_check", "no", NULL,
	};
	/* clang-format on */
	struct mg_callbacks callbacks = {
		.begin_request = begin_request,
		.http_error = refused,
		.log_message = log_message,
	};
	struct mg_init_data init = { &callbacks, web, options };
	struct mg_error_data error = { .text = text, .text_buffer_size = sizeof text };
	struct mg_server_port port[1];

	web->civetweb = mg_start2(&init, &error);
	if (!web->civetweb)
		return weir_fail(err, WEIR_IO, "web server on %s: %s", ports, text[0] ? text : "cannot start");
	web->port = mg_get_server_ports(web->civetweb, 1, port) == 1 ? port[0].port : web->opts.port;
	return true;
}

struct web *web_start(const struct web_opts *opts, weir_error *err)
{
	struct web *web = web_alloc(sizeof *web);

	mg_init_library(MG_FEATURES_DEFAULT);
	web->opts = *opts;
	web->host =
		web_memdup(opts->host ? opts->host : "127.0.0.1", strlen(opts->host ? opts->host : "127.0.0.1"));
	if (opts->source)
		web->live = web_live_start(web);
	if (start_civetweb(web, err))
		return web;
	web_stop(web);
	return NULL;
}

int web_port(const struct web *web)
{
	return web->port;
}

void web_stop(struct web *web)
{
	if (!web)
		return;
	atomic_store(&web->stopping, true);
	if (web->live)
		web_live_stop(web->live);
	if (web->civetweb) {
		/* CivetWeb's threads look at its stop flag every two seconds; losing their sockets wakes them */
		web_sockets_shut(web->port, true);
		for (int waited = 0; waited < DRAIN_MS && atomic_load(&web->handlers); waited += 10)
			nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
		web_sockets_shut(web->port, false);
		mg_stop(web->civetweb);
	}
	web_live_free(web->live);
	mg_exit_library();
	free(web->host);
	free(web);
}
