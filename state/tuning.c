/* What a program may set of RocksDB's own options: how rows lie on disk, and at what cost. The rest is weir's. */
#include "state/disk.h"

#include <stdio.h>

enum where { OF_DATABASE = 1, OF_STORE = 2, OF_TABLE = 4 };

struct option {
	const char *name;
	enum where where;
	const char *values[3]; /* NULL = any that RocksDB takes */
};

/* Whatever is here may change between two starts, and neither loses rows nor the order of keys. */
static const struct option options[] = {
	{ "max_background_jobs", OF_DATABASE, { NULL } },
	{ "max_subcompactions", OF_DATABASE, { NULL } },
	{ "max_open_files", OF_DATABASE, { NULL } },
	{ "max_file_opening_threads", OF_DATABASE, { NULL } },
	{ "bytes_per_sync", OF_DATABASE, { NULL } },
	{ "strict_bytes_per_sync", OF_DATABASE, { NULL } },
	{ "use_direct_reads", OF_DATABASE, { NULL } },
	{ "use_direct_io_for_flush_and_compaction", OF_DATABASE, { NULL } },
	{ "compaction_readahead_size", OF_DATABASE, { NULL } },
	{ "rate_limiter_bytes_per_sec", OF_DATABASE, { NULL } },
	{ "delayed_write_rate", OF_DATABASE, { NULL } },
	{ "stats_dump_period_sec", OF_DATABASE, { NULL } },
	{ "info_log_level", OF_DATABASE, { NULL } },
	{ "keep_log_file_num", OF_DATABASE, { NULL } },
	{ "max_log_file_size", OF_DATABASE, { NULL } },
	{ "compression", OF_STORE, { NULL } },
	{ "bottommost_compression", OF_STORE, { NULL } },
	{ "compression_opts", OF_STORE, { NULL } },
	{ "bottommost_compression_opts", OF_STORE, { NULL } },
	{ "compression_per_level", OF_STORE, { NULL } },
	/* FIFO drops rows */
	{ "compaction_style", OF_STORE, { "kCompactionStyleLevel", "kCompactionStyleUniversal" } },
	{ "compaction_pri", OF_STORE, { NULL } },
	{ "level0_file_num_compaction_trigger", OF_STORE, { NULL } },
	{ "level0_slowdown_writes_trigger", OF_STORE, { NULL } },
	{ "level0_stop_writes_trigger", OF_STORE, { NULL } },
	{ "soft_pending_compaction_bytes_limit", OF_STORE, { NULL } },
	{ "hard_pending_compaction_bytes_limit", OF_STORE, { NULL } },
	{ "target_file_size_base", OF_STORE, { NULL } },
	{ "target_file_size_multiplier", OF_STORE, { NULL } },
	{ "max_bytes_for_level_base", OF_STORE, { NULL } },
	{ "max_bytes_for_level_multiplier", OF_STORE, { NULL } },
	{ "max_compaction_bytes", OF_STORE, { NULL } },
	{ "level_compaction_dynamic_level_bytes", OF_STORE, { NULL } },
	{ "optimize_filters_for_hits", OF_STORE, { NULL } },
	{ "periodic_compaction_seconds", OF_STORE, { NULL } },
	{ "memtable_prefix_bloom_size_ratio", OF_STORE, { NULL } },
	{ "memtable_whole_key_filtering", OF_STORE, { NULL } },
	{ "block_based_table_factory", OF_STORE, { NULL } },
	{ "block_size", OF_TABLE, { NULL } },
	{ "block_size_deviation", OF_TABLE, { NULL } },
	{ "block_restart_interval", OF_TABLE, { NULL } },
	{ "index_block_restart_interval", OF_TABLE, { NULL } },
	{ "metadata_block_size", OF_TABLE, { NULL } },
	{ "filter_policy", OF_TABLE, { NULL } },
	{ "whole_key_filtering", OF_TABLE, { NULL } },
	{ "optimize_filters_for_memory", OF_TABLE, { NULL } },
	{ "format_version", OF_TABLE, { NULL } },
	{ "checksum", OF_TABLE, { NULL } },
	{ "data_block_index_type", OF_TABLE, { NULL } },
	{ "data_block_hash_table_util_ratio", OF_TABLE, { NULL } },
	{ "enable_index_compression", OF_TABLE, { NULL } },
	{ "verify_compression", OF_TABLE, { NULL } },
	{ "block_align", OF_TABLE, { NULL } },
};

/* A piece of the text. */
struct piece {
	const char *at;
	size_t len;
};

static struct piece trimmed(struct piece p)
{
	while (p.len && strchr(" \t\r\n", *p.at))
		p.at++, p.len--;
	while (p.len && strchr(" \t\r\n", p.at[p.len - 1]))
		p.len--;
	return p;
}

static bool is(struct piece p, const char *text)
{
	return p.len == strlen(text) && memcmp(p.at, text, p.len) == 0;
}

/* Up to that byte, or all; what is in braces is not looked at. *rest: behind it. */
static struct piece take(struct piece all, char end, struct piece *rest)
{
	int depth = 0;
	size_t n = 0;

	for (; n < all.len && (all.at[n] != end || depth > 0); n++)
		depth += (all.at[n] == '{') - (all.at[n] == '}');
	*rest = n < all.len ? (struct piece){ all.at + n + 1, all.len - n - 1 } : (struct piece){ all.at + n, 0 };
	return trimmed((struct piece){ all.at, n });
}

static const char *why_not(struct piece name)
{
	static const struct {
		const char *part, *why;
	} reasons[] = {
		{ "write_buffer", "memory is shared out by memory.bytes.max" },
		{ "cache", "memory is shared out by memory.bytes.max" },
		{ "memtable", "memory is shared out by memory.bytes.max" },
		{ "arena", "memory is shared out by memory.bytes.max" },
		{ "wal", "there is no write-ahead log, the changelog is it" },
		{ "WAL", "there is no write-ahead log, the changelog is it" },
		{ "flush", "a flush is a checkpoint, which weir makes" },
		{ "comparator", "the order of keys is weir's" },
		{ "prefix_extractor", "the order of keys is weir's" },
		{ "merge_operator", "rows are weir's" },
		{ "compaction_filter", "rows are weir's" },
		{ "ttl", "rows are weir's" },
	};

	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (memmem(name.at, name.len, reasons[i].part, strlen(reasons[i].part)))
			return reasons[i].why;
	return "it is none of those that docs/operations.md lists";
}

static bool value_allowed(const struct option *o, struct piece value)
{
	if (!o->values[0])
		return true;
	for (size_t i = 0; i < sizeof o->values / sizeof *o->values && o->values[i]; i++)
		if (is(value, o->values[i]))
			return true;
	return false;
}

static bool check_one(struct piece name, struct piece value, int where, weir_error *err)
{
	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		const struct option *o = &options[i];

		if (!is(name, o->name))
			continue;
		if (!(o->where & where) && where != OF_TABLE && o->where == OF_DATABASE)
			return weir_fail(err, WEIR_CONFIG,
					 "%s is of the whole database: it is set by rocksdb.options alone",
					 o->name);
		if (!(o->where & where))
			break;
		return value_allowed(o, value) ||
		       weir_fail(err, WEIR_CONFIG, "%s may not be %.*s", o->name, (int)value.len, value.at);
	}
	return weir_fail(err, WEIR_CONFIG, "%.*s may not be set: %s", (int)name.len, name.at, why_not(name));
}

static bool check(struct piece text, int where, weir_error *err)
{
	for (text = trimmed(text); text.len;) {
		struct piece one = take(text, ';', &text), value, name = take(one, '=', &value);

		value = trimmed(value);
		if (!name.len)
			continue;
		if (!check_one(name, value, where, err))
			return false;
		if (!is(name, "block_based_table_factory"))
			continue;
		if (value.len < 2 || value.at[0] != '{' || value.at[value.len - 1] != '}')
			return weir_fail(err, WEIR_CONFIG, "block_based_table_factory wants {...}");
		if (!check((struct piece){ value.at + 1, value.len - 2 }, OF_TABLE, err))
			return false;
	}
	return true;
}

rocksdb_options_t *weir__options_tuned(const rocksdb_options_t *base, const char *text, weir_error *err)
{
	rocksdb_options_t *tuned = rocksdb_options_create();
	char *message = NULL;

	rocksdb_get_options_from_string(base, text ? text : "", tuned, &message);
	if (!message)
		return tuned;
	weir_fail(err, WEIR_CONFIG, "%s", message);
	rocksdb_free(message);
	rocksdb_options_destroy(tuned);
	return NULL;
}

bool weir__rocksdb_options_check(const char *text, bool of_store, weir_error *err)
{
	if (!check((struct piece){ text, strlen(text) }, of_store ? OF_STORE : OF_STORE | OF_DATABASE, err))
		return false;
	rocksdb_options_t *base = rocksdb_options_create(), *tuned = weir__options_tuned(base, text, err);

	rocksdb_options_destroy(base);
	if (tuned)
		rocksdb_options_destroy(tuned);
	return tuned != NULL;
}
