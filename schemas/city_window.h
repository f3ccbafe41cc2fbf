#ifndef SCHEMAS_CITY_WINDOW_H
#define SCHEMAS_CITY_WINDOW_H
/*
 * A result as it stands in evilnet.metrics: key = place (UTF-8) | window start (8 bytes, big-endian, ms); value = a
 * msgpack map with the keys place, window_start (int, ms), window_seconds, tweets, retweets, users, upto, in this
 * order. Absolute: the newest replaces the older.
 */
#include <weir/serde.h>

struct city_window {
	weir_bytes place;
	int64_t window_start_ms;
	int64_t window_seconds;
	int64_t tweets, retweets, users;
	int64_t upto; /* offset, in the topic that the windows read, of the last post counted in */
};

/* So many bytes and the place's are always enough for city_window_encode. */
#define CITY_WINDOW_FRAME_BYTES 136

/** Views into `in`. False and *err (WEIR_DECODE): not a city window. Keys in any order, unknown ones skipped. */
bool city_window_decode(weir_bytes in, struct city_window *out, weir_error *err);
/** Writes the msgpack map into buf; returns its length, 0 if it does not fit in `size`. */
size_t city_window_encode(const struct city_window *window, void *buf, size_t size);

/** object: struct city_window */
extern const weir_serde city_window_serde;

#endif
