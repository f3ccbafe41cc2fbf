#ifndef WEB_COLLECT_H
#define WEB_COLLECT_H
/* Rows of (place, window) gathered into cities over a span. */
#include "web/query.h"
#include "web/web.h"

struct web_counts {
	int64_t by[3]; /* by enum web_metric */
};

struct web_city {
	weir_bytes place; /* owned, NUL-terminated */
	/*
	 * Over the span: tweets and retweets are sums. Users are the most in any one window: a sum over windows
	 * would count a person once for each window.
	 */
	struct web_counts whole;
	struct web_counts *windows; /* span.count of them, oldest first; NULL if not wanted */
};

struct web_cities {
	struct web_span span;
	struct web_city *city; /* by name, in byte order; also those with rows but without posts */
	size_t count;
	size_t active;		    /* cities with at least one post */
	struct web_counts *windows; /* all cities together; users stay 0: one person may post from two cities */
	struct web_counts whole;
};

enum web_series { WEB_SERIES_NONE, WEB_SERIES_ONE, WEB_SERIES_ALL };

struct web_collect_opts {
	weir_bytes only;	/* ask the source for this place alone; null = all */
	weir_bytes focus;	/* WEB_SERIES_ONE: the city that keeps its windows */
	enum web_series series; /* which cities keep their windows */
};

/** Reads the rows of the span. False, and nothing to release: the source is away. */
bool web_collect(const struct web_source *source, const struct web_span *span, const struct web_collect_opts *opts,
		 struct web_cities *out, weir_error *err);
void web_cities_release(struct web_cities *cities);
/** NULL if it has no row in the span. */
const struct web_city *web_cities_find(const struct web_cities *cities, weir_bytes place);

/** Whether any row of the place is kept, whenever it is from. False: the source is away. */
bool web_place_known(const struct web_source *source, weir_bytes place, int64_t until_ms, bool *known,
		     weir_error *err);

/** Up to n active cities, the greatest (or the least) first, equals by name; on the heap. Returns how many. */
size_t web_cities_rank(const struct web_cities *cities, enum web_metric metric, bool least_first, size_t n,
		       const struct web_city ***ranked);

#endif
