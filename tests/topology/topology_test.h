#ifndef TOPOLOGY_TEST_H
#define TOPOLOGY_TEST_H
/* What the tests of topologies share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <weir/weir.h>

static inline weir_driver *driver(weir_topology *t, weir_driver_opts opts)
{
	weir_error err = { .code = WEIR_OK };

	if (getenv("WEIR_TEST_LOG"))
		weir_log_set(weir_log_stderr, NULL, WEIR_LOG_DEBUG);
	weir_driver *d = weir_driver_new(t, opts, &err);

	if (!d)
		fail_msg("%s", err.message);
	return d;
}

#define assert_bytes(bytes, text) \
	do { \
		weir_bytes bytes_ = (bytes); \
		assert_int_equal(bytes_.len, strlen(text)); \
		assert_memory_equal(bytes_.data, text, bytes_.len); \
	} while (0)

static inline char *temporary_directory(void)
{
	char *dir = strdup("/tmp/weir-topology-XXXXXX");

	assert_non_null(mkdtemp(dir));
	return dir;
}

static inline void remove_directory(char *dir)
{
	char command[200];

	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	assert_int_equal(system(command), 0);
	free(dir);
}

#endif
