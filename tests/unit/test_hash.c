#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <weir/kafka.h>

#include "framework/base/hash.h"

static const struct {
	const char *key;
	size_t len;
	int32_t hash, of_6, of_1000;
} vectors[] = {
#include "tests/unit/murmur2_vectors.inc"
};

static void keys_go_to_the_partitions_that_the_java_client_gives_them(void **state)
{
	(void)state;
	assert_true(sizeof vectors / sizeof *vectors >= 50);
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		/* On the heap and of exact size, so that reading past the end does not go unseen under a
		 * sanitizer. */
		char *exact = malloc(vectors[i].len ? vectors[i].len : 1);
		weir_bytes key = { memcpy(exact, vectors[i].key, vectors[i].len), vectors[i].len };

		assert_int_equal((int32_t)weir__murmur2(key), vectors[i].hash);
		assert_int_equal(weir_partition_for_key(key, 6), vectors[i].of_6);
		assert_int_equal(weir_partition_for_key(key, 1000), vectors[i].of_1000);
		assert_int_equal(weir_partition_for_key(key, 1), 0);
		free(exact);
	}
}

static void a_null_key_hashes_as_an_empty_one(void **state)
{
	(void)state;
	assert_int_equal(weir__murmur2(WEIR_NULL), weir__murmur2(weir_str("")));
	assert_true(weir__hash(WEIR_NULL) == weir__hash(weir_str("")));
}

/* Published values of XXH3_64bits: a library that gave others would make stored sketches worthless. */
static void the_fast_hash_is_xxh3(void **state)
{
	(void)state;
	assert_true(weir__hash(weir_str("")) == 0x2d06800538d394c2);
	assert_true(weir__hash(weir_str("a")) == 0xe6c632b61e964e1f);
	assert_true(weir__hash(weir_str("abc")) == 0x78af5f94892f3950);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_go_to_the_partitions_that_the_java_client_gives_them),
		cmocka_unit_test(a_null_key_hashes_as_an_empty_one),
		cmocka_unit_test(the_fast_hash_is_xxh3),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
