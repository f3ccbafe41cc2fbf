/* Topics that get more partitions while instances run. */
#include <stdatomic.h>

#include "framework/kafka/embedded.h"
#include "tests/topology/running.h"

enum { RECORDS = 20 };

static weir_topology *merging(void)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = weir_source(
		t, "in", (weir_source_opts){ .topics = (const char *const[]){ "a", "b" }, .topic_count = 2 });

	weir_sink(in, "out", (weir_sink_opts){ 0 });
	return t;
}

/* All that feeds a store has equally many partitions. */
static weir_topology *counting(void)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = weir_source(t, "in",
				      (weir_source_opts){ .topics = (const char *const[]){ "a", "b" },
							  .topic_count = 2,
							  .value = &weir_utf8 });

	weir_count(in, "counts", (weir_window){ 0 });
	return t;
}

static bool start_with(struct running *r, weir_topology *t, const char *instance, const char *timeout,
		       weir_error *err)
{
	*r = (struct running){ .topology = t, .cfg = weir_config_new() };
	const char *const pairs[][2] = { { "application.id", "app" },
					 { "instance.id", instance },
					 { "task.timeout.ms", timeout },
					 { "state.dir", "" } };

	for (size_t i = 0; i < LENGTH(pairs); i++)
		if (!weir_config_set(r->cfg, pairs[i][0], pairs[i][1], WEIR_FROM_COMMAND_LINE, "test", err))
			return false;
	r->app = weir_app_new(r->topology, r->cfg, cluster, (weir_app_opts){ 0 }, err);
	return r->app && weir_app_start(r->app, err);
}

static bool start(struct running *r, const char *instance, weir_error *err)
{
	return start_with(r, merging(), instance, "5m", err);
}

static void end(struct running *r)
{
	weir_app_stop(r->app, PATIENCE_MS, NULL);
	running_free(r);
}

static void count_partition(const char *client_id, const char *member_id, const char *topic, int32_t partition,
			    void *user)
{
	(void)client_id, (void)member_id, (void)partition;
	*(int *)user += topic && strcmp(topic, "a") == 0;
}

/* That the anchor's partitions have owners: amid a round of rebalancing nobody has any. */
static void wait_for_owners(void)
{
	weir_error err;

	for (int ms = 0;; ms++) {
		int owned = 0;

		if (weir_group_describe(cluster, "app", count_partition, &owned, 10000, &err) && owned == 2)
			return;
		if (ms == PATIENCE_MS)
			fail_msg("partitions without owner");
		usleep(1000);
	}
}

static void open_cluster(void)
{
	const char *const names[] = { "a", "b", "out" };

	cluster = weir_cluster_embedded((weir_embedded_opts){ 0 });
	for (size_t i = 0; i < LENGTH(names); i++) {
		weir_topic_spec spec = { .name = names[i], .partitions = 2 };

		must(weir_topics_create(cluster, &spec, 1, &err));
	}
}

static void whoever_would_divide_the_work_by_another_topic_does_not_join(void **state)
{
	struct running first, second;
	weir_error err = { .code = WEIR_OK };

	(void)state;
	open_cluster();
	assert_true(start(&first, "1", &err));
	wait_for(&first, WEIR_APP_RUNNING);
	assert_true(start(&second, "2", &err)); /* as long as they agree */
	end(&second);
	wait_for(&first, WEIR_APP_RUNNING);
	wait_for_owners();

	assert_true(weir_topic_widen(cluster, "b", 4, &err));
	assert_false(start(&second, "2", &err));
	assert_contains(err.message,
			"divide sub-topology 0 by the partitions of topic \"a\", this instance would by "
			"those of \"b\"");
	end(&second);
	wait_for(&first, WEIR_APP_RUNNING); /* it may not have heard yet what it owns */
	end(&first);

	assert_true(start(&second, "2", &err));
	wait_for(&second, WEIR_APP_RUNNING);
	end(&second);
	weir_cluster_free(cluster);
}

static void partitions_that_come_while_it_runs_are_not_left_unread(void **state)
{
	struct running r;
	weir_error err = { .code = WEIR_OK };

	(void)state;
	open_cluster();
	assert_true(start(&r, "1", &err));
	wait_for(&r, WEIR_APP_RUNNING);
	assert_true(weir_topic_widen(cluster, "a", 3, &err)); /* the anchor */
	wait_for(&r, WEIR_APP_ERROR);
	weir_app_state_get(r.app, &err);
	assert_contains(err.message,
			"topic \"a\" has more partitions than the 2 with which this instance has started");
	end(&r);
	assert_true(start(&r, "1", &err));
	wait_for(&r, WEIR_APP_RUNNING);
	end(&r);
	weir_cluster_free(cluster);
}

static void put_records(void)
{
	weir_producer *p;

	must(p = weir_producer_open(cluster, (weir_producer_opts){ 0 }, &err));
	for (int i = 0; i < RECORDS; i++)
		must(weir_producer_send(p,
					&(weir_produced){ .topic = i % 2 ? "a" : "b",
							  .partition = i / 2 % 2,
							  .timestamp_ms = 1 + i,
							  .value = weir_str("x") },
					&err));
	must(weir_producer_flush(p, PATIENCE_MS, &err));
	weir_producer_close(p);
}

static void take_any(weir_consumer *consumer, weir_group_event event, const weir_partition *list, size_t n,
		     void *user)
{
	(void)consumer, (void)event, (void)list, (void)n, (void)user;
}

static void count_member(const char *client_id, const char *member_id, const char *topic, int32_t partition,
			 void *user)
{
	(void)client_id, (void)member_id, (void)partition;
	*(int *)user += topic == NULL;
}

/* Amid a round: none has a share. */
static void wait_for_members(int wanted)
{
	for (int ms = 0;; ms++) {
		int n = 0;

		must(weir_group_describe(cluster, "app", count_member, &n, 10000, &err));
		if (n == wanted)
			return;
		if (ms == PATIENCE_MS)
			fail_msg("%d members instead of %d", n, wanted);
		usleep(1000);
	}
}

static bool has_settled(struct running *r)
{
	weir_app_state state = weir_app_state_get(r->app, NULL);

	return state == WEIR_APP_RUNNING || state == WEIR_APP_ERROR;
}

/* A member that does not poll holds the round up: whoever starts meanwhile sees nobody's share, and each has looked
 * at the topics at another time. */
static void of_those_who_start_at_the_same_moment_none_does_what_another_does(void **state)
{
	struct running first, second;
	weir_error whys[2] = { { .code = WEIR_OK }, { .code = WEIR_OK } };
	weir_consumer *slow;

	(void)state;
	open_cluster();
	must(slow = weir_consumer_open(cluster, (weir_consumer_opts){ .group = "app", .on_group = take_any },
				       &err));
	must(weir_consumer_subscribe(slow, (const char *[]){ "out" }, 1, &err));
	must(weir_consumer_poll(slow, 0, running_count, NULL, &err));
	must(start(&first, "1", &err));
	wait_for_members(2);
	must(weir_topic_widen(cluster, "b", 4, &err));
	must(start(&second, "2", &err));
	wait_for_members(3);
	put_records();
	for (int ms = 0; !has_settled(&first) || !has_settled(&second); ms++) {
		if (ms == PATIENCE_MS)
			fail_msg("neither has its share");
		must(weir_consumer_poll(slow, 1, running_count, NULL, &err));
	}
	weir_consumer_close(slow);
	bool refused = weir_app_state_get(first.app, &whys[0]) == WEIR_APP_ERROR;

	refused |= weir_app_state_get(second.app, &whys[1]) == WEIR_APP_ERROR;
	assert_true(refused);
	assert_contains(whys[whys[0].code == WEIR_OK].message, "divide sub-topology 0 by the partitions of topic ");
	end(&first);
	end(&second);
	must(start(&second, "2", &err));
	wait_for(&second, WEIR_APP_RUNNING);
	wait_for_results(RECORDS);
	end(&second);
	wait_for_results(RECORDS);
	weir_cluster_free(cluster);
}

static enum embedded_fault say_nothing(enum embedded_point point, const char *who, void *silent)
{
	(void)who;
	return point == EMBEDDED_AT_DESCRIBE && atomic_load((atomic_bool *)silent) ? EMBEDDED_UNDONE
										   : EMBEDDED_FINE;
}

static void no_task_begins_before_it_is_known_by_what_the_others_divide(void **state)
{
	struct running r;
	weir_error err = { .code = WEIR_OK };
	atomic_bool silent = true;

	(void)state;
	open_cluster();
	weir__embedded_faults(cluster, say_nothing, &silent, 0);
	put_records();
	assert_true(start(&r, "1", &err));
	usleep(300000);
	assert_int_equal(weir_app_state_get(r.app, NULL), WEIR_APP_REBALANCING);
	assert_int_equal(results(), 0);
	atomic_store(&silent, false);
	wait_for(&r, WEIR_APP_RUNNING);
	wait_for_results(RECORDS);
	end(&r);

	atomic_store(&silent, true);
	assert_true(start_with(&r, merging(), "1", "100ms", &err));
	wait_for(&r, WEIR_APP_ERROR);
	weir_app_state_get(r.app, &err);
	assert_contains(err.message, "by what the others divide the work");
	assert_contains(err.message, "given up after task.timeout.ms");
	end(&r);

	assert_true(start_with(&r, counting(), "1", "100ms", &err)); /* where they cannot differ nobody asks */
	wait_for(&r, WEIR_APP_RUNNING);
	end(&r);
	weir_cluster_free(cluster);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whoever_would_divide_the_work_by_another_topic_does_not_join),
		cmocka_unit_test(partitions_that_come_while_it_runs_are_not_left_unread),
		cmocka_unit_test(of_those_who_start_at_the_same_moment_none_does_what_another_does),
		cmocka_unit_test(no_task_begins_before_it_is_known_by_what_the_others_divide),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
