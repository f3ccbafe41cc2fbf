/* Values as text: what each type accepts, and how errors and documents describe it. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "framework/base/config_table.h"

struct unit {
	const char *name;
	int64_t factor;
};

/* Smallest first; the first is what a bare number means. */
static const struct unit duration_units[] = {
	{ "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 }, { NULL, 0 },
};
static const struct unit size_units[] = {
	{ "b", 1 },         { "k", 1 << 10 },   { "m", 1 << 20 },  { "g", 1 << 30 },
	{ "kb", 1 << 10 },  { "mb", 1 << 20 },  { "gb", 1 << 30 }, { "kib", 1 << 10 },
	{ "mib", 1 << 20 }, { "gib", 1 << 30 }, { NULL, 0 },
};

static bool parse_int(const char *text, int64_t *number, const char **rest)
{
	char *end;

	if (!(*text >= '0' && *text <= '9') && !(*text == '-' && text[1] >= '0' && text[1] <= '9'))
		return false;
	errno = 0;
	long long n = strtoll(text, &end, 10);
	if (errno)
		return false;
	*number = n;
	*rest = end;
	return true;
}

static bool parse_with_unit(const char *text, const struct unit *units, int64_t *result)
{
	const char *rest;
	int64_t n;

	if (!text || *text == '-' || !parse_int(text, &n, &rest))
		return false;
	if (!*rest) {
		*result = n;
		return true;
	}
	for (const struct unit *u = units; u->name; u++) {
		/* "5M" could be meant as months or mega: durations are lower case only. */
		if ((units == duration_units ? strcmp(rest, u->name) : strcasecmp(rest, u->name)) == 0)
			return !__builtin_mul_overflow(n, u->factor, result);
	}
	return false;
}

bool weir_parse_duration(const char *text, int64_t *ms)
{
	int64_t result;

	if (!parse_with_unit(text, duration_units, &result))
		return false;
	*ms = result;
	return true;
}

bool weir_parse_size(const char *text, int64_t *bytes)
{
	int64_t result;

	if (!parse_with_unit(text, size_units, &result))
		return false;
	*bytes = result;
	return true;
}

static bool parse_bool(const char *text, int64_t *number)
{
	static const char *const words[] = { "false", "true", "no", "yes", "off", "on", "0", "1" };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (strcasecmp(text, words[i]) == 0) {
			*number = (int64_t)(i % 2);
			return true;
		}
	}
	return false;
}

static bool is_choice(const char *choices, const char *text)
{
	size_t len = strlen(text);

	for (const char *c = choices;; c++) {
		size_t n = strcspn(c, "|");

		if (n == len && memcmp(c, text, n) == 0)
			return true;
		c += n;
		if (!*c)
			return false;
	}
}

static bool parse_as_type(const weir_config_key *key, const char *text, int64_t *number)
{
	const char *rest;

	switch (key->type) {
	case WEIR_CONFIG_INT:
		return parse_int(text, number, &rest) && !*rest;
	case WEIR_CONFIG_BOOL:
		return parse_bool(text, number);
	case WEIR_CONFIG_DURATION:
		return weir_parse_duration(text, number);
	case WEIR_CONFIG_SIZE:
		return weir_parse_size(text, number);
	case WEIR_CONFIG_ENUM:
		return is_choice(key->choices, text);
	case WEIR_CONFIG_STRING:
		return true;
	}
	return false;
}

static bool has_number(const weir_config_key *key)
{
	return key->type == WEIR_CONFIG_INT || key->type == WEIR_CONFIG_DURATION || key->type == WEIR_CONFIG_SIZE;
}

static bool is_bounded(const weir_config_key *key)
{
	return has_number(key) && (key->min || key->max);
}

bool weir__config_parse(const weir_config_key *key, const char *text, int64_t *number, weir_error *err)
{
	char wanted[200];

	if (parse_as_type(key, text, number) && (!is_bounded(key) || (*number >= key->min && *number <= key->max)))
		return true;
	weir__config_describe_type(key, true, wanted, sizeof wanted);
	return weir_fail(err, WEIR_CONFIG, "%s: wanted %s, got \"%s\"", key->name, wanted,
			 key->secret ? "***" : text);
}

/* In the largest unit that leaves a whole number. */
static void format_number(const weir_config_key *key, int64_t n, char *to, size_t size)
{
	const struct unit *units = key->type == WEIR_CONFIG_DURATION ? duration_units : size_units;
	size_t count = key->type == WEIR_CONFIG_DURATION ? 5 : 4, best = 0;

	if (key->type == WEIR_CONFIG_INT || n == 0) {
		snprintf(to, size, "%" PRId64, n);
		return;
	}
	for (size_t i = 1; i < count; i++)
		if (n % units[i].factor == 0)
			best = i;
	snprintf(to, size, "%" PRId64 "%s", n / units[best].factor,
		 best == 0 && key->type == WEIR_CONFIG_SIZE ? "" : units[best].name);
}

static void describe_choices(const weir_config_key *key, char *to, size_t size)
{
	size_t at = (size_t)snprintf(to, size, "one of ");

	for (const char *c = key->choices; *c && at + 2 < size; c++) {
		if (*c == '|')
			to[at++] = ',';
		to[at++] = *c == '|' ? ' ' : *c;
	}
	to[at] = 0;
}

static void describe_range(const weir_config_key *key, char *to, size_t size)
{
	char min[32], max[32];

	format_number(key, key->min, min, sizeof min);
	format_number(key, key->max, max, sizeof max);
	if (!is_bounded(key))
		*to = 0;
	else if (key->max == INT64_MAX)
		snprintf(to, size, ", at least %s", min);
	else if (key->min == INT64_MIN)
		snprintf(to, size, ", at most %s", max);
	else
		snprintf(to, size, ", %s to %s", min, max);
}

void weir__config_describe_type(const weir_config_key *key, bool examples, char *to, size_t size)
{
	static const char *const names[] = {
		[WEIR_CONFIG_STRING] = "text",        [WEIR_CONFIG_INT] = "whole number",
		[WEIR_CONFIG_BOOL] = "true or false", [WEIR_CONFIG_DURATION] = "duration",
		[WEIR_CONFIG_SIZE] = "size",
	};
	static const char *const shown[] = {
		[WEIR_CONFIG_DURATION] = " (as 250ms, 10s, 5m, 2h, 1d)",
		[WEIR_CONFIG_SIZE] = " (as 1024, 64k, 128m, 2g)",
		[WEIR_CONFIG_ENUM] = NULL,
	};

	if (key->type == WEIR_CONFIG_ENUM) {
		describe_choices(key, to, size);
		return;
	}
	int n = snprintf(to, size, "%s%s", names[key->type], examples && shown[key->type] ? shown[key->type] : "");
	if ((size_t)n < size)
		describe_range(key, to + n, size - (size_t)n);
}
