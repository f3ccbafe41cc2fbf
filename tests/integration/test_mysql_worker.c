/* From the topic of results into MySQL: the embedded cluster, the sink worker, the sink, and a real server. */
#include "tests/integration/mysql_fixture.h"

#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <weir/external_sink.h>
#include <weir/log.h>

#define LETTERS "evilnet.dead-letters"
#define PARTITIONS 6
#define PLACES 200
#define WINDOWS 4
#define PATIENCE_MS 60000

static weir_cluster *cluster;
static _Thread_local weir_producer *producer;

/* What must be in the table in the end: the newest of each (place, window). */
static struct city_window newest[PLACES][WINDOWS];
static int64_t upto[PARTITIONS]; /* of each partition's posts */

/* --- short hands ---------------------------------------------------------------------------------------------- */

static int64_t now_us(void)
{
	return weir_clock_system()->monotonic_us(weir_clock_system());
}

#define WAIT_UNTIL(cond) \
	for (int64_t end_ = now_us() + PATIENCE_MS * 1000; !(cond); usleep(2000)) \
		if (now_us() > end_) \
	fail_msg("waited in vain for " #cond)

static void open_producer(void)
{
	weir_error err = { 0 };

	producer = weir_producer_open(cluster, (weir_producer_opts){ .linger_ms = 1 }, &err);
	fixture_must(producer, &err);
}

static void open_cluster(void)
{
	weir_topic_spec topics[] = { { .name = TOPIC, .partitions = PARTITIONS },
				     { .name = LETTERS, .partitions = 1 } };
	weir_error err = { 0 };

	cluster = weir_cluster_embedded((weir_embedded_opts){ 0 });
	fixture_must(weir_topics_create(cluster, topics, 2, &err), &err);
	open_producer();
	memset(newest, 0, sizeof newest);
	memset(upto, 0, sizeof upto);
}

static void close_cluster(void)
{
	weir_producer_close(producer);
	weir_cluster_free(cluster);
}

static const char *place_name(int i)
{
	static const char *const special[] = { "Montréal", "Montreal",
					       "O'Brien\"; DROP TABLE city_windows;-- <script>", "東京 🗼" };
	static char names[PLACES][32];

	if (i < 4)
		return special[i];
	snprintf(names[i], sizeof names[i], "City %d, Ontario", i);
	return names[i];
}

static void put(const struct city_window *w)
{
	unsigned char value[1024], key[1024];
	weir_error err = { 0 };
	size_t len = city_window_encode(w, value, sizeof value);

	memcpy(key, w->place.data, w->place.len);
	weir_put_be64(key + w->place.len, w->window_start_ms);
	weir_produced record = {
		.topic = TOPIC,
		.partition = weir_partition_for_key(w->place, PARTITIONS),
		.timestamp_ms = w->window_start_ms,
		.key = weir_bytes_of(key, w->place.len + 8),
		.value = weir_bytes_of(value, len),
	};
	fixture_must(weir_producer_send(producer, &record, &err), &err);
}

static void flush(void)
{
	weir_error err = { 0 };

	fixture_must(weir_producer_flush(producer, 10000, &err), &err);
}

/* n results of random windows, as a topology would send them. */
static void put_results(int n)
{
	static unsigned seed = 1;

	for (int i = 0; i < n; i++) {
		int place = rand_r(&seed) % PLACES, window = rand_r(&seed) % WINDOWS;
		struct city_window *w = &newest[place][window];
		weir_bytes name = weir_str(place_name(place));

		w->place = name;
		w->window_start_ms = T0 + window * MINUTES_15;
		w->window_seconds = 900;
		w->tweets++;
		w->retweets += rand_r(&seed) % 2;
		w->users = w->tweets / 2 + 1;
		w->upto = upto[weir_partition_for_key(name, PARTITIONS)]++;
		put(w);
	}
	flush();
}

static void check_row(const struct web_row *row, void *user)
{
	int64_t window = (row->window_start_ms - T0) / MINUTES_15;
	size_t *seen = user;

	for (int i = 0; i < PLACES; i++) {
		if (!weir_bytes_equal(row->place, weir_str(place_name(i))))
			continue;
		assert_in_range(window, 0, WINDOWS - 1);
		const struct city_window *w = &newest[i][window];
		assert_int_equal(row->tweets, w->tweets);
		assert_int_equal(row->retweets, w->retweets);
		assert_int_equal(row->users, w->users);
		++*seen;
		return;
	}
	fail_msg("a row that nobody sent: %.*s", (int)row->place.len, (const char *)row->place.data);
}

/* The table is what was sent, no more and no less. */
static void check_table(const weir_config *of)
{
	struct web_source web;
	struct evilnet_mysql_source *source = evilnet_mysql_source_open(of, &web);
	size_t seen = 0, expected = 0;
	weir_error err = { 0 };

	for (int i = 0; i < PLACES; i++)
		for (int w = 0; w < WINDOWS; w++)
			expected += newest[i][w].tweets > 0;
	fixture_must(web.rows(web.self, WEIR_NULL, 0, INT64_MAX, check_row, &seen, &err), &err);
	assert_int_equal(seen, expected);
	evilnet_mysql_source_close(source);
}

struct running {
	struct evilnet_mysql_sink *sink;
	weir_sink_worker *worker;
};

static struct running all_running[4]; /* so that a test that fails leaves none behind */

static struct running start(const weir_config *with)
{
	struct running r = { .sink = evilnet_mysql_sink_new(with) };
	weir_sink_worker_opts opts = { .sink = &evilnet_mysql_sink_ops,
				       .self = r.sink,
				       .topic = TOPIC,
				       .group = "evilnet-mysql",
				       .dead_letter_topic = LETTERS,
				       .idle_interval_ms = 500 };
	weir_error err = { 0 };

	r.worker = weir_sink_worker_start(cluster, with, opts, &err);
	fixture_must(r.worker, &err);
	for (size_t i = 0; i < 4; i++) {
		if (!all_running[i].worker) {
			all_running[i] = r;
			break;
		}
	}
	return r;
}

static void stop(struct running r)
{
	weir_sink_worker_stop(r.worker);
	evilnet_mysql_sink_free(r.sink);
	for (size_t i = 0; i < 4; i++)
		if (all_running[i].worker == r.worker)
			all_running[i] = (struct running){ 0 };
}

static weir_sink_status status_of(struct running r)
{
	weir_sink_status status;

	weir_sink_worker_status(r.worker, &status);
	return status;
}

/* --- tests ---------------------------------------------------------------------------------------------------- */

static void results_become_rows(void **state)
{
	(void)state;
	put_results(20000);
	struct running r = start(cfg);
	WAIT_UNTIL(weir_sink_worker_caught_up(r.worker));
	check_table(cfg);
	put_results(500);
	stop(r); /* wherever it stands */
	r = start(cfg);
	WAIT_UNTIL(weir_sink_worker_caught_up(r.worker));
	check_table(cfg);
	assert_int_equal(status_of(r).rejected, 0);
	stop(r);
}

static void two_workers_share_an_empty_database(void **state)
{
	weir_error err = { 0 };

	(void)state;
	fixture_drop();
	put_results(3000);
	struct running a = start(cfg), b = start(cfg);
	WAIT_UNTIL(status_of(a).partitions == 3 && status_of(b).partitions == 3);
	put_results(5000);
	WAIT_UNTIL(weir_sink_worker_caught_up(a.worker) && weir_sink_worker_caught_up(b.worker));
	check_table(cfg);
	assert_true(status_of(a).records > 0 && status_of(b).records > 0);
	put_results(2000);
	stop(a);
	put_results(100);
	WAIT_UNTIL(status_of(b).partitions == PARTITIONS);
	stop(b);
	a = start(cfg);
	WAIT_UNTIL(weir_sink_worker_caught_up(a.worker));
	check_table(cfg);
	stop(a);
	fixture_must(evilnet_db_open(&fixture_db, cfg, false, &err), &err);
}

struct letters {
	int count, without_reason;
	char reason[400], original[40];
};

static bool see_letter(const weir_kafka_record *r, void *user)
{
	const weir_headers *headers = weir_kafka_record_headers(r);
	weir_bytes reason = weir_headers_last(headers, "reason");
	weir_bytes original = weir_headers_last(headers, "original-timestamp");
	struct letters *l = user;

	snprintf(l->reason, sizeof l->reason, "%.*s", (int)reason.len, (const char *)reason.data);
	snprintf(l->original, sizeof l->original, "%.*s", (int)original.len, (const char *)original.data);
	l->count++;
	l->without_reason += !reason.len || weir_bytes_equal(reason, weir_str("none at all"));
	return true;
}

static void a_row_that_the_database_refuses_is_a_dead_letter(void **state)
{
	weir_partition all = { .topic = LETTERS, .partition = 0, .offset = WEIR_OFFSET_BEGINNING };
	char name[300];
	struct letters l = { 0 };
	weir_error err = { 0 };

	(void)state;
	memset(name, 'n', 191), name[191] = 0;
	put_results(300);
	struct city_window w = fixture_window(name, T0 + 2 * MINUTES_15, 1, 1);
	put(&w);
	put_results(300);
	struct running r = start(cfg);
	WAIT_UNTIL(weir_sink_worker_caught_up(r.worker));
	check_table(cfg);
	assert_int_equal(status_of(r).rejected, 1);
	weir_consumer *c = weir_consumer_open(cluster, (weir_consumer_opts){ 0 }, &err);
	fixture_must(c && weir_consumer_assign(c, &all, 1, &err), &err);
	WAIT_UNTIL(weir_consumer_poll(c, 10, see_letter, &l, &err) && l.count);
	assert_int_equal(l.count, 1);
	assert_non_null(strstr(l.reason, "Data too long for column 'place'"));
	assert_string_equal(l.original, "1663212600000");
	weir_consumer_close(c);
	stop(r);
}

/* As the topic's own writer never would. */
static void put_poison(weir_bytes key, weir_bytes value, const weir_headers *headers)
{
	weir_produced record = {
		.topic = TOPIC, .partition = 0, .timestamp_ms = 1, .key = key, .value = value, .headers = headers
	};
	weir_error err = { 0 };

	fixture_must(weir_producer_send(producer, &record, &err), &err);
}

static weir_bytes window_of(weir_bytes place, int64_t start_ms, int64_t seconds)
{
	static unsigned char value[4096];
	struct city_window w = { .place = place, .window_start_ms = start_ms, .window_seconds = seconds };

	return weir_bytes_of(value, city_window_encode(&w, value, sizeof value));
}

static int put_all_poison(void)
{
	static char large[900000];
	const weir_header items[] = { { "reason", weir_str("none at all") }, { "", weir_bytes_of("\0\xff", 2) } };
	const weir_headers headers = { items, 2 };
	char name[2000];

	memset(large, 0x81, sizeof large);
	memset(name, 'n', sizeof name);
	put_poison(WEIR_NULL, weir_bytes_of("\0\x80\xff{", 4), &headers);
	put_poison(weir_str(""), weir_str(""), NULL);
	put_poison(weir_bytes_of(large, sizeof large), weir_str("x"), NULL);
	put_poison(weir_str("k"), weir_bytes_of(large, sizeof large), NULL);
	put_poison(weir_str("k"), window_of(weir_bytes_of(name, sizeof name), T0, 900), &headers);
	put_poison(weir_str("k"), window_of(weir_str("x"), INT64_MAX, 900), NULL);
	put_poison(weir_str("k"), window_of(weir_str("x"), INT64_MIN, 900), NULL);
	put_poison(weir_str("k"), window_of(weir_str("x"), T0, INT64_MAX), NULL);
	put_poison(weir_str("k"), window_of(weir_str("x "), T0, 900), NULL);
	return 9;
}

static void poison_among_the_results_is_turned_away_and_the_rest_is_written(void **state)
{
	weir_partition all = { .topic = LETTERS, .partition = 0, .offset = WEIR_OFFSET_BEGINNING };
	struct letters l = { 0 };
	weir_error err = { 0 };

	(void)state;
	put_results(300);
	int poison = put_all_poison();
	put_results(300);
	struct running r = start(cfg);
	WAIT_UNTIL(weir_sink_worker_caught_up(r.worker));
	check_table(cfg);
	assert_int_equal(status_of(r).rejected, poison);
	weir_consumer *c = weir_consumer_open(cluster, (weir_consumer_opts){ 0 }, &err);
	fixture_must(c && weir_consumer_assign(c, &all, 1, &err), &err);
	WAIT_UNTIL(weir_consumer_poll(c, 10, see_letter, &l, &err) && l.count >= poison);
	assert_int_equal(l.count, poison);
	assert_int_equal(l.without_reason, 0);
	weir_consumer_close(c);
	stop(r);
}

static void a_stored_offset_outside_of_the_log_starts_from_the_earliest(void **state)
{
	(void)state;
	put_results(2000);
	struct running r = start(cfg);
	WAIT_UNTIL(weir_sink_worker_caught_up(r.worker));
	stop(r);
	fixture_run("UPDATE sink_offsets SET next_offset = 1000000000");
	fixture_run("DELETE FROM city_windows");
	put_results(10);
	r = start(cfg);
	WAIT_UNTIL(weir_sink_worker_caught_up(r.worker));
	check_table(cfg);
	assert_int_equal(fixture_number("SELECT COUNT(*) FROM sink_offsets WHERE next_offset < 1000000"),
			 PARTITIONS);
	stop(r);
}

static void another_cluster_starts_from_the_earliest_and_its_rows_win(void **state)
{
	(void)state;
	put_results(10000);
	struct running r = start(cfg);
	WAIT_UNTIL(weir_sink_worker_caught_up(r.worker));
	stop(r);
	close_cluster();
	open_cluster(); /* its offsets begin at 0, and so do those of its posts */
	put_results(9000);
	r = start(cfg);
	WAIT_UNTIL(weir_sink_worker_caught_up(r.worker));
	check_table(cfg);
	stop(r);
}

/* --- how soon ------------------------------------------------------------------------------------------------- */

static atomic_bool load_on;

static void *load(void *unused)
{
	open_producer();
	while (load_on) { /* about 2000 a second */
		put_results(20);
		usleep(10000);
	}
	weir_producer_close(producer);
	return unused;
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Produces one result after the other, and waits for its row. */
static int64_t measure_p99(const char *what)
{
	enum { N = 300 };
	static int64_t waits[N];

	for (int64_t i = 0; i < N; i++) {
		struct city_window w = fixture_window("probe", T0, i + 1, i);
		int64_t begin = now_us();

		put(&w);
		while (weir_producer_poll(producer, 0))
			;
		while (fixture_number("SELECT tweets FROM city_windows WHERE window_seconds = 900 AND "
				      "window_start = '2022-09-15 03:00:00' AND place = 'probe'") != i + 1)
			usleep(200);
		waits[i] = now_us() - begin;
	}
	fixture_run("DELETE FROM city_windows WHERE place = 'probe'");
	qsort(waits, N, sizeof *waits, by_value);
	fprintf(stderr, "produced to row, %s: p50 %.1f ms, p99 %.1f ms, max %.1f ms\n", what,
		(double)waits[N / 2] / 1000, (double)waits[N * 99 / 100] / 1000, (double)waits[N - 1] / 1000);
	return waits[N * 99 / 100];
}

static void a_result_is_a_row_within_200_ms(void **state)
{
	struct running r = start(cfg);
	pthread_t thread;

	(void)state;
	WAIT_UNTIL(status_of(r).partitions == PARTITIONS);
	assert_true(measure_p99("idle") < 200000);
	load_on = true;
	pthread_create(&thread, NULL, load, NULL);
	int64_t p99 = measure_p99("with 2000 others a second");
	load_on = false;
	pthread_join(thread, NULL);
	assert_true(p99 < 200000);
	WAIT_UNTIL(weir_sink_worker_caught_up(r.worker));
	stop(r);
}

/* --- a server that dies --------------------------------------------------------------------------------------- */

static char own_server[64]; /* its directory; "" = none */

static void services(const char *what)
{
	char command[400];

	snprintf(command, sizeof command, "%s/tests/services.sh %s mysql >&2", SOURCE_DIR, what);
	assert_int_equal(system(command), 0);
}

/* Below the range from which the system gives ports to clients: one of those could take it while the server is
 * down. */
static int free_port(void)
{
	for (int port = 20000 + (int)getpid() % 10000;; port = port < 30000 ? port + 1 : 20000) {
		struct sockaddr_in a = { .sin_family = AF_INET,
					 .sin_port = htons((uint16_t)port),
					 .sin_addr = { htonl(INADDR_LOOPBACK) } };
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		bool free = bind(fd, (struct sockaddr *)&a, sizeof a) == 0;

		close(fd);
		if (free)
			return port;
	}
}

/* The configuration of a server of this test's own, which does not run yet. */
static weir_config *own_server_config(void)
{
	char port[16], socket[100];

	snprintf(own_server, sizeof own_server, "/tmp/weir-mysql-%d", (int)getpid());
	snprintf(port, sizeof port, "%d", free_port());
	snprintf(socket, sizeof socket, "%s/mysql/socket", own_server);
	setenv("WEIR_TEST_DIR", own_server, 1);
	setenv("WEIR_TEST_MYSQL_PORT", port, 1);
	return fixture_config(socket);
}

static void signal_own_server(int signal_number)
{
	char path[100], pid[16] = "";

	snprintf(path, sizeof path, "%s/mysql/pid", own_server);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	assert_non_null(fgets(pid, sizeof pid, file));
	fclose(file);
	assert_true(atoi(pid) > 1);
	assert_int_equal(kill(atoi(pid), signal_number), 0);
}

static void a_server_that_hangs_is_waited_for(void **state)
{
	weir_config *of = own_server_config();

	(void)state;
	services("start");
	put_results(1000);
	struct running r = start(of);
	WAIT_UNTIL(weir_sink_worker_caught_up(r.worker));
	signal_own_server(SIGSTOP);
	put_results(1000);
	WAIT_UNTIL(!status_of(r).connected); /* 20 s without an answer */
	signal_own_server(SIGCONT);
	put_results(1000);
	WAIT_UNTIL(status_of(r).connected && status_of(r).lag == 0);
	check_table(of);
	stop(r);
	weir_config_free(of);
}

static void a_server_that_is_killed_again_and_again_loses_no_row(void **state)
{
	weir_config *of = own_server_config();

	(void)state;
	put_results(3000);
	struct running r = start(of); /* before the server has ever been there */
	services("start");
	WAIT_UNTIL(status_of(r).records > 0);
	for (int i = 0; i < 4; i++) {
		put_results(4000); /* a crash in the middle of writing them */
		usleep(20000 * (unsigned)i);
		services(i == 2 ? "stop" : "kill");
		put_results(1000);
		WAIT_UNTIL(!status_of(r).connected);
		assert_int_equal(status_of(r).partitions, PARTITIONS);
		services("start");
		put_results(1000);
	}
	WAIT_UNTIL(weir_sink_worker_caught_up(r.worker));
	check_table(of);
	assert_int_equal(status_of(r).rejected, 0);
	WAIT_UNTIL(status_of(r).lag == 0);
	stop(r);
	weir_config_free(of);
}

/* --- running -------------------------------------------------------------------------------------------------- */

static int set_up(void **state)
{
	(void)state;
	fixture_fresh();
	open_cluster();
	return 0;
}

static void remove_own_server(void)
{
	char command[100];

	if (!*own_server)
		return;
	services("kill");
	snprintf(command, sizeof command, "rm -rf '%s'", own_server);
	assert_int_equal(system(command), 0);
	unsetenv("WEIR_TEST_DIR");
	*own_server = 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < 4; i++)
		if (all_running[i].worker)
			stop(all_running[i]);
	close_cluster();
	remove_own_server();
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(results_become_rows),
		TEST(two_workers_share_an_empty_database),
		TEST(a_row_that_the_database_refuses_is_a_dead_letter),
		TEST(poison_among_the_results_is_turned_away_and_the_rest_is_written),
		TEST(a_stored_offset_outside_of_the_log_starts_from_the_earliest),
		TEST(another_cluster_starts_from_the_earliest_and_its_rows_win),
		TEST(a_result_is_a_row_within_200_ms),
		TEST(a_server_that_hangs_is_waited_for),
		TEST(a_server_that_is_killed_again_and_again_loses_no_row),
	};

	return fixture_socket() ? cmocka_run_group_tests(tests, fixture_begin, fixture_finish) : SKIPPED;
}
