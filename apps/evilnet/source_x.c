#include "apps/evilnet/source.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <weir/clock.h>
#include <weir/log.h>

#include "apps/evilnet/lines.h"
#include "apps/evilnet/util.h"
#include "apps/evilnet/x_backoff.h"
#include "apps/evilnet/x_http.h"
#include "apps/evilnet/x_rules.h"
#include "apps/evilnet/x_token.h"

#define RULES_PATH "/2/tweets/search/stream/rules"
#define STREAM_PATH \
	"/2/tweets/search/stream?tweet.fields=created_at,referenced_tweets" \
	"&place.fields=place_type,full_name,country_code&expansions=author_id,geo.place_id"

enum {
	HEARTBEAT_MS = 30000, /* X sends a byte every 20 s at least */
	CONNECT_MS = 10000,
	REQUEST_MS = 30000,
	RESET_MS_MAX = 86400000, /* a rate limit that is said to end later is not believed */
	ANSWER_BYTES_MAX = 1 << 20,
	LOG_EVERY_MS = 60000,
};

/*
 *   GET_RULES -> DELETE_RULES -> ADD_RULES -> STREAM     (a step without anything to do is left out)
 *
 * Each step is a request, made again after a wait until it is done; the stream is never done.
 */
enum step { GET_RULES, DELETE_RULES, ADD_RULES, STREAM };

struct source_x {
	struct source source;
	char *base; /* "https://api.x.com" */
	double time_scale;
	struct x_http *http;
	struct x_rules *rules;
	char *rules_page; /* token of the next page of rules, or NULL */
	struct x_backoff backoff;

	enum step step;
	bool running;        /* the step's request is under way */
	int64_t begin_ms;    /* when it may begin, if it is not */
	bool opened;         /* a stream has been asked for before */
	bool well;           /* this stream has brought something */
	int64_t byte_ms;     /* when the newest bytes came, */
	int64_t received_ms; /* and that as wall time */
	int64_t asked_ms;    /* when we last looked for some */
	struct lines lines;
	bool rest_due; /* the connection is gone: what stands behind the last line feed is due */
	char *answer;  /* to any other request, or to a stream that is refused */
	size_t answer_len;
	bool failed;
	weir_error failure;
	weir_log_limit trouble_limit, open_limit;
};

static int64_t now_ms(void)
{
	weir_clock *clock = weir_clock_system();

	return clock->monotonic_us(clock) / 1000;
}

static int64_t wall_ms(void)
{
	weir_clock *clock = weir_clock_system();

	return clock->wall_ms(clock);
}

static int64_t scaled(const struct source_x *x, int64_t ms)
{
	return (int64_t)((double)ms * x->time_scale);
}

/* --- what comes in -------------------------------------------------------------------------------------------- */

static void keep_answer(struct source_x *x, const void *data, size_t n)
{
	if (n > ANSWER_BYTES_MAX - x->answer_len)
		n = ANSWER_BYTES_MAX - x->answer_len;
	x->answer = evilnet_realloc(x->answer, x->answer_len + n + 1);
	memcpy(x->answer + x->answer_len, data, n);
	x->answer_len += n;
	x->answer[x->answer_len] = 0;
}

static void on_bytes(long status, const void *data, size_t n, void *user)
{
	struct source_x *x = user;

	x->byte_ms = now_ms();
	x->received_ms = wall_ms();
	if (x->step != STREAM || status != 200) {
		keep_answer(x, data, n);
		return;
	}
	if (!x->well)
		weir_log_limited(&x->open_limit, LOG_EVERY_MS, WEIR_LOG_INFO, "x",
				 "the stream is open reconnects=%" PRIu64, x->source.reconnects);
	x->well = true;
	x_backoff_reset(&x->backoff);
	lines_push(&x->lines, data, n);
}

/* --- how requests end ----------------------------------------------------------------------------------------- */

static void fail(struct source_x *x, const weir_error *why)
{
	x->failed = true;
	x->failure = *why;
}

static void wait_and_retry(struct source_x *x, int64_t wait_ms, const char *why)
{
	weir_log_limited(&x->trouble_limit, LOG_EVERY_MS, WEIR_LOG_WARN, "x",
			 "%s, the next try comes in %" PRId64 " ms reconnects=%" PRIu64, why, wait_ms,
			 x->source.reconnects);
	x->begin_ms = now_ms() + scaled(x, wait_ms);
}

static void trouble(struct source_x *x, enum x_trouble kind, const char *why)
{
	wait_and_retry(x, x_backoff_next_ms(&x->backoff, kind), why);
}

static void rate_limited(struct source_x *x, int64_t reset_ms)
{
	int64_t wait_ms = reset_ms - wall_ms();

	if (reset_ms >= 0 && wait_ms > 0 && wait_ms <= RESET_MS_MAX)
		wait_and_retry(x, wait_ms, "X limits the rate (HTTP 429) and says until when");
	else
		trouble(x, X_RATE_LIMITED, "X limits the rate (HTTP 429)");
}

static void refused(struct source_x *x, long status)
{
	weir_error err;
	const char *hint =
		status == 401   ? "the bearer token is not accepted (EVILNET_BEARER_TOKEN, evilnet.token.file)"
		: status == 403 ? "this token may not use the filtered stream"
				: "this is not what X's filtered stream answers (evilnet.x.url, evilnet.rules)";

	weir_fail(&err, WEIR_IO, "%s: HTTP %ld: %s%s%.200s", x->base, status, hint, x->answer_len ? ": " : "",
		  x->answer_len ? x->answer : "");
	fail(x, &err);
}

/* The answer is there and good: on to the next step that has something to do. */
static void step_done(struct source_x *x)
{
	weir_bytes answer = weir_bytes_of(x->answer_len ? x->answer : "", x->answer_len);
	weir_error err;

	if (x->step == GET_RULES) {
		free(x->rules_page);
		if (!x_rules_take_present(x->rules, answer, &x->rules_page, &err)) {
			trouble(x, X_SERVER, err.message);
			return;
		}
		if (!x->rules_page)
			x->step = DELETE_RULES;
	} else if (x->step == DELETE_RULES) {
		x->step = ADD_RULES;
	} else if (x->step == ADD_RULES) {
		if (!x_rules_check_added(answer, &err))
			fail(x, &err);
		x->step = STREAM;
	}
	x_backoff_reset(&x->backoff);
}

static void ended(struct source_x *x, const struct x_http_result *result)
{
	long status = result->status;
	char why[300];

	x->running = false;
	x->rest_due = x->step == STREAM;
	if (result->error[0] || status == 0) {
		snprintf(why, sizeof why, "no connection: %s", result->error);
		trouble(x, X_NETWORK, why);
	} else if (x->step == STREAM && status == 200) {
		trouble(x, X_NETWORK, "X has ended the stream");
	} else if (status == 200 || status == 201) {
		step_done(x);
	} else if (status == 429 || status == 420) {
		rate_limited(x, result->reset_ms);
	} else if (status >= 500 || status == 408 || status == 425) {
		snprintf(why, sizeof why, "X is in trouble (HTTP %ld)", status);
		trouble(x, X_SERVER, why);
	} else {
		refused(x, status);
	}
}

/* --- how they begin ------------------------------------------------------------------------------------------- */

/* The body of the step's request; NULL: none, or *skip: there is nothing to do. */
static char *body_of_step(const struct source_x *x, bool *skip)
{
	char *body = x->step == DELETE_RULES ? x_rules_delete_body(x->rules)
		     : x->step == ADD_RULES  ? x_rules_add_body(x->rules)
					     : NULL;

	*skip = !body && (x->step == DELETE_RULES || x->step == ADD_RULES);
	return body;
}

static char *url_of_step(const struct source_x *x)
{
	size_t size = strlen(x->base) + sizeof STREAM_PATH + (x->rules_page ? strlen(x->rules_page) : 0) + 100;
	char *url = evilnet_malloc(size);
	bool page = x->step == GET_RULES && x->rules_page;

	snprintf(url, size, "%s%s%s%s", x->base, x->step == STREAM ? STREAM_PATH : RULES_PATH,
		 page ? "?pagination_token=" : "", page ? x->rules_page : "");
	return url;
}

static void begin(struct source_x *x)
{
	weir_error err;
	bool skip;
	char *body = body_of_step(x, &skip);

	while (skip) {
		x->step++;
		body = body_of_step(x, &skip);
	}
	char *url = url_of_step(x);
	struct x_http_request request = {
		.url = url,
		.body = body,
		.connect_timeout_ms = CONNECT_MS,
		.timeout_ms = x->step == STREAM ? 0 : REQUEST_MS,
	};
	x->answer_len = 0;
	x->well = false;
	x->byte_ms = x->asked_ms = now_ms();
	x->source.reconnects += x->step == STREAM && x->opened;
	x->opened |= x->step == STREAM;
	x->running = x_http_begin(x->http, &request, &err);
	if (!x->running)
		fail(x, &err);
	free(body);
	free(url);
}

static void turn(struct source_x *x, int64_t wait_ms)
{
	struct x_http_result result;

	if (x_http_turn(x->http, wait_ms, &result)) {
		ended(x, &result);
	} else if (x->step == STREAM && now_ms() - x->byte_ms > scaled(x, HEARTBEAT_MS)) {
		x_http_cancel(x->http);
		x->running = false;
		x->rest_due = true;
		trouble(x, X_NETWORK, "no heartbeat for 30 s");
	}
}

/* --- the source ----------------------------------------------------------------------------------------------- */

static bool take_line(struct source_x *x, struct source_item *item)
{
	struct line line;
	bool cut = false, found = lines_next(&x->lines, &line);

	if (!found && x->rest_due) {
		x->rest_due = false;
		found = cut = lines_rest(&x->lines, &line);
	}
	if (found)
		*item = (struct source_item){
			.raw = line.text,
			.raw_length = line.length,
			.cut = cut,
			.received_ms = x->received_ms,
		};
	return found;
}

/* While Kafka holds everything up, nobody looks for bytes: that is no silence of X's. */
static void excuse_absence(struct source_x *x)
{
	int64_t now = now_ms();

	if (now - x->asked_ms > scaled(x, HEARTBEAT_MS) / 2)
		x->byte_ms = now;
	x->asked_ms = now;
}

static enum source_result x_next(struct source *s, int64_t wait_ms, struct source_item *item, weir_error *err)
{
	struct source_x *x = (struct source_x *)s;

	for (bool waited = false;; waited = true) {
		if (take_line(x, item))
			return SOURCE_ITEM;
		if (x->failed) {
			*err = x->failure;
			return SOURCE_FAILED;
		}
		if (waited)
			return SOURCE_NOTHING;
		excuse_absence(x);
		int64_t early_ms = x->running ? 0 : x->begin_ms - now_ms();
		if (early_ms > 0) {
			int64_t ms = early_ms < wait_ms ? early_ms : wait_ms;
			nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
			continue;
		}
		if (!x->running)
			begin(x);
		if (x->running)
			turn(x, wait_ms);
	}
}

static void x_close(struct source *s)
{
	struct source_x *x = (struct source_x *)s;

	x_http_free(x->http);
	x_rules_free(x->rules);
	lines_release(&x->lines);
	free(x->rules_page);
	free(x->answer);
	free(x->base);
	free(x);
}

static char *base_url(const weir_config *cfg)
{
	const char *url = weir_config_string(cfg, "evilnet.x.url");
	size_t n = strlen(url);

	while (n && url[n - 1] == '/')
		n--;
	if (strncmp(url, "http://", 7) == 0 && strncmp(url, "http://127.0.0.1", 16) != 0 &&
	    strncmp(url, "http://localhost", 16) != 0)
		weir_log(WEIR_LOG_WARN, "x", "the bearer token goes over the network in clear url=%s", url);
	return evilnet_strndup(url, n);
}

struct source *source_x_open(const weir_config *cfg, double time_scale, weir_error *err)
{
	static const struct source_ops ops = { x_next, x_close };
	char *token = x_token_read(cfg, err);
	struct x_rules *rules = token ? x_rules_new(weir_config_string(cfg, "evilnet.rules"), err) : NULL;
	struct source_x *x = NULL;

	if (rules) {
		x = evilnet_new(sizeof *x);
		x->source.ops = &ops;
		x->base = base_url(cfg);
		x->time_scale = time_scale;
		x->rules = rules;
		x->http = x_http_new(token, on_bytes, x);
	}
	x_token_free(token);
	return x ? &x->source : NULL;
}
