/* What processors know of the application around them, and what they have of their own in it. */
#include <math.h>

#include "tests/topology/topology_test.h"

static const weir_config_key keys[] = {
	{ "words.greeting", WEIR_CONFIG_STRING, "good day", .help = "What each record is greeted with." },
	{ "words.times", WEIR_CONFIG_INT, "2", 1, 9, .help = "How often." },
};

static const weir_metric_def seen_def = {
	"words_seen_total", WEIR_COUNTER, { "kind", "task", "step" }, 0, "Words seen.",
};
static const weir_metric_def starts_def = { "words_starts_total", WEIR_COUNTER, { "task" }, 0, "Calls of init." };
static const weir_metric_def longest_def = { "words_longest", WEIR_GAUGE, { "task" }, 0, "The longest word." };
static const weir_metric_def bytes_def = { "words_bytes", WEIR_HISTOGRAM, { "task" }, 0, "Lengths of words." };

/* --- what it is told -------------------------------------------------------------------------------------------
 * */

static void greet(weir_context *cx, const weir_record *r, void *state, void *user)
{
	const weir_config *cfg = weir_context_config(cx);
	weir_record out = *r;

	(void)state, (void)user;
	weir_set_value(&out,
		       text(cx, "%s %s %s %d", weir_application_id(cx), weir_task_id(cx),
			    weir_config_string(cfg, "words.greeting"), (int)weir_config_int(cfg, "words.times")));
	weir_forward(cx, &out);
}

static weir_topology *greeting(void)
{
	weir_topology *t = weir_topology_new("app");

	weir_topology_config(t, keys, LENGTH(keys));
	weir_sink(text_source(t, "first"), "nowhere", (weir_sink_opts){ 0 }); /* sub-topology 0 */
	weir_sink(weir_process(text_source(t, "in"), "greet", (weir_processor){ .process = greet }), "out",
		  (weir_sink_opts){ 0 });
	return t;
}

static void a_processor_knows_its_task_its_application_and_the_configuration(void **state)
{
	static const char *const config[][2] = { { "words.greeting", "hello" } };
	weir_driver *d =
		driver(greeting(), (weir_driver_opts){ .partitions = 2, .config = config, .config_count = 1 });

	(void)state;
	weir_driver_pipe_record(d, "in", 1, weir_str("k"), weir_str("v"), 1, NULL);
	assert_text(d, "out", "k=app 1_1 hello 2@1");
	weir_driver_pipe_record(d, "in", 0, weir_str("k"), weir_str("v"), 2, NULL);
	assert_text(d, "out", "k=app 1_0 hello 2@2");
	weir_driver_free(d);
}

static void a_value_that_the_programs_own_table_does_not_take_is_refused(void **state)
{
	static const char *const config[][2] = { { "words.times", "10" } };
	weir_error err = { .code = WEIR_OK };

	(void)state;
	assert_null(weir_driver_new(greeting(), (weir_driver_opts){ .config = config, .config_count = 1 }, &err));
	assert_contains(err.message, "words.times");
}

static void a_configuration_without_the_topologys_keys_is_refused(void **state)
{
	static const weir_config_key other[] = { { "words.times", WEIR_CONFIG_STRING, NULL, .help = "A text." } };
	weir_topology *t = greeting();
	weir_cluster *cluster = weir_cluster_embedded((weir_embedded_opts){ 0 });
	weir_config *cfg = weir_config_new();
	weir_error why = { .code = WEIR_OK };

	(void)state;
	must(weir_config_set(cfg, "application.id", "app", WEIR_FROM_COMMAND_LINE, "test", &err));
	assert_null(weir_app_new(t, cfg, cluster, (weir_app_opts){ 0 }, &why));
	assert_contains(why.message, "\"words.greeting\", which the configuration lacks");
	weir_config_add(cfg, keys, 1);
	weir_config_add(cfg, other, 1);
	assert_null(weir_app_new(t, cfg, cluster, (weir_app_opts){ 0 }, &why));
	assert_contains(why.message, "\"words.times\", which is of another type");
	weir_config_free(cfg);
	weir_cluster_free(cluster);
	weir_topology_free(t);
}

/* --- a directory -----------------------------------------------------------------------------------------------
 * */

/* Appends each value to a file of the task's own; passes on how long it is then. */
static void note_in_file(weir_context *cx, const weir_record *r, void *state, void *user)
{
	weir_error err = { .code = WEIR_OK };
	const char *dir = weir_state_dir(cx, &err);
	weir_bytes value = weir_value_bytes(r);
	weir_record out = *r;
	char path[300];

	(void)state, (void)user;
	if (!dir) {
		weir_stop(cx, "%s", err.message);
		return;
	}
	assert_ptr_equal(dir, weir_state_dir(cx, NULL));
	snprintf(path, sizeof path, "%s/notes", dir);
	FILE *f = fopen(path, "a");

	assert_non_null(f);
	fwrite(value.data, 1, value.len, f);
	weir_set_value(&out, text(cx, "%s %ld", strstr(dir, "/app/"), ftell(f)));
	fclose(f);
	weir_forward(cx, &out);
}

static weir_topology *noting(void)
{
	weir_topology *t = weir_topology_new("app");

	weir_sink(weir_process(text_source(t, "in"), "note", (weir_processor){ .process = note_in_file }), "out",
		  (weir_sink_opts){ 0 });
	return t;
}

static void each_task_has_a_directory_that_outlives_it(void **state)
{
	char *dir = temporary_directory();
	weir_driver *d = driver(noting(), (weir_driver_opts){ .partitions = 2, .state_dir = dir });

	(void)state;
	weir_driver_pipe_record(d, "in", 0, weir_str("k"), weir_str("abc"), 1, NULL);
	weir_driver_pipe_record(d, "in", 1, weir_str("k"), weir_str("x"), 2, NULL);
	assert_text(d, "out", "k=/app/tasks/0_0 3@1", "k=/app/tasks/0_1 1@2");
	for (int crash = 0; crash < 2; crash++)
		must(weir_driver_restart(d, crash, &err));
	weir_driver_pipe_record(d, "in", 0, weir_str("k"), weir_str("de"), 3, NULL);
	assert_text(d, "out", "k=/app/tasks/0_0 5@3");
	weir_driver_free(d);
	remove_directory(dir);
}

static void without_state_dir_there_is_no_directory(void **state)
{
	weir_driver *d = driver(noting(), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", "k", "v", 1);
	assert_stopped(d, "task 0_0 has no directory: state.dir is not set");
	weir_driver_free(d);
}

static void what_stands_in_its_place_is_told(void **state)
{
	char *dir = temporary_directory(), path[200];
	weir_driver *d = driver(noting(), (weir_driver_opts){ .state_dir = dir });

	(void)state;
	snprintf(path, sizeof path, "%s/app/tasks", dir);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fclose(f);
	weir_driver_pipe(d, "in", "k", "v", 1);
	assert_stopped(d, "/app/tasks/0_0: Not a directory");
	weir_driver_free(d);
	remove_directory(dir);
}

/* --- metrics ---------------------------------------------------------------------------------------------------
 * */

static char sizes[] = "sizes";

struct words {
	weir_counter *seen, *long_seen;
	weir_gauge *longest;
	weir_histogram *bytes;
};

static void open_metrics(weir_context *cx, void *state, void *user)
{
	struct words *w = state;

	(void)user;
	*w = (struct words){ weir_task_counter(cx, &seen_def, (const char *const[]){ "any" }),
			     weir_task_counter(cx, &seen_def, (const char *const[]){ "long" }),
			     weir_task_gauge(cx, &longest_def, NULL), weir_task_histogram(cx, &bytes_def, NULL) };
	weir_counter_add(weir_task_counter(cx, &starts_def, NULL), 1);
	assert_ptr_equal(w->longest, weir_task_gauge(cx, &longest_def, NULL));
	assert_ptr_not_equal(w->seen, w->long_seen);
}

/* Keeps values as long as the word says, which a changelog may not take. */
static void measure(weir_context *cx, const weir_record *r, void *state, void *user)
{
	struct words *w = state;
	size_t length = weir_value_bytes(r).len;
	size_t stored = weir_bytes_equal(weir_value_bytes(r), weir_str("huge")) ? 2 << 20 : length;

	(void)user;
	weir_counter_add_single(w->seen, 1);
	if (length > 4)
		weir_counter_add_single(w->long_seen, 1);
	if ((double)length > weir_gauge_value(w->longest))
		weir_gauge_set(w->longest, (double)length);
	weir_histogram_record_single(w->bytes, length);
	weir_store_put(weir_context_store(cx, sizes), r->key,
		       weir_bytes_of(memset(weir_alloc(cx, stored + 1), 'x', stored), stored), r->timestamp_ms);
}

/* The counts are there until the very end. */
static void close_metrics(void *state, void *user)
{
	struct words *w = state;

	(void)user;
	if (w->seen)
		weir_counter_add(w->seen, 0);
}

static weir_topology *measuring(void)
{
	weir_topology *t = weir_topology_new("app");

	weir_add_store(t, sizes, (weir_store_opts){ 0 });
	weir_process(text_source(t, "in"), "measure",
		     (weir_processor){ .state_size = sizeof(struct words),
				       .init = open_metrics,
				       .process = measure,
				       .close = close_metrics,
				       .stores = { sizes } });
	return t;
}

static double metric(weir_metrics *m, const weir_metric_def *def, const char *a, const char *b, const char *c)
{
	return weir_metrics_value(m, def->name, (const char *const[]){ a, b, c });
}

static void each_task_counts_for_itself_and_shows_it_with_weirs_own(void **state)
{
	weir_driver *d = driver(measuring(), (weir_driver_opts){ .partitions = 2 });
	weir_metrics *m = weir_app_metrics(weir_driver_app(d));

	(void)state;
	assert_true(metric(m, &seen_def, "any", "0_1", "measure") == 0.0);
	weir_driver_pipe_record(d, "in", 0, weir_str("k"), weir_str("one"), 1, NULL);
	weir_driver_pipe_record(d, "in", 0, weir_str("k"), weir_str("seven"), 1, NULL);
	weir_driver_pipe_record(d, "in", 1, weir_str("k"), weir_str("eleven"), 1, NULL);
	assert_true(metric(m, &seen_def, "any", "0_0", "measure") == 2.0);
	assert_true(metric(m, &seen_def, "long", "0_0", "measure") == 1.0);
	assert_true(metric(m, &seen_def, "any", "0_1", "measure") == 1.0);
	assert_true(metric(m, &longest_def, "0_0", NULL, NULL) == 5.0);
	assert_true(metric(m, &longest_def, "0_1", NULL, NULL) == 6.0);
	assert_true(metric(m, &bytes_def, "0_0", NULL, NULL) == 8.0);
	weir_driver_free(d);
}

static void counts_go_on_after_an_abort(void **state)
{
	weir_driver *d = driver(measuring(), (weir_driver_opts){ 0 });
	weir_metrics *m = weir_app_metrics(weir_driver_app(d));

	(void)state;
	weir_driver_pipe(d, "in", "k", "one", 1);
	weir_driver_pipe(d, "in", "k", "huge", 1); /* aborts; then it is a dead letter before it comes here */
	weir_driver_pipe(d, "in", "k", "two", 1);
	assert_dead_letter(d, "huge",
			   "result refused: store \"sizes\": a record of 2097153 bytes for its changelog; at most "
			   "1000000 are taken");
	assert_true(weir_metrics_value(m, "weir_aborts_total", (const char *const[]){ "0" }) == 1.0);
	assert_true(metric(m, &starts_def, "0_0", NULL, NULL) == 2.0);
	assert_true(metric(m, &seen_def, "any", "0_0", "measure") == 3.0);
	weir_driver_free(d);
}

static void metrics_go_with_the_task(void **state)
{
	weir_topology *t = measuring();
	weir_cluster *cluster = weir_cluster_embedded((weir_embedded_opts){ .partitions = 1 });
	weir_config *cfg = weir_config_new();
	weir_metrics *m = weir_metrics_new();
	weir_topic_spec in = { .name = "in", .partitions = 1, .replication = 1 };

	(void)state;
	must(weir_topics_create(cluster, &in, 1, &err));
	must(weir_config_set(cfg, "application.id", "app", WEIR_FROM_COMMAND_LINE, "test", &err));
	must(weir_config_set(cfg, "state.dir", "", WEIR_FROM_COMMAND_LINE, "test", &err));
	weir_error why = { .code = WEIR_OK };
	weir_app *app = weir_app_new(t, cfg, cluster, (weir_app_opts){ .metrics = m }, &why);

	if (!app || !weir_app_start(app, &why))
		fail_msg("%s", why.message);
	/* from this thread, while the worker's has them */
	for (int ms = 0; ms < 60000 && weir_app_state_get(app, NULL) != WEIR_APP_RUNNING; ms++)
		usleep(1000);
	assert_true(metric(m, &seen_def, "any", "0_0", "measure") == 0.0);
	assert_true(metric(m, &starts_def, "0_0", NULL, NULL) == 1.0);
	must(weir_app_stop(app, 60000, &err));
	assert_true(isnan(metric(m, &seen_def, "any", "0_0", "measure")));
	assert_true(isnan(metric(m, &seen_def, "long", "0_0", "measure")));
	assert_true(isnan(metric(m, &longest_def, "0_0", NULL, NULL)));
	assert_true(isnan(metric(m, &bytes_def, "0_0", NULL, NULL)));
	weir_app_free(app);
	weir_metrics_free(m);
	weir_config_free(cfg);
	weir_topology_free(t);
	weir_cluster_free(cluster);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_processor_knows_its_task_its_application_and_the_configuration),
		cmocka_unit_test(a_value_that_the_programs_own_table_does_not_take_is_refused),
		cmocka_unit_test(a_configuration_without_the_topologys_keys_is_refused),
		cmocka_unit_test(each_task_has_a_directory_that_outlives_it),
		cmocka_unit_test(without_state_dir_there_is_no_directory),
		cmocka_unit_test(what_stands_in_its_place_is_told),
		cmocka_unit_test(each_task_counts_for_itself_and_shows_it_with_weirs_own),
		cmocka_unit_test(counts_go_on_after_an_abort),
		cmocka_unit_test(metrics_go_with_the_task),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
