/* What a task's processors have of their own beside stores: metrics, and a directory for files. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "framework/base/alloc.h"
#include "framework/runtime/runtime.h"

struct own_metric {
	struct own_metric *next;
	weir_metric_kind kind;
	void *handle;
};

static bool make_directory(const char *path, weir_error *err)
{
	if (mkdir(path, 0755) == 0 || errno == EEXIST)
		return true;
	return weir_fail(err, WEIR_IO, "make directory %s: %s", path, strerror(errno));
}

const char *weir__task_dir(weir_context *cx, weir_error *err)
{
	struct task *t = (struct task *)cx;
	const weir_app *app = t->worker->app;
	const char *base = weir_config_string(app->cfg, "state.dir");

	if (t->dir)
		return t->dir;
	if (!base || !*base) {
		weir_fail(err, WEIR_CONFIG, "task %s has no directory: state.dir is not set", t->id);
		return NULL;
	}
	char *all =
		weir__asprintf("%s/%s/tasks", base, app->settings.application_id); /* open_state made the rest */
	char *dir = weir__asprintf("%s/%s", all, t->id);

	if (make_directory(all, err) && make_directory(dir, err))
		t->dir = dir;
	else
		free(dir);
	free(all);
	return t->dir;
}

static void *open_handle(weir_metrics *m, const weir_metric_def *def, const char *const *values)
{
	switch (def->kind) {
	case WEIR_COUNTER:
		return weir_counter_open(m, def->name, values);
	case WEIR_GAUGE:
		return weir_gauge_open(m, def->name, values);
	case WEIR_HISTOGRAM:
		return weir_histogram_open(m, def->name, values);
	}
	return NULL;
}

static void close_handle(weir_metrics *m, weir_metric_kind kind, void *handle)
{
	switch (kind) {
	case WEIR_COUNTER:
		weir_counter_close(m, handle);
		break;
	case WEIR_GAUGE:
		weir_gauge_close(m, handle);
		break;
	case WEIR_HISTOGRAM:
		weir_histogram_close(m, handle);
		break;
	}
}

void *weir__task_metric(weir_context *cx, const weir_metric_def *def, const char *const *label_values)
{
	struct task *t = (struct task *)cx;
	weir_metrics *m = t->worker->app->metrics;
	const char *values[WEIR_METRIC_LABELS_MAX];
	bool has_task = false;

	for (size_t i = 0; i < WEIR_METRIC_LABELS_MAX && def->labels[i]; i++) {
		bool is_task = strcmp(def->labels[i], "task") == 0;

		values[i] = is_task                               ? t->id
			    : strcmp(def->labels[i], "step") == 0 ? cx->current->node->name
								  : *label_values++;
		has_task |= is_task;
	}
	weir_assert(has_task); /* or tasks would share it, and one that leaves would not take it along */
	weir_metrics_add(m, def, 1);
	void *handle = open_handle(m, def, values);

	for (struct own_metric *known = t->metrics; known; known = known->next)
		if (known->handle == handle) { /* asked for again: it is closed once */
			close_handle(m, def->kind, handle);
			return handle;
		}
	struct own_metric *own = weir__malloc(sizeof *own);

	*own = (struct own_metric){ .next = t->metrics, .kind = def->kind, .handle = handle };
	t->metrics = own;
	return handle;
}

void weir__task_own_free(struct task *t)
{
	for (struct own_metric *own = t->metrics, *next; own; own = next) {
		next = own->next;
		close_handle(t->worker->app->metrics, own->kind, own->handle);
		free(own);
	}
	t->metrics = NULL;
	free(t->dir);
	t->dir = NULL;
}
