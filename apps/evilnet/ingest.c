#include "apps/evilnet/ingest.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <weir/clock.h>
#include <weir/log.h>

#include "apps/evilnet/ingest_stats.h"
#include "apps/evilnet/lines.h"
#include "apps/evilnet/outbox.h"
#include "apps/evilnet/source.h"
#include "apps/evilnet/x_object.h"

enum {
	WAIT_MS = 100,       /* the stop flag is looked at so often at least */
	WAIT_PENDING_MS = 5, /* and deliveries, while there are some to come */
	SERVE_EVERY = 64,    /* posts */
	PROGRESS_MS = 10000,
	LOG_EVERY_MS = 60000,
	FLUSH_MS = 5000,       /* when it is told to stop; and the producer's own, when it is closed */
	SILENCE_MS = 86400000, /* in a recording, by its own time: longer ones are not waited out */
};

struct ingest {
	struct evilnet *e;
	struct ingest_opts opts;
	struct ingest_stats stats;
	struct x_retweet_types retweets;
	struct source *source;
	struct outbox *outbox;
	double speed;                             /* of a replay; 0 = as fast as it goes */
	int64_t replay_event_ms, replay_start_ms; /* its first post, and when that was; -1 = not yet */
	bool silence;                             /* the last post came after a long one */
	int64_t progress_ms;
	uint64_t progress_received;
	weir_log_limit unreadable_limit;
};

static int64_t now_ms(void)
{
	weir_clock *clock = weir_clock_system();

	return clock->monotonic_us(clock) / 1000;
}

static bool stopped(const struct ingest *in)
{
	return __atomic_load_n(in->e->stop, __ATOMIC_RELAXED) != 0; /* set by a signal, or by another thread */
}

/* --- one item ------------------------------------------------------------------------------------------------- */

static void dead_letter(struct ingest *in, const struct source_item *item, weir_counter *count, const char *reason,
			int64_t original_ms)
{
	ingest_count(count);
	weir_log_limited(&in->unreadable_limit, LOG_EVERY_MS, WEIR_LOG_WARN, "ingest",
			 "an object cannot be used, it is a dead letter reason=\"%s\" unreadable=%" PRIu64
			 " too_long=%" PRIu64,
			 reason, weir_counter_value(in->stats.unreadable), weir_counter_value(in->stats.too_long));
	outbox_dead_letter(in->outbox, item->raw, item->raw_length, reason, original_ms);
}

/* A replay keeps the distances between posts, shortened. One bad clock must not hold it: a post from the future
 * sets no pace, nor does the first one behind a long silence; with the second one the replay goes on from there. */
static void wait_for_turn(struct ingest *in, int64_t created_ms)
{
	weir_clock *clock = weir_clock_system();

	if (created_ms > clock->wall_ms(clock))
		return;
	double played_ms = (double)(now_ms() - in->replay_start_ms) * in->speed;
	bool silence = (double)(created_ms - in->replay_event_ms) - played_ms > SILENCE_MS;
	if (in->replay_event_ms >= 0 && silence && !in->silence) {
		in->silence = true;
		return;
	}
	in->silence = false;
	if (in->replay_event_ms < 0 || silence) {
		in->replay_event_ms = created_ms;
		in->replay_start_ms = now_ms();
	}
	/* at a tiny speed for as good as ever, in a number that time has */
	double after_ms = fmin((double)(created_ms - in->replay_event_ms) / in->speed, 1e15);
	int64_t left_ms;
	while (!stopped(in) && (left_ms = in->replay_start_ms + (int64_t)after_ms - now_ms()) > 0)
		outbox_serve(in->outbox, left_ms < WAIT_MS ? left_ms : WAIT_MS);
}

static void take_object(struct ingest *in, const struct source_item *item)
{
	struct x_object object;
	weir_error err;

	switch (x_object_read(item->raw, &in->retweets, &object, &err)) {
	case X_POST:
		if (in->speed > 0)
			wait_for_turn(in, object.post.created_at_ms);
		ingest_count(in->stats.kept);
		outbox_post(in->outbox, &object.post, item->raw, item->received_ms);
		break;
	case X_NO_PLACE:
		ingest_count(in->stats.no_place);
		break;
	case X_NOT_CITY:
		ingest_count(in->stats.not_city);
		break;
	case X_UNREADABLE:
		if (item->cut)
			weir_wrap(&err, "the connection ended in the middle of it");
		dead_letter(in, item, in->stats.unreadable, err.message, object.created_at_ms);
		break;
	}
	x_object_release(&object);
}

static void take(struct ingest *in, const struct source_item *item)
{
	char reason[80];

	ingest_count(in->stats.received);
	if (item->post) {
		ingest_count(in->stats.kept);
		outbox_post(in->outbox, item->post, WEIR_NULL, item->received_ms);
	} else if (item->raw_length > item->raw.len) {
		snprintf(reason, sizeof reason, "an object of %zu bytes; %zu are the most", item->raw_length,
			 LINE_BYTES_MAX);
		dead_letter(in, item, in->stats.too_long, reason, -1);
	} else {
		take_object(in, item);
	}
}

/* --- all of them ---------------------------------------------------------------------------------------------- */

static void tell_progress(struct ingest *in, const char *what, double seconds)
{
	const struct ingest_stats *s = &in->stats;
	uint64_t received = weir_counter_value(s->received);
	uint64_t dead = weir_counter_value(s->unreadable) + weir_counter_value(s->too_long) +
			weir_counter_value(s->refused);

	weir_log(WEIR_LOG_INFO, "ingest",
		 "%s received=%" PRIu64 " produced=%" PRIu64 " dropped=%" PRIu64 " dead_letters=%" PRIu64
		 " pending=%zu reconnects=%" PRIu64 " rate=%.1f/s",
		 what, received, weir_counter_value(s->produced),
		 weir_counter_value(s->no_place) + weir_counter_value(s->not_city), dead,
		 outbox_pending(in->outbox), weir_counter_value(s->reconnects),
		 seconds > 0 ? (double)(received - in->progress_received) / seconds : 0);
}

static void watch_progress(struct ingest *in)
{
	int64_t now = now_ms();

	weir_counter_add_single(in->stats.reconnects,
				in->source->reconnects - weir_counter_value(in->stats.reconnects));
	if (now - in->progress_ms < PROGRESS_MS)
		return;
	tell_progress(in, "progress", (double)(now - in->progress_ms) / 1000);
	in->progress_ms = now;
	in->progress_received = weir_counter_value(in->stats.received);
}

/* Until the source has no more, or somebody wants an end. */
static enum source_result pump(struct ingest *in, weir_error *err)
{
	enum source_result result = SOURCE_NOTHING;
	unsigned unserved = 0;

	while (!stopped(in) && (result == SOURCE_ITEM || result == SOURCE_NOTHING)) {
		struct source_item item;

		watch_progress(in);
		if (outbox_full(in->outbox)) {
			outbox_serve(in->outbox, WAIT_MS);
			continue;
		}
		result = in->source->ops->next(in->source, outbox_pending(in->outbox) ? WAIT_PENDING_MS : WAIT_MS,
					       &item, err);
		if (result == SOURCE_ITEM)
			take(in, &item);
		if (result != SOURCE_ITEM || ++unserved == SERVE_EVERY) {
			outbox_serve(in->outbox, 0);
			unserved = 0;
		}
	}
	return result;
}

static int run(struct ingest *in)
{
	weir_error err = { 0 };
	int code = EVILNET_DONE;
	int64_t start_ms = now_ms();

	in->progress_ms = start_ms;
	evilnet_watch_stop(in->e);
	if (pump(in, &err) == SOURCE_FAILED)
		code = evilnet_failed(in->e, "ingest", &err);
	while (outbox_pending(in->outbox) && !stopped(in)) {
		watch_progress(in);
		outbox_serve(in->outbox, WAIT_MS);
	}
	outbox_flush(in->outbox, FLUSH_MS);
	in->progress_received = 0;
	tell_progress(in, "done", (double)(now_ms() - start_ms) / 1000);
	return code;
}

/* --- setting up ----------------------------------------------------------------------------------------------- */

static struct source *open_source(struct ingest *in, const char *name, weir_error *err)
{
	const weir_config *cfg = in->e->cfg;
	bool endless = strcmp(name, "x") == 0 ||
		       (strcmp(name, "simulate") == 0 && !weir_config_int(cfg, "evilnet.simulate.count"));

	if (endless && in->e->exit_at_end) {
		weir_fail(err, WEIR_USAGE, "--exit-at-end: source %s has no end", name);
		return NULL;
	}
	if (strcmp(name, "x") == 0)
		return source_x_open(cfg, in->opts.x_time_scale > 0 ? in->opts.x_time_scale : 1, err);
	if (strcmp(name, "simulate") == 0)
		return source_simulate_open(cfg, err);
	if (strcmp(name, "-") == 0)
		return source_file_open(name, err);
	if (strncmp(name, "file:", 5) == 0 && name[5])
		return source_file_open(name + 5, err);
	weir_fail(err, WEIR_CONFIG, "evilnet.source: x, file:PATH, - or simulate is wanted, got \"%s\"", name);
	return NULL;
}

static bool read_speed(const weir_config *cfg, double *speed, weir_error *err)
{
	const char *text = weir_config_string(cfg, "evilnet.replay.speed");
	char *end;

	*speed = 0;
	if (!text)
		return true;
	*speed = strtod(text, &end);
	if (end > text && !*end && isfinite(*speed) && *speed > 0)
		return true;
	return weir_fail(err, WEIR_CONFIG, "evilnet.replay.speed: a number above 0 is wanted, got \"%s\"", text);
}

static bool open_all(struct ingest *in, weir_error *err)
{
	const weir_config *cfg = in->e->cfg;
	const char *name = weir_config_string(cfg, "evilnet.source");

	if (!name)
		return weir_fail(err, WEIR_CONFIG,
				 "evilnet.source (--source) is not set: x, file:PATH, - or simulate");
	if (!x_retweet_types_parse(weir_config_string(cfg, "evilnet.retweet.types"), &in->retweets, err) ||
	    !read_speed(cfg, &in->speed, err))
		return false;
	in->source = open_source(in, name, err);
	if (!in->source || (in->opts.make_topics && !evilnet_topics_ensure(in->e, err)))
		return false;
	in->outbox = outbox_open(
		(struct outbox_opts){
			.cluster = in->e->cluster,
			.posts_topic = weir_config_string(cfg, "evilnet.topic"),
			.dead_letter_topic = weir_config_string(cfg, "evilnet.dead.letters.topic"),
			.source = name,
			.bytes_max = weir_config_size(cfg, "evilnet.ingest.buffer"),
			.stats = &in->stats,
		},
		err);
	return in->outbox;
}

int ingest_run(struct evilnet *e, struct ingest_opts opts)
{
	struct ingest in = { .e = e, .opts = opts, .replay_event_ms = -1 };
	weir_metrics *own = opts.metrics ? NULL : weir_metrics_new();
	weir_error err = { 0 };

	ingest_stats_open(&in.stats, own ? own : opts.metrics);
	int code = open_all(&in, &err) ? run(&in) : evilnet_failed(e, "ingest", &err);
	if (!outbox_close(in.outbox, &err))
		code = evilnet_failed(e, "ingest", &err);
	if (in.source)
		in.source->ops->close(in.source);
	ingest_stats_close(&in.stats);
	weir_metrics_free(own);
	return code;
}
