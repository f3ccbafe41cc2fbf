#include "schemas/post.h"

#include "schemas/msgpack_read.h"
#include "schemas/msgpack_write.h"
#include "schemas/post_json.h"

enum { ID = 1, AUTHOR = 2, CREATED = 4, RETWEET = 8, PLACE = 16, ALL = 31 };

static bool is(weir_bytes key, const char *name)
{
	return memcmp(key.data, name, key.len) == 0;
}

static int field_of(weir_bytes key)
{
	switch (key.len) {
	case 2:
		return is(key, "id") ? ID : 0;
	case 5:
		return is(key, "place") ? PLACE : 0;
	case 9:
		return is(key, "author_id") ? AUTHOR : 0;
	case 10:
		return is(key, "created_at") ? CREATED : is(key, "is_retweet") ? RETWEET : 0;
	default:
		return 0;
	}
}

/* Of several fields the first. */
static const char *field_name(int fields)
{
	static const char *const names[] = { "id", "author_id", "created_at", "is_retweet", "place" };

	return names[__builtin_ctz((unsigned)fields)];
}

static bool read_field(struct msgpack_reader *r, int field, struct post *out)
{
	switch (field) {
	case ID:
		return msgpack_read_str(r, &out->id);
	case AUTHOR:
		return msgpack_read_str(r, &out->author_id);
	case CREATED:
		return msgpack_read_int(r, &out->created_at_ms);
	case RETWEET:
		return msgpack_read_bool(r, &out->is_retweet);
	case PLACE:
		return msgpack_read_str(r, &out->place);
	default:
		return msgpack_skip(r);
	}
}

static bool read_map(weir_bytes in, struct post *out, weir_error *err)
{
	const uint8_t *data = in.data;
	struct msgpack_reader r = { data, data + in.len };
	uint32_t pairs;
	int seen = 0;

	if (!msgpack_read_map(&r, &pairs))
		return weir_fail(err, WEIR_DECODE, "post: neither a msgpack map nor JSON (%zu bytes)", in.len);
	for (; pairs > 0; pairs--) {
		weir_bytes key;
		int field = 0;

		if (msgpack_read_str(&r, &key))
			field = field_of(key);
		else if (!msgpack_skip(&r))
			return weir_fail(err, WEIR_DECODE, "post: broken msgpack at byte %td of %zu", r.p - data,
					 in.len);
		if (seen & field)
			return weir_fail(err, WEIR_DECODE, "post: %s stands there twice", field_name(field));
		if (!read_field(&r, field, out))
			return weir_fail(err, WEIR_DECODE, "post: %s has another type or is cut at byte %td of %zu",
					 field ? field_name(field) : "an unknown key", r.p - data, in.len);
		seen |= field;
	}
	if (seen != ALL)
		return weir_fail(err, WEIR_DECODE, "post: %s is missing", field_name(ALL & ~seen));
	if (r.p != r.end)
		return weir_fail(err, WEIR_DECODE, "post: %td bytes behind its end", r.end - r.p);
	return true;
}

static bool check_text(weir_bytes text, const char *name, size_t chars_max, weir_error *err)
{
	size_t chars = utf8_length(text);

	if (!text.len)
		return weir_fail(err, WEIR_DECODE, "post: %s is empty", name);
	if (chars == SIZE_MAX)
		return weir_fail(err, WEIR_DECODE, "post: %s is not valid UTF-8", name);
	if (memchr(text.data, 0, text.len))
		return weir_fail(err, WEIR_DECODE, "post: %s has a NUL in it", name);
	if (chars > chars_max)
		return weir_fail(err, WEIR_DECODE, "post: %s has %zu characters, %zu are the most", name, chars,
				 chars_max);
	return true;
}

bool post_check(const struct post *post, weir_error *err)
{
	if (post->created_at_ms < 0)
		return weir_fail(err, WEIR_DECODE, "post: created_at lies before 1970");
	return check_text(post->id, "id", POST_ID_CHARS_MAX, err) &&
	       check_text(post->author_id, "author_id", POST_ID_CHARS_MAX, err) &&
	       check_text(post->place, "place", POST_PLACE_CHARS_MAX, err);
}

bool post_decode(weir_bytes in, struct post *out, void *(*alloc)(void *user, size_t n), void *user, weir_error *err)
{
	const unsigned char *first = in.data;

	/* None of these four begins a msgpack map. */
	if (in.len && (*first == '{' || *first == ' ' || *first == '\n' || *first == '\r' || *first == '\t')) {
		if (!post_json_decode(in, out, alloc, user, err))
			return false;
	} else if (!read_map(in, out, err)) {
		return false;
	}
	return post_check(out, err);
}

size_t post_encode(const struct post *post, void *buf, size_t size)
{
	struct msgpack_room room = { buf, size };
	msgpack_packer pk;

	msgpack_packer_init(&pk, &room, msgpack_room_write);
	bool fits = !msgpack_pack_map(&pk, 5) && msgpack_put_name(&pk, "id") && msgpack_put_str(&pk, post->id) &&
		    msgpack_put_name(&pk, "author_id") && msgpack_put_str(&pk, post->author_id) &&
		    msgpack_put_name(&pk, "created_at") && !msgpack_pack_int64(&pk, post->created_at_ms) &&
		    msgpack_put_name(&pk, "is_retweet") &&
		    !(post->is_retweet ? msgpack_pack_true(&pk) : msgpack_pack_false(&pk)) &&
		    msgpack_put_name(&pk, "place") && msgpack_put_str(&pk, post->place);
	return fits ? size - room.left : 0;
}
