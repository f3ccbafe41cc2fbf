/* Wrong use of stores by the program: told as an error, at no cost to what is right. */
#include <stdio.h>

#include "state/partition.h"

static _Thread_local weir_error *told_to;

void weir__store_misuse_to(weir_error *err)
{
	told_to = err;
}

bool weir__store_misused_as(const weir_store *store, const char *how)
{
	if (store->spec.kind == STORE_NONE) /* whoever gave it has told */
		return false;
	if (!told_to)
		return weir__state_fail(store->state, NULL, "use", store->family->name, how);
	if (told_to->code == WEIR_OK)
		weir_fail(told_to, WEIR_USAGE, "store \"%s\" is used wrongly: %s", store->spec.name, how);
	return false;
}

bool weir__store_misused(const weir_store *store, enum store_kind wanted)
{
	static const char *const names[] = { "keys and values", "windows", "sessions", "versions",
					     "one's own kind" };
	char how[100];

	if (store->spec.kind == wanted || store->spec.kind == STORE_NONE)
		return weir__store_misused_as(store, "a key is null");
	snprintf(how, sizeof how, "it is a store of %s, not of %s", names[store->spec.kind], names[wanted]);
	return weir__store_misused_as(store, how);
}

void weir__store_changed_by_query(weir_store *store)
{
	weir__store_misused_as(store, "a query has put into it");
}

uint32_t weir__store_version(const weir_store *store)
{
	return store->version;
}

weir_store *weir__store_none(void)
{
	static _Thread_local weir_store none;

	none.spec.kind = STORE_NONE;
	none.spec.name = "";
	none.in_memory = true;
	none.stats = &none.own_stats;
	return &none;
}
