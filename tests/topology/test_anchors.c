/* Topics that get more partitions while instances run. */
#include "tests/topology/topology_test.h"

enum { PATIENCE_MS = 60000 };

static weir_cluster *cluster;

struct running {
	weir_topology *topology;
	weir_config *cfg;
	weir_app *app;
};

static weir_topology *merging(void)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = weir_source(
		t, "in", (weir_source_opts){ .topics = (const char *const[]){ "a", "b" }, .topic_count = 2 });

	weir_sink(in, "out", (weir_sink_opts){ 0 });
	return t;
}

static bool start(struct running *r, const char *instance, weir_error *err)
{
	*r = (struct running){ .topology = merging(), .cfg = weir_config_new() };
	const char *const pairs[][2] = { { "application.id", "app" },
					 { "instance.id", instance },
					 { "state.dir", "" } };

	for (size_t i = 0; i < LENGTH(pairs); i++)
		if (!weir_config_set(r->cfg, pairs[i][0], pairs[i][1], WEIR_FROM_COMMAND_LINE, "test", err))
			return false;
	r->app = weir_app_new(r->topology, r->cfg, cluster, (weir_app_opts){ 0 }, err);
	return r->app && weir_app_start(r->app, err);
}

static void end(struct running *r)
{
	weir_app_stop(r->app, PATIENCE_MS, NULL);
	weir_app_free(r->app);
	weir_topology_free(r->topology);
	weir_config_free(r->cfg);
}

static void wait_for(struct running *r, weir_app_state state)
{
	for (int ms = 0; weir_app_state_get(r->app, NULL) != state; ms++) {
		if (ms == PATIENCE_MS)
			fail_msg("state %s does not come", weir_app_state_name(state));
		usleep(1000);
	}
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

		if (weir_group_describe(cluster, "app", count_partition, &owned, &err) && owned == 2)
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whoever_would_divide_the_work_by_another_topic_does_not_join),
		cmocka_unit_test(partitions_that_come_while_it_runs_are_not_left_unread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
