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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shorts_are_two_bytes),
		cmocka_unit_test(floats_are_four_bytes),
		cmocka_unit_test(booleans_are_a_byte),
		cmocka_unit_test(uuids_are_their_text),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
