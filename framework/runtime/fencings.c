#include "framework/runtime/fencings.h"

enum { ROUND_US = 60000000, POINTS_AT_WORK = 3, POINTS_AFTER_OUTAGE = 1, POINTS_OF_TWIN = 6 };

bool weir__fenced_by_twin(struct fencings *f, int64_t now_us, int64_t done_us, int64_t session_us)
{
	if (f->points == 0 || now_us - f->since_us >= ROUND_US) {
		f->since_us = now_us;
		f->points = 0;
	}
	/* heartbeats come four times a session at least: an outage that ends one lasts longer than half of it */
	f->points += now_us - done_us < session_us / 2 ? POINTS_AT_WORK : POINTS_AFTER_OUTAGE;
	return f->points >= POINTS_OF_TWIN;
}
