#ifndef WEB_TEXT_H
#define WEB_TEXT_H
/*
 * Text that grows, and the three ways in which a city's name may leave the program: as HTML, as part of an
 * address, as UTF-8 that JSON can take. Out of memory ends the process.
 */
#include <weir/bytes.h>
#include <stdbool.h>

struct web_text {
	char *data; /* NUL-terminated once something was added; NULL before */
	size_t len, size;
};

void web_text_add(struct web_text *t, const void *data, size_t len);
void web_text_puts(struct web_text *t, const char *s);
void web_text_format(struct web_text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Frees the text and empties it for another use. */
void web_text_release(struct web_text *t);

/** Adds `raw` so that it is text, and nothing else, in an HTML element or a quoted attribute; what is not
 *  UTF-8 becomes U+FFFD. */
void web_text_html(struct web_text *t, weir_bytes raw);
/** Adds `raw` percent-encoded: one segment of a path, or a value in a query. */
void web_text_url(struct web_text *t, weir_bytes raw);
/** Adds `raw`, each byte that is not part of valid UTF-8 replaced by U+FFFD. */
void web_text_utf8(struct web_text *t, weir_bytes raw);

/** Percent-decodes `raw` onto t; '+' is a space if plus_is_space. False when an escape is broken or gives a NUL. */
bool web_url_decode(struct web_text *t, weir_bytes raw, bool plus_is_space);

void *web_alloc(size_t n);
void *web_realloc(void *p, size_t n);
void *web_memdup(const void *data, size_t len); /* NUL added */

#endif
