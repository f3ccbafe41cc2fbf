/*
 * Three processes of one application on a real cluster. One of them fails, and its handler has all of them stopped:
 * each ends with exit code 1 and says why, within seconds. Started again they do the rest, each record once.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include <weir/weir.h>

#include "tests/contract/helpers.h"
#include "tests/integration/real_kafka.h"

enum { PROCESSES = 3, IN = 6, RECORDS = 120, END_MS = 30000 };

static char prefix[64];
static struct contract contract = { .prefix = prefix };

/* --- one of the processes: this program again, with SHUTDOWN_IN set ----------------------------------------------
 * */

static void stop_at_bad(weir_context *cx, const weir_record *r, void *user)
{
	(void)user;
	if (weir_bytes_equal(weir_value_bytes(r), weir_str("bad")) && getenv("SHUTDOWN_AT_BAD"))
		weir_stop(cx, "too bad");
}

static weir_topology *copying(void)
{
	weir_topology *t = weir_topology_new("copying");
	weir_stream *in = weir_source(t, getenv("SHUTDOWN_IN"), (weir_source_opts){ .value = &weir_utf8 });

	weir_sink(weir_peek(in, "look", stop_at_bad, NULL), "copies",
		  (weir_sink_opts){ .topic = getenv("SHUTDOWN_OUT") });
	return t;
}

static weir_uncaught_answer shut_all_down(weir_app *app, int worker, const weir_error *error, void *user)
{
	(void)app, (void)worker, (void)error, (void)user;
	return WEIR_UNCAUGHT_SHUTDOWN_APPLICATION;
}

static int child_main(int argc, char **argv)
{
	return weir_main_with(argc, argv, copying, (weir_app_opts){ .listener = { .uncaught = shut_all_down } });
}

/* --- the test ---------------------------------------------------------------------------------------------------
 * */

struct process {
	pid_t pid;
	char log[64];
};

struct run {
	const char *id, *in, *out;
	struct process processes[PROCESSES];
	weir_consumer *results;
	int copies, bad;
};

static void start_one(struct run *run, int number, bool static_membership)
{
	struct process *p = &run->processes[number];
	char id[160], instance[40];

	snprintf(p->log, sizeof p->log, "/tmp/weir-shutdown-XXXXXX");
	int log = mkstemp(p->log);

	assert_true(log >= 0);
	snprintf(id, sizeof id, "application.id=%s", run->id);
	snprintf(instance, sizeof instance, "instance.id=p%d", number);
	p->pid = fork();
	assert_true(p->pid >= 0);
	if (p->pid)
		close(log);
	else {
		dup2(log, 2);
		execl("/proc/self/exe", "copying", "-b", getenv("WEIR_TEST_BOOTSTRAP"), "-X", id, "-X", instance,
		      "-X", "state.dir=", "-X", "session.timeout.ms=6s", "-X", "num.stream.threads=2", "-X",
		      "commit.interval.ms=100ms", "-X",
		      static_membership ? "group.static.membership=true" : "group.static.membership=false",
		      (char *)NULL);
		_exit(127);
	}
}

/* Its exit code, within END_MS. */
static int end_of_process(struct process *p)
{
	int status;

	for (int ms = 0; waitpid(p->pid, &status, WNOHANG) == 0; ms += 10) {
		if (ms >= END_MS)
			fail_msg("process %d has not ended, see %s", (int)p->pid, p->log);
		usleep(10000);
	}
	p->pid = 0;
	if (!WIFEXITED(status))
		fail_msg("ended by signal %d, see %s", WTERMSIG(status), p->log);
	return WEXITSTATUS(status);
}

static bool says(const struct process *p, const char *text)
{
	static char log[1 << 20];
	FILE *f = fopen(p->log, "r");

	assert_non_null(f);
	log[fread(log, 1, sizeof log - 1, f)] = 0;
	fclose(f);
	return strstr(log, text) != NULL;
}

static bool count(const weir_kafka_record *r, void *user)
{
	struct run *run = user;

	run->copies++;
	run->bad += weir_bytes_equal(r->value, weir_str("bad"));
	return true;
}

static int copies(struct run *run)
{
	weir_error err;

	assert_done(weir_consumer_poll(run->results, 50, count, run, &err), err);
	return run->copies;
}

static void put_all(struct run *run)
{
	for (int p = 0; p < IN; p++)
		put_numbers(&contract, run->in, p, RECORDS / IN);
}

static void count_member(const char *client_id, const char *member_id, const char *topic, int32_t partition,
			 void *user)
{
	(void)client_id, (void)member_id, (void)topic, (void)partition;
	++*(int *)user;
}

static void begin_run(struct run *run)
{
	weir_error err;

	*run = (struct run){ .id = fresh(&contract, "app"),
			     .in = fresh_topic(&contract, IN),
			     .out = fresh_topic(&contract, 1) };
	setenv("SHUTDOWN_IN", run->in, 1);
	setenv("SHUTDOWN_OUT", run->out, 1);
	weir_partition at = { .topic = run->out, .offset = WEIR_OFFSET_BEGINNING };

	run->results = weir_consumer_open(contract.cluster, (weir_consumer_opts){ 0 }, &err);
	assert_done(run->results, err);
	assert_done(weir_consumer_assign(run->results, &at, 1, &err), err);
}

/* Partitions that have an owner. */
static void count_owned(const char *client_id, const char *member_id, const char *topic, int32_t partition,
			void *user)
{
	(void)client_id, (void)member_id, (void)partition;
	*(int *)user += topic != NULL;
}

static int described(struct run *run, weir_member_fn *fn)
{
	weir_error err;
	int n = 0;

	assert_done(weir_group_describe(contract.cluster, run->id, fn, &n, 10000, &err), err);
	return n;
}

/* One may be killed right before: the round waits for its session to end. */
static void all_end_and_start_again(bool static_membership, bool one_is_killed)
{
	struct run run;
	int failed = 0, asked = 0;

	begin_run(&run);
	setenv("SHUTDOWN_AT_BAD", "1", 1);
	for (int i = 0; i < PROCESSES; i++)
		start_one(&run, i, static_membership);
	/* each worker has a partition, of a group at rest */
	WAIT_UNTIL(&contract, described(&run, count_member) == IN && described(&run, count_owned) == IN);
	put_all(&run);
	WAIT_UNTIL(&contract, copies(&run) == RECORDS);
	if (one_is_killed) {
		kill(run.processes[0].pid, SIGKILL);
		waitpid(run.processes[0].pid, NULL, 0);
	}
	weir_producer *p = producer_of(&contract, NULL);

	put(p, run.in, 3, "k", "bad");
	flush(p);
	weir_producer_close(p);
	put_all(&run);
	int64_t before_us = contract.clock->monotonic_us(contract.clock);

	for (int i = one_is_killed; i < PROCESSES; i++)
		assert_int_equal(end_of_process(&run.processes[i]), 1);
	int64_t took_us = contract.clock->monotonic_us(contract.clock) - before_us;

	for (int i = 0; i < PROCESSES; i++) {
		asked += says(&run.processes[i], "copying: instance \"p");
		failed += says(&run.processes[i], "too bad");
		unlink(run.processes[i].log);
	}
	print_message("all ended within %lld ms\n", (long long)took_us / 1000);
	assert_true(failed >= 1);
	assert_true(one_is_killed || asked >= 1); /* a second one may have got the bad record in the same round */
	assert_true(failed + asked >= PROCESSES - one_is_killed);
	assert_int_equal(described(&run, count_member), 0);

	unsetenv("SHUTDOWN_AT_BAD");
	for (int i = 0; i < PROCESSES; i++)
		start_one(&run, i, static_membership);
	WAIT_UNTIL(&contract, copies(&run) == 2 * RECORDS + 1);
	WAIT_UNTIL(&contract, described(&run, count_member) == IN && described(&run, count_owned) == IN);
	for (int i = 0; i < PROCESSES; i++) {
		kill(run.processes[i].pid, SIGTERM);
		assert_int_equal(end_of_process(&run.processes[i]), 0);
		unlink(run.processes[i].log);
	}
	for (int i = 0; i < 5; i++)
		assert_int_equal(copies(&run), 2 * RECORDS + 1);
	assert_int_equal(run.bad, 1);
	weir_consumer_close(run.results);
}

static void all_processes_end_when_one_asks_for_it_and_work_again(void **state)
{
	(void)state;
	all_end_and_start_again(false, false);
}

static void so_they_do_with_static_membership(void **state)
{
	(void)state;
	all_end_and_start_again(true, false);
}

static void a_killed_member_holds_them_up_for_its_session_only(void **state)
{
	(void)state;
	all_end_and_start_again(false, true);
	all_end_and_start_again(true, true);
}

int main(int argc, char **argv)
{
	if (getenv("SHUTDOWN_IN"))
		return child_main(argc, argv);
	contract.cluster = real_cluster();
	contract.clock = weir_clock_system();
	real_prefix(prefix, sizeof prefix);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_processes_end_when_one_asks_for_it_and_work_again),
		cmocka_unit_test(so_they_do_with_static_membership),
		cmocka_unit_test(a_killed_member_holds_them_up_for_its_session_only),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	weir_cluster_free(contract.cluster);
	return failed;
}
