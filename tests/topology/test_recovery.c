/* The worker in trouble that the driver alone does not make: brokers that do not answer, disks that fail, pauses.
 * */
#include <limits.h>

#include "framework/kafka/embedded.h"
#include "framework/runtime/runtime.h"
#include "tests/topology/topology_test.h"

/* Mishaps at one point, `left` times. */
struct mishap {
	enum embedded_point point;
	enum embedded_fault fault;
	int left;
};

static enum embedded_fault mishap_now(enum embedded_point point, const char *who, void *user)
{
	struct mishap *m = user;

	(void)who;
	if (point != m->point || m->left == 0)
		return EMBEDDED_FINE;
	m->left--;
	return m->fault;
}

static struct worker *worker_of(weir_driver *d)
{
	return &weir_driver_app(d)->workers[0];
}

/* One turn at whose end no commit is due. */
static void step(weir_driver *d)
{
	worker_of(d)->last_commit_us = weir__now_us(weir_driver_app(d));
	assert_true(weir__worker_step(worker_of(d), 0));
}

static void take_any(weir_consumer *consumer, weir_group_event event, const weir_partition *list, size_t n,
		     void *user)
{
	(void)consumer, (void)event, (void)list, (void)n, (void)user;
}

static bool ignore(const weir_kafka_record *record, void *user)
{
	(void)record, (void)user;
	return true;
}

/* A commit inside a rebalance ends the producer; the same poll goes on to records of another task. */
static void a_record_that_comes_while_the_producer_is_broken_is_not_lost(void **state)
{
	weir_topology *t = weir_topology_new("app");
	struct mishap m = { EMBEDDED_AT_COMMIT, EMBEDDED_UNDONE, 1 };
	weir_consumer *other;

	(void)state;
	weir_sink(text_source(t, "in"), "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ .partitions = 3 });

	weir__embedded_faults(weir_driver_cluster(d), mishap_now, &m, 0);
	put_waiting(d, "in", 0, "k", "touches", 1);
	step(d);
	assert_true(worker_of(d)->in_transaction);
	must(other = weir_consumer_open(weir_driver_cluster(d),
					(weir_consumer_opts){ .group = "app", .on_group = take_any }, &err));
	must(weir_consumer_subscribe(other, (const char *[]){ "in" }, 1, &err));
	must(weir_consumer_poll(other, 0, ignore, NULL, &err));
	put_waiting(d, "in", 1, "k", "untouched", 1);
	step(d); /* joins the round, gives a partition up, and reads on */
	assert_int_equal(m.left, 0);
	assert_true(worker_of(d)->broken_producer);
	weir_consumer_close(other);
	weir_driver_advance(d, 1000);
	weir_driver_advance(d, 1000);
	assert_text(d, "out", "k=untouched@1", "k=touches@1");
	assert_nothing(d, "out");
	weir_driver_free(d);
}

static void what_a_failing_disk_gave_is_not_committed(void **state)
{
	weir_topology *t = weir_topology_new("app");
	char *dir = temporary_directory();

	(void)state;
	weir_sink(weir_changes(weir_count(text_source(t, "in"), "counts", (weir_window){ 0 })), "out",
		  (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ .state_dir = dir });

	weir_driver_pipe(d, "in", "k", "v", 1);
	assert_numbers(d, "out", "k=1@1");
	weir__state_break_after(weir_driver_app(d)->state, 0);
	weir_driver_pipe(d, "in", "k", "v", 2);
	assert_stopped(d, "the disk is broken");
	assert_nothing(d, "out");
	must(weir_driver_restart(d, false, &err));
	assert_numbers(d, "out", "k=2@2");
	weir_driver_free(d);
	remove_directory(dir);
}

/* The broker ends them and fences their producer: that is no second instance with the same id. */
static void transactions_that_took_too_long_are_not_taken_for_another_instance(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_sink(text_source(t, "in"), "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	for (int i = 0; i < 2; i++) {
		put_waiting(d, "in", 0, "k", "v", 1);
		step(d);
		assert_true(worker_of(d)->in_transaction);
		weir_driver_advance(d, 15000); /* transaction.timeout.ms is 10 s */
		weir_driver_advance(d, 2000);
	}
	assert_text(d, "out", "k=v@1", "k=v@1");
	assert_nothing(d, "out");
	weir_driver_free(d);
}

static void what_came_since_a_start_at_the_end_survives_an_abort(void **state)
{
	weir_topology *t = weir_topology_new("app");
	struct mishap m = { EMBEDDED_AT_COMMIT, EMBEDDED_ABORTABLE, 1 };

	(void)state;
	weir_sink(weir_source(t, "in", (weir_source_opts){ .reset = WEIR_RESET_LATEST }), "out",
		  (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir__embedded_faults(weir_driver_cluster(d), mishap_now, &m, 0);
	weir_driver_pipe(d, "in", "k", "v", 1);
	assert_int_equal(m.left, 0);
	assert_text(d, "out", "k=v@1");
	assert_nothing(d, "out");
	weir_driver_free(d);
}

/* One whose markers the broker has lost, as a single node can in a controlled shutdown: it holds its readers. */
static void a_restore_behind_a_transaction_that_never_ends_says_so(void **state)
{
	weir_topology *t = weir_topology_new("app");
	const char *const config[][2] = { { "task.timeout.ms", "10s" } };
	weir_producer *other;

	(void)state;
	weir_changes(weir_count(text_source(t, "in"), "counts", (weir_window){ 0 }));
	weir_driver *d = driver(t, (weir_driver_opts){ .config = config, .config_count = 1 });

	weir_driver_pipe(d, "in", "k", "v", 1);
	must(other = weir_producer_open(
		     weir_driver_cluster(d),
		     (weir_producer_opts){ .transactional_id = "other", .transaction_timeout_ms = 900000 }, &err));
	must(weir_producer_init(other, 1000, &err));
	must(weir_producer_begin(other, &err));
	must(weir_producer_send(other,
				&(weir_produced){ .topic = "app-counts-changelog",
						  .partition = 0,
						  .timestamp_ms = 1,
						  .key = weir_str("k"),
						  .value = weir_str("12345678") },
				&err));
	must(weir_producer_flush(other, 1000, &err));
	weir__task_reset(worker_of(d)->tasks[0]);
	int64_t begin_us = weir__now_us(weir_driver_app(d)), took_us = 0;

	while (!worker_of(d)->stop && took_us < 60000000) {
		weir_driver_advance(d, 100);
		took_us = weir__now_us(weir_driver_app(d)) - begin_us;
	}
	assert_in_range(took_us, 10000000, 20000000);
	assert_stopped(d, "the changelog \"app-counts-changelog\" gives nothing beyond offset");
	weir_producer_close(other);
	weir_driver_free(d);
}

static enum embedded_fault take_long(enum embedded_point point, const char *who, void *clock)
{
	(void)who;
	if (point == EMBEDDED_AT_COMMIT)
		((weir_manual_clock *)clock)->now_ms += 150; /* the interval is 100 */
	return EMBEDDED_FINE;
}

/* Of a real cluster with little to run on: 16 records a commit was all that got through. */
static void commits_that_take_longer_than_their_interval_leave_time_for_records(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_sink(text_source(t, "in"), "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });
	weir_manual_clock *clock = (weir_manual_clock *)weir_driver_app(d)->clock;

	weir__embedded_faults(weir_driver_cluster(d), take_long, clock, 0);
	weir_driver_pipe(d, "in", "k", "one", 1); /* and its commit */
	long long before = atomic_load(&worker_of(d)->commits);

	for (int i = 0; i < 400; i++)
		put_waiting(d, "in", 0, "k", "many", 1);
	for (int i = 0; i < 1000; i++) {
		assert_true(weir__worker_step(worker_of(d), 0));
		clock->now_ms++;
	}
	assert_int_equal(atomic_load(&worker_of(d)->records), 401);
	assert_in_range(atomic_load(&worker_of(d)->commits) - before, 1, 4);
	weir_driver_free(d);
}

/* --- where failures of commits and checkpoints end --------------------------------------------------------------
 * */

static weir_topology *counting(void)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = text_source(t, "in");

	weir_sink(weir_changes(weir_count(in, "counts", (weir_window){ 0 })), "out", (weir_sink_opts){ 0 });
	weir_sink(weir_changes(weir_count(in, "again", (weir_window){ 0 })), "out-again", (weir_sink_opts){ 0 });
	return t;
}

static void commits_that_fail_for_longer_than_task_timeout_end_the_application(void **state)
{
	static const char *const config[][2] = { { "task.timeout.ms", "10s" } };
	weir_driver *d = driver(counting(), (weir_driver_opts){ .config = config, .config_count = 1 });
	struct mishap m = { EMBEDDED_AT_COMMIT, EMBEDDED_ABORTABLE, INT_MAX };
	weir_error why;
	weir_driver_pipe(d, "in", "k", "v", 1);
	int64_t began_us = weir__now_us(weir_driver_app(d));

	(void)state;
	weir__embedded_faults(weir_driver_cluster(d), mishap_now, &m, 0);
	put_waiting(d, "in", 0, "k", "v", 2);
	for (int i = 0; i < 60 && weir_app_state_get(weir_driver_app(d), &why) != WEIR_APP_ERROR; i++)
		weir_driver_advance(d, 1000);
	assert_stopped(d, "transactions in a row have failed, for longer than task.timeout.ms");
	assert_true(weir__now_us(weir_driver_app(d)) - began_us > 10000000);
	assert_numbers(d, "out", "k=1@1");
	m.left = 0;
	must(weir_driver_restart(d, false, &err));
	assert_numbers(d, "out", "k=2@2");
	weir_driver_free(d);
}

/* The transaction stands, the state on disk is what it was. */
static void a_disk_that_fails_at_a_checkpoint_ends_the_application_after_the_commit(void **state)
{
	(void)state;
	for (int writes = 1; writes < 4; writes++) {
		char *dir = temporary_directory();
		weir_driver *d = driver(counting(), (weir_driver_opts){ .state_dir = dir });

		weir_driver_pipe(d, "in", "k", "v", 1);
		weir_driver_advance(d, WEIR_MINUTES(6)); /* a checkpoint is due at the next commit */
		weir_driver_pipe(d, "in", "k", "v", 2);
		weir_driver_advance(d, WEIR_MINUTES(6));
		weir__state_break_after(weir_driver_app(d)->state, writes);
		for (int i = 0; i < 4; i++) {
			weir_driver_pipe(d, "in", "k", "v", 3 + i);
			weir_driver_advance(d, WEIR_MINUTES(6));
		}
		assert_stopped(d, "disk is broken");
		must(weir_driver_restart(d, writes % 2, &err));
		const char *text;
		int last = 0, n;

		while ((text = weir_driver_read_text(d, "out", false, true))) {
			assert_int_equal(sscanf(text, "k=%d@", &n), 1);
			assert_true(n > last);
			last = n;
		}
		assert_int_equal(last, 6);
		weir_driver_free(d);
		remove_directory(dir);
	}
}

static void a_disk_that_fails_at_the_end_costs_the_tail_alone(void **state)
{
	char *dir = temporary_directory();
	weir_driver *d = driver(counting(), (weir_driver_opts){ .state_dir = dir });

	(void)state;
	weir_driver_pipe(d, "in", "k", "v", 1);
	must(weir_driver_restart(d, false, &err));
	weir_driver_pipe(d, "in", "k", "v", 2);
	weir__state_break_after(weir_driver_app(d)->state, 1);
	must(weir_driver_restart(d, false, &err));
	weir_driver_pipe(d, "in", "k", "v", 3);
	assert_numbers(d, "out", "k=1@1", "k=2@2", "k=3@3");
	assert_numbers(d, "out-again", "k=1@1", "k=2@2", "k=3@3");
	assert_true(weir_metrics_value(weir_app_metrics(weir_driver_app(d)), "weir_restored_records_total",
				       (const char *const[]){ "0" }) > 0);
	weir_driver_free(d);
	remove_directory(dir);
}

/* The broker takes 4096 bytes beside an offset: what does not fit is left out, and nothing else fails. */
static void times_that_do_not_fit_beside_an_offset_are_left_out(void **state)
{
	enum { STEPS = 60 };
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = text_source(t, "in");

	(void)state;
	for (int i = 0; i < STEPS; i++) {
		char name[80];

		snprintf(name, sizeof name, "windows-of-a-name-that-is-a-good-deal-longer-than-others-%d", i);
		weir_table *table = weir_count(in, name, (weir_window){ .size_ms = 10, .grace_ms = 1000 });

		if (i == 0 || i == STEPS - 1)
			weir_sink(weir_changes(table), i ? "last" : "first", (weir_sink_opts){ 0 });
	}
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	for (int i = 0; i < 3; i++) {
		weir_driver_pipe(d, "in", "k", "v", 5 + i);
		must(weir_driver_restart(d, i % 2, &err));
	}
	assert_windowed_numbers(d, "first", "k[0]=1@5", "k[0]=2@6", "k[0]=3@7");
	assert_windowed_numbers(d, "last", "k[0]=1@5", "k[0]=2@6", "k[0]=3@7");
	weir_driver_free(d);
}

/* Between the look at where the log begins and reading it: once. */
struct cut {
	weir_cluster *cluster;
	int64_t below;
	int looks;
};

static enum embedded_fault cut_changelog(enum embedded_point point, const char *who, void *user)
{
	struct cut *c = user;
	weir_partition to = { .topic = "app-counts-changelog", .offset = c->below };

	if (point == EMBEDDED_AT_RANGE && strcmp(who, to.topic) == 0)
		c->looks++;
	if (point == EMBEDDED_AT_POLL && c->looks == 1 && c->below > 0) {
		c->below = 0;
		must(weir_records_delete(c->cluster, &to, 1, &err));
	}
	return EMBEDDED_FINE;
}

static void a_changelog_that_is_cut_while_it_is_read_is_read_again(void **state)
{
	(void)state;
	for (int on_disk = 0; on_disk < 2; on_disk++) {
		weir_topology *t = weir_topology_new("app");
		char *dir = temporary_directory();

		weir_sink(weir_changes(weir_count(text_source(t, "in"), "counts",
						  (weir_window){ .size_ms = 10, .retain_ms = 100 })),
			  "out", (weir_sink_opts){ 0 });
		weir_driver *d = driver(t, (weir_driver_opts){ .state_dir = on_disk ? dir : NULL });
		struct cut c = { .cluster = weir_driver_cluster(d), .below = 4 };

		for (int i = 0; i < 2; i++)
			weir_driver_pipe(d, "in", "k", "expired", 5 + 10 * i);
		for (int i = 0; i < 3; i++)
			weir_driver_pipe(d, "in", "k", "v", 201 + i);
		weir__embedded_faults(c.cluster, cut_changelog, &c, 0);
		must(weir_driver_restart(d, true, &err));
		assert_int_equal(c.below, 0);
		assert_int_equal(c.looks, 2);
		weir_driver_pipe(d, "in", "k", "v", 204);
		assert_windowed_numbers(d, "out", "k[0]=1@5", "k[10]=1@15", "k[200]=1@201", "k[200]=2@202",
					"k[200]=3@203", "k[200]=4@204");
		weir_driver_free(d);
		remove_directory(dir);
	}
}

static enum embedded_fault fail_restorer(enum embedded_point point, const char *who, void *user)
{
	int *left = user;

	if (point != EMBEDDED_AT_POLL || strcmp(who, "member:1") == 0 || *left == 0)
		return EMBEDDED_FINE;
	--*left;
	return EMBEDDED_ABORTABLE;
}

static void a_changelog_that_cannot_be_read_for_longer_than_task_timeout_ends_the_application(void **state)
{
	static const char *const config[][2] = { { "task.timeout.ms", "10s" },
						 { "application.server", "member:1" } };
	weir_driver *d = driver(counting(), (weir_driver_opts){ .config = config, .config_count = 2 });
	weir_error why = { .code = WEIR_OK };
	int left = 20;

	(void)state;
	weir_driver_pipe(d, "in", "k", "v", 1);
	weir__embedded_faults(weir_driver_cluster(d), fail_restorer, &left, 0);
	must(weir_driver_restart(d, true, &err)); /* it comes to itself again */
	assert_int_equal(left, 0);
	weir_driver_pipe(d, "in", "k", "v", 2);
	left = INT_MAX;
	assert_false(weir_driver_restart(d, true, &why));
	assert_contains(why.message, "restore: given up after task.timeout.ms");
	left = 0;
	must(weir_driver_restart(d, true, &err));
	weir_driver_pipe(d, "in", "k", "v", 3);
	assert_numbers(d, "out", "k=1@1", "k=2@2", "k=3@3");
	weir_driver_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_that_comes_while_the_producer_is_broken_is_not_lost),
		cmocka_unit_test(what_a_failing_disk_gave_is_not_committed),
		cmocka_unit_test(transactions_that_took_too_long_are_not_taken_for_another_instance),
		cmocka_unit_test(what_came_since_a_start_at_the_end_survives_an_abort),
		cmocka_unit_test(a_restore_behind_a_transaction_that_never_ends_says_so),
		cmocka_unit_test(commits_that_take_longer_than_their_interval_leave_time_for_records),
		cmocka_unit_test(commits_that_fail_for_longer_than_task_timeout_end_the_application),
		cmocka_unit_test(a_disk_that_fails_at_a_checkpoint_ends_the_application_after_the_commit),
		cmocka_unit_test(a_disk_that_fails_at_the_end_costs_the_tail_alone),
		cmocka_unit_test(times_that_do_not_fit_beside_an_offset_are_left_out),
		cmocka_unit_test(a_changelog_that_is_cut_while_it_is_read_is_read_again),
		cmocka_unit_test(a_changelog_that_cannot_be_read_for_longer_than_task_timeout_ends_the_application),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
