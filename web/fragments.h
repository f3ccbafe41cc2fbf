#ifndef WEB_FRAGMENTS_H
#define WEB_FRAGMENTS_H
/* Pieces of HTML that pages are put together from. Everything that comes from outside is escaped here. */
#include "web/collect.h"
#include "web/text.h"

/** "12,345" */
void web_number(char buf[32], int64_t value);
/** RFC 3339, UTC. */
void web_html_moment(struct web_text *t, int64_t ms);
/** "90m", as ?since= takes it. */
void web_html_duration(struct web_text *t, int64_t ms);
/** "15-minute" */
void web_html_duration_words(struct web_text *t, int64_t ms);
/** "", or "?at=...&amp;since=..." with what is asked for. */
void web_html_link(struct web_text *t, const struct web_span *span, bool at, bool since);
/** The bar that says which time is shown and leads to others; `path` as it was sent. */
void web_html_when(struct web_text *t, const char *path, const struct web_span *span);

/** Table rows of the active cities, most tweets first. `link` is appended to addresses. */
void web_html_rows(struct web_text *t, const struct web_cities *cities, const char *link);
/** List entries of five cities with bars. */
void web_html_rank(struct web_text *t, const struct web_cities *cities, enum web_metric metric, bool least_first,
		   const char *link);
/** Table rows of a trend; `both` adds a column for retweets. windows == NULL = zeros. */
void web_html_points(struct web_text *t, const struct web_span *span, const struct web_counts *windows,
		     enum web_metric metric, bool both);

#endif
