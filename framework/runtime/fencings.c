#include "framework/runtime/fencings.h"

enum { ROUND_US = 60000000, POINTS_AT_WORK = 3, POINTS_AFTER_OUTAGE = 1, POINTS_OF_TWIN = 6 };

/* Heartbeats come four times a session at least: an outage that ends one lasts longer than half of it. */
void weir__fencings_done(struct fencings *f, int64_t now_us, int64_t session_us)
{
	if (now_us - f->done_us >= session_us / 2)
		f->outage_us = now_us;
	f->done_us = now_us;
}

bool weir__fenced_by_twin(struct fencings *f, int64_t now_us, int64_t session_us)
{
	bool outage = now_us - f->done_us >= session_us / 2 || (f->outage_us && now_us - f->outage_us < session_us);

	if (f->points == 0 || now_us - f->since_us >= ROUND_US) {
		f->since_us = now_us;
		f->points = 0;
	}
	f->points += outage ? POINTS_AFTER_OUTAGE : POINTS_AT_WORK;
	return f->points >= POINTS_OF_TWIN;
}
