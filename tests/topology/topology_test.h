#ifndef TOPOLOGY_TEST_H
#define TOPOLOGY_TEST_H
/* What the tests of topologies share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <weir/weir.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static inline weir_driver *driver(weir_topology *t, weir_driver_opts opts)
{
	weir_error err = { .code = WEIR_OK };

	if (getenv("WEIR_TEST_LOG"))
		weir_log_set(weir_log_stderr, NULL, WEIR_LOG_DEBUG);
	weir_driver *d = weir_driver_new(t, opts, &err);

	if (!d)
		fail_msg("%s", err.message);
	return d;
}

/* For calls whose last argument is `&err`. */
#define must(call) \
	do { \
		weir_error err = { .code = WEIR_OK }; \
		if (!(call)) \
			fail_msg("%s: %s", #call, err.message); \
	} while (0)

#define assert_bytes(bytes, text) \
	do { \
		weir_bytes bytes_ = (bytes); \
		assert_int_equal(bytes_.len, strlen(text)); \
		assert_memory_equal(bytes_.data, text, bytes_.len); \
	} while (0)

#define assert_contains(text, part) \
	do { \
		const char *text_ = (text); \
		if (!strstr(text_, (part))) \
			fail_msg("\"%s\" is not in \"%s\"", (part), text_); \
	} while (0)

/* --- what a topic holds --------------------------------------------------------------------------------------- */

/* How records are written down: "key=value@timestamp", windowed keys as "key[start]". */
struct as {
	bool windowed, number;
};

/* Exactly these records have come since the last look. */
static inline void holds(weir_driver *d, const char *topic, struct as as, const char *const *want, size_t n,
			 const char *file, int line)
{
	for (size_t i = 0; i <= n; i++) {
		const char *got = weir_driver_read_text(d, topic, as.windowed, as.number);

		if (i == n ? !got : got && strcmp(got, want[i]) == 0)
			continue;
		print_error("topic %s, record %zu: wanted %s, found %s\n", topic, i, i < n ? want[i] : "no more",
			    got ? got : "no more");
		_fail(file, line);
	}
}

#define HOLDS(d, topic, as_, ...) \
	do { \
		const char *const want_[] = { __VA_ARGS__ }; \
		holds(d, topic, (struct as)as_, want_, LENGTH(want_), __FILE__, __LINE__); \
	} while (0)
#define AS_TEXT \
	{ \
		false, false \
	}
#define AS_NUMBERS \
	{ \
		false, true \
	}
#define AS_WINDOWS \
	{ \
		true, false \
	}
#define AS_WINDOWED_NUMBERS \
	{ \
		true, true \
	}

#define assert_text(d, topic, ...) HOLDS(d, topic, AS_TEXT, __VA_ARGS__)
#define assert_numbers(d, topic, ...) HOLDS(d, topic, AS_NUMBERS, __VA_ARGS__)
#define assert_windows(d, topic, ...) HOLDS(d, topic, AS_WINDOWS, __VA_ARGS__)
#define assert_windowed_numbers(d, topic, ...) HOLDS(d, topic, AS_WINDOWED_NUMBERS, __VA_ARGS__)
#define assert_nothing(d, topic) holds(d, topic, (struct as)AS_TEXT, NULL, 0, __FILE__, __LINE__)

/* The next dead letter has that value and that reason. */
#define assert_dead_letter(d, text, why) \
	do { \
		weir_driver_record letter_; \
		if (!weir_driver_read(d, "dead-letters", &letter_)) \
			fail_msg("no dead letter, \"%s\" wanted", text); \
		assert_bytes(letter_.value, text); \
		assert_bytes(weir_headers_last(letter_.headers, "reason"), why); \
	} while (0)

/* The application has stopped by itself, and its message says so much. */
#define assert_stopped(d, part) \
	do { \
		weir_error err_ = { .code = WEIR_OK }; \
		assert_int_equal(weir_app_state_get(weir_driver_app(d), &err_), WEIR_APP_ERROR); \
		assert_contains(err_.message, part); \
	} while (0)

/* --- small things --------------------------------------------------------------------------------------------- */

static inline weir_stream *text_source(weir_topology *t, const char *name)
{
	return weir_source(t, name, (weir_source_opts){ .value = &weir_utf8 });
}

/* An object of weir_utf8. */
static inline const weir_bytes *text(weir_context *cx, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static inline const weir_bytes *text(weir_context *cx, const char *format, ...)
{
	char *to = weir_alloc(cx, 200);
	weir_bytes *object = weir_alloc(cx, sizeof *object);
	va_list args;

	va_start(args, format);
	vsnprintf(to, 200, format, args);
	va_end(args);
	*object = weir_str(to);
	return object;
}

/* A record that waits: the driver's own pipe would have it processed and committed at once. */
static inline void put_waiting(weir_driver *d, const char *topic, int32_t partition, const char *key,
			       const char *value, int64_t timestamp_ms)
{
	weir_producer *p;

	must(p = weir_producer_open(weir_driver_cluster(d), (weir_producer_opts){ 0 }, &err));
	must(weir_producer_send(p,
				&(weir_produced){ .topic = topic,
						  .partition = partition,
						  .timestamp_ms = timestamp_ms,
						  .key = weir_str(key),
						  .value = value ? weir_str(value) : WEIR_NULL },
				&err));
	weir_producer_close(p);
}

/* What counts in windows of 10 ms, and gives a result when they close, gives them in order and whole although their
 * order may take 0.9 MB only, with memory.bytes.max=16m: a fourth of it. */
static inline void assert_more_than_memory_takes_in_order(weir_driver *d)
{
	enum { KEYS = 40000 };
	weir_driver_record r;
	char key[16];

	weir_driver_stop(d, false);
	for (int i = 0; i < KEYS; i++) {
		snprintf(key, sizeof key, "%05d", i * 7 % KEYS);
		weir_driver_pipe(d, "in", key, "1", 1 + i % 9);
	}
	weir_driver_pipe(d, "in", "end", "1", 10);
	must(weir_driver_start(d, NULL, &err));
	for (int i = 0; i < KEYS; i++) {
		snprintf(key, sizeof key, "%05d", i);
		assert_true(weir_driver_read(d, "out", &r));
		assert_memory_equal(r.key.data, key, 5);
		assert_int_equal(weir_get_be64(r.value.data), 1);
	}
	assert_false(weir_driver_read(d, "out", &r));
}

static inline int32_t partitions_of(weir_driver *d, const char *topic)
{
	weir_error err = { .code = WEIR_OK };
	int32_t n = weir_topic_partitions(weir_driver_cluster(d), topic, &err);

	if (n < 0)
		fail_msg("%s", err.message);
	return n;
}

static inline char *temporary_directory(void)
{
	char *dir = strdup("/tmp/weir-topology-XXXXXX");

	assert_non_null(mkdtemp(dir));
	return dir;
}

static inline void remove_directory(char *dir)
{
	char command[200];

	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	assert_int_equal(system(command), 0);
	free(dir);
}

#endif
