#include <weir/driver.h>

#include <stdio.h>
#include <stdlib.h>

#include "framework/base/alloc.h"
#include "framework/runtime/runtime.h"

enum { START_MS_MAX = 60000, QUIET_STEPS = 6, STEPS_MAX = 1000000 };

/* However far a test moves the clock at once, the group still has its member. */
#define MEMBERSHIP_MS WEIR_DAYS(36500)

/* What has been read of one output topic. */
struct reader {
	struct reader *next;
	char *topic;
	weir_consumer *consumer;
};

/* Event times of a test are its own affair: nothing may expire by the clock. */
static const char *const forever[][2] = { { "retention.ms", "-1" } };

struct weir_driver {
	weir_topology *topology;
	weir_config *cfg;
	weir_cluster *cluster;
	weir_app *app;
	weir_producer *producer;
	weir_manual_clock clock;
	struct reader *readers;
	struct arena out; /* of the last record given */
	weir_topic_spec topics_like;
	bool commit_each_record;
	weir_listener listener;
};

/* --- stepping ------------------------------------------------------------------------------------ */

static struct worker *worker_of(weir_driver *d)
{
	return &d->app->workers[0];
}

static bool all_run(const struct worker *w)
{
	for (size_t i = 0; i < w->task_count; i++)
		if (w->tasks[i]->state != TASK_RUNNING)
			return false;
	return w->task_count > 0 || w->app->topology->subtopology_count == 0;
}

/* Steps until nothing moves any more. False when the application has stopped by itself. */
static bool settle(weir_driver *d)
{
	if (!d->app)
		return false;
	struct worker *w = worker_of(d);
	int quiet = 0;

	for (int i = 0; i < STEPS_MAX && quiet < QUIET_STEPS; i++) {
		long long before = atomic_load(&w->records) + atomic_load(&w->restored);
		bool was_open = w->in_transaction;

		w->commit_now = w->in_transaction;
		if (!weir__worker_step(w, 0) && !weir__worker_replace(w)) {
			weir__app_failed(d->app, &w->error);
			return false;
		}
		bool moved = was_open || w->in_transaction || w->kept > 0 || !all_run(w) ||
			     before != atomic_load(&w->records) + atomic_load(&w->restored);

		quiet = moved ? 0 : quiet + 1;
		if (!all_run(w))
			d->clock.now_ms++; /* group and retries live by the clock */
	}
	return true;
}

static bool run_app(weir_driver *d, weir_error *err)
{
	d->app = weir_app_new(d->topology, d->cfg, d->cluster,
			      (weir_app_opts){ .clock = &d->clock.clock, .listener = d->listener }, err);
	if (!d->app)
		return false;
	d->app->settings.commit_each_record = d->commit_each_record;
	d->app->settings.missing_topics = &d->topics_like;
	d->app->settings.session_timeout_ms = d->app->settings.max_poll_interval_ms = MEMBERSHIP_MS;
	if (!weir__app_prepare(d->app, err))
		return false;
	struct worker *w = worker_of(d);

	for (int i = 0; i < START_MS_MAX && !all_run(w); i++) {
		if (!weir__worker_step(w, 0) && !weir__worker_replace(w)) {
			weir__app_failed(d->app, &w->error);
			if (err)
				*err = w->error;
			return false;
		}
		if (!all_run(w))
			d->clock.now_ms++;
	}
	if (!all_run(w))
		return weir_fail(err, WEIR_TIMEOUT, "the tasks do not come up");
	if (settle(d)) /* what was waiting */
		return true;
	if (err)
		*err = w->error;
	return false;
}

static void end_app(weir_driver *d, bool crash)
{
	if (!d->app)
		return;
	d->app->crash = crash;
	weir_app_stop(d->app, 0, NULL);
	weir_app_free(d->app);
	d->app = NULL;
}

static bool start_app(weir_driver *d, weir_error *err)
{
	bool ok = run_app(d, err);

	if (!ok)
		end_app(d, false); /* it leaves the group, and may be tried again */
	return ok;
}

/* --- life ---------------------------------------------------------------------------------------- */

static bool configure(weir_driver *d, const weir_driver_opts *opts, weir_error *err)
{
	d->cfg = weir_config_new();
	const char *fixed[][2] = {
		{ "application.id", d->topology->name },
		{ "instance.id", "driver" },
		{ "state.dir", opts->state_dir ? opts->state_dir : "" },
		{ "errors.dead.letter.queue.topic.name", "dead-letters" },
		{ "emit.interval.ms", "0ms" }, /* as Kafka Streams' driver has it */
	};

	weir__graph_add_keys(d->topology, d->cfg);
	for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
		if (!weir_config_set(d->cfg, fixed[i][0], fixed[i][1], WEIR_FROM_DEFAULT, "driver", err))
			return false;
	for (size_t i = 0; i < opts->config_count; i++)
		if (!weir_config_set(d->cfg, opts->config[i][0], opts->config[i][1], WEIR_FROM_COMMAND_LINE,
				     "driver", err))
			return false;
	return true;
}

static bool make_topics(weir_driver *d, weir_error *err)
{
	const char *dead_letters = weir_config_string(d->cfg, "errors.dead.letter.queue.topic.name");

	return weir__topics_create_external(d->topology, d->cluster, dead_letters, d->topics_like, err);
}

weir_driver *weir_driver_new(weir_topology *topology, weir_driver_opts opts, weir_error *err)
{
	if (!weir__graph_take(topology, err))
		return NULL;
	weir_driver *d = weir__calloc(1, sizeof *d);

	d->topology = topology;
	d->topics_like = (weir_topic_spec){ .partitions = opts.partitions ? opts.partitions : 1,
					    .configs = forever,
					    .config_count = 1 };
	d->commit_each_record = opts.commit_each_record;
	d->listener = opts.listener;
	weir__arena_init(&d->out, 0);
	weir_manual_clock_init(&d->clock, opts.now_ms ? opts.now_ms : 1704067200000);
	d->cluster = weir_cluster_embedded((weir_embedded_opts){
		.clock = &d->clock.clock, .partitions = d->topics_like.partitions, .future_ms_max = INT64_MAX });
	if (configure(d, &opts, err) && weir__graph_finish(topology, err) && make_topics(d, err) &&
	    (d->producer = weir_producer_open(d->cluster, (weir_producer_opts){ 0 }, err)) != NULL &&
	    start_app(d, err))
		return d;
	weir_driver_free(d);
	return NULL;
}

void weir_driver_free(weir_driver *d)
{
	if (!d)
		return;
	end_app(d, false);
	weir_producer_close(d->producer);
	for (struct reader *r = d->readers, *next; r; r = next) {
		next = r->next;
		weir_consumer_close(r->consumer);
		free(r->topic);
		free(r);
	}
	weir_cluster_free(d->cluster);
	weir_config_free(d->cfg);
	weir__arena_release(&d->out);
	weir_topology_free(d->topology);
	free(d);
}

void weir_driver_stop(weir_driver *d, bool crash)
{
	end_app(d, crash);
}

bool weir_driver_start(weir_driver *d, weir_topology *topology, weir_error *err)
{
	if (topology && topology != d->topology && !weir__graph_take(topology, err))
		return false;
	end_app(d, false);
	if (topology && topology != d->topology) {
		weir_topology_free(d->topology);
		d->topology = topology;
		weir__graph_add_keys(topology, d->cfg);
	}
	return weir__graph_finish(d->topology, err) && make_topics(d, err) && start_app(d, err);
}

bool weir_driver_restart(weir_driver *d, bool crash, weir_error *err)
{
	end_app(d, crash);
	return start_app(d, err);
}

/* --- in ------------------------------------------------------------------------------------------ */

/* A name that no topic has yet, and that some source's pattern matches, is one from now on. */
static void find_topic(weir_driver *d, const char *topic)
{
	weir_topic_spec spec = d->topics_like;
	bool matches = false;
	weir_error err;

	spec.name = topic;
	for (size_t i = 0; i < d->topology->topic_count; i++)
		matches |= d->topology->topics[i]->kind == TOPIC_PATTERN &&
			   weir__graph_matches(d->topology->topics[i], topic);
	if (!matches || weir_topic_partitions(d->cluster, topic, &err) > 0)
		return;
	if (!weir_topics_create(d->cluster, &spec, 1, &err))
		weir_log(WEIR_LOG_ERROR, "driver", "pipe: %s", err.message);
	if (d->app) {
		worker_of(d)->next_match_us = 0;
		settle(d);
	}
}

/* While it is stopped, what is piped may be for a topology to come. */
static bool has_place(weir_driver *d, const char *topic, int32_t partition, weir_error *err)
{
	if (!topic)
		return weir_fail(err, WEIR_USAGE, "the topic is NULL");
	int32_t count = weir_topic_partitions(d->cluster, topic, err);

	if (!d->app || count < 0)
		return count >= 0;
	if (count == 0)
		return weir_fail(err, WEIR_USAGE, "there is no topic \"%s\": no step reads it, or writes to it",
				 topic);
	return (partition >= -1 && partition < count) ||
	       weir_fail(err, WEIR_USAGE, "topic \"%s\" has no partition %d, but %d of them", topic, (int)partition,
			 (int)count);
}

void weir_driver_pipe_record(weir_driver *d, const char *topic, int32_t partition, weir_bytes key, weir_bytes value,
			     int64_t timestamp_ms, const weir_headers *headers)
{
	weir_produced p = { .topic = topic,
			    .partition = partition,
			    .timestamp_ms = timestamp_ms,
			    .key = key,
			    .value = value,
			    .headers = headers };
	weir_error err;

	if (topic)
		find_topic(d, topic);
	if (!has_place(d, topic, partition, &err) || !weir_producer_send(d->producer, &p, &err) ||
	    !weir_producer_flush(d->producer, 1000, &err)) {
		weir_log(WEIR_LOG_ERROR, "driver", "pipe: %s", err.message);
		if (d->app)
			weir__app_failed(d->app, &err);
		return;
	}
	settle(d);
}

void weir_driver_pipe(weir_driver *d, const char *topic, const char *key, const char *value, int64_t timestamp_ms)
{
	weir_driver_pipe_record(d, topic, -1, weir_str(key), weir_str(value), timestamp_ms, NULL);
}

void weir_driver_pipe_list(weir_driver *d, const char *topic, const char *const (*records)[2], size_t n,
			   int64_t start_ms, int64_t advance_ms)
{
	for (size_t i = 0; i < n; i++)
		weir_driver_pipe(d, topic, records[i][0], records[i][1], start_ms + (int64_t)i * advance_ms);
}

void weir_driver_advance(weir_driver *d, int64_t ms)
{
	d->clock.now_ms = weir_time_add(d->clock.now_ms, ms);
	settle(d);
}

/* --- out ----------------------------------------------------------------------------------------- */

static struct reader *reader_of(weir_driver *d, const char *topic)
{
	weir_error err;

	for (struct reader *r = d->readers; r; r = r->next)
		if (strcmp(r->topic, topic) == 0)
			return r;
	int32_t partitions = weir_topic_partitions(d->cluster, topic, &err);

	if (partitions <= 0)
		return NULL;
	struct reader *r = weir__calloc(1, sizeof *r);

	r->topic = weir__strdup(topic);
	r->consumer = weir_consumer_open(d->cluster, (weir_consumer_opts){ 0 }, &err);
	for (int32_t p = 0; p < partitions; p++) {
		weir_partition at = { .topic = r->topic, .partition = p, .offset = WEIR_OFFSET_BEGINNING };

		weir_consumer_assign(r->consumer, &at, 1, &err);
	}
	r->next = d->readers;
	d->readers = r;
	return r;
}

struct taking {
	weir_driver *d;
	weir_driver_record *out;
	bool taken;
};

static bool take_one(const weir_kafka_record *record, void *user)
{
	struct taking *t = user;
	struct arena *a = &t->d->out;
	const weir_headers *from = weir_kafka_record_headers(record);
	weir_headers *headers = weir__arena_alloc(a, sizeof *headers);
	weir_header *items = weir__arena_alloc(a, (from->count + 1) * sizeof *items);

	for (size_t i = 0; i < from->count; i++)
		items[i] = (weir_header){ weir__arena_strdup(a, from->items[i].name),
					  weir__arena_copy(a, from->items[i].value) };
	*headers = (weir_headers){ items, from->count };
	*t->out = (weir_driver_record){
		.key = weir__arena_copy(a, record->key),
		.value = weir__arena_copy(a, record->value),
		.timestamp_ms = record->timestamp_ms,
		.partition = record->partition,
		.headers = headers,
	};
	t->taken = true;
	return false;
}

bool weir_driver_read(weir_driver *d, const char *topic, weir_driver_record *out)
{
	struct reader *r = reader_of(d, topic);
	struct taking t = { d, out, false };
	weir_error err;

	weir__arena_reset(&d->out);
	return r && weir_consumer_poll(r->consumer, 0, take_one, &t, &err) && t.taken;
}

static char *as_text(struct arena *a, weir_bytes b, bool number)
{
	if (weir_is_null(b))
		return weir__arena_strdup(a, "null");
	if (number && b.len == 8)
		return weir__arena_printf(a, "%lld", (long long)weir_get_be64(b.data));
	return weir__arena_printf(a, "%.*s", (int)b.len, (const char *)b.data);
}

const char *weir_driver_read_text(weir_driver *d, const char *topic, bool windowed, bool number)
{
	weir_driver_record r;

	if (!weir_driver_read(d, topic, &r))
		return NULL;
	char *value = as_text(&d->out, r.value, number);

	if (!windowed || r.key.len < 8)
		return weir__arena_printf(&d->out, "%s=%s@%lld", as_text(&d->out, r.key, false), value,
					  (long long)r.timestamp_ms);
	weir_bytes key = weir_bytes_of(r.key.data, r.key.len - 8);

	return weir__arena_printf(&d->out, "%s[%lld]=%s@%lld", as_text(&d->out, key, false),
				  (long long)weir_get_be64((const char *)r.key.data + key.len), value,
				  (long long)r.timestamp_ms);
}

weir_store *weir_driver_store(weir_driver *d, const char *name, int32_t partition)
{
	struct worker *w = d->app ? worker_of(d) : NULL;

	for (size_t i = 0; w && i < w->task_count; i++)
		for (size_t j = 0; j < w->tasks[i]->store_count; j++)
			if (w->tasks[i]->partition == partition &&
			    strcmp(w->tasks[i]->stores[j].graph->spec.name, name) == 0)
				return w->tasks[i]->stores[j].store;
	return w ? weir__global_store(d->app, name) : NULL;
}

void weir_driver_stores_each(weir_driver *d, weir_driver_store_fn *fn, void *user)
{
	struct worker *w = d->app ? worker_of(d) : NULL;

	for (size_t i = 0; w && i < w->task_count; i++)
		for (size_t j = 0; j < w->tasks[i]->store_count; j++)
			fn(w->tasks[i]->stores[j].graph->spec.name, w->tasks[i]->partition,
			   w->tasks[i]->stores[j].store, user);
	for (size_t i = 0; w && i < d->app->topology->global_count; i++) {
		const char *name = d->app->topology->globals[i]->store;
		weir_store *store = weir__global_store(d->app, name);

		if (store)
			fn(name, 0, store, user);
	}
}

weir_cluster *weir_driver_cluster(weir_driver *d)
{
	return d->cluster;
}

weir_app *weir_driver_app(weir_driver *d)
{
	return d->app;
}
