#include "web/text.h"

#define REPLACEMENT "\xEF\xBF\xBD" /* for what is no character */

/* Length of the character at p, 0 if it is not UTF-8 (RFC 3629: not overlong, no surrogate, at most U+10FFFF). */
static size_t utf8_char(const unsigned char *p, size_t len)
{
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : p[0] < 0xF5 ? 4 : 0;

	if (n == 0 || n > len)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) || (p[0] == 0xF0 && p[1] < 0x90) ||
	    (p[0] == 0xF4 && p[1] > 0x8F))
		return 0;
	return n;
}

static const char *entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	case '\0': /* no such character in HTML */
		return REPLACEMENT;
	default:
		return NULL;
	}
}

void web_text_html(struct web_text *t, weir_bytes raw)
{
	const char *p = raw.data;

	for (size_t i = 0; i < raw.len;) {
		const char *other = entity(p[i]);
		size_t n = utf8_char((const unsigned char *)p + i, raw.len - i);

		if (other || !n)
			web_text_puts(t, other ? other : REPLACEMENT);
		else
			web_text_add(t, p + i, n);
		i += n ? n : 1;
	}
}

static bool is_unreserved(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
	       c == '_' || c == '~';
}

void web_text_url(struct web_text *t, weir_bytes raw)
{
	const unsigned char *p = raw.data;

	for (size_t i = 0; i < raw.len; i++) {
		if (is_unreserved(p[i]))
			web_text_add(t, p + i, 1);
		else
			web_text_format(t, "%%%02X", p[i]);
	}
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool web_url_decode(struct web_text *t, weir_bytes raw, bool plus_is_space)
{
	const char *p = raw.data;

	web_text_add(t, "", 0);
	for (size_t i = 0; i < raw.len; i++) {
		char c = p[i];
		if (c == '%') {
			int high = i + 2 < raw.len ? hex_digit(p[i + 1]) : -1;
			int low = i + 2 < raw.len ? hex_digit(p[i + 2]) : -1;
			if (high < 0 || low < 0)
				return false;
			c = (char)(high << 4 | low);
			i += 2;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		if (!c)
			return false;
		web_text_add(t, &c, 1);
	}
	return true;
}

void web_text_utf8(struct web_text *t, weir_bytes raw)
{
	const unsigned char *p = raw.data;

	web_text_add(t, "", 0);
	for (size_t i = 0; i < raw.len;) {
		size_t n = utf8_char(p + i, raw.len - i);
		if (n)
			web_text_add(t, p + i, n);
		else
			web_text_puts(t, REPLACEMENT);
		i += n ? n : 1;
	}
}
