/*
 * A process with stores of all kinds, on disk, is killed with SIGKILL three times while records come, on a real
 * cluster. What it has made by the end, and what its stores hold, restored from disk and changelog and then from
 * the changelog alone, is what the test driver makes of the same records without any trouble.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "tests/integration/app_on_kafka.h"

enum { PARTITIONS = 2, RECORDS = 3000, BATCH = 50, KILLS = 3, KEYS = 10, LINES_MAX = 20000, PACE_US = 120000 };

#define BASE_MS INT64_C(1700000000000)
#define FAR_MS (BASE_MS + WEIR_HOURS(1))

static char prefix[64];
static struct contract contract = { .prefix = prefix };

/* --- the topology -------------------------------------------------------------------------------------------- */

enum output { WINDOWS, SESSIONS, CLOSED, JOINED, AS_OF, PLAIN, LETTERS, OUTPUTS };
static const char *const outputs[OUTPUTS] = { "windows", "sessions", "closed",      "joined",
					      "as-of",   "plain",    "dead-letters" };

/* Commits differ, and with them how often a table's changes come: of these the last of each key counts. */
static bool is_table(int output)
{
	return output == WINDOWS || output == SESSIONS;
}

static bool is_left(weir_context *cx, const weir_record *r, void *user)
{
	(void)cx, (void)user;
	return *(const char *)weir_value_bytes(r).data == 'a';
}

static bool is_right(weir_context *cx, const weir_record *r, void *user)
{
	return !is_left(cx, r, user);
}

static const void *both(weir_context *cx, weir_bytes key, const void *left, const void *right, void *user)
{
	static const weir_bytes none = { "none", 4 };
	const weir_bytes *l = left, *r = right ? right : &none;
	char *to = weir_alloc(cx, l->len + r->len + 1);
	weir_bytes *text = weir_alloc(cx, sizeof *text);

	(void)key, (void)user;
	memcpy(to, l->data, l->len);
	to[l->len] = '+';
	memcpy(to + l->len + 1, r->data, r->len);
	*text = weir_bytes_of(to, l->len + r->len + 1);
	return text;
}

/* Counts a key's records in a store with headers, and notes the key in one of the few used last. */
static void count_it(weir_context *cx, const weir_record *r, void *state, void *user)
{
	weir_store *plain = weir_context_store(cx, "plain");
	weir_bytes old = weir_store_get(plain, r->key, NULL);
	char text[24];
	weir_record out = *r;

	(void)state, (void)user;
	snprintf(text, sizeof text, "%d", weir_is_null(old) ? 1 : atoi((const char *)old.data) + 1);
	weir_header item = { "last", weir_value_bytes(r) };
	weir_bytes count = weir_bytes_of(text, strlen(text) + 1);

	weir_store_put_headers(plain, r->key, count, r->timestamp_ms, &(weir_headers){ &item, 1 });
	weir_store_put(weir_context_store(cx, "recent"), r->key, weir_value_bytes(r), r->timestamp_ms);
	weir_set_value_bytes(&out, count);
	weir_forward(cx, &out);
}

struct names {
	const char *in, *out[OUTPUTS];
};

static void sink(const struct names *names, enum output output, weir_stream *s)
{
	weir_sink(s, outputs[output], (weir_sink_opts){ .topic = names->out[output] });
}

static weir_topology *build(void *user)
{
	const struct names *names = user;
	weir_topology *t = weir_topology_new("kinds");
	weir_stream *in = weir_source(t, "in", (weir_source_opts){ .topic = names->in, .value = &weir_utf8 });
	weir_stream *left = weir_filter(in, "left", is_left, NULL),
		    *right = weir_filter(in, "right", is_right, NULL);
	weir_table *windows =
		weir_count(in, "counts", (weir_window){ .size_ms = 1000, .grace_ms = 500, .retain_ms = 4000 });
	weir_table *versions =
		weir_to_table(right, "versions", (weir_table_opts){ .versioned = true, .history_ms = 3000 });

	sink(names, WINDOWS, weir_changes(windows));
	sink(names, SESSIONS,
	     weir_changes(weir_count(in, "by-gap", (weir_window){ .gap_ms = 150, .grace_ms = 500 })));
	sink(names, CLOSED,
	     weir_changes(weir_suppress(windows, "suppress", (weir_suppress_opts){ .until_window_closes = true })));
	sink(names, JOINED,
	     weir_left_join(left, "join", right, both, &weir_utf8,
			    (weir_join_window){ .before_ms = 60, .after_ms = 60, .grace_ms = 100 }, NULL));
	sink(names, AS_OF,
	     weir_left_join_table(left, "look-up", versions, both, (weir_join_table_opts){ 0 }, NULL));
	weir_add_store(t, "plain", (weir_store_opts){ .headers = true });
	weir_add_store(t, "recent", (weir_store_opts){ .entries_max = 3 });
	sink(names, PLAIN,
	     weir_process(in, "count", (weir_processor){ .process = count_it, .stores = { "plain", "recent" } }));
	return t;
}

static void configure(struct job *j)
{
	const struct names *names = j->user;

	job_set(j, "checkpoint.interval.ms", "1s");
	job_set(j, "checkpoint.records", "1000");
	job_set(j, "commit.interval.ms", "20ms");
	job_set(j, "emit.interval.ms", "0ms");
	job_set(j, "session.timeout.ms", "6s");
	job_set(j, "group.static.membership", "true");
	job_set(j, "errors.dead.letter.queue.topic.name", names->out[LETTERS]);
}

/* --- the records --------------------------------------------------------------------------------------------- */

struct feed {
	char key[16], value[24];
	int32_t partition;
	int64_t timestamp_ms;
};

static struct feed *feed(uint64_t seed, size_t *n)
{
	weir_rng rng = weir_rng_seeded(seed);
	struct feed *all = calloc(RECORDS + 2 * PARTITIONS, sizeof *all);

	*n = RECORDS + 2 * PARTITIONS;
	for (int i = 0; i < RECORDS; i++) {
		struct feed *f = &all[i];

		snprintf(f->key, sizeof f->key, "k%d", (int)weir_rng_below(&rng, KEYS));
		snprintf(f->value, sizeof f->value, "%c%d", weir_rng_chance(&rng, 0.5) ? 'a' : 'b', i);
		f->partition = weir_partition_for_key(weir_str(f->key), PARTITIONS);
		f->timestamp_ms = BASE_MS + i * 10 - (int64_t)weir_rng_below(&rng, 600);
		if (weir_rng_chance(&rng, 0.02))
			f->timestamp_ms -= (int64_t)weir_rng_below(&rng, 4000);
	}
	/* they close what is open */
	for (int i = 0; i < 2 * PARTITIONS; i++)
		all[RECORDS + i] = (struct feed){ .key = "end",
						  .value = "b",
						  .partition = i % PARTITIONS,
						  .timestamp_ms = FAR_MS + i / PARTITIONS * 60000 };
	return all;
}

/* --- what came of them --------------------------------------------------------------------------------------- */

struct lines {
	char *items[LINES_MAX];
	size_t count;
};

static size_t put_bytes(char *to, size_t size, weir_bytes b)
{
	size_t used = 0;

	if (weir_is_null(b))
		return (size_t)snprintf(to, size, "null");
	for (size_t i = 0; i < b.len && used + 4 < size; i++) {
		unsigned char c = ((const unsigned char *)b.data)[i];

		used += (size_t)snprintf(to + used, size - used, c > 32 && c < 127 ? "%c" : "%%%02x", c);
	}
	return used;
}

/* With `newest` it takes the place of the line of its key, which goes with a deletion. */
static void add_line(struct lines *l, const char *what, weir_bytes key, weir_bytes value, int64_t timestamp_ms,
		     bool newest)
{
	char text[400];
	size_t used = (size_t)snprintf(text, sizeof text, "%s ", what);

	used += put_bytes(text + used, sizeof text - used, key);
	used += (size_t)snprintf(text + used, sizeof text - used, " = ");
	size_t head = used;

	used += put_bytes(text + used, sizeof text - used, value);
	snprintf(text + used, sizeof text - used, " @%lld", (long long)(timestamp_ms - BASE_MS));
	for (size_t i = 0; newest && i < l->count; i++)
		if (strncmp(l->items[i], text, head) == 0) {
			free(l->items[i]);
			l->items[i] = l->items[--l->count];
			break;
		}
	if (newest && weir_is_null(value))
		return;
	assert_true(l->count < LINES_MAX);
	l->items[l->count++] = strdup(text);
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void lines_free(struct lines *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->items[i]);
	free(l);
}

/* There is something of each. */
static void assert_has(const struct lines *l, const char *name)
{
	size_t i = 0;

	while (i < l->count && strncmp(l->items[i], name, strlen(name)) != 0)
		i++;
	if (i == l->count)
		fail_msg("nothing of %s", name);
}

static void assert_same(struct lines *wanted, struct lines *got, const char *what)
{
	size_t i = 0;

	qsort(wanted->items, wanted->count, sizeof *wanted->items, compare_lines);
	qsort(got->items, got->count, sizeof *got->items, compare_lines);
	while (i < wanted->count && i < got->count && strcmp(wanted->items[i], got->items[i]) == 0)
		i++;
	if (i < wanted->count || i < got->count)
		fail_msg("%s: wanted %zu lines, got %zu; wanted \"%s\", got \"%s\"", what, wanted->count,
			 got->count, i < wanted->count ? wanted->items[i] : "no more",
			 i < got->count ? got->items[i] : "no more");
	print_message("%s: %zu lines are the same\n", what, got->count);
	lines_free(got);
}

/* --- stores -------------------------------------------------------------------------------------------------- */

enum shape { OF_WINDOWS, OF_SESSIONS, OF_VERSIONS, OF_KEYS };
static const struct {
	const char *name;
	enum shape shape;
} stores[] = {
	{ "counts", OF_WINDOWS },
	{ "by-gap", OF_SESSIONS },
	{ "join-this-join-store", OF_WINDOWS },
	{ "join-outer-other-join-store", OF_WINDOWS },
	{ "join-left-shared-join-store", OF_KEYS },
	{ "versions", OF_VERSIONS },
	{ "plain", OF_KEYS },
	{ "recent", OF_KEYS },
};
enum { STORES = sizeof stores / sizeof *stores };

struct dump {
	struct lines *lines;
	size_t store;
};

static void dump_entries(struct dump *d, int32_t partition, weir_bytes key, weir_iterator *it)
{
	weir_entry e;

	while (weir_iterator_next(it, &e)) {
		char what[100];

		snprintf(what, sizeof what, "%s/%d %lld-%lld", stores[d->store].name, (int)partition,
			 (long long)e.start_ms, (long long)e.end_ms);
		add_line(d->lines, what, weir_is_null(key) ? e.key : key, e.value, e.timestamp_ms, false);
	}
	weir_iterator_close(it);
}

static void dump_store(weir_store *store, int32_t partition, void *user)
{
	struct dump *d = user;

	switch (stores[d->store].shape) {
	case OF_WINDOWS:
		dump_entries(d, partition, WEIR_NULL, weir_window_fetch_all(store, 0, INT64_MAX));
		break;
	case OF_SESSIONS:
		dump_entries(d, partition, WEIR_NULL, weir_session_find_all(store, 0, INT64_MAX));
		break;
	case OF_KEYS:
		dump_entries(d, partition, WEIR_NULL, weir_store_range(store, WEIR_NULL, WEIR_NULL, false));
		break;
	case OF_VERSIONS:
		for (int k = 0; k <= KEYS; k++) {
			char key[16];

			snprintf(key, sizeof key, k < KEYS ? "k%d" : "end", k);
			dump_entries(d, partition, weir_str(key),
				     weir_versioned_fetch(store, weir_str(key), 0, INT64_MAX, false));
		}
		break;
	}
}

/* --- without trouble ----------------------------------------------------------------------------------------- */

static void run_driver(const struct feed *records, size_t n, bool end, struct lines *results, struct lines *states)
{
	static const char *const config[][2] = { { "emit.interval.ms", "0ms" } };
	struct names names = { .in = "in" };
	weir_error err;

	for (int i = 0; i < OUTPUTS; i++)
		names.out[i] = outputs[i];
	weir_driver *d = weir_driver_new(
		build(&names), (weir_driver_opts){ .partitions = PARTITIONS, .config = config, .config_count = 1 },
		&err);

	assert_done(d, err);
	for (size_t i = 0; i < (end ? n : RECORDS); i++)
		weir_driver_pipe_record(d, "in", records[i].partition, weir_str(records[i].key),
					weir_str(records[i].value), records[i].timestamp_ms, NULL);
	for (int i = 0; i < OUTPUTS && results; i++) {
		weir_driver_record r;

		while (weir_driver_read(d, outputs[i], &r))
			add_line(results, outputs[i], r.key, r.value, i == LETTERS ? BASE_MS : r.timestamp_ms,
				 is_table(i));
	}
	for (size_t s = 0; s < STORES && states; s++)
		for (int32_t p = 0; p < PARTITIONS; p++) {
			struct dump dump = { states, s };

			dump_store(weir_driver_store(d, stores[s].name, p), p, &dump);
		}
	weir_driver_free(d);
}

/* --- with it ------------------------------------------------------------------------------------------------- */

/* This program again, as a process of its own: until it is killed. */
static pid_t spawn(const struct job *j)
{
	const struct names *names = j->user;
	const char *argv[6 + OUTPUTS + 1] = { "/proc/self/exe", "run", j->id, j->dir, names->in };

	for (int i = 0; i < OUTPUTS; i++)
		argv[5 + i] = names->out[i];
	pid_t pid = fork();

	if (pid == 0) {
		execv("/proc/self/exe", (char *const *)argv);
		_exit(127);
	}
	assert_true(pid > 0);
	return pid;
}

static int run(char **argv)
{
	struct names names = { .in = argv[4] };
	struct job j = { .c = &contract, .build = build, .user = &names, .id = argv[2] };

	for (int i = 0; i < OUTPUTS; i++)
		names.out[i] = argv[5 + i];
	snprintf(j.dir, sizeof j.dir, "%s", argv[3]);
	j.configure = configure;
	job_start(&j);
	while (weir_app_state_get(j.app, NULL) != WEIR_APP_ERROR)
		usleep(10000);
	return 1; /* and it has said why */
}

static void produce(weir_producer *p, const char *topic, const struct feed *records, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put_at(p, topic, records[i].partition, records[i].timestamp_ms, records[i].key, records[i].value);
	flush(p);
}

static int64_t done_by(struct job *j, const char *topic)
{
	int64_t sum = 0;

	for (int32_t i = 0; i < PARTITIONS; i++) {
		int64_t at = committed_of(j->c, j->id, topic, i, NULL, 0);

		sum += at > 0 ? at : 0;
	}
	return sum;
}

/* Batches [from, to): a process comes, has committed something of its own, and is killed amid the rest. */
static void feed_and_kill(struct job *j, weir_rng *rng, weir_producer *p, const struct feed *records, size_t from,
			  size_t to)
{
	const struct names *names = j->user;
	size_t kill_at = from + (to - from) * 2 / 3 + weir_rng_below(rng, (to - from) / 3);
	pid_t pid = spawn(j);
	int64_t before = done_by(j, names->in);
	int status;

	for (size_t i = from; i < to; i++) {
		produce(p, names->in, records + i * BATCH, BATCH);
		usleep(PACE_US); /* its life is long enough for a checkpoint */
		if (i == from + 1)
			WAIT_UNTIL(j->c, done_by(j, names->in) > before);
		if (i != kill_at)
			continue;
		usleep((useconds_t)weir_rng_below(rng, 60000));
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	}
}

struct collect {
	struct lines *lines;
	int output;
};

static bool collect(const weir_kafka_record *r, void *user)
{
	struct collect *c = user;

	add_line(c->lines, outputs[c->output], r->key, r->value, c->output == LETTERS ? BASE_MS : r->timestamp_ms,
		 is_table(c->output));
	return true;
}

static struct lines *read_results(struct job *j)
{
	const struct names *names = j->user;
	struct lines *all = calloc(1, sizeof *all);
	weir_error err;

	for (int i = 0; i < OUTPUTS; i++) {
		struct collect c = { all, i };
		weir_consumer *consumer = weir_consumer_open(j->c->cluster, (weir_consumer_opts){ 0 }, &err);

		assert_done(consumer, err);
		for (int32_t k = 0; k < PARTITIONS; k++) {
			weir_partition at = { .topic = names->out[i],
					      .partition = k,
					      .offset = WEIR_OFFSET_BEGINNING };
			int64_t end = end_of(j->c, names->out[i], k);

			assert_done(weir_consumer_assign(consumer, &at, 1, &err), err);
			WAIT_UNTIL(j->c, (weir_consumer_poll(consumer, 50, collect, &c, &err),
					  end == 0 || weir_consumer_position(consumer, names->out[i], k) >= end));
		}
		weir_consumer_close(consumer);
	}
	return all;
}

static struct lines *read_stores(struct job *j)
{
	struct lines *all = calloc(1, sizeof *all);
	weir_error err;

	for (size_t s = 0; s < STORES; s++) {
		struct dump dump = { all, s };

		assert_done(weir_app_query(j->app, stores[s].name, dump_store, &dump, (weir_query_opts){ 0 }, &err),
			    err);
	}
	return all;
}

static double restored(struct job *j)
{
	return weir_metrics_value(weir_app_metrics(j->app), "weir_restored_records_total",
				  (const char *const[]){ "0" });
}

static bool runs_and_has_all(struct job *j, int64_t records)
{
	weir_error err;

	if (weir_app_state_get(j->app, &err) == WEIR_APP_ERROR)
		fail_msg("%s", err.message);
	return weir_app_state_get(j->app, NULL) == WEIR_APP_RUNNING &&
	       done_by(j, ((const struct names *)j->user)->in) == records;
}

static void stores_of_all_kinds_are_exact_after_three_kills(void **state)
{
	uint64_t seed = (uint64_t)contract.clock->wall_ms(contract.clock);
	weir_rng rng = weir_rng_seeded(seed);
	struct names names = { .in = fresh_topic(&contract, PARTITIONS) };
	struct lines *results = calloc(1, sizeof *results), *states = calloc(1, sizeof *states);
	struct job j;
	size_t n, batches = RECORDS / BATCH;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (int i = 0; i < OUTPUTS; i++)
		names.out[i] = fresh_topic(&contract, PARTITIONS);
	struct feed *records = feed(seed, &n);
	weir_producer *p = producer_of(&contract, NULL);

	job_init(&j, &contract, build, &names);
	j.configure = configure;
	for (size_t i = 0; i < KILLS; i++)
		feed_and_kill(&j, &rng, p, records, batches * i / (KILLS + 1), batches * (i + 1) / (KILLS + 1));
	job_start(&j);
	produce(p, names.in, records + batches * KILLS / (KILLS + 1) * BATCH,
		RECORDS - batches * KILLS / (KILLS + 1) * BATCH);
	WAIT_UNTIL(&contract, runs_and_has_all(&j, RECORDS));
	run_driver(records, n, false, NULL, states);
	for (size_t i = 0; i < STORES; i++)
		assert_has(states, stores[i].name);
	assert_same(states, read_stores(&j), "stores, restored from disk and changelog");
	double tails = restored(&j);
	job_stop(&j);
	job_lose_state(&j);
	job_start(&j);
	WAIT_UNTIL(&contract, runs_and_has_all(&j, RECORDS));
	assert_same(states, read_stores(&j), "stores, restored from the changelog");
	print_message("restored: %.0f records, and %.0f without the disk\n", tails, restored(&j));
	assert_true(tails < restored(&j) / 2);
	produce(p, names.in, records + RECORDS, n - RECORDS);
	WAIT_UNTIL(&contract, runs_and_has_all(&j, (int64_t)n));
	run_driver(records, n, true, results, NULL);
	for (int i = 0; i < OUTPUTS; i++)
		assert_has(results, outputs[i]);
	assert_same(results, read_results(&j), "results");
	job_stop(&j);
	job_lose_state(&j);
	weir_producer_close(p);
	lines_free(results);
	lines_free(states);
	free(records);
}

int main(int argc, char **argv)
{
	contract.cluster = real_cluster();
	contract.clock = weir_clock_system();
	if (argc == 5 + OUTPUTS)
		return run(argv);
	real_prefix(prefix, sizeof prefix);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stores_of_all_kinds_are_exact_after_three_kills),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	weir_cluster_free(contract.cluster);
	return failed;
}
