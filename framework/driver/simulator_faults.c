#include "framework/driver/simulator.h"

#include <stdlib.h>

#include "framework/base/alloc.h"
#include "framework/kafka/embedded_client.h"

/* The commit inside a rebalance is rare and delicate: more often goes wrong there. */
#define REBALANCE_FACTOR 8

static const struct call_fault {
	enum embedded_point point;
	enum embedded_fault fault;
} call_faults[] = {
#define X(id, name, chance, point, fault) { point, fault },
	SIM_CALL_FAULTS(X)
#undef X
};
enum { CALL_FAULTS = sizeof call_faults / sizeof *call_faults };

static const struct kind {
	const char *name;
	double chance;
} kinds[] = {
#define X(id, name, chance, point, fault) { name, chance },
	SIM_CALL_FAULTS(X)
#undef X
#define X(id, name, chance) { name, chance },
		SIM_OTHER_FAULTS(X)
#undef X
};

static weir_rng *rng_of(weir_simulation *s, int fault)
{
	return fault == SIM_SHUTDOWN ? &s->shutdown_rng : &s->fault_rng;
}

/* Each seed has some kinds of faults only, with rates of its own: all of them all the time would hide what takes a
 * longer undisturbed run. */
void weir__sim_faults_plan(weir_simulation *s)
{
	_Static_assert(SIM_FAULTS < WEIR_SIMULATION_FAULTS_MAX, "the report has room for all faults");
	_Static_assert(SIM_SEND_FAILS == 0 && (int)SIM_CRASH_AT_CALL == CALL_FAULTS, "faults of calls come first");
	for (int i = 0; i < SIM_FAULTS; i++) {
		static const double rates[] = { 1, 1, 3, 8 };
		double rate = rates[weir_rng_below(rng_of(s, i), sizeof rates / sizeof *rates)];

		s->report.fault_names[i] = kinds[i].name;
		s->chances[i] = weir_rng_chance(rng_of(s, i), 0.6) ? kinds[i].chance * rate : 0;
	}
	/* One wall clock must be enough to tell whether a checkpoint is too old. */
	if (s->chances[SIM_COMPACT] > 0)
		s->chances[SIM_CLOCK_SKEW] = 0;
	/* What the cleaner has taken cannot be counted: behind a deletion that may hide a loss. */
	if (s->chances[SIM_COMPACT] > 0)
		s->chances[SIM_OLD_POSITIONS] = 0;
}

static bool in_rebalance(const weir_simulation *s)
{
	const struct worker *w = s->current ? s->current->stepping : NULL;

	return w && w->consumer && ((const struct embedded_consumer *)w->consumer)->in_callback;
}

static bool comes_up(weir_simulation *s, enum sim_fault fault)
{
	double chance = s->chances[fault] * (in_rebalance(s) ? REBALANCE_FACTOR : 1);

	return !s->calm && chance > 0 && weir_rng_chance(rng_of(s, fault), chance);
}

static void count(weir_simulation *s, enum sim_fault fault)
{
	s->report.fault_counts[fault]++;
	weir__sim_note(s, 1000 + (uint64_t)fault);
}

bool weir__sim_happens(weir_simulation *s, enum sim_fault fault)
{
	bool happens = comes_up(s, fault);

	if (happens)
		count(s, fault);
	return happens;
}

/* For a task that is about to ask: with state by which it can tell. */
static bool positions_go_back(weir_simulation *s, struct task *t)
{
	weir_partition *list = weir__calloc(t->input_count + t->store_count + 1, sizeof *list);
	weir_partition *changelogs = list + t->input_count;
	size_t n = weir__task_partitions(t, list), logs = 0;

	for (size_t i = 0; i < t->store_count; i++)
		if (t->stores[i].writes_changelog)
			changelogs[logs++] =
				(weir_partition){ .topic = t->stores[i].changelog, .partition = t->partition };
	bool done = weir__embedded_positions_back(s->cluster, t->worker->app->settings.application_id, list, n,
						  changelogs, logs, weir_rng_below(&s->fault_rng, 4) + 1);

	free(list);
	return done;
}

static void old_positions(weir_simulation *s, const struct worker *w)
{
	for (size_t i = 0; i < w->task_count; i++)
		if (w->tasks[i]->state == TASK_OPENING && comes_up(s, SIM_OLD_POSITIONS) &&
		    positions_go_back(s, w->tasks[i])) {
			count(s, SIM_OLD_POSITIONS);
			s->old_positions++;
		}
}

/* The others go on meanwhile. */
static void pause_here(weir_simulation *s)
{
	struct sim_instance *who = s->current;
	int64_t longest = weir__sim_happens(s, SIM_LONG_PAUSE) ? 15000 : 2000;
	int64_t until_ms = s->now_ms + weir_rng_between(&s->fault_rng, 1, longest);

	s->depth++;
	while (s->now_ms < until_ms && !s->failed)
		weir__sim_turn(s);
	s->depth--;
	s->current = who;
}

enum embedded_fault weir__sim_at_call(enum embedded_point point, const char *who, void *simulation)
{
	weir_simulation *s = simulation;
	struct sim_instance *in = s->current;

	(void)who;
	if (!in || point == EMBEDDED_AT_DESCRIBE) /* a start's alone in these topologies, and nothing hangs on it */
		return EMBEDDED_FINE;
	if (s->depth < 2 && !in->dead && weir__sim_happens(s, SIM_PAUSE_AT_CALL))
		pause_here(s);
	if (in->dead)
		return EMBEDDED_FATAL;
	if (s->calm || point == EMBEDDED_AT_CLOSE)
		return EMBEDDED_FINE;
	if (in->dir && in->stepping && weir__sim_happens(s, SIM_DISK_BREAKS_AT_CALL)) {
		in->disk_broken = true; /* what is read from now on is null */
		weir__state_break_after(in->app->state, 0);
	}
	if (point == EMBEDDED_AT_COMMITTED && in->stepping)
		old_positions(s, in->stepping);
	enum embedded_fault fault = EMBEDDED_FINE;

	for (int i = 0; i < CALL_FAULTS && fault == EMBEDDED_FINE; i++)
		if (call_faults[i].point == point && weir__sim_happens(s, (enum sim_fault)i))
			fault = call_faults[i].fault;
	if (!weir__sim_happens(s, SIM_CRASH_AT_CALL))
		return fault;
	/* Before the call, or behind it, or when it is done in part. */
	static const enum embedded_fault behind[] = { EMBEDDED_DONE_LATE, EMBEDDED_DONE, EMBEDDED_LATE_LOGS };
	bool ends = point == EMBEDDED_AT_COMMIT || point == EMBEDDED_AT_ABORT;

	in->dead = true;
	weir__state_break_after(in->app->state, 0);
	return ends && weir_rng_chance(&s->fault_rng, 0.6) ? behind[weir_rng_below(&s->fault_rng, 3)]
							   : EMBEDDED_FATAL;
}
