#ifndef WEB_ASSETS_H
#define WEB_ASSETS_H
/* The files of web/static and the chart library, put into the program when it is built (embed.cmake). */
#include <stddef.h>

struct web_asset {
	const char *name, *type;
	const char *hash;	   /* of the contents, for ETag */
	const unsigned char *data; /* len bytes and a NUL */
	size_t len;
};

extern const struct web_asset web_assets[];
extern const size_t web_assets_count;

/** NULL if there is none of that name. */
const struct web_asset *web_asset_find(const char *name);

#endif
