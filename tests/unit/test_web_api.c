#include "tests/unit/web_http.h"

static int open_example(void **state)
{
	struct site *site = malloc(sizeof *site);

	site_open(site, example, sizeof example / sizeof *example, "2022-09-15T03:45:00Z");
	*state = site;
	return 0;
}

static int close_site(void **state)
{
	site_close(*state);
	free(*state);
	return 0;
}

static const char *text_at(json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	assert_non_null(text);
	return text;
}

static json_int_t number_at(json_t *json, const char *key)
{
	assert_true(json_is_integer(json_object_get(json, key)));
	return json_integer_value(json_object_get(json, key));
}

static void cities_lists_the_active_ones_of_the_hour_by_name(void **state)
{
	json_t *json = get_json(*state, "/api/cities", 200), *cities = json_object_get(json, "cities");
	assert_string_equal(text_at(json, "at"), "2022-09-15T03:45:00Z");
	assert_int_equal(json_array_size(cities), 8);
	assert_string_equal(text_at(json_array_get(cities, 0), "place"), "Calgary, Alberta");
	json_t *toronto = json_array_get(cities, 6);
	assert_string_equal(text_at(toronto, "place"), "Toronto, Ontario");
	assert_int_equal(number_at(toronto, "tweets"), 4);
	assert_int_equal(number_at(toronto, "retweets"), 2);
	json_decref(json);
}

static void a_past_moment_shows_the_hour_before_it(void **state)
{
	json_t *json = get_json(*state, "/api/cities?at=2022-09-15T03:14:59Z", 200);
	json_t *cities = json_object_get(json, "cities");
	assert_string_equal(text_at(json, "at"), "2022-09-15T03:14:59Z");
	assert_int_equal(json_array_size(cities), 2);
	assert_int_equal(number_at(json_array_get(cities, 1), "tweets"), 2);
	json_decref(json);
}

static void moments_far_away_ask_the_source_for_no_impossible_date(void **state)
{
	static const char *const paths[] = { "/api/cities?at=0000-01-01T00:00:00Z&since=100d",
					     "/api/cities?at=9999-12-31T23:59:59Z&since=1d",
					     "/api/top?at=1970-01-01T00:00:00Z&since=50d" };
	struct site *site = *state;
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		json_decref(get_json(site, paths[i], 200));
	assert_true(atomic_load(&site->earliest) >= 0);
	assert_true(atomic_load(&site->latest) <= ms_of("9999-12-31T23:59:59Z"));
}

static void a_shorter_span_counts_fewer_windows(void **state)
{
	json_t *json = get_json(*state, "/api/cities?at=2022-09-15T03:44:00Z&since=10m", 200);
	assert_int_equal(json_array_size(json_object_get(json, "cities")), 5);
	json_decref(json);
}

static void a_trend_has_a_point_for_each_window_and_zeros_instead_of_holes(void **state)
{
	static const char *const times[] = { "2022-09-15T02:45:00Z", "2022-09-15T03:00:00Z", "2022-09-15T03:15:00Z",
					     "2022-09-15T03:30:00Z", "2022-09-15T03:45:00Z" };
	static const int values[] = { 0, 2, 1, 1, 0 };
	json_t *json = get_json(*state, "/api/cities/Toronto%2C%20Ontario/tweets", 200);
	json_t *points = json_object_get(json, "points");
	assert_string_equal(text_at(json, "place"), "Toronto, Ontario");
	assert_string_equal(text_at(json, "metric"), "tweets");
	assert_int_equal(number_at(json, "window_seconds"), 900);
	assert_int_equal(json_array_size(points), 5);
	for (size_t i = 0; i < 5; i++) {
		assert_string_equal(text_at(json_array_get(points, i), "time"), times[i]);
		assert_int_equal(number_at(json_array_get(points, i), "value"), values[i]);
	}
	json_decref(json);
}

static void each_metric_has_its_trend(void **state)
{
	static const struct {
		const char *path;
		int at_0315;
	} cases[] = { { "/api/cities/Toronto%2C%20Ontario/tweets", 1 },
		      { "/api/cities/Toronto,%20Ontario/retweets", 1 },
		      { "/api/cities/Toronto,%20Ontario/users", 1 } };
	for (size_t i = 0; i < 3; i++) {
		json_t *json = get_json(*state, cases[i].path, 200);
		json_t *point = json_array_get(json_object_get(json, "points"), 2);
		assert_int_equal(number_at(point, "value"), cases[i].at_0315);
		json_decref(json);
	}
}

static void a_city_known_from_another_hour_has_a_trend_of_zeros(void **state)
{
	json_t *json =
		get_json(*state, "/api/cities/Halifax%2C%20Nova%20Scotia/tweets?at=2022-09-16T12:00:00Z", 200);
	json_t *points = json_object_get(json, "points");
	assert_int_equal(json_array_size(points), 5);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(number_at(json_array_get(points, i), "value"), 0);
	json_decref(json);
	json_decref(get_json(*state, "/api/cities/Halifax%2C%20Nova%20Scotia/users?at=2022-09-14T12:00:00Z", 200));
}

static void unknown_cities_metrics_and_calls_are_404(void **state)
{
	static const char *const paths[] = {
		"/api/cities/Atlantis/tweets",
		"/api/cities/Toronto%2C%20Ontario/likes",
		"/api/cities/Toronto%2C%20Ontario",
		"/api/cities/",
		"/api/cities//tweets",
		"/api/",
		"/api/nothing",
		"/api/cities/toronto,%20ontario/tweets",
	};
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		json_t *json = get_json(*state, paths[i], 404);
		assert_true(strlen(text_at(json, "error")) > 5);
		json_decref(json);
	}
}

static void wrong_parameters_are_400_with_a_reason(void **state)
{
	static const char *const paths[] = {
		"/api/cities?at=now",
		"/api/cities?since=x",
		"/api/top?n=0",
		"/api/top?n=101",
		"/api/top?metric=likes",
		"/api/worst?n=five",
		"/api/cities?at=%zz",
		"/api/cities/%FF/tweets",
		"/api/cities/a%00b/tweets",
		"/api/cities/%/tweets",
		"/api/live?at=x",
		"/api/snapshot?since=y",
		"/api/live?place=%FF",
		"/api/cities/Toronto%2C%20Ontario/tweets?since=999999d",
	};
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		json_t *json = get_json(*state, paths[i], 400);
		assert_true(strlen(text_at(json, "error")) > 5);
		json_decref(json);
	}
}

static void check_places(void *site, const char *path, const char *metric, const char *const *places,
			 const int *values, size_t count)
{
	json_t *json = get_json(site, path, 200), *list = json_object_get(json, "places");

	assert_string_equal(text_at(json, "metric"), metric);
	assert_int_equal(json_array_size(list), count);
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(text_at(json_array_get(list, i), "place"), places[i]);
		assert_int_equal(number_at(json_array_get(list, i), "value"), values[i]);
	}
	json_decref(json);
}

static void top_is_by_tweets_descending_and_equals_by_name(void **state)
{
	static const char *const places[] = { "Toronto, Ontario", "Prince George, British Columbia",
					      "Winnipeg, Manitoba", "Calgary, Alberta",
					      "Chilliwack, British Columbia" };
	check_places(*state, "/api/top", "tweets", places, (int[]){ 4, 2, 2, 1, 1 }, 5);
	check_places(*state, "/api/top?metric=tweets&n=2", "tweets", places, (int[]){ 4, 2 }, 2);
}

static void worst_is_by_retweets_ascending_over_active_cities_with_none_included(void **state)
{
	static const char *const places[] = { "Chilliwack, British Columbia",
					      "Halifax, Nova Scotia",
					      "Montreal, Quebec",
					      "Prince George, British Columbia",
					      "Calgary, Alberta",
					      "LaSalle, Ontario",
					      "Toronto, Ontario",
					      "Winnipeg, Manitoba" };
	check_places(*state, "/api/worst", "retweets", places, (int[]){ 0, 0, 0, 0, 1 }, 5);
	check_places(*state, "/api/worst?metric=retweets&n=100", "retweets", places,
		     (int[]){ 0, 0, 0, 0, 1, 1, 2, 2 }, 8);
}

static void users_over_a_span_are_those_of_the_busiest_window(void **state)
{
	static const char *const places[] = { "Winnipeg, Manitoba", "Calgary, Alberta" };
	check_places(*state, "/api/top?metric=users&n=2", "users", places, (int[]){ 2, 1 }, 2);
}

static void the_snapshot_holds_all_that_the_front_page_shows(void **state)
{
	json_t *json = get_json(*state, "/api/snapshot?place=Toronto,+Ontario", 200);
	json_t *total = json_object_get(json, "total"), *focus = json_object_get(json, "focus");
	assert_int_equal(number_at(total, "tweets"), 13);
	assert_int_equal(number_at(total, "retweets"), 6);
	assert_int_equal(number_at(total, "cities"), 8);
	assert_int_equal(json_array_size(json_object_get(json, "points")), 5);
	assert_int_equal(json_array_size(json_object_get(json, "cities")), 8);
	assert_int_equal(json_array_size(json_object_get(json, "top")), 5);
	assert_int_equal(json_array_size(json_object_get(json, "worst")), 5);
	assert_true(json_is_true(json_object_get(focus, "known")));
	assert_int_equal(number_at(json_array_get(json_object_get(focus, "points"), 1), "users"), 1);
	json_decref(json);
}

static void a_source_that_is_away_is_503_and_tells_no_address(void **state)
{
	static const char *const paths[] = { "/api/cities", "/api/cities/Toronto,%20Ontario/tweets", "/api/top",
					     "/api/worst", "/api/snapshot" };
	struct site *site = *state;

	atomic_store(&site->away, true);
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		json_t *json = get_json(site, paths[i], 503);
		assert_null(strstr(text_at(json, "error"), "secret.example"));
		json_decref(json);
	}
	struct answer a = get(site, "/readyz");
	assert_int_equal(a.status, 503);
	forget(&a);
	a = get(site, "/healthz");
	assert_int_equal(a.status, 200);
	forget(&a);
	atomic_store(&site->away, false);
	a = get(site, "/readyz");
	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "ready\n");
	forget(&a);
	json_decref(get_json(site, "/api/cities", 200));
}

static void head_gives_the_headers_alone(void **state)
{
	static const char *const paths[] = { "/",        "/api/cities",         "/api/live", "/healthz",
					     "/metrics", "/static/evilnet.css", "/topfive" };
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		char request[200];
		snprintf(request, sizeof request, "HEAD %s HTTP/1.1\r\nHost: x\r\n\r\n", paths[i]);
		struct answer a = ask(*state, request);
		assert_int_equal(a.status, 200);
		assert_int_equal(a.body_len, 0);
		forget(&a);
	}
}

static void other_methods_are_405_and_unknown_ones_are_refused(void **state)
{
	static const char *const methods[] = { "POST", "PUT", "DELETE", "OPTIONS", "PATCH" };
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		char request[200];
		snprintf(request, sizeof request,
			 "%s /api/cities HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", methods[i]);
		struct answer a = ask(*state, request); /* answered without waiting for the megabyte */
		assert_int_equal(a.status, 405);
		assert_non_null(strstr(a.head, "Allow: GET, HEAD\r\n"));
		forget(&a);
	}
	struct answer a = ask(*state, "SUMMON / HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(a.status, 400);
	forget(&a);
}

static void rubbish_and_giants_are_refused_and_the_server_lives_on(void **state)
{
	char *giant = malloc(40000);
	memset(giant, 'a', 39999);
	giant[39999] = '\0';
	memcpy(giant, "GET /api/cities HTTP/1.1\r\nX: ", 29);
	static const char *const rubbish[] = {
		"\r\n\r\n",
		"GET\r\n\r\n",
		"GET / HTTP/9.9\r\n\r\n",
		"\x16\x03\x01\x02\r\n\r\n",
		"GET nowhere HTTP/1.1\r\n\r\n",
		"GET /\x01 HTTP/1.1\r\n\r\n",
		"GET * HTTP/1.1\r\n\r\n",
		"GET http://elsewhere HTTP/1.1\r\n\r\n",
	};
	struct answer a = ask(*state, giant);
	assert_true(a.status == 0 || a.status == 400 || a.status == 413);
	forget(&a);
	for (size_t i = 0; i < sizeof rubbish / sizeof *rubbish; i++) {
		a = ask(*state, rubbish[i]);
		if (a.status != 0 && (a.status < 400 || a.status > 505))
			fail_msg("%zu: %d", i, a.status);
		forget(&a);
	}
	free(giant);
	json_decref(get_json(*state, "/api/cities", 200));
}

static void answers_carry_the_safety_headers(void **state)
{
	static const char *const paths[] = { "/", "/api/cities", "/static/evilnet.js", "/nothing", "/metrics" };
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		struct answer a = get(*state, paths[i]);
		assert_non_null(strstr(a.head, "X-Content-Type-Options: nosniff\r\n"));
		assert_non_null(strstr(a.head, "script-src 'self';"));
		assert_non_null(strstr(a.head, "frame-ancestors 'none'"));
		assert_null(strstr(a.head, "unsafe"));
		forget(&a);
	}
}

static const char metrics_text[] = "evilnet_posts_total 7\n";

static void write_metrics(void *user, void (*write)(void *to, const char *text, size_t len), void *to)
{
	(void)user;
	write(to, metrics_text, 10);
	write(to, metrics_text + 10, sizeof metrics_text - 11);
}

static bool not_yet(void *user, weir_error *err)
{
	(void)user;
	return weir_fail(err, WEIR_CLOSED, "still restoring");
}

static void without_a_source_only_health_readiness_and_metrics_are_served(void **state)
{
	(void)state;
	weir_error err;
	struct web_opts opts = { .host = "127.0.0.1", .ready = not_yet, .metrics = write_metrics };
	struct site site = { .web = web_start(&opts, &err) };
	assert_non_null(site.web);
	site.port = web_port(site.web);
	struct answer a = get(&site, "/metrics");
	assert_int_equal(a.status, 200);
	assert_non_null(strstr(a.head, "Content-Type: text/plain; version=0.0.4"));
	assert_string_equal(a.body, metrics_text);
	forget(&a);
	a = get(&site, "/readyz");
	assert_int_equal(a.status, 503);
	assert_string_equal(a.body, "not ready: still restoring\n");
	forget(&a);
	static const char *const paths[] = { "/", "/api/cities", "/api/live", "/topfive", "/static/evilnet.css" };
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		a = get(&site, paths[i]);
		assert_int_equal(a.status, 404);
		forget(&a);
	}
	web_stop(site.web);
}

static void a_port_that_is_taken_is_an_error_with_its_address(void **state)
{
	struct site *site = *state;
	weir_error err = { 0 };
	struct web_opts opts = { .port = site->port, .source = &site->source };
	char address[40];

	snprintf(address, sizeof address, "127.0.0.1:%d", site->port);
	assert_null(web_start(&opts, &err));
	assert_int_equal(err.code, WEIR_IO);
	assert_non_null(strstr(err.message, address));
}

static void stopping_is_quick_even_with_a_half_open_connection(void **state)
{
	(void)state;
	struct site site;
	struct timespec from, to;

	site_open(&site, example, 1, "2022-09-15T03:45:00Z");
	int idle = dial(site.port), half = dial(site.port);
	say(half, "GET /api/ci");
	pause_ms(50);
	clock_gettime(CLOCK_MONOTONIC, &from);
	web_stop(site.web);
	clock_gettime(CLOCK_MONOTONIC, &to);
	assert_true((to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000 < 1000);
	close(idle);
	close(half);
	web_stop(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cities_lists_the_active_ones_of_the_hour_by_name),
		cmocka_unit_test(a_past_moment_shows_the_hour_before_it),
		cmocka_unit_test(moments_far_away_ask_the_source_for_no_impossible_date),
		cmocka_unit_test(a_shorter_span_counts_fewer_windows),
		cmocka_unit_test(a_trend_has_a_point_for_each_window_and_zeros_instead_of_holes),
		cmocka_unit_test(each_metric_has_its_trend),
		cmocka_unit_test(a_city_known_from_another_hour_has_a_trend_of_zeros),
		cmocka_unit_test(unknown_cities_metrics_and_calls_are_404),
		cmocka_unit_test(wrong_parameters_are_400_with_a_reason),
		cmocka_unit_test(top_is_by_tweets_descending_and_equals_by_name),
		cmocka_unit_test(worst_is_by_retweets_ascending_over_active_cities_with_none_included),
		cmocka_unit_test(users_over_a_span_are_those_of_the_busiest_window),
		cmocka_unit_test(the_snapshot_holds_all_that_the_front_page_shows),
		cmocka_unit_test(a_source_that_is_away_is_503_and_tells_no_address),
		cmocka_unit_test(head_gives_the_headers_alone),
		cmocka_unit_test(other_methods_are_405_and_unknown_ones_are_refused),
		cmocka_unit_test(rubbish_and_giants_are_refused_and_the_server_lives_on),
		cmocka_unit_test(answers_carry_the_safety_headers),
		cmocka_unit_test(without_a_source_only_health_readiness_and_metrics_are_served),
		cmocka_unit_test(a_port_that_is_taken_is_an_error_with_its_address),
		cmocka_unit_test(stopping_is_quick_even_with_a_half_open_connection),
	};
	return cmocka_run_group_tests(tests, open_example, close_site);
}
