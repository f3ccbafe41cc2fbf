/*
 * Who divides the work by what, on a real cluster.
 *
 * An input gets more partitions between two starts, on a real cluster: the two would divide the work by different
 * topics, and may have looked before either had a share. Each record shows exactly once.
 *
 * Members of another protocol (Kafka Streams') read all topics of a task, not the anchor alone. Whoever comes then
 * waits until they have gone.
 */
#include <librdkafka/rdkafka.h>

#include "tests/integration/app_on_kafka.h"

enum { EACH = 200, RECORDS = 2 * EACH, OUT = 2 };

static struct contract contract;

struct merge {
	char inputs[2][100], out[100];
	weir_consumer *results;
	int times[RECORDS]; /* that each number has come out */
	int seen, twice;
};

static weir_topology *merging(void *user)
{
	struct merge *m = user;
	weir_topology *t = weir_topology_new("merging");
	const char *const topics[] = { m->inputs[0], m->inputs[1] };

	weir_sink(
		weir_source(t, "in", (weir_source_opts){ .topics = topics, .topic_count = 2, .value = &weir_utf8 }),
		"out", (weir_sink_opts){ .topic = m->out });
	return t;
}

struct instance {
	weir_config *cfg;
	weir_topology *topology;
	weir_app *app;
};

/* False: refused. */
static bool start(struct instance *in, struct merge *m, const char *id, const char *number)
{
	const char *const pairs[][2] = { { "application.id", id },
					 { "instance.id", number },
					 { "state.dir", "" },
					 { "commit.interval.ms", "100ms" } };
	weir_error err;

	*in = (struct instance){ .cfg = weir_config_new(), .topology = merging(m) };
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
		assert_done(
			weir_config_set(in->cfg, pairs[i][0], pairs[i][1], WEIR_FROM_COMMAND_LINE, "test", &err),
			err);
	in->app = weir_app_new(in->topology, in->cfg, contract.cluster, (weir_app_opts){ 0 }, &err);
	assert_done(in->app, err);
	return weir_app_start(in->app, &err);
}

static void end(struct instance *in)
{
	weir_app_stop(in->app, 30000, NULL);
	weir_app_free(in->app);
	weir_topology_free(in->topology);
	weir_config_free(in->cfg);
}

static void put_into(struct merge *m, int input)
{
	weir_producer *p = producer_of(&contract, NULL);
	char value[16];

	for (int n = 0; n < EACH; n++) {
		snprintf(value, sizeof value, "%d", input * EACH + n);
		put(p, m->inputs[input], n % 2, "k", value);
	}
	flush(p);
	weir_producer_close(p);
}

static bool take(const weir_kafka_record *r, void *user)
{
	struct merge *m = user;
	char text[16];

	snprintf(text, sizeof text, "%.*s", (int)r->value.len, (const char *)r->value.data);
	int n = atoi(text);

	assert_in_range(n, 0, RECORDS - 1);
	m->seen += m->times[n] == 0;
	m->twice += m->times[n]++ > 0;
	return true;
}

static int seen(struct merge *m)
{
	weir_error err;

	assert_done(weir_consumer_poll(m->results, 50, take, m, &err), err);
	return m->seen;
}

static void begin_merge(struct merge *m)
{
	weir_error err;

	*m = (struct merge){ .seen = 0 };
	for (int i = 0; i < 2; i++)
		snprintf(m->inputs[i], sizeof m->inputs[i], "%s", fresh_topic(&contract, 2));
	snprintf(m->out, sizeof m->out, "%s", fresh_topic(&contract, OUT));
	m->results = weir_consumer_open(contract.cluster, (weir_consumer_opts){ 0 }, &err);
	assert_done(m->results, err);
	for (int32_t p = 0; p < OUT; p++) {
		weir_partition at = { .topic = m->out, .partition = p, .offset = WEIR_OFFSET_BEGINNING };

		assert_done(weir_consumer_assign(m->results, &at, 1, &err), err);
	}
	put_into(m, 0);
	put_into(m, 1);
}

static bool is_running(struct instance *in)
{
	return weir_app_state_get(in->app, NULL) == WEIR_APP_RUNNING;
}

static bool has_settled(struct instance *in)
{
	return is_running(in) || weir_app_state_get(in->app, NULL) == WEIR_APP_ERROR;
}

static void two_that_start_around_a_widening_do_not_process_the_same(void **state)
{
	struct merge m;
	struct instance first, second;
	char id[100];
	weir_error err;

	(void)state;
	begin_merge(&m);
	snprintf(id, sizeof id, "%s", fresh(&contract, "app"));
	assert_true(start(&first, &m, id, "1"));
	assert_done(weir_topic_widen(contract.cluster, m.inputs[1], 4, &err), err);
	start(&second, &m, id, "2");
	WAIT_UNTIL(&contract, has_settled(&first) && has_settled(&second));
	assert_false(is_running(&first) && is_running(&second));
	end(&first);
	end(&second);
	assert_true(start(&second, &m, id, "2"));
	WAIT_UNTIL(&contract, seen(&m) == RECORDS);
	assert_true(start(&first, &m, id, "1")); /* now they agree */
	WAIT_UNTIL(&contract, is_running(&first) && is_running(&second));
	for (int i = 0; i < 20; i++) /* nothing comes twice */
		seen(&m);
	assert_int_equal(m.twice, 0);
	end(&first);
	end(&second);
	weir_consumer_close(m.results);
}

/* A member as Kafka Streams' are: by another way of assigning, of all inputs. */
static rd_kafka_t *join_otherwise(struct merge *m, const char *group)
{
	const char *const pairs[][2] = { { "bootstrap.servers", getenv("WEIR_TEST_BOOTSTRAP") },
					 { "group.id", group },
					 { "partition.assignment.strategy", "range" } };
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(2);
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[512];

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
		assert_int_equal(rd_kafka_conf_set(conf, pairs[i][0], pairs[i][1], why, sizeof why),
				 RD_KAFKA_CONF_OK);
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);

	assert_non_null(rk);
	rd_kafka_poll_set_consumer(rk);
	for (int i = 0; i < 2; i++)
		rd_kafka_topic_partition_list_add(topics, m->inputs[i], RD_KAFKA_PARTITION_UA);
	assert_int_equal(rd_kafka_subscribe(rk, topics), RD_KAFKA_RESP_ERR_NO_ERROR);
	rd_kafka_topic_partition_list_destroy(topics);
	return rk;
}

static int owned(rd_kafka_t *rk)
{
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, 50);

	if (message)
		rd_kafka_message_destroy(message);
	assert_int_equal(rd_kafka_assignment(rk, &list), RD_KAFKA_RESP_ERR_NO_ERROR);
	int n = list->cnt;

	rd_kafka_topic_partition_list_destroy(list);
	return n;
}

static void one_that_comes_while_others_run_by_another_protocol_waits_for_them(void **state)
{
	struct merge m;
	struct instance in;
	char id[100];

	(void)state;
	begin_merge(&m);
	snprintf(id, sizeof id, "%s", fresh(&contract, "app"));
	rd_kafka_t *other = join_otherwise(&m, id);

	WAIT_UNTIL(&contract, owned(other) == 4);
	assert_true(start(&in, &m, id, "1"));
	for (int i = 0; i < 40; i++) {
		owned(other);
		assert_false(has_settled(&in));
	}
	rd_kafka_consumer_close(other);
	rd_kafka_destroy(other);
	WAIT_UNTIL(&contract, seen(&m) == RECORDS);
	assert_int_equal(m.twice, 0);
	end(&in);
	weir_consumer_close(m.results);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_that_start_around_a_widening_do_not_process_the_same),
		cmocka_unit_test(one_that_comes_while_others_run_by_another_protocol_waits_for_them),
	};

	return job_run_tests(&contract, "anchors on Kafka", tests, sizeof tests / sizeof *tests);
}
