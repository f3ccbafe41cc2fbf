#ifndef WEIR_LOG_H
#define WEIR_LOG_H
/*
 * The library never prints: each log line goes to the callback that the program has set (none by default).
 * A line is logfmt-like: `key=value` pairs after a short sentence. The calling thread's prefix
 * ("worker=0 task=0_3") is added for it. Safe from any thread.
 */
#include <stdbool.h>
#include <stdint.h>

typedef enum weir_log_level {
	WEIR_LOG_DEBUG,
	WEIR_LOG_INFO,
	WEIR_LOG_WARN,
	WEIR_LOG_ERROR,
} weir_log_level;

/** Called with one whole line without a line feed; may be called from several threads at once. */
typedef void weir_log_fn(weir_log_level level, const char *area, const char *line, void *user);

/** Sets the process's log callback and least level; NULL = silence. Set it before threads are started. */
void weir_log_set(weir_log_fn *fn, void *user, weir_log_level least);

/** A ready callback: `2026-11-24T19:11:05.123Z WARN restore line` on standard error. */
void weir_log_stderr(weir_log_level level, const char *area, const char *line, void *user);

/** "debug", "info", "warn", "error" to a level; false when it is none of them. */
bool weir_log_level_parse(const char *text, weir_log_level *level);

/** One line, built only if somebody listens at that level; cut at 1023 bytes, control characters made blanks. */
void weir_log(weir_log_level level, const char *area, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * Rate limit for lines that could come by the thousand: at most one line each `interval_ms` a limiter;
 * the next line that gets through says how many were held back. The limiter lies in static or object storage,
 * zeroed.
 */
typedef struct weir_log_limit {
	int64_t next_ms;
	uint64_t held_back;
} weir_log_limit;
/** As weir_log, within the limit. A limiter may be shared by threads. */
void weir_log_limited(weir_log_limit *limit, int64_t interval_ms, weir_log_level level, const char *area,
		      const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
