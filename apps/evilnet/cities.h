#ifndef EVILNET_CITIES_H
#define EVILNET_CITIES_H
/* The topology of `evilnet process`: posts -> accepted posts -> tweets, retweets and users of each city and window.
 * */
#include <weir/weir.h>

#include "schemas/city_window.h"
#include "web/web.h"

/* Name of the store with the counts. */
#define EVILNET_CITIES "cities"

/* What its steps need of the configuration. */
struct evilnet_cities {
	int64_t window_ms, grace_ms, skew_ms, users_exact_max;
	bool rekey;
};

/** Fills *options from cfg, checking the settings against each other; both must outlive the topology. NULL and
 * *err: they do not fit. */
weir_topology *evilnet_cities(const weir_config *cfg, struct evilnet_cities *options, weir_error *err);

/* Rows for the dashboard straight from the application's own stores: only what this instance holds. */
struct evilnet_store_source {
	weir_app *app;
	int64_t window_ms;
};
/** Fills *source with functions over *self, which must outlive it. */
void evilnet_store_source(struct evilnet_store_source *self, struct web_source *source);

/** A row out of what the store "cities" holds; its place is `place`. False: no such value. */
bool evilnet_cities_row(weir_bytes place, int64_t start_ms, weir_bytes value, int64_t window_ms,
			struct city_window *out);

#endif
