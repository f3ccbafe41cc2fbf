/* What of the librdkafka implementation can be tried without a broker. The rest is in tests/integration/. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "framework/kafka/rdkafka.h"
#include "framework/kafka/rdkafka_held.h"

static void *user_of(uintptr_t n)
{
	return (void *)n;
}

static weir_cluster *open_with(const char *name, const char *value, weir_error *err)
{
	static weir_config *cfg;

	weir_config_free(cfg);
	cfg = weir_config_new();
	assert_true(weir_config_set(cfg, "bootstrap.servers", "127.0.0.1:1", WEIR_FROM_COMMAND_LINE, "-X", err));
	assert_true(weir_config_set(cfg, name, value, WEIR_FROM_COMMAND_LINE, "-X", err));
	*err = (weir_error){ 0 };
	weir_cluster *cluster = weir_cluster_open(cfg, err);

	if (!cluster) {
		weir_config_free(cfg);
		cfg = NULL;
	}
	return cluster;
}

static void an_unknown_property_is_refused_when_the_cluster_is_opened(void **state)
{
	weir_error err;

	(void)state;
	assert_null(open_with("kafka.no.such.thing", "1", &err));
	assert_int_equal(err.code, WEIR_CONFIG);
	assert_non_null(strstr(err.message, "kafka.no.such.thing"));
}

static void a_bad_value_is_refused_with_its_name(void **state)
{
	weir_error err;

	(void)state;
	assert_null(open_with("kafka.socket.timeout.ms", "soon", &err));
	assert_int_equal(err.code, WEIR_CONFIG);
	assert_non_null(strstr(err.message, "kafka.socket.timeout.ms"));
}

static void what_the_promises_rest_on_cannot_be_changed(void **state)
{
	static const char *const names[] = { "kafka.enable.idempotence", "kafka.auto.offset.reset", "kafka.acks",
					     "kafka.isolation.level", "kafka.partitioner" };
	weir_error err;

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		assert_null(open_with(names[i], "1", &err));
		assert_int_equal(err.code, WEIR_CONFIG);
		assert_non_null(strstr(err.message, names[i]));
		assert_non_null(strstr(err.message, "cannot be set"));
	}
}

/* A consumer's property must do no harm to producers, and the other way round. */
static void settings_of_either_kind_of_client_are_taken(void **state)
{
	static const char *const settings[][2] = { { "kafka.fetch.min.bytes", "100" },
						   { "kafka.compression.type", "lz4" },
						   { "kafka.security.protocol", "plaintext" } };
	weir_error err;

	(void)state;
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
		weir_cluster *cluster = open_with(settings[i][0], settings[i][1], &err);

		if (!cluster)
			fail_msg("%s", err.message);
		weir_producer *p =
			weir_producer_open(cluster, (weir_producer_opts){ .transactional_id = "t" }, &err);
		weir_consumer *c = weir_consumer_open(cluster, (weir_consumer_opts){ 0 }, &err);

		assert_non_null(p);
		assert_non_null(c);
		weir_consumer_close(c);
		weir_producer_close(p);
		weir_cluster_free(cluster);
	}
}

static void queues_of_any_size_go_with_records_of_any_size(void **state)
{
	static const char *const largest[] = { "2000", "1000000", "50000000", "90000000" };
	static const int64_t queues[] = { 1, 100000, 64 << 20, INT64_C(1) << 40 };
	weir_error err;

	(void)state;
	for (size_t i = 0; i < sizeof largest / sizeof *largest; i++) {
		weir_cluster *cluster = open_with("kafka.message.max.bytes", largest[i], &err);

		for (size_t q = 0; cluster && q < sizeof queues / sizeof *queues; q++) {
			weir_consumer *c = weir_consumer_open(
				cluster, (weir_consumer_opts){ .queue_bytes_max = queues[q] }, &err);
			weir_producer *p = weir_producer_open(
				cluster, (weir_producer_opts){ .queue_bytes_max = queues[q] }, &err);

			if (!c || !p)
				fail_msg("%s bytes, queue of %lld: %s", largest[i], (long long)queues[q],
					 err.message);
			weir_consumer_close(c);
			weir_producer_close(p);
		}
		weir_cluster_free(cluster);
	}
}

static void calls_that_make_no_sense_are_refused_without_a_broker(void **state)
{
	weir_error err;
	weir_cluster *cluster = open_with("client.id", "test", &err);
	weir_consumer *c = weir_consumer_open(cluster, (weir_consumer_opts){ 0 }, &err);
	weir_producer *p = weir_producer_open(cluster, (weir_producer_opts){ 0 }, &err);
	weir_partition part = { .topic = "t", .partition = 0, .offset = WEIR_OFFSET_NONE };
	const char *topic = "t";

	(void)state;
	assert_false(weir_consumer_subscribe(c, &topic, 1, &err));
	assert_int_equal(err.code, WEIR_USAGE);
	assert_false(weir_consumer_assign(c, &part, 1, &err)); /* no place to begin */
	assert_int_equal(err.code, WEIR_USAGE);
	part.offset = 7;
	assert_true(weir_consumer_assign(c, &part, 1, &err));
	assert_int_equal(weir_consumer_position(c, "t", 0), 7);
	assert_false(weir_consumer_assign(c, &part, 1, &err)); /* twice */
	assert_int_equal(err.code, WEIR_USAGE);
	assert_true(weir_consumer_unassign(c, &part, 1, &err));
	assert_int_equal(weir_consumer_position(c, "t", 0), WEIR_OFFSET_NONE);
	assert_false(weir_producer_begin(p, &err));
	assert_int_equal(err.code, WEIR_USAGE);
	weir_producer_close(p);
	weir_consumer_close(c);
	weir_cluster_free(cluster);
}

static void a_broker_that_is_away_is_a_timeout_that_can_be_retried(void **state)
{
	weir_error err;
	weir_cluster *cluster = open_with("client.id", "test", &err);
	weir_partition p = { .topic = "t", .partition = 0 };

	(void)state;
	assert_false(weir_group_committed(cluster, "g", &p, 1, 100, &err));
	assert_int_equal(err.code, WEIR_TIMEOUT);
	assert_true(err.retriable);
	assert_false(err.fatal);
	int64_t before_ms = weir__rdk_now_ms();

	assert_false(weir_group_describe(cluster, "g", NULL, NULL, 100, &err));
	assert_int_equal(err.code, WEIR_TIMEOUT);
	assert_true(err.retriable);
	assert_true(weir__rdk_now_ms() - before_ms < 10000);
	weir_cluster_free(cluster);
}

/* librdkafka's own cluster in memory cannot describe groups. It is left to the end of the process. */
static void describe_and_free(void)
{
	char why[256];
	weir_error err;
	rd_kafka_t *host = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), why, sizeof why);
	rd_kafka_mock_cluster_t *mock = rd_kafka_mock_cluster_new(host, 1);
	weir_cluster *cluster = open_with("bootstrap.servers", rd_kafka_mock_cluster_bootstraps(mock), &err);

	if (!cluster || weir_group_describe(cluster, "g", NULL, NULL, 30000, &err))
		_exit(1);
	weir_cluster_free(cluster);
	_exit(0);
}

/* In a process of its own, which it may end by an assertion, or hang. */
static void a_cluster_is_freed_after_a_description_that_failed(void **state)
{
	pid_t pid = fork();
	int status = 0;

	(void)state;
	if (pid == 0)
		describe_and_free();
	assert_true(pid > 0);
	for (int ms = 0; waitpid(pid, &status, WNOHANG) == 0; ms += 10) {
		if (ms > 40000)
			kill(pid, SIGKILL);
		usleep(10000);
	}
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Partitions come and go in an order of their own; each is found, and only while it is held. */
static void held_partitions_are_found_by_topic_and_number(void **state)
{
	enum { TOPICS = 7, PARTITIONS = 40 };
	static struct held *all[TOPICS][PARTITIONS];
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, rd_kafka_conf_new(), NULL, 0);
	struct held_set set = { 0 };

	(void)state;
	for (int32_t p = 0; p < PARTITIONS; p++)
		for (int t = 0; t < TOPICS; t++) {
			char name[8] = { 't', (char)('0' + t) };
			weir_partition part = { .topic = name,
						.partition = p,
						.user = user_of((uintptr_t)(p * TOPICS + t)) };

			all[t][p] = weir__held_add(&set, rd_kafka_topic_new(rk, name, NULL), &part, p);
		}
	assert_int_equal(set.count, TOPICS * PARTITIONS);
	for (int32_t p = 0; p < PARTITIONS; p += 3) {
		rd_kafka_topic_t *rkt = all[2][p]->rkt;

		weir__held_remove(&set, all[2][p]);
		assert_null(weir__held_find(&set, rkt, p));
		assert_null(weir__held_named(&set, "t2", p));
		all[2][p] = NULL;
	}
	for (int32_t p = 0; p < PARTITIONS; p++)
		for (int t = 0; t < TOPICS; t++) {
			char name[8] = { 't', (char)('0' + t) };

			assert_ptr_equal(weir__held_named(&set, name, p), all[t][p]);
			if (!all[t][p])
				continue;
			assert_ptr_equal(weir__held_find(&set, all[t][p]->rkt, p), all[t][p]);
			assert_ptr_equal(all[t][p]->user, user_of((uintptr_t)(p * TOPICS + t)));
			assert_int_equal(all[t][p]->position, p);
		}
	weir__held_release(&set);
	rd_kafka_destroy(rk);
}

static void errors_keep_their_kind(void **state)
{
	weir_error err;

	(void)state;
	assert_int_equal(weir__rdk_code(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE), WEIR_USER);
	assert_int_equal(weir__rdk_code(RD_KAFKA_RESP_ERR_PRODUCER_FENCED), WEIR_FENCED);
	assert_int_equal(weir__rdk_code(RD_KAFKA_RESP_ERR__TIMED_OUT), WEIR_TIMEOUT);
	assert_int_equal(weir__rdk_code(RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE), WEIR_STATE);
	assert_false(weir__rdk_fail(&err, RD_KAFKA_RESP_ERR_NOT_COORDINATOR, "group %s", "g"));
	assert_true(err.retriable);
	assert_non_null(strstr(err.message, "group g: "));
	assert_non_null(strstr(err.message, "NOT_COORDINATOR"));
	assert_false(weir__rdk_fail(&err, RD_KAFKA_RESP_ERR_INVALID_CONFIG, "topic"));
	assert_false(err.retriable);
	assert_false(weir__rdk_fail(NULL, RD_KAFKA_RESP_ERR_INVALID_CONFIG, "topic"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unknown_property_is_refused_when_the_cluster_is_opened),
		cmocka_unit_test(a_bad_value_is_refused_with_its_name),
		cmocka_unit_test(what_the_promises_rest_on_cannot_be_changed),
		cmocka_unit_test(settings_of_either_kind_of_client_are_taken),
		cmocka_unit_test(queues_of_any_size_go_with_records_of_any_size),
		cmocka_unit_test(calls_that_make_no_sense_are_refused_without_a_broker),
		cmocka_unit_test(a_broker_that_is_away_is_a_timeout_that_can_be_retried),
		cmocka_unit_test(a_cluster_is_freed_after_a_description_that_failed),
		cmocka_unit_test(held_partitions_are_found_by_topic_and_number),
		cmocka_unit_test(errors_keep_their_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
