#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H
/* A state directory under /tmp (or none), a store in it, and a changelog in memory that outlives both. */
#include <weir/store.h>

#include <ftw.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "state/store.h"

struct fixture {
	char dir[64];
	weir_manual_clock clock;
	struct state *state;
	weir_store *store;
	struct store_spec spec;
	char flushed[4096]; /* what the last flush gave: key=value@timestamp(old) */
};

static inline int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline void fixture_make_dir(struct fixture *f)
{
	snprintf(f->dir, sizeof f->dir, "/tmp/weir-store-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
}

static inline void fixture_remove_dir(struct fixture *f)
{
	if (f->dir[0])
		nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void fixture_open(struct fixture *f)
{
	weir_error err = { 0 };

	if (!f->state)
		f->state = weir__state_open(&(struct state_opts){ .dir = f->dir[0] ? f->dir : NULL,
								  .memory_bytes_max = 16 << 20,
								  .clock = &f->clock.clock },
					    &err);
	if (!f->state)
		fail_msg("%s", err.message);
	f->store = weir__store_open(f->state, &f->spec, 0, &err);
	if (!f->store)
		fail_msg("%s", err.message);
}

static inline void fixture_close(struct fixture *f)
{
	weir__store_close(f->store);
	f->store = NULL;
	weir__state_close(f->state);
	f->state = NULL;
}

static inline void fixture_crash(struct fixture *f)
{
	weir__store_close(f->store);
	f->store = NULL;
	weir__state_close_dirty(f->state);
	f->state = NULL;
}

/* on_disk: in a directory of its own. */
static inline struct fixture *fixture_new(bool on_disk, struct store_spec spec)
{
	struct fixture *f = calloc(1, sizeof *f);

	weir_manual_clock_init(&f->clock, 1000000);
	f->spec = spec;
	f->spec.name = "counts";
	f->spec.logged = true;
	if (on_disk)
		fixture_make_dir(f);
	fixture_open(f);
	return f;
}

static inline void fixture_free(struct fixture *f)
{
	fixture_close(f);
	fixture_remove_dir(f);
	free(f);
}

/* For cmocka. */
static inline int fixture_drop(void **state)
{
	fixture_free(*state);
	return 0;
}

/* --- short forms: keys and values are strings ----------------------------------------------------------------- */

static inline void put(struct fixture *f, const char *key, const char *value)
{
	weir_store_put(f->store, weir_str(key), weir_str(value), 7);
}

static inline void assert_value(weir_bytes value, const char *wanted)
{
	if (!wanted) {
		assert_true(weir_is_null(value));
		return;
	}
	if (weir_is_null(value) || value.len != strlen(wanted) || memcmp(value.data, wanted, value.len) != 0)
		fail_msg("wanted %s, got %.*s", wanted, weir_is_null(value) ? 4 : (int)value.len,
			 weir_is_null(value) ? "null" : (const char *)value.data);
}

static inline void assert_get(struct fixture *f, const char *key, const char *wanted)
{
	assert_value(weir_store_get(f->store, weir_str(key), NULL), wanted);
}

static inline void assert_window(struct fixture *f, const char *key, int64_t start_ms, const char *wanted)
{
	assert_value(weir_window_get(f->store, weir_str(key), start_ms, NULL), wanted);
}

/* Cuts what does not fit. */
static inline void append_text(char *to, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static inline void append_text(char *to, size_t size, const char *format, ...)
{
	size_t used = strlen(to);
	va_list args;

	va_start(args, format);
	vsnprintf(to + used, size - used, format, args);
	va_end(args);
}

#define TEXT(b) weir_is_null(b) ? 4 : (int)(b).len, weir_is_null(b) ? "null" : (const char *)(b).data

static inline bool note_change(const struct store_change *c, void *user)
{
	struct fixture *f = user;
	weir_bytes key = c->key;
	int64_t start = 0;

	if (f->spec.kind == STORE_WINDOW)
		assert_true(weir__window_key_split(c->key, &key, &start));
	append_text(f->flushed, sizeof f->flushed, "%.*s", TEXT(key));
	if (f->spec.kind == STORE_WINDOW)
		append_text(f->flushed, sizeof f->flushed, "/%" PRId64, start);
	append_text(f->flushed, sizeof f->flushed, "=%.*s", TEXT(c->value));
	if (f->spec.keep_old)
		append_text(f->flushed, sizeof f->flushed, "(%.*s)", TEXT(c->old));
	append_text(f->flushed, sizeof f->flushed, " ");
	return true;
}

static inline void flush(struct fixture *f)
{
	f->flushed[0] = 0;
	assert_true(weir__store_flush(f->store, note_change, f));
}

static inline void commit(struct fixture *f, int64_t next_offset)
{
	flush(f);
	weir__store_committed(f->store, next_offset);
}

static inline void checkpoint(struct fixture *f, bool durable)
{
	weir_error err = { 0 };

	if (!weir__store_checkpoint(f->store, durable, &err))
		fail_msg("%s", err.message);
}

/* All that an iterator gives, as key=value or key/start=value; closes it. */
static inline const char *listed(struct fixture *f, weir_iterator *it)
{
	static char text[8192];
	weir_entry e;

	text[0] = 0;
	while (weir_iterator_next(it, &e)) {
		append_text(text, sizeof text, "%.*s", TEXT(e.key));
		if (f->spec.kind == STORE_WINDOW)
			append_text(text, sizeof text, "/%" PRId64, e.start_ms);
		append_text(text, sizeof text, "=%.*s ", TEXT(e.value));
	}
	weir_iterator_close(it);
	return text;
}

#endif
