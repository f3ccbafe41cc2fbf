#include <ctype.h>
#include <errno.h>

#include "tests/conformance/conformance.h"

const char *shown(const char *s)
{
	return s ? s : "~";
}

const char *format(weir_context *cx, const char *how, ...)
{
	va_list args, again;

	va_start(args, how);
	va_copy(again, args);
	size_t n = (size_t)vsnprintf(NULL, 0, how, args) + 1;
	char *to = weir_alloc(cx, n);

	vsnprintf(to, n, how, again);
	va_end(again);
	va_end(args);
	return to;
}

/* Where that is in the value, the step fails. */
static bool fails(weir_context *cx, const char *v, const char *a)
{
	if (!v || !strstr(v, a))
		return false;
	weir_step_fail(cx, "no %s", a);
	return true;
}

/* --- predicates ----------------------------------------------------------------------------------------------- */

static bool test_always(const char *k, const char *v, const char *a)
{
	(void)k, (void)v, (void)a;
	return true;
}

static bool test_never(const char *k, const char *v, const char *a)
{
	(void)k, (void)v, (void)a;
	return false;
}

static bool test_odd(const char *k, const char *v, const char *a)
{
	(void)k, (void)a;
	return v && *v && v[strlen(v) - 1] % 2 == 1;
}

static bool test_has(const char *k, const char *v, const char *a)
{
	(void)k;
	return v && strstr(v, a);
}

static bool test_null(const char *k, const char *v, const char *a)
{
	(void)k, (void)a;
	return !v;
}

static bool test_key(const char *k, const char *v, const char *a)
{
	(void)v;
	return k && strcmp(k, a) == 0;
}

static bool test_longer(const char *k, const char *v, const char *a)
{
	(void)k;
	return v && strlen(v) > (size_t)atoi(a);
}

/* --- mappers -------------------------------------------------------------------------------------------------- */

#define MAPPER(name, result) \
	static const char *map_##name(weir_context *cx, const char *k, const char *v, const char *a) \
	{ \
		(void)cx, (void)k, (void)v, (void)a; \
		return result; \
	}

MAPPER(same, v)
MAPPER(key, k)
MAPPER(null, NULL)
MAPPER(fixed, a)
MAPPER(wrap, v ? format(cx, "(%s)", v) : NULL)
MAPPER(both, format(cx, "%s:%s", shown(k), shown(v)))
MAPPER(first, v &&*v ? format(cx, "%c", *v) : NULL)
MAPPER(last, v &&*v ? v + strlen(v) - 1 : NULL)
MAPPER(length, v ? format(cx, "%zu", strlen(v)) : NULL)
MAPPER(drop, v && !strstr(v, a) ? v : NULL)
MAPPER(fail, fails(cx, v, a) ? k : v)

/* --- of three ------------------------------------------------------------------------------------------------- */

static bool all_digits(const char *s)
{
	if (*s == '-' && s[1])
		s++;
	if (!*s)
		return false;
	for (; *s; s++)
		if (!isdigit((unsigned char)*s))
			return false;
	return true;
}

/* Its number, or its length. */
static long long number(const char *s)
{
	errno = 0;
	long long n = s && all_digits(s) ? strtoll(s, NULL, 10) : 0;

	return !s ? 0 : all_digits(s) && !errno ? n : (long long)strlen(s);
}

static bool either_has(weir_context *cx, const char *l, const char *r, const char *a)
{
	return strstr(format(cx, "%s%s", shown(l), shown(r)), a);
}

#define THREE(name, x, y, result) \
	static const char *name(weir_context *cx, const char *k, const char *x, const char *y, const char *a) \
	{ \
		(void)cx, (void)k, (void)x, (void)y, (void)a; \
		return result; \
	}

THREE(join_both, l, r, format(cx, "%s+%s", shown(l), shown(r)))
THREE(join_keyed, l, r, format(cx, "%s:%s+%s", shown(k), shown(l), shown(r)))
THREE(join_left, l, r, l)
THREE(join_right, l, r, r)
THREE(join_drop, l, r, either_has(cx, l, r, a) ? NULL : join_both(cx, k, l, r, a))
THREE(join_fail, l, r, fails(cx, l, a) || fails(cx, r, a) ? k : join_both(cx, k, l, r, a))

THREE(fold_list, v, old, format(cx, "%s%s%s", old ? old : "", old ? "," : "", v ? v : "?"))
THREE(fold_list_until, v, old, v &&strcmp(v, a) == 0 ? NULL : fold_list(cx, k, v, old, a))
THREE(fold_keyed, v, old, format(cx, "%s%s", old ? old : k, shown(v)))
THREE(fold_sum, v, old, format(cx, "%lld", number(old) + number(v)))
THREE(fold_minus, v, old, format(cx, "%lld", number(old) - number(v)))
THREE(fold_minus_gone, v, old, number(old) == number(v) ? NULL : fold_minus(cx, k, v, old, a))
THREE(fold_max, v, old, !old || strcmp(shown(v), old) > 0 ? shown(v) : old)
THREE(fold_last, v, old, v)
THREE(fold_fail, v, old, fails(cx, v, a) ? k : fold_list(cx, k, v, old, a))
THREE(fold_unlist_fail, v, old, fails(cx, v, a) ? k : format(cx, "%s-%s", shown(old), shown(v)))
THREE(fold_unlist, v, old, format(cx, "%s-%s", shown(old), shown(v)))

THREE(reduce_minus, x, y, format(cx, "%s-%s", shown(x), shown(y)))
THREE(reduce_sum, x, y, format(cx, "%lld", number(x) + number(y)))
THREE(reduce_fail, x, y, fails(cx, y, a) ? x : join_both(cx, k, x, y, a))
THREE(reduce_max, x, y, strcmp(shown(y), shown(x)) > 0 ? y : x)

/* --- one to many ---------------------------------------------------------------------------------------------- */

typedef void each_fn(weir_context *cx, const char *one, void *to);

static void many_letters(weir_context *cx, const char *value, each_fn *each, void *to)
{
	for (const char *s = value; s && *s; s++)
		each(cx, format(cx, "%c", *s), to);
}

static void many_twice(weir_context *cx, const char *value, each_fn *each, void *to)
{
	if (!value)
		return;
	each(cx, value, to);
	each(cx, format(cx, "%s'", value), to);
}

/* --- their names ---------------------------------------------------------------------------------------------- */

static const struct {
	const char *kind, *name;
	struct bound bound;
} functions[] = {
	{ "predicate", "always", { .test = test_always } },
	{ "predicate", "never", { .test = test_never } },
	{ "predicate", "odd", { .test = test_odd } },
	{ "predicate", "has", { .test = test_has } },
	{ "predicate", "null", { .test = test_null } },
	{ "predicate", "key", { .test = test_key } },
	{ "predicate", "longer", { .test = test_longer } },
	{ "predicate", "fail", { .test = test_always, .fails = true } },
	{ "mapper", "fail", { .map = map_fail } },
	{ "joiner", "fail", { .three = join_fail } },
	{ "folder", "fail", { .three = fold_fail } },
	{ "folder", "unlist-fail", { .three = fold_unlist_fail } },
	{ "reducer", "fail", { .three = reduce_fail } },
	{ "mapper", "same", { .map = map_same } },
	{ "mapper", "key", { .map = map_key } },
	{ "mapper", "null", { .map = map_null } },
	{ "mapper", "fixed", { .map = map_fixed } },
	{ "mapper", "wrap", { .map = map_wrap } },
	{ "mapper", "both", { .map = map_both } },
	{ "mapper", "first", { .map = map_first } },
	{ "mapper", "last", { .map = map_last } },
	{ "mapper", "length", { .map = map_length } },
	{ "mapper", "drop", { .map = map_drop } },
	{ "joiner", "both", { .three = join_both } },
	{ "joiner", "keyed", { .three = join_keyed } },
	{ "joiner", "left", { .three = join_left } },
	{ "joiner", "right", { .three = join_right } },
	{ "joiner", "drop", { .three = join_drop } },
	{ "folder", "list", { .three = fold_list } },
	{ "folder", "list-until", { .three = fold_list_until } },
	{ "folder", "keyed", { .three = fold_keyed } },
	{ "folder", "sum", { .three = fold_sum } },
	{ "folder", "minus", { .three = fold_minus } },
	{ "folder", "minus-gone", { .three = fold_minus_gone } },
	{ "folder", "max", { .three = fold_max } },
	{ "folder", "last", { .three = fold_last } },
	{ "folder", "unlist", { .three = fold_unlist } },
	{ "reducer", "plus", { .three = join_both } },
	{ "reducer", "minus", { .three = reduce_minus } },
	{ "reducer", "sum", { .three = reduce_sum } },
	{ "reducer", "last", { .three = join_right } },
	{ "reducer", "max", { .three = reduce_max } },
	{ "reducer", "drop", { .three = join_drop } },
	{ "many", "letters", { .many = many_letters } },
	{ "many", "twice", { .many = many_twice } },
};

bool tested(weir_context *cx, const weir_record *r, void *bound)
{
	const struct bound *b = bound;

	if (b->fails && fails(cx, value_text(r), b->argument))
		return false;
	return b->test(key_text(r), value_text(r), b->argument);
}

struct bound *bind(struct graph *g, const char *kind, const char *name)
{
	size_t word = name ? strcspn(name, ":") : 0, found = LENGTH(functions);

	for (size_t i = 0; name && i < LENGTH(functions); i++) {
		bool is = strcmp(functions[i].kind, kind) == 0 && strlen(functions[i].name) == word &&
			  strncmp(functions[i].name, name, word) == 0;

		cover(is, "%s %s", functions[i].kind, functions[i].name);
		if (is)
			found = i;
	}
	if (found == LENGTH(functions))
		fatal("no %s \"%s\"", kind, name ? name : "");
	struct bound *b = weir__arena_alloc(&g->arena, sizeof *b);

	*b = functions[found].bound;
	b->argument = weir__arena_strdup(&g->arena, name[word] ? name + word + 1 : "");
	return b;
}
