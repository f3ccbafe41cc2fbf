/* The parts of <weir/processor.h> and <weir/record.h> that need no runtime. */
#include <stdarg.h>
#include <stdio.h>

#include "framework/operators/operator.h"

void *weir_alloc(weir_context *cx, size_t n)
{
	return weir__arena_alloc(&cx->arena, n);
}

const weir_bytes *weir_text(weir_context *cx, const char *format, ...)
{
	weir_bytes *text = weir_alloc(cx, sizeof *text);
	va_list args, again;

	va_start(args, format);
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, args);
	char *to = weir_alloc(cx, (size_t)(len > 0 ? len : 0) + 1);

	*to = 0;
	vsnprintf(to, (size_t)(len > 0 ? len : 0) + 1, format, again);
	va_end(again);
	va_end(args);
	*text = weir_bytes_of(to, (size_t)(len > 0 ? len : 0));
	return text;
}

const void *weir_value(const weir_record *record)
{
	weir_record *r = (weir_record *)record; /* caching the decoded form does not change what the record is */

	if (r->object || weir_is_null(r->encoded))
		return r->object;
	if (!r->serde) {
		weir_bytes *bytes = weir_alloc(r->cx, sizeof *bytes);

		*bytes = r->encoded;
		return r->object = bytes;
	}
	weir_error err;

	r->object = r->serde->decode(r->cx, r->encoded, &err);
	/* sources decode first and turn such records away, so these bytes were made in this process */
	if (!r->object)
		weir_stop(r->cx, "a value made by the topology cannot be read as %s: %s", r->serde->name,
			  err.message);
	return r->object;
}

weir_bytes weir_value_bytes(const weir_record *record)
{
	weir_record *r = (weir_record *)record;

	if (!r->has_encoded && r->object) {
		r->encoded = r->serde ? r->serde->encode(r->cx, r->object) : *(const weir_bytes *)r->object;
		r->has_encoded = true;
	}
	return r->encoded;
}

const weir_headers *weir_record_headers(const weir_record *r)
{
	const weir_context *cx = r->cx;

	if (r->headers)
		return r->headers;
	if (!cx->source)
		return weir__origin_headers(cx);
	return cx->source_headers ? cx->source_headers : weir_kafka_record_headers(cx->source);
}

const weir_headers *weir_headers_with(weir_context *cx, const weir_headers *headers, const char *name,
				      weir_bytes value)
{
	weir_headers *more = weir_alloc(cx, sizeof *more);
	weir_header *items = weir_alloc(cx, (headers->count + 1) * sizeof *items);

	if (headers->count)
		memcpy(items, headers->items, headers->count * sizeof *items);
	items[headers->count] = (weir_header){ name, value };
	*more = (weir_headers){ items, headers->count + 1 };
	return more;
}

weir_bytes weir__windowed_key(weir_context *cx, const weir_record *r)
{
	char *p = weir_alloc(cx, r->key.len + 16), *at = p + r->key.len;

	if (r->key.len)
		memcpy(p, r->key.data, r->key.len);
	if (r->session) {
		weir_put_be64(at, r->window_end_ms);
		at += 8;
	}
	weir_put_be64(at, r->window_start_ms);
	return weir_bytes_of(p, (size_t)(at + 8 - p));
}

const weir_serde *weir_step_serde(const weir_context *cx)
{
	return cx->current->node->value;
}

static bool may_forward(weir_context *cx, const weir_record *record)
{
	const struct instance *in = cx->current;

	/* what is around such a step may, but not where nothing can come behind it */
	bool nothing = in->op->forwards_nothing && (!weir__is_outside(in) || in->node->id < 0);

	if (!record || !record->cx)
		weir_stop(cx,
			  "step \"%s\" forwards a record that is neither a copy of one it was given nor begun with "
			  "weir_record_begin",
			  in->node->name);
	else if (nothing)
		weir_stop(cx, "step \"%s\" forwards a record: it can only give values", cx->current->node->name);
	else if (cx->keeping == cx->current && !weir_bytes_equal(record->key, cx->kept_key))
		weir_stop(cx, "step \"%s\" forwards a record with another key, and it was to keep the key",
			  cx->current->node->name);
	else
		return true;
	return false;
}

void weir_forward(weir_context *cx, const weir_record *record)
{
	const struct instance *in = cx->current;
	weir_record copy;

	if (!may_forward(cx, record))
		return;
	if (in->op->has_copies_forwarded && record->serde != in->node->value) { /* its value has not been set */
		copy = weir__copy_for(in, record);
		record = &copy;
	}
	uint32_t origin = weir__origin_of(cx, record);

	weir__pass_on(cx->current, cx, record);
	weir__origin_back(cx, record, origin);
}

void weir_forward_to(weir_context *cx, const char *step, const weir_record *record)
{
	struct instance *in = cx->current;

	if (!may_forward(cx, record))
		return;
	for (size_t i = 0; i < in->child_count; i++)
		if (strcmp(in->children[i]->node->name, step) == 0) {
			uint32_t origin = weir__origin_of(cx, record);

			weir__passes_anew(cx);
			if (!cx->failure)
				weir__process(in->children[i], cx, record);
			weir__origin_back(cx, record, origin);
			cx->current = in;
			return;
		}
	weir_stop(cx, "step \"%s\" forwards to \"%s\", which is not below it", in->node->name, step);
}

weir_store *weir_context_store(weir_context *cx, const char *name)
{
	const struct instance *in = cx->current;

	for (size_t i = 0; name && i < in->node->store_count; i++)
		if (strcmp(in->node->stores[i]->spec.name, name) == 0)
			return in->stores[i];
	weir_stop(cx, "step \"%s\" asks for the store \"%s\", which it has not declared", in->node->name,
		  name ? name : "NULL");
	return weir__store_none();
}

int64_t weir_stream_time_ms(const weir_context *cx)
{
	return cx->stream_time_ms;
}

int64_t weir_partition_time_ms(const weir_context *cx)
{
	return cx->ops->partition_time(cx);
}

int64_t weir_step_time_seen(weir_context *cx, int64_t timestamp_ms)
{
	weir__time_seen(cx->current, timestamp_ms);
	return cx->current->observed_ms;
}

int64_t weir_step_time_ms(const weir_context *cx)
{
	return cx->current->observed_ms;
}

int64_t weir_now_ms(const weir_context *cx)
{
	return cx->clock->wall_ms(cx->clock);
}

weir_metadata weir_record_metadata(const weir_context *cx)
{
	const weir_kafka_record *s = cx->source;

	return s ? (weir_metadata){ s->topic, s->partition, s->offset } : (weir_metadata){ NULL, -1, -1 };
}

int32_t weir_task_partition(const weir_context *cx)
{
	return cx->partition;
}

const char *weir_task_id(const weir_context *cx)
{
	return cx->ops->task_id(cx);
}

const weir_config *weir_context_config(const weir_context *cx)
{
	return cx->ops->config(cx);
}

const char *weir_application_id(const weir_context *cx)
{
	return weir_config_string(weir_context_config(cx), "application.id");
}

const char *weir_state_dir(weir_context *cx, weir_error *err)
{
	return cx->ops->state_dir(cx, err);
}

static void *metric(weir_context *cx, const weir_metric_def *def, const char *const *label_values,
		    weir_metric_kind kind)
{
	weir_assert(def->kind == kind);
	return cx->ops->metric(cx, def, label_values);
}

weir_counter *weir_task_counter(weir_context *cx, const weir_metric_def *def, const char *const *label_values)
{
	return metric(cx, def, label_values, WEIR_COUNTER);
}

weir_gauge *weir_task_gauge(weir_context *cx, const weir_metric_def *def, const char *const *label_values)
{
	return metric(cx, def, label_values, WEIR_GAUGE);
}

weir_histogram *weir_task_histogram(weir_context *cx, const weir_metric_def *def, const char *const *label_values)
{
	return metric(cx, def, label_values, WEIR_HISTOGRAM);
}

bool weir__release_begin(weir_context *cx, struct released *what, const weir_record *r)
{
	struct instance *current = cx->current;

	what->outer = cx->released;
	cx->released = what;
	cx->current = (struct instance *)what->step;
	bool refused = cx->ops->row_refused(cx, r);

	cx->current = current;
	if (!refused)
		return true;
	cx->released = what->outer;
	return false;
}

void weir__release_end(weir_context *cx)
{
	cx->released = cx->released->outer;
}

void weir_dead_letter(weir_context *cx, const weir_record *record, const char *reason)
{
	weir__dead_letter_as(cx, record, reason, 1);
}

void weir__dead_letter_as(weir_context *cx, const weir_record *r, const char *reason, int times)
{
	if (cx->failure) /* that says more */
		return;
	cx->ops->dead_letter(cx, r, reason);
	weir__dropped(cx, times);
}

void weir__dropped(weir_context *cx, int times)
{
	cx->ops->dropped(cx, times);
}

void weir_step_fail(weir_context *cx, const char *format, ...)
{
	char text[300];
	va_list args;

	if (cx->failure)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	cx->failure = weir__arena_strdup(&cx->arena, text);
}

void weir__failed(struct instance *in, weir_context *cx, const weir_record *r, int64_t now_ms)
{
	const char *message = cx->failure;

	cx->failure = NULL;
	cx->current = in;
	cx->ops->failed(cx, r, message, now_ms);
}

void weir__failed_for_good(weir_context *cx, const char *what)
{
	if (cx->failure)
		weir_stop(cx, "step \"%s\" has failed (%s): %s", cx->current->node->name, what, cx->failure);
	cx->failure = NULL;
}

void weir_stop(weir_context *cx, const char *format, ...)
{
	char text[300];
	va_list args;

	if (cx->failed)
		return;
	cx->failed = true;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	weir_fail(&cx->error, WEIR_USER, "%s", text);
	cx->error.fatal = true;
}

void weir_request_commit(weir_context *cx)
{
	cx->commit_requested = true;
}

static weir_timer *schedule(weir_context *cx, const int64_t *start_ms, int64_t interval_ms, weir_time time,
			    weir_punctuate_fn *fn)
{
	if (interval_ms > 0 && fn)
		return cx->ops->schedule(cx, start_ms, interval_ms, time, fn);
	weir_stop(cx, "step \"%s\" schedules a timer %s", cx->current->node->name,
		  fn ? "whose interval is not positive" : "without a function");
	return NULL;
}

weir_timer *weir_schedule(weir_context *cx, int64_t interval_ms, weir_time time, weir_punctuate_fn *fn)
{
	return schedule(cx, NULL, interval_ms, time, fn);
}

weir_timer *weir_schedule_at(weir_context *cx, int64_t start_ms, int64_t interval_ms, weir_time time,
			     weir_punctuate_fn *fn)
{
	if (start_ms >= 0)
		return schedule(cx, &start_ms, interval_ms, time, fn);
	weir_stop(cx, "step \"%s\" schedules a timer from a time before 1970 on", cx->current->node->name);
	return NULL;
}
