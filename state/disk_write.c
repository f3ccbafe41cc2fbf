#include "state/disk.h"

#include <unistd.h>

static void fail(struct disk_writer *w, char *message)
{
	weir__state_fail(w->disk->state, NULL, "write to", w->disk->family->name, message);
	rocksdb_free(message);
	w->failed = true;
}

/* A disk may fail at any time; tests say when. */
static bool still_works(struct disk_writer *w)
{
	struct state *state = w->disk->state;

	if (state->writes_left < 0)
		return true;
	if (state->writes_left > 0)
		return state->writes_left-- > 0;
	w->failed = true;
	return weir__state_fail(state, NULL, "write to", w->disk->family->name, "the test's disk is broken");
}

static void file_begin(struct disk_writer *w)
{
	struct state *state = w->disk->state;
	rocksdb_envoptions_t *env = rocksdb_envoptions_create();
	char record[META_SIZE], *message = NULL;

	w->path = weir__asprintf("%s/ingest/%u.sst", state->dir, atomic_fetch_add(&state->files, 1));
	w->file = rocksdb_sstfilewriter_create(env, state->options);
	rocksdb_envoptions_destroy(env);
	rocksdb_sstfilewriter_open(w->file, w->path, &message);
	weir__meta_encode(&w->meta, record);
	if (!message) /* its key is before all others */
		rocksdb_sstfilewriter_put(w->file, weir__meta_key, 1, record, sizeof record, &message);
	if (message)
		fail(w, message);
}

enum disk_write_mode weir__disk_write_mode(const struct disk *disk, size_t rows, size_t bytes, bool often)
{
	size_t rows_min = disk->state->file_rows_min;

	if (often)
		rows_min *= 50;
	return rows >= rows_min || bytes >= disk->family->buffer_bytes ? DISK_FILE : DISK_BATCHES;
}

void weir__disk_write_begin(struct disk_writer *w, struct disk *disk, enum disk_write_mode mode,
			    const struct meta *meta)
{
	*w = (struct disk_writer){ .disk = disk,
				   .meta = *meta,
				   .meta_between = *meta,
				   .batch_bytes_max =
					   mode == DISK_ONE_BATCH ? SIZE_MAX : disk->state->batch_bytes_max };
	w->meta_between.offset = disk->meta.offset;
	w->meta_between.wall_ms = disk->meta.wall_ms;
	weir_assert(disk->family->holder == disk->holder);
	w->failed = weir__state_failed(disk->state, NULL) || !weir__state_has_room(disk->state, 0, NULL);
	rocksdb_writebatch_clear(disk->batch);
	if (mode == DISK_FILE && !w->failed)
		file_begin(w);
}

static void write_batch(struct disk_writer *w, const struct meta *meta)
{
	struct disk *disk = w->disk;
	char record[META_SIZE], *message = NULL;

	if (!still_works(w))
		return;
	weir__meta_encode(meta, record);
	rocksdb_writebatch_put_cf(disk->batch, disk->family->handle, weir__meta_key, 1, record, sizeof record);
	rocksdb_write(disk->state->db, disk->state->write_options, disk->batch, &message);
	rocksdb_writebatch_clear(disk->batch);
	w->bytes = 0;
	if (message) {
		fail(w, message);
		return;
	}
	disk->meta = *meta;
	disk->known = true;
	disk->writes++;
	atomic_store(&disk->family->unflushed, true);
}

static void write_row(struct disk_writer *w, weir_bytes value)
{
	struct disk *disk = w->disk;
	char *message = NULL;

	if (w->file && weir_is_null(value))
		rocksdb_sstfilewriter_delete(w->file, disk->key.data, disk->key.len, &message);
	else if (w->file)
		rocksdb_sstfilewriter_put(w->file, disk->key.data, disk->key.len, disk->value.data, disk->value.len,
					  &message);
	else if (weir_is_null(value))
		rocksdb_writebatch_delete_cf(disk->batch, disk->family->handle, disk->key.data, disk->key.len);
	else
		rocksdb_writebatch_put_cf(disk->batch, disk->family->handle, disk->key.data, disk->key.len,
					  disk->value.data, disk->value.len);
	if (message)
		fail(w, message);
}

void weir__disk_write(struct disk_writer *w, struct place place, int64_t timestamp_ms, weir_bytes value)
{
	struct disk *disk = w->disk;

	if (w->failed)
		return;
	weir__disk_key_encode(&disk->key, disk->meta.kind, place);
	if (!weir_is_null(value)) {
		disk->value.len = value.len + 8;
		weir__buffer_reserve(&disk->value, disk->value.len);
		weir_put_be64(disk->value.data, timestamp_ms);
		if (value.len)
			memcpy(disk->value.data + 8, value.data, value.len);
		if (!disk->rows || place.segment < disk->segment_min)
			disk->segment_min = place.segment;
		disk->rows = true;
	}
	write_row(w, value);
	w->bytes += disk->key.len + 24 + (weir_is_null(value) ? 0 : disk->value.len);
	if (!w->file && w->bytes >= w->batch_bytes_max)
		write_batch(w, &w->meta_between);
}

/* The file may carry a newer offset than rows that still lie in the memtable, so these must be on disk before it
 * is. */
static void file_end(struct disk_writer *w)
{
	struct disk *disk = w->disk;
	const char *paths[] = { w->path };
	char *message = NULL;

	if (!still_works(w))
		return;
	rocksdb_sstfilewriter_finish(w->file, &message);
	if (!message && atomic_load(&disk->family->unflushed))
		rocksdb_flush_cf(disk->state->db, disk->state->flush_options, disk->family->handle, &message);
	if (!message) {
		rocksdb_ingestexternalfileoptions_t *o = rocksdb_ingestexternalfileoptions_create();
		rocksdb_ingestexternalfileoptions_set_move_files(o, 1);
		rocksdb_ingest_external_file_cf(disk->state->db, disk->family->handle, paths, 1, o, &message);
		rocksdb_ingestexternalfileoptions_destroy(o);
	}
	if (message) {
		fail(w, message);
		return;
	}
	disk->meta = w->meta;
	disk->known = true;
	disk->writes++;
	disk->durable_offset = w->meta.offset;
	atomic_store(&disk->family->unflushed, false);
}

bool weir__disk_write_end(struct disk_writer *w, weir_error *err)
{
	if (!w->failed && w->file)
		file_end(w);
	else if (!w->failed)
		write_batch(w, &w->meta);
	if (w->file) {
		rocksdb_sstfilewriter_destroy(w->file);
		unlink(w->path);
		free(w->path);
	}
	return !(w->failed && weir__state_failed(w->disk->state, err));
}
