#ifndef WEB_SERVER_H
#define WEB_SERVER_H
/* What the parts of the web server share: the request at hand and how it is answered. */
#include <stdatomic.h>

#include "web/query.h"
#include "web/web.h"

/* A live client holds one of CivetWeb's threads for as long as it stays; these are kept free for everybody else. */
#define WEB_LIVE_CLIENTS_MAX 64
#define WEB_SPARE_THREADS 24
#define WEB_REQUEST_BYTES_MAX 8192 /* request line and headers */
#define WEB_CLIENT_TIMEOUT_MS 5000 /* without a byte read or written */

struct mg_connection;
struct mg_context;
struct web_live;

struct web {
	struct web_opts opts;
	char *host;
	int port;
	struct mg_context *civetweb;
	struct web_live *live;
	atomic_int handlers; /* requests being answered */
	atomic_bool stopping;
};

struct web_request {
	struct web *web;
	struct mg_connection *conn;
	const char *path;  /* as it was sent, not decoded */
	const char *query; /* "" if there is none */
	bool head;
};

int64_t web_now_ms(const struct web *web);

/** Each answers the request and returns the status. `more` is NULL or whole header lines, each with its \r\n. */
int web_reply(const struct web_request *rq, int status, const char *type, const void *body, size_t len,
	      const char *more);
int web_reply_text(const struct web_request *rq, int status, const char *text);
/** Takes `json` over. */
int web_reply_json(const struct web_request *rq, int status, char *json);
int web_reply_error(const struct web_request *rq, int status, const char *message);
/** 503: tells the caller that the source is away, and the log why. */
int web_reply_away(const struct web_request *rq, const weir_error *why);
/** Only the status line and headers, without a length: the body follows until the connection ends. False: the
 *  client is gone. */
bool web_begin_stream(const struct web_request *rq, const char *type);
/** False: the client is gone, or has taken nothing for WEB_CLIENT_TIMEOUT_MS. */
bool web_write(const struct web_request *rq, const void *data, size_t len);

/** Logs, not too often, why the source is away. */
void web_log_away(const weir_error *why);

/* Routes. Each returns the status that it has answered with. */
int web_route(const struct web_request *rq); /* to the one of those below that its path names */
int web_api(const struct web_request *rq);
int web_page(const struct web_request *rq);
int web_page_error(const struct web_request *rq, int status, const char *message);
int web_static(const struct web_request *rq);

/** ?place= of a snapshot, decoded, on the heap; NULL in *place if there is none. */
bool web_query_focus(const struct web_request *rq, char **place, weir_error *err);
/** web_json_snapshot of a span, with the trends of `focus` if that is not null. NULL: the source is away. */
char *web_snapshot(const struct web_source *source, const struct web_span *span, weir_bytes focus, weir_error *err);

struct web_live *web_live_start(struct web *web);
int web_live(const struct web_request *rq);
/** Ends all streams; their threads come back on their own. */
void web_live_stop(struct web_live *live);
void web_live_free(struct web_live *live);

#endif
