/*
 * Exactly once on a real cluster: workers in processes of their own copy a topic while they are stopped, killed,
 * made to abort, and while the broker is killed. What comes out must be what went in, in order, once each.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "tests/contract/echo.h"
#include "tests/integration/real_kafka.h"

#define SESSION_MS 6000 /* the least that a broker allows */
#define TRANSACTION_MS 10000
#define WORKERS_MAX 3

static char prefix[64];
static struct contract contract = { .prefix = prefix };

/* --- a worker: this program, started as `test worker IN OUT GROUP ID ABORTS` --------------------------------- */

static volatile sig_atomic_t ending;

static void on_term(int signal_number)
{
	(void)signal_number;
	ending = 1;
}

static int work(char **argv)
{
	struct contract c = { .cluster = real_cluster(), .clock = weir_clock_system(), .prefix = "worker" };
	struct echo w = { .c = &c,
			  .in = argv[0],
			  .out = argv[1],
			  .group = argv[2],
			  .transactional_id = argv[3],
			  .abort_chance = atof(argv[4]),
			  .session_timeout_ms = SESSION_MS,
			  .transaction_timeout_ms = TRANSACTION_MS,
			  .rng = weir_rng_seeded((uint64_t)getpid()) };

	signal(SIGTERM, on_term);
	while (!ending)
		echo_step(&w, 20);
	echo_close(&w);
	fprintf(stderr, "worker %s: committed=%ld aborted=%ld reopened=%ld\n", argv[3], w.committed, w.aborted,
		w.reopened);
	weir_cluster_free(c.cluster);
	return 0;
}

/* --- a copying job ------------------------------------------------------------------------------------------- */

struct job {
	const char *in, *out, *group;
	weir_producer *feed;
	int sent; /* records a partition */
	char ids[WORKERS_MAX][96];
	pid_t pids[WORKERS_MAX]; /* 0 = does not run */
};

static struct job job;

static void start_worker(struct job *j, int i, const char *abort_chance)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl("/proc/self/exe", "worker", "worker", j->in, j->out, j->group, j->ids[i], abort_chance,
		      (char *)NULL);
		_exit(127);
	}
	j->pids[i] = pid;
}

static void begin_job(struct job *j, int workers, const char *abort_chance)
{
	*j = (struct job){ .in = fresh_topic(&contract, ECHO_PARTITIONS),
			   .out = fresh_topic(&contract, ECHO_PARTITIONS),
			   .group = fresh(&contract, "group"),
			   .feed = producer_of(&contract, NULL) };
	for (int i = 0; i < WORKERS_MAX; i++) {
		snprintf(j->ids[i], sizeof j->ids[i], "%s-%d", j->group, i);
		if (i < workers)
			start_worker(j, i, abort_chance);
	}
}

/* n records more in each partition, over about that time. */
static void feed_job(struct job *j, int n, int64_t ms)
{
	char text[16];

	for (int i = 0; i < n; i++) {
		snprintf(text, sizeof text, "%d", j->sent++);
		for (int32_t p = 0; p < ECHO_PARTITIONS; p++)
			put(j->feed, j->in, p, text, text);
		weir_producer_poll(j->feed, 0);
		usleep((useconds_t)(ms * 1000 / n));
	}
}

static void kill_worker(struct job *j, int i)
{
	kill(j->pids[i], SIGKILL);
	assert_int_equal(waitpid(j->pids[i], NULL, 0), j->pids[i]);
	j->pids[i] = 0;
}

static bool count(const weir_kafka_record *record, void *user)
{
	(void)record;
	++*(long *)user;
	return true;
}

static void wait_for_copies(struct job *j, long wanted)
{
	weir_partition all[ECHO_PARTITIONS];
	weir_error err;
	weir_consumer *consumer = weir_consumer_open(contract.cluster, (weir_consumer_opts){ 0 }, &err);
	int64_t until_us = contract.clock->monotonic_us(contract.clock) + 90 * INT64_C(1000000);
	long n = 0;

	assert_done(consumer, err);
	for (int32_t p = 0; p < ECHO_PARTITIONS; p++)
		all[p] = (weir_partition){ .topic = j->out, .partition = p, .offset = WEIR_OFFSET_BEGINNING };
	assert_done(weir_consumer_assign(consumer, all, ECHO_PARTITIONS, &err), err);
	while (n < wanted) {
		assert_done(weir_consumer_poll(consumer, 100, count, &n, &err), err);
		if (contract.clock->monotonic_us(contract.clock) > until_us)
			fail_msg("%ld of %ld records were copied in 90 s", n, wanted);
	}
	weir_consumer_close(consumer);
}

#define NUMBERS_MAX 10000

struct numbers {
	int of[NUMBERS_MAX], count;
};

static bool take_number(const weir_kafka_record *record, void *user)
{
	struct numbers *n = user;
	char text[16];

	assert_true(record->value.len < sizeof text && n->count < NUMBERS_MAX);
	memcpy(text, record->value.data, record->value.len);
	text[record->value.len] = 0;
	n->of[n->count++] = atoi(text);
	return true;
}

static void read_numbers(const char *topic, int32_t partition, struct numbers *n)
{
	weir_partition p = { .topic = topic, .partition = partition, .offset = WEIR_OFFSET_BEGINNING };
	weir_error err;
	weir_consumer *consumer = weir_consumer_open(contract.cluster, (weir_consumer_opts){ 0 }, &err);

	n->count = 0;
	assert_done(consumer, err);
	assert_done(weir_consumer_assign(consumer, &p, 1, &err), err);
	for (struct patience w = patience(&contract);
	     weir_consumer_position(consumer, topic, partition) < end_of(&contract, topic, partition) &&
	     patience_left(&w, "the end");)
		assert_done(weir_consumer_poll(consumer, 10, take_number, n, &err), err);
	weir_consumer_close(consumer);
}

/* What was fed is there, whole; which is not to say once: a broker that is killed between a batch and its answer
 * has been seen to take the batch again from the feed. */
static void assert_fed(const struct numbers *in, int n)
{
	int next = 0;

	for (int i = 0; i < in->count; i++) {
		assert_true(in->of[i] <= next);
		next += in->of[i] == next;
	}
	assert_int_equal(next, n);
}

static long count_fed(struct job *j)
{
	static struct numbers in;
	long n = 0;

	for (int32_t p = 0; p < ECHO_PARTITIONS; p++) {
		read_numbers(j->in, p, &in);
		assert_fed(&in, j->sent);
		n += in.count;
	}
	return n;
}

static void assert_copied(struct job *j, int32_t partition)
{
	static struct numbers in, out;

	read_numbers(j->in, partition, &in);
	read_numbers(j->out, partition, &out);
	assert_int_equal(out.count, in.count);
	assert_memory_equal(out.of, in.of, (size_t)in.count * sizeof *in.of);
}

/* Waits for all to be copied, ends the workers and looks at every record. */
static void finish_job(struct job *j)
{
	weir_error err;

	assert_done(weir_producer_flush(j->feed, 60000, &err), err);
	wait_for_copies(j, count_fed(j));
	for (int i = 0; i < WORKERS_MAX; i++) {
		int status;

		if (!j->pids[i])
			continue;
		kill(j->pids[i], SIGTERM);
		assert_int_equal(waitpid(j->pids[i], &status, 0), j->pids[i]);
		j->pids[i] = 0;
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	for (int32_t p = 0; p < ECHO_PARTITIONS; p++)
		assert_copied(j, p);
	weir_producer_close(j->feed);
}

static void workers_that_abort_copy_exactly_once(void **state)
{
	(void)state;
	begin_job(&job, 2, "0.3");
	feed_job(&job, 500, 4000);
	start_worker(&job, 2, "0.3"); /* partitions move while transactions are aborted and positions go back */
	feed_job(&job, 500, 4000);
	finish_job(&job);
}

/* The stopped one wakes up with a transaction in hand and another in its place. */
static void a_stopped_and_a_killed_worker_do_no_harm(void **state)
{
	(void)state;
	begin_job(&job, 3, "0.05");
	feed_job(&job, 200, 4000);
	kill(job.pids[0], SIGSTOP);
	feed_job(&job, 200, 1000);
	kill_worker(&job, 1);
	feed_job(&job, 200, SESSION_MS + 3000);
	kill(job.pids[0], SIGCONT);
	start_worker(&job, 1, "0.05");
	feed_job(&job, 200, 3000);
	finish_job(&job);
}

/* After a failure: nobody may be left to disturb the next test. */
static int end_job(void **state)
{
	(void)state;
	for (int i = 0; i < WORKERS_MAX; i++)
		if (job.pids[i])
			kill_worker(&job, i);
	return 0;
}

/* --- the broker ---------------------------------------------------------------------------------------------- */

static void services(const char *command)
{
	char line[512];

	snprintf(line, sizeof line, "%s/tests/services.sh %s kafka >/dev/null", SOURCE_DIR, command);
	assert_int_equal(system(line), 0);
}

static pid_t broker_pid(void)
{
	char path[512];
	int pid = 0;

	if (!getenv("WEIR_TEST_DIR"))
		return 0;
	snprintf(path, sizeof path, "%s/kafka/pid", getenv("WEIR_TEST_DIR"));
	FILE *f = fopen(path, "r");

	if (f) {
		if (fscanf(f, "%d", &pid) != 1)
			pid = 0;
		fclose(f);
	}
	return pid;
}

static void a_broker_that_is_killed_amid_transactions_loses_nothing(void **state)
{
	(void)state;
	if (!broker_pid())
		skip();
	begin_job(&job, 2, "0");
	feed_job(&job, 200, 3000);
	for (int i = 0; i < 2; i++) {
		services("kill");
		feed_job(&job, 100, 1000);
		services("start");
		feed_job(&job, 200, 3000);
	}
	finish_job(&job);
}

/* At every moment of a first join. */
static void a_member_may_leave_before_it_has_a_share(void **state)
{
	const char *topic = fresh_topic(&contract, 1);
	weir_clock *clock = contract.clock;
	weir_error err;

	(void)state;
	for (int i = 0; i < 25; i++) {
		weir_consumer_opts opts = { .group = fresh(&contract, "group") };
		weir_consumer *consumer = weir_consumer_open(contract.cluster, opts, &err);
		int64_t until_us = clock->monotonic_us(clock) + i * 4000;

		assert_done(consumer, err);
		assert_done(weir_consumer_subscribe(consumer, &topic, 1, &err), err);
		while (clock->monotonic_us(clock) < until_us)
			assert_done(weir_consumer_poll(consumer, 1, NULL, NULL, &err), err);
		weir_consumer_close(consumer);
	}
}

static void sit_with_records(struct joiner *j, const char *topic)
{
	put_numbers(&contract, topic, 0, 5);
	joiner_open(&contract, j, (struct joiner_opts){ fresh(&contract, "group"), topic });
	for (struct patience w = patience(&contract); j->count < 5 && patience_left(&w, "records");)
		joiner_poll(j);
}

static int64_t close_ms(struct joiner *j)
{
	int64_t begun_us = contract.clock->monotonic_us(contract.clock);

	joiner_close(j);
	return (contract.clock->monotonic_us(contract.clock) - begun_us) / 1000;
}

/* Those that leave next would wait for one that the broker does not know to be gone, until its session is over. */
static void a_member_that_leaves_before_it_has_a_share_holds_up_nobody(void **state)
{
	const char *topic = fresh_topic(&contract, 1);
	weir_clock *clock = contract.clock;

	(void)state;
	for (int i = 0; i < 5; i++) {
		struct joiner_opts opts = { fresh(&contract, "group"), topic };
		struct joiner a, b;

		joiner_open(&contract, &a, opts);
		for (struct patience w = patience(&contract);
		     joiner_owned(&a) < 1 && patience_left(&w, "the partition");)
			joiner_poll(&a);
		joiner_open(&contract, &b, opts);
		int64_t until_us = clock->monotonic_us(clock) + i * 20000;

		while (clock->monotonic_us(clock) < until_us)
			joiner_poll(&b);
		joiner_close(&b);
		assert_in_range(close_ms(&a), 0, 2500);
	}
}

/*
 * Each call must come back in its time, and say that the transaction's fate is open; closing must not take for
 * ever.
 */
static void a_broker_that_hangs_holds_up_nobody_for_ever(void **state)
{
	const char *topic = fresh_topic(&contract, 1), *id = fresh(&contract, "txn");
	weir_partition position = { .topic = topic, .partition = 0, .offset = 5 };
	weir_producer *p = producer_of(&contract, id);
	pid_t pid = broker_pid();
	weir_clock *clock = contract.clock;
	struct joiner j;
	weir_error err = { 0 };

	(void)state;
	if (!pid)
		skip();
	sit_with_records(&j, topic);
	begin(p);
	put(p, topic, 0, "k", "v");
	flush(p);
	kill(pid, SIGSTOP);
	int64_t begun_us = clock->monotonic_us(clock);
	bool sent = weir_producer_send_offsets(p, j.consumer, &position, 1, 2000, &err);
	bool committed = !sent || weir_producer_commit(p, 2000, &err);
	int64_t calls_us = clock->monotonic_us(clock) - begun_us;

	begun_us = clock->monotonic_us(clock);
	weir_producer_close(p);
	int64_t close_us = clock->monotonic_us(clock) - begun_us;

	kill(pid, SIGCONT);
	assert_false(sent && committed);
	assert_in_range(calls_us / 1000, 0, 7000);
	assert_in_range(close_us / 1000, 0, 7000);
	p = producer_of(&contract, id); /* takes over what was left open */
	begin(p);
	put(p, topic, 0, "k", "w");
	commit(p);
	weir_producer_close(p);
	joiner_close(&j);
}

/*
 * What is given up while a broker is away is still librdkafka's: it must neither come back to life nor hold up
 * the end.
 */
static void a_cluster_can_be_freed_with_requests_under_way(void **state)
{
	const char *topic = fresh_topic(&contract, 1);
	pid_t pid = broker_pid();
	weir_error err = { 0 };

	(void)state;
	if (!pid)
		skip();
	for (int i = 0; i < 2; i++) {
		weir_cluster *other = real_cluster();
		weir_partition p = { .topic = topic, .partition = 0 };

		if (i)
			assert_int_equal(weir_topic_partitions(other, topic, &err), 1); /* connected before */
		kill(pid, SIGSTOP);
		assert_false(weir_group_committed(other, fresh(&contract, "group"), &p, 1, 0, &err));
		assert_true(err.retriable);
		assert_int_equal(err.code, WEIR_TIMEOUT);
		if (i)
			kill(pid, SIGCONT);
		weir_cluster_free(other);
		kill(pid, SIGCONT);
	}
}

static struct reader reader;

/* The error that has stopped the partition lies in the queue, and no poll has told of it. */
static void a_seek_mends_a_position_outside_the_log_before_it_is_reported(void **state)
{
	const char *topic = fresh_topic(&contract, 1);
	weir_partition p = { .topic = topic, .partition = 0, .offset = 8 };
	weir_error err;

	(void)state;
	put_numbers(&contract, topic, 0, 10);
	reader_at(&contract, &reader, topic, 0, 100);
	sleep(2);
	assert_done(weir_consumer_seek(reader.consumer, &p, 1, &err), err);
	reader_until(&reader, 2);
	assert_string_equal(reader_values(&reader), "8 9");
	assert_int_equal(reader.errors, 0);
	reader_close(&reader);
}

int main(int argc, char **argv)
{
	if (argc == 7 && !strcmp(argv[1], "worker"))
		return work(argv + 2);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_seek_mends_a_position_outside_the_log_before_it_is_reported),
		cmocka_unit_test_teardown(workers_that_abort_copy_exactly_once, end_job),
		cmocka_unit_test_teardown(a_stopped_and_a_killed_worker_do_no_harm, end_job),
		cmocka_unit_test(a_member_may_leave_before_it_has_a_share),
		cmocka_unit_test(a_member_that_leaves_before_it_has_a_share_holds_up_nobody),
		cmocka_unit_test(a_broker_that_hangs_holds_up_nobody_for_ever),
		cmocka_unit_test(a_cluster_can_be_freed_with_requests_under_way),
		cmocka_unit_test_teardown(a_broker_that_is_killed_amid_transactions_loses_nothing, end_job),
	};

	contract.cluster = real_cluster();
	contract.clock = weir_clock_system();
	real_prefix(prefix, sizeof prefix);
	if (argc == 2)
		cmocka_set_test_filter(argv[1]);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	weir_cluster_free(contract.cluster);
	return failed;
}
