#ifndef WEIR_CONFIG_TABLE_H
#define WEIR_CONFIG_TABLE_H
/*
 * The inside of weir_config, shared by config*.c.
 */
#include <weir/config.h>

struct config_entry {
	const weir_config_key *key;
	char *text;     /* NULL = the key's default holds */
	int64_t number; /* of the value that holds, for all types but STRING and ENUM */
	weir_config_source source;
	char *where; /* may be NULL */
};

/* A kafka.* setting; name without the prefix. */
struct config_pair {
	char *name, *value;
	weir_config_source source;
	char *where;
};

struct weir_config {
	struct config_entry *entries;
	size_t count;
	struct config_pair *pairs;
	size_t pair_count;
};

#define CONFIG_KAFKA_PREFIX "kafka."

extern const weir_config_key weir__config_keys[];
extern const size_t weir__config_keys_count;

/** NULL = no such key. */
struct config_entry *weir__config_find(const weir_config *cfg, const char *name);
/** The value that holds, as text; NULL = none. */
const char *weir__config_text(const struct config_entry *entry);
/** Whether a kafka.* setting (name without prefix) must not be shown. */
bool weir__config_pair_secret(const char *name);
/** Checks `text` against type, range and choices; *number is set for the types that have one. */
bool weir__config_parse(const weir_config_key *key, const char *text, int64_t *number, weir_error *err);
/** Type, range and choices in words ("duration, at least 1ms"), with examples if wanted. */
void weir__config_describe_type(const weir_config_key *key, bool examples, char *to, size_t size);
/** The known name that looks most like `name`; NULL when none comes near. */
const char *weir__config_nearest(const weir_config *cfg, const char *name);

#endif
