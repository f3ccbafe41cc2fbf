/*
 * Changelogs that others have written to: EvilNet comes up from them, counts, crashes and comes up again; or it
 * stops and says why. Members and sketches of distinct counts, counts of cities and keys of windows are all read
 * here.
 */
#include "tests/fuzz/cities.h"

static const char *const changelogs[] = { "evilnet-seen-changelog", "evilnet-users-changelog",
					  "evilnet-cities-changelog" };

/* The key of a window, as the stores make them, around what the input says. */
static weir_bytes window_key(struct feed *f, char *to, size_t size)
{
	weir_bytes inner = feed_text(f);
	size_t n = 0;

	if (weir_is_null(inner) || inner.len + 40 > size)
		return inner;
	unsigned how = feed_byte(f);

	if (how & 1) { /* an entry of a distinct count, or of the posts that were seen */
		weir_put_be32(to, (int32_t)strlen("Toronto, Ontario"));
		memcpy(to + 4, "Toronto, Ontario", 16);
		n = 20;
		if (how & 2)
			to[n++] = (char)(1 + (how >> 7));
	}
	if (inner.len)
		memcpy(to + n, inner.data, inner.len);
	n += inner.len;
	weir_put_be64(to + n, how & 4 ? 1663210800000 : feed_time(f));
	weir_put_be32(to + n + 8, 0);
	return weir_bytes_of(to, n + 12);
}

static void write_one(weir_producer *producer, struct feed *f)
{
	char buf[400];
	unsigned how = feed_byte(f);
	weir_bytes key = how & 4 ? window_key(f, buf, sizeof buf) : feed_text(f);
	weir_produced p = { .topic = changelogs[how % 3],
			    .partition = 0,
			    .timestamp_ms = feed_time(f),
			    .key = key,
			    .value = feed_text(f) };
	weir_error err;

	weir_assert(weir_producer_send(producer, &p, &err));
}

static void post_some(struct cities *c, struct feed *f)
{
	char buf[200];
	struct post post;

	for (int i = 0; i < 20 && f->left; i++) {
		weir_bytes value = cities_post(f, &post, buf, sizeof buf);

		post.created_at_ms = 1663211185000;
		value = weir_bytes_of(buf, post_encode(&post, buf, sizeof buf));
		weir_driver_pipe_record(c->d, "evilnet.posts", 0, post.place, value, 0, NULL);
	}
}

/* What it stops for is no bug; that it does not say why would be. */
static bool runs(struct cities *c)
{
	weir_error err = { .code = WEIR_OK };
	weir_app *app = weir_driver_app(c->d);

	if (app && weir_app_state_get(app, &err) == WEIR_APP_RUNNING)
		return true;
	weir_assert(!app || err.message[0]);
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct feed f = { data, size };
	struct cities c;
	weir_error err = { .code = WEIR_OK };

	cities_open(&c, false);
	weir_driver_pipe(c.d, "evilnet.posts", "nowhere", "{}", 1); /* its offset makes the changelogs count */
	weir_driver_stop(c.d, true);
	weir_producer *producer = weir_producer_open(weir_driver_cluster(c.d), (weir_producer_opts){ 0 }, &err);

	weir_assert(producer);
	for (unsigned n = 1 + feed_byte(&f) % 64; n && f.left; n--)
		write_one(producer, &f);
	weir_assert(weir_producer_flush(producer, 1000, &err));
	weir_producer_close(producer);
	for (int i = 0; i < 2; i++) {
		if (!weir_driver_start(c.d, NULL, &err)) {
			weir_assert(err.message[0]);
			break;
		}
		post_some(&c, &f);
		if (!runs(&c))
			break;
		weir_driver_stop(c.d, true);
	}
	cities_close(&c);
	return 0;
}
