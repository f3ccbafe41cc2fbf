/*
 * A store that is restored from hostile changelog records and then used: key-value, windows or sessions, values as
 * bytes or as objects, with headers or without, in memory or on disk, with a limit or without. Ranges come in
 * order, and give only keys that such a store can have.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "state/store.h"
#include "tests/fuzz/fuzz.h"

struct number {
	int64_t n;
	char bytes[8];
};

static weir_bytes number_encode(const void *object, void *user)
{
	struct number *number = user;

	weir_put_be64(number->bytes, ((const struct number *)object)->n);
	return weir_bytes_of(number->bytes, 8);
}

static bool number_decode(weir_bytes bytes, void *object, void *user)
{
	(void)user;
	if (bytes.len != 8)
		return false;
	((struct number *)object)->n = weir_get_be64(bytes.data);
	return true;
}

static bool see_change(const struct store_change *change, void *user)
{
	(void)user;
	weir_assert(!weir_is_null(change->key));
	return true;
}

static void walk(weir_iterator *it, enum store_kind kind)
{
	weir_entry e;
	char *last = NULL;
	size_t last_len = 0;

	while (weir_iterator_next(it, &e)) {
		weir_assert(!weir_is_null(e.key) && !weir_is_null(e.value));
		if (e.headers && e.headers->count) /* as put_headers has put it */
			weir_assert(weir_bytes_equal(weir_headers_last(e.headers, "value"), e.value));
		if (kind != STORE_KEY_VALUE) {
			weir_assert(e.start_ms >= 0 && (kind == STORE_WINDOW || e.end_ms >= e.start_ms));
			continue;
		}
		weir_assert(!last || weir_bytes_compare(weir_bytes_of(last, last_len), e.key) < 0);
		free(last);
		last = feed_string(e.key);
		last_len = e.key.len;
	}
	free(last);
	weir_iterator_close(it);
}

static void read_some(weir_store *s, enum store_kind kind, struct feed *f)
{
	weir_bytes a = feed_text(f), b = feed_text(f);
	int64_t from_ms = feed_time(f), to_ms = feed_time(f);

	if (kind == STORE_KEY_VALUE) {
		walk(weir_store_range(s, a, b, false), kind);
		walk(weir_store_prefix(s, weir_is_null(a) ? weir_str("") : a), kind);
		if (!weir_is_null(a))
			weir_store_get(s, a, NULL);
		return;
	}
	a = weir_is_null(a) ? weir_str("") : a;
	if (kind == STORE_SESSION) {
		walk(weir_session_find_all(s, from_ms, to_ms), kind);
		walk(weir_session_find(s, a, from_ms, to_ms, feed_byte(f) & 1), kind);
		if (from_ms <= to_ms)
			weir_session_get(s, a, from_ms, to_ms, NULL);
		return;
	}
	walk(weir_window_fetch_all(s, from_ms, to_ms), kind);
	walk(weir_window_fetch(s, a, from_ms, to_ms, feed_byte(f) & 1), kind);
	walk(weir_window_prefix(s, a, from_ms), kind);
	weir_window_get(s, a, to_ms, NULL);
}

static void put_headers(weir_store *s, weir_bytes key, weir_bytes value, int64_t start_ms, int64_t ms)
{
	weir_header items[] = { { "", { NULL, 0 } }, { "value", value } };
	weir_headers headers = { items, 2 };

	if (weir__store_spec(s)->kind == STORE_WINDOW)
		weir_window_put_headers(s, key, value, start_ms, ms, &headers);
	else
		weir_store_put_headers(s, key, value, ms, &headers);
}

static void write_some(weir_store *s, const struct store_spec *spec, struct feed *f)
{
	weir_bytes key = feed_text(f), value = feed_text(f);
	int64_t start_ms = feed_time(f), ms = feed_time(f);
	bool created = false;

	if (weir_is_null(key))
		key = weir_str("");
	if (spec->kind == STORE_SESSION) {
		/* as the operator that joins them: all that it finds, deleted, and one in their place */
		weir_iterator *it = weir_session_find(s, key, weir_time_sub(start_ms, 60000), start_ms, false);
		int64_t from_ms = start_ms < 0 ? 0 : start_ms, to_ms = from_ms;
		weir_entry e;

		if (weir_iterator_next(it, &e)) {
			from_ms = e.start_ms;
			to_ms = e.end_ms;
		}
		weir_iterator_close(it);
		weir_session_put(s, key, value, from_ms, to_ms, ms);
	} else if (spec->codec.size) {
		struct number *n =
			weir__store_object(s, key, spec->kind == STORE_WINDOW ? start_ms : 0, ms, &created);

		if (n)
			n->n++;
	} else if (spec->headers && feed_byte(f) & 1) {
		put_headers(s, key, value, start_ms, ms);
	} else if (spec->kind == STORE_WINDOW) {
		weir_window_put(s, key, value, start_ms, ms);
	} else {
		weir_store_put(s, key, value, ms);
	}
	weir_assert(!spec->entries_max || spec->evicts_at_flush || weir_store_count(s) <= spec->entries_max ||
		    weir_is_null(value));
}

/* A changelog's record: of any bytes, or of a window's or session's key. */
static void restore_one(weir_store *s, struct feed *f)
{
	static char window[300];
	weir_bytes key = feed_text(f);

	unsigned how = feed_byte(f);

	if ((how & 1) && !weir_is_null(key) && key.len + 16 <= sizeof window) {
		if (key.len)
			memcpy(window, key.data, key.len);
		weir_put_be64(window + key.len, feed_time(f));
		if (how & 2)
			weir_put_be64(window + key.len + 8, feed_time(f));
		else
			weir_put_be32(window + key.len + 8, 0);
		key = weir_bytes_of(window, key.len + (how & 2 ? 16 : 12));
	}
	weir_bytes value = feed_text(f);

	weir__store_restore_put(s, key, value, feed_time(f));
}

static void use(weir_store *s, const struct store_spec *spec, struct feed *f)
{
	enum store_kind kind = spec->kind;
	int64_t offset = 1;
	weir_error err = { .code = WEIR_OK };

	for (unsigned n = feed_byte(f) % 32; n && f->left; n--)
		restore_one(s, f);
	weir__store_restore_done(s, offset++, &err);
	while (f->left) {
		switch (feed_byte(f) % 5) {
		case 0:
			write_some(s, spec, f);
			break;
		case 1:
			read_some(s, kind, f);
			break;
		case 2:
			weir_assert(weir__store_flush(s, see_change, NULL));
			weir_assert(!spec->evicts_at_flush || weir_store_count(s) <= spec->entries_max);
			weir__store_committed(s, offset++);
			if (kind != STORE_KEY_VALUE)
				weir__store_expire(s, weir__store_time(s));
			weir__store_purge_offset(s, feed_time(f));
			break;
		case 3:
			weir__store_discard(s);
			while (f->left && feed_byte(f) & 1)
				restore_one(s, f);
			weir__store_restore_done(s, offset, &err);
			break;
		default:
			weir__store_shrink(s, feed_byte(f) * 16);
		}
	}
	weir__store_flush(s, see_change, NULL);
	weir__store_committed(s, offset);
	weir__store_checkpoint(s, false, &err);
	read_some(s, kind, &(struct feed){ (const uint8_t *)"\xfe\xfe\xc9\xc8", 4 });
}

static char dir[200];

static void remove_folder(void)
{
	char command[250];

	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	if (system(command) != 0)
		fprintf(stderr, "could not remove %s\n", dir);
}

static const char *folder(void)
{
	if (!dir[0]) {
		snprintf(dir, sizeof dir, "%s/weir-fuzz-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
		weir_assert(mkdtemp(dir));
		atexit(remove_folder);
	}
	return dir;
}

/* One database for all inputs: to open one takes longer than most inputs. Each makes the store anew. */
static struct state *database(weir_clock *clock)
{
	static struct state *state;

	if (state && !weir__state_failed(state, NULL))
		return state;
	weir__state_close(state);
	state = weir__state_open(
		&(struct state_opts){ .dir = folder(), .memory_bytes_max = 16 << 20, .clock = clock }, NULL);
	weir_assert(state);
	return state;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int64_t retention_ms[] = { 1, 3600000, 86400000, INT64_MAX };
	struct feed f = { data, size };
	unsigned how = feed_byte(&f);
	struct number number = { 0 };
	static weir_manual_clock clock;
	weir_error err;
	struct store_spec spec = {
		.name = "s",
		.kind = !(how & 1) ? STORE_KEY_VALUE
			: how & 64 ? STORE_SESSION
				   : STORE_WINDOW,
		.retention_ms = how & 1 ? retention_ms[how >> 1 & 3] : 0,
		.window_size_ms = (how & 65) == 1 ? 60000 : 0,
		.logged = true,
		.ordered = how >> 3 & 1,
		.keep_old = how >> 4 & 1,
	};
	unsigned more = feed_byte(&f);
	bool on_disk = more == 'D' || more == 'H';

	if (how >> 5 & 1 && spec.kind != STORE_SESSION)
		spec.codec = (struct store_codec){ sizeof number, number_encode, number_decode, &number };
	spec.headers = (more == 'H' || more == 'h') && !spec.codec.size && !spec.keep_old;
	spec.in_memory = more == 'L';
	if (more == 'L' && spec.kind == STORE_KEY_VALUE)
		spec.entries_max = 3;
	spec.evicts_at_flush = spec.leaves_nothing_out = spec.entries_max && (spec.codec.size || spec.keep_old);
	weir_manual_clock_init(&clock, 1663211185000);
	struct state *state = on_disk ? database(&clock.clock)
				      : weir__state_open(&(struct state_opts){ .clock = &clock.clock }, &err);

	weir_assert(state);
	weir_store *s = weir__store_open(state, &spec, 0, &err);

	weir_assert(s && weir__store_wipe(s, &err));
	use(s, &spec, &f);
	if (on_disk && !weir__state_failed(state, NULL)) /* of whatever kind the next one is */
		weir_assert(weir__store_wipe(s, &err));
	weir__store_close(s);
	if (!on_disk)
		weir__state_close(state);
	return 0;
}
