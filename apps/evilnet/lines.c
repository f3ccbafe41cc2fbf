#include "apps/evilnet/lines.h"

#include "apps/evilnet/util.h"

void lines_release(struct lines *l)
{
	free(l->buf);
	free(l->head);
	*l = (struct lines){ 0 };
}

void lines_push(struct lines *l, const void *data, size_t n)
{
	if (!n)
		return;
	if (l->begin) {
		memmove(l->buf, l->buf + l->begin, l->end - l->begin);
		l->scanned -= l->begin;
		l->end -= l->begin;
		l->begin = 0;
	}
	if (n > l->size - l->end) {
		l->size = (l->end + n) * 2;
		l->buf = evilnet_realloc(l->buf, l->size);
	}
	memcpy(l->buf + l->end, data, n);
	l->end += n;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The bytes before `stop` as a line, with what has been skipped in front of them; false: it is blank. */
static bool take(struct lines *l, size_t stop, struct line *out)
{
	size_t n = stop - l->begin;
	const char *text = l->buf + l->begin;

	if (l->head) {
		*out = (struct line){ weir_bytes_of(l->head, LINE_HEAD_BYTES), l->skipped + n };
		return true;
	}
	while (n && blank(text[n - 1]))
		n--;
	while (n && blank(*text))
		text++, n--;
	*out = (struct line){ weir_bytes_of(text, n > LINE_BYTES_MAX ? LINE_HEAD_BYTES : n), n };
	return n > 0;
}

/* Nothing but the head stays of a line that has grown too long; it lives until its end has been seen and
 * handed out. */
static void skip(struct lines *l)
{
	if (!l->head) {
		l->head = evilnet_malloc(LINE_HEAD_BYTES);
		memcpy(l->head, l->buf + l->begin, LINE_HEAD_BYTES);
		l->skipped = 0;
	}
	l->skipped += l->end - l->begin;
	l->begin = l->scanned = l->end = 0;
}

static void forget_head(struct lines *l)
{
	free(l->head);
	l->head = NULL;
}

bool lines_next(struct lines *l, struct line *out)
{
	if (l->head && !l->skipped) /* handed out by the last call */
		forget_head(l);
	for (;;) {
		char *feed = l->end > l->scanned ? memchr(l->buf + l->scanned, '\n', l->end - l->scanned) : NULL;

		if (!feed) {
			l->scanned = l->end;
			if (l->end - l->begin > LINE_BYTES_MAX || (l->head && l->end > l->begin))
				skip(l);
			return false;
		}
		bool found = take(l, (size_t)(feed - l->buf), out);
		l->begin = l->scanned = (size_t)(feed - l->buf) + 1;
		l->skipped = 0;
		if (found)
			return true;
	}
}

bool lines_rest(struct lines *l, struct line *out)
{
	if (l->head && !l->skipped)
		forget_head(l);
	bool found = (l->head || l->end > l->begin) && take(l, l->end, out);
	l->begin = l->scanned = l->end = l->skipped = 0;
	return found;
}
