#ifndef WEIR_SERDE_H
#define WEIR_SERDE_H
/*
 * How objects become bytes and back. A serde is a const table, usually static; every function must be pure, since
 * it is called on any worker's thread.
 */
#include <weir/bytes.h>
#include <weir/error.h>
#include <weir/headers.h>

/* The running task, as callbacks see it: see <weir/processor.h>. */
typedef struct weir_context weir_context;

/** Memory that lives until the callback's record is done with: n bytes, aligned to 16, not cleared. Never NULL. */
void *weir_alloc(weir_context *cx, size_t n);
/** An object of weir_utf8, or with a star before it the bytes of a key, written as by printf, from weir_alloc.
 * Never NULL. */
const weir_bytes *weir_text(weir_context *cx, const char *format, ...) __attribute__((format(printf, 2, 3)));

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
	/** Both may be NULL: in their place where records of topics are read and written, as Kafka's serializers
	 *  with headers. Values in stores and their changelogs, changes of a grouped table and what goes
	 *  through the topics of a foreign-key join have none: there it is decode and encode, which must be given.
	 *  `headers` are the record's. */
	const void *(*decode_headers)(weir_context *cx, weir_bytes bytes, const weir_headers *headers,
				      weir_error *err);
	/** For each topic that the record is sent to. *headers are those that it has so far, never NULL, and may
	 *  become others: weir_headers_with. Not called for null. */
	weir_bytes (*encode_headers)(weir_context *cx, const void *object, const weir_headers **headers);
} weir_serde;

/** These and one more behind them, from weir_alloc; name and value are borrowed. */
const weir_headers *weir_headers_with(weir_context *cx, const weir_headers *headers, const char *name,
				      weir_bytes value);
/** As a record with these headers is read: by decode_headers, if there is one. */
static inline const void *weir_serde_read(const weir_serde *serde, weir_context *cx, weir_bytes bytes,
					  const weir_headers *headers, weir_error *err)
{
	return serde->decode_headers ? serde->decode_headers(cx, bytes, headers, err)
				     : serde->decode(cx, bytes, err);
}

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
/* No object and no bytes, as Java's VoidSerializer (KIP-527): what is written with it is null, and what is not null
 * cannot be read. */
extern const weir_serde weir_void;

/* --- lists ------------------------------------------------------------------------------------------------------
 * In the format of Java's ListSerializer (KIP-466), whatever kind of list Java makes of it. A list has a serde of
 * its own for each kind of entries, which may be lists again:
 *
 *   WEIR_LIST_SERDE(names, weir_utf8);
 *   weir_source(t, "people", (weir_source_opts){ .value = &names });
 */

typedef struct weir_list {
	const void *const *items; /* objects of the inner serde; NULL = null */
	size_t count;
} weir_list;

/** As weir_serde.decode and encode, for lists whose entries `inner` reads and writes. Entries of weir_int16,
 * weir_int32, weir_int64, weir_float, weir_double and weir_uuid are written without lengths, as Java does with
 * these; a serde of one's own for such a type is another one. */
const void *weir_list_decode(weir_context *cx, weir_bytes bytes, const weir_serde *inner, weir_error *err);
weir_bytes weir_list_encode(weir_context *cx, const void *list, const weir_serde *inner);

/** Defines a static serde called `serde`; object: weir_list. */
#define WEIR_LIST_SERDE(serde, inner) \
	static const void *serde##_decode(weir_context *cx_, weir_bytes bytes_, weir_error *err_) \
	{ \
		return weir_list_decode(cx_, bytes_, &(inner), err_); \
	} \
	static weir_bytes serde##_encode(weir_context *cx_, const void *list_) \
	{ \
		return weir_list_encode(cx_, list_, &(inner)); \
	} \
	static const weir_serde serde = { #serde, serde##_decode, serde##_encode, 0, false, NULL, NULL }

#endif
