/* One instance asks all of the application to stop (runtime/shutdown.c), while all goes wrong. */
#include "framework/driver/simulator.h"

#define GIVES_UP_MS (6000 + 15000) /* the session and the patience of who asks */

enum { ENOUGH_STEPS = 50 }; /* of each worker, to have heard of it */

bool weir__sim_shutdown_begin(weir_simulation *s, struct sim_instance *in)
{
	weir__sim_put_to_sleep(in, INT64_MAX);
	in->busy++;
	s->current = in;
	bool asks = weir__shutdown_begin(in->app);

	for (int i = 0; asks && i < s->worker_count; i++) {
		weir__worker_close(&in->app->workers[i]);
		atomic_store(&in->app->workers[i].done, true);
	}
	s->current = NULL;
	in->busy--;
	weir__sim_put_to_sleep(in, 0);
	in->asked.since_ms = s->now_ms;
	for (int i = 0; i < s->instance_count; i++) {
		const struct sim_instance *other = &s->instances[i];

		in->asked.starts[i] = other->app && other != in ? other->starts : 0;
		in->asked.steps[i] = other->steps;
	}
	return asks && !in->dead;
}

/* Who was there and has gone on all the time must have heard of it. */
static void check_given_up(weir_simulation *s, const struct sim_instance *in)
{
	if (s->now_ms - in->asked.since_ms < GIVES_UP_MS || s->chances[SIM_CLOCK_JUMP] > 0)
		return;
	for (int i = 0; i < s->instance_count; i++) {
		const struct sim_instance *other = &s->instances[i];

		if (!other->app || other->dead || !in->asked.starts[i] || other->starts != in->asked.starts[i] ||
		    other->app->shutdown)
			continue;
		if (other->steps - in->asked.steps[i] > ENOUGH_STEPS * s->worker_count)
			weir__sim_fail(s, "instance %s goes on, though instance %s has asked all to stop",
				       other->id, in->id);
	}
}

bool weir__sim_shutdown_step(weir_simulation *s, struct sim_instance *in)
{
	weir__sim_note(s, 30 + (uint64_t)in->number);
	s->report.steps++;
	weir__sim_put_to_sleep(in, INT64_MAX);
	in->busy++;
	s->current = in;
	bool goes_on = weir__shutdown_step(in->app, 0);

	s->current = NULL;
	in->busy--;
	weir__sim_put_to_sleep(in, 0);
	if (!goes_on && !in->dead)
		check_given_up(s, in);
	return goes_on && !in->dead;
}
