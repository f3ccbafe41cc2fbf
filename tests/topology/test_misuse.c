/* Wrong use of the interface is answered with an error that says so: what is NULL, what comes twice or too late,
 * what is called from where it must not be. */
#include <pthread.h>

#include "tests/topology/topology_test.h"

static const weir_window none = { 0 };

static bool keep(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)r, (void)user;
	return true;
}

static void look(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)r, (void)user;
}

static void map(weir_context *cx, const weir_record *in, weir_record *out, void *user)
{
	(void)cx, (void)in, (void)out, (void)user;
}

static const void *map_value(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)user;
	return weir_value(r);
}

static weir_bytes key(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)user;
	return r->key;
}

static const void *join(weir_context *cx, weir_bytes k, const void *left, const void *right, void *user)
{
	(void)cx, (void)k, (void)right, (void)user;
	return left;
}

static const void *reduce(weir_context *cx, const void *a, const void *b, void *user)
{
	(void)cx, (void)a, (void)user;
	return b;
}

static const void *fold(weir_context *cx, const weir_record *r, const void *a, void *user)
{
	(void)cx, (void)r, (void)user;
	return a;
}

static void process(weir_context *cx, const weir_record *r, void *state, void *user)
{
	(void)state, (void)user;
	weir_forward(cx, r);
}

static const void *transform(weir_context *cx, const weir_record *r, void *state, void *user)
{
	(void)cx, (void)state, (void)user;
	return weir_value(r);
}

/* --- NULL in the place of a stream or a table -------------------------------------------------------------------
 * */

/* Each builder gets a NULL; `s` and `t` are sound. */
#define STREAM_CASE(name_, call) \
	static void name_(weir_topology *t, weir_stream *s) \
	{ \
		(void)t, (void)s; \
		call; \
	}
#define TABLE(t) weir_table_source(t, "table", (weir_table_source_opts){ .value = &weir_utf8 })
static const weir_table_opts no_opts;
static const weir_join_window window = { .before_ms = 1 };
static weir_stream *out[1];

STREAM_CASE(sink, weir_sink(NULL, "x", (weir_sink_opts){ 0 }))
STREAM_CASE(filter, weir_filter(NULL, "x", keep, NULL))
STREAM_CASE(filter_not, weir_filter_not(NULL, "x", keep, NULL))
STREAM_CASE(map_, weir_map(NULL, "x", map, NULL, NULL))
STREAM_CASE(map_values, weir_map_values(NULL, "x", map_value, NULL, NULL))
STREAM_CASE(flat_map, weir_flat_map(NULL, "x", look, NULL, NULL))
STREAM_CASE(flat_map_values, weir_flat_map_values(NULL, "x", look, NULL, NULL))
STREAM_CASE(key_by, weir_key_by(NULL, "x", key, NULL))
STREAM_CASE(merge_left, weir_merge(NULL, "x", s))
STREAM_CASE(merge_right, weir_merge(s, "x", NULL))
STREAM_CASE(branch, weir_branch(NULL, "x", &(weir_case){ "y", keep, NULL }, 1, out))
STREAM_CASE(branch_cases, weir_branch(s, "x", NULL, 1, out))
STREAM_CASE(branch_out, weir_branch(s, "x", &(weir_case){ "y", keep, NULL }, 1, NULL))
STREAM_CASE(peek, weir_peek(NULL, "x", look, NULL))
STREAM_CASE(for_each, weir_for_each(NULL, "x", look, NULL))
STREAM_CASE(repartition, weir_repartition(NULL, "x", (weir_repartition_opts){ 0 }))
STREAM_CASE(count, weir_count(NULL, "x", none))
STREAM_CASE(count_in_windows, weir_count(NULL, "x", (weir_window){ .gap_ms = 1 }))
STREAM_CASE(reduce_, weir_reduce(NULL, "x", reduce, none, NULL))
STREAM_CASE(aggregate, weir_aggregate(NULL, "x", (weir_aggregator){ .value = &weir_utf8, .fold = fold }, none))
STREAM_CASE(cogroup_nothing, weir_cogroup(NULL, 3, "x", (weir_aggregator){ .value = &weir_utf8 }, none))
STREAM_CASE(cogroup_none,
	    weir_cogroup(&(weir_cogrouped){ .stream = s, .fold = fold }, 0, "x", (weir_aggregator){ 0 }, none))
STREAM_CASE(cogroup, weir_cogroup(&(weir_cogrouped){ .fold = fold }, 1, "x", (weir_aggregator){ 0 }, none))
STREAM_CASE(changes, weir_sink(weir_changes(NULL), "x", (weir_sink_opts){ 0 }))
STREAM_CASE(process_, weir_process(NULL, "x", (weir_processor){ .process = process }))
STREAM_CASE(to_table, weir_to_table(NULL, "x", no_opts))
STREAM_CASE(join_left, weir_join(NULL, "x", s, join, NULL, window, NULL))
STREAM_CASE(join_right, weir_outer_join(s, "x", NULL, join, NULL, window, NULL))
STREAM_CASE(join_table, weir_join_table(s, "x", NULL, join, (weir_join_table_opts){ 0 }, NULL))
STREAM_CASE(wait_for_table, weir_join_table(s, "x", NULL, join, (weir_join_table_opts){ .grace_ms = 1 }, NULL))
STREAM_CASE(join_of_nothing, weir_left_join_table(NULL, "x", TABLE(t), join, (weir_join_table_opts){ 0 }, NULL))
STREAM_CASE(join_global, weir_join_global(s, "x", NULL, key, join, (weir_join_table_opts){ 0 }, NULL))
STREAM_CASE(table_filter, weir_table_filter(NULL, "x", keep, no_opts, NULL))
STREAM_CASE(table_map_values, weir_table_map_values(NULL, "x", map_value, NULL, no_opts, NULL))
STREAM_CASE(table_transform,
	    weir_table_transform_values(NULL, "x", (weir_value_transformer){ .transform = transform }, no_opts))
STREAM_CASE(table_join, weir_table_join(NULL, "x", TABLE(t), join, NULL, no_opts, NULL))
STREAM_CASE(table_outer_join, weir_table_outer_join(TABLE(t), "x", NULL, join, NULL, no_opts, NULL))
STREAM_CASE(suppress, weir_suppress(NULL, "x", (weir_suppress_opts){ 0 }))
STREAM_CASE(suppress_windows, weir_suppress(NULL, "x", (weir_suppress_opts){ .until_window_closes = true }))
STREAM_CASE(group_by, weir_table_group_by(NULL, "x", map, (weir_group_by_opts){ 0 }, NULL))
STREAM_CASE(grouped_count, weir_grouped_count(NULL, "x", no_opts))
STREAM_CASE(grouped_reduce, weir_grouped_reduce(NULL, "x", reduce, reduce, no_opts, NULL))
STREAM_CASE(grouped_aggregate,
	    weir_grouped_aggregate(NULL, "x",
				   (weir_table_aggregator){ .value = &weir_utf8, .fold = fold, .unfold = fold },
				   no_opts))
STREAM_CASE(foreign_left, weir_table_join_foreign(NULL, "x", TABLE(t), key, join, (weir_foreign_opts){ 0 }, NULL))
STREAM_CASE(foreign_right,
	    weir_table_left_join_foreign(TABLE(t), "x", NULL, key, join, (weir_foreign_opts){ 0 }, NULL))

static void a_null_in_the_place_of_a_stream_or_table_is_a_mistake(void **state)
{
	static void (*const make[])(weir_topology *, weir_stream *) = {
		sink,
		filter,
		filter_not,
		map_,
		map_values,
		flat_map,
		flat_map_values,
		key_by,
		merge_left,
		merge_right,
		branch,
		branch_cases,
		branch_out,
		peek,
		for_each,
		repartition,
		count,
		count_in_windows,
		reduce_,
		aggregate,
		cogroup_nothing,
		cogroup_none,
		cogroup,
		changes,
		process_,
		to_table,
		join_left,
		join_right,
		join_table,
		wait_for_table,
		join_of_nothing,
		join_global,
		table_filter,
		table_map_values,
		table_transform,
		table_join,
		table_outer_join,
		suppress,
		suppress_windows,
		group_by,
		grouped_count,
		grouped_reduce,
		grouped_aggregate,
		foreign_left,
		foreign_right,
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(make); i++) {
		weir_topology *t = weir_topology_new("app");
		weir_error why = { .code = WEIR_OK };

		make[i](t, text_source(t, "in"));
		if (weir_topology_check(t, &why))
			fail_msg("case %zu is not noticed", i);
		assert_int_equal(why.code, WEIR_TOPOLOGY);
		if (!strstr(why.message, "NULL"))
			fail_msg("case %zu: %s", i, why.message);
		assert_null(weir_driver_new(t, (weir_driver_opts){ 0 }, &why));
	}
}

/* --- values that a sink cannot write ----------------------------------------------------------------------------
 * */

static weir_bytes encode_text(weir_context *cx, const void *object)
{
	(void)cx;
	return *(const weir_bytes *)object;
}

static const weir_serde my_text = { .name = "my-text", .encode = encode_text };
static const weir_serde my_pair = { .name = "my-pair", .encode = encode_text, .size = 16 };

static void a_sink_does_not_take_objects_for_what_they_are_not(void **state)
{
	static const struct {
		const weir_serde *in, *out;
		bool fits;
	} cases[] = {
		{ &weir_utf8, &weir_int64, false },  { &weir_int64, &weir_double, false },
		{ &weir_int32, &weir_int16, false }, { &weir_int64, &my_pair, false },
		{ &weir_utf8, &weir_raw, true },     { &weir_utf8, &my_text, true },
		{ NULL, &weir_int64, true },         { &weir_int64, &weir_void, true },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		weir_topology *t = weir_topology_new("app");
		weir_error why = { .code = WEIR_OK };

		weir_sink(weir_source(t, "in", (weir_source_opts){ .value = cases[i].in }), "out",
			  (weir_sink_opts){ .value = cases[i].out });
		bool ok = weir_topology_check(t, &why);

		if (ok != cases[i].fits)
			fail_msg("case %zu: %s", i, ok ? "not noticed" : why.message);
		if (!ok)
			assert_contains(why.message, "step \"out\": its input has values of the serde");
		weir_topology_free(t);
	}
}

/* --- who has a topology -----------------------------------------------------------------------------------------
 * */

static weir_topology *counting(void)
{
	weir_topology *t = weir_topology_new("app");

	weir_count(text_source(t, "in"), "counts", none);
	return t;
}

static void a_topology_belongs_to_one_driver(void **state)
{
	weir_topology *t = counting();
	weir_driver *d = driver(t, (weir_driver_opts){ 0 }), *other = driver(counting(), (weir_driver_opts){ 0 });
	weir_error why = { .code = WEIR_OK };

	(void)state;
	assert_null(weir_driver_new(t, (weir_driver_opts){ 0 }, &why));
	assert_int_equal(why.code, WEIR_USAGE);
	assert_contains(why.message, "taken over");
	assert_false(weir_driver_start(other, t, &why));
	assert_non_null(weir_driver_app(other));
	assert_false(weir_simulate(t, (weir_simulation_opts){ .seed = 1 }, NULL, &why));
	must(weir_driver_start(d, t, &err)); /* its own */
	weir_driver_pipe(d, "in", "a", "v", 1);
	assert_int_equal(weir_store_count(weir_driver_store(d, "counts", 0)), 1);
	weir_driver_free(d);
	weir_driver_free(other);
}

static void what_is_null_is_told(void **state)
{
	weir_config *cfg = weir_config_new();
	weir_cluster *cluster = weir_cluster_embedded((weir_embedded_opts){ 0 });
	weir_topology *t = counting();
	weir_error why = { .code = WEIR_OK };

	(void)state;
	must(weir_config_set(cfg, "application.id", "app", WEIR_FROM_COMMAND_LINE, "test", &err));
	assert_false(weir_topology_check(NULL, &why));
	assert_int_equal(why.code, WEIR_USAGE);
	assert_null(weir_driver_new(NULL, (weir_driver_opts){ 0 }, &why));
	assert_contains(why.message, "the topology is NULL");
	assert_null(weir_app_new(NULL, cfg, cluster, (weir_app_opts){ 0 }, &why));
	assert_contains(why.message, "the topology is NULL");
	assert_null(weir_app_new(t, NULL, cluster, (weir_app_opts){ 0 }, &why));
	assert_contains(why.message, "the configuration is NULL");
	assert_null(weir_app_new(t, cfg, NULL, (weir_app_opts){ 0 }, &why));
	assert_contains(why.message, "the cluster is NULL");
	assert_false(weir_app_start(NULL, &why));
	assert_false(weir_app_stop(NULL, 0, &why));
	assert_false(weir_app_query(NULL, "counts", NULL, NULL, (weir_query_opts){ 0 }, &why));
	assert_false(weir_config_set(cfg, NULL, "1", WEIR_FROM_COMMAND_LINE, "-X", &why));
	assert_string_equal(why.message, "-X: a key has a name and a value");
	assert_false(weir_config_set(cfg, "num.stream.threads", NULL, WEIR_FROM_COMMAND_LINE, NULL, &why));
	weir_topology_free(t);
	weir_cluster_free(cluster);
	weir_config_free(cfg);
}

/* --- an application that is started twice, or stopped by its own callback ---------------------------------------
 * */

struct asked {
	pthread_mutex_t mutex;
	weir_app *app;
	bool done;
	weir_error start, stop, query;
};

static void count_rows(weir_store *store, int32_t partition, void *user)
{
	(void)partition;
	*(int64_t *)user += weir_store_count(store);
}

static void ask_for_all(weir_context *cx, const weir_record *r, void *user)
{
	struct asked *a = user;
	int64_t rows = 0;

	(void)cx, (void)r;
	pthread_mutex_lock(&a->mutex);
	if (!a->done) {
		weir_app_start(a->app, &a->start);
		weir_app_stop(a->app, 60000, &a->stop);
		weir_app_query(a->app, "counts", count_rows, &rows, (weir_query_opts){ 0 }, &a->query);
	}
	a->done = true;
	pthread_mutex_unlock(&a->mutex);
}

static void put_one(weir_cluster *cluster)
{
	weir_producer *p;

	must(p = weir_producer_open(cluster, (weir_producer_opts){ 0 }, &err));
	must(weir_producer_send(p,
				&(weir_produced){ .topic = "in",
						  .partition = 0,
						  .timestamp_ms = 1,
						  .key = weir_str("a"),
						  .value = weir_str("v") },
				&err));
	weir_producer_close(p);
}

static void an_application_runs_once_and_not_from_its_own_callbacks(void **state)
{
	weir_config *cfg = weir_config_new();
	weir_cluster *cluster = weir_cluster_embedded((weir_embedded_opts){ .partitions = 1 });
	weir_topology *t = weir_topology_new("app");
	struct asked a = { .mutex = PTHREAD_MUTEX_INITIALIZER };
	bool done = false;
	weir_error why = { .code = WEIR_OK };
	weir_topic_spec spec = { .name = "in", .partitions = 1 };

	(void)state;
	weir_count(weir_peek(text_source(t, "in"), "ask", ask_for_all, &a), "counts", none);
	must(weir_config_set(cfg, "application.id", "app", WEIR_FROM_COMMAND_LINE, "test", &err));
	must(weir_config_set(cfg, "state.dir", "", WEIR_FROM_COMMAND_LINE, "test", &err));
	must(weir_topics_create(cluster, &spec, 1, &err));
	must(a.app = weir_app_new(t, cfg, cluster, (weir_app_opts){ 0 }, &err));
	must(weir_app_start(a.app, &err));
	assert_false(weir_app_start(a.app, &why));
	assert_int_equal(why.code, WEIR_USAGE);
	assert_contains(why.message, "it runs once");
	put_one(cluster);
	for (int ms = 0; !done && ms < 60000; ms++, usleep(1000)) {
		pthread_mutex_lock(&a.mutex);
		done = a.done;
		pthread_mutex_unlock(&a.mutex);
	}
	assert_true(done);
	assert_contains(a.start.message, "weir_app_start is called from a callback");
	assert_contains(a.stop.message, "weir_app_stop is called from a callback");
	assert_contains(a.query.message, "weir_app_query is called from a callback");
	assert_int_not_equal(weir_app_state_get(a.app, NULL), WEIR_APP_ERROR);
	must(weir_app_stop(a.app, 60000, &err));
	assert_false(weir_app_start(a.app, &why));
	assert_contains(why.message, "it runs once");
	assert_int_equal(weir_app_state_get(a.app, NULL), WEIR_APP_NOT_RUNNING);
	weir_app_free(a.app);
	weir_topology_free(t);
	weir_cluster_free(cluster);
	weir_config_free(cfg);
}

/* --- what a processor must not do -------------------------------------------------------------------------------
 * */

enum wrong {
	UNDECLARED,
	NO_NAME,
	NULL_KEY,
	WINDOW_OF_KEYS,
	WINDOWS_OF_KEYS,
	PUT_WINDOW,
	SESSION_OF_KEYS,
	PUT_SESSION,
	BACKWARD_SESSION,
	VERSION_OF_KEYS,
	PUT_VERSION,
	VERSIONS_OF_KEYS,
	PUT_OBJECT,
	PUT_HEADERS,
	GET_HEADERS,
	NO_RECORD,
	EMPTY_RECORD,
	NO_INTERVAL,
	NO_TIMER,
	NOBODY,
};

static void expect_nothing(weir_iterator *it)
{
	weir_entry e;

	assert_non_null(it);
	assert_false(weir_iterator_next(it, &e));
	weir_iterator_close(it);
}

static void use_store(weir_context *cx, weir_store *s, enum wrong what)
{
	weir_bytes k = weir_str("k"), v = weir_str("v");
	const weir_headers *headers;

	switch ((int)what) {
	case NULL_KEY:
		weir_store_put(s, WEIR_NULL, v, 1);
		assert_true(weir_is_null(weir_store_get(s, WEIR_NULL, NULL)));
		break;
	case WINDOW_OF_KEYS:
		assert_true(weir_is_null(weir_window_get(s, k, 0, NULL)));
		break;
	case WINDOWS_OF_KEYS:
		expect_nothing(weir_window_fetch(s, k, 0, 9, false));
		expect_nothing(weir_window_fetch_all(s, 0, 9));
		expect_nothing(weir_window_fetch_keys(s, k, v, 0, 9, true));
		expect_nothing(weir_window_prefix(s, k, 0));
		break;
	case PUT_WINDOW:
		weir_window_put(s, k, v, 0, 1);
		break;
	case SESSION_OF_KEYS:
		assert_true(weir_is_null(weir_session_get(s, k, 0, 1, NULL)));
		expect_nothing(weir_session_find(s, k, 0, 9, false));
		expect_nothing(weir_session_find_all(s, 0, 9));
		expect_nothing(weir_session_find_keys(s, k, v, 0, 9, false));
		break;
	case PUT_SESSION:
		weir_session_put(s, k, v, 0, 1, 1);
		break;
	case BACKWARD_SESSION:
		weir_session_put(weir_context_store(cx, "sessions"), k, v, 2, 1, 1);
		break;
	case VERSION_OF_KEYS:
		assert_true(weir_is_null(weir_versioned_get(s, k, NULL)));
		assert_true(weir_is_null(weir_versioned_get_as_of(s, k, 1, NULL)));
		break;
	case PUT_VERSION:
		assert_int_equal(weir_versioned_put(s, k, v, 1), WEIR_NOT_PUT);
		break;
	case VERSIONS_OF_KEYS:
		expect_nothing(weir_versioned_fetch(s, k, 0, 9, false));
		break;
	case PUT_OBJECT:
		weir_custom_put(s, k, v, 1);
		break;
	case PUT_HEADERS:
		weir_store_put_headers(s, k, v, 1, &(weir_headers){ 0 });
		break;
	case GET_HEADERS:
		weir_store_get_headers(s, k, NULL, &headers);
		assert_int_equal(headers->count, 0);
		break;
	}
}

static void tick(weir_context *cx, int64_t time_ms, void *state)
{
	weir_record r = weir_record_begin(cx, *weir_text(cx, "at-%d", (int)time_ms), time_ms);

	(void)state;
	weir_set_value(&r, weir_text(cx, "%s", ""));
	weir_forward(cx, &r);
}

static void do_wrong(weir_context *cx, const weir_record *r, void *state, void *user)
{
	enum wrong what = *(const enum wrong *)user;
	weir_store *store = weir_context_store(cx, what == UNDECLARED ? "undeclared"
						   : what == NO_NAME  ? NULL
								      : "store");

	(void)state;
	assert_non_null(store);
	switch ((int)what) {
	case UNDECLARED:
	case NO_NAME: /* it can be used, and is not there */
		weir_store_put(store, weir_str("k"), weir_str("v"), 1);
		assert_true(weir_is_null(weir_store_get(store, weir_str("k"), NULL)));
		expect_nothing(weir_store_range(store, WEIR_NULL, WEIR_NULL, false));
		assert_int_equal(weir_store_count(store), 0);
		break;
	case NO_RECORD:
		weir_forward(cx, NULL);
		break;
	case EMPTY_RECORD:
		weir_forward(cx, &(weir_record){ .key = r->key });
		break;
	case NO_INTERVAL:
		assert_null(weir_schedule(cx, 0, WEIR_STREAM_TIME, tick));
		break;
	case NO_TIMER:
		assert_null(weir_schedule_at(cx, 1, 1, WEIR_WALL_CLOCK_TIME, NULL));
		break;
	case NOBODY:
		weir_forward_to(cx, "nobody", r);
		break;
	default:
		use_store(cx, store, what);
	}
}

static weir_driver *with_processor(weir_processor processor)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = text_source(t, "in");

	weir_add_store(t, "store", (weir_store_opts){ 0 });
	weir_add_store(t, "undeclared", (weir_store_opts){ 0 });
	weir_add_store(t, "sessions", (weir_store_opts){ .sessions = true, .retain_ms = 1000 });
	weir_process(in, "beside", (weir_processor){ .process = process, .stores = { "undeclared" } });
	weir_sink(weir_process(in, "wrong", processor), "out", (weir_sink_opts){ 0 });
	return driver(t, (weir_driver_opts){ 0 });
}

static void a_processor_that_does_wrong_stops_the_application_which_says_why(void **state)
{
	static const struct {
		enum wrong what;
		const char *why;
	} cases[] = {
		{ UNDECLARED, "step \"wrong\" asks for the store \"undeclared\", which it has not declared" },
		{ NO_NAME, "asks for the store \"NULL\"" },
		{ NULL_KEY, "a key is null" },
		{ WINDOW_OF_KEYS, "a store of keys and values, not of windows" },
		{ WINDOWS_OF_KEYS, "a store of keys and values, not of windows" },
		{ PUT_WINDOW, "a store of keys and values, not of windows" },
		{ SESSION_OF_KEYS, "not of sessions" },
		{ PUT_SESSION, "not of sessions" },
		{ BACKWARD_SESSION, "ends before it begins" },
		{ VERSION_OF_KEYS, "not of versions" },
		{ PUT_VERSION, "not of versions" },
		{ VERSIONS_OF_KEYS, "not of versions" },
		{ PUT_OBJECT, "not of one's own kind" },
		{ PUT_HEADERS, "it keeps no headers" },
		{ GET_HEADERS, "it keeps no headers" },
		{ NO_RECORD, "step \"wrong\" forwards a record that is neither a copy" },
		{ EMPTY_RECORD, "step \"wrong\" forwards a record that is neither a copy" },
		{ NO_INTERVAL, "step \"wrong\" schedules a timer whose interval is not positive" },
		{ NO_TIMER, "step \"wrong\" schedules a timer without a function" },
		{ NOBODY, "forwards to \"nobody\", which is not below it" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		enum wrong what = cases[i].what;
		weir_driver *d = with_processor(
			(weir_processor){ .process = do_wrong, .stores = { "store", "sessions" }, .user = &what });

		weir_driver_pipe(d, "in", "a", "v", 1);
		assert_stopped(d, cases[i].why);
		assert_nothing(d, "out");
		weir_driver_free(d);
	}
}

/* --- records that begin in a timer ------------------------------------------------------------------------------
 * */

static void begin_ticking(weir_context *cx, void *state, void *user)
{
	(void)state, (void)user;
	weir_schedule(cx, 10, WEIR_STREAM_TIME, tick);
}

static void say(weir_context *cx, const weir_record *r, void *state, void *user)
{
	weir_record out_of_it = *r;
	weir_bytes v = weir_value_bytes(r);

	(void)state, (void)user;
	weir_set_value(&out_of_it,
		       weir_text(cx, "%.*s, %d times, and %0*d", (int)v.len, (const char *)v.data, 3, 600, 7));
	weir_forward(cx, &out_of_it);
}

static void a_timer_begins_records_and_text_is_as_long_as_it_is(void **state)
{
	weir_driver *d = with_processor(
		(weir_processor){ .init = begin_ticking, .process = say, .stores = { "store", "sessions" } });
	weir_driver_record r;

	(void)state;
	weir_driver_pipe(d, "in", "a", "what", 1);
	assert_true(weir_driver_read(d, "out", &r));
	assert_int_equal(r.value.len, strlen("what, 3 times, and ") + 600);
	assert_memory_equal(r.value.data, "what, 3 times, and 0000", 23);
	assert_text(d, "out", "at-1=@1");
	weir_driver_free(d);
}

/* --- what a query must not do -----------------------------------------------------------------------------------
 * */

static void look_for_windows(weir_store *store, int32_t partition, void *user)
{
	(void)partition, (void)user;
	assert_true(weir_is_null(weir_window_get(store, weir_str("a"), 0, NULL)));
}

static void put_a_count(weir_store *store, int32_t partition, void *user)
{
	char ten[8];

	(void)partition, (void)user;
	weir_put_be64(ten, 10);
	weir_store_put(store, weir_str("a"), weir_bytes_of(ten, 8), 1);
}

static weir_topology *counting_beside_names(void)
{
	weir_topology *t = counting();

	weir_global_table(t, "names", (weir_global_opts){ .value = &weir_utf8 });
	weir_sink(weir_changes(weir_count(text_source(t, "more"), "more-counts", none)), "out",
		  (weir_sink_opts){ 0 });
	return t;
}

static void a_query_of_another_kind_fails_and_the_application_goes_on(void **state)
{
	weir_driver *d = driver(counting_beside_names(), (weir_driver_opts){ 0 });
	weir_error why = { .code = WEIR_OK };
	int64_t rows = 0;

	(void)state;
	weir_driver_pipe(d, "in", "a", "v", 1);
	weir_driver_pipe(d, "names", "a", "Ann", 1);
	assert_false(
		weir_app_query(weir_driver_app(d), "counts", look_for_windows, NULL, (weir_query_opts){ 0 }, &why));
	assert_int_equal(why.code, WEIR_USAGE);
	assert_string_equal(why.message,
			    "store \"counts\" is used wrongly: it is a store of keys and values, not of windows");
	assert_false(
		weir_app_query(weir_driver_app(d), "names", look_for_windows, NULL, (weir_query_opts){ 0 }, &why));
	assert_contains(why.message, "store \"names\" is used wrongly");
	must(weir_app_query(weir_driver_app(d), "counts", count_rows, &rows, (weir_query_opts){ 0 }, &err));
	assert_int_equal(rows, 1);
	weir_driver_pipe(d, "more", "a", "v", 2);
	assert_numbers(d, "out", "a=1@2");
	weir_driver_free(d);
}

static void what_a_query_puts_is_never_committed(void **state)
{
	weir_driver *d = driver(counting_beside_names(), (weir_driver_opts){ 0 });
	weir_error why = { .code = WEIR_OK };

	(void)state;
	weir_driver_pipe(d, "more", "a", "v", 1);
	assert_numbers(d, "out", "a=1@1");
	assert_false(
		weir_app_query(weir_driver_app(d), "more-counts", put_a_count, NULL, (weir_query_opts){ 0 }, &why));
	assert_contains(why.message, "a query has put into the store \"more-counts\"");
	weir_driver_pipe(d, "more", "a", "v", 2);
	assert_stopped(d, "a query has put into it");
	assert_nothing(d, "out");
	must(weir_driver_restart(d, false, &err));
	assert_numbers(d, "out", "a=2@2");
	weir_driver_free(d);
}

/* --- where nothing can be piped to ------------------------------------------------------------------------------
 * */

static void what_is_piped_nowhere_stops_the_application_which_says_why(void **state)
{
	weir_driver *d = driver(counting_beside_names(), (weir_driver_opts){ .partitions = 2 });

	(void)state;
	weir_driver_pipe(d, "inn", "a", "v", 1);
	assert_stopped(d, "there is no topic \"inn\"");
	must(weir_driver_restart(d, false, &err));
	weir_driver_pipe_record(d, "in", 2, weir_str("a"), weir_str("v"), 1, NULL);
	assert_stopped(d, "topic \"in\" has no partition 2, but 2 of them");
	must(weir_driver_restart(d, false, &err));
	weir_driver_pipe(d, NULL, "a", "v", 1);
	assert_stopped(d, "the topic is NULL");
	must(weir_driver_restart(d, false, &err));
	weir_driver_pipe(d, "more", "a", "v", 1);
	assert_numbers(d, "out", "a=1@1");
	weir_driver_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_null_in_the_place_of_a_stream_or_table_is_a_mistake),
		cmocka_unit_test(a_sink_does_not_take_objects_for_what_they_are_not),
		cmocka_unit_test(a_topology_belongs_to_one_driver),
		cmocka_unit_test(what_is_null_is_told),
		cmocka_unit_test(an_application_runs_once_and_not_from_its_own_callbacks),
		cmocka_unit_test(a_processor_that_does_wrong_stops_the_application_which_says_why),
		cmocka_unit_test(a_timer_begins_records_and_text_is_as_long_as_it_is),
		cmocka_unit_test(a_query_of_another_kind_fails_and_the_application_goes_on),
		cmocka_unit_test(what_a_query_puts_is_never_committed),
		cmocka_unit_test(what_is_piped_nowhere_stops_the_application_which_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
