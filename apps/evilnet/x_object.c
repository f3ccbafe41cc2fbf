#include "apps/evilnet/x_object.h"

#include <jansson.h>
#include <string.h>

static bool is_word(const char *text, size_t n, const char *word)
{
	return strlen(word) == n && memcmp(text, word, n) == 0;
}

bool x_retweet_types_parse(const char *text, struct x_retweet_types *types, weir_error *err)
{
	*types = (struct x_retweet_types){ 0 };
	for (const char *p = text; *p; p += *p == ',') {
		p += strspn(p, " \t");
		size_t n = strcspn(p, ", \t");

		if (is_word(p, n, "retweeted"))
			types->retweeted = true;
		else if (is_word(p, n, "quoted"))
			types->quoted = true;
		else if (is_word(p, n, "replied_to"))
			types->replied_to = true;
		else
			return weir_fail(
				err, WEIR_CONFIG,
				"evilnet.retweet.types: retweeted, quoted and replied_to are known, got \"%.*s\"",
				(int)n, p);
		p += n + strspn(p + n, " \t");
		if (*p && *p != ',')
			return weir_fail(err, WEIR_CONFIG, "evilnet.retweet.types: commas are wanted in \"%s\"",
					 text);
	}
	types->any = types->retweeted && types->quoted && types->replied_to;
	return true;
}

static weir_bytes text_of(const json_t *v)
{
	return json_is_string(v) ? weir_bytes_of(json_string_value(v), json_string_length(v)) : WEIR_NULL;
}

static bool equals(const json_t *v, const char *text)
{
	return json_is_string(v) && weir_bytes_equal(text_of(v), weir_str(text));
}

static bool counts_as_retweet(const json_t *references, const struct x_retweet_types *types)
{
	size_t i;
	json_t *reference;

	if (types->any)
		return json_array_size(references) > 0;
	json_array_foreach(references, i, reference)
	{
		const json_t *type = json_object_get(reference, "type");

		if ((types->retweeted && equals(type, "retweeted")) || (types->quoted && equals(type, "quoted")) ||
		    (types->replied_to && equals(type, "replied_to")))
			return true;
	}
	return false;
}

/* The place that data.geo.place_id names, else the first. */
static const json_t *place_of(const json_t *tree, const json_t *data)
{
	const json_t *places = json_object_get(json_object_get(tree, "includes"), "places");
	const json_t *id = json_object_get(json_object_get(data, "geo"), "place_id");
	size_t i;
	json_t *place;

	json_array_foreach(places, i, place) if (json_is_string(id) &&
						 json_equal(json_object_get(place, "id"), id)) return place;
	return json_array_get(places, 0);
}

static enum x_kind unreadable(weir_error *err, const char *what)
{
	weir_fail(err, WEIR_DECODE, "%s", what);
	return X_UNREADABLE;
}

/* X reports its own trouble inside the stream, as an object with errors instead of data. */
static enum x_kind without_data(const json_t *tree, weir_error *err)
{
	const json_t *error = json_array_get(json_object_get(tree, "errors"), 0);
	const json_t *title = json_object_get(error, "title"), *detail = json_object_get(error, "detail");

	if (!error)
		return unreadable(err, json_is_object(tree) ? "no data in it" : "not an object");
	weir_fail(err, WEIR_DECODE, "an error of the API instead of a post: %s: %s",
		  json_is_string(title) ? json_string_value(title) : "untitled",
		  json_is_string(detail) ? json_string_value(detail) : "no detail");
	return X_UNREADABLE;
}

static enum x_kind read_post(const json_t *tree, const struct x_retweet_types *types, struct x_object *out,
			     weir_error *err)
{
	const json_t *data = json_object_get(tree, "data");
	const json_t *created = json_object_get(data, "created_at");
	struct post *post = &out->post;

	if (!json_is_object(data))
		return without_data(tree, err);
	if (!time_parse_rfc3339(text_of(created), &post->created_at_ms))
		post->created_at_ms = -1;
	out->created_at_ms = post->created_at_ms;
	post->id = text_of(json_object_get(data, "id"));
	if (!post->id.len)
		return unreadable(err, "no id");

	const json_t *place = place_of(tree, data);
	if (!place)
		return X_NO_PLACE;
	if (!equals(json_object_get(place, "place_type"), "city"))
		return X_NOT_CITY;
	post->place = text_of(json_object_get(place, "full_name"));
	post->author_id = text_of(json_object_get(data, "author_id"));
	post->is_retweet = counts_as_retweet(json_object_get(data, "referenced_tweets"), types);
	if (post->created_at_ms < 0)
		return unreadable(err, !created ? "no created_at" : "created_at is no RFC 3339 time from 1970 on");
	return post_check(post, err) ? X_POST : X_UNREADABLE;
}

enum x_kind x_object_read(weir_bytes json, const struct x_retweet_types *types, struct x_object *out,
			  weir_error *err)
{
	/* A NUL in the text of a post is none of our business; whole numbers beyond 64 bits neither. */
	const size_t flags = JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL;
	json_error_t wrong;

	*out = (struct x_object){ .kind = X_UNREADABLE, .created_at_ms = -1 };
	out->tree = json_loadb(json.data, json.len, flags, &wrong);
	if (!out->tree)
		weir_fail(err, WEIR_DECODE, "broken JSON at byte %d: %s", wrong.position, wrong.text);
	else
		out->kind = read_post(out->tree, types, out, err);
	return out->kind;
}

void x_object_release(struct x_object *object)
{
	json_decref(object->tree);
	object->tree = NULL;
}
