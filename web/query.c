#include "web/query.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <weir/config.h>
#include "schemas/post.h"
#include "web/text.h"

static const char *const metric_names[] = { "tweets", "retweets", "users" };

const char *web_metric_name(enum web_metric metric)
{
	return metric_names[metric];
}

bool web_metric_parse(const char *name, enum web_metric *metric)
{
	for (int i = 0; i < 3; i++)
		if (strcmp(name, metric_names[i]) == 0) {
			*metric = (enum web_metric)i;
			return true;
		}
	return false;
}

bool web_query_value(const char *query, const char *name, bool plus_is_space, char **value, weir_error *err)
{
	size_t name_len = strlen(name);

	*value = NULL;
	for (const char *p = query; *p;) {
		const char *end = p + strcspn(p, "&");
		if ((size_t)(end - p) > name_len && memcmp(p, name, name_len) == 0 && p[name_len] == '=') {
			struct web_text text = { 0 };
			const char *raw = p + name_len + 1;
			if (!web_url_decode(&text, weir_bytes_of(raw, (size_t)(end - raw)), plus_is_space)) {
				web_text_release(&text);
				return weir_fail(err, WEIR_USER, "%s: broken percent-encoding", name);
			}
			*value = text.data;
			return true;
		}
		p = *end ? end + 1 : end;
	}
	return true;
}

static int64_t floor_to(int64_t ms, int64_t step)
{
	int64_t rest = ms % step;

	return ms - (rest < 0 ? rest + step : rest);
}

void web_span_lay(struct web_span *span)
{
	span->first_ms = floor_to(span->at_ms - span->since_ms, span->window_ms);
	span->last_ms = floor_to(span->at_ms, span->window_ms);
	span->count = (size_t)((span->last_ms - span->first_ms) / span->window_ms) + 1;
}

static bool parse_at(char *text, int64_t *ms, weir_error *err)
{
	/* '+' was left as it came, the sign of an offset; after the date, a form puts it for a blank */
	if (strlen(text) > 10 && text[10] == '+')
		text[10] = 'T';
	if (time_parse_rfc3339(weir_str(text), ms))
		return true;
	return weir_fail(err, WEIR_USER, "at: want a moment like 2022-09-15T03:45:00Z, got \"%.64s\"", text);
}

static bool parse_since(const char *text, struct web_span *span, weir_error *err)
{
	if (!weir_parse_duration(text, &span->since_ms) || span->since_ms < 1)
		return weir_fail(err, WEIR_USER, "since: want a span like 15m, 6h or 1d, got \"%.64s\"", text);
	if (span->since_ms / span->window_ms > WEB_WINDOWS_MAX - 2)
		return weir_fail(err, WEIR_USER, "since: %.64s is over %d windows of %" PRId64 " s", text,
				 WEB_WINDOWS_MAX, span->window_ms / 1000);
	return true;
}

bool web_span_parse(const char *query, int64_t now_ms, int64_t window_ms, struct web_span *span, weir_error *err)
{
	char *at = NULL, *since = NULL;

	*span = (struct web_span){ .at_ms = now_ms, .since_ms = WEB_SINCE_DEFAULT_MS, .window_ms = window_ms };
	bool ok = web_query_value(query, "at", false, &at, err) &&
		  web_query_value(query, "since", false, &since, err) && (!at || parse_at(at, &span->at_ms, err)) &&
		  (!since || parse_since(since, span, err));
	span->live = !at;
	span->since_given = since != NULL;
	free(at);
	free(since);
	if (ok)
		web_span_lay(span);
	return ok;
}

bool web_query_metric(const char *query, enum web_metric standard, enum web_metric *metric, weir_error *err)
{
	char *text;

	*metric = standard;
	if (!web_query_value(query, "metric", true, &text, err))
		return false;
	bool ok = !text || web_metric_parse(text, metric) ||
		  weir_fail(err, WEIR_USER, "metric: want tweets, retweets or users, got \"%.64s\"", text);
	free(text);
	return ok;
}

bool web_query_n(const char *query, size_t *n, weir_error *err)
{
	char *text, *end;

	*n = WEB_RANK_DEFAULT;
	if (!web_query_value(query, "n", true, &text, err))
		return false;
	if (!text)
		return true;
	long value = *text >= '0' && *text <= '9' ? strtol(text, &end, 10) : 0;
	bool ok = (value >= 1 && value <= WEB_RANK_MAX && !*end) ||
		  weir_fail(err, WEIR_USER, "n: want a number from 1 to %d, got \"%.64s\"", WEB_RANK_MAX, text);
	free(text);
	*n = (size_t)value;
	return ok;
}
