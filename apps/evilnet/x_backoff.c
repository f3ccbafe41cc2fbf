#include "apps/evilnet/x_backoff.h"

int64_t x_backoff_next_ms(struct x_backoff *b, enum x_trouble trouble)
{
	static const struct {
		int64_t first_ms, add_ms, factor, max_ms;
	} steps[X_TROUBLES] = {
		[X_NETWORK] = { 250, 250, 1, 16000 },
		[X_SERVER] = { 5000, 0, 2, 320000 },
		[X_RATE_LIMITED] = { 60000, 0, 2, 900000 },
	};
	int64_t last = b->last_ms[trouble];
	int64_t next = last ? last * steps[trouble].factor + steps[trouble].add_ms : steps[trouble].first_ms;

	if (next > steps[trouble].max_ms)
		next = steps[trouble].max_ms;
	return b->last_ms[trouble] = next;
}

void x_backoff_reset(struct x_backoff *b)
{
	*b = (struct x_backoff){ 0 };
}
