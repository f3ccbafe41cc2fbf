/*
 * The pages, complete with the numbers of the moment, so that they say something without a script; with one,
 * evilnet.js takes over from there.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schemas/post.h"
#include "web/collect.h"
#include "web/fragments.h"
#include "web/server.h"
#include "web/template.h"

#define EMPTY "Not a peep. Either everyone is asleep, or nothing feeds the topic."
#define WAITING "No numbers yet."
#define RANK_KEY \
	"<p class=\"keys\"><span class=\"key tweets pale\">Tweets</span> " \
	"<span class=\"key retweets\">Retweets among them</span></p>"

struct page {
	const struct web_request *rq;
	struct web_span span;
	struct web_cities cities;
	bool away;
	char *link; /* "?at=...&since=...", as far as they were given */
};

static int send(const struct page *page, int status, const struct web_slot *own, size_t count)
{
	struct web_slot slots[24] = { 0 };
	struct web_text when = { 0 }, html = { 0 }, at = { 0 }, since = { 0 };

	weir_assert(count + 3 < sizeof slots / sizeof *slots);
	memcpy(slots, own, count * sizeof *own);
	web_html_when(&when, page->rq->path, &page->span);
	if (!page->span.live)
		web_html_moment(&at, page->span.at_ms);
	if (page->span.since_given)
		web_html_duration(&since, page->span.since_ms);
	slots[count] = (struct web_slot){ "when", status == 200 ? when.data : NULL };
	slots[count + 1] = (struct web_slot){ "at", at.data };
	slots[count + 2] = (struct web_slot){ "since", since.data };
	web_template(&html, "page.html", slots);
	web_reply(page->rq, status, "text/html; charset=utf-8", html.data, html.len, NULL);
	web_text_release(&when);
	web_text_release(&html);
	web_text_release(&at);
	web_text_release(&since);
	return status;
}

static int send_error(const struct page *page, int status, const char *heading, const char *message)
{
	struct web_text main = { 0 }, safe = { 0 };

	web_text_html(&safe, weir_str(message));
	web_template(&main, "error.html",
		     (struct web_slot[]){ { "heading", heading }, { "message", safe.data }, { NULL } });
	struct web_slot slots[] = {
		{ "title", "EvilNet" }, { "page", "error" }, { "main", main.data }, { "place" },
		{ "metric" },           { "link" },          { "on_front" },        { "on_top" },
		{ "on_worst" },
	};
	send(page, status, slots, sizeof slots / sizeof *slots);
	web_text_release(&main);
	web_text_release(&safe);
	return status;
}

int web_page_error(const struct web_request *rq, int status, const char *message)
{
	struct page page = { .rq = rq, .span = { .window_ms = 1, .live = true } };

	return send_error(&page, status, status == 404 ? "Nothing to see here" : "That was not understood",
			  message);
}

static int send_front(struct page *page)
{
	const struct web_cities *cities = &page->cities;
	struct web_text main = { 0 }, rows = { 0 }, top = { 0 }, worst = { 0 }, points = { 0 }, window = { 0 };
	char tweets[32] = "–", retweets[32] = "–", active[32] = "–";

	if (!page->away) {
		web_number(tweets, cities->whole.by[WEB_TWEETS]);
		web_number(retweets, cities->whole.by[WEB_RETWEETS]);
		web_number(active, (int64_t)cities->active);
	}
	web_html_rows(&rows, cities, page->link);
	web_html_rank(&top, cities, WEB_TWEETS, false, page->link);
	web_html_rank(&worst, cities, WEB_RETWEETS, true, page->link);
	web_html_points(&points, &page->span, cities->windows, WEB_TWEETS, true);
	web_html_duration_words(&window, page->span.window_ms);
	web_template(&main, "front.html",
		     (struct web_slot[]){ { "tweets", tweets },
					  { "retweets", retweets },
					  { "cities", active },
					  { "rows", rows.data },
					  { "top", top.data },
					  { "worst", worst.data },
					  { "points", points.data },
					  { "window", window.data },
					  { "link", page->link },
					  { "empty", page->away ? WAITING : EMPTY },
					  { "empty_hidden", cities->active ? " hidden" : "" },
					  { NULL } });
	struct web_slot slots[] = {
		{ "title", "EvilNet" },
		{ "page", "front" },
		{ "main", main.data },
		{ "place" },
		{ "metric" },
		{ "link", page->link },
		{ "on_front", " aria-current=\"page\"" },
		{ "on_top" },
		{ "on_worst" },
	};
	send(page, 200, slots, sizeof slots / sizeof *slots);
	web_text_release(&main);
	web_text_release(&rows);
	web_text_release(&top);
	web_text_release(&worst);
	web_text_release(&points);
	web_text_release(&window);
	return 200;
}

static int send_rank(struct page *page, bool worst)
{
	const struct web_cities *cities = &page->cities;
	struct web_text main = { 0 }, list = { 0 };
	const char *name = worst ? "worst" : "top", *heading = worst ? "Worst five" : "Top five";

	web_html_rank(&list, cities, worst ? WEB_RETWEETS : WEB_TWEETS, worst, page->link);
	web_template(
		&main, "rank.html",
		(struct web_slot[]){
			{ "heading", heading },
			{ "page", name },
			{ "metric", worst ? "retweets" : "tweets" },
			{ "measure", worst ? "fewest retweets" : "most tweets" },
			{ "lead", worst ? "They talk; nobody passes it on." : "The loudest rooms in the house." },
			{ "key", worst ? RANK_KEY : NULL },
			{ "caption", worst ? "What they tweeted meanwhile" : "The five against each other" },
			{ "rule",
			  worst ? "Counted among cities with at least one tweet in the time shown, those without "
				  "any retweet included; equals by name."
				: "Equals by name." },
			{ "list", list.data },
			{ "empty", page->away ? WAITING : EMPTY },
			{ "empty_hidden", cities->active ? " hidden" : "" },
			{ NULL } });
	struct web_slot slots[] = {
		{ "title", worst ? "Worst five · EvilNet" : "Top five · EvilNet" },
		{ "page", name },
		{ "main", main.data },
		{ "place" },
		{ "metric", worst ? "retweets" : "tweets" },
		{ "link", page->link },
		{ "on_front" },
		{ "on_top", worst ? NULL : " aria-current=\"page\"" },
		{ "on_worst", worst ? " aria-current=\"page\"" : NULL },
	};
	send(page, 200, slots, sizeof slots / sizeof *slots);
	web_text_release(&main);
	web_text_release(&list);
	return 200;
}

static const char *const trend_titles[] = { "Tweets", "Retweets", "Users" };
static const char *const sum_titles[] = { "Tweets in all", "Retweets in all", "Users at the busiest time" };

static void trend_main(struct web_text *main, const struct page *page, weir_bytes place, enum web_metric metric)
{
	const struct web_city *city = web_cities_find(&page->cities, place);
	struct web_text name = { 0 }, url = { 0 }, points = { 0 }, caption = { 0 };
	char sum[32] = "–", newest[32] = "–";

	if (!page->away) {
		web_number(sum, city ? city->whole.by[metric] : 0);
		web_number(newest, city ? city->windows[page->span.count - 1].by[metric] : 0);
	}
	web_text_html(&name, place);
	web_text_url(&url, place);
	web_html_points(&points, &page->span, city ? city->windows : NULL, metric, false);
	web_text_format(&caption, "%s by ", trend_titles[metric]);
	web_html_duration_words(&caption, page->span.window_ms);
	web_text_puts(&caption, " window");
	const char *current = " aria-current=\"page\"";
	web_template(main, "trend.html",
		     (struct web_slot[]){ { "name", name.data },
					  { "url", url.data },
					  { "link", page->link },
					  { "metric", web_metric_name(metric) },
					  { "column", trend_titles[metric] },
					  { "on_tweets", metric == WEB_TWEETS ? current : NULL },
					  { "on_retweets", metric == WEB_RETWEETS ? current : NULL },
					  { "on_users", metric == WEB_USERS ? current : NULL },
					  { "sum_title", sum_titles[metric] },
					  { "sum", sum },
					  { "newest", newest },
					  { "caption", caption.data },
					  { "points", points.data },
					  { NULL } });
	web_text_release(&name);
	web_text_release(&url);
	web_text_release(&points);
	web_text_release(&caption);
}

static int send_trend(struct page *page, weir_bytes place, enum web_metric metric)
{
	struct web_text main = { 0 }, title = { 0 }, name = { 0 };

	web_text_html(&name, place);
	web_text_format(&title, "%s: %s · EvilNet", name.data, trend_titles[metric]);
	trend_main(&main, page, place, metric);
	struct web_slot slots[] = {
		{ "title", title.data },
		{ "page", "trend" },
		{ "main", main.data },
		{ "place", name.data },
		{ "metric", web_metric_name(metric) },
		{ "link", page->link },
		{ "on_front" },
		{ "on_top" },
		{ "on_worst" },
	};
	send(page, 200, slots, sizeof slots / sizeof *slots);
	web_text_release(&main);
	web_text_release(&title);
	web_text_release(&name);
	return 200;
}

/* The moment, the span and the rows, which every page needs. False: the request has been answered. */
static bool open_page(struct page *page, const struct web_collect_opts *opts)
{
	const struct web_source *source = page->rq->web->opts.source;
	struct web_text link = { 0 };
	weir_error err = { 0 };

	if (!web_span_parse(page->rq->query, web_now_ms(page->rq->web), source->window_ms, &page->span, &err)) {
		web_page_error(page->rq, 400, err.message);
		return false;
	}
	web_html_link(&link, &page->span, !page->span.live, page->span.since_given);
	page->link = link.data;
	page->away = !web_collect(source, &page->span, opts, &page->cities, &err);
	if (page->away)
		web_log_away(&err);
	return true;
}

static void close_page(struct page *page)
{
	web_cities_release(&page->cities);
	free(page->link);
}

static int trend(const struct web_request *rq, weir_bytes place, enum web_metric metric)
{
	struct page page = { .rq = rq };
	struct web_collect_opts opts = { .only = place, .focus = place, .series = WEB_SERIES_ONE };
	weir_error err = { 0 };
	bool known = true;

	if (!open_page(&page, &opts))
		return 400;
	if (!page.away && !web_cities_find(&page.cities, place))
		page.away = !web_place_known(rq->web->opts.source, place, INT64_MAX, &known, &err);
	struct web_text message = { 0 };
	web_text_format(&message,
			"No posts from \xE2\x80\x9C%s\xE2\x80\x9D are kept. Names are exact: Montréal and Montreal "
			"are two cities here.",
			(const char *)place.data);
	int status = known || page.away ? send_trend(&page, place, metric)
					: send_error(&page, 404, "Nobody has heard of it", message.data);
	web_text_release(&message);
	close_page(&page);
	return status;
}

/* /metrics/<metric>/<city>; false: the path is none of these. */
static bool trend_path(const char *path, enum web_metric *metric, struct web_text *place)
{
	for (*metric = WEB_TWEETS; *metric <= WEB_USERS; (*metric)++) {
		const char *name = web_metric_name(*metric);
		size_t len = strlen(name);
		if (strncmp(path, name, len) == 0 && path[len] == '/' && path[len + 1])
			return web_url_decode(place, weir_str(path + len + 1), false) &&
			       utf8_length(weir_bytes_of(place->data, place->len)) != SIZE_MAX;
	}
	return false;
}

int web_page(const struct web_request *rq)
{
	static const struct web_collect_opts all = { .series = WEB_SERIES_NONE };
	struct page page = { .rq = rq };
	struct web_text place = { 0 };
	enum web_metric metric;
	int status;

	if (strncmp(rq->path, "/metrics/", 9) == 0) {
		status = trend_path(rq->path + 9, &metric, &place)
				 ? trend(rq, weir_bytes_of(place.data, place.len), metric)
				 : web_page_error(rq, 404,
						  "Try /metrics/tweets/, /metrics/retweets/ or /metrics/users/ and "
						  "a city's name.");
		web_text_release(&place);
		return status;
	}
	bool front = strcmp(rq->path, "/") == 0, top = strcmp(rq->path, "/topfive") == 0;
	if (!front && !top && strcmp(rq->path, "/worstfive") != 0)
		return web_page_error(rq, 404, "There is no page of that name.");
	if (!open_page(&page, &all))
		return 400;
	status = front ? send_front(&page) : send_rank(&page, !top);
	close_page(&page);
	return status;
}
