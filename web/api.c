#include <stdlib.h>
#include <string.h>

#include "schemas/post.h"
#include "web/json.h"
#include "web/server.h"
#include "web/text.h"

static bool span_of(const struct web_request *rq, struct web_span *span, weir_error *err)
{
	return web_span_parse(rq->query, web_now_ms(rq->web), rq->web->opts.source->window_ms, span, err);
}

/* Collects what the query asks for; false: the request has been answered, with *status. */
static bool collect(const struct web_request *rq, struct web_collect_opts opts, struct web_cities *cities,
		    int *status)
{
	struct web_span span;
	weir_error err = { 0 };

	if (!span_of(rq, &span, &err)) {
		*status = web_reply_error(rq, 400, err.message);
		return false;
	}
	if (!web_collect(rq->web->opts.source, &span, &opts, cities, &err)) {
		*status = web_reply_away(rq, &err);
		return false;
	}
	return true;
}

static int cities(const struct web_request *rq)
{
	struct web_cities found;
	int status;

	if (!collect(rq, (struct web_collect_opts){ 0 }, &found, &status))
		return status;
	status = web_reply_json(rq, 200, web_json_cities(&found));
	web_cities_release(&found);
	return status;
}

static int rank(const struct web_request *rq, enum web_metric metric, bool least_first)
{
	struct web_cities found;
	weir_error err = { 0 };
	size_t n;
	int status;

	if (!web_query_metric(rq->query, metric, &metric, &err) || !web_query_n(rq->query, &n, &err))
		return web_reply_error(rq, 400, err.message);
	if (!collect(rq, (struct web_collect_opts){ 0 }, &found, &status))
		return status;
	status = web_reply_json(rq, 200, web_json_rank(&found, metric, least_first, n));
	web_cities_release(&found);
	return status;
}

static int trend(const struct web_request *rq, weir_bytes place, enum web_metric metric)
{
	struct web_cities found;
	weir_error err = { 0 };
	bool known = true;
	int status;

	struct web_collect_opts opts = { .only = place, .focus = place, .series = WEB_SERIES_ONE };
	if (!collect(rq, opts, &found, &status))
		return status;
	if (!web_cities_find(&found, place) &&
	    !web_place_known(rq->web->opts.source, place, INT64_MAX, &known, &err))
		status = web_reply_away(rq, &err);
	else if (!known)
		status = web_reply_error(rq, 404, "there are no posts from this place");
	else
		status = web_reply_json(rq, 200, web_json_trend(&found, place, metric));
	web_cities_release(&found);
	return status;
}

/* /api/cities/<city>/<metric>; a city may have a slash in its name, so the last one counts. */
static int city(const struct web_request *rq, const char *rest)
{
	const char *slash = strrchr(rest, '/');
	struct web_text place = { 0 };
	enum web_metric metric;
	int status;

	if (!slash || slash == rest || !web_metric_parse(slash + 1, &metric))
		return web_reply_error(rq, 404, "want /api/cities/<city>/tweets, retweets or users");
	if (!web_url_decode(&place, weir_bytes_of(rest, (size_t)(slash - rest)), false) ||
	    utf8_length(weir_bytes_of(place.data, place.len)) == SIZE_MAX)
		status = web_reply_error(rq, 400, "the city's name is not percent-encoded UTF-8");
	else
		status = trend(rq, weir_bytes_of(place.data, place.len), metric);
	web_text_release(&place);
	return status;
}

char *web_snapshot(const struct web_source *source, const struct web_span *span, weir_bytes focus, weir_error *err)
{
	struct web_collect_opts opts = { .focus = focus, .series = WEB_SERIES_ALL };
	struct web_cities found;
	char *json = NULL;
	bool known = true;

	if (span->count > WEB_SPARKLINE_WINDOWS_MAX)
		opts.series = focus.data ? WEB_SERIES_ONE : WEB_SERIES_NONE;
	if (!web_collect(source, span, &opts, &found, err))
		return NULL;
	if (!focus.data || web_cities_find(&found, focus) || web_place_known(source, focus, INT64_MAX, &known, err))
		json = web_json_snapshot(&found, focus, known);
	web_cities_release(&found);
	return json;
}

bool web_query_focus(const struct web_request *rq, char **place, weir_error *err)
{
	if (!web_query_value(rq->query, "place", true, place, err))
		return false;
	if (!*place || utf8_length(weir_str(*place)) != SIZE_MAX)
		return true;
	free(*place);
	*place = NULL;
	return weir_fail(err, WEIR_USER, "place: not UTF-8");
}

static int snapshot(const struct web_request *rq)
{
	struct web_span span;
	weir_error err = { 0 };
	char *place;

	if (!span_of(rq, &span, &err) || !web_query_focus(rq, &place, &err))
		return web_reply_error(rq, 400, err.message);
	char *json = web_snapshot(rq->web->opts.source, &span, weir_str(place), &err);
	free(place);
	if (!json)
		return web_reply_away(rq, &err);
	char *whole = web_json_at(json, span.at_ms);
	free(json);
	return web_reply_json(rq, 200, whole);
}

int web_api(const struct web_request *rq)
{
	const char *path = rq->path + strlen("/api/");

	if (strcmp(path, "cities") == 0)
		return cities(rq);
	if (strncmp(path, "cities/", 7) == 0)
		return city(rq, path + 7);
	if (strcmp(path, "top") == 0)
		return rank(rq, WEB_TWEETS, false);
	if (strcmp(path, "worst") == 0)
		return rank(rq, WEB_RETWEETS, true);
	if (strcmp(path, "snapshot") == 0)
		return snapshot(rq);
	return web_reply_error(rq, 404,
			       "no such call; there are /api/cities, /api/cities/<city>/<metric>, /api/top, "
			       "/api/worst, /api/snapshot and /api/live");
}
