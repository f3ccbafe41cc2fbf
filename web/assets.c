#include "web/assets.h"

#include <civetweb.h>
#include <stdio.h>
#include <string.h>

#include "web/server.h"

const struct web_asset *web_asset_find(const char *name)
{
	for (size_t i = 0; i < web_assets_count; i++)
		if (strcmp(web_assets[i].name, name) == 0)
			return &web_assets[i];
	return NULL;
}

int web_static(const struct web_request *rq)
{
	bool icon = strcmp(rq->path, "/favicon.ico") ==
		    0; /* asked for by browsers that have not read the page's head */
	const char *name = icon ? "evilnet.svg" : rq->path + strlen("/static/");
	const struct web_asset *asset = web_asset_find(name);
	const char *seen = mg_get_header(rq->conn, "If-None-Match");
	char more[128];

	if (!asset || strstr(asset->type, "text/html")) /* pages' templates are not pages */
		return web_page_error(rq, 404, "There is no such file.");
	snprintf(more, sizeof more, "ETag: \"%s\"\r\nCache-Control: no-cache\r\n", asset->hash);
	bool fresh = seen && strstr(seen, asset->hash);
	return web_reply(rq, fresh ? 304 : 200, asset->type, asset->data, asset->len, more);
}
