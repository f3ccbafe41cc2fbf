/* Joins of two tables by a foreign key. */
#include "framework/runtime/runtime.h"
#include "tests/topology/topology_test.h"

/* A left value is "foreign key:rest"; without a colon there is none. */
static weir_bytes foreign_key(weir_context *cx, const weir_record *r, void *user)
{
	const weir_bytes *v = weir_value(r);
	const char *colon = v->len ? memchr(v->data, ':', v->len) : NULL;

	(void)cx, (void)user;
	return colon ? weir_bytes_of(v->data, (size_t)(colon - (const char *)v->data)) : WEIR_NULL;
}

static const void *both(weir_context *cx, weir_bytes key, const void *left, const void *right, void *user)
{
	const weir_bytes none = weir_str("-"), *l = left, *r = right ? right : &none;

	(void)user;
	return text(cx, "%.*s(%.*s,%.*s)", (int)key.len, (const char *)key.data, (int)l->len, (const char *)l->data,
		    (int)r->len, (const char *)r->data);
}

static weir_table *table(weir_topology *t, const char *name)
{
	return weir_table_source(t, name, (weir_table_source_opts){ .value = &weir_utf8 });
}

static weir_topology *joining(bool left_join)
{
	weir_topology *t = weir_topology_new("app");
	weir_table *left = table(t, "left"), *right = table(t, "right");
	weir_foreign_opts opts = { 0 };

	weir_sink(weir_changes(
			  left_join ? weir_table_left_join_foreign(left, "j", right, foreign_key, both, opts, NULL)
				    : weir_table_join_foreign(left, "j", right, foreign_key, both, opts, NULL)),
		  "out", (weir_sink_opts){ 0 });
	return t;
}

static void a_row_is_joined_with_the_row_that_it_names(void **state)
{
	weir_driver *d = driver(joining(false), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "left", "a", "x:1", 1);
	assert_nothing(d, "out");
	weir_driver_pipe(d, "right", "x", "X", 3);
	weir_driver_pipe(d, "left", "b", "x:2", 2);
	weir_driver_pipe(d, "left", "a", "x:3", 4); /* the same key */
	assert_text(d, "out", "a=a(x:1,X)@3", "b=b(x:2,X)@3", "a=a(x:3,X)@4");
	weir_driver_pipe(d, "right", "x", "Y", 5); /* all who name it */
	assert_text(d, "out", "a=a(x:3,Y)@5", "b=b(x:2,Y)@5");
	weir_driver_pipe(d, "right", "x", NULL, 6);
	assert_text(d, "out", "a=null@6", "b=null@6");
	weir_driver_free(d);
}

static void a_row_that_names_another_leaves_the_first(void **state)
{
	weir_driver *d = driver(joining(false), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "right", "x", "X", 1);
	weir_driver_pipe(d, "right", "y", "Y", 1);
	weir_driver_pipe(d, "left", "a", "x:1", 2);
	weir_driver_pipe(d, "left", "a", "y:1", 3);
	weir_driver_pipe(d, "right", "x", "Z", 4); /* nobody's */
	weir_driver_pipe(d, "left", "a", "none:1", 5);
	weir_driver_pipe(d, "left", "a", "y:2", 6);
	weir_driver_pipe(d, "left", "a", NULL, 7);
	weir_driver_pipe(d, "right", "y", "Z", 8);
	assert_text(d, "out", "a=a(x:1,X)@2", "a=a(y:1,Y)@3", "a=null@5", "a=a(y:2,Y)@6", "a=null@7");
	assert_nothing(d, "out");
	weir_driver_free(d);
}

static void a_row_that_names_nobody_is_a_dead_letter_of_an_inner_join(void **state)
{
	weir_driver *d = driver(joining(false), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "right", "x", "X", 1);
	weir_driver_pipe(d, "left", "a", "nobody", 2);
	weir_driver_pipe(d, "left", "a", "x:1", 3);
	weir_driver_pipe(d, "left", "a", "nobody", 4);
	assert_text(d, "out", "a=a(x:1,X)@3", "a=null@4");
	assert_dead_letter(d, "nobody", "null foreign key");
	assert_dead_letter(d, "nobody", "null foreign key");
	weir_driver_free(d);
}

static void a_left_join_has_all_rows_of_the_left(void **state)
{
	weir_driver *d = driver(joining(true), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "left", "a", "nobody", 1);
	weir_driver_pipe(d, "left", "a", "x:1", 2);
	weir_driver_pipe(d, "right", "x", "X", 3);
	weir_driver_pipe(d, "right", "x", NULL, 4);
	weir_driver_pipe(d, "left", "a", "y:1", 5);
	weir_driver_pipe(d, "left", "a", NULL, 6);
	weir_driver_pipe(d, "left", "b", NULL, 7); /* was not there */
	assert_text(d, "out", "a=a(nobody,-)@1", "a=a(x:1,-)@2", "a=a(x:1,X)@3", "a=a(x:1,-)@4", "a=a(y:1,-)@5",
		    "a=null@6");
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

/* --- what lies in the topics ------------------------------------------------------------------------------------
 * */

static void registrations_and_responses_lie_there_as_kafka_streams_writes_them(void **state)
{
	weir_driver *d = driver(joining(false), (weir_driver_opts){ 0 });
	weir_driver_record r;
	char hash[16];

	(void)state;
	weir_driver_pipe(d, "left", "pk", "x:1", 1);
	weir_driver_pipe(d, "left", "pk", NULL, 2);
	/* version 1, an insert (3), hash, key, partition */
	assert_true(weir_driver_read(d, "app-j-subscription-registration-topic", &r));
	assert_bytes(r.key, "x");
	assert_int_equal(r.value.len, 2 + 16 + 2 + 4);
	assert_memory_equal(r.value.data, "\1\3", 2);
	assert_memory_equal((const char *)r.value.data + 18, "pk\0\0\0\0", 6);
	memcpy(hash, (const char *)r.value.data + 2, 16);
	/* a deletion (1) has no hash */
	assert_true(weir_driver_read(d, "app-j-subscription-registration-topic", &r));
	assert_int_equal(r.value.len, 2 + 2 + 4);
	assert_memory_equal(r.value.data, "\x81\1pk\0\0\0\0", 8);
	/* the answer to it: version 0, no hash, no value */
	assert_true(weir_driver_read(d, "app-j-subscription-response-topic", &r));
	assert_bytes(r.key, "pk");
	assert_int_equal(r.value.len, 1);
	assert_memory_equal(r.value.data, "\x80", 1);
	weir_driver_pipe(d, "right", "x", "X", 3);
	weir_driver_pipe(d, "left", "pk", "x:1", 4);
	assert_true(weir_driver_read(d, "app-j-subscription-response-topic", &r));
	assert_int_equal(r.value.len, 1 + 16 + 1);
	assert_memory_equal(r.value.data, "\0", 1);
	assert_memory_equal((const char *)r.value.data + 1, hash, 16);
	assert_memory_equal((const char *)r.value.data + 17, "X", 1);
	/* length of the foreign key, foreign key, key */
	weir_store *s = weir_driver_store(d, "j-subscription-store", 0);

	assert_false(weir_is_null(weir_store_get(s, weir_bytes_of("\0\0\0\1xpk", 7), NULL)));
	weir_driver_free(d);
}

static void a_stale_response_is_dropped(void **state)
{
	weir_driver *d = driver(joining(false), (weir_driver_opts){ 0 });
	weir_driver_record r;
	char stale[200];

	(void)state;
	weir_driver_pipe(d, "right", "x", "X", 1);
	weir_driver_pipe(d, "left", "a", "x:1", 2);
	assert_text(d, "out", "a=a(x:1,X)@2");
	assert_true(weir_driver_read(d, "app-j-subscription-response-topic", &r));
	size_t len = r.value.len;

	memcpy(stale, r.value.data, len);
	weir_driver_pipe(d, "left", "a", "x:2", 3);
	assert_text(d, "out", "a=a(x:2,X)@3");
	weir_driver_pipe_record(d, "app-j-subscription-response-topic", -1, weir_str("a"),
				weir_bytes_of(stale, len), 4, NULL);
	assert_nothing(d, "out");
	assert_true(weir_metrics_value(weir_app_metrics(weir_driver_app(d)), "weir_dropped_records_total",
				       (const char *[]){ "0" }) == 1);
	weir_driver_free(d);
}

static void what_is_no_subscription_and_no_response_is_a_dead_letter(void **state)
{
	weir_driver *d = driver(joining(false), (weir_driver_opts){ 0 });
	static const char *const registrations[] = { "", "\1\4", "\1\3short", "\2\3", "\x81\1abc" },
				 *const responses[] = { "", "\1", "\2short" };

	(void)state;
	for (size_t i = 0; i < LENGTH(registrations); i++) {
		weir_driver_pipe(d, "app-j-subscription-registration-topic", "x", registrations[i], 1);
		assert_dead_letter(d, registrations[i], "unreadable: not a subscription of a foreign-key join");
	}
	for (size_t i = 0; i < LENGTH(responses); i++) {
		weir_driver_pipe(d, "app-j-subscription-response-topic", "a", responses[i], 1);
		assert_dead_letter(d, responses[i], "unreadable: not a response of a foreign-key join");
	}
	weir_driver_free(d);
}

/* --- partitions, restarts ---------------------------------------------------------------------------------------
 * */

static void tables_need_not_have_equally_many_partitions(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = weir_repartition(text_source(t, "in"), "wide", (weir_repartition_opts){ 5 });
	weir_table *left = weir_to_table(in, "left", (weir_table_opts){ 0 }), *right = table(t, "right");

	(void)state;
	weir_sink(weir_changes(weir_table_join_foreign(left, "j", right, foreign_key, both,
						       (weir_foreign_opts){ 0 }, NULL)),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ .partitions = 3 });

	assert_int_equal(partitions_of(d, "app-j-subscription-registration-topic"), 3);
	assert_int_equal(partitions_of(d, "app-j-subscription-response-topic"), 5);
	for (int i = 0; i < 20; i++) {
		char key[8], value[16];

		snprintf(key, sizeof key, "k%d", i);
		snprintf(value, sizeof value, "x%d:%d", i % 7, i);
		weir_driver_pipe(d, "in", key, value, 1 + i);
	}
	for (int i = 0; i < 7; i++) {
		char key[8];

		snprintf(key, sizeof key, "x%d", i);
		weir_driver_pipe(d, "right", key, "R", 100);
	}
	int n = 0;

	while (weir_driver_read_text(d, "out", false, false))
		n++;
	assert_int_equal(n, 20);
	weir_driver_free(d);
}

static void a_table_may_name_keys_of_its_own(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_table *people = table(t, "people");

	(void)state;
	weir_sink(weir_changes(weir_table_left_join_foreign(people, "j", people, foreign_key, both,
							    (weir_foreign_opts){ 0 }, NULL)),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "people", "boss", "nobody", 1);
	weir_driver_pipe(d, "people", "a", "boss:x", 2);
	assert_text(d, "out", "boss=boss(nobody,-)@1", "a=a(boss:x,nobody)@2");
	weir_driver_free(d);
}

static void subscriptions_survive(void **state)
{
	for (int crash = 0; crash < 2; crash++) {
		weir_driver *d = driver(joining(false), (weir_driver_opts){ .partitions = 3 });

		weir_driver_pipe(d, "left", "a", "x:1", 1);
		weir_driver_pipe(d, "left", "b", "x:2", 2);
		weir_driver_stop(d, crash);
		weir_driver_pipe(d, "left", "b", "y:2", 3);
		weir_driver_pipe(d, "right", "x", "X", 4);
		must(weir_driver_start(d, NULL, &err));
		weir_driver_pipe(d, "right", "y", "Y", 5);
		weir_store *a = weir_driver_store(d, "j", weir_partition_for_key(weir_str("a"), 3));
		weir_store *b = weir_driver_store(d, "j", weir_partition_for_key(weir_str("b"), 3));

		assert_bytes(weir_store_get(a, weir_str("a"), NULL), "a(x:1,X)");
		assert_bytes(weir_store_get(b, weir_str("b"), NULL), "b(y:2,Y)");
		weir_driver_free(d);
	}
	(void)state;
}

/* Each fits into a record, but not all that is made of it: a subscription holds the row's key twice. */
static void keys_that_are_too_long_together_name_nothing(void **state)
{
	enum { FOREIGN = 600000, PRIMARY = 260000 };
	static char value[FOREIGN + 3], key[PRIMARY + 1];

	(void)state;
	memset(key, 'k', PRIMARY);
	memset(value, 'f', FOREIGN);
	memcpy(value + FOREIGN, ":1", 2);
	for (int left_join = 0; left_join < 2; left_join++) {
		weir_driver *d = driver(joining(left_join), (weir_driver_opts){ 0 });

		weir_driver_pipe(d, "right", "x", "X", 1);
		weir_driver_pipe(d, "left", key, "x:1", 2);
		weir_driver_pipe(d, "left", key, value, 3);
		weir_driver_pipe(d, "left", "a", "x:1", 4);
		weir_driver_record r;

		for (int i = 0; i < 2; i++) /* a result and its end, or what comes without a right side */
			assert_true(weir_driver_read(d, "out", &r) && r.key.len == PRIMARY);
		assert_true(weir_is_null(r.value) == !left_join);
		assert_text(d, "out", "a=a(x:1,X)@4");
		assert_true(weir_driver_read(d, "dead-letters", &r));
		assert_bytes(weir_headers_last(r.headers, "reason"), "key too long");
		assert_false(weir_driver_read(d, "dead-letters", &r));
		weir_driver_free(d);
	}
}

/* --- while a transaction is open ---------------------------------------------------------------------------------
 * */

/* All that can be read is processed; nothing is committed. */
static void process(weir_driver *d)
{
	struct worker *w = &weir_driver_app(d)->workers[0];

	for (int i = 0; i < 10; i++) {
		w->last_commit_us = weir__now_us(weir_driver_app(d));
		assert_true(weir__worker_step(w, 0));
	}
}

static void commit(weir_driver *d)
{
	assert_true(weir__commit(&weir_driver_app(d)->workers[0]));
}

/* The simulator found it: a response met a row that was of the transaction alone, and was dropped as stale; the row
 * went again before the commit, so that there was no change to subscribe with: the result stayed for ever. */
static void a_row_that_comes_and_goes_within_a_transaction_hides_no_response(void **state)
{
	weir_driver *d = driver(joining(true), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "left", "a", "nobody", 1);
	assert_text(d, "out", "a=a(nobody,-)@1");
	put_waiting(d, "left", 0, "a", NULL, 5);
	process(d);
	commit(d); /* a subscription */
	process(d);
	put_waiting(d, "left", 0, "a", "x:1", 2); /* before the response, by its time */
	commit(d);                                /* a response */
	process(d);
	put_waiting(d, "left", 0, "a", NULL, 6);
	process(d);
	commit(d);
	weir_driver_advance(d, 1000);
	assert_text(d, "out", "a=null@5");
	assert_nothing(d, "out");
	weir_driver_free(d);
}

/* The same on the other side. */
static void a_row_of_the_right_that_comes_and_goes_is_joined_with_nobody(void **state)
{
	weir_driver *d = driver(joining(true), (weir_driver_opts){ 0 });

	(void)state;
	put_waiting(d, "left", 0, "a", "x:1", 5);
	process(d);
	put_waiting(d, "right", 0, "x", "X", 2);
	commit(d); /* a subscription */
	process(d);
	put_waiting(d, "right", 0, "x", NULL, 6);
	process(d);
	commit(d);
	weir_driver_advance(d, 1000);
	assert_text(d, "out", "a=a(x:1,-)@5");
	assert_nothing(d, "out");
	weir_driver_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_is_joined_with_the_row_that_it_names),
		cmocka_unit_test(a_row_that_names_another_leaves_the_first),
		cmocka_unit_test(a_row_that_names_nobody_is_a_dead_letter_of_an_inner_join),
		cmocka_unit_test(a_left_join_has_all_rows_of_the_left),
		cmocka_unit_test(registrations_and_responses_lie_there_as_kafka_streams_writes_them),
		cmocka_unit_test(a_stale_response_is_dropped),
		cmocka_unit_test(what_is_no_subscription_and_no_response_is_a_dead_letter),
		cmocka_unit_test(tables_need_not_have_equally_many_partitions),
		cmocka_unit_test(a_table_may_name_keys_of_its_own),
		cmocka_unit_test(subscriptions_survive),
		cmocka_unit_test(keys_that_are_too_long_together_name_nothing),
		cmocka_unit_test(a_row_that_comes_and_goes_within_a_transaction_hides_no_response),
		cmocka_unit_test(a_row_of_the_right_that_comes_and_goes_is_joined_with_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
