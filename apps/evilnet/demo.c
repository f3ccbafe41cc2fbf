/* `evilnet demo`: everything in one process, on a broker in memory. */
#include <malloc.h>
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
	static const char *const defaults[][2] = {
		{ "state.dir", "" }, /* nothing of a demo outlives it */
		{ "instance.id", "demo" },
		{ "evilnet.source", "simulate" },
		{ "evilnet.simulate.backfill", "70m" },
		/* The log is in memory: what the page has counted need not stay. */
		{ "evilnet.posts.retention", "30m" },
	};

	for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
		if (!evilnet_config_default(e->cfg, defaults[i][0], defaults[i][1], err))
			return false;
	return true;
}

/* The log's segments come and go for as long as the demo runs. glibc would soon take them from its heap, between
 * what lives longer (its threshold for mmap grows by itself until it is told one), and the heap would grow with
 * the holes. */
static void keep_segments_out_of_the_heap(void)
{
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
}

int evilnet_demo(struct evilnet *e)
{
	weir_error err;
	pthread_t thread;
	int code = EVILNET_FAILED;

	keep_segments_out_of_the_heap();
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
