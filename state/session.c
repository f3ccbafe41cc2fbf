/* Sessions: windows whose end is not known beforehand, so it is part of the key, and decides when they expire. */
#include "state/partition.h"

static bool usable(const weir_store *store, weir_bytes key, int64_t start_ms, int64_t end_ms)
{
	return weir__store_is(store, STORE_SESSION, key) &&
	       (start_ms <= end_ms || weir__store_misused_as(store, "a session ends before it begins"));
}

static bool session_key(weir_store *store, weir_bytes key, int64_t start_ms, int64_t end_ms)
{
	weir_assert(store->spec.kind == STORE_SESSION && start_ms <= end_ms);
	return weir__store_key(store, key, start_ms, end_ms);
}

static weir_bytes get(weir_store *store, weir_bytes key, int64_t start_ms, int64_t end_ms, int64_t *timestamp_ms,
		      const weir_headers **headers)
{
	weir_bytes kept = WEIR_NULL;

	if (usable(store, key, start_ms, end_ms) && session_key(store, key, start_ms, end_ms))
		kept = weir__store_read(store, weir__buffer_view(&store->key), timestamp_ms);
	return weir__store_plain(store, kept, headers);
}

weir_bytes weir_session_get(weir_store *store, weir_bytes key, int64_t start_ms, int64_t end_ms,
			    int64_t *timestamp_ms)
{
	return get(store, key, start_ms, end_ms, timestamp_ms, NULL);
}

weir_bytes weir_session_get_headers(weir_store *store, weir_bytes key, int64_t start_ms, int64_t end_ms,
				    int64_t *timestamp_ms, const weir_headers **headers)
{
	return get(store, key, start_ms, end_ms, timestamp_ms, headers);
}

static void put(weir_store *store, weir_bytes key, weir_bytes value, int64_t start_ms, int64_t end_ms,
		int64_t timestamp_ms, const weir_headers *headers)
{
	if (!usable(store, key, start_ms, end_ms) || start_ms < 0)
		return;
	if (!session_key(store, key, start_ms, end_ms) && !weir_is_null(value))
		weir__store_expired(store);
	weir__times_see(&store->times, end_ms, timestamp_ms);
	value = weir__store_keep(store, value, headers);
	weir__store_write(store, weir__buffer_view(&store->key), value, timestamp_ms);
}

void weir_session_put(weir_store *store, weir_bytes key, weir_bytes value, int64_t start_ms, int64_t end_ms,
		      int64_t timestamp_ms)
{
	put(store, key, value, start_ms, end_ms, timestamp_ms, NULL);
}

void weir_session_put_headers(weir_store *store, weir_bytes key, weir_bytes value, int64_t start_ms, int64_t end_ms,
			      int64_t timestamp_ms, const weir_headers *headers)
{
	put(store, key, value, start_ms, end_ms, timestamp_ms, headers);
}
