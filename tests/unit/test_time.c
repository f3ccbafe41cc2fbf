#include "schemas/post.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>

static void times_are_read_with_fractions_and_offsets(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2022-09-15T03:06:25.000Z", 1663211185000 },
		{ "2022-09-15T03:06:25Z", 1663211185000 },
		{ "2022-09-15t03:06:25z", 1663211185000 },
		{ "2022-09-15 03:06:25Z", 1663211185000 },
		{ "2022-09-15T03:06:25.1Z", 1663211185100 },
		{ "2022-09-15T03:06:25.0199999999999999999999999Z", 1663211185019 },
		{ "2022-09-14T23:06:25.000-04:00", 1663211185000 },
		{ "2022-09-15T08:51:25+05:45", 1663211185000 },
		{ "2022-09-15T03:06:25-00:00", 1663211185000 },
		{ "2024-02-29T23:59:59.999Z", 1709251199999 },
		{ "2000-02-29T00:00:00Z", 951782400000 },
		{ "2016-12-31T23:59:60Z", 1483228800000 },
		{ "1969-12-31T23:59:59.999Z", -1 },
		{ "0000-01-01T00:00:00Z", -62167219200000 },
		{ "9999-12-31T23:59:59.999Z", 253402300799999 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int64_t ms = 42;
		if (!time_parse_rfc3339(weir_str(cases[i].text), &ms))
			fail_msg("refused: %s", cases[i].text);
		assert_int_equal(ms, cases[i].ms);
	}
}

static void what_is_no_time_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"Z",
		"2022",
		"2022-09-15",
		"2022-09-15T03:06Z",
		"2022-09-15T03:06:25",
		"2022-09-15T03:06:25.Z",
		"2022-09-15T03:06:25,1Z",
		"2022-09-15T03:06:25.5",
		"2022-13-15T03:06:25Z",
		"2022-00-15T03:06:25Z",
		"2022-09-31T03:06:25Z",
		"2022-09-00T03:06:25Z",
		"2023-02-29T00:00:00Z",
		"1900-02-29T00:00:00Z",
		"2022-09-15T24:00:00Z",
		"2022-09-15T03:60:25Z",
		"2022-09-15T03:06:61Z",
		"2022-09-15T03:06:25+24:00",
		"2022-09-15T03:06:25+0200",
		"2022-09-15T03:06:25+02:60",
		"2022-09-15T03:06:25Zx",
		" 2022-09-15T03:06:25Z",
		"+022-09-15T03:06:25Z",
		"2022-9-15T03:06:25Z",
		"12022-09-15T03:06:25Z",
		"2022-09-15T03:06:-5Z",
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		int64_t ms;
		if (time_parse_rfc3339(weir_str(texts[i]), &ms))
			fail_msg("taken: %s", texts[i]);
	}
	int64_t ms;
	assert_false(time_parse_rfc3339(weir_bytes_of("2022-09-15\0003:06:25Z", 20), &ms));
	assert_false(time_parse_rfc3339(WEIR_NULL, &ms));
}

/* Each half day over eight hundred years, against the C library's calendar. */
static void the_calendar_agrees_with_the_c_library(void **state)
{
	(void)state;
	for (int64_t ms = -12000000000000; ms < 13250000000000; ms += 43200000 - 1001) {
		char ours[32], theirs[32];
		int64_t back;
		time_t seconds = (time_t)((ms - ((ms % 1000) + 1000) % 1000) / 1000);
		struct tm tm;

		time_format_rfc3339(ms, ours, sizeof ours);
		strftime(theirs, sizeof theirs, "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &tm));
		assert_memory_equal(ours, theirs, 19);
		assert_true(time_parse_rfc3339(weir_str(ours), &back));
		assert_int_equal(back, ms);
	}
}

static void formatting_shows_milliseconds_only_where_there_are_some(void **state)
{
	char buf[32];

	(void)state;
	time_format_rfc3339(1663211185000, buf, sizeof buf);
	assert_string_equal(buf, "2022-09-15T03:06:25Z");
	time_format_rfc3339(1663211185040, buf, sizeof buf);
	assert_string_equal(buf, "2022-09-15T03:06:25.040Z");
	time_format_rfc3339(-1, buf, sizeof buf);
	assert_string_equal(buf, "1969-12-31T23:59:59.999Z");
	time_format_rfc3339(INT64_MAX, buf, sizeof buf);
	assert_string_equal(buf, "292278994-08-17T07:12:55.807Z");
	time_format_rfc3339(INT64_MIN, buf, sizeof buf);
	assert_string_equal(buf, "-292275055-05-16T16:47:04.192Z");
}

/* By the book: what bytes a code point has, for every one of them. */
static void every_code_point_is_one_character(void **state)
{
	(void)state;
	for (uint32_t c = 0; c < 0x110000; c++) {
		unsigned char b[4];
		size_t n;

		if (c < 0x80)
			n = 1, b[0] = (unsigned char)c;
		else if (c < 0x800)
			n = 2, b[0] = (unsigned char)(0xc0 | c >> 6);
		else if (c < 0x10000)
			n = 3, b[0] = (unsigned char)(0xe0 | c >> 12);
		else
			n = 4, b[0] = (unsigned char)(0xf0 | c >> 18);
		for (size_t i = 1; i < n; i++)
			b[i] = (unsigned char)(0x80 | (c >> 6 * (n - 1 - i) & 0x3f));
		assert_int_equal(utf8_length(weir_bytes_of(b, n)), c >= 0xd800 && c < 0xe000 ? SIZE_MAX : 1);
		for (size_t cut = 1; cut < n; cut++)
			assert_int_equal(utf8_length(weir_bytes_of(b, cut)), SIZE_MAX);
	}
}

/* Of the 65,536 two-byte texts exactly these are valid: two ASCII, or one of the 1920 two-byte characters. */
static void no_other_pair_of_bytes_is_text(void **state)
{
	size_t ones = 0, twos = 0;

	(void)state;
	for (int i = 0; i < 65536; i++) {
		unsigned char b[2] = { (unsigned char)(i >> 8), (unsigned char)i };
		size_t n = utf8_length(weir_bytes_of(b, 2));

		ones += n == 1;
		twos += n == 2;
	}
	assert_int_equal(ones, 1920);
	assert_int_equal(twos, 128 * 128);
}

static void characters_are_counted_wherever_they_stand(void **state)
{
	(void)state;
	assert_int_equal(utf8_length(WEIR_NULL), 0);
	assert_int_equal(utf8_length(weir_str("Montréal")), 8);
	assert_int_equal(utf8_length(weir_str("ééééééééé 🍁🍁 12345678 市")), 9 + 1 + 2 + 1 + 8 + 1 + 1);
	assert_int_equal(utf8_length(weir_str("1234567é")), 8);
	assert_int_equal(utf8_length(weir_str("12345678901234\xc3")), SIZE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_read_with_fractions_and_offsets),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(the_calendar_agrees_with_the_c_library),
		cmocka_unit_test(formatting_shows_milliseconds_only_where_there_are_some),
		cmocka_unit_test(every_code_point_is_one_character),
		cmocka_unit_test(no_other_pair_of_bytes_is_text),
		cmocka_unit_test(characters_are_counted_wherever_they_stand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
