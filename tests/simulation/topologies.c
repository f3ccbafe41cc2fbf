#include "tests/simulation/topologies.h"

#include "tests/simulation/tally.h"

/* What a recount gathers. */
struct recount {
	struct tally wanted, got, letters_wanted, letters_got;
	int64_t seen_ms[64]; /* of each input partition */
	weir_error error;
};

static bool finish(struct recount *c, bool ok, weir_error *err)
{
	ok = ok && tally_same(&c->wanted, &c->got, "out", err) &&
	     tally_same(&c->letters_wanted, &c->letters_got, "dead-letters", err);
	tally_release(&c->wanted);
	tally_release(&c->got);
	tally_release(&c->letters_wanted);
	tally_release(&c->letters_got);
	return ok;
}

static const char *text_of(weir_bytes b, char *to, size_t size)
{
	snprintf(to, size, "%.*s", (int)b.len, b.len ? (const char *)b.data : "");
	return to;
}

static int64_t number_of(weir_bytes b)
{
	char text[32];

	return strtoll(text_of(b, text, sizeof text), NULL, 10);
}

/* The values are numbers of records, so that each is told from all others. */
void feed_numbers(weir_rng *rng, int64_t number, int64_t now_ms, weir_simulation_input *in, void *user)
{
	static char key[16], value[24];

	(void)user;
	snprintf(key, sizeof key, "k%d", (int)weir_rng_below(rng, 9));
	snprintf(value, sizeof value, "%lld", (long long)number);
	*in = (weir_simulation_input){ .topic = "in",
				       .key = weir_str(key),
				       .value = weir_str(value),
				       .timestamp_ms = now_ms - (int64_t)weir_rng_below(rng, 20000),
				       .partition = -1 };
}

static void count_letter(const weir_kafka_record *r, void *user)
{
	struct recount *c = user;
	const weir_headers *h = weir_kafka_record_headers(r);
	char partition[12], offset[24], name[80];

	snprintf(name, sizeof name, "%s@%s",
		 text_of(weir_headers_last(h, "__streams.errors.partition"), partition, sizeof partition),
		 text_of(weir_headers_last(h, "__streams.errors.offset"), offset, sizeof offset));
	++*tally_at(&c->letters_got, name);
}

/* --- windowed count ----------------------------------------------------------------------------------------------
 * */

enum { SIZE_MS = 5000, GRACE_MS = 10000 };

static weir_topology *build_windowed(void)
{
	weir_topology *t = weir_topology_new("windowed");
	weir_stream *in = weir_source(t, "in", (weir_source_opts){ .value = &weir_utf8 });
	weir_table *counts = weir_count(in, "counts", (weir_window){ .size_ms = SIZE_MS, .grace_ms = GRACE_MS });

	weir_sink(weir_changes(counts), "out", (weir_sink_opts){ 0 });
	return t;
}

static void window_name(char *to, size_t size, weir_bytes key, int64_t start_ms)
{
	snprintf(to, size, "%.*s[%lld]", (int)key.len, (const char *)key.data, (long long)start_ms);
}

static void expect_window(const weir_kafka_record *r, void *user)
{
	struct recount *c = user;
	int64_t start_ms = r->timestamp_ms / SIZE_MS * SIZE_MS, *seen_ms = &c->seen_ms[r->partition];
	char name[80];

	if (r->timestamp_ms > *seen_ms)
		*seen_ms = r->timestamp_ms;
	if (start_ms + SIZE_MS > *seen_ms - GRACE_MS) {
		window_name(name, sizeof name, r->key, start_ms);
		++*tally_at(&c->wanted, name);
	} else {
		snprintf(name, sizeof name, "%d@%lld", (int)r->partition, (long long)r->offset);
		++*tally_at(&c->letters_wanted, name);
	}
}

static void take_window(const weir_kafka_record *r, void *user)
{
	struct recount *c = user;
	weir_bytes key = { r->key.data, r->key.len - 8 };
	char name[80];

	window_name(name, sizeof name, key, weir_get_be64((const char *)r->key.data + key.len));
	*tally_at(&c->got, name) = weir_get_be64(r->value.data);
}

static bool check_windowed(weir_simulation *s, void *user, weir_error *err)
{
	struct recount c = { 0 };

	(void)user;
	return finish(&c,
		      weir_simulation_read(s, "in", expect_window, &c, err) &&
			      weir_simulation_read(s, "out", take_window, &c, err) &&
			      weir_simulation_read(s, "dead-letters", count_letter, &c, err),
		      err);
}

/* --- the same with hostile dates ---------------------------------------------------------------------------------
 * */

#define HOSTILE_LIMIT_MS WEIR_DAYS(365) /* longer than any simulation, skewed clocks included */

static void do_nothing(weir_context *cx, int64_t time_ms, void *state)
{
	(void)cx, (void)time_ms, (void)state;
}

/* By stream time: what a date at the end of time must not make loop. */
static void schedule_often(weir_context *cx, void *state, void *user)
{
	(void)state, (void)user;
	weir_schedule(cx, 7, WEIR_STREAM_TIME, do_nothing);
}

static void pass_on(weir_context *cx, const weir_record *r, void *state, void *user)
{
	(void)state, (void)user;
	weir_forward(cx, r);
}

static weir_topology *build_hostile(void)
{
	weir_topology *t = weir_topology_new("hostile");
	weir_stream *in = weir_source(t, "in", (weir_source_opts){ .value = &weir_utf8 });

	in = weir_process(in, "ticks",
			  (weir_processor){ .init = schedule_often, .process = pass_on, .keeps_key = true });
	weir_table *counts = weir_count(in, "counts", (weir_window){ .size_ms = SIZE_MS, .grace_ms = GRACE_MS });

	weir_sink(weir_changes(counts), "out", (weir_sink_opts){ 0 });
	return t;
}

static void feed_hostile(weir_rng *rng, int64_t number, int64_t now_ms, weir_simulation_input *in, void *user)
{
	const int64_t dates[] = { INT64_MAX, INT64_MAX - 1, INT64_MAX / 2, now_ms + 2 * HOSTILE_LIMIT_MS, 0,
				  -1,        INT64_MIN };

	feed_numbers(rng, number, now_ms, in, user);
	if (weir_rng_chance(rng, 0.1))
		in->timestamp_ms = dates[weir_rng_below(rng, sizeof dates / sizeof *dates)];
}

static void expect_hostile(const weir_kafka_record *r, void *user)
{
	struct recount *c = user;
	char name[80];

	if (r->timestamp_ms < INT64_C(1704067200000) + HOSTILE_LIMIT_MS) { /* where a simulation begins */
		expect_window(r, user);
		return;
	}
	snprintf(name, sizeof name, "%d@%lld", (int)r->partition, (long long)r->offset);
	++*tally_at(&c->letters_wanted, name);
}

static bool check_hostile(weir_simulation *s, void *user, weir_error *err)
{
	struct recount c = { 0 };

	(void)user;
	return finish(&c,
		      weir_simulation_read(s, "in", expect_hostile, &c, err) &&
			      weir_simulation_read(s, "out", take_window, &c, err) &&
			      weir_simulation_read(s, "dead-letters", count_letter, &c, err),
		      err);
}

/* --- sessions ----------------------------------------------------------------------------------------------------
 * */

enum { GAP_MS = 400, RETAIN_MS = 2 * GAP_MS + GRACE_MS, SESSIONS_MAX = 4096 };

static weir_topology *build_sessions(void)
{
	weir_topology *t = weir_topology_new("sessions");
	weir_stream *in = weir_source(t, "in", (weir_source_opts){ .value = &weir_utf8 });
	weir_table *counts = weir_count(in, "counts", (weir_window){ .gap_ms = GAP_MS, .grace_ms = GRACE_MS });

	weir_sink(weir_changes(counts), "out", (weir_sink_opts){ 0 });
	return t;
}

struct session {
	char key[16];
	int64_t start_ms, end_ms, count;
};

struct sessions {
	struct session all[SESSIONS_MAX];
	size_t count;
	struct recount *c;
};

/* Those past retention are not found any more. */
static bool joins(const struct session *s, const char *key, int64_t ms, int64_t seen_ms)
{
	return strcmp(s->key, key) == 0 && s->end_ms >= ms - GAP_MS && s->end_ms > seen_ms - RETAIN_MS &&
	       s->start_ms <= ms + GAP_MS;
}

static void expect_session(const weir_kafka_record *r, void *user)
{
	struct sessions *m = user;
	int64_t ms = r->timestamp_ms, *seen_ms = &m->c->seen_ms[r->partition];
	struct session with = { .start_ms = ms, .end_ms = ms, .count = 1 };
	char name[80];
	size_t kept = 0;

	text_of(r->key, with.key, sizeof with.key);
	if (ms > *seen_ms)
		*seen_ms = ms;
	for (size_t i = 0; i < m->count; i++)
		if (joins(&m->all[i], with.key, ms, *seen_ms) && m->all[i].end_ms > with.end_ms)
			with.end_ms = m->all[i].end_ms;
	if (with.end_ms < *seen_ms - GRACE_MS - GAP_MS) {
		snprintf(name, sizeof name, "%d@%lld", (int)r->partition, (long long)r->offset);
		++*tally_at(&m->c->letters_wanted, name);
		return;
	}
	for (size_t i = 0; i < m->count; i++) {
		struct session s = m->all[i];

		if (!joins(&s, with.key, ms, *seen_ms)) {
			m->all[kept++] = s;
			continue;
		}
		with.start_ms = s.start_ms < with.start_ms ? s.start_ms : with.start_ms;
		with.count += s.count;
	}
	m->count = kept;
	if (m->count < SESSIONS_MAX)
		m->all[m->count++] = with;
	else
		weir_fail(&m->c->error, WEIR_STATE, "more sessions than there is room for");
}

static void session_name(char *to, size_t size, const char *key, int64_t start_ms, int64_t end_ms)
{
	snprintf(to, size, "%s[%lld,%lld]", key, (long long)start_ms, (long long)end_ms);
}

static void take_session(const weir_kafka_record *r, void *user)
{
	struct sessions *m = user;
	const char *at = (const char *)r->key.data + r->key.len - 16;
	char key[16], name[80];

	session_name(name, sizeof name, text_of(weir_bytes_of(r->key.data, r->key.len - 16), key, sizeof key),
		     weir_get_be64(at + 8), weir_get_be64(at));
	*tally_at(&m->c->got, name) = weir_is_null(r->value) ? 0 : weir_get_be64(r->value.data);
}

static bool check_sessions(weir_simulation *s, void *user, weir_error *err)
{
	struct recount c = { 0 };
	struct sessions *m = calloc(1, sizeof *m);

	(void)user;
	m->c = &c;
	bool ok = weir_simulation_read(s, "in", expect_session, m, err) &&
		  weir_simulation_read(s, "out", take_session, m, err) &&
		  weir_simulation_read(s, "dead-letters", count_letter, &c, err);

	for (size_t i = 0; i < m->count; i++) {
		const struct session *one = &m->all[i];
		char name[80];

		session_name(name, sizeof name, one->key, one->start_ms, one->end_ms);
		*tally_at(&c.wanted, name) = one->count;
	}
	free(m);
	if (ok && c.error.code) {
		*err = c.error;
		ok = false;
	}
	return finish(&c, ok, err);
}

/* --- count through a repartition ---------------------------------------------------------------------------------
 * */

static weir_bytes by_last_digit(weir_context *cx, const weir_record *r, void *user)
{
	weir_bytes value = weir_value_bytes(r);

	(void)cx, (void)user;
	return weir_bytes_of((const char *)value.data + value.len - 1, 1);
}

static weir_topology *build_repartition(void)
{
	weir_topology *t = weir_topology_new("repartition");
	weir_stream *in = weir_source(t, "in", (weir_source_opts){ .value = &weir_utf8 });
	weir_table *counts =
		weir_count(weir_key_by(in, "by-digit", by_last_digit, NULL), "counts", (weir_window){ 0 });

	weir_sink(weir_changes(counts), "out", (weir_sink_opts){ 0 });
	return t;
}

static void expect_digit(const weir_kafka_record *r, void *user)
{
	struct recount *c = user;
	char name[2] = { ((const char *)r->value.data)[r->value.len - 1], 0 };

	++*tally_at(&c->wanted, name);
}

/* Of a changing number the newest counts, and it never goes back. */
static void take_count(const weir_kafka_record *r, void *user)
{
	struct recount *c = user;
	char name[80];
	int64_t *n = tally_at(&c->got, text_of(r->key, name, sizeof name)), next = weir_get_be64(r->value.data);

	if (next <= *n && !c->error.code)
		weir_fail(&c->error, WEIR_STATE, "out: \"%s\" goes from %lld to %lld", name, (long long)*n,
			  (long long)next);
	*n = next;
}

static bool check_counts(weir_simulation *s, const char *const *inputs, weir_simulation_record_fn *expect,
			 weir_error *err)
{
	struct recount c = { 0 };
	bool ok = true;

	for (size_t i = 0; ok && inputs[i]; i++)
		ok = weir_simulation_read(s, inputs[i], expect, &c, err);
	ok = ok && weir_simulation_read(s, "out", take_count, &c, err);
	if (ok && c.error.code) {
		*err = c.error;
		ok = false;
	}
	return finish(&c, ok, err);
}

static bool check_repartition(weir_simulation *s, void *user, weir_error *err)
{
	(void)user;
	return check_counts(s, (const char *const[]){ "in", NULL }, expect_digit, err);
}

/* --- a stream merged with what lies behind its own repartition ---------------------------------------------------
 * */

static weir_topology *build_looped(void)
{
	weir_topology *t = weir_topology_new("looped");
	weir_stream *in = weir_source(t, "in", (weir_source_opts){ .value = &weir_utf8 });
	weir_stream *again = weir_repartition(weir_key_by(in, "by-digit", by_last_digit, NULL), "again",
					      (weir_repartition_opts){ 0 });

	weir_sink(weir_changes(weir_count(weir_merge(in, "both", again), "counts", (weir_window){ 0 })), "out",
		  (weir_sink_opts){ 0 });
	return t;
}

static void expect_both(const weir_kafka_record *r, void *user)
{
	char name[16];

	++*tally_at(&((struct recount *)user)->wanted, text_of(r->key, name, sizeof name));
	expect_digit(r, user);
}

static bool check_looped(weir_simulation *s, void *user, weir_error *err)
{
	(void)user;
	return check_counts(s, (const char *const[]){ "in", NULL }, expect_both, err);
}

/* --- pass-through ------------------------------------------------------------------------------------------------
 * */

static bool no_sevens(weir_context *cx, const weir_record *r, void *user)
{
	weir_bytes value = weir_value_bytes(r);

	(void)cx, (void)user;
	return !memchr(value.data, '7', value.len);
}

static const void *emphasised(weir_context *cx, const weir_record *r, void *user)
{
	weir_bytes value = weir_value_bytes(r), *out = weir_alloc(cx, sizeof *out);
	char *text = weir_alloc(cx, value.len + 2);

	(void)user;
	snprintf(text, value.len + 2, "%.*s!", (int)value.len, (const char *)value.data);
	*out = weir_str(text);
	return out;
}

static weir_topology *build_pass(void)
{
	weir_topology *t = weir_topology_new("pass");
	weir_stream *in = weir_source(t, "in", (weir_source_opts){ .value = &weir_utf8 });

	weir_sink(weir_map_values(weir_filter(in, "no-sevens", no_sevens, NULL), "emphasise", emphasised,
				  &weir_utf8, NULL),
		  "out", (weir_sink_opts){ 0 });
	return t;
}

static void expect_once(const weir_kafka_record *r, void *user)
{
	struct recount *c = user;
	char name[80];

	if (memchr(r->value.data, '7', r->value.len))
		return;
	snprintf(name, sizeof name, "%.*s!", (int)r->value.len, (const char *)r->value.data);
	++*tally_at(&c->wanted, name);
}

/* Each once, and those of one key in their order. */
static void take_once(const weir_kafka_record *r, void *user)
{
	struct recount *c = user;
	char name[80], key[80];
	int64_t number = number_of(r->value) + 1;

	++*tally_at(&c->got, text_of(r->value, name, sizeof name));
	int64_t *last = tally_at(&c->letters_got, text_of(r->key, key, sizeof key));

	if (number <= *last && !c->error.code)
		weir_fail(&c->error, WEIR_STATE, "out: of key %s, %lld comes after %lld", key,
			  (long long)number - 1, (long long)*last - 1);
	*last = number;
}

static bool check_pass(weir_simulation *s, void *user, weir_error *err)
{
	struct recount c = { 0 };
	bool ok = weir_simulation_read(s, "in", expect_once, &c, err) &&
		  weir_simulation_read(s, "out", take_once, &c, err);

	(void)user;
	tally_release(&c.letters_got);
	bool same = finish(&c, ok, err);

	if (same && c.error.code)
		*err = c.error;
	return same && !c.error.code;
}

/* --- a step of one's own, with stores ----------------------------------------------------------------------------
 * */

static int64_t number_in(weir_store *store, weir_bytes key)
{
	weir_bytes b = weir_store_get(store, key, NULL);

	return weir_is_null(b) ? 0 : weir_get_be64(b.data);
}

static void put_number(weir_store *store, weir_bytes key, int64_t n, int64_t ms)
{
	unsigned char bytes[8];

	weir_put_be64(bytes, n);
	weir_store_put(store, key, weir_bytes_of(bytes, 8), ms);
}

static void tick(weir_context *cx, int64_t time_ms, void *state)
{
	weir_store *ticks = weir_context_store(cx, "ticks");

	(void)state;
	put_number(ticks, weir_str("ticks"), number_in(ticks, weir_str("ticks")) + 1, time_ms);
}

static void sums_init(weir_context *cx, void *state, void *user)
{
	weir_store *ticks = weir_context_store(cx, "ticks");

	(void)state, (void)user;
	put_number(ticks, weir_str("starts"), number_in(ticks, weir_str("starts")) + 1, weir_now_ms(cx));
	weir_schedule(cx, 7000, WEIR_WALL_CLOCK_TIME, tick);
}

/* A number that ends with 0 takes its key's sum away. */
static bool takes_away(weir_bytes value)
{
	return ((const char *)value.data)[value.len - 1] == '0';
}

static void add_up(weir_context *cx, const weir_record *r, void *state, void *user)
{
	weir_store *sums = weir_context_store(cx, "sums");
	weir_bytes value = weir_value_bytes(r);
	int64_t sum = number_in(sums, r->key) + number_of(value), *object = weir_alloc(cx, sizeof *object);
	weir_record out = *r;

	(void)state, (void)user;
	if (takes_away(value))
		weir_store_put(sums, r->key, WEIR_NULL, r->timestamp_ms);
	else
		put_number(sums, r->key, sum, r->timestamp_ms);
	*object = sum;
	weir_set_value(&out, object);
	weir_forward(cx, &out);
}

static weir_topology *build_process(void)
{
	weir_topology *t = weir_topology_new("process");
	weir_stream *in = weir_source(t, "in", (weir_source_opts){ .value = &weir_utf8 });

	weir_add_store(t, "sums", (weir_store_opts){ 0 });
	weir_add_store(t, "ticks", (weir_store_opts){ 0 });
	weir_sink(weir_process(in, "add-up",
			       (weir_processor){ .init = sums_init,
						 .process = add_up,
						 .stores = { "sums", "ticks" },
						 .value = &weir_int64,
						 .keeps_key = true }),
		  "out", (weir_sink_opts){ 0 });
	return t;
}

struct sums {
	struct tally sums, nth_in, nth_out;
	struct recount *c;
};

static void expect_sum(const weir_kafka_record *r, void *user)
{
	struct sums *m = user;
	char key[40], name[80];
	int64_t *sum = tally_at(&m->sums, text_of(r->key, key, sizeof key));

	*sum += number_of(r->value);
	int64_t now = *sum;

	if (takes_away(r->value))
		*sum = 0;
	snprintf(name, sizeof name, "%s#%lld", key, (long long)++*tally_at(&m->nth_in, key));
	*tally_at(&m->c->wanted, name) = now + 1;
}

static void take_sum(const weir_kafka_record *r, void *user)
{
	struct sums *m = user;
	char key[40], name[80];

	text_of(r->key, key, sizeof key);
	snprintf(name, sizeof name, "%s#%lld", key, (long long)++*tally_at(&m->nth_out, key));
	*tally_at(&m->c->got, name) = weir_get_be64(r->value.data) + 1;
}

static bool check_process(weir_simulation *s, void *user, weir_error *err)
{
	struct recount c = { 0 };
	struct sums m = { .c = &c };
	bool ok = weir_simulation_read(s, "in", expect_sum, &m, err) &&
		  weir_simulation_read(s, "out", take_sum, &m, err);

	(void)user;
	for (size_t i = 0; ok && i < m.sums.count; i++) {
		weir_bytes key = weir_str(m.sums.entries[i].name);
		weir_store *store = weir_simulation_store(
			s, "sums", weir_partition_for_key(key, weir_simulation_partitions(s)));

		if (!store || number_in(store, key) != m.sums.entries[i].number)
			ok = weir_fail(err, WEIR_STATE, "store sums: \"%s\" is not %lld", m.sums.entries[i].name,
				       (long long)m.sums.entries[i].number);
	}
	tally_release(&m.sums);
	tally_release(&m.nth_in);
	tally_release(&m.nth_out);
	return finish(&c, ok, err);
}

/* --- two inputs of one task --------------------------------------------------------------------------------------
 * */

static weir_topology *build_merged(void)
{
	weir_topology *t = weir_topology_new("merged");
	weir_stream *a = weir_source(t, "in", (weir_source_opts){ .value = &weir_utf8 });
	weir_stream *b = weir_source(t, "in2", (weir_source_opts){ .value = &weir_utf8 });

	weir_sink(weir_changes(weir_count(weir_merge(a, "both", b), "counts", (weir_window){ 0 })), "out",
		  (weir_sink_opts){ 0 });
	return t;
}

static void feed_either(weir_rng *rng, int64_t number, int64_t now_ms, weir_simulation_input *in, void *user)
{
	feed_numbers(rng, number, now_ms, in, user);
	if (weir_rng_chance(rng, 0.4))
		in->topic = "in2";
}

static void expect_key(const weir_kafka_record *r, void *user)
{
	struct recount *c = user;
	char name[80];

	++*tally_at(&c->wanted, text_of(r->key, name, sizeof name));
}

static bool check_merged(weir_simulation *s, void *user, weir_error *err)
{
	(void)user;
	return check_counts(s, (const char *const[]){ "in", "in2", NULL }, expect_key, err);
}

const struct simulated simulated[] = {
	{ "windowed", build_windowed, feed_numbers, check_windowed },
	{ "sessions", build_sessions, feed_numbers, check_sessions },
	{ "repartition", build_repartition, feed_numbers, check_repartition },
	{ "pass", build_pass, feed_numbers, check_pass },
	{ "process", build_process, feed_numbers, check_process },
	{ "merged", build_merged, feed_either, check_merged },
	{ "tables", build_tables, feed_tables, check_tables },
	{ "foreign", build_foreign, feed_tables, check_foreign },
	{ "hostile",
	  build_hostile,
	  feed_hostile,
	  check_hostile,
	  { "max.future.record.timestamp.difference.ms", "365d" } },
	{ "joined", build_joined, feed_joined, check_joined },
	{ "join-table", build_join_table, feed_join_table, check_join_table },
	{ "closing", build_closing, feed_closing, check_closing },
	{ "closing-sessions", build_closing_sessions, feed_closing, check_closing_sessions },
	{ "custom", build_custom, feed_custom, check_custom },
	{ "recent", build_recent, feed_recent, check_recent },
	{ "versioned", build_versioned, feed_versioned, check_versioned },
	{ "suppressed", build_suppressed, feed_closing, check_closing },
	{ "failing", build_failing, feed_numbers, check_failing },
	{ "looped", build_looped, feed_numbers, check_looped },
	{ "global-store", build_global_store, feed_global_store, check_global_store },
	{ "matched", build_matched, feed_matched, check_matched, { "metadata.max.age.ms", "700ms" } },
	{ "hidden", build_hidden, feed_hidden, check_hidden },
	{ "limited", build_limited, feed_limited, check_limited },
};
const size_t simulated_count = sizeof simulated / sizeof *simulated;
