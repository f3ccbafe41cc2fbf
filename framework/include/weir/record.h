#ifndef WEIR_RECORD_H
#define WEIR_RECORD_H
/*
 * A record on its way through the topology. Callbacks get it const and borrowed; what they pass on is a copy with
 * other fields.
 */
#include <weir/kafka.h>
#include <weir/serde.h>

typedef struct weir_record {
	weir_bytes key; /* encoded; null is a valid key */
	int64_t timestamp_ms;
	/* Of windowed streams; both 0 = no window, unless it is a session. */
	int64_t window_start_ms, window_end_ms;
	bool session; /* the window is a session: its end belongs to it */

	/* The value, in one or both forms: use the functions below. */
	weir_bytes encoded;
	const void *object;
	const weir_serde *serde; /* of object; NULL = bytes alone */
	bool has_encoded;
	/* Tables: the value before this change, in one of both forms. */
	weir_bytes old_encoded;
	const void *old_object;
	bool has_old;
	bool superseded;             /* of a table of versions: the row has a newer one already */
	const weir_headers *headers; /* NULL = those of the record being processed */
	weir_context *cx;            /* of the task that it is in; never NULL */
} weir_record;

/** The decoded value; NULL if it is null. A stream without a serde gives a `const weir_bytes *`. Decoded once, on
 * first asking. */
const void *weir_value(const weir_record *record);
/** The encoded value, or null. Encoded once, on first asking. */
weir_bytes weir_value_bytes(const weir_record *record);
/** Its headers: those of the record that caused it unless set. Never NULL. */
const weir_headers *weir_record_headers(const weir_record *record);

/** Whether the value is null, without decoding it. */
static inline bool weir_value_is_null(const weir_record *r)
{
	return r->object == NULL && weir_is_null(r->encoded);
}

/* For records that a callback makes: start from a copy of the one it was given, or where there is none, as in
 * punctuators, from weir_record_begin. Keys and values come from weir_alloc, or last at least as long. */

/** Serde of the values that the running step passes on; NULL = bytes. */
const weir_serde *weir_step_serde(const weir_context *cx);

/** A record with that key and time and a null value, to be completed by weir_set_value; its headers are those of
 * the record being processed, none in punctuators. */
static inline weir_record weir_record_begin(weir_context *cx, weir_bytes key, int64_t timestamp_ms)
{
	return (weir_record){ .key = key, .timestamp_ms = timestamp_ms, .cx = cx };
}

/** Whether it belongs to a window. */
static inline bool weir_has_window(const weir_record *r)
{
	return r->window_end_ms != 0 || r->session;
}

/** Another key, encoded; takes the window away. */
static inline void weir_set_key(weir_record *r, weir_bytes key)
{
	r->key = key;
	r->window_start_ms = r->window_end_ms = 0;
	r->session = false;
}

/** An object of the serde that the step declares for its values (NULL = a null value); from weir_alloc or
 * longer-lived. */
static inline void weir_set_value(weir_record *r, const void *object)
{
	r->serde = r->cx ? weir_step_serde(r->cx) : r->serde;
	r->object = object;
	r->encoded = WEIR_NULL;
	r->has_encoded = object == NULL;
}

/** Encoded bytes, as the step's serde for values would read them. */
static inline void weir_set_value_bytes(weir_record *r, weir_bytes bytes)
{
	r->serde = r->cx ? weir_step_serde(r->cx) : r->serde;
	r->object = NULL;
	r->encoded = bytes;
	r->has_encoded = true;
}

#endif
