/* One instance has all of the application stopped: threads, the system's clock, an embedded cluster. */
#include <stdatomic.h>

#include "tests/topology/running.h"

enum { INSTANCES = 3, PARTITIONS = 6, RECORDS = 60 };

static atomic_bool bad_stays;
static atomic_int asked;

static weir_uncaught_answer shut_all_down(weir_app *app, int worker, const weir_error *error, void *user)
{
	(void)app, (void)worker, (void)user;
	assert_contains(error->message, "too bad");
	atomic_fetch_add(&asked, 1);
	return WEIR_UNCAUGHT_SHUTDOWN_APPLICATION;
}

static void stop_at_bad(weir_context *cx, const weir_record *r, void *user)
{
	(void)user;
	if (weir_bytes_equal(weir_value_bytes(r), weir_str("bad")) && atomic_load(&bad_stays))
		weir_stop(cx, "too bad");
}

static weir_topology *copying(void)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = weir_peek(weir_source(t, "in", (weir_source_opts){ .value = &weir_utf8 }), "look",
				    stop_at_bad, NULL);

	weir_sink(in, "out", (weir_sink_opts){ 0 });
	weir_count(in, "counts", (weir_window){ 0 });
	return t;
}

/* Sessions that outlast the test: nobody is gone only because nothing is heard of it. */
static void start(struct running *r, int number, bool static_membership)
{
	char instance[12];

	snprintf(instance, sizeof instance, "i%d", number);
	*r = (struct running){ .topology = copying(), .cfg = weir_config_new() };
	const char *const pairs[][2] = { { "application.id", "app" },
					 { "instance.id", instance },
					 { "num.stream.threads", "2" },
					 { "state.dir", "" },
					 { "commit.interval.ms", "20ms" },
					 { "session.timeout.ms", "20m" },
					 { "max.poll.interval.ms", "30m" },
					 { "group.static.membership", static_membership ? "true" : "false" } };

	for (size_t i = 0; i < LENGTH(pairs); i++)
		must(weir_config_set(r->cfg, pairs[i][0], pairs[i][1], WEIR_FROM_COMMAND_LINE, "test", &err));
	must(r->app = weir_app_new(r->topology, r->cfg, cluster,
				   (weir_app_opts){ .listener = { .uncaught = shut_all_down } }, &err));
	must(weir_app_start(r->app, &err));
}

/* Of one that has ended by itself, and says why. */
static weir_error ended(struct running *r)
{
	weir_error why = { .code = WEIR_OK };

	assert_false(weir_app_stop(r->app, PATIENCE_MS, &why));
	assert_true(weir_app_ended(r->app));
	running_free(r);
	return why;
}

static void stop(struct running *r)
{
	must(weir_app_stop(r->app, PATIENCE_MS, &err));
	running_free(r);
}

static void open_cluster(void)
{
	const char *const names[] = { "in", "out" };

	if (getenv("WEIR_TEST_LOG"))
		weir_log_set(weir_log_stderr, NULL, WEIR_LOG_INFO);
	cluster = weir_cluster_embedded((weir_embedded_opts){ 0 });
	for (size_t i = 0; i < LENGTH(names); i++) {
		weir_topic_spec spec = { .name = names[i], .partitions = PARTITIONS };

		must(weir_topics_create(cluster, &spec, 1, &err));
	}
	atomic_store(&asked, 0);
}

/* To each partition as many. */
static void put(const char *value, int records)
{
	weir_producer *p;

	must(p = weir_producer_open(cluster, (weir_producer_opts){ 0 }, &err));
	for (int i = 0; i < records; i++)
		must(weir_producer_send(p,
					&(weir_produced){ .topic = "in",
							  .partition = i % PARTITIONS,
							  .timestamp_ms = 1 + i,
							  .key = weir_str("k"),
							  .value = weir_str(value) },
					&err));
	must(weir_producer_flush(p, PATIENCE_MS, &err));
	weir_producer_close(p);
}

static void count_member(const char *client_id, const char *member_id, const char *topic, int32_t partition,
			 void *user)
{
	(void)client_id, (void)member_id, (void)topic, (void)partition;
	++*(int *)user;
}

static void assert_group_is_empty(void)
{
	int rows = 0;

	must(weir_group_describe(cluster, "app", count_member, &rows, 10000, &err));
	assert_int_equal(rows, 0);
}

static void all_stop_and_start_again(bool static_membership)
{
	struct running all[INSTANCES];
	int named = 0;

	open_cluster();
	atomic_store(&bad_stays, true);
	put("good", RECORDS);
	for (int i = 0; i < INSTANCES; i++)
		start(&all[i], i, static_membership);
	wait_for_results(RECORDS);
	put("bad", 1);
	put("good", RECORDS);
	for (int i = 0; i < INSTANCES; i++)
		wait_for(&all[i], WEIR_APP_ERROR);
	for (int i = 0; i < INSTANCES; i++) {
		weir_error why = ended(&all[i]);

		if (why.code != WEIR_CLOSED) {
			assert_contains(why.message, "too bad");
			continue;
		}
		assert_contains(why.message, "instance \"i");
		assert_contains(why.message, "\" has asked all instances of the application to stop");
		named++;
	}
	/* who gets the record next may fail, too, before it has seen the call; everybody else is told */
	assert_in_range(atomic_load(&asked), 1, INSTANCES);
	assert_int_equal(named, INSTANCES - atomic_load(&asked));
	assert_group_is_empty();
	atomic_store(&bad_stays, false);
	for (int i = 0; i < INSTANCES; i++)
		start(&all[i], i, static_membership);
	wait_for_results(2 * RECORDS + 1);
	for (int i = 0; i < INSTANCES; i++)
		wait_for(&all[i], WEIR_APP_RUNNING);
	for (int i = 0; i < INSTANCES; i++)
		stop(&all[i]);
	assert_int_equal(results(), 2 * RECORDS + 1);
	weir_cluster_free(cluster);
}

static void an_instance_that_fails_can_stop_all_of_the_application(void **state)
{
	(void)state;
	all_stop_and_start_again(false);
}

static void static_members_stop_too_and_need_not_wait_for_their_sessions(void **state)
{
	(void)state;
	all_stop_and_start_again(true);
}

/* None waits for the other. */
static void several_may_ask_at_the_same_time(void **state)
{
	struct running all[INSTANCES];

	(void)state;
	open_cluster();
	atomic_store(&bad_stays, true);
	for (int i = 0; i < INSTANCES; i++)
		start(&all[i], i, false);
	for (int i = 0; i < INSTANCES; i++)
		wait_for(&all[i], WEIR_APP_RUNNING);
	put("bad", PARTITIONS);
	for (int i = 0; i < INSTANCES; i++)
		wait_for(&all[i], WEIR_APP_ERROR);
	for (int i = 0; i < INSTANCES; i++)
		ended(&all[i]);
	assert_true(atomic_load(&asked) >= 1);
	assert_int_equal(results(), 0);
	assert_group_is_empty();
	weir_cluster_free(cluster);
}

static void who_starts_while_the_application_is_being_stopped_stops_too(void **state)
{
	struct running r;
	weir_consumer *caller;
	const char *const topics[] = { "in" };
	weir_consumer_opts opts = { .group = "app", .client_id = "weir-shutdown-application:other" };

	(void)state;
	open_cluster();
	must(caller = weir_consumer_open(cluster, opts, &err));
	must(weir_consumer_subscribe(caller, topics, 1, &err));
	must(weir_consumer_poll(caller, 0, running_count, NULL, &err));
	start(&r, 1, false);
	for (int ms = 0; weir_app_state_get(r.app, NULL) != WEIR_APP_ERROR; ms++) {
		assert_true(ms < PATIENCE_MS);
		must(weir_consumer_poll(caller, 1, running_count, NULL, &err));
	}
	assert_contains(ended(&r).message, "instance \"other\" has asked all instances");
	assert_int_equal(atomic_load(&asked), 0);
	weir_consumer_close(caller);
	start(&r, 1, false);
	wait_for(&r, WEIR_APP_RUNNING);
	stop(&r);
	weir_cluster_free(cluster);
}

/* Somebody who has not heard of it: he does not poll. */
static void who_asks_waits_for_the_others_and_says_why_meanwhile(void **state)
{
	struct running r;
	weir_error why = { .code = WEIR_OK };
	weir_consumer *slow;
	const char *const topics[] = { "out" };

	(void)state;
	open_cluster();
	atomic_store(&bad_stays, true);
	start(&r, 1, false);
	wait_for(&r, WEIR_APP_RUNNING);
	must(slow = weir_consumer_open(cluster, (weir_consumer_opts){ .group = "app" }, &err));
	must(weir_consumer_subscribe(slow, topics, 1, &err));
	must(weir_consumer_poll(slow, 0, running_count, NULL, &err));
	put("bad", PARTITIONS);
	wait_for(&r, WEIR_APP_ERROR);
	assert_false(weir_app_stop(r.app, 300, &why));
	assert_contains(why.message, "too bad");
	assert_false(weir_app_ended(r.app));
	weir_consumer_close(slow);
	assert_contains(ended(&r).message, "too bad");
	assert_group_is_empty();
	weir_cluster_free(cluster);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_instance_that_fails_can_stop_all_of_the_application),
		cmocka_unit_test(static_members_stop_too_and_need_not_wait_for_their_sessions),
		cmocka_unit_test(several_may_ask_at_the_same_time),
		cmocka_unit_test(who_asks_waits_for_the_others_and_says_why_meanwhile),
		cmocka_unit_test(who_starts_while_the_application_is_being_stopped_stops_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
