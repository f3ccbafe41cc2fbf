#include "framework/operators/foreign.h"

enum { HASH_IS_NULL = 0x80, SUBSCRIPTION_VERSION = 1, RESPONSE_VERSION = 0 };

struct foreign_hash weir__foreign_hash(const weir_record *row)
{
	struct foreign_hash hash = { .is = row != NULL };

	if (row)
		weir__murmur3(weir_value_bytes(row), hash.bytes);
	return hash;
}

static unsigned char *put_head(unsigned char *at, unsigned version, const struct foreign_hash *hash,
			       const unsigned char *instruction)
{
	*at++ = (unsigned char)(version | (hash->is ? 0 : HASH_IS_NULL));
	if (instruction)
		*at++ = *instruction;
	if (!hash->is)
		return at;
	memcpy(at, hash->bytes, MURMUR3_BYTES);
	return at + MURMUR3_BYTES;
}

static unsigned char *put(unsigned char *at, weir_bytes b)
{
	if (b.len)
		memcpy(at, b.data, b.len);
	return at + b.len;
}

weir_bytes weir__subscription_encode(weir_context *cx, const struct subscription *s)
{
	unsigned char instruction = (unsigned char)s->instruction;
	unsigned char *bytes = weir_alloc(cx, 2 + MURMUR3_BYTES + s->key.len + 4);
	unsigned char *at = put(put_head(bytes, SUBSCRIPTION_VERSION, &s->hash, &instruction), s->key);

	weir_put_be32(at, s->partition);
	return weir_bytes_of(bytes, (size_t)(at + 4 - bytes));
}

weir_bytes weir__response_encode(const struct foreign_response *response, unsigned char *to)
{
	unsigned char *at = put(put_head(to, RESPONSE_VERSION, &response->hash, NULL), response->value);

	return weir_bytes_of(to, (size_t)(at - to));
}

/* Takes n bytes off; NULL: so many are not there. */
static const unsigned char *take(weir_bytes *b, size_t n)
{
	const unsigned char *p = b->data;

	if (b->len < n)
		return NULL;
	*b = (weir_bytes){ p + n, b->len - n };
	return p;
}

static bool take_hash(weir_bytes *b, unsigned head, struct foreign_hash *hash)
{
	const unsigned char *p = NULL;

	hash->is = !(head & HASH_IS_NULL);
	if (!hash->is)
		return true;
	if (!(p = take(b, MURMUR3_BYTES)))
		return false;
	memcpy(hash->bytes, p, MURMUR3_BYTES);
	return true;
}

bool weir__subscription_decode(weir_bytes bytes, struct subscription *s)
{
	const unsigned char *head = take(&bytes, 2);

	if (!head || head[1] > FOREIGN_PROPAGATE || (head[0] & ~HASH_IS_NULL) > SUBSCRIPTION_VERSION)
		return false;
	s->instruction = (enum foreign_instruction)head[1];
	s->partition = -1;
	if (!take_hash(&bytes, head[0], &s->hash))
		return false;
	s->key = bytes;
	if ((head[0] & ~HASH_IS_NULL) == 0)
		return true;
	if (bytes.len < 4)
		return false;
	s->key.len -= 4;
	s->partition = weir_get_be32((const char *)bytes.data + s->key.len);
	return s->partition >= -1;
}

bool weir__response_decode(weir_bytes bytes, struct foreign_response *response)
{
	const unsigned char *head = take(&bytes, 1);

	if (!head || (head[0] & ~HASH_IS_NULL) != RESPONSE_VERSION || !take_hash(&bytes, head[0], &response->hash))
		return false;
	response->value = bytes.len ? bytes : WEIR_NULL;
	return true;
}

weir_bytes weir__subscription_key(weir_context *cx, weir_bytes foreign_key, weir_bytes key)
{
	unsigned char *bytes = weir_alloc(cx, 4 + foreign_key.len + key.len);

	weir_put_be32(bytes, (int32_t)foreign_key.len);
	unsigned char *end = put(put(bytes + 4, foreign_key), key);

	return weir_bytes_of(bytes, (size_t)(end - bytes));
}
