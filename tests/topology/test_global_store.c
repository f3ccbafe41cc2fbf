/* Global stores with a processor of one's own before them. */
#include "tests/topology/topology_test.h"

#include "framework/runtime/runtime.h"

/* What has become of a key: "how many times:newest value"; null deletes, keys may be null. */
static void count_up(weir_context *cx, const weir_record *r, void *state, void *user)
{
	weir_store *store = weir_context_store(cx, "seen");
	weir_bytes key = weir_is_null(r->key) ? weir_str("none") : r->key, old = weir_store_get(store, key, NULL);
	const weir_bytes *value = weir_value(r);

	(void)state, (void)user;
	if (!value)
		weir_store_put(store, key, WEIR_NULL, r->timestamp_ms);
	else
		weir_store_put(store, key,
			       *text(cx, "%d:%.*s", weir_is_null(old) ? 1 : atoi(old.data) + 1, (int)value->len,
				     (const char *)value->data),
			       r->timestamp_ms);
}

static weir_global *seen;

static const void *with_seen(weir_context *cx, const weir_record *r, void *user)
{
	int64_t ms = -1;
	const weir_bytes *row = weir_global_get(cx, *(weir_global **)user, r->key, &ms);

	return row ? text(cx, "%.*s/%lld", (int)row->len, (const char *)row->data, (long long)ms) : NULL;
}

/* "in" comes out with what "events" have made of the same key. */
static weir_topology *before_a_store(weir_processor processor)
{
	weir_topology *t = weir_topology_new("app");

	seen = weir_global_store(t, "seen", (weir_global_opts){ .topic = "events", .value = &weir_utf8 },
				 processor);
	weir_sink(weir_map_values(text_source(t, "in"), "with-seen", with_seen, &weir_utf8, &seen), "out",
		  (weir_sink_opts){ 0 });
	return t;
}

static weir_topology *counting(void)
{
	return before_a_store((weir_processor){ .process = count_up, .stores = { "seen" } });
}

static void assert_seen(weir_driver *d, const char *key, const char *row)
{
	assert_bytes(weir_store_get(weir_driver_store(d, "seen", 0), weir_str(key), NULL), row);
}

static void rows_are_what_the_processor_makes(void **state)
{
	weir_driver *d = driver(counting(), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", "a", "", 10);
	weir_driver_pipe(d, "events", "a", "x", 20);
	weir_driver_pipe(d, "events", "a", "y", 15);
	weir_driver_pipe(d, "in", "a", "", 11);
	weir_driver_pipe(d, "events", "a", NULL, 30);
	weir_driver_pipe(d, "in", "a", "", 12);
	weir_driver_pipe_record(d, "events", -1, WEIR_NULL, weir_str("z"), 40, NULL);
	weir_driver_pipe(d, "in", "none", "", 13);
	assert_text(d, "out", "a=null@10", "a=2:y/15@11", "a=null@12", "none=1:z/40@13");
	weir_driver_free(d);
}

/* In memory and on disk, after a clean end and a crash: the processor makes it again, or goes on; tasks wait. */
static void each_record_counts_once(void **state)
{
	for (int on_disk = 0; on_disk < 2; on_disk++)
		for (int crash = 0; crash < 2; crash++) {
			char *dir = temporary_directory();
			weir_driver *d = driver(counting(), (weir_driver_opts){ .state_dir = on_disk ? dir : NULL,
										.partitions = 3 });

			for (int i = 0; i < 20; i++) {
				char row[20];

				put_waiting(d, "events", i % 3, "k", "early", i); /* of several partitions */
				weir_driver_stop(d, crash);
				weir_driver_pipe(d, "events", "k", "waits", i);
				weir_driver_pipe(d, "in", "k", "", i);
				must(weir_driver_start(d, NULL, &err));
				weir_driver_advance(d, i % 4 * 200000); /* a checkpoint each 300 s */
				weir_driver_pipe(d, "events", "k", "late", i);
				snprintf(row, sizeof row, "%d:late", 3 * (i + 1));
				assert_seen(d, "k", row);
			}
			weir_driver_free(d);
			remove_directory(dir);
		}
	(void)state;
}

static int put_some(weir_driver *d, int i)
{
	for (int n = 0; n <= i % 4; n++)
		put_waiting(d, "events", (i + n) % 3, "k", "v", 1);
	weir_driver_advance(d, 1); /* they are taken, and nothing is written yet */
	return i % 4 + 1;
}

/* The disk breaks between the notes of a checkpoint and its rows, now and then: those of the one before hold. */
static void a_checkpoint_that_breaks_off_counts_nothing_twice(void **state)
{
	char *dir = temporary_directory();
	weir_driver *d = driver(counting(), (weir_driver_opts){ .state_dir = dir, .partitions = 3 });
	int records = 0;
	char row[20];

	(void)state;
	for (int i = 0; i < 12; i++) {
		bool breaks = i % 3 != 1;
		weir_error why = { .code = WEIR_OK };

		records += put_some(d, i);
		if (breaks)
			weir__state_break_after(weir_driver_app(d)->state, 1);
		weir_driver_advance(d, 400000); /* a checkpoint */
		assert_int_not_equal(weir_app_state_get(weir_driver_app(d), &why), WEIR_APP_ERROR);
		records += put_some(d, i + 1);
		snprintf(row, sizeof row, "%d:v", records);
		assert_seen(d, "k", row);
		weir_driver_advance(d, 400000);
		assert_int_equal(weir_app_state_get(weir_driver_app(d), &why) == WEIR_APP_ERROR, breaks);
		must(weir_driver_restart(d, true, &err));
		assert_seen(d, "k", row);
	}
	weir_driver_free(d);
	remove_directory(dir);
}

/* --- of other kinds ------------------------------------------------------------------------------------------- */

enum { SIZE_MS = 10, RETAIN_MS = 200000 };

/* How many of each key in each window, or in each session of one length. */
static void count_in_window(weir_context *cx, const weir_record *r, void *state, void *user)
{
	weir_store *store = weir_context_store(cx, "seen");
	int64_t ms = r->timestamp_ms, start = ms - ms % SIZE_MS;
	bool sessions = user != NULL;
	weir_bytes old = sessions ? weir_session_get(store, r->key, start, start + SIZE_MS, NULL)
				  : weir_window_get(store, r->key, start, NULL);
	char number[12] = "0"; /* what is stored has no end of its own */

	if (!weir_is_null(old))
		snprintf(number, sizeof number, "%.*s", (int)old.len, (const char *)old.data);
	const weir_bytes *now = text(cx, "%d", atoi(number) + 1);

	(void)state;
	if (sessions)
		weir_session_put(store, r->key, *now, start, start + SIZE_MS, ms);
	else
		weir_window_put(store, r->key, *now, start, ms);
}

struct reading {
	weir_bytes key;
	bool sessions;
	char all[200];
};

static void read_all(weir_store *store, void *user)
{
	struct reading *r = user;
	weir_iterator *it = r->sessions ? weir_session_find(store, r->key, 0, INT64_MAX, false)
					: weir_window_fetch(store, r->key, 0, INT64_MAX, false);
	weir_entry e;

	while (weir_iterator_next(it, &e)) {
		size_t n = strlen(r->all);

		snprintf(r->all + n, sizeof r->all - n, "%s%lld:%.*s", n ? "," : "", (long long)e.start_ms,
			 (int)e.value.len, (const char *)e.value.data);
	}
	weir_iterator_close(it);
}

static const void *with_all(weir_context *cx, const weir_record *r, void *user)
{
	struct reading reading = { .key = r->key, .sessions = user != NULL };

	weir_global_read(cx, seen, read_all, &reading);
	return text(cx, "%s", reading.all);
}

static weir_topology *in_windows(bool sessions, bool in_memory)
{
	static int yes;
	weir_topology *t = weir_topology_new("app");
	weir_store_opts of = { .windowed = !sessions,
			       .sessions = sessions,
			       .window_size_ms = sessions ? 0 : SIZE_MS,
			       .retain_ms = RETAIN_MS,
			       .in_memory = in_memory };

	seen = weir_global_store(t, "seen", (weir_global_opts){ .topic = "events", .value = &weir_utf8, .of = of },
				 (weir_processor){ .process = count_in_window,
						   .user = sessions ? &yes : NULL,
						   .stores = { "seen" } });
	weir_sink(weir_map_values(text_source(t, "in"), "with-all", with_all, &weir_utf8, sessions ? &yes : NULL),
		  "out", (weir_sink_opts){ 0 });
	return t;
}

/* In memory and on disk, after clean ends and crashes; what is past retention is gone, from the disk as well. */
static void windows_and_sessions_count_each_record_once_too(void **state)
{
	for (int i = 0; i < 16; i++) {
		bool on_disk = i & 2, crash = i & 4;
		char *dir = temporary_directory();
		weir_driver *d =
			driver(in_windows(i & 1, i & 8), (weir_driver_opts){ .state_dir = on_disk ? dir : NULL });

		for (int n = 1; n <= 4; n++) {
			char all[80];

			weir_driver_pipe(d, "events", "k", "v", 12);
			weir_driver_pipe(d, "events", "k", "v", 25);
			weir_driver_advance(d, n % 2 ? 1 : 400000); /* a checkpoint each 300 s */
			must(weir_driver_restart(d, crash, &err));
			weir_driver_pipe(d, "events", "k", "v", 27);
			weir_driver_pipe(d, "in", "k", "", 1);
			snprintf(all, sizeof all, "k=10:%d,20:%d@1", n, 2 * n);
			assert_text(d, "out", all);
		}
		weir_driver_pipe(d, "events", "k", "v", 10 * RETAIN_MS);
		weir_driver_advance(d, 400000);
		weir_driver_pipe(d, "in", "k", "", 2);
		assert_text(d, "out", "k=2000000:1@2");
		must(weir_driver_restart(d, crash, &err));
		weir_driver_pipe(d, "in", "k", "", 3);
		assert_text(d, "out", "k=2000000:1@3");
		weir_driver_free(d);
		remove_directory(dir);
	}
	(void)state;
}

/* --- other kinds of stores ------------------------------------------------------------------------ */

enum kind { LRU, VERSIONS, HEADERS, DUPLICATES, KINDS };

static weir_store_opts of_kind(enum kind kind)
{
	return (weir_store_opts){ .entries_max = kind == LRU ? 2 : 0,
				  .versioned = kind == VERSIONS,
				  .history_ms = kind == VERSIONS ? 100 : 0,
				  .headers = kind == HEADERS,
				  .windowed = kind == DUPLICATES,
				  .duplicates = kind == DUPLICATES,
				  .window_size_ms = kind == DUPLICATES ? SIZE_MS : 0,
				  .retain_ms = kind == DUPLICATES ? RETAIN_MS : 0,
				  .in_memory = kind == DUPLICATES };
}

/* How often a key has come: in the newest version, with the last one's headers, or as so many entries. */
static void count_in_kind(weir_context *cx, const weir_record *r, void *state, void *user)
{
	enum kind kind = *(const enum kind *)user;
	weir_store *store = weir_context_store(cx, "seen");
	weir_bytes old = kind == VERSIONS     ? weir_versioned_get(store, r->key, NULL)
			 : kind == DUPLICATES ? WEIR_NULL
					      : weir_store_get(store, r->key, NULL);
	char number[12] = "0";

	(void)state;
	if (!weir_is_null(old))
		snprintf(number, sizeof number, "%.*s", (int)old.len, (const char *)old.data);
	const weir_bytes *now = text(cx, "%d", atoi(number) + 1);

	if (kind == VERSIONS)
		weir_versioned_put(store, r->key, *now, r->timestamp_ms);
	else if (kind == DUPLICATES)
		weir_window_put(store, r->key, *now, 10, r->timestamp_ms);
	else if (kind == HEADERS)
		weir_store_put_headers(store, r->key, *now, r->timestamp_ms, weir_record_headers(r));
	else
		weir_store_put(store, r->key, *now, r->timestamp_ms);
}

struct kind_reading {
	enum kind kind;
	weir_bytes key;
	int64_t ms;
	char all[200];
};

static void add_text(struct kind_reading *r, weir_bytes b)
{
	size_t n = strlen(r->all);

	snprintf(r->all + n, sizeof r->all - n, "%s%.*s", n ? "," : "", weir_is_null(b) ? 1 : (int)b.len,
		 weir_is_null(b) ? "~" : (const char *)b.data);
}

static void read_kind(weir_store *store, void *user)
{
	struct kind_reading *r = user;
	const weir_headers *headers = NULL;
	weir_entry e;

	if (r->kind == VERSIONS) {
		add_text(r, weir_versioned_get(store, r->key, NULL));
		add_text(r, weir_versioned_get_as_of(store, r->key, r->ms, NULL));
	} else if (r->kind == HEADERS) {
		add_text(r, weir_store_get_headers(store, r->key, NULL, &headers));
		add_text(r, weir_headers_last(headers, "h"));
	} else if (r->kind == LRU) {
		add_text(r, weir_store_get(store, r->key, NULL));
	} else {
		weir_iterator *it = weir_window_fetch(store, r->key, 0, INT64_MAX, false);

		while (weir_iterator_next(it, &e))
			add_text(r, e.value);
		weir_iterator_close(it);
	}
}

static const void *with_kind(weir_context *cx, const weir_record *r, void *user)
{
	struct kind_reading reading = { *(const enum kind *)user, r->key, r->timestamp_ms, "" };

	weir_global_read(cx, seen, read_kind, &reading);
	return text(cx, "%s", reading.all);
}

static weir_driver *with_store_of(enum kind *kind, const char *dir)
{
	weir_topology *t = weir_topology_new("app");
	weir_global_opts opts = { .topic = "events", .value = &weir_utf8, .of = of_kind(*kind) };

	seen = weir_global_store(t, "seen", opts,
				 (weir_processor){ .process = count_in_kind, .user = kind, .stores = { "seen" } });
	weir_sink(weir_map_values(text_source(t, "in"), "with-kind", with_kind, &weir_utf8, kind), "out",
		  (weir_sink_opts){ 0 });
	return driver(t, (weir_driver_opts){ .state_dir = dir });
}

static void count_one(weir_driver *d, int64_t ms)
{
	weir_header items[] = { { "h", weir_str("x") } };

	items[0].value = weir_str(ms % 10 ? "late" : "early");
	weir_driver_pipe_record(d, "events", -1, weir_str("a"), weir_str("v"), ms, &(weir_headers){ items, 1 });
}

/* Of at most so many keys, of versions, with headers, with duplicates: in memory and on disk, after clean ends and
 * crashes. */
static void a_store_of_any_kind_counts_each_record_once_too(void **state)
{
	static const char *const wanted[][3] = { { "2", "4", "6" },
						 { "2,1", "4,3", "6,5" },
						 { "2,late", "4,late", "6,late" },
						 { "1,1", "1,1,1,1", "1,1,1,1,1,1" } };

	for (int i = 0; i < 4 * KINDS; i++) {
		enum kind kind = (enum kind)(i / 4);
		char *dir = temporary_directory(), out[60];
		weir_driver *d = with_store_of(&kind, i & 1 ? dir : NULL);

		for (int n = 1; n <= 3; n++) {
			count_one(d, 10 * n);
			weir_driver_advance(d, n % 2 ? 1 : 400000); /* a checkpoint each 300 s */
			must(weir_driver_restart(d, i & 2, &err));
			count_one(d, 10 * n + 5);
			weir_driver_pipe(d, "in", "a", "", 10 * n + 4);
			snprintf(out, sizeof out, "a=%s@%d", wanted[kind][n - 1], 10 * n + 4);
			assert_text(d, "out", out);
		}
		weir_driver_pipe(d, "events", "b", "v", 40);
		weir_driver_pipe(d, "events", "c", "v", 41); /* of two keys at most, a is let go of */
		must(weir_driver_restart(d, i & 2, &err));
		weir_driver_pipe(d, "in", "a", "", 42);
		snprintf(out, sizeof out, "a=%s@42",
			 kind == LRU        ? "~"
			 : kind == VERSIONS ? "6,6"
					    : wanted[kind][2]);
		assert_text(d, "out", out);
		weir_driver_free(d);
		remove_directory(dir);
	}
	(void)state;
}

static void what_its_store_does_not_take_any_more_is_counted(void **state)
{
	enum kind kind = VERSIONS;
	weir_driver *d = with_store_of(&kind, NULL);

	(void)state;
	count_one(d, 300);
	count_one(d, 199); /* before the history */
	count_one(d, 200);
	assert_true(weir_metrics_value(weir_app_metrics(weir_driver_app(d)), "weir_dropped_records_total",
				       (const char *const[]){ "0" }) == 1);
	weir_driver_free(d);
}

static void looked_up_as_a_table_it_stops(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_error why = { .code = WEIR_OK };

	(void)state;
	seen = weir_global_store(
		t, "seen",
		(weir_global_opts){ .topic = "events",
				    .value = &weir_utf8,
				    .of = { .windowed = true, .window_size_ms = SIZE_MS, .retain_ms = RETAIN_MS } },
		(weir_processor){ .process = count_in_window });
	weir_sink(weir_map_values(text_source(t, "in"), "with-seen", with_seen, &weir_utf8, &seen), "out",
		  (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "k", "", 1);
	assert_stopped(d, "see weir_global_read");
	weir_driver_free(d);
	t = weir_topology_new("app");
	weir_global_table(t, "table", (weir_global_opts){ .of = { .entries_max = 3 } });
	text_source(t, "in");
	assert_false(weir_topology_check(t, &why));
	assert_contains(why.message, "`of` is for weir_global_store");
	weir_topology_free(t);
}

/* It goes on where it was, whatever the topic has lost, and only begins again where there is nothing. */
static void what_is_on_disk_is_not_processed_again(void **state)
{
	char *dir = temporary_directory();
	weir_driver *d = driver(counting(), (weir_driver_opts){ .state_dir = dir });
	weir_partition first = { .topic = "events", .partition = 0, .offset = 1 };

	(void)state;
	weir_driver_pipe(d, "events", "k", "a", 1);
	weir_driver_pipe(d, "events", "k", "b", 2);
	weir_driver_stop(d, false);
	must(weir_records_delete(weir_driver_cluster(d), &first, 1, &err));
	must(weir_driver_start(d, NULL, &err));
	weir_driver_pipe(d, "events", "k", "c", 3);
	assert_seen(d, "k", "3:c");
	weir_driver_free(d);
	remove_directory(dir);
}

/* Deletions that it has not seen may be gone: of a compacted topic, but no other. */
static void what_is_old_is_made_again_if_the_topic_is_compacted(void **state)
{
	for (int compacted = 0; compacted < 2; compacted++) {
		const char *const configs[][2] = { { "cleanup.policy", compacted ? "compact,delete" : "delete" },
						   { "retention.ms", "-1" },
						   { "delete.retention.ms", "86400000" } };
		weir_topic_spec spec = {
			.name = "events", .partitions = 1, .configs = configs, .config_count = LENGTH(configs)
		};
		char *dir = temporary_directory();
		weir_driver *d = driver(counting(), (weir_driver_opts){ .state_dir = dir });
		weir_partition first = { .topic = "events", .partition = 0, .offset = 1 };

		weir_driver_stop(d, false);
		must(weir_topics_delete(weir_driver_cluster(d), (const char *[]){ "events" }, 1, &err));
		must(weir_topics_create(weir_driver_cluster(d), &spec, 1, &err));
		must(weir_driver_start(d, NULL, &err));
		weir_driver_pipe(d, "events", "k", "a", 1);
		weir_driver_pipe(d, "events", "k", "b", 2);
		weir_driver_stop(d, false);
		must(weir_records_delete(weir_driver_cluster(d), &first, 1, &err));
		weir_driver_advance(d, WEIR_DAYS(2));
		must(weir_driver_start(d, NULL, &err));
		assert_seen(d, "k", compacted ? "1:b" : "2:b");
		weir_driver_free(d);
		remove_directory(dir);
	}
	(void)state;
}

static void what_was_made_without_the_processor_is_made_again(void **state)
{
	char *dir = temporary_directory();
	weir_topology *t = weir_topology_new("app");

	(void)state;
	seen = weir_global_table(t, "seen", (weir_global_opts){ .topic = "events", .value = &weir_utf8 });
	weir_sink(text_source(t, "in"), "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ .state_dir = dir });

	weir_driver_pipe(d, "events", "k", "a", 1);
	weir_driver_pipe_record(d, "events", -1, WEIR_NULL, weir_str("z"), 2, NULL);
	weir_driver_stop(d, false);
	must(weir_driver_start(d, counting(), &err));
	assert_seen(d, "k", "1:a");
	assert_seen(d, "none", "1:z");
	weir_driver_stop(d, false);
	t = weir_topology_new("app");
	weir_global_table(t, "seen", (weir_global_opts){ .topic = "events", .value = &weir_utf8 });
	weir_sink(text_source(t, "in"), "out", (weir_sink_opts){ 0 });
	must(weir_driver_start(d, t, &err));
	assert_seen(d, "k", "a");
	assert_true(weir_is_null(weir_store_get(weir_driver_store(d, "seen", 0), weir_str("none"), NULL)));
	weir_driver_free(d);
	remove_directory(dir);
}

/* --- what it may do ------------------------------------------------------------------------------------------- */

static const weir_metric_def told_def = {
	"test_told_total", WEIR_COUNTER, { "task", "step" }, 0, "Records that have been told.",
};

static int closed;

static void tell_begin(weir_context *cx, void *state, void *user)
{
	(void)user;
	*(weir_counter **)state = weir_task_counter(cx, &told_def, NULL);
}

static void tell(weir_context *cx, const weir_record *r, void *state, void *user)
{
	weir_counter *told = *(weir_counter **)state;
	weir_metadata m = weir_record_metadata(cx);
	weir_bytes header = weir_headers_last(weir_record_headers(r), "h");

	(void)user;
	weir_counter_add_single(told, 1);
	weir_request_commit(cx);
	weir_store_put(weir_context_store(cx, "seen"), r->key,
		       *text(cx, "%s/%d/%lld %s %s %d %.*s %llu", m.topic, (int)m.partition, (long long)m.offset,
			     weir_application_id(cx), weir_task_id(cx), (int)weir_task_partition(cx),
			     (int)header.len, (const char *)header.data,
			     (unsigned long long)weir_counter_value(told)),
		       weir_now_ms(cx));
}

static void tell_end(void *state, void *user)
{
	(void)state, (void)user;
	closed++;
}

static void it_knows_where_it_is(void **state)
{
	weir_driver *d = driver(before_a_store((weir_processor){ .state_size = sizeof(weir_counter *),
								 .init = tell_begin,
								 .process = tell,
								 .close = tell_end }),
				(weir_driver_opts){ 0 });
	weir_headers headers = { (weir_header[]){ { "h", weir_str("head") } }, 1 };

	(void)state;
	closed = 0;
	weir_driver_pipe(d, "events", "k", "a", 1);
	weir_driver_pipe_record(d, "events", -1, weir_str("k"), weir_str("b"), 2, &headers);
	assert_seen(d, "k", "events/0/1 app global_0 0 head 2");
	weir_driver_free(d);
	assert_int_equal(closed, 1);
}

static void count_twice(weir_context *cx, const weir_record *r, weir_wrapped *inner, void *state, void *user)
{
	(void)state, (void)user;
	weir_wrapped_process(inner, cx, r);
	weir_wrapped_process(inner, cx, r);
}

static void a_wrapper_is_put_around_it(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_topology_wrap(t, (weir_wrapper){ .process = count_twice });
	weir_global_store(t, "seen", (weir_global_opts){ .topic = "events", .value = &weir_utf8 },
			  (weir_processor){ .process = count_up });
	text_source(t, "in");
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "events", "k", "a", 1);
	assert_seen(d, "k", "2:a");
	weir_driver_free(d);
}

/* --- what goes wrong ------------------------------------------------------------------------------------------ */

static void misbehave(weir_context *cx, const weir_record *r, void *state, void *user)
{
	(void)state;
	weir_store_put(weir_context_store(cx, "seen"), r->key, weir_str("half"), r->timestamp_ms);
	if (weir_bytes_equal(weir_value_bytes(r), weir_str("good")))
		return;
	if (strcmp(user, "forward") == 0)
		weir_forward(cx, r);
	else if (strcmp(user, "schedule") == 0)
		weir_schedule(cx, 10, WEIR_WALL_CLOCK_TIME, NULL);
	else if (strcmp(user, "letter") == 0)
		weir_dead_letter(cx, r, "not wanted");
	else
		weir_step_fail(cx, "no use");
}

static weir_driver *misbehaving(const char *how, const char *const (*config)[2], size_t n, const char *dir)
{
	return driver(before_a_store((weir_processor){ .process = misbehave, .user = (void *)how }),
		      (weir_driver_opts){ .config = config, .config_count = n, .state_dir = dir });
}

static void what_it_must_not_do_stops_the_application(void **state)
{
	static const char *const ways[][2] = {
		{ "forward", "step \"seen\" forwards a record" },
		{ "schedule", "step \"seen\" schedules a timer" },
		{ "fail", "step \"seen\" has failed at events/0/1: no use (errors.processing=stop)" },
	};
	static const char *const config[][2] = { { "errors.processing", "stop" } };

	(void)state;
	for (size_t i = 0; i < LENGTH(ways); i++) {
		char *dir = temporary_directory();
		weir_driver *d = misbehaving(ways[i][0], config, 1, dir);

		weir_driver_pipe(d, "events", "k", "good", 1);
		weir_driver_pipe(d, "events", "other", "bad", 2);
		assert_int_equal(weir_app_state_get(weir_driver_app(d), NULL), WEIR_APP_ERROR);
		/* Nothing of a record that has not been taken is kept: it comes again, to a better one. */
		weir_driver_stop(d, false);
		must(weir_driver_start(d, counting(), &err));
		assert_seen(d, "other", "1:bad");
		weir_driver_free(d);
		remove_directory(dir);
	}
}

static void a_failure_may_be_passed_over(void **state)
{
	static const char *const config[][2] = { { "errors.processing", "dead-letter" },
						 { "errors.dead.letter.queue.topic.name", "dead-letters" } };

	(void)state;
	for (int fails = 0; fails < 2; fails++) {
		weir_driver *d = misbehaving(fails ? "fail" : "letter", config, 2, NULL);

		weir_driver_pipe(d, "events", "a", "bad", 1);
		weir_driver_pipe(d, "events", "b", "good", 2);
		assert_seen(d, "a", "half"); /* what it has put before stays, as in any step */
		assert_seen(d, "b", "half");
		assert_nothing(d, "dead-letters");
		weir_driver_free(d);
	}
}

static void what_cannot_be_read_is_not_given_to_it(void **state)
{
	static const char *const config[][2] = { { "errors.deserialization", "stop" } };

	for (int stops = 0; stops < 2; stops++) {
		weir_topology *t = weir_topology_new("app");

		weir_global_store(t, "seen", (weir_global_opts){ .topic = "events", .value = &weir_int64 },
				  (weir_processor){ .process = tell,
						    .init = tell_begin,
						    .state_size = sizeof(weir_counter *),
						    .value = &weir_utf8 });
		text_source(t, "in");
		weir_driver *d = driver(t, (weir_driver_opts){ .config = config, .config_count = (size_t)stops });

		weir_driver_pipe(d, "events", "k", "not a number", 1);
		if (stops)
			assert_stopped(d, "cannot be read");
		else
			assert_true(
				weir_is_null(weir_store_get(weir_driver_store(d, "seen", 0), weir_str("k"), NULL)));
		weir_driver_free(d);
	}
	(void)state;
}

static void mistakes_are_told(void **state)
{
	weir_topology *t = weir_topology_new("app");
	weir_error why = { .code = WEIR_OK };

	(void)state;
	weir_topology_wrap(t, (weir_wrapper){ .stores = { "around" } });
	weir_global_store(t, "idle", (weir_global_opts){ 0 }, (weir_processor){ 0 });
	weir_global_store(t, "greedy", (weir_global_opts){ .store.unlogged = true },
			  (weir_processor){ .process = count_up, .stores = { "another" } });
	weir_topology_wrap(t, (weir_wrapper){ 0 });
	text_source(t, "in");
	assert_false(weir_topology_check(t, &why));
	assert_contains(why.message, "it has no process function");
	assert_contains(why.message, "what is around it has stores");
	assert_contains(why.message, "before a global store there is no other store");
	assert_contains(why.message, "it cannot be unlogged");
	weir_topology_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_what_the_processor_makes),
		cmocka_unit_test(each_record_counts_once),
		cmocka_unit_test(a_checkpoint_that_breaks_off_counts_nothing_twice),
		cmocka_unit_test(windows_and_sessions_count_each_record_once_too),
		cmocka_unit_test(a_store_of_any_kind_counts_each_record_once_too),
		cmocka_unit_test(what_its_store_does_not_take_any_more_is_counted),
		cmocka_unit_test(looked_up_as_a_table_it_stops),
		cmocka_unit_test(what_is_on_disk_is_not_processed_again),
		cmocka_unit_test(what_is_old_is_made_again_if_the_topic_is_compacted),
		cmocka_unit_test(what_was_made_without_the_processor_is_made_again),
		cmocka_unit_test(it_knows_where_it_is),
		cmocka_unit_test(a_wrapper_is_put_around_it),
		cmocka_unit_test(what_it_must_not_do_stops_the_application),
		cmocka_unit_test(a_failure_may_be_passed_over),
		cmocka_unit_test(what_cannot_be_read_is_not_given_to_it),
		cmocka_unit_test(mistakes_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
