/*
 * Applications as they run for real: workers on threads, the system's clock, several instances in one process on
 * one embedded cluster. Worth most under the sanitizers (presets tsan and asan).
 */
#include <pthread.h>
#include <stdatomic.h>

#include "tests/topology/topology_test.h"

enum { PARTITIONS = 6, KEYS = 50, RECORDS = 30000, PATIENCE_MS = 60000 };

static weir_cluster *cluster;

/* --- instances --------------------------------------------------------------------------------------------------
 * */

struct running {
	weir_topology *topology;
	weir_config *cfg;
	weir_app *app;
};

static void set(weir_config *cfg, const char *name, const char *value)
{
	must(weir_config_set(cfg, name, value, WEIR_FROM_COMMAND_LINE, "test", &err));
}

enum { FAILS_EACH = 1500 };

static atomic_bool fails; /* the first look at each 1500th record */
static atomic_int stopped;

static weir_uncaught_answer replace(weir_app *app, int worker, const weir_error *error, void *user)
{
	(void)app, (void)worker, (void)user;
	atomic_fetch_add(&stopped, strstr(error->message, "now and then") != NULL);
	return atomic_load(&fails) ? WEIR_UNCAUGHT_REPLACE : WEIR_UNCAUGHT_STOP;
}

static struct running start(weir_topology *t, const char *instance, const char *workers, const char *state_dir,
			    const char *commit_interval)
{
	struct running r = { .topology = t, .cfg = weir_config_new() };
	weir_error why = { .code = WEIR_OK };

	set(r.cfg, "application.id", "app");
	set(r.cfg, "instance.id", instance);
	set(r.cfg, "num.stream.threads", workers);
	set(r.cfg, "state.dir", state_dir);
	set(r.cfg, "commit.interval.ms", commit_interval);
	r.app = weir_app_new(t, r.cfg, cluster, (weir_app_opts){ .listener = { .uncaught = replace } }, &why);
	if (!r.app || !weir_app_start(r.app, &why))
		fail_msg("%s: %s", instance, why.message);
	return r;
}

static void stop(struct running *r)
{
	must(weir_app_stop(r->app, PATIENCE_MS, &err));
	assert_int_equal(weir_app_state_get(r->app, NULL), WEIR_APP_NOT_RUNNING);
	weir_app_free(r->app);
	weir_topology_free(r->topology);
	weir_config_free(r->cfg);
	*r = (struct running){ 0 };
}

/* Waits for what other threads do; fails the test when that takes too long. */
#define WAIT_UNTIL(condition) \
	do { \
		for (int ms_ = 0; !(condition); ms_++) { \
			if (ms_ == PATIENCE_MS) \
				fail_msg("this does not come: %s", #condition); \
			usleep(1000); \
		} \
	} while (0)

static void open_cluster(void)
{
	static const char *const forever[][2] = { { "retention.ms", "-1" } };
	const char *const names[] = { "in", "counts-out", "copy" };

	if (getenv("WEIR_TEST_LOG"))
		weir_log_set(weir_log_stderr, NULL, WEIR_LOG_INFO);
	cluster = weir_cluster_embedded((weir_embedded_opts){ .partitions = PARTITIONS });
	for (size_t i = 0; i < LENGTH(names); i++) {
		weir_topic_spec spec = { names[i], PARTITIONS, 1, forever, 1 };

		must(weir_topics_create(cluster, &spec, 1, &err));
	}
}

static void close_cluster(void)
{
	weir_cluster_free(cluster);
	cluster = NULL;
}

static void send_one(weir_producer *p, const char *key, const char *value, int64_t timestamp_ms)
{
	weir_produced r = { .topic = "in",
			    .partition = -1,
			    .timestamp_ms = timestamp_ms,
			    .key = weir_str(key),
			    .value = weir_str(value) };

	must(weir_producer_send(p, &r, &err));
}

static weir_producer *producer(void)
{
	weir_error err = { .code = WEIR_OK };
	weir_producer *p = weir_producer_open(cluster, (weir_producer_opts){ 0 }, &err);

	if (!p)
		fail_msg("%s", err.message);
	return p;
}

/* --- exact through rebalances -----------------------------------------------------------------------------------
 * */

static weir_bytes value_as_key(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)user;
	return *(const weir_bytes *)weir_value(r);
}

static atomic_bool looked[RECORDS / FAILS_EACH];

static void stop_now_and_then(weir_context *cx, const weir_record *r, void *user)
{
	int i = (int)((r->timestamp_ms - 1) % WEIR_MINUTES(1)); /* see produce */

	(void)user;
	if (atomic_load(&fails) && i % FAILS_EACH == 0 && !atomic_exchange(&looked[i / FAILS_EACH], true))
		weir_stop(cx, "now and then");
}

/* A store before the repartition and one behind it. */
static weir_topology *counting(void)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = text_source(t, "in");

	weir_count(in, "by-key", (weir_window){ 0 });
	weir_sink(in, "copy", (weir_sink_opts){ 0 });
	in = weir_peek(in, "look", stop_now_and_then, NULL);
	weir_table *counts = weir_count(weir_key_by(in, "by-value", value_as_key, NULL), "counts",
					(weir_window){ .size_ms = WEIR_MINUTES(1), .grace_ms = WEIR_HOURS(1) });

	weir_sink(weir_changes(counts), "counts-out", (weir_sink_opts){ 0 });
	return t;
}

static atomic_bool producer_done;
static atomic_int rounds; /* of instances that come and go */

/* Record i: key i % KEYS, value i % 7, minute i % 3. */
static void *produce(void *user)
{
	weir_producer *p = producer();
	char key[16], value[16];

	(void)user;
	for (int i = 0; i < RECORDS; i++) {
		while (i == RECORDS / 3 * 2 &&
		       atomic_load(&rounds) < 3) /* on a busy machine they take their time */
			usleep(1000);
		snprintf(key, sizeof key, "k%d", i % KEYS);
		snprintf(value, sizeof value, "v%d", i % 7);
		send_one(p, key, value, WEIR_MINUTES(i % 3) + i % 60000 + 1);
		if (i % 100 == 0) {
			weir_producer_poll(p, 0);
			usleep(5000);
		}
	}
	must(weir_producer_flush(p, PATIENCE_MS, &err));
	weir_producer_close(p);
	atomic_store(&producer_done, true);
	return NULL;
}

struct seen {
	int64_t copies;
	int64_t counts[7][4]; /* the last of each value and minute */
};

static bool see(const weir_kafka_record *r, void *user)
{
	struct seen *seen = user;

	if (strcmp(r->topic, "copy") == 0) {
		seen->copies++;
		return true;
	}
	int value = ((const char *)r->key.data)[1] - '0';
	int64_t start_ms = weir_get_be64((const char *)r->key.data + 2), count = weir_get_be64(r->value.data);

	assert_int_equal(r->key.len, 10);
	assert_in_range(value, 0, 6);
	assert_in_range(start_ms / WEIR_MINUTES(1), 0, 3);
	assert_true(count > seen->counts[value][start_ms / WEIR_MINUTES(1)]); /* results never go back */
	seen->counts[value][start_ms / WEIR_MINUTES(1)] = count;
	return true;
}

static struct seen read_results(void)
{
	weir_error why = { .code = WEIR_OK };
	weir_consumer *c = weir_consumer_open(cluster, (weir_consumer_opts){ 0 }, &why);
	const char *const topics[] = { "copy", "counts-out" };
	struct seen seen = { 0 };

	assert_non_null(c);
	for (size_t i = 0; i < LENGTH(topics); i++)
		for (int32_t p = 0; p < PARTITIONS; p++) {
			weir_partition at = { .topic = topics[i], .partition = p, .offset = WEIR_OFFSET_BEGINNING };
			int64_t first, end;

			must(weir_consumer_assign(c, &at, 1, &err));
			must(weir_offsets_range(cluster, topics[i], p, &first, &end, &err));
			WAIT_UNTIL(weir_consumer_poll(c, 0, see, &seen, &why) &&
				   weir_consumer_position(c, topics[i], p) >= end);
		}
	weir_consumer_close(c);
	return seen;
}

static void assert_exact(const struct seen *seen)
{
	int64_t want[7][4] = { { 0 } };

	for (int i = 0; i < RECORDS; i++)
		want[i % 7][(WEIR_MINUTES(i % 3) + i % 60000 + 1) / WEIR_MINUTES(1)]++;
	assert_int_equal(seen->copies, RECORDS);
	for (int value = 0; value < 7; value++)
		for (int minute = 0; minute < 4; minute++)
			assert_int_equal(seen->counts[value][minute], want[value][minute]);
}

static void sum_all(weir_store *store, int32_t partition, void *user)
{
	weir_iterator *it = weir_store_range(store, WEIR_NULL, WEIR_NULL, false);
	weir_entry e;

	(void)partition;
	while (weir_iterator_next(it, &e))
		*(int64_t *)user += weir_get_be64(e.value.data);
	weir_iterator_close(it);
}

/* -1 = an instance has a task that does not run yet. */
static int64_t sum_of(struct running *instances, size_t n)
{
	weir_error err = { .code = WEIR_OK };
	int64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		if (instances[i].app && !weir_app_query(instances[i].app, "by-key", sum_all, &sum,
							(weir_query_opts){ .timeout_ms = PATIENCE_MS }, &err)) {
			assert_true(err.retriable);
			return -1;
		}
	return sum;
}

static bool all_run(struct running *instances, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (instances[i].app && weir_app_state_get(instances[i].app, NULL) != WEIR_APP_RUNNING)
			return false;
	return true;
}

static void counts_are_exact_while_instances_come_and_go(bool on_disk)
{
	static const char *const ids[] = { "one", "two" }, *const workers[] = { "2", "3" };
	char *dirs[2] = { temporary_directory(), temporary_directory() };
	struct running instances[2] = { { 0 } };
	pthread_t thread;

	open_cluster();
	atomic_store(&producer_done, false);
	atomic_store(&rounds, 0);
	assert_int_equal(pthread_create(&thread, NULL, produce, NULL), 0);
	for (; !atomic_load(&producer_done); atomic_fetch_add(&rounds, 1)) {
		int i = atomic_load(&rounds) % 2; /* one of them always runs, but at the very beginning */

		if (instances[i].app)
			stop(&instances[i]);
		instances[i] = start(counting(), ids[i], workers[i], on_disk ? dirs[i] : "", "20ms");
		WAIT_UNTIL(weir_app_state_get(instances[i].app, NULL) == WEIR_APP_RUNNING);
		usleep(50000);
	}
	pthread_join(thread, NULL);
	assert_true(atomic_load(&rounds) >= 3); /* or nobody has come and gone */
	WAIT_UNTIL(weir_app_caught_up(instances[0].app ? instances[0].app : instances[1].app));
	WAIT_UNTIL(all_run(instances, 2));

	struct seen seen = read_results();

	assert_exact(&seen);
	WAIT_UNTIL(sum_of(instances, 2) == RECORDS); /* a round of rebalancing may be followed by another */
	for (int i = 0; i < 2; i++) {
		if (instances[i].app)
			stop(&instances[i]);
		remove_directory(dirs[i]);
	}
	close_cluster();
}

static void counts_in_memory_are_exact_while_instances_come_and_go(void **state)
{
	(void)state;
	counts_are_exact_while_instances_come_and_go(false);
}

static void counts_on_disk_are_exact_while_instances_come_and_go(void **state)
{
	(void)state;
	counts_are_exact_while_instances_come_and_go(true);
}

static void counts_are_exact_while_workers_fail_and_are_replaced(void **state)
{
	char *dir = temporary_directory();
	pthread_t thread;

	(void)state;
	open_cluster();
	atomic_store(&producer_done, false);
	atomic_store(&rounds, 3);
	atomic_store(&stopped, 0);
	atomic_store(&fails, true);
	struct running instances[2] = { start(counting(), "one", "2", "", "20ms"),
					start(counting(), "two", "3", dir, "20ms") };

	assert_int_equal(pthread_create(&thread, NULL, produce, NULL), 0);
	pthread_join(thread, NULL);
	WAIT_UNTIL(weir_app_caught_up(instances[0].app));
	WAIT_UNTIL(all_run(instances, 2));
	struct seen seen = read_results();

	assert_exact(&seen);
	WAIT_UNTIL(sum_of(instances, 2) == RECORDS); /* a round of rebalancing may be followed by another */
	assert_int_equal(atomic_load(&stopped), RECORDS / FAILS_EACH);
	for (int i = 0; i < 2; i++)
		stop(&instances[i]);
	atomic_store(&fails, false);
	remove_directory(dir);
	close_cluster();
}

/* --- commits and queries ----------------------------------------------------------------------------------------
 * */

static void commit_if_asked(weir_context *cx, const weir_record *r, void *state, void *user)
{
	weir_store *store = weir_context_store(cx, "seen");
	weir_bytes old = weir_store_get(store, weir_str("n"), NULL);
	char next[8];

	(void)state, (void)user;
	weir_put_be64(next, weir_is_null(old) ? 1 : weir_get_be64(old.data) + 1);
	weir_store_put(store, weir_str("n"), weir_bytes_of(next, 8), r->timestamp_ms);
	if (weir_bytes_equal(weir_value_bytes(r), weir_str("commit")))
		weir_request_commit(cx);
}

static void commit_now(weir_context *cx, int64_t time_ms, void *state)
{
	(void)state, (void)time_ms;
	weir_request_commit(cx);
}

static void start_committing(weir_context *cx, void *state, void *user)
{
	(void)state;
	if (user)
		weir_schedule(cx, 20, WEIR_WALL_CLOCK_TIME, commit_now);
}

static weir_topology *committing(bool by_timer)
{
	static char yes[] = "yes";
	weir_topology *t = weir_topology_new("app");

	weir_add_store(t, "seen", (weir_store_opts){ 0 });
	weir_process(text_source(t, "in"), "see",
		     (weir_processor){ .init = start_committing,
				       .process = commit_if_asked,
				       .stores = { "seen" },
				       .user = by_timer ? yes : NULL });
	return t;
}

static int64_t seen_by(weir_app *app, bool uncommitted, int64_t timeout_ms)
{
	int64_t sum = 0;
	weir_error err = { .code = WEIR_OK };

	if (weir_app_query(app, "seen", sum_all, &sum,
			   (weir_query_opts){ .read_uncommitted = uncommitted, .timeout_ms = timeout_ms }, &err))
		return sum;
	assert_true(err.retriable);
	return -1;
}

static void a_query_sees_only_what_is_committed_unless_it_asks_for_more(void **state)
{
	open_cluster();
	weir_producer *p = producer();
	struct running r = start(committing(false), "one", "1", "", "1d");
	char key[16];

	(void)state;
	WAIT_UNTIL(weir_app_state_get(r.app, NULL) == WEIR_APP_RUNNING);
	assert_int_equal(seen_by(r.app, false, PATIENCE_MS), 0);
	for (int i = 0; i < 30; i++) {
		snprintf(key, sizeof key, "k%d", i);
		send_one(p, key, "v", 1);
	}
	must(weir_producer_flush(p, PATIENCE_MS, &err));
	WAIT_UNTIL(seen_by(r.app, true, PATIENCE_MS) == 30);
	assert_int_equal(seen_by(r.app, false, 200), -1); /* the transaction stays open: the time is not enough */
	send_one(p, "k", "commit", 1);
	WAIT_UNTIL(seen_by(r.app, false, 200) == 31);
	assert_true(weir_app_commits(r.app) > 0);
	weir_producer_close(p);
	stop(&r);
	close_cluster();
}

static void a_timer_can_ask_for_a_commit(void **state)
{
	open_cluster();
	weir_producer *p = producer();
	struct running r = start(committing(true), "one", "2", "", "1d");

	(void)state;
	send_one(p, "k", "v", 1);
	WAIT_UNTIL(seen_by(r.app, false, PATIENCE_MS) == 1);
	weir_producer_close(p);
	stop(&r);
	close_cluster();
}

/* As a repartition topic's may be, when the only transaction that wrote to it was aborted. */
static void an_input_of_which_all_was_aborted_is_caught_up_with(void **state)
{
	weir_error err;

	(void)state;
	open_cluster();
	weir_producer *p = weir_producer_open(
		cluster, (weir_producer_opts){ .transactional_id = "other", .transaction_timeout_ms = 60000 },
		&err);

	assert_non_null(p);
	assert_true(weir_producer_init(p, PATIENCE_MS, &err));
	assert_true(weir_producer_begin(p, &err));
	send_one(p, "k", "v", 1);
	assert_true(weir_producer_flush(p, PATIENCE_MS, &err));
	assert_true(weir_producer_abort(p, PATIENCE_MS, &err));
	struct running r = start(counting(), "one", "1", "", "100ms");

	WAIT_UNTIL(weir_app_caught_up(r.app));
	weir_producer_close(p);
	stop(&r);
	close_cluster();
}

/* Asks all the time, until it is told to end. */
struct asking {
	weir_app *app;
	atomic_bool end;
	atomic_int answers, refusals, surprises;
};

static void *ask_on(void *user)
{
	struct asking *a = user;

	while (!atomic_load(&a->end)) {
		int64_t sum = 0;
		weir_error err = { .code = WEIR_OK };

		weir_app_caught_up(a->app);
		if (weir_app_query(a->app, "seen", sum_all, &sum, (weir_query_opts){ .timeout_ms = PATIENCE_MS },
				   &err))
			atomic_fetch_add(&a->answers, 1);
		else if (err.code == WEIR_CLOSED || err.code == WEIR_STORE)
			atomic_fetch_add(&a->refusals, 1);
		else
			atomic_fetch_add(&a->surprises, 1);
	}
	return NULL;
}

static void queries_go_on_through_start_and_stop_and_none_is_left_waiting(void **state)
{
	struct asking asking[2] = { 0 };
	pthread_t threads[2];
	weir_topology *t = committing(false);
	weir_config *cfg = weir_config_new();
	weir_error why = { .code = WEIR_OK };

	(void)state;
	open_cluster();
	set(cfg, "application.id", "app");
	set(cfg, "state.dir", "");
	set(cfg, "num.stream.threads", "3");
	weir_app *app = weir_app_new(t, cfg, cluster, (weir_app_opts){ 0 }, &why);

	assert_non_null(app);
	for (int i = 0; i < 2; i++) {
		asking[i].app = app;
		assert_int_equal(pthread_create(&threads[i], NULL, ask_on, &asking[i]), 0);
	}
	must(weir_app_start(app, &err));
	for (int i = 0; i < 2; i++)
		WAIT_UNTIL(atomic_load(&asking[i].answers) > 100);
	must(weir_app_stop(app, PATIENCE_MS, &err));
	for (int i = 0; i < 2; i++) {
		int before = atomic_load(&asking[i].refusals);

		WAIT_UNTIL(atomic_load(&asking[i].refusals) > before + 10);
		atomic_store(&asking[i].end, true);
		pthread_join(threads[i], NULL);
		assert_int_equal(asking[i].surprises, 0);
	}
	weir_app_free(app);
	weir_config_free(cfg);
	weir_topology_free(t);
	close_cluster();
}

/* --- states -----------------------------------------------------------------------------------------------------
 * */

static void stop_at_bad(weir_context *cx, const weir_record *r, void *user)
{
	(void)user;
	if (weir_bytes_equal(weir_value_bytes(r), weir_str("bad")))
		weir_stop(cx, "bad things happen");
}

static weir_topology *stopping(void)
{
	weir_topology *t = weir_topology_new("app");

	weir_for_each(text_source(t, "in"), "stopper", stop_at_bad, NULL);
	return t;
}

static void an_error_in_one_worker_stops_the_instance_and_says_why(void **state)
{
	weir_error why = { .code = WEIR_OK };

	(void)state;
	open_cluster();
	weir_producer *p = producer();
	struct running r = start(stopping(), "one", "3", "", "20ms");

	WAIT_UNTIL(weir_app_state_get(r.app, NULL) == WEIR_APP_RUNNING);
	send_one(p, "k", "good", 1);
	send_one(p, "k", "bad", 2);
	WAIT_UNTIL(weir_app_state_get(r.app, &why) == WEIR_APP_ERROR);
	assert_contains(why.message, "bad things happen");
	why = (weir_error){ .code = WEIR_OK };
	assert_false(weir_app_stop(r.app, PATIENCE_MS, &why));
	assert_contains(why.message, "bad things happen");
	assert_false(weir_app_stop(r.app, PATIENCE_MS, NULL)); /* safe to call again */
	weir_app_free(r.app);
	weir_topology_free(r.topology);
	weir_config_free(r.cfg);
	weir_producer_close(p);
	close_cluster();
}

static bool either_stopped(struct running *instances, weir_error *why)
{
	for (int i = 0; i < 2; i++)
		if (weir_app_state_get(instances[i].app, why) == WEIR_APP_ERROR)
			return true;
	return false;
}

static void two_instances_of_one_id_do_not_fight_for_ever(void **state)
{
	weir_error why = { .code = WEIR_OK };
	char key[16];

	(void)state;
	open_cluster();
	weir_producer *p = producer();
	struct running instances[2] = { start(counting(), "same", "1", "", "20ms"),
					start(counting(), "same", "1", "", "20ms") };

	for (int i = 0; !either_stopped(instances, &why); i++) {
		assert_true(i < PATIENCE_MS / 10);
		snprintf(key, sizeof key, "k%d", i % KEYS);
		send_one(p, key, "v", 1);
		must(weir_producer_flush(p, PATIENCE_MS, &err));
		usleep(10000);
	}
	assert_int_equal(why.code, WEIR_FENCED);
	assert_contains(why.message, "\"app-same-0\"");
	assert_contains(why.message, "instance.id");
	for (int i = 0; i < 2; i++) {
		weir_app_stop(instances[i].app, PATIENCE_MS, NULL);
		weir_app_free(instances[i].app);
		weir_topology_free(instances[i].topology);
		weir_config_free(instances[i].cfg);
	}
	weir_producer_close(p);
	close_cluster();
}

static void an_instance_goes_through_its_states(void **state)
{
	weir_topology *t = counting();
	weir_config *cfg = weir_config_new();
	weir_error why = { .code = WEIR_OK };

	(void)state;
	open_cluster();
	set(cfg, "application.id", "app");
	set(cfg, "state.dir", "");
	weir_app *app = weir_app_new(t, cfg, cluster, (weir_app_opts){ 0 }, &why);

	assert_non_null(app);
	assert_int_equal(weir_app_state_get(app, NULL), WEIR_APP_CREATED);
	must(weir_app_start(app, &err));
	assert_in_range(weir_app_state_get(app, NULL), WEIR_APP_REBALANCING, WEIR_APP_RUNNING);
	WAIT_UNTIL(weir_app_state_get(app, NULL) == WEIR_APP_RUNNING);
	WAIT_UNTIL(weir_app_caught_up(app));
	assert_false(weir_app_ended(app));
	must(weir_app_stop(app, PATIENCE_MS, &err));
	assert_true(weir_app_ended(app));
	assert_int_equal(weir_app_state_get(app, NULL), WEIR_APP_NOT_RUNNING);
	assert_string_equal(weir_app_state_name(WEIR_APP_NOT_RUNNING), "NOT_RUNNING");
	weir_app_free(app);
	weir_config_free(cfg);
	weir_topology_free(t);
	close_cluster();
}

static void an_instance_that_was_never_started_can_be_freed(void **state)
{
	weir_topology *t = counting();
	weir_config *cfg = weir_config_new();
	weir_error why = { .code = WEIR_OK };

	(void)state;
	open_cluster();
	set(cfg, "application.id", "app");
	weir_app *app = weir_app_new(t, cfg, cluster, (weir_app_opts){ 0 }, &why);

	assert_non_null(app);
	assert_true(weir_app_ended(app));
	weir_app_free(app);
	weir_app_free(NULL);
	weir_config_free(cfg);
	weir_topology_free(t);
	close_cluster();
}

/* --- dates ahead of the clock -----------------------------------------------------------------------------------
 * */

/* Kafka 4 refuses what is dated more than an hour ahead, unless a topic says otherwise, as "in" does here. */
static void what_was_let_in_gets_into_the_applications_own_topics(void **state)
{
	static const char *const any_date[][2] = { { "retention.ms", "-1" },
						   { "message.timestamp.after.max.ms", "9223372036854775807" } };
	weir_topic_spec spec = { "in", PARTITIONS, 1, any_date, 2 };
	weir_topology *t = weir_topology_new("app");

	(void)state;
	cluster = weir_cluster_embedded((weir_embedded_opts){ .partitions = PARTITIONS });
	must(weir_topics_create(cluster, &spec, 1, &err));
	weir_stream *in = text_source(t, "in");

	weir_count(in, "by-key", (weir_window){ .size_ms = 1000 });
	weir_count(weir_key_by(in, "by-value", value_as_key, NULL), "counts", (weir_window){ .size_ms = 1000 });
	struct running app = start(t, "a", "1", "", "20ms");
	weir_producer *p = producer();

	send_one(p, "k", "v", weir_clock_system()->wall_ms(weir_clock_system()) + WEIR_DAYS(2));
	send_one(p, "k", "v", INT64_MAX);
	must(weir_producer_flush(p, PATIENCE_MS, &err));
	weir_producer_close(p);
	WAIT_UNTIL(weir_app_caught_up(app.app) || weir_app_state_get(app.app, NULL) == WEIR_APP_ERROR);
	assert_int_equal(weir_app_state_get(app.app, NULL), WEIR_APP_RUNNING);
	stop(&app);
	close_cluster();
}

/* --- global tables ----------------------------------------------------------------------------------------------
 * */

static weir_global *codes;
static atomic_int codes_found, codes_missed;

static void find_code(weir_context *cx, const weir_record *r, void *user)
{
	(void)user;
	atomic_fetch_add(weir_global_get(cx, codes, weir_value_bytes(r), NULL) ? &codes_found : &codes_missed, 1);
}

static weir_topology *finding_codes(void)
{
	weir_topology *t = weir_topology_new("app");

	codes = weir_global_table(t, "codes", (weir_global_opts){ .value = &weir_utf8 });
	weir_for_each(text_source(t, "in"), "find-code", find_code, NULL);
	return t;
}

static void count_rows(weir_store *store, int32_t partition, void *user)
{
	weir_iterator *it = weir_store_range(store, WEIR_NULL, WEIR_NULL, false);
	weir_entry e;

	(void)partition;
	while (weir_iterator_next(it, &e))
		++*(int *)user;
	weir_iterator_close(it);
}

static void put_code(weir_producer *p, int i)
{
	char code[16];

	snprintf(code, sizeof code, "c%d", i);
	weir_produced r = {
		.topic = "codes", .partition = -1, .timestamp_ms = 1, .key = weir_str(code), .value = weir_str("x")
	};

	must(weir_producer_send(p, &r, &err));
}

static void a_global_table_is_whole_before_the_first_record_and_followed_beside_the_workers(void **state)
{
	enum { CODES = 500, LOOKS = 4000 };
	char *dir = temporary_directory(), key[16], code[16];

	(void)state;
	open_cluster();
	weir_producer *p = producer();

	atomic_store(&codes_found, 0);
	atomic_store(&codes_missed, 0);
	for (int i = 0; i < CODES; i++)
		put_code(p, i);
	must(weir_producer_flush(p, PATIENCE_MS, &err));
	for (int round = 0; round < 2; round++) {
		struct running r = start(finding_codes(), "a", "3", dir, "20ms");

		for (int i = 0; i < LOOKS; i++) {
			snprintf(key, sizeof key, "k%d", i);
			snprintf(code, sizeof code, "c%d", i % CODES);
			send_one(p, key, code, 1);
			put_code(p, i % CODES); /* the same again, while it is looked at */
		}
		put_code(p, CODES + round);
		must(weir_producer_flush(p, PATIENCE_MS, &err));
		WAIT_UNTIL(atomic_load(&codes_found) == (round + 1) * LOOKS);
		int rows = 0;

		for (int ms = 0; rows != CODES + round + 1; ms++) {
			rows = 0;
			weir_app_query(r.app, "codes", count_rows, &rows, (weir_query_opts){ 0 }, NULL);
			if (ms == PATIENCE_MS)
				fail_msg("%d rows", rows);
			usleep(1000);
		}
		stop(&r);
	}
	assert_int_equal(atomic_load(&codes_missed), 0);
	weir_producer_close(p);
	close_cluster();
	remove_directory(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_let_in_gets_into_the_applications_own_topics),
		cmocka_unit_test(counts_in_memory_are_exact_while_instances_come_and_go),
		cmocka_unit_test(counts_on_disk_are_exact_while_instances_come_and_go),
		cmocka_unit_test(counts_are_exact_while_workers_fail_and_are_replaced),
		cmocka_unit_test(a_query_sees_only_what_is_committed_unless_it_asks_for_more),
		cmocka_unit_test(a_timer_can_ask_for_a_commit),
		cmocka_unit_test(an_input_of_which_all_was_aborted_is_caught_up_with),
		cmocka_unit_test(queries_go_on_through_start_and_stop_and_none_is_left_waiting),
		cmocka_unit_test(an_error_in_one_worker_stops_the_instance_and_says_why),
		cmocka_unit_test(two_instances_of_one_id_do_not_fight_for_ever),
		cmocka_unit_test(an_instance_goes_through_its_states),
		cmocka_unit_test(an_instance_that_was_never_started_can_be_freed),
		cmocka_unit_test(a_global_table_is_whole_before_the_first_record_and_followed_beside_the_workers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
