/*
 * A stream of X's objects, cut into chunks as a connection would: nothing of it is lost on the way through lines,
 * reader and outbox into Kafka. Each line is a post in the topic, a dead letter with its reason, or counted as one
 * without a city.
 */
#include "apps/evilnet/lines.h"
#include "apps/evilnet/outbox.h"
#include "apps/evilnet/x_object.h"
#include "tests/fuzz/fuzz.h"

struct seen {
	size_t posts, letters;
};

static bool see_post(const weir_kafka_record *r, void *user)
{
	struct seen *seen = user;
	struct post post;
	weir_error err;

	/* no memory is wanted for what ingest writes */
	weir_assert(post_decode(r->value, &post, NULL, NULL, &err) && weir_bytes_equal(r->key, post.place));
	seen->posts++;
	return true;
}

static bool see_letter(const weir_kafka_record *r, void *user)
{
	struct seen *seen = user;

	weir_assert(weir_headers_last(weir_kafka_record_headers(r), "reason").len > 0);
	seen->letters++;
	return true;
}

static void read_all(weir_cluster *cluster, const char *topic, weir_record_fn *fn, struct seen *seen)
{
	weir_error err;
	weir_consumer *consumer = weir_consumer_open(cluster, (weir_consumer_opts){ 0 }, &err);
	weir_partition p = { .topic = topic, .partition = 0, .offset = WEIR_OFFSET_BEGINNING };
	int64_t first, end;

	weir_assert(consumer && weir_offsets_range(cluster, topic, 0, &first, &end, &err) &&
		    weir_consumer_assign(consumer, &p, 1, &err));
	while (weir_consumer_position(consumer, topic, 0) < end)
		weir_assert(weir_consumer_poll(consumer, 0, fn, seen, &err));
	weir_consumer_close(consumer);
}

struct run {
	struct outbox *outbox;
	struct x_retweet_types types;
	size_t taken, dropped;
};

static void take(struct run *run, const struct line *line)
{
	struct x_object object = { .kind = X_UNREADABLE, .created_at_ms = -1 };
	weir_error err = { .code = WEIR_OK };

	run->taken++;
	if (line->length > line->text.len) {
		outbox_dead_letter(run->outbox, line->text, line->length, "too long", -1);
		return;
	}
	switch (x_object_read(line->text, &run->types, &object, &err)) {
	case X_POST:
		outbox_post(run->outbox, &object.post, line->text, object.created_at_ms % 3 ? 77 : -1);
		break;
	case X_UNREADABLE:
		weir_assert(err.message[0]);
		outbox_dead_letter(run->outbox, line->text, line->length, err.message, object.created_at_ms);
		break;
	case X_NO_PLACE:
	case X_NOT_CITY:
		run->dropped++;
		break;
	}
	x_object_release(&object);
}

static void pump(struct run *run, struct feed *f)
{
	struct lines lines = { 0 };
	struct line line;
	size_t chunk = 1 + feed_byte(f) * 8;

	while (f->left) {
		weir_bytes b = feed_bytes(f, chunk);

		lines_push(&lines, b.data, b.len);
		while (lines_next(&lines, &line))
			take(run, &line);
	}
	if (lines_rest(&lines, &line))
		take(run, &line);
	lines_release(&lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const types[] = { "retweeted,quoted,replied_to", "retweeted" };
	struct feed f = { data, size };
	struct run run = { 0 };
	struct seen seen = { 0 };
	struct ingest_stats stats;
	weir_metrics *metrics = weir_metrics_new();
	weir_cluster *cluster = weir_cluster_embedded((weir_embedded_opts){ .partitions = 1 });
	weir_topic_spec specs[] = { { "posts", 1, 1, NULL, 0 }, { "dead", 1, 1, NULL, 0 } };
	weir_error err;

	ingest_stats_open(&stats, metrics);
	weir_assert(weir_topics_create(cluster, specs, 2, &err) &&
		    x_retweet_types_parse(types[feed_byte(&f) % 2], &run.types, &err));
	run.outbox = outbox_open((struct outbox_opts){ .cluster = cluster,
						       .posts_topic = "posts",
						       .dead_letter_topic = "dead",
						       .source = "fuzz",
						       .bytes_max = 1 << 20,
						       .stats = &stats },
				 &err);
	weir_assert(run.outbox);
	pump(&run, &f);
	weir_assert(outbox_flush(run.outbox, 10000) && outbox_close(run.outbox, &err));
	read_all(cluster, "posts", see_post, &seen);
	read_all(cluster, "dead", see_letter, &seen);
	weir_assert(seen.posts + seen.letters + run.dropped == run.taken);
	ingest_stats_close(&stats);
	weir_metrics_free(metrics);
	weir_cluster_free(cluster);
	return 0;
}
