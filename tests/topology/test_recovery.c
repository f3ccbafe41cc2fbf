/* The worker in trouble that the driver alone does not make: brokers that do not answer, disks that fail, pauses.
 * */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_that_comes_while_the_producer_is_broken_is_not_lost),
		cmocka_unit_test(what_a_failing_disk_gave_is_not_committed),
		cmocka_unit_test(transactions_that_took_too_long_are_not_taken_for_another_instance),
		cmocka_unit_test(what_came_since_a_start_at_the_end_survives_an_abort),
		cmocka_unit_test(a_restore_behind_a_transaction_that_never_ends_says_so),
		cmocka_unit_test(commits_that_take_longer_than_their_interval_leave_time_for_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
