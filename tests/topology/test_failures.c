/* Steps that fail (weir_step_fail), and what is answered. What comes of it in each kind of step is compared with
 * Kafka Streams (tests/conformance/cases/fail-*); here is what its test driver does not show. */
#include "tests/topology/topology_test.h"

#define PAIRS(...) \
	.config = (const char *const[][2]){ __VA_ARGS__ }, \
	.config_count = LENGTH(((const char *const[][2]){ __VA_ARGS__ }))

static const weir_driver_opts going_on = { PAIRS({ "errors.processing", "dead-letter" }) };

static bool is_bad(const weir_record *r)
{
	return !weir_value_is_null(r) && weir_bytes_equal(weir_value_bytes(r), weir_str("bad"));
}

/* "bad" fails. */
static const void *check(weir_context *cx, const weir_record *r, void *user)
{
	(void)user;
	if (is_bad(r))
		weir_step_fail(cx, "%s is not %s", "bad", "good");
	return weir_value(r);
}

static weir_topology *checking(void)
{
	weir_topology *t = weir_topology_new("app");

	weir_sink(weir_map_values(text_source(t, "in"), "check", check, NULL, NULL), "out", (weir_sink_opts){ 0 });
	return t;
}

/* --- what is answered ------------------------------------------------------------------------------------------
 * */

static void a_failure_stops_the_application_unless_told_otherwise(void **state)
{
	weir_driver *d = driver(checking(), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", "k", "good", 1);
	weir_driver_pipe(d, "in", "k", "bad", 2);
	assert_stopped(d, "step \"check\" has failed at in/0@1: bad is not good (errors.processing=stop)");
	assert_text(d, "out", "k=good@1");
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

static void a_failure_can_be_a_dead_letter_that_names_the_step(void **state)
{
	weir_driver *d = driver(checking(), going_on);
	weir_driver_record r;

	(void)state;
	weir_driver_pipe(d, "in", "k", "good", 1);
	weir_driver_pipe(d, "in", "k", "bad", 2);
	weir_driver_pipe(d, "in", "k", "better", 3);
	assert_text(d, "out", "k=good@1", "k=better@3");
	assert_true(weir_driver_read(d, "dead-letters", &r));
	assert_bytes(r.key, "k");
	assert_bytes(r.value, "bad");
	assert_bytes(weir_headers_last(r.headers, "reason"), "bad is not good");
	assert_bytes(weir_headers_last(r.headers, "step"), "check");
	assert_bytes(weir_headers_last(r.headers, "original-timestamp"), "2");
	assert_bytes(weir_headers_last(r.headers, "__streams.errors.exception"), "PROCESSING");
	assert_bytes(weir_headers_last(r.headers, "__streams.errors.message"), "bad is not good");
	assert_bytes(weir_headers_last(r.headers, "__streams.errors.topic"), "in");
	assert_bytes(weir_headers_last(r.headers, "__streams.errors.offset"), "1");
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

static void without_a_dead_letter_topic_a_failure_stops(void **state)
{
	weir_driver *d =
		driver(checking(), (weir_driver_opts){ PAIRS({ "errors.processing", "dead-letter" },
							     { "errors.dead.letter.queue.topic.name", "" }) });

	(void)state;
	weir_driver_pipe(d, "in", "k", "bad", 2);
	assert_stopped(d, "dead-letter topic not set");
	weir_driver_free(d);
}

struct asked {
	weir_answer answer;
	int times;
	char seen[200];
};

static weir_answer tell(weir_context *cx, const weir_failure *f, void *user)
{
	struct asked *a = user;

	a->times++;
	snprintf(a->seen, sizeof a->seen, "%s %s: %s, %.*s, %s/%d@%lld, %.*s=%.*s", weir_task_id(cx), f->step,
		 f->message, f->record ? (int)weir_value_bytes(f->record).len : 1,
		 f->record ? (const char *)weir_value_bytes(f->record).data : "-",
		 f->source.topic ? f->source.topic : "-", (int)f->source.partition, (long long)f->source.offset,
		 (int)f->source_key.len, f->source_key.data ? (const char *)f->source_key.data : "",
		 (int)f->source_value.len, f->source_value.data ? (const char *)f->source_value.data : "");
	weir_step_fail(cx, "the handler's own failure is none");
	return a->answer;
}

static double dead_letters(weir_driver *d)
{
	return weir_metrics_value(weir_app_metrics(weir_driver_app(d)), "weir_dead_letters_total",
				  (const char *const[]){ "0" });
}

static void the_program_can_answer_itself(void **state)
{
	struct asked asked = { .answer = WEIR_ANSWER_SKIP };
	weir_topology *t = checking();

	(void)state;
	weir_topology_on_failure(t, tell, &asked);
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "k", "bad", 1);
	weir_driver_pipe(d, "in", "k", "good", 2);
	assert_text(d, "out", "k=good@2");
	assert_nothing(d, "dead-letters");
	assert_true(dead_letters(d) == 1.0);
	assert_int_equal(asked.times, 1);
	assert_string_equal(asked.seen, "0_0 check: bad is not good, bad, in/0@0, k=bad");
	asked.answer = WEIR_ANSWER_DEAD_LETTER;
	weir_driver_pipe(d, "in", "k", "bad", 3);
	assert_dead_letter(d, "bad", "bad is not good");
	asked.answer = WEIR_ANSWER_STOP;
	weir_driver_pipe(d, "in", "k", "bad", 4);
	assert_stopped(d, "as the topology's handler has answered");
	assert_int_equal(asked.times, 3);
	weir_driver_free(d);
}

/* --- with the transaction --------------------------------------------------------------------------------------
 * */

/* A letter is part of its record's transaction: what is aborted comes again, and once. */
static const void *inflate(weir_context *cx, const weir_record *r, void *user)
{
	weir_bytes *large = weir_alloc(cx, sizeof *large);
	size_t n = weir_bytes_equal(weir_value_bytes(r), weir_str("huge")) ? 2 << 20 : 1;

	(void)user;
	*large = weir_bytes_of(memset(weir_alloc(cx, n), 'x', n), n);
	return large;
}

static char kept[] = "kept";

static void keep(weir_context *cx, const weir_record *r, void *state, void *user)
{
	(void)state, (void)user;
	weir_store_put(weir_context_store(cx, kept), r->key, weir_value_bytes(r), r->timestamp_ms);
}

static void letters_of_an_aborted_transaction_come_once(void **state)
{
	weir_topology *t = checking();

	(void)state;
	weir_add_store(t, kept, (weir_store_opts){ 0 });
	weir_process(weir_map_values(text_source(t, "more"), "inflate", inflate, NULL, NULL), "keep",
		     (weir_processor){ .process = keep, .stores = { kept } });
	weir_driver *d = driver(t, going_on);

	weir_driver_stop(d, false);
	put_waiting(d, "in", 0, "k", "bad", 1);
	put_waiting(d, "in", 0, "k", "good", 2);
	put_waiting(d, "more", 0, "k", "huge", 1); /* its put is refused: the transaction is aborted */
	put_waiting(d, "in", 0, "k", "bad", 3);
	must(weir_driver_start(d, NULL, &err));
	assert_text(d, "out", "k=good@2");
	assert_true(weir_metrics_value(weir_app_metrics(weir_driver_app(d)), "weir_aborts_total",
				       (const char *const[]){ "0" }) == 1.0);
	int bad = 0, huge = 0;
	weir_driver_record r;

	while (weir_driver_read(d, "dead-letters", &r)) {
		bad += weir_bytes_equal(r.value, weir_str("bad"));
		huge += weir_bytes_equal(r.value, weir_str("huge"));
	}
	assert_int_equal(bad, 2);
	assert_int_equal(huge, 1);
	weir_driver_free(d);
}

/* --- aggregates ------------------------------------------------------------------------------------------------
 * */

static void begin_at_100(weir_context *cx, void *aggregate, void *user)
{
	(void)cx, (void)user;
	*(int64_t *)aggregate = 100;
}

static void add_length(weir_context *cx, const weir_record *r, void *aggregate, void *user)
{
	(void)user;
	if (is_bad(r))
		weir_step_fail(cx, "no");
	else
		*(int64_t *)aggregate += (int64_t)weir_value_bytes(r).len;
}

static weir_aggregator lengths(void)
{
	return (weir_aggregator){ .value = &weir_int64, .init = begin_at_100, .add = add_length };
}

static void an_aggregate_that_cannot_begin_is_not_there(void **state)
{
	static const weir_window kinds[] = { { 0 }, { .size_ms = 10, .grace_ms = 100 } };
	char *dir = temporary_directory();

	(void)state;
	for (size_t i = 0; i < LENGTH(kinds) * 2; i++) {
		weir_topology *t = weir_topology_new("app");
		weir_driver_opts opts = going_on;

		opts.state_dir = i % 2 ? dir : NULL;
		weir_sink(weir_changes(weir_aggregate(text_source(t, "in"), "sum", lengths(), kinds[i / 2])), "out",
			  (weir_sink_opts){ .key = &weir_utf8 });
		weir_driver *d = driver(t, opts);

		weir_driver_pipe(d, "in", "a", "bad", 1);
		assert_dead_letter(d, "bad", "no");
		assert_nothing(d, "out");
		assert_nothing(d, "app-sum-changelog");
		weir_store *store = weir_driver_store(d, "sum", 0);

		assert_true(weir_is_null(i / 2 ? weir_window_get(store, weir_str("a"), 0, NULL)
					       : weir_store_get(store, weir_str("a"), NULL)));
		weir_driver_pipe(d, "in", "a", "four", 2); /* from the beginning, and the failure is forgotten */
		weir_driver_pipe(d, "in", "a", "bad", 3);
		weir_driver_pipe(d, "in", "a", "go", 4);
		must(weir_driver_restart(d, true, &err));
		weir_driver_pipe(d, "in", "b", "bad", 5);
		weir_driver_pipe(d, "in", "a", "end", 6);
		const char *last = NULL, *text_;

		while ((text_ = weir_driver_read_text(d, "out", false, true))) {
			assert_true(text_[0] == 'a');
			free((char *)last);
			last = strdup(text_);
		}
		assert_string_equal(last, "a=109@6");
		free((char *)last);
		weir_driver_free(d);
		remove_directory(dir);
		dir = temporary_directory();
	}
	remove_directory(dir);
}

static const void *list(weir_context *cx, const weir_record *r, const void *aggregate, void *user)
{
	(void)aggregate, (void)user;
	if (is_bad(r))
		weir_step_fail(cx, "no");
	return weir_value(r);
}

static const void *newer(weir_context *cx, weir_bytes key, const void *a, const void *b, void *user)
{
	(void)cx, (void)key, (void)a, (void)user;
	return b;
}

/* Kafka Streams has deleted it by then. */
static void a_session_that_cannot_grow_stays_as_it_is(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_aggregator a = { .value = &weir_utf8, .fold = list, .merge = newer };

	(void)state;
	weir_sink(weir_changes(weir_aggregate(text_source(t, "in"), "sessions", a,
					      (weir_window){ .gap_ms = 10, .grace_ms = 100 })),
		  "out", (weir_sink_opts){ .key = &weir_utf8 });
	weir_driver *d = driver(t, going_on);

	weir_driver_pipe(d, "in", "k", "first", 1);
	weir_driver_pipe(d, "in", "k", "bad", 5);
	assert_text(d, "out", "k=first@1");
	weir_store *store = weir_driver_store(d, "sessions", 0);

	assert_bytes(weir_session_get(store, weir_str("k"), 1, 1, NULL), "first");
	weir_driver_pipe(d, "in", "k", "second", 6);
	assert_text(d, "out", "k=null@1", "k=second@6");
	weir_driver_free(d);
}

static void subtract_length(weir_context *cx, const weir_record *r, void *aggregate, void *user)
{
	(void)cx, (void)user;
	*(int64_t *)aggregate -= (int64_t)weir_value_bytes(r).len;
}

static void same_group(weir_context *cx, const weir_record *in, weir_record *out, void *user)
{
	(void)cx, (void)in, (void)user;
	weir_set_key(out, weir_str("all"));
}

static void what_was_taken_out_is_put_back_where_the_new_row_fails(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_table *rows = weir_table_source(t, "in", (weir_table_source_opts){ .value = &weir_utf8 });
	weir_table_aggregator a = {
		.value = &weir_int64, .init = begin_at_100, .add = add_length, .subtract = subtract_length
	};

	(void)state;
	weir_sink(weir_changes(weir_grouped_aggregate(
			  weir_table_group_by(rows, "by-all", same_group, (weir_group_by_opts){ 0 }, NULL), "sum",
			  a, (weir_table_opts){ 0 })),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, going_on);

	weir_driver_pipe(d, "in", "x", "bad", 1); /* the group cannot begin */
	assert_nothing(d, "out");
	weir_driver_pipe(d, "in", "a", "four", 2);
	weir_driver_pipe(d, "in", "b", "sixsix", 3);
	weir_driver_pipe(d, "in", "b", "bad", 4); /* in one record: neither out nor in, and nobody is told */
	assert_numbers(d, "out", "all=104@2", "all=110@3");
	weir_driver_pipe(d, "in", "c", "x", 3);
	assert_numbers(d, "out", "all=111@3");
	weir_driver_free(d);
}

/* --- tables ----------------------------------------------------------------------------------------------------
 * */

static bool good(weir_context *cx, const weir_record *r, void *user)
{
	(void)user;
	if (is_bad(r))
		weir_step_fail(cx, "no");
	return true;
}

/* In Kafka Streams the old value fails again, and with it each change that follows. */
static void a_table_recovers_from_a_row_that_failed(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_table *rows = weir_table_source(t, "in", (weir_table_source_opts){ .value = &weir_utf8 });

	(void)state;
	weir_sink(weir_changes(weir_table_filter(rows, "good", good, (weir_table_opts){ 0 }, NULL)), "out",
		  (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, going_on);

	weir_driver_pipe(d, "in", "k", "bad", 1);
	assert_dead_letter(d, "bad", "no");
	weir_driver_pipe(d, "in", "k", "well", 2);
	assert_text(d, "out", "k=well@2");
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

/* The same where it is asked about old values, for a step below wants them. */
static const void *transform(weir_context *cx, const weir_record *r, void *state, void *user)
{
	(void)state, (void)user;
	return check(cx, r, NULL);
}

static void a_transformed_table_does_so_too(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_table *rows = weir_table_source(t, "in", (weir_table_source_opts){ .value = &weir_utf8 });
	weir_table *transformed = weir_table_transform_values(
		rows, "good", (weir_value_transformer){ .transform = transform }, (weir_table_opts){ 0 });

	(void)state;
	weir_sink(weir_changes(weir_grouped_count(
			  weir_table_group_by(transformed, "by-all", same_group, (weir_group_by_opts){ 0 }, NULL),
			  "count", (weir_table_opts){ 0 })),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, going_on);

	weir_driver_pipe(d, "in", "k", "bad", 1);
	assert_dead_letter(d, "bad", "bad is not good");
	weir_driver_pipe(d, "in", "k", "well", 2);
	weir_driver_pipe(d, "in", "k", "better", 3);
	assert_numbers(d, "out", "all=1@2", "all=1@3");
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

static const void *left_or_fail(weir_context *cx, weir_bytes key, const void *left, const void *right, void *user)
{
	(void)key, (void)user;
	if (left && weir_bytes_equal(*(const weir_bytes *)left, weir_str("bad")))
		weir_step_fail(cx, "bad is not good");
	return right ? left : NULL;
}

static void group_or_fail(weir_context *cx, const weir_record *in, weir_record *out, void *user)
{
	same_group(cx, in, out, user);
	check(cx, in, NULL);
}

enum { MAPPED, TRANSFORMED, JOINED, GROUPED, WAYS };

/* The lengths of all rows that do not fail, which they do in one of those steps. */
static weir_topology *sum_of_good_ones(int way, const char *store)
{
	weir_topology *t = weir_topology_new("app");
	weir_table *rows = weir_table_source(t, "in", (weir_table_source_opts){ .value = &weir_utf8 });
	weir_table_opts opts = { .store = store };
	weir_table_aggregator a = {
		.value = &weir_int64, .init = begin_at_100, .add = add_length, .subtract = subtract_length
	};

	if (way == MAPPED)
		rows = weir_table_map_values(rows, "good", check, &weir_utf8, opts, NULL);
	else if (way == TRANSFORMED)
		rows = weir_table_transform_values(rows, "good", (weir_value_transformer){ .transform = transform },
						   opts);
	else if (way == JOINED)
		rows = weir_table_join(
			rows, "good",
			weir_table_source(t, "other", (weir_table_source_opts){ .value = &weir_utf8 }),
			left_or_fail, NULL, opts, NULL);
	weir_sink(weir_changes(weir_grouped_aggregate(
			  weir_table_group_by(rows, "by-all", way == GROUPED ? group_or_fail : same_group,
					      (weir_group_by_opts){ 0 }, NULL),
			  "sum", a, (weir_table_opts){ 0 })),
		  "out", (weir_sink_opts){ 0 });
	return t;
}

/* What it was before is taken back: once the bad one is the old row, nobody can tell any more what that was. With a
 * store of its own it stays, for there it can be told. */
static void a_row_that_fails_is_none_where_it_is_part_of_something(void **state)
{
	for (int i = 0; i < 2 * WAYS - 1; i++) {
		bool stored = i >= WAYS;
		weir_driver *d = driver(sum_of_good_ones(i % WAYS, stored ? "stored" : NULL), going_on);

		if (i % WAYS == JOINED)
			weir_driver_pipe(d, "other", "k", "x", 0);
		weir_driver_pipe(d, "in", "k", "four", 1);
		assert_numbers(d, "out", "all=104@1");
		weir_driver_pipe(d, "in", "k", "bad", 2);
		assert_dead_letter(d, "bad", "bad is not good");
		if (stored)
			assert_nothing(d, "out");
		else
			assert_numbers(d, "out", "all=100@2");
		weir_driver_pipe(d, "in", "k", "bad", 3);
		assert_dead_letter(d, "bad", "bad is not good");
		assert_nothing(d, "out");
		weir_driver_pipe(d, "in", "k", "sixsix", 4);
		assert_numbers(d, "out", "all=106@4");
		weir_driver_pipe(d, "in", "k", NULL, 5);
		assert_numbers(d, "out", "all=100@5");
		assert_nothing(d, "dead-letters");
		weir_driver_free(d);
	}
	(void)state;
}

static weir_bytes key_or_fail(weir_context *cx, const weir_record *r, void *user)
{
	check(cx, r, user);
	return weir_value_bytes(r);
}

static const void *left_one(weir_context *cx, weir_bytes key, const void *left, const void *right, void *user)
{
	(void)cx, (void)key, (void)right, (void)user;
	return left;
}

static void a_row_whose_foreign_key_fails_has_no_partner(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_table *rows = weir_table_source(t, "in", (weir_table_source_opts){ .value = &weir_utf8 });
	weir_table *other = weir_table_source(t, "other", (weir_table_source_opts){ .value = &weir_utf8 });

	(void)state;
	weir_sink(weir_changes(weir_table_join_foreign(rows, "joined", other, key_or_fail, left_one,
						       (weir_foreign_opts){ .value = &weir_utf8 }, NULL)),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, going_on);

	weir_driver_pipe(d, "other", "four", "x", 0);
	weir_driver_pipe(d, "other", "six", "x", 0);
	weir_driver_pipe(d, "in", "k", "four", 1);
	assert_text(d, "out", "k=four@1");
	weir_driver_pipe(d, "in", "k", "bad", 2);
	assert_dead_letter(d, "bad", "bad is not good");
	assert_text(d, "out", "k=null@2");
	weir_driver_pipe(d, "in", "k", "bad", 3);
	assert_dead_letter(d, "bad", "bad is not good");
	weir_driver_pipe(d, "in", "k", "six", 4);
	assert_text(d, "out", "k=six@4");
	weir_driver_pipe(d, "in", "k", "bad", 5);
	assert_dead_letter(d, "bad", "bad is not good");
	weir_driver_pipe(d, "in", "k", NULL, 6);
	assert_text(d, "out", "k=null@5");
	weir_driver_pipe(d, "other", "four", "y", 7); /* nobody has subscribed any more */
	weir_driver_pipe(d, "other", "six", "y", 8);
	assert_nothing(d, "out");
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

/* --- joins -----------------------------------------------------------------------------------------------------
 * */

static const void *alone_or_fail(weir_context *cx, weir_bytes key, const void *left, const void *right, void *user)
{
	(void)key, (void)user;
	if (left && weir_bytes_equal(*(const weir_bytes *)left, weir_str("bad")))
		weir_step_fail(cx, "no");
	return right ? right : left;
}

static void what_comes_out_alone_and_fails_is_a_letter_of_its_own(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_driver_record r;

	(void)state;
	weir_sink(weir_left_join(text_source(t, "left"), "joined", text_source(t, "right"), alone_or_fail, NULL,
				 (weir_join_window){ .before_ms = 5, .after_ms = 5 }, NULL),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, going_on);

	weir_driver_pipe(d, "left", "a", "one", 1);
	weir_driver_pipe(d, "left", "b", "bad", 2);
	weir_driver_pipe(d, "left", "c", "two", 3);
	assert_nothing(d, "out");
	weir_driver_pipe(d, "right", "z", "later", 100);
	assert_text(d, "out", "a=one@1", "c=two@3");
	assert_true(weir_driver_read(d, "dead-letters", &r));
	assert_bytes(r.key, "b");
	assert_bytes(r.value, "bad");
	assert_bytes(weir_headers_last(r.headers, "original-timestamp"), "2");
	assert_true(weir_is_null(weir_headers_last(r.headers, "__streams.errors.topic")));
	weir_driver_pipe(d, "right", "z", "latest", 200); /* it does not come again */
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

/* --- other callbacks -------------------------------------------------------------------------------------------
 * */

static int32_t no_partition(weir_context *cx, const weir_record *r, int32_t partitions, void *user)
{
	(void)user;
	if (is_bad(r))
		weir_step_fail(cx, "no partition");
	return is_bad(r) ? partitions : 0; /* one that is not there: nobody asks */
}

static const char *no_topic(weir_context *cx, const weir_record *r, void *user)
{
	(void)user;
	if (is_bad(r))
		weir_step_fail(cx, "no topic");
	return is_bad(r) ? NULL : "out";
}

static int32_t no_partitions(weir_context *cx, const weir_record *r, int32_t partitions, int32_t *out, void *user)
{
	(void)partitions, (void)user;
	if (is_bad(r))
		weir_step_fail(cx, "no partitions");
	out[0] = 0;
	return !is_bad(r);
}

static void a_sink_whose_choice_fails_sends_nothing(void **state)
{
	const weir_sink_opts sinks[] = { { .topic = "out", .partition = no_partition },
					 { .route = no_topic },
					 { .topic = "out", .multicast = no_partitions } };
	const char *const why[] = { "no partition", "no topic", "no partitions" };

	(void)state;
	for (size_t i = 0; i < LENGTH(sinks); i++) {
		weir_topology *t = weir_topology_new("app");

		weir_sink(text_source(t, "in"), "out", sinks[i]);
		weir_driver *d = driver(t, going_on);

		weir_driver_pipe(d, "in", "k", "bad", 1);
		weir_driver_pipe(d, "in", "k", "good", 2);
		assert_text(d, "out", "k=good@2");
		assert_dead_letter(d, "bad", why[i]);
		assert_nothing(d, "dead-letters"); /* and none without a place to go */
		weir_driver_free(d);
	}
}

static weir_bytes encode_good(weir_context *cx, const void *object)
{
	if (weir_bytes_equal(*(const weir_bytes *)object, weir_str("bad")))
		weir_step_fail(cx, "no such value");
	return *(const weir_bytes *)object;
}

static const void *decode_any(weir_context *cx, weir_bytes bytes, weir_error *err)
{
	weir_bytes *object = weir_alloc(cx, sizeof *object);

	(void)err;
	*object = bytes;
	return object;
}

static const weir_serde good_serde = { .name = "good", .encode = encode_good, .decode = decode_any };

static void a_value_that_cannot_be_written_is_not_sent(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_sink(text_source(t, "in"), "out", (weir_sink_opts){ .value = &good_serde });
	weir_driver *d = driver(t, going_on);

	weir_driver_pipe(d, "in", "k", "bad", 1);
	weir_driver_pipe(d, "in", "k", "good", 2);
	assert_text(d, "out", "k=good@2");
	assert_dead_letter(d, "bad", "no such value");
	weir_driver_free(d);
}

static int64_t no_time(weir_context *cx, const weir_record *r, void *user)
{
	(void)user;
	if (is_bad(r))
		weir_step_fail(cx, "no time");
	return r->timestamp_ms;
}

static void an_extractor_that_fails_stops(void **state)
{
	(void)state;
	for (int inputs = 1; inputs <= 2; inputs++) { /* with two its records wait for their turn */
		weir_topology *t = weir_topology_new("app");
		weir_source_opts opts = { .value = &weir_utf8, .time_ms = no_time };
		weir_stream *in = weir_source(t, "in", opts);

		weir_sink(inputs == 2 ? weir_merge(in, "both", text_source(t, "other")) : in, "out",
			  (weir_sink_opts){ 0 });
		weir_driver *d = driver(t, going_on);

		weir_driver_pipe(d, "in", "k", "bad", 1);
		assert_stopped(d, "step \"in\" has failed (timestamp extractor): no time");
		assert_nothing(d, "out");
		assert_nothing(d, "dead-letters");
		weir_driver_free(d);
	}
}

static void fail_at_once(weir_context *cx, void *state, void *user)
{
	(void)state, (void)user;
	weir_step_fail(cx, "no such file");
}

static void pass_on(weir_context *cx, const weir_record *r, void *state, void *user)
{
	(void)state, (void)user;
	weir_forward(cx, r);
}

static void a_failure_in_init_refuses_to_start(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_error err = { .code = WEIR_OK };

	(void)state;
	weir_process(text_source(t, "in"), "reader", (weir_processor){ .init = fail_at_once, .process = pass_on });
	assert_null(weir_driver_new(t, going_on, &err));
	assert_contains(err.message, "step \"reader\" has failed (init): no such file");
}

/* --- punctuators -----------------------------------------------------------------------------------------------
 * */

static void fail_each_time(weir_context *cx, int64_t time_ms, void *state)
{
	weir_record r = { .key = weir_str("tick"), .timestamp_ms = time_ms, .cx = cx };

	(void)state;
	weir_set_value_bytes(&r, weir_str("before"));
	weir_forward(cx, &r);
	weir_step_fail(cx, "no tick at %lld", (long long)time_ms);
	weir_set_value_bytes(&r, weir_str("after"));
	weir_forward(cx, &r);
}

static void schedule(weir_context *cx, void *state, void *user)
{
	(void)state, (void)user;
	weir_schedule(cx, 10, WEIR_STREAM_TIME, fail_each_time);
}

static weir_topology *ticking(void)
{
	weir_topology *t = weir_topology_new("app");

	weir_sink(weir_process(text_source(t, "in"), "ticker",
			       (weir_processor){ .init = schedule, .process = pass_on }),
		  "out", (weir_sink_opts){ 0 });
	return t;
}

static void a_punctuator_that_fails_gives_an_empty_letter_and_comes_again(void **state)
{
	weir_driver *d = driver(ticking(), going_on);
	weir_driver_record r;

	(void)state;
	weir_driver_pipe(d, "in", "k", "v", 5);
	weir_driver_pipe(d, "in", "k", "w", 15);
	assert_text(d, "out", "k=v@5", "tick=before@5", "k=w@15", "tick=before@15");
	for (int i = 0; i < 2; i++) {
		assert_true(weir_driver_read(d, "dead-letters", &r));
		assert_true(weir_is_null(r.key));
		assert_true(weir_is_null(r.value));
		assert_bytes(weir_headers_last(r.headers, "reason"), i ? "no tick at 15" : "no tick at 5");
		assert_bytes(weir_headers_last(r.headers, "original-timestamp"), i ? "15" : "5");
		assert_bytes(weir_headers_last(r.headers, "step"), "ticker");
	}
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

static void a_punctuators_failure_is_answered_as_any_other(void **state)
{
	struct asked asked = { .answer = WEIR_ANSWER_SKIP };
	weir_topology *t = ticking();

	(void)state;
	weir_topology_on_failure(t, tell, &asked);
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "k", "v", 5);
	assert_string_equal(asked.seen, "0_0 ticker: no tick at 5, -, -/-1@-1, =");
	assert_nothing(d, "dead-letters");
	asked.answer = WEIR_ANSWER_STOP;
	weir_driver_pipe(d, "in", "k", "v", 15);
	assert_stopped(d, "step \"ticker\" has failed at -/-1@-1: no tick at 15");
	weir_driver_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failure_stops_the_application_unless_told_otherwise),
		cmocka_unit_test(a_failure_can_be_a_dead_letter_that_names_the_step),
		cmocka_unit_test(without_a_dead_letter_topic_a_failure_stops),
		cmocka_unit_test(the_program_can_answer_itself),
		cmocka_unit_test(letters_of_an_aborted_transaction_come_once),
		cmocka_unit_test(an_aggregate_that_cannot_begin_is_not_there),
		cmocka_unit_test(a_session_that_cannot_grow_stays_as_it_is),
		cmocka_unit_test(what_was_taken_out_is_put_back_where_the_new_row_fails),
		cmocka_unit_test(a_table_recovers_from_a_row_that_failed),
		cmocka_unit_test(a_transformed_table_does_so_too),
		cmocka_unit_test(a_row_that_fails_is_none_where_it_is_part_of_something),
		cmocka_unit_test(a_row_whose_foreign_key_fails_has_no_partner),
		cmocka_unit_test(what_comes_out_alone_and_fails_is_a_letter_of_its_own),
		cmocka_unit_test(a_sink_whose_choice_fails_sends_nothing),
		cmocka_unit_test(a_value_that_cannot_be_written_is_not_sent),
		cmocka_unit_test(an_extractor_that_fails_stops),
		cmocka_unit_test(a_failure_in_init_refuses_to_start),
		cmocka_unit_test(a_punctuator_that_fails_gives_an_empty_letter_and_comes_again),
		cmocka_unit_test(a_punctuators_failure_is_answered_as_any_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
