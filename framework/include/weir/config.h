#ifndef WEIR_CONFIG_H
#define WEIR_CONFIG_H
/*
 * One table of keys serves the file, the environment, the command line, `config` output and docs/config.md.
 *
 * Calling sequence: new -> add tables -> load_file / load_env / set (later wins) -> check -> getters.
 * Order of precedence is by source, not by call: default < file < environment < command line.
 * Environment: WEIR_ + the key in capitals, dots as underscores (evilnet.window -> WEIR_EVILNET_WINDOW). A variable
 * that is empty counts as not there; names that begin with WEIR_TEST_ are left to tests.
 * Which keys there are: docs/config.md, or weir_config_print of a new configuration.
 * Keys that begin with "kafka." are accepted whatever follows and go to librdkafka without that prefix.
 * Not thread-safe while being filled; read-only afterwards, then safe from any thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <weir/error.h>

typedef enum weir_config_type {
	WEIR_CONFIG_STRING,
	WEIR_CONFIG_INT,
	WEIR_CONFIG_BOOL,     /* true|false|yes|no|on|off|1|0 */
	WEIR_CONFIG_DURATION, /* milliseconds; accepts 250, 250ms, 10s, 5m, 2h, 1d */
	WEIR_CONFIG_SIZE,     /* bytes; accepts 1024, 64k, 128m, 2g (powers of 1024), with or without b/ib */
	WEIR_CONFIG_ENUM,     /* one of `choices` */
} weir_config_type;

typedef struct weir_config_key {
	const char *name; /* as in Kafka where Kafka has it: "commit.interval.ms" */
	weir_config_type type;
	const char *def;     /* default, as text; NULL = none (getters give NULL / 0) */
	int64_t min, max;    /* for numbers; both 0 = unbounded */
	const char *choices; /* for ENUM: "earliest|latest" */
	bool secret;         /* shown as ***, also in errors */
	const char *help;    /* one sentence */
} weir_config_key;

typedef enum weir_config_source {
	WEIR_FROM_DEFAULT,
	WEIR_FROM_FILE,
	WEIR_FROM_ENVIRONMENT,
	WEIR_FROM_COMMAND_LINE,
} weir_config_source;

typedef struct weir_config weir_config;

/** The framework's own keys (application.id, bootstrap.servers, commit.interval.ms, ...) are in it from the
 *  start. */
weir_config *weir_config_new(void);
void weir_config_free(weir_config *cfg);

/** Adds a table of n keys; `keys` must outlive cfg (static storage). A name that is there already is a bug. */
void weir_config_add(weir_config *cfg, const weir_config_key *keys, size_t n);

/** `key = value` lines. A line that begins with # or ; is a comment; behind a value there is none, and quotes are
 *  part of it. Unknown keys, bad values and lines over 4000 bytes are errors naming file and line. */
bool weir_config_load_file(weir_config *cfg, const char *path, weir_error *err);
/** Reads WEIR_* from the environment; unknown WEIR_ names are errors that suggest the nearest key. */
bool weir_config_load_env(weir_config *cfg, weir_error *err);
/** One key; `where` is named in errors and in `config` output ("-X", "--rate"). */
bool weir_config_set(weir_config *cfg, const char *name, const char *value, weir_config_source source,
		     const char *where, weir_error *err);
/** What no single key can say: keys that do not fit each other, names that Kafka would refuse. Call it once all is
 *  set. */
bool weir_config_check(const weir_config *cfg, weir_error *err);

/* Getters: the key must exist in a table with that type, else it is a bug. */
/** Of STRING and ENUM keys; owned by cfg. "" is kept, unset is NULL. */
const char *weir_config_string(const weir_config *cfg, const char *name);
int64_t weir_config_int(const weir_config *cfg, const char *name);
bool weir_config_bool(const weir_config *cfg, const char *name);
int64_t weir_config_ms(const weir_config *cfg, const char *name);
int64_t weir_config_size(const weir_config *cfg, const char *name);
/** Where the present value comes from; *where (may be NULL) gets "file:line" and the like, owned by cfg. */
weir_config_source weir_config_source_of(const weir_config *cfg, const char *name, const char **where);

/** Each `kafka.*` pass-through, name without the prefix. */
typedef void weir_config_pair_fn(const char *name, const char *value, void *user);
void weir_config_each_kafka(const weir_config *cfg, weir_config_pair_fn *fn, void *user);

/** One of them, NULL if it is not set; owned by cfg. */
const char *weir_config_kafka(const weir_config *cfg, const char *name);

/** Each key of all tables in order, with its present value as text (secrets as "***"; NULL = unset). */
typedef void weir_config_key_fn(const weir_config_key *key, const char *value, weir_config_source source,
				const char *where, void *user);
void weir_config_each(const weir_config *cfg, weir_config_key_fn *fn, void *user);

/** For people: key, value, where it comes from, default and meaning in aligned columns; kafka.* behind them.
 *  Secrets are hidden (of kafka.*: names with "password" or "secret", private keys, OAuth configuration). */
void weir_config_print(const weir_config *cfg, FILE *to);
/** A Markdown table of all keys: type and range, default, meaning. The values that are set play no part. */
void weir_config_print_markdown(const weir_config *cfg, FILE *to);

/** Parsers, usable alone: "15m" -> 900000; "128m" -> 134217728. False on anything else or on overflow. */
bool weir_parse_duration(const char *text, int64_t *ms);
bool weir_parse_size(const char *text, int64_t *bytes);

#endif
