/*
 * /api/live: server-sent events. What a client looks at (moment, span, city) is a view; clients with the same
 * view share it, and one thread computes it once for all of them, when the source says that something has
 * changed. Each client's own thread writes, always the newest message: one that reads slowly misses some and
 * holds up nobody.
 *
 * Events: a message without a name is a snapshot; `away` and `beat` say that the source is away, or that nothing
 * is new.
 */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "web/json.h"
#include "web/server.h"
#include "web/text.h"

#define POLL_MS 100	    /* how often the source's version is looked at */
#define GAP_MS 500	    /* at least between two messages of a view that moves */
#define GAP_UNKNOWN_MS 1000 /* the same where the source has no version, or is away */
#define GAP_PAST_MS 5000    /* the same where the moment is fixed: only late posts can change it */
#define BEAT_MS 10000

struct message {
	atomic_int refs;
	size_t len;
	char text[];
};

struct view {
	struct view *next;
	int refs; /* clients, and the computing thread */
	struct web_span span;
	char *focus; /* NULL = none */

	bool computed, away;
	uint64_t version; /* of the source, when it was computed */
	int64_t computed_ms;
	char *json; /* the newest snapshot without its moment; NULL before the first and while away */
	struct message *message;
	uint64_t seq; /* grows with each message */
};

struct web_live {
	struct web *web;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* a view has a new message, a beat is asked for, or all ends */
	pthread_cond_t work;	/* there is a new view, or all ends */
	struct view *views;
	int clients;
	uint64_t beats; /* raised to make every client write, which shows who has left */
	bool stop;
};

static int64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void wait_until(struct web_live *live, pthread_cond_t *cond, int64_t ms)
{
	pthread_cond_timedwait(cond, &live->lock, &(struct timespec){ ms / 1000, ms % 1000 * 1000000 });
}

static struct message *message_of(const char *event, char *data)
{
	struct web_text text = { 0 };

	web_text_format(&text, "%s%s%sdata: %s\n\n", event ? "event: " : "", event ? event : "", event ? "\n" : "",
			data);
	free(data);
	struct message *m = web_alloc(sizeof *m + text.len);
	atomic_init(&m->refs, 1);
	m->len = text.len;
	memcpy(m->text, text.data, text.len);
	web_text_release(&text);
	return m;
}

static void message_unref(struct message *m)
{
	if (m && atomic_fetch_sub(&m->refs, 1) == 1)
		free(m);
}

static char *at_json(const struct web *web)
{
	return web_json_at("{\"live\":true}", web_now_ms(web));
}

/* Views; all under the lock. */

static bool is_same(const struct view *v, const struct web_span *span, const char *focus)
{
	bool same_focus = v->focus && focus ? strcmp(v->focus, focus) == 0 : v->focus == focus;

	return same_focus && v->span.live == span->live && v->span.since_ms == span->since_ms &&
	       (span->live || v->span.at_ms == span->at_ms);
}

static struct view *view_ref(struct web_live *live, const struct web_span *span, const char *focus)
{
	struct view *v = live->views;

	while (v && !is_same(v, span, focus))
		v = v->next;
	if (!v) {
		v = web_alloc(sizeof *v);
		v->span = *span;
		v->focus = focus ? web_memdup(focus, strlen(focus)) : NULL;
		v->next = live->views;
		live->views = v;
		pthread_cond_signal(&live->work);
	}
	v->refs++;
	return v;
}

static void view_unref(struct web_live *live, struct view *v)
{
	struct view **at = &live->views;

	if (--v->refs)
		return;
	while (*at != v)
		at = &(*at)->next;
	*at = v->next;
	message_unref(v->message);
	free(v->json);
	free(v->focus);
	free(v);
}

static void publish(struct web_live *live, struct view *v, struct message *m)
{
	message_unref(v->message);
	v->message = m;
	v->seq++;
	pthread_cond_broadcast(&live->changed);
}

static bool is_due(const struct view *v, uint64_t version, int64_t now_ms, int64_t mono_ms)
{
	bool blind = version == 0 || v->away;
	int64_t gap = v->span.live ? (blind ? GAP_UNKNOWN_MS : GAP_MS) : v->away ? GAP_UNKNOWN_MS : GAP_PAST_MS;
	struct web_span now = v->span;

	if (!v->computed)
		return true;
	if (mono_ms - v->computed_ms < gap)
		return false;
	now.at_ms = v->span.live ? now_ms : v->span.at_ms;
	web_span_lay(&now);
	return blind || version != v->version || now.first_ms != v->span.first_ms || now.last_ms != v->span.last_ms;
}

/* Called with the lock, which it lets go while the source is read. */
static void compute(struct web_live *live, struct view *v, uint64_t version)
{
	struct web_span span = v->span;
	weir_error err = { 0 };

	if (span.live)
		span.at_ms = web_now_ms(live->web);
	web_span_lay(&span);
	v->refs++;
	pthread_mutex_unlock(&live->lock);
	char *json = web_snapshot(live->web->opts.source, &span, weir_str(v->focus), &err);
	if (!json)
		web_log_away(&err);
	pthread_mutex_lock(&live->lock);

	bool news = json ? !v->json || strcmp(json, v->json) != 0 : !v->away;
	v->span = span;
	v->computed = true;
	v->computed_ms = monotonic_ms();
	v->version = version;
	v->away = !json;
	free(v->json);
	v->json = json;
	if (news)
		publish(live, v,
			json ? message_of(NULL, web_json_at(json, span.at_ms))
			     : message_of("away", web_json_error("the data are away for the moment")));
	view_unref(live, v);
}

static void *run(void *self)
{
	struct web_live *live = self;
	const struct web_source *source = live->web->opts.source;

	pthread_mutex_lock(&live->lock);
	while (!live->stop) {
		if (!live->views) {
			pthread_cond_wait(&live->work, &live->lock);
			continue;
		}
		pthread_mutex_unlock(&live->lock);
		uint64_t version = source->version ? source->version(source->self) : 0;
		int64_t now_ms = web_now_ms(live->web);
		pthread_mutex_lock(&live->lock);
		struct view *v = live->views;
		while (v && !is_due(v, version, now_ms, monotonic_ms()))
			v = v->next;
		if (v)
			compute(live, v, version);
		else if (live->views && !live->stop)
			wait_until(live, &live->work, monotonic_ms() + POLL_MS);
	}
	pthread_mutex_unlock(&live->lock);
	return NULL;
}

/* One client. */

static bool send_message(struct web_live *live, const struct web_request *rq, struct message *m)
{
	pthread_mutex_unlock(&live->lock);
	bool ok = web_write(rq, m->text, m->len);
	message_unref(m);
	pthread_mutex_lock(&live->lock);
	return ok;
}

static void serve(struct web_live *live, const struct web_request *rq, struct view *v)
{
	uint64_t seq = 0, beats = live->beats;
	int64_t written_ms = monotonic_ms();
	struct message *m;

	for (bool ok = true; ok && !live->stop;) {
		if (v->seq != seq) {
			seq = v->seq;
			m = v->message;
			atomic_fetch_add(&m->refs, 1);
		} else if (live->beats != beats || monotonic_ms() - written_ms >= BEAT_MS) {
			m = message_of("beat", at_json(live->web));
		} else {
			wait_until(live, &live->changed, written_ms + BEAT_MS);
			continue;
		}
		beats = live->beats;
		ok = send_message(live, rq, m);
		written_ms = monotonic_ms();
	}
}

static int refuse(struct web_live *live, const struct web_request *rq)
{
	/* perhaps some of them have left without a word: a beat finds out */
	live->beats++;
	pthread_cond_broadcast(&live->changed);
	pthread_mutex_unlock(&live->lock);
	char *json = web_json_error("too many live clients; ask /api/snapshot, or come back");
	web_reply(rq, 503, "application/json; charset=utf-8", json, strlen(json),
		  "Cache-Control: no-store\r\nRetry-After: 2\r\n");
	free(json);
	return 503;
}

int web_live(const struct web_request *rq)
{
	static const char hello[] = "retry: 2000\n\n";
	struct web_live *live = rq->web->live;
	struct web_span span;
	weir_error err = { 0 };
	char *focus;

	if (!web_span_parse(rq->query, web_now_ms(rq->web), rq->web->opts.source->window_ms, &span, &err) ||
	    !web_query_focus(rq, &focus, &err))
		return web_reply_error(rq, 400, err.message);
	if (rq->head) {
		free(focus);
		return web_reply(rq, 200, "text/event-stream", NULL, 0, NULL);
	}
	pthread_mutex_lock(&live->lock);
	if (live->clients == WEB_LIVE_CLIENTS_MAX) {
		free(focus);
		return refuse(live, rq);
	}
	live->clients++;
	struct view *v = view_ref(live, &span, focus);
	free(focus);
	pthread_mutex_unlock(&live->lock);
	bool ok = web_begin_stream(rq, "text/event-stream") && web_write(rq, hello, sizeof hello - 1);
	pthread_mutex_lock(&live->lock);
	if (ok)
		serve(live, rq, v);
	view_unref(live, v);
	live->clients--;
	pthread_mutex_unlock(&live->lock);
	return 200;
}

struct web_live *web_live_start(struct web *web)
{
	struct web_live *live = web_alloc(sizeof *live);
	pthread_condattr_t monotonic;

	live->web = web;
	pthread_mutex_init(&live->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&live->changed, &monotonic);
	pthread_cond_init(&live->work, &monotonic);
	pthread_condattr_destroy(&monotonic);
	int failed = pthread_create(&live->thread, NULL, run, live);
	weir_assert(!failed);
	return live;
}

void web_live_stop(struct web_live *live)
{
	pthread_mutex_lock(&live->lock);
	live->stop = true;
	pthread_cond_broadcast(&live->changed);
	pthread_cond_signal(&live->work);
	pthread_mutex_unlock(&live->lock);
	pthread_join(live->thread, NULL);
}

void web_live_free(struct web_live *live)
{
	if (!live)
		return;
	pthread_cond_destroy(&live->changed);
	pthread_cond_destroy(&live->work);
	pthread_mutex_destroy(&live->lock);
	free(live);
}
