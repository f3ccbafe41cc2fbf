#ifndef SCHEMAS_MSGPACK_READ_H
#define SCHEMAS_MSGPACK_READ_H
/*
 * Reading the little of msgpack that the schemas need, in place: no allocation, no recursion, no byte read behind
 * the end.
 *
 * Why not msgpack-c: it builds a tree in a zone first, with as much memory as a map's header asks for (five hostile
 * bytes can ask for 200 GB), and the tree alone takes 70 to 85 ns where a whole post is read and checked in 50.
 * Writing is msgpack-c's, and the tests hold the two against each other.
 *
 * Each function takes one value off the front; false = another type stands there, or the bytes end. After false the
 * reader stands where it stood.
 */
#include <weir/bytes.h>

struct msgpack_reader {
	const uint8_t *p, *end;
};

/** n = number of pairs. */
bool msgpack_read_map(struct msgpack_reader *r, uint32_t *n);
/** A view of a str (not of a bin). */
bool msgpack_read_str(struct msgpack_reader *r, weir_bytes *out);
/** Any integer that fits. */
bool msgpack_read_int(struct msgpack_reader *r, int64_t *out);
bool msgpack_read_bool(struct msgpack_reader *r, bool *out);
/** One value of any type, with all that it holds. */
bool msgpack_skip(struct msgpack_reader *r);

#endif
