#ifndef SCHEMAS_MSGPACK_WRITE_H
#define SCHEMAS_MSGPACK_WRITE_H
/* msgpack-c's packer over memory of the caller's: nothing is allocated, what does not fit is an error. */
#include <msgpack.h>
#include <weir/bytes.h>

struct msgpack_room {
	char *at;
	size_t left;
};

static inline int msgpack_room_write(void *room, const char *data, size_t n)
{
	struct msgpack_room *r = room;

	if (n > r->left)
		return -1;
	memcpy(r->at, data, n);
	r->at += n;
	r->left -= n;
	return 0;
}

static inline bool msgpack_put_str(msgpack_packer *pk, weir_bytes text)
{
	return text.len <= UINT32_MAX && !msgpack_pack_str(pk, text.len) &&
	       !msgpack_pack_str_body(pk, text.data, text.len);
}

/** `name` is a literal. */
#define msgpack_put_name(pk, name) \
	(!msgpack_pack_str(pk, sizeof(name) - 1) && !msgpack_pack_str_body(pk, name, sizeof(name) - 1))

#endif
