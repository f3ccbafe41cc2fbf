#include "schemas/city_window.h"

static const void *decode(weir_context *cx, weir_bytes bytes, weir_error *err)
{
	struct city_window *window = weir_alloc(cx, sizeof *window);

	return city_window_decode(bytes, window, err) ? window : NULL;
}

static weir_bytes encode(weir_context *cx, const void *object)
{
	const struct city_window *window = object;
	size_t size = CITY_WINDOW_FRAME_BYTES + window->place.len;
	void *buf = weir_alloc(cx, size);

	return weir_bytes_of(buf, city_window_encode(window, buf, size));
}

const weir_serde city_window_serde = { .name = "city window", .decode = decode, .encode = encode };
