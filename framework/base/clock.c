#define _POSIX_C_SOURCE 200809L
#include <weir/clock.h>

#include <time.h>

static int64_t read_clock(clockid_t id, int64_t per_second)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * per_second + (int64_t)t.tv_nsec / (1000000000 / per_second);
}

static int64_t system_wall_ms(weir_clock *clock)
{
	(void)clock;
	return read_clock(CLOCK_REALTIME, 1000);
}

static int64_t system_monotonic_us(weir_clock *clock)
{
	(void)clock;
	return read_clock(CLOCK_MONOTONIC, 1000000);
}

weir_clock *weir_clock_system(void)
{
	static weir_clock clock = { system_wall_ms, system_monotonic_us, true };

	return &clock;
}

static int64_t manual_wall_ms(weir_clock *clock)
{
	return ((weir_manual_clock *)clock)->now_ms;
}

static int64_t manual_monotonic_us(weir_clock *clock)
{
	return ((weir_manual_clock *)clock)->now_ms * 1000;
}

void weir_manual_clock_init(weir_manual_clock *clock, int64_t now_ms)
{
	*clock = (weir_manual_clock){ { manual_wall_ms, manual_monotonic_us, false }, now_ms };
}
