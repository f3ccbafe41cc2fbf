#include <weir/log.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <weir/clock.h>

#include "framework/base/log_prefix.h"

#define LINE_MAX_BYTES 1024

static struct {
	weir_log_fn *fn;
	void *user;
	weir_log_level least;
} sink;

static _Thread_local char prefix[96];

static const char *const level_names[] = { "debug", "info", "warn", "error" };
static const char *const level_labels[] = { "DEBUG", "INFO", "WARN", "ERROR" };

void weir_log_set(weir_log_fn *fn, void *user, weir_log_level least)
{
	sink.fn = fn;
	sink.user = user;
	sink.least = least;
}

bool weir_log_level_parse(const char *text, weir_log_level *level)
{
	for (size_t i = 0; text && i < sizeof level_names / sizeof *level_names; i++) {
		if (strcmp(text, level_names[i]) == 0) {
			*level = (weir_log_level)i;
			return true;
		}
	}
	return false;
}

void weir_log_stderr(weir_log_level level, const char *area, const char *line, void *user)
{
	int64_t now = weir_clock_system()->wall_ms(weir_clock_system());
	time_t seconds = (time_t)(now / 1000);
	struct tm utc;
	char date[32];

	(void)user;
	gmtime_r(&seconds, &utc);
	strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
	/* One call, so that the lines of two threads do not mix. */
	fprintf(stderr, "%s.%03dZ %s %s %s\n", date, (int)(now % 1000), level_labels[level], area, line);
}

void weir__log_prefix(const char *format, ...)
{
	va_list args;

	prefix[0] = 0;
	if (!format)
		return;
	va_start(args, format);
	vsnprintf(prefix, sizeof prefix, format, args);
	va_end(args);
}

/* A message may quote what came from outside: no byte of it may start a new line or steer a terminal. */
static void make_one_line(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = ' ';
}

static void write_line(weir_log_level level, const char *area, uint64_t held_back, const char *format, va_list args)
{
	char line[LINE_MAX_BYTES], tail[sizeof prefix + 40];
	int tail_len = snprintf(tail, sizeof tail, "%s%s", *prefix ? " " : "", prefix);

	if (held_back)
		tail_len += snprintf(tail + tail_len, sizeof tail - (size_t)tail_len, " held_back=%llu",
				     (unsigned long long)held_back);
	size_t room = sizeof line - (size_t)tail_len;
	int n = vsnprintf(line, room, format, args);

	if (n < 0)
		n = snprintf(line, room, "log line that cannot be formatted");
	if ((size_t)n >= room) {
		n = (int)room - 1;
		memcpy(line + n - 3, "...", 3);
	}
	memcpy(line + n, tail, (size_t)tail_len + 1);
	make_one_line(line);
	sink.fn(level, area, line, sink.user);
}

void weir_log(weir_log_level level, const char *area, const char *format, ...)
{
	va_list args;

	if (!sink.fn || level < sink.least)
		return;
	va_start(args, format);
	write_line(level, area, 0, format, args);
	va_end(args);
}

void weir_log_limited(weir_log_limit *limit, int64_t interval_ms, weir_log_level level, const char *area,
		      const char *format, ...)
{
	va_list args;

	if (!sink.fn || level < sink.least)
		return;
	int64_t now = weir_clock_system()->monotonic_us(weir_clock_system()) / 1000;
	int64_t next = __atomic_load_n(&limit->next_ms, __ATOMIC_RELAXED);

	/* Of several threads that come at once, the one whose exchange succeeds speaks. */
	if (now < next || !__atomic_compare_exchange_n(&limit->next_ms, &next, weir_time_add(now, interval_ms),
						       false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
		__atomic_fetch_add(&limit->held_back, 1, __ATOMIC_RELAXED);
		return;
	}
	va_start(args, format);
	write_line(level, area, __atomic_exchange_n(&limit->held_back, 0, __ATOMIC_RELAXED), format, args);
	va_end(args);
}
