#include "web/text.h"
#include <weir/error.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void *web_realloc(void *p, size_t n)
{
	p = realloc(p, n ? n : 1);
	if (!p) {
		fputs("evilnet: out of memory\n", stderr);
		abort();
	}
	return p;
}

void *web_alloc(size_t n)
{
	return memset(web_realloc(NULL, n), 0, n);
}

void *web_memdup(const void *data, size_t len)
{
	char *copy = web_alloc(len + 1);

	return len ? memcpy(copy, data, len) : copy;
}

static void reserve(struct web_text *t, size_t more)
{
	if (t->size - t->len > more)
		return;
	t->size = (t->len + more + 1) * 2;
	t->data = web_realloc(t->data, t->size);
}

void web_text_add(struct web_text *t, const void *data, size_t len)
{
	reserve(t, len);
	if (len)
		memcpy(t->data + t->len, data, len);
	t->len += len;
	t->data[t->len] = '\0';
}

void web_text_puts(struct web_text *t, const char *s)
{
	web_text_add(t, s, strlen(s));
}

void web_text_format(struct web_text *t, const char *format, ...)
{
	va_list args, again;

	va_start(args, format);
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, args);
	weir_assert(len >= 0);
	reserve(t, (size_t)len);
	vsnprintf(t->data + t->len, (size_t)len + 1, format, again);
	t->len += (size_t)len;
	va_end(again);
	va_end(args);
}

void web_text_release(struct web_text *t)
{
	free(t->data);
	*t = (struct web_text){ 0 };
}
