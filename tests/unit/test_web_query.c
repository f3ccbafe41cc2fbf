#include "tests/unit/web_http.h"
#include "web/query.h"
#include "web/text.h"

#define QUARTER 900000

static struct web_span span_at(const char *query)
{
	struct web_span span;
	weir_error err = { 0 };

	if (!web_span_parse(query, ms_of("2022-09-15T03:45:00Z"), QUARTER, &span, &err))
		fail_msg("%s: %s", query, err.message);
	return span;
}

static void an_hour_off_the_quarter_touches_five_windows(void **state)
{
	(void)state;
	struct web_span span = span_at("at=2022-09-15T03:59:59Z");
	assert_int_equal(span.first_ms, ms_of("2022-09-15T02:45:00Z"));
	assert_int_equal(span.last_ms, ms_of("2022-09-15T03:45:00Z"));
	assert_int_equal(span.count, 5);
	assert_false(span.live);
}

static void an_hour_on_the_quarter_takes_the_window_that_opens_and_not_the_one_that_ended(void **state)
{
	(void)state;
	struct web_span span = span_at("at=2022-09-15T04:00:00Z");
	assert_int_equal(span.first_ms, ms_of("2022-09-15T03:00:00Z"));
	assert_int_equal(span.last_ms, ms_of("2022-09-15T04:00:00Z"));
	assert_int_equal(span.count, 5);
}

static void without_a_moment_it_is_now(void **state)
{
	(void)state;
	struct web_span span = span_at("");
	assert_true(span.live);
	assert_int_equal(span.at_ms, ms_of("2022-09-15T03:45:00Z"));
	assert_int_equal(span.since_ms, 3600000);
}

static void a_moment_before_the_epoch_is_laid_out_downwards(void **state)
{
	(void)state;
	struct web_span span = span_at("at=1969-12-31T23:50:00Z&since=10m");
	assert_int_equal(span.first_ms, -2 * QUARTER);
	assert_int_equal(span.last_ms, -QUARTER);
}

static void a_moment_may_have_an_offset_whose_plus_is_not_encoded(void **state)
{
	(void)state;
	int64_t ms = ms_of("2022-09-15T03:00:00Z");
	assert_int_equal(span_at("at=2022-09-15T05:00:00+02:00").at_ms, ms);
	assert_int_equal(span_at("at=2022-09-15T05%3A00%3A00%2B02%3A00").at_ms, ms);
	assert_int_equal(span_at("at=2022-09-15+03:00:00Z").at_ms, ms);
	assert_int_equal(span_at("n=3&at=2022-09-15T03:00:00.000Z").at_ms, ms);
}

static void wrong_queries_are_refused_with_a_reason(void **state)
{
	(void)state;
	static const char *const wrong[] = {
		"at=",
		"at=yesterday",
		"at=2022-09-15",
		"at=2022-09-15T03:00:00",
		"at=2022-13-15T03:00:00Z",
		"at=%zz",
		"at=2022-09-15T03:00:00Z%00",
		"at=%",
		"since=",
		"since=0",
		"since=-1h",
		"since=soon",
		"since=1y",
		"since=100000000d",
		"since=9223372036854775807d",
		"since=1h%2",
		"at=2022-09-15T03:00:00Z&since=x",
	};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct web_span span;
		weir_error err = { 0 };
		bool ok = web_span_parse(wrong[i], 0, QUARTER, &span, &err);
		if (ok)
			fail_msg("%s was taken", wrong[i]);
		assert_int_equal(err.code, WEIR_USER);
		assert_true(strlen(err.message) > 5);
	}
}

static void n_is_a_number_from_1_to_100(void **state)
{
	(void)state;
	static const char *const wrong[] = {
		"n=0", "n=101", "n=-1", "n=", "n=5x", "n=%205", "n=99999999999999999999"
	};
	weir_error err = { 0 };
	size_t n;

	assert_true(web_query_n("", &n, &err));
	assert_int_equal(n, 5);
	assert_true(web_query_n("m=7&n=100", &n, &err));
	assert_int_equal(n, 100);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		if (web_query_n(wrong[i], &n, &err))
			fail_msg("%s was taken", wrong[i]);
}

static void html_leaves_no_way_out_of_text(void **state)
{
	(void)state;
	struct web_text text = { 0 };
	web_text_html(&text, weir_str("<b a='x' b=\"y\">&amp;</b>"));
	assert_string_equal(text.data, "&lt;b a=&#39;x&#39; b=&quot;y&quot;&gt;&amp;amp;&lt;/b&gt;");
	web_text_release(&text);
}

static void html_of_what_is_not_utf8_is_utf8(void **state)
{
	struct web_text text = { 0 };

	(void)state;
	web_text_html(&text, weir_str("\xc3\xa9<\xd0"
				      "2\xed\xa0\x80\xc3"));
	assert_string_equal(text.data, "\xc3\xa9&lt;\xef\xbf\xbd"
				       "2\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	web_text_release(&text);
}

static void addresses_encode_all_but_plain_letters_and_come_back(void **state)
{
	(void)state;
	static const char name[] = "Trois-Rivières/Québec? 100% #1+1";
	struct web_text there = { 0 }, back = { 0 };
	web_text_url(&there, weir_str(name));
	assert_string_equal(there.data, "Trois-Rivi%C3%A8res%2FQu%C3%A9bec%3F%20100%25%20%231%2B1");
	assert_true(web_url_decode(&back, weir_bytes_of(there.data, there.len), false));
	assert_string_equal(back.data, name);
	web_text_release(&there);
	web_text_release(&back);
}

static void broken_escapes_are_refused_and_nothing_beyond_the_end_is_read(void **state)
{
	(void)state;
	static const char *const wrong[] = { "%", "%4", "a%", "%g0", "%0g", "%00", "a%00b" };
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct web_text text = { 0 };
		char *exact = malloc(strlen(wrong[i])); /* without a NUL, for the sanitizer to see */
		memcpy(exact, wrong[i], strlen(wrong[i]));
		assert_false(web_url_decode(&text, weir_bytes_of(exact, strlen(wrong[i])), false));
		free(exact);
		web_text_release(&text);
	}
}

static void bytes_that_are_not_utf8_become_replacement_characters(void **state)
{
	(void)state;
	static const struct {
		const char *raw, *clean;
	} cases[] = {
		{ "Montréal", "Montréal" },
		{ "\xF0\x9F\x98\x88", "\xF0\x9F\x98\x88" },
		{ "a\xFFz", "a\xEF\xBF\xBDz" },
		{ "\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD" },
		{ "\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" },
		{ "\xC3", "\xEF\xBF\xBD" },
		{ "\xF4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct web_text text = { 0 };
		web_text_utf8(&text, weir_str(cases[i].raw));
		assert_string_equal(text.data, cases[i].clean);
		web_text_release(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_hour_off_the_quarter_touches_five_windows),
		cmocka_unit_test(an_hour_on_the_quarter_takes_the_window_that_opens_and_not_the_one_that_ended),
		cmocka_unit_test(without_a_moment_it_is_now),
		cmocka_unit_test(a_moment_before_the_epoch_is_laid_out_downwards),
		cmocka_unit_test(a_moment_may_have_an_offset_whose_plus_is_not_encoded),
		cmocka_unit_test(wrong_queries_are_refused_with_a_reason),
		cmocka_unit_test(n_is_a_number_from_1_to_100),
		cmocka_unit_test(html_leaves_no_way_out_of_text),
		cmocka_unit_test(html_of_what_is_not_utf8_is_utf8),
		cmocka_unit_test(addresses_encode_all_but_plain_letters_and_come_back),
		cmocka_unit_test(broken_escapes_are_refused_and_nothing_beyond_the_end_is_read),
		cmocka_unit_test(bytes_that_are_not_utf8_become_replacement_characters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
