#include "schemas/city_window.h"

#include <stddef.h>

#include "schemas/msgpack_read.h"
#include "schemas/msgpack_write.h"
#include "schemas/post.h"

/* The whole numbers, in the order in which they are written; the place stands in front of them. */
static const struct number {
	const char *name;
	size_t len, at;
	int64_t min;
} numbers[] = {
#define NUMBER(name, field, min) \
	{ \
		name, sizeof(name) - 1, offsetof(struct city_window, field), min \
	}
	NUMBER("window_start", window_start_ms, INT64_MIN),
	NUMBER("window_seconds", window_seconds, 1),
	NUMBER("tweets", tweets, 0),
	NUMBER("retweets", retweets, 0),
	NUMBER("users", users, 0),
	NUMBER("upto", upto, 0),
};

enum { NUMBERS = sizeof numbers / sizeof *numbers, PLACE = NUMBERS, UNKNOWN, ALL = (1 << (NUMBERS + 1)) - 1 };

static int field_of(weir_bytes key)
{
	if (key.len == 5 && memcmp(key.data, "place", 5) == 0)
		return PLACE;
	for (int i = 0; i < NUMBERS; i++)
		if (key.len == numbers[i].len && memcmp(key.data, numbers[i].name, key.len) == 0)
			return i;
	return UNKNOWN;
}

static const char *field_name(int field)
{
	return field < NUMBERS ? numbers[field].name : field == PLACE ? "place" : "an unknown key";
}

static bool read_field(struct msgpack_reader *r, int field, struct city_window *out)
{
	if (field == PLACE)
		return msgpack_read_str(r, &out->place);
	if (field == UNKNOWN)
		return msgpack_skip(r);
	int64_t *number = (int64_t *)((char *)out + numbers[field].at);
	return msgpack_read_int(r, number) && *number >= numbers[field].min;
}

bool city_window_decode(weir_bytes in, struct city_window *out, weir_error *err)
{
	const uint8_t *data = in.data;
	struct msgpack_reader r = { data, data + in.len };
	uint32_t pairs;
	int seen = 0;

	if (!msgpack_read_map(&r, &pairs))
		return weir_fail(err, WEIR_DECODE, "city window: not a msgpack map (%zu bytes)", in.len);
	for (; pairs > 0; pairs--) {
		weir_bytes key;
		int field = UNKNOWN;

		if (msgpack_read_str(&r, &key))
			field = field_of(key);
		else if (!msgpack_skip(&r))
			return weir_fail(err, WEIR_DECODE, "city window: broken msgpack at byte %td of %zu",
					 r.p - data, in.len);
		if (field != UNKNOWN && seen & 1 << field)
			return weir_fail(err, WEIR_DECODE, "city window: %s stands there twice", field_name(field));
		if (!read_field(&r, field, out))
			return weir_fail(
				err, WEIR_DECODE,
				"city window: %s is of another type, out of range or cut (byte %td of %zu)",
				field_name(field), r.p - data, in.len);
		if (field != UNKNOWN)
			seen |= 1 << field;
	}
	if (seen != ALL)
		return weir_fail(err, WEIR_DECODE, "city window: %s is missing",
				 field_name(__builtin_ctz(~(unsigned)seen)));
	if (r.p != r.end)
		return weir_fail(err, WEIR_DECODE, "city window: %td bytes behind its end", r.end - r.p);
	if (!out->place.len || utf8_length(out->place) == SIZE_MAX)
		return weir_fail(err, WEIR_DECODE, "city window: place is %s",
				 out->place.len ? "not valid UTF-8" : "empty");
	return true;
}

size_t city_window_encode(const struct city_window *window, void *buf, size_t size)
{
	struct msgpack_room room = { buf, size };
	msgpack_packer pk;

	msgpack_packer_init(&pk, &room, msgpack_room_write);
	if (msgpack_pack_map(&pk, NUMBERS + 1) || !msgpack_put_name(&pk, "place") ||
	    !msgpack_put_str(&pk, window->place))
		return 0;
	for (int i = 0; i < NUMBERS; i++) {
		const int64_t *number = (const int64_t *)((const char *)window + numbers[i].at);

		if (!msgpack_put_str(&pk, weir_bytes_of(numbers[i].name, numbers[i].len)) ||
		    msgpack_pack_int64(&pk, *number))
			return 0;
	}
	return size - room.left;
}
