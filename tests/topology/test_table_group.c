/* Tables grouped by another key, and their aggregates. */
#include "tests/topology/topology_test.h"

/* Values are "team:score"; the rest of the value is the row in its group. */
static void by_team(weir_context *cx, const weir_record *in, weir_record *out, void *user)
{
	const weir_bytes *v = weir_value(in);
	const char *text_of = v->data, *colon = v->len ? memchr(text_of, ':', v->len) : NULL;

	(void)user;
	if (!colon) {
		weir_set_key(out, WEIR_NULL);
		return;
	}
	weir_set_key(out, weir_bytes_of(text_of, (size_t)(colon - text_of)));
	size_t rest = v->len - (size_t)(colon + 1 - text_of);

	weir_set_value(out, rest ? text(cx, "%.*s", (int)rest, colon + 1) : NULL);
}

static weir_grouped_table *teams(weir_topology *t)
{
	weir_table *players = weir_table_source(t, "players", (weir_table_source_opts){ .value = &weir_utf8 });

	return weir_table_group_by(players, "by-team", by_team, (weir_group_by_opts){ 0 }, NULL);
}

static weir_driver *driver_of(weir_topology *t, weir_table *table)
{
	weir_sink(weir_changes(table), "out", (weir_sink_opts){ 0 });
	return driver(t, (weir_driver_opts){ 0 });
}

static void count_follows_rows_from_group_to_group(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_driver *d = driver_of(t, weir_grouped_count(teams(t), "sizes", (weir_table_opts){ 0 }));

	weir_driver_pipe(d, "players", "ann", "red:1", 1);
	weir_driver_pipe(d, "players", "bob", "red:2", 2);
	weir_driver_pipe(d, "players", "ann", "blue:3", 3);
	weir_driver_pipe(d, "players", "bob", "red:4", 4);
	weir_driver_pipe(d, "players", "bob", NULL, 5);
	assert_numbers(d, "out", "red=1@1", "red=2@2", "red=1@3", "blue=1@3", "red=1@4", "red=0@5");
	weir_driver_free(d);
}

static void rows_without_a_key_or_a_value_are_in_no_group(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_driver *d = driver_of(t, weir_grouped_count(teams(t), "sizes", (weir_table_opts){ 0 }));

	weir_driver_pipe(d, "players", "ann", "no team", 1);
	weir_driver_pipe(d, "players", "ann", "red:", 2);
	assert_nothing(d, "out");
	weir_driver_pipe(d, "players", "ann", "red:1", 3);
	weir_driver_pipe(d, "players", "ann", "no team", 4);
	assert_numbers(d, "out", "red=1@3", "red=0@4");
	weir_driver_free(d);
}

static void changes_lie_in_the_topic_as_kafka_streams_writes_them(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_driver_record r;
	char wide[200];

	(void)state;
	weir_driver *d = driver_of(t, weir_grouped_count(teams(t), "sizes", (weir_table_opts){ 0 }));

	memset(wide, 'x', sizeof wide);
	memcpy(wide, "red:", 4);
	weir_driver_pipe(d, "players", "ann", "red:1", 1);
	weir_driver_pipe_record(d, "players", -1, weir_str("ann"), weir_bytes_of(wide, 4 + 150), 2, NULL);
	weir_driver_pipe(d, "players", "ann", "blue:34", 3);
	static const struct {
		const char *key;
		size_t len;
		const char *begin, *end;
	} wanted[] = {
		{ "red", 2, "1", "1\1" },             /* new alone */
		{ "red", 154, "\xac\2xxx", "xx1\2" }, /* both: length 150 as a zigzag varint, new, old */
		{ "red", 151, "xxxx", "xx\0" },       /* old alone, to the group it leaves */
		{ "blue", 3, "34", "34\1" },
	};

	for (size_t i = 0; i < LENGTH(wanted); i++) {
		size_t end = strlen(wanted[i].end) + (i == 2);

		assert_true(weir_driver_read(d, "app-by-team-repartition", &r));
		assert_bytes(r.key, wanted[i].key);
		assert_int_equal(r.value.len, wanted[i].len);
		assert_memory_equal(r.value.data, wanted[i].begin, strlen(wanted[i].begin));
		assert_memory_equal((const char *)r.value.data + r.value.len - end, wanted[i].end, end);
	}
	assert_numbers(d, "out", "red=1@1", "red=1@2", "red=0@3", "blue=1@3");
	weir_driver_free(d);
}

static int64_t number(const void *object)
{
	const weir_bytes *b = object;
	char digits[24];

	snprintf(digits, sizeof digits, "%.*s", (int)b->len, (const char *)b->data);
	return strtoll(digits, NULL, 10);
}

static const void *plus(weir_context *cx, const void *aggregate, const void *value, void *user)
{
	(void)user;
	return text(cx, "%lld", (long long)(number(aggregate) + number(value)));
}

static const void *minus(weir_context *cx, const void *aggregate, const void *value, void *user)
{
	long long n = (long long)(number(aggregate) - number(value));

	(void)user;
	return n ? text(cx, "%lld", n) : NULL;
}

static void reduce_takes_the_old_value_out_before_it_puts_the_new_one_in(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_driver *d =
		driver_of(t, weir_grouped_reduce(teams(t), "scores", plus, minus, (weir_table_opts){ 0 }, NULL));

	weir_driver_pipe(d, "players", "ann", "red:5", 10);
	weir_driver_pipe(d, "players", "bob", "red:7", 4);
	weir_driver_pipe(d, "players", "ann", "red:6", 11);
	weir_driver_pipe(d, "players", "bob", NULL, 12);
	weir_driver_pipe(d, "players", "ann", NULL, 13); /* nothing is left: the group goes */
	weir_driver_pipe(d, "players", "cat", "red:1", 14);
	assert_text(d, "out", "red=5@10", "red=12@10", "red=13@11", "red=6@12", "red=null@13", "red=1@14");
	weir_driver_free(d);
}

/* --- aggregates -------------------------------------------------------------------------------------------------
 * */

static void hundred(weir_context *cx, void *aggregate, void *user)
{
	(void)cx, (void)user;
	*(int64_t *)aggregate = 100;
}

static void add(weir_context *cx, const weir_record *r, void *aggregate, void *user)
{
	(void)cx, (void)user;
	*(int64_t *)aggregate += number(weir_value(r));
}

static void subtract(weir_context *cx, const weir_record *r, void *aggregate, void *user)
{
	(void)cx, (void)user;
	*(int64_t *)aggregate -= number(weir_value(r));
}

static void aggregates_of_a_fixed_size_are_changed_in_place(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_table_aggregator sums = { .value = &weir_int64, .init = hundred, .add = add, .subtract = subtract };

	(void)state;
	weir_driver *d = driver_of(t, weir_grouped_aggregate(teams(t), "sums", sums, (weir_table_opts){ 0 }));

	weir_driver_pipe(d, "players", "ann", "red:5", 1);
	weir_driver_pipe(d, "players", "bob", "red:7", 2);
	weir_driver_pipe(d, "players", "ann", "blue:6", 3);
	weir_driver_pipe(d, "players", "bob", NULL, 4);
	assert_numbers(d, "out", "red=105@1", "red=112@2", "red=107@3", "blue=106@3", "red=100@4");
	weir_driver_free(d);
}

/* The letters of a group, in the order in which they came. */
static const void *letters_with(weir_context *cx, const weir_record *r, const void *aggregate, void *user)
{
	const weir_bytes *all = aggregate, *v = weir_value(r);

	(void)user;
	return text(cx, "%.*s%.*s", all ? (int)all->len : 0, all ? (const char *)all->data : "", (int)v->len,
		    (const char *)v->data);
}

static const void *letters_without(weir_context *cx, const weir_record *r, const void *aggregate, void *user)
{
	const weir_bytes *all = aggregate, *v = weir_value(r);
	const char *at = memchr(all->data, *(const char *)v->data, all->len);
	size_t before = (size_t)(at - (const char *)all->data);

	(void)user;
	if (all->len == 1)
		return NULL;
	return text(cx, "%.*s%.*s", (int)before, (const char *)all->data, (int)(all->len - before - 1), at + 1);
}

static weir_topology *folding(void)
{
	weir_topology *t = weir_topology_new("app");
	weir_table_aggregator letters = { .value = &weir_utf8, .fold = letters_with, .unfold = letters_without };

	weir_sink(weir_changes(weir_grouped_aggregate(teams(t), "letters", letters, (weir_table_opts){ 0 })), "out",
		  (weir_sink_opts){ 0 });
	return t;
}

static void aggregates_of_any_size_are_folded_and_unfolded(void **state)
{
	weir_driver *d = driver(folding(), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "players", "ann", "red:a", 1);
	weir_driver_pipe(d, "players", "bob", "red:b", 2);
	weir_driver_pipe(d, "players", "ann", "red:c", 3);
	weir_driver_pipe(d, "players", "bob", "blue:b", 4);
	weir_driver_pipe(d, "players", "ann", NULL, 5);
	assert_text(d, "out", "red=a@1", "red=ab@2", "red=bc@3", "red=c@4", "blue=b@4", "red=null@5");
	weir_driver_free(d);
}

static void rows_that_change_again_within_a_commit_leave_the_group_they_were_in(void **state)
{
	for (int crash = 0; crash < 2; crash++) {
		weir_driver *d = driver(folding(), (weir_driver_opts){ .partitions = 3 });

		weir_driver_pipe(d, "players", "ann", "red:a", 1);
		weir_driver_stop(d, crash);
		weir_driver_pipe(d, "players", "ann", "green:b", 2);
		weir_driver_pipe(d, "players", "ann", "blue:c", 3);
		weir_driver_pipe(d, "players", "bob", "blue:d", 4);
		must(weir_driver_start(d, NULL, &err));
		weir_driver_pipe(d, "players", "ann", NULL, 5);
		weir_store *blue = weir_driver_store(d, "letters", weir_partition_for_key(weir_str("blue"), 3));

		assert_bytes(weir_store_get(blue, weir_str("blue"), NULL), "d");
		for (int p = 0; p < 3; p++) {
			weir_store *s = weir_driver_store(d, "letters", p);

			assert_true(weir_is_null(weir_store_get(s, weir_str("red"), NULL)));
			assert_true(weir_is_null(weir_store_get(s, weir_str("green"), NULL)));
		}
		weir_driver_free(d);
	}
	(void)state;
}

static void several_aggregates_share_the_repartition_topic(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_grouped_table *grouped = teams(t);

	(void)state;
	weir_sink(weir_changes(weir_grouped_count(grouped, "sizes", (weir_table_opts){ 0 })), "sizes-out",
		  (weir_sink_opts){ 0 });
	weir_driver *d =
		driver_of(t, weir_grouped_reduce(grouped, "scores", plus, minus, (weir_table_opts){ 0 }, NULL));

	weir_driver_pipe(d, "players", "ann", "red:5", 1);
	assert_numbers(d, "sizes-out", "red=1@1");
	assert_text(d, "out", "red=5@1");
	weir_driver_free(d);
}

static void what_is_no_change_is_a_dead_letter(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_driver *d = driver_of(t, weir_grouped_count(teams(t), "sizes", (weir_table_opts){ 0 }));

	weir_driver_pipe(d, "app-by-team-repartition", "red", "5\7", 1);
	weir_driver_pipe(d, "app-by-team-repartition", "red", "\177x\2", 2); /* longer than there is */
	assert_dead_letter(d, "5\7", "unreadable: not a change of a table");
	assert_dead_letter(d, "\177x\2", "unreadable: not a change of a table");
	weir_driver_pipe(d, "app-by-team-repartition", "red", "5\1\4", 3); /* of a versioned table */
	assert_numbers(d, "out", "red=1@3");
	weir_driver_free(d);
}

static void mistakes_are_told(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_error why = { .code = WEIR_OK };

	(void)state;
	weir_grouped_reduce(teams(t), "r", plus, NULL, (weir_table_opts){ 0 }, NULL);
	assert_false(weir_topology_check(t, &why));
	assert_contains(why.message, "\"r\": it has no function to add or to subtract");
	weir_topology_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(count_follows_rows_from_group_to_group),
		cmocka_unit_test(rows_without_a_key_or_a_value_are_in_no_group),
		cmocka_unit_test(changes_lie_in_the_topic_as_kafka_streams_writes_them),
		cmocka_unit_test(reduce_takes_the_old_value_out_before_it_puts_the_new_one_in),
		cmocka_unit_test(aggregates_of_a_fixed_size_are_changed_in_place),
		cmocka_unit_test(aggregates_of_any_size_are_folded_and_unfolded),
		cmocka_unit_test(rows_that_change_again_within_a_commit_leave_the_group_they_were_in),
		cmocka_unit_test(several_aggregates_share_the_repartition_topic),
		cmocka_unit_test(what_is_no_change_is_a_dead_letter),
		cmocka_unit_test(mistakes_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
