#ifndef WEIR_FOREIGN_H
#define WEIR_FOREIGN_H
/*
 * What goes over the two topics of a foreign-key join, byte for byte as Kafka Streams has it (KIP-213, KIP-775).
 *
 * registration   key: the foreign key; value: version | instruction | hash | key of the row | its partition
 * response       key: of the row; value: version | hash | the foreign row's value
 *
 * The hash is that of the row's value when it subscribed; a row without a value has none, which the version's
 * highest bit says.
 */
#include "framework/base/murmur3.h"
#include "framework/operators/operator.h"

enum foreign_instruction {
	FOREIGN_DELETE,               /* no response */
	FOREIGN_DELETE_AND_PROPAGATE, /* a response without a value */
	FOREIGN_PROPAGATE_NULL,       /* a response in any case */
	FOREIGN_PROPAGATE,            /* a response if there is a foreign row */
};

struct foreign_hash {
	bool is;
	unsigned char bytes[MURMUR3_BYTES];
};

struct subscription {
	enum foreign_instruction instruction;
	struct foreign_hash hash;
	weir_bytes key;
	int32_t partition; /* of the row's task; -1 = not known (version 0): by its key */
};

/** The hash of a row's value; NULL = there is none. */
struct foreign_hash weir__foreign_hash(const weir_record *row);
weir_bytes weir__subscription_encode(weir_context *cx, const struct subscription *s);
/** s->key points into bytes. False: they are no subscription. */
bool weir__subscription_decode(weir_bytes bytes, struct subscription *s);

struct foreign_response {
	struct foreign_hash hash;
	weir_bytes value; /* null = there is no foreign row; an empty one reads as null, too, as in Kafka Streams */
};
enum { RESPONSE_HEAD_MAX = 1 + MURMUR3_BYTES };
/** Into `to`, which has room for RESPONSE_HEAD_MAX and the value. */
weir_bytes weir__response_encode(const struct foreign_response *response, unsigned char *to);
bool weir__response_decode(weir_bytes bytes, struct foreign_response *response);

/** Key in the subscription store: length of the foreign key (4, BE) | foreign key | key of the row. */
weir_bytes weir__subscription_key(weir_context *cx, weir_bytes foreign_key, weir_bytes key);

#endif
