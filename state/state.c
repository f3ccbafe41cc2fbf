#include "state/disk.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <weir/log.h>

enum { MIB = 1 << 20, ROOM_BYTES = 8 * MIB };

bool weir__state_fail(struct state *state, weir_error *err, const char *what, const char *where,
		      const char *message)
{
	weir_error error;

	weir_fail(&error, WEIR_STORE, "%s %s in %s: %s", what, where, state->dir ? state->dir : "memory", message);
	error.fatal = true;
	pthread_mutex_lock(&state->lock);
	bool first = !atomic_load(&state->failed);
	if (first) {
		state->error = error;
		atomic_store(&state->failed, true);
	}
	pthread_mutex_unlock(&state->lock);
	if (first)
		weir_log(WEIR_LOG_ERROR, "state", "database failed error=\"%s\"", error.message);
	if (err)
		*err = error;
	return false;
}

bool weir__state_failed(struct state *state, weir_error *err)
{
	if (!atomic_load(&state->failed))
		return false;
	pthread_mutex_lock(&state->lock);
	if (err)
		*err = state->error;
	pthread_mutex_unlock(&state->lock);
	return true;
}

/*
 * RocksDB's own error of a full disk comes too late: what it then writes on to the half-written file fails an
 * assertion of it, and ends the process (7.8, as Debian builds it).
 */
bool weir__state_has_room(struct state *state, size_t bytes, weir_error *err)
{
	struct statvfs disk;
	char message[128];

	if (!state->dir || statvfs(state->dir, &disk) != 0)
		return true;
	uint64_t left = (uint64_t)disk.f_bavail * disk.f_frsize, wanted = (uint64_t)state->room_bytes_min + bytes;

	if (left >= wanted)
		return true;
	snprintf(message, sizeof message, "No space left on device: %" PRIu64 " bytes are left, %" PRIu64 " wanted",
		 left, wanted);
	return weir__state_fail(state, err, "write to", "the database", message);
}

void weir__state_break_after(struct state *state, int writes)
{
	state->writes_left = writes;
	if (writes == 0)
		weir__state_fail(state, NULL, "use", "the database", "the disk is broken (injected)");
}

/* --- opening -------------------------------------------------------------------------------------------------- */

static bool make_directories(const char *dir, weir_error *err)
{
	char *path = weir__strdup(dir);
	bool done = true;

	for (char *p = path + 1; done; p++) {
		if (*p && *p != '/')
			continue;
		char end = *p;
		*p = 0;
		if (mkdir(path, 0750) != 0 && errno != EEXIST)
			done = weir_fail(err, WEIR_STORE, "make the state directory %s: %s", path, strerror(errno));
		if (!end)
			break;
		*p = end;
	}
	free(path);
	return done;
}

/* What was to be ingested when the process died. */
static void remove_leftovers(const char *dir)
{
	char *path = weir__asprintf("%s/ingest", dir);
	DIR *d = opendir(path);

	for (struct dirent *e; d && (e = readdir(d));) {
		if (e->d_name[0] == '.')
			continue;
		char *file = weir__asprintf("%s/%s", path, e->d_name);
		unlink(file);
		free(file);
	}
	if (d)
		closedir(d);
	free(path);
}

static void set_table_options(struct state *state)
{
	rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();

	rocksdb_block_based_options_set_block_cache(table, state->block_cache);
	rocksdb_block_based_options_set_filter_policy(table, rocksdb_filterpolicy_create_bloom_full(10));
	/* Indexes and filters count towards the one budget, too. In parts: as wholes they grow larger than a shard
	 * of the block cache (1 MB at 64 MB), do not fit, and are read from the file each time. */
	rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
	rocksdb_block_based_options_set_index_type(table,
						   rocksdb_block_based_table_index_type_two_level_index_search);
	rocksdb_block_based_options_set_partition_filters(table, 1);
	rocksdb_block_based_options_set_pin_top_level_index_and_filter(table, 1);
	rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, 1);
	rocksdb_options_set_block_based_table_factory(state->options, table);
	rocksdb_block_based_options_destroy(table);
}

static bool tune(struct state *state, const char *text, weir_error *err)
{
	rocksdb_options_t *tuned = weir__rocksdb_options_check(text, false, err)
					   ? weir__options_tuned(state->options, text, err)
					   : NULL;

	if (!tuned)
		return weir_wrap(err, "rocksdb.options");
	rocksdb_options_destroy(state->options);
	state->options = tuned;
	return true;
}

/* Half of the memory for memtables, half for blocks. */
static bool make_options(struct state *state, const struct state_opts *opts, weir_error *err)
{
	/* what the C interface of RocksDB 7.8 has no setter for */
	static const char by_string[] = "avoid_flush_during_shutdown=true;stats_dump_period_sec=0;"
					"stats_persist_period_sec=0;"
					/* else 16 threads for each column family, at each opening */
					"max_file_opening_threads=1";
	rocksdb_options_t *base = rocksdb_options_create();
	char *message = NULL;
	int64_t half = opts->memory_bytes_max / 2, memtables = half > 4 * MIB ? half : 4 * MIB;
	rocksdb_options_t *o = state->options = rocksdb_options_create();

	rocksdb_get_options_from_string(base, by_string, o, &message);
	rocksdb_options_destroy(base);
	if (message)
		return weir__state_fail(state, err, "options of", "the database", message);
	rocksdb_options_set_create_if_missing(o, 1);
	rocksdb_options_set_db_write_buffer_size(o, (size_t)memtables);
	rocksdb_options_set_arena_block_size(o, 64 << 10); /* there may be many families, most of them small */
	/* 10 bits a row of some 70 bytes */
	rocksdb_options_set_memtable_prefix_bloom_size_ratio(o, 0.02);
	rocksdb_options_set_memtable_whole_key_filtering(o, 1);
	rocksdb_options_set_compression(o, rocksdb_no_compression);
	rocksdb_options_set_max_open_files(o, 512);
	rocksdb_options_set_info_log_level(o, 2); /* warnings */
	rocksdb_options_set_keep_log_file_num(o, 3);
	state->memtable_bytes_max = (size_t)memtables;
	state->restore_bytes_max = memtables < 64 * (int64_t)MIB ? memtables : 64 * (int64_t)MIB;
	if (opts->restore_bytes_max > 0)
		state->restore_bytes_max = opts->restore_bytes_max;
	state->block_cache = rocksdb_cache_create_lru((size_t)memtables);
	set_table_options(state);
	if (opts->rocksdb_options && !tune(state, opts->rocksdb_options, err))
		return false;
	state->read_options = rocksdb_readoptions_create();
	state->write_options = rocksdb_writeoptions_create();
	rocksdb_writeoptions_disable_WAL(state->write_options, 1);
	state->flush_options = rocksdb_flushoptions_create();
	rocksdb_flushoptions_set_wait(state->flush_options, 1);
	return true;
}

static void free_family_options(rocksdb_options_t **options, size_t n)
{
	for (size_t i = 0; options && i < n && options[i]; i++)
		rocksdb_options_destroy(options[i]);
	free(options);
}

/* NULL: one store's are not good. */
static rocksdb_options_t **family_options(const struct state *state, const char *const *names, size_t n,
					  weir_error *err)
{
	rocksdb_options_t **options = weir__calloc(n + 1, sizeof(void *));

	for (size_t i = 0; i < n; i++)
		if (!(options[i] = weir__family_options(state, names[i], n, err))) {
			weir_wrap(err, "store partition \"%s\"", names[i]);
			free_family_options(options, n);
			return NULL;
		}
	return options;
}

static bool open_database(struct state *state, const char *path, weir_error *err)
{
	char *current = weir__asprintf("%s/CURRENT", path), *message = NULL;
	static const char *fresh[] = { "default" };
	size_t n = 1;
	char **listed = NULL;

	if (access(current, F_OK) == 0)
		listed = rocksdb_list_column_families(state->options, path, &n, &message);
	free(current);
	if (message) {
		weir_fail(err, WEIR_STORE, "read the database %s: %s", path, message);
		rocksdb_free(message);
		rocksdb_free(listed); /* of no names, but there */
		return false;
	}
	const char *const *names = listed ? (const char *const *)listed : fresh;
	rocksdb_column_family_handle_t **handles = weir__calloc(n, sizeof(void *));
	rocksdb_options_t **options = family_options(state, names, n, err);
	if (options)
		state->db =
			rocksdb_open_column_families(state->options, path, (int)n, names,
						     (const rocksdb_options_t *const *)options, handles, &message);
	for (size_t i = 0; state->db && i < n; i++) {
		if (strcmp(names[i], "default") == 0)
			state->default_family = handles[i];
		else
			weir__family_opened(state, weir__family_add(state, names[i]), handles[i], n);
	}
	if (listed)
		rocksdb_list_column_families_destroy(listed, n);
	free(handles);
	free_family_options(options, n);
	if (state->db || !options)
		return state->db != NULL;
	if (strstr(message, "/LOCK: ")) /* not each "lock": a block may be corrupt */
		weir_fail(err, WEIR_STORE,
			  "the state directory %s is in use by another process (or twice in this one): %s",
			  state->dir, message);
	else
		weir_fail(err, WEIR_STORE, "open the database %s: %s", path, message);
	rocksdb_free(message);
	return false;
}

struct state *weir__state_open(const struct state_opts *opts, weir_error *err)
{
	struct state *state = weir__calloc(1, sizeof *state);

	pthread_mutex_init(&state->lock, NULL);
	state->clock = opts->clock;
	state->options_of = opts->rocksdb_options_of;
	state->options_user = opts->user;
	state->file_rows_min = 1000;
	state->batch_bytes_max = MIB;
	state->room_bytes_min = ROOM_BYTES;
	state->writes_left = -1;
	if (!opts->dir)
		return state;
	state->dir = weir__strdup(opts->dir);
	char *path = weir__asprintf("%s/rocksdb", opts->dir), *ingest = weir__asprintf("%s/ingest", opts->dir);
	bool done = make_directories(path, err) && weir__state_has_room(state, 0, err) &&
		    make_options(state, opts, err) && open_database(state, path, err) &&
		    make_directories(ingest, err);
	if (done)
		remove_leftovers(opts->dir); /* only now: it is certain that nobody else writes there */
	free(path);
	free(ingest);
	if (done)
		return state;
	weir__state_close_dirty(state);
	return NULL;
}

/* --- closing -------------------------------------------------------------------------------------------------- */

static void free_options(struct state *state)
{
	if (!state->options)
		return;
	rocksdb_options_destroy(state->options);
	rocksdb_cache_destroy(state->block_cache);
	rocksdb_readoptions_destroy(state->read_options);
	rocksdb_writeoptions_destroy(state->write_options);
	rocksdb_flushoptions_destroy(state->flush_options);
}

void weir__state_close_dirty(struct state *state)
{
	for (struct family *f; (f = state->families);) {
		weir_assert(!f->holder);
		state->families = f->next;
		if (f->handle)
			rocksdb_column_family_handle_destroy(f->handle);
		free(f->name);
		free(f);
	}
	for (struct note *n; (n = state->notes);) {
		state->notes = n->next;
		free(n->name);
		free(n->value);
		free(n);
	}
	if (state->default_family)
		rocksdb_column_family_handle_destroy(state->default_family);
	if (state->db)
		rocksdb_close(state->db);
	free_options(state);
	pthread_mutex_destroy(&state->lock);
	free(state->dir);
	free(state);
}

void weir__state_close(struct state *state)
{
	if (!state)
		return;
	for (struct family *f = state->families; f; f = f->next) {
		char *message = NULL;

		if (!f->handle || !atomic_load(&f->unflushed) || atomic_load(&state->failed) ||
		    !weir__state_has_room(state, weir__family_memtable_bytes(state, f), NULL))
			continue;
		rocksdb_flush_cf(state->db, state->flush_options, f->handle, &message);
		if (message) {
			weir__state_fail(state, NULL, "flush", f->name, message);
			rocksdb_free(message);
		}
	}
	weir__state_close_dirty(state);
}

int64_t weir__state_memory_bytes(struct state *state)
{
	if (!state->db)
		return 0;
	char *message = NULL;
	rocksdb_memory_consumers_t *consumers = rocksdb_memory_consumers_create();
	rocksdb_memory_consumers_add_db(consumers, state->db);
	rocksdb_memory_consumers_add_cache(consumers, state->block_cache);
	rocksdb_memory_usage_t *usage = rocksdb_approximate_memory_usage_create(consumers, &message);
	int64_t bytes = 0;
	if (!message) {
		bytes = (int64_t)(rocksdb_approximate_memory_usage_get_mem_table_total(usage) +
				  rocksdb_approximate_memory_usage_get_mem_table_readers_total(usage) +
				  rocksdb_approximate_memory_usage_get_cache_total(usage));
		rocksdb_approximate_memory_usage_destroy(usage);
	}
	rocksdb_free(message);
	rocksdb_memory_consumers_destroy(consumers);
	return bytes;
}
