#include "tests/conformance/conformance.h"

void fatal(const char *how, ...)
{
	va_list args;

	va_start(args, how);
	fputs("conformance: ", stderr);
	vfprintf(stderr, how, args);
	fputc('\n', stderr);
	va_end(args);
	exit(2);
}

static void make_room(struct text *t, size_t more)
{
	if (t->len + more + 1 <= t->room)
		return;
	while (t->room < t->len + more + 1)
		t->room = t->room ? 2 * t->room : 4096;
	t->s = weir__realloc(t->s, t->room);
}

void text_add(struct text *t, const char *how, ...)
{
	va_list args, again;

	va_start(args, how);
	va_copy(again, args);
	int n = vsnprintf(NULL, 0, how, args);

	make_room(t, (size_t)n);
	vsnprintf(t->s + t->len, (size_t)n + 1, how, again);
	t->len += (size_t)n;
	va_end(again);
	va_end(args);
}

void text_add_bytes(struct text *t, weir_bytes b)
{
	const unsigned char *s = b.data;

	if (weir_is_null(b)) {
		text_add(t, "~");
		return;
	}
	if (b.len == 0)
		text_add(t, "\"\"");
	for (size_t i = 0; i < b.len; i++)
		if (s[i] > ' ' && s[i] < 127 && s[i] != '%' && s[i] != '~' && s[i] != '"')
			text_add(t, "%c", s[i]);
		else
			text_add(t, "%%%02x", s[i]);
}

weir_bytes bytes_of_text(struct arena *a, const char *text)
{
	if (strcmp(text, "~") == 0)
		return WEIR_NULL;
	char *to = weir__arena_alloc(a, strlen(text) + 1);
	size_t n = 0;

	if (strcmp(text, "\"\"") == 0)
		return weir_bytes_of(to, 0);
	for (const char *s = text; *s; s++) {
		unsigned byte = (unsigned char)*s;

		if (*s == '%' && sscanf(s + 1, "%2x", &byte) == 1)
			s += 2;
		to[n++] = (char)byte;
	}
	return weir_bytes_of(to, n);
}

void text_release(struct text *t)
{
	free(t->s);
	*t = (struct text){ 0 };
}

char *next_line(char **at)
{
	char *line = *at;

	if (!line || !*line)
		return NULL;
	char *end = strchr(line, '\n');

	if (end)
		*end = 0;
	*at = end ? end + 1 : NULL;
	return line;
}

size_t split(char *line, char **words, size_t max)
{
	size_t n = 0;
	char *save = NULL;

	for (char *w = strtok_r(line, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) {
		if (n == max)
			fatal("more than %zu words in a line", max);
		words[n++] = w;
	}
	return n;
}
