/*
 * Random steps on a store, each compared with a model that is too simple to be wrong: an array of cells, as the
 * open transaction sees them and as committed, and a changelog in memory that knows which of its records were
 * committed.
 *
 *   unit-test_store_model [first seed [seeds [steps]]]
 */
#include <weir/rng.h>

#include "state/disk.h"
#include "tests/unit/store_fixture.h"

enum { WINDOW_KEYS = 12, SLOTS = 400, SLOT_MS = 10, RETENTION_MS = 300, CELLS = WINDOW_KEYS * SLOTS };
enum { RECORDS_MAX = 100000 };

/* A cell is a key, or a window of a key. Values are unique numbers, written as text; 0 = there is none. */
struct cell {
	int64_t value, timestamp_ms;
};

enum outcome { PENDING, COMMITTED, ABORTED };

struct record {
	int cell;
	struct cell to;
	enum outcome outcome;
	bool compacted; /* the broker has dropped it */
};

static struct model {
	struct fixture *f;
	weir_rng rng;
	uint64_t seed;
	int steps, step, cells;
	bool windows, sessions, objects; /* sessions are windows by their ends */
	bool headers;
	struct cell live[CELLS], flushed[CELLS], committed[CELLS];
	int changed[2 * CELLS], changed_count; /* in order of first change since the last flush */
	bool is_changed[CELLS];
	int64_t start_max, start_max_flushed, start_max_committed;
	int64_t next_value;
	struct record log[RECORDS_MAX];
	int64_t log_first, log_end, log_committed; /* of what was not purged; as of the last commit */
	int64_t durable;                           /* offset that must survive a crash */
	int crashes, aborts, restored;
} m;

#define check(cond) \
	do { \
		if (!(cond)) \
			fail_msg("seed %" PRIu64 ", step %d: not so: %s", m.seed, m.step, #cond); \
	} while (0)

static int below(int n)
{
	return (int)weir_rng_below(&m.rng, (uint64_t)n);
}

static bool one_in(int n)
{
	return below(n) == 0;
}

/* --- keys and values ------------------------------------------------------------------------------------------ */

/* Short keys of few different bytes: many begin others, with the bytes that make trouble. */
static weir_bytes key_of(int n)
{
	static const char bytes[] = { 0, 'a', (char)0xff };
	static struct {
		char text[4];
		size_t len;
	} keys[40];

	for (int of_len = 1, len = 0, key = 0; !keys[39].len && key < 40; of_len *= 3, len++)
		for (int i = 0; i < of_len; i++, key++) {
			keys[key].len = (size_t)len;
			for (int at = 0, rest = i; at < len; at++, rest /= 3)
				keys[key].text[at] = bytes[rest % 3];
		}
	return (weir_bytes){ keys[n].text, keys[n].len };
}

static weir_bytes cell_key(int cell)
{
	return key_of(m.windows ? cell / SLOTS : cell);
}

/* Of sessions the end. */
static int64_t cell_start(int cell)
{
	return m.windows ? cell % SLOTS * SLOT_MS : 0;
}

/* Of sessions. */
static int64_t cell_first(int cell)
{
	int64_t end = cell_start(cell), length = cell % 3 * 15;

	return end > length ? end - length : 0;
}

static int cell_of(weir_bytes key, int64_t start_ms)
{
	for (int i = 0; i < (m.windows ? WINDOW_KEYS : m.cells); i++)
		if (weir_bytes_equal(key_of(i), key))
			return m.windows ? i * SLOTS + (int)(start_ms / SLOT_MS) : i;
	check(!"a key of the model");
	return 0;
}

/* As in the changelog. */
static weir_bytes cell_changelog_key(int cell)
{
	static char text[32];
	weir_bytes key = cell_key(cell);

	if (!m.windows)
		return key;
	if (key.len)
		memcpy(text, key.data, key.len);
	weir_put_be64(text + key.len, cell_start(cell));
	if (m.sessions) {
		weir_put_be64(text + key.len + 8, cell_first(cell));
		return (weir_bytes){ text, key.len + 16 };
	}
	weir_put_be32(text + key.len + 8, 0);
	return (weir_bytes){ text, key.len + 12 };
}

/* Values have lengths of all kinds; objects are encoded without the filling. */
static weir_bytes text_of(int64_t value)
{
	static char text[128];
	int len = snprintf(text, sizeof text, "%" PRId64, value);

	if (!value)
		return WEIR_NULL;
	for (int64_t fill = m.objects ? 0 : value * 7 % 90; fill > 0; fill--)
		text[len++] = '.';
	return (weir_bytes){ text, (size_t)len };
}

static int64_t value_of(weir_bytes text)
{
	int64_t value = 0;

	for (size_t i = 0; i < text.len && ((const char *)text.data)[i] != '.'; i++)
		value = 10 * value + (((const char *)text.data)[i] - '0');
	return value;
}

static weir_bytes encode(const void *object, void *user)
{
	(void)user;
	return text_of(*(const int64_t *)object);
}

static bool decode(weir_bytes bytes, void *object, void *user)
{
	(void)user;
	*(int64_t *)object = value_of(bytes);
	return true;
}

/* Each value has its own. */
static const weir_headers *headers_of(int64_t value)
{
	static weir_header items[3];
	static weir_headers headers = { items, 0 };
	weir_bytes text = text_of(value);

	if (!m.headers)
		return NULL;
	headers.count = (size_t)(value % 4);
	for (size_t i = 0; i < headers.count; i++) {
		items[i].name = i % 2 ? "" : "name";
		items[i].value = i == 2 ? WEIR_NULL : (weir_bytes){ text.data, (size_t)value % (text.len + 1) };
	}
	return &headers;
}

static void check_headers(const weir_headers *got, int64_t value)
{
	const weir_headers *wanted = headers_of(value);

	check(!got == !wanted && (!got || got->count == wanted->count));
	for (size_t i = 0; got && i < got->count; i++)
		check(strcmp(got->items[i].name, wanted->items[i].name) == 0 &&
		      weir_bytes_equal(got->items[i].value, wanted->items[i].value));
}

static bool leaves_out(void)
{
	return m.f->spec.leaves_out || m.f->spec.keep_old;
}

static bool visible(int cell)
{
	return !m.windows || cell_start(cell) > m.start_max - RETENTION_MS;
}

/* --- single steps --------------------------------------------------------------------------------------------- */

/* Windows are mostly young, time goes on slowly, some are past retention. */
static int random_cell(void)
{
	if (!m.windows)
		return below(m.cells);
	int newest = m.start_max < 0 ? 0 : (int)(m.start_max / SLOT_MS);
	int slot =
		newest + (one_in(12) ? below(6) : 0) - (one_in(3) ? below(RETENTION_MS / SLOT_MS + 8) : below(4));
	if (slot < 0)
		slot = 0;
	if (slot >= SLOTS)
		slot = SLOTS - 1;
	return below(WINDOW_KEYS) * SLOTS + slot;
}

static void note_change_of(int cell, int64_t value, int64_t timestamp_ms)
{
	m.live[cell] = (struct cell){ value, timestamp_ms };
	if (m.windows && cell_start(cell) > m.start_max)
		m.start_max = cell_start(cell);
	if (!m.is_changed[cell])
		m.changed[m.changed_count++] = cell;
	m.is_changed[cell] = true;
}

static void put_cell(int cell, weir_bytes value, int64_t timestamp_ms, const weir_headers *headers)
{
	weir_bytes key = cell_key(cell);
	int64_t start = cell_start(cell), first = cell_first(cell);

	if (m.sessions && headers)
		weir_session_put_headers(m.f->store, key, value, first, start, timestamp_ms, headers);
	else if (m.sessions)
		weir_session_put(m.f->store, key, value, first, start, timestamp_ms);
	else if (m.windows && headers)
		weir_window_put_headers(m.f->store, key, value, start, timestamp_ms, headers);
	else if (m.windows)
		weir_window_put(m.f->store, key, value, start, timestamp_ms);
	else if (headers)
		weir_store_put_headers(m.f->store, key, value, timestamp_ms, headers);
	else
		weir_store_put(m.f->store, key, value, timestamp_ms);
}

static void step_put(bool deletion)
{
	int cell = random_cell();
	int64_t value = deletion ? 0 : ++m.next_value, timestamp = cell_start(cell) + below(SLOT_MS);

	if (leaves_out() && !visible(cell)) /* tables put nothing past retention: what it was is not known */
		return;
	put_cell(cell, text_of(value), timestamp, headers_of(value));
	note_change_of(cell, value, timestamp);
}

static void step_object(void)
{
	int cell = random_cell();
	int64_t timestamp = cell_start(cell) + below(SLOT_MS), old = m.live[cell].value;
	bool created = false;
	int64_t *n = weir__store_object(m.f->store, cell_key(cell), cell_start(cell), timestamp, &created);

	check((n != NULL) == visible(cell));
	if (!n)
		return;
	check(created == !old && *n == old);
	*n = ++m.next_value;
	if (old && m.live[cell].timestamp_ms > timestamp)
		timestamp = m.live[cell].timestamp_ms;
	note_change_of(cell, *n, timestamp);
}

static weir_bytes get_with_headers(int cell, int64_t *timestamp_ms, const weir_headers **headers)
{
	if (m.sessions)
		return weir_session_get_headers(m.f->store, cell_key(cell), cell_first(cell), cell_start(cell),
						timestamp_ms, headers);
	if (m.windows)
		return weir_window_get_headers(m.f->store, cell_key(cell), cell_start(cell), timestamp_ms, headers);
	return weir_store_get_headers(m.f->store, cell_key(cell), timestamp_ms, headers);
}

static weir_bytes get_cell(int cell, int64_t *timestamp_ms)
{
	if (m.sessions)
		return weir_session_get(m.f->store, cell_key(cell), cell_first(cell), cell_start(cell),
					timestamp_ms);
	if (m.windows)
		return weir_window_get(m.f->store, cell_key(cell), cell_start(cell), timestamp_ms);
	return weir_store_get(m.f->store, cell_key(cell), timestamp_ms);
}

static void check_get(int cell)
{
	int64_t timestamp = -1, wanted = visible(cell) ? m.live[cell].value : 0;
	weir_bytes got = get_cell(cell, &timestamp);

	check(weir_bytes_equal(got, text_of(wanted)));
	check(!wanted || timestamp == m.live[cell].timestamp_ms);
	if (!m.headers)
		return;
	const weir_headers *headers;

	check(weir_bytes_equal(get_with_headers(cell, &timestamp, &headers), text_of(wanted)));
	check_headers(headers, wanted);
}

/* --- ranges --------------------------------------------------------------------------------------------------- */

static int64_t segment_of(int cell)
{
	return m.windows ? cell_start(cell) / m.f->spec.segment_ms : 0;
}

static int compare_cells(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;
	char key[32];
	weir_bytes kx = cell_changelog_key(x);

	if (segment_of(x) != segment_of(y))
		return segment_of(x) < segment_of(y) ? -1 : 1;
	memcpy(key, kx.data, kx.len);
	return weir_bytes_compare((weir_bytes){ key, kx.len }, cell_changelog_key(y));
}

static int64_t time_of(const weir_entry *e)
{
	return m.sessions ? e->end_ms : e->start_ms;
}

static weir_iterator *all_windows(int64_t from_ms, int64_t to_ms)
{
	return m.sessions ? weir_session_find_all(m.f->store, from_ms, to_ms)
			  : weir_window_fetch_all(m.f->store, from_ms, to_ms);
}

typedef bool wanted_fn(int cell, weir_bytes from, weir_bytes to, int64_t from_ms, int64_t to_ms);

static void check_range(weir_iterator *it, bool reverse, wanted_fn *wanted, weir_bytes from, weir_bytes to,
			int64_t from_ms, int64_t to_ms)
{
	int cells[CELLS], n = 0, i = 0, stop_after = one_in(10) ? below(5) : CELLS;
	weir_entry e;

	for (int cell = 0; cell < m.cells; cell++)
		if (m.live[cell].value && visible(cell) && wanted(cell, from, to, from_ms, to_ms))
			cells[n++] = cell;
	qsort(cells, (size_t)n, sizeof *cells, compare_cells);
	for (; i < stop_after; i++) {
		weir_entry seen;
		bool looks = one_in(4), there = looks && weir_iterator_peek(it, &seen);

		if (looks && one_in(4))
			check(weir_iterator_peek(it, &seen) == there);
		if (one_in(20))
			check_get(random_cell());
		bool given = weir_iterator_next(it, &e);

		check(!looks || there == given);
		if (!given)
			break;
		check(i < n);
		if (looks)
			check(seen.start_ms == e.start_ms && seen.end_ms == e.end_ms &&
			      seen.timestamp_ms == e.timestamp_ms);
		int cell = cells[reverse ? n - 1 - i : i];
		check(weir_bytes_equal(e.key, cell_key(cell)) && time_of(&e) == cell_start(cell));
		check(!m.sessions || e.start_ms == cell_first(cell));
		check(weir_bytes_equal(e.value, text_of(m.live[cell].value)));
		check_headers(e.headers, m.live[cell].value);
		check(e.timestamp_ms == m.live[cell].timestamp_ms);
		if (one_in(20))
			check_get(random_cell()); /* reading does not disturb it */
	}
	check(i == n || i == stop_after);
	weir_iterator_close(it);
}

static bool within(int cell, weir_bytes from, weir_bytes to, int64_t from_ms, int64_t to_ms)
{
	return (weir_is_null(from) || weir_bytes_compare(cell_key(cell), from) >= 0) &&
	       (weir_is_null(to) || weir_bytes_compare(cell_key(cell), to) <= 0) && cell_start(cell) >= from_ms &&
	       cell_start(cell) <= to_ms;
}

static bool with_prefix(int cell, weir_bytes prefix, weir_bytes to, int64_t from_ms, int64_t to_ms)
{
	weir_bytes key = cell_key(cell);

	(void)to;
	return key.len >= prefix.len && memcmp(key.data, prefix.data, prefix.len) == 0 &&
	       cell_start(cell) >= from_ms && cell_start(cell) <= to_ms;
}

/* Sessions that end at from_ms or later and start at to_ms or before. */
static bool overlapping(int cell, weir_bytes from, weir_bytes to, int64_t from_ms, int64_t to_ms)
{
	(void)to;
	return weir_bytes_equal(cell_key(cell), from) && cell_start(cell) >= from_ms && cell_first(cell) <= to_ms;
}

static void step_range(void)
{
	weir_bytes a = one_in(4) ? WEIR_NULL : key_of(below(40)), b = one_in(4) ? WEIR_NULL : key_of(below(40));
	bool reverse = one_in(2);
	int64_t from = m.start_max - below(RETENTION_MS + 100), to = from + below(300);

	if (!m.windows && one_in(2)) {
		check_range(weir_store_range(m.f->store, a, b, reverse), reverse, within, a, b, 0, 0);
	} else if (!m.windows) {
		a = key_of(below(40));
		check_range(weir_store_prefix(m.f->store, a), false, with_prefix, a, b, 0, 0);
	} else if (one_in(3)) {
		from = one_in(3) ? INT64_MIN : from;
		to = one_in(3) ? INT64_MAX : to;
		check_range(all_windows(from, to), false, within, WEIR_NULL, WEIR_NULL, from, to);
	} else if (m.sessions) {
		a = key_of(below(WINDOW_KEYS));
		check_range(weir_session_find(m.f->store, a, from, to, reverse), reverse, overlapping, a, a, from,
			    to);
	} else if (one_in(2)) {
		a = key_of(below(WINDOW_KEYS));
		check_range(weir_window_fetch(m.f->store, a, from, to, reverse), reverse, within, a, a, from, to);
	} else {
		a = key_of(below(40));
		from = from / SLOT_MS * SLOT_MS;
		check_range(weir_window_prefix(m.f->store, a, from), false, with_prefix, a, WEIR_NULL, from, from);
	}
}

static void check_everything(void)
{
	if (m.windows)
		check_range(all_windows(0, INT64_MAX), false, within, WEIR_NULL, WEIR_NULL, 0, INT64_MAX);
	else
		check_range(weir_store_range(m.f->store, WEIR_NULL, WEIR_NULL, false), false, within, WEIR_NULL,
			    WEIR_NULL, 0, 0);
	for (int cell = 0; cell < m.cells; cell += m.windows ? 1 + below(20) : 1)
		check_get(cell);
}

/* An iterator over which writes go on need only stay in order and in its senses. */
static void step_range_with_writes(void)
{
	weir_iterator *it =
		m.windows ? all_windows(0, INT64_MAX) : weir_store_range(m.f->store, WEIR_NULL, WEIR_NULL, false);
	int last = -1;
	weir_entry e;

	for (int i = 0; i < 2 * CELLS; i++) {
		if (one_in(3)) {
			weir_iterator_peek(it, &e);
			step_put(one_in(4));
		}
		if (!weir_iterator_next(it, &e))
			break;
		int cell = cell_of(e.key, time_of(&e));

		check(last < 0 || compare_cells(&last, &cell) < 0);
		check(!visible(cell) || weir_bytes_equal(e.value, text_of(m.live[cell].value)));
		last = cell;
		if (one_in(3))
			step_put(one_in(4));
	}
	weir_iterator_close(it);
}

/* --- transactions --------------------------------------------------------------------------------------------- */

/* What was not there at the last flush and is not there now is not told. */
static void skip_what_is_not_told(void)
{
	while (leaves_out() && m.changed_count > 0) {
		int cell = m.changed[0];

		if (m.live[cell].value || m.flushed[cell].value)
			return;
		memmove(m.changed, m.changed + 1, (size_t)--m.changed_count * sizeof *m.changed);
		m.is_changed[cell] = false;
	}
}

static bool take_change(const struct store_change *c, void *user)
{
	weir_bytes key = c->key;
	int64_t start = 0, first;

	(void)user;
	skip_what_is_not_told();
	if (m.sessions)
		check(weir__session_key_split(c->key, &key, &first, &start));
	else if (m.windows)
		check(weir__window_key_split(c->key, &key, &start));
	check(m.changed_count > 0);
	int cell = m.changed[0];
	check(cell == cell_of(key, start)); /* in order of first change */
	memmove(m.changed, m.changed + 1, (size_t)--m.changed_count * sizeof *m.changed);
	m.is_changed[cell] = false;
	check_headers(c->headers, value_of(c->value));
	if (one_in(30))
		step_put(false);
	if (one_in(30) && m.objects)
		step_object();
	struct cell given = { value_of(c->value), c->timestamp_ms };
	check(!m.f->spec.keep_old || weir_bytes_equal(c->old, text_of(m.flushed[cell].value)));
	check(weir_bytes_equal(c->value, text_of(given.value)) && weir_is_null(c->value) == !given.value);
	check(!m.objects || !c->object == !given.value);
	/* changed again meanwhile: then it comes again */
	check(m.is_changed[cell] ||
	      (given.value == m.live[cell].value && given.timestamp_ms == m.live[cell].timestamp_ms));
	m.flushed[cell] = given;
	m.log[m.log_end++] = (struct record){ .cell = cell, .to = given };
	return true;
}

static void step_flush(void)
{
	check(weir__store_changed(m.f->store) == (m.changed_count > 0));
	check(weir__store_flush(m.f->store, take_change, NULL));
	skip_what_is_not_told();
	check(m.changed_count == 0 && !weir__store_changed(m.f->store));
	m.start_max_flushed = m.start_max;
	check(!m.windows || m.start_max < 0 || weir__store_newest(m.f->store) == m.start_max);
}

/* What Kafka does; the store may not hear of it. */
static void end_transaction(enum outcome outcome)
{
	for (int64_t i = m.log_committed; i < m.log_end; i++) {
		struct record *r = &m.log[i];

		r->outcome = outcome;
		if (outcome != COMMITTED)
			continue;
		m.committed[r->cell] = r->to;
		if (m.windows && cell_start(r->cell) > m.start_max_committed)
			m.start_max_committed = cell_start(r->cell);
	}
	if (outcome == COMMITTED && m.start_max_flushed > m.start_max_committed) /* beside the positions */
		m.start_max_committed = m.start_max_flushed;
	m.log[m.log_end++] = (struct record){ .outcome = ABORTED }; /* the marker takes an offset */
	m.log_committed = m.log_end;
}

static void step_commit(void)
{
	step_flush();
	end_transaction(COMMITTED);
	weir__store_committed(m.f->store, m.log_end);
}

static void step_checkpoint(void)
{
	bool durable = one_in(3);

	step_commit();
	check(weir__store_checkpoint(m.f->store, durable, NULL));
	if (m.f->dir[0])
		check(weir__store_checkpoint_offset(m.f->store) == m.log_committed);
	if (durable && m.f->dir[0]) {
		m.durable = m.log_committed;
		check(weir__store_tail(m.f->store) == 0);
	}
}

/* The broker drops committed records that a later one replaces. */
static void step_compact(void)
{
	bool replaced[CELLS] = { false };

	for (int64_t i = m.log_committed; i-- > m.log_first;) {
		struct record *r = &m.log[i];

		if (r->outcome != COMMITTED)
			continue;
		if (replaced[r->cell] && one_in(2))
			r->compacted = true;
		replaced[r->cell] = true;
	}
}

static void step_purge(void)
{
	int64_t stream_time = m.start_max + (one_in(3) ? 1000 : 0);
	int64_t offset = m.windows ? weir__store_purge_offset(m.f->store, stream_time) : -1;

	for (int64_t i = m.log_first; i < offset; i++)
		check(m.log[i].outcome == ABORTED || m.log[i].compacted ||
		      cell_start(m.log[i].cell) <= m.start_max_committed - RETENTION_MS);
	if (offset > m.log_first)
		m.log_first = offset;
}

/* --- disasters ------------------------------------------------------------------------------------------------ */

/* Before anything is restored: each value is a committed one, and none is older than the checkpoint says. */
static void check_disk(void)
{
	int64_t from = weir__store_checkpoint_offset(m.f->store);
	struct cell *at_checkpoint = calloc(CELLS, sizeof *at_checkpoint);

	for (int64_t i = 0; i < from; i++)
		if (m.log[i].outcome == COMMITTED)
			at_checkpoint[m.log[i].cell] = m.log[i].to;
	for (int cell = 0; cell < m.cells; cell++) {
		int64_t value = value_of(get_cell(cell, NULL));
		bool known = value == at_checkpoint[cell].value || !visible(cell) || (m.windows && !value);

		for (int64_t i = from < 0 ? 0 : from; i < m.log_end && !known; i++)
			known = m.log[i].outcome == COMMITTED && m.log[i].cell == cell &&
				m.log[i].to.value == value;
		check(known);
	}
	free(at_checkpoint);
}

static void crash(void);

static void restore(void)
{
	int64_t from = weir__store_checkpoint_offset(m.f->store);
	int die_at = one_in(4) ? 1 + below((int)(m.log_end - (from < 0 ? 0 : from)) + 1) : -1;

	check(from <= m.log_end);
	check(from < 0 ? m.log_first == 0 || !m.f->dir[0]
		       : from >= m.log_first); /* else it would have to be wiped */
	for (int64_t i = from < m.log_first ? m.log_first : from; i < m.log_end; i++) {
		const struct record *r = &m.log[i];

		check(r->outcome != PENDING);
		bool there = r->outcome == COMMITTED && !r->compacted;
		if (there)
			weir__store_restore_put_headers(m.f->store, cell_changelog_key(r->cell),
							text_of(r->to.value), r->to.timestamp_ms,
							headers_of(r->to.value));
		m.restored += there;
		if (one_in(20))
			check(weir__store_restore_done(m.f->store, i + 1, NULL));
		if (--die_at == 0) {
			crash(); /* restores in full */
			return;
		}
	}
	check(weir__store_restore_done(m.f->store, m.log_end, NULL));
	memcpy(m.live, m.committed, sizeof m.live);
	memcpy(m.flushed, m.committed, sizeof m.flushed);
	memset(m.is_changed, 0, sizeof m.is_changed);
	m.changed_count = 0;
	m.start_max = m.start_max_flushed = m.start_max_committed;
	if (m.windows && m.start_max >= 0)
		weir__store_newest_was(m.f->store, m.start_max);
	m.log_committed = m.log_end;
	check(!m.windows || m.start_max < 0 || weir__store_time(m.f->store) >= m.start_max);
	if (one_in(2)) /* else what was restored may still be pending */
		check_everything();
}

static void open_again(void)
{
	fixture_open(m.f);
	m.f->state->file_rows_min = (size_t)(1 + below(60));
	m.f->state->batch_bytes_max = (size_t)(1 + below(1000));
}

/* As RocksDB does by itself when a memtable is full. */
static void step_memtable_flush(void)
{
	if (m.f->dir[0])
		rocksdb_flush_cf(m.f->state->db, m.f->state->flush_options, m.f->state->families->handle,
				 &(char *){ NULL });
}

static void crash(void)
{
	m.crashes++;
	fixture_crash(m.f);
	open_again();
	check(weir__store_checkpoint_offset(m.f->store) >= m.durable);
	check_disk();
	restore();
}

static enum outcome random_end(void)
{
	return one_in(2) ? COMMITTED : ABORTED; /* nobody was told */
}

static void step_crash(void)
{
	end_transaction(random_end());
	crash();
}

/* The disk fails somewhere in a checkpoint or while the cache shrinks, part of that is durable, the process ends.
 * */
static void step_disk_failure(void)
{
	bool shrink = one_in(2);

	if (!m.f->dir[0])
		return;
	if (!shrink || one_in(2))
		step_commit();
	m.f->state->writes_left = below(6);
	if (shrink)
		weir__store_shrink(m.f->store, 0);
	else if (weir__store_checkpoint(m.f->store, one_in(2), NULL))
		check(weir__store_checkpoint_offset(m.f->store) == m.log_committed);
	else
		check(weir__state_failed(m.f->state, NULL));
	if (one_in(2))
		step_memtable_flush();
	step_crash();
}

static void step_abort(void)
{
	m.aborts++;
	if (one_in(2))
		step_flush();
	end_transaction(random_end());
	weir__store_discard(m.f->store);
	restore();
}

static void step_reopen(void)
{
	end_transaction(random_end());
	fixture_close(m.f);
	open_again();
	check(weir__store_checkpoint_offset(m.f->store) >= m.durable);
	restore();
}

static void step_expire(void)
{
	if (m.windows)
		weir__store_expire(m.f->store, m.start_max + (one_in(3) ? 1000 : -below(200)));
}

static void step_shrink(void)
{
	size_t before = weir__store_memory_bytes(m.f->store), to = before * (size_t)below(1000) / 1000;
	size_t after = weir__store_shrink(m.f->store, to);

	check(after <= before && after == weir__store_memory_bytes(m.f->store));
}

/* --- all together --------------------------------------------------------------------------------------------- */

static void random_step(void)
{
	int dice = below(1000);

	if (dice < 330)
		step_put(false);
	else if (dice < 400)
		step_put(true);
	else if (dice < 600)
		m.objects ? step_object() : step_put(false);
	else if (dice < 800)
		check_get(random_cell());
	else if (dice < 850)
		step_range();
	else if (dice < 858)
		step_range_with_writes();
	else if (dice < 880)
		step_flush();
	else if (dice < 920)
		step_commit();
	else if (dice < 940)
		step_checkpoint();
	else if (dice < 960)
		step_shrink();
	else if (dice < 970)
		step_expire();
	else if (dice < 980)
		step_purge();
	else if (dice < 983)
		step_compact();
	else if (dice < 986)
		check_everything();
	else if (dice < 988)
		step_disk_failure();
	else if (dice < 990)
		step_memtable_flush();
	else if (dice < 994)
		step_abort();
	else if (dice < 998)
		step_crash();
	else
		step_reopen();
}

static void run_seed(uint64_t seed)
{
	int steps = m.steps;

	memset(&m, 0, sizeof m);
	m.seed = seed;
	m.steps = steps;
	m.rng = weir_rng_seeded(seed);
	m.windows = seed & 1;
	m.sessions = m.windows && seed & 16;
	m.objects = seed & 2 && !m.sessions;
	m.headers = !m.objects && !(seed & 4) && seed % 3 != 0;
	m.cells = m.windows ? CELLS : 40;
	m.start_max = m.start_max_flushed = m.start_max_committed = m.windows ? -1 : 0;
	m.durable = -1;
	struct store_spec spec = { .kind = m.sessions  ? STORE_SESSION
					   : m.windows ? STORE_WINDOW
						       : STORE_KEY_VALUE,
				   .retention_ms = RETENTION_MS,
				   .segment_ms = 20 + below(120),
				   .leaves_out = seed % 3 == 1,
				   .keep_old = seed & 4,
				   .headers = m.headers,
				   .ordered = seed & 8 };
	if (m.objects)
		spec.codec = (struct store_codec){ sizeof(int64_t), encode, decode, NULL };
	m.f = fixture_new(seed % 5 != 0, spec);
	for (m.step = 0; m.step < m.steps && m.log_end < RECORDS_MAX - CELLS; m.step++)
		random_step();
	step_crash();
	print_message("seed %" PRIu64 ": %d steps, %d aborts, %d crashes, %" PRId64 " records, %d restored\n", seed,
		      m.step, m.aborts, m.crashes, m.log_end, m.restored);
	fixture_free(m.f);
}

static uint64_t first_seed = 1;
static int seeds = 24;

static void a_store_does_what_the_model_does(void **state)
{
	(void)state;
	for (uint64_t seed = first_seed; seed < first_seed + (uint64_t)seeds; seed++)
		run_seed(seed);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_store_does_what_the_model_does) };

	first_seed = argc > 1 ? strtoull(argv[1], NULL, 10) : first_seed;
	seeds = argc > 2 ? atoi(argv[2]) : seeds;
	m.steps = argc > 3 ? atoi(argv[3]) : 2500;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
