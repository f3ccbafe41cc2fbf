#include <weir/metrics.h>

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <weir/rng.h>

#include "framework/base/metrics.h"

static const weir_metric_def defs[] = {
	{ "t_records_total", WEIR_COUNTER, { "task", "node" }, 0, "Records taken." },
	{ "t_busy_seconds_total", WEIR_COUNTER, { NULL }, 1e-6, "Time spent." },
	{ "t_lag", WEIR_GAUGE, { "topic" }, 0, "Records behind; back\\slash\nand line." },
	{ "t_commit_seconds", WEIR_HISTOGRAM, { "worker" }, 1e-6, "Time of a commit | in all." },
};

#define LABELS(...) ((const char *const[]){ __VA_ARGS__ })

struct page {
	char text[16384];
	size_t len;
	int writes;
};

static void to_page(void *to, const char *text, size_t len)
{
	struct page *page = to;

	assert_true(page->len + len < sizeof page->text);
	memcpy(page->text + page->len, text, len);
	page->len += len;
	page->text[page->len] = 0;
	page->writes++;
}

static const char *scrape(weir_metrics *m)
{
	static struct page page;

	page = (struct page){ 0 };
	weir_metrics_write(m, to_page, &page);
	return page.text;
}

static int set_up(void **state)
{
	*state = weir_metrics_new();
	weir_metrics_add(*state, defs, sizeof defs / sizeof *defs);
	return 0;
}

static int tear_down(void **state)
{
	weir_metrics_free(*state);
	return 0;
}

static void a_registry_without_series_shows_nothing(void **state)
{
	assert_string_equal(scrape(*state), "");
}

static void counters_and_gauges_are_shown_in_prometheus_text(void **state)
{
	weir_metrics *m = *state;
	weir_counter *a = weir_counter_open(m, "t_records_total", LABELS("0_0", "posts"));
	weir_counter *b = weir_counter_open(m, "t_records_total", LABELS("0_1", "posts"));
	weir_counter *busy = weir_counter_open(m, "t_busy_seconds_total", NULL);
	weir_gauge *lag = weir_gauge_open(m, "t_lag", LABELS("a\"b\\c\nd"));

	weir_counter_add(a, 5);
	weir_counter_add_single(a, 2);
	weir_counter_add_single(b, 1);
	weir_counter_add(busy, 1500000);
	weir_gauge_set(lag, -2.5);
	assert_string_equal(scrape(m), "# HELP t_records_total Records taken.\n"
				       "# TYPE t_records_total counter\n"
				       "t_records_total{task=\"0_0\",node=\"posts\"} 7\n"
				       "t_records_total{task=\"0_1\",node=\"posts\"} 1\n"
				       "# HELP t_busy_seconds_total Time spent.\n"
				       "# TYPE t_busy_seconds_total counter\n"
				       "t_busy_seconds_total 1.5\n"
				       "# HELP t_lag Records behind; back\\\\slash\\nand line.\n"
				       "# TYPE t_lag gauge\n"
				       "t_lag{topic=\"a\\\"b\\\\c\\nd\"} -2.5\n");
}

static void large_counts_and_odd_gauges_keep_their_value(void **state)
{
	weir_metrics *m = *state;
	weir_gauge *g = weir_gauge_open(m, "t_lag", LABELS("x"));

	weir_counter_add(weir_counter_open(m, "t_records_total", LABELS("a", "b")), 123456789012345);
	assert_non_null(strstr(scrape(m), "} 123456789012345\n"));
	weir_gauge_set(g, NAN);
	assert_non_null(strstr(scrape(m), "t_lag{topic=\"x\"} NaN\n"));
	weir_gauge_set(g, INFINITY);
	assert_non_null(strstr(scrape(m), "} +Inf\n"));
	weir_gauge_set(g, -INFINITY);
	assert_non_null(strstr(scrape(m), "} -Inf\n"));
}

static void a_histogram_shows_cumulative_buckets_sum_and_count(void **state)
{
	weir_metrics *m = *state;
	weir_histogram *h = weir_histogram_open(m, "t_commit_seconds", LABELS("0"));
	const char *text;

	weir_histogram_record(h, 0);
	weir_histogram_record_single(h, 64); /* a bucket holds its upper end */
	weir_histogram_record_single(h, 65);
	weir_histogram_record(h, 1000000);
	weir_histogram_record(h, 100000000);
	text = scrape(m);
	assert_non_null(strstr(text, "# TYPE t_commit_seconds histogram\n"
				     "t_commit_seconds_bucket{worker=\"0\",le=\"6.4e-05\"} 2\n"
				     "t_commit_seconds_bucket{worker=\"0\",le=\"0.000128\"} 3\n"));
	assert_non_null(strstr(text, "le=\"0.524288\"} 3\n"));
	assert_non_null(strstr(text, "le=\"1.048576\"} 4\n"));
	assert_non_null(strstr(text, "le=\"67.108864\"} 4\nt_commit_seconds_bucket{worker=\"0\",le=\"+Inf\"} 5\n"
				     "t_commit_seconds_sum{worker=\"0\"} 101.000129\n"
				     "t_commit_seconds_count{worker=\"0\"} 5\n"));
}

static void every_value_lies_in_the_bucket_that_ends_at_or_above_it(void **state)
{
	weir_rng r = weir_rng_seeded(1);

	(void)state;
	for (unsigned i = 0; i + 1 < WEIR_HISTOGRAM_BUCKETS; i++) {
		uint64_t end = weir__histogram_bucket_end(i);

		assert_int_equal(weir_histogram_bucket(end), i);
		assert_int_equal(weir_histogram_bucket(end + 1), i + 1);
	}
	assert_int_equal(weir_histogram_bucket(UINT64_MAX), WEIR_HISTOGRAM_BUCKETS - 1);
	for (int n = 0; n < 100000; n++) {
		uint64_t v = weir_rng_next(&r) >> (24 + weir_rng_below(&r, 40));
		uint64_t end = weir__histogram_bucket_end(weir_histogram_bucket(v));

		assert_true(v <= end && (double)(end - v) <= 0.0625 * (double)v);
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void quantiles_are_within_6_percent(void **state)
{
	enum { N = 10000 };
	static const double qs[] = { 0, 0.01, 0.5, 0.9, 0.99, 0.999, 1 };
	weir_rng r = weir_rng_seeded(2);
	uint64_t *values = calloc(N, sizeof *values);
	weir_histogram *h = weir_histogram_open(*state, "t_commit_seconds", LABELS("0"));

	assert_int_equal(weir_histogram_quantile(h, 0.5), 0);
	for (int i = 0; i < N; i++) {
		values[i] = (uint64_t)exp(weir_rng_double(&r) * 20);
		weir_histogram_record_single(h, values[i]);
	}
	qsort(values, N, sizeof *values, compare);
	assert_int_equal(weir_histogram_count(h), N);
	for (size_t i = 0; i < sizeof qs / sizeof *qs; i++) {
		size_t rank = (size_t)ceil(qs[i] * N);
		double exact = (double)values[rank ? rank - 1 : 0];
		double got = (double)weir_histogram_quantile(h, qs[i]);

		assert_true(got >= exact && got <= exact * 1.0625);
	}
	free(values);
}

static void a_value_beyond_all_buckets_counts_in_the_last(void **state)
{
	weir_histogram *h = weir_histogram_open(*state, "t_commit_seconds", LABELS("0"));

	weir_histogram_record(h, UINT64_MAX / 2);
	assert_int_equal(weir_histogram_count(h), 1);
	assert_true(weir_histogram_quantile(h, 1) == UINT64_C(1) << 40);
	assert_non_null(strstr(scrape(*state), "le=\"+Inf\"} 1\n"));
}

static void the_same_labels_give_the_same_handle_until_closed_as_often(void **state)
{
	weir_metrics *m = *state;
	weir_counter *a = weir_counter_open(m, "t_records_total", LABELS("0_0", "x"));

	assert_ptr_equal(weir_counter_open(m, "t_records_total", LABELS("0_0", "x")), a);
	weir_counter_add(a, 3);
	weir_counter_close(m, a);
	assert_true(weir_metrics_value(m, "t_records_total", LABELS("0_0", "x")) == 3);
	weir_counter_close(m, a);
	assert_true(isnan(weir_metrics_value(m, "t_records_total", LABELS("0_0", "x"))));
	assert_string_equal(scrape(m), "");
	weir_counter_close(m, NULL);
	weir_gauge_close(m, NULL);
	weir_histogram_close(m, NULL);
	weir_metric_watch_close(m, NULL);
}

static void closing_one_series_leaves_the_others(void **state)
{
	weir_metrics *m = *state;
	weir_gauge *g[3];
	static const char *const topics[] = { "a", "b", "c" };

	for (int i = 0; i < 3; i++) {
		g[i] = weir_gauge_open(m, "t_lag", &topics[i]);
		weir_gauge_set(g[i], i);
	}
	weir_gauge_close(m, g[1]);
	assert_true(isnan(weir_metrics_value(m, "t_lag", LABELS("b"))));
	assert_true(weir_metrics_value(m, "t_lag", LABELS("a")) == 0);
	assert_true(weir_metrics_value(m, "t_lag", LABELS("c")) == 2);
}

static double read_double(void *user)
{
	return *(double *)user;
}

static void a_watched_value_is_asked_for_when_shown(void **state)
{
	weir_metrics *m = *state;
	double value = 1;
	weir_metric_watch *w = weir_metric_watch_open(m, "t_lag", LABELS("x"), read_double, &value);

	assert_true(weir_metrics_value(m, "t_lag", LABELS("x")) == 1);
	value = 2;
	assert_true(weir_metrics_value(m, "t_lag", LABELS("x")) == 2);
	weir_metric_watch_close(m, w);
	assert_string_equal(scrape(m), "");
}

/* A task that moves between workers is opened there before it is closed here. */
static void the_newest_of_several_watches_is_shown_alone(void **state)
{
	weir_metrics *m = *state;
	double values[] = { 1, 2, 3 };
	weir_metric_watch *w[3], *other;

	for (int i = 0; i < 3; i++)
		w[i] = weir_metric_watch_open(m, "t_lag", LABELS("x"), read_double, &values[i]);
	other = weir_metric_watch_open(m, "t_lag", LABELS("y"), read_double, &values[0]);
	assert_non_null(strstr(scrape(m), "t_lag{topic=\"x\"} 3\nt_lag{topic=\"y\"} 1\n"));
	weir_metric_watch_close(m, w[1]);
	assert_non_null(strstr(scrape(m), "t_lag{topic=\"x\"} 3\nt_lag{topic=\"y\"} 1\n"));
	weir_metric_watch_close(m, w[2]);
	assert_non_null(strstr(scrape(m), "t_lag{topic=\"x\"} 1\nt_lag{topic=\"y\"} 1\n"));
	weir_metric_watch_close(m, w[0]);
	assert_null(strstr(scrape(m), "topic=\"x\""));
	assert_non_null(strstr(scrape(m), "topic=\"y\""));
	weir_metric_watch_close(m, other);
}

static void watches_that_are_left_open_are_freed_with_the_registry(void **state)
{
	static double value;

	for (int i = 0; i < 3; i++)
		weir_metric_watch_open(*state, "t_lag", LABELS("x"), read_double, &value);
}

static void *count_up(void *counter)
{
	for (int i = 0; i < 50000; i++)
		weir_counter_add(counter, 1);
	return NULL;
}

static void *open_and_close(void *m)
{
	for (int i = 0; i < 2000; i++) {
		weir_counter *c = weir_counter_open(m, "t_records_total", LABELS("0_7", "x"));
		weir_counter_add(c, 1);
		weir_counter_close(m, c);
	}
	return NULL;
}

static void threads_lose_no_count_while_the_page_is_written(void **state)
{
	weir_metrics *m = *state;
	weir_counter *c = weir_counter_open(m, "t_busy_seconds_total", NULL);
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, i < 2 ? count_up : open_and_close, i < 2 ? (void *)c : (void *)m);
	for (int i = 0; i < 100; i++)
		scrape(m);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(weir_counter_value(c), 100000);
	assert_true(isnan(weir_metrics_value(m, "t_records_total", LABELS("0_7", "x"))));
}

static void add_up(const weir_metric_sample *sample, void *user)
{
	double *sums = user;

	sums[sample->def - defs] += sample->value;
	if (sample->def == &defs[0])
		assert_string_equal(sample->label_values[1], "n");
	assert_int_equal(sample->histogram != NULL, sample->def->kind == WEIR_HISTOGRAM);
}

static void a_program_can_read_all_series(void **state)
{
	weir_metrics *m = *state;
	double sums[4] = { 0 };

	weir_counter_add(weir_counter_open(m, "t_records_total", LABELS("a", "n")), 1);
	weir_counter_add(weir_counter_open(m, "t_records_total", LABELS("b", "n")), 2);
	weir_histogram_record(weir_histogram_open(m, "t_commit_seconds", LABELS("0")), 3000000);
	weir_metrics_each(m, add_up, sums);
	assert_true(sums[0] == 3 && sums[1] == 0 && sums[2] == 0 && fabs(sums[3] - 3) < 1e-9);
}

static void one_table_can_be_added_twice_and_makes_the_documents(void **state)
{
	char text[2048] = "";
	FILE *to = fmemopen(text, sizeof text, "w");

	weir_metrics_add(*state, defs, sizeof defs / sizeof *defs);
	weir_metrics_print_markdown(*state, to);
	fclose(to);
	assert_non_null(strstr(text, "| `t_records_total` | counter | `task`, `node` | Records taken. |\n"));
	assert_non_null(strstr(text, "| `t_busy_seconds_total` | counter | | Time spent. |\n"));
	assert_non_null(
		strstr(text, "| `t_commit_seconds` | histogram | `worker` | Time of a commit \\| in all. |\n"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_registry_without_series_shows_nothing),
		TEST(counters_and_gauges_are_shown_in_prometheus_text),
		TEST(large_counts_and_odd_gauges_keep_their_value),
		TEST(a_histogram_shows_cumulative_buckets_sum_and_count),
		cmocka_unit_test(every_value_lies_in_the_bucket_that_ends_at_or_above_it),
		TEST(quantiles_are_within_6_percent),
		TEST(a_value_beyond_all_buckets_counts_in_the_last),
		TEST(the_same_labels_give_the_same_handle_until_closed_as_often),
		TEST(closing_one_series_leaves_the_others),
		TEST(a_watched_value_is_asked_for_when_shown),
		TEST(the_newest_of_several_watches_is_shown_alone),
		TEST(watches_that_are_left_open_are_freed_with_the_registry),
		TEST(threads_lose_no_count_while_the_page_is_written),
		TEST(a_program_can_read_all_series),
		TEST(one_table_can_be_added_twice_and_makes_the_documents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
