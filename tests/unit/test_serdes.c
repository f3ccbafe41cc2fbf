/* Ready serdes: the bytes are those that Kafka's Java serializers make. */
#include <weir/serde.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "framework/operators/operator.h"

static weir_context cx;

static int set_up(void **state)
{
	(void)state;
	weir__arena_init(&cx.arena, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	weir__arena_release(&cx.arena);
	return 0;
}

/* There and back. */
static void assert_bytes(const weir_serde *serde, const void *object, const void *bytes, size_t len)
{
	weir_bytes encoded = serde->encode(&cx, object);
	weir_error err;

	assert_int_equal(encoded.len, len);
	assert_memory_equal(encoded.data, bytes, len);
	const void *decoded = serde->decode(&cx, encoded, &err);

	assert_non_null(decoded);
	assert_memory_equal(decoded, object, serde->size);
}

static void assert_unreadable(const weir_serde *serde, const char *bytes, size_t len)
{
	weir_error err = { 0 };

	assert_null(serde->decode(&cx, weir_bytes_of(bytes, len), &err));
	assert_int_equal(err.code, WEIR_DECODE);
}

static void shorts_are_two_bytes(void **state)
{
	(void)state;
	assert_bytes(&weir_int16, &(int16_t){ 258 }, "\1\2", 2);
	assert_bytes(&weir_int16, &(int16_t){ -2 }, "\xff\xfe", 2);
	assert_bytes(&weir_int16, &(int16_t){ INT16_MIN }, "\x80\0", 2);
	assert_unreadable(&weir_int16, "\1\2\3", 3);
	assert_unreadable(&weir_int16, "", 0);
}

static void floats_are_four_bytes(void **state)
{
	(void)state;
	assert_bytes(&weir_float, &(float){ 1.0f }, "\x3f\x80\0\0", 4);
	assert_bytes(&weir_float, &(float){ -2.5f }, "\xc0\x20\0\0", 4);
	assert_unreadable(&weir_float, "\0\0\0", 3);
}

static void booleans_are_a_byte(void **state)
{
	(void)state;
	assert_bytes(&weir_bool, &(bool){ true }, "\1", 1);
	assert_bytes(&weir_bool, &(bool){ false }, "\0", 1);
	assert_unreadable(&weir_bool, "\2", 1);
	assert_unreadable(&weir_bool, "\1\1", 2);
	assert_unreadable(&weir_bool, "", 0);
}

static void uuids_are_their_text(void **state)
{
	static const unsigned char uuid[16] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
						0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10 };
	const char *upper = "01234567-89AB-CDEF-FEDC-BA9876543210";
	weir_error err;

	(void)state;
	assert_bytes(&weir_uuid, uuid, "01234567-89ab-cdef-fedc-ba9876543210", 36);
	assert_memory_equal(weir_uuid.decode(&cx, weir_str(upper), &err), uuid, 16);
	assert_unreadable(&weir_uuid, "01234567-89ab-cdef-fedc-ba987654321", 35);
	assert_unreadable(&weir_uuid, "01234567-89ab-cdef-fedc-ba9876543210a", 37);
	assert_unreadable(&weir_uuid, "0123456789-ab-cdef-fedc-ba9876543210", 36);
	assert_unreadable(&weir_uuid, "0123456g-89ab-cdef-fedc-ba9876543210", 36);
	assert_unreadable(&weir_uuid, "1-1-1-1-1", 9);
}

static void nothing_is_written_as_null_and_nothing_else_is_read(void **state)
{
	(void)state;
	assert_true(weir_is_null(weir_void.encode(&cx, "something")));
	assert_unreadable(&weir_void, "", 0);
	assert_unreadable(&weir_void, "x", 1);
}

/* --- lists ---------------------------------------------------------------------------------------------------- */

WEIR_LIST_SERDE(texts, weir_utf8);
WEIR_LIST_SERDE(ints, weir_int32);
WEIR_LIST_SERDE(uuids, weir_uuid);
WEIR_LIST_SERDE(booleans, weir_bool);
WEIR_LIST_SERDE(lists, ints);

#define BYTES(literal) literal, sizeof literal - 1

static void assert_list(const weir_serde *serde, const void *const *items, size_t n, const char *bytes, size_t len)
{
	weir_bytes encoded = serde->encode(&cx, &(weir_list){ items, n });
	weir_error err = { 0 };

	assert_int_equal(encoded.len, len);
	assert_memory_equal(encoded.data, bytes, len);
	const weir_list *list = serde->decode(&cx, encoded, &err);

	assert_non_null(list);
	assert_int_equal(list->count, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(!list->items[i], !items[i]);
	weir_bytes again = serde->encode(&cx, list);

	assert_int_equal(again.len, len);
	assert_memory_equal(again.data, bytes, len);
}

static void entries_of_any_size_have_their_length_before_them(void **state)
{
	weir_bytes ab = weir_str("ab"), empty = weir_str("");
	bool yes = true;

	(void)state;
	assert_list(&texts, NULL, 0, BYTES("\1\0\0\0\0"));
	assert_list(&texts, (const void *[]){ &ab, NULL, &empty }, 3,
		    BYTES("\1\0\0\0\3\0\0\0\2ab\xff\xff\xff\xff\0\0\0\0"));
	/* Java does not count booleans among those of one size */
	assert_list(&booleans, (const void *[]){ &yes }, 1, BYTES("\1\0\0\0\1\0\0\0\1\1"));
}

static void entries_of_one_size_lie_behind_the_places_of_nulls(void **state)
{
	static const unsigned char uuid[16] = { 0xff };
	int32_t one = 1, two = 2;

	(void)state;
	assert_list(&ints, NULL, 0, BYTES("\0\0\0\0\0\0\0\0\0"));
	assert_list(&ints, (const void *[]){ NULL, &one, NULL, &two }, 4,
		    BYTES("\0\0\0\0\2\0\0\0\0\0\0\0\2\0\0\0\4\0\0\0\1\0\0\0\2"));
	assert_list(&ints, (const void *[]){ NULL }, 1, BYTES("\0\0\0\0\1\0\0\0\0\0\0\0\1"));
	assert_list(&uuids, (const void *[]){ uuid }, 1,
		    BYTES("\0\0\0\0\0\0\0\0\1"
			  "ff000000-0000-0000-0000-000000000000"));
}

static void lists_may_be_of_lists(void **state)
{
	int32_t one = 1;
	weir_list inner = { (const void *[]){ &one }, 1 };

	(void)state;
	assert_list(&lists, (const void *[]){ &inner, NULL }, 2,
		    BYTES("\1\0\0\0\2\0\0\0\15\0\0\0\0\0\0\0\0\1\0\0\0\1\xff\xff\xff\xff"));
}

static void java_also_reads(void **state)
{
	weir_error err = { 0 };
	const weir_list *list;

	(void)state;
	/* entries of one size with their lengths */
	list = ints.decode(&cx, weir_bytes_of(BYTES("\1\0\0\0\1\0\0\0\4\0\0\0\7")), &err);
	assert_int_equal(*(const int32_t *)list->items[0], 7);
	/* a place twice, and one beyond the list */
	list = ints.decode(&cx, weir_bytes_of(BYTES("\0\0\0\0\3\0\0\0\0\0\0\0\0\0\0\0\11\0\0\0\1")), &err);
	assert_int_equal(list->count, 1);
	assert_null(list->items[0]);
}

static void what_is_no_list_is_not_read(void **state)
{
	(void)state;
	assert_unreadable(&texts, BYTES(""));
	assert_unreadable(&texts, BYTES("\2\0\0\0\0"));
	assert_unreadable(&texts, BYTES("\xff\0\0\0\0"));
	assert_unreadable(&texts, BYTES("\1\0\0\0"));
	assert_unreadable(&texts, BYTES("\1\xff\xff\xff\xff"));
	assert_unreadable(&texts, BYTES("\1\x7f\xff\xff\xff\0\0\0\0")); /* more than there is room for */
	assert_unreadable(&texts, BYTES("\1\0\0\0\1\0\0\0\2a"));
	assert_unreadable(&texts, BYTES("\1\0\0\0\1\xff\xff\xff\xfe")); /* shorter than null */
	assert_unreadable(&texts, BYTES("\1\0\0\0\1\0\0\0\1ab"));       /* something behind it */
	assert_unreadable(&texts, BYTES("\0\0\0\0\0\0\0\0\0"));         /* of one size */
	assert_unreadable(&ints, BYTES("\0\xff\xff\xff\xff\0\0\0\0"));
	assert_unreadable(&ints, BYTES("\0\x7f\xff\xff\xff\0\0\0\0"));
	assert_unreadable(&ints, BYTES("\0\0\0\0\0\0\0\0\2\0\0\0\1"));
	assert_unreadable(&ints, BYTES("\1\0\0\0\1\0\0\0\3\0\0\7")); /* an entry that is no number */
	assert_unreadable(&lists, BYTES("\1\0\0\0\1\0\0\0\1\0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shorts_are_two_bytes),
		cmocka_unit_test(floats_are_four_bytes),
		cmocka_unit_test(booleans_are_a_byte),
		cmocka_unit_test(uuids_are_their_text),
		cmocka_unit_test(nothing_is_written_as_null_and_nothing_else_is_read),
		cmocka_unit_test(entries_of_any_size_have_their_length_before_them),
		cmocka_unit_test(entries_of_one_size_lie_behind_the_places_of_nulls),
		cmocka_unit_test(lists_may_be_of_lists),
		cmocka_unit_test(java_also_reads),
		cmocka_unit_test(what_is_no_list_is_not_read),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
