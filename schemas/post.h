#ifndef SCHEMAS_POST_H
#define SCHEMAS_POST_H
/*
 * A post as it stands in evilnet.posts: key = place (UTF-8), timestamp = created_at, value = a msgpack map with the
 * keys id, author_id, created_at (int, ms), is_retweet, place, in this order when written; read in any order,
 * unknown keys skipped. The JSON form of the original pipeline
 * ({"author_id","id","created_at":"...Z","is_retweet","place"}) is read as well.
 */
#include <weir/serde.h>

#define POST_PLACE_CHARS_MAX 190 /* characters, not bytes: the width of city_windows.place */
#define POST_ID_CHARS_MAX 1000   /* of id and author_id, which become keys of states; X has 20 */

struct post {
	weir_bytes id, author_id, place; /* UTF-8, not empty, without NUL */
	int64_t created_at_ms;           /* not before 1970: Kafka has no timestamps there */
	bool is_retweet;
};

/** Views into `in`, or, from the JSON form, into memory from alloc(user, n), which must not give NULL. False and
 *  *err (WEIR_DECODE, says what is wrong): not a post. Checks: all five there, once, of their types, nothing behind
 *  them, and post_check. */
bool post_decode(weir_bytes in, struct post *out, void *(*alloc)(void *user, size_t n), void *user,
		 weir_error *err);

/** What every post must keep, wherever it comes from: id, author and place not empty, valid UTF-8 without NUL,
 *  not longer than above, not before 1970. */
bool post_check(const struct post *post, weir_error *err);

/** Allocates nothing: writes the msgpack map into buf; returns its length, 0 if it does not fit in `size`. */
size_t post_encode(const struct post *post, void *buf, size_t size);
/** So many bytes are always enough for post_encode. */
static inline size_t post_encoded_max(const struct post *post)
{
	return post->id.len + post->author_id.len + post->place.len + 80;
}

/** object: struct post */
extern const weir_serde post_serde;

/** RFC 3339 ("2022-09-15T03:06:25.000Z", offsets, fractions of any length) to ms since the epoch. */
bool time_parse_rfc3339(weir_bytes text, int64_t *ms);
/** "2022-09-15T03:06:25Z" (with .123 if there are ms); buf of at least 32 bytes. */
void time_format_rfc3339(int64_t ms, char *buf, size_t size);
/** Number of characters in valid UTF-8; SIZE_MAX when it is not valid (overlong, surrogate, cut). */
size_t utf8_length(weir_bytes text);

#endif
