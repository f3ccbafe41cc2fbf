/* The program's own answers to records that cannot be read (weir_topology_on_unreadable) and to results that are
 * refused (weir_topology_on_refused). Those to steps that fail are in test_failures. */
#include "tests/topology/topology_test.h"

#define PAIRS(...) \
	.config = (const char *const[][2]){ __VA_ARGS__ }, \
	.config_count = LENGTH(((const char *const[][2]){ __VA_ARGS__ }))

struct asked {
	weir_answer answer;
	int times;
	char seen[300];
};

static const char *or_dash(const char *s)
{
	return s ? s : "-";
}

/* As it is asked: task, step, the topic that takes nothing, the value, where from and of which key and value. */
static weir_answer tell(weir_context *cx, const weir_failure *f, void *user)
{
	struct asked *a = user;
	weir_bytes value = f->record ? weir_value_bytes(f->record) : weir_str("none");

	a->times++;
	snprintf(a->seen, sizeof a->seen, "%s %s>%s %.*s %s/%d@%lld %.*s=%.*s | %s", weir_task_id(cx),
		 or_dash(f->step), or_dash(f->topic), value.len < 20 ? (int)value.len : 1, (const char *)value.data,
		 or_dash(f->source.topic), (int)f->source.partition, (long long)f->source.offset,
		 (int)f->source_key.len, f->source_key.data ? (const char *)f->source_key.data : "",
		 (int)f->source_value.len, f->source_value.data ? (const char *)f->source_value.data : "",
		 f->message);
	weir_step_fail(cx, "the handler's own failure is none");
	return a->answer;
}

static void assert_asked(const struct asked *a, int times, const char *seen)
{
	assert_int_equal(a->times, times);
	if (strncmp(a->seen, seen, strlen(seen)) != 0)
		assert_string_equal(a->seen, seen);
}

static double counted(weir_driver *d, const char *name)
{
	return weir_metrics_value(weir_app_metrics(weir_driver_app(d)), name, (const char *const[]){ "0" });
}

static void assert_counted(weir_driver *d, int times)
{
	assert_true(counted(d, "weir_dead_letters_total") == times);
	assert_true(counted(d, "weir_dropped_records_total") == times);
}

/* --- unreadable -------------------------------------------------------------------------------------------------
 * */

static weir_topology *numbers(struct asked *unreadable)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = weir_source(t, "numbers", (weir_source_opts){ .topic = "in", .value = &weir_int64 });

	weir_sink(in, "out", (weir_sink_opts){ 0 });
	weir_topology_on_unreadable(t, tell, unreadable);
	return t;
}

static void pipe_number(weir_driver *d, int64_t n)
{
	char bytes[8];

	weir_put_be64(bytes, n);
	weir_driver_pipe_record(d, "in", -1, weir_str("k"), weir_bytes_of(bytes, 8), 1, NULL);
}

static void of_what_cannot_be_read_the_program_is_asked(void **state)
{
	struct asked asked = { .answer = WEIR_ANSWER_SKIP };
	weir_driver *d = driver(numbers(&asked), (weir_driver_opts){ PAIRS({ "errors.deserialization", "stop" }) });

	(void)state;
	pipe_number(d, 1);
	assert_asked(&asked, 0, "");
	weir_driver_pipe(d, "in", "k", "bad", 2);
	assert_asked(&asked, 1, "0_0 numbers>- bad in/0@1 k=bad | unreadable: a number of 8 bytes wanted, 3 found");
	assert_counted(d, 1);
	assert_nothing(d, "dead-letters");
	asked.answer = WEIR_ANSWER_DEAD_LETTER;
	weir_driver_pipe(d, "in", "k", "worse", 3);
	assert_dead_letter(d, "worse", "unreadable: a number of 8 bytes wanted, 5 found");
	assert_counted(d, 2);
	pipe_number(d, 2);
	assert_numbers(d, "out", "k=1@1", "k=2@1");
	asked.answer = WEIR_ANSWER_STOP;
	weir_driver_pipe(d, "in", "k", "bad", 4);
	assert_stopped(d, "record in/0@4 cannot be read: a number of 8 bytes wanted, 3 found (as the topology's "
			  "handler has answered)");
	assert_asked(&asked, 3, "0_0 numbers>- bad in/0@4");
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

static weir_answer look_inside(weir_context *cx, const weir_failure *f, void *user)
{
	(void)cx, (void)user;
	assert_bytes(*(const weir_bytes *)weir_value(f->record), "bad");
	assert_bytes(f->record->key, "k");
	assert_bytes(weir_headers_last(weir_record_headers(f->record), "from"), "there");
	assert_int_equal(f->record->timestamp_ms, 7);
	return WEIR_ANSWER_SKIP;
}

static void what_cannot_be_read_can_be_looked_at_as_bytes(void **state)
{
	weir_header from = { "from", weir_str("there") };
	weir_topology *t = numbers(NULL);

	(void)state;
	weir_topology_on_unreadable(t, look_inside, NULL);
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe_record(d, "in", -1, weir_str("k"), weir_str("bad"), 7, &(weir_headers){ &from, 1 });
	pipe_number(d, 1);
	assert_numbers(d, "out", "k=1@1");
	assert_counted(d, 1);
	weir_driver_free(d);
}

static void without_a_dead_letter_topic_the_programs_answer_is_counted(void **state)
{
	struct asked asked = { .answer = WEIR_ANSWER_DEAD_LETTER };
	weir_driver *d =
		driver(numbers(&asked), (weir_driver_opts){ PAIRS({ "errors.dead.letter.queue.topic.name", "" }) });

	(void)state;
	weir_driver_pipe(d, "in", "k", "bad", 2);
	pipe_number(d, 1);
	assert_numbers(d, "out", "k=1@1");
	assert_counted(d, 1);
	weir_driver_free(d);
}

/* --- unreadable in global tables: there are no dead letters ------------------------------------------------------
 * */

static void keep(weir_context *cx, const weir_record *r, void *state, void *user)
{
	(void)state, (void)user;
	weir_store_put(weir_context_store(cx, "rows"), r->key, weir_value_bytes(r), r->timestamp_ms);
}

static weir_topology *global_numbers(bool processor, struct asked *unreadable)
{
	weir_topology *t = weir_topology_new("app");
	weir_global_opts opts = { .topic = "numbers", .value = &weir_int64 };

	if (processor)
		weir_global_store(t, "rows", opts, (weir_processor){ .process = keep });
	else
		weir_global_table(t, "rows", opts);
	text_source(t, "in");
	weir_topology_on_unreadable(t, tell, unreadable);
	return t;
}

static void pipe_row(weir_driver *d, const char *key, int64_t n)
{
	char bytes[8];

	weir_put_be64(bytes, n);
	weir_driver_pipe_record(d, "numbers", -1, weir_str(key), weir_bytes_of(bytes, 8), 1, NULL);
}

static void assert_rows(weir_driver *d, int64_t k, int64_t l)
{
	weir_store *rows = weir_driver_store(d, "rows", 0);

	assert_int_equal(weir_get_be64(weir_store_get(rows, weir_str("k"), NULL).data), k);
	assert_int_equal(weir_get_be64(weir_store_get(rows, weir_str("l"), NULL).data), l);
	assert_int_equal(weir_store_count(rows), 2);
}

static void assert_left_out(weir_driver *d, int times)
{
	assert_true(counted(d, "weir_dropped_records_total") == times);
	assert_true(counted(d, "weir_dead_letters_total") == 0);
	assert_nothing(d, "dead-letters");
}

static void of_a_global_tables_records_it_is_asked_as_well(void **state)
{
	(void)state;
	for (int processor = 0; processor < 2; processor++) {
		struct asked asked = { .answer = WEIR_ANSWER_SKIP };
		weir_driver *d = driver(global_numbers(processor, &asked),
					(weir_driver_opts){ PAIRS({ "errors.deserialization", "stop" }) });

		pipe_row(d, "k", 1);
		weir_driver_pipe(d, "numbers", "k", "bad", 2);
		assert_asked(
			&asked, 1,
			"global_0 rows>- bad numbers/0@1 k=bad | unreadable: a number of 8 bytes wanted, 3 found");
		pipe_row(d, "l", 2);
		asked.answer = WEIR_ANSWER_DEAD_LETTER;
		weir_driver_pipe(d, "numbers", "l", "worse", 3);
		assert_asked(&asked, 2, "global_0 rows>- worse numbers/0@3 l=worse | unreadable: ");
		assert_rows(d, 1, 2);
		assert_left_out(d, 2);
		/* At the beginning of the topic again: what only restores does not count. */
		must(weir_driver_restart(d, true, &err));
		assert_int_equal(asked.times, 4);
		assert_rows(d, 1, 2);
		assert_left_out(d, processor ? 2 : 0);
		weir_driver_free(d);
	}
}

static void the_answer_to_a_global_tables_record_can_be_to_stop(void **state)
{
	(void)state;
	for (int processor = 0; processor < 2; processor++) {
		struct asked asked = { .answer = WEIR_ANSWER_STOP };
		weir_driver *d = driver(global_numbers(processor, &asked), (weir_driver_opts){ 0 });
		weir_error why = { .code = WEIR_OK };

		pipe_row(d, "k", 1);
		pipe_row(d, "l", 2);
		weir_driver_pipe(d, "numbers", "k", "bad", 2);
		assert_stopped(d,
			       "record numbers/0@2 of a global table cannot be read (as the topology's handler has "
			       "answered): a number of 8 bytes wanted, 3 found");
		assert_left_out(d, 0);
		/* Nor while it restores, which it does until the program takes it. */
		assert_false(weir_driver_restart(d, true, &why));
		assert_int_equal(asked.times, 2);
		assert_contains(why.message, "record numbers/0@2 of a global table cannot be read");
		asked.answer = WEIR_ANSWER_SKIP;
		must(weir_driver_start(d, NULL, &err));
		assert_asked(&asked, 3, "global_0 rows>- bad numbers/0@2");
		assert_rows(d, 1, 2);
		weir_driver_free(d);
	}
}

static weir_answer stop_it(weir_context *cx, const weir_failure *f, void *user)
{
	(void)user;
	weir_dead_letter(cx, f->record, "logged, as there is no transaction");
	weir_stop(cx, "%s wants no \"%s\"", weir_application_id(cx), f->step);
	return WEIR_ANSWER_SKIP;
}

static void there_it_can_stop_with_an_error_of_its_own(void **state)
{
	weir_topology *t = global_numbers(false, NULL);

	(void)state;
	weir_topology_on_unreadable(t, stop_it, NULL);
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "numbers", "k", "bad", 2);
	assert_stopped(d, "app wants no \"rows\"");
	weir_driver_free(d);
}

/* --- refused before it is sent ----------------------------------------------------------------------------------
 * */

/* A value "<n>" becomes n bytes. */
static const void *inflate(weir_context *cx, const weir_record *r, void *user)
{
	weir_bytes value = weir_value_bytes(r);
	weir_bytes *large = weir_alloc(cx, sizeof *large);

	(void)user;
	size_t n = (size_t)atoi(text(cx, "%.*s", (int)value.len, (const char *)value.data)->data);
	char *bytes = weir_alloc(cx, n + 1);

	memset(bytes, 'x', n);
	*large = weir_bytes_of(bytes, n);
	return large;
}

static weir_topology *inflating(struct asked *refused)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = text_source(t, "in");

	weir_sink(weir_map_values(in, "inflate", inflate, NULL, NULL), "large", (weir_sink_opts){ .topic = "out" });
	weir_sink(in, "copy", (weir_sink_opts){ 0 });
	weir_topology_on_refused(t, tell, refused);
	return t;
}

static void of_a_result_too_large_to_send_the_program_is_asked(void **state)
{
	struct asked asked = { .answer = WEIR_ANSWER_SKIP };
	weir_driver *d = driver(inflating(&asked), (weir_driver_opts){ PAIRS({ "errors.production", "stop" }) });

	(void)state;
	weir_driver_pipe(d, "in", "k", "3", 1);
	assert_asked(&asked, 0, "");
	weir_driver_pipe(d, "in", "k", "2000000", 2);
	assert_asked(&asked, 1, "0_0 large>out x in/0@1 k=2000000 | result refused: ");
	assert_counted(d, 1);
	assert_nothing(d, "dead-letters");
	asked.answer = WEIR_ANSWER_DEAD_LETTER;
	weir_driver_pipe(d, "in", "k", "2000001", 3);
	weir_driver_pipe(d, "in", "k", "4", 4);
	assert_text(d, "out", "k=xxx@1", "k=xxxx@4");
	assert_text(d, "copy", "k=3@1", "k=2000000@2", "k=2000001@3", "k=4@4");
	weir_driver_record r;

	assert_true(weir_driver_read(d, "dead-letters", &r));
	assert_bytes(r.value, "2000001");
	asked.answer = WEIR_ANSWER_STOP;
	weir_driver_pipe(d, "in", "k", "2000000", 5);
	assert_stopped(d, "result of step \"large\" for topic \"out\"");
	assert_nothing(d, "copy");
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

static const void *inflate_count(weir_context *cx, const weir_record *r, void *user)
{
	weir_record as_text = *r;

	weir_set_value(&as_text, text(cx, "%lld", *(const long long *)weir_value(r) < 3 ? 3LL : 2000000LL));
	as_text.serde = &weir_utf8;
	return inflate(cx, &as_text, user);
}

static void of_a_commits_result_too_large_to_send_as_well(void **state)
{
	struct asked asked = { .answer = WEIR_ANSWER_SKIP };
	weir_topology *t = weir_topology_new("app");
	weir_stream *counts = weir_changes(weir_count(text_source(t, "in"), "counts", (weir_window){ 0 }));

	(void)state;
	weir_sink(weir_map_values(counts, "inflate", inflate_count, &weir_utf8, NULL), "out",
		  (weir_sink_opts){ 0 });
	weir_topology_on_refused(t, tell, &asked);
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	for (int i = 1; i <= 3; i++)
		weir_driver_pipe(d, "in", "k", "v", i);
	weir_driver_pipe(d, "in", "l", "v", 4);
	assert_asked(&asked, 1, "0_0 out>out x -/-1@-1 = | result refused: ");
	assert_text(d, "out", "k=xxx@1", "k=xxx@2", "l=xxx@4");
	assert_nothing(d, "dead-letters");
	assert_counted(d, 1);
	weir_driver_free(d);
}

/* --- refused by the broker, which is known only at the delivery -------------------------------------------------
 * */

static const char *route_small(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)r, (void)user;
	return "small";
}

static bool is_number(weir_context *cx, weir_bytes value)
{
	(void)cx;
	return value.len && value.data && *(const char *)value.data >= '0' && *(const char *)value.data <= '9';
}

static const void *decode_digits(weir_context *cx, weir_bytes value, weir_error *err)
{
	if (is_number(cx, value))
		return weir_utf8.decode(cx, value, err);
	weir_fail(err, WEIR_USER, "no digits");
	return NULL;
}

static weir_bytes encode_digits(weir_context *cx, const void *object)
{
	return weir_utf8.encode(cx, object);
}

static const weir_serde digits = { .name = "digits", .decode = decode_digits, .encode = encode_digits };

static weir_driver *to_small_topic(struct asked *unreadable, struct asked *refused, weir_driver_opts opts)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = weir_source(t, "in", (weir_source_opts){ .value = &digits });

	weir_sink(weir_map_values(in, "inflate", inflate, NULL, NULL), "out",
		  (weir_sink_opts){ .route = route_small });
	weir_sink(in, "copy", (weir_sink_opts){ 0 });
	weir_topology_on_unreadable(t, tell, unreadable);
	weir_topology_on_refused(t, tell, refused);
	weir_driver *d = driver(t, opts);
	const char *const config[][2] = { { "max.message.bytes", "1000" }, { "retention.ms", "-1" } };
	weir_topic_spec spec = { .name = "small", .partitions = 1, .configs = config, .config_count = 2 };

	must(weir_topics_create(weir_driver_cluster(d), &spec, 1, &err));
	return d;
}

static void of_what_the_broker_refuses_the_program_is_asked_in_the_next_transaction(void **state)
{
	struct asked unreadable = { .answer = WEIR_ANSWER_DEAD_LETTER }, refused = { .answer = WEIR_ANSWER_SKIP };
	weir_driver *d =
		to_small_topic(&unreadable, &refused, (weir_driver_opts){ PAIRS({ "errors.production", "stop" }) });

	(void)state;
	weir_driver_stop(d, false);
	weir_driver_pipe(d, "in", "k", "bad", 1);
	weir_driver_pipe(d, "in", "k", "1", 2);
	weir_driver_pipe(d, "in", "k", "2000", 3);
	weir_driver_pipe(d, "in", "k", "2", 4);
	must(weir_driver_start(d, NULL, &err));
	assert_text(d, "small", "k=x@2", "k=xx@4");
	assert_text(d, "copy", "k=1@2", "k=2@4");
	/* Its transaction was aborted and is done again: both were asked for it, what was answered holds once. */
	assert_int_equal(unreadable.times, 2);
	assert_dead_letter(d, "bad", "unreadable: no digits");
	assert_nothing(d, "dead-letters");
	assert_asked(&refused, 1, "0_0 ->small 2000 in/0@2 k=2000 | result refused: ");
	refused.answer = WEIR_ANSWER_DEAD_LETTER;
	weir_driver_pipe(d, "in", "k", "3000", 5);
	assert_asked(&refused, 2, "0_0 ->small 3000 in/0@4 k=3000 | result refused: ");
	weir_driver_record r;

	assert_true(weir_driver_read(d, "dead-letters", &r));
	assert_bytes(r.value, "3000");
	assert_memory_equal(weir_headers_last(r.headers, "reason").data, "result refused: ", 16);
	assert_nothing(d, "dead-letters");
	assert_nothing(d, "copy");
	weir_driver_free(d);
}

static void the_answer_to_what_the_broker_refuses_can_be_to_stop(void **state)
{
	struct asked unreadable = { 0 }, refused = { .answer = WEIR_ANSWER_STOP };
	weir_driver *d = to_small_topic(&unreadable, &refused, (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", "k", "1", 1);
	weir_driver_pipe(d, "in", "k", "2000", 2);
	assert_stopped(d, "topic \"small\" does not take what comes of a record of step \"in\" at in/0@1: ");
	assert_stopped(d, "(as the topology's handler has answered)");
	assert_text(d, "small", "k=x@1");
	assert_text(d, "copy", "k=1@1");
	assert_nothing(d, "dead-letters");
	/* With another answer it goes on from there. */
	refused.answer = WEIR_ANSWER_SKIP;
	must(weir_driver_restart(d, true, &err));
	weir_driver_pipe(d, "in", "k", "2", 3);
	assert_text(d, "small", "k=xx@3");
	assert_text(d, "copy", "k=2@3");
	assert_nothing(d, "dead-letters");
	weir_driver_free(d);
}

static void without_a_dead_letter_topic_what_the_broker_refuses_can_be_left_out(void **state)
{
	struct asked unreadable = { 0 }, refused = { .answer = WEIR_ANSWER_DEAD_LETTER };
	weir_driver *d = to_small_topic(&unreadable, &refused,
					(weir_driver_opts){ PAIRS({ "errors.dead.letter.queue.topic.name", "" }) });

	(void)state;
	weir_driver_pipe(d, "in", "k", "2000", 1);
	weir_driver_pipe(d, "in", "k", "1", 2);
	assert_asked(&refused, 1, "0_0 ->small 2000 in/0@0");
	assert_text(d, "copy", "k=1@2");
	assert_counted(d, 1);
	weir_driver_free(d);
}

/* --- state too large --------------------------------------------------------------------------------------------
 * */

static const void *inflate_fold(weir_context *cx, const weir_record *r, const void *aggregate, void *user)
{
	(void)aggregate;
	return inflate(cx, r, user);
}

static void of_state_too_large_for_its_changelog_the_program_is_asked(void **state)
{
	struct asked asked = { .answer = WEIR_ANSWER_SKIP };
	weir_topology *t = weir_topology_new("app");
	weir_aggregator a = { .value = &weir_utf8, .fold = inflate_fold };
	weir_stream *in = text_source(t, "in");

	(void)state;
	weir_sink(in, "copy", (weir_sink_opts){ 0 });
	weir_sink(weir_changes(weir_aggregate(in, "large", a, (weir_window){ 0 })), "out", (weir_sink_opts){ 0 });
	weir_topology_on_refused(t, tell, &asked);
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "k", "5", 1);
	weir_driver_pipe(d, "in", "k", "2000000", 2);
	weir_driver_pipe(d, "in", "k", "3", 3);
	assert_asked(&asked, 1, "0_0 ->app-large-changelog 2000000 in/0@1 k=2000000 | result refused: store");
	assert_text(d, "out", "k=xxxxx@1", "k=xxx@3");
	assert_text(d, "copy", "k=5@1", "k=3@3");
	assert_nothing(d, "dead-letters");
	asked.answer = WEIR_ANSWER_STOP;
	weir_driver_pipe(d, "in", "k", "2000000", 4);
	assert_stopped(d, "store \"large\": a record of 2000001 bytes");
	assert_nothing(d, "copy");
	weir_driver_free(d);
}

static const void *left_of(weir_context *cx, weir_bytes key, const void *left, const void *right, void *user)
{
	(void)cx, (void)key, (void)right, (void)user;
	return left;
}

static void of_what_has_waited_and_makes_it_too_large_as_well(void **state)
{
	struct asked asked = { .answer = WEIR_ANSWER_SKIP };
	weir_topology *t = weir_topology_new("app");
	weir_stream *alone = weir_left_join(text_source(t, "a"), "j", text_source(t, "b"), left_of, NULL,
					    (weir_join_window){ .after_ms = 1000 }, NULL);
	weir_aggregator a = { .value = &weir_utf8, .fold = inflate_fold };

	(void)state;
	weir_sink(weir_changes(weir_aggregate(alone, "all", a, (weir_window){ 0 })), "out", (weir_sink_opts){ 0 });
	weir_topology_on_refused(t, tell, &asked);
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "a", "k", "2000000", 1);
	weir_driver_pipe(d, "a", "k", "3", 2);
	weir_driver_advance(d, 2000);
	weir_driver_pipe(d, "a", "l", "1", 5000);
	assert_asked(&asked, 1, "0_0 ->app-all-changelog 2000000 -/-1@-1 = | result refused: store \"all\"");
	assert_text(d, "out", "k=xxx@2");
	assert_nothing(d, "dead-letters");
	asked.answer = WEIR_ANSWER_STOP;
	weir_driver_pipe(d, "a", "k", "2000000", 6000);
	weir_driver_advance(d, 2000);
	weir_driver_pipe(d, "a", "l", "1", 10000);
	assert_stopped(d,
		       "topic \"app-all-changelog\" does not take what comes of a record of step \"j\" at -/-1@-1");
	weir_driver_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_what_cannot_be_read_the_program_is_asked),
		cmocka_unit_test(what_cannot_be_read_can_be_looked_at_as_bytes),
		cmocka_unit_test(without_a_dead_letter_topic_the_programs_answer_is_counted),
		cmocka_unit_test(of_a_global_tables_records_it_is_asked_as_well),
		cmocka_unit_test(the_answer_to_a_global_tables_record_can_be_to_stop),
		cmocka_unit_test(there_it_can_stop_with_an_error_of_its_own),
		cmocka_unit_test(of_a_result_too_large_to_send_the_program_is_asked),
		cmocka_unit_test(of_a_commits_result_too_large_to_send_as_well),
		cmocka_unit_test(of_what_the_broker_refuses_the_program_is_asked_in_the_next_transaction),
		cmocka_unit_test(the_answer_to_what_the_broker_refuses_can_be_to_stop),
		cmocka_unit_test(without_a_dead_letter_topic_what_the_broker_refuses_can_be_left_out),
		cmocka_unit_test(of_state_too_large_for_its_changelog_the_program_is_asked),
		cmocka_unit_test(of_what_has_waited_and_makes_it_too_large_as_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
