#ifndef EVILNET_OUTBOX_ENTRY_H
#define EVILNET_OUTBOX_ENTRY_H
/* One record in the outbox. */
#include "apps/evilnet/outbox.h"

enum entry_state {
	ENTRY_DONE,
	ENTRY_SENT,    /* the producer has it */
	ENTRY_WAITING, /* to be sent, for the first time or again */
};

/* Its bytes lie in one piece: the object as it came, then the post as msgpack, which ends in its place: the key. */
struct entry {
	char *bytes;
	size_t raw_len, value_len, key_len;
	size_t length;        /* of what a dead letter shows, in full */
	int64_t timestamp_ms; /* of the post, or of what cannot be one; -1 = not known */
	int64_t received_ms;
	char *reason; /* why it is a dead letter; NULL = it is not */
	bool tried;   /* sent before */
	bool suspect; /* it was refused with others */
	bool alone;   /* was sent with nothing else under way */
	bool bare;    /* a dead letter without its value: with it, it was refused */
	enum entry_state state;
};

void entry_init_post(struct entry *e, const struct post *post, weir_bytes raw, int64_t received_ms);
void entry_init_dead(struct entry *e, weir_bytes raw, size_t raw_length, const char *reason, int64_t original_ms);
/** Frees what it holds; it is ENTRY_DONE then. */
void entry_release(struct entry *e);
/** Hands it to the producer. Deliveries of other entries may be served meanwhile. */
bool entry_send(const struct entry *e, const struct outbox_opts *opts, weir_producer *producer, uint64_t tag,
		weir_error *err);

#endif
