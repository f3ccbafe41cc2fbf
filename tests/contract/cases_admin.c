#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/contract/cases.h"

static struct reader r;

static void count_topic(const char *topic, int32_t partitions, void *user)
{
	struct listed {
		const char *topic;
		int times;
		int32_t partitions;
	} *l = user;

	assert_true(strncmp(topic, "__", 2) != 0);
	if (!strcmp(topic, l->topic)) {
		l->times++;
		l->partitions = partitions;
	}
}

void topics_are_made_once_and_keep_their_configuration(struct contract *c)
{
	static const char *const configs[][2] = { { "cleanup.policy", "compact,delete" },
						  { "retention.ms", "-1" } };
	weir_topic_spec spec = { fresh(c, "topic"), 3, 0, configs, 2 }, again = { spec.name, 5, 0, NULL, 0 };
	struct {
		const char *topic;
		int times;
		int32_t partitions;
	} listed = { spec.name, 0, 0 };
	char buf[64];
	weir_error err;

	assert_int_equal(weir_topic_partitions(c->cluster, spec.name, &err), 0);
	assert_done(weir_topics_create(c->cluster, &spec, 1, &err), err);
	assert_int_equal(weir_topic_partitions(c->cluster, spec.name, &err), 3);
	assert_done(weir_topics_create(c->cluster, &again, 1, &err), err);
	assert_int_equal(weir_topic_partitions(c->cluster, spec.name, &err), 3);
	assert_done(weir_topic_config(c->cluster, spec.name, "cleanup.policy", buf, sizeof buf, &err), err);
	assert_true(strstr(buf, "compact") && strstr(buf, "delete"));
	assert_done(weir_topic_config(c->cluster, spec.name, "retention.ms", buf, sizeof buf, &err), err);
	assert_string_equal(buf, "-1");
	assert_done(weir_topic_config(c->cluster, spec.name, "max.message.bytes", buf, sizeof buf, &err), err);
	assert_string_equal(buf, "1048588"); /* a default */
	assert_false(weir_topic_config(c->cluster, spec.name, "no.such.setting", buf, sizeof buf, &err));
	assert_false(weir_topic_config(c->cluster, fresh(c, "nowhere"), "retention.ms", buf, sizeof buf, &err));
	assert_done(weir_topics_each(c->cluster, count_topic, &listed, &err), err);
	assert_int_equal(listed.times, 1);
	assert_int_equal(listed.partitions, 3);
}

void a_topic_that_is_deleted_is_gone(struct contract *c)
{
	const char *topic = fresh_topic(c, 2);
	weir_topic_spec spec = { .name = topic, .partitions = 1 };
	weir_error err;

	put_numbers(c, topic, 0, 5);
	assert_done(weir_topics_delete(c->cluster, &topic, 1, &err), err);
	WAIT_UNTIL(c, weir_topic_partitions(c->cluster, topic, &err) == 0);
	WAIT_UNTIL(c, weir_topics_create(c->cluster, &spec, 1, &err) &&
			      weir_topic_partitions(c->cluster, topic, &err) == 1);
	WAIT_UNTIL(c, end_of(c, topic, 0) == 0);
}

void deleted_records_move_the_first_offset(struct contract *c)
{
	const char *topic = fresh_topic(c, 2);
	weir_partition at = { .topic = topic, .partition = 1, .offset = 6 };
	weir_error err;

	put_numbers(c, topic, 1, 10);
	assert_int_equal(first_of(c, topic, 1), 0);
	assert_int_equal(end_of(c, topic, 1), 10);
	assert_done(weir_records_delete(c->cluster, &at, 1, &err), err);
	assert_int_equal(first_of(c, topic, 1), 6);
	assert_int_equal(end_of(c, topic, 1), 10);
	at.offset = 4; /* gone already */
	assert_done(weir_records_delete(c->cluster, &at, 1, &err), err);
	assert_int_equal(first_of(c, topic, 1), 6);
	at.offset = 11;
	assert_false(weir_records_delete(c->cluster, &at, 1, &err));
	reader_at(c, &r, topic, 1, WEIR_OFFSET_BEGINNING);
	reader_until(&r, 4);
	assert_string_equal(reader_values(&r), "6 7 8 9");
	reader_close(&r);
	reader_at(c, &r, topic, 1, 2);
	for (struct patience w = patience(c); !r.errors && patience_left(&w, "error");)
		reader_poll(&r);
	assert_int_equal(r.error.code, WEIR_STATE);
	reader_close(&r);
	at.offset = 10;
	assert_done(weir_records_delete(c->cluster, &at, 1, &err), err);
	assert_int_equal(first_of(c, topic, 1), 10);
	put_numbers(c, topic, 1, 1);
	assert_int_equal(end_of(c, topic, 1), 11);
}

void records_of_a_compacted_topic_cannot_be_deleted(struct contract *c)
{
	static const char *const configs[][2] = { { "cleanup.policy", "compact" } };
	weir_topic_spec spec = { fresh(c, "compacted"), 1, 0, configs, 1 };
	weir_partition at = { .topic = spec.name, .partition = 0, .offset = 3 };
	weir_error err;

	assert_done(weir_topics_create(c->cluster, &spec, 1, &err), err);
	put_numbers(c, spec.name, 0, 5);
	assert_false(weir_records_delete(c->cluster, &at, 1, &err));
	assert_int_equal(first_of(c, spec.name, 0), 0);
}

void offsets_are_found_by_time(struct contract *c)
{
	const char *topic = fresh_topic(c, 2);
	weir_producer *p = producer_of(c, NULL);
	weir_error err;

	for (int i = 0; i < 10; i++)
		put_at(p, topic, 0, 1000 + 10 * i, "k", "v");
	flush(p);
	weir_producer_close(p);
	weir_partition list[] = { { .topic = topic, .partition = 0, .offset = 1 },
				  { .topic = topic, .partition = 1, .offset = 1 } };
	weir_partition before = { .topic = topic, .partition = 0, .offset = 7 };
	const int64_t wanted[][2] = { { 1, 0 }, { 1000, 0 }, { 1041, 5 }, { 1050, 5 }, { 1090, 9 }, { 1091, 10 } };

	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
		list[0].offset = list[1].offset = wanted[i][0];
		assert_done(weir_offsets_for_times(c->cluster, list, 2, &err), err);
		assert_int_equal(list[0].offset, wanted[i][1]);
		assert_int_equal(list[1].offset, 0);
	}
	assert_done(weir_records_delete(c->cluster, &before, 1, &err), err);
	list[0].offset = list[1].offset = 1;
	assert_done(weir_offsets_for_times(c->cluster, list, 2, &err), err);
	assert_int_equal(list[0].offset, 7);
}

void the_cluster_has_an_id(struct contract *c)
{
	weir_error err;
	const char *id = weir_cluster_id(c->cluster, &err);

	assert_done(id, err);
	assert_true(strlen(id) > 0);
	assert_string_equal(id, weir_cluster_id(c->cluster, &err));
}
