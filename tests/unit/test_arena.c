#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <weir/rng.h>

#include "framework/base/arena.h"

static int set_up(void **state)
{
	static struct arena a;

	weir__arena_init(&a, 256);
	*state = &a;
	return 0;
}

static int tear_down(void **state)
{
	weir__arena_release(*state);
	weir__arena_release(*state); /* twice does no harm */
	return 0;
}

static void pieces_are_aligned_and_do_not_overlap(void **state)
{
	struct arena *a = *state;
	weir_rng r = weir_rng_seeded(1);
	unsigned char *pieces[500];
	size_t sizes[500];

	for (int i = 0; i < 500; i++) {
		sizes[i] = weir_rng_below(&r, i % 50 ? 40 : 2000);
		pieces[i] = weir__arena_alloc(a, sizes[i]);
		assert_non_null(pieces[i]);
		assert_true((uintptr_t)pieces[i] % 16 == 0);
		memset(pieces[i], i & 0xff, sizes[i]);
	}
	for (int i = 0; i < 500; i++)
		for (size_t j = 0; j < sizes[i]; j++)
			assert_int_equal(pieces[i][j], i & 0xff);
}

static void nothing_of_an_empty_arena_is_a_pointer_all_the_same(void **state)
{
	assert_non_null(weir__arena_alloc(*state, 0));
	assert_ptr_not_equal(weir__arena_alloc(*state, 0), weir__arena_alloc(*state, 0));
	assert_non_null(weir__arena_zalloc(*state, 0));
}

static void a_reset_gives_the_same_memory_again(void **state)
{
	void *first = weir__arena_alloc(*state, 100);

	weir__arena_reset(*state);
	assert_ptr_equal(weir__arena_alloc(*state, 100), first);
}

static void the_block_grows_until_a_steady_state_allocates_nothing(void **state)
{
	struct arena *a = *state;
	const void *kept = NULL;

	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 100; i++)
			weir__arena_alloc(a, 50);
		if (round == 10)
			kept = a->block;
		if (round > 10)
			assert_ptr_equal(a->block, kept);
		weir__arena_reset(a);
	}
	assert_int_equal(a->block_size, 8192); /* 100 * 64 bytes */
}

static void a_giant_is_not_kept_for_ever(void **state)
{
	struct arena *a = *state;

	weir__arena_alloc(a, 1);
	for (int i = 0; i < 20; i++) {
		weir__arena_alloc(a, 100);
		weir__arena_alloc(a, 16 << 20);
		weir__arena_reset(a);
	}
	assert_in_range(a->block_size, 512, 1 << 20);
}

static void cleared_memory_is_cleared(void **state)
{
	memset(weir__arena_alloc(*state, 200), 0xff, 200);
	weir__arena_reset(*state);
	const char *p = weir__arena_zalloc(*state, 200);
	for (int i = 0; i < 200; i++)
		assert_int_equal(p[i], 0);
}

static void copies_keep_null_apart_from_empty_and_end_in_nul(void **state)
{
	weir_bytes b = weir__arena_copy(*state, weir_bytes_of("a\0b", 3));

	assert_int_equal(b.len, 3);
	assert_memory_equal(b.data, "a\0b\0", 4);
	assert_true(weir_is_null(weir__arena_copy(*state, WEIR_NULL)));
	assert_false(weir_is_null(weir__arena_copy(*state, weir_str(""))));
	assert_string_equal(weir__arena_strdup(*state, "text"), "text");
	assert_null(weir__arena_strdup(*state, NULL));
}

static void formatted_text_of_any_length_fits(void **state)
{
	const char *s = weir__arena_printf(*state, "%s-%01000d", "x", 7);

	assert_int_equal(strlen(s), 1002);
	assert_string_equal(s + 1000, "07");
	assert_string_equal(weir__arena_printf(*state, "%s", ""), "");
}

#ifdef __SANITIZE_ADDRESS__
static void bytes_outside_of_pieces_are_poisoned(void **state)
{
	char *p = weir__arena_alloc(*state, 10);

	assert_false(__asan_address_is_poisoned(p + 9));
	assert_true(__asan_address_is_poisoned(p + 10));
	weir__arena_reset(*state);
	assert_true(__asan_address_is_poisoned(p));
}
#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pieces_are_aligned_and_do_not_overlap),
		TEST(nothing_of_an_empty_arena_is_a_pointer_all_the_same),
		TEST(a_reset_gives_the_same_memory_again),
		TEST(the_block_grows_until_a_steady_state_allocates_nothing),
		TEST(a_giant_is_not_kept_for_ever),
		TEST(cleared_memory_is_cleared),
		TEST(copies_keep_null_apart_from_empty_and_end_in_nul),
		TEST(formatted_text_of_any_length_fits),
#ifdef __SANITIZE_ADDRESS__
		TEST(bytes_outside_of_pieces_are_poisoned),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
