#ifndef WEB_TEMPLATE_H
#define WEB_TEMPLATE_H
#include "web/text.h"

struct web_slot {
	const char *name;
	const char *html; /* goes in as it is: escape before; NULL = nothing */
};

/** Adds the embedded template `asset` with each {{name}} replaced; the slots end with a NULL name. A name without
 *  a slot is a bug. */
void web_template(struct web_text *out, const char *asset, const struct web_slot *slots);

#endif
