/*
 * What is kept beside a committed offset: Kafka Streams' TopicPartitionMetadata, version 2 - base64 of a magic
 * byte, the partition's time (8, BE), then a count (4) and pairs of name (length 4, bytes) and number (8). Its
 * pairs hold "<store>", up to when results of windows have been given on close, as Kafka Streams has it;
 * "t:<step>", the greatest timestamp a step has seen; and "w:<store>", the size of the windows that a store was
 * made with. Kafka Streams keeps those it does not know, and writes them again.
 *
 * Behind them stands, once more as a count and pairs, what is true of this very commit only; Kafka Streams neither
 * reads that nor writes it again. "c:<store>" is an offset that its changelog had reached by the commit before, and
 * "n:<store>" how many records the commit itself has written there, "l:<store>" a digest of the last
 * of them; "h:<store>" is the time by which it hides what is past retention. All pairs stand at the task's first
 * input only.
 */
#include <stdio.h>
#include <stdlib.h>
#include <weir/rng.h>

#include "framework/base/alloc.h"
#include "framework/base/hash.h"
#include "framework/runtime/runtime.h"

enum { MAGIC = 2, METADATA_BYTES_MAX = 3000 /* 4096 in base64, offset.metadata.max.bytes */ };

struct writer {
	unsigned char bytes[METADATA_BYTES_MAX];
	size_t len;
	size_t count_at; /* of the pairs at work */
	int32_t pairs;
};

static bool begin_pairs(struct writer *w)
{
	if (w->len + 4 > sizeof w->bytes)
		return false;
	w->count_at = w->len;
	w->pairs = 0;
	weir_put_be32(w->bytes + w->len, 0);
	w->len += 4;
	return true;
}

static bool put_pair(struct writer *w, const char *kind, const char *name, int64_t number)
{
	size_t kind_len = strlen(kind), name_len = strlen(name);
	size_t need = 4 + kind_len + name_len + 8;

	if (w->len + need > sizeof w->bytes)
		return false;
	weir_put_be32(w->bytes + w->len, (int32_t)(kind_len + name_len));
	memcpy(w->bytes + w->len + 4, kind, kind_len);
	memcpy(w->bytes + w->len + 4 + kind_len, name, name_len);
	weir_put_be64(w->bytes + w->len + need - 8, number);
	w->len += need;
	weir_put_be32(w->bytes + w->count_at, ++w->pairs);
	return true;
}

uint64_t weir__record_digest(weir_bytes key, weir_bytes value)
{
	uint64_t mixed = weir__hash(key) * 3 + weir__hash(value);

	return weir_is_null(value) ? 0 : weir_splitmix64(&mixed) | 1;
}

static bool put_closed(struct writer *w, const struct instance *in)
{
	int64_t ms = in->op->closed_until ? in->op->closed_until(in) : -1;

	return ms < 0 || put_pair(w, "", in->node->stores[0]->spec.name, ms);
}

/* They only make checks possible; and without its time a store that is restored may hide less than it did, as in
 * Kafka Streams. */
static void put_of_commit(struct writer *w, const struct task *t)
{
	bool fits = begin_pairs(w);

	for (size_t i = 0; i < t->store_count && fits; i++)
		if (t->stores[i].writes_changelog)
			fits = put_pair(w, "n:", t->stores[i].graph->spec.name, t->stores[i].wrote) &&
			       put_pair(w, "l:", t->stores[i].graph->spec.name, (int64_t)t->stores[i].wrote_last) &&
			       put_pair(w, "c:", t->stores[i].graph->spec.name, t->stores[i].known_end);
	for (size_t i = 0; i < t->store_count && fits; i++)
		if (weir__store_newest(t->stores[i].store) != INT64_MIN)
			fits = put_pair(w, "h:", t->stores[i].graph->spec.name,
					weir__store_newest(t->stores[i].store));
}

static void put_task_pairs(struct writer *w, const struct task *t)
{
	bool fits = begin_pairs(w);

	for (size_t i = 0; i < t->store_count && fits; i++)
		if (t->stores[i].graph->spec.window_size_ms)
			fits = put_pair(w, "w:", t->stores[i].graph->spec.name,
					t->stores[i].graph->spec.window_size_ms);
	for (size_t i = 0; i < t->sub->node_count && fits; i++)
		fits = put_closed(w, &t->instances[i]);
	for (size_t i = 0; i < t->sub->node_count && fits; i++)
		if (t->instances[i].observed_ms != INT64_MIN)
			fits = put_pair(w, "t:", t->instances[i].node->name, t->instances[i].observed_ms);
	put_of_commit(w, t);
	if (!fits) {
		static weir_log_limit limit;

		weir_log_limited(&limit, 60000, WEIR_LOG_WARN, "commit",
				 "the times of all steps do not fit beside an offset: some begin anew after a "
				 "restart task=%s",
				 t->id);
	}
}

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static char *base64_encode(const unsigned char *from, size_t n)
{
	char *text = weir__malloc((n + 2) / 3 * 4 + 1), *to = text;

	for (size_t i = 0; i < n; i += 3) {
		unsigned v = (unsigned)from[i] << 16 | (i + 1 < n ? (unsigned)from[i + 1] << 8 : 0) |
			     (i + 2 < n ? from[i + 2] : 0);

		*to++ = digits[v >> 18];
		*to++ = digits[v >> 12 & 63];
		*to++ = i + 1 < n ? digits[v >> 6 & 63] : '=';
		*to++ = i + 2 < n ? digits[v & 63] : '=';
	}
	*to = 0;
	return text;
}

/* Length, or SIZE_MAX when the text is no base64 or too long. */
static size_t base64_decode(const char *text, unsigned char *to, size_t size)
{
	size_t n = 0, length = strlen(text);
	unsigned v = 0;

	if (length % 4)
		return SIZE_MAX;
	while (length && text[length - 1] == '=')
		length--;
	for (size_t i = 0; i < length; i++) {
		const char *at = memchr(digits, text[i], 64);

		if (!at)
			return SIZE_MAX;
		v = v << 6 | (unsigned)(at - digits);
		if (i % 4 == 0)
			continue;
		if (n == size)
			return SIZE_MAX;
		to[n++] = (unsigned char)(v >> (6 - 2 * (i % 4)));
	}
	return n;
}

char *weir__metadata_encode(const struct input *in)
{
	struct writer w = { .len = 9 };

	w.bytes[0] = MAGIC;
	weir_put_be64(w.bytes + 1, in->time_ms == INT64_MIN ? -1 : in->time_ms);
	if (in == &in->task->inputs[0])
		put_task_pairs(&w, in->task);
	return base64_encode(w.bytes, w.len);
}

static void apply_closed(struct task *t, weir_bytes store, int64_t ms)
{
	for (size_t i = 0; i < t->sub->node_count; i++) {
		struct instance *in = &t->instances[i];

		if (in->op->closed_before && weir_bytes_equal(store, weir_str(in->node->stores[0]->spec.name)))
			in->op->closed_before(in, ms);
	}
}

static bool apply_pair(struct task *t, weir_bytes name, int64_t number, weir_error *err)
{
	const char *text = name.data;

	if (name.len < 2 || text[1] != ':') { /* no store has such a name: topics could not */
		apply_closed(t, name, number);
		return true;
	}
	weir_bytes rest = weir_bytes_of(text + 2, name.len - 2);

	for (size_t i = 0; text[0] == 't' && i < t->sub->node_count; i++)
		if (weir_bytes_equal(rest, weir_str(t->instances[i].node->name)) &&
		    number > t->instances[i].observed_ms)
			t->instances[i].observed_ms = number;
	for (size_t i = 0; text[0] == 'w' && i < t->store_count; i++) {
		const struct store_spec *spec = &t->stores[i].graph->spec;

		if (weir_bytes_equal(rest, weir_str(spec->name)) && spec->window_size_ms != number)
			return weir_fail(err, WEIR_STATE,
					 "store \"%s\" was made with windows of %lld ms, the topology has %lld ms: "
					 "give the step a new name, "
					 "or reset the application",
					 spec->name, (long long)number, (long long)spec->window_size_ms);
	}
	return true;
}

static bool apply_of_commit(struct task *t, weir_bytes name, int64_t number, weir_error *err)
{
	const char *text = name.data;

	(void)err;
	for (size_t i = 0; name.len > 2 && text[1] == ':' && i < t->store_count; i++) {
		struct task_store *s = &t->stores[i];

		if (!weir_bytes_equal(weir_bytes_of(text + 2, name.len - 2), weir_str(s->graph->spec.name)))
			continue;
		if (text[0] == 'h')
			s->newest_was = number;
		if (!s->writes_changelog)
			continue;
		if (text[0] == 'c')
			s->reached = number;
		else if (text[0] == 'n')
			s->written = number;
		else if (text[0] == 'l')
			s->written_last = (uint64_t)number;
		if (s->reached > s->known_end)
			s->known_end = s->reached;
	}
	return true;
}

/* Goes on to what is behind the pairs. */
static bool each_pair(struct task *t, weir_bytes *from,
		      bool (*apply)(struct task *t, weir_bytes name, int64_t number, weir_error *err),
		      weir_error *err)
{
	const char *bytes = from->data;
	size_t at = 4, n = from->len;

	for (int32_t i = 0, pairs = n < 4 ? 0 : weir_get_be32(bytes); i < pairs && at + 4 <= n; i++) {
		int32_t length = weir_get_be32(bytes + at);

		if (length < 0 || (size_t)length > n || at + 4 + (size_t)length + 8 > n) {
			at = n;
			break;
		}
		if (!apply(t, weir_bytes_of(bytes + at + 4, (size_t)length), weir_get_be64(bytes + at + 4 + length),
			   err))
			return false;
		at += 4 + (size_t)length + 8;
	}
	at = at < n ? at : n;
	*from = weir_bytes_of(bytes + at, n - at);
	return true;
}

bool weir__metadata_apply(struct input *in, const char *text, weir_error *err)
{
	unsigned char bytes[METADATA_BYTES_MAX + 100];
	size_t n = text ? base64_decode(text, bytes, sizeof bytes) : 0;

	if (n == SIZE_MAX || n < 9 || (bytes[0] != 1 && bytes[0] != MAGIC))
		return true; /* another program's: the offset alone counts */
	int64_t time_ms = weir_get_be64(bytes + 1);

	if (time_ms >= 0 && time_ms > in->time_ms)
		in->time_ms = time_ms;
	if (in->time_ms > in->task->cx.stream_time_ms)
		in->task->cx.stream_time_ms = in->time_ms;
	weir_bytes pairs = weir_bytes_of(bytes + 9, n - 9);

	return bytes[0] == 1 ||
	       (each_pair(in->task, &pairs, apply_pair, err) && each_pair(in->task, &pairs, apply_of_commit, err));
}
