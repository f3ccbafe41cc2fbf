#ifndef WEIR_SERDE_H
#define WEIR_SERDE_H
/*
 * How objects become bytes and back. A serde is a const table, usually static; every function must be pure, since
 * it is called on any worker's thread.
 */
#include <weir/bytes.h>
#include <weir/error.h>

/* The running task, as callbacks see it: see <weir/processor.h>. */
typedef struct weir_context weir_context;

/** Memory that lives until the callback's record is done with: n bytes, aligned to 16, not cleared. Never NULL. */
void *weir_alloc(weir_context *cx, size_t n);

typedef struct weir_serde {
	const char *name; /* for descriptions and messages: "post", "int64" */
	/** The object that `bytes` (never null) stand for: from weir_alloc, or pointing into `bytes`, which outlive
	 *  it. NULL and *err: unreadable. */
	const void *(*decode)(weir_context *cx, weir_bytes bytes, weir_error *err);
	/** The bytes that stand for *object; from weir_alloc or longer-lived. */
	weir_bytes (*encode)(weir_context *cx, const void *object);
	/** Objects of one fixed size that can be copied as they are (no pointers in them); 0 = not so. Aggregates
	 *  in place need it. */
	size_t size;
	/** Keys only: the inner key is followed by the window's start (8 bytes, big-endian), as Kafka Streams'
	 *  TimeWindowedSerializer lays it; by its end and its start for sessions, as SessionWindowedSerializer. */
	bool windowed;
} weir_serde;

extern const weir_serde weir_utf8;   /* object: weir_bytes */
extern const weir_serde weir_raw;    /* object: weir_bytes */
extern const weir_serde weir_int64;  /* object: int64_t; 8 bytes, big-endian, as Java's LongSerializer */
extern const weir_serde weir_int32;  /* object: int32_t; 4 bytes, big-endian, as Java's IntegerSerializer */
extern const weir_serde weir_double; /* object: double; 8 bytes, IEEE 754 big-endian, as Java's DoubleSerializer */
extern const weir_serde weir_int16;  /* object: int16_t; 2 bytes, big-endian, as Java's ShortSerializer */
extern const weir_serde weir_float;  /* object: float; 4 bytes, IEEE 754 big-endian, as Java's FloatSerializer */
extern const weir_serde weir_bool; /* object: bool; a byte, 0 or 1, as Java's BooleanSerializer: no other is read */
/* object: the 16 bytes of a UUID, unsigned char[16], most significant first; 36 characters of lower case, as Java's
 * UUIDSerializer. Upper case is read, too; the shortened forms that Java's UUID.fromString takes are not. */
extern const weir_serde weir_uuid;
extern const weir_serde weir_windowed_utf8; /* keys of windowed streams */

#endif
