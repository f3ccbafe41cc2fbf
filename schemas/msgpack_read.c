#include "schemas/msgpack_read.h"

static size_t left(const struct msgpack_reader *r)
{
	return (size_t)(r->end - r->p);
}

/* The big-endian number of `bytes` bytes behind the type byte. */
static bool behind(const struct msgpack_reader *r, unsigned bytes, uint64_t *v)
{
	if (left(r) < 1 + bytes)
		return false;
	*v = 0;
	for (unsigned i = 1; i <= bytes; i++)
		*v = *v << 8 | r->p[i];
	return true;
}

bool msgpack_read_map(struct msgpack_reader *r, uint32_t *n)
{
	uint64_t v;

	if (!left(r))
		return false;
	uint8_t type = *r->p;
	if ((type & 0xf0) == 0x80) {
		*n = type & 0x0f;
		r->p++;
		return true;
	}
	if (type != 0xde && type != 0xdf)
		return false;
	unsigned bytes = type == 0xde ? 2 : 4;
	if (!behind(r, bytes, &v))
		return false;
	*n = (uint32_t)v;
	r->p += 1 + bytes;
	return true;
}

bool msgpack_read_str(struct msgpack_reader *r, weir_bytes *out)
{
	unsigned bytes = 0;
	uint64_t n;

	if (!left(r))
		return false;
	uint8_t type = *r->p;
	if ((type & 0xe0) == 0xa0) {
		n = type & 0x1f;
	} else {
		if (type < 0xd9 || type > 0xdb)
			return false;
		bytes = 1U << (type - 0xd9);
		if (!behind(r, bytes, &n))
			return false;
	}
	if (n > left(r) - 1 - bytes)
		return false;
	*out = weir_bytes_of(r->p + 1 + bytes, (size_t)n);
	r->p += 1 + bytes + (size_t)n;
	return true;
}

bool msgpack_read_int(struct msgpack_reader *r, int64_t *out)
{
	uint64_t v;

	if (!left(r))
		return false;
	uint8_t type = *r->p;
	if (type < 0x80 || type >= 0xe0) {
		*out = type < 0x80 ? type : type - 0x100;
		r->p++;
		return true;
	}
	if (type < 0xcc || type > 0xd3)
		return false;
	bool is_signed = type >= 0xd0;
	unsigned bytes = 1U << ((type - 0xcc) & 3), unused = 64 - 8 * bytes;
	if (!behind(r, bytes, &v) || (!is_signed && v > INT64_MAX))
		return false;
	*out = is_signed ? (int64_t)(v << unused) >> unused : (int64_t)v;
	r->p += 1 + bytes;
	return true;
}

bool msgpack_read_bool(struct msgpack_reader *r, bool *out)
{
	if (!left(r) || (*r->p & 0xfe) != 0xc2)
		return false;
	*out = *r->p++ == 0xc3;
	return true;
}

/* What a value takes beside what it holds: bytes (type byte and payload), and the number of values inside. */
static bool extent(const struct msgpack_reader *r, uint64_t *bytes, uint64_t *inside)
{
	/* 0xc0 to 0xdf: bytes of payload, or of the length in front of it */
	static const uint8_t fixed[32] = { 0, 0, 0, 0, 1, 2, 4, 1, 2,  4, 4, 8, 1, 2, 4, 8,
					   1, 2, 4, 8, 2, 3, 5, 9, 17, 1, 2, 4, 2, 4, 2, 4 };
	uint8_t type = *r->p;
	uint64_t n = 0;

	*inside = 0;
	*bytes = 1;
	if (type < 0x80 || type >= 0xe0)
		return true;
	if (type < 0xa0) {
		*inside = (uint64_t)(type & 0x0f) << (type < 0x90);
	} else if (type < 0xc0) {
		*bytes += type & 0x1f;
	} else {
		*bytes += fixed[type - 0xc0];
		if (type >= 0xdc) { /* array, map */
			if (!behind(r, fixed[type - 0xc0], &n))
				return false;
			*inside = n << (type >= 0xde);
		} else if ((type >= 0xc4 && type <= 0xc9) || type >= 0xd9) { /* bin, ext, str */
			if (!behind(r, fixed[type - 0xc0], &n))
				return false;
			*bytes += n + (type >= 0xc7 && type <= 0xc9); /* an ext has a byte for its kind */
		}
	}
	return type != 0xc1; /* never used */
}

bool msgpack_skip(struct msgpack_reader *r)
{
	struct msgpack_reader at = *r;

	/* Each value takes a byte at least: more of them than bytes cannot be there, so the sum cannot overflow
	 * either. */
	for (uint64_t values = 1; values > 0; values--) {
		uint64_t bytes, inside;

		if (values > left(&at) || !extent(&at, &bytes, &inside) || bytes > left(&at))
			return false;
		at.p += bytes;
		values += inside;
	}
	*r = at;
	return true;
}
