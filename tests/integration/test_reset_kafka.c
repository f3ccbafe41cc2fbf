/* Where reading begins by a duration (KIP-1106), on a real cluster, which finds the offset by its own index. */
#include "tests/integration/app_on_kafka.h"

enum { PARTITIONS = 3 };

static struct contract contract;

struct topics {
	const char *in, *out;
};

static weir_topology *passing_on(void *user)
{
	const struct topics *topics = user;
	weir_topology *t = weir_topology_new("reset");
	weir_stream *in = weir_source(t, "in",
				      (weir_source_opts){ .topic = topics->in,
							  .value = &weir_utf8,
							  .reset = WEIR_RESET_BY_DURATION,
							  .reset_ms = WEIR_HOURS(1) });

	weir_sink(in, "out", (weir_sink_opts){ .topic = topics->out });
	return t;
}

static void send_at(const char *topic, int32_t partition, int64_t ago_ms, const char *value)
{
	weir_producer *p = producer_of(&contract, NULL);

	put_at(p, topic, partition, contract.clock->wall_ms(contract.clock) - ago_ms, "k", value);
	flush(p);
	weir_producer_close(p);
}

static bool is_running(struct job *j)
{
	weir_error err;
	weir_app_state state = weir_app_state_get(j->app, &err);

	assert_true(state != WEIR_APP_ERROR);
	return state == WEIR_APP_RUNNING;
}

static int times(const struct reader *r, const char *value)
{
	int n = 0;

	for (size_t i = 0; i < r->count; i++)
		n += strcmp(r->seen[i].value, value) == 0;
	return n;
}

static void reading_begins_at_the_first_record_that_is_young_enough(void **state)
{
	struct topics topics = { fresh_topic(&contract, PARTITIONS), fresh_topic(&contract, 1) };
	static struct reader results;
	struct job j;

	(void)state;
	reader_at(&contract, &results, topics.out, 0, WEIR_OFFSET_BEGINNING);
	send_at(topics.in, 0, WEIR_HOURS(3), "old");
	send_at(topics.in, 0, WEIR_MINUTES(30), "young");
	send_at(topics.in, 0, WEIR_HOURS(2), "late"); /* behind the first that is young enough */
	send_at(topics.in, 0, 0, "new");
	send_at(topics.in, 1, WEIR_HOURS(2), "all-old"); /* its end, then; the third has nothing at all */
	job_init(&j, &contract, passing_on, &topics);
	job_start(&j);
	reader_until(&results, 3);
	WAIT_UNTIL(&contract, is_running(&j));
	send_at(topics.in, 1, WEIR_HOURS(4), "came");
	send_at(topics.in, 2, WEIR_HOURS(4), "came-too");
	reader_until(&results, 5);
	job_stop(&j);

	send_at(topics.in, 1, WEIR_HOURS(9), "waited"); /* from what is committed on, whatever its age */
	job_start(&j);
	reader_until(&results, 6);
	reader_linger(&results);
	assert_int_equal(results.count, 6);
	for (const char *const *value =
		     (const char *const[]){ "young", "late", "new", "came", "came-too", "waited", NULL };
	     *value; value++)
		assert_int_equal(times(&results, *value), 1);
	job_stop(&j);
	reader_close(&results);
	job_lose_state(&j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reading_begins_at_the_first_record_that_is_young_enough),
	};

	return job_run_tests(&contract, "reset on Kafka", tests, sizeof tests / sizeof *tests);
}
