/*
 * A configuration file, and EvilNet set up as it says: whatever is accepted can be run with. Values are read by
 * their parsers as well.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "apps/evilnet/cities.h"
#include "apps/evilnet/evilnet.h"
#include "apps/evilnet/x_object.h"
#include "framework/runtime/runtime.h"
#include "tests/fuzz/fuzz.h"

static const char *file_with(const uint8_t *data, size_t size)
{
	static char path[40];
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("fuzz", 0);
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	}
	weir_assert(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
	return path;
}

/* What is printed can be read by people and has no secret in it; here it only must not break. */
static void print(const weir_config *cfg)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	weir_config_print(cfg, to);
	fclose(to);
	weir_assert(len > 0);
	free(text);
}

static void set_up(const weir_config *cfg)
{
	struct settings settings;
	struct evilnet_cities options;
	struct x_retweet_types types;
	weir_error err;

	weir__settings_read(&settings, cfg, &err);
	x_retweet_types_parse(weir_config_string(cfg, "evilnet.retweet.types"), &types, &err);
	weir_topology *t = evilnet_cities(cfg, &options, &err);

	if (t) {
		weir_topology_check(t, &err);
		weir_topology_free(t);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	weir_config *cfg = weir_config_new();
	weir_error err = { .code = WEIR_OK };
	char *text = feed_string(weir_bytes_of(data, size));
	int64_t n;

	evilnet_config_keys(cfg);
	if (!weir_config_load_file(cfg, file_with(data, size), &err))
		weir_assert(err.code == WEIR_CONFIG && err.message[0]);
	print(cfg);
	if (weir_config_check(cfg, &err))
		set_up(cfg);
	weir_assert(!weir_parse_duration(text, &n) || n >= 0);
	weir_assert(!weir_parse_size(text, &n) || n >= 0);
	free(text);
	weir_config_free(cfg);
	return 0;
}
