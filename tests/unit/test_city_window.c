#include "schemas/city_window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <msgpack.h>

static const struct city_window model = {
	.place = { "Toronto, Ontario", 16 },
	.window_start_ms = 1663210800000,
	.window_seconds = 900,
	.tweets = 2,
	.users = 1,
	.upto = 41,
};

static void assert_same(const struct city_window *a, const struct city_window *b)
{
	assert_true(weir_bytes_equal(a->place, b->place));
	assert_int_equal(a->window_start_ms, b->window_start_ms);
	assert_int_equal(a->window_seconds, b->window_seconds);
	assert_int_equal(a->tweets, b->tweets);
	assert_int_equal(a->retweets, b->retweets);
	assert_int_equal(a->users, b->users);
	assert_int_equal(a->upto, b->upto);
}

static void the_bytes_are_those_of_the_contract(void **state)
{
	static const char want[] =
		"\x87\xa5place\xb0"
		"Toronto, Ontario\xacwindow_start\xcf\x00\x00\x01\x83\x3f\x16\xc3\x80\xaewindow_seconds\xcd\x03\x84"
		"\xa6tweets\x02\xa8retweets\x00\xa5users\x01\xa4upto\x29";
	char buf[200];

	(void)state;
	assert_int_equal(city_window_encode(&model, buf, sizeof buf), sizeof want - 1);
	assert_memory_equal(buf, want, sizeof want - 1);
}

static void what_is_written_is_read_back(void **state)
{
	struct city_window window = model, back;
	char buf[CITY_WINDOW_FRAME_BYTES + 16];
	weir_error err;

	(void)state;
	window.window_start_ms = -900000;
	window.tweets = window.retweets = window.users = window.upto = INT64_MAX;
	window.window_seconds = INT64_MAX;
	size_t n = city_window_encode(&window, buf, sizeof buf);
	assert_true(n > 0);
	assert_true(city_window_decode(weir_bytes_of(buf, n), &back, &err));
	assert_same(&window, &back);
	for (size_t size = 0; size < n; size++) {
		assert_int_equal(city_window_encode(&window, buf, size), 0);
		assert_false(city_window_decode(weir_bytes_of(buf, size), &back, NULL));
	}
}

static void pack(msgpack_packer *pk, const char *name, int64_t value)
{
	msgpack_pack_str(pk, strlen(name));
	msgpack_pack_str_body(pk, name, strlen(name));
	if (strcmp(name, "place") != 0) {
		msgpack_pack_int64(pk, value);
		return;
	}
	msgpack_pack_str(pk, 2);
	msgpack_pack_str_body(pk, value ? "\xc3\x28" : "\xc3\xa9", 2);
}

/* A map with these keys; the last of them has `value`, the others 1. */
static bool reads(const char *const *names, int64_t value, struct city_window *window, weir_error *err)
{
	msgpack_sbuffer buffer;
	msgpack_packer pk;
	size_t n = 0;

	while (names[n])
		n++;
	msgpack_sbuffer_init(&buffer);
	msgpack_packer_init(&pk, &buffer, msgpack_sbuffer_write);
	msgpack_pack_map(&pk, n);
	for (size_t i = 0; i < n; i++)
		pack(&pk, names[i], i + 1 == n ? value : strcmp(names[i], "place") != 0);
	bool done = city_window_decode(weir_bytes_of(buffer.data, buffer.size), window, err);
	msgpack_sbuffer_destroy(&buffer);
	return done;
}

static void keys_come_in_any_order_and_each_once(void **state)
{
	const char *const backwards[] = { "upto",	    "users", "new",	     "retweets", "tweets",
					  "window_seconds", "place", "window_start", NULL };
	const char *const twice[] = { "upto",  "users",	       "retweets", "tweets", "window_seconds",
				      "place", "window_start", "upto",	   NULL };
	const char *const less[] = { "upto", "users", "retweets", "tweets", "place", "window_start", NULL };
	struct city_window window;
	weir_error err;

	(void)state;
	assert_true(reads(backwards, -5, &window, &err));
	assert_int_equal(window.window_start_ms, -5);
	assert_int_equal(window.users, 1);
	assert_false(reads(twice, 1, &window, &err));
	assert_non_null(strstr(err.message, "upto stands there twice"));
	assert_false(reads(less, 1, &window, &err));
	assert_non_null(strstr(err.message, "window_seconds is missing"));
}

static void numbers_out_of_range_and_broken_names_are_refused(void **state)
{
	static const char *const last[] = { "window_seconds", "tweets", "retweets", "users", "upto", "place" };
	struct city_window window;

	(void)state;
	for (int i = 0; i < 6; i++) {
		const char *names[8] = { "window_start" };
		weir_error err;
		int n = 1;

		for (int j = 1; j <= 6; j++)
			names[n++] = last[(i + j) % 6];
		assert_true(reads(names, i < 5, &window, &err));
		assert_false(reads(names, i < 5 ? -1 : 1, &window, &err));
		assert_int_equal(err.code, WEIR_DECODE);
		assert_non_null(strstr(err.message, last[i]));
	}
	assert_false(city_window_decode(WEIR_NULL, &window, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_bytes_are_those_of_the_contract),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(keys_come_in_any_order_and_each_once),
		cmocka_unit_test(numbers_out_of_range_and_broken_names_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
