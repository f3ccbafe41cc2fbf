#ifndef WEB_WEB_H
#define WEB_WEB_H
/*
 * The dashboard: pages, JSON, live events, health and metrics over CivetWeb. Knows nothing of Kafka or MySQL: rows
 * come from a source.
 */
#include <weir/error.h>
#include <weir/bytes.h>
#include <stdint.h>

struct web_row {
	weir_bytes place; /* borrowed until the callback returns */
	int64_t window_start_ms;
	int64_t window_seconds;
	int64_t tweets, retweets, users;
};

typedef void web_row_fn(const struct web_row *row, void *user);

/* Where rows come from. Called from several threads at once. */
struct web_source {
	void *self;
	/** Calls fn for each (place, window) with from_ms <= window start < to_ms, of one place or, with a null
	 *  `place`, of all. Order is free. False: the source is away for the moment. */
	bool (*rows)(void *self, weir_bytes place, int64_t from_ms, int64_t to_ms, web_row_fn *fn, void *user,
		     weir_error *err);
	/** Grows whenever rows may have changed; cheap; 0 = not known, ask every second. */
	uint64_t (*version)(void *self);
	int64_t window_ms; /* width of the windows */
};

struct web_opts {
	const char *host; /* "127.0.0.1" */
	int port;         /* 0 = any free one: see web_port */
	const struct web_source *source; /* NULL: only /healthz, /readyz and /metrics are served */
	/** /readyz: true, or false and the reason in *err. NULL = always ready. */
	bool (*ready)(void *user, weir_error *err);
	/** /metrics: writes Prometheus' text. NULL = an empty page. */
	void (*metrics)(void *user, void (*write)(void *to, const char *text, size_t len), void *to);
	void *user;
	int64_t (*now_ms)(void *user); /* NULL = the system's wall clock */
};

struct web;

/** Starts the server on its own threads; false if the port is taken and so on. opts is copied; *source must outlive
 *  it. */
struct web *web_start(const struct web_opts *opts, weir_error *err);
int web_port(const struct web *web);
/** Ends live connections and returns within a second. NULL is fine. */
void web_stop(struct web *web);

#endif
