#ifndef EVILNET_LINES_H
#define EVILNET_LINES_H
/*
 * Cuts a stream of bytes, as it comes in chunks, into lines: ended by LF or CR LF, blank ones left out. A line
 * over the limit does not grow without bounds: its head is kept, its length counted.
 */
#include <weir/bytes.h>

#define LINE_BYTES_MAX ((size_t)1 << 20)    /* longer ones are too long to be used */
#define LINE_HEAD_BYTES ((size_t)256 << 10) /* so much of them is kept */

struct line {
	weir_bytes text; /* without its end */
	size_t length;   /* more than text.len: too long, text is its head */
};

struct lines {
	char *buf;
	size_t size, begin, scanned,
		end;    /* buf[begin..end) is not handed out yet, up to `scanned` there is no LF in it */
	char *head;     /* of the line that is too long and not ended yet, else NULL */
	size_t skipped; /* bytes of it so far */
};

/** All zero is a fresh one. */
void lines_release(struct lines *l);
/** Copies n bytes in; lines handed out before are not valid any more. */
void lines_push(struct lines *l, const void *data, size_t n);
/** The next whole line that is not blank; false: there is none yet. Valid until the next call for these lines. */
bool lines_next(struct lines *l, struct line *out);
/** The stream has ended: what stands behind the last LF, unless blank. Everything is forgotten. */
bool lines_rest(struct lines *l, struct line *out);

#endif
