/*
 * Topics that match a pattern, on a real cluster: two instances run while topics come, wider ones too, and go; one
 * instance is killed in between. Each record shows exactly once.
 */
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <weir/weir.h>

#include "tests/contract/helpers.h"
#include "tests/integration/real_kafka.h"

enum { INSTANCES = 2, EACH = 400, TOPICS = 4, RECORDS = EACH * TOPICS, OUT = 2 };

static char prefix[64];
static struct contract contract = { .prefix = prefix };

struct job {
	char id[100], pattern[100], out[100], dir[64], names[TOPICS][100];
	pid_t pids[INSTANCES];
	weir_consumer *results;
	int times[RECORDS]; /* that each number has come out */
	int seen;
	int twice;
};

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

/* --- an instance, in a process of its own --------------------------------------------------------------------- */

static bool set(weir_config *cfg, const char *key, const char *value, weir_error *err)
{
	return weir_config_set(cfg, key, value, WEIR_FROM_COMMAND_LINE, "test", err);
}

/* instance ID PATTERN OUT DIR NUMBER */
static int run_instance(char **arguments)
{
	const char *id = arguments[0], *pattern = arguments[1], *out = arguments[2], *number = arguments[4];
	char instance[16], dir[100];
	weir_config *cfg = weir_config_new();
	weir_topology *t = weir_topology_new("matching");
	weir_error err = { .code = WEIR_OK };

	snprintf(instance, sizeof instance, "i%s", number);
	snprintf(dir, sizeof dir, "%s/%s", arguments[3], number);
	weir_sink(weir_source(t, "in", (weir_source_opts){ .pattern = pattern, .value = &weir_utf8 }), "out",
		  (weir_sink_opts){ .topic = out });
	bool ok = set(cfg, "application.id", id, &err) && set(cfg, "instance.id", instance, &err) &&
		  set(cfg, "state.dir", dir, &err) && set(cfg, "metadata.max.age.ms", "500ms", &err) &&
		  set(cfg, "session.timeout.ms", "6s", &err) && set(cfg, "num.stream.threads", "2", &err);
	weir_app *app = ok ? weir_app_new(t, cfg, real_cluster(), (weir_app_opts){ 0 }, &err) : NULL;

	if (app && weir_app_start(app, &err))
		while (weir_app_state_get(app, &err) != WEIR_APP_ERROR)
			usleep(100000);
	fprintf(stderr, "instance %s: %s\n", number, err.message);
	return 1;
}

static void start(struct job *j, int number)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		char text[12];

		snprintf(text, sizeof text, "%d", number);
		execl("/proc/self/exe", "instance", "instance", j->id, j->pattern, j->out, j->dir, text,
		      (char *)NULL);
		_exit(127);
	}
	j->pids[number] = pid;
}

static void kill_instance(struct job *j, int number)
{
	kill(j->pids[number], SIGKILL);
	waitpid(j->pids[number], NULL, 0);
	j->pids[number] = 0;
}

/* --- what goes in and comes out ------------------------------------------------------------------------------- */

static void make_topic(const char *name, int32_t partitions)
{
	static const char *const forever[][2] = { { "retention.ms", "-1" } }; /* the records are dated long ago */
	weir_topic_spec spec = { .name = name, .partitions = partitions, .configs = forever, .config_count = 1 };
	weir_error err;

	assert_done(weir_topics_create(contract.cluster, &spec, 1, &err), err);
}

/* EACH numbers to topic `i`, spread over its partitions. */
static void put_into(struct job *j, int i, int32_t partitions)
{
	weir_producer *p = producer_of(&contract, NULL);
	char value[16];

	for (int n = 0; n < EACH; n++) {
		snprintf(value, sizeof value, "%d", i * EACH + n);
		put(p, j->names[i], n % partitions, "k", value);
	}
	flush(p);
	weir_producer_close(p);
}

static bool take(const weir_kafka_record *r, void *user)
{
	struct job *j = user;
	char text[16];

	snprintf(text, sizeof text, "%.*s", (int)r->value.len, (const char *)r->value.data);
	int n = atoi(text);

	assert_in_range(n, 0, RECORDS - 1);
	j->seen += j->times[n] == 0;
	j->twice += j->times[n]++ > 0;
	return true;
}

static int seen(struct job *j)
{
	weir_error err;

	assert_done(weir_consumer_poll(j->results, 50, take, j, &err), err);
	return j->seen;
}

static void begin_job(struct job *j)
{
	weir_error err;

	*j = (struct job){ .dir = "/tmp/weir-pattern-XXXXXX" };
	snprintf(j->id, sizeof j->id, "%s", fresh(&contract, "app"));
	snprintf(j->out, sizeof j->out, "%s", fresh_topic(&contract, OUT));
	snprintf(j->pattern, sizeof j->pattern, "%s-[a-d]", fresh(&contract, "in"));
	for (int i = 0; i < TOPICS; i++)
		snprintf(j->names[i], sizeof j->names[i], "%.*s%c", (int)strlen(j->pattern) - 5, j->pattern,
			 'a' + i);
	assert_non_null(mkdtemp(j->dir));
	j->results = weir_consumer_open(contract.cluster, (weir_consumer_opts){ 0 }, &err);
	assert_done(j->results, err);
	for (int32_t p = 0; p < OUT; p++) {
		weir_partition at = { .topic = j->out, .partition = p, .offset = WEIR_OFFSET_BEGINNING };

		assert_done(weir_consumer_assign(j->results, &at, 1, &err), err);
	}
}

static void topics_that_come_while_instances_run_and_die_are_read_exactly_once(void **state)
{
	struct job j;
	weir_error err;
	char anchor[200];

	(void)state;
	begin_job(&j);
	snprintf(anchor, sizeof anchor, "%s-in-anchor", j.id);
	start(&j, 0); /* nothing matches yet */
	WAIT_UNTIL(&contract, weir_topic_partitions(contract.cluster, anchor, &err) == 1);
	make_topic(j.names[0], 2);
	put_into(&j, 0, 2);
	start(&j, 1);
	WAIT_UNTIL(&contract, seen(&j) == EACH);
	assert_int_equal(weir_topic_partitions(contract.cluster, anchor, &err), 2);

	make_topic(j.names[1], 1); /* narrower */
	put_into(&j, 1, 1);
	WAIT_UNTIL(&contract, seen(&j) == 2 * EACH);

	make_topic(j.names[2], 5); /* wider: more tasks */
	put_into(&j, 2, 5);
	kill_instance(&j, 0);
	WAIT_UNTIL(&contract, seen(&j) == 3 * EACH);
	assert_int_equal(weir_topic_partitions(contract.cluster, anchor, &err), 5);

	const char *gone = j.names[1];

	assert_done(weir_topics_delete(contract.cluster, &gone, 1, &err), err);
	start(&j, 0);
	make_topic(j.names[3], 3);
	put_into(&j, 3, 3);
	WAIT_UNTIL(&contract, seen(&j) == RECORDS);
	assert_int_equal(waitpid(j.pids[1], NULL, WNOHANG), 0); /* it has lived through all that */
	for (int i = 0; i < 20; i++)                            /* nothing comes twice */
		seen(&j);
	assert_int_equal(j.twice, 0);
	for (int i = 0; i < INSTANCES; i++)
		kill_instance(&j, i);
	weir_consumer_close(j.results);
	nftw(j.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(int argc, char **argv)
{
	if (argc == 7)
		return run_instance(argv + 2);
	contract.cluster = real_cluster();
	contract.clock = weir_clock_system();
	real_prefix(prefix, sizeof prefix);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(topics_that_come_while_instances_run_and_die_are_read_exactly_once),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	weir_cluster_free(contract.cluster);
	return failed;
}
