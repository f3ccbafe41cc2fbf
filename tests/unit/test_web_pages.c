#include "tests/unit/web_http.h"
#include "web/assets.h"

static const struct made_up_row with_hostile[] = {
	{ "2022-09-15T03:30:00Z", HOSTILE, 3, 1, 2 },
	{ "2022-09-15T03:30:00Z", "Montréal, Québec", 1234567, 1000, 800 },
	{ "2022-09-15T03:30:00Z", "Saint-Louis-du-Ha! Ha!, Quebec", 2, 0, 2 },
	{ "2022-09-15T03:30:00Z", "Here/There", 1, 0, 1 },
};

static int open_hostile(void **state)
{
	struct site *site = malloc(sizeof *site);

	site_open(site, with_hostile, sizeof with_hostile / sizeof *with_hostile, "2022-09-15T03:45:00Z");
	*state = site;
	return 0;
}

static int close_site(void **state)
{
	site_close(*state);
	free(*state);
	return 0;
}

static void page_has(struct site *site, const char *path, int status, const char *const *texts, size_t count)
{
	struct answer a = get(site, path);

	if (a.status != status)
		fail_msg("%s: status %d", path, a.status);
	assert_non_null(strstr(a.head, "Content-Type: text/html; charset=utf-8\r\n"));
	for (size_t i = 0; i < count; i++)
		if (!strstr(a.body, texts[i]))
			fail_msg("%s: no %s in\n%s", path, texts[i], a.body);
	if (strstr(a.body, "<script>") || strstr(a.body, "TABLE city_windows;--\""))
		fail_msg("%s: a name got out of its place", path);
	if (strstr(a.body, "{{") || strstr(a.body, "}}"))
		fail_msg("%s: a slot was left open", path);
	forget(&a);
}

#define HAS(site, path, status, ...) \
	page_has(site, path, status, (const char *const[]){ __VA_ARGS__ }, \
		 sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static void the_front_page_shows_totals_cities_top_and_worst_without_a_script(void **state)
{
	HAS(*state, "/", 200, "<title>EvilNet</title>", "1,234,573",
	    "<a href=\"/metrics/tweets/Montr%C3%A9al%2C%20Qu%C3%A9bec\">", "Montréal<small>, Québec</small>",
	    "Top five", "Worst five", "The last hour", "15-minute");
}

static void a_hostile_name_is_only_text_on_every_page(void **state)
{
	static const char name[] = "O&#39;Brien&quot;; DROP TABLE city_windows;-- &lt;script&gt;";
	HAS(*state, "/", 200, name, "/metrics/tweets/" HOSTILE_URL "\"");
	HAS(*state, "/topfive", 200, name);
	HAS(*state, "/worstfive", 200, name);
	HAS(*state, "/metrics/tweets/" HOSTILE_URL, 200, name, "data-place=\"O&#39;Brien&quot;;");
	HAS(*state, "/metrics/tweets/x%22%3E%3Cscript%3E", 404, "x&quot;&gt;&lt;script&gt;");
	HAS(*state, "/?at=%22%3E%3Cscript%3E", 400, "&quot;&gt;&lt;script&gt;");
	json_t *json = get_json(*state, "/api/cities/" HOSTILE_URL "/tweets", 200);
	assert_string_equal(json_string_value(json_object_get(json, "place")), HOSTILE);
	json_decref(json);
}

static void each_metric_of_a_city_has_its_page(void **state)
{
	HAS(*state, "/metrics/tweets/Montr%C3%A9al%2C%20Qu%C3%A9bec", 200, "<title>Montréal, Québec: Tweets",
	    "1,234,567");
	HAS(*state, "/metrics/retweets/Montr%c3%a9al,%20Qu%c3%a9bec", 200, "Retweets · EvilNet", "1,000");
	HAS(*state, "/metrics/users/Montr%C3%A9al%2C%20Qu%C3%A9bec", 200, "Users at the busiest time", "800");
	HAS(*state, "/metrics/tweets/Here%2FThere", 200, "Here/There");
	HAS(*state, "/metrics/tweets/Here/There", 200, "Here/There");
	HAS(*state, "/metrics/tweets/Saint-Louis-du-Ha!%20Ha!%2C%20Quebec", 200, "Ha! Ha!");
}

static void the_past_is_shown_as_such_and_kept_in_every_link(void **state)
{
	HAS(*state, "/?at=2022-09-15T05:40:00%2B02:00&since=3h", 200,
	    "The 3 hours before <time datetime=\"2022-09-15T03:40:00Z\">", "Back to live",
	    "href=\"/topfive?at=2022-09-15T03:40:00Z&amp;since=3h\"", "href=\"/?since=3h\"",
	    "/metrics/tweets/Here%2FThere?at=2022-09-15T03:40:00Z&amp;since=3h\"",
	    "?at=2022-09-15T00:40:00Z&amp;since=3h\">← Earlier");
	HAS(*state, "/topfive?at=2022-09-15T03:40:00Z", 200, "The hour before");
	HAS(*state, "/worstfive?at=2022-09-15T02:00:00Z", 200, "The hour before", "Not a peep");
	HAS(*state, "/metrics/users/Here%2FThere?at=2022-09-15T03:40:00Z", 200, "The hour before");
}

static void unknown_pages_and_broken_paths_are_refused_with_a_page(void **state)
{
	static const char *const paths[] = {
		"/nothing",
		"/topfive/",
		"/metrics/",
		"/metrics/tweets",
		"/metrics/tweets/",
		"/metrics/likes/Here",
		"/metrics/tweets/Atlantis",
		"/metrics/tweets/%FF",
		"/metrics/tweets/%",
		"/metrics/tweets/a%00b",
		"/static/nothing.js",
		"/static/page.html",
		"/static/../web.h",
		"/static/",
		"/..%2f..%2fetc/passwd",
		"/../etc/passwd",
	};
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		HAS(*state, paths[i], 404, "EvilNet", "Back to all cities");
	HAS(*state, "/?at=soon", 400, "That was not understood");
	HAS(*state, "/metrics/tweets/Here%2FThere?since=never", 400, "That was not understood");
}

static void with_the_source_away_pages_still_come(void **state)
{
	struct site *site = *state;

	atomic_store(&site->away, true);
	HAS(site, "/", 200, "data-total=\"tweets\">–<");
	HAS(site, "/topfive", 200, "Top five");
	HAS(site, "/metrics/tweets/Here%2FThere", 200, "Here/There");
	atomic_store(&site->away, false);
}

static void static_files_have_types_and_etags(void **state)
{
	static const char *const files[][2] = {
		{ "/static/evilnet.css", "text/css" },	       { "/static/evilnet.js", "text/javascript" },
		{ "/static/chart.min.js", "text/javascript" }, { "/static/evilnet.svg", "image/svg+xml" },
		{ "/favicon.ico", "image/svg+xml" },
	};
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		struct answer a = get(*state, files[i][0]);
		char type[80], etag[40], request[300];
		assert_int_equal(a.status, 200);
		snprintf(type, sizeof type, "Content-Type: %s; charset=utf-8\r\n", files[i][1]);
		assert_non_null(strstr(a.head, type));
		assert_int_equal(sscanf(strstr(a.head, "ETag: "), "ETag: %39[^\r]", etag), 1);
		forget(&a);
		snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\nIf-None-Match: %s\r\n\r\n",
			 files[i][0], etag);
		a = ask(*state, request);
		assert_int_equal(a.status, 304);
		assert_int_equal(a.body_len, 0);
		forget(&a);
	}
}

static void embedded_files_are_the_files(void **state)
{
	(void)state;
	const struct web_asset *asset = web_asset_find("evilnet.css");
	FILE *f = fopen(SOURCE_DIR "/web/static/evilnet.css", "rb");
	assert_non_null(asset);
	assert_non_null(f);
	char *data = malloc(asset->len + 2);
	assert_int_equal(fread(data, 1, asset->len + 2, f), asset->len);
	assert_memory_equal(data, asset->data, asset->len);
	free(data);
	fclose(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_front_page_shows_totals_cities_top_and_worst_without_a_script),
		cmocka_unit_test(a_hostile_name_is_only_text_on_every_page),
		cmocka_unit_test(each_metric_of_a_city_has_its_page),
		cmocka_unit_test(the_past_is_shown_as_such_and_kept_in_every_link),
		cmocka_unit_test(unknown_pages_and_broken_paths_are_refused_with_a_page),
		cmocka_unit_test(with_the_source_away_pages_still_come),
		cmocka_unit_test(static_files_have_types_and_etags),
		cmocka_unit_test(embedded_files_are_the_files),
	};
	return cmocka_run_group_tests(tests, open_hostile, close_site);
}
