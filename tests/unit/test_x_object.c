#include "apps/evilnet/x_object.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static const struct x_retweet_types any = { .any = true };

static enum x_kind read_text(const char *json, struct x_object *object, weir_error *err)
{
	memset(err, 0, sizeof *err);
	return x_object_read(weir_str(json), &any, object, err);
}

#define DATA \
	"\"data\":{\"author_id\":\"381720540\",\"created_at\":\"2022-09-15T03:10:28.000Z\"," \
	"\"edit_history_tweet_ids\":[\"1570247656898699266\"],\"geo\":{\"place_id\":\"3797791ff9c0e4c6\"}," \
	"\"id\":\"1570247656898699266\",\"text\":\"Bonjour \\ud83c\\udf41 \\u0000 https://t.co/x\"}"
#define PLACE \
	"{\"country_code\":\"CA\",\"full_name\":\"Toronto, " \
	"Ontario\",\"id\":\"3797791ff9c0e4c6\",\"place_type\":\"city\"}"
#define OTHER \
	"{\"country_code\":\"CA\",\"full_name\":\"Ontario, Canada\",\"id\":\"5f5d8c2e\",\"place_type\":\"admin\"}"
#define RULES "\"matching_rules\":[{\"id\":\"1166916266197536768\",\"tag\":\"\"}]"

static void a_real_looking_object_is_a_post(void **state)
{
	struct x_object object;
	weir_error err;

	(void)state;
	assert_int_equal(read_text("{" DATA ",\"includes\":{\"places\":[" PLACE
				   "],\"users\":[{\"id\":\"381720540\",\"name\":"
				   "\"x\",\"username\":\"y\"}]}," RULES "}",
				   &object, &err),
			 X_POST);
	assert_true(weir_bytes_equal(object.post.id, weir_str("1570247656898699266")));
	assert_true(weir_bytes_equal(object.post.author_id, weir_str("381720540")));
	assert_true(weir_bytes_equal(object.post.place, weir_str("Toronto, Ontario")));
	assert_int_equal(object.post.created_at_ms, 1663211428000);
	assert_false(object.post.is_retweet);
	x_object_release(&object);
}

static void the_place_is_the_one_that_the_post_names_else_the_first(void **state)
{
	struct x_object object;
	weir_error err;

	(void)state;
	assert_int_equal(read_text("{" DATA ",\"includes\":{\"places\":[" OTHER "," PLACE "]}}", &object, &err),
			 X_POST);
	assert_true(weir_bytes_equal(object.post.place, weir_str("Toronto, Ontario")));
	x_object_release(&object);
	/* named, but not there */
	assert_int_equal(read_text("{" DATA ",\"includes\":{\"places\":[" OTHER "]}}", &object, &err), X_NOT_CITY);
	x_object_release(&object);
	/* not named */
	const char *unnamed =
		"{\"data\":{\"author_id\":\"1\",\"created_at\":\"2022-09-15T03:10:28Z\",\"id\":\"2\"},"
		"\"includes\":{\"places\":[" PLACE "," OTHER "]}}";
	assert_int_equal(read_text(unnamed, &object, &err), X_POST);
	x_object_release(&object);
}

static void what_is_not_from_a_city_is_left_out(void **state)
{
	static const struct {
		const char *json;
		enum x_kind kind;
	} cases[] = {
		{ "{" DATA "}", X_NO_PLACE },
		{ "{" DATA ",\"includes\":{}}", X_NO_PLACE },
		{ "{" DATA ",\"includes\":{\"places\":[]}}", X_NO_PLACE },
		{ "{" DATA ",\"includes\":{\"places\":\"Toronto\"}}", X_NO_PLACE },
		{ "{" DATA ",\"includes\":[1,2]}", X_NO_PLACE },
		{ "{" DATA ",\"includes\":{\"places\":[" OTHER "]}}", X_NOT_CITY },
		{ "{" DATA ",\"includes\":{\"places\":[{\"full_name\":\"x\"}]}}", X_NOT_CITY },
		{ "{" DATA ",\"includes\":{\"places\":[7]}}", X_NOT_CITY },
		/* what would be unreadable, but is from nowhere */
		{ "{\"data\":{\"id\":\"1\",\"created_at\":\"yesterday\"}}", X_NO_PLACE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct x_object object;
		weir_error err;

		if (read_text(cases[i].json, &object, &err) != cases[i].kind)
			fail_msg("case %zu is of kind %d", i, (int)object.kind);
		x_object_release(&object);
	}
}

static void what_cannot_be_read_says_why(void **state)
{
	static const struct {
		const char *json, *because;
		int64_t created_at_ms;
	} cases[] = {
		{ "", "broken JSON at byte", -1 },
		{ "{\"data\":", "broken JSON at byte", -1 },
		{ "{" DATA ",\"includes\":{\"places\":[" PLACE "]}} x", "broken JSON", -1 },
		{ "[]", "not an object", -1 },
		{ "{}", "no data", -1 },
		{ "{\"data\":[]}", "no data", -1 },
		{ "{\"errors\":[{\"title\":\"operational-disconnect\",\"detail\":\"This stream has been "
		  "disconnected\"}]}",
		  "an error of the API instead of a post: operational-disconnect: This stream has been "
		  "disconnected",
		  -1 },
		{ "{\"data\":{\"created_at\":\"2022-09-15T03:10:28Z\"},\"includes\":{\"places\":[" PLACE "]}}",
		  "no id", 1663211428000 },
		{ "{\"data\":{\"id\":7,\"author_id\":\"1\"},\"includes\":{\"places\":[" PLACE "]}}", "no id", -1 },
		{ "{\"data\":{\"id\":\"7\",\"author_id\":\"1\"},\"includes\":{\"places\":[" PLACE "]}}",
		  "no created_at", -1 },
		{ "{\"data\":{\"id\":\"7\",\"author_id\":\"1\",\"created_at\":\"2022-09-31T03:10:28Z\"},"
		  "\"includes\":{\"places\":[" PLACE "]}}",
		  "created_at is no RFC 3339 time", -1 },
		{ "{\"data\":{\"id\":\"7\",\"author_id\":\"1\",\"created_at\":\"1969-12-31T23:59:59Z\"},"
		  "\"includes\":{\"places\":[" PLACE "]}}",
		  "from 1970 on", -1000 },
		{ "{\"data\":{\"id\":\"7\",\"created_at\":\"2022-09-15T03:10:28Z\"},\"includes\":{\"places\":"
		  "[" PLACE "]}}",
		  "author_id is empty", 1663211428000 },
		{ "{\"data\":{\"id\":\"7\",\"author_id\":\"1\",\"created_at\":\"2022-09-15T03:10:28Z\"},"
		  "\"includes\":{\"places\":["
		  "{\"place_type\":\"city\"}]}}",
		  "place is empty", 1663211428000 },
		{ "{\"data\":{\"id\":\"7\",\"author_id\":\"1\",\"created_at\":\"2022-09-15T03:10:28Z\"},"
		  "\"includes\":{\"places\":["
		  "{\"place_type\":\"city\",\"full_name\":\"a\\u0000b\"}]}}",
		  "NUL", 1663211428000 },
		{ "{\"data\":{\"id\":\"7\",\"id\":\"8\"}}", "duplicate object key", -1 },
		{ "{\"data\":{\"id\":\"\xff\"}}", "broken JSON", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct x_object object;
		weir_error err;

		if (read_text(cases[i].json, &object, &err) != X_UNREADABLE ||
		    !strstr(err.message, cases[i].because))
			fail_msg("case %zu: kind %d, \"%s\"", i, (int)object.kind, err.message);
		assert_int_equal(err.code, WEIR_DECODE);
		assert_int_equal(object.created_at_ms, cases[i].created_at_ms);
		x_object_release(&object);
	}
}

static enum x_kind with_name(const char *character, int times, weir_error *err)
{
	char json[2000], name[1000];
	struct x_object object;
	size_t n = strlen(character);

	for (int i = 0; i < times; i++)
		memcpy(name + (size_t)i * n, character, n + 1);
	snprintf(json, sizeof json,
		 "{" DATA ",\"includes\":{\"places\":[{\"place_type\":\"city\",\"full_name\":\"%s\"}]}}", name);
	enum x_kind kind = read_text(json, &object, err);
	if (kind == X_POST)
		assert_int_equal(object.post.place.len, (size_t)times * n);
	x_object_release(&object);
	return kind;
}

static void a_name_may_have_190_characters(void **state)
{
	weir_error err;

	(void)state;
	assert_int_equal(with_name("x", 190, &err), X_POST);
	assert_int_equal(with_name("x", 191, &err), X_UNREADABLE);
	assert_non_null(strstr(err.message, "191 characters"));
	assert_int_equal(with_name("🍁", 190, &err), X_POST);
	assert_int_equal(with_name("é", 191, &err), X_UNREADABLE);
}

static bool retweet(const char *references, const char *types)
{
	char json[1000];
	struct x_retweet_types which;
	struct x_object object;
	weir_error err;

	assert_true(x_retweet_types_parse(types, &which, &err));
	snprintf(json, sizeof json,
		 "{\"data\":{\"id\":\"1\",\"author_id\":\"2\",\"created_at\":\"2022-09-15T03:10:28Z\","
		 "\"referenced_tweets\":%s},\"includes\":{\"places\":[" PLACE "]}}",
		 references);
	assert_int_equal(x_object_read(weir_str(json), &which, &object, &err), X_POST);
	bool is = object.post.is_retweet;
	x_object_release(&object);
	return is;
}

static void any_reference_makes_a_retweet_unless_narrowed(void **state)
{
	static const char all[] = "retweeted,quoted,replied_to";
	static const char quoted[] = "[{\"type\":\"quoted\",\"id\":\"5\"}]";
	static const char two[] = "[{\"type\":\"replied_to\",\"id\":\"5\"},{\"type\":\"retweeted\",\"id\":\"6\"}]";

	(void)state;
	assert_true(retweet(quoted, all));
	assert_true(retweet(two, all));
	assert_true(retweet("[{\"type\":\"of the future\"}]", all));
	assert_false(retweet("[]", all));
	assert_false(retweet("null", all));
	assert_false(retweet(quoted, "retweeted"));
	assert_true(retweet(quoted, " replied_to , quoted "));
	assert_true(retweet(two, "retweeted"));
	assert_true(retweet(two, "replied_to"));
	assert_false(retweet("[{\"id\":\"5\"},3]", "retweeted"));
	assert_false(retweet(two, ""));
}

static void unknown_types_of_retweets_are_refused(void **state)
{
	struct x_retweet_types which;
	weir_error err = { 0 };

	(void)state;
	assert_false(x_retweet_types_parse("retweeted,liked", &which, &err));
	assert_int_equal(err.code, WEIR_CONFIG);
	assert_non_null(strstr(err.message, "\"liked\""));
	assert_false(x_retweet_types_parse("retweeted quoted", &which, &err));
	assert_false(x_retweet_types_parse("retweeted,,quoted", &which, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_real_looking_object_is_a_post),
		cmocka_unit_test(the_place_is_the_one_that_the_post_names_else_the_first),
		cmocka_unit_test(what_is_not_from_a_city_is_left_out),
		cmocka_unit_test(what_cannot_be_read_says_why),
		cmocka_unit_test(a_name_may_have_190_characters),
		cmocka_unit_test(any_reference_makes_a_retweet_unless_narrowed),
		cmocka_unit_test(unknown_types_of_retweets_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
