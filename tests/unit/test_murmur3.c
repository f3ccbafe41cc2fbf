#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "framework/base/murmur3.h"

/* Of org.apache.kafka.streams.state.internals.Murmur3.hash128, Kafka Streams 4.3.1: the first n characters of a row
 * that has 'a' + i % 26 at even i and U+00E9 at odd ones, in UTF-8. */
static const struct {
	int characters;
	const char *hash;
} vectors[] = {
	{ 0, "9d2764a018e329428c3cf3b035938518" },  { 1, "3361634e7e0f5188e9c7dda24eae326b" },
	{ 2, "11771f7f61116b2ccb4ef65040d4ce19" },  { 3, "7b0729f2bcbdc8f74f7658b666f65de8" },
	{ 4, "eec9721036b748aaa4d1cf619318864d" },  { 5, "fbe45c4697da482aa259c3f8e112b18e" },
	{ 6, "539679f54da62b236b935ff8e30fbb7c" },  { 7, "06751b30923b2cdb4c61ec48a2e92a9c" },
	{ 8, "6e6b29e862d2c4b86d9152b46c20544d" },  { 9, "9a0ec8d53fde6e37f77729ea16d3534a" },
	{ 10, "7d9e9ccd15ab96463f039330cdba03c7" }, { 11, "ff889fc87edc8f1b6819a079456adb30" },
	{ 12, "a55b3c52cef33594cdb86dd3e2f9787f" }, { 13, "0a836cbc019fa6fda02c3001e1a0237a" },
	{ 14, "6d542a553dc4a7cd6f481c387a648208" }, { 15, "f8fbae7e2ec598150746e46f42a0573f" },
	{ 16, "27b3776a48b79ebe506f2b6cf1b849b9" }, { 17, "dc4892d71350d17ca05c69a68faac66c" },
	{ 18, "cf4e5ff088bcb34adb465898f23c983b" }, { 19, "e2aecffa4e1ab2960f4d69fb91fe3cfd" },
	{ 31, "ea13f60d799b6708ab265116729d9403" }, { 32, "82d87c7aa396c645ea46b9465c4bc5cc" },
	{ 33, "ec6e94442b575f19aa99f080131cbffd" }, { 34, "08a79fca04efe19ca6d2fcd8e8e9ab05" },
	{ 35, "fef594520feffc63145e659948084f87" }, { 36, "0b0bf3ca4a74f07ce29e2971fca56fb5" },
	{ 37, "fbf326a105308cb6a1d0d9b643cce211" }, { 38, "1ef7ff4cac61fd02da4225f54b3dd0f5" },
	{ 39, "62587ff74056b3e7d2054a14f3226459" },
};

static void it_hashes_as_kafka_streams_does(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		unsigned char hash[MURMUR3_BYTES];
		char text[100], hex[2 * MURMUR3_BYTES + 1];
		size_t n = 0;

		for (int c = 0; c < vectors[i].characters; c++) {
			if (c % 2 == 0) {
				text[n++] = (char)('a' + c % 26);
				continue;
			}
			text[n++] = (char)0xc3;
			text[n++] = (char)0xa9;
		}
		weir__murmur3(weir_bytes_of(text, n), hash);
		for (int b = 0; b < MURMUR3_BYTES; b++)
			snprintf(hex + 2 * b, 3, "%02x", hash[b]);
		assert_string_equal(hex, vectors[i].hash);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(it_hashes_as_kafka_streams_does) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
