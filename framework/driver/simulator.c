#include "framework/driver/simulator.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "framework/base/alloc.h"

#define START_MS INT64_C(1704067200000)
#define SETTLE_MS WEIR_HOURS(2)

enum { RECORDS = 400, TURNS_MAX = 400000, SETTLE_TURNS_MAX = 400000, LOOK_EVERY = 64 };

/* --- small things ------------------------------------------------------------------------------------------------
 * */

void weir__sim_note(weir_simulation *s, uint64_t what)
{
	uint64_t mixed = s->report.digest ^ (what * 0x9e3779b97f4a7c15 + (uint64_t)s->now_ms);

	s->report.digest = weir_splitmix64(&mixed);
}

void weir__sim_fail(weir_simulation *s, const char *format, ...)
{
	char text[400];
	va_list args;

	if (s->failed)
		return;
	s->failed = true;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	weir_fail(&s->error, WEIR_STATE, "after %lld ms: %s", (long long)(s->now_ms - s->started_ms), text);
}

static int64_t wall_ms(weir_clock *clock)
{
	struct sim_clock *c = (struct sim_clock *)clock;

	return c->sim->now_ms + c->skew_ms;
}

static int64_t monotonic_us(weir_clock *clock)
{
	return ((struct sim_clock *)clock)->sim->now_ms * 1000;
}

static void clock_init(struct sim_clock *c, const weir_simulation *s)
{
	*c = (struct sim_clock){ .clock = { .wall_ms = wall_ms, .monotonic_us = monotonic_us }, .sim = s };
}

static void remove_dir(const char *dir)
{
	char *command = weir__asprintf("rm -rf '%s'", dir);

	if (system(command) != 0)
		weir_log(WEIR_LOG_WARN, "simulator", "could not remove %s", dir);
	free(command);
}

/* --- instances ---------------------------------------------------------------------------------------------------
 * */

void weir__sim_put_to_sleep(struct sim_instance *in, int64_t until_ms)
{
	for (int i = 0; i < WORKERS_MAX; i++)
		in->workers[i].asleep_until_ms = until_ms;
}

static weir_config *make_config(weir_simulation *s, struct sim_instance *in, weir_error *err)
{
	weir_config *cfg = weir_config_new();
	char workers[12], commit[24], checkpoint[24];

	snprintf(workers, sizeof workers, "%d", s->worker_count);
	snprintf(commit, sizeof commit, "%lldms", (long long)s->commit_ms);
	snprintf(checkpoint, sizeof checkpoint, "%lldms", (long long)s->checkpoint_ms);
	const char *const pairs[][2] = {
		{ "application.id", s->topology->name },
		{ "instance.id", in->id },
		{ "state.dir", in->dir ? in->dir : "" },
		{ "num.stream.threads", workers },
		{ "commit.interval.ms", commit },
		{ "checkpoint.interval.ms", checkpoint },
		{ "checkpoint.records", "1000" },
		{ "session.timeout.ms", "6s" },
		{ "transaction.timeout.ms", "4s" },
		{ "task.timeout.ms", "24h" }, /* where nothing but pauses comes, no transaction gets through */
		{ "repartition.purge.interval.ms", "1s" },
		{ "group.static.membership", s->static_membership ? "true" : "false" },
		{ "errors.dead.letter.queue.topic.name", "dead-letters" },
	};
	bool ok = true;

	weir__graph_add_keys(s->topology, cfg);
	for (size_t i = 0; ok && i < sizeof pairs / sizeof *pairs; i++)
		ok = weir_config_set(cfg, pairs[i][0], pairs[i][1], WEIR_FROM_DEFAULT, "simulator", err);
	for (size_t i = 0; ok && i < s->opts.config_count; i++)
		ok = weir_config_set(cfg, s->opts.config[i][0], s->opts.config[i][1], WEIR_FROM_COMMAND_LINE,
				     "simulator", err);
	if (ok)
		return cfg;
	weir_config_free(cfg);
	return NULL;
}

static void add_up(weir_simulation *s, const weir_app *app)
{
	for (int i = 0; i < app->settings.workers; i++) {
		s->report.commits += atomic_load(&app->workers[i].commits);
		s->report.aborts += atomic_load(&app->workers[i].aborts);
		s->report.records += atomic_load(&app->workers[i].records);
		s->report.restored += atomic_load(&app->workers[i].restored);
	}
}

/* Without a word to the group, and without the end of a transaction. */
static void cut_off(weir_app *app)
{
	app->crash = true;
	weir_consumer *others[] = { weir__globals_cut_off(app), weir__shutdown_cut_off(app) };

	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (others[i])
			weir__embedded_crash_consumer(others[i]);
	for (int i = 0; i < app->settings.workers; i++) {
		struct worker *w = &app->workers[i];

		while (w->task_count)
			weir__task_close(w->tasks[--w->task_count], false);
		if (w->consumer)
			weir__embedded_crash_consumer(w->consumer);
		if (w->restorer)
			weir__embedded_crash_consumer(w->restorer);
		if (w->producer)
			weir__embedded_crash_producer(w->producer);
		w->consumer = w->restorer = NULL;
		w->producer = NULL;
	}
}

/* Takes the instance down; a dead one is past caring how. */
static void end_instance(weir_simulation *s, struct sim_instance *in)
{
	weir_app *app = in->app;

	in->busy++;
	weir__sim_put_to_sleep(in, INT64_MAX);
	if (!in->dead) {
		s->current = in;
		weir_app_stop(app, 0, NULL);
		s->current = NULL;
	} else {
		cut_off(app);
		weir_app_stop(app, 0, NULL);
	}
	in->busy--;
	add_up(s, app);
	in->app = NULL;
	weir_app_free(app);
	weir_config_free(in->cfg);
	in->cfg = NULL;
	in->dead = in->disk_broken = false;
	if (in->lose_state && in->dir)
		remove_dir(in->dir);
	if (in->lose_state && weir__sim_happens(s, SIM_NEW_ID))
		snprintf(in->id, sizeof in->id, "i%d.%d", in->number, ++in->life);
	in->lose_state = false;
	in->start_at_ms = s->now_ms + (s->calm ? 1 : weir_rng_between(&s->rng, 1, 8000));
}

static void crash(weir_simulation *s, struct sim_instance *in)
{
	weir__state_break_after(in->app->state, 0);
	in->dead = true;
	in->lose_state = weir__sim_happens(s, SIM_LOSE_STATE);
	if (!in->busy)
		end_instance(s, in);
}

/* Of its own errors another worker takes the place, or all instances stop; the others end the instance. */
static const char injected[] = "the simulator's error";

static weir_uncaught_answer answer_uncaught(weir_app *app, int worker, const weir_error *error, void *simulation)
{
	(void)app, (void)worker;
	if (strcmp(error->message, injected) != 0)
		return WEIR_UNCAUGHT_STOP;
	return weir__sim_happens(simulation, SIM_SHUTDOWN) ? WEIR_UNCAUGHT_SHUTDOWN_APPLICATION
							   : WEIR_UNCAUGHT_REPLACE;
}

/* A step, and what follows from its end, or from an error in the midst of whatever it has begun. */
static bool step_or_replace(weir_simulation *s, struct sim_instance *in, struct worker *w)
{
	bool ok = weir__worker_step(w, 0);

	if (ok && !in->dead && weir__sim_happens(s, SIM_WORKER_ERROR)) {
		w->failed = w->stop = true;
		ok = weir_fail(&w->error, WEIR_USER, "%s", injected);
	}
	return ok || (!in->dead && weir__worker_replace(w));
}

static void start_instance(weir_simulation *s, struct sim_instance *in)
{
	weir_error err = { .code = WEIR_OK };

	weir__sim_note(s, 10 + (uint64_t)in->number);
	in->cfg = make_config(s, in, &err);
	in->app = in->cfg ? weir_app_new(s->topology, in->cfg, s->cluster,
					 (weir_app_opts){ .clock = &in->clock.clock,
							  .listener = { .uncaught = answer_uncaught, .user = s } },
					 &err)
			  : NULL;
	if (!in->app) {
		weir__sim_fail(s, "an instance cannot be made: %s", err.message);
		weir_config_free(in->cfg);
		return;
	}
	in->starts++;
	in->steps = 0;
	in->app->settings.cache_bytes_max = s->cache_bytes;
	weir__sim_put_to_sleep(in, INT64_MAX);
	in->busy++;
	s->current = in;
	bool ok = weir__app_prepare(in->app, &err);

	s->current = NULL;
	in->busy--;
	weir__sim_put_to_sleep(in, 0);
	if (ok && !in->dead) {
		if (in->dir && weir__sim_happens(s, SIM_DISK_BREAKS)) {
			in->disk_broken = true;
			weir__state_break_after(in->app->state, (int)weir_rng_below(&s->fault_rng, 20) + 1);
		}
		return;
	}
	if (s->calm)
		weir__sim_fail(s, "instance %s cannot be started: %s", in->id, err.message);
	in->dead = true;
	end_instance(s, in);
}

/* --- the operator of positions that went back: "set the group's offsets to where they were" --- */

/* Whether it is for the operator, who then stops whoever is left: a group with members takes no offsets. */
static bool call_operator(weir_simulation *s, struct sim_instance *caller, const weir_error *why)
{
	if (s->old_positions == 0 || why->code != WEIR_STATE ||
	    !strstr(why->message, "goes on behind the committed positions"))
		return false;
	s->positions_lost = true;
	caller->busy++; /* it goes by itself, whatever happens in a pause while others do */
	for (int i = 0; i < s->instance_count; i++) {
		struct sim_instance *in = &s->instances[i];

		if (!in->app || in->dead || in == caller)
			continue;
		if (in->busy)
			crash(s, in);
		else
			end_instance(s, in);
	}
	caller->busy--;
	return true;
}

static void operator_turn(weir_simulation *s)
{
	weir_error err;

	for (int i = 0; i < s->instance_count; i++)
		if (s->instances[i].app || s->instances[i].busy)
			return;
	s->now_ms += weir_rng_between(&s->rng, 0, 1000); /* nothing else happens meanwhile */
	if (!weir__embedded_positions_mend(s->cluster, s->topology->name, &err))
		return; /* the sessions of those who crashed are not over */
	weir__sim_note(s, 20);
	s->positions_lost = false;
	s->old_positions = 0;
	s->report.mended++;
}

static void step_worker(weir_simulation *s, struct sim_instance *in, int index)
{
	struct worker *w = &in->app->workers[index];

	weir__sim_note(s, 100 + (uint64_t)in->number * WORKERS_MAX + (uint64_t)index);
	s->report.steps++;
	in->steps++;
	/* a pause inside must find it neither stepped again nor taken down */
	in->workers[index].asleep_until_ms = INT64_MAX;
	const struct worker *paused = in->stepping; /* another one of this instance */

	in->busy++;
	in->stepping = w;
	s->current = in;
	bool ok = step_or_replace(s, in, w);

	s->current = NULL;
	in->stepping = paused;
	in->busy--;
	in->workers[index].asleep_until_ms = 0;
	if (!ok && !in->dead) {
		bool asks = atomic_load(&in->app->shutdown_wanted);
		bool asked = atomic_load(&in->app->stopping); /* in another of its workers, which is paused */

		if (!asks && !asked && !call_operator(s, in, &w->error) && !in->disk_broken)
			weir__sim_fail(s, "instance %s has stopped by itself: %s", in->id, w->error.message);
		weir__app_failed(in->app, &w->error);
		if (asks && !in->busy && weir__sim_shutdown_begin(s, in))
			return;
		in->dead |= !asks && weir_rng_chance(&s->rng, 0.5);
	} else if (!in->dead) {
		if (!atomic_load(&in->app->stopping))
			return;
		s->report.shut_down++; /* another has asked for it */
	}
	/* its other workers may be in the middle of something */
	in->dead |= in->busy > 0;
	if (!in->busy)
		end_instance(s, in);
}

static void step_shutdown(weir_simulation *s, struct sim_instance *in)
{
	if (!weir__sim_shutdown_step(s, in) && !in->busy)
		end_instance(s, in);
}

/* --- turns -------------------------------------------------------------------------------------------------------
 * */

static void feed_one(weir_simulation *s)
{
	weir_simulation_input in = { .partition = -1 };
	struct sim_instance *paused = s->current;
	weir_error err;

	s->current = NULL;
	s->opts.feed(&s->feed_rng, s->fed, s->now_ms, &in, s->opts.user);
	s->fed++;
	weir_produced p = { .topic = in.topic,
			    .partition = in.partition,
			    .timestamp_ms = in.timestamp_ms,
			    .key = in.key,
			    .value = in.value };

	if (!weir_producer_send(s->producer, &p, &err) || !weir_producer_flush(s->producer, 0, &err))
		weir__sim_fail(s, "feed: %s", err.message);
	s->current = paused;
}

static void compact(weir_simulation *s)
{
	for (size_t i = 0; i < s->topology->store_count; i++) {
		char *name =
			weir__asprintf("%s-%s-changelog", s->topology->name, s->topology->stores[i]->spec.name);

		weir__embedded_compact(s->cluster, name);
		free(name);
	}
}

static void sky(weir_simulation *s)
{
	struct sim_instance *in = &s->instances[weir_rng_below(&s->rng, (uint64_t)s->instance_count)];

	if (weir__sim_happens(s, SIM_CLOCK_JUMP))
		s->now_ms += weir_rng_between(&s->fault_rng, 1000, 90000);
	if (weir__sim_happens(s, SIM_CLOCK_SKEW))
		in->clock.skew_ms = weir_rng_between(&s->fault_rng, -600000, 600000);
	if (weir__sim_happens(s, SIM_COMPACT))
		compact(s);
	if (!in->app || in->dead)
		return;
	if (weir__sim_happens(s, SIM_CRASH))
		crash(s, in);
	else if (!in->busy && weir__sim_happens(s, SIM_STOP)) {
		in->lose_state = weir__sim_happens(s, SIM_LOSE_STATE);
		end_instance(s, in);
	} else if (weir__sim_happens(s, SIM_PAUSE)) {
		int64_t longest = weir__sim_happens(s, SIM_LONG_PAUSE) ? 15000 : 2000;
		struct sim_worker *w = &in->workers[weir_rng_below(&s->rng, (uint64_t)s->worker_count)];

		if (w->asleep_until_ms != INT64_MAX)
			w->asleep_until_ms = s->now_ms + weir_rng_between(&s->fault_rng, 1, longest);
	}
}

void weir__sim_turn(weir_simulation *s)
{
	s->now_ms += weir_rng_between(&s->rng, 0, s->step_ms_max);
	if (!s->calm)
		sky(s);
	while (s->fed < s->opts.records && weir_rng_chance(&s->rng, 0.2))
		feed_one(s);
	struct sim_instance *in = &s->instances[weir_rng_below(&s->rng, (uint64_t)s->instance_count)];
	int index = (int)weir_rng_below(&s->rng, (uint64_t)s->worker_count);

	if (s->failed)
		return;
	if (s->positions_lost)
		operator_turn(s);
	else if (!in->app && !in->busy && s->now_ms >= in->start_at_ms)
		start_instance(s, in);
	else if (in->app && !in->dead && s->now_ms >= in->workers[index].asleep_until_ms)
		in->app->shutdown ? step_shutdown(s, in) : step_worker(s, in, index);
}

static void settle(weir_simulation *s)
{
	int64_t until_ms = s->now_ms + SETTLE_MS;

	s->calm = true;
	for (int i = 0; i < s->instance_count; i++) {
		struct sim_instance *in = &s->instances[i];

		in->clock.skew_ms = 0;
		if (in->app && in->disk_broken) /* a new disk */
			crash(s, in);
		in->start_at_ms = 0;
		weir__sim_put_to_sleep(in, 0);
	}
	while (s->fed < s->opts.records && !s->failed)
		feed_one(s);
	for (int turn = 1; !s->failed; turn++) {
		weir__sim_turn(s);
		if (turn % LOOK_EVERY == 0 && weir__sim_settled(s))
			return;
		if (turn > SETTLE_TURNS_MAX || s->now_ms > until_ms) {
			weir__sim_tell_unsettled(s);
			return;
		}
	}
}

static void check(weir_simulation *s)
{
	weir_error err = { .code = WEIR_OK };

	if (s->failed)
		return;
	if (!weir__sim_check_stores(s, &err))
		weir__sim_fail(s, "%s", err.message);
	else if (s->opts.check && !s->opts.check(s, s->opts.user, &err))
		weir__sim_fail(s, "%s", err.message);
}

/* Everything again from the changelogs alone. */
static void lose_all(weir_simulation *s)
{
	for (int i = 0; i < s->instance_count && !s->failed; i++)
		if (s->instances[i].app) {
			s->instances[i].dead = s->instances[i].lose_state = true;
			end_instance(s, &s->instances[i]);
		}
}

static void run(weir_simulation *s)
{
	for (int turn = 0; turn < TURNS_MAX && s->fed < s->opts.records && !s->failed; turn++)
		weir__sim_turn(s);
	/* what came last has its share of trouble, too */
	for (int turn = 0; turn < 500 && !s->failed; turn++)
		weir__sim_turn(s);
	settle(s);
	check(s);
	if (s->failed || weir_rng_chance(&s->rng, 0.5))
		return;
	lose_all(s);
	settle(s);
	check(s);
}

/* --- life --------------------------------------------------------------------------------------------------------
 * */

/* lag_ms: of compaction. */
static bool make_topic(weir_simulation *s, const char *name, bool changelog, const char *policy, int64_t lag_ms,
		       weir_error *err)
{
	char retention[24], lag[24];
	const char *const external[][2] = { { "retention.ms", "-1" } };
	const char *const compacted[][2] = { { "cleanup.policy", policy },
					     { "retention.ms", "-1" },
					     { "delete.retention.ms", retention },
					     { "min.compaction.lag.ms", lag } };

	snprintf(retention, sizeof retention, "%lld", (long long)s->delete_retention_ms);
	snprintf(lag, sizeof lag, "%lld", (long long)lag_ms);
	weir_topic_spec spec = { name, s->partitions, 1, changelog ? compacted : external, changelog ? 4 : 1 };

	return weir_topics_create(s->cluster, &spec, 1, err);
}

static bool make_topics(weir_simulation *s, weir_error *err)
{
	const weir_topology *t = s->topology;
	bool ok = make_topic(s, "dead-letters", false, NULL, 0, err), all_alike = true;

	for (size_t i = 0; ok && i < t->topic_count; i++) {
		all_alike &= t->topics[i]->partitions_wanted == 0;
		if (t->topics[i]->kind == TOPIC_EXTERNAL)
			ok = make_topic(s, t->topics[i]->name, false, NULL, 0, err);
	}
	for (size_t i = 0; ok && i < t->global_count; i++)
		ok = make_topic(s, t->globals[i]->topic, false, NULL, 0, err);
	for (size_t i = 0; ok && i < t->node_count; i++) {
		const char *name = t->nodes[i]->op == &weir__sink_op ? weir__sink_topic(t->nodes[i]) : NULL;

		ok = !name || make_topic(s, name, false, NULL, 0, err);
	}
	/* tombstones that go soon; where partitions differ the runtime makes the changelogs itself */
	for (size_t i = 0; ok && all_alike && i < t->store_count; i++) {
		char *name = weir__asprintf("%s-%s-changelog", t->name, t->stores[i]->spec.name);

		const struct store_spec *spec = &t->stores[i]->spec;
		const char *policy = spec->duplicates                     ? "delete"
				     : weir__store_kind_timed(spec->kind) ? "compact,delete"
									  : "compact";

		/* as the runtime would make it */
		int64_t lag_ms = spec->kind == STORE_VERSIONED ? weir_time_add(spec->retention_ms, 86400000) : 0;

		ok = !spec->logged || make_topic(s, name, true, policy, lag_ms, err);
		free(name);
	}
	return ok;
}

static void plan(weir_simulation *s)
{
	static const int64_t commit_ms[] = { 1, 20, 100, 500, 2000 },
			     checkpoint_ms[] = { 1000, 3000, 20000, 300000 };
	static const int64_t step_ms[] = { 4, 20, 60 }, cache[] = { 2000, 20000, 100 << 20 };
	weir_rng *r = &s->rng;

	s->partitions = s->opts.partitions ? s->opts.partitions : (int32_t)weir_rng_between(r, 1, 4);
	s->instance_count = s->opts.instances ? s->opts.instances : (int)weir_rng_between(r, 1, 3);
	s->worker_count = s->opts.workers ? s->opts.workers : (int)weir_rng_between(r, 1, 2);
	s->commit_ms = commit_ms[weir_rng_below(r, 5)];
	s->checkpoint_ms = checkpoint_ms[weir_rng_below(r, 4)];
	s->step_ms_max = step_ms[weir_rng_below(r, 3)];
	s->cache_bytes = cache[weir_rng_below(r, 3)];
	s->static_membership = weir_rng_chance(r, 0.3);
	s->delete_retention_ms = 60000;
	s->now_ms = s->started_ms = START_MS;
	s->fault_rng = weir_rng_fork(r);
	s->feed_rng = weir_rng_fork(r);
	s->shutdown_rng = weir_rng_seeded(~s->opts.seed);
	weir__sim_faults_plan(s);
	s->calm = s->opts.calm;
}

static weir_simulation *simulation_new(weir_topology *topology, const weir_simulation_opts *opts, weir_error *err)
{
	weir_simulation *s = weir__calloc(1, sizeof *s);

	s->opts = *opts;
	s->opts.records = opts->records ? opts->records : RECORDS;
	s->topology = topology;
	s->rng = weir_rng_seeded(opts->seed);
	plan(s);
	weir_assert(s->instance_count <= INSTANCES_MAX && s->worker_count <= WORKERS_MAX);
	clock_init(&s->broker_clock, s);
	s->cluster = weir_cluster_embedded((weir_embedded_opts){
		.clock = &s->broker_clock.clock, .partitions = s->partitions, .future_ms_max = INT64_MAX });
	weir__embedded_faults(s->cluster, weir__sim_at_call, s, 700);
	for (int i = 0; i < s->instance_count; i++) {
		struct sim_instance *in = &s->instances[i];

		in->number = i;
		in->start_at_ms = i ? s->now_ms + weir_rng_between(&s->rng, 0, 3000) : 0;
		clock_init(&in->clock, s);
		snprintf(in->id, sizeof in->id, "i%d", i);
		if (opts->state_dir)
			in->dir = weir__asprintf("%s/weir-simulation-%d-i%d", opts->state_dir, (int)getpid(), i);
		if (in->dir)
			remove_dir(in->dir);
	}
	if (!weir__graph_finish(topology, &s->error) || !make_topics(s, &s->error) ||
	    !(s->producer = weir_producer_open(s->cluster, (weir_producer_opts){ 0 }, &s->error)))
		s->failed = true;
	(void)err;
	return s;
}

static void simulation_free(weir_simulation *s)
{
	for (int i = 0; i < s->instance_count; i++) {
		struct sim_instance *in = &s->instances[i];

		if (in->app) {
			in->dead = in->lose_state = true;
			end_instance(s, in);
		}
		if (in->dir)
			remove_dir(in->dir);
		free(in->dir);
	}
	weir_producer_close(s->producer);
	weir_cluster_free(s->cluster);
	weir_topology_free(s->topology);
	free(s->newest);
	free(s);
}

static void report(const weir_simulation *s, weir_simulation_report *to)
{
	const weir_simulation_report *from = &s->report;

	to->digest = from->digest;
	to->steps += from->steps;
	to->virtual_ms += s->now_ms - s->started_ms;
	to->commits += from->commits;
	to->aborts += from->aborts;
	to->records += from->records;
	to->restored += from->restored;
	to->mended += from->mended;
	to->shut_down += from->shut_down;
	for (int i = 0; i < WEIR_SIMULATION_FAULTS_MAX; i++) {
		to->fault_names[i] = from->fault_names[i];
		to->fault_counts[i] += from->fault_counts[i];
	}
}

bool weir_simulate(weir_topology *topology, weir_simulation_opts opts, weir_simulation_report *to, weir_error *err)
{
	if (!weir__graph_take(topology, err))
		return false;
	weir_simulation *s = simulation_new(topology, &opts, err);

	if (!s->failed)
		run(s);
	bool ok = !s->failed;

	s->calm = true;
	if (!ok && err)
		*err = s->error;
	for (int i = 0; i < s->instance_count; i++)
		if (s->instances[i].app)
			add_up(s, s->instances[i].app);
	if (to)
		report(s, to);
	simulation_free(s);
	return ok;
}

weir_store *weir_simulation_global(weir_simulation *s, int instance, const char *name)
{
	return instance < s->instance_count && s->instances[instance].app
		       ? weir__global_store(s->instances[instance].app, name)
		       : NULL;
}

int32_t weir_simulation_partitions(const weir_simulation *s)
{
	return s->partitions;
}

weir_cluster *weir_simulation_cluster(weir_simulation *s)
{
	return s->cluster;
}
