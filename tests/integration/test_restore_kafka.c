/*
 * A store whose local state is gone is read from its changelog, on a real cluster: how far that has come can be
 * seen, and the other tasks of the same worker go on meanwhile.
 */
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/weir.h>

#include "tests/contract/helpers.h"
#include "tests/integration/real_kafka.h"

enum { PARTITIONS = 2, LARGE = 0, SMALL = 1, KEYS = 3000000, KNOWN = 7, BOUND_S = 50 };

static char prefix[64];
static struct contract contract = { .prefix = prefix };

/* --- the log ------------------------------------------------------------------------------------------------- */

static struct {
	pthread_mutex_t lock;
	weir_app *app;
	int progress; /* lines that tell how far restoring has come */
	long long left_first, left_last;
	double commits; /* of the worker, when the large store was there */
} seen = { .lock = PTHREAD_MUTEX_INITIALIZER };

static double metric(weir_app *app, const char *name)
{
	return weir_metrics_value(weir_app_metrics(app), name, (const char *const[]){ "0" });
}

static void watch_log(weir_log_level level, const char *area, const char *line, void *user)
{
	const char *left = strstr(line, " left=");

	(void)user;
	if (level >= WEIR_LOG_WARN)
		weir_log_stderr(level, area, line, NULL);
	if (!strncmp(line, "running task=0_0 ", 17))
		seen.commits = metric(seen.app, "weir_commits_total");
	if (strcmp(area, "restore") != 0 || strncmp(line, "progress ", 9) != 0)
		return;
	pthread_mutex_lock(&seen.lock);
	seen.left_last = left ? atoll(left + 6) : -1;
	if (!seen.progress++)
		seen.left_first = seen.left_last;
	pthread_mutex_unlock(&seen.lock);
}

/* --- the application ----------------------------------------------------------------------------------------- */

enum { FIRST, OTHER, IN_CHANGELOG, WATCHED };
static const char *const watched[WATCHED] = { "first", "other", "key-17" };

struct job {
	const char *in, *out, *id;
	char dir[64];
	weir_consumer *results;
	int64_t counts[WATCHED];
	weir_config *cfg;
	weir_topology *topology;
	weir_app *app;
};

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static void set(struct job *j, const char *key, const char *value)
{
	weir_error err;

	assert_done(weir_config_set(j->cfg, key, value, WEIR_FROM_COMMAND_LINE, "test", &err), err);
}

static void start(struct job *j)
{
	weir_error err;
	weir_stream *in;

	j->topology = weir_topology_new("restore");
	in = weir_source(j->topology, "in", (weir_source_opts){ .topic = j->in, .value = &weir_utf8 });
	weir_sink(weir_changes(weir_count(in, "counts", (weir_window){ 0 })), "out",
		  (weir_sink_opts){ .topic = j->out });
	j->cfg = weir_config_new();
	set(j, "application.id", j->id);
	set(j, "instance.id", "1");
	set(j, "state.dir", j->dir);
	j->app = weir_app_new(j->topology, j->cfg, contract.cluster, (weir_app_opts){ 0 }, &err);
	assert_done(j->app, err);
	seen.app = j->app;
	assert_done(weir_app_start(j->app, &err), err);
}

static void stop(struct job *j)
{
	weir_error err;

	assert_done(weir_app_stop(j->app, 30000, &err), err);
	weir_app_free(j->app);
	weir_topology_free(j->topology);
	weir_config_free(j->cfg);
}

static void send_post(struct job *j, int32_t partition, const char *key)
{
	weir_producer *p = producer_of(&contract, NULL);

	put(p, j->in, partition, key, "x");
	flush(p);
	weir_producer_close(p);
}

static bool take(const weir_kafka_record *r, void *user)
{
	struct job *j = user;

	for (int i = 0; i < WATCHED; i++)
		if (weir_bytes_equal(r->key, weir_str(watched[i])) && r->value.len == 8)
			j->counts[i] = weir_get_be64(r->value.data);
	return true;
}

/* The newest committed count of a watched key. */
static int64_t count_of(struct job *j, int key)
{
	weir_error err;

	assert_done(weir_consumer_poll(j->results, 20, take, j, &err), err);
	return j->counts[key];
}

static void open_results(struct job *j)
{
	weir_error err;

	j->results = weir_consumer_open(contract.cluster, (weir_consumer_opts){ 0 }, &err);
	assert_done(j->results, err);
	for (int32_t i = 0; i < PARTITIONS; i++) {
		weir_partition p = { .topic = j->out, .partition = i, .offset = WEIR_OFFSET_BEGINNING };

		assert_done(weir_consumer_assign(j->results, &p, 1, &err), err);
	}
}

static void fill_changelog(struct job *j)
{
	char topic[200], key[24], value[8];
	weir_error err;
	weir_producer *p = weir_producer_open(contract.cluster, (weir_producer_opts){ .linger_ms = 50 }, &err);
	weir_produced r = { .topic = topic, .partition = LARGE, .timestamp_ms = 1600000000000 };

	assert_done(p, err);
	snprintf(topic, sizeof topic, "%s-counts-changelog", j->id);
	weir_put_be64(value, KNOWN);
	r.value = weir_bytes_of(value, sizeof value);
	for (int i = 0; i < KEYS; i++) {
		r.key = weir_bytes_of(key, (size_t)snprintf(key, sizeof key, "key-%d", i));
		assert_done(weir_producer_send(p, &r, &err), err);
		if (i % 1000 == 0)
			weir_producer_poll(p, 0);
	}
	assert_done(weir_producer_flush(p, 60000, &err), err);
	weir_producer_close(p);
}

/* Those records are of no commit of the application's, and it would say so: its positions are left as Kafka Streams
 * leaves them, without what tells of the last commit. */
static void forget_last_commit(struct job *j)
{
	weir_partition list[PARTITIONS];
	weir_error err;

	for (int32_t i = 0; i < PARTITIONS; i++)
		list[i] = (weir_partition){ .topic = j->in, .partition = i };
	assert_done(weir_group_committed(contract.cluster, j->id, list, PARTITIONS, 30000, &err), err);
	weir_partitions_release(list, PARTITIONS);
	for (int32_t i = 0; i < PARTITIONS; i++)
		list[i].metadata = NULL;
	assert_done(weir_group_alter(contract.cluster, j->id, list, PARTITIONS, &err), err);
}

static bool is_running(struct job *j)
{
	weir_error err;
	weir_app_state state = weir_app_state_get(j->app, &err);

	assert_true(state != WEIR_APP_ERROR);
	return state == WEIR_APP_RUNNING;
}

static void begin_job(struct job *j)
{
	*j = (struct job){ .in = fresh_topic(&contract, PARTITIONS),
			   .out = fresh_topic(&contract, PARTITIONS),
			   .id = fresh(&contract, "app"),
			   .dir = "/tmp/weir-restore-XXXXXX" };
	assert_non_null(mkdtemp(j->dir));
	open_results(j);
	start(j);
	send_post(j, LARGE, watched[FIRST]);
	send_post(j, SMALL, watched[OTHER]);
	WAIT_UNTIL(&contract, count_of(j, FIRST) == 1 && count_of(j, OTHER) == 1);
	stop(j);
}

static void other_tasks_go_on_while_a_lost_store_is_restored(void **state)
{
	int64_t began_us = contract.clock->monotonic_us(contract.clock);
	struct job j;
	double left_most = 0;

	(void)state;
	begin_job(&j);
	fill_changelog(&j);
	forget_last_commit(&j);
	nftw(j.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS); /* by hand */
	send_post(&j, LARGE, watched[IN_CHANGELOG]);
	send_post(&j, SMALL, watched[OTHER]);
	start(&j);

	WAIT_UNTIL(&contract, metric(j.app, "weir_restore_remaining_records") > 0);
	left_most = metric(j.app, "weir_restore_remaining_records");
	WAIT_UNTIL(&contract, metric(j.app, "weir_restore_remaining_records") < left_most);
	WAIT_UNTIL(&contract, is_running(&j));
	assert_int_equal((int)metric(j.app, "weir_restore_remaining_records"), 0);
	assert_true(metric(j.app, "weir_restored_records_total") >= KEYS);
	assert_true(seen.commits > 0); /* of the other task alone: this one was not there yet */
	WAIT_UNTIL(&contract, count_of(&j, OTHER) == 2);
	WAIT_UNTIL(&contract, count_of(&j, IN_CHANGELOG) == KNOWN + 1);
	pthread_mutex_lock(&seen.lock);
	assert_true(seen.progress > 0 && seen.left_last < seen.left_first + (seen.progress == 1));
	pthread_mutex_unlock(&seen.lock);
	stop(&j);
	weir_consumer_close(j.results);
	nftw(j.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	assert_true(contract.clock->monotonic_us(contract.clock) - began_us < BOUND_S * INT64_C(1000000));
}

int main(void)
{
	contract.cluster = real_cluster();
	contract.clock = weir_clock_system();
	real_prefix(prefix, sizeof prefix);
	weir_log_set(watch_log, NULL, WEIR_LOG_INFO);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_tasks_go_on_while_a_lost_store_is_restored),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	weir_cluster_free(contract.cluster);
	return failed;
}
