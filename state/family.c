/* Column families, one a store partition, and who holds them. */
#include "state/disk.h"

#include <inttypes.h>

/*
 * A write buffer of at most 64 MB (more did not help), less when it is little memory for many: a part of it is
 * taken up by the memtable's bloom filter from the beginning, and hundreds of idle families must not use up the
 * whole budget.
 */
static size_t buffer_bytes(const struct state *state, size_t families)
{
	size_t bytes = state->memtable_bytes_max / (families > 8 ? families / 2 : 4);

	if (bytes > (size_t)64 << 20)
		return (size_t)64 << 20;
	return bytes > (size_t)256 << 10 ? bytes : (size_t)256 << 10;
}

rocksdb_options_t *weir__family_options(const struct state *state, const char *name, size_t families,
					weir_error *err)
{
	const char *slash = strrchr(name, '/');
	const char *text = NULL;

	if (slash && state->options_of) {
		char *store = weir__asprintf("%.*s", (int)(slash - name), name);

		text = state->options_of(store, state->options_user);
		free(store);
	}
	rocksdb_options_t *options = weir__options_tuned(state->options, text, err);

	if (options)
		rocksdb_options_set_write_buffer_size(options, buffer_bytes(state, families));
	return options;
}

void weir__family_opened(struct state *state, struct family *f, rocksdb_column_family_handle_t *handle,
			 size_t families)
{
	pthread_mutex_lock(&state->lock);
	f->handle = handle;
	f->buffer_bytes = buffer_bytes(state, families);
	f->idle_since_us = state->clock->monotonic_us(state->clock);
	pthread_mutex_unlock(&state->lock);
}

struct family *weir__family_add(struct state *state, const char *name)
{
	struct family *f = weir__calloc(1, sizeof *f);

	f->name = weir__strdup(name);
	f->next = state->families;
	state->families = f;
	return f;
}

size_t weir__family_memtable_bytes(struct state *state, const struct family *f)
{
	uint64_t bytes = 0;

	rocksdb_property_int_cf(state->db, f->handle, "rocksdb.cur-size-all-mem-tables", &bytes);
	return (size_t)bytes;
}

static struct family *family_find(struct state *state, const char *name)
{
	struct family *f = state->families;

	while (f && strcmp(f->name, name) != 0)
		f = f->next;
	return f;
}

/* Also made anew after a wipe. */
static bool family_create(struct state *state, struct family *f, weir_error *err)
{
	char *message = NULL;
	size_t families = 0;

	if (!weir__state_has_room(state, 0, err))
		return false;
	pthread_mutex_lock(&state->lock);
	for (struct family *other = state->families; other; other = other->next)
		families += other->handle != NULL;
	pthread_mutex_unlock(&state->lock);
	rocksdb_options_t *options = weir__family_options(state, f->name, families + 1, err);
	if (!options)
		return false;
	rocksdb_column_family_handle_t *handle =
		rocksdb_create_column_family(state->db, options, f->name, &message);
	rocksdb_options_destroy(options);
	if (!message)
		weir__family_opened(state, f, handle, families + 1);
	atomic_store(&f->unflushed, false);
	if (!message)
		return true;
	weir__state_fail(state, err, "make the column family", f->name, message);
	rocksdb_free(message);
	return false;
}

struct family *weir__family_take(struct state *state, const char *store, int32_t partition, bool on_disk,
				 const void *holder, weir_error *err)
{
	char *name = weir__asprintf("%s/%" PRId32, store, partition);

	pthread_mutex_lock(&state->lock);
	struct family *f = family_find(state, name);
	if (!f)
		f = weir__family_add(state, name);
	bool held = f->holder != NULL;
	if (!held)
		f->holder = holder;
	pthread_mutex_unlock(&state->lock);
	free(name);
	if (held) {
		weir_fail(err, WEIR_STORE, "partition %" PRId32 " of store %s is still held by another worker",
			  partition, store);
		if (err)
			err->retriable = true;
		return NULL;
	}
	if (on_disk && !f->handle && !family_create(state, f, err)) {
		weir__family_give(state, f);
		return NULL;
	}
	return f;
}

void weir__family_give(struct state *state, struct family *f)
{
	pthread_mutex_lock(&state->lock);
	f->holder = NULL;
	f->idle_since_us = state->clock->monotonic_us(state->clock);
	pthread_mutex_unlock(&state->lock);
}

static bool family_remove(struct state *state, struct family *f, weir_error *err)
{
	char *message = NULL;

	rocksdb_drop_column_family(state->db, f->handle, &message);
	if (message) {
		weir__state_fail(state, err, "drop the column family", f->name, message);
		rocksdb_free(message);
		return false;
	}
	rocksdb_column_family_handle_t *dropped = f->handle;
	pthread_mutex_lock(&state->lock);
	f->handle = NULL;
	pthread_mutex_unlock(&state->lock);
	rocksdb_column_family_handle_destroy(dropped);
	return true;
}

bool weir__family_drop(struct state *state, struct family *f, weir_error *err)
{
	return family_remove(state, f, err) && family_create(state, f, err);
}

/* Held by the state itself, so that nobody takes it meanwhile. */
static struct family *take_idle(struct state *state, int64_t until_us)
{
	pthread_mutex_lock(&state->lock);
	struct family *f = state->families;

	while (f && (f->holder || !f->handle || f->idle_since_us > until_us))
		f = f->next;
	if (f)
		f->holder = state;
	pthread_mutex_unlock(&state->lock);
	return f;
}

int weir__state_cleanup(struct state *state, int64_t idle_ms, weir_error *err)
{
	int64_t until_us = state->clock->monotonic_us(state->clock) - idle_ms * 1000;
	int n = 0;

	for (struct family *f; (f = take_idle(state, until_us)); n++) {
		bool removed = !weir__state_failed(state, err) && family_remove(state, f, err);

		weir__family_give(state, f);
		if (!removed)
			return -1;
	}
	return n;
}
