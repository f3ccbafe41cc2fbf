#include "apps/evilnet/x_rules.h"

#include <jansson.h>

#include "apps/evilnet/util.h"

struct x_rules {
	json_t *wanted;  /* values */
	json_t *present; /* objects with id and value */
};

static const char *trimmed(const char *text, size_t *n)
{
	while (*n && (*text == ' ' || *text == '\t'))
		text++, --*n;
	while (*n && (text[*n - 1] == ' ' || text[*n - 1] == '\t'))
		--*n;
	return text;
}

struct x_rules *x_rules_new(const char *wanted, weir_error *err)
{
	struct x_rules *r = evilnet_new(sizeof *r);

	r->wanted = json_array();
	r->present = json_array();
	for (const char *p = wanted ? wanted : ""; *p; p += *p == ';') {
		size_t span = strcspn(p, ";"), n = span;
		const char *rule = trimmed(p, &n);

		if (n && json_array_append_new(r->wanted, json_stringn(rule, n)) != 0) {
			weir_fail(err, WEIR_CONFIG, "evilnet.rules: not valid UTF-8: \"%.*s\"", (int)n, rule);
			x_rules_free(r);
			return NULL;
		}
		p += span;
	}
	if (json_array_size(r->wanted))
		return r;
	weir_fail(err, WEIR_CONFIG, "evilnet.rules: there is no rule in \"%s\"", wanted ? wanted : "");
	x_rules_free(r);
	return NULL;
}

void x_rules_free(struct x_rules *r)
{
	if (!r)
		return;
	json_decref(r->wanted);
	json_decref(r->present);
	free(r);
}

bool x_rules_take_present(struct x_rules *r, weir_bytes answer, char **next, weir_error *err)
{
	json_error_t wrong;
	json_t *tree = json_loadb(answer.data, answer.len, 0, &wrong);

	*next = NULL;
	if (!json_is_object(tree)) {
		weir_fail(err, WEIR_DECODE, "X's list of rules cannot be read: %s",
			  tree ? "no object" : wrong.text);
		json_decref(tree);
		return false;
	}
	json_array_extend(r->present, json_object_get(tree, "data")); /* no data: no rules */
	*next = evilnet_strdup(json_string_value(json_object_get(json_object_get(tree, "meta"), "next_token")));
	json_decref(tree);
	return true;
}

/* Is one of the array's items `value`, or an object with that value? */
static bool contains(const json_t *array, const json_t *value)
{
	size_t i;
	json_t *item;

	json_array_foreach(array, i,
			   item) if (json_equal(json_is_object(item) ? json_object_get(item, "value") : item,
						value)) return true;
	return false;
}

static char *dump(json_t *body)
{
	char *text = json_dumps(body, JSON_COMPACT);

	json_decref(body);
	weir_assert(text);
	return text;
}

char *x_rules_delete_body(const struct x_rules *r)
{
	json_t *ids = json_array();
	size_t i;
	json_t *rule;

	json_array_foreach(r->present, i, rule) if (json_object_get(rule, "id") &&
						    !contains(r->wanted, json_object_get(rule, "value")))
		json_array_append(ids, json_object_get(rule, "id"));
	if (json_array_size(ids))
		return dump(json_pack("{s:{s:o}}", "delete", "ids", ids));
	json_decref(ids);
	return NULL;
}

char *x_rules_add_body(const struct x_rules *r)
{
	json_t *add = json_array();
	size_t i;
	json_t *value;

	json_array_foreach(r->wanted, i, value) if (!contains(r->present, value) && !contains(add, value))
		json_array_append_new(add, json_pack("{s:O}", "value", value));
	if (json_array_size(add))
		return dump(json_pack("{s:o}", "add", add));
	json_decref(add);
	return NULL;
}

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

bool x_rules_check_added(weir_bytes answer, weir_error *err)
{
	json_t *tree = json_loadb(answer.data, answer.len, 0, NULL), *error;
	bool taken = true;
	size_t i;

	json_array_foreach(json_object_get(tree, "errors"), i, error)
	{
		if (strcmp(text_of(error, "title"), "DuplicateRule") == 0)
			continue;
		const char *detail = json_string_value(json_array_get(json_object_get(error, "details"), 0));
		taken = weir_fail(err, WEIR_CONFIG, "X does not take the rule \"%s\": %s %s",
				  text_of(error, "value"), text_of(error, "title"),
				  detail ? detail : text_of(error, "detail"));
		break;
	}
	json_decref(tree);
	return taken;
}
