#include "web/template.h"

#include <weir/error.h>
#include "web/assets.h"

static const struct web_slot *slot_named(const struct web_slot *slots, const char *name, size_t len)
{
	while (slots->name && (strlen(slots->name) != len || memcmp(slots->name, name, len) != 0))
		slots++;
	weir_assert(slots->name);
	return slots;
}

void web_template(struct web_text *out, const char *asset_name, const struct web_slot *slots)
{
	const struct web_asset *asset = web_asset_find(asset_name);

	weir_assert(asset);
	for (const char *p = (const char *)asset->data, *open; *p;) {
		open = strstr(p, "{{");
		if (!open) {
			web_text_puts(out, p);
			return;
		}
		web_text_add(out, p, (size_t)(open - p));
		const char *close = strstr(open, "}}");
		weir_assert(close);
		const struct web_slot *slot = slot_named(slots, open + 2, (size_t)(close - open - 2));
		if (slot->html)
			web_text_puts(out, slot->html);
		p = close + 2;
	}
}
