#ifndef REAL_KAFKA_H
#define REAL_KAFKA_H
/* A real cluster for a test program: the one WEIR_TEST_BOOTSTRAP names (tests/services.sh prints it). */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <weir/kafka.h>
#include <weir/log.h>

#define SKIPPED 77 /* CTest's SKIP_RETURN_CODE */

/** Ends the program as skipped when there is no cluster. Its configuration lives as long as the program. */
static inline weir_cluster *real_cluster(void)
{
	const char *bootstrap = getenv("WEIR_TEST_BOOTSTRAP");

	if (!bootstrap || !*bootstrap) {
		fprintf(stderr,
			"skipped: WEIR_TEST_BOOTSTRAP is not set; eval \"$(tests/services.sh start kafka)\"\n");
		exit(SKIPPED);
	}
	weir_log_level least = WEIR_LOG_WARN;
	if (getenv("WEIR_TEST_LOG"))
		weir_log_level_parse(getenv("WEIR_TEST_LOG"), &least);
	weir_log_set(weir_log_stderr, NULL, least);

	static weir_config *configs[16]; /* in use until the end */
	static size_t count;
	weir_error err;
	weir_config *cfg = configs[count++ % 16] = weir_config_new();
	weir_cluster *cluster = NULL;

	if (weir_config_set(cfg, "bootstrap.servers", bootstrap, WEIR_FROM_ENVIRONMENT, "WEIR_TEST_BOOTSTRAP",
			    &err))
		cluster = weir_cluster_open(cfg, &err);
	if (!cluster) {
		fprintf(stderr, "%s\n", err.message);
		exit(1);
	}
	return cluster;
}

/** A prefix for names that no run has used before. */
static inline const char *real_prefix(char *buf, size_t size)
{
	snprintf(buf, size, "t%llx-%d", (unsigned long long)time(NULL), (int)getpid());
	return buf;
}

#endif
