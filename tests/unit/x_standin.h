#ifndef X_STANDIN_H
#define X_STANDIN_H
/*
 * A stand-in for the X API on a port of this machine: answers request after request as a script says, on a
 * thread of its own, and keeps what it was asked. For tests: what goes wrong with its own sockets ends the
 * program.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* What it does with one request. */
struct x_answer {
	const char *expect; /* how the request line begins */
	const char *head;   /* status line and headers, each with its CR LF; NULL: hang up without a word */
	/* The body in pieces, each sent on its own, up to a NULL; then the connection is closed. Or one of the
	 * signs. */
	const char *const *pieces;
	bool chunked; /* each piece is a chunk of HTTP's; X_CUT leaves out the last, empty one */
};
#define X_PAUSE ((const char *)1)   /* 50 ms of silence */
#define X_SILENCE ((const char *)2) /* until the peer hangs up */
#define X_CUT ((const char *)3)     /* the connection breaks here */
#define X_CALL ((const char *)4)    /* calls on_call */

enum { X_REQUESTS_MAX = 32 };

struct x_request {
	char line[512], authorization[128], body[1024];
	int64_t at_ms; /* monotonic */
};

struct x_standin {
	const struct x_answer *script; /* up to an entry without `expect` */
	void (*on_call)(void *user);
	void *user;
	int port, socket;
	pthread_t thread;
	struct x_request requests[X_REQUESTS_MAX];
	int count;
	char unexpected[600]; /* the first request that was not what the script had */
};

static inline int64_t x_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static inline void x_need(bool good, const char *what)
{
	if (good)
		return;
	perror(what);
	abort();
}

static inline void x_header(const char *text, const char *name, char *to, size_t size)
{
	const char *at = strcasestr(text, name);

	if (at)
		snprintf(to, size, "%.*s", (int)strcspn(at + strlen(name), "\r\n"), at + strlen(name));
}

/* One request, with its body. False: the peer has hung up. */
static inline bool x_read_request(int fd, struct x_request *r)
{
	static char text[16384];
	char length[32] = "0";
	size_t n = 0;
	char *end = NULL;

	memset(r, 0, sizeof *r);
	while (!end || strlen(end + 4) < strtoul(length, NULL, 10)) {
		ssize_t got = read(fd, text + n, sizeof text - 1 - n);

		if (got <= 0)
			return false;
		n += (size_t)got;
		text[n] = 0;
		end = strstr(text, "\r\n\r\n");
		x_header(text, "\r\nContent-Length: ", length, sizeof length);
	}
	r->at_ms = x_now_ms();
	snprintf(r->line, sizeof r->line, "%.*s", (int)strcspn(text, "\r"), text);
	x_header(text, "\r\nAuthorization: ", r->authorization, sizeof r->authorization);
	snprintf(r->body, sizeof r->body, "%s", end + 4);
	return true;
}

static inline void x_send(int fd, const char *data, size_t n)
{
	while (n) {
		ssize_t sent = send(fd, data, n, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		data += sent;
		n -= (size_t)sent;
	}
}

static inline void x_silence(int fd)
{
	char c;

	while (read(fd, &c, 1) > 0)
		;
}

/* False: it was cut. */
static inline bool x_send_piece(struct x_standin *x, int fd, const char *piece, bool chunked)
{
	char size[32];

	if (piece == X_PAUSE) {
		nanosleep(&(struct timespec){ 0, 50000000 }, NULL);
	} else if (piece == X_SILENCE) {
		x_silence(fd);
	} else if (piece == X_CALL) {
		x->on_call(x->user);
	} else if (piece == X_CUT) {
		return false;
	} else {
		snprintf(size, sizeof size, "%zx\r\n", strlen(piece));
		if (chunked)
			x_send(fd, size, strlen(size));
		x_send(fd, piece, strlen(piece));
		if (chunked)
			x_send(fd, "\r\n", 2);
	}
	return true;
}

static inline void x_reply(struct x_standin *x, int fd, const struct x_answer *a)
{
	bool whole = true;

	if (!a->head)
		return;
	x_send(fd, a->head, strlen(a->head));
	x_send(fd, "Connection: close\r\n", 19);
	if (a->chunked)
		x_send(fd, "Transfer-Encoding: chunked\r\n", 28);
	x_send(fd, "\r\n", 2);
	for (const char *const *piece = a->pieces; piece && *piece && whole; piece++)
		whole = x_send_piece(x, fd, *piece, a->chunked);
	if (a->chunked && whole)
		x_send(fd, "0\r\n\r\n", 5);
}

static inline void *x_serve(void *standin)
{
	struct x_standin *x = standin;

	for (const struct x_answer *a = x->script; a->expect; a++) {
		struct x_request *r = &x->requests[x->count];
		int fd = accept(x->socket, NULL, NULL);

		x_need(fd >= 0 && x->count < X_REQUESTS_MAX, "stand-in: accept");
		if (x_read_request(fd, r)) {
			x->count++;
			if (strncmp(r->line, a->expect, strlen(a->expect)) != 0 && !x->unexpected[0])
				snprintf(x->unexpected, sizeof x->unexpected, "%s", r->line);
			x_reply(x, fd, a);
		}
		shutdown(fd, SHUT_WR);
		x_silence(fd); /* else what the peer has not read yet is lost */
		close(fd);
	}
	return NULL;
}

/* script, on_call and user are set. */
static inline void x_standin_start(struct x_standin *x)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;

	x->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	x_need(x->socket >= 0 && !bind(x->socket, (struct sockaddr *)&at, len) && !listen(x->socket, 8) &&
		       !getsockname(x->socket, (struct sockaddr *)&at, &len),
	       "stand-in: listen");
	x->port = ntohs(at.sin_port);
	x_need(!pthread_create(&x->thread, NULL, x_serve, x), "stand-in: thread");
}

/* Waits until the script is through. */
static inline void x_standin_join(struct x_standin *x)
{
	pthread_join(x->thread, NULL);
	close(x->socket);
}

#endif
