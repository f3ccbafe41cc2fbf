/* How many posts each city has had, to be asked for while it runs; a global table has the cities' full names. */
#include <weir/weir.h>

static inline weir_topology *city_totals(void)
{
	weir_topology *t = weir_topology_new("city-totals");
	weir_stream *posts = weir_source(t, "posts", (weir_source_opts){ .value = &weir_utf8 });

	weir_global_table(t, "cities", (weir_global_opts){ .value = &weir_utf8 });
	weir_sink(weir_changes(weir_count(posts, "totals", (weir_window){ 0 })), "city-totals",
		  (weir_sink_opts){ 0 });
	return t;
}

/* --- asking -------------------------------------------------------------------------------------- */

struct city {
	const char *key;
	char name[64];
	int64_t posts;
};

/* On a worker's thread, between two records: what is wanted is copied, for nothing of it lasts. */
static inline void read_total(weir_store *totals, int32_t partition, void *user)
{
	struct city *city = user;
	weir_bytes total = weir_store_get(totals, weir_str(city->key), NULL);

	(void)partition;
	if (!weir_is_null(total))
		city->posts += weir_get_be64(total.data);
}

static inline void read_name(weir_store *cities, int32_t partition, void *user)
{
	struct city *city = user;
	weir_bytes name = weir_store_get(cities, weir_str(city->key), NULL);

	(void)partition;
	if (!weir_is_null(name))
		snprintf(city->name, sizeof city->name, "%.*s", (int)name.len, (const char *)name.data);
}

/* From any thread that is not a worker's. False: *err says why; err->retriable = it may be there in a moment. */
static inline bool ask(weir_app *app, const char *key, struct city *city, weir_error *err)
{
	*city = (struct city){ .key = key };
	snprintf(city->name, sizeof city->name, "%s", key);
	return weir_app_query(app, "totals", read_total, city, (weir_query_opts){ .key = weir_str(key) }, err) &&
	       weir_app_query(app, "cities", read_name, city, (weir_query_opts){ 0 }, err);
}
