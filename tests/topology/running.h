#ifndef RUNNING_H
#define RUNNING_H
/* Several applications on one embedded cluster, with threads and by the system's clock. */
#include "tests/topology/topology_test.h"

enum { PATIENCE_MS = 60000 };

static weir_cluster *cluster;

struct running {
	weir_topology *topology;
	weir_config *cfg;
	weir_app *app;
};

static inline void running_free(struct running *r)
{
	weir_app_free(r->app);
	weir_topology_free(r->topology);
	weir_config_free(r->cfg);
}

static inline void wait_for(struct running *r, weir_app_state state)
{
	for (int ms = 0; weir_app_state_get(r->app, NULL) != state; ms++) {
		if (ms == PATIENCE_MS)
			fail_msg("state %s does not come", weir_app_state_name(state));
		usleep(1000);
	}
}

static inline bool running_count(const weir_kafka_record *record, void *user)
{
	(void)record;
	++*(int *)user;
	return true;
}

/** Records of the topic "out". */
static inline int results(void)
{
	weir_consumer *c;
	int n = 0;

	must(c = weir_consumer_open(cluster, (weir_consumer_opts){ 0 }, &err));
	for (int32_t p = 0; p < weir_topic_partitions(cluster, "out", NULL); p++) {
		weir_partition at = { .topic = "out", .partition = p, .offset = WEIR_OFFSET_BEGINNING };
		int64_t end;

		must(weir_consumer_assign(c, &at, 1, &err));
		must(weir_offsets_range(cluster, "out", p, NULL, &end, &err));
		while (weir_consumer_position(c, "out", p) < end)
			must(weir_consumer_poll(c, 1, running_count, &n, &err));
	}
	weir_consumer_close(c);
	return n;
}

static inline void wait_for_results(int wanted)
{
	for (int ms = 0; results() < wanted; ms++) {
		if (ms == PATIENCE_MS)
			fail_msg("%d results instead of %d", results(), wanted);
		usleep(1000);
	}
	assert_int_equal(results(), wanted);
}

#endif
