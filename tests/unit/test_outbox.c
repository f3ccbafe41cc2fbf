#include "apps/evilnet/outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include <weir/clock.h>

#include "framework/kafka/port.h"

/*
 * A broker of this test's own, as troublesome as real ones: it takes or refuses what has been sent since the
 * last poll as one batch, loses connections, and gives producers up.
 */
enum { BATCH_MAX = 1000, TAKEN_MAX = 5000 };

struct sent {
	char topic, key[32], reason[64];
	int64_t timestamp_ms;
	size_t value_len;
	uint64_t tag;
};

static struct broker {
	weir_cluster cluster;
	weir_producer producer;
	weir_producer_opts opts;
	struct sent batch[BATCH_MAX], taken[TAKEN_MAX];
	size_t batch_count, taken_count;
	int batches;
	int opened, closed;
	int fail_batches;      /* so many batches are lost on the way */
	int fail_fatally;      /* so many deliveries end the producer */
	int refuse_to_open;    /* so many producers cannot be opened */
	int refuse_to_send;    /* so many records are not even queued */
	bool refuse_dead;      /* no dead letter is taken */
	int64_t timestamp_max; /* a batch with a post beyond it is refused */
	size_t value_max;      /* and one with a longer value */
	bool asleep;           /* answers nothing */
	const char *ahead_max; /* the topic's message.timestamp.after.max.ms */
} broker;

static bool copy_text(char *to, size_t size, weir_bytes from)
{
	snprintf(to, size, "%.*s", (int)from.len, from.data ? (const char *)from.data : "");
	return from.data;
}

static bool fake_send(weir_producer *producer, const weir_produced *r, weir_error *err)
{
	struct sent *s = &broker.batch[broker.batch_count];

	assert_ptr_equal(producer, &broker.producer);
	if (broker.refuse_to_send) {
		broker.refuse_to_send--;
		return weir_fail(err, WEIR_KAFKA, "queue is broken");
	}
	assert_true(broker.batch_count < BATCH_MAX);
	broker.batch_count++;
	*s = (struct sent){
		.topic = *r->topic, .timestamp_ms = r->timestamp_ms, .value_len = r->value.len, .tag = r->tag
	};
	copy_text(s->key, sizeof s->key, r->key);
	copy_text(s->reason, sizeof s->reason, weir_headers_last(r->headers, "reason"));
	return true;
}

static void deliver(const struct sent *s, const weir_error *error)
{
	if (!error) {
		assert_true(broker.taken_count < TAKEN_MAX);
		broker.taken[broker.taken_count++] = *s;
	}
	broker.opts.on_delivery("t", 0, error ? -1 : 7, s->tag, error, broker.opts.user);
}

static bool is_bad(const struct sent *s)
{
	if (s->topic == 'd' && broker.refuse_dead)
		return true;
	return (s->topic == 'p' && s->timestamp_ms > broker.timestamp_max) || s->value_len > broker.value_max;
}

static bool batch_is_bad(void)
{
	for (size_t i = 0; i < broker.batch_count; i++)
		if (is_bad(&broker.batch[i]))
			return true;
	return false;
}

static size_t fake_poll(weir_producer *producer, int64_t timeout_ms)
{
	weir_error error = { .code = WEIR_OK };
	bool good = false;

	(void)producer;
	if (!broker.batch_count || broker.asleep) {
		usleep(timeout_ms ? 1000 : 0);
		return 0;
	}
	if (broker.fail_batches) {
		broker.fail_batches--;
		weir_fail(&error, WEIR_KAFKA, "connection lost");
		error.retriable = true;
	} else if (broker.fail_fatally) {
		broker.fail_fatally--;
		weir_fail(&error, WEIR_FENCED, "out of order sequence");
		error.fatal = true;
	} else if (batch_is_bad()) {
		weir_fail(&error, WEIR_USER, "invalid batch");
	} else {
		good = true;
	}
	broker.batches++;
	size_t n = error.fatal && !good ? 1 : broker.batch_count; /* a dying producer takes the others with it */
	for (size_t i = 0; i < n; i++)
		deliver(&broker.batch[i], good ? NULL : &error);
	broker.batch_count = 0;
	return 0;
}

static void fake_close(weir_producer *producer)
{
	(void)producer;
	broker.closed++;
	broker.batch_count = 0;
}

static weir_producer *fake_open(weir_cluster *cluster, const weir_producer_opts *opts, weir_error *err)
{
	static const struct producer_ops ops = { .send = fake_send, .poll = fake_poll, .close = fake_close };

	(void)cluster;
	if (broker.refuse_to_open) {
		broker.refuse_to_open--;
		weir_fail(err, WEIR_KAFKA, "no broker");
		return NULL;
	}
	broker.opened++;
	broker.opts = *opts;
	broker.producer.ops = &ops;
	return &broker.producer;
}

static bool fake_config(weir_cluster *cluster, const char *topic, const char *name, char *buf, size_t size,
			weir_error *err)
{
	(void)cluster;
	assert_string_equal(topic, "posts");
	assert_string_equal(name, "message.timestamp.after.max.ms");
	if (broker.ahead_max)
		snprintf(buf, size, "%s", broker.ahead_max);
	return broker.ahead_max || weir_fail(err, WEIR_NOT_FOUND, "no such configuration");
}

/* ---- */

struct bench {
	weir_metrics *metrics;
	struct ingest_stats stats;
	struct outbox *outbox;
};

static void open_bench(struct bench *b)
{
	static const struct cluster_ops ops = { .producer_open = fake_open, .topic_config = fake_config };
	weir_error err;

	broker.cluster.ops = &ops;
	if (!broker.timestamp_max)
		broker.timestamp_max = INT64_MAX;
	if (!broker.value_max)
		broker.value_max = SIZE_MAX;
	b->metrics = weir_metrics_new();
	ingest_stats_open(&b->stats, b->metrics);
	b->outbox = outbox_open(
		(struct outbox_opts){
			.cluster = &broker.cluster,
			.posts_topic = "posts",
			.dead_letter_topic = "dead",
			.source = "test",
			.bytes_max = 1 << 20,
			.stats = &b->stats,
		},
		&err);
	assert_non_null(b->outbox);
}

static void close_bench(struct bench *b)
{
	assert_true(outbox_close(b->outbox, NULL));
	ingest_stats_close(&b->stats);
	weir_metrics_free(b->metrics);
	assert_int_equal(broker.opened, broker.closed);
	broker = (struct broker){ 0 };
}

/* Posts n of them, dated `first_ms` and so on by the millisecond; their place is their number. */
static void put_posts(struct bench *b, int n, int64_t first_ms)
{
	for (int i = 0; i < n; i++) {
		char place[16];

		snprintf(place, sizeof place, "%d", i);
		outbox_post(b->outbox,
			    &(struct post){
				    .id = weir_str("1"),
				    .author_id = weir_str("2"),
				    .place = weir_str(place),
				    .created_at_ms = first_ms + i,
			    },
			    weir_str("{\"the\":\"object\"}"), -1);
	}
}

static void flush(struct bench *b)
{
	assert_true(outbox_flush(b->outbox, 8000));
	assert_int_equal(outbox_pending(b->outbox), 0);
}

/* How many records of that topic with that key (NULL: any) the broker has. */
static int taken(char topic, const char *key)
{
	int n = 0;

	for (size_t i = 0; i < broker.taken_count; i++)
		n += broker.taken[i].topic == topic && (!key || strcmp(broker.taken[i].key, key) == 0);
	return n;
}

static void lost_batches_are_sent_again_until_all_is_there(void **state)
{
	struct bench b;

	(void)state;
	broker.fail_batches = 2;
	open_bench(&b);
	put_posts(&b, 500, 1000);
	flush(&b);
	assert_int_equal(taken('p', NULL), 500);
	assert_int_equal(weir_counter_value(b.stats.produced), 500);
	assert_int_equal(weir_counter_value(b.stats.resent), 1000);
	for (int i = 0; i < 500; i++) /* in their order */
		assert_int_equal(broker.taken[i].timestamp_ms, 1000 + i);
	close_bench(&b);
}

static void what_cannot_even_be_queued_is_kept(void **state)
{
	struct bench b;

	(void)state;
	broker.refuse_to_send = 3;
	open_bench(&b);
	put_posts(&b, 10, 1000);
	flush(&b);
	assert_int_equal(taken('p', NULL), 10);
	close_bench(&b);
}

static void a_producer_that_gives_up_is_replaced_and_nothing_lost(void **state)
{
	struct bench b;

	(void)state;
	broker.fail_fatally = 2;
	open_bench(&b);
	put_posts(&b, 100, 1000);
	outbox_serve(b.outbox, 0);
	broker.refuse_to_open = 1;
	put_posts(&b, 5, 5000); /* while there is none */
	flush(&b);
	assert_int_equal(broker.opened, 3);
	assert_int_equal(taken('p', NULL), 105);
	close_bench(&b);
}

static void one_refused_post_does_not_take_its_batch_with_it(void **state)
{
	struct bench b;

	(void)state;
	broker.timestamp_max = 1249; /* the broker's idea; the last one of the first batch offends it */
	open_bench(&b);
	put_posts(&b, 251, 1000);
	outbox_serve(b.outbox, 0);
	put_posts(&b, 100, 2); /* come in while suspects are tried */
	flush(&b);
	assert_int_equal(taken('p', NULL), 350);
	assert_int_equal(taken('p', "250"), 0);
	assert_in_range(broker.batches, 3, 40); /* not one by one */
	assert_int_equal(taken('d', NULL), 1);
	assert_int_equal(weir_counter_value(b.stats.refused), 1);
	assert_int_equal(weir_counter_value(b.stats.produced), 350);
	for (size_t i = 0; i < broker.taken_count; i++)
		if (broker.taken[i].topic == 'd')
			assert_string_equal(broker.taken[i].reason, "invalid batch");
	close_bench(&b);
}

static void several_culprits_are_all_found(void **state)
{
	struct bench b;

	(void)state;
	broker.timestamp_max = 5000;
	open_bench(&b);
	for (int i = 0; i < 10; i++) {
		put_posts(&b, 70, 1000);
		put_posts(&b, i % 3, 5001); /* nine of them in all */
	}
	flush(&b);
	assert_int_equal(taken('p', NULL), 700);
	assert_int_equal(taken('d', NULL), 9);
	assert_in_range(broker.batches, 18, 250);
	close_bench(&b);
}

static void what_is_plainly_too_far_ahead_is_not_tried(void **state)
{
	weir_clock *clock = weir_clock_system();
	struct bench b;

	(void)state;
	broker.ahead_max = "3600000";
	open_bench(&b);
	put_posts(&b, 1, clock->wall_ms(clock) + 3600000 + 70000);
	put_posts(&b, 1, clock->wall_ms(clock) + 3600000 + 40000); /* clocks may differ by a minute */
	flush(&b);
	assert_int_equal(taken('p', NULL), 1);
	assert_int_equal(taken('d', NULL), 1);
	assert_int_equal(weir_counter_value(b.stats.refused), 1);
	close_bench(&b);
}

static void without_a_limit_of_the_topic_the_broker_alone_judges(void **state)
{
	struct bench b;

	(void)state;
	broker.ahead_max = "none";
	open_bench(&b);
	put_posts(&b, 1, INT64_MAX - 10);
	flush(&b);
	assert_int_equal(taken('p', NULL), 1);
	close_bench(&b);
}

static void a_dead_letter_that_is_refused_goes_without_its_value(void **state)
{
	struct bench b;

	(void)state;
	broker.value_max = 10;
	open_bench(&b);
	outbox_dead_letter(b.outbox, weir_str("twelve bytes"), 12, "unreadable", 5);
	outbox_dead_letter(b.outbox, weir_str("ten bytes."), 10, "unreadable", -1);
	flush(&b);
	assert_int_equal(taken('d', NULL), 2);
	assert_int_equal(broker.taken[0].value_len + broker.taken[1].value_len, 10);
	assert_int_equal(weir_counter_value(b.stats.lost), 0);
	assert_int_equal(weir_counter_value(b.stats.produced), 0); /* counts posts */
	close_bench(&b);
}

static void a_record_that_nothing_helps_is_counted_as_lost_and_the_rest_goes_on(void **state)
{
	struct bench b;

	(void)state;
	broker.refuse_dead = true;
	open_bench(&b);
	outbox_dead_letter(b.outbox, weir_str("x"), 1, "unreadable", 5);
	put_posts(&b, 3, 1000);
	flush(&b);
	assert_int_equal(weir_counter_value(b.stats.lost), 1);
	assert_int_equal(taken('p', NULL), 3);
	close_bench(&b);
}

static void it_is_full_when_the_bytes_or_the_records_are_too_many(void **state)
{
	char *object = calloc(1, 100000);
	struct bench b;

	(void)state;
	memset(object, 'x', 100000);
	broker.asleep = true;
	open_bench(&b);
	for (int i = 0; i < 11; i++) {
		assert_false(outbox_full(b.outbox));
		outbox_dead_letter(b.outbox, weir_bytes_of(object, 100000), 100000, "x", -1);
	}
	assert_true(outbox_full(b.outbox));
	assert_false(outbox_flush(b.outbox, 30));
	broker.asleep = false;
	flush(&b);
	assert_false(outbox_full(b.outbox));
	assert_int_equal(weir_gauge_value(b.stats.pending), 0);
	assert_int_equal(weir_gauge_value(b.stats.pending_bytes), 0);
	free(object);
	close_bench(&b);
}

static void what_is_left_at_the_end_is_told(void **state)
{
	struct bench b;
	weir_error err = { 0 };

	(void)state;
	broker.fail_batches = 1;
	open_bench(&b);
	put_posts(&b, 7, 1000);
	assert_false(outbox_flush(b.outbox, 30));
	assert_false(outbox_close(b.outbox, &err));
	assert_string_equal(err.message, "7 records were not acknowledged: connection lost");
	b.outbox = NULL;
	close_bench(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lost_batches_are_sent_again_until_all_is_there),
		cmocka_unit_test(what_cannot_even_be_queued_is_kept),
		cmocka_unit_test(a_producer_that_gives_up_is_replaced_and_nothing_lost),
		cmocka_unit_test(one_refused_post_does_not_take_its_batch_with_it),
		cmocka_unit_test(several_culprits_are_all_found),
		cmocka_unit_test(what_is_plainly_too_far_ahead_is_not_tried),
		cmocka_unit_test(without_a_limit_of_the_topic_the_broker_alone_judges),
		cmocka_unit_test(a_dead_letter_that_is_refused_goes_without_its_value),
		cmocka_unit_test(a_record_that_nothing_helps_is_counted_as_lost_and_the_rest_goes_on),
		cmocka_unit_test(what_is_left_at_the_end_is_told),
		cmocka_unit_test(it_is_full_when_the_bytes_or_the_records_are_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
