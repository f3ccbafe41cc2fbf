#include <weir/config.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "framework/base/alloc.h"
#include "framework/base/config_table.h"

weir_config *weir_config_new(void)
{
	weir_config *cfg = weir__calloc(1, sizeof *cfg);

	weir_config_add(cfg, weir__config_keys, weir__config_keys_count);
	return cfg;
}

void weir_config_free(weir_config *cfg)
{
	if (!cfg)
		return;
	for (size_t i = 0; i < cfg->count; i++) {
		free(cfg->entries[i].text);
		free(cfg->entries[i].where);
	}
	for (size_t i = 0; i < cfg->pair_count; i++) {
		free(cfg->pairs[i].name);
		free(cfg->pairs[i].value);
		free(cfg->pairs[i].where);
	}
	free(cfg->entries);
	free(cfg->pairs);
	free(cfg);
}

/* Some hundred keys at most, asked for at start: looking through them is quick enough. */
struct config_entry *weir__config_find(const weir_config *cfg, const char *name)
{
	for (size_t i = 0; i < cfg->count; i++)
		if (strcmp(cfg->entries[i].key->name, name) == 0)
			return &cfg->entries[i];
	return NULL;
}

void weir_config_add(weir_config *cfg, const weir_config_key *keys, size_t n)
{
	cfg->entries = weir__realloc(cfg->entries, (cfg->count + n) * sizeof *cfg->entries);
	for (size_t i = 0; i < n; i++) {
		struct config_entry entry = { .key = &keys[i] };

		weir_assert(!weir__config_find(cfg, keys[i].name));
		weir_assert(!keys[i].def || weir__config_parse(&keys[i], keys[i].def, &entry.number, NULL));
		cfg->entries[cfg->count++] = entry;
	}
}

static void set_pair(weir_config *cfg, const char *name, const char *value, weir_config_source source,
		     const char *where)
{
	struct config_pair *pair = cfg->pairs;
	struct config_pair *end = pair + cfg->pair_count;

	while (pair < end && strcmp(pair->name, name) != 0)
		pair++;
	if (pair == end) {
		cfg->pairs = weir__realloc(cfg->pairs, (cfg->pair_count + 1) * sizeof *cfg->pairs);
		pair = &cfg->pairs[cfg->pair_count++];
		*pair = (struct config_pair){ .name = weir__strdup(name) };
	}
	if (source < pair->source)
		return;
	free(pair->value);
	free(pair->where);
	pair->value = weir__strdup(value);
	pair->source = source;
	pair->where = weir__strdup(where);
}

static bool unknown_key(const weir_config *cfg, const char *name, weir_error *err)
{
	const char *nearest = weir__config_nearest(cfg, name);

	if (nearest)
		return weir_fail(err, WEIR_CONFIG, "unknown key \"%s\"; did you mean \"%s\"?", name, nearest);
	return weir_fail(err, WEIR_CONFIG, "unknown key \"%s\" (librdkafka's own settings begin with \"kafka.\")",
			 name);
}

static bool set_value(weir_config *cfg, const char *name, const char *value, weir_config_source source,
		      const char *where, weir_error *err)
{
	const size_t prefix = strlen(CONFIG_KAFKA_PREFIX);

	if (strncmp(name, CONFIG_KAFKA_PREFIX, prefix) == 0 && name[prefix]) {
		set_pair(cfg, name + prefix, value, source, where);
		return true;
	}
	struct config_entry *entry = weir__config_find(cfg, name);
	int64_t number = 0;

	if (!entry)
		return unknown_key(cfg, name, err);
	if (!weir__config_parse(entry->key, value, &number, err))
		return false;
	if (source < entry->source)
		return true;
	free(entry->text);
	free(entry->where);
	entry->text = weir__strdup(value);
	entry->number = number;
	entry->source = source;
	entry->where = weir__strdup(where);
	return true;
}

bool weir_config_set(weir_config *cfg, const char *name, const char *value, weir_config_source source,
		     const char *where, weir_error *err)
{
	if (!name || !value)
		return weir_fail(err, WEIR_USAGE, "%s%sa key has a name and a value", where ? where : "",
				 where ? ": " : "");
	if (set_value(cfg, name, value, source, where, err))
		return true;
	return where ? weir_wrap(err, "%s", where) : false;
}

static bool check_name(const weir_config *cfg, const char *key, size_t len_max, weir_error *err)
{
	const char *name = weir_config_string(cfg, key);
	size_t len = name ? strlen(name) : 0;

	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i]))
			return weir_fail(err, WEIR_CONFIG,
					 "%s = \"%s\": only letters, digits, '.', '_' and '-' can be in it", key,
					 name);
	if (len > len_max)
		return weir_fail(err, WEIR_CONFIG, "%s: at most %zu characters, got %zu", key, len_max, len);
	return true;
}

bool weir_config_check(const weir_config *cfg, weir_error *err)
{
	int64_t commit_ms = weir_config_ms(cfg, "commit.interval.ms");
	int64_t transaction_ms = weir_config_ms(cfg, "transaction.timeout.ms");
	int64_t session_ms = weir_config_ms(cfg, "session.timeout.ms");
	int64_t poll_ms = weir_config_ms(cfg, "max.poll.interval.ms");

	if (commit_ms >= transaction_ms)
		return weir_fail(
			err, WEIR_CONFIG,
			"commit.interval.ms (%lld) must be less than transaction.timeout.ms (%lld), or the broker"
			" would abort each transaction before its commit",
			(long long)commit_ms, (long long)transaction_ms);
	if (session_ms > poll_ms)
		return weir_fail(err, WEIR_CONFIG,
				 "session.timeout.ms (%lld) must not exceed max.poll.interval.ms (%lld)",
				 (long long)session_ms, (long long)poll_ms);
	/* Names of topics, which Kafka limits to 249, are made from application.id. */
	return check_name(cfg, "application.id", 100, err) &&
	       check_name(cfg, "errors.dead.letter.queue.topic.name", 249, err);
}

static const struct config_entry *entry_of(const weir_config *cfg, const char *name, weir_config_type type)
{
	const struct config_entry *entry = weir__config_find(cfg, name);

	weir_assert(entry && entry->key->type == type);
	return entry;
}

const char *weir__config_text(const struct config_entry *entry)
{
	return entry->text ? entry->text : entry->key->def;
}

const char *weir_config_string(const weir_config *cfg, const char *name)
{
	const struct config_entry *entry = weir__config_find(cfg, name);

	weir_assert(entry && (entry->key->type == WEIR_CONFIG_STRING || entry->key->type == WEIR_CONFIG_ENUM));
	return weir__config_text(entry);
}

int64_t weir_config_int(const weir_config *cfg, const char *name)
{
	return entry_of(cfg, name, WEIR_CONFIG_INT)->number;
}

bool weir_config_bool(const weir_config *cfg, const char *name)
{
	return entry_of(cfg, name, WEIR_CONFIG_BOOL)->number != 0;
}

int64_t weir_config_ms(const weir_config *cfg, const char *name)
{
	return entry_of(cfg, name, WEIR_CONFIG_DURATION)->number;
}

int64_t weir_config_size(const weir_config *cfg, const char *name)
{
	return entry_of(cfg, name, WEIR_CONFIG_SIZE)->number;
}

weir_config_source weir_config_source_of(const weir_config *cfg, const char *name, const char **where)
{
	const struct config_entry *entry = weir__config_find(cfg, name);

	weir_assert(entry);
	if (where)
		*where = entry->where;
	return entry->source;
}

void weir_config_each_kafka(const weir_config *cfg, weir_config_pair_fn *fn, void *user)
{
	for (size_t i = 0; i < cfg->pair_count; i++)
		fn(cfg->pairs[i].name, cfg->pairs[i].value, user);
}

const char *weir_config_kafka(const weir_config *cfg, const char *name)
{
	const char *value = NULL;

	for (size_t i = 0; i < cfg->pair_count; i++)
		if (strcmp(cfg->pairs[i].name, name) == 0)
			value = cfg->pairs[i].value;
	return value;
}

void weir_config_each(const weir_config *cfg, weir_config_key_fn *fn, void *user)
{
	for (size_t i = 0; i < cfg->count; i++) {
		const struct config_entry *entry = &cfg->entries[i];
		const char *value = weir__config_text(entry);

		fn(entry->key, value && entry->key->secret ? "***" : value, entry->source, entry->where, user);
	}
}
