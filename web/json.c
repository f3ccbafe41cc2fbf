#include "web/json.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "schemas/post.h"
#include "web/text.h"

static json_t *text_of(weir_bytes raw)
{
	struct web_text clean = { 0 };

	web_text_utf8(&clean, raw);
	json_t *text = json_stringn(clean.data, clean.len);
	web_text_release(&clean);
	return text;
}

static json_t *time_of(int64_t ms)
{
	char buf[40];

	time_format_rfc3339(ms, buf, sizeof buf);
	return json_string(buf);
}

static void set(json_t *object, const char *key, json_t *value)
{
	json_object_set_new(object, key, value);
}

static void set_count(json_t *object, const struct web_counts *counts, enum web_metric metric)
{
	set(object, web_metric_name(metric), json_integer(counts->by[metric]));
}

static char *dump(json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	weir_assert(text); /* all strings are valid UTF-8 by now */
	json_decref(json);
	return text;
}

static json_t *city_json(const struct web_city *city)
{
	json_t *json = json_object();

	set(json, "place", text_of(city->place));
	set_count(json, &city->whole, WEB_TWEETS);
	set_count(json, &city->whole, WEB_RETWEETS);
	set_count(json, &city->whole, WEB_USERS);
	return json;
}

char *web_json_cities(const struct web_cities *cities)
{
	json_t *json = json_object(), *list = json_array();

	for (size_t i = 0; i < cities->count; i++)
		if (cities->city[i].whole.by[WEB_TWEETS] > 0)
			json_array_append_new(list, city_json(&cities->city[i]));
	set(json, "at", time_of(cities->span.at_ms));
	set(json, "cities", list);
	return dump(json);
}

static int64_t start_of(const struct web_span *span, size_t window)
{
	return span->first_ms + (int64_t)window * span->window_ms;
}

static void set_window_seconds(json_t *json, const struct web_span *span)
{
	set(json, "window_seconds", json_integer(span->window_ms / 1000));
}

char *web_json_trend(const struct web_cities *cities, weir_bytes place, enum web_metric metric)
{
	const struct web_city *city = web_cities_find(cities, place);
	json_t *json = json_object(), *points = json_array();

	for (size_t w = 0; w < cities->span.count; w++) {
		json_t *point = json_object();
		set(point, "time", time_of(start_of(&cities->span, w)));
		set(point, "value", json_integer(city && city->windows ? city->windows[w].by[metric] : 0));
		json_array_append_new(points, point);
	}
	set(json, "place", text_of(place));
	set(json, "metric", json_string(web_metric_name(metric)));
	set_window_seconds(json, &cities->span);
	set(json, "points", points);
	return dump(json);
}

static json_t *rank_json(const struct web_cities *cities, enum web_metric metric, bool least_first, size_t n)
{
	const struct web_city **ranked;
	size_t count = web_cities_rank(cities, metric, least_first, n, &ranked);
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		json_t *entry = json_object();
		set(entry, "place", text_of(ranked[i]->place));
		set(entry, "value", json_integer(ranked[i]->whole.by[metric]));
		json_array_append_new(list, entry);
	}
	free(ranked);
	return list;
}

char *web_json_rank(const struct web_cities *cities, enum web_metric metric, bool least_first, size_t n)
{
	json_t *json = json_object();

	set(json, "metric", json_string(web_metric_name(metric)));
	set(json, "places", rank_json(cities, metric, least_first, n));
	return dump(json);
}

static json_t *points_json(const struct web_span *span, const struct web_counts *windows, bool users)
{
	static const struct web_counts none;
	json_t *points = json_array();

	for (size_t w = 0; w < span->count; w++) {
		const struct web_counts *counts = windows ? &windows[w] : &none;
		json_t *point = json_object();
		set(point, "time", time_of(start_of(span, w)));
		set_count(point, counts, WEB_TWEETS);
		set_count(point, counts, WEB_RETWEETS);
		if (users)
			set_count(point, counts, WEB_USERS);
		json_array_append_new(points, point);
	}
	return points;
}

static json_t *sparkline_json(const struct web_cities *cities, const struct web_city *city)
{
	json_t *values = json_array();

	for (size_t w = 0; w < cities->span.count; w++)
		json_array_append_new(values, json_integer(city->windows[w].by[WEB_TWEETS]));
	return values;
}

static json_t *focus_json(const struct web_cities *cities, weir_bytes place, bool known)
{
	const struct web_city *city = web_cities_find(cities, place);
	json_t *json = json_object();

	set(json, "place", text_of(place));
	set(json, "known", json_boolean(known));
	set(json, "points", points_json(&cities->span, city ? city->windows : NULL, true));
	return json;
}

char *web_json_snapshot(const struct web_cities *cities, weir_bytes focus, bool known)
{
	json_t *json = json_object(), *list = json_array(), *total = json_object();

	for (size_t i = 0; i < cities->count; i++) {
		const struct web_city *city = &cities->city[i];
		if (city->whole.by[WEB_TWEETS] == 0)
			continue;
		json_t *entry = city_json(city);
		if (city->windows && cities->span.count <= WEB_SPARKLINE_WINDOWS_MAX)
			set(entry, "trend", sparkline_json(cities, city));
		json_array_append_new(list, entry);
	}
	set_count(total, &cities->whole, WEB_TWEETS);
	set_count(total, &cities->whole, WEB_RETWEETS);
	set(total, "cities", json_integer((json_int_t)cities->active));
	set(json, "live", json_boolean(cities->span.live));
	set(json, "since_seconds", json_integer(cities->span.since_ms / 1000));
	set_window_seconds(json, &cities->span);
	set(json, "total", total);
	set(json, "points", points_json(&cities->span, cities->windows, false));
	set(json, "cities", list);
	set(json, "top", rank_json(cities, WEB_TWEETS, false, WEB_RANK_DEFAULT));
	set(json, "worst", rank_json(cities, WEB_RETWEETS, true, WEB_RANK_DEFAULT));
	if (focus.data)
		set(json, "focus", focus_json(cities, focus, known));
	return dump(json);
}

char *web_json_at(const char *snapshot, int64_t at_ms)
{
	struct web_text text = { 0 };
	char buf[40];

	time_format_rfc3339(at_ms, buf, sizeof buf);
	web_text_format(&text, "{\"at\":\"%s\",%s", buf, snapshot + 1);
	return text.data;
}

char *web_json_error(const char *message)
{
	json_t *json = json_object();

	set(json, "error", text_of(weir_str(message)));
	return dump(json);
}
