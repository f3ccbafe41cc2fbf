#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/contract/cases.h"

static struct reader r;

static weir_partition at(const char *topic, int32_t partition, int64_t offset)
{
	return (weir_partition){ .topic = topic, .partition = partition, .offset = offset };
}

/* From the nth record of the reader on, offsets follow each other from `first`. */
static void assert_consecutive(size_t from, int64_t first)
{
	for (size_t i = from; i < r.count; i++)
		assert_int_equal(r.seen[i].offset, first + (int64_t)(i - from));
}

void records_of_several_partitions_carry_the_user_pointer_of_theirs(struct contract *c)
{
	const char *topic = fresh_topic(c, 3);
	static int marks[3];
	int64_t next[3] = { 0 };
	weir_error err;

	reader_open(c, &r, false);
	for (int32_t i = 0; i < 3; i++) {
		weir_partition p = { .topic = topic, .partition = i, .offset = 0, .user = &marks[i] };

		put_numbers(c, topic, i, 50);
		assert_done(weir_consumer_assign(r.consumer, &p, 1, &err), err);
	}
	reader_until(&r, 150);
	for (size_t i = 0; i < r.count; i++) {
		assert_ptr_equal(r.seen[i].user, &marks[r.seen[i].partition]);
		assert_int_equal(r.seen[i].offset, next[r.seen[i].partition]++);
	}
	reader_close(&r);
}

static bool check_position(const weir_kafka_record *record, void *user)
{
	(void)user;
	assert_int_equal(weir_consumer_position(record->consumer, record->topic, record->partition),
			 record->offset + 1);
	return true;
}

void position_is_behind_the_record_that_was_handed_over(struct contract *c)
{
	const char *topic = fresh_topic(c, 1);

	put_numbers(c, topic, 0, 20);
	reader_at(c, &r, topic, 0, 5);
	r.on_record = check_position;
	r.leave_after = 7;
	reader_until(&r, 7);
	assert_int_equal(position_of(&r, topic, 0), 12);
	reader_until(&r, 15);
	assert_int_equal(position_of(&r, topic, 0), 20);
	assert_consecutive(0, 5);
	assert_int_equal(position_of(&r, topic, 1), WEIR_OFFSET_NONE);
	reader_close(&r);
}

void a_poll_that_is_left_early_goes_on_without_loss_or_repeat(struct contract *c)
{
	const char *topic = fresh_topic(c, 2);
	int64_t next[2] = { 0 };

	put_numbers(c, topic, 0, 500);
	put_numbers(c, topic, 1, 500);
	reader_open(c, &r, false);
	reader_assign(&r, topic, 0, 0);
	reader_assign(&r, topic, 1, 0);
	r.leave_after = 3;
	for (struct patience p = patience(c); r.count < 1000 && patience_left(&p, "records");) {
		size_t before = r.count;

		reader_poll(&r);
		assert_true(r.count - before <= 3);
	}
	for (size_t i = 0; i < r.count; i++)
		assert_int_equal(r.seen[i].offset, next[r.seen[i].partition]++);
	reader_linger(&r);
	assert_int_equal(r.count, 1000);
	reader_close(&r);
}

void a_paused_partition_gives_nothing_until_resumed(struct contract *c)
{
	const char *topic = fresh_topic(c, 2);
	weir_partition p = at(topic, 0, 0);
	weir_error err;

	put_numbers(c, topic, 0, 100);
	put_numbers(c, topic, 1, 10);
	reader_open(c, &r, false);
	reader_assign(&r, topic, 0, 0);
	r.leave_after = 10;
	reader_until(&r, 10);
	assert_done(weir_consumer_pause(r.consumer, &p, 1, &err), err);
	reader_assign(&r, topic, 1, 0);
	reader_until(&r, 20);
	reader_linger(&r);
	assert_int_equal(r.count, 20);
	for (size_t i = 10; i < 20; i++)
		assert_int_equal(r.seen[i].partition, 1);
	assert_int_equal(position_of(&r, topic, 0), 10);
	r.count = 10;
	r.leave_after = 0;
	assert_done(weir_consumer_resume(r.consumer, &p, 1, &err), err);
	reader_until(&r, 100);
	assert_consecutive(0, 0);
	reader_close(&r);
}

static bool pause_at_tens(const weir_kafka_record *record, void *user)
{
	weir_partition p = at(record->topic, record->partition, 0);
	weir_error err;

	(void)user;
	if (record->offset % 10 == 9)
		assert_done(weir_consumer_pause(record->consumer, &p, 1, &err), err);
	return true;
}

void a_pause_inside_the_callback_takes_hold_at_once(struct contract *c)
{
	const char *topic = fresh_topic(c, 1);
	weir_partition p = at(topic, 0, 0);
	weir_error err;

	put_numbers(c, topic, 0, 50);
	reader_at(c, &r, topic, 0, 0);
	r.on_record = pause_at_tens;
	for (size_t n = 10; n <= 50; n += 10) {
		reader_until(&r, n);
		reader_poll(&r);
		assert_int_equal(r.count, n);
		assert_done(weir_consumer_resume(r.consumer, &p, 1, &err), err);
	}
	assert_consecutive(0, 0);
	reader_close(&r);
}

void a_seek_drops_what_was_fetched_ahead(struct contract *c)
{
	const char *topic = fresh_topic(c, 1);
	weir_partition back = at(topic, 0, 3), on = at(topic, 0, 80);
	weir_error err;

	put_numbers(c, topic, 0, 100);
	reader_at(c, &r, topic, 0, 0);
	r.leave_after = 10;
	reader_until(&r, 10);
	assert_done(weir_consumer_seek(r.consumer, &back, 1, &err), err);
	reader_until(&r, 20);
	assert_done(weir_consumer_seek(r.consumer, &on, 1, &err), err);
	reader_until(&r, 40);
	reader_linger(&r);
	assert_int_equal(r.count, 40);
	for (size_t i = 10; i < 20; i++)
		assert_int_equal(r.seen[i].offset, 3 + (int64_t)(i - 10));
	assert_consecutive(20, 80);
	reader_close(&r);
}

static bool seek_back_once(const weir_kafka_record *record, void *user)
{
	struct reader *reader = user;
	weir_partition p = at(record->topic, record->partition, 4);
	weir_error err;

	if (reader->count == 8)
		assert_done(weir_consumer_seek(record->consumer, &p, 1, &err), err);
	return true;
}

void a_seek_inside_the_callback_reads_again_from_there(struct contract *c)
{
	const char *topic = fresh_topic(c, 1);

	put_numbers(c, topic, 0, 20);
	reader_at(c, &r, topic, 0, 0);
	r.on_record = seek_back_once;
	reader_until(&r, 24);
	reader_linger(&r);
	assert_int_equal(r.count, 24);
	assert_consecutive(8, 4);
	reader_close(&r);
}

void an_unassigned_partition_gives_nothing_until_assigned_again(struct contract *c)
{
	const char *topic = fresh_topic(c, 1);
	weir_partition p = at(topic, 0, 0);
	weir_error err;

	put_numbers(c, topic, 0, 30);
	reader_at(c, &r, topic, 0, 0);
	r.leave_after = 10;
	reader_until(&r, 10);
	assert_done(weir_consumer_unassign(r.consumer, &p, 1, &err), err);
	reader_linger(&r);
	assert_int_equal(r.count, 10);
	assert_int_equal(position_of(&r, topic, 0), WEIR_OFFSET_NONE);
	reader_assign(&r, topic, 0, 25);
	reader_until(&r, 15);
	assert_consecutive(10, 25);
	reader_close(&r);
}

void reading_from_the_end_sees_only_what_comes_later(struct contract *c)
{
	const char *topic = fresh_topic(c, 1);

	put_numbers(c, topic, 0, 10);
	reader_at(c, &r, topic, 0, WEIR_OFFSET_END);
	reader_linger(&r);
	put_numbers(c, topic, 0, 3);
	reader_until(&r, 3);
	assert_consecutive(0, 10);
	reader_close(&r);
}

void a_position_outside_the_log_is_reported_once_and_mended_by_seek(struct contract *c)
{
	const char *topic = fresh_topic(c, 1);
	weir_partition p = at(topic, 0, 8);
	weir_error err;

	put_numbers(c, topic, 0, 10);
	reader_at(c, &r, topic, 0, 100);
	for (struct patience w = patience(c); !r.errors && patience_left(&w, "error");)
		reader_poll(&r);
	reader_linger(&r);
	assert_int_equal(r.errors, 1);
	assert_int_equal(r.error.code, WEIR_STATE);
	assert_int_equal(r.error_partition.partition, 0);
	assert_int_equal(r.count, 0);
	assert_done(weir_consumer_seek(r.consumer, &p, 1, &err), err);
	reader_until(&r, 2);
	assert_consecutive(0, 8);
	assert_int_equal(r.errors, 1);
	reader_close(&r);
}

void a_topic_that_is_not_there_is_reported(struct contract *c)
{
	reader_at(c, &r, fresh(c, "nowhere"), 0, 0);
	for (struct patience w = patience(c); !r.errors && patience_left(&w, "error");)
		reader_poll(&r);
	assert_int_equal(r.error.code, WEIR_NOT_FOUND);
	reader_close(&r);
}

void lag_is_known_once_records_have_come(struct contract *c)
{
	const char *topic = fresh_topic(c, 1);

	put_numbers(c, topic, 0, 40);
	reader_at(c, &r, topic, 0, 0);
	assert_int_equal(weir_consumer_lag(r.consumer, topic, 0), -1);
	r.leave_after = 15;
	reader_until(&r, 15);
	assert_int_equal(weir_consumer_lag(r.consumer, topic, 0), 25);
	r.leave_after = 0;
	reader_until(&r, 40);
	assert_int_equal(weir_consumer_lag(r.consumer, topic, 0), 0);
	assert_int_equal(weir_consumer_lag(r.consumer, topic, 1), -1);
	reader_close(&r);
}

void seek_wants_the_partition_to_be_assigned(struct contract *c)
{
	const char *topic = fresh_topic(c, 1);
	weir_partition p = at(topic, 0, 0);
	weir_error err;

	reader_open(c, &r, false);
	assert_false(weir_consumer_seek(r.consumer, &p, 1, &err));
	assert_false(err.fatal);
	reader_close(&r);
}
