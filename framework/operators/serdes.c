#include <weir/serde.h>

/* Objects are weir_bytes: a view of the bytes themselves. */
static const void *bytes_decode(weir_context *cx, weir_bytes bytes, weir_error *err)
{
	weir_bytes *object = weir_alloc(cx, sizeof *object);

	(void)err;
	*object = bytes;
	return object;
}

static weir_bytes bytes_encode(weir_context *cx, const void *object)
{
	(void)cx;
	return *(const weir_bytes *)object;
}

/* Big-endian numbers of `size` bytes. */
static const void *number_decode(weir_context *cx, weir_bytes bytes, size_t size, weir_error *err)
{
	if (bytes.len != size) {
		weir_fail(err, WEIR_DECODE, "a number of %zu bytes wanted, %zu found", size, bytes.len);
		return NULL;
	}
	void *object = weir_alloc(cx, size);

	if (size == 2)
		*(int16_t *)object = (int16_t)(((const unsigned char *)bytes.data)[0] << 8 |
					       ((const unsigned char *)bytes.data)[1]);
	else if (size == 4)
		*(int32_t *)object = weir_get_be32(bytes.data);
	else
		*(int64_t *)object = weir_get_be64(bytes.data);
	return object;
}

static const void *eight_decode(weir_context *cx, weir_bytes bytes, weir_error *err)
{
	return number_decode(cx, bytes, 8, err);
}

static weir_bytes eight_encode(weir_context *cx, const void *object)
{
	char *p = weir_alloc(cx, 8);
	int64_t bits;

	memcpy(&bits, object, 8); /* a double's bits as well */
	weir_put_be64(p, bits);
	return weir_bytes_of(p, 8);
}

static const void *four_decode(weir_context *cx, weir_bytes bytes, weir_error *err)
{
	return number_decode(cx, bytes, 4, err);
}

static weir_bytes four_encode(weir_context *cx, const void *object)
{
	char *p = weir_alloc(cx, 4);

	weir_put_be32(p, *(const int32_t *)object);
	return weir_bytes_of(p, 4);
}

static const void *two_decode(weir_context *cx, weir_bytes bytes, weir_error *err)
{
	return number_decode(cx, bytes, 2, err);
}

static weir_bytes two_encode(weir_context *cx, const void *object)
{
	unsigned char *p = weir_alloc(cx, 2);
	uint16_t bits;

	memcpy(&bits, object, 2);
	p[0] = (unsigned char)(bits >> 8);
	p[1] = (unsigned char)bits;
	return weir_bytes_of(p, 2);
}

static const void *bool_decode(weir_context *cx, weir_bytes bytes, weir_error *err)
{
	const unsigned char *byte = bytes.data;

	if (bytes.len != 1 || *byte > 1) {
		weir_fail(err, WEIR_DECODE, "a byte wanted that is 0 or 1, %zu bytes found%s", bytes.len,
			  bytes.len == 1 ? ", of another value" : "");
		return NULL;
	}
	bool *object = weir_alloc(cx, sizeof *object);

	*object = *byte == 1;
	return object;
}

static weir_bytes bool_encode(weir_context *cx, const void *object)
{
	char *p = weir_alloc(cx, 1);

	*p = *(const bool *)object;
	return weir_bytes_of(p, 1);
}

static const void *void_decode(weir_context *cx, weir_bytes bytes, weir_error *err)
{
	(void)cx;
	weir_fail(err, WEIR_DECODE, "null wanted, %zu bytes found", bytes.len);
	return NULL;
}

static weir_bytes void_encode(weir_context *cx, const void *object)
{
	(void)cx, (void)object;
	return WEIR_NULL;
}

/* --- UUIDs --------------------------------------------------------------------------------------------------- */

enum { UUID_BYTES = 16, UUID_TEXT = 36 };

static bool has_dash_before(int byte)
{
	return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static const void *uuid_decode(weir_context *cx, weir_bytes bytes, weir_error *err)
{
	const char *at = bytes.data;
	unsigned char *object = weir_alloc(cx, UUID_BYTES);
	bool good = bytes.len == UUID_TEXT;

	for (int i = 0; good && i < UUID_BYTES; i++, at += 2) {
		if (has_dash_before(i))
			good = *at++ == '-';
		int high = hex_digit(at[0]), low = hex_digit(at[1]);

		good = good && high >= 0 && low >= 0;
		object[i] = good ? (unsigned char)(high << 4 | low) : 0;
	}
	if (good)
		return object;
	weir_fail(err, WEIR_DECODE, "a UUID of 36 characters wanted, %zu bytes found", bytes.len);
	return NULL;
}

static weir_bytes uuid_encode(weir_context *cx, const void *object)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *uuid = object;
	char *text = weir_alloc(cx, UUID_TEXT), *at = text;

	for (int i = 0; i < UUID_BYTES; i++) {
		if (has_dash_before(i))
			*at++ = '-';
		*at++ = digits[uuid[i] >> 4];
		*at++ = digits[uuid[i] & 15];
	}
	return weir_bytes_of(text, UUID_TEXT);
}

const weir_serde weir_utf8 = { "utf8", bytes_decode, bytes_encode, 0, false };
const weir_serde weir_raw = { "raw", bytes_decode, bytes_encode, 0, false };
const weir_serde weir_int64 = { "int64", eight_decode, eight_encode, sizeof(int64_t), false };
const weir_serde weir_int32 = { "int32", four_decode, four_encode, sizeof(int32_t), false };
const weir_serde weir_double = { "double", eight_decode, eight_encode, sizeof(double), false };
const weir_serde weir_int16 = { "int16", two_decode, two_encode, sizeof(int16_t), false };
const weir_serde weir_float = { "float", four_decode, four_encode, sizeof(float), false };
const weir_serde weir_bool = { "bool", bool_decode, bool_encode, sizeof(bool), false };
const weir_serde weir_uuid = { "uuid", uuid_decode, uuid_encode, UUID_BYTES, false };
const weir_serde weir_void = { "void", void_decode, void_encode, 0, false };
const weir_serde weir_windowed_utf8 = { "windowed-utf8", bytes_decode, bytes_encode, 0, true };
