/* Punctuators, stream time and the time of steps. */
#include "tests/topology/topology_test.h"

enum { NOW_MS = 1000000 };

/* --- punctuators ------------------------------------------------------------------------------------------------
 * */

struct ticking {
	weir_time time;
	int64_t interval_ms;
	int cancel_after; /* 0 = never */
	bool anchored;
	int64_t from_ms;
};

struct ticker {
	const struct ticking *how;
	weir_timer *timer;
	int ticks;
};

static void tick(weir_context *cx, int64_t time_ms, void *state)
{
	struct ticker *ticker = state;
	weir_record r = { .key = weir_str("tick"), .timestamp_ms = time_ms, .cx = cx };

	assert_null(weir_record_metadata(cx).topic);
	weir_set_value(&r, text(cx, "%d", ++ticker->ticks));
	weir_forward(cx, &r);
	if (ticker->ticks == ticker->how->cancel_after) {
		weir_cancel(ticker->timer);
		ticker->timer = NULL;
	}
}

static void start_ticking(weir_context *cx, void *state, void *user)
{
	struct ticker *ticker = state;

	const struct ticking *how = ticker->how = user;

	ticker->timer = how->anchored ? weir_schedule_at(cx, how->from_ms, how->interval_ms, how->time, tick)
				      : weir_schedule(cx, how->interval_ms, how->time, tick);
}

static void pass_on(weir_context *cx, const weir_record *r, void *state, void *user)
{
	(void)state, (void)user;
	weir_forward(cx, r);
}

static weir_topology *ticker_of(struct ticking *how)
{
	weir_topology *t = weir_topology_new("app");

	weir_sink(weir_process(text_source(t, "in"), "ticker",
			       (weir_processor){ .state_size = sizeof(struct ticker),
						 .init = start_ticking,
						 .process = pass_on,
						 .value = &weir_utf8,
						 .user = how }),
		  "out", (weir_sink_opts){ 0 });
	return t;
}

static weir_driver *ticking(struct ticking *how)
{
	return driver(ticker_of(how), (weir_driver_opts){ .now_ms = NOW_MS });
}

/* The wall clock moves a little while the application starts: looks where its first tick is due. */
static int64_t first_tick(weir_driver *d, int64_t interval_ms)
{
	weir_driver_record r;

	for (int64_t ms = 0; ms < 2 * interval_ms; ms++) {
		weir_driver_advance(d, 1);
		if (weir_driver_read(d, "out", &r))
			return r.timestamp_ms;
	}
	fail_msg("no tick");
	return 0;
}

static void assert_tick(weir_driver *d, int number, int64_t time_ms)
{
	char want[64];

	snprintf(want, sizeof want, "tick=%d@%lld", number, (long long)time_ms);
	assert_text(d, "out", want);
}

static void a_wall_clock_timer_ticks_after_each_interval(void **state)
{
	weir_driver *d = ticking(&(struct ticking){ WEIR_WALL_CLOCK_TIME, 1000, 0 });
	int64_t first_ms = first_tick(d, 1000);

	(void)state;
	assert_in_range(first_ms, NOW_MS + 1000, NOW_MS + 2000);
	weir_driver_advance(d, 999);
	assert_nothing(d, "out");
	weir_driver_advance(d, 1);
	assert_tick(d, 2, first_ms + 1000);
	weir_driver_advance(d, 1000);
	assert_tick(d, 3, first_ms + 2000);
	weir_driver_free(d);
}

static void missed_ticks_of_the_wall_clock_come_as_one_and_the_rhythm_stays(void **state)
{
	weir_driver *d = ticking(&(struct ticking){ WEIR_WALL_CLOCK_TIME, 1000, 0 });
	int64_t first_ms = first_tick(d, 1000);

	(void)state;
	weir_driver_advance(d, 4700);
	assert_tick(d, 2, first_ms + 4700);
	weir_driver_advance(d, 299);
	assert_nothing(d, "out");
	weir_driver_advance(d, 1);
	assert_tick(d, 3, first_ms + 5000);
	weir_driver_advance(d, WEIR_DAYS(400));
	assert_tick(d, 4, first_ms + 5000 + WEIR_DAYS(400));
	weir_driver_free(d);
}

static void records_do_not_move_the_wall_clock(void **state)
{
	weir_driver *d = ticking(&(struct ticking){ WEIR_WALL_CLOCK_TIME, 1000, 0 });

	(void)state;
	weir_driver_pipe(d, "in", "k", "v", NOW_MS + WEIR_DAYS(1));
	assert_text(d, "out", "k=v@87400000");
	weir_driver_free(d);
}

static void a_stream_time_timer_ticks_with_the_first_record(void **state)
{
	weir_driver *d = ticking(&(struct ticking){ WEIR_STREAM_TIME, 10, 0 });

	(void)state;
	weir_driver_advance(d, WEIR_DAYS(1));
	assert_nothing(d, "out");
	weir_driver_pipe(d, "in", "k", "v", 503);
	assert_text(d, "out", "k=v@503", "tick=1@503");
	weir_driver_free(d);
}

static void a_stream_time_timer_ticks_at_multiples_of_its_interval_and_collapses_what_it_missed(void **state)
{
	weir_driver *d = ticking(&(struct ticking){ WEIR_STREAM_TIME, 10, 0 });

	(void)state;
	weir_driver_pipe(d, "in", "k", "a", 503);
	weir_driver_pipe(d, "in", "k", "b", 509);
	weir_driver_pipe(d, "in", "k", "c", 513);
	weir_driver_pipe(d, "in", "k", "d", 500); /* late: time does not go back */
	weir_driver_pipe(d, "in", "k", "e", 558);
	weir_driver_pipe(d, "in", "k", "f", 559);
	weir_driver_pipe(d, "in", "k", "g", 560);
	assert_text(d, "out", "k=a@503", "tick=1@503", "k=b@509", "k=c@513", "tick=2@513", "k=d@500", "k=e@558",
		    "tick=3@558", "k=f@559", "k=g@560", "tick=4@560");
	weir_driver_free(d);
}

static void a_hostile_timestamp_ticks_once_and_hangs_nothing(void **state)
{
	static const int64_t times[] = { INT64_MAX, INT64_MAX - 1, INT64_MAX - 9, INT64_MAX / 2 };

	(void)state;
	for (size_t i = 0; i < LENGTH(times); i++) {
		weir_driver *d = ticking(&(struct ticking){ WEIR_STREAM_TIME, 10, 0 });
		char want[64];

		weir_driver_pipe(d, "in", "k", "a", 503);
		assert_text(d, "out", "k=a@503", "tick=1@503");
		weir_driver_pipe(d, "in", "k", "b", times[i]);
		snprintf(want, sizeof want, "k=b@%lld", (long long)times[i]);
		assert_string_equal(weir_driver_read_text(d, "out", false, false), want);
		assert_tick(d, 2, times[i]);
		weir_driver_pipe(d, "in", "k", "c", 504);
		assert_text(d, "out", "k=c@504");
		weir_driver_free(d);
	}
}

static void an_interval_longer_than_time_itself_is_fine(void **state)
{
	weir_driver *d = ticking(&(struct ticking){ WEIR_STREAM_TIME, INT64_MAX, 0 });

	(void)state;
	weir_driver_pipe(d, "in", "k", "a", 5);
	weir_driver_pipe(d, "in", "k", "b", INT64_MAX);
	assert_text(d, "out", "k=a@5", "tick=1@5", "k=b@9223372036854775807");
	weir_driver_free(d);
	for (int64_t interval_ms = INT64_MAX; interval_ms > WEIR_DAYS(36500); interval_ms /= 2) {
		d = ticking(&(struct ticking){ WEIR_WALL_CLOCK_TIME, interval_ms, 0 });
		weir_driver_advance(d, WEIR_DAYS(36500));
		assert_nothing(d, "out");
		weir_driver_free(d);
	}
}

static void a_timer_can_cancel_itself(void **state)
{
	weir_driver *d = ticking(&(struct ticking){ WEIR_STREAM_TIME, 10, 2 });

	(void)state;
	weir_driver_pipe(d, "in", "k", "a", 10);
	weir_driver_pipe(d, "in", "k", "b", 20);
	weir_driver_pipe(d, "in", "k", "c", 30);
	assert_text(d, "out", "k=a@10", "tick=1@10", "k=b@20", "tick=2@20", "k=c@30");
	weir_driver_free(d);
}

static void an_anchored_timer_ticks_at_its_start_and_each_interval_after_it(void **state)
{
	struct ticking how = { WEIR_WALL_CLOCK_TIME, 1000, 0, true, NOW_MS + 1500 };
	weir_driver *d = ticking(&how);

	(void)state;
	assert_int_equal(first_tick(d, 1000), NOW_MS + 1500);
	weir_driver_advance(d, 999);
	assert_nothing(d, "out");
	weir_driver_advance(d, 1);
	assert_tick(d, 2, NOW_MS + 2500);
	weir_driver_free(d);
}

static void a_start_that_has_passed_sets_the_rhythm(void **state)
{
	struct ticking how = { WEIR_WALL_CLOCK_TIME, 1000, 0, true, NOW_MS - 10250 };
	weir_driver *d = ticking(&how);

	(void)state;
	assert_int_equal(first_tick(d, 1000), NOW_MS + 750);
	weir_driver_advance(d, 2100);
	assert_tick(d, 2, NOW_MS + 2850);
	weir_driver_advance(d, 900);
	assert_tick(d, 3, NOW_MS + 3750);
	weir_driver_free(d);
}

static void by_stream_time_an_anchored_timer_waits_for_its_start(void **state)
{
	struct ticking how = { WEIR_STREAM_TIME, 50, 0, true, 100 };
	weir_driver *d = ticking(&how);

	(void)state;
	weir_driver_pipe(d, "in", "k", "a", 99);
	assert_text(d, "out", "k=a@99");
	weir_driver_pipe(d, "in", "k", "b", 100);
	assert_text(d, "out", "k=b@100", "tick=1@100");
	weir_driver_pipe(d, "in", "k", "c", 271);
	assert_text(d, "out", "k=c@271", "tick=2@271");
	weir_driver_pipe(d, "in", "k", "d", 299);
	assert_text(d, "out", "k=d@299");
	must(weir_driver_restart(d, true, &err)); /* stream time is known: its start has passed */
	weir_driver_pipe(d, "in", "k", "e", 299);
	assert_text(d, "out", "k=e@299");
	weir_driver_pipe(d, "in", "k", "f", 300);
	assert_text(d, "out", "k=f@300", "tick=1@300");
	weir_driver_free(d);
}

static void a_first_record_after_the_start_ticks_at_once(void **state)
{
	struct ticking how = { WEIR_STREAM_TIME, 50, 0, true, 100 };
	weir_driver *d = ticking(&how);

	(void)state;
	weir_driver_pipe(d, "in", "k", "a", 180);
	assert_text(d, "out", "k=a@180", "tick=1@180");
	weir_driver_pipe(d, "in", "k", "b", 200);
	assert_text(d, "out", "k=b@200", "tick=2@200");
	weir_driver_free(d);
}

static void a_start_at_the_end_of_time_is_never_and_one_before_1970_stops(void **state)
{
	struct ticking how = { WEIR_STREAM_TIME, 1, 0, true, INT64_MAX };
	weir_driver *d = ticking(&how);
	weir_error err = { .code = WEIR_OK };

	(void)state;
	weir_driver_pipe(d, "in", "k", "a", INT64_MAX);
	assert_text(d, "out", "k=a@9223372036854775807");
	weir_driver_free(d);
	how.from_ms = -1;
	assert_null(weir_driver_new(ticker_of(&how), (weir_driver_opts){ 0 }, &err));
	assert_contains(err.message, "step \"ticker\" schedules a timer from a time before 1970 on");
}

/* One timer at most: each record cancels the one before and asks for a new one. */
static void postpone(weir_context *cx, const weir_record *r, void *state, void *user)
{
	struct ticker *ticker = state;

	ticker->how = user;
	weir_cancel(ticker->timer);
	ticker->timer = weir_schedule(cx, ticker->how->interval_ms, ticker->how->time, tick);
	weir_forward(cx, r);
}

static void a_record_can_put_a_timer_off(void **state)
{
	weir_topology *t = weir_topology_new("app");
	struct ticking how = { WEIR_WALL_CLOCK_TIME, 1000, 1 };

	(void)state;
	weir_sink(weir_process(text_source(t, "in"), "ticker",
			       (weir_processor){
				       .state_size = sizeof(struct ticker), .process = postpone, .user = &how }),
		  "out", (weir_sink_opts){ 0 });
	weir_driver *d = driver(t, (weir_driver_opts){ .now_ms = NOW_MS });

	for (int i = 0; i < 5; i++) {
		weir_driver_pipe(d, "in", "k", "v", 1);
		assert_text(d, "out", "k=v@1");
		weir_driver_advance(d, 999);
		assert_nothing(d, "out");
	}
	weir_driver_advance(d, 1);
	assert_string_equal(weir_driver_read_text(d, "out", false, false) ? "ticked" : "", "ticked");
	weir_driver_advance(d, 5000);
	assert_nothing(d, "out");
	weir_driver_free(d);
}

static void stop_in_tick(weir_context *cx, int64_t time_ms, void *state)
{
	(void)state;
	weir_stop(cx, "stopped at %lld", (long long)time_ms);
}

static void start_stopping(weir_context *cx, void *state, void *user)
{
	(void)state, (void)user;
	weir_schedule(cx, 10, WEIR_STREAM_TIME, stop_in_tick);
}

static void a_timer_can_stop_the_application(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_process(text_source(t, "in"), "stopper",
		     (weir_processor){ .init = start_stopping, .process = pass_on });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "k", "v", 42);
	assert_stopped(d, "stopped at 42");
	weir_driver_free(d);
}

static void letter_in_tick(weir_context *cx, int64_t time_ms, void *state)
{
	weir_record r = { .key = weir_str("k"), .timestamp_ms = time_ms, .cx = cx };

	(void)state;
	weir_set_value_bytes(&r, weir_str("overdue"));
	weir_dead_letter(cx, &r, "nobody came");
}

static void start_letters(weir_context *cx, void *state, void *user)
{
	(void)state, (void)user;
	weir_schedule(cx, 10, WEIR_STREAM_TIME, letter_in_tick);
}

static void a_timer_can_send_dead_letters(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_process(text_source(t, "in"), "letters",
		     (weir_processor){ .init = start_letters, .process = pass_on });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	weir_driver_pipe(d, "in", "other", "v", 42);
	assert_dead_letter(d, "overdue", "nobody came");
	weir_driver_free(d);
}

/* --- stream time ------------------------------------------------------------------------------------------------
 * */

static void say_times(weir_context *cx, const weir_record *r, void *state, void *user)
{
	weir_record out = *r;
	int64_t before = weir_step_time_ms(cx), stream = weir_stream_time_ms(cx);

	(void)state, (void)user;
	assert_true(stream >= r->timestamp_ms);
	if (!weir_bytes_equal(r->key, weir_str("unseen")))
		assert_true(weir_step_time_seen(cx, r->timestamp_ms) >= r->timestamp_ms);
	weir_set_value(&out, text(cx, "stream %lld step %lld->%lld", (long long)stream,
				  before == INT64_MIN ? -1 : (long long)before,
				  weir_step_time_ms(cx) == INT64_MIN ? -1 : (long long)weir_step_time_ms(cx)));
	weir_forward(cx, &out);
}

static weir_driver *telling(const char *state_dir)
{
	weir_topology *t = weir_topology_new("app");

	weir_sink(weir_process(text_source(t, "in"), "say", (weir_processor){ .process = say_times }), "out",
		  (weir_sink_opts){ 0 });
	return driver(t, (weir_driver_opts){ .state_dir = state_dir });
}

static void stream_time_counts_every_record_and_step_time_what_the_step_tells(void **state)
{
	weir_driver *d = telling(NULL);

	(void)state;
	weir_driver_pipe(d, "in", "unseen", "", 50);
	weir_driver_pipe(d, "in", "k", "", 10);
	weir_driver_pipe(d, "in", "unseen", "", 70);
	weir_driver_pipe(d, "in", "k", "", 20);
	weir_driver_pipe(d, "in", "k", "", 15);
	assert_text(d, "out", "unseen=stream 50 step -1->-1@50", "k=stream 50 step -1->10@10",
		    "unseen=stream 70 step 10->10@70", "k=stream 70 step 10->20@20", "k=stream 70 step 20->20@15");
	weir_driver_free(d);
}

static void both_times_outlive_restarts_and_crashes(void **state)
{
	weir_driver *d = telling(NULL);

	(void)state;
	weir_driver_pipe(d, "in", "k", "", 1000);
	weir_driver_pipe(d, "in", "unseen", "", 2000);
	assert_text(d, "out", "k=stream 1000 step -1->1000@1000", "unseen=stream 2000 step 1000->1000@2000");
	for (int crash = 0; crash < 2; crash++) {
		must(weir_driver_restart(d, crash, &err));
		weir_driver_pipe(d, "in", "k", "", 10);
		assert_text(d, "out", "k=stream 2000 step 1000->1000@10");
	}
	weir_driver_free(d);
}

/* --- timers that schedule timers -------------------------------------------------------------------------------
 * */

static int called;

static void schedule_another(weir_context *cx, int64_t time_ms, void *state)
{
	(void)time_ms, (void)state;
	called++;
	weir_schedule(cx, 1000, WEIR_STREAM_TIME, schedule_another); /* due at once */
}

static void schedule_first(weir_context *cx, void *state, void *user)
{
	(void)state, (void)user;
	called = 0;
	weir_schedule(cx, 1000, WEIR_STREAM_TIME, schedule_another);
}

static void leave_alone(weir_context *cx, const weir_record *r, void *state, void *user)
{
	(void)cx, (void)r, (void)state, (void)user;
}

/* Kafka Streams would go on for ever. */
static void a_timer_that_schedules_another_waits_for_the_next_record(void **state)
{
	weir_topology *t = weir_topology_new("app");

	(void)state;
	weir_process(text_source(t, "in"), "timers",
		     (weir_processor){ .init = schedule_first, .process = leave_alone });
	weir_driver *d = driver(t, (weir_driver_opts){ 0 });

	for (int i = 1; i <= 3; i++) {
		weir_driver_pipe(d, "in", "k", "v", i);
		assert_int_equal(called, i);
	}
	weir_driver_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wall_clock_timer_ticks_after_each_interval),
		cmocka_unit_test(missed_ticks_of_the_wall_clock_come_as_one_and_the_rhythm_stays),
		cmocka_unit_test(records_do_not_move_the_wall_clock),
		cmocka_unit_test(a_stream_time_timer_ticks_with_the_first_record),
		cmocka_unit_test(
			a_stream_time_timer_ticks_at_multiples_of_its_interval_and_collapses_what_it_missed),
		cmocka_unit_test(a_hostile_timestamp_ticks_once_and_hangs_nothing),
		cmocka_unit_test(an_interval_longer_than_time_itself_is_fine),
		cmocka_unit_test(a_timer_can_cancel_itself),
		cmocka_unit_test(an_anchored_timer_ticks_at_its_start_and_each_interval_after_it),
		cmocka_unit_test(a_start_that_has_passed_sets_the_rhythm),
		cmocka_unit_test(by_stream_time_an_anchored_timer_waits_for_its_start),
		cmocka_unit_test(a_first_record_after_the_start_ticks_at_once),
		cmocka_unit_test(a_start_at_the_end_of_time_is_never_and_one_before_1970_stops),
		cmocka_unit_test(a_record_can_put_a_timer_off),
		cmocka_unit_test(a_timer_can_stop_the_application),
		cmocka_unit_test(a_timer_can_send_dead_letters),
		cmocka_unit_test(stream_time_counts_every_record_and_step_time_what_the_step_tells),
		cmocka_unit_test(both_times_outlive_restarts_and_crashes),
		cmocka_unit_test(a_timer_that_schedules_another_waits_for_the_next_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
