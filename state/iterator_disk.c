#include "state/iterator.h"

static void read_place(weir_iterator *it)
{
	weir_bytes key;
	char *message = NULL;

	it->disk_done = false;
	it->disk_valid = rocksdb_iter_valid(it->disk);
	if (it->disk_valid) {
		key.data = rocksdb_iter_key(it->disk, &key.len);
		it->disk_valid = weir__disk_key_decode(key, it->store->spec.kind, &it->disk_place);
		if (!it->disk_valid)
			weir__state_fail(it->store->state, NULL, "read a range of", it->store->family->name,
					 "a key of another kind of store");
		return;
	}
	rocksdb_iter_get_error(it->disk, &message);
	if (message)
		weir__state_fail(it->store->state, NULL, "read a range of", it->store->family->name, message);
	rocksdb_free(message);
}

static void set_bounds(weir_iterator *it)
{
	static const char past_all[] = { TAG_DATA + 1 };
	enum store_kind kind = it->store->spec.kind;

	if (!it->disk_options)
		it->disk_options = rocksdb_readoptions_create();
	weir__disk_key_encode(&it->disk_low, kind, weir__bound_place(&it->low));
	if (it->high_open)
		weir__buffer_set(&it->disk_high, weir_bytes_of(past_all, sizeof past_all));
	else
		weir__disk_key_encode(&it->disk_high, kind, weir__bound_place(&it->high));
	/* RocksDB keeps the pointers */
	rocksdb_readoptions_set_iterate_lower_bound(it->disk_options, it->disk_low.data, it->disk_low.len);
	rocksdb_readoptions_set_iterate_upper_bound(it->disk_options, it->disk_high.data, it->disk_high.len);
}

void weir__iterator_disk_close(weir_iterator *it)
{
	if (it->disk)
		rocksdb_iter_destroy(it->disk);
	it->disk = NULL;
	it->disk_valid = it->disk_done = false;
}

/* What is asked for is newer than all that was ever written: no need to look. */
static bool above_all(const weir_iterator *it)
{
	const struct meta *meta = &it->store->disk.meta;
	bool versions = it->store->spec.kind == STORE_VERSIONED;

	return it->shape != SHAPE_ALL && it->from_ms > (versions ? meta->timestamp_max : meta->start_max);
}

void weir__iterator_disk_open(weir_iterator *it)
{
	struct disk *disk = &it->store->disk;

	weir__iterator_disk_close(it);
	it->writes = disk->writes;
	if (it->store->in_memory || !disk->rows || above_all(it))
		return;
	if (it->store->spec.duplicates && it->shape == SHAPE_ONE_KEY && it->from_ms >= it->store->complete_from_ms)
		return;
	set_bounds(it);
	it->disk = rocksdb_create_iterator_cf(disk->state->db, it->disk_options, disk->family->handle);
	if (it->reverse)
		rocksdb_iter_seek_to_last(it->disk);
	else
		rocksdb_iter_seek_to_first(it->disk);
	read_place(it);
}

void weir__iterator_disk_seek(weir_iterator *it, struct place place)
{
	if (!it->disk)
		return;
	weir__disk_key_encode(&it->disk_seek, it->store->spec.kind, place);
	if (it->reverse)
		rocksdb_iter_seek_for_prev(it->disk, it->disk_seek.data, it->disk_seek.len);
	else
		rocksdb_iter_seek(it->disk, it->disk_seek.data, it->disk_seek.len);
	read_place(it);
}

void weir__iterator_disk_step(weir_iterator *it)
{
	if (it->reverse)
		rocksdb_iter_prev(it->disk);
	else
		rocksdb_iter_next(it->disk);
	read_place(it);
}
