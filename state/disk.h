#ifndef WEIR_STATE_DISK_H
#define WEIR_STATE_DISK_H
/*
 * RocksDB below the stores: one database an instance, one column family a store partition.
 *
 * Three rules make a crash harmless, since the write-ahead log is off and a family is on disk only as far as it was
 * flushed:
 *  - the checkpoint's record (offset and more) lies in the family itself and goes with every batch, so that no
 *    memtable can be flushed without it;
 *  - a batch that does not end a checkpoint carries the old offset: a row may be newer than the offset says, never
 *    older;
 *  - the record's greatest window start covers every row.
 */
#include <pthread.h>
#include <rocksdb/c.h>
#include <stdatomic.h>
#include "state/window_key.h"

struct note {
	struct note *next;
	char *name, *value;
};

/* A store partition as the instance knows it, open or not; lives as long as the state. */
struct family {
	struct family *next;
	char *name;                             /* <store>/<partition> */
	rocksdb_column_family_handle_t *handle; /* NULL: in memory so far */
	const void *holder;                     /* the store that holds the lease; NULL = free */
	int64_t idle_since_us;                  /* nobody has held it since then */
	size_t buffer_bytes;                    /* of its memtable */
	atomic_bool unflushed;                  /* has rows that a crash would lose */
	int64_t durable_offset;                 /* the holder's, kept over close and open */
};

struct state {
	pthread_mutex_t lock; /* families, notes, error */
	struct family *families;
	struct note *notes; /* only without a database */
	weir_clock *clock;
	char *dir;                 /* NULL = no disk */
	int64_t restore_bytes_max; /* for all stores that are being restored */
	atomic_int restoring;
	size_t memtable_bytes_max;
	size_t file_rows_min; /* so many sorted rows go into a file that is ingested */
	atomic_uint files;    /* numbers them */
	size_t batch_bytes_max;
	size_t room_bytes_min; /* of disk, for anything to be written; tests set it */
	int writes_left;       /* tests: writes that still succeed; -1 = all */
	atomic_bool failed;
	weir_error error;
	rocksdb_t *db;
	rocksdb_options_t *options;
	const char *(*options_of)(const char *store, void *user);
	void *options_user;
	rocksdb_cache_t *block_cache;
	rocksdb_column_family_handle_t *default_family;
	rocksdb_readoptions_t *read_options;
	rocksdb_writeoptions_t *write_options;
	rocksdb_flushoptions_t *flush_options;
};

/** Notes the first error of the database for good, and logs it. Always returns false. */
bool weir__state_fail(struct state *state, weir_error *err, const char *what, const char *where,
		      const char *message);
/** Whether so many bytes, and some more, fit on the disk; if not, the state has failed. Asked before writing. */
bool weir__state_has_room(struct state *state, size_t bytes, weir_error *err);

/** Options for one of so many column families, of that name; the caller destroys them. NULL: the store's own are
 * not good (WEIR_CONFIG). */
rocksdb_options_t *weir__family_options(const struct state *state, const char *name, size_t families,
					weir_error *err);
/** A copy with those of a text (NULL = none) on top; NULL: RocksDB does not know them (WEIR_CONFIG). */
rocksdb_options_t *weir__options_tuned(const rocksdb_options_t *base, const char *text, weir_error *err);
void weir__family_opened(struct state *state, struct family *f, rocksdb_column_family_handle_t *handle,
			 size_t families);
/** What of it lies in memory only. */
size_t weir__family_memtable_bytes(struct state *state, const struct family *f);
/** Under state->lock, or before anybody else has the state. */
struct family *weir__family_add(struct state *state, const char *name);
/** Takes the lease of a store partition for `holder`; `on_disk` also makes its column family. NULL: err->retriable
 *  while it is held. */
struct family *weir__family_take(struct state *state, const char *store, int32_t partition, bool on_disk,
				 const void *holder, weir_error *err);
void weir__family_give(struct state *state, struct family *f);
/** Drops all that is in it and makes it anew. */
bool weir__family_drop(struct state *state, struct family *f, weir_error *err);

/* The checkpoint's own record. */
struct meta {
	int64_t offset, wall_ms;          /* -1 = none */
	int64_t start_max, timestamp_max; /* INT64_MIN = none */
	int64_t window_size_ms, segment_ms;
	enum store_kind kind;
	bool headers; /* before the values */
};
enum { META_SIZE = 50 };
extern const char weir__meta_key[1];
void weir__meta_encode(const struct meta *meta, char out[META_SIZE]);

/* One store partition's part of the database. */
struct disk {
	struct state *state;
	struct family *family;
	const void *holder;
	struct meta meta;         /* as it would be read now */
	int64_t durable_offset;   /* what is sure to be there after a crash; -1 = none */
	bool known;               /* the record exists */
	bool rows;                /* there may be rows */
	int64_t segment_min;      /* no row lies in a segment below */
	uint32_t writes;          /* counts them, for open iterators */
	struct buffer key, value; /* scratch */
	rocksdb_writebatch_t *batch;
};

/** Reads the record and what else is kept in memory. False: unreadable, or state of another kind (WEIR_STATE). */
bool weir__disk_open(struct disk *disk, struct state *state, struct family *family, const void *holder,
		     const struct store_spec *spec, weir_error *err);
void weir__disk_release(struct disk *disk);

/* A row as read; release it. */
struct row {
	rocksdb_pinnableslice_t *pinned;
	weir_bytes value; /* null = there is none */
	int64_t timestamp_ms;
};
/** False: the database failed (noted in the state). */
bool weir__disk_get(struct disk *disk, struct place place, struct row *row);
void weir__row_release(struct row *row);
/** A value as stored: timestamp (8, BE) | value. False if it is too short. */
bool weir__row_decode(weir_bytes stored, weir_bytes *value, int64_t *timestamp_ms);

/* Writing many rows: in batches, or, when there are many and they come in order, into a file that is ingested. */
struct disk_writer {
	struct disk *disk;
	struct meta meta, meta_between;
	size_t batch_bytes_max;
	size_t bytes;
	rocksdb_sstfilewriter_t *file;
	char *path;
	bool failed;
};
enum disk_write_mode {
	DISK_BATCHES,
	DISK_ONE_BATCH,
	DISK_FILE, /* rows must come in order of place, each once */
};
/**
 * How to write so many rows. A file costs a fifth of what it costs to put them into the memtable and flush that,
 * but many small files have to be compacted: when such writes come often, only for what would nearly fill the
 * memtable.
 */
enum disk_write_mode weir__disk_write_mode(const struct disk *disk, size_t rows, size_t bytes, bool often);
/** `meta` is written with the last rows. */
void weir__disk_write_begin(struct disk_writer *w, struct disk *disk, enum disk_write_mode mode,
			    const struct meta *meta);
/** A null value deletes. */
void weir__disk_write(struct disk_writer *w, struct place place, int64_t timestamp_ms, weir_bytes value);
bool weir__disk_write_end(struct disk_writer *w, weir_error *err);

/** Makes all that was written durable. */
bool weir__disk_flush(struct disk *disk, weir_error *err);
/** Deletes the rows of all segments below `segment`. */
bool weir__disk_drop_below(struct disk *disk, int64_t segment, const struct meta *meta, weir_error *err);
/** Deletes everything, the record as well. */
bool weir__disk_wipe(struct disk *disk, weir_error *err);
void weir__disk_size(struct disk *disk, int64_t *keys, int64_t *bytes);

#endif
