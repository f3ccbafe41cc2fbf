/* What stands beside a committed offset, which anybody who may commit for the group can write. */
#include "framework/runtime/runtime.h"
#include "tests/fuzz/fuzz.h"

static weir_topology *counts(void)
{
	weir_topology *t = weir_topology_new("app");
	weir_stream *in = weir_source(t, "in", (weir_source_opts){ .value = &weir_utf8 });

	weir_count(in, "counts", (weir_window){ .size_ms = 60000, .grace_ms = 1000 });
	weir_count(in, "closing", (weir_window){ .gap_ms = 60000, .grace_ms = 1000, .emit_on_close = true });
	return t;
}

static struct task *task(void)
{
	static weir_driver *d;
	weir_error err;

	if (!d)
		d = weir_driver_new(counts(), (weir_driver_opts){ 0 }, &err);
	weir_assert(d);
	return weir_driver_app(d)->workers[0].tasks[0];
}

static void forget(struct task *t)
{
	t->cx.stream_time_ms = t->inputs[0].time_ms = INT64_MIN;
	for (size_t i = 0; i < t->sub->node_count; i++)
		t->instances[i].observed_ms = INT64_MIN;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct task *t = task();
	struct input *in = &t->inputs[0];
	char *text = feed_string(weir_bytes_of(data, size));
	weir_error err = { .code = WEIR_OK };

	forget(t);
	if (!weir__metadata_apply(in, text, &err))
		weir_assert(err.code == WEIR_STATE && err.message[0]);
	weir_assert(in->time_ms >= 0 || in->time_ms == INT64_MIN);
	/* What is written of it says the same. */
	int64_t time_ms = in->time_ms, observed_ms[8];
	char *own = weir__metadata_encode(in);

	weir_assert(t->sub->node_count <= 8);
	for (size_t i = 0; i < t->sub->node_count; i++)
		observed_ms[i] = t->instances[i].observed_ms;
	forget(t);
	weir_assert(weir__metadata_apply(in, own, &err) && in->time_ms == time_ms);
	for (size_t i = 0; i < t->sub->node_count; i++)
		weir_assert(observed_ms[i] == t->instances[i].observed_ms);
	free(own);
	free(text);
	return 0;
}
