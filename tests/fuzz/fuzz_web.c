/*
 * A request to the dashboard: path and query, as CivetWeb hands them over, answered from rows whose places are
 * hostile as well. The answer must be whole: JSON that can be read, HTML in which no text from outside is markup.
 */
#include <civetweb.h>
#include <jansson.h>

#include "schemas/post.h"
#include "tests/fuzz/fuzz.h"
#include "web/server.h"
#include "web/text.h"

/* What was sent; in the place of CivetWeb's own, which wants a socket. */
static struct web_text sent;

int mg_write(struct mg_connection *conn, const void *data, size_t len)
{
	(void)conn;
	web_text_add(&sent, data, len);
	return (int)len;
}

#define NOW_MS INT64_C(1663211185000)
#define WINDOW_MS INT64_C(900000)

static int64_t now_ms(void *user)
{
	(void)user;
	return NOW_MS;
}

static weir_bytes place; /* of some of the rows: from the input */

static bool rows(void *self, weir_bytes only, int64_t from_ms, int64_t to_ms, web_row_fn *fn, void *user,
		 weir_error *err)
{
	const weir_bytes places[] = { weir_str("Montreal, Quebec"), weir_str("<i>&\"'"), place };

	(void)self, (void)err;
	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		for (int w = -2; w < 3; w++) {
			struct web_row row = { .place = places[i],
					       .window_start_ms = NOW_MS / WINDOW_MS * WINDOW_MS + w * WINDOW_MS,
					       .window_seconds = WINDOW_MS / 1000,
					       .tweets = i ? INT64_MAX / 16 : 3,
					       .retweets = (int64_t)i,
					       .users = 2 };

			if (row.window_start_ms >= from_ms && row.window_start_ms < to_ms &&
			    (weir_is_null(only) || weir_bytes_equal(only, row.place)))
				fn(&row, user);
		}
	return true;
}

static const struct web_source source = { .rows = rows, .window_ms = WINDOW_MS };
static struct web web = { .opts = { .source = &source, .now_ms = now_ms } };

static void check_answer(const char *path)
{
	const char *type = strstr(sent.data, "Content-Type: "), *body = strstr(sent.data, "\r\n\r\n");

	weir_assert(strncmp(sent.data, "HTTP/1.1 ", 9) == 0 && type && body && type < body);
	type += strlen("Content-Type: ");
	body += 4;
	if (strncmp(type, "application/json", 16) == 0) {
		json_t *json = json_loads(body, 0, NULL);

		weir_assert(json);
		json_decref(json);
	} else if (strncmp(type, "text/html", 9) == 0) {
		weir_assert(!strstr(body, "<i>&") && !strstr(body, "<fuzz"));
		weir_assert(utf8_length(weir_str(body)) != SIZE_MAX);
	}
	(void)path;
}

static void request(const char *path, const char *query, bool head)
{
	struct web_request rq = { .web = &web, .path = path, .query = query, .head = head };

	sent.len = 0;
	int status = web_route(&rq);

	weir_assert(status >= 200 && status < 600);
	if (!head)
		check_answer(path);
}

/* Path, query and a place, parted by line feeds: a path or a query has none. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = feed_string(weir_bytes_of(data, size));
	char *query = text + strcspn(text, "\n");
	char *rest = query + (*query ? 1 + strcspn(query + 1, "\n") : 0);

	if (*rest)
		*rest++ = 0;
	if (*query)
		*query++ = 0;
	place = utf8_length(weir_str(rest)) == SIZE_MAX ? weir_str("?") : weir_str(rest);
	bool live = strcmp(text, "/api/live") == 0; /* has no end: its parameters alone */
	request(text, query, true);
	if (!live && strcmp(text, "/metrics") != 0)
		request(text, query, false);
	free(text);
	return 0;
}
