#ifndef EVILNET_X_HTTP_H
#define EVILNET_X_HTTP_H
/* One HTTP request at a time, with a bearer token, that never blocks longer than it is told. Redirects are not
 * followed: the token stays here. */
#include <weir/error.h>
#include <weir/bytes.h>

struct x_http;

/** Bytes of the body, as they come, with the response's status. Called inside x_http_turn. */
typedef void x_http_bytes_fn(long status, const void *data, size_t n, void *user);

/** `token` is copied, and wiped when it is freed; it is in no message. */
struct x_http *x_http_new(const char *token, x_http_bytes_fn *on_bytes, void *user);
void x_http_free(struct x_http *h);

struct x_http_request {
	const char *url;
	const char *body; /* JSON to POST; NULL = GET */
	int64_t connect_timeout_ms;
	int64_t timeout_ms; /* of all of it; 0 = none: a stream */
};

/** False: it cannot even be tried (a malformed address). What the request points to is copied. */
bool x_http_begin(struct x_http *h, const struct x_http_request *request, weir_error *err);
/** Ends what has begun, as if the peer had hung up. */
void x_http_cancel(struct x_http *h);

struct x_http_result {
	long status;      /* 0 = there was no response */
	char error[256];  /* why it broke off; "" = it ended well */
	int64_t reset_ms; /* x-rate-limit-reset, wall time; -1 = not there */
};

/** Goes on with it, waiting up to wait_ms for something to happen. True: it has ended, see *result. */
bool x_http_turn(struct x_http *h, int64_t wait_ms, struct x_http_result *result);

#endif
