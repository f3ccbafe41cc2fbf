/* Where values come from: a file, the environment. And what to say when a name is not known. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "framework/base/alloc.h"
#include "framework/base/config_table.h"

#define LINE_BYTES_MAX 4000
#define NAME_BYTES_MAX 200
#define ENV_PREFIX "WEIR_"
#define ENV_TEST_PREFIX "WEIR_TEST_"

static char *trim(char *s)
{
	while (isspace((unsigned char)*s))
		s++;
	for (size_t n = strlen(s); n && isspace((unsigned char)s[n - 1]); n--)
		s[n - 1] = 0;
	return s;
}

/* `line` is changed. */
static bool load_line(weir_config *cfg, char *line, const char *where, weir_error *err)
{
	char *name = trim(line);

	if (!*name || *name == '#' || *name == ';')
		return true;
	char *equals = strchr(name, '=');
	if (!equals || equals == name)
		return weir_fail(err, WEIR_CONFIG, "%s: wanted \"key = value\", got \"%.60s\"", where, name);
	*equals = 0;
	return weir_config_set(cfg, trim(name), trim(equals + 1), WEIR_FROM_FILE, where, err);
}

/* 1 = a line, 0 = the end, -1 = a line that is too long or has a NUL byte. */
static int read_line(FILE *file, char *line)
{
	size_t n = 0;
	int c;

	while ((c = getc(file)) != EOF && c != '\n') {
		if (n == LINE_BYTES_MAX || c == 0)
			return -1;
		line[n++] = (char)c;
	}
	line[n] = 0;
	return n > 0 || c == '\n';
}

static bool load_lines(weir_config *cfg, FILE *file, const char *path, weir_error *err)
{
	char line[LINE_BYTES_MAX + 1] = { 0 };
	int got, number = 1;

	for (; (got = read_line(file, line)) > 0; number++) {
		const char *byte_order_mark = "\xef\xbb\xbf";
		size_t skip = number == 1 && strncmp(line, byte_order_mark, 3) == 0 ? 3 : 0;
		char *where = weir__asprintf("%s:%d", path, number);
		bool ok = load_line(cfg, line + skip, where, err);

		free(where);
		if (!ok)
			return false;
	}
	if (got < 0)
		return weir_fail(err, WEIR_CONFIG, "%s:%d: a line of over %d bytes, or with a NUL byte", path,
				 number, LINE_BYTES_MAX);
	return ferror(file) ? weir_fail(err, WEIR_CONFIG, "read %s: %s", path, strerror(errno)) : true;
}

bool weir_config_load_file(weir_config *cfg, const char *path, weir_error *err)
{
	FILE *file = fopen(path, "re");

	if (!file)
		return weir_fail(err, WEIR_CONFIG, "open %s: %s", path, strerror(errno));
	bool ok = load_lines(cfg, file, path, err);
	fclose(file);
	return ok;
}

static void env_name(const char *key, char *to, size_t size)
{
	size_t at = (size_t)snprintf(to, size, "%s", ENV_PREFIX);

	for (; *key && at + 1 < size; key++)
		to[at++] = isalnum((unsigned char)*key) ? (char)toupper((unsigned char)*key) : '_';
	to[at] = 0;
}

static void key_name(const char *variable, char *to, size_t size)
{
	size_t at = 0;

	for (const char *c = variable + strlen(ENV_PREFIX); *c && at + 1 < size; c++)
		to[at++] = *c == '_' ? '.' : (char)tolower((unsigned char)*c);
	to[at] = 0;
}

static bool load_variable(weir_config *cfg, const char *variable, const char *value, weir_error *err)
{
	char name[NAME_BYTES_MAX], guess[NAME_BYTES_MAX];

	for (size_t i = 0; i < cfg->count; i++) {
		env_name(cfg->entries[i].key->name, name, sizeof name);
		if (strcmp(name, variable) == 0)
			return weir_config_set(cfg, cfg->entries[i].key->name, value, WEIR_FROM_ENVIRONMENT,
					       variable, err);
	}
	key_name(variable, name, sizeof name);
	if (strncmp(name, CONFIG_KAFKA_PREFIX, strlen(CONFIG_KAFKA_PREFIX)) == 0)
		return weir_config_set(cfg, name, value, WEIR_FROM_ENVIRONMENT, variable, err);
	const char *nearest = weir__config_nearest(cfg, name);
	if (!nearest)
		return weir_fail(err, WEIR_CONFIG, "environment variable %s: there is no key \"%s\"", variable,
				 name);
	env_name(nearest, guess, sizeof guess);
	return weir_fail(err, WEIR_CONFIG, "environment variable %s: there is no key \"%s\"; did you mean %s?",
			 variable, name, guess);
}

bool weir_config_load_env(weir_config *cfg, weir_error *err)
{
	for (char **e = environ; e && *e; e++) {
		const char *value = strchr(*e, '=');

		if (strncmp(*e, ENV_PREFIX, strlen(ENV_PREFIX)) != 0 || !value || !value[1] ||
		    strncmp(*e, ENV_TEST_PREFIX, strlen(ENV_TEST_PREFIX)) == 0)
			continue;
		char *variable = weir__memdup(*e, (size_t)(value - *e) + 1);
		variable[value - *e] = 0;
		bool ok = load_variable(cfg, variable, value + 1, err);
		free(variable);
		if (!ok)
			return false;
	}
	return true;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Levenshtein's distance; names longer than the row are far from everything. */
static size_t distance(const char *a, const char *b)
{
	size_t row[NAME_BYTES_MAX], n = strlen(b);

	if (n >= NAME_BYTES_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 1; j <= n; j++) {
			size_t swap = diagonal + (a[i] != b[j - 1]);

			diagonal = row[j];
			row[j] = least(swap, least(row[j], row[j - 1]) + 1);
		}
	}
	return row[n];
}

const char *weir__config_nearest(const weir_config *cfg, const char *name)
{
	size_t best = strlen(name) / 3 + 1; /* further away it is another word */
	const char *nearest = NULL;

	for (size_t i = 0; i < cfg->count; i++) {
		size_t d = distance(name, cfg->entries[i].key->name);

		if (d < best) {
			best = d;
			nearest = cfg->entries[i].key->name;
		}
	}
	return nearest;
}
