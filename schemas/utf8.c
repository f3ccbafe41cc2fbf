#include "schemas/post.h"

/* Lead bytes: how many bytes follow, and the bounds of the first of them (which shut out overlong forms and
 * surrogates). */
static int continuation(unsigned char lead, unsigned char *low, unsigned char *high)
{
	*low = 0x80;
	*high = 0xbf;
	if (lead >= 0xc2 && lead <= 0xdf)
		return 1;
	if (lead >= 0xe0 && lead <= 0xef) {
		if (lead == 0xe0)
			*low = 0xa0;
		if (lead == 0xed)
			*high = 0x9f;
		return 2;
	}
	if (lead >= 0xf0 && lead <= 0xf4) {
		if (lead == 0xf0)
			*low = 0x90;
		if (lead == 0xf4)
			*high = 0x8f;
		return 3;
	}
	return -1;
}

size_t utf8_length(weir_bytes text)
{
	const unsigned char *p = text.data, *end = p + text.len;
	size_t n = 0;

	while (p < end) {
		uint64_t eight;
		unsigned char low, high;

		if (end - p >= 8 && (memcpy(&eight, p, 8), (eight & 0x8080808080808080) == 0)) {
			p += 8;
			n += 8;
			continue;
		}
		n++;
		if (*p < 0x80) {
			p++;
			continue;
		}
		int follow = continuation(*p, &low, &high);
		if (follow < 0 || end - p <= follow || p[1] < low || p[1] > high)
			return SIZE_MAX;
		for (int i = 2; i <= follow; i++)
			if ((p[i] & 0xc0) != 0x80)
				return SIZE_MAX;
		p += 1 + follow;
	}
	return n;
}
