#ifndef WEB_JSON_H
#define WEB_JSON_H
/* What the dashboard's JSON looks like. All functions return text on the heap, one line. */
#include "web/collect.h"

#define WEB_SPARKLINE_WINDOWS_MAX 100 /* past that a line of a few pixels shows nothing more */

/** {"at","cities":[{"place","tweets","retweets","users"}]}, active cities by name. */
char *web_json_cities(const struct web_cities *cities);
/** {"place","metric","window_seconds","points":[{"time","value"}]}; no city = zeros. */
char *web_json_trend(const struct web_cities *cities, weir_bytes place, enum web_metric metric);
/** {"metric","places":[{"place","value"}]} */
char *web_json_rank(const struct web_cities *cities, enum web_metric metric, bool least_first, size_t n);
/**
 * All that the front page shows, without "at" (so that two of them are equal if nothing but time has changed). A
 * focus that is not null adds its three trends; `known` says whether it has rows at all.
 */
char *web_json_snapshot(const struct web_cities *cities, weir_bytes focus, bool known);
/** A snapshot with its moment: {"at":...,<snapshot>}. */
char *web_json_at(const char *snapshot, int64_t at_ms);
char *web_json_error(const char *message);

#endif
