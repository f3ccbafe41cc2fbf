#include "schemas/post.h"

static void *alloc_in_task(void *cx, size_t n)
{
	return weir_alloc(cx, n);
}

static const void *decode(weir_context *cx, weir_bytes bytes, weir_error *err)
{
	struct post *post = weir_alloc(cx, sizeof *post);

	return post_decode(bytes, post, alloc_in_task, cx, err) ? post : NULL;
}

static weir_bytes encode(weir_context *cx, const void *object)
{
	size_t size = post_encoded_max(object);
	void *buf = weir_alloc(cx, size);

	return weir_bytes_of(buf, post_encode(object, buf, size));
}

const weir_serde post_serde = { .name = "post", .decode = decode, .encode = encode };
