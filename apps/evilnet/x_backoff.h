#ifndef EVILNET_X_BACKOFF_H
#define EVILNET_X_BACKOFF_H
/* How long to wait before the next try, as X documents it. */
#include <stdint.h>

enum x_trouble {
	X_NETWORK, /* no connection, or it broke: linear, 250 ms to 16 s */
	X_SERVER,  /* HTTP 5xx: exponential, 5 s to 320 s */
	X_RATE_LIMITED, /* HTTP 429 that does not say until when: exponential, 60 s to X's window of 15 minutes */
	X_TROUBLES,
};

/* All zero: no trouble yet. */
struct x_backoff {
	int64_t last_ms[X_TROUBLES];
};

/** The wait after one more trouble of this kind. */
int64_t x_backoff_next_ms(struct x_backoff *b, enum x_trouble trouble);
/** The stream is well again. */
void x_backoff_reset(struct x_backoff *b);

#endif
