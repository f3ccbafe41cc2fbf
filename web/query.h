#ifndef WEB_QUERY_H
#define WEB_QUERY_H
/*
 * What a caller asks for: which moment, how far back, which metric, how many. Every mistake has a message for the
 * caller (WEIR_USER).
 */
#include <weir/error.h>
#include <stddef.h>
#include <stdint.h>

#define WEB_SINCE_DEFAULT_MS INT64_C(3600000)
#define WEB_WINDOWS_MAX 10000 /* in one answer */
#define WEB_RANK_DEFAULT 5
#define WEB_RANK_MAX 100

enum web_metric { WEB_TWEETS, WEB_RETWEETS, WEB_USERS };

const char *web_metric_name(enum web_metric metric);
/** False, without a message: there is no such metric. */
bool web_metric_parse(const char *name, enum web_metric *metric);

/*
 * The windows that overlap (at - since, at], the one still open included: count windows from first_ms (their
 * starts) to last_ms.
 */
struct web_span {
	bool live; /* `at` was not given: it is now, and moves */
	bool since_given;
	int64_t at_ms, since_ms, window_ms;
	int64_t first_ms, last_ms;
	size_t count;
};

/** Lays the windows of a span around its at_ms, since_ms and window_ms. */
void web_span_lay(struct web_span *span);
/** ?at= (RFC 3339) and ?since= (1h, 90m, 2d). */
bool web_span_parse(const char *query, int64_t now_ms, int64_t window_ms, struct web_span *span, weir_error *err);

/** The decoded value of a parameter on the heap, or NULL in *value if it is not there. False: its encoding is
 *  broken. */
bool web_query_value(const char *query, const char *name, bool plus_is_space, char **value, weir_error *err);
/** ?metric=, `standard` if it is not there. */
bool web_query_metric(const char *query, enum web_metric standard, enum web_metric *metric, weir_error *err);
/** ?n=, 1 to WEB_RANK_MAX. */
bool web_query_n(const char *query, size_t *n, weir_error *err);

#endif
