/* What the program is told of the application: its state, stores that are restored, and errors that end workers. */
#include "framework/runtime/runtime.h"

void weir__tell_state(weir_app *app)
{
	if (!app->listener.state)
		return;
	pthread_mutex_lock(&app->told_mutex);
	weir_app_state now = weir_app_state_get(app, NULL), before = app->told;

	app->told = now;
	if (now != before)
		app->listener.state(app, now, before, app->listener.user);
	pthread_mutex_unlock(&app->told_mutex);
}

void weir__tell_state_of(struct worker *w)
{
	int not_running = atomic_load_explicit(&w->has_share, memory_order_relaxed)
				  ? atomic_load_explicit(&w->tasks_not_running, memory_order_relaxed)
				  : -1;

	if (!w->app->listener.state || not_running == w->told_not_running)
		return;
	w->told_not_running = not_running;
	weir__tell_state(w->app);
}

bool weir__tell_uncaught(weir_app *app, int worker, const weir_error *error)
{
	weir_uncaught_answer answer = app->listener.uncaught
					      ? app->listener.uncaught(app, worker, error, app->listener.user)
					      : WEIR_UNCAUGHT_STOP;

	if (answer == WEIR_UNCAUGHT_SHUTDOWN_APPLICATION) {
		atomic_store(&app->leaves, true);
		atomic_store(&app->shutdown_wanted, true);
	}
	return answer == WEIR_UNCAUGHT_REPLACE;
}

void weir__tell_restore(struct task_store *s, weir_restore_event event)
{
	struct worker *w = s->task->worker;
	weir_app *app = w->app;

	if (!app->listener.restore)
		return;
	int64_t at = s->restoring ? weir_consumer_position(w->restorer, s->changelog, s->task->partition)
				  : s->restore_end;
	weir_restore r = {
		.store = s->graph->spec.name,
		.topic = s->changelog,
		.partition = s->task->partition,
		.from = s->restore_new,
		.to = s->restore_end,
		.at = at > s->restore_new ? at : s->restore_new,
		.records = s->restored,
		.batch = s->restored - s->restored_told,
	};

	s->restored_told = s->restored;
	app->listener.restore(app, event, &r, app->listener.user);
}
