#ifndef EVILNET_X_OBJECT_H
#define EVILNET_X_OBJECT_H
/* One object of the X API's filtered stream, as JSON text, to a post. */
#include "schemas/post.h"

enum x_kind {
	X_POST,
	X_NO_PLACE,   /* not a post from a known place */
	X_NOT_CITY,   /* its place is a country, a region, a neighbourhood, ... */
	X_UNREADABLE, /* see the error */
};

/* Which references make a post a retweet. */
struct x_retweet_types {
	bool any; /* whatever they are; else the named ones */
	bool retweeted, quoted, replied_to;
};

/** "retweeted,quoted,replied_to", or some of them; all three mean any. False and *err (WEIR_CONFIG): an unknown
 *  word. */
bool x_retweet_types_parse(const char *text, struct x_retweet_types *types, weir_error *err);

struct x_object {
	enum x_kind kind;
	struct post post;      /* of an X_POST; views into `tree` */
	int64_t created_at_ms; /* -1 = not known; also of what is unreadable for another reason */
	void *tree;
};

/** Reads one object. *err is filled in when it is X_UNREADABLE. Release the object in any case. */
enum x_kind x_object_read(weir_bytes json, const struct x_retweet_types *types, struct x_object *out,
			  weir_error *err);
void x_object_release(struct x_object *object);

#endif
