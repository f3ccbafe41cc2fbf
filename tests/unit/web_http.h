#ifndef TESTS_WEB_HTTP_H
#define TESTS_WEB_HTTP_H
/* A server with a made-up source, and raw sockets to talk to it: nothing between the test and the bytes. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>

#include "schemas/post.h"
#include "web/web.h"

#define HOSTILE "O'Brien\"; DROP TABLE city_windows;-- <script>"
#define HOSTILE_URL "O%27Brien%22%3B%20DROP%20TABLE%20city_windows%3B--%20%3Cscript%3E"

struct made_up_row {
	const char *window, *place;
	int tweets, retweets, users;
};

/* The worked example of the original pipeline: 13 posts in windows of 15 minutes. */
static const struct made_up_row example[] = {
	{ "2022-09-15T03:00:00Z", "Montreal, Quebec", 1, 0, 1 },
	{ "2022-09-15T03:00:00Z", "Toronto, Ontario", 2, 0, 1 },
	{ "2022-09-15T03:15:00Z", "Chilliwack, British Columbia", 1, 0, 1 },
	{ "2022-09-15T03:15:00Z", "Halifax, Nova Scotia", 1, 0, 1 },
	{ "2022-09-15T03:15:00Z", "Prince George, British Columbia", 1, 0, 1 },
	{ "2022-09-15T03:15:00Z", "Toronto, Ontario", 1, 1, 1 },
	{ "2022-09-15T03:30:00Z", "Calgary, Alberta", 1, 1, 1 },
	{ "2022-09-15T03:30:00Z", "LaSalle, Ontario", 1, 1, 1 },
	{ "2022-09-15T03:30:00Z", "Prince George, British Columbia", 1, 0, 1 },
	{ "2022-09-15T03:30:00Z", "Toronto, Ontario", 1, 1, 1 },
	{ "2022-09-15T03:30:00Z", "Winnipeg, Manitoba", 2, 2, 2 },
};

struct site {
	const struct made_up_row *rows;
	size_t count;
	atomic_int extra; /* tweets added to each row */
	atomic_bool away;
	atomic_ullong version;
	atomic_int reads;
	_Atomic int64_t earliest, latest; /* that were asked for */
	_Atomic int64_t now_ms;
	struct web_source source;
	struct web *web;
	int port;
};

static inline int64_t ms_of(const char *moment)
{
	int64_t ms;

	assert_true(time_parse_rfc3339(weir_str(moment), &ms));
	return ms;
}

static bool site_rows(void *self, weir_bytes place, int64_t from_ms, int64_t to_ms, web_row_fn *fn, void *user,
		      weir_error *err)
{
	struct site *site = self;

	atomic_fetch_add(&site->reads, 1);
	if (from_ms < atomic_load(&site->earliest))
		atomic_store(&site->earliest, from_ms);
	if (to_ms > atomic_load(&site->latest))
		atomic_store(&site->latest, to_ms);
	if (atomic_load(&site->away))
		return weir_fail(err, WEIR_IO, "the made-up source at secret.example:3306 is away");
	for (size_t i = 0; i < site->count; i++) {
		const struct made_up_row *r = &site->rows[i];
		struct web_row row = { .place = weir_str(r->place),
				       .window_start_ms = ms_of(r->window),
				       .window_seconds = 900,
				       .tweets = r->tweets + atomic_load(&site->extra),
				       .retweets = r->retweets,
				       .users = r->users };
		if (row.window_start_ms >= from_ms && row.window_start_ms < to_ms &&
		    (!place.data || weir_bytes_equal(place, row.place)))
			fn(&row, user);
	}
	return true;
}

static uint64_t site_version(void *self)
{
	return atomic_load(&((struct site *)self)->version);
}

static int64_t site_now(void *user)
{
	return atomic_load(&((struct site *)user)->now_ms);
}

static inline void site_open(struct site *site, const struct made_up_row *rows, size_t count, const char *now)
{
	weir_error err = { 0 };

	*site = (struct site){ .rows = rows, .count = count };
	atomic_store(&site->version, 1);
	atomic_store(&site->now_ms, ms_of(now));
	site->source = (struct web_source){ site, site_rows, site_version, 900000 };
	struct web_opts opts = { .port = 0, .source = &site->source, .user = site, .now_ms = site_now };
	site->web = web_start(&opts, &err);
	if (!site->web)
		fail_msg("%s", err.message);
	site->port = web_port(site->web);
	assert_true(site->port > 0);
}

static inline void site_close(struct site *site)
{
	web_stop(site->web);
}

static inline int dial(int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { .tv_sec = 20 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

static inline void say(int fd, const char *text)
{
	/* the server may have said no and gone before all is written */
	(void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
}

struct answer {
	int status;
	char *head, *body; /* on the heap, in one piece */
	size_t body_len;
};

static inline void forget(struct answer *a)
{
	free(a->head);
	*a = (struct answer){ 0 };
}

/* Everything until the server closes. A status of 0: it closed without a word. */
static inline struct answer hear(int fd)
{
	size_t size = 1 << 16, len = 0;
	struct answer a = { .head = malloc(size) };

	for (ssize_t n; (n = recv(fd, a.head + len, size - len - 1, 0)) > 0;) {
		len += (size_t)n;
		if (size - len < 2)
			a.head = realloc(a.head, size *= 2);
	}
	close(fd);
	a.head[len] = '\0';
	char *split = strstr(a.head, "\r\n\r\n");
	if (split) {
		split[2] = '\0';
		a.body = split + 4;
		a.body_len = len - (size_t)(a.body - a.head);
		sscanf(a.head, "HTTP/1.1 %d", &a.status);
	}
	return a;
}

static inline struct answer ask(const struct site *site, const char *request)
{
	int fd = dial(site->port);

	say(fd, request);
	return hear(fd);
}

static inline struct answer get(const struct site *site, const char *path)
{
	char request[2000];

	snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
	return ask(site, request);
}

/* The parsed body of a call that must answer with `status`. */
static inline json_t *get_json(const struct site *site, const char *path, int status)
{
	struct answer a = get(site, path);
	json_error_t where;

	if (a.status != status)
		fail_msg("%s: status %d: %s", path, a.status, a.body ? a.body : "(nothing)");
	assert_non_null(strstr(a.head, "Content-Type: application/json; charset=utf-8\r\n"));
	json_t *json = json_loads(a.body, 0, &where);
	assert_non_null(json);
	forget(&a);
	return json;
}

static inline void pause_ms(int ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000L }, NULL);
}

#endif
