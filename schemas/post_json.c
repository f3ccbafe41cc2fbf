#include "schemas/post_json.h"

#include <jansson.h>

static bool member(const json_t *object, const char *name, weir_bytes *out, weir_error *err)
{
	const json_t *v = json_object_get(object, name);

	if (!json_is_string(v))
		return weir_fail(err, WEIR_DECODE, "post (JSON): %s is %s", name, v ? "not a string" : "missing");
	*out = weir_bytes_of(json_string_value(v), json_string_length(v));
	return true;
}

static bool read_members(const json_t *object, struct post *out, weir_error *err)
{
	const json_t *retweet = json_object_get(object, "is_retweet");
	weir_bytes created = WEIR_NULL;

	if (!json_is_object(object))
		return weir_fail(err, WEIR_DECODE, "post (JSON): not an object");
	if (!member(object, "id", &out->id, err) || !member(object, "author_id", &out->author_id, err) ||
	    !member(object, "created_at", &created, err) || !member(object, "place", &out->place, err))
		return false;
	if (!json_is_boolean(retweet))
		return weir_fail(err, WEIR_DECODE, "post (JSON): is_retweet is %s",
				 retweet ? "not true or false" : "missing");
	out->is_retweet = json_is_true(retweet);
	if (!time_parse_rfc3339(created, &out->created_at_ms))
		return weir_fail(err, WEIR_DECODE, "post (JSON): created_at is no RFC 3339 time: \"%.40s\"",
				 (const char *)created.data);
	return true;
}

/* Moves the three strings out of the JSON tree. */
static void keep(struct post *post, void *(*alloc)(void *user, size_t n), void *user)
{
	weir_bytes *strings[] = { &post->id, &post->author_id, &post->place };
	char *to = alloc(user, post->id.len + post->author_id.len + post->place.len + 1);

	for (int i = 0; i < 3; i++) {
		memcpy(to, strings[i]->data, strings[i]->len);
		strings[i]->data = to;
		to += strings[i]->len;
	}
}

bool post_json_decode(weir_bytes in, struct post *out, void *(*alloc)(void *user, size_t n), void *user,
		      weir_error *err)
{
	/* Whole numbers as doubles: one that no 64 bits hold may stand under a key that is of no interest here. */
	const size_t flags = JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL;
	json_error_t wrong;
	json_t *object = json_loadb(in.data, in.len, flags, &wrong);

	if (!object)
		return weir_fail(err, WEIR_DECODE, "post (JSON): %s (byte %d)", wrong.text, wrong.position);
	bool done = read_members(object, out, err);
	if (done)
		keep(out, alloc, user);
	json_decref(object);
	return done;
}
