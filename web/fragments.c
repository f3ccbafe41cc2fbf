#include "web/fragments.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "schemas/post.h"
#include "web/template.h"

#define ROWS_MAX 100 /* in the page itself; evilnet.js shows the rest */

void web_number(char buf[32], int64_t value)
{
	char digits[24];
	int len = snprintf(digits, sizeof digits, "%" PRId64, value), to = 0;

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0 && digits[i - 1] != '-')
			buf[to++] = ',';
		buf[to++] = digits[i];
	}
	buf[to] = '\0';
}

void web_html_moment(struct web_text *t, int64_t ms)
{
	char buf[40];

	time_format_rfc3339(ms, buf, sizeof buf);
	web_text_puts(t, buf);
}

/* <time> with what a reader without a script sees; with one it turns into the viewer's own zone */
static void html_time(struct web_text *t, int64_t ms)
{
	char buf[40];

	time_format_rfc3339(ms, buf, sizeof buf);
	web_text_format(t, "<time datetime=\"%s\">%.10s %.5s UTC</time>", buf, buf, buf + 11);
}

struct unit {
	int64_t ms;
	const char *letter, *word;
};

static const struct unit units[] = {
	{ 86400000, "d", "day" }, { 3600000, "h", "hour" },   { 60000, "m", "minute" },
	{ 1000, "s", "second" },  { 1, "ms", "millisecond" },
};

static const struct unit *unit_of(int64_t ms)
{
	const struct unit *u = units;

	while (ms % u->ms)
		u++;
	return u;
}

void web_html_duration(struct web_text *t, int64_t ms)
{
	web_text_format(t, "%" PRId64 "%s", ms / unit_of(ms)->ms, unit_of(ms)->letter);
}

void web_html_duration_words(struct web_text *t, int64_t ms)
{
	web_text_format(t, "%" PRId64 "-%s", ms / unit_of(ms)->ms, unit_of(ms)->word);
}

void web_html_link(struct web_text *t, const struct web_span *span, bool at, bool since)
{
	web_text_puts(t, at || since ? "?" : "");
	if (at) {
		web_text_puts(t, "at=");
		web_html_moment(t, span->at_ms);
	}
	if (since) {
		web_text_puts(t, at ? "&amp;since=" : "since=");
		web_html_duration(t, span->since_ms);
	}
}

static void html_which(struct web_text *t, const struct web_span *span)
{
	const struct unit *u = unit_of(span->since_ms);
	int64_t n = span->since_ms / u->ms;

	web_text_puts(t, span->live ? "The last " : "The ");
	if (n == 1)
		web_text_puts(t, u->word);
	else
		web_text_format(t, "%" PRId64 " %ss", n, u->word);
	if (span->live)
		return;
	web_text_puts(t, " before ");
	html_time(t, span->at_ms);
}

static void html_spans(struct web_text *t, const char *path, const struct web_span *span)
{
	static const int64_t hours[] = { 1, 3, 6, 24 };

	for (int i = 0; i < 4; i++) {
		struct web_span other = *span;
		other.since_ms = hours[i] * 3600000;
		if (other.since_ms / span->window_ms > WEB_WINDOWS_MAX - 2)
			continue;
		web_text_format(t, "<a href=\"%s", path);
		web_html_link(t, &other, !span->live, hours[i] != 1);
		web_text_format(t, "\"%s>%" PRId64 " h</a>",
				other.since_ms == span->since_ms ? " aria-current=\"true\"" : "", hours[i]);
	}
}

static void html_step(struct web_text *t, const char *path, const struct web_span *span, int64_t by_ms,
		      const char *text)
{
	struct web_span other = *span;

	other.at_ms += by_ms;
	web_text_format(t, "<a href=\"%s", path);
	web_html_link(t, &other, true, span->since_given);
	web_text_format(t, "\">%s</a>", text);
}

static void html_steps(struct web_text *t, const char *path, const struct web_span *span)
{
	html_step(t, path, span, -span->since_ms, "← Earlier");
	if (span->live)
		return;
	html_step(t, path, span, span->since_ms, "Later →");
	web_text_format(t, "<a class=\"button\" href=\"%s", path);
	web_html_link(t, span, false, span->since_given);
	web_text_puts(t, "\">Back to live</a>");
}

void web_html_when(struct web_text *t, const char *path, const struct web_span *span)
{
	struct web_text safe = { 0 }, which = { 0 }, spans = { 0 }, steps = { 0 }, kept = { 0 }, at = { 0 };

	web_text_html(&safe, weir_str(path));
	html_which(&which, span);
	html_spans(&spans, safe.data, span);
	html_steps(&steps, safe.data, span);
	if (span->since_given) {
		web_text_puts(&kept, "<input type=\"hidden\" name=\"since\" value=\"");
		web_html_duration(&kept, span->since_ms);
		web_text_puts(&kept, "\">");
	}
	if (!span->live)
		web_html_moment(&at, span->at_ms);
	web_template(t, "when.html",
		     (struct web_slot[]){ { "past", span->live ? "" : " past" },
					  { "which", which.data },
					  { "spans", spans.data },
					  { "steps", steps.data },
					  { "kept", kept.data },
					  { "at", at.data },
					  { NULL } });
	web_text_release(&safe);
	web_text_release(&which);
	web_text_release(&spans);
	web_text_release(&steps);
	web_text_release(&kept);
	web_text_release(&at);
}

/* A link to the city's trend, its name parted at the first comma: "Montreal" large, "Quebec" small. */
static void html_city(struct web_text *t, weir_bytes place, enum web_metric metric, const char *link)
{
	const char *name = place.data, *comma = memchr(name, ',', place.len);
	size_t head = comma ? (size_t)(comma - name) : place.len;

	web_text_format(t, "<a href=\"/metrics/%s/", web_metric_name(metric));
	web_text_url(t, place);
	web_text_format(t, "%s\">", link);
	web_text_html(t, weir_bytes_of(name, head));
	if (comma) {
		web_text_puts(t, "<small>");
		web_text_html(t, weir_bytes_of(comma, place.len - head));
		web_text_puts(t, "</small>");
	}
	web_text_puts(t, "</a>");
}

void web_html_rows(struct web_text *t, const struct web_cities *cities, const char *link)
{
	const struct web_city **ranked;
	size_t count = web_cities_rank(cities, WEB_TWEETS, false, ROWS_MAX, &ranked);
	char tweets[32], retweets[32];

	for (size_t i = 0; i < count; i++) {
		web_number(tweets, ranked[i]->whole.by[WEB_TWEETS]);
		web_number(retweets, ranked[i]->whole.by[WEB_RETWEETS]);
		web_text_puts(t, "<tr><th scope=\"row\">");
		html_city(t, ranked[i]->place, WEB_TWEETS, link);
		web_text_format(t, "</th><td class=\"line\"></td><td>%s</td><td>%s</td></tr>\n", tweets, retweets);
	}
	free(ranked);
}

static void html_bar(struct web_text *t, const struct web_city *city, enum web_metric metric, int64_t most)
{
	double behind = metric == WEB_RETWEETS ? 100.0 * (double)city->whole.by[WEB_TWEETS] / (double)most : 0;
	int64_t value = city->whole.by[metric], tweets = city->whole.by[WEB_TWEETS];
	char number[32];

	web_number(number, value);
	web_text_format(t, "<b>%s", number);
	if (metric == WEB_RETWEETS) {
		web_number(number, tweets);
		web_text_format(t, "<small> of %s tweet%s</small>", number, tweets == 1 ? "" : "s");
	}
	web_text_format(
		t,
		"</b><svg class=\"bar\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
		"<rect class=\"behind\" height=\"8\" width=\"%.2f\"/>"
		"<rect class=\"value\" height=\"8\" width=\"%.2f\"/></svg>",
		behind, 100.0 * (double)value / (double)most);
}

void web_html_rank(struct web_text *t, const struct web_cities *cities, enum web_metric metric, bool least_first,
		   const char *link)
{
	const struct web_city **ranked;
	size_t count = web_cities_rank(cities, metric, least_first, WEB_RANK_DEFAULT, &ranked);
	/* retweets lie before the tweets that they are a part of */
	enum web_metric longest = metric == WEB_RETWEETS ? WEB_TWEETS : metric;
	int64_t most = 1;

	for (size_t i = 0; i < count; i++)
		if (ranked[i]->whole.by[longest] > most)
			most = ranked[i]->whole.by[longest];
	for (size_t i = 0; i < count; i++) {
		web_text_puts(t, "<li>");
		html_city(t, ranked[i]->place, metric, link);
		html_bar(t, ranked[i], metric, most);
		web_text_puts(t, "</li>\n");
	}
	free(ranked);
}

void web_html_points(struct web_text *t, const struct web_span *span, const struct web_counts *windows,
		     enum web_metric metric, bool both)
{
	static const struct web_counts none;
	char value[32];

	for (size_t w = 0; w < span->count; w++) {
		const struct web_counts *counts = windows ? &windows[w] : &none;
		web_text_puts(t, "<tr><th scope=\"row\">");
		html_time(t, span->first_ms + (int64_t)w * span->window_ms);
		web_number(value, counts->by[metric]);
		web_text_format(t, "</th><td>%s</td>", value);
		if (both) {
			web_number(value, counts->by[WEB_RETWEETS]);
			web_text_format(t, "<td>%s</td>", value);
		}
		web_text_puts(t, "</tr>\n");
	}
}
