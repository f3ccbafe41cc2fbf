/*
 * Steps that fail at some records, each in its own way: what they had done by then stays, what fails is one dead
 * letter or is left out, and an aggregate in place is as if the record had not been. With something around the
 * processor. Some records cannot be read and some make state too large: all of them is one letter, or left out.
 */
#include "tests/simulation/tally.h"
#include "tests/simulation/topologies.h"

#include <weir/table.h>

enum { KEYS = 9, LARGE = 1100000 };

static bool fails_check(int64_t n)
{
	return n % 5 == 0;
}

static bool is_skipped(int64_t n)
{
	return n % 10 == 0;
}

static bool fails_sum(int64_t n)
{
	return n % 7 == 0;
}

static bool is_unreadable(int64_t n)
{
	return n % 13 == 6;
}

static bool is_refused(int64_t n)
{
	return n % 31 == 8 && !is_unreadable(n);
}

static bool is_left_out(int64_t n)
{
	return n % 2 == 0;
}

static int64_t number_of(weir_bytes value)
{
	char text[32];

	snprintf(text, sizeof text, "%.*s", (int)value.len, (const char *)value.data);
	return strtoll(text, NULL, 10);
}

/* --- what is built ------------------------------------------------------------------------------- */

static const void *decode(weir_context *cx, weir_bytes bytes, weir_error *err)
{
	if (!is_unreadable(number_of(bytes)))
		return weir_utf8.decode(cx, bytes, err);
	weir_fail(err, WEIR_USER, "6 beyond a multiple of 13");
	return NULL;
}

static weir_bytes encode(weir_context *cx, const void *object)
{
	return weir_utf8.encode(cx, object);
}

static const weir_serde readable = { .name = "readable", .decode = decode, .encode = encode };

static void put_too_large(weir_context *cx, weir_store *store, const weir_record *r)
{
	char *large = weir_alloc(cx, LARGE);

	memset(large, 'x', LARGE);
	weir_store_put(store, r->key, weir_bytes_of(large, LARGE), r->timestamp_ms);
}

/* Counts and passes on before it fails. */
static void check_one(weir_context *cx, const weir_record *r, void *state, void *user)
{
	weir_store *store = weir_context_store(cx, "seen");
	weir_bytes old = weir_store_get(store, r->key, NULL);
	char bytes[8];

	(void)state, (void)user;
	weir_put_be64(bytes, (old.len == 8 ? weir_get_be64(old.data) : 0) + 1);
	weir_store_put(store, r->key, weir_bytes_of(bytes, 8), r->timestamp_ms);
	weir_forward(cx, r);
	if (is_refused(number_of(weir_value_bytes(r))))
		put_too_large(cx, store, r);
	if (fails_check(number_of(weir_value_bytes(r))))
		weir_step_fail(cx, "it ends with 0 or 5");
	weir_forward(cx, r); /* the second time only what has not failed */
}

static void add_number(weir_context *cx, const weir_record *r, void *aggregate, void *user)
{
	int64_t n = number_of(weir_value_bytes(r));

	(void)user;
	if (fails_sum(n))
		weir_step_fail(cx, "a multiple of 7");
	else
		*(int64_t *)aggregate += n;
}

static weir_answer answer(weir_context *cx, const weir_failure *failure, void *user)
{
	(void)cx, (void)user;
	return strcmp(failure->step, "check") == 0 && is_skipped(number_of(weir_value_bytes(failure->record)))
		       ? WEIR_ANSWER_SKIP
		       : WEIR_ANSWER_DEAD_LETTER;
}

static weir_answer answer_to_all_of_it(weir_context *cx, const weir_failure *failure, void *user)
{
	(void)cx, (void)user;
	return is_left_out(number_of(failure->source_value)) ? WEIR_ANSWER_SKIP : WEIR_ANSWER_DEAD_LETTER;
}

static void around(weir_context *cx, const weir_record *r, weir_wrapped *inner, void *state, void *user)
{
	++*(int64_t *)state;
	(void)user;
	weir_wrapped_process(inner, cx, r);
}

weir_topology *build_failing(void)
{
	weir_topology *t = weir_topology_new("failing");

	weir_topology_wrap(t, (weir_wrapper){ .state_size = sizeof(int64_t), .process = around });
	weir_topology_on_failure(t, answer, NULL);
	weir_topology_on_unreadable(t, answer_to_all_of_it, NULL);
	weir_topology_on_refused(t, answer_to_all_of_it, NULL);
	weir_add_store(t, "seen", (weir_store_opts){ 0 });
	weir_stream *in = weir_source(t, "in", (weir_source_opts){ .value = &readable });
	weir_aggregator sum = { .value = &weir_int64, .add = add_number };

	weir_sink(weir_process(in, "check",
			       (weir_processor){ .process = check_one, .stores = { "seen" }, .keeps_key = true }),
		  "out", (weir_sink_opts){ 0 });
	weir_sink(weir_changes(weir_aggregate(in, "sums", sum, (weir_window){ 0 })), "sums-out",
		  (weir_sink_opts){ 0 });
	return t;
}

/* --- counted again ------------------------------------------------------------------------------- */

struct recount {
	struct tally wanted, got;
};

static int64_t *at(struct tally *t, const char *what, weir_bytes name)
{
	char text[80];

	snprintf(text, sizeof text, "%s %.*s", what, (int)name.len, (const char *)name.data);
	return tally_at(t, text);
}

static void expect(const weir_kafka_record *r, void *user)
{
	struct tally *t = &((struct recount *)user)->wanted;
	int64_t n = number_of(r->value);

	if (is_unreadable(n) || is_refused(n)) {
		*at(t, "letter", r->value) += !is_left_out(n);
		return;
	}
	*at(t, "out", r->value) += fails_check(n) ? 1 : 2;
	*at(t, "letter", r->value) += (fails_check(n) && !is_skipped(n)) + fails_sum(n);
	*at(t, "sum", r->key) += fails_sum(n) ? 0 : n;
	++*at(t, "seen", r->key);
}

static void take_result(const weir_kafka_record *r, void *user)
{
	++*at(&((struct recount *)user)->got, "out", r->value);
}

static void take_letter(const weir_kafka_record *r, void *user)
{
	++*at(&((struct recount *)user)->got, "letter", r->value);
}

static void take_sum(const weir_kafka_record *r, void *user)
{
	*at(&((struct recount *)user)->got, "sum", r->key) = weir_get_be64(r->value.data);
}

static void take_seen(weir_simulation *s, struct recount *c)
{
	for (int32_t p = 0; p < weir_simulation_partitions(s); p++) {
		weir_store *store = weir_simulation_store(s, "seen", p);

		for (int k = 0; store && k < KEYS; k++) {
			char key[16];

			snprintf(key, sizeof key, "k%d", k);
			weir_bytes value = weir_store_get(store, weir_str(key), NULL);

			if (value.len == 8)
				*at(&c->got, "seen", weir_str(key)) += weir_get_be64(value.data);
		}
	}
}

bool check_failing(weir_simulation *s, void *user, weir_error *err)
{
	struct recount c = { 0 };

	(void)user;
	take_seen(s, &c);
	bool ok = weir_simulation_read(s, "in", expect, &c, err) &&
		  weir_simulation_read(s, "out", take_result, &c, err) &&
		  weir_simulation_read(s, "sums-out", take_sum, &c, err) &&
		  weir_simulation_read(s, "dead-letters", take_letter, &c, err) &&
		  tally_same(&c.wanted, &c.got, "failing", err);

	tally_release(&c.wanted);
	tally_release(&c.got);
	return ok;
}
