/* RocksDB's options: what may be set is what RocksDB then has, by its own OPTIONS file; what may not is refused. */
#include <dirent.h>

#include "state/disk.h"
#include "tests/unit/store_fixture.h"

static const char *store_options(const char *store, void *user)
{
	return strcmp(store, "counts") == 0 ? user : NULL;
}

static struct state *open_state(struct fixture *f, const char *options, const char *of_counts, weir_error *err)
{
	return weir__state_open(&(struct state_opts){ .dir = f->dir,
						      .memory_bytes_max = 16 << 20,
						      .clock = &f->clock.clock,
						      .rocksdb_options = options,
						      .rocksdb_options_of = store_options,
						      .user = (void *)of_counts },
				err);
}

/* RocksDB's newest OPTIONS file. */
static void read_options(const struct fixture *f, char *text, size_t size)
{
	char dir[100], path[400], newest[256] = "";
	struct dirent *e;

	snprintf(dir, sizeof dir, "%s/rocksdb", f->dir);
	DIR *d = opendir(dir);
	assert_non_null(d);
	while ((e = readdir(d)))
		if (strncmp(e->d_name, "OPTIONS-", 8) == 0 && !strstr(e->d_name, "dbtmp") &&
		    strcmp(e->d_name, newest) > 0)
			snprintf(newest, sizeof newest, "%s", e->d_name);
	closedir(d);
	snprintf(path, sizeof path, "%s/%s", dir, newest);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	text[fread(text, 1, size - 1, file)] = 0;
	fclose(file);
}

/* Whether a section has that line. */
static bool has(const char *text, const char *section, const char *line)
{
	const char *at = strstr(text, section);
	assert_non_null(at);
	const char *end = strstr(at + 1, "\n["), *found = strstr(at, line);

	return found && (!end || found < end);
}

#define COUNTS "[CFOptions \"counts/0\"]"
#define TABLE_OF_COUNTS "[TableOptions/BlockBasedTable \"counts/0\"]"
#define OTHERS "[CFOptions \"others/0\"]"
#define TABLE_OF_OTHERS "[TableOptions/BlockBasedTable \"others/0\"]"

static void assert_tuned(struct fixture *f)
{
	static char text[200000];

	read_options(f, text, sizeof text);
	assert_true(has(text, "[DBOptions]", "max_background_jobs=3\n"));
	assert_true(has(text, "[DBOptions]", "avoid_flush_during_shutdown=true\n")); /* weir's own */
	assert_true(has(text, COUNTS, "compression=kSnappyCompression\n"));
	assert_true(has(text, COUNTS, "target_file_size_base=1048576\n"));
	assert_true(has(text, TABLE_OF_COUNTS, "block_size=32768\n"));
	assert_true(has(text, TABLE_OF_COUNTS, "cache_index_and_filter_blocks=true\n")); /* weir's own */
	assert_true(has(text, TABLE_OF_COUNTS, "partition_filters=true\n"));
	assert_true(has(text, OTHERS, "compression=kSnappyCompression\n"));
	assert_false(has(text, OTHERS, "target_file_size_base=1048576\n"));
	assert_true(has(text, TABLE_OF_OTHERS, "block_size=16384\n"));
}

static uint64_t cache_bytes(struct state *state, const char *family)
{
	uint64_t bytes = 0;

	for (struct family *f = state->families; f; f = f->next)
		if (strcmp(f->name, family) == 0)
			rocksdb_property_int_cf(state->db, f->handle, "rocksdb.block-cache-capacity", &bytes);
	return bytes;
}

static void options_are_what_rocksdb_has_and_memory_stays_shared(void **unused)
{
	static const char all[] = "compression=kSnappyCompression; max_background_jobs=3;"
				  "block_based_table_factory={block_size=16384;format_version=5}";
	static const char of_counts[] =
		"target_file_size_base=1048576;block_based_table_factory={block_size=32768;}";
	struct fixture f = { .spec = { .name = "counts", .logged = true } };
	struct store_spec others = { .name = "others", .logged = true };
	weir_error err;

	(void)unused;
	weir_manual_clock_init(&f.clock, 1000000);
	fixture_make_dir(&f);
	for (int again = 0; again < 2; again++) { /* made, and opened again */
		f.state = open_state(&f, all, of_counts, &err);
		assert_non_null(f.state);
		fixture_open(&f);
		weir_store *other = weir__store_open(f.state, &others, 0, &err);
		assert_non_null(other);
		put(&f, "a", "1");
		commit(&f, 1);
		checkpoint(&f, true);
		assert_tuned(&f);
		assert_true(cache_bytes(f.state, "counts/0") == f.state->memtable_bytes_max);
		assert_true(cache_bytes(f.state, "others/0") == f.state->memtable_bytes_max);
		weir__store_close(other);
		fixture_close(&f);
	}
	f.state = open_state(&f, NULL, NULL, &err); /* and without them again */
	fixture_open(&f);
	assert_get(&f, "a", "1");
	fixture_close(&f);
	fixture_remove_dir(&f);
}

static void what_weir_relies_on_is_refused_with_a_reason(void **unused)
{
	static const struct {
		const char *text, *why;
		bool of_store;
	} refused[] = {
		{ "write_buffer_size=1000",
		  "write_buffer_size may not be set: memory is shared out by memory.bytes.max", true },
		{ "db_write_buffer_size=1", "memory is shared out by memory.bytes.max", false },
		{ "compression=kLZ4Compression;block_based_table_factory={block_size=1024;block_cache=1M}",
		  "block_cache may not be set: memory is shared out by memory.bytes.max", false },
		{ "block_based_table_factory={cache_index_and_filter_blocks=false}", "memory.bytes.max", true },
		{ "wal_dir=/tmp", "wal_dir may not be set: there is no write-ahead log, the changelog is it",
		  false },
		{ "manual_wal_flush=true", "there is no write-ahead log", false },
		{ "avoid_flush_during_shutdown=false", "a flush is a checkpoint, which weir makes", false },
		{ "comparator=rocksdb.ReverseBytewiseComparator", "the order of keys is weir's", true },
		{ "prefix_extractor=rocksdb.FixedPrefix.4", "the order of keys is weir's", true },
		{ "ttl=60", "rows are weir's", true },
		{ "compaction_style=kCompactionStyleFIFO", "compaction_style may not be kCompactionStyleFIFO",
		  true },
		{ "max_background_jobs=4",
		  "max_background_jobs is of the whole database: it is set by rocksdb.options alone", true },
		{ "block_size=4096", "block_size may not be set: it is none of those that docs/operations.md lists",
		  false },
		{ "nonsense=1", "nonsense may not be set: it is none of those that docs/operations.md lists",
		  false },
		{ "just words", "just words may not be set", false },
		{ "block_based_table_factory=1", "block_based_table_factory wants {...}", true },
		{ "compression=kNoSuchCompression", "compression", true },
		{ "target_file_size_base=many", "target_file_size_base", true },
		{ "block_based_table_factory={block_size=-}", "block_size", true },
	};
	struct fixture f = { 0 };

	(void)unused;
	weir_manual_clock_init(&f.clock, 1000000);
	fixture_make_dir(&f);
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		weir_error err = { .code = WEIR_OK };

		if (weir__rocksdb_options_check(refused[i].text, refused[i].of_store, &err))
			fail_msg("\"%s\" was taken", refused[i].text);
		assert_int_equal(err.code, WEIR_CONFIG);
		if (!strstr(err.message, refused[i].why))
			fail_msg("\"%s\": %s", refused[i].text, err.message);
		if (refused[i].of_store)
			continue;
		assert_null(open_state(&f, refused[i].text, NULL, &err));
		assert_non_null(strstr(err.message, "rocksdb.options: "));
	}
	fixture_remove_dir(&f);
}

static void each_option_that_may_be_set_is_known_to_this_rocksdb(void **unused)
{
	static const char *const good[] = {
		"",
		"compression = kNoCompression ; bytes_per_sync = 1 ;",
		"max_background_jobs=2;max_subcompactions=2;max_open_files=100;max_file_opening_threads=2",
		"bytes_per_sync=1048576;strict_bytes_per_sync=true;use_direct_reads=false",
		"use_direct_io_for_flush_and_compaction=false;compaction_readahead_size=2097152",
		"rate_limiter_bytes_per_sec=10485760;delayed_write_rate=16777216;stats_dump_period_sec=600",
		"info_log_level=ERROR_LEVEL;keep_log_file_num=2;max_log_file_size=1048576",
		"compression=kZSTD;bottommost_compression=kZSTD;compression_opts={level=3;max_dict_bytes=0}",
		"bottommost_compression_opts={level=6;enabled=true}",
		"compression_per_level=kNoCompression:kSnappyCompression",
		"compaction_style=kCompactionStyleUniversal;compaction_pri=kMinOverlappingRatio",
		"level0_file_num_compaction_trigger=2;level0_slowdown_writes_trigger=20;level0_stop_writes_trigger="
		"40",
		"soft_pending_compaction_bytes_limit=1000000;hard_pending_compaction_bytes_limit=2000000",
		"target_file_size_base=4194304;target_file_size_multiplier=2;max_bytes_for_level_base=16777216",
		"max_bytes_for_level_multiplier=8;max_compaction_bytes=100000000",
		"level_compaction_dynamic_level_bytes=true;optimize_filters_for_hits=true",
		"periodic_compaction_seconds=86400;memtable_prefix_bloom_size_ratio=0.1",
		"memtable_whole_key_filtering=false",
		"block_based_table_factory={block_size=8192;block_size_deviation=5;block_restart_interval=8;"
		"index_block_restart_interval=2;metadata_block_size=8192;filter_policy=bloomfilter:12:false;"
		"whole_key_filtering=true;optimize_filters_for_memory=true;format_version=5;checksum=kxxHash64;"
		"data_block_index_type=kDataBlockBinaryAndHash;data_block_hash_table_util_ratio=0.5;"
		"enable_index_compression=false;verify_compression=true;block_align=false}",
	};

	(void)unused;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		weir_error err = { .code = WEIR_OK };
		struct fixture f = { .spec = { .name = "counts", .logged = true } };

		weir_manual_clock_init(&f.clock, 1000000);
		fixture_make_dir(&f);
		if (!weir__rocksdb_options_check(good[i], false, &err))
			fail_msg("\"%s\": %s", good[i], err.message);
		f.state = open_state(&f, good[i], NULL, &err);
		if (!f.state)
			fail_msg("\"%s\": %s", good[i], err.message);
		fixture_open(&f);
		put(&f, "a", "1");
		commit(&f, 1);
		checkpoint(&f, true);
		fixture_close(&f);
		f.state = open_state(&f, good[i], NULL, &err);
		fixture_open(&f);
		assert_get(&f, "a", "1");
		fixture_close(&f);
		fixture_remove_dir(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_are_what_rocksdb_has_and_memory_stays_shared),
		cmocka_unit_test(what_weir_relies_on_is_refused_with_a_reason),
		cmocka_unit_test(each_option_that_may_be_set_is_known_to_this_rocksdb),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
