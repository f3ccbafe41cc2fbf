/*
 * The whole way: hostile keys, values, timestamps and headers into EvilNet's topology, with crashes in between.
 * Each input is counted in some window, a dead letter with a reason, or a repeated post; nothing stops or hangs
 * it.
 */
#include "tests/fuzz/cities.h"

/* Names of posts that have been seen: only one that is here can be dropped as repeated. */
struct known {
	char *names[400];
	size_t count;
};

static bool is_known(struct known *known, const struct post *post)
{
	char *name = malloc(post->place.len + post->id.len + 1);

	weir_assert(name && known->count < sizeof known->names / sizeof *known->names);
	memcpy(name, post->place.data, post->place.len);
	name[post->place.len] =
		'\n'; /* no such text is told from two others by chance: at worst it counts as known */
	memcpy(name + post->place.len + 1, post->id.data, post->id.len);
	weir_bytes b = { name, post->place.len + post->id.len + 1 };
	char *text = feed_string(b);

	free(name);
	for (size_t i = 0; i < known->count; i++)
		if (strcmp(known->names[i], text) == 0) {
			free(text);
			return true;
		}
	known->names[known->count++] = text;
	return false;
}

static void *leak(void *user, size_t n)
{
	void **at = user;

	free(*at);
	return *at = malloc(n ? n : 1);
}

struct run {
	struct cities cities;
	struct known known;
	int64_t inputs, repeats; /* repeats: at most so many may be dropped */
};

static void pipe_one(struct run *run, struct feed *f)
{
	char buf[200];
	struct post post;
	weir_header items[3];
	void *memory = NULL;
	weir_error err;
	unsigned how = feed_byte(f);
	weir_bytes value = how & 1 ? cities_post(f, &post, buf, sizeof buf) : feed_text(f);
	weir_bytes key = how & 2 && (how & 1) ? post.place : feed_text(f);
	weir_headers headers = how & 4 ? cities_headers(f, items) : (weir_headers){ 0 };
	int64_t ms = how & 8 ? feed_time(f) : 1663211185000;

	if (!weir_is_null(value) && post_decode(value, &post, leak, &memory, &err))
		run->repeats += is_known(&run->known, &post);
	free(memory);
	run->inputs++;
	weir_driver_pipe_record(run->cities.d, "evilnet.posts", 0, key, value, ms, &headers);
}

/* Posts counted in all windows, by the newest value of each. */
static int64_t counted(struct run *run)
{
	struct window {
		char key[300];
		size_t len;
		int64_t tweets;
	} *windows = calloc(400, sizeof *windows);
	weir_driver_record r;
	size_t n = 0;
	int64_t sum = 0;

	weir_assert(windows);
	while (weir_driver_read(run->cities.d, "evilnet.metrics", &r)) {
		struct city_window w;
		weir_error err;
		size_t i = 0;

		weir_assert(city_window_decode(r.value, &w, &err) && r.key.len < sizeof windows->key);
		while (i < n && (windows[i].len != r.key.len || memcmp(windows[i].key, r.key.data, r.key.len) != 0))
			i++;
		weir_assert(i < 400);
		memcpy(windows[i].key, r.key.data, r.key.len);
		windows[i].len = r.key.len;
		weir_assert(w.tweets > windows[i].tweets && w.users <= w.tweets + 1 && w.retweets <= w.tweets);
		windows[i].tweets = w.tweets;
		n = i == n ? n + 1 : n;
	}
	for (size_t i = 0; i < n; i++)
		sum += windows[i].tweets;
	free(windows);
	return sum;
}

static int64_t letters(struct run *run)
{
	weir_driver_record r;
	int64_t n = 0;

	for (; weir_driver_read(run->cities.d, "dead-letters", &r); n++)
		weir_assert(weir_headers_last(r.headers, "reason").len > 0 &&
			    weir_headers_last(r.headers, "original-timestamp").len > 0);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct feed f = { data, size };
	struct run run = { 0 };
	unsigned how = feed_byte(&f);
	weir_error err = { .code = WEIR_OK };

	cities_open(&run.cities, how & 1);
	while (f.left && run.inputs < 200) {
		if (f.left > 1 && *f.p == 0xff) {
			feed_byte(&f);
			weir_assert(weir_driver_restart(run.cities.d, feed_byte(&f) & 1, &err));
		}
		pipe_one(&run, &f);
	}
	if (weir_app_state_get(weir_driver_app(run.cities.d), &err) != WEIR_APP_RUNNING)
		fprintf(stderr, "stopped: %s\n", err.message);
	weir_assert(weir_app_state_get(weir_driver_app(run.cities.d), NULL) == WEIR_APP_RUNNING);
	int64_t told = counted(&run) + letters(&run);

	weir_assert(told <= run.inputs && run.inputs - told <= run.repeats);
	for (size_t i = 0; i < run.known.count; i++)
		free(run.known.names[i]);
	cities_close(&run.cities);
	return 0;
}
