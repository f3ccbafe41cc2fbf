/* What a restart, clean or not, must leave as it was; and what it must refuse to go on with. */
#include "framework/kafka/embedded.h"
#include "tests/topology/beside.h"
#include "tests/topology/mixed.h"

static void state_is_exact_after_restarts_at_many_points(void **state)
{
	for (int on_disk = 0; on_disk < 2; on_disk++) {
		char *dir = temporary_directory();
		weir_driver *d = driver(
			mixed(), (weir_driver_opts){ .partitions = PARTITIONS, .state_dir = on_disk ? dir : NULL });
		struct model m = { 0 };
		unsigned seed = 1;

		for (int round = 0; round < 40; round++) {
			for (unsigned i = draw(&seed, 6); i > 0; i--)
				pipe_one(d, &m, &seed);
			if (draw(&seed, 4) == 0) /* long enough for a checkpoint */
				weir_driver_advance(d, WEIR_MINUTES(6));
			weir_driver_stop(d, draw(&seed, 2));
			for (unsigned i = draw(&seed, 4); i > 0; i--)
				pipe_one(d, &m, &seed); /* waits for the start */
			must(weir_driver_start(d, NULL, &err));
			assert_model(d, &m);
		}
		assert_nothing(d, "dead-letters");
		weir_driver_free(d);
		remove_directory(dir);
	}
	(void)state;
}

static void after_a_crash_only_the_tail_of_the_changelog_is_read(void **state)
{
	char *dir = temporary_directory();
	weir_driver *d = driver(mixed(), (weir_driver_opts){ .state_dir = dir });
	struct model m = { 0 };
	unsigned seed = 2;
	const char *const worker[] = { "0" };

	(void)state;
	for (int i = 0; i < 300; i++) {
		if (i == 290)
			weir_driver_advance(d, WEIR_MINUTES(6)); /* a checkpoint is due at the next commit */
		pipe_one(d, &m, &seed);
	}
	must(weir_driver_restart(d, true, &err));
	double restored =
		weir_metrics_value(weir_app_metrics(weir_driver_app(d)), "weir_restored_records_total", worker);

	assert_true(restored > 0 && restored <= 3 * 10);
	must(weir_driver_restart(d, false, &err)); /* a clean end leaves nothing to read */
	must(weir_driver_restart(d, false, &err));
	assert_true(weir_metrics_value(weir_app_metrics(weir_driver_app(d)), "weir_restored_records_total",
				       worker) == 0);
	weir_driver_free(d);
	remove_directory(dir);
}

static weir_topology *without_its_stores(void)
{
	weir_topology *t = weir_topology_new("app");

	weir_count(text_source(t, "elsewhere"), "others", (weir_window){ 0 });
	return t;
}

/* As a partition's that another instance has meanwhile. */
static void state_that_nobody_uses_for_long_is_cleaned_up(void **state)
{
	const char *const config[][2] = { { "state.cleanup.delay.ms", "2m" } };
	const char *const worker[] = { "0" };

	(void)state;
	for (int gone = 1; gone < 4; gone += 2) {
		char *dir = temporary_directory();
		weir_driver *d = driver(mixed(), (weir_driver_opts){ .partitions = PARTITIONS,
								     .state_dir = dir,
								     .config = config,
								     .config_count = 1 });
		struct model m = { 0 };
		unsigned seed = 4;

		for (int i = 0; i < 50; i++)
			pipe_one(d, &m, &seed);
		weir_driver_advance(d, WEIR_MINUTES(6)); /* what is in use stays */
		weir_driver_stop(d, false);
		must(weir_driver_start(d, without_its_stores(), &err));
		weir_driver_advance(d, WEIR_MINUTES(gone));
		weir_driver_stop(d, true);
		must(weir_driver_start(d, mixed(), &err));
		double restored = weir_metrics_value(weir_app_metrics(weir_driver_app(d)),
						     "weir_restored_records_total", worker);

		assert_true((gone > 2) == (restored > 0));
		assert_model(d, &m);
		weir_driver_free(d);
		remove_directory(dir);
	}
}

static void local_state_older_than_deletions_are_kept_is_restored_whole(void **state)
{
	char *dir = temporary_directory();
	weir_driver *d = driver(mixed(), (weir_driver_opts){ .partitions = PARTITIONS, .state_dir = dir });
	struct model m = { 0 };
	unsigned seed = 3;

	(void)state;
	for (int i = 0; i < 30; i++)
		pipe_one(d, &m, &seed);
	weir_driver_stop(d, false);
	weir_driver_advance(d, WEIR_DAYS(2)); /* delete.retention.ms is one day */
	must(weir_driver_start(d, NULL, &err));
	assert_true(weir_metrics_value(weir_app_metrics(weir_driver_app(d)), "weir_restored_records_total",
				       (const char *const[]){ "0" }) > 0);
	for (int i = 0; i < 10; i++)
		pipe_one(d, &m, &seed);
	assert_model(d, &m);
	weir_driver_free(d);
	remove_directory(dir);
}

/* --- another topology -------------------------------------------------------------------------------------------
 * */

static weir_topology *counting(int64_t size_ms, weir_repartition_opts through)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *s = weir_repartition(text_source(t, "in"), "through", through);

	weir_sink(weir_changes(weir_count(s, "counts", (weir_window){ .size_ms = size_ms, .grace_ms = 100000 })),
		  "out", (weir_sink_opts){ 0 });
	return t;
}

static void another_window_size_is_refused_and_the_old_one_goes_on(void **state)
{
	char *dir = temporary_directory();

	for (int on_disk = 0; on_disk < 2; on_disk++) {
		weir_driver *d = driver(counting(10, (weir_repartition_opts){ 0 }),
					(weir_driver_opts){ .state_dir = on_disk ? dir : NULL });
		weir_error why = { .code = WEIR_OK };

		weir_driver_pipe(d, "in", "k", "v", 5);
		weir_driver_stop(d, false);
		assert_false(weir_driver_start(d, counting(20, (weir_repartition_opts){ 0 }), &why));
		assert_int_equal(why.code, WEIR_STATE);
		assert_contains(why.message, "\"counts\"");
		assert_contains(why.message, "10 ms");
		assert_contains(why.message, "20 ms");
		assert_true(weir_driver_start(d, counting(10, (weir_repartition_opts){ 0 }), &why));
		weir_driver_pipe(d, "in", "k", "v", 6);
		assert_windowed_numbers(d, "out", "k[0]=1@5", "k[0]=2@6");
		weir_driver_free(d);
	}
	(void)state;
	remove_directory(dir);
}

static void another_number_of_partitions_is_refused(void **state)
{
	weir_driver *d = driver(counting(10, (weir_repartition_opts){ 3 }), (weir_driver_opts){ 0 });
	weir_error why = { .code = WEIR_OK };

	(void)state;
	weir_driver_stop(d, false);
	assert_false(weir_driver_start(d, counting(10, (weir_repartition_opts){ 5 }), &why));
	assert_int_equal(why.code, WEIR_STATE);
	assert_contains(why.message, "\"app-through-repartition\" has 3 partitions, but the topology wants 5");
	weir_driver_free(d);
}

static bool everything(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)r, (void)user;
	return true;
}

static weir_topology *versions(bool second)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *s = text_source(t, "in");

	if (second)
		s = weir_filter(weir_merge(s, "more", text_source(t, "in-2")), "new", everything, NULL);
	weir_sink(weir_changes(weir_count(s, "counts", (weir_window){ 0 })), "out", (weir_sink_opts){ 0 });
	return t;
}

static void steps_put_in_before_a_store_leave_its_state_alone(void **state)
{
	weir_driver *d = driver(versions(false), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", "k", "v", 1);
	weir_driver_stop(d, false);
	must(weir_driver_start(d, versions(true), &err));
	weir_driver_pipe(d, "in", "k", "v", 2);
	weir_driver_pipe(d, "in-2", "k", "v", 3);
	assert_numbers(d, "out", "k=1@1", "k=2@2", "k=3@3");
	weir_driver_free(d);
}

/* --- positions --------------------------------------------------------------------------------------------------
 * */

static void state_without_committed_positions_is_refused(void **state)
{
	weir_driver *d = driver(versions(false), (weir_driver_opts){ 0 });
	weir_error why = { .code = WEIR_OK };

	(void)state;
	weir_driver_pipe(d, "in", "k", "v", 1);
	weir_driver_stop(d, false);
	must(weir_group_delete(weir_driver_cluster(d), "app", &err));
	assert_false(weir_driver_start(d, NULL, &why));
	assert_int_equal(why.code, WEIR_STATE);
	assert_contains(why.message, "store \"counts\" has state in \"app-counts-changelog\"");
	assert_contains(why.message, "group \"app\" has no committed position");

	weir_partition set = { .topic = "in", .partition = 0, .offset = 1 };

	must(weir_group_alter(weir_driver_cluster(d), "app", &set, 1, &err));
	must(weir_driver_start(d, NULL, &err)); /* as the message says */
	weir_driver_pipe(d, "in", "k", "v", 2);
	assert_numbers(d, "out", "k=1@1", "k=2@2");
	weir_driver_free(d);
}

/* Of a real cluster: after a SIGKILL its group coordinator gave back positions that were eleven minutes old. */
static void positions_older_than_the_state_are_refused(void **state)
{
	weir_driver *d = driver(versions(false), (weir_driver_opts){ 0 });
	weir_partition old = { .topic = "in", .partition = 0 }, now = old;
	weir_error why = { .code = WEIR_OK };

	(void)state;
	for (int i = 0; i < 3; i++)
		weir_driver_pipe(d, "in", "k", "v", i + 1);
	must(weir_group_committed(weir_driver_cluster(d), "app", &old, 1, 1000, &err));
	assert_int_equal(old.offset, 3);
	for (int i = 3; i < 5; i++)
		weir_driver_pipe(d, "in", "k", "v", i + 1);
	for (int crash = 0; crash < 2; crash++) {
		must(weir_driver_restart(d, crash, &err)); /* these are in order */
		weir_driver_stop(d, crash);
		must(weir_group_committed(weir_driver_cluster(d), "app", &now, 1, 1000, &err));
		must(weir_group_alter(weir_driver_cluster(d), "app", &old, 1, &err));
		assert_false(weir_driver_start(d, NULL, &why));
		assert_int_equal(why.code, WEIR_STATE);
		assert_contains(why.message, "store \"counts\" goes on behind the committed positions");
		must(weir_group_alter(weir_driver_cluster(d), "app", &now, 1, &err)); /* as the message says */
		must(weir_driver_start(d, NULL, &err));
		weir_partitions_release(&now, 1);
		now.metadata = NULL;
	}
	weir_driver_pipe(d, "in", "k", "v", 6);
	assert_numbers(d, "out", "k=1@1", "k=2@2", "k=3@3", "k=4@4", "k=5@5", "k=6@6");
	weir_partitions_release(&old, 1);
	weir_driver_free(d);
}

/* Before it the changelog had nothing: that is known, too. */
static void positions_of_the_first_commit_are_refused_when_there_was_a_second(void **state)
{
	weir_driver *d = driver(versions(false), (weir_driver_opts){ 0 });
	weir_partition first = { .topic = "in", .partition = 0 };
	weir_error why = { .code = WEIR_OK };

	(void)state;
	weir_driver_pipe(d, "in", "k", "v", 1);
	must(weir_group_committed(weir_driver_cluster(d), "app", &first, 1, 1000, &err));
	assert_int_equal(first.offset, 1);
	weir_driver_pipe(d, "in", "k", "v", 2);
	weir_driver_stop(d, true);
	must(weir_group_alter(weir_driver_cluster(d), "app", &first, 1, &err));
	assert_false(weir_driver_start(d, NULL, &why));
	assert_contains(why.message, "store \"counts\" goes on behind the committed positions");
	weir_partitions_release(&first, 1);
	weir_driver_free(d);
}

/* The cleaner leaves one record of the key, so there are no more than the first commit has written: but it is not
 * that one. And what it takes of a commit that was the last is nobody's loss. */
static void positions_older_than_the_state_are_refused_behind_compaction_too(void **state)
{
	const char *const changelog = "app-counts-changelog";

	(void)state;
	for (int lost = 0; lost < 2; lost++) {
		weir_driver *d = driver(versions(false), (weir_driver_opts){ 0 });
		weir_partition old = { .topic = "in", .partition = 0 };
		weir_error why = { .code = WEIR_OK };

		for (int i = 0; i < 3; i++)
			weir_driver_pipe(d, "in", "k", "v", i + 1);
		must(weir_group_committed(weir_driver_cluster(d), "app", &old, 1, 1000, &err));
		for (int i = 3; i < (lost ? 6 : 3); i++)
			weir_driver_pipe(d, "in", "k", "v", i + 1);
		weir__embedded_compact(weir_driver_cluster(d), changelog);
		/* another task's transaction, aborted: what is before it can be cleaned */
		weir_producer *p = weir_producer_open(weir_driver_cluster(d),
						      (weir_producer_opts){ .transactional_id = "other" }, NULL);

		must(weir_producer_init(p, 1000, &err) && weir_producer_begin(p, &err));
		must(weir_producer_send(
			p, &(weir_produced){ .topic = changelog, .key = weir_str("x"), .value = weir_str("x") },
			&err));
		must(weir_producer_abort(p, 1000, &err));
		weir_producer_close(p);
		weir__embedded_compact(weir_driver_cluster(d), changelog);
		weir_driver_stop(d, true);
		must(weir_group_alter(weir_driver_cluster(d), "app", &old, 1, &err));
		if (lost) {
			assert_false(weir_driver_start(d, NULL, &why));
			assert_contains(why.message, "store \"counts\" goes on behind the committed positions");
		} else {
			must(weir_driver_start(d, NULL, &err));
			weir_driver_pipe(d, "in", "k", "v", 4);
			assert_numbers(d, "out", "k=1@1", "k=2@2", "k=3@3", "k=4@4");
		}
		weir_partitions_release(&old, 1);
		weir_driver_free(d);
	}
}

/* It keeps what it finds beside the offsets, and writes it again with offsets of its own: what weir has said of its
 * last commit must not be taken for what it says of this one. */
static void what_kafka_streams_has_added_is_not_taken_for_lost_positions(void **state)
{
	weir_driver *d = driver(versions(false), (weir_driver_opts){ 0 });
	weir_partition own = { .topic = "in", .partition = 0 }, theirs = own;

	(void)state;
	weir_driver_pipe(d, "in", "k", "v", 1);
	weir_driver_pipe(d, "in", "k", "v", 2);
	must(weir_group_committed(weir_driver_cluster(d), "app", &own, 1, 1000, &err));
	for (int i = 3; i < 9; i++) /* as another program would have: the same bytes */
		weir_driver_pipe(d, "in", "k", "v", i);
	weir_driver_stop(d, false);
	must(weir_group_committed(weir_driver_cluster(d), "app", &theirs, 1, 1000, &err));
	assert_int_equal(theirs.offset, 8);
	free(theirs.metadata);
	theirs.metadata = beside_again(own.metadata);
	assert_string_not_equal(own.metadata, theirs.metadata);
	must(weir_group_alter(weir_driver_cluster(d), "app", &theirs, 1, &err));
	must(weir_driver_start(d, NULL, &err));
	weir_driver_pipe(d, "in", "k", "v", 9);
	assert_numbers(d, "out", "k=1@1", "k=2@2", "k=3@3", "k=4@4", "k=5@5", "k=6@6", "k=7@7", "k=8@8", "k=9@9");
	weir_partitions_release(&own, 1);
	weir_partitions_release(&theirs, 1);
	weir_driver_free(d);
}

static void state_whose_changelog_was_deleted_is_refused(void **state)
{
	weir_driver *d = driver(versions(false), (weir_driver_opts){ 0 });
	const char *changelog = "app-counts-changelog";
	weir_error why = { .code = WEIR_OK };

	(void)state;
	for (int i = 0; i < 3; i++)
		weir_driver_pipe(d, "in", "k", "v", i);
	weir_driver_stop(d, false);
	must(weir_topics_delete(weir_driver_cluster(d), &changelog, 1, &err));
	for (int i = 0; i < 2; i++) { /* the first start makes the topic anew */
		assert_false(weir_driver_start(d, NULL, &why));
		assert_int_equal(why.code, WEIR_STATE);
		assert_contains(why.message,
				"the changelog \"app-counts-changelog\" of store \"counts\" ends at 0");
	}
	weir_driver_free(d);
}

static void a_group_without_positions_and_without_state_begins(void **state)
{
	weir_driver *d = driver(versions(false), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_stop(d, false);
	must(weir_group_delete(weir_driver_cluster(d), "app", &err));
	must(weir_driver_start(d, NULL, &err));
	weir_driver_pipe(d, "in", "k", "v", 1);
	assert_numbers(d, "out", "k=1@1");
	weir_driver_free(d);
}

static void a_committed_position_outside_the_log_is_refused(void **state)
{
	weir_driver *d = driver(versions(false), (weir_driver_opts){ 0 });
	weir_error why = { .code = WEIR_OK };

	(void)state;
	weir_driver_pipe(d, "in", "k", "v", 1);
	weir_driver_stop(d, false);
	for (int i = 0; i < 3; i++)
		weir_driver_pipe(d, "in", "k", "v", 2);
	weir_partition cut = { .topic = "in", .partition = 0, .offset = 3 };

	must(weir_records_delete(weir_driver_cluster(d), &cut, 1, &err));
	if (weir_driver_start(d, NULL, &why)) { /* it shows when the partition is read */
		weir_driver_pipe(d, "in", "k", "v", 3);
		assert_stopped(d, "the committed position of in/0 lies outside the log");
	} else {
		assert_contains(why.message, "the committed position of in/0 lies outside the log");
	}
	assert_numbers(d, "out", "k=1@1");
	weir_driver_free(d);
}

static weir_topology *beginning(weir_reset reset, bool other)
{
	weir_topology *t = weir_topology_new("app");
	weir_source_opts opts = { .value = &weir_utf8, .reset = reset };

	weir_sink(weir_source(t, other ? "other" : "in", opts), other ? "other-out" : "out", (weir_sink_opts){ 0 });
	return t;
}

static void a_source_says_where_to_begin(void **state)
{
	for (int reset = WEIR_RESET_EARLIEST; reset <= WEIR_RESET_NONE; reset++) {
		weir_driver *d = driver(beginning(WEIR_RESET_EARLIEST, true), (weir_driver_opts){ 0 });
		weir_error why = { .code = WEIR_OK };

		weir_driver_stop(d, false);
		weir_driver_pipe(d, "in", "k", "before", 1);
		bool ok = weir_driver_start(d, beginning((weir_reset)reset, false), &why);

		assert_int_equal(ok, reset != WEIR_RESET_NONE);
		if (!ok)
			assert_contains(why.message, "no committed position for in/0");
		else
			weir_driver_pipe(d, "in", "k", "after", 2);
		if (reset == WEIR_RESET_EARLIEST)
			assert_text(d, "out", "k=before@1", "k=after@2");
		if (reset == WEIR_RESET_LATEST)
			assert_text(d, "out", "k=after@2");
		weir_driver_free(d);
	}
	(void)state;
}

static weir_topology *beginning_with_the_last(int64_t ms)
{
	weir_topology *t = weir_topology_new("app");
	weir_source_opts opts = { .value = &weir_utf8, .reset = WEIR_RESET_BY_DURATION, .reset_ms = ms };

	weir_sink(weir_source(t, "in", opts), "out", (weir_sink_opts){ 0 });
	return t;
}

static void a_source_begins_with_what_is_no_older_than_a_while(void **state)
{
	static const int64_t ms[] = { WEIR_HOURS(1), 50000, 0 };

	(void)state;
	for (size_t i = 0; i < LENGTH(ms); i++) {
		weir_driver *d =
			driver(beginning(WEIR_RESET_EARLIEST, true), (weir_driver_opts){ .now_ms = 1000000 });

		weir_driver_stop(d, false);
		weir_driver_pipe(d, "in", "k", "old", 900000);
		weir_driver_pipe(d, "in", "k", "young", 990000);
		weir_driver_pipe(d, "in", "k", "disorder", 910000);
		must(weir_driver_start(d, beginning_with_the_last(ms[i]), &err));
		weir_driver_pipe(d, "in", "k", "after", 1000000);
		if (ms[i] > 50000)
			assert_text(d, "out", "k=old@900000", "k=young@990000", "k=disorder@910000",
				    "k=after@1000000");
		else if (ms[i])
			assert_text(d, "out", "k=young@990000", "k=disorder@910000", "k=after@1000000");
		else
			assert_text(d, "out", "k=after@1000000");
		weir_driver_free(d);
	}
}

static void the_state_of_another_cluster_is_refused(void **state)
{
	char *dir = temporary_directory();
	weir_error why = { .code = WEIR_OK };

	(void)state;
	weir_driver_free(driver(versions(false), (weir_driver_opts){ .state_dir = dir }));
	weir_driver *d = weir_driver_new(versions(false), (weir_driver_opts){ .state_dir = dir }, &why);

	if (d)
		fail_msg("another embedded cluster has the same id");
	assert_int_equal(why.code, WEIR_STATE);
	assert_contains(why.message, "belongs to the cluster");
	remove_directory(dir);
}

/* --- bytes ------------------------------------------------------------------------------------------------------
 * */

static void a_window_changelog_is_byte_for_byte_that_of_kafka_streams(void **state)
{
	/* As Kafka Streams 4.3.1 wrote it: key "mtl", a window that starts at 1795542000000, count 2. */
	static const unsigned char key[] = { 'm', 't', 'l', 0, 0, 1, 0xa2, 0x0e, 0xa4, 0xa1, 0x80, 0, 0, 0, 0 };
	static const unsigned char value[] = { 0, 0, 0, 0, 0, 0, 0, 2 };
	weir_topology *t = weir_topology_new("app");
	int64_t start_ms = weir_get_be64(key + 3);
	weir_driver_record r;

	(void)state;
	weir_count(text_source(t, "in"), "counts", (weir_window){ .size_ms = WEIR_MINUTES(5) });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	assert_int_equal(start_ms, 1795542000000);
	weir_driver_stop(d, false);
	weir_driver_pipe(d, "in", "mtl", "a", start_ms + 100);
	weir_driver_pipe(d, "in", "mtl", "b", start_ms + 5);
	must(weir_driver_start(d, NULL, &err));
	assert_true(weir_driver_read(d, "app-counts-changelog", &r));
	assert_int_equal(r.key.len, sizeof key);
	assert_memory_equal(r.key.data, key, sizeof key);
	assert_int_equal(r.value.len, sizeof value);
	assert_memory_equal(r.value.data, value, sizeof value);
	assert_int_equal(r.timestamp_ms, start_ms + 100);
	assert_int_equal(r.headers->count, 0);
	assert_false(weir_driver_read(d, "app-counts-changelog", &r));
	weir_driver_free(d);
}

static void a_changelog_without_windows_is_key_and_value(void **state)
{
	weir_driver *d = driver(versions(false), (weir_driver_opts){ 0 });

	(void)state;
	weir_driver_pipe(d, "in", "k", "v", 7);
	weir_driver_pipe(d, "in", "k", "v", 6);
	assert_numbers(d, "app-counts-changelog", "k=1@7", "k=2@7");
	weir_driver_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(state_is_exact_after_restarts_at_many_points),
		cmocka_unit_test(after_a_crash_only_the_tail_of_the_changelog_is_read),
		cmocka_unit_test(state_that_nobody_uses_for_long_is_cleaned_up),
		cmocka_unit_test(local_state_older_than_deletions_are_kept_is_restored_whole),
		cmocka_unit_test(another_window_size_is_refused_and_the_old_one_goes_on),
		cmocka_unit_test(another_number_of_partitions_is_refused),
		cmocka_unit_test(steps_put_in_before_a_store_leave_its_state_alone),
		cmocka_unit_test(state_without_committed_positions_is_refused),
		cmocka_unit_test(positions_older_than_the_state_are_refused),
		cmocka_unit_test(positions_of_the_first_commit_are_refused_when_there_was_a_second),
		cmocka_unit_test(positions_older_than_the_state_are_refused_behind_compaction_too),
		cmocka_unit_test(what_kafka_streams_has_added_is_not_taken_for_lost_positions),
		cmocka_unit_test(state_whose_changelog_was_deleted_is_refused),
		cmocka_unit_test(a_group_without_positions_and_without_state_begins),
		cmocka_unit_test(a_committed_position_outside_the_log_is_refused),
		cmocka_unit_test(a_source_says_where_to_begin),
		cmocka_unit_test(a_source_begins_with_what_is_no_older_than_a_while),
		cmocka_unit_test(the_state_of_another_cluster_is_refused),
		cmocka_unit_test(a_window_changelog_is_byte_for_byte_that_of_kafka_streams),
		cmocka_unit_test(a_changelog_without_windows_is_key_and_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
