#include "state/disk.h"

#include <inttypes.h>
#include <weir/log.h>

const char weir__meta_key[1] = { TAG_META };

/* format (1) | kind (1) | offset | wall | greatest start | greatest timestamp | window size | segment (8 each,
 * BE) */
enum { META_FORMAT = 1, META_HEADERS = 0x40 /* beside the kind */ };

void weir__meta_encode(const struct meta *m, char out[META_SIZE])
{
	const int64_t fields[] = { m->offset,        m->wall_ms,        m->start_max,
				   m->timestamp_max, m->window_size_ms, m->segment_ms };

	out[0] = META_FORMAT;
	out[1] = (char)((unsigned)m->kind | (m->headers ? META_HEADERS : 0));
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		weir_put_be64(out + 2 + 8 * i, fields[i]);
}

static bool meta_decode(weir_bytes bytes, const char *family, struct meta *m, weir_error *err)
{
	const char *p = bytes.data;

	if (bytes.len >= 1 && p[0] != META_FORMAT)
		return weir_fail(err, WEIR_STATE,
				 "state of store partition %s has format %d, this program reads %d", family, p[0],
				 META_FORMAT);
	if (bytes.len != META_SIZE)
		return weir_fail(err, WEIR_STORE,
				 "the checkpoint record of store partition %s has %zu bytes, not %d", family,
				 bytes.len, META_SIZE);
	*m = (struct meta){ .kind = (enum store_kind)(p[1] & ~META_HEADERS),
			    .headers = (p[1] & META_HEADERS) != 0,
			    .offset = weir_get_be64(p + 2),
			    .wall_ms = weir_get_be64(p + 10),
			    .start_max = weir_get_be64(p + 18),
			    .timestamp_max = weir_get_be64(p + 26),
			    .window_size_ms = weir_get_be64(p + 34),
			    .segment_ms = weir_get_be64(p + 42) };
	return true;
}

static bool failed(struct disk *disk, weir_error *err, const char *what, char *message)
{
	weir__state_fail(disk->state, err, what, disk->family->name, message);
	rocksdb_free(message);
	return false;
}

/* --- opening -------------------------------------------------------------------------------------------------- */

static const char *name_of(enum store_kind kind)
{
	static const char *const names[] = { "keys and values", "windows", "sessions", "versions",
					     "something else" };

	return (unsigned)kind < sizeof names / sizeof *names ? names[kind] : "an unknown kind";
}

static bool fits(const struct disk *disk, const struct store_spec *spec, weir_error *err)
{
	const struct meta *m = &disk->meta;

	if (m->kind != spec->kind)
		return weir_fail(err, WEIR_STATE, "store partition %s holds %s on disk, the topology wants %s",
				 disk->family->name, name_of(m->kind), name_of(spec->kind));
	if (m->kind == STORE_WINDOW && m->window_size_ms != spec->window_size_ms)
		return weir_fail(err, WEIR_STATE,
				 "store partition %s was made with windows of %" PRId64
				 " ms, the topology wants %" PRId64 " ms",
				 disk->family->name, m->window_size_ms, spec->window_size_ms);
	if (weir__store_kind_timed(m->kind) && m->segment_ms <= 0)
		return weir_fail(err, WEIR_STORE, "store partition %s: segments of %" PRId64 " ms",
				 disk->family->name, m->segment_ms);
	return true;
}

/* Values with headers, where they are wanted without, or the other way round: the changelog has either. */
static bool begin_anew(struct disk *disk, const struct store_spec *spec, weir_error *err)
{
	const char *has = disk->meta.headers ? "with" : "without", *wants = spec->headers ? "with" : "without";

	if (!spec->logged)
		return weir_fail(err, WEIR_STATE,
				 "store partition %s holds values %s headers on disk, the topology wants them %s; "
				 "without a changelog it cannot be made anew",
				 disk->family->name, has, wants);
	weir_log(WEIR_LOG_WARN, "state",
		 "store partition %s holds values %s headers: wiped, to be restored %s headers", disk->family->name,
		 has, wants);
	disk->meta.headers = spec->headers;
	return weir__disk_wipe(disk, err);
}

static bool load_meta(struct disk *disk, const struct store_spec *spec, weir_error *err)
{
	char *message = NULL;
	rocksdb_pinnableslice_t *slice = rocksdb_get_pinned_cf(disk->state->db, disk->state->read_options,
							       disk->family->handle, weir__meta_key, 1, &message);

	if (message)
		return failed(disk, err, "read the checkpoint record of", message);
	if (!slice)
		return true;
	weir_bytes bytes;
	bytes.data = rocksdb_pinnableslice_value(slice, &bytes.len);
	disk->known = meta_decode(bytes, disk->family->name, &disk->meta, err);
	rocksdb_pinnableslice_destroy(slice);
	/* less than what is read, if another worker has closed it and nobody has flushed since */
	disk->durable_offset =
		atomic_load(&disk->family->unflushed) ? disk->family->durable_offset : disk->meta.offset;
	return disk->known && fits(disk, spec, err);
}

static bool find_first_row(struct disk *disk, weir_error *err)
{
	static const char first[] = { TAG_DATA };
	rocksdb_iterator_t *it =
		rocksdb_create_iterator_cf(disk->state->db, disk->state->read_options, disk->family->handle);
	char *message = NULL;
	struct place place;
	weir_bytes key;

	rocksdb_iter_seek(it, first, sizeof first);
	disk->rows = rocksdb_iter_valid(it);
	if (disk->rows) {
		key.data = rocksdb_iter_key(it, &key.len);
		disk->segment_min = weir__disk_key_decode(key, disk->meta.kind, &place) ? place.segment : 0;
	}
	rocksdb_iter_get_error(it, &message);
	rocksdb_iter_destroy(it);
	return !message || failed(disk, err, "read the first row of", message);
}

bool weir__disk_open(struct disk *disk, struct state *state, struct family *family, const void *holder,
		     const struct store_spec *spec, weir_error *err)
{
	int64_t segment_ms = spec->segment_ms > 0 ? spec->segment_ms : spec->retention_ms / 2;

	*disk = (struct disk){ .state = state, .family = family, .holder = holder, .durable_offset = -1 };
	disk->meta = (struct meta){ .offset = -1,
				    .wall_ms = -1,
				    .start_max = INT64_MIN,
				    .timestamp_max = INT64_MIN,
				    .window_size_ms = spec->window_size_ms,
				    .segment_ms = spec->segment_ms <= 0 && segment_ms < 60000 ? 60000 : segment_ms,
				    .kind = spec->kind,
				    .headers = spec->headers };
	if (!family) /* in memory */
		return true;
	if (!load_meta(disk, spec, err))
		return false;
	if (disk->meta.headers != spec->headers && !begin_anew(disk, spec, err))
		return false;
	if (!find_first_row(disk, err))
		return false;
	disk->batch = rocksdb_writebatch_create();
	return true;
}

void weir__disk_release(struct disk *disk)
{
	if (disk->batch) {
		disk->family->durable_offset = disk->durable_offset;
		rocksdb_writebatch_destroy(disk->batch);
	}
	weir__buffer_release(&disk->key);
	weir__buffer_release(&disk->value);
}

/* --- reading -------------------------------------------------------------------------------------------------- */

bool weir__row_decode(weir_bytes stored, weir_bytes *value, int64_t *timestamp_ms)
{
	if (stored.len < 8)
		return false;
	*timestamp_ms = weir_get_be64(stored.data);
	*value = (weir_bytes){ (const char *)stored.data + 8, stored.len - 8 };
	return true;
}

bool weir__disk_get(struct disk *disk, struct place place, struct row *row)
{
	char *message = NULL;

	*row = (struct row){ 0 };
	weir__disk_key_encode(&disk->key, disk->meta.kind, place);
	row->pinned = rocksdb_get_pinned_cf(disk->state->db, disk->state->read_options, disk->family->handle,
					    disk->key.data, disk->key.len, &message);
	if (message)
		return failed(disk, NULL, "read from", message);
	if (!row->pinned)
		return true;
	weir_bytes stored;
	stored.data = rocksdb_pinnableslice_value(row->pinned, &stored.len);
	if (weir__row_decode(stored, &row->value, &row->timestamp_ms))
		return true;
	weir__row_release(row);
	return weir__state_fail(disk->state, NULL, "read from", disk->family->name, "a row is too short");
}

void weir__row_release(struct row *row)
{
	if (row->pinned)
		rocksdb_pinnableslice_destroy(row->pinned);
	*row = (struct row){ 0 };
}

/* --- the rest ------------------------------------------------------------------------------------------------- */

bool weir__disk_flush(struct disk *disk, weir_error *err)
{
	char *message = NULL;

	if (weir__state_failed(disk->state, err) ||
	    !weir__state_has_room(disk->state, weir__family_memtable_bytes(disk->state, disk->family), err))
		return false;
	rocksdb_flush_cf(disk->state->db, disk->state->flush_options, disk->family->handle, &message);
	if (message)
		return failed(disk, err, "flush", message);
	atomic_store(&disk->family->unflushed, false);
	disk->durable_offset = disk->meta.offset;
	return true;
}

bool weir__disk_drop_below(struct disk *disk, int64_t segment, const struct meta *meta, weir_error *err)
{
	struct state *state = disk->state;
	struct buffer to = { 0 };
	char record[META_SIZE], *message = NULL;

	weir_assert(disk->family->holder == disk->holder);
	if (weir__state_failed(state, err))
		return false;
	weir__disk_key_encode(&disk->key, disk->meta.kind, (struct place){ disk->segment_min, WEIR_NULL });
	weir__disk_key_encode(&to, disk->meta.kind, (struct place){ segment, WEIR_NULL });
	/* Whole files go at once; what of the range lies in other files is hidden by a range tombstone until it is
	 * compacted. */
	rocksdb_delete_file_in_range_cf(state->db, disk->family->handle, disk->key.data, disk->key.len, to.data,
					to.len, &message);
	if (!message) {
		weir__meta_encode(meta, record);
		rocksdb_writebatch_clear(disk->batch);
		rocksdb_writebatch_delete_range_cf(disk->batch, disk->family->handle, disk->key.data, disk->key.len,
						   to.data, to.len);
		rocksdb_writebatch_put_cf(disk->batch, disk->family->handle, weir__meta_key, 1, record,
					  sizeof record);
		rocksdb_write(state->db, state->write_options, disk->batch, &message);
	}
	weir__buffer_release(&to);
	if (message)
		return failed(disk, err, "delete old segments of", message);
	disk->meta = *meta;
	disk->writes++;
	disk->segment_min = segment;
	atomic_store(&disk->family->unflushed, true);
	return true;
}

bool weir__disk_wipe(struct disk *disk, weir_error *err)
{
	weir_assert(disk->family->holder == disk->holder);
	if (weir__state_failed(disk->state, err) || !weir__family_drop(disk->state, disk->family, err))
		return false;
	disk->meta.offset = disk->meta.wall_ms = disk->durable_offset = -1;
	disk->meta.start_max = disk->meta.timestamp_max = INT64_MIN;
	disk->known = disk->rows = false;
	disk->segment_min = 0;
	disk->writes++;
	return true;
}

void weir__disk_size(struct disk *disk, int64_t *keys, int64_t *bytes)
{
	uint64_t n = 0, size = 0;

	rocksdb_property_int_cf(disk->state->db, disk->family->handle, "rocksdb.estimate-num-keys", &n);
	rocksdb_property_int_cf(disk->state->db, disk->family->handle, "rocksdb.total-sst-files-size", &size);
	*keys = (int64_t)n - (n > 0 && disk->known); /* less the record */
	*bytes = (int64_t)size;
}
