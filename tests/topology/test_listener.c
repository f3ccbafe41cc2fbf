/* What a listener is told: states, and stores that are restored. */
#include <pthread.h>
#include <stdatomic.h>

#include "framework/runtime/runtime.h"
#include "tests/topology/topology_test.h"

enum { PATIENCE_MS = 60000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char told[4000];

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...)
{
	va_list args;

	pthread_mutex_lock(&lock);
	size_t n = strlen(told);

	va_start(args, format);
	vsnprintf(told + n, sizeof told - n, format, args);
	va_end(args);
	pthread_mutex_unlock(&lock);
}

#define assert_told(want) \
	do { \
		assert_string_equal(told, want); \
		told[0] = 0; \
	} while (0)

/* --- states ----------------------------------------------------------------------------------------------------
 * */

static void note_state(weir_app *app, weir_app_state now, weir_app_state before, void *user)
{
	weir_error err = { .code = WEIR_OK };

	(void)user;
	note("%s>%s ", weir_app_state_name(before), weir_app_state_name(now));
	if (weir_app_state_get(app, &err) == WEIR_APP_ERROR)
		note("(%s) ", err.message);
}

static void stop_at_bad(weir_context *cx, const weir_record *r, void *user)
{
	(void)user;
	if (weir_bytes_equal(weir_value_bytes(r), weir_str("bad")))
		weir_stop(cx, "too bad");
}

static weir_topology *counting(void)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = weir_peek(text_source(t, "in"), "look", stop_at_bad, NULL);

	weir_sink(weir_changes(weir_count(in, "counts", (weir_window){ 0 })), "out", (weir_sink_opts){ 0 });
	told[0] = 0;
	return t;
}

static void each_change_of_the_state_is_told(void **state)
{
	weir_driver *d = driver(counting(), (weir_driver_opts){ .listener = { .state = note_state } });

	(void)state;
	assert_told("CREATED>REBALANCING REBALANCING>RUNNING ");
	weir_driver_pipe(d, "in", "k", "v", 1);
	assert_told("");
	must(weir_driver_restart(d, false, &err));
	assert_told("RUNNING>PENDING_SHUTDOWN PENDING_SHUTDOWN>NOT_RUNNING CREATED>REBALANCING "
		    "REBALANCING>RUNNING ");
	weir_driver_pipe(d, "in", "k", "bad", 1);
	assert_told("RUNNING>ERROR (task 0_0: too bad) ");
	weir_driver_free(d);
	assert_told("");
}

static void an_application_that_never_ran_is_not_running(void **state)
{
	weir_topology *t = counting();
	weir_cluster *cluster = weir_cluster_embedded((weir_embedded_opts){ 0 });
	weir_config *cfg = weir_config_new();
	weir_app *app;

	(void)state;
	must(weir_config_set(cfg, "application.id", "app", WEIR_FROM_COMMAND_LINE, "test", &err));
	must(weir_config_set(cfg, "state.dir", "", WEIR_FROM_COMMAND_LINE, "test", &err));
	must(app = weir_app_new(t, cfg, cluster, (weir_app_opts){ .listener = { .state = note_state } }, &err));
	weir_app_free(app);
	assert_told("CREATED>NOT_RUNNING ");
	must(app = weir_app_new(t, cfg, cluster, (weir_app_opts){ .listener = { .state = note_state } }, &err));
	assert_false(weir_app_start(app, NULL)); /* its topics are missing */
	assert_contains(told, ">ERROR (");
	weir_app_free(app);
	weir_config_free(cfg);
	weir_cluster_free(cluster);
	weir_topology_free(t);
}

/* --- errors that end a worker ----------------------------------------------------------------------------------
 * */

struct uncaught {
	weir_uncaught_answer answer;
	int left; /* so many times; then it is to stop */
};

static weir_uncaught_answer note_uncaught(weir_app *app, int worker, const weir_error *error, void *user)
{
	struct uncaught *u = user;

	assert_int_not_equal(weir_app_state_get(app, NULL), WEIR_APP_ERROR);
	note("worker %d: %s; ", worker, error->message);
	return u->left-- > 0 ? u->answer : WEIR_UNCAUGHT_STOP;
}

static void state_too(weir_app *app, weir_app_state now, weir_app_state before, void *user)
{
	(void)app, (void)before, (void)user;
	note("%s; ", weir_app_state_name(now));
}

static int bad_left;

/* What is bad gets better. */
static void stop_at_times(weir_context *cx, const weir_record *r, void *user)
{
	(void)user;
	if (weir_bytes_equal(weir_value_bytes(r), weir_str("bad")) && bad_left-- > 0)
		weir_stop(cx, "too bad");
}

static weir_driver *uncaught_driver(struct uncaught *u, int times, const char *state_dir)
{
	weir_topology *t = weir_topology_new("app");
	weir_table *counts = weir_count(text_source(t, "in"), "counts", (weir_window){ 0 });

	weir_sink(weir_peek(weir_changes(counts), "out-look", stop_at_times, NULL), "changes",
		  (weir_sink_opts){ .topic = "out" });
	weir_sink(weir_peek(text_source(t, "other"), "look", stop_at_times, NULL), "copies", (weir_sink_opts){ 0 });
	bad_left = times;
	told[0] = 0;
	return driver(
		t, (weir_driver_opts){ .state_dir = state_dir,
				       .listener = { .state = state_too, .uncaught = note_uncaught, .user = u } });
}

static void a_worker_is_replaced_as_often_as_the_program_wants(void **state)
{
	for (int on_disk = 0; on_disk < 2; on_disk++) {
		char *dir = temporary_directory();
		struct uncaught u = { WEIR_UNCAUGHT_REPLACE, 3 };
		weir_driver *d = uncaught_driver(&u, 3, on_disk ? dir : NULL);

		weir_driver_pipe(d, "in", "k", "v", 1);
		weir_driver_pipe(d, "other", "k", "good", 1);
		told[0] = 0;
		weir_driver_pipe(d, "other", "k", "bad", 2);
		assert_told("worker 0: task 1_0: too bad; REBALANCING; worker 0: task 1_0: too bad; "
			    "worker 0: task 1_0: too bad; RUNNING; ");
		weir_driver_pipe(d, "in", "k", "v", 3);
		assert_text(d, "copies", "k=good@1", "k=bad@2");
		assert_numbers(d, "out", "k=1@1", "k=2@3");
		assert_int_equal((int)weir_metrics_value(weir_app_metrics(weir_driver_app(d)),
							 "weir_worker_failures_total",
							 (const char *const[]){ "0" }),
				 3);
		must(weir_driver_restart(d, false, &err));
		told[0] = 0;
		bad_left = 1;
		weir_driver_pipe(d, "other", "k", "bad", 4); /* it has had enough */
		assert_told("worker 0: task 1_0: too bad; ERROR; ");
		weir_driver_free(d);
		remove_directory(dir);
	}
	(void)state;
}

static void without_an_answer_the_instance_ends(void **state)
{
	struct uncaught u = { WEIR_UNCAUGHT_STOP, 1 };
	weir_driver *d = uncaught_driver(&u, 1, NULL);

	(void)state;
	told[0] = 0;
	weir_driver_pipe(d, "other", "k", "bad", 1);
	assert_told("worker 0: task 1_0: too bad; ERROR; ");
	assert_nothing(d, "copies");
	must(weir_driver_restart(d, false, &err));
	assert_text(d, "copies", "k=bad@1");
	weir_driver_free(d);
}

static void nobody_takes_the_place_of_the_reader_of_global_tables(void **state)
{
	static const char *const config[][2] = { { "errors.deserialization", "stop" } };
	struct uncaught u = { WEIR_UNCAUGHT_REPLACE, 100 };
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_global_table(t, "rates", (weir_global_opts){ .value = &weir_int64 });
	weir_sink(text_source(t, "in"), "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(
		t, (weir_driver_opts){ .config = config,
				       .config_count = 1,
				       .listener = { .state = state_too, .uncaught = note_uncaught, .user = &u } });

	told[0] = 0;
	weir_driver_pipe(d, "rates", "k", "not a number", 1);
	assert_contains(told, "worker -1: ");
	assert_contains(told, "; ERROR; ");
	assert_int_equal(u.left, 99);
	weir_driver_free(d);
}

/* Whoever is told links on to what was told last, whatever threads do. */
struct chain {
	weir_app_state last;
	atomic_int broken, told, running;
	atomic_flag busy;
};

static void follow(weir_app *app, weir_app_state now, weir_app_state before, void *user)
{
	struct chain *c = user;

	(void)app;
	if (atomic_flag_test_and_set(&c->busy))
		c->broken++;
	if (before != c->last || now == before)
		c->broken++;
	c->last = now;
	c->told++;
	c->running += now == WEIR_APP_RUNNING;
	atomic_flag_clear(&c->busy);
}

struct running {
	weir_topology *topology;
	weir_config *cfg;
	weir_app *app;
	struct chain chain;
};

static void start(struct running *r, weir_cluster *cluster, const char *instance)
{
	*r = (struct running){ .topology = counting(), .cfg = weir_config_new() };
	const char *const pairs[][2] = { { "application.id", "app" },
					 { "instance.id", instance },
					 { "num.stream.threads", "3" },
					 { "state.dir", "" } };
	weir_app_opts opts = { .listener = { .state = follow, .user = &r->chain } };

	for (size_t i = 0; i < LENGTH(pairs); i++)
		must(weir_config_set(r->cfg, pairs[i][0], pairs[i][1], WEIR_FROM_COMMAND_LINE, "test", &err));
	must(r->app = weir_app_new(r->topology, r->cfg, cluster, opts, &err));
	must(weir_app_start(r->app, &err));
}

static void wait_for(struct running *r, weir_app_state state, int running)
{
	for (int ms = 0; weir_app_state_get(r->app, NULL) != state || atomic_load(&r->chain.running) < running;
	     ms++) {
		if (ms == PATIENCE_MS)
			fail_msg("%s does not come", weir_app_state_name(state));
		usleep(1000);
	}
}

static void stop(struct running *r)
{
	must(weir_app_stop(r->app, PATIENCE_MS, &err));
	assert_int_equal(r->chain.last, WEIR_APP_NOT_RUNNING);
	assert_int_equal(atomic_load(&r->chain.broken), 0);
	weir_app_free(r->app);
	weir_topology_free(r->topology);
	weir_config_free(r->cfg);
}

static void states_of_many_workers_are_told_one_after_the_other(void **state)
{
	weir_cluster *cluster = weir_cluster_embedded((weir_embedded_opts){ .partitions = 6 });
	struct running a, b;

	(void)state;
	for (const char *const *topic = (const char *const[]){ "in", "out", NULL }; *topic; topic++) {
		weir_topic_spec spec = { .name = *topic, .partitions = 6, .replication = 1 };

		must(weir_topics_create(cluster, &spec, 1, &err));
	}
	start(&a, cluster, "a");
	wait_for(&a, WEIR_APP_RUNNING, 1);
	start(&b, cluster, "b");
	wait_for(&b, WEIR_APP_RUNNING, 1);
	stop(&b);
	wait_for(&a, WEIR_APP_RUNNING, 1);
	stop(&a);
	weir_cluster_free(cluster);
}

/* --- restoring -------------------------------------------------------------------------------------------------
 * */

static void note_restore(weir_app *app, weir_restore_event event, const weir_restore *r, void *user)
{
	static const char *const names[] = { "start", "batch", "end", "suspended" };

	(void)app, (void)user;
	note("%s %s/%d of %s: %lld-%lld at %lld, %lld+%lld; ", names[event], r->store, (int)r->partition, r->topic,
	     (long long)r->from, (long long)r->to, (long long)r->at, (long long)(r->records - r->batch),
	     (long long)r->batch);
}

/* Three records, each with the mark of its commit behind it. */
static void a_store_that_is_restored_is_told_from_its_start_to_its_end(void **state)
{
	weir_driver *d = driver(counting(), (weir_driver_opts){ .listener = { .restore = note_restore } });

	(void)state;
	assert_told("");
	weir_driver_pipe(d, "in", "a", "v", 1);
	weir_driver_pipe(d, "in", "b", "v", 2);
	weir_driver_pipe(d, "in", "a", "v", 3);
	must(weir_driver_restart(d, false, &err)); /* in memory: nothing is left */
	assert_told("start counts/0 of app-counts-changelog: 0-6 at 0, 0+0; "
		    "batch counts/0 of app-counts-changelog: 0-6 at 6, 0+3; "
		    "end counts/0 of app-counts-changelog: 0-6 at 6, 3+0; ");
	weir_driver_free(d);
	assert_told("");
}

static void only_what_is_new_is_told(void **state)
{
	char *dir = temporary_directory();
	weir_driver *d =
		driver(counting(), (weir_driver_opts){ .state_dir = dir, .listener = { .restore = note_restore } });

	(void)state;
	weir_driver_pipe(d, "in", "a", "v", 1);
	must(weir_driver_restart(d, false,
				 &err)); /* all of it is on disk; but what is behind it must be looked at */
	assert_told("start counts/0 of app-counts-changelog: 1-2 at 1, 0+0; "
		    "end counts/0 of app-counts-changelog: 1-2 at 2, 0+0; ");
	weir_driver_pipe(d, "in", "b", "v", 2);
	must(weir_driver_restart(d, true, &err)); /* this is not */
	assert_told("start counts/0 of app-counts-changelog: 1-4 at 1, 0+0; "
		    "batch counts/0 of app-counts-changelog: 1-4 at 4, 0+1; "
		    "end counts/0 of app-counts-changelog: 1-4 at 4, 1+0; ");
	weir_driver_free(d);
	remove_directory(dir);
}

static void one_that_is_given_up_is_suspended(void **state)
{
	weir_driver *d = driver(counting(), (weir_driver_opts){ .listener = { .restore = note_restore } });
	weir_manual_clock clock;
	weir_config *cfg = weir_config_new();
	weir_app_opts opts = { .clock = &clock.clock, .listener = { .restore = note_restore } };
	weir_topology *t = counting();
	weir_app *app;

	(void)state;
	weir_driver_pipe(d, "in", "a", "v", 1);
	weir_driver_stop(d, false);
	weir_manual_clock_init(&clock, 1704067300000);
	must(weir_config_set(cfg, "application.id", "app", WEIR_FROM_COMMAND_LINE, "test", &err));
	must(weir_config_set(cfg, "state.dir", "", WEIR_FROM_COMMAND_LINE, "test", &err));
	must(app = weir_app_new(t, cfg, weir_driver_cluster(d), opts, &err));
	must(weir__app_prepare(app, &err));
	for (int i = 0; !told[0] && i < 100000; i++) {
		assert_true(weir__worker_step(&app->workers[0], 0));
		clock.now_ms++;
	}
	assert_told("start counts/0 of app-counts-changelog: 0-2 at 0, 0+0; ");
	must(weir_app_stop(app, 0, &err));
	assert_told("suspended counts/0 of app-counts-changelog: 0-2 at 0, 0+0; ");
	weir_app_free(app);
	weir_topology_free(t);
	weir_config_free(cfg);
	weir_driver_free(d);
}

static void a_global_table_is_told_by_its_partitions(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	told[0] = 0;
	weir_global_table(t, "cities", (weir_global_opts){ .value = &weir_utf8 });
	weir_sink(text_source(t, "in"), "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ .partitions = 2, .listener = { .restore = note_restore } });

	weir_driver_pipe_record(d, "cities", 1, weir_str("a"), weir_str("A"), 1, NULL);
	weir_driver_pipe_record(d, "cities", 1, weir_str("b"), weir_str("B"), 1, NULL);
	weir_driver_pipe_record(d, "cities", 1, WEIR_NULL, weir_str("no key"), 1, NULL);
	assert_told("");
	must(weir_driver_restart(d, false, &err));
	assert_told("start cities/1 of cities: 0-3 at 0, 0+0; batch cities/1 of cities: 0-3 at 3, 0+2; "
		    "end cities/1 of cities: 0-3 at 3, 2+0; ");
	weir_driver_free(d);
	assert_told("");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_change_of_the_state_is_told),
		cmocka_unit_test(an_application_that_never_ran_is_not_running),
		cmocka_unit_test(a_worker_is_replaced_as_often_as_the_program_wants),
		cmocka_unit_test(without_an_answer_the_instance_ends),
		cmocka_unit_test(nobody_takes_the_place_of_the_reader_of_global_tables),
		cmocka_unit_test(states_of_many_workers_are_told_one_after_the_other),
		cmocka_unit_test(a_store_that_is_restored_is_told_from_its_start_to_its_end),
		cmocka_unit_test(only_what_is_new_is_told),
		cmocka_unit_test(one_that_is_given_up_is_suspended),
		cmocka_unit_test(a_global_table_is_told_by_its_partitions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
