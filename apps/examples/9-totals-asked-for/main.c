/* A program with a main of its own, which goes on with its own work - here: answers - while weir's workers run. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "apps/examples/9-totals-asked-for/topology.h"

enum { STOP_WITHIN_MS = 30000, TRIES = 100, TRY_AGAIN_US = 100000 };

/* Those that are there are left as they are. */
static const weir_topic_spec topics[] = { { .name = "posts", .partitions = 4 },
					  { .name = "cities", .partitions = 1 },
					  { .name = "city-totals", .partitions = 4 } };

static void tell_state(weir_app *app, weir_app_state now, weir_app_state before, void *user)
{
	(void)app, (void)before, (void)user;
	fprintf(stderr, "%s\n", weir_app_state_name(now));
}

/* What ends a worker ends the program; WEIR_UNCAUGHT_REPLACE would begin anew from what is committed. */
static weir_uncaught_answer tell_error(weir_app *app, int worker, const weir_error *error, void *user)
{
	(void)app, (void)user;
	fprintf(stderr, "worker %d: %s\n", worker, error->message);
	return WEIR_UNCAUGHT_STOP;
}

static void answer(weir_app *app)
{
	char key[64];

	while (fgets(key, sizeof key, stdin)) {
		struct city city;
		weir_error err;
		bool found;

		key[strcspn(key, "\n")] = 0;
		for (int i = 0; !(found = ask(app, key, &city, &err)) && err.retriable && i < TRIES; i++)
			usleep(TRY_AGAIN_US);
		if (found)
			printf("%s: %lld\n", city.name, (long long)city.posts);
		else
			printf("%s: %s\n", key, err.message);
		fflush(stdout);
	}
}

/* The environment comes before the name that the program has; what it is called with comes before both. */
static bool configure(weir_config *cfg, const char *servers, weir_error *err)
{
	return weir_config_set(cfg, "application.id", "city-totals", WEIR_FROM_DEFAULT, "program", err) &&
	       (!servers ||
		weir_config_set(cfg, "bootstrap.servers", servers, WEIR_FROM_COMMAND_LINE, "argument", err)) &&
	       weir_config_load_env(cfg, err) && weir_config_check(cfg, err);
}

int main(int argc, char **argv)
{
	weir_error err;
	weir_app_opts opts = { .listener = { .state = tell_state, .uncaught = tell_error } };
	weir_config *cfg = weir_config_new();
	weir_topology *t = city_totals();
	bool configured = configure(cfg, argc > 1 ? argv[1] : NULL, &err);
	weir_cluster *cluster = configured ? weir_cluster_open(cfg, &err) : NULL;
	bool ready = cluster && weir_topics_create(cluster, topics, sizeof topics / sizeof *topics, &err);
	weir_app *app = ready ? weir_app_new(t, cfg, cluster, opts, &err) : NULL;
	bool ok = app && weir_app_start(app, &err);

	if (ok) {
		answer(app);
		ok = weir_app_stop(app, STOP_WITHIN_MS, &err);
	}
	if (!ok)
		fprintf(stderr, "%s\n", err.message);
	weir_app_free(app); /* first what was made last */
	weir_cluster_free(cluster);
	weir_topology_free(t);
	weir_config_free(cfg);
	return ok ? 0 : 1;
}
