/* What metrics and logs tell of stores: what is done with them, and iterators left open (KIP-989). */
#include "tests/topology/topology_test.h"

struct seen {
	weir_iterator *left; /* open */
};

/* "get", "put", "delete", "range" do so; "leave" leaves an iterator open, "close" closes it. */
static void use(weir_context *cx, const weir_record *r, void *state, void *user)
{
	weir_store *store = weir_context_store(cx, "words");
	const weir_bytes *what = weir_value(r);
	struct seen *seen = state;

	(void)user;
	if (weir_bytes_equal(*what, weir_str("get"))) {
		weir_store_get(store, r->key, NULL);
	} else if (weir_bytes_equal(*what, weir_str("put"))) {
		weir_store_put(store, r->key, *what, r->timestamp_ms);
	} else if (weir_bytes_equal(*what, weir_str("delete"))) {
		weir_store_put(store, r->key, WEIR_NULL, r->timestamp_ms);
	} else if (weir_bytes_equal(*what, weir_str("range"))) {
		weir_iterator_close(weir_store_range(store, WEIR_NULL, WEIR_NULL, false));
	} else if (weir_bytes_equal(*what, weir_str("leave"))) {
		seen->left = weir_store_range(store, WEIR_NULL, WEIR_NULL, false);
	} else {
		weir_iterator_close(seen->left);
		seen->left = NULL;
	}
}

static void close_left(void *state, void *user)
{
	(void)user;
	weir_iterator_close(((struct seen *)state)->left);
}

static weir_topology *using_words(void)
{
	weir_topology *t = weir_topology_new("app");

	weir_add_store(t, "words", (weir_store_opts){ 0 });
	weir_process(text_source(t, "in"), "use",
		     (weir_processor){ .state_size = sizeof(struct seen),
				       .process = use,
				       .close = close_left,
				       .stores = { "words" } });
	return t;
}

static double shown(weir_driver *d, const char *name)
{
	return weir_metrics_value(weir_app_metrics(weir_driver_app(d)), name,
				  (const char *const[]){ "0", "words" });
}

static void what_is_done_with_a_store_is_counted(void **state)
{
	weir_driver *d = driver(using_words(), (weir_driver_opts){ .partitions = 2 });
	static const char *const records[][2] = { { "a", "put" },   { "a", "get" }, { "b", "get" },
						  { "c", "put" },   { "c", "put" }, { "c", "delete" },
						  { "d", "range" }, { "a", "put" } };

	(void)state;
	weir_driver_pipe_list(d, "in", records, LENGTH(records), 1000, 1);
	assert_true(shown(d, "weir_store_gets_total") == 2);
	assert_true(shown(d, "weir_store_puts_total") == 4);
	assert_true(shown(d, "weir_store_deletes_total") == 1);
	assert_true(shown(d, "weir_store_iterators_total") == 1);
	assert_true(shown(d, "weir_store_iterators_open") == 0);
	assert_true(shown(d, "weir_store_flushed_total") >=
		    2); /* how many commits there were is the driver's matter */
	weir_driver_free(d);
}

struct warnings {
	int count;
	char last[300];
};

static void note_warning(weir_log_level level, const char *area, const char *line, void *user)
{
	struct warnings *w = user;

	if (level != WEIR_LOG_WARN || strcmp(area, "store") != 0)
		return;
	w->count++;
	snprintf(w->last, sizeof w->last, "%s", line);
}

struct durations {
	uint64_t count, longest_us;
};

static void find_durations(const weir_metric_sample *sample, void *user)
{
	struct durations *d = user;

	if (strcmp(sample->def->name, "weir_store_iterator_seconds") != 0)
		return;
	d->count = weir_histogram_count(sample->histogram);
	d->longest_us = weir_histogram_quantile(sample->histogram, 1);
}

static void an_iterator_that_is_left_open_is_shown_and_warned_of(void **state)
{
	for (int on_disk = 0; on_disk < 2; on_disk++) {
		struct warnings warnings = { 0 };
		struct durations durations = { 0 };
		char *dir = temporary_directory();
		weir_driver *d = driver(using_words(), (weir_driver_opts){ .now_ms = 1000000000,
									   .state_dir = on_disk ? dir : NULL });

		(void)state;
		weir_log_set(note_warning, &warnings, WEIR_LOG_WARN);
		weir_driver_pipe(d, "in", "a", "range", 1);
		weir_driver_advance(d, 2000);
		assert_int_equal(warnings.count, 0);
		assert_true(shown(d, "weir_store_oldest_iterator_open_since_seconds") == 0);
		weir_driver_pipe(d, "in", "a", "leave", 2);
		assert_true(shown(d, "weir_store_iterators_open") == 1);
		weir_driver_advance(d, 1000);
		double since = shown(d, "weir_store_oldest_iterator_open_since_seconds");
		assert_true(since > 1000002.0 && since < 1000003.1);
		weir_driver_advance(d, 5000);
		assert_true(shown(d, "weir_store_oldest_iterator_open_since_seconds") == since);
		assert_int_equal(warnings.count, 1);
		assert_contains(warnings.last, "iterators left open by a callback");
		assert_contains(warnings.last, "store=words open=1");

		weir_driver_pipe(d, "in", "a", "close", 3);
		weir_driver_advance(d, 1000);
		assert_true(shown(d, "weir_store_iterators_open") == 0);
		assert_true(shown(d, "weir_store_oldest_iterator_open_since_seconds") == 0);
		weir_metrics_each(weir_app_metrics(weir_driver_app(d)), find_durations, &durations);
		assert_int_equal(durations.count, 2); /* the first of all, and what was left open */
		assert_true(durations.longest_us >= 5000000 && durations.longest_us < 7000000);
		weir_log_set(NULL, NULL, WEIR_LOG_ERROR);
		weir_driver_free(d);
		remove_directory(dir);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_done_with_a_store_is_counted),
		cmocka_unit_test(an_iterator_that_is_left_open_is_shown_and_warned_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
