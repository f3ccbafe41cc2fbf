#ifndef APP_ON_KAFKA_H
#define APP_ON_KAFKA_H
/* An application on the real cluster, with its state in a directory of its own. */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/weir.h>

#include "tests/contract/helpers.h"
#include "tests/integration/real_kafka.h"

struct job {
	struct contract *c;
	weir_topology *(*build)(void *user);
	void (*configure)(struct job *j); /* sets more, before each start; may be NULL */
	void *user;
	const char *id;
	char dir[64];
	weir_config *cfg;
	weir_topology *topology;
	weir_app *app;
};

static inline int job_remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static inline void job_lose_state(struct job *j)
{
	nftw(j->dir, job_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void job_set(struct job *j, const char *key, const char *value)
{
	weir_error err;

	assert_done(weir_config_set(j->cfg, key, value, WEIR_FROM_COMMAND_LINE, "test", &err), err);
}

/** Not started. */
static inline void job_init(struct job *j, struct contract *c, weir_topology *(*build)(void *user), void *user)
{
	*j = (struct job){
		.c = c, .build = build, .user = user, .id = fresh(c, "app"), .dir = "/tmp/weir-job-XXXXXX"
	};
	assert_non_null(mkdtemp(j->dir));
}

static inline void job_start(struct job *j)
{
	weir_error err;

	j->topology = j->build(j->user);
	j->cfg = weir_config_new();
	job_set(j, "application.id", j->id);
	job_set(j, "instance.id", "1");
	job_set(j, "state.dir", j->dir);
	job_set(j, "commit.interval.ms", "100ms");
	if (j->configure)
		j->configure(j);
	j->app = weir_app_new(j->topology, j->cfg, j->c->cluster, (weir_app_opts){ 0 }, &err);
	assert_done(j->app, err);
	assert_done(weir_app_start(j->app, &err), err);
}

static inline void job_stop(struct job *j)
{
	weir_error err;

	assert_done(weir_app_stop(j->app, 30000, &err), err);
	weir_app_free(j->app);
	weir_topology_free(j->topology);
	weir_config_free(j->cfg);
}

/** A main's: runs the tests with c on the real cluster. */
static inline int job_run_tests(struct contract *c, const char *name, const struct CMUnitTest *tests, size_t n)
{
	static char prefix[64];

	c->cluster = real_cluster();
	c->clock = weir_clock_system();
	c->prefix = real_prefix(prefix, sizeof prefix);
	int failed = _cmocka_run_group_tests(name, tests, n, NULL, NULL);

	weir_cluster_free(c->cluster);
	return failed;
}

#endif
