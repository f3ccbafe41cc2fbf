#include "schemas/post.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <msgpack.h>

/* Memory for the JSON form, as a task's arena would give it. */
static char arena[1 << 20];
static size_t arena_used;

static void *take(void *user, size_t n)
{
	assert_ptr_equal(user, arena);
	assert_true(n <= sizeof arena - arena_used);
	void *p = arena + arena_used;
	arena_used += n;
	return p;
}

static bool decode(weir_bytes in, struct post *post, weir_error *err)
{
	arena_used = 0;
	return post_decode(in, post, take, arena, err);
}

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static const struct post toronto = {
	.id = { "1570247656898699266", 19 },
	.author_id = { "381720540", 9 },
	.place = { "Toronto, Ontario", 16 },
	.created_at_ms = 1663211428000,
	.is_retweet = true,
};

static void assert_same(const struct post *a, const struct post *b)
{
	assert_true(weir_bytes_equal(a->id, b->id));
	assert_true(weir_bytes_equal(a->author_id, b->author_id));
	assert_true(weir_bytes_equal(a->place, b->place));
	assert_int_equal(a->created_at_ms, b->created_at_ms);
	assert_int_equal(a->is_retweet, b->is_retweet);
}

static void refused(weir_bytes in, const char *because)
{
	struct post post;
	weir_error err = { 0 };

	if (decode(in, &post, &err))
		fail_msg("taken, though: %s", because);
	assert_int_equal(err.code, WEIR_DECODE);
	if (!strstr(err.message, because))
		fail_msg("\"%s\" does not say \"%s\"", err.message, because);
}

/* A msgpack map by msgpack-c, of what `spec` says: one letter a pair, in that order. */
static void pack_str(msgpack_packer *pk, const char *s)
{
	msgpack_pack_str(pk, strlen(s));
	msgpack_pack_str_body(pk, s, strlen(s));
}

static void pack_pair(msgpack_packer *pk, char which)
{
	switch (which) {
	case 'i':
		pack_str(pk, "id");
		pack_str(pk, "1570247656898699266");
		break;
	case 'a':
		pack_str(pk, "author_id");
		pack_str(pk, "381720540");
		break;
	case 'c':
		pack_str(pk, "created_at");
		msgpack_pack_int64(pk, 1663211428000);
		break;
	case 'r':
		pack_str(pk, "is_retweet");
		msgpack_pack_true(pk);
		break;
	case 'p':
		pack_str(pk, "place");
		pack_str(pk, "Toronto, Ontario");
		break;
	case 'x': /* unknown, and deep */
		pack_str(pk, "lang");
		msgpack_pack_map(pk, 2);
		msgpack_pack_nil(pk);
		msgpack_pack_array(pk, 3);
		msgpack_pack_double(pk, 1.5);
		msgpack_pack_bin(pk, 300);
		msgpack_pack_bin_body(pk, arena, 300);
		msgpack_pack_ext(pk, 7, 3);
		msgpack_pack_ext_body(pk, "abcdefg", 7);
		pack_str(pk, "place");
		msgpack_pack_array(pk, 0);
		break;
	case 'n': /* a key that is no string */
		msgpack_pack_int(pk, 5);
		pack_str(pk, "id");
		break;
	case 'R':
		pack_str(pk, "is_retweet");
		msgpack_pack_int(pk, 1);
		break;
	case 'C':
		pack_str(pk, "created_at");
		msgpack_pack_double(pk, 1663211428000.0);
		break;
	case 'N':
		pack_str(pk, "created_at");
		msgpack_pack_int(pk, -1);
		break;
	case 'U':
		pack_str(pk, "created_at");
		msgpack_pack_uint64(pk, UINT64_MAX);
		break;
	case 'I':
		pack_str(pk, "id");
		msgpack_pack_int64(pk, 1570247656898699266);
		break;
	case 'e':
		pack_str(pk, "id");
		pack_str(pk, "");
		break;
	default:
		fail();
	}
}

static weir_bytes packed(msgpack_sbuffer *buffer, const char *spec)
{
	msgpack_packer pk;

	msgpack_sbuffer_clear(buffer);
	msgpack_packer_init(&pk, buffer, msgpack_sbuffer_write);
	msgpack_pack_map(&pk, strlen(spec));
	for (; *spec; spec++)
		pack_pair(&pk, *spec);
	return weir_bytes_of(buffer->data, buffer->size);
}

static void the_bytes_are_those_of_the_contract(void **state)
{
	static const char want[] = "\x85\xa2id\xb3"
				   "1570247656898699266\xa9"
				   "author_id\xa9"
				   "381720540\xaa"
				   "created_at\xcf\x00\x00\x01\x83\x3f\x20\x58\xa0\xaais_retweet\xc3\xa5place\xb0"
				   "Toronto, Ontario";
	char buf[200];

	(void)state;
	assert_int_equal(post_encode(&toronto, buf, sizeof buf), sizeof want - 1);
	assert_memory_equal(buf, want, sizeof want - 1);
}

static void what_is_written_is_read_back(void **state)
{
	char buf[200];
	struct post back;
	weir_error err;
	struct post post = toronto;

	(void)state;
	for (int i = 0; i < 4; i++) {
		post.is_retweet = i & 1;
		post.created_at_ms = i & 2 ? 0 : 253402300799999;
		size_t n = post_encode(&post, buf, sizeof buf);
		assert_true(n > 0 && n <= post_encoded_max(&post));
		assert_true(decode(weir_bytes_of(buf, n), &back, &err));
		assert_same(&post, &back);
	}
}

static void a_buffer_that_is_too_small_gives_nothing(void **state)
{
	char buf[200];
	size_t n = post_encode(&toronto, buf, sizeof buf);

	(void)state;
	for (size_t size = 0; size < n; size++) {
		char *exact = malloc(size ? size : 1);
		assert_int_equal(post_encode(&toronto, exact, size), 0);
		free(exact);
	}
	assert_int_equal(post_encode(&toronto, buf, n), n);
}

static void permute(msgpack_sbuffer *buffer, char *spec, int at, int *count)
{
	struct post post;
	weir_error err = { 0 };

	if (!spec[at]) {
		if (!decode(packed(buffer, spec), &post, &err))
			fail_msg("%s: %s", spec, err.message);
		assert_same(&post, &toronto);
		++*count;
		return;
	}
	for (int i = at; spec[i]; i++) {
		char c = spec[at];
		spec[at] = spec[i], spec[i] = c;
		permute(buffer, spec, at + 1, count);
		c = spec[at];
		spec[at] = spec[i], spec[i] = c;
	}
}

static void keys_are_read_in_any_order_and_unknown_ones_skipped(void **state)
{
	msgpack_sbuffer buffer;
	char spec[] = "iacrpxn";
	int count = 0;

	(void)state;
	msgpack_sbuffer_init(&buffer);
	permute(&buffer, spec, 0, &count);
	assert_int_equal(count, 5040);
	msgpack_sbuffer_destroy(&buffer);
}

static void all_lengths_of_headers_are_read(void **state)
{
	/* the same post by long headers: map32, str8, str16, str32, int64 */
	static const char wide[] = "\xdf\0\0\0\5\xd9\2id\xda\0\003123\xdb\0\0\0\x0a"
				   "created_at\xd3\0\0\0\0\0\0\0\7\xda\0\x09"
				   "author_id\xd9\1x\xd9\x0ais_retweet\xc2\xdb\0\0\0\5place\xda\0\1y";
	static const char narrow[] = "\xde\0\5\xa2id\xa1"
				     "1\xaa"
				     "created_at\xcd\1\0\xa9"
				     "author_id\xa1x\xaais_retweet\xc2\xa5place\xa1y";
	struct post post;
	weir_error err;

	(void)state;
	assert_true(decode(weir_bytes_of(wide, sizeof wide - 1), &post, &err));
	assert_true(weir_bytes_equal(post.id, weir_str("123")));
	assert_int_equal(post.created_at_ms, 7);
	assert_true(decode(weir_bytes_of(narrow, sizeof narrow - 1), &post, &err));
	assert_int_equal(post.created_at_ms, 256);
}

static void what_is_not_a_post_is_refused_with_its_reason(void **state)
{
	static const struct {
		const char *spec, *because;
	} cases[] = {
		{ "", "id is missing" },
		{ "acrp", "id is missing" },
		{ "icrp", "author_id is missing" },
		{ "iarp", "created_at is missing" },
		{ "iacp", "is_retweet is missing" },
		{ "iacr", "place is missing" },
		{ "iacrpi", "id stands there twice" },
		{ "iaccrp", "created_at stands there twice" },
		{ "iacRp", "is_retweet has another type" },
		{ "iaCrp", "created_at has another type" },
		{ "iaUrp", "created_at has another type" },
		{ "Iacrp", "id has another type" },
		{ "iaNrp", "created_at lies before 1970" },
		{ "eacrp", "id is empty" },
	};
	msgpack_sbuffer buffer;

	(void)state;
	msgpack_sbuffer_init(&buffer);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		refused(packed(&buffer, cases[i].spec), cases[i].because);
	weir_bytes in = packed(&buffer, "iacrp");
	msgpack_sbuffer_write(&buffer, "\xc0", 1);
	refused(weir_bytes_of(buffer.data, in.len + 1), "1 bytes behind its end");
	msgpack_sbuffer_destroy(&buffer);
	refused(weir_bytes_of("", 0), "neither");
	refused(WEIR_NULL, "neither");
	refused(weir_str("\x95"), "neither");
	refused(weir_str("id"), "neither");
	refused(weir_bytes_of("\xdf\xff\xff\xff\xff", 5), "broken msgpack");
	refused(weir_bytes_of("\x81\xdd\xff\xff\xff\xff\xdd\xff\xff\xff\xff", 11), "broken msgpack");
	refused(weir_bytes_of("\x81\xa2id\xdb\xff\xff\xff\xff", 9), "id has another type or is cut");
}

/* ---- texts: both forms keep the same rules ---- */

static bool takes_msgpack(struct post *post, weir_error *err)
{
	static char buf[4096];
	size_t n = post_encode(post, buf, sizeof buf);

	assert_true(n > 0);
	return decode(weir_bytes_of(buf, n), post, err);
}

static bool takes_json(struct post *post, weir_error *err)
{
	static char buf[4096];
	int n = snprintf(buf, sizeof buf,
			 "{\"author_id\":\"%.*s\",\"id\":\"%.*s\",\"created_at\":\"2022-09-15T03:10:28.000Z\","
			 "\"is_retweet\":true,\"place\":\"%.*s\"}",
			 (int)post->author_id.len, (const char *)post->author_id.data, (int)post->id.len,
			 (const char *)post->id.data, (int)post->place.len, (const char *)post->place.data);

	return decode(weir_bytes_of(buf, (size_t)n), post, err);
}

static void both(const char *place, const char *because)
{
	bool (*const forms[])(struct post *, weir_error *) = { takes_msgpack, takes_json };

	for (int i = 0; i < 2; i++) {
		struct post post = toronto;
		weir_error err = { 0 };

		post.place = weir_str(place);
		bool taken = forms[i](&post, &err);
		if (taken != !because)
			fail_msg("form %d: %s", i, taken ? "taken" : err.message);
		if (!because) {
			assert_true(weir_bytes_equal(post.place, weir_str(place)));
			assert_same(&post, &(struct post){ toronto.id, toronto.author_id, weir_str(place),
							   toronto.created_at_ms, true });
		} else if (i == 0) {
			assert_non_null(strstr(err.message, because));
		}
	}
}

static const char *repeated(const char *c, int n)
{
	static char text[4 * 200 + 1];
	size_t len = strlen(c);

	for (int i = 0; i < n; i++)
		memcpy(text + (size_t)i * len, c, len);
	text[(size_t)n * len] = 0;
	return text;
}

static void a_place_may_have_190_characters_of_any_width(void **state)
{
	static const char *const characters[] = { "x", "é", "市", "🍁" };

	(void)state;
	for (int i = 0; i < 4; i++) {
		both(repeated(characters[i], 190), NULL);
		both(repeated(characters[i], 191), "191 characters, 190 are the most");
	}
	both("Montréal, Québec", NULL);
	both("O'Brien; DROP TABLE city_windows;-- <script>", NULL);
	both("", "place is empty");
}

static void texts_that_are_not_utf8_are_refused(void **state)
{
	static const char *const broken[] = {
		"\x80",
		"abc\xff",
		"\xc3",
		"x\xc3(",
		"\xc0\x80",
		"\xc1\xbf",
		"\xe0\x9f\xbf",
		"\xed\xa0\x80",
		"\xed\xbf\xbf",
		"\xe2\x82",
		"\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xf0\x9f\x8d",
		"12345678\xe9 Montr",
	};

	(void)state;
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
		both(broken[i], "place is not valid UTF-8");
}

static void a_nul_is_refused_in_both_forms(void **state)
{
	struct post post = toronto;
	weir_error err;

	(void)state;
	post.place = weir_bytes_of("Tor\0nto", 7);
	assert_false(takes_msgpack(&post, &err));
	assert_non_null(strstr(err.message, "NUL"));
	refused(weir_str("{\"author_id\":\"1\",\"id\":\"2\",\"created_at\":\"2022-09-15T03:10:28Z\",\"is_retweet\":"
			 "true,"
			 "\"place\":\"Tor\\u0000nto\"}"),
		"NUL");
}

/* ---- the JSON form ---- */

static void the_json_form_of_the_original_is_read(void **state)
{
	static const char text[] = " {\"place\":\"Montr\\u00e9al, \\\"Quebec\\\" "
				   "\\ud83c\\udf41\",\"id\":\"2\",\"extra\":{\"a\":[1e400,"
				   "123456789012345678901234567890]},\"author_id\":\"1\",\"is_retweet\":false,"
				   "\"created_at\":\"2022-09-15T05:10:28.123456+02:00\"}\n";
	char plain[sizeof text];
	struct post post;
	weir_error err = { 0 };

	(void)state;
	snprintf(plain, sizeof plain, "%s", text);
	memcpy(strstr(plain, "1e400"), "1e100", 5);
	if (!decode(weir_str(plain), &post, &err))
		fail_msg("%s", err.message);
	memset(plain, 'x', sizeof plain); /* nothing points into it */
	assert_true(weir_bytes_equal(post.place, weir_str("Montréal, \"Quebec\" 🍁")));
	assert_true(weir_bytes_equal(post.id, weir_str("2")));
	assert_true(weir_bytes_equal(post.author_id, weir_str("1")));
	assert_int_equal(post.created_at_ms, 1663211428123);
	assert_false(post.is_retweet);
	refused(weir_str(text), "real number overflow"); /* no double is so large: not worth a special case */
}

static void json_that_is_not_a_post_is_refused_with_its_reason(void **state)
{
	static const struct {
		const char *text, *because;
	} cases[] = {
		{ "{", "post (JSON):" },
		{ "{}", "id is missing" },
		{ "{\"id\":1}", "id is not a string" },
		{ "{\"id\":\"1\",\"id\":\"2\"}", "duplicate object key" },
		{ "{\"id\":\"1\",\"author_id\":\"2\",\"created_at\":\"yesterday\",\"place\":\"x\",\"is_retweet\":"
		  "true}",
		  "created_at is no RFC 3339 time: \"yesterday\"" },
		{ "{\"id\":\"1\",\"author_id\":\"2\",\"created_at\":\"2022-09-15T03:10:28Z\",\"place\":\"x\",\"is_"
		  "retweet\":1}",
		  "is_retweet is not true or false" },
		{ "{\"id\":\"1\",\"author_id\":\"2\",\"created_at\":\"1969-12-31T23:59:59.999Z\",\"place\":\"x\","
		  "\"is_retweet\":true}",
		  "before 1970" },
		{ "{\"id\":\"\",\"author_id\":\"2\",\"created_at\":\"2022-09-15T03:10:28Z\",\"place\":\"x\",\"is_"
		  "retweet\":true}",
		  "id is empty" },
		{ "{\"id\":\"\\ud800\"}", "post (JSON):" },
		{ "{\"id\":\"1\"} {}", "end of file expected" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		refused(weir_str(cases[i].text), cases[i].because);
	refused(weir_bytes_of("{\0}", 3), "post (JSON):");
	refused(weir_str("[1]"), "neither");
}

static void deeply_nested_input_is_refused_or_skipped_without_recursion(void **state)
{
	enum { DEPTH = 1000000 };
	char *text = malloc(DEPTH + 100);
	struct post post;
	weir_error err;

	(void)state;
	memcpy(text, "{\"x\":", 5);
	memset(text + 5, '[', DEPTH);
	refused(weir_bytes_of(text, DEPTH + 5), "maximum parsing depth");
	/* msgpack: {"x": [[[[...nil...]]]], ... the five } */
	char *p = text;
	*p++ = (char)0x86;
	*p++ = (char)0xa1;
	*p++ = 'x';
	memset(p, 0x91, DEPTH - 200);
	p += DEPTH - 200;
	*p++ = (char)0xc0;
	char buf[200];
	size_t n = post_encode(&toronto, buf, sizeof buf);
	memcpy(p, buf + 1, n - 1);
	p += n - 1;
	assert_true(decode(weir_bytes_of(text, (size_t)(p - text)), &post, &err));
	assert_same(&post, &toronto);
	free(text);
}

/* ---- random bytes ---- */

/* Is `in` one whole msgpack value in msgpack-c's eyes, a map with the five keys? */
static bool whole_by_msgpack_c(weir_bytes in)
{
	msgpack_unpacked result;
	size_t at = 0;

	msgpack_unpacked_init(&result);
	msgpack_unpack_return r = msgpack_unpack_next(&result, in.data, in.len, &at);
	bool whole = r == MSGPACK_UNPACK_SUCCESS && at == in.len && result.data.type == MSGPACK_OBJECT_MAP;
	msgpack_unpacked_destroy(&result);
	return whole;
}

static void random_changes_never_make_it_read_outside_or_take_what_msgpack_c_refuses(void **state)
{
	uint64_t seed = 20220915;
	msgpack_sbuffer buffer;
	size_t taken = 0, rounds = 200000;

	(void)state;
	msgpack_sbuffer_init(&buffer);
	weir_bytes model = packed(&buffer, "xiacnrp");
	for (size_t i = 0; i < rounds; i++) {
		size_t n = next_random(&seed) % 4 ? model.len : next_random(&seed) % (model.len + 1);
		unsigned char *in = malloc(n ? n : 1); /* of exactly this size: a sanitizer sees any step outside */
		struct post post;
		weir_error err;

		memcpy(in, model.data, n);
		for (uint64_t changes = next_random(&seed) % 4; n && changes; changes--)
			in[next_random(&seed) % n] = (unsigned char)next_random(&seed);
		weir_bytes bytes = weir_bytes_of(in, n);
		if (decode(bytes, &post, &err)) {
			taken++;
			assert_true(whole_by_msgpack_c(bytes));
			assert_true((const unsigned char *)post.id.data >= in &&
				    (const unsigned char *)post.id.data < in + n);
			assert_true(utf8_length(post.place) <= POST_PLACE_CHARS_MAX);
		}
		free(in);
	}
	msgpack_sbuffer_destroy(&buffer);
	assert_in_range(taken, rounds / 10, rounds - rounds / 10);
}

static void random_bytes_are_refused_quietly(void **state)
{
	static const char first[] = "{\x85\x86\xde\xdf\x80 ";
	uint64_t seed = 7;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		size_t n = 1 + next_random(&seed) % 64;
		unsigned char *in = malloc(n);
		struct post post;
		weir_error err;

		for (size_t j = 0; j < n; j++)
			in[j] = (unsigned char)next_random(&seed);
		in[0] = (unsigned char)first[next_random(&seed) % 7];
		assert_false(decode(weir_bytes_of(in, n), &post, &err));
		assert_int_equal(err.code, WEIR_DECODE);
		free(in);
	}
}

static void random_posts_agree_with_msgpack_c(void **state)
{
	uint64_t seed = 99;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		char id[300], place[100], buf[600];
		struct post post = { .id = { id, 1 + next_random(&seed) % sizeof id },
				     .author_id = weir_str("7"),
				     .place = { place, 1 + next_random(&seed) % sizeof place },
				     .created_at_ms =
					     (int64_t)(next_random(&seed) >> (1 + next_random(&seed) % 63)) };
		struct post back;
		weir_error err;

		memset(id, 'a' + i % 26, sizeof id);
		memset(place, 'A' + i % 26, sizeof place);
		size_t n = post_encode(&post, buf, sizeof buf);
		assert_true(n && whole_by_msgpack_c(weir_bytes_of(buf, n)));
		assert_true(decode(weir_bytes_of(buf, n), &back, &err));
		assert_same(&post, &back);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_bytes_are_those_of_the_contract),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(a_buffer_that_is_too_small_gives_nothing),
		cmocka_unit_test(keys_are_read_in_any_order_and_unknown_ones_skipped),
		cmocka_unit_test(all_lengths_of_headers_are_read),
		cmocka_unit_test(what_is_not_a_post_is_refused_with_its_reason),
		cmocka_unit_test(a_place_may_have_190_characters_of_any_width),
		cmocka_unit_test(texts_that_are_not_utf8_are_refused),
		cmocka_unit_test(a_nul_is_refused_in_both_forms),
		cmocka_unit_test(the_json_form_of_the_original_is_read),
		cmocka_unit_test(json_that_is_not_a_post_is_refused_with_its_reason),
		cmocka_unit_test(deeply_nested_input_is_refused_or_skipped_without_recursion),
		cmocka_unit_test(random_changes_never_make_it_read_outside_or_take_what_msgpack_c_refuses),
		cmocka_unit_test(random_bytes_are_refused_quietly),
		cmocka_unit_test(random_posts_agree_with_msgpack_c),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
