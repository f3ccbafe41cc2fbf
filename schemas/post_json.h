#ifndef SCHEMAS_POST_JSON_H
#define SCHEMAS_POST_JSON_H
#include "schemas/post.h"

/** The original pipeline's form; as post_decode, but strings are always copied into alloc's memory, and nothing but
 *  types is checked. */
bool post_json_decode(weir_bytes in, struct post *out, void *(*alloc)(void *user, size_t n), void *user,
		      weir_error *err);

#endif
