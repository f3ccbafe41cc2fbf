#include "apps/evilnet/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <weir/rng.h>

static void assert_line(struct lines *l, const char *want)
{
	struct line line;

	assert_true(lines_next(l, &line));
	assert_int_equal(line.text.len, strlen(want));
	assert_memory_equal(line.text.data, want, strlen(want));
	assert_int_equal(line.length, strlen(want));
}

static void push(struct lines *l, const char *text)
{
	lines_push(l, text, strlen(text));
}

static void lines_are_cut_at_lf_and_crlf_and_blank_ones_left_out(void **state)
{
	struct lines l = { 0 };
	struct line line;

	(void)state;
	assert_false(lines_next(&l, &line));
	push(&l, "one\r\n\r\n\n  \t\r\ntwo\nthree");
	assert_line(&l, "one");
	assert_line(&l, "two");
	assert_false(lines_next(&l, &line));
	push(&l, " and more\r");
	assert_false(lines_next(&l, &line));
	push(&l, "\n");
	assert_line(&l, "three and more");
	assert_false(lines_rest(&l, &line));
	lines_release(&l);
}

static void the_rest_behind_the_last_feed_is_given_at_the_end(void **state)
{
	struct lines l = { 0 };
	struct line line;

	(void)state;
	push(&l, "one\ntwo");
	assert_line(&l, "one");
	assert_false(lines_next(&l, &line));
	assert_true(lines_rest(&l, &line));
	assert_int_equal(line.text.len, 3);
	assert_false(lines_rest(&l, &line));
	push(&l, "\r");
	assert_false(lines_rest(&l, &line));
	push(&l, "three\n");
	assert_line(&l, "three");
	lines_release(&l);
}

/* However the bytes are parted, the lines are the same. */
static void chunks_of_any_size_give_the_same_lines(void **state)
{
	static const char text[] = "{\"a\":\"Montréal\"}\r\n\r\n{\"b\":\"🍁\"}\n\nx\r\ny\n";
	static const char *const want[] = { "{\"a\":\"Montréal\"}", "{\"b\":\"🍁\"}", "x", "y" };
	weir_rng rng = weir_rng_seeded(1);

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct lines l = { 0 };
		size_t at = 0, seen = 0;

		while (at < sizeof text - 1) {
			size_t n = 1 + weir_rng_below(&rng, 1 + (uint64_t)round % 20);
			struct line line;

			n = n < sizeof text - 1 - at ? n : sizeof text - 1 - at;
			lines_push(&l, text + at, n);
			at += n;
			while (lines_next(&l, &line)) {
				assert_true(seen < 4 && line.text.len == strlen(want[seen]));
				assert_memory_equal(line.text.data, want[seen], line.text.len);
				seen++;
			}
		}
		assert_int_equal(seen, 4);
		lines_release(&l);
	}
}

/* Pushes a line of n bytes "abcabc..." in chunks. */
static void push_long(struct lines *l, size_t n, size_t chunk)
{
	char *text = malloc(chunk);
	struct line line;

	for (size_t i = 0; i < chunk; i++)
		text[i] = (char)('a' + i % 26);
	while (n) {
		size_t part = n < chunk ? n : chunk;
		lines_push(l, text, part);
		n -= part;
		assert_false(lines_next(l, &line));
	}
	free(text);
}

static void a_line_that_is_too_long_gives_its_head_and_its_length(void **state)
{
	static const size_t chunks[] = { 1000, 65536, 5 << 20 };
	struct lines l = { 0 };
	struct line line;

	(void)state;
	for (int i = 0; i < 3; i++) {
		push_long(&l, LINE_BYTES_MAX + 5000, chunks[i]);
		assert_true(l.size < LINE_BYTES_MAX * 12);
		push(&l, "end\nnext\n");
		assert_true(lines_next(&l, &line));
		assert_int_equal(line.length, LINE_BYTES_MAX + 5003);
		assert_int_equal(line.text.len, LINE_HEAD_BYTES);
		assert_memory_equal(line.text.data, "abcdef", 6);
		assert_line(&l, "next");
		push_long(&l, LINE_BYTES_MAX, chunks[i]); /* just not too long */
		push(&l, "\n");
		assert_true(lines_next(&l, &line));
		assert_int_equal(line.text.len, LINE_BYTES_MAX);
		push_long(&l, 3 * LINE_BYTES_MAX, chunks[i]);
		assert_true(lines_rest(&l, &line));
		assert_int_equal(line.length, 3 * LINE_BYTES_MAX);
		assert_int_equal(line.text.len, LINE_HEAD_BYTES);
	}
	/* one push brings all of it */
	char *all = malloc(2 * LINE_BYTES_MAX);
	memset(all, 'z', 2 * LINE_BYTES_MAX - 1);
	all[2 * LINE_BYTES_MAX - 1] = '\n';
	lines_push(&l, all, 2 * LINE_BYTES_MAX);
	assert_true(lines_next(&l, &line));
	assert_int_equal(line.length, 2 * LINE_BYTES_MAX - 1);
	assert_int_equal(line.text.len, LINE_HEAD_BYTES);
	free(all);
	lines_release(&l);
}

static void a_flood_without_a_line_feed_does_not_fill_memory(void **state)
{
	struct lines l = { 0 };

	(void)state;
	push_long(&l, (size_t)200 << 20, 65536);
	assert_true(l.size <= 4 * LINE_BYTES_MAX);
	lines_release(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_cut_at_lf_and_crlf_and_blank_ones_left_out),
		cmocka_unit_test(the_rest_behind_the_last_feed_is_given_at_the_end),
		cmocka_unit_test(chunks_of_any_size_give_the_same_lines),
		cmocka_unit_test(a_line_that_is_too_long_gives_its_head_and_its_length),
		cmocka_unit_test(a_flood_without_a_line_feed_does_not_fill_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
