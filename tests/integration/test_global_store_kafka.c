/*
 * A global store with a processor before it, on a real cluster: tasks wait for it, each record counts once over
 * restarts, and where the local state is lost the processor makes it again.
 */
#include "tests/integration/app_on_kafka.h"

enum { PARTITIONS = 2 };

static struct contract contract;

struct topics {
	const char *events, *in, *out;
};

/* "how many times:newest value"; null deletes. */
static void count_up(weir_context *cx, const weir_record *r, void *state, void *user)
{
	weir_store *store = weir_context_store(cx, "seen");
	weir_bytes old = weir_store_get(store, r->key, NULL), value = weir_value_bytes(r);
	char row[100];

	(void)state, (void)user;
	int n = snprintf(row, sizeof row, "%d:%.*s", weir_is_null(old) ? 1 : atoi(old.data) + 1, (int)value.len,
			 (const char *)value.data);

	weir_store_put(store, r->key, weir_is_null(value) ? WEIR_NULL : weir_bytes_of(row, (size_t)n),
		       r->timestamp_ms);
}

static weir_global *seen;

static const void *with_seen(weir_context *cx, const weir_record *r, void *user)
{
	static const weir_bytes none = { "none", 4 };
	const weir_bytes *row = weir_global_get(cx, seen, r->key, NULL);

	(void)user;
	return row ? row : &none;
}

static weir_topology *before_a_store(void *user)
{
	const struct topics *topics = user;
	weir_topology *t = weir_topology_new("global-store");

	seen = weir_global_store(t, "seen", (weir_global_opts){ .topic = topics->events, .value = &weir_utf8 },
				 (weir_processor){ .process = count_up });
	weir_stream *in = weir_source(t, "in", (weir_source_opts){ .topic = topics->in, .value = &weir_utf8 });

	weir_sink(weir_map_values(in, "with-seen", with_seen, &weir_utf8, NULL), "out",
		  (weir_sink_opts){ .topic = topics->out });
	return t;
}

static void send_one(const char *topic, int32_t partition, const char *key, const char *value)
{
	weir_producer *p = producer_of(&contract, NULL);

	put(p, topic, partition, key, value);
	flush(p);
	weir_producer_close(p);
}

struct looked_up {
	const char *key;
	char row[100];
};

static void look_up(weir_store *store, int32_t partition, void *user)
{
	struct looked_up *l = user;
	weir_bytes row = weir_store_get(store, weir_str(l->key), NULL);

	(void)partition;
	snprintf(l->row, sizeof l->row, "%.*s", weir_is_null(row) ? 4 : (int)row.len,
		 weir_is_null(row) ? "none" : (const char *)row.data);
}

static bool has_row(struct job *j, const char *key, const char *row)
{
	struct looked_up l = { .key = key };

	return weir_app_query(j->app, "seen", look_up, &l, (weir_query_opts){ 0 }, NULL) && strcmp(l.row, row) == 0;
}

static void each_event_counts_once(void **state)
{
	struct topics topics = { fresh_topic(&contract, PARTITIONS), fresh_topic(&contract, PARTITIONS),
				 fresh_topic(&contract, 1) };
	static struct reader results;
	struct job j;

	(void)state;
	reader_at(&contract, &results, topics.out, 0, WEIR_OFFSET_BEGINNING);
	job_init(&j, &contract, before_a_store, &topics);
	for (int i = 0; i < 1000; i++)
		if (i % 100 == 0)
			put_range(&contract, topics.events, 1, i, i + 100); /* keys and values "0" to "999" */
	send_one(topics.events, 0, "k", "x");
	send_one(topics.events, 0, "k", "y");
	send_one(topics.in, 0, "k", "waits");
	job_start(&j);
	reader_until(&results, 1);
	assert_string_equal(reader_values(&results), "2:y");

	job_stop(&j);
	send_one(topics.events, 0, "k", "z");
	send_one(topics.in, 0, "k", "waits");
	job_start(&j);
	reader_until(&results, 2);
	assert_string_equal(reader_values(&results), "2:y 3:z");
	send_one(topics.events, 0, "k", "followed");
	WAIT_UNTIL(&contract, has_row(&j, "k", "4:followed"));
	send_one(topics.events, 0, "gone", "x");
	send_one(topics.events, 0, "gone", NULL);
	send_one(topics.events, 0, "last", "x");
	WAIT_UNTIL(&contract, has_row(&j, "last", "1:x"));
	assert_true(has_row(&j, "gone", "none"));

	job_stop(&j);
	job_lose_state(&j);
	send_one(topics.in, 0, "k", "waits");
	job_start(&j);
	reader_until(&results, 3);
	assert_string_equal(reader_values(&results), "2:y 3:z 4:followed");
	assert_true(has_row(&j, "gone", "none"));
	job_stop(&j);
	job_start(&j); /* and what has been made again is kept */
	WAIT_UNTIL(&contract, has_row(&j, "k", "4:followed"));
	job_stop(&j);
	reader_close(&results);
	job_lose_state(&j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_event_counts_once),
	};

	return job_run_tests(&contract, "global stores on Kafka", tests, sizeof tests / sizeof *tests);
}
