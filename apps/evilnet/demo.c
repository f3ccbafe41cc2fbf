/* `evilnet demo`: everything in one process, on a broker in memory. */
#include <pthread.h>
#include <stdio.h>

#include "apps/evilnet/ingest.h"
#include "apps/evilnet/process.h"

struct demo_ingest {
	struct evilnet e;
	int code;
};

static void *ingest_main(void *user)
{
	struct demo_ingest *d = user;

	d->code = ingest_run(&d->e, (struct ingest_opts){ 0 });
	return NULL;
}

static bool configure(struct evilnet *e, weir_error *err)
{
	/* Nothing of a demo outlives it. */
	return evilnet_config_default(e->cfg, "state.dir", "", err) &&
	       evilnet_config_default(e->cfg, "instance.id", "demo", err) &&
	       evilnet_config_default(e->cfg, "evilnet.source", "simulate", err) &&
	       evilnet_config_default(e->cfg, "evilnet.simulate.backfill", "70m", err);
}

int evilnet_demo(struct evilnet *e)
{
	weir_error err;
	pthread_t thread;
	int code = EVILNET_FAILED;

	if (!configure(e, &err)) {
		fprintf(stderr, "evilnet: demo: %s\n", err.message);
		return EVILNET_USAGE;
	}
	e->cluster = weir_cluster_embedded(
		(weir_embedded_opts){ .partitions = (int32_t)weir_config_int(e->cfg, "evilnet.partitions") });
	if (evilnet_topics_ensure(e, &err)) {
		struct demo_ingest ingest = { .e = *e };

		if (pthread_create(&thread, NULL, ingest_main, &ingest) == 0) {
			code = evilnet_process_run(e, true);
			*e->stop = 1; /* the posts end with the page */
			pthread_join(thread, NULL);
			if (code == EVILNET_DONE)
				code = ingest.code;
		}
	} else {
		fprintf(stderr, "evilnet: demo: %s\n", err.message);
	}
	weir_cluster_free(e->cluster);
	e->cluster = NULL;
	return code;
}
