#ifndef WEIR_CLOCK_H
#define WEIR_CLOCK_H
/*
 * All time in weir comes through a clock, so that a test can own it.
 * Milliseconds since the Unix epoch for wall time; microseconds from any origin for intervals.
 */
#include <stdbool.h>
#include <stdint.h>

#define WEIR_SECONDS(n) ((int64_t)(n)*1000)
#define WEIR_MINUTES(n) ((int64_t)(n)*60000)
#define WEIR_HOURS(n) ((int64_t)(n)*3600000)
#define WEIR_DAYS(n) ((int64_t)(n)*86400000)

typedef struct weir_clock weir_clock;
struct weir_clock {
	int64_t (*wall_ms)(weir_clock *clock);
	int64_t (*monotonic_us)(weir_clock *clock);
	/* False: time moves only when somebody moves it, so nobody may block waiting for it. */
	bool runs;
};

/** The machine's clocks. Static, shared, safe from any thread. */
weir_clock *weir_clock_system(void);

/** A clock that stands until it is told to move: for tests. Both clocks move together. */
typedef struct weir_manual_clock {
	weir_clock clock;
	int64_t now_ms;
} weir_manual_clock;
/** Both clocks stand at now_ms. Set .now_ms to move them; not while another thread reads them. */
void weir_manual_clock_init(weir_manual_clock *clock, int64_t now_ms);

/* Time arithmetic that stops at the ends of the range instead of wrapping (CVE-2026-111496 in Kafka Streams). */

/** a + b, within the range. */
static inline int64_t weir_time_add(int64_t a, int64_t b)
{
	int64_t r;

	if (__builtin_add_overflow(a, b, &r))
		return b < 0 ? INT64_MIN : INT64_MAX;
	return r;
}

/** a - b, within the range. */
static inline int64_t weir_time_sub(int64_t a, int64_t b)
{
	int64_t r;

	if (__builtin_sub_overflow(a, b, &r))
		return b < 0 ? INT64_MAX : INT64_MIN;
	return r;
}

#endif
