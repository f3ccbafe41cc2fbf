/*
 * In the steady state weir's own code takes no memory, no lock, makes no system call and writes no log line for a
 * record on the worker's thread. Counted from the port's hand-over of a record to the return to it (what the port
 * does inside a send is the port's), in a real worker over the embedded cluster. The linker puts the functions
 * below in the place of libc's (tests/CMakeLists.txt), for all of weir's objects, not for RocksDB's library.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "bench/common/port_meter.h"
#include <weir/weir.h>

static atomic_bool counting;
static atomic_long noted;
static _Atomic(const char *) example;

static void note(const char *what)
{
	if (!counting || !port_meter_takes_record())
		return;
	noted++;
	example = what;
}

/* COUNT(result, name, parameters, arguments): the linker's --wrap=name calls __wrap_name. */
#define COUNT(result, name, parameters, arguments) \
	result __real_##name parameters; \
	result __wrap_##name parameters; \
	result __wrap_##name parameters \
	{ \
		note(#name); \
		return __real_##name arguments; \
	}

COUNT(void *, malloc, (size_t n), (n))
COUNT(void *, calloc, (size_t n, size_t size), (n, size))
COUNT(void *, realloc, (void *p, size_t n), (p, n))
COUNT(int, pthread_mutex_lock, (pthread_mutex_t * m), (m))
COUNT(int, pthread_mutex_trylock, (pthread_mutex_t * m), (m))
COUNT(int, pthread_cond_signal, (pthread_cond_t * c), (c))
COUNT(int, pthread_cond_broadcast, (pthread_cond_t * c), (c))
COUNT(int, pthread_rwlock_rdlock, (pthread_rwlock_t * l), (l))
COUNT(int, pthread_rwlock_wrlock, (pthread_rwlock_t * l), (l))
COUNT(ssize_t, read, (int fd, void *to, size_t n), (fd, to, n))
COUNT(ssize_t, write, (int fd, const void *from, size_t n), (fd, from, n))
COUNT(int, access, (const char *path, int mode), (path, mode))
COUNT(int, unlink, (const char *path), (path))
COUNT(int, usleep, (useconds_t us), (us))
COUNT(int, vsnprintf, (char *to, size_t n, const char *format, va_list args), (to, n, format, args))

void __real_free(void *p);
void __wrap_free(void *p);
void __wrap_free(void *p)
{
	note("free");
	__real_free(p);
}

static void on_log(weir_log_level level, const char *area, const char *line, void *user)
{
	(void)level, (void)area, (void)line, (void)user;
	note("a log line");
}

/* --- topologies ---------------------------------------------------------------------------------------------- */

static weir_stream *source(weir_topology *t)
{
	return weir_source(t, "in", (weir_source_opts){ .value = &weir_utf8 });
}

static void windowed_count(weir_topology *t)
{
	weir_window window = { .size_ms = WEIR_MINUTES(5), .grace_ms = WEIR_MINUTES(5) };

	weir_sink(weir_changes(weir_count(source(t), "counts", window)), "out", (weir_sink_opts){ 0 });
}

static void count(weir_topology *t)
{
	weir_sink(weir_changes(weir_count(source(t), "counts", (weir_window){ 0 })), "out", (weir_sink_opts){ 0 });
}

static bool keep(weir_context *cx, const weir_record *r, void *user)
{
	weir_bytes v = weir_value_bytes(r);

	(void)cx, (void)user;
	return v.len > 0;
}

static const void *same_value(weir_context *cx, const weir_record *r, void *user)
{
	weir_bytes v = weir_value_bytes(r), *out = weir_alloc(cx, sizeof *out);
	char *copy = weir_alloc(cx, v.len);

	(void)user;
	memcpy(copy, v.data, v.len);
	*out = weir_bytes_of(copy, v.len);
	return out;
}

static void filter_and_map(weir_topology *t)
{
	weir_stream *s = weir_filter(source(t), "kept", keep, NULL);

	weir_sink(weir_map_values(s, "same", same_value, &weir_utf8, NULL), "out", (weir_sink_opts){ 0 });
}

static weir_bytes first_two(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)user;
	return weir_bytes_of(weir_value_bytes(r).data, 2);
}

static void repartitioned_count(weir_topology *t)
{
	weir_stream *s = weir_key_by(source(t), "by", first_two, NULL);

	weir_sink(weir_changes(weir_count(s, "counts", (weir_window){ 0 })), "out", (weir_sink_opts){ 0 });
}

static const void *longest(weir_context *cx, const void *aggregate, const void *value, void *user)
{
	(void)cx, (void)user;
	return ((const weir_bytes *)aggregate)->len >= ((const weir_bytes *)value)->len ? aggregate : value;
}

static void reduced(weir_topology *t)
{
	weir_table *table = weir_reduce(source(t), "longest", longest, (weir_window){ 0 }, NULL);

	weir_sink(weir_changes(table), "out", (weir_sink_opts){ 0 });
}

/* --- a run --------------------------------------------------------------------------------------------------- */

enum { KEYS = 100, WARM_UP = 5000, RECORDS = 20000 };

static void must(bool ok, const weir_error *err)
{
	if (!ok)
		fail_msg("%s", err->message);
}

static void pipe_records(weir_producer *p, int n)
{
	char key[16], value[40];
	weir_error err;

	for (int i = 0; i < n; i++) {
		snprintf(key, sizeof key, "key-%d", i % KEYS);
		snprintf(value, sizeof value, "%02d a value", i % KEYS);
		weir_produced r = { .topic = "in",
				    .partition = -1,
				    .timestamp_ms = 1700000000000 + i / 100,
				    .key = weir_str(key),
				    .value = weir_str(value) };

		must(weir_producer_send(p, &r, &err), &err);
	}
	must(weir_producer_flush(p, 10000, &err), &err);
}

static void wait_for(weir_app *app, double records)
{
	static const char *const worker[] = { "0" };
	weir_error err;
	double done = 0;

	for (int i = 0; done < records && i < 60000; i++) {
		must(weir_app_state_get(app, &err) != WEIR_APP_ERROR, &err);
		usleep(1000);
		done = weir_metrics_value(weir_app_metrics(app), "weir_records_processed_total", worker);
	}
	assert_true(done == records);
}

/* `times`: how often a record passes through a worker. */
static void run(void (*build)(weir_topology *), int times)
{
	weir_cluster *cluster = port_meter_new(weir_cluster_embedded((weir_embedded_opts){ .partitions = 2 }));
	weir_topology *t = weir_topology_new("hot-path");
	weir_config *cfg = weir_config_new();
	char dir[] = "/tmp/weir-hot-path-XXXXXX", command[100];
	weir_error err;

	assert_non_null(mkdtemp(dir));
	build(t);
	must(weir_config_set(cfg, "application.id", "hot-path", WEIR_FROM_DEFAULT, "test", &err) &&
		     weir_config_set(cfg, "state.dir", dir, WEIR_FROM_DEFAULT, "test", &err),
	     &err);
	weir_app *app = weir_app_new(t, cfg, cluster, (weir_app_opts){ 0 }, &err);

	must(app != NULL, &err);
	weir_producer *p = weir_producer_open(cluster, (weir_producer_opts){ 0 }, &err);

	must(p != NULL, &err);
	must(weir_topics_create(cluster, &(weir_topic_spec){ .name = "out", .partitions = 2 }, 1, &err), &err);
	noted = 0;
	example = NULL;
	pipe_records(p, WARM_UP);
	must(weir_app_start(app, &err), &err);
	wait_for(app, times * WARM_UP);
	counting = true;
	pipe_records(p, RECORDS);
	wait_for(app, times * (WARM_UP + RECORDS));
	counting = false;
	must(weir_app_stop(app, 30000, &err), &err);
	weir_producer_close(p);
	weir_app_free(app);
	weir_topology_free(t);
	weir_cluster_free(cluster);
	weir_config_free(cfg);
	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	assert_int_equal(system(command), 0);
	if (noted)
		fail_msg("%ld calls for %d records, among them %s", noted, RECORDS, example);
}

/* --- tests --------------------------------------------------------------------------------------------------- */

static void a_windowed_count_costs_no_memory_lock_or_system_call_per_record(void **state)
{
	(void)state;
	run(windowed_count, 1);
}

static void a_count_costs_none(void **state)
{
	(void)state;
	run(count, 1);
}

static void filter_map_and_sink_cost_none(void **state)
{
	(void)state;
	run(filter_and_map, 1);
}

static void a_repartition_costs_none(void **state)
{
	(void)state;
	run(repartitioned_count, 2);
}

static void an_aggregate_of_any_size_costs_none(void **state)
{
	(void)state;
	run(reduced, 1);
}

static bool takes_memory(const weir_kafka_record *r, void *user)
{
	void *volatile memory = malloc(1);

	(void)r, (void)user;
	free(memory);
	return true;
}

static void one_that_takes_memory_is_found(void **state)
{
	weir_cluster *cluster = port_meter_new(weir_cluster_embedded((weir_embedded_opts){ .partitions = 1 }));
	weir_error err;

	(void)state;
	weir_producer *p = weir_producer_open(cluster, (weir_producer_opts){ 0 }, &err);
	weir_consumer *c = weir_consumer_open(cluster, (weir_consumer_opts){ 0 }, &err);
	weir_partition at = { .topic = "in", .offset = WEIR_OFFSET_BEGINNING };

	assert_non_null(p);
	assert_non_null(c);
	noted = 0;
	pipe_records(p, 1);
	must(weir_consumer_assign(c, &at, 1, &err), &err);
	counting = true;
	must(weir_consumer_poll(c, 100, takes_memory, NULL, &err), &err);
	counting = false;
	assert_int_equal(noted, 2);
	weir_consumer_close(c);
	weir_producer_close(p);
	weir_cluster_free(cluster);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_takes_memory_is_found),
		cmocka_unit_test(a_windowed_count_costs_no_memory_lock_or_system_call_per_record),
		cmocka_unit_test(a_count_costs_none),
		cmocka_unit_test(filter_map_and_sink_cost_none),
		cmocka_unit_test(a_repartition_costs_none),
		cmocka_unit_test(an_aggregate_of_any_size_costs_none),
	};

	weir_log_set(on_log, NULL, WEIR_LOG_DEBUG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
