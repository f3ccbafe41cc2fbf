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

	if (size == 4)
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

const weir_serde weir_utf8 = { "utf8", bytes_decode, bytes_encode, 0, false };
const weir_serde weir_raw = { "raw", bytes_decode, bytes_encode, 0, false };
const weir_serde weir_int64 = { "int64", eight_decode, eight_encode, sizeof(int64_t), false };
const weir_serde weir_int32 = { "int32", four_decode, four_encode, sizeof(int32_t), false };
const weir_serde weir_double = { "double", eight_decode, eight_encode, sizeof(double), false };
const weir_serde weir_windowed_utf8 = { "windowed-utf8", bytes_decode, bytes_encode, 0, true };
